"""Whether a model describes the data: chi-squared, and the correlation of neighbouring residuals."""

import numpy as np
from scipy import stats

from jaxrate.fit.likelihood import gaussian, poisson
from jaxrate.fit.result import Adequacy
from jaxrate.fit.task import Task

LEAST_P = 1e-3
"""Probability of a larger chi-squared below which the model does not describe the data."""
CORRELATED = 0.3
"""Correlation of neighbouring residuals that counts, where it is more than few data have by chance."""
BY_CHANCE = 3.3
"""Standard deviations, one in a thousand, of that correlation between independent residuals."""


def adequacy(task: Task, residuals: np.ndarray, square: float, dof: int, scale: float) -> Adequacy:
    """Judge a fit.

    Args:
        task: The fit.
        residuals: In standard deviations, shape (datum,).
        square: Minimum of the sum of squares.
        dof: Degrees of freedom.
        scale: Standard deviation of the noise over that stated.
    """
    is_tested = task.is_noise_stated and task.loss in (gaussian, poisson) and dof > 0
    p_value = float(stats.chi2.sf(square, dof)) if is_tested else np.nan
    correlation, pairs = lag1(task, residuals)
    limit = max(CORRELATED, BY_CHANCE / np.sqrt(max(pairs, 1)))
    return Adequacy(
        residuals.size, dof, float(square), p_value, correlation, float(limit), float(scale), task.is_noise_stated
    )


def lag1(task: Task, residuals: np.ndarray) -> tuple[float, int]:
    r"""Correlation of neighbouring residuals, $\sum r_i r_{i+1} / \sum r_i^2$, and the number of neighbours.

    Neighbours are data of one observable and one data set that follow each other in the table.
    """
    products, squares, pairs, first = 0.0, 0.0, 0, 0
    for data in task.data:
        own = residuals[first : first + data.value.size]
        first += data.value.size
        for observable in range(len(data.names)):
            for dataset in dict.fromkeys(data.dataset):
                series = own[(data.observable == observable) & (data.dataset[data.state] == dataset)]
                products, squares = products + float(series[1:] @ series[:-1]), squares + float(series @ series)
                pairs += max(series.size - 1, 0)
    return (products / squares if squares > 0 else 0.0), pairs


def is_inadequate(found: Adequacy) -> bool:
    """Whether the model does not describe the data."""
    return found.p_value < LEAST_P or abs(found.lag1) > found.lag1_limit


def remarks(found: Adequacy) -> list[str]:
    """What is wrong, in sentences."""
    wrong = []
    if found.p_value < LEAST_P:
        wrong.append(
            f"The model does not describe the data: chi2/dof = {found.chi2 / found.dof:.3g} has a probability of "
            f"{found.p_value:.1e}. The error bars below are those of a wrong model, or the stated sigmas are too small."
        )
    if abs(found.lag1) > found.lag1_limit:
        wrong.append(
            f"Neighbouring residuals are correlated ({found.lag1:+.2f}): the model misses a trend, and the error bars "
            "below are too small. Look at the residuals; intervals='sandwich' or 'bootstrap' by blocks is more honest."
        )
    return wrong
