"""The same answer whatever runs beside, after an interruption, and from a file; other likelihoods, large tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import jaxrate as jr
from jaxrate.fit import journal, optimize
from tests.fits import GAIN, TRUTH, fitted, noise, points, steady, within
from tests.tolerance import close, same

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


@pytest.mark.long
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


@pytest.mark.long
def test_minibatches_end_where_the_whole_table_does():
    x = np.linspace(0, 10, 20_000)
    data = {"x": x, "y": 3 * np.exp(-x / 2) + 0.5 + 0.1 * noise(11, 20_000), "y.sigma": 0.1}
    start = {"a": 10.0, "b": 0.5, "c": 0.1}
    whole, parts = (fitted(data, ["a", "b", "c"], decay, start=start, num_starts=1, minibatch=m) for m in (None, 256))
    for name in "abc":
        close(parts[name].value, whole[name].value, 1e-7)
    within(parts, {"a": 3.0, "b": 2.0, "c": 0.5})
