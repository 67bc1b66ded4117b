"""Media that several tests share; one object each, so that each program is compiled once."""

from functools import cache
from typing import Any

import numpy as np

import jaxrate as jr


def laser(reaction: str) -> jr.Radiative:
    """The 1064 nm line of Nd:YAG, between whatever levels."""
    return jr.Radiative(
        "laser",
        reaction,
        cross_section="2.8e-19 cm^2",
        wavelength="1064.15 nm",
        lineshape=jr.Lorentzian(fwhm="120 GHz"),
        n=1.82,
    )


def three_level(**changes: Any) -> jr.Model:
    """The same line in a medium that is pumped from below; rates and whatever else a model states may be others."""
    empty = changes.pop("empty", "3e7 s^-1")
    return jr.Model(
        levels=[jr.Level(name, g=g) for name, g in (("4I9/2", 10), ("4I11/2", 12), ("4F3/2", 4))],
        processes=[
            jr.Pump("pump", "4I9/2 -> 4F3/2", rate="100 s^-1"),
            laser("4F3/2 -> 4I11/2"),
            jr.Decay("to ground", "4F3/2 -> 4I9/2", rate="2900 s^-1"),
            jr.Decay("empty", "4I11/2 -> 4I9/2", rate=empty),
            jr.Beam("signal", drives="laser", intensity="0 W/cm^2"),
        ],
        density="1.38e26 m^-3",
        temperature="300 K",
        **changes,
    )


@cache
def four_level() -> jr.Model:
    """Pump, relaxation, laser line with quenching and a beam, emptying: the medium of benchmark J1."""
    return jr.Model(
        levels=[
            jr.Level("0", energy="0 cm^-1", g=10),
            jr.Level("1", energy="2111 cm^-1", g=12),
            jr.Level("2", energy="11507 cm^-1", g=4),
            jr.Level("3", energy="12370 cm^-1", g=6),
        ],
        processes=[
            jr.Pump("pump", "0 -> 3", rate="100 s^-1"),
            jr.Decay("relax", "3 -> 2", rate="1e9 s^-1"),
            laser("2 -> 1"),
            jr.Decay("quench", "2 -> 0", rate="2900 s^-1"),
            jr.Decay("empty", "1 -> 0", rate="3e7 s^-1"),
            jr.Beam("signal", drives="laser", intensity="1e7 W/m^2"),
        ],
        density="1.38e26 m^-3",
    )


@cache
def ring() -> jr.Model:
    """Three levels and all six transitions between them: any may be zero."""
    levels = [jr.Level(name) for name in "abc"]
    return jr.Model(levels, [jr.Decay(f"{i}{j}", f"{i} -> {j}", rate=1.0) for i in "abc" for j in "abc" if i != j])


def ring_rates(rng: np.random.Generator, *shape: int) -> dict[str, np.ndarray]:
    """Random values of all its parameters."""
    return {name: 10.0 ** rng.uniform(-3, 3, shape) for name in ring().parameters()}
