"""Einstein coefficients of Yb:YAG from its measured emission cross-sections at six temperatures, as a user gets them.

Two caveats come with the files, and no fit can lift them. Up to 965 nm the "measured" emission is the absorption times
McCumber's relation, digit by digit, so that only longer waves are compared here. And the files come scaled: how well is
told by the scatter of the six lifetimes, 1.1 % where they should be one, while the noise leaves less than 0.1 %.
"""

from functools import cache

import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import c, h
from jaxrate.fit.result import Derived
from tests.measured_data import data
from tests.tolerance import close

TEMPERATURES = (80, 140, 200, 260, 300, 340)
INDEX = 1.82
LIFETIME, LIFETIME_SIGMA = 0.95e-3, 0.01e-3
"""Published beside the spectra [s]; its error is not, and is taken as one of the last digit."""
CALIBRATION = 0.012
"""Relative standard deviation of the scale of the spectra: that of the six lifetimes, which should be one."""
COMPUTED = 965.0
"""Wavelength [nm] up to which the emission was computed from the absorption."""

LEVELS = [
    jr.Level("2F7/2", energy="0 cm^-1", g=8, stark=["0 cm^-1", "581 cm^-1", "619 cm^-1", "786 cm^-1"]),
    jr.Level("2F5/2", energy="10327 cm^-1", g=6, stark=["0 cm^-1", "307 cm^-1", "600 cm^-1"]),
]
BY_SPECTRUM = "radiative lifetime by the spectrum of laser"


def spectrum(temperature: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths [nm] and cross-sections [m^2] of absorption ("a") or fluorescence ("f"), NaN left out."""
    wavelength, sigma = np.loadtxt(data(f"gain/cross-sections/lasersim/YbYAG_{temperature}K{kind}.txt"), unpack=True)
    known = np.isfinite(sigma)
    return wavelength[known], 1e-4 * sigma[known]


def shape(wavelength: np.ndarray, sigma: np.ndarray) -> jr.Spectrum:
    """A spectrum to state a line with; noise below zero is cut off, which shifts the integral by less than 1e-4."""
    return jr.Spectrum(wavelength.tolist(), np.clip(sigma, 0, None).tolist(), units=("nm", "m^2"))


def scatter(sigma: np.ndarray, width: int = 41) -> np.ndarray:
    """Running rms by which points differ from the mean of their neighbours: noise, and what the grid leaves out."""
    differs = np.pad(np.diff(sigma, 2) / 2, 1, mode="edge")
    around = np.pad(differs**2, width // 2, mode="edge")
    return np.sqrt(np.convolve(around, np.ones(width) / width, "valid"))


def experiment(temperature: int, line: jr.Radiative, wavelength: np.ndarray) -> jr.Experiment:
    """Two manifolds and the line between them; what is read is its emission, and the lifetime."""
    return jr.Experiment(
        jr.Model(LEVELS, [line], temperature=f"{temperature} K"),
        solver=jr.Steady(),
        observables={
            "sigma": jr.CrossSection("laser", frequency=c / (wavelength * 1e-9)),
            "lifetime": jr.Lifetime("2F5/2"),
        },
    )


def table(wavelength: np.ndarray, sigma: np.ndarray, error: np.ndarray) -> dict[str, np.ndarray]:
    return {"wavelength [nm]": wavelength, "sigma [m^2]": sigma, "sigma.sigma [m^2]": error}


def halves(temperature: int) -> tuple[jr.Experiment, dict[str, np.ndarray]]:
    """Every other point states the shape; of those between, which share no noise with it, every fourth is a datum."""
    wavelength, sigma = spectrum(temperature, "f")
    line = jr.Radiative("laser", "2F5/2 -> 2F7/2", emission=shape(wavelength[::2], sigma[::2]), n=INDEX)
    own = np.flatnonzero(wavelength > COMPUTED)
    own = own[own % 2 == 1][::4]
    at, value, error = wavelength[own], sigma[own], scatter(sigma)[own]
    return experiment(temperature, line, at), table(at, value, error)


def with_decay(spectral: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The table with the measured lifetime in its first row."""
    first = np.arange(spectral["sigma [m^2]"].size) == 0
    decay = {"lifetime [s]": np.where(first, LIFETIME, np.nan)}
    return spectral | decay | {"lifetime.sigma [s]": np.where(first, LIFETIME_SIGMA, np.nan)}


@cache
def fitted(temperature: int) -> jr.FitResult:
    """Strength, baseline and calibration of the spectrum; and by how much the decay differs from what it implies."""
    bench, spectral = halves(temperature)
    free = ["laser.B", "laser.spontaneous_factor", "sigma.scale", "sigma.offset"]
    return jr.fit(bench, with_decay(spectral), free=free, prior={"sigma.scale": (1.0, CALIBRATION)}, num_starts=8)


def derived(fit: jr.FitResult, name: str) -> Derived:
    return next(d for d in fit.derived if d.name == name)


def integrals(temperature: int) -> tuple[float, float]:
    """B21 and A21 by Füchtbauer and Ladenburg's integrals over all points of the file, negative ones included."""
    nanometres, sigma = spectrum(temperature, "f")
    wavelength = 1e-9 * nanometres
    B = c / (h * INDEX) * np.trapezoid(sigma / wavelength, wavelength)
    return float(B), float(8 * np.pi * INDEX**2 * c * np.trapezoid(sigma / wavelength**4, wavelength))


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.long
def test_a_measured_spectrum_gives_the_published_lifetime(temperature: int) -> None:
    fit = fitted(temperature)
    lifetime = derived(fit, BY_SPECTRUM)
    assert fit.status == "ok", fit.report()
    close(lifetime.value, LIFETIME, rtol=0.03)
    assert lifetime.lower < LIFETIME < lifetime.upper
    close(np.log(lifetime.upper / lifetime.lower) / 2, 1.96 * CALIBRATION, rtol=0.02)  # the noise adds next to nothing


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_fitted_coefficients_are_those_of_the_integrals(temperature: int) -> None:
    """The integrals are summed by trapezia in the wavelength here, over the points the fit has as data too."""
    fit, (B, A) = fitted(temperature), integrals(temperature)
    strength, lifetime = fit["laser.B"], derived(fit, BY_SPECTRUM)
    assert strength.lower < B < strength.upper
    assert lifetime.lower < 1 / A < lifetime.upper
    close(strength.value, B, rtol=0.005)
    close(lifetime.value, 1 / A, rtol=0.005)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_a_decay_beside_a_spectrum_gives_the_spontaneous_factor(temperature: int) -> None:
    """The lifetime by the spectrum over the one measured: 1 where the spectrum holds all that empties the level."""
    fit = fitted(temperature)
    factor, A = fit["laser.spontaneous_factor"], derived(fit, "A21 of laser")
    close(factor.value, derived(fit, BY_SPECTRUM).value / LIFETIME, rtol=1e-4)
    close(factor.error / factor.value, np.hypot(CALIBRATION, LIFETIME_SIGMA / LIFETIME), rtol=0.02)
    assert factor.lower < 1 < factor.upper
    close([A.value, A.lower], [1 / LIFETIME, np.exp(-1.96 * LIFETIME_SIGMA / LIFETIME) / LIFETIME], rtol=1e-3)


def test_noise_alone_would_promise_too_much() -> None:
    """Were the scale known, B would have an error of at most 0.1 %, and the six lifetimes would exclude each other."""
    for temperature in TEMPERATURES:
        (own, _, shared, _), (_, _, scale, _), *_ = fitted(temperature).covariance[[0, 2]]
        assert np.sqrt(own - shared**2 / scale) < 0.001
    lifetimes = [1 / integrals(temperature)[1] for temperature in TEMPERATURES]
    close(np.std(lifetimes, ddof=1) / np.mean(lifetimes), CALIBRATION, rtol=0.1)


def test_absorption_and_emission_tell_the_temperature_by_mccumber() -> None:
    """Where both were measured at 300 K, their ratio has the slope of 289 K, as a regression over all points has.

    Neighbours are correlated, for the noise of the absorption is in the shape: the fit says so.
    """
    nanometres, absorbed = spectrum(300, "a")
    wavelength, emitted = spectrum(300, "f")
    own = (wavelength > COMPUTED + 1) & (wavelength < 1000)
    at, value = wavelength[own], emitted[own]
    line = jr.Radiative("laser", "2F5/2 -> 2F7/2", absorption=shape(nanometres, absorbed), n=INDEX)
    by_absorption = np.interp(at, nanometres, scatter(absorbed) / np.abs(absorbed)) * value
    error = np.hypot(scatter(emitted)[own], by_absorption)
    bench = experiment(300, line, at)
    free = ["laser.B", "temperature"]
    fit = jr.fit(bench, table(at, value, error), free=free, num_starts=8, intervals="sandwich")
    temperature = fit["temperature"]
    assert temperature.lower < 289 < temperature.upper
    close([temperature.lower, temperature.upper], temperature.value, rtol=0.03)
    assert fit.status == "inadequate_model"
    assert fit.adequacy.lag1 > fit.adequacy.lag1_limit
