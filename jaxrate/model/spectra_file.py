"""Cross-section spectra from text files, as people have them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import pi
from typing import Literal, TypedDict

import numpy as np

from jaxrate.constants import c
from jaxrate.model.lineshapes import Spectrum
from jaxrate.model.sheet import File, Sheet, checked_units, read_sheet, scaled
from jaxrate.names import shown
from jaxrate.text_table import counted
from jaxrate.units import to_frequency, to_si

KINDS = {"emission": ("emi", "fluor", "sigma_e", "σ_e"), "absorption": ("abs", "sigma_a", "σ_a")}
"""What titles of columns contain."""
_SHORTEST, _LONGEST = 1e-9, 1.0


class Spectra(TypedDict):
    """Spectra by the name that `jr.Radiative` takes them under."""

    emission: Spectrum
    absorption: Spectrum


@dataclass(frozen=True)
class Repair:
    """What is done about rows that a spectrum cannot have; "refuse" says how many there are.

    Args:
        missing: Rows without a number: "leave out" makes the table linear across them.
        negative: Cross-sections below zero, noise around it: "zero" sets them to zero, which shifts the integral.
        repeated: Rows of one wavelength: "mean" keeps one with their mean.
    """

    missing: Literal["refuse", "leave out"] = "refuse"
    negative: Literal["refuse", "zero"] = "refuse"
    repeated: Literal["refuse", "mean"] = "refuse"

    def __post_init__(self) -> None:
        for name, cure in (("missing", "leave out"), ("negative", "zero"), ("repeated", "mean")):
            if (given := getattr(self, name)) not in ("refuse", cure):
                raise ValueError(f"`{name}` must be 'refuse' or '{cure}', but {shown(given)} was given.")


def read_spectrum(
    path: File | Sequence[File],
    column: int | str | None = None,
    *,
    units: Sequence[str] | None = None,
    missing: Literal["refuse", "leave out"] = "refuse",
    negative: Literal["refuse", "zero"] = "refuse",
    repeated: Literal["refuse", "mean"] = "refuse",
) -> Spectrum:
    """Read a cross-section spectrum: what `jr.Radiative(emission=...)` or `absorption=...` takes.

    The first column holds wavelengths (vacuum), frequencies or wavenumbers, in either order. Fields are separated by
    blanks, tabs, semicolons or commas; decimal commas, exponents such as 1.0D-21 and `nan` are read, with or without a
    header. Lines that begin with #, % or ! are comments.

    Args:
        path: The file; or two files of one column each, of wavelengths and of cross-sections.
        column: Which column has the cross-section: its number, counted from 1, or its title. By default the only one.
        units: Of the first column and of the cross-section, ("nm", "cm^2") or ("nm", "1e-21 cm^2"); by default those
            of the header, `wavelength [nm], sigma [cm^2]`. They are never guessed.
        missing: "leave out" leaves out rows without a number.
        negative: "zero" sets cross-sections below zero to zero.
        repeated: "mean" takes the mean of rows of one wavelength.

    Returns:
        The spectrum, whose `source` names the file and whatever was mended.

    Raises:
        ValueError: not a table of numbers, no unit, a wavelength that no light has, or rows that a spectrum cannot have
            (counted, with the option that mends them).
        OSError: a file cannot be read.
    """
    sheet, repair = _opened(path), Repair(missing, negative, repeated)
    if column is None and len(sheet.columns) != 2:
        raise ValueError(_which_column(sheet))
    return _spectrum(sheet, sheet.find(2 if column is None else column, "the cross-section"), units, repair)


def read_spectra(
    path: File,
    *,
    emission: int | str | None = None,
    absorption: int | str | None = None,
    units: Sequence[str] | None = None,
    missing: Literal["refuse", "leave out"] = "refuse",
    negative: Literal["refuse", "zero"] = "refuse",
    repeated: Literal["refuse", "mean"] = "refuse",
) -> Spectra:
    """Read cross-sections of emission and of absorption from one file.

    `jr.Radiative("laser", "upper -> lower", **jr.read_spectra("yb.dat", emission=2, absorption=3))` takes them as they
    are.

    Args:
        path: The file.
        emission, absorption: Their columns, as number or title; by default those whose titles say so.
        units, missing, negative, repeated: As of `jr.read_spectrum`.

    Returns:
        {"emission": Spectrum, "absorption": Spectrum}.

    Raises:
        ValueError: as `jr.read_spectrum`; titles that do not tell which column is which.
        OSError: the file cannot be read.
    """
    sheet, repair = _opened(path), Repair(missing, negative, repeated)
    columns = {"emission": emission, "absorption": absorption}
    places = {kind: _place(sheet, kind, column) for kind, column in columns.items()}
    if places["emission"] == places["absorption"]:
        raise ValueError(f"{sheet.source}: emission and absorption must be two columns, but both are {emission!r}.")
    first, second = (_spectrum(sheet, i, units, repair) for i in places.values())
    return Spectra(emission=first, absorption=second)


def _opened(path: File | Sequence[File]) -> Sheet:
    if not isinstance(path, list | tuple):
        return read_sheet(path)  # type: ignore[arg-type]
    if len(path) != 2:
        raise ValueError(f"Give one file, or two of one column each, but {shown(path)} was given.")
    first, second = (read_sheet(file) for file in path)
    for sheet in (first, second):
        if len(sheet.columns) != 1:
            raise ValueError(f"{sheet.source} must have one column beside another file, but has {len(sheet.columns)}.")
    rows = len(first.lines), len(second.lines)
    if rows[0] != rows[1]:
        raise ValueError(f"{first.source} and {second.source} must be of one length, but have {rows[0]} and {rows[1]}.")
    titles = tuple(str(i) if s.titles == ("1",) else s.titles[0] for i, s in enumerate((first, second), 1))
    names = f"{first.source} and {second.source}"
    return Sheet(names, titles, first.units + second.units, first.columns + second.columns, second.lines)


def _which_column(sheet: Sheet) -> str:
    if len(sheet.columns) == 1:
        return f"{sheet.source} has 1 column: give two such files, (wavelengths, cross-sections)."
    return (
        f"{sheet.source} has {len(sheet.columns)} columns{_listed(sheet)}: say which has the cross-section, column=2 "
        "for example; emission and absorption at once are read by jr.read_spectra(path, emission=2, absorption=3)."
    )


def _place(sheet: Sheet, kind: str, column: int | str | None) -> int:
    if column is not None:
        return sheet.find(column, kind)
    titles = [title.lower() for title in sheet.titles]
    found = [i for i, title in enumerate(titles) if i and any(word in title for word in KINDS[kind])]
    if len(found) != 1:
        raise ValueError(f"{sheet.source}: say which column has the {kind}{_listed(sheet)}: {kind}=2 for example.")
    return found[0]


def _listed(sheet: Sheet) -> str:
    titles = ", ".join(f"`{title}`" for title in sheet.titles[:24])
    return "" if sheet.titles[0] == "1" else f" ({titles})"


def _spectrum(sheet: Sheet, i: int, units: Sequence[str] | None, repair: Repair) -> Spectrum:
    if i == 0:
        raise ValueError(f"{sheet.source}: the first column holds the wavelengths; a cross-section is in another one.")
    at, sigma = sheet.columns[0], sheet.columns[i]
    if not (np.isfinite(at) & np.isfinite(sigma)).any():
        raise ValueError(f"{sheet.source}: columns 1 and {i + 1} hold no row with two numbers.")
    stated = zip((0, i), checked_units(units, ("nm", "cm^2")), strict=True)
    (x, at_unit), (y, area) = (scaled(sheet.unit(j, unit, _readings(at, sigma))) for j, unit in stated)
    at, sigma, remarks = _repaired(sheet, x * at, y * sigma, repair)
    _check_light(sheet.source, at, at_unit)
    _check_size(sheet.source, at, sigma, (at_unit, area))
    source = "; ".join([f"{sheet.source}, column {i + 1}", *remarks])
    return Spectrum(at.tolist(), sigma.tolist(), units=(at_unit, area), source=source)


def _repaired(
    sheet: Sheet, at: np.ndarray, sigma: np.ndarray, repair: Repair
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Rows that a spectrum can have, and what was done for that."""
    known, lines = np.isfinite(at) & np.isfinite(sigma), sheet.lines
    at, sigma, lines = at[known], sigma[known], lines[known]
    below = sigma < 0
    _, first, which = np.unique(at, return_index=True, return_inverse=True)
    again = np.ones(len(at), bool)
    again[first] = False
    found = {
        "missing": (~known, sheet.lines, "row without a number", "rows without a number"),
        "negative": (below, lines, "cross-section below zero", "cross-sections below zero"),
        "repeated": (again, lines, "row that repeats a wavelength", "rows that repeat a wavelength"),
    }
    size = f" (down to {sigma.min():.2g}, where the peak is {sigma.max():.2g})" if below.any() else ""
    told = {name: counted(int(bad.sum()), *words) for name, (bad, _, *words) in found.items() if bad.any()}
    told |= {"negative": told["negative"] + size} if below.any() else {}
    _refuse(sheet.source, told, {name: int(on[np.argmax(bad)]) for name, (bad, on, *_) in found.items()}, repair)
    done = {"missing": "left out", "repeated": "merged by their mean"}
    if below.any():
        whole, cut = (abs(np.trapezoid(np.where(part, sigma, 0.0)[first], at[first])) for part in (~below, below))
        done |= {"negative": f"set to zero, which adds {100 * cut / whole:.2g} % to the integral over column 1"}
    sigma = np.where(below, 0.0, sigma)
    if again.any():
        at, sigma = at[first], np.bincount(which.ravel(), sigma) / np.bincount(which.ravel())
    return at, sigma, [f"{what}: {done[name]}" for name, what in told.items()]


def _refuse(source: str, told: Mapping[str, str], lines: Mapping[str, int], repair: Repair) -> None:
    cures = {"missing": "leave out", "negative": "zero", "repeated": "mean"}
    bad = [name for name in told if getattr(repair, name) == "refuse"]
    if bad:
        each = "; ".join(f"{told[n]}, the first on line {lines[n]} ({n}='{cures[n]}' mends that)" for n in bad)
        raise ValueError(f"{source}: a spectrum cannot have {each}.")


def _check_light(source: str, at: np.ndarray, unit: str) -> None:
    """Refuse wavelengths that belong to no light a spectrum is measured with: their unit is another one."""
    ends = np.sort([c / to_frequency(f"{float(x)!r} {unit}", f"{source}, column 1") for x in (at.min(), at.max())])
    if ends[0] < _SHORTEST or ends[1] > _LONGEST:
        raise ValueError(
            f"{source}: column 1 runs from {at.min():.6g} to {at.max():.6g}, in {unit} light of {ends[0]:.3g} to "
            f"{ends[1]:.3g} m. {_likely_length(at)[1]}"
        )


def _check_size(source: str, at: np.ndarray, sigma: np.ndarray, units: tuple[str, str]) -> None:
    """Refuse a cross-section above that of any line."""
    top = int(np.argmax(sigma))
    wavelength = c / to_frequency(f"{float(at[top])!r} {units[0]}", f"{source}, column 1")
    peak = sigma[top] * to_si(f"1 {units[1]}", "m^2", f"{source}, the cross-section")
    if peak > wavelength**2:
        raise ValueError(
            f"{source}: a peak of {sigma[top]:.3g} {units[1]} is {peak:.3g} m^2, but no line has more than about the "
            f"square of its wavelength, {wavelength**2:.2g} m^2: state the unit it is in, such as '1e-21 cm^2'."
        )


def _readings(at: np.ndarray, sigma: np.ndarray) -> str:
    """What units a table may be in, with what each makes of it; both of a cross-section are ten thousand apart."""
    unit, length = _likely_length(at)
    known = np.isfinite(at) & np.isfinite(sigma)
    x, y = (1e-9 * _NANOMETRES[unit] * at[known], np.maximum(sigma[known], 0.0))
    order, peak = np.argsort(x), float(y.max())
    emitted = 8 * pi * c * 1.5**2 * float(np.trapezoid((y / x**4)[order], x[order]))
    areas = [f"{peak * factor:.3g} m^2 in '{area}'{_lasting(emitted * factor)}" for area, factor in _AREAS]
    return (
        f"{length} Its peak is {peak:.3g}, {' or '.join(areas)}: state units=('{unit}', 'cm^2') or ('{unit}', 'm^2')."
    )


_NANOMETRES = {"nm": 1.0, "um": 1e3, "m": 1e9}
_AREAS = (("cm^2", 1e-4), ("m^2", 1.0))


def _likely_length(at: np.ndarray) -> tuple[str, str]:
    """The unit in which a column is near visible light, and what that makes of it."""
    low, high = float(np.nanmin(at)), float(np.nanmax(at))
    likely = [unit for unit, f in _NANOMETRES.items() if low * f >= 100 and high * f <= 2e5]
    unit = likely[0] if likely else "nm"
    factor = _NANOMETRES[unit]
    reading = f", {low * factor:.6g} to {high * factor:.6g} nm in '{unit}'" if likely else ""
    return unit, f"The first column runs from {low:.6g} to {high:.6g}{reading}."


def _lasting(rate: float) -> str:
    """The radiative lifetime that an emission spectrum means, by Füchtbauer and Ladenburg at an index of 1.5."""
    return f" (as emission a lifetime of {1 / rate:.2g} s)" if rate > 0 else ""
