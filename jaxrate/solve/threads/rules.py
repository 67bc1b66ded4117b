"""What becomes of each operation of a program that works number by number.

A rule takes the code, the arrays and the parameters of an operation of JAX and gives the array that it makes.
"""

from collections.abc import Callable
from functools import partial, reduce
from math import prod
from typing import Any

import numpy as np

from jaxrate.solve.threads.arrays import (
    SOME,
    Chosen,
    Converted,
    Found,
    Lazy,
    Uniform,
    Value,
    at,
    dtype_of,
    few,
    numbers,
    places,
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
    return array.atom if isinstance(array, Uniform) else array.reshape(-1)[0]


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
"""So many numbers over the same one are multiplied by its inverse: a division takes as long as ten products."""


def _has_inverse(code: Code, b: Variable) -> Atom:
    """Whether a number and its inverse are far from the ends of their range."""
    size, far = code.emit("abs", b), 2.0 ** (1000 if b.dtype == np.float64 else 120)
    return code.emit("and", code.emit("ge", size, b.dtype.type(1 / far)), code.emit("le", size, b.dtype.type(far)))


@rule("stop_gradient", "copy", "copy_p")
def _same(code: Code, x: Value, **_: Any) -> Value:
    return x


@rule("add_any")
def _add_any(code: Code, x: Value, y: Value) -> Value:
    return RULES["add"](code, x, y)


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
        zero, one, less = (x.dtype.type(v) for v in (0, 1, -1))
        low = code.emit("select", code.emit("lt", x, zero), less, x)
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
