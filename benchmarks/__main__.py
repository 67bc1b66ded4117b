"""`python -m benchmarks`: time the jobs and their peers, print a table, keep the JSON, write RESULTS.md from it.

Everything, with the peers of the extra `bench`: `python -m benchmarks --floor FLOOR.C --json benchmarks/results.json`;
then `python -m benchmarks --write`. Transients alone: `--jobs J2,J2G,J3`; lasers and reactions:
`--jobs "N1,N2 Robertson,N2 Oregonator,N3,POWER,STEPS"`; amplifiers: `--jobs A1,A1G,A2,GRIDS`; the curves over numbers
of ensembles and of levels: `--jobs MACHINE,J1,J2,SIZES,LEVELS`. On a GPU the same, to `--json
benchmarks/results-gpu.json`: it is kept beside, and SCALING.md shows both.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.sizes import LANES

HERE = Path(__file__).resolve().parent
PLATFORMS = {"cpu": "cpu", "gpu": "cuda,cpu"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for."""
    asked = read_arguments(arguments)
    if asked.device is not None:
        os.environ["JAX_PLATFORMS"] = PLATFORMS[asked.device]  # before the first import of jax; children inherit it
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # or children would find the GPU's memory taken
    if asked.write:
        return write(asked.json or HERE / "results.json")
    from benchmarks import report

    result = run(asked)
    print(report.text(result))
    if asked.json is not None:
        asked.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if any(entry["failed"] and not entry["may_fail"] for entry in result["entries"]) else 0


def write(source: Path) -> int:
    """The pages and their pictures, beside the JSON they are made from: of results-gpu.json RESULTS-GPU.md."""
    from benchmarks import report, scaling
    from benchmarks.pictures import PICTURES

    if not source.is_file():
        raise SystemExit(f"--write reads what `--json {source}` kept, but there is no such file.")
    kept, suffix = json.loads(source.read_text(encoding="utf-8")), suffix_of(source)
    page = source.with_name(f"RESULTS{suffix.upper()}.md")
    page.write_text(report.markdown(kept, suffix), encoding="utf-8")
    written = [page]
    for picture in PICTURES:
        if picture.has_curves(kept):
            written.append(source.with_name(picture.file(suffix)))
            picture.draw(kept, written[-1])
    if not suffix:
        written += scaling.write(kept, source.parent)
    print("wrote " + ", ".join(str(path) for path in written))
    return 0


def suffix_of(source: Path) -> str:
    """What the files of this run have behind their names: "-gpu" of results-gpu.json."""
    return source.stem.removeprefix("results") if source.stem.startswith("results-") else ""


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Measure, and say meanwhile what is being done."""
    from benchmarks import ensembles, floor, jobs, measure

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    unknown = [name for name in asked.jobs if name not in LANES]
    if unknown:
        raise SystemExit(f"--jobs must name jobs of {', '.join(LANES)}, but {', '.join(unknown)} was given.")
    lanes = {name: asked.lanes or LANES[name] for name in asked.jobs}
    found = measure.device().split(":")[0]
    if asked.device not in (None, found):
        raise SystemExit(f"--device {asked.device} was asked for, but JAX finds none and would compute on the {found}.")
    facts = {**measure.facts(), "rounds": asked.rounds, "sample": ensembles.SAMPLE}
    cases = [case for name in asked.jobs for case in jobs.JOBS[name](lanes[name])]
    if asked.no_peers:
        return {**facts, "entries": measure.measure(cases, asked.rounds, tell)}
    with floor.floor(asked.floor, lanes, tell) as written:
        others = [case for name in asked.jobs for case in peers_of(name, lanes[name], tell)]
        return {**facts, "entries": measure.measure([*cases, *written, *others], asked.rounds, tell)}


def peers_of(job: str, lanes: int, tell: Callable[[str], None]) -> list[Any]:
    """Cases of the libraries that can do a job."""
    from benchmarks import (
        amplifiers,
        by_levels,
        by_size,
        exponentials,
        fits,
        kinetics,
        lasers,
        ode,
        peers,
        stiff_peers,
        transients,
    )

    everywhere = {"A1": amplifiers.peers, "J1": peers.solvers, "SIZES": by_size.solvers, "LEVELS": by_levels.solvers}
    if job in everywhere:
        return everywhere[job](lanes)
    if job == "FIT":
        return fits.peers(lanes, tell)
    if job == "N1":
        return [*stiff_peers.solvers(lasers.TURN_ON, lanes, tell), *stiff_peers.coarse_solvers(lasers.TURN_ON)]
    if job in kinetics.PROBLEMS:
        return stiff_peers.solvers(kinetics.PROBLEMS[job], lanes, tell)
    if job in transients.TIMES:
        return [*exponentials.exponentials(job, lanes), *ode.solvers(job, lanes, tell)]
    return []


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    every = ",".join(LANES)
    parser.add_argument("--jobs", type=lambda text: text.split(","), default=every, metavar="A,B", help=f"of {every}")
    parser.add_argument(
        "--lanes",
        type=positive,
        help="ensembles of every job, of some the most (default: each job's full size)",
    )
    parser.add_argument("--rounds", type=positive, default=5, help="times that each case is timed (default: 5)")
    parser.add_argument("--device", choices=PLATFORMS, help="what JAX computes on (default: what it finds)")
    parser.add_argument("--floor", type=Path, metavar="FLOOR.C", help="source of the hand-written C program")
    parser.add_argument("--no-peers", action="store_true", help="leave out what else can do the same jobs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to keep the result, or what --write reads")
    parser.add_argument(
        "--write",
        action="store_true",
        help="time nothing: write the pages and pictures from the JSON",
    )
    return parser.parse_args(arguments)


def positive(text: str) -> int:
    """A whole number above zero."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number above zero, but {text!r} was given")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
