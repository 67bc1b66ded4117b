"""What becomes of operations that take numbers together: sums, products, extremes."""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from math import prod
from typing import Any

import numpy as np

from jaxrate.solve.threads.arrays import SOME, Found, Lazy, Value, at, dtype_of, few, for_each, numbers, places, settled
from jaxrate.solve.threads.code import Atom, Code, Untranslatable
from jaxrate.solve.threads.rules import RULES, Rule, rule

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
    total = code.running(_neutral(operation, dtype), dtype)
    for_each(code, shape, lambda place: code.assign(total, code.emit(operation, total, number(place))))
    return total


def _neutral(operation: str, dtype: np.dtype) -> Atom:
    """What changes nothing."""
    if operation in ("max", "min"):
        ends = (-np.inf, np.inf) if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        return dtype.type(ends[operation == "min"])
    return dtype.type({"add": 0, "mul": 1, "or": 0, "xor": 0, "and": -1}[operation])


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


RULES.update({f"cum{name}": _running(_OF_ALL[name]) for name in ("sum", "prod", "max", "min")})


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
