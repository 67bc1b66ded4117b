"""LEVELS: steady states and paths over the number of levels, from 2 to 40, with dense solvers and exponentials beside.

Random media of the kind of `media.large`: a ladder of lines, collisions, decays, a pump and a beam. Pump rate,
intensity and the first decay vary from ensemble to ensemble, each over two decades.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxrate as jr
from benchmarks import exact_paths, media, peers, reference
from benchmarks.ensembles import at, in_precision, largest, populations, put
from benchmarks.exponentials import VMAP_EXPM, expm
from benchmarks.measure import Case
from benchmarks.media import Large
from benchmarks.peers import NUMPY, VMAP_GIVEN
from benchmarks.sizes import EXPM_LEVELS, PATH_LEVELS, SOLVE_LEVELS, STEADY_LEVELS

SPACING = 2.0**-13
"""Of the times [s]: a number that binary digits end, for which the reference needs half as many squarings."""
TIMES = SPACING * np.arange(1, 101)
VARIED = ("pump.rate", "signal.intensity", "decay0.rate")
SEED = 20240604
JUDGED, JUDGED_PATHS = 2, 1
"""Ensembles that are compared with the reference, the first: of 40 levels a path takes it seconds."""
ROUNDS = 2
"""That the others are timed in."""
STEADY, PATH = "jaxrate steady state", "jaxrate path at 100 times"


def name_of(by: str, num_levels: int) -> str:
    """Name of a line of the table: "jaxrate steady state, 12 levels"."""
    return f"{by}, {num_levels} levels"


def draw(num_levels: int, lanes: int) -> dict[str, np.ndarray]:
    """What varies, each of shape (lane,); of more the first are the same."""
    medium, shares = media.of_levels(num_levels), np.random.default_rng(SEED).uniform(size=(lanes, len(VARIED))).T
    own = (10.0, medium.intensity, medium.decays[0].rate if medium.decays else 1.0)
    drawn = {name: x * 100 ** (u - 0.5) for name, x, u in zip(VARIED, own, shares, strict=True)}
    return drawn if medium.decays else {name: drawn[name] for name in VARIED[:2]}


def medium_of(num_levels: int, theta: Mapping[str, float]) -> Large:
    """The medium of one ensemble, but for its pump rate."""
    medium = replace(media.of_levels(num_levels), intensity=theta["signal.intensity"])
    if not medium.decays:
        return medium
    return replace(medium, decays=(replace(medium.decays[0], rate=theta["decay0.rate"]), *medium.decays[1:]))


def levels(lanes: int) -> list[Case]:
    """LEVELS: both jobs of jaxrate, at every number of levels."""
    steady = [_steady(num, min(lanes, size)) for num, size in STEADY_LEVELS.items()]
    return [*steady, *(_path(num, min(lanes, size)) for num, size in PATH_LEVELS.items())]


def _steady(num_levels: int, lanes: int) -> Case:
    model = media.large_model(media.of_levels(num_levels))
    bench, theta = jr.Experiment(model, jr.Steady(), {"populations": populations}), draw(num_levels, lanes)
    batch, judge = put(theta, "float64"), steady_error(num_levels, lanes)
    call = in_precision("float64", lambda: bench(batch)["populations"])
    return Case("LEVELS", name_of(STEADY, num_levels), "float64", lanes, call, lambda found: judge(found.T))


def _path(num_levels: int, lanes: int) -> Case:
    medium = media.of_levels(num_levels)
    upper = jr.Population(str(medium.lines[medium.driven].upper))
    bench = jr.Experiment(media.large_model(medium), jr.Evolve(TIMES, start={"0": 1.0}), {"upper": upper})
    batch = put(draw(num_levels, lanes), "float64")
    call = in_precision("float64", lambda: bench(batch)["upper"])
    return Case("LEVELS", name_of(PATH, num_levels), "float64", lanes, call, path_error(num_levels, lanes))


def steady_error(num_levels: int, lanes: int) -> Callable[[Any], float]:
    """Judge of populations of shape (lane, level): the largest relative error."""

    def error(found: Any) -> float:
        few = range(min(lanes, JUDGED))
        return largest(reference.relative_error(np.asarray(found[i]), exact_state(num_levels, i)) for i in few)

    return error


def path_error(num_levels: int, lanes: int) -> Callable[[Any], float]:
    """Judge of populations of the upper level of the line in the beam, shape (time, lane): over the largest."""

    def error(found: Any) -> float:
        few = range(min(lanes, JUDGED_PATHS))
        return largest(exact_paths.error_of_curve(np.asarray(found[:, i]), exact_path(num_levels, i)) for i in few)

    return error


@cache
def exact_state(num_levels: int, lane: int) -> Sequence[Any]:
    """Populations of one of the first ensembles."""
    theta = at(draw(num_levels, JUDGED), lane)
    return reference.of_large(medium_of(num_levels, theta), theta["pump.rate"])


@cache
def exact_path(num_levels: int, lane: int) -> Sequence[Any]:
    """Population of the upper level of the line in the beam, at all times."""
    theta = at(draw(num_levels, JUDGED), lane)
    medium = medium_of(num_levels, theta)
    upper = medium.lines[medium.driven].upper
    return [n[upper] for n in exact_paths.of_large(medium, theta["pump.rate"], TIMES.tolist())]


def matrices(num_levels: int, lanes: int, *, normed: bool) -> np.ndarray:
    """Rate matrices of the first ensembles, (lane, level, level); `normed` puts the norm into their first row."""
    medium, theta = media.of_levels(num_levels), draw(num_levels, lanes)
    listed = reference.exactly(reference.large_transitions)(medium, 1.0)
    light = theta["signal.intensity"] / medium.intensity
    scales: dict[int, Any] = {0: theta["pump.rate"], 1: light, 2: light}
    if medium.decays:
        scales[3 + len(medium.lines) + len(medium.collisions)] = theta["decay0.rate"] / medium.decays[0].rate
    K = np.zeros((lanes, num_levels, num_levels))
    for place, (source, to, rate) in enumerate(listed):
        K[:, to, source] += float(rate) * scales.get(place, 1.0)
        K[:, source, source] -= float(rate) * scales.get(place, 1.0)
    if normed:
        K[:, 0] = 1.0
    return K


def solvers(lanes: int) -> list[Case]:
    """Dense solvers of JAX and NumPy, and the exponential of JAX, at every number of levels."""
    dense = [case for num, size in SOLVE_LEVELS.items() for case in _dense(num, min(lanes, size))]
    return [*dense, *(_exponential(num, min(lanes, size)) for num, size in EXPM_LEVELS.items())]


def _dense(num_levels: int, lanes: int) -> list[Case]:
    K, judge = matrices(num_levels, lanes, normed=True), steady_error(num_levels, lanes)
    with jax.enable_x64(True):
        on_device = jnp.asarray(K)
    known: dict[str, Any] = {"dtype": "float64", "lanes": lanes, "error": judge, "rounds": ROUNDS}
    by_jax = Case("LEVELS", name_of(VMAP_GIVEN, num_levels), call=peers.vmap_solver_given(on_device), **known)
    by_numpy = Case("LEVELS", name_of(NUMPY, num_levels), call=peers.numpy_solver(K), on_host=True, **known)
    return [by_jax, by_numpy]


def _exponential(num_levels: int, lanes: int) -> Case:
    medium = media.of_levels(num_levels)
    upper = medium.lines[medium.driven].upper
    with jax.enable_x64(True):
        K = jnp.asarray(SPACING * matrices(num_levels, lanes, normed=False))

    def path(K: jax.Array) -> jax.Array:
        X = jax.vmap(expm)(K)

        def step(n: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
            n = jnp.einsum("lij,lj->li", X, n)
            return n, n[:, upper]

        return jax.lax.scan(step, jnp.zeros_like(X[:, :, 0]).at[:, 0].set(1), None, length=len(TIMES))[1]

    run, judge = jax.jit(path), path_error(num_levels, lanes)
    call = in_precision("float64", lambda: run(K))
    return Case("LEVELS", name_of(VMAP_EXPM, num_levels), "float64", lanes, call, judge, rounds=ROUNDS)
