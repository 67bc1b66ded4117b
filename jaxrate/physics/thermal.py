"""Thermal light, Boltzmann's ratio, detailed balance, McCumber's relation. Energies in joules, temperatures in K."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt
from typing import Any

from jaxrate.arrays import Real, namespace
from jaxrate.constants import h, k, m_e
from jaxrate.physics.einstein import field_from_occupation


def planck_occupation(frequency: Real, temperature: Real) -> Real:
    r"""Photons per mode of thermal light: $\bar n = \frac{1}{e^{h\nu/kT} - 1}$.

    Args:
        frequency: Frequency [Hz], shape (*batch).
        temperature: Temperature [K], shape (*batch) or broadcastable to it.

    Returns:
        Occupation, shape (*batch); 0 at zero temperature.
    """
    xp = namespace(frequency, temperature)
    cold, x = _ratio_to_temperature(h / k * frequency, temperature, xp)
    # Not 1/expm1(x): that overflows, and with it the derivative, where the occupation is merely small.
    return xp.where(cold, 0.0, xp.exp(-x) / -xp.expm1(-x))[()]


def _ratio_to_temperature(kelvin: Real, temperature: Real, xp: Any) -> tuple[Any, Any]:
    """Where the temperature is zero, and the ratio elsewhere: so no derivative of a `where` is NaN."""
    cold = xp.asarray(temperature) == 0
    return cold, kelvin / xp.where(cold, 1.0, temperature)


def planck_rho_nu(frequency: Real, temperature: Real, n: Real = 1.0, group_index: Real | None = None) -> Real:
    r"""Spectral energy density of thermal light: $\rho_\nu = \frac{8\pi h\nu^3n^2n_g}{c^3}\,\bar n(\nu, T)$.

    Args:
        frequency: Frequency [Hz], shape (*batch).
        temperature: Temperature [K], shape (*batch) or broadcastable to it.
        n: Refractive index.
        group_index: Group index; without it equal to `n`.

    Returns:
        Spectral energy density [J m^-3 Hz^-1], shape (*batch).
    """
    return field_from_occupation(planck_occupation(frequency, temperature), frequency, "rho_nu", n, group_index)


def boltzmann_ratio(g_upper: Real, g_lower: Real, energy_difference: Real, temperature: Real) -> Real:
    r"""Ratio of populations in thermal equilibrium: $\frac{n_2}{n_1} = \frac{g_2}{g_1}\,e^{-\Delta E/kT}$.

    Args:
        g_upper: Degeneracy of the upper level.
        g_lower: Degeneracy of the lower level.
        energy_difference: Energy of the upper minus that of the lower level [J], not negative, shape (*batch).
        temperature: Temperature [K], shape (*batch) or broadcastable to it.

    Returns:
        Ratio, shape (*batch); at zero temperature 0, or g2/g1 for levels of equal energy.
    """
    xp = namespace(g_upper, g_lower, energy_difference, temperature)
    cold, x = _ratio_to_temperature(energy_difference / k, temperature, xp)
    ratio = xp.where(cold, 1.0 * (xp.asarray(energy_difference) == 0), xp.exp(-x))
    return (g_upper / g_lower * ratio)[()]


def detailed_balance_rate(
    rate_down: Real, g_upper: Real, g_lower: Real, energy_difference: Real, temperature: Real
) -> Real:
    r"""Rate of excitation by collisions from that of deexcitation.

    $C_{12} = C_{21}\,\frac{g_2}{g_1}\,e^{-\Delta E/kT}$

    Args:
        rate_down: Deexcitation rate [s^-1] or coefficient [m^3 s^-1], shape (*batch).
        g_upper, g_lower, energy_difference, temperature: As in `boltzmann_ratio`.

    Returns:
        Excitation rate or coefficient, unit and shape of `rate_down`.
    """
    return rate_down * boltzmann_ratio(g_upper, g_lower, energy_difference, temperature)


def electron_deexcitation(collision_strength: Real, g_upper: Real, temperature: Real) -> Real:
    r"""Rate coefficient of deexcitation by electrons.

    $q_{21} = \frac{h^2}{(2\pi m_e)^{3/2}\sqrt{kT}}\,\frac{\Upsilon}{g_2}
    = 8.62913\times10^{-12}\,\frac{\Upsilon}{g_2\sqrt{T/\mathrm K}}\ \mathrm{m^3\,s^{-1}}$

    Args:
        collision_strength: Effective collision strength at `temperature` [1], shape (*batch).
        g_upper: Degeneracy of the upper level.
        temperature: Electron temperature [K], shape (*batch).

    Returns:
        Coefficient [m^3 s^-1], shape (*batch).

    Source:
        D. E. Osterbrock, G. J. Ferland, *Astrophysics of Gaseous Nebulae and Active Galactic Nuclei* (2006).
    """
    xp = namespace(collision_strength, g_upper, temperature)
    return h**2 / ((2 * pi * m_e) ** 1.5 * sqrt(k)) * collision_strength / g_upper / xp.sqrt(temperature)


def mccumber_ratio(frequency: Real, epsilon: Real, temperature: Real) -> Real:
    r"""Emission over absorption cross-section of two thermal manifolds: $\sigma_e/\sigma_a = e^{(\epsilon-h\nu)/kT}$.

    Args:
        frequency: Frequency of the light [Hz], shape (*batch).
        epsilon: Free energy of excitation [J], see `mccumber_epsilon`.
        temperature: Temperature [K], shape (*batch) or broadcastable to it.

    Returns:
        Ratio, shape (*batch).

    Source:
        D. E. McCumber, *Phys. Rev.* 136, A954 (1964).
    """
    xp = namespace(frequency, epsilon, temperature)
    return xp.exp((epsilon / k - h / k * frequency) / temperature)


def mccumber_epsilon(
    energies_lower: Real | Sequence[float],
    g_lower: Real | Sequence[float],
    energies_upper: Real | Sequence[float],
    g_upper: Real | Sequence[float],
    temperature: Real,
) -> Real:
    r"""McCumber's free energy of excitation from the sublevels of both manifolds.

    $e^{\epsilon/kT} = \frac{Z_1}{Z_2}\,e^{E_{ZL}/kT}$, $Z_i = \sum_j g_{ij}\,e^{-(E_{ij}-E_{i0})/kT}$,
    $E_{ZL} = E_{20} - E_{10}$

    Args:
        energies_lower: Energies of the lower manifold's sublevels [J], shape (sublevel,), from any common zero.
        g_lower: Their degeneracies, shape (sublevel,) or one number.
        energies_upper: Energies of the upper manifold's sublevels [J], shape (sublevel,).
        g_upper: Their degeneracies.
        temperature: Temperature [K], positive, shape (*batch).

    Returns:
        $\epsilon$ [J], shape (*batch).

    Source:
        D. E. McCumber, *Phys. Rev.* 136, A954 (1964).
    """
    xp = namespace(energies_lower, g_lower, energies_upper, g_upper, temperature)
    T = xp.asarray(temperature)
    lower, upper = xp.atleast_1d(xp.asarray(energies_lower)), xp.atleast_1d(xp.asarray(energies_upper))
    log_z_lower = xp.log(_partition(lower, xp.asarray(g_lower), T, xp))
    log_z_upper = xp.log(_partition(upper, xp.asarray(g_upper), T, xp))
    return (upper.min() - lower.min() + k * T * (log_z_lower - log_z_upper))[()]


def _partition(energies: Any, g: Any, temperature: Any, xp: Any) -> Any:
    """Partition function over the sublevels, from the lowest of them; shape of the temperature."""
    return (g * xp.exp(-(energies - energies.min()) / k / temperature[..., None])).sum(-1)
