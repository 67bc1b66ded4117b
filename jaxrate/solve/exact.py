"""Paths in time of linear networks: exact from one time to the next, however far apart they are."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxrate.network.coefficients import Parameters
from jaxrate.network.dynamics import by_reaction
from jaxrate.network.network import Network
from jaxrate.solve import adjoint
from jaxrate.solve.block import Block
from jaxrate.solve.drive import Drive, driven
from jaxrate.solve.propagator import Generator, applied, at_times, generator, product, propagator
from jaxrate.solve.rates import checked_rates
from jaxrate.solve.reading import at_moment, whole, with_path
from jaxrate.solve.stages import Stage
from jaxrate.solve.status import Status

CACHE_SHARE = 60
"""How many times a rate matrix in float64 is counted: so many lanes to a block that three of them stay in the
first-level cache, which is a twenty-fourth of the memory of a block."""

FEWEST_LANES = 8
"""A vector of the widest processors: the matrices of twenty levels are then still in the second-level cache."""

STRIDE = 4
"""Evenly spaced times computed together, each from the same populations."""

ROWS = 16
"""Up to so many rows of an observable, populations for one, are kept apart until the end of the path: those that
nobody reads, as a function of the whole path may, are then not kept at all."""

FLOAT32_STEPS = 128
"""Steps whose rounding errors in float32 may add up."""


def lane_bytes(network: Network, stages: tuple[Stage, ...]) -> int:
    """Memory of one lane: of its matrices, and of its path where all times are computed at once."""
    n = network.num_levels
    path = max((stage.size for stage in stages if not stage.uniform), default=0)
    return 8 * max(CACHE_SHARE * n**2, 3 * n * path)


def has_legal_rates(network: Network, parameters: Parameters, drive: Drive, stages: tuple[Stage, ...]) -> Array:
    """Which lanes have rates that are numbers, in every segment."""
    legal = jnp.asarray(True)
    for stage in stages:
        legal = legal & checked_rates(network, at_stage(stage, drive, network, parameters), bool(drive))[1]
    return legal


def at_stage(stage: Stage, drive: Drive, network: Network, parameters: Parameters) -> Parameters:
    """Parameters in a stage."""
    found = driven(drive, network, parameters, stage.begins)
    return parameters.exchange({name: jnp.asarray(value) for name, value in found.items()})


def path(
    block: Block, start: Array, legal: Array, drive: Drive, stages: tuple[Stage, ...]
) -> tuple[dict[str, Array], Array]:
    """Observables by name, with the axis of times behind their own, and status (lane,).

    Args:
        block: What is solved; the times of all stages follow its parameters in `base`.
        start: Populations to start from, shape (level, lane).
        legal: Which lanes they are right of, shape (lane,) or ().
        drive, stages: What changes in time.
    """
    n, reached, place, found, moments = start, legal, 0, [], []
    for stage in stages:
        parameters = at_stage(stage, drive, block.network, block.parameters)
        K = _generator(block, parameters)
        times = block.further[place : place + stage.size]
        n, read = _passed(K, n, times, stage, _reader(block, parameters))
        reached, place = reached & K.reaches(times[-1]), place + stage.size
        found += [read] if stage.num else []
        moments.append(stage.begins + times[: stage.num])
    joined = {name: _joined([read[name] for read in found]) for name in found[0]}
    held = jnp.isfinite(jnp.sum(n, axis=0)) & reached
    status = jnp.where(legal, jnp.where(held, Status.OK, Status.OUT_OF_RANGE), Status.BAD_INPUT)
    return whole(block, joined, jnp.concatenate(moments), drive), status.astype(jnp.int8)


def _generator(block: Block, parameters: Parameters) -> Generator:
    network, lanes = block.network, block.way.lanes
    rates = by_reaction(network, checked_rates(network, parameters, every=True)[0], lanes)
    pairs = [(r.products[0], r.reactants[0]) for r in network.reactions]
    return generator(rates, pairs, network.num_levels, block.way)


Read = Callable[[Array], dict[str, Any]]
"""Observables of one moment, from populations (level, lane); few rows apart, as lists of arrays."""


def _reader(block: Block, parameters: Parameters) -> Read:
    def read(n: Array) -> dict[str, Any]:
        found = at_moment(block, n, parameters, with_path(block))
        return {name: list(value) if value.ndim > 1 and len(value) <= ROWS else value for name, value in found.items()}

    return read


def _passed(K: Generator, n: Array, times: Array, stage: Stage, read: Read) -> tuple[Array, dict[str, Array]]:
    """Populations at the end of a stage, and what is read in it, shapes (time, *core, lane)."""
    if stage.uniform:
        return _uniform(K, n, times, stage, read)
    path = at_times(K, n, times)
    return path[:, -1], jax.vmap(read, in_axes=1)(path[:, : stage.num])


def _uniform(K: Generator, n: Array, times: Array, stage: Stage, read: Read) -> tuple[Array, dict[str, Array]]:
    """By the first powers of one propagator, again and again."""
    precise = n.dtype if stage.size <= FLOAT32_STEPS else jnp.float64
    X, n = propagator(K, times[-1] / (stage.size - stage.from_start)).astype(precise), n.astype(precise)
    if K.way.mode == "reverse":
        path: Any = adjoint.stepped_back(X, n, stage.size - stage.from_start)
        moments = jnp.concatenate([n[None], path]) if stage.from_start else path
        return moments[-1], jax.vmap(read)(moments[: stage.num])

    powers = [X]
    while len(powers) < min(STRIDE, stage.num // 2):
        powers.append(product(K, X, powers[-1]))

    def stride(n: Array, _: None) -> tuple[Array, dict[str, Array]]:
        after = [applied(K, power, n) for power in powers]
        moments = [n, *after[:-1]] if stage.from_start else after
        return after[-1], jax.tree.map(lambda *values: jnp.stack(values), *(read(moment) for moment in moments))

    n, found = jax.lax.scan(stride, n, None, length=stage.num // len(powers))
    found = jax.tree.map(lambda value: value.reshape(-1, *value.shape[2:]), found)
    for _ in range(stage.num % len(powers)):
        n, before = applied(K, X, n), n
        last = read(before if stage.from_start else n)
        found = jax.tree.map(lambda value, last: jnp.concatenate([value, last[None]]), found, last)
    return applied(K, X, n) if stage.goes_on and not stage.from_start else n, found


def _joined(parts: Sequence[Any]) -> Array:
    """Stages one after the other, (time, *core, lane) as (*core, time, lane), and rows together."""
    if isinstance(parts[0], list):
        return jnp.stack([_joined(rows) for rows in zip(*parts, strict=True)])
    whole = parts[0] if len(parts) == 1 else jnp.concatenate(parts)
    return jnp.moveaxis(whole, 0, -2)
