"""What a number in a statement may be, and what becomes of it: a named parameter in SI units."""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from jaxrate.constants import c
from jaxrate.expr import Expr
from jaxrate.names import shown
from jaxrate.units import to_frequency, to_si, to_width

Quantity = float | int | str | Expr | Callable[..., Any]
"""A bare SI number, text with a unit, an expression of parameters and populations, or, last, a Python function."""

ANY_FREQUENCY = 1e14
"""Line centre [Hz] at which a width in wavelength is read only to see that it can be."""

Domain = Literal["positive", "nonnegative", "finite"]


@dataclass(frozen=True)
class Parameter:
    """A named number of a model.

    Args:
        name: "laser.B": the axis of a sweep, the free name of a fit, the key of a gradient.
        unit: SI unit.
        value: SI value, an expression of other parameters and of populations, or a function of (theta, populations).
        domain: What values are legal in a lane.
        source: Where the number comes from.
    """

    name: str
    unit: str
    value: float | Expr | Callable[..., Any]
    domain: Domain = "nonnegative"
    source: str = ""


def units_by_name(parameters: Iterable[Parameter]) -> dict[str, str]:
    """SI unit of each parameter, and of a list of them by its own name: `wdm.power` has that of `wdm.power[0]`."""
    found = {p.name: p.unit for p in parameters}
    return found | {name.rpartition("[")[0]: unit for name, unit in found.items() if name.endswith("]")}


def is_rule(given: object) -> bool:
    """Whether a number follows from others: an expression, or a function of (theta, populations)."""
    return isinstance(given, Expr) or (callable(given) and not isinstance(given, type))


def follows_populations(name: str, rules: Mapping[str, Any], populations: Collection[str]) -> bool:
    """Whether a number depends on populations: it is one, a Python function gives it, or it is made of such a number.

    Args:
        name: Of a parameter or a population.
        rules: Expressions and functions by the parameter they give.
        populations: Names of the populations.
    """
    if name in populations:
        return True
    rule = rules.get(name)
    if not isinstance(rule, Expr):
        return rule is not None
    return any(follows_populations(part, rules, populations) for part in rule.names)


def parameter(
    name: str, given: Any, unit: str, domain: Domain = "nonnegative", source: str = "", si: float | None = None
) -> Parameter:
    """Read one number of a statement; `si` is its value where it has been converted already."""
    if si is None and is_rule(given):
        _check_function(name, given)
        return Parameter(name, unit, given, domain, source)
    value = to_si(given, unit, name) if si is None else si
    _check_domain(name, value, domain, given)
    return Parameter(name, unit, float(value), domain, source)


def _check_function(name: str, given: Any) -> None:
    """Refuse a Python function that cannot be called with two values."""
    if not inspect.isfunction(given):
        return
    try:
        inspect.signature(given).bind({}, {})
    except TypeError:
        raise ValueError(
            f"`{name}`: a Python function is called as rule(theta, populations), but {shown(given)} does not take two "
            "values. A formula is better stated as jr.expr(...)."
        ) from None


def width_parameter(name: str, given: Any, centre: float, domain: Domain = "positive", source: str = "") -> Parameter:
    """Read a width (FWHM) [Hz]; one in wavelength is converted at the line's `centre` [Hz]."""
    number = None if is_rule(given) else float(to_width(given, name, centre))
    return parameter(name, given, "Hz", domain, source, si=number)


def light_frequency(label: str, frequency: Any, wavelength: Any) -> float | None:
    """Frequency [Hz] that a line or a beam states, as such or as vacuum wavelength; None where it states neither."""
    if frequency is not None and wavelength is not None:
        raise ValueError(f"`{label}`: state `wavelength` or `frequency`, not both.")
    if wavelength is not None:
        metres = parameter(f"{label}.wavelength", wavelength, "m", "positive").value
        if is_rule(metres):
            raise ValueError(f"`{label}.wavelength` must be a number; an expression may state `frequency`.")
        return c / float(metres)  # type: ignore[arg-type]
    return None if frequency is None else float(to_frequency(frequency, f"{label}.frequency"))


def _check_domain(name: str, value: float, domain: Domain, given: object) -> None:
    if (domain == "nonnegative" and value < 0) or (domain == "positive" and value <= 0):
        wanted = "positive" if domain == "positive" else "zero or positive"
        raise ValueError(f"`{name}` must be {wanted}, but {shown(given)} was given.")


def plain(name: str, given: Any) -> Any:
    """One value of a statement; NumPy's numbers become Python's, so that equal statements are equal and print alike.

    Raises:
        ValueError: several values were given where one is stated.
    """
    if isinstance(given, np.generic | np.ndarray) and np.ndim(given) == 0:
        return given.item()
    if isinstance(given, list | tuple | dict | set | np.ndarray):
        raise ValueError(
            f"`{name}` must be one value, but {shown(given)} was given. The values of a batch are given where the "
            "model is solved: jr.steady_state(model, {'parameter': values})."
        )
    return given


def several(given: Any) -> tuple | None:
    """A list or another collection as a tuple; None where one thing was given."""
    values = given.tolist() if isinstance(given, np.ndarray) else given
    return None if isinstance(values, str | Mapping) or not isinstance(values, Iterable) else tuple(values)


def settle(statement: Any, owner: str, lists: Collection[str] = ()) -> None:
    """Check the fields of a statement for what holds everywhere: one value each, `source` is text.

    Args:
        statement: A frozen dataclass under construction.
        owner: Its name, for messages.
        lists: Fields that may hold several values.
    """
    for field in fields(statement):
        if field.name not in lists:
            object.__setattr__(statement, field.name, plain(f"{owner}.{field.name}", getattr(statement, field.name)))
    check_text(f"{owner}.source", getattr(statement, "source", ""))


def check_text(name: str, given: object) -> None:
    """Refuse what is not text."""
    if not isinstance(given, str):
        raise ValueError(f"`{name}` must be text, but {shown(given)} was given.")


def check_name(what: str, given: object, forbidden: tuple[str, ...] = ()) -> None:
    """Refuse a name that no reaction, message or file could quote."""
    fine = isinstance(given, str) and given != "" and given.strip() == given and given.isprintable()
    if not fine or any(part in str(given) for part in ("`", *forbidden)):
        without = "".join(f", `{part}`" for part in forbidden)
        raise ValueError(
            f"{what} must be text on one line, without backquotes{without} and blanks around it, "
            f"but {shown(given)} was given."
        )
