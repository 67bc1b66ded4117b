"""Plots of fits are judged by what matplotlib holds: panels, curves, scales, labels, marks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from jaxrate import plot
from jaxrate.fit.result import Starts
from tests.fit_results import INF, SIGNAL, degenerate, good, inadequate, joined, open_ended, saturation
from tests.refusal import refused
from tests.tolerance import close


def texts(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def lines(ax: Axes, style: str) -> list[Any]:
    return [line for line in ax.get_lines() if line.get_linestyle() == style and np.size(line.get_xdata()) > 2]


def numbers(values: Any) -> np.ndarray:
    return np.asarray(values, float)


def spectrum(num: int, unit: str = "Hz") -> dict[str, np.ndarray]:
    """A saturation's numbers as if they were measured at other conditions, `num` of them."""
    table = saturation("a")
    rows = len(table["value"])
    del table["signal.intensity"]
    return {**table, "light.frequency": np.linspace(281e12, 282e12, rows), "pump.rate": np.arange(rows) % num}


def test_each_data_set_has_data_above_its_residuals_on_one_axis():
    figure = plot.fit_data(good())
    gain, gain_residuals, light, light_residuals = figure.axes
    assert [ax.get_title() for ax in (gain, light)] == ["saturation", "decay"]
    assert gain.get_ylabel() == r"gain ($\mathrm{m^{-1}}$)"
    assert gain_residuals.get_xlabel() == r"signal.intensity ($\mathrm{W\,m^{-2}}$)"
    assert light_residuals.get_xlabel() == r"time ($\mathrm{ms}$)"
    assert gain_residuals.get_ylabel() == "residual (σ)"
    assert gain.get_xlim() == gain_residuals.get_xlim()
    assert (gain.get_xscale(), gain.get_yscale()) == ("log", "linear")
    assert (light.get_xscale(), light.get_yscale()) == ("linear", "log")


def test_the_condition_of_most_values_is_the_axis_and_the_next_makes_coloured_curves():
    ax, residuals, *_ = plot.fit_data(good()).axes
    curves = lines(ax, "-")
    table = saturation("saturation")
    for curve, pump in zip(curves, (1e3, 3e3, 1e4), strict=True):
        np.testing.assert_array_equal(numbers(curve.get_xdata()), SIGNAL)
        close(numbers(curve.get_ydata()), table["fit"][table["pump.rate"] == pump])
    assert texts(ax) == ["1000", "3000", "10000"]
    colours = [to_rgba(curve.get_color()) for curve in curves]
    assert len(set(colours)) == 3
    assert [to_rgba(points.get_color()) for points in residuals.get_lines() if points.get_marker() == "."] == colours


def test_bands_and_error_bars_are_those_of_the_table():
    fit = inadequate()
    ax = plot.fit_data(fit).axes[0]
    bars = np.concatenate([c.get_segments() for c in ax.collections if isinstance(c, LineCollection)])
    close(np.sort(np.ptp(bars[:, :, 1], axis=1)), np.full(36, 2 * 0.0213), 1e-9)
    band = np.concatenate([c.get_paths()[0].vertices for c in ax.collections if not isinstance(c, LineCollection)])
    assert set(np.round(fit.table["fit_upper"], 9)) <= set(np.round(band[:, 1], 9))


def test_an_axis_can_be_chosen():
    assert plot.fit_data(inadequate(), x="pump.rate").axes[1].get_xlabel() == r"pump.rate ($\mathrm{s^{-1}}$)"
    refused(lambda: plot.fit_data(good(), x="pump"), "`x` must be a condition", "pump.rate", "'pump'")


def test_units_get_the_prefix_of_their_values():
    units = {"gain": "dB", "light.frequency": "Hz"}
    ax, residuals = plot.fit_data(good(table=spectrum(1), units=units)).axes
    assert residuals.get_xlabel() == r"light.frequency ($\mathrm{THz}$)"
    assert ax.get_xlim()[1] == pytest.approx(282, abs=0.1)
    assert ax.get_ylabel() == r"gain ($\mathrm{dB}$)"
    assert texts(ax) == ["fit", "data"]


def test_too_many_curves_are_points():
    ax = plot.fit_data(good(table=spectrum(12), units={})).axes[0]
    assert lines(ax, "-") == []
    fit = next(line for line in ax.get_lines() if line.get_marker() == "_")
    np.testing.assert_array_equal(numbers(fit.get_ydata()), spectrum(12)["fit"])


def test_data_without_conditions_are_drawn_over_their_rows():
    table = {n: v for n, v in saturation("a").items() if n not in ("signal.intensity", "pump.rate", "fit_lower")}
    ax, residuals = plot.fit_data(good(table=table)).axes
    assert residuals.get_xlabel() == "row"
    np.testing.assert_array_equal(numbers(lines(ax, "-")[0].get_xdata()), np.arange(1, 37))


def test_a_figure_tells_how_many_data_sets_it_leaves_out():
    figure = plot.fit_data(good(table=joined(*(saturation(f"Sample {i}") for i in range(14)))))
    assert len(figure.axes) == 24
    assert figure.get_suptitle() == "12 of 14 data sets"


def test_residuals_beyond_the_usual_are_shown():
    table = saturation("a")
    table["residual"][3] = 40.0
    low, high = plot.fit_data(good(table=table)).axes[1].get_ylim()
    assert high == -low > 40


def test_a_profile_crosses_its_threshold_at_the_ends_that_are_marked():
    fit = good()
    figure = plot.fit_profiles(fit)
    assert len(figure.axes) == 3
    ax = figure.axes[0]
    ends = sorted(numbers(line.get_xdata())[0] for line in ax.get_lines() if np.ptp(numbers(line.get_xdata())) == 0)
    close(np.array(ends), [fit["laser.B"].lower, fit["laser.B"].value, fit["laser.B"].upper])
    curve = lines(ax, "-")[0]
    at_ends = np.interp([ends[0], ends[-1]], numbers(curve.get_xdata()), numbers(curve.get_ydata()))
    assert at_ends == pytest.approx([3.84, 3.84], rel=0.05)
    assert figure.axes[2].get_xlabel() == r"decay.lifetime ($\mathrm{µs}$)"
    assert texts(ax) == ["profile", "standard error"]


def test_ends_that_the_data_do_not_make_are_named_in_the_panel():
    titles = [ax.get_title() for ax in plot.fit_profiles(open_ended()).axes]
    assert titles[:2] == ["no upper end", "lower end limited by laser.B"]
    assert titles[2] == "lower end not found\nupper end limited by decay.lifetime"


def test_a_profile_over_decades_is_drawn_on_a_logarithmic_axis():
    fit = good()
    values = np.geomspace(1e18, 1e22, 15)
    wide = replace(fit.profiles[0], values=tuple(values.tolist()))
    assert plot.fit_profiles(replace(fit, profiles=(wide,))).axes[0].get_xscale() == "log"


def test_a_fit_without_profiles_refuses_to_draw_them():
    refused(lambda: plot.fit_profiles(inadequate()), "must have profiles", "'wald'", "use 'profile'")


def test_correlations_are_named_and_written_and_grey_where_there_are_none():
    ax = plot.fit_correlation(good())
    assert [text.get_text() for text in ax.get_yticklabels()] == ["laser.B", "density", "decay.lifetime"]
    assert sorted(text.get_text() for text in ax.texts) == sorted(["-0.97", "0.20", "-0.10"] * 2)
    image = plot.fit_correlation(degenerate()).get_images()[0]
    assert np.ma.getmaskarray(np.ma.asarray(image.get_array())).sum() == 15
    assert image.get_clim() == (-1, 1)


def test_starts_rise_in_steps_on_a_scale_that_shows_them():
    ax = plot.fit_starts(good())
    rise = numbers(lines(ax, "-")[0].get_ydata())
    assert rise.size == 253
    close(rise[[0, 242, 243, 252]], np.array([0.0, 0.0, 812.0, 5.1e4]) - [0, 0, 91.2, 91.2], 1e-12)
    assert ax.get_yscale() == "symlog"
    assert texts(ax) == ["best minimum: 243 of 256", "no finite prediction: 3"]


def test_rounding_of_a_single_minimum_is_not_drawn_as_steps():
    ax = plot.fit_starts(good(starts=Starts(3, 0, 0, (2.0, 2.0 + 1e-14, 2.0 + 2e-14), ())))
    assert ax.get_yscale() == "linear"
    assert ax.get_ylim() == (-0.1, 2.0)


def test_a_fit_plots_what_applies_and_saves_it(tmp_path: Path):
    before = dict(matplotlib.rcParams)
    assert list(good().plot()) == ["data", "profiles", "correlation", "starts"]
    assert list(degenerate().plot()) == ["data", "profiles"]
    drawn = inadequate().plot(tmp_path / "new")
    assert all(isinstance(figure, Figure) for figure in drawn.values())
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["correlation.png", "data.png", "starts.png"]
    assert all(p.stat().st_size > 10_000 for p in (tmp_path / "new").iterdir())
    assert dict(matplotlib.rcParams) == before


def test_single_plots_are_drawn_where_asked():
    for draw in (plot.fit_correlation, plot.fit_starts):
        ax = Figure().add_subplot()
        assert draw(good(), ax=ax) is ax


def test_a_fit_whose_every_start_failed_is_drawn():
    fit = good(starts=Starts(2, 2, 0, (INF, INF), ()), profiles=(), status="not_converged")
    assert list(fit.plot()) == ["data", "correlation"]
    assert texts(plot.fit_starts(fit)) == ["no finite prediction: 2"]
