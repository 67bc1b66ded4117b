"""`jr.sweep`: an experiment over a grid of parameters, as a labelled xarray.Dataset, in memory or in a store."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from jaxrate.experiment import Experiment
from jaxrate.solve.lanes import run
from jaxrate.sweep.cluster import engine as named_engine
from jaxrate.sweep.completion import complete
from jaxrate.sweep.dataset import coordinates, reduced_dataset, stored_variables
from jaxrate.sweep.draws import Draw
from jaxrate.sweep.engine import Engine, Local
from jaxrate.sweep.grid import ENSEMBLE
from jaxrate.sweep.job import Job, read_job
from jaxrate.sweep.progress import Advance, bar
from jaxrate.sweep.reduce import Reduction
from jaxrate.sweep.store import create, describe, open_store
from jaxrate.sweep.unit import draws, reduce_here


def sweep(
    experiment: Experiment,
    over: Mapping[str, Any] | None = None,
    *,
    random: Sequence[Draw] | Draw | None = None,
    ensembles: int | None = None,
    seed: int | None = None,
    sampler: Literal["random", "sobol"] | None = None,
    reduce: Sequence[Reduction] | Reduction | None = None,
    along: Sequence[str] | str | None = None,
    precision: Literal["float64", "float32"] = "float64",
    store: str | os.PathLike | None = None,
    unit_size: int | None = None,
    engine: str | Engine = "local",
    progress: bool | None = None,
) -> xr.Dataset:
    """Every observable of an experiment over a grid of parameters.

    Args:
        experiment: What is set, how it is solved, what is read.
        over: By parameter, in SI units: an array of values, which is a dimension of that name; ("run", values) to
            zip several parameters along a dimension `run`; one number, set for the whole sweep.
        random: Parameters drawn at random along a dimension `ensemble`: `jr.normal("laser.B", mean, sd)`,
            `jr.uniform`, `jr.lognormal`. Along the other axes the same ensembles are used again.
        ensembles: How many are drawn.
        seed: Of the draws, a whole number; 0 by default. Ensemble j of a seed is the same whatever computes it.
        sampler: "random", or "sobol": points that fill the space evenly, whose means converge faster.
        reduce: "mean", "std", "min", "max", "argmax", "argmin" and `jr.Histogram(edges)`, one or several: the
            ensembles are reduced as they are solved and none is stored, so memory does not grow with their number.
        along: Dimensions to reduce; by default all.
        precision: Of what is stored. Reductions are float64 always.
        store: A directory that keeps what is done, unit by unit. A sweep that was stopped or killed goes on where it
            was when it is called again, or by `jr.resume(store)`, to the same bits.
        unit_size: Ensembles in a unit of a new store; by default about 16 MB of results. Units are what is lost at
            most when a program is killed, and what workers share. A store keeps its own.
        engine: "local", all cores or all accelerators of this machine; with a store also "dask:ADDRESS" for a cluster
            of Dask, "slurm" or "slurm-alloc", which need the extra `cluster`; or an engine with its options,
            such as `jr.Slurm(...)`.
        progress: Whether to show a bar; by default on a terminal, for what takes longer than a second.

    Returns:
        Without `reduce` each observable, dimensions (own axis, *dimensions in the order of `over`, ensemble), NaN where
        `status` is not 0. With it `gain_mean`, `gain_max` and so on over the ensembles that have a result, whose
        numbers are `count` and `failed`; `gain_argmax_pump.rate` is the pump rate where the gain is largest (of
        equals the first). What made it is in the attributes. With a store it is read when it is used.

    Raises:
        ValueError: an unknown parameter, dimension or reduction (the nearest is proposed), values that are not
            one-dimensional numbers, an empty axis, zipped axes of different length, a name that is taken; a store of
            another sweep, or an experiment that no file can hold, such as a Python function as observable.
        SweepError: units of a store that could not be computed; the others are done.
        OSError: the disk, or the cluster, does not do what it should; what is done is stored.

    Examples:
        >>> ds = jr.sweep(bench, {"pump.rate": np.geomspace(1, 1e4, 1000), "signal.intensity": [0.0, 1e7]})
        >>> ds.gain.plot()
    """
    job = read_job(
        experiment,
        {} if over is None else over,
        random=random,
        ensembles=ensembles,
        seed=seed,
        sampler=sampler,
        reduce=reduce,
        along=along,
        precision=precision,
    )
    chosen = _engine(engine)
    if store is None:
        _check_memory_only(unit_size, chosen)
        return _in_memory(job, progress)
    chosen.check()
    made = create(Path(store), job, unit_size)
    complete(made, chosen, progress)
    return made.read()


def _engine(given: str | Engine) -> Engine:
    return named_engine(given) if isinstance(given, str) else given


def _check_memory_only(unit_size: int | None, engine: Engine) -> None:
    for name, given in (("unit_size", unit_size is not None), ("engine", not isinstance(engine, Local))):
        if given:
            raise ValueError(f"`{name}` is of a sweep that is kept on disk: give `store` too, for example store='out'.")


def _in_memory(job: Job, progress: bool | None) -> xr.Dataset:
    start = time.perf_counter()
    with bar(job.size, progress) as advance:
        found = _stored(job, advance) if job.reduce is None else reduced_dataset(job, reduce_here(job, advance))
    return found.assign_attrs(describe(job), seconds=round(time.perf_counter() - start, 6))


def _stored(job: Job, advance: Advance) -> xr.Dataset:
    results = run(job.kernel, job.experiment.base, job.batch(job.whole), advance)
    variables = {name: label for name, label in stored_variables(job).items() if name in results}
    ds = xr.Dataset({n: (dims, results[n], attrs) for n, (dims, attrs) in variables.items()}, coordinates(job))
    if job.grid.sampling is None:
        return ds
    drawn = draws(job, job.whole[ENSEMBLE])
    return ds.assign_coords({name: ((ENSEMBLE,), x, job.grid.attrs(name)) for name, x in drawn.items()})


def resume(store: str | os.PathLike, *, engine: str | Engine = "local", progress: bool | None = None) -> xr.Dataset:
    """Go on with a sweep that was stopped or killed, from what its store says and nothing else.

    Units that are damaged on disk are found by their checksums and computed again.

    Args:
        store: Its directory.
        engine: As for `jr.sweep`; it need not be the one that began.
        progress: As for `jr.sweep`.

    Returns:
        The results, as `jr.sweep` gives them.

    Raises:
        ValueError: the directory is not a store.
        SweepError: units that could not be computed; the others are done.
        OSError: the disk, or the cluster, does not do what it should; what is done is stored.
    """
    found, chosen = open_store(store), _engine(engine)
    chosen.check()
    complete(found, chosen, progress)
    return found.read()
