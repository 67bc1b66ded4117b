"""Lanes: one kernel, two doors.

A kernel works on a block of lanes, arrays with the lane axis last. Concrete arrays go through the dispatcher: chunks
of lanes are gathered from the axes of the batch and shared out to all cores. Tracers (inside a user's jit, grad or
vmap) run the same kernel over the same blocks in place. Neither makes a broadcast axis into an array of the batch.
"""

import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxrate.solve.batch import Batch

BLOCK_BYTES = 256 * 1024
"""Memory of a block while it is worked on: it stays in a core's second-level cache."""
BLOCKS_PER_CALL = 64
"""Blocks in one call of a compiled program: long enough to hide the call, short enough to share the work out."""

Results = dict[str, Any]
Sink = Callable[[int, int, Results], None]
"""Takes the results of lanes lo to hi, shapes (*core, hi - lo), in any order and from any thread."""


class Kernel(Protocol):
    """What is done to a block of lanes. Equal kernels share one compiled program, so a kernel is hashable."""

    @property
    def lane_bytes(self) -> int:
        """Memory that one lane needs."""
        ...

    def __call__(self, base: Array, block: dict[str, Array], lanes: int) -> dict[str, Array]:
        """Results (*core, lane) from the values that are fixed and those that vary, (*core, lane), in float64."""
        ...


def run(kernel: Kernel, base: np.ndarray, batch: Batch) -> Results:
    """Run a kernel over every lane of a batch.

    Args:
        kernel: What to do with a block of lanes.
        base: Values of the parameters that do not vary, shape (parameter,).
        batch: Those that do.

    Returns:
        Results of shape (*core, *batch): NumPy arrays for NumPy arrays, JAX arrays for JAX arrays.
    """
    if batch.is_traced:
        padded = {name: batch.padded(name) for name in batch.arrays}
        return _in_place(kernel, base, padded, batch.shape, batch)
    if batch.is_remote:
        return _on_device(kernel, base, batch)
    results = _allocate(kernel, base, batch)
    flat = {name: r.reshape(*r.shape[: r.ndim - len(batch.shape)], batch.size) for name, r in results.items()}

    def copy(low: int, high: int, part: Results) -> None:
        for name, values in part.items():
            flat[name][..., low:high] = values

    stream(kernel, base, batch, copy)
    return {name: _as_jax(r, batch.dtype) for name, r in results.items()} if batch.is_jax else results


def block_size(kernel: Kernel) -> int:
    """Lanes in a block: a power of two from 64 to 2048 that follows from the bytes of one lane."""
    return 2 ** int(np.clip(math.log2(BLOCK_BYTES / kernel.lane_bytes), 6, 11))


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _block(kernel: Kernel, base: Any, block: dict[str, Array], lanes: int, dtype: np.dtype) -> dict[str, Array]:
    """The kernel in float64, whatever goes in and comes out: rates leave float32's range long before results do."""
    with jax.enable_x64(True):
        values = {name: a.astype(jnp.float64) for name, a in block.items()}
        results = kernel(jnp.asarray(base, jnp.float64), values, lanes)
        return {n: r.astype(dtype) if jnp.issubdtype(r.dtype, jnp.floating) else r for n, r in results.items()}


# The dispatcher: concrete arrays, all cores.


def stream(
    kernel: Kernel, base: np.ndarray, batch: Batch, sink: Sink, progress: Callable[[int], Any] | None = None
) -> None:
    """Run a kernel over every lane, chunk by chunk on all cores, and hand the results of each chunk to `sink`."""
    lanes = block_size(kernel)
    num_blocks = 1 if batch.size <= lanes else BLOCKS_PER_CALL
    program, size, sources = _program(kernel, lanes, num_blocks, batch.dtype), lanes * num_blocks, batch.sources()

    def work(low: int) -> None:
        high = min(low + size, batch.size)
        with jax.enable_x64(True):
            results = program(base, batch.chunk(sources, low, high, size), np.int32(-(-(high - low) // lanes)))
            sink(low, high, {name: np.asarray(r)[..., : high - low] for name, r in results.items()})
        if progress is not None:
            progress(high - low)

    starts = range(0, batch.size, size)
    for _ in map(work, starts) if len(starts) <= 1 else _threads().map(work, starts):
        pass


@cache
def _threads() -> ThreadPoolExecutor:
    """One thread a core; XLA releases Python's lock while it computes."""
    return ThreadPoolExecutor(num_cores(), thread_name_prefix="jaxrate")


@lru_cache(maxsize=256)
def _program(kernel: Kernel, lanes: int, num_blocks: int, dtype: np.dtype) -> Callable[..., dict[str, Array]]:
    """Compiled program for up to `num_blocks` blocks of which it does `used`."""

    def one(base: Array, block: dict[str, Array]) -> dict[str, Array]:
        return _block(kernel, base, block, lanes, dtype)

    def cut(chunk: dict[str, Array], k: Any) -> dict[str, Array]:
        return {name: lax.dynamic_slice_in_dim(a, k * lanes, lanes, -1) for name, a in chunk.items()}

    def many(base: Array, chunk: dict[str, Array], used: Array) -> dict[str, Array]:
        def step(k: Array, results: dict[str, Array]) -> dict[str, Array]:
            part = one(base, cut(chunk, k))
            return {n: lax.dynamic_update_slice_in_dim(r, part[n], k * lanes, -1) for n, r in results.items()}

        shapes = jax.eval_shape(lambda: one(base, cut(chunk, 0)))
        empty = {n: lax.empty((*s.shape[:-1], lanes * num_blocks), s.dtype) for n, s in shapes.items()}
        return lax.fori_loop(0, used, step, empty)

    return jax.jit(many) if num_blocks > 1 else jax.jit(lambda base, chunk, used: one(base, chunk))


def result_shapes(kernel: Kernel, base: np.ndarray, batch: Batch) -> dict[str, jax.ShapeDtypeStruct]:
    """Core shape and type of each result of one lane."""
    arrays = {n: np.zeros((*a.shape[: batch.cores.get(n, 0)], 1)) for n, a in batch.arrays.items()}
    shapes = _shapes(kernel, len(base), tuple((n, a.shape) for n, a in arrays.items()), batch.dtype)
    return {name: jax.ShapeDtypeStruct(s.shape[:-1], s.dtype) for name, s in shapes.items()}


@lru_cache(maxsize=256)
def _shapes(kernel: Kernel, num_base: int, arrays: tuple, dtype: np.dtype) -> dict[str, jax.ShapeDtypeStruct]:
    with jax.enable_x64(True):
        block = {name: jax.ShapeDtypeStruct(shape, jnp.float64) for name, shape in arrays}
        base = jax.ShapeDtypeStruct((num_base,), jnp.float64)
        return jax.eval_shape(lambda base, block: _block(kernel, base, block, 1, dtype), base, block)


def _allocate(kernel: Kernel, base: np.ndarray, batch: Batch) -> dict[str, np.ndarray]:
    shapes = result_shapes(kernel, base, batch)
    return {name: _aligned((*s.shape, *batch.shape), np.dtype(s.dtype)) for name, s in shapes.items()}


def _aligned(shape: tuple[int, ...], dtype: np.dtype, boundary: int = 64) -> np.ndarray:
    """Uninitialised array at an address that JAX can take over without a copy."""
    size = math.prod(shape) * dtype.itemsize
    raw = np.empty(size + boundary, np.uint8)
    start = -raw.ctypes.data % boundary
    return raw[start : start + size].view(dtype).reshape(shape)


def _as_jax(array: np.ndarray, dtype: np.dtype) -> Array:
    """The same memory as a JAX array; 64 bits wide only if the batch was."""
    with jax.enable_x64(dtype == np.float64):
        return jnp.asarray(array, copy=False) if array.size else jnp.asarray(array)


# Accelerators: the block is the whole batch.


def _on_device(kernel: Kernel, base: np.ndarray, batch: Batch) -> Results:
    padded = {name: batch.padded(name) for name in batch.arrays}
    cores = tuple(sorted(batch.cores.items()))
    with jax.enable_x64(True):
        results = _device_program(kernel, batch.shape, batch.dtype, cores)(base, padded)
    return results if batch.is_jax else {name: np.asarray(r) for name, r in results.items()}


@lru_cache(maxsize=64)
def _device_program(kernel: Kernel, shape: tuple[int, ...], dtype: np.dtype, cores: tuple) -> Callable[..., Results]:
    return jax.jit(lambda base, arrays: _tile(kernel, base, arrays, shape, dtype, dict(cores)))


def _tile(
    kernel: Kernel, base: Any, arrays: Mapping[str, Array], shape: tuple, dtype: np.dtype, cores: Mapping
) -> dict:
    """Lanes of one tile as one block; this is the only place where its axes are broadcast."""
    lanes = math.prod(shape)

    def spread(a: Array, core: int) -> Array:
        return jnp.broadcast_to(a, (*a.shape[:core], *shape)).reshape(*a.shape[:core], lanes)

    block = {name: spread(a, cores.get(name, 0)) for name, a in arrays.items()}
    results = _block(kernel, base, block, lanes, dtype)
    return {name: r.reshape(*r.shape[:-1], *shape) for name, r in results.items()}


# Tracers: the same blocks, in place.


def _in_place(kernel: Kernel, base: Any, arrays: dict[str, Array], shape: tuple[int, ...], batch: Batch) -> Results:
    """Tiles of the batch one after another; the residuals of a tile are computed again for reverse mode."""
    lanes = block_size(kernel)
    if math.prod(shape) <= lanes:
        tile = jax.checkpoint(lambda a: _tile(kernel, base, a, shape, batch.dtype, batch.cores))
        return tile(arrays)
    if shape[0] == 1:
        inner = {name: a.squeeze(batch.cores.get(name, 0)) for name, a in arrays.items()}
        results = _in_place(kernel, base, inner, shape[1:], batch)
        return {n: jnp.expand_dims(r, r.ndim - len(shape) + 1) for n, r in results.items()}
    rows = max(1, lanes // math.prod(shape[1:]))
    whole = shape[0] // rows
    parts = [_mapped(kernel, base, arrays, shape, (whole, rows), batch)]
    if whole * rows < shape[0]:
        rest = {n: _cut(a, batch.cores.get(n, 0), whole * rows, shape[0]) for n, a in arrays.items()}
        parts.append(_in_place(kernel, base, rest, (shape[0] - whole * rows, *shape[1:]), batch))
    return {n: jnp.concatenate([p[n] for p in parts], axis=parts[0][n].ndim - len(shape)) for n in parts[0]}


def _mapped(kernel: Kernel, base: Any, arrays: dict, shape: tuple, tiles: tuple[int, int], batch: Batch) -> Results:
    """Loop over tiles of `rows` along the first batch axis; arrays without that axis are shared by all tiles."""
    whole, rows = tiles
    along = {n: batch.cores.get(n, 0) for n, a in arrays.items() if a.shape[batch.cores.get(n, 0)] > 1}
    shared = {n: a for n, a in arrays.items() if n not in along}
    looped = {n: _stacked(arrays[n], axis, whole, rows) for n, axis in along.items()}

    def one(tile: dict[str, Array]) -> Results:
        return _in_place(kernel, base, {**shared, **tile}, (rows, *shape[1:]), batch)

    results = lax.map(one, looped)
    return {n: _unstacked(r, r.ndim - 1 - len(shape)) for n, r in results.items()}


def _cut(a: Array, axis: int, start: int, stop: int) -> Array:
    return a if a.shape[axis] == 1 else lax.slice_in_dim(a, start, stop, axis=axis)


def _stacked(a: Array, axis: int, whole: int, rows: int) -> Array:
    """(..., whole * rows and more, ...) as (whole, ..., rows, ...)."""
    a = lax.slice_in_dim(a, 0, whole * rows, axis=axis)
    return jnp.moveaxis(a.reshape(*a.shape[:axis], whole, rows, *a.shape[axis + 1 :]), axis, 0)


def _unstacked(r: Array, axis: int) -> Array:
    """(whole, ..., rows, ...) as (..., whole * rows, ...)."""
    r = jnp.moveaxis(r, 0, axis)
    return r.reshape(*r.shape[:axis], r.shape[axis] * r.shape[axis + 1], *r.shape[axis + 2 :])
