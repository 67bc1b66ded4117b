"""Bands of Giles parameters as they are stated: lists, or files of the numbers that makers measure."""

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxrate.model.quantities import several
from jaxrate.model.sheet import File, Sheet, checked_units, read_sheet, scaled
from jaxrate.names import shown
from jaxrate.units import to_si

Band = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Wavelengths [m], alpha and g* [m^-1], each of shape (point,)."""

_EXAMPLE = ("nm", "dB/m")
_TITLES = {"alpha": ("alpha", "abs"), "gain": ("gstar", "g*", "g_star", "gain", "emi")}
_QUANTITY = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*[^\W\d]*\s*")


def bands(wavelength: Any, alpha: Any, gain: Any, pump: Any, units: Sequence[str] | None) -> list[Band]:
    """Every band of `jr.giles`: the one stated by its first arguments, and those of `pump`.

    Raises:
        ValueError: as of `jr.giles`.
    """
    stated = checked_units(units, _EXAMPLE)
    if _is_file(wavelength) and alpha is None and gain is None:
        return [_from_file(wavelength, stated), *_further(pump, stated)]
    if alpha is None or _is_file(wavelength):
        raise ValueError("State `wavelength` and `alpha`, '1550 nm' and '4 dB/m' for example, or a file of both alone.")
    return [_from_lists(wavelength, alpha, gain, stated, "wavelength"), *_further(pump, stated)]


def _further(pump: Any, units: tuple[str | None, str | None]) -> list[Band]:
    """The bands of `pump`: none, one or several."""
    if pump is None:
        return []
    return [_pump(band, units) for band in (pump if isinstance(pump, list) else [pump])]


def _pump(given: Any, units: tuple[str | None, str | None]) -> Band:
    if _is_file(given):
        return _from_file(given, units)
    if not isinstance(given, tuple) or len(given) not in (2, 3):
        raise ValueError(
            "`pump` must be a file, (wavelength, alpha) or (wavelength, alpha, gain), such as ('980 nm', '4.3 dB/m'), "
            f"or a list of these, but {shown(given)} was given."
        )
    return _from_lists(given[0], given[1], given[2] if len(given) == 3 else None, units, "pump")


def _is_file(given: Any) -> bool:
    """Whether it names a file: a path, or text that is no quantity such as "1550 nm"."""
    return isinstance(given, os.PathLike) or (isinstance(given, str) and _QUANTITY.fullmatch(given) is None)


def _from_lists(wavelength: Any, alpha: Any, gain: Any, units: tuple[str | None, str | None], name: str) -> Band:
    metres = column(wavelength, "wavelength", "m", units[0])
    absorbed = column(alpha, "alpha", "m^-1", units[1])
    emitted = np.zeros_like(absorbed) if gain is None else column(gain, "gain", "m^-1", units[1])
    return _checked((metres, absorbed, emitted), f"`{name}`")


def column(given: Any, name: str, unit: str, bare: str | None = None) -> np.ndarray:
    """Numbers in SI units of one quantity or several.

    Args:
        given: Text with units, or bare numbers.
        name: For messages.
        unit: SI unit.
        bare: Unit of bare numbers; None: `unit`.
    """
    values = several(given) or (given,)
    factor = 1.0 if bare is None else _factor(bare, unit, name)
    return np.array([float(to_si(x, unit, name)) * (1.0 if isinstance(x, str) else factor) for x in values])


def _factor(unit: str, si: str, name: str) -> float:
    factor, rest = scaled(unit)
    return factor * float(to_si(f"1 {rest}", si, name))


def _from_file(file: File, units: tuple[str | None, str | None]) -> Band:
    sheet = read_sheet(file)
    hint = "State units=('nm', 'dB/m'), for example."
    metres = sheet.columns[0] * _factor(sheet.unit(0, units[0], hint), "m", f"{sheet.source}, column 1")
    found = [metres]
    for i in (_place(sheet, kind, i) for i, kind in enumerate(_TITLES, start=1)):
        if i is None:
            found.append(np.zeros_like(metres))
        else:
            factor = _factor(sheet.unit(i, units[1], hint), "m^-1", f"{sheet.source}, column {i + 1}")
            found.append(sheet.columns[i] * factor)
    return _checked((found[0], found[1], found[2]), sheet.source)


def _place(sheet: Sheet, kind: str, i: int) -> int | None:
    """Column of alpha or g*: by its title, else the second and the third; None where there is no third."""
    titled = [j for j, title in enumerate(sheet.titles) if j and title.lower().startswith(_TITLES[kind])]
    if len(titled) == 1:
        return titled[0]
    if sheet.titles[0] == "1" and i < len(sheet.columns):
        return i
    if kind == "gain" and len(sheet.columns) == 2:
        return None
    titles = ", ".join(f"`{title}`" for title in sheet.titles)
    raise ValueError(f"{sheet.source}: a column `{kind} [dB/m]` is needed, but there are {titles}.")


def _checked(band: Band, name: str) -> Band:
    at, alpha, gain = band
    if not at.shape == alpha.shape == gain.shape:
        sizes = f"{at.size} wavelengths, {alpha.size} of alpha and {gain.size} of g*"
        raise ValueError(f"{name}: one alpha and one g* must be stated for each wavelength, but {sizes} were given.")
    _refuse(~(at > 0), at, f"{name}: a wavelength must be positive")
    _refuse(~(alpha >= 0), alpha, f"{name}: alpha must be zero or positive, the fibre's own background loss left out")
    _refuse(~(gain >= 0), gain, f"{name}: g* must be zero or positive; it is the gain with all ions above")
    if len(np.unique(at)) < len(at):
        raise ValueError(f"{name}: a wavelength is given twice; give each once.")
    return band


def _refuse(bad: np.ndarray, values: np.ndarray, wanted: str) -> None:
    if bad.any():
        i, more = int(np.argmax(bad)), f" and {bad.sum() - 1} more" if bad.sum() > 1 else ""
        raise ValueError(f"{wanted}, but number {i + 1} is {values[i]:g}{more} in SI units.")
