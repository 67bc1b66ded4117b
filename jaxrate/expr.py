"""Checked expressions of named parameters: parsed, never evaluated as code.

An expression is arithmetic on numbers, parameters, physical constants and a few functions. Its text is parsed once,
every part is checked against that list, and what remains is a small tree of our own. Everything is in SI units.
"""

import ast
import operator
import re
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import numpy as np

from jaxrate import constants
from jaxrate.arrays import namespace
from jaxrate.names import unknown

CONSTANTS: Mapping[str, float] = {"pi": float(np.pi)} | {
    name: getattr(constants, name) for name in ("h", "hbar", "k", "c", "e", "epsilon_0", "mu_0", "m_e", "amu")
}
"""Physical constants by the name they have in an expression [SI]."""

FUNCTIONS: Mapping[str, int] = {
    **dict.fromkeys(("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "arctan", "sinh", "cosh", "tanh", "abs"), 1),
    **dict.fromkeys(("minimum", "maximum"), 2),
}
"""Functions by name, as NumPy and JAX both have them, and how many arguments they take."""

_UNARY = {ast.UAdd: "pos", ast.USub: "neg"}
_BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.Pow: "pow"}
"""Arithmetic, by the names of Python's `operator`."""


class ExprError(ValueError):
    """An expression that cannot be read or evaluated; shows the text, the place, and what to write instead."""


@dataclass(frozen=True)
class Expr:
    """A checked expression; equal, and of equal hash, to another of the same text.

    A parameter is written by its dotted name, `pump.rate`, or in backquotes where that is not a plain word, or is
    the name of a constant: "2 * `other lines.rate`". Its numbers are in SI units.

    Args:
        text: The expression.

    Raises:
        ExprError: the text is not such an expression.
    """

    text: str
    _reader: "_Reader" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise ExprError(f"An expression must be text, but {type(self.text).__name__} was given.")
        # Without the blanks around it: Python would take those at the start for an indentation.
        object.__setattr__(self, "_reader", _Reader(self.text.strip()))

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters it uses, each once, in the order of the text."""
        return tuple(self._reader.parameters)

    def check(self, known: Collection[str], owner: str) -> None:
        """Refuse a parameter that is not among the known names, and a constant that is.

        Args:
            known: Names of the parameters there are.
            owner: Whose expression this is, for the message: "pump.rate".

        Raises:
            ExprError: a name is unknown (the nearest one is proposed), or is that of a constant and of a parameter.
        """
        self._check_known(known, owner)
        for name, column in self._reader.constants.items():
            if name in known and name not in self.names:  # who writes both knows the difference
                what = f"the constant {CONSTANTS[name]:.6g}, but there is a `{name}` too"
                cure = "write it in backquotes, or give it another name where the constant is meant"
                self._refuse(f"{name} without backquotes is {what}: {cure}.", column, owner)

    def _check_known(self, known: Collection[str], owner: str) -> None:
        for name, column in self._reader.parameters.items():
            if name not in known:
                self._refuse(unknown("parameter", name, known), column, owner)

    def _refuse(self, what: str, column: int, owner: str) -> NoReturn:
        raise ExprError(f"In the expression of `{owner}`: {what}\n{_pointer(self._reader.text, column)}")

    def __call__(self, theta: Mapping[str, Any]) -> Any:
        """Its value; a lane outside the domain of a function, or divided by zero, is inf or NaN and raises nothing.

        Args:
            theta: Values of the parameters by name [SI]: numbers, NumPy or JAX arrays, or tracers; others are ignored.

        Returns:
            A float or array, of the shape that the values it uses broadcast to.

        Raises:
            ExprError: a parameter is missing.
            ValueError: shapes do not broadcast.
        """
        self._check_known(theta.keys(), self.text)
        xp = namespace(*(theta[name] for name in self.names))
        values = {name: _real(theta[name], xp) for name in self.names}
        with np.errstate(all="ignore"):
            return _evaluate(self._reader.root, values, xp)

    def __reduce__(self) -> tuple[type["Expr"], tuple[str]]:
        # A copy from a file or another process is parsed and checked like any other text.
        return Expr, (self.text,)


def expr(text: str) -> Expr:
    """Expression of named parameters, checked as it is read.

    Examples:
        >>> rate = expr("W0 * (1 + 1/expm1(h*nu_ph/(k*temperature)))**4")
        >>> rate.names
        ('W0', 'nu_ph', 'temperature')

    Args:
        text: See `Expr`.

    Raises:
        ExprError: the text is not such an expression.
    """
    return Expr(text)


@dataclass(frozen=True)
class _Apply:
    operation: str
    arguments: "tuple[_Node, ...]"


_Node: TypeAlias = float | str | _Apply
"""A number, the name of a parameter, or an operation on such."""


def _evaluate(node: _Node, values: Mapping[str, Any], xp: Any) -> Any:
    if isinstance(node, _Apply):
        return _function(node.operation, xp)(*(_evaluate(argument, values, xp) for argument in node.arguments))
    return values[node] if isinstance(node, str) else node


def _function(operation: str, xp: Any) -> Callable[..., Any]:
    return getattr(xp if operation in FUNCTIONS else operator, operation)


def _applied(operation: str, nodes: tuple[_Node, ...]) -> _Node:
    """An operation as it is best computed: for an integer power JAX multiplies, which is faster and exact."""
    match operation, nodes:
        case "truediv", (numerator, denominator):
            return _quotient(numerator, denominator)
        case "pow", (base, float(power)) if power.is_integer() and abs(power) <= 64:
            return _Apply("pow", (base, int(power)))
    return _Apply(operation, nodes)


def _quotient(numerator: _Node, denominator: _Node) -> _Node:
    """A quotient, by the number in the denominator last: E/(k*T) is computed as (E/T)/k.

    Its derivative holds the denominator squared, and (k*T)**2 is zero in float32.
    """
    number, rest = _leading_number(denominator)
    if number in (0, 1):
        return _Apply("truediv", (numerator, denominator))
    if isinstance(numerator, float) and np.isfinite(ratio := numerator / number):
        return _Apply("truediv", (ratio, rest))
    return _Apply("truediv", (_Apply("truediv", (numerator, rest)), number))


def _leading_number(node: _Node) -> tuple[float, _Node]:
    """A product as a number times the rest; 1 for what is no such product."""
    match node:
        case _Apply("mul", (float(number), rest) | (rest, float(number))):
            return number, rest
        case _Apply("mul", (left, right)):
            number, rest = _leading_number(left)
            return number, node if number == 1 else _Apply("mul", (rest, right))
    return 1.0, node


def _real(value: Any, xp: Any) -> Any:
    """Floating point for every value; a Python number takes no part in JAX's promotion of types."""
    if isinstance(value, int | float):
        return np.float64(value) if xp is np else xp.asarray(float(value))
    return value if getattr(getattr(value, "dtype", None), "kind", "") == "f" else xp.asarray(value, dtype=float)


_MAX_LENGTH = 4000
_MAX_DEPTH = 100
_STRANGE = re.compile(r"[^A-Za-z0-9_.,()+\-*/ ]|//")
_ALLOWED = (
    "Allowed are numbers, + - * / **, parentheses, parameters such as pump.rate (in `backquotes` where the name is not "
    f"a plain word), the functions {', '.join(FUNCTIONS)}, and the constants {', '.join(CONSTANTS)}."
)


class _Reader:
    """Reads one text; remembers where names in backquotes begin, and where each parameter and constant first does."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.quoted: dict[int, str] = {}
        self.parameters: dict[str, int] = {}
        self.constants: dict[str, int] = {}
        self.root = self.read()

    def read(self) -> _Node:
        """The checked tree, its constant parts folded to numbers."""
        if len(self.text) > _MAX_LENGTH:
            raise ExprError(f"An expression must have at most {_MAX_LENGTH} characters, not {len(self.text)}.")
        try:
            return self.lower(ast.parse(self.plain(), mode="eval").body, 0)
        except SyntaxError as error:
            self.fail("this cannot be read", error.offset - 1 if error.offset else len(self.text))
        except (RecursionError, MemoryError):
            self.fail("this is nested too deeply", 0)

    def plain(self) -> str:
        """The text with a plain word for each name in backquotes, column for column."""
        characters = [" " if character.isspace() else character for character in self.text]
        for quoted in re.finditer(r"`([^`]*)(`?)", self.text):
            if not quoted[1].strip() or not quoted[2]:
                self.fail("a name in backquotes must not be empty and must end with a backquote", quoted.start())
            if re.search(r"[\w.`]\s*$", self.text[: quoted.start()]):
                self.fail("backquotes must stand around a whole name, an operator before them", quoted.start())
            self.quoted[quoted.start()] = quoted[1]
            characters[slice(*quoted.span())] = "_" * len(f"`{quoted[1]}") + " "
        plain = "".join(characters)
        strange = _STRANGE.search(plain)
        if strange:
            hint = "; a power is written **" if strange[0] == "^" else ""
            self.fail(f"{strange[0]!r} is not allowed{hint}", strange.start())
        return plain

    def lower(self, node: ast.AST, depth: int) -> _Node:
        if depth > _MAX_DEPTH:
            self.fail(f"this is nested more than {_MAX_DEPTH} deep; a long sum is too, until it is bracketed", node)
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return self.finite(value, node)
            case ast.Name() | ast.Attribute():
                return self.named(node)
            case ast.UnaryOp(op, operand) if type(op) in _UNARY:
                return self.apply(_UNARY[type(op)], [operand], node, depth)
            case ast.BinOp(left, op, right) if type(op) in _BINARY:
                return self.apply(_BINARY[type(op)], [left, right], node, depth)
            case ast.Call():
                return self.apply(self.function(node), node.args, node, depth)
        self.fail("this is not allowed", node)

    def apply(self, operation: str, arguments: list[ast.expr], node: ast.AST, depth: int) -> _Node:
        nodes = tuple(self.lower(argument, depth + 1) for argument in arguments)
        numbers = [np.float64(node) for node in nodes if isinstance(node, float)]
        if len(numbers) < len(nodes):
            return _applied(operation, nodes)
        with np.errstate(all="ignore"):
            return self.finite(_function(operation, np)(*numbers), node)

    def finite(self, value: float, node: ast.AST) -> float:
        """A constant; whole numbers too become floating point here, so that none can grow without bound."""
        if not abs(value) <= sys.float_info.max:  # so is NaN refused, and a whole number that no float holds
            self.fail("this is not a finite number", node)
        return float(value)

    def named(self, node: ast.Name | ast.Attribute) -> _Node:
        name = self.name(node)
        if name in CONSTANTS and node.col_offset not in self.quoted:
            self.constants.setdefault(name, node.col_offset)
            return CONSTANTS[name]
        if name in FUNCTIONS and node.col_offset not in self.quoted:
            self.fail(f"`{name}` is a function; write {name}(...), or `{name}` in backquotes for a parameter", node)
        self.parameters.setdefault(name, node.col_offset)
        return name

    def name(self, node: ast.AST) -> str:
        """Dotted name of a chain of attributes."""
        after = ""
        while isinstance(node, ast.Attribute):
            node, after = node.value, f".{node.attr}{after}"
        if not isinstance(node, ast.Name):
            self.fail("only a name can be called, or have a dot behind it", node)
        return self.quoted.get(node.col_offset, node.id) + after

    def function(self, node: ast.Call) -> str:
        name = self.name(node.func)
        if node.func.col_offset in self.quoted:
            self.fail("a parameter cannot be called", node)
        if name not in FUNCTIONS:
            self.fail(unknown("function", name, FUNCTIONS), node)
        if node.keywords or len(node.args) != FUNCTIONS[name]:
            self.fail(f"`{name}` takes {FUNCTIONS[name]} value{'s' if FUNCTIONS[name] > 1 else ''}", node)
        return name

    def fail(self, what: str, place: ast.AST | int) -> NoReturn:
        column = place if isinstance(place, int) else getattr(place, "col_offset", 0)
        raise ExprError(f"Malformed expression: {what}\n{_pointer(self.text, column)}\n{_ALLOWED}") from None


def _pointer(text: str, column: int) -> str:
    """The text around a column, and a caret below it."""
    first = max(0, column - 60)
    shown = "".join(character if character.isprintable() else " " for character in text[first : first + 120])
    return f"    {shown}\n    {' ' * (column - first)}^"
