"""The experiments of a fit file: how the numbers of each table came about."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxrate.experiment import Experiment
from jaxrate.experiment_file import (
    EXPERIMENT_KEYS,
    Stated,
    as_table,
    check_keys,
    read_evolve,
    read_light,
    read_observables,
    read_steady_start,
)
from jaxrate.fit.table import Table
from jaxrate.model.model import Model
from jaxrate.names import shown
from jaxrate.propagate.amplifier import Amplifier
from jaxrate.solve.steady import Steady
from jaxrate.solve.transient import Evolve

SETUP_KEYS = (*EXPERIMENT_KEYS, "data")
SINGLE = "data"
"""Name of an experiment that is the only one, as `jr.fit` names its data."""
FROM_TABLE = "table"
"""Stands for the frequencies that a table has."""


class FitFileError(ValueError):
    """A fit file that cannot be read; the message says where and what to write instead."""


@dataclass(frozen=True)
class Setup:
    """How the numbers of one table came about.

    Attributes:
        where: Its table in the file, for messages.
        observables: By column: class of the observable, and its arguments.
        evolve: Arguments of `jr.Evolve` but for the times; None for the steady state.
        start: Where the search of a steady state starts, where the file says.
        amplifier: What the light runs along, where the file says.
        data: Its table of numbers, where the file names one.
    """

    where: str
    observables: Mapping[str, Stated]
    evolve: Mapping[str, Any] | None
    start: Any
    amplifier: Amplifier | None
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

    def _solver(self, table: Table) -> Steady | Evolve | Amplifier:
        if self.amplifier is not None:
            return self.amplifier
        return Steady(self.start) if self.evolve is None else Evolve(_present(table.si("time", "s")), **self.evolve)


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
    observables = read_observables(given.get("observables", {}), where, FROM_TABLE)
    data = given.get("data")
    if not isinstance(data, str | None):
        raise FitFileError(f"{where} `data` must be the path of a table, but {shown(data)} was given.")
    return Setup(
        where=f"{path}: {where}",
        observables=observables,
        evolve=read_evolve(given["evolve"], f"{where} `evolve`", timed=False) if "evolve" in given else None,
        start=read_steady_start(given, where),
        amplifier=read_light(given, where, path.parent),
        data=None if data is None else path.parent / data,
    )


def _at_table(given: dict[str, Any], table: Table) -> dict[str, Any]:
    """Arguments of an observable, with the frequencies of the table where they are asked for."""
    if given.get("frequency") != FROM_TABLE:
        return given
    column = "wavelength" if "wavelength" in table and "frequency" not in table else "frequency"
    return given | {"frequency": _present(table.frequency(column))}


def _present(values: np.ndarray) -> np.ndarray:
    """Different values, increasing, without the empty cells."""
    return np.unique(values[~np.isnan(values)])
