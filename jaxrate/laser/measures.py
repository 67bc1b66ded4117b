"""What is measured of a pulse: its peak, width, energy and delay, from photons and their slope at some times."""

from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicHermiteSpline

FAINT = 1e-7
"""Share of the peak below which a pulse is over."""

FEWEST = 8
"""Moments across the half width that make interpolation exact enough: its error is 1e-5 of the peak there."""

WEAKEST = 0.1
"""Share of the brightest moment that the first pulse must have: a ripple before it is none."""

NODES, WEIGHTS = np.polynomial.legendre.leggauss(5)


class Trace(NamedTuple):
    """Photons against time, each of shape (time,).

    Attributes:
        times: [s].
        photons: Their number.
        slope: Its derivative by time [s^-1].
        gain: Photons gained by a photon, loss not subtracted [s^-1].
        watts: Output power of one photon [W].
    """

    times: np.ndarray
    photons: np.ndarray
    slope: np.ndarray
    gain: np.ndarray
    watts: np.ndarray


class Pulse(NamedTuple):
    """Measures of one pulse.

    Attributes:
        energy: [J].
        peak_power: [W].
        peak_photons: Number of photons at the peak.
        fwhm: Full width at half maximum [s].
        peak_time: [s].
        extraction: Share of the largest gain before the peak that is gone at the least after it.
        begins, ends: Where it is cut off [s].
        is_over: Whether it ends before the trace does.
        points: Moments across its half width.
    """

    energy: float
    peak_power: float
    peak_photons: float
    fwhm: float
    peak_time: float
    extraction: float
    begins: float
    ends: float
    is_over: bool
    points: int


def first_pulse(trace: Trace) -> Pulse | None:
    """The first pulse of a trace; None where it has none."""
    peak = _first_peak(trace.photons)
    if peak is None:
        return None
    low, high, is_over = _extent(trace.photons, peak)
    begins, ends = _dip(trace, low), _dip(trace, high)
    first, past = low - (begins < trace.times[low]), high + 1 + (ends > trace.times[high])
    part = Trace(*(x[first:past] for x in trace))
    logarithm = _logarithm(part)
    at, top = _peak(logarithm, trace.times, peak)
    fwhm = _width(logarithm, at, top)
    inside = int(np.count_nonzero(np.abs(part.times - at) <= fwhm / 2)) if np.isfinite(fwhm) else 0
    extraction = 1 - np.min(trace.gain[peak : high + 1]) / np.max(trace.gain[: peak + 1])
    energy, watts = _energy(logarithm, part, begins, ends), float(np.interp(at, part.times, part.watts))
    photons = float(np.exp(top))
    return Pulse(energy, watts * photons, photons, fwhm, at, float(extraction), begins, ends, is_over, inside)


def _logarithm(trace: Trace) -> CubicHermiteSpline:
    """The logarithm of the photons between the moments."""
    return CubicHermiteSpline(trace.times, np.log(trace.photons), trace.slope / trace.photons)


def _first_peak(photons: np.ndarray) -> int | None:
    """Place of the first maximum that is no ripple, ends not counted."""
    middle = photons[1:-1]
    found = (middle > photons[:-2]) & (middle >= photons[2:]) & (middle >= WEAKEST * np.nanmax(photons))
    return int(np.argmax(found)) + 1 if np.any(found) else None


def _extent(photons: np.ndarray, peak: int) -> tuple[int, int, bool]:
    """First and last place of the pulse around a peak, and whether it is over there.

    To each side it ends where it is faint, or else at the minimum before the next one.
    """
    faint = photons <= FAINT * photons[peak]
    rising, falling = np.diff(photons[: peak + 1]) <= 0, np.diff(photons[peak:]) >= 0
    before = np.flatnonzero(faint[:peak] | rising)
    after = np.flatnonzero(faint[peak + 1 :] | falling)
    low = int(before[-1]) + 1 if before.size else 0
    high = peak + int(after[0]) if after.size else photons.size - 1
    return low, high, bool(after.size)


def _dip(trace: Trace, place: int) -> float:
    """Time of the minimum next to a moment; of the moment itself where its neighbours are not both brighter.

    Between two pulses the light may be far from zero, so that energy depends on where it is cut.
    """
    near = Trace(*(x[max(place - 1, 0) : place + 2] for x in trace))
    if near.times.size < 3 or near.photons[1] <= 0 or near.photons[1] >= min(near.photons[0], near.photons[2]):
        return float(trace.times[place])
    logarithm = _logarithm(near)
    turns = logarithm.derivative().roots(extrapolate=False)
    return float(min([*turns[np.isfinite(turns)], near.times[1]], key=lambda t: float(logarithm(t))))


def _peak(logarithm: CubicHermiteSpline, times: np.ndarray, peak: int) -> tuple[float, float]:
    """Time of the maximum and the logarithm there."""
    near = [t for t in logarithm.derivative().roots(extrapolate=False) if times[peak - 1] <= t <= times[peak + 1]]
    at = max([*near, float(times[peak])], key=lambda t: float(logarithm(t)))
    return float(at), float(logarithm(at))


def _width(logarithm: CubicHermiteSpline, at: float, top: float) -> float:
    """Full width at half maximum; NaN where the pulse does not fall to half."""
    crossings = logarithm.solve(top - np.log(2), extrapolate=False)
    before, after = crossings[crossings < at], crossings[crossings > at]
    return float(after[0] - before[-1]) if before.size and after.size else np.nan


def _energy(logarithm: CubicHermiteSpline, part: Trace, begins: float, ends: float) -> float:
    """Integral of the output power."""
    edges = np.unique(np.clip(part.times, begins, ends))
    step = np.diff(edges)
    nodes = edges[:-1, None] + step[:, None] * (NODES + 1) / 2
    power = np.exp(logarithm(nodes)) * np.interp(nodes, part.times, part.watts)
    return float(np.sum(power @ WEIGHTS * step / 2))
