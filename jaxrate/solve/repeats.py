"""Many edges and many copies, counted and added up at any time without one operation for each.

Formulas for NumPy and JAX, of times t of any shape.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxrate.arrays import namespace

FEW = 64
"""Up to so many edges, comparing with all is faster than searching."""


def passed(edges: np.ndarray, t: Any) -> Any:
    """How many edges are at or before a time, edges shape (edge,), times of any shape."""
    xp = namespace(t)
    if edges.size <= FEW:
        return xp.sum(t >= _column(edges, t), axis=0)
    unrolled = {} if xp is np else {"method": "scan_unrolled"}
    return xp.searchsorted(edges, t, side="right", **unrolled)


def num_overlaid(support: tuple[float, float], period: float) -> int:
    """How many copies are not zero at the same time, at most."""
    return int((support[1] - support[0]) // period) + 1


def overlaid(shape: Callable[[Any], Any], support: tuple[float, float], t: Any, period: float, count: int) -> Any:
    """Sum of the copies that are not zero at a time."""
    xp, num = namespace(t), num_overlaid(support, period)
    copies = _column(np.arange(float(min(num, count))), t)
    if num < count:
        copies = copies + xp.ceil((t - support[1]) / period)
    there = (copies >= 0) & (copies < count)
    return xp.sum(xp.where(there, shape(t - copies * period), 0.0), axis=0)


def _column(values: np.ndarray, t: Any) -> np.ndarray:
    """Values along an axis before those of the times, so that the lanes stay side by side."""
    return values.reshape(-1, *(1,) * np.ndim(t))


def begun(t: Any, start: Any, period: float, count: int) -> Any:
    """How many copies of what is at `start` are at or before a time; its edges are those of `knots` to the bit."""
    xp = namespace(t)
    num = xp.floor((t - start) / period) + 1.0
    num = xp.where(start + num * period <= t, num + 1.0, num)
    num = xp.where(start + (num - 1.0) * period > t, num - 1.0, num)
    return xp.clip(num, 0.0, float(count))
