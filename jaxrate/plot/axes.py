"""What every plot shares: Axes to draw into, labels with units, and which scale an axis needs."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from jaxrate.names import unknown
from jaxrate.unit_text import latex, pretty

SIZE = (5.6, 4.2)
"""Inches of a new figure: one column of a paper at its usual font size."""
DECADES = 2.0
"""From this many decades on values are shown on a logarithmic scale."""


def axes(ax: Axes | None, size: tuple[float, float] = SIZE) -> Axes:
    """The Axes given, or those of a new figure of a size in inches."""
    return Figure(figsize=size, dpi=150, layout="constrained").add_subplot() if ax is None else ax


def labelled(quantity: str, unit: str) -> str:
    """Label of an axis: quantity and unit; a quantity of unit 1 stands alone."""
    text = latex(unit) if unit else ""
    return f"{quantity} ({text})" if text else quantity


@dataclass(frozen=True)
class Scaled:
    """A quantity in the prefix that its values suggest."""

    label: str
    factor: float


def scaled(name: str, unit: str, values: np.ndarray) -> Scaled:
    """Label with the unit, and what SI values are multiplied by."""
    size = np.abs(values[np.isfinite(values)])
    largest = float(size.max(initial=0.0))
    if largest == 0 or not unit or unit.startswith("dB"):
        return Scaled(labelled(typeset(name), "" if unit == "1" else unit), 1.0)
    power = int(np.floor(np.log10(largest))) // 3 * 3
    if unit == "m" and 1e-7 <= largest < 2.5e-6:
        power = -9  # optics counts in nm up to a few micrometres
    one, _, prefixed = pretty(10.0**power, unit).partition(" ")
    power, prefixed = (power, prefixed) if one == "1" else (0, "" if unit == "1" else unit)
    return Scaled(labelled(typeset(name), prefixed), 10.0**-power)


def quantity(array: xr.DataArray) -> str:
    """What an array holds: its `long_name`, or its name."""
    return str(array.attrs.get("long_name") or array.name or "value")


def label(array: xr.DataArray) -> str:
    """Label of an array by its `long_name` and `units`, or by its name."""
    return labelled(typeset(quantity(array)), str(array.attrs.get("units", "")))


def typeset(text: str) -> str:
    """Names as they are set in print: term symbols such as 4F3/2 with their indices; nothing else is mathematics.

    The number in front is a multiplicity if it fits J, even with a half-integer one: that of sodium's 3S1/2 is not.
    """
    return re.sub(r"(?<![\w.])(\d)([SPDFGHIKLMNO])(\d+(?:/2)?)(?![\w/])", _term, text.replace("$", r"\$"))


def _term(symbol: re.Match[str]) -> str:
    number, letter, J = symbol.groups()
    in_front = f"^{{{number}}}" if (int(number) % 2 == 0) == ("/" in J) else rf"\mathrm{{{number}}}"
    return rf"${in_front}\mathrm{{{letter}}}_{{{J}}}$"


def readable(ax: Axes) -> None:
    """Powers of ten of linear axes as in print, instead of 1e-23."""
    for axis in (ax.xaxis, ax.yaxis):
        formatter = axis.get_major_formatter()
        if isinstance(formatter, ScalarFormatter):
            formatter.set_useMathText(True)


def number(value: float, unit: str = "1") -> str:
    """A number with its unit as it is set in print, to five digits: 1.2 x 10^9 s^-1."""
    digits, exponent = f"{value:.4e}".split("e")
    if value == 0 or -3 <= int(exponent) < 5:
        text = f"{value:.5g}"
    else:
        mantissa = f"{float(digits):.5g}"
        power = rf"10^{{{int(exponent)}}}"
        text = rf"${power}$" if mantissa == "1" else rf"${mantissa}\times{power}$"
    return f"{text} {latex(unit)}".rstrip()


def pick(values: xr.Dataset | xr.DataArray, name: str | None) -> xr.DataArray:
    """One array of a dataset, by name; an array as it is.

    Raises:
        ValueError: there is none of that name (the nearest is proposed).
    """
    if isinstance(values, xr.DataArray):
        return values
    known = [str(n) for n in values.data_vars]
    if name is None and len(known) == 1:
        name = known[0]
    if name not in known:
        raise ValueError(unknown("variable", name, known, "this dataset"))
    return values[name]


def coordinate(array: xr.DataArray, dim: Any) -> xr.DataArray:
    """Coordinate along a dimension; of parameters varied together the first; else the running index."""
    along = [c for c in array.coords.values() if c.dims == (dim,)]
    return array.coords[dim] if dim in array.coords or not along else along[0]


def is_logarithmic(x: np.ndarray) -> bool:
    """Whether numbers are spaced evenly in their logarithm rather than in themselves."""
    if len(x) < 3 or not np.all(x > 0):
        return False
    steps, ratios = np.diff(x), np.diff(np.log(x))
    uneven = float(np.std(steps) / np.abs(np.mean(steps))), float(np.std(ratios) / np.abs(np.mean(ratios)))
    return uneven[1] < uneven[0] and spans_decades(x, 1.0)


def spans_decades(x: np.ndarray, decades: float = DECADES) -> bool:
    """Whether the magnitudes of numbers span several decades, zeros and the rare extreme left out."""
    size = np.abs(x[np.isfinite(x) & (x != 0)])
    if size.size == 0:
        return False
    low, high = np.quantile(size, [0.02, 0.98])
    return bool(high > low * 10**decades)


def is_signed(x: np.ndarray) -> bool:
    """Whether numbers lie on both sides of zero."""
    return bool(np.any(x < 0) and np.any(x > 0))


def linear_threshold(x: np.ndarray) -> float:
    """Where a symmetric logarithmic scale becomes linear: a power of ten.

    It lies well below the largest value of the weaker sign, or below all but the smallest values where there is one
    sign only; at most eight decades are shown.
    """
    size = np.abs(x[np.isfinite(x) & (x != 0)])
    weaker = min(-float(np.nanmin(x)), float(np.nanmax(x))) if is_signed(x) else float(np.quantile(size, 0.02)) * 30
    return 10.0 ** np.floor(np.log10(max(weaker / 30, float(size.max()) * 1e-8)))
