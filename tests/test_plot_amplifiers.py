"""Plots of amplifiers, judged by what matplotlib holds; the light is made by hand, as plots need no solver."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxrate as jr
from jaxrate import plot
from jaxrate.constants import c
from jaxrate.network.compile import compile_network
from jaxrate.plot.amplifiers import across
from jaxrate.solve.light import Light, rays_of
from jaxrate.solve.solution import Solution
from tests.refusal import refused
from tests.systems.erbium import PUMP, amplifier, erbium
from tests.tolerance import close

WDM = jr.Channels("wdm", wavelength=["1540 nm", "1550 nm", "1560 nm"], power="1 uW", direction=-1)
NOISE = jr.ASE("ase", band=("1520 nm", "1570 nm"), bins=40)
PLACES = np.linspace(0, 1, 5)


def made(batch: tuple[int, ...] = ()) -> Solution:
    """A pump that falls, three signals that grow backward a thousand times, noise that is a bell in frequency."""
    network = compile_network(amplifier(PUMP, WDM, NOISE).stated(erbium()))
    rays, parameters = rays_of(network.model), network.model.parameters()
    nu, bell = rays.frequencies, np.linspace(1, 2, max(1, *batch)) if batch else np.ones(1)
    noise = 1e-6 * np.exp(-(((c / nu * 1e9 - 1545)[:, None] / 5 / bell) ** 2))
    parts = []
    for k, ray in enumerate(rays.each):
        way = PLACES if ray.forward else 1 - PLACES
        start = 1e-6 if ray.group == "wdm" else 60e-3
        shape = (
            noise[k] * way[:, None]
            if ray.modes
            else np.exp((-1 if ray.group == "pump" else np.log(1e3)) * way)[:, None] * start
        )
        parts.append(np.broadcast_to(shape, (len(PLACES), len(bell))))
    powers = np.stack(parts).reshape(len(nu), len(PLACES), *batch) if batch else np.stack(parts)[..., 0]
    populations, status = np.full((2, len(PLACES), *batch), 0.5), np.zeros(batch, int)
    if batch:
        parameters["pump.power"] = 0.06 * bell  # type: ignore[assignment]
    return Solution(populations, status, parameters, network, light=Light(powers, tuple(PLACES.tolist()), rays))


def labels(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def beside(ax: Axes) -> Axes:
    """The Axes on the right."""
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure.axes[-1]


def curve(line: Any) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def test_powers_along_are_in_dbm_and_noise_is_summed():
    """Eight metres; what runs back is dashed; one colour and one entry for a list."""
    ax = plot.powers_along(made())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("position ($\\mathrm{m}$)", "power (dBm)")
    assert labels(ax) == ["pump", "wdm", "ase, forward", "ase, backward"]
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--", "--", "--", "-", "--"]
    x, y = curve(ax.lines[0])
    close(x, 8 * PLACES)
    close(y, 10 * np.log10(60 * np.exp(-PLACES)))
    close(curve(ax.lines[1])[1][[0, -1]], [0.0, -30.0], atol=1e-12)
    solution = made()
    powers = solution.light.powers[solution.light.rays.of("ase")].sum(0)
    close(curve(ax.lines[4])[1][1:], 10 * np.log10(powers[1:] * 1e3))
    assert ax.get_ylim()[0] >= 10 * np.log10(powers.max() * 1e3) - 30 - 1e-9


def test_gain_of_a_list_and_its_noise_figure():
    ax = plot.channel_gain(made(), "wdm")
    x, y = curve(ax.lines[0])
    close(x, [1540.0, 1550.0, 1560.0])
    close(y, 30.0, rtol=1e-12)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("wavelength (nm)", "gain (dB)")
    assert beside(ax).get_ylabel() == "noise figure (dB)"
    quiet = made()
    alone = compile_network(amplifier(PUMP, WDM).stated(erbium()))
    rays = rays_of(alone.model)
    without = replace(quiet, network=alone, light=Light(quiet.light.powers[:4], quiet.light.positions, rays))
    assert len(beside(plot.channel_gain(without, "wdm")).lines) == 1


def test_a_spectrum_of_light_is_per_tenth_of_a_nanometre():
    solution = made()
    ax = plot.ase_spectrum(solution, "ase")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("wavelength (nm)", "spectrum (dBm per 0.1 nm)")
    rays = solution.light.rays
    i = rays.of("ase")[7]
    nu, width = rays.frequencies[i], rays.each[i].width
    per_nanometre = solution.light.powers[i, -1] / width * nu**2 / c * 0.1e-9
    x, y = curve(ax.lines[0])
    close([x[7], y[7]], [1e9 * c / nu, 10 * np.log10(per_nanometre / 1e-3)], rtol=1e-10)


def test_microwaves_are_named_by_their_distance_from_the_middle():
    x, label = across(23.87e9 + np.array([-2e3, 0.0, 2e3]))
    close(x, [-2.0, 0.0, 2.0])
    assert label == "frequency $-$ 23.87 GHz ($\\mathrm{kHz}$)"


def test_gain_over_a_pump_and_narrowing():
    """A bell that is twice as wide at twice the pump; the gain of all three is the same."""
    batch = made((3,))
    ax = plot.gain_curve(batch, "pump.power")
    close(curve(ax.lines[0])[0], [60.0, 90.0, 120.0])
    close(curve(ax.lines[0])[1], 30.0, rtol=1e-12)
    assert ax.get_xlabel() == "pump.power ($\\mathrm{mW}$)"
    assert labels(ax) == ["wdm, mean and range"]
    ax = plot.noise_curve(batch, "ase", "pump.power")
    width = curve(beside(ax).lines[0])[1]
    close(width, 2 * np.sqrt(np.log(2)) * 5 * np.array([1.0, 1.5, 2.0]), rtol=0.02)
    ax = plot.spectra_over(batch, "ase", "pump.power")
    assert labels(ax) == ["60", "90", "120"]
    assert all(curve(line)[1].max() == 1.0 for line in ax.lines)
    assert plot.spectra_over(batch, "wdm", "pump.power").get_ylabel() == "gain of wdm (dB)"


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: plot.powers_along(made((3,))), ("one ensemble", "(3,)")),
        (lambda: plot.powers_along(jr.steady_state(erbium())), ("jr.amplify",)),
        (lambda: plot.ase_spectrum(made(), "asee"), ("asee", "did you mean `ase`")),
        (lambda: plot.channel_gain(made(), "ase"), ("The gain of `ase`", "nothing is launched")),
        (lambda: plot.gain_curve(made(), "pump.power"), ("a batch of one axis", "()")),
        (lambda: plot.gain_curve(made((3,)), "pmp.power"), ("pmp.power", "did you mean `pump.power`")),
        (lambda: plot.gain_curve(made((3,)), "wdm.power"), ("`wdm.power` does not vary",)),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, words):
    refused(draw, *words)
