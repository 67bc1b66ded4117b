"""The code of a thread as text that CUDA and C++ both compile."""

from math import isfinite, isnan
from typing import Any

import numpy as np

from jaxrate.solve.threads.code import Assign, Atom, Buffer, Declare, If, Index, Let, Load, Loop, Store, Variable
from jaxrate.solve.threads.operations import HOST_FUNCTIONS, OF_INTEGERS, OF_UNSIGNED, OPERATIONS, TYPES
from jaxrate.solve.threads.translate import Thread

LANE, LANES = "lane", "lanes"
"""Names of the number of a lane and of how many there are."""


def text(thread: Thread) -> str:
    """Body of a C function.

    It finds what all lanes share under the name of that buffer, what a lane has at [place * `name`_lanes + `name`_at],
    and results at [place * `LANES` + `LANE`].
    """
    lines = [HOST_FUNCTIONS, *(_reader_of_bits(*pair) for pair in _BITS)]
    lines += [line for buffer in thread.buffers for line in _memory(buffer)]
    for statement in thread.statements:
        lines += _lines(statement)
    return "\n".join(lines)


_BITS = (("f8", "i8"), ("i8", "f8"), ("f8", "u8"), ("u8", "f8"), ("f4", "i4"), ("i4", "f4"), ("f4", "u4"), ("u4", "f4"))
"""Types (from, to) as which the same bits are read."""


def _bits(of: np.dtype, to: np.dtype) -> str:
    return f"bits_{of.str[1:]}_{to.str[1:]}"


def _reader_of_bits(of: str, to: str) -> str:
    read = f"union {{ {TYPES[of]} a; {TYPES[to]} b; }} both; both.a = x; return both.b;"
    return f"auto bits_{of}_{to} = []({TYPES[of]} x) {{ {read} }};"


def kind(dtype: Any) -> str:
    """Name of a type in C."""
    return TYPES[np.dtype(dtype).str[1:]]


def _memory(buffer: Buffer) -> list[str]:
    if buffer.values is None and buffer.kind == "local":
        return [f"{kind(buffer.dtype)} {buffer.name}[{int(np.prod(buffer.shape))}];"]
    if buffer.values is None:
        return []
    values = ", ".join(_constant(v) for v in buffer.values.reshape(-1))
    return [f"static const {kind(buffer.dtype)} {buffer.name}[] = {{{values}}};"]


def _lines(statement: Any) -> list[str]:
    match statement:
        case Let(variable, operation, atoms):
            return [f"const {kind(variable.dtype)} {_of(variable)} = {_expression(variable, operation, atoms)};"]
        case Load(variable, buffer, index):
            return [f"const {kind(variable.dtype)} {_of(variable)} = {_place(buffer, index)};"]
        case Store(buffer, index, value):
            return [f"{_place(buffer, index)} = {_of(value)};"]
        case Declare(variable, value):
            return [f"{kind(variable.dtype)} {_of(variable)}{'' if value is None else f' = {_of(value)}'};"]
        case Assign(variable, value):
            return [f"{_of(variable)} = {_of(value)};"]
        case If(condition, then, otherwise):
            rest = ["} else {", *_block(otherwise)] if otherwise else []
            return [f"if ({_of(condition)}) {{", *_block(then), *rest, "}"]
        case Loop(head, condition, body):
            return [
                "#pragma unroll 1",
                "for (;;) {",
                *_block(head),
                f"if (!{_of(condition)}) break;",
                *_block(body),
                "}",
            ]
    raise TypeError(f"No statement: {statement!r}")


def _block(statements: list[Any]) -> list[str]:
    return [line for statement in statements for line in _lines(statement)]


def _of(atom: Atom) -> str:
    return f"v{atom.number}" if isinstance(atom, Variable) else _constant(atom)


def _constant(value: Any) -> str:
    dtype = np.asarray(value).dtype
    if dtype.kind == "b":
        return "true" if value else "false"
    if dtype.kind in "iu":
        return f"(({kind(dtype)}){int(value)}{'u' if dtype.kind == 'u' else ''}ll)" if value != _least(dtype) else _low
    ending = "f" if dtype == np.float32 else ""
    if not isfinite(value):
        return (
            f"(0.0{ending} / 0.0{ending})" if isnan(value) else f"({'-' if value < 0 else ''}1.0{ending} / 0.0{ending})"
        )
    return f"({float(value)!r}{ending})"


_low = "(-9223372036854775807ll - 1)"


def _least(dtype: np.dtype) -> int | None:
    return -(2**63) if dtype == np.int64 else None


def _expression(variable: Variable, operation: str, atoms: tuple[Atom, ...]) -> str:
    names = [_of(a) for a in atoms]
    dtype = atoms[0].dtype
    if operation == "convert":
        return f"({kind(variable.dtype)}){names[0]}"
    if operation == "bitcast":
        return f"{_bits(dtype, variable.dtype)}({names[0]})"
    if operation == "not":
        return f"{'!' if dtype.kind == 'b' else '~'}{names[0]}"
    special = {"i": OF_INTEGERS, "u": OF_UNSIGNED}.get(dtype.kind, {})
    form = special.get(operation, OPERATIONS[operation].text)
    return form.format(*names, f="f" if dtype == np.float32 else "")


def _place(buffer: Buffer, index: Index) -> str:
    place = _sum(buffer, index)
    if buffer.kind == "lane" and np.prod(buffer.shape) == 1:
        return f"{buffer.name}[{buffer.name}_at]"
    if buffer.kind == "lane":
        return f"{buffer.name}[{place} * {buffer.name}_lanes + {buffer.name}_at]"
    if buffer.kind == "output":
        return f"{buffer.name}[{place} * {LANES} + {LANE}]"
    return f"{buffer.name}[{place}]"


def _sum(buffer: Buffer, index: Index) -> str:
    pairs = list(zip(index, buffer.strides, strict=True))
    known = buffer.offset + sum(i * stride for i, stride in pairs if not isinstance(i, Variable))
    terms = [f"{_of(i)} * {stride}" for i, stride in pairs if isinstance(i, Variable)]
    return f"({' + '.join([*terms, str(known)])})"
