"""`python -m benchmarks`: time the jobs and their peers, print a table, keep the JSON, write RESULTS.md from it."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PLATFORMS = {"cpu": "cpu", "gpu": "cuda,cpu"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for."""
    asked = read_arguments(arguments)
    if asked.device is not None:
        os.environ["JAX_PLATFORMS"] = PLATFORMS[asked.device]  # before the first import of jax; children inherit it
    from benchmarks import report

    if asked.write:
        source = asked.json or HERE / "results.json"
        if not source.is_file():
            raise SystemExit(f"--write reads what `--json {source}` kept, but there is no such file.")
        target = source.with_name("RESULTS.md")
        target.write_text(report.markdown(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
        print(f"wrote {target}")
        return 0
    result = run(asked)
    print(report.text(result))
    if asked.json is not None:
        asked.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if any(entry["failed"] for entry in result["entries"]) else 0


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Measure, and say meanwhile what is being done."""
    from benchmarks import jobs, measure, peers

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    unknown = [name for name in asked.jobs if name not in jobs.JOBS]
    if unknown:
        raise SystemExit(f"--jobs must name jobs of {', '.join(jobs.JOBS)}, but {', '.join(unknown)} was given.")
    lanes = {name: asked.lanes or jobs.LANES[name] for name in asked.jobs}
    found = measure.device().split(":")[0]
    if asked.device not in (None, found):
        raise SystemExit(f"--device {asked.device} was asked for, but JAX finds none and would compute on the {found}.")
    facts = {**measure.facts(), "rounds": asked.rounds, "sample": jobs.SAMPLE}
    cases = [case for name in asked.jobs for case in jobs.JOBS[name](lanes[name])]
    if "J1" not in asked.jobs or asked.no_peers:
        return {**facts, "entries": measure.measure(cases, asked.rounds, tell)}
    with peers.floor(asked.floor, lanes["J1"], tell) as floor:
        cases += [*floor, *peers.solvers(lanes["J1"])]
        return {**facts, "entries": measure.measure(cases, asked.rounds, tell)}


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--jobs", type=lambda text: text.split(","), default="J1,J4,SWEEP,REDUCE,FIRST", metavar="A,B")
    parser.add_argument("--lanes", type=positive, help="ensembles of every job (default: each job's full size)")
    parser.add_argument("--rounds", type=positive, default=5, help="times that each case is timed (default: 5)")
    parser.add_argument("--device", choices=PLATFORMS, help="what JAX computes on (default: what it finds)")
    parser.add_argument("--floor", type=Path, metavar="FLOOR.C", help="source of the hand-written C program")
    parser.add_argument("--no-peers", action="store_true", help="leave out what else can do J1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to keep the result, or what --write reads")
    parser.add_argument("--write", action="store_true", help="time nothing: write RESULTS.md from the JSON")
    return parser.parse_args(arguments)


def positive(text: str) -> int:
    """A whole number above zero."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number above zero, but {text!r} was given")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
