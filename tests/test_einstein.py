"""Einstein coefficients: published numbers, equilibrium in every convention, inverses, derivatives, libraries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxrate.arrays import namespace
from jaxrate.constants import a_0, c, e, epsilon_0, g_e, g_p, h, hbar, k, m_e, mu_B, mu_N
from jaxrate.physics import einstein, lineshape

FIELDS = ("rho_nu", "rho_omega", "rho_lambda", "J_nu", "irradiance_nu")
LYMAN_ALPHA = 6.2649e8, c / 121.567e-9
SODIUM_D2 = 6.1542e7, 508.8487162e12
MOMENT_21_CM = (g_e * mu_B + g_p * mu_N) / 2


@pytest.mark.parametrize(
    ("computed", "expected", "rtol"),
    [
        (einstein.B_from_A(*LYMAN_ALPHA), 6.758734e19, 1e-6),
        (einstein.f_from_A(*LYMAN_ALPHA, g_lower=2, g_upper=6), 0.416413, 1e-5),
        (einstein.A_from_dipole(MOMENT_21_CM, 1420405751.768, "M1"), 2.884282e-15, 1e-6),
        (einstein.B_from_A(*SODIUM_D2, field="rho_nu"), 7.557389e20, 1e-6),
        (einstein.B_from_A(*SODIUM_D2, field="rho_omega"), 4.748448e21, 1e-6),
        (einstein.B_from_A(*SODIUM_D2, field="rho_lambda"), 0.8750142, 1e-6),
        (einstein.B_from_A(*SODIUM_D2, field="J_nu"), 3.167823e13, 1e-6),
        (einstein.f_from_A(*SODIUM_D2, g_lower=2, g_upper=4), 0.640506, 1e-5),
        (einstein.reduced_dipole(*SODIUM_D2, g_lower=2, g_upper=4) / (e * a_0), 3.52465, 1e-5),
        (einstein.integrated_cross_section(100.0, c / 1530e-9, 1.45), 4.430033e-12, 1e-6),
        (einstein.B_from_A(1 / 3e-3, c / 694.3e-9, n=1.763), 1.222552e15, 1e-6),
        (einstein.B_from_A(7.203e-8, 115.2712018e9, "J_nu"), 3.189380e9, 1e-6),
        (einstein.A_over_B(c / 1064e-9), 1.382519e-14, 1e-6),
    ],
)
def test_published_numbers(computed: float, expected: float, rtol: float):
    """The rows of PHYSICS.md."""
    assert_allclose(computed, expected, rtol=rtol)


def test_he_ne_cross_section():
    nu = 473.612353604e12
    width = lineshape.doppler_fwhm(nu, 400.0, 19.9924401754 * 1.66053906660e-27)
    sigma = einstein.cross_section_emission(einstein.B_from_A(3.39e6, nu), nu, lineshape.peak_gaussian(width))
    assert_allclose(sigma, 3.34618e-17, rtol=1e-5)


@pytest.mark.parametrize("n", [1.0, 1.8])
@pytest.mark.parametrize("field", FIELDS)
def test_thermal_light_keeps_boltzmann(field: str, n: float):
    """n2 (A + B21 rho) = n1 B12 rho with Planck's law as each convention writes it and Boltzmann's populations."""
    nu, x, g_lower, g_upper = 3e14, 2.5, 2, 6
    omega, wavelength, occupation = 2 * np.pi * nu, c / nu, 1 / np.expm1(x)
    planck = {
        "rho_nu": 8 * np.pi * h * nu**3 * n**3 / c**3,
        "rho_omega": hbar * omega**3 * n**3 / (np.pi**2 * c**3),
        "rho_lambda": 8 * np.pi * h * c * n**3 / wavelength**5,
        "J_nu": 2 * h * nu**3 * n**2 / c**2,
        "irradiance_nu": 8 * np.pi * h * nu**3 * n**2 / c**2,
    }[field] * occupation
    A = 1e3
    B21 = einstein.B_from_A(A, nu, field, n)
    B12 = einstein.B12_from_B21(B21, g_lower, g_upper)
    assert_allclose(B12 * planck / (A + B21 * planck), g_upper / g_lower * np.exp(-x), rtol=1e-14)
    assert_allclose(einstein.field_from_occupation(occupation, nu, field, n), planck, rtol=1e-14)


def test_group_index_enters_energy_density_alone():
    """The energy of a mode travels at c/n_g; radiance and irradiance count modes by n alone."""
    ratio = [float(einstein.A_over_B(3e14, f, 1.5, 1.7) / einstein.A_over_B(3e14, f, 1.5)) for f in FIELDS]
    assert_allclose(ratio, [1.7 / 1.5] * 3 + [1.0] * 2, rtol=1e-14)


@pytest.mark.parametrize("given", FIELDS)
@pytest.mark.parametrize("wanted", FIELDS)
def test_conversion_agrees_with_A(given: str, wanted: str):
    args = {"n": 1.5, "group_index": 1.6}
    B = einstein.B_from_A(1e3, 3e14, given, **args)
    converted = einstein.convert_B(B, 3e14, given=given, wanted=wanted, **args)
    assert_allclose(converted, einstein.B_from_A(1e3, 3e14, wanted, **args), rtol=1e-14)
    assert_allclose(einstein.A_from_B(converted, 3e14, wanted, **args), 1e3, rtol=1e-14)
    field = einstein.field_from_occupation(0.3, 3e14, wanted, **args)
    assert_allclose(einstein.occupation_from_field(field, 3e14, wanted, **args), 0.3, rtol=1e-14)


@pytest.mark.parametrize("multipole", ["E1", "M1"])
def test_strengths_invert(multipole: str):
    A, nu = 1e7, 5e14
    S = einstein.line_strength_from_A(A, nu, 4, multipole)
    assert_allclose(einstein.A_from_line_strength(S, nu, 4, multipole), A, rtol=1e-14)
    mu = einstein.dipole_from_A(A, nu, multipole)
    assert_allclose(einstein.A_from_dipole(mu, nu, multipole), A, rtol=1e-14)
    assert_allclose(S, 4 * mu**2, rtol=1e-14)
    assert_allclose(einstein.A_from_f(einstein.f_from_A(A, nu, 2, 4), nu, 2, 4), A, rtol=1e-14)
    assert_allclose(einstein.B21_from_B12(einstein.B12_from_B21(A, 2, 4), 2, 4), A, rtol=1e-14)
    assert_allclose(einstein.B12_from_B21(A, 2, 4), 2 * A, rtol=1e-14)


@pytest.mark.parametrize(
    ("computed", "nist"),
    [
        (einstein.A_from_f(0.5, c / 5000e-10, 2, 4), 6.67025e15 * 2 * 0.5 / (4 * 5000**2)),
        (einstein.A_from_line_strength(3 * (e * a_0) ** 2, c / 5000e-10, 4), 2.02613e18 * 3 / (4 * 5000**3)),
        (einstein.A_from_line_strength(3 * mu_B**2, c / 5000e-10, 4, "M1"), 2.69735e13 * 3 / (4 * 5000**3)),
    ],
)
def test_forms_of_nist(computed: float, nist: float):
    """A from f and S with the wavelength in angstroms and S in atomic units."""
    assert_allclose(computed, nist, rtol=2e-6)


def test_line_strength_gives_B_directly():
    """B21 = 2 pi^2 S / (3 eps0 h^2 g2) knows no frequency."""
    S, nu = 2.0 * (e * a_0) ** 2, 4e14
    B = einstein.B_from_A(einstein.A_from_line_strength(S, nu, 6), nu)
    assert_allclose(B, 2 * np.pi**2 * S / (3 * epsilon_0 * h**2 * 6), rtol=1e-14)


def test_cross_section_integrates_to_oscillator_strength():
    """int sigma_a dnu = e^2 f / (4 eps0 m_e c) = 2.654009e-6 f m^2 Hz."""
    nu, f, g_lower, g_upper = 5e14, 0.6, 2, 4
    detuning = np.linspace(-6e9, 6e9, 2001)
    B = einstein.B_from_A(einstein.A_from_f(f, nu, g_lower, g_upper), nu)
    g = lineshape.gaussian(detuning, 1e9)
    total = np.trapezoid(einstein.cross_section_absorption(B, nu, g, g_lower, g_upper), detuning)
    assert_allclose(total, 2.654009e-6 * f, rtol=1e-6)
    assert_allclose(total, e**2 * f / (4 * epsilon_0 * m_e * c), rtol=1e-12)


def test_cross_section_is_wavelength_squared_A_g():
    """sigma_e = lambda^2 A g / (8 pi n^2), and back to B."""
    A, nu, n, g = 1e3, 2.8e14, 1.8, 5e-12
    B = einstein.B_from_A(A, nu, n=n)
    sigma = einstein.cross_section_emission(B, nu, g, n)
    assert_allclose(sigma, (c / nu) ** 2 * A * g / (8 * np.pi * n**2), rtol=1e-14)
    assert_allclose(einstein.B_from_cross_section(sigma, nu, g, n), B, rtol=1e-14)
    assert_allclose(einstein.integrated_cross_section(A, nu, n) * g, sigma, rtol=1e-14)


@pytest.mark.parametrize("call", [einstein.A_over_B, lambda nu, name: einstein.field_from_occupation(1.0, nu, name)])
def test_unknown_field_names_the_nearest(call):
    with pytest.raises(ValueError, match=r"`rho_mu` is not a field; did you mean `rho_nu`\?"):
        call(3e14, "rho_mu")


@pytest.mark.parametrize(("given", "wanted"), [("J", "rho_nu"), ("rho_nu", "J")])
def test_unknown_field_of_a_conversion(given: str, wanted: str):
    with pytest.raises(ValueError, match="`J` is not a field"):
        einstein.convert_B(1.0, 3e14, given=given, wanted=wanted)


@pytest.mark.parametrize("call", [einstein.A_from_dipole, einstein.dipole_from_A])
def test_unknown_multipole(call):
    with pytest.raises(ValueError, match="`E2` is not a multipole"):
        call(1e-29, 3e14, "E2")


@pytest.mark.parametrize("xp", [np, jnp])
def test_shapes_that_do_not_broadcast_are_named(xp):
    with pytest.raises(ValueError, match=r"`B` and `lineshape` .* \(2,\) and \(3,\)"):
        einstein.cross_section_emission(xp.ones(2), 3e14, xp.ones(3))


FORMULAS = {
    "A_over_B": lambda nu: einstein.A_over_B(nu, "rho_lambda", 1.5),
    "convert_B": lambda nu: einstein.convert_B(1e20, nu, given="rho_nu", wanted="J_nu") * nu,
    "f_from_A": lambda nu: einstein.f_from_A(1e7, nu, 2, 4),
    "A_from_dipole": lambda nu: einstein.A_from_dipole(1e-29, nu),
    "reduced_dipole": lambda nu: einstein.reduced_dipole(1e7, nu, 2, 4),
    "cross_section": lambda nu: einstein.cross_section_emission(1e20, nu, 1e-9, 1.5),
    "integrated": lambda nu: einstein.integrated_cross_section(1e7, nu, 1.5),
}
POWERS = {
    "A_over_B": 5,
    "convert_B": 1,
    "f_from_A": -2,
    "A_from_dipole": 3,
    "reduced_dipole": -1.5,
    "cross_section": 1,
    "integrated": -2,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_numpy_and_jax_agree(name: str):
    nu = np.geomspace(1e9, 1e16, 5)
    from_numpy = FORMULAS[name](nu)
    with jax.enable_x64(True):
        from_jax = jax.jit(jax.vmap(FORMULAS[name]))(jnp.asarray(nu))
        assert from_jax.dtype == jnp.float64
    assert namespace(from_numpy) is np
    assert_allclose(from_jax, from_numpy, rtol=1e-14)


@pytest.mark.parametrize("name", FORMULAS)
def test_derivative_is_that_of_the_power(name: str):
    """Each formula is a power p of the frequency: nu f'(nu) = p f."""
    with jax.enable_x64(True):
        value, slope = (float(x) for x in jax.value_and_grad(FORMULAS[name])(jnp.float64(3e14)))
    assert_allclose(3e14 * slope, POWERS[name] * value, rtol=1e-13)


@pytest.mark.parametrize("name", FORMULAS)
def test_float32_stays_in_range(name: str):
    """nu**3 is beyond float32; the formulas are ordered so that no intermediate is."""
    nu = np.float32(5e14)
    from_float32 = jax.jit(FORMULAS[name])(nu)
    assert from_float32.dtype == jnp.float32
    assert_allclose(from_float32, FORMULAS[name](float(nu)), rtol=3e-6)


def test_cross_section_in_float32_with_every_argument_traced():
    """h/c is a denormal number of float32: XLA may not form it."""
    args = np.array([5e20, 5e14, 1e-10, 1.5], dtype=np.float32)
    from_float32 = jax.jit(einstein.cross_section_emission)(*args)
    assert_allclose(from_float32, einstein.cross_section_emission(*args.astype(float)), rtol=1e-6)
    back = jax.jit(einstein.B_from_cross_section)(from_float32, *args[1:])
    assert_allclose(back, args[0], rtol=1e-6)


def test_boltzmann_from_its_temperature():
    """The equilibrium of PHYSICS.md section 2: h nu = 2.5 kT, g2/g1 = 3."""
    nu, temperature = 3e14, h * 3e14 / (2.5 * k)
    rho = einstein.field_from_occupation(1 / np.expm1(h * nu / (k * temperature)), nu)
    B = einstein.B_from_A(1e6, nu)
    assert_allclose(3 * B * rho / (1e6 + B * rho), 0.246255, rtol=2e-6)
