"""Numbers of one observable as a table tells them, and their standard deviations."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxrate.fit.table import SI, Column, Table
from jaxrate.names import shown, unknown
from jaxrate.units import read_any, to_si

PER_DB = np.log(10) / 10
"""Natural logarithm of a ratio of 1 dB."""


@dataclass(frozen=True)
class Noise:
    r"""What adds to the stated standard deviations, $\sigma^2 = stated^2 + resolution^2/12 + jitter^2$.

    Args:
        resolution, jitter: By observable, in its unit (in dB for one measured in dB), text or numbers.
    """

    resolution: Mapping[str, Any]
    jitter: Mapping[str, Any]

    def variance(self, name: str, unit: str, level: bool) -> float:
        """Variance that is added."""
        steps = _spread("resolution", self.resolution.get(name, 0.0), name, unit, level)
        extra = _spread("jitter", self.jitter.get(name, 0.0), name, unit, level)
        return steps**2 / 12 + extra**2

    def check(self, names: Collection[str]) -> None:
        """Refuse what is said of anything that was not measured."""
        for name in (*self.resolution, *self.jitter):
            if name not in names:
                raise ValueError(unknown("measured quantity", name, names, "this fit"))


def _spread(what: str, given: Any, name: str, unit: str, level: bool) -> float:
    """A standard deviation: of a logarithm where the datum is one."""
    title = f"the {what} of {name}"
    if level:
        decibels = given.removesuffix("dB").strip() if isinstance(given, str) else given
        value = PER_DB * float(to_si(decibels, "1", f"{title} in dB"))
    else:
        value = float(to_si(given, unit or "1", title))
    if value < 0:
        raise ValueError(f"`{title}` must not be negative, but {shown(given)} was given.")
    return value


@dataclass(frozen=True)
class Readings:
    """What a table tells of one observable.

    Attributes:
        rows: Rows that have a value, shape (datum,).
        value, sigma: In SI units, or as logarithms where it was stated in dB or dBm; NaN where there is no sigma.
    """

    rows: np.ndarray
    value: np.ndarray
    sigma: np.ndarray


def readings(table: Table, name: str, unit: str, noise: Noise) -> Readings:
    """Values and standard deviations of one observable of an SI unit, which is empty where none is known.

    Raises:
        ValueError: a standard deviation that is not positive, or of another kind than the values.
    """
    column, level = table.column(name), table.is_level(name)
    rows = np.flatnonzero(~np.isnan(column.values))
    value = si(table, name, unit)
    sigma = _sigma(table, name, unit, level)[rows]
    refuse(
        table, rows[~(sigma > 0) & ~np.isnan(sigma)], f"`{name}.sigma` is not positive", "a standard deviation must be"
    )
    if added := noise.variance(name, unit, level):
        sigma = np.sqrt(np.nan_to_num(sigma) ** 2 + added)
    return Readings(rows, np.log(value[rows]) if level else value[rows], sigma)


def si(table: Table, name: str, unit: str) -> np.ndarray:
    """A column in SI units; where nothing knows its unit, in that which is written, or as it is."""
    if unit:
        return table.si(name, unit)
    return table.column(name).values if table.column(name).unit is None else table[name]


def _sigma(table: Table, name: str, unit: str, level: bool) -> np.ndarray:
    """Standard deviations, in the scale of the values."""
    own = f"{name}.sigma"
    if own not in table.columns:
        return np.full(len(table), np.nan)
    column = table.column(own)
    if level:
        if column.unit != "dB":
            raise ValueError(
                f"`{column.title}` must be in dB, as `{table.column(name).title}` is a level: write `{own} [dB]`."
            )
        return PER_DB * column.values
    if table.is_level(own):
        raise ValueError(
            f"`{column.title}` is a ratio, but `{table.column(name).title}` is not in dB: "
            f"write `{own} [{table.column(name).unit}]`."
        )
    return table.si(own, unit or _unit(table.column(name), column))


def _unit(measured: Column, sigma: Column) -> str:
    """Unit of what is measured, where what is fitted knows none; its standard deviation must have the same."""
    if measured.unit is None and sigma.unit is not None:
        raise ValueError(f"`{sigma.title}` has a unit, but `{measured.title}` has none: write both or neither.")
    return "1" if measured.unit in (None, SI) else read_any(measured.stated("1"), measured.title)[1]


def refuse(table: Table, rows: np.ndarray, what: str, why: str) -> None:
    """Refuse rows of a table, the first by its line."""
    if rows.size:
        many = f" (and in {rows.size - 1} more)" if rows.size > 1 else ""
        raise ValueError(f"{table.source}: {what} in line {int(np.asarray(table.lines)[rows[0]])}{many}; {why}.")
