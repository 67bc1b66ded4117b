r"""A radiative line as the lanes see it: its cross-sections and Einstein coefficients from named parameters."""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import Any

from jaxrate.arrays import namespace
from jaxrate.constants import c, h, k
from jaxrate.model.strength import Spectra
from jaxrate.physics import einstein, lineshape, spectrum, thermal

Real = Any
"""A float, or an array whose last axis is the lane."""

WIDTHS = {
    "none": (),
    "lorentzian": ("fwhm",),
    "gaussian": ("fwhm",),
    "doppler": ("mass", "temperature"),
    "voigt": ("fwhm_gaussian", "fwhm_lorentzian"),
    "voigt-doppler": ("mass", "temperature", "fwhm_lorentzian"),
    "voigt class": ("fwhm_gaussian", "fwhm_lorentzian", "class shift"),
    "voigt-doppler class": ("mass", "temperature", "fwhm_lorentzian", "class shift"),
    "spectrum": ("temperature",),
}
"""What each shape is computed from; `temperature` is the model's, the others are the line's own. The line of one class
is a Lorentzian, shifted [Hz]: see `jaxrate.network.classes`."""


@dataclass(frozen=True)
class Line:
    """The part of a `Radiative` that does not change from lane to lane.

    Args:
        label: Its label: `laser` of `laser.B`.
        upper, lower: Populations it connects.
        weight: g_upper / g_lower.
        n: Refractive index.
        shape: Key of `WIDTHS`.
        spectra: Its measured spectra, where the shape is "spectrum".
        density: Name of the density of its species.
        holes: Whether narrow light burns a hole in it instead of saturating it as a whole.
    """

    label: str
    upper: int
    lower: int
    weight: float
    n: float
    shape: str
    spectra: Spectra | None
    density: str
    holes: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters of its cross-sections: B, frequency, absorption factor, and those of its shape."""
        own = (name if name == "temperature" else f"{self.label}.{name}" for name in WIDTHS[self.shape])
        return (f"{self.label}.B", f"{self.label}.frequency", f"{self.label}.absorption_factor", *own)

    @property
    def emission_names(self) -> tuple[str, ...]:
        """Parameters of its spontaneous emission; of an emission that is implied by absorption also the temperature."""
        names = tuple(f"{self.label}.{name}" for name in ("B", "frequency", "spontaneous_factor"))
        return (*names, "temperature") if self.spectra is not None and self.spectra.emission is None else names

    @property
    def constants(self) -> tuple[float, float]:
        """Numbers that lines of one shape differ in: weight and index."""
        return self.weight, self.n

    @property
    def form(self) -> tuple[str, Spectra | None]:
        """What two lines must share for their cross-sections to be computed together."""
        return self.shape, self.spectra


def cross_sections(
    form: tuple[str, Spectra | None], constants: tuple[Real, Real], values: tuple, frequency: Real, fwhm: Real = 0.0
) -> tuple[Real, Real]:
    r"""Cross-sections of emission and absorption.

    $\sigma_e = \frac{n h\nu}{c} B_{21}\, g(\nu),\quad \sigma_a = a\,\frac{g_u}{g_l}\,\sigma_e$; a measured spectrum
    has both as tables scaled with B, or one and McCumber's relation.

    Args:
        form: Of the line.
        constants: g_u/g_l and refractive index.
        values: Of the parameters `Line.names`, in that order.
        frequency: Of the light [Hz].
        fwhm: Width of its Lorentzian spectrum [Hz].

    Returns:
        sigma_e and sigma_a [m^2].
    """
    shape, spectra = form
    B, centre, absorption_factor, *own = values
    if spectra is not None:
        return _measured(spectra, B, absorption_factor, own[0], frequency)
    profile = _profile(shape, frequency - centre, centre, own, fwhm)
    return of_profile(constants, (B, absorption_factor), frequency, profile)


def of_profile(
    constants: tuple[Real, Real], strength: tuple[Real, Real], frequency: Real, profile: Real
) -> tuple[Real, Real]:
    """sigma_e and sigma_a [m^2] from B with the absorption factor, and from the value g [Hz^-1] of the lineshape."""
    (weight, n), (B, absorption_factor) = constants, strength
    sigma = einstein.cross_section_emission(B, frequency, profile, n)
    return sigma, absorption_factor * weight * sigma


def _profile(shape: str, detuning: Real, centre: Real, own: list, fwhm: Real) -> Real:
    """g(nu) of a line seen by light of Lorentzian width `fwhm`: the widths of two Lorentzians add."""
    match shape:
        case "lorentzian":
            return lineshape.lorentzian(detuning, own[0] + fwhm)
        case "gaussian":
            return lineshape.voigt(detuning, own[0], fwhm)
        case "voigt":
            return lineshape.voigt(detuning, own[0], own[1] + fwhm)
        case "doppler":
            return lineshape.voigt(detuning, lineshape.doppler_fwhm(centre, own[1], own[0]), fwhm)
        case "voigt-doppler":
            return lineshape.voigt(detuning, lineshape.doppler_fwhm(centre, own[1], own[0]), own[2] + fwhm)
        case "voigt class" | "voigt-doppler class":
            return lineshape.lorentzian(detuning - own[-1], own[-2] + fwhm)
    raise ValueError("A line without a lineshape has no cross-section; state its `lineshape`.")


def _measured(spectra: Spectra, B: Real, factor: Real, temperature: Real, frequency: Real) -> tuple[Real, Real]:
    scale, tie = B / spectra.B, mccumber(spectra, frequency, temperature)
    if spectra.emission is None:
        assert spectra.absorption is not None
        absorption = scale * spectra.absorption.value(frequency)
        return absorption * tie, factor * absorption
    emission = scale * spectra.emission.value(frequency)
    if spectra.absorption is None:
        return emission, factor * emission / tie
    return emission, factor / spectra.absorption_factor * scale * spectra.absorption.value(frequency)


def mccumber(spectra: Spectra, frequency: Real, temperature: Real) -> Real:
    r"""$\sigma_e/\sigma_a = e^{(\epsilon - h\nu)/kT}$ of two manifolds, by their partition functions."""
    ratio = partition(spectra.lower, temperature) / partition(spectra.upper, temperature)
    return ratio * namespace(frequency, temperature).exp((spectra.energy - h * frequency) / (k * temperature))


def partition(sublevels: tuple[tuple[float, float], ...], temperature: Real) -> Real:
    r"""$Z = \sum_s g_s\,e^{-E_s/kT}$, energies counted from the lowest sublevel."""
    xp = namespace(temperature)
    return sum(g * (xp.exp(-energy / (k * temperature)) if energy else 1.0) for energy, g in sublevels)


def spontaneous(form: tuple, constants: tuple, values: tuple) -> Real:
    r"""$A_{21} = s\,\frac{8\pi h\nu^3n^3}{c^3}B_{21}$ [s^-1], from the values of `Line.emission_names`.

    Of a measured spectrum $s$ times its own A at that B; where McCumber's relation implies the emission, A follows
    the temperature as the emission does, so that detailed balance holds at every temperature.
    """
    (_, spectra), (B, frequency, factor, *temperature) = form, values
    if spectra is None:
        return factor * einstein.A_from_B(B, frequency, n=constants[1])
    if not temperature:
        return factor * spectra.A * (B / spectra.B)
    nodes, weights = spectrum.quadrature(spectra.absorption)
    tie = mccumber(spectra, nodes, namespace(temperature[0]).asarray(1.0 * temperature[0])[..., None])
    return factor * (B / spectra.B) * constants[1] ** 2 * (8 * pi * weights * (nodes / c) ** 2 * tie).sum(-1)


def thermal_rates(form: tuple, constants: tuple, values: tuple, temperature: Real) -> tuple[Real, Real]:
    r"""Rates of stimulated emission and absorption in blackbody radiation [s^-1].

    $W_{21} = A\,\bar n(\nu_0, T)$ and $W_{12} = a\,\frac{g_u}{g_l}W_{21}$; over a measured spectrum
    $W = \int \sigma\,\frac{8\pi n^2\nu^2}{c^2}\,\bar n\,d\nu$.
    """
    (_, spectra), (weight, n) = form, constants
    B, centre, absorption_factor, *own = values
    if spectra is not None:
        return _measured_thermal(spectra, n, B, absorption_factor, own[0], temperature)
    rate = einstein.A_from_B(B, centre, n=n) * thermal.planck_occupation(centre, temperature)
    return rate, absorption_factor * weight * rate


def _measured_thermal(spectra: Spectra, n: Real, B: Real, factor: Real, medium: Real, temperature: Real) -> tuple:
    scale = B / spectra.B
    if spectra.emission is None:
        assert spectra.absorption is not None
        absorbed = _thermal_integral(spectra.absorption, n, temperature)
        emitted = _thermal_integral(spectra.absorption, n, temperature, lambda nu, T: mccumber(spectra, nu, T), medium)
        return scale * emitted, scale * factor * absorbed
    emitted = _thermal_integral(spectra.emission, n, temperature)
    if spectra.absorption is not None:
        absorbed = _thermal_integral(spectra.absorption, n, temperature) / spectra.absorption_factor
    else:
        tie = lambda nu, T: 1.0 / mccumber(spectra, nu, T)  # noqa: E731
        absorbed = _thermal_integral(spectra.emission, n, temperature, tie, medium)
    return scale * emitted, scale * factor * absorbed


def _thermal_integral(
    table: spectrum.Spectrum, n: Real, temperature: Real, weight: Callable | None = None, medium: Real = 0.0
) -> Real:
    r"""$\int\sigma\,w\,\frac{8\pi n^2\nu^2}{c^2}\,\bar n(\nu, T)\,d\nu$ over a table [s^-1]."""
    nodes, weights = spectrum.quadrature(table)
    xp = namespace(temperature, medium)
    T, T_medium = (xp.asarray(1.0 * t)[..., None] for t in (temperature, medium))
    photons = weights * 8 * pi * (nodes / c) ** 2 * thermal.planck_occupation(nodes, T)
    return n**2 * (photons if weight is None else photons * weight(nodes, T_medium)).sum(-1)
