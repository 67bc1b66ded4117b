"""Parameters that are switched: constant from one time to the next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from jaxrate.arrays import namespace
from jaxrate.expr import Expr
from jaxrate.model.quantities import Quantity
from jaxrate.names import shown
from jaxrate.solve.pulse_fields import check_height, is_endless
from jaxrate.solve.repeats import passed
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

    def values(self, t: Any, parameters: Mapping[str, Any]) -> Any:
        """Values at times of any shape; its own must be SI numbers or expressions by now."""
        xp, starts = namespace(t), np.array(self.edges[1:-1])
        numbers = [value for _, _, value in self.parts if not isinstance(value, Expr)]
        if len(numbers) == len(self.parts):
            return xp.take(np.array(numbers, np.float64), passed(starts, t), mode="clip")
        found = [value(parameters) if isinstance(value, Expr) else value for _, _, value in self.parts]
        xp, result = namespace(t, *found), found[0] + 0.0 * t
        for start, value in zip(starts, found[1:], strict=True):
            result = xp.where(t >= start, value, result)
        return result


def _part(part: Any) -> tuple[float, float, Quantity]:
    if not isinstance(part, Sequence) or isinstance(part, str) or len(part) != 3:
        raise ValueError(f"A segment must be (start, end, value), but {shown(part)} was given.")
    start, end = (float("inf") if is_endless(t) else float(to_si(t, "s", "segment")) for t in part[:2])
    if not 0 <= start < end:
        raise ValueError(f"A segment must end after it starts, from 0 s on, but {shown(tuple(part))} was given.")
    return start, end, check_height("value of a segment", part[2])
