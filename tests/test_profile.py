"""Light of both directions: laws of the amplifier hold, hard ones converge, and errors are as they are said to be."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrate.propagate import nodes, profile
from jaxrate.propagate.two_level import outputs
from tests.tolerance import close
from tests.two_level_light import ABSORPTION, EMISSION, LIFETIME, QUANTA, ZETA, arrays, medium

KINDS = np.array([0, 1, 1, 1, 0, 1, 1, 1])
FORWARD = np.arange(8) < 4
PARTNER = np.array([4, 5, 6, 7, 0, 1, 2, 3])
NOISY = np.array([0, 0, 1, 1, 0, 0, 1, 1], bool)
"""Pump, signal and two bands of spontaneous light, forward and then backward."""

STRENGTH = np.array([1, 1, 1.2, 0.7, 1, 1, 1.2, 0.7])
CLENSHAW = nodes.grid(65)
POSITIONS = CLENSHAW.nodes


@pytest.fixture(autouse=True)
def precise():
    with jax.enable_x64(True):
        yield


def solved(own: dict, lifetime: float | jax.Array) -> profile.Profile:
    return profile.solve(medium(own, FORWARD, PARTNER, lifetime), 1e-8, POSITIONS)


compiled = jax.jit(solved)


def solve(own: dict, lifetime: float = LIFETIME) -> profile.Profile:
    return compiled(own, lifetime)


def fibre(forward: Sequence = (0.1, 1e-5), backward: Sequence = (0.0, 0.0), noise: float = 1.0, **others) -> dict:
    """Arrays with pump and signal [W] from either side."""
    launched = np.array([*forward, 0, 0, *backward, 0, 0])
    own = arrays(KINDS, launched, NOISY, STRENGTH)
    return {**own, "noise": own["noise"] * noise, **{name: np.asarray(x) for name, x in others.items()}}


def random_fibres(num: int) -> list[dict]:
    rng = np.random.default_rng(5)
    return [
        fibre(*(10 ** rng.uniform([-3, -9], [0, -1], (2, 2))).tolist(), length=rng.uniform(1, 20)) for _ in range(num)
    ]


def test_equals_the_closed_form_from_both_sides():
    for forward, backward in (((0.1, 1e-5), (0, 0)), ((0.03, 1e-3), (0.2, 1e-6)), ((0, 1e-2), (0.1, 0))):
        found = solve(fibre(forward, backward, noise=0.0))
        assert found.found
        launched = np.array([*forward, *backward])[:, None]
        which = np.array([0, 1, 0, 1])
        coefficients = ABSORPTION[which][:, None], EMISSION[which][:, None]
        flux, _ = outputs(
            jnp.asarray(launched / QUANTA[which][:, None]), *coefficients, jnp.full(1, ZETA), jnp.full(1, 8.0)
        )
        close(found.leaving[np.array([0, 1, 4, 5])], flux[:, 0] * QUANTA[which], 1e-9, 1e-30)


@pytest.mark.parametrize("case", range(3))
def test_every_photon_is_accounted_for(case: int):
    """What channels lose the ions emit, less what of that stays in the channels."""
    own = random_fibres(3)[case]
    found = solve(own)
    assert found.found
    quanta = QUANTA[KINDS]
    excited = own["length"] * CLENSHAW.integral[-1] @ found.populations[1]
    kept = np.sum(own["noise"][:, 1] / quanta) * excited
    close(np.sum((found.entering - found.leaving) / quanta) + kept, ZETA * excited, 1e-9)


def test_an_amplifier_turned_round_is_the_same():
    one, other = solve(fibre((0.1, 1e-5), (0.03, 1e-4))), solve(fibre((0.03, 1e-4), (0.1, 1e-5)))
    close(one.leaving, other.leaving[PARTNER], 1e-9)
    close(one.powers, other.powers[PARTNER][:, ::-1], 1e-8, 1e-30)


def test_strong_light_makes_the_medium_transparent():
    found = solve(fibre((0, 1e5)))
    close(found.populations[1], ABSORPTION[1] / (ABSORPTION[1] + EMISSION[1]), 1e-5)
    close(found.leaving[1], 1e5, 1e-5)


def test_spontaneous_light_alone_follows_its_formula():
    """(P = n_sp h nu dnu per mode) (e^G - 1), with everything excited and too little light to change that."""
    found = solve(fibre((1e9, 0), noise=1e-9))
    assert found.found
    gain = EMISSION[1] * STRENGTH[2:4] * 8.0
    expected = fibre()["noise"][2:4, 1] * 1e-9 * np.expm1(gain) / (EMISSION[1] * STRENGTH[2:4])
    close(found.leaving[2:4], expected, 1e-6)
    close(found.leaving[6:8], expected, 1e-6)


HARD = {
    "40 dB and more, saturated by its own light": fibre((0.3, 1e-9), (0.3, 1e-9), length=20.0),
    "no pump, 130 dB": fibre((0.0, 1e-6), length=32.0),
    "no pump, 200 dB": fibre((0.0, 1e-6), length=50.0),
    "a pump that does not reach the end": fibre((0.1, 1e-6), length=40.0),
    "far above saturation": fibre((10.0, 1.0), (10.0, 1.0)),
    "nothing at all": fibre((0.0, 0.0)),
    "a short piece": fibre(length=1e-6),
    "reflections below threshold": fibre((0.1, 1e-6), reflection=(1e-3, 1e-3), length=5.0),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_ones_converge(name: str):
    found = solve(HARD[name])
    assert found.found, (found.nodes, found.steps, found.error)
    n, light = found.populations[1], HARD[name]["drive"] @ found.powers
    close(light[0] * (1 - n) - light[1] * n, n / LIFETIME, 0.0, 1e-13 * np.max(light) + 1e-12)


def test_reflected_light_meets_its_boundary_conditions():
    own = HARD["reflections below threshold"]
    found = solve(own)
    close(found.entering, own["launched"] + 1e-3 * found.leaving[PARTNER], 1e-12)
    close(found.powers[:4, 0], found.entering[:4], 1e-12)
    close(found.powers[4:, -1], found.entering[4:], 1e-12)


def test_what_would_lase_says_so():
    found = solve(fibre((0.3, 1e-6), reflection=(0.5, 0.5)))
    assert found.lasing
    assert not found.found


def test_the_error_is_no_greater_than_said(monkeypatch):
    monkeypatch.setattr(profile, "LADDER", (193,))
    fine = jax.jit(solved)
    for own in [*random_fibres(12), *list(HARD.values())[:5]]:
        found, exact = solve(own).leaving, fine(own, LIFETIME).leaving
        whole = np.max(own["noise"], axis=1) * own["length"] / (1 + np.max(np.abs(own["gain"]), axis=1) * own["length"])
        size = exact + profile.NEGLIGIBLE * whole
        error = np.max(np.abs(found - exact) / np.where(size > 0, size, 1.0))
        assert error <= max(float(solve(own).error), 1e-11), (error, solve(own).error)


@pytest.mark.long
def test_derivatives_equal_differences(monkeypatch):
    monkeypatch.setattr(profile, "LADDER", (49,))
    monkeypatch.setattr(profile, "_change", lambda *_: jnp.asarray(0.0))
    own = {name: jnp.asarray(x) for name, x in fibre((0.1, 1e-5), (0.03, 1e-6), reflection=(1e-4, 1e-4)).items()}

    def read(found: profile.Profile) -> jax.Array:
        return jnp.concatenate([jnp.log(found.leaving), jnp.log(found.powers[:, 20]), found.populations[1, ::16]])

    backward = jax.jit(jax.jacrev(lambda *given: read(solved(*given)), (0, 1)))(own, LIFETIME)
    rng, step = np.random.default_rng(2), 1e-4
    for name in ("gain", "noise", "drive", "launched", "length", "reflection"):
        along = rng.normal(size=own[name].shape) * own[name]
        shifted = [read(solve({**own, name: own[name] + d * along})) for d in (-2 * step, -step, step, 2 * step)]
        difference = (shifted[0] - 8 * shifted[1] + 8 * shifted[2] - shifted[3]) / (12 * step)
        exact = jnp.tensordot(backward[0][name], along, along.ndim)
        close(exact, difference, 1e-6, 1e-7 * np.max(np.abs(exact)), name)
    both = [read(solve(own, LIFETIME * (1 + d))) for d in (step, -step)]
    close(backward[1] * LIFETIME, (both[0] - both[1]) / (2 * step), 1e-6, 1e-7)
