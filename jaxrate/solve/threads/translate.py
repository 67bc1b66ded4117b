"""A program of one lane, as JAX traces it, as the code of a thread."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import numpy as np
from numpy.lib.stride_tricks import as_strided

from jaxrate.solve.threads.arrays import (
    Chosen,
    Converted,
    Joined,
    Reshaped,
    Stored,
    Transposed,
    Value,
    at,
    constant,
    few,
    for_each,
    places,
    settled,
)
from jaxrate.solve.threads.code import Atom, Buffer, Code, If, Index, Load, Loop, Store, Untranslatable, dense
from jaxrate.solve.threads.control import run

MOST_BYTES = 2**14
"""Memory of one thread at most; programs that need more are better off with XLA."""


@dataclass(frozen=True, eq=False)
class Thread:
    """The code of a thread.

    Attributes:
        statements: What it does.
        inputs: Where it reads: what all lanes share, then what each lane has, in the order of its arguments.
        outputs: Where it writes, by name, each (*core,).
        buffers: Tables and memory of its own.
    """

    statements: list[Any]
    inputs: list[Buffer]
    outputs: dict[str, Buffer]
    buffers: list[Buffer]


def translated(solve: Callable[..., Mapping[str, Any]], base: Any, block: Mapping[str, Any]) -> Thread:
    """The code of a thread that solves one lane.

    Args:
        solve: Results by name, shapes (*core, 1), from values that all lanes share and a block of one lane.
        base: Shape and type of the shared values.
        block: Shape and type of every array of the block, (*core, 1), by name.

    Raises:
        Untranslatable: it needs what a thread does not have.
    """
    traced, shapes = jax.make_jaxpr(solve, return_shape=True)(base, dict(block))
    code = Code()
    inputs = [code.buffer("shared", base.shape, base.dtype)]
    inputs += [code.buffer("lane", block[name].shape, block[name].dtype) for name in sorted(block)]
    constants = [constant(c) for c in traced.consts]
    found = run(code, traced.jaxpr, constants, [_read(code, buffer) for buffer in inputs])
    names = sorted(shapes)
    outputs = {name: code.buffer("output", shapes[name].shape[:-1], shapes[name].dtype) for name in names}
    _Placing(code).all([(outputs[name], x) for name, x in zip(names, found, strict=True)])
    used = _used(code.statements)
    own = [b for b in code.buffers if b.kind in ("table", "local") and b in used]
    if sum(prod(b.shape) * b.dtype.itemsize for b in own if b.kind == "local") > MOST_BYTES:
        raise Untranslatable("memory for long arrays")
    return Thread(code.statements, inputs, outputs, own)


def _read(code: Code, buffer: Buffer) -> Value:
    return settled(code, Stored(buffer.shape, buffer.dtype, buffer, 0))


def _used(statements: list[Any]) -> set[Buffer]:
    """Buffers that are read or written."""
    found = {s.buffer for s in statements if isinstance(s, Load | Store)}
    for inner in (part for s in statements for part in _parts(s)):
        found |= _used(inner)
    return found


def _parts(statement: Any) -> list[list]:
    if isinstance(statement, If):
        return [statement.then, statement.otherwise]
    return [statement.head, statement.body] if isinstance(statement, Loop) else []


@dataclass
class _Region:
    """Part of an output, and where its elements are in it."""

    buffer: Buffer
    strides: tuple[int, ...]
    offset: int = 0


class _Placing:
    """Puts results where the caller wants them; long ones are written there in the first place."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.fillings: list[tuple[Atom, _Region, tuple[int, ...], Atom]] = []

    def all(self, results: Sequence[tuple[Buffer, Value]]) -> None:
        """All results; what is read for one of them is read before another is filled."""
        whole = [(x, _Region(buffer, dense(x.shape))) for buffer, x in results]
        left = [(x, region) for x, region in whole if not self._is_place(x)]
        for x, region in left:
            self._copied(x, region)
        for x, region in whole:
            if self._is_place(x) and not self._placed(x, region):
                self._copied(x, region)
        for condition, region, shape, value in self.fillings:
            self._filled(condition, region, shape, value)

    def _is_place(self, x: Value) -> bool:
        """Whether it is nothing but memory in another order."""
        if isinstance(x, Transposed | Reshaped | Chosen | Converted):
            return self._is_place(x.x)
        return isinstance(x, Stored) or (isinstance(x, Joined) and any(map(self._is_place, x.parts)))

    def _placed(self, x: Value, region: _Region) -> bool:
        """Let what is written into memory be written into the region; False if it cannot be."""
        if isinstance(x, Stored):
            return self._moved(x, region)
        if isinstance(x, Transposed):
            own = dict(zip(x.order, region.strides, strict=True))
            return self._placed(x.x, _Region(region.buffer, tuple(own[k] for k in range(len(own))), region.offset))
        if isinstance(x, Reshaped):
            strides = _reshaped(x.shape, region.strides, x.x.shape)
            return strides is not None and self._placed(x.x, _Region(region.buffer, strides, region.offset))
        if isinstance(x, Chosen):
            self.fillings.append((x.condition, region, x.shape, x.otherwise))
            if not self._placed(x.x, region):
                self._copied(x.x, region)
            return True
        if isinstance(x, Joined):
            for part, start in zip(x.parts, x.starts, strict=True):
                inside = _Region(region.buffer, region.strides, region.offset + start * region.strides[x.axis])
                if not self._placed(part, inside):
                    self._copied(part, inside)
            return True
        return False

    def _moved(self, x: Stored, region: _Region) -> bool:
        buffer = x.buffer
        if buffer.kind != "local" or buffer.dtype != region.buffer.dtype or x.version != buffer.version:
            return False
        buffer.kind, buffer.name = "output", region.buffer.name
        buffer.strides, buffer.offset = region.strides, region.offset
        return True

    def _copied(self, x: Value, region: _Region) -> None:
        def put(index: Index) -> None:
            self._store(region, index, at(self.code, x, index))

        if not few(x.shape):
            for_each(self.code, x.shape, put)
            return
        for index in places(x.shape):
            put(index)

    def _store(self, region: _Region, index: Index, value: Atom) -> None:
        seen = self._seen(region, len(index))
        self.code.store(seen, index, self.code.emit("convert", value, dtype=region.buffer.dtype))

    def _seen(self, region: _Region, rank: int) -> Buffer:
        """The output with the axes of the region."""
        made = Buffer(region.buffer.name, "output", (1,) * rank, region.buffer.dtype)
        made.strides, made.offset = region.strides, region.offset
        return made

    def _filled(self, condition: Atom, region: _Region, shape: tuple[int, ...], value: Atom) -> None:
        with self.code.block() as block:
            for_each(self.code, shape, lambda i: self._store(region, i, value))
        self.code.write(If(self.code.emit("not", condition), block, []))


def _reshaped(shape: tuple[int, ...], strides: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...] | None:
    """Strides of the same elements in another shape; None if there are none."""
    view = as_strided(np.zeros(1, np.int8), shape, strides)
    try:
        return view.reshape(new, copy=False).strides
    except ValueError:
        return None
