"""Newton's method on the populations at the nodes of one grid, from any start."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxrate.propagate.medium import Medium
from jaxrate.propagate.nodes import Grid
from jaxrate.propagate.response import jacobian, slopes
from jaxrate.propagate.stream import Light, light, turned

MAX_STEPS = 100
"""Steps on one grid, refused ones included."""

SMALL = 1e-7
"""Residual, as the nepers that it makes over the length, from which one more step is exact to rounding, with the
Jacobian that is already there."""

OUTSIDE = 1e-6
"""How far a population may leave the range from 0 to 1 on the way to the solution; less if that were many nepers."""

SHORTEST, SHORT, LONG = 1e-6, 1e-3, 10.0
"""Pseudo-times: where it is given up, from where a step is taken whatever it does, and at most after a refused one."""


class Found(NamedTuple):
    """A profile, and what is known about it.

    Args:
        x: Unknown populations, shape (unknown, node).
        residual: x less the populations that the light through it would make, shape (unknown, node).
        jacobian: Of the residual, next to x where it has converged.
        left: Powers that leave [W], shape (channel,).
        close: Whether the residual is small, shape ().
        converged: Whether one more step has been made from there, shape ().
        lasing: Whether the last step was refused because a round trip would have had gain, shape ().
        steps: Steps made, shape ().
    """

    x: Array
    residual: Array
    jacobian: Array
    left: Array
    close: Array
    converged: Array
    lasing: Array
    steps: Array


class _State(NamedTuple):
    """What is found, the pseudo-time of the next step and where it leads."""

    found: Found
    time: Array
    trial: Array


def populations(medium: Medium, x: Array) -> Array:
    """Populations that light sees, shape (level, node)."""
    _, expand, offset = medium.reduced
    return jnp.asarray(expand) @ x + offset[:, None]


def residual(medium: Medium, grid: Grid, x: Array) -> tuple[Array, Light, Array, Array]:
    """x less the populations under the light through it; the light; its rates; and whether all were found."""
    lit = light(medium, grid, populations(medium, x))
    rates = medium.drive @ turned(medium, lit.powers)
    n, found = medium.local(rates)
    return x - n[np.array(medium.reduced[0])], lit, rates, jnp.all(found)


def newton(medium: Medium, grid: Grid, start: Array, time: Array) -> Found:
    r"""Steps $(1/h + J)\,\delta = -F$ of a pseudo-time h, which grows as far as F follows its linear forecast.

    A step is refused where it leaves the range of populations, makes no number, or a round trip with gain.

    Args:
        medium: One amplifier.
        grid: Nodes of the profile.
        start: Populations to start from, shape (unknown, node).
        time: Pseudo-time of the first step: 1 from afar, very long for Newton's method itself.
    """
    no, size = jnp.asarray(False), start.size
    dark = jnp.zeros(medium.gain.shape[0])
    begin = Found(start, jnp.zeros_like(start), jnp.eye(size), dark, no, no, no, jnp.int32(0))

    def going(state: _State) -> Array:
        found = state.found
        return ~found.converged & (found.steps < MAX_STEPS) & (state.time > SHORTEST)

    def turn(state: _State) -> _State:
        after, time = _judged(medium, grid, state)
        step = jnp.linalg.solve(after.jacobian + jnp.eye(size) / time, -after.residual.ravel())
        return _State(after, time, after.x + step.reshape(start.shape))

    return lax.while_loop(going, turn, _State(begin, jnp.asarray(time, start.dtype), start)).found


def _judged(medium: Medium, grid: Grid, state: _State) -> tuple[Found, Array]:
    """The trial if it is good, else what was before; and the pseudo-time of the next step."""
    now, time, trial = state
    F, lit, rates, found = residual(medium, grid, trial)
    first, step = now.steps == 0, trial - now.x
    missed = jnp.max(jnp.abs(F + step / time)) / jnp.where(first, jnp.inf, jnp.max(jnp.abs(now.residual)))
    lasing = _lases(medium, lit)
    follows = first | now.close | (missed < 1) | (time < SHORT)
    good = (first | _is_legal(medium, trial)) & found & jnp.all(jnp.isfinite(F)) & ~lasing & follows
    J = lax.cond(
        good & ~now.close,
        lambda: jacobian(medium, grid, lit, slopes(medium.local, rates, medium.reduced[0])),
        lambda: now.jacobian,
    )
    nepers = _nepers(medium)
    close = good & (jnp.max(nepers * jnp.abs(F)) < SMALL) & (jnp.max(nepers * jnp.abs(step)) < 1e-2)
    longer = jnp.where(first, time, time * jnp.clip(0.5 / missed, 0.3, 50.0))
    longer = jnp.where(good, longer, jnp.minimum(time / 5, LONG))
    x, F = jnp.where(good, trial, now.x), jnp.where(good, F, now.residual)
    left = jnp.where(good, lit.powers[:, -1], now.left)
    after = Found(x, F, J, left, close | now.close, good & now.close, lasing, now.steps + 1)
    return after, jnp.where(after.close, jnp.inf, longer)


def _is_legal(medium: Medium, x: Array) -> Array:
    n, beyond = populations(medium, x), OUTSIDE * jnp.minimum(1.0, 10 / jnp.max(_nepers(medium)))
    return jnp.all((n > -beyond) & (n < 1 + OUTSIDE))


def _nepers(medium: Medium) -> Array:
    """What every unknown population does to the light over the whole length, shape (unknown, 1); at least 1.

    In a dilute medium populations are as small as densities are large: what counts is their product.
    """
    effect = jnp.abs(medium.gain @ jnp.asarray(medium.reduced[1])) * medium.length
    return jnp.maximum(jnp.max(effect, axis=0), 1.0)[:, None]


def _lases(medium: Medium, lit: Light) -> Array:
    """Whether light that is there at all would grow from one round trip to the next."""
    partner = medium.partner
    seeded = (medium.launched > 0) | jnp.any(medium.noise > 0, axis=1)
    return jnp.any((seeded | seeded[partner]) & (partner >= 0) & (lit.closed <= 0))
