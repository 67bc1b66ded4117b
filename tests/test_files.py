"""Model files: whatever can be stated comes back equal, and a wrong file is told where and what to write instead."""

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxrate as jr
from jaxrate.model.files import ModelFileError, from_toml, to_toml
from tests.refusal import refused
from tests.test_model import neodymium

GOOD = """
density = "1e26 m^-3"

[[levels]]
name = "a"
energy = "0 cm^-1"
g = 2

[[levels]]
name = "b"
energy = "11507 cm^-1"

[[processes]]
kind = "Radiative"
label = "laser"
reaction = "b -> a"
A = "5 s^-1"
lineshape = {kind = "Lorentzian", fwhm = "120 GHz"}

[[processes]]
kind = "Decay"
label = "quench"
reaction = "b -> a"
rate = {expr = "2 * wall.rate"}

[[processes]]
kind = "Beam"
label = "signal"
drives = "laser"
intensity = "1 kW/cm^2"

[parameters]
wall.rate = "0.9 s^-1"
"wall.area" = 3
deep.er.still = {expr = "wall.area"}
"""


def test_a_file_written_by_hand():
    model = from_toml(GOOD)
    assert model == jr.Model(
        [jr.Level("a", energy="0 cm^-1", g=2), jr.Level("b", energy="11507 cm^-1")],
        [
            jr.Radiative("laser", "b -> a", A="5 s^-1", lineshape=jr.Lorentzian("120 GHz")),
            jr.Decay("quench", "b -> a", rate=jr.expr("2 * wall.rate")),
            jr.Beam("signal", drives="laser", intensity="1 kW/cm^2"),
        ],
        density="1e26 m^-3",
        parameters={"wall.rate": "0.9 s^-1", "wall.area": 3, "deep.er.still": jr.expr("wall.area")},
    )


def test_the_model_of_the_design_comes_back(tmp_path: Path):
    model = neodymium(name="Nd:YAG", temperature="300 K")
    model.save(tmp_path / "nd.toml")
    loaded = jr.load_model(tmp_path / "nd.toml")
    assert loaded == model
    assert loaded.fingerprint == model.fingerprint


def test_a_file_with_a_byte_order_mark_and_other_line_ends(tmp_path: Path):
    (tmp_path / "nd.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert jr.load_model(str(tmp_path / "nd.toml")) == from_toml(GOOD)


def test_spectra_species_and_every_field_come_back():
    levels = [
        jr.Level("l", energy=0, g=8, species="Yb", stark=("0 cm^-1", "300 cm^-1"), source="a \"book\"\n'and' \\ more"),
        jr.Level("u", energy="1.27 eV", g=6.5, species="Yb"),
        jr.Level("l", energy=0, species="Er"),
        jr.Level("u", energy="1.26 eV", species="Er"),
    ]
    emission = jr.Spectrum(np.linspace(0.9, 1.1, 5), [0, 1e-25, 1 / 3, 2, 0.1], ("um", "cm^2"), source="measured")  # type: ignore[arg-type]
    model = jr.Model(
        levels,
        [
            jr.Radiative("measured", "Yb:u -> Yb:l", emission=emission, A=1e3, n=1.8),
            jr.Radiative(
                "voigt", "Er:u -> Er:l", B=jr.expr("b0"), lineshape=jr.Voigt(1e9, mass="167 amu"), mixing="fast"
            ),
            jr.EnergyTransfer("x", "Yb:u + Er:l -> Yb:l + Er:u", coefficient="1e-16 cm^3/s"),
            jr.Beam("pump", drives=["measured", "voigt"], intensity=jr.expr("p0 / 2"), wavelength="976 nm"),
            jr.Blackbody("room", drives="voigt", temperature=300),
            jr.Cavity("box", couples=["measured", "voigt"], photon_lifetime=1e-8, mode_volume="1 mm^3", num_modes=3),
        ],
        density={"Er": jr.expr("2 * b0"), "Yb": "1e26 m^-3"},
        temperature=295.5,
        parameters={"b0": "3e15 m^3 J^-1 s^-2", "p0": 1.5, "odd `name".replace("`", ""): 0.1},
        expected=[jr.Expected("threshold", "pump", "1 kW/cm^2", 0.2, "a book")],
    )
    assert from_toml(to_toml(model)) == model
    assert from_toml(to_toml(model)).fingerprint == model.fingerprint


words = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="`"), min_size=1, max_size=9
)
sizes = st.floats(1e-30, 1e30) | st.integers(1, 10**9)
rates = sizes | st.builds("{!r} s^-1".format, st.floats(1e-30, 1e30)) | st.just(jr.expr("2 * temperature"))


@st.composite
def models(draw: st.DrawFn) -> jr.Model:
    """Models of a few levels with every process that any two levels allow."""
    names = draw(st.lists(words, min_size=2, max_size=5, unique=True))
    energies = sorted(draw(st.lists(st.floats(1e-21, 1e-18), min_size=len(names), max_size=len(names), unique=True)))
    levels = [
        jr.Level(name, energy=energy, g=draw(sizes), source=draw(st.text(max_size=9)))
        for name, energy in zip(names, energies, strict=True)
    ]
    labels = draw(st.lists(words, max_size=6, unique=True))
    return jr.Model(
        levels,
        [draw(process(label, names)) for label in labels],
        density=draw(st.none() | sizes),
        temperature=draw(st.floats(1, 1e4)),
        name=draw(st.text(max_size=9)),
    )


@st.composite
def process(draw: st.DrawFn, label: str, names: list[str]) -> Any:
    low, high = sorted(draw(st.lists(st.integers(0, len(names) - 1), min_size=2, max_size=2, unique=True)))
    down, up = f"{names[high]} -> {names[low]}", f"{names[low]} -> {names[high]}"
    match draw(st.integers(0, 3)):
        case 0:
            return jr.Decay(label, draw(st.sampled_from([down, up])), rate=draw(rates))
        case 1:
            return jr.Pump(label, up, rate=draw(rates), source=draw(st.text(max_size=9)))
        case 2:
            return jr.Collision(label, down, rate=draw(rates))
    shape = draw(st.none() | st.builds(jr.Lorentzian, sizes) | st.builds(jr.Voigt, sizes, sizes))
    return jr.Radiative(label, down, A=draw(st.floats(0, 1e12)), lineshape=shape, n=draw(st.floats(0.5, 5)))


@settings(max_examples=200, deadline=None)
@given(models())
def test_every_model_comes_back(model: jr.Model):
    text = to_toml(model)
    assert from_toml(text) == model
    assert to_toml(from_toml(text)) == text


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.builds(lambda a, b: GOOD[:a] + b + GOOD[a:], st.integers(0, 600), st.text(max_size=4)))
def test_no_text_escapes_as_another_error(text: str):
    with contextlib.suppress(ValueError):
        from_toml(text)


def test_a_function_is_refused_by_name(tmp_path: Path):
    model = neodymium().with_process(jr.Pump("pump", "4I9/2 -> 4F5/2", rate=lambda theta, populations: 1.0))
    refused(lambda: model.save(tmp_path / "nd.toml"), "`pump.rate`", "Python function", "jr.expr")
    assert not (tmp_path / "nd.toml").exists()


def exchanged(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (exchanged("g = 2", "g = = 2"), ["line 7", "g = = 2"]),
        (exchanged('name = "a"', 'name = "a'), ["line 5", 'name = "a']),
        (exchanged("g = 2", "g = 2\ng = 3"), ["line 8", "g = 3"]),
        (exchanged('rate = {expr = "2 * wall.rate"}', 'rate = {expr = "2"'), ["line"]),
        ("levels = [", ["line 1: levels = ["]),
    ],
)
def test_bad_syntax_shows_the_line(text: str, message: list[str]):
    refused(lambda: from_toml(text), *message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ["must have levels", "[[levels]]"]),
        ("density = 1", ["must have levels"]),
        (exchanged("density", "densty"), ["`densty` is not a key of a model", "did you mean `density`"]),
        (exchanged("[[levels]]", "[[level]]"), ["`level` is not a key", "did you mean `levels`"]),
        (exchanged("g = 2", "h = 2"), ["`h` is not a key of [[levels]] number 1, `a`", "`g`"]),
        (exchanged("energy", "enrgy"), ["`enrgy` is not a key of [[levels]]", "did you mean `energy`"]),
        (exchanged('name = "a"', ""), ["[[levels]] number 1", "`name` must be given"]),
        (exchanged("g = 2", 'g = "ten"'), ["[[levels]] number 1, `a`", "degeneracy `g`", "positive number", "'ten'"]),
        (exchanged("g = 2", "g = true"), ["`a`", "degeneracy `g`", "True"]),
        (exchanged("g = 2", "g = 1979-05-27"), ["`a`", "degeneracy `g`", "1979"]),
        (exchanged('"0 cm^-1"', "[1, 2]"), ["`level a.energy`", "one value", "[1, 2]"]),
        (exchanged('"0 cm^-1"', '"0 cm-l"'), ["[[levels]] number 1, `a`", "energy of level a", "cm-l"]),
        (exchanged('kind = "Decay"', 'kind = "Decoy"'), ["number 2, `quench`", "`Decoy`", "did you mean `Decay`"]),
        (exchanged('kind = "Decay"', "kind = 5"), ["number 2, `quench`", "`5` is not a kind of process"]),
        (exchanged('kind = "Decay"', ""), ["number 2, `quench`", "must have a `kind`", "Radiative, Decay"]),
        (exchanged("rate =", "rat ="), ["`rat` is not a key of [[processes]] number 2, `quench` (Decay)", "`rate`"]),
        (exchanged("reaction", "reactoin"), ["number 1, `laser` (Radiative)", "did you mean `reaction`"]),
        (exchanged('reaction = "b -> a"', ""), ["number 1, `laser`", "`reaction` must be given"]),
        (exchanged('"b -> a"', '"b -> c"'), ["`laser`", "`c` is not a level", "`a`, `b`"]),
        (exchanged('"5 s^-1"', '"5 nm"'), ["`laser`", "`laser.A`", "a rate", "'5 nm'"]),
        (exchanged('{expr = "2 * wall.rate"}', '{exp = "2"}'), ["number 2, `quench`, rate", '{expr = "..."}']),
        (exchanged('{expr = "2 * wall.rate"}', "{expr = 5}"), ["`quench`, rate", "must be text"]),
        (exchanged("2 * wall.rate", "2 * wal.rate"), ["`quench.rate`", "did you mean `wall.rate`"]),
        (exchanged("2 * wall.rate", "open(1)"), ["`quench`, rate", "`open` is not a function"]),
        (exchanged('{kind = "Lorentzian", fwhm', '{kind = "Lorenzian", fwhm'), ["`laser`, lineshape", "`Lorentzian`"]),
        (exchanged("fwhm", "width"), ["`width` is not a key", "`laser`, lineshape (Lorentzian)", "`fwhm`"]),
        (exchanged('{kind = "Lorentzian", fwhm = "120 GHz"}', '"120 GHz"'), ["`laser`, lineshape", "must be a table"]),
        (exchanged('drives = "laser"', "drives = 5"), ["`signal`", "`drives`", "one line or several", "5"]),
        (exchanged('drives = "laser"', 'drives = ["lazer"]'), ["`signal`", "`lazer`", "did you mean `laser`"]),
        (exchanged("[parameters]", "[[parameters]]"), ["parameters must be a table"]),
        (exchanged("[parameters]", "[levels]"), ["line", "[levels]"]),
        (exchanged('density = "1e26 m^-3"', "density = {}"), ["species"]),
        (exchanged('density = "1e26 m^-3"', "density = [1]"), ["`density`", "one value"]),
        (exchanged('density = "1e26 m^-3"', "name = 5"), ["`name`", "text", "5"]),
        ("levels = 5", ["`levels` must be a list of tables, [[levels]]", "5"]),
        ("levels = [5]", ["[[levels]] number 1 must be a table", "5"]),
        (GOOD + '[[expected]]\nquantity = "A"', ["[[expected]] number 1", "`of`, `value`, `tolerance`, `source` must"]),
        (
            GOOD + '[[expected]]\nquantity = "lifetme"\nof = "b"\nvalue = 1\ntolerance = 0.1\nsource = "x"',
            ["[[expected]] number 1", "`lifetme`", "did you mean `lifetime`"],
        ),
    ],
)
def test_a_wrong_file_is_told_what_to_write(text: str, message: list[str]):
    refused(lambda: from_toml(text), *message)


def test_spectra_in_files_are_checked():
    text = GOOD.replace('A = "5 s^-1"\n', "").replace('{kind = "Lorentzian", fwhm = "120 GHz"}', "5")
    spectrum = '{at = [900, 1000], cross_section = [1, 2], units = ["nm", "cm^2"]}'
    good = text.replace("lineshape = 5", f"emission = {spectrum}") + "\n"
    assert from_toml('temperature = "300 K"\n' + good).process("laser").kind == "Radiative"
    refused(lambda: from_toml(good.replace("at =", "ad =")), "`ad` is not a key", "`laser`, emission", "`at`")
    refused(lambda: from_toml(good.replace('["nm", "cm^2"]', '"nm"')), "`laser`, emission", "`units`", "'nm'")
    refused(lambda: from_toml(good.replace(spectrum, "5")), "`laser`, emission must be a table")


@pytest.mark.parametrize("load", [jr.load_model, lambda path: jr.load_model(str(path))])
def test_the_file_is_named(tmp_path: Path, load: Callable[[Path], jr.Model]):
    path = tmp_path / "mine.toml"
    with pytest.raises(FileNotFoundError):
        load(path)
    for content in (b"levels = 5", b"\xff\xfe", b"x = = 5"):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=r"mine\.toml: "):
            load(path)


def test_a_file_loads_without_jax(tmp_path: Path):
    """A statement is read, checked and printed where there is no jax."""
    (tmp_path / "mine.toml").write_text(GOOD)
    package = Path(jr.__file__).parent
    code = """
import sys, types
package = sys.modules["jaxrate"] = types.ModuleType("jaxrate")
package.__path__ = [sys.argv[1]]
from jaxrate.model.files import load_model
model = load_model(sys.argv[2])
assert str(model) and hash(model) and model.fingerprint
assert not {"jax", "jaxlib"} & sys.modules.keys()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, package, tmp_path / "mine.toml"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
