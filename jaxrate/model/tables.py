"""Tables of a model file as statements, and statements as tables."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

from jaxrate.expr import Expr
from jaxrate.model import lineshapes
from jaxrate.names import shown, unknown


class ModelFileError(ValueError):
    """A model file that cannot be read; the message says where and what to write instead."""


def read_toml(text: str) -> dict[str, Any]:
    """The table that TOML text is.

    Raises:
        ModelFileError: bad syntax (the line is shown).
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelFileError(f"{error}{_line_shown(text, str(error))}") from None


def _line_shown(text: str, message: str) -> str:
    """The line that a message of the TOML reader is about; the last one where it met the end too early."""
    lines, place = text.splitlines() or [""], re.search(r"line (\d+), column (\d+)", message)
    number = min(int(place[1]), len(lines)) if place else len(lines)
    caret = f"\n{' ' * (len(f'  line {number}: ') + int(place[2]) - 1)}^" if place else ""
    return f"\n  line {number}: {lines[number - 1]}{caret}"


def each_of(table: dict, key: str, read: type | Callable[[dict, str], Any], inside: str = "") -> list[Any]:
    """Read each [[key]] table; `inside` is the name of the table that it is in, with a dot."""
    rows, name = table.get(key, []), f"{inside}{key}"
    if not isinstance(rows, list):
        raise ModelFileError(f"`{name}` must be a list of tables, [[{name}]], but {shown(rows)} was given.")
    found = []
    for number, row in enumerate(rows, 1):
        where = _title(table_at(row, f"[[{name}]] number {number}"), name, number)
        found.append(build(read, row, where) if isinstance(read, type) else read(row, where))
    return found


def _title(row: dict, key: str, number: int) -> str:
    name = row.get("label") or row.get("name")
    return f"[[{key}]] number {number}" + (f", `{name}`" if isinstance(name, str) else "")


def table_at(value: Any, where: str) -> dict:
    """Refuse what is no table."""
    if not isinstance(value, dict):
        raise ModelFileError(f"{where} must be a table, but {shown(value)} was given.")
    return value


def of_kind(kinds: dict[str, Any], table: dict, where: str, what: str, read: dict[str, Callable]) -> Any:
    """Build what the table's `kind` names from its other keys."""
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        wrong = (
            unknown(f"kind of {what}", kind, kinds)
            if kind is not None
            else f"it must have a `kind`: {', '.join(kinds)}."
        )
        raise ModelFileError(f"{where}: {wrong}")
    rest = {key: value for key, value in table.items() if key != "kind"}
    check_keys([field.name for field in fields(kinds[kind])], rest, f"{where} ({kind})")
    values = {key: read.get(key, quantity)(value, f"{where}, {key}") for key, value in rest.items()}
    return build(kinds[kind], values, where)


def quantity(value: Any, where: str) -> Any:
    """A number or text as it is, {expr = "..."} as an expression."""
    if isinstance(value, dict) and set(value) == {"expr"}:
        try:
            return Expr(value["expr"])
        except ValueError as error:
            raise ModelFileError(f"{where}: {error}") from error
    if isinstance(value, dict) and where != "density":
        raise ModelFileError(f'{where} must be a number, text or {{expr = "..."}}, but {shown(value)} was given.')
    return value


def check_keys(known: Any, given: dict, where: str) -> None:
    """Refuse a key that is not known."""
    for key in given:
        if key not in known:
            raise ModelFileError(unknown("key", key, known, where))


def build(cls: type, table: dict, where: str) -> Any:
    """A statement from the values of its fields; what it refuses is refused with its place."""
    known = fields(cls)
    check_keys([field.name for field in known], table, where)
    required = [field.name for field in known if field.default is MISSING and field.default_factory is MISSING]
    if missing := [f"`{name}`" for name in required if name not in table]:
        raise ModelFileError(f"{where}: {', '.join(missing)} must be given.")
    try:
        return cls(**table)
    except ValueError as error:
        raise ModelFileError(f"{where}: {error}") from error


def by_name(values: dict, before: str) -> dict[str, Any]:
    """Values by name as a file holds them; `before` stands before the names in messages."""
    return {name: plain(value, before + name) for name, value in values.items()}


def stated(thing: Any, where: str) -> dict[str, Any]:
    """The fields that differ from their default."""
    values = {f.name: getattr(thing, f.name) for f in fields(thing) if getattr(thing, f.name) != f.default}
    return {name: plain(value, f"{where}.{name}") for name, value in values.items()}


def plain(value: Any, where: str) -> Any:
    """One value as a file holds it.

    Raises:
        ValueError: a Python function, which no file can hold.
    """
    match value:
        case Expr():
            return {"expr": value.text}
        case lineshapes.Spectrum():
            return stated(value, where)
        case lineshapes.Lineshape():
            return {"kind": type(value).__name__, **stated(value, where)}
        case tuple() if where.endswith(".into"):
            return by_name(dict(value), f"{where}.")
        case tuple():
            one_name = len(value) == 1 and where.endswith((".drives", ".couples"))
            return value[0] if one_name else [plain(part, where) for part in value]
    if callable(value):
        raise ValueError(f"`{where}` is a Python function, which a file cannot hold: state it with jr.expr(...).")
    return value
