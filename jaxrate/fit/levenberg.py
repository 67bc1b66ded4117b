"""Levenberg-Marquardt over lanes: every lane is a fit with a damping and an end of its own."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxrate.fit.orthogonal import substituted, triangular

FIRST_DAMPING = 1e-2
"""Damping to begin with, relative to the squared length of each column of the Jacobian."""
CONVERGED = 1e-10
"""Cosine of the angle between the residuals and what the parameters can change of them, at which a fit has ended."""
ROUNDING = 1e-15
"""Relative to the data: residuals below are rounding."""
EXACT = 1e-13
"""The same for what is solved rather than written down: a fit that close to its data counts as converged."""
TRUSTED = 1e-7
"""The same cosine, up to which a fit that rounding keeps from coming closer counts as converged."""
FLAT = 1e-9
"""Relative reduction of the sum of squares, of the step without damping, below which it is too noisy to compare: the
gradient is compared instead."""
LOST = 1e-9
"""Change of the predictions, over the length of the residuals, below which all the range of a parameter is as good."""
STEEP = 1e12
"""Damping at which no step is left."""
GROWTH = 4.0
"""Factor of the damping after a step that is rejected."""
MOST_EASED = 0.1
"""Least factor of the damping after a step that is taken."""
UNDAMPED, RELEASE = 1e-8, 1e-3
"""Damping that counts as none, and its factor where the sum of squares is flat but a damped step brought nothing."""
VANISHED = 1e-12
"""Share of the squared length of a column of the Jacobian: a step that leaves less of it went where the parameter has
no effect any more, and from where no step leads back."""


class Moment(NamedTuple):
    """Where a lane stands.

    Attributes:
        u: Parameters, shape (parameter, lane).
        R, c: Triangular factor of the Jacobian and the right-hand side, shapes (parameter, parameter, lane) and
            (parameter, lane).
        square: Sum of squares, shape (lane,); infinite where there is no prediction.
    """

    u: Array
    R: Array
    c: Array
    square: Array


Evaluate = Callable[[Array], Moment]
"""The fit at given parameters."""


class Search(NamedTuple):
    """State of the iteration."""

    best: Moment
    scale: Array
    damping: Array
    angle: Array
    ended: Array
    turns: Array


def levenberg(
    evaluate: Evaluate, u: Array, lower: Array, upper: Array, held: Array, data: Array, max_turns: Array
) -> tuple[Moment, Array, Array]:
    r"""Least squares from given starts: $(J^TJ + \lambda D^2)\,s = -J^Tr$, solved by its triangular factor.

    D holds the largest length that each column of J has had. A step that does not reduce the sum of squares, or whose
    prediction is not finite, is rejected; the damping follows the ratio of actual and expected reduction. Where a
    reduction would be rounding, a step must reduce the gradient instead, so that the last digits are found too.

    Args:
        evaluate: The fit at given parameters.
        u: Starts, shape (parameter, lane).
        lower, upper: Bounds, shape (parameter, 1); a step ends at them.
        held: Which parameters keep their value, shape (parameter, lane).
        data: Length of the weighted data, shape (lane,), which rounding is measured by.
        max_turns: Evaluations at most, shape (lane,).

    Returns:
        Where each lane ended, whether it has converged and after how many evaluations, shapes (lane,). A lane that
        did not converge is the best it has seen.

    Source:
        Moré, *The Levenberg-Marquardt algorithm* (1978), for the scaling; Nielsen, *Damping parameter in Marquardt's
        method* (1999), equation 2.4, for the damping; Bates and Watts, *A relative offset orthogonality convergence
        criterion for nonlinear least squares* (1981), for the end.
    """
    num, lanes = u.shape
    nowhere = Moment(u, jnp.zeros((num, num, lanes)), jnp.zeros_like(u), jnp.full(lanes, jnp.inf))
    start = Search(  # the first turn's step is zero and leads to the start: there is one evaluation to compile
        best=nowhere,
        scale=jnp.zeros_like(u),
        damping=jnp.full(lanes, FIRST_DAMPING / MOST_EASED),
        angle=jnp.full(lanes, jnp.inf),
        ended=jnp.zeros(lanes, bool),
        turns=jnp.zeros(lanes, jnp.int32),
    )

    def turn(search: Search) -> Search:
        return _turn(evaluate, search, lower, upper, held, data)

    def goes_on(search: Search) -> Array:
        return jnp.any(~search.ended & (search.turns < max_turns))

    end = lax.while_loop(goes_on, turn, start)
    rounding = ROUNDING * data / jnp.sqrt(jnp.maximum(end.best.square, jnp.finfo(data.dtype).tiny))
    is_exact = jnp.sqrt(end.best.square) <= EXACT * data
    converged = (end.angle <= jnp.maximum(TRUSTED, rounding)) | is_exact
    converged = converged & jnp.isfinite(end.best.square)
    return end.best, converged, end.turns


def _turn(evaluate: Evaluate, search: Search, lower: Array, upper: Array, held: Array, data: Array) -> Search:
    best, damping = search.best, search.damping
    free = _free(best, lower, upper, held)
    scale = jnp.where(search.scale > 0, search.scale, 1.0)
    step = _step(best, free, damping * scale)
    there = jnp.clip(best.u + step, lower, upper)
    step = there - best.u
    trial = evaluate(there)
    expected = -_expected(best, step)
    angle = _angle(trial, _free(trial, lower, upper, held))
    flat = search.angle**2 <= FLAT
    lower_gradient = (trial.square <= best.square * (1 + FLAT)) & (angle < 0.9 * search.angle)
    vanished = jnp.any(free & (_squares(trial.R) < VANISHED * _squares(best.R)), axis=0)
    better = jnp.where(flat, lower_gradient, trial.square < best.square) & ~vanished & ~search.ended
    ratio = (best.square - trial.square) / jnp.where(expected > 0, expected, 1.0)
    eased = jnp.where(flat, MOST_EASED, jnp.clip(1 - (2 * ratio - 1) ** 3, MOST_EASED, 2.0))
    damped = flat & (damping > UNDAMPED)
    stuck = ~better & ~damped & (flat | (damping > STEEP) | ~jnp.any(step != 0, axis=0))
    kept = Moment(*(jnp.where(better, new, old) for new, old in zip(trial, best, strict=True)))
    angle = jnp.where(better, angle, search.angle)
    return Search(
        best=kept,
        scale=jnp.where(better, jnp.maximum(search.scale, _squares(trial.R)), search.scale),
        damping=damping * jnp.where(better, eased, jnp.where(damped, RELEASE, GROWTH)),
        angle=angle,
        ended=search.ended | stuck | (angle <= CONVERGED) | (angle * jnp.sqrt(kept.square) <= ROUNDING * data),
        turns=search.turns + ~search.ended,
    )


def _squares(R: Array) -> Array:
    """Squared length of each column of the Jacobian, shape (parameter, lane)."""
    return jnp.sum(R * R, axis=0)


def _free(moment: Moment, lower: Array, upper: Array, held: Array) -> Array:
    """Which parameters may move: not held, nor at a bound that the fit presses against, nor without any effect."""
    gradient = jnp.sum(moment.R * moment.c[:, None], axis=0)
    pressed = ((moment.u <= lower) & (gradient > 0)) | ((moment.u >= upper) & (gradient < 0))
    reach = jnp.where(jnp.isfinite(upper - lower), upper - lower, jnp.inf)
    lost = jnp.sqrt(_squares(moment.R)) * reach <= LOST * jnp.sqrt(moment.square)
    return ~held & ~pressed & ~lost


def _step(moment: Moment, free: Array, damping: Array) -> Array:
    num = moment.u.shape[0]
    columns = jnp.swapaxes(jnp.where(free, moment.R, 0.0), 0, 1)
    damped = jnp.sqrt(damping)[:, None] * jnp.eye(num)[:, :, None]
    right = jnp.concatenate([moment.c, jnp.zeros_like(moment.c)])
    return jnp.where(free, -substituted(*triangular(jnp.concatenate([columns, damped], axis=1), right)), 0.0)


def _expected(moment: Moment, step: Array) -> Array:
    """Change of the sum of squares by a step, were the model linear."""
    change = jnp.sum(moment.R * step, axis=1)
    return jnp.sum((2 * moment.c + change) * change, axis=0)


def _angle(moment: Moment, free: Array) -> Array:
    """Cosine of the angle between the residuals and the space that the free parameters span."""

    def of_the_free() -> Array:
        return triangular(jnp.swapaxes(jnp.where(free, moment.R, 0.0), 0, 1), moment.c)[1]

    within = lax.cond(jnp.all(free), lambda: moment.c, of_the_free)
    square = jnp.where(moment.square > 0, moment.square, 1.0)
    return jnp.sqrt(jnp.sum(within * within, axis=0) / square)
