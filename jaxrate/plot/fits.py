"""Plots of a fit: profiles of its parameters, their correlations, where the starts led; and all its figures at once."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxrate.plot.axes import axes, readable, scaled, spans_decades, typeset
from jaxrate.plot.fitted import COLUMNS, fit_data

NUMBERED = 12
"""Correlations of up to so many parameters are written into their cells."""


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
    along = scaled(profile.name, estimate.unit, np.array([estimate.value]))
    at = values * along.factor
    ax.plot(at, rise, color="C0", marker=".", markersize=4, label="profile")
    ax.axhline(profile.threshold, color="0.3", linestyle="--", linewidth=0.9)
    if estimate.is_determined:
        _draw_parabola(ax, values, estimate, along.factor)
    ax.plot(estimate.value * along.factor, 0.0, color="tab:red", marker="o", markersize=5, clip_on=False, zorder=4)
    _draw_ends(ax, at, estimate, along.factor)
    if estimate.logarithmic and spans_decades(values, 1.0):
        ax.set_xscale("log")
    else:
        ax.locator_params(axis="x", nbins=5)
    ax.set_ylim(0.0, 2.2 * profile.threshold)
    ax.set_xlabel(along.label)
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
    """Logarithmic where minima differ by decades; rounding, which is all there is where none differ, is not shown."""
    above = rise[rise > 1e-6 * abs(best)]
    if not above.size:
        largest = abs(best) if np.isfinite(best) and best else 1.0
        ax.set_ylim(-0.05 * largest, largest)
    elif above.max() > 10 * above.min():
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
    if ax.get_legend_handles_labels()[1]:
        ax.legend(loc="upper left", fontsize="small")
