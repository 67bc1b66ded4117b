"""What a thread keeps in memory is never read too late, and what C and NumPy must be told of integers."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxrate.solve.threads.code import Untranslatable
from jaxrate.solve.threads.operations import OPERATIONS
from tests.thread_machine import agree, drawn, executed, thread_of
from tests.tolerance import same


def test_what_was_read_before_it_was_overwritten():
    """A long array that is needed as it was: refused, never read too late."""

    def function(base: Any, x: Any) -> Any:
        long = lax.fori_loop(0, 90, lambda i, y: y.at[i].set(x * i), jnp.zeros((90, 1)))
        changed = lax.fori_loop(0, 90, lambda i, y: y.at[i].set(x), long)
        return long + changed

    with pytest.raises(Untranslatable, match="overwritten"):
        thread_of(function, np.zeros(1), x=drawn())


def written(x: Any) -> Any:
    """A long array in memory of the thread."""
    return lax.fori_loop(0, 90, lambda i, y: y.at[i].set(x * (i + 1)), jnp.zeros((90, 1)))


def after_a_branch(base: Any, x: Any) -> Any:
    """Only the branch that is not taken for x < 1 writes, and gives no array."""
    y = written(x)
    first = y[3]
    return lax.cond(x[0] > 1, lambda: x, lambda: y.at[3].set(0.0).sum(0)) + y[3] + first


def changed_and_as_it_was(base: Any, x: Any) -> Any:
    """A branch that gives an array as it was before the branch wrote there."""
    y = written(x)
    z, total = lax.cond(x[0] > 1, lambda: (y, x), lambda: (y, y.at[3].set(0.0).sum(0)))
    return z.sum(0) + total


def onto_itself(base: Any, x: Any) -> Any:
    """Every number one place on: what one turn writes the next would read."""
    y = written(x)
    return lax.dynamic_update_slice(y, y[:-1], (1, 0))


def in_every_turn(base: Any, x: Any) -> Any:
    """A turn changes a copy of what all turns find as it was."""
    y = written(x)
    return lax.fori_loop(0, 20, lambda i, total: total + y.at[i].set(0.0).sum(0), x)


def kept_in_every_turn(base: Any, x: Any) -> Any:
    """The same with the array among the state."""
    turn = lambda s: (s[0] + s[1].at[s[2]].set(0.0).sum(0), s[1], s[2] + 1)  # noqa: E731
    return lax.while_loop(lambda s: s[2] < 20, turn, (x, written(x), 0))[0]


@pytest.mark.parametrize(
    "function",
    [after_a_branch, changed_and_as_it_was, onto_itself, in_every_turn, kept_in_every_turn],
    ids=lambda f: f.__name__,
)
def test_what_would_be_read_too_late(function: Callable[..., Any]):
    with pytest.raises(Untranslatable, match="overw"):
        thread_of(function, np.zeros(1), x=drawn())


def test_branches_that_write_into_a_long_array():
    """One of them or both; what follows finds what was written."""

    def function(base: Any, x: Any) -> Any:
        y = lax.cond(x[0] > 1, lambda y: y.at[3].set(0.0), lambda y: y, written(x))
        z = lax.cond(x[0] > 2, lambda y: y.at[4].set(1.0), lambda y: y.at[5].set(2.0), y)
        return z.sum(0) + z[4]

    agree(function, np.zeros(1), x=drawn(), rtol=1e-13)


def divided(base: Any, x: Any) -> Any:
    """Integers: beyond what float64 tells apart, by zero, the least one by -1."""
    k = jnp.floor(x).astype(jnp.int64)
    least = k * 0 + np.iinfo(np.int64).min
    tops, bottoms = [k + 2**53, -k - 2**53, k, least, least + 7], [k * 0 + 1, k - 4, k * 0, k * 0 - 1, k * 0 + 10]
    made = [f(a, b) for f in (lax.div, lax.rem) for a, b in zip(tops, bottoms, strict=True)]
    return jnp.stack([*made, lax.div(k.astype(jnp.uint64), (k * 0).astype(jnp.uint64)).astype(jnp.int64)])


def test_division_of_integers():
    """As JAX does it, to the last digit."""
    x, base = drawn(), np.zeros(1)
    found = executed(thread_of(divided, base, x=x), base, {"x": x})["found"]
    with jax.enable_x64(True):
        same(found, np.asarray(divided(base, jnp.asarray(x))))
    constants = [OPERATIONS[name].compute(np.int64(2**62 + 1), np.int64(-3)) for name in ("div", "rem")]
    assert constants == [-(2**62 + 1) // 3 + 1, (2**62 + 1) % 3]


ONE_TEXT = """
import jax
import jax.numpy as jnp
from jaxrate.solve.threads.text import text
from jaxrate.solve.threads.translate import translated

def turned(base, block):
    a, b, c, d, e = (block["x"][k] for k in range(5))
    turn = lambda s: (s[4], s[0], s[1], s[2], s[3] * 2)
    return {"found": jax.lax.while_loop(lambda s: s[0][0] < 9, turn, (a, b, c, d, e))[0]}

one = jax.ShapeDtypeStruct((1,), "float32")
print(text(translated(turned, one, {"x": jax.ShapeDtypeStruct((5, 1), "float32")})))
"""


def test_the_text_is_the_same_in_every_process():
    """What was compiled once is found again on disk."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ONE_TEXT], env=os.environ | {"PYTHONHASHSEED": seed}, stdout=subprocess.PIPE
        )
        for seed in ("1", "2")
    ]
    first, second = (process.communicate()[0] for process in processes)
    assert b"for (;;)" in first
    assert first == second
