"""Where among all predictions of a state each number of a table belongs: along time, along frequency."""

from collections.abc import Collection, Mapping

import numpy as np

from jaxrate.constants import c
from jaxrate.fit.readings import Readings, refuse
from jaxrate.fit.subject import Subject
from jaxrate.fit.table import Table

SAME = 1e-9
"""Relative difference up to which a coordinate of the table is that of an axis."""


def num_places(subject: Subject, name: str) -> int:
    """Number of predictions of a state."""
    return int(np.prod(subject.shape(name), dtype=int))


def places(subject: Subject, table: Table, data: Mapping[str, Readings]) -> np.ndarray:
    """Where among all predictions of a state that of each datum is."""
    found, first = [], 0
    for name, its in data.items():
        found.append(first + _place(subject, table, name, its.rows))
        first += num_places(subject, name)
    return np.concatenate(found)


def _place(subject: Subject, table: Table, name: str, rows: np.ndarray) -> np.ndarray:
    shape, axes = subject.shape(name), subject.axes(name)
    if len(axes) != len(shape):
        raise ValueError(f"`{name}` has axes without names: a table can be compared with one number a state only.")
    where = [_along(table, axis, name, rows) for axis in axes]
    return np.ravel_multi_index(tuple(where), shape) if where else np.zeros(len(rows), int)


def _along(table: Table, axis: tuple[str, np.ndarray, str], observable: str, rows: np.ndarray) -> np.ndarray:
    """Position of each row along an axis."""
    name, values, unit = axis
    at = coordinate(table, name, unit)
    if at is None:
        raise ValueError(
            f"{table.source}: `{observable}` depends on {name}: the table needs a column `{name} [{unit}]`."
        )
    where, is_one = nearest(values, at[rows])
    refuse(
        table,
        rows[~is_one],
        f"`{name}` is none of the values that `{observable}` is predicted at",
        f"state the experiment with those of the table, np.unique(table['{name}'])",
    )
    return where


def nearest(values: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of some values is nearest to each coordinate, and whether it is that value; never to NaN."""
    order = np.argsort(values)
    middle = (values[order][1:] + values[order][:-1]) / 2
    where = order[np.searchsorted(middle, at)]
    return where, np.abs(values[where] - at) <= SAME * np.maximum(np.abs(values[where]), np.abs(at))


def coordinate(table: Table, name: str, unit: str) -> np.ndarray | None:
    """A column of an axis in SI units; light may be told by its frequency or by its wavelength."""
    stem, dot, kind = name.rpartition(".")
    if kind not in ("frequency", "wavelength"):
        return table.si(name, unit) if name in table.columns else None
    column = next((x for x in (f"{stem}{dot}frequency", f"{stem}{dot}wavelength") if x in table.columns), None)
    frequency = None if column is None else table.frequency(column)
    return frequency if frequency is None or kind == "frequency" else c / frequency


def coordinates(subject: Subject, table: Table, names: Collection[str], rows: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of axes in SI units, at some rows."""
    axes = {axis: unit for name in names for axis, _, unit in subject.axes(name)}
    found = {axis: coordinate(table, axis, unit) for axis, unit in axes.items()}
    return {axis: values[rows] for axis, values in found.items() if values is not None}
