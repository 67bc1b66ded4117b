"""Curves over numbers of ensembles and of levels, the machine, and what many ensembles cost. Nothing here is timed."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from benchmarks import (
    by_levels,
    by_size,
    curves,
    lasers,
    machine,
    media,
    operations,
    report,
    roofline,
    scaling,
    stiff_peers,
)
from benchmarks.__main__ import HERE, main
from benchmarks.exponentials import VMAP_EXPM
from benchmarks.figures import Figure, duration_text, rate_text
from benchmarks.measure import measure
from benchmarks.peers import NUMPY, VMAP, VMAP_GIVEN
from benchmarks.pictures import PICTURES
from benchmarks.steps import name_of as name_of_steps
from tests.test_benchmarks import entry, run_of
from tests.tolerance import close

pytestmark = pytest.mark.long
LEVELS_HERE = {3: 8, 10: 8}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JSON of a run over very few ensembles, of few sizes and levels."""
    kept = tmp_path_factory.mktemp("run") / "results.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_size, "STEADY_SIZES", (1, 100, 1000))
        patch.setattr(by_size, "PATH_SIZES", (100,))
        patch.setattr(by_size, "PEER_SIZES", (100,))
        for table in ("STEADY_LEVELS", "PATH_LEVELS", "SOLVE_LEVELS", "EXPM_LEVELS"):
            patch.setattr(by_levels, table, LEVELS_HERE)
        options = ["--jobs", "MACHINE,SIZES,LEVELS", "--lanes", "300", "--rounds", "1", "--json", str(kept)]
        assert main(options) == 0
    return kept


@pytest.fixture(scope="module")
def run(kept: Path) -> dict[str, Any]:
    return json.loads(kept.read_text())


def test_every_program_has_its_sizes_and_levels(run: dict[str, Any]):
    names = {(e["name"], e["dtype"]) for e in run["entries"] if e["job"] == "SIZES"}
    every = ("jaxrate J1, 10^0", "jaxrate J1, 10^2", "jaxrate J2, 10^2", f"{VMAP}, 10^2", f"{NUMPY}, 10^2")
    assert names == {(name, dtype) for name in every for dtype in ("float64", "float32")}  # --lanes left out 10^3
    levels = {e["name"] for e in run["entries"] if e["job"] == "LEVELS"}
    by = (by_levels.STEADY, by_levels.PATH, VMAP_GIVEN, NUMPY, VMAP_EXPM)
    assert levels == {by_levels.name_of(name, num) for name in by for num in LEVELS_HERE}


def test_all_of_them_are_right(run: dict[str, Any]):
    for e in run["entries"]:
        exact = 1e-8 if VMAP_EXPM in e["name"] else 1e-12
        assert e["error"] < (exact if e["dtype"] == "float64" else 1e-5), e["name"]


def test_the_machine_tells_bytes_and_operations_of_its_time(run: dict[str, Any]):
    for e in (e for e in run["entries"] if e["job"] == "MACHINE"):
        of_number = 2 * np.dtype(e["dtype"]).itemsize if e["name"] == machine.COPY else 1024
        (fact,) = (e["facts"][name] for name in ("bandwidth", "rate") if name in e["facts"])
        close(fact * e["seconds"][0], of_number * e["lanes"], rtol=1e-9)


def test_an_accelerator_has_all_numbers_in_one_call(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "is_remote", lambda: True)
    monkeypatch.setattr(machine, "num_parts", lambda: 1)
    copies, rate = measure([machine.copy("float32", 300), machine.multiply_adds("float32", 300)], 1)
    assert (copies["lanes"], rate["lanes"]) == (300 * machine.COPIES, 300)
    assert (copies["error"], rate["failed"]) == (0, None)


def test_an_accelerator_has_all_lasers_of_a_library_at_a_time(monkeypatch: pytest.MonkeyPatch):
    assert {way.batch for way in stiff_peers.ways_of(lasers.TURN_ON)} == {64}
    monkeypatch.setattr(stiff_peers, "is_remote", lambda: True)
    assert [way.batch for way in stiff_peers.ways_of(lasers.TURN_ON)] == [stiff_peers.REMOTE_BATCH]


def test_pictures_are_drawn_beside_the_page(kept: Path):
    assert main(["--write", "--json", str(kept)]) == 0
    page = kept.with_name("RESULTS.md").read_text()
    for file in (curves.SIZES_FILE, curves.LEVELS_FILE):
        assert f"]({file})" in page
        assert kept.with_name(file).read_bytes().startswith(b"\x89PNG")
    assert not any(picture.has_curves(run_of([entry("J1")])) for picture in PICTURES)


def test_another_run_has_pages_of_its_own(kept: Path, tmp_path: Path):
    gpu = tmp_path / "results-gpu.json"
    gpu.write_text(kept.read_text())
    assert main(["--write", "--json", str(gpu)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "RESULTS-GPU.md",
        "levels-gpu.png",
        "results-gpu.json",
        "sizes-gpu.png",
    ]
    assert "](sizes-gpu.png)" in (tmp_path / "RESULTS-GPU.md").read_text()


def test_ensembles_without_room_are_a_line_that_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(by_size, "STEADY_SIZES", (1000,))
    monkeypatch.setattr(by_size, "PATH_SIZES", ())
    monkeypatch.setattr(by_size, "DRAWN", 10)
    monkeypatch.setattr(by_size.memory, "available", lambda: 80_000)
    found = measure(by_size.sizes(1000), 1)
    assert found[0]["failed"] == "MemoryError: inputs and outputs are 8.8e-05 GB, but 8e-05 GB of memory are free"
    assert found[0]["may_fail"]
    assert found[1]["error"] < 1e-5  # half of it in float32


def test_ensembles_that_are_taken_again_are_the_same(monkeypatch: pytest.MonkeyPatch):
    found = by_size.inputs("float64", 25, 10, 88)
    drawn = media.draw_parameters(10)
    for name, values in found.items():
        close(np.asarray(values), np.tile(drawn[name], 3)[:25], rtol=0)


# Operations


def test_operations_are_counted_by_kind_and_precision():
    x, y = jnp.ones((3, 4), jnp.float32), jnp.ones(4, jnp.float32)
    found = operations.counted(lambda x, y: jnp.sum(x * y + 1, axis=0) / jnp.where(y > 0, jnp.exp(y), y), x, y)
    kinds = {"multiplies": 12, "adds": 24, "divides": 4, "choices": 8, "transcendentals": 4}
    assert found == {(kind, "float32"): number for kind, number in kinds.items()}
    assert operations.per_lane(found, 4)["operations"] == 13


def test_operations_of_products_of_matrices_are_those_of_their_sums():
    found = operations.counted(lambda A, B: A @ B, jnp.ones((2, 3)), jnp.ones((3, 5)))
    assert sorted(found.values()) == [30, 30]


def test_every_turn_of_a_loop_counts_also_where_their_number_comes_out_only_then():
    def halved(x: jax.Array) -> jax.Array:
        return lax.while_loop(lambda x: x[0] > 1, lambda x: x * 0.5, x)

    def called(x: jax.Array) -> jax.Array:
        return lax.cond(x[0] > 0, jax.jit(halved), lambda x: x, x + 1) + lax.fori_loop(0, 3, lambda k, x: x + x, x)

    found = operations.counted(called, jnp.full(2, 15.0, jnp.float32))
    assert {kind: number for (kind, _), number in found.items()} == {
        "adds": 2 + 3 * 2 + 2,
        "multiplies": 4 * 2,  # 16, 8, 4, 2
        "choices": 1 + 5,
    }


def test_a_loop_that_cannot_be_counted_is_refused():
    def turned(x: jax.Array) -> jax.Array:
        return lax.fori_loop(0, 3, lambda k, x: lax.while_loop(lambda x: x > 1, lambda x: x * 0.5, x), x)

    with pytest.raises(ValueError, match="is not counted"):
        operations.counted(turned, jnp.float32(3))


# What many ensembles cost


def counted_run(device: str = "cpu") -> dict[str, Any]:
    """A run whose numbers are round."""
    facts = {"operations": 50.0, "operations_float32": 0.0, "moved_bytes": 88.0}
    known: dict[str, Any] = {"device": device, "ns_per_ensemble": {"median": 8.8, "min": 8.8, "max": 8.8}}
    steps = {"operations": 1000.0, "mean_steps": 500.0}
    entries = [
        entry("MACHINE", machine.COPY, **known, facts={"bandwidth": 20e9}),
        entry("MACHINE", machine.RATE, **known, facts={"rate": 100e9}),
        entry("MACHINE", machine.RATE, **known, dtype="float32", facts={"rate": 200e9}),
        entry("J1", **known, facts=facts),
        entry("J2", **known, facts={"operations": 8000.0, "operations_float32": 3000.0, "moved_bytes": 848.0}),
        entry("SIZES", "jaxrate J1, 10^4", **known, lanes=10**4, facts={"bandwidth": 1e10}),
        entry("STEPS", name_of_steps(5), **known, facts=steps | {"step_seconds": 1e-8, "slowest_ratio": 1.5}),
        entry("N1", lasers.AT_PEERS, **known),
    ]
    return run_of(entries)


def test_the_model_takes_the_slower_of_memory_and_arithmetic():
    run = counted_run()
    found, own = {work.job: work for work in roofline.works(run)}, roofline.here(run)
    close(found["J1"].model(own), 88 / 20e9)
    close(found["J2"].model(own), 5000 / 100e9 + 3000 / 200e9)
    close(found["N1"].by_arithmetic(own), 500_000 / 100e9)
    close(found["J1"].model(roofline.ALLOCATION), 88 / 4.8e12 / 64)


def test_the_page_says_what_is_measured_and_what_is_predicted():
    page = scaling.markdown(counted_run())
    assert "| J1, this machine, 2 cores | float64 | 4.4 ns | 0.5 ns | 4.4 ns | 8.8 ns | 2 x |" in page
    assert "| J1 | float64 | 88 TB | 625 | 1.22 h | 2.44 h | 18.3 s | 0.286 s |" in page
    assert "no GPU was measured" in page
    assert "| 10^4 | 88 µs (model 44 µs) |" in page


def test_a_run_on_a_gpu_is_put_beside(tmp_path: Path):
    gpu = counted_run("gpu: NVIDIA H200")
    gpu["machine"]["device"] = "gpu: NVIDIA H200"
    (tmp_path / scaling.GPU_RUN).write_text(json.dumps(gpu))
    page, picture = scaling.write(counted_run(), tmp_path)
    assert picture.read_bytes().startswith(b"\x89PNG")
    text = page.read_text()
    assert "J1, NVIDIA H200, measured" in text
    assert "no GPU was measured" not in text


def test_without_the_machine_there_is_no_page(tmp_path: Path):
    assert scaling.write(run_of([entry("J1")]), tmp_path) == []


def test_the_page_in_the_repository_is_what_its_json_gives():
    source, page = HERE / "results.json", HERE / scaling.PAGE
    kept = json.loads(source.read_text()) if source.exists() else run_of([])
    if not roofline.is_known(kept):
        pytest.skip("the results that are kept lack MACHINE, or the operations of J1 and J2")
    assert page.read_text() == scaling.markdown(kept, scaling.gpu_run(HERE))


# Figures


def test_what_operations_cost_is_compared_in_core_time(monkeypatch: pytest.MonkeyPatch):
    steps = entry("STEPS", name_of_steps(5), seconds=[1.0], lanes=10, cores_busy=1.0)
    steps["facts"] = {"operations": 200.0, "mean_steps": 5.0}  # 10^4 operations a second of a core
    ours = entry("J2", seconds=[2.0], lanes=100, cores_busy=2.0)
    ours["facts"] = {"operations": 400.0}  # as many
    figure = Figure("steps", ("STEPS", name_of_steps(5)), ("J2", "jaxrate"), "operation_seconds", at_most=2)
    monkeypatch.setattr(report, "FIGURES", [figure])
    assert [row[2] for row in report.figure_rows(run_of([steps, ours]))] == ["1 x"]
    del ours["facts"]["operations"]
    assert report.figure_rows(run_of([steps, ours])) == []


@pytest.mark.parametrize(("device", "rows"), [("cpu", []), ("gpu: H200", [["80 %", "at least 50 %", "yes"]])])
def test_what_is_held_on_a_gpu_is_shown_only_of_one(device: str, rows: list[list[str]]):
    ours = entry("SIZES", "jaxrate J1, 10^7", lanes=10**7, device=device, facts={"bandwidth": 4e12})
    copies = entry("MACHINE", machine.COPY, device=device, facts={"bandwidth": 5e12})
    found = report.figure_rows(run_of([ours, copies]))
    assert [row[2:] for row in found if row[0].startswith("J1's share")] == rows


def test_what_is_held_on_a_cpu_has_no_verdict_elsewhere():
    entries = [entry("J1", device="gpu: H200"), entry("J1", VMAP, device="gpu: H200")]
    (row,) = report.figure_rows(run_of(entries))
    assert row[3:] == ["at least 20 x", ""]


def test_long_times_and_rates_are_written_in_the_unit_that_suits():
    assert [duration_text(seconds) for seconds in (5400, 3e5, 6.3e7)] == ["1.5 h", "3.47 days", "2 years"]
    assert rate_text(1.2345e11) == "123 GFLOP/s"
