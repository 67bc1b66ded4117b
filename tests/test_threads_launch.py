"""Threads as a device runs them: which element of which array belongs to which, and the whole way through a compiler.

The compiler is NVIDIA's Warp, which also compiles the same text for a processor; where it is not installed, any
compiler of C++ is given one kernel.
"""

import ctypes
import subprocess
import warnings
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxrate as jr
from benchmarks import lasers
from jaxrate.solve import lanes
from jaxrate.solve.batch import Batch
from jaxrate.solve.lanes import _thread_program, run
from jaxrate.solve.threads import launch
from jaxrate.solve.threads.launch import grid
from jaxrate.solve.threads.translate import Thread, translated
from tests.media import four_level
from tests.tolerance import close, same

needs_warp = pytest.mark.skipif(find_spec("warp") is None, reason="warp-lang is not installed: pip install warp-lang")


def test_axes_that_go_together_are_one():
    shapes = {"a": (4, 3, 1, 5), "b": (4, 3, 1, 1)}
    assert grid((4, 3, 1, 5), shapes).shape == (12, 5)
    assert grid((4, 3, 1, 5), shapes).varies == {"a": (True, True), "b": (True, False)}
    assert grid((7,), {"a": (7,), "b": (1,)}).varies == {"a": (True,), "b": (False,)}
    assert grid((1, 1), {"a": (1, 1)}).shape == (1,)
    assert grid((), {}).shape == (1,)


def test_a_batch_on_the_processor_never_asks_for_threads(monkeypatch: pytest.MonkeyPatch):
    def launched(*given: Any) -> None:
        raise AssertionError("a thread for every lane of a batch on the processor")

    monkeypatch.setattr(launch, "has_device", lambda: True)
    monkeypatch.setattr(launch, "program", launched)
    if jax.default_backend() != "cpu":
        pytest.skip("JAX works on an accelerator")
    bench = jr.Experiment(four_level(), jr.Steady(), {"2": jr.Population("2")})
    found = run(bench.program, bench.base, bench.batch({"pump.rate": np.geomspace(1.0, 1e3, 9)}))
    assert np.all(np.asarray(found["2"]) > 0)


def test_a_package_that_cannot_say_whether_there_is_a_device(monkeypatch: pytest.MonkeyPatch):
    """An older Warp, or another package of that name: said once, and XLA does it."""
    has_device = launch.has_device.__wrapped__
    monkeypatch.setattr(launch, "find_spec", lambda name: name)
    monkeypatch.setattr(launch, "import_module", lambda name: object())
    with pytest.warns(UserWarning, match="Warp could not be asked"):
        assert not has_device()


def test_a_kernel_that_cannot_be_translated_is_left_to_xla():
    """Whatever the translator meets that it did not expect."""
    assert lanes._thread(object(), False, 1, (("x", (1,), np.dtype(float)),), np.dtype(float)) is None


# The text of a kernel, by any compiler of C++.


def two_results(base: Any, block: dict[str, Any]) -> dict[str, Any]:
    """A number and an array (3, lane), of a shared table, an array (2, lane) and a number of each lane."""
    x, y = block["x"], block["y"]
    k = jnp.floor(y).astype(int)
    grown = lax.while_loop(lambda s: s[0] < 50, lambda s: s * 1.5, x[1])
    return {"a": jnp.stack([x[0] * base[k], grown, jnp.exp(-y)]), "b": lax.div(7 + k, k) * 1.0}


ON_A_GRID = """#include <math.h>
template <class T> struct Array { T* data; long long shape[4]; };
extern "C" void solve(const double* base, const double* x, const double* y, double* a, double* b, int m0, int m1) {
    Array<const double> shared0_{base, {}}, lane1_{x, {}}, lane2_{y, {}};
    Array<double> FIRST_{a, {3, m0, m1}}, SECOND_{b, {1, m0, m1}};
    for (int i0 = 0; i0 < m0; i0++) for (int i1 = 0; i1 < m1; i1++) {
CODE
    }
}
"""


@pytest.mark.skipif(which("c++") is None, reason="no compiler of C++")
def test_the_text_of_a_kernel_finds_what_xla_finds(tmp_path: Path):
    """Every lane of a grid reads and writes where it should: x varies along both axes, y along the second."""
    base, x, y = np.linspace(1, 2, 80), drawn(2, 3, 4), np.linspace(0.3, 3.0, 4)
    thread = thread_of_two()
    first, second = (b.name for b in thread.outputs.values())
    code = launch.native_code(thread, ((True, True), (False, True)))
    source = ON_A_GRID.replace("CODE", code).replace("FIRST", first).replace("SECOND", second)
    (tmp_path / "kernel.cpp").write_text(source)
    made = str(tmp_path / "kernel.so")
    subprocess.run(["c++", "-std=c++17", "-shared", "-fPIC", "-o", made, str(tmp_path / "kernel.cpp")], check=True)
    a, b = np.zeros((3, 3, 4)), np.zeros((3, 4))
    ctypes.CDLL(made).solve(*(ctypes.c_void_p(array.ctypes.data) for array in (base, x, y, a, b)), 3, 4)
    with jax.enable_x64(True):
        lane = jax.jit(lambda x, y: two_results(jnp.asarray(base), {"x": x[:, None], "y": y[None]}))
        wanted = [[lane(x[:, i, j], y[j]) for j in range(4)] for i in range(3)]
    close(a, np.moveaxis(np.array([[w["a"][:, 0] for w in row] for row in wanted]), -1, 0))
    close(b, [[w["b"][0] for w in row] for row in wanted])


def thread_of_two() -> Thread:
    with jax.enable_x64(True):
        block = {"x": jax.ShapeDtypeStruct((2, 1), float), "y": jax.ShapeDtypeStruct((1,), float)}
        return translated(two_results, jax.ShapeDtypeStruct((80,), float), block)


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.2, 3.0, shape)


def test_the_text_of_a_kernel():
    """Where its arrays are, and what its compiler is told of them."""
    thread = thread_of_two()
    code, varies = launch.python_source(thread, ((True, True), (False, True))), ((True, True), (False, True))
    names = [b.name for b in thread.outputs.values()]
    arrays = [("shared0_", 1), ("lane1_", 2), ("lane2_", 2), *((f"{name}_", 3) for name in names)]
    assert ", ".join(f"{name}: warp.array(dtype=warp.float64, ndim={n})" for name, n in arrays) in code
    text = launch.native_code(thread, varies)
    assert f"const long long n1 = {names[0]}_.shape[2];" in text
    assert "lane1_lanes = n0 * n1, lane1_at = (i0 * n1 + i1);" in text
    assert "lane2_lanes = n1, lane2_at = i1;" in text
    assert f"{names[0]}[(2) * lanes + lane] = " in text


def test_a_batch_that_threads_are_not_for_goes_through_xla(monkeypatch: pytest.MonkeyPatch):
    """On a device, whatever is no program for a thread, or finds no compiler, has the results of the other way."""
    bench = jr.Experiment(four_level(), jr.Steady(), {"2": jr.Population("2")})
    theta = {"pump.rate": np.geomspace(1.0, 1e3, 9)}
    wanted, batch = run(bench.program, bench.base, bench.batch(theta)), bench.batch(theta)
    asked = []

    def nothing(*given: Any) -> None:
        asked.append(given)

    monkeypatch.setattr(launch, "has_device", lambda: True)
    monkeypatch.setattr(lanes, "_thread_program", nothing)
    found = lanes._on_device(bench.program, bench.base, batch)
    assert asked
    close(found["2"], wanted["2"], 1e-12)


@needs_warp
def test_a_compiler_that_fails_is_said_and_done_without(monkeypatch: pytest.MonkeyPatch):
    bench = jr.Experiment(four_level(), jr.Steady(), {"1": jr.Population("1")})
    monkeypatch.setattr(launch, "native_code", lambda *_: "no C;")
    monkeypatch.setattr(launch, "has_device", lambda: True)
    with pytest.warns(UserWarning, match="XLA solves this batch"):
        assert _thread_program(bench.program, bench.base, bench.batch({"pump.rate": np.ones(3)}), True) is None
    monkeypatch.setattr(launch, "compiled", None)
    with warnings.catch_warnings(action="error"):  # neither tried nor said again
        assert _thread_program(bench.program, bench.base, bench.batch({"pump.rate": np.ones(5)}), True) is None


@needs_warp
def test_a_sweep_on_a_device_goes_through_threads(monkeypatch: pytest.MonkeyPatch):
    """Chunk by chunk, the last one filled up; lanes that the short way leaves are solved in their thread."""
    bench = jr.Experiment(four_level(), jr.Steady(), {"2": jr.Population("2")})
    theta = {"pump.rate": np.append(np.geomspace(1.0, 1e3, 150), [1e-40, np.nan])}
    wanted, found = bench(theta), np.zeros(152)
    launched = []

    def through_threads(*given: Any) -> Any:
        launched.append(_thread_program(*given))
        return launched[-1]

    monkeypatch.setattr(launch, "has_device", lambda: True)
    monkeypatch.setattr(Batch, "is_remote", True)
    monkeypatch.setattr(lanes, "_thread_program", through_threads)
    monkeypatch.setattr(lanes, "_call_size", lambda *_: (64, 1))

    def sink(low: int, high: int, part: dict[str, Any]) -> None:
        found[low:high] = part["2"]

    lanes.stream(bench.program, bench.base, bench.batch(theta), sink)
    assert len(launched) == 3
    assert None not in launched
    close(found, wanted["2"], 1e-12)


BATCHES = {
    "one axis": ((300,), (1,), (300,)),
    "a grid": ((3, 1), (1, 50), (3, 50)),
    "three axes": ((4, 1, 5), (1, 3, 1), (1, 1, 5)),
    "one lane": ((), (), ()),
}


@needs_warp
@pytest.mark.parametrize("name", BATCHES)
def test_steady_states_of_a_batch(name: str):
    bench = jr.Experiment(four_level(), jr.Steady(), {"gain": jr.Gain("laser"), "2": jr.Population("2")})
    names, rng = ("pump.rate", "signal.intensity", "laser.B"), np.random.default_rng(1)
    scales = (1e2, 1e6, 1e17)
    theta = {n: rng.uniform(1, 2, shape) * s for n, shape, s in zip(names, BATCHES[name], scales, strict=True)}
    agree(bench, theta, 1e-12)


def agree(bench: jr.Experiment, theta: dict[str, Any], rtol: float, precision: str | None = None) -> None:
    """Threads on the processor find what XLA finds."""
    batch = bench.batch(theta, precision)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "has_device", lambda: True)
        short = bench.program.has_short_way(bench.base, batch)
        program = _thread_program(bench.program, bench.base, batch, short)
    assert program is not None
    with jax.enable_x64(True):
        found = program(bench.base, {name: batch.padded(name) for name in batch.arrays})
    wanted = run(bench.program, bench.base, batch)
    same(found["status"], wanted["status"])
    for name in bench.observables:
        assert found[name].dtype == wanted[name].dtype
        top = np.nanmax(np.abs(wanted[name]))
        close(found[name], wanted[name], rtol, rtol * top, what=name)


@needs_warp
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_curves(precision: str):
    """Every result is written where it belongs; a bad lane is NaN."""
    times = 1e-4 * np.arange(1, 71)
    bench = jr.Experiment(four_level(), jr.Evolve(times, start={"0": 1.0}), {"inversion": jr.Inversion("laser")})
    theta = {"pump.rate": np.geomspace(1.0, 1e3, 40)[:, None], "signal.intensity": np.array([0.0, 1e5, np.nan])}
    agree(bench, theta, {"float64": 1e-13, "float32": 3e-6}[precision], precision)


@needs_warp
def test_a_laser_turns_on():
    """An adaptive loop in every lane; a last bit changes the next step, so they agree to what the steps may miss."""
    bench = jr.Experiment(lasers.laser(), jr.Evolve(lasers.TIMES[:30], start={"0": 1.0}, rtol=1e-5), {"n": every})
    agree(bench, lasers.draw(4), 1e-4)


def every(solution: jr.Solution) -> Any:
    """All populations."""
    return solution.populations


every.pointwise = True
