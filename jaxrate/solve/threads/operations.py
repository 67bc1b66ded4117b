"""Operations on single numbers: how NumPy computes them, and how C says them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Operation(NamedTuple):
    """One operation.

    Attributes:
        compute: On NumPy numbers or arrays.
        text: C expression of the arguments {0}, {1}, ...; {f} is the ending of a C function of float32.
        truth: Whether the result is a truth value.
    """

    compute: Callable[..., Any]
    text: str
    truth: bool = False


def _quotient(a: Any, b: Any) -> Any:
    """Division, of integers towards zero, by zero giving -1."""
    kind = np.result_type(a)
    if not np.issubdtype(kind, np.integer):
        return np.divide(a, b)
    divisor = np.where(b == 0, kind.type(1), b)
    low = np.floor_divide(a, divisor)
    whole = low + ((low < 0) & (low * divisor != a)).astype(kind)
    return np.where(b == 0, np.array(-1).astype(kind), whole)


def _remainder(a: Any, b: Any) -> Any:
    """What a division leaves, of integers by zero everything."""
    kind = np.result_type(a)
    if not np.issubdtype(kind, np.integer):
        return np.fmod(a, b)
    return np.where(b == 0, a, np.fmod(a, np.where(b == 0, kind.type(1), b)))


def _shifted(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, b: function(a, b).astype(np.result_type(a))


def _function(name: str, compute: Callable[..., Any]) -> Operation:
    return Operation(compute, f"{name}{{f}}({{0}})")


def _compared(sign: str, compute: Callable[..., Any]) -> Operation:
    return Operation(compute, f"{{0}} {sign} {{1}}", truth=True)


OPERATIONS = {
    "add": Operation(np.add, "{0} + {1}"),
    "sub": Operation(np.subtract, "{0} - {1}"),
    "mul": Operation(np.multiply, "{0} * {1}"),
    "div": Operation(_quotient, "{0} / {1}"),
    "neg": Operation(np.negative, "-{0}"),
    "max": Operation(np.maximum, "({0} > {1} || {0} != {0}) ? {0} : {1}"),
    "min": Operation(np.minimum, "({0} < {1} || {0} != {0}) ? {0} : {1}"),
    "and": Operation(np.bitwise_and, "{0} & {1}"),
    "or": Operation(np.bitwise_or, "{0} | {1}"),
    "xor": Operation(np.bitwise_xor, "{0} ^ {1}"),
    "shift_left": Operation(_shifted(np.left_shift), "{0} << {1}"),
    "shift_right_arithmetic": Operation(_shifted(np.right_shift), "{0} >> {1}"),
    "select": Operation(lambda which, yes, no: np.where(which, yes, no), "{0} ? {1} : {2}"),
    "is_finite": Operation(np.isfinite, "fabs{f}({0}) < (1.0{f} / 0.0{f})", truth=True),
    "eq": _compared("==", np.equal),
    "ne": _compared("!=", np.not_equal),
    "lt": _compared("<", np.less),
    "le": _compared("<=", np.less_equal),
    "gt": _compared(">", np.greater),
    "ge": _compared(">=", np.greater_equal),
    "lt_to": Operation(
        lambda a, b: (a < b) | (np.isnan(b) & ~np.isnan(a)), "{0} < {1} || ({1} != {1} && {0} == {0})", True
    ),
    "le_to": Operation(lambda a, b: (a <= b) | np.isnan(b), "{0} <= {1} || {1} != {1}", True),
    "abs": _function("fabs", np.abs),
    "sqrt": _function("sqrt", np.sqrt),
    "cbrt": _function("cbrt", np.cbrt),
    "exp": _function("exp", np.exp),
    "exp2": _function("exp2", np.exp2),
    "expm1": _function("expm1", np.expm1),
    "log": _function("log", np.log),
    "log1p": _function("log1p", np.log1p),
    "sin": _function("sin", np.sin),
    "cos": _function("cos", np.cos),
    "tan": _function("tan", np.tan),
    "tanh": _function("tanh", np.tanh),
    "sinh": _function("sinh", np.sinh),
    "cosh": _function("cosh", np.cosh),
    "atan": _function("atan", np.arctan),
    "floor": _function("floor", np.floor),
    "ceil": _function("ceil", np.ceil),
    "pow": Operation(np.power, "pow{f}({0}, {1})"),
    "rem": Operation(_remainder, "fmod{f}({0}, {1})"),
    "atan2": Operation(np.arctan2, "atan2{f}({0}, {1})"),
}
"""By JAX's names, but for select, whose order is that of C."""

OF_INTEGERS = {
    "abs": "{0} < 0 ? -{0} : {0}",
    "div": "{1} == 0 ? -1ll : {1} == -1 ? (long long)(0ull - {0}) : {0} / {1}",
    "rem": "{1} == 0 ? {0} : {1} == -1 ? 0 : {0} % {1}",
    "max": "{0} > {1} ? {0} : {1}",
    "min": "{0} < {1} ? {0} : {1}",
}
"""How C says it of integers, where that differs; it has no division by zero, nor of the least number by -1."""

OF_UNSIGNED = OF_INTEGERS | {"div": "{1} == 0 ? -1 : {0} / {1}", "rem": "{1} == 0 ? {0} : {0} % {1}"}
"""The same of integers without a sign."""

HOST_FUNCTIONS = """#if !defined(__CUDA_ARCH__)
auto expm1 = [](double x) {
double u = exp(x);
return u == 1.0 ? x : u - 1.0 == -1.0 ? -1.0 : u > 1e300 ? u : (u - 1.0) * x / log(u); };
auto log1p = [](double x) {
double u = 1.0 + x;
return u == 1.0 || u > 1e300 ? (u == 1.0 ? x : log(u)) : log(u) * x / (u - 1.0); };
auto expm1f = [&](float x) { return (float)expm1((double)x); };
auto log1pf = [&](float x) { return (float)log1p((double)x); };
#endif"""
"""What CUDA has and Warp's C++ lacks, where it compiles for a processor; by W. Kahan's formulas."""

TYPES = {
    "f8": "double",
    "f4": "float",
    "i8": "long long",
    "i4": "int",
    "i2": "short",
    "i1": "signed char",
    "u8": "unsigned long long",
    "u4": "unsigned int",
    "u1": "unsigned char",
    "b1": "bool",
}
"""Types of C by those of NumPy."""


def computed(operation: str, dtype: np.dtype, *values: Any) -> Any:
    """Values of an operation, also of those that change the type."""
    if operation == "convert":
        return np.asarray(values[0]).astype(dtype)[()]
    if operation == "bitcast":
        return np.asarray(values[0]).view(dtype)[()]
    if operation == "not":
        return np.invert(values[0])
    return np.asarray(OPERATIONS[operation].compute(*values)).astype(dtype)[()]
