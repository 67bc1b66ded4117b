r"""Two levels, no background loss, light of one direction: the closed form.

$Q = \sum_k q_k\,e^{a_k(S-Q) - \alpha_k L}$ with $q_k$ the photons launched per time, S their sum, Q that of what
leaves, $a_k = (\alpha_k + g^*_k)/\zeta$ and $\zeta = AN/\tau$.

Source:
    A. A. M. Saleh, R. M. Jopson, J. D. Evankow, J. Aspell, *IEEE Photonics Technol. Lett.* 2, 714 (1990).
"""

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.constants import h
from jaxrate.propagate import directed, two_level
from jaxrate.propagate.coupling import Guided
from jaxrate.propagate.mutual import local
from jaxrate.solve.block import Block
from jaxrate.solve.status import Status


def holds(guided: Guided, block: Block | None = None) -> bool:
    """Whether it may be used: two levels of one species, decay from the upper to the lower, nothing lost on the way.

    Args:
        guided: The network with its light.
        block: Lanes to be solved, in which a loss may vary.
    """
    network = guided.network
    if not directed.holds(guided) or len(network.populations) != 2 or network.nonlinear or len(guided.lines) == 0:
        return False
    upper, lower = guided.lines[0].upper, guided.lines[0].lower
    own = [r for r in network.reactions if r.field != guided.path.label]
    falls = all(r.reactants == (upper,) and r.products == (lower,) for r in own)
    return falls and all(line.upper == upper for line in guided.lines) and _is_lossless(guided, block)


def _is_lossless(guided: Guided, block: Block | None) -> bool:
    names = [f"{label}.loss" for label in guided.rays.groups]
    stated = guided.network.model.parameters()
    varied = {} if block is None else block.parameters.varied
    return all(stated.get(name) == 0.0 and name not in varied for name in names)


def solve(guided: Guided, block: Block, positions: np.ndarray, rtol: float) -> tuple[Array, Array, Array]:
    """Powers (channel, position, lane), populations (level, position, lane) and status (lane,)."""
    if not holds(guided, block):
        return directed.solve(guided, block, positions, rtol)
    lanes, line = block.way.lanes, guided.lines[0]
    here = guided.coupling(block.parameters, lanes)
    quantum = h * guided.rays.frequencies[:, None]
    zeta = block.parameters["area"] * block.parameters[line.density] * _decay(guided, block)
    way = positions if guided.rays.forward[0] else 1.0 - positions
    ends = np.flatnonzero(way)  # every position but that of the launch is the end of an amplifier of its own
    spread = lambda x: jnp.tile(jnp.broadcast_to(x, (*x.shape[:-1], lanes)), len(ends))  # noqa: E731
    lengths = (jnp.asarray(way[ends])[:, None] * here.length).reshape(-1)
    absorption, emission = -here.gain[:, line.lower], here.gain[:, line.upper]
    flux, _ = two_level.outputs(
        spread(here.launched / quantum), spread(absorption), spread(emission), spread(jnp.atleast_1d(zeta)), lengths
    )
    leaving = (flux * quantum).reshape(len(quantum), len(ends), lanes)
    powers = jnp.broadcast_to(here.launched[:, None], (len(quantum), len(way), lanes)).at[:, ends].set(leaving)
    n, found = _populations(guided, block, jnp.einsum("qkl,kzl->qzl", here.drive, powers))
    status = jnp.where(jnp.all(found, axis=0), Status.OK, Status.NOT_CONVERGED)
    return powers, n, status.astype(jnp.int8)


def _decay(guided: Guided, block: Block) -> Array:
    """Total rate from the upper to the lower level without light along the path [1/s], shape (lane,)."""
    network = guided.network
    own = {i for i, r in enumerate(network.reactions) if r.field != guided.path.label}
    rates = [jnp.atleast_2d(rate) for _, rate in network.coefficients(block.parameters, own)]
    return sum((jnp.sum(rate, axis=0) for rate in rates), jnp.zeros(1))


def _populations(guided: Guided, block: Block, rates: Array) -> tuple[Array, Array]:
    """Steady populations (level, position, lane) under rates (drive, position, lane)."""
    size = rates.shape[1:]
    spread = {name: jnp.tile(jnp.broadcast_to(x, size[-1:]), size[0]) for name, x in block.parameters.varied.items()}
    n, found = local(guided, block.parameters.exchange(spread))(rates.reshape(rates.shape[0], -1))
    return n.reshape(-1, *size), jnp.broadcast_to(found, n.shape[-1:]).reshape(size)
