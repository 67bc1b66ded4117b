"""Rates that do not depend on populations, checked."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxrate.network.coefficients import Parameters
from jaxrate.network.network import Network


def is_linear(network: Network) -> bool:
    """Whether the network is linear in the populations of levels, and has no others."""
    return not network.nonlinear and len(network.populations) == network.num_levels


def checked_rates(
    network: Network, parameters: Parameters, every: bool = False
) -> tuple[list[tuple[tuple[int, ...], Any]], Array]:
    """Rates by group of reactions, illegal ones replaced by 1, and which lanes have only legal ones.

    Args:
        network: The network.
        parameters: Legal values; coefficients that depend on populations are left out.
        every: Whether to check those too that are parameters themselves.
    """
    legal, checked = jnp.asarray(True), []
    fixed = {r for r, depends in enumerate(network.depends) if not depends}
    for members, values in network.coefficients(parameters, fixed):
        if network.reactions[members[0]].signed:
            legal = legal & jnp.all(jnp.isfinite(jnp.atleast_2d(values)), axis=0)
        elif every or not network.is_checked(members):
            fine = (values >= 0) & (values < jnp.inf)
            values = jnp.where(fine, values, 1.0)
            legal = legal & (fine if len(members) == 1 else jnp.all(fine, axis=0))
        checked.append((members, values))
    return checked, legal
