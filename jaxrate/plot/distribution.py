"""Plots of random ensembles: how many have which value."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from jaxrate.plot.axes import axes, is_logarithmic, label, number, pick, readable, spans_decades

BARS = {"edgecolor": "white", "linewidth": 0.4}


def histogram(
    values: xr.Dataset | xr.DataArray, name: str | None = None, *, bins: int = 60, ax: Axes | None = None
) -> Axes:
    """Histogram of a quantity over all ensembles, with its mean and standard deviation; or one counted by a sweep.

    Values that span decades are drawn on a logarithmic axis, with bins of equal width there. What is not drawn, being
    without a result or in a bin without an end, is counted in the legend.

    Args:
        values: What `jr.sweep` returned, or one array of it, such as a parameter that was drawn, `ds["laser.B"]`.
        name: Which quantity of a dataset; that of a `jr.Histogram` is `gain_histogram`.
        bins: Number of bins, where the sweep has not counted.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: there is none of that name, it has no numbers, or its counts have more than one axis.

    Examples:
        >>> from jaxrate import plot
        >>> ds = jr.sweep(bench, random=jr.uniform("temperature", "290 K", "310 K"), ensembles=1000)
        >>> ax = plot.histogram(ds, "gain")
    """
    array, ax = pick(values, name), axes(ax)
    counted = [dim for dim in array.dims if f"{dim}_left" in array.coords]
    if counted:
        _draw_counts(array, str(counted[0]), ax)
    else:
        _draw_values(array, bins, ax)
    ax.set_ylabel("ensembles")
    ax.set_ylim(0)
    readable(ax)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False)  # above, where it hides nothing
    return ax


def _draw_counts(array: xr.DataArray, dim: str, ax: Axes) -> None:
    """What was counted; bins without an end are left out."""
    if others := ", ".join(f"`{other}`" for other in array.dims if other != dim):
        raise ValueError(f"Counts along {others} are several histograms: select one, for example with .isel(...).")
    left, right = (np.asarray(array.coords[f"{dim}_{side}"]) for side in ("left", "right"))
    counts, kept = np.asarray(array), np.isfinite(left) & np.isfinite(right)
    outside = int(counts[~kept].sum())
    edges = np.append(left[kept], right[kept][-1:])
    ax.bar(
        left[kept],
        counts[kept],
        (right - left)[kept],
        align="edge",
        label=f"{outside:,} outside of these bins" if outside else "",
        **BARS,
    )
    _scale(ax, is_logarithmic(edges))
    ax.set_xlabel(label(array.coords[dim]))


def _draw_values(array: xr.DataArray, bins: int, ax: Axes) -> None:
    given = np.asarray(array, np.float64)
    found = given[np.isfinite(given)]
    if not found.size:
        raise ValueError(f"`{array.name}` has no ensemble with a result.")
    logarithmic = bool(np.all(found > 0)) and spans_decades(found)
    edges = np.geomspace(found.min(), found.max(), bins + 1) if logarithmic else bins
    ax.hist(found, edges, **BARS)
    _scale(ax, logarithmic)
    text = _summary(found, str(array.attrs.get("units", "1")))
    if lacking := given.size - found.size:
        text += f"\n{lacking:,} ensembles without a result"
    ax.axvline(found.mean(), color="black", linewidth=1.2, label=text)
    ax.set_xlabel(label(array))


def _scale(ax: Axes, logarithmic: bool) -> None:
    if logarithmic:
        ax.set_xscale("log")


def _summary(found: np.ndarray, unit: str) -> str:
    """Mean and standard deviation, in as many digits as they are worth."""
    mean, spread = (float(f"{x:.{digits}g}") for x, digits in ((found.mean(), 4), (found.std(), 2)))
    return f"mean {number(mean, unit)}, standard deviation {number(spread, unit)}"
