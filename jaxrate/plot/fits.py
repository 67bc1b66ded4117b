"""Plots of a fit: data with the fit and residuals, profiles, correlations, where the starts led."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxrate.plot.axes import axes, is_logarithmic, labelled, number, readable, spans_decades, typeset
from jaxrate.unit_text import pretty

COLUMNS = 3
"""Panels side by side at most."""
PANELS = 12
"""Panels of one figure at most."""
CURVES = 8
"""Up to so many curves of a panel are told apart by colours and a legend."""
MANY = 2000
"""From so many points on a panel is drawn as pixels, with points that do not hide each other."""
TWO_SIGMA = 2.0
NUMBERED = 12
"""Correlations of up to so many parameters are written into their cells."""
NOT_CONDITIONS = (
    "dataset",
    "state",
    "line",
    "observable",
    "value",
    "sigma",
    "fit",
    "fit_lower",
    "fit_upper",
    "residual",
)
Table = dict[str, np.ndarray]


def fit_figures(fit: Any) -> dict[str, Figure]:
    """All figures of a fit, as far as they apply, by name: "data", "profiles", "correlation", "starts".

    Args:
        fit: What `jr.fit` returned.
    """
    figures = {"data": fit_data(fit)}
    if fit.profiles:
        figures["profiles"] = fit_profiles(fit)
    if np.isfinite(np.diag(fit.covariance)).sum() > 1:
        figures["correlation"] = _figure(fit_correlation(fit))
    if np.isfinite(fit.starts.chi2).sum() > 1:
        figures["starts"] = _figure(fit_starts(fit))
    return figures


def _figure(ax: Axes) -> Figure:
    found = ax.get_figure(root=True)
    assert found is not None
    return found


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
    return [name for name, values in table.items() if name not in NOT_CONDITIONS and values.dtype.kind in "iuf"]


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


@dataclass(frozen=True)
class _Scaled:
    """A quantity in the prefix that its values suggest."""

    label: str
    factor: float


def _scaled(name: str, unit: str, values: np.ndarray) -> _Scaled:
    """Label with the unit, and what SI values are multiplied by."""
    size = np.abs(values[np.isfinite(values)])
    largest = float(size.max(initial=0.0))
    if largest == 0 or not unit or unit.startswith("dB"):
        return _Scaled(labelled(typeset(name), "" if unit == "1" else unit), 1.0)
    power = int(np.floor(np.log10(largest))) // 3 * 3
    if unit == "m" and 1e-7 <= largest < 2.5e-6:
        power = -9  # optics counts in nm up to a few micrometres
    one, _, prefixed = pretty(10.0**power, unit).partition(" ")
    power, prefixed = (power, prefixed) if one == "1" else (0, "" if unit == "1" else unit)
    return _Scaled(labelled(typeset(name), prefixed), 10.0**-power)


def _draw_panel(upper: Axes, lower: Axes, rows: Table, units: Any, x: str | None) -> None:
    """One data set of one observable."""
    name = str(rows["observable"][0])
    along = x or _along(rows)
    at = rows[along] if along else np.arange(1, len(rows["value"]) + 1)
    across = _scaled(along or "row", units.get(along, "") if along else "", at)
    upwards = _scaled(name, units.get(name, ""), rows["value"])
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
    others = [name for name in _conditions(rows) if name != along and len(np.unique(rows[name])) > 1]
    if not others:
        return [_Curve(order, "C0", None, True)], ""
    keys, which = np.unique(np.stack([rows[name] for name in others], 1), axis=0, return_inverse=True)
    if len(keys) > CURVES or 2 * len(keys) > len(at):
        return [_Curve(order, "C0", None, False)], ""
    palette = matplotlib.colormaps["viridis"]
    scales = [_scaled(name, units.get(name, ""), rows[name]) for name in others]
    labels = [", ".join(number(v * s.factor) for v, s in zip(key, scales, strict=True)) for key in keys]
    curves = [
        _Curve(order[which.ravel()[order] == i], palette(0.85 * i / max(len(keys) - 1, 1)), label, True)
        for i, label in enumerate(labels)
    ]
    return curves, ", ".join(s.label for s in scales)


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


def _finish_data(ax: Axes, at: np.ndarray, rows: Table, upwards: _Scaled, title: str) -> None:
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


def fit_profiles(fit: Any) -> Figure:
    r"""Profile of each parameter: how far chi2 rises when it is held and all others are fitted anew.

    The interval, shaded, is where the rise is below the dashed threshold. The dotted parabola is what the standard
    error alone would say; where the profile leaves it, a symmetric error does not hold.

    Args:
        fit: What `jr.fit` returned, with intervals from profiles.

    Returns:
        The figure, a panel for each parameter.

    Raises:
        ValueError: the fit has no profiles.
    """
    if not fit.profiles:
        raise ValueError(f"The fit must have profiles, but its intervals are of method {fit.method!r}: use 'profile'.")
    num = len(fit.profiles)
    across = min(num, COLUMNS)
    down = -(-num // across)
    figure = Figure(figsize=(max(4.2, 3.4 * across), 3.2 * down), dpi=150, layout="constrained")
    for i, profile in enumerate(fit.profiles):
        ax = figure.add_subplot(down, across, i + 1)
        _draw_profile(ax, profile, fit[profile.name])
        ax.set_ylabel("rise of χ²" if i % across == 0 else "")
    figure.axes[0].legend(loc="upper center", fontsize="small", framealpha=0.9)
    return figure


def _draw_profile(ax: Axes, profile: Any, estimate: Any) -> None:
    values, rise = np.array(profile.values), np.array(profile.chi2)
    scaled = _scaled(profile.name, estimate.unit, np.array([estimate.value]))
    at = values * scaled.factor
    ax.plot(at, rise, color="C0", marker=".", markersize=4, label="profile")
    ax.axhline(profile.threshold, color="0.3", linestyle="--", linewidth=0.9)
    if estimate.is_determined:
        _draw_parabola(ax, values, estimate, scaled.factor)
    ax.plot(estimate.value * scaled.factor, 0.0, color="tab:red", marker="o", markersize=5, clip_on=False, zorder=4)
    _draw_ends(ax, at, estimate, scaled.factor)
    if estimate.logarithmic and spans_decades(values, 1.0):
        ax.set_xscale("log")
    else:
        ax.locator_params(axis="x", nbins=5)
    ax.set_ylim(0.0, 2.2 * profile.threshold)
    ax.set_xlabel(scaled.label)
    ax.margins(x=0)
    ax.grid(True, alpha=0.25)
    readable(ax)


def _draw_parabola(ax: Axes, values: np.ndarray, estimate: Any, factor: float) -> None:
    """Rise of chi2 if the standard error of the value itself were the whole truth."""
    if 0 < estimate.error < np.inf:
        x = np.linspace(values.min(), values.max(), 200)
        rise = ((x - estimate.value) / estimate.error) ** 2
        ax.plot(x * factor, rise, color="0.4", linestyle=":", linewidth=1.2, label="standard error")


def _draw_ends(ax: Axes, at: np.ndarray, estimate: Any, factor: float) -> None:
    """Shade the interval; an end that the data do not make is named."""
    inside = [at.min(), at.max()]
    ends = [estimate.lower, estimate.upper]
    labels = [estimate.lower_label, estimate.upper_label]
    shaded = [e * factor if _has_end(e, label) else edge for e, label, edge in zip(ends, labels, inside, strict=True)]
    ax.axvspan(*np.clip(shaded, *inside), color="C0", alpha=0.12, linewidth=0)
    for end, label in zip(ends, labels, strict=True):
        if _has_end(end, label):
            ax.axvline(end * factor, color="C0", linewidth=0.9)
    said = [_said(side, label) for side, label in zip(("lower", "upper"), labels, strict=True) if label != "data"]
    ax.set_title(typeset("\n".join(said)), fontsize="small", color="tab:red")


def _said(side: str, label: str) -> str:
    return f"no {side} end" if label == "unbounded" else f"{side} end {label}"


def _has_end(end: float, label: str) -> bool:
    return bool(np.isfinite(end)) and label not in ("unbounded", "not found")


def fit_correlation(fit: Any, *, ax: Axes | None = None) -> Axes:
    """Matrix of the correlations between parameters; those of a parameter that is not determined are grey.

    Args:
        fit: What `jr.fit` returned.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes; the colour bar is in `ax.figure.axes`.
    """
    matrix = np.asarray(fit.correlation)
    names = [typeset(e.name) for e in fit.estimates]
    side = 2.6 + 0.5 * min(len(names), 30)
    ax = axes(ax, (side + 1.0, side))
    colours = matplotlib.colormaps["RdBu_r"].with_extremes(bad="0.8")
    image = ax.imshow(np.ma.masked_invalid(matrix), cmap=colours, vmin=-1, vmax=1, aspect="auto")
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    for (i, j), r in np.ndenumerate(matrix if len(names) <= NUMBERED else np.zeros((0, 0))):
        if np.isfinite(r) and i != j:
            ax.text(
                j, i, f"{r:.2f}", ha="center", va="center", fontsize="small", color="white" if abs(r) > 0.6 else "black"
            )
    ax.figure.colorbar(image, ax=ax, pad=0.02).set_label("correlation")
    return ax


def fit_starts(fit: Any, *, ax: Axes | None = None) -> Axes:
    """Where the starts led: chi2 above the best, sorted. Each step is a minimum; a long first one speaks for the best.

    Args:
        fit: What `jr.fit` returned.
        ax: Where to draw; by default a new figure.

    Returns:
        The Axes.
    """
    ended = np.sort(np.asarray(fit.starts.chi2, float))
    ended = ended[np.isfinite(ended)]
    best = fit.starts.minima[0].chi2 if fit.starts.minima else ended.min(initial=np.inf)
    rise = np.maximum(ended - best, 0.0)
    ax = axes(ax)
    ax.plot(
        np.arange(1, len(rise) + 1), rise, color="C0", marker=".", markersize=5, linewidth=0.8, drawstyle="steps-mid"
    )
    _scale_rise(ax, rise, best)
    _mark_starts(ax, fit.starts, len(rise))
    ax.set_xlabel("start, sorted")
    ax.set_ylabel("χ² above the best")
    ax.grid(True, alpha=0.25)
    readable(ax)
    return ax


def _scale_rise(ax: Axes, rise: np.ndarray, best: float) -> None:
    """Logarithmic above what is rounding, where the minima differ by decades."""
    above = rise[rise > 1e-6 * (abs(best) or 1.0)]
    if above.size and above.max() > 10 * above.min():
        linear = 10.0 ** np.floor(np.log10(above.min()))
        ax.set_yscale("symlog", linthresh=linear)
        ax.set_ylim(bottom=-0.3 * linear)


def _mark_starts(ax: Axes, starts: Any, shown: int) -> None:
    """How many starts lie on each step, and how many failed."""
    if starts.minima:
        reached = starts.minima[0].starts
        ax.axvspan(
            0.5, reached + 0.5, color="C0", alpha=0.12, linewidth=0, label=f"best minimum: {reached} of {starts.num}"
        )
    if starts.failed:
        ax.axvspan(
            shown + 0.5, starts.num + 0.5, color="0.8", linewidth=0, label=f"no finite prediction: {starts.failed}"
        )
    ax.set_xlim(0.5, starts.num + 0.5)
    ax.legend(loc="upper left", fontsize="small")
