"""Levels and reservoirs: what has the populations that a model follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

import numpy as np

from jaxrate.model.quantities import check_name, check_text, settle
from jaxrate.names import shown
from jaxrate.units import to_energy, to_si


@dataclass(frozen=True)
class Level:
    """A level, or a manifold of levels in thermal equilibrium with each other.

    Args:
        name: Its term symbol or any other name; unique within the model, or within its species.
        energy: Energy of its lowest sublevel, "11507 cm^-1", "1.43 eV", "344 THz"; a bare number is in joules.
        g: Degeneracy of the whole level.
        species: The atom or ion it belongs to, where a model has several: the full name is then "Yb:2F5/2".
        stark: Sublevels of a manifold as energies above the lowest, each with the same share of `g`. They
            enter the partition function, so McCumber's relation and detailed balance of the manifold.
        source: Where the numbers come from.

    Raises:
        ValueError: the degeneracy is not positive, an energy has the wrong unit, a sublevel lies below zero.
    """

    name: str
    energy: str | float | None = None
    g: float = 1
    species: str | None = None
    stark: Sequence[str | float] = ()
    source: str = ""

    def __post_init__(self) -> None:
        check_name("A level's name", self.name, (" -> ", " + "))
        if self.species is not None:
            check_name(f"The species of level `{self.name}`", self.species, (" -> ", " + ", ":"))
        settle(self, f"level {self.name}", lists=("stark",))
        if isinstance(self.g, bool) or not isinstance(self.g, int | float) or not (self.g > 0 and isfinite(self.g)):
            raise ValueError(
                f"Level `{self.name}`: the degeneracy `g` must be a positive number, but {shown(self.g)} was given."
            )
        _check_stark(self, self.stark)

    @property
    def full_name(self) -> str:
        """Its name, with the species in front where there is one: "Yb:2F5/2"."""
        return f"{self.species}:{self.name}" if self.species else self.name

    @cached_property
    def joules(self) -> float | None:
        """Energy of the lowest sublevel [J], or None where none was stated."""
        return None if self.energy is None else float(to_energy(self.energy, f"energy of level {self.name}"))

    @cached_property
    def sublevels(self) -> tuple[tuple[float, float], ...]:
        """(energy above the lowest [J], degeneracy) of each sublevel; one of them where none were stated."""
        offsets = [float(to_energy(s, f"stark of level {self.name}")) for s in self.stark] or [0.0]
        return tuple((offset, self.g / len(offsets)) for offset in offsets)


def _check_stark(level: Level, stark: object) -> None:
    if not isinstance(stark, list | tuple | np.ndarray) or np.ndim(stark) != 1:
        raise ValueError(f"Level `{level.name}`: `stark` must be a list of energies, but {shown(stark)} was given.")
    object.__setattr__(level, "stark", tuple(stark.tolist() if isinstance(stark, np.ndarray) else stark))
    _ = level.joules
    if min(offset for offset, _ in level.sublevels) != 0:
        raise ValueError(
            f"Level `{level.name}`: `stark` must hold energies above the lowest sublevel, so the smallest is 0, "
            f"but {shown(list(stark))} was given."
        )


@dataclass(frozen=True)
class Reservoir:
    """A population without a level, counted by its density: the carriers of a diode, a pool that feeds a level.

    Nothing conserves it: a `Pump` may fill it from nowhere, " -> carriers" at a rate per volume, a `Decay` may empty
    it, "carriers -> ", and an `EnergyTransfer` may use it up, "carriers + ground -> excited".

    Args:
        name: Its name, unique among the populations of the model.
        unit: Of its population: "m^-3".
        source: Where it is described.

    Raises:
        ValueError: the unit is not that of a density in SI.
    """

    name: str
    unit: str = "m^-3"
    source: str = ""

    def __post_init__(self) -> None:
        check_name("A reservoir's name", self.name, (" -> ", " + "))
        settle(self, f"reservoir {self.name}")
        check_text(f"reservoir {self.name}.unit", self.unit)
        if float(to_si(f"1 {self.unit}", "m^-3", f"unit of reservoir {self.name}")) != 1:
            raise ValueError(
                f"Reservoir `{self.name}`: `unit` must be 'm^-3', as populations are in SI, but {shown(self.unit)} was "
                "given."
            )
