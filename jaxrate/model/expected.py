"""Published figures that a medium must reproduce."""

from dataclasses import dataclass

from jaxrate.model.quantities import check_text, settle
from jaxrate.model.strength import UNIT_B
from jaxrate.names import shown, unknown
from jaxrate.units import read_any, to_si

QUANTITIES = {
    "cross_section": ("m^2", "Radiative"),
    "saturation_intensity": ("W m^-2", "Radiative"),
    "A": ("s^-1", "Radiative"),
    "B": (UNIT_B, "Radiative"),
    "wavelength": ("m", "Radiative"),
    "fwhm": ("Hz", "Radiative"),
    "branching_ratio": ("1", "Radiative"),
    "lifetime": ("s", "level"),
    "threshold": (None, "strength"),
    "slope_efficiency": (None, "strength"),
    "photon_lifetime": ("s", "Cavity"),
    "output_power": ("W", "Cavity"),
    "relaxation_frequency": ("Hz", "Cavity"),
    "relaxation_damping": ("s^-1", "Cavity"),
    "gain": ("1", "Channels"),
    "noise_figure": ("1", "Channels"),
    "power_conversion": ("1", "Channels"),
    "ase_conversion": ("1", "ASE"),
    "ase_fwhm": ("m", "ASE"),
}
"""What may be expected: SI unit (None: that of the value), and what it is expected of."""


@dataclass(frozen=True)
class Expected:
    """A published figure that a medium must reproduce.

    Args:
        quantity: "cross_section" (peak, of emission), "saturation_intensity", "A", "B", "wavelength" (vacuum), "fwhm"
            (of the lineshape) or "branching_ratio" of a `Radiative`; "lifetime" of a level; "photon_lifetime",
            "output_power", "relaxation_frequency" or "relaxation_damping" of a `Cavity`; "threshold" of the rate of a
            `Pump`, the intensity of a `Beam`, or any parameter; "slope_efficiency" of the same, output power for each
            watt that a `Pump` has absorbed, with a unit such as "W/A" for each unit of the parameter.
            Of an amplifier, in its own table: "gain", "noise_figure" (means over the channels, as ratios: "3 dB") or
            "power_conversion" (of all pumps) of `Channels`; "ase_conversion" (what leaves at both ends, of all pumps)
            or "ase_fwhm" (of the stronger direction) of an `ASE`.
        of: That process, level or parameter.
        value: Published value with its unit.
        tolerance: Relative tolerance that the source supports.
        source: Where it was published.

    Raises:
        ValueError: an unknown quantity (the nearest is named), a value that cannot be read, a tolerance or a source
            that is missing.
    """

    quantity: str
    of: str
    value: str | float
    tolerance: float
    source: str

    def __post_init__(self) -> None:
        if not isinstance(self.quantity, str) or self.quantity not in QUANTITIES:
            raise ValueError(unknown("quantity that can be expected", self.quantity, QUANTITIES))
        check_text(f"{self.quantity}.of", self.of)
        settle(self, self.title)
        given = self.tolerance
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < float("inf"):
            raise ValueError(
                f"`{self.title}`: `tolerance` must be a positive number such as 0.05, but {shown(given)} was given."
            )
        if not self.source:
            raise ValueError(f"`{self.title}` must have a `source`: where was it published?")
        if self.si <= 0:
            raise ValueError(f"`{self.title}` must be positive, but {shown(self.value)} was given.")

    @property
    def title(self) -> str:
        """What it is of what: "lifetime of 4F3/2"."""
        return f"{self.quantity} of {self.of}"

    @property
    def kind(self) -> str:
        """What `of` must name: "Radiative", "level", "Cavity", "Channels", "ASE"; or "strength", what pumps."""
        return QUANTITIES[self.quantity][1]

    @property
    def unit(self) -> str:
        """SI unit of the value."""
        return QUANTITIES[self.quantity][0] or read_any(self.value, self.title)[1]

    @property
    def si(self) -> float:
        """The published value in SI units."""
        return float(to_si(self.value, self.unit, self.title))
