"""`jaxrate slurm`: the batch script of a sweep on the workers of SLURM."""

import argparse
import shlex
from collections.abc import Sequence

from jaxrate.cli.sweep import read
from jaxrate.names import unknown
from jaxrate.sweep.limits import read_time, read_workers

ENGINES = ("slurm", "slurm-alloc")
WARNING_SECONDS = 120
"""How long before its time limit a job is told to stop: units that are computed then can end."""


def run(arguments: argparse.Namespace) -> int:
    """Print a script for sbatch, once the sweep file is known to be right."""
    read(arguments.target, arguments.set)
    text = script(
        str(arguments.target),
        str(arguments.output),
        engine=arguments.engine,
        workers=arguments.workers or "1",
        cpus_per_task=arguments.cpus_per_task,
        mem=arguments.mem,
        gres=arguments.gres,
        time=arguments.time,
        partition=arguments.partition,
        account=arguments.account,
        driver_time=arguments.driver_time,
        unit_size=arguments.unit_size,
        assignments=arguments.set,
    )
    print(text, end="")
    return 0


def script(
    sweep: str,
    store: str,
    *,
    engine: str = "slurm",
    workers: str = "1",
    cpus_per_task: int | None = None,
    mem: str | None = None,
    gres: str | None = None,
    time: str | None = None,
    partition: str | None = None,
    account: str | None = None,
    driver_time: str | None = None,
    unit_size: int | None = None,
    assignments: Sequence[str] = (),
) -> str:
    """A script for sbatch that runs a sweep to its end, over pre-emption and time limits.

    Args:
        sweep: Path of the sweep file.
        store: Path of the store.
        engine: "slurm", a small job that submits workers, or "slurm-alloc", one allocation for all.
        workers: Number of workers at least and at most, such as "4:64".
        cpus_per_task, mem, gres, time: Cores, memory, accelerators and time limit of each worker.
        partition, account: Where all run, and who pays.
        driver_time: Time limit of the small job; by default that of a worker.
        unit_size: Ensembles in a unit.
        assignments: Values of the file set anew, NAME=VALUE.

    Raises:
        ValueError: another engine, or a number of workers or a time limit that cannot be read.
    """
    if engine not in ENGINES:
        raise ValueError(unknown("kind of engine", engine, ENGINES, "a batch script"))
    for limit in (time, driver_time):
        if limit is not None:
            read_time(limit)
    where = {"partition": partition, "account": account}
    resources = {"cpus-per-task": cpus_per_task, "mem": mem, "gres": gres}
    low, high = read_workers(workers)
    if engine == "slurm-alloc" and low != high:
        raise ValueError(f"An allocation has as many workers from beginning to end: write --workers {high}.")
    command = ["jaxrate", "sweep", sweep, "-o", store, *_options({"unit-size": unit_size})]
    command += [text for each in assignments for text in ("--set", each)]
    command += ["--engine", engine]
    if engine == "slurm":
        command += ["--workers", workers, *_options({**resources, "time": time, **where})]
        job = {"ntasks": 1, "cpus-per-task": 1, "mem": "4G", "time": driver_time or time, **where}
        about = _SUBMITS.format(workers=workers.replace(":", " to "))
    else:
        command = ["srun", "--kill-on-bad-exit=0", "--wait=0", *command]
        tasks = {"nodes": high + 2, "ntasks-per-node": 1} if gres else {"ntasks": high + 2}  # gres are those of a node
        job = {**tasks, **resources, "time": driver_time or time, **where}
        about = _ALLOCATES.format(workers=high)
    directives = "".join(f"#SBATCH {option}\n" for option in _directives(job))
    return _SCRIPT.format(
        about=about,
        directives=directives,
        warning=WARNING_SECONDS,
        command=_folded(command),
        store=shlex.quote(store),
    )


def _options(given: dict[str, object]) -> list[str]:
    """Options of the command line, each followed by its value."""
    return [text for name, value in given.items() if value is not None for text in (f"--{name}", str(value))]


def _directives(given: dict[str, object]) -> list[str]:
    return [f"--{name}={shlex.quote(str(value))}" for name, value in given.items() if value is not None]


def _folded(command: list[str]) -> str:
    """A command for the shell, one option a line after the files."""
    lines: list[list[str]] = [[]]
    for word in command:
        if word.startswith("--") and "=" not in word:
            lines.append([])
        lines[-1].append(word)
    return " \\\n    ".join(shlex.join(line) for line in lines)


_SUBMITS = """\
# This job is small: it submits {workers} workers, which are jobs of their own, and hands them the units of the sweep.
# Workers that are pre-empted, cancelled or reach their time limit are replaced, and their units computed again."""

_ALLOCATES = """\
# One allocation for all: {workers} tasks compute, one hands them the units of the sweep, one drives.
# For machines on which jobs cannot submit jobs; where they can, `--engine slurm` wastes nothing."""

_SCRIPT = """\
#!/usr/bin/env bash
# A sweep as a batch job, written by `jaxrate slurm`. Submit it with `sbatch`, from the directory its paths are from.
#
{about}
# What is done is in the store, unit by unit, so nothing is lost whatever is killed: submit this again to go on.
{directives}#SBATCH --job-name=jaxrate
#SBATCH --output=jaxrate-%j.log
# The same log again after a requeue:
#SBATCH --open-mode=append
# Back into the queue when it is pre-empted or its node fails:
#SBATCH --requeue
# A signal to this script before the time is up:
#SBATCH --signal=B:USR1@{warning}
set -u

# The job inherits the environment of the shell that submits it; if yours does not, activate it here:
# source .venv/bin/activate

late=''
{command} &
sweep=$!

# A shell that waits runs its traps at once; the sweep then lets the units end that are computed just now.
trap 'late=1; kill -USR1 "$sweep"' USR1
trap 'kill -TERM "$sweep"' TERM
while kill -0 "$sweep" 2>/dev/null; do wait "$sweep"; done
wait "$sweep"
code=$?

# 2 and 3: an error in the files or options, or a store of another sweep.
case $code in 2 | 3) exit "$code" ;; esac
# Whether the sweep is complete its ledger knows: 0 if it is, 4 if units were left out, 75 if some are still to be done.
jaxrate status {store} --check
code=$?
# When the time was up, this job queues again and goes on where it was.
if [ "$code" = 75 ] && [ -n "$late" ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$code"
"""
