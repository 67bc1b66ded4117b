r"""Two levels without loss or noise: what leaves, from one equation in one unknown.

With the photons $q_k$ that enter per second, S their sum and $Q = \sum_k q_k^{out}$, the ions take up S - Q, which is
$\zeta L\bar n_2$ with the mean excited fraction, whatever its profile and the directions of the channels:
$q_k^{out} = q_k\,e^{a_k(S - Q) - \alpha_k L}$, $a_k = (\alpha_k + g^*_k)/\zeta$.

Source:
    A. A. M. Saleh, R. M. Jopson, J. D. Evankow, J. Aspell, *IEEE Photonics Technol. Lett.* 2, 714 (1990).
"""

import jax.numpy as jnp
from jax import Array, lax

TURNS = 100
"""Turns at most; Newton's method between bounds that close in needs five to ten."""


def outputs(
    launched_flux: Array, absorption: Array, emission: Array, saturation_parameter: Array, length: Array
) -> tuple[Array, Array]:
    r"""Photons that leave, and how much of the medium is excited.

    $u = (S - Q)/\zeta L$ is the root of $\zeta L u - \sum_k q_k\left(1 - e^{L[(\alpha_k + g^*_k)u - \alpha_k]}\right)$,
    which rises all the way from below 0 at u = 0 to above it at u = 1.

    Args:
        launched_flux: Photons that enter per second [1/s], shape (channel, lane).
        absorption: Absorption coefficient with nothing excited [m^-1], shape (channel, lane) or (channel, 1).
        emission: Gain coefficient g* with everything excited [m^-1], shape (channel, lane) or (channel, 1).
        saturation_parameter: Ions per length and lifetime, $\zeta = AN/\tau$ [1/(m s)], shape (lane,) or (1,).
        length: Length [m], shape (lane,) or (1,).

    Returns:
        Photons that leave per second, shape (channel, lane), and the mean excited fraction, shape (lane,). Both have
        exact first derivatives.
    """
    arrays = launched_flux, absorption, emission, saturation_parameter, length
    fixed = lax.stop_gradient(arrays)
    excited = _root(*fixed)
    _, slope = _balance(excited, *fixed)
    excited = excited - _balance(excited, *arrays)[0] / slope
    return launched_flux * jnp.exp(_exponent(excited, absorption, emission, length)), excited


def _exponent(excited: Array, absorption: Array, emission: Array, length: Array) -> Array:
    return length * ((absorption + emission) * excited - absorption)


def _balance(
    excited: Array, flux: Array, absorption: Array, emission: Array, zeta: Array, length: Array
) -> tuple[Array, Array]:
    """Photons that ions give off less those they take up, relative to the ions; and its slope."""
    grown = jnp.expm1(_exponent(excited, absorption, emission, length))
    ions = zeta * length
    share = flux / jnp.where(ions > 0, ions, 1.0)  # without ions nothing grows, and nothing is excited
    value = excited + jnp.sum(share * grown, axis=0)
    return value, 1 + jnp.sum(share * length * (absorption + emission) * (1 + grown), axis=0)


def _root(flux: Array, absorption: Array, emission: Array, zeta: Array, length: Array) -> Array:
    """Newton's method, or half of the bounds where that leaves them or is slow, until nothing changes."""
    lanes = jnp.broadcast_shapes(flux.shape, absorption.shape, emission.shape, (1, *zeta.shape), (1, *length.shape))[1:]
    given = flux, absorption, emission, zeta, length

    def going(state: tuple[Array, ...]) -> Array:
        turn, *_, change = state
        return (turn < TURNS) & jnp.any(change > 0)

    def turn(state: tuple[Array, ...]) -> tuple[Array, ...]:
        count, low, high, x, last = state
        value, slope = _balance(x, *given)
        low, high = jnp.where(value <= 0, x, low), jnp.where(value >= 0, x, high)
        newton = x - value / slope
        inside = (newton >= low) & (newton <= high) & (jnp.abs(newton - x) <= last / 2)
        new = jnp.where(inside, newton, (low + high) / 2)
        change = jnp.abs(new - x)
        rounded = change <= 4 * jnp.finfo(x.dtype).eps
        return count + 1, low, high, jnp.where(last > 0, new, x), jnp.where(rounded | (last == 0), 0.0, change)

    zero, one = jnp.zeros(lanes, flux.dtype), jnp.ones(lanes, flux.dtype)
    return lax.while_loop(going, turn, (jnp.int32(0), zero, one, one / 2, one))[3]
