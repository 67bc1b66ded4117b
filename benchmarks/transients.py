"""The four-level medium in time, from all in level 0: J2 and J3, its inversion at 100 times; J2G, a decay observable.

An inversion passes through zero on its way, so its error is taken over the largest value of its curve.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxrate as jr
from benchmarks import exact_paths, media, operations, reference
from benchmarks.ensembles import DTYPES, at, in_precision, largest, put, sample
from benchmarks.measure import Case

SPACING = 1e-4  # s
TIMES = {"J2": SPACING * np.arange(1, 101), "J3": np.geomspace(1e-9, 1e-1, 100)}
"""Times of each job [s]."""
WRT = ("pump.rate", "laser.B", "quench.rate", "signal.intensity")
"""What is differentiated by."""
JUDGED = 16
"""Lanes that are compared with the reference."""
JUDGED_SLOPES = 4
"""The same, of derivatives."""
SHARE = 8
"""Curves come with their derivatives on so many times fewer lanes: they are five times as many numbers."""

Exact = Callable[[dict[str, float], Sequence[float]], exact_paths.Path]


def curves(job: str, lanes: int) -> list[Case]:
    """J2, J3: the inversion of every ensemble at 100 times, and with its derivatives on fewer."""
    solver = jr.Evolve(TIMES[job], start={"0": 1.0})
    bench = jr.Experiment(media.four_level(), solver, {"inversion": jr.Inversion("laser")})
    return [case for dtype in DTYPES for case in _curves(bench, job, lanes, dtype)]


def _curves(bench: jr.Experiment, job: str, lanes: int, dtype: str) -> list[Case]:
    few = max(1, lanes // SHARE)
    batch = put(media.draw_parameters(lanes), dtype)
    fewer = put(media.draw_parameters(few), dtype)
    judge = judge_of_curves(job, batch, exact_paths.of_parameters)

    def slope_error(found: tuple) -> float:
        slopes = found[1]["inversion"]
        return largest(
            exact_paths.error_of_curve(np.asarray(slopes[name])[:, i], exact_paths.inversion(exact))
            for i in sample(few, JUDGED_SLOPES)
            for name, exact in _slopes(job, at(fewer, int(i)))
        )

    value = in_precision(dtype, lambda: bench(batch))
    both = in_precision(dtype, lambda: bench.value_and_grad(fewer, wrt=WRT))
    about = operations.about(bench, 6 + 100, dtype) if job == "J2" else None
    return [
        Case(job, "jaxrate", dtype, lanes, value, lambda found: judge(found["inversion"]), about=about),
        Case(job, "value and gradient", dtype, few, both, slope_error),
    ]


def judge_of_curves(job: str, given: Mapping[str, Any], exact: Exact) -> Callable[[Any], float]:
    """Judge of inversions of shape (time, lane), given what every lane was given."""

    def error(found: Any) -> float:
        curves = np.asarray(found)
        return largest(
            exact_paths.error_of_curve(
                curves[:, i], exact_paths.inversion(exact(at(given, int(i)), TIMES[job].tolist()))
            )
            for i in sample(curves.shape[1], JUDGED)
        )

    return error


def _slopes(job: str, theta: dict[str, float]) -> list[tuple[str, exact_paths.Path]]:
    return [(name, exact_paths.slopes(theta, name, TIMES[job].tolist())) for name in WRT]


def stored(path: jr.Solution) -> Any:
    """Population of the upper level, summed over the times of J2 [s]: what a detector behind a gate counts."""
    return jnp.trapezoid(path["2"], path.times, axis=0)


def decay_observable(lanes: int) -> list[Case]:
    """J2G: a number that needs the whole path, alone and with its derivatives by four parameters."""
    bench = jr.Experiment(media.four_level(), jr.Evolve(TIMES["J2"], start={"0": 1.0}), {"stored": stored})
    return [case for dtype in DTYPES for case in _decay_observable(bench, lanes, dtype)]


def _decay_observable(bench: jr.Experiment, lanes: int, dtype: str) -> list[Case]:
    batch, times = put(media.draw_parameters(lanes), dtype), TIMES["J2"].tolist()

    def value_error(found: dict[str, Any]) -> float:
        values = np.asarray(found["stored"])
        return largest(
            reference.relative_error(
                [values[i]], [exact_paths.stored(exact_paths.of_parameters(at(batch, int(i)), times), times)]
            )
            for i in sample(lanes, JUDGED)
        )

    def slope_error(found: tuple) -> float:
        slopes = np.stack([np.asarray(found[1]["stored"][name]) for name in WRT])
        return largest(
            reference.relative_error(
                slopes[:, i], [exact_paths.stored(path, times) for _, path in _slopes("J2", at(batch, int(i)))]
            )
            for i in sample(lanes, JUDGED_SLOPES)
        )

    both = in_precision(dtype, lambda: bench.value_and_grad(batch, wrt=WRT))
    return [
        Case("J2G", "value", dtype, lanes, in_precision(dtype, lambda: bench(batch)), value_error),
        Case("J2G", "value and gradient", dtype, lanes, both, slope_error),
    ]
