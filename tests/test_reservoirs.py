"""Populations without a level: stated, written to a file, shown, compiled; their rates of change by hand."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrate as jr
from jaxrate.model.files import from_toml, to_toml
from jaxrate.network.compile import compile_network
from jaxrate.network.dynamics import rate_of_change
from jaxrate.plot.diagram import level_diagram
from tests.refusal import refused
from tests.tolerance import ROUNDING, close, same

DENSITY, INFLOW, LOSS, FILL, PAIR, DECAY = 2e23, 3e30, 5e8, 7e-16, 4e-17, 1e3


def sensitised(**changes: Any) -> jr.Model:
    """Carriers, injected and lost, that excite an ion when one of them meets it."""
    stated: dict[str, Any] = {
        "levels": [jr.Level("ground", energy="0 cm^-1"), jr.Level("excited", energy="6500 cm^-1")],
        "reservoirs": [jr.Reservoir("carriers", unit="m^-3", source="electron-hole pairs"), jr.Reservoir("traps")],
        "processes": [
            jr.Pump("inject", " -> carriers", rate=f"{INFLOW} m^-3 s^-1"),
            jr.Decay("lose", "carriers -> ", rate=LOSS),
            jr.Decay("trap", "carriers -> traps", rate=1.0),
            jr.EnergyTransfer("excite", "carriers + ground -> excited", coefficient=FILL),
            jr.EnergyTransfer("recombine", "carriers + carriers -> ", coefficient=PAIR),
            jr.Decay("relax", "excited -> ground", rate=DECAY),
        ],
        "density": DENSITY,
    }
    return jr.Model(**{**stated, **changes})


def test_rates_of_change_are_those_written_by_hand():
    """Levels are fractions of their density, a reservoir is a density; lanes have values of their own."""
    network = compile_network(sensitised())
    assert [p.name for p in network.populations] == ["ground", "excited", "carriers", "traps"]
    n = np.array([[0.75, 0.2], [0.25, 0.8], [3e21, 1e20], [1e19, 0.0]])
    with jax.enable_x64(True):
        parameters = network.parameters(jnp.asarray(network.base), {})
        found = np.asarray(rate_of_change(network, parameters, jnp.asarray(n)))
    ground, excited, carriers, _ = n
    up, down = FILL * carriers * ground, DECAY * excited
    lost = (LOSS + 1.0) * carriers + FILL * DENSITY * carriers * ground + 2 * PAIR * carriers**2
    close(found, np.array([down - up, up - down, INFLOW - lost, carriers]), ROUNDING)


def test_rates_of_change_follow_a_drive_at_its_present_value():
    """What a solver for drives in time calls at every moment: parameters may differ from call to call."""
    network, n = compile_network(sensitised()), np.zeros((4, 3))
    with jax.enable_x64(True):
        drive = INFLOW * jnp.asarray([0.0, 0.5, 2.0])
        parameters = network.parameters(jnp.asarray(network.base), {"inject.rate": drive})
        close(np.asarray(rate_of_change(network, parameters, jnp.asarray(n)))[2], np.asarray(drive), ROUNDING)


def test_only_the_ions_are_conserved():
    same(compile_network(sensitised()).conserved, np.array([[1, 1, 0, 0]]))


def test_parameters_have_the_unit_of_their_reaction():
    units = {p.name: p.unit for p in sensitised().parameter_list}
    assert units["inject.rate"] == "m^-3 s^-1"
    assert units["lose.rate"] == "s^-1"


def test_a_model_with_reservoirs_comes_back_from_its_file():
    model = sensitised()
    text = to_toml(model)
    assert "reservoirs = [" in text
    assert from_toml(text) == model
    assert to_toml(from_toml(text)) == text
    assert model.replace(reservoirs=[*model.reservoirs, jr.Reservoir("more")]) != model


def test_reservoirs_are_shown_and_left_out_of_the_level_diagram():
    text = str(sensitised())
    for line in ("carriers  m^-3  [1]", "-> carriers", "3e30 m^-3 s^-1", "carriers ->", "electron-hole pairs"):
        assert line in text
    drawn = [t.get_text() for t in level_diagram(sensitised()).texts if t.get_gid() == "arrow label"]
    assert sorted(label.split("\n")[0] for label in drawn) == ["excite", "relax"]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda: jr.Reservoir("carriers", unit="J"), ["carriers", "m^-3", "J"]),
        (lambda: jr.Reservoir("carriers", unit="cm^-3"), ["`carriers`", "'m^-3'", "SI", "'cm^-3'"]),
        (lambda: jr.Reservoir(""), ["reservoir's name", "''"]),
        (lambda: jr.Pump("inject", " -> carriers", rate="1 s^-1"), ["`inject.rate`", "m^-3 s^-1", "'1 s^-1'"]),
        (lambda: jr.Pump("inject", " -> ", rate=1), ["`inject`", "' -> '"]),
        (lambda: jr.Pump("inject", " -> a + b", rate=1), ["`inject`", "one population", "' -> a + b'"]),
        (lambda: sensitised(reservoirs=[jr.Reservoir("carriers"), jr.Reservoir("carriers")]), ["2", "`carriers`"]),
        (lambda: sensitised(reservoirs=[jr.Reservoir("ground")]), ["reservoir and a level", "`ground`"]),
        (lambda: sensitised(reservoirs=["carriers"]), ["jr.Reservoir", "'carriers'"]),
        (lambda: sensitised(processes=[jr.Decay("x", "cariers -> ", 1)]), ["`x`", "`cariers`", "`carriers`"]),
        (lambda: sensitised(processes=[jr.Decay("x", "excited -> ", 1)]), ["`x`", "'excited ->'", "atom", "Reservoir"]),
        (lambda: sensitised(processes=[jr.Decay("x", "carriers -> ground", 1)]), ["`x`", "makes or loses an atom"]),
        (lambda: sensitised(processes=[jr.Collision("x", "carriers -> traps", 1)]), ["`x`", "`carriers`", "level"]),
        (
            lambda: sensitised(processes=[jr.EnergyTransfer("x", "ground + ground -> excited", 1)]),
            ["`x`", "makes or loses an atom"],
        ),
    ],
)
def test_a_reservoir_is_refused(state: Callable[[], Any], words: list[str]):
    refused(state, *words)
