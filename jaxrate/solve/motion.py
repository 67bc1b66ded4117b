r"""$\dot n = f(t, n)$ of any network and drive, with its derivatives by populations and by time."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.network.coefficients import Parameters
from jaxrate.network.mass_action import MassAction, Pair, in_rows
from jaxrate.network.network import Network
from jaxrate.solve.drive import Drive, driven_at


@dataclass(frozen=True)
class Law:
    r"""A conservation law, $\sum_j c_j s_j n_j$ of populations j with scales $s_j$.

    Attributes:
        replaced: The population whose balance follows from those of the others, and from the law.
        weights: $c_j$ over that of the replaced one, by population.
        is_plain: Whether all its populations have one scale, which cancels.
    """

    replaced: int
    weights: dict[int, float]
    is_plain: bool


Inputs = Mapping[str, Any]
"""What f needs of each lane: coefficients that never change, and parameters of those that do, each (..., lane)."""

FIXED = " fixed"
"""Name of the coefficients that never change; no parameter's name begins so."""


@dataclass(frozen=True)
class Motion:
    """The right-hand side of a network whose parameters may be driven in time.

    Args:
        network: The network.
        drive: Parameters that change in time.
    """

    network: Network
    drive: Drive = ()

    @property
    def size(self) -> int:
        """Number of populations."""
        return len(self.network.populations)

    @cached_property
    def laws(self) -> tuple[Law, ...]:
        """Conservation laws, none of which has the replaced population of another."""
        laws, columns = self.network.conserved.astype(float), []
        for row in range(len(laws)):
            column = int(np.argmax(laws[row] != 0))
            laws[row] /= laws[row, column]
            others = np.arange(len(laws)) != row
            laws[others] -= laws[others, column][:, None] * laws[row]
            columns.append(column)
        return tuple(self._law(column, law) for column, law in zip(columns, laws, strict=True))

    def _law(self, column: int, law: np.ndarray) -> Law:
        weights = {int(j): float(law[j]) for j in law.nonzero()[0]}
        return Law(column, weights, len({self.network.populations[j].scale for j in weights}) == 1)

    @cached_property
    def fixed(self) -> MassAction:
        """Reactions whose coefficients never change."""
        every = range(len(self.network.reactions))
        return MassAction(self.network, tuple(r for r in every if r not in self.driven.members + self.coupled.members))

    @cached_property
    def driven(self) -> MassAction:
        """Reactions whose coefficients change with time alone."""
        names = frozenset(name for name, _ in self.drive)
        free = [r for r, depends in enumerate(self.network.depends) if not depends]
        return MassAction(self.network, tuple(r for r in free if self.network.changes_with(r, names)))

    @cached_property
    def coupled(self) -> MassAction:
        """Reactions whose coefficients depend on populations."""
        return MassAction(self.network, tuple(r for r, depends in enumerate(self.network.depends) if depends))

    @cached_property
    def pattern(self) -> frozenset[Pair]:
        """Where the Jacobian is not zero everywhere."""
        whole = frozenset((i, j) for i in range(self.size) for j in range(self.size)) if self.coupled.members else ()
        return self.fixed.pattern | self.driven.pattern | frozenset(whole)

    def inputs(self, parameters: Parameters, varied: Mapping[str, Array], lanes: int) -> dict[str, Any]:
        """What is kept of each lane."""
        kept = dict(varied) if self.driven.members or self.coupled.members else {}
        return {FIXED: self.fixed.coefficients(parameters, lanes), **kept}

    def at(self, base: Array, inputs: Inputs) -> "Moving":
        """The right-hand side of some lanes."""
        varied = {name: value for name, value in inputs.items() if name != FIXED}
        return Moving(self, inputs[FIXED], self.network.parameters(base, varied))


@dataclass(frozen=True)
class Moving:
    """The right-hand side of a block of lanes.

    Args:
        motion: What moves.
        fixed: Coefficients that never change, shape (flow, lane).
        parameters: Of the lanes; what is driven has its value of no particular time.
    """

    motion: Motion
    fixed: Array
    parameters: Parameters

    def rate_of_change(self, t: Array, n: Array) -> Array:
        """f, shape (population, lane), at times (lane,) and populations (population, lane)."""
        return in_rows(self.changes(t, n))

    def changes(self, t: Array, n: Array) -> list[Array]:
        """The same, each (lane,)."""
        motion, rows = self.motion, list(n)
        parts = [motion.fixed.rate_of_change(self.fixed, rows)]
        if motion.driven.members:
            parts.append(motion.driven.rate_of_change(self._driven(t, n), rows))
        if motion.coupled.members:
            parts.append(motion.coupled.rate_of_change(self._coupled(t, n), rows))
        return [sum(part[i] for part in parts) + jnp.zeros_like(n[0]) for i in range(len(rows))]

    def jacobian(self, t: Array, n: Array) -> dict[Pair, Any]:
        """Derivative of f by the populations, each (lane,)."""
        motion, rows = self.motion, list(n)
        found = motion.fixed.jacobian(self.fixed, rows)
        if motion.driven.members:
            _add(found, motion.driven.jacobian(self._driven(t, n), rows))
        if motion.coupled.members:
            _add(found, self._coupled_jacobian(t, n))
        return found

    def drift(self, t: Array, n: Array) -> Array | None:
        """Partial derivative of f by time, shape (population, lane); None where nothing is driven."""
        if not self.motion.drive:
            return None
        return jax.jvp(lambda t: self.rate_of_change(t, n), (t,), (jnp.ones_like(t),))[1]

    def is_legal(self, t: Array, n: Array) -> Array | bool:
        """Which lanes have no changing coefficient that is NaN, infinite or, if it may not be, negative, (lane,)."""
        legal: Any = True
        motion = self.motion
        for some, values in ((motion.driven, self._driven), (motion.coupled, self._coupled)):
            signed = [motion.network.reactions[r].signed for r, _ in some.flows]
            for row, may_be_negative in zip(values(t, n) if signed else (), signed, strict=True):
                legal = legal & (jnp.isfinite(row) if may_be_negative else (row >= 0) & (row < jnp.inf))
        return legal

    def _driven(self, t: Array, n: Array) -> Array:
        return self.motion.driven.coefficients(self._moment(t), n.shape[1])

    def _coupled(self, t: Array, n: Array) -> Array:
        named = self.motion.network.named_populations(n)
        return self.motion.coupled.coefficients(self._moment(t).exchange(named), n.shape[1])

    def _moment(self, t: Array) -> Parameters:
        """Parameters at a time."""
        motion = self.motion
        return self.parameters.exchange(driven_at(motion.drive, motion.network, self.parameters, t))

    def _coupled_jacobian(self, t: Array, n: Array) -> dict[Pair, Any]:
        def f(n: Array) -> Array:
            change = self.motion.coupled.rate_of_change(self._coupled(t, n), list(n))
            return jnp.stack([jnp.broadcast_to(row, n.shape[1:]) for row in change])

        units = jnp.eye(self.motion.size)[:, :, None] * jnp.ones_like(n)
        columns = jax.vmap(lambda unit: jax.jvp(f, (n,), (unit,))[1])(units)
        return {(i, j): columns[j, i] for i in range(self.motion.size) for j in range(self.motion.size)}


def _add(total: dict[Pair, Any], more: Mapping[Pair, Any]) -> None:
    for pair, value in more.items():
        total[pair] = total[pair] + value if pair in total else value
