"""`sweep.toml`: a sweep as a file states it, and a job as the statement that a store keeps; exact both ways."""

import hashlib
import json
import tomllib
from collections.abc import Collection, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from jaxrate.experiment import Experiment
from jaxrate.experiment_file import (
    RANGE_KEYS,
    StatementError,
    as_table,
    but_given,
    check_keys,
    dotted,
    experiment_table,
    model_table,
    read_experiment,
    read_model,
    read_range,
)
from jaxrate.model.quantities import units_by_name
from jaxrate.names import shown, unknown
from jaxrate.sweep.draws import Draw, lognormal, normal, uniform
from jaxrate.sweep.grid import Grid
from jaxrate.sweep.job import Job, read_job
from jaxrate.sweep.reduce import Histogram, Reduction
from jaxrate.units import to_frequency, to_si

EXAMPLE = """\
sweep.toml:
  model = "nd-yag"                      # a medium that ships, or a file beside this one
  reduce = ["mean", "std", "max"]       # leave it out to keep every ensemble; `along` names what is reduced
  ensembles = 10000                     # of the random parameters; also: seed, sampler = "sobol", precision
  [experiment.observables]
  gain = { Gain = "laser" }             # a line's label, or a level
  [over]                                # also lists of values, and one value for all
  "pump.rate" = { start = "1 s^-1", stop = "1e4 s^-1", num = 100 }
  [random]                              # also uniform = [low, high], lognormal = [median, factor]
  "laser.B" = { normal = ["4.6e15 m^3 J^-1 s^-2", "2e14 m^3 J^-1 s^-2"] }

  Values are spaced logarithmically unless spacing = "lin"; parameters with the same along = "NAME" vary together. A
  path in time has `evolve = { times = { start = 0, stop = "1 ms", num = 101 }, start = { "4F3/2" = 1 } }` in its
  [experiment].
"""

CHOICES = ("ensembles", "seed", "sampler", "precision")
"""Arguments of `jr.sweep` that a file gives as they are."""
KEYS = ("model", "experiment", "over", "random", *CHOICES, "reduce", "along")
AXIS_KEYS = ("along", "values", *RANGE_KEYS)
DRAWS = {"normal": normal, "uniform": uniform, "lognormal": lognormal}
PARAMETERS = ("over", "random")
"""Tables by parameter, in an order that matters: that of the dimensions, and of a quasi-random sampler's."""
NOT_FINITE = ("inf", "-inf", "nan")
"""Numbers that JSON has no word for, as text."""


def read_statement(given: Mapping[str, Any], folder: Path = Path()) -> Job:
    """The job that a sweep file, or the plan of a store, states.

    Args:
        given: The file as a table.
        folder: Where the file is: a model file that it names is there.

    Raises:
        OSError: the model file cannot be read.
        ValueError: an unknown key or name (the nearest is named), a wrong type or unit (its place is named), or what
            `jr.sweep` refuses.
    """
    check_keys(KEYS, given, "a sweep file")
    for key in KEYS[:2]:
        if key not in given:
            raise StatementError(f"`{key}` must be given; `jaxrate sweep --help` shows a whole file.")
    experiment = read_experiment(given["experiment"], read_model(given["model"], folder), folder=folder)
    return read_job(
        experiment,
        _over(as_table(given.get("over", {}), "[over]"), experiment),
        random=_random(as_table(given.get("random", {}), "[random]"), experiment),
        reduce=_reduce(given["reduce"]) if "reduce" in given else None,
        along=_along(given["along"]) if "along" in given else None,
        **{key: given[key] for key in CHOICES if key in given},
    )


def _over(given: dict[str, Any], experiment: Experiment) -> dict[str, Any]:
    """Axes as `jr.sweep` takes them, in SI units."""
    units = units_by_name(experiment.parameter_list)
    found = dotted(given, lambda name, value: name in units or not value.keys().isdisjoint(AXIS_KEYS))
    _check_names([name for name in found if name not in units], experiment, "[over]")
    return {name: _axis(value, name, units[name]) for name, value in found.items()}


def _check_names(given: Collection[str], experiment: Experiment, where: str) -> None:
    try:
        experiment.network.check_names(given)
    except ValueError as error:
        raise StatementError(f"{where}: {error}") from error


def _axis(given: Any, name: str, unit: str) -> Any:
    where = f"[over] `{name}`"
    if isinstance(given, list):
        return _values(given, name, unit)
    if not isinstance(given, dict):
        return _value(given, name, unit)
    check_keys(AXIS_KEYS, given, where)
    dim, listed = given.get("along", name), "values" in given
    if not isinstance(dim, str):
        raise StatementError(f"{where}: `along` must be the name of a dimension, but {shown(dim)} was given.")
    if listed and (not isinstance(given["values"], list) or not given.keys().isdisjoint(RANGE_KEYS)):
        raise StatementError(f"{where} must have a list of `values`, or `start`, `stop` and `num`{but_given(given)}.")
    if listed:
        return dim, _values(given["values"], name, unit)
    return dim, read_range(given, lambda end: _value(end, name, unit), where, "log")


def _values(given: list[Any], name: str, unit: str) -> np.ndarray:
    return np.array([_value(value, name, unit) for value in given], dtype=np.float64)


def _value(given: Any, name: str, unit: str) -> float:
    """A number in SI units, which may be infinite or NaN, or text with a unit."""
    if type(given) is float or (isinstance(given, str) and given in NOT_FINITE):
        return float(given)
    try:
        if isinstance(given, list):
            raise StatementError(f"`{name}` must be one value here, but {shown(given)} was given.")
        light = unit == "Hz" and name.endswith(".frequency")
        return to_frequency(given, name) if light else to_si(given, unit, name)
    except ValueError as error:
        raise StatementError(f"[over]: {error}") from error


def _random(given: dict[str, Any], experiment: Experiment) -> list[Draw] | None:
    names = {p.name for p in experiment.parameter_list}
    found = dotted(given, lambda name, value: name in names or not value.keys().isdisjoint(DRAWS))
    _check_names(found, experiment, "[random]")
    return [_draw(name, value) for name, value in found.items()] or None


def _draw(name: str, given: Any) -> Draw:
    where = f"[random] `{name}`"
    form = '{ normal = ["4 s^-1", "1 s^-1"] }'
    check_keys(DRAWS, as_table(given, f"{where}, for example {form},"), where)
    if len(given) != 1 or not all(isinstance(pair, list) and len(pair) == 2 for pair in given.values()):
        raise StatementError(
            f"{where} must be drawn from one of {', '.join(DRAWS)}, for example {form}{but_given(given)}."
        )
    ((kind, pair),) = given.items()
    try:
        return DRAWS[kind](name, *pair)
    except ValueError as error:
        raise StatementError(f"{where}: {error}") from error


def _reduce(given: Any) -> list[Reduction]:
    return [_reduction(each) for each in (given if isinstance(given, list) else [given])]


def _reduction(given: Any) -> Reduction:
    if isinstance(given, str):
        return given
    form = 'names such as ["mean", "max"], and tables such as { Histogram = [0, 1, 2], of = "gain" }'
    if not isinstance(given, dict):
        raise StatementError(f"`reduce` must be {form}, but {shown(given)} was given.")
    check_keys(("Histogram", "of"), given, "a reduction")
    edges, of = given.get("Histogram"), given.get("of")
    if not isinstance(edges, list) or not all(map(_is_number, edges)) or not isinstance(of, str | None):
        raise StatementError(f"`reduce` must be {form}, but {shown(given)} was given.")
    try:
        return Histogram([float(edge) for edge in edges], of)
    except ValueError as error:
        raise StatementError(f"`reduce`, Histogram: {error}") from error


def _is_number(given: Any) -> bool:
    return type(given) in (int, float) or given in NOT_FINITE


def _along(given: Any) -> str | list[str]:
    if not isinstance(given, str) and not (isinstance(given, list) and all(isinstance(dim, str) for dim in given)):
        raise StatementError(f'`along` must be dimensions such as ["pump.rate"], but {shown(given)} was given.')
    return given


def to_statement(job: Job) -> dict[str, Any]:
    """The statement that `read_statement` reads as an equal job.

    Args:
        job: What is swept.

    Returns:
        Text, numbers, lists and tables, which JSON and TOML can hold: every value in SI units, every axis as the list
        of its values, the model itself. The order of the tables `over` and `random` matters.

    Raises:
        ValueError: a rate or an observable is a Python function, or something else that no file can hold; it is named.
    """
    return {
        "model": model_table(job.experiment.model),
        "experiment": experiment_table(job.experiment),
        "over": _over_table(job.grid),
        **_random_table(job.grid),
        **({} if job.reduce is None else {"reduce": [_reduction_table(each) for each in job.reduce]}),
        **({"along": list(job.along)} if job.along else {}),
        "precision": job.precision,
    }


def _over_table(grid: Grid) -> dict[str, Any]:
    """Axes all as lists, or all as tables: TOML writes lists before tables, and their order matters."""
    values = {name: _numbers(axis.values.tolist()) for name, axis in grid.axes.items()}
    if any(axis.dim != name for name, axis in grid.axes.items()):
        axes: dict[str, Any] = {n: {"along": axis.dim, "values": values[n]} for n, axis in grid.axes.items()}
    else:
        axes = values
    return {**axes, **{name: _number(value) for name, value in grid.fixed.items()}}


def _numbers(values: Sequence[float]) -> list[float | str]:
    return [_number(x) for x in values]


def _number(x: float) -> float | str:
    return float(x) if isfinite(x) else str(float(x))


def _random_table(grid: Grid) -> dict[str, Any]:
    if grid.sampling is None:
        return {}
    sampling = grid.sampling
    draws = {draw.name: {draw.kind: _numbers([float(x) for x in draw.args])} for draw in sampling.draws}
    how = {"ensembles": int(sampling.ensembles), "seed": int(sampling.seed), "sampler": sampling.sampler}
    return {"random": draws, **how}


def _reduction_table(reduction: Reduction) -> Any:
    if isinstance(reduction, str):
        return str(reduction)
    of = {} if reduction.of is None else {"of": reduction.of}
    return {"Histogram": _numbers(reduction.edges), **of}


def fingerprint(statement: Mapping[str, Any]) -> str:
    """What tells one statement from another: the sha256 of its canonical JSON.

    Args:
        statement: As `to_statement` gives it. Equal numbers are equal, 5 and 5.0 as well as 0.0 and -0.0; the order
            of keys is no difference, but for the axes of `over` and for `random`.

    Returns:
        64 hexadecimal digits.
    """
    ordered = {key: _in_order(statement[key]) for key in PARAMETERS if key in statement}
    text = json.dumps(_canonical({**statement, **ordered}), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _in_order(table: Mapping[str, Any]) -> list[list[Any]]:
    """What varies first, in its order, then what is set for the whole sweep, by name."""
    pairs = ([name, value] for name, value in table.items())
    return sorted(pairs, key=lambda pair: "" if isinstance(pair[1], list | dict) else pair[0])


def _canonical(value: Any) -> Any:
    """Numbers as the text of their bits; whole numbers that no float holds, such as a seed, as they are."""
    match value:
        case Mapping():
            return {key: _canonical(each) for key, each in value.items()}
        case list() if set(map(type, value)) == {float}:  # the many values of an axis
            return [(each + 0.0).hex() for each in value]
        case list() | tuple():
            return [_canonical(each) for each in value]
        case int() | float() if not isinstance(value, bool) and _is_exact(value):
            return (float(value) + 0.0).hex()  # -0.0 becomes 0.0
    return value


def _is_exact(number: float) -> bool:
    """Whether a float holds it."""
    return isinstance(number, float) or (abs(number) < 2**1023 and float(number) == number)


def apply_set(given: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """A statement with some of its values set, as `--set` gives them.

    Args:
        given: A sweep file as a table; it is left as it is.
        assignments: NAME=VALUE each: "ensembles=1000", "over.pump.rate=[1, 10]", "over.pump.rate.num=50". The value is
            read as TOML where it is TOML, else it is text.

    Returns:
        A new table. A parameter that was there keeps its place.

    Raises:
        StatementError: no NAME=VALUE, an unknown first part of the name (the nearest is named), or a part that is no
            table.
    """
    found = dict(given)
    for text in assignments:
        name, sign, value = text.partition("=")
        path = name.replace('"', "").strip()
        if not (sign and path and value.strip()):
            example = "--set ensembles=1000 or --set 'over.pump.rate={start=1, stop=1e4, num=50}'"
            raise StatementError(f"`--set` must read NAME=VALUE, for example {example}, but {text!r} was given.")
        top, _, rest = path.partition(".")
        if top not in KEYS:
            raise StatementError(f"`--set {text}`: {unknown('key', top, KEYS, 'a sweep file')}")
        new = _parsed(value.strip(), text)
        found[top] = _with(found.get(top, {}), rest, new, top in PARAMETERS, f"`--set {text}`: `{top}`")
    return found


def _parsed(value: str, text: str) -> Any:
    try:
        table = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError as error:
        if value[0] in "[{":
            raise StatementError(f"`--set {text}` cannot be read: {error}; text such as '1 ms' needs quotes.") from None
        return _float(value)
    return table["value"] if len(table) == 1 else value


def _float(value: str) -> Any:
    try:
        return float(value)
    except ValueError:
        return value


def _with(table: Any, path: str, value: Any, flat: bool, where: str) -> Any:
    """A table with a value set; the parts of a path that is not there become tables, or one name where it is flat."""
    if not path:
        return value
    if not isinstance(table, dict):
        raise StatementError(
            f"{where} is {shown(table)} and has no `{path}`; to set a parameter write over.NAME=VALUE."
        )
    inside = [key for key in table if path == key or path.startswith(f"{key}.")]
    first = max(inside, key=len) if inside else path if flat else path.partition(".")[0]
    rest = path[len(first) + 1 :]
    return {**table, first: _with(table.get(first, {}), rest, value, flat, f"{where}.{first}")}
