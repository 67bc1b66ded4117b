"""Every medium that ships reproduces the published figures it is stated with, through the public observables."""

from collections.abc import Callable

import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import c
from jaxrate.model.model import Expected, Model
from jaxrate.solve.solution import Solution
from tests.refusal import refused

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
}
"""How each quantity that can be expected is read off a steady state."""


def upper(model: Model, line: str) -> str:
    return model.radiative(line).sides[0][0]


def expectations() -> list[tuple[str, Expected]]:
    return [(name, expected) for name, model in MEDIA.items() for expected in model.expected]


@pytest.fixture(scope="module")
def states() -> dict[str, Solution]:
    return {name: jr.steady_state(model) for name, model in MEDIA.items()}


@pytest.mark.parametrize(("name", "expected"), expectations(), ids=lambda x: x if isinstance(x, str) else x.title)
def test_published_figures(name: str, expected: Expected, states: dict[str, Solution]):
    found = float(READINGS[expected.quantity](states[name], expected.of))
    assert found == pytest.approx(expected.si, rel=expected.tolerance), f"{found} {expected.unit}"


@pytest.mark.parametrize("name", MEDIA)
def test_every_number_has_its_source(name: str):
    model = MEDIA[name]
    assert model.expected
    assert model.source
    for stated in (*model.levels, *model.processes):
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


def test_an_unknown_medium_is_refused():
    refused(lambda: jr.media("nd_yag"), "`nd_yag` is not a medium", "did you mean `nd-yag`")
