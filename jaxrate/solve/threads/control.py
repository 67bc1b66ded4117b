"""Loops, branches and calls within a program."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxrate.solve.threads.arrays import (
    Lazy,
    Stored,
    Value,
    as_index,
    at,
    constant,
    dtype_of,
    few,
    for_each,
    numbers,
    scalar,
    settled,
    stored,
)
from jaxrate.solve.threads.code import Assign, Atom, Code, Declare, If, Loop, Untranslatable, Variable, is_count
from jaxrate.solve.threads.indexing import row
from jaxrate.solve.threads.rules import RULES

UNROLLED_TURNS = 8
"""A loop of so many turns at most, known beforehand, is written out."""

Values = list[Value]

_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "checkpoint": "jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}
"""Operations that only run a program, and where they keep it."""


def run(code: Code, jaxpr: Any, constants: Sequence[Value], arguments: Sequence[Value]) -> Values:
    """What a program makes of arguments."""
    known = dict(zip(jaxpr.constvars, constants, strict=True)) | dict(zip(jaxpr.invars, arguments, strict=True))

    def read(atom: Any) -> Value:
        return constant(np.asarray(atom.val, atom.aval.dtype)) if hasattr(atom, "val") else known[atom]

    for equation in _needed(jaxpr):
        made = _made(code, equation, [read(v) for v in equation.invars])
        known.update(zip(equation.outvars, made, strict=True))
    return [read(v) for v in jaxpr.outvars]


def _needed(jaxpr: Any) -> list[Any]:
    """Equations that something comes of."""
    wanted, found = {v for v in jaxpr.outvars if not hasattr(v, "val")}, []
    for equation in reversed(jaxpr.eqns):
        if any(v in wanted for v in equation.outvars):
            wanted |= {v for v in equation.invars if not hasattr(v, "val")}
            found.append(equation)
    return found[::-1]


def _made(code: Code, equation: Any, values: Values) -> Values:
    name, parameters = equation.primitive.name, equation.params
    if name in _CONTROL:
        return _CONTROL[name](code, values, **parameters)
    if name in _CALLS:
        return called_with(code, parameters[_CALLS[name]], values)
    if name not in RULES:
        raise Untranslatable(name)
    try:
        made = RULES[name](code, *values, **parameters)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise Untranslatable(f"{name} of this kind") from error
    return made if equation.primitive.multiple_results else [made]


def called_with(code: Code, called: Any, values: Sequence[Value]) -> Values:
    """What a program called within another gives."""
    if hasattr(called, "consts"):
        return run(code, called.jaxpr, [constant(c) for c in called.consts], values)
    return run(code, called, [], values)


def _barrier(code: Code, values: Values, **_: Any) -> Values:
    return values


def _while(
    code: Code, values: Values, cond_jaxpr: Any, body_jaxpr: Any, cond_nconsts: int, body_nconsts: int, **_: Any
) -> Values:
    split = cond_nconsts + body_nconsts
    of_cond, of_body, first = values[:cond_nconsts], values[cond_nconsts:split], values[split:]

    def turn(state: Values) -> Values:
        return called_with(code, body_jaxpr, [*of_body, *state])

    def goes_on(state: Values) -> Atom:
        return called_with(code, cond_jaxpr, [*of_cond, *state])[0][()]  # type: ignore[index]

    return _looped(code, first, goes_on, turn, _kept(body_jaxpr.jaxpr, body_nconsts, len(first)))


def _kept(jaxpr: Any, first: int, num: int) -> list[bool]:
    """Which parts of the state a turn leaves as they are."""
    return [jaxpr.invars[first + i] is jaxpr.outvars[i] for i in range(num)]


def _looped(code: Code, first: Values, goes_on: Any, turn: Any, kept: list[bool]) -> Values:
    """A loop whose state is in variables and, where it is long, in memory.

    Numbers that begin as counts are taken to stay counts; where a turn shows otherwise, it is written again.
    """
    before, doubted = {buffer: buffer.version for buffer in code.buffers}, set[tuple[int, int]]()
    while True:
        with code.block() as attempt:
            state = [x if same else _carried(code, x, i, doubted) for i, (x, same) in enumerate(zip(first, kept))]
            state = [x if same else _entered(x) for x, same in zip(state, kept, strict=True)]
            with code.block() as head:
                condition = goes_on(state)
                with code.block() as body:
                    made = [settled(code, x) for x in turn(state)]
                    wrong = {(i, k) for i, x in enumerate(state) if not kept[i] for k in _no_counts(x, made[i])}
                    _assigned(code, state, made, kept)
            code.write(Loop(head, condition, body))
        if not wrong:
            break
        doubted |= wrong
        for buffer, version in before.items():
            buffer.version = version
    code.statements += attempt
    return [x if same or isinstance(x, np.ndarray) else _now(x) for x, same in zip(state, kept, strict=True)]


def _entered(x: Value) -> Value:
    """A long array as every turn finds it: what was read before the loop is no longer there."""
    if isinstance(x, Stored):
        x.buffer.version += 1
        return _now(x)
    return x


def _now(x: Any) -> Stored:
    return Stored(x.shape, x.dtype, x.buffer, x.buffer.version)


def _carried(code: Code, x: Value, i: int, doubted: set[tuple[int, int]]) -> Value:
    """What changes from turn to turn, with its first value."""
    x = settled(code, x)
    if isinstance(x, Stored) and x.buffer.kind == "local" and x.version == x.buffer.version:
        return x
    if isinstance(x, Lazy):
        return stored(code, x)
    flat = enumerate(x.reshape(-1))
    return numbers([code.running(a, a.dtype, (i, k) not in doubted and is_count(a)) for k, a in flat], x.shape)


def _no_counts(x: Value, new: Value) -> list[int]:
    """Which numbers were taken for counts and are none; a long array has to be written where it is."""
    if isinstance(x, Lazy):
        if not isinstance(new, Stored) or new.buffer is not x.buffer or new.version != new.buffer.version:  # type: ignore[attr-defined]
            raise Untranslatable("a long array that every turn makes anew")
        return []
    pairs = zip(x.reshape(-1), new.reshape(-1), strict=True)  # type: ignore[union-attr]
    return [k for k, (a, b) in enumerate(pairs) if a.counts and not is_count(b)]


def _assigned(code: Code, state: Values, made: Values, kept: list[bool]) -> None:
    """All variables at once: the next value of one may be the last one of another."""
    pairs = [
        (a, b)
        for x, new, same in zip(state, made, kept, strict=True)
        if isinstance(x, np.ndarray) and not same
        for a, b in zip(x.reshape(-1), new.reshape(-1), strict=True)  # type: ignore[union-attr]
        if not (isinstance(b, Variable) and a == b)
    ]
    changing = {a for a, _ in pairs}
    copies = {b: code.running(b, b.dtype) for b in {b for _, b in pairs if isinstance(b, Variable)} & changing}
    for a, b in pairs:
        code.write(Assign(a, copies.get(b, b) if isinstance(b, Variable) else b))


def _scan(
    code: Code, values: Values, jaxpr: Any, length: int, num_consts: int, num_carry: int, reverse: bool, **_: Any
) -> Values:
    split = num_consts + num_carry
    consts, first, rows = values[:num_consts], values[num_consts:split], values[split:]

    def turn(state: Values, k: Any) -> tuple[Values, Values]:
        made = called_with(code, jaxpr, [*consts, *state, *(row(code, x, k) for x in rows)])
        return made[:num_carry], made[num_carry:]

    shapes = [v.aval for v in jaxpr.jaxpr.outvars[num_carry:]]
    gathered = [_Gathered(code, (length, *s.shape), s.dtype) for s in shapes]
    if length <= UNROLLED_TURNS:
        state = list(first)
        for k in range(length)[:: -1 if reverse else 1]:
            state, new = turn(state, k)
            for g, x in zip(gathered, new, strict=True):
                g.put(k, x)
        return [*state, *(g.value for g in gathered)]
    return [*_turned(code, first, length, reverse, turn, gathered, jaxpr, num_consts), *(g.value for g in gathered)]


def _turned(
    code: Code, first: Values, length: int, reverse: bool, turn: Any, gathered: list, jaxpr: Any, num_consts: int
) -> Values:
    """A scan as a loop, its counter the first of the state."""

    def goes_on(state: Values) -> Atom:
        return code.emit("lt", state[0][()], np.int32(length))  # type: ignore[index]

    def counted(state: Values) -> Values:
        k = state[0][()]  # type: ignore[index]
        place = as_index(code.emit("sub", np.int32(length - 1), k)) if reverse else k
        made, new = turn(state[1:], place)
        for g, x in zip(gathered, new, strict=True):
            g.put(place, x)
        return [scalar(code.emit("add", k, np.int32(1))), *made]

    kept = [False, *_kept(jaxpr.jaxpr, num_consts, len(first))]
    return _looped(code, [scalar(np.int32(0)), *first], goes_on, counted, kept)[1:]


class _Gathered:
    """What every turn of a scan gives: in registers if it is little, else in memory."""

    def __init__(self, code: Code, shape: tuple[int, ...], dtype: Any) -> None:
        self.code, self.shape, self.dtype = code, shape, np.dtype(dtype)
        self.few = few(shape) and shape[0] <= UNROLLED_TURNS
        self.numbers = np.empty(shape, object)
        self.buffer = None if self.few else code.buffer("local", shape, dtype)

    def put(self, k: Any, x: Value) -> None:
        """Enter row k."""
        if self.buffer is None:
            self.numbers[k] = x if self.shape[1:] else x[()]  # type: ignore[index]
            return
        buffer = self.buffer
        for_each(self.code, self.shape[1:], lambda i: self.code.store(buffer, (k, *i), at(self.code, x, i)))

    @property
    def value(self) -> Value:
        """All rows."""
        if self.buffer is None:
            return self.numbers
        return Stored(self.shape, self.dtype, self.buffer, self.buffer.version)


def _cond(code: Code, values: Values, branches: Sequence[Any], **_: Any) -> Values:
    which, given = values[0][()], values[1:]  # type: ignore[index]
    if not isinstance(which, Variable):
        return called_with(code, branches[min(max(int(which), 0), len(branches) - 1)], given)
    if len(branches) != 2:
        raise Untranslatable("a choice among more than two")
    no = which if which.dtype == np.bool_ else code.emit("gt", which, which.dtype.type(0))
    before = {buffer: buffer.version for buffer in code.buffers}
    blocks, results = [], []
    for branch in branches:
        for buffer, version in before.items():
            buffer.version = version
        with code.block() as block:
            results.append([settled(code, x) for x in called_with(code, branch, given)])
        blocks.append(block)
    return _met(code, no, blocks, results)


def _met(code: Code, condition: Atom, blocks: list[list], results: list[Values]) -> Values:
    """Variables that hold what the branch gave that was taken."""
    met, assigned = [], [[], []]
    for pair in zip(*results, strict=True):
        met.append(_one(code, pair, assigned))
    otherwise, then = ([*block, *more] for block, more in zip(blocks, assigned, strict=True))
    code.write(If(condition, then, otherwise))
    return met


def _one(code: Code, pair: tuple[Value, ...], assigned: list[list]) -> Value:
    if any(isinstance(x, Lazy) for x in pair):
        buffers = {x.buffer for x in pair if isinstance(x, Stored)}
        if len(buffers) != 1 or not all(isinstance(x, Stored) for x in pair):
            raise Untranslatable("a long array that a branch makes anew")
        buffer = buffers.pop()
        buffer.version += 1
        return Stored(pair[0].shape, dtype_of(pair[0]), buffer, buffer.version)
    atoms = []
    for a, b in zip(*(x.reshape(-1) for x in pair), strict=True):  # type: ignore[union-attr]
        if type(a) is type(b) and (a == b if isinstance(a, Variable) else a.tobytes() == b.tobytes()):
            atoms.append(a)
            continue
        variable = code.variable(a.dtype, is_count(a) and is_count(b))
        code.write(Declare(variable, None))
        assigned[0].append(Assign(variable, a))
        assigned[1].append(Assign(variable, b))
        atoms.append(variable)
    return numbers(atoms, pair[0].shape)


_CONTROL = {"while": _while, "scan": _scan, "cond": _cond, "optimization_barrier": _barrier}
