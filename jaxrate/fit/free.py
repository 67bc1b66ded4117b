"""What is free in a fit: parameters as coordinates without bounds of scale, their bounds, ties and priors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

DATASET = " dataset"
"""Name under which a state tells its data set. No parameter's name begins so."""


@dataclass(frozen=True)
class Free:
    """Static description of the free parameters.

    Args:
        names: Of each coordinate: "laser.B", and "light.scale[a]" of a parameter that data set "a" has for itself.
        logarithmic: Whether the coordinate is the logarithm: so it is for what is positive.
        groups: (parameter, its coordinates): one that all data share, or one for each data set.
        constants: Parameters that keep their value but are needed.
        ties: (parameter, function of the others).
        priors: (coordinate, whether the prior is on the logarithm).
    """

    names: tuple[str, ...]
    logarithmic: tuple[bool, ...]
    groups: tuple[tuple[str, tuple[int, ...]], ...]
    constants: tuple[str, ...] = ()
    ties: tuple[tuple[str, Callable[[Mapping[str, Any]], Any]], ...] = ()
    priors: tuple[tuple[int, bool], ...] = ()

    @property
    def num(self) -> int:
        """Number of coordinates."""
        return len(self.names)

    @property
    def length(self) -> int:
        """Numbers of the parameters in the base of a fit: bounds, constants, priors."""
        return 2 * self.num + len(self.constants) + 2 * len(self.priors)

    def numbers(self, lower: Any, upper: Any, constants: Any, means: Any, deviations: Any) -> np.ndarray:
        """Those numbers, one after the other."""
        parts = (lower, upper, constants, means, deviations)
        return np.concatenate([np.asarray(part, np.float64).reshape(-1) for part in parts])

    def bounds(self, numbers: Any) -> tuple[Any, Any]:
        """Lower and upper bounds of the coordinates, shapes (coordinate,)."""
        return numbers[: self.num], numbers[self.num : 2 * self.num]

    def natural(self, u: Any, xp: Any = np) -> list[Any]:
        """Each coordinate's parameter in SI units."""
        return [xp.exp(x) if log else x for x, log in zip(u, self.logarithmic, strict=True)]

    def values(self, numbers: Array, u: Array, rows: Mapping[str, Array]) -> dict[str, Array]:
        """Parameters by name, shapes (state, lane) or (1, lane).

        Args:
            numbers: Those of the base.
            u: Coordinates, shape (coordinate, lane).
            rows: What differs from state to state, shapes (state,).
        """
        natural, lanes = self.natural(u, jnp), u.shape[-1]
        fixed = numbers[2 * self.num : 2 * self.num + len(self.constants)]
        constants = {n: jnp.broadcast_to(x, (1, lanes)) for n, x in zip(self.constants, fixed, strict=True)}
        theta = constants | {name: _of_states([natural[i] for i in where], rows) for name, where in self.groups}
        known = {**theta, **{name: x[:, None] for name, x in rows.items()}}
        return theta | {name: _wide(tie(known), lanes) for name, tie in self.ties}

    def prior_residuals(self, numbers: Array, u: Array) -> Array:
        """Deviation of each parameter from its prior, in standard deviations, shape (prior, lane)."""
        means, deviations = jnp.split(numbers[2 * self.num + len(self.constants) : self.length], 2)
        natural = self.natural(u, jnp)
        values = jnp.stack([u[i] if in_log else natural[i] for i, in_log in self.priors])
        return (values - means[:, None]) / deviations[:, None]

    def prior_slopes(self, numbers: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Derivatives of those by the coordinates at one place, shape (prior, coordinate)."""
        found = np.zeros((len(self.priors), self.num))
        deviations = numbers[2 * self.num + len(self.constants) + len(self.priors) : self.length]
        for row, ((i, in_log), deviation) in enumerate(zip(self.priors, deviations, strict=True)):
            found[row, i] = (np.exp(u[i]) if self.logarithmic[i] and not in_log else 1.0) / deviation
        return found


def _of_states(values: list[Array], rows: Mapping[str, Array]) -> Array:
    """One value for all states, or each state's own."""
    return values[0][None] if len(values) == 1 else jnp.stack(values)[rows[DATASET].astype(jnp.int32)]


def _wide(value: Any, lanes: int) -> Array:
    """A value of every state or of all, for every lane."""
    states = jnp.shape(value)[0] if jnp.ndim(value) == 2 else 1
    return jnp.broadcast_to(value, (states, lanes))
