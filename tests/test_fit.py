"""`jr.fit` finds what made the data, says what it cannot know, and gives the same answer whatever else runs beside."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import least_squares

import jaxrate as jr
from jaxrate.fit import optimize
from tests.fits import (
    DECAY,
    FREQUENCIES,
    GAIN,
    LIGHT,
    SPECTRUM,
    TIMES,
    TRUTH,
    WAVELENGTHS,
    X,
    fitted,
    noise,
    points,
    steady,
    within,
)
from tests.tolerance import close

# Truth is recovered.


def test_saturated_gain_gives_B_and_density():
    found = jr.fit(GAIN, steady(), ["laser.B", "density"], num_starts=8, intervals="wald")
    assert found.status == "ok"
    within(found, {name: TRUTH[name] for name in ("laser.B", "density")})
    assert found.starts.minima[0].starts == 8
    names = {d.name: d for d in found.derived}
    rate = names["A21 of laser"]
    close(rate.upper / rate.lower, found["laser.B"].upper / found["laser.B"].lower, 1e-6)
    assert rate.lower < 387.7 < rate.upper
    close(names["lifetime of 4F3/2"].value, 1 / (rate.value + 1920 + 2040), 1e-9)


def test_the_absorption_follows_B_of_the_emission():
    """B12 is tied to B21: gain of both signs, bleached and pumped, is described by one B."""
    pumps = np.geomspace(1e-3, 1e3, 40)
    gain = GAIN({"pump.rate": pumps, "signal.intensity": 1e7, "temperature": 600.0})["gain"]
    data = {"pump.rate": pumps, "gain": gain + 0.05 * noise(5, 40), "gain.sigma": 0.05}
    found = jr.fit(GAIN, data, ["laser.B"], fixed={"signal.intensity": "1 kW/cm^2", "temperature": "600 K"},
                   num_starts=2, intervals="wald")  # fmt: skip
    assert gain.min() < 0 < gain.max()
    assert found.status == "ok"
    within(found, {"laser.B": TRUTH["laser.B"]})


@pytest.mark.long
def test_decays_have_scale_and_offset_of_each_data_set():
    shape = DECAY({"pump.rate": 0.0})["light"]
    shape = shape / shape[0]
    light = np.concatenate([3 * shape + 0.5, 1.5 * shape + 0.2]) + 0.01 * noise(6, 82)
    data = {
        "time [us]": np.tile(TIMES, 2) * 1e6, "pump.rate": 0.0, "light": light, "light.sigma": 0.01,
        "dataset": np.repeat(["a", "b"], 41),
    }  # fmt: skip
    first = DECAY({"pump.rate": 0.0})["light"][0]
    per = {"light.scale": "dataset", "light.offset": "dataset"}
    found = jr.fit(DECAY, data, ["other lines.rate", *per], per=per, start={"light.scale": 1 / first}, num_starts=4,
                   intervals="wald")  # fmt: skip
    assert found.status == "ok"
    truth = {"light.scale[a]": 3 / first, "light.scale[b]": 1.5 / first, "light.offset[a]": 0.5, "light.offset[b]": 0.2}
    within(found, {"other lines.rate": 1920.0, **truth})


def test_a_spectrum_is_compared_by_wavelength():
    sigma = SPECTRUM({})["sigma"]
    data = {"wavelength [nm]": WAVELENGTHS, "sigma [cm^2]": 1e4 * sigma * (1 + 0.01 * noise(7, 24)),
            "sigma.sigma [cm^2]": 1e4 * 0.01 * sigma}  # fmt: skip
    free = ["laser.B", "laser.fwhm", "laser.frequency"]
    found = jr.fit(SPECTRUM, data, free, start={"laser.fwhm": "100 GHz"}, num_starts=4, intervals="wald",
                   bounds={"laser.frequency": ("1064.5 nm", "1063.8 nm")})  # fmt: skip
    assert found.status == "ok"
    within(found, {name: TRUTH[name] for name in free})
    close(found.table["frequency"], FREQUENCIES)


def test_experiments_and_functions_share_parameters_of_one_name():
    """The gain of a crystal whose density is weighed too: both together know it better than each."""
    sigma = 0.01 * TRUTH["density"] * X
    weighed = {"x": X, "y": TRUTH["density"] * X + sigma * noise(8, 24), "y.sigma": sigma}
    both = {"gain": GAIN, "weight": lambda theta: {"y": theta["density"] * theta["x"]}}
    free = ["laser.B", "density"]
    found = jr.fit(both, {"gain": steady(), "weight": weighed}, free, num_starts=2, intervals="wald")
    gain = jr.fit(GAIN, steady(), free, num_starts=2, intervals="wald")
    assert found.status == "ok"
    within(found, {name: TRUTH[name] for name in free})
    a, b = gain["density"].error / gain["density"].value, 0.01 / np.sqrt(24)
    assert found["density"].error / found["density"].value < min(a, b)
    assert found["laser.B"].error < gain["laser.B"].error
    assert found.table["dataset"].tolist() == ["gain"] * 40 + ["weight"] * 24


def test_units_of_the_table_do_not_matter(tmp_path: Path):
    data = steady()
    dB = 10 / np.log(10)
    rows = np.stack([np.full(40, 6000.0), LIGHT * 1e-7, data["gain"] * dB, data["gain.sigma"] * dB / 100], axis=1)
    text = "pump.rate [min^-1]; signal.intensity [kW/cm^2]; gain [dB/m]; gain.sigma [dB/cm]\n"
    text += "\n".join(";".join(f"{x:.17e}".replace(".", ",") for x in row) for row in rows) + "\n"
    path = tmp_path / "gain.csv"
    path.write_text(text)
    here, there = (jr.fit(GAIN, d, ["laser.B", "density"], num_starts=2, intervals="wald") for d in (data, path))
    for name in here.values:
        close(there[name].value, here[name].value, 1e-8)
        close(there[name].error, here[name].error, 1e-6)


def test_what_is_measured_in_dB_is_compared_in_dB():
    clean = 5 * X / (X + 0.7)
    level = 10 * np.log10(clean) + 0.2 * noise(9, 24)
    found = fitted({"x": X, "y [dB]": level, "y.sigma [dB]": 0.2})
    by_hand = least_squares(lambda u: (10 * np.log10(u[0] * X / (X + u[1])) - level) / 0.2, [5.0, 0.7], xtol=1e-15)
    close([found["a"].value, found["b"].value], by_hand.x, 1e-6)
    close(found.adequacy.chi2, 2 * by_hand.cost, 1e-9)
    close(found.table["value"], level, 1e-12)
    close(found.table["sigma"], np.full(24, 0.2), 1e-12)
    assert found.units["y"] == "dB"
    within(found, {"a": 5.0, "b": 0.7})


def test_resolution_and_jitter_add_to_the_stated_sigma():
    data = points()
    found = fitted(data, resolution={"y": 0.05}, jitter={"y": 0.03})
    close(found.table["sigma"], np.full(24, np.sqrt(0.02**2 + 0.05**2 / 12 + 0.03**2)), 1e-12)


# Ties, priors, corrections.


def test_a_tie_is_the_same_as_writing_it_into_the_function():
    data = points()
    wanted = fitted(data, ["a"], lambda t: {"y": t["a"] * t["x"] / (t["x"] + 0.14 * t["a"])})
    for rule in (lambda t: 0.14 * t["a"], jr.expr("0.14 * a"), "0.14 * a"):
        found = fitted(data, ["a"], tie={"b": rule})
        close(found["a"].value, wanted["a"].value, 1e-9)
        close(found["a"].error, wanted["a"].error, 1e-9)


def test_what_is_fixed_is_not_fitted():
    found = fitted(free=["a"], fixed={"b": 0.7})
    data = points()
    shape = X / (X + 0.7)
    close(found["a"].value, (shape @ data["y"]) / (shape @ shape), 1e-9)
    close(found["a"].error, 0.02 / np.linalg.norm(shape), 1e-9)


def product(theta: Mapping[str, Any]) -> dict[str, Any]:
    return {"y": theta["a"] * theta["b"] * theta["x"] / (1 + theta["x"])}


def test_products_that_alone_are_determined_are_named():
    found = fitted(function=product)
    assert found.status == "not_identifiable"
    assert "`a * b`" in found.remarks[0]
    assert not found["a"].is_determined
    assert np.isinf(found["a"].error)
    (only,) = found.combinations
    shape = X / (1 + X)
    value = (shape @ points()["y"]) / (shape @ shape)
    close(only.value, value, 1e-8)
    close(np.log(only.upper / only.lower), 2 * 1.959963984540054 * 0.02 / np.linalg.norm(shape) / value, 1e-6)


@pytest.mark.parametrize(
    ("prior", "relative"),
    [((2.0, 0.1), 0.05), (("3.0103 dB", "0.2 dB"), 0.2 * np.log(10) / 10), ((2.0, "0.2 dB"), 0.2 * np.log(10) / 10)],
)
def test_a_prior_alone_breaks_a_degeneracy(prior: Any, relative: float):
    found = fitted(points(b=1.0), function=product, prior={"b": prior})
    assert found.status == "ok"
    close(found["b"].value, 2.0, 1e-5)
    close(found["b"].error / found["b"].value, relative, 1e-4)


def test_a_column_may_be_off_by_a_factor():
    data = points()
    found = fitted({**data, "x": 1.25 * X}, ["a", "x.scale"], fixed={"b": 0.7})
    wanted = fitted(data, ["a", "b"])
    close(found["x.scale"].value, 0.8 * 0.7 / wanted["b"].value, 1e-7)
    close(found["a"].value, wanted["a"].value, 1e-7)


# What is wrong is a status.


def test_a_wrong_model_is_inadequate():
    data = points()
    found = fitted(data, ["a", "b"], lambda t: {"y": t["a"] + t["b"] * t["x"]})
    assert found.status == "inadequate_model"
    assert found.adequacy.p_value < 1e-3
    assert found.adequacy.lag1 > found.adequacy.lag1_limit
    report = found.report()
    assert report.index("inadequate_model") < report.index("\n  a ")


def test_correlated_residuals_betray_a_wrong_model_without_any_sigma():
    data = points()
    data.pop("y.sigma")
    found = fitted(data, ["a", "b"], lambda t: {"y": t["a"] + t["b"] * t["x"]})
    assert found.status == "inadequate_model"
    assert np.isnan(found.adequacy.p_value)


def test_without_sigma_the_noise_is_estimated():
    data = points()
    stated = fitted(data)
    data.pop("y.sigma")
    found = fitted(data)
    close(found["a"].value, stated["a"].value, 1e-8)
    close(found.adequacy.scale, 0.02 * np.sqrt(stated.adequacy.chi2 / 22), 1e-8)
    close(found["a"].error, stated["a"].error * np.sqrt(stated.adequacy.chi2 / 22), 1e-6)


def wave(theta: Mapping[str, Any]) -> dict[str, Any]:
    return {"y": jnp.sin(theta["k"] * theta["x"])}


def test_minima_that_describe_the_data_as_well_are_told():
    few = np.arange(1.0, 9.0)
    data = {"x": few, "y": np.sin(2 * few) + 0.05 * noise(2, 8), "y.sigma": 0.05}
    found = jr.fit(wave, data, ["k"], start={"k": 2.3}, bounds={"k": (0.5, 9.0)}, num_starts=32, intervals="wald")
    assert found.status == "multiple_minima"  # 2 and 2 + 2 pi cannot be told apart at whole numbers
    close(np.sort([m.values[0] for m in found.starts.minima[:2]]), [2.0, 2.0 + 2 * np.pi], 0.01)
    assert sum(m.starts for m in found.starts.minima) + found.starts.not_converged + found.starts.failed == 32


def test_a_fit_that_does_not_end_says_so(monkeypatch: pytest.MonkeyPatch):
    for name in ("SCOUT_TURNS", "MAX_TURNS"):
        monkeypatch.setattr(optimize, name, 2)
    found = fitted(start={"a": 100.0, "b": 0.01}, num_starts=1)
    assert found.status == "not_converged"
    assert "did not converge" in found.remarks[0]


def test_exact_data_are_fitted():
    gain = GAIN({"pump.rate": 100.0, "signal.intensity": LIGHT})["gain"]
    for sigma in ({"gain.sigma": 0.02 * gain}, {}):
        data = {"pump.rate": 100.0, "signal.intensity": LIGHT, "gain": gain, **sigma}
        found = jr.fit(GAIN, data, ["laser.B", "density"], num_starts=2, intervals="wald", start={"density": 1e26})
        assert "did not converge" not in " ".join(found.remarks)
        close(found["laser.B"].value, TRUTH["laser.B"], 1e-9)


# Derivatives.


def test_slopes_of_predictions_are_derivatives():
    found = fitted()
    task, u = found._problem.task, found._problem.u
    prediction, slopes = task.slopes(u)
    a, b = np.exp(u)
    close(prediction, a * X / (X + b))
    close(slopes, [a * X / (X + b), -a * b * X / (X + b) ** 2], 1e-12)


def test_slopes_of_an_experiment_are_finite_differences():
    found = jr.fit(GAIN, steady(), ["laser.B", "density"], num_starts=2, intervals="wald")
    task, u = found._problem.task, found._problem.u
    for i, slope in enumerate(task.slopes(u)[1]):
        step = 1e-5 * np.eye(2)[i]
        close(slope, (task.slopes(u + step)[0] - task.slopes(u - step)[0]) / 2e-5, 1e-7)
    gain = task.slopes(u)[0]
    close(task.slopes(u)[1][1], gain, 1e-11)  # gain is proportional to the density
