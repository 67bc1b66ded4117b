"""What follows from a statement without solving it: rates, lifetimes and cross-sections at the stated parameters."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from jaxrate.constants import k
from jaxrate.expr import Expr
from jaxrate.model.exchange import Exchange
from jaxrate.model.processes import Collision, Decay, Process, Radiative
from jaxrate.model.strength import epsilon, spectra
from jaxrate.physics import einstein, spectrum, thermal

if TYPE_CHECKING:
    from jaxrate.model.levels import Level
    from jaxrate.model.model import Model


def known_values(model: "Model", changed: Mapping[str, float] | None = None) -> dict[str, float]:
    """SI value of every parameter that is a number, or an expression of such; not of a Python function.

    Args:
        model: The statement.
        changed: Values in SI units that take the place of stated ones; expressions of them follow.
    """
    values, waiting = model.parameters() | dict(changed or {}), model.derived()
    while ready := {n: e for n, e in waiting.items() if isinstance(e, Expr) and set(e.names) <= values.keys()}:
        values |= {name: float(expression(values)) for name, expression in ready.items()}
        waiting = {name: rule for name, rule in waiting.items() if name not in ready}
    return values


def total_rate(model: "Model", level: str, values: dict[str, float]) -> float:
    """Rate at which a level empties without pump and light [s^-1]: decays, emission, collisions both ways, exchange.

    Args:
        model: The statement.
        level: Name of the level.
        values: Of `known_values`.

    Returns:
        The rate; NaN where a process depends on what is not known.
    """
    here, total = model.levels[model.index(level)], 0.0
    for process in model.processes:
        wanted = isinstance(process, Decay | Radiative | Collision) and model.joins_levels(process)
        if wanted and here in model.ends(process):
            total += rates(process, model, values)[model.ends(process).index(here)]
        if isinstance(process, Exchange):
            total += _exchanged(process, model, here, values)
    return total


def _exchanged(process: Exchange, model: "Model", here: "Level", values: dict[str, float]) -> float:
    """Rate at which an exchange takes atoms from a level to others."""
    shares = {model.levels[model.index(n)]: values.get(name, math.nan) for n, name in process.shares.items()}
    if here.species not in {level.species for level in shares}:
        return 0.0
    others = 1.0 - shares.get(here, 0.0) / sum(shares.values())
    return values.get(f"{process.label}.rate", math.nan) * others


def rates(process: Process, model: "Model", values: dict[str, float]) -> tuple[float, float]:
    """Rates along a reaction "a -> b" and against it, without light [s^-1]; NaN where they are not known."""
    if isinstance(process, Radiative):
        return spontaneous(process, model, values), 0.0
    stated = values.get(f"{process.label}.rate", math.nan)
    return _both_ways(process, model, values) if isinstance(process, Collision) else (stated, 0.0)


def _both_ways(process: Collision, model: "Model", values: dict[str, float]) -> tuple[float, float]:
    names = ("rate",) if process.rate is not None else ("coefficient", "partner_density")
    down = math.prod(values.get(f"{process.label}.{name}", math.nan) for name in names)
    temperature, (upper, lower) = values.get("temperature", math.nan), model.ends(process)
    weights = _partition(upper, temperature), _partition(lower, temperature)
    return down, float(thermal.detailed_balance_rate(down, *weights, model.gap(process), temperature))


def _partition(level: "Level", temperature: float) -> float:
    return sum(g * math.exp(-energy / (k * temperature)) for energy, g in level.sublevels)


def spontaneous(line: Radiative, model: "Model", values: dict[str, float]) -> float:
    """Einstein A of a line [s^-1], from its B and its spontaneous factor; NaN where they are not known."""
    B, frequency, factor = _of_line(line, values, "B", "frequency", "spontaneous_factor")
    if line.measured:
        return factor * spectra(line, model).A * (B / spectra(line, model).B)
    return factor * float(einstein.A_from_B(B, frequency, n=line.n))


def peak_cross_section(line: Radiative, model: "Model", values: dict[str, float]) -> float:
    """Cross-section of emission [m^2] at line centre, or the largest of a measured spectrum; NaN without a shape."""
    B, frequency = _of_line(line, values, "B", "frequency")
    if line.measured:
        return spectra(line, model).peak * (B / spectra(line, model).B)
    try:
        profile = math.nan if line.lineshape is None else line.lineshape.peak(values, line.label)
    except KeyError:  # a width that is a function of the populations
        return math.nan
    return float(einstein.cross_section_emission(B, frequency, profile, line.n))


def fwhm(line: Radiative, model: "Model", values: dict[str, float]) -> float:
    """Full width at half maximum of a line [Hz], as emitted at the model's temperature; NaN where it is not known."""
    if line.measured:
        return _width_of_table(_emission(line, model))
    try:
        return math.nan if line.lineshape is None else line.lineshape.width(values, line.label)
    except KeyError:  # a width that is a function of the populations
        return math.nan


def _emission(line: Radiative, model: "Model") -> spectrum.Spectrum:
    both = spectra(line, model)
    if both.emission is not None:
        return both.emission
    assert both.absorption is not None
    temperature = model.temperature_kelvin(f"McCumber's relation for `{line.label}`")
    return spectrum.mccumber_emission(
        both.absorption, epsilon(both.energy, both.lower, both.upper, temperature), temperature
    )


def _width_of_table(table: spectrum.Spectrum) -> float:
    """FWHM [Hz] around the largest value, between the nearest crossings; NaN where the table ends above half of it."""
    nu, sigma = table.arrays
    peak, half = int(np.argmax(sigma)), sigma.max() / 2
    below = np.flatnonzero(sigma <= half)
    left, right = below[below < peak], below[below > peak]
    if not left.size or not right.size:
        return math.nan
    ends = [np.interp(half, sigma[[i, j]], nu[[i, j]]) for i, j in ((left[-1], left[-1] + 1), (right[0], right[0] - 1))]
    return float(ends[1] - ends[0])


def _of_line(line: Radiative, values: dict[str, float], *names: str) -> tuple[float, ...]:
    return tuple(values.get(f"{line.label}.{name}", math.nan) for name in names)
