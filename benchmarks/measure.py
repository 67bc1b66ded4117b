"""Timing: cases in turn, again and again, so that whatever disturbs the machine disturbs all of them alike."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import jax

PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "mpmath", "diffrax", "optimistix", "lmfit", "numba", "numbalsoda")
COMPILING = "/jax/core/compile/"
"""What JAX's own stopwatch calls tracing, lowering and compiling."""


@dataclass(frozen=True)
class Reading:
    """One call of a case.

    Attributes:
        seconds: How long it took, compilation left out.
        output: What came back.
        compile_seconds: Tracing, lowering and compiling in it.
        busy: Cores it kept busy on average; None where that is not known.
        facts: What else was measured.
    """

    seconds: float
    output: Any = None
    compile_seconds: float | None = 0.0
    busy: float | None = None
    facts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One line of the table, declared once.

    Attributes:
        job: Which of the jobs it does: "J1".
        name: By what: "jaxrate", "numpy.linalg.solve".
        dtype: Precision of its input.
        lanes: Ensembles in one call.
        call: Does the job once. It may measure itself and return a `Reading`.
        error: Largest relative error of what came back, on a sample of lanes.
        on_host: Whether it runs on the CPU whatever the device is.
        rounds: How often it is timed at most.
        in_process: Whether a first call prepares the others; calls in processes of their own have nothing to prepare.
        detail: What else is to be known of how it is done: "Kvaerno5, 256 at a time".
        may_fail: Whether a failure is a finding about a library or a machine, and not one of the run.
        about: Facts that need no timing, asked for once: operations and bytes of an ensemble.
    """

    job: str
    name: str
    dtype: str
    lanes: int
    call: Callable[[], Any]
    error: Callable[[Any], float] | None = None
    on_host: bool = False
    rounds: int = 1000
    in_process: bool = True
    detail: str = ""
    may_fail: bool = False
    about: Callable[[], dict[str, float]] | None = None


@dataclass
class Record:
    """What was found of a case so far; `rounds` is how often it is to be timed."""

    case: Case
    rounds: int
    readings: list[Reading] = field(default_factory=list)
    preparing: Reading | None = None
    error: float | None = None
    failed: str | None = None
    about: dict[str, float] = field(default_factory=dict)

    def prepare(self) -> None:
        """The first call: it compiles, and what it returns is judged."""
        reading = self._read(judged=True)
        if reading and self.case.in_process:
            self.preparing = reading
        elif reading:
            self.readings.append(reading)

    def time(self) -> None:
        """Call it once more, if that is still wanted."""
        if len(self.readings) < min(self.rounds, self.case.rounds) and (reading := self._read()):
            self.readings.append(reading)

    def _read(self, judged: bool = False) -> Reading | None:
        """One call without its output; a case that fails is a line that says so, and the others go on."""
        if self.failed:
            return None
        try:
            reading = read(self.case.call) if judged else best(self.case.call)
            if judged and self.case.error:
                self.error = self.case.error(reading.output)
            if judged and self.case.about:
                self.about = self.case.about()
        except Exception as error:  # whatever it is belongs into the table
            self.failed = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            return None
        return replace(reading, output=None)

    def as_entry(self) -> dict[str, Any]:
        """The line as it is kept in the JSON."""
        case, seconds = self.case, [r.seconds for r in self.readings]
        return {
            "job": case.job,
            "name": case.name,
            "detail": case.detail,
            "dtype": case.dtype,
            "lanes": case.lanes,
            "device": "cpu" if case.on_host else device(),
            "cores": num_cores(),
            "cores_busy": _median([r.busy for r in self.readings]),
            "seconds": seconds,
            "ns_per_ensemble": spread([1e9 * s / case.lanes for s in seconds]) if seconds else None,
            "compile_seconds": _median(
                [r.compile_seconds for r in ([self.preparing] if self.preparing else self.readings)]
            ),
            "error": self.error,
            "facts": self.about
            | {name: _median([r.facts[name] for r in self.readings]) for r in self.readings[:1] for name in r.facts},
            "failed": self.failed,
            "may_fail": case.may_fail,
        }


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def measure(cases: Sequence[Case], rounds: int, report: Callable[[str], None] = lambda line: None) -> list[dict]:
    """Call every case once to compile it and judge what it returns, then time all of them in turn.

    Args:
        cases: What to time.
        rounds: How often each is timed.
        report: Is told what happens.

    Returns:
        One entry a case, ready for JSON.
    """
    records = [Record(case, rounds) for case in cases]
    for record in records:
        report(f"first call: {record.case.job} {record.case.name}, {record.case.dtype}")
        record.prepare()
    for turn in range(rounds):
        report(f"round {turn + 1} of {rounds}")
        for record in records:
            record.time()
    return [record.as_entry() for record in records]


def best(call: Callable[[], Any]) -> Reading:
    """The quickest of up to nine calls in a row, as the C program times itself; slow ones are called once."""
    readings = [_dropped(read(call))]
    while len(readings) < 9 and sum(reading.seconds for reading in readings) < 1.0 and readings[0].busy is not None:
        readings.append(_dropped(read(call)))
    return min(readings, key=lambda reading: reading.seconds)


def _dropped(reading: Reading) -> Reading:
    """A reading without its output, so that its memory is free for the next call."""
    return replace(reading, output=None)


def read(call: Callable[[], Any]) -> Reading:
    """Time one call, up to the last number it returns."""
    with compile_clock() as compiling:
        start, start_busy = time.perf_counter(), time.process_time()
        output = call()
        if isinstance(output, Reading):
            return output
        jax.block_until_ready(output)
        wall, busy = time.perf_counter() - start, time.process_time() - start_busy
    compiled = covered(compiling)
    return Reading(wall - compiled, output, compiled, busy / wall)


@contextmanager
def compile_clock() -> Iterator[list[tuple[float, float]]]:
    """Collects (start, end) of everything JAX traces, lowers or compiles meanwhile, in any thread."""
    spans: list[tuple[float, float]] = []

    def note(event: str, start_time: float, end_time: float, **kwargs: str | int) -> None:
        if event.startswith(COMPILING):
            spans.append((start_time, end_time))

    jax.monitoring.register_event_time_span_listener(note)
    try:
        yield spans
    finally:
        jax.monitoring.unregister_event_time_span_listener(note)


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """Length of the union of intervals: traces lie inside traces, and threads compile side by side."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and range of what was measured."""
    return {"median": median(values), "min": min(values), "max": max(values)}


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device() -> str:
    """What JAX computes on."""
    found = jax.devices()[0]
    return found.platform if found.platform == found.device_kind else f"{found.platform}: {found.device_kind}"


def facts() -> dict[str, Any]:
    """The machine, what is installed, and the state of the source."""
    packages = {name: importlib.metadata.version(name) for name in PACKAGES if find_spec(name)}
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "source": _source(),
        "machine": {
            "cpu": _cpu_model(),
            "cores": num_cores(),
            "memory_GB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
            "device": device(),
            "load_at_start": round(os.getloadavg()[0], 2),
            "system": platform.system(),
        },
        "versions": {"python": platform.python_version(), **packages},
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _source() -> dict[str, Any]:
    """Version, commit and whether files differ from it; nulls outside a git checkout."""
    import jaxrate

    return {
        "version": jaxrate.__version__,
        "git": _git("rev-parse", "HEAD"),
        "changed": bool(_git("status", "--short")),
    }


def _git(*command: str) -> str | None:
    root = Path(__file__).resolve().parents[1]
    try:
        done = subprocess.run(["git", *command], cwd=root, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
