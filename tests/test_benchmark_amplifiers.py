"""The benchmarks of amplifiers state the same physics to every program, and judge rightly. Nothing here is timed."""

from typing import Any

import jax
import numpy as np
import pytest

from benchmarks import amplifier_peers, amplifiers, erbium, grids, notes, report
from benchmarks.__main__ import peers_of
from benchmarks.erbium import Amplifier
from benchmarks.figures import FIGURES
from benchmarks.measure import measure
from tests.tolerance import close, same

NODES_HERE = 49
SIGNALS = slice(1, 1 + erbium.WDM.size)


@pytest.fixture(autouse=True)
def _coarse_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "FINE", NODES_HERE)


def stated(lane: int, **options: Any) -> Amplifier:
    return Amplifier(erbium.lane_of(erbium.draw(lane + 1), lane), **options)


def any_powers(amplifier: Amplifier, places: int) -> np.ndarray:
    """Of about the size they have [W], shape (channel, place)."""
    return np.random.default_rng(0).uniform(1e-6, 1e-2, (amplifier.frequency.size, places))


def test_peers_are_told_the_fibre_that_is_stated() -> None:
    own = stated(1)
    P = any_powers(own, 1)
    with jax.enable_x64(True):
        found = grids.medium(grids.network().base, grids.own_of(1))
        n, solved = found.local(found.drive @ P)
        gain, noise = np.asarray(found.gain), np.asarray(found.noise)
    lower, upper = np.eye(2)
    close(gain @ upper, own.gain, rtol=1e-9)
    close(-gain @ lower, own.alpha, rtol=1e-9)
    close(noise @ upper, own.spontaneous, rtol=1e-9)
    same(found.launched, own.launched)
    same(np.where(found.forward, 1.0, -1.0), own.way)
    assert np.all(solved)
    close(n[1], own.excited(P)[0], rtol=1e-9)


def test_more_lanes_begin_with_the_same() -> None:
    for name, values in erbium.draw(9).items():
        same(values[..., :4], erbium.draw(4)[name], what=name)


def test_jacobian_is_that_of_the_rate_equations() -> None:
    own = stated(0, loss=erbium.LOSS)
    P, k = any_powers(own, 2), 45
    step = np.zeros_like(P)
    step[k] = 1e-7
    wanted = (own.slope(P + step) - own.slope(P - step)) / 2e-7
    close(own.jacobian(P)[:, k], wanted, atol=1e-7 * np.abs(wanted).max())


def test_noise_is_what_the_excited_fibre_gives() -> None:
    """Both directions alike in the same medium, and nothing without light."""
    own = stated(0)
    assert np.all(own.slope(np.zeros((241, 1))) == 0)
    P = any_powers(own, 1)
    P[141:] = P[41:141]
    slope = own.slope(P)
    close(slope[141:], -slope[41:141])


def test_closed_form_and_integration_know_the_same_amplifier() -> None:
    own = stated(3, noise=False)
    close(amplifiers.saleh(own), amplifier_peers.marched(own, 1e-12, np.array([1.0]))[:, -1], rtol=1e-9)


def test_loss_takes_its_share() -> None:
    """Of light that nothing absorbs; the signals of a real fibre lose about as much."""
    here = [amplifier_peers.marched(stated(3, noise=False, loss=x), 1e-9, np.array([1.0])) for x in (0.0, erbium.LOSS)]
    length = float(stated(3).theta["length"])
    close((here[1] / here[0])[SIGNALS], np.exp(-erbium.LOSS * length), rtol=0.05)
    assert np.all(here[1] < here[0])


def test_guess_of_the_peers_is_transported() -> None:
    own = stated(0)
    z, guess = amplifier_peers.transported(own, 33)
    same(z[[0, -1]], [0.0, 1.0])
    close(guess[:41, 0], own.launched[:41])
    assert np.all(guess[41:141, 0] == 0)
    assert np.all(guess[141:, -1] == 0)
    assert np.all(guess[41:141, -1] > 0)
    assert np.all(guess[141:, 0] > 0)


def test_solve_bvp_and_our_grid_are_solutions_of_the_same_equations() -> None:
    exact = grids.leaving(1, NODES_HERE)
    found = amplifier_peers.loop(1, 1e-2)
    close(found[:41], exact[:41], rtol=1e-3)
    close(found[41:], exact[41:], rtol=1e-2)


def test_signals_and_noise_are_judged_apart() -> None:
    exact = grids.leaving(1, NODES_HERE)
    close(amplifiers.signal_error(exact), 0.0, atol=0.0)
    wrong = exact.copy()
    wrong[5] *= 1 + 1e-5
    wrong[100] *= 1 - 1e-3
    close(amplifiers.signal_error(wrong), 1e-5, rtol=1e-6)
    facts = amplifiers.told(lambda: wrong)().facts
    close(facts["noise_error"], 1e-3, rtol=1e-6)
    wrong[5] = np.nan
    assert np.isnan(amplifiers.signal_error(wrong))


def test_slopes_are_judged_by_finite_differences() -> None:
    theta = {"length": np.array([6.0, 9.0]), "pump.power": np.array([0.1, 0.2])}

    def bench(theta: Any) -> dict[str, np.ndarray]:
        return {"wdm": np.stack([np.exp(theta["length"]) * theta["pump.power"], theta["pump.power"] ** 2])}

    value = bench(theta)["wdm"]
    by_length, by_power = np.stack([value[0], 0 * value[1]]), value / theta["pump.power"] * np.array([[1], [2]])
    error = lambda name, slope: amplifiers.slope_error(bench, theta, name, value, slope)  # noqa: E731
    assert error("length", by_length) < 1e-7
    assert error("pump.power", by_power) < 1e-7
    close(error("pump.power", by_power * 1.001), 1e-3, rtol=1e-3)


def test_error_falls_with_the_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "GRIDS", (7, 13, NODES_HERE))
    first, second = (grids._on_one(1, rung) for rung in (0, 1))
    assert first.output > 100 * second.output > 0
    close(second.facts["order_ratio"], np.log2(first.output / second.output))


def test_every_figure_has_its_entry() -> None:
    cases = [case for job in amplifiers.JOBS for case in amplifiers.JOBS[job](2)]
    cases += peers_of("A1", 2, lambda line: None)
    read = {entry for figure in FIGURES for entry in (figure.of, figure.over) if entry}
    assert {(case.job, case.name) for case in cases} == {entry for entry in read if entry[0] in amplifiers.JOBS}


def test_the_page_says_what_the_jobs_are() -> None:
    assert notes.notes({"entries": [{"job": "A2"}]})[-len(notes.NOTES_OF_AMPLIFIERS) :] == notes.NOTES_OF_AMPLIFIERS


@pytest.mark.long
@pytest.mark.parametrize("job", amplifiers.JOBS)
def test_jobs_keep_their_bounds(job: str) -> None:
    entries = measure(amplifiers.JOBS[job](2), 1)
    assert not [entry["failed"] for entry in entries if entry["failed"]]
    found = {(e["job"], e["name"]): {"error": e["error"], **e["facts"]} for e in entries}
    errors = [f for f in FIGURES if f.of in found and f.over is None and f.fact.endswith(("error", "honesty_ratio"))]
    assert errors
    assert len(report.figure_rows({"entries": entries})) >= len(errors)
    assert all(figure.met(found[figure.of][figure.fact]) for figure in errors)
