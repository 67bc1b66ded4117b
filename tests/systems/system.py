"""What an exact system is: a model, a batch, and its observables and their slopes in closed form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import jaxrate as jr

Theta = Mapping[str, np.ndarray]
Values = dict[str, np.ndarray]
Slopes = dict[str, dict[str, np.ndarray]]


@dataclass(frozen=True)
class System:
    """An exactly solved medium.

    Args:
        name: What it is.
        model: The statement.
        theta: A batch, shapes (lane,).
        observables: What is read.
        exact: Values and slopes {observable: {parameter: slope}} of a batch, in NumPy's float64.
        solver: How it is solved; of a path the values have an axis of times before that of the lanes.
    """

    name: str
    model: jr.Model
    theta: Theta
    observables: Mapping[str, Any]
    exact: Callable[[Theta], tuple[Values, Slopes]]
    solver: Any = field(default_factory=jr.Steady)

    def __str__(self) -> str:
        return self.name
