"""What the fields of a pulse may be: times in s, and heights that wait for the unit of what is driven."""

from typing import Any

import numpy as np

from jaxrate.expr import Expr
from jaxrate.model.quantities import plain
from jaxrate.names import shown
from jaxrate.units import to_si


def is_endless(time: Any) -> bool:
    """Whether a time is infinite."""
    return isinstance(time, float | np.floating) and bool(np.isposinf(time))


def check_height(name: str, given: Any) -> Any:
    """One value of a drive: a number, text or an expression.

    Raises:
        ValueError: several values, or a Python function.
    """
    if callable(given) and not isinstance(given, Expr):
        raise ValueError(f"The {name} must be a number, text with a unit or jr.expr(...), not a function.")
    return plain(name, given)


def read_fields(pulse: Any, times: tuple[str, ...] = (), spans: tuple[str, ...] = ()) -> None:
    """Check the fields of a pulse, and keep its times in s."""
    kind = type(pulse).__name__
    for key in ("peak", "base"):
        object.__setattr__(pulse, key, check_height(f"{key} of a {kind}", getattr(pulse, key)))
    for key in times:
        object.__setattr__(pulse, key, float(to_si(plain(key, getattr(pulse, key)), "s", f"{kind}.{key}")))
    for key in spans:
        object.__setattr__(pulse, key, read_span(pulse, key))


def read_span(pulse: Any, key: str) -> float:
    """A time of a pulse that must be positive [s]."""
    given = plain(key, getattr(pulse, key))
    span = float(to_si(given, "s", f"{type(pulse).__name__}.{key}"))
    if span <= 0:
        raise ValueError(f"`{type(pulse).__name__}.{key}` must be positive, but {shown(given)} was given.")
    return span
