"""The store of a sweep: a directory that alone says what is swept, what is done, and what came out.

    out/  plan.json  config.toml  ledger/000123.json  results.zarr/  quarantine/  attempts/  logs/

`plan.json` fixes the job and its division into units. A unit owns whole files of every array, so that no two units ever
write to one file; its ledger entry is written last. Whatever is killed when, a unit is either in the ledger, with its
arrays on disk, or is computed again, to the same bits. There are no locks: two jobs on one plan only waste time.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import tomli_w
import xarray as xr

from jaxrate.experiment_file import experiment_table
from jaxrate.sweep.dataset import reduced_dataset
from jaxrate.sweep.job import Job
from jaxrate.sweep.ledger import Entry, Ledger, busy_seconds
from jaxrate.sweep.partial import sweep_up, write_whole
from jaxrate.sweep.plan import Incomplete, StoreError, plan_of, read_plan, settle
from jaxrate.sweep.provenance import provenance, versions
from jaxrate.sweep.reduce import Totals
from jaxrate.sweep.results import RESULTS, Results
from jaxrate.sweep.statement import read_statement
from jaxrate.sweep.unit import Found, owns_draws
from jaxrate.sweep.units import Units

CONFIG = "config.toml"
FOLDERS = ("ledger", "logs", "quarantine", "attempts")


class Store:
    """A sweep on disk.

    Args:
        path: Its directory.
        plan: What its plan.json says.
        job: The sweep; read from the plan if it is not given.
    """

    def __init__(self, path: Path, plan: Mapping[str, Any], job: Job | None = None) -> None:
        self.path, self.plan, self._job = path, plan, job

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what is swept, and how it is divided."""
        return self.plan["fingerprint"]

    @cached_property
    def ledger(self) -> Ledger:
        """What is done."""
        return Ledger(self.path / "ledger", self.fingerprint, len(self.units))

    @cached_property
    def job(self) -> Job:
        """What is swept."""
        return self._job or read_statement(self.plan["statement"], self.path)

    @cached_property
    def units(self) -> Units:
        """Its division."""
        return Units(self.job.shape, **self.plan["units"])

    @cached_property
    def results(self) -> Results:
        """What came out."""
        return Results(self.path / RESULTS, self.job, self.units)

    def pending(self) -> list[int]:
        """Units that are not done."""
        done = self.ledger.units()
        return [k for k in range(len(self.units)) if k not in done or self.ledger.read(k) is None]

    def entries(self) -> Iterator[Entry]:
        """What is known of every unit that is done, in their order."""
        found = (self.ledger.read(k) for k in sorted(self.ledger.units()))
        yield from (entry for entry in found if entry is not None)

    def commit(self, k: int, found: Found, seconds: float) -> bool:
        """Write a unit, its ledger entry last; False where somebody else had written it."""
        if self.ledger.read(k) is not None:
            return False
        checksums = {name: self.results.write(name, values, k) for name, values in found.arrays.items()}
        totals = found.totals.state() if found.totals else {}
        made = {key: value for key, value in versions().items() if isinstance(value, str)}
        self.ledger.write(
            Entry(k, self.fingerprint, checksums, found.statuses, totals, round(seconds, 6), time.time(), made)
        )
        return True

    def fault(self, k: int) -> str:
        """What is wrong with a finished unit, in words; nothing where it is what its ledger entry says."""
        entry = self.ledger.read(k)
        if entry is None:
            return "its ledger entry is damaged" if self.ledger.path(k).exists() else "the ledger has no entry"
        if set(entry.checksums) != self._arrays_of(k):
            return "its ledger entry is of other arrays"
        if sum(entry.statuses.values()) != self.units.lanes(k)[1]:
            return "its ledger entry is of other ensembles"
        wrong = [name for name, checksum in entry.checksums.items() if self.results.checksum(name, k) != checksum]
        return f"`{wrong[0]}` is not what was written" if wrong else ""

    def _arrays_of(self, k: int) -> set[str]:
        """Arrays that unit k writes."""
        names = set(self.results.stored)
        return names if owns_draws(self.job, self.units, k) else names & set(self.job.results)

    def frame_fault(self) -> str:
        """What is wrong with what surrounds the numbers of a complete sweep, in words."""
        return self.results.fault(self._reduced()) if self.is_complete else ""

    def prepare(self) -> None:
        """Make what is missing of the directory, whatever a killed program left."""
        sweep_up(self.path)
        for folder in FOLDERS:
            (self.path / folder).mkdir(exist_ok=True)
        if not (self.path / CONFIG).exists():
            write_whole(self.path / CONFIG, tomli_w.dumps(self.plan["statement"]).encode())
        self.results.prepare()

    def totals(self) -> Totals:
        """The reductions of all units that are done, each taken in once, in their order."""
        totals = self.job.totals()
        for entry in self.entries():
            part = self.job.totals(*self.units.lanes(entry.unit))
            part.restore(entry.totals)
            totals.add(part)
        return totals

    def _reduced(self) -> xr.Dataset | None:
        return None if self.job.reduce is None else reduced_dataset(self.job, self.totals())

    def finish(self) -> None:
        """Write the results of a sweep all of whose units are done, and say that it is complete."""
        entries = list(self.entries())
        statuses = sum((Counter(entry.statuses) for entry in entries), Counter[int]())
        counted = {"failed": statuses.total() - statuses[0], "seconds": busy_seconds(entries)}
        self.results.finish(describe(self.job) | counted | {"fingerprint": self.fingerprint}, self._reduced())
        sweep_up(self.path)

    @property
    def is_complete(self) -> bool:
        """Whether all units are done and the results are written."""
        return self.results.is_complete

    def read(self, incomplete: bool = False) -> xr.Dataset:
        """The results, read when they are used.

        Args:
            incomplete: Whether to take what is there of a sweep that is not done.

        Raises:
            Incomplete: it is not done.
        """
        if self.is_complete:
            return self.results.read()
        if not incomplete:
            missing = f"{len(self.pending())} of {len(self.units)} units"
            raise Incomplete(
                f"`{self.path}` is incomplete, {missing} are to be done: go on with jr.resume('{self.path}') or "
                f"`jaxrate sweep --resume {self.path}`, or read what is there with jr.open(..., incomplete=True)."
            )
        reduced = self._reduced()
        found = self.results.read() if reduced is None else reduced
        return found.assign_attrs(describe(self.job), complete=0)


def create(path: Path, job: Job, unit_size: int | None = None) -> Store:
    """The store of a job: a new one, or the one that is there.

    Raises:
        OtherPlan: the store is of another sweep.
        StoreError: there is something else, or a store with units of another size.
        ValueError: the sweep cannot be stated in a file.
        OSError: the directory cannot be written.
    """
    store = Store(path, settle(path, plan_of(job, unit_size)), job)
    if unit_size is not None and job.units(unit_size) != store.units:
        lanes = f"{store.units.lanes(0)[1]:,} ensembles"
        raise StoreError(f"`{path}` has units of {lanes}, which stay as they are: leave out the size.")
    return store


def open_store(path: str | PathLike) -> Store:
    """The store in a directory.

    Raises:
        StoreError: it is none.
    """
    return Store(Path(path), read_plan(Path(path)))


def describe(job: Job) -> dict[str, Any]:
    """What a result says of its origin: what was swept, and what computed it."""
    sampling = job.grid.sampling
    drawn = {"seed": str(sampling.seed), "sampler": sampling.sampler} if sampling else {}
    made = {**_configuration(job), **provenance(job.experiment.model)}
    return {"ensembles": job.size, "precision": job.precision, **drawn, **made}


def _configuration(job: Job) -> dict[str, str]:
    """The experiment as a sweep file states it, where a file can."""
    try:
        return {"configuration": json.dumps(experiment_table(job.experiment))}
    except ValueError:  # an observable is a Python function
        return {}
