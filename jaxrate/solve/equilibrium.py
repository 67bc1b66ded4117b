r"""Steady states of nonlinear networks: implicit steps of growing length, then Newton's method.

The balance of one population of each conservation law, which follows from those of the others, gives its row to the
law itself, so that what is conserved is conserved exactly.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxrate.network.coefficients import Parameters
from jaxrate.network.dynamics import scale_ratio
from jaxrate.network.mass_action import in_rows
from jaxrate.network.network import Network, Population
from jaxrate.solve.lanes import BLOCK_BYTES
from jaxrate.solve.motion import Motion, Moving
from jaxrate.solve.places import Inputs, through_places
from jaxrate.solve.rosenbrock import START
from jaxrate.solve.sparse_lu import SparseLU
from jaxrate.solve.start import ground_level
from jaxrate.solve.status import Status
from jaxrate.solve.stiff import smallest

MAX_TURNS = 500
"""Implicit steps after which the search is given up: a laser takes some tens."""

SETTLED = 1e-11
"""Relative change that ends the search, if far longer steps change no more."""

LONGEST = 1e22
"""Longest step over the first."""

LONGER = 1e12
"""How much longer."""

ROUNDING = 1e-6
"""Relative change that is rounding if it gets no smaller: fast reactions to and fro leave little of what they move."""

NEGATIVE = 1e-5
"""What rounding may leave below zero, as a share of what a population may be neglected at."""

SAME = 1e-6
"""Relative difference below which two states are one."""

IDLE = 1e-4
"""Share of what moves to and fro along a way below which the rest is rounding."""

NEAR = 1e-3
"""Relative change from which on, if it falls, the factor between steps is squared: this ends in Newton's method."""

BEFORE = 1e12
"""How much longer the steps of all else are than those of photons: all else is in balance with them at any moment.

So the search follows the photons from dark, or from bright, to the first state that is stable, without the swings
that a real laser goes through; where it ends is a steady state of the real one.
"""

WEIGHTS = " weights"
"""Name of the coefficients of the conservation laws among the inputs."""


class Guess(NamedTuple):
    """State of the search, each (..., place).

    Attributes:
        n: Populations.
        h: The last implicit step that was taken [s].
        factor: What it is multiplied by for the next one.
        change: Largest relative change in it.
        still: How much longer the steps have become since the change is `ROUNDING` or less.
        turns: Steps tried.
        longest: Longest step [s]: a far longer one would leave nothing but rounding of a level that nothing empties.
    """

    n: Array
    h: Array
    factor: Array
    change: Array
    still: Array
    turns: Array
    longest: Array


@dataclass(frozen=True)
class Balance:
    """Finds where nothing changes any more.

    Args:
        motion: The right-hand side.
        base: Values of the parameters that do not vary.
        smallest: Population of each below which a change does not count.
    """

    motion: Motion
    base: Array
    smallest: tuple[float, ...]

    @property
    def populations(self) -> tuple[Population, ...]:
        """What is in balance."""
        return self.motion.network.populations

    @cached_property
    def replaced(self) -> tuple[int, ...]:
        """The population of each law whose balance gives way to it."""
        return tuple(law.replaced for law in self.motion.laws)

    @cached_property
    def lu(self) -> SparseLU:
        """How the equations are solved: photons late, as their balance may vanish where the levels' does not."""
        pattern = {(i, j) for i, j in self.motion.pattern if i not in self.replaced}
        pattern |= {(law.replaced, j) for law in self.motion.laws for j in law.weights}
        last = (*(i for i in self._photons if i not in self.replaced), *self.replaced)
        return SparseLU(frozenset(pattern), self.motion.size, last)

    def weights(self, parameters: Parameters, lanes: int) -> Array:
        """Coefficients of the laws, $c_i s_i$ over $s$ of the replaced population, shape (law, population, lane)."""
        found = jnp.zeros((len(self.motion.laws), self.motion.size, lanes))
        for row, law in enumerate(self.motion.laws):
            for j, weight in law.weights.items():
                ratio = scale_ratio(self.populations[j], self.populations[law.replaced], parameters)
                found = found.at[row, j].set(weight * ratio)
        return found

    def find(self, inputs: Mapping[str, Array], wanted: Array) -> tuple[Array, Array]:
        """Populations (population, lane) and status (lane,).

        Args:
            inputs: Of the motion, `START` and `WEIGHTS`.
            wanted: Which lanes to solve, shape (lane,).
        """
        found = jnp.zeros((*wanted.shape, self.motion.size)), jnp.full(wanted.shape, Status.NOT_FOUND, jnp.int8)
        n, status = through_places(inputs, wanted, self.begin, self.turn, found)
        return n.T, status

    def begin(self, inputs: Inputs) -> Guess:
        """The start, with a step in which nothing changes much."""
        n = inputs[START]
        jacobian = self.moving(inputs).jacobian(jnp.zeros_like(n[0]), n)
        slow = self._photons or tuple(range(self.motion.size))
        fastest = sum(jnp.abs(jacobian[i, i]) for i in slow if (i, i) in jacobian)
        h = jnp.broadcast_to(0.1 / jnp.maximum(fastest, 1e-200), n[0].shape)
        one = jnp.ones_like(h)
        return Guess(n, h, one, one, one, jnp.zeros_like(h, jnp.int32), LONGEST * h)

    @cached_property
    def _photons(self) -> tuple[int, ...]:
        return tuple(i for i, p in enumerate(self.populations) if p.is_photons)

    def moving(self, inputs: Inputs) -> Moving:
        """The right-hand side of the lanes in the places."""
        return self.motion.at(self.base, {name: a for name, a in inputs.items() if name not in (START, WEIGHTS)})

    def turn(self, inputs: Inputs, guess: Guess, index: Array, results: tuple) -> tuple[Guess, Array, tuple]:
        """One implicit step, taken where no population turns negative, and none grows so fast that it leads back."""
        h = jnp.minimum(guess.h * guess.factor, guess.longest)
        smallest = jnp.asarray(self.smallest)[:, None]
        delta, ahead = self.correction(inputs, guess.n, h)
        n = guess.n + delta
        change = jnp.max(jnp.abs(delta) / (jnp.abs(n) + smallest + 1e-300), axis=0)
        good = jnp.all(n >= -NEGATIVE * smallest, axis=0) & jnp.isfinite(change) & ahead
        still = jnp.where(good & (change <= ROUNDING), guess.still * guess.factor, 1.0)
        settled = (still >= LONGER) & ((change <= SETTLED) | (change > 0.5 * guess.change))
        done = settled | (guess.turns >= MAX_TURNS) | (h < 1e-250)
        after = Guess(
            n=jnp.where(good, n, guess.n),
            h=jnp.where(good | (guess.factor < 1), h, guess.h),
            factor=_factor(guess.factor, good, change, guess.change),
            change=jnp.where(good, change, guess.change),
            still=jnp.minimum(still, 1e100),
            turns=guess.turns + 1,
            longest=guess.longest,
        )
        place = jnp.where(done, index, results[1].shape[0])
        status = jnp.where(settled, Status.OK, Status.NOT_FOUND).astype(jnp.int8)
        found, known = results
        return after, done, (found.at[place].set(n.T, mode="drop"), known.at[place].set(status, mode="drop"))

    def correction(self, inputs: Inputs, n: Array, h: Array) -> tuple[Array, Array]:
        r"""$\delta$ of $(1/h - J)\,\delta = f(n)$, sums kept at those of the start; and whether $\det(1/h - J) > 0$."""
        moving, t = self.moving(inputs), jnp.zeros_like(n[0])
        change = list(moving.rate_of_change(t, n))
        matrix = {pair: -x for pair, x in moving.jacobian(t, n).items() if pair[0] not in self.replaced}
        for i in set(range(self.motion.size)) - set(self.replaced):
            longer = BEFORE if self._photons and i not in self._photons else 1.0
            matrix[i, i] = matrix.get((i, i), 0.0) + 1.0 / (longer * h)
        for law, weights in zip(self.motion.laws, inputs[WEIGHTS], strict=True):
            matrix |= {(law.replaced, j): weights[j] for j in law.weights}
            change[law.replaced] = jnp.sum(weights * (inputs[START] - n), axis=0)
        factors = self.lu.factor(matrix)
        signs = [jnp.sign(factors[i, i]) for i in range(self.motion.size)]
        return in_rows(self.lu.solve(self.lu.stacked(factors), change)), jnp.prod(jnp.stack(signs), axis=0) > 0


def _factor(factor: Array, good: Array, change: Array, before: Array) -> Array:
    """Between the last step taken and the next: more after a success, less after a failure, less than 1 at last.

    Far more only where the change is small and gets smaller: where a branch has just ended, it is small all along.
    """
    near = (change <= NEAR) & (change < 0.5 * before) | (change <= SETTLED)
    longer = jnp.where(near, jnp.square(jnp.maximum(factor, 4.0)), jnp.minimum(factor * 1.5, 10.0))
    return jnp.where(good, jnp.clip(longer, 1.3, 1e60), jnp.where(factor > 1.1, jnp.sqrt(factor), 0.25))


LANES = 1024
"""Lanes in a block: several times as many as there are places."""


def lane_bytes(network: Network) -> int:
    """Memory that makes blocks of as many lanes as are wanted."""
    return max(BLOCK_BYTES // LANES, 8 * len(network.populations) ** 2)


def steady(
    network: Network, parameters: Parameters, search: str, start: Array | None, wanted: Array
) -> tuple[Array, Array]:
    """Steady populations (population, lane) and status (lane,).

    Args:
        network: The network.
        parameters: Legal values.
        search: From where: "cold", "hot", "both" or "given".
        start: Populations to start from, if given, shape (population, lane).
        wanted: Which lanes to solve, shape (lane,).
    """
    lanes = wanted.shape[0]
    motion = Motion(network)
    varied = {name: jnp.broadcast_to(x, (lanes,)) for name, x in parameters.varied.items()}
    balance = Balance(motion, parameters.base, smallest(network))
    inputs = {**motion.inputs(parameters, varied, lanes), WEIGHTS: balance.weights(parameters, lanes)}
    begun = cold(network, lanes) if start is None else start
    fixed = lax.stop_gradient({**inputs, START: begun})
    still = Balance(motion, lax.stop_gradient(parameters.base), balance.smallest)
    if search in ("cold", "given"):
        n, status = still.find(fixed, wanted)
    else:
        n, status = _from_both(still, fixed, parameters, wanted, search)
    legal = still.moving(fixed).is_legal(jnp.zeros(lanes), n)
    status = jnp.where((status == Status.OK) & ~jnp.asarray(legal), jnp.int8(Status.BAD_INPUT), status)
    h = _last_step(still, fixed, n, status == Status.OK)
    n = jnp.where(status == Status.OK, n, fixed[START])
    last = balance.correction({**inputs, START: begun}, n, h)[0]
    return n + jnp.where(jnp.isinf(h), last, last - lax.stop_gradient(last)), status


def _last_step(balance: Balance, inputs: Inputs, n: Array, good: Array) -> Array:
    """Length of the step that ends the search, through which derivatives are taken: that of Newton's method.

    Where this has no answer, as at a level that nothing empties, a long one, for derivatives alone; where nothing was
    found a short one, so that no derivative of another lane is harmed.
    """
    safe = jnp.where(good, n, inputs[START])
    found = balance.correction(inputs, safe, jnp.full(n.shape[1], jnp.inf))[0]
    jacobian = balance.moving(inputs).jacobian(jnp.zeros(n.shape[1]), safe)
    fastest = jnp.maximum(sum(jnp.abs(x) for (i, j), x in jacobian.items() if i == j), 1e-200)
    size = jnp.abs(safe) + jnp.asarray(balance.smallest)[:, None] + 1e-300
    newton = good & jnp.all(jnp.abs(found) <= ROUNDING * size, axis=0)
    return jnp.where(newton, jnp.inf, jnp.where(good, 1e12, 1e-3) / fastest)


def _from_both(
    balance: Balance, inputs: Inputs, parameters: Parameters, wanted: Array, search: str
) -> tuple[Array, Array]:
    """States found from dark, then from bright, by the same program; compared if search is "both"."""
    network, dark = balance.motion.network, inputs[START]

    def find(found: Array, bright: Array) -> tuple[Array, tuple[Array, Array]]:
        start = jnp.where(bright, hot(network, parameters, found, wanted.shape[0]), dark)
        n, status = balance.find({**inputs, START: start}, wanted)
        return n, (n, status)

    _, (n, status) = lax.scan(find, dark, jnp.array([False, True]))
    return (n[1], status[1]) if search == "hot" else _compared(balance, inputs, n, status)


def cold(network: Network, lanes: int) -> Array:
    """Every species in its ground state, or its first level where no energies are stated, and nothing else."""
    n = np.zeros(len(network.populations))
    for species in network.model.species if network.num_levels else ():
        n[network.model.index(ground_level(network.model, species)[0].full_name)] = 1.0
    return jnp.broadcast_to(jnp.asarray(n)[:, None], (len(n), lanes))


def hot(network: Network, parameters: Parameters, dark: Array, lanes: int) -> Array:
    """Every level as full as the others of its species, reservoirs as in the dark, a photon for every particle."""
    populations = network.populations
    sizes = Counter(p.species for p in populations if p.species is not None)

    def row(i: int, here: Population) -> Any:
        if not here.is_photons:
            return dark[i] if here.species is None else 1.0 / sizes[here.species]
        share = [1.0 / sizes[p.species] if p.species is not None else dark[j] for j, p in enumerate(populations)]
        particles = zip(populations, share, strict=True)
        return dark[i] + sum(scale_ratio(p, here, parameters) * n for p, n in particles if not p.is_photons)

    rows = [jnp.broadcast_to(row(i, here), (lanes,)) for i, here in enumerate(populations)]
    return lax.stop_gradient(jnp.stack(rows))


def _compared(balance: Balance, inputs: Inputs, n: Array, status: Array) -> tuple[Array, Array]:
    """The state found from dark and from bright, or from the one that led somewhere."""
    (n, bright), (status, other) = n, status
    apart = jnp.abs(n - bright) / (jnp.abs(n) + jnp.abs(bright) + jnp.asarray(balance.smallest)[:, None] + 1e-300)
    both = (status == Status.OK) & (other == Status.OK)
    two = both & (jnp.max(apart, axis=0) > SAME) & ~_is_idle(balance, inputs, n, bright - n)
    found = jnp.where(two, jnp.int8(Status.BISTABLE), jnp.where(status == Status.OK, status, other))
    return jnp.where(status == Status.OK, n, bright), found


def _is_idle(balance: Balance, inputs: Inputs, n: Array, way: Array) -> Array:
    """Whether nothing changes along a way, as when equal modes of a laser share its light in another proportion.

    Spontaneous emission does tell them apart, by less than can be told from rounding: the states are one.
    """
    moving, net = balance.moving(inputs), jnp.zeros_like(n)
    lost = [1.0 / moving.parameters[f"{p.name}.photon_lifetime"] if p.is_photons else 0.0 for p in balance.populations]
    gross = jnp.stack([rate * jnp.abs(row) for rate, row in zip(lost, way, strict=True)])
    for (i, j), slope in moving.jacobian(jnp.zeros(n.shape[1]), n).items():
        net, gross = net.at[i].add(slope * way[j]), gross.at[i].add(jnp.abs(slope * way[j]))
    return jnp.max(jnp.abs(net) / (gross + 1e-200), axis=0) < IDLE
