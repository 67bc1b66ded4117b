"""Finished fits, kept in a file as they come, so that an interrupted run goes on to the identical answer.

A run makes the same calls in the same order whenever it is started with the same numbers and the same seed. The
journal keeps what each returned, in batches; a run that is started again is told what it had found already.
"""

import hashlib
import io
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jaxrate.fit.problem import U, run_fits
from jaxrate.solve.lanes import Kernel, block_size, num_cores
from jaxrate.sweep.partial import write_whole

BLOCKS = 8
"""Blocks of fits to a core in a batch: what is lost at most when a run is interrupted."""
PAUSE = 5.0
"""Seconds between two writings."""


@dataclass
class Journal:
    """What fits have found.

    Args:
        path: Where to keep it; nowhere by default.
        fingerprint: Of the numbers and settings that the fits follow from.
        advance: Called with the number of fits that were done.
    """

    path: Path | None = None
    fingerprint: str = ""
    advance: Callable[[int], Any] = lambda fits: None
    entries: dict[str, np.ndarray] = field(default_factory=dict)
    calls: int = 0
    written: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if self.path is not None and self.path.exists():
            self.entries = _read(self.path, self.fingerprint)

    def fits(self, kernel: Kernel, base: np.ndarray, u: np.ndarray, own: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Run fits, or recall them; see `run_fits`."""
        num = max([u.shape[1], *(x.shape[1] for x in own.values())])
        size = block_size(kernel) * num_cores() * BLOCKS if self.path else num
        call, self.calls = self.calls, self.calls + 1
        parts = []
        for low in range(0, num, size):
            cut = {name: _cut(x, low, low + size) for name, x in {U: u, **own}.items()}
            parts.append(
                self._recalled(f"{call}/{low}-{low + size}", lambda cut=cut: run_fits(kernel, base, cut.pop(U), cut))
            )
            self.advance(min(size, num - low))
        return {name: np.concatenate([np.atleast_1d(p[name]) for p in parts], axis=-1) for name in parts[0]}

    def _recalled(self, key: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        known = {k.removeprefix(f"{key}/"): x for k, x in self.entries.items() if k.startswith(f"{key}/")}
        if known:
            return known
        found = compute()
        if self.path is not None:
            self.entries |= {f"{key}/{name}": np.array(x) for name, x in found.items()}
            if time.monotonic() - self.written > PAUSE:
                self.write()
        return found

    def write(self) -> None:
        """Write everything found so far, whole or not at all."""
        if self.path is None or not self.entries:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        data = io.BytesIO()
        np.savez(data, fingerprint=np.array(self.fingerprint), **self.entries)  # type: ignore[arg-type]
        write_whole(self.path, data.getvalue())
        self.written = time.monotonic()


def _cut(x: np.ndarray, low: int, high: int) -> np.ndarray:
    return x if x.shape[1] == 1 else x[:, low:high]


def _read(path: Path, fingerprint: str) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            entries = {name: stored[name] for name in stored.files}
    except (zipfile.BadZipFile, ValueError, TypeError, OSError, EOFError) as error:
        raise ValueError(
            f"`{path}` is no checkpoint of a fit, or is damaged ({error}): remove it to begin anew."
        ) from None
    if str(entries.pop("fingerprint", "")) != fingerprint:
        raise ValueError(
            f"`{path}` is a checkpoint of another fit: other data, model or settings. Remove it to begin anew."
        )
    return entries


def fingerprint(*parts: Any) -> str:
    """SHA-256 of arrays and of what prints alike whenever it is alike."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return digest.hexdigest()
