"""A model in words: what is printed, and what it says about detailed balance."""

import re

import pytest

import jaxrate as jr
from jaxrate.model.derived import known_values, peak_cross_section, rates, spontaneous, total_rate
from tests.test_model import neodymium, two, ytterbium_erbium
from tests.test_strength import EMISSION, balanced, manifold
from tests.tolerance import close


def lines(model: jr.Model, section: str) -> list[str]:
    """The lines under a heading, blanks between columns taken together."""
    blocks = {block.split("\n")[0]: block.split("\n")[1:] for block in str(model).split("\n\n")}
    return [re.sub(r" {2,}", "  ", line).strip() for line in blocks.get(section, [])]


def remarks(model: jr.Model) -> str:
    return " ".join(lines(model, "Remarks"))


def test_levels_and_lifetimes():
    assert lines(neodymium(), "Levels") == [
        "name  energy  as stated  g  lifetime",
        "4I9/2  0 cm^-1  0 cm^-1  10  stable",
        "4I11/2  2111 cm^-1  2111 cm^-1  12  33.3333 ns",
        "4F3/2  11507 cm^-1  11507 cm^-1  4  232.558 µs",
        "4F5/2  12370 cm^-1  12370 cm^-1  6  1 ns",
    ]


def test_processes_in_the_notation_of_the_field():
    transfer = jr.EnergyTransfer("pair", "b + b -> a + b", coefficient="1e-16 cm^3/s")
    line = jr.Radiative("line", "b -> a", A=5, lineshape=jr.Lorentzian(1e9))
    hit = jr.Collision("hit", "b -> a", rate=100)
    light = jr.Beam("signal", "line", 0)
    model = two(jr.Pump("pump", "a -> b", 3), line, hit, transfer, light, density=1, temperature=5000)
    assert lines(model, "Processes") == [
        "label  kind  reaction  rates",
        "pump  Pump  a -> b  3 s^-1",
        "line  Radiative  b -> a + photon  A = 5 s^-1",
        "hit  Collision  b <-> a  100 s^-1 down, 19.637 s^-1 up",
        "pair  EnergyTransfer  b + b -> a + b  1e-22 m^3 s^-1",
        "signal  Beam  b + photon <-> a + 2 photon  on line",
    ]


def test_parameters_with_unit_and_source():
    stated = neodymium(source="a page").with_process(jr.Decay("empty", "4I11/2 -> 4I9/2", 3e7, source="a book"))
    shown = lines(stated, "Parameters")
    assert shown[0] == "name  value  SI unit  source"
    assert "density  1.38e26 m^-3  m^-3  [1]" in shown
    assert "laser.B  4.6573e15 m^3 J^-1 s^-2  m^3 J^-1 s^-2" in shown
    assert "laser.fwhm  120 GHz  Hz" in shown
    assert "empty.rate  3e7 s^-1  s^-1  [2]" in shown
    assert lines(stated, "Sources") == ["[1] a page", "[2] a book"]
    assert len(shown) == 1 + len(stated.parameters())


def test_what_follows_for_a_line():
    assert lines(neodymium(), "Line laser: 4F3/2 -> 4I11/2") == [
        "wavelength (vacuum)  1064.15 nm",
        "A (in the medium)  388.004 s^-1",
        "radiative lifetime 1/A  2.57729 ms",
        "B21 per spectral energy density and hertz  4.6573e15 m^3 J^-1 s^-2",
        "oscillator strength f12  2.19573e-6",
        "peak cross-section of emission  2.8e-23 m^2",
        "h nu / (cross-section x lifetime)  2.86672e7 W m^-2",
    ]


def test_a_line_without_a_shape_has_no_cross_section():
    shown = " ".join(lines(two(jr.Radiative("line", "b -> a", A=5)), "Line line: b -> a"))
    assert "1239.84" in shown
    assert "5 s^-1" in shown
    assert "cross-section" not in shown


def test_measured_spectra_are_named():
    measured = jr.Spectrum(EMISSION.at, EMISSION.cross_section, EMISSION.units, source="our bench")
    shown = lines(manifold(emission=measured), "Line line: upper -> lower")
    assert shown[0] == "measured emission  Spectrum(201 points, 900 to 1100 nm, in cm^2) [1]"
    assert "peak cross-section of emission  1e-24 m^2" in shown
    assert "0 cm^-1  0.0 and 4 sublevels" in " ".join(lines(manifold(emission=EMISSION), "Levels"))


def test_expressions_are_shown_with_their_value():
    model = two(
        jr.Decay("x", "b -> a", rate=jr.expr("2 * wall.rate")),
        jr.Decay("y", "b -> a", rate=len),
        jr.Decay("z", "b -> a", rate=jr.expr("3 * y.rate")),
        parameters={"wall.rate": "0.9 s^-1"},
    )
    shown = lines(model, "Parameters")
    assert "x.rate  1.8 s^-1 = 2 * wall.rate  s^-1" in shown
    assert "y.rate  Python function len  s^-1" in shown
    assert "z.rate  = 3 * y.rate  s^-1" in shown
    assert known_values(model) == {"wall.rate": 0.9, "x.rate": 1.8}
    assert known_values(model, {"wall.rate": 2.0}) == {"wall.rate": 2.0, "x.rate": 4.0}
    assert lines(model, "Levels")[-1] == "b  8065.5439 cm^-1  1 eV  4"  # no lifetime: it depends on a function


def test_factors_that_are_not_1_are_remarked():
    line = {"A": 5, "lineshape": jr.Lorentzian(1e9)}
    assert remarks(two(jr.Radiative("line", "b -> a", **line))) == ""
    said = remarks(two(jr.Radiative("line", "b -> a", **line, absorption_factor=1.3, spontaneous_factor=0.5)))
    assert "`line.absorption_factor` is 1.3, not 1" in said
    assert "`line.spontaneous_factor` is 0.5, not 1" in said
    assert remarks(manifold(emission=EMISSION, absorption=balanced())) == ""


def test_one_way_processes_near_kT_are_remarked():
    said = remarks(neodymium(temperature="300 K"))
    assert "`relax` leads one way across a gap of 4.1 kT at 300 K" in said
    assert "state a Collision" in said
    assert "`other lines`" not in said
    assert "`empty`" not in said  # 10.1 kT
    assert "`empty`" in remarks(neodymium(temperature="400 K"))
    assert "no `temperature` is stated" in remarks(neodymium())


def test_a_line_far_from_its_levels_is_remarked():
    said = remarks(two(jr.Radiative("line", "b -> a", A=5, wavelength="1000 nm")))
    assert "`line` emits at 10000 cm^-1, but its levels are 8065.54 cm^-1 apart" in said
    assert "emits" not in remarks(neodymium())


def test_what_is_published_is_shown():
    shown = lines(jr.media("nd-yag"), "Expected")
    assert any(row.startswith("lifetime of 4F3/2  230 us  0.05  [") for row in shown)


@pytest.mark.parametrize(
    "model",
    [
        jr.media("nd-yag"),
        ytterbium_erbium(density={"Yb": 1, "Er": 2}, name="x" * 300, source="word " * 80),
        jr.Model([jr.Level("long " * 30 + "name")]),
        two(jr.Decay("x" * 150, "b -> a", rate=jr.expr(" + ".join(["1"] * 80)))),
    ],
)
def test_no_line_is_longer_than_100_columns(model: jr.Model):
    text = str(model)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_what_follows_agrees_with_the_observables():
    """The statement computes without jax what the observables read off a solution."""
    model = neodymium(temperature=300).with_process(jr.Collision("empty", "4I11/2 -> 4I9/2", rate=3e7))
    values, state, laser = known_values(model), jr.steady_state(model), model.radiative("laser")
    close([1 / total_rate(model, name, values) for name in model.level_names],
          [jr.Lifetime(name)(state) for name in model.level_names], rtol=1e-12)  # fmt: skip
    close(peak_cross_section(laser, model, values), jr.CrossSection("laser")(state), rtol=1e-12)
    branching = spontaneous(laser, model, values) / total_rate(model, "4F3/2", values)
    close(branching, jr.BranchingRatio("laser")(state), rtol=1e-12)


def test_rates_of_measured_lines_and_partners():
    model = manifold(emission=EMISSION, A=500.0)
    close(rates(model.radiative("line"), model, known_values(model))[0], 500.0)
    hit = jr.Collision("hit", "b -> a", coefficient=2e-16, partner_density=1e20)
    pair = two(hit, temperature=5000)
    down, up = rates(hit, pair, known_values(pair))
    close(down, 2e4)
    close(up, 2e4 * 0.196370, rtol=1e-5)
