"""Time per ensemble against the number of ensembles (SIZES), and against the number of levels (LEVELS)."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks import by_levels, by_size
from benchmarks.ensembles import DTYPES
from benchmarks.exponentials import VMAP_EXPM
from benchmarks.floor import FLOOR
from benchmarks.peers import NUMPY, VMAP, VMAP_GIVEN
from benchmarks.sizes import (
    EXPM_LEVELS,
    PATH_LEVELS,
    PEER_SIZES,
    REMOTE_PATH_SIZES,
    SOLVE_LEVELS,
    STEADY_LEVELS,
    STEADY_SIZES,
)

SIZES_FILE, LEVELS_FILE = "sizes.png", "levels.png"
Run = Mapping[str, Any]
Points = tuple[list[float], list[float]]
"""Across and up."""

SIZE_SERIES = {
    by_size.OURS["J1"]: ("C0", STEADY_SIZES),
    by_size.OURS["J2"]: ("C1", REMOTE_PATH_SIZES),
    VMAP: ("C2", PEER_SIZES),
    NUMPY: ("C3", PEER_SIZES),
}
FLOORS = {"J1": "C0", "J2": "C1"}
"""Jobs that the C program does, and their colours."""
LEVEL_SERIES = (
    {by_levels.STEADY: ("C0", STEADY_LEVELS), VMAP_GIVEN: ("C2", SOLVE_LEVELS), NUMPY: ("C3", SOLVE_LEVELS)},
    {by_levels.PATH: ("C1", PATH_LEVELS), VMAP_EXPM: ("C4", EXPM_LEVELS)},
)
LEVEL_TITLES = ("steady state", "100 evenly spaced times")
STYLES = {"float64": "-", "float32": "--"}


def has_sizes(run: Run) -> bool:
    """Whether a run has anything to draw over the number of ensembles."""
    return _has("SIZES", run)


def has_levels(run: Run) -> bool:
    """Whether a run has anything to draw over the number of levels."""
    return _has("LEVELS", run)


def _has(job: str, run: Run) -> bool:
    return any(entry["job"] == job and not entry["failed"] for entry in run["entries"])


def points(run: Run, job: str, by: str, dtype: str, sizes: Sequence[int], name_of: Callable[[str, int], str]) -> Points:
    """Time per ensemble [s] of one program, at those sizes that the run has."""
    known = {e["name"]: e for e in run["entries"] if (e["job"], e["dtype"]) == (job, dtype) and not e["failed"]}
    found = {size: known[name_of(by, size)] for size in sizes if name_of(by, size) in known}
    return [float(size) for size in found], [1e-9 * e["ns_per_ensemble"]["median"] for e in found.values()]


def draw_sizes(run: Run, target: Path) -> None:
    """Time per ensemble against the number of ensembles as a PNG file."""
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    axes = figure.subplots()
    axes.set(xscale="log", yscale="log", xlabel="number of ensembles in a call", ylabel="time per ensemble [s]")
    axes.grid(alpha=0.3)
    for by, (colour, sizes) in SIZE_SERIES.items():
        for dtype in DTYPES:
            axes.plot(*points(run, "SIZES", by, dtype, sizes, by_size.name_of), **_line(colour, dtype))
    for job, colour in FLOORS.items():
        for dtype, seconds in floors(run, job).items():
            axes.axhline(seconds, color=colour, linewidth=1, linestyle=_dots(dtype))
    figure.legend(handles=_size_legend(run), loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(target, dpi=150)


def floors(run: Run, job: str) -> dict[str, float]:
    """Time per ensemble of the hand-written C by precision [s], where the run has it."""
    own = [e for e in run["entries"] if (e["job"], e["name"]) == (job, FLOOR) and not e["failed"]]
    return {e["dtype"]: 1e-9 * e["ns_per_ensemble"]["median"] for e in own}


def _size_legend(run: Run) -> list[Line2D]:
    """Colours are programs, lines precisions."""
    found = [Line2D([], [], color=colour, marker="o", label=by) for by, (colour, _) in SIZE_SERIES.items()]
    found += [
        Line2D(
            [], [], color=colour, linewidth=1, linestyle=_dots("float64"), label=f"{job} in {FLOOR}, dotted: float32"
        )
        for job, colour in FLOORS.items()
        if floors(run, job)
    ]
    return found + [Line2D([], [], **_line("black", dtype), label=dtype) for dtype in DTYPES]


def draw_levels(run: Run, target: Path) -> None:
    """Time per ensemble against the number of levels as a PNG file."""
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    for axes, series, title in zip(figure.subplots(1, 2), LEVEL_SERIES, LEVEL_TITLES, strict=True):
        draw_job(axes, series, run, title)
    every = {by: colour for series in LEVEL_SERIES for by, (colour, _) in series.items()}
    legend = [Line2D([], [], **_line(colour, "float64"), label=by) for by, colour in every.items()]
    figure.legend(handles=legend, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(target, dpi=150)


def draw_job(axes: Axes, series: Mapping[str, tuple[str, Mapping[int, int]]], run: Run, title: str) -> None:
    """Number of levels across, time per ensemble up."""
    axes.set(xscale="log", yscale="log", title=title, xlabel="number of levels", ylabel="time per ensemble [s]")
    axes.set_xticks([*STEADY_LEVELS], labels=[str(num) for num in STEADY_LEVELS])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    for by, (colour, levels) in series.items():
        axes.plot(*points(run, "LEVELS", by, "float64", [*levels], by_levels.name_of), **_line(colour, "float64"))


def _line(colour: str, dtype: str) -> dict[str, Any]:
    fill = "full" if dtype == "float64" else "none"
    return {"color": colour, "linestyle": STYLES[dtype], "marker": "o", "markersize": 4, "fillstyle": fill}


def _dots(dtype: str) -> Any:
    return (0, (6, 1.5, 1, 1.5)) if dtype == "float64" else (0, (1, 2))
