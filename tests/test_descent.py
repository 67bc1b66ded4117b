"""Fits of any likelihood: where descent over lanes ends, what it claims, and what a lane does to its neighbours."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from jaxrate.fit.descent import Descent
from jaxrate.fit.free import Free
from jaxrate.fit.likelihood import LIKELIHOODS, SoftL1, StudentT, gaussian, likelihood_of, poisson, soft_l1, student_t
from jaxrate.fit.minibatch import minibatch
from jaxrate.fit.objective import FORWARD, Objective
from jaxrate.fit.problem import HELD, TURNS, WEIGHT, Layout, LeastSquares, Part, U, Y, run_fits
from jaxrate.fit.subject import Computed
from tests.refusal import refused
from tests.tolerance import close, same

DECAY = ("amplitude", "rate", "background")
TRUTH = np.log([100.0, 0.7, 3.0])
START = np.log([[60.0, 300.0], [1.5, 0.3], [1.0, 10.0]])
TIMES = np.linspace(0, 8, 80)


def decay(theta: dict[str, Any]) -> dict[str, Any]:
    return {"y": theta["amplitude"] * jnp.exp(-theta["rate"] * theta["x"]) + theta["background"]}


def fit_of(
    model: Callable,
    names: tuple[str, ...],
    x: np.ndarray,
    y: np.ndarray,
    sigma: Any = 1.0,
    *,
    lower: Any = -np.inf,
    chunk: int | None = None,
    prior: tuple[int, float, float] | None = None,
    logarithmic: bool = True,
) -> tuple[Layout, np.ndarray]:
    """A fit of a function of one condition, as layout and base."""
    num, size = len(names), len(x)
    groups = tuple((name, (i,)) for i, name in enumerate(names))
    free = Free(names, (logarithmic,) * num, groups, priors=((prior[0], True),) if prior else ())
    part = Part(Computed(model, ("y",)), ("x",), (), 0, size, 1, chunk or size, True)
    mean, deviation = ([prior[1]], [prior[2]]) if prior else ([], [])
    numbers = free.numbers(np.broadcast_to(lower, num), np.full(num, np.inf), [], mean, deviation)
    data = part.joined([], x, np.zeros(size), y, np.broadcast_to(1 / np.asarray(sigma, float), size))
    return Layout(free, (part,)), np.concatenate([numbers, data])


def ended(kernel: Any, base: np.ndarray, u: np.ndarray, own: dict[str, np.ndarray], turns: int) -> dict[str, Any]:
    return run_fits(kernel, base, u, {HELD: np.zeros((len(u), 1)), TURNS: np.full((1, 1), float(turns)), **own})


def descended(
    fit: tuple[Layout, np.ndarray], loss: Any, u: np.ndarray, turns: int = 1000, **own: Any
) -> dict[str, Any]:
    """By descent; `own` are y, weight and held. All are given always, so that one program serves all tests."""
    layout, base = fit
    y = layout.parts[0].split(layout.split(base)[1][0])[3].reshape(-1, 1)
    given = {"y": y, "weight": np.ones_like(y), **own}
    names = {"y": Y, "weight": WEIGHT, "held": HELD}
    return ended(Descent(layout, loss), base, u, {names[name]: x for name, x in given.items()}, turns)


def by_squares(fit: tuple[Layout, np.ndarray], u: np.ndarray, **own: Any) -> dict[str, Any]:
    """By Levenberg and Marquardt; `own` are y and weight."""
    names = {"y": Y, "weight": WEIGHT}
    return ended(LeastSquares(fit[0]), fit[1], u, {names[name]: x for name, x in own.items()}, 1000)


def errors_of(fit: tuple[Layout, np.ndarray], u: np.ndarray) -> np.ndarray:
    """Standard errors of a gaussian fit at u."""
    R = descended(fit, gaussian, u[:, None], 1)["R"][..., 0]
    return np.sqrt(np.diag(np.linalg.inv(R.T @ R)))


def minimum(likelihood: Any, y: np.ndarray, sigma: Any, u: np.ndarray) -> np.ndarray:
    """Where SciPy ends, with exact derivatives, for the decay."""

    def square(u: Any) -> Any:
        theta = dict(zip(DECAY, jnp.exp(u), strict=True))
        return jnp.sum(likelihood.contribution(decay({**theta, "x": TIMES})["y"], y, 1 / sigma))

    with jax.enable_x64(True):
        slope, curvature = jax.jit(jax.grad(square)), jax.jit(jax.hessian(square))
        found = optimize.minimize(jax.jit(square), u, jac=slope, method="BFGS", options={"gtol": 1e-7}).x
        for _ in range(5):
            found = found - np.linalg.solve(curvature(found), slope(found))
    return found


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    """Decays with normal errors of 1, shape (time,)."""
    rng = np.random.default_rng(1)
    return 100 * np.exp(-0.7 * TIMES) + 3 + rng.normal(size=TIMES.size)


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    """Counts of decays, few at the end, shape (time, replica)."""
    expected = 100 * np.exp(-0.7 * TIMES) + 2
    return np.random.default_rng(2).poisson(expected[:, None], (TIMES.size, 400)).astype(float)


@pytest.mark.parametrize("name", ["gaussian", "student_t", "soft_l1"])
def test_the_end_is_that_of_scipy(noisy, name):
    y = noisy.copy()
    y[::20] += 30
    fit = fit_of(decay, DECAY, TIMES, y, chunk=20)
    found = descended(fit, LIKELIHOODS[name], START)
    assert np.all(found["status"] == 0)
    expected = minimum(LIKELIHOODS[name], y, 1.0, TRUTH)
    assert np.all(np.abs(found["u"] - expected[:, None]) < 1e-7 * errors_of(fit, expected)[:, None])


@pytest.mark.long
def test_counts_are_fitted_as_scipy_fits_them(counts):
    fit = fit_of(decay, DECAY, TIMES, counts[:, 0])
    found = descended(fit, poisson, np.log([[50.0], [1.0], [1.0]]))
    assert found["status"] == 0
    expected = minimum(poisson, counts[:, 0], 1.0, np.log([100.0, 0.7, 2.0]))
    assert np.all(np.abs(found["u"][:, 0] - expected) < 1e-7 * errors_of(fit, expected))


def test_counts_are_fitted_without_bias(counts):
    found = descended(fit_of(decay, DECAY, TIMES, counts[:, 0]), poisson, np.log([[50.0], [1.0], [1.0]]), y=counts)
    assert np.mean(found["status"] == 0) == 1
    rates = np.exp(found["u"][1])
    assert abs(rates.mean() - 0.7) < 3 * rates.std() / np.sqrt(rates.size)
    weighted = fit_of(decay, DECAY, TIMES, counts[:, 0])
    # the square root of the counts as their error: what Poisson's likelihood is there to replace
    roots = 1 / np.sqrt(np.maximum(counts, 1))
    usual = by_squares(weighted, np.log([[100.0], [0.7], [2.0]]), y=counts, weight=roots)
    biased = np.exp(usual["u"][2])
    assert abs(np.mean(np.exp(found["u"][2])) - 2) < 0.1 * abs(biased.mean() - 2)


def test_the_gaussian_end_is_that_of_least_squares(noisy):
    fit = fit_of(decay, DECAY, TIMES, noisy, prior=(1, np.log(0.6), 0.05))
    usual, found = by_squares(fit, START), descended(fit, gaussian, START)
    close(found["u"], usual["u"], rtol=1e-8)
    close(found["square"], usual["square"], rtol=1e-12)
    assert np.all(found["status"] == 0)


def test_without_errors_of_the_data_their_scale_does_not_matter(noisy):
    found = descended(fit_of(decay, DECAY, TIMES, noisy * 1e-20), gaussian, START - np.log([[1e20], [1], [1e20]]))
    assert np.all(found["status"] == 0)
    close(found["u"][1], descended(fit_of(decay, DECAY, TIMES, noisy), gaussian, START)["u"][1], rtol=1e-7)


def test_outliers_move_least_squares_and_not_the_t_distribution(noisy):
    y = noisy.copy()
    y[10::20] += 60  # 5 % of the data
    fit = fit_of(decay, DECAY, TIMES, y)
    clean = descended(fit_of(decay, DECAY, TIMES, noisy), gaussian, START)["u"][:, 0]
    errors = errors_of(fit, clean)
    assert np.max(np.abs(descended(fit, student_t, START)["u"][:, 0] - clean) / errors) < 1
    assert np.max(np.abs(descended(fit, gaussian, START)["u"][:, 0] - clean) / errors) > 5


@pytest.mark.long
def test_a_datum_that_counts_twice_is_the_same_datum_twice(noisy):
    twice = np.r_[np.full(40, 2.0), np.ones(40)]
    x, y = np.r_[TIMES, TIMES[:40]], np.r_[noisy, noisy[:40]]
    weighted = descended(fit_of(decay, DECAY, TIMES, noisy, 0.5), student_t, START, weight=np.sqrt(twice)[:, None])
    repeated = descended(fit_of(decay, DECAY, x, y, 0.5), student_t, START)
    close(weighted["u"], repeated["u"], rtol=1e-8)
    close(weighted["square"], repeated["square"], rtol=1e-12)


@pytest.mark.long
def test_what_is_held_stays_and_the_others_find_their_minimum(noisy):
    held = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    fit = fit_of(decay, DECAY, TIMES, noisy)
    found = descended(fit, soft_l1, START, held=held)
    same(found["u"][1, 0], START[1, 0])
    assert np.all(found["status"] == 0)
    with jax.enable_x64(True):
        u = jnp.asarray(found["u"])
        gradient = np.asarray(Objective(fit[0], soft_l1, jnp.asarray(fit[1]), {U: u}).slope(u).gradient)
    assert np.all(np.abs(gradient[held == 0]) < 1e-5)
    assert abs(gradient[1, 0]) > 1


def test_bounds_are_respected_and_the_end_there_is_one(noisy):
    lower = np.log([1.0, 0.1, 5.0])  # the background is 3
    fit = fit_of(decay, DECAY, TIMES, noisy, lower=lower)
    begin = np.maximum(START, lower[:, None])
    usual, found = by_squares(fit, begin), descended(fit, gaussian, begin)
    same(found["u"][2], np.full(2, lower[2]))
    assert np.all(found["status"] == 0)
    close(found["u"], usual["u"], rtol=1e-8)


def test_a_lane_that_fails_does_not_touch_its_neighbours(noisy):
    fit = fit_of(decay, DECAY, TIMES, noisy)
    starts = np.concatenate([START, np.full((3, 1), np.nan), np.full((3, 1), 800.0), START], axis=1)
    found = descended(fit, student_t, starts)
    assert found["status"].tolist() == [0, 0, 1, 1, 0, 0]
    same(found["u"][:, :2], found["u"][:, 4:])
    same(found["u"][:, :2], descended(fit, student_t, START)["u"])


def test_too_few_turns_are_no_convergence(noisy):
    fit = fit_of(decay, DECAY, TIMES, noisy)
    found = descended(fit, student_t, START, 4)
    assert np.all(found["status"] == 1)
    assert np.all(found["turns"] <= 5)


@pytest.mark.long
def test_what_the_data_do_not_determine_is_left_alone(noisy):
    def product(theta: dict[str, Any]) -> dict[str, Any]:
        return decay({**theta, "amplitude": theta["amplitude"] * theta["length"]})

    fit = fit_of(product, (*DECAY, "length"), TIMES, noisy)
    found = descended(fit, student_t, np.r_[START, [[0.0, 0.3]]])
    plain = descended(fit_of(decay, DECAY, TIMES, noisy), student_t, START)
    assert np.all(found["status"] == 0)
    close(found["u"][0] + found["u"][3], plain["u"][0], rtol=1e-7)


@pytest.mark.long
def test_forty_parameters_by_reverse_mode():
    """Forty lines of known shape on one spectrum of counts."""
    num, rng = FORWARD + 10, np.random.default_rng(3)
    names, centres = tuple(f"line{i}" for i in range(num)), np.linspace(0, 1, num)
    truth, x = rng.uniform(20, 200, num), np.linspace(0, 1, 400)

    def spectrum(theta: dict[str, Any]) -> dict[str, Any]:
        lines = [theta[n] * jnp.exp(-(((theta["x"] - c) / 0.015) ** 2)) for n, c in zip(names, centres, strict=True)]
        return {"y": sum(lines) + 1.0}

    shapes = np.exp(-(((x[:, None] - centres) / 0.015) ** 2))
    y = rng.poisson(shapes @ truth + 1).astype(float)
    found = descended(fit_of(spectrum, names, x, y, chunk=100), poisson, np.full((num, 2), np.log([50.0, 100.0])))
    assert np.all(found["status"] == 0)
    line = np.exp(found["u"])
    expected = shapes @ line + 1
    scores = line * (shapes.T @ (1 - y[:, None] / expected))
    assert np.all(np.abs(scores) < 1e-6 * np.sqrt(line**2 * (shapes.T**2 @ (1 / expected))))
    close(found["u"][:, 0], found["u"][:, 1], rtol=1e-8)


@pytest.mark.long
def test_minibatches_come_within_a_few_errors_of_the_whole_fit():
    rng = np.random.default_rng(4)
    x = rng.uniform(0, 8, 100_000)
    fit = fit_of(decay, DECAY, x, 100 * np.exp(-0.7 * x) + 3 + rng.normal(size=x.size), chunk=1000)
    whole = by_squares(fit, START)["u"][:, 0]
    u, trace = minibatch(fit[0], gaussian, fit[1], START, states=1000, steps=1000, seed=5)
    assert trace.shape == (1000, 2)
    assert np.max(np.abs(u - whole[:, None]) / errors_of(fit, whole)[:, None]) < 3
    close(trace[-100:].mean(axis=0), 1e5, rtol=0.02)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_slopes_and_weights_are_derivatives_and_zero_at_a_perfect_fit(name):
    likelihood = LIKELIHOODS[name]
    with jax.enable_x64(True):
        k = jnp.array([0.0, 1.0, 1.0, 7.0, 7.0, 1e6])
        mu, root = jnp.asarray([0.3, 1.0, 2.5, 7.0, 700.0, 1e6 + 1]), jnp.asarray(0.7)
        slope = jax.vmap(jax.grad(likelihood.contribution), (0, 0, None))(mu, k, root)
        close(likelihood.slope(mu, k, root), slope / 2, rtol=1e-9, atol=1e-15)
        assert np.all(np.asarray(likelihood.curvature(mu, k, root)) > 0)
        same(np.asarray(likelihood.contribution(k[1:], k[1:], root)), np.zeros(5))


def test_the_deviance_of_counts_keeps_its_digits_and_its_limits():
    with jax.enable_x64(True):
        one = jnp.asarray(1.0)
        close(poisson.contribution(1e12 + 1e3 * one, 1e12 * one, one), 1e-6, rtol=1e-6)
        close(poisson.contribution(0.25 * one, 0 * one, one), 0.5)
        found = poisson.contribution(jnp.array([0.0, 0.0, -1.0, np.nan]), jnp.array([0.0, 2.0, 0.0, 1.0]), one)
        same(np.asarray(found), np.array([0.0, np.inf, np.inf, np.nan]))
        assert np.isfinite(jax.grad(poisson.contribution)(one, 0 * one, one))


def test_losses_become_squares_near_zero_and_grow_slower_far_off():
    z = np.array([1e-4, 1e3])
    for loss, near, far in ((StudentT(), 5 / 4, 5 * np.log(1e6 / 4)), (StudentT(1e9), 1, 1e6), (SoftL1(), 1, 2e3)):
        with jax.enable_x64(True):
            close(loss.rho(jnp.asarray(z)), [near * 1e-8, far], rtol=2e-3)


def test_unknown_losses_and_data_that_are_no_counts_are_refused():
    assert likelihood_of("student_t") is student_t
    assert likelihood_of(StudentT(3)) != student_t
    assert likelihood_of(StudentT()) == student_t
    refused(lambda: likelihood_of("studentt"), "`studentt`", "did you mean `student_t`?")
    refused(lambda: likelihood_of(3), "`loss`", "'poisson'", "3 was given")
    refused(lambda: StudentT(0), "`nu`", "above 0", "0 was given")
    refused(lambda: poisson.check(np.array([1.0, -2.0]), "counts"), "`counts`", "-2", "whole numbers")
    refused(lambda: poisson.check(np.array([1.5, np.nan]), "counts"), "1.5", "not rates", "counts.sigma")
    poisson.check(np.array([0.0, 3.0, np.nan]), "counts")
