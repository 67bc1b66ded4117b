r"""Light of one direction through an inhomogeneous medium: every class of atoms saturates by itself.

$\pm\frac{d\ln P_k}{dz} = \Gamma_k\sum_l N_l\sum_c w_c(\sigma_{e,kc}\,n_{u,c} - \sigma_{a,kc}\,n_{l,c}) - \alpha_k$
with the populations of class c steady under its own rates, $W_c = \sum_k\Gamma_k\sigma_{kc}P_k/(h\nu_kA)$.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.network.classes import Light, Nodes, cross_sections, place
from jaxrate.network.holes import burnt_lines
from jaxrate.propagate.coupling import Coupling, Guided
from jaxrate.propagate.directed import from_launch
from jaxrate.propagate.march import march
from jaxrate.propagate.mutual import local
from jaxrate.solve.block import Block
from jaxrate.solve.classes import coarseness, unresolved
from jaxrate.solve.status import Status


def solve(guided: Guided, block: Block, positions: np.ndarray, rtol: float, num: int) -> tuple[Array, Array, Array]:
    """Powers (channel, position, lane), populations (level, position, lane) and status (lane,)."""
    medium = _Classes.of(guided, block, num)
    here = medium.coupling
    alone = jnp.eye(len(guided.rays.each))  # each channel has the gain that the classes give it

    def solved(places: np.ndarray) -> tuple[Array, Array, Array]:
        powers, _, found = march(
            alone[..., None], here.loss, alone[..., None], here.launched, here.length, medium.gain, rtol, places
        )
        n, coarse = zip(*(medium.average(powers[:, i]) for i in range(len(places))), strict=True)
        lost = unresolved(jnp.max(jnp.stack(coarse), axis=0), medium.nodes)
        status = jnp.where(lost, Status.UNRESOLVED, jnp.where(found, Status.OK, Status.NOT_CONVERGED))
        return powers, jnp.stack(n, axis=1), status.astype(jnp.int8)

    return from_launch(guided, positions, solved)


@dataclass(frozen=True)
class _Classes:
    """A block of lanes, class by class.

    Attributes:
        guided: The network with its light.
        coupling: What does not know classes.
        nodes: The classes.
        emission, absorption: Cross-sections [m^2], shape (class, channel, line, lane).
        photons: Photons per power and area, with the overlap [1/(J m^2)], shape (channel, lane).
        seen: Density of atoms per line with the overlap [m^-3], shape (channel, line, lane).
        steady: Populations of lanes (class, lane) in one axis under their rates.
    """

    guided: Guided
    coupling: Coupling
    nodes: Nodes
    emission: Array
    absorption: Array
    photons: Array
    seen: Array
    steady: Callable

    @staticmethod
    def of(guided: Guided, block: Block, num: int) -> "_Classes":
        """The classes of a block, which crowd at its channels."""
        lanes, parameters = block.way.lanes, block.parameters
        rays, burnt = guided.rays, burnt_lines(guided.network)
        lights = [
            Light(line, jnp.full((1,), rays.frequencies[k]), 0.0, 1 if rays.forward[k] else -1)
            for i, line in enumerate(guided.lines)
            if line.label in burnt
            for k in np.flatnonzero(guided.driven[:, i])
        ]
        nodes = place(lights, parameters, num)
        wide = (num, len(rays.each), lanes)
        whole = guided.sections(parameters, lanes)
        sections = []
        for i, line in enumerate(guided.lines):
            pair = [sigma[None, :, i] for sigma in whole]
            if line.label in burnt:
                way = np.where(rays.forward, 1, -1)[:, None]
                pair = cross_sections(line, parameters, nodes, rays.frequencies[:, None], 0.0, way)
            on = guided.driven[:, i, None]
            sections.append([jnp.broadcast_to(jnp.where(on, sigma, 0.0), wide) for sigma in pair])
        emission, absorption = (jnp.stack(each, axis=2) for each in zip(*sections, strict=True))
        spread = {name: jnp.tile(jnp.broadcast_to(x, (lanes,)), num) for name, x in parameters.varied.items()}
        return _Classes(
            guided,
            guided.coupling(parameters, lanes),
            nodes,
            emission,
            absorption,
            guided.photons(parameters, lanes),
            guided.seen(parameters, lanes),
            local(guided, parameters.exchange(spread)),
        )

    def populations(self, powers: Array) -> tuple[Array, Array]:
        """Of every class (level, class, lane), and where they were found (lane,), under powers (channel, lane)."""
        light = self.photons * powers
        rates = [jnp.einsum("kl,ckil->icl", light, sigma) for sigma in (self.emission, self.absorption)]
        size = rates[0].shape[1:]
        n, found = self.steady(jnp.stack(rates, axis=1).reshape(-1, size[0] * size[1]))
        return n.reshape(-1, *size), jnp.all(jnp.broadcast_to(found, n.shape[-1:]).reshape(size), axis=0)

    def gain(self, powers: Array) -> tuple[Array, Array]:
        """Gain of every channel [m^-1] under powers, both (channel, lane), and where it was found (lane,)."""
        n, found = self.populations(powers)
        upper, lower = (n[jnp.array(ends)] for ends in self.guided.ends)
        net = [
            jnp.einsum("cl,ckil,icl->kil", jnp.broadcast_to(self.nodes.weight, n.shape[1:]), sigma, at)
            for sigma, at in ((self.emission, upper), (self.absorption, lower))
        ]
        return jnp.sum(self.seen * (net[0] - net[1]), axis=1), found

    def average(self, powers: Array) -> tuple[Array, Array]:
        """Populations of all classes together (level, lane), and how coarse the classes are (lane,)."""
        n, _ = self.populations(powers)
        weight = jnp.broadcast_to(self.nodes.weight, n.shape[1:])
        return jnp.sum(weight * n, axis=1), coarseness(n, weight)
