r"""Stiff paths in time, every lane with steps of its own, by Rodas5P."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxrate.network.mass_action import Pair, apart
from jaxrate.solve import rodas
from jaxrate.solve.motion import Motion, Moving
from jaxrate.solve.places import Inputs, through_places
from jaxrate.solve.sparse_lu import SparseLU
from jaxrate.solve.status import Status

SHRINK, GROW, SAFETY = 0.2, 6.0, 0.9
"""Factors of the step: the least, the largest, and what is kept from an estimate."""

START = " start"
"""Name of the populations to start from among the inputs; no parameter's name begins so."""

INSIDE = 1e-12
"""Share of an interval that times are kept away from its ends, where a drive may jump."""


@dataclass(frozen=True)
class Tolerance:
    """What a step may miss.

    Args:
        relative: Share of a population.
        smallest: Population of each below which an error counts as one of that population; 0 for what has no natural
            scale: 1e-10 of the largest it has had.
        max_steps: Steps of a lane, after which it is given up.
    """

    relative: float
    smallest: tuple[float, ...]
    max_steps: int

    def scale(self, n: Array, largest: Array) -> Array:
        """What an error is measured in, over the relative tolerance, shape (population, lane)."""
        smallest = jnp.asarray(self.smallest)[:, None]
        return jnp.abs(n) + jnp.where(smallest > 0, smallest, 1e-10 * jnp.maximum(largest, 1e-200))


class Lane(NamedTuple):
    """State of lanes, each (..., place).

    Attributes:
        t, h: Time reached and next step [s].
        n, largest: Populations, and the largest value of each so far.
        output, mark: Number of the next output time and of the next mark.
        steps: Steps tried.
    """

    t: Array
    h: Array
    n: Array
    largest: Array
    output: Array
    mark: Array
    steps: Array


class Step(NamedTuple):
    """A step that was tried: its length [s], its stages (population, place), where it leads, what it misses."""

    h: Array
    k: tuple[Array, ...]
    n: Array
    error: Array


@dataclass(frozen=True)
class Integrator:
    """Carries the lanes of a block through time.

    Args:
        motion: The right-hand side.
        tolerance: What a step may miss.
        base: Values of the parameters that do not vary.
        times: To put out [s], increasing, the last infinite, shape (time + 1,).
        marks: Where a drive is not smooth [s], increasing, the last infinite, shape (mark + 1,).
    """

    motion: Motion
    tolerance: Tolerance
    base: Array
    times: Array
    marks: Array

    def path(self, inputs: Mapping[str, Array], wanted: Array) -> tuple[Array, Array, Array]:
        """Populations (population, time, lane), status (lane,), steps (lane,).

        Args:
            inputs: Of the motion, and `START` (population, lane).
            wanted: Which lanes to solve, shape (lane,).
        """
        path = jnp.zeros((len(self.times) - 1, *wanted.shape, self.motion.size))
        ends = jnp.zeros((2, *wanted.shape), jnp.int32)
        path, ends = through_places(inputs, wanted, self.begin, self.turn, (path, ends))
        return jnp.transpose(path, (2, 0, 1)), ends[0].astype(jnp.int8), ends[1]

    def begin(self, inputs: Inputs) -> Lane:
        """Lanes at time 0, with a step in which no population changes much."""
        n, zero = inputs[START], jnp.zeros_like(inputs[START][0], jnp.int32)
        t = jnp.zeros_like(n[0])
        change = self.moving(inputs).rate_of_change(self.inside(t, zero), n)
        largest = jnp.maximum(jnp.abs(n), jnp.abs(change) * self.times[-2])
        speed = jnp.max(jnp.abs(change) / self.tolerance.scale(n, largest), axis=0)
        last = jnp.where(self.times[-2] > 0, self.times[-2], 1.0)
        h = jnp.minimum(1e-2 / jnp.where(speed > 0, speed, 1e-300), last)
        h = jnp.where(jnp.isfinite(h), h, 0.0)
        return Lane(t, lax.stop_gradient(h), n, lax.stop_gradient(largest), zero, zero, zero)

    def moving(self, inputs: Inputs) -> Moving:
        """The right-hand side of the lanes in the places."""
        return self.motion.at(self.base, {name: a for name, a in inputs.items() if name != START})

    def inside(self, t: Array, mark: Array) -> Array:
        """Times moved into the interval that ends at a mark, off its ends."""
        if len(self.marks) == 1:
            return t
        low = jnp.concatenate([jnp.zeros(1), self.marks])[mark]
        high = jnp.minimum(self.marks[mark], jnp.maximum(2 * low, self.times[-2]))
        return jnp.clip(t, low + INSIDE * (high - low), high - INSIDE * (high - low))

    def turn(self, inputs: Inputs, lane: Lane, index: Array, results: tuple) -> tuple[Lane, Array, tuple]:
        """One step in every place, and what it passed put out."""
        path, ends = results
        moving = self.moving(inputs)
        after, step = self.step(moving, lane)
        path, output = self.put_out(lane, after, step, index, path)
        arrived = output >= len(self.times) - 1
        status = self._status(moving, lane, after, step.h, arrived)
        done = arrived | (status != 0)
        ends = ends.at[:, jnp.where(done, index, ends.shape[1])].set(jnp.stack([status, after.steps]), mode="drop")
        return after._replace(output=output), done, (path, ends)

    def _status(self, moving: Moving, before: Lane, after: Lane, h: Array, arrived: Array) -> Array:
        stuck = ~arrived & (after.t + after.h <= after.t)
        legal = moving.is_legal(self.inside(before.t, before.mark), before.n)
        legal = legal & (~stuck | moving.is_legal(self.inside(before.t + h, before.mark), before.n))
        tired = ~arrived & (after.steps >= self.tolerance.max_steps)
        status = jnp.where(tired, Status.TOO_MANY_STEPS, jnp.where(stuck, Status.OUT_OF_RANGE, Status.OK))
        return jnp.where(legal, status, Status.BAD_INPUT).astype(jnp.int32)

    def step(self, moving: Moving, lane: Lane) -> tuple[Lane, Step]:
        """A step, taken where its error allows and no population turns negative by more than its tolerance."""
        mark = self.marks[lane.mark]
        reaches = lane.t + lane.h * (1 + 1e-10) >= mark
        step = self.stages(moving, lane, jnp.where(reaches, mark - lane.t, lane.h))
        largest = jnp.maximum(lane.largest, lax.stop_gradient(jnp.abs(step.n)))
        scale = self.tolerance.relative * self.tolerance.scale(jnp.maximum(jnp.abs(step.n), jnp.abs(lane.n)), largest)
        miss, lowest = jnp.max(jnp.abs(step.error) / scale, axis=0), jnp.min(step.n / scale, axis=0)
        good = (miss <= 1) & (lowest >= -1)
        after = Lane(
            t=jnp.where(good, jnp.where(reaches, mark, lane.t + step.h), lane.t),
            h=lax.stop_gradient(_next(lane.h, step.h, miss, good)),
            n=jnp.where(good, step.n, lane.n),
            largest=jnp.where(good, largest, lane.largest),
            output=lane.output,
            mark=lane.mark + (good & reaches),
            steps=lane.steps + 1,
        )
        return after, step

    def stages(self, moving: Moving, lane: Lane, h: Array) -> Step:
        """The stages of a step, one after the other with the same factors."""
        lu, always, k = self._lu, lane.steps[0] >= 0, []
        factors = apart(always, lambda: lu.rows(lu.factor(self._system(moving, lane, h))))
        drift = moving.drift(self.inside(lane.t, lane.mark), lane.n)

        def stage(i: int) -> list[Array]:
            t, n = self.inside(lane.t + rodas.NODES[i] * h, lane.mark), lane.n + _weighted(rodas.A[i], k)
            b = apart(always, lambda: moving.changes(t, n)) + _weighted(rodas.C[i], k) * (1.0 / h)
            b = b if drift is None else b + rodas.SLOPES[i] * h * drift
            return lu.backward(factors, apart(always, lambda: lu.forward(factors, self._balanced(b))))

        for i in range(rodas.STAGES):
            k.append(apart(always, partial(stage, i)))
        return Step(h, tuple(k), lane.n + _weighted(rodas.B, k), k[-1])

    def _system(self, moving: Moving, lane: Lane, h: Array) -> dict[Pair, Any]:
        r"""$1/h\gamma - J$, the rows of some populations replaced by the laws that hold them.

        The column sums of the matrix are as small as $1/h\gamma$, which rounding loses in a long step.
        """
        laws, shift = self._laws, 1.0 / (h * rodas.GAMMA)
        jacobian = moving.jacobian(self.inside(lane.t, lane.mark), lane.n)
        found = {pair: -value for pair, value in jacobian.items() if pair[0] not in laws}
        found |= {(i, i): shift + found.get((i, i), 0.0) for i in range(self.motion.size) if i not in laws}
        return found | {(i, j): jnp.full_like(shift, weight) for i, law in laws.items() for j, weight in law.items()}

    def _balanced(self, b: Array) -> list[Array]:
        """Right-hand side with a zero in the rows of conservation laws."""
        return [jnp.zeros_like(row) if i in self._laws else row for i, row in enumerate(b)]

    @cached_property
    def _laws(self) -> dict[int, dict[int, float]]:
        """What no step may change, by the population whose own equation gives way to it."""
        return {law.replaced: law.weights for law in self.motion.laws if law.is_plain}

    @cached_property
    def _lu(self) -> SparseLU:
        rows = {(i, j) for i, law in self._laws.items() for j in law}
        pattern = rows | {(i, j) for i, j in self.motion.pattern if i not in self._laws}
        return SparseLU(frozenset(pattern), self.motion.size, tuple(self._laws))

    def put_out(self, before: Lane, after: Lane, step: Step, index: Array, path: Array) -> tuple[Array, Array]:
        """Populations at all output times that were passed."""

        def due(output: Array) -> Array:
            return (self.times[output] <= after.t) & (after.t > before.t) & (index < path.shape[1])

        def put(state: tuple[Array, Array]) -> tuple[Array, Array]:
            path, output = state
            weights = rodas.weights_at((self.times[output] - before.t) / step.h)
            n = before.n + sum(w * step.k[i] for i, w in enumerate(weights))
            row = jnp.where(due(output), output, path.shape[0])
            return path.at[row, index].set(n.T, mode="drop"), output + due(output)

        return lax.while_loop(lambda state: jnp.any(due(state[1])), put, (path, before.output))


def _weighted(weights: np.ndarray, k: Sequence[Array]) -> Any:
    """Sum of the stages that are known."""
    return sum(float(weight) * some for weight, some in zip(weights, k, strict=False))


def _next(planned: Array, h: Array, miss: Array, good: Array) -> Array:
    """The next step, from what the last one missed; a short one up to a mark says nothing against a long one."""
    factor = jnp.clip(SAFETY * _fifth_root_inverse(miss), SHRINK, jnp.where(good, GROW, 0.5))
    found = h * jnp.where(jnp.isnan(miss), SHRINK, factor)
    return jnp.where(good & (factor >= 1), jnp.maximum(found, planned), found)


def _fifth_root_inverse(x: Array) -> Array:
    """$x^{-1/5}$ to some per cent, by dividing the exponent: it only sets the next step."""
    bits = lax.bitcast_convert_type(jnp.clip(x, 1e-30, 1e30), jnp.int64).astype(jnp.float64)
    one = float(1023 << 52)
    return lax.bitcast_convert_type((one - (bits - one) / 5).astype(jnp.int64), jnp.float64)
