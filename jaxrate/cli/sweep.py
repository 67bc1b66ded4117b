"""`jaxrate sweep`: a sweep as a file states it, in a store that survives whatever stops it."""

import argparse
import sys
import threading
import time
import tomllib
from pathlib import Path
from typing import Any

import xarray as xr

from jaxrate.cli import interrupts, results
from jaxrate.cli.entry import UsageError
from jaxrate.cli.programs import set_up_jax
from jaxrate.plot import curves, histogram
from jaxrate.plot import map as draw_map
from jaxrate.sweep.cluster import engine
from jaxrate.sweep.completion import Stopped, SweepError, complete
from jaxrate.sweep.engine import Engine
from jaxrate.sweep.estimate import estimate
from jaxrate.sweep.flight import ClusterRefused
from jaxrate.sweep.grid import ENSEMBLE
from jaxrate.sweep.job import Job
from jaxrate.sweep.limits import read_workers
from jaxrate.sweep.plan import PLAN, OtherPlan
from jaxrate.sweep.progress import bar, lines
from jaxrate.sweep.statement import apply_set, read_statement
from jaxrate.sweep.store import Store, create, open_store

OTHER_PLAN, LEFT_OUT, STOPPED = 3, 4, 75
"""Exit codes: the store is of another sweep, units were left out, stopped and resumable."""
DRAWN = 4_000_000
"""Numbers in a picture at most."""


def run(arguments: argparse.Namespace) -> int:
    """Begin a sweep or go on with one; with --dry-run say what it would cost."""
    set_up_jax()
    chosen = _engine(arguments)
    if arguments.resume is not None:
        store = open_store(_only(arguments))
        chosen.check()
        return _finish(store, chosen)
    output: Path = arguments.output
    if arguments.target is None or (output is None and not arguments.dry_run):
        raise UsageError("write `jaxrate sweep FILE.toml -o DIR`, or `jaxrate sweep --resume DIR`")
    job = read(arguments.target, arguments.set)
    chosen.check()
    try:
        if arguments.dry_run:
            return _try(job, output, arguments.unit_size)
        return _finish(create(output, job, arguments.unit_size), chosen)
    except OtherPlan as error:
        return _say(error, OTHER_PLAN)


def _try(job: Job, output: Path | None, unit_size: int | None) -> int:
    """Say what a sweep would cost."""
    if output is not None and (output / PLAN).exists():
        create(output, job, unit_size)  # which is refused where it would be
    try:
        with interrupts.raised():
            print(estimate(job, output or Path(), unit_size))
    except SweepError as error:
        return _say(error, LEFT_OUT)
    return 0


def read(path: Path, assignments: list[str]) -> Job:
    """The sweep that a file states, with some of it set anew.

    Raises:
        OSError: it cannot be read.
        ValueError: bad syntax, an unknown key (the nearest is named), or what `jr.sweep` refuses.
    """
    try:
        return read_statement(apply_set(tomllib.loads(path.read_bytes().decode("utf-8-sig")), assignments), path.parent)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        if error.filename is not None:
            raise
        raise ValueError(f"{path}: {error}") from error  # what it names as its model is not there


def _only(arguments: argparse.Namespace) -> Path:
    """The store to resume, which says everything else itself."""
    given = {"FILE": arguments.target, "-o": arguments.output, "--unit-size": arguments.unit_size}
    given |= {"--set": arguments.set or None, "--dry-run": arguments.dry_run or None}
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"a store says itself what is swept: leave out {name} beside --resume")
    return arguments.resume


def _engine(arguments: argparse.Namespace) -> Engine:
    low, high = read_workers(arguments.workers) if arguments.workers else (None, None)
    given = {
        "minimum": low,
        "maximum": high,
        "cores": arguments.cpus_per_task,
        "memory": arguments.mem,
        "time": arguments.time,
        "partition": arguments.partition,
        "account": arguments.account,
        "gres": arguments.gres,
    }
    found = {name: value for name, value in given.items() if value is not None}
    if found and arguments.engine != "slurm" and arguments.engine.partition(":")[0] in ("local", "slurm-alloc", "dask"):
        flags = "--workers, --cpus-per-task, --mem, --gres, --time, --partition and --account"
        raise UsageError(f"{flags} are of --engine slurm, but the engine is {arguments.engine}")
    return engine(arguments.engine, found)


def _finish(store: Store, chosen: Engine) -> int:
    """Compute what is missing of a store, and say how it went."""
    stop, start, done = threading.Event(), time.monotonic(), len(store.ledger.units())
    try:
        with interrupts.told(stop, STOPPED):
            complete(store, chosen, True, stop, bar if sys.stderr.isatty() else lines)
    except SweepError as error:
        return _say(error, LEFT_OUT)
    except Stopped as error:
        return _say(error, STOPPED)
    except KeyboardInterrupt:
        return _say(f"interrupted; what is done is stored: go on with --resume {store.path}", STOPPED)
    except ClusterRefused as error:
        return _say(error, STOPPED if len(store.ledger.units()) > done else 2)
    except OSError as error:
        reason = f"{error.strerror}: {error.filename or store.path}" if error.strerror else str(error)
        return _say(f"{reason}; what is done is stored: when that is mended, go on with --resume {store.path}", STOPPED)
    _report(store, time.monotonic() - start)
    return 0


def _say(error: Exception | str, code: int) -> int:
    print(f"jaxrate: {error}", file=sys.stderr)
    return code


def _report(store: Store, seconds: float) -> None:
    ds = store.read()
    count, failed = store.job.size, int(ds.attrs["failed"])
    units = f"{len(store.units):,} unit{'s' if len(store.units) > 1 else ''}"
    print(f"{count:,} ensembles in {units}: complete, after {seconds:.1f} s of this run.")
    if failed:
        print(f"{failed:,} have no result; `jaxrate status {store.path}` says why.")
    written = {store.results.path: f'results: jr.open("{store.path}")'}
    try:
        written |= pictures(ds, store.path / "plots")
    except OSError as error:
        _say(f"the results are complete, but could not be drawn: {error.strerror}", 0)
    results.announce(written)


def pictures(ds: xr.Dataset, folder: Path) -> dict[Path, str]:
    """Draw what a sweep found, where it has one axis or two."""
    found: dict[Path, str] = {}
    for name in map(str, ds.data_vars):
        drawn = None if name in ("status", "count", "failed") else _drawn(ds, name)
        if drawn is not None:
            path = folder / f"{name.replace('/', '_')}.png"
            results.save_figure(drawn, path)
            found[path] = str(ds[name].attrs.get("long_name", name))
    return found


def _drawn(ds: xr.Dataset, name: str) -> Any:
    """A histogram of what was drawn at random, a curve over one axis, a map over two; else nothing."""
    array = ds[name].squeeze()
    if not 1 < array.size <= DRAWN or name.endswith(("_below", "_above")):
        return None
    if ENSEMBLE in array.dims or name.endswith("_histogram"):
        return histogram(ds, name) if array.ndim == 1 else None
    return {1: curves, 2: draw_map}.get(array.ndim, lambda _: None)(array)
