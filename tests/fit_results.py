"""Results of fits made by hand, of every kind that a report and a plot must tell: they need no fit."""

from dataclasses import replace
from typing import Any

import numpy as np

from jaxrate.fit.result import Adequacy, Derived, Estimate, FitResult, Minimum, Profile, Starts

INF = float("inf")
UNIT_B = "m^3 J^-1 s^-2"
SIGNAL, PUMP = np.geomspace(1e4, 1e8, 12), (1e3, 3e3, 1e4)
PROVENANCE = {
    "data": {"gain.csv": "0f9b6c1de3" * 6 + "abcd"},
    "model_fingerprint": "5d41402abc4b2a76b9719d911017c592",
    "seed": 7,
    "jaxrate_version": "0.1.0",
    "jax_version": "0.10.0",
    "device": "cpu",
    "precision": "float64",
    "created": "2025-01-02T03:04:05+00:00",
}


def estimate(name: str = "laser.B", value: float = 1.2345e20, **changes: Any) -> Estimate:
    """A parameter with an interval from data at both ends."""
    known = {
        "unit": UNIT_B, "start": 1e20, "error": 0.023 * value, "lower": 0.96 * value, "upper": 1.05 * value,
        "lower_label": "data", "upper_label": "data", "logarithmic": True, "is_determined": True,
    }  # fmt: skip
    return Estimate(name, value=value, **{**known, **changes})


def lost(name: str, unit: str, start: float) -> Estimate:
    """A parameter that the data do not determine."""
    open_ends = {"lower": 0.0, "upper": INF, "lower_label": "unbounded", "upper_label": "unbounded"}
    return estimate(name, start * 1.1, unit=unit, start=start, error=INF, is_determined=False, **open_ends)


def profile(e: Estimate) -> Profile:
    """A skew profile that crosses 3.84 at the ends of the interval."""
    u = np.linspace(1.5 * np.log(e.lower / e.value), 1.5 * np.log(e.upper / e.value), 15)
    rise = 3.84 * (u / np.where(u < 0, np.log(e.lower / e.value), np.log(e.upper / e.value))) ** 2
    return Profile(e.name, tuple((e.value * np.exp(u)).tolist()), tuple(rise.tolist()), 3.84)


def saturation(dataset: str, seed: int = 3) -> dict[str, np.ndarray]:
    """Gain over signal at three pumps."""
    signal, pump = (np.ravel(x) for x in np.meshgrid(SIGNAL, PUMP))
    fit = 8.0 * pump / (pump + 4e3) / (1 + signal / 3e6)
    sigma = 0.03 * fit + 0.02
    residual = np.random.default_rng(seed).normal(size=fit.size)
    return {
        "dataset": np.full(fit.size, dataset),
        "line": np.arange(2, 2 + fit.size),
        "observable": np.full(fit.size, "gain"),
        "value": fit - residual * sigma,
        "sigma": sigma,
        "fit": fit,
        "fit_lower": fit - 0.5 * sigma,
        "fit_upper": fit + 0.5 * sigma,
        "residual": residual,
        "signal.intensity": signal,
        "pump.rate": pump,
    }


def decay() -> dict[str, np.ndarray]:
    """Light after a pulse over three decades."""
    time = np.linspace(0, 1.6e-3, 60)
    fit = np.exp(-time / 2.3e-4)
    residual = np.random.default_rng(5).normal(size=time.size)
    sigma = 0.02 * fit
    columns = {"value": fit - residual * sigma, "sigma": sigma, "fit": fit, "residual": residual, "time": time}
    band = {"fit_lower": fit * 0.98, "fit_upper": fit * 1.02}
    labels = {"dataset": np.full(60, "decay"), "observable": np.full(60, "fluorescence"), "line": np.arange(2, 62)}
    conditions = {"signal.intensity": np.full(60, np.nan), "pump.rate": np.full(60, 1e3)}
    return {**labels, **columns, **band, **conditions}


def joined(*tables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Tables below each other, NaN where one has no such condition."""
    names = list(dict.fromkeys(name for table in tables for name in table))
    rows = [len(table["value"]) for table in tables]
    return {
        name: np.concatenate([t.get(name, np.full(n, np.nan)) for t, n in zip(tables, rows, strict=True)])
        for name in names
    }


def good(**changes: Any) -> FitResult:
    """Three parameters from a saturation and a decay, two of them correlated."""
    estimates = (
        estimate(),
        estimate("density", 1.38e26, unit="m^-3", start=1e26),
        estimate("decay.lifetime", 2.3014e-4, unit="s", start=1e-4, error=2.1e-6, lower=2.26e-4, upper=2.343e-4),
    )
    errors = np.array([e.error / e.value for e in estimates])
    correlation = np.array([[1.0, -0.97, 0.2], [-0.97, 1.0, -0.1], [0.2, -0.1, 1.0]])
    ends = np.sort(np.concatenate([np.full(243, 91.2), np.full(8, 812.0), np.full(2, 5.1e4), np.full(3, INF)]))
    minima = ((91.2, 243, 1.0), (812.0, 8, 0.1), (5.1e4, 2, 30.0))
    known: dict[str, Any] = {
        "status": "ok",
        "remarks": ("gain.csv: 1 row repeats an earlier one",),
        "estimates": estimates,
        "derived": (Derived("A21 of laser", "s^-1", 4345.6, 4200.0, 4510.0),),
        "combinations": tuple(Derived(e.name, e.unit, e.value, e.lower, e.upper) for e in estimates),
        "covariance": correlation * np.outer(errors, errors),
        "adequacy": Adequacy(96, 93, 91.2, 0.534, 0.04, 0.3, 1.0, True),
        "starts": Starts(256, 3, 0, tuple(ends.tolist()), tuple(
            Minimum(chi2, n, tuple(e.value * f for e in estimates)) for chi2, n, f in minima)),
        "profiles": tuple(profile(e) for e in estimates),
        "table": joined(saturation("saturation"), decay()),
        "units": {
            "gain": "m^-1", "fluorescence": "1", "signal.intensity": "W m^-2", "pump.rate": "s^-1", "time": "s"
        },
        "method": "profile",
        "level": 0.95,
        "settings": {"free": ["laser.B", "density", "decay.lifetime"], "bounds": {"laser.B": [0.0, INF]}},
        "provenance": PROVENANCE,
    }  # fmt: skip
    return FitResult(**{**known, **changes})


def degenerate() -> FitResult:
    """Small-signal gain alone: only a product is determined."""
    names = (("laser.B", UNIT_B, 1e20), ("density", "m^-3", 1e26), ("length", "m", 0.05))
    estimates = (*(lost(*name) for name in names), estimate("gain.scale", 1.02, unit="1", start=1.0))
    name = "laser.B * density * length"
    return good(
        status="not_identifiable",
        remarks=("Only laser.B * density * length is determined, not its factors: fix two of them.",),
        estimates=estimates,
        derived=(Derived("A21 of laser", "s^-1", 4345.6, 0.0, INF),),
        combinations=(Derived(name, "", 6.17e44, 6.0e44, 6.4e44), Derived("gain.scale", "1", 1.02, 0.98, 1.07)),
        covariance=np.array([[np.nan] * 4] * 3 + [[np.nan] * 3 + [1e-4]]) + np.diag([INF, INF, INF, 0.0]),
        profiles=(profile(estimates[3]),),
        starts=Starts(1, 0, 0, (91.2,), (Minimum(91.2, 1, tuple(e.value for e in estimates)),)),
        table=saturation("saturation"),
    )


def inadequate() -> FitResult:
    """No sigma, neighbours that are alike, and starts of which most failed."""
    ends = (0.0123, 0.0123, 0.034, INF, INF)
    table = saturation("a")
    return good(
        status="inadequate_model",
        remarks=("Neighbouring residuals are alike (0.85): the model misses a trend in the data.",),
        adequacy=Adequacy(36, 33, 33.0, np.nan, 0.85, 0.33, 0.0213, False),
        table={**table, "sigma": np.full(len(table["value"]), 0.0213)},
        starts=Starts(5, 2, 1, ends, (Minimum(0.0123, 2, (1.2e20, 1.4e26, 2.3e-4)),)),
        method="wald",
        profiles=(),
    )


def open_ended() -> FitResult:
    """An interval without an upper end, one that another parameter's bound limits, and one whose end was not found."""
    found = good()
    B, density, lifetime = found.estimates
    estimates = (
        replace(B, upper=INF, upper_label="unbounded"),
        replace(density, lower_label="limited by laser.B"),
        replace(lifetime, value=2.343e-4, upper_label="limited by decay.lifetime", lower_label="not found"),
    )
    settings = {"bounds": {"decay.lifetime": [1e-6, 2.343e-4]}}
    return replace(found, estimates=estimates, settings=settings, status="multiple_minima")
