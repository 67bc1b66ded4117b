"""Output power against pump: slope efficiency, and whole curves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from jaxrate.experiment import Derivatives, Experiment
from jaxrate.laser.threshold import threshold
from jaxrate.model.model import Model
from jaxrate.names import shown
from jaxrate.network.compile import compile_network
from jaxrate.observe.laser import AbsorbedPump, OutputPower, cavity_of, pump_of
from jaxrate.solve.batch import read_batch
from jaxrate.solve.lanes import run
from jaxrate.solve.solution import Solution
from jaxrate.solve.steady import Steady

Search = Literal["cold", "hot"] | Mapping[str, Any] | Solution | None
"""Where the search of a steady state starts, as of `jr.Steady`."""


def slope_efficiency(
    model: Model,
    parameter: str,
    theta: Mapping[str, Any] | None = None,
    *,
    above: float = 2.0,
    cavity: str | None = None,
    pump: str | None = None,
    energy: str | float | None = None,
) -> Any:
    r"""Slope efficiency $dP_\mathrm{out}/dP_\mathrm{abs}$: output power gained by absorbed pump power.

    Both are differentiated exactly, at a multiple of threshold: far enough above it that spontaneous emission does not
    round the curve.

    Args:
        model: The medium and its cavity.
        parameter: What is varied to pump harder: "pump.rate", or the intensity of a beam.
        theta: Values of other parameters in SI units; arrays broadcast and their common shape is the batch.
        above: At how many times the threshold.
        cavity: Label of the `Cavity`; by default the only one.
        pump: Label of the `Pump` or `Beam`; by default that of the parameter.
        energy: Of an event of a `Pump`; by default the difference of its levels' energies.

    Returns:
        The slope, shape (*batch); NaN where there is no threshold or no steady state.

    Raises:
        ValueError: as of `jr.threshold`; `above` that is not larger than 1; a pump whose energy nothing says.
    """
    if isinstance(above, bool) or not isinstance(above, int | float) or not 1 < above < np.inf:
        raise ValueError(f"`above` must be a number above 1, times the threshold, but {shown(above)} was given.")
    label = cavity_of(model, cavity, "A slope efficiency").label
    absorbed = AbsorbedPump(_pump(model, parameter, pump), energy, label)
    bench = Experiment(model, Steady("hot"), {"out": OutputPower(label), "in": absorbed})
    at = above * threshold(model, parameter, theta, cavity=label)
    slopes = bench.jacobian({**(theta or {}), parameter: np.where(np.isfinite(at), at, np.nan)}, wrt=[parameter])
    return slopes["out"][parameter] / slopes["in"][parameter]


def _pump(model: Model, parameter: str, pump: str | None) -> str:
    """Label of the pump that a parameter belongs to."""
    compile_network(model).check_names([parameter])
    own = parameter.rpartition(".")[0]
    labels = [process.label for process in model.processes]
    if pump is None and own not in labels:
        raise ValueError(f"`{parameter}` does not say which pump it is of: name it, pump='...'.")
    return pump_of(model, own if pump is None else pump).label


@dataclass(frozen=True)
class _AllPopulations:
    """Every population, as an observable with an axis of its own."""

    def __call__(self, solution: Solution) -> Any:
        return solution.populations


def power_curve(
    model: Model,
    parameter: str,
    values: Any,
    theta: Mapping[str, Any] | None = None,
    *,
    cavity: str | None = None,
    pump: str | None = None,
    energy: str | float | None = None,
    start: Search = None,
) -> xr.Dataset:
    """Steady output power of a laser against its pump, or any other parameter, with threshold and slope.

    Args:
        model: The medium and its cavity.
        parameter: What is varied.
        values: Its values in SI units, shape (value,).
        theta: Values of other parameters in SI units; arrays broadcast, and their axes become `batch_0`, `batch_1` ...
        cavity: Label of the `Cavity`; by default the only one.
        pump: Label of the `Pump` or `Beam`; by default that of the parameter, if it is of one.
        energy: Of an event of a `Pump`; by default the difference of its levels' energies.
        start: Where the search starts, as of `jr.Steady`: where two states are stable, "cold" is the curve upwards.

    Returns:
        A Dataset along the parameter: `output_power` [W], `photons`, `level_population` (level), `reservoir_density`
        (reservoir) [m^-3], `status`; `threshold` of the parameter; and, where the pump's energy is known,
        `absorbed_power` [W] and `slope_efficiency`, the exact derivative of output by absorbed power at each point.

    Raises:
        ValueError: as of `jr.threshold`; values that are no list of numbers.
    """
    label = cavity_of(model, cavity, "A power curve").label
    given, pumped, shape = dict(theta or {}), _values(parameter, values), read_batch(theta or {}).shape
    absorbed = _absorbed(model, parameter, pump, energy, label)
    observables: dict[str, Callable] = {"output": OutputPower(label), "populations": _AllPopulations()}
    bench = Experiment(model, Steady(start), observables | ({} if absorbed is None else {"absorbed": absorbed}))
    along = pumped.reshape(-1, *[1] * len(shape))
    found = run(Derivatives(bench.program, (parameter,)), bench.base, bench.batch({**given, parameter: along}))
    found["threshold"] = _threshold(model, parameter, given, label, shape)
    return _dataset(model, parameter, pumped, label, found, absorbed)


def _threshold(model: Model, parameter: str, given: Mapping[str, Any], label: str, shape: tuple[int, ...]) -> Any:
    """NaN where the model's own value, zero, does not say where to look."""
    network = compile_network(model)
    if not network.base[network.order[parameter]] > 0:
        return np.full(shape, np.nan)
    return threshold(model, parameter, given, cavity=label)


def _values(parameter: str, values: Any) -> np.ndarray:
    try:
        found = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        found = np.zeros(())
    if found.ndim != 1 or not found.size:
        raise ValueError(f"The values of `{parameter}` must be a list of numbers in SI, but {shown(values)} was given.")
    return found


def _absorbed(model: Model, parameter: str, pump: str | None, energy: Any, label: str) -> AbsorbedPump | None:
    """Absorbed power, where the parameter is of a pump whose energy is known."""
    if pump is not None or energy is not None:
        return AbsorbedPump(_pump(model, parameter, pump), energy, label)
    try:
        absorbed = AbsorbedPump(_pump(model, parameter, None), None, label)
        absorbed.check(compile_network(model))
    except ValueError:
        return None
    return absorbed


def _dataset(
    model: Model, parameter: str, values: np.ndarray, label: str, found: Mapping[str, Any], absorbed: Any
) -> xr.Dataset:
    network, unit = compile_network(model), next(p.unit for p in model.parameter_list if p.name == parameter)
    batch = [f"batch_{k}" for k in range(np.ndim(found["threshold"]))]
    dims, levels, n = [parameter, *batch], network.num_levels, found["populations"]
    photons = model.position(label)
    reservoirs = [r.name for r in model.reservoirs]
    data: dict[str, Any] = {
        "output_power": (dims, found["output"], _attrs(f"output power of {label}", "W")),
        "photons": (dims, n[photons], _attrs(f"photons in {label}", "1")),
        "status": (dims, found["status"], {"long_name": "status"}),
        "threshold": (batch, found["threshold"], _attrs(f"threshold of {parameter}", unit)),
    }
    if absorbed is not None:
        slope = found[f"output by {parameter}"] / found[f"absorbed by {parameter}"]
        data["absorbed_power"] = (dims, found["absorbed"], _attrs(absorbed.long_name, "W"))
        data["slope_efficiency"] = (dims, slope, _attrs("slope efficiency", "1"))
    coords: dict[str, Any] = {parameter: (parameter, values, _attrs(parameter, unit))}
    if levels:
        data["level_population"] = (["level", *dims], n[:levels], _attrs("population", "1"))
        coords["level"] = list(model.level_names)
    if reservoirs:
        dense = n[levels : levels + len(reservoirs)]
        data["reservoir_density"] = (["reservoir", *dims], dense, _attrs("density", "m^-3"))
        coords["reservoir"] = reservoirs
    return xr.Dataset(data, coords, {"model": model.name, "cavity": label})


def _attrs(long_name: str, unit: str) -> dict[str, str]:
    return {"long_name": long_name, "units": unit}
