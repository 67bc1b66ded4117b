"""Units handed to the workers of a dask cluster: a few at a time, each until it is committed or left out."""

import queue
import signal
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NoReturn

from jaxrate.sweep.engine import Watch, compute_unit, is_full
from jaxrate.sweep.plan import StoreError
from jaxrate.sweep.store import Store

PER_WORKER = 4
"""Units in flight for each worker: it never waits for the next one, and the scheduler never holds many."""
TRIALS = 3
"""How often a unit may fail by what may be the fault of machines, dead workers or disks, before it is left out."""
HOPELESS = 20
"""Units that fail, none having succeeded, before it is not the units that are bad but the workers."""
POLL = 0.5
"""Seconds between two looks at what else there is to do."""
GRACE = 60.0
"""Seconds that units which are being computed get to end, after a signal."""
PATIENCE = 60.0
"""Seconds that a result may be on its way; after that its unit is sent again, and is found to be done."""


class ClusterMissing(ImportError, ValueError):
    """The packages that clusters need are not installed."""


class ClusterRefused(ValueError):
    """There is no cluster of the kind that was asked for, or it does not do what it is asked."""


class ClusterLost(ConnectionError):
    """The cluster is gone. What was finished is stored, and the rest can be resumed."""


class Flight:
    """The units of a run on their way through a cluster.

    A unit that fails is tried once more and then left out. Where a worker dies, dask charges all units that it had;
    one that is charged too often is computed again at the end, with nobody beside it.

    Args:
        client: Of the cluster.
        store: On a file system that the workers share.
        pending: Units to compute.
        watch: Told of each.
        least: Units in flight at least, by which an adaptive cluster sees how many workers it needs.
    """

    def __init__(self, client: Any, store: Store, pending: Sequence[int], watch: Watch, least: int = 2) -> None:
        self.client, self.watch, self.least = client, watch, least
        self.store = str(store.path.resolve()), store.fingerprint
        self.pending, self.alone = deque(pending), deque[int]()
        self.flying: dict[str, tuple[int, Any]] = {}
        self.landed: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.trials: Counter[int] = Counter()

    def run(self, tend: Callable[[], object] = lambda: None) -> None:
        """Send units until all are dealt with, or until the watch says to stop.

        Args:
            tend: Called every now and then.

        Raises:
            ClusterLost: the cluster is gone.
            ClusterRefused: the workers cannot compute anything.
            OSError: the disk is full.
            StoreError: the workers do not see the store.
        """
        room, tended = self.least, 0.0
        while (self.pending or self.alone or self.flying) and not self.watch.stopping:
            if time.monotonic() > tended + POLL:
                room, tended = max(self.least, PER_WORKER * self._num_workers()), time.monotonic()
                tend()
            self._launch(room)
            self._land(POLL)
        if self.flying:
            self._wait_for_running()

    def _num_workers(self) -> int:
        try:
            if self.client.status == "running":
                return len(self.client.nthreads())
        except OSError:
            pass
        raise ClusterLost("The dask scheduler is gone. What was finished is stored: resume the sweep.")

    def _launch(self, room: int) -> None:
        while self.pending and len(self.flying) < room:
            self._send(self.pending.popleft())
        if self.alone and not self.flying:
            self._send(self.alone.popleft())

    def _send(self, k: int) -> None:
        future = self.client.submit(compute_unit, *self.store, k, pure=False, retries=1)
        self.flying[future.key] = k, future
        future.add_done_callback(lambda future: self.landed.put(future.key))

    def _land(self, seconds: float) -> None:
        """Take in a unit that has come back, if one does in time."""
        try:
            k, future = self.flying.pop(self.landed.get(timeout=seconds))
        except (queue.Empty, KeyError):  # nothing yet, or one that was called back
            return
        if future.status == "error":
            self._failed(k, future)
            return
        try:
            done = future.result(timeout=PATIENCE)
        except Exception:  # cancelled, or lost on its way here: of the unit itself it says nothing
            self._num_workers()  # whether there still is a cluster
            self._leave_for_the_end(k, "Its result could not be read, again and again.")
        else:
            self.watch.done(done)

    def _failed(self, k: int, future: Any) -> None:
        error = future.exception(timeout=PATIENCE)
        said = "".join(traceback.format_exception(type(error), error, future.traceback(timeout=PATIENCE)))
        if isinstance(error, distributed().KilledWorker):
            self._leave_for_the_end(k, "Worker after worker died that computed it, also with no other unit there.")
        elif is_full(error):
            raise error
        elif isinstance(error, OSError):
            self._leave_for_the_end(k, said)
        elif isinstance(error, ImportError):
            raise ClusterRefused(f"The workers lack what this process has: {error}")
        elif isinstance(error, StoreError):
            raise StoreError(f"A worker does not find the store; the directory must be on a disk they share. {error}")
        else:
            self._leave_out(k, said)

    def _leave_for_the_end(self, k: int, said: str) -> None:
        """A unit that may be innocent is tried again when it is alone."""
        self.trials[k] += 1
        if self.trials[k] < TRIALS:
            self.alone.append(k)
        else:
            self._leave_out(k, said)

    def _leave_out(self, k: int, said: str) -> None:
        self.watch.failed(k, said)
        if not self.watch.finished and len(self.watch.failures) >= HOPELESS:
            raise ClusterRefused(f"Unit after unit fails on the workers: {said.splitlines()[-1]}")

    def _wait_for_running(self) -> None:
        """After a signal: what is computed just now may end; what only waits is not begun."""
        until = time.monotonic() + GRACE
        running = {key for stacks in self.client.call_stack().values() for key in stacks}
        waiting = [self.flying.pop(key)[1] for key in list(self.flying) if key not in running]
        self.client.cancel(waiting)
        while self.flying and time.monotonic() < until:
            self._land(POLL)


def distributed() -> ModuleType:
    """The package of that name.

    Raises:
        ClusterMissing: it is not installed.
    """
    try:
        import distributed
    except ImportError as error:
        _missing("distributed", error)
    return distributed


def jobqueue() -> ModuleType:
    """The package dask_jobqueue, which when imported takes Ctrl-C for itself: it is given back.

    Raises:
        ClusterMissing: it is not installed.
    """
    before = signal.getsignal(signal.SIGINT)
    try:
        import dask_jobqueue
        import dask_jobqueue.slurm
    except ImportError as error:
        _missing("dask-jobqueue", error)
    finally:
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGINT, before)
    return dask_jobqueue


def _missing(name: str, error: ImportError) -> NoReturn:
    raise ClusterMissing(
        f"This engine needs {name}, which is not installed ({error}): pip install 'jaxrate[cluster]'."
    ) from error
