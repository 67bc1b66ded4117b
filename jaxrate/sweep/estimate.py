"""What a sweep would cost, from a few of its units computed and stored for a try."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from jaxrate.sweep.completion import SweepError
from jaxrate.sweep.engine import Local, Watch
from jaxrate.sweep.job import Job
from jaxrate.sweep.store import Store, create

TRIAL_SECONDS = 5.0
"""Time that the trial may take, after the program is compiled."""
FILES = 20
"""Files of a store beside those of its units: its plan, coordinates, metadata and log."""


@dataclass(frozen=True)
class Estimate:
    """Size and time of a sweep; `print` shows it.

    Attributes:
        ensembles: Number of ensembles.
        units: Number of work units.
        lane_bytes: Bytes that an ensemble stores.
        files: Number of files of the store.
        compile_seconds: Time of the first unit, in which the program is compiled.
        seconds: Time of all units on this machine.
        tried: Ensembles that this was found from.
    """

    ensembles: int
    units: int
    lane_bytes: int
    files: int
    compile_seconds: float
    seconds: float
    tried: int

    @property
    def total_bytes(self) -> int:
        """Bytes of all results."""
        return self.ensembles * self.lane_bytes

    def __str__(self) -> str:
        stored = f"{self.lane_bytes} bytes each, {self.total_bytes / 1e9:.3g} GB" if self.lane_bytes else "reduced"
        whole, begin = self.compile_seconds + self.seconds, self.compile_seconds
        lines = {
            "ensembles": f"{self.ensembles:,}, {stored}",
            "units": f"{self.units:,} of up to {-(-self.ensembles // self.units):,} ensembles",
            "files": f"about {self.files:,}",
            "time": f"{whole:.3g} s on this machine, {begin:.2g} s of it to compile ({self.tried:,} ensembles tried)",
        }
        return "\n".join(f"{name:<10} {text}" for name, text in lines.items())


def estimate(job: Job, near: Path, unit_size: int | None = None) -> Estimate:
    """Compute and store some units of a sweep for a try.

    Args:
        job: The sweep.
        near: Where it would be stored: the trial is stored on the same disk, and removed.
        unit_size: As for `jr.sweep`.

    Raises:
        OSError: nothing can be written there.
        ValueError: the sweep cannot be stated in a file.
    """
    with _trial(_folder(near)) as folder:
        store = create(Path(folder) / "store", job, unit_size)
        store.prepare()
        number = len(store.units)
        cold, warm = (_timed(store, [0]) for _ in range(2))
        tried = _spread(number, int(TRIAL_SECONDS / warm)) or [0]
        seconds = _timed(store, tried) if tried != [0] else warm
        lanes = sum(store.units.lanes(k)[1] for k in tried)
    arrays = len(job.results) if job.reduce is None else 0
    return Estimate(
        ensembles=job.size,
        units=number,
        lane_bytes=job.lane_bytes,
        files=number * (arrays + 1) + FILES,
        compile_seconds=max(0.0, cold - warm),
        seconds=job.size * seconds / lanes,
        tried=lanes,
    )


def _trial(folder: Path) -> tempfile.TemporaryDirectory:
    try:
        return tempfile.TemporaryDirectory(dir=folder, prefix=".jaxrate-trial-")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None


def _folder(near: Path) -> Path:
    """The nearest directory that is there."""
    return next(folder for folder in (near, *near.absolute().parents) if folder.is_dir())


def _spread(number: int, count: int) -> list[int]:
    """Some of the units, evenly from the first to the last."""
    count = min(number, count)
    return [round((i + 0.5) * number / count - 0.5) for i in range(count)]


def _timed(store: Store, units: list[int]) -> float:
    """Seconds that some units take.

    Raises:
        SweepError: one cannot be computed.
    """
    for k in units:
        store.ledger.strike(k)
    watch = Watch(store)
    start = time.perf_counter()
    Local().run(store, units, watch)
    if watch.failures:
        raise SweepError(next(iter(watch.failures.values())).strip().splitlines()[-1])
    return time.perf_counter() - start
