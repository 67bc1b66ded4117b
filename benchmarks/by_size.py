"""SIZES: J1 and J2 over the number of ensembles, from one to as many as fit into memory."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxrate as jr
from benchmarks import exact_paths, media, peers, reference, transients
from benchmarks.ensembles import DTYPES, at, in_precision, is_remote, largest, populations, sample
from benchmarks.measure import Case, Reading, read
from benchmarks.peers import NUMPY, VMAP
from benchmarks.sizes import PATH_SIZES, PEER_SIZES, REMOTE_PATH_SIZES, STEADY_SIZES
from jaxrate.solve import memory

DRAWN = 10**6
"""Ensembles that are drawn; smaller jobs take the first of them, larger ones all of them again and again."""
JUDGED, JUDGED_PATHS = 8, 3
"""Ensembles that are compared with the reference, of J1 and J2."""
LONG, FEW_ROUNDS = 10**7, 2
"""Jobs of more ensembles than that, and the libraries, take part in so many rounds."""
OURS = {"J1": "jaxrate J1", "J2": "jaxrate J2"}
NUMBERS = {"J1": 6 + 5, "J2": 6 + 100}
"""That go in and come out of an ensemble."""


def name_of(by: str, size: int) -> str:
    """Name of a line of the table: "jaxrate J1, 10^3"."""
    return f"{by}, {power_of_ten(size)}"


def power_of_ten(size: int) -> str:
    """A power of ten as one writes it: "10^3"."""
    return f"10^{len(str(size)) - 1}"


def bytes_of(job: str, dtype: str) -> int:
    """That an ensemble reads and writes."""
    return np.dtype(dtype).itemsize * NUMBERS[job]


def bench_of(job: str) -> jr.Experiment:
    """What jaxrate does in J1 and in J2."""
    inversion = {"inversion": jr.Inversion("laser")}
    if job == "J1":
        return jr.Experiment(media.four_level(), jr.Steady(), {"populations": populations, **inversion})
    return jr.Experiment(media.four_level(), jr.Evolve(transients.TIMES["J2"], start={"0": 1.0}), inversion)


def sizes(lanes: int) -> list[Case]:
    """J1 and J2 at every size up to so many ensembles."""
    wanted = {"J1": STEADY_SIZES, "J2": REMOTE_PATH_SIZES if is_remote() else PATH_SIZES}
    return [
        _case(job, bench, dtype, size, min(lanes, DRAWN))
        for job, bench in ((job, bench_of(job)) for job in wanted)
        for dtype in DTYPES
        for size in wanted[job]
        if size <= lanes
    ]


def _case(job: str, bench: jr.Experiment, dtype: str, size: int, drawn: int) -> Case:
    judge = {"J1": _steady_error, "J2": _path_error}[job]

    def call() -> Reading:
        batch = inputs(dtype, size, drawn, bytes_of(job, dtype))
        reading = read(lambda: bench(batch))
        bandwidth = bytes_of(job, dtype) * size / reading.seconds
        return replace(reading, facts={"bandwidth": bandwidth, "ensemble_seconds": reading.seconds / size})

    def error(found: Mapping[str, Any]) -> float:
        return judge(found, host_inputs(dtype, drawn), size)

    return Case(
        "SIZES",
        name_of(OURS[job], size),
        dtype,
        size,
        in_precision(dtype, call),
        error,
        rounds=FEW_ROUNDS if size > LONG else 1000,
        may_fail=size > DRAWN,
    )


@cache
def host_inputs(dtype: str, drawn: int) -> dict[str, np.ndarray]:
    """The parameters that are drawn."""
    return {name: values.astype(dtype) for name, values in media.draw_parameters(drawn).items()}


@lru_cache(maxsize=1)  # of the largest only one batch at a time is kept
def inputs(dtype: str, size: int, drawn: int, ensemble_bytes: int) -> dict[str, jax.Array]:
    """Parameters of so many ensembles, on the device.

    Raises:
        MemoryError: there is no room for them and for what comes out.
    """
    if size > drawn:
        check_room(size * ensemble_bytes)
    with jax.enable_x64(dtype == "float64"):
        found = {name: _repeated(jnp.asarray(a[:size]), size) for name, a in host_inputs(dtype, drawn).items()}
        return jax.block_until_ready(found)


def _repeated(values: jax.Array, size: int) -> jax.Array:
    many = values if len(values) == size else jnp.tile(values, -(-size // len(values)))
    return many if len(many) == size else many[:size]


def check_room(size: int) -> None:
    """Refuse what there is no memory for, on the machine or on its device."""
    found = [memory.available(), *map(_free_on, jax.devices()[:1])]
    free = min((room for room in found if room is not None), default=size)
    if size > free:
        raise MemoryError(f"inputs and outputs are {size / 1e9:.3g} GB, but {free / 1e9:.3g} GB of memory are free")


def _free_on(device: Any) -> int | None:
    known = device.memory_stats() or {}
    return known["bytes_limit"] - known["bytes_in_use"] if "bytes_limit" in known else None


def _steady_error(found: Mapping[str, Any], theta: Mapping[str, np.ndarray], size: int) -> float:
    """Largest relative error of populations and inversion."""
    lanes = sample(size, JUDGED)
    numbers = np.concatenate([np.asarray(found["populations"][:, lanes]), np.asarray(found["inversion"][lanes])[None]])
    exact = [reference.of_parameters(at(theta, _drawn_as(i, theta))) for i in lanes]
    return largest(reference.relative_error(numbers[:, k], one) for k, one in enumerate(exact))


def _path_error(found: Mapping[str, Any], theta: Mapping[str, np.ndarray], size: int) -> float:
    """Largest error of a curve over its largest value."""
    lanes, times = sample(size, JUDGED_PATHS), transients.TIMES["J2"].tolist()
    curves = np.asarray(found["inversion"][:, lanes])
    exact = [exact_paths.of_parameters(at(theta, _drawn_as(i, theta)), times) for i in lanes]
    pairs = zip(curves.T, exact, strict=True)
    return largest(exact_paths.error_of_curve(curve, exact_paths.inversion(path)) for curve, path in pairs)


def _drawn_as(lane: int, theta: Mapping[str, np.ndarray]) -> int:
    """Which of the drawn ensembles a lane is."""
    return int(lane) % len(next(iter(theta.values())))


def solvers(lanes: int) -> list[Case]:
    """J1 by dense solvers, from the rates of the same ensembles."""
    chosen = [size for size in PEER_SIZES if size <= lanes]
    return [case for dtype in DTYPES for size in chosen for case in _solvers(dtype, size, min(lanes, DRAWN))]


@cache
def _rates(dtype: str, drawn: int) -> dict[str, np.ndarray]:
    return {name: values.astype(dtype) for name, values in media.draw_rates(drawn).items()}


def _solvers(dtype: str, size: int, drawn: int) -> list[Case]:
    rates = {name: values[:size] for name, values in _rates(dtype, drawn).items()}
    batched = peers.numpy_solver(peers.matrices(rates, np))
    known: dict[str, Any] = {"dtype": dtype, "lanes": size, "error": peers.error_of(rates, size, JUDGED)}
    return [
        Case("SIZES", name_of(VMAP, size), call=peers.vmap_solver(rates, dtype), rounds=FEW_ROUNDS, **known),
        Case("SIZES", name_of(NUMPY, size), call=batched, rounds=FEW_ROUNDS, on_host=True, **known),
    ]
