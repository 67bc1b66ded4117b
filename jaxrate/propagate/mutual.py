"""Light of both directions, noise and reflections: Newton's method on the population profile, lane by lane."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxrate.network.coefficients import Parameters
from jaxrate.network.network import Network
from jaxrate.propagate import profile
from jaxrate.propagate.coupling import Coupling, Guided
from jaxrate.propagate.medium import Medium
from jaxrate.solve.block import Block
from jaxrate.solve.status import Status
from jaxrate.solve.steady import Steady

LOCAL = Steady("cold")
"""Populations of one place."""


def solve(guided: Guided, block: Block, positions: np.ndarray, rtol: float) -> tuple[Array, Array, Array]:
    """Powers (channel, position, lane), populations (level, position, lane) and status (lane,)."""
    lanes, varied = block.way.lanes, block.parameters.varied
    whole = guided.coupling(block.parameters, lanes)

    def one(lane: tuple[Array, Coupling, dict[str, Array]]) -> tuple[Array, Array, Array]:
        wanted, coupling, own = lane
        here = block.parameters.exchange({name: value[None] for name, value in own.items()})
        return lax.cond(wanted, lambda: _solved(guided, coupling, here, positions, rtol), _nothing)

    def _nothing() -> tuple[Array, Array, Array]:
        size = len(positions)
        shapes = (len(guided.rays.each), size), (len(guided.network.populations), size)
        return jnp.zeros(shapes[0]), jnp.zeros(shapes[1]), jnp.int8(Status.OK)

    lane_first = jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), whole)
    own = {name: jnp.broadcast_to(value, (lanes,)) for name, value in varied.items()}
    powers, n, status = _each(one, (block.wanted, lane_first, own))
    return jnp.moveaxis(powers, 0, -1), jnp.moveaxis(n, 0, -1), status


def _each(one: Callable, lanes: Any) -> Any:
    """One after the other on a core, so that each takes its own turns; all together on an accelerator."""
    return lax.map(one, lanes) if jax.default_backend() == "cpu" else jax.vmap(one)(lanes)


def _solved(
    guided: Guided, coupling: Coupling, parameters: Parameters, positions: np.ndarray, rtol: float
) -> tuple[Array, Array, Array]:
    rays = guided.rays
    medium = Medium(
        local=local(guided, parameters),
        gain=coupling.gain,
        noise=coupling.noise,
        loss=coupling.loss,
        drive=coupling.drive,
        launched=coupling.launched,
        length=coupling.length,
        reflection=coupling.reflection,
        forward=rays.forward,
        partner=rays.partner,
        reduced=reduced(guided.network, {i for line in guided.lines for i in (line.upper, line.lower)}),
    )
    found = profile.solve(medium, rtol, positions)
    lost = jnp.where(found.lasing, Status.LASES, jnp.where(found.found, Status.OK, Status.NOT_CONVERGED))
    return found.powers, found.populations, lost.astype(jnp.int8)


def local(guided: Guided, parameters: Parameters) -> Callable[[Array], tuple[Array, Array]]:
    """Steady populations (level, place) under rates (drive, place), and where they were found."""

    def steady(rates: Array) -> tuple[Array, Array]:
        n, status = LOCAL.solve(guided.network, guided.with_rates(parameters, rates), rates.shape[-1])
        return n, status == Status.OK

    return steady


def reduced(network: Network, touched: set[int]) -> tuple[tuple[int, ...], np.ndarray, np.ndarray]:
    """Populations that light sees, as unknowns x: (which levels are unknown, expand, offset), n = offset + expand @ x.

    Where light sees every level of a species, the first of them follows from the others. Levels that it does not see
    are left at zero.
    """
    whole = [
        [i for i, p in enumerate(network.populations[: network.num_levels]) if p.species == s]
        for s in _species(network)
    ]
    implied = {levels[0]: levels[1:] for levels in whole if len(levels) > 1 and touched.issuperset(levels)}
    unknown = tuple(sorted(touched - set(implied)))
    expand, offset = np.zeros((len(network.populations), len(unknown))), np.zeros(len(network.populations))
    for column, level in enumerate(unknown):
        expand[level, column] = 1.0
    for level, others in implied.items():
        offset[level] = 1.0
        expand[level, [unknown.index(other) for other in others]] = -1.0
    return unknown, expand, offset


def _species(network: Network) -> list[Any]:
    return list(dict.fromkeys(p.species for p in network.populations[: network.num_levels]))
