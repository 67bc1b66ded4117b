"""`jr.sweep`: an experiment over a grid of parameters, as a labelled xarray.Dataset."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import xarray as xr

from jaxrate.experiment import Experiment
from jaxrate.solve.lanes import block_size, result_shapes, run, stream
from jaxrate.sweep.dataset import Cells, Labels, status_attrs
from jaxrate.sweep.grid import Grid, Variable, attributes, read_along, read_grid
from jaxrate.sweep.progress import bar
from jaxrate.sweep.provenance import provenance
from jaxrate.sweep.reduce import Histogram, Reducer, Reduction, read_reductions


def sweep(
    experiment: Experiment,
    over: Mapping[str, Any],
    *,
    reduce: Sequence[Reduction] | Reduction | None = None,
    along: Sequence[str] | str | None = None,
    precision: Literal["float64", "float32"] = "float64",
    progress: bool | None = None,
) -> xr.Dataset:
    """Every observable of an experiment over a grid of parameters.

    Args:
        experiment: What is set, how it is solved, what is read.
        over: By parameter, in SI units: an array of values, which is a dimension of that name; ("run", values) to
            zip several parameters along a dimension `run`; one number, set for the whole sweep.
        reduce: "mean", "std", "min", "max", "argmax", "argmin" and `jr.Histogram(edges)`, one or several: the
            ensembles are reduced as they are solved and none is stored, so memory does not grow with their number.
        along: Dimensions to reduce; by default all.
        precision: Of what is stored. Reductions are float64 always.
        progress: Whether to show a bar; by default on a terminal, for what takes longer than a second.

    Returns:
        Without `reduce` each observable, dimensions (own axis, *dimensions in the order of `over`), NaN where
        `status` is not 0. With it `gain_mean`, `gain_max` and so on over the ensembles that have a result, whose
        numbers are `count` and `failed`; `gain_argmax_pump.rate` is the pump rate where the gain is largest (of
        equals the first). What made it is in the attributes.

    Raises:
        ValueError: an unknown parameter, dimension or reduction (the nearest is proposed), values that are not
            one-dimensional numbers, an empty axis, zipped axes of different length, or a name that is taken.

    Examples:
        >>> ds = jr.sweep(bench, {"pump.rate": np.geomspace(1, 1e4, 1000), "signal.intensity": [0.0, 1e7]})
        >>> ds.gain.plot()
    """
    grid = read_grid(over, experiment)
    if reduce is None and along is not None:
        raise ValueError("`along` says which dimensions to reduce, so give `reduce` too, for example reduce='mean'.")
    start = time.perf_counter()
    if reduce is None:
        found = _stored(experiment, grid, precision, progress)
    else:
        reductions = read_reductions(reduce, tuple(experiment.observables))
        found = _reduced(experiment, grid, reductions, read_along(along, grid), precision, progress)
    seconds = round(time.perf_counter() - start, 6)
    made = {"ensembles": grid.size, "precision": precision, "seconds": seconds}
    return found.assign_attrs({**found.attrs, **made, **provenance(experiment.model)})


def _stored(experiment: Experiment, grid: Grid, precision: str, progress: bool | None) -> xr.Dataset:
    dims = tuple(grid.sizes)
    batch = experiment.batch(grid.arrays(dims), precision)
    with bar(grid.size, progress) as advance:
        results = run(experiment.program, experiment.base, batch, advance)
    labels = Labels(experiment, {name: r.shape[: r.ndim - len(dims)] for name, r in results.items()})
    data = {n: ((*labels.dims[n], *dims), results[n], labels.attrs(n)) for n in experiment.observables}
    data["status"] = (dims, results["status"], status_attrs())
    return xr.Dataset(data, {**grid.coordinates(dims), **labels.coordinates})


def _reduced(
    experiment: Experiment,
    grid: Grid,
    reductions: Mapping[str, tuple[Reduction, ...]],
    along: tuple[str, ...],
    precision: str,
    progress: bool | None,
) -> xr.Dataset:
    kept = tuple(dim for dim in grid.sizes if dim not in along)
    kernel, base = experiment.program, experiment.base
    batch = experiment.batch(grid.arrays((*kept, *along)), precision)
    cores = {name: s.shape for name, s in result_shapes(kernel, base, batch).items()}
    sizes = math.prod(grid.shape(kept)), math.prod(grid.shape(along))
    reducer = Reducer(reductions, cores, *sizes, block_size(kernel))
    with bar(grid.size, progress) as advance:
        stream(kernel, base, batch, reducer, advance)
    labels, data = Labels(experiment, cores), _counted(reducer, grid, kept)
    coordinates = {**grid.coordinates(kept), **labels.coordinates}
    for name, wanted in reductions.items():
        cells = Cells(name, labels, grid, kept, along, reducer)
        for reduction in wanted:
            data |= cells.variables(reduction)
            coordinates |= cells.bins(reduction) if isinstance(reduction, Histogram) else {}
    return xr.Dataset(data, coordinates, {"reduced": _ranges(grid, along)})


def _counted(reducer: Reducer, grid: Grid, kept: tuple[str, ...]) -> dict[str, Variable]:
    shape = grid.shape(kept)
    return {
        "count": (kept, reducer.count.reshape(shape), attributes("ensembles with a result", "1")),
        "failed": (kept, reducer.failed.reshape(shape), attributes("ensembles without a result", "1")),
    }


def _ranges(grid: Grid, along: tuple[str, ...]) -> str:
    """The axes that are gone from a reduced result, in words."""
    gone = [(name, axis.values) for name, axis in grid.axes.items() if axis.dim in along]
    return "; ".join(f"{n}: {v.size} values from {v.min():g} to {v.max():g} {grid.units[n]}" for n, v in gone)
