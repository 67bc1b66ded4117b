"""What was measured: the numbers of a table in SI units, each beside the conditions it was measured under."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from jaxrate.fit.places import coordinates, num_places, places
from jaxrate.fit.readings import Noise, readings, refuse, si
from jaxrate.fit.subject import Subject
from jaxrate.fit.table import Table
from jaxrate.names import unknown


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
    data = {name: readings(table, name, unit, noise) for name, unit in observables.items()}
    rows = np.concatenate([its.rows for its in data.values()])
    if not rows.size:
        raise ValueError(f"{table.source} holds no measured number: {', '.join(f'`{n}`' for n in observables)} is NaN.")
    columns = _conditions(subject, table, observables)
    for name, values in columns.items():
        lost = rows[np.isnan(values[rows])]
        refuse(table, lost, f"`{name}` is missing", "what was measured has no conditions without it")
    states, state = _states(table, columns, rows)
    labels = table.labels.get("dataset")
    return Measured(
        conditions={name: values[states] for name, values in columns.items()},
        levels=tuple(name for name in observables if table.is_level(name)),
        units=observables,
        names=tuple(observables),
        observable=np.repeat(np.arange(len(data)), [its.rows.size for its in data.values()]),
        place=places(subject, table, data),
        state=state,
        value=np.concatenate([its.value for its in data.values()]),
        sigma=np.concatenate([its.sigma for its in data.values()]),
        line=np.asarray(table.lines)[rows],
        dataset=np.full(len(states), label, object) if labels is None else np.asarray(labels, object)[states],
        num_places=sum(num_places(subject, name) for name in observables),
        coordinates=coordinates(subject, table, observables, rows),
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


def _conditions(subject: Subject, table: Table, observables: Collection[str]) -> dict[str, np.ndarray]:
    """Conditions in SI units, shape (row,)."""
    if not subject.parameters:
        skipped = {*observables, *(f"{name}.sigma" for name in observables)}
        return {name: si(table, name, "") for name in table.columns if name not in skipped}
    found = {}
    for name, known in subject.parameters.items():
        wavelength = f"{name.removesuffix('frequency')}wavelength"
        if name in table.columns:
            found[name] = _condition(subject, table, name, known.unit)
        elif name.endswith(".frequency") and wavelength in table.columns:
            found[name] = table.frequency(wavelength)
    return found


def _condition(subject: Subject, table: Table, name: str, unit: str) -> np.ndarray:
    if name.endswith(".frequency"):
        return table.frequency(name)
    centre = subject.parameters.get(f"{name.removesuffix('.fwhm')}.frequency")
    if name.endswith(".fwhm") and centre is not None and centre.value is not None:
        return table.width(name, centre.value)
    return table.si(name, unit)


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
    refuse(table, rows[differ], "the conditions differ from those of other rows of the same `state`", "they must agree")
