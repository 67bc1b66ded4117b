"""Several fits of one parameter: whether they agree within their errors, and what is between them beyond these."""

from dataclasses import replace

import numpy as np
import pytest

from jaxrate.fit.pooled import Pooled, pooled
from jaxrate.fit.result import FitResult
from tests.fit_results import estimate, good, lost
from tests.refusal import refused
from tests.tolerance import close

NUM = 12
ERRORS = np.linspace(0.02, 0.05, NUM)


def fits(values: np.ndarray, errors: np.ndarray = ERRORS, logarithmic: bool = False) -> list[FitResult]:
    each = [
        estimate("length", float(x), error=float(s), unit="m", logarithmic=logarithmic)
        for x, s in zip(values, errors, strict=True)
    ]
    return [replace(good(), estimates=(e,)) for e in each]


def drawn(seed: int, between: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 8.0 + between * rng.standard_normal(NUM) + ERRORS * rng.standard_normal(NUM)


def test_fits_that_agree_are_weighed_by_their_errors() -> None:
    values = drawn(0, 0.0)
    found = pooled(fits(values), "length")
    weight = 1 / ERRORS**2
    mean = np.sum(weight * values) / np.sum(weight)
    close(found.chi2, np.sum(weight * (values - mean) ** 2), rtol=1e-12)
    assert found.p_value > 0.05
    assert found.between == found.between_lower == 0.0
    close(found.value, mean, rtol=1e-12)
    close(found.upper - found.lower, 2 * 1.959963985 / np.sqrt(np.sum(weight)), rtol=1e-8)


def test_equal_errors_give_the_spread_of_a_textbook() -> None:
    """With one error for all, spread squared is the variance of the values less that of the errors."""
    values, errors = drawn(1, 0.3), np.full(NUM, 0.04)
    found = pooled(fits(values, errors), "length")
    close(found.between**2, np.var(values, ddof=1) - 0.04**2, rtol=1e-6)
    close(found.value, np.mean(values), rtol=1e-12)
    assert found.p_value < 1e-6
    assert found.between_lower < 0.3 < found.between_upper


def test_intervals_of_mean_and_spread_hold_the_truth_as_often_as_they_say() -> None:
    found = [pooled(fits(drawn(seed, 0.1)), "length") for seed in range(400)]
    of_spread = np.mean([p.between_lower <= 0.1 <= p.between_upper for p in found])
    of_mean = np.mean([p.lower <= 8.0 <= p.upper for p in found])
    assert 0.91 < of_spread < 0.98
    assert 0.88 < of_mean < 0.98  # of twelve fits, the spread between which is estimated


def test_what_is_fitted_as_its_logarithm_is_pooled_so() -> None:
    """Factors on all values are factors on all that is found."""
    values = drawn(2, 0.2)
    one, other = (pooled(fits(f * values, f * ERRORS, logarithmic=True), "length") for f in (1.0, 7.0))
    for name in ("value", "lower", "upper", "between", "between_lower", "between_upper"):
        close(getattr(other, name), 7.0 * getattr(one, name), rtol=1e-6, what=name)
    close(other.chi2, one.chi2, rtol=1e-9)


def of_one_fit(covariance: np.ndarray) -> Pooled:
    each = [estimate(f"length[{k}]", x, error=0.1, unit="m", logarithmic=False) for k, x in enumerate((8.0, 8.3))]
    return pooled(replace(good(), estimates=tuple(each), covariance=covariance), "length")


def test_errors_that_data_sets_share_do_not_make_them_differ() -> None:
    """What moves both alike says nothing about their difference, whose error is that of what is their own."""
    own, shared = 0.01, 0.09
    found = of_one_fit(np.array([[own + shared, shared], [shared, own + shared]]))
    close(found.chi2, 0.3**2 / (2 * own), rtol=1e-9)
    close(found.value, 8.15, rtol=1e-9)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda: pooled(fits(drawn(0, 0.0))[:1], "length"), ("`length`", "several")),
        (lambda: pooled(good(), "length"), ("per={'length': 'dataset'}",)),
        (lambda: pooled([replace(good(), estimates=(lost("length", "m", 8.0),))] * 2, "length"), ("not determined",)),
        (lambda: pooled(fits(drawn(0, 0.0)), "lenght"), ("`length`",)),
    ],
)
def test_what_cannot_be_pooled_is_refused(state, words) -> None:
    refused(state, *words)


def test_it_prints_whether_they_agree() -> None:
    text = str(pooled(fits(drawn(0, 0.0)), "length"))
    assert "agree within their errors" in text
    assert "from 12 fits" in text
    assert " m " in text
    assert "differ by more" in str(pooled(fits(drawn(1, 0.3)), "length"))
