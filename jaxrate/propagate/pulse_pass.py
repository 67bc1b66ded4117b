"""A pulse on its way once through a medium: steps of each lane's own, until it is over."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxrate.propagate.pulse_record import PLACES, Record, empty
from jaxrate.propagate.pulse_shape import INSIDE
from jaxrate.propagate.pulse_step import SUMS, Medium, Stepper, Taken
from jaxrate.solve import rodas
from jaxrate.solve.status import Status

SHRINK, GROW, SAFETY = 0.2, 6.0, 0.9
"""Factors of the step: the least, the largest, and what is kept from an estimate."""

FIRST, LONGEST = 1e-4, 1 / 16
"""The first step and the longest one, as shares of the pulse: what happens in its middle is not to be leapt over."""

SMALL = 1e-2
"""An error of a level counts against its own population, and against that of the line by so much at least."""

TINY = 1e-20
"""Share of the pulse below which a step is none."""


class Lane(NamedTuple):
    """State of lanes, each (..., lane).

    Attributes:
        t, h: Time since the pulse began, and next step [s].
        n: Populations (population, node, lane).
        sums: Light that left, was emitted, and was lost so far [J m^-2], shape (3, lane).
        rough: Error of the output by the grid, so far [J m^-2].
        mark: Number of the next mark.
        status: Of lanes that failed.
    """

    t: Array
    h: Array
    n: Array
    sums: Array
    rough: Array
    mark: Array
    status: Array


class Passed(NamedTuple):
    """What a pass leaves.

    Attributes:
        n: Populations (population, node, lane).
        sums: Light that left, was emitted, and was lost [J m^-2], shape (3, lane).
        record: Of the gain that the pulse has met, this pass included.
        maps: Intensity [W m^-2] and net cross-section [m^2] at the nodes at the times of the map, shape
            (2, time, node, lane).
        status: (lane,).
    """

    n: Array
    sums: Array
    record: Record
    maps: Array
    status: Array


@dataclass(frozen=True)
class Pass:
    """How lanes are carried through a pulse.

    Args:
        stepper: Makes a step.
        marks: Times that no step may go over, the last the end [s].
        rtol: Relative error of a step.
        max_steps: Steps tried.
        times: Of the map, increasing [s]; none where none is wanted.
    """

    stepper: Stepper
    marks: np.ndarray
    rtol: float
    max_steps: int
    times: np.ndarray

    @property
    def end(self) -> float:
        """Of the pulse [s]."""
        return float(self.marks[-1])

    def run(self, medium: Medium, n: Array, fluence: Array, before: Record | None, wanted: Array) -> Passed:
        """Carry lanes through.

        Args:
            medium: The medium, and the light that enters.
            n: Populations at the beginning, shape (population, node, lane).
            fluence: That enters [J m^-2], the scale of errors of what leaves, shape (lane,).
            before: Gain that the pulse met in earlier passes; None in the only one.
            wanted: Which lanes to solve, shape (lane,).
        """
        lanes, zero = wanted.shape[0], jnp.zeros_like(fluence)
        first = jnp.full((lanes,), FIRST * self.end)
        mark, status = jnp.zeros(lanes, jnp.int32), jnp.where(wanted, Status.OK, Status.BAD_INPUT).astype(jnp.int32)
        lane = Lane(zero, first, n, jnp.zeros((SUMS, lanes)), zero, mark, status)
        maps = jnp.zeros((2, len(self.times), *n.shape[1:]))
        state = (jnp.int32(0), lane, empty(self.max_steps, lanes), maps, jnp.zeros(lanes, jnp.int32))
        turn = partial(self._turn, medium, fluence, before)
        _, lane, record, maps, _ = lax.while_loop(self._is_busy, turn, state)
        tired = self._is_active(lane)
        found = jnp.where(tired, Status.TOO_MANY_STEPS, lane.status)
        coarse = ~(lane.rough <= self.rtol * jnp.abs(lane.sums[0]))
        found = jnp.where((found == Status.OK) & coarse, Status.NOT_CONVERGED, found)
        return Passed(lane.n, lane.sums, record, maps, found)

    def _is_active(self, lane: Lane) -> Array:
        return (lane.status == Status.OK) & (lane.mark < len(self.marks))

    def _is_busy(self, state: tuple) -> Array:
        return (state[0] < self.max_steps) & jnp.any(self._is_active(state[1]))

    def _turn(self, medium: Medium, fluence: Array, before: Record | None, state: tuple) -> tuple:
        """One step of every lane that is not done."""
        row, lane, record, maps, output = state
        active, (low, high) = self._is_active(lane), self._interval(lane.mark)
        reaches = lane.t + lane.h * (1 + 1e-10) >= high
        h = jnp.where(active, jnp.where(reaches, high - lane.t, lane.h), FIRST * self.end)
        inside = partial(_inside, low=low, high=high)
        step = self.stepper.step(medium, lane.t, lane.n, lane.sums, h, inside)
        miss = self._miss(medium, lane, step, fluence)
        good = active & (miss <= 1)
        after = self._after(medium, lane, step, h, miss, good, jnp.where(reaches, high, lane.t + h))
        after = after._replace(mark=lane.mark + (good & reaches), status=self._status(lane, h, active & ~good))
        share = jnp.asarray(PLACES)[:, None]
        met = medium.exponents(medium.net(lane.n))[1] + jnp.where(good, _dense(step.gain, share), 0.0)
        total = met if before is None else met + jax.vmap(before.at)(inside(lane.t + share * h))
        record = record.write(row, lane.t, after.t, total)
        maps, output = self._put_out(medium, lane, after, step, h, inside, maps, output)
        return row + 1, after, record, maps, output

    def _interval(self, mark: Array) -> tuple[Array, Array]:
        edges = jnp.asarray(np.concatenate([[0.0], self.marks, [self.end]]))
        return edges[jnp.minimum(mark, len(self.marks))], edges[mark + 1]

    def _after(
        self, medium: Medium, lane: Lane, step: Taken, h: Array, miss: Array, good: Array, reached: Array
    ) -> Lane:
        rough = self._roughness(medium, step.n) * (step.sums[0] - lane.sums[0])
        return lane._replace(
            t=jnp.where(good, reached, lane.t),
            h=lax.stop_gradient(self._next(lane.h, h, miss, good)),
            n=jnp.where(good, step.n, lane.n),
            sums=jnp.where(good, step.sums, lane.sums),
            rough=lane.rough + jnp.where(good, lax.stop_gradient(jnp.abs(rough)), 0.0),
        )

    def _roughness(self, medium: Medium, n: Array) -> Array:
        """What the logarithm of the gain misses by the grid: the last of Legendre's coefficients, integrated."""
        last = jnp.tensordot(medium.grid.spectral[-2:], medium.net(n), 1)
        return medium.column * jnp.max(jnp.abs(last), axis=0) / medium.grid.points

    def _status(self, lane: Lane, h: Array, failed: Array) -> Array:
        """Of lanes, of which some could not take a step that changes the time at all."""
        stuck = failed & ((lane.t + h <= lane.t) | (h < TINY * self.end))
        return jnp.where(stuck, Status.OUT_OF_RANGE, lane.status).astype(jnp.int32)

    def _next(self, planned: Array, h: Array, miss: Array, good: Array) -> Array:
        """The next step; a short one up to a mark says nothing against a long one."""
        factor = jnp.clip(SAFETY * jnp.maximum(miss, 1e-10) ** -0.2, SHRINK, jnp.where(good, GROW, 0.5))
        found = h * jnp.where(jnp.isnan(miss), SHRINK, factor)
        found = jnp.where(good & (factor >= 1), jnp.maximum(found, planned), found)
        return jnp.minimum(found, LONGEST * self.end)

    def _miss(self, medium: Medium, lane: Lane, step: Taken, fluence: Array) -> Array:
        """Largest error over what is allowed, shape (lane,)."""
        largest = jnp.max(jnp.maximum(jnp.abs(step.n), jnp.abs(lane.n)), axis=1)
        shared = SMALL * (largest[medium.upper] + largest[medium.lower])
        levels = (jnp.arange(len(largest)) < medium.motion.network.num_levels)[:, None]
        scale = largest + jnp.where(levels, shared + 1e-10, 1e-200)
        misses = jnp.max(jnp.abs(step.error), axis=1) / scale
        lowest = -jnp.min(step.n, axis=1) / scale
        of_light = jnp.abs(step.sums_error) / (fluence + jnp.abs(step.sums[0]) + 1e-300)
        worst = jnp.maximum(jnp.max(jnp.maximum(misses, lowest), axis=0), jnp.max(of_light, axis=0))
        return lax.stop_gradient(worst) / self.rtol

    def _put_out(
        self,
        medium: Medium,
        before: Lane,
        after: Lane,
        step: Taken,
        h: Array,
        inside: Callable,
        maps: Array,
        output: Array,
    ) -> tuple[Array, Array]:
        """Intensity and gain along the medium at all times of the map that were passed."""
        if not len(self.times):
            return maps, output
        times = jnp.asarray(np.append(self.times, np.inf))
        lanes = jnp.arange(output.shape[0])

        def due(output: Array) -> Array:
            return (times[output] <= after.t) & (after.t > before.t)

        def put(state: tuple[Array, Array]) -> tuple[Array, Array]:
            maps, output = state
            t = times[output]
            share = (jnp.where(jnp.isfinite(t), t, before.t) - before.t) / h
            n = before.n + _dense(step.stages, share)
            net = medium.net(n)
            light = medium.light(inside(before.t + share * h)) * jnp.exp(medium.exponents(net)[0])
            row = jnp.where(due(output), output, maps.shape[1])
            both = jnp.stack([light, net])
            return maps.at[:, row, :, lanes].set(jnp.moveaxis(both, 2, 0), mode="drop"), output + due(output)

        return lax.while_loop(lambda state: jnp.any(due(state[1])), put, (maps, output))


def _dense(stages: Array, share: Array) -> Array:
    """What is added to the beginning of a step at a share of it, from (stage, ..., lane)."""
    return sum((w * k for w, k in zip(rodas.weights_at(share), stages, strict=True)), jnp.zeros_like(stages[0]))


def _inside(t: Array, low: Array, high: Array) -> Array:
    """Times moved into an interval, off its ends."""
    return jnp.clip(t, low + INSIDE * (high - low), high - INSIDE * (high - low))
