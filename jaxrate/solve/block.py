"""A block of lanes to be solved, and how results are read off its populations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxrate.network.coefficients import Parameters
from jaxrate.network.network import Network
from jaxrate.solve.lanes import Way
from jaxrate.solve.solution import Solution

Observable = Callable[[Solution], Any]
"""A pure function of a solution; shape (*core, lane) from populations (level, lane)."""

START = " start"
"""Name of the populations to start from, where they differ from lane to lane. No parameter's name begins so."""


@dataclass(frozen=True)
class Block:
    """What a solver gets.

    Attributes:
        network: The model as reactions.
        parameters: Legal values of its parameters.
        base: Values that all lanes share: the parameters, then what the solver put there.
        start: Populations to start from, shape (level, lane), where they differ from lane to lane.
        observables: (name, function of a Solution).
        way: How to work.
        wanted: Which lanes to solve, shape (lane,); what is found for the others is thrown away.
    """

    network: Network
    parameters: Parameters
    base: Array
    start: Array | None
    observables: tuple[tuple[str, Observable], ...]
    way: Way
    wanted: Array

    def read(self, solution: Solution, observables: tuple[tuple[str, Observable], ...] | None = None) -> dict[str, Any]:
        """Observables of a solution by name, shapes (*core, lane)."""
        wanted = self.observables if observables is None else observables
        return {name: self._spread(jnp.asarray(function(solution))) for name, function in wanted}

    def _spread(self, value: Array) -> Array:
        value = value if jnp.issubdtype(value.dtype, jnp.floating) else value.astype(jnp.float64)
        return jnp.broadcast_to(value, (*value.shape[:-1], self.way.lanes))

    @property
    def further(self) -> Array:
        """What the solver put behind the parameters in `base`."""
        return self.base[len(self.network.names) :]


def is_pointwise(function: Observable) -> bool:
    """Whether it reads one moment at a time; any other function gets a whole path."""
    return getattr(function, "pointwise", False)


def parameters_of(block: Mapping[str, Array]) -> dict[str, Array]:
    """The parameters of a block that vary; names of other things in it begin with a blank."""
    return {name: x for name, x in block.items() if not name.startswith(" ")}
