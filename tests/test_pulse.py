"""Pulses: each is its formula, a train is the sum of its copies, and a solver is told where they are not smooth."""

import json
import tomllib
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tomli_w

import jaxrate as jr
from jaxrate.experiment_file import experiment_table, read_experiment
from jaxrate.network.compile import compile_network
from jaxrate.network.network import Network
from jaxrate.solve.drive import check_drive, check_varied, driven, driven_at, edges, is_piecewise, marks, read_drive
from tests.media import four_level
from tests.refusal import refused
from tests.tolerance import close, same

PUMP = "pump.rate"
NS = 1e-9
GAUSSIAN = jr.pulse.Gaussian("100 s^-1", centre="50 ns", fwhm="10 ns", base=3.0)
SECH2 = jr.pulse.Sech2(100.0, "50 ns", "10 ns")
SQUARE = jr.pulse.Square(100.0, "40 ns", "60 ns", base="3 s^-1")
DECAY = jr.pulse.Exponential(100.0, "40 ns", "20 ns", base=3.0)
RISE = jr.pulse.Exponential(100.0, "40 ns", "20 ns", rising=True)
TABLE = jr.pulse.Table(["40 ns", 50 * NS, 8e-8], [0, 1, 0.0], peak=100.0)


@cache
def network() -> Network:
    return compile_network(four_level())


def base_of(pulse: Any) -> float:
    """Value far from the pulse, before it."""
    return float(values(pulse, np.array([-1.0]))[0])


def values(pulse: Any, t: Any, **parameters: Any) -> Any:
    """The pump rate at some times."""
    return driven_at(read_drive({PUMP: pulse}), network(), parameters, t)[PUMP]


def values_and_slopes(pulse: Any, t: np.ndarray) -> tuple[Any, Any]:
    """As a JAX program has them, by forward differentiation."""
    with jax.enable_x64(True):
        times = jnp.asarray(t)
        return jax.jit(lambda t: jax.jvp(lambda t: values(pulse, t), (t,), (jnp.ones_like(t),)))(times)


def gaussian(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sigma = 10 * NS / np.sqrt(8 * np.log(2))
    x = (t - 50 * NS) / sigma
    value = 100 * np.exp(-(x**2) / 2)
    return 3 + value, -x / sigma * value


def sech2(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    width = 10 * NS / (2 * np.arccosh(np.sqrt(2)))
    x = (t - 50 * NS) / width
    value = 100 / np.cosh(x) ** 2
    return value, -2 / width * np.tanh(x) * value


def square(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return 3 + 100.0 * ((t >= 40 * NS) & (t < 60 * NS)), 0 * t


def decay(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    value = 100 * np.where(t < 40 * NS, 0, np.exp(-(t - 40 * NS) / (20 * NS)))
    return 3 + value, -value / (20 * NS)


def rise(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    left = np.where(t < 40 * NS, 0, np.exp(-(t - 40 * NS) / (20 * NS)))
    return 100 * np.where(t < 40 * NS, 0, 1 - left), 100 * left / (20 * NS)


def table(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    slope = np.where((t > 40 * NS) & (t < 50 * NS), 1e10, np.where((t > 50 * NS) & (t < 80 * NS), -1e10 / 3, 0.0))
    return np.interp(t, [40 * NS, 50 * NS, 80 * NS], [0, 100, 0]), slope


FORMULAS = {
    "gaussian": (GAUSSIAN, gaussian),
    "sech2": (SECH2, sech2),
    "square": (SQUARE, square),
    "decay": (DECAY, decay),
    "rise": (RISE, rise),
    "table": (TABLE, table),
}


@pytest.mark.parametrize(("pulse", "formula"), FORMULAS.values(), ids=FORMULAS)
def test_a_pulse_and_its_derivative_are_the_formula(pulse: Any, formula: Any):
    t = np.random.default_rng(1).uniform(0, 150 * NS, 128)
    value, slope = formula(t)
    close(values(pulse, t), value, rtol=1e-12, atol=1e-12)
    found, derivative = values_and_slopes(pulse, t)
    close(found, value, rtol=1e-12, atol=1e-12)
    close(derivative, slope, rtol=1e-11, atol=1e-3)


@pytest.mark.parametrize("pulse", [GAUSSIAN, SECH2], ids=["gaussian", "sech2"])
def test_the_width_is_that_at_half_maximum(pulse: Any):
    centre, left, right, far = values(pulse, np.array([50, 45, 55, 1e9]) * NS) - base_of(pulse)
    close([centre, left, right], [100, 50, 50])
    assert far < 1e-200


def test_far_from_a_pulse_the_derivative_is_zero_not_a_nan():
    for pulse, base in ((GAUSSIAN, 3.0), (SECH2, 0.0), (DECAY, 3.0)):
        value, slope = values_and_slopes(pulse, np.array([-1.0, 1.0]))
        close(value, [base, base], atol=1e-200)
        close(slope, [0.0, 0.0], atol=1e-200)


OVERLAPPING = jr.pulse.Exponential(1.0, 0.0, "300 ns", base=2.0)
TRAINS = {
    "gaussians": (jr.pulse.Train(GAUSSIAN, "25 ns", 40), 1e-12),
    "gaussians far apart": (jr.pulse.Train(GAUSSIAN, "90 ns", 12), 1e-12),
    "sech2": (jr.pulse.Train(SECH2, "7 ns", 100), 1e-12),
    "squares": (jr.pulse.Train(SQUARE, "25 ns", 40), 0),
    "squares that overlap": (jr.pulse.Train(SQUARE, "7 ns", 40), 0),
    "decays": (jr.pulse.Train(DECAY, "300 ns", 3), 1e-12),
    "decays that overlap": (jr.pulse.Train(OVERLAPPING, "10 ns", 64), 1e-12),
    "tables": (jr.pulse.Train(TABLE, "25 ns", 40), 1e-12),
    "few": (jr.pulse.Train(GAUSSIAN, "2 ns", 3), 1e-12),
}


@pytest.mark.parametrize(("train", "rtol"), TRAINS.values(), ids=TRAINS)
def test_a_train_is_the_sum_of_its_copies_over_one_base(train: Any, rtol: float):
    t = np.random.default_rng(2).uniform(-100 * NS, 1.5e-6, 200)
    shifts = train.period * np.arange(train.count)
    copies = np.sum([values(train.pulse, t - shift) - base_of(train) for shift in shifts], axis=0)
    close(values(train, t), base_of(train) + copies, rtol=max(rtol, 1e-12), atol=1e-10)
    found, slope = values_and_slopes(train, t[:128])
    close(found, values(train, t[:128]), rtol=1e-12, atol=1e-10)
    assert np.all(np.isfinite(slope))


def test_a_long_train_is_no_longer_a_program():
    """Its size, and the value of the last of many copies."""
    train = {n: jr.pulse.Train(jr.pulse.Gaussian(1.0, "5 ns", "1 ns"), "10 ns", n) for n in (100, 10**6)}
    sizes = {n: len(jax.make_jaxpr(lambda t, p=p: values(p, t))(np.zeros(8)).eqns) for n, p in train.items()}
    assert sizes[100] == sizes[10**6]
    last = 5 * NS + (10**6 - 1) * 10 * NS
    close(values(train[10**6], np.array([last, last + 10 * NS])), [1.0, 0.0], rtol=1e-12)
    assert marks(read_drive({PUMP: train[10**6]}), 25 * NS).size == 7


def test_marks_are_where_a_drive_is_not_smooth():
    def found(pulse: Any, last: float = 100 * NS) -> Any:
        return marks(read_drive({PUMP: pulse}), last) / NS

    close(found(GAUSSIAN), [10, 50, 90])
    close(found(SECH2, 1e-6), [50, 130])
    close(found(SQUARE), [40, 60])
    close(found(DECAY), [40])
    close(found(TABLE), [40, 50, 80])
    close(found(jr.pulse.Train(SQUARE, "30 ns", 10)), [40, 60, 70, 90])
    close(found(jr.pulse.Train(jr.pulse.Square(1, 0, 1e-8), 1e-8, 10)), np.arange(10, 100, 10))
    close(found(jr.pulse.Square(1, 0, np.inf)), [])
    close(found(jr.Segments([(0, 2e-8, 1), (2e-8, 1e-6, 2)])), [20])
    close(found(stepped), [30])
    close(found(lambda t: t), [])
    both = marks(read_drive({PUMP: SQUARE, "quench.rate": DECAY}), 100 * NS)
    close(both / NS, [40, 60])


def stepped(t: Any) -> Any:
    return jnp.where(t < 30 * NS, 1.0, 2.0) + 0.0 * t


stepped.edges = ["30 ns"]


def test_what_is_constant_in_pieces_may_take_the_exact_way():
    def exact(pulse: Any) -> bool:
        return is_piecewise(read_drive({PUMP: SQUARE, "quench.rate": pulse}))

    assert exact(SQUARE)
    assert exact(jr.Segments([(0, 1, 2.0)]))
    assert exact(jr.pulse.Train(SQUARE, "100 ns", 32))
    assert not exact(jr.pulse.Train(SQUARE, "100 ns", 33))
    assert not exact(GAUSSIAN)
    assert not exact(lambda t: 1.0)


@pytest.mark.parametrize("period", [7.3 * NS, 20 * NS, 33.3 * NS])
def test_pieces_are_those_of_the_drive(period: float):
    """The value at each edge is that up to the next, to the bit, also where one pulse follows the other."""
    drive = read_drive({PUMP: jr.pulse.Train(SQUARE, period, 30)})
    places = edges(drive)
    assert places[0] == 0
    assert places[-1] == np.inf
    inner = np.array(places[:-1])
    middle = np.append((inner[1:] + inner[:-1]) / 2, inner[-1] + NS)
    pieces = [driven(drive, network(), {}, edge)[PUMP] for edge in inner]
    same(np.array(pieces), driven_at(drive, network(), {}, middle)[PUMP])
    # A compiled program may contract a product and a sum, and so tell the side of an edge only a little away from it.
    near = inner[1:] + 4 * np.spacing(inner[1:])
    with jax.enable_x64(True):
        after = jax.jit(lambda t: driven_at(drive, network(), {}, t)[PUMP])(jnp.asarray(near))
    same(np.asarray(after), np.array(pieces[1:]))


@pytest.mark.parametrize("num", [3, 100])
def test_segments_at_times_that_differ_from_lane_to_lane(num: int):
    edges = [*(i * NS for i in range(num)), np.inf]
    drive = jr.Segments([(edges[i], edges[i + 1], 2.0 * i) for i in range(num)])
    t = np.random.default_rng(3).uniform(0, 2 * num * NS, 64)
    wanted = [drive.at(time) for time in t]
    same(values(drive, t), np.array(wanted))
    close(values_and_slopes(drive, t)[0], wanted)


def test_heights_are_what_the_lane_says():
    rate = np.array([10.0, 20.0, 30.0])
    t = np.array([50, 45, 0]) * NS
    twice = jr.pulse.Gaussian(jr.expr("2 * pump.rate"), "50 ns", "10 ns", base=jr.expr("pump.rate"))
    close(values(twice, t, **{PUMP: rate}), [30, 40, 30])
    switched = jr.Segments([(0, 46 * NS, jr.expr("3 * pump.rate")), (46 * NS, np.inf, 7.0)])
    close(values(switched, t, **{PUMP: rate}), [7, 60, 90])
    with jax.enable_x64(True):
        by_rate = jax.jit(jax.grad(lambda p: jnp.sum(values(twice, jnp.asarray(t), **{PUMP: p}))))(jnp.asarray(rate))
    close(by_rate, [3, 2, 1])
    check_varied(read_drive({PUMP: twice}), network(), [PUMP])


def test_a_function_of_one_time_is_called_with_many():
    """It is written for one time, may take a branch of JAX, and ignore the time altogether."""

    def chirp(t: Any) -> Any:
        return jax.lax.cond(t < 1e-6, lambda: jnp.cos(t * 1e6), lambda: 1.0)

    t = np.linspace(0, 2e-6, 6).reshape(2, 3)
    same(values(lambda t: 7, t), np.full((2, 3), 7.0))
    close(values(chirp, t), np.where(t < 1e-6, np.cos(t * 1e6), 1.0))
    value, slope = values_and_slopes(chirp, t[0])
    close(value, np.cos(t[0] * 1e6))
    close(slope, -1e6 * np.sin(t[0] * 1e6))


def test_a_table_may_state_values_themselves():
    pulse = jr.pulse.Table(np.array([0.0, 1e-6]), ["100 s^-1", "0.2 ms^-1"])
    close(values(pulse, np.array([-1.0, 0.5e-6, 1.0])), [100, 150, 200])
    long = jr.pulse.Table(np.arange(200) * NS, np.arange(200.0))
    close(values_and_slopes(long, np.array([55.5 * NS, 1.0]))[0], [55.5, 199.0])


KEPT = {
    PUMP: jr.pulse.Train(jr.pulse.Sech2(jr.expr("2 * pump.rate"), "1 us", "10 ns", base="1 ms^-1"), "1 us", 1000),
    "quench.rate": jr.pulse.Square("3 s^-1", 0, np.inf),
    "relax.rate": jr.pulse.Table([0, 1e-6], ["1 ns^-1", 2e9]),
    "empty.rate": jr.pulse.Exponential(1.0, "1 us", 1e-6, rising=True),
    "signal.intensity": jr.pulse.Gaussian("1 kW/cm^2", 1e-6, 1e-8),
}


def test_every_pulse_is_kept_in_a_file():
    bench = jr.Experiment(four_level(), jr.Evolve([0.0, 1e-6], drive=KEPT), {"upper": jr.Population("2")})
    table = experiment_table(bench)
    for text in (json.loads(json.dumps(table, allow_nan=False)), tomllib.loads(tomli_w.dumps(table))):
        again = read_experiment(text, four_level())
        assert experiment_table(again) == table
        assert dict(again.solver.drive) == {  # type: ignore[attr-defined]
            PUMP: jr.pulse.Train(jr.pulse.Sech2(jr.expr("2 * pump.rate"), 1e-6, 1e-8, base=1e3), 1e-6, 1000),
            "quench.rate": jr.pulse.Square(3.0, 0.0, np.inf),
            "relax.rate": jr.pulse.Table([0, 1e-6], [1e9, 2e9]),
            "empty.rate": jr.pulse.Exponential(1.0, 1e-6, 1e-6, rising=True),
            "signal.intensity": jr.pulse.Gaussian(1e7, 1e-6, 1e-8),
        }


def read(drive: str) -> jr.Experiment:
    text = f'observables = {{ n = {{ Population = "2" }} }}\nevolve.times = [1]\n[evolve.drive]\n{drive}'
    return read_experiment(tomllib.loads(text), four_level())


def test_a_pulse_in_a_file_as_people_write_it():
    train = '{ kind = "Train", period = "1 us", count = 5, pulse = { kind = "Gaussian", peak = { expr = "pump.rate" }'
    found = read(f'pump.rate = {train}, centre = "50 ns", fwhm = 1e-8 }} }}').solver
    pulse = jr.pulse.Gaussian(jr.expr("pump.rate"), 5e-8, 1e-8)
    assert found.drive == ((PUMP, jr.pulse.Train(pulse, 1e-6, 5)),)  # type: ignore[attr-defined]


def driving(pulse: Any, name: str = PUMP) -> None:
    check_drive(read_drive({name: pulse}), network())


def wrong(t: float) -> float:
    return 1.0 if t > 1 else 2.0


WITH_FUNCTION: Any = {PUMP: stepped}
WRONG: dict[str, tuple[Any, list[str]]] = {
    "width": (lambda: jr.pulse.Gaussian(1, 0, 0), ["`Gaussian.fwhm` must be positive", "0 was given"]),
    "time": (lambda: jr.pulse.Sech2(1, "1 nm", 1), ["`Sech2.centre`", "a time such as", "'1 nm'"]),
    "stop": (lambda: jr.pulse.Square(1, 2, "1 s"), ["`Square.stop` must be later", "2 s", "1 s"]),
    "rising": (lambda: jr.pulse.Exponential(1, 0, 1, rising=2), ["`Exponential.rising` must be True or False"]),  # type: ignore[arg-type]
    "function": (lambda: jr.pulse.Gaussian(lambda t: 1, 0, 1), ["peak of a Gaussian", "not a function"]),
    "array": (lambda: jr.pulse.Gaussian(np.ones(3), 0, 1), ["peak of a Gaussian", "one value"]),  # type: ignore[arg-type]
    "table times": (lambda: jr.pulse.Table([0, 2, 1], [0, 1, 0]), ["`Table.times`", "increase", "[0, 2, 1]"]),
    "table values": (lambda: jr.pulse.Table([0, 1], [0, 1, 0]), ["`Table.values`", "2 times, not 3"]),
    "table rules": (lambda: jr.pulse.Table([0, 1], [0, jr.expr("a")]), ["`Table.values`", "`peak`"]),  # type: ignore[list-item]
    "train": (lambda: jr.pulse.Train(jr.Segments([(0, 1, 1)]), 1, 2), ["`Train.pulse` must be a pulse"]),  # type: ignore[arg-type]
    "count": (lambda: jr.pulse.Train(SQUARE, 1, 2.5), ["`Train.count`", "whole number", "2.5"]),  # type: ignore[arg-type]
    "period": (lambda: jr.pulse.Train(GAUSSIAN, "10 ps", 10**6), ["`Train.period`", "256", "1e-11 s"]),
    "endless": (lambda: jr.pulse.Train(jr.pulse.Square(1, 0, np.inf), 1, 2), ["Square that stops"]),
    "stays": (lambda: jr.pulse.Train(RISE, 1, 2), ["rising Exponential stays"]),
    "open": (lambda: jr.pulse.Train(jr.pulse.Table([0, 1], ["0 s^-1", "3 s^-1"]), 1, 2), ["begins and ends with 0"]),
    "kind": (lambda: driving(jr.pulse.Gaussian), ["`pump.rate`", "jr.Segments", "function of time"]),
    "expression": (lambda: read_drive({PUMP: jr.expr("density")}), ["not change in time", "jr.expr('density')"]),
    "name": (lambda: driving(SQUARE, "pump.rte"), ["`pump.rte` is not a parameter", "`pump.rate`"]),
    "unit": (lambda: driving(jr.pulse.Square("1 W", 0, 1)), ["peak of pump.rate", "a rate such as", "'1 W'"]),
    "base": (lambda: driving(jr.pulse.Square(1, 0, 1, "1 m")), ["base of pump.rate", "'1 m'"]),
    "table unit": (lambda: driving(jr.pulse.Table([0, 1], ["1 m", 1])), ["table of pump.rate", "'1 m'"]),
    "rule": (lambda: driving(jr.pulse.Square(jr.expr("pmp.rate"), 0, 1)), ["peak of pump.rate", "`pump.rate`?"]),
    "dip": (lambda: driving(jr.pulse.Square(-3, 0, 1, base=1)), ["`pump.rate` must be zero or positive", "-2"]),
    "negative": (lambda: driving(jr.pulse.Table([0, 1], [-1, 1])), ["`pump.rate` must be zero or positive", "-1"]),
    "two arguments": (lambda: driving(lambda t, n: t), ["one number, the time in s", "TypeError", "'n'"]),
    "branch": (lambda: driving(wrong), ["jnp.where instead of `if`", "TracerBool"]),
    "shape": (lambda: driving(lambda t: jnp.stack([t, t])), ["must return one real number", "(2,)"]),
    "nothing": (lambda: driving(lambda t: None), ["must return one real number", "None"]),
    "edges": (lambda: marks(read_drive({PUMP: jr.Segments([(0, 1, 1)])}), 2.0), ["ends at 1 s", "2 s", "segment"]),
    "copies": (
        lambda: marks(read_drive({PUMP: jr.pulse.Train(SQUARE, "1 ns", 10**12)}), 1.0),
        ["10,000,000 copies", "not 999,9"],
    ),
    "unused": (
        lambda: check_varied(read_drive({PUMP: SQUARE}), network(), [PUMP]),
        ["`pump.rate` is driven", "jr.expr('pump.rate')", "peak"],
    ),
    "no such pulse": (lambda: read('pump.rate = { kind = "Gausian" }'), ["kind of pulse", "`Gaussian`"]),
    "no such key": (lambda: read('pump.rate = { kind = "Square", begin = 1 }'), ["`begin`", "Square", "`start`"]),
    "no width": (lambda: read('pump.rate = { kind = "Sech2", peak = 1, centre = 0 }'), ["Sech2 must have `fwhm`"]),
    "no file": (
        lambda: experiment_table(jr.Experiment(four_level(), jr.Evolve([1.0], drive=WITH_FUNCTION), {})),
        ["drive of `pump.rate` is a Python function", "jr.pulse.Table"],
    ),
}


@pytest.mark.parametrize(("state", "words"), WRONG.values(), ids=WRONG)
def test_a_slip_is_one_clear_message(state: Any, words: list[str]):
    refused(state, *words)


def test_equal_pulses_are_one_program():
    assert hash(jr.pulse.Train(GAUSSIAN, "1 us", 3)) == hash(jr.pulse.Train(GAUSSIAN, 1e-6, np.int64(3)))  # type: ignore[arg-type]
    assert jr.pulse.Table(np.arange(3.0), np.arange(3.0)) == jr.pulse.Table([0, 1, 2], [0, 1, 2])
    assert jr.pulse.Gaussian(np.float64(1), 0, 1) == jr.pulse.Gaussian(1.0, "0 s", "1 s")
