"""What is fitted: an experiment, or a pure function, seen alike: its parameters, and what it predicts."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.constants import c
from jaxrate.experiment import Experiment
from jaxrate.model.channels import Channels
from jaxrate.observe import describe
from jaxrate.solve.lanes import Way
from jaxrate.solve.program import Program


@dataclass(frozen=True)
class Known:
    """A parameter as its model knows it.

    Attributes:
        unit: SI unit; empty for that of a function.
        value: SI value; None for that of a function, which has none.
        domain: "positive", "nonnegative" or "finite".
    """

    unit: str
    value: float | None
    domain: str


@dataclass(frozen=True, eq=False)
class ChannelList:
    """A parameter that every channel of a group has for itself; a column of its name has a row for each channel.

    Attributes:
        parameter: Of the group, "wdm.power".
        members: Of each channel, "wdm.power[0]", "wdm.power[1]" ...
        unit: SI unit.
        axis: What tells channels apart, "wdm.wavelength".
        at: Its values [m], shape (channel,).
    """

    parameter: str
    members: tuple[str, ...]
    unit: str
    axis: str
    at: np.ndarray


PROBE = (2, 3)
"""Shape of arrays that a function is tried with."""


class Source(Protocol):
    """Predictions in a block of states and fits. Equal sources share compiled programs."""

    @property
    def names(self) -> tuple[str, ...]:
        """What is predicted."""
        ...

    @property
    def lane_bytes(self) -> int:
        """Memory of one state of one fit."""
        ...

    def predict(self, base: Array, values: Mapping[str, Array], shape: tuple[int, int]) -> dict[str, Array]:
        """Each prediction, shape (place, state, lane), of values that broadcast to (state, lane); NaN where none is."""
        ...


@dataclass(frozen=True)
class Solved:
    """Predictions of an experiment.

    Args:
        program: What solves it and reads its observables.
        varied: Parameters that differ from fit to fit or from state to state; the others are in its base.
        mode: What derivatives are taken by, see `Way`.
    """

    program: Program
    varied: tuple[str, ...]
    mode: Literal["forward", "reverse", "any"] = "forward"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.program.observables)

    @property
    def lane_bytes(self) -> int:
        return self.program.lane_bytes

    def predict(self, base: Array, values: Mapping[str, Array], shape: tuple[int, int]) -> dict[str, Array]:
        lanes = shape[0] * shape[1]
        flat = {name: jnp.broadcast_to(values[name], shape).reshape(-1) for name in self.varied if name in values}
        results = self.program(base, flat, Way(lanes, np.dtype(np.float64), mode=self.mode))
        return {name: results[name].reshape(-1, *shape) for name in self.names}


@dataclass(frozen=True)
class Computed:
    """Predictions of a pure function.

    Args:
        function: From {parameter: array} to {name: array}, element by element.
        names: Those of its results that were measured.
    """

    function: Callable[[dict[str, Any]], Mapping[str, Any]]
    names: tuple[str, ...]
    lane_bytes: int = 64

    def predict(self, base: Array, values: Mapping[str, Array], shape: tuple[int, int]) -> dict[str, Array]:
        found = self.function(dict(values))
        return {name: jnp.broadcast_to(jnp.asarray(found[name]), (1, *shape)) for name in self.names}


class Subject(Protocol):
    """One thing that is fitted, to one table."""

    @property
    def parameters(self) -> Mapping[str, Known]:
        """Parameters by name."""
        ...

    @property
    def lists(self) -> tuple[ChannelList, ...]:
        """Parameters that every channel of a group has for itself."""
        ...

    @property
    def observables(self) -> Mapping[str, str]:
        """SI unit of everything that can be predicted; empty where it has none."""
        ...

    def axes(self, name: str) -> tuple[tuple[str, np.ndarray, str], ...]:
        """(name, values, unit) of each axis of a prediction of one state."""
        ...

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a prediction of one state."""
        ...

    def source(self, measured: tuple[str, ...], varied: Collection[str]) -> Source:
        """What predicts what was measured, given what varies."""
        ...

    def base(self, fixed: Mapping[str, float]) -> np.ndarray:
        """Values that all fits and states share."""
        ...


@dataclass(frozen=True)
class OfExperiment:
    """An `Experiment` as something to fit."""

    experiment: Experiment

    def __post_init__(self) -> None:
        if self.experiment.solver.begin(self.experiment.network) is not None:
            raise ValueError("A fit needs one start for all states: give jr.Evolve a `start` without a batch.")

    @property
    def parameters(self) -> Mapping[str, Known]:
        listed = self.experiment.parameter_list
        values = [(p, p.value) for p in listed if isinstance(p.value, float)]
        return {p.name: Known(p.unit, value, _sign(p.domain, value)) for p, value in values}

    @property
    def lists(self) -> tuple[ChannelList, ...]:
        groups = [p for p in self.experiment.network.model.processes if isinstance(p, Channels) and p.is_list]
        return tuple(
            ChannelList(f"{g.label}.power", g.power_names, "W", f"{g.label}.wavelength", c / np.array(g.frequencies))
            for g in groups
        )

    @property
    def observables(self) -> Mapping[str, str]:
        return {name: describe(name, o)[1] for name, o in self.experiment.observables.items()}

    def axes(self, name: str) -> tuple[tuple[str, np.ndarray, str], ...]:
        return tuple((axis, np.asarray(values), unit) for axis, values, unit in self.experiment.axes(name))

    def shape(self, name: str) -> tuple[int, ...]:
        return self.experiment.shapes({})[name]

    def source(self, measured: tuple[str, ...], varied: Collection[str]) -> Solved:
        whole = self.experiment.program
        wanted = tuple((name, o) for name, o in whole.observables if name in measured)
        here = tuple(name for name in self.experiment.network.names if name in varied)
        self.experiment.solver.check_names(self.experiment.network, here)
        return Solved(Program(whole.network, whole.solver, wanted), here)

    def base(self, fixed: Mapping[str, float]) -> np.ndarray:
        base = np.array(self.experiment.base, np.float64)
        for name, value in fixed.items():
            if name in self.experiment.network.order:
                base[self.experiment.network.order[name]] = value
        return base


def _sign(domain: str, value: float) -> str:
    """Domain of a parameter of a fit: what may have any sign, but is above zero, counts as positive."""
    return "positive" if domain == "finite" and value > 0 else domain


@dataclass(frozen=True)
class OfFunction:
    """A pure function as something to fit.

    Args:
        function: From {parameter: array} to {name: array}.
        given: Names of its parameters and conditions.
    """

    function: Callable[[dict[str, Any]], Mapping[str, Any]]
    given: tuple[str, ...]
    parameters: Mapping[str, Known] = field(default_factory=dict)
    lists: tuple[ChannelList, ...] = ()

    @property
    def observables(self) -> Mapping[str, str]:
        return dict.fromkeys(self._results, "")

    @cached_property
    def _results(self) -> Mapping[str, Any]:
        """What the function returns for arrays, shapes and types alone."""
        numbers = jax.ShapeDtypeStruct(PROBE, jnp.float32)
        try:
            found = jax.eval_shape(self.function, {name: numbers for name in self.given})
        except KeyError as missing:
            raise ValueError(
                f"The function needs `{missing.args[0]}`, which is neither a free or fixed parameter nor a column of "
                "the table: give it a `start`, a value in `fixed` or a column."
            ) from None
        except jax.errors.JAXTypeError as error:
            raise ValueError(
                "The function must be written with jax.numpy, element by element: jnp.exp(x) for np.exp(x), "
                f"jnp.where(x > 0, a, b) for `if`. JAX says: {str(error).splitlines()[0]}"
            ) from error
        if not isinstance(found, Mapping):
            what = "None" if found is None else "an array" if hasattr(found, "shape") else f"a {type(found).__name__}"
            raise ValueError(f"A function that is fitted must return {{name: array}}, but returned {what}.")
        return found

    def axes(self, name: str) -> tuple[tuple[str, np.ndarray, str], ...]:
        return ()

    def shape(self, name: str) -> tuple[int, ...]:
        result = self._results[name]
        if result.shape != PROBE or not jnp.issubdtype(result.dtype, jnp.floating):
            raise ValueError(
                f"The function must give a real number per element, but of arrays of shape {PROBE} its `{name}` is "
                f"of shape {result.shape} and {result.dtype}: nothing may be summed over or picked from an array."
            )
        return ()

    def source(self, measured: tuple[str, ...], varied: Collection[str]) -> Computed:
        return Computed(self.function, measured)

    def base(self, fixed: Mapping[str, float]) -> np.ndarray:
        return np.empty(0)
