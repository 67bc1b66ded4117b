"""What was measured: the numbers of a table in SI units, each beside the conditions it was measured under."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxrate.fit.subject import Subject
from jaxrate.fit.table import SI, Column, Table
from jaxrate.names import shown, unknown
from jaxrate.units import read_any, to_si

SAME = 1e-9
"""Relative difference up to which a coordinate of the table is that of an axis."""
PER_DB = np.log(10) / 10


@dataclass(frozen=True)
class Measured:
    """Data of one table.

    Attributes:
        conditions: By parameter, one value a state, shape (state,).
        levels: Observables that are compared as logarithms, for they were stated in dB or dBm.
        units: SI unit of each observable; empty where it has none.
        names: What was measured, in the order of the predictions.
        observable: Which of `names` each datum is, shape (datum,).
        place: Where among all predictions of a state its prediction is, shape (datum,).
        state: Which state it belongs to, shape (datum,).
        value, sigma: In SI units, or as logarithms; a sigma is NaN where none was stated.
        line: Line of the table.
        dataset: Data set of each state, shape (state,).
        num_places: Number of predictions of a state.
        coordinates: By axis, of each datum; NaN where it has none.
    """

    conditions: Mapping[str, np.ndarray]
    levels: tuple[str, ...]
    units: Mapping[str, str]
    names: tuple[str, ...]
    observable: np.ndarray
    place: np.ndarray
    state: np.ndarray
    value: np.ndarray
    sigma: np.ndarray
    line: np.ndarray
    dataset: np.ndarray
    num_places: int
    coordinates: Mapping[str, np.ndarray]

    @property
    def num_states(self) -> int:
        """Number of states."""
        return len(self.dataset)


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


def measured(subject: Subject, table: Table, label: str, noise: Noise) -> Measured:
    """Bind a table to what is fitted.

    Args:
        subject: What is fitted.
        table: The numbers.
        label: Name of the data set where the table names none.
        noise: What adds to the standard deviations.

    Raises:
        ValueError: a column that is neither condition nor measurement (the nearest name is proposed), a condition or a
            coordinate that is missing where something was measured, a standard deviation that is not positive, or
            nothing measured.
    """
    observables = _observables(subject, table)
    data = [_data(subject, table, name, unit, noise) for name, unit in observables.items()]
    rows, which = (
        np.concatenate([d["row"] for d in data]),
        np.concatenate([np.full(len(d["row"]), i) for i, d in enumerate(data)]),
    )
    if not rows.size:
        raise ValueError(f"{table.source} holds no measured number: {', '.join(f'`{n}`' for n in observables)} is NaN.")
    columns = _conditions(subject, table, tuple(observables))
    for name, values in columns.items():
        _refuse(
            table,
            rows[np.isnan(values[rows])],
            f"`{name}` is missing",
            "what was measured has no conditions without it",
        )
    states, state = _states(table, columns, rows)
    labels = table.labels.get("dataset")
    return Measured(
        conditions={name: values[states] for name, values in columns.items()},
        levels=tuple(name for name in observables if table.is_level(name)),
        units=observables,
        names=tuple(observables),
        observable=which,
        place=_places(subject, table, data, tuple(observables)),
        state=state,
        value=np.concatenate([d["value"] for d in data]),
        sigma=np.concatenate([d["sigma"] for d in data]),
        line=np.asarray(table.lines)[rows],
        dataset=np.full(len(states), label, object) if labels is None else np.asarray(labels, object)[states],
        num_places=sum(_num_places(subject, name) for name in observables),
        coordinates=_coordinates(subject, table, tuple(observables), rows),
    )


def _observables(subject: Subject, table: Table) -> dict[str, str]:
    """What the table measures, with units; every column must be known."""
    possible = subject.observables
    axes = {axis for name in possible for axis, _, _ in subject.axes(name)}
    found = {name: unit for name, unit in possible.items() if name in table.columns}
    known = {*subject.parameters, *axes, *found, *(f"{name}.sigma" for name in found)}
    for column in table.columns:
        if column not in known and not _is_light(column, subject, axes) and subject.parameters:
            names = [*possible, *(f"{name}.sigma" for name in possible), *subject.parameters, *axes]
            raise ValueError(f"{table.source}: {unknown('parameter or observable', column, names, 'this experiment')}")
        stem, _, last = column.rpartition(".")
        if not subject.parameters and stem in found and last not in ("sigma", "scale", "offset"):
            raise ValueError(f"{table.source}: {unknown('column', column, [f'{stem}.sigma'], 'what was measured')}")
    if not found:
        wanted = ", ".join(f"`{name}`" for name in possible)
        raise ValueError(f"{table.source} holds nothing that is predicted: it needs a column of {wanted}.")
    return found


def _is_light(column: str, subject: Subject, axes: set[str]) -> bool:
    """Whether a column is a wavelength that stands for a frequency."""
    stem = column.removesuffix("wavelength")
    return stem != column and (f"{stem}frequency" in subject.parameters or f"{stem}frequency" in axes)


def _conditions(subject: Subject, table: Table, observables: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Conditions in SI units, shape (row,)."""
    if not subject.parameters:
        skipped = {*observables, *(f"{name}.sigma" for name in observables)}
        return {
            name: table[name] if _has_unit(table, name) else table.column(name).values
            for name in table.columns
            if name not in skipped
        }
    found = {}
    for name, known in subject.parameters.items():
        column = name if name in table.columns else f"{name.removesuffix('frequency')}wavelength"
        if column not in table.columns or (column != name and not name.endswith("frequency")):
            continue
        found[name] = (
            _light(table, column) if name.endswith(".frequency") else _condition(subject, table, name, known.unit)
        )
    return found


def _has_unit(table: Table, name: str) -> bool:
    return table.column(name).unit is not None


def _light(table: Table, column: str) -> np.ndarray:
    return table.frequency(column)


def _condition(subject: Subject, table: Table, name: str, unit: str) -> np.ndarray:
    centre = subject.parameters.get(f"{name.removesuffix('.fwhm')}.frequency")
    if name.endswith(".fwhm") and centre is not None and centre.value is not None:
        return table.width(name, centre.value)
    return table.si(name, unit)


def _data(subject: Subject, table: Table, name: str, unit: str, noise: Noise) -> dict[str, np.ndarray]:
    """Rows, values and standard deviations of one observable."""
    column, level = table.column(name), table.is_level(name)
    rows = np.flatnonzero(~np.isnan(column.values))
    if level:
        values = np.log(table.si(name, unit) if unit else table[name])
    else:
        values = table.si(name, unit) if unit else (table[name] if _has_unit(table, name) else column.values)
    sigma = _sigma(table, name, unit, level)[rows]
    _refuse(
        table, rows[~(sigma > 0) & ~np.isnan(sigma)], f"`{name}.sigma` is not positive", "a standard deviation must be"
    )
    added = noise.variance(name, unit, level)
    if added:
        sigma = np.sqrt(np.nan_to_num(sigma) ** 2 + added)
    return {"row": rows, "value": values[rows], "sigma": sigma}


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


def _refuse(table: Table, rows: np.ndarray, what: str, why: str) -> None:
    """Refuse rows of a table, the first by its line."""
    if rows.size:
        many = f" (and in {rows.size - 1} more)" if rows.size > 1 else ""
        raise ValueError(f"{table.source}: {what} in line {int(np.asarray(table.lines)[rows[0]])}{many}; {why}.")


def _states(table: Table, columns: Mapping[str, np.ndarray], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First row of each state, and the state of each datum. Rows of the same conditions were present together."""
    labels = [
        np.unique(table.labels[name], return_inverse=True)[1] for name in ("dataset", "state") if name in table.labels
    ]
    values = [np.unique(column, return_inverse=True)[1] for column in columns.values()]
    key = np.stack([*labels, *values, np.zeros(len(table), int)])[:, rows]
    _, first, state = np.unique(key, axis=1, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    if "state" in table.labels:
        _check_states(table, key[: len(labels)], key[len(labels) :], rows)
    return rows[first[order]], rank[state.reshape(-1)]


def _check_states(table: Table, labels: np.ndarray, values: np.ndarray, rows: np.ndarray) -> None:
    """Refuse rows of one state whose conditions differ."""
    _, first, state = np.unique(labels, axis=1, return_index=True, return_inverse=True)
    differ = np.any(values != values[:, first[state.reshape(-1)]], axis=0)
    _refuse(
        table, rows[differ], "the conditions differ from those of other rows of the same `state`", "they must agree"
    )


def _num_places(subject: Subject, name: str) -> int:
    return int(np.prod(subject.shape(name), dtype=int))


def _places(subject: Subject, table: Table, data: list[dict[str, np.ndarray]], names: tuple[str, ...]) -> np.ndarray:
    """Where among all predictions of a state that of each datum is."""
    found, first = [], 0
    for name, its in zip(names, data, strict=True):
        found.append(first + _place(subject, table, name, its["row"]))
        first += _num_places(subject, name)
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
    _refuse(
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


def _coordinates(subject: Subject, table: Table, names: tuple[str, ...], rows: np.ndarray) -> dict[str, np.ndarray]:
    axes = {axis: unit for name in names for axis, _, unit in subject.axes(name)}
    found = {axis: _coordinate(table, axis, unit) for axis, unit in axes.items()}
    return {axis: values[rows] for axis, values in found.items() if values is not None}
