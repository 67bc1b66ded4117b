r"""Rates of change of all populations, for any network: $\dot n_i = \sum_r \nu_{ir} R_r / s_i$."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.network.coefficients import Parameters
from jaxrate.network.network import Network, Population


def event_rates(network: Network, parameters: Parameters, n: Array) -> Array:
    r"""Events per volume and time, $R_r = k_r \prod_j s_j n_j$ [m^-3 s^-1].

    Args:
        network: The network.
        parameters: Values of its parameters in a block of lanes.
        n: Populations, shape (population, lane): fractions of a species' density, densities of reservoirs [m^-3],
            numbers of photons.

    Returns:
        R, shape (reaction, lane). For a linear network without a stated density s counts as 1.
    """
    parameters = parameters.exchange(network.named_populations(n))
    density = jnp.stack([n[i] * _scale(p, parameters) for i, p in enumerate(network.populations)])
    padded = jnp.concatenate([density, jnp.ones_like(density[:1])])
    rates = rows(network, parameters, n.shape[1])
    for position in range(max((len(r.reactants) for r in network.reactions), default=0)):
        which = [r.reactants[position] if position < len(r.reactants) else -1 for r in network.reactions]
        rates = rates * padded[np.array(which)]
    return rates


def by_reaction(network: Network, groups: list[tuple[tuple[int, ...], Any]], lanes: int) -> list[Any] | Array:
    """Coefficients in the order of the reactions: a list of (lane,) in a small network, else (reaction, lane)."""
    if all(len(members) == 1 for members, _ in groups):
        return [values for _, values in groups]
    parts = [jnp.broadcast_to(jnp.atleast_1d(values), (len(members), lanes)) for members, values in groups]
    return jnp.concatenate(parts)[np.argsort([r for members, _ in groups for r in members])]


def rows(network: Network, parameters: Parameters, lanes: int) -> Array:
    """Coefficient of every reaction, shape (reaction, lane)."""
    rates = by_reaction(network, network.coefficients(parameters), lanes)
    return jnp.stack([jnp.broadcast_to(rate, (lanes,)) for rate in rates]) if isinstance(rates, list) else rates


def rate_of_change(network: Network, parameters: Parameters, n: Array) -> Array:
    r"""$\dot n_i$ [s^-1], of reservoirs [m^-3 s^-1], shape (population, lane).

    The parameters are those of the moment: a drive that changes in time is given by its value there, and expressions
    find the populations by name. The scale of a
    population cancels against a reactant of the same scale before anything is divided, so that a species of density
    zero is legal.
    """
    parameters = parameters.exchange(network.named_populations(n))
    coefficients = rows(network, parameters, n.shape[1])
    padded = jnp.concatenate([n, jnp.ones_like(n[:1])])
    change = jnp.zeros_like(n)
    for i, r, count in _entries(network):
        reaction, here = network.reactions[r], network.populations[i]
        others = [network.populations[j] for j in reaction.reactants]
        factor = without_scale(here, others, parameters)
        flow = coefficients[r] * jnp.prod(padded[np.array([*reaction.reactants, -1])], axis=0)
        change = change.at[i].add(count * factor * flow)
    return change


def _entries(network: Network) -> list[tuple[int, int, int]]:
    nu = network.stoichiometry
    return [(int(i), int(r), int(nu[i, r])) for i, r in zip(*np.nonzero(nu), strict=True)]


def without_scale(here: Population, reactants: list[Population], parameters: Parameters) -> Any:
    """Product of the reactants' scales over the scale of this population."""
    scales = [p.scale for p in reactants]
    if here.scale not in scales:
        product = 1.0 / _scale(here, parameters)
    else:
        product = 1.0
        reactants = [p for i, p in enumerate(reactants) if i != scales.index(here.scale)]
    for population in reactants:
        product = product * _scale(population, parameters)
    return product


def scale_ratio(one: Population, other: Population, parameters: Parameters) -> Any:
    """Density that a population of 1 of the one means, over that of the other; 1 where they share their scale."""
    return 1.0 if one.scale == other.scale else _scale(one, parameters) / _scale(other, parameters)


def _scale(population: Population, parameters: Parameters) -> Any:
    """What turns a population into a density [m^-3]: that of its species, 1/V for photons, 1 for a reservoir."""
    if population.species is None and not population.is_photons:
        return 1.0
    if population.is_photons:
        return 1.0 / parameters[population.scale]
    return parameters.get(population.scale, 1.0)
