"""Small-signal modulation: how an output follows a parameter that swings a little."""

from collections.abc import Callable, Mapping
from math import pi
from typing import Any

import numpy as np
import xarray as xr

from jaxrate.experiment import Experiment
from jaxrate.laser.curve import Search
from jaxrate.model.model import Model
from jaxrate.names import shown
from jaxrate.network.compile import compile_network
from jaxrate.observe import describe
from jaxrate.observe.laser import OutputPower, cavity_of
from jaxrate.observe.relaxation import Response, num_free
from jaxrate.solve.steady import Steady
from jaxrate.units import to_si


def modulation_response(
    model: Model,
    frequencies: Any,
    theta: Mapping[str, Any] | None = None,
    *,
    drive: str = "pump.rate",
    output: Callable[..., Any] | None = None,
    cavity: str | None = None,
    relative: bool = False,
    start: Search = "hot",
) -> xr.DataArray:
    r"""Complex response of an output to a small swing of a parameter, around the steady state.

    $H(f) = C\,(2\pi i f - J)^{-1}\frac{\partial F}{\partial p} + \frac{\partial y}{\partial p}$ with J the Jacobian and
    $C = \partial y/\partial n$, on the populations that conservation leaves free: $p_0 + \epsilon\cos2\pi ft$ makes
    $y_0 + \epsilon\,\mathrm{Re}[H(f)\,e^{2\pi ift}]$.

    Args:
        model: The medium.
        frequencies: Of the modulation, cyclic [Hz], shape (frequency,); 0 is the slope of the steady state.
        theta: Values of parameters in SI units; arrays broadcast, and their axes become `batch_0`, `batch_1` ...
        drive: Parameter that swings.
        output: An observable, or any pure function of a solution; by default the output power of the cavity.
        cavity: Label of the `Cavity`; by default the only one.
        relative: Whether to divide by the response at frequency 0.
        start: Where the search of the steady state starts, as of `jr.Steady`.

    Returns:
        H, complex, of dimensions (frequency, *batch): unit of the output over that of the parameter, or 1. NaN where
        there is no steady state, or none that is stable.

    Raises:
        ValueError: an unknown parameter or cavity, frequencies that are negative or no list.

    Source:
        L. A. Coldren, S. W. Corzine, *Diode Lasers and Photonic Integrated Circuits* (1995), chapter 5, of two
        variables.
    """
    network = compile_network(model)
    network.check_names([drive])
    read = OutputPower(cavity_of(model, cavity, "A modulation response").label) if output is None else output
    f = _frequencies(frequencies)
    bench = Experiment(model, Steady(start), {"response": Response(drive, read)})
    parts = np.asarray(bench(theta)["response"], np.float64)
    H = _response(parts, num_free(network), np.append(0.0, f))
    H = H[1:] / H[0] if relative else H[1:]
    name, unit = describe("output", read)
    of = next(p.unit for p in model.parameter_list if p.name == drive)
    attrs = {"long_name": f"response of {name} to {drive}", "units": "1" if relative else _over(unit, of)}
    dims = ["frequency", *(f"batch_{k}" for k in range(H.ndim - 1))]
    coords = {"frequency": ("frequency", f, {"long_name": "frequency", "units": "Hz"})}
    return xr.DataArray(H, coords, dims, "response", attrs)


def _frequencies(given: Any) -> np.ndarray:
    found = np.asarray(to_si(given, "Hz", "frequencies"), np.float64)
    if found.ndim != 1 or not found.size or not np.all((found >= 0) & (found < np.inf)):
        raise ValueError(f"`frequencies` must be a list of frequencies in Hz, 0 or more, but {shown(given)} was given.")
    return found


def _response(parts: np.ndarray, m: int, f: np.ndarray) -> np.ndarray:
    """H of shape (frequency, *batch), from what `Response` returns."""
    last = np.moveaxis(parts, 0, -1)
    J, b, c, direct = (last[..., : m * m], last[..., m * m : -m - 2], last[..., -m - 2 : -2], last[..., -2])
    J = J.reshape(*J.shape[:-1], m, m)
    stable = np.all(np.isfinite(last), axis=-1)
    J = np.where(stable[..., None, None], J, -np.eye(m))
    stable = stable & (np.linalg.eigvals(J).real.max(axis=-1) < 0)
    turning = 2j * pi * f.reshape(-1, *[1] * (J.ndim - 2), 1, 1) * np.eye(m) - J
    x = np.linalg.solve(turning, np.broadcast_to(b[..., None], (*turning.shape[:-1], 1)))[..., 0]
    return np.where(stable, np.sum(c * x, axis=-1) + direct, np.nan)


def _over(unit: str, by: str) -> str:
    """Unit of a quotient."""
    inverse = " ".join(_inverted(part) for part in by.split() if part != "1")
    return " ".join(part for part in (unit if unit != "1" else "", inverse) if part) or "1"


def _inverted(part: str) -> str:
    name, _, power = part.partition("^")
    inverse = -int(power or 1)
    return name if inverse == 1 else f"{name}^{inverse}"
