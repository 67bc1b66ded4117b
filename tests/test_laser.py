"""What laser people ask for, held to closed forms: threshold, slope, relaxation, pulses, modulation, thermal walls."""

from collections.abc import Callable
from functools import cache
from math import pi
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import c, h
from jaxrate.laser.measures import Trace, first_pulse
from jaxrate.laser.root import first_zero
from jaxrate.plot import modulation_response, power_curve, turn_on
from tests.refusal import refused
from tests.tolerance import close

TAU, TAU_C, SIGMA, VOLUME = 230e-6, 10e-9, 2.8e-23, 1e-8
AT_THRESHOLD = 1 / (c * SIGMA * TAU_C)
"""Inversion [m^-3] at which the ideal laser's gain is its loss."""


@cache
def ideal() -> jr.Model:
    """The four-level laser of textbooks: inversion and photons alone, no spontaneous seed."""
    return jr.Model(
        levels=[],
        reservoirs=[jr.Reservoir("inversion")],
        processes=[
            jr.Pump("pump", " -> inversion", rate=2 * AT_THRESHOLD / TAU),
            jr.Decay("decay", "inversion -> ", rate=1 / TAU),
            jr.StimulatedGain("gain", "inversion -> cavity", gain=jr.expr("sigma*inversion")),
            jr.Cavity("cavity", photon_lifetime=TAU_C, mode_volume=VOLUME, wavelength="1064 nm", output_coupling=0.8),
        ],
        parameters={"sigma": SIGMA},
    )


EMPTY, RELAX, QUENCH, DENSITY, INDEX = 3e7, 1e7, 3900.0, 1.38e26, 1.82


@cache
def four_level() -> jr.Model:
    """Nd:YAG in a cavity: pumped 0 -> 3, relaxes 3 -> 2, lases 2 -> 1, empties 1 -> 0, quenched 2 -> 0."""
    line = jr.Radiative(
        "laser",
        "2 -> 1",
        cross_section=SIGMA,
        wavelength="1064.15 nm",
        lineshape=jr.Lorentzian(fwhm="120 GHz"),
        n=INDEX,
    )
    return jr.Model(
        levels=[jr.Level(name, energy=f"{e} cm^-1") for name, e in zip("0123", (0, 2111, 11507, 12370), strict=True)],
        processes=[
            jr.Pump("pump", "0 -> 3", rate="100 s^-1"),
            jr.Decay("relax", "3 -> 2", rate=RELAX),
            line,
            jr.Decay("quench", "2 -> 0", rate=QUENCH),
            jr.Decay("empty", "1 -> 0", rate=EMPTY),
            jr.Cavity("cavity", couples="laser", photon_lifetime=TAU_C, mode_volume=VOLUME),
        ],
        density=DENSITY,
    )


def spontaneous() -> float:
    """A of its line [s^-1]."""
    return float(jr.einstein.A_from_B(four_level().parameters()["laser.B"], c / 1064.15e-9, n=INDEX))


def pump_at_threshold(lifetime: Any) -> Any:
    r"""Its pump rate at threshold by hand: $x = n_2 - n_1$ is the loss over the gain, $\dot n = 0$ in the dark."""
    A, x = spontaneous(), INDEX / (c * SIGMA * lifetime * DENSITY)
    return x * (A + QUENCH) / ((1 - A / EMPTY) - x * (1 + A / EMPTY + (A + QUENCH) / RELAX))


def test_threshold_is_exact():
    """Of any parameter, lane by lane: the pump rate of each lifetime, and back."""
    lifetimes = np.array([0.5, 1.0, 7.0]) * TAU_C
    found = jr.threshold(four_level(), "pump.rate", {"cavity.photon_lifetime": lifetimes})
    close(found, pump_at_threshold(lifetimes), 1e-12)
    close(jr.threshold(four_level(), "cavity.photon_lifetime", {"pump.rate": found}), lifetimes, 1e-12)


def test_a_laser_without_threshold_has_none():
    """More loss than all atoms can make good; it leaves its neighbour alone."""
    found = jr.threshold(four_level(), "pump.rate", {"cavity.photon_lifetime": np.array([1e-13, TAU_C])})
    close(found, np.array([np.nan, pump_at_threshold(TAU_C)]), 1e-12)


def test_power_curve_has_the_closed_slope():
    r"""$dP_o/dP_a = \frac{\nu_l}{\nu_p}/(1 + \frac{A+q}{k_1-A})$: level 1 fills a little, and level 2 with it."""
    r = np.array([0.5, 2.0, 5.0])
    curve = jr.power_curve(four_level(), "pump.rate", r * pump_at_threshold(TAU_C), start="hot")
    A = spontaneous()
    slope = (1 / 1064.15e-9) / 1237000 / (1 + (A + QUENCH) / (EMPTY - A))
    close(curve["slope_efficiency"].values[1:], slope, 1e-6)
    close(float(curve["threshold"]), pump_at_threshold(TAU_C), 1e-12)
    power, absorbed = curve["output_power"].values, curve["absorbed_power"].values
    close((power[2] - power[1]) / (absorbed[2] - absorbed[1]), slope, 1e-6)
    close(absorbed, h * c * 1237000 * DENSITY * VOLUME * curve["pump.rate"] * curve["level_population"][0], 1e-12)
    assert power[0] < 1e-9 * power[1]
    assert {name: curve[name].attrs["units"] for name in ("output_power", "threshold", "slope_efficiency")} == {
        "output_power": "W",
        "threshold": "s^-1",
        "slope_efficiency": "1",
    }
    words = power_curve(curve).get_title()
    assert "threshold 0.6738" in words
    assert "slope 76 %" in words


def ringing(r: Any) -> Any:
    """Relaxation frequency of the ideal laser [Hz], r times above threshold."""
    return np.sqrt((r - 1) / (TAU * TAU_C) - (r / (2 * TAU)) ** 2) / (2 * pi)


def test_the_ideal_laser_rings_and_pays_as_it_should():
    """Frequency 104.9414 kHz and damping r/2 tau at r = 2, with their derivatives; power and gain; below it is dark."""
    reads = {
        "frequency": jr.RelaxationOscillation("cavity"),
        "damping": jr.RelaxationDamping("cavity"),
        "growth": jr.DisturbanceGrowth(),
        "power": jr.OutputPower("cavity"),
        "gain": jr.GainOverLoss("cavity"),
    }
    r, unit = np.array([0.5, 2.0, 5.0]), AT_THRESHOLD / TAU
    found, slopes = jr.Experiment(ideal(), jr.Steady("hot"), reads).value_and_grad({"pump.rate": r * unit}, "pump.rate")
    close(found["frequency"][1], 104.9414e3, 1e-6)
    close(found["frequency"], [np.nan, *ringing(r[1:])], 1e-11)
    close(found["damping"], [np.nan, *r[1:] / (2 * TAU)], 1e-9)
    close(found["growth"], [-1 / TAU, *-r[1:] / (2 * TAU)], 1e-9)
    watts = h * c / 1064e-9 * 0.8 * VOLUME * AT_THRESHOLD / TAU
    close(found["power"][1:], watts * (r[1:] - 1), 1e-11)
    close(found["gain"], [0.5, 1.0, 1.0], 1e-12)
    by_r = (1 / (TAU * TAU_C) - r[1:] / (2 * TAU**2)) / (2 * ringing(r[1:]) * 4 * pi**2)
    close(slopes["frequency"]["pump.rate"] * unit, [np.nan, *by_r], 1e-9)


def wagner_lengyel(r: float) -> tuple[float, float]:
    """Share of the inversion that is extracted, and peak photons over the inversion at threshold."""
    x = 1 / r**2
    for _ in range(200):
        x = np.exp(-r * (1 - x))
    return 1 - x, r - 1 - np.log(r)


def test_q_switch_is_that_of_wagner_and_lengyel():
    """Without pump, decay and spontaneous light; r = 2 has the numbers of the reference, 0.7968121, 0.3068528."""
    found, begins = {}, {"pump.rate": 0.0, "decay.rate": 0.0}
    for r in (1.3, 2.0, 10.0):
        start = {"inversion": r * AT_THRESHOLD, "cavity": 1e4}
        found[r] = jr.q_switch(ideal(), begins, hold=0, start=start)
        extraction, peak = wagner_lengyel(r)
        close(found[r].extraction, extraction, 1e-6)
        close(found[r].peak_photons / (AT_THRESHOLD * VOLUME), peak, 1e-6)
        energy = h * c / 1064e-9 * 0.8 * r * extraction * AT_THRESHOLD * VOLUME
        close(found[r].energy, energy, 1e-6)
    close(found[2.0].energy / found[2.0].peak_power / TAU_C, 5.193, 1e-4)
    close(found[2.0].extraction, 0.7968121, 1e-6)
    # Photons grow by exp((r - 1) t / tau_c) at first, and the peak is no wider than its energy allows.
    assert 1.0 < found[2.0].build_up / TAU_C / np.log(found[2.0].peak_photons / 1e4) < 1.2
    assert 0.8 < found[2.0].fwhm * found[2.0].peak_power / found[2.0].energy < 1.0


@pytest.mark.long
def test_other_ways_to_the_same_pulse():
    """Held closed for a while in which nothing happens, or seen by gain switching; below threshold there is none."""
    begins, start = {"pump.rate": 0.0, "decay.rate": 0.0}, {"inversion": 2 * AT_THRESHOLD, "cavity": 1e4}
    closed = {"cavity.photon_lifetime": "1e9 s", "sigma": 0.0}
    held = jr.q_switch(ideal(), begins, closed=closed, hold="1 us", start=start)
    driven = jr.gain_switch(ideal(), begins, drive={}, window=(0, "2 us"), start=start)
    for name in ("energy", "peak_power", "fwhm", "build_up", "extraction"):
        close(getattr(driven, name), getattr(held, name), 1e-5, what=name)
    close(held.extraction, 0.7968121, 1e-6)
    assert "build up" in str(held)
    none = jr.q_switch(ideal(), begins, hold=0, start=start | {"inversion": 0.9 * AT_THRESHOLD})
    assert np.isnan(none.energy)
    assert none.status == jr.Status.OK


def test_a_pulse_is_found_however_long_the_window(monkeypatch: pytest.MonkeyPatch):
    """200 ns of one second: between two moments of the first look. With no closer look there is a status, no number."""
    theta, start = {"pump.rate": 0.0, "decay.rate": 0.0}, {"inversion": 2 * AT_THRESHOLD, "cavity": 1e4}
    found = jr.gain_switch(ideal(), theta, drive={}, window=(0, "1 s"), start=start)
    energy = h * c / 1064e-9 * 0.8 * 2 * wagner_lengyel(2.0)[0] * AT_THRESHOLD * VOLUME
    close(found.energy, energy, 1e-6)
    close(found.energy / found.peak_power / TAU_C, 5.193, 1e-4)
    monkeypatch.setattr("jaxrate.laser.watch.LOOKS", 1)
    missed = jr.gain_switch(ideal(), theta, drive={}, window=(0, "1 s"), start=start)
    assert missed.status == jr.Status.TOO_MANY_STEPS
    assert np.isnan([missed.energy, missed.peak_power, missed.fwhm, missed.build_up, missed.extraction]).all()


def test_a_line_in_a_laser_is_read_with_its_light_and_without():
    """What it gives to the cavity leaves it, below threshold too; the saturation intensity is that of the medium."""
    pumped = {"pump.rate": np.array([0.5, 3.0]) * pump_at_threshold(TAU_C)}
    state = jr.steady_state(four_level(), pumped)
    close(jr.NetPower("laser")(state), jr.OutputPower("cavity")(state) / VOLUME, 1e-9)
    close(jr.NetPower("laser", "cavity")(state), jr.NetPower("laser")(state))
    rest = [p for p in four_level().processes if p.label != "cavity"]
    medium = jr.steady_state(four_level().replace(processes=rest), pumped)
    close(jr.SaturationIntensity("laser")(state), jr.SaturationIntensity("laser")(medium), 1e-11)


def pairs() -> jr.Model:
    """Upper levels that meet quench each other."""
    return four_level().with_process(jr.EnergyTransfer("meet", "2 + 2 -> 2 + 0", coefficient="1e-23 m^3/s"))


@pytest.mark.long
def test_modulation_is_that_of_two_rate_equations_and_of_a_small_drive():
    r"""$H/H_0 = \omega_0^2/(\omega_0^2 - \omega^2 + 2i\gamma\omega)$, and what a drive of 0.01 % does in time."""
    f, r, pump = np.array([0.0, 1e3, 9e4, 1e6]), 2.0, 2 * AT_THRESHOLD / TAU
    H = jr.modulation_response(ideal(), f)
    square, turning = (r - 1) / (TAU * TAU_C), 2 * pi * f
    expected = square / (square - turning**2 + 1j * turning * r / TAU)
    steady = h * c / 1064e-9 * 0.8 * VOLUME
    close(H.real, steady * expected.real, 1e-9)
    close(H.imag, steady * expected.imag, 1e-9, 1e-12 * steady)
    assert H.attrs["units"] == "W m^3 s"
    times, start = (
        np.linspace(0, 3e-3, 2701),
        {"inversion": AT_THRESHOLD, "cavity": VOLUME * AT_THRESHOLD * TAU_C / TAU},
    )
    swing = {"pump.rate": lambda t: pump * (1 + 1e-4 * jnp.cos(2 * pi * 9e4 * t))}
    path = jr.evolve(ideal(), {}, times, start=start, drive=swing, rtol=1e-10)
    power, phase = jr.OutputPower("cavity")(path)[-901:], 2 * pi * 9e4 * times[-901:]
    waves = np.stack([np.ones(901), np.cos(phase), np.sin(phase), np.cos(2 * phase), np.sin(2 * phase)], axis=1)
    found = np.linalg.lstsq(waves, power, rcond=None)[0] / (1e-4 * pump)
    close(found[1], float(H[2].real), 1e-3)
    close(-found[2], float(H[2].imag), 1e-3)
    drawn = turn_on(path)
    assert [a.get_ylabel() for a in drawn.figure.axes] == [r"output power ($\mathrm{mW}$)", "gain over loss"]
    assert modulation_response(H).get_xlabel() == r"modulation frequency ($\mathrm{MHz}$)"


def test_a_maser_below_threshold_amplifies_what_its_walls_send():
    r"""$\phi = (\phi_w/\tau_c + KVN_u)/(1/\tau_c - KV\Delta N)$; in the dark and cold only what it sends itself."""
    line = jr.Radiative("line", "u -> l", A="1e-12 s^-1", frequency="10 GHz", lineshape=jr.Lorentzian(fwhm="10 kHz"))
    maser = jr.Model(
        levels=[jr.Level("l"), jr.Level("u")],
        processes=[
            jr.Exchange("beam", rate="2000 s^-1", into={"u": 0.8, "l": 0.2}),
            line,
            jr.Cavity("cavity", couples="line", photon_lifetime="1 us", mode_volume="1e-3 m^3", overlap=0.5),
        ],
        density="1e15 m^-3",
    )
    at = jr.threshold(maser, "density")
    theta = {"density": np.array([0.3, 0.9]) * at, "cavity.temperature": np.array([0.0, 300.0])[:, None]}
    state = jr.steady_state(maser, theta)
    sigma = float(jr.CrossSection("line")(state)[0, 0])
    K, N, walls = 0.5 * c * sigma, theta["density"], jr.thermal.planck_occupation(1e10, theta["cavity.temperature"])
    seed, gain = K * N * state["u"], K * N * (state["u"] - state["l"])
    close(state["cavity"], (walls / 1e-6 + seed) / (1 / 1e-6 - gain), 1e-10)
    close(jr.OutputPower("cavity")(state), h * 1e10 * (gain * state["cavity"] + seed), 1e-8)
    close(at, 1 / (K * 0.6 * 1e-6), 1e-9)
    close(jr.Population("cavity")(state), state["cavity"])


def test_a_pulse_of_known_shape_is_measured():
    r"""$\mathrm{sech}^2$: width, energy $2 P T$, peak between the moments; a ripple before it is no pulse."""
    t, centre, T = np.linspace(0, 10, 301), 5.013, 0.3
    shape = np.cosh((t - centre) / T) ** -2.0
    slope = -2 / T * np.tanh((t - centre) / T) * shape
    pulse = first_pulse(Trace(t, 7e9 * shape, 7e9 * slope, np.linspace(2, 1, 301), 0 * t + 1e-3))
    assert pulse is not None
    close(pulse.peak_time, centre, 1e-6)
    close(pulse.peak_power, 7e6, 1e-5)
    close(pulse.energy, 2 * T * 7e6, 1e-5)
    close(pulse.fwhm, 2 * np.arccosh(np.sqrt(2)) * T, 1e-5)
    assert pulse.is_over
    assert first_pulse(Trace(t, np.exp(t), np.exp(t), t, t)) is None


def test_first_zeros():
    """The first of each lane, to rounding; where nothing changes its sign, or fails, none."""
    roots = np.array([0.3, 1.7, np.nan, 25.0])
    found = first_zero(
        lambda x: (x - roots) * (x - 3) ** 2 * np.where(x > 20, np.nan, 1.0), np.geomspace(0.1, 30, 41), (4,)
    )
    close(found[:2], roots[:2], 1e-15)
    assert np.isnan(found[2:]).all()


def no_energy() -> jr.Model:
    """Without energies of its levels, and with two cavities."""
    model = four_level()
    second = jr.Cavity("second", couples="laser", photon_lifetime=1e-8, mode_volume=VOLUME)
    return model.replace(levels=[jr.Level(name) for name in "0123"]).with_process(second)


def reading(model: jr.Model, observable: Any) -> jr.Experiment:
    return jr.Experiment(model, jr.Steady(), {"x": observable})


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda: jr.threshold(four_level(), "pmp.rate"), ["`pmp.rate`", "did you mean `pump.rate`"]),
        (lambda: jr.threshold(four_level(), "pump.rate", cavity="cavty"), ["`cavty`", "did you mean `cavity`"]),
        (lambda: jr.threshold(no_energy(), "pump.rate"), ["`cavity`, `second`", "cavity='...'"]),
        (lambda: jr.threshold(jr.media("nd-yag"), "pump.rate"), ["has no `Cavity`"]),
        (lambda: jr.threshold(four_level(), "pump.rate", {"pump.rate": 1.0}), ["leave it out", "`between`"]),
        (lambda: jr.threshold(four_level(), "pump.rate", between=(2, 1)), ["(low, high)", "(2, 1)"]),
        (lambda: jr.threshold(four_level(), "cavity.temperature"), ["between=(low, high)", "value is 0"]),
        (lambda: jr.slope_efficiency(four_level(), "pump.rate", above=1), ["`above`", "above 1"]),
        (lambda: jr.slope_efficiency(four_level(), "density"), ["`density`", "pump='...'"]),
        (lambda: jr.power_curve(four_level(), "pump.rate", 3.0), ["`pump.rate`", "list of numbers"]),
        (lambda: jr.Experiment(four_level(), jr.Steady(), {"x": jr.OutputPower("box")}), ["`box`", "`cavity`"]),
        (lambda: reading(four_level(), jr.ThermalEmission("laser")), ["No Blackbody drives `laser`", "jr.NetPower"]),
        (lambda: reading(four_level(), jr.NetPower("laser", "cavty")), ["`cavty`", "`laser`"]),
        (lambda: reading(pairs(), jr.SaturationIntensity("laser")), ["`laser`", "`meet`", "jr.Gain"]),
        (lambda: jr.AbsorbedPump("pump", energy="1 s"), ["energy", "pump", "'1 s'"]),
        (lambda: reading(four_level(), jr.AbsorbedPump("pmp")), ["`pmp`", "did you mean `pump`"]),
        (lambda: reading(no_energy(), jr.AbsorbedPump("pump", cavity="cavity")), ["`pump`", "`energy` of the levels"]),
        (lambda: jr.q_switch(four_level(), hold="1 ms"), ["closed={'cavity.photon_lifetime'"]),
        (lambda: jr.q_switch(four_level(), closed={"cavity.los": 1}), ["`cavity.los`", "did you mean"]),
        (lambda: jr.q_switch(four_level(), hold=-1.0), ["`hold`", "-1.0"]),
        (lambda: jr.gain_switch(four_level(), drive={}, window=(1, 0)), ["`window`", "(1, 0)"]),
        (lambda: jr.modulation_response(four_level(), [-1.0]), ["`frequencies`", "0 or more"]),
        (lambda: jr.modulation_response(four_level(), [1.0], drive="pump"), ["`pump`", "did you mean `pump.rate`"]),
        (lambda: power_curve(3), ["jr.power_curve", "3"]),  # type: ignore[arg-type]
    ],
)
def test_wrong_requests_are_refused(state: Callable[[], Any], words: list[str]):
    refused(state, *words)
