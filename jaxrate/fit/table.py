"""One tidy table of measured numbers, as written, and its columns in SI units.

It knows units and no experiment: which column is a condition and which a measurement is for `jaxrate.fit.measured`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jaxrate.constants import c
from jaxrate.names import unknown
from jaxrate.text_table import counted
from jaxrate.unit_text import UnitError, parse_unit
from jaxrate.units import KINDS, read_any, to_frequency, to_si, to_width

LABELS = ("dataset", "state")
"""Columns of text: which measurement a row belongs to, and which rows were present together."""
SI = "SI"
"""Stands for the unit of a bare number from Python: that of the quantity, whichever it is."""
DICTIONARY, DATASET = "a dictionary", "an xarray.Dataset"
"""Sources that are no file."""
_LEVELS = {parse_unit(unit) for unit in ("dB", "dBm", "dBW")}


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
        return f"<Table: {counted(len(self), 'row')} of {self.source}: {titles}>"

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
            place = place_of(self.source, int(self.lines[row]))
            raise UnitError(f"{place}: `{column.title}`: {column.values[row]:g} was given: {why}.")


def table_of(
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
            place = place_of(source, int(lines[np.argmax(texts == "")]))
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
    remarks = [counted(number, *words) for number, *words in found if number]
    return remarks + [f"{column.name}: {remark}" for column in columns.values() for remark in _oddities(column)]


def _oddities(column: Column) -> list[str]:
    empty = int(np.isnan(column.values).sum())
    negative = int((column.values < 0).sum()) if column.is_signed else 0
    found = [
        (empty, "cell is empty or NaN", "cells are empty or NaN"),
        (negative, "value is negative", "values are negative"),
    ]
    return [counted(number, *words) for number, *words in found if number]


def _repeated(columns: Mapping[str, Column], labels: Mapping[str, np.ndarray]) -> int:
    """How many rows are the same as one before them."""
    codes = [np.unique(texts, return_inverse=True)[1] for texts in labels.values()]
    rows = np.stack([*(column.values for column in columns.values()), *codes], axis=1) + 0.0  # -0 is 0
    rows[np.isnan(rows)] = np.nan  # whatever its bits
    return len(rows) - len(set(rows.view(f"V{rows.strides[0]}").ravel().tolist()))


def place_of(source: str, line: int) -> str:
    """Where a row stands, as messages name it."""
    return f"{source}, {'row' if source in (DICTIONARY, DATASET) else 'line'} {line}"
