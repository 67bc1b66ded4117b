"""Width and centre of a spectrum that is sampled."""

import numpy as np


def width(at: np.ndarray, values: np.ndarray) -> float:
    """Full width at half maximum: between the crossings next to the largest value, linear between the samples.

    Args:
        at: Where it is sampled, increasing or decreasing, in any unit, shape (sample,).
        values: The spectrum there, shape (sample,).

    Returns:
        The width, in the unit of `at`; NaN where the samples end before a crossing, or where a value is NaN.
    """
    at, values = (np.asarray(x, float)[np.argsort(at)] for x in (at, values))
    top = int(np.argmax(values))
    right, left = _crossing(at[top:], values[top:]), _crossing(at[top::-1], values[top::-1])
    return right - left


def _crossing(at: np.ndarray, values: np.ndarray) -> float:
    """Where values that begin at their maximum fall to half of it first."""
    half = values[0] / 2
    below = np.flatnonzero(values < half)
    if not below.size or not np.all(np.isfinite(values)):
        return float("nan")
    j = int(below[0])
    share = (values[j - 1] - half) / (values[j - 1] - values[j])
    return float(at[j - 1] + share * (at[j] - at[j - 1]))


def mean(at: np.ndarray, values: np.ndarray) -> float:
    r"""Centre of gravity, $\sum_i x_i S_i / \sum_i S_i$, of samples of one width, as [x].

    Args:
        at: Where it is sampled, shape (sample,).
        values: The spectrum there, shape (sample,).
    """
    return float(np.sum(at * values) / np.sum(values))
