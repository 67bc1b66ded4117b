"""Least squares: NIST's certified problems from both starts, a loop of SciPy, and optimistix where it is installed."""

import numpy as np
import pytest
from scipy.optimize import least_squares

import jaxrate as jr
from tests import nist
from tests.tolerance import close

ENOUGH, MANY, DEVIATIONS = 6, 8, 4
"""Certified digits: that every fit must reach, that 36 of 40 must reach, and that 37 of 40 standard errors must."""


@pytest.fixture(scope="module")
def certified() -> dict[tuple[str, int], tuple[float, float, jr.FitResult]]:
    """Digits of parameters and of standard errors, and the result, of every problem and start."""
    found = {}
    for problem in nist.problems():
        for i, start in enumerate(problem.starts):
            fit = fitted(problem, start)
            errors = [e.error for e in fit.estimates]
            digits = nist.digits([*fit.values.values()], problem.certified), nist.digits(errors, problem.deviations)
            found[problem.name, i + 1] = (*digits, fit)
    return found


def fitted(problem: nist.Problem, start: np.ndarray) -> jr.FitResult:
    names = problem.parameters
    begin = dict(zip(names, start.tolist(), strict=True))
    data = {"x": problem.x, "y": problem.y}
    return jr.fit(problem.model, data, names, start=begin, intervals="wald", num_starts=1)


@pytest.mark.long
def test_every_certified_problem_is_solved_from_both_starts(certified):
    poor = {which: digits for which, (digits, _, _) in certified.items() if digits < ENOUGH}
    assert len(certified) == 40
    assert poor == {}


@pytest.mark.long
def test_nearly_all_are_solved_to_eight_digits(certified):
    assert sum(digits >= MANY for digits, _, _ in certified.values()) >= 36


@pytest.mark.long
def test_standard_errors_are_the_certified_ones(certified):
    assert sum(digits >= DEVIATIONS for _, digits, _ in certified.values()) >= 37


@pytest.mark.long
def test_no_wrong_answer_is_called_converged(certified):
    claimed = {which for which, (_, _, fit) in certified.items() if fit.status != "not_converged"}
    assert {which for which in claimed if certified[which][0] < ENOUGH} == set()


def saturation(theta):
    return {"y": theta["top"] * theta["x"] / (theta["x"] + theta["half"]) + theta["zero"]}


X = np.geomspace(0.02, 50.0, 25)
TRUTH = {"top": 3.0, "half": 0.8, "zero": 0.4}
POSITIVE = {"top": (0, None), "half": (0, None)}


def replicas(num: int) -> np.ndarray:
    noise = np.random.default_rng(3).standard_normal((num, X.size))
    return saturation({**TRUTH, "x": X})["y"] + 0.03 * noise


@pytest.mark.parametrize("y", replicas(4))
def test_a_fit_is_that_of_scipy(y: np.ndarray):
    names = list(TRUTH)

    def residual(u: np.ndarray) -> np.ndarray:
        return (saturation({**dict(zip(names, u, strict=True)), "x": X})["y"] - y) / 0.03

    peer = least_squares(residual, [2.0, 1.0, 0.1], jac="3-point", xtol=3e-16, ftol=3e-16, gtol=1e-12)
    start = {"top": 2.0, "half": 1.0, "zero": 0.1}
    fit = jr.fit(saturation, {"x": X, "y": y, "y.sigma": 0.03}, names, start=start, bounds=POSITIVE, num_starts=8)
    close([fit[name].value for name in names], peer.x, rtol=1e-7, what="parameters")
    close(fit.adequacy.chi2, 2 * peer.cost, rtol=1e-12, what="chi-squared")
    errors = np.sqrt(np.diag(np.linalg.inv(peer.jac.T @ peer.jac)))
    close([fit[name].error for name in names], errors, rtol=1e-5, what="standard errors")


def test_a_fit_is_that_of_optimistix():
    optimistix = pytest.importorskip("optimistix", reason="the oracle of the fits is not installed: pip install .[dev]")
    import jax
    import jax.numpy as jnp

    y, names = replicas(1)[0], list(TRUTH)
    with jax.enable_x64(True):
        peer = optimistix.least_squares(
            lambda u, _: (saturation({**dict(zip(names, u, strict=True)), "x": jnp.asarray(X)})["y"] - y) / 0.03,
            optimistix.LevenbergMarquardt(rtol=1e-12, atol=1e-12),
            jnp.array([2.0, 1.0, 0.1]),
        )
        expected = np.asarray(peer.value)
    start = {"top": 2.0, "half": 1.0, "zero": 0.1}
    fit = jr.fit(saturation, {"x": X, "y": y, "y.sigma": 0.03}, names, start=start, bounds=POSITIVE, num_starts=1)
    close([fit[name].value for name in names], expected, rtol=1e-7)
