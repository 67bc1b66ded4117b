"""The statement as a whole: what it refuses and how, that it is a value, and the names of its parameters."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import c, h
from tests.media import laser
from tests.refusal import refused
from tests.tolerance import close

GROUND, UPPER = jr.Level("a", energy=0.0, g=2), jr.Level("b", energy="1 eV", g=4)
LORENTZIAN = jr.Lorentzian(fwhm="1 GHz")


def neodymium(**changes: Any) -> jr.Model:
    """The model of DESIGN section 3."""
    stated: dict[str, Any] = {
        "levels": [
            jr.Level("4I9/2", energy="0 cm^-1", g=10),
            jr.Level("4I11/2", energy="2111 cm^-1", g=12),
            jr.Level("4F3/2", energy="11507 cm^-1", g=4),
            jr.Level("4F5/2", energy="12370 cm^-1", g=6),
        ],
        "processes": [
            jr.Pump("pump", "4I9/2 -> 4F5/2", rate="100 s^-1"),
            jr.Decay("relax", "4F5/2 -> 4F3/2", rate="1e9 s^-1"),
            laser("4F3/2 -> 4I11/2"),
            jr.Decay("other lines", "4F3/2 -> 4I11/2", rate="1012 s^-1"),
            jr.Decay("to ground", "4F3/2 -> 4I9/2", rate="2900 s^-1"),
            jr.Decay("empty", "4I11/2 -> 4I9/2", rate="3e7 s^-1"),
            jr.Beam("signal", drives="laser", intensity="0 W/cm^2"),
        ],
        "density": "1.38e26 m^-3",
    }
    return jr.Model(**(stated | changes))


def two(*processes: Any, **stated: Any) -> jr.Model:
    """A model of two levels."""
    return jr.Model([GROUND, UPPER], processes, **stated)


def ytterbium_erbium(**stated: Any) -> jr.Model:
    levels = [
        jr.Level("2F7/2", energy=0.0, g=8, species="Yb"),
        jr.Level("2F5/2", energy="10260 cm^-1", g=6, species="Yb"),
        jr.Level("4I15/2", energy=0.0, g=16, species="Er"),
        jr.Level("4I11/2", energy="10200 cm^-1", g=12, species="Er"),
    ]
    transfer = jr.EnergyTransfer("hand over", "2F5/2 + 4I15/2 -> 2F7/2 + 4I11/2", coefficient="1e-22 m^3/s")
    return jr.Model(levels, [transfer], **stated)


def test_parameters_of_the_design():
    values = neodymium().parameters()
    expected = {
        "density": 1.38e26,
        "pump.rate": 100.0,
        "relax.rate": 1e9,
        "laser.B": 4.65730e15,
        "laser.frequency": c / 1064.15e-9,
        "laser.fwhm": 120e9,
        "laser.absorption_factor": 1.0,
        "laser.spontaneous_factor": 1.0,
        "other lines.rate": 1012.0,
        "to ground.rate": 2900.0,
        "empty.rate": 3e7,
        "signal.intensity": 0.0,
        "signal.frequency": c / 1064.15e-9,
        "signal.fwhm": 0.0,
    }
    assert list(values) == list(expected)
    assert {type(v) for v in values.values()} == {float}
    close(list(values.values()), list(expected.values()), rtol=1e-5)


def test_every_parameter_has_unit_domain_and_source():
    model = two(jr.Decay("down", "b -> a", rate="3 us^-1", source="a book"), temperature=300, source="a page")
    temperature, rate = model.parameter_list
    assert (temperature.unit, temperature.domain, temperature.source) == ("K", "positive", "a page")
    assert (rate.name, rate.unit, rate.domain, rate.source) == ("down.rate", "s^-1", "nonnegative", "a book")
    close(rate.value, 3e6)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda: jr.Level(""), ["level's name", "''"]),
        (lambda: jr.Level(5), ["level's name", "5"]),  # type: ignore[arg-type]
        (lambda: jr.Level("a -> b"), ["level's name", "` -> `", "'a -> b'"]),
        (lambda: jr.Level(" a"), ["level's name", "blanks"]),
        (lambda: jr.Level("a", g=0), ["`a`", "degeneracy `g`", "positive", "0"]),
        (lambda: jr.Level("a", g=-2), ["`a`", "degeneracy `g`", "-2"]),
        (lambda: jr.Level("a", g="ten"), ["`a`", "degeneracy `g`", "'ten'"]),  # type: ignore[arg-type]
        (lambda: jr.Level("a", g=True), ["`a`", "degeneracy `g`", "True"]),
        (lambda: jr.Level("a", g=float("nan")), ["`a`", "degeneracy `g`", "nan"]),
        (lambda: jr.Level("a", g=[1, 2]), ["`level a.g`", "one value", "[1, 2]"]),  # type: ignore[arg-type]
        (lambda: jr.Level("a", energy="5 kg"), ["energy of level a", "'5 kg'", "cm^-1"]),
        (lambda: jr.Level("a", energy="5"), ["energy of level a", "'5'", "unit"]),
        (lambda: jr.Level("a", energy="5 cm-l"), ["energy of level a", "cm-l"]),
        (lambda: jr.Level("a", energy=np.zeros(3)), ["energy", "one value"]),  # type: ignore[arg-type]
        (lambda: jr.Level("a", species=""), ["species", "`a`"]),
        (lambda: jr.Level("a", species=3), ["species", "`a`", "3"]),  # type: ignore[arg-type]
        (lambda: jr.Level("a", source=7), ["source", "text", "7"]),  # type: ignore[arg-type]
        (lambda: jr.Level("a", stark=5), ["`a`", "`stark`", "list", "5"]),  # type: ignore[arg-type]
        (lambda: jr.Level("a", stark="0 cm^-1"), ["`a`", "`stark`", "list"]),
        (lambda: jr.Level("a", stark=["10 cm^-1"]), ["`a`", "`stark`", "smallest is 0", "10 cm^-1"]),
        (lambda: jr.Level("a", stark=["0 cm^-1", "5 s"]), ["stark of level a", "'5 s'"]),
    ],
)
def test_a_level_is_refused(state: Callable[[], Any], words: list[str]):
    refused(state, *words)


def test_sublevels_share_the_degeneracy():
    level = jr.Level("m", g=6, stark=np.array([0.0, 2e-21, 3e-21]))  # type: ignore[arg-type]
    assert level.sublevels == ((0.0, 2.0), (2e-21, 2.0), (3e-21, 2.0))
    assert jr.Level("m", energy="10 cm^-1").joules == pytest.approx(1000 * h * c, rel=1e-12)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda: jr.Lorentzian(fwhm="120 nW"), ["`Lorentzian.fwhm`", "linewidth", "'120 nW'"]),
        (lambda: jr.Lorentzian(fwhm=0), ["`Lorentzian.fwhm`", "positive", "0"]),
        (lambda: jr.Lorentzian(fwhm=[1e9]), ["`Lorentzian.fwhm`", "one value"]),  # type: ignore[arg-type]
        (lambda: jr.Gaussian(fwhm="-1 GHz"), ["`Gaussian.fwhm`", "positive", "'-1 GHz'"]),
        (lambda: jr.Doppler(mass="20 nm"), ["`Doppler.mass`", "mass", "'20 nm'"]),
        (lambda: jr.Voigt(fwhm_lorentzian=1e9), ["`fwhm_gaussian` or `mass`"]),
        (lambda: jr.Voigt(1e9, fwhm_gaussian=1e9, mass="20 amu"), ["`fwhm_gaussian` or `mass`"]),
        (lambda: jr.Spectrum([1, 2], [1, 2, 3], ("THz", "m^2")), ["2 points", "3 cross-sections"]),
        (lambda: jr.Spectrum([1, 1], [1, 2], ("THz", "m^2")), ["increasing", "merge repeats"]),
        (lambda: jr.Spectrum([1, 2], [1, -2], ("THz", "m^2")), ["not negative", "-2"]),
        (lambda: jr.Spectrum([1, 2], [1, float("nan")], ("THz", "m^2")), ["finite"]),
        (lambda: jr.Spectrum([1, -2], [1, 2], ("nm", "m^2")), ["positive wavelengths"]),
        (lambda: jr.Spectrum([1, 2], [1, 2], ("kg", "m^2")), ["`at`", "'1 kg'"]),
        (lambda: jr.Spectrum([1, 2], [1, 2], ("nm", "s")), ["`cross_section`", "'1 s'"]),
        (lambda: jr.Spectrum([1, 2], [1, 2], "nm"), ["`units`", "('nm', 'cm^2')", "'nm'"]),
        (lambda: jr.Spectrum("ab", [1, 2]), ["`at`", "list of numbers", "'ab'"]),  # type: ignore[arg-type]
        (lambda: jr.Spectrum([1, 2], 5), ["`cross_section`", "list of numbers", "5"]),  # type: ignore[arg-type]
        (lambda: jr.Spectrum(np.ones((2, 2)), np.ones(4)), ["`at`", "list of numbers"]),  # type: ignore[arg-type]
    ],
)
def test_a_shape_is_refused(state: Callable[[], Any], words: list[str]):
    refused(state, *words)


def test_a_spectrum_reads_every_axis_in_either_order():
    wavelengths, sigma = np.array([900.0, 1000.0, 1100.0]), [1.0, 3.0, 2.0]
    table = jr.Spectrum(wavelengths, sigma, ("nm", "cm^2")).si  # type: ignore[arg-type]
    close(table.frequency, c / wavelengths[::-1] * 1e9, rtol=1e-14)
    close(table.cross_section, np.array([2e-4, 3e-4, 1e-4]), rtol=1e-14)
    wavenumbers = jr.Spectrum(1e7 / wavelengths, sigma, ("cm^-1", "cm^2")).si  # type: ignore[arg-type]
    close(wavenumbers.frequency, table.frequency, rtol=1e-14)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda: jr.Model([]), ["must have levels"]),
        (lambda: jr.Model("ab"), ["`levels` must be a list", "'ab'"]),  # type: ignore[arg-type]
        (lambda: jr.Model(GROUND), ["`levels` must be a list"]),  # type: ignore[arg-type]
        (lambda: jr.Model(["a"]), ["`levels`", "jr.Level", "'a'"]),  # type: ignore[list-item]
        (lambda: jr.Model([GROUND], ["decay"]), ["`processes`", "jr.Decay", "'decay'"]),  # type: ignore[list-item]
        (lambda: two(5), ["`processes`", "5"]),
        (lambda: jr.Model([GROUND], 5), ["`processes` must be a list", "5"]),  # type: ignore[arg-type]
        (lambda: jr.Model([GROUND, GROUND]), ["2 levels are named `a`"]),
        (lambda: two(jr.Decay("x", "b -> a", 1), jr.Pump("x", "a -> b", 1)), ["2 processes are named `x`"]),
        (lambda: two(jr.Decay("x", "b -> aa", 1)), ["`x`", "`aa` is not a level", "did you mean `a`", "`b`"]),
        (lambda: two(name=5), ["`name`", "text", "5"]),
        (lambda: two(source=5), ["`source`", "text", "5"]),
        (lambda: two(density=-1), ["`density`", "zero or positive", "-1"]),
        (lambda: two(density="1 m^-2"), ["`density`", "m^-3", "'1 m^-2'"]),
        (lambda: two(density=[1e26]), ["`density`", "one value", "[1e+26]"]),
        (lambda: two(density={"Yb": 1}), ["species", "`a`, `b`"]),
        (lambda: two(temperature=0), ["`temperature`", "positive", "0"]),
        (lambda: two(temperature="300"), ["`temperature`", "'300'", "unit"]),
        (lambda: two(temperature="300 s"), ["`temperature`", "'300 s'", "'300 K'"]),
        (lambda: two(parameters=[1]), ["`parameters`", "dictionary", "[1]"]),
        (lambda: two(parameters={"a.b": "1 foo"}), ["`a.b`", "'1 foo'"]),
        (lambda: two(parameters={5: 1}), ["name of a parameter", "5"]),
        (lambda: two(parameters={"a": [1, 2]}), ["`parameters.a`", "one value"]),
        (lambda: two(jr.Decay("x", "b -> a", 1), parameters={"x.rate": 1}), ["2 parameters", "`x.rate`"]),
        (lambda: two(expected=[5]), ["`expected`", "jr.Expected", "5"]),
        (lambda: two(jr.Collision("x", "b -> a", rate=1)), ["`temperature`", "`x`", "300 K"]),
        (lambda: two(jr.Collision("x", "a -> b", rate=1), temperature=3), ["`x`", "lead down", "'b -> a'"]),
        (lambda: two(jr.Radiative("x", "a -> b", A=1, wavelength="1 um")), ["`x`", "lead down", "'b -> a'"]),
        (lambda: two(jr.Radiative("x", "b -> a", A=1, lineshape=jr.Doppler("20 amu"))), ["`temperature`", "`x`"]),
        (lambda: two(jr.EnergyTransfer("x", "a + a -> a + b", 1)), ["`x`", "`density`"]),
        (lambda: two(jr.Beam("x", drives="lase", intensity=1)), ["`x`", "`lase` is not a Radiative"]),
    ],
)
def test_a_model_is_refused(state: Callable[[], Any], words: list[str]):
    refused(state, *words)


def test_what_needs_energies_says_so():
    bare = jr.Level("c")
    refused(
        lambda: jr.Model([GROUND, bare], [jr.Collision("x", "c -> a", rate=1)], temperature=300),
        "`x`",
        "detailed balance",
        "`energy` of `c`",
    )
    refused(lambda: jr.Model([GROUND, bare], [jr.Radiative("x", "c -> a", A=1)]), "`x`", "`wavelength` or `frequency`")


@pytest.mark.parametrize(
    ("beam", "line", "words"),
    [
        (jr.Beam("s", drives="lin", intensity=1), {}, ["`s`", "`lin` is not a Radiative", "did you mean `line`"]),
        (jr.Beam("s", drives="line", intensity=1), {}, ["`s`", "`line`", "no lineshape", "jr.Lorentzian"]),
        (jr.Cavity("s", "line", 1e-8, 1e-6), {}, ["`s`", "`line`", "no lineshape", "jr.Lorentzian"]),
        (jr.Cavity("b", "line", 1e-8, 1e-6), {"lineshape": LORENTZIAN}, ["cavity", "level", "`b`"]),
    ],
)
def test_light_on_the_wrong_line_is_refused(beam: Any, line: dict, words: list[str]):
    refused(lambda: two(jr.Radiative("line", "b -> a", A=1, **line), beam, density=1.0), *words)


def test_a_beam_on_two_lines_needs_a_frequency():
    lines = [jr.Radiative(f"{f} THz", "b -> a", A=1, frequency=f"{f} THz", lineshape=LORENTZIAN) for f in (1, 2)]
    refused(
        lambda: two(*lines, jr.Beam("s", drives=["1 THz", "2 THz"], intensity=1)), "`s`", "different", "`frequency`"
    )
    both = two(*lines, jr.Beam("s", drives=["1 THz", "2 THz"], intensity=1, frequency="1.5 THz"))
    assert both.parameters()["s.frequency"] == 1.5e12


def test_several_species():
    densities = {"Er": 1e25, "Yb": "1e26 m^-3"}
    model = ytterbium_erbium(density=densities)
    assert model.species == ("Yb", "Er")
    assert list(model.parameters())[:2] == ["density.Yb", "density.Er"]
    assert model == ytterbium_erbium(density=dict(reversed(densities.items())))
    assert [model.index(n) for n in ("2F5/2", "Yb:2F5/2", "Er:4I15/2")] == [1, 1, 2]
    refused(lambda: ytterbium_erbium(density=1e26), "several species", "density={'Yb': '1e26 m^-3', 'Er'")
    refused(lambda: ytterbium_erbium(density={"Yb": 1e26}), "every species", "`Er` is missing")
    refused(lambda: ytterbium_erbium(density={**densities, "Y": 1}), "`Y` is not a species", "did you mean `Yb`")
    refused(lambda: ytterbium_erbium(density={"Yb": -1, "Er": 1}), "`density.Yb`", "zero or positive", "-1")


def test_a_name_of_two_species_must_be_prefixed():
    levels = [jr.Level("2F5/2", species="Yb"), jr.Level("2F5/2", species="Ce"), jr.Level("2F7/2", species="Yb")]
    refused(lambda: jr.Model(levels).index("2F5/2"), "`Yb:2F5/2` or `Ce:2F5/2`")
    refused(
        lambda: jr.Model(levels, [jr.Decay("x", "Ce:2F5/2 -> 2F7/2", 1)]),
        "`x`",
        "one species into another",
        "Ce:2F5/2 -> Yb:2F7/2",
    )


def test_a_density_of_zero_is_legal():
    assert two(density=0).parameters() == {"density": 0.0}


def test_expressions_follow_the_other_parameters():
    rate = jr.expr("2 * wall.rate * temperature / 300")
    model = two(jr.Decay("x", "b -> a", rate=rate), parameters={"wall.rate": "0.9 ms^-1"}, temperature=300)
    assert model.parameters() == {"temperature": 300.0, "wall.rate": 900.0}
    assert model.derived() == {"x.rate": rate}


@pytest.mark.parametrize(
    ("rate", "parameters", "words"),
    [
        ("2 * wal.rate", {"wall.rate": 1}, ["`x.rate`", "`wal.rate` is not a parameter", "did you mean `wall.rate`"]),
        ("2 * x.rate", {}, ["`x.rate` -> `x.rate`", "must not need itself"]),
        ("u", {"u": jr.expr("v"), "v": jr.expr("x.rate")}, ["must not need itself", "`u`", "`v`", "`x.rate`"]),
        ("2 * k", {"k": 7}, ["`x.rate`", "k without backquotes is the constant 1.38065e-23", "`k`", "another name"]),
    ],
)
def test_an_expression_is_refused(rate: str, parameters: dict, words: list[str]):
    refused(lambda: two(jr.Decay("x", "b -> a", rate=jr.expr(rate)), parameters=parameters), *words)


def test_a_population_named_as_a_constant_is_written_in_backquotes():
    """Else the rate would silently be made of the constant: of e, the charge of an electron."""

    def stated(rate: str) -> jr.Model:
        return jr.Model([jr.Level("g"), jr.Level("e")], [jr.Decay("d", "e -> g", rate=jr.expr(rate))])

    refused(lambda: stated("1 + 5*e"), "`d.rate`", "e without backquotes is the constant 1.60218e-19", "`e`", "^")
    assert stated("1 + 5*`e`").derived() == {"d.rate": jr.expr("1 + 5*`e`")}
    assert jr.expr("e/k * `e`").names == ("e",)
    assert stated("e/k * `e`").derived() == {"d.rate": jr.expr("e/k * `e`")}


def test_equal_statements_are_equal():
    numpy = [
        jr.Level("a", energy=np.float64(0), g=np.int64(2), stark=np.array([0.0, 1e-21])),  # type: ignore[arg-type]
        jr.Level("b", energy=np.array(3e-19), g=np.float32(4)),  # type: ignore[arg-type]
    ]
    python = [jr.Level("a", energy=0, g=2.0, stark=(0, 1e-21)), jr.Level("b", energy=3e-19, g=4)]
    rates: Any = np.int32(5), 5.0
    one, other = (
        jr.Model(levels, [jr.Decay("x", "b -> a", rate=rate)], density=density, temperature=density)
        for levels, rate, density in zip((numpy, python), rates, (np.float64(7), 7), strict=True)
    )
    assert one == other
    assert hash(one) == hash(other)
    assert one.fingerprint == other.fingerprint
    assert one != one.replace(density=8)
    assert one.fingerprint != one.replace(density=8).fingerprint


def test_a_model_survives_another_process():
    """Hashes of texts differ from process to process, so what was cached must not travel."""
    model = neodymium()
    _ = hash(model), model.fingerprint
    code = """
import pickle, sys
model = pickle.load(sys.stdin.buffer)
fresh = type(model)(model.levels, model.processes, model.density)
assert model == fresh and hash(model) == hash(fresh)
print(model.fingerprint)
"""
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(model), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == model.fingerprint


def test_a_function_has_no_fingerprint():
    model = two(jr.Decay("x", "b -> a", rate=lambda theta, populations: 1.0))
    refused(lambda: model.fingerprint, "`x.rate`", "Python function", "jr.expr")


def test_replace_and_with_process_keep_the_rest():
    model = neodymium()
    assert model.replace() == model
    assert model.replace(temperature=77).parameters()["temperature"] == 77.0
    exchanged = model.with_process(jr.Decay("relax", "4F5/2 -> 4F3/2", rate=1))
    assert [p.label for p in exchanged.processes] == [p.label for p in model.processes]
    assert exchanged.parameters()["relax.rate"] == 1.0
    added = model.with_process(jr.Decay("new", "4F5/2 -> 4I9/2", rate=1))
    assert [p.label for p in added.processes] == [*(p.label for p in model.processes), "new"]
    two_species = ytterbium_erbium(density={"Yb": 1, "Er": 2})
    assert two_species.replace(name="x").density == two_species.density


def test_misspelt_names_are_proposed():
    model = neodymium()
    refused(lambda: model.index("4f3/2"), "`4f3/2` is not a level", "did you mean `4F3/2`", "`4I9/2`")
    refused(lambda: model.process("pimp"), "`pimp` is not a process", "did you mean `pump`")
    refused(lambda: model.radiative("lazer"), "`lazer` is not a Radiative", "did you mean `laser`")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quantity": "life_time"}, ["`life_time`", "did you mean `lifetime`"]),
        ({"of": 5}, ["of", "text", "5"]),
        ({"of": "4F1/2"}, ["lifetime of 4F1/2", "`4F1/2` is not a level", "did you mean `4F"]),
        ({"quantity": "A", "value": 1}, ["A of 4F3/2", "`4F3/2` is not a Radiative", "`laser`"]),
        ({"quantity": "threshold", "of": "pomp"}, ["threshold of pomp", "`pomp` is not a process", "`pump`"]),
        ({"value": "230 um"}, ["lifetime of 4F3/2", "a time", "'230 um'"]),
        ({"value": -1}, ["lifetime of 4F3/2", "positive", "-1"]),
        ({"tolerance": 0}, ["lifetime of 4F3/2", "`tolerance`", "0.05", "0"]),
        ({"tolerance": "5 %"}, ["`tolerance`", "'5 %'"]),
        ({"source": ""}, ["lifetime of 4F3/2", "`source`"]),
        ({"source": None}, ["source", "text", "None"]),
    ],
)
def test_an_expectation_is_refused(change: dict[str, Any], words: list[str]):
    given = {"quantity": "lifetime", "of": "4F3/2", "value": "230 us", "tolerance": 0.05, "source": "a book"}
    refused(lambda: neodymium(expected=[jr.Expected(**(given | change))]), *words)


def test_an_expectation_has_its_unit():
    stated = jr.Expected("threshold", "pump", value="0.2 us^-1", tolerance=0.1, source="a book")
    assert (stated.unit, stated.kind) == ("s^-1", "strength")
    close(stated.si, 2e5)
