"""A batch of media that a pulse runs through: each on as many nodes as it needs, and results at the same positions."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.interpolate import make_interp_spline

from jaxrate.arrays import namespace
from jaxrate.propagate.pulse_kernel import PulseKernel
from jaxrate.propagate.pulse_step import Grid
from jaxrate.solve.batch import Batch, read_batch
from jaxrate.solve.block import START
from jaxrate.solve.lanes import run
from jaxrate.solve.status import Status

FINER = (24, 48, 96, 192)
"""Nodes along the medium: those that a lane needs are found by trying."""

TRACED = 48
"""Nodes inside a transformation of JAX, where none can be added."""

POSITIONS = (1 - np.cos(np.pi * np.arange(65) / 64)) / 2
"""Where populations are given; so spaced that nothing of their profile is lost."""


@dataclass(frozen=True)
class PulseBatch:
    """How a batch is solved.

    Args:
        kernel: What is asked for, with the fewest nodes.
        given: Parameters, and what the pulse adds to them.
        positions: Of the populations to start from; None where they are the same everywhere.
        start: These, shape (population, position, *batch).
    """

    kernel: PulseKernel
    given: Mapping[str, Any]
    positions: np.ndarray | None
    start: Any

    def found(self, fixed: bool) -> dict[str, Any]:
        """Results of every ensemble, those that need it with more nodes."""
        batch = self.batch(self.kernel.points)
        if batch.is_traced and not fixed:
            return replace(self, kernel=replace(self.kernel, points=TRACED)).found(fixed=True)
        results = self._at_positions(run(self.kernel, self.kernel.network.base, batch), self.kernel.points, batch)
        if fixed:
            return results
        for points in FINER[1:]:
            coarse = np.flatnonzero(np.asarray(results["status"]) == Status.NOT_CONVERGED)
            if coarse.size:
                results = self._refined(results, points, coarse)
        return results

    def batch(self, points: int) -> Batch:
        """The batch, populations to start from at the nodes of a grid."""
        start = self.start if self.positions is None else _tensordot(self._to_nodes(points), self.start)
        xp = namespace(start)
        start = xp.broadcast_to(start, (len(start), points, *start.shape[2:]))
        start = start if xp is not np or start.ndim > 2 else np.ascontiguousarray(start)
        return read_batch({**self.given, START: start}, {START: 2})

    def _to_nodes(self, points: int) -> np.ndarray:
        assert self.positions is not None
        order = min(5, len(self.positions) - 1)
        spline = make_interp_spline(self.positions, np.eye(len(self.positions)), k=order - (order % 2 == 0))
        return np.asarray(spline(Grid(points).nodes))

    def _refined(self, results: dict[str, Any], points: int, coarse: np.ndarray) -> dict[str, Any]:
        """Results, some ensembles of which are solved once more."""
        batch = self.batch(points)
        arrays = {n: _some(a, batch.cores.get(n, 0), batch.shape, coarse) for n, a in batch.arrays.items()}
        some = read_batch(arrays, dict(batch.cores))
        kernel = replace(self.kernel, points=points)
        better = self._at_positions(run(kernel, kernel.network.base, some), points, some)
        return {name: _with(x, better[name], coarse, batch.shape) for name, x in results.items()}

    def _at_positions(self, results: dict[str, Any], points: int, batch: Batch) -> dict[str, Any]:
        """Results with populations and maps at `POSITIONS`; only those of the last pass."""
        to = Grid(points).to(POSITIONS)
        xp = namespace(results["populations"])
        start = batch.arrays[START]
        light, net = results["maps"][-1]
        light = xp.exp(_tensordot(to, xp.log(xp.where(light > 0, light, 1e-300))))
        return {
            **results,
            "populations": _tensordot(to, results["populations"][-1]),
            "before": xp.broadcast_to(
                _padded(_tensordot(to, start), batch), (len(start), len(POSITIONS), *batch.shape)
            ),
            "maps": xp.moveaxis(xp.stack([light, _tensordot(to, net)]), 1, 2),
        }


def _padded(x: Any, batch: Batch) -> Any:
    return x.reshape((*x.shape[:2], *(1,) * (len(batch.shape) - x.ndim + 2), *x.shape[2:]))


def _tensordot(matrix: np.ndarray, values: Any) -> Any:
    """Matrix times the second axis of an array."""
    xp = namespace(values)
    return xp.moveaxis(xp.tensordot(matrix, values, (1, 1)), 0, 1)


def _some(array: Any, core: int, shape: tuple[int, ...], lanes: np.ndarray) -> Any:
    """Some ensembles of an array (*core, *batch)."""
    array = np.asarray(array)
    missing = len(shape) - (array.ndim - core)
    array = array.reshape((*array.shape[:core], *(1,) * missing, *array.shape[core:]))
    return np.broadcast_to(array, (*array.shape[:core], *shape)).reshape((*array.shape[:core], -1))[..., lanes]


def _with(old: Any, new: Any, lanes: np.ndarray, shape: tuple[int, ...]) -> Any:
    """An array (*core, *batch) with some ensembles exchanged."""
    core = np.shape(new)[:-1]
    found = np.array(old).reshape((*core, math.prod(shape)))
    found[..., lanes] = np.asarray(new)
    return namespace(old).asarray(found.reshape((*core, *shape)))
