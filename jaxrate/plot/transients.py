"""Plots against time: populations, and the decay of fluorescence."""

from collections.abc import Iterable, Sequence
from math import e
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxrate.model.model import Model
from jaxrate.model.processes import Radiative
from jaxrate.plot.axes import axes, is_logarithmic, labelled, readable, spans_decades, typeset
from jaxrate.solve.solution import Solution
from jaxrate.unit_text import pretty

FLOOR = 1e-12
"""Share of the largest population below which a logarithmic axis ends."""
FADED = 3e-3
"""Share of its first value below which fluorescence is not shown."""
PREFIXES = {0: "s", -3: "ms", -6: "µs", -9: "ns", -12: "ps", -15: "fs"}
COLOURS = 10
"""Colours of the cycle; when they are used up the style of the line changes."""
STYLES = ("-", "--", "-.", ":", (0, (1, 4)))
EVENLY = 50
"""Moments by which a linear axis of times decides whether populations span decades: none of the first few alone."""


def populations(
    path: Solution,
    levels: Iterable[str] | None = None,
    *,
    steady: Sequence[float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Populations of one ensemble against time.

    Times that are spaced logarithmically are drawn so, and populations that span decades; these down to 1e-12 of the
    largest.

    Args:
        path: What `jr.evolve` returned for one ensemble.
        levels: Which levels; by default all.
        steady: Populations that they tend to, in the order of the levels drawn: dashed lines.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: a steady state, a batch, or no level of that name.
    """
    check_path(path)
    levels = path.model.level_names if levels is None else tuple(levels)
    values = np.array([path[name] for name in levels])
    factor = time_axis(ax := axes(ax), path.times)
    for i, (name, n) in enumerate(zip(_short(path.model, levels), values, strict=True)):
        style = STYLES[i // COLOURS % len(STYLES)]
        ax.plot(path.times * factor, n, color=f"C{i % COLOURS}", linestyle=style, label=typeset(name))
    for i, n in enumerate(() if steady is None else steady):
        ax.axhline(n, color=f"C{i % COLOURS}", linestyle="--", linewidth=0.7)
    _population_axis(ax, path.times, values)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return ax


def check_path(path: Solution) -> None:
    """Refuse what is no path of one ensemble."""
    if path.times is None:
        raise ValueError("A plot against time must be of a path in time, jr.evolve(...), not of a steady state.")
    if np.ndim(path.populations) != 2:
        raise ValueError(
            f"A plot against time must be of one ensemble, but a batch of shape {np.shape(path.status)} was given: "
            "call jr.evolve with one value of each parameter."
        )


def _short(model: Model, names: Sequence[str]) -> list[str]:
    """Names in a legend: without the species where all are of one."""
    levels = [model.levels[model.index(name)] for name in names]
    alone = len({level.species for level in levels}) == 1
    return [level.name if alone else level.full_name for level in levels]


def time_axis(ax: Axes, times: Any) -> float:
    """Name and scale the axis of times, and return what a time in seconds is multiplied by: decades are in seconds."""
    decades = is_logarithmic(np.asarray(times)[np.asarray(times) > 0])
    power = 0 if decades else max((p for p in PREFIXES if 10.0**p <= times[-1]), default=min(PREFIXES))
    ax.set_xlabel(labelled("time", PREFIXES[power]))
    ax.set_xscale("log" if decades else "linear")
    ax.margins(x=0)
    ax.grid(True, alpha=0.25)
    return 10.0**-power


def _population_axis(ax: Axes, times: Any, values: np.ndarray) -> None:
    ax.set_ylabel("population")
    if ax.get_xscale() == "linear":
        even = np.linspace(times[0], times[-1], EVENLY)
        values = np.array([np.interp(even, times, n) for n in values])
    largest = float(np.max(values))
    seen = values[values > FLOOR * largest]
    if seen.size and spans_decades(seen):
        ax.set_yscale("log")
        ax.set_ylim(max(FLOOR * largest, float(np.min(seen)) / 2), 2 * largest)
    readable(ax)


def decay(path: Solution, lines: Iterable[str] | None = None, *, ax: Axes | None = None) -> Axes:
    """Fluorescence of one ensemble against time, each line's over its own first value.

    Lines of one upper level share a curve; the legend tells after what time it has fallen to 1/e.

    Args:
        path: What `jr.evolve` returned for one ensemble, for example from a steady state on with the pump at zero.
        lines: Labels of the `Radiative` to draw; by default all that emit light at the first time.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: a steady state, a batch, no such line, or none that emits light at the first time.
    """
    check_path(path)
    lit = _lit(path, lines)
    light = [_fluorescence(path, level) for level in lit]
    factor = time_axis(ax := axes(ax), path.times)
    for i, ((level, labels), values) in enumerate(zip(lit.items(), light, strict=True)):
        name = typeset(f"{level} ({', '.join(labels)}){_fall(path.times, values)}")
        # Dashes let curves that coincide be seen.
        ax.plot(path.times * factor, values, f"C{i % COLOURS}", linestyle=STYLES[i % len(STYLES)], label=name)
    _light_axis(ax, np.array(light))
    return ax


def _lit(path: Solution, lines: Iterable[str] | None) -> dict[str, list[str]]:
    """Labels of the lines by their upper level."""
    model = path.model
    labels = _labels(model) if lines is None else list(lines)
    found: dict[str, list[str]] = {}
    for label in labels:
        upper = model.ends(model.radiative(label))[0].full_name
        if path[upper][0] > 0:
            found.setdefault(upper, []).append(label)
    if not found:
        named = ", ".join(f"`{label}`" for label in labels)
        raise ValueError(f"A decay must start with light, but none of {named or 'no lines'} emits light at first.")
    return found


def _labels(model: Model) -> list[str]:
    return [p.label for p in model.processes if isinstance(p, Radiative)]


def _fluorescence(path: Solution, level: str) -> np.ndarray:
    """Of a line it goes as the population of its upper level."""
    n = np.asarray(path[level])
    return n / n[0]


def _fall(times: Any, light: np.ndarray) -> str:
    time = fall_time(np.asarray(times), light)
    return f": 1/e after {pretty(float(f'{time:.4g}'), 's')}" if np.isfinite(time) else ""


def fall_time(times: np.ndarray, light: np.ndarray) -> float:
    """Time after the first one at which light has fallen to 1/e of its first value [s], NaN if it has not."""
    below = np.flatnonzero(light < light[0] / e)
    if not below.size:
        return np.nan
    last, first = below[0] - 1, below[0]
    drop = np.log(light[last] / np.maximum(light[first], np.finfo(float).tiny))
    part = np.log(light[last] * e / light[0]) / drop
    return float(times[last] + part * (times[first] - times[last]) - times[0])


def _light_axis(ax: Axes, values: np.ndarray) -> None:
    ax.set_ylabel("fluorescence, relative to the start")
    if np.min(values) < 1 / e:
        ax.axhline(1 / e, color="0.5", linestyle=":", linewidth=1.0)
        ax.text(0.99, 1 / e, "1/e", color="0.4", ha="right", va="bottom", transform=ax.get_yaxis_transform())
        ax.set_yscale("log")
        ax.set_ylim(FADED, 1.3 * np.max(values))
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False)
