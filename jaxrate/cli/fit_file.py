"""`fit.toml`: what is free, of which model, and how the measured numbers came about; in the names that Python uses."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from math import isinf
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from jaxrate import observe
from jaxrate.cli.arguments import load
from jaxrate.experiment import Experiment
from jaxrate.expr import Expr
from jaxrate.fit.table import Table
from jaxrate.model.files import from_toml, list_media, media
from jaxrate.model.model import Model
from jaxrate.names import shown, unknown
from jaxrate.observe import Observable
from jaxrate.solve.drive import Segments
from jaxrate.solve.steady import Steady
from jaxrate.solve.transient import Evolve
from jaxrate.units import to_frequency

EXAMPLE = """\
fit.toml:
  model = "nd-yag"                      # a medium that ships, or a file beside this one
  free = ["laser.B", "density"]
  [experiment.observables]              # what the columns of the table are
  gain = { Gain = "laser" }             # a line's label, or a level; frequency = "table" for a spectrum
  [start]                               # also: bounds, fixed, prior, tie, per, resolution, jitter
  "laser.B" = "5e15 m^3 J^-1 s^-2"

  loss, intervals, level, num_starts and seed are those of jr.fit. A decay has `evolve = { start = { "4F3/2" = 1 } }` in
  its [experiment]; several are [experiment.NAME], each with a table: --data NAME=FILE, or data = "FILE" in the file.
"""

BY_NAME = ("start", "bounds", "fixed", "prior", "tie", "per", "resolution", "jitter")
"""Arguments of `jr.fit` that are tables, by parameter or observable."""
CHOICES = {"loss": "text", "intervals": "text", "level": "a number", "num_starts": "a whole number", "seed": "a seed"}
KEYS = ("model", "free", "experiment", *BY_NAME, *CHOICES)
SETUP_KEYS = ("observables", "evolve", "data")
EVOLVE_KEYS = ("start", "drive")
SINGLE = "data"
"""Name of an experiment that is the only one, as `jr.fit` names its data."""
FROM_TABLE = "table"
"""Stands for the frequencies that a table has."""

_OBSERVABLES = (
    *(observe.BranchingRatio, observe.CrossSection, observe.DecayTime, observe.Fluorescence, observe.Gain),
    *(observe.Inversion, observe.Lifetime, observe.NetPower, observe.Population, observe.SaturationIntensity),
    observe.ThermalEmission,
)
OBSERVABLES: dict[str, type[Observable]] = {cls.__name__: cls for cls in _OBSERVABLES}


class FitFileError(ValueError):
    """A fit file that cannot be read; the message says where and what to write instead."""


@dataclass(frozen=True)
class Setup:
    """How the numbers of one table came about.

    Attributes:
        where: Its table in the file, for messages.
        observables: By column: class of the observable, and its arguments.
        evolve: Arguments of `jr.Evolve` but for the times; None for the steady state.
        data: Its table of numbers, where the file names one.
    """

    where: str
    observables: Mapping[str, tuple[type[Observable], dict[str, Any]]]
    evolve: Mapping[str, Any] | None
    data: Path | None

    def experiment(self, model: Model, table: Table) -> Experiment:
        """The experiment, at the times and frequencies of its table.

        Raises:
            FitFileError: what is named is not in the model, or the table lacks the column.
        """
        try:
            observables = {name: cls(**_at_table(given, table)) for name, (cls, given) in self.observables.items()}
            return Experiment(model, self._solver(table), observables)
        except ValueError as error:
            raise FitFileError(f"{self.where}: {error}") from error

    def _solver(self, table: Table) -> Steady | Evolve:
        return Steady() if self.evolve is None else Evolve(_present(table.si("time", "s")), **self.evolve)


@dataclass(frozen=True)
class FitFile:
    """What a fit file states.

    Attributes:
        model: The medium.
        free: Names of the free parameters.
        setups: Experiments by name.
        options: Keywords of `jr.fit`.
    """

    model: Model
    free: list[str]
    setups: Mapping[str, Setup]
    options: Mapping[str, Any]

    def tables(self, given: Sequence[str]) -> dict[str, Path]:
        """The table of each experiment.

        Args:
            given: Paths, or NAME=PATH where there are several experiments; they go before those in the file.

        Raises:
            ValueError: an unknown experiment (the nearest is proposed), one with two tables or none.
        """
        named: dict[str, Path] = {}
        for text in given:
            name, path = self._named(text)
            if name in named:
                raise ValueError(f"`--data {text}`: {_of(name)} has a table, `{named[name]}`; each has one.")
            named[name] = path
        found = {name: named.get(name, setup.data) for name, setup in self.setups.items()}
        for name, path in found.items():
            if path is None:
                option = "" if name == SINGLE else f"{name}="
                raise ValueError(f"There is no table for {_of(name)}: give it as --data {option}FILE.")
        return {name: path for name, path in found.items() if path is not None}

    def _named(self, text: str) -> tuple[str, Path]:
        name, sign, path = text.partition("=")
        if sign and path and name in self.setups:
            return name, Path(path)
        if len(self.setups) == 1:
            return next(iter(self.setups)), Path(text)
        if not sign:
            raise ValueError(f"`--data {text}` must read NAME=FILE; the experiments are {_listed(self.setups)}.")
        raise ValueError(f"`--data {text}`: {unknown('n experiment', name, self.setups, 'the fit')}")


def _of(name: str) -> str:
    return "the experiment" if name == SINGLE else f"the experiment `{name}`"


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def read_fit(path: Path) -> FitFile:
    """Read a fit file.

    Raises:
        OSError: it, or the model file that it names, cannot be read.
        FitFileError: bad syntax, an unknown key (the nearest is named), a wrong type, or what its model refuses.
    """
    try:
        given = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
        _check_keys(KEYS, given, "a fit file")
        _need(given, "model", "free", "experiment")
        return FitFile(
            model=_model(given["model"], path.parent),
            free=_free(given["free"]),
            setups=_setups(_table(given["experiment"], "[experiment]"), path),
            options=_options(given),
        )
    except ValueError as error:
        raise FitFileError(f"{path}: {error}") from error


def _need(given: dict, *names: str) -> None:
    for name in names:
        if name not in given:
            raise FitFileError(f"`{name}` must be given; `jaxrate fit --help` shows a whole file.")


def _check_keys(known: Collection[str], given: Mapping[str, Any], where: str) -> None:
    for key in given:
        if key not in known:
            raise FitFileError(unknown("key", key, known, where))


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FitFileError(f"{where} must be a table, but {shown(value)} was given.")
    return value


def _model(given: Any, folder: Path) -> Model:
    """A model in the file itself, in one beside it, or a medium that ships."""
    if isinstance(given, dict):
        return from_toml(tomli_w.dumps(given))
    if not isinstance(given, str):
        raise FitFileError(f"`model` must be a medium's name or a model file, but {shown(given)} was given.")
    ships = given in list_media() and not (folder / given).exists()
    return media(given) if ships else load(str(folder / given))


def _free(given: Any) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise FitFileError(f'`free` must be a list such as ["laser.B", "density"], but {shown(given)} was given.')
    return given


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """Keywords of `jr.fit`."""
    by_name = {key: _dotted(_table(given[key], f"[{key}]")) for key in BY_NAME if key in given}
    if "bounds" in by_name:
        by_name["bounds"] = {name: _without_infinity(ends) for name, ends in by_name["bounds"].items()}
    if "tie" in by_name:
        by_name["tie"] = {name: _rule(name, rule) for name, rule in by_name["tie"].items()}
    return by_name | {key: _choice(key, given[key]) for key in CHOICES if key in given}


def _dotted(table: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Values by dotted name: TOML reads `laser.B = 1` as a table `laser`."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        nested = isinstance(value, dict) and set(value) != {"expr"}
        found |= _dotted(value, f"{before}{key}.") if nested else {before + key: value}
    return found


def _without_infinity(ends: Any) -> Any:
    """Bounds, where TOML has `inf` for none."""
    if not isinstance(ends, list):
        return ends
    return tuple(None if isinstance(end, float) and isinf(end) else end for end in ends)


def _rule(name: str, rule: Any) -> Expr:
    text = rule["expr"] if isinstance(rule, dict) else rule
    try:
        return Expr(text)
    except ValueError as error:
        raise FitFileError(f"[tie] `{name}`: {error}") from error


def _choice(key: str, value: Any) -> Any:
    kind = CHOICES[key]
    right = {
        "text": isinstance(value, str),
        "a number": isinstance(value, int | float) and not isinstance(value, bool),
        "a whole number": type(value) is int,
        "a seed": type(value) is int and value >= 0,
    }
    if not right[kind]:
        what = "a whole number from 0 on" if kind == "a seed" else kind
        raise FitFileError(f"`{key}` must be {what}, but {shown(value)} was given.")
    return value


def _setups(given: dict[str, Any], path: Path) -> dict[str, Setup]:
    """One experiment, or several by name."""
    several = any(isinstance(setup, dict) and "observables" in setup for setup in given.values())
    if not several or "observables" in given:
        return {SINGLE: _setup(given, "[experiment]", path)}
    named = {name: f"[experiment.{name}]" for name in given}
    return {name: _setup(_table(given[name], where), where, path) for name, where in named.items()}


def _setup(given: dict[str, Any], where: str, path: Path) -> Setup:
    _check_keys(SETUP_KEYS, given, where)
    observables = _table(given.get("observables", {}), f"{where} observables")
    if not observables:
        raise FitFileError(f'{where} must have observables, for example observables = {{ gain = {{ Gain = "laser" }} }}.')
    data = given.get("data")
    if not isinstance(data, str | None):
        raise FitFileError(f"{where} `data` must be the path of a table, but {shown(data)} was given.")
    return Setup(
        where=f"{path}, {where}",
        observables={name: _observable(o, f"{where} `{name}`") for name, o in observables.items()},
        evolve=_evolve(given["evolve"], f"{where} `evolve`") if "evolve" in given else None,
        data=None if data is None else path.parent / data,
    )


def _observable(given: Any, where: str) -> tuple[type[Observable], dict[str, Any]]:
    """Its class, and its arguments by name: the class is a key too, and its value the first argument."""
    given = _table(given, f'{where}, for example {{ Gain = "laser" }},')
    kind = next((key for key in given if key in OBSERVABLES), next(iter(given), ""))
    if kind not in OBSERVABLES:
        raise FitFileError(f"{where}: {unknown('kind of observable', kind, OBSERVABLES)}")
    first, *others = (f.name for f in fields(OBSERVABLES[kind]))  # type: ignore[arg-type]
    rest = {key: value for key, value in given.items() if key != kind}
    _check_keys(others, rest, f"{where} ({kind})")
    texts = {kind: given[kind]} | {key: value for key, value in rest.items() if key != "frequency"}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise FitFileError(f"{where}: `{key}` must be a name, but {shown(value)} was given.")
    return OBSERVABLES[kind], {first: given[kind]} | {k: _frequencies(v) if k == "frequency" else v for k, v in rest.items()}


def _frequencies(given: Any) -> Any:
    """Frequencies [Hz], or that they are those of the table."""
    if given == FROM_TABLE:
        return given
    each = [to_frequency(value, "frequency") for value in (given if isinstance(given, list) else [given])]
    return each if isinstance(given, list) else each[0]


def _at_table(given: dict[str, Any], table: Table) -> dict[str, Any]:
    """Arguments of an observable, with the frequencies of the table where they are asked for."""
    if given.get("frequency") != FROM_TABLE:
        return given
    column = "wavelength" if "wavelength" in table and "frequency" not in table else "frequency"
    return given | {"frequency": _present(table.frequency(column))}


def _present(values: np.ndarray) -> np.ndarray:
    """Different values, increasing, without the empty cells."""
    return np.unique(values[~np.isnan(values)])


def _evolve(given: Any, where: str) -> dict[str, Any]:
    given = _table(given, f'{where}, for example {{ start = {{ "4F3/2" = 1.0 }} }},')
    _check_keys(EVOLVE_KEYS, given, where)
    found: dict[str, Any] = {}
    if "start" in given:
        found["start"] = _start(given["start"], where)
    if "drive" in given:
        drives = _dotted(_table(given["drive"], f"{where} `drive`"))
        found["drive"] = {name: Segments(_parts(name, parts, where)) for name, parts in drives.items()}
    return found


def _start(given: Any, where: str) -> Any:
    numbers = isinstance(given, dict) and all(type(x) in (int, float) for x in given.values())
    if given != "ground" and not numbers:
        form = 'start must be "ground" or fractions of levels such as { "4F3/2" = 1.0 }'
        raise FitFileError(f"{where}: {form}, but {shown(given)} was given.")
    return given


def _parts(name: str, given: Any, where: str) -> list[tuple[Any, ...]]:
    """Segments of a drive, where a value may be an expression."""
    if not isinstance(given, list) or not all(isinstance(part, list) for part in given):
        form = '[[0, "1 ms", "100 s^-1"], ["1 ms", inf, 0]]'
        raise FitFileError(f"{where}: the drive of `{name}` must be a list such as {form}, but {shown(given)} was given.")
    return [tuple(Expr(x["expr"]) if isinstance(x, dict) and set(x) == {"expr"} else x for x in part) for part in given]
