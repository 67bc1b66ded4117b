"""Reductions are NumPy's on the good lanes, whatever the chunks, their order and the threads they come from."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from jaxrate.sweep.reduce import NAMES, Histogram, Reducer, Totals, read_reductions
from tests.tolerance import close, same

BLOCK = 64
EDGES = (-1.0, -0.25, 0.0, 0.5, 2.0)
ALL = (*NAMES, Histogram(EDGES))

SHAPES = [(1, 1), (1, 5000), (7, 613), (613, 7), (40, BLOCK), (3, 10 * BLOCK), (2000, 1), (5, 63)]
"""(cells, lanes of a cell): smaller and larger than a block and a chunk, aligned with them and not."""


def lanes(cells: int, size: int, core: tuple[int, ...] = (), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Values with ties, and status codes with one lane in ten bad."""
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(0.3, 0.8, (*core, cells * size)), 1)
    status = (rng.random(cells * size) < 0.1).astype(np.int8)
    return np.where(status == 0, x, np.nan), status


def chunks(num: int, blocks: int) -> Iterator[tuple[int, int]]:
    for low in range(0, num, blocks * BLOCK):
        yield low, min(low + blocks * BLOCK, num)


def reduce(
    x: np.ndarray, status: np.ndarray, cells: int, blocks: int = 4, order: Any = None, wanted: Any = ALL
) -> dict[str, np.ndarray]:
    """Everything that a reducer makes of lanes that come in chunks, in some order."""
    reducer = Reducer(Totals({"y": wanted}, {"y": x.shape[:-1]}, cells, status.size // cells), BLOCK)
    parts = list(chunks(status.size, blocks))
    for k in range(len(parts)) if order is None else order(len(parts)):
        low, high = parts[k]
        reducer(low, high, {"y": x[..., low:high], "status": status[low:high]})
    found = reducer.totals
    return {**found.results("y"), "count": found.count, "failed": found.failed}


def by_numpy(x: np.ndarray) -> dict[str, Any]:
    """The same of the values of one cell by NumPy."""
    edges = np.array(EDGES)
    return {
        "mean": x.mean(),
        "std": x.std(),
        "min": x.min(),
        "max": x.max(),
        "histogram": np.histogram(x, edges)[0],
        "histogram_below": np.sum(x < edges[0]),
        "histogram_above": np.sum(x > edges[-1]),
    }


@pytest.mark.parametrize(("cells", "size"), SHAPES)
def test_reductions_are_numpys_on_the_good_lanes(cells: int, size: int):
    x, status = lanes(cells, size)
    found = reduce(x, status, cells)
    for cell, (values, good) in enumerate(zip(x.reshape(cells, size), status.reshape(cells, size) == 0, strict=True)):
        assert found["count"][cell] == good.sum()
        assert found["failed"][cell] == size - good.sum()
        if not good.any():
            assert all(np.isnan(found[name][cell]) for name in ("mean", "std", "min", "max"))
            continue
        for name, wanted in by_numpy(values[good]).items():
            close(found[name][cell], wanted, 1e-13, 1e-15, what=name)
        assert found["argmax"][cell] == np.nanargmax(values)
        assert found["argmin"][cell] == np.nanargmin(values)


def test_an_observable_with_an_axis_of_its_own_is_reduced_row_by_row():
    x, status = lanes(6, 333, core=(3,))
    found = reduce(x, status, 6)
    rows = [reduce(row, status, 6) for row in x]
    for name in found.keys() - {"count", "failed"}:
        same(found[name], np.stack([row[name] for row in rows]), name)


@pytest.mark.parametrize(("cells", "size"), SHAPES)
def test_number_of_blocks_in_a_chunk_changes_no_bit(cells: int, size: int):
    x, status = lanes(cells, size)
    whole = reduce(x, status, cells, blocks=1000)
    for blocks, (name, wanted) in itertools.product((1, 2, 5, 8), whole.items()):
        same(reduce(x, status, cells, blocks)[name], wanted, f"{name}, {blocks} blocks")


def test_order_in_which_chunks_come_changes_no_bit():
    x, status = lanes(7, 613)
    wanted = reduce(x, status, 7, blocks=1)
    for seed in range(5):
        found = reduce(x, status, 7, 1, lambda n, seed=seed: np.random.default_rng(seed).permutation(n))
        for name in wanted:
            same(found[name], wanted[name], name)


def test_threads_change_no_bit():
    x, status = lanes(3, 10000)
    wanted = reduce(x, status, 3, blocks=1)
    reducer = Reducer(Totals({"y": ALL}, {"y": ()}, 3, 10000), BLOCK)
    with ThreadPoolExecutor(8) as pool:
        work = [
            pool.submit(reducer, low, high, {"y": x[low:high], "status": status[low:high]})
            for low, high in chunks(x.size, 1)
        ]
    assert all(each.exception() is None for each in work)
    for name, values in reducer.totals.results("y").items():
        same(values, wanted[name], name)


def test_each_reduction_alone_is_the_same_as_among_others():
    x, status = lanes(5, 400)
    together = reduce(x, status, 5)
    for wanted in ALL:
        alone = reduce(x, status, 5, wanted=(wanted,))
        for name in alone:
            same(alone[name], together[name], name)


def test_spread_of_values_far_from_zero_keeps_its_digits():
    """Squares summed as they are would lose all sixteen digits here."""
    x = 1e9 + np.random.default_rng(1).normal(size=20000)
    found = reduce(x, np.zeros(x.size, np.int8), 2)
    close(found["std"], x.reshape(2, -1).std(axis=1), 1e-7)
    same(reduce(np.full(640, 5.5), np.zeros(640, np.int8), 1)["std"], np.zeros(1))


def test_accumulators_are_double_for_single_precision():
    x = np.full(1 << 20, 0.1, np.float32)
    found = reduce(x, np.zeros(x.size, np.int8), 1, blocks=512, wanted=("mean",))
    close(found["mean"], [float(np.float32(0.1))])


def test_a_good_lane_that_is_not_a_number_shows():
    """Only a lane's status excuses it; NaN of an observable with status 0 goes into the result, as in NumPy."""
    x = np.arange(300.0)
    x[[70, 250]] = np.nan
    found = reduce(x, np.zeros(300, np.int8), 2)
    assert np.isnan(found["mean"]).all()
    assert np.isnan(found["max"]).all()
    assert found["argmax"].tolist() == [70, 100]
    assert found["histogram"].sum() + found["histogram_below"].sum() + found["histogram_above"].sum() == 298


def test_infinite_values_are_values():
    x = np.tile([-np.inf, 0.0, np.inf], 100)
    status = np.tile(np.array([0, 1, 0], np.int8), 100)
    found = reduce(x, status, 1, wanted=("max", "argmax", "min", "argmin", Histogram((-np.inf, 0.0, np.inf))))
    assert (found["max"], found["argmax"], found["min"], found["argmin"]) == (np.inf, 2, -np.inf, 0)
    assert found["histogram"].tolist() == [[100, 100]]
    worst = reduce(np.full(300, -np.inf), np.repeat(np.array([1, 0], np.int8), 150), 1, wanted=("argmax",))
    assert worst["argmax"] == 150


def test_cells_without_a_good_lane_are_nan():
    status = np.repeat(np.array([0, 2], np.int8), 500)
    x = np.where(status == 0, 1.0, np.nan)
    found = reduce(x, status, 2)
    assert found["count"].tolist() == [500, 0]
    assert found["failed"].tolist() == [0, 500]
    for name in ("mean", "std", "min", "max"):
        assert np.isnan(found[name]).tolist() == [False, True]


def test_edges_of_bins_are_numpys():
    x = np.array([-2.0, -1.0, -0.25, 0.0, 0.49, 0.5, 2.0, 2.1])
    found = reduce(x, np.zeros(8, np.int8), 1)
    assert found["histogram"][0].tolist() == np.histogram(x, EDGES)[0].tolist()
    assert (found["histogram_below"], found["histogram_above"]) == (1, 1)


def test_what_is_reduced_is_read():
    h, only = Histogram([0, 1]), Histogram([0, 1], of="b")
    assert read_reductions("mean", ["a"]) == {"a": ("mean",)}
    assert read_reductions(["max", h, "max"], ["a", "b"]) == {"a": ("max", h), "b": ("max", h)}
    assert read_reductions([only, "std"], ["a", "b"]) == {"a": ("std",), "b": (only, "std")}
    assert Histogram(np.array([0, 1])) == h


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("maen", "`maen` is not a reduction; did you mean `mean`"),
        (["mean", "median"], "`median` is not a reduction"),
        ([3], "`3` is not a reduction"),
        ([], "none was given"),
        ([Histogram([0, 1]), Histogram([0, 2])], "one Histogram for each observable, but `gain`"),
        (Histogram([0, 1], of="gian"), "did you mean `gain`"),
    ],
)
def test_a_reduction_that_cannot_be_meant_is_refused(given: Any, message: str):
    with pytest.raises(ValueError, match=message):
        read_reductions(given, ["gain"])


@pytest.mark.parametrize("edges", [[1], 3.0, [0, 0], [1, 0], [0, np.nan], [[0, 1], [2, 3]], []])
def test_edges_that_do_not_rise_are_refused(edges: Any):
    with pytest.raises(ValueError, match="rising"):
        Histogram(edges)
