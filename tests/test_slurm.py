"""Sweeps as jobs of a real SLURM: cancelled, requeued, stopped before their time is up, they end with the same bits."""

import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import xarray as xr

import jaxrate as jr
from jaxrate.cli import main
from jaxrate.cli.slurm import script
from jaxrate.cli.sweep import read
from jaxrate.sweep import cluster
from jaxrate.sweep.cluster import Slurm
from jaxrate.sweep.engine import Watch
from jaxrate.sweep.flight import ClusterRefused, jobqueue
from jaxrate.sweep.store import create, open_store
from tests.one_node_slurm import Slurm as OneNode
from tests.one_node_slurm import one_node_slurm
from tests.tolerance import same

ROOT = Path(__file__).resolve().parents[1]
UNITS = 600
"""Work for some seconds of two workers."""
FILE = f"""\
model = "nd-yag"

[experiment.observables]
gain = {{ Gain = "laser" }}

[over]
"pump.rate" = {{ start = "1 s^-1", stop = "1e4 s^-1", num = {UNITS} }}
"""
OPTIONS = ["--engine", "slurm", "--workers", "2", "--time", "10:00"]
EXAMPLE = {"workers": "4:64", "cpus_per_task": 8, "mem": "32G", "gres": "gpu:1", "time": "2:00:00"}
PREEMPTIBLE = {**EXAMPLE, "partition": "preempt", "driver_time": "1-00:00:00"}
"""What scripts/slurm_sweep.sh was made with."""


@pytest.fixture(scope="module")
def node() -> Iterator[OneNode]:
    with one_node_slurm() as found, pytest.MonkeyPatch.context() as patch:
        settings = {
            **found.environment,
            "DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "2s",  # a lost job is replaced after 15 s else
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }
        for name, value in settings.items():
            patch.setenv(name, value)
        yield found


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """The sweep as one process computes it."""
    sweep = tmp_path_factory.mktemp("local") / "sweep.toml"
    sweep.write_text(FILE, "utf-8")
    return in_memory(sweep)


def in_memory(sweep: Path) -> xr.Dataset:
    job = read(sweep, [])
    return jr.sweep(job.experiment, {name: job.grid.axes[name].values for name in job.grid.axes})


class Run:
    """A sweep in units of one ensemble, in a folder of its own.

    Args:
        node: The SLURM that computes it.
        folder: Where its file, its store and its scripts are.
        file: What is swept.
    """

    def __init__(self, node: OneNode, folder: Path, file: str = FILE) -> None:
        self.node, self.folder, self.sweep, self.out = node, folder, folder / "sweep.toml", folder / "out"
        self.sweep.write_text(file, "utf-8")
        create(self.out, read(self.sweep, []), 1)

    def begin(self, *options: str) -> subprocess.Popen[str]:
        """Start a driver here."""
        command = ["jaxrate", "sweep", "--resume", str(self.out), *(options or OPTIONS)]
        return subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE, text=True)

    def end(self, driver: subprocess.Popen[str], code: int = 0, seconds: float = 300.0) -> str:
        """Wait for a driver to end with an exit code; what it said."""
        said = driver.communicate(timeout=seconds)[1]
        assert driver.returncode == code, f"{said}\n{self.said()}"
        return said

    def submit(self, text: str) -> int:
        """Submit a script; the number of its job."""
        (self.folder / "job.sh").write_text(text, "utf-8")
        return int(self.node.call("sbatch", "--parsable", f"--chdir={self.folder}", str(self.folder / "job.sh")))

    def done(self) -> int:
        """Units in the ledger."""
        return len(list((self.out / "ledger").glob("*.json"))) if (self.out / "ledger").is_dir() else 0

    def wait_for(self, units: int) -> None:
        """Wait until so many more units are done."""
        least = self.done() + units
        self.node.until(lambda: self.done() >= least, f"{self.done()} units are done: {self.said()}")

    def workers(self, states: str = "RUNNING") -> list[int]:
        """The jobs that compute."""
        return list(self.node.jobs("jaxrate-worker", states))

    def said(self) -> str:
        """The end of every log."""
        logs = [*self.folder.glob("*.log"), *self.out.glob("logs/*"), *self.out.glob("quarantine/*")]
        return "\n".join(f"{log.name}: {log.read_text('utf-8', 'replace')[-1500:]}" for log in logs)

    def check(self, wanted: xr.Dataset) -> None:
        """All of it is done, to the bit what one process computes."""
        found = jr.open(self.out)
        for name in wanted.variables:
            same(found[name], wanted[name], str(name))

    def check_no_worker_is_left(self) -> None:
        self.node.until(lambda: not self.workers("PENDING,RUNNING"), "workers are left")


@pytest.fixture
def run(node: OneNode, tmp_path: Path) -> Iterator[Run]:
    yield Run(node, tmp_path)
    node.cancel_all()


@pytest.mark.long
def test_cancelled_and_requeued_workers_cost_nothing(run: Run, wanted: xr.Dataset):
    driver = run.begin()
    run.wait_for(5)
    run.node.until(lambda: len(run.workers()) == 2, "there are no two workers")
    first, second = run.workers()
    run.node.call("scancel", str(first))
    run.node.call("scontrol", "requeue", str(second))
    run.end(driver)
    run.check(wanted)
    run.check_no_worker_is_left()


@pytest.mark.long
def test_driver_that_is_told_to_stop_is_resumed(run: Run, wanted: xr.Dataset):
    driver = run.begin()
    run.wait_for(5)
    driver.send_signal(signal.SIGUSR1)
    run.end(driver, 75)
    before = run.done()
    assert 5 <= before < UNITS
    run.end(run.begin("--engine", "local"))
    run.check(wanted)
    run.check_no_worker_is_left()


@pytest.mark.long
def test_killed_driver_leaves_no_worker_for_long(run: Run, wanted: xr.Dataset):
    driver = run.begin()
    run.wait_for(5)
    driver.kill()
    driver.communicate()
    run.end(run.begin("--engine", "local"))
    run.check(wanted)
    run.check_no_worker_is_left()


@pytest.mark.long
def test_script_queues_again_when_its_time_is_up(run: Run, wanted: xr.Dataset):
    job = run.submit(script("sweep.toml", "out", workers="2", time="10:00", mem="1G"))
    run.wait_for(5)
    run.node.call("scancel", "--signal=USR1", "--batch", str(job))
    run.node.until(lambda: run.node.state(job) == "PENDING", "the job does not queue again")
    assert run.done() < UNITS
    run.node.begin_now(job)
    assert run.node.wait(job) == "0:0", f"{run.said()}\n{run.node.log()}"
    run.check(wanted)
    run.check_no_worker_is_left()


@pytest.mark.long
def test_time_limit_of_a_job_costs_nothing(node: OneNode, tmp_path: Path):
    """SLURM itself tells the job that its time will be up; it queues again, and goes on where it was."""
    run = Run(node, tmp_path, FILE.replace(f"num = {UNITS}", "num = 20000"))
    job = run.submit(script("sweep.toml", "out", workers="2", time="10:00", mem="1G"))
    run.wait_for(5)
    node.call("scontrol", "update", f"JobId={job}", "TimeLimit=2")  # its signal is due two minutes before
    node.until(lambda: node.state(job) == "PENDING", f"the job does not queue again: {run.said()}")
    assert run.done() < 20000
    node.call("scontrol", "update", f"JobId={job}", "TimeLimit=10")
    node.begin_now(job)
    assert node.wait(job) == "0:0", f"{run.said()}\n{node.log()}"
    run.check(in_memory(run.sweep))


@pytest.mark.long
def test_one_allocation_computes_where_jobs_submit_none(run: Run, wanted: xr.Dataset):
    for _ in range(2):  # the second time all is done, and nobody waits for work
        job = run.submit(script("sweep.toml", "out", engine="slurm-alloc", workers="2", time="10:00"))
        assert run.node.wait(job) == "0:0", f"{run.said()}\n{run.node.log()}"
        run.check(wanted)


def test_job_that_slurm_refuses_is_an_error_at_once(run: Run):
    said = run.end(run.begin("--engine", "slurm", "--partition", "nowhere"), 2)
    assert "invalid partition" in said
    assert run.done() == 0


@pytest.mark.long
def test_jobs_that_end_before_their_worker_comes_are_replaced(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cluster, "CHECKS", 0.5)
    python = run.folder / "python"
    python.write_text(f'#!/bin/sh\nmkdir "$0.once" 2>/dev/null && exit 1\nexec {sys.executable} "$@"\n', "utf-8")
    python.chmod(0o755)
    store = open_store(run.out)
    store.prepare()
    watch = Watch(store)
    Slurm(python=str(python)).run(store, range(3), watch)
    assert watch.finished == {0, 1, 2}
    with pytest.raises(ClusterRefused, match="worker jobs ended and nothing was computed"):
        Slurm(python="false").run(store, [3], Watch(store))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
def test_chaos(run: Run, wanted: xr.Dataset, seed: int):
    """Workers are cancelled, requeued and killed, and the driver stopped and killed, again and again."""
    dice = random.Random(seed)
    driver = run.begin()
    for _ in range(6):
        run.wait_for(min(20, UNITS - run.done()))
        if driver.poll() is not None:
            break
        driver = disturb(run, driver, dice)
    if driver.poll() is None or driver.returncode != 0:
        driver.communicate(timeout=300)
    run.end(run.begin(), 0, 300)
    run.check(wanted)


def disturb(run: Run, driver: subprocess.Popen[str], dice: random.Random) -> subprocess.Popen[str]:
    """One misfortune; the driver that goes on."""
    what = dice.choice(["cancel", "requeue", "kill", "stop", "kill driver"])
    if what in ("stop", "kill driver"):
        driver.send_signal(signal.SIGUSR1 if what == "stop" else signal.SIGKILL)
        driver.communicate(timeout=120)
        return run.begin()
    for job in run.workers()[:1]:
        commands = {
            "cancel": ["scancel"],
            "requeue": ["scontrol", "requeue"],
            "kill": ["scancel", "--full", "-s", "KILL"],
        }
        subprocess.run([*commands[what], str(job)], check=False)
    return driver


# The script.


def test_example_in_the_repository_is_what_is_printed():
    kept = ROOT / "scripts" / "slurm_sweep.sh"
    assert kept.read_text("utf-8") == script("sweep.toml", "out", **PREEMPTIBLE)
    assert os.access(kept, os.X_OK)


@pytest.mark.parametrize("engine", ["slurm", "slurm-alloc"])
def test_scripts_are_shell(engine: str, tmp_path: Path):
    file = tmp_path / "job.sh"
    file.write_text(script("my sweep's.toml", "out $HOME", engine=engine, **{**EXAMPLE, "workers": "64"}), "utf-8")
    checkers = [["bash", "-n"], *([["shellcheck", "--severity=warning"]] if shutil.which("shellcheck") else [])]
    for checker in checkers:
        done = subprocess.run([*checker, str(file)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_options_reach_the_workers(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "sweep.toml").write_text(FILE, "utf-8")
    given = ["--workers", "4:64", "--gres", "gpu:1", "--time", "2:00:00", "--driver-time", "1-0"]
    assert main(["slurm", str(tmp_path / "sweep.toml"), "-o", "out", *given]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {"    --workers 4:64 \\", "    --gres gpu:1 \\", "    --time 2:00:00 &"} <= set(lines)
    assert "#SBATCH --time=1-0" in lines
    assert "#SBATCH --gres=gpu:1" not in lines, "the driver needs no accelerator"


def test_tasks_of_an_allocation_have_accelerators_of_their_own():
    lines = script("sweep.toml", "out", engine="slurm-alloc", **{**EXAMPLE, "workers": "64"}).splitlines()
    assert {"#SBATCH --gres=gpu:1", "#SBATCH --nodes=66", "#SBATCH --ntasks-per-node=1"} <= set(lines)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"engine": "local"}, "`local` is not a kind of engine of a batch script"),
        ({"workers": "many"}, "4:64"),
        ({"engine": "slurm-alloc", "workers": "4:64"}, "--workers 64"),
        ({"time": "soon"}, "2:00:00"),
    ],
)
def test_script_refuses_what_slurm_would(options: dict, said: str):
    with pytest.raises(ValueError, match=said):
        script("sweep.toml", "out", **options)


def test_worker_jobs_say_what_was_asked_for(tmp_path: Path):
    (tmp_path / "sweep.toml").write_text(FILE, "utf-8")
    store = create(tmp_path / "a store", read(tmp_path / "sweep.toml", []), 1)
    given = Slurm(1, 4, 8, "32G", "2:00:00", "preempt", "laser", "gpu:1", ("--constraint=a100",), python="my python")
    job = jobqueue().SLURMCluster.job_cls("tcp://10.0.0.1:1", name="worker", **given.job(store))
    lines = job.job_script().splitlines()
    wanted = ["-p preempt", "-A laser", "--cpus-per-task=8", "--mem=32G", "-t 2:00:00", "--gres=gpu:1", "--requeue"]
    assert {f"#SBATCH {option}" for option in [*wanted, "--constraint=a100", "--signal=B:TERM@60"]} <= set(lines)
    assert f'#SBATCH --output="{tmp_path}/a store/logs/worker-%J.out"' in lines
    command = shlex.split(lines[-1])
    assert command[:4] == ["exec", "my python", "-m", "distributed.cli.dask_worker"]
    assert command[command.index("--nthreads") + 1] == "1"
