"""NIST's problems are read rightly: every model at the certified parameters leaves the certified residuals."""

import jax
import numpy as np
import pytest

from tests import nist
from tests.measured_data import data
from tests.tolerance import close

each_problem = pytest.mark.parametrize("name", nist.MODELS)


def rss(problem: nist.Problem, parameters: np.ndarray) -> float:
    theta = dict(zip(problem.parameters, parameters, strict=True))
    with jax.enable_x64(True):
        found = problem.model({**theta, "x": problem.x})["y"]
    return float(np.sum((problem.y - np.asarray(found)) ** 2))


@each_problem
def test_certified_parameters_leave_the_certified_sum_of_squares(name: str):
    problem = nist.problem(name)
    close(rss(problem, problem.certified), problem.rss, rtol=1e-10, what=name)


def test_a_start_is_not_the_answer_and_every_deviation_is_positive():
    for problem in nist.problems():
        assert problem.starts.shape == (2, len(problem.parameters))
        assert len(problem.y) - len(problem.parameters) == problem.dof
        assert np.all(problem.deviations > 0)
        assert all(nist.digits(start, problem.certified) < 2 for start in problem.starts), problem.name


def test_there_is_a_model_for_every_file():
    folder = data("nist-strd/Misra1a.dat").parent
    assert {file.stem for file in folder.glob("*.dat")} == set(nist.MODELS)


@pytest.mark.parametrize(
    ("text", "value"), [("1.5D-03", 1.5e-3), (".591E0", 0.591), ("2.3894212918E+02", 238.94212918), ("-1", -1.0)]
)
def test_numbers_are_read_as_fortran_writes_them(text: str, value: float):
    assert nist._number(text) == value


def test_digits_are_those_of_the_worst_parameter():
    assert nist.digits([1.0, 2.0], [1.0, 2.0]) == nist.DIGITS
    assert nist.digits([1 + 1e-9, -2 * (1 + 1e-6)], [1.0, -2.0]) == pytest.approx(6)
    assert nist.digits([-1.0], [1.0]) < 0
    assert np.isnan(nist.digits([np.nan, 1.0], [1.0, 1.0]))
