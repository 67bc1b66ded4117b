"""Intervals: by the curvature, by profiles of the likelihood, by resampling, and where residuals are correlated."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from jaxrate.fit.identify import Identified
from jaxrate.fit.likelihood import poisson
from jaxrate.fit.task import Task

METHODS = ("profile", "wald", "bootstrap", "bootstrap_blocks", "sandwich")
REPLICAS = 2000
"""Of a bootstrap."""


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
