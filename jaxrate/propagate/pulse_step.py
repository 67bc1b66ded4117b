r"""One step in time of a pulse in a medium: the populations at all places, and the light that couples them.

In retarded time light meets the whole medium at once, $I(z_i, t) = I_{in}(t)\,e^{x_i}$ with
$x_i = L\sum_j S_{ij}(\gamma_j - \alpha)$ at the nodes of Gauss, $\gamma = N(\sigma_e n_u - \sigma_a n_l)$. The
populations then follow $\dot n_i = f(n_i) + \phi_i\,(\sigma_e n_u - \sigma_a n_l)_i\,(e_l - e_u)$,
$\phi = I/h\nu$: a Jacobian of small blocks and one that is as long as there are nodes, which Woodbury's formula takes
apart. So a method of Rosenbrock's kind has its exact Jacobian for a block each node and one matrix (node, node).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxrate.network.mass_action import Pair, in_rows
from jaxrate.solve import rodas
from jaxrate.solve.motion import Motion, Moving
from jaxrate.solve.sparse_lu import SparseLU

SUMS = 3
"""What is summed up in time beside the populations: light that leaves, is emitted, and is lost [J m^-2]."""


@dataclass(frozen=True)
class Grid:
    """Gauss' nodes along the medium.

    Args:
        points: How many.
    """

    points: int

    @cached_property
    def nodes(self) -> np.ndarray:
        """As fractions of the length, shape (node,)."""
        return (np.polynomial.legendre.leggauss(self.points)[0] + 1) / 2

    @cached_property
    def weights(self) -> np.ndarray:
        """Of the integral over the length, shape (node,)."""
        return np.polynomial.legendre.leggauss(self.points)[1] / 2

    @cached_property
    def spectral(self) -> np.ndarray:
        """Legendre's coefficients from values at the nodes, shape (degree, node)."""
        degrees = np.arange(self.points)[:, None]
        values = np.polynomial.legendre.legvander(2 * self.nodes - 1, self.points - 1).T
        return (2 * degrees + 1) * values * self.weights

    @cached_property
    def integral(self) -> np.ndarray:
        """S: integral from the front to each node, from values at the nodes, shape (node, node)."""
        columns = np.polynomial.legendre.legint(np.eye(self.points), lbnd=-1, axis=0) / 2
        return np.polynomial.legendre.legvander(2 * self.nodes - 1, self.points) @ columns @ self.spectral

    def to(self, positions: np.ndarray) -> np.ndarray:
        """Values at positions from those at the nodes, shape (position, node)."""
        return np.polynomial.legendre.legvander(2 * np.asarray(positions) - 1, self.points - 1) @ self.spectral


@dataclass(frozen=True)
class Medium:
    """Lanes of a medium and the pulse that enters it.

    Args:
        motion: The network without the pulse.
        moving: Its right-hand side, at (node, lane) in one axis.
        grid: Nodes along it.
        upper, lower: Populations of the line.
        emission, absorption: Cross-sections of the line [m^2], shape (lane,).
        column: N L, atoms of its species in front of an area [m^-2], shape (lane,).
        loss: Background loss times length, shape (lane,).
        photon: h nu of the light [J], shape (lane,).
        light: Intensity that enters [W m^-2], at one time for each lane.
    """

    motion: Motion
    moving: Moving
    grid: Grid
    upper: int
    lower: int
    emission: Array
    absorption: Array
    column: Array
    loss: Array
    photon: Array
    light: Callable[[Array], Array]

    def net(self, n: Array) -> Array:
        """Cross-section of emission less absorption, by atom [m^2], shape (node, lane)."""
        return self.emission * n[self.upper] - self.absorption * n[self.lower]

    def exponents(self, net: Array) -> tuple[Array, Array]:
        """Logarithm of the light at the nodes (node, lane), and at the end (lane,), over that which enters."""
        inside = self.column * jnp.tensordot(self.grid.integral, net, 1) - self.loss * self.grid.nodes[:, None]
        return inside, self.whole(net) - self.loss

    def whole(self, net: Array) -> Array:
        """Gain of the whole medium, shape (lane,)."""
        return self.column * jnp.tensordot(self.grid.weights, net, 1)

    def rate_of_change(self, t: Array, n: Array, entering: Array) -> Array:
        """Of the populations [1/s], shape (population, node, lane), with light of an intensity entering (lane,)."""
        net = self.net(n)
        events = net * entering / self.photon * jnp.exp(self.exponents(net)[0])
        return self._alone(t, n) + self.moved(events)

    def _alone(self, t: Array, n: Array) -> Array:
        """What the medium does without the pulse."""
        points = n.shape[1]
        return self.moving.rate_of_change(jnp.tile(t, points), n.reshape(len(n), -1)).reshape(n.shape)

    def moved(self, events: Array) -> Array:
        """Change of the populations by stimulated events, shape (population, node, lane)."""
        change = jnp.zeros((self.motion.size, *events.shape))
        return change.at[self.upper].add(-events).at[self.lower].add(events)

    def sums(self, net: Array, entering: Array) -> Array:
        """Light that leaves, is emitted in the whole medium, and is lost in it [W m^-2], shape (3, lane)."""
        inside, end = self.exponents(net)
        light = entering * jnp.exp(inside)
        emitted = self.whole(net * light)
        return jnp.stack([entering * jnp.exp(end), emitted, self.loss * jnp.tensordot(self.grid.weights, light, 1)])


class Taken(NamedTuple):
    """A step: where it leads, what it misses, and the gain along it.

    Attributes:
        n, sums: Populations and sums at its end.
        stages: Of the populations, shape (stage, population, node, lane).
        error, sums_error: What they miss.
        gain: Change of the logarithm of the whole gain by each stage, shape (stage, lane).
    """

    n: Array
    sums: Array
    stages: Array
    error: Array
    sums_error: Array
    gain: Array


class Linear(NamedTuple):
    """The Jacobian of a step, taken apart: see `prepare`."""

    factors: Array
    column: Array
    coupling: Array


@dataclass(frozen=True)
class Stepper:
    """Steps of Rodas5P.

    Args:
        motion: The network without the pulse.
        upper, lower: Populations of the line.
    """

    motion: Motion
    upper: int
    lower: int

    @cached_property
    def laws(self) -> dict[int, dict[int, float]]:
        """What no step may change, by the population whose own equation gives way to it."""
        return {law.replaced: law.weights for law in self.motion.laws if law.is_plain}

    @cached_property
    def lu(self) -> SparseLU:
        """How a block of the Jacobian is factored."""
        line = {(i, j) for i in (self.upper, self.lower) for j in (self.upper, self.lower)}
        rows = {(i, j) for i, law in self.laws.items() for j in law}
        pattern = rows | {(i, j) for i, j in self.motion.pattern | line if i not in self.laws}
        return SparseLU(frozenset(pattern), self.motion.size, tuple(self.laws))

    def prepare(self, medium: Medium, t: Array, n: Array, shift: Array, flux: Array) -> Linear:
        r"""Factors of $s - J$, with $J = D + UKV$.

        D has a block each node; U is what an event does there, V the gain, and K what gain before a node does to the
        rate of events in it. $(s-J)^{-1}b = x + PRVx$ with $x = (s-D)^{-1}b$, $P = (s-D)^{-1}U$ and
        $R = (1 - KVP)^{-1}K$.

        Args:
            medium: The medium.
            t, n: Time (lane,) and populations (population, node, lane).
            shift: s [s^-1], shape (lane,).
            flux: Photons that pass [m^-2 s^-1], shape (node, lane).
        """
        points = n.shape[1]
        jacobian = dict(medium.moving.jacobian(jnp.tile(t, points), n.reshape(len(n), -1)))
        for row, sign in ((self.upper, -1.0), (self.lower, 1.0)):
            for column, gain in ((self.upper, medium.emission), (self.lower, -medium.absorption)):
                jacobian[row, column] = jacobian.get((row, column), 0.0) + sign * (flux * gain).ravel()
        factors = self.lu.stacked(self.lu.factor(self._system(jacobian, jnp.tile(shift, points))))
        net = medium.net(n)
        column = self.solve(factors, medium.moved(net))
        K = flux[:, None] * medium.column * medium.grid.integral[:, :, None]
        return Linear(factors, column, _reduced(K, medium.net(column)))

    def _system(self, jacobian: dict[Pair, Array], shift: Array) -> dict[Pair, Array]:
        """Blocks of s - J, the rows of some populations replaced by the laws that hold them."""
        laws = self.laws
        found = {pair: -value for pair, value in jacobian.items() if pair[0] not in laws}
        found |= {(i, i): shift + found.get((i, i), 0.0) for i in range(self.motion.size) if i not in laws}
        return found | {(i, j): jnp.full_like(shift, weight) for i, law in laws.items() for j, weight in law.items()}

    def solve(self, factors: Array, b: Array) -> Array:
        """x of $(s - D)x = b$, shape (population, node, lane)."""
        flat = b.reshape(len(b), -1)
        rows = [jnp.zeros_like(row) if i in self.laws else row for i, row in enumerate(flat)]
        return in_rows(self.lu.solve(factors, rows)).reshape(b.shape)

    def step(self, medium: Medium, t: Array, n: Array, sums: Array, h: Array, inside: Callable) -> Taken:
        """One step.

        Args:
            medium: The medium.
            t, n, sums: Time (lane,), populations and sums at its beginning.
            h: Its length [s], shape (lane,).
            inside: Moves a time off the ends of its interval.
        """
        inverse = 1.0 / h
        entering, slope = jax.jvp(medium.light, (inside(t),), (jnp.ones_like(t),))
        net = medium.net(n)
        passing = jnp.exp(medium.exponents(net)[0])
        linear = self.prepare(medium, t, n, inverse / rodas.GAMMA, entering / medium.photon * passing)
        drift, sums_drift = medium.moved(net * slope / medium.photon * passing), medium.sums(net, slope)
        A, C, nodes, slopes = (jnp.asarray(x) for x in (rodas.A, rodas.C, rodas.NODES, rodas.SLOPES))

        def stage(i: Array, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            k, q, gains = state
            here = n + jnp.tensordot(A[i], k, 1)
            light = medium.light(inside(t + nodes[i] * h))
            b = medium.rate_of_change(t, here, light) + jnp.tensordot(C[i], k, 1) * inverse + slopes[i] * h * drift
            x = self.solve(linear.factors, b)
            x = x + linear.column * _times(linear.coupling, medium.net(x))
            gain = medium.net(x)
            of_gain = jax.jvp(lambda net: medium.sums(net, entering), (net,), (gain,))[1]
            own = medium.sums(medium.net(here), light) + jnp.tensordot(C[i], q, 1) * inverse
            summed = h * rodas.GAMMA * (own + slopes[i] * h * sums_drift + of_gain)
            return k.at[i].set(x), q.at[i].set(summed), gains.at[i].set(medium.whole(gain))

        k, q, gains = (jnp.zeros((rodas.STAGES, *like.shape)) for like in (n, sums, t))
        k, q, gains = lax.fori_loop(0, rodas.STAGES, stage, (k, q, gains))
        B = jnp.asarray(rodas.B)
        return Taken(n + jnp.tensordot(B, k, 1), sums + jnp.tensordot(B, q, 1), k, k[-1], q[-1], gains)


def _reduced(K: Array, q: Array) -> Array:
    r"""$(1 - K\,\mathrm{diag}(q))^{-1}K$ by Gauss and Jordan, shape (node, node, lane)."""
    size = K.shape[0]
    left = jnp.eye(size)[:, :, None] - K * q

    def turn(k: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        left, right = state
        column, pivot = left[:, k], 1.0 / left[k, k]
        factor = jnp.where((jnp.arange(size) == k)[:, None], column - 1.0, column) * pivot
        return left - factor[:, None] * left[k][None], right - factor[:, None] * right[k][None]

    return lax.fori_loop(0, size, turn, (left, K))[1]


def _times(M: Array, x: Array) -> Array:
    """Matrix (node, node, lane) times (node, lane)."""
    return jnp.sum(M * x[None], axis=1)
