"""A solution: populations with the network and the parameters they belong to."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxrate.model.model import Model
from jaxrate.network.network import Network
from jaxrate.solve.status import Status


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["populations", "status", "parameters", "times", "light", "classes"],
    meta_fields=["network", "method"],
)
@dataclass(frozen=True)
class Solution:
    """Populations of every ensemble of a batch.

    Attributes:
        populations: Fractions of their species' density, levels in the order stated, then densities of reservoirs
            [m^-3], then numbers of photons in cavities; shape (population, *batch), of a path in time (population,
            time, *batch), along an amplifier (population, position, *batch); NaN where `status` is not 0.
        status: Code of each ensemble, shape (*batch); `jr.Status(code)` is its message.
        parameters: Values of every parameter in SI units, each of a shape that broadcasts to (*batch), or to
            (time, *batch) if it is driven.
        network: The model as reactions.
        times: Of a path [s], shape (time,); None of a steady state.
        method: How it was solved.
        light: What runs along an amplifier, a `Light`; None of anything else.
        classes: Populations of every class of an inhomogeneous line, a `Classes`, of which `populations` are the
            averages; None where light burns no hole. Its observables are read class by class.
    """

    populations: Any
    status: Any
    parameters: Mapping[str, Any]
    network: Network
    times: Any = None
    method: str = ""
    light: Any = None
    classes: Any = None

    @property
    def model(self) -> Model:
        """The statement it solves."""
        return self.network.model

    def __getitem__(self, level: str) -> Any:
        """Population of a level, a reservoir or a cavity, shape (*batch), or (time, *batch)."""
        return self.populations[self.model.position(level)]

    def __str__(self) -> str:
        status = np.asarray(self.status)
        codes, counts = np.unique(status, return_counts=True)
        lines = [f"{count} x {Status(int(code)).message}" for code, count in zip(codes, counts, strict=True)]
        name = f" of {self.model.name}" if self.model.name else ""
        what = "Steady state" if self.times is None else f"Path of {len(self.times)} times"
        how = f", {self.method}" if self.method else ""
        size = f"{len(self.populations)} populations, batch {status.shape}"
        return f"{what}{name}: {size}{how}\n  " + "\n  ".join(lines)
