"""A zero in every lane: brackets by a scan, then Chandrupatla's method."""

from collections.abc import Callable

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]
"""Values (..., *batch) at points (..., *batch); NaN where there is none."""

MAX_TURNS = 100
"""More than any bracket takes: each third turn at least halves it."""


def first_zero(f: Function, points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Zero in the first interval at whose ends a function has different signs.

    Args:
        f: The function.
        points: Where to look, increasing, shape (point,).
        shape: Of the batch.

    Returns:
        The zero, shape (*batch), to rounding; NaN where the sign never changes.
    """
    grid = np.broadcast_to(points.reshape(-1, *[1] * len(shape)), (points.size, *shape))
    values = f(grid)
    signs = np.sign(values)
    changes = np.isfinite(values[1:]) & np.isfinite(values[:-1]) & (signs[1:] != signs[:-1])
    found = np.any(changes, axis=0)
    low = np.argmax(changes, axis=0)[None]
    a, b = (np.take_along_axis(grid, low + k, axis=0)[0] for k in (0, 1))
    fa, fb = (np.take_along_axis(values, low + k, axis=0)[0] for k in (0, 1))
    return np.where(found, chandrupatla(f, a, b, np.where(found, fa, 1.0), np.where(found, fb, -1.0)), np.nan)


def chandrupatla(f: Function, a: np.ndarray, b: np.ndarray, fa: np.ndarray, fb: np.ndarray) -> np.ndarray:
    """Zero between ends of different sign, shape (*batch).

    Source:
        T. R. Chandrupatla, *A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear function
        without using derivatives*, Adv. Eng. Softw. 28, 145 (1997).
    """
    c, fc, share = a, fa, np.full(np.shape(a), 0.5)
    for _ in range(MAX_TURNS):
        x = a + share * (b - a)
        fx = f(x)
        fx = np.where(np.isfinite(fx), fx, fa)  # a lane that fails ends where it fails
        same = np.sign(fx) == np.sign(fa)
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = x, fx
        best = np.where(np.abs(fa) < np.abs(fb), a, b)
        width = 2 * np.finfo(float).eps * np.abs(best) / np.where(b == c, 1.0, np.abs(b - c))
        if np.all((width > 0.5) | (fa == 0) | (fb == 0) | (a == b)):
            break
        share = np.clip(_share(a, b, c, fa, fb, fc), width, 1 - width)
        share = np.where((fa == 0) | (width > 0.5), 0.0, share)
    return np.where(np.abs(fa) < np.abs(fb), a, b)


def _share(a: np.ndarray, b: np.ndarray, c: np.ndarray, fa: np.ndarray, fb: np.ndarray, fc: np.ndarray) -> np.ndarray:
    """Where between a and b to look next: inverse quadratic interpolation where that is safe, else the middle."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        safe = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
        inside = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
    return np.where(safe & np.isfinite(inside), inside, 0.5)
