"""`jr.fit`: free parameters from measured numbers, with intervals that are true."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from jaxrate.experiment import Experiment
from jaxrate.fit.adequacy import adequacy, is_inadequate
from jaxrate.fit.adequacy import remarks as adequacy_remarks
from jaxrate.fit.derived import derived
from jaxrate.fit.identify import Identified, identify
from jaxrate.fit.journal import Journal, fingerprint
from jaxrate.fit.likelihood import Likelihood, likelihood_of
from jaxrate.fit.measured import PER_DB, Measured, Noise, measured
from jaxrate.fit.optimize import Found, minima, search, starts
from jaxrate.fit.result import Derived, Estimate, FitResult, FitStatus, Minimum, Profile, Starts
from jaxrate.fit.sources import tabulated
from jaxrate.fit.stated import Stated, Wishes, stated
from jaxrate.fit.subject import Known, OfExperiment, OfFunction, Subject
from jaxrate.fit.table import Table
from jaxrate.fit.task import Task, task
from jaxrate.fit.uncertainty import METHODS, Intervals, Solution, bootstrap, profiles, sandwich, wald
from jaxrate.names import unknown
from jaxrate.sweep.progress import bar
from jaxrate.sweep.provenance import provenance, versions

Fitted = Experiment | Callable[[dict[str, Any]], Mapping[str, Any]]


def fit(
    experiment: Fitted | Mapping[str, Fitted],
    data: Any,
    free: Sequence[str],
    *,
    start: Mapping[str, Any] | None = None,
    bounds: Mapping[str, tuple[Any, Any]] | None = None,
    fixed: Mapping[str, Any] | None = None,
    tie: Mapping[str, Any] | None = None,
    prior: Mapping[str, tuple[Any, Any]] | None = None,
    per: Mapping[str, str] | None = None,
    resolution: Mapping[str, Any] | None = None,
    jitter: Mapping[str, Any] | None = None,
    loss: Any = "gaussian",
    intervals: Literal["profile", "wald", "bootstrap", "sandwich"] = "profile",
    level: float = 0.95,
    num_starts: int = 256,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> FitResult:
    r"""Fit free parameters to what was measured.

    Positive parameters are fitted as their logarithm, from `num_starts` starts at once. Of every parameter the result
    tells what the data determine: an interval, or the product of parameters that alone is determined.

    Args:
        experiment: An `Experiment`, or a pure function from {parameter: array} to {name: array}, element by element.
            Several of them as {name: experiment}, which share parameters of the same name.
        data: What was measured: a table from `jr.read_table`, a path, {"pump.rate": array, "gain": array, "gain.sigma":
            array} in SI units, or an xarray.Dataset. Of several experiments {name: table}.
        free: Names of the parameters to fit. Beside those of the model, `gain.scale` and `gain.offset` of whatever was
            measured, and `pump.rate.scale` of a column of conditions.
        start: Where they begin, SI or text; by default the model's values.
        bounds: (lower, upper) of a parameter, None where there is none. A parameter of a function whose lower bound is
            not negative counts as positive.
        fixed: Values of other parameters that differ from the model's.
        tie: {name: function of a dict of the others, or an expression}: parameters that follow from others.
        prior: (mean, standard deviation) of a Gaussian, in the parameter's units; in dB one of the logarithm.
        per: {"light.scale": "dataset"}: parameters that every data set has for itself.
        resolution, jitter: By observable, in its unit: $\sigma^2 = stated^2 + resolution^2/12 + jitter^2$.
        loss: "gaussian", "student_t" (outliers), "soft_l1", "poisson" (counts).
        intervals: "profile" of the likelihood, "wald", "bootstrap", or "sandwich" where residuals are correlated.
        level: Of the intervals.
        num_starts: The stated start and scrambled Sobol points around it, within the bounds or a decade to each side.
        seed: Of the starts and of the bootstrap.
        checkpoint: A file (.npz) that keeps finished fits: called again after an interruption, it goes on from there
            to the identical answer. It is removed when the fit is done.
        progress: Whether to show a bar; by default on a terminal, for what takes longer than a second.

    Returns:
        A `FitResult`; `print(result.report())`.

    Raises:
        ValueError: an unknown column, parameter or unit (the nearest is proposed); a free parameter that no datum
            depends on; fewer data than parameters; a standard deviation that is not positive; a start outside its
            bounds; a checkpoint of another fit.

    Examples:
        >>> rates = np.array([50.0, 100.0, 200.0, 400.0])
        >>> table = {"pump.rate": rates, "gain": bench({"pump.rate": rates})["gain"], "gain.sigma": 0.5}
        >>> found = jr.fit(bench, table, free=["laser.B"], num_starts=16)
        >>> found.status
        'ok'
    """
    wishes = Wishes(free, start or {}, bounds or {}, fixed or {}, tie or {}, prior or {}, per or {})
    ready = prepared(experiment, data, wishes, Noise(resolution or {}, jitter or {}), likelihood_of(loss))
    _check_choices(intervals, level, num_starts)
    settings = _settings(wishes, ready.task.stated, loss, intervals, num_starts)
    mark = fingerprint(ready.task.base, ready.task.stated.free.names, settings, level, seed)
    path = None if checkpoint is None else Path(checkpoint)
    with bar(None, progress, " fits") as advance:
        journal = Journal(path, mark, advance)
        try:
            found = _fitted(ready, ready.task.with_journal(journal), intervals, level, num_starts, seed)
        except BaseException:
            journal.write()
            raise
    if path is not None:
        path.unlink(missing_ok=True)
    return replace(found, settings=settings, provenance=_provenance(ready, seed))


def profile(fit: FitResult, names: Sequence[str] | None = None, *, level: float = 0.95) -> FitResult:
    """Profile of the likelihood of parameters of a fit: all others are fitted again at every value of each.

    Args:
        fit: What `jr.fit` returned, with whatever intervals.
        names: Parameters to profile; by default all that the data determine. One that is not determined is flat.
        level: Of the intervals.

    Returns:
        The fit with these intervals and profiles; those of other parameters have no ends.

    Raises:
        ValueError: a name that was not free (the nearest is proposed), or a fit that was loaded from a file.
    """
    solution: Solution | None = fit._problem
    if solution is None:
        raise ValueError("A fit from a file has no data to fit again: run jr.fit once more, then profile its result.")
    order = [e.name for e in fit.estimates]
    which = None if names is None else tuple(order.index(fit[name].name) for name in names)
    ends = profiles(solution, level, which)
    done = [i for i, (x, _) in enumerate(ends.curves) if x.size > 1]
    estimates = _estimates(solution, ends, done)
    return replace(fit, estimates=estimates, profiles=_profiles(solution, ends, level), method="profile", level=level)


@dataclass(frozen=True)
class Prepared:
    """A fit that is checked and laid out.

    Attributes:
        subjects: What is fitted.
        tables: To what.
        task: How.
    """

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
    bound = [measured(s, t, name, noise) for (name, _, _), s, t in zip(pairs, subjects, tables, strict=True)]
    datasets = list(dict.fromkeys(str(d) for m in bound for d in m.dataset))
    conditions = {name for m in bound for name in m.conditions}
    what = stated(wishes, _known(subjects, bound, wishes), conditions, datasets)
    return Prepared(subjects, tables, task(subjects, bound, datasets, what, loss))


def _pairs(experiment: Any, data: Any) -> list[tuple[str, Fitted, Any]]:
    """(name, what is fitted, table) of every data set."""
    if not isinstance(experiment, Mapping):
        return [("data", experiment, data)]
    if not isinstance(data, Mapping) or set(data) != set(experiment):
        names = ", ".join(f"'{name}': ..." for name in experiment)
        raise ValueError(f"Several experiments need a table each, by the same names: {{{names}}}.")
    return [(name, what, data[name]) for name, what in experiment.items()]


def _subject(what: Fitted, table: Table, wishes: Wishes) -> Subject:
    if isinstance(what, Experiment):
        return OfExperiment(what)
    if not callable(what):
        raise ValueError(f"What is fitted must be a jr.Experiment or a function, but {what!r} was given.")
    named = dict.fromkeys([*wishes.free, *wishes.fixed, *wishes.tie, *table.columns])
    return OfFunction(what, tuple(named))


def _known(subjects: Sequence[Subject], bound: Sequence[Measured], wishes: Wishes) -> dict[str, Known]:
    """Every parameter that may be named: of the models, of functions, and corrections of the instruments."""
    known = {name: k for subject in subjects for name, k in subject.parameters.items()}
    for subject, data in zip(subjects, bound, strict=True):
        for name in data.names:
            known[f"{name}.scale"] = Known("1", 1.0, "positive")
            known[f"{name}.offset"] = Known(subject.observables[name] or "1", 0.0, "finite")
        known |= {f"{name}.scale": Known("1", 1.0, "positive") for name in data.conditions}
    if any(isinstance(subject, OfFunction) for subject in subjects):
        for name in (*wishes.free, *wishes.fixed, *wishes.tie):
            known.setdefault(name, Known("", None, "finite"))
    return known


def _check_choices(intervals: str, level: float, num_starts: int) -> None:
    if intervals not in METHODS:
        raise ValueError(unknown("method", intervals, METHODS, "intervals"))
    if not 0 < level < 1:
        raise ValueError(f"`level` must lie between 0 and 1, but {level} was given.")
    if num_starts < 1:
        raise ValueError(f"`num_starts` must be at least 1, but {num_starts} was given.")


def _settings(wishes: Wishes, stated: Stated, loss: Any, intervals: str, num_starts: int) -> dict[str, Any]:
    """What was asked for, as text and numbers."""
    plain = {
        "start": dict(wishes.start),
        "bounds": {
            c.name: [float(c.natural(c.lower)), float(c.natural(c.upper))]
            for c in stated.coordinates
            if c.parameter in wishes.bounds
        },
        "fixed": dict(wishes.fixed),
        "prior": {name: list(values) for name, values in wishes.prior.items()},
        "tie": {name: getattr(rule, "text", str(rule)) for name, rule in wishes.tie.items()},
        "per": dict(wishes.per),
    }
    kept = {name: values for name, values in plain.items() if values}
    return {"free": list(wishes.free), **kept, "loss": str(loss), "intervals": intervals, "num_starts": num_starts}


def _fitted(ready: Prepared, task: Task, method: str, level: float, num_starts: int, seed: int) -> FitResult:
    """The result of a fit, but for what was asked and what computed it."""
    begin = starts(task, num_starts, seed)
    _refuse_untouched(task, begin)
    found = search(task, begin)
    while True:
        known = _identified(task, found.best)
        solution = _solution(task, found, known)
        ends = _intervals(solution, method, level, seed)
        if ends.better is None:
            break
        found = search(task, np.concatenate([ends.better[:, None], found.u], axis=1))
    return _result(ready, solution, found, known, ends, method, level)


def _refuse_untouched(task: Task, begin: np.ndarray) -> None:
    """Refuse free parameters that no prediction depends on, at any start."""
    seen = np.zeros(task.num, bool)
    for u in begin.T[:LOOKS]:
        seen |= np.any(np.nan_to_num(task.slopes(u)[1]) != 0, axis=1)
        if seen.all():
            return
    if seen.any():
        lost = [name for name, it_is in zip(task.layout.free.names, seen, strict=True) if not it_is]
        raise ValueError(
            f"No datum depends on {', '.join(f'`{n}`' for n in lost)}: take it out of `free`, or measure what it changes."
        )


def _identified(task: Task, u: np.ndarray) -> Identified:
    free = task.layout.free
    return identify(task.jacobian(u), free.names, free.logarithmic)


def _solution(task: Task, found: Found, known: Identified) -> Solution:
    dof = task.value.size + len(task.layout.free.priors) - known.svd.rank
    square = float(found.square[0])
    scale = task.scale(found.best, square, dof)
    return Solution(task, found.best, square, known.covariance * scale**2, scale, dof, known.held)


def _intervals(solution: Solution, method: str, level: float, seed: int) -> Intervals:
    match method:
        case "wald":
            return wald(solution, level)
        case "sandwich":
            return sandwich(solution, level)
        case "bootstrap":
            return bootstrap(solution, level, seed)
    return profiles(solution, level)


def _result(
    ready: Prepared, solution: Solution, found: Found, known: Identified, ends: Intervals, method: str, level: float
) -> FitResult:
    task = solution.task
    moving = np.array([c.direction for c in known.combinations]).reshape(-1, task.num)
    groups = minima(found, moving)
    prediction, slopes = task.slopes(solution.u)
    residuals = (task.value - prediction) / (solution.scale * task.sigma)
    judged = adequacy(task, residuals, solution.square, solution.dof, solution.scale)
    rivals = _rivals(found, groups, solution, level)
    status, remarks = _status(found, known, judged, rivals)
    return FitResult(
        status=status,
        remarks=(*remarks, *(r for t in ready.tables for r in t.remarks)),
        estimates=_estimates(solution, ends, np.flatnonzero(known.determined)),
        derived=derived(solution, ready.experiments, level),
        combinations=_combinations(solution, known, level),
        covariance=solution.covariance,
        adequacy=judged,
        starts=_starts(task, found, groups),
        profiles=_profiles(solution, ends, level) if method == "profile" else (),
        table=_table(solution, known, prediction, slopes, residuals, level),
        units=_units(ready),
        method=method,
        level=level,
        settings={},
        provenance={},
        _problem=solution,
    )


def _rivals(found: Found, groups: list[np.ndarray], solution: Solution, level: float) -> list[np.ndarray]:
    """Other minima that the data cannot tell from the best."""
    limit = solution.square + (solution.scale * solution.quantile(level)) ** 2
    return [group for group in groups[1:] if found.square[group[0]] <= limit]


def _status(found: Found, known: Identified, judged: Any, rivals: list) -> tuple[FitStatus, list[str]]:
    """The first thing that is wrong, and all of it in sentences."""
    checks: list[tuple[FitStatus, list[str]]] = [
        ("not_converged", [] if found.converged[0] else [NOT_CONVERGED]),
        ("not_identifiable", _not_identifiable(known)),
        ("inadequate_model", adequacy_remarks(judged) if is_inadequate(judged) else []),
        ("multiple_minima", [RIVALS.format(len(rivals))] if rivals else []),
    ]
    wrong = [(status, remarks) for status, remarks in checks if remarks]
    return (wrong[0][0] if wrong else "ok"), [remark for _, remarks in wrong for remark in remarks]


LOOKS = 8
"""Starts at which a parameter may turn out to have an effect."""
NOT_CONVERGED = "The fit did not converge: what follows is the best point that was found, and no minimum."
RIVALS = "{} other minima describe the data as well: see where the starts led, and narrow the bounds or add data."


def _not_identifiable(known: Identified) -> list[str]:
    if known.is_full_rank:
        return []
    lost = [name for name, it_is in zip(known.names, known.determined, strict=True) if not it_is]
    products = [f"`{c}`" for c in known.combinations if len(c.powers) > 1]
    what = (
        f"only {' and '.join(products)} {'is' if len(products) == 1 else 'are'} determined"
        if products
        else "nothing is"
    )
    return [
        f"The data do not determine {', '.join(f'`{n}`' for n in lost)}: {what}. Fix some of them, or measure more."
    ]


def _estimates(solution: Solution, ends: Intervals, done: Collection[int]) -> tuple[Estimate, ...]:
    """The free parameters, with the intervals of those whose intervals were looked for."""
    return tuple(_estimate(solution, ends, i, i in done) for i in range(solution.u.size))


def _estimate(solution: Solution, ends: Intervals, i: int, has_ends: bool) -> Estimate:
    c, u, error = solution.task.stated.coordinates[i], solution.u[i], float(solution.deviations[i])
    low, high = (float(ends.lower[i]), float(ends.upper[i])) if has_ends else (-np.inf, np.inf)
    labels = (ends.lower_labels[i], ends.upper_labels[i]) if has_ends else ("unbounded", "unbounded")
    value = float(c.natural(u))
    return Estimate(
        name=c.name,
        unit=c.unit,
        value=value,
        start=float(c.natural(c.start)),
        error=error * value if c.logarithmic else error,
        lower=float(c.natural(low)),
        upper=float(c.natural(high)),
        lower_label=labels[0],
        upper_label=labels[1],
        logarithmic=c.logarithmic,
        is_determined=bool(np.isfinite(error)),
    )


def _combinations(solution: Solution, known: Identified, level: float) -> tuple[Derived, ...]:
    """What the data determine, with intervals by the curvature."""
    found = []
    for c in known.combinations:
        centre = float(c.direction @ solution.u)
        half = solution.quantile(level) * solution.scale * np.sqrt(known.variance(c.direction))
        numbers = np.array([centre, centre - half, centre + half])
        value, low, high = np.exp(numbers) if c.logarithmic else numbers
        found.append(Derived(str(c), "", float(value), float(low), float(high)))
    return tuple(found)


def _starts(task: Task, found: Found, groups: list[np.ndarray]) -> Starts:
    coordinates = task.stated.coordinates
    return Starts(
        num=found.square.size,
        failed=int(np.count_nonzero(~np.isfinite(found.square))),
        not_converged=int(np.count_nonzero(~found.converged & np.isfinite(found.square))),
        chi2=tuple(found.square.tolist()),
        minima=tuple(
            Minimum(
                float(found.square[g[0]]),
                len(g),
                tuple(float(c.natural(u)) for c, u in zip(coordinates, found.u[:, g[0]], strict=True)),
            )
            for g in groups
        ),
    )


def _profiles(solution: Solution, ends: Intervals, level: float) -> tuple[Profile, ...]:
    threshold = solution.quantile(level) ** 2
    named = zip(solution.task.stated.coordinates, ends.curves, strict=True)
    return tuple(
        Profile(c.name, tuple(np.atleast_1d(c.natural(x)).tolist()), tuple(rise.tolist()), threshold)
        for c, (x, rise) in named
        if x.size > 1
    )


def _table(
    solution: Solution,
    known: Identified,
    prediction: np.ndarray,
    slopes: np.ndarray,
    residuals: np.ndarray,
    level: float,
) -> dict[str, np.ndarray]:
    """Data beside the fit and its band, a row each, in the units that the data were compared in."""
    task = solution.task
    half = solution.quantile(level) * solution.scale * np.linalg.norm(known.svd.factor.T @ slopes, axis=0)
    factor, zero = _display(task)
    names = np.concatenate([np.array(m.names, object)[m.observable] for m in task.data])
    return {
        "dataset": np.concatenate([m.dataset[m.state] for m in task.data]),
        "line": np.concatenate([m.line for m in task.data]),
        "observable": names,
        "value": task.value * factor + zero,
        "sigma": solution.scale * task.sigma * factor,
        "fit": prediction * factor + zero,
        "fit_lower": (prediction - half) * factor + zero,
        "fit_upper": (prediction + half) * factor + zero,
        "residual": residuals,
        **_conditions(task),
    }


def _conditions(task: Task) -> dict[str, np.ndarray]:
    """Conditions of every datum, NaN where its table has none of that name."""
    names = dict.fromkeys(name for m in task.data for name in (*m.conditions, *m.coordinates))
    return {name: np.concatenate([_column(m, name) for m in task.data]) for name in names}


def _column(data: Measured, name: str) -> np.ndarray:
    if name in data.conditions:
        return data.conditions[name][data.state]
    return data.coordinates.get(name, np.full(data.value.size, np.nan))


def _display(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Factor and zero that make of each datum what people read: decibels of a logarithm."""
    factors, zeros = [], []
    for m in task.data:
        levels = np.array([name in m.levels for name in m.names])
        watts = np.array([m.units[name] == "W" for name in m.names])
        factors.append(np.where(levels, 1 / PER_DB, 1.0)[m.observable])
        zeros.append(np.where(levels & watts, 30.0, 0.0)[m.observable])
    return np.concatenate(factors), np.concatenate(zeros)


def _units(ready: Prepared) -> dict[str, str]:
    """Unit of every column and of every observable of the table."""
    found: dict[str, str] = {}
    for subject, data in zip(ready.subjects, ready.task.data, strict=True):
        found |= {name: k.unit for name, k in subject.parameters.items() if name in data.conditions}
        found |= {axis: unit for name in data.names for axis, _, unit in subject.axes(name)}
        found |= {name: _unit(data, name) for name in data.names}
    return found


def _unit(data: Measured, name: str) -> str:
    if name not in data.levels:
        return data.units[name]
    return "dBm" if data.units[name] == "W" else "dB"


def _provenance(ready: Prepared, seed: int) -> dict[str, Any]:
    made = provenance(ready.experiments[0].model) if ready.experiments else versions()
    sources = {f"{t.source} {i}" if i else t.source: t.sha256 for i, t in enumerate(ready.tables)}
    return {**made, "data": sources, "seed": seed, "precision": "float64"}
