"""One parameter from several fits: whether they agree within their errors, and by how much they differ beyond them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from jaxrate.fit.result import Estimate, FitResult
from jaxrate.text_table import counted


@dataclass(frozen=True)
class Pooled:
    """A parameter that several fits, or several data sets of one fit, have each for themselves.

    Attributes:
        name: The parameter.
        unit: SI unit.
        value: Its mean [SI], each weighed by its error and by the spread between them.
        lower, upper: Ends of the interval of the mean [SI].
        between: Standard deviation between the fits beyond their errors [SI]; 0 where they agree better than by chance.
        between_lower, between_upper: Ends of its interval [SI].
        chi2, dof, p_value: Of their being equal, with their stated errors alone.
        level: Of the intervals.
        values, errors: Each fit's own value and standard error [SI].
    """

    name: str
    unit: str
    value: float
    lower: float
    upper: float
    between: float
    between_lower: float
    between_upper: float
    chi2: float
    dof: int
    p_value: float
    level: float
    values: tuple[float, ...]
    errors: tuple[float, ...]

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit not in ("", "1") else ""
        agree = "agree within their errors" if self.p_value >= 0.05 else "differ by more than their errors"
        return (
            f"{self.name}: {self.value:.5g} ({self.lower:.5g} to {self.upper:.5g}){unit} from "
            f"{counted(self.dof + 1, 'fit')}, {min(self.values):.5g} to {max(self.values):.5g}, which {agree} "
            f"(chi2/dof = {self.chi2:.3g}/{self.dof}, p = {self.p_value:.2g}); "
            f"between them beyond that {self.between:.2g} ({self.between_lower:.2g} to {self.between_upper:.2g}){unit}"
        )


def pooled(fits: FitResult | Sequence[FitResult], name: str, level: float = 0.95) -> Pooled:
    r"""A parameter from several fits of independent data, or from the data sets of one.

    $\chi^2(t) = \sum_k (x_k - \bar x)^2/(\sigma_k^2 + t^2)$, or with the covariance of the $x_k$ of one fit, falls with
    the spread t between the fits. At t = 0 it tests whether they agree; t is estimated as where it equals the degrees
    of freedom, and its interval ends where it equals quantiles of their chi-squared. Of a parameter that is fitted as
    its logarithm x is that.

    Args:
        fits: Several results with the parameter; or one, in which `per={name: "dataset"}`.
        name: The parameter.
        level: Of the intervals.

    Returns:
        A `Pooled`; print it.

    Raises:
        ValueError: a fit that has no such free parameter or does not determine it, or less than two values.

    Source:
        R. C. Paule, J. Mandel, J. Res. Natl. Bur. Stand. 87, 377 (1982) for t; W. Viechtbauer, Stat. Med. 26, 37 (2007)
        for its interval.
    """
    each, covariance = _of_one(fits, name) if isinstance(fits, FitResult) else _of_several(fits, name)
    if len(each) < 2:
        raise ValueError(f"`{name}` must have several values to pool, but has {len(each)}: give several fits.")
    x = np.array([np.log(e.value) if e.logarithmic else e.value for e in each])
    dof, tail = len(each) - 1, (1 - level) / 2
    most, least = float(stats.chi2.isf(tail, dof)), float(stats.chi2.ppf(tail, dof))
    low, spread, high = (_spread(x, covariance, chi2) for chi2 in (most, float(dof), least))
    mean, variance, _ = _weighed(x, covariance, spread)
    half = stats.norm.isf(tail) * np.sqrt(variance)
    chi2 = _weighed(x, covariance, 0.0)[2]
    ends = np.array([mean, mean - half, mean + half])
    value, lower, upper = np.exp(ends) if each[0].logarithmic else ends
    scale = value if each[0].logarithmic else 1.0
    return Pooled(
        name,
        each[0].unit,
        float(value),
        float(lower),
        float(upper),
        float(scale * spread),
        float(scale * low),
        float(scale * high),
        chi2,
        dof,
        float(stats.chi2.sf(chi2, dof)),
        level,
        tuple(e.value for e in each),
        tuple(e.error for e in each),
    )


def _of_one(fit: FitResult, name: str) -> tuple[list[Estimate], np.ndarray]:
    """Estimates of all data sets, and the covariance of their coordinates."""
    where = [i for i, e in enumerate(fit.estimates) if e.name.startswith(f"{name}[")]
    if not where:
        raise ValueError(f"`{name}` must be free for each data set, per={{'{name}': 'dataset'}}; or give several fits.")
    each = [fit.estimates[i] for i in where]
    _check_determined(each)
    return each, np.asarray(fit.covariance)[np.ix_(where, where)]


def _of_several(fits: Sequence[FitResult], name: str) -> tuple[list[Estimate], np.ndarray]:
    each = [fit[name] for fit in fits]
    _check_determined(each)
    return each, np.diag([(e.error / e.value if e.logarithmic else e.error) ** 2 for e in each])


def _check_determined(each: Sequence[Estimate]) -> None:
    for number, e in enumerate(each, start=1):
        if not e.is_determined:
            raise ValueError(f"`{e.name}` is not determined by fit {number}: fix what it is degenerate with.")


def _weighed(x: np.ndarray, covariance: np.ndarray, spread: float) -> tuple[float, float, float]:
    """Weighted mean, its variance, and chi-squared about it."""
    weight = np.linalg.inv(covariance + spread**2 * np.eye(len(x)))
    variance = 1 / weight.sum()
    mean = variance * (weight @ x).sum()
    return float(mean), float(variance), float((x - mean) @ weight @ (x - mean))


def _spread(x: np.ndarray, covariance: np.ndarray, chi2: float) -> float:
    """Spread between the fits at which chi-squared is as large as stated; 0 where it is never so large."""

    def excess(spread: float) -> float:
        return _weighed(x, covariance, spread)[2] - chi2

    if excess(0.0) <= 0:
        return 0.0
    farthest = 1.01 * float(np.sqrt(np.sum((x - x.mean()) ** 2) / chi2))  # without errors it would be there
    return float(optimize.brentq(excess, 0.0, farthest, xtol=1e-9 * farthest))  # type: ignore[arg-type]
