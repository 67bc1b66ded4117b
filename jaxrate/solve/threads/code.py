"""The code of a thread: statements on single numbers, and how they are put together."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jaxrate.solve.threads.operations import OPERATIONS, TYPES, computed

MOST_STATEMENTS = 16_000
"""A longer program is left to XLA: it would compile for more than ten seconds, and registers would not hold it."""

MOST_EMITTED = 300_000
"""Operations that are looked at, most of them known already; more would take seconds."""


class Untranslatable(Exception):
    """What a program needs that a thread does not have; XLA has it."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A number of the thread; `counts` says that it is an integer known not to be negative."""

    number: int
    dtype: np.dtype
    counts: bool = field(default=False, compare=False)


Atom = Variable | np.generic
"""A number that a statement works on: a variable or a constant."""

Index = tuple[Any, ...]
"""Position in an array: along every axis a Python integer or a variable."""


@dataclass(eq=False)
class Buffer:
    """Memory that is read or written at positions known only as the thread runs.

    Attributes:
        name: In the text.
        kind: "shared", the same for all lanes; "lane", a value of each lane; "table" of constants; "local", of the
            thread; "output".
        shape, dtype: Of what it holds.
        values: Of a table.
        strides, offset: Where an element of shape `shape` is found.
        version: Changes with every write, never to one that any memory had before.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    dtype: np.dtype
    values: np.ndarray | None = None
    strides: tuple[int, ...] = ()
    offset: int = 0
    version: int = 0

    def __post_init__(self) -> None:
        self.strides = self.strides or dense(self.shape)


def dense(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of an array of that shape, the last axis first."""
    return tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))


@dataclass(frozen=True)
class Let:
    """A new variable and its value."""

    variable: Variable
    operation: str
    atoms: tuple[Atom, ...]


@dataclass(frozen=True)
class Load:
    """A new variable and where it is read."""

    variable: Variable
    buffer: Buffer
    index: Index


@dataclass(frozen=True)
class Store:
    """A number and where it is written."""

    buffer: Buffer
    index: Index
    value: Atom


@dataclass(frozen=True)
class Declare:
    """A variable that changes, and its first value if it has one here."""

    variable: Variable
    value: Atom | None


@dataclass(frozen=True)
class Assign:
    """The next value of a variable that changes."""

    variable: Variable
    value: Atom


@dataclass(frozen=True)
class If:
    """A branch."""

    condition: Atom
    then: list
    otherwise: list


@dataclass(frozen=True)
class Loop:
    """`head` and, while the condition holds that it finds, `body`."""

    head: list
    condition: Atom
    body: list


class Code:
    """Statements as they are written, from the outermost block to that being written."""

    def __init__(self) -> None:
        self.statements: list[Any] = []
        self.buffers: list[Buffer] = []
        self._known: list[dict] = [{}]
        self.loads: list[tuple[Buffer, int]] = []
        self._numbers = self._written = self._emitted = self._versions = 0

    def variable(self, dtype: Any, counts: bool = False) -> Variable:
        """A new variable."""
        self._numbers += 1
        dtype = np.dtype(dtype)
        if dtype.str[1:] not in TYPES:
            raise Untranslatable(f"numbers of type {dtype}")
        return Variable(self._numbers, dtype, counts and dtype.kind in "iu")

    def write(self, statement: Any) -> None:
        """Put a statement at the end."""
        self._written += 1
        if self._written > MOST_STATEMENTS:
            raise Untranslatable("a program so long")
        self.statements.append(statement)

    def emit(self, operation: str, *atoms: Atom, dtype: Any = None) -> Atom:
        """Value of an operation: a constant, one that is known already, or a new variable."""
        self._emitted += 1
        if self._emitted > MOST_EMITTED:
            raise Untranslatable("so many operations")
        truth = operation in OPERATIONS and OPERATIONS[operation].truth
        dtype = np.dtype(dtype or (bool if truth else atoms[-1].dtype))
        if not any(isinstance(a, Variable) for a in atoms):
            with np.errstate(all="ignore"):
                return computed(operation, dtype, *atoms)
        simple = _simpler(operation, atoms, dtype)
        if simple is not None:
            return simple
        key = (operation, dtype.str, *map(_key, atoms))
        return self._once(
            key, lambda variable: Let(variable, operation, atoms), dtype, _counts(operation, atoms, dtype)
        )

    def load(self, buffer: Buffer, index: Index) -> Atom:
        """What a buffer holds now."""
        if buffer.values is not None and not any(isinstance(i, Variable) for i in index):
            return buffer.dtype.type(buffer.values[index])
        self.loads.append((buffer, buffer.version))
        key = ("load", id(buffer), buffer.version, *index)
        return self._once(key, lambda variable: Load(variable, buffer, index), buffer.dtype, False)

    def store(self, buffer: Buffer, index: Index, value: Atom) -> None:
        """Write into a buffer."""
        self.touch(buffer)
        self.write(Store(buffer, index, value))

    def touch(self, buffer: Buffer) -> None:
        """What was read from a buffer is no longer there."""
        self._versions += 1
        buffer.version = self._versions

    def running(self, value: Atom | None, dtype: Any, counts: bool = False) -> Variable:
        """A variable that changes."""
        variable = self.variable(dtype, counts)
        self.write(Declare(variable, value))
        return variable

    def assign(self, variable: Variable, value: Atom) -> None:
        """The next value of a variable that changes; what was found with the last one is not known any more."""
        self.write(Assign(variable, value))
        for known in self._known:
            for key in [key for key in known if variable in key]:
                del known[key]

    def _once(self, key: tuple, statement: Any, dtype: np.dtype, counts: bool) -> Variable:
        for known in self._known:
            if key in known:
                return known[key]
        variable = self._known[-1][key] = self.variable(dtype, counts)
        self.write(statement(variable))
        return variable

    def buffer(self, kind: str, shape: tuple[int, ...], dtype: Any, values: np.ndarray | None = None) -> Buffer:
        """New memory."""
        made = Buffer(f"{kind}{len(self.buffers)}", kind, tuple(shape), np.dtype(dtype), values)
        self.buffers.append(made)
        return made

    @contextmanager
    def block(self) -> Iterator[list]:
        """A block of its own; what is found in it is known only there."""
        outer, self.statements = self.statements, []
        self._known.append({})
        try:
            yield self.statements
        finally:
            self._known.pop()
            self.statements = outer

    @contextmanager
    def counted(self, length: int) -> Iterator[Variable]:
        """The body of a loop over 0, 1, ..., length - 1."""
        k = self.variable(np.int32, counts=True)
        with self.block() as head:
            condition = self.emit("lt", k, np.int32(length))
            with self.block() as body:
                yield k
                self.write(Assign(k, self.emit("add", k, np.int32(1))))
        self.write(Declare(k, np.int32(0)))
        self.write(Loop(head, condition, body))


def _key(atom: Atom) -> Any:
    """Equal for equal constants only: 0 and -0 differ, and so do numbers of two types."""
    return atom if isinstance(atom, Variable) else (atom.dtype.str, atom.tobytes())


def is_count(atom: Any) -> bool:
    """Whether a number is an integer known not to be negative."""
    if isinstance(atom, Variable):
        return atom.counts or atom.dtype.kind == "u"
    return np.asarray(atom).dtype.kind in "iub" and bool(atom >= 0)


def _counts(operation: str, atoms: Sequence[Atom], dtype: np.dtype) -> bool:
    if operation == "convert":
        old = atoms[0].dtype
        return old.kind == "b" or (is_count(atoms[0]) and dtype.itemsize > old.itemsize)
    if operation == "max":
        return any(map(is_count, atoms))
    divides = operation == "div" and not isinstance(atoms[1], Variable) and not _is(atoms[1], 0)  # by zero it is -1
    values = atoms[1:] if operation == "select" else atoms
    return (divides or operation in ("add", "mul", "min", "select", "rem")) and all(map(is_count, values))


def _simpler(operation: str, atoms: Sequence[Atom], dtype: np.dtype) -> Atom | None:
    """The value, where no statement is needed for it."""
    first, last = atoms[0], atoms[-1]
    if operation == "select":
        if not isinstance(first, Variable):
            return atoms[1] if first else last
        return last if _key(atoms[1]) == _key(last) else None
    if operation == "convert" and first.dtype == dtype:
        return first
    if operation in ("lt", "ge") and is_count(first) and _is(last, 0):
        return np.bool_(operation == "ge")
    if operation == "mul" and (_is(first, 1) or _is(last, 1)):
        return last if _is(first, 1) else first
    if operation in ("add", "sub") and _is(last, 0):
        return first
    if operation == "add" and _is(first, 0):
        return last
    if operation == "div" and _is(last, 1):
        return first
    if dtype == np.bool_ and operation in ("and", "or"):
        return _truth(operation, first, last)
    return None


def _truth(operation: str, a: Atom, b: Atom) -> Atom | None:
    if isinstance(a, Variable) and isinstance(b, Variable):
        return a if a == b else None
    constant, other = (b, a) if isinstance(a, Variable) else (a, b)
    return other if bool(constant) == (operation == "and") else constant


def _is(atom: Atom, value: float) -> bool:
    return not isinstance(atom, Variable) and bool(atom == value)
