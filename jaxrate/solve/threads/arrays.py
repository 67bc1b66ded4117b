"""Arrays of a program as a thread has them: a few numbers in registers, or a rule by which a number is found."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from jaxrate.solve.threads.code import Atom, Buffer, Code, Index, Untranslatable, Variable, dense
from jaxrate.solve.threads.positions import clamped, minus, ravel, unravel

FEW = 64
"""An array of so many numbers at most is held in registers, as a NumPy array of atoms."""

SOME = 16
"""So many numbers at most are computed ahead from an array that is not in registers."""

CHOSEN_FROM = 8
"""From so many numbers one is chosen by comparisons; more are put into memory."""

UNROLLED_AXIS = 8
"""An axis up to so long is gone through without a loop."""


@dataclass(frozen=True)
class Lazy:
    """An array too large for registers: every number is computed where it is needed."""

    shape: tuple[int, ...]
    dtype: np.dtype

    def at(self, code: Code, index: Index) -> Atom:
        """The number at a position."""
        raise NotImplementedError


Value = Any
"""What a variable of a program becomes: a NumPy array of atoms, or lazy."""


@dataclass(frozen=True)
class Found(Lazy):
    """Computed by a function of code and position; `fixed` where that only reads what all lanes share."""

    function: Callable[[Code, Index], Atom]
    fixed: bool = False

    def at(self, code: Code, index: Index) -> Atom:
        """What the function gives."""
        return self.function(code, index)


@dataclass(frozen=True)
class Uniform(Lazy):
    """The same number everywhere."""

    atom: Atom

    def at(self, code: Code, index: Index) -> Atom:
        """That number."""
        return self.atom


@dataclass(frozen=True)
class Empty(Lazy):
    """Memory of which nobody reads what is there before something is written."""

    def at(self, code: Code, index: Index) -> Atom:
        """Any number."""
        return self.dtype.type(0)


@dataclass(frozen=True)
class Stored(Lazy):
    """What a buffer holds, as long as nothing else is written there."""

    buffer: Buffer
    version: int

    def at(self, code: Code, index: Index) -> Atom:
        """What is there."""
        if self.version != self.buffer.version:
            raise Untranslatable("an array that is read after it was overwritten")
        return code.load(self.buffer, index)


@dataclass(frozen=True)
class Transposed(Lazy):
    """Axes in another order."""

    x: Lazy
    order: tuple[int, ...]

    def at(self, code: Code, index: Index) -> Atom:
        """The number there."""
        own = dict(zip(self.order, index, strict=True))
        return self.x.at(code, tuple(own[axis] for axis in range(len(index))))


@dataclass(frozen=True)
class Reshaped(Lazy):
    """The same numbers in another shape."""

    x: Lazy

    def at(self, code: Code, index: Index) -> Atom:
        """The number there."""
        short = [i for i, length in zip(index, self.shape, strict=True) if length > 1]
        if tuple(n for n in self.shape if n > 1) == tuple(n for n in self.x.shape if n > 1):
            rest = iter(short)
            return self.x.at(code, tuple(next(rest) if length > 1 else 0 for length in self.x.shape))
        return self.x.at(code, unravel(code, ravel(code, index, dense(self.shape)), self.x.shape))


@dataclass(frozen=True)
class Joined(Lazy):
    """Arrays one after the other along an axis."""

    parts: tuple[Value, ...]
    axis: int

    @property
    def starts(self) -> list[int]:
        """Where each part begins."""
        return [0, *np.cumsum([part.shape[self.axis] for part in self.parts]).tolist()][:-1]

    def at(self, code: Code, index: Index) -> Atom:
        """The number of the part that the position is in."""
        i, axis = index[self.axis], self.axis

        def of(part: Value, start: int) -> Atom:
            inside = clamped(code, minus(code, i, start), part.shape[axis] - 1)
            return at(code, part, (*index[:axis], inside, *index[axis + 1 :]))

        if not isinstance(i, Variable):
            k = max(k for k, start in enumerate(self.starts) if start <= i)
            return of(self.parts[k], self.starts[k])
        found = of(self.parts[0], 0)
        for part, start in zip(self.parts[1:], self.starts[1:], strict=True):
            found = code.emit("select", code.emit("ge", i, i.dtype.type(start)), of(part, start), found)
        return found


@dataclass(frozen=True)
class Chosen(Lazy):
    """One array or, in a lane where the condition does not hold, one number everywhere."""

    x: Lazy
    condition: Atom
    otherwise: Atom

    def at(self, code: Code, index: Index) -> Atom:
        """The number there."""
        return code.emit("select", self.condition, self.x.at(code, index), self.otherwise)


@dataclass(frozen=True)
class Converted(Lazy):
    """The numbers in another type."""

    x: Lazy

    def at(self, code: Code, index: Index) -> Atom:
        """The number there."""
        return code.emit("convert", self.x.at(code, index), dtype=self.dtype)


def few(shape: Sequence[int]) -> bool:
    """Whether an array of that shape is held in registers."""
    return prod(shape) <= FEW


def numbers(atoms: Iterable[Atom], shape: tuple[int, ...]) -> np.ndarray:
    """An array of atoms."""
    found = np.empty(shape, object)
    flat = found.reshape(-1)
    for i, atom in enumerate(atoms):
        flat[i] = atom
    return found


def scalar(atom: Atom) -> np.ndarray:
    """An array without axes."""
    return numbers([atom], ())


def constant(value: Any) -> Value:
    """A constant array."""
    value = np.asarray(value)
    if few(value.shape):
        return numbers(value.reshape(-1), value.shape)
    return Found(value.shape, value.dtype, lambda code, index: _of_table(code, value, index))


def _of_table(code: Code, value: np.ndarray, index: Index) -> Atom:
    if not any(isinstance(i, Variable) for i in index):
        return value.dtype.type(value[index])
    known = [b for b in code.buffers if b.values is value]
    return code.load(known[0] if known else code.buffer("table", value.shape, value.dtype, value), index)


def at(code: Code, value: Value, index: Index) -> Atom:
    """The number at a position, of an array of either kind; the same along an axis of length 1, and of a scalar."""
    index = tuple(0 if n == 1 else i for i, n in zip(index, value.shape, strict=bool(value.shape)))
    if isinstance(value, Lazy):
        return value.at(code, index)
    here = value[tuple(slice(None) if isinstance(i, Variable) else i for i in index)]
    moving = tuple(i for i in index if isinstance(i, Variable))
    return _looked_up(code, here, moving) if moving else value[index]


def _looked_up(code: Code, value: np.ndarray, index: Index) -> Atom:
    """One of the numbers in registers."""
    flat = value.reshape(-1)
    if all(v is flat[0] for v in flat):
        return flat[0]
    if all(isinstance(v, np.generic) for v in flat):
        table = np.array(list(flat), flat[0].dtype).reshape(value.shape)
        known = [b for b in code.buffers if b.values is not None and _same(b.values, table)]
        return code.load(known[0] if known else code.buffer("table", table.shape, table.dtype, table), index)
    if len(flat) > CHOSEN_FROM:
        return code.load(stored(code, value).buffer, index)
    place, found = ravel(code, index, dense(value.shape)), flat[-1]
    for k in reversed(range(len(flat) - 1)):
        found = code.emit("select", code.emit("eq", place, np.dtype(place.dtype).type(k)), flat[k], found)
    return found


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def settled(code: Code, value: Value, most: int = FEW) -> Value:
    """The array in registers, if it is small enough."""
    if isinstance(value, Lazy) and prod(value.shape) <= most:
        return numbers([value.at(code, index) for index in places(value.shape)], value.shape)
    return value


def is_fixed(value: Value) -> bool:
    """Whether it is part of what all lanes share, which is best read where it is needed."""
    if isinstance(value, Reshaped | Transposed):
        return is_fixed(value.x)
    return value.buffer.kind == "shared" if isinstance(value, Stored) else getattr(value, "fixed", False)


def places(shape: tuple[int, ...]) -> list[Index]:
    """All positions in an array."""
    return list(product(*map(range, shape)))


def dtype_of(value: Value) -> np.dtype:
    """Type of the numbers of an array."""
    return value.dtype if isinstance(value, Lazy) else value.reshape(-1)[0].dtype


def stored(code: Code, value: Value) -> Stored:
    """The array in memory of the thread."""
    buffer = code.buffer("local", value.shape, dtype_of(value))
    if isinstance(value, Lazy) and not isinstance(value, Empty):
        for_each(code, value.shape, lambda index: code.store(buffer, index, value.at(code, index)))
    elif isinstance(value, np.ndarray):
        for index in places(value.shape):
            atom: Any = value[index]
            code.store(buffer, index, atom)
    return Stored(value.shape, buffer.dtype, buffer, buffer.version)


def for_each(code: Code, shape: tuple[int, ...], do: Callable[[Index], None], done: Index = ()) -> None:
    """Do something at every position, along long axes in a loop."""
    if len(done) == len(shape):
        do(done)
    elif shape[len(done)] <= UNROLLED_AXIS:
        for i in range(shape[len(done)]):
            for_each(code, shape, do, (*done, i))
    else:
        first = len(code.loads)
        with code.counted(shape[len(done)]) as k:
            for_each(code, shape, do, (*done, k))
        if any(buffer.version != version for buffer, version in code.loads[first:]):
            raise Untranslatable("a long array that is overwritten while it is read")
