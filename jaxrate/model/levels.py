"""Levels: the states whose populations a model follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

import numpy as np

from jaxrate.model.quantities import check_name, settle
from jaxrate.names import shown
from jaxrate.units import to_energy


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
