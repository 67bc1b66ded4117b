"""Tables of measured numbers: what is read, in which units, what is remarked and what is refused."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from jaxrate.constants import c
from jaxrate.fit.sources import read_table, tabulated
from jaxrate.fit.table import Table
from jaxrate.solve.status import Status
from jaxrate.units import UnitError, read_any, to_frequency, to_si, to_width
from tests.measured_data import data
from tests.refusal import refused
from tests.tolerance import close, same

AMPLIFIER = """# measured in April
signal.power [dBm], pump.power [mW], signal.wavelength [nm], gain [dB], gain.sigma [dB], dataset, state
-16.082, 118.97, 1530.7064, 12.677, 0.1, one, a
-16.2, 118.97, 1540, 11.5, 0.1, one, a
# a comment between the rows

-16.3, 90.3, 1540, , 0.1, two, b
"""


@pytest.fixture
def read(tmp_path: Path):
    """Reads a table from text or bytes."""

    def read(content: str | bytes) -> Table:
        path = tmp_path / "gain.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_table(path)

    return read


def values(table: Table, name: str) -> list[float]:
    return table.column(name).values.tolist()


def test_a_table_is_kept_as_written(read):
    table = read(AMPLIFIER)
    assert len(table) == 3
    assert [column.title for column in table.columns.values()] == [
        "signal.power [dBm]",
        "pump.power [mW]",
        "signal.wavelength [nm]",
        "gain [dB]",
        "gain.sigma [dB]",
    ]
    assert values(table, "signal.power") == [-16.082, -16.2, -16.3]
    same(table.column("gain").values, np.array([12.677, 11.5, np.nan]))
    assert table["state"].tolist() == ["a", "a", "b"]
    assert table.labels["dataset"].tolist() == ["one", "one", "two"]
    assert table.lines.tolist() == [3, 4, 7]
    assert table.source.endswith("gain.csv")
    assert table.sha256 == hashlib.sha256(AMPLIFIER.encode()).hexdigest()
    assert table.remarks == ("gain: 1 cell is empty or NaN",)
    assert "3 rows" in repr(table)
    assert "gain" in table
    assert "loss" not in table


LINES = ["time [us];gain [m^-1]", "1,5;2,5D-3", ";-1,0e2", "nan;,5"]
EXPECTED = np.array([[1.5, np.nan, np.nan], [2.5e-3, -100.0, 0.5]])


def written(separator: str, quote: str, point: str, end: str) -> str:
    """The lines above, otherwise separated, quoted and ended."""
    rows = [[quote + cell.replace(",", point) + quote for cell in line.split(";")] for line in LINES]
    return end.join(separator.join(row) for row in rows) + end


@pytest.mark.parametrize(
    "content",
    [
        written(";", "", ",", "\n"),
        written(";", "", ".", "\n"),
        written("\t", "", ",", "\n"),
        written(",", '"', ",", "\n"),
        written(", ", '"', ",", "\r\n"),
        written(",", "", ".", "\r"),
        written("   ", '"', ",", "\n"),
        written("\t", '"', ".", "\n\n"),
        "  time [us]  gain [m^-1]\n 1,5 2,5d-3\n\n nan \t -1.0e2\n nan +,5\n".replace(".", ","),
        "\ufeff" + written(";", "", ",", "\r\n") + "\r\n \r\n",
        written(";", "", ",", "\n").encode("utf-16"),
        written(";", "", ",", "\n").replace(";-1", ";−1").replace("D-", "D−"),
    ],
)
def test_separators_commas_exponents_and_line_ends(read, content):
    table = read(content)
    same(np.stack([column.values for column in table.columns.values()]), EXPECTED)
    assert [column.unit for column in table.columns.values()] == ["us", "m^-1"]


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_headers_with_blanks_brackets_and_quotes(read, separator):
    """Racah's notation has brackets of its own; a unit may hold blanks."""
    titles = ["6s[3/2]2.rate [1/s]", '"other lines.B [m^3 J^-1 s^-2]"', "flux [W/(m^2 Hz)]", "factor"]
    table = read(separator.join(titles) + "\n" + separator.join("1234") + "\n")
    assert {name: column.unit for name, column in table.columns.items()} == {
        "6s[3/2]2.rate": "1/s",
        "other lines.B": "m^3 J^-1 s^-2",
        "flux": "W/(m^2 Hz)",
        "factor": None,
    }


@given(
    rows=st.lists(
        st.tuples(*[st.floats(allow_infinity=False) | st.integers(-(10**9), 10**9)] * 2), min_size=1, max_size=20
    ),
    separator=st.sampled_from([",", ";", "\t", " "]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_every_float_survives_the_round_trip(tmp_path_factory, rows, separator, end):
    path = tmp_path_factory.mktemp("table") / "table.txt"
    lines = [f"a [m]{separator}b [s]", *(separator.join(map(repr, row)) for row in [*rows, (1.0, 2.0)])]
    path.write_text(end.join(lines) + end, encoding="utf-8", newline="")
    table = read_table(path)
    kept = [i for i, row in enumerate(rows) if not np.isnan(row).all()] + [len(rows)]
    wanted = np.array([*rows, (1.0, 2.0)], np.float64)[kept]
    same(np.stack([table.column("a").values, table.column("b").values], axis=1), wanted)
    assert table.lines.tolist() == [i + 2 for i in kept]


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("table") / "table.txt"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        table = read_table(path)
    except ValueError as why:
        refusal = str(why)
    else:
        refusal = ""
        assert len(table) > 0
    assert not refusal or str(path) in refusal


@pytest.mark.parametrize(
    ("unit", "si"),
    [
        ("mW", "W"),
        ("dBm", "W"),
        ("dBW", "W"),
        ("dB", "1"),
        ("%", "1"),
        ("dB/m", "m^-1"),
        ("dB km^-1", "m^-1"),
        ("us", "s"),
        ("nm", "m"),
        ("degC", "K"),
        ("°F", "K"),
        ("rad/s", "Hz"),
        ("ms^-1", "s^-1"),
        ("kW/cm^2", "W m^-2"),
        ("eV", "J"),
    ],
)
def test_a_column_converts_as_a_quantity_does(unit, si):
    numbers = [0.0, 1.0, -3.5, 230.0, 1064.15]
    table = tabulated({f"x [{unit}]": [*numbers, np.nan], "row": np.arange(6)})
    wanted = [*(to_si(f"{number!r} {unit}", si, "x") for number in numbers), np.nan]
    close(table.si("x", si), wanted, rtol=5e-16)
    close(table["x"], [*(read_any(f"{number!r} {unit}", "x")[0] for number in numbers), np.nan], rtol=5e-16)


def test_decimal_prefixes_round_once():
    same(tabulated({"time [us]": [230.0, 7.0]})["time"], np.array([230e-6, 7e-6]))


@pytest.mark.parametrize("unit", ["THz", "nm", "cm^-1", "eV", "rad/s"])
def test_frequencies_and_widths_follow_the_rules_of_units(unit):
    numbers = [1.5, 1064.15, 9397.0]
    table = tabulated({f"line [{unit}]": [*numbers, np.nan], "row": np.arange(4)})
    close(table.frequency("line"), [*(to_frequency(f"{x} {unit}", "line") for x in numbers), np.nan], rtol=5e-16)
    for frequency in (2.8e14, np.array([2.8e14, 3e14, 1e14, 1e14])):
        at = np.broadcast_to(frequency, 4)
        wanted = [*(to_width(f"{x} {unit}", "line", f) for x, f in zip(numbers, at[:3], strict=True)), np.nan]
        close(table.width("line", frequency), wanted, rtol=1e-15)


def test_bare_numbers_from_python_are_si():
    table = tabulated(
        {"pump.rate": [1.0, 2.0], "signal.wavelength": 1e-6, "laser.frequency": 3e14, "gain [dB/m]": [3, 4]}
    )
    same(table.si("pump.rate", "s^-1"), np.array([1.0, 2.0]))
    same(table["pump.rate"], np.array([1.0, 2.0]))
    same(table.frequency("laser.frequency"), np.full(2, 3e14))
    same(table.frequency("signal.wavelength"), np.full(2, c / 1e-6))
    assert table.column("gain").unit == "dB/m"
    assert table.source == "a dictionary"


def test_a_level_is_told_from_a_coefficient():
    table = tabulated(
        {"a [dB]": [1.0], "b [dBm]": [1.0], "c [dBW]": [1.0], "d [dB/m]": [1.0], "e": [1.0], "f [W]": [1.0]}
    )
    assert [table.is_level(name) for name in table.columns] == [True, True, True, False, False, False]


def test_a_number_without_a_unit_is_one(read):
    table = read("overlap,factor [],time\n0.5,2,3\n")
    same(table.si("overlap", "1"), np.array([0.5]))
    same(table["factor"], np.array([2.0]))
    refused(lambda: table.si("time", "m^-1"), "`time` must be an inverse length", "no unit", "write `time [m^-1]`")
    refused(lambda: table["time"], "no unit", "`time [1]`")
    refused(lambda: table.frequency("time"), "no unit")
    refused(lambda: table.width("time", 1e14), "no unit")


def test_a_wrong_dimension_names_column_unit_and_expectation(read):
    table = read("gain [W],line [s^-1]\n1,2\n")
    refused(lambda: table.si("gain", "m^-1"), "gain.csv", "`gain [W]`", "an inverse length", "1 W")
    refused(lambda: table.frequency("gain"), "`gain [W]`", "a frequency")
    refused(lambda: table.width("line", 1e14), "`line [s^-1]`", "rad/s")
    refused(lambda: table["gian"], "did you mean `gain`?")


def test_values_that_have_no_si_value_are_refused(read):
    table = read("line [nm],power [dBm],temperature.sigma [degC],gain.sigma [dB]\n1,1,1,1\n-5,1e6,1,1\n")
    refused(lambda: table.frequency("line"), "line 3", "`line [nm]`", "-5", "positive")
    refused(lambda: table["power"], "line 3", "`power [dBm]`", "too large")
    refused(lambda: tabulated({"length [km]": [1e308]})["length"], "row 1", "`length [km]`", "too large")
    refused(lambda: table.si("temperature.sigma", "K"), "`temperature.sigma [degC]`", "write it in K")
    refused(lambda: table["gain.sigma"], "`gain.sigma [dB]`", "in that scale")


def test_what_is_odd_is_remarked(read):
    table = read(
        "power [dBm],gain [m^-1],gain.sigma [dB]\n"
        "-1,2,1\n-1,2,1\n,,\n-1.0,2,1\nnan, ,\n-1,-2,-1\n,3,1\n-0,0,1\n0,-0,1\n"
    )
    assert len(table) == 7
    assert table.lines.tolist() == [2, 3, 5, 7, 8, 9, 10]
    assert table.remarks == (
        "2 rows hold no number and were left out",
        "3 rows repeat an earlier one",
        "power: 1 cell is empty or NaN",
        "gain: 1 value is negative",
        "gain.sigma: 1 value is negative",
    )


def test_rows_of_other_labels_are_no_repetition(read):
    assert read("gain [dB],dataset\n1,a\n1,b\n").remarks == ()
    assert read("gain [dB],dataset\n1,a\n1,a\n").remarks == ("1 row repeats an earlier one",)


def test_decimal_commas_and_a_missing_line_end_are_remarked(read):
    table = read("gain [dB];power\n1,5;2\n2,5;3")
    assert table.remarks == (
        "gain [dB]: 2 values with a decimal comma",
        "the file does not end with a line break: is its last row whole?",
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a [m],b\n1,2\n3\n", ["line 3", "1 field", "header has 2"]),
        ("a [m],b\n1,2\n3,4,5\n", ["line 3", "3 fields", "header has 2"]),
        ("# note\na [m],b\n\n1,2\n3,x4\n", ["line 5", "column `b`", "'x4'", "not a finite number"]),
        ("a [m],b\n1,2\n3,1_000\n", ["line 3", "'1_000'"]),
        ("a [m];b\n1;2\n3;1.234,5\n", ["line 3", "'1.234,5'"]),
        ('a [m],b\n0.5,"1,234"\n', ["line 2", "column `b`", "'1,234'", "`a [m]` has decimal points"]),
        ("a [m],b\n1,inf\n", ["line 2", "column `b`", "'inf'"]),
        ("a [m],b\n1,1e999\n", ["line 2", "'1e999'"]),
        ("a [m],a [s]\n1,2\n", ["line 1", "two columns `a`"]),
        ("a [m],\n1,2\n", ["line 1", "column 2 has no name"]),
        ("[m],b\n1,2\n", ["column 1 has no name"]),
        ("a [m,b\n1,2\n", ["bracket"]),
        ("1.0,2.0\n1,2\n", ["line 1", "`1.0` is a number", "must name the columns"]),
        ("a [furlng],b\n1,2\n", ["line 1", "`a [furlng]`", "did you mean `furlong`?"]),
        ("a [dBm/nm],b\n1,2\n", ["`a [dBm/nm]`", "logarithmic"]),
        ("a [m],state [s]\n1,2\n", ["`state` is text"]),
        ("a [m],state\n1,x\n2,\n", ["line 3", "`state` is empty"]),
        ("", ["empty"]),
        ("# only a comment\n\n", ["empty"]),
        ("a [m],b\n", ["no rows"]),
        ("a [m],b\n,nan\n", ["no number"]),
        ("state,dataset\na,b\n", ["no number"]),
        ('a [m],b\n1,"2\n3,4\n', ["line 2", "quotes"]),
        (b"a [\xb5m],b\n1,2\n", ["not text in UTF-8", "byte 3"]),
        (b"PK\x03\x04\x00\x00", ["not text"]),
    ],
)
def test_what_is_no_table_is_refused(read, content, words):
    refused(lambda: read(content), "gain.csv", *words)


def test_an_unknown_unit_is_a_unit_error(read):
    with pytest.raises(UnitError):
        read("a [furlng]\n1\n")


def test_a_table_cannot_be_written_to(read):
    table = read("a [m]\n1\n")
    with pytest.raises(ValueError, match="read-only"):
        table.column("a").values[0] = 2.0


def test_a_dictionary_broadcasts():
    table = tabulated({"pump.rate": np.array([[1.0], [2.0]]), "gain [dB]": [1, 2, 3], "length [cm]": 5, "state": "x"})
    assert values(table, "pump.rate") == [1, 1, 1, 2, 2, 2]
    assert values(table, "gain") == [1, 2, 3] * 2
    same(table["length"], np.full(6, 0.05))
    assert table["state"].tolist() == ["x"] * 6
    assert table.lines.tolist() == [1, 2, 3, 4, 5, 6]


def test_the_hash_is_that_of_names_units_numbers_and_labels():
    first = {"a [m]": [1.0, 2.0], "b": [3.0, 4.0], "state": ["x", "y"]}
    same_again = tabulated(dict(reversed(first.items())))
    assert tabulated(first).sha256 == same_again.sha256
    others = [{**first, "b": [3.0, 5.0]}, {**first, "state": ["x", "z"]}, {"a [s]": [1.0, 2.0], "b": [3.0, 4.0]}]
    assert len({tabulated(other).sha256 for other in [first, *others]}) == 4


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"a": [1, 2], "b": [1, 2, 3]}, ["`a` (2,)", "`b` (3,)", "broadcast"]),
        ({"a": ["1 m"]}, ["`a`", "real numbers"]),
        ({"a": [1j]}, ["`a`", "real numbers", "complex128"]),
        ({"a": [True]}, ["`a`", "bool"]),
        ({"a": np.ma.masked_array([1.0, 2.0], [True, False])}, ["`a`", "`mask` would be lost"]),
        ({"a": xr.DataArray([1.0], attrs={"units": "nm"})}, ["`a`", "`units` would be lost", "`a [unit]`"]),
        ({"a": [1.0, np.inf]}, ["row 2", "`a` is infinite"]),
        ({"a [furlng]": [1.0]}, ["furlong"]),
        ({"a": [1.0], "a [m]": [1.0]}, ["two columns `a`"]),
        ({"a": [1.0], "state": [0.5]}, ["`state`", "text or whole numbers"]),
        ({"a": []}, ["no number"]),
        ({}, ["no number"]),
        ([1.0], ["a list was given", "dictionary"]),
    ],
)
def test_what_is_no_data_is_refused(given, words):
    refused(lambda: tabulated(given), *words)


def test_a_table_or_path_is_taken_as_it_is(read):
    table = read("a [m]\n1\n")
    assert tabulated(table) is table
    assert tabulated(table.source).sha256 == table.sha256


def dataset() -> xr.Dataset:
    flags = {"flag_values": np.array([s.value for s in Status], np.int8), "flag_meanings": "..."}
    return xr.Dataset(
        {
            "gain": (("power", "frequency"), [[1.0, 2.0, np.inf], [4.0, 5.0, 6.0]], {"units": "dB/m"}),
            "lifetime": (("power",), [7.0, 8.0]),
            "status": (("power", "frequency"), np.array([[0, 0, 1], [0, 0, 0]], np.int8), flags),
        },
        {
            "power": ("power", [0.1, 0.2], {"units": "mW"}),
            "frequency": [1e14, 2e14, 3e14],
            "state": ("power", ["a", "b"]),
        },
    )


def test_a_dataset_becomes_one_row_per_element():
    """As `jr.sweep` makes it: failed ensembles keep their conditions and lose their observables."""
    table = tabulated(dataset())
    same(table.column("gain").values, np.array([1.0, 2.0, np.nan, 4.0, 5.0, 6.0]))
    same(table.column("lifetime").values, np.array([7.0, 7.0, np.nan, 8.0, 8.0, 8.0]))
    close(table.si("power", "W"), np.repeat([1e-4, 2e-4], 3))
    assert values(table, "frequency") == [1e14, 2e14, 3e14] * 2
    assert table["state"].tolist() == ["a"] * 3 + ["b"] * 3
    assert set(table.columns) == {"gain", "lifetime", "power", "frequency"}
    assert table.source == "an xarray.Dataset"
    refused(lambda: table.si("lifetime", "s"), "`lifetime` must be a time", 'attrs["units"] = "s"')


def test_a_dataset_that_holds_other_text_or_units_is_refused():
    refused(lambda: tabulated(dataset().assign_coords(who=("power", ["x", "y"]))), "`who`", "real numbers")
    refused(lambda: tabulated(xr.Dataset({"a": ("x", [1.0], {"units": "furlng"})})), "furlong")


def with_header(path: Path, header: str, folder: Path) -> Path:
    """A copy of a file whose header has no units, with one that has."""
    copy = folder / path.name
    copy.write_bytes(header.encode() + b"\n" + path.read_bytes().split(b"\n", 1)[1])
    return copy


@pytest.mark.parametrize("name", ["SatIntensity", "SatIntensityAbs"])
def test_rubidium_saturation_is_read(tmp_path, name):
    path = data(f"gain/rb-saturation-and-dye/{name}.csv")
    table = read_table(with_header(path, "beam.power [mW],signal [mV]", tmp_path))
    wanted = np.genfromtxt(path, delimiter=",", skip_header=1)
    same(table.column("beam.power").values, wanted[:, 0])
    same(table.column("signal").values, wanted[:, 1])
    close(table.si("beam.power", "W"), wanted[:, 0] * 1e-3)


def test_an_erbium_amplifier_is_read(tmp_path):
    path = data("gain/edf-corning-perin/edfa_gain_ase_raw.csv")
    header = "nominal [dBm],pump.power [mW],signal.wavelength [nm],signal.power [dBm],gain [dB],ase.power [dBm]"
    table = read_table(with_header(path, header, tmp_path))
    wanted = np.genfromtxt(path, delimiter=",", skip_header=1)
    assert len(table) == 720
    assert table.lines.tolist() == list(range(2, 722))
    same(np.stack([column.values for column in table.columns.values()], axis=1), wanted)
    close(table.si("signal.power", "W"), 1e-3 * 10 ** (wanted[:, 3] / 10))
    close(table.si("gain", "1"), 10 ** (wanted[:, 4] / 10))
    close(table.frequency("signal.wavelength"), c / (wanted[:, 2] * 1e-9))


def test_digitised_ytterbium_with_decimal_commas_is_read(tmp_path):
    path = data("gain/cross-sections/pyfiberamp/ytterbium_emission_cross_sections.dat")
    copy = tmp_path / path.name
    copy.write_bytes(b"wavelength [nm] sigma [m^2]\n" + path.read_bytes())
    table = read_table(copy)
    wanted = np.array([line.replace(",", ".").split() for line in path.read_text("utf-8").splitlines()], float)
    same(np.stack([table.column("wavelength").values, table.column("sigma").values], axis=1), wanted)
