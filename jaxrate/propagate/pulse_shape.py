"""Shapes of pulses that run through a medium: where they begin and end, and how much a shape holds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from jaxrate.expr import Expr
from jaxrate.names import shown
from jaxrate.solve.pulse import Exponential, Pulse, Square, Table, Train, knots
from jaxrate.units import to_si

FAINT = 40.0
"""Time constants after which an exponential pulse is over: there it is 4e-18."""

PARTS = 16
"""Parts of an interval between two knots, each integrated by Gauss' rule."""

NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)

INSIDE = 1e-12
"""Share of an interval that times are kept away from its ends, where a shape may jump."""

MOST_PULSES = 64
"""Copies of a train in one pass, at most."""


@dataclass(frozen=True)
class Envelope:
    """How the intensity of a pulse follows time.

    Args:
        pulse: Its shape, of whatever height, above zero.
    """

    pulse: Pulse

    @cached_property
    def window(self) -> tuple[float, float]:
        """When it begins and ends [s]."""
        single = self.pulse.pulse if isinstance(self.pulse, Train) else self.pulse
        begins, ends = _extent(single)
        later = (self.pulse.count - 1) * float(self.pulse.period) if isinstance(self.pulse, Train) else 0.0
        return begins, ends + later

    @property
    def duration(self) -> float:
        """[s]."""
        return self.window[1] - self.window[0]

    @cached_property
    def marks(self) -> np.ndarray:
        """Times that no step may go over, from the begin on, the end last [s], shape (mark,)."""
        begins, ends = self.window
        inside = [t - begins for t in knots(self.pulse, ends) if begins < t < ends]
        times = np.unique([*inside, self.duration])
        return times[np.append(np.diff(times) > 1e-12 * self.duration, True)]

    @cached_property
    def integral(self) -> float:
        """Of the shape over its window [s]."""
        edges = np.concatenate([[0.0], self.marks])
        edges = np.unique(np.concatenate([np.linspace(a, b, PARTS + 1) for a, b in pairwise(edges)]))
        step = np.diff(edges)
        values = np.asarray(self.at(edges[:-1, None] + step[:, None] * (NODES + 1) / 2))
        if np.any(values < 0) or not np.any(values > 0):
            raise ValueError("The `shape` of a pulse must be zero or positive, and positive somewhere.")
        return float(np.sum(values @ WEIGHTS * step / 2))

    @cached_property
    def measures(self) -> tuple[float, float, float]:
        """Highest value, when it is reached since the begin [s], and full width at half of it [s]."""
        edges = np.concatenate([[0.0], self.marks])
        inside = [a + (b - a) * np.linspace(INSIDE, 1 - INSIDE, 257) for a, b in pairwise(edges)]
        times = np.concatenate(inside)
        values = np.asarray(self.at(times))
        best = int(np.argmax(values))
        around = times[max(best - 1, 0)], times[min(best + 1, len(times) - 1)]
        found = minimize_scalar(lambda t: -float(self.at(np.float64(t))), bounds=around, method="bounded")
        highest, at = max((float(values[best]), float(times[best])), (-float(found.fun), float(found.x)))
        high = np.flatnonzero(values >= highest / 2)
        rises, falls = self._crossing(times, high[0], -1, highest / 2), self._crossing(times, high[-1], 1, highest / 2)
        return highest, at, falls - rises

    def _crossing(self, times: np.ndarray, inside: int, side: int, level: float) -> float:
        """Where it crosses a level next to a moment; the end of its window where it never does."""
        outside = inside + side
        if not 0 <= outside < len(times):
            return 0.0 if side < 0 else self.duration
        low, high = sorted((times[inside], times[outside]))
        found = brentq(lambda t: float(self.at(np.float64(t))) - level, low, high, xtol=1e-14 * self.duration)
        return float(found)  # type: ignore[arg-type]

    def at(self, since: Any) -> Any:
        """The shape at times since its begin [s], of any shape."""
        return self.pulse.shape(since + self.window[0])


def read_shape(shape: Any) -> Envelope:
    """Check what the shape of a pulse is.

    Args:
        shape: One of `jr.pulse`, or (times, intensities).

    Raises:
        ValueError: it is neither, never ends, or lies on a base.
    """
    if isinstance(shape, Pulse):
        return _checked(shape)
    if isinstance(shape, Sequence | np.ndarray) and not isinstance(shape, str) and len(shape) == 2:
        times, values = shape
        return _checked(Table(times, values))
    raise ValueError(
        "`shape` must be a pulse such as jr.pulse.Gaussian(1, centre='0 ns', fwhm='10 ns'), or (times, intensities), "
        f"but {shown(shape)} was given."
    )


def _checked(pulse: Pulse) -> Envelope:
    single = pulse.pulse if isinstance(pulse, Train) else pulse
    if isinstance(single.base, Expr) or to_si_any(single.base) != 0:
        raise ValueError(
            "The `shape` of a pulse must have base=0: light that is always there is a `Beam` of the model."
        )
    if (isinstance(single, Square) and single.stop == inf) or (isinstance(single, Exponential) and single.rising):
        raise ValueError("The `shape` of a pulse must end: give a Square its `stop`, or state a Gaussian or a Table.")
    if isinstance(pulse, Train) and pulse.count > MOST_PULSES:
        raise ValueError(f"A `shape` may be a train of at most {MOST_PULSES} pulses, but {pulse.count} were given.")
    envelope = Envelope(_of_height_one(pulse))
    _ = envelope.integral
    return envelope


def _of_height_one(pulse: Pulse) -> Pulse:
    """The shape alone: its height is what fluence or energy say."""
    if isinstance(pulse, Train):
        return replace(pulse, pulse=_of_height_one(pulse.pulse))
    if isinstance(pulse, Table):
        values = tuple(to_si_any(value) for value in pulse.values)
        return Table(pulse.times, values)
    return replace(pulse, peak=1.0, base=0.0)


def to_si_any(value: Any) -> float:
    """A number of whatever unit that an intensity or a power may have."""
    if not isinstance(value, str):
        return float(value)
    for unit in ("1", "W m^-2", "W"):
        try:
            return float(to_si(value, unit, "shape"))
        except ValueError:
            continue
    raise ValueError(f"A height in `shape` must be a number, an intensity or a power, but {shown(value)} was given.")


def _extent(pulse: Any) -> tuple[float, float]:
    if isinstance(pulse, Square):
        return float(pulse.start), float(pulse.stop)
    if isinstance(pulse, Exponential):
        return float(pulse.start), float(pulse.start) + FAINT * float(pulse.tau)
    begins, ends = pulse.support
    return float(begins), float(ends)
