"""Inhomogeneous lines class by class: every class of an ensemble is a lane of its own, with its own rates."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.model.fields import driven_lines, is_saturating
from jaxrate.names import shown
from jaxrate.network.classes import Light, Nodes, place, shifts
from jaxrate.network.coefficients import Parameters
from jaxrate.network.compile import refuse_holes
from jaxrate.network.holes import burnt_lines, check_classes, class_lines, class_network, is_class, shift_name
from jaxrate.network.network import Network
from jaxrate.solve.block import Block, Observable
from jaxrate.solve.solution import Solution
from jaxrate.solve.status import Status

FEWEST = 12
"""Classes of which it can be told whether they are enough."""

RESOLVED = 1e-4
"""Share of a hole that every third class may miss: all of them then miss its third power, or, read between them by a
weak probe, its power of 3/2."""

MISSED = 1e-7
"""Share of the atoms that the classes may miss."""

ROUNDING = 100
"""Units in the last place of a population that do not count as a hole."""

_RESOLUTION = " resolution"
"""Name of what is read beside the observables: by how much the classes are too few, above 1."""

Solve = Callable[[Block], tuple[dict[str, Array], Array]]
"""Observables by name and status (lane,) of a block."""


@partial(jax.tree_util.register_dataclass, data_fields=["populations", "position", "weight", "nodes"], meta_fields=[])
@dataclass(frozen=True)
class Classes:
    """Populations of every class.

    Attributes:
        populations: As of a `Solution`, in each class, shape (population, class, *batch), of a path (population, class,
            time, *batch).
        position: Centre of the line in each class, less its average and over its standard deviation, shape (class,
            *batch).
        weight: Share of the atoms, shape (class, *batch).
        nodes: Where the classes of a block of lanes lie; None outside of programs.
    """

    populations: Any
    position: Any
    weight: Any
    nodes: Nodes | None = None


def check_number(classes: Any) -> None:
    """Refuse a number of classes that cannot be meant."""
    whole = isinstance(classes, int | np.integer) and not isinstance(classes, bool)
    if classes is not None and not (whole and classes >= FEWEST):
        raise ValueError(
            f"`classes` must be a whole number from {FEWEST} on, such as 200, but {shown(classes)} was given."
        )


def are_needed(network: Network, classes: int | None) -> bool:
    """Whether a network is solved class by class: classes are stated, and light burns a hole."""
    return classes is not None and bool(burnt_lines(network))


def one_class(network: Network) -> Network:
    """The network of one class."""
    return class_network(network, burnt_lines(network))


def check_holes(network: Network, classes: int | None) -> None:
    """Refuse narrow light on inhomogeneous lines where no classes are stated, or where they cannot be solved."""
    if classes is None:
        refuse_holes(network)
    else:
        check_classes(network, burnt_lines(network))


def placing_names(network: Network) -> tuple[str, ...]:
    """Parameters that the classes are placed by, so that they must not change in time."""
    lines = class_lines(network, burnt_lines(network))
    names = [name for line in lines for name in (line.names[1], *line.names[3:])]
    return (*names, *(f"{beam}.{name}" for beam, _ in _driving(network) for name in ("frequency", "fwhm")))


def _driving(network: Network) -> list[tuple[str, str]]:
    """(label of the light, label of the line) of all narrow light on inhomogeneous lines."""
    model = network.model
    pairs = [(field, label) for field in model.processes for label in driven_lines(field)]
    return [(field.label, label) for field, label in pairs if is_saturating(field, model.radiative(label))]


def placed(network: Network, parameters: Parameters, num: int, lanes: int) -> Nodes:
    """The classes of a block of lanes, from the network as a whole or of one class."""
    lights = [
        Light(network.line(label), parameters[f"{beam}.frequency"], parameters[f"{beam}.fwhm"])
        for beam, label in _driving(network)
    ]
    nodes = place(lights, parameters, num)
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (*x.shape[:-1], lanes)), nodes)


def in_classes(network: Network, parameters: Parameters, nodes: Nodes) -> Parameters:
    """Parameters of the lanes (class, lane) in one axis: those of the ensemble, and the shifts of the class's lines."""
    own = {shift_name(line): shifts(line, parameters, nodes) for line in network.lines if is_class(line)}
    lanes = nodes.position.shape[1]
    spread = {name: _tiled(x, nodes.num, lanes) for name, x in parameters.varied.items()}
    flat = {name: jnp.broadcast_to(x, nodes.position.shape).reshape(-1) for name, x in own.items()}
    return network.parameters(parameters.base, {**spread, **flat})


def _tiled(x: Any, num: int, lanes: int) -> Array:
    """(..., lane) once for each class; what all lanes share stays as it is."""
    x = jnp.asarray(x)
    return jnp.tile(x, (*(1,) * (x.ndim - 1), num)) if x.ndim and x.shape[-1] == lanes else x


@dataclass(frozen=True)
class _Spread(Block):
    """A block with a lane for every class, which reads observables off averages and off the classes together.

    Attributes:
        whole: The block of ensembles.
        nodes: The classes of each.
    """

    whole: Block
    nodes: Nodes

    def read(self, solution: Solution, observables: tuple[tuple[str, Observable], ...] | None = None) -> dict[str, Any]:
        return self.whole.read(self._gathered(solution), self.observables if observables is None else observables)

    def _gathered(self, solution: Solution) -> Solution:
        """The solution of the ensembles; of a whole path, whose populations are averages already, without classes."""
        lanes = self.whole.way.lanes
        status, parameters = jnp.zeros(lanes, jnp.int8), self._of_ensembles(solution.parameters)
        if solution.times is not None:
            return Solution(solution.populations, status, parameters, self.network, solution.times)
        n = solution.populations.reshape(len(solution.populations), self.nodes.num, lanes)
        average = jnp.sum(self.nodes.weight.astype(n.dtype) * n, axis=1)
        classes = Classes(n, self.nodes.position, self.nodes.weight, self.nodes)
        return Solution(average, status, parameters, self.network, classes=classes)

    def _of_ensembles(self, parameters: Any) -> Parameters:
        """Parameters of the first class, without its shifts: those of the ensembles, driven ones at their moment."""
        lanes, own = self.whole.way.lanes, {shift_name(line) for line in self.network.lines}
        varied = {name: x for name, x in parameters.varied.items() if name not in own}
        every = lanes * self.nodes.num
        cut = {n: x[..., :lanes] if jnp.ndim(x) and x.shape[-1] == every else x for n, x in varied.items()}
        return self.network.parameters(parameters.base, cut)


def by_class(block: Block, num: int, solve: Solve) -> tuple[dict[str, Array], Array]:
    """Observables and status of a block whose lanes are solved class by class.

    Args:
        block: Of ensembles.
        num: Number of classes.
        solve: What solves a block as a whole.
    """
    network, lanes = one_class(block.network), block.way.lanes
    nodes = placed(block.network, block.parameters, num, lanes)
    spread = _Spread(
        network=network,
        parameters=in_classes(network, block.parameters, nodes),
        base=block.base,
        start=None if block.start is None else _tiled(block.start, num, lanes),
        observables=(*block.observables, (_RESOLUTION, _Resolution())),
        way=replace(block.way, lanes=num * lanes),
        wanted=_tiled(block.wanted, num, lanes),
        whole=block,
        nodes=nodes,
    )
    results, status = solve(spread)
    coarse = jnp.max(results.pop(_RESOLUTION).reshape(-1, lanes), axis=0)
    status = jnp.max(jnp.broadcast_to(status, (num * lanes,)).reshape(num, lanes), axis=0)
    lost = (status == Status.OK) & unresolved(coarse, nodes)
    return results, jnp.where(lost, jnp.int8(Status.UNRESOLVED), status)


def coarseness(n: Array, weight: Array) -> Array:
    r"""By how much the classes are too few to resolve the holes, above 1, shape (lane,).

    $\left|\sum_c w_c\,(n_c - \bar n)\,e^{2\pi ic/3}\right|$ is what a sum over every third class misses, wherever the
    classes lie; it is compared with the depth of the hole, $\sum_c w_c |n_c - \bar n|$, in every population.

    Args:
        n: Populations of the classes, shape (population, class, lane).
        weight: Shares of the atoms, shape (class, lane).
    """
    average = jnp.sum(weight * n, axis=1)
    hole = jax.lax.stop_gradient(weight * (n - average[:, None]))
    phase = 2 * np.pi / 3 * np.arange(n.shape[1])[:, None]
    missed = jnp.hypot(jnp.sum(hole * np.cos(phase), axis=1), jnp.sum(hole * np.sin(phase), axis=1))
    allowed = RESOLVED * jnp.sum(jnp.abs(hole), axis=1) + ROUNDING * jnp.finfo(n.dtype).eps * average
    return jnp.max(missed / jnp.maximum(allowed, jnp.finfo(n.dtype).tiny), axis=0)


def unresolved(coarse: Array, nodes: Nodes) -> Array:
    """Which lanes have too few classes, shape (lane,)."""
    return (coarse > 1) | (jnp.abs(nodes.missed) >= MISSED)


@dataclass(frozen=True)
class _Resolution:
    """`coarseness` as an observable of every moment."""

    pointwise: bool = True

    def __call__(self, solution: Solution) -> Array:
        return coarseness(solution.classes.populations, solution.classes.nodes.weight)


@dataclass(frozen=True)
class Each:
    """What is kept of the classes outside of programs: an attribute of `Classes`."""

    name: str
    pointwise: bool = True

    def __call__(self, solution: Solution) -> Array:
        return getattr(solution.classes, self.name)


KEPT = tuple((f" {name}", Each(name)) for name in ("populations", "position", "weight"))
"""Read beside the populations of a solution that is solved class by class."""


def kept(found: dict[str, Any], is_path: bool) -> Classes:
    """Classes of a solution, from what was read as `KEPT`; along a path they stay where they are."""
    populations, position, weight = (found[name] for name, _ in KEPT)
    return Classes(populations, *((x[:, 0] if is_path else x) for x in (position, weight)))
