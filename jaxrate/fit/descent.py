"""Descent over lanes, for what least squares are not: any likelihood, by L-BFGS in coordinates of standard errors."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from jaxrate.fit.factor import factor, inverse
from jaxrate.fit.levenberg import Moment
from jaxrate.fit.likelihood import Likelihood
from jaxrate.fit.objective import FORWARD, Objective, Slope
from jaxrate.fit.problem import HELD, TURNS, OfFits, U
from jaxrate.solve.lanes import Way

CONVERGED = 1e-9
"""Distance from the minimum, in standard errors, at which a fit has ended."""
TRUSTED = 1e-6
"""The same, up to which a fit that rounding keeps from coming closer counts as converged."""
ROUNDING = 1e-15
"""Relative to the data: distances below are rounding."""
FLAT = 1e-9
"""Relative reduction of chi-squared below which it is too noisy to compare: slopes are compared instead."""
SUFFICIENT = 1e-4
"""Share of the reduction along the tangent that a step must bring."""
SHORTEST = 1e-10
"""Length of a step, relative to the whole one, at which a search along a direction is given up."""
FARTHEST = 3.0
"""Step of the logarithm of a parameter at most: a factor of 20."""
VANISHED = 1e-12
"""Share of the squared length of a column of the Jacobian: steps that leave less went where the parameter has lost its
effect, and are taken back."""

PROBE = 1e-3
"""Distance, in standard errors, over which curvature is taken from gradients."""
SADDLE = 1e-4
"""Negative curvature, relative to the usual, above which a lane has ended at a saddle."""

_LBFGS = optax.scale_by_lbfgs(memory_size=10, scale_init_precond=False)
"""The inverse Hessian begins as 1, which it nearly is in coordinates of standard errors."""


@dataclass(frozen=True)
class Descent(OfFits):
    """Kernel: a fit of any likelihood by L-BFGS from a start. Takes and gives what `LeastSquares` does.

    Args:
        layout: The fit.
        likelihood: Of the data.
    """

    likelihood: Likelihood

    @property
    def lane_bytes(self) -> int:
        """Memory of one fit."""
        num = self.layout.free.num
        return self.layout.lane_bytes + 8 * num * (24 + 3 * num)

    def __call__(self, base: Array, block: dict[str, Array], way: Way) -> dict[str, Array]:
        lower, upper = self.layout.free.bounds(self.layout.split(base)[0])
        box = Box(lower[:, None], upper[:, None], block[HELD] > 0, np.array(self.layout.free.logarithmic)[:, None])
        goal = Objective(self.layout, self.likelihood, base, block)
        end = descend(goal, block[U], box, block[TURNS][0])
        status = jnp.where(end.trusted, 0, 1).astype(jnp.int8)
        best = end.best
        return {"u": best.u, "square": best.square, "R": best.R, "turns": end.turns, "status": status}


class Box(NamedTuple):
    """Where parameters may go: bounds, which keep their value, and which are logarithms, (parameter, 1 or lane)."""

    lower: Array
    upper: Array
    held: Array
    logarithmic: np.ndarray

    def longest(self, step: Array) -> Array:
        """Share of a step that may be gone, shape (lane,)."""
        return 1 / jnp.maximum(jnp.max(jnp.where(self.logarithmic, jnp.abs(step), 0.0), axis=0) / FARTHEST, 1.0)

    def outward(self, u: Array, gradient: Array) -> Array:
        """Which parameters are at a bound that the fit presses against."""
        return ((u <= self.lower) & (gradient > 0)) | ((u >= self.upper) & (gradient < 0))


class Search(NamedTuple):
    """State of the iteration: the best so far, and how the next round begins."""

    best: Moment
    blocked: Array
    """Parameters at a bound that the last directions, if not the gradient, pointed out of."""
    reach: Array
    """Length of the first step, relative to the whole one."""
    offset: Array
    """Distance from the minimum in standard errors, were the model linear."""
    ended: Array
    trusted: Array
    turns: Array


class Walk(NamedTuple):
    """State of a round: L-BFGS in coordinates v, u = start + T v."""

    at: Slope
    v: Array
    gradient: Array
    direction: Array
    length: Array
    memory: Any
    clipped: Array
    steps: Array
    ended: Array
    turns: Array


def descend(goal: Objective, u: Array, box: Box, max_turns: Array) -> Search:
    r"""Minimise chi-squared from given starts.

    In rounds: each begins with the factor R of the normal equations there, takes coordinates $v$,
    $u = u_0 + R^{-1} v$, in which the curvature is about one and the gradient is the distance from the minimum in
    standard errors, and goes on by L-BFGS. Its first step is therefore that of Gauss and Newton (of Fisher's scoring,
    where the curvature is the expected one). A step that does not reduce chi-squared, or whose prediction is not
    finite, is shortened. Where the reduction would be rounding, the slope along the step must get smaller instead.

    Args:
        goal: What is minimised.
        u: Starts, shape (parameter, lane).
        box: Bounds, where a step ends, and parameters that are held.
        max_turns: Evaluations at most, shape (lane,).

    Returns:
        Where each lane ended, and whether it can be trusted: only if its gradient, by the curvature found there, is
        that of a minimum closer than 1e-6 standard errors, and chi-squared bends upwards.

    Source:
        Nocedal and Wright, *Numerical optimization* (2006), algorithm 7.5; Hager and Zhang, *A new conjugate gradient
        method with guaranteed descent and an efficient line search* (2005), for the approximate conditions at the end.
    """
    first, none = goal.moment(u), jnp.zeros(u.shape, bool)
    lost = ~jnp.isfinite(first.square)
    offset = jnp.linalg.norm(_free(first, box, none)[1], axis=0)
    fine, good = _compared(goal, first.square, offset)
    begin = Search(
        first, none, jnp.ones(u.shape[1]), offset, lost | fine, good & ~lost, jnp.ones(u.shape[1], jnp.int32)
    )

    def goes_on(search: Search) -> Array:
        return jnp.any(~search.ended & (search.turns < max_turns))

    end = lax.while_loop(goes_on, lambda search: _round(goal, search, box, max_turns), begin)
    return end._replace(trusted=end.trusted & _is_lowest(goal, end.best, box))


def _is_lowest(goal: Objective, best: Moment, box: Box) -> Array:
    """Whether chi-squared bends upwards in every direction, by differences of its gradient: no saddle is a minimum."""
    T = inverse(_free(best, box, jnp.zeros(best.u.shape, bool))[0])
    number, _ = goal.scale
    near = PROBE * jnp.sqrt(best.square / jnp.maximum(number, 1))
    near = jnp.where(jnp.isfinite(near) & (near > 0), near, PROBE)

    def one(k: Array, bends: Array) -> Array:
        ahead, behind = (goal.slope(best.u + sign * near * T[:, k]).gradient for sign in (1, -1))
        return bends.at[k].set(jnp.sum(T * (ahead - behind)[:, None], axis=0) / (2 * near))

    bends = jnp.moveaxis(lax.fori_loop(0, len(T), one, jnp.zeros_like(T)), -1, 0)
    return jnp.linalg.eigvalsh((bends + jnp.swapaxes(bends, 1, 2)) / 2)[:, 0] > -SADDLE


def _compared(goal: Objective, square: Array, offset: Array) -> tuple[Array, Array]:
    """Whether a distance is as small as wanted, and whether it is small enough."""
    number, data = goal.scale
    error, rounding = jnp.sqrt(square / jnp.maximum(number, 1)), ROUNDING * data
    return offset <= jnp.maximum(CONVERGED * error, rounding), offset <= jnp.maximum(TRUSTED * error, 10 * rounding)


def _free(moment: Moment, box: Box, blocked: Array) -> tuple[Array, Array]:
    """Factor and gradient in v of the parameters that may move; columns of the others are 0."""
    pressed = box.outward(moment.u, jnp.sum(moment.R * moment.c[:, None], axis=0))
    R = jnp.where(box.held | pressed | blocked, 0.0, moment.R)
    return factor(jnp.swapaxes(R, 0, 1), moment.c)


def _round(goal: Objective, search: Search, box: Box, max_turns: Array) -> Search:
    best = search.best
    walk = _walked(goal, search, box, max_turns)
    trial = goal.moment(walk.at.u)
    offset = jnp.linalg.norm(_free(trial, box, jnp.zeros_like(search.blocked))[1], axis=0)
    vanished = jnp.any(_squares(trial.R) < VANISHED * _squares(best.R), axis=0)
    flat = search.offset**2 <= FLAT * best.square
    smaller = (trial.square <= best.square * (1 + FLAT)) & (offset < 0.9 * search.offset)
    better = jnp.where(flat, smaller, trial.square < best.square) & ~vanished & ~search.ended
    kept = Moment(*(jnp.where(better, new, old) for new, old in zip(trial, best, strict=True)))
    offset = jnp.where(better, offset, search.offset)
    blocked = walk.clipped & ((best.u <= box.lower) | (best.u >= box.upper)) & ~better
    again = (vanished & (search.reach > SHORTEST)) | jnp.any(blocked & ~search.blocked, axis=0)
    fine, good = _compared(goal, kept.square, offset)
    return Search(
        best=kept,
        blocked=blocked,
        reach=jnp.where(better, jnp.minimum(10 * search.reach, 1.0), jnp.where(vanished, 0.1, 1.0) * search.reach),
        offset=offset,
        ended=search.ended | fine | ~(better | again),
        trusted=good & jnp.isfinite(kept.square),
        turns=jnp.where(search.ended, search.turns, walk.turns + 1),
    )


def _walked(goal: Objective, search: Search, box: Box, max_turns: Array) -> Walk:
    """A round of L-BFGS."""
    best = search.best
    R, c = _free(best, box, search.blocked)
    (num, lanes), T, v = c.shape, inverse(R), jnp.zeros_like(c)
    fresh = jax.vmap(_LBFGS.init, in_axes=-1, out_axes=-1)(v)
    direction, memory = _directed(fresh, v, c)
    start = Walk(
        at=Slope(best.u, jnp.sum(best.R * best.c[:, None], axis=0), best.square),
        v=v,
        gradient=c,
        direction=direction,
        length=search.reach,
        memory=memory,
        clipped=jnp.zeros(v.shape, bool),
        steps=jnp.zeros(lanes, jnp.int32),
        ended=search.ended,
        turns=search.turns,
    )
    many = 10 if num <= FORWARD else num  # a fresh factor costs as much as a step, or as many as parameters
    steps = jnp.where(search.reach < 1, 1, many)

    def goes_on(walk: Walk) -> Array:
        return jnp.any(~walk.ended & (walk.steps < steps) & (walk.turns < max_turns))

    def turn(walk: Walk) -> Walk:
        on = ~walk.ended & (walk.steps < steps) & (walk.turns < max_turns)
        return _chosen(on, _turn(goal, walk, box, T, fresh), walk)

    return lax.while_loop(goes_on, turn, start)


def _turn(goal: Objective, walk: Walk, box: Box, T: Array, fresh: Any) -> Walk:
    """One evaluation: a step that is taken, or shortened."""
    at, whole = walk.at, jnp.sum(T * walk.direction, axis=1)
    length = jnp.minimum(walk.length, box.longest(whole))
    whole = at.u + length * whole
    there = jnp.clip(whole, box.lower, box.upper)
    clipped, step = there != whole, there - at.u
    trial = goal.slope(there)
    expected, slope = (2 * jnp.sum(gradient * step, axis=0) for gradient in (at.gradient, trial.gradient))
    flat = jnp.abs(expected) <= FLAT * at.square
    flatter = (trial.square <= at.square * (1 + FLAT)) & (jnp.abs(slope) <= 0.9 * jnp.abs(expected))
    lower = trial.square <= at.square + SUFFICIENT * expected
    better = jnp.isfinite(trial.square) & (expected < 0) & jnp.where(flat, flatter, lower)
    taken = _stepped(walk, trial, T, length, fresh)
    excess = trial.square - at.square - expected
    ratio = jnp.where(excess > 0, -expected / (2 * jnp.where(excess > 0, excess, 1.0)), 0.5)
    shorter = length * jnp.clip(ratio, 0.1, 0.5)
    stuck = ~better & (flat | (expected >= 0) | (shorter < SHORTEST))
    fine, _ = _compared(goal, trial.square, jnp.linalg.norm(taken.gradient, axis=0))
    ended = stuck | (better & (fine | jnp.any(clipped, axis=0)))
    kept = _chosen(better, taken, walk._replace(length=shorter))
    return kept._replace(clipped=clipped, ended=ended, turns=walk.turns + 1)


def _stepped(walk: Walk, trial: Slope, T: Array, length: Array, fresh: Any) -> Walk:
    """After a step was taken: the next direction. Where the curvature along it was negative, memory begins anew."""
    v = walk.v + length * walk.direction
    gradient = jnp.sum(T * trial.gradient[:, None], axis=0)
    curved = jnp.sum((gradient - walk.gradient) * (v - walk.v), axis=0) > 0
    direction, memory = _directed(_chosen(curved, walk.memory, fresh), v, gradient)
    one = jnp.ones_like(length)
    return walk._replace(
        at=trial, v=v, gradient=gradient, direction=direction, length=one, memory=memory, steps=walk.steps + 1
    )


def _directed(memory: Any, v: Array, gradient: Array) -> tuple[Array, Any]:
    """Direction of L-BFGS, or of the gradient where rounding has turned that uphill."""
    update: Any
    update, memory = jax.vmap(_LBFGS.update, in_axes=-1, out_axes=-1)(gradient, memory, v)
    downhill = jnp.sum(update * gradient, axis=0) > 0
    return -jnp.where(downhill, update, gradient), memory


def _chosen(which: Array, new: Any, old: Any) -> Any:
    """One or the other, lane by lane."""
    return jax.tree.map(lambda a, b: jnp.where(which, a, b), new, old)


def _squares(R: Array) -> Array:
    return jnp.sum(R * R, axis=0)
