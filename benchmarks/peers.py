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
from benchmarks.ensembles import DTYPES, at, in_precision, largest, put, sample
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


def right_side(dtype: str) -> np.ndarray:
    """Norm of one, balance of zero, shape (4,)."""
    return np.array([1, 0, 0, 0], dtype)


def error_of(rates: Mapping[str, Any], lanes: int) -> Callable[[Any], float]:
    """Judge of populations of shape (lane, 4)."""

    def error(found: Any) -> float:
        found = np.asarray(found)
        return largest(
            reference.relative_error(found[i], reference.of_rates(at(rates, int(i)))[:-1]) for i in sample(lanes)
        )

    return error


def solvers(lanes: int) -> list[Case]:
    """Dense solvers of JAX, NumPy and SciPy."""
    return [case for dtype in DTYPES for case in (*_jax_solvers(lanes, dtype), *_host_solvers(lanes, dtype))]


def _jax_solvers(lanes: int, dtype: str) -> Iterator[Case]:
    rates, one = put(media.draw_rates(lanes), dtype), right_side(dtype)
    solve = jax.vmap(jnp.linalg.solve, in_axes=(0, None))
    whole = jax.jit(lambda rates: solve(matrices(rates, jnp), jnp.asarray(one)))
    given = jax.jit(lambda K: solve(K, jnp.asarray(one)))
    with jax.enable_x64(dtype == "float64"):
        K, error = jax.block_until_ready(jax.jit(lambda rates: matrices(rates, jnp))(rates)), error_of(rates, lanes)
    yield Case("J1", VMAP, dtype, lanes, in_precision(dtype, lambda: whole(rates)), error)
    yield Case("J1", VMAP_GIVEN, dtype, lanes, in_precision(dtype, lambda: given(K)), error)


def _host_solvers(lanes: int, dtype: str) -> Iterator[Case]:
    rates = {name: value.astype(dtype) for name, value in media.draw_rates(lanes).items()}
    K, one, few = matrices(rates, np), right_side(dtype), min(lanes, LOOP_LANES)

    def batched() -> np.ndarray:
        return np.linalg.solve(K, one[:, None])[..., 0]

    def loop() -> np.ndarray:
        with warnings.catch_warnings():  # it finds each of these matrices ill-conditioned and says so
            warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)
            return np.stack([scipy.linalg.solve(K[i], one) for i in range(few)])

    yield Case("J1", NUMPY, dtype, lanes, batched, error_of(rates, lanes), on_host=True)
    yield Case("J1", LOOP, dtype, few, loop, error_of(rates, few), on_host=True)
