"""From the JSON of a run to tables: on the terminal, and in RESULTS.md."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks import diagram, grids
from benchmarks.amplifiers import JUDGED_SIGNALS
from benchmarks.amplifiers import JUDGED_SLOPES as JUDGED_AMPLIFIERS
from benchmarks.ensembles import DTYPES
from benchmarks.figures import FIGURES, Figure, time_text
from benchmarks.fresh import SAMPLE as FIRST_SAMPLE
from benchmarks.kinetics import PROBLEMS
from benchmarks.measure import spread
from benchmarks.sizes import LANES
from benchmarks.stiff import JUDGED as JUDGED_STIFF
from benchmarks.stiff_peers import FINE, MAX_STEPS
from benchmarks.transients import JUDGED, JUDGED_SLOPES

Entry = Mapping[str, Any]
Run = Mapping[str, Any]
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
NOTES_OF_LASERS = (
    "N1 is the turn-on of random four-level lasers through their relaxation oscillations, all populations and photons "
    "at 50 times, from all in level 0 and no light; N2 are the reactions of Robertson and the Oregonator over their "
    "rate constants; N3 is the steady state of a laser over every pair of pump and loss. POWER is the steady output "
    "power of random lasers, with its derivatives by ten parameters.",
    f"The error of N1 and N2 is the largest of {JUDGED_STIFF} ensembles at most, all times and all populations against "
    "SciPy's Radau at a relative tolerance of 1e-12: over the peak of the population, but relative of photons "
    "below 1e-4 of their peak, and relative of all in N2. That of N3 and POWER is relative to closed forms, of N3 in "
    "every pair. A lane is wrong that is off by more than 1 % of a peak anywhere, or without numbers.",
    "The libraries are given a relative tolerance of 1e-6, and absolute ones that resolve the first photons, except in "
    "the lines with one `atol` for all. jaxrate takes its own absolute tolerances, and in N1 a relative one that "
    f"brings its error below 1e-7, which numbalsoda nearly reaches at {FINE:.0e}. All are compared on all cores; "
    "SciPy, which uses one, in core time: time times `busy`. They take fewer ensembles: the time of one does not "
    f"depend on their number. diffrax's error is that of the ensembles it ends within {MAX_STEPS:,} steps. A program "
    "that is not in the table was not installed.",
    "STEPS: lasers of so many populations, one block of ensembles through the stiff engine at a relative tolerance of "
    "1e-6; the step is time over all steps of all ensembles, of the cores in `busy`.",
)
NOTES_OF_AMPLIFIERS = (
    "A1 is an amplifier of 8 m of erbium-doped fibre (6 to 10 m, random powers and densities): 40 signals, a pump and "
    "spontaneous emission both ways in 100 bins, 241 channels; what leaves it, in all of them. Its error is the "
    f"largest of pump and signals of {grids.JUDGED} amplifiers, that of noise of every bin, against a grid of "
    f"{grids.FINE} nodes of our own. scipy.integrate.solve_bvp, on a mesh of its own, is judged by the same: powers in "
    "microwatts, analytic Jacobians, a transported guess, one core, few amplifiers. PyFiberAmp is in no package index "
    "and is left out.",
    f"A1G is the power of the 40 signals of the same amplifiers, with derivatives by length, pump and B; their error "
    f"is that of logarithmic derivatives of {JUDGED_AMPLIFIERS} amplifiers against finite differences of fourth order, "
    "relative where they are above 1.",
    f"A2 is the gain of 40 signals with a pump and without noise. The error is the largest of {JUDGED_SIGNALS} "
    "amplifiers, without loss against the root of the closed form by bisection, with loss against DOP853 of SciPy at a "
    "relative tolerance of 1e-13.",
    "GRIDS: the largest error of all channels that leave an amplifier on grids of so many nodes, and of the solver to "
    f"a tolerance, against {grids.FINE} nodes, of as many amplifiers. The order is that at which the error falls with "
    "the distance of nodes, from the grid before to this one: it grows, as the convergence is exponential, until "
    "rounding. The least estimate over error is that of any amplifier, both as 1e-13 where they are below.",
)
IN_TIME = ("J2", "J2G", "J3")
LASERS = ("N1", *PROBLEMS, "N3", "POWER", "STEPS")
AMPLIFIERS = ("A1", "A1G", "A2", "GRIDS")


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
        cores = of["cores_busy"] / over["cores_busy"] if figure.fact == "core_seconds" else 1.0
        rounds = zip(of["seconds"], over["seconds"], strict=False)  # as many as both were timed in
        return spread([cores * scale * a / b for a, b in rounds])
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
    found = NOTES + (NOTES_IN_TIME if jobs & {*IN_TIME} else ()) + (NOTES_OF_FITS if "FIT" in jobs else ())
    found += NOTES_OF_LASERS if jobs & {*LASERS} else ()
    return found + (NOTES_OF_AMPLIFIERS if jobs & {*AMPLIFIERS} else ())


def piped(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (head, ["---"] * len(head), *rows)
    )
