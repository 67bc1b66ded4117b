"""Memory of results: asked for beforehand, and used again, as touching fresh pages costs more than a solve."""

import gc
import math
import mmap
import threading
import time
import weakref
from collections import deque
from contextlib import suppress
from pathlib import Path

import numpy as np

KEPT_BYTES = 2**30
"""Memory kept for the next results when arrays of results are no longer used."""
SMALLEST = 2**20
"""Results of fewer bytes are left to NumPy."""

UNASKED = 2**26
"""Bytes that are taken without asking."""

AGAIN = 1.0
"""Seconds for which it is remembered how much was free, for results of less than an eighth of it."""

_lock = threading.Lock()
_kept: deque[mmap.mmap] = deque()
_returned: deque[mmap.mmap] = deque()
"""Memory of arrays that are gone, not yet among what is kept: they may go at any time, while that is looked at too."""
_asked = (-math.inf, 0)
"""When it was asked how much is free, and the answer."""


def check_room(size: int) -> None:
    """Refuse results that there is no memory for, before anything is solved.

    Args:
        size: Their bytes.

    Raises:
        MemoryError: with what to do instead.
    """
    if size <= UNASKED or _is_plenty(size):
        return
    free = available()
    if free is not None and size > free:
        raise MemoryError(
            f"The results need {size / 1e9:.3g} GB, but {free / 1e9:.3g} GB of memory are free. Reduce them while they "
            "are solved (jr.sweep(..., reduce='mean')), read fewer observables or times, or take precision='float32'."
        )


def _is_plenty(size: int) -> bool:
    """Whether there was far more a moment ago: to ask takes as long as to solve a hundred thousand ensembles."""
    global _asked
    when, free = _asked
    if time.monotonic() - when > AGAIN:
        free = available() or 0
        _asked = (time.monotonic(), free)
    return 8 * size < free


def available() -> int | None:
    """Bytes that this process may still take, of the machine and of its control group; None where nobody says."""
    found: list[int] = []
    with suppress(OSError, KeyError, ValueError):
        found.append(1024 * _table("/proc/meminfo")["MemAvailable:"])
    with suppress(OSError, KeyError, ValueError):
        group = Path("/sys/fs/cgroup")
        used = int((group / "memory.current").read_text()) - _table(str(group / "memory.stat"))["inactive_file"]
        found.append(int((group / "memory.max").read_text()) - used)
    return min(found) if found else None


def _table(path: str) -> dict[str, int]:
    """Lines of a name and a number."""
    lines = (line.split() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return {line[0]: int(line[1]) for line in lines if len(line) > 1 and line[1].isdigit()}


def result_array(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Uninitialised array whose address JAX can take over without a copy; large ones in memory used before."""
    size = math.prod(shape) * dtype.itemsize
    if size < SMALLEST:
        return _aligned(size).view(dtype).reshape(shape)
    memory = _taken(size) or _taken_back(size) or _fresh(size)
    whole = np.frombuffer(memory, np.uint8)
    weakref.finalize(whole, _give_back, memory).atexit = False
    return whole[:size].view(dtype).reshape(shape)


def _aligned(size: int, boundary: int = 64) -> np.ndarray:
    raw = np.empty(size + boundary, np.uint8)
    start = -raw.ctypes.data % boundary
    return raw[start : start + size]


def _fresh(size: int) -> mmap.mmap:
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    memory = mmap.mmap(-1, size, **private)  # what is shared has no huge pages
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _taken_back(size: int) -> mmap.mmap | None:
    """Kept memory, after JAX has let go of what is behind arrays of its own that are gone: it waits for this call."""
    gc.collect(0)
    return _taken(size)


def _taken(size: int) -> mmap.mmap | None:
    """Kept memory of this size, or a little more."""
    with _lock:
        fitting = [memory for memory in kept() if size <= len(memory) <= 1.25 * size]
        if not fitting:
            return None
        best = min(fitting, key=len)
        _kept.remove(best)
        return best


def _give_back(memory: mmap.mmap) -> None:
    """Called when the last array in this memory is gone, by any thread and from within any code: it takes no lock."""
    _returned.append(memory)


def kept() -> deque[mmap.mmap]:
    """Memory that is kept, after that of arrays that are gone has joined it; the oldest makes room for it."""
    while _returned:
        _kept.append(_returned.popleft())
    while sum(map(len, _kept)) > KEPT_BYTES:
        _kept.popleft()
    return _kept
