"""Units on a dask cluster: the same bits as in this process, whatever becomes of the workers."""

import builtins
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dask.config import set as configured
from distributed import Client, LocalCluster
from distributed.diagnostics.plugin import WorkerPlugin

import jaxrate as jr
from jaxrate.sweep import cluster, flight
from jaxrate.sweep import engine as engines
from jaxrate.sweep.cluster import Dask, Slurm, SlurmAllocation, engine
from jaxrate.sweep.engine import Watch
from jaxrate.sweep.flight import ClusterLost, ClusterMissing, ClusterRefused, jobqueue
from jaxrate.sweep.job import read_job
from jaxrate.sweep.limits import read_time, read_workers
from jaxrate.sweep.plan import StoreError
from jaxrate.sweep.store import Store, create
from tests.stores import BENCH
from tests.tolerance import same

OVER = {"pump.rate": np.geomspace(1.0, 1e5, 240), "decay.rate": [1e3, 3e3]}
UNIT = 40
"""Ensembles in a unit: 12 units."""
ALL = -1


@dataclass
class Trouble(WorkerPlugin):
    """Makes one unit fail on the workers; each of the others takes a moment.

    Attributes:
        unit: Which one.
        how: "raises", "lacks a package", "fills the disk" or "kills"; "" for nothing.
    """

    unit: int
    how: str
    name = "trouble"

    def setup(self, worker: Any) -> None:
        self.kept = engines.compute, engines.ATTEMPTS
        engines.compute, engines.ATTEMPTS = self.compute, 2

    def teardown(self, worker: Any) -> None:
        engines.compute, engines.ATTEMPTS = self.kept

    def compute(self, job: Any, units: Any, k: int) -> Any:
        if k == self.unit or self.unit == ALL:
            self.fail()
        return self.kept[0](job, units, k)

    def fail(self) -> None:
        if self.how == "kills":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.how == "raises":
            raise FloatingPointError("this unit is bad")
        elif self.how == "lacks a package":
            raise ModuleNotFoundError("No module named 'jaxlib'")
        elif self.how == "fills the disk":
            raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two workers, each a process of its own. A task is given up when the first worker dies with it."""
    quiet = {"distributed.scheduler.allowed-failures": 0, "distributed.admin.log-format": "%(message)s"}
    with (
        configured(quiet),
        LocalCluster(2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50) as workers,
        Client(workers, set_as_default=False) as found,
    ):
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = create(tmp_path / "out", read_job(BENCH, OVER), UNIT)
    made.prepare()
    return made


@pytest.fixture
def trouble(client: Any) -> Iterator[Any]:
    yield lambda *how: client.register_plugin(Trouble(*how))
    client.unregister_worker_plugin("trouble")


def dask_engine(client: Any) -> Dask:
    return Dask(address(client))


def address(client: Any) -> str:
    return client.scheduler_info()["address"]


def check(store: Store) -> None:
    """All units are done, and what is stored is what one process computes."""
    assert store.pending() == []
    assert [k for k in range(len(store.units)) if store.fault(k)] == []
    store.finish()
    found, wanted = store.read(), jr.sweep(BENCH, OVER)
    for name in wanted.variables:
        same(found[name], wanted[name], str(name))


def test_cluster_gives_the_bits_of_one_process(client: Any, tmp_path: Path):
    there = f"dask:{address(client)}"
    found = jr.sweep(BENCH, OVER, store=tmp_path / "a", unit_size=UNIT, engine=there)
    wanted = jr.sweep(BENCH, OVER, store=tmp_path / "b", unit_size=UNIT)
    for name in wanted.variables:
        same(found[name], wanted[name], str(name))
    reduced = [
        jr.sweep(BENCH, OVER, reduce=["mean", "argmax"], engine=e, store=tmp_path / e[:4]) for e in (there, "local")
    ]
    for name in reduced[0].variables:
        same(reduced[0][name], reduced[1][name], str(name))


def test_worker_killed_in_the_middle_costs_nothing(client: Any, store: Store):
    victims = list(client.run(os.getpid).values())[:1]

    def kill(lanes: int) -> None:
        if victims:
            os.kill(victims.pop(), signal.SIGKILL)

    watch = Watch(store, kill)
    dask_engine(client).run(store, store.pending(), watch)
    assert not watch.failures
    assert len(watch.finished) == len(store.units)
    check(store)


@pytest.mark.parametrize(("how", "said"), [("raises", "this unit is bad"), ("kills", "ended before it was done")])
def test_unit_that_cannot_be_computed_is_left_out(client: Any, store: Store, trouble: Any, how: str, said: str):
    trouble(5, how)
    watch = Watch(store)
    dask_engine(client).run(store, store.pending(), watch)
    assert list(watch.failures) == [5]
    assert said in watch.failures[5]
    assert store.pending() == [5]
    (store.path / "attempts" / "000005").unlink(missing_ok=True)
    trouble(5, "")
    dask_engine(client).run(store, [5], Watch(store))
    check(store)


def test_full_disk_stops_the_sweep_and_blames_no_unit(client: Any, store: Store, trouble: Any):
    trouble(3, "fills the disk")
    watch = Watch(store)
    with pytest.raises(OSError, match="No space left") as caught:
        dask_engine(client).run(store, store.pending(), watch)
    assert caught.value.errno == errno.ENOSPC
    assert not watch.failures


@pytest.mark.parametrize(("how", "said"), [("raises", "Unit after unit"), ("lacks a package", "No module named")])
def test_workers_that_can_do_nothing_are_told_from_bad_units(
    client: Any, store: Store, trouble: Any, monkeypatch: pytest.MonkeyPatch, how: str, said: str
):
    monkeypatch.setattr(flight, "HOPELESS", 3)
    trouble(ALL, how)
    with pytest.raises(ClusterRefused, match=said):
        dask_engine(client).run(store, store.pending(), Watch(store))
    assert len(store.pending()) == len(store.units)


def test_signal_lets_what_runs_end_and_begins_no_more(client: Any, store: Store):
    watch = Watch(store)
    watch.advance = lambda lanes: watch.stop.set()
    dask_engine(client).run(store, store.pending(), watch)
    left = store.pending()
    assert len(watch.finished) >= 1
    assert set(left).isdisjoint(watch.finished)
    dask_engine(client).run(store, left, Watch(store))
    check(store)


def test_worker_that_does_not_see_the_store_is_no_failure_of_the_unit(client: Any, store: Store):
    watch = Watch(store)
    (store.path / "plan.json").unlink()
    with pytest.raises(StoreError, match="on a disk they share"):
        dask_engine(client).run(store, store.pending(), watch)
    assert not watch.failures


def test_scheduler_that_is_gone_ends_the_run(store: Store):
    workers: Any = LocalCluster(0, dashboard_address=":0", silence_logs=50)
    with workers:
        closing = threading.Timer(1.0, workers.close)
        closing.start()
        with pytest.raises(ClusterLost, match="resume the sweep"):
            Dask(workers.scheduler_address).run(store, store.pending(), Watch(store))
        closing.join()


def test_cluster_that_is_not_there_is_named(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cluster, "CONNECT", "0.5s")
    with pytest.raises(ClusterRefused, match=r"No dask scheduler answers at `tcp://127\.0\.0\.1:9`"):
        Dask("tcp://127.0.0.1:9").run(store, [0], Watch(store))


@pytest.mark.parametrize(("name", "package"), [("dask:tcp://127.0.0.1:9", "distributed"), ("slurm", "dask_jobqueue")])
def test_missing_packages_are_named(store: Store, monkeypatch: pytest.MonkeyPatch, name: str, package: str):
    real = builtins.__import__

    def without(wanted: str, *arguments: Any, **options: Any) -> Any:
        if wanted.split(".")[0] == package:
            raise ImportError(f"No module named '{package}'")
        return real(wanted, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, package, raising=False)
    with pytest.raises(ClusterMissing, match=r"pip install 'jaxrate\[cluster\]'") as caught:
        engine(name).run(store, [0], Watch(store))
    assert isinstance(caught.value, ValueError)


def test_jobqueue_leaves_ctrl_c_alone(monkeypatch: pytest.MonkeyPatch):
    before = signal.getsignal(signal.SIGINT)
    for name in [name for name in sys.modules if name.startswith("dask_jobqueue")]:
        monkeypatch.delitem(sys.modules, name)
    jobqueue()
    assert signal.getsignal(signal.SIGINT) is before


# What is typed.


def test_engines_by_name():
    assert engine("local") == engines.Local()
    assert engine("dask:tcp://10.0.0.1:8786") == Dask("tcp://10.0.0.1:8786")
    assert engine("slurm", {"minimum": 4, "maximum": 64, "gres": "gpu:1"}) == Slurm(4, 64, gres="gpu:1")
    assert engine("slurm-alloc") == SlurmAllocation()


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("slrum", {}, "did you mean `slurm`"),
        ("lokal", {}, "did you mean `local`"),
        ("dask", {}, "Name the scheduler"),
        ("slurm", {"gress": "gpu:1"}, "did you mean `gres`"),
        ("slurm", {"minimum": 4, "maximum": 2}, "4:2"),
        ("slurm", {"time": "soon"}, "written as 2:00:00"),
        ("local", {"gres": "gpu:1"}, "has no options"),
    ],
)
def test_misspelt_engines_are_refused(text: str, options: dict, said: str):
    with pytest.raises(ValueError, match=said):
        engine(text, options)


def test_workers_are_read():
    assert read_workers("4:64") == (4, 64)
    assert read_workers("0:3") == (0, 3)
    assert read_workers("8") == (8, 8)
    for bad in ("", "4:", "8:4", "0", "-1:3", "four", "1:2:3"):
        with pytest.raises(ValueError, match="4:64"):
            read_workers(bad)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 5400),
        ("2:30", 150),
        ("2:00:00", 7200),
        ("1-12", 129600),
        ("1-12:30", 131400),
        ("1-00:00:10", 86410),
        ("UNLIMITED", float("inf")),
        ("0", float("inf")),
    ],
)
def test_time_limits_are_read_as_slurm_does(text: str, seconds: float):
    assert read_time(text) == seconds


def test_worker_ends_before_its_job(store: Store):
    for text, low, high in (("2:00:00", 6900, 7140), ("2:00", 50, 70)):
        options = Slurm(time=text).job(store)["worker_extra_args"]
        lifetime, stagger = (
            float(options[options.index(o) + 1].rstrip("s")) for o in ("--lifetime", "--lifetime-stagger")
        )
        assert low <= lifetime - stagger <= lifetime + stagger <= high
    assert "--lifetime" not in Slurm().job(store)["worker_extra_args"]


def test_allocation_needs_three_tasks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    with pytest.raises(ValueError, match="srun --ntasks"):
        SlurmAllocation().check()
    for name, value in (("JOB_ID", "1"), ("STEP_ID", "0"), ("NTASKS", "2")):
        monkeypatch.setenv(f"SLURM_{name}", value)
    with pytest.raises(ValueError, match="Here are 2"):
        SlurmAllocation().check()
