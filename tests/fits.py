"""Measurements that tests of fits share: simulated, with their truth, so that each program is compiled once."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

import jaxrate as jr

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
