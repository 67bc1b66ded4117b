"""Giles parameters in and out: the medium made of them has exactly them, and nothing between its bands."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

import jaxrate as jr
from jaxrate.constants import c, h
from jaxrate.model.derived import known_values, total_rate
from jaxrate.model.fibre import Fibre
from jaxrate.model.giles import giles, giles_parameters
from jaxrate.model.model import Model
from jaxrate.network.compile import line_of
from jaxrate.network.line import cross_sections
from jaxrate.physics import fibre, gaps, spectrum
from tests.measured_data import data
from tests.refusal import refused
from tests.tolerance import close

DECIBEL = np.log(10) / 10
ZETA, TAU = 3.5e15, 0.010
SATURATION: dict[str, Any] = {"saturation_parameter": "3.5e15 m^-1 s^-1", "lifetime": "10 ms"}
BAND = ["1530 nm", "1540 nm", "1550 nm"], ["7.7 dB/m", "4.9 dB/m", "4.0 dB/m"], ["7.2 dB/m", "5.5 dB/m", "5.2 dB/m"]
PUMP = ["970 nm", "980 nm", "990 nm"], ["3.0 dB/m", "4.272 dB/m", "2.5 dB/m"]


def erbium(**changes: Any) -> tuple[Model, float]:
    return giles(*BAND, pump=PUMP, **SATURATION, **changes)


def seen(model: Model, wavelength: np.ndarray, **factors: float) -> np.ndarray:
    """sigma_e and sigma_a of its line as an amplifier computes them, times the density [m^-1]."""
    line, values = line_of(model.radiative("line"), model), model.parameters()
    values |= {f"line.{name}": factor * values[f"line.{name}"] for name, factor in factors.items()}
    own = tuple(values[name] for name in line.names)
    return values["density"] * np.array(cross_sections(line.form, line.constants, own, c / wavelength))


def test_the_medium_has_the_stated_parameters():
    model, area = erbium()
    gain, alpha = seen(model, np.array([1530e-9, 1545e-9, 1550e-9, 980e-9]))
    close(alpha / DECIBEL, [7.7, np.interp(1 / 1545, [1 / 1550, 1 / 1540], [4.0, 4.9]), 4.0, 4.272], rtol=1e-9)
    close(gain / DECIBEL, [7.2, np.interp(1 / 1545, [1 / 1550, 1 / 1540], [5.2, 5.5]), 5.2, 0.0], rtol=1e-9)
    close(area * model.parameters()["density"] / TAU, ZETA)


def test_all_that_leaves_the_upper_level_is_its_line():
    model, _ = erbium()
    close(total_rate(model, "upper", known_values(model)), 1 / TAU)
    assert [p.label for p in model.processes] == ["line"]


def test_the_density_is_a_choice():
    """Light along the fibre sees alpha, g* and zeta alone."""
    (one, area), (other, wide) = erbium(), erbium(density="6.68e24 m^-3", temperature="250 K")
    close(seen(other, np.array([1541e-9, 985e-9])), seen(one, np.array([1541e-9, 985e-9])), rtol=1e-12)
    close(wide * 6.68e24, area * 1e25)


def test_what_its_parameters_scale():
    model, _ = erbium()
    at = np.array([1530e-9, 1550e-9])
    close(seen(model, at, absorption_factor=1.1), seen(model, at) * [[1.0], [1.1]])
    close(seen(model, at, B=0.9), 0.9 * seen(model, at))
    values = known_values(model, {"line.B": 0.9 * model.parameters()["line.B"]})
    close(total_rate(model, "upper", values), 0.9 / TAU)


def test_amplifier_of_saleh():
    """PHYSICS section 2: 980 nm 100 mW and 1550 nm 10 uW through 8 m, from the numbers the medium gives back."""
    model, area = giles("1550 nm", "4.0 dB/m", "5.2 dB/m", pump=("980 nm", "4.272 dB/m"), **SATURATION)
    found = giles_parameters(model, ["980 nm", "1550 nm"], area=area)
    photons = np.array([0.1, 10e-6]) / (h * c / found.wavelength)
    slope = (found.alpha + found.gain) / found.saturation_parameter
    out = lambda Q: photons * np.exp(slope * (photons.sum() - Q) - found.alpha * 8.0)  # noqa: E731
    total = brentq(lambda Q: out(Q).sum() - Q, 0, 2 * photons.sum(), xtol=1e-2, rtol=np.float64(1e-15))
    ratio = out(total) / photons
    close(10 * np.log10(ratio[1]), 34.723546, rtol=1e-8)
    close(100 * ratio[0], 47.93948, rtol=1e-7)


def test_out_again():
    model, area = erbium()
    found = giles_parameters(model, [1.53e-6, 0.98e-6], area=area)
    close(found.alpha / DECIBEL, [7.7, 4.272], rtol=1e-9)
    close(found.gain / DECIBEL, [7.2, 0.0], rtol=1e-9)
    close(found.saturation_parameter, ZETA)
    close(found.saturation_power, h * c / found.wavelength * ZETA / (found.alpha + found.gain))
    assert "1530.000         7.7000      7.2000" in str(found)


def test_of_a_medium_with_cross_sections_in_a_fibre():
    """Stated absorption, McCumber's emission, and the overlap of the waveguide."""
    er = jr.media("er-fibre")
    guide = Fibre(core_radius="1.19 um", numerical_aperture=0.23, doped_radius="0.98 um")
    found = giles_parameters(er, "1530 nm", waveguide=guide, line="signal band")
    share = fibre.overlap_step_index(0.98e-6, 1.19e-6, 0.23, c / 1530e-9)
    absorption = er.radiative("signal band").absorption
    assert absorption is not None
    close(found.alpha, share * 1e25 * absorption.si.value(np.array([c / 1530e-9])))
    emission = jr.CrossSection("signal band", frequency=np.array([c / 1530e-9]))(jr.steady_state(er))
    close(found.gain, share * 1e25 * emission, rtol=1e-12)


def test_nothing_lies_between_the_bands():
    model, area = erbium()
    for table in (model.radiative("line").emission, model.radiative("line").absorption):
        assert table is not None
        assert gaps.told(table.si) == "970 to 990 nm and 1530 to 1550 nm"
        inside = gaps.measured(table.si, c / np.array([970e-9, 980e-9, 990e-9, 1530e-9, 1550e-9]))
        assert inside.all()
        assert not gaps.measured(table.si, c / np.array([969.9e-9, 990.1e-9, 1200e-9, 1529.9e-9, 1551e-9])).any()
    assert not seen(model, np.array([1200e-9, 991e-9, 1529e-9])).any()
    refused(lambda: giles_parameters(model, "1200 nm", area=area), "1200 nm", "970 to 990 nm and 1530 to 1550 nm")


@pytest.mark.parametrize("order", [1, -1])
def test_pieces_of_one_and_two_points_and_of_zeros(order: int):
    """A band without gain is a band, not a gap; the order of the bands is of no importance."""
    pieces = [([980e-9], [1.0], [0.0]), ([1480e-9, 1490e-9], [2.0, 3.0], [0.0, 0.0]), ([1550e-9], [4.0], [5.0])]
    at, alpha, gain = gaps.joined(pieces[::order])
    for values in (alpha, gain):
        table = spectrum.Spectrum.from_wavelength(at, values)
        assert len(gaps.ranges(table)) == 3
        assert gaps.measured(table, c / np.array([980e-9, 1480e-9, 1485e-9, 1490e-9, 1550e-9])).all()
        assert not gaps.measured(table, c / np.array([1000e-9, 1500e-9, 1550.1e-9])).any()


def test_a_fine_table_has_no_gaps():
    """Narrow steps beside empty segments are resolution, not walls."""
    metres = 1e-6 * (1 + 1e-6 * np.arange(50))
    sigma = np.where((np.arange(50) % 10) < 5, 0.0, 1e-24)
    assert len(gaps.ranges(spectrum.Spectrum.from_wavelength(metres, sigma))) == 1


def test_lists_and_files_mean_the_same(tmp_path: Path):
    (tmp_path / "signal.csv").write_text(
        "wavelength_nm;alpha_dB_per_m;gstar_dB_per_m\n1550,0;4,0;5,2\n1540,0;4,9;5,5\n1530,0;7,7;7,2\n"
    )
    (tmp_path / "pump.txt").write_text("# measured\n970 3.0\n980 4.272\n990 2.5\n")
    files = giles(tmp_path / "signal.csv", pump=str(tmp_path / "pump.txt"), units=("nm", "dB/m"), **SATURATION)
    numbers = giles(
        [1530, 1540, 1550],
        np.array([7.7, 4.9, 4.0]),
        [7.2, 5.5, 5.2],
        pump=[([970, 980, 990], [3.0, 4.272, 2.5])],
        units=("nm", "dB/m"),
        **SATURATION,
    )
    at = np.array([1530e-9, 1543e-9, 975e-9])
    close(seen(files[0], at), seen(erbium()[0], at), rtol=1e-9)
    close(seen(numbers[0], at), seen(erbium()[0], at), rtol=1e-9)


def test_files_of_models_keep_it(tmp_path: Path):
    model, _ = erbium(name="fibre")
    model.save(tmp_path / "fibre.toml")
    assert jr.load_model(tmp_path / "fibre.toml") == model


def test_refusals(tmp_path: Path):
    refused(lambda: giles(*BAND, pump=(["1500 nm", "1535 nm"], ["1 dB/m"] * 2), **SATURATION), "1500 to 1535", "merge")
    refused(lambda: giles("1550 nm", "4 dB/m", **SATURATION), "g* is 0", "`gain`")
    refused(lambda: giles("1550 nm", **SATURATION), "'4 dB/m'")
    refused(lambda: giles(BAND[0], BAND[1][:2], BAND[2], **SATURATION), "3 wavelengths, 2 of alpha")
    refused(lambda: giles("1550 nm", "-4 dB/m", "5 dB/m", **SATURATION), "alpha must be zero or positive", "number 1")
    refused(lambda: giles("1550 nm", "4 dB", "5 dB/m", **SATURATION), "alpha", "an inverse length", "4 dB")
    refused(lambda: giles(["1550 nm"] * 2, ["4 dB/m"] * 2, ["5 dB/m"] * 2, **SATURATION), "given twice")
    refused(lambda: erbium(density=0.0), "density", "positive")
    refused(lambda: giles(*BAND, pump="980 nm", **SATURATION), "`pump`", "('980 nm', '4.3 dB/m')")
    bare = tmp_path / "bare.csv"
    bare.write_text("1530,7.7,7.2\n1550,4.0,5.2\n")
    refused(lambda: giles(bare, **SATURATION), "bare.csv", "no unit", "units=('nm', 'dB/m')")
    model, area = erbium()
    refused(lambda: giles_parameters(model, "1540 nm"), "area='3.5 um^2'")
    refused(lambda: giles_parameters(model, "1540 nm", area=area, line="lines"), "`line`")


def test_measured_fibres():
    """Every point of the maker's files comes back, ends included; the pump band has no gain."""
    folder = "gain/edf-corning-perin/fibre_123-6239-201.2"
    signal, pump = data(f"{folder}_signal_coeff.csv"), data(f"{folder}_pump_coeff.csv")
    model, area = giles(signal, pump=pump, **SATURATION)
    for file in (signal, pump):
        with file.open() as lines:
            rows = np.array([[float(x) for x in row] for row in list(csv.reader(lines))[1:]])
        found = giles_parameters(model, rows[:, 0] * 1e-9, area=area)
        close(found.alpha / DECIBEL, rows[:, 1], rtol=1e-8)
        close(found.gain / DECIBEL, rows[:, 2], rtol=1e-8)
    close(giles_parameters(model, "980 nm", area=area).alpha / DECIBEL, [4.272], rtol=1e-9)
    close(found.saturation_parameter, ZETA)
