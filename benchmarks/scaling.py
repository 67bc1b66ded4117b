"""What many ensembles cost: the page SCALING.md and its picture, from the JSON of a run and of one on a GPU."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure as Plot
from matplotlib.lines import Line2D

from benchmarks import by_size, curves
from benchmarks.ensembles import DTYPES
from benchmarks.figures import bandwidth_text, duration_text, rate_text, size_text, time_text
from benchmarks.report import machine_lines, piped
from benchmarks.roofline import ALLOCATION, H200, SIZES, Device, gpu_of, here, is_known, works

Run = Mapping[str, Any]

PAGE, FILE, GPU_RUN = "SCALING.md", "scaling.png", "results-gpu.json"
MANY = 10**12
H200_BYTES = 141e9
"""Memory of one, by its data sheet."""


def write(run: Run, folder: Path) -> list[Path]:
    """Write the page and its picture; where the run has not what they need, none."""
    if not is_known(run):
        return []
    page, picture, gpu = folder / PAGE, folder / FILE, gpu_run(folder)
    page.write_text(markdown(run, gpu), encoding="utf-8")
    draw(run, gpu, picture)
    return [page, picture]


def gpu_run(folder: Path) -> Run | None:
    """The results of a GPU, if they are kept there."""
    source = folder / GPU_RUN
    return json.loads(source.read_text(encoding="utf-8")) if source.is_file() else None


def markdown(run: Run, gpu: Run | None = None) -> str:
    """The page SCALING.md."""
    return "\n\n".join(
        [
            "# What many ensembles cost",
            "Written by `python -m benchmarks --write` from `results.json`"
            + (f" and `{GPU_RUN}`." if gpu else f"; of a GPU no run is kept (`{GPU_RUN}`)."),
            "\n".join(f"- {line}" for line in (*machine_lines(run), *(machine_lines(gpu) if gpu else ()))),
            "## An ensemble",
            OF_ENSEMBLES,
            piped(("job", "dtype", "operations", "in float32", "bytes", "operations a byte"), work_rows(run)),
            "## The machines",
            piped(("machine", "copy bandwidth", "float64", "float32", "source"), device_rows(run, gpu)),
            "## The model, and what was measured",
            OF_MODEL,
            *(piped(MODEL, model_rows(one, device)) for one, device in _pairs(run, gpu)),
            *_sizes(run, gpu),
            f"![Time of a call against its number of ensembles, measured and by the model]({FILE})",
            "Time of a call against its number of ensembles: measured points, and the lines of the model.",
            "## 10^12 ensembles",
            of_many(gpu),
            piped(many_columns(run, gpu), many_rows(run, gpu)) + "\n",
        ]
    )


OF_ENSEMBLES = (
    "Operations are counted in what JAX traces of the kernel on one block, one for each number that comes out of an "
    "addition, a product, a quotient, a comparison or a choice; whatever the precision of the results, most of them "
    "are in float64. Bytes are those of parameters and results. N1 takes as many steps as STEPS does at the same "
    "relative tolerance of 1e-6, and REDUCE, a mean and a maximum over two axes, moves nothing worth counting."
)
OF_MODEL = (
    "The model is time = max(bytes / bandwidth, operations / rate) of an ensemble. It leaves out what a call costs "
    "before its first ensemble, and takes every operation for half of a multiply-add and every division for one "
    "operation: it is a bound from below. Measured is the largest call of SIZES, of REDUCE and N1 the job itself."
)
MODEL = ("job", "dtype", "bytes take", "operations take", "model", "measured", "measured over model")


def work_rows(run: Run) -> list[list[str]]:
    """Operations and bytes of each job."""
    return [
        [
            work.job,
            work.dtype,
            f"{work.total:.0f}",
            f"{work.operations.get('float32', 0.0):.0f}",
            f"{work.moved_bytes:.0f}",
            f"{work.total / work.moved_bytes:.2g}" if work.moved_bytes else "",
        ]
        for work in works(run)
    ]


def device_rows(run: Run, gpu: Run | None) -> list[list[str]]:
    """Bandwidth and rates of each machine."""
    own, found = here(run), gpu_of(gpu)
    cores = run["machine"]["cores"]
    each = {dtype: rate / cores for dtype, rate in own.rates.items()}
    core = replace(own, name="one core of it", bandwidth=own.bandwidth / cores, rates=each, source="a share of that")
    return [
        [d.name, bandwidth_text(d.bandwidth), rate_text(d.rates["float64"]), rate_text(d.rates["float32"]), d.source]
        for d in (own, core, *([found] if found else []), H200)
    ]


def _pairs(run: Run, gpu: Run | None) -> list[tuple[Run, Device]]:
    """Runs with their devices."""
    found = gpu_of(gpu)
    return [(run, here(run)), *([(gpu, found)] if gpu and found else [])]


def model_rows(run: Run, device: Device) -> list[list[str]]:
    """The model of each job beside what it took."""
    return [
        [
            f"{work.job}, {device.name}",
            work.dtype,
            time_text(work.by_memory(device)) if work.moved_bytes else "",
            time_text(work.by_arithmetic(device)),
            time_text(work.model(device)),
            time_text(work.seconds) if work.seconds else "",
            f"{work.seconds / work.model(device):.3g} x" if work.seconds else "",
        ]
        for work in works(run)
    ]


def _sizes(run: Run, gpu: Run | None) -> list[str]:
    """A table of calls of every size, of each run that has them."""
    pairs = [(one, device) for one, device in _pairs(run, gpu) if curves.has_sizes(one)]
    return [part for one, device in pairs for part in (f"Calls on {device.name}:", size_table(one, device))]


def size_table(run: Run, device: Device) -> str:
    """Time of a call by its number of ensembles, measured and by the model."""
    columns = [(job, dtype) for job in SIZES for dtype in DTYPES]
    points = {column: measured_calls(run, *column) for column in columns}
    model = {(w.job, w.dtype): w.model(device) for w in works(run)}

    def cell(column: tuple[str, str], size: int) -> str:
        if size not in points[column]:
            return ""
        line = f" (model {time_text(size * model[column])})" if column in model and size > 1000 else ""
        return time_text(points[column][size]) + line

    every = sorted({size for found in points.values() for size in found})
    rows = [[by_size.power_of_ten(size), *(cell(column, size) for column in columns)] for size in every]
    return piped(("ensembles", *(f"{job}, {dtype}" for job, dtype in columns)), rows)


def measured_calls(run: Run, job: str, dtype: str) -> dict[int, float]:
    """Time of a call [s] by its number of ensembles."""
    sizes, seconds = curves.points(run, "SIZES", by_size.OURS[job], dtype, SIZES[job], by_size.name_of)
    return {int(size): size * each for size, each in zip(sizes, seconds, strict=True)}


def of_many(gpu: Run | None) -> str:
    """How the last table is to be read."""
    promised = (
        "The columns of GPUs are the model with the numbers of the data sheet; what was measured on one is beside."
        if gpu
        else "The columns of GPUs are predictions, the model with the numbers of the data sheet: no GPU was measured."
    )
    return (
        "A laptop is taken to be this machine, its rate a core times its cores; `as measured` is the time of an "
        f"ensemble in this run, times {MANY:.0e}. {promised} Ensembles do not know each other, so 64 GPUs take a 64th. "
        "Kept are all parameters and results, if they are stored; a sweep has only one unit of them in memory at a "
        "time, and one that reduces keeps nothing; at once they would fill the memory of so many H200. The time that a "
        "disk takes for what is kept is not in the table."
    ).replace("1e+12", by_size.power_of_ten(MANY))


def many_columns(run: Run, gpu: Run | None) -> list[str]:
    """Of the last table."""
    own, found = here(run), gpu_of(gpu)
    measured_on = [f"{found.name}"] if found else []
    return [
        "job",
        "dtype",
        "kept",
        "H200s that hold it",
        f"{own.name}: model",
        "as measured",
        *measured_on,
        H200.name,
        ALLOCATION.name,
    ]


def many_rows(run: Run, gpu: Run | None) -> list[list[str]]:
    """What so many ensembles cost."""
    own = here(run)
    there = {(work.job, work.dtype): work.seconds for work in (works(gpu) if gpu_of(gpu) and gpu else [])}
    return [
        [
            work.job,
            work.dtype,
            size_text(MANY * work.moved_bytes) if work.moved_bytes else "nothing",
            str(ceil(MANY * work.moved_bytes / H200_BYTES)),
            duration_text(MANY * work.model(own)),
            _many_text(work.seconds),
            *([_many_text(there.get((work.job, work.dtype)))] if gpu_of(gpu) else []),
            *(duration_text(MANY * work.model(device)) for device in (H200, ALLOCATION)),
        ]
        for work in works(run)
    ]


def _many_text(seconds: float | None) -> str:
    return duration_text(MANY * seconds) if seconds else ""


STYLES: dict[str, Any] = {"float64": "-", "float32": "--"}


def draw(run: Run, gpu: Run | None, target: Path) -> None:
    """Time of a call against its number of ensembles as a PNG file."""
    plot = Plot(figsize=(10, 5.2), layout="constrained")
    lines = [*(device for _, device in _pairs(run, gpu)), H200, ALLOCATION]
    both = plot.subplots(1, 2, sharey=True)
    both[0].set_ylabel("time of a call [s]")
    for axes, job in zip(both, SIZES, strict=True):
        axes.set(xscale="log", yscale="log", title=job, xlabel="number of ensembles in a call")
        axes.grid(alpha=0.3)
        for work in (work for work in works(run) if work.job == job):
            for place, device in enumerate(lines):
                ends = (1.0, float(MANY))
                times = [size * work.model(device) for size in ends]
                axes.plot(ends, times, color=f"C{place}", linestyle=STYLES[work.dtype], linewidth=1)
        for place, (one, _) in enumerate(_pairs(run, gpu)):
            _dots(axes, one, job, f"C{place}")
    plot.legend(handles=_legend(lines), loc="outside lower center", ncols=3, frameon=False)
    plot.savefig(target, dpi=150)


def _dots(axes: Any, run: Run, job: str, colour: str) -> None:
    """What was measured."""
    for dtype in DTYPES:
        found = measured_calls(run, job, dtype)
        fill = "full" if dtype == "float64" else "none"
        axes.plot([*found], [*found.values()], color=colour, marker="o", linestyle="", markersize=5, fillstyle=fill)


def _legend(lines: Sequence[Device]) -> list[Line2D]:
    """Colours are machines, lines the model, points what was measured."""
    found = [Line2D([], [], color=f"C{i}", label=f"model: {device.name}") for i, device in enumerate(lines)]
    return found + [
        Line2D([], [], color="black", linestyle=style, marker="o", fillstyle=fill, label=f"{dtype}, points measured")
        for (dtype, style), fill in zip(STYLES.items(), ("full", "none"), strict=True)
    ]
