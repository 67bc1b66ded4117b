"""`jr.fit`: free parameters from measured numbers, with intervals that are true."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from jaxrate.experiment import Experiment
from jaxrate.fit.assemble import drawn, estimates, limited, result
from jaxrate.fit.identify import Identified, identify
from jaxrate.fit.journal import Journal, fingerprint
from jaxrate.fit.levenberg import LOST
from jaxrate.fit.likelihood import likelihood_of
from jaxrate.fit.minibatch import minibatch as minibatches
from jaxrate.fit.optimize import Found, search, starts
from jaxrate.fit.prepare import ONE, Fitted, Prepared, prepared
from jaxrate.fit.profiles import profiles
from jaxrate.fit.readings import Noise
from jaxrate.fit.result import FitResult
from jaxrate.fit.stated import Stated, Wishes
from jaxrate.fit.task import Task
from jaxrate.fit.uncertainty import METHODS, Intervals, Solution, bootstrap, sandwich, wald
from jaxrate.names import unknown
from jaxrate.sweep.progress import bar
from jaxrate.sweep.provenance import provenance, versions

LOOKS = 8
"""Starts at which a parameter may turn out to have an effect."""
AGAIN = 5
"""Better minima that profiles may come upon before the fit is told as it is."""


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
    intervals: Literal["profile", "wald", "bootstrap", "bootstrap_blocks", "sandwich"] = "profile",
    level: float = 0.95,
    num_starts: int = 256,
    seed: int = 0,
    minibatch: int | None = None,
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
        bounds: (lower, upper) of a parameter, None where there is none. What is above zero in the model counts as
            positive, unless its lower bound is negative; a parameter of a function only if its lower bound is not.
        fixed: Values of other parameters that differ from the model's.
        tie: {name: function of a dict of the others, or an expression}: parameters that follow from others.
        prior: (mean, standard deviation) of a Gaussian, in the parameter's units; in dB one of the logarithm.
        per: {"light.scale": "dataset"}: parameters that every data set has for itself.
        resolution, jitter: By observable, in its unit: $\sigma^2 = stated^2 + resolution^2/12 + jitter^2$.
        loss: "gaussian", "student_t" (outliers), "soft_l1", "poisson" (counts).
        intervals: "profile" of the likelihood, "wald" (by the curvature), "bootstrap" (fits to data simulated from the
            fit), "bootstrap_blocks" (to blocks of the data: states, or runs of neighbours), "sandwich" (where
            residuals are correlated).
        level: Of the intervals.
        num_starts: The stated start and scrambled Sobol points around it, within the bounds or a decade to each side.
        seed: Of the starts and of the bootstrap.
        minibatch: States in a random part of a very large table: Adam goes a long way by such parts, before the fit to
            all data begins.
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
    _check_choices(intervals, level, num_starts, seed)
    if minibatch is not None and minibatch < 1:
        raise ValueError(f"`minibatch` must be a number of states from 1 on, but {minibatch} was given.")
    settings = _settings(
        wishes, ready.task.stated, loss=str(loss), intervals=intervals, num_starts=num_starts, minibatch=minibatch
    )
    if intervals.startswith("bootstrap") and wishes.prior:
        raise ValueError("A bootstrap draws data anew but no priors, and would take them as exact: use 'profile'.")
    mark = fingerprint(ready.task.base, ready.task.stated.free.names, settings, level, seed)
    path = None if checkpoint is None else Path(checkpoint)
    with bar(None, progress, " fits") as advance:
        journal = Journal(path, mark, advance)
        try:
            begin = _begin(ready.task, num_starts, minibatch, seed)
            found = _fitted(ready, ready.task.with_journal(journal), begin, intervals, level, seed)
        except BaseException:
            journal.write()
            raise
    if path is not None:
        path.unlink(missing_ok=True)
    return replace(found, settings=settings, provenance=_provenance(ready, seed))


def profile(fit: FitResult, names: Sequence[str] | str | None = None, *, level: float = 0.95) -> FitResult:
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
    _check_level(level)
    order, names = [e.name for e in fit.estimates], [names] if isinstance(names, str) else names
    which = None if names is None else tuple(order.index(fit[name].name) for name in names)
    ends = profiles(solution, level, which)
    done = [i for i, (x, _) in enumerate(ends.curves) if x.size > 1]
    found = estimates(solution, ends, done)
    return replace(fit, estimates=found, profiles=drawn(solution, ends, level), method="profile", level=level)


def _check_level(level: float) -> None:
    if not isinstance(level, float) or not 0 < level < 1:
        raise ValueError(f"`level` must be a number between 0 and 1, such as 0.95, but {level} was given.")


def _check_choices(intervals: str, level: float, num_starts: int, seed: int) -> None:
    if intervals not in METHODS:
        raise ValueError(unknown("method", intervals, METHODS, "intervals"))
    _check_level(level)
    if not np.issubdtype(type(seed), np.integer) or seed < 0:
        raise ValueError(f"`seed` must be a whole number from 0 on, but {seed} was given.")
    if not np.issubdtype(type(num_starts), np.integer) or num_starts < 1:
        raise ValueError(f"`num_starts` must be a whole number from 1 on, but {num_starts} was given.")


def _settings(wishes: Wishes, stated: Stated, **others: Any) -> dict[str, Any]:
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
        "tie": {name: _told(rule) for name, rule in wishes.tie.items()},
        "per": dict(wishes.per),
    }
    kept = {name: values for name, values in plain.items() if values}
    return {"free": list(wishes.free), **kept, **others}


def _told(rule: Any) -> str:
    """A tie as text that is the same in every process."""
    text = getattr(rule, "text", rule)
    return text if isinstance(text, str) else f"a Python function, {getattr(rule, '__qualname__', type(rule).__name__)}"


def _begin(task: Task, num_starts: int, states: int | None, seed: int) -> np.ndarray:
    """Where the fits to all data begin, shape (coordinate, start)."""
    begin = starts(task, num_starts, seed)
    _refuse_untouched(task, begin)
    return (
        begin if states is None else minibatches(task.layout, task.loss, task.base, begin, states=states, seed=seed)[0]
    )


def _fitted(ready: Prepared, task: Task, begin: np.ndarray, method: str, level: float, seed: int) -> FitResult:
    """The result of a fit, but for what was asked and what computed it."""
    found = search(task, begin)
    for _ in range(AGAIN):
        solution = _solution(task, found, _identified(task, found.best, float(found.square[0])))
        ends = _intervals(solution, method, level, seed)
        if ends.better is None:
            break
        found = search(task, np.concatenate([ends.better[:, None], found.u], axis=1))
    if ends.covariance is not None:
        solution = replace(solution, covariance=ends.covariance)
    return result(ready, solution, found, ends, method, level)


def _refuse_untouched(task: Task, begin: np.ndarray) -> None:
    """Refuse free parameters that no prediction depends on, at any start."""
    seen, looked = np.zeros(task.num, bool), False
    for u in begin.T[:LOOKS]:
        prediction, slopes = task.slopes(u)
        told = np.isfinite(prediction)
        seen |= np.any(slopes[:, told] != 0, axis=1)
        looked |= told.any()
        if seen.all():
            return
    if looked:
        lost = [name for name, it_is in zip(task.layout.free.names, seen, strict=True) if not it_is]
        raise ValueError(
            f"No datum depends on {', '.join(f'`{n}`' for n in lost)}: take it out of `free`, "
            "or measure what it changes."
        )


def _identified(task: Task, u: np.ndarray, square: float) -> Identified:
    """What the data determine: not what has lost its effect on the way to zero or to infinity."""
    free, J = task.layout.free, task.jacobian(u)
    lower, upper = task.bounds
    has_range = np.isfinite(upper - lower)
    effect = np.linalg.norm(J, axis=0) * np.where(has_range, upper - lower, np.inf)
    return identify(np.where(effect <= LOST * np.sqrt(square), 0.0, J), free.names, free.logarithmic)


def _solution(task: Task, found: Found, known: Identified) -> Solution:
    dof = task.value.size + len(task.layout.free.priors) - known.svd.rank
    square = float(found.square[0])
    scale = task.scale(found.best, square, dof)
    return Solution(task, found.best, square, known.covariance * scale**2, scale, dof, known)


def _intervals(solution: Solution, method: str, level: float, seed: int) -> Intervals:
    match method:
        case "wald":
            return wald(solution, level)
        case "sandwich":
            return sandwich(solution, level)
        case "bootstrap" | "bootstrap_blocks":
            return bootstrap(solution, level, seed, by_blocks=method == "bootstrap_blocks")
    known = solution.known
    return profiles(solution, level, (*np.flatnonzero(known.determined).tolist(), *limited(known)))


def _of_model(experiment: Experiment) -> dict[str, Any]:
    """The medium as it was stated, and a fingerprint of it with what the solver adds, such as light along it."""
    whole = provenance(experiment.network.model)
    return {**provenance(experiment.model), **{n: x for n, x in whole.items() if n == "model_fingerprint"}}


def _provenance(ready: Prepared, seed: int) -> dict[str, Any]:
    made = _of_model(ready.experiments[0]) if ready.experiments else versions()
    sources = {
        t.source if n == ONE else f"{n}: {t.source}": t.sha256 for n, t in zip(ready.names, ready.tables, strict=True)
    }
    return {**made, "data": sources, "seed": seed, "precision": "float64"}
