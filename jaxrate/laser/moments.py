"""At which moments to look for a pulse of which neither the time nor the width is known beforehand."""

import numpy as np

from jaxrate.laser.measures import FAINT, Pulse, Trace

MOMENTS = 1536
"""Output times of one look, always as many: one compiled program serves every look."""

STEP, SLOPE = 0.25, 1.0
"""Most that the logarithm of the photons may change from moment to moment, and that their slope may say it does."""

BEYOND = 0.05
"""Share of a pulse that is looked at beyond each of its ends, where these are minima that are to be found exactly."""

CLOSEST, MARKED = 1e-6, MOMENTS // 16
"""First moment after a mark, as a share of the time to the next; and how many marks are looked at."""


def first_look(first: float, last: float, marks: np.ndarray) -> np.ndarray:
    """Moments all over a window, and after its beginning and every mark of a drive, near it the densest."""
    inside = marks[(marks > first) & (marks < last)][:MARKED]
    origins, spans = np.append(first, inside), np.diff([first, *inside, last])
    each = MOMENTS // 4 // origins.size
    shares = np.append(np.geomspace(CLOSEST, 1, each, endpoint=False), np.linspace(0, 1, each, endpoint=False))
    after = (origins[:, None] + spans[:, None] * shares).ravel()
    return merged(np.linspace(first, last, MOMENTS - after.size), after)


def leaps(trace: Trace) -> np.ndarray:
    """What happens between neighbouring moments over what interpolation follows, shape (time - 1,); > 1 is too much.

    Photons too few to belong to a pulse are counted as none. A pulse that falls between two moments shows in what is
    left of it: a slope before it that grows by many e-folds, or another number of photons after it.
    """
    level = np.maximum(trace.photons, 0.0) + max(FAINT * np.max(trace.photons), np.finfo(float).tiny)
    growth, apart = np.abs(trace.slope) / level, np.diff(trace.times)
    steepest = apart * np.maximum(growth[1:], growth[:-1])
    found = np.maximum(np.abs(np.diff(np.log(level))) / STEP, steepest / SLOPE)
    return np.where(apart > 64 * np.spacing(trace.times[1:]), found, 0.0)


def closer_look(trace: Trace, found: np.ndarray, until: float) -> np.ndarray | None:
    """Moments where too much happens, up to a time [s], the more the more it is; None where nothing is missed."""
    gaps = np.flatnonzero((found > 1) & (trace.times[:-1] < until))[:MOMENTS]
    if not gaps.size:
        return None
    weights = np.log1p(found[gaps])
    numbers = 1 + ((MOMENTS - gaps.size) * weights / weights.sum()).astype(int)
    ends = zip(trace.times[gaps], trace.times[gaps + 1], numbers, strict=True)
    return merged(*(np.linspace(low, high, number + 2)[1:-1] for low, high, number in ends))


def close_up(pulse: Pulse, first: float, last: float) -> np.ndarray:
    """Moments over one pulse, half of them around its peak, and a little beyond its ends, within a window of time."""
    beyond, width = BEYOND * (pulse.ends - pulse.begins), 2 * pulse.fwhm
    whole = np.linspace(max(pulse.begins - beyond, first), min(pulse.ends + beyond, last), MOMENTS // 2)
    if not np.isfinite(width):
        return merged(whole)
    low, high = max(pulse.begins, pulse.peak_time - width), min(pulse.ends, pulse.peak_time + width)
    return merged(whole, np.linspace(low, high, MOMENTS - MOMENTS // 2))


def merged(*times: np.ndarray) -> np.ndarray:
    """All times in order, as many as there are in a look."""
    found = np.unique(np.concatenate(times))
    while found.size < MOMENTS:  # times that coincide
        widest = np.argsort(np.diff(found))[found.size - MOMENTS :]
        found = np.unique(np.append(found, (found[widest] + found[widest + 1]) / 2))
    return found


def joined(one: Trace, other: Trace) -> Trace:
    """Moments of both traces in order."""
    times, places = np.unique(np.append(one.times, other.times), return_index=True)
    rest = (np.append(x, y)[places] for x, y in zip(one[1:], other[1:], strict=True))
    return Trace(times, *rest)
