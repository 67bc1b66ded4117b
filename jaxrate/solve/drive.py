"""Drives: parameters that change in time, stated piece by piece."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from jaxrate.expr import Expr
from jaxrate.model.quantities import Quantity, parameter
from jaxrate.names import shown
from jaxrate.network.network import Network
from jaxrate.units import to_si


@dataclass(frozen=True)
class Segments:
    """A parameter that is constant in each of several intervals of time, one after the other.

    Args:
        parts: (start, end, value) of each; times in s or with a unit, the last end may be `numpy.inf`. A value is a
            number in SI units, text with a unit, or an expression of parameters, which may be the driven one itself:
            `jr.expr("pump.rate")` is what the batch says.

    Raises:
        ValueError: no segment, one that does not follow the one before it, one that ends before it starts, or a
            Python function.

    Examples:
        >>> jr.Segments([(0, "1 ms", "100 s^-1"), ("1 ms", np.inf, 0.0)])
    """

    parts: Sequence[tuple[str | float, str | float, Quantity]]

    def __post_init__(self) -> None:
        if isinstance(self.parts, str) or not isinstance(self.parts, Sequence) or not self.parts:
            raise ValueError(f"Segments must be a list of (start, end, value), but {shown(self.parts)} was given.")
        object.__setattr__(self, "parts", tuple(_part(part) for part in self.parts))
        if self.edges[0] != 0:
            raise ValueError(f"The first segment must start at 0 s, but it starts at {self.edges[0]:g} s.")
        for end, start in ((float(a[1]), float(b[0])) for a, b in pairwise(self.parts)):
            if start != end:
                what = "leave a gap" if start > end else "overlap"
                raise ValueError(f"Segments must follow each other, but they {what} from {end:g} to {start:g} s.")

    @property
    def edges(self) -> tuple[float, ...]:
        """Start of each segment, and the end of the last [s]."""
        return (*(float(start) for start, _, _ in self.parts), float(self.parts[-1][1]))

    def at(self, time: float) -> Quantity:
        """Value of the segment in which a time lies; one that starts there goes before one that ends there."""
        place = int(np.searchsorted(self.edges, time, side="right")) - 1
        return self.parts[min(place, len(self.parts) - 1)][2]


def _part(part: Any) -> tuple[float, float, Quantity]:
    if not isinstance(part, Sequence) or isinstance(part, str) or len(part) != 3:
        raise ValueError(f"A segment must be (start, end, value), but {shown(part)} was given.")
    start, end = (float("inf") if _is_endless(t) else float(to_si(t, "s", "segment")) for t in part[:2])
    if not 0 <= start < end:
        raise ValueError(f"A segment must end after it starts, from 0 s on, but {shown(tuple(part))} was given.")
    if callable(part[2]) and not isinstance(part[2], Expr):
        raise ValueError("The value of a segment must be a number, text with a unit or jr.expr(...), not a function.")
    return start, end, part[2]


def _is_endless(time: Any) -> bool:
    return isinstance(time, float | np.floating) and bool(np.isposinf(time))


Drive = tuple[tuple[str, Segments], ...]
"""Driven parameters by name."""


def read_drive(drive: Mapping[str, Segments] | None) -> Drive:
    """Check what kind of thing a drive is.

    Raises:
        ValueError: it is not a dictionary of segments.
    """
    if drive is not None and not isinstance(drive, Mapping):
        raise ValueError(f"`drive` must be {{'pump.rate': jr.Segments([...])}}, but {shown(drive)} was given.")
    for name, segments in (drive or {}).items():
        if not isinstance(segments, Segments):
            raise ValueError(f"The drive of `{name}` must be jr.Segments([...]), but {shown(segments)} was given.")
    return tuple((drive or {}).items())


def edges(drive: Drive) -> list[float]:
    """Times at which any driven parameter may change [s], 0 first, the end last; (0, inf) where nothing is driven."""
    inner = {edge for _, segments in drive for edge in segments.edges[:-1]}
    return [*sorted(inner | {0.0}), min((segments.edges[-1] for _, segments in drive), default=float("inf"))]


def check_drive(drive: Drive, network: Network) -> None:
    """Refuse a drive that the model cannot follow: unknown parameters, wrong units, values out of range."""
    network.check_names([name for name, _ in drive])
    for name, segments in drive:
        for _, _, value in segments.parts:
            settled(name, value, network)


def check_varied(drive: Drive, network: Network, given: Collection[str]) -> None:
    """Refuse to vary a driven parameter whose value no segment uses."""
    used = {name for _, segments in drive for _, _, v in segments.parts if isinstance(v, Expr) for name in v.names}
    for name in given:
        if name in dict(drive) and name not in used:
            raise ValueError(
                f"`{name}` is driven in time, so its value in the batch would not be used; where it is meant, write "
                f"jr.expr('{name}') in a segment."
            )


def settled(name: str, value: Quantity, network: Network) -> float | Expr:
    """Value of a segment in SI units, or a checked expression."""
    stated = next(p for p in network.model.parameter_list if p.name == name)
    if isinstance(value, Expr):
        value.check([p.name for p in network.model.parameter_list], f"segment of {name}")
        return value
    return parameter(name, value, stated.unit, stated.domain).value  # type: ignore[return-value]


def driven(drive: Drive, network: Network, parameters: Mapping[str, Any], time: float) -> dict[str, Any]:
    """Values of the driven parameters at a time, expressions evaluated with what they are otherwise."""
    found = {name: settled(name, segments.at(time), network) for name, segments in drive}
    return {name: value(parameters) if isinstance(value, Expr) else value for name, value in found.items()}
