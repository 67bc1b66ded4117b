"""A real SLURM of one node, this machine, for the tests of batch jobs: started in seconds, stopped at the end."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAMS = ("munged", "munge", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "srun")
PACKAGES = "slurmctld slurmd slurm-client munge"
CPUS = 16
"""More than there are: jobs here mostly wait."""

CONFIGURATION = """\
ClusterName=jaxrate
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
CredType=cred/munge
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
JobRequeue=1
KillWait=5
MinJobAge=300
SlurmctldTimeout=300
SlurmdTimeout=300
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=8000 State=UNKNOWN
PartitionName=batch Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
"""


@dataclass(frozen=True)
class Slurm:
    """A SLURM that runs.

    Attributes:
        home: Its directory: configuration, logs and state.
    """

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """What tells SLURM's commands which SLURM is meant."""
        return {"SLURM_CONF": str(self.home / "slurm.conf")}

    def call(self, *command: str) -> str:
        """Output of one of SLURM's commands."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout.strip()

    def jobs(self, name: str = "", states: str = "all") -> dict[int, str]:
        """State of each job, by its number; of those of a name only, where one is given."""
        chosen = [f"--name={name}"] if name else []
        lines = self.call("squeue", "--noheader", f"--states={states}", "--format=%A %T", *chosen).splitlines()
        return {int(number): state for number, state in (line.split() for line in lines)}

    def state(self, job: int) -> str:
        """State of a job, such as RUNNING."""
        return self.shown(job)["JobState"]

    def shown(self, job: int) -> Mapping[str, str]:
        """What `scontrol show job` says, by name."""
        words = self.call("scontrol", "--oneliner", "show", "job", str(job)).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def begin_now(self, job: int) -> None:
        """Let a job that was requeued begin in three seconds, not in the two minutes that SLURM waits to be safe."""
        self.call("scontrol", "update", f"JobId={job}", "StartTime=now+3")

    def until(self, true: Callable[[], object], message: str, seconds: float = 180.0) -> None:
        """Wait until something is so; fail with a message, and the end of SLURM's logs, where it does not become so."""
        _until(true, message, seconds, self.home)

    def wait(self, job: int, seconds: float = 300.0) -> str:
        """Wait for a job to end; its exit code and signal as SLURM writes them, `0:0` for success."""
        busy = ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "REQUEUED")
        self.until(lambda: self.state(job) not in busy, f"job {job} does not end", seconds)
        return self.shown(job)["ExitCode"]

    def log(self) -> str:
        """The end of what its programs have written."""
        return _log(self.home)

    def cancel_all(self) -> None:
        """Cancel every job, and wait until they are gone."""
        self.call("scancel", "--user=root")
        self.until(lambda: not self.jobs(states="PENDING,RUNNING,COMPLETING"), "cancelled jobs stay")


def lacking() -> str:
    """Why no SLURM can be started here, and what to do; empty where one can."""
    missing = [name for name in PROGRAMS if _program(name) is None]
    if missing:
        return f"{', '.join(missing)} not found: apt-get install {PACKAGES} brings a SLURM for this test"
    return "" if os.geteuid() == 0 else "only root can start a SLURM of its own: run this test as root"


@contextlib.contextmanager
def one_node_slurm() -> Iterator[Slurm]:
    """Start a SLURM of this machine, on free ports and in a directory of its own; stop all of it at the end."""
    if reason := lacking():
        pytest.skip(reason)
    home = Path(tempfile.mkdtemp(prefix="slurm-"))
    slurm = Slurm(home)
    daemons: list[subprocess.Popen] = []
    try:
        _configure(home)
        for command in _daemons(home):
            daemons.append(_start(command, home, slurm.environment))
        _wait_until_up(slurm, daemons)
        yield slurm
        slurm.cancel_all()
    finally:
        for daemon in reversed(daemons):
            _stop(daemon)
        shutil.rmtree(home, ignore_errors=True)


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"]))


def _configure(home: Path) -> None:
    with socket.socket() as a, socket.socket() as b:
        for port in (a, b):
            port.bind(("127.0.0.1", 0))
        ports = [port.getsockname()[1] for port in (a, b)]
    for name in ("state", "spool"):
        (home / name).mkdir()
    (home / "munge.key").write_bytes(os.urandom(128))
    (home / "munge.key").chmod(0o600)
    text = CONFIGURATION.format(home=home, host=socket.gethostname().partition(".")[0], ports=ports, cpus=CPUS)
    (home / "slurm.conf").write_text(text, "utf-8")
    (home / "cgroup.conf").write_text("", "utf-8")


def _daemons(home: Path) -> list[list[str]]:
    """The programs that make a SLURM, in the foreground, in the order that they need each other."""
    munged, slurmctld, slurmd = (str(_program(name)) for name in ("munged", "slurmctld", "slurmd"))
    files = {"socket": "munge.socket", "key-file": "munge.key", "log-file": "munged.log", "pid-file": "munged.pid"}
    places = [f"--{option}={home / file}" for option, file in {**files, "seed-file": "munged.seed"}.items()]
    configuration = ["-f", str(home / "slurm.conf")]
    return [
        [munged, "--foreground", "--force", *places],
        [slurmctld, "-D", *configuration],
        [slurmd, "-D", *configuration],
    ]


def _start(command: list[str], home: Path, environment: Mapping[str, str]) -> subprocess.Popen:
    with open(home / "daemons.log", "ab") as log:
        daemon = subprocess.Popen(command, cwd=home, env={**os.environ, **environment}, stdout=log, stderr=log)
    if command[0].endswith("munged"):
        _until(lambda: (home / "munge.socket").exists(), "munged is not there", 20, home)
    return daemon


def _stop(daemon: subprocess.Popen) -> None:
    daemon.terminate()
    try:
        daemon.wait(10)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _wait_until_up(slurm: Slurm, daemons: list[subprocess.Popen]) -> None:
    def is_up() -> bool:
        assert all(daemon.poll() is None for daemon in daemons), _log(slurm.home)
        command = ["sinfo", "--noheader", "--format=%T"]
        done = subprocess.run(command, env={**os.environ, **slurm.environment}, capture_output=True, text=True)
        return done.stdout.strip() in ("idle", "mixed", "allocated")

    _until(is_up, "SLURM does not start", 60, slurm.home)


def _until(true: Callable[[], object], message: str, seconds: float, home: Path) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"{message}:\n{_log(home)}"
        time.sleep(0.1)


def _log(home: Path) -> str:
    return "\n".join(f"{log.name}: {log.read_text('utf-8', 'replace')[-2000:]}" for log in home.glob("*.log"))
