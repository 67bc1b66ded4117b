r"""Light of both directions: Newton's method on the population profile.

The unknowns are the populations at Chebyshev nodes, and every channel is integrated exactly through them:
$F(x) = x - x_{local}\!\left(r(P(x))\right) = 0$. Powers run over ten decades and depend on each other exponentially;
populations are between 0 and 1 and smooth. Grids are refined until the output powers hold still.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxrate.propagate import nodes
from jaxrate.propagate.medium import Medium
from jaxrate.propagate.newton import Found, newton, populations, residual
from jaxrate.propagate.stream import light, turned

LADDER = (13, 25, 49, 193)
"""Nodes of the grids."""

LASING = 1e-3
"""One minus the round trip, below which light between two reflections is that of a laser: not described here."""

FASTEST = 0.01
"""Share of the last change of the powers that their error is said to be at least: grids of a Gauss rule of order 8,
twice as fine, gain 2^-8."""

NEGLIGIBLE = 1e-6
"""Spontaneous light below this share of what the medium emits over a length of absorption, were all of it excited, is
found with the error of that: where nothing is excited, populations are known to rounding of the greatest one."""

SAFETY = 10.0
"""The last two changes of the powers forecast the next one; the error is said to be so many times greater."""


class Profile(NamedTuple):
    """Light and populations along one amplifier.

    Args:
        populations: Shape (level, position).
        powers: Powers [W], shape (channel, position).
        entering: Power of a channel where it enters, with what is reflected there [W], shape (channel,).
        leaving: Power of a channel where it leaves, with what is reflected back there [W], shape (channel,).
        error: Estimated relative error of the powers that leave, the worst of all channels, shape ().
        nodes: Nodes of the last grid, shape ().
        steps: Steps of Newton's method on all grids, shape ().
        found: Whether it converged and `error` is within the tolerance, shape ().
        lasing: Whether it would lase between its reflections, shape ().
    """

    populations: Array
    powers: Array
    entering: Array
    leaving: Array
    error: Array
    nodes: Array
    steps: Array
    found: Array
    lasing: Array


class _Climb(NamedTuple):
    """What a finer grid starts from: populations, pseudo-time, powers that left, their last change, steps so far."""

    x: Array
    time: Array
    left: Array
    change: Array
    steps: Array


def solve(medium: Medium, rtol: float, positions: np.ndarray) -> Profile:
    """Light and populations of one amplifier, differentiable by the arrays of `medium` in both modes.

    Args:
        medium: The amplifier.
        rtol: Relative error of every output power.
        positions: Where the results are wanted, as fractions of the length, 0 and 1 among them, the same from either
            end.

    Returns:
        Not to be used where `found` is false or `lasing` is true.
    """
    at = tuple(float(z) for z in positions)
    dark = _fixed(medium, LADDER[0])
    start, _ = dark.local(jnp.zeros((medium.drive.shape[0], LADDER[0])))
    num = medium.gain.shape[0]
    begin = _Climb(
        start[np.array(medium.reduced[0])],
        jnp.asarray(1.0),
        jnp.ones(num),
        jnp.asarray(jnp.inf),
        jnp.int32(0),
    )
    return _climbed(medium, 0, begin, rtol, at)


def _climbed(medium: Medium, rung: int, start: _Climb, rtol: float, at: tuple[float, ...]) -> Profile:
    """Solution on a grid, or on a finer one where that is not good enough."""
    num = LADDER[rung]
    found = newton(_fixed(medium, num), nodes.grid(num), start.x, start.time)
    change = _change(lax.stop_gradient(medium), found.left, start.left) if rung else jnp.asarray(jnp.inf)
    error = change * jnp.clip(SAFETY * change / start.change, FASTEST, 1.0) if rung > 1 else change
    good, steps = found.converged & (error <= rtol), start.steps + found.steps

    def finished() -> Profile:
        return _finished(medium, num, found, error, steps, good, at)

    def finer() -> Profile:
        up = nodes.interpolation(num, nodes.grid(LADDER[rung + 1]).nodes)
        time = jnp.where(found.converged, 1e12, 1.0)
        return _climbed(medium, rung + 1, _Climb(found.x @ up.T, time, found.left, change, steps), rtol, at)

    return finished() if rung + 1 == len(LADDER) else lax.cond(good, finished, finer)


def _fixed(medium: Medium, num: int) -> Medium:
    """The same without derivatives, also of what `local` closes over."""
    rates = jnp.zeros((medium.drive.shape[0], num))
    local, closed_over = jax.closure_convert(medium.local, rates)
    held = lax.stop_gradient(closed_over)
    arrays = lax.stop_gradient(medium)
    return Medium(lambda r: local(r, *held), *(getattr(arrays, f) for f in _ARRAYS))


_ARRAYS = [
    "gain", "noise", "loss", "drive", "launched", "length", "reflection", "forward", "partner", "reduced",
]  # fmt: skip


def _change(medium: Medium, now: Array, before: Array) -> Array:
    """Greatest relative change of a power; spontaneous light that is negligible counts as what is just not."""
    absorbed = jnp.max(jnp.abs(medium.gain), axis=1) * medium.length
    whole = jnp.max(medium.noise, axis=1) * medium.length / (1 + absorbed)
    size = jnp.minimum(now, before) + NEGLIGIBLE * whole
    relative = jnp.where(size > 0, jnp.abs(now - before) / jnp.where(size > 0, size, 1.0), jnp.inf)
    return jnp.max(jnp.where(now == before, 0.0, relative))


def _finished(
    medium: Medium, num: int, found: Found, error: Array, steps: Array, good: Array, at: tuple[float, ...]
) -> Profile:
    """Results; one more step of Newton's method, which changes nothing, has the derivative of the solution."""
    grid = nodes.grid(num, tuple(sorted(at)))
    F, *_ = residual(medium, nodes.grid(num), found.x)
    x = found.x - jnp.linalg.solve(found.jacobian, F.ravel()).reshape(F.shape)
    lit = light(medium, grid, populations(medium, x))
    powers = turned(medium, lit.powers)[:, np.abs(np.subtract.outer(grid.places, at)).argmin(axis=0)]
    n, local = medium.local(medium.drive @ powers)
    lasing = jnp.any((medium.partner >= 0) & (lit.closed < LASING)) | (~found.converged & found.lasing)
    return Profile(
        populations=n,
        powers=powers,
        entering=lit.entering,
        leaving=lit.powers[:, -1],
        error=error,
        nodes=jnp.int32(num),
        steps=steps,
        found=good & jnp.all(local) & ~lasing,
        lasing=lasing,
    )
