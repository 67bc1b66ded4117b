"""Threads on a device: their code compiled by NVIDIA's Warp and launched from within a compiled program of JAX."""

import linecache
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.solve.batch import Batch
from jaxrate.solve.threads.code import Buffer
from jaxrate.solve.threads.text import LANE, LANES, kind, text
from jaxrate.solve.threads.translate import Thread

THREADS = 128
"""Threads of a block: few enough for 255 registers each, more than enough blocks for a device."""

MOST_AXES = 3
"""Axes of a launch; a batch of more that do not go together is left to XLA."""


@cache
def has_device() -> bool:
    """Whether there is a device of NVIDIA's, and what compiles threads for it."""
    try:
        if find_spec("warp") is None:
            return False
        warp = import_module("warp")
        with warp.ScopedLogLevel(warp.LOG_ERROR):
            return bool(warp.is_cuda_available())
    except Exception as error:  # an older one, another package of that name, or a driver that does not start
        warnings.warn(f"XLA solves batches on a device, more slowly: Warp could not be asked ({error}).", stacklevel=2)
        return False


def program(thread: Thread, batch: Batch) -> Callable[..., dict[str, Array]] | None:
    """Compiled program of a batch with a thread for every lane; None where one cannot be made.

    It takes what all lanes share, and arrays with all axes of the batch; its results have shapes (*core, *batch).
    """
    own = {name: np.shape(batch.padded(name))[batch.cores.get(name, 0) :] for name in batch.arrays}
    lanes = grid(batch.shape, own)
    if not batch.size or len(lanes.shape) > MOST_AXES or max(lanes.shape) >= 2**31 or _is_spread(batch):
        return None
    kernel = _kernel(thread, tuple(lanes.varies[name] for name in sorted(own)))
    if kernel is None:
        return None
    return _program(thread, kernel, lanes.shape, tuple(sorted(batch.cores.items())), batch.shape)


def _is_spread(batch: Batch) -> bool:
    """Whether an array lies on several devices."""
    return any(len(a.devices()) > 1 for a in batch.arrays.values() if isinstance(a, Array))


@lru_cache(maxsize=256)
def _kernel(thread: Thread, varies: tuple[tuple[bool, ...], ...]) -> Callable[..., list[Array]] | None:
    """The compiled kernel; None, said and tried once, where there is none."""
    try:
        return compiled(thread, varies)
    except Exception as error:  # whatever a compiler, a driver or a device that is too new may say
        warnings.warn(f"XLA solves this batch, more slowly: threads could not be compiled ({error}).", stacklevel=3)
        return None


@lru_cache(maxsize=256)
def _program(
    thread: Thread, kernel: Callable[..., Any], lanes: tuple[int, ...], cores: tuple, shape: tuple[int, ...]
) -> Callable[..., dict[str, Array]]:
    num_core, dims = dict(cores), {f"{b.name}_": (prod(b.shape), *lanes) for b in thread.outputs.values()}

    def solved(base: Array, arrays: dict[str, Array]) -> dict[str, Array]:
        given = [a.reshape(prod(a.shape[: num_core.get(name, 0)]), -1) for name, a in sorted(arrays.items())]
        found = kernel(base, *given, launch_dims=lanes, output_dims=dims)
        pairs = zip(thread.outputs.items(), found, strict=True)
        return {name: jnp.reshape(x, (*buffer.shape, *shape)) for (name, buffer), x in pairs}

    return jax.jit(solved)


@dataclass(frozen=True)
class Grid:
    """The axes of a batch, those that every array has or lacks together taken as one.

    Attributes:
        shape: Lengths of the axes.
        varies: Along which of them each array varies, by name.
    """

    shape: tuple[int, ...]
    varies: Mapping[str, tuple[bool, ...]]


def grid(shape: tuple[int, ...], arrays: Mapping[str, tuple[int, ...]]) -> Grid:
    """The axes of a batch of that shape; arrays have all its axes, of length 1 where they do not vary."""
    lengths: list[int] = []
    patterns: list[tuple[bool, ...]] = []
    for axis, n in enumerate(shape):
        pattern = tuple(own[axis] > 1 for own in arrays.values())
        if n == 1:
            continue
        if patterns and patterns[-1] == pattern:
            lengths[-1] *= n
        else:
            lengths.append(n)
            patterns.append(pattern)
    if not lengths:
        lengths, patterns = [1], [(False,) * len(arrays)]
    return Grid(tuple(lengths), dict(zip(arrays, zip(*patterns, strict=True), strict=True)))


def compiled(thread: Thread, varies: tuple[tuple[bool, ...], ...]) -> Callable[..., list[Array]]:
    """The kernel of a thread, a function of arrays, for the device that Warp works on.

    Args:
        thread: What every thread does.
        varies: Along which axes of the launch each array varies, in the order of their names.
    """
    warp = import_module("warp")
    source = python_source(thread, varies)
    name = f"<thread {sha256(source.encode()).hexdigest()[:16]}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)  # where Warp reads it
    defined: dict[str, Any] = {"warp": warp, "CODE": native_code(thread, varies)}
    exec(compile(source, name, "exec"), defined)
    with warp.ScopedLogLevel(warp.LOG_ERROR):
        defined["threads"].module.load(warp.get_device(), THREADS if warp.get_device().is_cuda else 1)
    return warp.jax_kernel(defined["threads"], num_outputs=len(thread.outputs), block_dim=THREADS)


def python_source(thread: Thread, varies: tuple[tuple[bool, ...], ...]) -> str:
    """The kernel as Warp wants it: a function whose body is C, and one that calls it for every thread."""
    axes = len(varies[0]) if varies else 1
    places = [f"i{axis}" for axis in range(axes)]
    arrays = [f"{b.name}_: {_array(b, 1)}" for b in thread.inputs[:1]]
    arrays += [f"{b.name}_: {_array(b, 2)}" for b in thread.inputs[1:]]
    arrays += [f"{b.name}_: {_array(b, 1 + axes)}" for b in thread.outputs.values()]
    names = [array.split(":")[0] for array in arrays]
    return "\n".join([
        "@warp.func_native(CODE)",
        f"def thread({', '.join([*arrays, *(f'{i}: warp.int32' for i in places)])}): ...",
        "",
        '@warp.kernel(enable_backward=False, grid_stride=False, module="unique")',
        f"def threads({', '.join(arrays)}):",
        f"    {', '.join(places)} = warp.tid()",
        f"    thread({', '.join([*names, *places])})",
        "",
    ])  # fmt: skip


def _array(buffer: Buffer, axes: int) -> str:
    return f"warp.array(dtype=warp.{np.dtype(buffer.dtype).name}, ndim={axes})"


def native_code(thread: Thread, varies: tuple[tuple[bool, ...], ...]) -> str:
    """The body of the C function: where things are, then the code of the thread."""
    axes, first = range(len(varies[0]) if varies else 1), next(iter(thread.outputs.values())).name
    lines = [f"const long long n{axis} = {first}_.shape[{axis + 1}];" for axis in axes]
    lines += [f"const long long {LANES} = {' * '.join(f'n{axis}' for axis in axes)};"]
    lines += [f"const long long {LANE} = {_place([True] * len(axes))};"]
    for buffer in (*thread.inputs, *thread.outputs.values()):
        const = "" if buffer.kind == "output" else "const "
        lines.append(f"{const}{kind(buffer.dtype)}* __restrict__ {buffer.name} = {buffer.name}_.data;")
    for buffer, own in zip(thread.inputs[1:], varies, strict=True):
        length = " * ".join(f"n{axis}" for axis in axes if own[axis]) or "1"
        lines.append(f"const long long {buffer.name}_lanes = {length}, {buffer.name}_at = {_place(own)};")
    return "\n".join([*lines, text(thread)])


def _place(varies: Any) -> str:
    """Number of an element along the axes that an array varies along."""
    found = "0ll"
    for axis, own in enumerate(varies):
        if own:
            found = f"i{axis}" if found == "0ll" else f"({found} * n{axis} + i{axis})"
    return found
