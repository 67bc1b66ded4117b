"""What else can do J1, on the same ensembles: dense solvers on the rate matrix, and hand-written C.

Peers start from the rates, which jaxrate works out from the parameters. The matrix is that of the rate equations with
the balance of the ground level replaced by the norm, as one would write it down.
"""

import os
import re
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from benchmarks import media, reference
from benchmarks.jobs import DTYPES, at, in_precision, largest, put, sample
from benchmarks.measure import Case, Reading

VMAP = "vmap(jnp.linalg.solve)"
VMAP_GIVEN = f"{VMAP}, matrices given"
NUMPY = "numpy.linalg.solve, matrices given"
LOOP = "scipy.linalg.solve in a loop, matrices given"
FLOOR = "hand-written C"

LOOP_LANES = 4096
"""Ensembles of the loop in Python: time per ensemble does not depend on their number there."""


def matrices(rates: Mapping[str, Any], xp: Any) -> Any:
    """Rate matrices with the norm in their first row, shape (lane, 4, 4); `xp` is numpy or jax.numpy."""
    wp, a32, a21, a10, w, a20 = (rates[name] for name in media.RATES)
    one, zero = xp.ones_like(wp), xp.zeros_like(wp)
    rows = [
        [one, one, one, one],
        [zero, -(a10 + w), a21 + w, zero],
        [zero, w, -(a21 + w + a20), a32],
        [wp, zero, zero, -a32],
    ]
    return xp.stack([xp.stack(row, axis=-1) for row in rows], axis=-2)


def right_side(dtype: str) -> np.ndarray:
    """Norm of one, balance of zero, shape (4,)."""
    return np.array([1, 0, 0, 0], dtype)


def error_of(rates: Mapping[str, Any], lanes: int) -> Callable[[Any], float]:
    """Judge of populations of shape (lane, 4)."""

    def error(found: Any) -> float:
        found = np.asarray(found)
        return largest(
            reference.relative_error(found[i], reference.of_rates(at(rates, int(i)))[:-1]) for i in sample(lanes)
        )

    return error


def solvers(lanes: int) -> list[Case]:
    """Dense solvers of JAX, NumPy and SciPy."""
    return [case for dtype in DTYPES for case in (*_jax_solvers(lanes, dtype), *_host_solvers(lanes, dtype))]


def _jax_solvers(lanes: int, dtype: str) -> Iterator[Case]:
    rates, one = put(media.draw_rates(lanes), dtype), right_side(dtype)
    solve = jax.vmap(jnp.linalg.solve, in_axes=(0, None))
    whole = jax.jit(lambda rates: solve(matrices(rates, jnp), jnp.asarray(one)))
    given = jax.jit(lambda K: solve(K, jnp.asarray(one)))
    with jax.enable_x64(dtype == "float64"):
        K, error = jax.block_until_ready(jax.jit(lambda rates: matrices(rates, jnp))(rates)), error_of(rates, lanes)
    yield Case("J1", VMAP, dtype, lanes, in_precision(dtype, lambda: whole(rates)), error)
    yield Case("J1", VMAP_GIVEN, dtype, lanes, in_precision(dtype, lambda: given(K)), error)


def _host_solvers(lanes: int, dtype: str) -> Iterator[Case]:
    rates = {name: value.astype(dtype) for name, value in media.draw_rates(lanes).items()}
    K, one, few = matrices(rates, np), right_side(dtype), min(lanes, LOOP_LANES)

    def batched() -> np.ndarray:
        return np.linalg.solve(K, one[:, None])[..., 0]

    def loop() -> np.ndarray:
        with warnings.catch_warnings():  # it finds each of these matrices ill-conditioned and says so
            warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)
            return np.stack([scipy.linalg.solve(K[i], one) for i in range(few)])

    options = {"on_host": True}
    yield Case("J1", NUMPY, dtype, lanes, batched, error_of(rates, lanes), **options)
    yield Case("J1", LOOP, dtype, few, loop, error_of(rates, few), **options)


FLAGS = ("-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math", "-fopenmp")

JUDGE = """
#define main timing_main
#include "{source}"
#undef main
int main(int argc, char **argv) {{
  long n = atol(argv[1]);
  REAL *p = malloc(6 * n * sizeof(REAL)), *o = malloc(5 * n * sizeof(REAL));
  if (fread(p, sizeof(REAL), 6 * n, stdin) != (size_t)(6 * n)) return 1;
  steady(n, p, o);
  return fwrite(o, sizeof(REAL), 5 * n, stdout) != (size_t)(5 * n);
}}
"""
"""The same function on ensembles of ours, since the program itself prints nothing but its time."""


@contextmanager
def floor(source: Path | None, lanes: int, report: Callable[[str], None]) -> Iterator[list[Case]]:
    """The C program as cases, compiled for this machine into a directory that is gone afterwards.

    Args:
        source: Path of floor.c; without it, or without a compiler, there are no cases and `report` is told why.
        lanes: Ensembles.
        report: Is told why there are none.
    """
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if source is None or compiler is None or not source.is_file():
        found = "no C compiler was found" if source and source.is_file() else f"there is no {source}"
        report("hand-written C is left out: " + (found if source else "say where its source is with --floor PATH"))
        yield []
        return
    with tempfile.TemporaryDirectory() as folder:
        yield [_floor(compiler, source.resolve(), Path(folder), lanes, dtype) for dtype in DTYPES]


def _floor(compiler: str, source: Path, folder: Path, lanes: int, dtype: str) -> Case:
    real = {"float64": "double", "float32": "float"}[dtype]
    timing, judge = folder / f"floor-{real}", folder / f"judge-{real}"
    wrapper = folder / "judge.c"
    wrapper.write_text(JUDGE.format(source=source), encoding="utf-8")

    def compile_to(program: Path, text: Path) -> None:
        run([compiler, *FLAGS, f"-DREAL={real}", str(text), "-o", str(program), "-lm"])

    def call() -> Reading:
        if not timing.exists():
            compile_to(timing, source)
        printed = run([str(timing), str(lanes), "16"]).decode()
        found = re.search(r"^J1 \S+ (\S+) ns/ensemble", printed, re.MULTILINE)
        if found is None:
            raise ValueError(f"the floor must print `J1 ... ns/ensemble`, but it printed {printed!r}.")
        return Reading(1e-9 * float(found[1]) * lanes, compile_seconds=None)

    def error(_: Any) -> float:
        few = min(lanes, LOOP_LANES)
        rates = {name: value.astype(dtype) for name, value in media.draw_rates(few).items()}
        compile_to(judge, wrapper)
        found = np.frombuffer(run([str(judge), str(few)], np.stack(list(rates.values())).tobytes()), dtype)
        return error_of(rates, few)(found.reshape(5, few)[:4].T)

    return Case("J1", FLOOR, dtype, lanes, call, error, on_host=True)


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
