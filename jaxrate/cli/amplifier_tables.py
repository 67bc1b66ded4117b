"""What `jaxrate solve` says of an amplifier: channels, noise, what becomes of the pump, populations at the ends."""

from collections.abc import Callable, Sequence
from math import isfinite

import numpy as np

from jaxrate.cli.readings import decibel, table
from jaxrate.constants import c
from jaxrate.model.channels import ASE, Channels
from jaxrate.observe import ChannelGain, ChannelPower, NoiseFigure
from jaxrate.physics import bandwidth
from jaxrate.plot.amplifiers import is_optical, noise_power
from jaxrate.solve.solution import Solution
from jaxrate.unit_text import light, pretty

LINES = 40
"""Channels of a list that are printed at most."""


def groups(solution: Solution, kind: type) -> list[str]:
    """Labels of the groups of channels of a kind, `Channels` or `ASE`."""
    return [p.label for p in solution.model.processes if isinstance(p, kind)]


def pumps(solution: Solution) -> list[str]:
    """Groups that pump: those called so, or else those that lose power."""
    found = groups(solution, Channels)
    named = [label for label in found if "pump" in label.lower()]
    return named or [label for label in found if leaving(solution, label) < launched(solution, label)]


def signals(solution: Solution) -> list[str]:
    """Groups that do not pump."""
    return [label for label in groups(solution, Channels) if label not in pumps(solution)]


def launched(solution: Solution, label: str) -> float:
    """Power of all channels of a group that is launched [W]."""
    rays = solution.light.rays
    return float(sum(solution.parameters[rays.each[i].power] for i in rays.of(label)))


def leaving(solution: Solution, label: str) -> float:
    """Power of all channels of a group that leaves where they run to [W]."""
    return float(np.sum(ChannelPower(label)(solution)))


def pumped(solution: Solution) -> float:
    """Power of all pumps that is launched [W]; NaN without one."""
    return sum(launched(solution, label) for label in pumps(solution)) or float("nan")


def noise_figure(solution: Solution, label: str) -> np.ndarray | None:
    """Of each channel of a group, a ratio; None where no noise is stated beside it."""
    try:
        return np.atleast_1d(np.asarray(NoiseFigure(label)(solution)))
    except ValueError:
        return None


def _noise_figure(solution: Solution, label: str) -> float:
    found = noise_figure(solution, label)
    return float("nan") if found is None else float(np.mean(found))


def _ase_conversion(solution: Solution, label: str) -> float:
    both = sum(float(noise_power(solution, label, way)) for way in (1, -1))
    return both / pumped(solution)


def spectrum_of(solution: Solution, label: str, way: int) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths [m] and powers [W] of the bins of an ASE."""
    rays = solution.light.rays
    return c / rays.frequencies[rays.of(label, way > 0)], np.asarray(ChannelPower(label, direction=way)(solution))


def _ase_fwhm(solution: Solution, label: str) -> float:
    way = max((1, -1), key=lambda way: float(noise_power(solution, label, way)))
    return bandwidth.width(*spectrum_of(solution, label, way))


FIGURES: dict[str, Callable[[Solution, str], float]] = {
    "gain": lambda solution, of: float(np.mean(ChannelGain(of)(solution))),
    "noise_figure": _noise_figure,
    "power_conversion": lambda solution, of: (leaving(solution, of) - launched(solution, of)) / pumped(solution),
    "ase_conversion": _ase_conversion,
    "ase_fwhm": _ase_fwhm,
}
"""How each figure that is expected of an amplifier is read off it."""


def channel_table(solution: Solution) -> str:
    """Wavelength, power and gain of every channel that is launched; a long list is thinned out."""
    rows = [("channel", "light", "runs", "launched", "leaves", "gain", "noise figure")]
    for label in groups(solution, Channels):
        rows += _channel_rows(solution, label)
    return table(rows)


def _channel_rows(solution: Solution, label: str) -> list[Sequence[str]]:
    rays, noise = solution.light.rays, noise_figure(solution, label) if label in signals(solution) else None
    members = rays.of(label)
    power, gain = (np.ravel(read(label)(solution)).tolist() for read in (ChannelPower, ChannelGain))
    rows: list[Sequence[str]] = []
    for k in np.unique(np.linspace(0, len(members) - 1, LINES).round().astype(int)):
        ray = rays.each[members[k]]
        given = float(solution.parameters[ray.power])
        name = ray.power.replace(".power", "")
        way = "forward" if ray.forward else "backward"
        figure = "" if noise is None else level(float(noise[k]))
        shown = _light(ray.frequency, rays.frequencies[members])
        rows.append((name, shown, way, pretty(given, "W"), pretty(power[k], "W"), level(gain[k]), figure))
    if len(members) > LINES:
        rows.append((f"  {LINES} of {len(members)}", *[""] * 6))
    return rows


def _light(frequency: float, all: np.ndarray) -> str:
    """Wavelength or frequency; of microwave channels that lie side by side the distance from their middle."""
    middle = (all.min() + all.max()) / 2
    if is_optical(all) or not np.ptp(all):
        return light(frequency, 8)
    return f"{(frequency - middle) / 1e3:+.6g} kHz"


def level(ratio: float) -> str:
    """A power ratio in dB."""
    found = decibel(ratio)
    return f"{found:.3f} dB" if isfinite(found) else ""


def noise_table(solution: Solution) -> str:
    """Power, centre and width of the noise that leaves at both ends."""
    rows = [("noise", "runs", "all power", "mean", "width (FWHM)")]
    for label in groups(solution, ASE):
        rows += [_noise_row(solution, label, way) for way in (1, -1)]
    return table(rows)


def _noise_row(solution: Solution, label: str, way: int) -> Sequence[str]:
    wavelength, power = spectrum_of(solution, label, way)
    optical = is_optical(c / wavelength)
    at = wavelength if optical else c / wavelength
    width, unit = bandwidth.width(at, power), "m" if optical else "Hz"
    centre = light(c / bandwidth.mean(wavelength, power), 6)
    shown = pretty(width, unit) if isfinite(width) else "wider than the band"
    return label, "forward" if way > 0 else "backward", pretty(float(power.sum()), "W"), centre, shown


def conversion_table(solution: Solution) -> str:
    """Where the power of the pumps goes."""
    whole, rows = pumped(solution), []
    for label in pumps(solution):
        left, given = leaving(solution, label), launched(solution, label)
        rows.append((f"{label} left over", pretty(left, "W"), _share(left / given) if given else ""))
    if isfinite(whole):
        for label in signals(solution):
            gained = leaving(solution, label) - launched(solution, label)
            rows.append((f"conversion to {label}", pretty(gained, "W"), _share(gained / whole)))
        for label in groups(solution, ASE):
            both = sum(float(noise_power(solution, label, way)) for way in (1, -1))
            rows.append((f"conversion to {label}, both ways", pretty(both, "W"), _share(both / whole)))
    return table(rows) if rows else ""


def _share(ratio: float) -> str:
    return f"{100 * ratio:.4g} %"


def end_table(solution: Solution, length: float) -> str:
    """Populations at both ends and in the middle."""
    middle = (len(solution.light.positions) - 1) // 2
    places = (0, middle, len(solution.light.positions) - 1)
    heads = [f"at {pretty(solution.light.positions[i] * length, 'm')}" for i in places]
    names = solution.network.population_names
    rows = [(name, *(f"{float(solution.populations[j, i]):.6g}" for i in places)) for j, name in enumerate(names)]
    return table([("population", *heads), *rows])
