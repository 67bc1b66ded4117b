"""A doped fibre by what is measured on it: absorption, gain and saturation parameter of Giles and Desurvire."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, pi
from typing import Any

import numpy as np

from jaxrate.constants import c
from jaxrate.model.derived import known_values, total_rate
from jaxrate.model.fibre import Fibre
from jaxrate.model.giles_bands import bands, column
from jaxrate.model.levels import Level
from jaxrate.model.lineshapes import Spectrum
from jaxrate.model.model import Model
from jaxrate.model.processes import Radiative
from jaxrate.model.quantities import Quantity
from jaxrate.model.strength import epsilon
from jaxrate.names import shown
from jaxrate.physics import fibre, gaps, spectrum
from jaxrate.units import to_frequency, to_si

DECIBEL = log(10) / 10
"""One dB/m in m^-1."""


def giles(
    wavelength: Any,
    alpha: Any = None,
    gain: Any = None,
    *,
    saturation_parameter: str | float,
    lifetime: str | float,
    pump: Any = None,
    units: Sequence[str] | None = None,
    density: str | float = "1e25 m^-3",
    temperature: Quantity = "300 K",
    label: str = "line",
    name: str = "",
    source: str = "",
) -> tuple[Model, float]:
    r"""A two-level medium with stated Giles parameters.

    $\alpha = \Gamma\sigma_a N$, $g^* = \Gamma\sigma_e N$, $\zeta = AN/\tau$

    `model, area = jr.giles("signal.csv", pump="pump.csv", saturation_parameter="3.5e15 m^-1 s^-1", lifetime="10 ms")`,
    then `jr.Amplifier(length="8 m", area=area, channels=[...])` has exactly these, with overlaps of 1. The levels are
    "lower" and "upper", the spectra those of one line, `label`. In a sweep or a fit `density` scales alpha, g* and
    zeta, `label.absorption_factor` alpha alone and `area` zeta alone; `label.B` scales 1/tau, too.

    Args:
        wavelength: Of the signal band (vacuum): numbers, or text with units, one or a list; or a file with the columns
            wavelength, alpha and g*, as the header names them or else in that order.
        alpha: Absorption of the unpumped fibre at each: "4 dB/m"; bare numbers in m^-1.
        gain: g* at each, its gain with all ions above; None where there is none, as in the band of a pump that empties
            from a third level at once.
        saturation_parameter: zeta [m^-1 s^-1].
        lifetime: Of the upper level, all channels [s]; all of it is spontaneous emission of this line.
        pump: A further band: a file, or (wavelength, alpha) or (wavelength, alpha, gain); or a list of several files or
            tuples. Between the bands the line has no cross-section, and light there is told apart by
            `jaxrate.physics.gaps`.
        units: Of bare numbers, ("nm", "dB/m"), where a file has no header too; by default ("m", "m^-1").
        density: N of the ions [m^-3]: a choice, as light sees only its product with the area.
        temperature: Of the medium; both spectra are stated, so nothing follows from it.
        label, name, source: Of the line, and of the model.

    Returns:
        The model, and the area of its doped region [m^2].

    Raises:
        ValueError: bands that overlap, lists of different length, a negative value, no gain at all, units that are
            unknown or missing in a file.

    Source:
        C. R. Giles, E. Desurvire, *J. Lightwave Technol.* 9, 271 (1991).
    """
    at, absorbed, emitted = gaps.joined(bands(wavelength, alpha, gain, pump, units))
    N, tau = _positive(density, "m^-3", "density"), _positive(lifetime, "s", "lifetime")
    zeta = _positive(saturation_parameter, "m^-1 s^-1", "saturation_parameter")
    if not emitted.any():
        raise ValueError("`gain`: the upper level must emit somewhere, but g* is 0 in every band; state `gain`.")
    absorption, emission = (
        Spectrum((at * 1e9).tolist(), (values / N).tolist(), ("nm", "m^2")) for values in (absorbed, emitted)
    )
    line = Radiative(label, "upper -> lower", A=1 / tau, emission=emission, absorption=absorption, source=source)
    levels = [Level("lower", g=1), Level("upper", g=1)]
    model = Model(levels, [line], density=N, temperature=temperature, name=name, source=source)
    return model, float(fibre.doped_area(zeta, N, tau))


def _positive(given: Any, unit: str, name: str) -> float:
    value = to_si(given, unit, name)
    if np.ndim(value) or not value > 0:
        raise ValueError(f"`{name}` must be one positive number, but {shown(given)} was given.")
    return float(value)


@dataclass(frozen=True, eq=False)
class GilesParameters:
    """Giles parameters of a fibre; printed in dB/m.

    Args:
        wavelength: Vacuum wavelengths [m], shape (channel,).
        alpha, gain: alpha and g* [m^-1], shape (channel,).
        saturation_parameter: zeta [m^-1 s^-1].
        saturation_power: P_sat of each [W], shape (channel,); infinite where it neither absorbs nor emits.
    """

    wavelength: np.ndarray
    alpha: np.ndarray
    gain: np.ndarray
    saturation_parameter: float
    saturation_power: np.ndarray

    def __str__(self) -> str:
        rows = zip(
            self.wavelength * 1e9, self.alpha / DECIBEL, self.gain / DECIBEL, 1e3 * self.saturation_power, strict=True
        )
        lines = [f"{w:15.3f} {a:14.4f} {g:11.4f} {p:11.4g}" for w, a, g, p in rows]
        title = "wavelength [nm]   alpha [dB/m]   g* [dB/m]  P_sat [mW]"
        return "\n".join([title, *lines, f"saturation parameter {self.saturation_parameter:.6g} m^-1 s^-1"])


def giles_parameters(
    model: Model,
    wavelength: Any,
    *,
    area: str | float | None = None,
    overlap: float = 1.0,
    waveguide: Fibre | None = None,
    line: str | None = None,
) -> GilesParameters:
    r"""Giles parameters of a medium in a fibre, at the model's own parameters.

    $\alpha = \Gamma\sigma_a N$, $g^* = \Gamma\sigma_e N$, $\zeta = AN/\tau$, tau the lifetime of the upper level.

    Args:
        model: The medium.
        wavelength: One or several (vacuum): "1550 nm"; bare numbers in m.
        area: Of the doped region, with the `overlap` of every channel; or
        waveguide: A `jr.Fibre`, from which both follow.
        overlap: Gamma.
        line: Label of the `Radiative`, with measured spectra; by default the only one.

    Returns:
        A `GilesParameters`, arrays in SI units; printed in dB/m.

    Raises:
        ValueError: neither or both of `area` and `waveguide`, no such line, one without measured spectra, or a
            wavelength outside of them (the ranges are named).
    """
    if (area is None) == (waveguide is None):
        raise ValueError("State either area='3.5 um^2' or waveguide=jr.Fibre(core_radius='1.2 um', ...).")
    found = _line(model, line)
    metres = column(wavelength, "wavelength", "m")
    frequency = np.asarray(to_frequency([f"{x!r} m" for x in metres.tolist()], "wavelength"))
    absorption, emission = (_value(found, kind, model, frequency) for kind in ("absorption", "emission"))
    density, values = _density(model, found), {} if waveguide is None else waveguide.values()
    share = overlap if waveguide is None else np.asarray(waveguide.overlap(values, frequency))
    A = to_si(area, "m^2", "area") if waveguide is None else pi * values[f"{waveguide.label}.doped_radius"] ** 2
    alpha, gain = (fibre.giles_coefficient(sigma, share, density) for sigma in (absorption, emission))
    tau = 1 / total_rate(model, model.ends(found)[0].full_name, known_values(model))
    zeta = float(fibre.saturation_parameter(A, density, tau))
    with np.errstate(divide="ignore"):
        power = np.asarray(fibre.saturation_power(frequency, zeta, alpha, gain))
    return GilesParameters(metres, np.asarray(alpha), np.asarray(gain), zeta, power)


def _line(model: Model, label: str | None) -> Radiative:
    lines = [p for p in model.processes if isinstance(p, Radiative) and p.measured]
    if label is not None:
        found = model.radiative(label)
        if not found.measured:
            raise ValueError(f"`{label}` has no measured spectra; its cross-sections are read by jr.CrossSection.")
        return found
    if len(lines) != 1:
        known = ", ".join(f"`{line.label}`" for line in lines) or "none"
        raise ValueError(f"Say which line is meant, line='...'; those with measured spectra are: {known}.")
    return lines[0]


def _value(line: Radiative, kind: str, model: Model, frequency: np.ndarray) -> np.ndarray:
    """Cross-section [m^2] of emission or absorption, stated or implied by McCumber's relation."""
    own, other = (line.absorption, line.emission) if kind == "absorption" else (line.emission, line.absorption)
    table = own or other
    assert table is not None
    outside = ~gaps.measured(table.si, frequency)
    if outside.any():
        raise ValueError(
            f"{c / frequency[np.argmax(outside)] * 1e9:.7g} nm is outside the spectra of `{line.label}`, which are "
            f"stated from {gaps.told(table.si)}; nothing is extrapolated."
        )
    frequency = gaps.within(table.si, frequency)
    if own is not None:
        return np.asarray(own.si.value(frequency))
    (upper, lower), temperature = model.ends(line), model.temperature_kelvin(f"McCumber's relation for `{line.label}`")
    level = epsilon(model.gap(line), lower.sublevels, upper.sublevels, temperature)
    ratio = np.asarray(spectrum.mccumber_ratio(frequency, level, temperature))
    return np.asarray(table.si.value(frequency)) * (1 / ratio if kind == "absorption" else ratio)


def _density(model: Model, line: Radiative) -> float:
    species = model.ends(line)[0].species
    values = known_values(model)
    name = f"density.{species}" if f"density.{species}" in values else "density"
    if name not in values:
        raise ValueError("Giles parameters need the model's `density` as a number, for example density='1e25 m^-3'.")
    return values[name]
