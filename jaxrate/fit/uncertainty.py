"""Intervals: by the curvature, by profiles of the likelihood, by resampling, and where residuals are correlated."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from jaxrate.fit.identify import Identified
from jaxrate.fit.likelihood import poisson
from jaxrate.fit.task import Task

METHODS = ("profile", "wald", "bootstrap", "bootstrap_blocks", "sandwich")
GRID = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.25])
"""Distances from the best value at which a profile is drawn, over that at which the curvature ends the interval."""
FARTHEST = 1e6
"""Distance from the best value that counts as unbounded, over its size or error; a logarithm has `Coordinate.ends`."""
CLOSE = 1e-4
"""Relative accuracy of the ends of a profile, in standard errors."""
ROUNDS = 40
REPLICAS = 2000
"""Of a bootstrap."""
AT_BOUND = 1e-9


@dataclass(frozen=True)
class Solution:
    """A fit that has ended.

    Attributes:
        task: The fit.
        u: Best coordinates, shape (coordinate,).
        square: Sum of squares there.
        covariance: Of the coordinates, with the scale of the noise in it.
        scale: Standard deviation of the noise over that stated.
        dof: Degrees of freedom.
        known: What the data determine.
    """

    task: Task
    u: np.ndarray
    square: float
    covariance: np.ndarray
    scale: float
    dof: int
    known: Identified

    @property
    def held(self) -> tuple[int, ...]:
        """Coordinates that may be held, for the others determine the predictions without them."""
        return self.known.held

    def variance(self, direction: np.ndarray) -> float:
        """Variance of a combination of coordinates; infinite where the data do not determine it."""
        if self.known.is_full_rank:
            return float(direction @ self.covariance @ direction)
        return self.scale**2 * self.known.variance(direction)

    @property
    def deviations(self) -> np.ndarray:
        """Standard errors of the coordinates; infinite where they are not determined."""
        return np.sqrt(np.diag(self.covariance))

    def quantile(self, level: float) -> float:
        """Half width of an interval in standard errors: Student's where the noise was estimated, else the normal's."""
        upper = (1 + level) / 2
        return float(stats.norm.ppf(upper) if self.task.is_noise_stated else stats.t.ppf(upper, self.dof))


@dataclass(frozen=True)
class Intervals:
    """Ends of the intervals of the coordinates, shapes (coordinate,), and what ends each.

    Attributes:
        lower, upper: The ends.
        lower_labels, upper_labels: "data", "unbounded", "limited by NAME" or "not found".
        curves: Of a profile, by coordinate: (coordinate's values, rise of the sum of squares over the variance).
        better: Coordinates of a better minimum that a profile came upon.
        covariance: Of the coordinates, where the method has one of its own.
    """

    lower: np.ndarray
    upper: np.ndarray
    lower_labels: tuple[str, ...]
    upper_labels: tuple[str, ...]
    curves: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    better: np.ndarray | None = None
    covariance: np.ndarray | None = None


def wald(fit: Solution, level: float) -> Intervals:
    """By the curvature of the sum of squares at its minimum, symmetric in the coordinates."""
    half = fit.quantile(level) * fit.deviations
    labels = tuple("data" if np.isfinite(x) else "unbounded" for x in half)
    return Intervals(fit.u - half, fit.u + half, labels, labels)


def sandwich(fit: Solution, level: float) -> Intervals:
    r"""Where residuals are correlated or their spread is not as stated: $A^{-1} \sum_b s_b s_b^T A^{-1}$.

    $s_b = \sum_{i \in b} J_i r_i$ over blocks b: the data of one state where there are several, else runs of
    neighbouring data, $m^{1/3}$ long.

    Source:
        White, *Maximum likelihood estimation of misspecified models* (1982); Liang and Zeger (1986) for blocks, with
        the small-sample factor b/(b-1).
    """
    task = fit.task
    prediction, slopes = task.slopes(fit.u)
    blocks = _blocks(task)
    scores = slopes * np.asarray(task.loss.slope(prediction, task.value, 1 / task.sigma))  # type: ignore[arg-type]
    sums = np.stack([np.bincount(blocks, weights=row) for row in scores])
    number = sums.shape[1]
    bread = np.where(np.isfinite(fit.covariance), fit.covariance, 0.0) / fit.scale**2
    known = task.layout.free.prior_slopes(task.base, fit.u)
    meat = sums @ sums.T * number / max(number - 1, 1) + known.T @ known
    covariance = _where_determined(fit, bread @ meat @ bread)
    half = stats.t.ppf((1 + level) / 2, max(number - 1, 1)) * np.sqrt(np.diag(covariance))
    labels = tuple("data" if np.isfinite(x) else "unbounded" for x in half)
    return Intervals(fit.u - half, fit.u + half, labels, labels, covariance=covariance)


def _where_determined(fit: Solution, covariance: np.ndarray) -> np.ndarray:
    """A covariance, infinite and NaN where the curvature has none."""
    return np.where(np.isfinite(fit.covariance), covariance, fit.covariance)


def _blocks(task: Task) -> np.ndarray:
    """Block of each datum, counted from 0."""
    offsets = np.cumsum([0, *(m.num_states for m in task.data[:-1])])
    states = np.concatenate([m.state + first for m, first in zip(task.data, offsets, strict=True)])
    number = states.max() + 1
    if 1 < number < states.size:
        return states
    return np.arange(states.size) // max(1, round(states.size ** (1 / 3)))


def bootstrap(fit: Solution, level: float, seed: int, by_blocks: bool = False, num: int = REPLICAS) -> Intervals:
    """By fits to data drawn anew: quantiles of what they find.

    Args:
        fit: The fit.
        level: Of the intervals.
        seed: Of the draws.
        by_blocks: Whether blocks of the data are drawn with replacement: states, or runs of neighbouring data of a
            single state. Else data are simulated from the fit.
        num: Number of replicas.
    """
    rng = np.random.default_rng(seed)
    task, begin, held = fit.task, fit.u[:, None], _held(fit, num)
    if by_blocks:
        blocks = _blocks(task)
        number = int(blocks.max()) + 1
        drawn = rng.multinomial(number, np.full(number, 1 / number), size=num).T
        found = task.fits(np.repeat(begin, num, axis=1), weight=np.sqrt(drawn[blocks]), held=held)
    else:
        found = task.fits(begin, y=_simulated(fit, rng, num), held=held)
    u = found["u"][:, found["status"] == 0]
    ends = np.quantile(u, [(1 - level) / 2, (1 + level) / 2], axis=1)
    lost = ~np.isfinite(fit.deviations)
    lower, upper = np.where(lost, -np.inf, ends[0]), np.where(lost, np.inf, ends[1])
    labels = tuple("unbounded" if x else "data" for x in lost)
    covariance = _where_determined(fit, np.cov(u).reshape(fit.u.size, fit.u.size))
    return Intervals(lower, upper, labels, labels, covariance=covariance)


def _simulated(fit: Solution, rng: np.random.Generator, num: int) -> np.ndarray:
    """Data drawn from the fit, shape (datum, replica)."""
    task = fit.task
    prediction = task.slopes(fit.u)[0][:, None]
    if task.loss == poisson:
        return rng.poisson(prediction, (prediction.size, num)).astype(float)
    return prediction + fit.scale * task.sigma[:, None] * rng.standard_normal((prediction.size, num))


def _held(fit: Solution, num: int) -> np.ndarray | None:
    """Coordinates that every fit holds, shape (coordinate, fit)."""
    if not fit.held:
        return None
    held = np.zeros((fit.u.size, num))
    held[list(fit.held)] = 1.0
    return held


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
