"""Threads as a device runs them: which element of which array belongs to which, and the whole way through a compiler.

The compiler is NVIDIA's Warp, which also compiles the same text for a processor; where it is not installed, only what
it would be given is looked at.
"""

from importlib.util import find_spec
from typing import Any

import jax
import numpy as np
import pytest

import jaxrate as jr
from benchmarks import lasers
from jaxrate.solve import lanes
from jaxrate.solve.batch import Batch
from jaxrate.solve.lanes import _thread_program, run
from jaxrate.solve.threads import launch
from jaxrate.solve.threads.launch import grid
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


def test_nothing_is_launched_without_a_device():
    assert not launch.has_device() or jax.default_backend() != "cpu"


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
