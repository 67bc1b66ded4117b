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
    if not engine.is_driver:
        engine.run(store, [], Watch(store))
        return
    damaged = faults(store, progress, show)
    if damaged:
        store.results.reopen()
    for k in damaged:
        store.ledger.strike(k)
    if store.is_complete and not store.pending():
        return
    store.prepare()
    with logged(store.path / "logs") as log:
        for k, fault in damaged.items():
            log.warning("%s: %s", f"unit {k} is computed again" if k != FRAME else "written again", fault)
        _run(store, engine, Watch(store, stop=stop or threading.Event()), progress, show)


def _run(store: Store, engine: Engine, watch: Watch, progress: bool | None, show: Callable) -> None:
    """Compute what is missing, and conclude."""
    for note in (store.path / "quarantine").glob("*.txt"):  # they get another chance
        note.unlink(missing_ok=True)
    pending = store.pending()
    lanes = sum(store.units.lanes(k)[1] for k in pending)
    with show(store.job.size, progress, initial=store.job.size - lanes) as watch.advance:
        engine.run(store, pending, watch)
    _conclude(store, watch, engine.writes_itself)


def _conclude(store: Store, watch: Watch, trusted: bool) -> None:
    """Write the results if every unit is done, and right where others wrote it."""
    if watch.failures:
        raise SweepError(_failures(store, watch.failures))
    for k in () if trusted else [k for k in watch.finished if store.fault(k)]:
        store.ledger.strike(k)
    if missing := store.pending():
        left = f"{len(missing)} of {len(store.units)} units"
        raise Stopped(f"stopped with {left} to do; what is done is stored: go on with --resume {store.path}")
    store.finish()


def _failures(store: Store, failures: Mapping[int, str]) -> str:
    k, story = next(iter(failures.items()))
    what = "unit was" if len(failures) == 1 else "units were"
    return (
        f"{len(failures)} {what} left out because they cannot be computed; all others are done. The first is unit {k}: "
        f"{story.strip().splitlines()[-1]} The whole story is in `{store.path / 'quarantine'}`; "
        f"--resume {store.path} tries again."
    )


def faults(store: Store, progress: bool | None = None, show: Callable = bar) -> dict[int, str]:
    """What is wrong with units that the ledger says are done, by unit: their arrays are read and compared.

    What surrounds the numbers, coordinates and metadata, goes as unit `FRAME`.
    """
    done = sorted(store.ledger.units())
    with show(len(done), progress if done else False, unit=" units checked") as advance:
        found = {FRAME: fault} if (fault := store.frame_fault()) else {}
        for k in done:
            if fault := store.fault(k):
                found[k] = fault
            advance(1)
    return found
