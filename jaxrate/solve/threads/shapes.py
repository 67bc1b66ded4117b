"""What becomes of operations that only move numbers."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from jaxrate.solve.threads.arrays import (
    SOME,
    Empty,
    Found,
    Joined,
    Lazy,
    Reshaped,
    Transposed,
    Uniform,
    Value,
    at,
    dtype_of,
    few,
    is_fixed,
    settled,
)
from jaxrate.solve.threads.code import Atom, Code, Untranslatable, Variable
from jaxrate.solve.threads.positions import clamped, is_inside, minus, plus, times
from jaxrate.solve.threads.rules import rule


@rule("broadcast_in_dim")
def _broadcast(code: Code, x: Value, shape: Sequence[int], broadcast_dimensions: Sequence[int], **_: Any) -> Value:
    shape = tuple(shape)
    own = [(axis, x.shape[k]) for k, axis in enumerate(broadcast_dimensions)]
    if isinstance(x, np.ndarray):
        wide = [1] * len(shape)
        for axis, length in own:
            wide[axis] = length
        spread = np.broadcast_to(x.reshape(wide), shape)
        if few(shape):
            return spread
        if x.size == 1:
            return Uniform(shape, dtype_of(x), x.reshape(-1)[0])
    if isinstance(x, Uniform):
        return Uniform(shape, x.dtype, x.atom)
    if isinstance(x, Lazy) and prod(shape) == prod(x.shape):
        return Reshaped(shape, x.dtype, x)

    def of(code: Code, index: Any) -> Atom:
        return at(code, x, tuple(index[axis] if length > 1 else 0 for axis, length in own))

    return Found(shape, dtype_of(x), of)


@rule("empty")
def _empty(code: Code, shape: Sequence[int], dtype: Any, **_: Any) -> Value:
    return settled(code, Empty(tuple(shape), np.dtype(dtype)))


@rule("reshape")
def _reshape(code: Code, x: Value, new_sizes: Sequence[int], dimensions: Any, **_: Any) -> Value:
    if dimensions is not None:
        raise Untranslatable("a reshape that transposes")
    return _shaped(x, tuple(new_sizes))


def _shaped(x: Value, shape: tuple[int, ...]) -> Value:
    if isinstance(x, np.ndarray):
        return x.reshape(shape)
    return Uniform(shape, x.dtype, x.atom) if isinstance(x, Uniform) else Reshaped(shape, x.dtype, x)


@rule("squeeze")
def _squeeze(code: Code, x: Value, dimensions: Sequence[int]) -> Value:
    gone = {axis % len(x.shape) for axis in dimensions}
    return _shaped(x, tuple(n for axis, n in enumerate(x.shape) if axis not in gone))


@rule("expand_dims")
def _expand(code: Code, x: Value, dimensions: Sequence[int]) -> Value:
    shape = list(x.shape)
    for axis in sorted(dimensions):
        shape.insert(axis, 1)
    return _shaped(x, tuple(shape))


@rule("transpose")
def _transpose(code: Code, x: Value, permutation: Sequence[int]) -> Value:
    if isinstance(x, np.ndarray):
        return x.transpose(permutation)
    return Transposed(tuple(x.shape[axis] for axis in permutation), x.dtype, x, tuple(permutation))


@rule("rev")
def _rev(code: Code, x: Value, dimensions: Sequence[int]) -> Value:
    if isinstance(x, np.ndarray):
        return np.flip(x, tuple(dimensions))

    def of(code: Code, index: Any) -> Atom:
        turned = (
            minus(code, n - 1, i) if k in dimensions else i for k, (i, n) in enumerate(zip(index, x.shape, strict=True))
        )
        return x.at(code, tuple(turned))

    return Found(x.shape, x.dtype, of)


@rule("slice")
def _slice(code: Code, x: Value, start_indices: Sequence[int], limit_indices: Sequence[int], strides: Any) -> Value:
    steps = strides or (1,) * len(x.shape)
    if isinstance(x, np.ndarray):
        return x[tuple(map(slice, start_indices, limit_indices, steps))]
    shape = tuple(len(range(*a)) for a in zip(start_indices, limit_indices, steps, strict=True))

    def of(code: Code, index: Any) -> Atom:
        own = zip(index, start_indices, steps, strict=True)
        return x.at(code, tuple(plus(code, times(code, i, step), start) for i, start, step in own))

    found = Found(shape, x.dtype, of, is_fixed(x))
    return found if found.fixed and prod(shape) > 1 else settled(code, found, SOME)


@rule("concatenate")
def _concatenate(code: Code, *parts: Value, dimension: int) -> Value:
    if all(isinstance(part, np.ndarray) for part in parts):
        whole = np.concatenate(parts, dimension)
        if few(whole.shape):
            return whole
    length = sum(part.shape[dimension] for part in parts)
    shape = (*parts[0].shape[:dimension], length, *parts[0].shape[dimension + 1 :])
    return Joined(shape, dtype_of(parts[0]), parts, dimension)


@rule("stack")
def _stack(code: Code, *parts: Value, axis: int) -> Value:
    wide = [_shaped(part, (*part.shape[:axis], 1, *part.shape[axis:])) for part in parts]
    return _concatenate(code, *wide, dimension=axis)


@rule("unstack")
def _unstack(code: Code, x: Value, axis: int) -> Any:
    whole = [(0, n) for n in x.shape]
    pieces = [[*whole[:axis], (k, k + 1), *whole[axis + 1 :]] for k in range(x.shape[axis])]
    parts = [_slice(code, x, [a for a, _ in piece], [b for _, b in piece], None) for piece in pieces]
    return [_squeeze(code, part, (axis,)) for part in parts]


@rule("split")
def _split(code: Code, x: Value, sizes: Sequence[int], axis: int) -> Any:
    ends, found = np.cumsum(sizes).tolist(), []
    for end, size in zip(ends, sizes, strict=True):
        low, high = [0] * len(x.shape), list(x.shape)
        low[axis], high[axis] = end - size, end
        found.append(_slice(code, x, low, high, None))
    return found


@rule("pad")
def _pad(code: Code, x: Value, filling: Value, padding_config: Sequence[tuple[int, int, int]]) -> Value:
    shape = tuple(low + high + n for (low, high, _), n in zip(padding_config, x.shape, strict=True))
    if any(inner or low < 0 or high < 0 for low, high, inner in padding_config):
        raise Untranslatable("padding between numbers")

    def of(code: Code, index: Any) -> Atom:
        found, inside = [], np.bool_(True)
        for i, (low, _, _), n in zip(index, padding_config, x.shape, strict=True):
            own = minus(code, i, low)
            inside = code.emit("and", inside, is_inside(code, own, n))
            found.append(clamped(code, own, n - 1))
        outside = filling.reshape(-1)[0]
        if not isinstance(inside, Variable) and not inside:
            return outside
        return code.emit("select", inside, at(code, x, tuple(found)), outside)

    return settled(code, Found(shape, dtype_of(x), of))


@rule("sort")
def _sort(code: Code, *arrays: Value, dimension: int, **_: Any) -> Any:
    if arrays[0].shape[dimension] > 1:
        raise Untranslatable("sorting")
    return list(arrays)
