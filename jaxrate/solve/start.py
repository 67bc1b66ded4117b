"""What a path in time starts from."""

from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxrate.arrays import check_broadcast, namespace
from jaxrate.model.levels import Level
from jaxrate.model.model import Model
from jaxrate.names import shown
from jaxrate.network.network import Network
from jaxrate.solve.solution import Solution

Start = Literal["ground"] | Mapping[str, Any] | Solution
"""The ground state, populations by name, or a solution; of a path its last time."""

ROUNDING = 1e-5
"""What fractions given by hand may miss 1 by."""


def read_start(start: Start, network: Network) -> Any:
    """Populations to start from, shape (population,) or (population, *batch).

    Raises:
        ValueError: it names no level, does not sum to one in each species, or is of another model.
    """
    if isinstance(start, Solution):
        return _last(start, network)
    if isinstance(start, Mapping):
        return _stated(start, network)
    if isinstance(start, str) and start == "ground":
        return _ground(network)
    raise ValueError(f"`start` must be 'ground', {{'level': fraction}} or a Solution, but {shown(start)} was given.")


def _ground(network: Network) -> np.ndarray:
    """Everything in the lowest level of each species, reservoirs and cavities empty."""
    n = np.zeros(len(network.populations))
    for species in network.model.species:
        n[_lowest(network, species)] = 1.0
    return n


def _lowest(network: Network, species: str | None) -> int:
    """Position of the level of least energy of a species."""
    level, known = ground_level(network.model, species)
    if not known:
        raise ValueError(
            "The ground state is the level of least energy, but not every level states its `energy`: state them, "
            f"or start from {{'{level.full_name}': 1.0}}."
        )
    return network.model.index(level.full_name)


def ground_level(model: Model, species: str | None) -> tuple[Level, bool]:
    """The level of least energy of a species and True; the first and False where not every level states its energy."""
    own = [level for level in model.levels if level.species == species]
    known = all(level.joules is not None for level in own)
    return (min(own, key=lambda level: level.joules or 0.0) if known else own[0]), known


def _stated(start: Mapping[str, Any], network: Network) -> Any:
    """Fractions by level, densities of reservoirs, numbers of photons; what is not named is empty.

    A species none of whose levels is named is in its ground state.
    """
    given = {network.model.position(name, "start"): name for name in start}
    unnamed = [name for name, own in _of_species(network) if start and not given.keys() & set(own.tolist())]
    dark = {_lowest(network, name) for name in unnamed}
    arrays = {n: x if isinstance(x, jax.Array) else np.asarray(x, float) for n, x in start.items()}
    check_broadcast(**arrays)
    xp, shape = namespace(*arrays.values()), np.broadcast_shapes(*map(np.shape, arrays.values()))
    rows = [arrays[given[i]] if i in given else float(i in dark) for i in range(len(network.populations))]
    n = xp.stack([xp.broadcast_to(xp.asarray(row), shape) for row in rows])
    return n if np.ndim(n) > 1 or isinstance(n, Tracer) else _whole(np.asarray(n), start, network)


def _whole(n: np.ndarray, start: Mapping[str, Any], network: Network) -> np.ndarray:
    """Numbers, checked here, fractions made to sum to 1; what is wrong in a lane of an array is that lane's status."""
    if not np.all((n >= 0) & np.isfinite(n)):
        raise ValueError(f"The populations of `start` must be zero or positive, but {shown(dict(start))} was given.")
    n = n.copy()
    for name, own in _of_species(network):
        total = float(np.sum(n[own]))
        if not abs(total - 1) <= ROUNDING:
            of = f" of {name}" if name else ""
            raise ValueError(f"The fractions of `start`{of} must sum to 1, but they sum to {total:.6g}.")
        n[own] /= total
    return n


def _of_species(network: Network) -> list[tuple[str | None, np.ndarray]]:
    """Name of each species, and positions of its levels."""
    numbers = np.array([-1 if p.species is None else p.species for p in network.populations])
    return [(name, np.flatnonzero(numbers == i)) for i, name in enumerate(network.model.species)]


def is_legal_start(start: jax.Array, network: Network) -> jax.Array:
    """Which lanes start from numbers from 0 on, fractions that sum to 1, shape (lane,)."""
    legal = jnp.all((start >= 0) & (start < jnp.inf), axis=0)
    for _, own in _of_species(network):
        legal = legal & (jnp.abs(jnp.sum(start[own], axis=0) - 1) <= ROUNDING)
    return legal


def _last(solution: Solution, network: Network) -> Any:
    of, wanted = solution.network.population_names, network.population_names
    if of != wanted:
        raise ValueError(f"`start` is a solution of {', '.join(of)}, but the model has {', '.join(wanted)}.")
    n = solution.populations if solution.times is None else solution.populations[:, -1]
    return n if isinstance(n, jax.Array) else np.asarray(n)
