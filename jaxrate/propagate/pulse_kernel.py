"""What is done to a block of media through which a pulse runs, once or again and again."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxrate.constants import h
from jaxrate.network.coefficients import Parameters
from jaxrate.network.dynamics import by_reaction
from jaxrate.network.line import cross_sections
from jaxrate.network.network import Network
from jaxrate.propagate.pulse_pass import Pass
from jaxrate.propagate.pulse_record import Record, empty, measured
from jaxrate.propagate.pulse_shape import Envelope
from jaxrate.propagate.pulse_step import Grid, Medium, Stepper
from jaxrate.solve.batch import Batch
from jaxrate.solve.block import START, parameters_of
from jaxrate.solve.lanes import FILLING, Way
from jaxrate.solve.motion import FIXED, Motion
from jaxrate.solve.program import legal_lanes
from jaxrate.solve.propagator import generator, product, propagator
from jaxrate.solve.rates import checked_rates, is_linear
from jaxrate.solve.start import is_legal_start
from jaxrate.solve.status import Status
from jaxrate.solve.stiff import by_forward_mode

GROUP = 8
"""Lanes that are carried along together: with their nodes enough for wide vectors, few enough to end together."""

OWN = {" fluence": "positive", " length": "positive", " loss": "nonnegative", " between": "nonnegative",
       " transmission": "share"}  # fmt: skip
"""What a pulse and its path add to the parameters of a model, and their domains."""

ROUNDING = 1e-9
"""Population below zero by which the interpolation of a profile may miss it."""

LANE_BYTES = 2**15
"""Counted for a lane, so that blocks are small: a lane is long work by itself."""


class Whole(NamedTuple):
    """Results of lanes, pass by pass.

    Attributes:
        sums: Light that entered, left, was emitted, and was lost, and what the upper level could have emitted before
            [J m^-2], shape (pass, 5, lane).
        measures: Peak intensity [W m^-2], its time [s], and full width [s] of the pulse that enters and of what
            leaves, shape (pass + 1, 3, lane).
        shapes: Intensity that enters and that leaves at the times asked for [W m^-2], shape (pass + 1, time, lane).
        populations: Left by each pass, shape (pass, population, node, lane).
        maps: Of each pass, shape (pass, 2, time, node, lane).
    """

    sums: Array
    measures: Array
    shapes: Array
    populations: Array
    maps: Array


@dataclass(frozen=True)
class PulseKernel:
    """A pulse through media.

    Args:
        network: The medium without the pulse.
        label: Of the line.
        frequency: Of the light [Hz], or the parameter that is.
        envelope: Shape of the pulse.
        passes: How often it runs through.
        alternate: Whether it comes back the other way each time.
        points: Nodes along the medium.
        times: Since the pulse began, at which its shapes are given [s].
        along: Whether light and gain along the medium are given at these times.
        rtol, max_steps: Of steps in time.
    """

    network: Network
    label: str
    frequency: float | str
    envelope: Envelope
    passes: int
    alternate: bool
    points: int
    times: tuple[float, ...]
    along: bool
    rtol: float
    max_steps: int

    lane_bytes = LANE_BYTES
    blocks_per_call = 1
    knows_filling = True

    def has_short_way(self, base: np.ndarray, batch: Batch) -> bool:
        """There is one way only."""
        return False

    def __call__(self, base: Array, block: Mapping[str, Array], way: Way) -> dict[str, Array]:
        """Results (*core, lane), NaN where `status` is not 0; and `status`."""
        own = {name: block[name] for name in OWN}
        start = jnp.broadcast_to(block[START], (len(block[START]), self.points, way.lanes))
        legal = self._legal(base, parameters_of(block), own, start)
        filling = block.get(FILLING)
        wanted = jnp.broadcast_to(legal if filling is None else legal & (filling == 0), (way.lanes,))
        varied = {n: jnp.where(legal, x, base[self.network.order[n]]) for n, x in parameters_of(block).items()}
        own = {name: jnp.where(legal, x, 1.0) for name, x in own.items()}
        start = jnp.where(legal, start, 1.0 / len(start))
        solved = by_forward_mode(self._solved)
        flat, status = solved((lax.stop_gradient(base), wanted), {**varied, **own}, start)
        status = jnp.where(legal, status, Status.BAD_INPUT).astype(jnp.int8)
        flat = jnp.where(status == Status.OK, flat[0], jnp.nan)
        return {**self._apart(flat, way.lanes)._asdict(), "status": status}

    def _legal(self, base: Array, varied: dict[str, Array], own: dict[str, Array], start: Array) -> Array:
        """Which lanes have nothing that is out of its range, shape (lane,)."""
        within = {"positive": lambda x: x > 0, "nonnegative": lambda x: x >= 0, "share": lambda x: (x >= 0) & (x <= 1)}
        legal = legal_lanes(self.network, varied)
        for name, domain in OWN.items():
            legal = legal & within[domain](own[name]) & (own[name] < jnp.inf)
        flat = jnp.where(jnp.abs(start) < ROUNDING, jnp.abs(start), start).reshape(len(start), -1)
        legal = legal & jnp.all(is_legal_start(flat, self.network).reshape(start.shape[1:]), axis=0)
        safe = {n: jnp.where(legal, x, base[self.network.order[n]]) for n, x in varied.items()}
        return legal & checked_rates(self.network, self.network.parameters(base, safe), every=True)[1]

    @cached_property
    def _shapes(self) -> Whole:
        """Core shapes of the results."""
        populations, times = len(self.network.populations), len(self.times)
        maps = (self.passes, 2, times if self.along else 0, self.points)
        left = (self.passes, populations, self.points)
        return Whole((self.passes, 5), (self.passes + 1, 3), (self.passes + 1, times), left, maps)  # type: ignore[arg-type]

    def _apart(self, flat: Array, lanes: int) -> Whole:
        sizes = [int(np.prod(shape)) for shape in self._shapes]
        parts = jnp.split(flat, np.cumsum(sizes)[:-1])
        return Whole(*(part.reshape(*shape, lanes) for part, shape in zip(parts, self._shapes, strict=True)))

    def _solved(self, fixed: tuple[Array, Array], varied: Mapping[str, Array], start: Array) -> tuple[Array, Array]:
        """All results in one array (1, row, lane), and status (lane,), group by group."""
        base, wanted = fixed
        lanes = wanted.shape[0]
        size = GROUP if jax.default_backend() == "cpu" else lanes
        missing = -lanes % size

        def cut(x: Array) -> Array:
            x = jnp.concatenate([x, jnp.repeat(x[..., -1:], missing, -1)], -1) if missing else x
            return jnp.moveaxis(x.reshape(*x.shape[:-1], -1, size), -2, 0)

        def group(parts: tuple) -> tuple[Array, Array]:
            varied, start, wanted = parts
            return self._group(base, varied, start, wanted)

        parts = jax.tree.map(cut, (dict(varied), start, wanted))
        flat, status = lax.map(group, parts)
        whole = jnp.moveaxis(flat, 0, -2).reshape(flat.shape[1], -1)[:, :lanes]
        return whole[None], status.reshape(-1)[:lanes]

    def _group(self, base: Array, varied: Mapping[str, Array], start: Array, wanted: Array) -> tuple[Array, Array]:
        """All results of a few lanes, shape (row, lane), and their status."""
        path = _Path(self, self.network.parameters(base, parameters_of(varied)), varied, start.shape[-1])
        whole, status = path.run(start, wanted)
        return jnp.concatenate([x.reshape(-1, start.shape[-1]) for x in whole]), status


@dataclass(frozen=True)
class _Path:
    """A few lanes on their way.

    Args:
        kernel: What is asked for.
        parameters: Of the model.
        varied: What differs from lane to lane, the pulse's own among it.
        lanes: How many.
    """

    kernel: PulseKernel
    parameters: Parameters
    varied: Mapping[str, Array]
    lanes: int

    @cached_property
    def _motion(self) -> Motion:
        return Motion(self.kernel.network)

    @cached_property
    def _pass(self) -> Pass:
        line, kernel = self.kernel.network.line(self.kernel.label), self.kernel
        stepper = Stepper(self._motion, line.upper, line.lower)
        times = np.array(kernel.times if kernel.along else ())
        return Pass(stepper, kernel.envelope.marks, kernel.rtol, kernel.max_steps, times)

    def run(self, start: Array, wanted: Array) -> tuple[Whole, Array]:
        """Results, and status (lane,)."""
        kernel, times = self.kernel, jnp.asarray(self.kernel.times)
        medium = self._medium()
        nothing = None if kernel.passes == 1 else empty(kernel.max_steps, self.lanes)
        fluence, line = self.varied[" fluence"], kernel.network.line(kernel.label)
        photons = medium(None).column * medium(None).photon

        def shape(record: Record, share: Any) -> tuple[Array, Array]:
            light = self._after(record, share)
            of = measured(record, lambda t: self._before(t) * share, self._pass.end)
            return jnp.stack(of), jax.vmap(lambda t: light(jnp.broadcast_to(t, (self.lanes,))))(self._shown(times))

        def through(state: tuple, i: Array) -> tuple[tuple, tuple]:
            n, record, entering, share, status = state
            turned = (i % 2 == 1) & kernel.alternate
            n = jnp.where(turned, n[:, ::-1], n)
            passed = self._pass.run(medium(self._light(record, share)), n, entering, record, wanted & (status == 0))
            left = jnp.where(turned, passed.n[:, ::-1], passed.n)
            status = jnp.where(status == 0, passed.status, status)
            stored = photons * jnp.tensordot(Grid(kernel.points).weights, n[line.upper], 1)
            sums = jnp.concatenate([entering[None], passed.sums, stored[None]])
            measures, seen = shape(passed.record, share)
            maps = jnp.where(turned, passed.maps[:, :, ::-1], passed.maps)
            on = self.varied[" transmission"]
            record = None if record is None else passed.record
            n = self._rested(left) if kernel.passes > 1 and is_linear(kernel.network) else left
            return (n, record, on * passed.sums[0], share * on, status), (sums, measures, seen, left, maps)

        one = jnp.ones(self.lanes)
        state = (start, nothing, fluence, one, jnp.zeros(self.lanes, jnp.int32))
        state, (sums, measures, seen, left, maps) = lax.scan(through, state, jnp.arange(kernel.passes))
        of_input = jnp.stack(self._each(*self._entering()))
        shown = jax.vmap(lambda t: self._before(jnp.broadcast_to(t, (self.lanes,))))(self._shown(times))
        measures, seen = (jnp.concatenate([a[None], b]) for a, b in ((of_input, measures), (shown, seen)))
        return Whole(sums, measures, seen, left, maps), state[-1]

    def _shown(self, times: Array) -> Array:
        """Times moved off the ends of the window, where a shape may jump."""
        return jnp.clip(times, 1e-12 * self._pass.end, (1 - 1e-12) * self._pass.end)

    def _entering(self) -> tuple[Any, Any, Any]:
        """Peak intensity of the pulse that enters, its time, and its full width."""
        envelope = self.kernel.envelope
        highest, at, width = envelope.measures
        return self.varied[" fluence"] * highest / envelope.integral, at, width

    def _before(self, t: Array) -> Array:
        """Intensity of the first pulse [W m^-2]."""
        envelope = self.kernel.envelope
        return self.varied[" fluence"] * envelope.at(t) / envelope.integral

    def _after(self, record: Record, share: Any) -> Any:
        return lambda t: self._before(t) * share * jnp.exp(record.at(t))

    def _light(self, record: Record | None, share: Any) -> Any:
        """Intensity that enters a pass at a time [W m^-2]."""
        if record is None:
            return self._before
        return self._after(record, share)

    def _medium(self) -> Any:
        """The medium, of the light that enters."""
        kernel, theta = self.kernel, self.parameters
        line, points = kernel.network.line(kernel.label), kernel.points
        frequency = theta[kernel.frequency] if isinstance(kernel.frequency, str) else kernel.frequency
        values = tuple(theta[name] for name in line.names)
        emission, absorption = self._each(*cross_sections(line.form, line.constants, values, frequency))
        column, photon = self._each(theta[line.density] * self.varied[" length"], h * frequency)
        loss = self.varied[" loss"] * self.varied[" length"]
        varied = parameters_of(self.varied)
        inputs = self._motion.inputs(theta, varied, self.lanes)
        spread = {name: jnp.tile(x, points) if x.ndim == 1 else jnp.tile(x, (1, points)) for name, x in inputs.items()}
        moving = self._motion.at(theta.base, {FIXED: spread.pop(FIXED), **spread})
        parts = (self._motion, moving, Grid(points), line.upper, line.lower, emission, absorption, column, loss, photon)
        return lambda light: Medium(*parts, light)

    def _each(self, *values: Any) -> list[Array]:
        return [jnp.broadcast_to(jnp.asarray(value, float), (self.lanes,)) for value in values]

    def _rested(self, n: Array) -> Array:
        """Populations after the time between two passes, exactly: the network must be linear."""
        network, way = self.kernel.network, Way(self.lanes, np.dtype(np.float64))
        rates = by_reaction(network, checked_rates(network, self.parameters, every=True)[0], self.lanes)
        pairs = [(r.products[0], r.reactants[0]) for r in network.reactions]
        K = generator(rates, pairs, network.num_levels, way)
        return product(K, propagator(K, self.varied[" between"]), n)
