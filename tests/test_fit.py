"""`jr.fit` finds what made the data, says what it cannot know, and gives the same answer whatever else runs beside."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import least_squares

import jaxrate as jr
from jaxrate.fit import journal, optimize
from tests.tolerance import close, same

ND = jr.media("nd-yag")
GAIN = jr.Experiment(ND, jr.Steady(), {"gain": jr.Gain("laser")})
TIMES = np.linspace(0, 1.2e-3, 41)
DECAY = jr.Experiment(ND, jr.Evolve(TIMES, start={"4F3/2": 1.0}), {"light": jr.Fluorescence("laser")})
WAVELENGTHS = np.linspace(1063.0, 1065.3, 24)  # nm
FREQUENCIES = 299792458e9 / WAVELENGTHS
SPECTRUM = jr.Experiment(ND, jr.Steady(), {"sigma": jr.CrossSection("laser", frequency=FREQUENCIES)})
TRUTH = ND.parameters()
LIGHT = np.geomspace(1e5, 1e9, 40)
X = np.linspace(0.05, 2.0, 24)
POSITIVE = {name: (0.0, None) for name in "abc"}


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def within(found: jr.FitResult, truth: Mapping[str, float], errors: float = 3.0) -> None:
    """Assert that every estimate is within some standard errors of the truth, and that those are small."""
    for name, value in truth.items():
        e = found[name]
        assert abs(e.value - value) < errors * e.error, f"{name}: {e.value} +- {e.error} is not {value}"
        assert e.error < 0.3 * abs(value), f"{name}: {e.error} is no small error of {value}"


@cache
def steady() -> dict[str, Any]:
    """Saturated gain with 2 % of noise."""
    gain = GAIN({"pump.rate": 100.0, "signal.intensity": LIGHT})["gain"]
    return {
        "pump.rate": 100.0, "signal.intensity": LIGHT,
        "gain": gain * (1 + 0.02 * noise(1, 40)), "gain.sigma": 0.02 * gain,
    }  # fmt: skip


def saturation(theta: Mapping[str, Any]) -> dict[str, Any]:
    return {"y": theta["a"] * theta["x"] / (theta["x"] + theta["b"])}


def points(seed: int = 3, a: float = 5.0, b: float = 0.7, sigma: float = 0.02) -> dict[str, np.ndarray]:
    return {"x": X, "y": a * X / (X + b) + sigma * noise(seed, X.size), "y.sigma": np.full(X.size, sigma)}


def fitted(data: Any = None, free: Any = ("a", "b"), function: Any = saturation, **changes: Any) -> jr.FitResult:
    known = {
        "start": {name: 1.0 for name in free}, "bounds": {n: POSITIVE[n] for n in free if n in POSITIVE},
        "num_starts": 4, "intervals": "wald",
    }  # fmt: skip
    return jr.fit(function, points() if data is None else data, free, **{**known, **changes})


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


# The same answer.


def test_a_fit_is_the_same_whatever_runs_beside():
    task = fitted()._problem.task
    begin = optimize.starts(task, 16, seed=4)
    together, order = task.fits(begin), np.random.default_rng(0).permutation(16)
    shuffled = task.fits(begin[:, order])
    alone = [task.fits(begin[:, [i]]) for i in range(3)]
    for name in ("u", "square", "turns"):
        same(shuffled[name], together[name][..., order])
        same(np.concatenate([one[name] for one in alone], axis=-1), together[name][..., :3])


def test_a_start_without_prediction_touches_no_other():
    task = fitted()._problem.task
    begin = optimize.starts(task, 16, seed=4)
    bad = begin.copy()
    bad[0, 5] = bad[1, 11] = np.nan
    clean, found, good = task.fits(begin), task.fits(bad), np.delete(np.arange(16), [5, 11])
    same(found["u"][:, good], clean["u"][:, good])
    assert (found["status"][[5, 11]] != 0).all()
    assert optimize.search(task, bad).converged[0]


def test_the_same_seed_gives_the_same_bits():
    one, two = (fitted(num_starts=8, intervals="profile", seed=3) for _ in range(2))
    assert one.estimates == two.estimates
    assert one.profiles == two.profiles
    assert one.starts == two.starts
    same(one.covariance, two.covariance)


def test_the_order_of_rows_does_not_matter():
    data, order = points(), np.random.default_rng(1).permutation(24)
    found, wanted = fitted({name: x[order] for name, x in data.items()}), fitted(data)
    for name in "ab":
        close(found[name].value, wanted[name].value, 1e-8)
        close(found[name].error, wanted[name].error, 1e-6)


def interrupt(monkeypatch: pytest.MonkeyPatch, path: Path, after: int) -> None:
    """Begin a fit with a checkpoint and interrupt it after some calls of its kernel."""
    calls, whole = [0], journal.run_fits

    def interrupted(*args: Any, **keywords: Any) -> Any:
        calls[0] += 1
        if calls[0] > after:
            raise KeyboardInterrupt
        return whole(*args, **keywords)

    with monkeypatch.context() as patched:
        patched.setattr(journal, "run_fits", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fitted(intervals="profile", seed=2, checkpoint=path)


@pytest.mark.parametrize("stop", [1, 4])
def test_an_interrupted_fit_goes_on_to_the_identical_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int):
    wanted = fitted(intervals="profile", seed=2)
    path = tmp_path / "fit.npz"
    interrupt(monkeypatch, path, after=stop)
    assert path.exists()
    with pytest.raises(ValueError, match="another fit"):
        fitted(intervals="profile", seed=3, checkpoint=path)
    with pytest.raises(ValueError, match="another fit"):
        fitted(points(seed=9), intervals="profile", seed=2, checkpoint=path)
    found = fitted(intervals="profile", seed=2, checkpoint=path)
    assert found.estimates == wanted.estimates
    assert found.profiles == wanted.profiles
    assert found.starts == wanted.starts
    same(found.covariance, wanted.covariance)
    assert not path.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_cut_checkpoint_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "fit.npz"
    interrupt(monkeypatch, path, after=1)
    content = path.read_bytes()
    for size in (10, len(content) // 2, len(content) - 5):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match="damaged"):
            fitted(intervals="profile", checkpoint=path)
        assert path.read_bytes() == content[:size]


def test_a_saved_fit_is_the_fit(tmp_path: Path):
    found = fitted(intervals="profile")
    found.save(tmp_path)
    loaded = jr.FitResult.load(tmp_path)
    assert loaded.estimates == found.estimates
    assert loaded.report() == found.report()
    same(loaded.covariance, found.covariance)
    with pytest.raises(ValueError, match="from a file"):
        jr.profile(loaded)


# Other likelihoods, large tables.


def test_outliers_hardly_move_a_fit_with_heavy_tails():
    clean, bad = steady(), {**steady()}
    bad["gain"] = bad["gain"].copy()
    bad["gain"][[7, 23]] *= 3  # 5 % of 40
    fits = [
        jr.fit(GAIN, data, ["laser.B", "density"], loss=loss, num_starts=4, intervals="wald")
        for data, loss in ((clean, "student_t"), (bad, "student_t"), (bad, "gaussian"))
    ]
    B, moved, wrong = (found["laser.B"] for found in fits)
    assert abs(moved.value - B.value) < B.error
    assert abs(wrong.value - B.value) > 2 * B.error
    assert abs(moved.value - TRUTH["laser.B"]) < 3 * moved.error


def decay(theta: Mapping[str, Any]) -> dict[str, Any]:
    return {"y": theta["a"] * jnp.exp(-theta["x"] / theta["b"]) + theta["c"]}


def test_counts_are_fitted_by_their_likelihood():
    x = np.linspace(0, 10, 200)
    counts = np.random.default_rng(4).poisson(30 * np.exp(-x / 2) + 2)
    found = fitted({"x": x, "y": counts}, ["a", "b", "c"], decay, loss="poisson")
    assert found.status == "ok"
    within(found, {"a": 30.0, "b": 2.0, "c": 2.0})
    predicted = found.table["fit"]
    close(predicted.sum(), counts.sum(), 1e-6)  # true of a maximum whose model has a scale


def test_minibatches_end_where_the_whole_table_does():
    x = np.linspace(0, 10, 20_000)
    data = {"x": x, "y": 3 * np.exp(-x / 2) + 0.5 + 0.1 * noise(11, 20_000), "y.sigma": 0.1}
    start = {"a": 10.0, "b": 0.5, "c": 0.1}
    whole, parts = (fitted(data, ["a", "b", "c"], decay, start=start, num_starts=1, minibatch=m) for m in (None, 256))
    for name in "abc":
        close(parts[name].value, whole[name].value, 1e-7)
    within(parts, {"a": 3.0, "b": 2.0, "c": 0.5})
