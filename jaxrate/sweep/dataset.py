"""Variables of the xarray.Dataset that a sweep returns: dimensions, values, names and units."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from jaxrate.experiment import Experiment
from jaxrate.observe import describe
from jaxrate.solve.status import Status
from jaxrate.sweep.draws import Draw
from jaxrate.sweep.grid import ENSEMBLE, Variable, attributes
from jaxrate.sweep.job import Job
from jaxrate.sweep.reduce import Histogram, Reduction, Totals

WORDS = {"mean": "mean", "std": "standard deviation", "min": "minimum", "max": "maximum"}


class Labels:
    """Names, units and own axes of the observables.

    Args:
        experiment: Whose observables.
        cores: Core shape of each.
    """

    def __init__(self, experiment: Experiment, cores: Mapping[str, tuple[int, ...]]) -> None:
        self.observables = experiment.observables
        self.dims: dict[str, tuple[str, ...]] = {}
        self.coordinates: dict[str, Variable] = {}
        own = {name: experiment.axes(name) for name in self.observables}
        for name, axes in own.items():
            self.dims[name] = tuple(self._dim(name, axis, own) for axis in axes) or tuple(
                f"{name}_axis{k}" for k in range(len(cores[name]))
            )

    def _dim(self, name: str, axis: tuple[str, Any, str], own: Mapping[str, tuple]) -> str:
        """Dimension of an axis, its own where another observable has other values under that name."""
        dim, values, unit = axis
        alike = all(np.array_equal(values, other[1]) for axes in own.values() for other in axes if other[0] == dim)
        unique = dim if alike else f"{dim}_{name}"
        self.coordinates[unique] = ((unique,), np.asarray(values), attributes(dim, unit))
        return unique

    def attrs(self, name: str, prefix: str = "") -> dict[str, Any]:
        """Label of an observable, or of something made of it."""
        long_name, unit = describe(name, self.observables[name])
        return attributes(prefix + long_name, unit)


class Cells:
    """Variables that one observable is reduced to.

    Args:
        name: The observable.
        labels: Labels of all.
        job: The sweep.
        totals: The reductions.
    """

    def __init__(self, name: str, labels: Labels, job: Job, totals: Totals) -> None:
        self.name, self.labels, self.grid, self.along = name, labels, job.grid, job.along
        self.dims, self.shape = (*labels.dims[name], *job.kept), job.grid.shape(job.kept)
        self.found = {key: self._unfold(values, key) for key, values in totals.results(name).items()}
        self.empty = totals.count.reshape(self.shape) == 0

    def _unfold(self, values: np.ndarray, key: str) -> np.ndarray:
        """(*core, cell, ...) as (*core, *kept, ...)."""
        cells = len(self.labels.dims[self.name])
        return values.reshape((*values.shape[:cells], *self.shape, *values.shape[cells + 1 :]))

    def variables(self, reduction: Reduction) -> dict[str, Variable]:
        """One variable, or several, named `observable_reduction`."""
        if isinstance(reduction, Histogram):
            return self._histogram()
        if reduction.startswith("arg"):
            return self._places(reduction)
        attrs = self.labels.attrs(self.name, f"{WORDS[reduction]} of ")
        return {f"{self.name}_{reduction}": (self.dims, self.found[reduction], attrs)}

    def _places(self, reduction: str) -> dict[str, Variable]:
        """Value of every reduced parameter at an extreme; NaN in a cell without a result."""
        places = np.unravel_index(self.found[reduction], self.grid.shape(self.along)) if self.along else ()
        at = dict(zip(self.along, places, strict=True))
        what = f" at the {WORDS[reduction.removeprefix('arg')]} of {self.labels.attrs(self.name)['long_name']}"
        data: dict[str, Variable] = {}
        for parameter in self.grid.names:
            if (dim := self.grid.dim(parameter)) in at:
                values = np.where(self.empty, np.nan, self.grid.values(parameter, at[dim]))
                attrs = attributes(parameter + what, self.grid.units[parameter])
                data[f"{self.name}_{reduction}_{parameter}"] = (self.dims, values, attrs)
        return data

    def _histogram(self) -> dict[str, Variable]:
        """Counts in the bins, and below and above them, so that none is lost."""
        long_name = self.labels.attrs(self.name)["long_name"]
        inside = attributes(f"ensembles by {long_name}", "1")
        data: dict[str, Variable] = {
            f"{self.name}_histogram": ((*self.dims, self.bin), self.found["histogram"], inside)
        }
        for side in ("below", "above"):
            attrs = attributes(f"ensembles {side} the bins of {long_name}", "1")
            data[f"{self.name}_histogram_{side}"] = (self.dims, self.found[f"histogram_{side}"], attrs)
        return data

    @property
    def bin(self) -> str:
        """Dimension of the histogram."""
        return f"{self.name}_bin"

    def bins(self, histogram: Histogram) -> dict[str, Variable]:
        """Centres and edges of the bins."""
        left, right = np.array(histogram.edges[:-1]), np.array(histogram.edges[1:])
        edges = {"left": left, "right": right}
        attrs = {"": self.labels.attrs(self.name)}
        attrs |= {s: self.labels.attrs(self.name, f"{s} edge of the bin of ") for s in edges}
        with np.errstate(invalid="ignore"):  # a bin from -inf to inf has no centre
            found: dict[str, Variable] = {self.bin: ((self.bin,), left / 2 + right / 2, attrs[""])}
        return found | {f"{self.bin}_{s}": ((self.bin,), values, attrs[s]) for s, values in edges.items()}


def stored_variables(job: Job) -> dict[str, tuple[tuple[str, ...], dict[str, Any]]]:
    """Dimensions and attributes of everything that every ensemble has: observables, `status`, values drawn."""
    labels = Labels(job.experiment, job.cores)
    found = {n: ((*labels.dims[n], *job.dims), labels.attrs(n)) for n in job.experiment.observables}
    found["status"] = (job.dims, status_attrs())
    sampling = job.grid.sampling
    return found | {n: ((ENSEMBLE,), job.grid.attrs(n)) for n in (sampling.names if sampling else ())}


def coordinates(job: Job) -> dict[str, Variable]:
    """Parameters along the dimensions of the results, those that are fixed, and the axes of the observables."""
    return {**job.grid.coordinates(job.kept), **Labels(job.experiment, job.cores).coordinates}


def reduced_dataset(job: Job, totals: Totals) -> xr.Dataset:
    """Reductions as variables that label themselves."""
    labels = Labels(job.experiment, job.cores)
    data, bins = _counted(job, totals), {}
    for name, wanted in job.reductions.items():
        cells = Cells(name, labels, job, totals)
        for reduction in wanted:
            data |= cells.variables(reduction)
            bins |= cells.bins(reduction) if isinstance(reduction, Histogram) else {}
    return xr.Dataset(data, {**coordinates(job), **bins}, {"reduced": _ranges(job)})


def _counted(job: Job, totals: Totals) -> dict[str, Variable]:
    shape = job.grid.shape(job.kept)
    return {
        "count": (job.kept, totals.count.reshape(shape), attributes("ensembles with a result", "1")),
        "failed": (job.kept, totals.failed.reshape(shape), attributes("ensembles without a result", "1")),
    }


def _ranges(job: Job) -> str:
    """The axes that are gone from a reduced result, in words."""
    grid = job.grid
    gone = [(name, axis.values) for name, axis in grid.axes.items() if axis.dim in job.along]
    drawn = grid.sampling.draws if grid.sampling and ENSEMBLE in job.along else ()
    ranges = [f"{n}: {v.size} values from {v.min():g} to {v.max():g} {grid.units[n]}" for n, v in gone]
    return "; ".join([*ranges, *(f"{d.name}: {grid.sizes[ENSEMBLE]} values drawn, {_words(d)}" for d in drawn)])


def _words(draw: Draw) -> str:
    return f"{draw.kind} with {', '.join(f'{name} {x:g}' for name, x in draw.stated.items())}"


def status_attrs() -> dict[str, Any]:
    """What the codes of a lane mean, as the CF conventions write flags."""
    return {
        "long_name": "status",
        "flag_values": np.array([s.value for s in Status], np.int8),
        "flag_meanings": " ".join(s.name.lower() for s in Status),
    }
