"""An erbium-like fibre amplifier of two levels, as the arrays that the solvers of light along z take."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.constants import c, h
from jaxrate.propagate.medium import Medium

ZETA, LIFETIME, LENGTH = 3.5e15, 10e-3, 8.0
"""Saturation parameter [1/(m s)], lifetime [s] and length [m] of the fibre of PHYSICS section 2."""

DB = np.log(10) / 10
ABSORPTION, EMISSION = np.array([4.272, 4.0]) * DB, np.array([0.0, 5.2]) * DB
"""At 980 nm and 1550 nm [m^-1]."""

QUANTA = h * c / np.array([980e-9, 1550e-9])
BAND = 100e9
"""Width of a channel of spontaneous light [Hz]."""


def local(lifetime: float | Array = LIFETIME) -> Callable[[Array], tuple[Array, Array]]:
    """Two populations under absorption and stimulated emission."""

    def steady(rates: Array) -> tuple[Array, Array]:
        up, down = rates
        n = up / (up + down + 1 / lifetime)
        return jnp.stack([1 - n, n]), jnp.isfinite(n)

    return steady


def arrays(kinds: np.ndarray, launched: np.ndarray, noisy: np.ndarray, strength: np.ndarray | float = 1.0) -> dict:
    """Arrays of channels that are pumps (0) or signals (1), some with spontaneous light of two polarisations."""
    absorption, emission, quanta = ABSORPTION[kinds] * strength, EMISSION[kinds] * strength, QUANTA[kinds]
    return {
        "gain": np.stack([-absorption, emission], 1),
        "noise": np.stack([np.zeros(len(kinds)), np.where(noisy, 2 * quanta * BAND * emission, 0.0)], 1),
        "loss": np.zeros(len(kinds)),
        "drive": np.stack([absorption, emission]) / (quanta * ZETA * LIFETIME),
        "launched": np.asarray(launched, float),
        "length": np.asarray(LENGTH),
        "reflection": np.zeros(2),
    }


def medium(own: dict, forward: np.ndarray, partner: np.ndarray, lifetime: float | Array = LIFETIME) -> Medium:
    """With the upper population as the unknown."""
    reduced = ((1,), np.array([[-1.0], [1.0]]), np.array([1.0, 0.0]))
    return Medium(local=local(lifetime), forward=forward, partner=partner, reduced=reduced, **own)
