"""The kernel that every door runs: check the inputs of each lane, solve, read results off the solution."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax.numpy as jnp
from jax import Array

from jaxrate.network.coefficients import Parameters
from jaxrate.network.network import Network
from jaxrate.solve.batch import read_batch
from jaxrate.solve.lanes import run
from jaxrate.solve.solution import Solution
from jaxrate.solve.status import Status

Observable = Callable[[Solution], Any]
"""A pure function of a solution; shape (*core, lane) from populations (level, lane)."""


class Solver(Protocol):
    """How populations are found."""

    def check(self, network: Network) -> None:
        """Refuse a network it cannot solve."""
        ...

    def lane_bytes(self, network: Network) -> int:
        """Memory of one lane."""
        ...

    def solve(self, network: Network, parameters: Parameters, lanes: int) -> tuple[Array, Array]:
        """Populations (level, lane) and status (lane,)."""
        ...


@dataclass(frozen=True)
class Program:
    """Solve a block of lanes and read results off it; the kernel of `steady_state` and of every experiment.

    Args:
        network: The model as reactions.
        solver: How it is solved.
        observables: (name, function of a Solution).
    """

    network: Network
    solver: Solver
    observables: tuple[tuple[str, Observable], ...] = field(default=())

    @property
    def lane_bytes(self) -> int:
        """Memory of one lane."""
        return self.solver.lane_bytes(self.network)

    def __call__(self, base: Array, block: Mapping[str, Array], lanes: int) -> dict[str, Array]:
        """Results by name, shapes (*core, lane), NaN where `status` is not 0; and `status`."""
        varied, legal = legal_values(self.network, base, block, lanes)
        parameters = self.network.parameters(base, varied)
        populations, status = self.solver.solve(self.network, parameters, lanes)
        status = jnp.where(legal, status, jnp.int8(Status.BAD_INPUT))
        solution = Solution(populations, status, parameters, self.network)
        solved = status == Status.OK
        read = {name: jnp.asarray(function(solution)) for name, function in self.observables}
        results = {n: jnp.where(solved, jnp.broadcast_to(r, (*r.shape[:-1], lanes)), jnp.nan) for n, r in read.items()}
        return {**results, "status": status}


def legal_values(network: Network, base: Array, block: Mapping[str, Array], lanes: int) -> tuple[dict, Array]:
    """Values with those of bad lanes replaced by the model's own, and which lanes are good.

    Replaced before the solve, so that nothing a bad lane does reaches its neighbours, in values or derivatives.
    """
    legal = jnp.ones(lanes, bool)
    for name, x in block.items():
        legal = legal & _in_domain(network.domain[name], x)
    return {name: jnp.where(legal, x, base[network.order[name]]) for name, x in block.items()}, legal


def _in_domain(domain: str, x: Array) -> Array:
    lowest = {"positive": x > 0, "nonnegative": x >= 0, "finite": x > -jnp.inf}[domain]
    return lowest & (x < jnp.inf)


def solve(network: Network, solver: Solver, theta: Mapping[str, Any], precision: str | None = None) -> Solution:
    """Populations of every ensemble of a batch."""
    solver.check(network)
    network.check_names(theta)
    results = run(
        Program(network, solver, (("populations", _populations),)), network.base, read_batch(theta, None, precision)
    )
    parameters = {**network.model.parameters(), **theta}
    return Solution(results["populations"], results["status"], parameters, network)


def _populations(solution: Solution) -> Array:
    return solution.populations
