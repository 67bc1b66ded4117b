"""A medium whose cavities are dark, and how fast the first photon multiplies in it."""

from dataclasses import dataclass, replace

import jax.numpy as jnp
from jax import Array

from jaxrate.expr import Expr
from jaxrate.network.network import Network, Reaction
from jaxrate.observe.laser import growth, lane_parameters
from jaxrate.solve.solution import Solution


def dark_network(network: Network) -> Network:
    """The same network without photons: what they drive is left out, and what makes them goes on without them.

    Photons are the last populations, so those of levels and reservoirs keep their places.
    """
    photons = frozenset(i for i, p in enumerate(network.populations) if p.is_photons)
    kept = [_without(r, photons) for r in network.reactions if not photons & {*r.reactants}]
    none = tuple((network.populations[i].name, Expr("0")) for i in sorted(photons))
    return replace(
        network,
        populations=tuple(p for p in network.populations if not p.is_photons),
        reactions=tuple(r for r in kept if r.reactants or r.products or r.consumed),
        derived=(*network.derived, *none),
    )


def _without(reaction: Reaction, photons: frozenset[int]) -> Reaction:
    left = (tuple(i for i in some if i not in photons) for some in (reaction.products, reaction.consumed))
    products, consumed = left
    return replace(reaction, products=products, consumed=consumed)


@dataclass(frozen=True)
class SmallSignal:
    r"""Growth of the first photon over its loss, $G\tau_c - 1$: zero at threshold; a function of a dark solution.

    Args:
        network: The whole network, of which the solution lacks the photons.
        cavity: Label of the `Cavity`.
    """

    network: Network
    cavity: str

    def __call__(self, solution: Solution) -> Array:
        dark = jnp.zeros((len(self.network.populations) - len(solution.populations), solution.populations.shape[1]))
        n = jnp.concatenate([solution.populations, dark])
        rate = growth(self.network, lane_parameters(solution), n, self.cavity)
        return rate * solution.parameters[f"{self.cavity}.photon_lifetime"]
