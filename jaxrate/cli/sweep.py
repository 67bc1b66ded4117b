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
from jaxrate.plot import curves, histogram
from jaxrate.plot import map as draw_map
from jaxrate.sweep.cluster import engine, read_workers
from jaxrate.sweep.completion import Stopped, SweepError, complete
from jaxrate.sweep.engine import Engine
from jaxrate.sweep.estimate import estimate
from jaxrate.sweep.job import Job
from jaxrate.sweep.progress import bar, lines
from jaxrate.sweep.statement import apply_set, read_statement
from jaxrate.sweep.store import OtherPlan, Store, create, open_store

OTHER_PLAN, LEFT_OUT, STOPPED = 3, 4, 75
"""Exit codes: the store is of another sweep, units were left out, stopped and resumable."""
DRAWN = 4_000_000
"""Numbers in a picture at most."""


def run(arguments: argparse.Namespace) -> int:
    """Begin a sweep or go on with one; with --dry-run say what it would cost."""
    results.use_float64()
    chosen = _engine(arguments)
    if arguments.resume is not None:
        return _finish(open_store(_only(arguments)), chosen)
    if arguments.target is None or (arguments.output is None and not arguments.dry_run):
        raise UsageError("write `jaxrate sweep FILE.toml -o DIR`, or `jaxrate sweep --resume DIR`")
    job = read(arguments.target, arguments.set)
    if arguments.dry_run:
        print(estimate(job, arguments.output or Path(), arguments.unit_size))
        return 0
    try:
        store = create(arguments.output, job, arguments.unit_size)
    except OtherPlan as error:
        return _say(error, OTHER_PLAN)
    return _finish(store, chosen)


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


def _only(arguments: argparse.Namespace) -> Path:
    """The store to resume, which says everything else itself."""
    given = {"FILE": arguments.target, "-o": arguments.output, "--unit-size": arguments.unit_size}
    for name, value in {**given, "--set": arguments.set or None}.items():
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
    return engine(arguments.engine, {name: value for name, value in given.items() if value is not None})


def _finish(store: Store, chosen: Engine) -> int:
    """Compute what is missing of a store, and say how it went."""
    stop, start = threading.Event(), time.monotonic()
    try:
        with interrupts.told(stop, STOPPED):
            complete(store, chosen, True, stop, bar if sys.stderr.isatty() else lines)
    except SweepError as error:
        return _say(error, LEFT_OUT)
    except Stopped as error:
        return _say(error, STOPPED)
    except KeyboardInterrupt:
        return _say(f"interrupted; what is done is stored: go on with --resume {store.path}", STOPPED)
    except OSError as error:
        reason = error.strerror or str(error)
        return _say(f"{reason}; what is done is stored: when there is room, go on with --resume {store.path}", STOPPED)
    _report(store, time.monotonic() - start)
    return 0


def _say(error: Exception | str, code: int) -> int:
    print(f"jaxrate: {error}", file=sys.stderr)
    return code


def _report(store: Store, seconds: float) -> None:
    ds = store.read()
    count, failed = store.job.size, int(ds.attrs["failed"])
    print(f"{count:,} ensembles in {len(store.units):,} units: complete, after {seconds:.1f} s of this run.")
    if failed:
        print(f"{failed:,} have no result; `jaxrate status {store.path}` says why.")
    written = {store.results: f'results: jr.open("{store.path}")'}
    results.announce(written | pictures(ds, store.path / "plots"))


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
    if "ensemble" in array.dims or name.endswith("_histogram"):
        return histogram(ds, name) if array.ndim == 1 else None
    return {1: curves, 2: draw_map}.get(array.ndim, lambda _: None)(array)
