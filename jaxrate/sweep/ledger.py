"""The ledger of a sweep: one file a finished unit, written last and whole. What it says is what was done."""

import base64
import contextlib
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jaxrate.sweep.partial import write_whole


@dataclass(frozen=True)
class Entry:
    """What is known of a finished unit.

    Attributes:
        unit: Its number.
        fingerprint: Of the plan.
        checksums: CRC-32C of the values of each stored array.
        statuses: Number of lanes of each status.
        totals: What it was reduced to, by name; empty where arrays are stored.
        seconds: Time it took.
        ended: When it was done, in seconds since 1970.
        made: Machine and versions that computed it.
    """

    unit: int
    fingerprint: str
    checksums: Mapping[str, int]
    statuses: Mapping[int, int]
    totals: Mapping[str, np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0
    ended: float = 0.0
    made: Mapping[str, Any] = field(default_factory=dict)


class Ledger:
    """The entries of a store.

    Args:
        folder: Where they are.
        fingerprint: Of the plan; entries of another one do not count.
        number: Of units.
    """

    def __init__(self, folder: Path, fingerprint: str, number: int) -> None:
        self.folder, self.fingerprint, self.number = folder, fingerprint, number

    def path(self, unit: int) -> Path:
        """File of a unit."""
        return self.folder / f"{unit:06d}.json"

    def read(self, unit: int) -> Entry | None:
        """Entry of a unit; None where there is none, or one that is damaged or of another plan."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            entry = _entry(self.path(unit).read_bytes())
            if entry.unit == unit and entry.fingerprint == self.fingerprint:
                return entry
        return None

    def write(self, entry: Entry) -> None:
        """Write an entry: it is there whole or not at all."""
        write_whole(self.path(entry.unit), _text(entry))

    def strike(self, unit: int) -> None:
        """Take an entry out: its unit is to be computed again."""
        self.path(unit).unlink(missing_ok=True)

    def units(self) -> set[int]:
        """Units that have a file, which may be damaged."""
        if not self.folder.is_dir():
            return set()
        names = (name.removesuffix(".json") for name in os.listdir(self.folder) if name.endswith(".json"))
        return {int(name) for name in names if name.isdecimal() and int(name) < self.number}


def busy_seconds(entries: Iterable[Entry]) -> float:
    """Time in which at least one of the units was computed."""
    total, until = 0.0, 0.0
    for begin, end in sorted((entry.ended - entry.seconds, entry.ended) for entry in entries):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return round(total, 3)


def _text(entry: Entry) -> bytes:
    body = vars(entry) | {
        "statuses": {str(code): number for code, number in entry.statuses.items()},
        "totals": {name: _packed(x) for name, x in entry.totals.items()},
    }
    return json.dumps({"checksum": _checksum(body), "entry": body}, indent=1).encode()


def _checksum(body: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(body, sort_keys=True).encode())


def _entry(data: bytes) -> Entry:
    found = json.loads(data)
    entry = found["entry"]
    if _checksum(entry) != found["checksum"]:
        raise ValueError("The entry is damaged.")
    statuses = Counter({int(code): number for code, number in entry["statuses"].items()})
    totals = {name: _unpacked(x) for name, x in entry["totals"].items()}
    return Entry(**{**entry, "statuses": statuses, "totals": totals})


def _packed(x: np.ndarray) -> dict[str, Any]:
    data = base64.b64encode(np.ascontiguousarray(x).data).decode()
    return {"dtype": x.dtype.str, "shape": list(x.shape), "base64": data}


def _unpacked(given: Mapping[str, Any]) -> np.ndarray:
    flat = np.frombuffer(base64.b64decode(given["base64"], validate=True), given["dtype"])
    return flat.reshape(given["shape"]).copy()
