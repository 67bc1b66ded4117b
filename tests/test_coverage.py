"""Error bars cover: simulated, fitted and judged 20,000 times for three designs; and a design at which Wald's fail."""

from functools import cache

import numpy as np
import pytest
import xarray as xr

import jaxrate as jr
from tests import media
from tests.measured_data import data
from tests.refusal import refused

NOMINAL = (0.935, 0.965)
"""Within which the 99 % band of the coverage of 95 % intervals must lie."""
REPLICAS = 20_000


def saturation() -> tuple[jr.Experiment, dict, list[str]]:
    """Gain against intensity at three pump rates: B, density and quenching."""
    bench = jr.Experiment(media.four_level(), jr.Steady(), {"gain": jr.Gain("laser")})
    design = {
        "signal.intensity": np.tile(np.geomspace(1e5, 1e9, 8), 3),
        "pump.rate": np.repeat([10.0, 300.0, 10_000.0], 8),
    }
    gain = bench(design)["gain"]
    return bench, {**design, "gain": gain, "gain.sigma": 0.05 * gain}, ["laser.B", "density", "quench.rate"]


def decay() -> tuple[jr.Experiment, dict, list[str]]:
    """Fluorescence after a flash in arbitrary units: lifetime by the quenching, amplitude and background."""
    times = np.linspace(0.0, 1.5e-3, 31)
    bench = jr.Experiment(media.four_level(), jr.Evolve(times, start={"2": 1.0}), {"light": jr.Fluorescence("laser")})
    light = bench({"pump.rate": 0.0, "signal.intensity": 0.0})["light"]
    table = {"time": times, "light": light, "light.sigma": 0.03 * light[0], "pump.rate": 0.0, "signal.intensity": 0.0}
    return bench, table, ["quench.rate", "light.scale", "light.offset"]


def spectrum() -> tuple[jr.Experiment, dict, list[str]]:
    """Gain over the line: B, centre and width."""
    theta = media.four_level().parameters()
    frequency = theta["laser.frequency"] + np.linspace(-3, 3, 41) * theta["laser.fwhm"]
    bench = jr.Experiment(media.four_level(), jr.Steady(), {"gain": jr.Gain("laser", frequency=frequency)})
    gain = bench({"signal.intensity": 0.0})["gain"]
    table = {"frequency": frequency, "gain": gain, "gain.sigma": 0.05 * gain.max(), "signal.intensity": 0.0}
    return bench, table, ["laser.B", "laser.frequency", "laser.fwhm"]


DESIGNS = {"saturation": saturation, "decay": decay, "spectrum": spectrum}


@cache
def covered(name: str) -> xr.Dataset:
    bench, table, free = DESIGNS[name]()
    known = {**bench.parameters(), "light.scale": 1.0, "light.offset": 0.0}
    truth = {parameter: known[parameter] for parameter in free}
    return jr.coverage(bench, table, truth, REPLICAS, ("profile", "wald"), seed=7)


@pytest.mark.parametrize("name", ["decay", *(pytest.param(n, marks=pytest.mark.long) for n in DESIGNS if n != "decay")])
def test_profiles_cover_what_they_say(name: str):
    found = covered(name).sel(interval="profile")
    assert int(found.failed) == 0
    assert found.sizes["parameter"] == 3
    assert float(found.lower.min()) > NOMINAL[0]
    assert float(found.upper.max()) < NOMINAL[1]


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.long
def test_estimates_are_unbiased_beside_their_spread(name: str):
    assert np.all(np.abs(covered(name).bias) < 0.1)


@pytest.mark.parametrize("name", DESIGNS)
def test_shares_add_up(name: str):
    found = covered(name)
    np.testing.assert_allclose(found.coverage + found.below + found.above, 1.0, rtol=1e-12)
    assert np.all((found.lower < found.coverage) & (found.coverage < found.upper))


def rubidium() -> tuple[np.ndarray, np.ndarray]:
    """The eight points of measured absorption at a power above zero."""
    file = data("gain/rb-saturation-and-dye/SatIntensityAbs.csv")
    power, signal = np.genfromtxt(file, delimiter=",", skip_header=1).T
    return power[power > 0], signal[power > 0]


def saturable(theta):
    return {"y": theta["top"] * theta["power"] / (theta["power"] + theta["Psat"])}


POSITIVE = {"top": (0, None), "Psat": (0, None)}


@pytest.fixture(scope="module")
def eight_points() -> tuple[jr.FitResult, xr.Dataset]:
    power, signal = rubidium()
    start = {"top": 100.0, "Psat": 0.5}
    fit = jr.fit(saturable, {"power": power, "y": signal}, list(start), start=start, bounds=POSITIVE, num_starts=16)
    design = {"power": power, "y": signal, "y.sigma": fit.adequacy.scale}
    methods = ("profile", "wald", "wald_natural", "wald_z")
    return fit, jr.coverage(saturable, design, fit.values, 5000, methods, estimate_noise=True, bounds=POSITIVE, seed=1)


def test_eight_measured_points_give_the_published_interval(eight_points):
    fit, _ = eight_points
    assert fit["Psat"].value == pytest.approx(0.773, abs=0.001)
    assert fit["Psat"].error == pytest.approx(0.283, abs=0.002)
    assert (fit["Psat"].lower, fit["Psat"].upper) == pytest.approx((0.38, 4.7), rel=0.01)


def test_coverage_can_fail(eight_points):
    """Symmetric error bars with the normal's quantile miss twice as often as they say, and all to one side."""
    found = eight_points[1]
    wald, profile = (found.sel(interval=name, parameter="Psat") for name in ("wald_z", "profile"))
    assert float(wald.coverage) == pytest.approx(0.899, abs=0.01)
    assert float(profile.coverage) == pytest.approx(0.959, abs=0.01)
    assert float(wald.below) > 5 * float(wald.above)


def test_what_cannot_be_simulated_is_refused():
    x = np.linspace(0.1, 1, 5)
    truth = {"top": 1.0, "Psat": 0.5}
    refused(lambda: jr.coverage(saturable, {"power": x, "y": x}, truth, 10), "y.sigma", "noise")
    design = {"power": x, "y": x, "y.sigma": 0.1}
    refused(lambda: jr.coverage(saturable, design, truth, 10, ("profil",)), "profil", "did you mean `profile`")
    refused(lambda: jr.coverage(saturable, design, truth, 10, bound={}), "bound", "did you mean `bounds`")
