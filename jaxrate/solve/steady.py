"""Steady states of linear networks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxrate.model.model import Model
from jaxrate.network.coefficients import Parameters
from jaxrate.network.compile import compile_network, refuse_holes
from jaxrate.network.dynamics import by_reaction
from jaxrate.network.network import Network
from jaxrate.solve.batch import Batch
from jaxrate.solve.linalg import UNROLLED, is_strongly_connected, stationary
from jaxrate.solve.program import solve
from jaxrate.solve.solution import Solution
from jaxrate.solve.status import Status


@dataclass(frozen=True)
class Steady:
    """Solver of steady states: exact elimination, species by species.

    Raises:
        ValueError: the network is nonlinear (energy transfer, a cavity), or narrow light meets an inhomogeneous
            line; the processes are named.
    """

    def check(self, network: Network) -> None:
        """Refuse what it cannot solve."""
        refuse_holes(network)
        if network.model.reservoirs:
            names = ", ".join(f"`{reservoir.name}`" for reservoir in network.model.reservoirs)
            raise ValueError(
                f"A steady state is solved for populations of levels, but the model has the reservoir {names}. "
                "Leave it out, or state what it does as a rate."
            )
        if network.nonlinear:
            names = ", ".join(f"`{name}`" for name in network.nonlinear)
            raise ValueError(
                f"A steady state is solved for networks that are linear in the populations, but {names} "
                "makes this one nonlinear. Leave it out, or state its effect as a rate."
            )

    def lane_bytes(self, network: Network) -> int:
        """Memory one lane needs while it is solved: what the size of a block follows from."""
        n, r = network.num_levels, len(network.reactions)
        return 8 * (r + 3 * n) if n <= UNROLLED else 8 * (3 * (n + 1) ** 2 + r)

    def solve(self, network: Network, parameters: Parameters, lanes: int) -> tuple[Array, Array]:
        """Populations (level, lane) and status (lane,); where that is not 0 the populations are arbitrary."""
        groups, legal = checked_rates(network, parameters)
        populations, classes = _populations(network, by_reaction(network, groups, lanes), lanes, tame=False)
        return populations, _status(populations, legal, classes)

    def has_legal_rates(self, network: Network, parameters: Parameters) -> Array:
        """Which lanes have rates that are numbers: legal parameters may still overflow when they are multiplied."""
        return checked_rates(network, parameters)[1]

    def has_short_way(self, network: Network, base: np.ndarray, batch: Batch) -> bool:
        """Whether it is a small network whose reactions connect all levels, none of them dark in every lane."""
        connected = all(
            len(levels) <= UNROLLED and is_strongly_connected(_pairs(network, levels, members), len(levels))
            for levels, members in chains(network)
        )
        return connected and all(TAME[0] <= rate < TAME[1] for rate in _shared_rates(network, base, batch))

    def solve_tame(self, network: Network, parameters: Parameters, lanes: int) -> tuple[Array, Array]:
        """Populations of lanes with all rates far from zero and infinity, and which lanes these are.

        No level absorbs in them and nothing overflows, so that the elimination needs no case distinction.
        """
        groups = network.coefficients(parameters)
        wild = jnp.asarray(0, jnp.uint64)
        for members, rate in groups:
            distance = _distance(rate)
            wild = wild | (distance if len(members) == 1 else lax.reduce_or(distance, (0,)))
        return _populations(network, by_reaction(network, groups, lanes), lanes, tame=True)[0], wild < _SPAN


TAME = (2.0**-64, 2.0**64)
"""Rates [s^-1] of which no product over the levels of an unrolled elimination leaves the range of float64."""
_LOWEST, _SPAN = (np.uint64(v) for v in (np.float64(TAME[0]).view(np.uint64), 128 << 52))


def _shared_rates(network: Network, base: np.ndarray, batch: Batch) -> list[float]:
    """Rates that are the same in every lane of a batch: those of a beam that is off, for example."""
    shared, varied = batch.shared(), frozenset(batch.arrays)
    parameters = network.parameters(base, shared)
    with np.errstate(all="ignore"):
        return [float(rate) for rate in network.rates_without(varied - set(shared), parameters)]


def _distance(rate: Array) -> Array:
    """Distance of the bits of a rate from those of the lowest tame one.

    Below a power of two for tame rates, at least that for any other (below, above, negative, NaN), so that the
    distances of many rates are or-ed and compared once.
    """
    return lax.bitcast_convert_type(rate, jnp.uint64) - _LOWEST


def _populations(network: Network, rates: Any, lanes: int, tame: bool) -> tuple[Array, Array]:
    """Populations of every species, and the number of recurrent classes of the one that has most."""
    populations, classes = jnp.zeros((network.num_levels, lanes)), jnp.ones(lanes, jnp.int32)
    for levels, members in chains(network):
        part, found = stationary(_pick(rates, members), _pairs(network, levels, members), len(levels), lanes, tame)
        populations = part if len(levels) == network.num_levels else populations.at[jnp.asarray(levels)].set(part)
        classes = jnp.maximum(classes, found)
    return populations, classes


def _pairs(network: Network, levels: list[int], members: list[int]) -> list[tuple[int, int]]:
    """(to, from) of reactions, as positions among the levels of their species."""
    local = {level: i for i, level in enumerate(levels)}
    return [(local[r.products[0]], local[r.reactants[0]]) for r in (network.reactions[m] for m in members)]


def _status(populations: Array, legal: Array, classes: Array) -> Array:
    held = jnp.isfinite(jnp.sum(populations, axis=0))
    status = jnp.where(classes > 1, Status.NOT_UNIQUE, jnp.where(held, Status.OK, Status.OUT_OF_RANGE))
    return jnp.where(legal, status, Status.BAD_INPUT).astype(jnp.int8)


def chains(network: Network) -> list[tuple[list[int], list[int]]]:
    """Levels and reactions of each species: in a linear network they are independent."""
    species = [p.species for p in network.populations]
    found = []
    for s in dict.fromkeys(species):
        levels = [i for i, other in enumerate(species) if other == s]
        found.append((levels, [r for r, x in enumerate(network.reactions) if x.reactants[0] in levels]))
    return found


def checked_rates(network: Network, parameters: Parameters) -> tuple[list, Array]:
    """Rates by group of reactions, illegal ones replaced by 1, and which lanes have only legal ones."""
    legal, checked = jnp.asarray(True), []
    for members, values in network.coefficients(parameters):
        if not network.is_checked(members):
            fine = (values >= 0) & (values < jnp.inf)
            values = jnp.where(fine, values, 1.0)
            legal = legal & (fine if len(members) == 1 else jnp.all(fine, axis=0))
        checked.append((members, values))
    return checked, legal


def _pick(rates: Any, members: list[int]) -> Any:
    return [rates[m] for m in members] if isinstance(rates, list) else rates[jnp.asarray(members)]


def steady_state(
    model: Model, theta: Mapping[str, Any] | None = None, *, precision: Literal["float64", "float32"] | None = None
) -> Solution:
    r"""Steady-state populations of every ensemble of a batch.

    $0 = \sum_r \nu_{ir} R_r(n, \theta)$ with the populations of each species summing to one.

    Args:
        model: The medium.
        theta: Parameter values in SI units by name; arrays broadcast by NumPy's rules and their common shape is the
            batch. Names not given keep the model's values.
        precision: Of the results for NumPy arrays, float64 by default; JAX arrays decide themselves.

    Returns:
        A `Solution`: populations of shape (level, *batch), NaN where its `status` is not 0. NumPy arrays in, NumPy
        arrays out; JAX arrays or tracers in, JAX arrays out.

    Raises:
        ValueError: an unknown name (the nearest is proposed), shapes that do not broadcast (both are named), or a
            model that is not linear.
    """
    return solve(compile_network(model), Steady(), theta or {}, precision)
