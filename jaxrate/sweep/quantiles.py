"""Quantiles: random bits made into values of a distribution."""

import math

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import ndtri

from jaxrate.sweep.sobol import BITS


def quantile(kind: str, first: float, second: float, bits: Array) -> Array:
    """Value below which a share of (bits + 1/2) 2^-`BITS` of a distribution lies.

    Args:
        kind: "normal", "uniform" or "lognormal".
        first: Mean, lower bound or median.
        second: Standard deviation, upper bound or factor.
        bits: Integers below 2^`BITS`, uint64, any shape; under `jax.enable_x64(True)`.

    Returns:
        float64, shape of `bits`.
    """
    if kind == "uniform":
        share = (bits.astype(jnp.float64) + 0.5) * 2.0**-BITS
        return jnp.clip(first + (second - first) * share, first, second)
    z = _standard_normal(bits)
    return first + second * z if kind == "normal" else first * jnp.exp(math.log(second) * z)


def _standard_normal(bits: Array) -> Array:
    """Quantile of the standard normal distribution, from the tail that is nearer: there every share is exact."""
    upper, last = bits >> (BITS - 1) == 1, jnp.uint64(2**BITS - 1)
    tail = (jnp.where(upper, last - bits, bits).astype(jnp.float64) + 0.5) * 2.0**-BITS
    z = ndtri(tail)
    return jnp.where(upper, -z, z)
