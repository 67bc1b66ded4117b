"""The store of a sweep: a directory that alone says what is swept, what is done, and what came out.

    out/  plan.json  config.toml  ledger/000123.json  results.zarr/  quarantine/  attempts/  logs/

`plan.json` fixes the job and its division into units. A unit owns whole files of every array, so that no two units ever
write to one file; its ledger entry is written last. Whatever is killed when, a unit is either in the ledger, with its
arrays on disk, or is computed again, to the same bits. There are no locks: two jobs on one plan only waste time.
"""

import json
import os
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
import xarray as xr
import zarr

from jaxrate.names import shown
from jaxrate.sweep import chunks
from jaxrate.sweep.dataset import coordinates, reduced_dataset, stored_variables
from jaxrate.sweep.job import Job
from jaxrate.sweep.ledger import Entry, Ledger
from jaxrate.sweep.partial import beside, sweep_up, write_whole
from jaxrate.sweep.provenance import provenance, versions
from jaxrate.sweep.reduce import Totals
from jaxrate.sweep.statement import fingerprint, read_statement, to_statement
from jaxrate.sweep.unit import Found, owns_draws
from jaxrate.sweep.units import Units

FORMAT = 1
"""Version of the layout."""
PLAN, CONFIG, RESULTS, METADATA = "plan.json", "config.toml", "results.zarr", "zarr.json"
BRIEF = 6
"""Values that a message lists one by one."""
NOT_COMPUTED = -1
"""Status, in an incomplete store, of ensembles that were not computed yet."""


class StoreError(ValueError):
    """A directory that is not the store it should be."""


class OtherPlan(StoreError):
    """A store that belongs to another sweep."""


class Incomplete(StoreError):
    """A store some of whose units are not done."""


class Store:
    """A sweep on disk.

    Args:
        path: Its directory.
        plan: What its plan.json says.
        job: The sweep; read from the plan if it is not given.
    """

    def __init__(self, path: Path, plan: Mapping[str, Any], job: Job | None = None) -> None:
        self.path, self.plan, self._job = path, plan, job
        self.ledger = Ledger(path / "ledger", self.fingerprint)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what is swept."""
        return self.plan["fingerprint"]

    @cached_property
    def job(self) -> Job:
        """What is swept."""
        return self._job or read_statement(self.plan["statement"], self.path)

    @cached_property
    def units(self) -> Units:
        """Its division."""
        return Units(self.job.shape, **self.plan["units"])

    @property
    def results(self) -> Path:
        """The zarr group of the results."""
        return self.path / RESULTS

    # Units.

    def pending(self) -> list[int]:
        """Units that are not done."""
        done = self.ledger.units()
        return [k for k in range(len(self.units)) if k not in done or self.ledger.read(k) is None]

    def commit(self, k: int, found: Found, seconds: float) -> bool:
        """Write a unit, its ledger entry last; False where somebody else had written it."""
        if self.ledger.read(k) is not None:
            return False
        checksums = {
            name: chunks.write(self.results / _on_disk(name), self._arrays[name], self._region(name, k), values)
            for name, values in found.arrays.items()
        }
        totals = found.totals.state() if found.totals else {}
        made = {key: value for key, value in versions().items() if isinstance(value, str)}
        self.ledger.write(Entry(k, self.fingerprint, checksums, found.statuses, totals, round(seconds, 6), made))
        return True

    @cached_property
    def _arrays(self) -> dict[str, zarr.Array]:
        """Arrays that are there and can be read."""
        found: dict[str, zarr.Array] = {}
        for name in self._stored:
            with suppress(OSError, ValueError, KeyError, TypeError):
                found[name] = zarr.open_array(self.results / _on_disk(name), mode="r+", zarr_format=3)
        return found

    @cached_property
    def _stored(self) -> dict[str, tuple[tuple[str, ...], dict[str, Any]]]:
        return stored_variables(self.job) if self.job.reduce is None else {}

    def _region(self, name: str, k: int) -> tuple[slice, ...]:
        """The part of an array that unit k is; of drawn values that along the ensembles."""
        slab = dict(zip(self.job.dims, self.units.slab(k), strict=True))
        return tuple(slab.get(dim, slice(None)) for dim in self._stored[name][0])

    def fault(self, k: int) -> str:
        """What is wrong with a finished unit, in words; nothing where it is what its ledger entry says."""
        entry = self.ledger.read(k)
        if entry is None:
            return "the ledger has no entry" if not self.ledger.path(k).exists() else "its ledger entry is damaged"
        if set(entry.checksums) != self._names_of(k):
            return "its ledger entry is of other arrays"
        for name, checksum in entry.checksums.items():
            if name not in self._arrays or chunks.checksum(self._arrays[name], self._region(name, k)) != checksum:
                return f"`{name}` is not what was written"
        return ""

    def _names_of(self, k: int) -> set[str]:
        if self.job.reduce is not None:
            return set()
        drawn = self._stored.keys() - self.job.results.keys()
        return set(self._stored) - (set() if owns_draws(self.job, self.units, k) else drawn)

    # From the plan to the results.

    def prepare(self) -> None:
        """Make what is missing of the directory, whatever a killed program left.

        Arrays without numbers and coordinates are put where they are missing or damaged.
        """
        for folder in ("ledger", "logs", "quarantine", "attempts"):
            (self.path / folder).mkdir(exist_ok=True)
        if not (self.path / CONFIG).exists():
            write_whole(self.path / CONFIG, tomli_w.dumps(self.plan["statement"]).encode())
        if self._stored:
            self._repair()

    def _repair(self) -> None:
        empty = self._empty({"complete": 0})
        try:
            empty.rename(self.results)
        except OSError:  # they are there
            for file in self._damaged(empty):
                there = self.results / file
                there.parent.mkdir(parents=True, exist_ok=True)
                (empty / file).replace(there)
            shutil.rmtree(empty)
        self.__dict__.pop("_arrays", None)

    def _damaged(self, empty: Path) -> list[Path]:
        """Files of empty arrays and of coordinates that the results should have and have not."""
        files = [file.relative_to(empty) for file in empty.rglob("*") if file.is_file()]
        return [file for file in files if not _alike(self.results / file, empty / file)]

    def frame_fault(self) -> str:
        """What is wrong with what surrounds the numbers of a complete sweep, in words."""
        if not self.is_complete:
            return ""
        if self.job.reduce is not None:
            return "" if self._holds_reductions() else "the reductions are not those of the units"
        empty = self._empty({})
        damaged = self._damaged(empty)
        shutil.rmtree(empty)
        return f"`{damaged[0]}` of the results is damaged" if damaged else ""

    def _holds_reductions(self) -> bool:
        try:
            return self.read().equals(reduced_dataset(self.job, self.totals()))
        except Exception:  # zarr raises what it likes at damaged files
            return False

    def reopen(self) -> None:
        """Say that the results are not complete any more."""
        if self.is_complete and self.job.reduce is None:
            empty = self._empty({"complete": 0})
            (empty / METADATA).replace(self.results / METADATA)
            shutil.rmtree(empty)
        elif self.is_complete:
            shutil.rmtree(self.results)

    def _empty(self, attrs: Mapping[str, Any]) -> Path:
        """The results without any number, in a directory of their own."""
        path = beside(self.results)
        _write_dataset(xr.Dataset(coords=coordinates(self.job), attrs=attrs), path)
        group = zarr.open_group(path, mode="r+", zarr_format=3)
        for name, (dims, labels) in self._stored.items():
            core, dtype = self.job.results.get(name, ((), np.dtype(np.float64)))
            lanes = [self.job.dims.index(dim) for dim in dims[len(core) :]]
            shape, chunk = ((*core, *(x[i] for i in lanes)) for x in (self.units.shape, self.units.block))
            fill = NOT_COMPUTED if dtype.kind == "i" else float("nan")
            chunks.create(group, _on_disk(name), shape, chunk, dtype, fill, [_on_disk(dim) for dim in dims], labels)
        return path

    def totals(self) -> Totals:
        """The reductions of all units that are done, each taken in once, in their order."""
        totals = self.job.totals()
        for entry in self.entries():
            part = self.job.totals(*self.units.lanes(entry.unit))
            part.restore(entry.totals)
            totals.add(part)
        return totals

    def entries(self) -> Iterator[Entry]:
        """What is known of every unit that is done, in their order."""
        found = (self.ledger.read(k) for k in sorted(self.ledger.units()))
        yield from (entry for entry in found if entry is not None)

    def finish(self) -> None:
        """Write the results of a sweep all of whose units are done, and say that it is complete."""
        statuses, seconds = Counter[int](), 0.0
        for entry in self.entries():
            statuses.update(entry.statuses)
            seconds += entry.seconds
        counted = {"failed": statuses.total() - statuses[0], "seconds": round(seconds, 3)}
        attrs = describe(self.job) | counted | {"fingerprint": self.fingerprint, "complete": 1}
        fresh = self._empty(attrs) if self.job.reduce is None else self._reductions(attrs)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Consolidated metadata")
            zarr.consolidate_metadata(fresh)
        if self.job.reduce is None:
            (fresh / METADATA).replace(self.results / METADATA)
        else:
            with suppress(OSError):  # somebody else has put the same there
                fresh.rename(self.results)
        shutil.rmtree(fresh, ignore_errors=True)
        sweep_up(self.path)

    def _reductions(self, attrs: Mapping[str, Any]) -> Path:
        path = beside(self.results)
        _write_dataset(reduced_dataset(self.job, self.totals()).assign_attrs(attrs), path)
        return path

    @property
    def is_complete(self) -> bool:
        """Whether all units are done and the results are written."""
        try:
            return bool(self._attrs().get("complete"))
        except (FileNotFoundError, ValueError):
            return False

    def _attrs(self) -> dict[str, Any]:
        return dict(zarr.open_group(self.results, mode="r", use_consolidated=False).attrs)

    def read(self, incomplete: bool = False) -> xr.Dataset:
        """The results, read when they are used.

        Args:
            incomplete: Whether to take what is there of a sweep that is not done.

        Raises:
            Incomplete: it is not done.
        """
        if not self.is_complete and not incomplete:
            missing = f"{len(self.pending())} of {len(self.units)} units"
            raise Incomplete(
                f"`{self.path}` is incomplete, {missing} are to be done: go on with jr.resume('{self.path}') or "
                f"`jaxrate sweep --resume {self.path}`, or read what is there with jr.open(..., incomplete=True)."
            )
        if not self.is_complete and self.job.reduce is not None:
            return reduced_dataset(self.job, self.totals()).assign_attrs(describe(self.job), complete=0)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Failed to open Zarr store with consolidated", RuntimeWarning)
            ds = xr.open_zarr(self.results, chunks=None, zarr_format=3, decode_cf=False)
        return _named(ds, self.job)


def create(path: Path, job: Job, unit_size: int | None = None) -> Store:
    """The store of a job: a new one, or the one that is there.

    Raises:
        OtherPlan: the store is of another sweep.
        StoreError: there is something else.
        ValueError: the sweep cannot be stated in a file.
        OSError: the directory cannot be written.
    """
    statement = to_statement(job)
    print_ = fingerprint(statement)
    is_taken = _is_taken(path)  # looked at first: somebody may be making the very same store
    if (path / PLAN).exists():
        store = Store(path, read_plan(path), job)
        if store.fingerprint != print_:
            raise OtherPlan(
                f"`{path}` is the store of another sweep: {_differences(store.plan['statement'], statement)}. "
                "Choose another directory, or remove this one."
            )
        return store
    if is_taken:
        raise StoreError(f"`{path}` is there and is not the store of a sweep: choose a directory of its own.")
    units = job.units(unit_size)
    path.mkdir(parents=True, exist_ok=True)
    plan = {
        "format": FORMAT,
        "fingerprint": print_,
        "units": {"axis": units.axis, "size": units.size},
        "block": job.block,
        "made": versions(),
        "statement": statement,
    }
    _write_plan(path / PLAN, json.dumps(plan, indent=1).encode())
    return Store(path, read_plan(path), job) if print_ == read_plan(path)["fingerprint"] else create(path, job)


def _alike(there: Path, file: Path) -> bool:
    """Whether a file is as it should be; of what says whether results are complete, whether it can be read."""
    try:
        found = there.read_bytes()
        if there.name == METADATA and there.parent.name == RESULTS:
            return bool(json.loads(found))
        return found == file.read_bytes()
    except (OSError, ValueError):
        return False


def _is_taken(path: Path) -> bool:
    """Whether there is anything but a plan that is being written."""
    if path.is_dir():
        return any(not inside.name.startswith(PLAN) for inside in path.iterdir())
    return path.exists() and not path.is_dir()


def _write_plan(path: Path, data: bytes) -> None:
    """Write a plan unless there is one: of two programs that begin together, one decides."""
    mine = beside(path)
    write_whole(mine, data)
    with suppress(FileExistsError):
        os.link(mine, path)
    mine.unlink()


def read_plan(path: Path) -> dict[str, Any]:
    """The plan of a store.

    Raises:
        StoreError: there is none, or one that cannot be read.
    """
    try:
        plan = json.loads((path / PLAN).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise StoreError(f"`{path}` is not the store of a sweep: it has no {PLAN}.") from None
    except ValueError as error:
        raise StoreError(f"`{path / PLAN}` is damaged ({error}).") from None
    if not isinstance(plan, dict) or plan.get("format") != FORMAT:
        raise StoreError(f"`{path}` was written by another version of jaxrate, whose stores this one cannot read.")
    if fingerprint(plan["statement"]) != plan["fingerprint"]:
        raise StoreError(f"`{path / PLAN}` was changed: its fingerprint is not that of what it states.")
    return plan


def open_store(path: str | os.PathLike) -> Store:
    """The store in a directory.

    Raises:
        StoreError: it is none.
    """
    return Store(Path(path), read_plan(Path(path)))


def describe(job: Job) -> dict[str, Any]:
    """What a result says of its origin: what was swept, and what computed it."""
    sampling = job.grid.sampling
    drawn = {"seed": str(sampling.seed), "sampler": sampling.sampler} if sampling else {}
    return {"ensembles": job.size, "precision": job.precision, **drawn, **provenance(job.experiment.model)}


def _differences(stored: Any, wanted: Any, where: str = "") -> str:
    """In which parts two statements differ."""
    if not (isinstance(stored, Mapping) and isinstance(wanted, Mapping)):
        return f"`{where}` is {_brief(stored)} there and {_brief(wanted)} here"
    keys = [key for key in {**stored, **wanted} if stored.get(key) != wanted.get(key)]
    parts = [(f"{where}.{key}".lstrip("."), stored.get(key), wanted.get(key)) for key in keys]
    return (
        "; ".join(_differences(there, here, name) for name, there, here in parts) or "its parameters have another order"
    )


def _brief(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, list) and len(value) > BRIEF:
        return f"{len(value)} values from {value[0]!r} to {value[-1]!r}"
    return shown(value)


def _on_disk(name: Any) -> str:
    """A name as files have it, where "/" would be a folder."""
    return str(name).replace("/", "_")


def _named(ds: xr.Dataset, job: Job) -> xr.Dataset:
    """A dataset as it is in memory: names as they were typed, parameters and axes as coordinates."""
    back = {_on_disk(name): name for name in (*job.grid.units, *job.dims) if "/" in name}
    ds = ds.rename({disk: name for disk, name in back.items() if disk in ds.variables or disk in ds.dims})
    drawn = job.grid.sampling.names if job.grid.sampling else ()
    known = {*job.grid.names, *job.grid.fixed, *coordinates(job), *drawn}
    return ds.set_coords([name for name in ds.data_vars if name in known or _is_bin(str(name), job)])


def _is_bin(name: str, job: Job) -> bool:
    return any(name in (f"{o}_bin_left", f"{o}_bin_right") for o in job.experiment.observables)


def _write_dataset(ds: xr.Dataset, path: Path) -> None:
    clean = ds.rename({name: _on_disk(name) for name in {*ds.variables, *ds.dims} if "/" in str(name)})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "coordinate .* has a space", xr.SerializationWarning)
        clean.to_zarr(path, mode="w", zarr_format=3, consolidated=False)
