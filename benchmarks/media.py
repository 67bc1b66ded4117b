"""The media that are timed and the ensembles that are drawn for them: plain numbers, so that a reference can read them.

Ensembles of the four-level medium are drawn by their rates, each log-uniform over two decades, and stated by what a
user varies: B and the intensity follow from spontaneous and stimulated emission.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import isqrt, pi
from typing import Any

import numpy as np

import jaxrate as jr
from jaxrate.constants import c, h

FREQUENCY = 2.817e14  # Hz
FWHM = 1.2e11  # Hz
INDEX = 1.82
DENSITY = 1.4e26  # m^-3
SEED = 20240517

RATES = {  # s^-1, lowest value; the highest is 100 times that. In the order in which the C program takes them.
    "pump.rate": 1e0,
    "relax.rate": 1e7,
    "spontaneous": 1e2,
    "empty.rate": 1e6,
    "stimulated": 1e-2,
    "quench.rate": 1e1,
}
DECADES = 2
VARIED = ("pump.rate", "relax.rate", "laser.B", "quench.rate", "empty.rate", "signal.intensity")


@cache
def four_level() -> jr.Model:
    """Pump 0 -> 3, relaxation 3 -> 2, laser line 2 -> 1 in a beam, quenching 2 -> 0, emptying 1 -> 0."""
    middle = {name: float(value) for name, value in _as_parameters({n: 10 * low for n, low in RATES.items()}).items()}
    return jr.Model(
        levels=[jr.Level(name) for name in "0123"],
        processes=[
            jr.Pump("pump", "0 -> 3", rate=middle["pump.rate"]),
            jr.Decay("relax", "3 -> 2", rate=middle["relax.rate"]),
            jr.Radiative(
                "laser", "2 -> 1", B=middle["laser.B"], frequency=FREQUENCY, lineshape=jr.Lorentzian(FWHM), n=INDEX
            ),
            jr.Decay("quench", "2 -> 0", rate=middle["quench.rate"]),
            jr.Decay("empty", "1 -> 0", rate=middle["empty.rate"]),
            jr.Beam("signal", drives="laser", intensity=middle["signal.intensity"]),
        ],
        density=DENSITY,
    )


def _as_parameters(rates: Mapping[str, Any]) -> dict[str, Any]:
    """What a user states in place of A21 and W: B, and the intensity [W m^-2] at line centre."""
    A, W = rates["spontaneous"], rates["stimulated"]
    cross_section = A * c**2 / (8 * pi * (INDEX * FREQUENCY) ** 2) * 2 / (pi * FWHM)
    stated = {
        "laser.B": jr.einstein.B_from_A(A, FREQUENCY, n=INDEX),
        "signal.intensity": W * h * FREQUENCY / cross_section,
    }
    return {name: stated[name] if name in stated else rates[name] for name in VARIED}


def draw_rates(lanes: int) -> dict[str, np.ndarray]:
    """Rates of random ensembles [s^-1], each of shape (lane,); the same ones every time."""
    rng = np.random.default_rng(SEED)
    return {name: low * 10 ** rng.uniform(0, DECADES, lanes) for name, low in RATES.items()}


def draw_parameters(lanes: int) -> dict[str, np.ndarray]:
    """The parameters of the same ensembles: the six that `VARIED` names."""
    return _as_parameters(draw_rates(lanes))


def grid_shape(lanes: int) -> tuple[int, int]:
    """Two axes with about that many ensembles."""
    return isqrt(lanes), lanes // isqrt(lanes)


def map_axes(lanes: int) -> dict[str, np.ndarray]:
    """Pump rate and intensity of a map, evenly spaced in their logarithms."""
    return _axes(lanes, lambda num: np.linspace(0, 1, num))


def quadrature_axes(lanes: int) -> dict[str, np.ndarray]:
    """The same ranges at Chebyshev's points, whose plain mean is that of any other number of such points.

    That holds to 1e-35 from 40 points on, because the steady state is analytic in the logarithm of a rate: so the
    mean of 10^8 ensembles is known from the exact solution of 1600.
    """
    return _axes(lanes, lambda num: 0.5 - 0.5 * np.cos(pi * (np.arange(num) + 0.5) / num))


def volume_axes(lanes: int) -> dict[str, np.ndarray]:
    """A third axis, the density, to which a gain is proportional: the mean is that of the plane at the mean density."""
    third = max(1, round(lanes ** (1 / 3)))
    return {
        **quadrature_axes(lanes // third),
        "density": four_level().parameters()["density"] * np.linspace(0.5, 2, third),
    }


def _axes(lanes: int, spacing: Callable[[int], np.ndarray]) -> dict[str, np.ndarray]:
    model, names = four_level().parameters(), ("pump.rate", "signal.intensity")
    return {
        name: model[name] / 10 * 10 ** (DECADES * spacing(num))
        for name, num in zip(names, grid_shape(lanes), strict=True)
    }


@dataclass(frozen=True)
class Step:
    """A process of the large medium: a rate [s^-1] from one level down to another."""

    label: str
    upper: int
    lower: int
    rate: float


@dataclass(frozen=True)
class Large:
    """A medium of 40 levels with 160 processes: a ladder of lines, collisions, decays, a pump and a beam.

    Attributes:
        lines: Radiative, between neighbours, by their A.
        collisions: Tied to their reverse by detailed balance.
        decays: One way.
        energies: Of the levels, as frequencies [Hz].
        degeneracies: Of the levels.
        driven: The line in the beam.
        intensity: Of the beam [W m^-2].
        temperature: Of the bath [K].
    """

    lines: tuple[Step, ...]
    collisions: tuple[Step, ...]
    decays: tuple[Step, ...]
    energies: tuple[float, ...]
    degeneracies: tuple[int, ...]
    driven: int = 20
    intensity: float = 1e-3
    temperature: float = 300.0


@cache
def large(num_levels: int = 40, num_collisions: int = 60, num_decays: int = 59) -> Large:
    """Rates drawn once and for all over three decades."""
    rng = np.random.default_rng(SEED)

    def steps(kind: str, pairs: list[tuple[int, int]], low: float) -> tuple[Step, ...]:
        rates = low * 10 ** rng.uniform(0, 3, len(pairs))
        return tuple(
            Step(f"{kind}{i}", *pair, float(rate)) for i, (pair, rate) in enumerate(zip(pairs, rates, strict=True))
        )

    pairs = [(upper, lower) for upper in range(num_levels) for lower in range(upper)]
    chosen = [pairs[i] for i in rng.choice(len(pairs), num_collisions + num_decays, replace=False)]
    return Large(
        lines=steps("line", [(u, u - 1) for u in range(1, num_levels)], 1e2),
        collisions=steps("collision", chosen[:num_collisions], 1e3),
        decays=steps("decay", chosen[num_collisions:], 1e1),
        energies=tuple(0.5e12 * level for level in range(num_levels)),
        degeneracies=tuple(1 + level % 4 for level in range(num_levels)),
    )


@cache
def of_levels(num_levels: int) -> Large:
    """A medium of that kind with fewer levels: half as many collisions more than levels, as many decays, a beam."""
    pairs = num_levels * (num_levels - 1) // 2
    collisions = min(3 * num_levels // 2, pairs // 2)
    decays = min(3 * num_levels // 2 - 1, pairs - collisions)
    return replace(large(num_levels, collisions, decays), driven=min(num_levels // 2, num_levels - 2))


@cache
def large_model(medium: Large | None = None) -> jr.Model:
    """The large medium, or another of its kind, as a user states it."""
    medium = medium or large()
    top, shape = len(medium.energies) - 1, jr.Lorentzian(FWHM)
    lines = [jr.Radiative(s.label, f"{s.upper} -> {s.lower}", A=s.rate, lineshape=shape) for s in medium.lines]
    return jr.Model(
        levels=[
            jr.Level(str(i), energy=f"{nu!r} Hz", g=g)
            for i, (nu, g) in enumerate(zip(medium.energies, medium.degeneracies, strict=True))
        ],
        processes=[
            jr.Pump("pump", f"0 -> {top}", rate=1.0),
            *lines,
            *(jr.Collision(s.label, f"{s.upper} -> {s.lower}", rate=s.rate) for s in medium.collisions),
            *(jr.Decay(s.label, f"{s.upper} -> {s.lower}", rate=s.rate) for s in medium.decays),
            jr.Beam("signal", drives=lines[medium.driven].label, intensity=medium.intensity),
        ],
        temperature=medium.temperature,
    )
