"""Pulses through a saturable medium, held to Frantz and Nodvik, to the saturated amplifier, and to their photons."""

from functools import cache
from typing import Any

import jax
import numpy as np
import pytest
from scipy.special import erf

import jaxrate as jr
from jaxrate.constants import c, h
from jaxrate.network.compile import compile_network
from jaxrate.physics.saturation import amplifier_output, frantz_nodvik
from jaxrate.plot.pulses_along import amplified_pulse, residual_gain
from jaxrate.propagate.pulse_amplifier import amplify_pulse
from jaxrate.propagate.pulse_result import AmplifiedPulse
from jaxrate.solve.light import Light, Rays
from jaxrate.solve.solution import Solution
from tests.refusal import refused
from tests.tolerance import close

SIGMA, WAVELENGTH, DENSITY, LENGTH = 2.8e-23, 1064.15e-9, 1.38e26, 0.05
SATURATION = h * c / WAVELENGTH / SIGMA
"""Fluence [J m^-2] of a line whose lower level empties at once."""
WIDTH = 10e-9
GAUSSIAN = jr.pulse.Gaussian(1, centre=0, fwhm=WIDTH)
QUIET = {"laser.spontaneous_factor": 0.0}


@cache
def medium() -> jr.Model:
    """Four levels of one weight; every rate but the light's is a parameter that may be zero."""
    line = jr.Radiative(
        "laser",
        "2 -> 1",
        cross_section=SIGMA,
        wavelength=WAVELENGTH,
        lineshape=jr.Lorentzian(fwhm="120 GHz"),
        n=1.82,
    )
    return jr.Model(
        levels=[jr.Level(name, energy=f"{e} cm^-1") for name, e in zip("0123", (0, 2111, 11507, 12370), strict=True)],
        processes=[
            jr.Pump("pump", "0 -> 3", rate=0.0),
            jr.Decay("relax", "3 -> 2", rate="1e12 s^-1"),
            line,
            jr.Decay("quench", "2 -> 0", rate=0.0),
            jr.Decay("empty", "1 -> 0", rate=0.0),
        ],
        density=DENSITY,
    )


def filled(gain: Any) -> dict[str, Any]:
    """Populations of a small-signal gain of the whole medium."""
    upper = np.log(gain) / (DENSITY * SIGMA * LENGTH)
    return {"2": upper, "0": 1 - upper}


GAIN, FLUENCE = np.array([3.0, 100.0, 100.0, 3.0, 0.5, 20.0]), np.array([1.0, 0.1, 2.0, 0.5, 0.7, 0.5])
"""Small-signal gain, and fluence over that of saturation."""
ABSORPTION = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
EMPTY = np.array([0.0, 0.0, 1e18, 0.0, 0.0, 1e8])
START = {
    "2": np.where(GAIN > 1, np.log(GAIN), 0.0) / (DENSITY * SIGMA * LENGTH),
    "1": np.where(GAIN < 1, -np.log(GAIN), 0.0) / (DENSITY * SIGMA * LENGTH),
}
START["0"] = 1 - START["1"] - START["2"]
BY = np.where((ABSORPTION > 0) & (EMPTY == 0), 2.0, 1.0)
"""Cross-sections by which an event changes the gain: two where the lower level keeps what it gets."""


@cache
def limits() -> AmplifiedPulse:
    """No absorption; a lower level that empties at once, or never; an absorber; one that empties in the pulse."""
    theta = {**QUIET, "laser.absorption_factor": ABSORPTION, "empty.rate": EMPTY}
    return amplify_pulse(
        medium(), theta, length=LENGTH, fluence=FLUENCE * SATURATION, shape=GAUSSIAN, start=START, points=24
    )


EXACT = slice(0, 5)


def test_frantz_and_nodvik():
    found = limits()
    assert not np.any(found.status)
    expected = frantz_nodvik(BY * FLUENCE, GAIN) / BY
    close(found.output_fluence[EXACT] / SATURATION, expected[EXACT], 1e-8)
    close(found.output_fluence[0] / SATURATION, 1.8172397, 3e-8)  # PHYSICS gives eight digits
    close(found.output_fluence[1] / SATURATION, 2.443832176, 1e-8)


def test_a_lower_level_that_empties_in_the_pulse():
    """Against steps of Runge and Kutta, with trapezoids along the medium and Richardson's extrapolation."""
    coarse, middle, fine = (_stepped(slabs) for slabs in (50, 100, 200))
    first, second = (4 * middle - coarse) / 3, (4 * fine - middle) / 3
    close(limits().output_fluence[5], (16 * second - first) / 15, 1e-8)


def _stepped(slabs: int, steps: int = 1000) -> float:
    """Fluence that leaves, lane 5 of `limits`."""
    step = 8 * WIDTH / steps
    peak = FLUENCE[5] * SATURATION / WIDTH * 2 * np.sqrt(np.log(2) / np.pi)

    def change(t: float, y: np.ndarray) -> np.ndarray:
        net = y[0] - y[1]
        met = np.concatenate([[0.0], np.cumsum((net[1:] + net[:-1]) / 2)]) * LENGTH / slabs * DENSITY * SIGMA
        light = peak * np.exp(-4 * np.log(2) * (t / WIDTH) ** 2 + met)
        events = net * light / SATURATION
        return np.array([-events, events - EMPTY[5] * y[1], light])

    y = np.zeros((3, slabs + 1))
    y[0] = START["2"][5]
    for t in -4 * WIDTH + step * np.arange(steps):
        k = [change(t, y)]
        for share in (0.5, 0.5, 1.0):
            k.append(change(t + share * step, y + share * step * k[-1]))
        y = y + step / 6 * (k[0] + 2 * k[1] + 2 * k[2] + k[3])
    return float(y[2, -1])


def test_only_the_gain_in_all_counts():
    """By Frantz and Nodvik a profile of the inversion is its integral: here what an amplifier left, rising along z."""
    z, upper = np.linspace(0, 1, 9), filled(20.0)["2"]
    profile = np.stack([1 - 2 * z * upper, 0 * z, 2 * z * upper, 0 * z])
    theta = {**medium().parameters(), **QUIET, "laser.absorption_factor": 0.0, "empty.rate": 0.0}
    light = Light(None, tuple(z.tolist()), Rays(()))
    pumped = Solution(profile, np.int8(0), theta, compile_network(medium()), light=light)
    found = amplify_pulse(
        medium(), {**QUIET, "laser.absorption_factor": 0.0, "empty.rate": 0.0}, length=LENGTH,
        fluence=0.1 * SATURATION, shape=GAUSSIAN, start=pumped, points=24,
    )  # fmt: skip
    close(found.output_fluence / SATURATION, frantz_nodvik(0.1, 20.0), 1e-8)
    close(found.before[2], 2 * found.positions * upper, 1e-12, 1e-16)


def test_shape_of_the_pulse():
    r"""$I_o(t) = I_i/(1 - (1 - 1/G_0)e^{-J_i(t)/J_s})$, and its peak and width."""
    found = limits()
    t = found.times[:, None]
    met = FLUENCE * BY / 2 * (1 + erf(2 * np.sqrt(np.log(2)) * t / WIDTH))
    peak = FLUENCE * SATURATION / WIDTH * 2 * np.sqrt(np.log(2) / np.pi)
    entering = peak * np.exp(-4 * np.log(2) * (t / WIDTH) ** 2)
    expected = entering / (1 - (1 - 1 / GAIN) * np.exp(-met))
    close(found.intensities[0][1:-1], entering[1:-1], 1e-10)
    close(found.intensities[1][1:-1, EXACT], expected[1:-1, EXACT], 1e-8)
    close(found.fwhms[0], WIDTH, 1e-9)
    close(found.peak_intensities[0], peak, 1e-12)
    assert np.all(found.peak_times[1, :4] < 0)
    assert found.peak_times[1, 4] > 0
    assert np.all(found.peak_intensity[EXACT] >= expected.max(0)[EXACT] * (1 - 1e-12))


def test_photons_are_counted():
    """Budget, and extraction: with a lower level that keeps what it gets no more than half."""
    found = limits()
    close(found.budget, np.zeros((1, 6)), atol=1e-9)
    close(found.extraction[0], (found.output_fluence - found.input_fluence)[0] / SATURATION / np.log(3.0), 1e-9)
    assert 0.2 < found.extraction[3] < 0.5
    close(found.populations.sum(0), np.ones((65, 6)), 1e-12)
    events = (found.before - found.populations)[2].T @ _weights()
    close(events[:5] * DENSITY * LENGTH * h * c / WAVELENGTH, found.emitted[0, :5], 1e-8)


def _weights() -> np.ndarray:
    """Of the integral over the positions (Clenshaw and Curtis)."""
    points = 2 * limits().positions - 1
    moments = np.array([0.0 if k % 2 else 2.0 / (1 - k**2) for k in range(len(points))])
    return np.linalg.solve(np.polynomial.chebyshev.chebvander(points, len(points) - 1).T, moments) / 2


def test_residual_gain_is_that_of_the_next_weak_pulse():
    """By Frantz and Nodvik each slice keeps $g e^{-J(z)/J_s}$; what is left sums up to the gain of what follows."""
    found = limits()
    left = jr.Gain("laser")(found.residual)
    close(left.T[1] @ _weights() * LENGTH, np.log(1 / (1 - (1 - 1 / 100) * np.exp(-0.1))), 1e-8)
    again = amplify_pulse(
        medium(), {**QUIET, "laser.absorption_factor": 0.0, "empty.rate": 0.0}, length=LENGTH,
        fluence=1e-9 * SATURATION, shape=GAUSSIAN, start=found[1], points=24,
    )  # fmt: skip
    close(again.gain, 1 / (1 - (1 - 1 / 100) * np.exp(-0.1)), 1e-8)


def test_bad_lanes_keep_to_themselves():
    theta = {**QUIET, "laser.absorption_factor": ABSORPTION, "empty.rate": np.where(EMPTY == 1e8, np.nan, EMPTY)}
    fluence = np.where(GAIN < 1, -1.0, FLUENCE) * SATURATION
    found = amplify_pulse(medium(), theta, length=LENGTH, fluence=fluence, shape=GAUSSIAN, start=START, points=24)
    assert found.status.tolist() == [0, 0, 0, 0, 1, 1]
    assert np.all(np.isnan(found.left[0, 4:]))
    close(found.left[0, :4], limits().left[0, :4], 0)


def test_passes_meet_what_those_before_left():
    """Two passes of a pulse: by Frantz and Nodvik slice by slice, whatever the direction; then the medium relaxes."""
    theta = {**QUIET, "laser.absorption_factor": 0.0, "quench.rate": np.array([0.0, 4.0])}
    found = amplify_pulse(
        medium(), theta, length=LENGTH, fluence=0.1 * SATURATION, shape=GAUSSIAN, start=filled(20.0), passes=2,
        between=np.array([0.0, 1.0]), transmission=0.5, area="1 mm^2", points=24,
    )  # fmt: skip
    first = frantz_nodvik(0.1, 20.0)
    close(found.left[0, 0] / SATURATION, first, 1e-8)
    left = 1 / (1 - (1 - 1 / 20) * np.exp(-0.1))
    close(found.left[1, 0] / SATURATION, frantz_nodvik(first / 2, left), 1e-8)
    relaxed = left ** np.exp(-4.0)
    close(found.left[1, 1] / SATURATION, frantz_nodvik(found.left[0, 1] / 2 / SATURATION, relaxed), 1e-6)
    close(found.budget, np.zeros((2, 2)), atol=1e-9)
    assert all(word in str(found) for word in ("2 passes", "output energy", "peak power", "ns"))


def test_a_long_pulse_is_the_saturated_amplifier():
    r"""$\ln\frac{I_o}{I_i} + \frac{I_o-I_i}{I_{sat}} = \gamma_0L$ in the end, $1/\tau + W_p$ where the pump empties
    the ground state; a loss alone; and atoms that quench each other while a pulse too weak to count is there."""
    tau, duration, C = 230e-6, 40 * 230e-6, 1e-22
    rate, pump = np.array([1 / tau, 1 / tau, 2 / duration]), np.array([900.0, 0.0, 0.0])
    model = medium().with_process(jr.EnergyTransfer("up", "2 + 2 -> 2 + 0", coefficient=0.0))
    theta = {**QUIET, "laser.absorption_factor": 0.0, "quench.rate": rate, "pump.rate": pump, "empty.rate": 1e18}
    gain = 900 * tau / (1 + 900 * tau) * DENSITY * SIGMA * 0.01
    saturation = h * c / WAVELENGTH / SIGMA * (1 / tau + 900)
    upper = np.array([0.0, 0.0, 0.01])
    found = amplify_pulse(
        model, {**theta, "up.coefficient": np.array([0, 0, C])}, length="1 cm", start={"0": 1 - upper, "2": upper},
        fluence=0.3 * saturation * duration * np.array([1, 1, 1e-12]), loss=np.array([0, 7.0, 0]),
        shape=([0, duration], [1, 1]), points=24,
    )  # fmt: skip
    close(found.intensities[1, -1, 0] / saturation, amplifier_output(gain, 0.3), 1e-8)
    close(found.intensities[1, -1, 1] / saturation, 0.3 * np.exp(-0.07), 1e-9)
    close(found.lost[0, 1] / found.entered[0, 1], -np.expm1(-0.07), 1e-9)
    close(found.fwhms[0], duration, 1e-9)
    quenched = 0.01 * np.exp(-2) / (1 + 0.01 * C * DENSITY * duration / 2 * -np.expm1(-2))
    close(found.populations[2, :, 2], quenched, 1e-8)


@pytest.mark.long
def test_derivatives_are_those_of_frantz_and_nodvik():
    """By fluence and by length, forward."""

    def out(fluence: Any, length: Any) -> Any:
        theta = {**QUIET, "laser.absorption_factor": 0.0}
        return amplify_pulse(
            medium(), theta, length=length, fluence=fluence, shape=GAUSSIAN, start=filled(20.0), points=24
        ).output_fluence

    with jax.enable_x64(True):
        point = (np.float64(0.4 * SATURATION), np.float64(LENGTH))
        by_fluence, by_length = jax.jit(jax.jacfwd(out, (0, 1)))(*map(jax.numpy.asarray, point))
    x = 20 * np.expm1(0.4)
    close(by_fluence, 20 * np.exp(0.4) / (1 + x), 1e-6)
    close(by_length, SATURATION * x / (1 + x) * np.log(20.0) / LENGTH, 1e-6)


def test_plots_have_units():
    found = limits()
    one = found[1]
    ax = amplified_pulse(one)
    assert ax.get_xlabel().startswith(r"time ($\mathrm{ns}")
    assert len(ax.lines) == 2
    ax = residual_gain(one)
    assert ax.get_xlabel().startswith(r"position ($\mathrm{mm}")
    assert ax.get_ylabel().startswith("gain (")
    refused(lambda: amplified_pulse(found), "one ensemble", "(6,)")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"fluence": None}, ("fluence", "energy", "area")),
        ({"energy": "1 mJ"}, ("fluence", "energy", "area")),
        ({"length": 0.0}, ("length", "positive")),
        ({"fluence": "1 J"}, ("fluence",)),
        ({"shape": 3}, ("jr.pulse.Gaussian",)),
        ({"shape": jr.pulse.Square(1, start=0, stop=np.inf)}, ("stop",)),
        ({"shape": jr.pulse.Gaussian(1, centre=0, fwhm=1e-9, base=0.1)}, ("base=0",)),
        ({"line": "lasre"}, ("did you mean `laser`",)),
        ({"theta": {"pump.raet": 1.0}}, ("did you mean `pump.rate`",)),
        ({"transmission": 1.1}, ("transmission", "from 0 to 1")),
        ({"passes": 0}, ("passes", "from 1 on")),
        ({"direction": "back"}, ("alternate",)),
        ({"times": [0.0, 1.0]}, ("within the pulse",)),
    ],
)
def test_bad_statements(given: dict[str, Any], words: tuple[str, ...]):
    stated = {"length": LENGTH, "fluence": 1.0, "shape": GAUSSIAN, **given}
    refused(lambda: amplify_pulse(medium(), **stated), *words)


def test_media_that_no_pulse_runs_through():
    state = {"length": 1.0, "fluence": 1.0, "shape": GAUSSIAN}
    mode = jr.Cavity("cavity", couples="laser", photon_lifetime="10 ns", mode_volume="1 mm^3")
    refused(lambda: amplify_pulse(medium().with_process(mode), **state), "Cavity")
    gas = jr.Radiative("laser", "2 -> 1", A="1e6 s^-1", wavelength=WAVELENGTH, lineshape=jr.Gaussian(fwhm="1 GHz"))
    refused(lambda: amplify_pulse(medium().with_process(gas), **state), "inhomogeneous", "mixing='fast'")
    crowded = medium().with_process(jr.EnergyTransfer("up", "2 + 2 -> 2 + 0", coefficient=1e-22))
    refused(lambda: amplify_pulse(crowded, **state, passes=2, between="1 us"), "between", "up")


def test_a_wavelength_outside_the_table_is_refused_with_the_range():
    spectrum = jr.Spectrum([1000.0, 1030.0, 1060.0], [1e-21, 2e-20, 1e-21], ("nm", "cm^2"))
    line = jr.Radiative("laser", "up -> low", emission=spectrum, absorption=spectrum)
    yb = jr.Model(
        [jr.Level("low", energy="0 cm^-1"), jr.Level("up", energy="9700 cm^-1")], [line], "1e25 m^-3", "300 K"
    )
    state = {"length": 1.0, "fluence": 1.0, "shape": GAUSSIAN}
    refused(lambda: amplify_pulse(yb, wavelength="1100 nm", **state), "1000 nm", "1060 nm", "1100 nm")
