r"""Rates of change as sums of flows, with their Jacobian, in straight-line code over lanes.

$\dot n_i = \sum_r \nu_{ir}\,K_{rs}\prod_j n_j$ where j runs over the reactants of r. $K_{rs} = k_r \prod_j s_j / s$
is the coefficient of reaction r in the units of the populations of scale s; a reactant of that scale is cancelled
before anything is divided, so that a species of density zero is legal.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxrate.network.coefficients import Parameters
from jaxrate.network.dynamics import without_scale
from jaxrate.network.network import Network

Pair = tuple[int, int]
"""(row, column): population that changes, population it depends on."""


@dataclass(frozen=True)
class MassAction:
    """Some reactions of a network as flows between populations.

    Args:
        network: The network.
        members: Positions of the reactions.
    """

    network: Network
    members: tuple[int, ...]

    @cached_property
    def flows(self) -> tuple[tuple[int, str], ...]:
        """(reaction, scale) of each coefficient K."""
        found = ((r, self.network.populations[i].scale) for r, i, _ in self._entries)
        return tuple(dict.fromkeys(found))

    @cached_property
    def _entries(self) -> tuple[tuple[int, int, int], ...]:
        """(reaction, population, particles gained) of what is not zero."""
        nu = self.network.stoichiometry
        return tuple((r, int(i), int(nu[i, r])) for r in self.members for i in nu[:, r].nonzero()[0])

    def coefficients(self, parameters: Parameters, lanes: int) -> Array:
        """K of every flow, shape (flow, lane)."""
        by_law = self._by_reaction(parameters)
        rows = [by_law[r] * self._factor(r, scale, parameters) for r, scale in self.flows]
        return jnp.stack([jnp.broadcast_to(row, (lanes,)) for row in rows]) if rows else jnp.zeros((0, lanes))

    def _by_reaction(self, parameters: Parameters) -> dict[int, Any]:
        """Coefficient of each reaction, (lane,) or ()."""
        found: dict[int, Any] = {}
        for members, values in self.network.coefficients(parameters, self.members):
            found |= {members[0]: values} if len(members) == 1 else dict(zip(members, values, strict=True))
        return found

    def _factor(self, reaction: int, scale: str, parameters: Parameters) -> Any:
        populations = self.network.populations
        reactants = [populations[j] for j in self.network.reactions[reaction].reactants]
        here = next(p for p in populations if p.scale == scale)
        return without_scale(here, reactants, parameters)

    def rate_of_change(self, K: Array, n: Sequence[Any]) -> list[Any]:
        """Change of every population [1/s], each (lane,); 0.0 where nothing changes it.

        Args:
            K: Coefficients, shape (flow, lane).
            n: Populations, each (lane,).
        """
        moved = {r: _product([n[j] for j in self.network.reactions[r].reactants]) for r in self.members}
        flow = {key: K[i] * moved[key[0]] for i, key in enumerate(self.flows)}
        change: list[Any] = [0.0] * len(self.network.populations)
        for r, i, count in self._entries:
            change[i] = change[i] + count * flow[r, self.network.populations[i].scale]
        return change

    def jacobian(self, K: Array, n: Sequence[Any]) -> dict[Pair, Any]:
        """Derivative of the change of a population by another, each (lane,), where it is not zero everywhere."""
        place = {key: i for i, key in enumerate(self.flows)}
        slopes: dict[tuple[int, int], Any] = {}
        found: dict[Pair, Any] = {}
        for r in self.members:
            for j, slope in _slopes(self.network.reactions[r].reactants, n).items():
                slopes[r, j] = slope
        for r, i, count in self._entries:
            k = K[place[r, self.network.populations[i].scale]]
            for j in dict.fromkeys(self.network.reactions[r].reactants):
                term = count * (k * slopes[r, j])
                found[i, j] = found[i, j] + term if (i, j) in found else term
        return found

    @cached_property
    def pattern(self) -> frozenset[Pair]:
        """Where the Jacobian is not zero everywhere."""
        reactions = self.network.reactions
        return frozenset((i, j) for r, i, _ in self._entries for j in reactions[r].reactants)


FUSED = 8
"""XLA makes one loop of a stack of at most so many rows; of a longer one each row computes everything again."""


def in_rows(rows: Sequence[Any]) -> Array:
    """Rows (lane,) as one array (row, lane)."""
    rows = jnp.broadcast_arrays(*(jnp.asarray(row, float) for row in rows))
    if len(rows) <= FUSED:
        return jnp.stack(rows)
    found = jnp.zeros((len(rows), *rows[0].shape), rows[0].dtype)
    for i, row in enumerate(rows):
        found = found.at[i].set(row)
    return found


def apart(always: Array, rows: Callable[[], Sequence[Any]]) -> Array:
    """Rows (lane,) as one array (row, lane) that is computed once, whoever reads it.

    XLA would compute them again inside of every loop that reads them, and a loop that does too much it does lane by
    lane, not in vectors. What a branch gives it has to keep; on an accelerator it keeps what stands before a barrier.

    Args:
        always: True, in a way that the compiler does not see.
        rows: Gives the rows.
    """

    def groups() -> list[Array]:
        found = jnp.broadcast_arrays(*(jnp.asarray(row, float) for row in rows()))
        return [jnp.stack(found[i : i + FUSED]) for i in range(0, len(found), FUSED)]

    if jax.default_backend() != "cpu":
        return jnp.concatenate(lax.optimization_barrier(groups()))
    shapes = jax.eval_shape(groups)
    return jnp.concatenate(lax.cond(always, groups, lambda: [jnp.zeros(s.shape, s.dtype) for s in shapes]))


def _product(factors: Sequence[Any]) -> Any:
    result: Any = 1.0
    for factor in factors:
        result = factor if isinstance(result, float) else result * factor
    return result


def _slopes(reactants: Sequence[int], n: Sequence[Any]) -> Mapping[int, Any]:
    """Derivative of the product of the reactants by each of them."""
    found: dict[int, Any] = {}
    for place, j in enumerate(reactants):
        rest = _product([n[other] for at, other in enumerate(reactants) if at != place])
        found[j] = found[j] + rest if j in found else rest
    return found
