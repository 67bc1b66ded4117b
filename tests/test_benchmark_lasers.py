"""The stiff benchmarks state the same physics to every program, and judge rightly. Nothing here is timed."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrate as jr
from benchmarks import kinetics, lasers, powers, stiff, stiff_peers
from benchmarks.ode import Way
from jaxrate.network.compile import compile_network
from jaxrate.network.dynamics import rate_of_change
from tests.tolerance import close

pytestmark = pytest.mark.long
LANES_HERE = 4
LASERS = lasers.TURN_ON


def stated(model: jr.Model, theta: dict[str, np.ndarray], n: np.ndarray) -> np.ndarray:
    """Rates of change as jaxrate finds them in the statement, shape (population, lane)."""
    network = compile_network(model)
    with jax.enable_x64(True):
        parameters = network.parameters(jnp.asarray(network.base), {k: jnp.asarray(v) for k, v in theta.items()})
        return np.asarray(rate_of_change(network, parameters, jnp.asarray(n)))


def populations(problem: stiff.Problem) -> np.ndarray:
    """Any populations of every lane, each of about the size it has."""
    shares = np.random.default_rng(0).uniform(0.5, 1, (len(problem.scale), LANES_HERE))
    return shares * np.sqrt(np.array(problem.scale))[:, None]


def test_peers_are_told_the_laser_that_is_stated() -> None:
    n = populations(LASERS)
    unit = np.array([1, 1, 1, 1, lasers.PHOTONS])[:, None]
    found = stated(lasers.laser(), lasers.draw(LANES_HERE), n * unit)
    flows = np.abs(lasers.rates(LANES_HERE)).max(axis=1)
    close(found / unit / flows, np.stack(LASERS.slope(n, lasers.rates(LANES_HERE).T)) / flows, atol=1e-13)


def test_peers_are_told_robertsons_reactions() -> None:
    n = populations(kinetics.ROBERTSONS)
    found = stated(kinetics.robertson_model(), kinetics.robertson_parameters(LANES_HERE), n)
    close(found, np.stack(kinetics.robertson_slope(n, kinetics.ROBERTSONS.rates(LANES_HERE).T)), rtol=1e-11)


def test_peers_are_told_the_oregonator() -> None:
    n = np.geomspace(1e-2, 1e4, 3 * LANES_HERE).reshape(LANES_HERE, 3).T
    found = stated(kinetics.oregonator_model(), kinetics.oregonator_parameters(LANES_HERE), n)
    close(found, np.stack(kinetics.oregonator_slope(n, kinetics.OREGONATORS.rates(LANES_HERE).T)), rtol=1e-11)


def test_more_lanes_begin_with_the_same() -> None:
    for problem in (LASERS, kinetics.ROBERTSONS, kinetics.OREGONATORS):
        close(problem.rates(9)[:4], problem.rates(4), rtol=0)


def test_lasers_are_as_promised() -> None:
    theta = lasers.draw(512)
    r = lasers.rates_of(theta)
    above = theta["pump.rate"] / lasers.threshold(theta)
    photons = lasers.steady(theta)[-1]
    assert np.all((above >= 1.2) & (above <= 5))
    stiffness = r["relax"] / (r["A"] + r["quench"])
    assert np.all((stiffness > 1e4) & (stiffness < 1e6))
    seeds = r["stimulated"] / lasers.PHOTONS / (r["A"] + r["quench"])  # K over 1/tau: photons are (r - 1) / (K tau)
    assert np.all((seeds > 1e-9) & (seeds < 1e-7))
    close(photons * seeds / (above - 1), 1.0, rtol=0.5)


def test_closed_form_of_the_steady_laser_is_at_rest() -> None:
    axes = powers.power_axes(9)
    theta = lasers.laser().parameters() | axes
    state = np.broadcast_arrays(*lasers.steady(theta))
    n = np.stack(state) / np.array([1, 1, 1, 1, lasers.PHOTONS])[:, None, None]
    r = [lasers.rates_of(theta)[name] for name in lasers.RATES]
    flow = np.stack(np.broadcast_arrays(*lasers.slope(n, r)))
    close(flow[:4] / theta["pump.rate"], np.zeros_like(flow[:4]), atol=1e-12)
    close(flow[4] / (r[-1] * n[4]), np.zeros_like(flow[4]), atol=1e-9)
    close(n[:4].sum(axis=0), np.ones(n.shape[1:]))
    close(lasers.energy_balance(theta, np.stack(state)), np.zeros(n.shape[1:]), atol=1e-12)


def test_power_rises_from_threshold_and_not_before() -> None:
    theta = lasers.laser().parameters()
    below, at, above = (
        lasers.output_power(theta | {"pump.rate": x * lasers.threshold(theta)}) for x in (0.99, 1, 1.01)
    )
    assert 0 < 1e3 * below < above
    assert below < at < above


@pytest.mark.parametrize("num", lasers.SIZES)
def test_ladder_has_so_many_populations(num: int) -> None:
    assert len(compile_network(lasers.ladder(num)).populations) == num


def test_reference_ends_where_it_was_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stiff.tempfile, "gettempdir", lambda: str(tmp_path))
    early = replace(kinetics.ROBERTSONS, times=kinetics.ROBERTSON_TIMES[:3])
    found = stiff.reference(early, early.rates(1))
    close(found[:, -1, 0], [0.7158270688, 9.185534765e-06, 0.2841637457], rtol=1e-8)  # Hairer and Wanner, at t = 40
    assert len(list(tmp_path.iterdir())) == 1
    close(stiff.reference(early, early.rates(1)), found, rtol=0)
    stiff.reference(early, 1.01 * early.rates(1))
    assert len(list(tmp_path.iterdir())) == 2


def test_jacobian_is_that_of_the_rate_equations() -> None:
    y, p = populations(kinetics.ROBERTSONS)[:, 0], kinetics.ROBERTSONS.rates(1)[0]
    a, b, c = p
    expected = [[-a, c * y[2], c * y[1]], [a, -c * y[2] - 2 * b * y[1], -c * y[1]], [0, 2 * b * y[1], 0]]
    close(stiff.jacobian(kinetics.ROBERTSONS, y, p), expected)


def test_few_photons_are_judged_by_themselves() -> None:
    exact = np.ones((5, 2, 3))
    exact[:, 0] = 1e-6
    found = exact.copy()
    found[4, 0, 1] *= 1.5
    found[2, 0, 2] *= 1.5
    close(stiff.errors(LASERS, found, exact), [0, 0.5, 5e-7])


def test_wrong_is_a_lane_that_is_off_after_the_pulse_or_has_no_numbers() -> None:
    exact = np.ones((5, 2, 4))
    exact[:, 0] = 1e-6
    found = exact.copy()
    found[4, 0, 0] *= 1.5  # a seed
    found[4, 1, 1] *= 1.02
    found[0, 0, 2] = np.nan
    assert stiff.num_wrong(LASERS, found, exact) == 2


def short(problem: stiff.Problem) -> stiff.Problem:
    return replace(problem, times=problem.times[:2])


def test_scipy_solves_what_it_is_told() -> None:
    problem = short(kinetics.ROBERTSONS)
    exact = stiff.solved(problem, problem.rates(1)[0])
    for method in stiff_peers.METHODS:
        found = stiff.scipy_path(problem, method, problem.rates(1)[0], 1e-6, 1e-6 * np.array(problem.scale))
        close(found, exact, rtol=1e-3, what=method)


@pytest.mark.skipif(find_spec("diffrax") is None, reason="diffrax is not installed")
def test_diffrax_solves_what_it_is_told() -> None:
    problem = short(kinetics.ROBERTSONS)
    found = stiff_peers.diffrax_run(problem, Way("Kvaerno3", 2), 3)()
    assert found.shape == (3, 2, 3)
    close(found[..., 2], stiff.solved(problem, problem.rates(3)[2]), rtol=1e-3)


@pytest.mark.skipif(find_spec("numbalsoda") is None, reason="numbalsoda is not installed")
def test_numbalsoda_solves_what_it_is_told() -> None:
    problem = short(kinetics.ROBERTSONS)
    close(stiff_peers.numbalsoda_run(problem, 3)()[..., 2], stiff.solved(problem, problem.rates(3)[2]), rtol=1e-3)


def test_libraries_that_are_not_installed_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(stiff_peers, "find_spec", lambda name: None)
    assert len(stiff_peers.solvers(LASERS, 1, told.append)) == len(stiff_peers.METHODS)
    assert [line.split("[")[-1] for line in told] == ["bench-lsoda]`", "bench]`"]
