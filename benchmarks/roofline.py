r"""What an ensemble takes at least: the slower of memory and arithmetic.

$t = \max(\text{bytes}/\text{bandwidth}, \text{operations}/\text{rate})$, with the bandwidth and the rate that MACHINE
measured; of a GPU those of its data sheet until there are results of one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks import by_size, lasers, machine
from benchmarks.ensembles import DTYPES
from benchmarks.sizes import REMOTE_PATH_SIZES, STEADY_SIZES
from benchmarks.steps import name_of as name_of_steps

Run = Mapping[str, Any]
Known = Mapping[tuple[str, str, str], Mapping[str, Any]]
"""Entries by job, name and precision."""

COUNTED = (("J1", "jaxrate"), ("J2", "jaxrate"), ("REDUCE", "mean and maximum"))
"""Jobs whose operations are known."""
SIZES = {"J1": STEADY_SIZES, "J2": REMOTE_PATH_SIZES}
"""Those of which SIZES has many."""
N1_NUMBERS = len(lasers.VARIED) + len(lasers.START) * len(lasers.TIMES)
"""That go in and come out of a laser."""


@dataclass(frozen=True)
class Device:
    """What ensembles are computed on.

    Attributes:
        name: On the page.
        bandwidth: Bytes read and written a second.
        rates: Operations a second by precision.
        source: Where these numbers are from.
        count: How many of them share the ensembles.
    """

    name: str
    bandwidth: float
    rates: Mapping[str, float]
    source: str
    count: int = 1


H200 = Device(
    "one H200",
    4.8e12,
    {"float64": 34e12, "float32": 67e12},
    "data sheet: NVIDIA H200 Tensor Core GPU (SXM), of vectors",
)
ALLOCATION = replace(H200, name="64 H200", count=64)


@dataclass(frozen=True)
class Work:
    """What an ensemble of a job is.

    Attributes:
        job: "J1".
        dtype: Precision of its results.
        operations: By the precision they are done in.
        moved_bytes: That it reads and writes.
        seconds: That it took here; None where it was not measured.
    """

    job: str
    dtype: str
    operations: Mapping[str, float]
    moved_bytes: float
    seconds: float | None = None

    @property
    def total(self) -> float:
        """All operations."""
        return sum(self.operations.values())

    def by_memory(self, device: Device) -> float:
        """Time that its bytes take [s]."""
        return self.moved_bytes / device.bandwidth / device.count

    def by_arithmetic(self, device: Device) -> float:
        """Time that its operations take [s]."""
        return sum(number / device.rates[dtype] for dtype, number in self.operations.items()) / device.count

    def model(self, device: Device) -> float:
        """Time of an ensemble [s]."""
        return max(self.by_memory(device), self.by_arithmetic(device))


def known(run: Run) -> Known:
    """Entries that did not fail."""
    return {(e["job"], e["name"], e["dtype"]): e for e in run["entries"] if not e["failed"]}


def measured(run: Run, name: str) -> Device | None:
    """The device of a run, by MACHINE; None where that was left out."""
    entries = known(run)
    copies = entries.get(("MACHINE", machine.COPY, "float64"))
    rates = {dtype: entries.get(("MACHINE", machine.RATE, dtype)) for dtype in DTYPES}
    if copies is None or not all(rates.values()):
        return None
    by_dtype = {dtype: entry["facts"]["rate"] for dtype, entry in rates.items() if entry}
    return Device(name, copies["facts"]["bandwidth"], by_dtype, "measured by MACHINE")


def works(run: Run) -> list[Work]:
    """Jobs of a run whose operations are known."""
    found = [_counted(known(run), job, name, dtype) for job, name in COUNTED for dtype in DTYPES]
    return [work for work in (*found, _of_lasers(known(run))) if work]


def _counted(entries: Known, job: str, name: str, dtype: str) -> Work | None:
    entry = entries.get((job, name, dtype))
    if entry is None or "operations" not in entry["facts"]:
        return None
    facts = entry["facts"]
    single = facts["operations_float32"]
    operations = {"float64": facts["operations"] - single, "float32": single}
    names = [by_size.name_of(by_size.OURS[job], size) for size in SIZES.get(job, ())]
    calls = [entries["SIZES", name, dtype] for name in names if ("SIZES", name, dtype) in entries]
    return Work(job, dtype, operations, facts["moved_bytes"], seconds_of([entry, *calls][-1]))


def _of_lasers(entries: Known) -> Work | None:
    """N1 at a relative tolerance of 1e-6: as many steps as STEPS has counted of the same laser."""
    steps = entries.get(("STEPS", name_of_steps(len(lasers.START)), "float64"))
    entry = entries.get(("N1", lasers.AT_PEERS, "float64"))
    if steps is None or entry is None or "operations" not in steps["facts"]:
        return None
    operations = steps["facts"]["operations"] * steps["facts"]["mean_steps"]
    return Work("N1", "float64", {"float64": operations}, 8.0 * N1_NUMBERS, seconds_of(entry))


def seconds_of(entry: Mapping[str, Any]) -> float:
    """Time of an ensemble."""
    return 1e-9 * entry["ns_per_ensemble"]["median"]


def is_known(run: Run) -> bool:
    """Whether a run has what the page is made of."""
    return measured(run, "") is not None and {"J1", "J2"} <= {work.job for work in works(run)}


def here(run: Run) -> Device:
    """The machine of the run.

    Raises:
        ValueError: MACHINE was left out of it.
    """
    cores = run["machine"]["cores"]
    found = measured(run, f"this machine, {cores} core" + "s" * (cores > 1))
    if found is None:
        raise ValueError("The run must have the job MACHINE: `python -m benchmarks --jobs MACHINE,...`.")
    return found


def gpu_of(gpu: Run | None) -> Device | None:
    """The GPU that was measured."""
    return measured(gpu, f"{gpu['machine']['device'].removeprefix('gpu: ')}, measured") if gpu else None
