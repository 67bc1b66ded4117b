r"""Pulses: parameters that follow a formula of time.

Every pulse is $x(t) = b + p\,s(t)$: a base b, a peak p above it, and a shape s(t) that is 1 where the pulse is highest.
A peak below zero is a dip. Peak and base are numbers in SI units, text with a unit, or expressions of parameters, which
a sweep or a fit may vary: `peak=jr.expr("pump.rate")` is what the batch says. Times are in s or have a unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isinf, log, sqrt
from typing import Any

import numpy as np

from jaxrate.arrays import namespace
from jaxrate.model.quantities import Quantity, several
from jaxrate.names import shown
from jaxrate.solve.pulse_fields import is_endless, read_fields, read_span
from jaxrate.solve.repeats import begun, num_overlaid, overlaid, passed
from jaxrate.units import read_any, to_si

Time = str | float

MOST_COPIES = 10_000_000
"""Copies of a train in one path, at most."""

MOST_OVERLAID = 256
"""Copies of a train that are added up at one time, at most."""

FWHM_SECH2 = 2 * log(1 + sqrt(2))
"""Full width at half maximum of sech^2(x)."""


@dataclass(frozen=True)
class Gaussian:
    r"""A Gaussian pulse, $s(t) = e^{-4\ln2\,(t-t_c)^2/\Delta^2}$.

    Args:
        peak: Height above the base.
        centre: Time of the peak $t_c$ [s].
        fwhm: Full width at half maximum $\Delta$ [s].
        base: Value far from the pulse.

    Raises:
        ValueError: a width that is not positive, or anything that is no time.

    Examples:
        >>> flash = jr.pulse.Gaussian("1e4 s^-1", centre="50 us", fwhm="10 us")
    """

    peak: Quantity
    centre: Time
    fwhm: Time
    base: Quantity = 0.0

    def __post_init__(self) -> None:
        read_fields(self, times=("centre",), spans=("fwhm",))

    @property
    def support(self) -> tuple[float, float]:
        """Where it is not zero; outside it is below 1e-19."""
        return _around(self.centre, 4 * float(self.fwhm))

    @property
    def knots(self) -> tuple[float, ...]:
        """Times that a solver must not step over."""
        begins, ends = self.support
        return begins, float(self.centre), ends

    def shape(self, t: Any) -> Any:
        return namespace(t).exp(-4 * log(2) * ((t - self.centre) / self.fwhm) ** 2)

    def repeated(self, t: Any, period: float, count: int) -> Any:
        return overlaid(self.shape, self.support, t, period, count)


@dataclass(frozen=True)
class Sech2:
    r"""A pulse as of a mode-locked laser, $s(t) = \mathrm{sech}^2\frac{2\ln(1+\sqrt2)\,(t-t_c)}{\Delta}$.

    Args:
        peak, centre, fwhm, base: As of `Gaussian`.

    Raises:
        ValueError: as `Gaussian`.
    """

    peak: Quantity
    centre: Time
    fwhm: Time
    base: Quantity = 0.0

    def __post_init__(self) -> None:
        read_fields(self, times=("centre",), spans=("fwhm",))

    @property
    def support(self) -> tuple[float, float]:
        """Where it is not zero; outside it is below 1e-17."""
        return _around(self.centre, 12 * float(self.fwhm))

    @property
    def knots(self) -> tuple[float, ...]:
        """Times that a solver must not step over; 8 widths from its centre it is 1e-12."""
        begins, ends = _around(self.centre, 8 * float(self.fwhm))
        return begins, float(self.centre), ends

    def shape(self, t: Any) -> Any:
        xp = namespace(t)
        # The square of cosh(300) is the largest that does not overflow, and its inverse is no different from zero.
        x = xp.clip(FWHM_SECH2 * (t - self.centre) / self.fwhm, -300.0, 300.0)
        return (1 / xp.cosh(x)) ** 2

    def repeated(self, t: Any, period: float, count: int) -> Any:
        return overlaid(self.shape, self.support, t, period, count)


@dataclass(frozen=True)
class Square:
    """Switched on for a time: s(t) = 1 from `start` on until `stop`, else 0.

    Args:
        peak: Height above the base.
        start, stop: When it is switched on and off [s]; `stop` may be `numpy.inf`.
        base: Value before and after.

    Raises:
        ValueError: it stops before it starts, or anything that is no time.
    """

    peak: Quantity
    start: Time
    stop: Time
    base: Quantity = 0.0

    def __post_init__(self) -> None:
        read_fields(self, times=("start",) if is_endless(self.stop) else ("start", "stop"))
        if not float(self.start) < float(self.stop):
            raise ValueError(f"`Square.stop` must be later than its start, {self.start:g} s, but is {self.stop:g} s.")

    @property
    def knots(self) -> tuple[float, ...]:
        """Its edges."""
        return tuple(float(edge) for edge in (self.start, self.stop) if edge != inf)

    def shape(self, t: Any) -> Any:
        return namespace(t).where((t >= self.start) & (t < self.stop), 1.0, 0.0)

    def repeated(self, t: Any, period: float, count: int) -> Any:
        """How many copies are on: those that have begun less those that have ended."""
        return begun(t, self.start, period, count) - begun(t, self.stop, period, count)


@dataclass(frozen=True)
class Exponential:
    r"""A jump that decays, $s(t) = e^{-(t-t_0)/\tau}$ from $t_0$ on; rising, $s(t) = 1 - e^{-(t-t_0)/\tau}$.

    Args:
        peak: Height above the base, at $t_0$; rising, in the end.
        start: When it begins $t_0$ [s].
        tau: Time constant [s].
        base: Value before the start.
        rising: Whether it rises to its peak and stays, as of a supply that is switched on.

    Raises:
        ValueError: a time constant that is not positive, or anything that is no time.
    """

    peak: Quantity
    start: Time
    tau: Time
    base: Quantity = 0.0
    rising: bool = False

    def __post_init__(self) -> None:
        read_fields(self, times=("start",), spans=("tau",))
        if not isinstance(self.rising, bool):
            raise ValueError(f"`Exponential.rising` must be True or False, but {shown(self.rising)} was given.")

    @property
    def knots(self) -> tuple[float, ...]:
        """Its start."""
        return (float(self.start),)

    def shape(self, t: Any) -> Any:
        xp = namespace(t)
        after = t >= self.start
        # Before the start the formula would overflow, and spoil the derivative of what is not used.
        x = xp.where(after, (t - self.start) / self.tau, 0.0)
        return xp.where(after, -xp.expm1(-x) if self.rising else xp.exp(-x), 0.0)

    def repeated(self, t: Any, period: float, count: int) -> Any:
        r"""Copies that have begun are a geometric series: $e^{-u/\tau}\,\frac{1-q^k}{1-q}$, u since the last of k."""
        xp = namespace(t)
        num = begun(t, self.start, period, count)
        since = xp.where(num > 0, t - (self.start + (num - 1) * period), 0.0)
        series = xp.expm1(-num * period / self.tau) / np.expm1(-period / float(self.tau))
        return xp.exp(-since / self.tau) * series


@dataclass(frozen=True)
class Table:
    """Measured: s(t) is a straight line from point to point, and constant before the first and after the last.

    Args:
        times: Increasing [s], shape (point,).
        values: Shape (point,). With a `peak` they are fractions of it; without, they are values of the driven
            parameter, in SI units or each text with a unit.
        peak: What the values are multiplied by.
        base: What is added.

    Raises:
        ValueError: fewer than two points, times that do not increase, or another number of values.

    Examples:
        >>> flash = jr.pulse.Table(["0 us", "20 us", "150 us"], [0, 1, 0], peak=jr.expr("pump.rate"))
    """

    times: Sequence[Time] | np.ndarray
    values: Sequence[Time] | np.ndarray
    peak: Quantity | None = None
    base: Quantity = 0.0

    def __post_init__(self) -> None:
        read_fields(self)
        times = to_si(list(several(self.times) or ()), "s", "Table.times")
        if times.size < 2 or np.any(np.diff(times) <= 0):
            raise ValueError(
                f"`Table.times` must be two or more times that increase, but {shown(self.times)} is given."
            )
        values = tuple(_entry(value) for value in several(self.values) or ())
        if len(values) != times.size:
            raise ValueError(f"`Table.values` must be one for each of {times.size} times, not {len(values)}.")
        object.__setattr__(self, "times", tuple(times.tolist()))
        object.__setattr__(self, "values", values)

    @property
    def support(self) -> tuple[float, float]:
        """From the first time to the last."""
        return float(self.times[0]), float(self.times[-1])

    @property
    def knots(self) -> tuple[float, ...]:
        """Its times."""
        return tuple(float(time) for time in self.times)

    def shape(self, t: Any) -> Any:
        """Its values must be numbers by now."""
        xp = namespace(t)
        times, values = np.array(self.times, np.float64), np.array(self.values, np.float64)
        slopes = np.concatenate([[0.0], np.diff(values) / np.diff(times), [0.0]])
        place = passed(times, t)
        since = t - xp.take(times[[0, *range(times.size)]], place, mode="clip")
        before = xp.take(values[[0, *range(times.size)]], place, mode="clip")
        return before + xp.take(slopes, place, mode="clip") * since

    def repeated(self, t: Any, period: float, count: int) -> Any:
        return overlaid(self.shape, self.support, t, period, count)


Single = Gaussian | Sech2 | Square | Exponential | Table


@dataclass(frozen=True)
class Train:
    """A pulse again and again: the sum of copies shifted by 0, 1, 2 ... periods, above one base.

    Args:
        pulse: The first copy, and the base; a `Table` must begin and end with 0.
        period: Time from copy to copy [s].
        count: Number of copies, however many.

    Raises:
        ValueError: a pulse that never ends, a count that is no whole number, or so short a period that more than
            256 copies would have to be added up at one time.

    Examples:
        >>> train = jr.pulse.Train(jr.pulse.Sech2("1e9 s^-1", "1 ns", fwhm="10 ps"), period="12.5 ns", count=80_000)
    """

    pulse: Single
    period: Time
    count: int

    def __post_init__(self) -> None:
        if not isinstance(self.pulse, Single):
            raise ValueError(f"`Train.pulse` must be a pulse such as jr.pulse.Gaussian(...), not {shown(self.pulse)}.")
        object.__setattr__(self, "period", read_span(self, "period"))
        if isinstance(self.count, bool) or not isinstance(self.count, int | np.integer) or self.count < 1:
            raise ValueError(f"`Train.count` must be a whole number from 1 on, but {shown(self.count)} was given.")
        object.__setattr__(self, "count", int(self.count))
        _check_ends(self.pulse)
        self._check_overlap()

    def _check_overlap(self) -> None:
        if isinstance(self.pulse, Square | Exponential):
            return
        num = min(num_overlaid(self.pulse.support, float(self.period)), self.count)
        if num > MOST_OVERLAID:
            raise ValueError(
                f"`Train.period` must be so long that at most {MOST_OVERLAID} pulses overlap, but with "
                f"{self.period:g} s {num} do: state their sum as a constant."
            )

    @property
    def peak(self) -> Quantity | None:
        """Of each copy."""
        return self.pulse.peak

    @property
    def base(self) -> Quantity:
        """Counted once."""
        return self.pulse.base

    def shape(self, t: Any) -> Any:
        """All copies, from the phase of the time."""
        return self.pulse.repeated(t, float(self.period), self.count)


Pulse = Single | Train


def knots(pulse: Pulse, last: float) -> np.ndarray:
    """Times up to `last` that a solver must not step over, of all copies [s], in no order.

    Raises:
        ValueError: more copies than a solver would ever get through.
    """
    if not isinstance(pulse, Train):
        return np.array(pulse.knots)
    own, period = np.array(pulse.pulse.knots), float(pulse.period)
    first = max(0, int(-own.max() // period))
    num = pulse.count if isinf(last) else min(pulse.count, max(0, int((last - own.min()) // period) + 2))
    if num - first > MOST_COPIES:
        raise ValueError(f"A train may have {MOST_COPIES:,} copies up to the last time, not {num - first:,}.")
    return (own[:, None] + np.arange(first, max(first, num)) * period).ravel()


def _entry(value: Any) -> str | float:
    """A value of a table, text kept until the unit of the driven parameter is known."""
    if callable(value):
        raise ValueError("`Table.values` must be numbers, or text with a unit; an expression may be its `peak`.")
    return value if isinstance(value, str) else float(to_si(value, "1", "Table.values"))


def _check_ends(pulse: Single) -> None:
    """Refuse to repeat what does not come back to its base."""
    if isinstance(pulse, Square) and pulse.stop == inf:
        raise ValueError("A train needs a Square that stops: give `stop`.")
    if isinstance(pulse, Exponential) and pulse.rising:
        raise ValueError("A train needs a pulse that ends, and a rising Exponential stays: use Square or Table.")
    if isinstance(pulse, Table) and any(read_any(pulse.values[i], "Table.values")[0] for i in (0, -1)):
        first, last = pulse.values[0], pulse.values[-1]
        raise ValueError(f"A train needs a Table that begins and ends with 0, but this one has {first} and {last}.")


def _around(centre: Any, reach: float) -> tuple[float, float]:
    return float(centre) - reach, float(centre) + reach
