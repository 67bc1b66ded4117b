"""Where among all predictions of a state each number of a table belongs: along time, along frequency."""

from collections.abc import Collection, Mapping

import numpy as np

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
    at = _coordinate(table, name, unit)
    if at is None:
        raise ValueError(
            f"{table.source}: `{observable}` depends on {name}: the table needs a column `{name} [{unit}]`."
        )
    order = np.argsort(values)
    middle = (values[order][1:] + values[order][:-1]) / 2
    nearest = order[np.searchsorted(middle, at[rows])]
    off = ~(np.abs(values[nearest] - at[rows]) <= SAME * np.maximum(np.abs(values[nearest]), np.abs(at[rows])))
    refuse(
        table,
        rows[off],
        f"`{name}` is none of the values that `{observable}` is predicted at",
        f"state the experiment with those of the table, np.unique(table['{name}'])",
    )
    return nearest


def _coordinate(table: Table, name: str, unit: str) -> np.ndarray | None:
    """A column of an axis in SI units; a frequency may be given as a wavelength."""
    if name == "frequency":
        column = next((c for c in ("frequency", "wavelength") if c in table.columns), None)
        return None if column is None else table.frequency(column)
    return table.si(name, unit) if name in table.columns else None


def coordinates(subject: Subject, table: Table, names: Collection[str], rows: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of axes in SI units, at some rows."""
    axes = {axis: unit for name in names for axis, _, unit in subject.axes(name)}
    found = {axis: _coordinate(table, axis, unit) for axis, unit in axes.items()}
    return {axis: values[rows] for axis, values in found.items() if values is not None}
