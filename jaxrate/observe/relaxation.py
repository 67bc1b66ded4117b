r"""What becomes of a small disturbance: $\delta\dot n = J\,\delta n$, on the populations that conservation leaves free.

Each conservation law gives one population as a sum of others, $n_k = \mathrm{const} - \sum_j w_j n_j$. With these put
in, J has no eigenvalue that is zero by conservation alone.
"""

from dataclasses import dataclass, replace
from math import pi
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxrate.network.dynamics import rate_of_change, scale_ratio
from jaxrate.network.network import Network
from jaxrate.observe.laser import cavity_of, lane_parameters, photons_of
from jaxrate.observe.observable import Observable
from jaxrate.solve.solution import Solution

SHARE = 0.1
"""Least share of the photons in a relaxation oscillation. Of two variables they have half or more."""


class Free(NamedTuple):
    """Populations that conservation leaves free.

    Attributes:
        places: Their positions, of shape (free,).
        weights: How all populations follow from them, shape (population, free, lane).
    """

    places: np.ndarray
    weights: Array


def free_populations(solution: Solution) -> Free:
    """Which populations may be disturbed, and how the others follow."""
    network, size = solution.network, len(solution.network.populations)
    laws, replaced = _reduced(network)
    places = np.array([i for i in range(size) if i not in replaced], int)
    weights = np.zeros((size, places.size))
    weights[places, np.arange(places.size)] = 1.0
    rows = jnp.asarray(weights)[:, :, None] * jnp.ones_like(solution.populations[0])
    for law, k in zip(laws, replaced, strict=True):
        for column, j in enumerate(places):
            if law[j]:
                here, other = network.populations[k], network.populations[j]
                rows = rows.at[k, column].add(-law[j] * scale_ratio(other, here, lane_parameters(solution)))
    return Free(places, rows)


def _reduced(network: Network) -> tuple[np.ndarray, list[int]]:
    """Conservation laws (law, population), each with a 1 at a population where the others have 0; and which."""
    laws, replaced = network.conserved.astype(float), []
    for row in range(len(laws)):
        column = int(np.argmax(laws[row] != 0))
        laws[row] /= laws[row, column]
        others = np.arange(len(laws)) != row
        laws[others] -= laws[others, column][:, None] * laws[row]
        replaced.append(column)
    return laws, replaced


def jacobian(solution: Solution, free: Free) -> Array:
    """Derivative of the change of the free populations by them [s^-1], shape (lane, free, free)."""

    theta = lane_parameters(solution)

    def f(n: Array) -> Array:
        return rate_of_change(solution.network, theta, n)[free.places]

    n = solution.populations
    columns = jax.vmap(lambda unit: jax.jvp(f, (n,), (unit,))[1], in_axes=1)(free.weights)
    return jnp.moveaxis(columns, (0, 2), (2, 0))


class Modes(NamedTuple):
    """How disturbances grow and turn.

    Attributes:
        rates: Eigenvalues of the Jacobian [s^-1], complex, shape (lane, mode).
        shares: Part that each free population has in each mode, shape (lane, population, mode).
    """

    rates: Array
    shares: Array


def modes(solution: Solution) -> tuple[Free, Modes]:
    r"""Eigenvalues, differentiable, and who takes part in each.

    $p_{ki} = v_{ki}u_{ik}$ with right and left eigenvectors, $u_i v_i = 1$, is the derivative of an eigenvalue by the
    rate at which population k itself grows, and no change of units changes it. The first derivative of an eigenvalue is
    $u\,dJ\,v$, so no derivative of the decomposition itself is needed.
    """
    free = free_populations(solution)
    J = jacobian(solution, free)
    fixed = lax.stop_gradient(J)
    values, right = lax.linalg.eig(fixed, compute_left_eigenvectors=False)
    left = jnp.linalg.inv(right)
    moved = jnp.einsum("lik,lkj,lji->li", left, (J - fixed).astype(left.dtype), right)
    return free, Modes(values + moved, jnp.abs(right * jnp.swapaxes(left, 1, 2)))


def _oscillation(solution: Solution, cavity: str) -> Array:
    """Eigenvalue of the relaxation oscillation [s^-1], imaginary part positive, shape (lane,); NaN where none is."""
    free, found = modes(solution)
    place = int(np.flatnonzero(free.places == photons_of(solution.network, cavity))[0])
    turning = (jnp.imag(found.rates) > 0) & (found.shares[:, place] >= SHARE)
    score = jnp.where(turning, found.shares[:, place], -1.0)
    best = jnp.argmax(score, axis=1)[:, None]
    value = jnp.take_along_axis(found.rates, best, axis=1)[:, 0]
    # A product, so that derivatives are NaN as well.
    return value * jnp.where(jnp.any(turning, axis=1), 1.0, jnp.nan)


@dataclass(frozen=True)
class RelaxationOscillation(Observable):
    r"""Frequency of the relaxation oscillation [Hz], $\mathrm{Im}\,\lambda/2\pi$: how a disturbed laser rings.

    $\lambda$ is the eigenvalue of the Jacobian, on the populations that conservation leaves free, in which the photons
    of the cavity take part most. NaN where they do not oscillate: below threshold, or overdamped. Of an ideal
    four-level laser r times above threshold $\omega^2 = \frac{r-1}{\tau\tau_c} - \gamma^2$, $\gamma = \frac{r}{2\tau}$.

    Args:
        cavity: Label of the `Cavity`.

    Source:
        A. E. Siegman, *Lasers* (1986), chapter 25 (equation numbers not checked).
    """

    cavity: str
    unit = "Hz"

    @property
    def long_name(self) -> str:
        return f"relaxation oscillation of {self.cavity}"

    def check(self, network: Network) -> None:
        cavity_of(network.model, self.cavity, "RelaxationOscillation")

    def of(self, solution: Solution) -> Any:
        return jnp.imag(_oscillation(solution, self.cavity)) / (2 * pi)


@dataclass(frozen=True)
class RelaxationDamping(Observable):
    r"""Rate at which the relaxation oscillation dies out [s^-1], $-\mathrm{Re}\,\lambda$; negative: it grows.

    Args:
        cavity: Label of the `Cavity`.
    """

    cavity: str
    unit = "s^-1"

    @property
    def long_name(self) -> str:
        return f"damping of the relaxation oscillation of {self.cavity}"

    def check(self, network: Network) -> None:
        cavity_of(network.model, self.cavity, "RelaxationDamping")

    def of(self, solution: Solution) -> Any:
        return -jnp.real(_oscillation(solution, self.cavity))


@dataclass(frozen=True)
class DisturbanceGrowth(Observable):
    r"""Growth rate of the disturbance that grows fastest [s^-1], $\max\mathrm{Re}\,\lambda$: a stable state has < 0.

    A laser whose steady state has more than 0 does not stay in it: with a saturable absorber it pulses by itself.
    """

    unit = "s^-1"

    @property
    def long_name(self) -> str:
        return "largest growth rate of a disturbance"

    def check(self, network: Network) -> None:
        """Any state may be disturbed."""

    def of(self, solution: Solution) -> Any:
        return jnp.max(jnp.real(modes(solution)[1].rates), axis=1)


@dataclass(frozen=True)
class Response:
    """What a small change of a parameter does to an output; a function of a solution for an `Experiment`.

    Args:
        parameter: Name of the parameter.
        output: Pure function of a solution, one number a lane.

    Returns:
        Rows of J (free, free), then of dF/dp, of the derivatives of the output by the free populations and by the
        parameter, and the output: shape (free^2 + 2 free + 2, lane).
    """

    parameter: str
    output: Any

    def __call__(self, solution: Solution) -> Array:
        free, theta = free_populations(solution), lane_parameters(solution)
        J = jnp.moveaxis(jacobian(solution, free), 0, -1)
        n, p = solution.populations, jnp.broadcast_to(theta[self.parameter], solution.populations.shape[1:])

        def change(p: Array) -> Array:
            return rate_of_change(solution.network, theta.exchange({self.parameter: p}), n)[free.places]

        def read(n: Array, p: Array) -> Array:
            return self.output(replace(solution, populations=n, parameters=theta.exchange({self.parameter: p})))

        one = jnp.ones_like(p)
        value, direct = jax.jvp(lambda p: read(n, p), (p,), (one,))
        slopes = jax.vmap(lambda unit: jax.jvp(lambda n: read(n, p), (n,), (unit,))[1], in_axes=1)(free.weights)
        b = jax.jvp(change, (p,), (one,))[1]
        return jnp.concatenate([J.reshape(-1, n.shape[1]), b, slopes, direct[None], value[None]])


def num_free(network: Network) -> int:
    """Populations that conservation leaves free."""
    return len(network.populations) - len(network.conserved)
