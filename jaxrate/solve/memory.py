"""Memory of results, used again: the first touch of fresh pages costs more than the solve that fills them."""

import math
import mmap
import threading
import weakref
from collections import deque

import numpy as np

KEPT_BYTES = 2**30
"""Memory kept for the next results when arrays of results are no longer used."""
SMALLEST = 2**20
"""Results of fewer bytes are left to NumPy."""

_lock = threading.Lock()
_kept: deque[mmap.mmap] = deque()


def result_array(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Uninitialised array whose address JAX can take over without a copy; large ones in memory used before."""
    size = math.prod(shape) * dtype.itemsize
    if size < SMALLEST:
        return _aligned(size).view(dtype).reshape(shape)
    memory = _taken(size) or _fresh(size)
    whole = np.frombuffer(memory, np.uint8)
    weakref.finalize(whole, _give_back, memory).atexit = False
    return whole[:size].view(dtype).reshape(shape)


def _aligned(size: int, boundary: int = 64) -> np.ndarray:
    raw = np.empty(size + boundary, np.uint8)
    start = -raw.ctypes.data % boundary
    return raw[start : start + size]


def _fresh(size: int) -> mmap.mmap:
    memory = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _taken(size: int) -> mmap.mmap | None:
    """Kept memory of this size, or a little more."""
    with _lock:
        fitting = [memory for memory in _kept if size <= len(memory) <= 1.25 * size]
        if not fitting:
            return None
        best = min(fitting, key=len)
        _kept.remove(best)
        return best


def _give_back(memory: mmap.mmap) -> None:
    """Called when the last array in this memory is gone. The oldest kept memory makes room for it."""
    with _lock:
        _kept.append(memory)
        while sum(map(len, _kept)) > KEPT_BYTES:
            _kept.popleft()
