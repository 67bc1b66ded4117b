"""Plots of random ensembles: how many have which value."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from jaxrate.plot.axes import axes, label, pick, readable


def histogram(
    values: xr.Dataset | xr.DataArray, name: str | None = None, *, bins: int = 60, ax: Axes | None = None
) -> Axes:
    """Histogram of a quantity over all ensembles, with its mean and standard deviation; or one counted by a sweep.

    Args:
        values: What `jr.sweep` returned, or one array of it.
        name: Which quantity of a dataset; that of a `jr.Histogram` is `gain_histogram`.
        bins: Number of bins, where the sweep has not counted.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: there is none of that name, it has no numbers, or its counts have more than one axis.
    """
    array, ax = pick(values, name), axes(ax)
    counted = str(array.name).endswith("_histogram")
    (_draw_counts if counted else _draw_values)(array, bins, ax)
    ax.set_ylabel("ensembles")
    ax.set_ylim(0)
    readable(ax)
    return ax


def _draw_counts(array: xr.DataArray, bins: int, ax: Axes) -> None:
    """What was counted; bins without an end are left out."""
    if array.ndim != 1:
        others = ", ".join(f"`{dim}`" for dim in array.dims[:-1])
        raise ValueError(f"Counts along {others} are several histograms: select one, for example ds.isel(...).")
    (dim,) = array.dims
    left, right = (np.asarray(array.coords[f"{dim}_{side}"]) for side in ("left", "right"))
    kept = np.isfinite(left) & np.isfinite(right)
    counts, widths = np.asarray(array)[kept], (right - left)[kept]
    ax.bar(left[kept], counts, widths, align="edge", edgecolor="white", linewidth=0.4)
    ax.set_xlabel(label(array.coords[dim]))


def _draw_values(array: xr.DataArray, bins: int, ax: Axes) -> None:
    found = np.asarray(array, np.float64)
    found = found[np.isfinite(found)]
    if not found.size:
        raise ValueError(f"`{array.name}` has no ensemble with a result.")
    ax.hist(found, bins, edgecolor="white", linewidth=0.4)
    mean, spread = found.mean(), found.std()
    ax.axvline(mean, color="black", linewidth=1.2, label=f"mean {mean:.4g}, standard deviation {spread:.2g}")
    ax.set_xlabel(label(array))
    ax.legend(framealpha=0.9)
