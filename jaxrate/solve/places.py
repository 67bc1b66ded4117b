"""Lanes of unequal work, passed through a fixed number of places.

A loop over a whole block would turn until its slowest lane is done, with all the others along. Here a lane that is
done makes room for the next one, so a slow lane keeps one place busy and not the whole block. What becomes of a lane
depends on that lane alone: not on its place, nor on who is in the others.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

PLACES = 128
"""Lanes that are worked on together: enough to hide the calls between the loops over them, few enough for the cache."""

REMOTE_PLACES = 2**15
"""As many on an accelerator, which works on all of them at once."""

Inputs = dict[str, Array]
"""What a lane needs, each (..., lane)."""


def through_places(
    inputs: Mapping[str, Array],
    wanted: Array,
    begin: Callable[[Inputs], Any],
    turn: Callable[[Inputs, Any, Array, Any], tuple[Any, Array, Any]],
    results: Any,
) -> Any:
    """Work on every lane that is wanted until it is done.

    Args:
        inputs: Of all lanes, each (..., lane).
        wanted: Which lanes to work on, shape (lane,).
        begin: First state of lanes, a tree of arrays (..., place), from their inputs.
        turn: One piece of work, from inputs, state, numbers of the lanes (place,) and results; gives the state,
            which lanes are done, and the results with what was written. In an empty place the number is that of
            all lanes, so that with mode="drop" nothing is written for it.
        results: Arrays in which `turn` writes.

    Returns:
        The results.
    """
    inputs, lanes = dict(inputs), wanted.shape[0]
    places = min(PLACES if jax.default_backend() == "cpu" else REMOTE_PLACES, lanes)
    order = jnp.append(jnp.argsort(~wanted, stable=True), lanes).astype(jnp.int32)
    count = jnp.sum(wanted, dtype=jnp.int32)

    def taken(index: Array) -> Inputs:
        return {name: a[..., jnp.minimum(index, lanes - 1)] for name, a in inputs.items()}

    def refilled(done: Array, following: Array, index: Array, here: Inputs, state: Any) -> tuple:
        number = following + jnp.cumsum(done, dtype=jnp.int32) - 1
        index = jnp.where(done, order[jnp.where(number < count, number, lanes)], index)
        new = taken(index)
        here, state = jax.tree.map(lambda new, old: jnp.where(done, new, old), (new, begin(new)), (here, state))
        return following + jnp.sum(done, dtype=jnp.int32), index, here, state

    def body(carry: tuple) -> tuple:
        done, *kept, results = carry
        following, index, here, state = lax.cond(jnp.any(done), refilled, lambda _, *same: same, done, *kept)
        state, done, results = turn(here, state, index, results)
        return done & (index < lanes), following, index, here, state, results

    # The first lanes come in as all others do: the same program must make their state, to the last bit.
    empty = jnp.full(places, lanes, jnp.int32)
    nobody = jax.tree.map(
        lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(lambda i: (taken(i), begin(taken(i))), empty)
    )
    carry = (jnp.ones(places, bool), jnp.int32(0), empty, *nobody, results)
    busy = lambda carry: (carry[1] < count) | jnp.any((carry[2] < lanes) & ~carry[0])  # noqa: E731
    return lax.while_loop(busy, body, carry)[-1]
