"""A job: which experiment is swept over which grid, and what of it is kept."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from jaxrate.experiment import Experiment
from jaxrate.solve.batch import Batch, read_batch
from jaxrate.solve.lanes import Kernel, block_size, result_shapes
from jaxrate.sweep.draws import Draw, Drawn, read_sampling
from jaxrate.sweep.grid import Grid, read_along, read_grid
from jaxrate.sweep.reduce import Reduction, Totals, read_reductions
from jaxrate.sweep.units import Units, divide, lanes_of_unit

Slab = Mapping[str, slice]
"""A part of a grid: along each dimension, in the order of the lanes."""


@dataclass(frozen=True)
class Job:
    """What is swept.

    Args:
        experiment: What is set, how it is solved, what is read.
        grid: Its parameters.
        reduce: Reductions; None where everything is stored.
        along: Dimensions that are reduced.
        precision: Of what is stored.
    """

    experiment: Experiment
    grid: Grid
    reduce: tuple[Reduction, ...] | None
    along: tuple[str, ...]
    precision: str

    @property
    def kept(self) -> tuple[str, ...]:
        """Dimensions of the results."""
        return tuple(dim for dim in self.grid.sizes if dim not in self.along)

    @property
    def dims(self) -> tuple[str, ...]:
        """All dimensions, in the order of the lanes: those of one result lie side by side."""
        return (*self.kept, *self.along)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of all dimensions."""
        return self.grid.shape(self.dims)

    @cached_property
    def kernel(self) -> Kernel:
        """What is done to a block of lanes."""
        program, sampling = self.experiment.program, self.grid.sampling
        return program if sampling is None else Drawn(program, sampling)

    @cached_property
    def reductions(self) -> dict[str, tuple[Reduction, ...]]:
        """Reductions of each observable."""
        return read_reductions(self.reduce or (), tuple(self.experiment.observables))

    @property
    def size(self) -> int:
        """Number of ensembles."""
        return math.prod(self.shape)

    @property
    def whole(self) -> dict[str, slice]:
        """The grid as one part."""
        return {dim: slice(0, size) for dim, size in zip(self.dims, self.shape, strict=True)}

    def slab(self, units: Units, k: int) -> dict[str, slice]:
        """The part of the grid that a unit is."""
        return dict(zip(self.dims, units.slab(k), strict=True))

    def batch(self, slab: Slab) -> Batch:
        """The lanes of a part of the grid."""
        batch = self.experiment.batch(self.grid.arrays(slab), self.precision)
        index = self.grid.index(slab)
        return read_batch({**batch.arrays, **index}, batch.cores, self.precision) if index else batch

    @cached_property
    def results(self) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        """Core shape and type of every result of a lane, `status` among them."""
        corner = {dim: slice(0, 1) for dim in self.dims}
        shapes = result_shapes(self.kernel, self.experiment.base, self.batch(corner))
        return {name: (s.shape, np.dtype(s.dtype)) for name, s in shapes.items()}

    @property
    def cores(self) -> dict[str, tuple[int, ...]]:
        """Core shape of every result."""
        return {name: shape for name, (shape, _) in self.results.items()}

    @property
    def lane_bytes(self) -> int:
        """Bytes that one ensemble stores."""
        stored = [] if self.reduce else self.results.values()
        return sum(math.prod(shape) * dtype.itemsize for shape, dtype in stored)

    def units(self, lanes: int | None = None) -> Units:
        """The job cut into work units, of so many lanes at most."""
        most = lanes or lanes_of_unit(self.lane_bytes, self.kernel.lane_bytes)
        return divide(self.shape, most, block_size(self.kernel))

    def totals(self, low: int = 0, lanes: int | None = None) -> Totals:
        """Room for the reductions of some lanes that follow each other, of all by default."""
        size = math.prod(self.grid.shape(self.along))
        first, last = low // size, (low + (lanes or self.size) - 1) // size
        return Totals(self.reductions, self.cores, last + 1 - first, size, first)


def read_job(
    experiment: Experiment,
    over: Mapping[str, Any],
    *,
    random: Sequence[Draw] | Draw | None = None,
    ensembles: int | None = None,
    seed: int | None = None,
    sampler: str | None = None,
    reduce: Sequence[Reduction] | Reduction | None = None,
    along: Sequence[str] | str | None = None,
    precision: str = "float64",
) -> Job:
    """Check what is to be swept; see `jr.sweep`.

    Raises:
        ValueError: as `jr.sweep`.
    """
    grid = read_grid(over, experiment, read_sampling(random, ensembles, seed, sampler, experiment))
    if reduce is None and along is not None:
        raise ValueError("`along` says which dimensions to reduce, so give `reduce` too, for example reduce='mean'.")
    if precision not in ("float64", "float32"):
        raise ValueError(f"`precision` must be 'float64' or 'float32', but {precision!r} was given.")
    if reduce is None:
        return Job(experiment, grid, None, (), precision)
    read_reductions(reduce, tuple(experiment.observables))
    wanted = (reduce,) if not isinstance(reduce, Sequence) or isinstance(reduce, str) else tuple(reduce)
    return Job(experiment, grid, wanted, read_along(along, grid), precision)
