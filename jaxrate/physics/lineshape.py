"""Lineshapes, normalised to an integral over frequency of 1, and the widths that go into them, all FWHM [Hz]."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import log, pi, sqrt
from typing import Any

from jaxrate.arrays import Real, namespace
from jaxrate.constants import c, k
from jaxrate.physics.faddeeva import faddeeva

_FWHM_PER_SIGMA = sqrt(8 * log(2))
_PEAK_GAUSSIAN = 2 * sqrt(log(2) / pi)
_NEGLIGIBLE = 1e-9  # sigma over the distance from the Lorentzian's pole: it enters squared, below rounding


def lorentzian(detuning: Real, fwhm: Real) -> Real:
    r"""Lorentzian lineshape: $g = \frac{\Delta/2\pi}{\delta^2 + \Delta^2/4}$.

    Args:
        detuning: Frequency minus line centre [Hz], shape (*batch).
        fwhm: Full width at half maximum [Hz], shape (*batch) or broadcastable to it.

    Returns:
        Lineshape [Hz^-1], shape (*batch).
    """
    return peak_lorentzian(fwhm) / (1 + (2 * detuning / fwhm) ** 2)


def gaussian(detuning: Real, fwhm: Real) -> Real:
    r"""Gaussian lineshape; arguments as in `lorentzian`.

    $g = \frac{2}{\Delta}\sqrt{\frac{\ln 2}{\pi}}\,e^{-4\ln2\,\delta^2/\Delta^2}$
    """
    xp = namespace(detuning, fwhm)
    return peak_gaussian(fwhm) * xp.exp(-4 * log(2) * (detuning / fwhm) ** 2)


def voigt(detuning: Real, fwhm_gaussian: Real, fwhm_lorentzian: Real) -> Real:
    r"""Voigt lineshape, a Lorentzian convolved with a Gaussian.

    $g = \frac{\mathrm{Re}\,w(z)}{\sigma\sqrt{2\pi}}$, $z = \frac{\delta + i\gamma}{\sigma\sqrt2}$,
    $\sigma = \frac{\Delta_G}{\sqrt{8\ln2}}$, $\gamma = \frac{\Delta_L}{2}$

    Either width may be zero, which leaves the other profile. In JAX the first derivatives are closed forms; with
    respect to the Gaussian width it is that of the heat equation, $\partial g/\partial\sigma =
    \sigma\,\partial^2g/\partial\delta^2$.

    Args:
        detuning: Frequency minus line centre [Hz], shape (*batch).
        fwhm_gaussian: FWHM of the Gaussian [Hz], shape (*batch) or broadcastable to it.
        fwhm_lorentzian: FWHM of the Lorentzian [Hz], likewise.

    Returns:
        Lineshape [Hz^-1], shape (*batch), to 1e-13 relative in float64. NaN where an argument is not finite, a width
        negative, or both widths and the detuning zero.
    """
    xp = namespace(detuning, fwhm_gaussian, fwhm_lorentzian)
    floats = [1.0 * xp.asarray(x) for x in (detuning, fwhm_gaussian, fwhm_lorentzian)]
    return _voigt_and_slopes(xp, *floats)[0][()] if xp.__name__ == "numpy" else _voigt_jax()(*floats)


def _voigt_and_slopes(xp: Any, detuning: Any, fwhm_gaussian: Any, fwhm_lorentzian: Any) -> tuple[Any, Any, Any, Any]:
    """Voigt lineshape and its derivatives with respect to the three arguments."""
    sigma, gamma = fwhm_gaussian / _FWHM_PER_SIGMA, fwhm_lorentzian / 2
    width = xp.maximum(sigma, _NEGLIGIBLE * xp.hypot(detuning, gamma))
    valid = (sigma >= 0) & (gamma >= 0) & (width > 0) & (width < xp.inf)
    width = xp.where(valid, width, 1.0)
    z = (xp.where(valid, xp.abs(detuning), 0.0) + 1j * xp.where(valid, gamma, 0.0)) / (sqrt(2) * width)
    w, first, second = faddeeva(z, xp)
    per_width = xp.where(valid, 1 / (sqrt(2 * pi) * width), xp.nan)
    per_square = per_width / (sqrt(2) * width)
    by_detuning = xp.sign(detuning) * first.real * per_square
    by_gaussian = sigma / width * second.real * per_width / (2 * width) / _FWHM_PER_SIGMA
    return w.real * per_width, by_detuning, by_gaussian, -first.imag * per_square / 2


@cache
def _voigt_jax() -> Callable[..., Any]:
    import jax
    import jax.numpy as jnp

    @jax.custom_jvp
    def profile(detuning: Any, fwhm_gaussian: Any, fwhm_lorentzian: Any) -> Any:
        return _voigt_and_slopes(jnp, detuning, fwhm_gaussian, fwhm_lorentzian)[0]

    @profile.defjvp
    def _(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        value, *slopes = _voigt_and_slopes(jnp, *primals)
        return value, sum(slope * tangent for slope, tangent in zip(slopes, tangents, strict=True))

    return profile


def peak_lorentzian(fwhm: Real) -> Real:
    r"""Lorentzian lineshape at line centre [Hz^-1]: $2/\pi\Delta$."""
    return 2 / pi / fwhm


def peak_gaussian(fwhm: Real) -> Real:
    r"""Gaussian lineshape at line centre [Hz^-1]: $2\sqrt{\ln2/\pi}\,/\Delta = 0.939437/\Delta$."""
    return _PEAK_GAUSSIAN / fwhm


def peak_voigt(fwhm_gaussian: Real, fwhm_lorentzian: Real) -> Real:
    """Voigt lineshape at line centre [Hz^-1]."""
    return voigt(0.0, fwhm_gaussian, fwhm_lorentzian)


def doppler_fwhm(frequency: Real, temperature: Real, mass: Real, turbulence: Real = 0.0) -> Real:
    r"""Doppler width.

    $\Delta_D = 2\sqrt{\ln2}\,\frac{\nu_0}{c}\sqrt{\frac{2kT}{m} + v_t^2}$

    Args:
        frequency: Line centre [Hz], shape (*batch).
        temperature: Temperature [K], shape (*batch).
        mass: Mass of one atom or molecule [kg].
        turbulence: Most probable speed of turbulent motion [m s^-1].

    Returns:
        FWHM [Hz], shape (*batch).
    """
    xp = namespace(frequency, temperature, mass, turbulence)
    return 2 * sqrt(log(2)) * (frequency / c) * xp.sqrt(2 * temperature * (k / mass) + turbulence**2)


def natural_fwhm(total_decay_upper: Real, total_decay_lower: Real, collision_rate: Real = 0.0) -> Real:
    r"""Homogeneous width from lifetimes and collisions.

    $\Delta = \frac{\Gamma_2+\Gamma_1}{2\pi} + \frac{\Gamma_{coll}}{\pi}$

    Args:
        total_decay_upper: Decay rate of the upper level, all channels together [s^-1], shape (*batch).
        total_decay_lower: Decay rate of the lower level, likewise; 0 for a ground state.
        collision_rate: Rate of phase-interrupting collisions [s^-1].

    Returns:
        FWHM [Hz], shape (*batch).
    """
    return (total_decay_upper + total_decay_lower) / (2 * pi) + collision_rate / pi


def pressure_fwhm(
    half_width: Real, pressure: Real, temperature: Real, exponent: Real, reference_temperature: Real = 296.0
) -> Real:
    r"""Collisional width from HITRAN's coefficients, in HITRAN's units.

    $\Delta = 200\,c\,\gamma\,p\,(T_{ref}/T)^m$

    Args:
        half_width: Half width at half maximum per pressure, at `reference_temperature` [cm^-1 atm^-1], shape (*batch).
        pressure: Pressure of the broadening gas [atm].
        temperature: Temperature [K].
        exponent: Exponent m of the temperature [1].
        reference_temperature: Temperature the coefficient is stated for [K].

    Returns:
        FWHM [Hz], shape (*batch).

    Source:
        HITRAN, *Definitions and Units*, line broadening.
    """
    return 200 * c * half_width * pressure * (reference_temperature / temperature) ** exponent


def fwhm_voigt(fwhm_gaussian: float, fwhm_lorentzian: float) -> float:
    """Full width at half maximum of a Voigt profile [Hz], to rounding.

    By bisection: it lies between the larger of the two widths and their sum.

    Args:
        fwhm_gaussian: Width of the Gaussian [Hz].
        fwhm_lorentzian: Width of the Lorentzian [Hz].
    """
    low, high = max(fwhm_gaussian, fwhm_lorentzian), fwhm_gaussian + fwhm_lorentzian
    half = peak_voigt(fwhm_gaussian, fwhm_lorentzian) / 2
    for _ in range(53):  # bits of a float
        middle = (low + high) / 2
        inside = voigt(middle / 2, fwhm_gaussian, fwhm_lorentzian) > half
        low, high = (middle, high) if inside else (low, middle)
    return (low + high) / 2
