"""Plots of amplifiers: powers along z, gain and noise figure over wavelength, spectra of spontaneous emission."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxrate.constants import c
from jaxrate.model.derived import known_values
from jaxrate.names import unknown
from jaxrate.observe import ASESpectrum, ChannelGain, ChannelPower, NoiseFigure
from jaxrate.plot.axes import axes, labelled, readable, scaled
from jaxrate.solve.solution import Solution

OPTICAL = 3e12
"""Frequency [Hz] from which on light is named by its wavelength."""
RESOLUTION = 0.1e-9
"""Bandwidth [m] that optical spectra are drawn for."""
FAINT = 30.0
"""Decibels that an axis of powers reaches below the greatest power of the weakest curve."""


def powers_along(solution: Solution, *, ax: Axes | None = None) -> Axes:
    """Power of everything that runs along an amplifier against the position, in dBm.

    A list of channels is drawn in one colour, ASE as the sum of its bins; what runs towards z = 0 is dashed.

    Args:
        solution: What `jr.amplify` returned for one ensemble.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: no amplifier, or a batch.
    """
    check_amplifier(solution)
    length = known_values(solution.model, _numbers(solution)).get("length", 1.0)
    along = scaled("position", "m", np.array([length]))
    z = np.array(solution.light.positions) * length * along.factor
    ax, floor = axes(ax), np.inf
    for label, color, dashed, curves in _curves(solution):
        for k, power in enumerate(decibel_milliwatt(curves)):
            style: dict[str, Any] = {"color": color, "linestyle": "--" if dashed else "-"}
            ax.plot(z, power, label=label if k == 0 else None, linewidth=1.2, **style)
            floor = min(floor, power.max()) if np.isfinite(power.max()) else floor
    ax.set(xlabel=along.label, ylabel="power (dBm)")
    if np.isfinite(floor):
        ax.set_ylim(bottom=max(ax.get_ylim()[0], floor - FAINT))  # noise begins from nothing, a long way down
    ax.margins(x=0)
    ax.grid(True, alpha=0.25)
    ax.legend(frameon=False, fontsize="small")
    return ax


def _curves(solution: Solution) -> Iterator[tuple[str, str, bool, np.ndarray]]:
    """Label, colour, direction and powers (curve, position) of each group in each direction."""
    rays = solution.light.rays
    for i, group in enumerate(rays.groups):
        for forward in (True, False):
            members = rays.of(group, forward)
            if not members.size:
                continue
            noise = bool(rays.each[members[0]].modes)
            powers = np.asarray(solution.light.powers)[members]
            both = len({ray.forward for ray in rays.each if ray.group == group}) > 1
            name = f"{group}, {'forward' if forward else 'backward'}" if both else group
            yield name, f"C{i % 10}", not forward, powers.sum(0, keepdims=True) if noise else powers


def channel_gain(solution: Solution, label: str, *, ax: Axes | None = None) -> Axes:
    """Gain of a list of channels over wavelength, in dB, and their noise figure where it is known.

    Args:
        solution: What `jr.amplify` returned for one ensemble.
        label: Label of the `Channels`.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes of the gain; that of the noise figure is `ax.figure.axes[-1]`.

    Raises:
        ValueError: no amplifier, a batch, an unknown group (the nearest is proposed).
    """
    check_amplifier(solution)
    x, xlabel = across(frequencies(solution, label))
    gain = np.atleast_1d(np.asarray(ChannelGain(label)(solution)))
    ax = axes(ax)
    ax.plot(x, 10 * np.log10(gain), "C0o-", markersize=3.5, linewidth=1.0)
    ax.set(xlabel=xlabel, ylabel="gain (dB)")
    ax.grid(True, alpha=0.25)
    try:
        figure = np.atleast_1d(np.asarray(NoiseFigure(label)(solution)))
    except ValueError:  # no noise was stated beside them
        return ax
    right = ax.twinx()
    right.plot(x, 10 * np.log10(figure), "C1s--", markersize=3.0, linewidth=1.0)
    ax.yaxis.label.set_color("C0")
    right.set_ylabel("noise figure (dB)", color="C1")
    return ax


def ase_spectrum(solution: Solution, label: str, *, ax: Axes | None = None) -> Axes:
    """Spectra of amplified spontaneous emission that leaves, forward and backward.

    Of light they are drawn in dBm for each 0.1 nm against wavelength, of microwaves as a power per hertz against the
    distance from the middle of the band.

    Args:
        solution: What `jr.amplify` returned for one ensemble.
        label: Label of the `ASE`.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: no amplifier, a batch, an unknown group (the nearest is proposed).
    """
    check_amplifier(solution)
    nu = frequencies(solution, label)
    found = {way: np.asarray(ASESpectrum(label, way)(solution)) for way in (1, -1)}
    ax, (x, xlabel) = axes(ax), across(nu)
    for way, spectrum in found.items():
        y = decibel_milliwatt(spectrum * c / (c / nu) ** 2 * RESOLUTION) if is_optical(nu) else spectrum
        ax.plot(x, y, "C0-" if way > 0 else "C1--", label="forward" if way > 0 else "backward", linewidth=1.2)
    if is_optical(nu):
        ax.set_ylabel("spectrum (dBm per 0.1 nm)")
    else:
        ax.set_ylabel(labelled("spectrum", "W/Hz"))
        ax.set_ylim(bottom=0.0)
        readable(ax)
    ax.set_xlabel(xlabel)
    ax.margins(x=0)
    ax.grid(True, alpha=0.25)
    ax.legend(frameon=False)
    return ax


def frequencies(solution: Solution, label: str) -> np.ndarray:
    """Of the channels of a group [Hz], or of the bins of its ASE.

    Raises:
        ValueError: an unknown group (the nearest is proposed).
    """
    rays = solution.light.rays
    if label not in rays.groups:
        raise ValueError(unknown("group of channels", label, list(rays.groups), "this amplifier"))
    return rays.frequencies[rays.of(label)]


def is_optical(nu: np.ndarray) -> bool:
    """Whether light is named by its wavelength rather than by its frequency."""
    return bool(np.min(nu) > OPTICAL)


def across(nu: np.ndarray) -> tuple[np.ndarray, str]:
    """Values and label of the axis that light of some frequencies [Hz] is drawn on."""
    if is_optical(nu):
        return c / nu * 1e9, "wavelength (nm)"
    middle = (nu.min() + nu.max()) / 2
    along = scaled("frequency", "Hz", nu - middle)
    unit = along.label.removeprefix("frequency")
    return (nu - middle) * along.factor, f"frequency $-$ {middle / 1e9:.9g} GHz{unit}"


def decibel_milliwatt(power: Any) -> np.ndarray:
    """Power in dBm of one in W; minus infinity of none."""
    with np.errstate(divide="ignore"):
        return 10 * np.log10(np.asarray(power) / 1e-3)


def check_amplifier(solution: Solution) -> None:
    """Refuse what is no amplifier of one ensemble."""
    if getattr(solution, "light", None) is None:
        raise ValueError("A plot of an amplifier must be of what jr.amplify(...) returned.")
    if np.ndim(solution.light.powers) != 2:
        raise ValueError(
            f"A plot of an amplifier must be of one ensemble, but a batch of shape {np.shape(solution.status)} was "
            "given: call jr.amplify with one value of each parameter."
        )


def _numbers(solution: Solution) -> dict[str, float]:
    return {name: float(value) for name, value in solution.parameters.items() if np.ndim(value) == 0}


def noise_power(solution: Solution, label: str, direction: int) -> Any:
    """All power of an ASE that leaves in a direction [W], shape (*batch)."""
    return np.asarray(ChannelPower(label, direction=direction)(solution)).sum(0)
