"""Steady states through the statement: exact, unique or said not to be, and untouched by bad neighbours."""

from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import c, h, k
from tests.media import four_level, ring
from tests.networks import (
    closed_classes,
    dense_pairs,
    embedded,
    exact_log_derivatives,
    exact_populations,
    model_of,
    theta_of,
)
from tests.tolerance import DERIVATIVE, ROUNDING, close, same

SMALLEST = {"float64": 1e-280, "float32": 1e-30}


def in_both_precisions(rates: np.ndarray) -> list[tuple[str, dict[str, Any]]]:
    """NumPy arrays, and JAX arrays of 32 bits, of rates that both hold exactly."""
    return [("float64", theta_of(rates.astype(np.float64))), ("float32", theta_of(jnp.asarray(rates)))]


@pytest.mark.parametrize("n", [4, pytest.param(12, marks=pytest.mark.long)])
def test_populations_of_random_networks(n: int):
    """As promised for either precision; lanes are networks of every kind."""
    pairs, rates = dense_pairs(n), embedded(n, 4, np.random.default_rng(n)).astype(np.float32)
    exact = np.array([[float(x) for x in exact_populations(pairs, k, n)] for k in rates.T]).T
    for kind, theta in in_both_precisions(rates):
        state = jr.steady_state(model_of(pairs, n), theta)
        found = np.asarray(state.populations)
        assert found.dtype == kind
        assert np.all(np.asarray(state.status) == jr.Status.OK)
        above = (exact > SMALLEST[kind]) | (exact == 0)
        close(found[above], exact[above], ROUNDING)


def test_jacobian_of_random_networks():
    """Every logarithmic slope, in either precision."""
    n, rng = 4, np.random.default_rng(4)
    pairs, rates = dense_pairs(n), embedded(n, 4, rng).astype(np.float32)
    exact = np.array([[float(x) for x in exact_populations(pairs, k, n)] for k in rates.T]).T
    wanted = np.array([exact_log_derivatives(pairs, k, n) for k in rates.T])
    some = rng.permutation(len(pairs))[:3]
    bench = jr.Experiment(model_of(pairs, n), jr.Steady(), {f"L{i}": jr.Population(f"L{i}") for i in range(n)})
    for kind, theta in in_both_precisions(rates):
        slopes = bench.jacobian(theta, wrt=[f"k{r}.rate" for r in some])
        for i, r in product(range(n), some):
            held = exact[i] > SMALLEST[kind]
            found = np.asarray(slopes[f"L{i}"][f"k{r}.rate"], np.float64) * rates[r] / np.where(held, exact[i], 1.0)
            close(found[held], wanted[held, i, r], 0.0, DERIVATIVE[kind], what=f"k{r} on L{i} in {kind}")


def test_status_of_every_zero_pattern():
    """NOT_UNIQUE exactly where there are two closed classes; else the answer, absorbing level or not."""
    names = list(ring().parameters())
    patterns = np.array(np.meshgrid(*[[0.0, 1.0]] * len(names), indexing="ij"))
    state = jr.steady_state(ring(), dict(zip(names, patterns, strict=True)))
    pairs = [("abc".index(name[1]), "abc".index(name[0])) for name in names]
    for where in np.ndindex(patterns.shape[1:]):
        here = [p for p, k in zip(pairs, patterns[(slice(None), *where)], strict=True) if k]
        classes, populations = closed_classes(here, 3), state.populations[(slice(None), *where)]
        if len(classes) > 1:
            assert state.status[where] == jr.Status.NOT_UNIQUE
            assert np.all(np.isnan(populations))
        else:
            assert state.status[where] == jr.Status.OK
            assert set(np.flatnonzero(populations)) == set(classes[0])
            close(populations.sum(), 1.0)


@pytest.mark.parametrize("dark", range(4))
def test_an_absorbing_level_of_any_index(dark: int):
    names = [jr.Decay(f"from {i}", f"{i} -> {dark}", rate=10.0**i) for i in range(4) if i != dark]
    state = jr.steady_state(jr.Model([jr.Level(str(i)) for i in range(4)], names))
    same(state.populations, np.eye(4)[dark])


BAD = {
    "NaN": ("pump.rate", np.nan),
    "inf": ("pump.rate", np.inf),
    "negative rate": ("quench.rate", -1.0),
    "negative intensity": ("signal.intensity", -1.0),
    "B overflows": ("laser.B", 1.7e308),
    "zero width": ("laser.fwhm", 0.0),
    "negative density": ("density", -1.0),
}
NAMES = ("pump.rate", "quench.rate", "signal.intensity", "laser.B", "laser.fwhm", "density")


def lanes_with(bad: dict[int, tuple[str, float]], lanes: int = 300) -> dict[str, np.ndarray]:
    rng, model = np.random.default_rng(5), four_level().parameters()
    theta = {name: model[name] * 10.0 ** rng.uniform(-2, 2, lanes) for name in NAMES}
    for lane, (name, value) in bad.items():
        theta[name][lane] = value
        if name == "laser.B":
            theta["signal.intensity"][lane] = 1e308
    return theta


def test_bad_lanes_are_marked_and_touch_nobody():
    bad = {13 * (i + 1): case for i, case in enumerate(BAD.values())}
    clean, state = (jr.steady_state(four_level(), lanes_with(b)) for b in ({}, bad))
    good = ~np.isin(np.arange(300), list(bad))
    assert np.all(state.status[~good] == jr.Status.BAD_INPUT)
    assert np.all(np.isnan(state.populations[:, ~good]))
    same(state.status[good], clean.status[good])
    same(state.populations[:, good], clean.populations[:, good])


@pytest.mark.parametrize("x64", [False, pytest.param(True, marks=pytest.mark.long)])
def test_gradients_of_the_mean_of_good_lanes_are_unharmed(x64: bool):
    """Reverse and forward mode through `jnp.nanmean`: the gradient of the others, and zero for the bad."""
    with jax.enable_x64(x64):
        low = {} if x64 else {"B overflows"}  # 1.7e308 is no float32
        cases = [case for name, case in BAD.items() if name not in low]
        bad = {13 * (i + 1): case for i, case in enumerate(cases)}
        good = ~np.isin(np.arange(300), list(bad))

        def mean(theta: dict[str, jax.Array]) -> jax.Array:
            return jnp.nanmean(jr.steady_state(four_level(), theta)["2"])

        hurt = {n: jnp.asarray(x) for n, x in lanes_with(bad).items()}
        whole = {n: jnp.asarray(x[good]) for n, x in lanes_with(bad).items()}
        reverse, wanted = jax.jit(jax.grad(mean))(hurt), jax.jit(jax.grad(mean))(whole)
        for name in NAMES:
            slopes = np.asarray(reverse[name])
            assert np.all(slopes[~good] == 0)
            close(slopes[good], wanted[name], {"float64": 1e-12, "float32": 1e-5}, what=name)
        ones = {n: jnp.ones_like(x) for n, x in hurt.items()}
        one, total = jax.jit(lambda x: jax.jvp(mean, (x,), (ones,)))(hurt)
        parts = sum(float(np.sum(np.asarray(reverse[name], np.float64))) for name in NAMES)
        assert np.isfinite(one)
        close(total, parts, {"float64": 1e-10, "float32": 1e-3})


def test_a_lane_that_is_not_unique_harms_no_gradient():
    rng = np.random.default_rng(1)
    rates = rng.uniform(0.5, 2.0, (6, 20))
    rates[:, 7] = 0.0
    names = list(ring().parameters())
    with jax.enable_x64(True):

        def mean(k: jax.Array) -> jax.Array:
            return jnp.nanmean(jr.steady_state(ring(), dict(zip(names, k, strict=True)))["b"])

        slopes = np.asarray(jax.grad(mean)(jnp.asarray(rates)))
    assert np.all(slopes[:, 7] == 0)
    assert np.all(np.isfinite(slopes))
    assert np.all(slopes[:, :7] != 0)


def test_species_are_solved_apart():
    """Two atoms in one model are two networks: each as if it were alone, and sums to one."""
    names = ("Yb", "Er")
    levels = [jr.Level(f"{i}", species=s) for i in range(2) for s in names]
    decays = [jr.Decay(f"{s} down", f"{s}:1 -> {s}:0", rate=3.0) for s in names]
    pumps = [jr.Pump(f"{s} pump", f"{s}:0 -> {s}:1", rate=r) for s, r in zip(names, (1.0, 6.0), strict=True)]
    model = jr.Model(levels, [*decays, *pumps], density={"Yb": "1e26 m^-3", "Er": "1e25 m^-3"})
    state = jr.steady_state(model, {"Er pump.rate": np.array([6.0, 0.0, 1e300])})
    close(state["Yb:1"], 0.25)
    close(state["Er:1"], [2 / 3, 0.0, 1.0])
    close(state["Er:0"] + state["Er:1"], 1.0)


def test_print_says_what_happened():
    text = str(jr.steady_state(ring(), {"ab.rate": np.array([1.0, np.nan, 2.0])}))
    assert "2 x solved" in text
    assert "1 x a parameter is NaN" in text
    assert "3 populations" in text


def test_status_codes_are_their_messages():
    assert str(jr.Status(2)) == jr.Status.NOT_UNIQUE.message
    assert all(str(status) for status in jr.Status)
    assert int(jr.Status.OK) == 0


@pytest.mark.parametrize("kind", ["emission", "absorption"])
def test_one_measured_spectrum_is_boltzmann_at_every_temperature(kind: str) -> None:
    at = np.linspace(900.0, 1100.0, 40)
    sigma = 1e-24 * np.exp(-(((at - 1000) / 40) ** 2))
    measured: dict[str, Any] = {kind: jr.Spectrum(tuple(at.tolist()), tuple(sigma.tolist()), ("nm", "m^2"))}
    offsets = (0.0, 300.0, 600.0, 800.0)
    lower = jr.Level("F7", energy="0 cm^-1", g=8, stark=tuple(f"{e} cm^-1" for e in offsets))
    line = jr.Radiative("yb", "F5 -> F7", n=1.45, **measured)
    model = jr.Model(
        [lower, jr.Level("F5", energy="10250 cm^-1", g=6)],
        [line, jr.Blackbody("walls", drives="yb", temperature="300 K")],
        temperature="300 K",
    )
    T = np.array([300.0, 1000.0, 5800.0])
    state = jr.steady_state(model, {"walls.temperature": T, "temperature": T})
    kelvin = 100 * h * c / k
    partition = 2 * np.exp(-kelvin * np.array(offsets)[:, None] / T).sum(0)
    close(state["F5"] / state["F7"], 6 * np.exp(-10250 * kelvin / T) / partition, 1e-12)


@pytest.mark.parametrize(
    ("theta", "worth"),
    [
        ({"signal.intensity": 0.0}, False),
        ({"signal.intensity": 1.0}, True),
        ({"signal.intensity": np.array([0.0, 1.0])}, True),
        ({"relax.rate": 1e30}, False),
    ],
)
def test_a_beam_that_is_off_in_every_lane_costs_no_second_solve(theta: dict[str, Any], worth: bool):
    """The straight-line code is not tried where a rate that all lanes share rules it out for every one of them."""
    bench = jr.Experiment(four_level(), jr.Steady(), {})
    batch = bench.batch({"pump.rate": np.array([1.0, 100.0]), **theta})
    assert bench.program.has_short_way(bench.network.base, batch) == worth


def test_a_rate_by_an_expression_is_shared_only_if_all_it_is_made_of_is():
    levels = [jr.Level("a"), jr.Level("b")]
    loss = jr.Decay("loss", "b -> a", rate=jr.expr("x.rate * share"))
    model = jr.Model(levels, [jr.Pump("pump", "a -> b", rate=1.0), loss], parameters={"x.rate": 0.0, "share": 1.0})
    bench = jr.Experiment(model, jr.Steady(), {})
    tried = [
        bench.program.has_short_way(bench.network.base, bench.batch({name: np.ones(2)})) for name in bench.parameters()
    ]
    assert dict(zip(bench.parameters(), tried, strict=True)) == {"x.rate": True, "share": True, "pump.rate": False}
