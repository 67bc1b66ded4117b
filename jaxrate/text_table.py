"""The cells of a text file: what separates them, which lines are rows, and the numbers written in them.

Two kinds of files are read: with a header, which says what separates the fields (`split`), and rows of numbers with or
without one (`split_numbers`).
"""

import codecs
import csv
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from jaxrate.names import shown

_NUMBER = re.compile(r"[+-]?(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:[eEdD][+-]?[0-9]+)?")
_FORTRAN = str.maketrans({",": ".", "d": "e", "D": "e"})
_NAN = re.compile(r"(?:[+-]?nan)?", re.IGNORECASE)
_BLANK_SEPARATED = re.compile(r'"[^"]*"|(?:[^\s\[]|\[[^\]]*\])+(?:\s+\[[^\]]*\])?')
_COMMENT = "#%!"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun, as in "1 row" and "2 rows"."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


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
    header = _titles(title, separator, source, title_line)
    where = [number for number in where if lines[number - 1].strip(None if separator != "\t" else " ")]
    if not where:
        raise ValueError(f"{source} has a header, and no rows.")
    rows = _rows([lines[number - 1] for number in where], separator, source, where)
    like = f"the header has {len(header)}: {shown(header)}"
    return Cells(source, header, title_line, _columns(rows, len(header), like, source, where), where)


def split_numbers(text: str, source: str) -> Cells:
    """Rows of numbers of a text; its header is the last line before them with as many cells, if there is one.

    Lines that begin with #, % or ! are comments, but for that header. Without one a column is named by its number.
    """
    lines = text.split("\n")
    found = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    first = next((i for i, (_, line) in enumerate(found) if _number_separator(line) is not None), None)
    if first is None:
        raise ValueError(f"{source} holds no row of numbers, such as `1030.0 2.1e-20`, one a line.")
    rows = [(number, line) for number, line in found[first:] if line.lstrip()[0] not in _COMMENT]
    separator, where = _number_separator(rows[0][1]) or " ", [number for number, _ in rows]
    width = len(next(_rows([rows[0][1]], separator, source, where)))
    like = f"the first row of numbers (line {where[0]}) has {width}"
    columns = _columns(_rows([line for _, line in rows], separator, source, where), width, like, source, where)
    header, line = _header_above(found[:first], separator, width, source)
    return Cells(source, header, line, columns, where)


def _number_separator(line: str) -> str | None:
    """What separates the numbers of a row: blanks, a tab, a semicolon or a comma; None where it holds anything else."""
    if line.lstrip()[:1] in tuple(_COMMENT):
        return None
    blank = line.split()
    if _are_numbers(blank) and (len(blank) > 1 or "," not in line):
        return "\t" if _are_numbers(line.strip(" ").split("\t")) and "\t" in line else " "
    return next((mark for mark in "\t;," if mark in line and _are_numbers(line.split(mark), empty=True)), None)


def _are_numbers(fields: Sequence[str], empty: bool = False) -> bool:
    """Whether each field is a number or nan, or empty but for the first; "900," is a number and its separator."""
    texts = [field.strip().replace("−", "-") for field in fields]
    if not texts or not texts[0] or not (empty or all(texts)):
        return False
    return all((is_number(text) and text[-1] != ",") or _NAN.fullmatch(text) for text in texts)


def _header_above(above: list[tuple[int, str]], separator: str, width: int, source: str) -> tuple[list[str], int]:
    """Names of the columns, with the line they stand on; their numbers where there is no such line."""
    for number, line in reversed(above):
        title = re.sub(r"\(([^()]*)\)", r"[\1]", line.strip().lstrip(_COMMENT).strip())
        for mark in dict.fromkeys((separator, _separator(title))):
            if len(header := _titles(title, mark, source, number)) == width:
                return [name.strip() for name in header], number
    return [str(i + 1) for i in range(width)], 0


def _titles(title: str, separator: str, source: str, line: int) -> list[str]:
    if separator == " ":
        return [name.strip('"') for name in _BLANK_SEPARATED.findall(title)]
    return next(_rows([title], separator, source, [line]))


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


def _columns(rows: Iterator[list[str]], width: int, like: str, source: str, where: Sequence[int]) -> list[list[str]]:
    """The same by column. They are taken from one long list: a million short ones would keep the collector busy."""
    cells = list[str]()
    for number, row in zip(where, rows, strict=True):
        if len(row) != width:
            raise ValueError(
                f"{source}, line {number}: {counted(len(row), 'field')}, but {like}; "
                "is the line cut off, or a separator within a cell (put it in quotes)?"
            )
        cells += row
    return [cells[i::width] for i in range(width)]
