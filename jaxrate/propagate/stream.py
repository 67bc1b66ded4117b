"""Light through a given profile of populations: every channel exactly, in its own direction."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxrate.propagate.medium import Medium
from jaxrate.propagate.nodes import GAUSS, Grid


class Light(NamedTuple):
    r"""Light at all places, which each channel counts the way it runs: the first is where it enters.

    Args:
        entering: Power that a channel starts with, what is reflected included [W], shape (channel,).
        closed: One minus the round trip of a channel and its partner, shape (channel,): it lases where this is 0.
        arrival: $e^{G_i}$, shape (channel, place).
        emitted: Power that the medium itself gave [W], shape (channel, place).
        rise: $e^{G_i - c}$ with c the middle of the range of G, so that nothing overflows, shape (channel, place).
        fall: $w_m e^{c - G_m}$ times the length [m], shape (channel, point).
        source: `fall` times the spontaneous power per length [W], shape (channel, point).
    """

    entering: Array
    closed: Array
    arrival: Array
    emitted: Array
    rise: Array
    fall: Array
    source: Array

    @property
    def powers(self) -> Array:
        r"""$P_i = e^{G_i}\left[P_0 + \int_0^{z_i} s\,e^{-G}\,dz\right]$ [W], shape (channel, place)."""
        return self.entering[:, None] * self.arrival + self.emitted


class Ends(NamedTuple):
    """What reflects a channel where it enters and where it leaves, (channel,); 0 without a partner, then itself."""

    near: Array
    far: Array
    partner: np.ndarray


def light(medium: Medium, grid: Grid, n: Array) -> Light:
    """Every channel through the profile n, shape (level, node)."""
    exponents = np.concatenate([grid.integral, grid.fine_integral])
    covered = np.concatenate([grid.places, grid.points])
    gained = _by_way(medium, medium.gain) @ _both_ways(n, exponents) - medium.loss[:, None] * covered
    G, between = jnp.split(medium.length * gained, [len(grid.places)], axis=1)
    middle = lax.stop_gradient((jnp.min(G, axis=1) + jnp.max(G, axis=1)) / 2)[:, None]
    rise = jnp.exp(G - middle)
    fall = jnp.exp(middle - between) * (grid.weight * medium.length)
    source = fall * (_by_way(medium, medium.noise) @ _both_ways(n, grid.fine))
    arrival, emitted = rise * jnp.exp(middle), rise * _summed(source)
    entering, closed = _entering(medium, arrival[:, -1], emitted[:, -1])
    return Light(entering, closed, arrival, emitted, rise, fall, source)


def turned(medium: Medium, along: Array) -> Array:
    """Backward channels with their places reversed: from their own way to that of z, or back."""
    return jnp.where(medium.forward[:, None], along, along[..., ::-1])


def _by_way(medium: Medium, rows: Array) -> Array:
    """Coefficients of the populations seen forward and of those seen backward, shape (channel, 2 * level)."""
    forward = medium.forward[:, None]
    return jnp.concatenate([jnp.where(forward, rows, 0.0), jnp.where(forward, 0.0, rows)], axis=1)


def _both_ways(n: Array, matrix: np.ndarray) -> Array:
    """A matrix on the profile as seen by both directions, shape (2 * level, row)."""
    return jnp.concatenate([n, n[:, ::-1]]) @ matrix.T


def _summed(source: Array) -> Array:
    """Sum of all points before a place, of terms of one sign, shape (channel, place)."""
    parts = jnp.sum(source.reshape(source.shape[0], -1, GAUSS), axis=2)
    return parts @ np.triu(np.ones((parts.shape[1], parts.shape[1] + 1)), 1)


def ends(medium: Medium) -> Ends:
    """Reflectivities that a channel meets."""
    paired = medium.partner >= 0
    at_start, at_end = medium.reflection
    near = jnp.where(paired, jnp.where(medium.forward, at_start, at_end), 0.0)
    far = jnp.where(paired, jnp.where(medium.forward, at_end, at_start), 0.0)
    return Ends(near, far, np.where(paired, medium.partner, np.arange(len(paired))))


def _entering(medium: Medium, transfer: Array, emitted: Array) -> tuple[Array, Array]:
    r"""Power that enters and what is left of one round trip, both (channel,).

    $P^+_0 = \frac{P^+_{in} + R_0[T(P^-_{in} + R_L A^+) + A^-]}{1 - R_0 R_L T^2}$ with A what the medium adds.
    """
    if not np.any(medium.partner >= 0):
        return medium.launched, jnp.ones_like(medium.launched)
    near, far, other = ends(medium)
    back = transfer[other] * (medium.launched[other] + far * emitted) + emitted[other]
    closed = 1 - near * far * transfer * transfer[other]
    return (medium.launched + near * back) / closed, closed
