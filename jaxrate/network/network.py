"""The network: a model as reactions between populations, grouped by rate law."""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from jaxrate.model.model import Model
from jaxrate.names import unknown
from jaxrate.network.coefficients import Law, Parameters, product
from jaxrate.network.conservation import conservation_laws
from jaxrate.network.line import Line

GROUPED = 24
"""From this many reactions on, those with one law are computed together; below, one by one, which fuses better."""


@dataclass(frozen=True)
class Population:
    """One population: a level (a fraction of its species), a reservoir (a density), or the photons of a cavity.

    Of photons it is their number.

    Args:
        name: Full name of the level, name of the reservoir, or label of the cavity.
        species: Position among the model's species; None for reservoirs and photons.
        scale: Parameter that makes it a density: `density` of the species, or the mode volume it is divided by; "" for
            a reservoir, which is one.
    """

    name: str
    species: int | None
    scale: str

    @property
    def is_photons(self) -> bool:
        return self.species is None and self.scale != ""


@dataclass(frozen=True)
class Reaction:
    """Reactants, products and a rate law. `event rate = coefficient x product of the reactants' densities`.

    Args:
        process: Label of the process that states it.
        role: What it is: "decay", "stimulated emission" ...
        field: Label of the light that drives it, or "".
        reactants, products: Positions of the populations; one that takes part twice is named twice.
        law: Function of `jaxrate.network.coefficients`.
        names: Parameters the law is computed from.
        constants: Fixed numbers it is computed from.
        form: What reactions must share, beside the law, to be computed together.
    """

    process: str
    role: str
    field: str
    reactants: tuple[int, ...]
    products: tuple[int, ...]
    law: Law
    names: tuple[str, ...]
    constants: tuple[float, ...] = ()
    form: Any = None

    @property
    def moves_one(self) -> bool:
        """Whether it moves one population to another, so is linear."""
        return len(self.reactants) == 1 and len(self.products) == 1


@dataclass(frozen=True)
class Network:
    """A model as the solvers see it. Two networks are equal if one compiled program serves both.

    Args:
        populations: Levels in the order stated, then reservoirs, then photons.
        reactions: Every reaction.
        lines: The radiative lines.
        names: Names of the parameters, in the order of `base`.
        domains: Legal values of each: "positive", "nonnegative" or "finite".
        derived: Parameters that follow from others: (name, expression or function).
        model: The statement it came from; only its numbers may differ between equal networks.
    """

    populations: tuple[Population, ...]
    reactions: tuple[Reaction, ...]
    lines: tuple[Line, ...]
    names: tuple[str, ...]
    domains: tuple[str, ...]
    derived: tuple[tuple[str, Any], ...]
    num_levels: int
    model: Model = field(compare=False)

    @cached_property
    def order(self) -> dict[str, int]:
        """Position of each parameter in `base`."""
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def base(self) -> np.ndarray:
        """The model's own values, shape (parameter,)."""
        values = self.model.parameters()
        return np.array([values[name] for name in self.names])

    @cached_property
    def domain(self) -> dict[str, str]:
        return dict(zip(self.names, self.domains, strict=True))

    def line(self, label: str) -> Line:
        """The radiative line of that label."""
        for line in self.lines:
            if line.label == label:
                return line
        raise ValueError(unknown("Radiative", label, [line.label for line in self.lines], "this model"))

    def check_names(self, given: Collection[str]) -> None:
        """Refuse a name that is no parameter, proposing the nearest."""
        derived = dict(self.derived)
        for name in given:
            if name in derived:
                raise ValueError(f"`{name}` is given by an expression; vary the parameters it is made of.")
            if name not in self.order:
                raise ValueError(unknown("parameter", name, self.names, "this model"))

    @cached_property
    def stoichiometry(self) -> np.ndarray:
        """Particles gained in an event, integers, shape (population, reaction)."""
        nu = np.zeros((len(self.populations), len(self.reactions)), dtype=np.int64)
        for r, reaction in enumerate(self.reactions):
            for i in reaction.reactants:
                nu[i, r] -= 1
            for i in reaction.products:
                nu[i, r] += 1
        return nu

    @cached_property
    def conserved(self) -> np.ndarray:
        """Conservation laws, integers, shape (law, population): `sum c_i s_i n_i` never changes."""
        return conservation_laws(self.stoichiometry)

    @cached_property
    def nonlinear(self) -> tuple[str, ...]:
        """Labels of the processes that make the network nonlinear in its populations."""
        made = [r.process for r in self.reactions if not r.moves_one] + [n for n, f in self.derived if _is_function(f)]
        return tuple(dict.fromkeys(made))

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Reactions computed together: by law and form in a large network, one by one in a small one."""
        if len(self.reactions) < GROUPED:
            return tuple((r,) for r in range(len(self.reactions)))
        found: dict[Any, list[int]] = {}
        for r, reaction in enumerate(self.reactions):
            found.setdefault((reaction.law, reaction.form, len(reaction.names)), []).append(r)
        return tuple(tuple(members) for members in found.values())

    def parameters(self, base: Any, varied: Mapping[str, Any]) -> Parameters:
        """Values of every parameter in a block of lanes."""
        return Parameters(self.order, base, varied, dict(self.derived))

    def coefficients(self, parameters: Parameters) -> list[tuple[tuple[int, ...], Any]]:
        """Coefficient of every reaction, group by group: (members, values (member, lane) or (lane,) for one)."""
        return [(members, self._group(members, parameters)) for members in self.groups]

    def rates_without(self, varied: Set[str], parameters: Parameters) -> list[Any]:
        """Coefficients of the reactions that no parameter of `varied` enters, directly or by an expression."""
        rules = dict(self.derived)

        def is_free(name: str) -> bool:
            if name in rules:
                return not _is_function(rules[name]) and all(is_free(part) for part in rules[name].names)
            return name not in varied

        free = [r for r in self.reactions if all(is_free(name) for name in r.names)]
        return [r.law(r.form, r.constants, tuple(parameters[name] for name in r.names)) for r in free]

    def _group(self, members: tuple[int, ...], parameters: Parameters) -> Any:
        first, num = self.reactions[members[0]], len(members)
        if num == 1:
            return first.law(first.form, first.constants, tuple(parameters[name] for name in first.names))
        reactions = [self.reactions[r] for r in members]
        values = tuple(parameters.stack(names) for names in zip(*(r.names for r in reactions), strict=True))
        constants = tuple(np.array(column)[:, None] for column in zip(*(r.constants for r in reactions), strict=True))
        return first.law(first.form, constants, values)

    def is_checked(self, members: tuple[int, ...]) -> bool:
        """Whether its coefficients are parameters whose values were checked already."""
        reactions = [self.reactions[r] for r in members]
        derived = dict(self.derived)
        return all(r.law is product and len(r.names) == 1 and r.names[0] not in derived for r in reactions)

    @cached_property
    def checked_as_rates(self) -> frozenset[str]:
        """Parameters that are the coefficient of a reaction themselves, so that checking rates checks them."""
        return frozenset(self.reactions[g[0]].names[0] for g in self.groups if len(g) == 1 and self.is_checked(g))


def _is_function(derived: Any) -> bool:
    return not hasattr(derived, "names")
