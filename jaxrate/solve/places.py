"""Lanes of unequal work, passed through a fixed number of places.

A loop over a whole block would turn until its slowest lane is done, with all the others along. Here a lane that is
done makes room for the next one, so a slow lane keeps one place busy. What becomes of a lane depends on that lane
alone: not on its place, nor on who is in the others.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

PLACES = 128
"""Lanes that are worked on together: enough to hide the calls between the loops over them, few enough for the cache."""

Inputs = dict[str, Array]
"""What a lane needs, each (..., lane)."""


def through_places(
    inputs: Mapping[str, Array],
    lanes: int,
    begin: Callable[[Inputs], Any],
    turn: Callable[[Inputs, Any, Array, Any], tuple[Any, Array, Any]],
    results: Any,
) -> Any:
    """Work on every lane until it is done.

    Args:
        inputs: Of all lanes, each (..., lane).
        lanes: Number of lanes.
        begin: First state of lanes, a tree of arrays (..., place), from their inputs.
        turn: One piece of work, from inputs, state, numbers of the lanes (place,) and results; gives the state,
            which lanes are done, and the results with what was written. The number is `lanes` or more in an empty
            place, so that with mode="drop" nothing is written for it.
        results: Arrays in which `turn` writes.

    Returns:
        The results.
    """
    inputs = dict(inputs)
    places = min(PLACES, lanes)
    first = {name: a[..., :places] for name, a in inputs.items()}

    def refilled(done: Array, following: Array, index: Array, here: Inputs, state: Any) -> tuple:
        number = following + jnp.cumsum(done, dtype=jnp.int32) - 1
        index = jnp.where(done, number, index)
        taken = jnp.minimum(index, lanes - 1)
        here = {name: jnp.where(done, a[..., taken], here[name]) for name, a in inputs.items()}
        state = jax.tree.map(lambda new, old: jnp.where(done, new, old), begin(here), state)
        return following + jnp.sum(done, dtype=jnp.int32), index, here, state

    def body(carry: tuple) -> tuple:
        following, index, here, state, results = carry
        state, done, results = turn(here, state, index, results)
        done = done & (index < lanes)
        kept = lax.cond(jnp.any(done), refilled, lambda _, *same: same, done, following, index, here, state)
        return *kept, results

    carry = (jnp.int32(places), jnp.arange(places, dtype=jnp.int32), first, begin(first), results)
    return lax.while_loop(lambda carry: jnp.any(carry[1] < lanes), body, carry)[-1]
