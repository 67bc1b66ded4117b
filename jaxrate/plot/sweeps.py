"""Plots of sweeps: a map over two axes, curves over one."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize, SymLogNorm

from jaxrate.plot.axes import (
    axes,
    coordinate,
    is_logarithmic,
    is_signed,
    label,
    linear_threshold,
    number,
    pick,
    quantity,
    readable,
    spans_decades,
    typeset,
)

LEGEND = 8
"""Up to so many curves are told apart by a legend, more by a colour bar."""


def map(
    values: xr.Dataset | xr.DataArray, name: str | None = None, *, x: str | None = None, ax: Axes | None = None
) -> Axes:
    """Map of a quantity over the two axes of a sweep.

    Axes whose values are spaced logarithmically are logarithmic. A quantity that has a sign is red above zero and
    blue below; where it changes sign a line marks it: for a gain that is transparency. Values over decades are
    coloured by their logarithm. Lanes without a result are grey.

    Args:
        values: What `jr.sweep` returned, or one array of it, with two dimensions.
        name: Which quantity of a dataset.
        x: Dimension to lay out horizontally; by default the first.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes; the colour bar is in `ax.figure.axes`.

    Raises:
        ValueError: the array has not two dimensions of at least two values, or there is none of that name.
    """
    array = _two_axes(pick(values, name), x)
    horizontal, vertical = (coordinate(array, dim) for dim in array.dims)
    ax = axes(ax)
    norm, colours = _colouring(array)
    mesh = ax.pcolormesh(
        *(_edges(np.asarray(c, float)) for c in (horizontal, vertical)),
        np.asarray(array).T,
        norm=norm,
        cmap=matplotlib.colormaps[colours].with_extremes(bad="0.75"),
        rasterized=True,
    )
    _name_axes(ax, horizontal, vertical)
    _add_bar(ax, mesh, array)
    _mark_zero(ax, array, horizontal, vertical)
    return ax


def _two_axes(array: xr.DataArray, x: str | None) -> xr.DataArray:
    sizes = dict(array.sizes)
    if len(sizes) != 2 or min(sizes.values()) < 2:
        raise ValueError(
            f"A map must be of two axes with at least two values each, but `{array.name}` has {_shape(array)}: "
            "select or reduce the others first, for example ds.isel(...) or ds.mean(...)."
        )
    array = array.sortby([d for d in array.dims if d in array.coords])
    return array if x is None else array.transpose(_dimension(array, x), ...)


def _shape(array: xr.DataArray) -> str:
    return ", ".join(f"`{d}` ({n})" for d, n in array.sizes.items()) or "none"


def _dimension(array: xr.DataArray, name: str) -> str:
    if name not in array.dims:
        raise ValueError(f"`x` must be an axis of `{array.name}`, {_shape(array)}, but {name!r} was given.")
    return name


def _edges(centres: np.ndarray) -> np.ndarray:
    """Borders of cells around their centres, halfway on the scale on which the centres are even."""
    logarithmic = is_logarithmic(centres)
    at = np.log(centres) if logarithmic else centres
    middle = (at[1:] + at[:-1]) / 2
    borders = np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])
    return np.exp(borders) if logarithmic else borders


def _colouring(array: xr.DataArray) -> tuple[Normalize, str]:
    """Scale and colour map that a quantity and its values need."""
    values = np.asarray(array)
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return Normalize(0.0, 1.0), "viridis"
    if _has_sign(array):
        largest = float(np.abs(finite).max()) or 1.0
        if spans_decades(finite):
            return SymLogNorm(linear_threshold(finite), vmin=-largest, vmax=largest), "RdBu_r"
        return Normalize(-largest, largest), "RdBu_r"
    if np.all(finite > 0) and spans_decades(finite):
        return LogNorm(float(finite.min()), float(finite.max())), "viridis"
    return Normalize(float(finite.min()), float(finite.max())), "viridis"


def _has_sign(array: xr.DataArray) -> bool:
    """Whether zero means something: some values are negative, or those of its kind can be."""
    return bool(np.any(np.asarray(array) < 0)) or quantity(array).startswith(("gain", "inversion", "net power"))


def _add_bar(ax: Axes, mesh: ScalarMappable, array: xr.DataArray) -> None:
    """Colour bar over the range of the values; the colours are laid out around zero, whichever signs occur."""
    bar = ax.figure.colorbar(mesh, ax=ax, pad=0.02)
    bar.set_label(label(array))
    finite = np.asarray(array)[np.isfinite(array)]
    if _has_sign(array) and finite.size and np.ptp(finite) > 0:
        bar.ax.set_ylim(float(finite.min()), float(finite.max()))


def _name_axes(ax: Axes, horizontal: xr.DataArray, vertical: xr.DataArray) -> None:
    ax.set_xlabel(label(horizontal))
    ax.set_ylabel(label(vertical))
    for c, scale in ((horizontal, ax.set_xscale), (vertical, ax.set_yscale)):
        if is_logarithmic(np.asarray(c, float)):
            scale("log")
    readable(ax)


def _mark_zero(ax: Axes, array: xr.DataArray, horizontal: xr.DataArray, vertical: xr.DataArray) -> None:
    if not is_signed(np.asarray(array)):
        return
    masked = np.ma.masked_invalid(np.asarray(array).T)
    ax.contour(horizontal, vertical, masked, levels=[0.0], colors="black", linewidths=1.2)
    ax.plot([], [], color="black", linewidth=1.2, label=_zero_name(array))
    ax.legend(loc="upper left", framealpha=0.9)


def _zero_name(array: xr.DataArray) -> str:
    name = quantity(array)
    return "transparency" if name.startswith("gain") else f"{typeset(name)} = 0"


def curves(
    values: xr.Dataset | xr.DataArray,
    names: str | Sequence[str] | None = None,
    *,
    x: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Curves of one quantity or several over one axis of a sweep; a second axis makes a family of curves.

    Args:
        values: What `jr.sweep` returned, or one array of it.
        names: Which quantities of a dataset; several must share their unit.
        x: Dimension to lay out horizontally; by default the first.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes. Curves of up to eight values of a second axis are in the legend, of more in a colour bar.

    Raises:
        ValueError: more than two dimensions, quantities of different units, or no such quantity.
    """
    given = [names] if names is None or isinstance(names, str) else list(names)
    arrays = [_family(pick(values, name), x) for name in given]
    units = {str(a.attrs.get("units", "")) for a in arrays}
    if len(units) > 1:
        raise ValueError(f"Curves in one plot must share their unit, but {', '.join(sorted(units))} were given.")
    ax = axes(ax)
    for array in arrays:
        _draw_family(ax, array, _short(array, arrays))
    _finish(ax, arrays)
    return ax


def _family(array: xr.DataArray, x: str | None) -> xr.DataArray:
    if array.ndim not in (1, 2):
        raise ValueError(
            f"Curves must be of one or two axes, but `{array.name}` has {_shape(array)}: "
            "select or reduce the others first, for example ds.isel(...) or ds.mean(...)."
        )
    return array if x is None else array.transpose(_dimension(array, x), ...)


def _short(array: xr.DataArray, arrays: list[xr.DataArray]) -> str | None:
    """Name of one of several quantities in a legend, without what the label of the axis says; None for one alone."""
    if len(arrays) == 1:
        return None
    return quantity(array).removeprefix(f"{quantity(_shared(arrays))} of ")


def _draw_family(ax: Axes, array: xr.DataArray, name: str | None) -> None:
    along = np.asarray(coordinate(array, array.dims[0]))
    if array.ndim == 1:
        ax.plot(along, np.asarray(array), label=name and typeset(name))
        return
    second = coordinate(array, array.dims[1])
    colour, scale = _shades(second)
    for i, value in enumerate(np.asarray(second)):
        ax.plot(along, np.asarray(array)[:, i], color=colour(i), label=_shown(value) if scale is None else None)
    if scale is None:
        ax.legend(title=label(second))
    else:
        ax.figure.colorbar(scale, ax=ax, pad=0.02).set_label(label(second))


def _shown(value: Any) -> str:
    return number(float(value)) if isinstance(value, int | float | np.number) else typeset(str(value))


def _shades(second: xr.DataArray) -> tuple[Any, ScalarMappable | None]:
    """Colour of each curve of a family by its number; and the scale for a colour bar where a legend would be long."""
    numbers = np.asarray(second)
    palette = matplotlib.colormaps["viridis"]
    if len(numbers) <= LEGEND or numbers.dtype.kind not in "iuf":
        return lambda i: palette(0.9 * i / max(len(numbers) - 1, 1)), None
    kind = LogNorm if is_logarithmic(numbers) else Normalize
    scale = ScalarMappable(kind(float(numbers.min()), float(numbers.max())), palette)
    colours = scale.to_rgba(numbers)
    return lambda i: colours[i], scale


def _finish(ax: Axes, arrays: list[xr.DataArray]) -> None:
    along, values = coordinate(arrays[0], arrays[0].dims[0]), np.concatenate([np.ravel(a) for a in arrays])
    ax.set_xlabel(label(along))
    ax.set_ylabel(label(arrays[0]) if len(arrays) == 1 else label(_shared(arrays)))
    if is_logarithmic(np.asarray(along, float)):
        ax.set_xscale("log")
    _scale_values(ax, values[np.isfinite(values)])
    ax.margins(x=0, y=0.05)
    ax.grid(True, alpha=0.25)
    readable(ax)
    if len(arrays) > 1:
        ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)


def _scale_values(ax: Axes, values: np.ndarray) -> None:
    if is_signed(values):
        ax.axhline(0.0, color="black", linewidth=0.8)
        if spans_decades(values):
            ax.set_yscale("asinh", linear_width=linear_threshold(values))
    elif values.size and np.all(values > 0) and spans_decades(values):
        ax.set_yscale("log")


def _shared(arrays: list[xr.DataArray]) -> xr.DataArray:
    """An array that stands for several: what their long names begin with ("population of ...")."""
    first = {quantity(a).split(" of ")[0] for a in arrays}
    name = first.pop() if len(first) == 1 else "value"
    return xr.DataArray(0.0, name=name, attrs={"long_name": name, "units": arrays[0].attrs.get("units", "")})
