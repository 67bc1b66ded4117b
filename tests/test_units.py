"""Quantities with units: what may be written, what it means in SI, and what is said of everything else."""

import decimal
import itertools
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser

from jaxrate import constants
from jaxrate.constants import a_0, amu, c, e, epsilon_0, h, hbar, k, mu_B
from jaxrate.unit_text import latex, pretty
from jaxrate.units import KINDS, UnitError, read_any, to_energy, to_frequency, to_si, to_width

PACKAGE = Path(__file__).resolve().parents[1] / "jaxrate"
finite = st.floats(allow_nan=False, allow_infinity=False)


def refusal(function, *args) -> str:
    """The message of a refusal; it always starts with the parameter."""
    with pytest.raises(UnitError) as caught:
        function(*args)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "unit", "si"),
    [
        ("100 s^-1", "s^-1", 100.0),
        ("100 s-1", "s^-1", 100.0),
        ("100 /s", "s^-1", 100.0),
        ("100 1/s", "s^-1", 100.0),
        ("6 min^-1", "s^-1", 0.1),
        ("1e-3 m", "m", 1e-3),
        ("-.5E-3m", "m", -0.5e-3),
        ("5. m", "m", 5.0),
        ("10 um", "m", 1e-5),
        ("10 µm", "m", 1e-5),
        ("10 μm", "m", 1e-5),
        ("1064.15 nm", "m", 1.06415e-6),
        ("3 Å", "m", 3e-10),
        ("2.8e-19 cm^2", "m^2", 2.8e-23),
        ("2.8e-19 cm2", "m^2", 2.8e-23),
        ("2.8e-19 cm**2", "m^2", 2.8e-23),
        ("2.8e−19 cm²", "m^2", 2.8e-23),
        ("4.7e15 m^3 J^-1 s^-2", "m^3 J^-1 s^-2", 4.7e15),
        ("4.7e15 m3 J-1 s-2", "m^3 J^-1 s^-2", 4.7e15),
        ("4.7e15 m³·J⁻¹·s⁻²", "m^3 J^-1 s^-2", 4.7e15),
        ("4.7e15 m^3/(J s^2)", "m^3 J^-1 s^-2", 4.7e15),
        ("4.7e15 m^(3)/J/s^2", "m^3 J^-1 s^-2", 4.7e15),
        ("10 W/cm2", "W m^-2", 1e5),
        ("10 W per cm^2", "W m^-2", 1e5),
        ("300 K", "K", 300.0),
        ("25 degC", "K", 298.15),
        ("25 °C", "K", 298.15),
        ("20 amu", "kg", 20 * amu),
        ("1 ea0", "C m", e * a_0),
        ("2 e^2 a_0^2", "C^2 m^2", 2 * (e * a_0) ** 2),
        ("1 ea0^2", "C^2 m^2", 7.18825e-59),  # PHYSICS: one atomic unit of line strength
        ("1 debye", "C m", 1e-21 / c),
        ("3 mu_B^2", "J^2 T^-2", 3 * mu_B**2),
        ("1.82", "1", 1.82),
        ("50 %", "1", 0.5),
        ("500 ppm", "1", 5e-4),
        ("2 mm/m", "1", 2e-3),
    ],
)
def test_reads(text, unit, si):
    assert to_si(text, unit, "x") == pytest.approx(si, rel=1e-6 if "ea0^2" in text else 1e-9)


@pytest.mark.parametrize(("unit", "example"), [(unit, example) for unit, (_, example) in KINDS.items()])
def test_the_example_in_a_message_can_be_copied(unit, example):
    assert to_si(example, unit, "x") > 0


@given(
    finite, st.sampled_from([("s", "us", "1e-6"), ("m^2", "cm^2", "1e-4"), ("Hz", "THz", "1e12"), ("m", "nm", "1e-9")])
)
def test_the_unit_costs_no_rounding(number, units):
    """The same decimal number in any unit is the same float: rescaling units changes nothing."""
    si, unit, factor = units
    exact = float(decimal.Decimal(repr(number)) * decimal.Decimal(factor))
    assume(math.isfinite(exact))
    assert to_si(f"{number!r} {unit}", si, "x") == exact


@given(
    st.lists(st.tuples(st.sampled_from(["m", "nm", "J", "eV", "s", "K"]), st.integers(1, 4)), min_size=2, max_size=4)
)
def test_spellings_agree(factors):
    caret = " ".join(f"{name}^-{power}" for name, power in factors)
    si = " ".join(f"{name}^-{power}" for name, power in factors).replace("nm", "m").replace("eV", "J")
    spellings = [
        " ".join(f"{name}-{power}" for name, power in factors),
        "*".join(f"{name}**-{power}" for name, power in factors),
        "".join(f"/{name}{power}" for name, power in factors),
        "1/(" + " · ".join(f"{name}^{power}" for name, power in factors) + ")",
    ]
    expected = to_si(f"7 {caret}", si, "x")
    assert [to_si(f"7 {spelling}", si, "x") for spelling in spellings] == [expected] * 4


def test_a_decimal_context_of_the_caller_changes_nothing():
    with decimal.localcontext(prec=3):
        assert to_si("1064.15 nm", "m", "x") == 1064.15e-9


def test_constants_agree_with_the_units():
    """SciPy's and pint's editions of CODATA may differ in the last digits, but not in more."""
    for text, unit, value in [
        ("1 a_0", "m", a_0),
        ("1 mu_B", "J T^-1", mu_B),
        ("1 amu", "kg", amu),
        ("1 eV", "J", e),
        ("1 m_e", "kg", constants.m_e),
        ("1 m_p", "kg", constants.m_p),
        ("1 hbar", "J s", hbar),
        ("1 epsilon_0", "F/m", epsilon_0),
        ("1 mu_0", "N/A^2", constants.mu_0),
        ("1 mu_N", "J/T", constants.mu_N),
    ]:
        assert to_si(text, unit, "x") == pytest.approx(value, rel=1e-9), text
    assert constants.g_e == pytest.approx(2.00231930436, rel=1e-11)
    assert constants.g_p == pytest.approx(5.5856946893, rel=1e-9)
    assert k * constants.N_A == pytest.approx(8.314462618, rel=1e-9)


# Angles: a frequency in rad/s is divided by 2 pi; nothing else loses or gains a radian.


@pytest.mark.parametrize(
    ("text", "unit", "si"),
    [
        ("1 MHz", "Hz", 1e6),
        ("1e6 s^-1", "Hz", 1e6),
        ("6.283185307179586 Mrad/s", "Hz", 1e6),
        ("1 turn/s", "Hz", 1.0),
        ("60 rpm", "Hz", 1.0),
        ("1 rad^-1 s", "Hz^-1", 2 * math.pi),
        ("1 J m^-3/(rad/s)", "J m^-3 Hz^-1", 2 * math.pi),
        ("1 m^2 rad/s", "m^2 Hz", 1 / (2 * math.pi)),
    ],
)
def test_angular_frequency(text, unit, si):
    assert to_si(text, unit, "x") == pytest.approx(si, rel=1e-14)


@pytest.mark.parametrize("text", ["100 Hz", "100 kHz", "100 rad/s", "100 rpm", "1 turn/s"])
def test_a_rate_in_cycles_or_radians_is_ambiguous(text):
    message = refusal(to_si, text, "s^-1", "pump.rate")
    assert message.startswith("`pump.rate` must be a rate such as '100 s^-1'")
    assert "2 pi" in message
    assert "write s^-1" in message


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("1 m^3 J^-1 s^-2 rad", "m^3 J^-1 s^-2"),  # B per angular frequency, 2 pi times larger
        ("1 W m^-2 sr^-1", "W m^-2"),  # a radiance
        ("1 rad", "1"),
        ("1 Hz rad^2", "Hz"),
    ],
)
def test_no_other_angle_is_dropped(text, unit):
    assert "rad" in refusal(to_si, text, unit, "x")


def test_pi_is_not_taken_for_a_unit():
    """2 pi x 6 MHz is meant as an angular frequency; as a number times MHz it would be wrong by 2 pi."""
    assert "rad/s" in refusal(to_si, "12 pi MHz", "Hz", "x")


# Decibels.


@pytest.mark.parametrize(
    ("text", "unit", "si"),
    [
        ("3 dB", "1", 1.9952623149688795),
        ("-10 dB", "1", 0.1),
        ("0 dBm", "W", 1e-3),
        ("30 dBm", "W", 1.0),
        ("10 dBW", "W", 10.0),
        ("4 dB/m", "m^-1", 4 * math.log(10) / 10),
        ("0.2 dB km^-1", "m^-1", 2e-5 * math.log(10)),
    ],
)
def test_decibels(text, unit, si):
    assert to_si(text, unit, "x") == pytest.approx(si, rel=1e-14)


def test_a_gain_in_decibels_is_that_gain_over_a_metre():
    assert math.exp(to_si("4 dB/m", "m^-1", "x") * 1.0) == pytest.approx(to_si("4 dB", "1", "x"), rel=1e-14)


@pytest.mark.parametrize("args", [("3 dB", "W"), ("3 dBm", "1"), ("3 dBm/m", "W m^-1"), ("3 Np", "1"), ("1 dB^2", "1")])
def test_other_logarithms_are_refused(args):
    refusal(to_si, *args, "x")
    refusal(to_frequency, "3 dB/m", "x")


# Bare numbers, arrays and lists.


@pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.int64(3)])
def test_a_bare_number_is_si(value):
    for read in (lambda v: to_si(v, "m^2", "x"), lambda v: to_frequency(v, "x"), lambda v: to_energy(v, "x")):
        assert read(value) == 3.0
        assert type(read(value)) is float


def test_an_array_becomes_a_new_float64_array():
    given_array = np.array([[1, 2]], dtype=np.int32)
    si = to_si(given_array, "s^-1", "x")
    assert si.dtype == np.float64
    np.testing.assert_array_equal(si, [[1.0, 2.0]])
    floats = np.ones(2)
    assert not np.shares_memory(to_frequency(floats, "x"), floats)


def test_a_list_is_read_element_by_element():
    np.testing.assert_allclose(to_frequency(["1550 nm", 2e14], "x"), [c / 1550e-9, 2e14], rtol=1e-15)
    assert "'1 s'" in refusal(to_si, ["1 m", "1 s"], "m", "x")


@pytest.mark.parametrize(
    "value",
    [
        True,
        np.True_,
        None,
        1j,
        np.complex128(1),
        b"1 m",
        {"m": 1},
        object(),
        math.nan,
        -math.inf,
        np.array([1.0, math.nan]),
        np.array([True]),
        np.array(["1 m"]),
        np.array([1j]),
        np.ma.masked_array([1.0, 2.0], mask=[True, False]),
        [[1.0]],
        10**400,
        10**5000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_number_is_refused(value):
    for read in (lambda v: to_si(v, "m", "x"), lambda v: to_frequency(v, "x"), lambda v: to_width(v, "x", 1e14)):
        assert refusal(read, value).startswith("`x` must be a")


# Refusals.


def test_a_refusal_names_what_was_given_and_what_to_write():
    assert refusal(to_si, "100 m", "s^-1", "pump.rate") == (
        "`pump.rate` must be a rate such as '100 s^-1', but '100 m' was given."
    )
    assert refusal(to_si, "1 m", "kg m^-5", "x") == (
        "`x` must be a quantity in kg m^-5 such as '1 kg m^-5', but '1 m' was given."
    )


def test_a_missing_unit_is_not_taken_for_si():
    assert "no unit" in refusal(to_si, "100", "s^-1", "pump.rate")
    assert "no unit" in refusal(to_energy, "0", "x")


@pytest.mark.parametrize(
    ("text", "near"),
    [("1 hz", "`Hz`"), ("1 mhz", "`mHz` or `MHz`"), ("1 sek", "`sec`"), ("1 wat", "`watt`")],
)
def test_an_unknown_unit_proposes_the_nearest(text, near):
    message = refusal(to_si, text, "m", "x")
    assert message.endswith(f"is not a unit; did you mean {near}?")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "m",
            "nan m",
            "inf m",
            "1e999 m",
            "1e99999999999999999999 m",
            "1,5 m",
            "1_0 m",
            "1 0 m",
            "5 1",
            "0x1 m",
        ),
        *("1 m m", "1 m^0.5", "1 m^", "1 m^-", "1 m^(1", "1 m^123", "1 m+1", "1 m-", "1 m//s", "1 m/", "1 *m", "1 m)"),
        *("1 (m", "1 ()", "1 m;2", "1 m\x00", "1 [m]", "1 {m}", "1 m**m", "1 m = m", "1 m # m", "1 'm'", "2 3 m"),
        *(
            "1 Ym^99 ym^-98",
            "1e300 Ym",
            "1 m^99 m^-98 s^99",
            "1 degC/m m^2",
            "1 kdegC",
            "1 mdB",
            "1 lambda",
            "1 __import__",
            "1 m/s kg",
        ),
        *("9**9**9**9 m", "1 m**9**9**9", "1 " + "(" * 5000, "1 " + "m " * 5000),
    ],
)
def test_malformed_text_is_refused(text):
    assert refusal(to_si, text, "m", "x").startswith("`x` must be a length")


def test_a_unit_behind_a_fraction_is_ambiguous():
    assert "above or below" in refusal(to_si, "1 W/m^2 nm", "W m^-3", "x")
    assert to_si("1 W/(m^2 nm)", "W m^-3", "x") == 1e9
    assert to_si("1 W/m^2/nm", "W m^-3", "x") == 1e9


UNITS = st.lists(
    st.sampled_from([*"mskKJWTCe%°µ^*/()-+ 0129.", "Hz", "rad", "cm", "dB", "dBm", "degC", "a_0", " per ", "pi", "⁻²"])
).map("".join)


@given(st.one_of(st.text(), UNITS, UNITS.map(lambda unit: f"2.5 {unit}")), st.sampled_from(list(KINDS)))
def test_any_text_is_read_or_refused(text, unit):
    """No other exception, and never NaN or infinity."""
    readers = [
        lambda: to_si(text, unit, "x"),
        lambda: to_frequency(text, "x"),
        lambda: to_energy(text, "x"),
        lambda: to_width(text, "x", 1e14),
        lambda: read_any(text, "x")[0],
    ]
    for read in readers:
        try:
            number, message = read(), "`x` must be "
        except UnitError as error:
            number, message = 0.0, str(error)
        assert math.isfinite(number)
        assert message.startswith("`x` must be ")


# Frequencies, energies, widths.

LINE = 281.7e12


@pytest.mark.parametrize(
    "text",
    [
        "281.7 THz",
        f"{2 * math.pi * LINE!r} rad/s",
        f"{c / LINE * 1e9!r} nm",
        f"{LINE / c / 100!r} cm^-1",
        f"{h * LINE / e!r} eV",
        f"{h * LINE!r} J",
        LINE,
    ],
)
def test_one_line_in_every_quantity(text):
    assert to_frequency(text, "x") == pytest.approx(LINE, rel=1e-9)
    assert isinstance(text, float) or to_energy(text, "x") == pytest.approx(h * LINE, rel=1e-9)


def test_energies():
    assert to_energy("0 cm^-1", "x") == 0
    assert to_energy("300 K", "x") == pytest.approx(k * 300, rel=1e-15)
    assert to_energy("1 cm^-1", "x") == pytest.approx(1.986445857e-23, rel=1e-9)
    assert to_energy("1 rad/s", "x") == pytest.approx(hbar, rel=1e-15)
    assert to_energy(2e-19, "x") == 2e-19
    assert "'11507 cm^-1'" in refusal(to_energy, "3 W", "x")


@pytest.mark.parametrize("text", ["0 nm", "-5 nm"])
def test_a_wavelength_is_positive(text):
    assert "a wavelength must be positive" in refusal(to_frequency, text, "x")
    assert "a wavelength must be positive" in refusal(to_energy, text, "x")


@pytest.mark.parametrize(
    ("text", "fwhm"),
    [
        ("120 GHz", 120e9),
        ("6.283185307179586 rad/s", 1.0),
        ("4 cm^-1", 400 * c),
        ("25 meV", 0.025 * e / h),
        ("0 nm", 0.0),
        (7.0, 7.0),
    ],
)
def test_widths(text, fwhm):
    assert to_width(text, "x", LINE) == pytest.approx(fwhm, rel=1e-9)


@given(st.floats(400e-9, 2e-6), st.floats(1e-6, 0.01))
def test_a_width_in_wavelength_is_right_to_first_order(wavelength, relative):
    centre, width = c / wavelength, relative * wavelength
    exact = c * width / ((wavelength - width / 2) * (wavelength + width / 2))
    assert to_width(f"{width * 1e9!r} nm", "x", centre) == pytest.approx(exact, rel=relative**2 + 1e-14)


@pytest.mark.parametrize("text", ["1e6 s^-1", "1 us^-1", "1 Bq"])
def test_a_width_per_second_is_ambiguous(text):
    assert "Hz or rad/s" in refusal(to_width, text, "x", LINE)


# Quantities of any kind.


@pytest.mark.parametrize(
    ("value", "si", "unit"),
    [
        ("0.9 s^-1", 0.9, "s^-1"),
        ("10 THz", 1e13, "Hz"),
        ("6.283185307179586 rad/s", 1.0, "Hz"),
        ("2 mW", 2e-3, "W"),
        ("0 dBm", 1e-3, "W"),
        ("3 m^2/s", 3.0, "s^-1 m^2"),
        ("2 kV", 2e3, "kg m^2 s^-3 A^-1"),
        ("25 degC", 298.15, "K"),
        ("1 sr", 1.0, "rad^2"),
        ("50 %", 0.5, "1"),
        ("7", 7.0, "1"),
        (7, 7.0, "1"),
    ],
)
def test_a_quantity_of_any_kind_keeps_its_unit(value, si, unit):
    number, kept = read_any(value, "x")
    assert number == pytest.approx(si, rel=1e-14)
    assert sorted(kept.split()) == sorted(unit.split())
    assert to_si(f"{number!r} {kept if kept != '1' else ''}", unit, "x") == number


@pytest.mark.parametrize(
    "value", ["x", "1 wat", "1 kdegC", "1 statC", "1e99999999999999999999 m", True, None, math.inf]
)
def test_what_has_no_kind_is_refused(value):
    assert refusal(read_any, value, "x").startswith("`x` must be ")


# Printing.


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (281.7178e12, "Hz", "281.718 THz"),
        (999.9999e6, "Hz", "1 GHz"),
        (-5e3, "Hz", "-5 kHz"),
        (1.06415e-6, "m", "1.06415 µm"),
        (2.3e-4, "s", "230 µs"),
        (1e5, "s", "100000 s"),
        (2.8e-23, "m^2", "2.8e-23 m^2"),
        (4.7e15, "m^3 J^-1 s^-2", "4.7e15 m^3 J^-1 s^-2"),
        (2.8987e7, "W m^-2", "2.8987e7 W m^-2"),
        (100.0, "s^-1", "100 s^-1"),
        (1e-5, "1", "1e-5"),
        (1.82, "1", "1.82"),
        (0.0, "Hz", "0 Hz"),
        (math.nan, "Hz", "nan Hz"),
        (math.inf, "m", "inf m"),
    ],
)
def test_pretty(value, unit, text):
    assert pretty(value, unit) == text


@given(finite, st.sampled_from(list(KINDS)))
def test_what_is_printed_can_be_read(value, unit):
    assume(abs(value) < 1e308)
    assert to_si(pretty(value, unit), unit, "x") == pytest.approx(value, rel=5.1e-6, abs=1e-322)


@pytest.mark.parametrize(
    ("unit", "label"),
    [
        ("m^3 J^-1 s^-2", r"$\mathrm{m^{3}\,J^{-1}\,s^{-2}}$"),
        ("W/cm^2", r"$\mathrm{W\,cm^{-2}}$"),
        ("a_0^2", r"$\mathrm{a_{0}^{2}}$"),
        ("%", r"$\mathrm{\%}$"),
        ("1", ""),
    ],
)
def test_latex(unit, label):
    assert latex(unit) == label


@pytest.mark.parametrize("unit", [*KINDS, "µm", "a_0^2", "%"])
def test_matplotlib_reads_the_label(unit):
    width, height, *_ = MathTextParser("path").parse(latex(unit) or "1")
    assert width > 0
    assert height > 0


def test_a_label_of_no_unit_is_refused():
    with pytest.raises(UnitError, match="cannot be read"):
        latex("m^^2")


# pint.


def test_pint_is_loaded_late_and_left_alone():
    """Importing the module costs no registry; reading a quantity fills ours and not the application's."""
    code = """
import sys, types
package = sys.modules["jaxrate"] = types.ModuleType("jaxrate")
package.__path__ = [sys.argv[1]]
from jaxrate.units import to_si
assert to_si(3.0, "m", "x") == 3.0
assert "pint" not in sys.modules
import pint
registry = pint.application_registry.get()
assert to_si("1 ea0", "C m", "x") > 0
assert pint.application_registry.get() is registry
assert not registry.parse_unit_name("ea0")
assert registry.Quantity("2 mm").to("m").magnitude == 0.002
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(PACKAGE)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_kind_is_told_apart():
    """No quantity can be given where one of another dimension is expected; but s^-1 where Hz are."""
    for one, other in itertools.permutations(KINDS.keys() - {"1"}, 2):
        if (one, other) != ("s^-1", "Hz"):
            assert f"2 {one}" in refusal(to_si, f"2 {one}", other, "x")
