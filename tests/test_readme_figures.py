"""Every performance number of the README is one that the benchmark suite printed in its last run."""

import json
import re
from pathlib import Path

from benchmarks.report import figure_rows
from jaxrate.names import unknown

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
HEAD = "| figure | value | of what |\n|---|---|---|\n"
MEASURED = re.compile(
    r"(?<![\w.^])\d[\d,.]*(e-?\d+)?\s*(ns|µs|us|ms|s|x|×|-?fold|times|[kMG]B|min|minutes|seconds|hours)\b"
)
"""What a number of the suite looks like: a time, a size or a ratio."""


def printed() -> dict[str, str]:
    """Figures in float64 by name, without their spread."""
    run = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    rows = figure_rows(run)
    return {what: value.partition(" (")[0] for what, dtype, value, *_ in rows if dtype == "float64"}


def table() -> list[list[str]]:
    """Rows of the README's table: figure, value, of what."""
    assert HEAD in README, "the README has no table of figures any more"
    lines = README.partition(HEAD)[2].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_figure_is_what_the_suite_printed():
    found, rows = printed(), table()
    assert len(rows) > 5
    wrong = [unknown("figure", what, found, "benchmarks/results.json") for what, *_ in rows if what not in found]
    wrong += [
        f"{what}: write `{found[what]}` for `{value}`"
        for what, value, _ in rows
        if what in found and value != found[what]
    ]
    assert not wrong, "In the table of README.md:\n" + "\n".join(wrong)


def test_no_number_of_the_kind_stands_anywhere_else():
    """Not in the prose, where no test would follow it; programs and what they print are tested by themselves."""
    rows = README.partition(HEAD)[2].partition("\n\n")[0]
    prose = re.sub(r"```.*?```", "", README.replace(rows, ""), flags=re.DOTALL)
    assert [found[0] for found in MEASURED.finditer(prose)] == []
    assert [found[0] for *_, words in table() for found in MEASURED.finditer(words)] == []
