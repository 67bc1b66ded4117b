"""`results.zarr`: the numbers of a sweep, or what they were reduced to, with coordinates, labels and provenance."""

import json
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from jaxrate.sweep import chunks
from jaxrate.sweep.dataset import coordinates, stored_variables
from jaxrate.sweep.job import Job
from jaxrate.sweep.partial import beside
from jaxrate.sweep.units import Units

RESULTS, METADATA = "results.zarr", "zarr.json"
NOT_COMPUTED = -1
"""Status, in an incomplete store, of ensembles that were not computed yet."""


class Results:
    """The results of a store.

    Args:
        path: The zarr group.
        job: What is swept.
        units: Its division; each unit owns whole files.
    """

    def __init__(self, path: Path, job: Job, units: Units) -> None:
        self.path, self.job, self.units = path, job, units

    @cached_property
    def stored(self) -> dict[str, tuple[tuple[str, ...], dict[str, Any]]]:
        """Dimensions and labels of the arrays that units write."""
        return stored_variables(self.job) if self.job.reduce is None else {}

    @cached_property
    def _arrays(self) -> dict[str, zarr.Array]:
        """Arrays that are there and can be read."""
        found: dict[str, zarr.Array] = {}
        for name in self.stored:
            with suppress(OSError, ValueError, KeyError, TypeError):
                found[name] = zarr.open_array(self.path / _on_disk(name), mode="r+", zarr_format=3)
        return found

    def write(self, name: str, values: np.ndarray, k: int) -> int:
        """Write what unit k found, and return its checksum."""
        return chunks.write(self.path / _on_disk(name), self._arrays[name], self._region(name, k), values)

    def checksum(self, name: str, k: int) -> int | None:
        """Checksum of what is there of unit k; None where it cannot be read."""
        return chunks.checksum(self._arrays[name], self._region(name, k)) if name in self._arrays else None

    def _region(self, name: str, k: int) -> tuple[slice, ...]:
        """The part of an array that unit k is; of drawn values that along the ensembles."""
        slab = self.job.slab(self.units, k)
        return tuple(slab.get(dim, slice(None)) for dim in self.stored[name][0])

    def prepare(self) -> None:
        """Put arrays without numbers, and coordinates, where they are missing or damaged."""
        if not self.stored:
            return
        empty = self._empty(beside(self.path), {"complete": 0})
        try:
            empty.rename(self.path)
        except OSError:  # they are there
            for file in self._damaged(empty):
                there = self.path / file
                there.parent.mkdir(parents=True, exist_ok=True)
                (empty / file).replace(there)
            shutil.rmtree(empty)
        self.__dict__.pop("_arrays", None)

    def _empty(self, path: Path, attrs: Mapping[str, Any]) -> Path:
        """The results without any number, in a directory of their own."""
        _write_dataset(xr.Dataset(coords=coordinates(self.job), attrs=attrs), path)
        group = zarr.open_group(path, mode="r+", zarr_format=3)
        for name, (dims, labels) in self.stored.items():
            core, dtype = self.job.results.get(name, ((), np.dtype(np.float64)))
            lanes = [self.job.dims.index(dim) for dim in dims[len(core) :]]
            shape, chunk = ((*core, *(x[i] for i in lanes)) for x in (self.units.shape, self.units.chunk))
            fill = NOT_COMPUTED if dtype.kind == "i" else float("nan")
            chunks.create(group, _on_disk(name), shape, chunk, dtype, fill, [_on_disk(dim) for dim in dims], labels)
        return path

    def _damaged(self, empty: Path) -> list[Path]:
        """Files of empty arrays and of coordinates that should be there and are not."""
        files = [file.relative_to(empty) for file in empty.rglob("*") if file.is_file()]
        return [file for file in files if not _alike(self.path / file, empty / file)]

    def fault(self, reduced: xr.Dataset | None) -> str:
        """What is wrong, in words, with the results of a complete sweep, but for what units wrote.

        Args:
            reduced: What they should be, if the sweep is reduced.
        """
        if reduced is not None:
            return "" if self._holds(reduced) else "the reductions are not those of the units"
        with tempfile.TemporaryDirectory() as folder:
            damaged = self._damaged(self._empty(Path(folder) / RESULTS, {}))
        return f"`{damaged[0]}` is damaged" if damaged else ""

    def _holds(self, reduced: xr.Dataset) -> bool:
        try:
            return self.read(consolidated=False).equals(reduced)
        except Exception:  # zarr raises what it likes at damaged files
            return False

    @property
    def is_complete(self) -> bool:
        """Whether they are those of all units."""
        try:
            return bool(zarr.open_group(self.path, mode="r", use_consolidated=False).attrs.get("complete"))
        except (OSError, ValueError):
            return False

    def reopen(self) -> None:
        """Say that they are not complete any more."""
        if not self.is_complete:
            return
        if not self.stored:
            self._remove()
            return
        empty = self._empty(beside(self.path), {"complete": 0})
        (empty / METADATA).replace(self.path / METADATA)
        shutil.rmtree(empty)

    def finish(self, attrs: Mapping[str, Any], reduced: xr.Dataset | None) -> None:
        """Say that they are complete, with attributes; what a sweep is reduced to is written only now."""
        if reduced is None:
            fresh = self._empty(beside(self.path), {**attrs, "complete": 1})
        else:
            fresh = beside(self.path)
            _write_dataset(reduced.assign_attrs(attrs, complete=1), fresh)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Consolidated metadata")
            zarr.consolidate_metadata(fresh)
        if reduced is None:
            (fresh / METADATA).replace(self.path / METADATA)
        elif not self.is_complete:
            self._remove()
            with suppress(OSError):  # somebody else has put the same there
                fresh.rename(self.path)
        shutil.rmtree(fresh, ignore_errors=True)

    def _remove(self) -> None:
        """Remove all, or what is left of it, at once for everybody who looks."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.path.rename(beside(self.path)))

    def read(self, consolidated: bool | None = None) -> xr.Dataset:
        """What is there, read when it is used; by default by what the root says of all arrays, if it does."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Failed to open Zarr store with consolidated", RuntimeWarning)
            ds = xr.open_zarr(self.path, chunks=None, zarr_format=3, decode_cf=False, consolidated=consolidated)
        return _named(ds, self.job)


def _alike(there: Path, file: Path) -> bool:
    """Whether a file is as it should be; of what says whether results are complete, whether it can be read."""
    try:
        found = there.read_bytes()
        if there.name == METADATA and there.parent.name == RESULTS:
            return bool(json.loads(found))
        return found == file.read_bytes()
    except (OSError, ValueError):
        return False


def _on_disk(name: Any) -> str:
    """A name as files have it, where "/" would be a folder."""
    return str(name).replace("/", "_")


def _named(ds: xr.Dataset, job: Job) -> xr.Dataset:
    """A dataset as it is in memory: names as they were typed, in their order, parameters and axes as coordinates."""
    names = {_on_disk(name): name for name in (*job.grid.units, *job.dims) if "/" in name}
    ds = ds.rename({disk: name for disk, name in names.items() if disk in ds.variables or disk in ds.dims})
    drawn = job.grid.sampling.names if job.grid.sampling else ()
    first = [*coordinates(job), *drawn]
    bins = [name for name in map(str, ds.variables) if _is_bin(name, job)]
    coords = [name for name in dict.fromkeys([*first, *bins]) if name in ds.variables]
    wanted = [n for n in (*job.experiment.observables, "status") if n in ds.variables]
    data = dict.fromkeys([*wanted, *(n for n in map(str, ds.variables) if n not in coords)])
    return xr.Dataset({n: ds[n].variable for n in data}, {n: ds[n].variable for n in coords}, ds.attrs)


def _is_bin(name: str, job: Job) -> bool:
    return any(name.startswith(f"{o}_bin") for o in job.experiment.observables)


def _write_dataset(ds: xr.Dataset, path: Path) -> None:
    clean = ds.rename({name: _on_disk(name) for name in {*ds.variables, *ds.dims} if "/" in str(name)})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "coordinate .* has a space", xr.SerializationWarning)
        clean.to_zarr(path, mode="w", zarr_format=3, consolidated=False)
