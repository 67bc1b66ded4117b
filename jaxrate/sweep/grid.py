"""Axes of a sweep: which parameters vary along which dimensions, which are drawn at random, and which are fixed."""

import math
import reprlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jaxrate.experiment import Experiment
from jaxrate.model.quantities import units_by_name
from jaxrate.names import unknown
from jaxrate.sweep.draws import INDEX, Sampling, drawn

Variable = tuple[tuple[str, ...], Any, dict[str, Any]]
"""Dimensions, values and attributes: what an xarray.Dataset is made of."""

RESULTS = ("status", "count", "failed")
"""Variables that a sweep adds to the observables."""
ENSEMBLE = "ensemble"
"""Dimension of parameters that are drawn at random."""


@dataclass(frozen=True)
class Axis:
    """Values of one parameter.

    Args:
        dim: Dimension they lie along; parameters of one dimension are zipped.
        values: In SI units, shape (dim,).
    """

    dim: str
    values: np.ndarray


@dataclass(frozen=True)
class Grid:
    """The ensembles of a sweep.

    Args:
        axes: Parameters that vary, by name.
        fixed: Parameters that are set for the whole sweep.
        units: SI unit of every parameter.
        sampling: Parameters that are drawn at random, along the last dimension.
        lists: The parameters that the name of a list of them stands for, `wdm.power`: all have the same value.
    """

    axes: Mapping[str, Axis]
    fixed: Mapping[str, float]
    units: Mapping[str, str]
    sampling: Sampling | None = None
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each dimension, in the order given."""
        drawn_along = {ENSEMBLE: self.sampling.ensembles} if self.sampling else {}
        return {axis.dim: axis.values.size for axis in self.axes.values()} | drawn_along

    @property
    def size(self) -> int:
        """Number of ensembles."""
        return math.prod(self.sizes.values())

    def shape(self, dims: Iterable[str]) -> tuple[int, ...]:
        """Lengths of some dimensions."""
        return tuple(self.sizes[dim] for dim in dims)

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters along each dimension."""
        return (*self.axes, *(self.sampling.names if self.sampling else ()))

    def dim(self, parameter: str) -> str:
        """Dimension of a parameter that varies."""
        return self.axes[parameter].dim if parameter in self.axes else ENSEMBLE

    def values(self, parameter: str, places: np.ndarray) -> np.ndarray:
        """Values of a parameter at some places along its dimension."""
        if parameter in self.axes:
            return self.axes[parameter].values[places]
        assert self.sampling is not None
        flat = np.asarray(places, np.float64).reshape(-1)
        return drawn(self.sampling, flat)[parameter].reshape(places.shape)

    def arrays(self, slab: Mapping[str, slice]) -> dict[str, Any]:
        """Parameters of a part of the grid, of length one along dimensions where they do not vary.

        Args:
            slab: The part along each dimension, in the order of the lanes.
        """

        def along(dim: str, values: np.ndarray) -> np.ndarray:
            return values[slab[dim]].reshape([-1 if d == dim else 1 for d in slab])

        found = {**{name: along(axis.dim, axis.values) for name, axis in self.axes.items()}, **self.fixed}
        return {each: value for name, value in found.items() for each in self.lists.get(name, (name,))}

    def index(self, slab: Mapping[str, slice]) -> dict[str, np.ndarray]:
        """Which ensembles are drawn in a part of the grid; nothing where none are."""
        if self.sampling is None:
            return {}
        part = slab[ENSEMBLE]
        index = np.arange(part.start, part.stop, dtype=np.float64)
        return {INDEX: index.reshape([-1 if dim == ENSEMBLE else 1 for dim in slab])}

    def coordinates(self, dims: Collection[str]) -> dict[str, Variable]:
        """Parameters along some dimensions, and the fixed ones, as coordinates that label themselves."""
        along = {name: ((a.dim,), a.values, self.attrs(name)) for name, a in self.axes.items() if a.dim in dims}
        return {**along, **{name: ((), value, self.attrs(name)) for name, value in self.fixed.items()}}

    def attrs(self, parameter: str) -> dict[str, Any]:
        """Label of a parameter."""
        return attributes(parameter, self.units[parameter])


def attributes(long_name: str, unit: str) -> dict[str, Any]:
    """`long_name`, and `units` where there is one."""
    return {"long_name": long_name, **({"units": unit} if unit else {})}


def read_grid(over: Mapping[str, Any], experiment: Experiment, sampling: Sampling | None = None) -> Grid:
    """Check the axes of a sweep.

    Args:
        over: By parameter: an array of values, ("dimension", values) to zip parameters along a dimension, or one
            number for the whole sweep; in SI units.
        experiment: What is swept.
        sampling: Parameters that are drawn at random.

    Raises:
        ValueError: an unknown parameter (the nearest is proposed), values that are not numbers or not
            one-dimensional, an empty axis, zipped axes of different length, a dimension whose name is taken, or a
            parameter that is drawn at random too.
    """
    if not isinstance(over, Mapping):
        raise ValueError(f"`over` must be a dict such as {{'pump.rate': values}}, but {_short(over)} was given.")
    lists = {name: tuple(experiment.network.spread({name: 0.0})) for name in over}
    _check_names(lists, experiment)
    for name in sampling.names if sampling else ():
        if name in over:
            raise ValueError(
                f"`{name}` is drawn at random, so it cannot be in `over` too: leave it out of one of them."
            )
    units = units_by_name(experiment.parameter_list)
    read = {name: _read(name, given, units[name]) for name, given in over.items()}
    axes = {name: found for name, found in read.items() if isinstance(found, Axis)}
    _check_lengths(axes)
    _check_dimensions(axes, experiment, sampling)
    fixed = {name: found for name, found in read.items() if not isinstance(found, Axis)}
    return Grid(axes, fixed, units, sampling, {name: all for name, all in lists.items() if all != (name,)})


def _check_names(lists: Mapping[str, tuple[str, ...]], experiment: Experiment) -> None:
    """Every parameter is known, and is set once."""
    experiment.network.check_names([each for all in lists.values() for each in all])
    for name, all in lists.items():
        if both := [each for each in all if each != name and each in lists]:
            raise ValueError(f"`{both[0]}` is one of `{name}`, so both cannot be in `over`: leave one of them out.")


def _read(name: str, given: Any, unit: str) -> Axis | float:
    zipped = isinstance(given, tuple) and any(isinstance(part, str) for part in given)
    if zipped and (len(given) != 2 or not isinstance(given[0], str)):
        raise ValueError(f"`{name}` must be zipped as ('dimension', values), but {_short(given)} was given.")
    dim, values = given if zipped else (name, given)
    numbers = _numbers(name, values, unit)
    if numbers.ndim == 0 and not zipped:
        return float(numbers)
    if numbers.ndim != 1:
        raise ValueError(f"`{name}` must have one-dimensional values, but an array of shape {numbers.shape} was given.")
    if not numbers.size:
        raise ValueError(f"`{name}` must have at least one value, but an empty axis was given.")
    return Axis(dim, numbers)


def _numbers(name: str, given: Any, unit: str) -> np.ndarray:
    wanted = (
        f"`{name}` must be a number or a list of numbers in SI units{f' ({unit})' if unit not in ('', '1') else ''}"
    )
    try:
        values = np.asarray(given)
    except ValueError:  # a ragged list
        raise ValueError(f"{wanted}, but {_short(given)} was given.") from None
    if values.dtype.kind not in "iuf" or hasattr(given, "magnitude"):  # NumPy would drop the unit of a pint quantity
        raise ValueError(f"{wanted}, but {_short(given)} was given.")
    return values.astype(np.float64)


def _short(given: Any) -> str:
    return reprlib.repr(given)


def _check_lengths(axes: Mapping[str, Axis]) -> None:
    first: dict[str, str] = {}
    for name, axis in axes.items():
        other = first.setdefault(axis.dim, name)
        sizes = axes[other].values.size, axis.values.size
        if sizes[0] != sizes[1]:
            raise ValueError(
                f"`{other}` and `{name}` are zipped along `{axis.dim}`, so they must have as many values as each "
                f"other, but {sizes[0]} and {sizes[1]} were given."
            )


def _check_dimensions(axes: Mapping[str, Axis], experiment: Experiment, sampling: Sampling | None) -> None:
    """A dimension is named as a parameter only where it holds that parameter's values, and never as a result."""
    parameters = units_by_name(experiment.parameter_list)
    own = {axis[0]: name for name in experiment.observables for axis in experiment.axes(name)}
    for name, axis in axes.items():
        is_itself = axis.dim in axes and axes[axis.dim].dim == axis.dim
        taken = "a parameter" if axis.dim in parameters and not is_itself else ""
        taken = "an observable" if axis.dim in experiment.observables else taken
        taken = "a result of every sweep" if axis.dim in RESULTS else taken
        taken = "that of the parameters drawn at random" if sampling and axis.dim == ENSEMBLE else taken
        taken = f"the axis of the observable `{own[axis.dim]}`" if axis.dim in own else taken
        if taken:
            raise ValueError(
                f"The dimension of `{name}` must have a name of its own, but `{axis.dim}` is {taken}: "
                "call it `run`, for example."
            )


def read_along(along: Sequence[str] | str | None, grid: Grid) -> tuple[str, ...]:
    """Dimensions to reduce, in the order of the sweep; all of them for None.

    Raises:
        ValueError: not a dimension of the sweep (the nearest is proposed), or none.
    """
    if along is None:
        return tuple(grid.sizes)
    wanted = (along,) if isinstance(along, str) else tuple(along)
    for dim in wanted:
        if dim not in grid.sizes:
            raise ValueError("`along`: " + unknown("dimension", dim, list(grid.sizes), "this sweep"))
    if not wanted:
        raise ValueError("`along` must name dimensions to reduce, but none was given: leave it out to reduce all.")
    return tuple(dim for dim in grid.sizes if dim in wanted)
