"""What every case has to do with its ensembles: put them where it computes, and pick those that are judged."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxrate as jr

DTYPES = ("float64", "float32")
SAMPLE = 64
"""Lanes that are compared with the reference."""


def sample(lanes: int, num: int = SAMPLE) -> np.ndarray:
    """Indices of the lanes that are judged, the first and the last among them."""
    return np.unique(np.linspace(0, lanes - 1, num).astype(np.int64))


def is_remote() -> bool:
    """Whether JAX computes on an accelerator."""
    return jax.default_backend() != "cpu"


def put(values: Mapping[str, np.ndarray], dtype: str) -> dict[str, jax.Array]:
    """JAX arrays of a precision, on the device."""
    with jax.enable_x64(dtype == "float64"):
        return {name: jnp.asarray(np.asarray(value, dtype)) for name, value in values.items()}


def in_precision(dtype: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """The call as a user makes it who works in that precision."""

    def scoped(*args: Any) -> Any:
        with jax.enable_x64(dtype == "float64"):
            return call(*args)

    return scoped


def at(values: Mapping[str, Any], lane: int) -> dict[str, float]:
    """The input of one lane."""
    return {name: float(value[lane]) for name, value in values.items()}


def largest(errors: Any) -> float:
    """Largest error of the lanes judged; NaN if one is."""
    return float(np.max(list(errors)))


def populations(state: jr.Solution) -> Any:
    """Populations of all levels, an observable."""
    return state.populations
