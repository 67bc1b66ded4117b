"""Intervals of fits: where each method ends them, against fits that are made without jaxrate."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.optimize import least_squares

import jaxrate as jr
from tests.refusal import refused
from tests.tolerance import close

X = np.linspace(0.05, 2.0, 24)
SIGMA = 0.1
NOISE = np.random.default_rng(3).standard_normal(24)


def saturation(theta: Mapping[str, Any]) -> dict[str, Any]:
    return {"y": theta["a"] * theta["x"] / (theta["x"] + theta["b"])}


def line(theta: Mapping[str, Any]) -> dict[str, Any]:
    return {"y": theta["a"] + theta["b"] * theta["x"]}


def points(**changes: Any) -> dict[str, Any]:
    return {"x": X, "y": 5 * X / (X + 0.7) + SIGMA * NOISE, "y.sigma": np.full(24, SIGMA), **changes}


def straight(noise: np.ndarray = NOISE, sigma: float | None = SIGMA, **changes: Any) -> dict[str, Any]:
    found = {"x": X, "y": 1 + 2 * X + SIGMA * noise, **changes}
    return found if sigma is None else {**found, "y.sigma": np.full(24, sigma)}


def fitted(data: Any, function: Callable = saturation, free: Any = ("a", "b"), **changes: Any) -> jr.FitResult:
    bounds = {name: (0.0, None) for name in free} if function is saturation else {}
    known = {"start": {"a": 4.0, "b": 1.0}, "bounds": bounds, "num_starts": 2, "intervals": "profile"}
    return jr.fit(function, data, free, **{**known, **changes})


@cache
def skew() -> jr.FitResult:
    """A saturation with the curvature far from all of it."""
    return fitted(points())


def rise_by_scipy(name: str, value: float, data: Mapping[str, Any]) -> float:
    """Rise of chi-squared with one parameter of the saturation held, the other fitted again."""
    x, y, sigma = data["x"], data["y"], data["y.sigma"]

    def residuals(u: np.ndarray) -> np.ndarray:
        a, b = (value, np.exp(u[0])) if name == "a" else (np.exp(u[0]), value)
        return (a * x / (x + b) - y) / sigma

    def free(u: np.ndarray) -> np.ndarray:
        return (np.exp(u[0]) * x / (x + np.exp(u[1])) - y) / sigma

    options: dict[str, Any] = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15}
    best = least_squares(free, np.log([5.0, 0.7]), **options)
    return 2 * (least_squares(residuals, np.log([0.7 if name == "a" else 5.0]), **options).cost - best.cost)


# Profiles.


@pytest.mark.parametrize("name", ["a", "b"])
def test_profiles_end_where_chi_squared_has_risen_to_the_threshold(name: str):
    e, threshold = skew()[name], stats.chi2.ppf(0.95, 1)
    assert (e.lower_label, e.upper_label) == ("data", "data")
    for end in (e.lower, e.upper):
        close(rise_by_scipy(name, end, points()), threshold, 1e-3)


def test_profiles_are_curves_of_refitted_chi_squared():
    for profile in skew().profiles:
        close(profile.threshold, stats.chi2.ppf(0.95, 1), 1e-12)
        assert list(profile.values) == sorted(profile.values)
        for value, rise in list(zip(profile.values, profile.chi2, strict=True))[::5]:
            close(rise, rise_by_scipy(profile.name, value, points()), 1e-5, 1e-6)


def test_without_sigma_profiles_use_students_quantile():
    data = points()
    data.pop("y.sigma")
    found, stated = fitted(data), skew()
    variance = stated.adequacy.chi2 / 22
    for name in "ab":
        for end in (found[name].lower, found[name].upper):
            close(rise_by_scipy(name, end, points()) / variance, stats.t.ppf(0.975, 22) ** 2, 1e-3)


def test_one_parameter_may_be_profiled_alone_at_another_level():
    found = jr.profile(skew(), ["b"], level=0.6827)
    assert [p.name for p in found.profiles] == ["b"]
    close(rise_by_scipy("b", found["b"].upper, points()), stats.chi2.ppf(0.6827, 1), 1e-3)
    assert np.isinf(found["a"].upper)
    assert (found.level, found.method) == (0.6827, "profile")
    assert found.values == skew().values
    assert jr.profile(skew(), "b", level=0.6827).estimates == found.estimates
    refused(lambda: jr.profile(skew(), ["c"]), "`c`", "free parameter")
    refused(lambda: jr.profile(skew(), level=95), "`level`", "between 0 and 1")


def test_profiles_of_a_fit_with_other_intervals_are_those_of_jr_fit():
    found = jr.profile(fitted(points(), intervals="wald"))
    for name in "ab":
        close([found[name].lower, found[name].upper], [skew()[name].lower, skew()[name].upper], 1e-7)


def test_data_that_bound_one_side_say_that_the_other_is_open():
    """A trace of curvature, less than its error: it may as well be nothing, but not much."""
    data = {"x": X, "y": 5 * X / (1 + 0.01 * X) + SIGMA * NOISE, "y.sigma": SIGMA}
    found = jr.fit(curved, data, ["a", "b"], start={"a": 4.0, "b": 0.1}, num_starts=2,
                   bounds={"a": (0, None), "b": (0, None)})  # fmt: skip
    b = found["b"]
    assert (b.lower, b.lower_label) == (0.0, "unbounded")
    assert (found["a"].upper_label, b.upper_label) == ("data", "data")
    assert 0.0 < b.upper < 0.2

    def rise(u: np.ndarray) -> np.ndarray:
        return (u[0] * X / (1 + b.upper * X) - data["y"]) / SIGMA

    close(2 * least_squares(rise, [5.0], xtol=1e-15).cost - found.adequacy.chi2, stats.chi2.ppf(0.95, 1), 1e-3)


def curved(theta: Mapping[str, Any]) -> dict[str, Any]:
    return {"y": theta["a"] * theta["x"] / (1 + theta["b"] * theta["x"])}


def test_an_end_at_a_bound_names_it():
    found = fitted(points(), bounds={"a": (4.99, 5.01), "b": (0.0, None)}, start={"a": 5.0, "b": 1.0})
    assert (found["a"].lower_label, found["a"].upper_label) == ("limited by a", "limited by a")
    close([found["a"].lower, found["a"].upper], [4.99, 5.01], 1e-12)
    assert {found["b"].lower_label, found["b"].upper_label} == {"limited by a"}


def test_a_better_minimum_that_a_profile_meets_is_the_fit():
    few = np.arange(0.0, 6.0, 0.25)
    data = {"x": few, "y": np.sin(2 * few) + 0.05 * NOISE, "y.sigma": 2.0}
    found = jr.fit(lambda t: {"y": t["a"] * jnp.sin(t["k"] * t["x"])}, data, ["k", "a"], num_starts=1,
                   start={"k": 4.2, "a": 1.0}, bounds={"k": (0.1, 20.0)})  # fmt: skip
    close(found["k"].value, 2.0, 0.02)


# The curvature.


def test_wald_is_symmetric_in_the_logarithm():
    stated = fitted(points(), intervals="wald")
    data = points()
    data.pop("y.sigma")
    estimated = fitted(data, intervals="wald", level=0.9)
    for found, quantile in ((stated, stats.norm.ppf(0.975)), (estimated, stats.t.ppf(0.95, 22))):
        for e in found.estimates:
            close(np.log(e.upper / e.value), quantile * e.error / e.value, 1e-9)
            close(e.value / e.lower, e.upper / e.value, 1e-9)


def test_a_straight_line_has_the_errors_of_the_textbook():
    found = fitted(straight(), line, intervals="profile")
    J = np.stack([np.ones(24), X], axis=1) / SIGMA
    covariance = np.linalg.inv(J.T @ J)
    close(found.covariance, covariance, 1e-9)
    for e, error in zip(found.estimates, np.sqrt(np.diag(covariance)), strict=True):
        close([e.value - e.lower, e.upper - e.value], [1.959963984540054 * error] * 2, 2e-4)  # the model is linear


def test_the_band_of_the_fit_is_that_of_the_textbook():
    found = fitted(straight(), line, intervals="wald")
    J = np.stack([np.ones(24), X], axis=1)
    deviation = np.sqrt(np.einsum("ij,jk,ik->i", J, found.covariance, J))
    close(found.table["fit_upper"] - found.table["fit"], 1.959963984540054 * deviation, 1e-7)


# Resampling, correlated residuals.


@pytest.mark.parametrize("method", ["bootstrap", "bootstrap_blocks", "sandwich"])
def test_of_independent_residuals_all_methods_tell_about_the_same(method: str):
    wald = fitted(straight(), line, intervals="wald")
    found = fitted(straight(), line, intervals=method)
    assert found.method == method
    for name in "ab":
        close(found[name].upper - found[name].lower, wald[name].upper - wald[name].lower,
              0.08 if method == "bootstrap" else 0.5)  # fmt: skip
        assert abs(found[name].upper + found[name].lower - 2 * found[name].value) < 0.5 * found[name].error
    again = fitted(straight(), line, intervals=method)
    assert found.estimates == again.estimates


@pytest.mark.parametrize("method", ["sandwich", "bootstrap_blocks"])
def test_correlated_residuals_widen_the_honest_intervals(method: str):
    """States whose four data share their error tell as much as one datum: errors are twice those of the curvature."""
    shared = np.repeat(np.random.default_rng(8).standard_normal(24), 4)
    x, states = np.repeat(X, 4), np.repeat(np.arange(24), 4)
    data = {"x": x, "y": 1 + 2 * x + SIGMA * shared, "y.sigma": np.full(96, SIGMA), "state": states}
    wald, found = (fitted(data, line, intervals=m) for m in ("wald", method))
    ratio = [(found[n].upper - found[n].lower) / (wald[n].upper - wald[n].lower) for n in "ab"]
    assert min(ratio) > 1.4, ratio
    assert max(ratio) < 3.0, ratio
    assert wald.status == "inadequate_model"


def test_a_prior_counts_in_the_sandwich():
    e = degenerate(intervals="sandwich", prior={"b": (2.0, 0.1)})["b"]
    close(np.log(e.upper / e.lower), 2 * stats.t.ppf(0.975, 7) * 0.05, 1e-3)  # of 8 blocks


def scaled(theta: Mapping[str, Any]) -> dict[str, Any]:
    return {"y": theta["a"] * theta["b"] * (0.5 + theta["x"])}


# Parameters that are not determined.


def degenerate(**changes: Any) -> jr.FitResult:
    """Only a * b is determined."""
    positive = {"a": (0.0, None), "b": (0.0, None)}
    return fitted(straight(), scaled, start={"a": 1.0, "b": 1.0}, bounds=positive, **changes)


@pytest.mark.parametrize("method", ["profile", "wald", "bootstrap", "bootstrap_blocks", "sandwich"])
def test_what_is_not_determined_has_no_ends_by_any_method(method: str):
    found = degenerate(intervals=method)
    assert found.status == "not_identifiable"
    for e in found.estimates:
        assert (e.lower, e.upper) == (0.0, np.inf)
        assert (e.lower_label, e.upper_label) == ("unbounded", "unbounded")
        assert not e.is_determined


def test_profiles_of_a_parameter_that_is_not_determined_are_flat():
    found = degenerate(intervals="wald")
    (flat,) = jr.profile(found, ["a"]).profiles
    near = [rise for x, rise in zip(flat.values, flat.chi2, strict=True) if 1e-4 < x < 1e4]
    assert max(near) < 1e-6
    assert len(near) > 10
