"""What data determine: products are named, errors are honest there and infinite where there is nothing to know."""

from fractions import Fraction
from itertools import permutations
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxrate.fit.identify import Identified, identify, scaled_svd
from tests.refusal import refused
from tests.tolerance import close, same

NAMES = ("laser.B", "density", "length", "tau")


def jacobian(rows: Any, seed: int = 0, num_data: int = 20, size: float = 1.0) -> np.ndarray:
    """Log-Jacobian of data that depend on the products with these exponents only: random factors (m, k) @ (k, p)."""
    rows = np.array(rows, np.float64)
    return size * np.random.default_rng(seed).normal(size=(num_data, len(rows))) @ rows


def named(J: np.ndarray, names: Any = NAMES, logarithmic: Any = None) -> Identified:
    names = names[: J.shape[1]]
    return identify(J, names, [True] * J.shape[1] if logarithmic is None else logarithmic)


def shown(found: Identified) -> list[str]:
    return [str(c) for c in found.combinations]


def reference_covariance(J: np.ndarray) -> np.ndarray:
    """(J^T J)^-1 with 50 digits."""
    with mpmath.workdps(50):
        exact = mpmath.matrix(J.tolist())
        inverse = (exact.T * exact) ** -1
        return np.array(inverse.tolist(), dtype=np.float64)


def echelon(rows: np.ndarray) -> list[list[Fraction]]:
    """Reduced row-echelon form of integers, without its zero rows, exactly."""
    left = [[Fraction(int(v)) for v in row] for row in rows]
    top = 0
    for column in range(rows.shape[1]):
        pivot = next((r for r in range(top, len(left)) if left[r][column]), None)
        if pivot is None:
            continue
        left[top], left[pivot] = left[pivot], left[top]
        left[top] = [v / left[top][column] for v in left[top]]
        for r in range(len(left)):
            if r != top:
                left[r] = [a - left[r][column] * b for a, b in zip(left[r], left[top], strict=True)]
        top += 1
    return left[:top]


@pytest.mark.parametrize(
    ("rows", "products", "held"),
    [
        ([[1, 1, 1]], ["laser.B * density * length"], (1, 2)),
        ([[1, 1, 0, 0], [0, 0, 0, 1]], ["laser.B * density", "tau"], (1, 2)),
        ([[1, -1]], ["laser.B / density"], (1,)),
        ([[-3, 3]], ["laser.B / density"], (1,)),
        ([[2, -1, 0]], ["laser.B^2 / density"], (1, 2)),
        ([[0.5, 1]], ["laser.B * density^2"], (1,)),
        ([[1, -1, -2, 0]], ["laser.B / (density * length^2)"], (1, 2, 3)),
        ([[1, 0, 1, 0], [0, 1, 0, -1]], ["laser.B * length", "density / tau"], (2, 3)),
        ([[1, 0, 1, 0], [0, 1, 0, 0]], ["laser.B * length", "density"], (2, 3)),
        ([[1, 1, 1], [0, 1, 1]], ["laser.B", "density * length"], (2,)),
        ([[11, 12, 0], [0, 0, 1]], ["laser.B^11 * density^12", "length"], (1,)),
        ([[132, 11, 12]], ["laser.B * density^(1/12) * length^(1/11)"], (1, 2)),
    ],
)
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e9])
def test_products_that_a_model_knows_only_together_are_named(rows: Any, products: Any, held: Any, size: float):
    found = named(jacobian(rows, size=size))
    assert shown(found) == products
    assert found.held == held
    assert all(c.exact for c in found.combinations)
    assert not found.is_full_rank
    assert found.condition == np.inf
    assert [NAMES[j] in products for j in range(len(found.names))] == found.determined.tolist()


def test_every_parameter_of_a_full_rank_fit_is_determined():
    J = np.random.default_rng(1).normal(size=(30, 4))
    found = named(J)
    assert shown(found) == list(NAMES)
    assert found.is_full_rank
    assert found.determined.all()
    assert found.held == found.untouched == ()
    s = np.linalg.svd(J / np.linalg.norm(J, axis=0), compute_uv=False)
    close(found.singular_values, s)
    close(found.condition, s[0] / s[-1])
    close(found.covariance, np.linalg.inv(J.T @ J), 1e-12)


def test_what_is_not_determined_has_an_infinite_error_and_the_product_its_own():
    """Gain = B N L and a decay that measures tau: the error of ln(B N L) is that of a fit with this one parameter."""
    rows = np.array([[1, 1, 1, 0], [0, 0, 0, 1]])
    factors = np.random.default_rng(2).normal(size=(12, 2))
    found = named(factors @ rows)
    honest = np.linalg.inv(factors.T @ factors)
    inf, nan = np.inf, np.nan
    expected = np.full((4, 4), nan)
    np.fill_diagonal(expected, inf)
    expected[3, 3] = honest[1, 1]
    close(found.covariance, expected, 1e-12)
    product, tau = found.combinations
    close(found.variance(product.direction), honest[0, 0], 1e-12)
    close(found.variance(tau.direction), honest[1, 1], 1e-12)
    both = np.array([1.0, 2.0])
    close(found.variance(both @ rows), both @ honest @ both, 1e-12)
    for outside in ([1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1.001, 0], [1, 1, 0.999, 3]):
        assert found.variance(np.array(outside)) == np.inf


def test_held_parameters_leave_the_rest_determined_with_the_same_predictions():
    J = jacobian([[1, 1, 0, 2], [0, 1, -1, 1]])
    found = named(J)
    kept = [j for j in range(4) if j not in found.held]
    rest = identify(J[:, kept], [NAMES[j] for j in kept], [True] * len(kept))
    assert rest.is_full_rank
    step = np.random.default_rng(0).normal(size=4)
    move, *_ = np.linalg.lstsq(J[:, kept], J @ step, rcond=None)
    close(J[:, kept] @ move, J @ step, 0, 1e-12)


def test_parameters_that_no_datum_depends_on_are_named_apart():
    J = jacobian([[1, 0, 1, 0]])
    found = named(J)
    assert found.untouched == ("density", "tau")
    assert shown(found) == ["laser.B * length"]
    assert found.held == (1, 2, 3)
    assert found.variance(np.array([1.0, 1.0, 1.0, 0.0])) == np.inf
    nothing = named(np.zeros((5, 2)))
    assert nothing.combinations == ()
    assert nothing.untouched == NAMES[:2]
    assert nothing.held == (0, 1)
    close(nothing.covariance, [[np.inf, np.nan], [np.nan, np.inf]])


def test_a_dependence_that_cancels_to_rounding_is_none():
    """Only between logarithms: an offset in a unit of 1e-20 has a column as small, and is as well determined."""
    J = np.random.default_rng(3).normal(size=(20, 3)) * [1, 1e-15, 1]
    assert named(J).untouched == ("density",)
    offset = named(J * [1, 1e-5, 1], logarithmic=[True, False, True])
    assert offset.is_full_rank
    close(offset.covariance, reference_covariance(J * [1, 1e-5, 1]), 1e-10)


@pytest.mark.parametrize("num_data", [1, 5])
def test_one_parameter(num_data: int):
    J = np.arange(1.0, num_data + 1)[:, None]
    found = named(J)
    assert shown(found) == ["laser.B"]
    assert found.condition == 1.0
    close(found.covariance, [[1 / np.sum(J**2)]])
    assert named(0 * J).untouched == ("laser.B",)


def test_as_many_parameters_as_data():
    J = np.random.default_rng(4).normal(size=(4, 4))
    assert named(J).is_full_rank
    close(named(J).covariance, reference_covariance(J), 1e-10)


def test_fewer_data_than_parameters():
    """Two gains cannot fix four parameters; which two combinations they fix is no monomial."""
    J = np.random.default_rng(5).normal(size=(2, 4))
    found = named(J)
    assert found.held == (2, 3)
    assert found.singular_values.shape == (4,)
    close(found.singular_values[2:], [0, 0])
    assert not found.determined.any()
    for c in found.combinations:
        assert not c.exact
        assert str(c).endswith("(locally)")
        assert np.isfinite(found.variance(c.direction))


def test_no_parameter_and_no_datum_are_legal():
    assert identify(np.zeros((0, 0)), [], []).is_full_rank
    assert identify(np.zeros((3, 0)), [], []).condition == 1.0
    assert named(np.zeros((0, 2))).untouched == NAMES[:2]


def test_the_triangular_factor_tells_the_same():
    J = jacobian([[1, 1, 0, 2], [0, 1, -1, 1]], num_data=500)
    whole, factor = named(J), named(np.linalg.qr(J)[1])
    assert whole.combinations == factor.combinations
    assert whole.held == factor.held
    close(factor.singular_values[:2], whole.singular_values[:2])
    close(factor.covariance, whole.covariance, 1e-10)


@pytest.mark.parametrize("rows", [[[1, 1, 1, 0], [0, 0, 0, 1]], [[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 2, 3, 4]]])
def test_the_order_of_the_names_changes_no_product(rows: Any):
    J = jacobian(rows)
    expected = {frozenset(c.powers) for c in named(J).combinations}
    for order in map(list, permutations(range(4))):
        found = named(J[:, order], [NAMES[j] for j in order])
        assert {frozenset(c.powers) for c in found.combinations} == expected
        same(found.determined, named(J).determined[order])


def test_the_order_of_the_names_changes_no_row_space():
    """Products that share members can be told in several ways; each way is in the row space of the other."""
    J = jacobian([[1, 1, 1, 0], [0, 1, 1, 1]])
    stated = named(J)
    for order in map(list, permutations(range(4))):
        found = named(J[:, order], [NAMES[j] for j in order])
        for c in found.combinations:
            back = c.direction[np.argsort(order)]
            close(stated.variance(back), found.variance(c.direction), 1e-10)


@pytest.mark.parametrize("rows", [[[1, 1, 1, 0], [0, 0, 0, 1]], [[1, 2, 0, -1], [0, 0, 0, 1]], [[2, -1, 1, 0]]])
@pytest.mark.parametrize("seed", range(5))
def test_noise_of_rounding_changes_nothing(rows: Any, seed: int):
    clean = jacobian(rows)
    noise = np.random.default_rng(seed).normal(size=clean.shape)
    for noisy in (clean * (1 + 1e-14 * noise), clean + 1e-14 * noise):
        found, expected = named(noisy), named(clean)
        assert found.combinations == expected.combinations
        assert (found.held, found.untouched) == (expected.held, expected.untouched)
        close(found.covariance, expected.covariance, 1e-11)


@pytest.mark.parametrize("gap", [1e-4, 1e-6, 1e-9])
def test_almost_degenerate_is_determined(gap: float):
    """A saturation of one in a million tells B from N: badly, but the error says so, and it is right."""
    rng = np.random.default_rng(6)
    gain, other = rng.normal(size=(2, 40))
    J = np.stack([gain, gain + gap * other, rng.normal(size=40)], axis=1)
    found = named(J)
    assert found.is_full_rank
    assert shown(found) == list(NAMES[:3])
    expected = reference_covariance(J)
    spread = np.sqrt(np.diag(expected))
    close(found.covariance / spread / spread[:, None], expected / spread / spread[:, None], 0, 1e-13 / gap)


def test_an_ill_conditioned_fit_keeps_its_exact_degeneracy():
    """Singular values 1, 1e-5 and 0 are three different things."""
    rng = np.random.default_rng(7)
    gain, other = rng.normal(size=(2, 40))
    J = np.stack([gain, gain, gain + 1e-5 * other], axis=1)
    found = named(J)
    assert shown(found) == ["laser.B * density", "length"]
    assert np.isfinite(found.covariance[2, 2])


@pytest.mark.parametrize("scales", [(1, 1, 1), (1e-6, 1, 1e6), (1e6, 1, 1e-6)])
def test_whole_numbers_come_out_whatever_the_sensitivities(scales: Any):
    """Data see B L^2 and N through columns of very unequal norms: rows of the Jacobian do not scale with columns."""
    rows = np.diag(scales) @ np.array([[1, 0, 2, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    assert shown(named(jacobian(rows))) == ["laser.B * length^2", "density", "tau"]


def test_exponents_that_are_no_fractions_stay_real_and_say_so():
    found = named(jacobian([[1, 0.98231, 0], [0, 0, 1]]))
    assert shown(found) == ["laser.B * density^0.982 (locally)", "length"]
    assert [c.exact for c in found.combinations] == [False, True]
    close(found.combinations[0].direction, [1, 0.98231, 0], 1e-10)
    assert np.isfinite(found.variance(found.combinations[0].direction))


def test_a_sum_where_a_parameter_is_no_logarithm():
    """No power of an offset is meant: the combination of coordinates itself is told."""
    linear = [False, False, True, False]
    assert shown(named(jacobian([[1, 2, 0, 0]]), logarithmic=linear)) == ["laser.B + 2 density"]
    assert shown(named(jacobian([[2, -1, 0, 0]]), logarithmic=linear)) == ["2 laser.B - density"]
    assert shown(named(jacobian([[1, 0, -2, 0]]), logarithmic=linear)) == ["laser.B - 2 ln(length)"]
    assert shown(named(jacobian([[0, 0, 0, 3]]), logarithmic=linear)) == ["tau"]
    assert shown(named(jacobian([[1, 0, 0, 2.7e-9]]), logarithmic=linear)) == ["laser.B + 2.7e-09 tau (locally)"]


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_integer_exponents_are_recovered(data: st.DataObject):
    """Data of k products with random whole exponents: the row space is theirs, in exact arithmetic."""
    p = data.draw(st.integers(1, 6))
    rows = np.array(data.draw(st.lists(st.lists(st.integers(-2, 2), min_size=p, max_size=p), min_size=1, max_size=p)))
    exact = echelon(rows)
    J = jacobian(rows, seed=data.draw(st.integers(0, 99)), num_data=40)
    found = identify(J, [f"p{i}" for i in range(p)], [True] * p)
    assert len(found.combinations) == len(exact)
    for combination, row in zip(found.combinations, exact, strict=True):
        pivot = next(v for v in combination.direction if v)
        close(combination.direction / pivot, [float(v) for v in row], 1e-7, 1e-9)
        assert combination.exact == all(v.denominator <= 12 for v in row)
        assert np.isfinite(found.variance(combination.direction))
    alone = [[Fraction(int(i == j)) for i in range(p)] in exact for j in range(p)]
    assert found.determined.tolist() == alone
    assert found.untouched == tuple(f"p{i}" for i in range(p) if not rows[:, i].any())


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("condition", [1e2, 1e5, 1e8])
def test_standard_errors_of_ill_conditioned_fits(condition: float, seed: int):
    """Units spread the columns over twelve decades, which must cost nothing; the condition left costs its digits."""
    rng = np.random.default_rng(seed)
    p = 2 + seed % 5
    U, _ = np.linalg.qr(rng.normal(size=(25, p)))
    V, _ = np.linalg.qr(rng.normal(size=(p, p)))
    J = U * np.geomspace(1, 1 / condition, p) @ V.T * 10.0 ** rng.uniform(-6, 6, p)
    found = identify(J, [f"b{i}" for i in range(p)], [False] * p)
    assert found.is_full_rank
    expected = reference_covariance(J)
    close(np.sqrt(np.diag(found.covariance)), np.sqrt(np.diag(expected)), 1e-6)
    spread = np.sqrt(np.diag(expected))
    close(found.covariance / spread / spread[:, None], expected / spread / spread[:, None], 0, 1e-6)
    direction = rng.normal(size=p) / spread
    close(found.variance(direction), direction @ expected @ direction, 1e-5)


def test_scaling_the_columns_scales_the_covariance():
    J = np.random.default_rng(8).normal(size=(20, 3))
    units = np.array([1e-150, 1.0, 1e150])
    F, G = scaled_svd(J).factor, scaled_svd(J * units).factor
    close(G * units[:, None] @ (G * units[:, None]).T, F @ F.T, 1e-12)


def test_bad_jacobians_are_refused():
    J = np.ones((3, 2))
    refused(lambda: identify(J, ["a"], [True]), "a column for each of 1 names", "(3, 2)")
    refused(lambda: identify(J[0], ["a", "b"], [True, True]), "(2,)")
    refused(lambda: identify(J * [1, np.nan], ["a", "b"], [True, True]), "finite", "`b`")
