"""Work against precision: what an ensemble costs and how far it is from exact, at the tolerances a program has."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.exponentials import LOOP_EXPM, VMAP_EXPM
from benchmarks.floor import FLOOR
from benchmarks.ode import TOLERANCES, diffrax_at, lsoda_at
from benchmarks.transients import TIMES

FILE = "work-precision.png"

SERIES = {
    "jaxrate": ["jaxrate"],
    FLOOR: [FLOOR],
    VMAP_EXPM: [VMAP_EXPM],
    LOOP_EXPM: [LOOP_EXPM],
    "diffrax": [diffrax_at(rtol) for rtol in TOLERANCES],
    "scipy LSODA in a loop": [lsoda_at(rtol) for rtol in TOLERANCES],
}
"""Lines of the table that are one colour, in the order of their tolerances."""
MARKERS = {"float64": "o", "float32": "s"}
TITLES = {"J2": "J2: 100 evenly spaced times", "J3": "J3: 100 times over 8 decades"}


def has_curves(run: Mapping[str, Any]) -> bool:
    """Whether a run has anything to draw."""
    return any(_drawn(entry) for entry in run["entries"])


def _drawn(entry: Mapping[str, Any]) -> bool:
    name_of = {name for names in SERIES.values() for name in names}
    return entry["job"] in TIMES and entry["name"] in name_of and not entry["failed"] and bool(entry["error"])


def draw(run: Mapping[str, Any], target: Path) -> None:
    """The diagram as a PNG file."""
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    for axes, job in zip(figure.subplots(1, len(TIMES), sharex=True, sharey=True), TIMES, strict=True):
        draw_job(axes, job, [entry for entry in run["entries"] if entry["job"] == job and _drawn(entry)])
    figure.legend(handles=_legend(), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(target, dpi=150)


def draw_job(axes: Axes, job: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """Error across, time per ensemble up: the nearer to the lower left corner the better."""
    axes.set(xscale="log", yscale="log", title=TITLES[job], xlabel="error over the largest inversion")
    axes.set_ylabel("time per ensemble [s]")
    axes.grid(alpha=0.3)
    known = {(entry["name"], entry["dtype"]): entry for entry in entries}
    for place, names in enumerate(SERIES.values()):
        for dtype, marker in MARKERS.items():
            found = [known[name, dtype] for name in names if (name, dtype) in known]
            errors = [entry["error"] for entry in found]
            times = [1e-9 * entry["ns_per_ensemble"]["median"] for entry in found]
            axes.plot(errors, times, marker=marker, color=f"C{place}", fillstyle=_fill(dtype))


def _legend() -> list[Line2D]:
    """Colours are programs, markers precisions."""
    colours = [Line2D([], [], color=f"C{place}", label=name) for place, name in enumerate(SERIES)]
    return colours + [
        Line2D([], [], marker=marker, color="black", linestyle="", fillstyle=_fill(dtype), label=dtype)
        for dtype, marker in MARKERS.items()
    ]


def _fill(dtype: str) -> Any:
    return "full" if dtype == "float64" else "none"
