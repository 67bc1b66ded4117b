"""Fields: the light that drives radiative transitions, from outside or in a cavity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jaxrate.expr import Expr
from jaxrate.model.processes import Process, Radiative, labels
from jaxrate.model.quantities import (
    ANY_FREQUENCY,
    Parameter,
    Quantity,
    is_rule,
    light_frequency,
    parameter,
    plain,
    several,
    width_parameter,
)
from jaxrate.names import shown

if TYPE_CHECKING:
    from jaxrate.model.model import Model


@dataclass(frozen=True)
class Beam(Process):
    r"""A beam of light through the medium: $W_{21} = \sigma_e(\nu)\,I/h\nu$, $W_{12} = \sigma_a(\nu)\,I/h\nu$.

    Args:
        label: Its name; parameters `label.intensity`, `label.frequency`, `label.fwhm`.
        drives: Label of the `Radiative` it drives, or several.
        intensity: Intensity [W m^-2]: "1 kW/cm^2".
        frequency, wavelength: Of the light (vacuum); by default line centre of the line it drives.
        fwhm: Width of its Lorentzian spectrum; 0: monochromatic.
        source: Where the numbers come from.

    Raises:
        ValueError: both `frequency` and `wavelength`, a negative intensity, no line named.
    """

    drives: str | Sequence[str]
    intensity: Quantity
    frequency: Quantity | None = None
    wavelength: str | float | None = None
    fwhm: Quantity = 0.0
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _settle_lines(self, "drives")
        stated = _stated_frequency(self)
        self._read(ANY_FREQUENCY if stated is None else stated)

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.intensity` [W m^-2], `label.frequency` [Hz], `label.fwhm` [Hz]; none without a model."""
        if model is None:
            return []
        stated = _stated_frequency(self)
        return self._read(self._centre(model) if stated is None else stated)

    def _read(self, frequency: Any) -> list[Parameter]:
        centre = float("nan") if is_rule(frequency) else frequency
        return [
            parameter(f"{self.label}.intensity", self.intensity, "W m^-2", source=self.source),
            parameter(f"{self.label}.frequency", frequency, "Hz", "positive", self.source),
            width_parameter(f"{self.label}.fwhm", self.fwhm, centre, "nonnegative", self.source),
        ]

    def _centre(self, model: "Model") -> float:
        centres = {model.line_frequency(model.radiative(line, self.label)) for line in driven_lines(self)}
        if len(centres) != 1:
            raise ValueError(f"`{self.label}` drives lines of different frequency: state `frequency` or `wavelength`.")
        return centres.pop()


def _stated_frequency(field: Any) -> Any:
    """Frequency of its light as a number in Hz, an expression or a function; None where that of its line is meant."""
    if is_rule(field.frequency) and field.wavelength is None:
        return field.frequency
    return light_frequency(field.label, field.frequency, field.wavelength)


def _settle_lines(field: Process, name: str) -> None:
    object.__setattr__(field, name, labels(field.label, getattr(field, name), name))


@dataclass(frozen=True)
class Blackbody(Process):
    r"""Thermal radiation of all directions: $W_{21} = d A \bar n$, $\bar n = 1/(e^{h\nu/kT}-1)$.

    Args:
        label: Its name; parameters `label.temperature`, `label.dilution`.
        drives: Label of the `Radiative` it drives, or several.
        temperature: Of the radiation [K].
        dilution: Fraction of the full occupation that arrives (1: inside a cavity).
        source: Where the numbers come from.
    """

    drives: str | Sequence[str]
    temperature: Quantity
    dilution: Quantity = 1.0
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _settle_lines(self, "drives")
        self.parameters(None)

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.temperature` [K], `label.dilution`."""
        return [
            parameter(f"{self.label}.temperature", self.temperature, "K", source=self.source),
            parameter(f"{self.label}.dilution", self.dilution, "1", source=self.source),
        ]


@dataclass(frozen=True)
class Cavity(Process):
    r"""A resonator whose photons are one more population, fed by lines or by a `StimulatedGain`.

    $\dot\phi = K[N_u(\phi+M) - \frac{g_u}{g_l}N_l\,\phi]V - (\phi-\phi_w)/\tau_c$, $K = c\,\eta\,\sigma/(nV)$,
    M modes, and $\phi_w$ the thermal photons of the walls. Its loss is stated as the lifetime of a photon, or by two
    mirrors: $\tau_c = 2L/(c\,\Lambda)$ with $\Lambda = -\ln[R_1R_2(1-\ell)]$, and the share
    $-\ln R_2/\Lambda$ of the lost photons leaves through mirror 2, the output mirror.

    Args:
        label: Its name, also of its population of photons.
        couples: Label of the `Radiative` it is resonant with, or several. None where only a `StimulatedGain` feeds it.
        photon_lifetime: tau_c [s].
        mode_volume: V [m^3], over which the densities of the medium are counted: the volume of the mode inside the
            medium, which is that of the whole mode where the medium fills it. A second medium, such as a saturable
            absorber, has as density its number of atoms in the mode over V.
        overlap: eta, the share of the mode that the medium fills: of a rod its length over that of the resonator (both
            optical), of a diode the confinement factor, of a maser's bulb its filling factor. The whole mode has the
            volume V/eta. Light on a polarised transition m -> m' alone meets three times the isotropic cross-section,
            so three times the overlap.
        num_modes: M, modes with the same properties taken together.
        temperature: Of the walls [K].
        mirrors: Power reflectivities (R1, R2) instead of `photon_lifetime`; needs `length`.
        length: L, optical length of the resonator from mirror to mirror [m].
        loss: Further loss of power in a round trip; 0 where none is stated.
        output_coupling: Share of the lost photons that leave as useful output, beside `photon_lifetime`; 1 where none
            is stated.
        frequency, wavelength: Of the mode (vacuum); by default line centre of each line it couples to.
        source: Where the numbers come from.

    Raises:
        ValueError: the loss is stated in both ways or in neither, reflectivities outside (0, 1], no loss at all, no
            volume.
    """

    couples: str | Sequence[str] = ()
    photon_lifetime: Quantity | None = None
    mode_volume: Quantity | None = None
    overlap: Quantity = 1.0
    num_modes: Quantity = 1.0
    temperature: Quantity = 0.0
    mirrors: Sequence[Quantity] | None = None
    length: Quantity | None = None
    loss: Quantity | None = None
    output_coupling: Quantity | None = None
    frequency: Quantity | None = None
    wavelength: str | float | None = None
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if several(self.couples) == ():
            object.__setattr__(self, "couples", ())
        else:
            _settle_lines(self, "couples")
        _check_cavity(self)
        self.parameters(None)

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.photon_lifetime` [s], `.mode_volume` [m^3], `.overlap`, `.num_modes`, `.temperature` [K] ...

        And `.output_coupling`; by mirrors `.mirror_1`, `.mirror_2`, `.length` [m] and `.loss`, from which the lifetime
        and the output coupling follow; `.frequency` [Hz] where it is stated.
        """
        label, source, frequency = self.label, self.source, _stated_frequency(self)
        lifetime, coupling, *mirrors = _losses(self)
        return [
            lifetime,
            parameter(f"{label}.mode_volume", self.mode_volume, "m^3", "positive", source),
            parameter(f"{label}.overlap", self.overlap, "1", source=source),
            parameter(f"{label}.num_modes", self.num_modes, "1", "positive", source),
            parameter(f"{label}.temperature", self.temperature, "K", source=source),
            coupling,
            *mirrors,
            *([] if frequency is None else [parameter(f"{label}.frequency", frequency, "Hz", "positive", source)]),
        ]

    def frequency_name(self, line: str | None = None) -> str:
        """The parameter that is the frequency of its light, on one of its lines (by default the first).

        Args:
            line: Label of the line.
        """
        own = self.frequency is not None or self.wavelength is not None
        return f"{self.label if own else line or self.couples[0]}.frequency"


def _check_cavity(cavity: Cavity) -> None:
    label, by_lifetime = cavity.label, cavity.photon_lifetime is not None
    by_mirrors = any(x is not None for x in (cavity.mirrors, cavity.length, cavity.loss))
    if by_lifetime == by_mirrors:
        raise ValueError(
            f"`{label}`: the loss of a Cavity must be stated either as photon_lifetime='10 ns' or as "
            f"mirrors=(0.998, 0.95), length='30 cm', loss=0.01, but {'both' if by_lifetime else 'neither'} was given."
        )
    if cavity.mode_volume is None:
        raise ValueError(f"`{label}`: a Cavity must state its `mode_volume`, for example '10 mm^3'.")
    if by_mirrors:
        _check_mirrors(cavity)


def _check_mirrors(cavity: Cavity) -> None:
    label, mirrors = cavity.label, several(cavity.mirrors)
    if mirrors is None or len(mirrors) != 2 or cavity.length is None:
        raise ValueError(
            f"`{label}`: state two power reflectivities and the length of the resonator, mirrors=(0.998, 0.95), "
            f"length='30 cm', but mirrors={shown(cavity.mirrors)}, length={shown(cavity.length)} was given."
        )
    if cavity.output_coupling is not None:
        raise ValueError(f"`{label}`: its mirrors give `output_coupling`; state it beside `photon_lifetime` only.")
    object.__setattr__(cavity, "mirrors", tuple(plain(f"{label}.mirrors", mirror) for mirror in mirrors))
    numbers = [p.value for p in _losses(cavity)[2:] if not p.name.endswith(".length")]
    _check_round_trip(label, *(None if is_rule(number) else number for number in numbers))


def _check_round_trip(label: str, first: Any, second: Any, loss: Any) -> None:
    """Refuse reflectivities and a loss that leave no light, or all of it; None is a number not known yet."""
    for number, R in enumerate((first, second), 1):
        if R is not None and not 0 < R <= 1:
            raise ValueError(f"`{label}.mirror_{number}` must be above 0 and at most 1 (100 %), but {R:g} was given.")
    if loss is not None and not loss < 1:
        raise ValueError(
            f"`{label}.loss` must be below 1, a share of the power in a round trip, but {loss:g} was given."
        )
    if (first, second, loss) == (1, 1, 0):
        raise ValueError(
            f"`{label}`: a Cavity must lose light, but R1 = R2 = 1 and loss = 0: lower R1 or R2, or state a `loss`."
        )


def _losses(cavity: Cavity) -> list[Parameter]:
    """The lifetime of its photons and the output coupling; by mirrors these are derived, and theirs follow."""
    label, source = cavity.label, cavity.source
    lifetime, coupling = cavity.photon_lifetime, 1.0 if cavity.output_coupling is None else cavity.output_coupling
    mirrors = []
    if cavity.mirrors is not None:
        first, second = cavity.mirrors
        mirrors = [
            parameter(f"{label}.mirror_1", first, "1", "positive", source),
            parameter(f"{label}.mirror_2", second, "1", "positive", source),
            parameter(f"{label}.length", cavity.length, "m", "positive", source),
            parameter(f"{label}.loss", 0.0 if cavity.loss is None else cavity.loss, "1", source=source),
        ]
        round_trip = f"log(`{label}.mirror_1` * `{label}.mirror_2` * (1 - `{label}.loss`))"
        lifetime = Expr(f"-2 * `{label}.length` / (c * {round_trip})")
        coupling = Expr(f"log(`{label}.mirror_2`) / {round_trip}")
    return [
        parameter(f"{label}.photon_lifetime", lifetime, "s", "positive", source),
        parameter(f"{label}.output_coupling", coupling, "1", source=source),
        *mirrors,
    ]


def driven_lines(field: Process) -> tuple[str, ...]:
    """Labels of the lines that a field drives or couples to; none for any other process."""
    return getattr(field, "drives", getattr(field, "couples", ())) or ()


def is_saturating(field: Process, line: Radiative) -> bool:
    """Whether a field burns holes in an inhomogeneous line: narrow light on a line whose classes do not mix."""
    inhomogeneous = line.lineshape is not None and not line.lineshape.homogeneous and line.mixing != "fast"
    return not isinstance(field, Blackbody) and inhomogeneous and line.label in driven_lines(field)
