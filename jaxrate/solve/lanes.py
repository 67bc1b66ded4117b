"""Lanes: one kernel, two doors.

A kernel works on a block of lanes, arrays with the lane axis last. Concrete arrays go through the dispatcher: chunks
of lanes are gathered from the axes of the batch and shared out to all cores. Tracers (inside a user's jit, grad or
vmap) run the same kernel over the same blocks in place. Neither makes a broadcast axis into an array of the batch.
"""

import math
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.core import Tracer

from jaxrate.solve.batch import Batch
from jaxrate.solve.memory import check_room, result_array
from jaxrate.solve.threads import launch
from jaxrate.solve.threads.translate import Thread, translated

BLOCK_BYTES = 2**20
"""Memory of a block while a core works on it: it stays in the second-level cache."""
DEVICE_BYTES = 2**27
"""Memory of a block on an accelerator, which works on all its lanes at once."""
DEVICE_BLOCKS = 16
"""Blocks in one call there."""
FEWEST_LANES = 64
"""Lanes in a block at least, unless a kernel says otherwise: with fewer, starting each of its loops takes longer."""
BLOCKS_PER_CALL = 32
"""Blocks in one call of a compiled program: long enough to hide the call, short enough to share the work out."""

WIDE = {"xla_cpu_prefer_vector_width": 512}
"""Vectors as wide as the processor has them; XLA stops at 256 bits by itself."""

Results = dict[str, Any]
Sink = Callable[[int, int, Results], None]
"""Takes the results of lanes lo to hi, shapes (*core, hi - lo), in any order and from any thread.

The arrays are valid during the call only: the next chunk is computed into the same memory.
"""


@dataclass(frozen=True)
class Way:
    """How a kernel is to work on a block.

    Attributes:
        lanes: Lanes in the block.
        dtype: Precision of the results; whoever needs more on the way, or less, chooses by it.
        short: By straight-line code, for lanes without special cases.
        mode: What its derivatives are taken by: "forward" (or none are), "reverse", once, by adjoint code, or "any"
            transformation of JAX, so that every loop must have a number of turns known beforehand.
    """

    lanes: int
    dtype: np.dtype
    short: bool = False
    mode: Literal["forward", "reverse", "any"] = "forward"


class Kernel(Protocol):
    """What is done to a block of lanes. Equal kernels share one compiled program, so a kernel is hashable."""

    @property
    def lane_bytes(self) -> int:
        """Memory that one lane needs."""
        ...

    def has_short_way(self, base: np.ndarray, batch: Batch) -> bool:
        """Whether it has straight-line code that any lane of this batch may be for."""
        ...

    def __call__(self, base: Array, block: dict[str, Array], way: Way) -> dict[str, Array]:
        """Results (*core, lane) and `status` (lane,), from the values that are fixed and those that vary, in float64.

        The short way gives the status `UNDECIDED` to lanes that it is not for; their results mean nothing.
        """
        ...


FILLING = " filling"
"""Name of what says which lanes only fill up a block, 1 there and 0 elsewhere; only for kernels that know it."""

UNDECIDED = -1
"""Status of a lane that the short way leaves to the careful one."""


def run(kernel: Kernel, base: np.ndarray, batch: Batch, progress: Callable[[int], Any] | None = None) -> Results:
    """Run a kernel over every lane of a batch.

    Args:
        kernel: What to do with a block of lanes.
        base: Values of the parameters that do not vary, shape (parameter,).
        batch: Those that do.
        progress: Called with the number of lanes that were done, from any thread.

    Returns:
        Results of shape (*core, *batch): NumPy arrays for NumPy arrays, JAX arrays for JAX arrays.
    """
    if batch.is_traced or isinstance(base, Tracer):
        tracer = _Tracer(kernel, base, batch.dtype, batch.cores, block_size(kernel, jax.default_backend() != "cpu"))
        return tracer.loop({name: batch.padded(name) for name in batch.arrays}, batch.shape)
    if batch.is_remote:
        return _on_device(kernel, base, batch)
    results = _allocate(kernel, base, batch)
    flat = {name: r.reshape(*r.shape[: r.ndim - len(batch.shape)], batch.size) for name, r in results.items()}

    def copy(low: int, high: int, part: Results) -> None:
        for name, values in part.items():
            flat[name][..., low:high] = values

    stream(kernel, base, batch, copy, progress)
    return _as_jax(results, batch.dtype) if batch.is_jax else results


def block_size(kernel: Kernel, remote: bool = False) -> int:
    """Lanes in a block, a power of two that follows from the bytes of one lane: 64 to 4096 for a core.

    A kernel that does more with the numbers of a lane than to read and write them once may take fewer, down to 8.
    """
    if remote:
        return 2 ** max(6, int(math.log2(DEVICE_BYTES / kernel.lane_bytes)))
    fewest = math.log2(getattr(kernel, "fewest_lanes", FEWEST_LANES))
    return 2 ** int(np.clip(math.log2(BLOCK_BYTES / kernel.lane_bytes), fewest, 12))


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _block(kernel: Kernel, base: Any, block: dict[str, Array], way: Way) -> dict[str, Array]:
    """The kernel on float64, whatever goes in and comes out: rates leave float32's range long before results do."""
    with jax.enable_x64(True):
        values = {name: a.astype(jnp.float64) for name, a in block.items()}
        results = kernel(jnp.asarray(base, jnp.float64), values, way)
        return {n: r.astype(way.dtype) if jnp.issubdtype(r.dtype, jnp.floating) else r for n, r in results.items()}


# The dispatcher: concrete arrays, all cores.


def stream(
    kernel: Kernel, base: np.ndarray, batch: Batch, sink: Sink, progress: Callable[[int], Any] | None = None
) -> None:
    """Run a kernel over every lane, chunk by chunk on all cores, and hand the results of each chunk to `sink`."""
    lanes, num_blocks = _call_size(kernel, batch)
    short = kernel.has_short_way(base, batch)
    careful = _program(kernel, Way(lanes, batch.dtype), 1)
    sources = batch.sources()
    device = getattr(jax.config, "jax_default_device", None)  # other threads do not know it

    def solved(low: int, high: int, num_blocks: int) -> Results:
        program = _program(kernel, Way(lanes, batch.dtype, short), num_blocks)
        chunk = batch.chunk(sources, low, high, lanes * num_blocks)
        if getattr(kernel, "knows_filling", False):
            chunk[FILLING] = (np.arange(lanes * num_blocks) >= high - low).astype(np.float64)
        if batch.is_remote:
            whole = replace(batch, arrays=chunk, shape=(lanes * num_blocks,))
            if (threads := _thread_program(kernel, base, whole, short)) is not None:
                return {name: np.asarray(r)[..., : high - low] for name, r in threads(base, chunk).items()}
        used = np.int32(-(-(high - low) // lanes))
        found = _on_desk(program, base, chunk, used)
        results = {name: np.asarray(r)[..., : high - low] for name, r in found.items()}
        if short and (left := np.flatnonzero(results["status"] == UNDECIDED)).size:
            results = _decided(careful, base, chunk, results, left, lanes)
        return results

    def work(part: tuple[int, int]) -> None:
        """A chunk; in parts where there is not enough memory, as fewer blocks in a call, of the same shape, need less.

        It does not call itself: a closure that holds itself would hold the results too, until they are searched for.
        """
        left = [(num_blocks, *part)]
        while left:
            blocks, low, high = left.pop()
            try:
                with jax.enable_x64(True), jax.default_device(device):
                    sink(low, high, solved(low, high, blocks))
            except jax.errors.JaxRuntimeError as error:
                if not _is_exhausted(error) or blocks == 1:
                    raise
                left += [(blocks // 2, *part) for part in _ranges(low, high, lanes * (blocks // 2))]
                continue
            if progress is not None:
                progress(high - low)

    chunks = _ranges(0, batch.size, lanes * num_blocks)
    one_by_one = batch.is_remote or len(chunks) <= 1
    for _ in (map if one_by_one else _threads().map)(work, chunks):
        pass


def _ranges(low: int, high: int, size: int) -> list[tuple[int, int]]:
    return [(start, min(start + size, high)) for start in range(low, high, size)]


def _is_exhausted(error: Exception) -> bool:
    """Whether a program did not get the memory it needs."""
    return "RESOURCE_EXHAUSTED" in str(error)


_desk = threading.local()
"""What the last program of a thread returned: memory for what it returns next."""


def _on_desk(program: Callable, base: np.ndarray, chunk: Mapping[str, Any], used: np.int32) -> Results:
    """Run a program, its results put where those of its last run in this thread were."""
    last, results = getattr(_desk, "last", (None, None))
    _desk.last = (None, None)  # its memory is given away, also if the run fails
    found = program(base, chunk, used, results if last is program else None)
    _desk.last = (program, found)
    return found


def _call_size(kernel: Kernel, batch: Batch) -> tuple[int, int]:
    """Lanes in a block and blocks in a call."""
    lanes = block_size(kernel, batch.is_remote)
    if batch.size <= lanes:
        return (min(lanes, 2 ** max(6, (batch.size - 1).bit_length())) if batch.is_remote else lanes), 1
    return lanes, DEVICE_BLOCKS if batch.is_remote else _blocks_per_call(kernel)


def _blocks_per_call(kernel: Kernel) -> int:
    """Blocks in one call; a kernel whose blocks are long work by themselves, such as fits, says so."""
    return getattr(kernel, "blocks_per_call", None) or BLOCKS_PER_CALL


def _decided(
    careful: Callable, base: np.ndarray, chunk: dict[str, np.ndarray], results: Results, left: np.ndarray, lanes: int
) -> Results:
    """Results with the undecided lanes solved with care: which way a lane goes depends on that lane alone."""
    results = {name: np.array(r) for name, r in results.items()}
    for some in (left[start : start + lanes] for start in range(0, len(left), lanes)):
        filled = np.resize(some, lanes)
        part = careful(base, {name: a[..., filled] for name, a in chunk.items()}, np.int32(1), None)
        for name, r in part.items():
            results[name][..., some] = np.asarray(r)[..., : len(some)]
    return results


@cache
def _threads() -> ThreadPoolExecutor:
    """One thread a core; XLA releases Python's lock while it computes."""
    return ThreadPoolExecutor(num_cores(), thread_name_prefix="jaxrate")


@lru_cache(maxsize=256)
def _program(
    kernel: Kernel, way: Way, num_blocks: int
) -> Callable[[Any, Mapping[str, Any], Any, dict[str, Array] | None], dict[str, Array]]:
    """Compiled program for up to `num_blocks` blocks of which it does `used`.

    What it returned for one chunk is where it puts the results of the next: fresh memory costs more than the solve.
    """
    lanes = way.lanes

    def one(base: Array, block: dict[str, Array]) -> dict[str, Array]:
        return _block(kernel, base, block, way)

    def cut(chunk: dict[str, Array], k: Any) -> dict[str, Array]:
        return {name: lax.dynamic_slice_in_dim(a, k * lanes, lanes, -1) for name, a in chunk.items()}

    def many(base: Array, chunk: dict[str, Array], used: Array, results: dict[str, Array]) -> dict[str, Array]:
        def step(k: Array, results: dict[str, Array]) -> dict[str, Array]:
            part = one(base, cut(chunk, k))
            return {n: lax.dynamic_update_slice_in_dim(r, part[n], k * lanes, -1) for n, r in results.items()}

        return lax.fori_loop(0, used, step, results)

    def first(base: Array, chunk: dict[str, Array]) -> dict[str, Array]:
        shapes = jax.eval_shape(lambda: one(base, cut(chunk, 0)))
        return {n: lax.empty((*s.shape[:-1], lanes * num_blocks), s.dtype) for n, s in shapes.items()}

    if num_blocks == 1:
        # A single block of a cheap kernel is over before wide vectors, which take longer to compile, have paid.
        single = jax.jit(one, compiler_options=WIDE if _blocks_per_call(kernel) == 1 else None)
        return lambda base, chunk, used, results: single(base, chunk)
    loop, memory = jax.jit(many, donate_argnums=3, compiler_options=WIDE), jax.jit(first)
    return lambda base, chunk, used, results: loop(base, chunk, used, results or memory(base, chunk))


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
        return jax.eval_shape(lambda base, block: _block(kernel, base, block, Way(1, dtype)), base, block)


def _allocate(kernel: Kernel, base: np.ndarray, batch: Batch) -> dict[str, np.ndarray]:
    shapes = result_shapes(kernel, base, batch)
    check_room(batch.size * sum(math.prod(s.shape) * np.dtype(s.dtype).itemsize for s in shapes.values()))
    return {name: result_array((*s.shape, *batch.shape), np.dtype(s.dtype)) for name, s in shapes.items()}


def _as_jax(results: dict[str, np.ndarray], dtype: np.dtype) -> Results:
    """The same memory as JAX arrays, 64 bits wide only if the batch was."""
    device = None if jax.default_backend() == "cpu" else jax.devices("cpu")[0]
    with jax.enable_x64(dtype == np.float64):
        return jax.device_put(results, device, may_alias=True)


# Accelerators: a thread for every lane where its program can be one, else large blocks; results left there.


def _on_device(kernel: Kernel, base: np.ndarray, batch: Batch) -> Results:
    with jax.enable_x64(True):
        program = _thread_program(kernel, base, batch, kernel.has_short_way(base, batch))
        if program is None:
            program = _device_program(kernel, batch.shape, batch.dtype, tuple(sorted(batch.cores.items())))
        results = program(base, {name: batch.padded(name) for name in batch.arrays})
    return results if batch.is_jax else {name: np.asarray(r) for name, r in results.items()}


@lru_cache(maxsize=64)
def _device_program(kernel: Kernel, shape: tuple[int, ...], dtype: np.dtype, cores: tuple) -> Callable[..., Results]:
    lanes = block_size(kernel, remote=True)
    return jax.jit(lambda base, arrays: _Tracer(kernel, base, dtype, dict(cores), lanes).loop(arrays, shape))


def _thread_program(kernel: Kernel, base: np.ndarray, batch: Batch, short: bool) -> Callable[..., Results] | None:
    """Compiled program with a thread for every lane; None where the kernel has to be left to XLA."""
    if not launch.has_device():
        return None
    block = tuple((n, (*a.shape[: batch.cores.get(n, 0)], 1), a.dtype) for n, a in sorted(batch.arrays.items()))
    thread = _thread(kernel, short, len(base), block, batch.dtype)
    return None if thread is None else launch.program(thread, batch)


@lru_cache(maxsize=256)
def _thread(kernel: Kernel, short: bool, num_base: int, block: tuple, dtype: np.dtype) -> Thread | None:
    shared = jax.ShapeDtypeStruct((num_base,), jnp.float64)
    own = {name: jax.ShapeDtypeStruct(shape, kind) for name, shape, kind in block}
    with jax.enable_x64(True):
        try:
            return translated(_one_lane(kernel, dtype, short), shared, own)
        except Exception:  # no program for a thread; what is wrong with the kernel itself, XLA says again
            return None


def _one_lane(kernel: Kernel, dtype: np.dtype, short: bool) -> Callable[..., Results]:
    """The kernel on a block of one lane; where the short way leaves it undecided, the careful one follows."""

    def solved(base: Array, block: dict[str, Array]) -> Results:
        careful = partial(_block, kernel, base, block, Way(1, dtype))
        if not short:
            return careful()
        found = _block(kernel, base, block, Way(1, dtype, short))
        return lax.cond(found["status"][0] == UNDECIDED, careful, lambda: found)

    return solved


# Tracers: the same blocks, in place.


@dataclass(frozen=True)
class _Tracer:
    """Loops over the tiles of a batch inside a traced program.

    Args:
        kernel, base: What is run.
        dtype: Precision of the results.
        cores: Number of core axes of the arrays that have any.
        lanes: Lanes in a block at most.
    """

    kernel: Kernel
    base: Any
    dtype: np.dtype
    cores: Mapping[str, int]
    lanes: int

    def loop(self, arrays: dict[str, Array], shape: tuple[int, ...]) -> Results:
        """Results of a batch whose arrays have all its axes, of length 1 where they do not vary."""
        if math.prod(shape) <= self.lanes:
            return jax.checkpoint(lambda tile: self._tile(tile, shape))(arrays)
        if shape[0] == 1:
            inner = self.loop({name: a.squeeze(self._axis(name)) for name, a in arrays.items()}, shape[1:])
            return {name: jnp.expand_dims(r, r.ndim - len(shape) + 1) for name, r in inner.items()}
        rows = max(1, self.lanes // math.prod(shape[1:]))
        whole = shape[0] // rows
        parts = [self._mapped(arrays, shape, whole, rows)]
        if whole * rows < shape[0]:
            rest = {name: _cut(a, self._axis(name), whole * rows) for name, a in arrays.items()}
            parts.append(self.loop(rest, (shape[0] - whole * rows, *shape[1:])))
        return {n: jnp.concatenate([p[n] for p in parts], axis=r.ndim - len(shape)) for n, r in parts[0].items()}

    def _axis(self, name: str) -> int:
        """Position of the first batch axis of an array."""
        return self.cores.get(name, 0)

    def _mapped(self, arrays: dict[str, Array], shape: tuple[int, ...], whole: int, rows: int) -> Results:
        """Tiles of `rows` along the first batch axis, one by one; arrays without that axis are shared by all."""
        along = {name for name, a in arrays.items() if a.shape[self._axis(name)] > 1}
        looped = {name: _stacked(arrays[name], self._axis(name), whole, rows) for name in along}
        shared = {name: a for name, a in arrays.items() if name not in along}
        results = lax.map(lambda tile: self.loop({**shared, **tile}, (rows, *shape[1:])), looped)
        return {name: _unstacked(r, r.ndim - 1 - len(shape)) for name, r in results.items()}

    def _tile(self, arrays: dict[str, Array], shape: tuple[int, ...]) -> Results:
        """Lanes of one tile as one block; only here are its axes broadcast."""
        lanes = math.prod(shape)

        def spread(a: Array, core: tuple[int, ...]) -> Array:
            return jnp.broadcast_to(a, (*core, *shape)).reshape(*core, lanes)

        block = {name: spread(a, a.shape[: self._axis(name)]) for name, a in arrays.items()}
        results = _block(self.kernel, self.base, block, Way(lanes, self.dtype, mode="any"))
        return {name: r.reshape(*r.shape[:-1], *shape) for name, r in results.items()}


def _cut(a: Array, axis: int, start: int) -> Array:
    return a if a.shape[axis] == 1 else lax.slice_in_dim(a, start, a.shape[axis], axis=axis)


def _stacked(a: Array, axis: int, whole: int, rows: int) -> Array:
    """(..., whole * rows and more, ...) as (whole, ..., rows, ...)."""
    a = lax.slice_in_dim(a, 0, whole * rows, axis=axis)
    return jnp.moveaxis(a.reshape(*a.shape[:axis], whole, rows, *a.shape[axis + 1 :]), axis, 0)


def _unstacked(r: Array, axis: int) -> Array:
    """(whole, ..., rows, ...) as (..., whole * rows, ...)."""
    r = jnp.moveaxis(r, 0, axis)
    return r.reshape(*r.shape[:axis], r.shape[axis] * r.shape[axis + 1], *r.shape[axis + 2 :])
