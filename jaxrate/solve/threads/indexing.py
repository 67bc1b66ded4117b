"""Reading and writing at positions that are known only as the thread runs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax.lax import GatherScatterMode

from jaxrate.solve.threads.arrays import (
    SOME,
    Found,
    Lazy,
    Stored,
    Value,
    at,
    dtype_of,
    few,
    for_each,
    places,
    settled,
)
from jaxrate.solve.threads.code import Atom, Code, If, Index, Untranslatable, Variable
from jaxrate.solve.threads.positions import as_index, clamped, is_inside, plus
from jaxrate.solve.threads.rules import rule


@rule("dynamic_slice")
def _dynamic_slice(code: Code, x: Value, *starts: Value, slice_sizes: Sequence[int]) -> Value:
    first = _first(code, starts, x.shape, slice_sizes)
    if isinstance(x, np.ndarray) and not any(isinstance(i, Variable) for i in first):
        return x[tuple(slice(i, i + n) for i, n in zip(first, slice_sizes, strict=True))]

    def of(code: Code, index: Index) -> Atom:
        return at(code, x, _moved(code, first, index))

    return settled(code, Found(tuple(slice_sizes), dtype_of(x), of), SOME)


def _first(code: Code, starts: Sequence[Value], shape: Sequence[int], sizes: Sequence[int]) -> Index:
    """Where a piece begins that lies inside."""
    found = zip(starts, shape, sizes, strict=True)
    return tuple(clamped(code, as_index(start[()]), n - size) for start, n, size in found)


def _moved(code: Code, first: Index, index: Index) -> Index:
    return tuple(plus(code, a, b) for a, b in zip(first, index, strict=True))


@rule("dynamic_update_slice")
def _dynamic_update_slice(code: Code, x: Value, new: Value, *starts: Value) -> Value:
    x = settled(code, x)
    first = _first(code, starts, x.shape, new.shape)
    if isinstance(x, Lazy):
        buffer = own(x)
        for_each(code, new.shape, lambda i: code.store(buffer, _moved(code, first, i), at(code, new, i)))
        return Stored(x.shape, x.dtype, buffer, buffer.version)
    found = x.copy()
    for i in places(new.shape):
        _put(code, found, _moved(code, first, i), at(code, new, i))
    return found


def own(x: Value) -> Any:
    """The buffer of an array that may be written where it is."""
    if not isinstance(x, Stored) or x.version != x.buffer.version or x.buffer.kind != "local":
        raise Untranslatable("writing into an array that is needed as it was")
    return x.buffer


def _put(code: Code, found: np.ndarray, index: Index, value: Atom) -> None:
    """Write into registers: where the position is not known, into each of them or not."""
    ranges = [range(n) if isinstance(i, Variable) else [i] for i, n in zip(index, found.shape, strict=True)]
    moving = [(axis, i) for axis, i in enumerate(index) if isinstance(i, Variable)]
    for place in (p for p in places(found.shape) if all(k in r for k, r in zip(p, ranges, strict=True))):
        here: Atom = np.bool_(True)
        for axis, i in moving:
            here = code.emit("and", here, code.emit("eq", i, i.dtype.type(place[axis])))
        old: Any = found[place]
        found[place] = code.emit("select", here, value, old)


@rule("gather")
def _gather(
    code: Code, x: Value, indices: Value, dimension_numbers: Any, slice_sizes: Sequence[int], mode: Any, **_: Any
) -> Value:
    how = dimension_numbers
    if how.operand_batching_dims:
        raise Untranslatable("gathering from many arrays")
    window = [axis for axis in range(len(x.shape)) if axis not in how.collapsed_slice_dims]
    batch = indices.shape[:-1]
    rank = len(batch) + len(how.offset_dims)
    shape = _spread(rank, how.offset_dims, [slice_sizes[axis] for axis in window], list(batch))

    def of(code: Code, index: Index) -> Atom:
        offset = dict(zip(window, (index[axis] for axis in how.offset_dims), strict=True))
        where = tuple(index[axis] for axis in range(rank) if axis not in how.offset_dims)
        row = [as_index(at(code, indices, (*where, k))) for k in range(indices.shape[-1])]
        start = dict(zip(how.start_index_map, row, strict=True))
        first = [start.get(axis, 0) for axis in range(len(x.shape))]
        last = [n - size for n, size in zip(x.shape, slice_sizes, strict=True)]
        inside = [clamped(code, i, n) for i, n in zip(first, last, strict=True)]
        value = at(code, x, _moved(code, tuple(inside), tuple(offset.get(axis, 0) for axis in range(len(x.shape)))))
        if mode != GatherScatterMode.FILL_OR_DROP:
            return value
        return code.emit("select", _within(code, first, last), value, _nothing(value.dtype))

    return settled(code, Found(shape, dtype_of(x), of))


def _spread(rank: int, offset_dims: Sequence[int], window: list[int], batch: list[int]) -> tuple[int, ...]:
    return tuple(window.pop(0) if axis in offset_dims else batch.pop(0) for axis in range(rank))


def _nothing(dtype: np.dtype) -> Atom:
    """What stands for a number outside of an array."""
    return (
        dtype.type(np.nan)
        if dtype.kind == "f"
        else dtype.type(np.iinfo(dtype).min)
        if dtype.kind == "i"
        else dtype.type(0)
    )


def _within(code: Code, index: Sequence[Any], last: Sequence[int]) -> Atom:
    """Whether positions are inside."""
    found: Atom = np.bool_(True)
    for i, n in zip(index, last, strict=True):
        found = code.emit("and", found, is_inside(code, i, n + 1))
    return found


def _scatter(operation: str | None) -> Callable[..., Value]:
    """Writing at positions of any lane: the new number, or what an operation makes of the old and the new one."""

    def apply(code: Code, x: Value, indices: Value, new: Value, dimension_numbers: Any, mode: Any, **_: Any) -> Value:
        how, indices, x = dimension_numbers, settled(code, indices), settled(code, x)
        if how.operand_batching_dims or isinstance(indices, Lazy) or mode != GatherScatterMode.FILL_OR_DROP:
            raise Untranslatable("writing at many positions")
        written = _written(code, x.shape, indices, new, how)
        found: Any = Stored(x.shape, x.dtype, own(x), own(x).version) if isinstance(x, Lazy) else x.copy()
        for index, value in written:
            inside = _within(code, index, [n - 1 for n in x.shape])
            safe = tuple(clamped(code, i, n - 1) for i, n in zip(index, x.shape, strict=True))
            made = value if operation is None else code.emit(operation, at(code, found, safe), value)
            found = _with(code, found, safe, inside, made)
        return found

    return apply


def _with(code: Code, found: Value, index: Index, inside: Atom, value: Atom) -> Value:
    """An array with another number at a position, if that is inside."""
    if isinstance(found, Stored):
        _stored_where(code, found.buffer, inside, index, value)
        return Stored(found.shape, found.dtype, found.buffer, found.buffer.version)
    _put(code, found, index, code.emit("select", inside, value, at(code, found, index)))
    return found


for _name, _operation in {"": None, "-add": "add", "-mul": "mul", "-min": "min", "-max": "max"}.items():
    rule(f"scatter{_name}")(_scatter(_operation))


def _written(code: Code, shape: tuple[int, ...], indices: np.ndarray, new: Value, how: Any) -> list[tuple[Any, Atom]]:
    """(position, number) of everything that a scatter writes."""
    window = [axis for axis in range(len(shape)) if axis not in how.inserted_window_dims]
    if not few(new.shape):
        raise Untranslatable("writing so much")
    found = []
    for place in places(new.shape):
        offset = dict(zip(window, (place[axis] for axis in how.update_window_dims), strict=True))
        row = indices[tuple(place[axis] for axis in range(len(place)) if axis not in how.update_window_dims)]
        start = dict(zip(how.scatter_dims_to_operand_dims, map(as_index, row), strict=True))
        index = tuple(plus(code, start.get(k, 0), offset.get(k, 0)) for k in range(len(shape)))
        found.append((index, at(code, new, place)))
    return found


def _stored_where(code: Code, buffer: Any, inside: Atom, index: Index, value: Atom) -> None:
    if not isinstance(inside, Variable):
        if inside:
            code.store(buffer, index, value)
        return
    with code.block() as then:
        code.store(buffer, index, value)
    code.write(If(inside, then, []))


def row(code: Code, x: Value, k: Any) -> Value:
    """x[k]."""
    shape = tuple(x.shape[1:])
    if isinstance(x, np.ndarray) and not isinstance(k, Variable):
        return x[k : k + 1].reshape(shape)
    return settled(code, Found(shape, dtype_of(x), lambda code, index: at(code, x, (k, *index))), SOME)
