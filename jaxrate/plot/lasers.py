"""Plots of lasers: power against pump, the turn-on in time, the response to modulation."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from jaxrate.names import shown, unknown
from jaxrate.observe.laser import GainOverLoss, OutputPower, cavity_of
from jaxrate.plot.axes import axes, labelled, number, quantity, scaled, typeset
from jaxrate.plot.transients import check_path, time_axis
from jaxrate.solve.solution import Solution

LEGEND = 8
"""Up to so many curves are told apart by a legend."""
FAINT = 1e-12
"""Share of the largest power below which a logarithmic axis ends."""


def power_curve(curve: xr.Dataset, *, against: str | None = None, ax: Axes | None = None) -> Axes:
    """Output power of a laser against its pump, the threshold marked.

    Args:
        curve: What `jr.power_curve` returned; of a batch every curve.
        against: "absorbed_power" instead of the parameter that was varied.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: no such Dataset, or nothing of that name to draw against.
    """
    if not isinstance(curve, xr.Dataset) or not {"output_power", "threshold"} <= {str(n) for n in curve.data_vars}:
        raise ValueError(f"A power curve must be what jr.power_curve(...) returned, but {shown(curve)} was given.")
    power, parameter = curve["output_power"], str(curve["output_power"].dims[0])
    if against not in (None, parameter, "absorbed_power") or against not in (None, *curve.variables):
        raise ValueError(unknown("variable", against, [parameter, "absorbed_power"], "this power curve"))
    x = curve[against or parameter]
    across, up = (scaled(quantity(a), str(a.attrs.get("units", "")), np.asarray(a)) for a in (x, power))
    ax = axes(ax)
    pumped, threshold = curve[parameter].values, np.ravel(curve["threshold"])
    columns = [a.reshape(len(pumped), -1) for a in (np.asarray(xr.broadcast(x, power)[0]), np.asarray(power))]
    named = len(threshold) > 1
    for k, (place, watts) in enumerate(zip(*(column.T for column in columns), strict=True)):
        ax.plot(place * across.factor, watts * up.factor, f"C{k % 10}", label=f"{k}" if named else None)
        start = float(np.interp(threshold[k], pumped, place, np.nan, np.nan))
        if np.isfinite(start):
            ax.axvline(start * across.factor, color=f"C{k % 10}" if named else "0.5", linestyle=":", linewidth=1.0)
    _write_threshold(ax, curve, threshold)
    ax.set(xlabel=across.label, ylabel=up.label)
    ax.set_ylim(bottom=0.0)
    ax.margins(x=0)
    if named and len(threshold) <= LEGEND:
        ax.legend(title="ensemble", frameon=False)
    return ax


def _write_threshold(ax: Axes, curve: xr.Dataset, threshold: np.ndarray) -> None:
    """Threshold and slope of a single curve, above it."""
    if threshold.size != 1 or not np.isfinite(threshold[0]):
        return
    words = f"threshold {number(float(f'{threshold[0]:.4g}'), str(curve['threshold'].attrs['units']))}"
    if "slope_efficiency" in curve:
        above = np.ravel(curve["slope_efficiency"])[curve[str(curve["output_power"].dims[0])].values > threshold[0]]
        words += f", slope {100 * above[-1]:.3g} %" if above.size and np.isfinite(above[-1]) else ""
    ax.set_title(words, fontsize="medium")


def turn_on(path: Solution, cavity: str | None = None, *, logarithmic: bool = False, ax: Axes | None = None) -> Axes:
    """Output power of one laser against time, and its gain over its loss on an axis of its own.

    Args:
        path: What `jr.evolve` returned for one ensemble.
        cavity: Label of the `Cavity`; by default the only one.
        logarithmic: Whether power is drawn so, which shows how the first photons multiply.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes of the power; that of the gain is `ax.figure.axes[-1]`.

    Raises:
        ValueError: a steady state, a batch, no such cavity.
    """
    check_path(path)
    label = cavity_of(path.model, cavity, "A turn-on").label
    power, gain = np.asarray(OutputPower(label)(path)), np.asarray(GainOverLoss(label)(path))
    factor = time_axis(ax := axes(ax), path.times)
    up = scaled("output power", "W", power)
    right = ax.twinx()
    right.axhline(1.0, color="C1", linestyle=":", linewidth=0.8)
    right.plot(path.times * factor, gain, "C1", linewidth=1.0)
    ax.plot(path.times * factor, power * up.factor, "C0", linewidth=1.2)
    ax.set_xlim(path.times[0] * factor, path.times[-1] * factor)
    ax.set_ylabel(up.label, color="C0")
    right.set_ylabel("gain over loss", color="C1")
    right.set_ylim(min(0.0, float(gain.min())), 1.15 * max(1.0, float(gain.max())))
    ax.set_zorder(right.get_zorder() + 1)  # power in front of gain
    ax.patch.set_visible(False)
    if logarithmic:
        ax.set_yscale("log")
        ax.set_ylim(max(FAINT, float(power[power > 0].min() / power.max())) * power.max() * up.factor / 2)
    else:
        ax.set_ylim(bottom=0.0)
    return ax


def modulation_response(response: xr.DataArray, *, ax: Axes | None = None) -> Axes:
    r"""Size of the response to modulation against frequency.

    A relative response is drawn in dB, $20\log_{10}|H|$, as a detector followed by a network analyser shows it, with
    -3 dB marked; any other in its own unit.

    Args:
        response: What `jr.modulation_response` returned; of a batch every curve.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: no such array.
    """
    if not isinstance(response, xr.DataArray) or "frequency" not in response.dims:
        raise ValueError(f"A response must be what jr.modulation_response(...) returned, but {shown(response)} is not.")
    size, f = np.abs(np.asarray(response.transpose("frequency", ...))), response["frequency"].values
    ax, relative = axes(ax), response.attrs.get("units") == "1"
    along = scaled("modulation frequency", "Hz", f)
    curves = (20 * np.log10(size) if relative else size).reshape(len(f), -1).T
    for k, curve in enumerate(curves):
        ax.plot(f[f > 0] * along.factor, curve[f > 0], f"C{k % 10}", label=f"{k}")
    ax.set_xscale("log")
    if relative:
        ax.axhline(-3.0, color="0.5", linestyle=":", linewidth=1.0)
    else:
        ax.set_yscale("log")
    name = typeset(quantity(response))
    ax.set(xlabel=along.label, ylabel="relative response (dB)" if relative else _sized(name, response.attrs))
    if 1 < len(curves) <= LEGEND:
        ax.legend(title="ensemble", frameon=False)
    ax.margins(x=0)
    return ax


def _sized(name: str, attrs: Any) -> str:
    return labelled(name, str(attrs.get("units", "")))
