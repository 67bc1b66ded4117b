"""The transient: populations from the ground state on, with the model's own pump and light."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from jaxrate.cli import results, timing
from jaxrate.model.model import Model
from jaxrate.plot import populations
from jaxrate.plot.axes import typeset
from jaxrate.solve.solution import Solution
from jaxrate.solve.start import ground_level
from jaxrate.solve.status import Status
from jaxrate.solve.transient import evolve
from jaxrate.unit_text import pretty

BEYOND = 1.5
"""How much longer the picture is than the populations move."""


def transient(model: Model, fixed: Mapping[str, float], directory: Path) -> dict[Path, str]:
    """Print how long the steady state takes, and draw the way there."""
    start, losses = ground(model), timing.losses(model, fixed)
    if not losses.any():
        return _no_picture("no process is on")
    long = timing.ladder(model, fixed, _filled(start), float(losses.max()))
    if long.status != Status.OK:
        return _no_picture(Status(int(long.status)).message)
    settling = timing.settling(long)
    if not settling.any():
        return _no_picture(f"from {_listed(start)} on nothing changes")
    _print(model, start, settling)
    figure = _draw(model, fixed, start, [_Panel(model, s, losses, settling, long) for s in model.species])
    file = directory / "transient.png"
    results.save_figure(figure, file)
    return {file: "populations against time, from the ground state on"}


def ground(model: Model) -> dict[str | None, str]:
    """The level of least energy of each species; where not every level states its energy, the first."""
    return {species: ground_level(model, species)[0].full_name for species in model.species}


def _no_picture(why: str) -> dict[Path, str]:
    print(f"\nNo transient: {why}.")
    return {}


def _listed(start: Mapping[str | None, str]) -> str:
    return ", ".join(f"`{level}`" for level in start.values())


def _print(model: Model, start: dict[str | None, str], settling: np.ndarray) -> None:
    time = pretty(float(f"{settling.max():.2g}"), "s")
    print(f"\nFrom {_listed(start)} the steady state is reached, to {100 * timing.SETTLED:.3g} %, after {time}.")
    if any(level.joules is None for level in model.levels):
        print("  Not every level states its energy: without, the first one stated counts as the ground state.")


def _filled(start: Mapping[str | None, str]) -> dict[str, float]:
    return dict.fromkeys(start.values(), 1.0)


class _Panel:
    """What is drawn of one species.

    Attributes:
        names: Its levels.
        times: From its fastest process on until its populations stay as they are.
        steady: Its last populations.
        moves: Whether anything happens.
    """

    def __init__(
        self, model: Model, species: str | None, losses: np.ndarray, settling: np.ndarray, long: Solution
    ) -> None:
        own = [i for i, level in enumerate(model.levels) if level.species == species]
        self.names, self.steady = [model.level_names[i] for i in own], [float(long.populations[i, -1]) for i in own]
        self.moves = bool(settling[own].any())
        if self.moves:
            self.times = timing.shown(timing.FIRST / float(losses[own].max()), BEYOND * float(settling[own].max()))


def _draw(model: Model, fixed: Mapping[str, float], start: dict[str | None, str], panels: list[_Panel]) -> Figure:
    moving = [panel for panel in panels if panel.moves]
    figure = Figure(figsize=(6.4, 0.6 + 3.2 * len(moving)), dpi=150, layout="constrained")
    for i, panel in enumerate(moving):
        ax = figure.add_subplot(len(moving), 1, i + 1)
        path = evolve(model, fixed, panel.times, start=_filled(start))
        populations(path, panel.names, steady=panel.steady, ax=ax)
        first = next(name for name in panel.names if name in start.values())
        ax.set_title(typeset(f"from {first}"), fontsize="medium")
    return figure
