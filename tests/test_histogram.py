"""Histograms of random ensembles, judged by what matplotlib holds."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from jaxrate import plot


def drawn_members(values: np.ndarray, name: str = "gain") -> xr.DataArray:
    """What a sweep with random parameters returns, made by hand."""
    return xr.DataArray(values, dims="ensemble", name=name, attrs={"units": "m^-1", "long_name": "gain of laser"})


def counted(edges: np.ndarray, counts: list[int]) -> xr.DataArray:
    """What a sweep with `jr.Histogram` returns."""
    attrs = {"units": "m^-1", "long_name": "gain of laser"}
    sides = {"": (edges[:-1] + edges[1:]) / 2, "_left": edges[:-1], "_right": edges[1:]}
    coords = {f"gain_bin{side}": ("gain_bin", values, attrs) for side, values in sides.items()}
    return xr.DataArray(counts, coords, ("gain_bin",), "gain_histogram", {"units": "1"})


def bars_of(ax: Axes) -> np.ndarray:
    """Left edge, width and height of each."""
    bars = [bar for bar in ax.patches if isinstance(bar, Rectangle)]
    return np.array([(bar.get_x(), bar.get_width(), bar.get_height()) for bar in bars])


def legend_of(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def test_a_histogram_counts_every_ensemble_that_has_a_result():
    values = np.append(np.random.default_rng(1).normal(1250.0, 50.0, 999), np.nan)
    ax = plot.histogram(xr.Dataset({"gain": drawn_members(values), "other": drawn_members(values)}), "gain", bins=20)
    assert (ax.get_xlabel(), ax.get_ylabel()) == (r"gain of laser ($\mathrm{m^{-1}}$)", "ensembles")
    assert bars_of(ax)[:, 2].sum() == 999
    assert len(ax.patches) == 20
    np.testing.assert_allclose(np.asarray(ax.lines[0].get_xdata()), np.nanmean(values))
    (text,) = legend_of(ax)
    assert text.splitlines()[1] == "1 ensembles without a result"


def test_a_histogram_over_decades_has_bins_of_equal_ratios():
    ax = plot.histogram(drawn_members(np.geomspace(1e-3, 1e3, 600)), bins=6)
    left, width, height = bars_of(ax).T
    assert ax.get_xscale() == "log"
    np.testing.assert_allclose((left + width) / left, 10.0)
    np.testing.assert_allclose(height, 100, atol=1)


def test_the_legend_of_a_histogram_lies_above_it():
    ax = plot.histogram(drawn_members(np.linspace(0.0, 1.0, 50)))
    legend, drawn = ax.get_legend(), ax.get_figure(root=True)
    assert legend is not None
    assert drawn is not None
    drawn.canvas.draw()
    assert legend.get_window_extent().y0 >= ax.get_window_extent().y1


def test_counts_of_a_sweep_are_drawn_as_they_are_and_bins_without_an_end_in_words():
    ax = plot.histogram(counted(np.array([-np.inf, 1100.0, 1200.0, 1400.0, np.inf]), [3, 10, 20, 4]))
    np.testing.assert_array_equal(bars_of(ax), [(1100.0, 100.0, 10), (1200.0, 200.0, 20)])
    assert ax.get_xlabel() == r"gain of laser ($\mathrm{m^{-1}}$)"
    assert legend_of(ax) == ["7 outside of these bins"]
    ax = plot.histogram(counted(np.geomspace(1.0, 1e4, 5), [1, 2, 2, 1]))
    assert (ax.get_xscale(), legend_of(ax)) == ("log", [])


def test_what_has_nothing_to_count_is_refused():
    with pytest.raises(ValueError, match="`gain` has no ensemble with a result"):
        plot.histogram(drawn_members(np.full(3, np.nan)))
    with pytest.raises(ValueError, match=r"Counts along `x` are several histograms: .*\.isel\("):
        plot.histogram(counted(np.arange(4.0), [1, 1, 1]).expand_dims("x"))
