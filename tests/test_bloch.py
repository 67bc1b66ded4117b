"""`bloch_check` says where the optical Bloch equations and the rate equations agree, and where they do not."""

from functools import cache
from math import pi
from typing import Any

import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import c, h
from jaxrate.network.compile import compile_network
from jaxrate.observe.bloch_report import DrivenLine
from jaxrate.solve.solution import Solution
from tests.media import four_level
from tests.refusal import refused
from tests.systems import bloch
from tests.tolerance import close, same

STRONG = 1e7
"""Intensity [W m^-2] at which the Rabi frequency is 240 times the decay rate."""
MODEL = bloch.SYSTEMS[0].model
RATIOS = np.array([0.03, 0.1, 0.3, 1.0, 3.0])
"""Omega / gamma on resonance."""
APART = np.array([1.0, 3.0, 10.0])
"""Detuning / gamma at the second of these ratios."""


def lanes() -> dict[str, np.ndarray]:
    """On resonance with every ratio, then detuned; the beam has no width, so the line has all of it."""
    ratios = np.concatenate([RATIOS, np.full(len(APART), RATIOS[1])])
    gamma = bloch.rabi_frequency(STRONG) / ratios
    detuning = np.concatenate([np.zeros(len(RATIOS)), APART]) * gamma / (2 * pi)
    frequency = bloch.NU + detuning
    return {"beam.intensity": np.full(len(ratios), STRONG), "line.fwhm": gamma / pi, "beam.frequency": frequency}


@cache
def paths() -> tuple[np.ndarray, np.ndarray]:
    """Upper populations of the rate equations and of the Bloch equations, shape (time, lane)."""
    theta = lanes()
    times = np.concatenate([[0.0], np.geomspace(1e-13, 1e-6, 500)])
    rates = jr.evolve(MODEL, theta, times, start={"1": 1.0})["2"]
    exact = [bloch.path(light, width, nu, times) for light, width, nu in zip(*theta.values(), strict=True)]
    return rates, np.array(exact).T


def deviations() -> np.ndarray:
    """Largest difference as a share of the change, shape (lane,)."""
    rates, exact = paths()
    return np.max(np.abs(rates - exact), axis=0) / rates[-1]


def test_both_end_in_the_same_steady_state():
    rates, exact = paths()
    close(rates[-1], exact[-1], 1e-6)
    close(rates[-1], jr.steady_state(MODEL, lanes())["2"], 1e-6)


def test_the_deviation_of_transients_is_the_square_of_omega_over_gamma():
    """To leading order the estimate is the deviation itself; it is never less than that, on resonance or off it."""
    check, found = jr.bloch_check(MODEL, lanes()), deviations()
    estimate = check.deviation
    close(found[0], estimate[0], 0.02)
    close(found[:2], RATIOS[:2] ** 2 + check["line"].population_ratio[:2], 0.1)
    assert np.all(found <= estimate)
    assert np.all(found[-len(APART) :] >= 0.2 * estimate[-len(APART) :])


def test_the_verdict_follows_from_the_deviation():
    check = jr.bloch_check(MODEL, lanes())
    wanted = ["holds", "holds to 10 %", "holds to 10 %", "steady state only", "steady state only"]
    assert check.verdict[: len(RATIOS)].tolist() == wanted
    found = deviations()
    assert np.all(found[check.verdict == "holds"] <= 0.01)
    assert np.all(found[check.verdict == "holds to 10 %"] <= 0.1)
    assert np.all(found[: len(RATIOS)][wanted.index("steady state only") :] > 0.1)


def test_what_is_looked_at_later_than_coherence_lives_is_right():
    """With a time scale it is the share of the change within it that is missing."""
    rates, exact = paths()
    times = np.concatenate([[0.0], np.geomspace(1e-13, 1e-6, 500)])[1:]
    theta = {name: x[:, None] for name, x in lanes().items()}
    check = jr.bloch_check(MODEL, theta, timescale=times)
    found = (np.abs(rates - exact)[1:] / rates[1:]).T
    weak = slice(0, len(RATIOS))
    assert check.deviation.shape == found.shape
    assert np.all(found[weak] <= check.deviation[weak] * (1 + 1e-6) + 1e-9)
    assert np.all(found[check.verdict == "holds"] < 0.01)


def test_the_rabi_frequency_is_that_of_the_dipole_and_of_the_rates():
    theta = {**lanes(), "beam.fwhm": 1e9}
    pair = jr.bloch_check(MODEL, theta)["line"]
    close(pair.rabi_frequency, bloch.rabi_frequency(STRONG), 1e-12)
    network = compile_network(MODEL)
    values = network.parameters(network.base, theta)
    driven = [r for r in network.reactions if r.field == "beam"]
    rates = [r.law(r.form, r.constants, tuple(values[name] for name in r.names)) for r in driven]
    close(pair.driven_rate, sum(rates), 1e-12, what="W12 + W21")
    close(pair.light_rate, pi * 1e9, 1e-15)


def test_degeneracy_and_absorption_factor_enter_by_the_sum_of_both_rates():
    pair = jr.bloch_check(four_level(), {"signal.intensity": 1e7, "laser.absorption_factor": 0.5})["laser"]
    emission = 2.8e-23 * 1e7 / (h * c / 1064.15e-9)
    close(pair.driven_rate, emission * (1 + 0.5 * 4 / 12), 1e-9)


def test_a_crystal_line_holds_and_print_says_so():
    check = jr.bloch_check(four_level(), timescale="1 ns")
    assert check.verdict == "holds"
    close(
        check["laser"].population_rate,
        3e7 + 2900 + jr.einstein.A_from_B(four_level().parameters()["laser.B"], c / 1064.15e-9, n=1.82),
        1e-9,
    )
    text = str(check)
    assert "`signal` on `laser`: holds" in text
    assert "FWHM 1.2e+11 Hz" in text
    assert "1/(gamma T)" in text


def test_lanes_are_judged_one_by_one():
    """A bad one is NaN, and the others are as they are alone."""
    theta = {"beam.intensity": np.array([[1.0], [np.nan], [-1.0]]), "line.fwhm": np.array([1e8, 1e12])}
    check = jr.bloch_check(MODEL, theta)
    assert check.verdict.shape == (3, 2)
    assert np.all(check.verdict[1:] == "bad input")
    assert np.all(np.isnan(check.deviation[1:]))
    alone = jr.bloch_check(MODEL, {"beam.intensity": 1.0, "line.fwhm": 1e12})
    same(alone.deviation, check.deviation[0, 1])
    assert alone.verdict == check.verdict[0, 1]
    assert "4 x bad input" in str(check)


def doppler(lineshape: Any) -> jr.Model:
    line = jr.Radiative("line", "2 -> 1", A="1e6 s^-1", frequency=4e14, lineshape=lineshape, mixing="fast")
    levels = [jr.Level("1"), jr.Level("2")]
    return jr.Model(levels, [line, jr.Beam("beam", drives="line", intensity="1 W/m^2")], temperature="300 K")


@pytest.mark.parametrize("lineshape", [jr.Gaussian(fwhm="1 GHz"), jr.Doppler(mass="20 amu")], ids=repr)
def test_a_width_that_is_not_stated_is_that_of_the_lifetimes(lineshape: Any):
    check = jr.bloch_check(doppler(lineshape))
    close(check["line"].gamma, 5e5, 1e-9)
    assert check.verdict == "width needed"
    assert "homogeneous={'line': '1 GHz'}" in str(check)
    known = jr.bloch_check(doppler(lineshape), homogeneous={"line": "100 MHz"})
    close(known["line"].gamma, pi * 1e8, 1e-12)
    assert known.verdict == "holds"
    same(known["line"].rabi_frequency, check["line"].rabi_frequency)


def test_of_a_voigt_line_the_lorentzian_counts():
    pair = jr.bloch_check(doppler(jr.Voigt(fwhm_lorentzian="50 MHz", fwhm_gaussian="1 GHz")))["line"]
    close(pair.coherence_rate, pi * 5e7, 1e-12)


def test_a_line_narrower_than_its_lifetimes_fails():
    check = jr.bloch_check(MODEL, {"line.fwhm": bloch.A / (2 * pi) * np.array([0.5, 1.0])})
    assert check.verdict.tolist() == ["fails", "steady state only"]
    assert f"at least {bloch.A / (2 * pi):.4g} Hz" in str(check)


def raman(apart: float) -> Any:
    """Two strong beams from two ground levels to one upper level, detuned from the two-photon resonance [Hz]."""
    levels = [jr.Level("a"), jr.Level("b"), jr.Level("e")]
    shape = jr.Lorentzian(fwhm="10 MHz")
    lines = [jr.Radiative(f"e{x}", f"e -> {x}", A="1e7 s^-1", frequency=4e14, lineshape=shape) for x in "ab"]
    beams = [
        jr.Beam(f"to {x}", drives=f"e{x}", intensity=1e3, frequency=4e14 + y) for x, y in (("a", 0.0), ("b", apart))
    ]
    return jr.bloch_check(jr.Model(levels, [*lines, *beams]))


def test_a_raman_resonance_fails():
    assert raman(0.0).verdict == "fails"
    assert "Raman" in str(raman(0.0))
    assert raman(1e12).verdict == "steady state only"


def maser(photon_lifetime: float, detuning: float = 5e6) -> jr.Model:
    """Detuned by half the width of its line."""
    line = jr.Radiative("line", "2 -> 1", A="1e3 s^-1", frequency="1 THz", lineshape=jr.Lorentzian(fwhm="10 MHz"))
    cavity = jr.Cavity(
        "cavity", "line", photon_lifetime, mode_volume="1e-6 m^3", overlap=0.5, frequency=1e12 + detuning
    )
    return jr.Model([jr.Level("1"), jr.Level("2")], [line, cavity], density="1e15 m^-3")


def solved(model: jr.Model, photons: Any) -> Solution:
    """A state with so many photons."""
    rows = np.stack([np.broadcast_to(x, np.shape(photons)) for x in (0.5, 0.5, photons)])
    return Solution(rows, np.zeros(np.shape(photons)), model.parameters(), compile_network(model))


def test_photons_of_a_cavity_drive_like_a_beam_of_their_energy():
    """The rates are those of the network: its coefficient times the density of photons."""
    photons = np.array([0.0, 1e3, 1e9])
    model = maser(1e-6)
    pair = jr.bloch_check(model, state=solved(model, photons))["line"]
    network = compile_network(model)
    values = network.parameters(network.base, {})
    driven = [r for r in network.reactions if r.field == "cavity" and len(r.reactants) == 2]
    rates = sum(r.law(r.form, r.constants, tuple(values[name] for name in r.names)) for r in driven)
    close(pair.driven_rate, rates * photons / 1e-6, 1e-12)
    close(pair.cavity_ratio, 0.5e6 / (pi * 1e7), 1e-12)


def test_a_bad_cavity_is_no_rate_equation_in_time():
    good, bad, pulled = maser(1e-6), maser(1e-10, 0.0), maser(1e-10)
    assert jr.bloch_check(good, state=solved(good, 1e3)).verdict == "holds to 10 %"
    assert jr.bloch_check(bad, state=solved(bad, 1e3)).verdict == "steady state only"
    assert jr.bloch_check(pulled, state=solved(pulled, 1e3)).verdict == "fails"


def test_rates_that_depend_on_populations_are_those_of_the_state():
    """Two atoms that quench each other: each is lost at 2 k N n."""
    k, N, n = 1e-15, 1e20, np.array([0.0, 0.25])
    quench = jr.EnergyTransfer("quench", "2 + 2 -> 1 + 1", coefficient=k)
    model = MODEL.replace(processes=[*MODEL.processes, quench], density=N)
    state = Solution(np.stack([1 - n, n]), np.zeros(2), model.parameters(), compile_network(model))
    close(jr.bloch_check(model, state=state)["line"].upper_rate, bloch.A + 2 * k * N * n, 1e-9)


def test_the_second_threshold_is_that_of_the_lorenz_equations():
    """Where the laser's own Maxwell-Bloch equations have a growing solution around their steady state."""
    rng = np.random.default_rng(7)
    sigma, b, r = rng.uniform(0.5, 20, 300), rng.uniform(0.1, 3, 300), 1 + 10 ** rng.uniform(-1, 3, 300)
    x = np.sqrt(b * (r - 1))
    pair = DrivenLine(
        field="cavity", line="line", coherence_rate=1.0, light_rate=0.0, rabi_frequency=x, detuning=0.0,
        population_rate=b, upper_rate=b, photon_rate=sigma, lifetime_rate=0.0, timescale=None, stated=True,
    )  # fmt: skip
    one, zero = np.ones_like(x), np.zeros_like(x)
    jacobian = np.array([[-sigma, sigma, zero], [one, -one, -x], [x, x, -b]]).transpose(2, 0, 1)
    unstable = np.max(np.linalg.eigvals(jacobian).real, axis=1) > 0
    assert 50 < np.sum(unstable) < 250
    assert np.array_equal(pair.is_unstable, unstable)
    assert np.all(pair.verdict[unstable] == "fails")


def test_refusals():
    dark = jr.Model([jr.Level("1"), jr.Level("2")], [jr.Decay("decay", "2 -> 1", rate=1.0)])
    refused(lambda: jr.bloch_check(dark), "Beam", "Cavity")
    levels, line = [jr.Level("1"), jr.Level("2")], jr.Radiative("line", "2 -> 1", A=1.0, frequency=4e14)
    refused(lambda: jr.bloch_check(jr.Model(levels, [line, jr.Beam("beam", "line", 1.0)])), "`line`", "lineshape")
    refused(lambda: jr.bloch_check(MODEL, {"beam.intensty": 1.0}), "beam.intensty", "`beam.intensity`")
    refused(lambda: jr.bloch_check(MODEL, timescale="10 GHz"), "timescale", "10 GHz")
    refused(lambda: jr.bloch_check(MODEL, timescale=0.0), "timescale", "above zero")
    refused(lambda: jr.bloch_check(MODEL, {"line.fwhm": np.ones(2)}, timescale=np.ones(3)), "theta", "timescale")
    refused(lambda: jr.bloch_check(MODEL, homogeneous={"line": "1 GHz"}), "line.fwhm")
    refused(lambda: jr.bloch_check(MODEL, homogeneous={"lin": "1 GHz"}), "`lin`", "`line`")
    gaussian = doppler(jr.Gaussian(fwhm="1 GHz"))
    refused(lambda: jr.bloch_check(gaussian, homogeneous={"line": "1 W"}), "homogeneous.line", "1 W")
    refused(lambda: jr.bloch_check(gaussian, homogeneous={"line": 0.0}), "above zero")
    refused(lambda: jr.bloch_check(MODEL, state=solved(maser(1e-6), 1.0)), "another model")
    refused(lambda: jr.bloch_check(MODEL)["lin"], "`lin`", "`line`")
    nothing: Any = 3
    refused(lambda: jr.bloch_check(MODEL, state=nothing), "jr.steady_state")
