"""Random parameters as people state them: read into SI units, or refused with what to write instead."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jaxrate as jr
from jaxrate.sweep.draws import Draw, Sampling, drawn, lognormal, normal, read_sampling, uniform
from jaxrate.sweep.sobol import MOST_DIMENSIONS
from tests.media import three_level
from tests.refusal import refused

ND = three_level(empty=jr.expr("1e4 * life"), parameters={"life": "3e3 s^-1"})
BENCH = jr.Experiment(ND, jr.Steady(), {"gain": jr.Gain("laser")})
PUMP = normal("pump.rate", 100, 5)
EVEN = Sampling((PUMP,), 2**20, sampler="sobol")


def read(*random: Any, ensembles: Any = 100, seed: Any = None, sampler: Any = None, bench: Any = BENCH) -> Sampling:
    found = read_sampling(random, ensembles, seed, sampler, bench)
    assert found is not None
    return found


def test_quantities_are_read_into_si_units():
    found = read(
        normal("laser.B", "4.6e15 m^3 J^-1 s^-2", "2e14 m^3 J^-1 s^-2"),
        uniform("temperature", "17 degC", "310 K"),
        lognormal("density", "1.4e20 cm^-3", "1.1"),
        normal("laser.frequency", "1064.15 nm", "10 GHz"),
        normal("signal.intensity", np.float64(3), 1),
        ensembles=np.int64(100),
        seed=2**64 - 1,
    )
    args = [draw.args for draw in found.draws]
    assert args == [
        (4.6e15, 2e14),
        (290.15, 310.0),
        (pytest.approx(1.4e26), 1.1),
        (pytest.approx(299792458 / 1064.15e-9), 1e10),
        (3.0, 1.0),
    ]
    assert (found.ensembles, found.seed, found.sampler) == (100, 2**64 - 1, "random")
    assert len({found, read(*found.draws, seed=2**64 - 1)}) == 1, "equal, and hashable"


def test_without_random_parameters_there_is_no_sampling():
    assert read_sampling(None, None, None, None, BENCH) is None
    assert read_sampling([], None, None, None, BENCH) is None
    alone = read_sampling(PUMP, 5, None, "sobol", BENCH)
    assert alone == Sampling((PUMP,), 5, 0, "sobol")


def test_what_a_solver_sets_is_not_drawn():
    off = jr.Segments([(0, 1e-3, 0.0), (1e-3, np.inf, 10.0)])
    driven = jr.Experiment(ND, jr.Evolve([1e-3], start={"4I9/2": 1.0}, drive={"pump.rate": off}), BENCH.observables)
    refused(lambda: read(PUMP, bench=driven), "`pump.rate`", "driven in time")


def test_sobol_points_have_so_many_dimensions():
    names = [f"x{k}" for k in range(MOST_DIMENSIONS + 1)]
    levels = [jr.Level("a"), jr.Level("b")]
    many = jr.Model(levels, [jr.Decay("x", "b -> a", rate=1.0)], parameters={name: "1" for name in names})
    bench = jr.Experiment(many, jr.Steady(), {"a": jr.Population("a")})
    draws = [normal(name, 1, 0.1) for name in names]
    assert len(read(*draws[:-1], sampler="sobol", bench=bench).draws) == MOST_DIMENSIONS
    refused(lambda: read(*draws, sampler="sobol", bench=bench), "up to 64", "65 were given", "sampler='random'")


def test_a_parameter_may_not_have_the_name_of_the_index():
    levels = [jr.Level("a"), jr.Level("b")]
    taken = jr.Model(levels, [jr.Decay("x", "b -> a", rate=jr.expr("ensemble"))], parameters={"ensemble": "1 s^-1"})
    bench = jr.Experiment(taken, jr.Steady(), {"a": jr.Population("a")})
    refused(lambda: read(uniform("ensemble", 1, 2), bench=bench), "`ensemble`")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda: normal(3, 1, 2), ["`name`", "'laser.B'", "3"]),  # type: ignore[arg-type]
        (lambda: normal("a", 1, 0), ["`a`", "`sd`", "positive", "0.0"]),
        (lambda: normal("a", "1 K", -2), ["`sd`", "-2.0"]),
        (lambda: uniform("a", 2, 2), ["`low`", "below `high`", "2.0 and 2.0"]),
        (lambda: lognormal("a", 0, 2), ["`median`", "positive", "0.0"]),
        (lambda: lognormal("a", "1 K", 1), ["`factor`", "above 1", "1.0"]),
        (lambda: normal("a", math.nan, 1), ["`a`", "`mean`", "finite", "nan"]),
        (lambda: uniform("a", 0, math.inf), ["`high`", "finite", "inf"]),
        (lambda: uniform("a", 0, 10**400), ["`high`", "finite"]),
        (lambda: normal("a", True, 1), ["`mean`", "True"]),
        (lambda: normal("a", 1, None), ["`sd`", "None"]),  # type: ignore[arg-type]
        (lambda: normal("a", np.ones(2), 1), ["`mean`", "[1., 1.]"]),  # type: ignore[arg-type]
        (lambda: Draw("a", "norml", (1, 2)), ["`norml`", "did you mean `normal`?"]),
        (lambda: read(normal("pump.rat", 1, 1)), ["`pump.rat`", "did you mean `pump.rate`?"]),
        (lambda: read(normal("empty.rate", 1, 1)), ["`empty.rate`", "expression"]),
        (lambda: read(PUMP, normal("pump.rate", 9, 5)), ["`pump.rate`", "once", "2 times"]),
        (lambda: read(normal("pump.rate", "100 Hz", 1)), ["mean of pump.rate", "s^-1"]),
        (lambda: read(normal("pump.rate", "100 s^-1", "5 K")), ["sd of pump.rate", "5 K"]),
        (lambda: read(normal("pump.rate", "100 s^-1", "5")), ["sd of pump.rate", "unit"]),
        (lambda: read(normal("pump.rate", "100 s^-1", "-5 s^-1")), ["`pump.rate`", "`sd`", "-5.0"]),
        (lambda: read(normal("temperature", "300 K", "5 degC")), ["sd of temperature", "difference in K", "5 degC"]),
        (lambda: read(normal("laser.frequency", "1064 nm", "1 nm")), ["sd of laser.frequency", "1 nm"]),
        (lambda: read(uniform("laser.frequency", "1063 nm", "1065 nm")), ["`laser.frequency`", "`low`"]),
        (lambda: read(lognormal("density", "1e26 m^-3", "1.1 K")), ["factor of density", "without a unit"]),
        (lambda: read(lognormal("density", "1e26 m^-3", "90 %")), ["`factor`", "above 1", "0.9"]),
        (lambda: read(uniform("density", "nan", 2)), ["low of density", "nan"]),
        (lambda: read("pump.rate"), ["`random`", "jr.normal", "'pump.rate'"]),
        (lambda: read_sampling("pump.rate", 1, None, None, BENCH), ["`random`", "'pump.rate'"]),  # type: ignore
        (lambda: read_sampling({"a": PUMP}, 1, None, None, BENCH), ["`random`", "'a'"]),  # type: ignore[arg-type]
        (lambda: read(PUMP, ensembles=None), ["`ensembles` must say", "ensembles=10**6"]),
        (lambda: read(PUMP, ensembles=0), ["`ensembles`", "from 1", "0"]),
        (lambda: read(PUMP, ensembles=1e6), ["`ensembles`", "10**6", "1000000.0"]),
        (lambda: read(PUMP, ensembles=True), ["`ensembles`", "True"]),
        (lambda: read(PUMP, ensembles=2**53 + 1), ["`ensembles`", "2^53"]),
        (lambda: read(PUMP, seed=-1), ["`seed`", "-1"]),
        (lambda: read(PUMP, seed=2**64), ["`seed`", "2^64 - 1"]),
        (lambda: read(PUMP, seed=1.0), ["`seed`", "1.0"]),
        (lambda: read(PUMP, sampler="sobl"), ["`sampler`", "`sobl`", "did you mean `sobol`?"]),
        (lambda: read_sampling(None, 5, None, None, BENCH), ["`ensembles`", "`random`"]),
        (lambda: read_sampling([], None, 0, None, BENCH), ["`seed`", "`random`"]),
        (lambda: read_sampling(None, None, None, "sobol", BENCH), ["`sampler`", "`random`"]),
        (lambda: drawn(EVEN, np.array([0, 2**20])), ["`index`", "1048575"]),
        (lambda: drawn(EVEN, np.array(-1)), ["`index`", "-1"]),
    ],
)
def test_nonsense_is_refused(state: Callable[[], Any], words: list[str]):
    refused(state, *words)
