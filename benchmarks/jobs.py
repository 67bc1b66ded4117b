"""The jobs that jaxrate is timed at, each declared once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxrate as jr
from benchmarks import (
    amplifiers,
    by_levels,
    by_size,
    fits,
    kinetics,
    lasers,
    machine,
    media,
    operations,
    powers,
    reference,
    steps,
    transients,
)
from benchmarks.ensembles import DTYPES, at, in_precision, largest, populations, put, sample
from benchmarks.measure import Case, Reading

ALONE = "jaxrate, XLA on one thread"
ONE_THREAD = {"PJRT_NPROC": "1"}
"""By itself XLA has as many threads as the machine has cores, beside those of jaxrate: see NOTES.md."""


def steady(lanes: int) -> list[Case]:
    """J1: populations and inversion of a four-level medium in a beam while six parameters vary."""
    observables = {"populations": populations, "inversion": jr.Inversion("laser")}
    bench = jr.Experiment(media.four_level(), jr.Steady(), observables)
    return [*(_steady(bench, lanes, dtype) for dtype in DTYPES), *alone("J1", lanes)]


def _steady(bench: jr.Experiment, lanes: int, dtype: str) -> Case:
    batch = put(media.draw_parameters(lanes), dtype)

    def error(found: dict[str, jax.Array]) -> float:
        numbers = np.concatenate([np.asarray(found["populations"]), np.asarray(found["inversion"])[None]])
        return largest(
            reference.relative_error(numbers[:, i], reference.of_parameters(at(batch, i))) for i in sample(lanes)
        )

    call, about = in_precision(dtype, lambda: bench(batch)), operations.about(bench, 6 + 5, dtype)
    return Case("J1", "jaxrate", dtype, lanes, call, error, about=about)


def gradients(lanes: int) -> list[Case]:
    """J4: the inversion alone, and with its derivatives by all six parameters."""
    bench = jr.Experiment(media.four_level(), jr.Steady(), {"inversion": jr.Inversion("laser")})
    return [case for dtype in DTYPES for case in _gradients(bench, lanes, dtype)]


def _gradients(bench: jr.Experiment, lanes: int, dtype: str) -> list[Case]:
    batch = put(media.draw_parameters(lanes), dtype)

    def value_error(found: dict[str, jax.Array]) -> float:
        inversion = np.asarray(found["inversion"])
        return largest(
            reference.relative_error([inversion[i]], reference.of_parameters(at(batch, i))[-1:]) for i in sample(lanes)
        )

    def slope_error(found: tuple) -> float:
        slopes = np.stack([np.asarray(found[1]["inversion"][name]) for name in media.VARIED])
        return largest(reference.relative_error(slopes[:, i], reference.slopes(at(batch, i))) for i in sample(lanes))

    both = in_precision(dtype, lambda: bench.value_and_grad(batch, wrt=media.VARIED))
    return [
        Case("J4", "value", dtype, lanes, in_precision(dtype, lambda: bench(batch)), value_error),
        Case("J4", "value and gradient", dtype, lanes, both, slope_error),
    ]


def stored_sweep(lanes: int) -> list[Case]:
    """SWEEP: a map of the gain over pump rate and intensity, every ensemble stored."""
    bench = jr.Experiment(media.four_level(), jr.Steady(), {"gain": jr.Gain("laser")})
    axes = media.map_axes(lanes)
    pump, intensity = axes.values()
    size = len(pump) * len(intensity)

    def error(found: Any) -> float:
        gain = found["gain"].to_numpy()
        return largest(_gain_error(gain[i, j], float(pump[i]), float(intensity[j])) for i, j in _places(gain.shape))

    def call() -> Any:
        return jr.sweep(bench, axes, progress=False)

    return [Case("SWEEP", "gain stored", "float64", size, call, error)]


def _places(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Sample of the places in a map."""
    return [tuple(int(k) for k in np.unravel_index(lane, shape)) for lane in sample(int(np.prod(shape)))]


def _gain_error(found: float, pump: float, intensity: float) -> float:
    theta = _varied() | {"pump.rate": pump, "signal.intensity": intensity}
    return reference.relative_error([found], [reference.gain(theta)])


def _varied() -> dict[str, float]:
    """The model's own values of the six."""
    own = media.four_level().parameters()
    return {name: own[name] for name in media.VARIED}


def reduced_sweep(lanes: int) -> list[Case]:
    """REDUCE: mean and maximum of the gain over two axes, no ensemble stored."""
    axes = media.quadrature_axes(lanes)
    size = int(np.prod([len(values) for values in axes.values()]))

    def error(found: list[float]) -> float:
        corner = _varied() | {"pump.rate": axes["pump.rate"].max(), "signal.intensity": axes["signal.intensity"].min()}
        mean = reference.grid_mean(_varied(), {name: len(values) for name, values in axes.items()})
        return reference.relative_error(found, [mean, reference.gain(corner)])

    return [
        Case(
            "REDUCE",
            "mean and maximum",
            "float64",
            size,
            lambda: fresh("reduced", lanes),
            error,
            rounds=1,
            in_process=False,
            about=operations.about_gain,
        )
    ]


def kept_sweep(lanes: int) -> list[Case]:
    """STORE: a map of the gain in float32, every ensemble kept, in memory and in a store."""
    axes = media.map_axes(lanes)
    size = int(np.prod([len(values) for values in axes.values()]))

    def error(found: list[float]) -> float:
        corners = [[float(values[k]) for values in axes.values()] for k in (0, -1)]
        return largest(_gain_error(gain, *corner) for gain, corner in zip(found, corners, strict=True))

    return [
        Case("STORE", name, "float32", size, partial(fresh, which, lanes), error, rounds=3, in_process=False)
        for name, which in (("in memory", "memory"), ("in a store", "store"))
    ]


def reduced_volume(lanes: int) -> list[Case]:
    """BILLION: mean and maximum of the gain over three axes, unit by unit by way of a store."""
    axes = media.volume_axes(lanes)
    lengths = {name: len(values) for name, values in axes.items()}
    densities = axes["density"] / _own("density")

    def error(found: list[float]) -> float:
        plane = {name: n for name, n in lengths.items() if name != "density"}
        corner = _varied() | {"pump.rate": axes["pump.rate"].max(), "signal.intensity": axes["signal.intensity"].min()}
        mean = reference.grid_mean(_varied(), plane) * float(densities.mean())
        return reference.relative_error(found, [mean, reference.gain(corner) * float(densities.max())])

    call, size = partial(fresh, "billion", lanes), int(np.prod([*lengths.values()]))
    return [Case("BILLION", "mean and maximum, stored", "float64", size, call, error, rounds=1, in_process=False)]


def _own(name: str) -> float:
    return media.four_level().parameters()[name]


def first_calls(lanes: int) -> list[Case]:
    """FIRST: the first call in a new process without a compilation cache."""

    def four(found: list[list[float]]) -> float:
        return _first_error(found, lambda i: reference.of_parameters(at(batch, i))[:-1])

    def large(found: list[list[float]]) -> float:
        return _first_error(found, lambda i: reference.of_large(media.large(), float(batch["pump.rate"][i])))

    batch = media.draw_parameters(lanes)
    options: dict[str, Any] = {"rounds": 3, "in_process": False}
    return [
        Case("FIRST", "4 levels", "float64", lanes, lambda: fresh("four", lanes), four, **options),
        Case("FIRST", "40 levels, 160 processes", "float64", lanes, lambda: fresh("large", lanes), large, **options),
    ]


def _first_error(found: list[list[float]], exact: Callable[[int], list]) -> float:
    return largest(reference.relative_error(column, exact(i)) for i, column in enumerate(zip(*found, strict=True)))


def paths(lanes: int) -> list[Case]:
    """J2, here and in processes of their own."""
    return [*transients.curves("J2", lanes), *alone("J2", lanes)]


def alone(job: str, lanes: int) -> list[Case]:
    """The same in processes of their own, where XLA has one thread."""
    options: dict[str, Any] = {"error": float, "rounds": 3, "in_process": False}
    return [
        Case(job, ALONE, dtype, lanes, partial(fresh, f"{job} {dtype}", lanes, **ONE_THREAD), **options)
        for dtype in DTYPES
    ]


def fresh(name: str, lanes: int, **environment: str) -> Reading:
    """A job in a process of its own, with nothing compiled before."""
    uncached = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"} | environment
    command = [sys.executable, "-m", "benchmarks.fresh", name, str(lanes)]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, cwd=root, env=uncached, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    read = json.loads(done.stdout)
    known = {key: read.pop(key, None) for key in ("seconds", "output", "compile_seconds", "busy")}
    return Reading(**known, facts=read)


JOBS: dict[str, Callable[[int], list[Case]]] = {
    "MACHINE": machine.machine,
    "J1": steady,
    "J2": paths,
    "J2G": transients.decay_observable,
    "J3": partial(transients.curves, "J3"),
    "J4": gradients,
    "SIZES": by_size.sizes,
    "LEVELS": by_levels.levels,
    "SWEEP": stored_sweep,
    "REDUCE": reduced_sweep,
    "STORE": kept_sweep,
    "BILLION": reduced_volume,
    "FIRST": first_calls,
    "FIT": fits.fits,
    "N1": lasers.turn_on,
    "N2 Robertson": kinetics.robertsons,
    "N2 Oregonator": kinetics.oregonators,
    "N3": powers.powers,
    "POWER": powers.gradients,
    "STEPS": steps.steps,
    **amplifiers.JOBS,
}
