"""The result of a fit, put together: what is wrong, estimates, what follows from them, and the table of residuals."""

from collections.abc import Collection
from typing import Any

import numpy as np

from jaxrate.fit.adequacy import adequacy, is_inadequate
from jaxrate.fit.adequacy import remarks as adequacy_remarks
from jaxrate.fit.derived import derived
from jaxrate.fit.identify import Identified
from jaxrate.fit.likelihood import poisson
from jaxrate.fit.measured import Measured
from jaxrate.fit.optimize import Found, minima
from jaxrate.fit.prepare import Prepared
from jaxrate.fit.readings import PER_DB
from jaxrate.fit.result import Derived, Estimate, FitResult, FitStatus, Minimum, Profile, Starts
from jaxrate.fit.task import Task
from jaxrate.fit.uncertainty import Intervals, Solution

LOOKS = 8
"""Starts at which a parameter may turn out to have an effect."""


def result(ready: Prepared, solution: Solution, found: Found, ends: Intervals, method: str, level: float) -> FitResult:
    """The result of a fit, but for what was asked and what computed it.

    Args:
        ready: What was fitted to what.
        solution: The best fit.
        found: Where the starts led.
        ends: Intervals of the coordinates.
        method, level: Of the intervals.
    """
    task, known = solution.task, solution.known
    moving = np.array([c.direction for c in known.combinations]).reshape(-1, task.num)
    groups = minima(found, moving)
    prediction, slopes = task.slopes(solution.u)
    sigma = np.sqrt(np.maximum(prediction, 0.0)) if task.loss == poisson else solution.scale * task.sigma
    residuals = (task.value - prediction) / np.where(sigma > 0, sigma, np.nan)
    judged = adequacy(task, residuals, solution.square, solution.dof, solution.scale)
    rivals = _rivals(found, groups, solution, level) if known.is_full_rank else []
    status, remarks = _status(found, known, judged, rivals)
    remarks += _run_away(solution)
    return FitResult(
        status=status,
        remarks=(*remarks, *(r for t in ready.tables for r in t.remarks)),
        estimates=estimates(solution, ends, [*np.flatnonzero(known.determined).tolist(), *limited(known)]),
        derived=derived(solution, ready.experiments, level),
        combinations=_combinations(solution, level),
        covariance=solution.covariance,
        adequacy=judged,
        starts=_starts(task, found, groups),
        profiles=drawn(solution, ends, level) if method == "profile" else (),
        table=_table(solution, prediction, slopes, sigma, level),
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
        ("not_converged", [] if found.converged[0] else [_not_converged(found)]),
        ("not_identifiable", _not_identifiable(known)),
        ("inadequate_model", adequacy_remarks(judged) if is_inadequate(judged) else []),
        ("multiple_minima", [RIVALS.format(_others(len(rivals)))] if rivals else []),
    ]
    wrong: list[tuple[FitStatus, list[str]]] = [(status, remarks) for status, remarks in checks if remarks]
    return (wrong[0][0] if wrong else "ok"), [remark for _, remarks in wrong for remark in remarks]


RUN_AWAY = "`{}` ran {}, as far as it was looked for: the data give a limit and no value; state bounds if you know any."
NOT_CONVERGED = "The fit did not converge: what follows is the best point that was found, and no minimum."
NO_PREDICTION = "No start gives a finite prediction: give others by `start`, or bounds that keep it finite."
RIVALS = "{} as well: see where the starts led, and narrow the bounds or add data."


def _run_away(solution: Solution) -> list[str]:
    """Logarithms that nothing stopped."""
    ran = []
    for c, u in zip(solution.task.stated.coordinates, solution.u, strict=True):
        at_end = [not np.isfinite(bound) and u == end for bound, end in zip((c.lower, c.upper), c.ends, strict=True)]
        ran += [RUN_AWAY.format(c.name, "to zero" if at_end[0] else "to infinity")] if any(at_end) else []
    return ran


def _not_converged(found: Found) -> str:
    return NOT_CONVERGED if np.isfinite(found.square[0]) else NO_PREDICTION


def _others(number: int) -> str:
    return "Another minimum describes the data" if number == 1 else f"{number} other minima describe the data"


def _not_identifiable(known: Identified) -> list[str]:
    if known.is_full_rank:
        return []
    lost = [name for name, it_is in zip(known.names, known.determined, strict=True) if not it_is]
    products = [f"`{c}`" for c in known.combinations if len(c.powers) > 1]
    only = f": only {' and '.join(products)} {'is' if len(products) == 1 else 'are'} determined" if products else ""
    return [f"The data do not determine {', '.join(f'`{n}`' for n in lost)}{only}. Fix some of them, or measure more."]


def limited(known: Identified) -> list[int]:
    """Coordinates that have lost their effect where the fit ended: they may still have a limit."""
    return [known.names.index(name) for name in known.untouched]


def estimates(solution: Solution, ends: Intervals, done: Collection[int]) -> tuple[Estimate, ...]:
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


def _combinations(solution: Solution, level: float) -> tuple[Derived, ...]:
    """What the data determine, with intervals by the curvature."""
    found = []
    for c in solution.known.combinations:
        centre = float(c.direction @ solution.u)
        half = solution.quantile(level) * np.sqrt(solution.variance(c.direction))
        numbers = np.array([centre, centre - half, centre + half])
        with np.errstate(over="ignore"):
            value, low, high = np.exp(numbers) if all(c.logarithmic) else numbers
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


def drawn(solution: Solution, ends: Intervals, level: float) -> tuple[Profile, ...]:
    """Profiles in natural values, of what was profiled."""
    threshold = solution.quantile(level) ** 2
    named = zip(solution.task.stated.coordinates, ends.curves, strict=True)
    return tuple(
        Profile(c.name, tuple(np.atleast_1d(c.natural(x)).tolist()), tuple(rise.tolist()), threshold)
        for c, (x, rise) in named
        if x.size > 1
    )


def _table(
    solution: Solution, prediction: np.ndarray, slopes: np.ndarray, sigma: np.ndarray, level: float
) -> dict[str, np.ndarray]:
    """Data beside the fit and its band, a row each, in the units that the data were compared in."""
    task = solution.task
    with np.errstate(invalid="ignore"):  # no prediction has no slope
        half = solution.quantile(level) * solution.scale * np.linalg.norm(solution.known.svd.factor.T @ slopes, axis=0)
    factor, zero = _display(task)
    names = np.concatenate([np.array(m.names, object)[m.observable] for m in task.data])
    return {
        "dataset": np.concatenate([m.dataset[m.state] for m in task.data]),
        "line": np.concatenate([m.line for m in task.data]),
        "observable": names,
        "value": task.value * factor + zero,
        "sigma": sigma * factor,
        "fit": prediction * factor + zero,
        "fit_lower": (prediction - half) * factor + zero,
        "fit_upper": (prediction + half) * factor + zero,
        "residual": (task.value - prediction) / np.where(sigma > 0, sigma, np.nan),
        **_conditions(task),
        **_channels(task),
    }


def _conditions(task: Task) -> dict[str, np.ndarray]:
    """Conditions of every datum, NaN where its table has none of that name."""
    names = dict.fromkeys(
        name for m in task.data for name in (*m.conditions, *m.coordinates) if name not in m.of_channels
    )
    return {name: np.concatenate([_column(m, name) for m in task.data]) for name in names}


def _channels(task: Task) -> dict[str, np.ndarray]:
    """Where channels ran together: the state of every datum, and what its own channel had for itself."""
    names = dict.fromkeys(name for m in task.data for name in m.beside)
    found = {
        name: np.concatenate([m.beside.get(name, np.full(m.value.size, np.nan)) for m in task.data]) for name in names
    }
    return found | ({"state": np.concatenate([m.state_name[m.state] for m in task.data])} if names else {})


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
        found |= {its.parameter: its.unit for its in subject.lists if its.parameter in data.beside}
        found |= {axis: unit for name in data.names for axis, _, unit in subject.axes(name)}
        found |= {name: _unit(data, name) for name in data.names}
    return found


def _unit(data: Measured, name: str) -> str:
    if name not in data.levels:
        return data.units[name]
    return "dBm" if data.units[name] == "W" else "dB"
