r"""How populations of a linear network with constant rates change in time: $n(t) = e^{Kt} n(0)$, lane by lane.

The matrix is shifted so that nothing is negative, its exponential over a short time is a Taylor sum of terms that are
not negative, and squaring leads to the time asked for. The sum of each column, which is 1, is restored after every
step, so that an error cannot double with each squaring. Nothing is subtracted and no step is chosen by an estimate:
every population is right relative to itself, however stiff the rates.

Propagators are computed in float64 whatever the precision asked for: the errors of every squaring are doubled by the
next. Populations they are applied to may be float32.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxrate.solve import adjoint
from jaxrate.solve.lanes import Way
from jaxrate.solve.linalg import Pair, summed

SHORT = 0.25
"""Largest rate times the time that the Taylor sum covers."""

MARGIN = 10
"""Terms of the Taylor sum beyond the longest path between two levels.

An entry begins with the term of its shortest path, so truncation is judged from there: what is left out is below
SHORT**11/11! = 6e-15 of it. (A shorter time would need fewer terms, but rounding errors grow with the squarings.)
"""

LIMIT = 62
"""Squarings at most: rate times time up to 1e18."""

GROUP = 9
"""Turns of a loop that reverse mode takes together."""


@dataclass(frozen=True)
class Generator:
    """A rate matrix, split so that neither part is negative.

    Attributes:
        gain: Rates from one level to another [s^-1], shape (to, from, lane).
        loss: Sum of the rates out of each level [s^-1], shape (level, lane).
        way: How to compute.
    """

    gain: Array
    loss: Array
    way: Way

    @property
    def size(self) -> int:
        """Number of levels."""
        return self.loss.shape[0]

    @property
    def fastest(self) -> Array:
        """Largest loss [s^-1], the shift; shape (lane,)."""
        return jnp.max(lax.stop_gradient(self.loss), axis=0)

    def squarings(self, time: Any) -> Array:
        """Squarings that lead from a time that the Taylor sum covers to `time` [s]; shape (lane,)."""
        return jnp.clip(jnp.frexp(self.fastest * lax.stop_gradient(time) / SHORT)[1], 0, LIMIT)

    def reaches(self, time: Any) -> Array:
        """Which lanes get there, shape (lane,)."""
        return self.fastest * time <= SHORT * 2.0**LIMIT

    def shifted(self, time: Any) -> Array:
        """(K + shift) x time, not negative; shape (to, from, lane)."""
        left = jnp.eye(self.size)[:, :, None] * (self.fastest - self.loss)[None]
        return (self.gain + left) * time

    @property
    def order(self) -> int:
        """Of the Taylor sum, an odd number."""
        return (self.size - 1 + MARGIN) | 1


def generator(rates: Sequence[Any] | Array, pairs: Sequence[Pair], num_levels: int, way: Way) -> Generator:
    """The rate matrix of transitions.

    Args:
        rates: Rate of each transition [s^-1], shape (lane,) or (); or all of them, (transition, lane).
        pairs: (to, from) of each; several may be the same.
        num_levels: Number of levels.
        way: How to compute.
    """
    cells = [i * num_levels + j for i, j in pairs]
    if isinstance(rates, Array):
        gain = summed(rates, cells, num_levels**2)
    else:
        gain = jnp.stack([_total(rates, cells, cell, way.lanes) for cell in range(num_levels**2)])
    gain = gain.reshape(num_levels, num_levels, way.lanes)
    return Generator(gain, jnp.sum(gain, axis=0), way)


def _total(rates: Sequence[Any], cells: Sequence[int], cell: int, lanes: int) -> Array:
    own = [rate for rate, other in zip(rates, cells, strict=True) if other == cell]
    return jnp.broadcast_to(sum(own[1:], own[0]), (lanes,)) if own else jnp.zeros(lanes)


def propagator(K: Generator, time: Any) -> Array:
    """Probability to be in one level a time after being in another: exp(K time), shape (to, from, lane)."""
    squarings = K.squarings(time)
    X = _short(K, _fraction(time, squarings))
    if K.way.mode == "reverse":
        return adjoint.doubled_back(X, squarings, LIMIT)
    return turns(jnp.max(squarings), partial(adjoint.doubled_once, times=squarings), X, K.way)


def _fraction(time: Any, squarings: Array) -> Array:
    """The time halved so many times, exactly."""
    return time * power_of_two(-squarings)


def power_of_two(exponent: Array) -> Array:
    """2**exponent in float64, exactly and by its bits; `jnp.ldexp` takes a power, lane after lane."""
    return lax.bitcast_convert_type((exponent.astype(jnp.int64) + 1023) << 52, jnp.float64)


def _short(K: Generator, time: Any) -> Array:
    """Propagator over a time that the Taylor sum covers; dividing by the sums of the columns takes the shift out."""
    taylor = adjoint.taylor_back if K.way.mode == "reverse" else adjoint.taylor
    return adjoint.normal(taylor(K.shifted(time), K.order))


def _squared(K: Generator, X: Array) -> Array:
    """A propagator over twice its time."""
    return adjoint.normal(product(K, X, X))


def product(K: Generator, A: Array, B: Array) -> Array:
    """Matrix product lane by lane; B may have any number of columns."""
    return (adjoint.product_back if K.way.mode == "reverse" else adjoint.product)(A, B)


def turns(count: Array, step: Callable[[Array, Any], Any], state: Any, way: Way) -> Any:
    """A loop of `count` turns, at most `LIMIT` + 1.

    Reverse mode needs a number that is known beforehand. There it is a loop over groups of turns; those above `count`
    are left out, and what happens within a group is computed again on the way back instead of being kept.
    """
    if way.mode == "forward":
        return lax.fori_loop(0, count, step, state)

    def turn(state: Any, k: Array) -> tuple[Any, None]:
        return lax.cond(k < count, step, _idle, k, state), None

    def group(first: Array, state: Any) -> Any:
        return lax.scan(turn, state, first + jnp.arange(GROUP))[0]

    def maybe(state: Any, first: Array) -> tuple[Any, None]:
        return lax.cond(first < count, group, _idle, first, state), None

    return lax.scan(jax.checkpoint(maybe), state, jnp.arange(0, LIMIT + 1, GROUP))[0]


def _idle(_: Array, state: Any) -> Any:
    return state


def applied(K: Generator, X: Array, n: Array) -> Array:
    """Populations after a propagator, in their own precision; shape (level, lane)."""
    return product(K, X.astype(n.dtype), n[:, None])[:, 0]


def at_times(K: Generator, n: Array, times: Array) -> Array:
    r"""Populations at any times, all at once.

    Every time is a sum of halves, quarters ... of the last one, down to one that the Taylor sum covers: on the way
    from there to the last time each propagator is applied to the times whose sum it is part of.

    Args:
        K: The rate matrix.
        n: Populations at time 0, shape (level, lane).
        times: Increasing, the last one above 0 [s], shape (time,).

    Returns:
        Shape (level, time, lane).
    """
    last, part, n = times[-1], times / times[-1], n.astype(K.way.dtype)
    squarings = K.squarings(last)
    top = jnp.max(squarings)
    digits = jnp.floor(lax.stop_gradient(part) * power_of_two(jnp.arange(LIMIT + 1))[:, None]) % 2 == 1
    short = _fraction(last, squarings)
    scaled = part[:, None] * power_of_two(squarings)
    rest = scaled - lax.stop_gradient(jnp.floor(scaled))

    def step(k: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        n, X = state
        halvings = top - k
        ready = halvings <= squarings
        digit = lax.dynamic_index_in_dim(digits, halvings, 0, keepdims=False)
        after = product(K, X.astype(n.dtype), n)
        return jnp.where(digit[:, None] & ready, after, n), jnp.where(ready, _squared(K, X), X)

    state = _within(K, n, short, rest), _short(K, short)
    return turns(top + 1, step, state, K.way)[0]


def _within(K: Generator, n: Array, time: Array, part: Array) -> Array:
    """Populations after parts of a time that the Taylor sum covers, shape (level, time, lane)."""
    M, part = K.shifted(time), part.astype(n.dtype)

    def term(n: Array, k: Array) -> tuple[Array, Array]:
        return applied(K, M, n) / k, n

    last, terms = lax.scan(term, n, jnp.arange(1, K.order + 1, dtype=n.dtype))

    def step(k: Array, total: Array) -> Array:
        return total * part + lax.dynamic_index_in_dim(terms, K.order - 1 - k, 0, keepdims=False)[:, None]

    total = lax.fori_loop(0, K.order, step, jnp.broadcast_to(last[:, None], (n.shape[0], *part.shape)))
    return total * (jnp.sum(n, axis=0) / jnp.sum(total, axis=0))
