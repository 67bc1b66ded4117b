"""Observables of a path: those of a moment, read as the path is computed, and those of the path as a whole."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.arrays import namespace
from jaxrate.network.coefficients import Parameters
from jaxrate.network.network import Network
from jaxrate.solve.block import Block, Observable, is_pointwise
from jaxrate.solve.drive import Drive, driven_at
from jaxrate.solve.program import populations
from jaxrate.solve.solution import Solution

_PATH = " path"
"""Populations at all times, kept for functions of the whole path."""

Named = tuple[tuple[str, Observable], ...]


def with_path(block: Block) -> Named:
    """Observables of a moment; the populations too, where others need them all."""
    moments = tuple((name, function) for name, function in block.observables if is_pointwise(function))
    return (*moments, (_PATH, populations)) if len(moments) < len(block.observables) else moments


def at_moment(block: Block, n: Array, parameters: Parameters, observables: Named) -> dict[str, Any]:
    """Observables of one moment, from populations (population, lane)."""
    status = jnp.zeros(block.way.lanes, jnp.int8)
    return block.read(Solution(n, status, parameters, block.network), observables)


def whole(block: Block, found: dict[str, Array], times: Array, drive: Drive) -> dict[str, Array]:
    """What was read moment by moment, with those of functions of the whole path."""
    others = tuple((name, function) for name, function in block.observables if not is_pointwise(function))
    if not others:
        return found
    n, status = found.pop(_PATH), jnp.zeros(block.way.lanes, jnp.int8)
    parameters = block.parameters.exchange(along(drive, block.network, block.parameters, times, 1))
    return found | block.read(Solution(n, status, parameters, block.network, times), others)


def along(drive: Drive, network: Network, parameters: Mapping[str, Any], times: Any, dims: int) -> dict[str, Any]:
    """Driven parameters at the times of the output, each of a shape that broadcasts to (time, *batch).

    Args:
        drive: What is driven.
        network: The network.
        parameters: Values of all, as the batch has them.
        times: Of the output [s], shape (time,).
        dims: Number of axes of the batch.
    """
    if not drive:
        return {}
    found = driven_at(drive, network, parameters, times.reshape(-1, *[1] * dims))
    shape = (len(times), *[1] * dims)
    return {name: namespace(x).broadcast_to(x, np.broadcast_shapes(np.shape(x), shape)) for name, x in found.items()}
