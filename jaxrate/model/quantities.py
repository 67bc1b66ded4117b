"""What a number in a statement may be, and what becomes of it: a named parameter in SI units."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from jaxrate.expr import Expr
from jaxrate.units import to_si

Quantity = float | int | str | Expr | Callable[..., Any]
"""A bare SI number, text with a unit, an expression of parameters, or (last resort) a Python function."""

Domain = Literal["positive", "nonnegative", "finite"]


@dataclass(frozen=True)
class Parameter:
    """A named number of a model.

    Args:
        name: "laser.B": the axis of a sweep, the free name of a fit, the key of a gradient.
        unit: SI unit.
        value: SI value, an expression of other parameters, or a function of (theta, populations).
        domain: What values are legal in a lane.
        source: Where the number comes from.
    """

    name: str
    unit: str
    value: float | Expr | Callable[..., Any]
    domain: Domain = "nonnegative"
    source: str = ""


def parameter(
    name: str, given: Quantity, unit: str, domain: Domain = "nonnegative", source: str = "", si: float | None = None
) -> Parameter:
    """Read one number of a statement; `si` is its value where it has been converted already."""
    if isinstance(given, Expr) or (callable(given) and si is None):
        return Parameter(name, unit, given, domain, source)
    value = to_si(given, unit, name) if si is None else si
    check_domain(name, value, domain, given)
    return Parameter(name, unit, float(value), domain, source)


def check_domain(name: str, value: float, domain: Domain, given: object) -> None:
    """Refuse a stated number outside its domain."""
    if (domain == "nonnegative" and value < 0) or (domain == "positive" and value <= 0):
        wanted = "positive" if domain == "positive" else "zero or positive"
        raise ValueError(f"`{name}` must be {wanted}, but {given!r} was given.")
