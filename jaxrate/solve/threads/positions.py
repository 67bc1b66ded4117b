"""Arithmetic of positions in arrays: Python's as far as they are known before a thread runs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxrate.solve.threads.code import Atom, Code, Index, Variable


def plus(code: Code, a: Any, b: Any) -> Any:
    """a + b."""
    return _reckoned(code, "add", a, b, lambda a, b: a + b)


def minus(code: Code, a: Any, b: Any) -> Any:
    """a - b."""
    return _reckoned(code, "sub", a, b, lambda a, b: a - b)


def times(code: Code, a: Any, b: Any) -> Any:
    """a b."""
    return _reckoned(code, "mul", a, b, lambda a, b: a * b)


def clamped(code: Code, i: Any, last: int) -> Any:
    """Between 0 and the last position; known where there is no other."""
    if last == 0 or not isinstance(i, Variable):
        return min(max(int(i), 0), last) if last else 0
    kind = i.dtype.type
    return as_index(code.emit("min", code.emit("max", i, kind(0)), kind(last)))


def is_inside(code: Code, i: Any, length: int) -> Atom:
    """Whether there is such a position along an axis."""
    if not isinstance(i, Variable):
        return np.bool_(0 <= i < length)
    kind = i.dtype.type
    return code.emit("and", code.emit("ge", i, kind(0)), code.emit("lt", i, kind(length)))


def ravel(code: Code, index: Index, strides: Sequence[int]) -> Any:
    """Place in memory of a position."""
    found: Any = 0
    for i, stride in zip(index, strides, strict=True):
        found = plus(code, found, times(code, i, stride))
    return found


def unravel(code: Code, place: Any, shape: tuple[int, ...]) -> Index:
    """Position of a place in dense memory."""
    found = []
    for length in reversed(shape):
        found.append(_reckoned(code, "rem", place, length, lambda a, b: a % b) if length > 1 else 0)
        place = _reckoned(code, "div", place, length, lambda a, b: a // b)
    return tuple(reversed(found))


def as_index(atom: Any) -> Any:
    """A position: a variable, or a Python integer."""
    return atom if isinstance(atom, Variable) else int(atom)


def _reckoned(code: Code, operation: str, a: Any, b: Any, known: Callable[[int, int], int]) -> Any:
    if not isinstance(a, Variable) and not isinstance(b, Variable):
        return known(a, b)
    kind = (a if isinstance(a, Variable) else b).dtype.type
    a, b = (x if isinstance(x, Variable) else kind(x) for x in (a, b))
    if a.dtype != b.dtype:
        a, b = (code.emit("convert", x, dtype=np.int64) for x in (a, b))
    return as_index(code.emit(operation, a, b))
