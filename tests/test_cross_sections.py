"""Einstein coefficients of Yb:YAG from its measured emission cross-sections at six temperatures, as a user gets them.

Two caveats come with the files, and no fit can lift them. Up to 965 nm the "measured" emission is the absorption times
McCumber's relation, digit by digit, so that only longer waves are compared here. And they come scaled: how well is told
by the scatter of the six lifetimes, which differ by 1.1 % where one is expected; the noise leaves 0.02 to 0.1 %.
"""

from functools import cache

import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import c, h
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


def spectrum(temperature: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths [nm] and cross-sections [m^2] of absorption ("a") or fluorescence ("f"), NaN left out."""
    wavelength, sigma = np.loadtxt(data(f"gain/cross-sections/lasersim/YbYAG_{temperature}K{kind}.txt"), unpack=True)
    known = np.isfinite(sigma)
    return wavelength[known], 1e-4 * sigma[known]


def scatter(sigma: np.ndarray, width: int = 41) -> np.ndarray:
    """Running rms by which a point differs from the mean of its neighbours: noise, and lines too narrow for the grid."""
    differs = np.pad(np.diff(sigma, 2) / 2, 1, mode="edge")
    around = np.pad(differs**2, width // 2, mode="edge")
    return np.sqrt(np.convolve(around, np.ones(width) / width, "valid"))


def table(wavelength: np.ndarray, sigma: np.ndarray, error: np.ndarray) -> dict[str, np.ndarray]:
    return {"wavelength [nm]": wavelength, "sigma [m^2]": sigma, "sigma.sigma [m^2]": error}


def experiment(temperature: int, wavelength: np.ndarray, **measured: jr.Spectrum) -> jr.Experiment:
    """Two manifolds, a line with a measured spectrum, and what is read: its emission, and the lifetime."""
    line = jr.Radiative("laser", "2F5/2 -> 2F7/2", n=INDEX, **measured)
    return jr.Experiment(
        jr.Model(LEVELS, [line], temperature=f"{temperature} K"),
        solver=jr.Steady(),
        observables={
            "sigma": jr.CrossSection("laser", frequency=c / (wavelength * 1e-9)),
            "lifetime": jr.Lifetime("2F5/2"),
        },
    )


@cache
def halves(temperature: int) -> tuple[jr.Experiment, dict[str, np.ndarray]]:
    """Every other point states the shape, the points between them are the data, so that noise is not fitted to itself."""
    wavelength, sigma = spectrum(temperature, "f")
    shape = jr.Spectrum(wavelength[::2], np.clip(sigma[::2], 0, None), units=("nm", "m^2"))
    at, value, error = wavelength[1::2], sigma[1::2], scatter(sigma)[1::2]
    own = at > COMPUTED
    return experiment(temperature, at[own], emission=shape), table(at[own], value[own], error[own])


FREE = ["laser.B", "sigma.offset", "sigma.scale"]
KNOWN = {"sigma.scale": (1.0, CALIBRATION)}


@cache
def fitted(temperature: int) -> jr.FitResult:
    """Strength, baseline and calibration; the lifetime follows from the spectrum alone."""
    return jr.fit(*halves(temperature), free=FREE, prior=KNOWN, num_starts=8)


@cache
def with_decay(temperature: int) -> jr.FitResult:
    """The measured lifetime is a datum too, and the spontaneous emission free of the spectrum."""
    bench, spectral = halves(temperature)
    none = np.full(spectral["sigma [m^2]"].size, np.nan)
    decay = {"lifetime [s]": none.copy(), "lifetime.sigma [s]": none.copy()}
    decay["lifetime [s]"][0], decay["lifetime.sigma [s]"][0] = LIFETIME, LIFETIME_SIGMA
    free = [*FREE, "laser.spontaneous_factor"]
    return jr.fit(bench, spectral | decay, free=free, prior=KNOWN, num_starts=8, intervals="wald")


def derived(fit: jr.FitResult, name: str):
    return next(d for d in fit.derived if d.name == name)


def integrals(temperature: int) -> tuple[float, float]:
    """B21 and A21 by Füchtbauer and Ladenburg's integrals over all points of the file, negative ones included."""
    nanometres, sigma = spectrum(temperature, "f")
    wavelength = 1e-9 * nanometres
    B = c / (h * INDEX) * np.trapezoid(sigma / wavelength, wavelength)
    return float(B), float(8 * np.pi * INDEX**2 * c * np.trapezoid(sigma / wavelength**4, wavelength))


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_a_measured_spectrum_gives_the_published_lifetime(temperature):
    fit = fitted(temperature)
    lifetime, A = derived(fit, "lifetime of 2F5/2"), derived(fit, "A21 of laser")
    assert fit.status == "ok", fit.report()
    close(lifetime.value, LIFETIME, rtol=0.03)
    assert lifetime.lower < LIFETIME < lifetime.upper
    close(A.value * lifetime.value, 1.0, rtol=1e-9)
    close([A.value / A.lower, A.upper / A.value], 1 + 2 * CALIBRATION, rtol=0.003)  # the noise adds next to nothing


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_fitted_coefficients_are_those_of_the_integrals(temperature):
    fit, (B, A) = fitted(temperature), integrals(temperature)
    estimate, derived_A = fit["laser.B"], derived(fit, "A21 of laser")
    assert estimate.lower < B < estimate.upper
    assert derived_A.lower < A < derived_A.upper
    close(estimate.value, B, rtol=0.005)
    close(derived_A.value, A, rtol=0.005)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_a_decay_beside_a_spectrum_gives_the_spontaneous_factor(temperature):
    """The lifetime by the spectrum over the one measured: 1 where all emission is in the spectrum and nothing else."""
    fit = with_decay(temperature)
    factor, (_, A) = fit["laser.spontaneous_factor"], integrals(temperature)
    assert fit.status == "ok", fit.report()
    close(factor.value, 1 / (A * LIFETIME), rtol=0.005)
    assert factor.lower < 1 < factor.upper
    close(factor.error / factor.value, np.hypot(CALIBRATION, LIFETIME_SIGMA / LIFETIME), rtol=0.02)


def test_noise_alone_would_promise_too_much():
    """Without the calibration the error is that of the noise, a fiftieth: six lifetimes that exclude each other."""
    fit = jr.fit(*halves(260), free=FREE[:2], num_starts=8, intervals="wald")
    lifetime = derived(fit, "lifetime of 2F5/2")
    assert fit.status == "ok", fit.report()
    assert fit["laser.B"].error < 5e-4 * fit["laser.B"].value
    assert lifetime.upper < LIFETIME
    lifetimes = [1 / integrals(temperature)[1] for temperature in TEMPERATURES]
    close(np.std(lifetimes, ddof=1) / np.mean(lifetimes), CALIBRATION, rtol=0.1)


def test_absorption_and_emission_tell_the_temperature_by_mccumber():
    """Emission at 300 K, as the absorption implies it at a temperature that is free, where both were measured.

    The slope of all points, computed ones among them, is that of 289 K (checked beside the data).
    """
    nanometres, absorbed = spectrum(300, "a")
    wavelength, emitted = spectrum(300, "f")
    shape = jr.Spectrum(nanometres, np.clip(absorbed, 0, None), units=("nm", "m^2"))
    implied = (
        emitted / np.interp(wavelength, nanometres, absorbed) * np.interp(wavelength, nanometres, scatter(absorbed))
    )
    own = (wavelength > COMPUTED + 1) & (wavelength < 1000)
    error = np.hypot(scatter(emitted), implied)[own]
    fit = jr.fit(
        experiment(300, wavelength[own], absorption=shape),
        table(wavelength[own], emitted[own], error),
        free=["laser.B", "temperature"],
        num_starts=8,
        intervals="sandwich",
    )
    print(fit.report())
    temperature = fit["temperature"]
    assert temperature.lower < 289 < temperature.upper
    close(temperature.value, 289, rtol=0.03)
