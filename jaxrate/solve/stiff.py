"""Paths in time of nonlinear networks and of smooth drives, and their derivatives by parameters."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.custom_derivatives import SymbolicZero

from jaxrate.network.network import Network
from jaxrate.solve.block import Block
from jaxrate.solve.drive import Drive, driven_at
from jaxrate.solve.lanes import BLOCK_BYTES
from jaxrate.solve.motion import Motion, Moving
from jaxrate.solve.reading import at_moment, whole, with_path
from jaxrate.solve.rosenbrock import START, Integrator, Tolerance
from jaxrate.solve.status import Status

LANES = 1024
"""Lanes in a block: several times as many as there are places, so that few places are empty at its end."""

PATH_BYTES = 2**26
"""Memory of the paths of a block at most."""

SMALLEST_FRACTION, SMALLEST_PHOTONS = 1e-10, 1e-3
"""Population of a level, and number of photons, below which an error counts as one of that."""


def lane_bytes(network: Network, num_times: int) -> int:
    """Memory that makes blocks of as many lanes as are wanted."""
    path = 16 * len(network.populations) * num_times
    return max(BLOCK_BYTES // LANES, path * BLOCK_BYTES // PATH_BYTES)


def smallest(network: Network) -> tuple[float, ...]:
    """Population of each below which an error counts as one of that; 0 of a reservoir, which has no natural scale."""
    return tuple(
        SMALLEST_PHOTONS if p.is_photons else 0.0 if p.species is None else SMALLEST_FRACTION
        for p in network.populations
    )


def path(
    block: Block,
    start: Array,
    legal: Array,
    drive: Drive,
    tolerance: Tolerance,
    num_times: int,
    moving_times: bool = False,
) -> tuple[dict[str, Array], Array]:
    """Observables by name, with the axis of times behind their own, and status (lane,).

    Args:
        block: What is solved; times and marks, each with an infinite one at the end, follow its parameters in `base`.
        start: Populations to start from, shape (population, lane).
        legal: Which lanes they are right of, shape (lane,) or ().
        drive: Parameters that change in time.
        tolerance: What a step may miss.
        num_times: Number of output times.
        moving_times: Whether derivatives by the times are wanted.
    """
    motion, names = Motion(block.network, drive), len(block.network.names)
    times, last = block.base[names : names + num_times], names + num_times + 1
    fixed = lax.stop_gradient(block.base), block.wanted & legal

    def solved(fixed: tuple[Array, Array], varied: Mapping[str, Array], start: Array) -> tuple[Array, Array]:
        base, wanted = fixed
        marks = base[last:][: num_marks(block, num_times)]
        how = Integrator(motion, tolerance, base, base[names:last], marks)
        inputs = motion.inputs(block.network.parameters(base, varied), varied, wanted.shape[0])
        n, status, _ = how.path({**inputs, START: start}, wanted)
        return n, status

    n, status = by_forward_mode(solved)(fixed, block.parameters.varied, start)
    if moving_times:
        inputs = motion.inputs(block.parameters, block.parameters.varied, block.way.lanes)
        n = n + _speed(motion.at(fixed[0], inputs), n, times) * _shift(times)
    return _read(block, n, times, drive), jnp.where(legal, status, jnp.int8(Status.BAD_INPUT))


def _shift(times: Array) -> Array:
    """Zero, whose derivative by the times is one: a population changes with its output time as with time itself."""
    return (times - lax.stop_gradient(times))[None, :, None]


def _speed(moving: Moving, n: Array, times: Array) -> Array:
    """Rates of change at all times, shape (population, time, lane)."""
    at = jax.vmap(lambda n, t: moving.rate_of_change(jnp.broadcast_to(t, n.shape[1:]), n), (1, 0), 1)
    return lax.stop_gradient(at(n, times))


def num_marks(block: Block, num_times: int) -> int:
    """Marks in `base`, that at infinity included."""
    shared = len(block.network.populations) if block.start is None else 0
    return len(block.further) - num_times - 1 - shared


def _read(block: Block, n: Array, times: Array, drive: Drive) -> dict[str, Array]:
    """Observables of every moment, then those of the whole path."""

    def read(n: Array, time: Array) -> dict[str, Any]:
        at = driven_at(drive, block.network, block.parameters, jnp.broadcast_to(time, n.shape[1:]))
        return at_moment(block, n, block.parameters.exchange(at), with_path(block))

    found = jax.vmap(read, in_axes=(1, 0))(n, times)
    return whole(block, {name: jnp.moveaxis(x, 0, -2) for name, x in found.items()}, times, drive)


def by_forward_mode(solved: Callable[..., tuple[Array, Array]]) -> Callable[..., tuple[Array, Array]]:
    """The same function, whose derivatives are computed forward whatever mode asks for them.

    Lanes do not know each other, so its Jacobian is one number a lane for each parameter and each result. With it the
    rest is linear, which JAX can transpose; a loop whose number of turns is not known it cannot.

    Args:
        solved: Of what is fixed, and of a dictionary of parameters and the start, each (..., lane), which it is
            differentiated by.
    """
    function = jax.custom_jvp(_precise(solved))

    @_precise
    def pushed(primals: tuple, tangents: tuple) -> tuple:
        fixed, *moving = primals
        leaves, tree = jax.tree.flatten(tuple(moving))
        slopes = jax.tree.leaves(tangents[1:], is_leaf=lambda t: isinstance(t, SymbolicZero))
        which = [i for i, t in enumerate(slopes) if not isinstance(t, SymbolicZero)]

        def of(*some: Array) -> tuple[Array, Array]:
            every = list(leaves)
            for i, x in zip(which, some, strict=True):
                every[i] = x
            return solved(fixed, *jax.tree.unflatten(tree, every))

        return _linear(of, [leaves[i] for i in which], [slopes[i] for i in which])

    function.defjvp(pushed, symbolic_zeros=True)
    return function


def _precise(function: Callable) -> Callable:
    """The same in float64, also when JAX comes back to it after the block has been left."""

    @wraps(function)
    def precise(*arguments: Any) -> Any:
        with jax.enable_x64(True):
            return function(*arguments)

    return precise


def _linear(of: Callable, inputs: list[Array], tangents: list[Array]) -> tuple:
    """Values, and tangents by the Jacobian, of which the same run computes a column for each row of the inputs."""
    if not inputs:
        n, status = of()
        return (n, status), (jnp.zeros_like(n), np.zeros(status.shape, jax.dtypes.float0))
    given = jnp.concatenate([tangent.reshape(-1, tangent.shape[-1]) for tangent in tangents])

    def pushed(units: list[Array]) -> tuple:
        (n, status), (column, _) = jax.jvp(of, tuple(inputs), tuple(units))
        return n, status, column

    n, status, columns = jax.vmap(pushed, out_axes=(None, None, 0))(_units(inputs, len(given)))
    total = jnp.sum(columns * given[:, None, None, :], axis=0)
    return (n, status), (total, np.zeros(status.shape, jax.dtypes.float0))


def _units(inputs: list[Array], num: int) -> list[Array]:
    """Tangents that move one row of the inputs each, shape (row, *input)."""
    found, first = [], 0
    for x in inputs:
        rows = x.size // x.shape[-1]
        unit = jnp.eye(num, rows, -first, dtype=x.dtype)[:, :, None] * jnp.ones(x.shape[-1], x.dtype)
        found.append(unit.reshape(num, *x.shape))
        first += rows
    return found
