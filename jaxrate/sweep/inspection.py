"""What is in a store: its results, how far it is, and whether its numbers are those that were written."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from jaxrate.solve.status import Status
from jaxrate.sweep.completion import faults
from jaxrate.sweep.ledger import busy_seconds
from jaxrate.sweep.store import open_store


def open(store: str | os.PathLike, *, incomplete: bool = False) -> xr.Dataset:
    """The results of a sweep on disk; numbers are read when they are used.

    Args:
        store: Its directory.
        incomplete: Whether to take what is there of a sweep that is not done: ensembles that were not computed are
            NaN with status -1, and reductions are over those that were.

    Returns:
        As `jr.sweep` gives it.

    Raises:
        ValueError: the directory is not a store, or the sweep is not done.
    """
    return open_store(store).read(incomplete)


@dataclass(frozen=True)
class StoreStatus:
    """How far a sweep on disk is; `print` shows it.

    Attributes:
        path: Its directory.
        units: Number of units.
        done: Number of those that the ledger has.
        quarantined: Units that could not be computed.
        ensembles: Number of ensembles of the whole sweep.
        statuses: Number of ensembles of each status, in the units that are done.
        seconds: Time in which units were computed.
        complete: Whether the results are written.
    """

    path: Path
    units: int
    done: int
    quarantined: tuple[int, ...]
    ensembles: int
    statuses: Mapping[int, int]
    seconds: float
    complete: bool

    def __str__(self) -> str:
        solved = ", ".join(f"{number:,} {_word(code)}" for code, number in sorted(self.statuses.items())) or "none yet"
        numbers = ", ".join(map(str, self.quarantined))
        left_out = f", {len(self.quarantined)} left out: {numbers}" if self.quarantined else ""
        lines = {
            "sweep": f"{self.path}: {'complete' if self.complete else 'incomplete'}",
            "units": f"{self.done:,} of {self.units:,} done{left_out}",
            "ensembles": f"{self.ensembles:,}, of which {solved}",
            "time": f"{self.seconds:.1f} s of computation",
        }
        return "\n".join(f"{name:<10} {text}" for name, text in lines.items())


def _word(code: int) -> str:
    return "solved" if code == Status.OK else Status(code).name.lower()


def status(store: str | os.PathLike) -> StoreStatus:
    """How far a sweep on disk is.

    Raises:
        ValueError: the directory is not a store.
    """
    found = open_store(store)
    entries = list(found.entries())
    statuses: Counter[int] = sum((Counter(entry.statuses) for entry in entries), Counter())
    notes = {int(note.stem) for note in (found.path / "quarantine").glob("*.txt")}
    quarantined = tuple(sorted(notes - {entry.unit for entry in entries}))
    return StoreStatus(
        path=found.path,
        units=len(found.units),
        done=len(entries),
        quarantined=quarantined,
        ensembles=found.job.size,
        statuses=statuses,
        seconds=busy_seconds(entries),
        complete=found.is_complete and len(entries) == len(found.units),
    )


def verify(store: str | os.PathLike, *, progress: bool | None = None) -> dict[int, str]:
    """What is wrong with a sweep on disk: every number that was stored is read and compared with its checksum.

    Args:
        store: Its directory.
        progress: Whether to show a bar.

    Returns:
        By unit, in words; empty where everything is as it was written. What surrounds the numbers goes as unit -1.
        `jr.resume` computes these units again.

    Raises:
        ValueError: the directory is not a store.
    """
    found = open_store(store)
    missing = {k: found.fault(k) for k in found.pending()}
    return dict(sorted((k, fault) for k, fault in (missing | faults(found, progress)).items() if fault))
