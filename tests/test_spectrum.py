"""Measured spectra: the table and what it refuses, exact integrals, relations between spectra, and real data."""

import os
from itertools import pairwise
from pathlib import Path

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate

from jaxrate.constants import c, h, k
from jaxrate.physics import einstein, lineshape, spectrum, thermal
from jaxrate.physics.spectrum import Spectrum

DATA = Path(os.environ.get("JAXRATE_DATA", Path(__file__).parents[1] / "../shared/data")) / "gain" / "cross-sections"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="no measured cross-sections: set JAXRATE_DATA to their folder"
)
WAVENUMBER = 100 * h * c  # energy of 1 cm^-1 [J]

TABLES = {
    "two points": Spectrum((1e12, 9e14), (0.0, 2e-24)),
    "falling": Spectrum((2.6e14, 3.4e14), (3e-24, 1e-24)),
    "fine": Spectrum.from_wavelength(np.linspace(1.0e-6, 1.1e-6, 41), 1e-24 * np.sin(np.linspace(0.1, 3.0, 41)) ** 2),
    "uneven": Spectrum((1e13, 1.001e13, 4e13, 4.7e13, 2e14), (1e-25, 5e-24, 0.0, 2e-24, 1e-24)),
}
each_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())


def exact_integral(table: Spectrum, weight) -> float:
    """Segment by segment with 30 digits; the table is a straight line within each."""
    total = mpmath.mpf(0)
    with mpmath.workdps(30):
        points = list(zip(table.frequency, table.cross_section, strict=True))
        for (a, sigma_a), (b, sigma_b) in pairwise(points):
            slope = (mpmath.mpf(sigma_b) - sigma_a) / (mpmath.mpf(b) - a)
            total += mpmath.quad(lambda nu: (sigma_a + slope * (nu - a)) * weight(nu), [a, b])  # noqa: B023
    return float(total)


def gaussian_table(centre: float, fwhm: float, num: int = 2001) -> Spectrum:
    nu = centre + np.linspace(-3 * fwhm, 3 * fwhm, num)
    return Spectrum(tuple(nu), tuple(1e-12 * np.asarray(lineshape.gaussian(nu - centre, fwhm))))


# ---- the table ------------------------------------------------------------------------------------------------------


def test_value_is_linear_in_frequency_and_zero_outside():
    table = Spectrum((1e14, 2e14, 4e14), (1e-24, 3e-24, 0.0))
    at = np.array([0.5e14, 1e14, 1.5e14, 2e14, 3e14, 4e14, 5e14])
    expected = np.array([0, 1, 2, 3, 1.5, 0, 0]) * 1e-24
    assert_allclose(table.value(at), expected)
    assert_allclose(table.value(1.5e14), 2e-24)
    with jax.enable_x64(True):
        lanes = jax.jit(jax.vmap(table.value))(jnp.asarray(at))
        slope = float(jax.grad(table.value)(3.1e14))
        assert lanes.dtype == jnp.float64
    assert_allclose(lanes, expected)
    assert_allclose(slope, -1.5e-38, rtol=1e-12)
    assert jax.jit(table.value)(np.float32(1.5e14)).dtype == jnp.float32


def test_table_is_a_value():
    """Equal tables are equal and hash alike, whatever arrays they came from; a printed one says what it covers."""
    table = Spectrum(np.array([3e14, 3.1e14]), [0, 2e-24])  # type: ignore[arg-type]
    assert table == Spectrum((3e14, 3.1e14), (0.0, 2e-24))
    assert hash(table) == hash(Spectrum((3e14, 3.1e14), (0.0, 2e-24)))
    assert repr(table) == "Spectrum(2 points, 967.072 to 999.308 nm, peak 2e-24 m^2 at 967.072 nm)"
    assert table.peak_frequency == 3.1e14


def test_wavelengths_in_either_order():
    wavelength, sigma = np.array([1.0e-6, 1.1e-6, 1.3e-6]), np.array([1e-24, 2e-24, 0.5e-24])
    rising, falling = (
        Spectrum.from_wavelength(wavelength, sigma),
        Spectrum.from_wavelength(wavelength[::-1], sigma[::-1]),
    )
    assert rising == falling
    assert_allclose(rising.value(c / wavelength), sigma)


@pytest.mark.parametrize(
    ("frequency", "cross_section", "message"),
    [
        ((1e14,), (1e-24,), "at least two points .* 1 frequencies and 1 cross-sections"),
        ((1e14, 2e14), (1e-24,), "one cross-section for each frequency"),
        ((1e14, 3e14, 2e14), (1e-24, 1e-24, 1e-24), "strictly increasing .* 2e\\+14 was given \\(point 2\\): sort"),
        ((1e14, 1e14), (1e-24, 1e-24), "strictly increasing .* merge repeats"),
        ((-1e14, 1e14), (1e-24, 1e-24), "positive, finite frequencies, but -1e\\+14"),
        ((1e14, np.inf), (1e-24, 1e-24), "positive, finite frequencies, but inf"),
        ((1e14, 2e14), (1e-24, np.nan), "finite cross-sections, but nan at 2e\\+14 Hz \\(1498.96 nm\\)"),
        ((1e14, 2e14, 3e14), (-1e-26, 1e-24, -2e-26), "not negative, but -1e-26 .* and 1 more\\): clip or smooth"),
        ((1e14, 2e14), (0.0, 0.0), "all are zero"),
    ],
)
def test_bad_tables_are_refused(frequency: tuple[float, ...], cross_section: tuple[float, ...], message: str):
    with pytest.raises(ValueError, match=message):
        Spectrum(frequency, cross_section)


def test_bad_wavelengths_are_refused():
    with pytest.raises(ValueError, match="positive wavelengths, but -1e-06 m"):
        Spectrum.from_wavelength([1e-6, -1e-6], [1e-24, 1e-24])
    with pytest.raises(ValueError, match="strictly increasing"):
        Spectrum.from_wavelength([1.0e-6, 1.2e-6, 1.1e-6], [1e-24, 1e-24, 1e-24])


# ---- integrals ------------------------------------------------------------------------------------------------------


@each_table
def test_integrals_are_exact_for_the_table(table: Spectrum):
    B = c / 1.5 * exact_integral(table, lambda nu: 1 / (h * nu))
    A = 8 * np.pi * 1.5**2 / c**2 * exact_integral(table, lambda nu: nu**2)
    assert_allclose(spectrum.einstein_B(table, 1.5), B, rtol=1e-13)
    assert_allclose(spectrum.einstein_A(table, 1.5), A, rtol=1e-13)
    assert_allclose(spectrum.radiative_lifetime(table, 1.5, 0.4), 0.4 / A, rtol=1e-13)
    mean = exact_integral(table, lambda nu: nu**3) / exact_integral(table, lambda nu: nu**2)
    assert_allclose(spectrum.mean_frequency(table), mean, rtol=1e-13)


def test_narrow_line_is_a_line():
    """A spectrum far narrower than its frequency has the A, B and cross-section of Einstein's relations."""
    nu, n, A = 3e14, 1.8, 2000.0
    B = einstein.B_from_A(A, nu, n=n)
    detuning = np.linspace(-3e9, 3e9, 4001)
    sigma = einstein.cross_section_emission(B, nu, lineshape.gaussian(detuning, 1e9), n)
    table = Spectrum(tuple(nu + detuning), tuple(np.asarray(sigma)))
    assert_allclose(spectrum.einstein_B(table, n), B, rtol=1e-6)
    assert_allclose(spectrum.einstein_A(table, n), A, rtol=1e-6)
    assert_allclose(spectrum.mean_frequency(table), nu, rtol=1e-9)


def test_index_may_be_traced():
    table = TABLES["fine"]
    with jax.enable_x64(True):
        by_n = [float(jax.grad(f, argnums=1)(table, 1.5)) for f in (spectrum.einstein_A, spectrum.einstein_B)]
    expected = [2 / 1.5 * spectrum.einstein_A(table, 1.5), -1 / 1.5 * spectrum.einstein_B(table, 1.5)]
    assert_allclose(by_n, np.array(expected, dtype=float), rtol=1e-14)


# ---- Fuechtbauer-Ladenburg ------------------------------------------------------------------------------------------


def fluorescence() -> tuple[np.ndarray, np.ndarray]:
    wavelength = np.linspace(950e-9, 1150e-9, 2001)
    intensity = 7.0 * np.exp(-(((wavelength - 1030e-9) / 8e-9) ** 2)) + np.exp(-(((wavelength - 1000e-9) / 30e-9) ** 2))
    return wavelength, intensity


def test_fuchtbauer_ladenburg_is_the_formula():
    wavelength, intensity = fluorescence()
    integral = integrate.simpson(wavelength * intensity, x=wavelength)
    expected = 0.8 * wavelength**5 * intensity / (8 * np.pi * 1.82**2 * c * 0.95e-3 * integral)
    assert_allclose(
        spectrum.fuchtbauer_ladenburg(wavelength, intensity, 0.95e-3, 1.82, 0.8), expected, rtol=1e-5, atol=1e-40
    )


@pytest.mark.parametrize("order", [1, -1])
def test_fuchtbauer_ladenburg_returns_the_lifetime(order: int):
    """Exactly: the table it makes implies the A it was made from, also where the samples are few."""
    wavelength, intensity = (column[::137][::order] for column in fluorescence())
    sigma = spectrum.fuchtbauer_ladenburg(wavelength, intensity, 0.95e-3, 1.82, 0.8)
    table = Spectrum.from_wavelength(wavelength, np.asarray(sigma))
    assert_allclose(spectrum.radiative_lifetime(table, 1.82, 0.8), 0.95e-3, rtol=1e-13)


def test_fuchtbauer_ladenburg_in_jax():
    wavelength, intensity = fluorescence()
    with jax.enable_x64(True):
        from_jax = jax.jit(spectrum.fuchtbauer_ladenburg)(
            jnp.asarray(wavelength), jnp.asarray(intensity), 0.95e-3, 1.82
        )
    assert_allclose(from_jax, spectrum.fuchtbauer_ladenburg(wavelength, intensity, 0.95e-3, 1.82), rtol=1e-12)


# ---- McCumber and thermal light -------------------------------------------------------------------------------------


def test_mccumber_both_ways():
    absorption, epsilon = gaussian_table(3e14, 4e12), h * 2.98e14
    emission = spectrum.mccumber_emission(absorption, epsilon, 300.0)
    expected = np.array(absorption.cross_section) * np.exp((epsilon - h * np.array(absorption.frequency)) / (k * 300.0))
    assert_allclose(emission.cross_section, expected, rtol=1e-11)
    assert emission.peak_frequency < absorption.peak_frequency
    back = spectrum.mccumber_absorption(emission, epsilon, 300.0)
    assert_allclose(back.cross_section, absorption.cross_section, rtol=1e-14)


@pytest.mark.parametrize("temperature", [150.0, 300.0, 3000.0])
def test_thermal_light_leaves_thermal_populations(temperature: float):
    """Both spectra tied by McCumber: up / (A + down) is Boltzmann's ratio of the manifolds, e^{-eps/kT}."""
    absorption, epsilon, n = gaussian_table(6e13, 2e12), h * 5.8e13, 1.5
    emission = spectrum.mccumber_emission(absorption, epsilon, temperature)
    up, down = (spectrum.thermal_rate(table, temperature, n) for table in (absorption, emission))
    balance = up / (spectrum.einstein_A(emission, n) + down)
    assert_allclose(balance, np.exp(-epsilon / (k * temperature)), rtol=1e-5)
    assert_allclose(up, spectrum.thermal_rate(absorption, temperature, n, order=16), rtol=1e-13)


@each_table
@pytest.mark.parametrize("temperature", [500.0, 6000.0])
def test_thermal_rate_against_the_integral(table: Spectrum, temperature: float):
    """With more nodes where a segment is wider than the 20 kT/h that 16 are good for."""
    exact = exact_integral(
        table, lambda nu: 8 * mpmath.pi * (1.5 * nu / c) ** 2 / mpmath.expm1(h * nu / (k * temperature))
    )
    widest = h * max(np.diff(table.frequency)) / (k * temperature)
    order = 16 if widest < 20 else 64
    assert_allclose(spectrum.thermal_rate(table, temperature, 1.5, order=order), exact, rtol=1e-11)
    if widest < 0.4:
        assert_allclose(spectrum.thermal_rate(table, temperature, 1.5, order=4), exact, rtol=1e-11)


def test_thermal_rate_of_a_line_is_A_times_occupation():
    nu, n, A, T = 3e13, 1.5, 50.0, np.array([[100.0], [1000.0]])
    table = gaussian_table(nu, 1e9)
    up = spectrum.thermal_rate(table, T, n) / spectrum.einstein_A(table, n)
    assert np.shape(up) == (2, 1)
    assert_allclose(A * up, A * thermal.planck_occupation(nu, T), rtol=1e-6)


def test_thermal_rate_in_lanes():
    table, T = TABLES["fine"], np.array([0.0, 300.0, 1500.0, 6000.0])
    expected = np.array([spectrum.thermal_rate(table, t, 1.5) for t in T.tolist()], dtype=float)
    assert expected[0] == 0
    assert_allclose(spectrum.thermal_rate(table, T, 1.5), expected, rtol=1e-12)
    step = 1e-3 * T[1:]
    high, low = (np.asarray(spectrum.thermal_rate(table, T[1:] + s, 1.5)) for s in (step, -step))
    with jax.enable_x64(True):
        lanes = jax.jit(lambda t: spectrum.thermal_rate(table, t, 1.5))(jnp.asarray(T))
        slopes = np.asarray(jax.vmap(jax.grad(lambda t: spectrum.thermal_rate(table, t, 1.5)))(jnp.asarray(T)))
        assert lanes.dtype == jnp.float64
    assert_allclose(lanes, expected, rtol=1e-12)
    assert slopes[0] == 0
    assert_allclose(slopes[1:], (high - low) / (2 * step), rtol=1e-3)


# ---- real data ------------------------------------------------------------------------------------------------------


def measured(name: str, column: int = 1, metres: float = 1e-9, area: float = 1.0, **options) -> Spectrum:
    """A data file as a table, its defects handled here and by name: no value, repeats, any order, noise below zero."""
    rows = np.loadtxt(DATA / name, **options)
    wavelength, first = np.unique(rows[:, 0], return_index=True)
    sigma = rows[first, column]
    kept = np.isfinite(sigma)
    return Spectrum.from_wavelength(wavelength[kept] * metres, np.maximum(sigma[kept], 0.0) * area)


@needs_data
@pytest.mark.parametrize(
    ("table", "n", "lifetime", "rtol"),
    [
        *[
            ({"name": f"lasersim/YbYAG_{T}Kf.txt", "area": 1e-4}, 1.82, 0.952e-3, 0.018)
            for T in (80, 140, 200, 260, 300, 340)
        ],
        *[
            ({"name": f"lasersim/YbCaF2_Koerner_{T}Kf.txt", "area": 1e-4}, 1.429, 1.767e-3, 0.015)
            for T in (80, 300, 340)
        ],
        ({"name": "lasersim/NdYAG_300Kf.txt", "area": 1e-4}, 1.82, 0.284e-3, 0.002),
        ({"name": "pylaserpulse/Er_silica.dat"}, 1.45, 13.2e-3, 0.005),
        ({"name": "pylaserpulse/Yb_Al_silica.dat"}, 1.45, 0.70e-3, 0.01),
        ({"name": "pylaserpulse/Yb_Nufern_PM_YSF_HI_HP.dat"}, 1.45, 0.93e-3, 0.005),
        (
            {"name": "aahahaa/Liekki_Yb_AV_20160530.txt", "column": 2, "metres": 1.0, "delimiter": ","},
            1.45,
            0.856e-3,
            0.001,
        ),
    ],
    ids=lambda value: Path(value["name"]).stem if isinstance(value, dict) else None,
)
def test_lifetimes_of_measured_spectra(table: dict, n: float, lifetime: float, rtol: float):
    """Lifetime by Fuechtbauer and Ladenburg as checked when the data were collected; over temperature its range."""
    assert_allclose(spectrum.radiative_lifetime(measured(**table), n), lifetime, rtol=rtol)


def yb_yag_300K() -> tuple[Spectrum, Spectrum]:
    return measured("lasersim/YbYAG_300Ka.txt", area=1e-4), measured("lasersim/YbYAG_300Kf.txt", area=1e-4)


@needs_data
def test_mccumber_slope_of_yb_yag():
    """ln(sigma_a/sigma_e) is h nu/kT: the pair measured at 300 K says 289 K."""
    absorption, emission = yb_yag_300K()
    nu = np.array(emission.frequency)
    sigma_a, sigma_e = np.asarray(absorption.value(nu)), np.asarray(emission.value(nu))
    both = (sigma_a > 0.02 * sigma_a.max()) & (sigma_e > 0.02 * sigma_e.max())
    slope, _ = np.polyfit(nu[both] - 3e14, np.log(sigma_a[both] / sigma_e[both]), 1)
    assert_allclose(h / (k * slope), 289.0, rtol=0.005)


@needs_data
def test_mccumber_predicts_the_measured_emission_of_yb_yag():
    """Around 1030 nm, from absorption and the Stark levels, at the 289 K that the pair itself says it has."""
    absorption, emission = yb_yag_300K()
    lower, upper = np.array([0.0, 581.0, 619.0, 786.0]), np.array([10327.0, 10634.0, 10927.0])
    epsilon = float(thermal.mccumber_epsilon(lower * WAVENUMBER, 2, upper * WAVENUMBER, 2, 289.0))
    predicted = spectrum.mccumber_emission(absorption, epsilon, 289.0)
    nu = c / np.linspace(1026e-9, 1034e-9, 81)
    ratio = np.trapezoid(predicted.value(nu), nu) / np.trapezoid(emission.value(nu), nu)
    assert_allclose(ratio, 1.0, atol=0.05)


@needs_data
def test_raw_measurements_are_refused_as_they_are():
    """Noise below zero and missing values are named, not clipped."""
    wavelength, sigma = np.loadtxt(DATA / "lasersim/YbYAG_300Ka.txt", unpack=True)
    with pytest.raises(ValueError, match=r"not negative, but .* and 367 more\): clip or smooth"):
        Spectrum.from_wavelength(wavelength * 1e-9, sigma)
    wavelength, sigma = np.loadtxt(DATA / "lasersim/YbYAG_300Kf.txt", unpack=True)
    with pytest.raises(ValueError, match="finite cross-sections, but nan"):
        Spectrum.from_wavelength(wavelength * 1e-9, sigma)
