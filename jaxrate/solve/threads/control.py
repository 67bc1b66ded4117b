"""Programs, the programs within them, and branches."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxrate.solve.threads.arrays import Lazy, Stored, Value, constant, dtype_of, numbers, settled
from jaxrate.solve.threads.code import Assign, Atom, Buffer, Code, Declare, If, Untranslatable, Variable, is_count
from jaxrate.solve.threads.loops import Call, Values, scan, while_loop
from jaxrate.solve.threads.rules import RULES

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
        return _CONTROL[name](code, called_with, values, **parameters)
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


def _barrier(code: Code, call: Call, values: Values, **_: Any) -> Values:
    return values


def _cond(code: Code, call: Call, values: Values, branches: Sequence[Any], **_: Any) -> Values:
    which, given = values[0][()], values[1:]
    if not isinstance(which, Variable):
        return call(code, branches[min(max(int(which), 0), len(branches) - 1)], given)
    if len(branches) != 2:
        raise Untranslatable("a choice among more than two")
    yes = which if which.dtype == np.bool_ else code.emit("gt", which, which.dtype.type(0))
    before = {buffer: buffer.version for buffer in code.buffers}
    blocks, results, written = [], [], dict[Buffer, None]()
    for branch in branches:
        with code.block() as block:
            results.append([_last(settled(code, x)) for x in call(code, branch, given)])
        blocks.append(block)
        written |= dict.fromkeys(buffer for buffer, version in before.items() if buffer.version != version)
        for buffer, version in before.items():
            buffer.version = version
    for buffer in written:
        code.touch(buffer)
    return _met(code, yes, blocks, results)


def _last(x: Value) -> Value:
    """A result of a branch, which is in memory when the branch is over."""
    if isinstance(x, Stored) and x.version != x.buffer.version:
        raise Untranslatable("a result of a branch that was overwritten there")
    return x


def _met(code: Code, condition: Atom, blocks: list[list], results: list[Values]) -> Values:
    """Variables that hold what the branch gave that was taken."""
    met, assigned = [], [[], []]
    for pair in zip(*results, strict=True):
        met.append(_one(code, pair, assigned))
    otherwise, then = ([*block, *more] for block, more in zip(blocks, assigned, strict=True))
    code.write(If(condition, then, otherwise))
    return met


def _one(code: Code, pair: tuple[Value, ...], assigned: list[list]) -> Value:
    """One result of two branches."""
    if any(isinstance(x, Lazy) for x in pair):
        buffers = {x.buffer for x in pair if isinstance(x, Stored)}
        if len(buffers) != 1 or not all(isinstance(x, Stored) for x in pair):
            raise Untranslatable("a long array that a branch makes anew")
        buffer = buffers.pop()
        return Stored(pair[0].shape, dtype_of(pair[0]), buffer, buffer.version)
    atoms = []
    for a, b in zip(*(x.reshape(-1) for x in pair), strict=True):
        if type(a) is type(b) and (a == b if isinstance(a, Variable) else a.tobytes() == b.tobytes()):
            atoms.append(a)
            continue
        variable = code.variable(a.dtype, is_count(a) and is_count(b))
        code.write(Declare(variable, None))
        assigned[0].append(Assign(variable, a))
        assigned[1].append(Assign(variable, b))
        atoms.append(variable)
    return numbers(atoms, pair[0].shape)


_CONTROL = {"while": while_loop, "scan": scan, "cond": _cond, "optimization_barrier": _barrier}
