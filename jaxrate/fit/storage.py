"""A fit on disk: `fit.json` for everything but the table, `residuals.csv` for that; written whole or not at all.

The CSV is a tidy table again: `read_table` reads it, and its columns have the names and units that a fit expects.
"""

import csv
import hashlib
import io
import json
import math
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from jaxrate.names import shown
from jaxrate.sweep.partial import write_whole

FORMAT, VERSION = "jaxrate-fit", 1
FIT, RESIDUALS = "fit.json", "residuals.csv"
PER_OBSERVABLE = {"value": "", "sigma": ".sigma", "fit": ".fit", "fit_lower": ".fit_lower", "fit_upper": ".fit_upper"}
"""Columns of the table that in the file are one column for each observable, and how they are named there."""
APART = ("table", "_problem")
"""Fields that are not in `fit.json`: the table has a file of its own; the problem is made of functions."""
NOT_FINITE = ("inf", "-inf", "nan")


def save(fit: Any, directory: str | os.PathLike[str]) -> None:
    """Write a fit into a directory, which is made; what was there of another fit is replaced.

    Infinite numbers of the table, which no table of data holds, are written as nan.

    Raises:
        OSError: it cannot be written; what was there is left as it was.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    columns = {name: _kind(values) for name, values in fit.table.items()}
    observables = list(dict.fromkeys(np.asarray(fit.table["observable"]).tolist()))
    rows = _written(fit.table, _layout(columns, observables, fit.units)).encode()
    stated = {f.name: _plain(getattr(fit, f.name)) for f in fields(fit) if f.name not in APART}
    table = {"sha256": hashlib.sha256(rows).hexdigest(), "columns": columns, "observables": observables}
    whole = {"format": FORMAT, "version": VERSION, **stated, "table": table}
    text = json.dumps(whole, indent=1, allow_nan=False)
    write_whole(folder / RESIDUALS, rows)
    write_whole(folder / FIT, f"{text}\n".encode())


def _plain(x: Any) -> Any:
    """What JSON can hold: numbers that are not finite, and objects of other kinds, as text."""
    if is_dataclass(x):
        return {f.name: _plain(getattr(x, f.name)) for f in fields(x)}
    if isinstance(x, Mapping):
        return {str(name): _plain(value) for name, value in x.items()}
    if isinstance(x, np.ndarray | np.generic):
        return _plain(x.tolist())
    if isinstance(x, list | tuple):
        return [_plain(value) for value in x]
    if isinstance(x, float):
        return x if math.isfinite(x) else str(x)
    return x if x is None or isinstance(x, bool | int | str) else str(x)


def _kind(values: Any) -> str:
    return {"f": "number", "i": "integer", "u": "integer"}.get(np.asarray(values).dtype.kind, "text")


Layout = list[tuple[str, str, str | None]]  # title in the file, column of the table, observable


def _layout(columns: Mapping[str, str], observables: list[str], units: Mapping[str, str]) -> Layout:
    """Columns of the file. A number comes first, since a text may begin with the # of a comment."""
    shared = [name for name in columns if name not in (*PER_OBSERVABLE, "observable", "residual")]
    shared.sort(key=lambda name: (name != "line", columns[name] != "text"))
    own = [name for name in PER_OBSERVABLE if name in columns]
    last = [name for name in columns if name == "residual"]
    return [
        *((_title(name, None if columns[name] == "text" else units.get(name)), name, None) for name in shared),
        *((_title(f"{X}{PER_OBSERVABLE[name]}", units.get(X)), name, X) for X in observables for name in own),
        *((_title(name, "1"), name, None) for name in last),
    ]


def _title(name: str, unit: str | None) -> str:
    return f"{name} [{unit}]" if unit else name


def _written(table: Mapping[str, np.ndarray], layout: Layout) -> str:
    """The table as CSV; cells of observables that a row does not hold are empty."""
    observable = np.asarray(table["observable"]).tolist()
    cells = {name: [_cell(x) for x in np.asarray(values).tolist()] for name, values in table.items()}
    lists = [
        [x if of is None or of == its else "" for x, its in zip(cells[name], observable, strict=True)]
        for _, name, of in layout
    ]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(title for title, _, _ in layout)
    writer.writerows(zip(*lists, strict=True))
    return text.getvalue()


def _cell(x: Any) -> str:
    return "nan" if isinstance(x, float) and not math.isfinite(x) else str(x)


def load(directory: str | os.PathLike[str], kind: type) -> dict[str, Any]:
    """Fields of a fit from a directory.

    Args:
        directory: Where `save` wrote it.
        kind: The dataclass whose fields they are.

    Raises:
        FileNotFoundError: there is no fit in it, or half of one.
        ValueError: a file that is cut off, changed, of something else or of a newer version; the place is named.
    """
    folder = Path(directory)
    path = folder / FIT
    stated = _read_json(path)
    hints = {name: hint for name, hint in get_type_hints(kind).items() if name not in APART}
    try:
        found = {name: _typed(_entry(stated, name, ""), hint, name) for name, hint in hints.items()}
        table = _entry(stated, "table", "")
        columns, observables = (_entry(table, name, "table") for name in ("columns", "observables"))
        layout = _layout(columns, observables, found["units"])
        sha256 = _entry(table, "sha256", "table")
    except ValueError as why:
        raise ValueError(f"{path}: {why}") from None
    return {**found, "table": _read_table(folder / RESIDUALS, sha256, columns, layout)}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"There is no {path}: give the directory that a fit was saved into, which has {FIT} and {RESIDUALS}."
        ) from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_bytes(path).decode())
    except ValueError as why:  # no JSON, or no UTF-8
        raise ValueError(f"{path} is no whole JSON file, {why}: is it cut off? Save the fit again.") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(f'{path} is not a fit saved by jaxrate: it must state "format": "{FORMAT}".')
    version = found.get("version")
    if not isinstance(version, int) or version < 1:
        raise ValueError(f"{path}: `version` must be a whole number from 1 on, but {shown(version)} was given.")
    if version > VERSION:
        raise ValueError(
            f"{path} is of version {version}, but this jaxrate reads up to version {VERSION}: use a newer jaxrate."
        )
    return found


def _entry(whole: Any, name: str, where: str) -> Any:
    if not isinstance(whole, dict):
        raise ValueError(f"`{where}` must be an object, but {shown(whole)} was given.")
    if name not in whole:
        raise ValueError(f"`{_inside(where, name)}` is missing: was the file changed?")
    return whole[name]


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _typed(x: Any, hint: Any, where: str) -> Any:
    """A value as its annotation says."""
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return hint(**{n: _typed(_entry(x, n, where), h, _inside(where, n)) for n, h in hints.items()})  # type: ignore[operator]
    if get_origin(hint) is tuple:
        each = get_args(hint)[0]
        return tuple(_typed(value, each, f"{where}[{i}]") for i, value in enumerate(_checked(x, list, where)))
    if hint is np.ndarray:
        return _matrix(_checked(x, list, where), where)
    if get_origin(hint) is Literal:
        return _one_of(x, get_args(hint), where)
    if hint is float:
        return _number(x, where)
    return _checked(x, hint, where) if isinstance(hint, type) else _numbers(_checked(x, dict, where))


def _one_of(x: Any, choices: tuple[Any, ...], where: str) -> Any:
    if x not in choices:
        raise ValueError(f"`{where}` must be one of {', '.join(map(repr, choices))}, but {shown(x)} was given.")
    return x


def _checked(x: Any, kind: type, where: str) -> Any:
    if type(x) is not kind:
        raise ValueError(f"`{where}` must be of type {kind.__name__}, but {shown(x)} was given.")
    return x


def _number(x: Any, where: str) -> float:
    if x in NOT_FINITE or (isinstance(x, int | float) and not isinstance(x, bool)):
        return float(x)
    raise ValueError(f'`{where}` must be a number, "inf", "-inf" or "nan", but {shown(x)} was given.')


def _matrix(x: list[Any], where: str) -> np.ndarray:
    rows = [[_number(value, where) for value in _checked(row, list, where)] for row in x]
    if any(len(row) != len(rows) for row in rows):
        raise ValueError(f"`{where}` must be a square matrix, but rows of {[len(row) for row in rows]} were given.")
    return np.array(rows, np.float64).reshape(len(rows), len(rows))


def _numbers(x: Any) -> Any:
    """What JSON held, with the numbers in it that are not finite."""
    if isinstance(x, dict):
        return {name: _numbers(value) for name, value in x.items()}
    if isinstance(x, list):
        return [_numbers(value) for value in x]
    return float(x) if isinstance(x, str) and x in NOT_FINITE else x


def _read_table(path: Path, sha256: str, columns: Mapping[str, str], layout: Layout) -> dict[str, np.ndarray]:
    """The table that belongs to a fit, by its hash: not one cut off, or of another fit that was not saved whole."""
    content = _bytes(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{path} is not the table that belongs to {FIT}: cut off or changed. Save the fit again.")
    _, *rows = csv.reader(io.StringIO(content.decode(), newline=""))
    cells = [(name, of, cell) for (_, name, of), cell in zip(layout, zip(*rows, strict=True), strict=True)]
    return {name: _array(_column(name, cells), kind) for name, kind in columns.items()}


def _column(name: str, cells: list[tuple[str, str | None, tuple[str, ...]]]) -> list[str]:
    """Cells of a column of the table: of one that each observable has for itself those that are not empty."""
    if name == "observable":
        own = [[of if cell else "" for cell in column] for column_name, of, column in cells if column_name == "value"]
    else:
        own = [column for column_name, _, column in cells if column_name == name]
    return [next((cell for cell in row if cell), "") or "" for row in zip(*own, strict=True)]


def _array(cells: list[str], kind: str) -> np.ndarray:
    return np.array(cells, {"number": np.float64, "integer": np.int64}.get(kind, np.str_))
