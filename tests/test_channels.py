"""The statement of light along a medium: what it adds to a model, and what is refused with what to write instead."""

import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import c
from jaxrate.solve.light import rays_of
from tests.refusal import refused
from tests.systems.erbium import AREA, PUMP, SIGNAL, amplifier, erbium
from tests.tolerance import close, same


def stated(*channels, **options) -> jr.Model:
    return amplifier(*channels, **options).stated(erbium())


def test_what_an_amplifier_adds_are_parameters_like_any_other():
    wdm = jr.Channels("wdm", wavelength=["1540 nm", "1550 nm"], power=["-13 dBm", "1 mW"], loss="3 dB/km")
    found = stated(PUMP, wdm, jr.ASE("ase", band=("1500 nm", "1600 nm"), bins=10), reflections=(0, 0.04)).parameters()
    wanted = {"length": 8.0, "area": AREA, "output.reflection": 0.04, "pump.power": 0.06, "pump.overlap": 1.0}
    wanted |= {"wdm.power[0]": 10**-1.3 * 1e-3, "wdm.power[1]": 1e-3, "wdm.loss": 3e-4 * np.log(10), "ase.loss": 0.0}
    assert set(erbium().parameters()) < set(found)
    for name, value in wanted.items():
        close(found[name], value, what=name)


def test_a_waveguide_gives_area_and_overlaps():
    fibre = jr.Fibre(core_radius="2 um", mode_field_diameter="6 um")
    model = stated(waveguide=fibre, area=None)
    assert "pump.overlap" not in model.parameters()
    close(model.derived()["area"](model.parameters() | {"fibre.doped_radius": 2e-6}), np.pi * 4e-12)


def test_noise_runs_both_ways_and_reflections_send_signals_back():
    ase = jr.ASE("ase", band=("1600 nm", "1500 nm"), bins=4)
    rays = rays_of(stated(SIGNAL, ase))
    assert [(ray.group, ray.forward) for ray in rays.each] == [
        ("signal", True),
        *[("ase", True)] * 4,
        *[("ase", False)] * 4,
    ]
    same(rays.partner, [-1] * 9)
    same(rays_of(stated(SIGNAL, ase, reflections=(0, 0.04))).partner, [1, 0, 6, 7, 8, 9, 2, 3, 4, 5])
    low, high = c / 1600e-9, c / 1500e-9
    close(rays.frequencies[1:5], low + (high - low) * np.array([0.125, 0.375, 0.625, 0.875]))
    assert len(rays_of(stated(SIGNAL, reflections=(0.001, 0))).each) == 2


def test_a_list_takes_one_number_for_all_or_one_for_each():
    network = jr.Experiment(
        erbium(), amplifier(PUMP, jr.Channels("wdm", wavelength=["1540 nm", "1550 nm"], power=0.0)), {}
    ).network
    spread = network.spread({"wdm.power": 1e-3, "length": 5.0})
    assert spread == {"wdm.power[0]": 1e-3, "wdm.power[1]": 1e-3, "length": 5.0}
    same(network.spread({"wdm.power": np.arange(6.0).reshape(2, 3)})["wdm.power[1]"], [3.0, 4.0, 5.0])
    refused(lambda: network.spread({"wdm.power": np.ones(3)}), "wdm.power", "2 channels", "(3,)")


def far() -> jr.Model:
    diode = jr.Channels("diode", "10 W", "808 nm")
    return jr.Amplifier(0.1, [diode], area=1e-6).stated(jr.media("nd-yag"))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda: jr.Amplifier("0 m", [SIGNAL], area=AREA).stated(erbium()), ("length", "positive", "0 m")),
        (lambda: jr.Amplifier("8 s", [SIGNAL], area=AREA).stated(erbium()), ("length", "8 s", "m")),
        (lambda: jr.Amplifier("8 m", [], area=AREA), ("channels", "jr.Channels('signal'")),
        (lambda: jr.Amplifier("8 m", [SIGNAL]), ("area=", "waveguide=")),
        (lambda: stated(SIGNAL, SIGNAL), ("signal", "2 processes")),
        (lambda: stated(jr.Channels("s", "-1 W", "1550 nm")), ("s.power", "-1 W")),
        (lambda: jr.Channels("s", "1 W"), ("`s`", "wavelength=", "frequency=")),
        (lambda: jr.Channels("s", "1 s", "1550 nm"), ("s.power", "1 s", "W")),
        (lambda: jr.Channels("s", ["1 W", "2 W"], ["1550 nm"]), ("1 channels", "2 powers")),
        (lambda: jr.Channels("s", "1 W", "1550 nm", direction=2), ("direction", "+1 or -1", "2")),
        (lambda: stated(jr.Channels("s", "1 W", "1550 nm", drives="et")), ("et", "er")),
        (lambda: stated(jr.Channels("s", "1 W", "980 nm")), ("980 nm", "1450 to 1650 nm", "er")),
        (
            lambda: stated(jr.ASE("a", ("1400 nm", "1550 nm"), bins=2)),
            ("outside the emission spectrum", "1450 to 1650"),
        ),
        (lambda: jr.ASE("a", ("1550 nm", "1550 nm")), ("band", "differ")),
        (lambda: jr.ASE("a", ("1500 nm", "1550 nm"), bins=0), ("bins", "at least 1")),
        (lambda: stated(reflections=(0, 1.5)), ("output.reflection", "at most 1")),
        (lambda: amplifier(rtol=0), ("rtol", "0")),
        (lambda: jr.Channels("s", "1 W", "1550 nm", overlap=85), ("s.overlap", "at most 1", "85")),
        (lambda: amplifier(points=1), ("points", "1")),
        (lambda: jr.Amplifier([1.0, 2.0], [SIGNAL], area=AREA), ("length", "one value", "[1.0, 2.0]")),  # type: ignore[arg-type]
        (lambda: jr.Amplifier(1.0, [SIGNAL], waveguide="f"), ("jr.Fibre", "'f'")),  # type: ignore[arg-type]
        (lambda: jr.Channels("s", "1 W", wavelength=[]), ("at least one channel",)),
        (lambda: jr.Channels("s", [["1 W"]], ["1550 nm"]), ("s.power", "one value")),  # type: ignore[arg-type]
        (lambda: far(), ("808 nm", "far from `laser`", "drives='laser'")),
    ],
)
def test_what_cannot_be_meant_is_refused(state, words):
    refused(state, *words)
