"""MACHINE: what the device can do, of which every other job takes its share: copies of memory, and multiply-adds.

On a CPU every core has a call of its own, in vectors as wide as it has them, as jaxrate works; on an accelerator one
call has all the numbers.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.ensembles import DTYPES, in_precision, is_remote
from benchmarks.measure import Case, Reading, num_cores, read
from jaxrate.solve.lanes import WIDE

COPY, RATE = "copy", "multiply-adds"
BLOCK = 4096
"""Numbers that a core works on together: 32 kB and less, of its first-level cache."""
CHAINS, LENGTH = 8, 64
"""Multiply-adds of a number: so many side by side, that none waits for another, and one after the other."""
BLOCKS = 2**10
"""On an accelerator so many times more numbers are worked on together."""
COPIES = 64
"""On an accelerator so many copies follow each other, or starting one would take as long as it does."""
TURNS = 2**16
"""One turn over the multiply-adds for so many numbers of the job."""


def machine(lanes: int) -> list[Case]:
    """MACHINE: bandwidth of a copy of so many numbers, and the rate of multiply-adds."""
    return [case(dtype, lanes) for dtype in DTYPES for case in (copy, multiply_adds)]


def num_parts() -> int:
    """Calls side by side."""
    return 1 if is_remote() else num_cores()


def block() -> int:
    """Numbers in the block of a call."""
    return BLOCKS * BLOCK if is_remote() else BLOCK


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(num_parts())


def _jit(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    return jax.jit(function, compiler_options=None if is_remote() else WIDE, **options)


def together(call: Callable[[int], Any]) -> list[Any]:
    """Results of all parts, worked on side by side."""
    return jax.block_until_ready(list(_threads().map(call, range(num_parts()))))


def copy(dtype: str, lanes: int) -> Case:
    """Bytes read and written a second, of arrays far larger than any cache, into memory that was used before."""
    one = min(BLOCK, max(1, lanes // num_parts()))
    size = max(1, lanes // num_parts() // one) * one
    run = _jit(partial(copied, size if is_remote() else one), donate_argnums=1, keep_unused=True)

    def parts() -> Sequence[list[Any]]:
        with jax.enable_x64(dtype == "float64"):
            numbers = np.linspace(1, 2, size, dtype=dtype)
            return [[jnp.array(numbers), jnp.zeros(size, dtype), jnp.ones((), dtype)] for _ in range(num_parts())]

    kept, copies = cache(parts), COPIES if is_remote() else 1

    def part(i: int) -> None:
        source, last, scale = kept()[i]
        with jax.enable_x64(dtype == "float64"):
            for _ in range(copies):
                last = run(source, last, scale)
        kept()[i][1] = jax.block_until_ready(last)

    def call() -> Reading:
        kept()
        reading = read(lambda: together(part))
        moved = 2 * np.dtype(dtype).itemsize * size * num_parts() * copies
        return replace(reading, output=None, facts={"bandwidth": moved / reading.seconds})

    def error(_: Any) -> float:
        return max(float(jnp.max(jnp.abs(last / source - 1))) for source, last, _ in kept())

    return Case(
        "MACHINE", COPY, dtype, size * num_parts() * copies, in_precision(dtype, call), in_precision(dtype, error)
    )


def copied(one: int, source: jax.Array, last: jax.Array, scale: jax.Array) -> jax.Array:
    """The source times one, block by block, where `last` was."""
    if one == source.size:
        return source * scale

    def step(k: jax.Array, to: jax.Array) -> jax.Array:
        part = lax.dynamic_slice_in_dim(source, k * one, one) * scale
        return lax.dynamic_update_slice_in_dim(to, part, k * one, 0)

    return lax.fori_loop(0, source.size // one, step, last)


def multiply_adds(dtype: str, lanes: int) -> Case:
    """Operations a second, two to a multiply-add, of numbers that stay in registers from one to the next."""
    size, turns = min(lanes, block()), max(1, lanes // TURNS)
    run = _jit(chained, static_argnums=2)

    def numbers() -> list[jax.Array]:
        with jax.enable_x64(dtype == "float64"):
            return [jnp.ones(size, dtype), jnp.linspace(0.25, 0.75, CHAINS, dtype=dtype)]

    given = cache(numbers)

    def part(_: int) -> jax.Array:
        with jax.enable_x64(dtype == "float64"):
            return run(*given(), turns)

    def call() -> Reading:
        given()
        reading = read(lambda: together(part))
        operations = 2 * CHAINS * LENGTH * size * turns * num_parts()
        return replace(reading, facts={"rate": operations / reading.seconds})

    def error(found: Sequence[jax.Array]) -> float:
        return max(float(np.max(np.abs(np.asarray(numbers) - 1))) for numbers in found)

    return Case("MACHINE", RATE, dtype, size * turns * num_parts(), in_precision(dtype, call), error)


def chained(x: jax.Array, share: jax.Array, turns: int) -> jax.Array:
    r"""Chains of $x \leftarrow a x + (1 - a)$, whose fixed point is where they start, and their mean."""

    def turn(_: Any, x: jax.Array) -> jax.Array:
        chains = [x] * CHAINS
        for _ in range(LENGTH):
            chains = [share[i] * chain + (1 - share[i]) for i, chain in enumerate(chains)]
        return sum(chains[1:], chains[0]) * (1 / CHAINS)

    return lax.fori_loop(0, turns, turn, x)
