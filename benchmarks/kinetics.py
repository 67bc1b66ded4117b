"""N2: the two stiff problems of chemical kinetics that every solver is tried at, over their rate constants.

Robertson's autocatalysis runs from 0.4 to 1e11; a solver that lets its scarce species turn negative blows up. The
Oregonator is an oscillating reaction: its concentrations jump by five decades, and then rest.

Source:
    E. Hairer and G. Wanner, *Solving Ordinary Differential Equations II* (2nd edition, 1996), section IV.10; end values
    of the published constants from their *Stiff and Differential-Algebraic Problems* (ROBER, OREGO) and F. Mazzia and
    C. Magherini, *Test Set for Initial Value Problem Solvers*, release 2.4 (2008).
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

import jaxrate as jr
from benchmarks.ensembles import in_precision
from benchmarks.measure import Case, Reading, read
from benchmarks.stiff import ROUNDS, Problem, judge

SEED = 20240602

ROBERTSON = {"k1": 0.04, "k2": 3e7, "k3": 1e4}
ROBERTSON_SPREAD = 10**0.5
"""Constants are drawn log-uniform between the published ones over and times this; the first lane is the published."""
ROBERTSON_TIMES = np.array([*(4.0 * 10.0 ** np.arange(-1, 11)), 1e11])
ROBERTSON_RTOL = 1e-7
"""Of jaxrate, such that the published end comes out to six digits, and the rest as near as any peer comes."""
ROBERTSON_END = (0.2083340149701255e-07, 0.8333360770334713e-13, 0.9999999791665050)
"""At 1e11."""

OREGONATOR = {"s": 77.27, "q": 8.375e-6, "w": 0.161}
OREGONATOR_SPREAD = 1.25
OREGONATOR_TIMES = np.linspace(30.0, 360.0, 12)
OREGONATOR_RTOL = 5e-7
"""Of jaxrate, such that the published end comes out to six digits."""
OREGONATOR_END = (0.1000814870318523e1, 0.1228178521549917e4, 0.1320554942846706e3)
"""At 360."""


def _rates(published: dict[str, float], spread: float) -> Callable[[int], np.ndarray]:
    def rates(lanes: int) -> np.ndarray:
        shares = np.random.default_rng(SEED).uniform(-1, 1, (lanes, len(published)))
        shares[:1] = 0.0
        return np.array(list(published.values())) * spread**shares

    return rates


def robertson_slope(y: Any, p: Any) -> tuple:
    """A -> B, 2 B -> B + C, B + C -> A + C."""
    made, used, back = p[0] * y[0], p[1] * y[1] * y[1], p[2] * y[1] * y[2]
    return back - made, made - back - used, used


def oregonator_slope(y: Any, p: Any) -> tuple:
    """HBrO2, Br- and Ce(IV), without dimensions."""
    return (
        p[0] * (y[1] + y[0] * (1 - p[1] * y[0] - y[1])),
        (y[2] - (1 + y[0]) * y[1]) / p[0],
        p[2] * (y[0] - y[2]),
    )


ALWAYS = (float("inf"),) * 3
ROBERTSONS = Problem(
    "N2 Robertson",
    robertson_slope,
    _rates(ROBERTSON, ROBERTSON_SPREAD),
    start=(1.0, 0.0, 0.0),
    scale=(1e-8, 1e-14, 1e-2),
    times=ROBERTSON_TIMES,
    relative_below=ALWAYS,
)
OREGONATORS = Problem(
    "N2 Oregonator",
    oregonator_slope,
    _rates(OREGONATOR, OREGONATOR_SPREAD),
    start=(1.0, 2.0, 3.0),
    scale=(1.0, 1e-3, 1.0),
    times=OREGONATOR_TIMES,
    relative_below=ALWAYS,
)


PROBLEMS = {problem.job: problem for problem in (ROBERTSONS, OREGONATORS)}


@cache
def robertson_model() -> jr.Model:
    """As levels: their fractions always sum to one. With a density of one, k is a coefficient as it stands."""
    k = ROBERTSON
    return jr.Model(
        levels=[jr.Level(name) for name in "ABC"],
        processes=[
            jr.Decay("k1", "A -> B", rate=k["k1"]),
            jr.EnergyTransfer("k2", "B + B -> B + C", coefficient=k["k2"]),
            jr.EnergyTransfer("k3", "B + C -> A + C", coefficient=k["k3"]),
        ],
        density=1.0,
    )


@cache
def oregonator_model() -> jr.Model:
    """As reservoirs. Scaled to no dimensions, X and Y are counted in units of their own, so what one loses another
    does not gain: every term is an inflow or an outflow at a rate that depends on the others."""
    return jr.Model(
        levels=[],
        reservoirs=[jr.Reservoir(name) for name in "XYZ"],
        processes=[
            jr.Pump("X made", " -> X", rate=jr.expr("s*(X + Y)")),
            jr.Decay("X used", "X -> ", rate=jr.expr("s*(q*X + Y)")),
            jr.Pump("Y made", " -> Y", rate=jr.expr("Z/s")),
            jr.Decay("Y used", "Y -> ", rate=jr.expr("(1 + X)/s")),
            jr.Pump("Z made", " -> Z", rate=jr.expr("w*X")),
            jr.Decay("Z used", "Z -> ", rate=jr.expr("w")),
        ],
        parameters=dict(OREGONATOR),
    )


def robertson_parameters(lanes: int) -> dict[str, np.ndarray]:
    """By the names of the model, each of shape (lane,)."""
    names = ("k1.rate", "k2.coefficient", "k3.coefficient")
    return dict(zip(names, ROBERTSONS.rates(lanes).T, strict=True))


def oregonator_parameters(lanes: int) -> dict[str, np.ndarray]:
    """By the names of the model, each of shape (lane,)."""
    return dict(zip(OREGONATOR, OREGONATORS.rates(lanes).T, strict=True))


def robertsons(lanes: int) -> list[Case]:
    """N2 Robertson: all concentrations at all times."""
    return [_case(ROBERTSONS, robertson_run(lanes), lanes)]


def oregonators(lanes: int) -> list[Case]:
    """N2 Oregonator: all concentrations at all times."""
    return [_case(OREGONATORS, oregonator_run(lanes), lanes)]


def _case(problem: Problem, run: Callable[[], np.ndarray], lanes: int) -> Case:
    def call() -> Reading:
        reading = read(run)
        return replace(reading, facts={"end_error": end_error(problem, reading.output)})

    run_in = in_precision("float64", call)
    return Case(problem.job, "jaxrate", "float64", lanes, run_in, judge(problem), rounds=ROUNDS)


def robertson_run(lanes: int, rtol: float = ROBERTSON_RTOL) -> Callable[[], np.ndarray]:
    """A call of jaxrate, to concentrations of shape (population, time, lane)."""
    model, theta = robertson_model(), robertson_parameters(lanes)
    return lambda: _path(model, theta, ROBERTSONS, {"A": 1.0}, rtol)


def oregonator_run(lanes: int, rtol: float = OREGONATOR_RTOL) -> Callable[[], np.ndarray]:
    """A call of jaxrate, to concentrations of shape (population, time, lane)."""
    model, theta = oregonator_model(), oregonator_parameters(lanes)
    return lambda: _path(model, theta, OREGONATORS, dict(zip("XYZ", OREGONATORS.start, strict=True)), rtol)


def _path(model: jr.Model, theta: dict[str, np.ndarray], problem: Problem, start: dict[str, float], rtol: float) -> Any:
    path = jr.evolve(model, theta, problem.times, start=start, rtol=rtol)
    names = [*model.level_names, *(r.name for r in model.reservoirs)]
    return np.stack([np.asarray(path[name]) for name in names])


def end_error(problem: Problem, found: np.ndarray) -> float:
    """Largest relative error of the first lane's last concentrations against the published ones."""
    published = {"N2 Robertson": ROBERTSON_END, "N2 Oregonator": OREGONATOR_END}[problem.job]
    return float(np.max(np.abs(found[:, -1, 0] / np.array(published) - 1)))
