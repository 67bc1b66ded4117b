"""What becomes of loops."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxrate.solve.threads.arrays import Lazy, Stored, Value, at, few, for_each, numbers, scalar, settled, stored
from jaxrate.solve.threads.code import Assign, Atom, Buffer, Code, Loop, Untranslatable, Variable, is_count
from jaxrate.solve.threads.indexing import row
from jaxrate.solve.threads.positions import as_index

Values = list[Value]
"""What a program takes or gives."""

Call = Callable[[Code, Any, Sequence[Value]], Values]
"""How a program within another is run."""

UNROLLED_TURNS = 8
"""A loop of so many turns at most, known beforehand, is written out."""


def while_loop(
    code: Code,
    call: Call,
    values: Values,
    cond_jaxpr: Any,
    body_jaxpr: Any,
    cond_nconsts: int,
    body_nconsts: int,
    **_: Any,
) -> Values:
    """A loop that ends by a condition."""
    split = cond_nconsts + body_nconsts
    of_cond, of_body, first = values[:cond_nconsts], values[cond_nconsts:split], values[split:]

    def turn(state: Values) -> Values:
        return call(code, body_jaxpr, [*of_body, *state])

    def goes_on(state: Values) -> Atom:
        return call(code, cond_jaxpr, [*of_cond, *state])[0][()]

    return _looped(code, first, goes_on, turn, _kept(body_jaxpr.jaxpr, body_nconsts, len(first)))


def _kept(jaxpr: Any, first: int, num: int) -> list[bool]:
    """Which parts of the state a turn leaves as they are."""
    return [jaxpr.invars[first + i] is jaxpr.outvars[i] for i in range(num)]


def _looped(
    code: Code, first: Values, goes_on: Any, turn: Any, kept: list[bool], filled: Sequence[Buffer] = ()
) -> Values:
    """A loop whose state is in variables and, where it is long, in memory; turns only write into what is filled.

    Numbers that begin as counts are taken to stay counts; where a turn shows otherwise, it is written again.
    """
    before, doubted = {buffer: buffer.version for buffer in code.buffers}, set[tuple[int, int]]()
    while True:
        with code.block() as attempt:
            state = [
                x if same else _carried(code, x, i, doubted)
                for i, (x, same) in enumerate(zip(first, kept, strict=True))
            ]
            state = [x if same else _entered(code, x) for x, same in zip(state, kept, strict=True)]
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
    carried = [x.buffer for x, same in zip(state, kept, strict=True) if isinstance(x, Stored) and not same]
    _check_written(before, [*filled, *carried])
    code.statements += attempt
    return [x if same or isinstance(x, np.ndarray) else _now(x) for x, same in zip(state, kept, strict=True)]


def _check_written(before: dict[Buffer, int], changing: Sequence[Buffer]) -> None:
    """Refuse a turn that writes into what the next one, or what follows the loop, finds as it was."""
    if any(buffer.version != version and buffer not in changing for buffer, version in before.items()):
        raise Untranslatable("a long array that a turn overwrites and the next one needs")


def _entered(code: Code, x: Value) -> Value:
    """A long array as every turn finds it: what was read before the loop is no longer there."""
    if isinstance(x, Stored):
        code.touch(x.buffer)
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


def _no_counts(x: Any, new: Value) -> list[int]:
    """Which numbers were taken for counts and are none; a long array has to be written where it is."""
    if isinstance(x, Stored):
        if not isinstance(new, Stored) or new.buffer is not x.buffer or new.version != new.buffer.version:
            raise Untranslatable("a long array that every turn makes anew")
        return []
    pairs = zip(x.reshape(-1), new.reshape(-1), strict=True)
    return [k for k, (a, b) in enumerate(pairs) if a.counts and not is_count(b)]


def _assigned(code: Code, state: Values, made: Values, kept: list[bool]) -> None:
    """All variables at once: the next value of one may be the last one of another."""
    pairs = [
        (a, b)
        for x, new, same in zip(state, made, kept, strict=True)
        if isinstance(x, np.ndarray) and not same
        for a, b in zip(x.reshape(-1), new.reshape(-1), strict=True)
        if not (isinstance(b, Variable) and a == b)
    ]
    changing = {a for a, _ in pairs}
    both = dict.fromkeys(b for _, b in pairs if isinstance(b, Variable) and b in changing)  # in the order of the text
    copies = {b: code.running(b, b.dtype) for b in both}
    for a, b in pairs:
        code.write(Assign(a, copies.get(b, b) if isinstance(b, Variable) else b))


def scan(
    code: Code,
    call: Call,
    values: Values,
    jaxpr: Any,
    length: int,
    num_consts: int,
    num_carry: int,
    reverse: bool,
    **_: Any,
) -> Values:
    """A loop of a number of turns known beforehand."""
    split = num_consts + num_carry
    consts, first, rows = values[:num_consts], values[num_consts:split], values[split:]

    def turn(state: Values, k: Any) -> tuple[Values, Values]:
        made = call(code, jaxpr, [*consts, *state, *(row(code, x, k) for x in rows)])
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
        return code.emit("lt", state[0][()], np.int32(length))

    def counted(state: Values) -> Values:
        k = state[0][()]
        place = as_index(code.emit("sub", np.int32(length - 1), k)) if reverse else k
        made, new = turn(state[1:], place)
        for g, x in zip(gathered, new, strict=True):
            g.put(place, x)
        return [scalar(code.emit("add", k, np.int32(1))), *made]

    kept = [False, *_kept(jaxpr.jaxpr, num_consts, len(first))]
    filled = [g.buffer for g in gathered if g.buffer is not None]
    return _looped(code, [scalar(np.int32(0)), *first], goes_on, counted, kept, filled)[1:]


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
            self.numbers[k] = x if self.shape[1:] else x[()]
            return
        buffer = self.buffer
        for_each(self.code, self.shape[1:], lambda i: self.code.store(buffer, (k, *i), at(self.code, x, i)))

    @property
    def value(self) -> Value:
        """All rows."""
        if self.buffer is None:
            return self.numbers
        return Stored(self.shape, self.dtype, self.buffer, self.buffer.version)
