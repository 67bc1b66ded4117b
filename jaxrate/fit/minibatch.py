"""Adam with minibatches, for tables too large to be compared whole at every step."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from jaxrate.fit.factor import inverse
from jaxrate.fit.likelihood import Likelihood
from jaxrate.fit.objective import Objective
from jaxrate.fit.problem import HELD, WEIGHT, Layout, OfFits, Part, U, run_fits
from jaxrate.solve.lanes import Way

STEPS = 2000
"""Steps by default."""
RATE = 0.3
"""Length of the first steps, in standard errors that a fit of one minibatch would have."""
STAGES = 8
"""How often coordinates are found anew, and steps are long again, before the last time."""

_ADAM = optax.scale_by_adam()


@dataclass(frozen=True)
class Gradients(OfFits):
    """Kernel: chi-squared at given parameters and half its gradient, or the normal equations there.

    Args:
        layout: The fit.
        likelihood: Of the data.
        normal: Whether "R" and "c" of the normal equations are wanted instead of "gradient".
    """

    likelihood: Likelihood
    normal: bool = False

    def __call__(self, base: Array, block: dict[str, Array], way: Way) -> dict[str, Array]:
        goal = Objective(self.layout, self.likelihood, base, block)
        found = goal.moment(block[U]) if self.normal else goal.slope(block[U])
        return {**found._asdict(), "status": jnp.where(jnp.isfinite(found.square), 0, 1).astype(jnp.int8)}


@dataclass(frozen=True, eq=False)
class Sampler:
    """Random subsets of the states of a fit, all of one layout, so that they share a compiled program.

    Args:
        layout, base: The whole fit.
        own: What differs from fit to fit: `Y`, `WEIGHT`, `HELD`.
        states: States in a minibatch, of every part; one that has fewer gives all of them.
        rng: Source of randomness.
    """

    layout: Layout
    base: np.ndarray
    own: Mapping[str, np.ndarray]
    states: int
    rng: np.random.Generator

    @cached_property
    def small(self) -> Layout:
        """Layout of a minibatch."""
        return replace(self.layout, parts=tuple(_cut(part, self.states) for part in self.layout.parts))

    @property
    def times(self) -> float:
        """How many minibatches the fit has."""
        return sum(part.states for part in self.layout.parts) / sum(part.states for part in self.small.parts)

    def draw(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Base and own values of a minibatch. What is drawn counts for what is not, so sums are right on average."""
        numbers, parts = self.layout.split(self.base)
        bases, rows, roots, first = [numbers], [], [], 0
        for part, small, its in zip(self.layout.parts, self.small.parts, parts, strict=True):
            which = self.rng.choice(part.states, small.states, replace=False, shuffle=False)
            base, *tables = part.split(its)
            bases.append(small.joined(base, *(table[:, which] for table in tables)))
            rows.append(first + (np.arange(part.width)[:, None] * part.states + which).reshape(-1))
            roots.append(np.full((small.size, 1), np.sqrt(part.states / small.states)))
            first += part.size
        own = {name: x if name == HELD else x[np.concatenate(rows)] for name, x in self.own.items()}
        return np.concatenate(bases), {**own, WEIGHT: own.get(WEIGHT, 1.0) * np.concatenate(roots)}


def _cut(part: Part, states: int) -> Part:
    """A part with fewer states."""
    if states >= part.states:
        return part
    chunk = min(part.chunk, states)
    return replace(part, chunk=chunk, states=states // chunk * chunk)


def minibatch(
    layout: Layout,
    likelihood: Likelihood,
    base: np.ndarray,
    u: np.ndarray,
    own: Mapping[str, np.ndarray] | None = None,
    *,
    states: int = 1024,
    steps: int = STEPS,
    rate: float = RATE,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Walk from every start by Adam, each step by the gradient of a random part of the data.

    In coordinates of standard errors, which are found anew at the beginning of each stage, in the course of which the
    steps shrink as a cosine to nothing. The end is within a few standard errors of the minimum, which nothing here
    confirms: let `Descent` go on from there.

    Args:
        layout, likelihood, base: The fit.
        u: Starts, shape (parameter, fit).
        own: What differs from fit to fit, as in `run_fits`.
        states: States in a minibatch.
        steps: Number of steps.
        rate: Length of the first, in standard errors of a minibatch; longer where the minimum is far.
        seed: Of the minibatches.

    Returns:
        Parameters, shape (parameter, fit), and chi-squared of all data as each minibatch estimates it, (step, fit). A
        fit without finite prediction stays where it is.

    Source:
        Kingma and Ba, *Adam: a method for stochastic optimization* (2015), algorithm 1; Loshchilov and Hutter, *SGDR:
        stochastic gradient descent with warm restarts* (2017), equation 5, for the cosine.
    """
    sampler = Sampler(layout, base, own or {}, states, np.random.default_rng(seed))
    trace: list[np.ndarray] = []
    with jax.enable_x64(True):
        for some in _stages(steps):
            lengths = np.asarray(optax.cosine_decay_schedule(rate, some)(jnp.arange(some)))
            u = _stage(sampler, likelihood, u, lengths, trace)
    return u, np.array(trace)


def _stages(steps: int) -> list[int]:
    """Steps of each stage. The last one takes half of all: what it averages over decides how close it comes."""
    early = [len(some) for some in np.array_split(np.arange(steps // 2), STAGES)]
    return [*(some for some in early if some), steps - steps // 2]


def _stage(
    sampler: Sampler, likelihood: Likelihood, u: np.ndarray, lengths: np.ndarray, trace: list[np.ndarray]
) -> np.ndarray:
    """Some steps in the same coordinates."""
    lower, upper = (bound[:, None] for bound in sampler.layout.free.bounds(sampler.layout.split(sampler.base)[0]))
    kernel = Gradients(sampler.small, likelihood)
    drawn, own = sampler.draw()
    found = run_fits(replace(kernel, normal=True), drawn, u, own)
    R = np.where(own.get(HELD, np.zeros((len(u), 1))) > 0, 0.0, found["R"])
    distance = np.linalg.norm(found["c"], axis=0) / np.sqrt(sampler.times)
    far = np.maximum(distance / np.sum(lengths), 1.0)  # so that the steps can get where the minimum seems to be
    T = _inverse(R) * np.sqrt(sampler.times) * far
    state = _ADAM.init(jnp.zeros(u.shape))
    for length in lengths:
        drawn, own = sampler.draw()
        found = run_fits(kernel, drawn, u, own)
        step, state = _step(found["gradient"], state, T, length)
        u = np.clip(u + np.asarray(step), lower, upper)
        trace.append(found["square"])
    return u


@jax.jit
def _inverse(R: Array) -> Array:
    return inverse(R)


@jax.jit
def _step(gradient: Array, state: Any, T: Array, length: Array) -> tuple[Array, Any]:
    """A step of every fit; a gradient that is missing is 0, so its fit only coasts."""
    update: Any
    update, state = _ADAM.update(jnp.sum(T * gradient[:, None], axis=0), state)
    return -length * jnp.sum(T * update, axis=1), state
