"""What an observable is, and how one is read off a solution that is there already."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from jaxrate.network.coefficients import Parameters
from jaxrate.network.network import Network
from jaxrate.solve.batch import Batch, read_batch
from jaxrate.solve.lanes import Way, run
from jaxrate.solve.solution import Solution
from jaxrate.solve.status import Status


class Observable:
    """Something read off a solution: call it on one, or name it in an `Experiment`.

    Attributes:
        unit: SI unit of its values.
        pointwise: That it belongs to one moment of a path, not to the path as a whole.
        axis: Name of its leading axis, with its coordinate in SI units; None for one number a lane.
    """

    unit: ClassVar[str] = "1"
    pointwise: ClassVar[bool] = True

    @property
    def axis(self) -> tuple[str, np.ndarray, str] | None:
        """(name, values, unit) of the leading axis of its values; None where a lane has one number."""
        return None

    def axis_in(self, network: Network) -> tuple[str, np.ndarray, str] | None:
        """The same, where it follows from the model."""
        return self.axis

    @property
    def long_name(self) -> str:
        """What it is, for labels."""
        raise NotImplementedError

    def check(self, network: Network) -> None:
        """Refuse a model it cannot be read off, before anything is solved."""
        raise NotImplementedError

    def of(self, solution: Solution) -> Any:
        """Its value in a block of lanes, shape (lane,) or (axis, lane)."""
        raise NotImplementedError

    def __call__(self, solution: Solution) -> Any:
        """Its value of every ensemble, shape (*batch) or (axis, *batch); NaN where the status is not 0."""
        if isinstance(solution.parameters, Parameters):
            return self.of(solution)
        self.check(solution.network)
        return _read(self, solution)


@dataclass(frozen=True)
class _Reading:
    """Kernel that reads an observable off populations that are solved already.

    Args:
        network: The model as reactions.
        observable: What is read.
        num_times: Of the path that it is read off as a whole; 0 where every moment is a lane.
    """

    network: Network
    observable: Observable
    num_times: int = 0

    @property
    def lane_bytes(self) -> int:
        return 64 * (self.network.num_levels + len(self.network.names)) * max(self.num_times, 1)

    def has_short_way(self, base: np.ndarray, batch: Batch) -> bool:
        return False

    def __call__(self, base: Any, block: dict[str, Any], way: Way) -> dict[str, Any]:
        populations, status = block.pop("populations"), block.pop("status")
        times = block.pop("times")[:, 0] if self.num_times else None
        solved = status == Status.OK
        varied = {name: jnp.where(solved, x, base[self.network.order[name]]) for name, x in block.items()}
        solution = Solution(populations, status, self.network.parameters(base, varied), self.network, times)
        value = self.observable.of(solution)
        return {"value": jnp.where(solved, jnp.broadcast_to(value, (*value.shape[:-1], way.lanes)), jnp.nan)}


def _read(observable: Observable, solution: Solution) -> Any:
    network, fixed = solution.network, solution.network.model.parameters()
    given = {n: v for n, v in solution.parameters.items() if not (isinstance(v, float) and v == fixed[n])}
    given |= {"populations": solution.populations, "status": solution.status}
    cores, num_times = {"populations": 1}, 0
    if not observable.pointwise and solution.times is not None:
        driven = {name: 1 for name, x in given.items() if np.ndim(x) > np.ndim(solution.status)}
        given["times"], num_times = solution.times, len(solution.times)
        cores = {**driven, "populations": 2, "times": 1}
    return run(_Reading(network, observable, num_times), network.base, read_batch(given, cores))["value"]


def describe(name: str, observable: Any) -> tuple[str, str]:
    """(long name, unit) of an observable; of any other function its name and nothing."""
    if isinstance(observable, Observable):
        return observable.long_name, observable.unit
    return name, ""
