"""Classes of inhomogeneous lines: holes, and how Doppler and Voigt lines saturate, against closed forms."""

from dataclasses import replace
from functools import cache
from math import log, sqrt
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import c, h
from jaxrate.experiment_file import experiment_table, read_experiment
from jaxrate.network.classes import Light, Nodes, cross_sections, place, probe_sections
from jaxrate.network.compile import compile_network
from jaxrate.physics import lineshape, saturation
from tests.refusal import refused
from tests.tolerance import close

SIGMA = 1e9
FWHM = SIGMA * sqrt(8 * log(2))
NARROW = 2e6
"""Homogeneous width [Hz]: a thousandth of the inhomogeneous standard deviation, to either side."""
CLASSES = 200


def gas(lineshape: Any, mixing: Any = None, *more: Any) -> jr.Model:
    """An inverted line, pumped from a ground state far below, with light on it."""
    levels = [jr.Level("0", energy="0 eV"), jr.Level("l", energy="1 eV", g=3), jr.Level("u", energy="3 eV", g=5)]
    line = jr.Radiative("line", "u -> l", A="1e6 s^-1", lineshape=lineshape, mixing=mixing)
    rates = [jr.Pump("pump", "0 -> u", rate="1e4 s^-1"), jr.Decay("empty", "l -> 0", rate="5e7 s^-1")]
    beam = jr.Beam("beam", drives="line", intensity="0 W/m^2")
    return jr.Model(levels, [line, *rates, beam, *more], density="1e18 m^-3", temperature="400 K")


def sites(fwhm: float = NARROW) -> jr.Voigt:
    return jr.Voigt(fwhm_lorentzian=fwhm, fwhm_gaussian=FWHM)


MODEL = gas(sites())
CENTRE = MODEL.parameters()["line.frequency"]
READ: dict[str, Any] = {"gain": jr.Gain("line"), "power": jr.NetPower("line"), "u": jr.Population("u")}
BENCH = jr.Experiment(MODEL, jr.Steady(classes=CLASSES), READ)


@cache
def narrowest() -> float:
    """Intensity that halves the inversion of atoms at their centre, by their homogeneous width [W m^-2 Hz^-1]."""
    alone = gas(jr.Lorentzian(fwhm=1e6))
    return float(jr.SaturationIntensity("line")(jr.steady_state(alone))) / 1e6


def resonant_saturation(fwhm: Any) -> Any:
    """Intensity that halves the inversion of a class at its centre: that of the same line without the Gaussian."""
    return narrowest() * fwhm


@pytest.fixture(scope="module")
def voigt() -> dict[str, Any]:
    """A saturated Voigt line at intensities, detunings and widths; the last row of detunings is far off resonance."""
    s = np.array([0.0, 1e-3, 1.0, 8.0, 100.0])
    detuning = SIGMA * np.array([0.0, 0.7, -3.0])[:, None]
    width = np.array([NARROW, 3e8, 4e9])[:, None, None]
    theta = {
        "beam.intensity": s * resonant_saturation(width),
        "beam.frequency": CENTRE + detuning,
        "line.fwhm_lorentzian": width,
    }
    return {"s": s, "detuning": detuning, "width": width, "theta": theta, **BENCH(theta)}


def test_any_voigt_line_saturates_as_the_closed_form_says(voigt: dict[str, Any]):
    """V(nu; sigma, gamma sqrt(1+s)) / sqrt(1+s): at the centre and off it, narrow and wide, weak and strong."""
    s, detuning, width = (voigt[name] for name in ("s", "detuning", "width"))
    law = saturation.saturated_voigt(detuning, FWHM, width, s) / lineshape.voigt(detuning, FWHM, width)
    close(voigt["gain"] / voigt["gain"][..., :1], law, 1e-8, what="saturated gain")


def test_without_light_classes_are_as_if_they_mixed(voigt: dict[str, Any]):
    dark = {**voigt["theta"], "beam.intensity": 0.0}
    fast = jr.Experiment(gas(sites(), "fast"), jr.Steady(), READ)(dark)
    close(voigt["gain"][..., :1], fast["gain"], 1e-8)
    close(voigt["u"][..., :1], fast["u"], 1e-12)


def test_power_that_atoms_give_is_what_light_gains(voigt: dict[str, Any]):
    """Net power of the line is summed over classes, and is gain times intensity."""
    close(voigt["power"], voigt["gain"] * voigt["theta"]["beam.intensity"], 1e-8)


def test_a_doppler_line_saturates_by_the_root():
    """Far narrower than the Gaussian: gamma0 / sqrt(1 + s), of classes of velocity; derivatives too."""
    mass, s = 3.3e-26, np.array([1e-9, 0.5, 8.0])
    theta = {"line.fwhm_lorentzian": 2e4, "temperature": 400.0, "beam.intensity": s * resonant_saturation(2e4)}
    model = gas(jr.Voigt(fwhm_lorentzian=2e4, mass=mass))
    bench = jr.Experiment(model, jr.Steady(classes=300), {"gain": jr.Gain("line")})
    found, slopes = bench.value_and_grad(theta, ["beam.intensity", "temperature"])
    close(found["gain"] / found["gain"][0], (1 + s) ** -0.5, 1e-4)
    by_light = slopes["gain"]["beam.intensity"] * theta["beam.intensity"] / found["gain"]
    close(by_light, -s / 2 / (1 + s), 1e-3)
    close(slopes["gain"]["temperature"] * 400 / found["gain"], -0.5, 1e-3)  # as one over the Doppler width


FINE = NARROW / 100
AWAY = FINE * np.array([0.0, 1.0, -2.0, 2.0, 5.0, 50.0, 2000.0])


def test_a_weak_probe_sees_the_hole():
    """FWHM gamma (1 + sqrt(1 + S)), 4 gamma at S = 8, in a Gaussian far wider, which the derivation takes as flat.

    Inside a program, from a solution, and in a function of one; whole cross-sections are those of the line.
    """
    read = {"gain": jr.Gain("line", frequency=CENTRE + AWAY), "sigma": jr.CrossSection("line", frequency=CENTRE + AWAY)}
    theta = {"beam.intensity": np.array([0.0, 8.0]) * resonant_saturation(FINE), "line.fwhm_lorentzian": FINE}
    found = jr.Experiment(MODEL, jr.Steady(classes=CLASSES), read | {"own": lambda state: read["gain"](state)})(theta)
    dark, burnt = found["gain"].T
    hole, width = 1 - burnt / dark, FINE * (1 + sqrt(1 + 8))
    close(hole[2:4] / hole[0], 0.5, 1e-4)
    close(hole / hole[0], 1 / (1 + (2 * AWAY / width) ** 2), 1e-3)
    close(found["own"], found["gain"])
    whole = np.asarray(lineshape.voigt(AWAY, FWHM, FINE))[:, None] / lineshape.voigt(0.0, FWHM, FINE)
    close(found["sigma"] / found["sigma"][0], whole, 1e-5)  # it is in proportion to the frequency of the light too
    state = jr.steady_state(MODEL, theta, classes=CLASSES)
    close(read["gain"](state), found["gain"], 1e-12)
    close(np.sum(state.classes.weight * state.classes.populations, axis=1), state.populations, 1e-12)


def saturated(nodes: Nodes, frequency: Any, S: Any, sections: Any = cross_sections) -> Any:
    """Gain over that of an atom at its centre, of a line that light of strength S at `LIGHT` saturates."""
    profile = sections(LINE, THETA, nodes, frequency)[0] / PEAK
    burning = cross_sections(LINE, THETA, nodes, LIGHT)[0] / PEAK
    return jnp.sum(nodes.weight * profile / (1 + S * burning), axis=0)


LINE, THETA, LIGHT = compile_network(MODEL).line("line"), {**MODEL.parameters(), "line.B": 1.0}, CENTRE + SIGMA / 2
PEAK = h * CENTRE / c * lineshape.peak_lorentzian(NARROW)


def nodes_at(num: int, *lights: float) -> Nodes:
    return place([Light(LINE, jnp.array([light])) for light in lights], THETA, num)


@pytest.mark.parametrize("away", [0.5, 20.0, -700.0])
def test_probes_are_right_between_the_classes(away: float):
    """Against many classes, which crowd at the probe too; permuted and doubled classes change nothing."""
    with jax.enable_x64(True):
        probe = LIGHT + away * NARROW
        nodes, order = nodes_at(2 * CLASSES, LIGHT, probe), np.random.default_rng(1).permutation(2 * CLASSES)
        want = saturated(nodes, probe, 5.0)
        close(saturated(nodes_at(CLASSES, LIGHT), probe, 5.0, probe_sections), want, 1e-7)
        shuffled = replace(nodes, position=nodes.position[order], weight=nodes.weight[order])
        close(saturated(shuffled, probe, 5.0), want, 1e-13)


def test_light_of_the_other_direction_meets_atoms_of_the_opposite_velocity():
    """Classes of velocity, not those of sites."""
    with jax.enable_x64(True):
        moving, nodes = replace(LINE, shape="voigt-doppler"), nodes_at(CLASSES, LIGHT)
        theta = {**THETA, "line.mass": 3.3e-26}
        there = cross_sections(moving, theta, nodes, jnp.array([[CENTRE + 1e8], [CENTRE - 1e8]]), direction=1)[0]
        back = cross_sections(moving, theta, nodes, jnp.array([[CENTRE - 1e8], [CENTRE + 1e8]]), direction=-1)[0]
        assert there.shape == (CLASSES, 2, 1)
        close(there, back, 1e-6)
        with_it, against = (cross_sections(LINE, THETA, nodes, LIGHT, direction=d)[0] for d in (1, -1))
        close(with_it, against)


def test_saturated_doppler_amplifier():
    """dI/dz = alpha I / sqrt(1 + I), G0 = 1000, s = 0.1: the gain is 78.9748."""
    with jax.enable_x64(True):
        theta = {**THETA, "line.fwhm_lorentzian": 2e3}
        nodes = place([Light(LINE, jnp.array([CENTRE]))], theta, CLASSES)
        profile = cross_sections(LINE, theta, nodes, CENTRE)[0][:, 0]
        weight, peak = nodes.weight[:, 0] * profile, h * CENTRE / c * lineshape.peak_lorentzian(2e3)

        def slope(y: Any) -> Any:
            return log(1000) * jnp.sum(weight / (1 + jnp.exp(y) * profile / peak)) / jnp.sum(weight)

        def step(y: Any, _: None) -> Any:
            first = slope(y)
            second = slope(y + 0.005 * first)
            third = slope(y + 0.005 * second)
            return y + 0.01 / 6 * (first + 2 * second + 2 * third + slope(y + 0.01 * third)), None

        y, _ = jax.lax.scan(step, jnp.log(0.1), None, length=100)
        close(jnp.exp(y) / 0.1, 78.9748, 1e-5)


def test_too_few_classes_are_a_status_and_touch_no_other_lane():
    theta = {
        "beam.intensity": np.array([0.0, 1.0, 1.0]) * resonant_saturation(NARROW),
        "line.fwhm_lorentzian": np.array([NARROW, NARROW, 1e10]),
    }
    state = jr.steady_state(MODEL, theta, classes=60)
    assert list(state.status) == [jr.Status.OK, jr.Status.UNRESOLVED, jr.Status.OK]
    assert list(np.isnan(state["u"])) == [False, True, False]
    assert "raise `classes`" in jr.Status.UNRESOLVED.message


@pytest.mark.long
def test_a_hole_is_burnt_and_fills_again():
    """Exact in time: a switched beam burns towards the steady hole, and what it burnt relaxes in the dark."""
    times = np.array([0.0, 1e-7, 1e-4, 1.2e-4])
    drive = {"beam.intensity": jr.Segments([(0, 1e-4, resonant_saturation(NARROW)), (1e-4, np.inf, 0.0)])}
    solver = jr.Evolve(times, drive=drive, classes=CLASSES)
    bench = jr.Experiment(MODEL, solver, {"gain": jr.Gain("line"), "decay": jr.DecayTime("line")})
    found, steady = bench(), BENCH({"beam.intensity": np.array([0.0, 1.0]) * resonant_saturation(NARROW)})
    close(found["gain"][2:], steady["gain"][::-1], 1e-6)
    assert np.isfinite(found["decay"])


@pytest.mark.long
def test_a_path_keeps_its_classes():
    """Read afterwards as in the program."""
    times, theta = np.array([0.0, 1e-7, 1e-4]), {"beam.intensity": resonant_saturation(NARROW)}
    path = jr.evolve(MODEL, theta, times, classes=CLASSES)
    found = jr.Experiment(MODEL, jr.Evolve(times, classes=CLASSES), {"gain": jr.Gain("line")})(theta)
    close(jr.Gain("line")(path), found["gain"], 1e-10)
    assert path.classes.populations.shape == (3, CLASSES, 3)
    refused(lambda: jr.evolve(MODEL, None, times, start=path, classes=CLASSES), "`start`", "classes")


def test_what_classes_cannot_solve_is_refused():
    def state(model: jr.Model, classes: Any = CLASSES) -> Any:
        return lambda: jr.steady_state(model, classes=classes)

    refused(state(gas(jr.Gaussian(fwhm=FWHM))), "`line`", "no homogeneous width", "jr.Voigt(", "fwhm_gaussian")
    refused(state(gas(jr.Doppler(mass="20 amu"))), "`line`", "jr.Voigt(", "mass='20 amu'")
    refused(state(MODEL, None), "`line`", "`beam` burns a hole", "classes=200", "mixing='fast'")
    for number in (3, 2.5, True, "200"):
        refused(state(MODEL, number), "`classes`", "200")
    transfer = jr.EnergyTransfer("transfer", "u + l -> 0 + 0", coefficient="1e-20 m^3/s")
    refused(state(gas(sites(), None, transfer)), "`transfer` couples the classes of `line`", "mixing='fast'")
    second = jr.Radiative("second", "u -> 0", A=1e5, lineshape=sites())
    refused(state(gas(sites(), None, second, jr.Beam("b", "second", 1.0))), "`line`", "`second`", "sites")
    moved = {"beam.frequency": jr.Segments([(0, np.inf, CENTRE)])}
    refused(lambda: jr.evolve(MODEL, None, [0.0, 1e-6], drive=moved, classes=CLASSES), "`beam.frequency`", "drive")


def test_lines_of_moving_atoms_share_their_holes():
    """Light on one line shows on another from the same level, which moves in proportion to its frequency."""
    mass = 3.3e-26
    other = jr.Radiative("other", "u -> 0", A="1e5 s^-1", lineshape=jr.Voigt(fwhm_lorentzian=NARROW, mass=mass))
    sharp = jr.Radiative("sharp", "u -> 0", A="1e5 s^-1", lineshape=jr.Doppler(mass=mass))
    model = gas(jr.Voigt(fwhm_lorentzian=NARROW, mass=mass), None, other, sharp)
    theta = model.parameters()
    ratio = theta["other.frequency"] / theta["line.frequency"]
    probe = theta["other.frequency"] + ratio * 3e8 + np.array([0.0, -3e7, 3e7])
    emitted = jr.Experiment(model, jr.Steady(classes=CLASSES), {"gain": jr.Gain("other", frequency=probe)})
    light = {"beam.frequency": theta["line.frequency"] + 3e8, "beam.intensity": np.array([0.0, 3e2])}
    gain = emitted(light)["gain"]
    hole = gain[:, 0] - gain[:, 1]
    assert hole[0] > 20 * max(abs(hole[1:]))
    unread = jr.Experiment(model, jr.Steady(classes=CLASSES), {"gain": jr.Gain("sharp")})
    refused(lambda: unread(light), "`sharp`", "jr.Voigt(")


@pytest.mark.parametrize("solver", [jr.Steady(classes=50), jr.Evolve([0.0, 1e-6], classes=50)])
def test_files_hold_classes(solver: Any):
    bench = jr.Experiment(MODEL, solver, {"gain": jr.Gain("line")})
    table = experiment_table(bench)
    assert table["steady" if isinstance(solver, jr.Steady) else "evolve"]["classes"] == 50
    found = read_experiment(table, MODEL).solver
    assert found == solver
    assert found != replace(solver, classes=51)
