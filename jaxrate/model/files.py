"""Model files: TOML with the names and the strings that people type. The round trip is exact."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import tomli_w

from jaxrate.expr import Expr
from jaxrate.model import fields as light
from jaxrate.model import lineshapes, processes
from jaxrate.model.exchange import Exchange
from jaxrate.model.expected import Expected
from jaxrate.model.gain import StimulatedGain
from jaxrate.model.levels import Level, Reservoir
from jaxrate.model.model import Model
from jaxrate.names import shown, unknown

_PROCESSES = (
    *(processes.Radiative, processes.Decay, processes.Pump, processes.Collision, processes.EnergyTransfer),
    *(Exchange, light.Beam, light.Blackbody, light.Cavity, StimulatedGain),
)
PROCESSES = {cls.__name__: cls for cls in _PROCESSES}
LINESHAPES = {
    cls.__name__: cls for cls in (lineshapes.Lorentzian, lineshapes.Gaussian, lineshapes.Doppler, lineshapes.Voigt)
}
MODEL_KEYS = ("name", "source", "density", "temperature", "parameters", "levels", "reservoirs", "processes", "expected")
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
    try:
        return from_toml(Path(path).read_bytes().decode("utf-8-sig"))
    except ValueError as error:
        raise ModelFileError(f"{path}: {error}") from error


def media(name: str) -> Model:
    """A medium that ships with jaxrate, by name; `jr.list_media()` lists them.

    Raises:
        ValueError: there is none of that name (the nearest is named).
    """
    if name not in list_media():
        raise ValueError(unknown("medium that ships with jaxrate", name, list_media()))
    return load_model(MEDIA / f"{name}.toml")


def list_media() -> list[str]:
    """Names of the media that ship with jaxrate."""
    return sorted(path.stem for path in MEDIA.glob("*.toml"))


def from_toml(text: str) -> Model:
    """Read a model from TOML text.

    Raises:
        ModelFileError: as `load_model`.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelFileError(f"{error}{_line_shown(text, str(error))}") from None
    return _model(table)


def _line_shown(text: str, message: str) -> str:
    """The line that a message of the TOML reader is about; the last one where it met the end too early."""
    lines, place = text.splitlines() or [""], re.search(r"line (\d+), column (\d+)", message)
    number = min(int(place[1]), len(lines)) if place else len(lines)
    caret = f"\n{' ' * (len(f'  line {number}: ') + int(place[2]) - 1)}^" if place else ""
    return f"\n  line {number}: {lines[number - 1]}{caret}"


def _model(table: dict) -> Model:
    _check_keys(MODEL_KEYS, table, "a model")
    if not table.get("levels") and not table.get("reservoirs"):
        raise ModelFileError("A model must have levels: [[levels]] tables with `name`, `energy` and `g`.")
    given: dict[str, Any] = {key: table[key] for key in ("name", "source") if key in table}
    given |= {key: _quantity(table[key], key) for key in ("density", "temperature") if key in table}
    if isinstance(given.get("density"), dict):
        given["density"] = {species: _quantity(v, f"density.{species}") for species, v in given["density"].items()}
    return Model(
        levels=_each(table, "levels", Level),
        processes=_each(table, "processes", _process),
        expected=_each(table, "expected", Expected),
        reservoirs=_each(table, "reservoirs", Reservoir),
        parameters=_dotted(_table(table.get("parameters", {}), "parameters")),
        **given,
    )


def _each(table: dict, key: str, read: type | Callable[[dict, str], Any]) -> list[Any]:
    """Read each [[key]] table."""
    rows = table.get(key, [])
    if not isinstance(rows, list):
        raise ModelFileError(f"`{key}` must be a list of tables, [[{key}]], but {shown(rows)} was given.")
    found = []
    for number, row in enumerate(rows, 1):
        where = _title(_table(row, f"[[{key}]] number {number}"), key, number)
        found.append(_build(read, row, where) if isinstance(read, type) else read(row, where))
    return found


def _title(row: dict, key: str, number: int) -> str:
    name = row.get("label") or row.get("name")
    return f"[[{key}]] number {number}" + (f", `{name}`" if isinstance(name, str) else "")


def _table(value: Any, where: str) -> dict:
    if not isinstance(value, dict):
        raise ModelFileError(f"{where} must be a table, but {shown(value)} was given.")
    return value


def _process(table: dict, where: str) -> processes.Process:
    return _of_kind(PROCESSES, table, where, "process", _FIELDS)


def _of_kind(kinds: dict[str, Any], table: dict, where: str, what: str, read: dict[str, Callable]) -> Any:
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
    _check_keys([field.name for field in fields(kinds[kind])], rest, f"{where} ({kind})")
    values = {key: read.get(key, _quantity)(value, f"{where}, {key}") for key, value in rest.items()}
    return _build(kinds[kind], values, where)


def _lineshape(value: Any, where: str) -> lineshapes.Lineshape:
    example = '{kind = "Lorentzian", fwhm = "120 GHz"}'
    if not isinstance(value, dict):
        raise ModelFileError(f"{where} must be a table such as {example}, but {shown(value)} was given.")
    return _of_kind(LINESHAPES, value, where, "lineshape", {})


def _spectrum(value: Any, where: str) -> lineshapes.Spectrum:
    return _build(lineshapes.Spectrum, _table(value, where), where)


def _mirrors(value: Any, where: str) -> Any:
    return tuple(_quantity(mirror, where) for mirror in value) if isinstance(value, list) else value


def _shares(value: Any, where: str) -> dict[str, Any]:
    return {level: _quantity(share, f"{where}.{level}") for level, share in _table(value, where).items()}


_FIELDS = {
    "lineshape": _lineshape,
    "emission": _spectrum,
    "absorption": _spectrum,
    "mirrors": _mirrors,
    "into": _shares,
}
"""How the values of a process are read that are not plain numbers or text."""


def _quantity(value: Any, where: str) -> Any:
    """A number or text as it is, {expr = "..."} as an expression."""
    if isinstance(value, dict) and set(value) == {"expr"}:
        try:
            return Expr(value["expr"])
        except ValueError as error:
            raise ModelFileError(f"{where}: {error}") from error
    if isinstance(value, dict) and where != "density":
        raise ModelFileError(f'{where} must be a number, text or {{expr = "..."}}, but {shown(value)} was given.')
    return value


def _dotted(table: dict, before: str = "") -> dict[str, Any]:
    """Parameters by their dotted name: TOML reads `wall.rate = 1` as a table `wall`."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        nested = isinstance(value, dict) and set(value) != {"expr"}
        found |= _dotted(value, f"{before}{key}.") if nested else {before + key: _quantity(value, before + key)}
    return found


def _check_keys(known: Any, given: dict, where: str) -> None:
    for key in given:
        if key not in known:
            raise ModelFileError(unknown("key", key, known, where))


def _build(cls: type, table: dict, where: str) -> Any:
    stated = fields(cls)
    _check_keys([field.name for field in stated], table, where)
    required = [field.name for field in stated if field.default is MISSING and field.default_factory is MISSING]
    if missing := [f"`{name}`" for name in required if name not in table]:
        raise ModelFileError(f"{where}: {', '.join(missing)} must be given.")
    try:
        return cls(**table)
    except ValueError as error:
        raise ModelFileError(f"{where}: {error}") from error


def to_toml(model: Model) -> str:
    """A model as TOML text.

    Raises:
        ValueError: a rate is a Python function, which no file can hold (it is named).
    """
    return tomli_w.dumps(as_table(model))


def as_table(model: Model) -> dict[str, Any]:
    """A model as the table that its file holds: text, numbers, lists and tables.

    Raises:
        ValueError: as `to_toml`.
    """
    density, parameters = model.density, dict(model.parameters_)
    table = {
        "name": model.name,
        "source": model.source,
        "density": _by_name(dict(density), "density.") if isinstance(density, tuple) else _plain(density, "density"),
        "temperature": _plain(model.temperature, "temperature"),
        "parameters": _by_name(parameters, ""),
        "levels": [_stated(level, level.name) for level in model.levels],
        "reservoirs": [_stated(reservoir, reservoir.name) for reservoir in model.reservoirs],
        "processes": [{"kind": p.kind, **_stated(p, p.label)} for p in model.processes],
        "expected": [_stated(e, e.title) for e in model.expected],
    }
    return {key: value for key, value in table.items() if value not in (None, "", {}, [])}


def _by_name(values: dict, before: str) -> dict[str, Any]:
    return {name: _plain(value, before + name) for name, value in values.items()}


def _stated(thing: Any, where: str) -> dict[str, Any]:
    """The fields that differ from their default."""
    values = {f.name: getattr(thing, f.name) for f in fields(thing) if getattr(thing, f.name) != f.default}
    return {name: _plain(value, f"{where}.{name}") for name, value in values.items()}


def _plain(value: Any, where: str) -> Any:
    match value:
        case Expr():
            return {"expr": value.text}
        case lineshapes.Spectrum():
            return _stated(value, where)
        case lineshapes.Lineshape():
            return {"kind": type(value).__name__, **_stated(value, where)}
        case tuple() if where.endswith(".into"):
            return _by_name(dict(value), f"{where}.")
        case tuple():
            one_name = len(value) == 1 and where.endswith((".drives", ".couples"))
            return value[0] if one_name else [_plain(part, where) for part in value]
    if callable(value):
        raise ValueError(f"`{where}` is a Python function, which a file cannot hold: state it with jr.expr(...).")
    return value
