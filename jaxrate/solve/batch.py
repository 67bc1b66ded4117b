"""A batch: named arrays whose batch axes broadcast, read chunk by chunk without ever being made whole."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxrate.arrays import check_broadcast


@dataclass(frozen=True)
class Batch:
    """Arrays by name, and what they have in common.

    Attributes:
        arrays: Shapes (*core, *batch); the batch axes broadcast by NumPy's rules.
        cores: Number of core axes of those that have any.
        shape: Shape of the batch.
        dtype: Precision of the results: asked for, else that of the JAX arrays, else float64.
    """

    arrays: dict[str, Any]
    cores: dict[str, int]
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        """Number of lanes."""
        return math.prod(self.shape)

    @property
    def is_traced(self) -> bool:
        """Whether this happens inside a user's jit, grad or vmap."""
        return any(isinstance(a, Tracer) for a in self.arrays.values())

    @property
    def is_jax(self) -> bool:
        """Whether JAX arrays went in, so JAX arrays come out."""
        return any(isinstance(a, jax.Array) for a in self.arrays.values())

    @cached_property
    def is_remote(self) -> bool:
        """Whether the work is done on an accelerator."""
        placed = [d.platform for a in self.arrays.values() if isinstance(a, jax.Array) for d in a.devices()]
        return any(p != "cpu" for p in placed or [jax.default_backend()])

    def shared(self) -> dict[str, np.ndarray]:
        """Values that were given once for every lane."""
        once = {name for name, a in self.arrays.items() if a.size == 1 and name not in self.cores}
        return {name: np.asarray(self.arrays[name], np.float64).reshape(()) for name in once}

    def sources(self) -> dict[str, np.ndarray]:
        """Every array as a view (*core, lanes) where it is dense, else (*core, *batch): nothing is copied."""
        return {name: self._source(name) for name in self.arrays}

    def _source(self, name: str) -> np.ndarray:
        array, core = self._pad(name, np.asarray(self.arrays[name])), self.cores.get(name, 0)
        if array.shape[core:] == self.shape and array.flags.c_contiguous:
            return array.reshape((*array.shape[:core], self.size))
        return np.broadcast_to(array, (*array.shape[:core], *self.shape))

    def padded(self, name: str) -> Any:
        """An array with as many batch axes as the batch."""
        return self._pad(name, self.arrays[name])

    def _pad(self, name: str, array: Any) -> Any:
        core = self.cores.get(name, 0)
        missing = len(self.shape) - (array.ndim - core)
        return array.reshape((*array.shape[:core], *(1,) * missing, *array.shape[core:]))

    def chunk(self, sources: Mapping[str, np.ndarray], low: int, high: int, size: int) -> dict[str, np.ndarray]:
        """Lanes low to high of every array, shapes (*core, size), filled up with the last of them."""
        return {name: _lanes(source, self.cores.get(name, 0), low, high, size) for name, source in sources.items()}


def read_batch(
    arrays: Mapping[str, Any], cores: Mapping[str, int] | None = None, precision: str | None = None
) -> Batch:
    """Check a batch.

    Args:
        arrays: Numbers or arrays in SI units.
        cores: Number of leading core axes of those that have any.
        precision: "float64" or "float32".

    Raises:
        ValueError: shapes do not broadcast (both are named), or something is not a number.
    """
    found = {name: _as_array(name, given) for name, given in arrays.items()}
    cores = dict(cores or {})
    batches = {name: a.shape[cores.get(name, 0) :] for name, a in found.items()}
    check_broadcast(**{name: np.broadcast_to(0.0, shape) for name, shape in batches.items()})
    return Batch(found, cores, np.broadcast_shapes(*batches.values()), _dtype(found, precision))


def _as_array(name: str, given: Any) -> Any:
    if isinstance(given, jax.Array) or (isinstance(given, np.ndarray) and given.dtype in (np.float64, np.float32)):
        return given
    try:
        array = np.asarray(given)
    except ValueError:  # rows of different length
        array = np.empty(0, object)
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    raise ValueError(f"`{name}` must be a number or an array of numbers in SI units, but {given!r} was given.")


def _dtype(arrays: Mapping[str, Any], precision: str | None) -> np.dtype:
    if precision is not None:
        if precision not in ("float64", "float32"):
            raise ValueError(f"`precision` must be 'float64' or 'float32', but {precision!r} was given.")
        return np.dtype(precision)
    kinds = [a.dtype for a in arrays.values() if isinstance(a, jax.Array)]
    return np.dtype(jnp.result_type(jnp.float32, *kinds)) if kinds else np.dtype(np.float64)


def _lanes(source: np.ndarray, core: int, low: int, high: int, size: int) -> np.ndarray:
    if source.ndim == core + 1 and high - low == size:
        return source[..., low:high]
    found = np.empty((*source.shape[:core], size), source.dtype)
    _copy(source, core, low, high, found[..., : high - low])
    found[..., high - low :] = found[..., high - low - 1 : high - low]
    return found


def _copy(source: np.ndarray, core: int, low: int, high: int, found: np.ndarray) -> None:
    """Copy lanes low to high, in the order of the batch axes; whole rows of them at once."""
    if source.ndim == core + 1:
        found[...] = source[..., low:high]
        return
    row = math.prod(source.shape[core + 1 :])
    first, last = -(-low // row), high // row
    if first > last:  # inside of one row
        _copy(_row(source, core, last), core, low - last * row, high - last * row, found)
        return
    head, middle = first * row - low, (last - first) * row
    if head:
        _copy(_row(source, core, first - 1), core, row - head, row, found[..., :head])
    rows = source[(slice(None),) * core + (slice(first, last),)]
    found[..., head : head + middle].reshape(rows.shape, copy=False)[...] = rows
    if tail := high - last * row:
        _copy(_row(source, core, last), core, 0, tail, found[..., head + middle :])


def _row(source: np.ndarray, core: int, index: int) -> np.ndarray:
    return source[(slice(None),) * core + (index,)]
