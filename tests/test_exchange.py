"""Inflow and outflow that split: steady shares, conservation, files, and what is refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jaxrate as jr
from jaxrate.model.derived import known_values, total_rate
from jaxrate.model.files import from_toml, to_toml
from jaxrate.network.compile import compile_network
from tests.refusal import refused
from tests.tolerance import ROUNDING, close, same


def bulb(**changes: Any) -> jr.Model:
    """Hydrogen that flows through a bulb, and relaxes at its walls from the one hyperfine level to the other."""
    flow = jr.Exchange("flow", rate="2 s^-1", into={"up": 0.9, "down": 0.1}, source="a selector")
    stated: dict[str, Any] = {
        "levels": [jr.Level("down"), jr.Level("up"), jr.Level("other")],
        "processes": [flow, jr.Decay("wall", "up -> down", rate="3 s^-1")],
    }
    return jr.Model(**{**stated, **changes})


def test_atoms_stay_as_they_enter():
    """n_up = f R/(R + w): the balance of inflow, outflow and the wall; a level that none enters is empty."""
    R, f = np.array([[0.1], [2.0], [1e6]]), np.array([0.2, 0.9])
    theta = {"flow.rate": R, "flow.into.up": f, "flow.into.down": 1 - f}
    state = jr.steady_state(bulb(), theta)
    close(state["up"], f * R / (R + 3.0), ROUNDING)
    close(state["down"], 1 - f * R / (R + 3.0), ROUNDING)
    close(state["other"], 0.0)


def test_shares_that_vary_are_divided_by_their_sum():
    model = bulb(processes=[jr.Exchange("flow", rate=5, into={"up": 0.5, "other": 0.5})])
    state = jr.steady_state(model, {"flow.into.up": np.array([0.0, 0.5, 1.5])})
    close(state["up"], np.array([0.0, 0.5, 0.75]))
    assert jr.steady_state(model, {"flow.into.up": 0.0, "flow.into.other": 0.0}).status == jr.Status.BAD_INPUT


def test_atoms_are_conserved_species_by_species():
    levels = [jr.Level(n, species=s) for s in ("A", "B") for n in ("1", "2")]
    model = jr.Model(levels, [jr.Exchange("flow", 1, {"A:2": 1}), jr.Decay("x", "B:2 -> B:1", 1)])
    network = compile_network(model)
    assert [(r.reactants, r.products) for r in network.reactions if r.role == "exchange"] == [((0,), (1,))]
    same(network.conserved, np.array([[1, 1, 0, 0], [0, 0, 1, 1]]))


def test_an_exchange_comes_back_from_its_file_and_is_shown():
    shares = {"up": jr.expr("purity"), "down": jr.expr("1 - purity")}
    model = bulb(processes=[jr.Exchange("flow", rate="2 s^-1", into=shares)], parameters={"purity": 0.9})
    for stated in (model, bulb()):
        assert from_toml(to_toml(stated)) == stated
        assert from_toml(to_toml(stated)).fingerprint == stated.fingerprint
    text = str(bulb())
    assert "any level -> up, down" in text
    assert "flow.into.up" in text
    close(total_rate(bulb(), "up", known_values(bulb())), 2 * 0.1 + 3)
    close(total_rate(bulb(), "other", known_values(bulb())), 2.0)


TWO = [jr.Level("x", species="A"), jr.Level("x", species="B")]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda: jr.Exchange("flow", 1, {}), ["`flow`", "`into`", "{'ground': 1}"]),
        (lambda: jr.Exchange("flow", 1, "up"), ["`flow`", "`into`", "'up'"]),  # type: ignore[arg-type]
        (lambda: jr.Exchange("flow", 1, {"up": 0.5, "down": 0.4}), ["`flow`", "sum to 1", "0.9"]),
        (lambda: jr.Exchange("flow", 1, {"up": 1.5, "down": -0.5}), ["`flow.into.down`", "zero or positive"]),
        (lambda: jr.Exchange("flow", "1 m", {"up": 1}), ["`flow.rate`", "'1 m'"]),
        (lambda: bulb(processes=[jr.Exchange("flow", 1, {"upp": 1})]), ["`flow`", "`upp`", "`up`"]),
        (
            lambda: jr.Model(TWO, [jr.Exchange("flow", 1, {"A:x": 0.5, "B:x": 0.5})]),
            ["`flow`", "several species", "one Exchange for each"],
        ),
    ],
)
def test_an_exchange_is_refused(state: Callable[[], Any], words: list[str]):
    refused(state, *words)
