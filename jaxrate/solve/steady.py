"""Steady states."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxrate.model.model import Model
from jaxrate.network.coefficients import Parameters
from jaxrate.network.compile import compile_network
from jaxrate.network.dynamics import by_reaction
from jaxrate.network.network import Network
from jaxrate.solve import equilibrium
from jaxrate.solve.batch import Batch
from jaxrate.solve.block import Block
from jaxrate.solve.classes import KEPT, are_needed, by_class, check_holes, check_number, kept, one_class
from jaxrate.solve.lanes import FEWEST_LANES, run
from jaxrate.solve.linalg import UNROLLED, is_strongly_connected, stationary
from jaxrate.solve.program import Program, batch_of, populations
from jaxrate.solve.rates import checked_rates, is_linear
from jaxrate.solve.solution import Solution
from jaxrate.solve.start import is_legal_start, read_start
from jaxrate.solve.status import Status


@dataclass(frozen=True)
class Steady:
    """Solver of steady states: exact elimination, species by species, of linear networks; a search of any other.

    Args:
        start: Where the search of a nonlinear network starts: "cold", dark and in the ground state; "hot", bright and
            saturated; {"level": fraction, "cavity": photons}; or a `Solution`. By default both cold and hot, and an
            ensemble in which they lead to different states gets the status `BISTABLE`.
        classes: Number of classes of velocity or of sites in which an inhomogeneous line is solved that narrow light
            burns a hole in: 200. The line is a `jr.Voigt`, of which `fwhm_lorentzian` is the width of one class. Atoms
            keep their class, all light runs in one direction, and classes of velocity are those of every Doppler line
            of the species. Too few of them for the width give the status `UNRESOLVED`.

    Raises:
        ValueError: narrow light meets an inhomogeneous line and no `classes` are stated, or the line has no homogeneous
            width, or a process couples its classes; a start that names no population.
    """

    start: Literal["cold", "hot"] | Mapping[str, Any] | Solution | None = field(default=None, compare=False)
    classes: int | None = None
    search: str = field(init=False)
    axis = None

    def __post_init__(self) -> None:
        named = self.start is None or isinstance(self.start, str)
        if isinstance(self.start, str) and self.start not in ("cold", "hot"):
            raise ValueError(
                f"`start` must be 'cold', 'hot', {{'cavity': photons}} or a Solution, but {self.start!r} was given."
            )
        check_number(self.classes)
        object.__setattr__(self, "search", (self.start or "both") if named else "given")

    def stated(self, model: Model) -> Model:
        """The model itself."""
        return model

    def check(self, network: Network) -> None:
        """Refuse what it cannot solve."""
        check_holes(network, self.classes)
        self._given(network)

    def check_names(self, network: Network, given: Collection[str]) -> None:
        """Any parameter may vary."""
        network.check_names(given)

    def base(self, network: Network) -> Any:
        """Values of the parameters, and the start where all lanes share it."""
        start = self._given(network)
        return network.base if start is None or start.ndim > 1 else np.concatenate([network.base, np.asarray(start)])

    def begin(self, network: Network) -> Any:
        """Populations that the search starts from, where they differ from lane to lane."""
        start = self._given(network)
        return start if start is not None and start.ndim > 1 else None

    def _given(self, network: Network) -> Any:
        start = self.start
        return None if start is None or isinstance(start, str) or is_linear(network) else read_start(start, network)

    def lane_bytes(self, network: Network) -> int:
        """Memory one lane needs while it is solved: what the size of a block follows from."""
        if are_needed(network, self.classes):
            return (self.classes or 1) * self._one_class.lane_bytes(network)
        n, r = network.num_levels, len(network.reactions)
        if not is_linear(network):
            return equilibrium.lane_bytes(network)
        return 8 * (r + 3 * n) if n <= UNROLLED else 8 * (3 * (n + 1) ** 2 + r)

    def solve(self, network: Network, parameters: Parameters, lanes: int) -> tuple[Array, Array]:
        """Populations (population, lane) and status (lane,); where that is not 0 the populations are arbitrary."""
        if not is_linear(network):
            return equilibrium.steady(network, parameters, "both", None, jnp.ones(lanes, bool))
        groups, legal = checked_rates(network, parameters)
        populations, classes = _populations(network, by_reaction(network, groups, lanes), lanes, tame=False)
        return populations, _status(populations, legal, classes)

    def results(self, block: Block) -> tuple[dict[str, Array], Array]:
        """Observables of the steady state, and status (lane,)."""
        if self.classes is not None and are_needed(block.network, self.classes):
            return by_class(block, self.classes, self._one_class.results)
        if is_linear(block.network):
            populations, status = self.solve(block.network, block.parameters, block.way.lanes)
        else:
            populations, status = self._searched(block)
        return block.read(Solution(populations, status, block.parameters, block.network)), status

    def _searched(self, block: Block) -> tuple[Array, Array]:
        network, start, legal = block.network, block.start, jnp.asarray(True)
        if start is not None:
            legal = is_legal_start(start, network)
            start = jnp.where(legal, start, 1.0 / len(network.populations))
        elif self.search == "given":
            start = jnp.broadcast_to(block.further[:, None], (len(network.populations), block.way.lanes))
        n, status = equilibrium.steady(network, block.parameters, self.search, start, block.wanted & legal)
        return n, jnp.where(legal, status, jnp.int8(Status.BAD_INPUT))

    @property
    def _one_class(self) -> "Steady":
        """The solver of one class, or of a line as a whole."""
        return replace(self, classes=None)

    def fewest_lanes(self, network: Network) -> int:
        """Lanes in a block at least."""
        return FEWEST_LANES

    def blocks_per_call(self, network: Network) -> int | None:
        """Blocks of one call, where they are long work by themselves."""
        return None if is_linear(network) else 1

    def method(self, network: Network) -> str:
        """How the network is solved."""
        how = "exact elimination" if is_linear(network) else "implicit steps and Newton's method"
        return f"{how}, {self.classes} classes" if are_needed(network, self.classes) else how

    def has_legal_rates(self, network: Network, parameters: Parameters) -> Array:
        """Which lanes have rates that are numbers: legal parameters may still overflow when they are multiplied."""
        return checked_rates(network, parameters)[1]

    def has_short_way(self, network: Network, base: np.ndarray, batch: Batch) -> bool:
        """Whether it is a small network whose reactions connect all levels, none of them dark in every lane."""
        if not is_linear(network) or are_needed(network, self.classes):
            return False
        connected = all(
            len(levels) <= UNROLLED and is_strongly_connected(_pairs(network, levels, members), len(levels))
            for levels, members in chains(network)
        )
        return connected and all(TAME[0] <= rate < TAME[1] for rate in _shared_rates(network, base, batch))

    def short_results(self, block: Block) -> tuple[dict[str, Array], Array]:
        """Observables of lanes with all rates far from zero and infinity, and which lanes these are.

        No level absorbs in them and nothing overflows, so that the elimination needs no case distinction.
        """
        network, lanes = block.network, block.way.lanes
        groups = network.coefficients(block.parameters)
        wild = jnp.asarray(0, jnp.uint64)
        for members, rate in groups:
            distance = _distance(rate)
            wild = wild | (distance if len(members) == 1 else lax.reduce_or(distance, (0,)))
        populations, _ = _populations(network, by_reaction(network, groups, lanes), lanes, tame=True)
        status = jnp.zeros(lanes, jnp.int8)
        return block.read(Solution(populations, status, block.parameters, network)), wild < _SPAN


TAME = (2.0**-64, 2.0**64)
"""Rates [s^-1] of which no product over the levels of an unrolled elimination leaves the range of float64."""
_LOWEST, _SPAN = (np.uint64(v) for v in (np.float64(TAME[0]).view(np.uint64), 128 << 52))


def _shared_rates(network: Network, base: np.ndarray, batch: Batch) -> list[float]:
    """Rates that are the same in every lane of a batch: those of a beam that is off, for example."""
    shared, varied = batch.shared(), frozenset(batch.arrays)
    parameters = network.parameters(base, shared)
    with np.errstate(all="ignore"):
        return [float(rate) for rate in network.rates_without(varied - set(shared), parameters)]


def _distance(rate: Array) -> Array:
    """Distance of the bits of a rate from those of the lowest tame one.

    Below a power of two for tame rates, at least that for any other (below, above, negative, NaN), so that the
    distances of many rates are or-ed and compared once.
    """
    return lax.bitcast_convert_type(rate, jnp.uint64) - _LOWEST


def _populations(network: Network, rates: Any, lanes: int, tame: bool) -> tuple[Array, Array]:
    """Populations of every species, and the number of recurrent classes of the one that has most."""
    populations, classes = jnp.zeros((network.num_levels, lanes)), jnp.ones(lanes, jnp.int32)
    for levels, members in chains(network):
        part, found = stationary(_pick(rates, members), _pairs(network, levels, members), len(levels), lanes, tame)
        populations = part if len(levels) == network.num_levels else populations.at[jnp.asarray(levels)].set(part)
        classes = jnp.maximum(classes, found)
    return populations, classes


def _pairs(network: Network, levels: list[int], members: list[int]) -> list[tuple[int, int]]:
    """(to, from) of reactions, as positions among the levels of their species."""
    local = {level: i for i, level in enumerate(levels)}
    return [(local[r.products[0]], local[r.reactants[0]]) for r in (network.reactions[m] for m in members)]


def _status(populations: Array, legal: Array, classes: Array) -> Array:
    held = jnp.isfinite(jnp.sum(populations, axis=0))
    status = jnp.where(classes > 1, Status.NOT_UNIQUE, jnp.where(held, Status.OK, Status.OUT_OF_RANGE))
    return jnp.where(legal, status, Status.BAD_INPUT).astype(jnp.int8)


def chains(network: Network) -> list[tuple[list[int], list[int]]]:
    """Levels and reactions of each species: in a linear network they are independent."""
    species = [p.species for p in network.populations]
    found = []
    for s in dict.fromkeys(species):
        levels = [i for i, other in enumerate(species) if other == s]
        found.append((levels, [r for r, x in enumerate(network.reactions) if x.reactants[0] in levels]))
    return found


def _pick(rates: Any, members: list[int]) -> Any:
    return [rates[m] for m in members] if isinstance(rates, list) else rates[jnp.asarray(members)]


def steady_state(
    model: Model,
    theta: Mapping[str, Any] | None = None,
    *,
    start: Literal["cold", "hot"] | Mapping[str, Any] | Solution | None = None,
    classes: int | None = None,
    precision: Literal["float64", "float32"] | None = None,
) -> Solution:
    r"""Steady-state populations of every ensemble of a batch.

    $0 = \sum_r \nu_{ir} R_r(n, \theta)$ with the populations of each species summing to one.

    Args:
        model: The medium.
        theta: Parameter values in SI units by name; arrays broadcast by NumPy's rules and their common shape is the
            batch. Names not given keep the model's values.
        start: Where the search starts if the model is not linear; see `jr.Steady`.
        classes: Number of classes of inhomogeneous lines; see `jr.Steady`. The solution keeps the populations of each.
        precision: Of the results for NumPy arrays, float64 by default; JAX arrays decide themselves.

    Returns:
        A `Solution`: populations of shape (population, *batch), NaN where its `status` is not 0. NumPy arrays in,
        NumPy arrays out; JAX arrays or tracers in, JAX arrays out.

    Raises:
        ValueError: an unknown name (the nearest is proposed), shapes that do not broadcast (both are named), or narrow
            light on an inhomogeneous line without `classes`.
    """
    network, given, solver = compile_network(model), theta or {}, Steady(start, classes)
    solver.check(network)
    holes = are_needed(network, classes)
    read = (("populations", populations), *(KEPT if holes else ()))
    found = run(Program(network, solver, read), solver.base(network), batch_of(network, solver, given, precision))
    parameters, method = {**model.parameters(), **given}, solver.method(network)
    inside = kept(found, False) if holes else None
    own = one_class(network) if holes else network
    return Solution(found["populations"], found["status"], parameters, own, method=method, classes=inside)
