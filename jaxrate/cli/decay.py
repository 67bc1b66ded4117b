"""The fluorescence after pump and light are switched off, and its lifetimes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from jaxrate.cli import results, timing
from jaxrate.cli.readings import Readings, lines, table
from jaxrate.model.fields import Beam
from jaxrate.model.model import Model
from jaxrate.model.processes import Pump
from jaxrate.observe.decay import mean_time
from jaxrate.plot import decay as draw_decay
from jaxrate.plot.transients import fall_time
from jaxrate.solve.solution import Solution
from jaxrate.solve.status import Status
from jaxrate.solve.transient import evolve
from jaxrate.unit_text import pretty

LIFETIMES = 5
"""Of the slowest light, that a picture shows."""
ALIKE = 10.0
"""Up to this ratio lifetimes share a panel."""
NOISE = 1e-9
"""Share of the light below which a difference from the last is rounding."""


@dataclass(frozen=True)
class Fading:
    """Light of one upper level after pump and light are off.

    Attributes:
        level: The upper level.
        labels: Its lines.
        e_time: When what fades has fallen to 1/e [s].
        mean_time: Mean time of emission of what fades [s].
        rest: What is left in the end, over the first value.
    """

    level: str
    labels: list[str]
    e_time: float
    mean_time: float
    rest: float


def decay(model: Model, readings: Readings, fixed: Mapping[str, float], directory: Path) -> dict[Path, str]:
    """Print the lifetimes, and draw the decay."""
    if readings.status != Status.OK:
        return _no_picture("there is no steady state that it could start from")
    labels, dark = _shining(model, readings), switched_off(model)
    off = {name: value for name, value in fixed.items() if name in dark.parameters() and not _drives(model, name)}
    if not labels:
        return _no_picture("in the steady state no line emits light")
    rate = float(timing.losses(dark, off).max())
    start = {level: max(readings.values["population", level], 0.0) for level in model.level_names}
    long = timing.ladder(dark, off, start, rate)
    if long.status != Status.OK:
        return _no_picture(Status(int(long.status)).message)
    found = [fading for level, own in labels.items() if (fading := _fading(long, level, own))]
    if not found:
        return _no_picture("light stays as it is when pump and beams are off")
    _print(readings, found)
    return _draw(dark, off, start, found, directory / "decay.png")


def _shining(model: Model, readings: Readings) -> dict[str, list[str]]:
    """Labels of the lines that emit light in the steady state, by their upper level."""
    found: dict[str, list[str]] = {}
    for line in lines(model):
        upper = model.ends(line)[0].full_name
        if readings.values["population", upper] > timing.SMALL and readings.values["A", line.label] > 0:
            found.setdefault(upper, []).append(line.label)
    return found


def switched_off(model: Model) -> Model:
    """The model without its pumps and beams."""
    for process in model.processes:
        if isinstance(process, Pump):
            model = model.with_process(replace(process, rate=0.0))
        elif isinstance(process, Beam):
            model = model.with_process(replace(process, intensity=0.0))
    return model


def _drives(model: Model, name: str) -> bool:
    """Whether a parameter is the strength of a pump or a beam."""
    pumps = [f"{p.label}.rate" for p in model.processes if isinstance(p, Pump)]
    return name in pumps or name in [f"{p.label}.intensity" for p in model.processes if isinstance(p, Beam)]


def _no_picture(why: str) -> dict[Path, str]:
    print(f"\nNo decay of fluorescence: {why}.")
    return {}


def _fading(path: Solution, level: str, labels: list[str]) -> Fading | None:
    """Lifetimes of what fades of the light of a level; None where nothing does."""
    n = np.asarray(path[level])
    part = (n - n[-1]) / n[0]
    if abs(part[0]) < NOISE:
        return None
    part = np.where(part / part[0] > NOISE, part / part[0], 0.0)
    mean = float(mean_time(path.times, part[:, None])[0])
    return Fading(level, labels, fall_time(path.times, part), mean, float(n[-1] / n[0]))


def _print(readings: Readings, found: list[Fading]) -> None:
    print("\nFluorescence after pump and beams are switched off, beside the lifetime of the level alone:")
    rows = [("level", "1/e after", "mean time", "lifetime", "lines")]
    for fading in found:
        alone = readings.values["lifetime", fading.level]
        after, mean, alone = (pretty(t, "s") if isfinite(t) else "" for t in (fading.e_time, fading.mean_time, alone))
        rows.append((fading.level, after, mean, alone, ", ".join(fading.labels)))
    print(table(rows))
    for fading in found:
        if fading.rest > timing.SETTLED:
            print(f"  Of {fading.level} {fading.rest:.3g} of the light remains; the times are those of the change.")


def _draw(dark: Model, fixed: dict, start: dict, found: list[Fading], file: Path) -> dict[Path, str]:
    """Lifetimes that are alike in one panel."""
    panels = _alike(found)
    figure = Figure(figsize=(5.6, 3.6 * len(panels) + 0.2 * len(found)), dpi=150, layout="constrained")
    for k, panel in enumerate(panels):
        last = LIFETIMES * max(fading.mean_time for fading in panel)
        path = evolve(dark, fixed, last * np.linspace(0.0, 1.0, timing.NUM) ** 2, start=start)
        ax = figure.add_subplot(len(panels), 1, k + 1)
        draw_decay(path, [label for fading in panel for label in fading.labels], ax=ax)
    results.save_figure(figure, file)
    return {file: "decay of the fluorescence, pump and beams off"}


def _alike(found: list[Fading]) -> list[list[Fading]]:
    panels: list[list[Fading]] = []
    for fading in sorted(found, key=lambda f: -f.mean_time):
        if panels and panels[-1][0].mean_time <= ALIKE * fading.mean_time:
            panels[-1].append(fading)
        else:
            panels.append([fading])
    return [sorted(panel, key=found.index) for panel in panels]
