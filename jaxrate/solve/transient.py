"""Populations in time, of linear networks: exact from one time to the next, however far apart they are."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from jaxrate.arrays import namespace
from jaxrate.model.model import Model
from jaxrate.network.coefficients import Parameters
from jaxrate.network.compile import compile_network
from jaxrate.network.dynamics import by_reaction
from jaxrate.network.network import Network
from jaxrate.solve.batch import Batch
from jaxrate.solve.block import Block, is_pointwise
from jaxrate.solve.drive import Drive, Segments, check_drive, check_varied, driven, edges, read_drive
from jaxrate.solve.program import populations, solve
from jaxrate.solve.propagator import Generator, applied, at_times, generator, product, propagator
from jaxrate.solve.rates import checked_rates, refuse_nonlinear
from jaxrate.solve.solution import Solution
from jaxrate.solve.stages import Stage, planned, read_times
from jaxrate.solve.start import Start, read_start
from jaxrate.solve.status import Status

CACHE_SHARE = 60
"""How many times a rate matrix in float64 is counted: so many lanes to a block that three of them stay in the
first-level cache, which is a twenty-fourth of the memory of a block."""


STRIDE = 4
"""Evenly spaced times computed together, each from the same populations."""

FLOAT32_STEPS = 128
"""Steps whose rounding errors in float32 may add up."""


@dataclass(frozen=True)
class Evolve:
    """Solver of populations in time, for networks linear in the populations.

    Args:
        times: Increasing, from 0 on [s], shape (time,).
        start: "ground", {"level": fraction} (numbers or arrays of the batch's shape; levels not named are empty), or a
            `Solution` of the same levels, of a path its last time.
        drive: {"pump.rate": jr.Segments([...])}: parameters that change from interval to interval.

    Raises:
        ValueError: times that decrease, repeat, are negative or not finite; a start that names no level or does not
            sum to one; a drive that ends before the last time. On a model: one that is not linear.

    Examples:
        >>> decay = jr.Evolve(np.linspace(0, 1e-3, 101), start={"4F3/2": 1.0})
    """

    times: Any = field(compare=False)
    start: Start = field(default="ground", compare=False)
    drive: Mapping[str, Segments] | Drive | None = None
    stages: tuple[Stage, ...] = field(init=False)

    def __post_init__(self) -> None:
        drive = self.drive if isinstance(self.drive, tuple) else read_drive(self.drive)
        object.__setattr__(self, "drive", drive)
        object.__setattr__(self, "times", read_times(self.times))
        object.__setattr__(self, "stages", tuple(stage for stage, _ in self._plan))

    @cached_property
    def _plan(self) -> list[tuple[Stage, Any]]:
        """Stages, and the times to compute in each, counted from its start."""
        if isinstance(self.times, Tracer):
            if self.drive:
                raise ValueError(
                    "With a drive the times must be numbers: JAX cannot tell in which segment a tracer lies."
                )
            return [(Stage(0.0, self.times.shape[0], False, False, False), self.times)]
        return planned(self.times, edges(self._drive))

    @property
    def _drive(self) -> Drive:
        assert isinstance(self.drive, tuple)
        return self.drive

    @property
    def axis(self) -> tuple[str, Any, str]:
        """Every observable of one moment has an axis of times."""
        return "time", self.times, "s"

    def check(self, network: Network) -> None:
        """Refuse what it cannot solve."""
        refuse_nonlinear(network, "A path in time")
        check_drive(self._drive, network)
        read_start(self.start, network)

    def check_names(self, network: Network, given: Collection[str]) -> None:
        """Refuse unknown names, and those that a drive sets."""
        network.check_names(given)
        check_varied(self._drive, network, given)

    def base(self, network: Network) -> Any:
        """Values of the parameters, the times of all stages, and the start where all lanes share it."""
        start = read_start(self.start, network)
        shared = [start] if start.ndim == 1 else []
        parts = [network.base, *(times for _, times in self._plan), *shared]
        traced = any(isinstance(part, Tracer) for part in parts)
        return jnp.concatenate(parts) if traced else np.concatenate([np.asarray(part, np.float64) for part in parts])

    def begin(self, network: Network) -> Any:
        """Populations to start from, where they differ from lane to lane."""
        start = read_start(self.start, network)
        return None if start.ndim == 1 else start

    def lane_bytes(self, network: Network) -> int:
        """Memory of one lane: of its matrices, and of its path where all times are computed at once."""
        n = network.num_levels
        path = max((stage.size for stage in self.stages if not stage.uniform), default=0)
        return 8 * max(CACHE_SHARE * n**2, 3 * n * path)

    def has_legal_rates(self, network: Network, parameters: Parameters) -> Array:
        """Which lanes have rates that are numbers, in every segment."""
        legal = jnp.asarray(True)
        for stage in self.stages:
            legal = legal & checked_rates(network, self._at(stage, network, parameters), bool(self._drive))[1]
        return legal

    def has_short_way(self, network: Network, base: np.ndarray, batch: Batch) -> bool:
        """There is one way only."""
        return False

    def short_results(self, block: Block) -> tuple[dict[str, Array], Array]:
        """A shorter way that is right for no lane."""
        return self.results(block)[0], jnp.asarray(False)

    def _at(self, stage: Stage, network: Network, parameters: Parameters) -> Parameters:
        """Parameters in a stage."""
        found = driven(self._drive, network, parameters, stage.begins)
        return parameters.exchange({name: jnp.asarray(value) for name, value in found.items()})

    def results(self, block: Block) -> tuple[dict[str, Array], Array]:
        """Observables by name, with the axis of times behind their own, and status (lane,)."""
        n, legal = _started(block)
        reached, place, found, moments = legal, 0, [], []
        for stage in self.stages:
            parameters = self._at(stage, block.network, block.parameters)
            K = _generator(block, parameters)
            times = block.further[place : place + stage.size]
            n, read = _passed(K, n, times, stage, _reader(block, parameters))
            reached, place = reached & K.reaches(times[-1]), place + stage.size
            found += [read] if stage.num else []
            moments.append(stage.begins + times[: stage.num])
        joined = {name: _joined([read[name] for read in found]) for name in found[0]}
        held = jnp.isfinite(jnp.sum(n, axis=0)) & reached
        status = jnp.where(legal, jnp.where(held, Status.OK, Status.OUT_OF_RANGE), Status.BAD_INPUT)
        return self._whole(block, joined, jnp.concatenate(moments)), status.astype(jnp.int8)

    def _whole(self, block: Block, joined: dict[str, Array], times: Array) -> dict[str, Array]:
        """The results, with those of functions of the whole path."""
        whole = tuple((name, function) for name, function in block.observables if not is_pointwise(function))
        if not whole:
            return joined
        n, status = joined.pop(_PATH), jnp.zeros(block.way.lanes, jnp.int8)
        parameters = block.parameters.exchange(self.along(block.network, block.parameters, 1))
        return joined | block.read(Solution(n, status, parameters, block.network, times), whole)

    def along(self, network: Network, parameters: Mapping[str, Any], dims: int) -> dict[str, Any]:
        """Driven parameters at the times of the output, each of a shape that broadcasts to (time, *batch).

        Args:
            network: The network.
            parameters: Values of all, as the batch has them.
            dims: Number of axes of the batch.
        """
        stages = [(driven(self._drive, network, parameters, stage.begins), stage.num) for stage in self.stages]
        return {name: _rows([(values[name], num) for values, num in stages], dims) for name, _ in self._drive}


_PATH = " path"
"""Populations at all times, kept for functions of the whole path."""


def _started(block: Block) -> tuple[Array, Array]:
    """Populations to start from, those of bad lanes replaced, and which lanes are good."""
    levels = block.network.num_levels
    if block.start is None:
        start = jnp.broadcast_to(block.base[-levels:, None], (levels, block.way.lanes))
        return start.astype(block.way.dtype), jnp.asarray(True)
    legal = jnp.all((block.start >= 0) & (block.start < jnp.inf), axis=0) & (jnp.sum(block.start, axis=0) > 0)
    return jnp.where(legal, block.start, 1.0 / levels).astype(block.way.dtype), legal


def _generator(block: Block, parameters: Parameters) -> Generator:
    network, lanes = block.network, block.way.lanes
    rates = by_reaction(network, checked_rates(network, parameters, every=True)[0], lanes)
    pairs = [(r.products[0], r.reactants[0]) for r in network.reactions]
    return generator(rates, pairs, network.num_levels, block.way)


Read = Callable[[Array], dict[str, Any]]
"""Observables of one moment, from populations (level, lane)."""


def _reader(block: Block, parameters: Parameters) -> Read:
    moments = tuple((name, function) for name, function in block.observables if is_pointwise(function))
    kept = ((_PATH, populations),) if len(moments) < len(block.observables) else ()
    status = jnp.zeros(block.way.lanes, jnp.int8)
    return lambda n: block.read(Solution(n, status, parameters, block.network), (*moments, *kept))


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

    powers = [X]
    while len(powers) < min(STRIDE, stage.num // 2):
        powers.append(product(K, X, powers[-1]))

    def stride(n: Array, _: None) -> tuple[Array, dict[str, Array]]:
        after = [applied(K, power, n) for power in powers]
        moments = [n, *after[:-1]] if stage.from_start else after
        return after[-1], jax.tree.map(lambda *values: jnp.stack(values), *(read(moment) for moment in moments))

    n, found = jax.lax.scan(stride, n, None, length=stage.num // len(powers))
    found = {name: value.reshape(-1, *value.shape[2:]) for name, value in found.items()}
    for _ in range(stage.num % len(powers)):
        n, before = applied(K, X, n), n
        last = read(before if stage.from_start else n)
        found = {name: jnp.concatenate([value, last[name][None]]) for name, value in found.items()}
    return applied(K, X, n) if stage.goes_on and not stage.from_start else n, found


def _joined(parts: list[Array]) -> Array:
    """Stages one after the other, (time, *core, lane) as (*core, time, lane)."""
    whole = parts[0] if len(parts) == 1 else jnp.concatenate(parts)
    return jnp.moveaxis(whole, 0, -2)


def evolve(
    model: Model,
    theta: Mapping[str, Any] | None,
    times: Any,
    *,
    start: Start = "ground",
    drive: Mapping[str, Segments] | None = None,
    precision: Literal["float64", "float32"] | None = None,
) -> Solution:
    r"""Populations of every ensemble of a batch at given times, $n(t) = e^{Kt}\,n(0)$.

    Exact in time: however stiff the rates, every population is right relative to itself, and there is no step size.

    Args:
        model: The medium.
        theta: Parameter values in SI units by name; arrays broadcast by NumPy's rules and their common shape is the
            batch. Names not given keep the model's values.
        times: Increasing, from 0 on [s], shape (time,). A JAX tracer may be differentiated by.
        start: "ground", {"level": fraction}, or a `Solution`; see `jr.Evolve`.
        drive: Parameters that change from interval to interval; see `jr.Evolve`.
        precision: Of the results for NumPy arrays, float64 by default; JAX arrays decide themselves.

    Returns:
        A `Solution` with populations of shape (level, time, *batch), NaN where its `status` (*batch) is not 0.

    Raises:
        ValueError: as of `jr.steady_state` and `jr.Evolve`.
    """
    network, given, solver = compile_network(model), theta or {}, Evolve(times, start, drive)
    found = solve(network, solver, given, precision)
    parameters = {**model.parameters(), **given}
    along = solver.along(network, parameters, np.ndim(found["status"]))
    return Solution(found["populations"], found["status"], parameters | along, network, solver.times)


def _rows(stages: list[tuple[Any, int]], dims: int) -> Any:
    """Values of stages, each as often as the stage has times."""
    xp = namespace(*(value for value, _ in stages))
    shape = np.broadcast_shapes((1,) * dims, *(np.shape(value) for value, _ in stages))
    return xp.concatenate([xp.broadcast_to(xp.asarray(value), (num, *shape)) for value, num in stages])
