"""Amplifiers: light of both directions with its noise (A1), its derivatives (A1G), and signals alone (A2)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from scipy.optimize import root_scalar

import jaxrate as jr
from benchmarks import erbium, grids
from benchmarks.amplifier_peers import marched
from benchmarks.ensembles import in_precision, largest
from benchmarks.erbium import Amplifier
from benchmarks.grids import FINE, JUDGED
from benchmarks.measure import Case, Reading, read
from benchmarks.stiff import ROUNDS
from jaxrate.constants import h

Solver = Callable[[dict[str, Any]], Mapping[str, Any]]
"""Output powers of the signals, `wdm`, from parameters."""
CLOSED, LOSSY = "jaxrate, no loss: closed form", "jaxrate, 3 dB/km: direct integration"
WRT = ("length", "pump.power", "line.B")
"""What the output powers are differentiated by."""
STEP = 1e-3
"""Of the finite differences, of fourth order, over the parameter."""
JUDGED_SLOPES, JUDGED_SIGNALS = 8, 24
REFERENCE_RTOL = 1e-13
"""Of the integration that signals with a background loss are compared with."""


def both_ways(lanes: int) -> list[Case]:
    """A1: output powers of pump, signals and noise of both directions of random amplifiers."""
    ahead, back = jr.ChannelPower("ase"), jr.ChannelPower("ase", direction=-1)
    each = {"pump": jr.ChannelPower("pump"), "wdm": jr.ChannelPower("wdm"), "ahead": ahead, "back": back}
    bench, theta = jr.Experiment(erbium.fibre()[0], erbium.amplifier(), each), erbium.draw(lanes)
    call = told(lambda: powers(bench(theta)))
    return [Case("A1", "jaxrate", "float64", lanes, in_precision("float64", call), signal_error, rounds=ROUNDS)]


def powers(found: Mapping[str, Any]) -> np.ndarray:
    """Those of all groups, shape (channel, lane)."""
    rows = [np.asarray(values) for values in found.values()]
    return np.concatenate([row[None] if row.ndim == 1 else row for row in rows])


def told(call: Callable[[], np.ndarray]) -> Callable[[], Reading]:
    """The call of output powers (channel, lane), with the time of an amplifier and the error of the noise."""

    def with_facts() -> Reading:
        reading = read(call)
        lane = reading.seconds / reading.output.shape[-1]
        noise = float(np.max(_errors(reading.output)[1 + erbium.WDM.size :]))
        return replace(reading, facts={"lane_seconds": lane, "noise_error": noise})

    return with_facts


def signal_error(found: np.ndarray) -> float:
    """Largest relative error of pump and signals among the first amplifiers."""
    return float(np.max(_errors(found)[: 1 + erbium.WDM.size]))


def _errors(found: np.ndarray) -> np.ndarray:
    return grids.relative_errors(found[:, :JUDGED])


def gradients(lanes: int) -> list[Case]:
    """A1G: output powers of the signals alone, and with their derivatives by length, pump and B."""
    bench = jr.Experiment(erbium.fibre()[0], erbium.amplifier(), {"wdm": jr.ChannelPower("wdm")})
    theta = erbium.draw(lanes) | {"line.B": np.full(lanes, bench.parameters()["line.B"])}
    few = {name: values[..., :JUDGED_SLOPES] for name, values in theta.items()}

    def error(found: tuple) -> float:
        value, slopes = found[0]["wdm"], found[1]["wdm"]
        return largest(slope_error(bench, few, name, np.asarray(value), np.asarray(slopes[name])) for name in WRT)

    def value_error(found: dict[str, Any]) -> float:
        exact = grids.leaving(few["length"].size, FINE)[1 : 1 + erbium.WDM.size]
        return float(np.max(np.abs(np.asarray(found["wdm"])[:, :JUDGED_SLOPES] / exact - 1)))

    known: dict[str, Any] = {"rounds": ROUNDS}
    return [
        Case("A1G", "value", "float64", lanes, in_precision("float64", lambda: bench(theta)), value_error, **known),
        Case(
            "A1G",
            "value and gradient",
            "float64",
            lanes,
            in_precision("float64", lambda: bench.value_and_grad(theta, wrt=WRT)),
            error,
            **known,
        ),
    ]


def slope_error(bench: Solver, theta: dict[str, Any], name: str, value: np.ndarray, slope: np.ndarray) -> float:
    """Largest deviation of logarithmic derivatives (channel, lane) from finite differences, those below 1 over 1."""
    lanes = theta[name].size
    shifts = np.array([1, -1, 2, -2])
    moved = {other: np.repeat(values[..., None, :], 4, axis=-2) for other, values in theta.items()}
    moved[name] = moved[name] * (1 + STEP * shifts[:, None])
    found = np.asarray(bench(moved)["wdm"])
    wanted = (8 * (found[:, 0] - found[:, 1]) - (found[:, 2] - found[:, 3])) / (12 * STEP) / value[:, :lanes]
    own = slope[:, :lanes] * theta[name] / value[:, :lanes]
    return float(np.max(np.abs(own - wanted) / np.maximum(np.abs(wanted), 1)))


def signals(lanes: int) -> list[Case]:
    """A2: gain of the signals without noise: two levels without loss, and with a background loss."""
    return [_signals(CLOSED, lanes, 0.0, saleh), _signals(LOSSY, lanes, erbium.LOSS, _integrated)]


def _signals(name: str, lanes: int, loss: float, exact: Callable[[Amplifier], np.ndarray]) -> Case:
    amplifier = erbium.amplifier(noise=False, loss=loss)
    bench = jr.Experiment(erbium.fibre()[0], amplifier, {"gain": jr.ChannelGain("wdm")})
    theta = erbium.draw(lanes)

    def call() -> Reading:
        reading = read(lambda: np.asarray(bench(theta)["gain"]))
        return replace(reading, facts={"lane_seconds": reading.seconds / lanes})

    def error(found: np.ndarray) -> float:
        few = min(lanes, JUDGED_SIGNALS)
        wanted = np.stack([gains(_silent(i, loss), exact) for i in range(few)], axis=-1)
        return float(np.max(np.abs(found[:, :few] / wanted - 1)))

    return Case("A2", name, "float64", lanes, in_precision("float64", call), error, rounds=ROUNDS)


@cache
def _silent(lane: int, loss: float) -> Amplifier:
    """One of the amplifiers, without noise."""
    return Amplifier(erbium.lane_of(erbium.draw(lane + 1), lane), noise=False, loss=loss)


def gains(amplifier: Amplifier, exact: Callable[[Amplifier], np.ndarray]) -> np.ndarray:
    """Of the signals, shape (channel,)."""
    return (exact(amplifier) / amplifier.launched)[1:]


def saleh(amplifier: Amplifier) -> np.ndarray:
    r"""Output powers without loss, shape (channel,), from the mean excited fraction u, which all photons account for.

    $\zeta L u = \sum_k q_k (1 - e^{[(\alpha_k + g^*_k)u - \alpha_k]L})$ with $q_k$ the photons that enter.
    """
    length, quantum = float(amplifier.theta["length"]), h * amplifier.frequency

    def growth(u: float) -> np.ndarray:
        return ((amplifier.alpha + amplifier.gain) * u - amplifier.alpha) * length

    def balance(u: float) -> float:
        return amplifier.zeta * length * u + float(np.sum(amplifier.launched / quantum * np.expm1(growth(u))))

    excited = root_scalar(balance, bracket=(0.0, 1.0), xtol=1e-16, rtol=1e-15).root
    return amplifier.launched * np.exp(growth(excited))


def _integrated(amplifier: Amplifier) -> np.ndarray:
    return marched(amplifier, REFERENCE_RTOL, np.array([1.0]))[:, -1]


def peers(lanes: int) -> list[Case]:
    """What else can do A1."""
    from benchmarks import amplifier_peers

    return amplifier_peers.solvers(lanes, told, signal_error)


JOBS: dict[str, Callable[[int], list[Case]]] = {
    "A1": both_ways,
    "A1G": gradients,
    "GRIDS": grids.grids,
    "A2": signals,
}
