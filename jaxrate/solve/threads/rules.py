"""What becomes of each operation of a program that works number by number or only moves numbers.

A rule takes the code, the arrays and the parameters of an operation of JAX and gives the arrays that it makes.
"""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from math import prod
from typing import Any

import numpy as np

from jaxrate.solve.threads.arrays import (
    SOME,
    Chosen,
    Converted,
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
    minus,
    numbers,
    places,
    plus,
    settled,
    times,
)
from jaxrate.solve.threads.code import Atom, Code, If, Untranslatable, Variable
from jaxrate.solve.threads.operations import OPERATIONS

Rule = Callable[..., Value]

RULES: dict[str, Rule] = {}
"""By the name of JAX's operation."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a rule under these names."""

    def entered(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return entered


# Number by number.


def each(code: Code, compute: Callable[..., Atom], dtype: Any, *arrays: Value) -> Value:
    """A function of single numbers, of arrays whose shapes broadcast."""
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    if few(shape) and (prod(shape) <= SOME or not any(isinstance(a, Lazy) for a in arrays)):
        return numbers([compute(*(at(code, a, i) for a in arrays)) for i in places(shape)], shape)
    if all(isinstance(a, Uniform) or prod(a.shape) == 1 for a in arrays):
        return Uniform(shape, np.dtype(dtype), compute(*(_only(a) for a in arrays)))
    return Found(shape, np.dtype(dtype), lambda code, i: compute(*(at(code, a, i) for a in arrays)))


def _only(array: Value) -> Atom:
    return array.atom if isinstance(array, Uniform) else array.reshape(-1)[0]  # type: ignore[union-attr]


def _elementwise(name: str) -> Rule:
    def apply(code: Code, *arrays: Value, **_: Any) -> Value:
        dtype = np.bool_ if OPERATIONS[name].truth else dtype_of(arrays[0])
        return each(code, partial(code.emit, name, dtype=dtype), dtype, *arrays)

    return apply


RULES.update({name: _elementwise(name) for name in OPERATIONS if name != "select"})


@rule("div")
def _div(code: Code, x: Value, y: Value) -> Value:
    shape = np.broadcast_shapes(x.shape, y.shape)
    if not few(shape) or isinstance(x, Lazy) or isinstance(y, Lazy) or dtype_of(x).kind != "f":
        return each(code, partial(code.emit, "div"), dtype_of(x), x, y)
    tops, bottoms = (list(np.broadcast_to(a, shape).reshape(-1)) for a in (x, y))
    often = [b for b in dict.fromkeys(bottoms) if isinstance(b, Variable) and bottoms.count(b) >= SHARED]
    if not often:
        return numbers([code.emit("div", a, b) for a, b in zip(tops, bottoms, strict=True)], shape)
    found = [code.running(None, dtype_of(x)) for _ in tops]
    with code.block() as quick:
        inverse = {b: code.emit("div", b.dtype.type(1), b) for b in often}
        for q, a, b in zip(found, tops, bottoms, strict=True):
            code.assign(q, code.emit("mul", a, inverse[b]) if b in inverse else code.emit("div", a, b))
    with code.block() as slow:
        for q, a, b in zip(found, tops, bottoms, strict=True):
            code.assign(q, code.emit("div", a, b))
    code.write(If(reduce(partial(code.emit, "and"), [_has_inverse(code, b) for b in often]), quick, slow))
    return numbers(found, shape)


SHARED = 3
"""From so many numbers over the same one they are multiplied by its inverse: a division takes as long as ten products."""


def _has_inverse(code: Code, b: Variable) -> Atom:
    """Whether a number and its inverse are far from the ends of their range."""
    size, far = code.emit("abs", b), 2.0 ** (1000 if b.dtype == np.float64 else 120)
    return code.emit(
        "and", code.emit("ge", size, b.dtype.type(1 / far)), code.emit("le", size, b.dtype.type(far))
    )


@rule("stop_gradient", "copy", "copy_p", "reduce_precision", "optimization_barrier")
def _same(code: Code, x: Value, **_: Any) -> Value:
    return x


@rule("not")
def _not(code: Code, x: Value) -> Value:
    return each(code, partial(code.emit, "not"), dtype_of(x), x)


@rule("square")
def _square(code: Code, x: Value) -> Value:
    return RULES["mul"](code, x, x)


@rule("rsqrt")
def _rsqrt(code: Code, x: Value, **_: Any) -> Value:
    def of(x: Atom) -> Atom:
        return code.emit("div", x.dtype.type(1), code.emit("sqrt", x))

    return each(code, of, dtype_of(x), x)


@rule("sign")
def _sign(code: Code, x: Value) -> Value:
    def of(x: Atom) -> Atom:
        zero, one = x.dtype.type(0), x.dtype.type(1)
        low = code.emit("select", code.emit("lt", x, zero), -one, x)
        return code.emit("select", code.emit("gt", x, zero), one, low)

    return each(code, of, dtype_of(x), x)


@rule("integer_pow")
def _integer_pow(code: Code, x: Value, y: int) -> Value:
    def of(x: Atom) -> Atom:
        found, rest = x.dtype.type(1), abs(y)
        while rest:
            found = code.emit("mul", found, x) if rest % 2 else found
            rest //= 2
            x = code.emit("mul", x, x) if rest else x
        return found if y >= 0 else code.emit("div", x.dtype.type(1), found)

    return each(code, of, dtype_of(x), x)


@rule("convert_element_type")
def _convert(code: Code, x: Value, new_dtype: Any, **_: Any) -> Value:
    if isinstance(x, Lazy) and not isinstance(x, Uniform) and not few(x.shape):
        return x if x.dtype == new_dtype else Converted(x.shape, np.dtype(new_dtype), x)
    return each(code, partial(code.emit, "convert", dtype=new_dtype), new_dtype, x)


@rule("bitcast_convert_type")
def _bitcast(code: Code, x: Value, new_dtype: Any) -> Value:
    if dtype_of(x).itemsize != np.dtype(new_dtype).itemsize:
        raise Untranslatable("bits read as numbers of another size")
    return each(code, partial(code.emit, "bitcast", dtype=new_dtype), new_dtype, x)


@rule("select_n")
def _select(code: Code, which: Value, *cases: Value) -> Value:
    if len(cases) != 2 or dtype_of(which) != np.bool_:
        raise Untranslatable("a choice among more than two")
    no, yes = cases
    if isinstance(which, Uniform) or (prod(which.shape) == 1 and not few(yes.shape)):
        condition = _only(which)
        if isinstance(no, Uniform) and isinstance(yes, Lazy):
            return Chosen(yes.shape, yes.dtype, yes, condition, no.atom)
        if isinstance(yes, Uniform) and isinstance(no, Lazy):
            return Chosen(no.shape, no.dtype, no, code.emit("not", condition), yes.atom)
    return each(code, partial(code.emit, "select"), dtype_of(yes), which, yes, no)


@rule("clamp")
def _clamp(code: Code, low: Value, x: Value, high: Value) -> Value:
    def of(low: Atom, x: Atom, high: Atom) -> Atom:
        return code.emit("min", code.emit("max", x, low), high)

    return each(code, of, dtype_of(x), low, x, high)


@rule("iota")
def _iota(code: Code, dtype: Any, shape: tuple[int, ...], dimension: int, **_: Any) -> Value:
    kind = np.dtype(dtype).type
    if few(shape):
        return numbers([kind(i[dimension]) for i in places(shape)], shape)

    def of(code: Code, index: Any) -> Atom:
        i = index[dimension]
        return code.emit("convert", i, dtype=dtype) if isinstance(i, Variable) else kind(i)

    return Found(shape, np.dtype(dtype), of)


# Moving numbers.


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
    if prod(shape) == prod(x.shape):
        return Reshaped(shape, dtype_of(x), x)  # type: ignore[arg-type]

    def of(code: Code, index: Any) -> Atom:
        return at(code, x, tuple(index[axis] if length > 1 else 0 for axis, length in own))

    return Found(shape, dtype_of(x), of)


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
        turned = (minus(code, n - 1, i) if k in dimensions else i for k, (i, n) in enumerate(zip(index, x.shape)))
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
        whole = np.concatenate(parts, dimension)  # type: ignore[arg-type]
        if few(whole.shape):
            return whole
    length = sum(part.shape[dimension] for part in parts)
    shape = (*parts[0].shape[:dimension], length, *parts[0].shape[dimension + 1 :])
    return Joined(shape, dtype_of(parts[0]), parts, dimension)


@rule("stack")
def _stack(code: Code, *parts: Value, axis: int) -> Value:
    wide = [_shaped(part, (*part.shape[:axis], 1, *part.shape[axis:])) for part in parts]
    return _concatenate(code, *wide, dimension=axis)


@rule("pad")
def _pad(code: Code, x: Value, filling: Value, padding_config: Sequence[tuple[int, int, int]]) -> Value:
    shape = [low + high + n + max(n - 1, 0) * inner for (low, high, inner), n in zip(padding_config, x.shape)]
    x = settled(code, x)
    if isinstance(x, Lazy) or not few(shape) or min(min(p) for p in padding_config) < 0:
        raise Untranslatable("padding of a long array")
    found = np.full(shape, filling[()], object)  # type: ignore[index]
    inside = zip(padding_config, x.shape, strict=True)
    found[tuple(slice(low, low + (n - 1) * (inner + 1) + 1, inner + 1) for (low, _, inner), n in inside)] = x
    return found


# Numbers taken together.

_OF_ALL = {"sum": "add", "prod": "mul", "max": "max", "min": "min", "and": "and", "or": "or", "xor": "xor"}


def _reduced(operation: str) -> Rule:
    def apply(code: Code, x: Value, axes: Sequence[int], **_: Any) -> Value:
        axes = tuple(axes)
        kept = tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
        inner = tuple(x.shape[axis] for axis in axes)

        def of(code: Code, index: Any) -> Atom:
            rest = dict(zip((a for a in range(len(x.shape)) if a not in axes), index, strict=True))

            def number(place: Any) -> Atom:
                own = rest | dict(zip(axes, place, strict=True))
                return at(code, x, tuple(own[axis] for axis in range(len(x.shape))))

            return _taken(code, operation, inner, number, dtype_of(x))

        return settled(code, Found(kept, dtype_of(x), of), SOME)

    return apply


def _taken(code: Code, operation: str, shape: tuple[int, ...], number: Callable[[Any], Atom], dtype: Any) -> Atom:
    if not prod(shape):
        raise Untranslatable("nothing to take together")
    if few(shape):
        return reduce(partial(code.emit, operation), map(number, places(shape)))
    if len(shape) != 1:
        raise Untranslatable("a sum over several long axes")
    total = code.running(number((0,)), dtype)
    with code.counted(shape[0] - 1) as k:
        code.assign(total, code.emit(operation, total, number((plus(code, k, 1),))))
    return total


RULES.update({f"reduce_{name}": _reduced(operation) for name, operation in _OF_ALL.items()})


def _running(operation: str) -> Rule:
    def apply(code: Code, x: Value, axis: int, reverse: bool) -> Value:
        x = settled(code, x)
        if isinstance(x, Lazy):
            raise Untranslatable("running sums of a long array")
        along = np.moveaxis(x, axis, 0)[:: -1 if reverse else 1].copy()
        for k in range(1, len(along)):
            for i in places(along.shape[1:]):
                along[(k, *i)] = code.emit(operation, along[(k - 1, *i)], along[(k, *i)])
        return np.moveaxis(along[:: -1 if reverse else 1], 0, axis)

    return apply


RULES.update({f"cum{name}": _running(operation) for name, operation in _OF_ALL.items()})


def _extreme(operation: str) -> Rule:
    def apply(code: Code, x: Value, axes: Sequence[int], index_dtype: Any) -> Value:
        x = settled(code, x)
        if isinstance(x, Lazy):
            raise Untranslatable("the extreme of a long array")
        along, kind = np.moveaxis(x, axes[0], 0), np.dtype(index_dtype).type
        found = np.empty(along.shape[1:], object)
        for i in places(found.shape):
            best, place = along[(0, *i)], kind(0)
            for k in range(1, len(along)):
                new = along[(k, *i)]
                better = code.emit(
                    "and", code.emit("eq", best, best), code.emit("not", code.emit(operation, best, new))
                )
                best, place = code.emit("select", better, new, best), code.emit("select", better, kind(k), place)
            found[i] = place
        return found

    return apply


RULES.update({"argmax": _extreme("ge"), "argmin": _extreme("le")})


@rule("dot_general")
def _dot(code: Code, x: Value, y: Value, dimension_numbers: Any, preferred_element_type: Any = None, **_: Any) -> Value:
    (along_x, along_y), (batch_x, batch_y) = dimension_numbers
    x, y = settled(code, x), settled(code, y)
    if batch_x or batch_y or len(along_x) != 1 or isinstance(x, Lazy) or isinstance(y, Lazy):
        raise Untranslatable("a large product of arrays")
    x, y = np.moveaxis(x, along_x[0], -1), np.moveaxis(y, along_y[0], -1)
    shape = (*x.shape[:-1], *y.shape[:-1])

    def of(i: Any) -> Atom:
        terms = zip(x[i[: x.ndim - 1]], y[i[x.ndim - 1 :]], strict=True)
        return reduce(partial(code.emit, "add"), [code.emit("mul", a, b) for a, b in terms])

    if not few(shape) or dtype_of(x) != dtype_of(y):
        raise Untranslatable("a large product of arrays")
    return numbers([of(i) for i in places(shape)], shape)


@rule("sort")
def _sort(code: Code, *arrays: Value, dimension: int, **_: Any) -> Any:
    if arrays[0].shape[dimension] > 1:
        raise Untranslatable("sorting")
    return list(arrays)
