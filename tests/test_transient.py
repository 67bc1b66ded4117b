"""Paths in time: every population right relative to itself at every time, or refused."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrate as jr
from jaxrate.network.compile import compile_network
from jaxrate.network.dynamics import rate_of_change
from tests.media import four_level, ring, ring_rates
from tests.networks import dense_pairs, embedded, exact_path, model_of, theta_of
from tests.refusal import refused
from tests.tolerance import close, same

PROMISED = {"float64": 1e-12, "float32": 2e-5}
SMALLEST = {"float64": 1e-280, "float32": 1e-30}
DECADES = list(range(-9, 10, 3))


def promised(found: Any, exact: np.ndarray) -> None:
    """Every population that is not next to nothing is as exact as promised."""
    kind = str(np.asarray(found).dtype)
    above = exact > SMALLEST[kind]
    close(np.asarray(found)[above], exact[above], PROMISED)


def networks(n: int) -> tuple[list, np.ndarray, np.ndarray]:
    """Transitions, rates of networks of every kind with the fastest about 1 s^-1, and their exact paths."""
    pairs, rates = dense_pairs(n), embedded(n, 3 if n < 8 else 1, np.random.default_rng(n))
    rates = (rates / rates.max(axis=0) / n).astype(np.float32)
    return pairs, rates, np.stack([exact_path(pairs, lane, n, DECADES) for lane in rates.T], axis=-1)


LARGE = [pytest.param(n, marks=pytest.mark.long) for n in (8, 12)]


@pytest.mark.parametrize("n", [2, 3, 5, *LARGE])
def test_paths_of_random_networks(n: int):
    """Rate times time from 1e-9 to 1e9, rates over 15 decades, some zero; many times, and one by a propagator."""
    pairs, rates, exact = networks(n)
    model, times = model_of(pairs, n), 10.0 ** np.array(DECADES)
    for theta in (theta_of(rates.astype(np.float64)), theta_of(jnp.asarray(rates))):
        path = jr.evolve(model, theta, times, start={"L0": 1.0})
        assert not np.any(path.status)
        promised(path.populations, exact)
        for k in (0, 3, 6):
            one = jr.evolve(model, theta, times[k : k + 1], start={"L0": 1.0})
            promised(one.populations[:, 0], exact[:, k])


EVEN = {
    "from 0": np.linspace(0, 3.0, 31),
    "one spacing later": 0.1 * np.arange(1, 30),
    "few": np.array([0.5, 1.0, 1.5]),
}


@pytest.mark.parametrize("times", EVEN.values(), ids=EVEN)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_even_times_are_as_any_times(times: np.ndarray, precision: Any):
    """The powers of one propagator, in strides of any remainder, against the ladder of halves."""
    theta = ring_rates(np.random.default_rng(3), 5)
    even = jr.evolve(ring(), theta, times, start={"a": 1.0}, precision=precision)
    apart = jr.evolve(ring(), theta, np.append(times, 7.77), start={"a": 1.0}, precision=precision)
    assert [s.uniform for s in jr.Evolve(times).stages] == [True]
    assert [s.uniform for s in jr.Evolve(np.append(times, 7.77)).stages] == [False]
    close(even.populations, apart.populations[:, :-1], {"float64": 1e-12, "float32": 5e-6})


def test_many_even_times_in_float32_do_not_add_up_errors():
    model = jr.Model([jr.Level("u"), jr.Level("l")], [jr.Decay("d", "u -> l", rate=1.0)])
    times = np.linspace(0, 40, 4001)
    path = jr.evolve(model, None, times, start={"u": 1.0}, precision="float32")
    close(path["u"], np.exp(-times), {"float32": 2e-6})


def test_a_decay_is_an_exponential_and_a_pumped_level_fills():
    """n_u = W/(W + A) (1 - exp(-(W + A) t)) of a closed two-level atom pumped at rate W."""
    levels = [jr.Level("l", energy="0 eV"), jr.Level("u", energy="1 eV")]
    model = jr.Model(levels, [jr.Pump("pump", "l -> u", rate="3e5 s^-1"), jr.Decay("decay", "u -> l", rate="1 us^-1")])
    times = np.array([0.0, 1e-9, 1e-7, 1e-6, 3.7e-6, 1e-3])
    for even in (times, np.linspace(0, 5e-6, 11)):
        path = jr.evolve(model, None, even)
        close(path["u"], 3 / 13 * -np.expm1(-1.3e6 * even), 1e-13)
    dark = jr.evolve(model, {"pump.rate": 0.0}, [f"{t} us" for t in (1, 20, 600)], start={"u": 1.0})
    close(dark["u"], np.exp(-np.array([1.0, 20.0, 600.0])), 1e-12)


def test_a_path_begins_at_its_start_and_ends_in_the_steady_state():
    theta = ring_rates(np.random.default_rng(5), 4, 3)
    start = {"a": np.linspace(0, 1, 3), "c": np.linspace(1, 0, 3)}
    path = jr.evolve(ring(), theta, [0.0, 1e9], start=start)
    assert path.populations.shape == (3, 2, 4, 3)
    close(path["a"][0], np.broadcast_to(np.linspace(0, 1, 3), (4, 3)), 0.0)
    same(path["b"][0], np.zeros((4, 3)))
    close(path.populations[:, 1], jr.steady_state(ring(), theta).populations, 1e-12)
    assert "Path of 2 times" in str(path)


def test_the_ground_state_is_the_lowest_level_of_each_species():
    levels = [
        jr.Level("2", "2 eV", species="A"),
        jr.Level("1", "1 eV", species="A"),
        jr.Level("x", "5 eV", species="B"),
    ]
    model = jr.Model(levels, [jr.Decay("d", "A:2 -> A:1", rate=1.0)])
    same(jr.evolve(model, None, [0.0, 1.0]).populations[:, 0], np.array([0.0, 1.0, 1.0]))


def test_paths_go_on_where_another_ended():
    """From a solution or the end of a path; twice half the way is the whole way."""
    theta = ring_rates(np.random.default_rng(7), 6)
    whole = jr.evolve(ring(), theta, [0.3, 0.8], start={"b": 1.0})
    first = jr.evolve(ring(), theta, [0.1, 0.3], start={"b": 1.0})
    then = jr.evolve(ring(), theta, [0.5], start=first)
    close(then.populations[:, 0], whole.populations[:, 1], 1e-13)
    steady = jr.steady_state(ring(), theta)
    close(jr.evolve(ring(), theta, [5.0], start=steady).populations[:, 0], steady.populations, 1e-12)


def test_two_species_do_not_mix():
    levels = [jr.Level(n, energy=f"{i} eV", species=s) for s in "AB" for i, n in enumerate("lu")]
    decays = [jr.Decay("a", "A:u -> A:l", rate=1.0), jr.Decay("b", "B:u -> B:l", rate=1e6)]
    model = jr.Model(levels, decays, density={"A": 1e25, "B": 1e22})
    path = jr.evolve(model, None, [1e-7, 2.0], start={"A:u": 1.0, "B:u": 0.5, "B:l": 0.5})
    close(path["A:u"], np.exp([-1e-7, -2.0]), 1e-13)
    close(path["B:u"][0], 0.5 * np.exp(-0.1), 1e-13)
    close(path["B:l"] + path["B:u"], np.ones(2), 1e-14)


PULSE = jr.Segments([(0, "1 ms", "100 s^-1"), ("1 ms", "3 ms", 0.0), ("3 ms", np.inf, jr.expr("2 * pump.rate"))])


@pytest.mark.parametrize("times", [np.linspace(0, 5e-3, 51), np.array([2e-4, 1e-3, 1.5e-3, 3e-3, 4.9e-3])], ids=len)
def test_a_drive_in_segments_is_one_path_after_the_other(times: np.ndarray):
    """Times at an edge are read with the segment that begins there; values may be expressions of the batch's own."""
    model, pump = four_level(), np.array([5.0, 50.0])
    path = jr.evolve(model, {"pump.rate": pump}, times, drive={"pump.rate": PULSE})
    edge = jr.evolve(model, {"pump.rate": 100.0}, [1e-3])
    dark = jr.evolve(model, {"pump.rate": 0.0}, [2e-3], start=edge)
    for k, time in enumerate(times):
        if time <= 1e-3:
            expected = jr.evolve(model, {"pump.rate": 100.0}, [time]).populations[:, 0, None]
        elif time <= 3e-3:
            expected = jr.evolve(model, {"pump.rate": 0.0}, [time - 1e-3], start=edge).populations[:, 0, None]
        else:
            expected = jr.evolve(model, {"pump.rate": 2 * pump}, [time - 3e-3], start=dark).populations[:, 0]
        close(path.populations[:, k], expected, 1e-12)
    at = {0.0: [100, 100], 2e-4: [100, 100], 1e-3: [0, 0], 3e-3: [10, 100]}
    shown = np.broadcast_to(path.parameters["pump.rate"], (len(times), 2))
    for time, value in at.items():
        for k in np.flatnonzero(times == time):
            same(shown[k], np.array(value, float))


@pytest.mark.long
def test_a_driven_path_can_be_traced_and_differentiated():
    """By the height of a pulse, a segment of which says "what the batch says"."""
    with jax.enable_x64(True):

        def inversion(pump: Any) -> Any:
            path = jr.evolve(four_level(), {"pump.rate": pump}, [5e-3], drive={"pump.rate": PULSE})
            return jr.Inversion("laser")(path)[0] + 0.0 * path.parameters["pump.rate"][0]

        slope = jax.jit(jax.grad(inversion))(50.0)
        close(slope, (inversion(50.1) - inversion(49.9)) / 0.2, 1e-6)


def test_the_start_can_be_differentiated():
    """Populations at any time are linear in those at the start."""
    with jax.enable_x64(True):
        end = lambda x: jr.evolve(ring(), None, [0.2], start={"a": x, "b": 1 - x})["c"][0]  # noqa: E731
        slope = jax.jit(jax.grad(end))(0.25)
        close(slope, end(jnp.asarray(1.0)) - end(jnp.asarray(0.0)), 1e-12)


def test_what_is_read_follows_the_drive():
    """Net power to a beam that is switched off is zero; the observable of a path agrees with that of an experiment."""
    drive = {"signal.intensity": jr.Segments([(0, 1e-4, 1e8), (1e-4, np.inf, 0.0)])}
    times = [5e-5, 1e-4, 2e-4]
    power = jr.NetPower("laser")(jr.evolve(four_level(), None, times, drive=drive))
    assert power[0] > 0
    same(power[1:], np.zeros(2))
    found = jr.Experiment(four_level(), jr.Evolve(times, drive=drive), {"power": jr.NetPower("laser")})()["power"]
    close(found, power, 1e-13)


def test_an_expression_follows_the_driven_parameter():
    loss = jr.Decay("loss", "u -> l", rate=jr.expr("2 * pump.rate"))
    levels = [jr.Level("l", energy="0 eV"), jr.Level("u", energy="1 eV")]
    model = jr.Model(levels, [jr.Pump("pump", "l -> u", rate=1.0), loss])
    path = jr.evolve(model, None, [0.5, 1.0, 50.0], drive={"pump.rate": jr.Segments([(0, 0.5, 1.0), (0.5, 99, 7.0)])})
    half = (1 - np.exp(-1.5)) / 3
    close(path["u"], np.array([half, 1 / 3 + (half - 1 / 3) * np.exp(-21 * 0.5), 1 / 3]), 1e-13)


READ: dict[str, Callable[..., Any]] = {
    "gain": jr.Gain("laser"),
    "spectrum": jr.Gain("laser", frequency=[2.8e14, 2.82e14]),
    "area": lambda path: jnp.trapezoid(path["2"], path.times, axis=0),
}
EXPERIMENT = jr.Experiment(four_level(), jr.Evolve([1e-6, 1e-5, 2e-4]), READ)
BATCH = {"pump.rate": np.array([[1.0], [1e3]]), "signal.intensity": np.array([0.0, 1e6, 1e9])}


def test_observables_of_one_moment_have_a_time_axis_and_those_of_a_path_have_not():
    found, path = EXPERIMENT(BATCH), jr.evolve(four_level(), BATCH, [1e-6, 1e-5, 2e-4])
    shapes = {name: value.shape for name, value in found.items()}
    assert shapes == {"gain": (3, 2, 3), "spectrum": (2, 3, 2, 3), "area": (2, 3)}
    for name in ("gain", "spectrum"):
        close(found[name], READ[name](path), 1e-12)
    close(found["area"], np.trapezoid(path["2"], path.times, axis=0), 1e-12)
    assert EXPERIMENT.axes("area") == ()
    assert [axis[0] for axis in EXPERIMENT.axes("spectrum")] == ["frequency", "time"]


def test_a_sweep_over_paths_is_labelled_with_time():
    ds = jr.sweep(EXPERIMENT, {"pump.rate": [1.0, 10.0]}, progress=False)
    assert ds.gain.dims == ("time", "pump.rate")
    assert ds.spectrum.dims == ("frequency", "time", "pump.rate")
    assert ds.area.dims == ("pump.rate",)
    same(ds.time.values, np.array([1e-6, 1e-5, 2e-4]))
    assert ds.time.attrs["units"] == "s"
    top = jr.sweep(EXPERIMENT, {"pump.rate": [1.0, 10.0]}, reduce="max", progress=False)
    close(top.gain_max.values, ds.gain.max("pump.rate").values, 1e-13)


WRT = ("pump.rate", "laser.B", "quench.rate", "signal.intensity")


SWITCHED = {"empty.rate": jr.Segments([(0, 5e-5, 1e7), (5e-5, 1, jr.expr("empty.rate"))])}


@pytest.mark.parametrize(
    ("times", "drive"),
    [
        pytest.param([1e-6, 1e-5, 2e-4], None, id="any", marks=pytest.mark.long),
        pytest.param(np.linspace(0, 2e-4, 11), SWITCHED, id="even"),
    ],
)
def test_every_mode_gives_the_same_derivatives(times: Any, drive: Any):
    """Reverse mode of the dispatcher (few results), its forward mode (many), and JAX through a traced call."""
    own = four_level().parameters()
    theta = {name: np.full(2, own[name]) for name in WRT} | {"pump.rate": np.array([3.0, 300.0])}
    solver, area = jr.Evolve(times, drive=drive), READ["area"]
    few = jr.Experiment(four_level(), solver, {"area": area}).jacobian(theta, WRT)["area"]
    bench = jr.Experiment(four_level(), solver, {"area": area, "curve": jr.Population("2")})
    many = bench.jacobian(theta, WRT)
    assert many["curve"]["laser.B"].shape == (len(times), 2)
    with jax.enable_x64(True):
        given = {name: jnp.asarray(x) for name, x in theta.items()}
        back = jax.jit(jax.grad(lambda t: jnp.sum(bench(t)["area"])))(given)
        forth = jax.jit(lambda t: jax.jvp(lambda t: bench(t)["area"], (t,), (t,))[1])(given)
    for name in WRT:
        close(few[name], many["area"][name], 1e-9)
        close(back[name], many["area"][name], 1e-9)
        ends = [bench({**theta, name: theta[name] * (1 + h)})["curve"] for h in (1e-4, -1e-4)]
        slope = (ends[0] - ends[1]) / (2e-4 * theta[name])
        close(many["curve"][name], slope, 1e-5, 1e-6 * np.abs(slope).max())
    close(forth, sum(many["area"][name] * theta[name] for name in WRT), 1e-9)


@pytest.mark.long
def test_derivatives_in_float32():
    """Reverse and forward mode on 32-bit arrays, against those of float64."""
    for observables in ({"area": READ["area"]}, {"curve": jr.Population("2")}):
        bench = jr.Experiment(four_level(), jr.Evolve([1e-6, 1e-5, 2e-4]), observables)
        wide, narrow = (
            bench.jacobian({"pump.rate": np.array([3.0, 300.0])}, WRT, precision=p) for p in (None, "float32")
        )
        for name, slopes in narrow[next(iter(observables))].items():
            assert slopes.dtype == np.float32
            close(slopes, wide[next(iter(observables))][name], {"float32": 1e-4}, 1e-5 * np.abs(slopes).max())


def test_derivatives_of_an_exponential():
    """d exp(-A t)/dA = -t exp(-A t), over many lifetimes; and by the time itself, which is the rate of change."""
    model = jr.Model([jr.Level("u"), jr.Level("l")], [jr.Decay("d", "u -> l", rate=1.0)])
    times, A = np.array([1e-3, 1.0, 30.0]), np.array([0.5, 2.0])
    bench = jr.Experiment(model, jr.Evolve(times, start={"u": 1.0}), {"u": jr.Population("u")})
    exact = -times[:, None] * np.exp(-A * times[:, None])
    close(bench.jacobian({"d.rate": A}, "d.rate")["u"]["d.rate"], exact, 1e-12)
    with jax.enable_x64(True):
        theta = {"d.rate": jnp.asarray(A)}
        by_time = jax.jacobian(lambda t: jr.evolve(model, theta, t, start={"u": 1.0})["u"])
        found = jax.jit(by_time)(jnp.asarray(times))
        slopes = np.stack([found[k, :, k] for k in range(3)])
        close(slopes, -A * np.exp(-A * times[:, None]), 1e-12)
        assert np.all(found[0, :, 1] == 0)


def test_the_slope_of_a_path_is_its_rate_of_change():
    model, theta = four_level(), {"pump.rate": np.array([3.0, 3e3])}
    network = compile_network(model)
    with jax.enable_x64(True):
        given = {name: jnp.asarray(x) for name, x in theta.items()}
        times = jnp.asarray([3e-7, 1e-4])
        path = lambda t: jr.evolve(model, given, t).populations  # noqa: E731
        slope = jax.jit(lambda t: jax.jvp(path, (t,), (jnp.ones(2),))[1])(times)
        parameters = network.parameters(jnp.asarray(network.base), given)
        for k in range(2):
            exact = rate_of_change(network, parameters, path(times)[:, k])
            close(slope[:, k], exact, 1e-8, 1e-9 * float(jnp.abs(exact).max()))


def test_a_bad_lane_is_its_own_business():
    """NaN, infinite and negative rates, and rates too fast for the time asked; values and slopes of the others stay."""
    good = ring_rates(np.random.default_rng(11), 6)
    bad = {name: x.copy() for name, x in good.items()}
    bad["ab.rate"][:4] = [np.nan, np.inf, -1.0, 1e30]
    bench = jr.Experiment(ring(), jr.Evolve(np.linspace(0, 2, 9), start={"a": 1.0}), {"c": jr.Population("c")})
    wanted, found = bench(good)["c"], bench(bad)["c"]
    assert bench.status(bad).tolist() == [1, 1, 1, 3, 0, 0]
    assert np.all(np.isnan(found[:, :4]))
    same(found[:, 4:], wanted[:, 4:])
    slopes = bench.jacobian(bad, "ab.rate")["c"]["ab.rate"]
    same(slopes[:, 4:], bench.jacobian(good, "ab.rate")["c"]["ab.rate"][:, 4:])
    with jax.enable_x64(True):
        traced = {name: jnp.asarray(x) for name, x in bad.items()}
        gradient = jax.jit(jax.grad(lambda t: jnp.nansum(bench(t)["c"])))(traced)
    assert all(np.all(np.isfinite(np.asarray(g)[4:])) for g in gradient.values())
    assert "rate x time" in jr.Status(3).message


def test_a_start_that_is_bad_in_a_lane_is_that_lanes_status():
    start = {"a": np.array([1.0, np.nan, -0.5, 0.25]), "b": np.array([0.0, 1.0, 1.5, 0.75])}
    path = jr.evolve(ring(), None, [0.0, 1.0], start=start)
    assert path.status.tolist() == [0, 1, 1, 0]
    alone = jr.evolve(ring(), None, [0.0, 1.0], start={"a": 0.25, "b": 0.75})
    same(path.populations[:, :, 3], alone.populations)


def test_lanes_are_computed_alike_wherever_they_stand():
    """One by one, in any order, in a block with slower and faster neighbours: bit for bit."""
    theta = {
        name: x * 10.0 ** np.linspace(-3, 6, 200) for name, x in ring_rates(np.random.default_rng(13), 200).items()
    }
    bench = jr.Experiment(ring(), jr.Evolve(np.linspace(0.1, 1, 10), start={"a": 1.0}), {"b": jr.Population("b")})
    whole = bench(theta)["b"]
    order = np.random.default_rng(0).permutation(200)
    same(bench({name: x[order] for name, x in theta.items()})["b"], whole[:, order])
    same(bench({name: x[7:8] for name, x in theta.items()})["b"], whole[:, 7:8])


@pytest.mark.parametrize("x64", [False, pytest.param(True, marks=pytest.mark.long)])
def test_the_doors_agree(x64: bool):
    with jax.enable_x64(x64):
        theta = {name: jnp.asarray(x) for name, x in BATCH.items()}
        outside, inside = EXPERIMENT(theta), jax.jit(EXPERIMENT)(theta)
        for name in READ:
            assert outside[name].dtype == inside[name].dtype == jnp.result_type(float)
            close(inside[name], outside[name], {"float64": 1e-12, "float32": 1e-4}, {"float64": 0.0, "float32": 1e-6})
        batched = jax.vmap(lambda pump: EXPERIMENT({"pump.rate": pump})["gain"], out_axes=1)(jnp.asarray([1.0, 1e3]))
        close(batched, EXPERIMENT({"pump.rate": jnp.asarray([1.0, 1e3])})["gain"], {"float64": 1e-12, "float32": 1e-4})


def test_one_program_serves_other_times():
    """Times are inputs of the program: solvers of the same plan are equal, and their results are not mixed up."""
    early, late = (
        jr.Evolve([1e-6, 3e-6], drive={"pump.rate": PULSE}),
        jr.Evolve([2e-6, 3e-5], drive={"pump.rate": PULSE}),
    )
    assert early == late
    assert hash(early) == hash(late)
    whole = {"t": lambda path: path.times[-1] * jnp.ones(path.status.shape), "2": jr.Population("2")}
    for solver in (early, late):
        found = jr.Experiment(four_level(), solver, whole)()
        assert float(found["t"]) == solver.times[-1]
        close(found["2"], jr.evolve(four_level(), {"pump.rate": 100.0}, solver.times)["2"], 1e-12)


SHORT, DRIVEN = [1.0, 2.0], "pump.rate"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda: jr.Evolve([1.0, 0.5]), ["`times` must increase", "number 2", "0.5 s after 1 s"]),
        (lambda: jr.Evolve([1.0, 1.0]), ["`times` must increase", "number 2", "1 s after 1 s"]),
        (lambda: jr.Evolve([-1.0, 1.0]), ["`times` must increase from 0 s", "-1 s"]),
        (lambda: jr.Evolve([0.0, np.nan]), ["times", "finite", "nan"]),
        (lambda: jr.Evolve([0.0, np.inf]), ["times", "finite", "inf"]),
        (lambda: jr.Evolve([]), ["`times`", "list of times in s"]),
        (lambda: jr.Evolve(1.0), ["`times`", "list of times in s", "1.0"]),
        (lambda: jr.Evolve(["1 nm"]), ["times", "'1 nm'"]),
        (lambda: jr.evolve(four_level(), None, SHORT, start="dark"), ["`start`", "'ground'", "'dark'"]),  # type: ignore[arg-type]
        (lambda: jr.evolve(four_level(), None, SHORT, start={"4": 1.0}), ["`start`", "`4` is not a level", "`3`"]),
        (lambda: jr.evolve(four_level(), None, SHORT, start={"2": 0.5}), ["`start`", "sum to 1", "0.5"]),
        (lambda: jr.evolve(four_level(), None, SHORT, start={"2": 1.5, "1": -0.5}), ["zero or positive", "-0.5"]),
        (lambda: jr.evolve(ring(), None, SHORT), ["ground state", "`energy`", "{'a': 1.0}"]),
        (
            lambda: jr.evolve(ring(), None, SHORT, start=jr.steady_state(four_level())),
            ["`start`", "0, 1, 2, 3", "a, b"],
        ),
        (
            lambda: jr.evolve(ring(), {"ab.rate": np.ones(4)}, SHORT, start={"a": np.ones(3)}),
            ["broadcast", "(4,)", "(3,)"],
        ),
        (lambda: jr.Segments([]), ["list of (start, end, value)"]),
        (lambda: jr.Segments([(0, 1)]), ["(start, end, value)", "(0, 1)"]),  # type: ignore[list-item]
        (lambda: jr.Segments([(1, 2, 3.0)]), ["must start at 0 s", "1 s"]),
        (lambda: jr.Segments([(0, 1, 3.0), (2, 3, 1.0)]), ["leave a gap", "from 1 to 2 s"]),
        (lambda: jr.Segments([(0, 2, 3.0), (1, 3, 1.0)]), ["overlap", "from 2 to 1 s"]),
        (lambda: jr.Segments([(0, 0, 3.0)]), ["end after it starts"]),
        (lambda: jr.Segments([(0, "1 nm", 3.0)]), ["segment", "'1 nm'"]),
        (lambda: jr.Segments([(0, 1, lambda theta, n: 1.0)]), ["jr.expr", "not a function"]),
        (lambda: jr.Evolve(SHORT, drive={DRIVEN: jr.Segments([(0, 1.5, 1.0)])}), ["ends at 1.5 s", "2 s", "segment"]),
        (lambda: jr.Evolve(SHORT, drive={DRIVEN: 3.0}), ["drive of `pump.rate`", "jr.Segments", "3.0"]),  # type: ignore[dict-item]
        (lambda: jr.Evolve(SHORT, drive=[1]), ["`drive`", "[1]"]),  # type: ignore[arg-type]
        (lambda: driven("pump.rte", 1.0), ["`pump.rte` is not a parameter", "`pump.rate`"]),
        (lambda: driven(DRIVEN, "1 W/cm^2"), ["`pump.rate`", "'1 W/cm^2'", "s^-1"]),
        (lambda: driven(DRIVEN, -1.0), ["`pump.rate`", "zero or positive", "-1"]),
        (lambda: driven(DRIVEN, jr.expr("2 * pmp.rate")), ["segment of pump.rate", "`pmp.rate`", "`pump.rate`"]),
        (lambda: driven(DRIVEN, 1.0, {"pump.rate": 3.0}), ["`pump.rate` is driven", "jr.expr('pump.rate')"]),
        (
            lambda: jr.Experiment(four_level(), solver(), {"2": jr.Population("2")}).jacobian(None, DRIVEN),
            ["`pump.rate` is driven"],
        ),
    ],
)
def test_a_path_is_refused(state: Callable[[], Any], words: list[str]):
    refused(state, *words)


def solver() -> jr.Evolve:
    return jr.Evolve(SHORT, drive={DRIVEN: jr.Segments([(0, 9.0, 1.0)])})


def driven(name: str, value: Any, theta: Any = None) -> jr.Solution:
    return jr.evolve(four_level(), theta, SHORT, drive={name: jr.Segments([(0, 9.0, value)])})
