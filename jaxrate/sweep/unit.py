"""One work unit of a sweep: its lanes solved, and what is kept of them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jaxrate.solve.lanes import run, stream
from jaxrate.sweep.draws import drawn
from jaxrate.sweep.grid import ENSEMBLE
from jaxrate.sweep.job import Job
from jaxrate.sweep.reduce import Reducer, Totals, count_statuses
from jaxrate.sweep.units import Units

Progress = Callable[[int], Any] | None


@dataclass(frozen=True)
class Found:
    """What a unit came to.

    Attributes:
        arrays: What is stored, shapes (*core, *slab); of drawn parameters (ensemble,).
        totals: What it is reduced to, if it is.
        statuses: Number of lanes of each status.
    """

    arrays: dict[str, np.ndarray]
    totals: Totals | None
    statuses: Counter[int] = field(default_factory=Counter)


def compute(job: Job, units: Units, k: int, progress: Progress = None) -> Found:
    """Solve the lanes of a unit; what comes out depends on the job and on k alone."""
    return _stored(job, units, k, progress) if job.reduce is None else _reduced(job, units, k, progress)


def _stored(job: Job, units: Units, k: int, progress: Progress) -> Found:
    slab = job.slab(units, k)
    results = run(job.kernel, job.experiment.base, job.batch(slab), progress)
    statuses = count_statuses(results["status"].reshape(-1))
    return Found(results | (draws(job, slab[ENSEMBLE]) if owns_draws(job, units, k) else {}), None, statuses)


def _reduced(job: Job, units: Units, k: int, progress: Progress) -> Found:
    low, lanes = units.lanes(k)
    reducer = Reducer(job.totals(low, lanes), units.block, low)
    stream(job.kernel, job.experiment.base, job.batch(job.slab(units, k)), reducer, progress)
    return Found({}, reducer.totals, reducer.statuses)


def owns_draws(job: Job, units: Units, k: int) -> bool:
    """Whether a unit stores the values drawn along its part of the ensembles: it is the first that has them."""
    if job.grid.sampling is None or job.reduce is not None:
        return False
    return all(part.start == 0 for dim, part in job.slab(units, k).items() if dim != ENSEMBLE)


def draws(job: Job, part: slice) -> dict[str, np.ndarray]:
    """Values drawn for some ensembles."""
    assert job.grid.sampling is not None
    return drawn(job.grid.sampling, np.arange(part.start, part.stop, dtype=np.float64))


def reduce_here(job: Job, progress: Progress = None) -> Totals:
    """All units reduced, one after the other."""
    units, totals = job.units(), job.totals()
    for k in range(len(units)):
        found = compute(job, units, k, progress)
        assert found.totals is not None
        totals.add(found.totals)
    return totals
