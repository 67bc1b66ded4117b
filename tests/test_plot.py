"""Plots are judged by what matplotlib holds: labels, scales, colours, and where texts lie."""

import itertools
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm, Normalize, SymLogNorm
from matplotlib.figure import Figure

import jaxrate as jr
from jaxrate import plot
from jaxrate.constants import c
from jaxrate.network.compile import compile_network
from jaxrate.plot.axes import is_logarithmic, number, typeset
from jaxrate.plot.diagram import _spread
from jaxrate.solve.solution import Solution

ND = jr.media("nd-yag")
PUMP, SIGNAL = np.geomspace(1e-2, 1e4, 13), np.geomspace(1e3, 1e9, 7)


def swept(values: np.ndarray, pump: np.ndarray = PUMP, signal: np.ndarray = SIGNAL) -> xr.DataArray:
    """What a sweep returns, made by hand: plots need no solver."""
    coords = {
        "pump.rate": ("pump.rate", pump, {"units": "s^-1", "long_name": "pump.rate"}),
        "signal.intensity": ("signal.intensity", signal, {"units": "W m^-2", "long_name": "signal.intensity"}),
    }
    attrs = {"units": "m^-1", "long_name": "gain of laser"}
    return xr.DataArray(values, coords, ("pump.rate", "signal.intensity"), "gain", attrs)


def gain() -> xr.DataArray:
    """Absorbs below a pump rate of 0.07 s^-1; spans six decades."""
    return swept((PUMP[:, None] - 0.07) / (1 + SIGNAL / 3e7))


def drawn_labels(ax: Axes) -> tuple[str, str]:
    return ax.get_xlabel(), ax.get_ylabel()


def figure(ax: Axes) -> Figure:
    found = ax.get_figure(root=True)
    assert found is not None
    return found


def mesh_of(ax: Axes) -> QuadMesh:
    found = ax.collections[0]
    assert isinstance(found, QuadMesh)
    return found


def bar_of(ax: Axes) -> Axes:
    return figure(ax).axes[1]


def test_a_map_labels_its_axes_with_quantity_and_unit():
    ax = plot.map(xr.Dataset({"gain": gain()}), "gain")
    assert drawn_labels(ax) == (r"pump.rate ($\mathrm{s^{-1}}$)", r"signal.intensity ($\mathrm{W\,m^{-2}}$)")
    assert bar_of(ax).get_ylabel() == r"gain of laser ($\mathrm{m^{-1}}$)"
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_a_map_of_gain_is_white_at_zero_and_marks_transparency():
    ax = plot.map(gain())
    mesh = mesh_of(ax)
    assert isinstance(mesh.norm, SymLogNorm)
    assert mesh.norm(0.0) == pytest.approx(0.5)
    assert mesh.norm.vmin == pytest.approx(-float(gain().max()))
    contour = np.concatenate([path.vertices for path in ax.collections[1].get_paths()])
    assert contour[:, 0].min() >= PUMP[1]  # the grid point below 0.07
    assert contour[:, 0].max() <= PUMP[2]
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["transparency"]


def test_the_scale_of_colours_follows_the_values():
    flat = swept(np.linspace(-1, 2, PUMP.size * SIGNAL.size).reshape(PUMP.size, SIGNAL.size))
    norm = plot.map(flat).collections[0].norm
    assert type(norm) is Normalize
    assert (norm.vmin, norm.vmax) == (-2, 2)
    positive = swept(PUMP[:, None] * np.ones(SIGNAL.size))
    assert isinstance(plot.map(positive.assign_attrs(long_name="population of a")).collections[0].norm, LogNorm)
    assert plot.map(swept(np.full((PUMP.size, SIGNAL.size), np.nan))).collections[0].norm.vmax == 1


def test_gain_of_one_sign_keeps_its_colours():
    """Red amplifies and blue absorbs in every map, also where only one of them occurs."""
    values = swept(PUMP[:, None] * np.ones(SIGNAL.size))
    for sign in (1, -1):
        ax = plot.map(values.copy(data=sign * values))
        red, _, blue, _ = ax.collections[0].cmap(ax.collections[0].norm(sign * PUMP[-1]))
        assert (red > blue) == (sign > 0)
        assert ax.get_legend() is None
        assert bar_of(ax).get_ylim() == tuple(sorted((sign * PUMP[0], sign * PUMP[-1])))


def test_lanes_without_a_result_are_grey():
    values = gain()
    values[3, 2] = np.nan
    mesh = mesh_of(plot.map(values))
    assert np.isnan(np.ma.filled(np.ma.asarray(mesh.get_array()), np.nan)).sum() == 1
    assert mesh.cmap.get_bad()[:3] == pytest.approx([0.75] * 3)


def test_linear_axes_stay_linear_and_can_be_exchanged():
    ax = plot.map(swept(np.ones((3, 4)), np.linspace(0, 1, 3), np.linspace(1, 2, 4)), x="signal.intensity")
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "linear")
    assert ax.get_xlabel().startswith("signal.intensity")


def test_cells_lie_around_their_values_on_a_logarithmic_axis():
    mesh = mesh_of(plot.map(swept(np.ones((3, 3)), np.array([1.0, 100.0, 1e4]), np.array([1.0, 2.0, 3.0]))))
    corners = np.asarray(mesh.get_coordinates())[0, :, 0]
    np.testing.assert_allclose(corners, [0.1, 10, 1e3, 1e5])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plot.map(xr.Dataset({"gain": gain()}), "gian"), ["gian", "did you mean `gain`"]),
        (lambda: plot.map(gain()[0]), ["two axes", "signal.intensity", "ds.isel"]),
        (lambda: plot.map(gain()[:1]), ["at least two values", "`pump.rate` (1)"]),
        (lambda: plot.map(gain(), x="pump"), ["`x` must be an axis", "'pump'"]),
        (lambda: plot.curves(gain().expand_dims("time")), ["one or two axes", "time"]),
        (lambda: plot.spectrum(gain()), ["axis `frequency`", "jr.Gain"]),
        (lambda: plot.populations(rising(PUMP), ["4F"]), ["`4F` is not a level"]),
        (lambda: plot.populations(path(PUMP, np.ones((4, 13, 2)))), ["one ensemble", "jr.evolve"]),
        (lambda: plot.decay(jr.steady_state(ND)), ["not of a steady state"]),
        (lambda: plot.decay(path(PUMP, np.zeros((4, 13)))), ["`laser`", "emits light"]),
        (lambda: plot.decay(rising(PUMP), ["lazer"]), ["did you mean `laser`"]),
        (lambda: plot.cross_sections(ND, "lazer"), ["did you mean `laser`"]),
        (lambda: plot.cross_sections(ND, "laser", against="energy"), ["'wavelength' or 'frequency'"]),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_drawn_is_refused(call, words):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the words are checked below
        call()
    assert all(word in str(refused.value) for word in words)


def test_curves_of_several_quantities_share_their_unit_and_a_legend():
    levels = {
        name: gain()[:, 0].copy(data=PUMP).assign_attrs(units="1", long_name=f"population of {level}")
        for name, level in (("a", "4F3/2"), ("b", "4I9/2"))
    }
    ax = plot.curves(xr.Dataset(levels), ["a", "b"])
    assert drawn_labels(ax) == (r"pump.rate ($\mathrm{s^{-1}}$)", "population")
    assert [str(line.get_label()) for line in ax.lines] == [r"$^{4}\mathrm{F}_{3/2}$", r"$^{4}\mathrm{I}_{9/2}$"]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    mixed = xr.Dataset(levels | {"c": gain()[:, 0]})
    with pytest.raises(ValueError, match="share their unit"):
        plot.curves(mixed, ["a", "c"])


def test_a_second_axis_makes_a_family_of_curves():
    few, many = plot.curves(gain()), plot.curves(gain().transpose())
    legend = few.get_legend()
    assert legend is not None
    assert legend.get_title().get_text() == r"signal.intensity ($\mathrm{W\,m^{-2}}$)"
    assert legend.get_texts()[0].get_text() == "1000"
    assert few.get_yscale() == "asinh"  # both signs, over decades
    assert many.get_legend() is None
    assert bar_of(many).get_ylabel() == r"pump.rate ($\mathrm{s^{-1}}$)"


def test_a_spectrum_is_drawn_against_wavelength_or_frequency():
    frequency = np.linspace(281e12, 282.4e12, 9)
    values = xr.DataArray(np.arange(9.0), {"frequency": frequency}, name="gain", attrs={"units": "m^-1"})
    ax = plot.spectrum(values)
    assert drawn_labels(ax) == (r"vacuum wavelength ($\mathrm{nm}$)", r"gain ($\mathrm{m^{-1}}$)")
    np.testing.assert_allclose(np.sort(np.asarray(ax.lines[0].get_xdata())), np.sort(c / frequency * 1e9))
    assert plot.spectrum(values, against="frequency").get_xlabel() == r"frequency ($\mathrm{THz}$)"


def test_cross_sections_are_those_of_the_line():
    ax = plot.cross_sections(ND, "laser")
    emission, absorption = (np.asarray(line.get_ydata()) for line in ax.lines)
    assert emission.max() == pytest.approx(2.8e-23, rel=1e-9)
    assert absorption.max() == pytest.approx(2.8e-23 * 4 / 12, rel=1e-9)
    assert np.asarray(ax.lines[0].get_xdata())[emission.argmax()] == pytest.approx(1064.15, rel=1e-9)
    assert drawn_labels(ax) == (r"vacuum wavelength ($\mathrm{nm}$)", r"cross-section of laser ($\mathrm{m^{2}}$)")


def path(times: np.ndarray, populations: np.ndarray, model: jr.Model = ND) -> Solution:
    """What `jr.evolve` returns, made by hand."""
    return Solution(populations, np.int8(0), model.parameters(), compile_network(model), times)


def rising(times: np.ndarray) -> Solution:
    """Two levels fill up, one as fast as the other empties."""
    n = 0.3 * -np.expm1(-times / 2e-6)
    return path(times, np.stack([1 - 1.01 * n, 0.01 * n, n, 0 * n]))


def test_populations_over_decades_of_time_are_drawn_on_logarithmic_axes():
    ax = plot.populations(rising(np.append(0, np.geomspace(1e-11, 1e-4, 90))), steady=[0.697, 0.003, 0.3, 0])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert drawn_labels(ax) == (r"time ($\mathrm{s}$)", "population")
    legend = ax.get_legend()
    assert legend is not None
    assert legend.get_texts()[2].get_text() == r"$^{4}\mathrm{F}_{3/2}$"
    low, high = ax.get_ylim()
    assert 1e-9 < low < 5e-8  # the smallest that is not zero, 0.003 x 5e-6
    assert high == 2
    dashed = [float(np.asarray(line.get_ydata())[0]) for line in ax.lines if line.get_linestyle() == "--"]
    assert dashed == [0.697, 0.003, 0.3, 0]


def test_populations_over_one_time_scale_are_drawn_on_linear_axes():
    """Also where the first moments are close to zero; the unit of time follows the last."""
    ax = plot.populations(rising(1e-5 * np.linspace(0, 1, 99) ** 2), ["4I9/2", "4F3/2"])
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "linear")
    assert ax.get_xlabel() == r"time ($\mathrm{µs}$)"
    assert len(ax.lines) == 2
    assert np.asarray(ax.lines[0].get_xdata())[-1] == pytest.approx(10)


def test_a_decay_is_a_straight_line_with_its_lifetime():
    """On the axis of a logarithm; light that does not fall below 1/e stays on a linear one and has no such time."""
    times = np.linspace(0, 1.2e-3, 60)
    n = 0.02 * np.exp(-times / 230e-6)
    ax = plot.decay(path(times, np.stack([1 - n, 0 * n, n, 0 * n])))
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")
    assert drawn_labels(ax)[0] == r"time ($\mathrm{ms}$)"
    legend = ax.get_legend()
    assert legend is not None
    assert [t.get_text() for t in legend.get_texts()] == [r"$^{4}\mathrm{F}_{3/2}$ (laser): 1/e after 230 µs"]
    slope = np.diff(np.log(np.asarray(ax.lines[0].get_ydata()))) / np.diff(np.asarray(ax.lines[0].get_xdata()))
    np.testing.assert_allclose(slope, -1 / 0.23)
    ax = plot.decay(path(times, np.stack([1 - n, 0 * n, n + 0.1, 0 * n])), ["laser"])
    assert ax.get_yscale() == "linear"
    assert str(ax.lines[0].get_label()) == r"$^{4}\mathrm{F}_{3/2}$ (laser)"


def texts(ax: Axes, gid: str) -> list:
    return [t for t in ax.texts if t.get_gid() == gid]


def test_a_level_diagram_shows_every_level_and_process():
    ax = plot.level_diagram(ND)
    labels = [t.get_text() for t in texts(ax, "arrow label")]
    named = [p.label for p in ND.processes if p.label != "signal"]
    assert [text.split("\n")[0] for text in labels] == named
    laser = labels[named.index("laser")]
    assert "1064.15 nm" in laser
    assert "driven by signal" in laser
    assert r"$\mathrm{s^{-1}}$" in labels[0]
    assert [t.get_text() for t in texts(ax, "level name")][2] == r"$^{4}\mathrm{F}_{3/2}$"
    assert ax.get_ylabel() == r"energy ($\mathrm{cm^{-1}}$)"
    bars = [np.asarray(line.get_ydata())[0] for line in ax.lines if str(line.get_gid()).startswith("level")]
    np.testing.assert_allclose(bars, [0, 2111, 11507, 12370], atol=1e-6)


ERBIUM = jr.Model(
    levels=[
        jr.Level("2F7/2", energy="0 cm^-1", g=8, species="Yb", stark=("0 cm^-1", "200 cm^-1")),
        jr.Level("2F5/2", energy="10260 cm^-1", g=6, species="Yb"),
        jr.Level("4I15/2", energy="0 cm^-1", g=16, species="Er"),
        jr.Level("4I13/2", energy="6500 cm^-1", g=14, species="Er"),
        jr.Level("4I11/2", energy="10200 cm^-1", g=12, species="Er"),
    ],
    processes=[
        jr.EnergyTransfer("transfer", "Yb:2F5/2 + 4I15/2 -> Yb:2F7/2 + 4I11/2", coefficient="3e-22 m^3/s"),
        jr.Radiative("signal", "4I13/2 -> 4I15/2", lifetime="10 ms", n=1.5),
        jr.Decay("relax", "4I11/2 -> 4I13/2", rate="4e5 s^-1"),
    ],
    density={"Yb": "1e26 m^-3", "Er": "1e25 m^-3"},
)
HYDROGEN = jr.Model(
    levels=[jr.Level("F=0", energy="0 GHz"), jr.Level("F=1", energy="1.42 GHz", g=3), jr.Level("2P", energy="10.2 eV")],
    processes=[jr.Radiative("21 cm", "F=1 -> F=0", A="2.9e-15 s^-1"), jr.Decay("Lya", "2P -> F=0", rate=6e8)],
)


@pytest.mark.parametrize("model", [ND, ERBIUM, HYDROGEN], ids=["Nd:YAG", "Er,Yb", "H"])
def test_no_two_labels_of_a_diagram_overlap(model):
    ax = plot.level_diagram(model)
    figure(ax).draw_without_rendering()
    boxes = [t.get_window_extent() for t in ax.texts if t.get_text() and t.get_gid() != "level name"]
    assert not [1 for a, b in itertools.combinations(boxes, 2) if a.overlaps(b)]
    names = [t.get_window_extent() for t in texts(ax, "level name")]
    assert not [1 for a, b in itertools.combinations(names, 2) if a.overlaps(b)]


def test_species_stand_side_by_side_and_a_transfer_is_in_both():
    ax = plot.level_diagram(ERBIUM)
    assert [t.get_text() for t in ax.texts if t.get_text() in ("Yb", "Er")] == ["Yb", "Er"]
    assert sum("transfer" in t.get_text() for t in texts(ax, "arrow label")) == 2


def test_levels_that_would_coincide_are_spaced_evenly():
    ax = plot.level_diagram(HYDROGEN)
    assert ax.get_ylabel() == "energy (not to scale)"
    bars = [np.asarray(line.get_ydata())[0] for line in ax.lines if str(line.get_gid()).startswith("level")]
    assert bars == [0, 1, 2]
    assert "GHz" in texts(ax, "arrow label")[0].get_text()
    assert plot.level_diagram(HYDROGEN, to_scale=True).get_ylabel().startswith("energy ($")


def test_a_level_without_energy_cannot_be_drawn_to_scale():
    model = jr.Model(levels=[jr.Level("a"), jr.Level("b")], processes=[jr.Decay("d", "b -> a", rate=1.0)])
    assert plot.level_diagram(model).get_ylabel() == "energy (not to scale)"
    with pytest.raises(ValueError, match="`a`, `b` has none"):
        plot.level_diagram(model, to_scale=True)


def test_close_names_are_moved_apart_as_little_as_possible():
    assert _spread([0.0, 10.0], 1.0) == [0, 10]
    assert _spread([5.0, 5.0, 5.0], 2.0) == [3, 5, 7]
    assert _spread([9.0, 0.0, 0.5], 1.0) == [9, -0.25, 0.75]


def test_plots_are_drawn_where_asked_and_leave_matplotlib_alone(tmp_path):
    before = dict(matplotlib.rcParams)
    ax = Figure().add_subplot()
    assert plot.map(gain(), ax=ax) is ax
    for draw in (lambda: plot.curves(gain()), lambda: plot.level_diagram(ND)):
        file = tmp_path / "plot.png"
        figure(draw()).savefig(file)
        assert file.stat().st_size > 10_000
    assert dict(matplotlib.rcParams) == before


def test_plots_do_without_pyplot():
    code = "import sys, jaxrate.plot; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_numbers_and_names_as_they_are_set_in_print():
    assert number(1e9, "s^-1") == r"$10^{9}$ $\mathrm{s^{-1}}$"
    assert number(3.3e7) == r"$3.3\times10^{7}$"
    assert number(82259.0) == "82259"
    assert number(0.0) == "0"
    assert typeset("gain of Er:4I13/2") == r"gain of Er:$^{4}\mathrm{I}_{13/2}$"
    assert typeset("3S1/2, 3P0") == r"$\mathrm{3}\mathrm{S}_{1/2}$, $^{3}\mathrm{P}_{0}$"
    assert typeset("10P20") == "10P20"  # a line of CO2
    assert typeset("costs 5$") == r"costs 5\$"
    assert is_logarithmic(np.geomspace(1, 100, 5))
    assert not is_logarithmic(np.linspace(1, 100, 5))
    assert not is_logarithmic(np.array([0.0, 1.0, 10.0]))
