"""Plots of a pulse that ran through a medium: its shape before and after, and what it left of the gain."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxrate.names import shown
from jaxrate.observe.light import Gain
from jaxrate.plot.axes import axes, readable, scaled
from jaxrate.propagate.pulse_result import AmplifiedPulse


def amplified_pulse(pulse: AmplifiedPulse, *, relative: bool = False, ax: Axes | None = None) -> Axes:
    """Intensity of one pulse against time, as it enters and after each pass.

    Args:
        pulse: What `jr.amplify_pulse` returned for one ensemble.
        relative: Whether each is drawn over its own peak, which shows how the shape changes.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: no such result, or a batch.
    """
    _check(pulse)
    values = np.asarray(pulse.intensities)
    if relative:
        values = values / np.asarray(pulse.peak_intensities)[:, None]
    across, up = scaled("time", "s", pulse.times), scaled("intensity", "W m^-2", values)
    ax = axes(ax)
    for k, (name, intensity) in enumerate(zip(_names(len(values) - 1), values, strict=True)):
        style = "--" if k == 0 else "-"
        ax.plot(
            pulse.times * across.factor, intensity * (1.0 if relative else up.factor), f"C{k % 10}{style}", label=name
        )
    ax.set(xlabel=across.label, ylabel="intensity over its peak" if relative else up.label)
    ax.set_ylim(bottom=0.0)
    ax.margins(x=0)
    readable(ax)
    if len(values) <= LEGEND:
        ax.legend(frameon=False)
    return ax


def residual_gain(pulse: AmplifiedPulse, *, ax: Axes | None = None) -> Axes:
    """Gain along the medium before one pulse, and what it left of it.

    Args:
        pulse: What `jr.amplify_pulse` returned for one ensemble.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: no such result, or a batch.
    """
    _check(pulse)
    read = Gain(pulse.line, frequency=float(np.asarray(pulse.frequency)))
    before, after = (np.asarray(read(state)) for state in (pulse.initial, pulse.residual))
    z = pulse.positions * float(np.asarray(pulse.length))
    across, up = scaled("position", "m", z), scaled("gain", "m^-1", np.concatenate([before, after]))
    ax = axes(ax)
    ax.plot(z * across.factor, before * up.factor, "C0--", label="before")
    ax.plot(z * across.factor, after * up.factor, "C1-", label="after")
    ax.axhline(0.0, color="0.7", linewidth=0.8)
    ax.set(xlabel=across.label, ylabel=up.label)
    ax.margins(x=0)
    ax.legend(frameon=False)
    return ax


LEGEND = 8
"""Up to so many curves are told apart by a legend."""


def _names(passes: int) -> list[str]:
    if passes == 1:
        return ["in", "out"]
    return ["in", *(f"after pass {k}" for k in range(1, passes + 1))]


def _check(pulse: Any) -> None:
    if not isinstance(pulse, AmplifiedPulse):
        raise ValueError(f"A pulse must be what jr.amplify_pulse(...) returned, but {shown(pulse)} was given.")
    if np.ndim(pulse.status):
        raise ValueError(
            f"This plot must be of one ensemble, but a batch of shape {np.shape(pulse.status)} was given: call "
            "jr.amplify_pulse with one value of each parameter."
        )
