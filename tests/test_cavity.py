"""Cavities: how their loss is stated, what feeds them, and a diode laser stated by expressions of its carriers."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import c
from jaxrate.model.derived import known_values
from jaxrate.model.files import from_toml, to_toml
from jaxrate.network.compile import compile_network
from jaxrate.network.dynamics import event_rates, rate_of_change
from jaxrate.network.network import Network
from tests.refusal import refused
from tests.tolerance import ROUNDING, close, same

LEVELS = [jr.Level("l", energy="0 cm^-1", g=3), jr.Level("u", energy="9400 cm^-1", g=5)]
LINE = jr.Radiative("line", "u -> l", A="1e3 s^-1", lineshape=jr.Lorentzian(fwhm="1 GHz"), n=1.5)


def laser(**stated: Any) -> jr.Model:
    """Two levels in a cavity of these arguments."""
    box = jr.Cavity("box", **{"couples": "line", "mode_volume": "1 mm^3", **stated})
    return jr.Model(LEVELS, [LINE, box], density="1e24 m^-3")


def diode(**changes: Any) -> jr.Model:
    """A diode laser: carriers, the photons of one mode, and gain that saturates, no level at all."""
    stated: dict[str, Any] = {
        "levels": [],
        "reservoirs": [jr.Reservoir("carriers")],
        "processes": [
            jr.Pump("inject", " -> carriers", rate="5e32 m^-3 s^-1"),
            jr.Decay("defects", "carriers -> ", rate="1e8 s^-1"),
            jr.EnergyTransfer("radiative", "carriers + carriers -> ", coefficient="1e-16 m^3/s"),
            jr.EnergyTransfer("into mode", "carriers + carriers -> carriers + cavity", coefficient="1e-20 m^3/s"),
            jr.EnergyTransfer("Auger", "carriers + carriers + carriers -> ", coefficient="3.5e-41 m^6/s"),
            jr.StimulatedGain(
                "gain", "carriers -> cavity", gain=jr.expr("a*(carriers - N_tr)/(1 + eps*cavity)"), n_g=4.2
            ),
            jr.Cavity("cavity", photon_lifetime="2.8 ps", mode_volume="4e-17 m^3", overlap=0.3, wavelength="1.55 um"),
        ],
        "parameters": {"a": "5e-20 m^2", "N_tr": "1.8e24 m^-3", "eps": 1e-6},
    }
    return jr.Model(**{**stated, **changes})


def change(network: Network, n: Any, **varied: Any) -> np.ndarray:
    """Rates of change, and events of every reaction."""
    with jax.enable_x64(True):
        values = {name: jnp.asarray(value) for name, value in varied.items()}
        parameters = network.parameters(jnp.asarray(network.base), values)
        return np.asarray(rate_of_change(network, parameters, jnp.asarray(n)))


def test_two_mirrors_are_a_lifetime_and_an_output_coupling():
    """tau_c = 2L/(c Lambda), Lambda = -ln(R1 R2 (1 - loss)); -ln(R2)/Lambda of the photons leave by mirror 2."""
    model = laser(mirrors=("99.8 %", 0.95), length="30 cm", loss=0.01)
    stated, values = model.parameters(), known_values(model)
    round_trip = -np.log(0.998 * 0.95 * 0.99)
    close(values["box.photon_lifetime"], 2 * 0.3 / (c * round_trip), ROUNDING)
    close(values["box.output_coupling"], -np.log(0.95) / round_trip, ROUNDING)
    assert stated["box.mirror_2"] == 0.95
    assert not {"box.photon_lifetime", "box.output_coupling"} & stated.keys()
    assert laser(mirrors=(1, 0.9), length=1).parameters()["box.loss"] == 0.0
    close(known_values(laser(mirrors=(1, 0.9), length=1))["box.output_coupling"], 1.0, ROUNDING)
    assert laser(photon_lifetime="1 ns", output_coupling=0.4).parameters()["box.output_coupling"] == 0.4


def test_photons_leave_by_the_mirrors_of_their_lane():
    network, R = compile_network(laser(mirrors=(1.0, 0.9), length="0.5 m")), np.array([0.5, 0.9, 0.99])
    n = np.array([[1.0], [0.0], [1e6]]) * np.ones(3)
    lost = change(network, n, **{"box.mirror_2": R})[2] - change(network, n, **{"box.mirror_2": R * 0 + 0.9})[2]
    close(lost, 1e6 * c / (2 * 0.5) * (np.log(R) - np.log(0.9)), 1e-9, 1e-6)
    refused(lambda: network.check_names(["box.photon_lifetime"]), "expression", "vary the parameters")


def test_light_may_be_off_line_centre():
    """Half a width off, a Lorentzian line emits and absorbs half as much; into the mode as well."""
    on = compile_network(laser(photon_lifetime="1 s"))
    off = compile_network(laser(photon_lifetime="1 s", frequency=jr.expr("line.frequency + line.fwhm / 2")))
    for u in (0.0, 1.0):
        n = np.array([[1 - u], [u], [1e9]])
        close(change(off, n)[2] + 1e9, (change(on, n)[2] + 1e9) / 2, 1e-5)


def test_a_diode_by_hand():
    """Each photon gained costs one carrier, each gained below transparency by absorption brings one back."""
    network, V, overlap = compile_network(diode()), 4e-17, 0.3
    N, photons = np.array([1e24, 1.8e24, 3e24]), np.array([1e3, 1e4, 1e5])
    g = 5e-20 * (N - 1.8e24) / (1 + 1e-6 * photons)
    gained, seed = overlap * c / 4.2 * g * photons, 1e-20 * N**2 * V
    lost = 1e8 * N + (2 * 1e-16 + 1e-20) * N**2 + 3 * 3.5e-41 * N**3
    found = change(network, np.array([N, photons]))
    close(found[1], gained + seed - photons / 2.8e-12, 1e-12)
    close(found[0], 5e32 - lost - gained / V, 1e-12)
    assert gained[0] < 0 == gained[1] < gained[2]


def test_which_coefficients_depend_on_populations():
    network = compile_network(diode())
    depend = {r.process for r, depends in zip(network.reactions, network.depends, strict=True) if depends}
    assert depend == {r.process for r in network.reactions if r.signed} == {"gain"}
    assert list(network.named_populations(np.zeros(2))) == ["carriers", "cavity"]
    assert {"gain", "radiative", "Auger", "into mode"} <= set(network.nonlinear)
    known = network.rates_without(frozenset({"inject.rate"}), network.parameters(network.base, {}))
    assert len(known) == len(network.reactions) - 2
    same(network.conserved, np.zeros((0, 2), np.int64))


def test_photons_and_carriers_are_conserved_between_them():
    """Stimulated emission alone: N V + phi is a law of its reaction, whatever the sign of the gain."""
    network = compile_network(diode())
    (gain,) = [i for i, r in enumerate(network.reactions) if r.process == "gain"]
    same(network.stoichiometry[:, gain], np.array([-1, 1]))
    with jax.enable_x64(True):
        parameters = network.parameters(jnp.asarray(network.base), {})
        n = jnp.array([[1e24, 3e24], [1e5, 1e5]])
        events = np.asarray(event_rates(network, parameters, n))[gain]
    assert events[0] < 0 < events[1]


def test_levels_may_pay_for_stated_gain():
    """`u -> l + box`: atoms are conserved, and the photon is worth one atom over V."""
    rate = jr.expr("1e-24 * (1e24*u - 5/3 * 1e24*l)")
    box = jr.Cavity("box", photon_lifetime="1e6 s", mode_volume="1e-9 m^3", frequency="300 THz")
    model = jr.Model(LEVELS, [jr.StimulatedGain("g", "u -> l + box", gain=rate), box], density="1e24 m^-3")
    found = change(compile_network(model), np.array([[0.2], [0.8], [1e6]]))[:, 0]
    close(found[0], -found[1], ROUNDING)
    close(found[0] * 1e24 * 1e-9, found[2] + 1.0, 1e-12)
    close(found[2] + 1.0, c * (0.8 - 0.2 * 5 / 3) * 1e6, 1e-12)


def test_rates_name_populations_and_functions_get_them():
    """Levels by their full name, as a fraction; a function is called as rule(theta, populations)."""
    levels = [jr.Level("1S", species="A"), jr.Level("2P", species="A")]
    states = [
        jr.expr("k0 * (1 + 3*`A:2P`)"),
        lambda theta, populations: theta["k0"] * (1 + 3 * populations["A:2P"]),
        jr.expr("k0 * crowd"),
    ]
    n = np.array([[0.75, 0.1], [0.25, 0.9]])
    for rate in states:
        parameters = {"k0": 7.0, "crowd": jr.expr("1 + 3*`A:2P`")}
        model = jr.Model(levels, [jr.Decay("d", "2P -> 1S", rate=rate)], parameters=parameters)
        network = compile_network(model)
        assert network.depends == (True,)
        assert network.nonlinear == ("d",)
        close(change(network, n)[0], 7.0 * (1 + 3 * n[1]) * n[1], ROUNDING)


def test_a_large_network_groups_by_what_it_depends_on():
    """Reactions of one law, some of which depend on populations: computed apart, and right."""
    decays = [jr.Decay(f"d{i}", "u -> l", rate=jr.expr("1 + u") if i % 2 else 1.0) for i in range(30)]
    network = compile_network(jr.Model(LEVELS, decays))
    assert [len(members) for members in network.groups] == [15, 15]
    close(change(network, np.array([[0.5], [0.5]]))[0], 15 * 0.5 * (1 + 1.5), ROUNDING)


def test_cavities_come_back_from_their_file():
    R = jr.expr("0.9 * line.absorption_factor")
    for model in (diode(), laser(mirrors=("99.8 %", R), length="30 cm", loss=0.01, wavelength="1064 nm")):
        text = to_toml(model)
        assert from_toml(text) == model
        assert to_toml(from_toml(text)) == text


def test_a_diode_is_shown():
    text = str(diode())
    for words in (
        "Model: 1 reservoirs, 7 processes",
        "carriers + photon <-> 2 photon",
        "carriers + carriers -> carriers + cavity",
        "3.5e-41 m^6 s^-1",
        "a*(carriers - N_tr)/(1 + eps*cavity)",
    ):
        assert words in text
    assert "1 ns = -2 * `box.length`" not in str(laser(photon_lifetime="1 ns"))
    assert "= log(`box.mirror_2`)" in str(laser(mirrors=(1, 0.9), length=1))


def gain(reaction: str = "carriers -> cavity", **stated: Any) -> jr.StimulatedGain:
    return jr.StimulatedGain("gain", reaction, **{"gain": 1.0, **stated})


def with_process(process: Any) -> jr.Model:
    return diode().with_process(process)


LASING = {"photon_lifetime": "1 ns", "mode_volume": 1e-9}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda: laser(), ["`box`", "photon_lifetime='10 ns'", "mirrors=(", "neither was given"]),
        (lambda: laser(photon_lifetime=1, mirrors=(1, 0.9), length=1), ["`box`", "both was given"]),
        (lambda: laser(photon_lifetime=1, loss=0.1), ["`box`", "both was given"]),
        (lambda: laser(photon_lifetime=1, mode_volume=None), ["`box`", "`mode_volume`", "'10 mm^3'"]),
        (lambda: laser(mirrors=(1, 0.9)), ["`box`", "length='30 cm'", "length=None"]),
        (lambda: laser(length=1), ["`box`", "two power reflectivities", "mirrors=None"]),
        (lambda: laser(mirrors=(0.9,), length=1), ["`box`", "two power reflectivities", "(0.9,)"]),
        (lambda: laser(mirrors=(1.1, 0.9), length=1), ["`box.mirror_1`", "at most 1", "1.1"]),
        (lambda: laser(mirrors=(1, 0), length=1), ["`box.mirror_2`", "positive", "0"]),
        (lambda: laser(mirrors=(1, 1), length=1), ["`box`", "must lose light", "`loss`"]),
        (lambda: laser(mirrors=(1, 0.9), length=1, loss=1), ["`box.loss`", "below 1"]),
        (lambda: laser(mirrors=(1, 0.9), length="1 s"), ["`box.length`", "a length", "'1 s'"]),
        (lambda: laser(mirrors=(1, 0.9), length=1, output_coupling=1), ["`box`", "`output_coupling`", "mirrors"]),
        (lambda: laser(photon_lifetime=1, frequency=1e14, wavelength=1e-6), ["`box`", "not both"]),
        (lambda: with_process(jr.Cavity("c2", **LASING)), ["Nothing feeds", "`c2`", "couples=", "jr.StimulatedGain"]),
        (lambda: with_process(jr.Cavity("cavity", **LASING)), ["`cavity`", "no line", "`wavelength`", "'1550 nm'"]),
        (lambda: gain("carriers + carriers -> cavity"), ["`gain`", "'carriers -> cavity'"]),
        (lambda: gain(n_g=0), ["`gain`", "group index `n_g`", "0"]),
        (lambda: gain(gain="1 m"), ["`gain.gain`", "an inverse length", "'1 m'"]),
        (lambda: with_process(gain("carriers -> carriers")), ["`gain`", "one cavity", "`cavity`"]),
        (lambda: with_process(gain("carriers -> cavty")), ["`gain`", "`cavty`", "did you mean `cavity`"]),
        (
            lambda: with_process(jr.Decay("x", "carriers -> ", jr.expr("carrier"))),
            ["`x.rate`", "did you mean `carriers`"],
        ),
        (
            lambda: diode(parameters={"a": 1, "N_tr": 1, "eps": 1, "carriers": 1}),
            ["population and a parameter", "`carriers`"],
        ),
        (lambda: jr.Model(LEVELS, density=jr.expr("1e20 * u")), ["`density`", "must not depend on populations"]),
        (lambda: laser(photon_lifetime=1, mode_volume=jr.expr("1 + u")), ["`box.mode_volume`", "populations"]),
    ],
)
def test_a_cavity_is_refused(state: Callable[[], Any], words: list[str]):
    refused(state, *words)
