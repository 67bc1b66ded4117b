"""The strength of a line: every way to state it gives the same B; two factors alone can break detailed balance."""

from typing import Any

import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import a_0, amu, c, e, h, k, mu_B
from jaxrate.model.strength import epsilon, spectra
from jaxrate.physics import einstein, lineshape, spectrum, thermal
from tests.tolerance import close


def line(g: tuple[float, float] = (2, 4), **stated: Any) -> jr.Model:
    """A two-level model with a line; degeneracies of the lower and of the upper level."""
    levels = [jr.Level("lower", g=g[0]), jr.Level("upper", g=g[1])]
    return jr.Model(levels, [jr.Radiative("line", "upper -> lower", **stated)], temperature=400)


def B(**stated: Any) -> float:
    return line(**stated).parameters()["line.B"]


@pytest.mark.parametrize(
    ("stated", "published"),
    [
        ({"A": 6.2649e8, "wavelength": "121.567 nm", "g": (2, 6)}, 6.758734e19),
        ({"oscillator_strength": 0.416413, "wavelength": "121.567 nm", "g": (2, 6)}, 6.758734e19),
        ({"A": "6.1542e7 s^-1", "frequency": "508.8487162 THz", "g": (2, 4)}, 7.557389e20),
        ({"oscillator_strength": 0.640506, "frequency": "508.8487162 THz", "g": (2, 4)}, 7.557389e20),
        ({"lifetime": "3 ms", "wavelength": "694.3 nm", "n": 1.763}, 1.222552e15),
    ],
)
def test_published_numbers(stated: dict[str, Any], published: float):
    """PHYSICS.md, test numbers 1, 2, 5, 6 and 13."""
    close(B(**stated), published, rtol=2e-6)


def test_the_reduced_dipole_of_sodium():
    """PHYSICS.md, test number 6: Steck's moment is that of the lower level, ours of the upper."""
    steck = 3.52465 * e * a_0
    close(B(dipole=steck * (2 / 4) ** 0.5, frequency=508.8487162e12), 7.557389e20, rtol=1e-5)


def test_every_strength_gives_the_same_B():
    nu, g, A, shape = 5e14, (2, 4), 6e7, jr.Lorentzian(fwhm="1 GHz")
    same = einstein.B_from_A(A, nu)
    sigma = einstein.cross_section_emission(same, nu, lineshape.peak_lorentzian(1e9))
    stated = {
        "B": same,
        "A": A,
        "lifetime": 1 / A,
        "cross_section": sigma,
        "oscillator_strength": einstein.f_from_A(A, nu, *g),
        "line_strength": einstein.line_strength_from_A(A, nu, g[1]),
        "dipole": einstein.dipole_from_A(A, nu),
    }
    close([B(g=g, frequency=nu, lineshape=shape, **{name: value}) for name, value in stated.items()], same)


def test_magnetic_strengths():
    nu, A = 1420405751.768, 2.884282e-15
    dipole = float(einstein.dipole_from_A(A, nu, "M1"))
    stated = [{"A": A}, {"dipole": dipole}, {"line_strength": 3 * dipole**2}, {"dipole": f"{dipole / mu_B!r} mu_B"}]
    found = [B(g=(1, 3), frequency=nu, multipole="M1", **one) for one in stated]
    close(found, einstein.B_from_A(A, nu), rtol=1e-9)


@pytest.mark.parametrize(
    ("shape", "peak"),
    [
        (jr.Lorentzian("2 GHz"), lineshape.peak_lorentzian(2e9)),
        (jr.Lorentzian("0.01 nm"), lineshape.peak_lorentzian(0.01e-9 * 5e14**2 / c)),
        (jr.Gaussian("2 GHz"), lineshape.peak_gaussian(2e9)),
        (jr.Doppler("20 amu"), lineshape.peak_gaussian(lineshape.doppler_fwhm(5e14, 400.0, 20 * amu))),
        (jr.Voigt("1 GHz", "2 GHz"), lineshape.peak_voigt(2e9, 1e9)),
        (
            jr.Voigt("1 GHz", mass="20 amu"),
            lineshape.peak_voigt(lineshape.doppler_fwhm(5e14, 400.0, 20 * amu), 1e9),
        ),
    ],
)
def test_a_peak_cross_section_through_every_shape(shape: Any, peak: float):
    expected = einstein.B_from_cross_section(1e-20, 5e14, peak, 1.5)
    close(B(cross_section="1e-16 cm^2", frequency=5e14, lineshape=shape, n=1.5), expected, rtol=1e-12)


def test_a_stated_B_and_its_ties():
    model = line(B="3e15 m^3 J^-1 s^-2", frequency=5e14, absorption_factor=1.3, spontaneous_factor=0.9)
    values = model.parameters()
    close(values["line.B"], 3e15)
    assert (values["line.absorption_factor"], values["line.spontaneous_factor"]) == (1.3, 0.9)


def manifold(**stated: Any) -> jr.Model:
    """Two manifolds with a measured spectrum."""
    levels = [
        jr.Level("lower", energy=0.0, g=8, stark=("0 cm^-1", "300 cm^-1", "500 cm^-1", "900 cm^-1")),
        jr.Level("upper", energy="10260 cm^-1", g=6, stark=("0 cm^-1", "400 cm^-1", "700 cm^-1")),
    ]
    return jr.Model(levels, [jr.Radiative("line", "upper -> lower", n=1.8, **stated)], temperature=300)


def bump() -> tuple[np.ndarray, np.ndarray]:
    wavelength = np.linspace(900, 1100, 201)
    return wavelength, 1e-20 * np.exp(-(((wavelength - 1000) / 40) ** 2))


EMISSION = jr.Spectrum(*bump(), units=("nm", "cm^2"))  # type: ignore[arg-type]


def balanced(emission: jr.Spectrum = EMISSION) -> jr.Spectrum:
    """The absorption that McCumber's relation makes of an emission, by its formula."""
    nu, sigma = (np.array(column) for column in (emission.si.frequency, emission.si.cross_section))
    energy = 100 * h * c / (k * 300)
    lower = sum(2 * np.exp(-E * energy) for E in (0, 300, 500, 900))
    upper = sum(2 * np.exp(-E * energy) for E in (0, 400, 700))
    ratio = lower / upper * np.exp((10260 * 100 * h * c - h * nu) / (k * 300))
    return jr.Spectrum(nu, sigma / ratio, units=("Hz", "m^2"))  # type: ignore[arg-type]


def test_one_spectrum_implies_the_other():
    by_emission, by_absorption = (manifold(**one) for one in ({"emission": EMISSION}, {"absorption": balanced()}))
    values = by_emission.parameters()
    assert (values["line.absorption_factor"], values["line.spontaneous_factor"]) == (1.0, 1.0)
    close(values["line.B"], spectrum.einstein_B(EMISSION.si, 1.8))
    assert values["line.frequency"] == EMISSION.si.peak_frequency
    found = spectra(by_absorption.radiative("line"), by_absorption)
    close(found.peak, max(EMISSION.si.cross_section), rtol=1e-9)
    # Between its points the absorption is linear, so the emission it implies is not: B and A integrate McCumber's
    # relation at every frequency, which differs from the table of the emission by the square of its spacing.
    nu, sigma = balanced().si.arrays
    balance = epsilon(found.energy, found.lower, found.upper, 300.0), 300.0
    fine = np.interp(np.linspace(0, len(nu) - 1, 400 * (len(nu) - 1) + 1), np.arange(len(nu)), nu)
    implied = np.interp(fine, nu, sigma) * thermal.mccumber_ratio(fine, *balance)
    table = spectrum.Spectrum(tuple(fine.tolist()), tuple(implied.tolist()))
    close(by_absorption.parameters()["line.B"], spectrum.einstein_B(table, 1.8), rtol=1e-7)
    close(found.A, spectrum.einstein_A(table, 1.8), rtol=1e-7)
    close(found.A, spectrum.einstein_A(EMISSION.si, 1.8), rtol=1e-3)


def test_two_spectra_set_the_absorption_factor():
    tied = manifold(emission=EMISSION, absorption=balanced()).parameters()
    close(tied["line.absorption_factor"], 1.0, rtol=1e-9)
    absorption = balanced()
    doubled = jr.Spectrum(absorption.at, tuple(2 * s for s in absorption.cross_section), absorption.units)
    values = manifold(emission=EMISSION, absorption=doubled).parameters()
    close(values["line.absorption_factor"], 2.0, rtol=1e-9)
    assert values["line.B"] == tied["line.B"]


def test_A_beside_a_spectrum_sets_the_spontaneous_factor():
    A = spectrum.einstein_A(EMISSION.si, 1.8)
    close(manifold(emission=EMISSION, A=A).parameters()["line.spontaneous_factor"], 1.0)
    close(manifold(emission=EMISSION, A=0.8 * A).parameters()["line.spontaneous_factor"], 0.8)


def test_a_spectrum_needs_a_temperature():
    stated = manifold(emission=EMISSION)
    with pytest.raises(ValueError, match=r"temperature.*300 K.*McCumber's relation for `line`"):
        stated.replace(temperature=None)
    with pytest.raises(ValueError, match=r"`temperature` must be a number.*McCumber"):
        stated.replace(temperature=jr.expr("2 * t"), parameters={"t": 150})
