"""Every medium that ships reproduces the published figures it is stated with, through the public observables."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

import jaxrate as jr
from jaxrate.cli.lasers import pump_parameter, strength
from jaxrate.constants import c, h, hbar, k, mu_0
from jaxrate.model.derived import fwhm, known_values
from jaxrate.model.model import Expected, Model
from jaxrate.network.compile import compile_network
from jaxrate.physics import lineshape
from jaxrate.solve.solution import Solution
from tests.refusal import refused
from tests.tolerance import close

MEDIA = {name: jr.media(name) for name in jr.list_media()}

Reading = Callable[[Solution, str], float]
READINGS: dict[str, Reading] = {
    "cross_section": lambda state, of: jr.CrossSection(of)(state),
    "saturation_intensity": lambda state, of: jr.SaturationIntensity(of)(state),
    "branching_ratio": lambda state, of: jr.BranchingRatio(of)(state),
    "lifetime": lambda state, of: jr.Lifetime(of)(state),
    "A": lambda state, of: jr.BranchingRatio(of)(state) / jr.Lifetime(upper(state.model, of))(state),
    "B": lambda state, of: state.parameters[f"{of}.B"],
    "wavelength": lambda state, of: c / state.parameters[f"{of}.frequency"],
    "fwhm": lambda state, of: width(state.model, of),
    "photon_lifetime": lambda state, of: known_values(state.model)[f"{of}.photon_lifetime"],
    "output_power": lambda state, of: jr.OutputPower(of)(state),
    "relaxation_frequency": lambda state, of: jr.RelaxationOscillation(of)(state),
    "threshold": lambda state, of: jr.threshold(state.model, strength(state.model, of)),
    "slope_efficiency": lambda state, of: slope(state, of),
}
"""How each quantity that can be expected is read off a steady state."""

STEP = 1.02
"""To how much more pump the second state of a nonlinear medium belongs, over the stated one: it gives slopes."""


def upper(model: Model, line: str) -> str:
    return model.radiative(line).sides[0][0]


def width(model: Model, line: str) -> float:
    return fwhm(model.radiative(line), model, known_values(model))


def cavity(model: Model) -> str:
    (label,) = (p.label for p in model.processes if isinstance(p, jr.Cavity))
    return label


def slope(state: Solution, of: str) -> float:
    """Output power gained by absorbed power, or by a parameter: the curve is straight above threshold."""
    power = jr.OutputPower(cavity(state.model))(state)
    is_pump = any(p.label == of for p in state.model.processes)
    pumped = jr.AbsorbedPump(of)(state) if is_pump else state.parameters[of]
    return np.diff(power)[0] / np.diff(pumped)[0]


@cache
def solved(name: str) -> Solution:
    """The steady state; of what photons or pairs of atoms make nonlinear also that of a little more pump."""
    model = MEDIA[name]
    if not compile_network(model).nonlinear:
        return jr.steady_state(model)
    pump = pump_parameter(model)
    assert pump is not None
    return jr.steady_state(model, {pump: model.parameters()[pump] * np.array([1.0, STEP])})


COMPILED = {"he-ne-laser", "dye-laser"}
"""Media whose steady state takes half a minute to compile."""


def expectations() -> list[Any]:
    pairs = [(name, expected) for name, model in MEDIA.items() for expected in model.expected]
    return [pytest.param(*pair, marks=[pytest.mark.long] if pair[0] in COMPILED else []) for pair in pairs]


@pytest.mark.parametrize(("name", "expected"), expectations(), ids=lambda x: x if isinstance(x, str) else x.title)
def test_published_figures(name: str, expected: Expected):
    state = solved(name)
    assert np.all(state.status == 0)
    found = float(np.ravel(READINGS[expected.quantity](state, expected.of))[0])
    assert found == pytest.approx(expected.si, rel=expected.tolerance), f"{found} {expected.unit}"


@pytest.mark.parametrize("name", MEDIA)
def test_every_number_has_its_source(name: str):
    model = MEDIA[name]
    assert model.expected
    assert model.source
    for stated in (*model.levels, *model.reservoirs, *model.processes):
        assert getattr(stated, "source", ""), f"{stated} has no source"


def test_the_three_figures_of_nd_yag():
    """Those that the demonstration prints beside the published ones, all within 5 %."""
    figures = {(e.quantity, e.of): (e.si, e.tolerance) for e in MEDIA["nd-yag"].expected}
    assert figures == {
        ("cross_section", "laser"): (pytest.approx(2.8e-23), 0.05),
        ("lifetime", "4F3/2"): (pytest.approx(230e-6), 0.05),
        ("saturation_intensity", "laser"): (pytest.approx(2.9e7), 0.05),
    }


def test_nd_yag_absorbs_until_it_is_pumped():
    """Detailed balance fills 4I11/2 to 4.8e-5 at 300 K; the pump that outweighs it lies near 0.07 per second."""
    pump = np.array([0.0, 0.06, 0.08, 100.0])
    state = jr.steady_state(MEDIA["nd-yag"], {"pump.rate": pump})
    assert (np.sign(jr.Gain("laser")(state)) == [-1, -1, 1, 1]).all()
    boltzmann = 12 / 10 * np.exp(-2111 / (0.695034800 * 300))
    assert state["4I11/2"][0] / state["4I9/2"][0] == pytest.approx(boltzmann, rel=1e-6)


def test_a_two_level_atom_saturates_and_never_inverts():
    """Its inversion is halved at the saturation intensity; in any light 2p only approaches g2/(g1 + g2)."""
    atom = MEDIA["two-level"]
    saturation = jr.SaturationIntensity("Lyman alpha")(jr.steady_state(atom))
    intensity = saturation * np.array([0.0, 1.0, 1e3, 1e12])
    state = jr.steady_state(atom, {"light.intensity": intensity})
    close(state["2p"], 0.75 * intensity / (intensity + saturation), rtol=1e-12)
    gain = jr.Gain("Lyman alpha")(state)
    assert (gain <= 0).all()
    close(gain[1], gain[0] / 2, rtol=1e-12)


def test_ruby_holds_its_energy_for_3_ms_and_is_transparent_near_half_excitation():
    """The lifetime is that of both levels of 2E; R1 is transparent where its lower one holds half as much as 4A2."""
    pump = 318.0
    state = jr.steady_state(MEDIA["ruby"], {"pump.rate": pump})
    excited, arriving = state["2E(E)"] + state["2E(2A)"], pump * state["4A2"] * 2e7 / (2e7 + 3e5)
    assert excited / arriving == pytest.approx(3e-3, rel=2e-3)
    assert state["2E(E)"] / state["4A2"] == pytest.approx(0.5, rel=0.01)
    assert excited == pytest.approx(0.5, rel=0.05)
    below, above = jr.Gain("R1")(jr.steady_state(MEDIA["ruby"], {"pump.rate": np.array([310.0, 325.0])}))
    assert below < 0 < above


def test_co2_without_a_pump_is_in_equilibrium():
    """Boltzmann between vibrations and, with the g stated for 300 K, between rotational levels; it absorbs."""
    gas = MEDIA["co2"]
    state = jr.steady_state(gas, {"N2.rate": 0.0})
    weights = np.array([level.g * np.exp(-(level.joules or 0.0) / (k * 300)) for level in gas.levels])
    close(state.populations, weights / weights.sum(), rtol=1e-5)
    assert jr.Gain("10P20")(state) < 0 < jr.Gain("10P20")(jr.steady_state(gas))


def test_a_laser_runs_and_its_photons_hold_the_inversion():
    """Twice as much pump, the same inversion: only spontaneous emission lets it rise, by 1e-9 and less."""
    laser = MEDIA["nd-yag-laser"]
    rates = jr.threshold(laser, "pump.rate") * np.array([0.5, 2.0, 4.0])
    state = jr.steady_state(laser, {"pump.rate": rates})
    inversion, photons = jr.Inversion("laser")(state), state["resonator"]
    assert photons[0] < 10 < 1e12 < photons[1]
    close(inversion[2], inversion[1], rtol=1e-9)


def test_triplets_end_a_dye_laser_without_quencher_and_flow():
    """In the dark T1 gathers what S1 loses to it; without a way out it absorbs more than S1 amplifies."""
    rates = {"quencher.rate": np.array([4e6, 0.0, 0.0]), "jet.rate": np.array([5e5, 1e7, 5e3])}
    threshold = jr.threshold(MEDIA["dye-laser"], "pump.rate", rates)
    assert np.isfinite(threshold).tolist() == [True, True, False]
    assert threshold[1] < threshold[0]


def test_a_maser_needs_flux_as_the_closed_form_says():
    """Kleppner et al. (1965): proportional to the rates of relaxation, to 1/Q and to 1/filling factor."""
    maser, Q = MEDIA["hydrogen-maser-oscillator"], np.array([35_000.0, 70_000.0])
    cavity = maser.process("resonator")
    stated = maser.with_process(replace(cavity, photon_lifetime="1 us"))
    stay = Q / (2 * np.pi * maser.parameters()["clock.frequency"])
    flux = jr.threshold(stated, "flux", {"resonator.photon_lifetime": stay})
    theta = known_values(maser)
    exchange = theta["spin_exchange.rate"] / theta["flux"] * flux
    relaxation = (1.3 + exchange) * (1.3 + exchange / 2)
    closed = 2 * hbar * (1.77e-3 / 0.4) * relaxation / (mu_0 * MU**2 * Q)
    close(flux, closed, rtol=2e-2)


MU = 9.2740e-24
"""Bohr magneton [J/T]; the formula is 2 hbar V g1 g2/(mu_0 mu_B^2 Q eta), half of the flux being in F=1 m=+1."""


def test_up_conversion_is_quadratic_and_outlives_its_level():
    """Green goes as the square of a weak pump, and fades with half the lifetime of 4I11/2, which feeds it by pairs."""
    weak = jr.steady_state(MEDIA["er-upconversion"], {"pump.rate": np.array([1e-4, 1e-3])})
    close(np.diff(np.log10(weak["4S3/2"])), [2.0], rtol=2e-3)
    close(np.diff(np.log10(weak["4I11/2"])), [1.0], rtol=1e-3)
    start = dict(zip(weak.model.level_names, weak.populations[:, 1], strict=True))
    path = jr.evolve(MEDIA["er-upconversion"], {"pump.rate": 0.0}, [0.0, 2e-3, 3e-3], start=start)
    close(np.log(path["4S3/2"][1] / path["4S3/2"][2]), 1e-3 / 2e-3, rtol=2e-2)


def test_two_for_one():
    """Each photon that thulium absorbs excites nearly two ions: as many decay by 3F4 as twice the pump, less 3H4's."""
    state = solved("tm-two-for-one")
    theta = known_values(state.model)
    absorbed = state.parameters["pump.rate"] * state["3H6"]
    by_itself = (theta["800 nm.rate"] + theta["2.3 um.rate"]) * state["3H4"]
    emitted = 100.0 * state["3F4"]
    close(emitted, 2 * (absorbed - by_itself) + theta["2.3 um.rate"] * state["3H4"], rtol=1e-6)
    assert np.all(emitted > 1.95 * absorbed)


def test_an_inhomogeneous_laser_must_say_that_its_classes_mix():
    laser = MEDIA["he-ne-laser"]
    red = replace(laser.radiative("red"), mixing=None)
    refused(lambda: jr.steady_state(laser.with_process(red)), "`red` is inhomogeneous", "`tube`", "mixing='fast'")


def test_an_unknown_medium_is_refused():
    refused(lambda: jr.media("nd_yag"), "`nd_yag` is not a medium", "did you mean `nd-yag`")


def one_line(temperature: str = "400 K", **line: Any) -> Model:
    """Two levels with one line at 473.612353604 THz."""
    levels = [jr.Level("a", energy=0.0, g=3), jr.Level("b", energy="473.612353604 THz", g=5)]
    return jr.Model(levels, [jr.Radiative("x", "b -> a", **line)], temperature=temperature)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (jr.Lorentzian("120 GHz"), 120e9),
        (jr.Gaussian("2 GHz"), 2e9),
        (jr.Doppler("19.9924401762 amu"), 1.517310e9),
        (jr.Voigt("120 GHz", fwhm_gaussian="1 mHz"), 120e9),
        (jr.Voigt("1 nHz", mass="19.9924401762 amu"), 1.517310e9),
        (jr.Voigt(2.0, fwhm_gaussian=np.sqrt(8 * np.log(2))), 3.601135677),
        (None, np.nan),
    ],
    ids=str,
)
def test_width_of_each_shape(shape: Any, expected: float):
    """Closed forms, the limits of a Voigt line, and one Voigt value between them."""
    close(width(one_line(A=1e7, lineshape=shape), "x"), expected, rtol=1e-6)


def test_width_of_a_voigt_line_is_where_it_falls_to_half():
    """It also agrees with Olivero and Longbothum, J. Quant. Spectrosc. Radiat. Transfer 17, 233 (1977), to 0.02 %."""
    for gaussian in (0.1, 1.0, 10.0):
        found = width(one_line(A=1e7, lineshape=jr.Voigt(1.0, fwhm_gaussian=gaussian)), "x")
        half = lineshape.voigt(found / 2, gaussian, 1.0)
        close(half, lineshape.peak_voigt(gaussian, 1.0) / 2)
        close(found, 0.5346 + np.sqrt(0.2166 + gaussian**2), rtol=2.5e-4)


def test_width_of_a_measured_spectrum():
    """That of the emission, between the crossings next to its peak; unknown where the table ends before them."""
    triangle = jr.Spectrum([469, 471, 473, 475], [0.0, 0.4, 2.0, 0.0], ("THz", "m^2"))
    close(width(one_line(emission=triangle), "x"), 474e12 - 471.75e12)
    close(width(one_line(emission=jr.Spectrum([470, 473], [0.0, 1.0], ("THz", "m^2"))), "x"), np.nan)
    shoulder = 0.4 * np.exp(h * 2e12 / (k * 300))  # McCumber's emission 2 THz below its peak of 2
    implied = 474e12 - 473e12 + 2e12 * 1 / (2 - shoulder)
    close(width(one_line("300 K", absorption=triangle), "x"), implied, rtol=1e-9)
