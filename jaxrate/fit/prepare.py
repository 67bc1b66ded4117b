"""Checking and laying out a fit: experiments, tables and wishes become one task."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jaxrate.experiment import Experiment
from jaxrate.fit.likelihood import Likelihood
from jaxrate.fit.measured import Measured, measured
from jaxrate.fit.readings import Noise
from jaxrate.fit.sources import tabulated
from jaxrate.fit.stated import Wishes, stated
from jaxrate.fit.subject import Known, OfExperiment, OfFunction, Subject
from jaxrate.fit.table import Table
from jaxrate.fit.task import Task, task
from jaxrate.names import shown, unknown

Fitted = Experiment | Callable[[dict[str, Any]], Mapping[str, Any]]
"""What is fitted: an experiment, or a pure function from {parameter: array} to {name: array}, element by element."""

ONE = "data"
"""Name of the data set where there is one without a name."""


@dataclass(frozen=True)
class Prepared:
    """A fit that is checked and laid out.

    Attributes:
        names: Of the data sets.
        subjects: What is fitted.
        tables: To what.
        task: How.
    """

    names: tuple[str, ...]
    subjects: tuple[Subject, ...]
    tables: tuple[Table, ...]
    task: Task

    @property
    def experiments(self) -> list[Experiment]:
        """Those subjects that are experiments."""
        return [s.experiment for s in self.subjects if isinstance(s, OfExperiment)]


def prepared(experiment: Any, data: Any, wishes: Wishes, noise: Noise, loss: Likelihood) -> Prepared:
    """Check and lay out a fit."""
    pairs = _pairs(experiment, data)
    tables = tuple(tabulated(table) for _, _, table in pairs)
    subjects = tuple(_subject(what, table, wishes) for (_, what, _), table in zip(pairs, tables, strict=True))
    wishes = _with_each_channel(wishes, subjects)
    bound = [measured(s, t, name, noise) for (name, _, _), s, t in zip(pairs, subjects, tables, strict=True)]
    noise.check({name for m in bound for name in m.names})
    _check_noise(noise, bound)
    datasets = list(dict.fromkeys(str(d) for m in bound for d in m.dataset))
    conditions = {name for m in bound for name in m.conditions}
    what = stated(wishes, _known(subjects, bound, wishes), conditions, datasets)
    return Prepared(tuple(name for name, _, _ in pairs), subjects, tables, task(subjects, bound, datasets, what, loss))


def _with_each_channel(wishes: Wishes, subjects: Sequence[Subject]) -> Wishes:
    """One value of a group, such as `wdm.power`, as that of each of its channels."""
    if not isinstance(wishes.fixed, Mapping):
        return wishes
    members = {its.parameter: its.members for subject in subjects for its in subject.lists}
    fixed = {each: value for name, value in wishes.fixed.items() for each in members.get(name, (name,))}
    return replace(wishes, fixed=fixed)


def _check_noise(noise: Noise, bound: Sequence[Measured]) -> None:
    names = [name for data in bound for name in data.names]
    for name in (*noise.resolution, *noise.jitter):
        if name not in names:
            raise ValueError(unknown("measured observable", name, names, "`resolution` and `jitter`"))


def _pairs(experiment: Any, data: Any) -> list[tuple[str, Fitted, Any]]:
    """(name, what is fitted, table) of every data set."""
    if not isinstance(experiment, Mapping):
        return [(ONE, experiment, data)]
    if not isinstance(data, Mapping) or set(data) != set(experiment):
        names = ", ".join(f"'{name}': ..." for name in experiment)
        raise ValueError(f"Several experiments need a table each, by the same names: {{{names}}}.")
    return [(name, what, data[name]) for name, what in experiment.items()]


def _subject(what: Fitted, table: Table, wishes: Wishes) -> Subject:
    if isinstance(what, Experiment):
        return OfExperiment(what)
    if not callable(what):
        raise ValueError(f"What is fitted must be a jr.Experiment or a function, but {shown(what)} was given.")
    named = dict.fromkeys([*wishes.free, *wishes.fixed, *wishes.tie, *table.columns])
    return OfFunction(what, tuple(named))


def _known(subjects: Sequence[Subject], bound: Sequence[Measured], wishes: Wishes) -> dict[str, Known]:
    """Every parameter that may be named: of the models, of functions, and corrections of the instruments."""
    known = {name: k for subject in subjects for name, k in subject.parameters.items()}
    for subject, data in zip(subjects, bound, strict=True):
        for name in data.names:
            known[f"{name}.scale"] = Known("1", 1.0, "positive")
            known[f"{name}.offset"] = Known(subject.observables[name] or "1", 0.0, "finite")
        groups = [its.parameter for its in subject.lists if set(its.members) <= set(data.conditions)]
        known |= {f"{name}.scale": Known("1", 1.0, "positive") for name in (*data.conditions, *groups)}
    if any(isinstance(subject, OfFunction) for subject in subjects):
        for name in (*wishes.free, *wishes.fixed, *wishes.tie):
            known.setdefault(name, Known("", None, "finite"))
    return known
