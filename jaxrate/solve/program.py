"""The kernel that every door runs: check the inputs of each lane, solve, read results off the solution."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.model.model import Model
from jaxrate.network.coefficients import Parameters
from jaxrate.network.network import Network
from jaxrate.solve.batch import Batch, read_batch
from jaxrate.solve.block import START, Block, Observable, parameters_of
from jaxrate.solve.lanes import FILLING, UNDECIDED, Way, run
from jaxrate.solve.solution import Solution
from jaxrate.solve.status import Status


class Solver(Protocol):
    """How populations are found. Equal solvers share one compiled program."""

    @property
    def axis(self) -> tuple[str, Any, str] | None:
        """(name, values, unit) of the axis that it gives every observable; None where a lane has one state."""
        ...

    def stated(self, model: Model) -> Model:
        """The model with what the solver adds to it."""
        ...

    def check(self, network: Network) -> None:
        """Refuse a network it cannot solve."""
        ...

    def check_names(self, network: Network, given: Collection[str]) -> None:
        """Refuse to vary what is no parameter, proposing the nearest, or what the solver sets itself."""
        ...

    def base(self, network: Network) -> Any:
        """What all lanes share: values of the parameters, then what the solver needs itself."""
        ...

    def begin(self, network: Network) -> Any:
        """Populations to start from, shape (population, *batch), where they differ from lane to lane; else None."""
        ...

    def lane_bytes(self, network: Network) -> int:
        """Memory of one lane."""
        ...

    def fewest_lanes(self, network: Network) -> int:
        """Lanes in a block at least."""
        ...

    def blocks_per_call(self, network: Network) -> int | None:
        """Blocks of one call, where they are long work by themselves; else None."""
        ...

    def has_legal_rates(self, network: Network, parameters: Parameters) -> Array:
        """Which lanes have no rate that is NaN, infinite or negative, shape (lane,) or ()."""
        ...

    def results(self, block: Block) -> tuple[dict[str, Array], Array]:
        """Observables by name, shapes (*core, lane), and status (lane,); where that is not 0 they are arbitrary."""
        ...

    def has_short_way(self, network: Network, base: np.ndarray, batch: Batch) -> bool:
        """Whether it has straight-line code that any lane of this batch may be for."""
        ...

    def short_results(self, block: Block) -> tuple[dict[str, Array], Array]:
        """Observables by that code, and which lanes it is right for, shape (lane,) or ()."""
        ...


@dataclass(frozen=True)
class Program:
    """Solve a block of lanes and read results off it; the kernel of every solution and of every experiment.

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

    @property
    def fewest_lanes(self) -> int:
        """Lanes in a block at least."""
        return self.solver.fewest_lanes(self.network)

    @property
    def blocks_per_call(self) -> int | None:
        """Blocks of one call, where they are long work by themselves; else None."""
        return self.solver.blocks_per_call(self.network)

    @property
    def knows_filling(self) -> bool:
        """Whether it is told which lanes only fill up a block: one that is long work leaves them alone."""
        return self.blocks_per_call is not None

    def has_short_way(self, base: np.ndarray, batch: Batch) -> bool:
        """Whether it has straight-line code that any lane of this batch may be for."""
        return self.solver.has_short_way(self.network, base, batch)

    def __call__(self, base: Array, block: Mapping[str, Array], way: Way) -> dict[str, Array]:
        """Results by name, shapes (*core, lane), NaN where `status` is not 0; and `status`."""
        run = self._short if way.short else self._careful
        return run(base, parameters_of(block), block, way)

    def _short(self, base: Array, varied: dict[str, Array], block: Mapping[str, Array], way: Way) -> dict[str, Array]:
        """Right for lanes with legal parameters and tame rates, whose status is OK; the others are UNDECIDED."""
        results, tame = self.solver.short_results(self._block(base, varied, block, way, jnp.asarray(True)))
        others = {name: x for name, x in varied.items() if name not in self.network.checked_as_rates}
        good = jnp.broadcast_to(legal_lanes(self.network, others) & tame, (way.lanes,))
        return {**results, "status": jnp.where(good, Status.OK, UNDECIDED).astype(jnp.int8)}

    def _careful(self, base: Array, varied: dict[str, Array], block: Mapping[str, Array], way: Way) -> dict[str, Array]:
        """The way for blocks in which a lane may be bad."""
        legal = legal_lanes(self.network, varied)
        guarded = self.network.parameters(base, _or_base(self.network, base, varied, legal))
        legal = legal & self.solver.has_legal_rates(self.network, guarded)
        guarded = _or_base(self.network, base, varied, legal)
        results, status = self.solver.results(self._block(base, guarded, block, way, legal))
        status = jnp.where(legal, status, jnp.int8(Status.BAD_INPUT))
        solved = status == Status.OK
        return {**{name: jnp.where(solved, value, jnp.nan) for name, value in results.items()}, "status": status}

    def _block(
        self, base: Array, varied: dict[str, Array], block: Mapping[str, Array], way: Way, legal: Array
    ) -> Block:
        parameters, filling = self.network.parameters(base, varied), block.get(FILLING)
        wanted = jnp.broadcast_to(legal if filling is None else legal & (filling == 0), (way.lanes,))
        return Block(self.network, parameters, base, block.get(START), self.observables, way, wanted)


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


def batch_of(network: Network, solver: Solver, theta: Mapping[str, Any], precision: str | None = None) -> Batch:
    """The batch that a solver is run on: parameters, checked, and populations to start from.

    Raises:
        ValueError: an unknown name (the nearest is proposed), or shapes that do not broadcast (both are named).
    """
    theta = network.spread(theta)
    solver.check_names(network, theta)
    start = solver.begin(network)
    return read_batch(theta if start is None else {**theta, START: start}, {START: 1}, precision)


def solve(network: Network, solver: Solver, theta: Mapping[str, Any], precision: str | None = None) -> dict[str, Any]:
    """Populations and status of every ensemble of a batch."""
    solver.check(network)
    program = Program(network, solver, (("populations", populations),))
    return run(program, solver.base(network), batch_of(network, solver, theta, precision))


@dataclass(frozen=True)
class _Populations:
    """All populations, an observable of every moment."""

    pointwise: bool = True

    def __call__(self, solution: Solution) -> Array:
        return solution.populations


populations = _Populations()
