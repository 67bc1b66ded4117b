"""Engines that compute the units of a sweep on many machines: dask.distributed, started by SLURM or by others.

They need the extra `cluster`. Workers read and write the store themselves, so its directory must be on a disk that all
machines share. What is done is in the store alone: whatever becomes of workers, scheduler or driver, the sweep goes on
from there.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, fields
from typing import Any

from jaxrate.names import unknown
from jaxrate.sweep.engine import ATTEMPTS, Engine, Local, Watch
from jaxrate.sweep.flight import ClusterRefused, Flight, distributed, jobqueue
from jaxrate.sweep.limits import lifetime, read_time
from jaxrate.sweep.store import Store

ENGINES = ("local", "dask:ADDRESS", "slurm", "slurm-alloc")
"""The engines, as they are named on the command line."""
ALLOWED_FAILURES = 2 * ATTEMPTS
"""Workers that may die with a unit before dask gives it up: more than the store allows, which counts them better."""
CHECKS = 10.0
"""Seconds between two looks at the queue."""
ANSWER = 60.0
"""Seconds that a command of SLURM may take."""
CONNECT = "20s"
"""How long to wait for a scheduler to answer."""
DEATH_TIMEOUT = 60
"""Seconds after which a worker that finds no scheduler ends."""


@dataclass(frozen=True)
class Dask:
    """Units on a dask cluster that runs already.

    Args:
        address: Of its scheduler, such as "tcp://10.0.0.1:8786".
    """

    address: str
    writes_itself = False

    def joined(self, store: Store) -> AbstractContextManager[object]:
        """There is nothing to join: the cluster runs."""
        return nullcontext()

    def check(self) -> None:
        """Refuse a cluster that does not answer.

        Raises:
            ClusterMissing: dask is not installed here.
            ClusterRefused: no scheduler answers.
        """
        self._client().close()

    def run(self, store: Store, pending: Sequence[int], watch: Watch) -> None:
        """Compute units on whatever workers the cluster has and gets.

        Raises:
            ClusterMissing: dask is not installed here.
            ClusterRefused: no scheduler answers.
            ClusterLost: it is gone.
        """
        with self._client() as client:
            Flight(client, store, pending, watch).run()

    def _client(self) -> Any:
        dask = distributed()
        try:
            return dask.Client(self.address, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterRefused(f"No dask scheduler answers at `{self.address}`: {error}") from error


@dataclass(frozen=True)
class Slurm:
    """Units on workers that are SLURM jobs, as many as there is work for; lost ones are replaced.

    This process is the scheduler of the workers, which connect to it. It may run on a login node or in a small job of
    its own (`jaxrate slurm` writes one). All jobs are cancelled when it ends.

    Args:
        minimum, maximum: Number of worker jobs.
        cores: Cores of each.
        memory: Memory of each, such as "16G"; by default what the partition gives.
        time: Time limit of each, as SLURM writes it; a worker ends by itself a little before.
        partition, account: Where they run, and who pays.
        gres: Accelerators of each, such as "gpu:1".
        extra: Further options of sbatch, such as ("--constraint=a100",).
        interface: Network that the workers connect over, such as "ib0".
        python: Interpreter of the workers; by default the one of this process.
    """

    minimum: int = 1
    maximum: int = 1
    cores: int = 1
    memory: str | None = None
    time: str | None = None
    partition: str | None = None
    account: str | None = None
    gres: str | None = None
    extra: tuple[str, ...] = ()
    interface: str | None = None
    python: str = field(default=sys.executable)
    writes_itself = False

    def joined(self, store: Store) -> AbstractContextManager[object]:
        """There is nothing to join: workers are submitted when there is work."""
        return nullcontext()

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= self.maximum or self.maximum < 1 or self.cores < 1:
            given = f"{self.minimum}:{self.maximum} of {self.cores} cores"
            raise ValueError(
                f"There must be at least one worker and one core, and the least number of workers first: {given}."
            )
        if self.time is not None:
            read_time(self.time)

    def check(self) -> None:
        """Refuse a machine that has not what it takes to submit workers.

        Raises:
            ClusterMissing: dask or dask-jobqueue are not installed.
            ClusterRefused: there is no `sbatch`.
        """
        for installed in (distributed, jobqueue):
            installed()
        if shutil.which("sbatch") is None:
            raise ClusterRefused(
                "There is no `sbatch` here: the engine `slurm` runs where jobs can be submitted. Inside an allocation "
                "that cannot submit any, use the engine `slurm-alloc`."
            )

    def run(self, store: Store, pending: Sequence[int], watch: Watch) -> None:
        """Submit worker jobs, and compute units on them.

        Raises:
            ClusterMissing: dask or dask-jobqueue are not installed.
            ClusterRefused: SLURM does not take the jobs, or they end before they come to compute anything.
        """
        with self._cluster(store) as cluster, distributed().Client(cluster, set_as_default=False) as client:
            _check_script(cluster.job_script())
            cluster.adapt(
                minimum=self.minimum, maximum=self.maximum, interval="1s", target_duration="1s", wait_count=30
            )
            jobs = _Jobs(cluster, watch, 3 * self.maximum)
            Flight(client, store, pending, watch, 2 * self.maximum).run(jobs.tend)

    def _cluster(self, store: Store) -> Any:
        scheduler = {"dashboard_address": ":0", "allowed_failures": ALLOWED_FAILURES}
        return jobqueue().SLURMCluster(scheduler_options=scheduler, **self.job(store))

    def job(self, store: Store) -> dict[str, Any]:
        """What `dask_jobqueue.SLURMCluster` is told of a worker job.

        The shell of the job becomes the worker (`exec`), so that SLURM's signals reach it.
        """
        logs = str(store.path.resolve() / "logs").replace("%", "%%")
        files = [f"--output={_quoted(f'{logs}/worker-%J.out')}", "--open-mode=append"]
        directives = ["--requeue", "--signal=B:TERM@60", *files, *([f"--gres={self.gres}"] if self.gres else [])]
        return {
            "job_name": "jaxrate-worker",
            "processes": 1,
            "cores": 1,
            "job_cpu": self.cores,
            "memory": "1GB",
            "job_mem": self.memory,
            "job_directives_skip": [
                *([] if self.memory else ["SBATCH --mem="]),
                *([] if self.time else ["SBATCH -t "]),
            ],
            "walltime": self.time,
            "queue": self.partition,
            "account": self.account,
            "interface": self.interface,
            "job_extra_directives": [*directives, *self.extra],
            "python": f"exec {shlex.quote(self.python)}",
            "nanny": True,
            "death_timeout": DEATH_TIMEOUT,
            "local_directory": '"${TMPDIR:-/tmp}"',
            "worker_extra_args": ["--memory-limit", "0", *lifetime(self.time)],
        }


@dataclass
class SlurmAllocation:
    """Units on the tasks of one SLURM allocation, where jobs may not submit further jobs.

    `srun` runs the very same command in every task: `srun --ntasks=6 jaxrate sweep --resume out --engine slurm-alloc`.
    Task 0 becomes the scheduler, task 1 goes on as the driver, the others compute; so at least three are needed. All
    but the driver never come out of `joined`: it ends the process with the exit code 0. When all is done srun may
    report that tasks were killed: ask the ledger (`jaxrate status out --check`), not srun.
    """

    client: Any = None
    writes_itself = False

    def check(self) -> None:
        """Refuse to run in no task of `srun`, or in one of fewer than three.

        Raises:
            ClusterMissing: dask or dask-jobqueue are not installed.
            ClusterRefused: this is no such task.
        """
        for installed in (distributed, jobqueue):
            installed()
        _step()

    @contextmanager
    def joined(self, store: Store) -> Iterator[object]:
        """Take the part of this task; when the driver comes out of it, the others end.

        Raises:
            ClusterRefused: this is no task of `srun`, or there are fewer than three.
            ClusterMissing: dask or dask-jobqueue are not installed.
            SystemExit: in the tasks that are not the driver, when all is done.
        """
        meeting = _meeting(store)
        runners = jobqueue().slurm
        if os.environ.get("SLURM_PROCID") != "1":
            signal.signal(signal.SIGINT, lambda *_: sys.exit(0))  # how a runner ends the tasks it is done with
        with (
            runners.SLURMRunner(
                scheduler_file=meeting,
                scheduler_options={
                    "dashboard_address": ":0",
                    "allowed_failures": ALLOWED_FAILURES,
                    "idle_timeout": "1 hour",  # should the driver be killed
                },
                worker_class="distributed.Nanny",
                worker_options={
                    "nthreads": 1,
                    "memory_limit": 0,
                    "local_directory": os.environ.get("TMPDIR", "/tmp"),
                    "death_timeout": DEATH_TIMEOUT,
                },
            ) as runner,
            distributed().Client(runner.scheduler_address, set_as_default=False) as self.client,
        ):
            try:
                yield
            finally:  # workers that had not come yet would never hear that all is done
                with suppress(TimeoutError, OSError):
                    self.client.wait_for_workers(int(os.environ["SLURM_NTASKS"]) - 2, timeout=DEATH_TIMEOUT)

    def run(self, store: Store, pending: Sequence[int], watch: Watch) -> None:
        """Compute units on the other tasks; within `joined`.

        Raises:
            ClusterLost: the scheduler is gone.
        """
        Flight(self.client, store, pending, watch).run()


def _step() -> tuple[str, str]:
    """Job and step that this process is a task of."""
    try:
        job, step, tasks = (os.environ[f"SLURM_{name}"] for name in ("JOB_ID", "STEP_ID", "NTASKS"))
    except KeyError:
        raise ClusterRefused(_ALLOCATION) from None
    if int(tasks) < 3:
        raise ClusterRefused(f"{_ALLOCATION} Here are {tasks}.")
    return job, step


def _meeting(store: Store) -> str:
    """File through which the tasks of this step find each other, another one after a requeue."""
    job, step = _step()
    restart = os.environ.get("SLURM_RESTART_COUNT", "0")
    (store.path / "logs").mkdir(exist_ok=True)
    return str(store.path.resolve() / "logs" / f"scheduler-{job}-{step}-{restart}.json").replace("{", "{{")


_ALLOCATION = (
    "The engine `slurm-alloc` needs at least three tasks: one schedules, one drives, the others compute. Run the same "
    "command in all of them, for example srun --ntasks=6 jaxrate sweep --resume out --engine slurm-alloc."
)


class _Jobs:
    """Replaces jobs that ended before their worker came, for which dask would wait for ever.

    Args:
        cluster: Whose jobs.
        watch: By whose units progress is seen.
        most: Jobs that may end so between two finished units.
    """

    def __init__(self, cluster: Any, watch: Watch, most: int) -> None:
        self.cluster, self.watch, self.most = cluster, watch, most
        self.looked = time.monotonic()
        self.gone: dict[str, float] = {}
        self.wasted, self.finished = 0, 0

    def tend(self) -> None:
        """Have a look, if it is time for one.

        Raises:
            ClusterRefused: one job after the other ends without having computed anything.
        """
        now = time.monotonic()
        if now < self.looked + CHECKS:
            return
        self.looked = now
        gone = self._gone()
        self.gone = {name: self.gone.get(name, now) for name in gone}
        for name in [name for name, since in self.gone.items() if now >= since + 2 * CHECKS]:
            self._replace(name)
        if self.wasted > self.most:
            raise ClusterRefused(
                f"{self.wasted} worker jobs ended and nothing was computed: see the logs of the workers in the store."
            )

    def _gone(self) -> list[str]:
        """Workers that are not here, and whose jobs SLURM does not have."""
        done = subprocess.run(
            ["squeue", "--noheader", f"--user={os.getuid()}", "--format=%A"],
            capture_output=True,
            text=True,
            timeout=ANSWER,
        )
        jobs = set(done.stdout.split())
        absent = {name: job for name, job in self.cluster.workers.items() if name not in self.cluster.observed}
        return [name for name, job in absent.items() if job.job_id not in jobs] if done.returncode == 0 else []

    def _replace(self, name: str) -> None:
        """Forget a job; the cluster, which wants a worker of that name, submits another one."""
        finished = len(self.watch.finished)
        self.wasted = self.wasted + 1 if finished == self.finished else 1
        self.finished = finished
        self.gone.pop(name)
        self.cluster.loop.add_callback(self.cluster.workers.pop, name, None)


def _check_script(script: str) -> None:
    """Ask SLURM whether it would take a job; dask would only log that it does not."""
    done = subprocess.run(["sbatch", "--test-only"], input=script, capture_output=True, text=True, timeout=ANSWER)
    if done.returncode != 0:
        raise ClusterRefused(f"SLURM does not take the worker jobs: {' '.join(done.stderr.split())}")


def _quoted(text: str) -> str:
    return f'"{text}"' if re.search(r"\s", text) else text


def engine(text: str, options: Mapping[str, Any] | None = None) -> Engine:
    """The engine that a name means.

    Args:
        text: "local", "dask:ADDRESS", "slurm" or "slurm-alloc".
        options: Of `Slurm`, by name; the other engines have none.

    Raises:
        ValueError: there is no such engine or option; the nearest one is proposed.
    """
    kind, _, address = text.partition(":")
    if kind == "dask":
        found: Engine = Dask(_given(address))
    elif text in ("local", "slurm-alloc"):
        found = Local() if text == "local" else SlurmAllocation()
    elif text == "slurm":
        return Slurm(**_known(options or {}))
    else:
        raise ValueError(unknown("kind of engine", text, ENGINES))
    if options:
        raise ValueError(
            f"The engine `{text}` has no options, but {', '.join(options)} were given: they are for `slurm`."
        )
    return found


def _given(address: str) -> str:
    if not address:
        raise ValueError("Name the scheduler of the dask cluster, for example dask:tcp://10.0.0.1:8786.")
    return address


def _known(options: Mapping[str, Any]) -> Mapping[str, Any]:
    names = [f.name for f in fields(Slurm)]
    for name in options:
        if name not in names:
            raise ValueError(unknown("option", name, names, "the engine `slurm`"))
    return options
