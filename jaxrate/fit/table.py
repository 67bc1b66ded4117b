"""One tidy table of measured numbers, as it was written: a file, a dictionary of arrays or an xarray.Dataset.

It knows units and no experiment: which column is a condition and which a measurement is for `jaxrate.fit.measured`.
"""

import codecs
import csv
import hashlib
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from jaxrate.constants import c
from jaxrate.names import shown, unknown
from jaxrate.unit_text import UnitError, parse_unit
from jaxrate.units import KINDS, read_any, to_frequency, to_si, to_width

LABELS = ("dataset", "state")
"""Columns of text: which measurement a row belongs to, and which rows were present together."""
SI = "SI"
"""Stands for the unit of a bare number from Python: that of the quantity, whichever it is."""
DICTIONARY, DATASET = "a dictionary", "an xarray.Dataset"
_LEVELS = {parse_unit(unit) for unit in ("dB", "dBm", "dBW")}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:[eEdD][+-]?[0-9]+)?")
_FORTRAN = str.maketrans({",": ".", "d": "e", "D": "e"})
_NAN = re.compile(r"(?:[+-]?nan)?", re.IGNORECASE)
_TITLE = re.compile(r"(?P<name>.+?)\s*(?:\[(?P<unit>[^\[\]]*)\])?")
_BLANK_SEPARATED = re.compile(r'"[^"]*"|(?:[^\s\[]|\[[^\]]*\])+(?:\s+\[[^\]]*\])?')


@dataclass(frozen=True, eq=False)
class Column:
    """Numbers of one name.

    Args:
        name: The parameter or observable.
        unit: As written; None where none is written; `SI` for bare numbers from Python.
        values: In that unit, NaN where there is none, shape (row,).
    """

    name: str
    unit: str | None
    values: np.ndarray

    @property
    def title(self) -> str:
        """Name and unit, as in the header of a file."""
        return self.name if self.unit in (None, SI) else f"{self.name} [{self.unit}]"

    def stated(self, number: str) -> str:
        """A number of it as a person states it, unit included."""
        return number if self.unit == "1" else f"{number} {self.unit}"

    @property
    def is_level(self) -> bool:
        """Whether the numbers are ratios in dB or powers in dBm or dBW; dB per length is none of these."""
        return self.unit is not None and parse_unit(self.unit) in _LEVELS

    @property
    def is_signed(self) -> bool:
        """Whether a negative number is one in SI units too: not on a scale such as dBm or degC, unless an error."""
        bare = self.unit in (None, SI) or self.name.endswith(".sigma")
        return bare or read_any(self.stated("0"), self.title)[0] == 0

    def converted(self, si: Callable[[str, str], float]) -> np.ndarray:
        """Values in SI units, where `si(text, name)` reads one quantity.

        Every unit is a factor, but for levels, which are logarithms, and temperature scales, which have an offset.
        """
        if self.unit in (None, SI):
            return self.values.copy()
        one, zero = si(self.stated("1"), self.title), si(self.stated("0"), self.title)
        if zero and self.name.endswith(".sigma"):
            hint = "compare it in that scale" if self.is_level else "write it in K"
            raise UnitError(f"`{self.title}` is an error, a difference, so its scale has no zero: {hint}.")
        if self.is_level:
            return zero * 10 ** (self.values / 10)
        if zero:
            return zero + (si(self.stated("1e6"), self.title) - zero) / 1e6 * self.values
        inverse = np.rint(1 / one)  # 230 us is 230 / 1e6: one rounding, as in the decimal 230e-6
        exact = 1 < inverse < 1e15 and 1 / inverse == one
        return self.values / inverse if exact else self.values * one


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """One row per measured number, as written.

    Args:
        columns: Numbers by name.
        labels: The text columns `dataset` and `state`, where present.
        lines: Line of the file, or number of the row, counted from 1, of each row.
        source: File name, or what else it came from.
        sha256: Of the bytes of the file, else of the numbers.
        remarks: What a reader should know: rows left out, repeated rows, empty cells, negative values.
    """

    columns: Mapping[str, Column]
    labels: Mapping[str, np.ndarray]
    lines: np.ndarray
    source: str
    sha256: str
    remarks: tuple[str, ...]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.lines)

    def __contains__(self, name: object) -> bool:
        """Whether there is a column of that name."""
        return name in self.columns or name in self.labels

    def __getitem__(self, name: str) -> np.ndarray:
        """A column in the SI unit of what it is written in, or the text of `dataset` or `state`, shape (row,).

        Raises:
            UnitError: no unit is written.
            ValueError: there is no such column.
        """
        if name in self.labels:
            return self.labels[name]
        self._needs_unit(name, "a number with a unit ([1] for a pure number)", "1")
        return self._converted(name, lambda text, title: read_any(text, title)[0])

    def __repr__(self) -> str:
        titles = ", ".join([*(column.title for column in self.columns.values()), *self.labels])
        return f"<Table: {_count(len(self), 'row')} of {self.source}: {titles}>"

    def column(self, name: str) -> Column:
        """A column as written.

        Raises:
            ValueError: there is no such column.
        """
        if name not in self.columns:
            raise ValueError(unknown("column", name, [*self.columns, *self.labels], self.source))
        return self.columns[name]

    def is_level(self, name: str) -> bool:
        """Whether a column holds ratios in dB or powers in dBm or dBW, not dB per length."""
        return self.column(name).is_level

    def si(self, name: str, unit: str) -> np.ndarray:
        """A column in SI units, by the rules of `jaxrate.units.to_si`.

        Args:
            name: The column.
            unit: Expected SI unit, such as "W m^-2"; "1" for numbers without one.

        Returns:
            float64, shape (row,); NaN where the table holds none.

        Raises:
            UnitError: another dimension, no unit where one is expected, a value too large for a float, or the error
                (`X.sigma`) of a quantity on a scale such as dB or degC, which has no SI value.
            ValueError: there is no such column.
        """
        if unit != "1":
            self._needs_unit(name, KINDS.get(unit, (f"a quantity in {unit}",))[0], unit)
        return self._converted(name, lambda text, title: to_si(text, unit, title))

    def frequency(self, name: str) -> np.ndarray:
        """A column as the frequency of light [Hz], also from vacuum wavelengths, wavenumbers or photon energies.

        Bare numbers from Python are in Hz; in m where the name ends in `wavelength`.

        Raises:
            UnitError: as `si`; a wavelength that is not positive.
            ValueError: there is no such column.
        """
        column = self._needs_unit(name, "a frequency or vacuum wavelength", "THz")
        bare = column.unit == SI
        if not (name.endswith("wavelength") if bare else read_any(column.stated("1"), column.title)[1] == "m"):
            return self._converted(name, to_frequency)
        wavelength = self.si(name, "m")
        self._refuse(column, wavelength <= 0, "a wavelength must be positive")
        return c / wavelength

    def width(self, name: str, frequency: Any) -> np.ndarray:
        """A column as a linewidth (FWHM) [Hz], by the rules of `jaxrate.units.to_width`.

        Args:
            name: The column.
            frequency: Line centre [Hz], used for widths in wavelength: one number, or shape (row,).

        Raises:
            UnitError: as `si`; a width in s^-1, which may mean Hz or rad/s.
            ValueError: there is no such column.
        """
        column = self._needs_unit(name, "a linewidth (FWHM)", "GHz")
        at_1_hertz = self._converted(name, lambda text, title: to_width(text, title, 1.0))
        if column.unit == SI or read_any(column.stated("1"), column.title)[1] != "m":
            return at_1_hertz
        return at_1_hertz * np.asarray(frequency, np.float64) ** 2

    def _needs_unit(self, name: str, noun: str, unit: str) -> Column:
        column = self.column(name)
        if column.unit is None:
            write = f'attrs["units"] = "{unit}"' if self.source == DATASET else f"`{name} [{unit}]`"
            raise UnitError(
                f"{self.source}: `{name}` must be {noun}, but no unit is written; write {write}, for example."
            )
        return column

    def _converted(self, name: str, si: Callable[[str, str], float]) -> np.ndarray:
        column = self.column(name)
        try:
            with np.errstate(over="ignore"):  # refused below
                values = column.converted(si)
        except UnitError as why:
            raise UnitError(f"{self.source}: {why}") from None
        self._refuse(column, np.isinf(values), "too large a value")
        return values

    def _refuse(self, column: Column, wrong: np.ndarray, why: str) -> None:
        """Refuse the first of the rows that are wrong."""
        if wrong.any():
            row = int(np.argmax(wrong))
            place = _place(self.source, int(self.lines[row]))
            raise UnitError(f"{place}: `{column.title}`: {column.values[row]:g} was given: {why}.")


def as_table(data: Any) -> Table:
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
    text = _decoded(raw, source)
    cells = _split(text, source)
    units = _units(cells.header, f"{source}, line {cells.header_line}")
    numbers = {name: i for i, name in enumerate(units) if name not in LABELS}
    columns = {name: Column(name, units[name], cells.numbers(i)) for name, i in numbers.items()}
    labels = {name: cells.labels(i) for i, name in enumerate(units) if name in LABELS}
    remarks = cells.decimal_commas(list(numbers.values()))
    if not text.endswith("\n"):
        remarks.append("the file does not end with a line break: is its last row whole?")
    return _table(columns, labels, np.array(cells.lines), source, hashlib.sha256(raw).hexdigest(), remarks)


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
    return _table(columns, labels, lines, source, _digest(columns, labels))


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
        place = _place(source, int(np.argmax(infinite)) + 1)
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
    if _NUMBER.fullmatch(title):
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


def _table(
    columns: Mapping[str, Column],
    labels: Mapping[str, np.ndarray],
    lines: np.ndarray,
    source: str,
    sha256: str,
    remarks: Sequence[str] = (),
) -> Table:
    """The table without the rows that hold no number, and with what is to be said of it."""
    for name, texts in labels.items():
        if (texts == "").any():
            place = _place(source, int(lines[np.argmax(texts == "")]))
            raise ValueError(f"{place}: `{name}` is empty; give every row one.")
    kept = ~np.all([np.isnan(column.values) for column in columns.values()], axis=0) if columns else np.zeros(1, bool)
    if not kept.any():
        raise ValueError(f"{source} holds no number.")
    columns = {name: replace(column, values=_frozen(column.values[kept])) for name, column in columns.items()}
    labels = {name: _frozen(texts[kept]) for name, texts in labels.items()}
    said = [*remarks, *_remarks(columns, labels, int((~kept).sum()))]
    return Table(columns, labels, _frozen(lines[kept]), source, sha256, tuple(said))


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _remarks(columns: Mapping[str, Column], labels: Mapping[str, np.ndarray], left_out: int) -> list[str]:
    found = [
        (left_out, "row holds no number and was left out", "rows hold no number and were left out"),
        (_repeated(columns, labels), "row repeats an earlier one", "rows repeat an earlier one"),
    ]
    remarks = [_count(number, *words) for number, *words in found if number]
    return remarks + [f"{column.name}: {remark}" for column in columns.values() for remark in _oddities(column)]


def _oddities(column: Column) -> list[str]:
    empty = int(np.isnan(column.values).sum())
    negative = int((column.values < 0).sum()) if column.is_signed else 0
    found = [
        (empty, "cell is empty or NaN", "cells are empty or NaN"),
        (negative, "value is negative", "values are negative"),
    ]
    return [_count(number, *words) for number, *words in found if number]


def _repeated(columns: Mapping[str, Column], labels: Mapping[str, np.ndarray]) -> int:
    """How many rows are the same as one before them."""
    codes = [np.unique(texts, return_inverse=True)[1] for texts in labels.values()]
    rows = np.stack([*(column.values for column in columns.values()), *codes], axis=1) + 0.0  # -0 is 0
    rows[np.isnan(rows)] = np.nan  # whatever its bits
    return len(rows) - len(set(rows.view(f"V{rows.strides[0]}").ravel().tolist()))


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def _place(source: str, line: int) -> str:
    return f"{source}, {'row' if source in (DICTIONARY, DATASET) else 'line'} {line}"


def _decoded(raw: bytes, source: str) -> str:
    """Text of a file, its lines ended by a line feed."""
    utf16 = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = raw.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as why:
        raise ValueError(
            f"{source} is not text in UTF-8: {why.reason} at byte {why.start}; save it as UTF-8."
        ) from None
    if "\0" in text:
        raise ValueError(f"{source} is not text: it holds zero bytes.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True)
class _Cells:
    """A file split into cells, with the lines that its rows stand on."""

    source: str
    header: list[str]
    header_line: int
    columns: list[tuple[str, ...]]
    lines: list[int]

    def numbers(self, i: int) -> np.ndarray:
        values = _floats(self.columns[i])
        wrong = np.isinf(values)
        if wrong.any():
            raise self._refused(i, int(np.argmax(wrong)), "is not a finite number; write nan where there is none.")
        return values

    def labels(self, i: int) -> np.ndarray:
        return np.array([cell.strip() for cell in self.columns[i]])

    def decimal_commas(self, numbers: Sequence[int]) -> list[str]:
        """Remarks on decimal commas. Beside decimal points a comma may group thousands, and is refused."""
        texts = {i: "".join(self.columns[i]) for i in numbers}
        commas = {i: text.count(",") for i, text in texts.items() if "," in text}
        points = [self.header[i] for i, text in texts.items() if "." in text]
        if commas and points:
            i = next(iter(commas))
            row = next(row for row, cell in enumerate(self.columns[i]) if "," in cell)
            raise self._refused(
                i, row, f"has a comma, but `{points[0]}` has decimal points; write one kind throughout."
            )
        return [f"{self.header[i]}: {_count(n, 'value')} with a decimal comma" for i, n in commas.items()]

    def _refused(self, i: int, row: int, why: str) -> ValueError:
        cell = self.columns[i][row].strip()
        return ValueError(f"{self.source}, line {self.lines[row]}, column `{self.header[i]}`: {shown(cell)} {why}")


def _floats(cells: Sequence[str]) -> np.ndarray:
    text = "".join(cells)
    if text.isascii() and "_" not in text:  # float() also takes 1_000 and the digits of other scripts
        with suppress(ValueError):
            return np.array(cells, np.float64)
    return np.array([_number(cell) for cell in cells])


def _number(cell: str) -> float:
    """A number, decimal comma and D exponent included; infinite where it is none."""
    text = cell.strip().replace("−", "-")
    if _NAN.fullmatch(text):
        return math.nan
    return float(text.translate(_FORTRAN)) if _NUMBER.fullmatch(text) else math.inf


def _split(text: str, source: str) -> _Cells:
    """Header and rows of a text."""
    lines = text.split("\n")
    where = [number for number, line in enumerate(lines, start=1) if line.strip(" ") and line.lstrip()[:1] != "#"]
    first = next((i for i, number in enumerate(where) if lines[number - 1].strip()), None)
    if first is None:
        raise ValueError(f"{source} is empty: it has no header.")
    title_line, where = where[first], where[first + 1 :]
    title = lines[title_line - 1]
    separator = _separator(title)
    if separator == " ":
        header = [name.strip('"') for name in _BLANK_SEPARATED.findall(title)]
    else:
        header = _rows([title], separator, source, [title_line])[0]
    where = [number for number in where if lines[number - 1].strip(None if separator != "\t" else " ")]
    if not where:
        raise ValueError(f"{source} has a header, and no rows.")
    rows = _rows([lines[number - 1] for number in where], separator, source, where)
    for number, row in zip(where, rows, strict=True):
        if len(row) != len(header):
            raise ValueError(
                f"{source}, line {number}: {_count(len(row), 'field')}, but the header has {len(header)}: "
                f"{shown(header)}; is the line cut off, or a separator within a cell (put it in quotes)?"
            )
    return _Cells(source, header, title_line, list(zip(*rows, strict=True)), where)


def _separator(header: str) -> str:
    """What separates the fields: a tab, a semicolon or a comma outside of quotes and brackets, else blanks."""
    outside = re.sub(r'"[^"]*"|\[[^\]]*\]', "", header)
    return next((mark for mark in "\t;," if mark in outside.strip(" ")), " ")


def _rows(lines: list[str], separator: str, source: str, where: Sequence[int]) -> list[list[str]]:
    """Fields of each line."""
    if separator == " ":
        lines = [line.replace("\t", " ").strip() for line in lines]
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if reader.line_num != len(rows) + 1:
                raise csv.Error("a quote is not closed")
            rows.append(row)
    except csv.Error as why:
        raise ValueError(f"{source}, line {where[len(rows)]}: {why}; are its quotes closed?") from None
    return rows
