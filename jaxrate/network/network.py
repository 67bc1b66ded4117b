"""The network: a model as reactions between populations, grouped by rate law."""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from jaxrate.model.model import Model
from jaxrate.model.quantities import follows_populations
from jaxrate.names import unknown
from jaxrate.network.coefficients import Law, Parameters, product
from jaxrate.network.conservation import conservation_laws
from jaxrate.network.line import Line

GROUPED = 24
"""From this many reactions on, those with one law are computed together; below, one by one, which fuses better."""


@dataclass(frozen=True)
class Population:
    """One population: a level (a fraction of its species), a reservoir (a density), or the photons of a cavity.

    Of photons it is their number. Its name is what expressions know it by.

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
        consumed: Populations that an event uses up although its rate is not proportional to them.
        signed: Whether its coefficient may be negative: the reaction then runs backwards.
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
    consumed: tuple[int, ...] = ()
    signed: bool = False

    @property
    def moves_one(self) -> bool:
        """Whether it moves one population to another, so is linear while its coefficient is fixed."""
        return len(self.reactants) == 1 and len(self.products) == 1 and not self.consumed


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
        energies: Of the levels [J], None where not stated: which is the ground state, what a pumped atom holds.
        model: The statement it came from; only its numbers may differ between equal networks.
    """

    populations: tuple[Population, ...]
    reactions: tuple[Reaction, ...]
    lines: tuple[Line, ...]
    names: tuple[str, ...]
    domains: tuple[str, ...]
    derived: tuple[tuple[str, Any], ...]
    energies: tuple[float | None, ...]
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

    def spread(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Values by name; those of a list of parameters, `wdm.power`, as `wdm.power[0]`, `wdm.power[1]` ...

        Raises:
            ValueError: as many values, along the first axis, as the list is long were not given.
        """
        found: dict[str, Any] = {}
        for name, value in given.items():
            found |= {name: value} if name in self.order else self._each(name, value)
        return found

    def _each(self, name: str, value: Any) -> dict[str, Any]:
        members = [other for other in self.names if other.startswith(f"{name}[")]
        if not members:
            return {name: value}
        if np.ndim(value) and np.shape(value)[0] != len(members):
            raise ValueError(
                f"`{name}` must be one number for all, or an array whose first axis is its {len(members)} channels, "
                f"but one of shape {np.shape(value)} was given."
            )
        values = np.asarray(value) if isinstance(value, list | tuple) else value
        return {member: values[i] if np.ndim(values) else values for i, member in enumerate(members)}

    @cached_property
    def stoichiometry(self) -> np.ndarray:
        """Particles gained in an event, integers, shape (population, reaction)."""
        nu = np.zeros((len(self.populations), len(self.reactions)), dtype=np.int64)
        for r, reaction in enumerate(self.reactions):
            for i in (*reaction.reactants, *reaction.consumed):
                nu[i, r] -= 1
            for i in reaction.products:
                nu[i, r] += 1
        return nu

    @cached_property
    def conserved(self) -> np.ndarray:
        """Conservation laws, integers, shape (law, population): `sum c_i s_i n_i` never changes."""
        return conservation_laws(self.stoichiometry)

    def named_populations(self, n: Any) -> dict[str, Any]:
        """Populations by name, as expressions name them: n[i] of each, n of shape (population, lane)."""
        return {p.name: n[i] for i, p in enumerate(self.populations)}

    @cached_property
    def depends(self) -> tuple[bool, ...]:
        """Of each reaction whether its coefficient depends on populations, by an expression or a function."""
        return tuple(any(map(self._follows, reaction.names)) for reaction in self.reactions)

    def _follows(self, name: str) -> bool:
        return follows_populations(name, dict(self.derived), frozenset(self.population_names))

    @cached_property
    def population_names(self) -> tuple[str, ...]:
        """Names of the populations, in their order."""
        return tuple(p.name for p in self.populations)

    @cached_property
    def nonlinear(self) -> tuple[str, ...]:
        """Labels of the processes that make the network nonlinear in its populations.

        Where none does, the parameters that depend on populations: what reads them needs the populations as well.
        """
        every = zip(self.reactions, self.depends, strict=True)
        made = [reaction.process for reaction, depends in every if depends or not reaction.moves_one]
        return tuple(dict.fromkeys(made or [name for name, _ in self.derived if self._follows(name)]))

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Reactions computed together: by law and form in a large network, one by one in a small one."""
        if len(self.reactions) < GROUPED:
            return tuple((r,) for r in range(len(self.reactions)))
        found: dict[Any, list[int]] = {}
        for r, x in enumerate(self.reactions):
            found.setdefault((x.law, x.form, len(x.names), x.signed, self.depends[r]), []).append(r)
        return tuple(tuple(members) for members in found.values())

    def parameters(self, base: Any, varied: Mapping[str, Any]) -> Parameters:
        """Values of every parameter in a block of lanes."""
        return Parameters(self.order, base, varied, dict(self.derived), frozenset(self.population_names))

    def coefficients(
        self, parameters: Parameters, wanted: Collection[int] | None = None
    ) -> list[tuple[tuple[int, ...], Any]]:
        """Coefficient of every reaction, or of those wanted, group by group.

        Each is (members, values), of shape (member, lane), or (lane,) of one.
        """
        groups = [tuple(r for r in members if wanted is None or r in wanted) for members in self.groups]
        return [(members, self._group(members, parameters)) for members in groups if members]

    def rates_without(self, varied: Set[str], parameters: Parameters) -> list[Any]:
        """Coefficients of the reactions that no parameter of `varied` and no population enters, in whatever way."""
        free = [x for r, x in enumerate(self.reactions) if not self.changes_with(r, varied)]
        return [r.law(r.form, r.constants, tuple(parameters[name] for name in r.names)) for r in free]

    def changes_with(self, reaction: int, varied: Set[str]) -> bool:
        """Whether a parameter of `varied`, or a population, enters the coefficient of a reaction, in whatever way."""
        return any(self._follows_any(name, varied) for name in self.reactions[reaction].names)

    def _follows_any(self, name: str, varied: Set[str]) -> bool:
        return follows_populations(name, dict(self.derived), {*varied, *self.population_names})

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
