"""Results are put where old results were, and nowhere where somebody still looks."""

import gc
import os
from pathlib import Path

import numpy as np
import pytest

from jaxrate.solve import memory
from jaxrate.solve.memory import result_array

LARGE = (4, 2**20)


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()
    monkeypatch.setattr(memory, "_kept", type(memory._kept)())


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 5), LARGE])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int8"])
def test_it_has_the_shape_and_an_address_that_jax_takes_over(shape: tuple[int, ...], dtype: str) -> None:
    array = result_array(shape, np.dtype(dtype))
    assert array.shape == shape
    assert array.dtype == dtype
    assert array.flags.writeable
    assert array.size == 0 or address(array) % 64 == 0


def test_memory_of_a_dropped_array_is_used_again() -> None:
    first = result_array(LARGE, np.dtype("float64"))
    where = address(first)
    del first
    assert address(result_array(LARGE, np.dtype("float64"))) == where


def test_a_view_keeps_its_memory() -> None:
    first = result_array(LARGE, np.dtype("float64"))
    first[...] = 1.0
    view = first[1, 5:10]
    del first
    second = result_array(LARGE, np.dtype("float64"))
    second[...] = 2.0
    assert (view == 1.0).all()


def test_a_jax_array_keeps_its_memory() -> None:
    import jax

    first = result_array(LARGE, np.dtype("float32"))
    first[...] = 1.0
    taken = jax.device_put(first, may_alias=True)
    assert taken.unsafe_buffer_pointer() == address(first)
    del first
    result_array(LARGE, np.dtype("float32"))[...] = 2.0
    assert (np.asarray(taken) == 1.0).all()


def test_no_more_is_kept_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 8 * LARGE[0] * LARGE[1]
    monkeypatch.setattr(memory, "KEPT_BYTES", 2 * size)
    arrays = [result_array(LARGE, np.dtype("float64")) for _ in range(4)]
    del arrays
    assert sum(map(len, memory.kept())) == 2 * size


def test_memory_far_too_large_is_not_taken() -> None:
    first = result_array((4, 2**20), np.dtype("float64"))
    where = address(first)
    del first
    small = result_array((2**18,), np.dtype("float64"))
    assert address(small) != where


def test_results_that_memory_cannot_hold_are_refused_before_they_are_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    import jaxrate as jr
    from tests.media import four_level

    monkeypatch.setattr(memory, "available", lambda: 10**8)
    monkeypatch.setattr(memory, "AGAIN", -1.0)  # whatever was free when another test asked
    bench = jr.Experiment(four_level(), jr.Steady(), {"gain": jr.Gain("laser")})
    over = {"pump.rate": np.ones(4000), "signal.intensity": np.ones(4000)}
    with pytest.raises(MemoryError, match=r"need 0\.144 GB, but 0\.1 GB.*reduce='mean'"):
        jr.sweep(bench, over, progress=False)
    assert jr.sweep(bench, over, reduce="mean", progress=False)["count"] == 16 * 10**6


def test_what_is_available_is_between_nothing_and_everything() -> None:
    free = memory.available()
    assert (free is None) == (not Path("/proc/meminfo").exists())
    assert free is None or 10**6 < free <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
