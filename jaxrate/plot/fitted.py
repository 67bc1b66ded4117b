"""Plot of a fit beside what was measured, with its residuals."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxrate.plot.axes import Scaled, is_logarithmic, number, readable, scaled, spans_decades, typeset

COLUMNS = 3
"""Panels side by side at most."""
PANELS = 12
"""Panels of one figure at most."""
CURVES = 8
"""Up to so many curves of a panel are told apart by colours and a legend."""
MANY = 2000
"""From so many points on a panel is drawn as pixels, with points that do not hide each other."""
TWO_SIGMA = 2.0
BAND = ("fit_lower", "fit_upper")
NOT_CONDITIONS = ("dataset", "state", "line", "observable", "value", "sigma", "fit", *BAND, "residual")
Table = dict[str, np.ndarray]


def fit_data(fit: Any, x: str | None = None) -> Figure:
    """Data with error bars, the fit with its band, and below them the residuals in standard deviations.

    There is a panel for each data set and observable. Measurements under other conditions are curves of other colours;
    where these are more than eight, or have one point each, points alone are drawn.

    Args:
        fit: What `jr.fit` returned.
        x: Condition to lay out horizontally; by default the one that takes most values.

    Returns:
        The figure, of at most twelve panels; a title tells if there are more.

    Raises:
        ValueError: the fit has no such condition.
    """
    table = {name: np.asarray(values) for name, values in fit.table.items()}
    _check_condition(x, table)
    panels = list(_panels(table))
    shown = panels[:PANELS]
    figure, pairs = _pairs(len(shown))
    for (name, rows), (upper, lower) in zip(shown, pairs, strict=True):
        _draw_panel(upper, lower, rows, fit.units, x)
        upper.set_title(typeset(name), fontsize="medium")
    if len(panels) > PANELS:
        figure.suptitle(f"{PANELS} of {len(panels)} data sets")
    return figure


def _check_condition(x: str | None, table: Table) -> None:
    known = _conditions(table)
    if x is not None and x not in known:
        raise ValueError(
            f"`x` must be a condition of the fit, {', '.join(known) or 'of which it has none'}; not {x!r}."
        )


def _conditions(table: Table) -> list[str]:
    numbers = [name for name, values in table.items() if name not in NOT_CONDITIONS and values.dtype.kind in "iuf"]
    return [name for name in numbers if not _is_of_channel(name, table)]


def _is_of_channel(name: str, table: Table) -> bool:
    """Whether it is the power of one of several channels, which its wavelength tells apart."""
    group, _, last = name.rpartition(".")
    return last == "power" and f"{group}.wavelength" in table


def _panels(table: Table) -> Iterator[tuple[str, Table]]:
    """Name and rows of each panel; a data set has a name where there are several."""
    measured = table["observable"].astype(str)
    datasets = table["dataset"].astype(str) if "dataset" in table else np.full(len(measured), "")
    several = len(set(datasets.tolist())) > 1
    for dataset, name in dict.fromkeys(zip(datasets.tolist(), measured.tolist(), strict=True)):
        rows = (datasets == dataset) & (measured == name)
        yield dataset if several else "", {n: values[rows] for n, values in table.items()}


def _pairs(num: int) -> tuple[Figure, list[tuple[Axes, Axes]]]:
    """A figure with pairs of Axes, data above residuals."""
    across = min(num, COLUMNS)
    down = -(-num // across)
    figure = Figure(figsize=(max(5.6, 4.4 * across), 4.8 * down), dpi=150, layout="constrained")
    cells = list(itertools.product(range(down), range(across)))[:num]
    grid = figure.add_gridspec(2 * down, across, height_ratios=[3, 1] * down)
    pairs = []
    for row, column in cells:
        upper = figure.add_subplot(grid[2 * row, column])
        pairs.append((upper, figure.add_subplot(grid[2 * row + 1, column], sharex=upper)))
    return figure, pairs


def _draw_panel(upper: Axes, lower: Axes, rows: Table, units: Any, x: str | None) -> None:
    """One data set of one observable."""
    name = str(rows["observable"][0])
    along = x or _along(rows)
    at = rows[along] if along else np.arange(1, len(rows["value"]) + 1)
    across = scaled(along or "row", units.get(along, "") if along else "", at)
    upwards = scaled(name, units.get(name, ""), rows["value"])
    curves, title = _curves(rows, along, units)
    for curve in curves:
        _draw_curve(upper, lower, curve, at * across.factor, rows, upwards.factor)
    _finish_data(upper, at, rows, upwards, title)
    _finish_residuals(lower, across.label)


def _along(rows: Table) -> str | None:
    """The condition that takes most values."""
    counts = {name: len(np.unique(rows[name])) for name in _conditions(rows)}
    best = max(counts, key=lambda name: counts[name], default=None)
    return best if best is not None and counts[best] > 1 else None


@dataclass(frozen=True)
class _Curve:
    """Rows of a panel that are drawn together.

    Args:
        rows: Which, in the order in which they are joined.
        colour: Of the points.
        label: In the legend; None for a curve alone.
        is_joined: Whether a line joins the fit.
    """

    rows: np.ndarray
    colour: Any
    label: str | None
    is_joined: bool


def _curves(rows: Table, along: str | None, units: Any) -> tuple[list[_Curve], str]:
    """Curves of a panel, by the conditions other than that of the axis, and the title of their legend."""
    at = rows[along] if along else np.arange(len(rows["value"]))
    order = np.argsort(at, kind="stable")
    which, labels, title = _together(rows, along, units)
    if len(labels) < 2:
        return [_Curve(order, "C0", None, True)], ""
    if len(labels) > CURVES or 2 * len(labels) > len(at):
        return [_Curve(order, "C0", None, False)], ""
    palette = matplotlib.colormaps["viridis"]
    curves = [
        _Curve(order[which[order] == i], palette(0.85 * i / max(len(labels) - 1, 1)), label, True)
        for i, label in enumerate(labels)
    ]
    return curves, title


def _together(rows: Table, along: str | None, units: Any) -> tuple[np.ndarray, list[str], str]:
    """Which curve each row belongs to, the label of each curve, and the title of these.

    Channels of one state make a curve; where there are none, so do rows that share all conditions but that of the axis.
    """
    if "state" in rows:
        names, which = np.unique(rows["state"].astype(str), return_inverse=True)
        return which.ravel(), names.tolist(), "state"
    others = [name for name in _conditions(rows) if name != along and len(np.unique(rows[name])) > 1]
    if not others:
        return np.zeros(len(rows["value"]), int), [""], ""
    keys, which = np.unique(np.stack([rows[name] for name in others], 1), axis=0, return_inverse=True)
    scales = [scaled(name, units.get(name, ""), rows[name]) for name in others]
    labels = [", ".join(number(v * s.factor) for v, s in zip(key, scales, strict=True)) for key in keys]
    return which.ravel(), labels, ", ".join(s.label for s in scales)


def _draw_curve(upper: Axes, lower: Axes, curve: _Curve, at: np.ndarray, rows: Table, factor: float) -> None:
    i, many = curve.rows, len(at) > MANY
    style: dict[str, Any] = {
        "color": curve.colour, "linestyle": "none", "marker": ".", "rasterized": many, "zorder": 2,
        "markersize": 2 if many else 6, "alpha": 0.3 if many else 1.0,
    }  # fmt: skip
    upper.errorbar(
        at[i],
        rows["value"][i] * factor,
        rows["sigma"][i] * factor,
        **style,
        elinewidth=0.8,
        label="data" if curve.label is None else None,
    )
    lower.plot(at[i], rows["residual"][i], **style)
    fit = rows["fit"][i] * factor
    if not curve.is_joined:
        upper.plot(at[i], fit, color="tab:red", linestyle="none", marker="_", markersize=9, zorder=3, label="fit")
        return
    colour = "tab:red" if curve.label is None else curve.colour
    upper.plot(at[i], fit, color=colour, linewidth=1.3, zorder=3, label=curve.label or "fit")
    if "fit_lower" in rows:
        band = rows["fit_lower"][i] * factor, rows["fit_upper"][i] * factor
        upper.fill_between(at[i], *band, color=colour, alpha=0.25, linewidth=0, zorder=1)


def _finish_data(ax: Axes, at: np.ndarray, rows: Table, upwards: Scaled, title: str) -> None:
    ax.set_ylabel(upwards.label)
    ax.tick_params(labelbottom=False)
    if is_logarithmic(np.unique(at)):
        ax.set_xscale("log")
    values = np.concatenate([rows["value"], rows["fit"]])
    if np.all(values > 0) and spans_decades(rows["fit"]):
        ax.set_yscale("log")
        # Long error bars reach zero: they are cut off, and the axis is as long as the values need.
        ax.set_ylim(values.min() / 1.5 * upwards.factor, values.max() * 1.5 * upwards.factor)
    ax.grid(True, alpha=0.25)
    ax.legend(title=title or None, fontsize="small", title_fontsize="small", framealpha=0.9)
    readable(ax)


def _finish_residuals(ax: Axes, label: str) -> None:
    ax.axhspan(-TWO_SIGMA, TWO_SIGMA, color="0.5", alpha=0.15, linewidth=0)
    ax.axhline(0.0, color="black", linewidth=0.8)
    reach = max(3.2, 1.05 * max(map(abs, ax.get_ylim())))
    ax.set_ylim(-reach, reach)
    ax.set_xlabel(label)
    ax.set_ylabel("residual (σ)")
    ax.locator_params(axis="y", nbins=5, integer=True)
    ax.grid(True, alpha=0.25)
    readable(ax)
