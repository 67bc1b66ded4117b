"""Populations and what empties them."""

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp

from jaxrate.arrays import namespace
from jaxrate.network.coefficients import Parameters
from jaxrate.network.holes import is_class
from jaxrate.network.line import Line, spontaneous
from jaxrate.network.network import Network
from jaxrate.observe.observable import Observable
from jaxrate.solve.classes import Classes, in_classes, placed
from jaxrate.solve.solution import Solution


@dataclass(frozen=True)
class Population(Observable):
    """Population of a level, a fraction of its species' density.

    Args:
        level: Name of the level.
    """

    level: str

    @property
    def long_name(self) -> str:
        return f"population of {self.level}"

    def check(self, network: Network) -> None:
        network.model.position(self.level, "Population")

    def of(self, solution: Solution) -> Any:
        return solution[self.level]


@dataclass(frozen=True)
class OfLine(Observable):
    """Something of a radiative line, by its label."""

    label: str

    def line(self, solution: Solution) -> Line:
        """The line it belongs to."""
        return solution.network.line(self.label)

    def check(self, network: Network) -> None:
        network.line(self.label)

    def __call__(self, solution: Solution) -> Any:
        """Its value of every ensemble; where a solution has classes, that of all classes together."""
        if not self.pointwise:
            return super().__call__(replace(solution, classes=None))
        if solution.classes is None:
            self._refuse_average(solution)
            return super().__call__(solution)
        if isinstance(solution.parameters, Parameters):
            return self.of_classes(solution)
        self.check(solution.network)
        return _OfClasses(self)(_stacked(solution))

    def of_classes(self, solution: Solution) -> Any:
        """Its value in a block of lanes whose populations differ by class: its average, as it is linear in them."""
        classes, lanes = solution.classes, solution.populations.shape[1]
        n = classes.populations.reshape(len(classes.populations), -1)
        parameters = in_classes(solution.network, solution.parameters, classes.nodes)  # type: ignore[arg-type]
        value = self.of(Solution(n, jnp.zeros(n.shape[1], jnp.int8), parameters, solution.network))
        value = jnp.broadcast_to(value, (*value.shape[:-1], n.shape[1])).reshape(*value.shape[:-1], -1, lanes)
        return jnp.sum(classes.nodes.weight * value, axis=-2)

    def _refuse_average(self, solution: Solution) -> None:
        if is_class(self.line(solution)):
            raise ValueError(
                f"`{self.label}` was solved class by class, and of a whole path only averages are kept: name "
                f"jr.{type(self).__name__}('{self.label}') among the observables, which reads every moment by itself."
            )


@dataclass(frozen=True)
class _OfClasses(Observable):
    """Reads an observable off populations with those of all classes behind them, as `_stacked` puts them.

    Args:
        observable: What is read.
    """

    observable: OfLine

    def check(self, network: Network) -> None:
        """It was checked already."""

    def of(self, solution: Solution) -> Any:
        network, lanes = solution.network, solution.populations.shape[1]
        num = len(network.populations)
        n = solution.populations[num:].reshape(num, -1, lanes)
        nodes = placed(network, solution.parameters, n.shape[1], lanes)  # type: ignore[arg-type]
        classes = Classes(n, nodes.position, nodes.weight, nodes)
        return self.observable.of_classes(replace(solution, populations=solution.populations[:num], classes=classes))


def _stacked(solution: Solution) -> Solution:
    """A solution whose populations are followed by those of its classes, shape (population + each class, *batch)."""
    xp, n = namespace(solution.populations), solution.classes.populations
    every = xp.concatenate([solution.populations, n.reshape(-1, *n.shape[2:])])
    return replace(solution, populations=every, classes=None)


@dataclass(frozen=True)
class Inversion(OfLine):
    r"""Inversion of a line, $n_u - \frac{g_u}{g_l} n_l$, a fraction of its species' density.

    Args:
        label: Label of the `Radiative`.
    """

    @property
    def long_name(self) -> str:
        return f"inversion of {self.label}"

    def of(self, solution: Solution) -> Any:
        line = self.line(solution)
        return solution.populations[line.upper] - line.weight * solution.populations[line.lower]


def _unforced(network: Network) -> list[int]:
    """Reactions that go on without pump and light."""
    return [i for i, r in enumerate(network.reactions) if r.moves_one and not r.field and r.role != "pump"]


def _leaving(solution: Solution, level: int) -> Any:
    """Total rate at which a level empties by itself [s^-1]."""
    network = solution.network
    total = jnp.zeros(solution.populations.shape[-1])
    for r in _unforced(network):
        reaction = network.reactions[r]
        if reaction.reactants == (level,):
            values = tuple(solution.parameters[name] for name in reaction.names)
            total = total + reaction.law(reaction.form, reaction.constants, values)
    return total


@dataclass(frozen=True)
class Lifetime(Observable):
    r"""Lifetime [s] of a level: $1/\sum R$ over everything that empties it without pump or light.

    Args:
        level: Name of the level.
    """

    level: str
    unit = "s"

    @property
    def long_name(self) -> str:
        return f"lifetime of {self.level}"

    def check(self, network: Network) -> None:
        network.model.index(self.level, "Lifetime")

    def of(self, solution: Solution) -> Any:
        return 1.0 / _leaving(solution, solution.model.index(self.level))


def spontaneous_rate(solution: Solution, line: Line) -> Any:
    """A21 of a line [s^-1]."""
    return spontaneous(line.form, line.constants, tuple(solution.parameters[name] for name in line.emission_names))


@dataclass(frozen=True)
class BranchingRatio(OfLine):
    r"""Share of its upper level's decay that a line takes: $A\,\tau$.

    Args:
        label: Label of the `Radiative`.
    """

    @property
    def long_name(self) -> str:
        return f"branching ratio of {self.label}"

    def of(self, solution: Solution) -> Any:
        line = self.line(solution)
        return spontaneous_rate(solution, line) / _leaving(solution, line.upper)
