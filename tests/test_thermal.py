"""Planck, Boltzmann, detailed balance and McCumber: numbers, limits at zero temperature, consistency, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxrate.constants import c, h, hbar, k, m_e
from jaxrate.physics import thermal

WAVENUMBER = 100 * h * c  # energy of 1 cm^-1 [J]


def test_occupation_of_the_microwave_background():
    """CO 1-0 at 2.725 K."""
    assert_allclose(thermal.planck_occupation(115.2712018e9, 2.725), 0.1511672, rtol=1e-6)


def test_occupation_keeps_its_digits_in_both_limits():
    """Rayleigh-Jeans, kT/h nu - 1/2, and Wien, e^-x, over 300 decades without a warning."""
    nu, T = 1e14, 1e15 * h / k
    assert_allclose(thermal.planck_occupation(1e6, T), k * T / (h * 1e6) - 0.5, rtol=1e-15)
    cold = h * nu / k / np.array([50.0, 700.0])
    assert_allclose(thermal.planck_occupation(nu, cold), np.exp([-50.0, -700.0]), rtol=1e-12)
    assert thermal.planck_occupation(nu, h * nu / k / 1e4) == 0


def test_energy_density_of_thermal_light():
    """Its integral over frequency is the law of Stefan and Boltzmann, (pi^2/15) (kT)^4 / (hbar c)^3."""
    nu, step = np.linspace(1e10, 1e15, 200001, retstep=True)
    total = np.sum(thermal.planck_rho_nu(nu, 1000.0)) * step
    assert_allclose(total, np.pi**2 / 15 * (k * 1000.0) ** 4 / (hbar * c) ** 3, rtol=1e-7)
    medium = thermal.planck_rho_nu(3e14, 5000.0, 1.5, 1.6) / thermal.planck_rho_nu(3e14, 5000.0)
    assert_allclose(medium, 1.5**2 * 1.6, rtol=1e-14)


def test_zero_temperature():
    """No light and nothing excited, with levels of equal energy as their degeneracies; slopes are zero, not NaN."""
    assert thermal.planck_occupation(1e14, 0.0) == 0
    assert thermal.planck_rho_nu(1e14, 0.0) == 0
    assert_allclose(thermal.boltzmann_ratio(3, 1, np.array([1e-20, 0.0]), 0.0), [0.0, 3.0])
    lukewarm = float(thermal.planck_occupation(1e14, 300.0))
    assert_allclose(thermal.planck_occupation(1e14, np.array([0.0, 300.0])), [0.0, lukewarm])
    for f in (lambda T: thermal.planck_occupation(1e14, T), lambda T: thermal.boltzmann_ratio(3, 1, 1e-20, T)):
        value, slope = jax.value_and_grad(f)(jnp.float32(0.0))
        assert (float(value), float(slope)) == (0.0, 0.0)


def test_boltzmann_and_detailed_balance():
    """Up times lower population is down times upper population."""
    energy, T = 500 * WAVENUMBER, np.array([100.0, 300.0, 2000.0])
    ratio = thermal.boltzmann_ratio(6, 4, energy, T)
    assert_allclose(ratio, 1.5 * np.exp(-500 * 1.438776877 / T), rtol=1e-8)
    assert_allclose(thermal.detailed_balance_rate(1e4, 6, 4, energy, T), 1e4 * ratio, rtol=1e-15)


def test_radiation_and_collisions_agree():
    """n/(n+1) of thermal light is Boltzmann's factor, so both leave the same populations."""
    nu, T = 1e12, np.array([3.0, 50.0, 300.0])
    occupation = thermal.planck_occupation(nu, T)
    assert_allclose(occupation / (occupation + 1), thermal.boltzmann_ratio(1, 1, h * nu, T), rtol=1e-13)


def test_electron_coefficient():
    assert_allclose(thermal.electron_deexcitation(1.0, 1, 1.0), 8.62913e-12, rtol=1e-6)
    speed, wavelength = np.sqrt(2 * np.pi * m_e * k * 1e4) / m_e, h / np.sqrt(2 * np.pi * m_e * k * 1e4)
    expected = 0.7 / 4 * speed * wavelength**2 / (2 * np.pi)
    assert_allclose(thermal.electron_deexcitation(0.7, 4, 1e4), expected, rtol=1e-13)


def test_mccumber_of_two_bare_levels():
    """epsilon = h nu0 + kT ln(g1/g2), and the cross-sections at line centre are as g1 to g2."""
    nu, T = 3e14, 300.0
    epsilon = thermal.mccumber_epsilon(0.0, 2, h * nu, 6, T)
    assert_allclose(epsilon, h * nu + k * T * np.log(2 / 6), rtol=1e-14)
    assert_allclose(thermal.mccumber_ratio(nu, epsilon, T), 2 / 6, rtol=1e-12)


def test_mccumber_of_manifolds():
    """Yb:YAG: e^{-eps/kT} is the thermal population of the upper manifold over that of the lower."""
    lower, upper = np.array([0.0, 581.0, 619.0, 786.0]), np.array([10327.0, 10634.0, 10927.0])
    T = np.array([80.0, 300.0])
    epsilon = thermal.mccumber_epsilon(lower * WAVENUMBER, 2, upper * WAVENUMBER, [2, 2, 2], T)
    in_upper, in_lower = (np.exp(-(e[:, None] - 5000) * WAVENUMBER / (k * T)).sum(0) for e in (upper, lower))
    assert_allclose(epsilon / (k * T), np.log(in_lower / in_upper), rtol=1e-13)
    shifted = thermal.mccumber_epsilon((lower + 77) * WAVENUMBER, 2, (upper + 77) * WAVENUMBER, 2, T)
    assert_allclose(shifted, epsilon, rtol=1e-14)


FORMULAS = {
    "planck_occupation": lambda T: thermal.planck_occupation(1e13, T),
    "planck_rho_nu": lambda T: thermal.planck_rho_nu(1e13, T, 1.5),
    "boltzmann_ratio": lambda T: thermal.boltzmann_ratio(3, 1, 500 * WAVENUMBER, T),
    "detailed_balance_rate": lambda T: thermal.detailed_balance_rate(1e3, 3, 1, 500 * WAVENUMBER, T),
    "electron_deexcitation": lambda T: thermal.electron_deexcitation(0.5, 4, T),
    "mccumber_ratio": lambda T: thermal.mccumber_ratio(1e13, 400 * WAVENUMBER, T),
    "mccumber_epsilon": lambda T: thermal.mccumber_epsilon([0.0, 1e-21], [2, 4], [2e-19, 2.1e-19], [2, 2], T),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_numpy_and_jax_agree(name: str):
    T = np.geomspace(30.0, 3000.0, 7)
    with jax.enable_x64(True):
        batched = jax.jit(FORMULAS[name])(jnp.asarray(T))
        lanes = jax.jit(jax.vmap(FORMULAS[name]))(jnp.asarray(T))
        assert batched.dtype == lanes.dtype == jnp.float64
    assert_allclose(batched, FORMULAS[name](T), rtol=1e-13)
    assert_allclose(lanes, FORMULAS[name](T), rtol=1e-13)
    assert np.ndim(FORMULAS[name](300.0)) == 0


@pytest.mark.parametrize("name", FORMULAS)
def test_slope_is_the_finite_difference(name: str):
    T, step = 400.0, 0.01
    difference = (FORMULAS[name](T + step) - FORMULAS[name](T - step)) / (2 * step)
    with jax.enable_x64(True):
        slope = float(jax.grad(FORMULAS[name])(T))
    assert_allclose(slope, difference, rtol=1e-6)


def test_slope_of_the_occupation_in_closed_form():
    """dn/dT = n (n + 1) h nu / kT^2, also where n is as small as e^-700."""
    T = np.array([1e13 * h / k / 700, 300.0, 1e5])
    with jax.enable_x64(True):
        slope = np.asarray(jax.vmap(jax.grad(thermal.planck_occupation, argnums=1), (None, 0))(1e13, jnp.asarray(T)))
    n = thermal.planck_occupation(1e13, T)
    assert_allclose(slope, n * (n + 1) * (h / k * 1e13 / T**2), rtol=1e-12)
