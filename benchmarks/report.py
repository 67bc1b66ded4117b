"""From the JSON of a run to tables: on the terminal, and in RESULTS.md."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.ensembles import DTYPES
from benchmarks.figures import FIGURES, Figure, time_text
from benchmarks.fresh import SAMPLE as FIRST_SAMPLE
from benchmarks.measure import spread
from benchmarks.notes import notes
from benchmarks.pictures import PICTURES, Picture
from benchmarks.sizes import is_full

Entry = Mapping[str, Any]
Run = Mapping[str, Any]
COLUMNS = ("job", "by", "dtype", "device", "cores", "busy", "ensembles", "time", "per ensemble", "compile", "error")
TIMED = ("seconds", "core_seconds", "operation_seconds")
"""What is compared round by round."""


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
    """A row for each figure that the run has: what, dtype, value, bound, and whether it is met.

    That is said at full size, on the device on which it is held to its bound.
    """
    entries = {(e["job"], e["name"], e["dtype"]): e for e in run["entries"] if not e["failed"]}
    wanted = ((figure, dtype) for figure in FIGURES for dtype in figure.dtypes)
    return [row for figure, dtype in wanted if (row := _figure_row(figure, dtype, entries)) is not None]


def _figure_row(figure: Figure, dtype: str, entries: Mapping[tuple, Entry]) -> list[str] | None:
    of = entries.get((*figure.of, dtype))
    over = entries.get((*figure.over, dtype)) if figure.over else None
    if of is None or (figure.over and over is None) or not _is_shown(figure, of, over):
        return None
    found, held = _found(figure, of, over), figure.bound and _is_on(figure.on, of, over) and _at_full_size(of, over)
    verdict = ("yes" if figure.met(found["median"]) else "NO") if held else ""
    return [figure.what, dtype, spread_text(found, figure.show), figure.bound, verdict]


def _is_shown(figure: Figure, of: Entry, over: Entry | None) -> bool:
    """Whether the run has what it is read from, and ran on the GPU if only that is held to it."""
    fact = "operations" if figure.fact == "operation_seconds" else figure.fact
    known = all(fact in (*TIMED, "error", *entry["facts"]) for entry in (of, over) if entry)
    return known and (figure.on == "cpu" or _is_on(figure.on, of, over))


def _found(figure: Figure, of: Entry, over: Entry | None) -> Mapping[str, float]:
    """What a figure says, with its spread."""
    if over is None:
        return spread(of["seconds"] if figure.fact == "seconds" else [_fact(of, figure.fact)])
    if figure.fact in TIMED:
        return _ratio(figure.fact, of, over)
    return spread([_fact(of, figure.fact) / _fact(over, figure.fact)])


def _fact(entry: Entry, fact: str) -> float:
    return entry["error"] if fact == "error" else entry["facts"][fact]


def _ratio(fact: str, of: Entry, over: Entry) -> Mapping[str, float]:
    """The spread of the ratios within a round, for what disturbs the machine disturbs both; of so many as both have."""
    scale = over["lanes"] / of["lanes"]
    if fact != "seconds":
        scale *= of["cores_busy"] / over["cores_busy"]
    if fact == "operation_seconds":
        scale *= _operations(over) / _operations(of)
    return spread([scale * a / b for a, b in zip(of["seconds"], over["seconds"], strict=False)])


def _operations(entry: Entry) -> float:
    """Of an ensemble; where a step is counted, of all its steps."""
    return entry["facts"]["operations"] * entry["facts"].get("mean_steps", 1.0)


def _is_on(device: str, *entries: Entry | None) -> bool:
    """Whether all of it ran there."""
    return all(entry["device"].split(":")[0] == device for entry in entries if entry)


def _at_full_size(*entries: Entry | None) -> bool:
    """Whether jaxrate had all its ensembles; slower programs are given fewer."""
    return any(is_full(entry["job"], entry["lanes"]) for entry in entries if entry)


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


def markdown(run: Run, suffix: str = "") -> str:
    """The page RESULTS.md; the suffix is that of the files of this run, "-gpu" of another."""
    where = "\n".join(f"- {line}" for line in machine_lines(run))
    source = f"`results{suffix}.json`"
    return (
        "\n\n".join(
            [
                "# Results",
                f"Written by `python -m benchmarks --write` from {source}, which `python -m benchmarks --json` wrote.",
                where,
                "## Figures",
                piped(("figure", "dtype", "value", "held to", "met"), figure_rows(run)),
                "## Times and errors",
                piped(COLUMNS, entry_rows(run)),
                "\n".join(f"- {note}" for note in notes(run)),
                *(part for picture in PICTURES if picture.has_curves(run) for part in _shown(picture, suffix)),
            ]
        ).rstrip("\n")
        + "\n"
    )


def _shown(picture: Picture, suffix: str) -> tuple[str, str]:
    """Heading, and the picture with its caption."""
    return f"## {picture.heading}", f"![{picture.caption}]({picture.file(suffix)})\n\n{picture.caption}."


def piped(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (head, ["---"] * len(head), *rows)
    )
