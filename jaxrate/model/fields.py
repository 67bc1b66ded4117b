"""Fields: the light that drives radiative transitions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jaxrate.model.processes import Process, Radiative, labels
from jaxrate.model.quantities import (
    ANY_FREQUENCY,
    Parameter,
    Quantity,
    is_rule,
    light_frequency,
    parameter,
    width_parameter,
)

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
        self._read(ANY_FREQUENCY if self._stated is None else self._stated)

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.intensity` [W m^-2], `label.frequency` [Hz], `label.fwhm` [Hz]; none without a model."""
        return [] if model is None else self._read(self._centre(model) if self._stated is None else self._stated)

    def _read(self, frequency: Any) -> list[Parameter]:
        centre = float("nan") if is_rule(frequency) else frequency
        return [
            parameter(f"{self.label}.intensity", self.intensity, "W m^-2", source=self.source),
            parameter(f"{self.label}.frequency", frequency, "Hz", "positive", self.source),
            width_parameter(f"{self.label}.fwhm", self.fwhm, centre, "nonnegative", self.source),
        ]

    @property
    def _stated(self) -> Any:
        """Its frequency as a number in Hz, an expression or a function; None where that of its line is meant."""
        if is_rule(self.frequency) and self.wavelength is None:
            return self.frequency
        return light_frequency(self.label, self.frequency, self.wavelength)

    def _centre(self, model: "Model") -> float:
        centres = {model.line_frequency(model.radiative(line, self.label)) for line in driven_lines(self)}
        if len(centres) != 1:
            raise ValueError(f"`{self.label}` drives lines of different frequency: state `frequency` or `wavelength`.")
        return centres.pop()


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

    couples: str | Sequence[str]
    photon_lifetime: Quantity
    mode_volume: Quantity
    overlap: Quantity = 1.0
    num_modes: Quantity = 1.0
    temperature: Quantity = 0.0
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _settle_lines(self, "couples")
        self.parameters(None)

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.photon_lifetime` [s], `.mode_volume` [m^3], `.overlap`, `.num_modes`, `.temperature` [K]."""
        label, source = self.label, self.source
        return [
            parameter(f"{label}.photon_lifetime", self.photon_lifetime, "s", "positive", source),
            parameter(f"{label}.mode_volume", self.mode_volume, "m^3", "positive", source),
            parameter(f"{label}.overlap", self.overlap, "1", source=source),
            parameter(f"{label}.num_modes", self.num_modes, "1", "positive", source),
            parameter(f"{label}.temperature", self.temperature, "K", source=source),
        ]


def driven_lines(field: Process) -> tuple[str, ...]:
    """Labels of the lines that a field drives or couples to; none for any other process."""
    return getattr(field, "drives", getattr(field, "couples", ()))


def is_saturating(field: Process, line: Radiative) -> bool:
    """Whether a field burns holes in an inhomogeneous line: narrow light on a line whose classes do not mix."""
    inhomogeneous = line.lineshape is not None and not line.lineshape.homogeneous and line.mixing != "fast"
    return isinstance(field, Beam | Cavity) and inhomogeneous and line.label in driven_lines(field)
