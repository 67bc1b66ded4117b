"""Lineshapes and measured spectra, as stated."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jaxrate import physics
from jaxrate.constants import c
from jaxrate.model.quantities import Parameter, Quantity, parameter
from jaxrate.physics.lineshape import doppler_fwhm, peak_gaussian, peak_lorentzian, peak_voigt
from jaxrate.units import to_frequency, to_si, to_width


class Lineshape(ABC):
    """Normalised profile g of a line. A homogeneous one saturates as a whole, an inhomogeneous one burns holes."""

    shape: str
    homogeneous: bool

    @abstractmethod
    def parameters(self, label: str, frequency: float, source: str = "") -> list[Parameter]:
        """Its own parameters, named `label.fwhm` and so on."""

    @abstractmethod
    def peak(self, values: dict[str, float], label: str) -> float:
        """g at line centre [s], from parameter values."""


def _width(name: str, given: Quantity, frequency: float, source: str) -> Parameter:
    number = None if callable(given) else to_width(given, name, frequency)
    return parameter(name, given, "Hz", "positive", source, si=number)


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
        return [_width(f"{label}.fwhm", self.fwhm, frequency, source)]

    def peak(self, values: dict[str, float], label: str) -> float:
        return float(peak_lorentzian(values[f"{label}.fwhm"]))


@dataclass(frozen=True)
class Gaussian(Lineshape):
    r"""Gaussian line, inhomogeneous: $g(\nu) = \frac{2}{\Delta}\sqrt{\frac{\ln 2}{\pi}}\,e^{-4\ln2\,(\nu-\nu_0)^2/\Delta^2}$.

    Args:
        fwhm: Full width at half maximum.
    """

    fwhm: Quantity
    shape = "gaussian"
    homogeneous = False

    def parameters(self, label: str, frequency: float, source: str = "") -> list[Parameter]:
        return [_width(f"{label}.fwhm", self.fwhm, frequency, source)]

    def peak(self, values: dict[str, float], label: str) -> float:
        return float(peak_gaussian(values[f"{label}.fwhm"]))


@dataclass(frozen=True)
class Doppler(Lineshape):
    r"""Doppler-broadened line: a Gaussian with $\Delta = \nu_0\sqrt{8\ln2\,kT/mc^2}$, T the model's `temperature`.

    Args:
        mass: Mass of the atom or molecule: "20 amu"; a bare number is in kg.
    """

    mass: Quantity
    shape = "doppler"
    homogeneous = False

    def parameters(self, label: str, frequency: float, source: str = "") -> list[Parameter]:
        return [parameter(f"{label}.mass", self.mass, "kg", "positive", source)]

    def peak(self, values: dict[str, float], label: str) -> float:
        width = doppler_fwhm(values[f"{label}.frequency"], values["temperature"], values[f"{label}.mass"])
        return float(peak_gaussian(width))


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
    homogeneous = False

    def __post_init__(self) -> None:
        if (self.fwhm_gaussian is None) == (self.mass is None):
            raise ValueError("A Voigt line must have either `fwhm_gaussian` or `mass` beside `fwhm_lorentzian`.")

    @property
    def shape(self) -> str:  # type: ignore[override]
        return "voigt" if self.mass is None else "voigt-doppler"

    def parameters(self, label: str, frequency: float, source: str = "") -> list[Parameter]:
        lorentzian = _width(f"{label}.fwhm_lorentzian", self.fwhm_lorentzian, frequency, source)
        if self.mass is not None:
            return [lorentzian, parameter(f"{label}.mass", self.mass, "kg", "positive", source)]
        assert self.fwhm_gaussian is not None
        return [lorentzian, _width(f"{label}.fwhm_gaussian", self.fwhm_gaussian, frequency, source)]

    def peak(self, values: dict[str, float], label: str) -> float:
        if self.mass is not None:
            width = doppler_fwhm(values[f"{label}.frequency"], values["temperature"], values[f"{label}.mass"])
        else:
            width = values[f"{label}.fwhm_gaussian"]
        return float(peak_voigt(width, values[f"{label}.fwhm_lorentzian"]))


@dataclass(frozen=True)
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

    at: tuple[float, ...]
    cross_section: tuple[float, ...]
    units: tuple[str, str] = ("m", "m^2")
    source: str = ""

    def __post_init__(self) -> None:
        for name in ("at", "cross_section"):
            values = tuple(float(v) for v in np.ravel(getattr(self, name)))
            object.__setattr__(self, name, values)
        object.__setattr__(self, "units", tuple(self.units))
        _ = self.si

    @cached_property
    def si(self) -> physics.spectrum.Spectrum:
        """The table in SI units, by increasing frequency."""
        at, unit = np.array(self.at), self.units[0]
        frequency = c / (at * _metres(unit)) if _metres(unit) else at * to_frequency(f"1 {unit}", "at")
        sigma = np.array(self.cross_section) * to_si(f"1 {self.units[1]}", "m^2", "cross_section")
        order = np.argsort(frequency)
        return physics.spectrum.Spectrum(tuple(frequency[order].tolist()), tuple(sigma[order].tolist()))


def _metres(unit: str) -> float:
    """Length of a unit of wavelength [m]; 0 for a unit of frequency, wavenumber or energy."""
    try:
        return float(to_si(f"1 {unit}", "m", "at"))
    except ValueError:
        return 0.0
