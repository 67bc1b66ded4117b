"""From a store that is begun to one that is complete: damage is found, what is missing computed, results written."""

import threading
from collections.abc import Callable, Mapping

from jaxrate.sweep.engine import Engine, Watch, logged
from jaxrate.sweep.progress import bar
from jaxrate.sweep.store import Store

FRAME = -1
"""Stands for what surrounds the numbers of all units."""


class SweepError(RuntimeError):
    """Units of a sweep that could not be computed; all others are done and stored."""


class Stopped(RuntimeError):
    """A sweep that was told to stop: what is done is stored, and it can go on."""


def complete(
    store: Store,
    engine: Engine,
    progress: bool | None = None,
    stop: threading.Event | None = None,
    show: Callable = bar,
) -> None:
    """Check what is done of a store, compute what is not, and write the results.

    Args:
        store: The store.
        engine: What computes.
        progress: Whether to show a bar.
        stop: Set by somebody else to stop.
        show: What shows progress, as `bar`.

    Raises:
        SweepError: some units could not be computed.
        Stopped: `stop` was set.
    """
    watch = Watch(store, stop=stop or threading.Event())
    with engine.joined(store):
        damaged = faults(store, progress, show, watch.stop)
        if store.is_complete and not damaged and not store.pending():
            return
        store.prepare()
        with logged(store.path / "logs") as log:
            for k, fault in damaged.items():
                log.warning("%s: %s", f"unit {k} is computed again" if k != FRAME else "written again", fault)
            _strike(store, set(damaged))
            _run(store, engine, watch, progress, show)


def _strike(store: Store, damaged: set[int]) -> None:
    """Forget what is damaged."""
    if damaged:
        store.results.reopen()
    for k in damaged - {FRAME}:
        store.ledger.strike(k)


def _run(store: Store, engine: Engine, watch: Watch, progress: bool | None, show: Callable) -> None:
    """Compute what is missing, and conclude."""
    for note in (store.path / "quarantine").glob("*.txt"):  # they get another chance
        note.unlink(missing_ok=True)
        (store.path / "attempts" / note.stem).unlink(missing_ok=True)
    pending = store.pending()
    lanes = sum(store.units.lanes(k)[1] for k in pending)
    with show(store.job.size, progress, initial=store.job.size - lanes) as watch.advance:
        engine.run(store, pending, watch)
    trusted = watch.finished - watch.skipped if engine.writes_itself else set()
    _strike(store, {k for k in watch.finished - trusted if store.fault(k)})
    _conclude(store, watch.failures)


def _conclude(store: Store, failures: Mapping[int, str]) -> None:
    """Write the results if every unit is done."""
    missing = store.pending()
    if not missing:
        store.finish()
    elif set(missing) <= set(failures):
        raise SweepError(_failures(store, failures))
    else:
        left = f"{len(missing)} of {len(store.units)} units"
        failed = f", {len(failures)} of which failed" if failures else ""
        raise Stopped(f"stopped with {left} to do{failed}; what is done is stored: go on with --resume {store.path}")


def _failures(store: Store, failures: Mapping[int, str]) -> str:
    k, story = next(iter(failures.items()))
    which = "1 unit is" if len(failures) == 1 else f"{len(failures)} units are"
    return (
        f"{which} left out, which could not be computed; all others are done. The first is unit {k}: "
        f"{story.strip().splitlines()[-1]} The whole story is in `{store.path / 'quarantine'}`; "
        f"--resume {store.path} tries again."
    )


def faults(
    store: Store, progress: bool | None = None, show: Callable = bar, stop: threading.Event | None = None
) -> dict[int, str]:
    """What is wrong with units that the ledger says are done, by unit: their arrays are read and compared.

    What surrounds the numbers, coordinates and metadata, goes as unit `FRAME`.

    Args:
        store: The store.
        progress, show, stop: As for `complete`.

    Raises:
        Stopped: `stop` was set.
    """
    done = sorted(store.ledger.units())
    found = {FRAME: store.frame_fault()}
    with show(len(done), progress if done else False, unit=" units checked") as advance:
        for k in done:
            if stop is not None and stop.is_set():
                raise Stopped(f"stopped while what is done was checked; go on with --resume {store.path}")
            found[k] = store.fault(k)
            advance(1)
    return {k: fault for k, fault in found.items() if fault}
