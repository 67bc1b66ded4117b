"""Whatever stops a sweep, it goes on to the bits of one that nothing stopped: no unit lost, none counted twice."""

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import xarray as xr

import jaxrate as jr
from jaxrate.cli import main
from jaxrate.solve import lanes
from jaxrate.sweep import chunks, engine
from jaxrate.sweep.completion import complete
from jaxrate.sweep.engine import Local, Watch
from jaxrate.sweep.job import read_job
from jaxrate.sweep.store import Store, create, open_store
from tests.stores import BENCH, OVER, UNIT, ended, equal, shell, sweep_file, undisturbed

LONG = bool(os.environ.get("JAXRATE_LONG"))
"""The full number of faults, not a sample of it."""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A finished store of twenty units."""
    jr.sweep(BENCH, OVER, store=tmp_path / "out", unit_size=UNIT)
    return tmp_path / "out"


def chunk_files(out: Path) -> list[Path]:
    return sorted(
        f for name in ("upper", "status") for f in (out / "results.zarr" / name / "c").rglob("*") if f.is_file()
    )


# Killed.


@pytest.mark.parametrize("point", ["begin", "computed", "written", "arrays", "entry", "committed", "finish"])
def test_killed_at_any_point_it_resumes(tmp_path: Path, point: str):
    """In the compile and the computation, in a write, between arrays and ledger, in the ledger, in the last step."""
    file = sweep_file(tmp_path)
    unit = 0 if point in ("begin", "finish") else 7
    killed = shell(tmp_path, "sweep", str(file), "-o", "out", "--unit-size", str(UNIT), trouble=f"kill {point} {unit}")
    assert ended(killed)[0] == -9
    before = {k: entry.made for k in range(20) if (entry := open_store(tmp_path / "out").ledger.read(k))}
    assert (unit in before) == (point in ("committed", "finish"))
    equal(jr.resume(tmp_path / "out"), undisturbed())
    entries = {entry.unit: entry.made for entry in open_store(tmp_path / "out").entries()}
    assert sorted(entries) == list(range(20))
    assert all(entries[k] == made for k, made in before.items())
    assert jr.verify(tmp_path / "out") == {}
    assert not list((tmp_path / "out").rglob("*.partial"))


@pytest.mark.parametrize("reduce", [None, ["mean", "std", "argmax"]], ids=["stored", "reduced"])
def test_killed_at_random_moments_it_resumes(tmp_path: Path, reduce: Any):
    """Two hundred units; each time the program that goes on is killed some way further on."""
    file = sweep_file(tmp_path, rows=400, more=f"reduce = {reduce}" if reduce else "")
    wanted = jr.sweep(BENCH, _long(), reduce=reduce, store=tmp_path / "wanted", unit_size=UNIT).load()

    def begin() -> Any:
        return shell(tmp_path, "sweep", str(file), "-o", "out", "--unit-size", str(UNIT), trouble="slow")

    kills = 50 if LONG else 3
    for kill in range(kills):
        running = begin()
        _wait_for_units(tmp_path / "out", 3 * kill + random.Random(kill).randint(0, 3), running)
        time.sleep(random.Random(kill).uniform(0, 0.1))
        running.kill()
        assert ended(running)[0] == -9
    before = {entry.unit: entry.made for entry in open_store(tmp_path / "out").entries()}
    assert 0 < len(before) < 200
    found = jr.resume(tmp_path / "out")
    equal(found.load(), wanted)
    entries = {entry.unit: entry for entry in open_store(tmp_path / "out").entries()}
    assert sorted(entries) == list(range(200))
    assert sum(entry.statuses[0] for entry in entries.values()) == 400 * 25
    assert all(entries[k].made == made for k, made in before.items())


def _wait_for_units(out: Path, number: int, running: Any) -> None:
    ledger, until = out / "ledger", time.monotonic() + 120
    while running.poll() is None and len(list(ledger.glob("*.json")) if ledger.exists() else []) <= number:
        assert time.monotonic() < until, f"nothing gets done: {running.kill() or running.communicate()}"
        time.sleep(0.005)


@pytest.mark.long
def test_workers_and_drivers_killed_at_random_cost_nothing(tmp_path: Path):
    """On a cluster of two workers, which go on writing when the driver is gone."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install 'jaxrate[cluster]'.")
    file, rng = sweep_file(tmp_path, rows=400), random.Random(8)
    wanted = jr.sweep(BENCH, _long())

    class Slow(distributed.WorkerPlugin):
        """Gives each unit time to be killed in."""

        def setup(self, worker: Any) -> None:
            def slowly(*arguments: Any, kept: Any = engine.compute) -> Any:
                time.sleep(0.1)
                return kept(*arguments)

            engine.compute = slowly

    options: Any = {"threads_per_worker": 1, "processes": True, "dashboard_address": ":0", "silence_logs": 50}
    with distributed.LocalCluster(2, **options) as cluster, distributed.Client(cluster, set_as_default=False) as client:
        client.register_plugin(Slow())
        where = ["--engine", f"dask:{cluster.scheduler_address}"]
        for kill in range(50 if LONG else 3):
            running = shell(tmp_path, "sweep", str(file), "-o", "out", "--unit-size", str(UNIT), *where)
            _wait_for_units(tmp_path / "out", 3 * kill + rng.randint(0, 2), running)
            up = [worker.pid for worker in cluster.workers.values() if worker.pid and worker.status.name == "running"]
            if len(up) == 2 and rng.random() < 0.5:  # a worker killed while it starts is not started again
                os.kill(rng.choice(up), signal.SIGKILL)
            running.kill()
            assert ended(running)[0] == -9
    assert 0 < len(list(open_store(tmp_path / "out").entries())) < 200
    equal(jr.resume(tmp_path / "out").load(), wanted)


def _long() -> dict[str, np.ndarray]:
    return {**OVER, "pump.rate": np.geomspace(1.0, 1e5, 400)}


@pytest.mark.parametrize(
    ("signals", "point"),
    [
        *[("term", "begin"), ("usr1", "computed"), ("term", "written"), ("int+int", "begin")],
        *([("int", "begin"), ("usr1", "begin"), ("usr1", "written"), ("term", "computed")] if LONG else []),
    ],
)
def test_signals_stop_it_and_it_resumes(tmp_path: Path, signals: str, point: str):
    """In a compile, in a computation, in a write; Ctrl-C twice leaves at once."""
    file = sweep_file(tmp_path)
    unit = 0 if point == "begin" else 5
    stopped = shell(
        tmp_path, "sweep", str(file), "-o", "out", "--unit-size", str(UNIT), trouble=f"{signals} {point} {unit}"
    )
    code, _, err = ended(stopped)
    assert code == 75, err
    assert "SIG" in err
    if "+" not in signals:
        assert "--resume out" in err
    done = jr.status(tmp_path / "out")
    assert not done.complete
    assert done.done < 20
    equal(jr.resume(tmp_path / "out"), undisturbed())


def test_an_interrupt_in_python_stops_it_and_it_resumes(tmp_path: Path):
    store = create(tmp_path / "out", read_job(BENCH, OVER), UNIT)
    with pytest.raises(KeyboardInterrupt):
        complete(store, Local(), show=_interrupting)
    assert 0 < len(list(store.entries())) < 20
    equal(jr.resume(tmp_path / "out"), undisturbed())


@contextlib.contextmanager
def _interrupting(*_: Any, **__: Any) -> Iterator[Any]:
    """Progress that types Ctrl-C when the first unit is done, and gives it time to arrive."""
    typed = threading.Lock()

    def advance(_: int) -> None:
        if typed.acquire(blocking=False):
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield advance
    finally:
        signal.signal(signal.SIGINT, before)


# The disk.


def test_full_disk_is_said_and_survived(tmp_path: Path, capsys: pytest.CaptureFixture):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("A small disk can be mounted only by root, and not in every container.")
    file = sweep_file(tmp_path, rows=20000, more="")
    try:
        assert main(["sweep", str(file), "-o", str(disk / "out"), "--unit-size", "25000"]) == 75
        said = capsys.readouterr().err
        assert "No space left on device" in said
        assert "--resume" in said
        store = open_store(disk / "out")
        before = [entry.unit for entry in store.entries()]
        assert before
        assert [store.fault(k) for k in before] == [""] * len(before)
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        assert main(["sweep", "--resume", str(disk / "out")]) == 0
        equal(jr.open(disk / "out").load(), jr.sweep(BENCH, {**OVER, "pump.rate": np.geomspace(1, 1e5, 20000)}))
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("number", [errno.EIO, errno.EDQUOT])
def test_a_disk_that_fails_stops_the_sweep_not_the_unit(tmp_path: Path, number: int, monkeypatch: Any):
    """The unit is not to blame, so it is not left out."""

    def write(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(chunks, "write", write)
    with pytest.raises(OSError, match=os.strerror(number)):
        jr.sweep(BENCH, OVER, store=tmp_path / "out", unit_size=UNIT)
    monkeypatch.undo()
    assert jr.status(tmp_path / "out").quarantined == ()
    equal(jr.resume(tmp_path / "out"), undisturbed())


def damage(path: Path, how: str, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    place = rng.randrange(len(data))
    if how == "deleted":
        path.unlink()
        return
    if how == "flipped":
        data[place] ^= 1 << rng.randrange(8)
    path.write_bytes({"flipped": data, "truncated": data[:place], "emptied": b""}[how])


def test_damaged_chunks_are_found_and_computed_again(tmp_path: Path):
    """A hundred of them; a unit of which nothing was damaged is not touched."""
    over, out, rng = _long(), tmp_path / "out", random.Random(1)
    wanted = jr.sweep(BENCH, over, store=out, unit_size=UNIT).load()
    files = rng.sample(chunk_files(out), 100)
    for file in files:
        damage(file, rng.choice(["flipped", "truncated", "emptied", "deleted"]), rng)
    units = {int(file.relative_to(out / "results.zarr").parts[2]) for file in files}
    assert set(jr.verify(out)) == units
    kept = {k: (out / "ledger" / f"{k:06d}.json").stat().st_mtime_ns for k in range(200) if k not in units}
    equal(jr.resume(out).load(), wanted)
    assert jr.verify(out) == {}
    assert all((out / "ledger" / f"{k:06d}.json").stat().st_mtime_ns == time for k, time in kept.items())


@pytest.mark.parametrize("how", ["flipped", "truncated", "emptied", "deleted"])
def test_damaged_ledger_entries_do_not_count(out: Path, how: str):
    rng = random.Random(2)
    for k in (3, 11):
        damage(out / "ledger" / f"{k:06d}.json", how, rng)
    assert set(jr.verify(out)) == {3, 11}
    assert not jr.status(out).complete
    equal(jr.resume(out), undisturbed())


@pytest.mark.parametrize("array", ["upper", "status"])
def test_reading_a_flipped_chunk_is_an_error_not_a_number(out: Path, array: str):
    file = next(path for path in chunk_files(out) if path.is_relative_to(out / "results.zarr" / array))
    damage(file, "flipped", random.Random(3))
    with pytest.raises((ValueError, RuntimeError), match=r"checksum|Zstd"):
        jr.open(out).load()


def test_a_ledger_without_data_does_not_count(out: Path):
    shutil.rmtree(out / "results.zarr")
    (out / "results.zarr").mkdir()
    equal(jr.resume(out), undisturbed())


@pytest.mark.parametrize("name", ["pump.rate/c/0", "upper/zarr.json", "zarr.json"])
@pytest.mark.parametrize("how", ["truncated", "deleted"])
def test_damaged_coordinates_and_metadata_are_mended(out: Path, name: str, how: str):
    damage(out / "results.zarr" / name, how, random.Random(4))
    assert jr.verify(out) or not jr.status(out).complete
    equal(jr.resume(out).load(), undisturbed())
    assert jr.verify(out) == {}


@pytest.mark.parametrize("name", ["upper_mean/c/0", "upper_mean/zarr.json", "zarr.json"])
@pytest.mark.parametrize("how", ["flipped", "deleted"])
def test_damaged_reductions_are_mended(tmp_path: Path, name: str, how: str):
    out = tmp_path / "out"
    wanted = jr.sweep(BENCH, OVER, store=out, reduce="mean", along="decay.rate").load()
    damage(out / "results.zarr" / name, how, random.Random(4))
    assert list(jr.verify(out)) == [-1] or not jr.status(out).complete
    equal(jr.resume(out).load(), wanted)
    assert jr.verify(out) == {}


def test_what_killed_programs_leave_is_swept_up(out: Path):
    left = [out / "ledger" / ".000003.json.1.ab.partial", out / "results.zarr" / "upper" / "c" / "3" / "0.9.ab.partial"]
    for path in left:
        path.write_bytes(b"half")
    (out / "ledger" / "000003.json").unlink()
    equal(jr.resume(out), undisturbed())
    assert not any(path.exists() for path in left)


# Units.


def test_a_unit_without_any_result_is_done(tmp_path: Path):
    """All of its numbers are NaN; it is stored, not missing."""
    over = {"pump.rate": np.concatenate([np.full(50, np.nan), np.full(50, -1.0), [100.0, np.inf]])}
    found = jr.sweep(BENCH, over, store=tmp_path / "out", unit_size=10)
    assert jr.verify(tmp_path / "out") == {}
    assert jr.status(tmp_path / "out").statuses == {0: 1, 1: 101}
    assert np.isnan(found.upper.values).sum() == 101
    same_row = jr.sweep(BENCH, {"pump.rate": [100.0]})
    assert found.upper.values[100] == same_row.upper.values[0]
    assert found.attrs["failed"] == 101


def test_a_poisoned_unit_is_left_out_and_tried_again(tmp_path: Path, monkeypatch: Any, capsys: Any):
    def compute(job: Any, units: Any, k: int, kept: Any = engine.compute) -> Any:
        if k == 3:
            raise FloatingPointError("this unit is bad")
        return kept(job, units, k)

    monkeypatch.setattr(engine, "compute", compute)
    file = sweep_file(tmp_path)
    assert main(["sweep", str(file), "-o", str(tmp_path / "out"), "--unit-size", str(UNIT)]) == 4
    said = capsys.readouterr().err
    assert "unit 3" in said
    assert "this unit is bad" in said
    status = jr.status(tmp_path / "out")
    assert status.done == 19
    assert status.quarantined == (3,)
    assert main(["status", str(tmp_path / "out"), "--check"]) == 4
    monkeypatch.undo()
    equal(jr.resume(tmp_path / "out"), undisturbed())
    assert jr.status(tmp_path / "out").quarantined == ()


def test_a_unit_that_ends_its_process_again_and_again_is_left_out(out: Path, monkeypatch: Any):
    (out / "ledger" / "000007.json").unlink()
    (out / "attempts" / "000007").write_bytes(b"." * engine.ATTEMPTS)
    watch = Watch(open_store(out))
    Local().run(watch.store, [7], watch)
    assert "begun 8 times" in watch.failures[7]
    assert jr.status(out).quarantined == (7,)
    equal(jr.resume(out), undisturbed())
    assert not list((out / "attempts").iterdir())


@pytest.mark.long
def test_programs_on_one_plan_are_harmless(tmp_path: Path):
    """Three of them begin, and end, together."""
    file = sweep_file(tmp_path)
    running = [shell(tmp_path, "sweep", str(file), "-o", "out", "--unit-size", str(UNIT)) for _ in range(3)]
    for process in running:
        code, _, err = ended(process)
        assert code == 0, err
    equal(jr.open(tmp_path / "out").load(), undisturbed())
    assert jr.verify(tmp_path / "out") == {}


def test_another_number_of_workers_or_less_memory_changes_no_bit(tmp_path: Path, monkeypatch: Any):
    reduce: Any = ["mean", "std", "argmax"]
    wanted = jr.sweep(BENCH, _long(), reduce=reduce, store=tmp_path / "a", unit_size=5000)
    store = create(tmp_path / "b", read_job(BENCH, _long(), reduce=reduce), 5000)
    store.prepare()
    Local().run(store, [1], Watch(store))
    monkeypatch.setattr(lanes, "num_cores", lambda: 5)
    monkeypatch.setattr(lanes, "BLOCKS_PER_CALL", 1)
    lanes._threads.cache_clear()
    try:
        equal(jr.resume(tmp_path / "b"), wanted)
    finally:
        lanes._threads.cache_clear()


def test_a_call_that_gets_no_memory_is_made_in_parts(monkeypatch: Any):
    """Calls of more than two blocks are refused, as a device without room refuses them."""
    asked: list[int] = []

    def program(kernel: Any, way: Any, num_blocks: int, kept: Any = lanes._program) -> Any:
        asked.append(num_blocks)
        if num_blocks <= 2:
            return kept(kernel, way, num_blocks)

        def refuse(*_: Any) -> Any:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")

        return refuse

    over = {**OVER, "pump.rate": np.geomspace(1.0, 1e5, 4000)}
    wanted = jr.sweep(BENCH, over), jr.sweep(BENCH, over, reduce=["mean", "std"])
    monkeypatch.setattr(lanes, "_program", program)
    equal(jr.sweep(BENCH, over), wanted[0])
    equal(jr.sweep(BENCH, over, reduce=["mean", "std"]), wanted[1])
    assert {32, 16, 8, 4, 2} <= set(asked)


def test_units_are_shared_out_to_devices_whatever_their_number(tmp_path: Path):
    """Seven units on three devices, in a process that has three."""
    code = """
import sys, jax, numpy as np
import jaxrate as jr
from pathlib import Path
from jaxrate.sweep.completion import complete
from jaxrate.sweep.engine import Local
from jaxrate.sweep.job import read_job
from jaxrate.sweep.store import create
from tests.stores import BENCH, OVER
assert len(jax.devices()) == 3
store = create(Path(sys.argv[1]), read_job(BENCH, OVER), 150)
assert len(store.units) == 7
complete(store, Local(tuple(jax.devices())))
over = {**OVER, "pump.rate": np.geomspace(1.0, 1e5, 40000)}
several = create(Path(sys.argv[2]), read_job(BENCH, over, reduce="std"), 400_000)
complete(several, Local(tuple(jax.devices())))
"""
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=3"}
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", code, tmp_path / "out", tmp_path / "reduced"]
    subprocess.run(command, env=environment, check=True, cwd=root)
    equal(jr.open(tmp_path / "out").load(), undisturbed())
    over = {**OVER, "pump.rate": np.geomspace(1.0, 1e5, 40000)}
    wanted = jr.sweep(BENCH, over, reduce="std", store=tmp_path / "wanted", unit_size=400_000)
    equal(jr.open(tmp_path / "reduced").load(), wanted)


@pytest.mark.parametrize("over", [{}, {"pump.rate": [3.0]}])
def test_one_ensemble_is_a_sweep_too(tmp_path: Path, over: dict[str, Any]):
    equal(jr.sweep(BENCH, over, store=tmp_path / "out").load(), jr.sweep(BENCH, over))
    assert len(open_store(tmp_path / "out").units) == 1


def test_bad_parameters_do_not_touch_their_neighbours(tmp_path: Path):
    clean = np.geomspace(1, 1e4, 30)
    spoilt = clean.copy()
    spoilt[[3, 14, 22]] = np.nan, -np.inf, -5.0
    good = jr.sweep(BENCH, {"pump.rate": clean})
    bad = jr.sweep(BENCH, {"pump.rate": spoilt}, store=tmp_path / "out", unit_size=7)
    assert bad.status.values.nonzero()[0].tolist() == [3, 14, 22]
    keep = bad.status.values == 0
    assert np.array_equal(bad.upper.values[keep], good.upper.values[keep])


# Plans.


def test_of_two_plans_that_begin_together_one_is_refused(tmp_path: Path):
    file = sweep_file(tmp_path)
    command = ["sweep", str(file), "-o", "out"]
    both = [shell(tmp_path, *command), shell(tmp_path, *command, "--set", "over.pump.rate.num=7")]
    codes = [ended(process)[0] for process in both]
    assert sorted(codes) == [0, 3]
    equal(jr.open(tmp_path / "out").load(), undisturbed()) if codes[0] == 0 else None


@pytest.mark.parametrize(("key", "value"), [("size", 7), ("block", 64)])
def test_a_plan_whose_units_were_changed_is_refused(out: Path, key: str, value: int):
    plan = json.loads((out / "plan.json").read_text())
    plan["units"][key] = value
    (out / "plan.json").write_text(json.dumps(plan))
    for use in (jr.resume, jr.open, jr.status, jr.verify):
        with pytest.raises(ValueError, match="was changed"):
            use(out)


def test_a_changed_file_is_another_plan(tmp_path: Path, capsys: Any):
    file = sweep_file(tmp_path)
    out = tmp_path / "out"
    assert main(["sweep", str(file), "-o", str(out)]) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert main(["sweep", str(file), "-o", str(out), "--set", "over.pump.rate.num=7"]) == 3
    assert "over.pump.rate" in capsys.readouterr().err
    sweep_file(tmp_path, rows=7)
    assert main(["sweep", "--resume", str(out)]) == 0
    assert {path: path.read_bytes() for path in before} == before


def test_incomplete_results_are_not_taken_for_complete_ones(tmp_path: Path):
    store = create(tmp_path / "out", read_job(BENCH, OVER), UNIT)
    store.prepare()
    Local().run(store, range(5), Watch(store))
    with pytest.raises(ValueError, match=r"incomplete, 15 of 20 units.*jr.resume"):
        jr.open(tmp_path / "out")
    found = jr.open(tmp_path / "out", incomplete=True)
    done = found.status.values == 0
    assert done.sum() == 5 * UNIT
    assert set(np.unique(found.status.values)) == {-1, 0}
    assert np.array_equal(found.upper.values[done], undisturbed().upper.values[done])
    assert np.isnan(found.upper.values[~done]).all()


def test_incomplete_reductions_say_how_many_they_are_of(tmp_path: Path):
    store: Store = create(tmp_path / "out", read_job(BENCH, OVER, reduce=["mean"]), UNIT)
    store.prepare()
    Local().run(store, range(5), Watch(store))
    found: xr.Dataset = jr.open(tmp_path / "out", incomplete=True)
    assert found["count"] == 5 * UNIT
    assert np.isclose(found.upper_mean, undisturbed().upper.values.ravel()[: 5 * UNIT].mean(), rtol=1e-14)
