"""What was measured: the numbers of a table in SI units, each beside the conditions it was measured under."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from jaxrate.fit.channels import of_channels, stands_for_all
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
        of_channels: Conditions of single channels of a group, which differ within a state.
        beside: By column of such a condition (`wdm.power`), that of the channel of each datum; NaN where it has none.
        state_name: Of each state, as the table names it or else its number, shape (state,).
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
    of_channels: tuple[str, ...] = ()
    beside: Mapping[str, np.ndarray] = field(default_factory=dict)
    state_name: np.ndarray = field(default_factory=lambda: np.empty(0, object))

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
            coordinate that is missing where something was measured, a channel of a state without a power, a standard
            deviation that is not positive, or nothing measured.
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
    states, state, of_rows = _states(table, columns, rows)
    labels = table.labels.get("dataset")
    own = of_channels(subject, table, of_rows, states)
    return Measured(
        conditions={**{name: values[states] for name, values in columns.items()}, **own},
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
        of_channels=tuple(own),
        beside={
            its.parameter: table.si(its.parameter, its.unit)[rows] for its in subject.lists if its.members[0] in own
        },
        state_name=np.asarray(table.labels.get("state", np.arange(1, len(table) + 1).astype(str)), object)[states],
    )


def _observables(subject: Subject, table: Table) -> dict[str, str]:
    """What the table measures, with units; every column must be known."""
    possible, lists = subject.observables, [its.parameter for its in subject.lists]
    axes = {axis for name in possible for axis, _, _ in subject.axes(name)} | {its.axis for its in subject.lists}
    found = {name: unit for name, unit in possible.items() if name in table.columns}
    known = {*subject.parameters, *lists, *axes, *found, *(f"{name}.sigma" for name in found)}
    for column in table.columns:
        if column not in known and not _is_light(column, subject, axes) and subject.parameters:
            names = [*possible, *(f"{name}.sigma" for name in possible), *lists, *subject.parameters, *axes]
            raise ValueError(f"{table.source}: {unknown('parameter or observable', column, names, 'this experiment')}")
        stem, _, last = column.rpartition(".")
        if not subject.parameters and stem in found and last not in ("sigma", "scale", "offset"):
            raise ValueError(f"{table.source}: {unknown('column', column, [f'{stem}.sigma'], 'what was measured')}")
    if not found:
        wanted = ", ".join(f"`{name}`" for name in possible)
        raise ValueError(f"{table.source} holds nothing that is predicted: it needs a column of {wanted}.")
    return found


def _is_light(column: str, subject: Subject, axes: set[str]) -> bool:
    """Whether a column is a wavelength that stands for a frequency, or the other way round along an axis."""
    stem = column.removesuffix("wavelength")
    as_wavelength = f"{column.removesuffix('frequency')}wavelength" in axes
    return as_wavelength or (
        stem != column and (f"{stem}frequency" in subject.parameters or f"{stem}frequency" in axes)
    )


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
    return found | stands_for_all(subject, table)


def _condition(subject: Subject, table: Table, name: str, unit: str) -> np.ndarray:
    if name.endswith(".frequency"):
        return table.frequency(name)
    centre = subject.parameters.get(f"{name.removesuffix('.fwhm')}.frequency")
    if name.endswith(".fwhm") and centre is not None and centre.value is not None:
        return table.width(name, centre.value)
    return table.si(name, unit)


def _states(
    table: Table, columns: Mapping[str, np.ndarray], rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First row of each state, the state of each datum, and of each row of the table, -1 where it has none.

    Rows of the same conditions were present together; so were rows of one `state`, also those without a measurement.
    """
    labels = [
        np.unique(table.labels[name], return_inverse=True)[1] for name in ("dataset", "state") if name in table.labels
    ]
    values = [np.unique(column, return_inverse=True)[1] for column in columns.values()]
    every = np.stack([*labels, *values, np.zeros(len(table), int)])
    key = every[:, rows]
    _, first, state = np.unique(key, axis=1, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    if "state" in table.labels:
        _check_states(table, key[: len(labels)], key[len(labels) :], rows)
        every = every[: len(labels)]
    states = rows[first[order]]
    return states, rank[state.reshape(-1)], _alike(every, states)


def _alike(every: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Which of some rows each row of the table is like, shape (row,); -1 where it is like none."""
    kinds, kind = np.unique(every, axis=1, return_inverse=True)
    found, kind = np.full(kinds.shape[1], -1), kind.reshape(-1)
    found[kind[states]] = np.arange(len(states))
    return found[kind]


def _check_states(table: Table, labels: np.ndarray, values: np.ndarray, rows: np.ndarray) -> None:
    """Refuse rows of one state whose conditions differ."""
    _, first, state = np.unique(labels, axis=1, return_index=True, return_inverse=True)
    differ = np.any(values != values[:, first[state.reshape(-1)]], axis=0)
    refuse(table, rows[differ], "the conditions differ from those of other rows of the same `state`", "they must agree")
