"""What else can do J1, on the same ensembles: dense solvers on the rate matrix.

Peers start from the rates, which jaxrate works out from the parameters. The matrix is that of the rate equations with
the balance of the ground level replaced by the norm, as one would write it down.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from benchmarks import media, reference
from benchmarks.ensembles import DTYPES, SAMPLE, at, in_precision, largest, put, sample
from benchmarks.measure import Case

VMAP = "vmap(jnp.linalg.solve)"
VMAP_GIVEN = f"{VMAP}, matrices given"
NUMPY = "numpy.linalg.solve, matrices given"
LOOP = "scipy.linalg.solve in a loop, matrices given"

LOOP_LANES = 4096
"""Ensembles of the loop in Python: time per ensemble does not depend on their number there."""


def matrices(rates: Mapping[str, Any], xp: Any, *, normed: bool = True) -> Any:
    """Rate matrices, shape (lane, 4, 4); `xp` is numpy or jax.numpy, `normed` puts the norm into their first row."""
    wp, a32, a21, a10, w, a20 = (rates[name] for name in media.RATES)
    one, zero = xp.ones_like(wp), xp.zeros_like(wp)
    rows = [
        [one, one, one, one] if normed else [-wp, a10, a20, zero],
        [zero, -(a10 + w), a21 + w, zero],
        [zero, w, -(a21 + w + a20), a32],
        [wp, zero, zero, -a32],
    ]
    return xp.stack([xp.stack(row, axis=-1) for row in rows], axis=-2)


def right_side(dtype: str, num_levels: int = 4) -> np.ndarray:
    """Norm of one, balance of zero, shape (level,)."""
    return np.eye(num_levels, dtype=dtype)[0]


def error_of(rates: Mapping[str, Any], lanes: int, num: int = SAMPLE) -> Callable[[Any], float]:
    """Judge of populations of shape (lane, 4), on so many of them."""

    def error(found: Any) -> float:
        chosen = sample(lanes, num)
        found = np.asarray(found[chosen])
        exact = (reference.of_rates(at(rates, int(i)))[:-1] for i in chosen)
        return largest(reference.relative_error(numbers, one) for numbers, one in zip(found, exact, strict=True))

    return error


def solvers(lanes: int) -> list[Case]:
    """Dense solvers of JAX, NumPy and SciPy."""
    return [case for dtype in DTYPES for case in (*_jax_solvers(lanes, dtype), *_host_solvers(lanes, dtype))]


def vmap_solver(rates: Mapping[str, np.ndarray], dtype: str) -> Callable[[], Any]:
    """A call of JAX's solver, which makes the matrices of the rates too, to populations (lane, 4)."""
    on_device, one = put(rates, dtype), right_side(dtype)
    solve = jax.vmap(jnp.linalg.solve, in_axes=(0, None))
    whole = jax.jit(lambda rates: solve(matrices(rates, jnp), jnp.asarray(one)))
    return in_precision(dtype, lambda: whole(on_device))


def vmap_solver_given(K: Any) -> Callable[[], Any]:
    """A call of JAX's solver on normed matrices (lane, level, level), to populations (lane, level)."""
    dtype = str(K.dtype)
    one = right_side(dtype, K.shape[-1])
    given = jax.jit(lambda K: jax.vmap(jnp.linalg.solve, in_axes=(0, None))(K, jnp.asarray(one)))
    return in_precision(dtype, lambda: given(K))


def numpy_solver(K: np.ndarray) -> Callable[[], np.ndarray]:
    """A call of NumPy's solver on normed matrices (lane, level, level), to populations (lane, level)."""
    one = right_side(str(K.dtype), K.shape[-1])
    return lambda: np.linalg.solve(K, one[:, None])[..., 0]


def _jax_solvers(lanes: int, dtype: str) -> Iterator[Case]:
    rates = media.draw_rates(lanes)
    on_device = put(rates, dtype)
    with jax.enable_x64(dtype == "float64"):
        K = jax.block_until_ready(jax.jit(lambda rates: matrices(rates, jnp))(on_device))
    error = error_of(on_device, lanes)
    yield Case("J1", VMAP, dtype, lanes, vmap_solver(rates, dtype), error)
    yield Case("J1", VMAP_GIVEN, dtype, lanes, vmap_solver_given(K), error)


def _host_solvers(lanes: int, dtype: str) -> Iterator[Case]:
    rates = {name: value.astype(dtype) for name, value in media.draw_rates(lanes).items()}
    K, one, few = matrices(rates, np), right_side(dtype), min(lanes, LOOP_LANES)

    def loop() -> np.ndarray:
        with warnings.catch_warnings():  # it finds each of these matrices ill-conditioned and says so
            warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)
            return np.stack([scipy.linalg.solve(K[i], one) for i in range(few)])

    yield Case("J1", NUMPY, dtype, lanes, numpy_solver(K), error_of(rates, lanes), on_host=True)
    yield Case("J1", LOOP, dtype, few, loop, error_of(rates, few), on_host=True)
