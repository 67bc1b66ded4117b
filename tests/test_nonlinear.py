"""Derivatives of stiff paths through every door, pulses of a laser by their closed forms, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import CubicSpline

import jaxrate as jr
from tests.media import four_level
from tests.refusal import refused
from tests.systems import gain_reservoir, laser, q_switch, quench
from tests.test_rosenbrock import TIMES, turned_on
from tests.tolerance import close, same

# Derivatives.

STEPS = (-2e-4, -1e-4, 1e-4, 2e-4)
"""Relative, of differences whose error is of their fourth power."""

FINE: Any = {"rtol": 1e-11, "max_steps": 50_000}
"""So that the errors of paths, divided by such a small step, do not count."""


@pytest.mark.long
def test_slopes_of_a_turn_on_are_those_of_differences():
    """Photons and the upper level of a laser that spikes, by its pump, its cavity and its line."""
    lifetime = np.full(2, 1e-7)
    pump = np.array([0.7, 1.5]) * laser.threshold(1e-7, laser.B)
    theta = {"pump.rate": pump, "cavity.photon_lifetime": lifetime, "laser.B": np.full(2, laser.B)}
    observables = {"2": jr.Population("2"), "cavity": jr.Population("cavity")}
    bench = jr.Experiment(laser.model(), jr.Evolve(TIMES, **FINE), observables)
    values, slopes = bench.value_and_grad(theta, wrt=list(theta))
    every = [theta] + [{**theta, name: x * (1 + d)} for name, x in theta.items() for d in STEPS]
    path = turned_on({name: np.concatenate([one[name] for one in every]) for name in theta}, **FINE)
    for o in observables:
        at, *near = np.split(path[o], len(every), axis=1)
        close(values[o], at, 1e-12)
        for i, (name, x) in enumerate(theta.items()):
            two_less, less, more, two_more = near[4 * i : 4 * i + 4]
            difference = (two_less - 8 * less + 8 * more - two_more) / 12e-4
            size = np.max(np.abs(at) + np.abs(difference), axis=0)
            close(slopes[o][name] * x / size, difference / size, 0.0, 1e-5, f"{o} by {name}")


DECAY, PAIRS, START = (np.array(x) for x in ([1e3, 10.0], [2e-22, 1e-22], [0.3, 1.0]))


def quenched(decay: Any, pairs: Any, start: Any) -> Any:
    """The upper level after 1 ms, inside whatever transformation."""
    theta = {"decay.rate": decay, "pairs.coefficient": pairs}
    begun = {"u": start, "g": 1 - start}
    return jr.evolve(quench.model(), theta, np.array([1e-3]), start=begun, rtol=1e-10)["u"][0]


@pytest.mark.long
def test_gradients_through_a_path_inside_jit():
    """By two parameters and a start that is traced, in reverse, lane by lane of vmap: the closed form's."""
    lanes = {"decay": DECAY, "pairs": PAIRS, "start": START}
    values, slopes = laser.by_complex_steps(
        lambda decay, pairs, start: {"u": quench.solved(start, 1e-3, 0.0, decay, pairs)}, tuple(lanes), lanes
    )
    with jax.enable_x64(True):
        function = jax.jit(jax.vmap(jax.value_and_grad(quenched, argnums=(0, 1, 2))))
        found = function(*map(jnp.asarray, lanes.values()))
    close(found[0], values["u"], 1e-9)
    for slope, name in zip(found[1], lanes, strict=True):
        close(slope, slopes["u"][name], 1e-7, what=name)


@pytest.mark.long
def test_a_lane_that_fails_leaves_the_slopes_of_the_others():
    """Nor is anything but NaN said of its own."""
    bench = jr.Experiment(quench.model(), quench.SYSTEMS[1].solver, quench.READ)
    theta = {name: x.copy() for name, x in quench.THETA.items()}
    whole = bench.jacobian(theta, wrt=quench.VARIED)["u"]
    theta["decay.rate"][2] = np.nan
    found = bench.jacobian(theta, wrt=quench.VARIED)["u"]
    for name in quench.VARIED:
        assert np.all(np.isnan(found[name][:, 2]))
        same(np.delete(found[name], 2, axis=1), np.delete(whole[name], 2, axis=1))


# Pulses and rings.


def test_photons_of_a_q_switch_follow_the_inversion():
    """phi/n_t = r - n/n_t - ln(r n_t/n) all along the pulse; its peak is r - 1 - ln r, its energy 5.193 tau_c of it."""
    times = np.concatenate([[1e-8], np.linspace(3e-7, 7e-7, 1601)])
    solver = q_switch.evolve(times, 2.0)
    path = jr.evolve(
        q_switch.model(),
        {"open": np.array([q_switch.LIFETIME])},
        times,
        start=solver.start,
        drive=dict(q_switch.evolve(times, 2.0).drive or ()),
        rtol=1e-10,
    )
    n, photons = path["N"][:, 0] / q_switch.ATOMS, path["cavity"][:, 0] / (q_switch.ATOMS * q_switch.VOLUME)
    close(photons, 2 - n - np.log(2 / n), 1e-6, 1e-9)
    close(np.max(photons), 1 - np.log(2), 1e-4)
    close(np.max(photons), 0.3068528, 1e-4)
    emitted = 2 - 2 * (1 - q_switch.extraction(2.0))
    close(emitted / np.max(photons), 5.193, 0.0, 1e-3)
    close(q_switch.extraction(2.0), 0.7968121, 1e-6)


def test_a_disturbed_laser_rings():
    """At 104.9414 kHz where tau = 230 us, tau_c = 10 ns, r = 2, by the zeros of its photons; damped at r / 2 tau."""
    r, gamma = 2.0, 2.0 / (2 * q_switch.TAU)
    steady = {
        "N": q_switch.ATOMS,
        "cavity": (r - 1) * q_switch.ATOMS * q_switch.VOLUME * q_switch.LIFETIME / q_switch.TAU,
    }
    times = np.linspace(0, 6e-5, 601)
    theta = {"pump.rate": r * q_switch.ATOMS / q_switch.TAU, "decay.rate": np.array([1 / q_switch.TAU])}
    start = steady | {"cavity": steady["cavity"] * (1 + 1e-4)}
    path = jr.evolve(q_switch.model(), theta, times, start=start, rtol=1e-11)
    swing = path["cavity"][:, 0] / steady["cavity"] - 1
    zeros = CubicSpline(times, swing).roots(extrapolate=False)
    omega = np.pi * (len(zeros) - 1) / (zeros[-1] - zeros[0])
    close(omega / (2 * np.pi), 104.9414e3, 3e-6)
    tops = np.abs(swing[[np.argmax(np.abs(swing) * (np.abs(times - t) < 2e-6)) for t in (9.53e-6, 4.765e-5)]])
    close(np.log(tops[0] / tops[1]), gamma * 4 * 2 * np.pi / omega, 2e-3)


def test_a_short_pulse_saturates_a_reservoir_as_frantz_and_nodvik_say():
    """Slow light saturates it as a steady amplifier: tests/systems/gain_reservoir.py."""
    fluence = np.array([0.1, 1.0, 5.0])
    length = 1e-11
    square = jr.pulse.Square(jr.expr("fluence * tau / 1e-11"), 0.0, length)
    model = gain_reservoir.model(fluence=0.0)
    start = {"q": np.log(1000.0)}
    theta = {"fluence": fluence, "g0L": start["q"]}
    path = jr.evolve(model, theta, np.array([length]), start=start, drive={"s": square}, rtol=1e-10)
    close(path["q"][0], gain_reservoir.after_pulse(1000.0, fluence), 1e-6, 7e-8)  # 7e-8 is pumped meanwhile


# What is refused.


def evolving(times: Any = (1e-3,), **options: Any) -> jr.Solution:
    return jr.evolve(laser.model(), None, list(times), **options)


PUMP = "pump.rate"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda: evolving(rtol=0.0), ["`rtol`", "positive", "1e-8", "0.0"]),
        (lambda: evolving(rtol=-1e-6), ["`rtol`", "positive", "-1e-06"]),
        (lambda: evolving(rtol=1e-15), ["`rtol`", "1e-13", "16 digits"]),
        (lambda: evolving(rtol=np.nan), ["`rtol`", "positive", "nan"]),
        (lambda: evolving(rtol="1e-6"), ["`rtol`", "positive number", "'1e-6'"]),
        (lambda: evolving(rtol=np.bool_(True)), ["`rtol`", "positive number"]),
        (lambda: evolving(atol=1e-9), ["`atol` must be given by population", "atol={'cavity': 1e-6}", "1e-09"]),
        (lambda: evolving(atol=0.0), ["`atol` must be given by population", "0.0"]),
        (lambda: evolving(atol=(1e-9, 1e-9)), ["`atol` must be given by population"]),
        (lambda: evolving(atol=np.full(2, 1e-9)), ["`atol` must be given by population"]),
        (lambda: evolving(atol={"cavity": 0}), ["`atol of `cavity``", "positive"]),
        (lambda: evolving(atol={"cavty": 1e-3}), ["`atol`", "`cavty`", "did you mean `cavity`"]),
        (lambda: evolving(max_steps=0), ["`max_steps`", "whole number", "0"]),
        (lambda: evolving(max_steps=1.5), ["`max_steps`", "whole number", "1.5"]),
        (lambda: evolving(drive={"pmp.rate": jr.pulse.Gaussian(1, 0, 1)}), ["`pmp.rate`", "`pump.rate`"]),
        (lambda: evolving(drive={"cavity": jr.pulse.Gaussian(1, 0, 1)}), ["`cavity`", "parameter"]),
        (lambda: evolving(drive={PUMP: jr.pulse.Square(-1.0, 0, 1)}), ["`pump.rate`", "zero or positive", "-1"]),
        (lambda: evolving(drive={PUMP: jr.Segments([(0, 1e-4, 1.0)])}), ["ends at 0.0001 s", "0.001 s", "segment"]),
        (lambda: evolving(start={"cavty": 3.0, "0": 1.0}), ["`cavty`", "did you mean `cavity`"]),
        (lambda: evolving(start={"0": 1.0, "cavity": -1.0}), ["`start`", "zero or positive", "-1"]),
        (lambda: evolving(start="hot"), ["`start`", "'ground'", "'hot'"]),
        (lambda: jr.steady_state(laser.model(), start="warm"), ["`start`", "'cold'", "'hot'", "'warm'"]),  # type: ignore[arg-type]
        (lambda: jr.steady_state(laser.model(), start={"cavty": 1.0}), ["`cavty`", "did you mean `cavity`"]),
        (
            lambda: jr.steady_state(laser.model(), start=jr.steady_state(four_level())),
            ["`start`", "of 0, 1, 2, 3", "cavity"],
        ),
    ],
)
def test_a_slip_is_one_clear_message(state: Callable[[], Any], words: list[str]):
    refused(state, *words)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
def test_tolerances_may_be_numbers_of_numpy(kind: Any):
    """They are Python's from then on: files hold them, and no precision of theirs enters a computation."""
    found = jr.Evolve([0.0], rtol=kind(2.0**-10), atol={"cavity": kind(0.5)}, max_steps=np.uint8(5))  # type: ignore[arg-type]
    assert found == jr.Evolve([0.0], rtol=2.0**-10, atol={"cavity": 0.5}, max_steps=5)
    assert replace(found, times=[0.0, 1.0]).atol == (("cavity", 0.5),)
    assert [type(x) for x in (found.rtol, dict(found.atol)["cavity"], found.max_steps)] == [float, float, int]


@pytest.mark.long
def test_a_drive_that_is_not_a_number_is_a_status():
    """Functions cannot be checked beforehand: NaN, or below zero, from a moment on."""
    for wrong in (lambda t: jnp.where(t > 1e-4, jnp.nan, 1.0), lambda t: 1.0 - 1e4 * t):
        path = jr.evolve(quench.model(), {"decay.rate": np.ones(2)}, np.array([5e-4, 1e-3]), drive={PUMP: wrong})
        assert path.status.tolist() == [jr.Status.BAD_INPUT] * 2
        assert np.all(np.isnan(path.populations))


def test_a_start_that_names_no_level_is_dark_but_for_what_it_names():
    path = evolving(times=[0.0], start={"cavity": 3.0})
    close([path["0"][0], path["cavity"][0]], [1.0, 3.0], 1e-15)


@pytest.mark.parametrize("share", [0.5, 2.0, -1.0, np.nan])
def test_fractions_of_a_lane_that_are_no_fractions_are_bad_input(share: float):
    start = {"0": np.array([1.0, share])}
    for state in (evolving(start=start), jr.steady_state(laser.model(), start=start)):
        same(state.status, np.array([jr.Status.OK, jr.Status.BAD_INPUT], np.int8))


@pytest.mark.long
def test_paths_are_differentiated_and_mapped_without_any_flag():
    """With JAX's own float32 outside."""

    def photons(pump: Any) -> Any:
        return jr.evolve(laser.model(), {PUMP: pump}, [1e-5])["cavity"][-1]

    pump = jnp.array([1e3, 2e3])
    slopes = jax.vmap(jax.grad(photons))(pump)
    assert slopes.dtype == jnp.float32
    close(slopes[0], jax.grad(photons)(pump[0]), 1e-5)
    close(jax.vmap(photons)(pump)[1], photons(pump[1]), 1e-5)
