"""Amplifiers of inhomogeneous lines: light burns holes, class by class."""

from dataclasses import replace
from functools import cache
from math import log, pi, sqrt
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import wofz

import jaxrate as jr
from jaxrate.constants import h
from tests.refusal import refused
from tests.tolerance import close

FREQUENCY, GAUSSIAN, DECAY, SECTION = 473.6e12, 1e9, 1e6, 1e-17  # Hz, Hz, s^-1, m^2
SIGNAL = jr.Channels("signal", "1 uW", frequency=FREQUENCY)


@cache
def gas(lorentzian: float) -> jr.Model:
    """A thousandth of the atoms inverted, its lower level empty; small-signal gain of SECTION on line centre."""
    line = jr.Radiative(
        "line",
        "2 -> 1",
        cross_section=SECTION,
        frequency=FREQUENCY,
        lineshape=jr.Voigt(fwhm_gaussian=GAUSSIAN, fwhm_lorentzian=lorentzian),
        spontaneous_factor=0.0,
    )
    return jr.Model(
        levels=[jr.Level(name) for name in "012"],
        processes=[
            jr.Pump("pump", "0 -> 2", rate=1e-3 * DECAY),
            line,
            jr.Decay("fall", "2 -> 0", rate=DECAY),
            jr.Decay("empty", "1 -> 0", rate=1e13),
        ],
        density=1e20,
    )


def voigt(detuning: float, gamma: float) -> float:
    """Of unit area, for the Gaussian of the medium and a Lorentzian of that half width."""
    sigma = GAUSSIAN / sqrt(8 * log(2))
    return float(wofz((detuning + 1j * gamma) / (sigma * sqrt(2))).real / (sigma * sqrt(2 * pi)))


def through(model: jr.Model, start: float, **options) -> jr.Amplifier:
    """As long as a small-signal gain of 1000 takes; light of `start` saturation intensities of a class enters."""
    dark = float(jr.Gain("line", frequency=FREQUENCY)(jr.steady_state(_fast(model))))
    width = float(model.parameters()["line.fwhm_lorentzian"])
    peak = jr.CrossSection("line", frequency=FREQUENCY)(jr.steady_state(_fast(model)))
    own = float(peak) / voigt(0.0, width / 2) * 2 / (pi * width)  # of one class on resonance
    area, lifetime = 1e-6, 1 / (DECAY * (1 + 1e-3))
    power = start * area * h * FREQUENCY / (own * lifetime)
    signal = jr.Channels("signal", power, frequency=FREQUENCY)
    stated: dict[str, Any] = {"classes": 200, "points": 2} | options
    return jr.Amplifier(log(1000) / dark, (signal,), area=area, **stated)


def _fast(model: jr.Model) -> jr.Model:
    return model.with_process(replace(model.radiative("line"), mixing="fast"))


def saturated(model: jr.Model, start: float) -> float:
    r"""Gain by the exact law of a Voigt line, $\gamma\propto V(\gamma_h\sqrt{1+s})/\sqrt{1+s}$."""
    gamma = model.parameters()["line.fwhm_lorentzian"] / 2

    def slope(z, x):
        root = sqrt(1 + start * np.exp(x[0]))
        return [log(1000) * voigt(0.0, gamma * root) / voigt(0.0, gamma) / root]

    return float(np.exp(solve_ivp(slope, (0, 1), [0.0], "DOP853", rtol=1e-12, atol=1e-12).y[0, -1]))


def test_saturated_amplifiers_follow_the_exact_law_of_a_voigt_line():
    r"""From homogeneous to the Doppler limit, where $dI/dz = \alpha I/\sqrt{1+I}$: 78.9748 of PHYSICS section 2."""
    for lorentzian, start in ((1e9, 0.1), (1e7, 2.0), (1e5, 0.1)):
        model = gas(lorentzian)
        amplifier = through(model, start)
        found = jr.amplify(model, amplifier)
        close(jr.ChannelGain("signal")(found), saturated(model, start), rtol=1e-6, what=f"{lorentzian:g}")
    close(jr.ChannelGain("signal")(found), 78.9748, rtol=1e-3)


def test_too_few_classes_are_told_and_noise_is_refused():
    model = gas(1e5)
    assert int(jr.amplify(model, through(model, 0.1, classes=20)).status) == jr.Status.UNRESOLVED
    refused(lambda: jr.amplify(model, through(model, 0.1, classes=None)), "inhomogeneous", "classes=200")
    low, high = (f"{FREQUENCY + way * 1e9} Hz" for way in (-1, 1))
    noisy = jr.Amplifier(1.0, (SIGNAL, jr.ASE("ase", (low, high), bins=2)), area=1e-6, classes=200)
    refused(lambda: jr.Experiment(model, noisy, {}), "one direction", "mixing='fast'")
    lit = model.with_process(jr.Beam("lamp", drives="line", intensity="1 W/m^2"))
    refused(lambda: jr.amplify(lit, through(model, 0.1)), "`lamp` burns a hole", "jr.Channels")
