"""Populations and what empties them."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from jaxrate.network.line import Line, spontaneous
from jaxrate.network.network import Network
from jaxrate.observe.observable import Observable
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
