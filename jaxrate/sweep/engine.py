"""The engine of a sweep in this process, and what all engines share: one unit computed and committed, and the watch."""

import contextlib
import errno
import logging
import os
import platform
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import jax

from jaxrate.sweep.store import Store, open_store
from jaxrate.sweep.unit import compute

IN_FLIGHT = 3
"""Units at a time: computed, written, and waiting for the disk."""
ATTEMPTS = 8
"""How often a unit may end the process that computes it before it is left out."""


@dataclass(frozen=True)
class Done:
    """A unit that was dealt with.

    Attributes:
        unit: Its number.
        lanes: Its ensembles.
        seconds: Time it took.
        skipped: Whether somebody else had done it.
    """

    unit: int
    lanes: int
    seconds: float
    skipped: bool


class Poisoned(RuntimeError):
    """A unit that ended the process that computed it, again and again."""


@dataclass
class Watch:
    """Keeps count of a run: progress, units that fail, and whether to stop.

    Attributes:
        store: What is run.
        advance: Called with the number of ensembles that were done.
        stop: Set by a signal, or by an error that is everybody's: no unit is begun any more.
        failures: What became of units that failed, by unit.
        finished: Units that are done, and those of them that somebody else had done.
    """

    store: Store
    advance: Callable[[int], Any] = lambda lanes: None
    stop: threading.Event = field(default_factory=threading.Event)
    failures: dict[int, str] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)
    skipped: set[int] = field(default_factory=set)

    @property
    def stopping(self) -> bool:
        """Whether to begin no more units."""
        return self.stop.is_set()

    def done(self, done: Done) -> None:
        """Count a unit."""
        self.finished.add(done.unit)
        if done.skipped:
            self.skipped.add(done.unit)
        self.advance(done.lanes)
        how = "was done already" if done.skipped else f"in {done.seconds:.3f} s"
        _log.info("unit %d: %d ensembles %s", done.unit, done.lanes, how)

    def failed(self, k: int, error: str) -> None:
        """Leave out a unit that cannot be computed; the others go on."""
        self.failures[k] = error
        (self.store.path / "quarantine" / f"{k:06d}.txt").write_text(error, encoding="utf-8")
        _log.error("unit %d is left out: %s", k, error)


class Engine(Protocol):
    """What computes units."""

    @property
    def writes_itself(self) -> bool:
        """Whether this process writes what is computed, and so need not read it again to be sure of it."""
        ...

    def check(self) -> None:
        """Refuse, before anything is written, what cannot compute here."""
        ...

    def joined(self, store: Store) -> contextlib.AbstractContextManager[object]:
        """What a sweep is checked, run and finished in; of several processes only one comes out of its beginning."""
        ...

    def run(self, store: Store, pending: Sequence[int], watch: Watch) -> None:
        """Compute units and commit them, in any order; return when all are dealt with or when told to stop."""
        ...


@dataclass(frozen=True)
class Local:
    """Units in this process: some at a time, so that one is computed on all cores while others are written; or one on
    each accelerator.

    Args:
        devices: Where; by default every accelerator of this machine, else its cores.
    """

    devices: tuple[Any, ...] | None = None
    writes_itself = True

    def check(self) -> None:
        """This process computes."""

    def joined(self, store: Store) -> contextlib.AbstractContextManager[object]:
        """There is nobody to join."""
        return contextlib.nullcontext()

    def run(self, store: Store, pending: Sequence[int], watch: Watch) -> None:
        """Compute units in their order."""
        devices = self.devices or [d for d in jax.local_devices() if d.platform != "cpu"] or [None] * IN_FLIGHT
        queue, lock = iter(pending), threading.Lock()
        with ThreadPoolExecutor(len(devices), thread_name_prefix="jaxrate-unit") as pool:
            running = [pool.submit(_work_off, store, _shared(queue, lock, watch), watch, d) for d in devices]
            try:
                for each in running:
                    each.result()
            except BaseException:  # Ctrl-C too
                watch.stop.set()
                raise


def _shared(queue: Iterator[int], lock: threading.Lock, watch: Watch) -> Iterator[int]:
    """Units that nobody else has taken, until the watch says to stop."""
    while not watch.stopping:
        with lock:
            k = next(queue, None)
        if k is None:
            return
        yield k


def _work_off(store: Store, queue: Iterator[int], watch: Watch, device: Any) -> None:
    """Compute units and commit them, one after the other."""
    try:
        with jax.default_device(device) if device else contextlib.nullcontext():
            for k in queue:
                if done := _attempt(store, k, watch):
                    watch.done(done)
    except BaseException:
        watch.stop.set()  # nor need the others go on
        raise


def _attempt(store: Store, k: int, watch: Watch) -> Done | None:
    """Compute and commit a unit, or leave it out; what is wrong with the disk is wrong for all."""
    try:
        return work(store, k)
    except OSError:
        raise
    except Exception as error:
        watch.failed(k, "".join(traceback.format_exception(error)))
        return None


def work(store: Store, k: int) -> Done:
    """Compute a unit and commit it, unless it is done.

    Raises:
        Poisoned: it has ended too many processes.
        OSError: it cannot be written.
    """
    start, lanes = time.perf_counter(), store.units.lanes(k)[1]
    if store.ledger.read(k) is not None:
        return Done(k, lanes, 0.0, skipped=True)
    attempts = store.path / "attempts" / f"{k:06d}"
    _count_attempt(attempts)
    try:
        found = compute(store.job, store.units, k)
        committed = store.commit(k, found, time.perf_counter() - start)
    finally:
        attempts.unlink(missing_ok=True)  # it did not end the process
    return Done(k, lanes, time.perf_counter() - start, skipped=not committed)


def _count_attempt(attempts: Path) -> None:
    with attempts.open("ab") as file:
        if file.tell() >= ATTEMPTS:
            raise Poisoned(f"It was begun {ATTEMPTS} times, and each time its process ended before it was done.")
        file.write(b".")


_one_at_a_time = threading.Lock()


def compute_unit(path: str, fingerprint: str, k: int) -> Done:
    """Compute a unit of a store and commit it, unless it is done; for processes that know no more than this.

    Args:
        path: The store.
        fingerprint: Of its plan.
        k: The unit.
    """
    with _one_at_a_time:  # a unit has all cores
        return work(_opened(path, fingerprint), k)


@lru_cache(maxsize=4)
def _opened(path: str, fingerprint: str) -> Store:
    """A store, kept with its compiled programs."""
    store = open_store(path)
    assert store.fingerprint == fingerprint
    return store


def is_full(error: BaseException) -> bool:
    """Whether there is no room on the disk."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


_log = logging.getLogger("jaxrate.sweep")


@contextlib.contextmanager
def logged(folder: Path) -> Iterator[logging.Logger]:
    """Within, what is done is written to a file of this process."""
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{platform.node()}-{os.getpid()}.log"
    handler = logging.FileHandler(folder / name, delay=True)
    handler.handleError = lambda record: None  # a full disk is reported once, by whoever writes results
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False
    try:
        yield _log
    finally:
        _log.removeHandler(handler)
        handler.close()
