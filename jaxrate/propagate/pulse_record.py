r"""The logarithm of the gain that a pulse has met so far, at every moment, and what is measured of the pulse.

Where steps end is where something happens, so the logarithm is kept step by step: a polynomial of degree four in each.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

PLACES = np.linspace(0.0, 1.0, 5)
"""Shares of a step at which values are kept."""

SAMPLES = 4
"""Moments in a step at which the peak is looked for."""

BISECTIONS = 60


def _lagrange() -> np.ndarray:
    """Coefficients of the five polynomials that are 1 at one place and 0 at the others, lowest power first."""
    return np.linalg.inv(np.vander(PLACES, increasing=True)).T


LAGRANGE = _lagrange()


class Record(NamedTuple):
    """Steps of lanes.

    Attributes:
        begins, ends: Of each step [s], shape (row, lane); those that were not taken have no length, and those that
            are still free end at infinity.
        values: Logarithm of the gain at the places of each step, shape (row, place, lane).
    """

    begins: Array
    ends: Array
    values: Array

    def at(self, t: Array) -> Array:
        """The logarithm at one time for each lane [s], shape (lane,)."""
        # Counting compiles in a tenth of the time that a search takes, and rows are few.
        row = jnp.sum(lax.stop_gradient(self.ends) < lax.stop_gradient(t), axis=0)
        row, lane = jnp.minimum(row, self.ends.shape[0] - 1), jnp.arange(t.shape[0])
        begins, ends, values = self.begins[row, lane], self.ends[row, lane], self.values[row, :, lane].T
        share = (t - begins) / jnp.where((ends > begins) & (ends < jnp.inf), ends - begins, 1.0)
        return polynomial(values, share)

    def write(self, row: Array, begins: Array, ends: Array, values: Array) -> "Record":
        """The same with one step of every lane more."""
        put = partial(lax.dynamic_update_index_in_dim, index=row, axis=0)
        return Record(put(self.begins, begins), put(self.ends, ends), put(self.values, values))


def polynomial(values: Array, share: Array) -> Array:
    """Value at a share of a step, from those at its places (place, ...)."""
    rows = jnp.tensordot(jnp.asarray(LAGRANGE.T), values, 1)
    total = rows[-1]
    for row in rows[-2::-1]:
        total = total * share + row
    return total


def empty(num_rows: int, lanes: int, level: float = 0.0) -> Record:
    """A record without steps, whose logarithm is 0."""
    zero = jnp.zeros((num_rows, lanes))
    return Record(zero, zero + jnp.inf, jnp.zeros((num_rows, len(PLACES), lanes)) + level)


class Measures(NamedTuple):
    """Of a pulse, each (lane,): peak intensity [W m^-2], its time since the window began [s], and full width [s]."""

    peak: Array
    peak_time: Array
    fwhm: Array


Intensity = Callable[[Array], Array]
"""Intensity at times (..., lane), in front of a medium or at one time for each lane anywhere."""


def measured(record: Record, before: Intensity, end: float) -> Measures:
    """Peak and full width at half maximum of a pulse.

    Args:
        record: Of the gain it has met; its steps say where to look.
        before: Intensity without that gain.
        end: When its window ends [s].
    """

    def intensity(t: Array) -> Array:
        return before(t) * jnp.exp(record.at(t))

    times, values, used = _moments(record, before)
    best = jnp.take_along_axis(times, jnp.argmax(values, axis=0)[None], 0)[0]
    at = _climbed(intensity, _earlier(times, used, best, 0.0), _later(times, used, best, end))
    top = intensity(at)
    high = used & (values >= lax.stop_gradient(top) / 2)
    first, last = jnp.min(jnp.where(high, times, end), axis=0), jnp.max(jnp.where(high, times, 0.0), axis=0)
    before_it, after_it = _earlier(times, used, first, -1.0), _later(times, used, last, 2 * end)
    cross = jax.vmap(lambda outside, inside: _crossing(intensity, outside, inside, top / 2, end))
    rises, falls = cross(jnp.stack([before_it, after_it]), jnp.stack([first, last]))
    rises = jnp.where(before_it < 0, 0.0, rises)
    return Measures(top, at, jnp.where(after_it > end, end, falls) - rises)


def _moments(record: Record, before: Intensity) -> tuple[Array, Array, Array]:
    """Times and intensities there, and which are of steps that were taken, shape (moment, lane)."""
    record = lax.stop_gradient(record)
    share = ((jnp.arange(SAMPLES) + 0.5) / SAMPLES)[:, None]
    span = jnp.where(record.ends < jnp.inf, record.ends - record.begins, 0.0)
    times = record.begins[:, None] + share * span[:, None]
    used = jnp.broadcast_to((span > 0)[:, None], times.shape)
    values = jnp.moveaxis(record.values, 1, 0)[:, :, None]
    logarithm = jnp.where(used, polynomial(values, share), 0.0)
    light = jnp.where(used, lax.stop_gradient(before(times)) * jnp.exp(logarithm), -1.0)
    return tuple(x.reshape(-1, span.shape[1]) for x in (times, light, used))  # type: ignore[return-value]


def _earlier(times: Array, used: Array, t: Array, none: float) -> Array:
    """The last moment before a time, shape (lane,)."""
    return jnp.max(jnp.where(used & (times < t), times, none), axis=0)


def _later(times: Array, used: Array, t: Array, none: float) -> Array:
    """The first moment after a time, shape (lane,)."""
    return jnp.min(jnp.where(used & (times > t), times, none), axis=0)


def _climbed(intensity: Intensity, low: Array, high: Array) -> Array:
    """Time of the maximum between two times, by golden section."""
    golden = 0.6180339887498949

    def turn(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        left, right = high - golden * (high - low), low + golden * (high - low)
        at_left, at_right = jax.vmap(intensity)(jnp.stack([left, right]))
        rising = at_left < at_right
        return jnp.where(rising, left, low), jnp.where(rising, high, right)

    low, high = lax.fori_loop(0, BISECTIONS, turn, (low, high))
    return lax.stop_gradient((low + high) / 2)


def _crossing(intensity: Intensity, outside: Array, inside: Array, level: Array, end: float) -> Array:
    """Where a pulse crosses a level between two times.

    The last turn is Newton's, so that derivatives of the level and of the pulse move the crossing.
    """
    goal = lax.stop_gradient(level)

    def turn(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        above = lax.stop_gradient(intensity(middle)) >= goal
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    low, high = lax.fori_loop(0, BISECTIONS, turn, (outside, inside))
    at = lax.stop_gradient((low + high) / 2)
    value, slope = jax.jvp(intensity, (at,), (jnp.ones_like(at),))
    slope = lax.stop_gradient(slope)
    moved = (level - value) / jnp.where(slope == 0, 1.0, slope)
    return at + jnp.where((slope == 0) | (jnp.abs(moved) > 1e-6 * end), 0.0, moved)
