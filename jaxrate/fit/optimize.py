"""From many starts to the best minimum, and what the others found."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import qmc

from jaxrate.fit.stated import Coordinate
from jaxrate.fit.task import MAX_TURNS, Task

SCOUT_TURNS = 200
"""Evaluations of every start; those that are good and have not ended then go on."""
PROMISING = 16
"""Starts that go on."""
SPREAD = np.log(10.0)
"""A positive parameter without both bounds is started up to a decade away."""
SAME_MINIMUM = 1e-6
"""Difference of the sum of squares, over its value, below which two minima are the same."""
SAME_PLACE = 1e-3
"""Distance of two minima, in logarithms, or over their size, below which they are one."""


@dataclass(frozen=True)
class Found:
    """Where the starts led.

    Attributes:
        u: Coordinates that each start led to, shape (coordinate, start), best first.
        square: Sum of squares there; infinite where no prediction was finite.
        converged: Whether each had ended.
        turns: Evaluations of each.
    """

    u: np.ndarray
    square: np.ndarray
    converged: np.ndarray
    turns: np.ndarray

    @property
    def best(self) -> np.ndarray:
        """The best coordinates, shape (coordinate,)."""
        return self.u[:, 0]


def starts(task: Task, num: int, seed: int) -> np.ndarray:
    """The stated start, and scrambled Sobol points around it, shape (coordinate, start).

    Within the bounds of a coordinate that has both; else a decade to both sides of a positive parameter, and its own
    size to both sides of another.
    """
    first = task.start[:, None]
    if num < 2:
        return first
    low, high = np.array([_range(c) for c in task.stated.coordinates]).T
    power = int(np.ceil(np.log2(num)))
    points = qmc.Sobol(task.num, scramble=True, rng=np.random.default_rng(seed)).random_base2(power)[: num - 1].T
    return np.concatenate([first, low[:, None] + (high - low)[:, None] * points], axis=1)


def _range(coordinate: Coordinate) -> tuple[float, float]:
    if coordinate.is_bounded:
        return coordinate.lower, coordinate.upper
    reach = SPREAD if coordinate.logarithmic else abs(coordinate.start)
    return max(coordinate.lower, coordinate.start - reach), min(coordinate.upper, coordinate.start + reach)


def search(task: Task, begin: np.ndarray) -> Found:
    """Fit from every start; the best that have not ended go on until they have."""
    found = task.fits(begin, max_turns=SCOUT_TURNS)
    u, square = found["u"], found["square"]
    converged, turns = found["status"] == 0, found["turns"].astype(int)
    order = np.argsort(square, kind="stable")[:PROMISING]
    going = order[~converged[order] & np.isfinite(square[order])]
    if going.size:
        more = task.fits(u[:, going], max_turns=MAX_TURNS)
        u[:, going], square[going] = more["u"], more["square"]
        converged[going], turns[going] = more["status"] == 0, turns[going] + more["turns"]
    order = np.lexsort((~converged, square))
    return Found(u[:, order], square[order], converged[order], turns[order])


def minima(found: Found, moving: np.ndarray) -> list[np.ndarray]:
    """Distinct minima, best first: the starts that led to each.

    Args:
        found: Where the starts led.
        moving: Directions that data determine, shape (direction, coordinate): others make no minimum distinct.
    """
    groups: list[list[int]] = []
    places = moving @ found.u
    for i in np.flatnonzero(found.converged).tolist():
        for group in groups:
            if _alike(found, places, group[0], i):
                group.append(i)
                break
        else:
            groups.append([i])
    return [np.array(group) for group in groups]


def _alike(found: Found, places: np.ndarray, i: int, j: int) -> bool:
    size = np.maximum(1.0, np.abs(places[:, i]))
    near = np.all(np.abs(places[:, i] - places[:, j]) <= SAME_PLACE * size)
    return bool(near) and abs(found.square[i] - found.square[j]) <= SAME_MINIMUM * (found.square[i] + 1e-300) + 1e-12
