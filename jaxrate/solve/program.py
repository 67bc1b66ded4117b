"""The kernel that every door runs: check the inputs of each lane, solve, read results off the solution."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.network.coefficients import Parameters
from jaxrate.network.network import Network
from jaxrate.solve.batch import Batch, read_batch
from jaxrate.solve.lanes import UNDECIDED, run
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

    def has_legal_rates(self, network: Network, parameters: Parameters) -> Array:
        """Which lanes have no rate that is NaN, infinite or negative, shape (lane,) or ()."""
        ...

    def has_short_way(self, network: Network, base: np.ndarray, batch: Batch) -> bool:
        """Whether it has straight-line code that any lane of this batch may be for."""
        ...

    def solve_tame(self, network: Network, parameters: Parameters, lanes: int) -> tuple[Array, Array]:
        """Populations (level, lane) by that code, and which lanes it is right for, shape (lane,) or ()."""
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

    def has_short_way(self, base: np.ndarray, batch: Batch) -> bool:
        """Whether it has straight-line code that any lane of this batch may be for."""
        return self.solver.has_short_way(self.network, base, batch)

    def __call__(self, base: Array, block: Mapping[str, Array], lanes: int, short: bool) -> dict[str, Array]:
        """Results by name, shapes (*core, lane), NaN where `status` is not 0; and `status`."""
        return self._short(base, block, lanes) if short else self._careful(base, block, lanes)

    def _short(self, base: Array, block: Mapping[str, Array], lanes: int) -> dict[str, Array]:
        """Right for lanes with legal parameters and tame rates, whose status is OK; the others are UNDECIDED."""
        parameters = self.network.parameters(base, block)
        populations, tame = self.solver.solve_tame(self.network, parameters, lanes)
        others = {name: x for name, x in block.items() if name not in self.network.checked_as_rates}
        good = jnp.broadcast_to(legal_lanes(self.network, others) & tame, (lanes,))
        status = jnp.where(good, Status.OK, UNDECIDED).astype(jnp.int8)
        return {**self._read(Solution(populations, status, parameters, self.network), lanes), "status": status}

    def _careful(self, base: Array, block: Mapping[str, Array], lanes: int) -> dict[str, Array]:
        """The way for blocks in which a lane may be bad."""
        legal = legal_lanes(self.network, block)
        varied = _or_base(self.network, base, block, legal)
        legal = legal & self.solver.has_legal_rates(self.network, self.network.parameters(base, varied))
        parameters = self.network.parameters(base, _or_base(self.network, base, block, legal))
        populations, status = self.solver.solve(self.network, parameters, lanes)
        status = jnp.where(legal, status, jnp.int8(Status.BAD_INPUT))
        read = self._read(Solution(populations, status, parameters, self.network), lanes)
        solved = status == Status.OK
        return {**{name: jnp.where(solved, value, jnp.nan) for name, value in read.items()}, "status": status}

    def _read(self, solution: Solution, lanes: int) -> dict[str, Array]:
        read = {name: jnp.asarray(function(solution), jnp.float64) for name, function in self.observables}
        return {name: jnp.broadcast_to(value, (*value.shape[:-1], lanes)) for name, value in read.items()}


def legal_lanes(network: Network, block: Mapping[str, Array]) -> Array:
    """Which lanes have every parameter in its domain, shape (lane,), or () if none varies."""
    legal = jnp.asarray(True)
    for name, x in block.items():
        legal = legal & _in_domain(network.domain[name], x)
    return legal


def _or_base(network: Network, base: Array, block: Mapping[str, Array], good: Array) -> dict[str, Array]:
    """Values with those of bad lanes replaced by the model's own.

    Replaced before the solve, so that nothing a bad lane does reaches its neighbours, in values or derivatives.
    """
    return {name: jnp.where(good, x, base[network.order[name]]) for name, x in block.items()}


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
