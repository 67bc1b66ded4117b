"""Amplifiers as users state them: an `Experiment` along z, its observables, its statuses."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import h
from tests.refusal import refused
from tests.systems.erbium import AREA, PUMP, SIGNAL, amplifier, erbium
from tests.tolerance import close, same

ASE = jr.ASE("ase", band=("1535 nm", "1565 nm"), bins=12)
READ = {
    "gain": jr.ChannelGain("signal"),
    "left": jr.ChannelPower("pump"),
    "along": jr.ChannelPower("pump", at="along"),
    "upper": jr.Population("upper"),
}
LOSSY = jr.Channels("signal", wavelength="1550 nm", power="1 uW", loss="1e-9 m^-1")
POWERS = {"pump.power": np.array([0.0, 5e-3, 20e-3])}


def read(*channels, observables=READ, **options) -> jr.Experiment:
    return jr.Experiment(erbium(), amplifier(*channels, **options), observables)


def amplifier_of(bench: jr.Experiment) -> jr.Amplifier:
    assert isinstance(bench.solver, jr.Amplifier)
    return bench.solver


@pytest.mark.long
def test_closed_form_direct_integration_and_newtons_method_agree():
    """Two levels without loss; a loss of 1e-8 in all; a third channel the other way that carries nothing."""
    nobody = jr.Channels("nobody", wavelength="1560 nm", power=0.0, direction=-1)
    ways = [read(), read(PUMP, LOSSY), read(PUMP, SIGNAL, nobody)]
    assert [amplifier_of(e).way(e.network) for e in ways] == ["closed", "directed", "mutual"]
    closed, direct, mutual = (e(POWERS) for e in ways)
    for name, exact in closed.items():
        inside = 10 if name in ("along", "upper") else 1  # the tolerance is that of what leaves
        close(direct[name], exact, rtol=inside * 3e-8, what=f"direct {name}")
        close(mutual[name], exact, rtol=inside * 1e-8, what=f"mutual {name}")
    close(closed["along"][[0, -1]], np.stack([POWERS["pump.power"], closed["left"]]), rtol=1e-9)
    assert closed["upper"].shape == (51, 3)
    assert np.all(np.diff(closed["upper"][:, 1]) < 0)


@pytest.mark.long
def test_an_illegal_lane_and_one_that_lases_leave_their_neighbours_alone():
    """Between ends that reflect everything any gain lases; below transparency nothing does."""
    bench = read(PUMP, SIGNAL, ASE, reflections=(1.0, 0.9))
    theta = {"pump.power": np.array([1e-5, -1.0, 60e-3, 1e-5])}
    expected = [jr.Status.OK, jr.Status.BAD_INPUT, jr.Status.LASES, jr.Status.OK]
    assert bench.status(theta).tolist() == expected
    gain = bench(theta)["gain"]
    same(np.isnan(gain), [False, True, True, False])
    same(gain[0], gain[3])


@pytest.mark.long
def test_noise_of_an_inverted_amplifier():
    """Far from saturation and with everything inverted, $F = 2(1 - 1/G) + 1/G$, and the same leaves both ends."""
    model = erbium().replace(processes=[*erbium().processes, jr.Pump("lamp", "lower -> upper", rate="1e7 s^-1")])
    beside = jr.ASE("ase", band=("1549 nm", "1551 nm"), bins=16)
    weak = jr.Amplifier("1 m", (jr.Channels("signal", "1 pW", "1550 nm"), beside), area=AREA, points=2)
    solution = jr.amplify(model, weak)
    gain, figure = (float(observable(solution)) for observable in (jr.ChannelGain("signal"), jr.NoiseFigure("signal")))
    close(figure, 2 * (1 - 1 / gain) + 1 / gain, rtol=1e-3)
    forward, back = (jr.ASESpectrum("ase", direction=way)(solution) for way in (1, -1))
    close(forward, back, rtol=1e-6)


def bright_line() -> jr.Model:
    """Two levels with a Gaussian line, evenly pumped; at the rate of its decay transparent, far above it inverted."""
    line = {"cross_section": 1e-23, "frequency": 200e12, "lineshape": jr.Gaussian("1 THz"), "mixing": "fast"}
    return jr.Model(
        levels=[jr.Level("lower"), jr.Level("upper")],
        processes=[
            jr.Radiative("line", "upper -> lower", spontaneous_factor=0.0, **line),
            jr.Decay("fall", "upper -> lower", rate=100.0),
            jr.Pump("lamp", "lower -> upper", rate=100.0),
        ],
        density=1e24,
    )


@pytest.mark.long
def test_spontaneous_emission_is_amplified_and_narrowed():
    r"""At transparency $2h\nu\,N\sigma n_uL$; with 43 dB $(e^G-1)/G$ at each frequency, together Linford's law.

    That is the integral over a Gaussian line to a few per cent: G. J. Linford et al., Appl. Opt. 13, 379 (1974).
    """
    low, high = (f"{200 + side * 2.5} THz" for side in (-1, 1))
    noise = jr.ASE("ase", (low, high), bins=300)
    nu, sigma = (
        np.array(noise.frequencies),
        lambda nu: 1e-23 * nu / 200e12 * np.exp(-4 * np.log(2) * ((nu - 200e12) / 1e12) ** 2),
    )
    amplifier = jr.Amplifier(1.0, (noise,), area=1e-2, points=2)
    bench = jr.Experiment(bright_line(), amplifier, {"spectrum": jr.ASESpectrum("ase")})
    found = bench({"lamp.rate": np.array([100.0, 1e13])})["spectrum"]
    quantum, seen = 2 * h * nu, 1e24 * sigma(nu)
    close(found[:, 0], quantum * seen / 2, rtol=1e-5)
    close(found[:, 1], quantum * np.expm1(seen), rtol=1e-5)
    amplified = np.sum(found[:, 1] / quantum) / np.sum(seen) * 10
    close(amplified, np.expm1(10.0) ** 1.5 / np.sqrt(10 * np.exp(10.0)), rtol=0.05)
    width = np.sum(found[:, 1] > found[:, 1].max() / 2) * noise.bin_width
    close(
        width, 1e12 * np.sqrt(np.log(10 / np.log1p(np.expm1(10.0) / 2)) / np.log(2)), atol=2 * noise.bin_width, rtol=0
    )


@pytest.mark.long
def test_derivatives_are_those_of_differences():
    bench = read(PUMP, SIGNAL, ASE, observables={"out": jr.ChannelPower("signal")}, rtol=1e-11)
    names = ["length", "pump.power", "er.B"]
    _, slopes = bench.value_and_grad({}, wrt=names)
    base = bench.parameters()
    for name in names:
        step = 1e-3 * base[name]
        far, near, before, after = bench({name: base[name] + step * np.array([-2.0, -1.0, 1.0, 2.0])})["out"]
        close(slopes["out"][name], (8 * (before - near) - (after - far)) / (12 * step), rtol=1e-6, what=name)


def test_what_is_read_must_be_there():
    refused(lambda: read(observables={"g": jr.ChannelGain("signl")}), "signl", "signal")
    refused(lambda: read(observables={"n": jr.NoiseFigure("signal")}), "needs one ASE", "1550")
    refused(lambda: read(PUMP, SIGNAL, ASE, observables={"g": jr.ChannelGain("ase")}), "nothing is launched")
    refused(lambda: jr.Experiment(erbium(), jr.Steady(), {"g": jr.ChannelGain("signal")}), "jr.Amplifier")
    refused(lambda: read()({"pump.pwer": 1.0}), "pump.pwer", "pump.power")
    refused(lambda: read()({"input.reflection": 0.1}), "reflections=")


def test_light_is_never_taken_for_that_of_a_beam():
    """NetPower of a line reads the fields of the model, of which the light along it is none."""
    refused(lambda: read(observables={"p": jr.NetPower("er")}), "No field drives `er`")


def test_inside_of_jax_it_takes_double_precision():
    def out(power):
        found = jr.amplify(erbium(), amplifier(points=2), {"pump.power": power})
        return jr.ChannelPower("signal")(found)

    refused(lambda: jax.grad(out)(jnp.float32(0.06)), "double precision", "jax.enable_x64(True)")
    with jax.enable_x64(True):
        slopes = np.asarray(jax.jit(jax.vmap(jax.grad(out)))(jnp.array([0.05, 0.06])))
    powers = np.array([0.05, 0.06])
    exact = read(observables={"out": jr.ChannelPower("signal")}).jacobian({"pump.power": powers}, wrt=["pump.power"])
    close(slopes, exact["out"]["pump.power"], rtol=1e-9)


def test_light_the_other_way_meets_the_same_amplifier():
    """By direct integration, which then starts at the far end."""
    turned = [replace(group, direction=-1) for group in (PUMP, LOSSY)]
    forward, back = (read(*groups)({}) for groups in ((PUMP, LOSSY), turned))
    close(back["gain"], forward["gain"], rtol=1e-10)
    close(back["upper"], forward["upper"][::-1], rtol=1e-10)
    close(back["along"], forward["along"][::-1], rtol=1e-10)


def test_an_empty_fibre_lets_everything_through():
    bench = read(observables={"gain": jr.ChannelGain("signal")})
    close(bench({"density": np.array([0.0])})["gain"], 1.0)


def test_a_saturation_intensity_is_not_read_off_an_amplifier():
    refused(lambda: read(observables={"i": jr.SaturationIntensity("er")}), "steady state", "`er`")
