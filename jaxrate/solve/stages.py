"""Output times sorted into intervals of constant rates."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jax import Array
from jax.core import Tracer

from jaxrate.names import shown
from jaxrate.units import to_si


@dataclass(frozen=True)
class Stage:
    """What happens in one interval of constant rates; equal stages share one program.

    Attributes:
        begins: Start of the interval [s].
        num: Number of output times in it.
        goes_on: Whether the populations at its end are needed.
        uniform: Whether its times are evenly spaced, from its start or from one spacing after it.
        from_start: Whether the first time is its start.
    """

    begins: float
    num: int
    goes_on: bool
    uniform: bool
    from_start: bool

    @property
    def size(self) -> int:
        """Times to compute: those of the output, and the end."""
        return self.num + self.goes_on


def read_times(times: Any) -> Any:
    """Times as an array [s].

    Raises:
        ValueError: they decrease, repeat, are negative or not finite, or there are none.
    """
    if isinstance(times, Tracer):
        return times
    given = np.asarray(times) if isinstance(times, Array) else times
    found = np.asarray(to_si(given, "s", "times"), dtype=np.float64)
    if found.ndim != 1 or not found.size:
        raise ValueError(f"`times` must be a list of times in s, but {shown(times)} was given.")
    if found[0] < 0 or np.any(np.diff(found) <= 0):
        wrong = int(np.argmax(np.diff(found, prepend=-np.inf) <= 0)) if found[0] >= 0 else 0
        raise ValueError(
            f"`times` must increase from 0 s or later, but number {wrong + 1} is {found[wrong]:g} s"
            + (f" after {found[wrong - 1]:g} s." if wrong else ".")
        )
    return found


def planned(times: np.ndarray, marks: list[float]) -> list[tuple[Stage, np.ndarray]]:
    """Output times by interval; those at an edge belong to the interval that begins there."""
    check_end(marks[-1], times[-1])
    needed = [mark for mark in marks if mark <= times[-1]]
    ends = [*needed[1:], np.inf]
    stages = []
    for begins, end in zip(needed, ends, strict=True):
        own = times[(times >= begins) & (times < end)] - begins
        goes_on = end < np.inf
        if own.size or goes_on:
            stages.append(_stage(begins, own, end - begins if goes_on else None))
    return stages


def check_end(end: float, last: float) -> None:
    """Refuse a drive that ends before the last time."""
    if last > end:
        raise ValueError(f"The drive ends at {end:g} s, but `times` go on to {last:g} s: add a segment.")


def _stage(begins: float, own: np.ndarray, end: float | None) -> tuple[Stage, np.ndarray]:
    wanted = own if end is None else np.append(own, end)
    from_start = wanted[0] == 0 and wanted.size > 1
    spacing = wanted[-1] / (wanted.size - 1 if from_start else wanted.size)
    even = spacing * np.arange(0 if from_start else 1, wanted.size + (not from_start))
    uniform = bool(np.all(np.abs(wanted - even) <= 8 * np.finfo(float).eps * (begins + wanted[-1])))
    return Stage(begins, own.size, end is not None, uniform, from_start), wanted
