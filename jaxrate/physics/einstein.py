r"""Einstein coefficients in every convention, line strengths and cross-sections.

Upper level 2, lower level 1; frequencies in Hz, wavelengths in vacuum; `n` is the refractive index and A the
coefficient measured in the medium. A rate per atom is B times the field, and the field is one of

| `field` | what it is | unit of the field | unit of B |
| --- | --- | --- | --- |
| `"rho_nu"` | spectral energy density per hertz | J m^-3 Hz^-1 | m^3 J^-1 s^-2 |
| `"rho_omega"` | spectral energy density per angular frequency | J m^-3 (rad/s)^-1 | m^3 J^-1 s^-2 rad |
| `"rho_lambda"` | spectral energy density per vacuum wavelength | J m^-3 m^-1 | m^4 J^-1 s^-1 |
| `"J_nu"` | mean intensity, of isotropic light the spectral radiance | W m^-2 sr^-1 Hz^-1 | m^2 sr J^-1 s^-1 |
| `"irradiance_nu"` | spectral irradiance of a beam | W m^-2 Hz^-1 | m^2 J^-1 s^-1 |
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi

from jaxrate.arrays import Real, check_broadcast, fence, namespace
from jaxrate.constants import a_0, c, e, epsilon_0, h, m_e, mu_0, mu_B
from jaxrate.names import unknown

# B of a field over B of rho_nu, from frequency and group index: rho_nu over the field.
_PER_RHO_NU: dict[str, Callable[[Real, Real], Real]] = {
    "rho_nu": lambda frequency, n_g: 1.0,
    "rho_omega": lambda frequency, n_g: 2 * pi,
    "rho_lambda": lambda frequency, n_g: 1 / _wavenumber(frequency) ** 2 / c,
    "J_nu": lambda frequency, n_g: 4 * pi * n_g / c,
    "irradiance_nu": lambda frequency, n_g: n_g / c,
}

# A = strength * wavenumber^3 * S / g_upper, S in the multipole's atomic unit: neither factor leaves float32's range.
_ATOMIC_UNIT = {"E1": e * a_0, "M1": mu_B}
_A_PER_STRENGTH = {
    "E1": 16 * pi**3 * (e * a_0) ** 2 / (3 * epsilon_0 * h),
    "M1": 16 * pi**3 * mu_0 * mu_B**2 / (3 * h),
}
_A_PER_F = 2 * pi * e**2 / (epsilon_0 * m_e * c)


def _wavenumber(frequency: Real) -> Real:
    """Of the light in vacuum [m^-1]; in float32 neither its cube nor h/c times something is lost to regrouping."""
    return fence(frequency / c)


def _rho_nu_over(field: str, frequency: Real, group_index: Real) -> Real:
    if field not in _PER_RHO_NU:
        raise ValueError(unknown("field", field, _PER_RHO_NU))
    return _PER_RHO_NU[field](frequency, group_index)


def _multipole(name: str) -> str:
    if name not in _ATOMIC_UNIT:
        raise ValueError(unknown("multipole", name, _ATOMIC_UNIT))
    return name


def A_over_B(frequency: Real, field: str = "rho_nu", n: Real = 1.0, group_index: Real | None = None) -> Real:
    r"""Ratio A/B21 that makes thermal equilibrium Planck's.

    $\frac{A}{B^{\rho_\nu}} = \frac{8\pi h\nu^3 n^2 n_g}{c^3}$, $B^\omega = 2\pi B^\nu$, $B^\lambda = B^\nu\lambda^2/c$,
    $B^J = 4\pi n_g B^\nu/c$, $B^I = n_g B^\nu/c$

    Args:
        frequency: Frequency of the transition [Hz], shape (*batch).
        field: What B multiplies; see the table of this module.
        n: Refractive index.
        group_index: Group index; without it equal to `n`.

    Returns:
        A/B21, shape (*batch); the unit is that of the field.

    Raises:
        ValueError: unknown field; the nearest one is named.

    Source:
        R. C. Hilborn, *Am. J. Phys.* 50, 982 (1982), for n = 1.
    """
    n_g = n if group_index is None else group_index
    return 8 * pi * h * n**2 * n_g * _wavenumber(frequency) ** 3 / _rho_nu_over(field, frequency, n_g)


def B_from_A(A: Real, frequency: Real, field: str = "rho_nu", n: Real = 1.0, group_index: Real | None = None) -> Real:
    """Einstein B21 from A [s^-1] measured in the medium; arguments, units and errors as in `A_over_B`."""
    return A / A_over_B(frequency, field, n, group_index)


def A_from_B(B: Real, frequency: Real, field: str = "rho_nu", n: Real = 1.0, group_index: Real | None = None) -> Real:
    """Einstein A [s^-1] in the medium from B21; arguments, units and errors as in `A_over_B`."""
    return B * A_over_B(frequency, field, n, group_index)


def convert_B(
    B: Real, frequency: Real, *, given: str, wanted: str, n: Real = 1.0, group_index: Real | None = None
) -> Real:
    r"""Einstein B of one convention in another: $B^w = B^g\,\frac{(A/B)^g}{(A/B)^w}$.

    Args:
        B: B21 or B12 in the convention `given`, shape (*batch).
        frequency: Frequency of the transition [Hz], shape (*batch).
        given: Field that `B` multiplies; see the table of this module.
        wanted: Field that the result multiplies.
        n: Refractive index.
        group_index: Group index; without it equal to `n`.

    Returns:
        The same coefficient in the convention `wanted`, shape (*batch).

    Raises:
        ValueError: unknown field; the nearest one is named.
    """
    n_g = n if group_index is None else group_index
    return B * (_rho_nu_over(wanted, frequency, n_g) / _rho_nu_over(given, frequency, n_g))


def B12_from_B21(B21: Real, g_lower: Real, g_upper: Real) -> Real:
    """B of absorption from B of stimulated emission, g1 B12 = g2 B21, in any convention."""
    return B21 * (g_upper / g_lower)


def B21_from_B12(B12: Real, g_lower: Real, g_upper: Real) -> Real:
    """B of stimulated emission from B of absorption, g1 B12 = g2 B21, in any convention."""
    return B12 * (g_lower / g_upper)


def field_from_occupation(
    occupation: Real, frequency: Real, field: str = "rho_nu", n: Real = 1.0, group_index: Real | None = None
) -> Real:
    r"""Spectral field from its photon occupation.

    $\rho_\nu = \frac{8\pi h\nu^3n^2n_g}{c^3}\,\bar n$, $\quad J_\nu = \frac{2h\nu^3n^2}{c^2}\,\bar n$

    Args:
        occupation: Photons per mode, shape (*batch); of a beam that of isotropic light which drives the same rate.
        frequency: Frequency [Hz], shape (*batch).
        field: Wanted field; see the table of this module.
        n: Refractive index.
        group_index: Group index; without it equal to `n`.

    Returns:
        The field, in the unit of the table of this module, shape (*batch).

    Raises:
        ValueError: unknown field; the nearest one is named.
    """
    return occupation * A_over_B(frequency, field, n, group_index)


def occupation_from_field(
    value: Real, frequency: Real, field: str = "rho_nu", n: Real = 1.0, group_index: Real | None = None
) -> Real:
    """Photon occupation of a spectral field; the inverse of `field_from_occupation`."""
    return value / A_over_B(frequency, field, n, group_index)


def f_from_A(A: Real, frequency: Real, g_lower: Real, g_upper: Real) -> Real:
    r"""Absorption oscillator strength.

    $f_{12} = \frac{g_2}{g_1}\,\frac{\epsilon_0 m_e c^3}{2\pi e^2\nu^2}\,A$

    Stated for vacuum: what a medium does to A beyond Einstein's relations (local fields) is in no refractive index.

    Args:
        A: Einstein A in vacuum [s^-1], shape (*batch).
        frequency: Frequency [Hz], shape (*batch).
        g_lower: Degeneracy of the lower level.
        g_upper: Degeneracy of the upper level.

    Returns:
        Oscillator strength of absorption, positive, shape (*batch).

    Source:
        R. C. Hilborn, *Am. J. Phys.* 50, 982 (1982); NIST *Atomic Spectroscopy*, table of A, f and S.
    """
    return A * (g_upper / g_lower) / (_A_PER_F * _wavenumber(frequency) ** 2)


def A_from_f(f: Real, frequency: Real, g_lower: Real, g_upper: Real) -> Real:
    """Einstein A in vacuum [s^-1] from the absorption oscillator strength; the inverse of `f_from_A`."""
    return f * (g_lower / g_upper) * (_A_PER_F * _wavenumber(frequency) ** 2)


def A_from_line_strength(S: Real, frequency: Real, g_upper: Real, multipole: str = "E1") -> Real:
    r"""Einstein A from the line strength.

    E1: $A = \frac{16\pi^3\nu^3}{3\epsilon_0hc^3g_2}\,S$; M1: $A = \frac{16\pi^3\mu_0\nu^3}{3hc^3g_2}\,S$

    Stated for vacuum, as `f_from_A`.

    Args:
        S: Line strength [C^2 m^2] (E1) or [J^2 T^-2] (M1), shape (*batch).
        frequency: Frequency [Hz], shape (*batch).
        g_upper: Degeneracy of the upper level.
        multipole: "E1" or "M1".

    Returns:
        Einstein A [s^-1], shape (*batch).

    Raises:
        ValueError: unknown multipole.

    Source:
        NIST *Atomic Spectroscopy*, table of A, f and S.
    """
    unit = _ATOMIC_UNIT[_multipole(multipole)]
    return S / unit / unit * (_A_PER_STRENGTH[multipole] * _wavenumber(frequency) ** 3) / g_upper


def line_strength_from_A(A: Real, frequency: Real, g_upper: Real, multipole: str = "E1") -> Real:
    """Line strength [C^2 m^2] (E1) or [J^2 T^-2] (M1) from A in vacuum [s^-1]: inverse of `A_from_line_strength`."""
    unit = _ATOMIC_UNIT[_multipole(multipole)]
    return A * g_upper / (_A_PER_STRENGTH[multipole] * _wavenumber(frequency) ** 3) * unit * unit


def A_from_dipole(mu: Real, frequency: Real, multipole: str = "E1") -> Real:
    r"""Einstein A from the dipole moment with $S = g_2\mu^2$, so that no degeneracy remains.

    E1: $A = \frac{16\pi^3\nu^3}{3\epsilon_0hc^3}\,\mu^2$; M1: $A = \frac{16\pi^3\mu_0\nu^3}{3hc^3}\,\mu^2$

    Stated for vacuum, as `f_from_A`.

    Args:
        mu: Dipole moment [C m] (E1) or [J T^-1] (M1), shape (*batch): the root of the sum of squares over the lower
            states and the three components, averaged over the upper states. Steck's reduced moments are others, see
            `reduced_dipole`.
        frequency: Frequency [Hz], shape (*batch).
        multipole: "E1" or "M1".

    Returns:
        Einstein A [s^-1], shape (*batch).

    Raises:
        ValueError: unknown multipole.

    Source:
        R. C. Hilborn, *Am. J. Phys.* 50, 982 (1982).
    """
    return (mu / _ATOMIC_UNIT[_multipole(multipole)]) ** 2 * (_A_PER_STRENGTH[multipole] * _wavenumber(frequency) ** 3)


def dipole_from_A(A: Real, frequency: Real, multipole: str = "E1") -> Real:
    """Dipole moment [C m] (E1) or [J T^-1] (M1), positive, from A in vacuum [s^-1]; the inverse of `A_from_dipole`."""
    xp, unit = namespace(A, frequency), _ATOMIC_UNIT[_multipole(multipole)]
    return unit * xp.sqrt(A / (_A_PER_STRENGTH[multipole] * _wavenumber(frequency) ** 3))


def reduced_dipole(A: Real, frequency: Real, g_lower: Real, g_upper: Real) -> Real:
    r"""Reduced E1 matrix element in Steck's normalisation.

    $\langle J\|e\mathbf r\|J'\rangle = \sqrt{S/(2J+1)}$ with J the *lower* level, so that
    $A = \frac{16\pi^3\nu^3}{3\epsilon_0hc^3}\,\frac{2J+1}{2J'+1}\,|\langle J\|e\mathbf r\|J'\rangle|^2$

    The moment of Racah and Wigner is $\sqrt S$; that of `A_from_dipole` is $\sqrt{S/(2J'+1)}$.

    Args:
        A: Einstein A in vacuum [s^-1], shape (*batch).
        frequency: Frequency [Hz], shape (*batch).
        g_lower: 2J + 1 of the lower level.
        g_upper: 2J' + 1 of the upper level.

    Returns:
        Reduced matrix element [C m], positive, shape (*batch).

    Source:
        D. A. Steck, *Sodium D Line Data*; checked by its value in tests/test_einstein.py.
    """
    return dipole_from_A(A * (g_upper / g_lower), frequency)


def cross_section_emission(B: Real, frequency: Real, lineshape: Real, n: Real = 1.0) -> Real:
    r"""Stimulated-emission cross-section.

    $\sigma_e(\nu) = \frac{n h \nu}{c}\, B_{21}\, g(\nu)$

    Args:
        B: Einstein B21 per spectral energy density and hertz [m^3 J^-1 s^-2], shape (*batch).
        frequency: Frequency of the light [Hz], shape (*batch) or broadcastable to it.
        lineshape: Normalised lineshape g at `frequency` [Hz^-1], shape (*batch).
        n: Refractive index; where the group index differs, the group index.

    Returns:
        Cross-section [m^2], shape (*batch). NaN where an input is NaN.

    Raises:
        ValueError: shapes do not broadcast (both are named).

    Source:
        R. C. Hilborn, *Am. J. Phys.* 50, 982 (1982); checked by tests/test_einstein.py.
    """
    check_broadcast(B=B, frequency=frequency, lineshape=lineshape, n=n)
    return n * h * _wavenumber(frequency) * B * lineshape


def cross_section_absorption(
    B: Real, frequency: Real, lineshape: Real, g_lower: Real, g_upper: Real, n: Real = 1.0
) -> Real:
    r"""Absorption cross-section: $\sigma_a = \frac{g_2}{g_1}\,\sigma_e$.

    Args:
        B, frequency, lineshape, n: As in `cross_section_emission`; B is B21.
        g_lower: Degeneracy of the lower level.
        g_upper: Degeneracy of the upper level.

    Returns:
        Cross-section [m^2], shape (*batch).
    """
    return cross_section_emission(B, frequency, lineshape, n) * (g_upper / g_lower)


def B_from_cross_section(cross_section: Real, frequency: Real, lineshape: Real, n: Real = 1.0) -> Real:
    """Einstein B21 [m^3 J^-1 s^-2] from an emission cross-section: inverse of `cross_section_emission`.

    The lineshape belongs to the same frequency: of a peak cross-section it is the peak.
    """
    check_broadcast(cross_section=cross_section, frequency=frequency, lineshape=lineshape, n=n)
    return cross_section / lineshape / (n * h * _wavenumber(frequency))


def integrated_cross_section(A: Real, frequency: Real, n: Real = 1.0) -> Real:
    r"""Emission cross-section integrated over the line: $\int\sigma_e\,d\nu = \frac{\lambda^2A}{8\pi n^2}$ [m^2 Hz].

    Args:
        A: Einstein A in the medium [s^-1], shape (*batch).
        frequency: Frequency of the line, narrow beside it [Hz], shape (*batch).
        n: Refractive index.

    Returns:
        Integrated cross-section [m^2 Hz], shape (*batch); absorption's is g2/g1 times it.

    Source:
        R. C. Hilborn, *Am. J. Phys.* 50, 982 (1982), for n = 1.
    """
    return A / (8 * pi * (n * _wavenumber(frequency)) ** 2)
