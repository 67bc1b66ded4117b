"""Plots of an amplifier over a parameter: gain, noise, and how spectra change with it."""

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from jaxrate.constants import c
from jaxrate.model.channels import ASE, Channels
from jaxrate.model.quantities import units_by_name
from jaxrate.names import unknown
from jaxrate.observe import ChannelGain, ChannelPower
from jaxrate.physics import bandwidth
from jaxrate.plot.amplifiers import across, frequencies, is_optical, noise_power
from jaxrate.plot.axes import Scaled, axes, is_logarithmic, number, readable, scaled
from jaxrate.solve.solution import Solution

SHOWN = 6
"""Spectra of a batch that are drawn."""


def gain_curve(solution: Solution, against: str, *, ax: Axes | None = None) -> Axes:
    """Gain of the channels of an amplifier over a parameter, in dB; of a list their mean and range.

    Args:
        solution: What `jr.amplify` returned for a batch of one axis.
        against: The parameter that varies; the name of a list of powers stands for their sum.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: no amplifier, no batch of one axis, a parameter that does not vary.
    """
    x, across_x = _against(solution, against)
    ax = axes(ax)
    for i, label in enumerate(_signals(solution)):
        gain = 10 * np.log10(np.asarray(ChannelGain(label)(solution)).reshape(-1, len(x)))
        is_list = len(gain) > 1
        ax.plot(x, gain.mean(0), f"C{i % 10}", label=f"{label}, mean and range" if is_list else label)
        if is_list:
            ax.fill_between(x, gain.min(0), gain.max(0), color=f"C{i % 10}", alpha=0.2, linewidth=0)
    ax.set_ylabel("gain (dB)")
    return _finished(ax, x, across_x)


def _signals(solution: Solution) -> list[str]:
    """Channels whose gain is shown: those that are not called a pump, where there are any."""
    found = [p.label for p in solution.model.processes if isinstance(p, Channels)]
    rest = [label for label in found if "pump" not in label.lower()]
    return rest or found


def noise_curve(solution: Solution, label: str, against: str, *, ax: Axes | None = None) -> Axes:
    """Power of amplified spontaneous emission that leaves over a parameter, and the width of its spectrum (FWHM).

    Args:
        solution: What `jr.amplify` returned for a batch of one axis.
        label: Label of the `ASE`.
        against: The parameter that varies.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes of the power; that of the width is `ax.figure.axes[-1]`.

    Raises:
        ValueError: no amplifier, no batch of one axis, a parameter that does not vary.
    """
    x, across_x = _against(solution, against)
    nu = frequencies(solution, label)
    powers = {way: noise_power(solution, label, way) for way in (1, -1)}
    up = scaled(f"power of {label}", "W", np.concatenate(list(powers.values())))
    ax = axes(ax)
    right, at = ax.twinx(), (c / nu if is_optical(nu) else nu)
    width = {way: _widths(solution, label, way, at) for way in powers}
    along = scaled("width, FWHM (dashed)", "m" if is_optical(nu) else "Hz", np.concatenate(list(width.values())))
    for way, color in ((1, "C0"), (-1, "C1")):
        ax.plot(x, powers[way] * up.factor, color, label="forward" if way > 0 else "backward")
        right.plot(x, width[way] * along.factor, color, linestyle="--", linewidth=1.0)
    ax.set_ylabel(up.label)
    right.set_ylabel(along.label)
    right.set_ylim(bottom=0.0)
    readable(ax)
    return _finished(ax, x, across_x)


def _widths(solution: Solution, label: str, way: int, at: np.ndarray) -> np.ndarray:
    spectra = np.asarray(ChannelPower(label, direction=way)(solution))
    return np.array([bandwidth.width(at, spectrum) for spectrum in spectra.T])


def spectra_over(solution: Solution, label: str, against: str, *, ax: Axes | None = None) -> Axes:
    """How a spectrum changes with a parameter: the gain of a list of channels, or the shape of an ASE.

    An ASE is drawn in the direction in which more of it leaves, each spectrum divided by its maximum.

    Args:
        solution: What `jr.amplify` returned for a batch of one axis; up to six members of it are drawn.
        label: Label of the `Channels` or the `ASE`.
        against: The parameter that varies.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: no amplifier, no batch of one axis, a parameter that does not vary, an unknown group.
    """
    x, along = _against(solution, against)
    (place, xlabel), (values, ylabel) = across(frequencies(solution, label)), _spectra(solution, label)
    good = np.flatnonzero(np.all(np.isfinite(values), axis=0))
    members = good[np.unique(np.linspace(0, len(good) - 1, SHOWN).round().astype(int))] if good.size else good
    colors = mpl.colormaps["viridis"](np.linspace(0, 0.9, len(members)))
    ax, unit = axes(ax), along.label
    for color, k in zip(colors, members, strict=True):
        ax.plot(place, values[:, k], color=color, linewidth=1.2, label=number(float(f"{x[k]:.3g}")))
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.margins(x=0)
    ax.grid(True, alpha=0.25)
    ax.legend(title=unit, frameon=False, fontsize="small")
    return ax


def _spectra(solution: Solution, label: str) -> tuple[np.ndarray, str]:
    """Values, shape (channel, member), and what they are."""
    if not isinstance(solution.model.process(label), ASE):
        return 10 * np.log10(np.asarray(ChannelGain(label)(solution))), f"gain of {label} (dB)"
    way = max((1, -1), key=lambda way: float(np.nansum(noise_power(solution, label, way))))
    found = np.asarray(ChannelPower(label, direction=way)(solution))
    return found / found.max(0), f"spectrum, {'forward' if way > 0 else 'backward'}, relative"


def _against(solution: Solution, parameter: str) -> tuple[np.ndarray, Scaled]:
    """Values along a batch in the unit they are drawn in, and the axis."""
    if getattr(solution, "light", None) is None:
        raise ValueError("A plot of an amplifier must be of what jr.amplify(...) returned.")
    shape = np.shape(solution.status)
    if len(shape) != 1:
        raise ValueError(f"Curves over `{parameter}` need a batch of one axis, but one of shape {shape} was given.")
    units = units_by_name(solution.model.parameter_list)
    if parameter not in units:
        raise ValueError(unknown("parameter", parameter, units, "this model"))
    values: Any = sum(solution.parameters[name] for name in solution.network.spread({parameter: 0.0}))
    if np.shape(values) != shape:
        raise ValueError(f"`{parameter}` does not vary along this batch.")
    along = scaled(parameter, units[parameter], np.asarray(values))
    return np.asarray(values) * along.factor, along


def _finished(ax: Axes, x: np.ndarray, along: Scaled) -> Axes:
    ax.set_xlabel(along.label)
    ax.set_xscale("log" if is_logarithmic(x) else "linear")
    ax.margins(x=0)
    ax.grid(True, alpha=0.25)
    ax.legend(frameon=False, fontsize="small", loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3)
    return ax
