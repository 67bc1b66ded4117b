"""Steady output power of lasers: over every pair of pump and loss (N3), and with its gradient (POWER)."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np

import jaxrate as jr
from benchmarks import lasers
from benchmarks.ensembles import at, in_precision, largest, put, sample
from benchmarks.measure import Case, Reading, read
from benchmarks.stiff import ROUNDS
from jaxrate.constants import h

WRT = (*lasers.VARIED, "density", "laser.fwhm", "cavity.mode_volume", "cavity.output_coupling")
"""What the output power is differentiated by."""


def power_axes(lanes: int) -> dict[str, np.ndarray]:
    """N3: pump from half to five times the threshold at the mean loss, and losses over a factor of four."""
    side = max(1, round(lanes**0.5))
    own = lasers.laser().parameters()
    lifetimes = np.geomspace(*lasers.RANGES["cavity.photon_lifetime"], side)
    middle = own | {"cavity.photon_lifetime": float(np.sqrt(lifetimes[0] * lifetimes[-1]))}
    pumps = lasers.threshold(middle) * np.geomspace(0.5, lasers.ABOVE[1], side)
    return {"pump.rate": pumps[:, None], "cavity.photon_lifetime": lifetimes}


def powers(lanes: int) -> list[Case]:
    """N3: steady populations and photons of every pair of pump and loss. Every pair is judged, and by two judges."""
    model, axes = lasers.laser(), power_axes(lanes)
    theta = model.parameters() | axes
    size = int(np.prod(np.broadcast_shapes(*map(np.shape, axes.values()))))

    def solved() -> np.ndarray:
        state = jr.steady_state(model, axes)
        return np.stack([np.asarray(state[name]) for name in (*"0123", "cavity")])

    def call() -> Reading:
        reading = read(solved)
        balance = np.max(np.abs(lasers.energy_balance(theta, reading.output)))
        return replace(reading, facts={"balance_error": float(balance)})

    def error(found: np.ndarray) -> float:
        power = h * lasers.FREQUENCY * found[-1] / theta["cavity.photon_lifetime"]
        return float(np.max(np.abs(power / lasers.output_power(theta) - 1)))

    return [Case("N3", "jaxrate", "float64", size, in_precision("float64", call), error, rounds=ROUNDS)]


def gradients(lanes: int) -> list[Case]:
    """POWER: the output power of random lasers alone, and with its derivatives by ten parameters."""
    bench = jr.Experiment(lasers.laser(), jr.Steady(), {"power": jr.OutputPower("cavity")})
    batch = put(lasers.draw(lanes), "float64")

    def value_error(found: dict[str, jax.Array]) -> float:
        return largest(np.abs(np.asarray(found["power"]) / lasers.output_power(lasers.draw(lanes)) - 1))

    def slope_error(found: tuple) -> float:
        slopes = {name: np.asarray(slope) for name, slope in found[1]["power"].items()}
        return largest(_slope_error(at(slopes, i), at(batch, i)) for i in sample(lanes))

    value, both = lambda: bench(batch), lambda: bench.value_and_grad(batch, wrt=WRT)
    return [
        Case("POWER", "value", "float64", lanes, in_precision("float64", value), value_error),
        Case("POWER", "value and gradient", "float64", lanes, in_precision("float64", both), slope_error),
    ]


def _slope_error(found: dict[str, float], theta: dict[str, float]) -> float:
    """Largest relative error of a laser's derivatives."""
    exact = exact_slopes(theta)
    return largest(abs(found[name] / exact[name] - 1) for name in WRT)


def exact_slopes(theta: dict[str, float]) -> dict[str, Any]:
    """Derivatives of a laser's output power, of the closed form by the complex step, which is exact to rounding."""
    whole, step = {**lasers.laser().parameters(), **theta}, 1e-30j

    def slope(name: str) -> float:
        moved = {**whole, name: whole[name] * (1 + step)}
        return float(np.imag(lasers.output_power(moved)) / (whole[name] * step.imag))

    return {name: slope(name) for name in WRT}
