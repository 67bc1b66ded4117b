"""From the JSON of a run to tables: on the terminal, and in RESULTS.md."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.fresh import SAMPLE as FIRST_SAMPLE
from benchmarks.jobs import DTYPES, LANES
from benchmarks.measure import spread
from benchmarks.peers import FLOOR, LOOP, NUMPY, VMAP, VMAP_GIVEN

Entry = Mapping[str, Any]
Run = Mapping[str, Any]
Key = tuple[str, str]
"""Job and name of an entry."""

J1, GRADIENT = ("J1", "jaxrate"), ("J4", "value and gradient")
COLUMNS = ("job", "by", "dtype", "device", "cores", "busy", "ensembles", "time", "per ensemble", "compile", "error")
NOTES = (
    "Time and time per ensemble are medians over the rounds, with the least and the most in brackets. The cases take "
    "turns; in its turn a case is called up to nine times for a second, and the best counts, as the C program times "
    "itself. Every call returns new arrays (jaxrate puts them into memory of results no longer used); the C program "
    "reuses its own.",
    "Compilation is apart, except in FIRST, whose time is that of the whole first call in a new process without a "
    "compilation cache, import not included.",
    "The error is the largest relative one against a 50-digit solution, on a sample of ensembles: of populations and "
    "inversion in J1, of the inversion or its six derivatives in J4, of the gain in SWEEP, of the mean and the maximum "
    "in REDUCE, of all populations in FIRST. `busy` is the number of cores kept busy.",
)


@dataclass(frozen=True)
class Figure:
    """A figure that the runs are held to, or only read for.

    Attributes:
        what: In words.
        of: The entry it is read from.
        over: The entry it is divided by, in time per ensemble; None for a figure with a unit.
        fact: Key of what is read where it is not a ratio: "seconds", or one of the entry's facts.
        at_most, at_least: Its bounds at full size on a CPU.
    """

    what: str
    of: Key
    over: Key | None = None
    fact: str = "seconds"
    at_most: float | None = None
    at_least: float | None = None

    @property
    def bound(self) -> str:
        """What it is held to, in words."""
        if self.at_most is not None:
            return f"at most {self.show(self.at_most)}"
        return "" if self.at_least is None else f"at least {self.show(self.at_least)}"

    def show(self, value: float) -> str:
        """The value with its unit."""
        if self.over is not None:
            return _scaled(value, ("x", 1.0))
        return size_text(value) if self.fact.endswith("bytes") else time_text(value)

    def met(self, value: float) -> bool:
        """Whether it is within its bounds."""
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)


FIGURES = (
    Figure("J1 over hand-written C", J1, ("J1", FLOOR), at_most=4),
    Figure(f"{VMAP} over J1", ("J1", VMAP), J1, at_least=20),
    Figure(f"{VMAP_GIVEN} over J1", ("J1", VMAP_GIVEN), J1, at_least=20),
    Figure(f"{NUMPY} over J1", ("J1", NUMPY), J1),
    Figure(f"{LOOP} over J1", ("J1", LOOP), J1),
    Figure("J4 with gradient over J1", GRADIENT, J1, at_most=4),
    Figure("J4 with gradient over J4 without", GRADIENT, ("J4", "value")),
    Figure("SWEEP of 10^6, gain stored", ("SWEEP", "gain stored"), at_most=0.5),
    Figure("REDUCE of 10^8", ("REDUCE", "mean and maximum"), at_most=30),
    Figure("REDUCE of 10^8, peak resident memory", ("REDUCE", "mean and maximum"), fact="peak_bytes", at_most=1e9),
    Figure("FIRST call, 4 levels", ("FIRST", "4 levels"), at_most=3),
    Figure("FIRST call, 40 levels, 160 processes", ("FIRST", "40 levels, 160 processes"), at_most=20),
    Figure("import of jaxrate", ("FIRST", "4 levels"), fact="import_seconds"),
)


def time_text(seconds: float) -> str:
    """Three digits and the unit that suits: "1.23 ns"."""
    return _scaled(seconds, ("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


def size_text(size: float) -> str:
    """Three digits and the unit that suits: "512 MB"."""
    return _scaled(size, ("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def _scaled(value: float, *units: tuple[str, float]) -> str:
    name, factor = next((u for u in units if value >= 0.9995 * u[1]), units[-1])
    return f"{value / factor:.3g} {name}" if value < 999.5 * factor else f"{value / factor:.0f} {name}"


def spread_text(found: Mapping[str, float], show: Callable[[float], str]) -> str:
    """Median (least to most)."""
    middle, low, high = (show(found[key]) for key in ("median", "min", "max"))
    return middle if low == high else f"{middle} ({low} to {high})"


def entry_rows(run: Run) -> list[list[str]]:
    """A row for each entry, in the order of `COLUMNS`; the same job in the same precision side by side."""
    jobs = list(dict.fromkeys(entry["job"] for entry in run["entries"]))
    return [_row(e) for e in sorted(run["entries"], key=lambda e: (jobs.index(e["job"]), DTYPES.index(e["dtype"])))]


def _row(entry: Entry) -> list[str]:
    known = [entry["job"], entry["name"], entry["dtype"], entry["device"], str(entry["cores"])]
    known += [_or_blank(entry["cores_busy"], "{:.1f}"), str(entry["lanes"])]
    if entry["failed"]:
        return [*known, f"failed: {entry['failed']}", "", "", ""]
    per = {name: 1e-9 * ns for name, ns in entry["ns_per_ensemble"].items()}
    compiling = "" if entry["compile_seconds"] is None else time_text(entry["compile_seconds"])
    return [
        *known,
        time_text(spread(entry["seconds"])["median"]),
        spread_text(per, time_text),
        compiling,
        _or_blank(entry["error"], "{:.1e}"),
    ]


def _or_blank(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def figure_rows(run: Run) -> list[list[str]]:
    """A row for each figure that the run has: what, dtype, value, bound, whether it is met (at full size, on a CPU)."""
    entries = {(e["job"], e["name"], e["dtype"]): e for e in run["entries"] if not e["failed"]}
    return [row for figure in FIGURES for dtype in DTYPES if (row := _figure_row(figure, dtype, entries)) is not None]


def _figure_row(figure: Figure, dtype: str, entries: Mapping[tuple, Entry]) -> list[str] | None:
    of = entries.get((*figure.of, dtype))
    over = entries.get((*figure.over, dtype)) if figure.over else None
    if of is None or (figure.over and over is None):
        return None
    found = _found(figure, of, over)
    held = figure.bound and _at_full_size(of) and (over is None or _at_full_size(over))
    verdict = ("yes" if figure.met(found["median"]) else "NO") if held else ""
    return [figure.what, dtype, spread_text(found, figure.show), figure.bound, verdict]


def _found(figure: Figure, of: Entry, over: Entry | None) -> Mapping[str, float]:
    """Of a ratio the spread of the ratios within a round: what disturbs the machine disturbs both."""
    if over is not None:
        scale = over["lanes"] / of["lanes"]
        return spread([scale * a / b for a, b in zip(of["seconds"], over["seconds"], strict=True)])
    return spread(of["seconds"] if figure.fact == "seconds" else [of["facts"][figure.fact]])


def _at_full_size(entry: Entry) -> bool:
    return entry["lanes"] == LANES[entry["job"]] and entry["device"] == "cpu"


def machine_lines(run: Run) -> list[str]:
    """Where, when and with what."""
    machine, source = run["machine"], run["source"]
    commit = (source["git"] or "no commit")[:12] + (" with changes" if source["changed"] else "")
    device = "" if machine["device"] == "cpu" else f", {machine['device']}"
    return [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_GB']} GB{device}, {machine['system']}; "
        f"load {machine['load_at_start']} before the run",
        f"jaxrate {source['version']} ({commit}), " + ", ".join(f"{n} {v}" for n, v in run["versions"].items()),
        f"{run['date']}, {run['rounds']} rounds, errors on {run['sample']} ensembles (FIRST: {FIRST_SAMPLE})",
    ]


def text(run: Run) -> str:
    """Tables for a terminal."""
    parts = ["\n".join(machine_lines(run)), aligned(COLUMNS, entry_rows(run))]
    figures = figure_rows(run)
    if figures:
        parts.append(aligned(("figure", "dtype", "value", "held to", "met"), figures))
    return "\n\n".join(parts)


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their longest cell."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in (head, rule, *rows)
    )


def markdown(run: Run) -> str:
    """The page RESULTS.md."""
    where = "\n".join(f"- {line}" for line in machine_lines(run))
    return "\n\n".join(
        [
            "# Results",
            "Written by `python -m benchmarks --write` from `results.json`, which `python -m benchmarks --json` wrote.",
            where,
            "## Figures",
            piped(("figure", "dtype", "value", "held to", "met"), figure_rows(run)),
            "## Times and errors",
            piped(COLUMNS, entry_rows(run)),
            "\n".join(f"- {note}" for note in NOTES) + "\n",
        ]
    )


def piped(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (head, ["---"] * len(head), *rows)
    )
