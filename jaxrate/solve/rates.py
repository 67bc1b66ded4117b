"""Rates of linear networks, as the solvers of steady states and of transients need them."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxrate.network.coefficients import Parameters
from jaxrate.network.compile import refuse_holes
from jaxrate.network.network import Network


def refuse_nonlinear(network: Network, what: str) -> None:
    """Refuse a network that is not linear in the populations of levels, or light that burns holes.

    Args:
        network: The network.
        what: What cannot be solved: "A steady state".

    Raises:
        ValueError: the processes or reservoirs are named.
    """
    refuse_holes(network)
    if network.model.reservoirs:
        names = ", ".join(f"`{reservoir.name}`" for reservoir in network.model.reservoirs)
        raise ValueError(
            f"{what} is solved for populations of levels, but the model has the reservoir {names}. "
            "Leave it out, or state what it does as a rate."
        )
    if network.nonlinear:
        names = ", ".join(f"`{name}`" for name in network.nonlinear)
        makes = "makes" if len(network.nonlinear) == 1 else "make"
        raise ValueError(
            f"{what} is solved for networks that are linear in the populations, but {names} {makes} this one "
            "nonlinear. Leave it out, or state its effect as a rate."
        )


def checked_rates(
    network: Network, parameters: Parameters, every: bool = False
) -> tuple[list[tuple[tuple[int, ...], Any]], Array]:
    """Rates by group of reactions, illegal ones replaced by 1, and which lanes have only legal ones.

    Args:
        network: The network.
        parameters: Legal values.
        every: Whether to check those too that are parameters themselves.
    """
    legal, checked = jnp.asarray(True), []
    for members, values in network.coefficients(parameters):
        if every or not network.is_checked(members):
            fine = (values >= 0) & (values < jnp.inf)
            values = jnp.where(fine, values, 1.0)
            legal = legal & (fine if len(members) == 1 else jnp.all(fine, axis=0))
        checked.append((members, values))
    return checked, legal
