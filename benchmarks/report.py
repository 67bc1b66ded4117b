"""From the JSON of a run to tables: on the terminal, and in RESULTS.md."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import diagram
from benchmarks.ensembles import DTYPES
from benchmarks.exponentials import LOOP_EXPM, VMAP_EXPM
from benchmarks.fits import LMFIT, LMFIT_AS_IT_IS, SCIPY, TOLERANCES, optimistix_at
from benchmarks.floor import FLOOR
from benchmarks.fresh import SAMPLE as FIRST_SAMPLE
from benchmarks.jobs import LANES
from benchmarks.measure import spread
from benchmarks.ode import RTOL, diffrax_at, lsoda_at
from benchmarks.peers import LOOP, NUMPY, VMAP, VMAP_GIVEN
from benchmarks.transients import JUDGED, JUDGED_SLOPES

Entry = Mapping[str, Any]
Run = Mapping[str, Any]
Key = tuple[str, str]
"""Job and name of an entry."""

J1, J2, J3, FIT = (("J1", "jaxrate"), ("J2", "jaxrate"), ("J3", "jaxrate"), ("FIT", "jaxrate"))
BILLION = ("BILLION", "mean and maximum, stored")
GRADIENT, DECAY_GRADIENT = ("J4", "value and gradient"), ("J2G", "value and gradient")
DIFFRAX, LSODA = diffrax_at(RTOL), lsoda_at(RTOL)
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
    "in REDUCE and BILLION, of two corners of the map in STORE, of all populations in FIRST. `busy` is the number of "
    "cores kept busy.",
)
NOTES_OF_FITS = (
    "FIT: an ensemble is a fit. 10,000 replicas of one measurement of saturable absorption, 60 points with 1 % noise, "
    "are fitted in 4 parameters from one start; every program is told the closed form. `of a medium` fits as many "
    "saturated gains of J1's medium, each prediction solved as a steady state. The error is the largest relative "
    "deviation of a parameter from the minimum of chi-squared, found in long double.",
)
NOTES_IN_TIME = (
    "J2 is the inversion of J1's medium at 100 times, 0.1 ms apart, from all in level 0; J3 at 100 times over 8 "
    "decades, from 1 ns to 0.1 s; J2G the trapezoidal integral over the population of level 2 at the times of J2. "
    "`value and gradient` is by pump rate, B, quenching rate and intensity.",
    "An inversion passes through zero. So the error of a curve, of every program alike, is its largest deviation over "
    "the largest value of the exact curve; of J2G it is relative. "
    f"{JUDGED} ensembles are judged, {JUDGED_SLOPES} with derivatives.",
    "Slower programs take fewer ensembles: the time of one does not depend on their number there. diffrax is the "
    "quicker of Kvaerno3 and Kvaerno5 at the best of three batch sizes, found in a trial of each tolerance before the "
    "first round (which is also when it compiles), with an absolute tolerance for each population; it interpolates "
    "between its steps. LSODA computes in float64 only.",
)
IN_TIME = ("J2", "J2G", "J3")


@dataclass(frozen=True)
class Figure:
    """A figure that the runs are held to, or only read for.

    Attributes:
        what: In words.
        of: The entry it is read from.
        over: The entry it is divided by, in time per ensemble unless `fact` says otherwise; None for a figure with a
            unit.
        fact: Key of what is read: "seconds", "error", or one of the entry's facts.
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
        ends = {"at most": self.at_most, "at least": self.at_least}
        return " and ".join(f"{words} {self.show(end)}" for words, end in ends.items() if end is not None)

    def show(self, value: float) -> str:
        """The value with its unit."""
        if self.over is not None:
            return _scaled(value, ("x", 1.0))
        if self.fact.endswith("ratio"):
            return f"{value:.2f}"
        if self.fact == "error":
            return f"{value:.1e}"
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
    Figure("J2 over hand-written C", J2, ("J2", FLOOR), at_most=2),
    Figure(f"{DIFFRAX} over J2", ("J2", DIFFRAX), J2, at_least=200),
    Figure(f"error of J2 over that of {DIFFRAX}", J2, ("J2", DIFFRAX), fact="error", at_most=1),
    Figure(f"{VMAP_EXPM} over J2", ("J2", VMAP_EXPM), J2),
    Figure(f"{LOOP_EXPM} over J2", ("J2", LOOP_EXPM), J2),
    Figure(f"{LSODA} over J2", ("J2", LSODA), J2),
    Figure("J2 with gradient over J2", ("J2", "value and gradient"), J2),
    Figure("J2G with gradient over J2G without", DECAY_GRADIENT, ("J2G", "value"), at_most=4),
    Figure(f"{DIFFRAX} over J3", ("J3", DIFFRAX), J3, at_least=50),
    Figure(f"error of J3 over that of {DIFFRAX}", J3, ("J3", DIFFRAX), fact="error", at_most=1),
    Figure(f"{VMAP_EXPM} over J3", ("J3", VMAP_EXPM), J3),
    Figure(f"{LOOP_EXPM} over J3", ("J3", LOOP_EXPM), J3),
    Figure(f"{LSODA} over J3", ("J3", LSODA), J3),
    Figure("J3 with gradient over J3", ("J3", "value and gradient"), J3),
    Figure("J4 with gradient over J1", GRADIENT, J1, at_most=4),
    Figure("J4 with gradient over J4 without", GRADIENT, ("J4", "value")),
    Figure("SWEEP of 10^6, gain stored", ("SWEEP", "gain stored"), at_most=0.5),
    Figure("REDUCE of 10^8", ("REDUCE", "mean and maximum"), at_most=30),
    Figure("REDUCE of 10^8, peak resident memory", ("REDUCE", "mean and maximum"), fact="peak_bytes", at_most=1e9),
    Figure("STORE of 10^8 over the same in memory", ("STORE", "in a store"), ("STORE", "in memory"), at_most=1.3),
    Figure("BILLION: 10^9 reduced", BILLION, at_most=180),
    Figure("BILLION, peak resident memory", BILLION, fact="peak_bytes", at_most=1e9),
    Figure("BILLION, estimated time over time taken", BILLION, fact="estimate_ratio", at_most=1.3, at_least=0.7),
    Figure("FIRST call, 4 levels", ("FIRST", "4 levels"), at_most=3),
    Figure("FIRST call, 40 levels, 160 processes", ("FIRST", "40 levels, 160 processes"), at_most=20),
    Figure(f"{LMFIT} over FIT", ("FIT", LMFIT), FIT, at_least=100),
    Figure(f"{LMFIT_AS_IT_IS} over FIT", ("FIT", LMFIT_AS_IT_IS), FIT, at_least=100),
    Figure(f"{SCIPY} over FIT", ("FIT", SCIPY), FIT, at_least=30),
    *(Figure(f"{name} over FIT", ("FIT", name), FIT, at_least=1) for name in map(optimistix_at, TOLERANCES)),
    Figure("largest deviation of FIT from the minimum", FIT, fact="error", at_most=1e-8),
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
    name = ", ".join(part for part in (entry["name"], entry.get("detail")) if part)
    known = [entry["job"], name, entry["dtype"], entry["device"], str(entry["cores"])]
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
    verdict = ("yes" if figure.met(found["median"]) else "NO") if figure.bound and _at_full_size(of, over) else ""
    return [figure.what, dtype, spread_text(found, figure.show), figure.bound, verdict]


def _found(figure: Figure, of: Entry, over: Entry | None) -> Mapping[str, float]:
    """Of a ratio the spread of the ratios within a round: what disturbs the machine disturbs both."""
    if over is not None and figure.fact == "error":
        return spread([of["error"] / over["error"]])
    if over is not None:
        scale = over["lanes"] / of["lanes"]
        return spread([scale * a / b for a, b in zip(of["seconds"], over["seconds"], strict=True)])
    if figure.fact == "error":
        return spread([of["error"]])
    return spread(of["seconds"] if figure.fact == "seconds" else [of["facts"][figure.fact]])


def _at_full_size(*entries: Entry | None) -> bool:
    """Whether jaxrate had all its ensembles, on a CPU; slower programs are given fewer."""
    known = [entry for entry in entries if entry]
    return all(e["device"] == "cpu" for e in known) and any(e["lanes"] == LANES[e["job"]] for e in known)


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
    picture = f"![Time per ensemble against error, of all programs]({diagram.FILE})\n"
    curves = ["## Work against precision", picture] if diagram.has_curves(run) else []
    return "\n\n".join(
        [
            "# Results",
            "Written by `python -m benchmarks --write` from `results.json`, which `python -m benchmarks --json` wrote.",
            where,
            "## Figures",
            piped(("figure", "dtype", "value", "held to", "met"), figure_rows(run)),
            "## Times and errors",
            piped(COLUMNS, entry_rows(run)),
            "\n".join(f"- {note}" for note in notes(run)) + ("" if curves else "\n"),
            *curves,
        ]
    )


def notes(run: Run) -> tuple[str, ...]:
    """What one must know to read the tables."""
    jobs = {entry["job"] for entry in run["entries"]}
    return NOTES + (NOTES_IN_TIME if jobs & {*IN_TIME} else ()) + (NOTES_OF_FITS if "FIT" in jobs else ())


def piped(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (head, ["---"] * len(head), *rows)
    )
