"""Populations in time: exact where the network is linear and what drives it is piecewise constant, else by steps."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from jaxrate.model.model import Model
from jaxrate.model.quantities import follows_populations
from jaxrate.names import shown, unknown
from jaxrate.network.coefficients import Parameters
from jaxrate.network.compile import compile_network
from jaxrate.network.network import Network
from jaxrate.solve import exact, stiff
from jaxrate.solve.batch import Batch
from jaxrate.solve.block import Block
from jaxrate.solve.classes import (
    KEPT,
    are_needed,
    by_class,
    check_holes,
    check_number,
    kept,
    one_class,
    placing_names,
)
from jaxrate.solve.drive import Drive, Driven, check_drive, check_varied, edges, is_piecewise, marks, read_drive
from jaxrate.solve.lanes import FEWEST_LANES, run
from jaxrate.solve.program import Program, batch_of, populations
from jaxrate.solve.rates import checked_rates, is_linear
from jaxrate.solve.reading import along
from jaxrate.solve.rosenbrock import Tolerance
from jaxrate.solve.solution import Solution
from jaxrate.solve.stages import Stage, planned, read_times
from jaxrate.solve.start import Start, is_legal_start, read_start


@dataclass(frozen=True)
class Evolve:
    """Solver of populations in time.

    A network that is linear in its populations, with drives that are piecewise constant, is solved exactly; photons,
    energy transfer and smooth pulses by Rodas5P, with steps of each ensemble's own.

    Args:
        times: Increasing, from 0 on [s], shape (time,).
        start: "ground", {"level": fraction} (numbers or arrays of the batch's shape; what is not named is empty), or a
            `Solution` of the same populations, of a path its last time.
        drive: {"pump.rate": jr.pulse.Gaussian(...)}: parameters that change in time: `jr.Segments`, a pulse of
            `jr.pulse`, or any JAX function of time [s]. What a function does for less than a step goes unseen: one with
            spikes needs `edges`, an attribute with the times [s] that no step may go over.
        rtol: Relative error of a step, of every population by itself; the exact path has none.
        atol: {"cavity": 1e-6}: absolute errors of a step that are small enough, by population, in its own unit; by
            default 1e-10 rtol for a level's fraction, 1e-3 rtol for a number of photons and 1e-10 rtol of the largest
            value so far for a reservoir.
        max_steps: Of one ensemble, after which its status is `TOO_MANY_STEPS`.
        classes: Number of classes of inhomogeneous lines; see `jr.Steady`. All of them start alike.

    Raises:
        ValueError: times that decrease, repeat, are negative or not finite; a start that names no level or does not
            sum to one; a drive that ends before the last time; a tolerance that is not positive. On a model: narrow
            light on an inhomogeneous line without `classes`, or with a drive of what the classes are placed by; a start
            that has classes itself.

    Examples:
        >>> decay = jr.Evolve(np.linspace(0, 1e-3, 101), start={"4F3/2": 1.0})
    """

    times: Any = field(compare=False)
    start: Start = field(default="ground", compare=False)
    drive: Mapping[str, Driven] | Drive | None = None
    rtol: float = 1e-8
    atol: Mapping[str, float] | tuple[tuple[str, float], ...] = ()
    max_steps: int = 100_000
    classes: int | None = None
    stages: tuple[Stage, ...] = field(init=False)
    size: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        check_number(self.classes)
        drive = self.drive if isinstance(self.drive, tuple) else read_drive(self.drive)
        object.__setattr__(self, "drive", drive)
        object.__setattr__(self, "times", read_times(self.times))
        for name, value in _tolerances(self.rtol, self.atol, self.max_steps).items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "stages", tuple(stage for stage, _ in self._plan))
        object.__setattr__(self, "size", (self.times.shape[0], len(self._marks)))

    @cached_property
    def _plan(self) -> list[tuple[Stage, Any]]:
        """Stages, and the times to compute in each, counted from its start."""
        if isinstance(self.times, Tracer):
            if self._drive:
                raise ValueError(
                    "With a drive the times must be numbers: JAX cannot tell in which segment a tracer lies."
                )
            return [(Stage(0.0, self.times.shape[0], False, False, False), self.times)]
        return planned(self.times, edges(self._drive)) if is_piecewise(self._drive) else []

    @cached_property
    def _marks(self) -> np.ndarray:
        """Where a drive is not smooth, then infinity."""
        found = marks(self._drive, float(self.times[-1])) if self._drive else []  # then they are numbers, see _plan
        return np.append(found, np.inf)

    @property
    def _drive(self) -> Drive:
        assert isinstance(self.drive, tuple)
        return self.drive

    @property
    def axis(self) -> tuple[str, Any, str]:
        """Every observable of one moment has an axis of times."""
        return "time", self.times, "s"

    def is_exact(self, network: Network) -> bool:
        """Whether it needs no steps."""
        return is_linear(network) and is_piecewise(self._drive)

    def method(self, network: Network) -> str:
        """How the network is solved."""
        how = "exact propagator" if self.is_exact(network) else f"Rodas5P, rtol {self.rtol:g}"
        return f"{how}, {self.classes} classes" if are_needed(network, self.classes) else how

    @property
    def _one_class(self) -> "Evolve":
        """The solver of one class, or of lines as a whole."""
        return replace(self, classes=None)

    def stated(self, model: Model) -> Model:
        """The model itself."""
        return model

    def check(self, network: Network) -> None:
        """Refuse what it cannot solve."""
        check_holes(network, self.classes)
        if isinstance(self.start, Solution) and self.start.classes is not None:
            raise ValueError(
                "`start` is a solution with classes, each with populations of its own, of which a start would keep the "
                "average alone: state one path whose `drive` switches the light, from where all classes are alike."
            )
        check_drive(self._drive, network)
        read_start(self.start, network)
        if are_needed(network, self.classes):
            _check_placing(self._drive, network)
        for name, _ in self._atol:
            if name not in network.population_names:
                raise ValueError(f"`atol`: {unknown('population', name, network.population_names, 'this model')}")

    @property
    def _atol(self) -> tuple[tuple[str, float], ...]:
        assert isinstance(self.atol, tuple)
        return self.atol

    def check_names(self, network: Network, given: Collection[str]) -> None:
        """Refuse unknown names, and those that a drive sets."""
        network.check_names(given)
        check_varied(self._drive, network, given)

    def base(self, network: Network) -> Any:
        """Values of the parameters, times (and marks), and the start where all lanes share it."""
        start = read_start(self.start, network)
        shared = [start] if start.ndim == 1 else []
        stiff_times = [self.times, np.array([np.inf]), self._marks]
        times = [times for _, times in self._plan] if self.is_exact(network) else stiff_times
        parts = [network.base, *times, *shared]
        traced = any(isinstance(part, Tracer) for part in parts)
        return jnp.concatenate(parts) if traced else np.concatenate([np.asarray(part, np.float64) for part in parts])

    def begin(self, network: Network) -> Any:
        """Populations to start from, where they differ from lane to lane."""
        start = read_start(self.start, network)
        return None if start.ndim == 1 else start

    def lane_bytes(self, network: Network) -> int:
        """Memory of one lane."""
        if are_needed(network, self.classes):
            return (self.classes or 1) * self._one_class.lane_bytes(network)
        if self.is_exact(network):
            return exact.lane_bytes(network, self.stages)
        return stiff.lane_bytes(network, self.size[0])

    def fewest_lanes(self, network: Network) -> int:
        """Lanes in a block at least: products of large matrices want to stay in the first-level cache."""
        return exact.FEWEST_LANES if self.is_exact(network) and self.classes is None else FEWEST_LANES

    def blocks_per_call(self, network: Network) -> int | None:
        """Blocks of one call, where they are long work by themselves."""
        return None if self.is_exact(network) else 1

    def has_legal_rates(self, network: Network, parameters: Parameters) -> Array:
        """Which lanes have rates that are numbers, as far as can be told before they are solved."""
        if self.is_exact(network):
            return exact.has_legal_rates(network, parameters, self._drive, self.stages)
        return checked_rates(network, parameters)[1]

    def has_short_way(self, network: Network, base: np.ndarray, batch: Batch) -> bool:
        """There is one way only."""
        return False

    def short_results(self, block: Block) -> tuple[dict[str, Array], Array]:
        """A shorter way that is right for no lane."""
        return self.results(block)[0], jnp.asarray(False)

    def results(self, block: Block) -> tuple[dict[str, Array], Array]:
        """Observables by name, with the axis of times behind their own, and status (lane,)."""
        if self.classes is not None and are_needed(block.network, self.classes):
            return by_class(block, self.classes, self._one_class.results)
        n, legal = _started(block)
        if self.is_exact(block.network):
            return exact.path(block, n.astype(block.way.dtype), legal, self._drive, self.stages)
        tolerance, moving = self._tolerance(block.network), isinstance(self.times, Tracer)
        return stiff.path(block, n, legal, self._drive, tolerance, self.size[0], moving)

    def _tolerance(self, network: Network) -> Tolerance:
        smallest = dict(zip(network.population_names, stiff.smallest(network), strict=True))
        stated = {name: error / self.rtol for name, error in self._atol}
        return Tolerance(self.rtol, tuple((smallest | stated).values()), self.max_steps)

    def along(self, network: Network, parameters: Mapping[str, Any], dims: int) -> dict[str, Any]:
        """Driven parameters at the times of the output, each of a shape that broadcasts to (time, *batch)."""
        return along(self._drive, network, parameters, self.times, dims)


def _check_placing(drive: Drive, network: Network) -> None:
    """Refuse to move classes in time."""
    driven = frozenset(name for name, _ in drive)
    for name in placing_names(network):
        if follows_populations(name, dict(network.derived), driven):
            raise ValueError(
                f"`{name}` says where the classes lie and must not change in time: leave it out of the `drive`, or "
                "state mixing='fast' on the line."
            )


def _tolerances(rtol: Any, atol: Any, max_steps: Any) -> dict[str, Any]:
    """Tolerances by the name of their argument, all checked, and NumPy's numbers made Python's."""
    errors = _by_population(atol)
    for name, error in {"rtol": rtol, **{f"atol of `{name}`": error for name, error in errors.items()}}.items():
        if (
            isinstance(error, bool)
            or not isinstance(error, int | float | np.integer | np.floating)
            or not 0 < error < np.inf
        ):
            raise ValueError(f"`{name}` must be a positive number such as 1e-8, but {shown(error)} was given.")
    if isinstance(max_steps, bool) or not isinstance(max_steps, int | np.integer) or not 1 <= max_steps < 2**31:
        raise ValueError(f"`max_steps` must be a whole number from 1 on, but {shown(max_steps)} was given.")
    if rtol < 1e-13:
        raise ValueError(f"`rtol` must be 1e-13 or more, as float64 has 16 digits, but {shown(rtol)} was given.")
    absolute = tuple((name, float(error)) for name, error in errors.items())
    return {"rtol": float(rtol), "atol": absolute, "max_steps": int(max_steps)}


def _by_population(atol: Any) -> dict[str, Any]:
    """Absolute errors as stated, or as the pairs that another `Evolve` keeps of them."""
    if isinstance(atol, Mapping):
        return dict(atol)
    if isinstance(atol, tuple) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in atol):
        return dict(atol)
    raise ValueError(f"`atol` must be given by population, atol={{'cavity': 1e-6}}, but {shown(atol)} was given.")


def _started(block: Block) -> tuple[Array, Array]:
    """Populations to start from, those of bad lanes replaced, and which lanes are good."""
    size = len(block.network.populations)
    if block.start is None:
        return jnp.broadcast_to(block.base[-size:, None], (size, block.way.lanes)), jnp.asarray(True)
    legal = is_legal_start(block.start, block.network)
    return jnp.where(legal, block.start, 1.0 / size), legal


def evolve(
    model: Model,
    theta: Mapping[str, Any] | None,
    times: Any,
    *,
    start: Start = "ground",
    drive: Mapping[str, Driven] | None = None,
    rtol: float = 1e-8,
    atol: Mapping[str, float] | None = None,
    max_steps: int = 100_000,
    classes: int | None = None,
    precision: Literal["float64", "float32"] | None = None,
) -> Solution:
    r"""Populations of every ensemble of a batch at given times.

    A linear network with piecewise constant drives is solved exactly, $n(t) = e^{Kt}\,n(0)$: however stiff the rates,
    every population is right relative to itself, and there is no step size. Anything else by Rodas5P. `method` of the
    solution says which it was.

    Args:
        model: The medium.
        theta: Parameter values in SI units by name; arrays broadcast by NumPy's rules and their common shape is the
            batch. Names not given keep the model's values.
        times: Increasing, from 0 on [s], shape (time,). A JAX tracer may be differentiated by.
        start: "ground", {"level": fraction}, or a `Solution`; see `jr.Evolve`.
        drive: Parameters that change in time; see `jr.Evolve`.
        rtol, atol, max_steps: Tolerances of steps; see `jr.Evolve`.
        classes: Number of classes of inhomogeneous lines; see `jr.Steady`. The solution keeps the populations of each.
        precision: Of the results for NumPy arrays, float64 by default; JAX arrays decide themselves.

    Returns:
        A `Solution` with populations of shape (population, time, *batch), NaN where its `status` (*batch) is not 0.

    Raises:
        ValueError: as of `jr.steady_state` and `jr.Evolve`.
    """
    network, given = compile_network(model), theta or {}
    solver = Evolve(times, start, drive, rtol, {} if atol is None else atol, max_steps, classes)
    solver.check(network)
    holes = are_needed(network, classes)
    read = (("populations", populations), *(KEPT if holes else ()))
    found = run(Program(network, solver, read), solver.base(network), batch_of(network, solver, given, precision))
    parameters = {**model.parameters(), **given}
    driven = solver.along(network, parameters, np.ndim(found["status"]))
    return Solution(
        found["populations"],
        found["status"],
        parameters | driven,
        one_class(network) if holes else network,
        solver.times,
        solver.method(network),
        classes=kept(found, True) if holes else None,
    )
