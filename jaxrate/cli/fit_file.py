"""`fit.toml`: what is free, of which model, and how the measured numbers came about; in the names that Python uses."""

import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isinf
from pathlib import Path
from typing import Any

from jaxrate.cli.setups import SINGLE, FitFileError, Setup, read_setups
from jaxrate.experiment_file import as_table, check_keys, dotted, read_model
from jaxrate.expr import Expr
from jaxrate.model.model import Model
from jaxrate.names import shown, unknown

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

CHOICES = {"loss": "text", "intervals": "text", "level": "a number", "num_starts": "a whole number", "seed": "a seed"}


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
        raise ValueError(f"`--data {text}`: {unknown('named experiment', name, self.setups, 'the fit')}")


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
        check_keys(KEYS, given, "a fit file")
        _need(given, "model", "free", "experiment")
        return FitFile(
            model=read_model(given["model"], path.parent),
            free=_free(given["free"]),
            setups=read_setups(as_table(given["experiment"], "[experiment]"), path),
            options=_options(given),
        )
    except ValueError as error:
        raise FitFileError(f"{path}: {error}") from error


def _need(given: dict, *names: str) -> None:
    for name in names:
        if name not in given:
            raise FitFileError(f"`{name}` must be given; `jaxrate fit --help` shows a whole file.")


def _free(given: Any) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise FitFileError(f'`free` must be a list such as ["laser.B", "density"], but {shown(given)} was given.')
    return given


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """Keywords of `jr.fit`."""
    by_name = {
        key: {
            name: READ[key](value, f"[{key}] `{name}`")
            for name, value in dotted(as_table(given[key], f"[{key}]")).items()
        }
        for key in READ
        if key in given
    }
    return by_name | {key: _choice(key, given[key]) for key in CHOICES if key in given}


def _quantity(given: Any, where: str) -> Any:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise FitFileError(f"{where} must be a number in SI units, or text with a unit, but {shown(given)} was given.")
    return given


def _text(given: Any, where: str) -> str:
    if not isinstance(given, str):
        raise FitFileError(f"{where} must be text, but {shown(given)} was given.")
    return given


def _pair(given: Any, where: str, form: str) -> tuple[Any, Any]:
    if not isinstance(given, list) or len(given) != 2:
        raise FitFileError(f"{where} must be {form}, but {shown(given)} was given.")
    return _quantity(given[0], where), _quantity(given[1], where)


def _bounds(given: Any, where: str) -> tuple[Any, ...]:
    """Ends, of which TOML writes `inf` for none."""
    ends = _pair(given, where, "[lower, upper], -inf or inf where there is none")
    return tuple(None if isinstance(end, float) and isinf(end) else end for end in ends)


def _prior(given: Any, where: str) -> tuple[Any, Any]:
    return _pair(given, where, "[mean, standard deviation]")


def _rule(given: Any, where: str) -> Expr:
    text = given["expr"] if isinstance(given, dict) else given
    try:
        return Expr(text)
    except ValueError as error:
        raise FitFileError(f"{where}: {error}") from error


READ: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(("start", "fixed", "resolution", "jitter"), _quantity),
    **{"bounds": _bounds, "prior": _prior, "tie": _rule, "per": _text},
}
"""Arguments of `jr.fit` that are tables, by parameter or observable, and how their values are read."""
KEYS = ("model", "free", "experiment", *READ, *CHOICES)


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
