"""Two doors, one kernel: same results whatever the door, the blocks, the neighbours, the order and the workers."""

import math
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrate as jr
from jaxrate.solve import lanes as lanes_module
from jaxrate.solve.batch import read_batch
from jaxrate.solve.lanes import stream
from tests.media import four_level
from tests.tolerance import close, same

BENCH = jr.Experiment(four_level(), jr.Steady(), {"gain": jr.Gain("laser"), "2": jr.Population("2")})
DOORS = {"float64": 1e-12, "float32": 2e-6}
"""The doors agree to rounding of a result that is a difference."""


def inputs(*shapes: tuple[int, ...], seed: int = 0) -> dict[str, np.ndarray]:
    rng, names = np.random.default_rng(seed), ("pump.rate", "signal.intensity")
    ranges = ((0.0, 4.0), (3.0, 9.0))
    return {n: 10.0 ** rng.uniform(*r, shape) for n, r, shape in zip(names, ranges, shapes, strict=True)}


@pytest.mark.parametrize(
    "shapes",
    [((50, 1), (1, 60)), ((700,), (700,)), ((), ()), ((3, 1, 5), (4, 1)), ((1,), (2500,)), ((1501, 1), (1, 7))],
    ids=str,
)
@pytest.mark.parametrize("x64", [False, True])
def test_the_doors_agree(shapes: Any, x64: bool):
    """Dispatcher and traced loop: product grids, dense and odd sizes, one axis missing, values and gradients."""
    theta = inputs(*shapes)
    with jax.enable_x64(x64):
        traced = {n: jnp.asarray(x) for n, x in theta.items()}
        outside, inside = BENCH(traced), jax.jit(BENCH)(traced)
        for name in outside:
            assert isinstance(outside[name], jax.Array)
            assert outside[name].dtype == inside[name].dtype == jnp.result_type(float)
            assert outside[name].shape == np.broadcast_shapes(*shapes)
            close(outside[name], inside[name], DOORS, what=name)
        if math.prod(np.broadcast_shapes(*shapes)) < 2000:
            slope = BENCH.jacobian(traced, "signal.intensity")["gain"]["signal.intensity"]

            def total(intensity: jax.Array, rate: jax.Array) -> jax.Array:
                return jnp.sum(BENCH({"pump.rate": rate, "signal.intensity": intensity})["gain"])

            whole = [jnp.broadcast_to(x, slope.shape) for x in traced.values()]
            close(slope, jax.jit(jax.grad(total))(whole[1], whole[0]), {"float64": 1e-11, "float32": 1e-4})


def test_numpy_in_numpy_out():
    theta = inputs((5, 1), (1, 3))
    flags = dict(jax.config.values)
    wide, narrow = BENCH(theta), BENCH(theta, precision="float32")
    assert type(wide["gain"]) is type(narrow["gain"]) is np.ndarray
    assert wide["gain"].dtype == np.float64
    assert narrow["gain"].dtype == np.float32
    close(narrow["gain"], wide["gain"], {"float32": 2e-7})
    state = jr.steady_state(four_level(), theta, precision="float32")
    assert state.populations.dtype == np.float32
    assert BENCH({k: v.astype(np.float32) for k, v in theta.items()})["gain"].dtype == np.float64
    assert dict(jax.config.values) == flags


@pytest.mark.parametrize("given", ["float16", "double", 64])
def test_precision_that_is_none_is_refused(given: Any):
    with pytest.raises(ValueError, match="precision"):
        BENCH(inputs((), ()), precision=given)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65])
def test_any_number_of_lanes(size: int):
    theta = inputs((size,), (size,))
    found = BENCH(theta)["gain"]
    assert found.shape == (size,)
    assert BENCH({n: jnp.asarray(x) for n, x in theta.items()})["gain"].shape == (size,)
    assert jax.jit(BENCH)({n: jnp.asarray(x) for n, x in theta.items()})["gain"].shape == (size,)
    assert jr.steady_state(four_level(), theta).populations.shape == (4, size)
    one_by_one = [BENCH({n: x[i] for n, x in theta.items()})["gain"] for i in range(size)]
    same(found, np.array(one_by_one, np.float64))


def test_an_empty_axis_of_a_product():
    theta = {"pump.rate": np.ones((0, 1)), "signal.intensity": np.ones((1, 7))}
    assert BENCH(theta)["gain"].shape == (0, 7)


def test_nothing_varied_is_a_scalar():
    assert np.shape(BENCH({})["gain"]) == ()
    close(BENCH()["gain"], BENCH(four_level().parameters())["gain"])
    assert jr.steady_state(four_level()).populations.shape == (4,)


LARGE = inputs((150_001,), (150_001,), seed=3)


def test_order_and_neighbours_of_the_lanes_change_nothing():
    """Bit for bit, in a batch of many blocks with lanes of every kind among them: dark, absorbing, bad."""
    theta = {n: x.copy() for n, x in LARGE.items()}
    theta["pump.rate"][::1000], theta["pump.rate"][1::1000], theta["signal.intensity"][2::777] = 0.0, np.nan, 0.0
    found, status = BENCH(theta)["gain"], BENCH.status(theta)
    assert set(np.unique(status)) == {jr.Status.OK, jr.Status.BAD_INPUT}
    order = np.random.default_rng(0).permutation(len(found))
    same(BENCH({n: x[order] for n, x in theta.items()})["gain"], found[order])
    clean = BENCH(LARGE)["gain"]
    untouched = (theta["pump.rate"] == LARGE["pump.rate"]) & (theta["signal.intensity"] > 0)
    same(found[untouched], clean[untouched])


def test_layout_of_the_batch_changes_nothing():
    """A product grid is the dense batch of its points, and any strides are."""
    grid = inputs((301, 1), (1, 500))
    found = BENCH(grid)["gain"]
    dense = {n: np.ascontiguousarray(np.broadcast_to(x, (301, 500))) for n, x in grid.items()}
    same(BENCH(dense)["gain"], found)
    same(BENCH({n: x.ravel() for n, x in dense.items()})["gain"].reshape(301, 500), found)
    same(BENCH({n: np.asfortranarray(x) for n, x in dense.items()})["gain"], found)
    same(BENCH({n: x[::-1, ::-1] for n, x in dense.items()})["gain"], found[::-1, ::-1])


@pytest.mark.parametrize("workers", [1, 3])
def test_number_of_workers_changes_nothing(monkeypatch: pytest.MonkeyPatch, workers: int):
    found = BENCH(LARGE)
    with ThreadPoolExecutor(workers) as pool:
        monkeypatch.setattr(lanes_module, "_threads", lambda: pool)
        again = BENCH(LARGE)
    for name in found:
        same(again[name], found[name])


@pytest.mark.parametrize(("block", "blocks"), [(1 << 14, 64), (1 << 17, 7)])
def test_size_of_blocks_and_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch, block: int, blocks: int):
    """To rounding: another block shape may round differently."""
    some = {n: x[:20_000] for n, x in LARGE.items()}
    found = BENCH(some)["gain"]
    monkeypatch.setattr(lanes_module, "BLOCK_BYTES", block)
    monkeypatch.setattr(lanes_module, "BLOCKS_PER_CALL", blocks)
    close(BENCH(some)["gain"], found, 1e-13)


def every_shape(jaxpr: Any) -> Iterator[tuple[int, ...]]:
    """Shapes of everything that a program computes, loops and conditions included."""
    for equation in jaxpr.eqns:
        yield from (v.aval.shape for v in equation.outvars if equation.primitive.name != "broadcast_in_dim")
        if equation.primitive.name == "broadcast_in_dim":
            yield from (v.aval.shape for v in equation.outvars if any(x.aval.shape for x in equation.invars))
        for inner in jax.tree.leaves(equation.params, is_leaf=lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr")):
            if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                yield from every_shape(getattr(inner, "jaxpr", inner))


def test_the_traced_door_never_makes_the_product_of_its_axes():
    """3000 x 3000 points: only the two results and the status may be of that size; what nobody asks for is not kept."""
    theta = {"pump.rate": jnp.ones((3000, 1)), "signal.intensity": jnp.ones((1, 3000))}
    compiled = jax.jit(lambda theta: BENCH(theta)["gain"]).lower(theta).compile()
    memory = compiled.memory_analysis()
    assert memory is not None
    assert memory.output_size_in_bytes < 1.01 * 4 * 9e6
    assert memory.temp_size_in_bytes < 0.1 * 4 * 9e6
    inside = jax.make_jaxpr(BENCH)(theta)
    large = [shape for shape in every_shape(inside.jaxpr) if math.prod(shape) >= 9e6]
    assert set(large) <= {(3000, 3000), (3000, 1, 3000)}
    assert len(large) <= 8, f"{len(large)} arrays of the whole batch"  # two results and the status, and their reshapes


def test_a_reduction_through_the_traced_door_needs_no_input_of_the_batch():
    """The gradient of a mean over 3000 x 3000 points by its axes keeps one row at a time."""
    theta = {"pump.rate": jnp.ones((3000, 1)), "signal.intensity": jnp.ones((1, 3000))}
    compiled = jax.jit(jax.grad(lambda theta: jnp.mean(BENCH(theta)["gain"]))).lower(theta).compile()
    memory = compiled.memory_analysis()
    assert memory is not None
    assert memory.temp_size_in_bytes < 0.1 * 4 * 9e6


def test_the_dispatcher_never_makes_the_product_of_its_axes():
    """Streaming 9 million lanes of a product grid keeps chunks, not the batch: what a sweep that reduces relies on."""
    batch = read_batch({"pump.rate": np.ones((3000, 1)), "signal.intensity": np.ones((1, 3000))})
    seen, base = [], BENCH.network.base
    stream(BENCH.program, base, read_batch(inputs((200_000,), (200_000,))), lambda *_: None)
    tracemalloc.start()
    stream(BENCH.program, base, batch, lambda low, high, part: seen.append((low, high)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 9e6 / 2, f"{peak / 1e6:.0f} MB at the peak; the batch is {8 * 9:.0f} MB an array"
    assert sorted(seen)[0][0] == 0
    assert sum(high - low for low, high in seen) == 9_000_000


def test_every_lane_is_streamed_once():
    got = np.zeros(len(LARGE["pump.rate"]), int)

    def count(low: int, high: int, part: dict[str, Any]) -> None:
        assert part["gain"].shape == (high - low,)
        got[low:high] += 1

    done: list[int] = []
    stream(BENCH.program, BENCH.network.base, read_batch(LARGE), count, done.append)
    assert np.all(got == 1)
    assert sum(done) == got.size


def test_composes_with_the_transformations_of_jax():
    """jit, vmap (of scalars and of batches), grad, jvp, jacfwd and a second derivative."""
    with jax.enable_x64(True):
        rates, base = jnp.asarray(np.geomspace(1.0, 1e4, 5)), four_level().parameters()
        wanted = BENCH({"pump.rate": rates})["2"]

        def upper(rate: Any) -> Any:
            return BENCH({"pump.rate": rate})["2"]

        close(jax.vmap(upper)(jnp.stack([rates, 2 * rates]))[0], wanted, 1e-12)
        close(jax.jit(jax.vmap(upper))(rates), wanted, 1e-12)
        slope = BENCH.jacobian({"pump.rate": rates}, "pump.rate")["2"]["pump.rate"]
        ones = jnp.ones_like(rates)
        close(jax.jit(jax.vmap(jax.grad(upper)))(rates), slope, 1e-11)
        close(jax.jvp(upper, (rates,), (ones,))[1], slope, 1e-11)
        close(jnp.diag(jax.jit(jax.jacfwd(upper))(rates)), slope, 1e-11)
        second = jax.jit(lambda x: jax.jvp(jax.vmap(jax.grad(upper)), (x,), (ones,))[1])(rates)
        step = 1e-4 * rates
        around = [BENCH.jacobian({"pump.rate": rates + s}, "pump.rate")["2"]["pump.rate"] for s in (step, -step)]
        close(second, (around[0] - around[1]) / (2 * step), 1e-5)
        assert base == four_level().parameters()


def test_a_constant_beside_a_tracer():
    """What is not traced may be NumPy: inside a jit the values do not change."""
    grid = np.geomspace(1e3, 1e9, 30)
    found = jax.jit(lambda rate: BENCH({"pump.rate": rate, "signal.intensity": grid})["gain"])(jnp.float32(100.0))
    close(found, BENCH({"pump.rate": 100.0, "signal.intensity": grid})["gain"], DOORS)
