"""Cross-section spectra from files: every way people write them, the units, and what is counted and refused."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jaxrate as jr
from jaxrate.model.lineshapes import Spectrum
from jaxrate.model.sheet import read_sheet
from jaxrate.model.spectra_file import read_spectra, read_spectrum
from jaxrate.physics import spectrum
from tests.measured_data import data
from tests.refusal import refused
from tests.tolerance import close

NM_CM = ("nm", "cm^2")
ROWS = "1000 1e-21\n1010 3e-21\n1030 2e-20\n1050 4e-21\n"
EXPECTED = Spectrum([1000, 1010, 1030, 1050], [1e-21, 3e-21, 2e-20, 4e-21], NM_CM)


@pytest.fixture
def write(tmp_path: Path):
    """Writes a file."""

    def write(text: str, name: str = "yb.txt") -> Path:
        (tmp_path / name).write_bytes(text.encode())
        return tmp_path / name

    return write


def agree(found: Spectrum, expected: Spectrum = EXPECTED) -> None:
    close(found.si.frequency, expected.si.frequency)
    close(found.si.cross_section, expected.si.cross_section)


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        ROWS.replace(" ", "\t"),
        ROWS.replace(" ", ","),
        ROWS.replace(" ", "; "),
        ROWS.replace(" ", "   ").replace("\n", "  \r\n"),
        ROWS.replace(" ", " \t ").rstrip(),
        "".join(f"{line}\n" for line in ROWS.splitlines()[::-1]),
        ROWS.replace("e-", "D-0"),
        "1000,0 1,0e-21\n1010,0 3,0e-21\n1030,0 2,0e-20\n1050,0 4,0E-21\n",
        "1000,0;1,0e-21\n1010;3,0e-21\n1030;2,0e-20\n1050;4,0E-21\n",
        "Yb:YAG at 300 K\nwavelength sigma\n" + ROWS,
        "# wavelength, cross-section\n" + ROWS + "\n% the end\n",
        "wavelength [nm]\tsigma_e [cm^2]\n" + ROWS.replace(" ", "\t"),
    ],
)
def test_however_the_numbers_are_written(write, text: str):
    agree(read_spectrum(write(text), units=NM_CM))


@pytest.mark.parametrize(
    "header",
    [
        "wavelength [nm] sigma [cm^2]",
        "# wavelength (nm)  emission (cm2)",
        "lambda_nm sigma_e_cm^2",
        "nm cm^2",
        "lambda/nm sigma/cm^2",
        "% wavelength (nm), sigma (cm**2)",
    ],
)
def test_units_of_the_header(write, header: str):
    agree(read_spectrum(write(f"{header}\n{ROWS}")))


def test_units_with_powers_and_of_other_kinds(write):
    agree(read_spectrum(write("at [um] sigma [10^-21 cm^2]\n1.00 1\n1.01 3\n1.03 20\n1.05 4\n")))
    agree(read_spectrum(write("1.00 1\n1.01 3\n1.03 20\n1.05 4\n"), units=("um", "1e-25 m^2")))
    agree(read_spectrum(write("1000 0.1\n1010 0.3\n1030 2\n1050 0.4\n"), units=("nm", "pm^2")))
    wavenumbers = "".join(f"{1e7 / float(line.split()[0])!r} {line.split()[1]}\n" for line in ROWS.splitlines())
    agree(read_spectrum(write(wavenumbers), units=("cm^-1", "cm^2")))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(3000, 40000).map(lambda n: n / 10), st.floats(1e-29, 1e-22)),
        min_size=2,
        max_size=6,
        unique_by=lambda row: row[0],
    ),
    mark=st.sampled_from([" ", "\t", ";", ",", ", ", "  "]),
    comma=st.booleans(),
    header=st.sampled_from(["", "w s\n", "# a b\n"]),
)
def test_numbers_come_back_whatever_separates_them(write, rows, mark: str, comma: bool, header: str):
    written = [[repr(w), repr(s)] for w, s in rows]
    if comma and "," not in mark:
        written = [[cell.replace(".", ",") for cell in row] for row in written]
    title = header.strip().replace(" ", mark) + "\n" if header else ""
    sheet = read_sheet(write(title + "".join(mark.join(row) + "\n" for row in written)))
    assert [tuple(row) for row in np.transpose(sheet.columns).tolist()] == rows


def test_emission_and_absorption_in_either_order(write):
    text = "".join(f"{line} {1 + i}e-21\n" for i, line in enumerate(ROWS.splitlines()))
    by_number = read_spectra(write(text), emission=2, absorption=3, units=NM_CM)
    by_title = read_spectra(write("wavelength_nm sigma_e_cm2 sigma_a_cm2\n" + text))
    turned = read_spectra(write("at [nm] absorption [cm^2] emission [cm^2]\n" + text))
    named = read_spectra(write("at [nm] x [cm^2] y [cm^2]\n" + text), emission="x", absorption="y")
    for found in (by_number, by_title, named):
        agree(found["emission"])
    assert turned["absorption"].cross_section == by_number["emission"].cross_section
    line = jr.Radiative("laser", "upper -> lower", **by_number)
    assert line.measured
    agree(read_spectrum(write(text), 2, units=NM_CM))


def test_two_files_of_one_column(write):
    at, sigma = ("".join(f"{line.split()[i]}\n" for line in ROWS.splitlines()) for i in (0, 1))
    agree(read_spectrum((write(at, "lambda.txt"), write(sigma, "sigma.txt")), units=NM_CM))
    refused(lambda: read_spectrum((write(at, "lambda.txt"), write("1\n2\n", "sigma.txt")), units=NM_CM), "4 and 2")
    refused(lambda: read_spectrum(write(at), units=NM_CM), "1 column", "(wavelengths, cross-sections)")


def test_what_a_spectrum_cannot_have_is_counted_and_mended_on_demand(write):
    noisy = write("990 NaN\n995 -1e-23\n" + ROWS + "1030 3e-20\n1060 -2e-23\n1070 nan\n")
    everything: dict[str, Any] = {"missing": "leave out", "negative": "zero", "repeated": "mean"}
    refused(
        lambda: read_spectrum(noisy, units=NM_CM),
        *("yb.txt", "2 rows without a number, the first on line 1 (missing='leave out'"),
        *("2 cross-sections below zero", "-2e-23", "line 2 (negative='zero'"),
        "1 row that repeats a wavelength, the first on line 7 (repeated='mean'",
    )
    for option in everything:
        left = {name: value for name, value in everything.items() if name != option}
        refused(lambda left=left: read_spectrum(noisy, units=NM_CM, **left), f"{option}=")
    found = read_spectrum(noisy, units=NM_CM, **everything)
    assert found.cross_section == (0.0, 1e-21, 3e-21, 2.5e-20, 4e-21, 0.0)
    for words in ("2 rows without a number: left out", "set to zero, which adds 0.024 %", "merged by their mean"):
        assert words in found.source
    refused(lambda: read_spectrum(noisy, units=NM_CM, negative=cast(Any, "clip")), "'refuse' or 'zero'", "'clip'")


def test_units_are_never_guessed(write):
    """Both readings of a cross-section without a unit are shown, with the lifetime that each would mean."""
    file = write(ROWS)
    refused(
        lambda: read_spectrum(file),
        *("no unit", "1000 to 1050 nm in 'nm'", "2e-24 m^2 in 'cm^2'", "2e-20 m^2 in 'm^2'", "lifetime"),
        "units=('nm', 'cm^2') or ('nm', 'm^2')",
    )
    refused(lambda: read_spectrum(write("at [nm] sigma\n" + ROWS, "half.txt")), "column 2 (`sigma`)", "'cm^2'", "'m^2'")
    refused(lambda: read_spectrum(file, units=("m", "cm^2")), "light of 1e+03 to 1.05e+03 m", "1000 to 1050 nm in 'nm'")
    metres = write("1.0e-6 1e-21\n1.03e-6 2e-20\n", "metres.txt")
    refused(lambda: read_spectrum(metres, units=NM_CM), "in nm light of 1e-15", "1000 to 1030 nm in 'm'")
    refused(lambda: read_spectrum(write("1000 1\n1030 20\n", "bare.txt"), units=NM_CM), "no line", "'1e-21 cm^2'")
    refused(
        lambda: read_spectrum(write("at [nm] s [m^2]\n" + ROWS, "two.txt"), units=NM_CM), "in m^2 by its header", "cm^2"
    )
    agree(read_spectrum(write("at [nm] s [cm2]\n" + ROWS, "three.txt"), units=NM_CM))
    refused(lambda: read_spectrum(file, units=("nm", "nm")), "an area", "nm")
    refused(lambda: read_spectrum(file, units="nm"), "`units` must be two", "('nm', 'cm^2')")


def test_what_is_no_table(write):
    refused(lambda: read_spectrum(write('{"name": "YbYAG"}')), "no row of numbers", "1030.0 2.1e-20")
    refused(lambda: read_spectrum(write("")), "no row of numbers")
    refused(lambda: read_spectrum(write(ROWS + "1060 1e-21 3\n"), units=NM_CM), "line 5", "3 fields", "has 2")
    refused(lambda: read_spectrum(write(ROWS + "1060 n/a\n"), units=NM_CM), "line 5", "'n/a'", "write nan")
    refused(lambda: read_spectrum(write("1000.5 1,5e-21\n1001.5 2,5e-21\n"), units=NM_CM), "one kind throughout")
    three = write("at [nm] emission [cm^2] esa [cm^2]\n" + ROWS.replace("\n", " 1e-22\n"))
    refused(lambda: read_spectrum(three), "3 columns", "`emission`", "column=2")
    refused(lambda: read_spectrum(three, 5), "from 1 to 3", "5")
    refused(lambda: read_spectrum(three, "emision"), "`emision`", "did you mean `emission`")
    refused(lambda: read_spectrum(three, 1), "first column holds the wavelengths")
    refused(lambda: read_spectra(three), "which column has the absorption", "absorption=2")
    refused(lambda: read_spectra(three, emission=2, absorption=2), "two columns")


RAW: dict[str, Any] = {"missing": "leave out", "negative": "zero"}
LIFETIMES = {
    **{f"lasersim/YbYAG_{T}Kf.txt": (1.82, NM_CM, (0.936e-3, 0.968e-3)) for T in (80, 140, 200, 260, 300, 340)},
    **{f"lasersim/YbCaF2_Koerner_{T}Kf.txt": (1.429, NM_CM, (1.745e-3, 1.795e-3)) for T in (80, 140, 200, 260, 300)},
    "lasersim/YbCaF2_Beyer_300Kf.txt": (1.429, NM_CM, (1.8e-3, 1.82e-3)),
    "lasersim/NdYAG_300Kf.txt": (1.82, NM_CM, (0.2835e-3, 0.2845e-3)),
    "pyfiberamp/ytterbium_emission_cross_sections.dat": (1.45, ("nm", "m^2"), (0.915e-3, 0.925e-3)),
}
"""Index, units, and the radiative lifetime by Füchtbauer and Ladenburg that the collectors of the files found [s]."""
BOTH = {
    "pylaserpulse/Er_silica.dat": (2, 3, "nm", 13.2e-3),
    "pylaserpulse/Yb_Al_silica.dat": (2, 3, "nm", 0.70e-3),
    "pylaserpulse/Yb_Nufern_PM_YSF_HI_HP.dat": (2, 3, "nm", 0.93e-3),
    "pylaserpulse/Tm_silica.dat": (2, 3, "nm", None),
    "aahahaa/Liekki_Yb_AV_20160530.txt": (3, 2, "m", 0.856e-3),
    "aahahaa/Yb_Gen_VIII_Nufern.txt": (3, 2, "m", 0.893e-3),
    "aahahaa/Er.txt": (3, 2, "m", None),
    "aahahaa/Nd_Martin_thesis_2006.txt": (3, 2, "m", None),
}
"""Columns of emission and absorption, unit of wavelengths, and that lifetime at an index of 1.45 [s]."""


@pytest.mark.parametrize("name", LIFETIMES)
def test_measured_emission_has_its_lifetime(name: str):
    index, units, (least, most) = LIFETIMES[name]
    found = read_spectrum(data(f"gain/cross-sections/{name}"), units=units, **RAW)
    assert least < spectrum.radiative_lifetime(found.si, index) < most


@pytest.mark.parametrize("name", BOTH)
def test_measured_emission_and_absorption_in_one_file(name: str):
    emission, absorption, unit, lifetime = BOTH[name]
    file = data(f"gain/cross-sections/{name}")
    columns: dict[str, Any] = {"emission": emission, "absorption": absorption, "units": (unit, "m^2")}
    found = read_spectra(file, **columns, **RAW, repeated="mean")
    assert found["emission"].si.frequency == found["absorption"].si.frequency
    if lifetime is not None:
        close(spectrum.radiative_lifetime(found["emission"].si, 1.45), lifetime, rtol=0.005)


def test_measured_wavelengths_and_cross_sections_in_two_files():
    files = [data(f"gain/cross-sections/haseongpu/{kind}_e.txt") for kind in ("lambda", "sigma")]
    found = read_spectrum(files, units=NM_CM)
    assert len(found.at) == 191
    close(found.si.peak_frequency, jr.Spectrum([1029, 1030], [0, 1]).si.peak_frequency * 1e9, rtol=2e-3)
    refused(lambda: read_spectrum(files), "lambda_e.txt and sigma_e.txt", "'cm^2'", "'m^2'")
