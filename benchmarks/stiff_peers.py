"""Libraries that solve stiff equations: diffrax under vmap, compiled LSODA of numbalsoda, SciPy.

All are told the same rate equations and asked for the same populations at the same times, and all but SciPy on all
cores: diffrax by a thread for each, numbalsoda by the threads of numba. SciPy uses one, and is compared in core time.
They are given an absolute tolerance for each population, small against the photons that a laser starts from. What
happens with one tolerance for all, too large for these, is shown beside: lanes in which the laser starts at the wrong
time, and no library says so.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import stiff
from benchmarks.ensembles import in_precision, is_remote
from benchmarks.measure import Case, Reading, read
from benchmarks.ode import Way, diffrax_at, quickest
from benchmarks.stiff import JUDGED, ROUNDS, Problem

RTOL, FINE = 1e-6, 1e-10
"""What is compared; and that at which numbalsoda comes to 1e-7 of the reference in N1, as jaxrate does."""
COARSE = 1e-9
"""The one absolute tolerance for all populations, photons in units of what a laser ends with."""

TOLERANCES = {"N1": (RTOL, FINE), "N2 Robertson": (RTOL,), "N2 Oregonator": (RTOL,)}
"""Of numbalsoda."""
WAYS = {
    "N1": (Way("Kvaerno3", 64), Way("Kvaerno5", 64)),
    "N2 Robertson": (Way("Kvaerno3", 256),),
    "N2 Oregonator": (Way("Kvaerno3", 256),),
}
"""Of diffrax; the quickest is timed. Of Kvaerno3 and Kvaerno5 with 64, 256 and 1024 at a time these were the best of
each job: more than 64 lasers wait for the slowest, and Kvaerno5 takes twice to six times as long at N2."""
REMOTE_BATCH = 4096
"""On an accelerator, where diffrax works on all of them side by side, by the first of these solvers."""
MAX_STEPS = 16_384
"""Of diffrax, whose Kvaerno3 takes up to 13,000 for a laser. In some two of a hundred the settled laser stops it, at
steps without end that it rejects; more of them would only take longer to give up."""
SHARE_UNFINISHED = 0.1
"""Of its ensembles that diffrax may leave unfinished and still be timed; its error is that of the others."""
LSODA_STEPS = 100_000
LANES, DIFFRAX_BATCHES, SCIPY_LANES = 1024, 2, 8
"""Of each at most: time per ensemble does not depend on their number there."""
TWICE: dict[str, Any] = {"may_fail": True, "rounds": ROUNDS}
ONCE: dict[str, Any] = {"on_host": True, "may_fail": True, "in_process": False, "rounds": 1}
"""Of loops in Python, which take long and have nothing to prepare."""

EXTRAS = {"diffrax": "bench", "numbalsoda": "bench-lsoda"}
METHODS = ("Radau", "BDF", "LSODA")


def numbalsoda_at(rtol: float) -> str:
    """Name of a line of the table."""
    return f"numbalsoda LSODA, rtol {rtol:.0e}".replace("e-0", "e-")


def coarse(name: str) -> str:
    """Name of the line of a program that is given one absolute tolerance."""
    return f"{name}, atol {COARSE:.0e}".replace("e-0", "e-")


def scipy_by(method: str) -> str:
    """Name of a line of the table."""
    return f"scipy.integrate.solve_ivp {method} in a loop"


def solvers(problem: Problem, lanes: int, report: Callable[[str], None]) -> list[Case]:
    """Every library that is installed, at a relative tolerance of 1e-6, in float64.

    Args:
        problem: What they solve.
        lanes: Ensembles; these programs take fewer.
        report: Is told what is being done, and what is left out.
    """
    cases = [_scipy(problem, method, min(lanes, SCIPY_LANES)) for method in METHODS]
    if is_installed("numbalsoda", problem, report):
        cases += [_numbalsoda(problem, min(lanes, LANES), rtol) for rtol in TOLERANCES[problem.job]]
    if is_installed("diffrax", problem, report):
        ways = ways_of(problem)
        few = min(lanes, REMOTE_BATCH if is_remote() else DIFFRAX_BATCHES * ways[0].batch)
        cases.append(_diffrax(problem, ways, few, report))
    return cases


def ways_of(problem: Problem) -> tuple[Way, ...]:
    """How diffrax may be used on this device."""
    ways = WAYS[problem.job]
    return (replace(ways[0], batch=REMOTE_BATCH),) if is_remote() else ways


def is_installed(module: str, problem: Problem, report: Callable[[str], None]) -> bool:
    """Whether a library is there; if not, how to get it is reported."""
    found = find_spec(module) is not None
    if not found:
        report(f"{module} is left out of {problem.job}: install it with `pip install jaxrate[{EXTRAS[module]}]`")
    return found


def coarse_solvers(problem: Problem) -> list[Case]:
    """The same with one absolute tolerance for all populations: how many of the judged lanes they get wrong."""

    def case(name: str, call: Callable[[], np.ndarray], **known: Any) -> Case:
        counted = stiff.told(problem, call)
        return Case(problem.job, coarse(name), "float64", JUDGED, counted, stiff.judge(problem), **known)

    cases = [case(scipy_by(m), _scipy_run(problem, m, JUDGED, COARSE), detail="one core", **ONCE) for m in METHODS]
    if find_spec("numbalsoda") is None:
        return cases
    plain = replace(problem, scale=(COARSE / RTOL,) * len(problem.scale))
    return [*cases, case(numbalsoda_at(RTOL), numbalsoda_run(plain, JUDGED), on_host=True, **TWICE)]


def _scipy(problem: Problem, method: str, lanes: int) -> Case:
    call = _scipy_run(problem, method, lanes, RTOL * np.array(problem.scale))
    judge = stiff.judge(problem)
    return Case(problem.job, scipy_by(method), "float64", lanes, call, judge, detail="one core", **ONCE)


def _scipy_run(problem: Problem, method: str, lanes: int, atol: Any) -> Callable[[], np.ndarray]:
    p = problem.rates(lanes)
    return lambda: np.stack([stiff.scipy_path(problem, method, row, RTOL, atol) for row in p], axis=-1)


def _diffrax(problem: Problem, ways: tuple[Way, ...], lanes: int, report: Callable[[str], None]) -> Case:
    report(f"trial: {problem.job} {diffrax_at(RTOL)}")
    way = quickest(ways, lambda way: diffrax_run(problem, way, lanes))
    call, judge = _telling(diffrax_run(problem, way, lanes)), stiff.judge(problem, finished=True)
    return Case(problem.job, diffrax_at(RTOL), "float64", lanes, call, judge, detail=str(way), **TWICE)


def _telling(call: Callable[[], np.ndarray]) -> Callable[[], Reading]:
    """The call with the number of its unfinished lanes."""

    def told() -> Reading:
        reading = read(call)
        return replace(reading, facts={"unfinished_lanes": int(np.sum(np.isnan(reading.output[0, 0])))})

    return told


def diffrax_run(problem: Problem, way: Way, lanes: int, rtol: float = RTOL) -> Callable[[], np.ndarray]:
    """A call of diffrax, batch by batch, with as many batches at a time as there are cores.

    Ensembles that did not reach the last time are NaN.

    Raises:
        RuntimeError: the call, where that is more than one in ten.
    """
    p = problem.rates(lanes)
    parts = [p[first : first + way.batch] for first in range(0, lanes, way.batch)]
    solve = program(problem.slope, way.solver)

    def solved(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with jax.enable_x64(True):
            fixed = [np.asarray(x, float) for x in (problem.start, problem.times, rtol, rtol * np.array(problem.scale))]
            found, reached = solve(part, *fixed)
            return np.asarray(found), np.asarray(reached)

    def call() -> np.ndarray:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found, reached = zip(*pool.map(solved, parts), strict=True)
        ended = np.concatenate(reached)
        if np.sum(~ended) > SHARE_UNFINISHED * lanes:
            raise RuntimeError(f"{np.sum(~ended)} of {lanes} ensembles did not end within {MAX_STEPS} steps")
        return np.where(ended, np.moveaxis(np.concatenate(found), (0, 2), (2, 0)), np.nan)

    return in_precision("float64", call)


@cache
def program(slope: Callable, solver: str) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """Populations (lane, time, population) and whether the last time was reached, from constants (lane, rate)."""
    diffrax = import_module("diffrax")

    def one(p: Any, start: Any, times: Any, rtol: Any, atol: Any) -> tuple[jax.Array, jax.Array]:
        found = diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, y, p: jnp.stack(slope(y, p))),
            getattr(diffrax, solver)(),
            t0=jnp.zeros_like(times[0]),
            t1=times[-1],
            dt0=None,
            y0=start,
            args=p,
            saveat=diffrax.SaveAt(ts=times),
            stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol),
            max_steps=MAX_STEPS,
            throw=False,
        )
        return found.ys, found.result == diffrax.RESULTS.successful

    return jax.jit(jax.vmap(one, in_axes=(0, None, None, None, None)))


def _numbalsoda(problem: Problem, lanes: int, rtol: float) -> Case:
    call, judge = numbalsoda_run(problem, lanes, rtol), stiff.judge(problem)
    return Case(problem.job, numbalsoda_at(rtol), "float64", lanes, call, judge, on_host=True, **TWICE)


def numbalsoda_run(problem: Problem, lanes: int, rtol: float = RTOL) -> Callable[[], np.ndarray]:
    """A call of compiled LSODA, its lanes shared among the cores.

    It knows one absolute tolerance only, so it is given every population over its own: then one is right for all.

    Raises:
        RuntimeError: the call, where some ensembles did not reach the last time.
    """
    solve = lsoda_program(problem.slope, problem.scale, problem.rates(1).shape[1])
    p, scale = problem.rates(lanes), np.array(problem.scale)
    start, times = np.array(problem.start) / scale, np.concatenate([[0.0], problem.times])

    def call() -> np.ndarray:
        found, reached = solve(p, start, times, rtol)
        if not np.all(reached):
            raise RuntimeError(f"{np.sum(~reached)} of {lanes} ensembles did not end")
        return np.moveaxis(found[:, 1:] * scale, (0, 2), (2, 0))

    return call


@cache
def lsoda_program(slope: Callable, scale: tuple[float, ...], num_rates: int) -> Callable[..., Any]:
    """Populations over their scale (lane, time, population) and which lanes reached the last time."""
    numba, numbalsoda = import_module("numba"), import_module("numbalsoda")
    as_tuple = import_module("numba.np.unsafe.ndarray").to_fixed_tuple
    exchanged = import_module("numba.cpython.unsafe.tuple").tuple_setitem
    one, num, scale_of = numba.njit(slope), len(scale), np.array(scale)

    @numba.cfunc(numbalsoda.lsoda_sig)
    def equations(t: Any, u: Any, du: Any, p: Any) -> None:
        y = as_tuple(numba.carray(u, (num,)), num)  # an array of the heap would cost a tenth of the time
        for i in range(num):
            y = exchanged(y, i, y[i] * scale_of[i])
        change = one(y, numba.carray(p, (num_rates,)))
        for i in range(num):
            du[i] = change[i] / scale_of[i]

    address, lsoda = equations.address, numbalsoda.lsoda

    @numba.njit(parallel=True)
    def solve(p: Any, start: Any, times: Any, rtol: float) -> Any:
        found = np.empty((len(p), len(times), num))
        reached = np.empty(len(p), np.bool_)
        for lane in numba.prange(len(p)):
            path, success = lsoda(address, start, times, data=p[lane], rtol=rtol, atol=rtol, mxstep=LSODA_STEPS)
            found[lane], reached[lane] = path, success
        return found, reached

    return solve
