"""Threads on a device: their code compiled by NVIDIA's Warp and launched from within a compiled program of JAX."""

import linecache
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from math import prod
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.solve.threads.code import Buffer
from jaxrate.solve.threads.text import LANE, LANES, kind, text
from jaxrate.solve.threads.translate import Thread

THREADS = 128
"""Threads of a block: few enough for 255 registers each, more than enough blocks for a device."""

MOST_AXES = 3
"""Axes of a launch; a batch of more that do not go together is left to XLA."""


def is_installed() -> bool:
    """Whether there is something to compile threads with."""
    return find_spec("warp") is not None


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


def launch(
    thread: Thread, lanes: Grid, cores: Mapping[str, int], base: Array, arrays: Mapping[str, Array]
) -> dict[str, Array]:
    """Results of all lanes, shapes (*core, lane); to be called within a compiled program.

    Args:
        thread: What every thread does.
        lanes: Axes of the batch.
        cores: Number of core axes of the arrays that have any.
        base: What all lanes share.
        arrays: What differs from lane to lane, shapes (*core, *batch), batch axes of length 1 where it does not.
    """
    names = sorted(arrays)
    kernel = _compiled(thread, tuple(lanes.varies[name] for name in names))
    given = [arrays[name].reshape(prod(arrays[name].shape[: cores.get(name, 0)]), -1) for name in names]
    dims = {f"{b.name}_": (prod(b.shape), *lanes.shape) for b in thread.outputs.values()}
    found = kernel(base, *given, launch_dims=lanes.shape, output_dims=dims)
    results = zip(thread.outputs.items(), found, strict=True)
    return {name: jnp.reshape(x, (*buffer.shape, prod(lanes.shape))) for (name, buffer), x in results}


@lru_cache(maxsize=256)
def _compiled(thread: Thread, varies: tuple[tuple[bool, ...], ...]) -> Callable[..., list[Array]]:
    """The kernel of a thread, a function of arrays."""
    import warp

    source = python_source(thread, varies)
    name = f"<thread {sha256(source.encode()).hexdigest()[:16]}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)  # where Warp reads it
    defined: dict[str, Any] = {"warp": warp, "CODE": native_code(thread, varies)}
    exec(compile(source, name, "exec"), defined)
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
        '@warp.kernel(enable_backward=False, module="unique")',
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
