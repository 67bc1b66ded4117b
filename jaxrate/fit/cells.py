"""The cells of a text file: what separates them, which lines are rows, and the numbers written in them."""

import codecs
import csv
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from jaxrate.fit.table import counted
from jaxrate.names import shown

_NUMBER = re.compile(r"[+-]?(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:[eEdD][+-]?[0-9]+)?")
_FORTRAN = str.maketrans({",": ".", "d": "e", "D": "e"})
_NAN = re.compile(r"(?:[+-]?nan)?", re.IGNORECASE)
_BLANK_SEPARATED = re.compile(r'"[^"]*"|(?:[^\s\[]|\[[^\]]*\])+(?:\s+\[[^\]]*\])?')


def decoded(raw: bytes, source: str) -> str:
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
class Cells:
    """A file split into cells, with the lines that its rows stand on."""

    source: str
    header: list[str]
    header_line: int
    columns: list[list[str]]
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
        return [f"{self.header[i]}: {counted(n, 'value')} with a decimal comma" for i, n in commas.items()]

    def _refused(self, i: int, row: int, why: str) -> ValueError:
        cell = self.columns[i][row].strip()
        return ValueError(f"{self.source}, line {self.lines[row]}, column `{self.header[i]}`: {shown(cell)} {why}")


def is_number(text: str) -> bool:
    """Whether a text is one finite number, decimal comma and D exponent included."""
    return _NUMBER.fullmatch(text) is not None


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
    return float(text.translate(_FORTRAN)) if is_number(text) else math.inf


def split(text: str, source: str) -> Cells:
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
        header = next(_rows([title], separator, source, [title_line]))
    where = [number for number in where if lines[number - 1].strip(None if separator != "\t" else " ")]
    if not where:
        raise ValueError(f"{source} has a header, and no rows.")
    rows = _rows([lines[number - 1] for number in where], separator, source, where)
    return Cells(source, header, title_line, _columns(rows, header, source, where), where)


def _separator(header: str) -> str:
    """What separates the fields: a tab, a semicolon or a comma outside of quotes and brackets, else blanks."""
    outside = re.sub(r'"[^"]*"|\[[^\]]*\]', "", header)
    return next((mark for mark in "\t;," if mark in outside.strip(" ")), " ")


def _rows(lines: list[str], separator: str, source: str, where: Sequence[int]) -> Iterator[list[str]]:
    """Fields of each line."""
    if separator == " ":
        lines = [line.replace("\t", " ").strip() for line in lines]
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    num = 0
    try:
        for num, row in enumerate(reader):
            if reader.line_num != num + 1:
                raise csv.Error("a quote is not closed")
            yield row
            num += 1
    except csv.Error as why:
        raise ValueError(f"{source}, line {where[num]}: {why}; are its quotes closed?") from None


def _columns(rows: Iterator[list[str]], header: list[str], source: str, where: Sequence[int]) -> list[list[str]]:
    """The same by column. They are taken from one long list: a million short ones would keep the collector busy."""
    width, cells = len(header), list[str]()
    for number, row in zip(where, rows, strict=True):
        if len(row) != width:
            raise ValueError(
                f"{source}, line {number}: {counted(len(row), 'field')}, but the header has {width}: "
                f"{shown(header)}; is the line cut off, or a separator within a cell (put it in quotes)?"
            )
        cells += row
    return [cells[i::width] for i in range(width)]
