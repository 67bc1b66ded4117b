"""A fit that is ready to run: data laid out state by state, and the kernels that run it for many starts at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from jaxrate.fit.descent import Descent
from jaxrate.fit.free import DATASET
from jaxrate.fit.journal import Journal
from jaxrate.fit.likelihood import Likelihood, efficiency, gaussian, poisson
from jaxrate.fit.measured import Measured
from jaxrate.fit.objective import FORWARD
from jaxrate.fit.problem import (
    CHUNK_BYTES,
    FEWEST,
    HELD,
    TURNS,
    WEIGHT,
    Layout,
    LeastSquares,
    Part,
    Y,
    predictions,
)
from jaxrate.fit.stated import Stated
from jaxrate.fit.subject import Subject
from jaxrate.text_table import counted

MAX_TURNS = 10_000
"""Evaluations of one fit at most: some valleys are narrow and bent."""


@dataclass(frozen=True)
class Task:
    """A fit that is ready to run.

    Attributes:
        layout: Its static description.
        base: Its numbers.
        stated: Its free parameters.
        data: What was measured, table by table.
        places: Where each datum is among all places of the layout, shape (datum,).
        is_noise_stated: Whether standard deviations were stated.
        loss: How residuals count.
        journal: Where finished fits are kept.
    """

    layout: Layout
    base: np.ndarray
    stated: Stated
    data: tuple[Measured, ...]
    places: np.ndarray
    is_noise_stated: bool
    loss: Likelihood
    journal: Journal

    @cached_property
    def value(self) -> np.ndarray:
        """Data, shape (datum,)."""
        return np.concatenate([m.value for m in self.data])

    @cached_property
    def sigma(self) -> np.ndarray:
        """Their standard deviations; 1 where none was stated."""
        stated = np.concatenate([m.sigma for m in self.data])
        return np.where(np.isnan(stated), 1.0, stated)

    @property
    def num(self) -> int:
        """Number of free coordinates."""
        return self.layout.free.num

    @property
    def start(self) -> np.ndarray:
        """Where a single fit begins, shape (coordinate,)."""
        return np.array([c.start for c in self.stated.coordinates])

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the coordinates."""
        return self.layout.free.bounds(self.base)

    @cached_property
    def kernel(self) -> LeastSquares | Descent:
        """What fits it: least squares, or descent where they are none or the parameters are many."""
        if self.loss == gaussian and self.num <= FORWARD:
            return LeastSquares(self.layout)
        return Descent(self.layout, self.loss)

    def fits(
        self, u: np.ndarray, *, y: Any = None, weight: Any = None, held: Any = None, max_turns: int = MAX_TURNS
    ) -> dict[str, np.ndarray]:
        """Fit from every start.

        Args:
            u: Starts, shape (coordinate, fit) or (coordinate, 1).
            y: Data of each fit, shape (datum, fit); by default those measured.
            weight: Weights of the data in each fit, shape (datum, fit).
            held: Which coordinates keep their value, shape (coordinate, fit).
            max_turns: Evaluations at most.

        Returns:
            "u" (coordinate, fit), "square", "turns" and "status" (0 where converged), shapes (fit,).
        """
        own = {} if y is None else {Y: self.spread(y)}
        own |= {} if weight is None else {WEIGHT: self.spread(weight)}
        own |= {HELD: np.zeros((self.num, 1)) if held is None else np.asarray(held, np.float64)}
        own |= {TURNS: np.full((1, 1), float(max_turns))}
        return self.journal.fits(self.kernel, self.base, u, own)

    def slopes(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Predictions at some coordinates, shape (datum,), and derivatives by them, (coordinate, datum)."""
        found = predictions(self.layout, self.base, u)
        return found[0][self.places], found[1][:, self.places]

    def jacobian(self, u: np.ndarray) -> np.ndarray:
        """Derivatives of the weighted residuals, of data and of priors, shape (datum, coordinate)."""
        prediction, slopes = self.slopes(u)
        information, _ = efficiency(self.loss, prediction, self.value, 1 / self.sigma)
        return np.concatenate([(slopes * np.sqrt(information)).T, self.layout.free.prior_slopes(self.base, u)])

    def scale(self, u: np.ndarray, square: float, dof: int) -> float:
        """Standard deviation of the noise over that stated: 1, or estimated, or what outliers make of it."""
        if not self.is_noise_stated:
            return float(np.sqrt(square / dof)) if dof > 0 else np.nan
        return efficiency(self.loss, self.slopes(u)[0], self.value, 1 / self.sigma)[1]

    def spread(self, values: Any) -> np.ndarray:
        """Numbers of the data, shape (datum, fit), at their places, (place, fit)."""
        values = np.asarray(values, np.float64)
        found = np.zeros((self.layout.size, *values.shape[1:]))
        found[self.places] = values
        return found

    def with_journal(self, journal: Journal) -> "Task":
        """The same fit, kept elsewhere."""
        return replace(self, journal=journal)


def task(
    subjects: Sequence[Subject], data: Sequence[Measured], datasets: Sequence[str], what: Stated, loss: Likelihood
) -> Task:
    """Lay a fit out.

    Raises:
        ValueError: some data have a standard deviation and others none, or there are fewer data than parameters.
    """
    is_noise_stated = _is_noise_stated(data, loss)
    if what.free.priors and not is_noise_stated:
        raise ValueError(
            "A prior and data can only be weighed if both have a standard deviation: give the table a column "
            f"`{data[0].names[0]}.sigma`, or state its `jitter`."
        )
    for its in data:
        for i, name in enumerate(its.names):
            loss.check(its.value[its.observable == i], name)
    parts, numbers, places, first = [], [], [], 0
    for subject, its in zip(subjects, data, strict=True):
        part, own, where = _part(subject, its, datasets, what)
        parts.append(part)
        numbers.append(own)
        places.append(first + where)
        first += part.size
    found = Task(
        layout=Layout(what.free, tuple(parts)),
        base=np.concatenate([what.numbers, *numbers]),
        stated=what,
        data=tuple(data),
        places=np.concatenate(places),
        is_noise_stated=is_noise_stated,
        loss=loss,
        journal=Journal(),
    )
    _check_number(found)
    return found


def _is_noise_stated(data: Sequence[Measured], loss: Likelihood) -> bool:
    if loss == poisson:
        return True
    missing = np.concatenate([np.isnan(m.sigma) for m in data])
    names = sorted({name for m in data for name in m.names})
    if missing.all():
        if len(names) > 1:
            raise ValueError(
                f"Nothing tells how {', '.join(f'`{n}`' for n in names)} compare: give each a standard deviation, "
                f"a column `{names[0]}.sigma` for example."
            )
        if loss != gaussian:
            raise ValueError(f"This loss needs standard deviations: give the table a column `{names[0]}.sigma`.")
        return False
    if missing.any():
        raise ValueError(
            f"{np.count_nonzero(missing)} of {missing.size} data have no standard deviation: state all, or none."
        )
    return True


def _check_number(task: Task) -> None:
    numbers = task.value.size + len(task.layout.free.priors)
    what = f"{counted(numbers, 'datum', 'data')} cannot determine {counted(task.num, 'free parameter')}"
    if numbers < task.num:
        raise ValueError(f"{what}: fix some, or measure more.")
    if numbers == task.num and not task.is_noise_stated:
        raise ValueError(
            f"{what} and the noise beside: give the table a column `{task.data[0].names[0]}.sigma`, "
            "fix some parameters, or measure more."
        )


def _part(
    subject: Subject, data: Measured, datasets: Sequence[str], what: Stated
) -> tuple[Part, np.ndarray, np.ndarray]:
    """Layout of one table, its numbers, and the place of each datum."""
    varied = {*(c.parameter for c in what.coordinates), *(name for name, _ in what.free.ties), *data.conditions}
    source = subject.source(data.names, varied)
    row, width = _rows(data.state, data.num_states)
    chunk = _chunk(data.num_states, width, what.free.num, source.lane_bytes)
    states = -(-data.num_states // chunk) * chunk
    conditions = {**data.conditions, DATASET: np.array([datasets.index(d) for d in data.dataset], float)}
    table = np.pad(np.stack([*conditions.values()]), ((0, 0), (0, states - data.num_states)), mode="edge")
    place, y, weight = (np.zeros((width, states)) for _ in range(3))
    place[row, data.state], y[row, data.state] = data.place, data.value
    weight[row, data.state] = 1 / np.where(np.isnan(data.sigma), 1.0, data.sigma)
    regular = width == data.num_places and bool(np.all(np.arange(width) == place[:, : data.num_states].T))
    base = subject.base(what.fixed)
    part = Part(source, tuple(conditions), data.levels, base.size, states, width, chunk, regular)
    return part, part.joined(base, table, place, y, weight), row * states + data.state


def _rows(state: np.ndarray, num_states: int) -> tuple[np.ndarray, int]:
    """Number of each datum within its state, and the largest number of data of a state."""
    order = np.argsort(state, kind="stable")
    counts = np.bincount(state, minlength=num_states)
    row = np.empty(state.size, int)
    row[order] = np.arange(state.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return row, int(counts.max())


def _chunk(states: int, width: int, num: int, lane_bytes: int) -> int:
    """States that are predicted at once, so that a block of fits stays in the caches."""
    most = CHUNK_BYTES // (8 * (num + 2) * FEWEST * width), CHUNK_BYTES // (FEWEST * lane_bytes)
    pieces = -(-states // max(1, min(most)))
    return -(-states // pieces)
