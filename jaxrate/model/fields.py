"""Fields: the light that drives radiative transitions."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxrate.model.processes import Process, Radiative, labels
from jaxrate.model.quantities import Parameter, Quantity, parameter
from jaxrate.units import to_frequency, to_width

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

    drives: str | tuple[str, ...]
    intensity: Quantity
    frequency: Quantity | None = None
    wavelength: str | float | None = None
    fwhm: Quantity = 0.0
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _tuple_field(self, "drives")
        if self.frequency is not None and self.wavelength is not None:
            raise ValueError(f"`{self.label}`: state `frequency` or `wavelength`, not both.")
        parameter(f"{self.label}.intensity", self.intensity, "W m^-2")

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.intensity` [W m^-2], `label.frequency` [Hz], `label.fwhm` [Hz]."""
        assert model is not None
        name, given = f"{self.label}.frequency", self.frequency
        centre = self._stated_frequency(model) if not callable(given) else float("nan")
        number = None if callable(self.fwhm) else _beam_width(self, centre)
        return [
            parameter(f"{self.label}.intensity", self.intensity, "W m^-2", source=self.source),
            parameter(name, given if callable(given) else centre, "Hz", "positive", self.source),
            parameter(f"{self.label}.fwhm", self.fwhm, "Hz", source=self.source, si=number),
        ]

    def _stated_frequency(self, model: "Model") -> float:
        if self.frequency is not None:
            return to_frequency(self.frequency, f"{self.label}.frequency")
        if self.wavelength is not None:
            return to_frequency(_as_wavelength(self.wavelength), f"{self.label}.wavelength")
        centres = {model.line_frequency(model.radiative(line, self.label)) for line in self.drives}
        if len(centres) != 1:
            raise ValueError(f"`{self.label}` drives lines of different frequency: state `frequency` or `wavelength`.")
        return centres.pop()


def _beam_width(beam: Beam, centre: float) -> float:
    return 0.0 if beam.fwhm == 0 else to_width(beam.fwhm, f"{beam.label}.fwhm", centre)


def _as_wavelength(given: str | float) -> str:
    return given if isinstance(given, str) else f"{given!r} m"


def _tuple_field(process: Process, name: str) -> None:
    given: str | Iterable[str] = getattr(process, name)
    object.__setattr__(process, name, labels(process.label, given, name))


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

    drives: str | tuple[str, ...]
    temperature: Quantity
    dilution: Quantity = 1.0
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _tuple_field(self, "drives")
        self.parameters(None)

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.temperature` [K], `label.dilution`."""
        return [
            parameter(f"{self.label}.temperature", self.temperature, "K", source=self.source),
            parameter(f"{self.label}.dilution", self.dilution, "1", source=self.source),
        ]


@dataclass(frozen=True)
class Cavity(Process):
    r"""A resonator whose photons are one more population, coupled to a line.

    $\dot\phi = K[N_u(\phi+M) - \frac{g_u}{g_l}N_l\,\phi]V - (\phi-\phi_w)/\tau_c$, $K = c\,\eta\,\sigma/(nV)$,
    M modes, and $\phi_w$ the thermal photons of the walls.

    Args:
        label: Its name, also of its population of photons.
        couples: Label of the `Radiative` it is resonant with, or several.
        photon_lifetime: tau_c [s].
        mode_volume: V [m^3].
        overlap: eta, the share of the mode that the medium fills.
        num_modes: M, modes with the same properties taken together.
        temperature: Of the walls [K].
        source: Where the numbers come from.
    """

    couples: str | tuple[str, ...]
    photon_lifetime: Quantity
    mode_volume: Quantity
    overlap: Quantity = 1.0
    num_modes: Quantity = 1.0
    temperature: Quantity = 0.0
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _tuple_field(self, "couples")
        self.parameters(None)

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.photon_lifetime` [s], `label.mode_volume` [m^3], `label.overlap`, `label.num_modes`, `label.temperature` [K]."""
        label, source = self.label, self.source
        return [
            parameter(f"{label}.photon_lifetime", self.photon_lifetime, "s", "positive", source),
            parameter(f"{label}.mode_volume", self.mode_volume, "m^3", "positive", source),
            parameter(f"{label}.overlap", self.overlap, "1", source=source),
            parameter(f"{label}.num_modes", self.num_modes, "1", "positive", source),
            parameter(f"{label}.temperature", self.temperature, "K", source=source),
        ]


def driven_lines(field: Process) -> tuple[str, ...]:
    """Labels of the lines that a field drives or couples to."""
    given = getattr(field, "drives", None) or getattr(field, "couples", ())
    return (given,) if isinstance(given, str) else tuple(given)


def is_saturating(field: Process, line: Radiative) -> bool:
    """Whether a field burns holes in an inhomogeneous line: narrow light on a line whose classes do not mix."""
    inhomogeneous = line.lineshape is not None and not line.lineshape.homogeneous and line.mixing != "fast"
    return isinstance(field, Beam | Cavity) and inhomogeneous and line.label in driven_lines(field)
