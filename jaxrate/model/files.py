"""Model files: TOML with the names and the strings that people type. The round trip is exact."""

import tomllib
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import tomli_w

from jaxrate.expr import Expr
from jaxrate.model import fields as light
from jaxrate.model import lineshapes, processes
from jaxrate.model.levels import Level
from jaxrate.model.model import Expected, Model
from jaxrate.model.processes import Process, check_keys
from jaxrate.names import unknown

PROCESSES = {
    cls.__name__: cls
    for cls in (
        processes.Radiative,
        processes.Decay,
        processes.Pump,
        processes.Collision,
        processes.EnergyTransfer,
        light.Beam,
        light.Blackbody,
        light.Cavity,
    )
}
LINESHAPES = {
    cls.__name__: cls for cls in (lineshapes.Lorentzian, lineshapes.Gaussian, lineshapes.Doppler, lineshapes.Voigt)
}
MODEL_KEYS = ("name", "source", "density", "temperature", "parameters", "levels", "processes", "expected")
MEDIA = Path(__file__).parent.parent / "media"


class ModelFileError(ValueError):
    """A model file that cannot be read; the message says where and what to write instead."""


def load_model(path: str | Path) -> Model:
    """Read a model from a TOML file.

    Args:
        path: The file, written by hand or by `Model.save`.

    Returns:
        The model; equal to the one that was saved.

    Raises:
        FileNotFoundError: there is no such file.
        ModelFileError: bad syntax (the line is shown), an unknown key (the nearest is named), a wrong type, or
            anything that the statement itself refuses.
    """
    text = Path(path).read_text(encoding="utf-8")
    try:
        return from_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelFileError(f"{path}: {error}{_line_shown(text, error)}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ModelFileError(f"{path}: {error}") from error


def media(name: str) -> Model:
    """A medium that ships with jaxrate, by name; `jr.list_media()` lists them.

    Raises:
        ValueError: there is none of that name (the nearest is named).
    """
    path = MEDIA / f"{name}.toml"
    if name not in list_media():
        raise ValueError(unknown("medium that ships with jaxrate", name, list_media()))
    return load_model(path)


def list_media() -> list[str]:
    """Names of the media that ship with jaxrate."""
    return sorted(path.stem for path in MEDIA.glob("*.toml"))


def _line_shown(text: str, error: tomllib.TOMLDecodeError) -> str:
    number = getattr(error, "lineno", None) or _line_in(str(error))
    lines = text.splitlines()
    return f"\n  line {number}: {lines[number - 1]}" if number and number <= len(lines) else ""


def _line_in(message: str) -> int | None:
    words = message.replace(",", " ").split()
    return int(words[words.index("line") + 1]) if "line" in words else None


def from_toml(text: str) -> Model:
    """Read a model from TOML text."""
    table = tomllib.loads(text)
    for key in table:
        if key not in MODEL_KEYS:
            raise ValueError(unknown("key", key, MODEL_KEYS, "a model"))
    if not table.get("levels"):
        raise ValueError("A model must have levels: [[levels]] tables with `name`, `energy` and `g`.")
    return Model(
        levels=_each(table, "levels", _level),
        processes=_each(table, "processes", _process),
        density=table.get("density"),
        temperature=_value(table.get("temperature"), "temperature"),
        parameters={k: _value(v, k) for k, v in _table(table.get("parameters", {}), "parameters").items()},
        name=_text(table, "name"),
        source=_text(table, "source"),
        expected=_each(table, "expected", lambda t, w: _build(Expected, t, w)),
    )


def _text(table: dict, key: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise ValueError(f"`{key}` must be text, but {value!r} was given.")
    return value


def _table(value: Any, where: str) -> dict:
    if not isinstance(value, dict):
        raise ValueError(f"`{where}` must be a table, but {value!r} was given.")
    return value


def _each(table: dict, key: str, read: Callable[[dict, str], Any]) -> list:
    rows = table.get(key, [])
    if not isinstance(rows, list):
        raise ValueError(f"`{key}` must be a list of tables, [[{key}]], but {rows!r} was given.")
    return [read(_table(row, f"{key} {i}"), _title(row, key, i)) for i, row in enumerate(rows, 1)]


def _title(row: Any, key: str, number: int) -> str:
    name = row.get("label") or row.get("name") if isinstance(row, dict) else None
    return f"{key} {number} (`{name}`)" if name else f"{key} {number}"


def _level(table: dict, where: str) -> Level:
    return _build(Level, {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}, where)


def _process(table: dict, where: str) -> Process:
    kind = table.get("kind")
    if kind not in PROCESSES:
        raise ValueError(f"{where}: " + unknown("kind of process", kind, PROCESSES))
    rest = {k: _value(v, f"{where}.{k}") for k, v in table.items() if k != "kind"}
    return _build(PROCESSES[kind], rest, where)


def _value(value: Any, where: str) -> Any:
    """A number or text as it is; {expr = ...}, {kind = lineshape} and {at = ...} as what they state."""
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, dict):
        return value
    if set(value) == {"expr"}:
        return Expr(value["expr"])
    if "at" in value:
        return _build(lineshapes.Spectrum, value, where)
    kind = value.get("kind")
    if kind not in LINESHAPES:
        raise ValueError(f"{where}: " + unknown("kind of lineshape", kind, LINESHAPES))
    return _build(LINESHAPES[kind], {k: _value(v, f"{where}.{k}") for k, v in value.items() if k != "kind"}, where)


def _build(cls: type, table: dict, where: str) -> Any:
    check_keys(cls, table, where)
    missing = [f.name for f in fields(cls) if _required(f) and f.name not in table]
    if missing:
        raise ValueError(f"{where}: {', '.join(f'`{m}`' for m in missing)} must be given.")
    try:
        return cls(**table)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from error


def _required(field: Field) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def to_toml(model: Model) -> str:
    """A model as TOML text.

    Raises:
        ValueError: a rate is a Python function, which no file can hold (it is named).
    """
    table = {
        "name": model.name,
        "source": model.source,
        "density": dict(model.density) if isinstance(model.density, tuple) else model.density,
        "temperature": _plain(model.temperature, "temperature"),
        "parameters": {k: _plain(v, k) for k, v in model.parameters_},
        "levels": [_stated(level, level.name) for level in model.levels],
        "processes": [{"kind": p.kind, **_stated(p, p.label)} for p in model.processes],
        "expected": [_stated(e, e.quantity) for e in model.expected],
    }
    return tomli_w.dumps({k: v for k, v in table.items() if v not in (None, "", {}, [])}, multiline_strings=False)


def _stated(thing: Any, where: str) -> dict:
    """The fields that differ from their default."""
    values = {f.name: (getattr(thing, f.name), f.default) for f in fields(thing)}
    return {k: _plain(v, f"{where}.{k}") for k, (v, default) in values.items() if v is not default and v != default}


def _plain(value: Any, where: str) -> Any:
    match value:
        case Expr():
            return {"expr": value.text}
        case lineshapes.Spectrum():
            return _stated(value, where)
        case lineshapes.Lineshape():
            return {"kind": type(value).__name__, **_stated(value, where)}
        case tuple():
            return list(value)
    if callable(value):
        raise ValueError(f"`{where}` is a Python function, which a file cannot hold: state it with jr.expr(...).")
    return value
