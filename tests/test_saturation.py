"""Saturation: published numbers, and every closed form against the rate equations or the integral it solves."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate

from jaxrate.constants import c, h
from jaxrate.physics import lineshape, saturation

SODIUM_D2 = 6.1542e7, 508.8487162e12


def test_sodium_cycling_and_unpolarised():
    """62.6 and 125.2 W/m^2 are both right: 3 lambda^2/2pi twice, against lambda^2/2pi down and twice that up."""
    A, nu = SODIUM_D2
    assert_allclose(saturation.cycling_saturation_intensity(nu, A), 62.6009, rtol=1e-5)
    sigma = (c / nu) ** 2 / (2 * np.pi)
    assert_allclose(saturation.two_level_saturation_intensity(nu, 2 * sigma, sigma, 1 / A), 125.2019, rtol=1e-5)
    assert_allclose(
        saturation.two_level_saturation_intensity(nu, 3 * sigma, 3 * sigma, 1 / A),
        saturation.cycling_saturation_intensity(nu, A),
        rtol=1e-14,
    )


def test_nd_yag():
    assert_allclose(saturation.four_level_saturation_intensity(c / 1064.15e-9, 2.8e-23, 230e-6), 2.89860e7, rtol=1e-5)


def test_ruby_transparency():
    inversion = saturation.three_level_inversion(np.array([0.5, 1.0, 2.0]) / 3e-3, 3e-3)
    assert_allclose(inversion, [-1 / 3, 0.0, 1 / 3], atol=1e-15)


def steady(generator: np.ndarray, source: np.ndarray | None = None) -> np.ndarray:
    """Populations with generator @ n + source = 0; without a source they are closed and sum to 1."""
    if source is not None:
        return np.linalg.solve(generator, -source)
    closed = generator.copy()
    closed[-1] = 1.0
    return np.linalg.solve(closed, np.eye(len(closed))[-1])


@pytest.mark.parametrize("g_ratio", [1.0, 2.5])
def test_two_level_absorber(g_ratio: float):
    """Upper population and saturation intensity from the rate equations: at I_sat the difference has halved."""
    nu, sigma, tau = 4e14, 1e-20, 1e-6
    i_sat = saturation.two_level_saturation_intensity(nu, g_ratio * sigma, sigma, tau)
    for s in (0.0, 1.0, 30.0):
        W = sigma * s * i_sat / (h * nu)
        lower, upper = steady(np.array([[-g_ratio * W, W + 1 / tau], [g_ratio * W, -W - 1 / tau]]))
        assert_allclose(saturation.two_level_upper_fraction(g_ratio * W, W, tau), upper, rtol=1e-12, atol=1e-15)
        assert_allclose(upper - g_ratio * lower, -g_ratio / (1 + s), rtol=1e-12)


def test_two_levels_never_invert():
    """N2/N = I/(1 + 2I) with I = W tau and equal degeneracies."""
    drive = np.array([0.1, 1.0, 1e6])
    fraction = saturation.two_level_upper_fraction(drive, drive, 1.0)
    assert_allclose(fraction, drive / (1 + 2 * drive), rtol=1e-15)
    assert np.all(fraction < 0.5)


@pytest.mark.parametrize("s", [0.0, 0.7, 40.0])
def test_three_level_medium(s: float):
    nu, sigma, tau, pump, g_ratio = 4e14, 2e-24, 3e-3, 900.0, 1.5
    i_sat = saturation.three_level_saturation_intensity(nu, g_ratio * sigma, sigma, tau, pump)
    W = sigma * s * i_sat / (h * nu)
    lower, upper = steady(np.array([[-pump - g_ratio * W, W + 1 / tau], [pump + g_ratio * W, -W - 1 / tau]]))
    expected = saturation.three_level_inversion(pump, tau, g_ratio) / (1 + s)
    assert_allclose(upper - g_ratio * lower, expected, rtol=1e-12)


@pytest.mark.parametrize("s", [0.0, 0.7, 40.0])
@pytest.mark.parametrize("lifetime_between", [260e-6, np.inf])
def test_four_level_medium(s: float, lifetime_between: float):
    """Both pump terms, a lower level that fills, and a branch of the upper level that bypasses it."""
    nu, sigma, g_ratio, upper_pump, lower_pump = 2.8e14, 3e-23, 1.4, 1e27, 2e26
    tau2, tau1 = 230e-6, 40e-6
    recovery = saturation.four_level_recovery_time(tau2, tau1, lifetime_between, g_ratio)
    W = sigma * s * saturation.four_level_saturation_intensity(nu, sigma, recovery) / (h * nu)
    generator = np.array([[-1 / tau1 - g_ratio * W, 1 / lifetime_between + W], [g_ratio * W, -1 / tau2 - W]])
    lower, upper = steady(generator, np.array([lower_pump, upper_pump]))
    inversion = saturation.four_level_inversion(upper_pump, lower_pump, tau2, tau1, lifetime_between, g_ratio)
    assert_allclose(upper - g_ratio * lower, inversion / (1 + s), rtol=1e-12)


def test_finite_ground_state():
    """A four-level medium whose lower level is empty recovers in 1/(1/tau + Wp)."""
    nu, sigma, tau, pump = 2.8e14, 3e-23, 230e-6, 5e3
    i_sat = saturation.four_level_saturation_intensity(nu, sigma, saturation.pumped_lifetime(tau, pump))
    upper = [
        steady(np.array([[-pump, W + 1 / tau], [pump, -W - 1 / tau]]))[1] for W in (0.0, sigma * 3 * i_sat / (h * nu))
    ]
    assert_allclose(upper[1], upper[0] / (1 + 3), rtol=1e-12)


@pytest.mark.parametrize("detuning", [0.0, 0.8, 5.0])
@pytest.mark.parametrize(("fwhm_gaussian", "fwhm_lorentzian"), [(1.0, 0.3), (0.2, 1.0), (3.0, 0.01)])
def test_saturated_voigt_is_the_integral_over_velocity_classes(
    detuning: float, fwhm_gaussian: float, fwhm_lorentzian: float
):
    """Every class v absorbs with its own Lorentzian and saturates by that Lorentzian over its peak."""
    s = 4.0

    def absorbed(v: float) -> float:
        own = float(lineshape.lorentzian(detuning - v, fwhm_lorentzian))
        saturated = own / (1 + s * own / float(lineshape.peak_lorentzian(fwhm_lorentzian)))
        return float(lineshape.gaussian(v, fwhm_gaussian)) * saturated

    edges = sorted(
        {-8 * fwhm_gaussian, 8 * fwhm_gaussian, detuning, *(detuning + 20 * fwhm_lorentzian * np.array([-1, 1]))}
    )
    total = sum(integrate.quad(absorbed, a, b, epsabs=0, epsrel=1e-11, limit=400)[0] for a, b in pairwise(edges))
    assert_allclose(saturation.saturated_voigt(detuning, fwhm_gaussian, fwhm_lorentzian, s), total, rtol=1e-8)


def test_saturated_voigt_has_both_laws_as_limits():
    detuning, s = np.array([0.0, 0.3, 2.0]), 8.0
    lorentzian = lineshape.lorentzian(detuning, 1.0)
    homogeneous = saturation.saturated_gain_homogeneous(lorentzian, s * lorentzian / lineshape.peak_lorentzian(1.0))
    assert_allclose(saturation.saturated_voigt(detuning, 0.0, 1.0, s), homogeneous, rtol=1e-12)
    doppler = saturation.saturated_gain_doppler(lineshape.gaussian(detuning, 1.0), s)
    assert_allclose(saturation.saturated_voigt(detuning, 1.0, 1e-13, s), doppler, rtol=1e-7)


def test_doppler_amplifier():
    """dI/dz = alpha I/sqrt(1+I): a gain of 1000 saturates to 78.9748 at an input of 0.1 I_sat."""
    path = integrate.solve_ivp(
        lambda _, y: saturation.saturated_gain_doppler(1.0, np.exp(y)),
        (0, np.log(1000.0)),
        [np.log(0.1)],
        rtol=1e-11,
        atol=1e-12,
    )
    assert_allclose(np.exp(path.y[0, -1]) / 0.1, 78.9748, rtol=2e-6)


@pytest.mark.parametrize(
    ("computed", "expected", "rtol"),
    [
        (saturation.amplifier_output(np.log(100), np.array([0.01, 1.0])), [0.570769619, 4.17585181], 1e-8),
        (saturation.amplifier_gain(np.log(1000), np.array([1e-3, 0.1])), [567.505, 34.6303], 2e-6),
        (saturation.frantz_nodvik(0.1, 100.0), 2.443832176, 1e-9),
        (saturation.frantz_nodvik(1.0, 3.0), 1.8172397, 1e-7),
    ],
)
def test_published_amplifiers(computed, expected, rtol: float):
    """The rows of PHYSICS.md."""
    assert_allclose(computed, expected, rtol=rtol)


def inputs() -> tuple[np.ndarray, np.ndarray]:
    """Gains and absorptions up to e^300, inputs from nothing to 10^9 I_sat, and where ln and linear part balance."""
    L, s = np.meshgrid(
        [-300.0, -7.0, -1e-3, 0.0, 1e-6, 0.5, 4.6, 30.0, 300.0], [0.0, 1e-30, 1e-6, 0.1, 1.0, 299.9, 1e9]
    )
    return L.ravel(), s.ravel()


def exact_gain(L: float, s: float) -> float:
    """Lambert's W: G = W(s e^{L+s}) / s."""
    with mpmath.workdps(50):
        if s == 0:
            return float(np.exp(L))
        return float(mpmath.re(mpmath.lambertw(s * mpmath.exp(mpmath.mpf(L) + s)))) / s


def test_amplifier_over_its_whole_range():
    L, s = inputs()
    exact = [exact_gain(*at) for at in zip(L.tolist(), s.tolist(), strict=True)]
    assert_allclose(saturation.amplifier_gain(L, s), exact, rtol=2e-13)
    assert_allclose(saturation.amplifier_output(L, s), s * exact, rtol=2e-13)


def test_amplifier_slopes_in_closed_form():
    """dG/dL = G/(1 + sG), dG/ds = -G(G-1)/(1 + sG), also with no input at all and deep in saturation."""
    L, s = inputs()
    G = saturation.amplifier_gain(L, s)
    with jax.enable_x64(True):
        slopes = jax.vmap(jax.grad(saturation.amplifier_gain, argnums=(0, 1)))(jnp.asarray(L), jnp.asarray(s))
        by_L, by_s = (np.asarray(x) for x in slopes)
    assert_allclose(by_L, G / (1 + s * G), rtol=1e-11)
    assert_allclose(by_s, -G * np.expm1(np.log(G)) / (1 + s * G), rtol=1e-6, atol=1e-20)


def test_pulse_slope_and_limits():
    """Frantz-Nodvik: weak pulses see the whole gain, strong ones add the stored energy ln G0."""
    assert_allclose(saturation.frantz_nodvik(1e-12, 50.0), 50e-12, rtol=1e-9)
    assert_allclose(saturation.frantz_nodvik(40.0, 50.0), 40.0 + np.log(50.0), rtol=1e-15)
    assert_allclose(saturation.frantz_nodvik(0.7, 1.0), 0.7, rtol=1e-15)
    with jax.enable_x64(True):
        slope = float(jax.grad(saturation.frantz_nodvik)(0.7, 3.0))
    assert_allclose(slope, 3 * np.exp(0.7) / (1 + 3 * np.expm1(0.7)), rtol=1e-14)


FORMULAS = {
    "two_level": lambda x: saturation.two_level_saturation_intensity(4e14, 2e-20 * x, 1e-20, 1e-6),
    "cycling": lambda x: saturation.cycling_saturation_intensity(4e14 * x, 1e7),
    "three_level": lambda x: saturation.three_level_saturation_intensity(4e14, 2e-24, 2e-24, 3e-3, 1e3 * x),
    "four_level": lambda x: saturation.four_level_saturation_intensity(
        3e14, 2e-23, saturation.four_level_recovery_time(2e-4, 4e-5 * x, 3e-4, 1.4)
    ),
    "inversion": lambda x: saturation.four_level_inversion(1e27, 1e26, 2e-4, 4e-5 * x, 3e-4, 1.4) / 1e23,
    "doppler": lambda x: saturation.saturated_gain_doppler(2.0, x),
    "voigt": lambda x: saturation.saturated_voigt(0.3, 1.0, 0.5, x),
    "amplifier": lambda x: saturation.amplifier_gain(3.0, x),
    "pulse": lambda x: saturation.frantz_nodvik(x, 20.0),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_numpy_jax_and_differences_agree(name: str):
    x, step = np.geomspace(0.1, 10.0, 5), 1e-6
    difference = (FORMULAS[name](x * (1 + step)) - FORMULAS[name](x * (1 - step))) / (2 * step * x)
    with jax.enable_x64(True):
        values, slopes = jax.jit(jax.vmap(jax.value_and_grad(FORMULAS[name])))(jnp.asarray(x))
        values, slopes = np.asarray(values), np.asarray(slopes)
    assert values.dtype == np.float64
    assert_allclose(values, FORMULAS[name](x), rtol=1e-13)
    assert_allclose(slopes, difference, rtol=1e-6)
