"""Columns of numbers in a text file, and the units they are in: stated by whoever reads it, or by its header."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxrate.names import shown, unknown
from jaxrate.text_table import Cells, decoded, split_numbers
from jaxrate.unit_text import UnitError
from jaxrate.units import read_any, to_frequency, to_si

File = str | os.PathLike[str]
_BRACKETED = re.compile(r"(?P<name>.*?)\s*[\[(](?P<unit>[^\[\]()]*)[\])]\s*")
_SLASHED = re.compile(r"(?P<name>[^/]*[^/\s])\s*/\s*(?P<unit>.+)")
_SUFFIXED = re.compile(r"(?P<name>.+?)_(?P<unit>(?:dB_per_k?m)|(?:[pnuµmck]?m(?:\^?2|\^?-1)?))", re.IGNORECASE)
_POWER = re.compile(r"\s*(?:(?P<plain>[0-9.]+[eE][+-]?[0-9]+)|10\s*\^?\s*(?P<ten>[+-]?[0-9]+))\s*[*·×]?\s*(?P<unit>.+)")


@dataclass(frozen=True, eq=False)
class Sheet:
    """A file of numbers.

    Args:
        source: Its name.
        titles: Names of its columns, without units; their numbers, counted from 1, where there is no header.
        units: As the header has them; None where it has none.
        columns: Numbers of each, NaN where there is none, shape (row,).
        lines: Line of the file that each row stands on.
    """

    source: str
    titles: tuple[str, ...]
    units: tuple[str | None, ...]
    columns: tuple[np.ndarray, ...]
    lines: np.ndarray

    def find(self, column: int | str, what: str) -> int:
        """Position of a column, from its number, counted from 1, or its title.

        Args:
            column: Number or title.
            what: What it is wanted for, for the message.

        Raises:
            ValueError: there is none.
        """
        if isinstance(column, str):
            if column not in self.titles:
                raise ValueError(unknown("column", column, self.titles, self.source))
            return self.titles.index(column)
        if isinstance(column, bool) or not isinstance(column, int) or not 1 <= column <= len(self.columns):
            raise ValueError(
                f"{self.source}: the column of {what} must be a number from 1 to {len(self.columns)} or a title, "
                f"but {shown(column)} was given."
            )
        return column - 1

    def unit(self, i: int, stated: str | None, hint: str) -> str:
        """Unit of a column: the one stated, or that of the header.

        Args:
            i: Its position.
            stated: By the reader; None where the header should tell.
            hint: What to say where neither does.

        Raises:
            ValueError: none is known, or two that differ.
        """
        own = self.units[i]
        if stated is None and own is None:
            raise ValueError(f"{self.source}: no unit is written over column {i + 1}{self._named(i)}. {hint}")
        if stated is not None and own is not None and not _equal(stated, own):
            raise ValueError(
                f"{self.source}: column {i + 1}{self._named(i)} is in {own} by its header, but {stated} was stated; "
                "leave it to the header, or correct one of them."
            )
        return str(stated or own)

    def _named(self, i: int) -> str:
        return "" if self.titles[i] == str(i + 1) else f" (`{self.titles[i]}`)"


def read_sheet(path: File) -> Sheet:
    """Read the columns of numbers of a text file, with or without a header.

    Fields are separated by blanks, tabs, semicolons or commas. Read are decimal commas (where no comma separates),
    exponents such as 1.0D-3, and empty cells and `nan`. Units stand behind the names of the header: `sigma [cm^2]`,
    `sigma (cm^2)`, `sigma / cm^2` or `wavelength_nm`.

    Raises:
        ValueError: not a table of numbers (the line is named).
        OSError: the file cannot be read.
    """
    file = Path(path)
    cells = split_numbers(decoded(file.read_bytes(), file.name), file.name)
    cells.decimal_commas(range(len(cells.columns)))
    titles = [_title(title) for title in cells.header]
    names, units = tuple(name for name, _ in titles), tuple(unit for _, unit in titles)
    return Sheet(file.name, names, units, _numbers(cells), np.array(cells.lines))


def _numbers(cells: Cells) -> tuple[np.ndarray, ...]:
    return tuple(cells.numbers(i) for i in range(len(cells.columns)))


def _title(title: str) -> tuple[str, str | None]:
    """Name and unit of a column; what looks like a unit and is none belongs to the name."""
    for pattern in (_BRACKETED, _SLASHED, _SUFFIXED):
        parts = pattern.fullmatch(title.strip())
        if parts and (unit := _known(parts["unit"])):
            return parts["name"].strip(), unit
    name = title.strip()
    return name, _known(name) if len(name) > 1 else None  # a line of units alone


def _known(text: str) -> str | None:
    """A unit of light, of a cross-section or per length, as `jaxrate.units` writes it; None for anything else."""
    unit = text.strip().replace("_per_", "/").replace("**", "^")
    try:
        factor, bare = scaled(unit)
    except UnitError:
        return None
    known = any(_reads(bare, kind) for kind in ("at", "m^2", "m^-1"))
    return unit if known and factor > 0 else None


def _equal(one: str, other: str) -> bool:
    """Whether two units are the same, however they are written."""
    if one == other:
        return True
    try:
        (a, first), (b, second) = ((f, read_any(f"1 {bare}", "unit")) for f, bare in map(scaled, (one, other)))
    except UnitError:
        return False
    return (a * first[0], first[1]) == (b * second[0], second[1])


def _reads(unit: str, kind: str) -> bool:
    try:
        _ = to_frequency(f"1 {unit}", "at") if kind == "at" else to_si(f"1 {unit}", kind, "unit")
    except UnitError:
        return False
    return True


def scaled(unit: str) -> tuple[float, str]:
    """Factor and unit of "10^-21 cm^2" or "1e-21 cm^2"; the factor of "cm^2" is 1."""
    parts = _POWER.fullmatch(unit)
    if parts is None:
        return 1.0, unit
    return float(parts["plain"] or f"1e{parts['ten']}"), parts["unit"].strip()


def checked_units(units: Any, example: Sequence[str]) -> tuple[str | None, str | None]:
    """Units of the two kinds of columns, as stated.

    Raises:
        ValueError: not two units.
    """
    if units is None:
        return None, None
    if not isinstance(units, list | tuple) or [type(unit) for unit in units] != [str, str]:
        raise ValueError(f"`units` must be two, such as {tuple(example)!r}, but {shown(units)} was given.")
    return units[0], units[1]
