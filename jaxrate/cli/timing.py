"""The time scales of a model: how fast its fastest process is, and when nothing changes any more."""

from collections.abc import Mapping

import numpy as np

from jaxrate.model.model import Model
from jaxrate.network.compile import compile_network
from jaxrate.solve.solution import Solution
from jaxrate.solve.start import Start
from jaxrate.solve.transient import evolve

NUM = 401
"""Times of every path: as many of each, so that one program serves all."""
FIRST, LAST = 0.01, 1e17
"""Ends of a ladder of times, over that of the fastest process: the latest is that of the final state."""
SETTLED = 1e-3
"""What a population may still miss its final value by, relative."""
SMALL = 1e-12
"""Populations below are not waited for."""
ONE_SCALE = 50.0
"""Up to so many times of the fastest process a picture shows time linearly."""


def losses(model: Model, fixed: Mapping[str, float]) -> np.ndarray:
    """Rate at which each population is left [s^-1], shape (population,), pairs and what populations govern left out."""
    network = compile_network(model)
    loss = np.zeros(len(network.populations))
    rates = network.rates_without(frozenset(), network.parameters(network.base, fixed))
    alone = [r for r, depends in zip(network.reactions, network.depends, strict=True) if not depends]
    for reaction, rate in zip(alone, rates, strict=True):
        if len(reaction.reactants) == 1:
            loss[reaction.reactants[0]] += abs(rate)
    return loss


def ladder(model: Model, fixed: Mapping[str, float], start: Start, rate: float, num: int = NUM) -> Solution:
    """A path over all times that can matter where the fastest rate is this, until nothing changes any more."""
    return evolve(model, fixed, spaced(FIRST / rate, LAST / rate, num), start=start)


def spaced(first: float, last: float, num: int = NUM) -> np.ndarray:
    """Zero, then times spaced logarithmically."""
    return np.concatenate([[0.0], np.geomspace(first, last, num - 1)])


def settling(path: Solution, within: float = SETTLED) -> np.ndarray:
    """When each population has reached its last value [s], shape (population,); 0 where it never changes."""
    n = np.asarray(path.populations)
    moving = np.abs(n - n[:, -1:]) > within * np.maximum(n[:, -1:], SMALL)
    after = moving.shape[1] - np.argmax(moving[:, ::-1], axis=1)  # of the last moment that still moves, the next
    return np.where(moving.any(axis=1), path.times[np.minimum(after, len(path.times) - 1)], 0.0)


def shown(first: float, last: float) -> np.ndarray:
    """Times of a picture: logarithmic over several time scales; within one linear, closest at the start."""
    return spaced(first, last) if last > ONE_SCALE * first / FIRST else last * np.linspace(0.0, 1.0, NUM) ** 2
