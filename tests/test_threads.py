"""The code of a thread does what XLA does with the same program: number by number, loop by loop, bad lanes too."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxrate as jr
from benchmarks import lasers
from jaxrate.solve.lanes import _thread, run
from jaxrate.solve.threads.code import Code, If, Loop, Untranslatable, is_count
from jaxrate.solve.threads.text import text
from jaxrate.solve.threads.translate import Thread
from tests.media import four_level
from tests.thread_machine import agree, drawn, executed, thread_of
from tests.tolerance import close, same

Arrays = dict[str, np.ndarray]


NUMBERS: dict[str, Callable[..., Any]] = {
    "functions": lambda base, x: jnp.stack([jnp.exp(x), jnp.log(x), jnp.expm1(x), jnp.log1p(x), jnp.sqrt(x), x**0.3]),
    "angles": lambda base, x: jnp.stack([jnp.sin(x), jnp.cos(x), jnp.tanh(x), jnp.arctan(x), jnp.arctan2(x, 2 - x)]),
    "powers": lambda base, x: jnp.stack([x**2, x**3, x**7, x**-2, x**0, lax.rsqrt(x), jnp.square(x)]),
    "rounding": lambda base, x: jnp.stack([jnp.floor(x), jnp.ceil(x), -x % 0.7, jnp.sign(1 - x), jnp.abs(1 - x)]),
    "choices": lambda base, x: jnp.stack([jnp.where(x > 1, x, -1.0), jnp.clip(x, 0.5, 1.0), jnp.minimum(x, 2 - x)]),
    "nothing": lambda base, x: jnp.stack([jnp.isfinite(x / 0.0), jnp.isnan(jnp.maximum(jnp.nan, x))]).astype(float),
    "integers": lambda base, x: ((x * 100).astype(int) // 7 + (x * 100).astype(int) % 7 << 2).astype(float),
    "bits": lambda base, x: jnp.stack([jnp.frexp(x)[0], jnp.frexp(x)[1].astype(float)]),
    "single": lambda base, x: (x.astype(jnp.float32) * 0.1).astype(float),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name: str):
    agree(NUMBERS[name], np.zeros(1), x=drawn(), rtol=1e-14 if name != "single" else 1e-7)


def moved(base: Any, x: Any) -> Any:
    """Slices, joints and other shapes of a small array (4, 3, lane)."""
    turned = jnp.swapaxes(x, 0, 1)[::-1, 1:].reshape(9, -1)
    return jnp.concatenate([turned, jnp.stack([x[0, 0], x[-1, 2]]), jnp.pad(x[:1, 0], ((1, 0), (0, 0)))])


def taken(base: Any, x: Any) -> Any:
    """Sums, products and extremes."""
    sums = [x.sum((0, 1)), x.prod((0, 1)), x.max((0, 1)), x.min((0, 1)), jnp.all(x > 0, (0, 1)) * 1.0]
    places = [jnp.argmax(x[:, 0], 0) * 1.0, jnp.argmin(x[0], 0) * 1.0]
    return jnp.concatenate([jnp.stack([*sums, *places]), jnp.cumsum(x[:, 1], 0), jnp.array([[1.0, 2, 3, 4]]) @ x[:, 0]])


def looked_up(base: Any, x: Any) -> Any:
    """Reading and writing where the lane says."""
    k = jnp.floor(x[0, 0, 0]).astype(int)
    small = x[:, 1].at[k].set(7.0)
    table = jnp.array([1.0, 4.0, 9.0, 16.0])[k]
    out = lax.dynamic_slice_in_dim(x[:, 2], k + 2, 2, 0)  # at the end moved inside
    dropped = x[:, 0].at[k + 2].set(5.0, mode="drop")
    read = [x[k, 0][None], (table * base[k])[None, None], base[k + 40][None, None]]
    return jnp.concatenate([small, *read, out, dropped])


@pytest.mark.parametrize("function", [moved, taken, looked_up], ids=lambda f: f.__name__)
def test_small_arrays(function: Callable[..., Any]):
    agree(function, np.linspace(1, 2, 90), x=drawn(4, 3))


def joined(base: Any, x: Any) -> Any:
    """Long arrays in parts: padded, split, read backwards, summed."""
    long = jnp.concatenate([base[:70, None] * x[0, 0], jnp.pad(x[:, 1], ((2, 3), (0, 0)))])
    k = jnp.floor(x[0, 0, 0]).astype(int)
    twice = jnp.sum(jnp.broadcast_to(long[:, None], (79, 2, 1)), (0, 1))
    parts = [twice, long[k + 68], long[::-1][k], jnp.sum(long, 0), jnp.sum(long[::2] * base[::2, None][:40], 0)]
    low, high = jnp.split(long, [40])
    parts += [jnp.interp(x[1, 1], base, base**2), jnp.sum(long[jnp.arange(78, -1, -1) // 2] * base[:79, None], 0)]
    parts += [low[k], high[k]]
    return jnp.concatenate([jnp.stack(parts), x[:, 0].at[jnp.array([1, 1, 3])].add(k)])


def test_long_arrays():
    agree(joined, np.linspace(1, 2, 80), x=drawn(4, 3), rtol=1e-13)


def test_derivatives():
    """Reverse mode through a loop: what it keeps on the way is memory of the thread."""

    def function(base: Any, x: Any) -> Any:
        def turn(n: Any, t: Any) -> tuple:
            return n + t * jnp.sin(n) * x[1], jnp.stack([n, n**2])

        def total(x: Any) -> Any:
            return jnp.sum(lax.scan(lambda n, t: turn(n, t), x[0], base)[1][5:, 1])

        return jnp.stack([*jax.grad(total)(x), jax.jvp(total, (x,), (jnp.ones_like(x),))[1][None]])

    agree(function, np.linspace(0.01, 0.02, 80), x=drawn(2), rtol=1e-13)


def test_loops_end_when_their_lane_is_done():
    """Nested loops of unequal length, state that changes places, and a branch inside."""

    def function(base: Any, x: Any) -> Any:
        def inner(state: tuple) -> tuple:
            return state[0] * 1.3, state[1] + 1

        def outer(state: tuple) -> tuple:
            a, b, turns = state
            grown, more = lax.while_loop(lambda s: s[0][0] < 5, inner, (a, turns))
            return b, lax.cond(grown[0] > 6, lambda: grown / 7, lambda: grown / 5), more

        a, b, turns = lax.while_loop(lambda s: s[2] < 30, outer, (x[0], x[1], 0))
        return jnp.stack([a, b, jnp.full_like(a, turns)])

    agree(function, np.zeros(1), x=drawn(2), rtol=1e-13)


def test_what_every_turn_gives_is_written_where_it_belongs():
    """A scan of 150 turns over shared times: no memory of the thread's own, and NaN where a lane is bad."""

    def function(base: Any, x: Any) -> Any:
        def turn(n: Any, t: Any) -> tuple:
            return n * jnp.exp(-t * n), jnp.stack([n, n**2])

        last, path = lax.scan(turn, x, base)
        longer = jnp.concatenate([path, path[-1:] * 0 + last[None, None]])
        return jnp.where(x < 2, jnp.moveaxis(longer, 0, 1), jnp.nan)

    thread = agree(function, np.linspace(0, 1, 150), x=drawn())
    assert not thread.buffers


def test_a_number_known_not_to_be_negative():
    """A branch that is always taken is none: the counter of a loop is compared with zero as it is translated."""

    def function(base: Any, x: Any) -> Any:
        def turn(state: tuple) -> tuple:
            return lax.cond(state[1] >= 0, lambda y: y * 1.5, lambda y: y * 0, state[0]), state[1] + 1

        return lax.while_loop(lambda s: s[0][0] < 9, turn, (x, 0))[0]

    thread = agree(function, np.zeros(1), x=drawn())
    loop = next(s for s in thread.statements if isinstance(s, Loop))
    assert not any(isinstance(s, If) for s in loop.body)

    def falls(base: Any, x: Any) -> Any:
        def turn(state: tuple) -> tuple:
            return lax.cond(state[1] >= 0, lambda y: y * 1.5, lambda y: y + 1, state[0]), state[1] - 1

        return lax.while_loop(lambda s: s[0][0] < 9, turn, (x, 2))[0]

    agree(falls, np.zeros(1), x=drawn())


UNFIT: dict[str, Callable[..., Any]] = {
    "sorting": lambda base, x: jnp.sort(x, axis=0),
    "a long array made anew": lambda base, x: lax.fori_loop(0, 90, lambda i, y: y * x[0] + y[::-1], base[:, None]),
    "solving": lambda base, x: jnp.linalg.solve(x @ jnp.ones((1, 3)), x[:, 0])[:, None],
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_is_left_to_xla(name: str):
    with pytest.raises(Untranslatable):
        thread_of(UNFIT[name], np.ones(90), x=drawn(3))


def test_numbers_of_the_code():
    """Constants are told apart by type and by the sign of zero; NaN is itself."""
    code = Code()
    x = code.variable(np.float64)
    assert code.emit("add", x, np.float64(1)) is code.emit("add", x, np.float64(1))
    assert code.emit("pow", x, np.float64(0)) is not code.emit("pow", x, np.float64(-0.0))
    assert code.emit("max", x, np.float64(np.nan)) is code.emit("max", x, np.float64(np.nan))
    assert code.emit("mul", np.float64(2), np.float64(3)) == 6
    assert code.emit("mul", x, np.float64(1)) is x


def test_what_is_known_not_to_be_negative():
    """A number without a sign may lose its size where it gets one, and -1 is what a division by zero gives."""
    code = Code()
    x, n = code.variable(np.uint32), code.variable(np.int32, counts=True)
    assert is_count(code.emit("convert", x, dtype=np.int64))
    assert not is_count(code.emit("convert", x, dtype=np.int32))
    assert is_count(code.emit("div", n, np.int32(3)))
    assert not is_count(code.emit("div", n, n))


# Programs of the package.


def both(bench: jr.Experiment, theta: Arrays, precision: str | None = None) -> tuple[Thread, Arrays, Arrays]:
    """The code of a thread, what it finds, and what XLA finds."""
    kernel, base, batch = bench.program, bench.base, bench.batch(theta, precision)
    block = tuple((n, (*a.shape[:-1], 1), a.dtype) for n, a in sorted(batch.arrays.items()))
    thread = _thread(kernel, kernel.has_short_way(base, batch), len(base), block, batch.dtype)
    assert thread is not None
    return thread, executed(thread, base, batch.arrays), run(kernel, base, batch)


def given(**bad: list[float]) -> Arrays:
    """Parameters of a four-level medium, seven lanes, some of them bad."""
    rng = np.random.default_rng(3)
    theta = {"pump.rate": 10 ** rng.uniform(1, 4, 7), "signal.intensity": 10 ** rng.uniform(3, 8, 7)}
    for name, values in bad.items():
        theta[name.replace("_", ".", 1)][-len(values) :] = values
    return theta


def test_steady_states():
    """Lanes for the short way, lanes that need the careful one, and lanes that have no answer."""
    bench = jr.Experiment(four_level(), jr.Steady(), {"inversion": jr.Inversion("laser"), "2": jr.Population("2")})
    thread, found, wanted = both(bench, given(pump_rate=[1e-40, -1.0, np.nan], signal_intensity=[1e300]))
    same(found["status"], wanted["status"])
    assert set(wanted["status"].tolist()) == {0, 1}
    for name in bench.observables:
        close(found[name], wanted[name], 1e-12, what=name)  # an inversion is a difference
    assert any(isinstance(s, If) for s in thread.statements)
    assert not thread.buffers


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_curves(precision: str):
    """J2 in small: registers only, and every value written once, into the result."""
    solver = jr.Evolve(1e-4 * np.arange(1, 91), start={"0": 1.0})
    bench = jr.Experiment(four_level(), solver, {"inversion": jr.Inversion("laser")})
    thread, found, wanted = both(bench, given(pump_rate=[np.inf, -1.0]), precision)
    same(found["status"], wanted["status"])
    assert found["inversion"].dtype == precision
    top = np.nanmax(np.abs(wanted["inversion"]))
    close(found["inversion"], wanted["inversion"], 0.0, {"float64": 1e-13 * top, "float32": 3e-6 * top})
    assert not [b for b in thread.buffers if b.kind == "local"]


def test_a_laser_turns_on():
    """N1 in small: an adaptive loop in every lane, its path straight into the result.

    A last bit changes the next step, so the two agree to what the steps may miss.
    """
    solver = jr.Evolve(np.geomspace(1e-8, 2e-6, 70), start={"0": 1.0}, rtol=1e-4)
    every = {name: jr.Population(name) for name in ("2", "1")}
    bench = jr.Experiment(lasers.laser(), solver, every)
    theta = lasers.draw(3)
    theta["pump.rate"][2] = np.nan
    thread, found, wanted = both(bench, theta)
    same(found["status"], wanted["status"])
    for name in every:
        top = np.nanmax(np.abs(wanted[name]))
        close(found[name], wanted[name], 1e-6, 1e-6 * top, what=name)
    assert "for (;;)" in text(thread)


def test_a_path_is_written_into_the_result():
    """All populations of a laser at all times: no memory of the thread's own for them."""
    model, times = lasers.laser(), np.geomspace(1e-8, 2e-6, 70)
    bench = jr.Experiment(model, jr.Evolve(times, start={"0": 1.0}), {"all": _everything})
    batch = bench.batch({"pump.rate": np.ones(1)})
    thread = _thread(bench.program, False, len(bench.base), (("pump.rate", (1,), batch.dtype),), batch.dtype)
    assert thread is not None
    assert not [b for b in thread.buffers if b.kind == "local"]


def _everything(solution: jr.Solution) -> Any:
    return solution.populations


_everything.pointwise = True


def test_long_tables_are_left_to_xla():
    """Times that are not evenly spaced carry an array of them through every squaring: XLA's work."""
    solver = jr.Evolve(np.geomspace(1e-9, 1e-1, 100), start={"0": 1.0})
    bench = jr.Experiment(four_level(), solver, {"2": jr.Population("2")})
    batch = bench.batch({"pump.rate": np.ones(1)})
    assert _thread(bench.program, False, len(bench.base), (("pump.rate", (1,), batch.dtype),), batch.dtype) is None
