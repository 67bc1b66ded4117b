"""Experiment: what is set, how it is solved, what is read. The one thing that sweeps, fits and the command line run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.model.model import Model
from jaxrate.model.quantities import Parameter
from jaxrate.network.compile import compile_network
from jaxrate.network.network import Network
from jaxrate.observe import Observable
from jaxrate.solve.batch import Batch
from jaxrate.solve.block import is_pointwise
from jaxrate.solve.lanes import Results, Way, result_shapes, run
from jaxrate.solve.program import Program, Solver, batch_of


class Experiment:
    """A model, a solver and observables: call it with a batch of parameter values.

    Args:
        model: The medium.
        solver: `jr.Steady()`, or `jr.Evolve(times, start=..., drive=...)`.
        observables: By name: `jr.Gain("laser")`, or any pure function of a `Solution`, such as
            `lambda state: state["4F3/2"]`.

    Raises:
        ValueError: the solver cannot solve the model, or an observable cannot be read off it.

    Examples:
        >>> bench = jr.Experiment(nd, jr.Steady(), {"gain": jr.Gain("laser")})
        >>> bench({"pump.rate": np.array([1.0, 100.0])})["gain"]
    """

    def __init__(self, model: Model, solver: Solver, observables: Mapping[str, Callable[..., Any]]) -> None:
        self.model, self.solver, self.observables = model, solver, dict(observables)
        solver.check(self.network)
        for name, observable in self.observables.items():
            _check_observable(name, observable, self.network)

    @cached_property
    def network(self) -> Network:
        """The model, with what the solver adds to it, as reactions."""
        return compile_network(self.solver.stated(self.model))

    @property
    def parameter_list(self) -> tuple[Parameter, ...]:
        """Every parameter of the model and of the solver, with unit and domain."""
        return self.network.model.parameter_list

    @cached_property
    def program(self) -> Program:
        """The kernel: solve a block of lanes and read the observables."""
        return Program(self.network, self.solver, tuple(self.observables.items()))

    def parameters(self) -> dict[str, float]:
        """The parameters of the model and of the solver, in SI units."""
        return self.network.model.parameters()

    @cached_property
    def base(self) -> Any:
        """What all ensembles share: the model's own values, and what the solver needs itself."""
        return self.solver.base(self.network)

    def batch(self, theta: Mapping[str, Any] | None, precision: str | None = None) -> Batch:
        """Check names and shapes of a batch of parameter values."""
        return batch_of(self.network, self.solver, theta or {}, precision)

    def __call__(self, theta: Mapping[str, Any] | None = None, *, precision: str | None = None) -> Results:
        """Every observable of every ensemble.

        Args:
            theta: Parameter values in SI units by name; shapes broadcast. Names not given keep the model's values.
            precision: "float64" (default) or "float32" of the results for NumPy arrays.

        Returns:
            By name, shape (*batch), of `jr.Evolve` (time, *batch), with the observable's own axis in front if it has
            one; NaN where the lane has no result. `experiment.status(theta)` says why.
        """
        results = run(self.program, self.base, self.batch(theta, precision))
        return {name: results[name] for name in self.observables}

    def status(self, theta: Mapping[str, Any] | None = None) -> Any:
        """Status code of every ensemble, shape (*batch); `jr.Status(code)` is its message."""
        return run(Program(self.network, self.solver), self.base, self.batch(theta))["status"]

    def value_and_grad(
        self, theta: Mapping[str, Any] | None = None, wrt: Sequence[str] | str = (), *, precision: str | None = None
    ) -> tuple[Results, dict[str, Results]]:
        """Every observable and its derivative by parameters, lane by lane.

        Args:
            theta: As for a call.
            wrt: Names of the parameters to differentiate by.
            precision: As for a call.

        Returns:
            Values by name, and derivatives as {observable: {parameter: shape of the value}}. Both are NaN in a lane
            without a result.

        Raises:
            ValueError: an unknown parameter (the nearest is proposed), or none.
        """
        names = (wrt,) if isinstance(wrt, str) else tuple(wrt)
        self.solver.check_names(self.network, names)
        if not names:
            raise ValueError("`wrt` must name parameters to differentiate by, for example wrt=['laser.B'].")
        results = run(Derivatives(self.program, names), self.base, self.batch(theta, precision))
        gradients = {o: {n: results[f"{o} by {n}"] for n in names} for o in self.observables}
        return {o: results[o] for o in self.observables}, gradients

    def jacobian(
        self, theta: Mapping[str, Any] | None = None, wrt: Sequence[str] | str = (), *, precision: str | None = None
    ) -> dict[str, Results]:
        """Derivatives alone: {observable: {parameter: shape of the value}}; see `value_and_grad`."""
        return self.value_and_grad(theta, wrt, precision=precision)[1]

    def axes(self, name: str) -> tuple[tuple[str, Any, str], ...]:
        """(name, values, unit) of the axes of an observable of one lane that are known: its own, then time."""
        observable = self.observables[name]
        own = (observable.axis_in(self.network),) if isinstance(observable, Observable) else ()
        of_solver = (self.solver.axis,) if is_pointwise(observable) or getattr(observable, "along", False) else ()
        return tuple(axis for axis in (*own, *of_solver) if axis is not None)

    def shapes(self, theta: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        """Shape of each observable of one lane: () or (axis,)."""
        found = result_shapes(self.program, self.base, self.batch(theta))
        return {name: found[name].shape for name in self.observables}


def _check_observable(name: str, observable: Any, network: Network) -> None:
    if name == "status" or name in network.order:
        raise ValueError(f"An observable must not be named `{name}`: that is taken.")
    if not callable(observable):
        raise ValueError(
            f"The observable `{name}` must be a function of a solution such as jr.Gain('laser'), "
            f"but {observable!r} was given."
        )
    if isinstance(observable, Observable):
        observable.check(network)


@dataclass(frozen=True)
class Derivatives:
    """Kernel for values and derivatives. Lanes do not know each other, so one sweep serves all lanes.

    Args:
        program: The kernel that is differentiated.
        wrt: Parameters to differentiate by.
    """

    program: Program
    wrt: tuple[str, ...]

    @property
    def lane_bytes(self) -> int:
        """Memory of one lane."""
        return 3 * self.program.lane_bytes

    @property
    def blocks_per_call(self) -> int | None:
        """Blocks of one call, where they are long work by themselves; else None."""
        return self.program.blocks_per_call

    @property
    def knows_filling(self) -> bool:
        """Whether it is told which lanes only fill up a block."""
        return self.program.knows_filling

    def has_short_way(self, base: np.ndarray, batch: Batch) -> bool:
        """Whether it has straight-line code that any lane of this batch may be for."""
        return self.program.has_short_way(base, batch)

    def __call__(self, base: Array, block: Mapping[str, Array], way: Way) -> dict[str, Array]:
        """Values, and derivatives named `value by parameter`."""
        order, lanes = self.program.network.order, way.lanes
        free = {n: block[n] if n in block else jnp.full(lanes, base[order[n]]) for n in self.wrt}

        def values(free: dict[str, Array], way: Way = way) -> tuple[dict[str, Array], Array]:
            results = self.program(base, {**block, **free}, way)
            return results, results.pop("status")

        shapes = jax.eval_shape(values, free)[0]
        outputs = sum(int(np.prod(s.shape[:-1])) for s in shapes.values())
        if outputs <= len(free):
            back = replace(way, mode="reverse")
            results, slopes, status = _reverse(lambda free: values(free, back), free, lanes)
        else:
            results, slopes, status = _forward(values, free, lanes)
        slopes = slopes if way.short else {n: jnp.where(status == 0, slope, jnp.nan) for n, slope in slopes.items()}
        return {**results, **slopes, "status": status}


def _forward(values: Callable, free: dict[str, Array], lanes: int) -> tuple[dict, dict, Array]:
    """One pass for all parameters together, each with a tangent of its own."""

    def pushed(tangents: dict[str, Array]) -> tuple[dict, dict, Array]:
        return jax.jvp(values, (free,), (tangents,), has_aux=True)

    units = {n: jnp.zeros((len(free), lanes)).at[i].set(1.0) for i, n in enumerate(free)}
    results, tangents, status = jax.vmap(pushed, out_axes=(None, 0, None))(units)
    return results, {f"{o} by {n}": t[i] for o, t in tangents.items() for i, n in enumerate(free)}, status


def _reverse(values: Callable, free: dict[str, Array], lanes: int) -> tuple[dict, dict, Array]:
    """One pass a number of the result."""
    results, pulled, status = jax.vjp(values, free, has_aux=True)
    slopes = {}
    for o, result in results.items():
        rows = result.reshape(-1, lanes)
        each = [pulled(_unit(results, o, rows.shape[0], i, lanes))[0] for i in range(rows.shape[0])]
        slopes |= {f"{o} by {n}": jnp.stack([g[n] for g in each]).reshape(result.shape) for n in free}
    return results, slopes, status


def _unit(results: dict[str, Array], name: str, rows: int, row: int, lanes: int) -> dict[str, Array]:
    """Cotangent of one row of one result, the same in every lane."""
    zero = {o: jnp.zeros_like(r) for o, r in results.items()}
    unit = jnp.zeros((rows, lanes), results[name].dtype).at[row].set(1.0)
    return {**zero, name: unit.reshape(results[name].shape)}
