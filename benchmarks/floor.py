"""Hand-written C that does J1 and J2 on the same ensembles, from the rates: what this machine can reach."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import exact_paths, media
from benchmarks.ensembles import DTYPES
from benchmarks.measure import Case, Reading
from benchmarks.peers import LOOP_LANES, error_of
from benchmarks.transients import SPACING, TIMES, judge_of_curves

FLOOR = "hand-written C"
GROUP = 16
"""Lanes that it takes together in J2."""
JOBS = ("J1", "J2")

FLAGS = ("-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math", "-fopenmp")
REALS = {"float64": "double", "float32": "float"}
ORDERS = {"float64": 16, "float32": 9}
"""Terms of the Taylor sum in J2."""
NUM_TIMES = len(TIMES["J2"])

JUDGE = """
#define main timing_main
#include "{source}"
#undef main
int main(int argc, char **argv) {{
  long n = atol(argv[2]), outputs = argv[1][1] == '1' ? 5 : {times};
  REAL *p = malloc(6 * n * sizeof(REAL)), *o = malloc(outputs * n * sizeof(REAL));
  if (fread(p, sizeof(REAL), 6 * n, stdin) != (size_t)(6 * n)) return 1;
  if (outputs == 5) steady(n, p, o); else transient(n, p, o, (REAL){spacing}, {order});
  return fwrite(o, sizeof(REAL), outputs * n, stdout) != (size_t)(outputs * n);
}}
"""
"""The same functions on ensembles of ours, since the program itself prints nothing but its times."""


@dataclass(frozen=True)
class Floor:
    """The program in one precision.

    Attributes:
        compiler: Path of a C compiler.
        source: Path of floor.c.
        folder: Where to put what is compiled.
        dtype: Precision.
    """

    compiler: str
    source: Path
    folder: Path
    dtype: str

    def case(self, job: str, lanes: int) -> Case:
        """A job as a line of the table, in whole groups of lanes."""
        lanes = max(GROUP, lanes // GROUP * GROUP)
        return Case(
            job,
            FLOOR,
            self.dtype,
            lanes,
            lambda: self.timed(job, lanes),
            lambda _: self.error(job, min(lanes, LOOP_LANES)),
            on_host=True,
        )

    def timed(self, job: str, lanes: int) -> Reading:
        """What the program says of itself, the other job kept short."""
        sizes = [str(lanes if job == other else GROUP) for other in JOBS]
        printed = run([str(self.compiled("timing", self.source)), *sizes]).decode()
        found = re.search(rf"^{job} \S+ (\S+) ns/ensemble", printed, re.MULTILINE)
        if found is None:
            raise ValueError(f"the floor must print `{job} ... ns/ensemble`, but it printed {printed!r}.")
        return Reading(1e-9 * float(found[1]) * lanes, compile_seconds=None)

    def error(self, job: str, lanes: int) -> float:
        """Largest error of its functions."""
        rates = {name: value.astype(self.dtype) for name, value in media.draw_rates(lanes).items()}
        given = np.stack(list(rates.values())).tobytes()
        printed = run([str(self.compiled("judge", self.wrapper())), job, str(lanes)], given)
        found = np.frombuffer(printed, self.dtype).reshape(-1, lanes)
        if job == "J1":
            return error_of(rates, lanes)(found[:4].T)
        return judge_of_curves(job, rates, exact_paths.of_rates)(found)

    def wrapper(self) -> Path:
        """Source of the program that computes what is judged."""
        text = JUDGE.format(source=self.source, times=NUM_TIMES, spacing=SPACING, order=ORDERS[self.dtype])
        place = self.folder / f"judge-{self.dtype}.c"
        place.write_text(text, encoding="utf-8")
        return place

    def compiled(self, name: str, text: Path) -> Path:
        """A program, compiled when it is first asked for."""
        program = self.folder / f"{name}-{self.dtype}"
        if not program.exists():
            run([self.compiler, *FLAGS, f"-DREAL={REALS[self.dtype]}", str(text), "-o", str(program), "-lm"])
        return program


@contextmanager
def floor(source: Path | None, lanes: Mapping[str, int], report: Callable[[str], None]) -> Iterator[list[Case]]:
    """The C program as cases, compiled for this machine into a directory that is gone afterwards.

    Args:
        source: Path of floor.c; without it, or without a compiler, there are no cases and `report` is told why.
        lanes: Ensembles of each job; it does those of `JOBS`.
        report: Is told why there are none.
    """
    jobs = [job for job in JOBS if job in lanes]
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if not jobs or source is None or compiler is None or not source.is_file():
        found = "no C compiler was found" if source and source.is_file() else f"there is no {source}"
        if jobs:
            report("hand-written C is left out: " + (found if source else "say where its source is with --floor PATH"))
        yield []
        return
    with tempfile.TemporaryDirectory() as folder:
        programs = [Floor(compiler, source.resolve(), Path(folder), dtype) for dtype in DTYPES]
        yield [program.case(job, lanes[job]) for job in jobs for program in programs]


def run(command: Sequence[str], given: bytes = b"") -> bytes:
    """Output of a program.

    Raises:
        RuntimeError: it failed; with the first line it complained with.
    """
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    if done.returncode != 0:
        complaint = done.stderr.decode().strip().splitlines() or [f"it ended with code {done.returncode}"]
        raise RuntimeError(f"{Path(command[0]).name}: {complaint[0]}")
    return done.stdout
