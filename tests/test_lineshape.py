"""Lineshapes: normalisation, the Voigt profile and its slopes to many digits, widths."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, special

from jaxrate.constants import amu, c, h, k
from jaxrate.physics import lineshape
from jaxrate.physics.faddeeva import faddeeva

FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
SHAPES = {
    "lorentzian": lambda detuning: lineshape.lorentzian(detuning, 2e9),
    "gaussian": lambda detuning: lineshape.gaussian(detuning, 2e9),
    "voigt": lambda detuning: lineshape.voigt(detuning, 2e9, 1e9),
    "voigt, nearly Gaussian": lambda detuning: lineshape.voigt(detuning, 2e9, 1e3),
    "voigt, nearly Lorentzian": lambda detuning: lineshape.voigt(detuning, 1e3, 2e9),
}


def exact_faddeeva(z: complex) -> list[complex]:
    with mpmath.workdps(60):
        at = mpmath.mpmathify(z)
        w = mpmath.exp(-at * at) * mpmath.erfc(-1j * at)
        first = -2 * at * w + 2j / mpmath.sqrt(mpmath.pi)
        return [complex(w), complex(first), complex(-2 * w - 2 * at * first)]


def exact_voigt(detuning: float, fwhm_gaussian: float, fwhm_lorentzian: float) -> mpmath.mpf:
    sigma = fwhm_gaussian / (2 * mpmath.sqrt(2 * mpmath.log(2)))
    z = (detuning + 0.5j * mpmath.mpf(fwhm_lorentzian)) / (sigma * mpmath.sqrt(2))
    return mpmath.re(mpmath.exp(-z * z) * mpmath.erfc(-1j * z)) / (sigma * mpmath.sqrt(2 * mpmath.pi))


@pytest.mark.parametrize("name", SHAPES)
def test_integral_is_one(name: str):
    """By quadrature, in u = detuning / 1 GHz = tan(angle), which takes the Lorentzian wings in."""
    shape = SHAPES[name]
    total, _ = integrate.quad(
        lambda angle: float(shape(1e9 * np.tan(angle))) * 1e9 / np.cos(angle) ** 2, -np.pi / 2, np.pi / 2, epsabs=1e-12
    )
    assert_allclose(total, 1.0, rtol=1e-10)


@pytest.mark.parametrize("name", ["lorentzian", "gaussian"])
def test_width_is_the_full_width_at_half_maximum(name: str):
    peak = {"lorentzian": lineshape.peak_lorentzian, "gaussian": lineshape.peak_gaussian}[name](2e9)
    assert_allclose(SHAPES[name](np.array([-1e9, 0.0, 1e9])), peak * np.array([0.5, 1.0, 0.5]), rtol=1e-14)


def test_peaks():
    assert_allclose(lineshape.peak_lorentzian(3.0), 2 / (3 * np.pi), rtol=1e-15)
    assert_allclose(lineshape.peak_gaussian(3.0), 0.939437 / 3, rtol=1e-6)
    assert_allclose(lineshape.peak_voigt(2.0, 1.0), special.voigt_profile(0.0, 2 / FWHM_PER_SIGMA, 0.5), rtol=1e-13)


@pytest.mark.parametrize(("detuning", "sigma", "gamma", "value"), [(0, 1, 1, 0.2087092805), (2, 1, 0.5, 0.0824240828)])
def test_published_voigt_values(detuning: float, sigma: float, gamma: float, value: float):
    assert_allclose(lineshape.voigt(detuning, sigma * FWHM_PER_SIGMA, 2 * gamma), value, rtol=1e-9)


def quadrant(seed: int, num: int) -> np.ndarray:
    """Points of the first quadrant: 1e-3 to 1e4 from the origin, up to 1e-25 close to either axis, and on both."""
    rng = np.random.default_rng(seed)
    radius = np.concatenate([rng.uniform(0, 9, num // 2), 10 ** rng.uniform(-3, 4, num - num // 2)])
    angle = rng.permutation(
        np.concatenate([rng.uniform(0, np.pi / 2, num - num // 2), 10 ** rng.uniform(-25, 0, num // 2)])
    )
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    x[: num // 4], y[: num // 4] = y[: num // 4], x[: num // 4].copy()
    x[:5], y[num // 4 : num // 4 + 10] = 0.0, 0.0
    return (x + 1j * y)[(x < 18) | (y > 0)]


def test_faddeeva_to_rounding():
    """Real part relative to itself, derivatives to their moduli; SciPy knows the function but no derivative."""
    z = quadrant(0, 400)
    exact = np.array([exact_faddeeva(at) for at in z]).T
    w, first, second = faddeeva(z, np)
    assert_allclose(w.real, exact[0].real, rtol=2e-14)
    for value, reference, rtol in ((w, exact[0], 3e-15), (first, exact[1], 2e-13), (second, exact[2], 2e-11)):
        assert np.max(np.abs(value - reference) / np.abs(reference)) < rtol


def lines() -> np.ndarray:
    """Detunings and both widths, shape (3, line): widths 12 decades apart, wings 6 decades of the wider width away."""
    rng = np.random.default_rng(1)
    gaussian, lorentzian = 10 ** rng.uniform(3, 9, (2, 120))
    sign = rng.choice([-1.0, 1.0], 120)
    return np.array([sign * np.maximum(gaussian, lorentzian) * 10 ** rng.uniform(-3, 6, 120), gaussian, lorentzian])


def test_voigt_against_50_digits():
    detuning, gaussian, lorentzian = lines()
    with mpmath.workdps(80):
        exact = [float(exact_voigt(*map(float, line))) for line in lines().T]
    assert_allclose(lineshape.voigt(detuning, gaussian, lorentzian), exact, rtol=1e-13)
    with jax.enable_x64(True):
        from_jax = jax.jit(jax.vmap(lineshape.voigt))(*map(jnp.asarray, lines()))
        assert from_jax.dtype == jnp.float64
    assert_allclose(from_jax, exact, rtol=1e-13)


def test_voigt_slopes_against_50_digits():
    with mpmath.workdps(80):
        exact = [
            [float(mpmath.diff(exact_voigt, tuple(map(float, line)), order)) for line in lines().T]
            for order in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
        ]
    with jax.enable_x64(True):
        slopes = jax.jit(jax.vmap(jax.grad(lineshape.voigt, argnums=(0, 1, 2))))(*map(jnp.asarray, lines()))
    for slope, reference in zip(slopes, exact, strict=True):
        assert_allclose(slope, reference, rtol=1e-9)


def test_voigt_slopes_are_finite_differences():
    at, step = np.array([0.7e9, 2e9, 1e9]), 1e3
    with jax.enable_x64(True):
        slopes = [float(s) for s in jax.grad(lineshape.voigt, argnums=(0, 1, 2))(*map(jnp.asarray, at))]
    differences = [(lineshape.voigt(*(at + d)) - lineshape.voigt(*(at - d))) / (2 * step) for d in step * np.eye(3)]
    assert_allclose(slopes, np.array(differences, dtype=float), rtol=1e-7)


@pytest.mark.parametrize("detuning", [0.0, 1e5, -3e8, 1.1e9, 4e12])
def test_voigt_without_one_width(detuning: float):
    """Zero is legal for either width: the value is the other profile's, the slopes are finite and right."""
    lorentzian, gaussian = lineshape.lorentzian(detuning, 2e9), lineshape.gaussian(detuning, 2e9)
    assert_allclose(lineshape.voigt(detuning, 0.0, 2e9), lorentzian, rtol=1e-13)
    assert_allclose(lineshape.voigt(detuning, 2e9, 0.0), gaussian, rtol=1e-11)
    with jax.enable_x64(True):
        grad = jax.grad(lineshape.voigt, argnums=(0, 1, 2))
        no_gaussian, no_lorentzian = np.array(grad(detuning, 0.0, 2e9)), np.array(grad(detuning, 2e9, 0.0))
        by_lorentzian = np.array(jax.grad(lineshape.lorentzian, argnums=(0, 1))(detuning, 2e9))
        by_gaussian = np.array(jax.grad(lineshape.gaussian, argnums=(0, 1))(detuning, 2e9))
    assert_allclose(no_gaussian[[0, 2]], by_lorentzian, rtol=1e-9, atol=1e-40)
    assert no_gaussian[1] == 0
    assert_allclose(no_lorentzian[[0, 1]], by_gaussian, rtol=1e-9, atol=1e-40)
    assert np.isfinite(no_lorentzian[2])


def test_voigt_on_both_sides_of_the_negligible_gaussian():
    """Where the Gaussian is replaced by a wider one that still does not show, nothing jumps, the slope neither."""
    gaussian = 1e9 * np.array([1e-9, 2.34e-9, 2.36e-9, 1e-8]) / 2
    assert_allclose(lineshape.voigt(0.0, gaussian, 1e9), lineshape.peak_lorentzian(1e9), rtol=1e-14)
    with jax.enable_x64(True):
        slopes = np.array(
            jax.vmap(jax.grad(lineshape.voigt, argnums=1), (None, 0, None))(0.0, jnp.asarray(gaussian), 1e9)
        )
    assert_allclose(slopes / gaussian, slopes[0] / gaussian[0], rtol=1e-9)
    curvature = -16 / (np.pi * 1e9**3) / FWHM_PER_SIGMA**2  # Lorentzian's second derivative at its centre
    assert_allclose(slopes / gaussian, curvature, rtol=1e-9)


def test_bad_widths_are_nan_and_stay_alone():
    """Neither a negative width nor two zero widths yield a number, and their neighbours keep value and slope."""
    gaussian = np.array([1e9, -1e9, 1e9, 0.0, np.nan, np.inf])
    lorentzian = np.array([1e9, 1e9, -1e9, 0.0, 1e9, 1e9])
    bad = [False, True, True, True, True, True]
    assert_allclose(np.isnan(lineshape.voigt(0.0, gaussian, lorentzian)), bad)
    with jax.enable_x64(True):
        slope = jax.grad(lambda width: jnp.nansum(lineshape.voigt(0.0, width, jnp.asarray(lorentzian))))
        alone = jax.grad(lineshape.voigt, argnums=1)(0.0, 1e9, 1e9)
        assert_allclose(slope(jnp.asarray(gaussian))[0], alone, rtol=1e-14)


def test_voigt_in_float32():
    detuning, gaussian, lorentzian = lines().astype(np.float32)
    from_jax = jax.jit(lineshape.voigt)(detuning, gaussian, lorentzian)
    assert from_jax.dtype == jnp.float32
    assert_allclose(from_jax, lineshape.voigt(*lines()), rtol=2e-5)


def test_integers_and_shapes():
    assert np.shape(lineshape.voigt(np.zeros((4, 1)), 2, np.ones(3))) == (4, 3)
    assert jax.jit(lineshape.voigt)(np.zeros((4, 1), np.float32), 2, np.ones(3, np.float32)).shape == (4, 3)
    assert isinstance(lineshape.voigt(0, 2, 1), float)


@pytest.mark.parametrize("name", SHAPES)
def test_numpy_and_jax_agree(name: str):
    detuning = np.linspace(-5e9, 5e9, 21)
    with jax.enable_x64(True):
        assert_allclose(jax.jit(SHAPES[name])(jnp.asarray(detuning)), SHAPES[name](detuning), rtol=1e-13)


def test_doppler_widths():
    """Rb-87 D2 at 293.15 K, He-Ne at 400 K, and the practical formula."""
    assert_allclose(lineshape.doppler_fwhm(384.2304844685e12, 293.15, 86.909180520 * amu), 5.05427e8, rtol=1e-5)
    assert_allclose(lineshape.doppler_fwhm(473.612353604e12, 400.0, 19.9924401754 * amu), 1.517310e9, rtol=1e-5)
    assert_allclose(lineshape.doppler_fwhm(1e14, 300.0, 28 * amu), 7.16233e-7 * 1e14 * np.sqrt(300 / 28), rtol=1e-6)


def test_doppler_width_is_that_of_the_velocity_distribution():
    """Turbulence adds to the mean square of the speed: with v_t^2 = 2kT/m it counts as a second temperature T."""
    mass, turbulence = 28 * amu, np.sqrt(2 * k * 300 / (28 * amu))
    assert_allclose(
        lineshape.doppler_fwhm(1e14, 300.0, mass, turbulence), lineshape.doppler_fwhm(1e14, 600.0, mass), rtol=1e-14
    )
    half = c * lineshape.doppler_fwhm(1e14, 300.0, mass) / 1e14 / 2
    assert_allclose(np.exp(-mass * half**2 / (2 * k * 300)), 0.5, rtol=1e-13)


def test_natural_width():
    """H Lyman alpha; the Doppler limit of laser cooling of Rb-87 is h times the width over 2k."""
    assert_allclose(lineshape.natural_fwhm(6.2649e8, 0.0), 9.97090e7, rtol=1e-5)
    assert_allclose(h * lineshape.natural_fwhm(38.117e6, 0.0) / (2 * k), 145.573e-6, rtol=1e-5)
    assert_allclose(lineshape.natural_fwhm(1e8, 5e7, 2e8), (1.5e8 + 2 * 2e8) / (2 * np.pi), rtol=1e-14)


def test_pressure_width_in_hitran_units():
    """0.07 cm^-1/atm at 0.5 atm is 0.07 cm^-1 full width, 2.0985 GHz; the exponent is that of the cooling gas."""
    assert_allclose(lineshape.pressure_fwhm(0.07, 0.5, 296.0, 0.7), 0.07 * 100 * c, rtol=1e-14)
    assert_allclose(lineshape.pressure_fwhm(0.07, 0.5, 74.0, 0.5), 2 * 0.07 * 100 * c, rtol=1e-14)
