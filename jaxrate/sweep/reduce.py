"""Reductions of a sweep: lanes become means, extremes and histograms chunk by chunk; none is stored.

Lanes are ordered so that those of one cell, one result, lie side by side. A chunk of lanes is cut into pieces where
a cell ends and where a block ends. Pieces are reduced by the threads that computed them and merged in the order of
the lanes, so the result depends neither on the threads nor on how many blocks make a chunk. A sweep is a sequence of
work units; what each is reduced to is joined in their order.
"""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxrate.names import unknown
from jaxrate.sweep.accumulate import Accumulator, Counts, Extreme, Moments, Pieces, State

NAMES = ("mean", "std", "min", "max", "argmax", "argmin")


@dataclass(frozen=True, init=False)
class Histogram:
    """Counts of ensembles by the value of an observable.

    Args:
        edges: Edges of the bins in the observable's SI unit, rising; the first and last may be infinite. A bin holds
            its left edge, and the last one its right edge too. What lies outside is counted as well.
        of: Name of the observable; by default every one.
    """

    edges: tuple[float, ...]
    of: str | None = None

    def __init__(self, edges: Any, of: str | None = None) -> None:
        found = np.asarray(edges, dtype=np.float64)
        if found.ndim != 1 or found.size < 2 or not np.all(found[1:] > found[:-1]):
            raise ValueError(f"`edges` must be at least two rising numbers, but {edges!r} was given.")
        object.__setattr__(self, "edges", tuple(found.tolist()))
        object.__setattr__(self, "of", of)


Reduction = str | Histogram
"""One of `NAMES`, or a `Histogram`."""


def read_reductions(
    reduce: Sequence[Reduction] | Reduction, observables: Sequence[str]
) -> dict[str, tuple[Reduction, ...]]:
    """The reductions of each observable.

    Raises:
        ValueError: an unknown reduction or observable (the nearest is proposed), two histograms of one observable,
            or nothing to do.
    """
    wanted = (reduce,) if isinstance(reduce, (str, Histogram)) else tuple(reduce)
    if not wanted:
        raise ValueError("`reduce` must name reductions such as ['mean', 'max'], but none was given.")
    for each in wanted:
        _check_reduction(each, observables)
    found = {o: tuple(dict.fromkeys(r for r in wanted if getattr(r, "of", None) in (None, o))) for o in observables}
    for name, reductions in found.items():
        if sum(isinstance(r, Histogram) for r in reductions) > 1:
            raise ValueError(f"`reduce` must have one Histogram for each observable, but `{name}` has several.")
    return found


def _check_reduction(given: Any, observables: Sequence[str]) -> None:
    if isinstance(given, Histogram):
        if given.of is not None and given.of not in observables:
            raise ValueError("`Histogram(of=...)`: " + unknown("observable", given.of, observables, "this experiment"))
    elif given not in NAMES:
        raise ValueError("`reduce`: " + unknown("reduction", given, (*NAMES, "Histogram(edges)")))


def _accumulators(reductions: Sequence[Reduction], core: tuple[int, ...], cells: int) -> list[Accumulator]:
    found: list[Accumulator] = [Counts(core, cells, r.edges) for r in reductions if isinstance(r, Histogram)]
    if "mean" in reductions or "std" in reductions:
        found.append(Moments(core, cells, spread="std" in reductions))
    for name in ("min", "max"):
        if name in reductions or f"arg{name}" in reductions:
            found.append(Extreme(core, cells, name, where=f"arg{name}" in reductions))
    return found


class Totals:
    """What the cells of a sweep are reduced to.

    Args:
        reductions: Of each observable, as `read_reductions` gives them.
        cores: Core shape of each observable.
        cells: Number of results.
        cell_size: Lanes of each.
        first: Index of the first cell.
    """

    def __init__(
        self,
        reductions: Mapping[str, Sequence[Reduction]],
        cores: Mapping[str, tuple[int, ...]],
        cells: int,
        cell_size: int,
        first: int = 0,
    ) -> None:
        self.first, self.cell_size = first, cell_size
        self.count = np.zeros(cells, np.int64)
        self.accumulators = {name: _accumulators(r, cores[name], cells) for name, r in reductions.items()}

    def add(self, part: "Totals") -> None:
        """Take in the totals of lanes that follow those taken in before, of some of the cells."""
        cells = slice(part.first - self.first, part.first - self.first + part.count.size)
        with np.errstate(invalid="ignore", over="ignore"):
            for name, accumulators in self.accumulators.items():
                for mine, other in zip(accumulators, part.accumulators[name], strict=True):
                    mine.join(other.state(), cells, self.count[cells], part.count)
        self.count[cells] += part.count

    def state(self) -> State:
        """Every number by name, to be kept somewhere."""
        each = ((name, k, a) for name, found in self.accumulators.items() for k, a in enumerate(found))
        return {"count": self.count} | {f"{name}/{k}/{key}": x for name, k, a in each for key, x in a.state().items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take back numbers that `state` gave.

        Raises:
            ValueError: they are of other cells.
        """
        for name, mine in self.state().items():
            if mine.shape != state[name].shape:
                raise ValueError(f"`{name}` has the shape {state[name].shape} instead of {mine.shape}.")
            mine[...] = state[name]

    @property
    def failed(self) -> np.ndarray:
        """Lanes without a result of each cell."""
        return self.cell_size - self.count

    def results(self, name: str) -> dict[str, np.ndarray]:
        """Everything an observable was reduced to, shapes (*core, cell)."""
        with np.errstate(invalid="ignore"):
            return {k: v for a in self.accumulators[name] for k, v in a.results(self.count).items()}


class Reducer:
    """Sink of lanes that keeps totals only.

    Args:
        totals: Where they go.
        block: Lanes of a block.
        start: Index in the whole sweep of the first lane that comes.
    """

    def __init__(self, totals: Totals, block: int, start: int = 0) -> None:
        self.totals, self.block, self.start = totals, block, start
        self.statuses: Counter[int] = Counter()
        self._lock, self._next = threading.Lock(), 0
        self._waiting: dict[int, tuple[int, Pieces, dict[str, list]]] = {}

    def __call__(self, low: int, high: int, results: Mapping[str, np.ndarray]) -> None:
        """Reduce a chunk, and merge all that is there up to the first one missing."""
        status, totals = results["status"], self.totals
        with np.errstate(invalid="ignore", over="ignore"):  # an infinite value makes a NaN deviation, as in NumPy
            begin, end = low + self.start, high + self.start
            pieces = Pieces(begin, end, totals.cell_size, self.block, status == 0, totals.first)
            parts = {name: self._measure(name, results[name], pieces) for name in totals.accumulators}
            with self._lock:
                self.statuses += count_statuses(status, pieces.all_good)
                self._waiting[low] = high, pieces, parts
                while self._next in self._waiting:
                    self._next, pieces, parts = self._waiting.pop(self._next)
                    self._merge(pieces, parts)

    def _measure(self, name: str, x: np.ndarray, pieces: Pieces) -> list:
        x = np.asarray(x, np.float64)
        return [accumulator.measure(x, pieces) for accumulator in self.totals.accumulators[name]]

    def _merge(self, pieces: Pieces, parts: Mapping[str, list]) -> None:
        numbers = pieces.after(self.totals.count, pieces.count, 0)
        for name, accumulators in self.totals.accumulators.items():
            for accumulator, part in zip(accumulators, parts[name], strict=True):
                accumulator.merge(part, pieces, numbers)
        self.totals.count[pieces.first : pieces.last] = numbers.sum(axis=-1)


def count_statuses(status: np.ndarray, all_good: bool | None = None) -> Counter[int]:
    """Number of lanes of each status."""
    if all_good if all_good is not None else not status.any():
        return Counter({0: status.size})
    codes, counts = np.unique(status, return_counts=True)
    return Counter(dict(zip(codes.tolist(), counts.tolist(), strict=True)))
