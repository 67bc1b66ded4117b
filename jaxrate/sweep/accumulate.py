"""Accumulators: what the lanes of a cell become, piece by piece, in the order of the lanes."""

from functools import cached_property
from typing import Any, Protocol

import numpy as np

NOWHERE = np.iinfo(np.int64).max
"""Index of an extreme that was not found yet."""

State = dict[str, np.ndarray]
"""What an accumulator has taken in, by name."""


class Pieces:
    """Lanes `low` to `high`, cut where a cell or a block ends.

    Args:
        low, high: The chunk.
        cell_size: Lanes of a cell.
        block: Lanes of a block.
        good: Which lanes have a result, shape (lane,).
        origin: First cell there is a place for.
    """

    def __init__(self, low: int, high: int, cell_size: int, block: int, good: np.ndarray, origin: int = 0) -> None:
        cuts = [np.arange(-(-low // step) * step, high, step) for step in (cell_size, block)]
        begins = np.unique(np.concatenate([[low], *cuts]))
        cells = begins // cell_size
        self.first, self.last = int(cells[0]) - origin, int(cells[-1]) + 1 - origin
        self.starts, self.offsets = begins - low, begins % cell_size
        self.lengths = np.diff(self.starts, append=high - low)
        self.rows, self.columns = cells - cells[0], np.arange(cells.size) - np.searchsorted(cells, cells)
        self.good, self.all_good = good, bool(good.all())
        self.count = self.lengths if self.all_good else self.reduce(np.add, good.astype(np.int64))

    def reduce(self, ufunc: np.ufunc, x: np.ndarray) -> np.ndarray:
        """Each piece reduced, shape (*core, piece), from (*core, lane)."""
        return ufunc.reduceat(x, self.starts, axis=-1)

    def spread(self, x: np.ndarray) -> np.ndarray:
        """A value of every piece for each of its lanes."""
        return np.repeat(x, self.lengths, axis=-1)

    def replace_bad(self, x: np.ndarray, neutral: Any) -> np.ndarray:
        """Values of good lanes, and a neutral element for the others."""
        return x if self.all_good else np.where(self.good, x, neutral)

    @cached_property
    def lane_rows(self) -> np.ndarray:
        """Cell of every lane, counted from the first of the chunk."""
        return self.spread(self.rows)

    def after(self, state: np.ndarray, parts: np.ndarray, neutral: Any) -> np.ndarray:
        """What each cell has so far, then its pieces in order, shape (*core, cell, 1 + pieces)."""
        shape = (*parts.shape[:-1], self.last - self.first, int(self.columns.max()) + 2)
        table = np.full(shape, neutral, dtype=state.dtype)
        table[..., 0] = state[..., self.first : self.last]
        table[..., self.rows, self.columns + 1] = parts
        return table


class Accumulator(Protocol):
    """What one observable is reduced to."""

    def measure(self, x: np.ndarray, pieces: Pieces) -> Any:
        """Reduce the pieces of a chunk, (*core, lane); called from any thread."""
        ...

    def merge(self, part: Any, pieces: Pieces, numbers: np.ndarray) -> None:
        """Take in a measured chunk, in the order of the lanes; `numbers` counts good lanes as `Pieces.after` does."""
        ...

    def state(self) -> State:
        """What it has taken in, shapes (*core, cell, ...)."""
        ...

    def join(self, state: State, cells: slice, before: np.ndarray, added: np.ndarray) -> None:
        """Take in what another one has for some cells, whose good lanes follow; both numbers of good lanes (cell,)."""
        ...

    def results(self, count: np.ndarray) -> dict[str, np.ndarray]:
        """Results (*core, cell) by name, from the number of good lanes of each cell."""
        ...


class Moments:
    r"""Mean and standard deviation over the good lanes.

    Two sets of sums $T_a, T_b$ and of squared deviations $S_a, S_b$ join as
    $S = S_a + S_b + \frac{n_a n_b}{n_a + n_b}\left(\frac{T_b}{n_b} - \frac{T_a}{n_a}\right)^2$. A running sum over
    the pieces joins them one after the other, whatever their number.

    Source:
        T. F. Chan, G. H. Golub, R. J. LeVeque, *Algorithms for computing the sample variance*, Am. Stat. 37 (1983)
        242, equation 2.1.
    """

    def __init__(self, core: tuple[int, ...], cells: int, spread: bool) -> None:
        self.sums = np.zeros((*core, cells))
        self.squares = np.zeros((*core, cells)) if spread else None

    def measure(self, x: np.ndarray, pieces: Pieces) -> tuple[np.ndarray, np.ndarray | None]:
        """Sum and sum of squared deviations of every piece."""
        sums = pieces.reduce(np.add, pieces.replace_bad(x, 0.0))
        if self.squares is None:
            return sums, None
        deviations = pieces.replace_bad(x - pieces.spread(sums / np.maximum(pieces.count, 1)), 0.0)
        return sums, pieces.reduce(np.add, deviations**2)

    def merge(self, part: tuple[np.ndarray, np.ndarray | None], pieces: Pieces, numbers: np.ndarray) -> None:
        """Join the pieces one after the other."""
        added = pieces.after(self.sums, part[0], 0.0)
        sums = np.cumsum(added, axis=-1)
        if self.squares is not None and part[1] is not None:
            squares, before = pieces.after(self.squares, part[1], 0.0), np.cumsum(numbers, axis=-1)
            weights = before[..., :-1] * (numbers[..., 1:] / np.maximum(before[..., 1:], 1))
            gaps = _mean(added[..., 1:], numbers[..., 1:]) - _mean(sums[..., :-1], before[..., :-1])
            squares[..., 1:] += np.where(weights > 0, weights * gaps**2, 0.0)
            self.squares[..., pieces.first : pieces.last] = np.cumsum(squares, axis=-1)[..., -1]
        self.sums[..., pieces.first : pieces.last] = sums[..., -1]

    def state(self) -> State:
        """Sums, and sums of squared deviations."""
        return {"sums": self.sums} | ({} if self.squares is None else {"squares": self.squares})

    def join(self, state: State, cells: slice, before: np.ndarray, added: np.ndarray) -> None:
        """Join two sets of sums."""
        if self.squares is not None:
            gaps = _mean(state["sums"], added) - _mean(self.sums[..., cells], before)
            weights = before * (added / np.maximum(before + added, 1))
            self.squares[..., cells] += state["squares"] + np.where(weights > 0, weights * gaps**2, 0.0)
        self.sums[..., cells] += state["sums"]

    def results(self, count: np.ndarray) -> dict[str, np.ndarray]:
        """Mean, and standard deviation about it (divided by n, as NumPy does)."""
        found = {"mean": np.where(count > 0, _mean(self.sums, count), np.nan)}
        if self.squares is not None:
            found["std"] = np.where(count > 0, np.sqrt(_mean(self.squares, count)), np.nan)
        return found


def _mean(sums: np.ndarray, count: np.ndarray) -> np.ndarray:
    return sums / np.maximum(count, 1)


class Extreme:
    """Largest or smallest value of the good lanes, and where in the cell it is found first."""

    def __init__(self, core: tuple[int, ...], cells: int, name: str, where: bool) -> None:
        self.name, self.where = name, where
        self.ufunc, self.worst = (np.maximum, -np.inf) if name == "max" else (np.minimum, np.inf)
        self.best = np.full((*core, cells), self.worst)
        self.index = np.full((*core, cells), NOWHERE) if where else None

    def measure(self, x: np.ndarray, pieces: Pieces) -> tuple[np.ndarray, np.ndarray | None]:
        """Extreme of every piece, and the index in its cell."""
        best = pieces.reduce(self.ufunc, pieces.replace_bad(x, self.worst))
        if self.index is None:
            return best, None
        hit = ((x == pieces.spread(best)) | np.isnan(x)) & pieces.good
        lane = pieces.reduce(np.minimum, np.where(hit, np.arange(x.shape[-1]), NOWHERE))
        return best, np.where(lane == NOWHERE, NOWHERE, lane - pieces.starts + pieces.offsets)

    def merge(self, part: tuple[np.ndarray, np.ndarray | None], pieces: Pieces, numbers: np.ndarray) -> None:
        """Keep the better one, and of equals the first; NaN beats all, as in NumPy."""
        found = pieces.after(self.best, part[0], self.worst)
        best = self.ufunc.reduce(found, axis=-1)
        if self.index is not None and part[1] is not None:
            index = pieces.after(self.index, part[1], NOWHERE)
            self.index[..., pieces.first : pieces.last] = _where(found, best, index)
        self.best[..., pieces.first : pieces.last] = best

    def state(self) -> State:
        """The extreme, and where it is."""
        return {"best": self.best} | ({} if self.index is None else {"index": self.index})

    def join(self, state: State, cells: slice, before: np.ndarray, added: np.ndarray) -> None:
        """Keep the better one, and of equals the first."""
        found = np.stack([self.best[..., cells], state["best"]], axis=-1)
        best = self.ufunc.reduce(found, axis=-1)
        if self.index is not None:
            index = np.stack([self.index[..., cells], state["index"]], axis=-1)
            self.index[..., cells] = _where(found, best, index)
        self.best[..., cells] = best

    def results(self, count: np.ndarray) -> dict[str, np.ndarray]:
        """The extreme, NaN in a cell without good lanes; and its index, there 0."""
        found = {self.name: np.where(count > 0, self.best, np.nan)}
        if self.index is not None:
            found[f"arg{self.name}"] = np.where(count > 0, self.index, 0)
        return found


def _where(found: np.ndarray, best: np.ndarray, index: np.ndarray) -> np.ndarray:
    """First index at which the best is found, NaN counting as best."""
    return np.where((found == best[..., None]) | np.isnan(found), index, NOWHERE).min(axis=-1)


class Counts:
    """Histogram of the good lanes; a NaN of a good lane is in no bin."""

    def __init__(self, core: tuple[int, ...], cells: int, edges: tuple[float, ...]) -> None:
        self.edges = np.array(edges)
        self.counts = np.zeros((*core, cells, len(edges) + 1), np.int64)

    def measure(self, x: np.ndarray, pieces: Pieces) -> np.ndarray:
        """Counts of the cells of a chunk, below and above the edges included, shape (*core, cell, bin + 2)."""
        core, cells, bins = x.shape[:-1], pieces.last - pieces.first, self.counts.shape[-1]
        rows = np.arange(int(np.prod(core))).reshape(*core, 1) * cells + pieces.lane_rows
        keys = rows * bins + self._bins(x)
        total = self.counts[..., pieces.first : pieces.last, :].size
        return np.bincount(keys[pieces.good & ~np.isnan(x)], minlength=total).reshape(*core, cells, bins)

    def _bins(self, x: np.ndarray) -> np.ndarray:
        """0 is below the edges, 1 the first bin; the last edge belongs to the last bin."""
        return np.searchsorted(self.edges, x, side="right") - (x == self.edges[-1])

    def merge(self, part: np.ndarray, pieces: Pieces, numbers: np.ndarray) -> None:
        """Add them up."""
        self.counts[..., pieces.first : pieces.last, :] += part

    def state(self) -> State:
        """Counts of all bins."""
        return {"counts": self.counts}

    def join(self, state: State, cells: slice, before: np.ndarray, added: np.ndarray) -> None:
        """Add them up."""
        self.counts[..., cells, :] += state["counts"]

    def results(self, count: np.ndarray) -> dict[str, np.ndarray]:
        """Counts in the bins (*core, cell, bin), and below and above them (*core, cell)."""
        inside, below, above = self.counts[..., 1:-1], self.counts[..., 0], self.counts[..., -1]
        return {"histogram": inside, "histogram_below": below, "histogram_above": above}
