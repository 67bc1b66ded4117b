"""The experiments of a fit file: how the numbers of each table came about."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from jaxrate import observe
from jaxrate.experiment import Experiment
from jaxrate.expr import Expr
from jaxrate.fit.table import Table
from jaxrate.model.model import Model
from jaxrate.names import shown, unknown
from jaxrate.observe import Observable
from jaxrate.solve.drive import Segments
from jaxrate.solve.steady import Steady
from jaxrate.solve.transient import Evolve
from jaxrate.units import to_frequency

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


def read_setups(given: dict[str, Any], path: Path) -> dict[str, Setup]:
    """One experiment, or several by name.

    Args:
        given: The table `experiment` of the file.
        path: The file.

    Raises:
        ValueError: an unknown key or observable (the nearest is named), or a wrong type.
    """
    several = any(isinstance(setup, dict) and "observables" in setup for setup in given.values())
    if not several or "observables" in given:
        return {SINGLE: _setup(given, "[experiment]", path)}
    named = {name: f"[experiment.{name}]" for name in given}
    return {name: _setup(as_table(given[name], where), where, path) for name, where in named.items()}


def _setup(given: dict[str, Any], where: str, path: Path) -> Setup:
    check_keys(SETUP_KEYS, given, where)
    observables = as_table(given.get("observables", {}), f"{where} observables")
    if not observables:
        raise FitFileError(
            f'{where} must have observables, for example observables = {{ gain = {{ Gain = "laser" }} }}.'
        )
    data = given.get("data")
    if not isinstance(data, str | None):
        raise FitFileError(f"{where} `data` must be the path of a table, but {shown(data)} was given.")
    return Setup(
        where=f"{path}: {where}",
        observables={name: _observable(o, f"{where} `{name}`") for name, o in observables.items()},
        evolve=_evolve(given["evolve"], f"{where} `evolve`") if "evolve" in given else None,
        data=None if data is None else path.parent / data,
    )


def _observable(given: Any, where: str) -> tuple[type[Observable], dict[str, Any]]:
    """Its class, and its arguments by name: the class is a key too, and its value the first argument."""
    given = as_table(given, f'{where}, for example {{ Gain = "laser" }},')
    kind = next((key for key in given if key in OBSERVABLES), next(iter(given), ""))
    if kind not in OBSERVABLES:
        raise FitFileError(f"{where}: {unknown('kind of observable', kind, OBSERVABLES)}")
    first, *others = (f.name for f in fields(OBSERVABLES[kind]))  # type: ignore[arg-type]
    rest = {key: value for key, value in given.items() if key != kind}
    check_keys(others, rest, f"{where} ({kind})")
    texts = {kind: given[kind]} | {key: value for key, value in rest.items() if key != "frequency"}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise FitFileError(f"{where}: `{key}` must be a name, but {shown(value)} was given.")
    return OBSERVABLES[kind], {first: given[kind]} | {
        k: _frequencies(v) if k == "frequency" else v for k, v in rest.items()
    }


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
    given = as_table(given, f'{where}, for example {{ start = {{ "4F3/2" = 1.0 }} }},')
    check_keys(EVOLVE_KEYS, given, where)
    found: dict[str, Any] = {}
    if "start" in given:
        found["start"] = _start(given["start"], where)
    if "drive" in given:
        drives = dotted(as_table(given["drive"], f"{where} `drive`"))
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
        raise FitFileError(
            f"{where}: the drive of `{name}` must be a list such as {form}, but {shown(given)} was given."
        )
    return [tuple(Expr(x["expr"]) if isinstance(x, dict) and set(x) == {"expr"} else x for x in part) for part in given]


def check_keys(known: Collection[str], given: Mapping[str, Any], where: str) -> None:
    """Refuse a key that is not known."""
    for key in given:
        if key not in known:
            raise FitFileError(unknown("key", key, known, where))


def as_table(value: Any, where: str) -> dict[str, Any]:
    """Refuse what is no table."""
    if not isinstance(value, dict):
        raise FitFileError(f"{where} must be a table, but {shown(value)} was given.")
    return value


def dotted(table: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Values by dotted name: TOML reads `laser.B = 1` as a table `laser`."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        nested = isinstance(value, dict) and set(value) != {"expr"}
        found |= dotted(value, f"{before}{key}.") if nested else {before + key: value}
    return found
