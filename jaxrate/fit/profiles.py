"""Profiles of the likelihood: the best fit of all others at every value of a parameter, and where it is too bad."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxrate.fit.uncertainty import Intervals, Solution

GRID = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.25])
"""Distances from the best value at which a profile is drawn, over that at which the curvature ends the interval."""
FARTHEST = 1e6
"""Distance from the best value that counts as unbounded, over its size or error; a logarithm has `Coordinate.ends`."""
CLOSE = 1e-4
"""Relative accuracy of the ends of a profile, in standard errors."""
ROUNDS = 40
"""Batches of fits in which all ends are looked for."""
AT_BOUND = 1e-9
"""Distance of a coordinate from its bound at which it counts as there, over its size."""


@dataclass
class _Side:
    """One end of one profile.

    Attributes:
        coordinate: Which coordinate.
        sign: Which way.
        points: (distance, rise of the sum of squares over the variance), by increasing distance.
        label: What ends it; empty while it is looked for.
        end: Distance of the end.
        limit: Largest distance there is: to the bound, or to where it counts as unbounded.
        is_bound: Whether a bound is the limit.
    """

    coordinate: int
    sign: int
    limit: float
    is_bound: bool
    points: list[tuple[float, float]]
    label: str = ""
    end: float = np.inf

    def wanted(self, threshold: float) -> float | None:
        """Distance to look at next; None when the end is known."""
        below = max((d for d, rise in self.points if rise < threshold), default=0.0)
        above = min((d for d, rise in self.points if rise >= threshold and d > below), default=None)
        if above is None:
            if below >= self.limit:
                self.label = "bound" if self.is_bound else "unbounded"
                self.end = self.limit if self.is_bound else np.inf
                return None
            return min(2 * max(below, 1e-12), self.limit)
        root = [np.sqrt(max(dict(self.points).get(d, 0.0), 0.0)) for d in (below, above)]
        target = np.sqrt(threshold)
        if root[1] - target <= CLOSE * target or above - below <= 1e-13 * above:
            self.label, self.end = "data", above
            return None
        share = (target - root[0]) / (root[1] - root[0])
        return below + (above - below) * float(np.clip(share, 0.02, 0.98)) * (1 + 1e-9)


def profiles(fit: Solution, level: float, which: tuple[int, ...] | None = None) -> Intervals:
    r"""By the profile of the sum of squares: all others are fitted again at every value of a coordinate.

    The interval holds the values with $S(\theta_j) - S_{min} \le s^2 q^2$, q Student's quantile (F with one degree of
    freedom) where the noise $s^2$ was estimated, the normal's where it was stated.

    Args:
        fit: The fit.
        level: Of the intervals.
        which: Coordinates to profile; by default all that the data determine.

    Source:
        Bates and Watts, *Nonlinear Regression Analysis and Its Applications* (1988), chapter 6.
    """
    which = tuple(np.flatnonzero(np.isfinite(fit.deviations)).tolist()) if which is None else which
    threshold = fit.quantile(level) ** 2
    sides = [_side(fit, i, sign) for i in which for sign in (-1, 1)]
    ends: dict[tuple[int, float], np.ndarray] = {}
    first = [(side, min(x, side.limit)) for side in sides for x in GRID * _reach(fit, side, np.sqrt(threshold))]
    better = _visit(fit, first, ends)
    for _ in range(ROUNDS):
        wanted = [(side, side.wanted(threshold)) for side in sides if not side.label]
        wanted = [(side, distance) for side, distance in wanted if distance is not None]
        if not wanted or better is not None:
            break
        better = _visit(fit, wanted, ends)
    return _intervals(fit, sides, ends, better)


def _side(fit: Solution, i: int, sign: int) -> _Side:
    c, error = fit.task.stated.coordinates[i], fit.deviations[i]
    bound, end = (sign * (ends[sign > 0] - fit.u[i]) for ends in ((c.lower, c.upper), c.ends))
    farthest = FARTHEST * max(abs(fit.u[i]), error if np.isfinite(error) else 0.0, 1e-300)
    limit = end if c.logarithmic else min(end, farthest)
    return _Side(i, sign, float(limit), bool(bound <= limit), [(0.0, 0.0)])


def _reach(fit: Solution, side: _Side, quantile: float) -> float:
    """Where the curvature ends the interval; a decade where it does not."""
    error = fit.deviations[side.coordinate]
    usual = np.log(10.0) if fit.task.stated.coordinates[side.coordinate].logarithmic else abs(fit.u[side.coordinate])
    return float(min(quantile * error, usual) if np.isfinite(error) else usual)


def _visit(fit: Solution, points: list[tuple[_Side, float]], ends: dict[tuple[int, float], np.ndarray]) -> Any:
    """Fit all others at points of profiles; a better minimum, if they come upon one."""
    if not points:
        return None
    begin, held = np.repeat(fit.u[:, None], len(points), axis=1), np.zeros((fit.u.size, len(points)))
    for k, (side, distance) in enumerate(points):
        begin[:, k] = np.clip(_along(fit, side, distance), *fit.task.bounds)
        begin[side.coordinate, k] = fit.u[side.coordinate] + side.sign * distance
        if np.isfinite(fit.deviations[side.coordinate]):
            held[list(fit.held), k] = 1.0
        held[side.coordinate, k] = 1.0
    found = fit.task.fits(begin, held=held)
    rises = (found["square"] - fit.square) / fit.scale**2
    for k, (side, distance) in enumerate(points):
        side.points = sorted({*side.points, (distance, float(rises[k]))})
        ends[side.coordinate, side.sign * distance] = found["u"][:, k]
    lowest = int(np.argmin(rises))
    return found["u"][:, lowest] if rises[lowest] < -1e-3 else None


def _along(fit: Solution, side: _Side, distance: float) -> np.ndarray:
    """Where the others are best if the model is linear; from there they are fitted."""
    i, others = side.coordinate, np.isfinite(fit.deviations)
    move = np.zeros(fit.u.size)
    if others[i]:
        move[others] = fit.covariance[others, i] / fit.covariance[i, i]
    return fit.u + side.sign * distance * np.clip(move, -3.0, 3.0)


def _intervals(fit: Solution, sides: list[_Side], ends: dict, better: Any) -> Intervals:
    lower, upper = np.full(fit.u.size, -np.inf), np.full(fit.u.size, np.inf)
    labels = [["unbounded"] * fit.u.size for _ in range(2)]
    for side in sides:
        (lower if side.sign < 0 else upper)[side.coordinate] = fit.u[side.coordinate] + side.sign * side.end
        labels[side.sign > 0][side.coordinate] = _label(fit, side, ends)
    curves = tuple(_curve(fit, [s for s in sides if s.coordinate == i]) for i in range(fit.u.size))
    return Intervals(lower, upper, tuple(labels[0]), tuple(labels[1]), curves, better)


def _label(fit: Solution, side: _Side, ends: dict) -> str:
    """What ends one side, with the coordinate whose bound it is."""
    names = fit.task.layout.free.names
    if side.label == "bound":
        return f"limited by {names[side.coordinate]}"
    at = ends.get((side.coordinate, side.sign * side.end))
    if side.label != "data" or at is None:
        return side.label or "not found"
    for i, (low, high) in enumerate(zip(*fit.task.bounds, strict=True)):
        if (
            i != side.coordinate
            and i not in fit.held
            and min(at[i] - low, high - at[i]) <= AT_BOUND * max(1.0, abs(at[i]))
        ):
            return f"limited by {names[i]}"
    return "data"


def _curve(fit: Solution, sides: list[_Side]) -> tuple[np.ndarray, np.ndarray]:
    """Values of a coordinate and the rises there."""
    i = sides[0].coordinate if sides else 0
    points = sorted({(fit.u[i] + side.sign * d, rise) for side in sides for d, rise in side.points})
    return np.array([x for x, _ in points]), np.array([max(rise, 0.0) for _, rise in points])
