"""What a stiff problem is to the programs that are timed at it: its rate equations, its numbers, and a judge.

The rate equations are written once, in plain arithmetic: JAX, NumPy and numba all read the same function.
"""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from benchmarks.measure import Reading, read

REFERENCE_RTOL = 1e-12
JUDGED = 24
"""Lanes that are compared with the reference: the first, which are the same however many there are."""
ROUNDS = 2
"""That each is timed in: these take seconds."""
WRONG = 0.01
"""A lane that is further off anywhere is wrong, whatever its tolerances were."""


@dataclass(frozen=True)
class Problem:
    r"""Rate equations $\dot y = f(y, p)$ with what every program is told of them.

    Attributes:
        job: "N1".
        slope: From y and p, sequences of numbers or arrays, to the tuple of the derivatives.
        rates: Constants p of so many lanes, shape (lane, rate); the first are the same however many.
        start: y at time zero, shape (population,), the same in every lane.
        scale: Absolute tolerance of each population over the relative one, shape (population,).
        times: Where y is asked for, shape (time,).
        relative_below: Share of its peak below which a population's error is relative to itself and not to the peak,
            shape (population,). Zero: never; infinity: always.
    """

    job: str
    slope: Callable[[Any, Any], tuple]
    rates: Callable[[int], np.ndarray]
    start: tuple[float, ...]
    scale: tuple[float, ...]
    times: np.ndarray
    relative_below: tuple[float, ...]


def errors(problem: Problem, found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Largest error of each lane over its times and populations, shape (lane,); NaN where a number is.

    Args:
        problem: Says what the error of each population is relative to.
        found, exact: Shape (population, time, lane).
    """
    peak = np.max(np.abs(exact), axis=1, keepdims=True)
    below = np.reshape(problem.relative_below, (-1, 1, 1))
    yardstick = np.where(np.abs(exact) < below * peak, np.abs(exact), peak)
    return np.max(np.abs(found - exact) / yardstick, axis=(0, 1))


def judge(problem: Problem, finished: bool = False) -> Callable[[np.ndarray], float]:
    """Judge of populations of shape (population, time, lane): the largest error of its first lanes.

    Args:
        problem: What was solved.
        finished: Whether lanes without numbers are left out.
    """

    def error(found: np.ndarray) -> float:
        few = min(JUDGED, found.shape[-1])
        each = errors(problem, found[..., :few], reference(problem, problem.rates(JUDGED))[..., :few])
        return float(np.nanmax(each) if finished else np.max(each))

    return error


def num_wrong(problem: Problem, found: np.ndarray, exact: np.ndarray) -> int:
    """Lanes with a population more than 1 % of its peak off somewhere, or without numbers. Seeds are not looked at."""
    whole = replace(problem, relative_below=(0.0,) * len(problem.start))
    return int(np.sum(~(errors(whole, found, exact) < WRONG)))


def told(problem: Problem, call: Callable[[], np.ndarray]) -> Callable[[], Reading]:
    """The call with the number of wrong lanes among those that are judged."""

    def counted() -> Reading:
        reading = read(call)
        few = reading.output[..., :JUDGED]
        exact = reference(problem, problem.rates(JUDGED))[..., : few.shape[-1]]
        return replace(reading, facts={"wrong_lanes": num_wrong(problem, few, exact), "judged_lanes": few.shape[-1]})

    return counted


def jacobian(problem: Problem, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """df/dy by the complex step, exact to rounding, shape (population, population)."""
    step = 1e-30
    moved = y[:, None] + 1j * step * np.eye(len(y))
    return np.stack([np.imag(np.broadcast_to(row, len(y))) for row in problem.slope(moved, p)]) / step


def reference(problem: Problem, p: np.ndarray) -> np.ndarray:
    """Populations by SciPy's Radau at a relative tolerance of 1e-12, kept in a file of the temporary folder.

    Args:
        problem: What is solved.
        p: Constants, shape (lane, rate).

    Returns:
        Shape (population, time, lane).
    """
    kept = _file_of(problem, p)
    if not kept.is_file():
        found = np.stack([solved(problem, row) for row in p], axis=-1)
        with tempfile.NamedTemporaryFile(dir=kept.parent, suffix=".npy", delete=False) as part:
            np.save(part, found)
        Path(part.name).replace(kept)
    return np.load(kept)


def _file_of(problem: Problem, p: np.ndarray) -> Path:
    """Another one for other numbers, and for other rate equations."""
    numbers = (problem.times, np.array(problem.start), np.array(problem.scale), p)
    code = problem.slope.__code__
    parts = [code.co_code, repr(code.co_consts).encode(), *(np.ascontiguousarray(part).tobytes() for part in numbers)]
    digest = hashlib.sha256(b"".join(parts)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"jaxrate-benchmark-{problem.job}-{digest}.npy"


def solved(problem: Problem, p: np.ndarray, rtol: float = REFERENCE_RTOL) -> np.ndarray:
    """One lane, shape (population, time). Every time ends a run of its own: Radau interpolates to third order only."""
    y, found = np.array(problem.start), []
    for begin, end in zip([0.0, *problem.times[:-1]], problem.times, strict=True):
        y = scipy_ends(problem, "Radau", p, (begin, end), y, rtol, rtol * np.array(problem.scale))[:, -1]
        found.append(y)
    return np.stack(found, axis=-1)


def scipy_ends(
    problem: Problem, method: str, p: np.ndarray, span: Sequence[float], y: np.ndarray, rtol: float, atol: Any
) -> np.ndarray:
    """Populations at the end of a span, shape (population, 1), by a method of `scipy.integrate.solve_ivp`."""
    return _run(problem, method, p, span, y, [span[1]], rtol, atol)


def scipy_path(problem: Problem, method: str, p: np.ndarray, rtol: float, atol: Any) -> np.ndarray:
    """One lane as a user asks for it, shape (population, time)."""
    span = (0.0, problem.times[-1])
    return _run(problem, method, p, span, np.array(problem.start), problem.times, rtol, atol)


def _run(problem: Problem, method: str, p: np.ndarray, span: Any, y: np.ndarray, times: Any, rtol: float, atol: Any):
    found = solve_ivp(
        lambda t, y: np.array(problem.slope(y, p)),
        span,
        y,
        method,
        times,
        rtol=rtol,
        atol=atol,
        jac=lambda t, y: jacobian(problem, y, p),
    )
    if not found.success:
        raise RuntimeError(found.message)
    return found.y
