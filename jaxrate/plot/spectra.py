"""Plots against the light: gain spectra of a sweep, cross-sections of a line."""

from math import pi
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from jaxrate.constants import c, h
from jaxrate.model.model import Model
from jaxrate.network.compile import compile_network
from jaxrate.network.line import Line
from jaxrate.network.line import cross_sections as evaluate
from jaxrate.plot.axes import axes, labelled, pick, readable, typeset
from jaxrate.plot.sweeps import curves

Against = Literal["wavelength", "frequency"]

POINTS = 801
REACH = 4.0
"""Half the span of a drawn line, in widths."""


def spectrum(
    values: xr.Dataset | xr.DataArray,
    name: str | None = None,
    *,
    against: Against = "wavelength",
    ax: Axes | None = None,
) -> Axes:
    """Spectrum of a quantity that a sweep read at many frequencies, such as `jr.Gain("laser", frequency=array)`.

    Args:
        values: What `jr.sweep` returned, or one array of it, with a dimension `frequency` [Hz] and at most one more,
            which makes a family of curves.
        name: Which quantity of a dataset.
        against: "wavelength" (vacuum) or "frequency".
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: there is no dimension `frequency`, or too many others.
    """
    array = pick(values, name)
    if "frequency" not in array.dims:
        raise ValueError(
            f"A spectrum must have an axis `frequency`, but `{array.name}` has {', '.join(map(str, array.dims))}: "
            "read it at an array of frequencies, for example jr.Gain('laser', frequency=np.linspace(...))."
        )
    at, name, unit = _against(np.asarray(array.frequency, float), against)
    light = xr.DataArray(at, dims="frequency", attrs={"long_name": name, "units": unit})
    return curves(array.assign_coords(frequency=light).sortby("frequency"), x="frequency", ax=ax)


def _against(frequency: np.ndarray, against: Against) -> tuple[np.ndarray, str, str]:
    """Values, name and unit of the axis that light is drawn against, in the prefix its values suggest."""
    choices = {"wavelength": ("m", c / frequency, "wavelength"), "frequency": ("Hz", frequency, "frequency")}
    if against not in choices:
        raise ValueError(f"`against` must be 'wavelength' or 'frequency', but {against!r} was given.")
    unit, values, quantity = choices[against]
    powers = {"m": {-9: "nm", -6: "µm", -3: "mm", 0: "m"}, "Hz": {12: "THz", 9: "GHz", 6: "MHz", 0: "Hz"}}[unit]
    # Optics counts in nm up to a few micrometres.
    power = max((p for p in powers if 10.0**p <= values.max() / (2.5e3 if p == -6 else 1)), default=min(powers))
    return values / 10.0**power, quantity if unit == "Hz" else f"vacuum {quantity}", powers[power]


def cross_sections(model: Model, label: str, *, against: Against = "wavelength", ax: Axes | None = None) -> Axes:
    """Cross-sections of emission and absorption of a line, at the model's own parameters.

    Args:
        model: The medium.
        label: Label of the `Radiative`.
        against: "wavelength" (vacuum) or "frequency".
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: there is no such line, or it has no lineshape.
    """
    network = compile_network(model)
    line, parameters = network.line(label), network.parameters(network.base, {})
    values = tuple(np.float64(parameters[name]) for name in line.names)
    frequency = _span(line, values)
    emission, absorption = evaluate(line.form, line.constants, values, frequency)
    at, quantity, unit = _against(frequency, against)
    ax = axes(ax)
    ax.plot(at, emission, color="tab:red", label="emission")
    ax.plot(at, absorption, color="tab:blue", linestyle="--", label="absorption")
    ax.set_xlabel(labelled(quantity, unit))
    ax.set_ylabel(labelled(f"cross-section of {typeset(label)}", "m^2"))
    ax.set_ylim(bottom=0)
    ax.margins(x=0)
    ax.grid(True, alpha=0.25)
    readable(ax)
    ax.legend()
    return ax


def _span(line: Line, values: tuple) -> np.ndarray:
    """Frequencies [Hz] over which a line is drawn: its tables, or some widths on both sides of its centre."""
    if line.spectra is not None:
        tables = [t for t in (line.spectra.emission, line.spectra.absorption) if t is not None]
        return np.unique(np.concatenate([t.frequency for t in tables]))
    B, centre = values[:2]
    peak = evaluate(line.form, line.constants, values, centre)[0]
    width = line.n * h * centre / c * B / peak * 2 / pi  # FWHM of the Lorentzian of the same area and peak
    return np.linspace(max(centre - REACH * width, centre * 1e-3), centre + REACH * width, POINTS)
