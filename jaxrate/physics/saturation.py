r"""Saturation of absorption and gain in closed form.

Throughout `g_ratio` is g2/g1, the population difference is $N_2 - (g_2/g_1)N_1$, and `saturation` is an intensity over
its saturation intensity.
"""

from __future__ import annotations

from math import pi

from jaxrate.arrays import Real, fence, namespace
from jaxrate.constants import c, h
from jaxrate.physics.lineshape import voigt


def two_level_upper_fraction(absorption_rate: Real, stimulated_rate: Real, lifetime: Real) -> Real:
    r"""Upper population of a two-level absorber, a fraction.

    $\frac{N_2}{N} = \frac{W_{12}\tau}{1 + (W_{12}+W_{21})\tau}$

    Args:
        absorption_rate: W12 [s^-1], shape (*batch).
        stimulated_rate: W21 [s^-1], shape (*batch).
        lifetime: Lifetime of the upper level, all channels [s].

    Returns:
        Fraction of the density, shape (*batch).
    """
    return absorption_rate * lifetime / (1 + (absorption_rate + stimulated_rate) * lifetime)


def two_level_saturation_intensity(
    frequency: Real, cross_section_absorption: Real, cross_section_emission: Real, lifetime: Real
) -> Real:
    r"""Saturation intensity of a two-level absorber: $I_{sat} = \frac{h\nu}{(\sigma_a+\sigma_e)\,\tau}$.

    Args:
        frequency: Frequency of the light [Hz], shape (*batch).
        cross_section_absorption: Absorption cross-section at that frequency [m^2], shape (*batch).
        cross_section_emission: Emission cross-section at that frequency [m^2], shape (*batch).
        lifetime: Lifetime of the upper level, all channels [s].

    Returns:
        Saturation intensity [W m^-2], shape (*batch).
    """
    return h * frequency / (cross_section_absorption + cross_section_emission) / lifetime


def cycling_saturation_intensity(frequency: Real, A: Real) -> Real:
    r"""Saturation intensity of a closed cycling transition under polarised light.

    $I_{sat} = \frac{\pi h c\,\Gamma}{3\lambda^3}$

    Both cross-sections are $3\lambda^2/2\pi$. For unpolarised atoms with g2 = 2 g1 `two_level_saturation_intensity`
    gives twice as much.

    Args:
        frequency: Frequency of the transition [Hz], shape (*batch).
        A: Einstein A, the only decay and the only broadening [s^-1].

    Returns:
        Saturation intensity [W m^-2], shape (*batch).

    Source:
        D. A. Steck, *Sodium D Line Data*; checked by its value in tests/test_saturation.py.
    """
    return pi * h * c / 3 * A * fence(frequency / c) ** 3


def three_level_inversion(pump_rate: Real, lifetime: Real, g_ratio: Real = 1.0) -> Real:
    r"""Unsaturated inversion of a three-level medium: $\frac{\Delta N_0}{N} = \frac{W_p\tau - g_2/g_1}{1 + W_p\tau}$.

    Args:
        pump_rate: Pump rate out of the ground level [s^-1], shape (*batch).
        lifetime: Lifetime of the upper level [s].
        g_ratio: g2/g1.

    Returns:
        Inversion as a fraction of the density, shape (*batch); negative below transparency.
    """
    return (pump_rate * lifetime - g_ratio) / (1 + pump_rate * lifetime)


def three_level_saturation_intensity(
    frequency: Real,
    cross_section_absorption: Real,
    cross_section_emission: Real,
    lifetime: Real,
    pump_rate: Real,
) -> Real:
    r"""Saturation intensity of a three-level medium: $I_{sat} = \frac{h\nu\,(1+W_p\tau)}{(\sigma_a+\sigma_e)\,\tau}$.

    Args:
        frequency, cross_section_absorption, cross_section_emission, lifetime: As in `two_level_saturation_intensity`.
        pump_rate: Pump rate out of the ground level [s^-1].

    Returns:
        Saturation intensity [W m^-2], shape (*batch).
    """
    recovery = pumped_lifetime(lifetime, pump_rate)
    return two_level_saturation_intensity(frequency, cross_section_absorption, cross_section_emission, recovery)


def four_level_recovery_time(
    lifetime_upper: Real, lifetime_lower: Real, lifetime_between: Real, g_ratio: Real = 1.0
) -> Real:
    r"""Time in which the inversion of a four-level medium recovers.

    $\tau_s = \tau_2 + \frac{g_2}{g_1}\tau_1\left(1 - \frac{\tau_2}{\tau_{21}}\right)$

    Args:
        lifetime_upper: Lifetime of the upper laser level, all channels [s], shape (*batch).
        lifetime_lower: Lifetime of the lower laser level [s].
        lifetime_between: One over the decay rate from the upper to the lower level [s]; infinity where there is none.
        g_ratio: g2/g1.

    Returns:
        Recovery time [s], shape (*batch).
    """
    return lifetime_upper + g_ratio * lifetime_lower * (1 - lifetime_upper / lifetime_between)


def four_level_saturation_intensity(frequency: Real, cross_section_emission: Real, recovery_time: Real) -> Real:
    r"""Saturation intensity of a four-level medium: $I_{sat} = \frac{h\nu}{\sigma_e\tau_s}$.

    Args:
        frequency: Frequency of the light [Hz], shape (*batch).
        cross_section_emission: Emission cross-section at that frequency [m^2], shape (*batch).
        recovery_time: The upper lifetime where the lower level empties at once, else `four_level_recovery_time`; with a
            finite ground state `pumped_lifetime` [s].

    Returns:
        Saturation intensity [W m^-2], shape (*batch).
    """
    return h * frequency / cross_section_emission / recovery_time


def four_level_inversion(
    pump_upper: Real,
    pump_lower: Real,
    lifetime_upper: Real,
    lifetime_lower: Real,
    lifetime_between: Real,
    g_ratio: Real = 1.0,
) -> Real:
    r"""Unsaturated inversion of a four-level medium.

    $\Delta N_0 = R_2\tau_2\left(1 - \frac{g_2}{g_1}\frac{\tau_1}{\tau_{21}}\right) - \frac{g_2}{g_1}R_1\tau_1$

    Args:
        pump_upper: Pump rate per volume into the upper laser level [m^-3 s^-1], shape (*batch).
        pump_lower: Pump rate per volume into the lower laser level [m^-3 s^-1].
        lifetime_upper, lifetime_lower, lifetime_between, g_ratio: As in `four_level_recovery_time`.

    Returns:
        Inversion [m^-3], shape (*batch).
    """
    from_upper = pump_upper * lifetime_upper * (1 - g_ratio * lifetime_lower / lifetime_between)
    return from_upper - g_ratio * lifetime_lower * pump_lower


def pumped_lifetime(lifetime: Real, pump_rate: Real) -> Real:
    r"""Recovery time [s] where the pump [s^-1] empties a finite ground state: $1/\tau \to 1/\tau + W_p$."""
    return lifetime / (1 + pump_rate * lifetime)


def saturated_gain_homogeneous(small_signal_gain: Real, saturation: Real) -> Real:
    r"""Gain of a homogeneous line in a saturating beam, at any frequency: $\gamma = \frac{\gamma_0}{1 + I/I_{sat}}$."""
    return small_signal_gain / (1 + saturation)


def saturated_gain_doppler(small_signal_gain: Real, saturation: Real) -> Real:
    r"""Gain where the Doppler width far exceeds the homogeneous one: $\gamma = \frac{\gamma_0}{\sqrt{1 + I/I_{sat}}}$.

    Args:
        small_signal_gain: Unsaturated gain [m^-1], shape (*batch).
        saturation: Intensity over the saturation intensity of a resonant atom, shape (*batch).

    Returns:
        Gain of the saturating beam itself [m^-1], shape (*batch); a weak probe sees the burnt hole instead.
    """
    xp = namespace(small_signal_gain, saturation)
    return small_signal_gain / xp.sqrt(1 + saturation)


def saturated_voigt(detuning: Real, fwhm_gaussian: Real, fwhm_lorentzian: Real, saturation: Real) -> Real:
    r"""Voigt lineshape as the saturating beam itself sees it; exact.

    $g_s = \frac{1}{\sqrt{1+s}}\,V\!\left(\delta;\ \Delta_G,\ \Delta_L\sqrt{1+s}\right)$

    For one travelling monochromatic beam without cross-relaxation. The gain is the unsaturated one times $g_s/g_0$; the
    limits are $1/(1+s)$ at the centre of a Lorentzian and $1/\sqrt{1+s}$ of a broad Gaussian.

    Args:
        detuning: Frequency of the beam minus line centre [Hz], shape (*batch).
        fwhm_gaussian: FWHM of the inhomogeneous distribution [Hz].
        fwhm_lorentzian: Homogeneous FWHM [Hz].
        saturation: Intensity over the saturation intensity of a resonant atom, s, shape (*batch).

    Returns:
        Saturated lineshape [Hz^-1], shape (*batch).
    """
    xp = namespace(detuning, fwhm_gaussian, fwhm_lorentzian, saturation)
    root = xp.sqrt(1 + saturation)
    return voigt(detuning, fwhm_gaussian, fwhm_lorentzian * root) / root


def amplifier_gain(gain_length: Real, saturation: Real) -> Real:
    r"""Gain of a homogeneous amplifier saturated by its own signal: the G with $\ln G + (G-1)\,s = \gamma_0L$.

    Args:
        gain_length: Unsaturated gain times length, negative in an absorber, shape (*batch).
        saturation: Input intensity over the saturation intensity, s, not negative, shape (*batch).

    Returns:
        Output over input intensity, shape (*batch), right to rounding; differentiable.

    Source:
        W. W. Rigrod, *J. Appl. Phys.* 34, 2602 (1963).
    """
    xp = namespace(gain_length, saturation)
    # With y = ln G and t = s e^y the law is t + ln t = a, a = L + s + ln s. Its root lies below a for a > 1, else below
    # e^a: a start above the root by at most 1 in y, from where Newton on y + s expm1(y) = L, convex, needs six steps.
    some = 1.0 * xp.asarray(saturation) > 0
    log_s = xp.log(xp.where(some, saturation, 1.0))
    a = xp.where(some, gain_length + saturation + log_s, 0.0)
    y = xp.where(a > 1, xp.log(xp.maximum(a, 1.0)) - log_s, gain_length + saturation)
    for _ in range(7):
        y = y - (y + saturation * xp.expm1(y) - gain_length) / (1 + saturation * xp.exp(y))
    return xp.exp(y)


def amplifier_output(gain_length: Real, saturation: Real) -> Real:
    r"""Output of a homogeneous amplifier: $\ln\frac{I_o}{I_i} + \frac{I_o-I_i}{I_{sat}} = \gamma_0L$.

    Args:
        gain_length, saturation: As in `amplifier_gain`.

    Returns:
        Output intensity over the saturation intensity, shape (*batch).
    """
    return saturation * amplifier_gain(gain_length, saturation)


def frantz_nodvik(fluence: Real, small_signal_gain: Real) -> Real:
    r"""Fluence of a pulse after an amplifier, short beside all its lifetimes.

    $\frac{J_o}{J_s} = \ln\left[1 + G_0\left(e^{J_i/J_s} - 1\right)\right]$

    Args:
        fluence: Input fluence over the saturation fluence, shape (*batch).
        small_signal_gain: Unsaturated output over input of the whole length, below 1 in an absorber, shape (*batch).

    Returns:
        Output fluence over the saturation fluence, shape (*batch).

    Source:
        L. M. Frantz, J. S. Nodvik, *J. Appl. Phys.* 34, 2346 (1963).
    """
    xp = namespace(fluence, small_signal_gain)
    return xp.log1p(small_signal_gain * xp.expm1(fluence))
