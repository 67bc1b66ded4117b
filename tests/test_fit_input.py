"""What `jr.fit` refuses, in words that help, before anything is computed; and what it leaves out and says so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import jaxrate as jr
from tests.refusal import refused

BENCH = jr.Experiment(jr.media("nd-yag"), jr.Steady(), {"gain": jr.Gain("laser"), "n": jr.Inversion("laser")})
TIMES = np.linspace(0, 1e-3, 5)
SETUP = jr.Evolve(TIMES, start={"4F3/2": 1.0})
DECAY = jr.Experiment(jr.media("nd-yag"), SETUP, {"light": jr.Fluorescence("laser")})
SPECTRUM = jr.Experiment(jr.media("nd-yag"), jr.Steady(), {"gain": jr.Gain("laser", frequency=[2.816e14, 2.817e14])})
LIGHT = np.geomspace(1e5, 1e9, 12)
GAIN = 30 / (1 + LIGHT / 3e7)
TABLE = {"pump.rate": 100.0, "signal.intensity": LIGHT, "gain": GAIN, "gain.sigma": 0.02 * GAIN}
X = np.linspace(0.0, 1.0, 12)
Y = 1 + 2 * X + 0.1 * np.sin(40 * X)
POINTS = {"x": X, "y": Y}


def line(theta: Mapping[str, Any]) -> dict[str, Any]:
    return {"y": theta["a"] * theta["x"] + theta["b"]}


def bench(data: Any = TABLE, free: Any = ("laser.B", "density"), what: Any = BENCH, **changes: Any) -> jr.FitResult:
    return jr.fit(what, data, free, **{"num_starts": 2, "intervals": "wald", **changes})


def points(data: Any = POINTS, free: Any = ("a", "b"), what: Any = line, **changes: Any) -> jr.FitResult:
    start = {name: 1.0 for name in free}
    return jr.fit(what, data, free, **{"start": start, "num_starts": 2, "intervals": "wald", **changes})


def with_nan(values: np.ndarray, *rows: int) -> np.ndarray:
    found = values.copy()
    found[list(rows)] = np.nan
    return found


# Tables.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("signal.intensity,gain [m^-1]\n1e5,3\n", ["`signal.intensity [W m^-2]`", "no unit"]),
        ("signal.intensity [W/m^2],gain\n1e5,3\n", ["`gain [m^-1]`", "no unit"]),
        ("signal.intensity [W/m^2],gain [m^-1],gain.sigma\n1e5,3,1\n", ["`gain.sigma [m^-1]`", "no unit"]),
        ("signal.intensity [dBm],gain [m^-1]\n3,3\n", ["signal.intensity [dBm]", "an intensity", "kW/cm^2"]),
        ("signal.intensity [mW],gain [m^-1]\n3,3\n", ["signal.intensity [mW]", "an intensity", "kW/cm^2"]),
        ("signal.intensity [W/m^2],gain [dB]\n1e5,3\n", ["gain [dB]", "an inverse length", "dB/m"]),
        ("signal.intensity [W/m^2],gain [m^-1],gain.sigma [dB]\n1e5,3,1\n", ["`gain.sigma [dB]`", "[m^-1]`"]),
        ("signal.intensity [W/m^2],gain [m^-1]\n1e5,3\n1e6,2\n1e7", ["line 4", "1 field", "cut off"]),
        ("signal.intensity [W/m^2],gain [m^-1]\n", ["no row"]),
        ("", ["empty"]),
    ],
)
def test_a_file_that_does_not_fit_the_experiment_is_refused(tmp_path: Path, text: str, words: list[str]):
    path = tmp_path / "gain.csv"
    path.write_text(text)
    refused(lambda: bench(path), *words, "gain.csv" if "dB]" not in words[0] else "gain")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({**TABLE, "pump.rat": 1.0}, ["`pump.rat`", "did you mean `pump.rate`"]),
        ({**TABLE, "gian": 1.0}, ["`gian`", "did you mean `gain`"]),
        ({**TABLE, "gain.sgma": 1.0}, ["`gain.sgma`", "did you mean `gain.sigma`"]),
        ({"signal.intensity": LIGHT}, ["nothing that is predicted", "`gain`", "`n`"]),
        (
            {**TABLE, "gain.sigma": np.where(LIGHT > 1e6, 0.0, 1.0)},
            ["`gain.sigma` is not positive", "line 4", "8 more"],
        ),
        ({**TABLE, "gain.sigma": -GAIN}, ["`gain.sigma` is not positive", "line 1"]),
        ({**TABLE, "gain.sigma": with_nan(GAIN, 3)}, ["1 of 12 data have no standard deviation", "all, or none"]),
        ({**TABLE, "gain": np.nan}, ["no measured number", "`gain`"]),
        ({"gain": np.full(3, np.nan)}, ["no number"]),
        ({**TABLE, "signal.intensity": with_nan(LIGHT, 3, 5)}, ["`signal.intensity` is missing", "line 4", "1 more"]),
        ({**TABLE, "state": ["a"] * 12}, ["conditions differ", "`state`", "line 2"]),
        ({"gain": GAIN, "n": 0.1}, ["`gain`, `n`", "`gain.sigma`"]),
        (None, ["path", "dictionary", "NoneType"]),
    ],
)
def test_a_table_that_does_not_fit_the_experiment_is_refused(data: Any, words: list[str]):
    refused(lambda: bench(data), *words)


@pytest.mark.parametrize(
    ("what", "data", "words"),
    [
        (DECAY, {"light": [1.0]}, ["`light` depends on time", "`time [s]`"]),
        (DECAY, {"time": [0.0, 3e-4], "light": 1.0}, ["`time`", "line 2", "np.unique(table['time'])"]),
        (DECAY, {"time": [0.0, np.nan], "light": 1.0}, ["`time`", "line 2"]),
        (SPECTRUM, {"gain": 1.0}, ["depends on frequency", "`frequency [Hz]`"]),
        (SPECTRUM, {"wavelength [nm]": [1064.0], "gain": 1.0}, ["`frequency` is none of the values", "line 1"]),
    ],
)
def test_a_datum_off_the_axis_of_what_is_predicted_is_refused(what: Any, data: Any, words: list[str]):
    refused(lambda: bench(data, what=what), *words)


def test_fewer_data_than_parameters_are_refused():
    one = {name: np.atleast_1d(x)[:1] for name, x in TABLE.items()}
    refused(lambda: bench(one), "1 datum", "2 free parameters", "measure more")
    one.pop("gain.sigma")
    refused(lambda: bench(one, ["laser.B"]), "1 datum", "noise", "`gain.sigma`")


# Parameters.


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"free": ["laser.b"]}, ["`laser.b`", "did you mean `laser.B`"]),
        ({"free": []}, ["`free` must name"]),
        ({"free": "laser.B"}, ["`free` must be a list", "laser.B"]),
        ({"free": ["laser.B", "laser.B"]}, ["`free`", "different names"]),
        ({"free": ["pump.rate"]}, ["`pump.rate` is free", "column", "`pump.rate.scale`"]),
        ({"fixed": {"pump.rate": 1.0}}, ["`pump.rate` is fixed", "column"]),
        ({"tie": {"pump.rate": lambda theta: 1.0}}, ["`pump.rate` is tied", "column"]),
        ({"fixed": {"laser.B": 1e15}}, ["`laser.B` is free and fixed"]),
        ({"tie": {"laser.B": lambda theta: 1e15}}, ["`laser.B` is free and tied"]),
        ({"fixed": {"temperature": 3.0}, "tie": {"temperature": lambda theta: 3.0}}, ["fixed and tied"]),
        ({"fixed": {"temperatur": 3.0}}, ["`temperatur`", "did you mean `temperature`"]),
        ({"fixed": {"temperature": "3 kg"}}, ["`temperature`", "'300 K'", "3 kg"]),
        ({"tie": {"temperature": 3.0}}, ["tie of `temperature`", "function", "jr.expr"]),
        ({"start": {"laser.B": 1e3}, "bounds": {"laser.B": (1e10, 1e20)}}, ["start of `laser.B`", "1000", "1e+10"]),
        ({"bounds": {"laser.B": ("1 m^3 J^-1 s^-2", "2 m^3 J^-1 s^-2")}}, ["start of `laser.B`", "bounds, 1 to 2"]),
        ({"bounds": {"laser.B": (1e20, 1e10)}}, ["lower bound of `laser.B`", "below the upper"]),
        ({"bounds": {"laser.B": 1e20}}, ["bounds of `laser.B`", "(lower, upper)"]),
        ({"bounds": {"laser.B": (np.nan, None)}}, ["`laser.B`", "finite"]),
        ({"bounds": {"laser.B": ("1 m", None)}}, ["`laser.B`", "m^3 J^-1 s^-2", "1 m"]),
        ({"start": {"laser.B": np.nan}}, ["`laser.B`", "nan", "finite"]),
        ({"start": {"laser.B": -1.0}}, ["`laser.B`", "positive"]),
        ({"start": {"temperature": 300.0}}, ["`start` names `temperature`", "not free", "`fixed`"]),
        ({"prior": {"density": ("1e26 m^-2", "1e25 m^-2")}}, ["`density`", "number density", "1e26 m^-2"]),
        ({"prior": {"density": ("1e26 m^-3", "1e25 kg")}}, ["`density`", "number density", "1e25 kg"]),
        ({"prior": {"density": ("1e26 m^-3", "x dB")}}, ["`the prior of density in dB`", "x"]),
        ({"prior": {"density": "1e26 m^-3"}}, ["prior of `density`", "(mean, standard deviation)"]),
        ({"prior": {"density": (1e26, 0.0)}}, ["prior of `density`", "must be positive"]),
        ({"prior": {"temperature": (300.0, 1.0)}}, ["`prior` names `temperature`", "not free"]),
        ({"per": {"laser.B": "state"}}, ["`per` of `laser.B` must be 'dataset'", "state"]),
        ({"per": "dataset"}, ["`per` must be a dict", "dataset"]),
        ({"jitter": {"gian": 1.0}}, ["`gian`", "did you mean `gain`"]),
        ({"jitter": {"gain": "1 kg"}}, ["jitter of gain", "1 kg", "inverse length"]),
        ({"resolution": {"gain": -1.0}}, ["resolution of gain", "must not be negative"]),
    ],
)
def test_what_is_said_of_parameters_is_checked(changes: dict[str, Any], words: list[str]):
    refused(lambda: bench(**changes), *words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss": "student"}, ["`student`", "did you mean `student_t`"]),
        ({"loss": "poisson"}, ["`gain`", "is not a count"]),
        ({"intervals": "profil"}, ["`profil`", "did you mean `profile`"]),
        ({"level": 95}, ["`level`", "between 0 and 1", "95"]),
        ({"level": "0.95"}, ["`level`", "between 0 and 1", "0.95"]),
        ({"seed": -1}, ["`seed`", "from 0 on"]),
        ({"intervals": "bootstrap", "prior": {"density": (1e26, 1e25)}}, ["bootstrap", "priors", "'profile'"]),
        ({"num_starts": 0}, ["`num_starts`", "from 1 on"]),
        ({"num_starts": 2.5}, ["`num_starts`", "whole number", "2.5"]),
        ({"minibatch": 0}, ["`minibatch`", "from 1 on"]),
        ({"what": jr.media("nd-yag")}, ["jr.Experiment or a function"]),
        ({"what": {"a": BENCH}}, ["a table each", "'a': ..."]),
        ({"what": {"a": BENCH}, "data": {"b": TABLE}}, ["a table each", "'a': ..."]),
    ],
)
def test_choices_are_checked(changes: dict[str, Any], words: list[str]):
    refused(lambda: bench(**changes), *words)


def test_a_robust_loss_needs_standard_deviations():
    refused(lambda: points(loss="student_t"), "needs standard deviations", "`y.sigma`")


def test_a_prior_needs_data_with_standard_deviations():
    refused(lambda: points(prior={"a": (1.0, 0.1)}), "prior", "standard deviation", "`y.sigma`", "`jitter`")


def test_a_free_parameter_that_no_datum_depends_on_is_named():
    words = ["No datum depends on `c`, `d`", "take", "out of `free`"]
    refused(lambda: points(free=["a", "c", "d", "b"]), *words)


def test_parameters_none_of_which_touches_the_data_are_named():
    refused(lambda: points(free=["c"], fixed={"a": 1.0, "b": 1.0}), "No datum depends on `c`")


def test_one_start_for_all_states_is_needed():
    many = jr.Evolve(TIMES, start={"4F3/2": np.array([0.5, 1.0])})
    several = jr.Experiment(jr.media("nd-yag"), many, {"light": jr.Fluorescence("laser")})
    refused(lambda: bench({"time": TIMES, "light": 1.0}, what=several), "one start", "without a batch")


# Functions.


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda t: t["a"] * t["x"] + t["b"], ["must return {name: array}", "an array"]),
        (lambda t: None, ["must return {name: array}", "None"]),
        (lambda t: {"z": t["a"] * t["x"]}, ["nothing that is predicted", "`z`"]),
        (lambda t: {"y": t["a"] * t["u"]}, ["needs `u`", "column", "`fixed`"]),
        (lambda t: {"y": jnp.sum(t["a"] * t["x"])}, ["per element", "`y`", "shape ()"]),
        (lambda t: {"y": t["x"] * jnp.ones((4, 1, 1))}, ["per element", "`y`", "shape (4, 2, 3)"]),
        (lambda t: {"y": 1j * t["x"]}, ["real number", "complex"]),
        (lambda t: {"y": np.exp(t["a"] * t["x"])}, ["jax.numpy", "jnp.exp(x)"]),
    ],
)
def test_a_function_that_returns_something_else_is_refused(function: Any, words: list[str]):
    refused(lambda: points(what=function), *words)


def test_parameters_of_a_function_need_a_start():
    refused(lambda: points(start={"a": 1.0}), "`b` needs a start", "start={'b': ...}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,y,y.sigm\n1,2,1\n2,3,1\n3,5,1\n", ["`y.sigm`", "did you mean `y.sigma`"]),
        ("x,y [mW],y.sigma [m]\n1,2,1\n2,3,1\n3,5,1\n", ["y.sigma [m]", "a power"]),
        ("x,y [mW],y.sigma\n1,2,1\n2,3,1\n3,5,1\n", ["`y.sigma`", "no unit"]),
        ("x,y,y.sigma [mW]\n1,2,1\n2,3,1\n3,5,1\n", ["`y.sigma [mW]` has a unit", "`y` has none"]),
        ("x,y [dBm],y.sigma [mW]\n1,2,1\n2,3,1\n3,5,1\n", ["`y.sigma [mW]` must be in dB", "`y.sigma [dB]`"]),
    ],
)
def test_standard_deviations_are_in_the_unit_of_what_they_are_of(tmp_path: Path, text: str, words: list[str]):
    path = tmp_path / "points.csv"
    path.write_text(text)
    refused(lambda: points(path), *words)


# What is left out is said.


def test_rows_without_numbers_are_left_out_and_counted():
    rows = {"x": with_nan(X, 3, 4), "y": with_nan(Y, 3, 4, 7)}
    found = points(rows)
    assert "2 rows hold no number and were left out" in found.remarks
    assert "y: 1 cell is empty or NaN" in found.remarks
    assert found.adequacy.points == 9
    assert found.table["line"].tolist() == [1, 2, 3, 6, 7, 9, 10, 11, 12]


def test_infinite_bounds_are_none():
    found, wanted = points(bounds={"a": (-np.inf, np.inf)}), points()
    assert found.values == wanted.values


def test_a_table_of_one_row_determines_one_parameter():
    found = points({"x": [2.0], "y": [5.0], "y.sigma": [0.1]}, free=["a"], fixed={"b": 1.0}, intervals="profile")
    assert found.status == "ok"
    assert found["a"].value == pytest.approx(2.0, rel=1e-9)
    assert found["a"].error == pytest.approx(0.05, rel=1e-9)
    assert found["a"].upper == pytest.approx(2.0 + 1.959964 * 0.05, rel=1e-4)


def test_no_finite_prediction_is_a_status():
    found = points(what=lambda t: {"y": jnp.log(-(t["a"] ** 2) - t["b"] ** 2) * t["x"]})
    assert found.status == "not_converged"
    assert "No start gives a finite prediction" in found.remarks[0]
    assert "not_converged" in found.report()


# Checkpoints.


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"not a checkpoint", ["no checkpoint", "damaged", "remove it"]), (b"", ["no checkpoint", "remove it"])],
)
def test_a_damaged_checkpoint_is_refused_and_kept(tmp_path: Path, content: bytes, words: list[str]):
    path = tmp_path / "fit.npz"
    path.write_bytes(content)
    refused(lambda: points(checkpoint=path), *words, "fit.npz")
    assert path.read_bytes() == content


def test_the_checkpoint_of_another_fit_is_refused_and_kept(tmp_path: Path):
    path = tmp_path / "fit.npz"
    np.savez(path, fingerprint=np.array("of another"))
    before = path.read_bytes()
    refused(lambda: points(checkpoint=path), "another fit", "Remove it")
    assert path.read_bytes() == before
