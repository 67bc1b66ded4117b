"""`jr.sweep` is the experiment on a grid, labelled; reductions of it are NumPy's on the whole array."""

import io
import json
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
import xarray as xr

import jaxrate as jr
from jaxrate.solve import lanes
from jaxrate.sweep.provenance import git_state, provenance
from tests.media import three_level
from tests.tolerance import ROUNDING, close, same

matplotlib.use("Agg")

ND = three_level(name="Nd:YAG, three levels")
FREQUENCIES = np.linspace(2.816e14, 2.818e14, 3)
BENCH = jr.Experiment(ND, jr.Steady(), {"gain": jr.Gain("laser"), "upper": jr.Population("4F3/2")})
SPECTRA = jr.Experiment(ND, jr.Steady(), {"spectrum": jr.Gain("laser", frequency=FREQUENCIES)})

PUMP, LIGHT = np.geomspace(1.0, 1e4, 331), np.geomspace(1e3, 1e9, 307)
BAD = PUMP.copy()
BAD[[0, 100, 330]] = -1.0, np.nan, np.inf
OVER = {"pump.rate": BAD, "signal.intensity": LIGHT}
"""A hundred thousand ensembles, several chunks of lanes, three rows of them bad."""


@pytest.fixture(scope="module")
def full() -> xr.Dataset:
    return jr.sweep(BENCH, OVER)


def test_product_is_a_loop_over_the_experiment():
    pump, light = [1.0, 30.0, -2.0], [1e3, 1e7]
    ds = jr.sweep(BENCH, {"pump.rate": pump, "signal.intensity": light})
    assert ds.gain.dims == ("pump.rate", "signal.intensity")
    for i, p in enumerate(pump):
        for j, w in enumerate(light):
            one = BENCH({"pump.rate": p, "signal.intensity": w})
            close(ds.gain[i, j], one["gain"])
            close(ds.upper[i, j], one["upper"])
    assert ds.status.values.tolist() == [[0, 0], [0, 0], [1, 1]]


def test_dimensions_are_in_the_order_given():
    ds = jr.sweep(BENCH, {"signal.intensity": LIGHT[:4], "pump.rate": PUMP[:3]})
    assert dict(ds.gain.sizes) == {"signal.intensity": 4, "pump.rate": 3}
    assert ds.status.dims == ds.gain.dims


def test_zipped_parameters_share_a_dimension():
    ds = jr.sweep(BENCH, {"pump.rate": ("run", PUMP[:5]), "signal.intensity": ("run", LIGHT[:5])})
    assert ds.gain.dims == ("run",)
    assert ds["pump.rate"].dims == ds["signal.intensity"].dims == ("run",)
    close(ds.gain, BENCH({"pump.rate": PUMP[:5], "signal.intensity": LIGHT[:5]})["gain"])


def test_zips_products_and_fixed_values_mix():
    over = {"pump.rate": ("run", PUMP[:5]), "density": [1e26, 2e26], "signal.intensity": ("run", LIGHT[:5])}
    ds = jr.sweep(BENCH, {**over, "laser.fwhm": 1e11})
    assert dict(ds.gain.sizes) == {"run": 5, "density": 2}
    assert ds["laser.fwhm"].ndim == 0
    assert ds["laser.fwhm"].item() == 1e11
    column = {"pump.rate": PUMP[:5, None], "signal.intensity": LIGHT[:5, None]}
    close(ds.gain, BENCH({**column, "density": np.array([1e26, 2e26]), "laser.fwhm": 1e11})["gain"])


def test_parameters_may_be_zipped_along_an_axis_that_is_one_of_them():
    ds = jr.sweep(BENCH, {"pump.rate": PUMP[:5], "signal.intensity": ("pump.rate", LIGHT[:5])})
    assert ds.gain.dims == ("pump.rate",)
    close(ds.gain.sel({"pump.rate": PUMP[2]}), BENCH({"pump.rate": PUMP[2], "signal.intensity": LIGHT[2]})["gain"])


@pytest.mark.parametrize("over", [{}, {"pump.rate": 50.0}, {"pump.rate": np.float32(50)}, {"pump.rate": 50}])
def test_without_an_axis_there_is_one_ensemble(over: dict):
    ds = jr.sweep(BENCH, over)
    assert ds.gain.dims == ()
    close(ds.gain, BENCH(over)["gain"])
    reduced = jr.sweep(BENCH, over, reduce=["mean", "argmax"])
    same(reduced.gain_mean, ds.gain)
    assert reduced["count"] == 1


def test_a_bad_number_for_all_is_the_status_of_all():
    ds = jr.sweep(BENCH, {"pump.rate": -1.0, "density": [1e26, 2e26]})
    assert ds.status.values.tolist() == [1, 1]
    assert np.isnan(ds.gain).all()


def test_spectra_have_their_axis_in_front():
    ds = jr.sweep(SPECTRA, {"pump.rate": PUMP[:4]})
    assert ds.spectrum.dims == ("frequency", "pump.rate")
    same(ds.frequency, FREQUENCIES)
    assert ds.frequency.attrs == {"long_name": "frequency", "units": "Hz"}
    close(ds.spectrum, SPECTRA({"pump.rate": PUMP[:4]})["spectrum"])
    best = jr.sweep(SPECTRA, {"pump.rate": PUMP[:4], "density": [1e26, 2e26]}, reduce=["max"], along="density")
    assert best.spectrum_max.dims == ("frequency", "pump.rate")
    close(best.spectrum_max, SPECTRA({"pump.rate": PUMP[:4], "density": 2e26})["spectrum"])


def test_spectra_on_different_axes_stand_side_by_side():
    two = {"a": jr.Gain("laser", frequency=FREQUENCIES), "b": jr.CrossSection("laser", frequency=FREQUENCIES[:2])}
    ds = jr.sweep(jr.Experiment(ND, jr.Steady(), two), {"pump.rate": PUMP[:4]})
    assert dict(ds.a.sizes) == {"frequency_a": 3, "pump.rate": 4}
    assert dict(ds.b.sizes) == {"frequency_b": 2, "pump.rate": 4}


def test_any_function_of_a_solution_is_an_observable():
    ds = jr.sweep(jr.Experiment(ND, jr.Steady(), {"n": lambda s: s.populations}), {"pump.rate": PUMP[:4]})
    assert ds.n.sizes == {"n_axis0": 3, "pump.rate": 4}
    close(ds.n.sum("n_axis0"), np.ones(4))
    assert "units" not in ds.n.attrs


def test_single_precision_is_stored_on_request(full: xr.Dataset):
    ds = jr.sweep(BENCH, OVER, precision="float32")
    assert ds.gain.dtype == np.float32
    close(ds.upper, full.upper, ROUNDING["float32"])
    reduced = jr.sweep(BENCH, OVER, precision="float32", reduce="mean")
    assert reduced.gain_mean.dtype == np.float64
    close(reduced.gain_mean, np.nanmean(np.float64(ds.gain)), 1e-12)


# Labels.


def test_everything_says_its_name_and_unit():
    ds = jr.sweep(BENCH, {"pump.rate": PUMP[:3], "temperature": 290.0})
    assert ds.gain.attrs == {"long_name": "gain of laser", "units": "m^-1"}
    assert ds.upper.attrs == {"long_name": "population of 4F3/2", "units": "1"}
    assert ds["pump.rate"].attrs == {"long_name": "pump.rate", "units": "s^-1"}
    assert ds["temperature"].attrs == {"long_name": "temperature", "units": "K"}
    assert ds.status.attrs["flag_values"].tolist() == [s.value for s in jr.Status]
    assert ds.status.attrs["flag_meanings"].split() == [s.name.lower() for s in jr.Status]
    assert ds.status.dtype == ds.status.attrs["flag_values"].dtype == np.int8


def test_plots_label_themselves():
    from matplotlib import pyplot

    ds = jr.sweep(BENCH, {"pump.rate": PUMP[:3], "signal.intensity": LIGHT[:4]})
    figure = pyplot.figure()
    ds.gain.plot()
    labels = {axes.get_xlabel() for axes in figure.axes} | {axes.get_ylabel() for axes in figure.axes}
    pyplot.close(figure)
    assert {"pump.rate [s^-1]", "signal.intensity [W m^-2]", "gain of laser [m^-1]"} <= labels


def test_reductions_say_their_name_and_unit():
    reduce = ["mean", "std", "min", "max", "argmax", jr.Histogram([0, 1, 2], of="gain")]
    ds = jr.sweep(BENCH, {"pump.rate": PUMP[:3], "signal.intensity": LIGHT[:4]}, reduce=reduce, along="pump.rate")
    names = {"mean": "mean", "std": "standard deviation", "min": "minimum", "max": "maximum"}
    for name, words in names.items():
        assert ds[f"gain_{name}"].attrs == {"long_name": f"{words} of gain of laser", "units": "m^-1"}
    place = ds["gain_argmax_pump.rate"].attrs
    assert place == {"long_name": "pump.rate at the maximum of gain of laser", "units": "s^-1"}
    assert ds.gain_bin.attrs == {"long_name": "gain of laser", "units": "m^-1"}
    assert ds.gain_histogram.dims == ("signal.intensity", "gain_bin")
    assert ds.gain_bin_left.values.tolist() == [0, 1]
    assert ds.gain_bin.values.tolist() == [0.5, 1.5]
    assert ds.attrs["reduced"] == f"pump.rate: 3 values from 1 to {PUMP[2]:g} s^-1"
    assert "upper_histogram" not in ds


def test_root_says_what_made_it():
    attrs = jr.sweep(BENCH, {"pump.rate": PUMP[:3]}).attrs
    assert all(type(value) in (str, int, float) for value in attrs.values())
    assert attrs["jaxrate_version"] == jr.__version__
    assert attrs["model"] == ND.name
    assert attrs["model_fingerprint"] == ND.fingerprint
    assert "wavelength" in attrs["model_toml"]
    assert json.loads(attrs["configuration"])["observables"]["gain"] == {"Gain": "laser"}
    assert attrs["ensembles"] == 3
    assert attrs["seconds"] > 0
    wanted = {"jax_version", "numpy_version", "python_version", "device", "host", "cores", "created", "precision"}
    assert wanted <= attrs.keys()


def test_a_model_that_no_file_can_hold_has_provenance_too():
    pump = jr.Pump("pump", "a -> b", rate=lambda theta, populations: 1.0)
    attrs = provenance(jr.Model(levels=[jr.Level("a"), jr.Level("b")], processes=[pump]))
    assert "model_toml" not in attrs
    assert "jax_version" in attrs


def test_commit_is_that_of_the_package_and_of_nothing_around_it(tmp_path: Path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    assert git_state(tmp_path) == {}

    def git(*arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false", "-c", "core.hooksPath="]
        done = subprocess.run(["git", *who, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "empty")
    git_state.cache_clear()
    assert git_state(package) == {}, "the package is not tracked: the checkout is somebody else's"
    git("add", ".")
    git("commit", "-q", "-m", "package")
    git_state.cache_clear()
    assert git_state(package) == {"git_commit": git("rev-parse", "HEAD"), "git_dirty": 0}
    (package / "__init__.py").write_text("x = 1")
    git_state.cache_clear()
    assert git_state(package)["git_dirty"] == 1
    git_state.cache_clear()


@pytest.mark.parametrize("reduce", [None, ["mean", "argmax", jr.Histogram([-np.inf, 0, np.inf])]])
def test_files_hold_all_of_it(tmp_path: Path, reduce: Any):
    over = {"pump.rate": PUMP[:4], "signal.intensity": ("run", LIGHT[:3]), "density": ("run", [1e26, 2e26, 3e26])}
    ds = jr.sweep(BENCH, {**over, "temperature": 290.0}, reduce=reduce, along=reduce and "run")
    ds.to_zarr(tmp_path / "out.zarr", consolidated=False)
    with xr.open_zarr(tmp_path / "out.zarr", consolidated=False) as found:
        xr.testing.assert_equal(found.load(), ds)
        assert found.attrs == ds.attrs
        assert found.gain_mean.attrs == ds.gain_mean.attrs if reduce else found.gain.attrs == ds.gain.attrs
    ds.to_netcdf(tmp_path / "out.nc", engine="scipy")
    with xr.open_dataset(tmp_path / "out.nc", engine="scipy") as found:
        xr.testing.assert_equal(found.load(), ds)


# Reductions.


def by_numpy(x: xr.DataArray, name: str, axis: Any) -> np.ndarray:
    with np.errstate(all="ignore"):
        return getattr(np, f"nan{name}")(np.asarray(x), axis=axis)


@pytest.mark.filterwarnings("ignore:All-NaN|Mean of empty|Degrees of freedom:RuntimeWarning")
@pytest.mark.parametrize(
    ("along", "axis"),
    [(None, (0, 1)), ("signal.intensity", 1), (["pump.rate"], 0), (["pump.rate", "signal.intensity"], (0, 1))],
)
def test_reductions_are_numpys_on_the_full_array(full: xr.Dataset, along: Any, axis: Any):
    ds = jr.sweep(BENCH, OVER, reduce=["mean", "std", "min", "max"], along=along)
    for name in ("mean", "std", "min", "max"):
        for observable in ("gain", "upper"):
            close(ds[f"{observable}_{name}"], by_numpy(full[observable], name, axis), 1e-11, 1e-15, what=name)
    same(ds["count"], np.sum(np.asarray(full.status) == 0, axis=axis))
    same(ds["failed"], np.sum(np.asarray(full.status) != 0, axis=axis))
    assert ds["failed"].sum() == 3 * LIGHT.size


def test_place_of_an_extreme_is_in_the_units_of_the_parameters(full: xr.Dataset):
    ds = jr.sweep(BENCH, OVER, reduce=["argmax", "argmin"])
    for name in ("argmax", "argmin"):
        i, j = np.unravel_index(getattr(np, f"nan{name}")(np.asarray(full.gain)), full.gain.shape)
        assert ds[f"gain_{name}_pump.rate"] == BAD[i]
        assert ds[f"gain_{name}_signal.intensity"] == LIGHT[j]
    rows = jr.sweep(BENCH, OVER, reduce="argmax", along="signal.intensity")
    assert "gain_argmax_pump.rate" not in rows
    good = np.isfinite(BAD) & (BAD > 0)
    same(np.isnan(rows["gain_argmax_signal.intensity"]), ~good)
    same(rows["gain_argmax_signal.intensity"][good], LIGHT[np.argmax(np.asarray(full.gain)[good], axis=1)])


def test_place_of_an_extreme_names_every_zipped_parameter():
    over = {
        "pump.rate": ("run", [10.0, 300.0, 20.0]),
        "density": ("run", [1e26, 2e26, 3e26]),
        "temperature": [290, 300],
    }
    ds = jr.sweep(BENCH, over, reduce="argmax", along="run")
    assert ds["gain_argmax_pump.rate"].values.tolist() == [300, 300]
    assert ds["gain_argmax_density"].values.tolist() == [2e26, 2e26]
    assert "gain_argmax_temperature" not in ds


def test_histogram_is_numpys_and_loses_nothing(full: xr.Dataset):
    edges = np.array([0.0, 0.5, 1.0, 20.0, 150.0])
    ds = jr.sweep(BENCH, OVER, reduce=jr.Histogram(edges, of="gain"), along="signal.intensity")
    wanted = np.stack([np.histogram(row[np.isfinite(row)], edges)[0] for row in np.asarray(full.gain)])
    same(ds.gain_histogram, wanted)
    total = ds.gain_histogram.sum("gain_bin") + ds.gain_histogram_below + ds.gain_histogram_above
    same(total, ds["count"])
    assert ds.gain_histogram_above.sum() > 0


def test_order_of_along_changes_nothing():
    reduce = ["mean", "std", "argmax", "argmin"]
    over = {"density": [1e26, 2e26], **OVER}
    one = jr.sweep(BENCH, over, reduce=reduce, along=["density", "signal.intensity"])
    other = jr.sweep(BENCH, over, reduce=reduce, along=["signal.intensity", "density"])
    assert one.gain_mean.dims == other.gain_mean.dims == ("pump.rate",)
    for name in one:
        same(one[name], other[name], str(name))


def test_first_axis_may_be_the_one_that_is_reduced():
    """The lanes are laid out anew for it; no cell comes from the wrong row."""
    ds = jr.sweep(BENCH, {"density": [1e26, 2e26, 3e26], "pump.rate": PUMP[:50]}, reduce="max", along="density")
    close(ds.gain_max, BENCH({"density": 3e26, "pump.rate": PUMP[:50]})["gain"])


def test_number_of_workers_changes_no_bit(monkeypatch: pytest.MonkeyPatch):
    reduce = ["mean", "std", "max", "argmax", jr.Histogram([0.0, 1.0, 100.0])]
    wanted = jr.sweep(BENCH, OVER, reduce=reduce)
    for workers in (1, 3, 8):
        with ThreadPoolExecutor(workers) as pool:
            monkeypatch.setattr(lanes, "_threads", lambda pool=pool: pool)
            found = jr.sweep(BENCH, OVER, reduce=reduce)
        for name in wanted:
            same(found[name], wanted[name], f"{name}, {workers} workers")


def test_size_of_a_call_changes_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch, full: xr.Dataset):
    reduce = ["mean", "std", "max"]
    wanted = jr.sweep(BENCH, OVER, reduce=reduce, along="pump.rate")
    monkeypatch.setattr(lanes, "BLOCKS_PER_CALL", 3)
    found = jr.sweep(BENCH, OVER, reduce=reduce, along="pump.rate")
    for name in wanted:
        close(found[name], wanted[name], 1e-12, what=str(name))
    close(jr.sweep(BENCH, OVER).upper, full.upper)


def test_ten_million_ensembles_are_reduced_without_being_stored():
    over = {"pump.rate": np.geomspace(1, 1e4, 2500), "signal.intensity": np.geomspace(1e3, 1e9, 4000)}
    tracemalloc.start()
    try:
        ds = jr.sweep(BENCH, over, reduce=["mean", "max"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ds["count"] == 10**7
    assert peak < 30e6, "one array of all ensembles would take 80 MB"


# Progress.


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_counts_ensembles(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    jr.sweep(BENCH, OVER, progress=True)
    jr.sweep(BENCH, OVER, reduce="mean", progress=True)
    assert terminal.getvalue().count("102k/102k") == 2
    assert "ensembles/s" in terminal.getvalue()


@pytest.mark.parametrize("shown", [False, None])
def test_a_short_job_and_a_file_see_no_bar(monkeypatch: pytest.MonkeyPatch, shown: bool | None):
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        jr.sweep(BENCH, OVER, reduce="mean", progress=shown)
        assert stream.getvalue() == ""


# Bad input.


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"pump.rat": PUMP}, "did you mean `pump.rate`"),
        ({"pump.rate": ("run", PUMP[:4]), "density": ("run", [1e26])}, "`pump.rate` and `density`.*`run`.*4 and 1"),
        ({"pump.rate": []}, "`pump.rate` must have at least one value"),
        ({"pump.rate": ("run", [])}, "`pump.rate` must have at least one value"),
        ({"pump.rate": np.ones((2, 3))}, r"`pump.rate` must have one-dimensional.*\(2, 3\)"),
        ({"pump.rate": ("run", 3.0)}, r"`pump.rate` must have one-dimensional.*\(\)"),
        ({"pump.rate": "100 s^-1"}, r"`pump.rate` must be a number.*SI units \(s\^-1\).*'100 s\^-1'"),
        ({"pump.rate": ["100 s^-1", "200 s^-1"]}, "`pump.rate` must be a number"),
        ({"pump.rate": [1.0, [2.0, 3.0]]}, "`pump.rate` must be a number"),
        ({"pump.rate": [1.0, None]}, "`pump.rate` must be a number"),
        ({"pump.rate": [1.0 + 2.0j]}, "`pump.rate` must be a number"),
        ({"pump.rate": ("run", PUMP, {})}, r"zipped as \('dimension', values\)"),
        ({"pump.rate": (PUMP, "run")}, r"zipped as \('dimension', values\)"),
        ({"pump.rate": ("density", PUMP)}, "`density` is a parameter"),
        ({"pump.rate": ("density", PUMP), "density": ("pump.rate", PUMP)}, "is a parameter"),
        ({"pump.rate": ("gain", PUMP)}, "`gain` is an observable"),
        ({"pump.rate": ("status", PUMP)}, "`status` is a result"),
        ([("pump.rate", PUMP)], "`over` must be a dict"),
    ],
)
def test_axes_that_cannot_be_meant_are_refused(over: Any, message: str):
    with pytest.raises(ValueError, match=message):
        jr.sweep(BENCH, over)


def test_a_dimension_is_not_named_as_the_axis_of_an_observable():
    with pytest.raises(ValueError, match="the axis of the observable `spectrum`"):
        jr.sweep(SPECTRA, {"pump.rate": ("frequency", PUMP)})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reduce": "maen"}, "did you mean `mean`"),
        ({"reduce": []}, "none was given"),
        ({"reduce": "mean", "along": "pump.rat"}, "`along`: `pump.rat` is not a dimension.*did you mean `pump.rate`"),
        ({"reduce": "mean", "along": []}, "`along` must name"),
        ({"along": "pump.rate"}, "give `reduce` too"),
        ({"precision": "float16"}, "'float64' or 'float32'"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        jr.sweep(BENCH, {"pump.rate": PUMP[:3]}, **options)
