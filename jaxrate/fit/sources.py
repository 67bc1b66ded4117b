"""Where tables come from: a file, a dictionary of arrays or an xarray.Dataset."""

import hashlib
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from jaxrate.fit.table import DATASET, DICTIONARY, LABELS, SI, Column, Table, place_of, table_of
from jaxrate.text_table import decoded, is_number, split
from jaxrate.unit_text import UnitError
from jaxrate.units import read_any

_TITLE = re.compile(r"(?P<name>.+?)\s*(?:\[(?P<unit>[^\[\]]*)\])?")


def tabulated(data: Any) -> Table:
    """A table from what holds one.

    Args:
        data: A table; the path of a file, see `read_table`; a dictionary of arrays, which are broadcast together,
            such as {"pump.rate": array, "gain [dB/m]": array}, in SI units where no unit is in brackets; or an
            `xarray.Dataset`, of which every coordinate and variable is a column, in the unit of its attribute
            `units`, and where `jr.sweep` reports a failure (`status`) the observables are NaN.

    Raises:
        UnitError: an unknown unit.
        ValueError: as `read_table`; arrays that do not broadcast, or hold no real numbers.
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, str | os.PathLike):
        return read_table(data)
    if isinstance(data, xr.Dataset):  # which is a Mapping too
        return _from_dataset(data)
    if isinstance(data, Mapping):
        return _from_dictionary(data)
    raise ValueError(
        "`data` must be the path of a file, a dictionary of arrays, an xarray.Dataset or a Table, "
        f"but a {type(data).__name__} was given."
    )


def read_table(path: str | os.PathLike[str]) -> Table:
    """Read a table: one row per measured number, a header of names with their units in brackets.

    `signal.power [dBm], pump.power [mW], gain [dB], gain.sigma [dB], dataset, state`. Fields are separated by tabs,
    semicolons, commas or blanks. Read are decimal commas (in fields that no comma separates, or in quotes), exponents
    such as 1.0D-3, and empty cells and `nan`, both as NaN. Lines that begin with # are comments.

    Args:
        path: A text file in UTF-8, or in UTF-16 with its byte order mark.

    Returns:
        The table as written; what was left out or looks odd is in its `remarks`.

    Raises:
        UnitError: an unknown unit.
        ValueError: not a table: no text, no header, no rows, a row with more or fewer fields than the header, a cell
            that is not a finite number, decimal commas beside decimal points, or two columns of one name.
        OSError: the file cannot be read.
    """
    raw, source = Path(path).read_bytes(), str(path)
    text = decoded(raw, source)
    cells = split(text, source)
    units = _units(cells.header, f"{source}, line {cells.header_line}")
    numbers = {name: i for i, name in enumerate(units) if name not in LABELS}
    columns = {name: Column(name, units[name], cells.numbers(i)) for name, i in numbers.items()}
    labels = {name: cells.labels(i) for i, name in enumerate(units) if name in LABELS}
    remarks = cells.decimal_commas(list(numbers.values()))
    if not text.endswith("\n"):
        remarks.append("the file does not end with a line break: is its last row whole?")
    return table_of(columns, labels, np.array(cells.lines), source, hashlib.sha256(raw).hexdigest(), remarks)


def _from_dictionary(data: Mapping[Any, Any]) -> Table:
    units = _units([str(title) for title in data], DICTIONARY)
    arrays = dict(zip(units, data.values(), strict=True))
    return _from_arrays(arrays, {name: SI if unit is None else unit for name, unit in units.items()}, DICTIONARY)


def _from_dataset(data: xr.Dataset) -> Table:
    flags = {name for name, variable in data.variables.items() if "flag_values" in variable.attrs}
    arrays = {name: v.set_dims(data.sizes).to_numpy() for name, v in data.variables.items() if name not in flags}
    if "status" in flags:
        failed = data.variables["status"].set_dims(data.sizes).to_numpy() != 0
        arrays |= {name: np.where(failed, np.nan, arrays[name]) for name in data.data_vars if name in arrays}
    units = {name: _checked_unit(str(name), data.variables[name].attrs.get("units"), DATASET) for name in arrays}
    return _from_arrays(arrays, units, DATASET)


def _from_arrays(data: Mapping[Any, Any], units: Mapping[Any, str | None], source: str) -> Table:
    """A table of arrays that broadcast together, one row per element."""
    arrays = {str(name): _array(str(name), values, source) for name, values in data.items()}
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"`{name}` {array.shape}" for name, array in arrays.items())
        raise ValueError(f"{source}: the shapes do not broadcast together: {shapes}.") from None
    rows = {name: np.broadcast_to(array, shape).ravel() for name, array in arrays.items()}
    labels = {name: values for name, values in rows.items() if name in LABELS}
    columns = {name: Column(name, units[name], rows[name]) for name in rows if name not in LABELS}
    for column in columns.values():
        _refuse_infinite(column, source)
    lines = np.arange(1, math.prod(shape) + 1)
    return table_of(columns, labels, lines, source, _digest(columns, labels))


def _array(name: str, values: Any, source: str) -> np.ndarray:
    """Real numbers as float64, or labels as text."""
    written = [what for what in ("unit", "units", "mask") if hasattr(values, what)]
    if written or getattr(values, "attrs", {}).get("units"):
        what = f"`{written[0] if written else 'units'}` would be lost"
        raise ValueError(f"{source}: `{name}`: its {what}; give a plain array, and the unit as `{name} [unit]`.")
    array = np.asarray(values)
    kinds, noun = ("iuUTO", "text or whole numbers") if name in LABELS else ("iuf", "real numbers")
    if array.dtype.kind not in kinds:
        raise ValueError(f"{source}: `{name}` must hold {noun}, but it is an array of {array.dtype}.")
    return array.astype(str) if name in LABELS else array.astype(np.float64)


def _refuse_infinite(column: Column, source: str) -> None:
    infinite = np.isinf(column.values)
    if infinite.any():
        place = place_of(source, int(np.argmax(infinite)) + 1)
        raise ValueError(f"{place}: `{column.title}` is infinite; write nan where there is no number.")


def _digest(columns: Mapping[str, Column], labels: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of names, units and numbers, in whatever order the columns came."""
    digest = hashlib.sha256()
    for name, column in sorted(columns.items()):
        digest.update(f"{name} [{column.unit}]\n".encode() + column.values.astype("<f8").tobytes())
    for name, texts in sorted(labels.items()):
        digest.update("\n".join([name, *texts]).encode())
    return digest.hexdigest()


def _units(header: Sequence[str], place: str) -> dict[str, str | None]:
    """Names and units of a header, checked."""
    units: dict[str, str | None] = {}
    for number, title in enumerate(header, start=1):
        name, unit = _name_and_unit(title.strip(), f"{place}: column {number}")
        if name in units:
            raise ValueError(f"{place}: there are two columns `{name}`; every column needs a name of its own.")
        units[name] = _checked_unit(name, unit, place)
    return units


def _name_and_unit(title: str, place: str) -> tuple[str, str | None]:
    parts = _TITLE.fullmatch(title)
    if parts is None or title.startswith("["):
        raise ValueError(f"{place} has no name; write `name [unit]`.")
    if title.count("[") != title.count("]"):
        raise ValueError(f"{place}: a bracket of `{title}` is not closed; write `name [unit]`.")
    if is_number(title):
        raise ValueError(f"{place}: `{title}` is a number; the first line must name the columns, `name [unit]`.")
    return parts["name"], parts["unit"]


def _checked_unit(name: str, unit: object, place: str) -> str | None:
    """A unit that can be converted; "1" where the brackets are empty."""
    if unit is None:
        return None
    text = str(unit).strip() or "1"
    if name in LABELS:
        raise UnitError(f"{place}: `{name}` is text and has no unit, but [{text}] was given.")
    try:
        read_any(f"1 {text}" if text != "1" else "1", f"{name} [{text}]")
    except UnitError as why:
        raise UnitError(f"{place}: {why}") from None
    return text
