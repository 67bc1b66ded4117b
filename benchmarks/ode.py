"""Libraries that solve any ordinary differential equation step by step, at J2 and J3: diffrax and SciPy's LSODA.

Both are told the rates, write down the rate equations, and are asked for the same inversions at the same times. Both
are given an absolute tolerance for each population, small against what it settles at: with a single one they would
miss the scarce levels, or resolve the ground level for nothing.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp

from benchmarks import exact_paths, media
from benchmarks.ensembles import DTYPES, in_precision, is_remote, put
from benchmarks.measure import Case
from benchmarks.peers import matrices
from benchmarks.transients import TIMES, judge_of_curves

TOLERANCES = (1e-4, 1e-6, 1e-8)
RTOL = 1e-6
"""The one that is compared; the others are for the diagram of work against precision."""
SCALE = np.array([1e-1, 1e-6, 1e-3, 1e-7])
"""Absolute tolerances of the levels over the relative one: where the middle ensemble settles, of the two levels that
hold much a tenth of it. Ten times less changes no error; of the scarce levels it is lost in rounding at 1e-8."""

SOLVERS = ("Kvaerno3", "Kvaerno5")
BATCHES = (1024, 256, 64)
MAX_STEPS = 4096  # several times what Kvaerno3 needs in float64 at the tightest tolerance
LANES, LOOP_LANES = 1024, 64
"""Ensembles of diffrax and of LSODA at most: time per ensemble does not depend on their number there."""
REMOTE_LANES = 2**15
"""Of diffrax on an accelerator, all of them at a time: it works on them side by side."""


def diffrax_at(rtol: float) -> str:
    """Name of a line of the table."""
    return f"diffrax, rtol {_power(rtol)}"


def lsoda_at(rtol: float) -> str:
    """Name of a line of the table."""
    return f"scipy.integrate.solve_ivp LSODA in a loop, rtol {_power(rtol)}"


def _power(rtol: float) -> str:
    """1e-6 as one writes it."""
    return f"{rtol:.0e}".replace("e-0", "e-")


def solvers(job: str, lanes: int, report: Callable[[str], None]) -> list[Case]:
    """Every tolerance in float64, the one that is compared in float32 as well; LSODA computes in float64 only.

    Args:
        job: "J2" or "J3".
        lanes: Ensembles; these programs take fewer.
        report: Is told what is being done, and what is left out.
    """
    cases = [_lsoda(job, min(lanes, LOOP_LANES), rtol) for rtol in TOLERANCES]
    if find_spec("diffrax") is None:
        report(f"diffrax is left out of {job}: install it with `pip install jaxrate[bench]`")
        return cases
    wanted = [(dtype, rtol) for dtype in DTYPES for rtol in TOLERANCES if dtype == "float64" or rtol == RTOL]
    few = min(lanes, REMOTE_LANES if is_remote() else LANES)
    return [*cases, *(_diffrax(job, few, dtype, rtol, report) for dtype, rtol in wanted)]


def _lsoda(job: str, lanes: int, rtol: float) -> Case:
    rates = media.draw_rates(lanes)
    K, times = matrices(rates, np, normed=False), TIMES[job]

    def one(K: np.ndarray) -> np.ndarray:
        found = solve_ivp(
            lambda t, n: K @ n,
            (0, times[-1]),
            np.eye(4)[0],
            "LSODA",
            times,
            rtol=rtol,
            atol=rtol * SCALE,
            jac=lambda t, n: K,
        )
        if not found.success:
            raise RuntimeError(found.message)
        return found.y[2] - found.y[1]

    def call() -> np.ndarray:
        return np.stack([one(matrix) for matrix in K], axis=-1)

    error = judge_of_curves(job, rates, exact_paths.of_rates)
    return Case(job, lsoda_at(rtol), "float64", lanes, call, error, on_host=True)


@dataclass(frozen=True)
class Way:
    """How diffrax may be used: the name of its solver, and how many ensembles at a time."""

    solver: str
    batch: int

    def __str__(self) -> str:
        return f"{self.solver}, {self.batch} at a time"


def _diffrax(job: str, lanes: int, dtype: str, rtol: float, report: Callable[[str], None]) -> Case:
    rates = put(media.draw_rates(lanes), dtype)
    with jax.enable_x64(dtype == "float64"):
        columns = jnp.stack([rates[name] for name in media.RATES], axis=-1)
        options = [jnp.asarray(value, dtype) for value in (TIMES[job], rtol, rtol * SCALE)]

    def runs(way: Way) -> Callable[[], Any]:
        return in_precision(dtype, lambda: _solved(way, columns, options))

    report(f"trial: {job} {diffrax_at(rtol)}, {dtype}")
    batches = (lanes,) if is_remote() else dict.fromkeys(min(batch, lanes) for batch in BATCHES)
    ways = [Way(solver, batch) for solver in SOLVERS for batch in batches]
    way = quickest(ways, runs)
    judge = judge_of_curves(job, {n: np.asarray(rate) for n, rate in rates.items()}, exact_paths.of_rates)
    return Case(job, diffrax_at(rtol), dtype, lanes, runs(way), judge, detail=str(way), may_fail=True)


def quickest(ways: Sequence[Way], runs: Callable[[Way], Callable[[], Any]]) -> Way:
    """The way that is quickest in one call; of a solver that fails no other batch is tried. A single way is taken.

    Where all fail it is the first, and the case will fail and say why.
    """
    found: dict[Way, float] = {}
    failed: set[str] = set()
    for way in ways if len(ways) > 1 else ():
        if way.solver in failed:
            continue
        try:
            runs(way)()
            start = time.perf_counter()
            runs(way)()
            found[way] = time.perf_counter() - start
        except RuntimeError:
            failed.add(way.solver)
    return min(found, key=lambda way: found[way], default=ways[0])


def _solved(way: Way, rates: jax.Array, options: Sequence[jax.Array]) -> np.ndarray:
    """Inversions of shape (time, lane), batch by batch; JAX starts each without waiting for the one before.

    Raises:
        RuntimeError: of some ensembles it did not reach the last time.
    """
    solve = program(way.solver)
    parts = [solve(rates[first : first + way.batch], *options) for first in range(0, len(rates), way.batch)]
    short = sum(int(np.sum(~np.asarray(reached))) for _, reached in parts)
    if short:
        raise RuntimeError(f"{short} of {len(rates)} ensembles did not end within {MAX_STEPS} steps")
    return np.concatenate([np.asarray(curves) for curves, _ in parts]).T


@cache
def program(solver: str) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """Inversions (lane, time) and whether the last time was reached, from rates (lane, 6), times and tolerances."""
    diffrax = import_module("diffrax")

    def one(rates: jax.Array, times: jax.Array, rtol: jax.Array, atol: jax.Array) -> tuple[jax.Array, jax.Array]:
        found = diffrax.diffeqsolve(
            diffrax.ODETerm(rate_equations),
            getattr(diffrax, solver)(),
            t0=jnp.zeros_like(times[0]),
            t1=times[-1],
            dt0=None,
            y0=jnp.eye(4, dtype=rates.dtype)[0],
            args=rates,
            saveat=diffrax.SaveAt(ts=times),
            stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol),
            max_steps=MAX_STEPS,
            throw=False,
        )
        return found.ys[:, 2] - found.ys[:, 1], found.result == diffrax.RESULTS.successful

    return jax.jit(jax.vmap(one, in_axes=(0, None, None, None)))


def rate_equations(t: Any, n: jax.Array, rates: jax.Array) -> jax.Array:
    """dn/dt of the four-level medium, as one would write it down."""
    wp, a32, a21, a10, w, a20 = rates
    return jnp.stack(
        [
            a10 * n[1] + a20 * n[2] - wp * n[0],
            (a21 + w) * n[2] - (a10 + w) * n[1],
            a32 * n[3] + w * n[1] - (a21 + w + a20) * n[2],
            wp * n[0] - a32 * n[3],
        ]
    )
