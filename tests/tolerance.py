"""The one tolerance helper: what "equal" means for each precision, and which element is the worst."""

from typing import Any

import numpy as np

ROUNDING = {"float64": 1e-13, "float32": 5e-6}
"""Relative error of a population, of anything that is a short formula of populations, and of nothing harder."""

DERIVATIVE = {"float64": 1e-11, "float32": 1e-4}
"""Error of a logarithmic derivative."""

Tolerance = float | dict[str, float]


def close(actual: Any, expected: Any, rtol: Tolerance = ROUNDING, atol: Tolerance = 0.0, what: str = "") -> None:
    """Assert that arrays agree: |actual - expected| <= atol + rtol |expected|, and NaN only where NaN is expected.

    Args:
        actual: Array; its precision picks the tolerance.
        expected: Array that broadcasts to the shape of `actual` and does not enlarge it.
        rtol, atol: One number, or one for each precision.
        what: Named in the message.
    """
    found = np.asarray(actual)
    kind = "float32" if found.dtype == np.float32 else "float64"
    relative, absolute = (t[kind] if isinstance(t, dict) else t for t in (rtol, atol))
    found, wanted = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    wanted = np.broadcast_to(wanted, found.shape)
    with np.errstate(invalid="ignore"):
        error = np.where(found == wanted, 0.0, np.abs(found - wanted))
        allowed = absolute + relative * np.abs(wanted)
        excess = np.where(np.isnan(found) & np.isnan(wanted), -np.inf, error - allowed)
    excess = np.where(np.isnan(excess), np.inf, excess)
    if found.size and np.max(excess) > 0:
        raise AssertionError(_message(found, wanted, error, excess, what, kind, relative, absolute))


def _message(found: Any, wanted: Any, error: Any, excess: Any, what: str, kind: str, rtol: float, atol: float) -> str:
    worst = np.unravel_index(np.argmax(excess), found.shape)
    a, b, e = float(found[worst]), float(wanted[worst]), float(error[worst])
    place = ", ".join(str(int(i)) for i in worst)
    return (
        f"{what or 'values'} ({kind}): {np.count_nonzero(excess > 0)} of {found.size} differ; worst at [{place}]: "
        f"{a!r} is not {b!r}, off by {e:.3g} ({e / abs(b) if b else np.inf:.3g} relative; rtol {rtol:g}, atol {atol:g})"
    )


def same(actual: Any, expected: Any, what: str = "") -> None:
    """Assert that arrays have the same shape, type and bits (any NaN is like any other)."""
    a, b = np.asarray(actual), np.asarray(expected)
    assert a.shape == b.shape, f"{what or 'values'}: shape {a.shape} is not {b.shape}"
    assert a.dtype == b.dtype, f"{what or 'values'}: {a.dtype} is not {b.dtype}"
    equal = (a == b) | ((a != a) & (b != b))
    if not np.all(equal):
        worst = tuple(int(i) for i in np.argwhere(~np.atleast_1d(equal))[0])
        where = worst if a.ndim else ()
        raise AssertionError(
            f"{what or 'values'}: {np.count_nonzero(~equal)} of {a.size} differ; first at {worst}: "
            f"{a[where]!r} is not {b[where]!r}"
        )
