"""Processes: what moves population from level to level. Each is stated as `label, "a -> b", rate`."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, ClassVar, Literal

from jaxrate.model.lineshapes import Lineshape, Spectrum
from jaxrate.model.quantities import Parameter, Quantity, check_name, light_frequency, parameter, settle, several
from jaxrate.model.strength import STRENGTHS, check_strength, radiative_parameters
from jaxrate.names import shown

if TYPE_CHECKING:
    from jaxrate.model.model import Model


@dataclass(frozen=True)
class Process(ABC):
    """What every process has: a label, unique within its model, and parameters named after it."""

    label: str
    lists: ClassVar[tuple[str, ...]] = ("drives", "couples", "mirrors", "into")
    """Fields that may hold several values."""

    def __post_init__(self) -> None:
        check_name(f"The label of a {self.kind}", self.label)
        settle(self, self.label, lists=self.lists)

    @abstractmethod
    def parameters(self, model: "Model | None") -> list[Parameter]:
        """Its named parameters; without a model those that can be read by themselves."""

    @property
    def kind(self) -> str:
        """What it is: "Decay", "Beam" ..."""
        return type(self).__name__

    @property
    def sides(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What stands on the left and on the right of its reaction; none for light."""
        reaction = getattr(self, "reaction", None)
        return ((), ()) if reaction is None else sides(self.label, reaction)


def sides(label: str, reaction: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split "a + b -> c + d" at ' -> ' and ' + ', spaces included, so that term symbols stay whole.

    One side may be empty: "carriers -> " goes nowhere.
    """
    if not isinstance(reaction, str) or f" {reaction.strip()} ".count(" -> ") != 1:
        raise ValueError(
            f"`{label}`: a reaction must be written 'upper -> lower' with spaces around the arrow, "
            f"but {shown(reaction)} was given."
        )
    left, right = (_parts(side) for side in f" {reaction.strip()} ".split(" -> "))
    if not all(left + right) or not left + right:
        raise ValueError(
            f"`{label}`: both sides of {reaction!r} must name a level; only a reservoir comes from nowhere."
        )
    return left, right


def _parts(side: str) -> tuple[str, ...]:
    """What takes part on one side; nothing on an empty one."""
    return tuple(part.strip() for part in side.split(" + ")) if side.strip() else ()


def _check_one_to_one(label: str, reaction: object) -> None:
    left, right = sides(label, reaction)
    if len(left) != 1 or len(right) != 1:
        raise ValueError(
            f"`{label}`: this process moves one population, 'a -> b', but {reaction!r} was given; "
            "two particles that react are an `EnergyTransfer`."
        )
    if left == right:
        raise ValueError(f"`{label}`: {reaction!r} leads from a level to itself.")


@dataclass(frozen=True)
class _OneWay(Process):
    reaction: str
    rate: Quantity
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if all(self.sides):
            _check_one_to_one(self.label, self.reaction)
        elif sum(map(len, self.sides)) != 1:
            raise ValueError(
                f"`{self.label}`: one population comes or goes at a time, but {self.reaction!r} was given."
            )
        self.parameters(None)

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.rate` [s^-1]; [m^-3 s^-1] where it fills a reservoir from nowhere."""
        unit = "s^-1" if self.sides[0] else "m^-3 s^-1"
        return [parameter(f"{self.label}.rate", self.rate, unit, source=self.source)]


@dataclass(frozen=True)
class Decay(_OneWay):
    r"""A one-way decay at a stated rate, radiative or not: $\dot n_u = -R\,n_u$.

    It does not obey detailed balance: fit for gaps far above `kT`. For thermal exchange state a `Collision`.

    Args:
        label: Its name; the parameter is `label.rate`.
        reaction: "upper -> lower", or "reservoir -> ", or "reservoir -> cavity" where each that decays leaves a photon.
        rate: "1012 s^-1", a bare number in s^-1, or `jr.expr(...)`, which may name populations: "B*carriers".
        source: Where the number comes from.

    Raises:
        ValueError: the reaction or the rate cannot be read, or the rate is negative.
    """


@dataclass(frozen=True)
class Pump(_OneWay):
    r"""A pump that moves population at a stated rate, one way: $\dot n_u = +R\,n_l$.

    Pump light that also stimulates emission is a `Beam` on a `Radiative` line. Arguments and errors as of a `Decay`,
    with the reaction "ground -> pump level", or " -> reservoir" at a rate per volume [m^-3 s^-1], for a cavity per
    volume of its mode.
    """


@dataclass(frozen=True)
class Collision(Process):
    r"""Collisions with a bath at `temperature`: both directions, tied by detailed balance.

    $R_{lu} = R_{ul}\,\frac{g_u}{g_l}\,e^{-(E_u - E_l)/kT}$

    Args:
        label: Its name; parameters `label.rate`, or `label.coefficient` and `label.partner_density`.
        reaction: "upper -> lower"; both levels must state their energies.
        rate: Rate of the downward direction [s^-1].
        coefficient: Rate coefficient of the downward direction [m^3 s^-1]; needs `partner_density` [m^-3].
        partner_density: Density of the collision partners [m^-3].
        source: Where the numbers come from.

    Raises:
        ValueError: neither a rate nor a coefficient with a density was given, or both.
    """

    reaction: str
    rate: Quantity | None = None
    coefficient: Quantity | None = None
    partner_density: Quantity | None = None
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_one_to_one(self.label, self.reaction)
        by_rate = self.rate is not None and self.coefficient is None and self.partner_density is None
        by_coefficient = self.rate is None and self.coefficient is not None and self.partner_density is not None
        if not by_rate and not by_coefficient:
            raise ValueError(
                f"`{self.label}`: a Collision must have either `rate`, or both `coefficient` and `partner_density`."
            )
        self.parameters(None)

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.rate` [s^-1], or `label.coefficient` [m^3 s^-1] and `label.partner_density` [m^-3]."""
        if self.rate is not None:
            return [parameter(f"{self.label}.rate", self.rate, "s^-1", source=self.source)]
        return [
            parameter(f"{self.label}.coefficient", self.coefficient, "m^3 s^-1", source=self.source),
            parameter(f"{self.label}.partner_density", self.partner_density, "m^-3", source=self.source),
        ]


@dataclass(frozen=True)
class EnergyTransfer(Process):
    r"""Two particles that exchange energy, or three: up-conversion, cross-relaxation, sensitisation, Auger processes.

    Event rate per volume $R = k\,N_a N_b\,n_a n_b$; `k` counts events, so `a + a -> b + c` removes two `a` in each.

    Args:
        label: Its name; the parameter is `label.coefficient`.
        reaction: "a + b -> c + d"; a level may appear twice, species may differ. A `Reservoir` or the photons of a
            `Cavity` need not come back: "carriers + a -> b", "carriers + carriers -> cavity",
            "carriers + carriers + carriers -> ".
        coefficient: k [m^3 s^-1], of three particles [m^6 s^-1].
        source: Where the number comes from.

    Raises:
        ValueError: the reaction does not begin with two or three particles, or changes nothing.
    """

    reaction: str
    coefficient: Quantity
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        left, right = self.sides
        if len(left) not in (2, 3):
            raise ValueError(
                f"`{self.label}`: an EnergyTransfer must read 'a + b -> c + d', or begin with three particles, but "
                f"{self.reaction!r} was given."
            )
        if Counter(left) == Counter(right):
            raise ValueError(f"`{self.label}`: {self.reaction!r} changes nothing.")
        self.parameters(None)

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.coefficient` [m^3 s^-1], of three particles [m^6 s^-1]."""
        unit = "m^3 s^-1" if len(self.sides[0]) == 2 else "m^6 s^-1"
        return [parameter(f"{self.label}.coefficient", self.coefficient, unit, source=self.source)]


@dataclass(frozen=True)
class Radiative(Process):
    r"""A radiative transition: spontaneous emission, and whatever light drives on it.

    It owns `label.B`, Einstein's B21 per spectral energy density per hertz, and two tie factors, normally 1:
    $A_{21} = s\,\frac{8\pi h\nu^3 n^3}{c^3} B_{21}$ (`label.spontaneous_factor` s) and
    $B_{12} = a\,\frac{g_2}{g_1} B_{21}$ (`label.absorption_factor` a). While both are 1, detailed balance holds.

    Args:
        label: Its name.
        reaction: "upper -> lower".
        B: Einstein B21 per spectral energy density per hertz [m^3 J^-1 s^-2].
        A: Einstein A21 in the medium [s^-1]. Beside a spectrum it sets `label.spontaneous_factor`.
        lifetime: 1/A21 of this line alone [s].
        cross_section: Stimulated-emission cross-section at line centre [m^2]; needs a lineshape.
        oscillator_strength: Absorption oscillator strength f12. It, `line_strength` and `dipole` give A by the formula
            for vacuum; where the field inside a medium changes A, state `A`.
        line_strength: S [C^2 m^2], or [J^2 T^-2] with `multipole="M1"`.
        dipole: Transition dipole moment mu [C m] or [J T^-1], with mu^2 = S/g_upper.
        multipole: "E1" or "M1": how `line_strength` and `dipole` are meant.
        emission, absorption: Measured cross-sections, `jr.Spectrum`. One of them alone implies the other by
            McCumber's relation at `temperature`.
        wavelength, frequency: Vacuum wavelength or frequency of line centre; by default from the energies.
        lineshape: `jr.Lorentzian`, `jr.Gaussian`, `jr.Doppler` or `jr.Voigt`; a spectrum is its own.
        n: Refractive index at the line.
        absorption_factor: a of the equation above, for a line known to break the tie.
        spontaneous_factor: s of the equation above.
        mixing: "fast" where an inhomogeneous line exchanges its classes faster than light saturates them.
        source: Where the numbers come from.

    Raises:
        ValueError: none or several strengths, a cross-section without a lineshape, an unreadable reaction, a tie
            factor that the spectra determine.

    Source:
        R. C. Hilborn, Am. J. Phys. 50, 982 (1982) for every conversion between the strengths.
    """

    reaction: str
    B: Quantity | None = None
    A: str | float | None = None
    lifetime: str | float | None = None
    cross_section: str | float | None = None
    oscillator_strength: str | float | None = None
    line_strength: str | float | None = None
    dipole: str | float | None = None
    multipole: Literal["E1", "M1"] = "E1"
    emission: Spectrum | None = None
    absorption: Spectrum | None = None
    wavelength: str | float | None = None
    frequency: str | float | None = None
    lineshape: Lineshape | None = None
    n: float = 1.0
    absorption_factor: Quantity = 1.0
    spontaneous_factor: Quantity = 1.0
    mixing: Literal["fast"] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_one_to_one(self.label, self.reaction)
        _check_choices(self)
        light_frequency(self.label, self.frequency, self.wavelength)
        check_strength(self)

    @property
    def measured(self) -> bool:
        """Whether its strength is a measured spectrum."""
        return self.emission is not None or self.absorption is not None

    @property
    def strengths(self) -> tuple[str, ...]:
        """The names of the strengths stated."""
        return tuple(name for name in STRENGTHS if getattr(self, name) is not None)

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.B`, `label.frequency`, the lineshape's own, the two tie factors."""
        return [] if model is None else radiative_parameters(self, model)


def _check_choices(line: Radiative) -> None:
    kinds = {"lineshape": Lineshape, "emission": Spectrum, "absorption": Spectrum}
    wanted = {"lineshape": "jr.Lorentzian, jr.Gaussian, jr.Doppler or jr.Voigt"}
    for name, kind in kinds.items():
        given = getattr(line, name)
        if given is not None and not isinstance(given, kind):
            expected = wanted.get(name, "a jr.Spectrum(at=..., cross_section=..., units=...)")
            raise ValueError(f"`{line.label}`: `{name}` must be {expected}, but {shown(given)} was given.")
    if line.multipole not in ("E1", "M1"):
        raise ValueError(f"`{line.label}`: `multipole` must be 'E1' or 'M1', but {shown(line.multipole)} was given.")
    if line.mixing not in (None, "fast"):
        raise ValueError(f"`{line.label}`: `mixing` must be 'fast' or left out, but {shown(line.mixing)} was given.")
    check_index(line.label, "refractive index `n`", line.n)


def check_index(owner: str, what: str, given: object) -> None:
    """Refuse an index of refraction that is no positive number."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not (given > 0 and isfinite(given)):
        raise ValueError(f"`{owner}`: the {what} must be a positive number, but {shown(given)} was given.")


def labels(owner: str, given: str | Iterable[str], what: str) -> tuple[str, ...]:
    """One label or several, as a tuple."""
    names = (given,) if isinstance(given, str) else several(given)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"`{owner}`: `{what}` must name one line or several, but {shown(given)} was given.")
    if len(set(names)) < len(names):
        raise ValueError(f"`{owner}`: `{what}` names a line twice: {shown(given)}.")
    return names
