"""How light changes with the profile it runs through: the Jacobian of Newton's method, by matrix products."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.propagate.medium import Local, Medium
from jaxrate.propagate.nodes import Grid
from jaxrate.propagate.stream import Light, ends, turned


def jacobian(medium: Medium, grid: Grid, lit: Light, slopes: Array) -> Array:
    r"""$\partial F/\partial x$ of $F = x - x_{local}(r(P(x)))$, shape (unknown * node, unknown * node).

    Args:
        medium: One amplifier.
        grid: Nodes of the profile; light is known at the nodes.
        lit: Light through the profile.
        slopes: Populations by drives, $\partial x_p/\partial r_q$ [s], shape (drive, unknown, node).
    """
    weights = turned(medium, jnp.einsum("qai,qk->aki", slopes, medium.drive))
    expand = medium.reduced[1]
    gain, noise = medium.gain @ expand, medium.noise @ expand
    total = 0.0
    for forward in (True, False):
        which = np.flatnonzero(medium.forward == forward)
        if len(which):
            own = _passing(medium.length, grid, _rows(lit, which), weights[:, which], gain[which], noise[which])
            total = total + (own if forward else own[:, ::-1, :, ::-1])
    if np.any(medium.partner >= 0):
        total = total + _reflected(medium, grid, lit, weights, gain, noise)
    size = slopes.shape[1] * slopes.shape[2]
    return jnp.eye(size) - jnp.reshape(total, (size, size))


def slopes(local: Local, rates: Array, unknown: tuple[int, ...]) -> Array:
    """Unknown populations by each drive [s], shape (drive, unknown, node)."""

    def along(unit: Array) -> Array:
        tangent = jnp.broadcast_to(unit[:, None], rates.shape)
        return jax.jvp(lambda r: local(r)[0][np.array(unknown)], (rates,), (tangent,))[1]

    return jax.vmap(along)(jnp.eye(rates.shape[0]))


def _rows(lit: Light, which: np.ndarray) -> Light:
    """Light of some channels."""
    return Light(*(x[which] for x in lit))


def _passing(length: Array, grid: Grid, lit: Light, weights: Array, gain: Array, noise: Array) -> Array:
    r"""$\sum_k c_{aki}\,\partial P_{ki}/\partial x_{pj}$ of one direction, the power that enters held.

    From $P_i = e^{G_i} P_0 + \sum_{m<i} w_m s_m e^{G_i - G_m}$: of each channel
    $P_i\,\partial G_i - \sum_m w_m e^{G_i-G_m}(s_m\,\partial G_m - \partial s_m)$, the channels summed first.

    Returns:
        Shape (unknown, node, unknown, node), nodes counted the way the light runs.
    """
    here = (weights * lit.rise).transpose(0, 2, 1)
    of_gain, of_noise = gain[:, :, None] * lit.source[:, None], noise[:, :, None] * lit.fall[:, None]
    pairs = jnp.tensordot(here, jnp.stack([of_gain, of_noise], axis=2), 1)
    pairs = jnp.where(grid.before[:, None, None], pairs, 0.0)
    between = jnp.tensordot(pairs, jnp.stack([-length * grid.fine_integral, jnp.asarray(grid.fine)]), 2)
    through = jnp.tensordot((weights * lit.powers).transpose(0, 2, 1), gain, 1)
    whole = through[..., None] * (length * grid.integral)[:, None]
    return whole + between


def _reflected(medium: Medium, grid: Grid, lit: Light, weights: Array, gain: Array, noise: Array) -> Array:
    """By the power that enters, which reflections tie to the whole profile; shape (unknown, node, unknown, node)."""
    of_arrival, of_emitted = (_turned(medium, d) for d in _at_exit(medium.length, grid, lit, gain, noise))
    arrival, emitted = lit.arrival[:, -1], lit.emitted[:, -1]
    near, far, other = ends(medium)
    of_back = _wide(medium.launched[other] + far * emitted) * of_arrival[other] + of_emitted[other]
    of_back += _wide(arrival[other] * far) * of_emitted
    of_closed = -_wide(near * far) * (_wide(arrival[other]) * of_arrival + _wide(arrival) * of_arrival[other])
    of_entering = (_wide(near) * of_back - _wide(lit.entering) * of_closed) / _wide(lit.closed)
    here = turned(medium, weights * lit.arrival)
    return jnp.einsum("aki,kpj->aipj", here, of_entering)


def _turned(medium: Medium, derivative: Array) -> Array:
    """Derivatives (channel, unknown, node) with the nodes counted the way of z."""
    return jnp.where(medium.forward[:, None, None], derivative, derivative[..., ::-1])


def _wide(of_channel: Array) -> Array:
    return of_channel[:, None, None]


def _at_exit(length: Array, grid: Grid, lit: Light, gain: Array, noise: Array) -> tuple[Array, Array]:
    """Transfer and emitted power of the whole length by the profile, each (channel, unknown, node)."""
    by_gain = length * gain[:, :, None]
    whole = by_gain * grid.integral[-1]
    last = _wide(lit.rise[:, -1])
    emitted = _wide(lit.emitted[:, -1]) * whole - last * by_gain * (lit.source @ grid.fine_integral)[:, None]
    emitted += last * noise[:, :, None] * (lit.fall @ grid.fine)[:, None]
    return _wide(lit.arrival[:, -1]) * whole, emitted
