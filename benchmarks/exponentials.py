"""Matrix exponentials of libraries, which do J2 and J3 too: one of the spacing applied 100 times, or one a time."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from benchmarks import exact_paths, media
from benchmarks.ensembles import DTYPES, in_precision, is_remote, put
from benchmarks.measure import Case
from benchmarks.peers import matrices
from benchmarks.transients import SPACING, TIMES, judge_of_curves

VMAP_EXPM = "vmap(jax.scipy.linalg.expm)"
LOOP_EXPM = "scipy.linalg.expm in a loop"

VMAP_LANES = {"J2": 2**14, "J3": 2**9}
LOOP_LANES = {"J2": 2**9, "J3": 2**6}
"""Ensembles at most on a CPU: time per ensemble does not depend on their number there. An accelerator takes all."""

SQUARINGS = 48
"""Squarings allowed: with the default of 16, stiff media come out as NaN."""


def exponentials(job: str, lanes: int) -> list[Case]:
    """Those of JAX and SciPy, in both precisions."""
    return [case for dtype in DTYPES for case in _exponentials(job, lanes, dtype)]


def _exponentials(job: str, lanes: int, dtype: str) -> Iterator[Case]:
    many, few = lanes if is_remote() else min(lanes, VMAP_LANES[job]), min(lanes, LOOP_LANES[job])
    rates = put(media.draw_rates(many), dtype)
    curves, times = jax.jit(steps if job == "J2" else powers), TIMES[job].astype(dtype)
    call = in_precision(dtype, lambda: curves(rates, times))
    yield Case(job, VMAP_EXPM, dtype, many, call, judge_of_curves(job, rates, exact_paths.of_rates))

    given = {name: value.astype(dtype) for name, value in media.draw_rates(few).items()}
    K, one = matrices(given, np, normed=False), looped_steps if job == "J2" else looped_powers
    error = judge_of_curves(job, given, exact_paths.of_rates)
    yield Case(job, LOOP_EXPM, dtype, few, lambda: loop(one, K, times), error, on_host=True)


def expm(A: Any) -> Any:
    """Exponential of one matrix."""
    return jax.scipy.linalg.expm(A, max_squarings=SQUARINGS)


def steps(rates: dict[str, Any], times: Any) -> Any:
    """Inversions at evenly spaced times, shape (time, lane)."""
    K = matrices(rates, jnp, normed=False)
    X = jax.vmap(expm)(K * jnp.asarray(SPACING, K.dtype))

    def step(n: Any, _: None) -> tuple[Any, Any]:
        n = jnp.einsum("lij,lj->li", X, n)
        return n, n[:, 2] - n[:, 1]

    return jax.lax.scan(step, jnp.zeros_like(X[:, :, 0]).at[:, 0].set(1), None, length=len(times))[1]


def powers(rates: dict[str, Any], times: Any) -> Any:
    """Inversions at any times, shape (time, lane)."""
    n = jax.vmap(lambda K: jax.vmap(lambda t: expm(K * t)[:, 0])(times))(matrices(rates, jnp, normed=False))
    return (n[..., 2] - n[..., 1]).T


def loop(one: Callable[[np.ndarray, np.ndarray], np.ndarray], K: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Inversions, one ensemble after the other, shape (time, lane)."""
    n = np.stack([one(matrix, times) for matrix in K], axis=-1)
    return n[:, 2] - n[:, 1]


def looped_steps(K: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Populations of one ensemble at evenly spaced times, shape (time, level)."""
    X, n = scipy.linalg.expm(K * K.dtype.type(SPACING)), np.eye(4, dtype=K.dtype)[0]
    return np.stack([n := X @ n for _ in times])


def looped_powers(K: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Populations of one ensemble at any times, shape (time, level)."""
    return scipy.linalg.expm(K * times[:, None, None])[:, :, 0]
