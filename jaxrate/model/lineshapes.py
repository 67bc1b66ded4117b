"""Lineshapes and measured spectra, as stated."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from jaxrate.model.quantities import ANY_FREQUENCY, Parameter, Quantity, check_text, parameter, settle, width_parameter
from jaxrate.names import shown
from jaxrate.physics import spectrum
from jaxrate.physics.lineshape import doppler_fwhm, fwhm_voigt, peak_gaussian, peak_lorentzian, peak_voigt
from jaxrate.units import to_frequency, to_si


class Lineshape(ABC):
    """Normalised profile g of a line. A homogeneous one saturates as a whole, an inhomogeneous one burns holes.

    Attributes:
        shape: Its name where it is computed.
        homogeneous: Whether all atoms have the same line.
        thermal: Whether its width follows from the model's `temperature`.
    """

    shape: str
    homogeneous: bool = False
    thermal: bool = False

    def __post_init__(self) -> None:
        settle(self, type(self).__name__)
        self.parameters(type(self).__name__, ANY_FREQUENCY)

    @abstractmethod
    def parameters(self, label: str, frequency: float, source: str = "") -> list[Parameter]:
        """Its own parameters, named `label.fwhm` and so on."""

    @abstractmethod
    def peak(self, values: dict[str, float], label: str) -> float:
        """g at line centre [s], from parameter values."""

    @abstractmethod
    def width(self, values: dict[str, float], label: str) -> float:
        """Full width at half maximum [Hz], from parameter values."""


@dataclass(frozen=True)
class Lorentzian(Lineshape):
    r"""Lorentzian line, homogeneous: $g(\nu) = \frac{\Delta/2\pi}{(\nu-\nu_0)^2 + \Delta^2/4}$.

    Args:
        fwhm: Full width at half maximum: "120 GHz", "4 cm^-1", "0.45 nm" (at line centre).
    """

    fwhm: Quantity
    shape = "lorentzian"
    homogeneous = True

    def parameters(self, label: str, frequency: float, source: str = "") -> list[Parameter]:
        return [width_parameter(f"{label}.fwhm", self.fwhm, frequency, source=source)]

    def peak(self, values: dict[str, float], label: str) -> float:
        return float(peak_lorentzian(values[f"{label}.fwhm"]))

    def width(self, values: dict[str, float], label: str) -> float:
        return values[f"{label}.fwhm"]


@dataclass(frozen=True)
class Gaussian(Lineshape):
    r"""Gaussian line, inhomogeneous.

    $g(\nu) = \frac{2}{\Delta}\sqrt{\frac{\ln 2}{\pi}}\,e^{-4\ln2\,(\nu-\nu_0)^2/\Delta^2}$

    Args:
        fwhm: Full width at half maximum.
    """

    fwhm: Quantity
    shape = "gaussian"

    def parameters(self, label: str, frequency: float, source: str = "") -> list[Parameter]:
        return [width_parameter(f"{label}.fwhm", self.fwhm, frequency, source=source)]

    def peak(self, values: dict[str, float], label: str) -> float:
        return float(peak_gaussian(values[f"{label}.fwhm"]))

    def width(self, values: dict[str, float], label: str) -> float:
        return values[f"{label}.fwhm"]


@dataclass(frozen=True)
class Doppler(Lineshape):
    r"""Doppler-broadened line: a Gaussian with $\Delta = \nu_0\sqrt{8\ln2\,kT/mc^2}$, T the model's `temperature`.

    Args:
        mass: Mass of the atom or molecule: "20 amu"; a bare number is in kg.
    """

    mass: Quantity
    shape = "doppler"
    thermal = True

    def parameters(self, label: str, frequency: float, source: str = "") -> list[Parameter]:
        return [parameter(f"{label}.mass", self.mass, "kg", "positive", source)]

    def peak(self, values: dict[str, float], label: str) -> float:
        return float(peak_gaussian(_doppler_width(values, label)))

    def width(self, values: dict[str, float], label: str) -> float:
        return _doppler_width(values, label)


@dataclass(frozen=True)
class Voigt(Lineshape):
    """Voigt line: a Lorentzian (homogeneous) in a Gaussian or Doppler (inhomogeneous) distribution.

    Args:
        fwhm_lorentzian: Width of the Lorentzian.
        fwhm_gaussian: Width of the Gaussian; or
        mass: Mass, for the Doppler width at the model's `temperature`.

    Raises:
        ValueError: not exactly one of `fwhm_gaussian` and `mass` was given.
    """

    fwhm_lorentzian: Quantity
    fwhm_gaussian: Quantity | None = None
    mass: Quantity | None = None

    def __post_init__(self) -> None:
        if (self.fwhm_gaussian is None) == (self.mass is None):
            raise ValueError("A Voigt line must have either `fwhm_gaussian` or `mass` beside `fwhm_lorentzian`.")
        super().__post_init__()

    @property
    def thermal(self) -> bool:
        return self.mass is not None

    @property
    def shape(self) -> str:
        return "voigt-doppler" if self.thermal else "voigt"

    def parameters(self, label: str, frequency: float, source: str = "") -> list[Parameter]:
        lorentzian = width_parameter(f"{label}.fwhm_lorentzian", self.fwhm_lorentzian, frequency, source=source)
        if self.thermal:
            return [lorentzian, parameter(f"{label}.mass", self.mass, "kg", "positive", source)]
        return [lorentzian, width_parameter(f"{label}.fwhm_gaussian", self.fwhm_gaussian, frequency, source=source)]

    def peak(self, values: dict[str, float], label: str) -> float:
        return float(peak_voigt(*self._widths(values, label)))

    def width(self, values: dict[str, float], label: str) -> float:
        return fwhm_voigt(*self._widths(values, label))

    def _widths(self, values: dict[str, float], label: str) -> tuple[float, float]:
        gaussian = _doppler_width(values, label) if self.thermal else values[f"{label}.fwhm_gaussian"]
        return gaussian, values[f"{label}.fwhm_lorentzian"]


def _doppler_width(values: dict[str, float], label: str) -> float:
    return float(doppler_fwhm(values[f"{label}.frequency"], values["temperature"], values[f"{label}.mass"]))


@dataclass(frozen=True, repr=False)
class Spectrum:
    """A measured cross-section spectrum, linear in frequency between its points and zero outside.

    Args:
        at: Wavelengths (vacuum), frequencies or wavenumbers, in either order.
        cross_section: Cross-section at each.
        units: Unit of `at` and unit of `cross_section`: ("nm", "cm^2"), ("THz", "m^2"), ("cm^-1", "m^2").
        source: Where the data come from.

    Raises:
        ValueError: lengths differ, points repeat, a value is negative or not finite, a unit has the wrong kind.
    """

    at: Sequence[float]
    cross_section: Sequence[float]
    units: Sequence[str] = ("m", "m^2")
    source: str = ""

    def __post_init__(self) -> None:
        check_text("source of a spectrum", self.source)
        for name in ("at", "cross_section"):
            object.__setattr__(self, name, _column(getattr(self, name), name))
        if not isinstance(self.units, list | tuple) or [type(unit) for unit in self.units] != [str, str]:
            raise ValueError(
                "`units` of a spectrum must be two, of `at` and of `cross_section`, such as ('nm', 'cm^2'), "
                f"but {shown(self.units)} was given."
            )
        object.__setattr__(self, "units", tuple(self.units))
        if len(self.at) != len(self.cross_section):
            raise ValueError(
                "A spectrum must have one cross-section for each point, "
                f"but {len(self.at)} points and {len(self.cross_section)} cross-sections were given."
            )
        _ = self.si

    @cached_property
    def si(self) -> spectrum.Spectrum:
        """The table in SI units, by increasing frequency."""
        at, unit = np.array(self.at), self.units[0]
        sigma = np.array(self.cross_section) * to_si(f"1 {self.units[1]}", "m^2", "cross_section")
        if metres := _metres(unit):
            order = np.argsort(-at)
            return spectrum.Spectrum.from_wavelength(metres * at[order], sigma[order])
        frequency = at * to_frequency(f"1 {unit}", "at")
        order = np.argsort(frequency)
        return spectrum.Spectrum(tuple(frequency[order].tolist()), tuple(sigma[order].tolist()))

    def __repr__(self) -> str:
        first, last = self.at[0], self.at[-1]
        return f"Spectrum({len(self.at)} points, {first:g} to {last:g} {self.units[0]}, in {self.units[1]})"


def _column(given: Any, name: str) -> tuple[float, ...]:
    try:
        column = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        column = np.array(0.0)
    if column.ndim != 1 or isinstance(given, str):
        raise ValueError(f"`{name}` of a spectrum must be a list of numbers, but {shown(given)} was given.")
    return tuple(column.tolist())


def _metres(unit: str) -> float:
    """Length of a unit of wavelength [m]; 0 for a unit of frequency, wavenumber or energy."""
    try:
        return float(to_si(f"1 {unit}", "m", "at"))
    except ValueError:
        return 0.0
