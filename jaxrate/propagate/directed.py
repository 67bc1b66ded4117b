"""Light of one direction: direct integration, in which every channel grows by an exact exponential."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.propagate.coupling import Guided
from jaxrate.propagate.march import march
from jaxrate.propagate.mutual import local
from jaxrate.solve.block import Block
from jaxrate.solve.status import Status


def holds(guided: Guided) -> bool:
    """Whether all light runs one way: no noise, no reflections, no channel the other way."""
    rays = guided.rays
    return not rays.has_noise and (bool(np.all(rays.forward)) or not np.any(rays.forward))


def solve(guided: Guided, block: Block, positions: np.ndarray, rtol: float) -> tuple[Array, Array, Array]:
    """Powers (channel, position, lane), populations (level, position, lane) and status (lane,)."""
    here = guided.coupling(block.parameters, block.way.lanes)
    steady = local(guided, block.parameters)

    def solved(places: np.ndarray) -> tuple[Array, Array, Array]:
        powers, n, found = march(here.gain, here.loss, here.drive, here.launched, here.length, steady, rtol, places)
        return powers, n, jnp.where(found, Status.OK, Status.NOT_CONVERGED).astype(jnp.int8)

    return from_launch(guided, positions, solved)


def from_launch(guided: Guided, positions: np.ndarray, solved: Callable) -> tuple[Array, Array, Array]:
    """Results at positions along z, of what is solved at places counted from where the light is launched."""
    if guided.rays.forward[0]:
        return solved(positions)
    powers, n, status = solved(1.0 - positions[::-1])
    return powers[:, ::-1], n[:, ::-1], status
