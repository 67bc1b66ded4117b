"""What was asked of a fit, checked: which parameters are free, where they begin, and what is known of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jaxrate.expr import Expr
from jaxrate.fit.free import Free
from jaxrate.fit.readings import PER_DB
from jaxrate.fit.subject import Known
from jaxrate.names import shown, unknown
from jaxrate.units import read_any, to_frequency, to_si

FARTHEST = float(np.log(1e12))
"""How far from its start the logarithm of a parameter without a bound is looked for: what runs on has only a limit."""

Tie = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Wishes:
    """What is said about parameters, by name; numbers are SI or text with units.

    Args:
        free: Names of the free parameters.
        start: Where they begin; by default the model's value.
        bounds: (lower, upper), None where there is none.
        fixed: Values of others that differ from the model's.
        tie: Functions, or expressions, of the other parameters.
        prior: (mean, standard deviation) of a Gaussian; in dB it is one of the logarithm.
        per: {"light.scale": "dataset"}: parameters that every data set has for itself.
    """

    free: Sequence[str]
    start: Mapping[str, Any] = field(default_factory=dict)
    bounds: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    tie: Mapping[str, Tie | Expr | str] = field(default_factory=dict)
    prior: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    per: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Coordinate:
    """One free number.

    Attributes:
        name: Of the parameter, with its data set in brackets where each has its own.
        parameter: Of the parameter alone.
        unit: SI unit.
        logarithmic: Whether the coordinate is the logarithm.
        start, lower, upper: Of the coordinate; infinite where there is no bound.
    """

    name: str
    parameter: str
    unit: str
    logarithmic: bool
    start: float
    lower: float
    upper: float

    @property
    def ends(self) -> tuple[float, float]:
        """Bounds, or how far a logarithm is looked for."""
        farthest = FARTHEST if self.logarithmic else np.inf
        lower = self.lower if np.isfinite(self.lower) else self.start - farthest
        return lower, self.upper if np.isfinite(self.upper) else self.start + farthest

    @property
    def is_bounded(self) -> bool:
        """Whether both bounds were stated."""
        return bool(np.isfinite(self.lower) and np.isfinite(self.upper))

    def natural(self, u: Any) -> Any:
        """Parameter in SI units."""
        with np.errstate(over="ignore"):  # an end that is unbounded is infinite
            return np.exp(u) if self.logarithmic else u


@dataclass(frozen=True)
class Stated:
    """The free parameters, ready for a fit.

    Attributes:
        coordinates: The free numbers.
        free: Their static description.
        numbers: Their numbers in the base of a fit.
        fixed: Values that differ from the model's.
    """

    coordinates: tuple[Coordinate, ...]
    free: Free
    numbers: np.ndarray
    fixed: Mapping[str, float]


def stated(wishes: Wishes, known: Mapping[str, Known], conditions: set[str], datasets: Sequence[str]) -> Stated:
    """Check what was asked.

    Args:
        wishes: What was asked.
        known: Every parameter there is.
        conditions: Those that the tables give.
        datasets: Names of all data sets.

    Raises:
        ValueError: an unknown name (the nearest is proposed), one that is free and given as well, a start outside its
            bounds, a logarithm of what is not positive, or a wrong unit.
    """
    _check_names(wishes, known, conditions)
    fixed = {name: _si(name, known[name], value) for name, value in wishes.fixed.items()}
    coordinates = [c for name in wishes.free for c in _coordinates(wishes, name, known[name], datasets)]
    groups = tuple((n, tuple(i for i, c in enumerate(coordinates) if c.parameter == n)) for n in wishes.free)
    values = {name: fixed.get(name, k.value) for name, k in known.items()} | {c.parameter: 1.0 for c in coordinates}
    values = {name: 1.0 if value is None else value for name, value in values.items()} | dict.fromkeys(conditions, 1.0)
    ties = tuple((name, _rule(name, rule, values)) for name, rule in wishes.tie.items())
    priors = [
        (i, *_prior(c, known[c.parameter], wishes.prior[c.parameter]))
        for i, c in enumerate(coordinates)
        if c.parameter in wishes.prior
    ]
    constants = _constants(ties, wishes, known, fixed, conditions)
    free = Free(
        names=tuple(c.name for c in coordinates),
        logarithmic=tuple(c.logarithmic for c in coordinates),
        groups=groups,
        constants=tuple(constants),
        ties=ties,
        priors=tuple((i, in_log) for i, _, _, in_log in priors),
    )
    lower, upper = ([c.ends[side] for c in coordinates] for side in (0, 1))
    numbers = free.numbers(lower, upper, [*constants.values()], [p[1] for p in priors], [p[2] for p in priors])
    return Stated(tuple(coordinates), free, numbers, fixed)


def _check_names(wishes: Wishes, known: Mapping[str, Known], conditions: set[str]) -> None:
    if not wishes.free:
        raise ValueError("`free` must name the parameters to fit, for example free=['laser.B', 'density'].")
    if isinstance(wishes.free, str) or len(set(wishes.free)) != len(wishes.free):
        raise ValueError(f"`free` must be a list of different names, but {shown(wishes.free)} was given.")
    asked = {"start": wishes.start, "bounds": wishes.bounds, "prior": wishes.prior, "per": wishes.per}
    for what, given in {**asked, "fixed": wishes.fixed, "tie": wishes.tie}.items():
        if not isinstance(given, Mapping):
            raise ValueError(f"`{what}` must be a dict by parameter, {{name: ...}}, but {shown(given)} was given.")
    for name in [*wishes.free, *wishes.fixed, *wishes.tie, *(n for given in asked.values() for n in given)]:
        if name not in known:
            raise ValueError(unknown("parameter", name, known, "this fit"))
    for what, given in asked.items():
        for name in given:
            if name not in wishes.free:
                raise ValueError(
                    f"`{what}` names `{name}`, which is not free: add it to `free`, or give it in `fixed`."
                )
    _check_roles(wishes, conditions)
    for name, per in wishes.per.items():
        if per != "dataset":
            raise ValueError(f"`per` of `{name}` must be 'dataset', but {shown(per)} was given.")


def _check_roles(wishes: Wishes, conditions: set[str]) -> None:
    """Refuse parameters that get their value in two ways."""
    roles = {"free": set(wishes.free), "fixed": set(wishes.fixed), "tied": set(wishes.tie)}
    for name in dict.fromkeys([*wishes.free, *wishes.fixed, *wishes.tie]):
        own = [role for role, names in roles.items() if name in names]
        if name in conditions:
            raise ValueError(
                f"`{name}` is {own[0]}, but is a column of the table too: leave one of them away. "
                f"What is wrong with the numbers of a column is a factor, `{name}.scale`."
            )
        if len(own) > 1:
            raise ValueError(f"`{name}` is {' and '.join(own)}: it can be one of them only.")


def _coordinates(wishes: Wishes, name: str, known: Known, datasets: Sequence[str]) -> list[Coordinate]:
    given = wishes.start.get(name, known.value)
    if given is None:
        raise ValueError(f"`{name}` needs a start: start={{'{name}': ...}}.")
    start = _si(name, known, given)
    ends = wishes.bounds.get(name, (None, None))
    if not isinstance(ends, tuple | list) or len(ends) != 2:
        raise ValueError(
            f"The bounds of `{name}` must be (lower, upper), None where there is none, but {shown(ends)} was given."
        )
    lower, upper = (_end(name, known, end, nothing) for end, nothing in zip(ends, (-np.inf, np.inf), strict=True))
    logarithmic = lower >= 0 or (known.domain != "finite" and not -np.inf < lower < 0)
    lower = max(lower, 0.0) if logarithmic else lower
    if logarithmic and not start > 0:
        raise ValueError(
            f"`{name}` is fitted as its logarithm, so its start must be positive, but {start:g} was given: "
            f"give start={{'{name}': ...}}."
        )
    if not lower < upper:
        raise ValueError(
            f"The lower bound of `{name}`, {lower:g} {known.unit}, must be below the upper one, {upper:g} {known.unit}."
        )
    if not lower <= start <= upper:
        raise ValueError(
            f"The start of `{name}`, {start:g} {known.unit}, must lie in its bounds, "
            f"{lower:g} to {upper:g} {known.unit}."
        )
    with np.errstate(divide="ignore"):
        own = tuple(float(np.log(x)) if logarithmic else x for x in (start, lower, upper))
    names = [f"{name}[{dataset}]" for dataset in datasets] if name in wishes.per else [name]
    return [Coordinate(each, name, known.unit, logarithmic, *own) for each in names]


def _end(name: str, known: Known, value: Any, nothing: float) -> float:
    """SI value of a bound; infinite where there is none, which may be written so or as None."""
    return nothing if value is None or (isinstance(value, float) and value == nothing) else _si(name, known, value)


def _si(name: str, known: Known, value: Any) -> float:
    """SI value of something said about a parameter."""
    if np.ndim(value):
        raise ValueError(f"`{name}` must be one value, but {shown(value)} was given.")
    if not known.unit:
        return read_any(value, name)[0]
    if name.endswith(".frequency"):
        return float(to_frequency(value, name))
    return float(to_si(value, known.unit, name))


def _prior(coordinate: Coordinate, known: Known, given: Any) -> tuple[float, float, bool]:
    """Mean, standard deviation, and whether they are of the logarithm."""
    name = coordinate.parameter
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise ValueError(f"The prior of `{name}` must be (mean, standard deviation), but {shown(given)} was given.")
    in_log = _is_decibel(given[1]) and coordinate.logarithmic
    if in_log:
        mean = _decibel(given[0], name) if _is_decibel(given[0]) else float(np.log(_si(name, known, given[0])))
        deviation = _decibel(given[1], name)
    else:
        mean, deviation, in_log = *(_si(name, known, x) for x in given), False
    if not deviation > 0:
        raise ValueError(
            f"The standard deviation of the prior of `{name}` must be positive, but {shown(given[1])} was given."
        )
    return mean, deviation, in_log


def _is_decibel(given: Any) -> bool:
    return isinstance(given, str) and given.endswith("dB")


def _decibel(given: str, name: str) -> float:
    """Decibels as a natural logarithm."""
    return PER_DB * float(to_si(given.removesuffix("dB").strip(), "1", f"the prior of {name} in dB"))


def _rule(name: str, rule: Any, values: Mapping[str, float]) -> Tie:
    """A tie, tried on some values so that it fails here if it names what there is not."""
    rule = Expr(rule) if isinstance(rule, str) else rule
    if isinstance(rule, Expr):
        rule.check({n for n in values if n != name}, name)
        return rule
    if not callable(rule):
        raise ValueError(
            f"The tie of `{name}` must be a function of a dict of parameters, or jr.expr(...), "
            f"but {shown(rule)} was given."
        )
    try:
        rule({n: x for n, x in values.items() if n != name})
    except KeyError as missing:
        raise ValueError(
            f"In the tie of `{name}`: {unknown('parameter', missing.args[0], values, 'this fit')}"
        ) from None
    return rule


def _constants(
    ties: tuple, wishes: Wishes, known: Mapping[str, Known], fixed: Mapping[str, float], conditions: set[str]
) -> dict[str, float]:
    """Parameters that keep their value and that ties, functions and corrections need."""
    varied = {*wishes.free, *wishes.tie, *conditions}
    values = {name: fixed.get(name, k.value) for name, k in known.items() if name not in varied}
    if not ties:  # an experiment knows the values of its own parameters
        values = {name: value for name, value in values.items() if name in fixed or not known[name].unit}
    return {name: float(value) for name, value in values.items() if value is not None}
