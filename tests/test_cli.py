"""The command line as a user meets it: what it prints, what it writes, how it refuses."""

import math
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr

import jaxrate as jr
from jaxrate.cli import main
from jaxrate.cli.arguments import read_over, read_value
from jaxrate.cli.lasers import pump_parameter
from jaxrate.cli.readings import Readings, expected_table
from jaxrate.cli.solve import _reaches, default_axes
from jaxrate.cli.transient import ground
from jaxrate.cli.transparency import is_pumped, transparency
from jaxrate.constants import c, h, k

ND = jr.media("nd-yag")
SMALL = ["--over", "pump.rate=1e-2:1e4:5", "--over", "signal.intensity=1e3:1e9:3"]
PNG = b"\x89PNG"

MINE = """
name = "mine"
density = "1e25 m^-3"
temperature = "300 K"
[[levels]]
name = "1"
energy = "0 cm^-1"
[[levels]]
name = "2"
energy = "9400 cm^-1"
g = 2
[[processes]]
kind = "Radiative"
label = "line/a"
reaction = "2 -> 1"
A = "1000 s^-1"
lineshape = {kind = "Lorentzian", fwhm = "1 GHz"}
"""
PUMPED = """
[[processes]]
kind = "Pump"
label = "lamp"
reaction = "1 -> 2"
rate = "100 s^-1"
"""


@pytest.fixture(autouse=True)
def _own_place(tmp_path, monkeypatch):
    """A directory of its own."""
    monkeypatch.chdir(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(argv) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def closed_form_transparency() -> float:
    """Pump rate at which n_u = (g_u/g_l) n_l of four levels whose lower laser level is thermally filled."""
    theta = ND.parameters()
    A = float(jr.einstein.A_from_B(theta["laser.B"], theta["laser.frequency"], n=1.82))
    to_lower = A + theta["other lines.rate"]
    leaving, down, weight = to_lower + theta["to ground.rate"], theta["empty.rate"], 4 / 12
    up = down * 12 / 10 * math.exp(-h * c * 211100 / (k * theta["temperature"]))
    return leaving * weight * up / (down - weight * to_lower)


def test_transparency_is_that_of_the_closed_form():
    assert transparency(ND, "laser", "pump.rate") == pytest.approx(closed_form_transparency(), rel=1e-10)
    assert transparency(ND, "laser", "pump.rate", {"signal.intensity": 1e9}) == transparency(ND, "laser", "pump.rate")


def test_a_medium_that_needs_no_pump_to_amplify_has_no_transparency():
    """With the lower level empty any pump gives gain; where the pump ends in the lower level none does."""
    empty = ND.with_process(jr.Decay("empty", "4I11/2 -> 4I9/2", rate="3.3e7 s^-1"))
    assert transparency(empty, "laser", "pump.rate") == 0
    assert transparency(ND.with_process(jr.Pump("pump", "4I9/2 -> 4I11/2", rate=1.0)), "laser", "pump.rate") == math.inf


def test_the_demonstration(capsys, tmp_path):
    out = run(capsys, *SMALL)
    assert "5 x 3 = 15 ensembles" in out
    assert len(re.findall(r"(?:first|second) run +[\d.]+ s, [\d.e+]+ ensembles a second", out)) == 2
    printed = re.search(r"Transparency of `laser` at pump.rate = (\S+) s\^-1", out)
    assert printed is not None
    assert float(printed[1]) == pytest.approx(closed_form_transparency(), rel=1e-5)
    for quantity in ("cross section of laser", "lifetime of 4F3/2", "saturation intensity of laser"):
        assert re.search(rf"{quantity} .* [+-]\d\.\d\d %  +ok \(within 5 %\)", out)
    assert re.search(r"A \(in the medium\) +388.\d+ s\^-1", out)
    assert re.search(r"B21 .* 4.657\d*e15 m\^3 J\^-1 s\^-2", out)
    assert (tmp_path / "jaxrate-out" / "gain-map.png").read_bytes()[:4] == PNG
    ds = xr.open_zarr("jaxrate-out/gain.zarr")
    assert ds.gain.dims == ("pump.rate", "signal.intensity")
    assert ds.gain.attrs == {"long_name": "gain of laser", "units": "m^-1"}
    theta = {"pump.rate": ds["pump.rate"].values[:, None], "signal.intensity": ds["signal.intensity"].values}
    np.testing.assert_array_equal(ds.gain, jr.Gain("laser")(jr.steady_state(ND, theta)))
    check_fit_of_the_demonstration(out, tmp_path / "jaxrate-out" / "fit")


def check_fit_of_the_demonstration(out: str, folder: Path) -> None:
    """It prints the seed, truth beside estimate, and what cannot be separated; its files are those of any fit."""
    assert re.search(r"2 % noise \(seed\s1\)", out)
    found = jr.FitResult.load(folder)
    assert found.provenance["seed"] == 1
    assert re.search(r"laser.B +4.657e15 m\^3 J\^-1 s\^-2 +4.\d+e15 +4.\d+e15 to 4.\d+e15 +holds the truth", out)
    assert found["laser.B"].lower < ND.parameters()["laser.B"] < found["laser.B"].upper
    assert re.search(r"density +1.38e26 m\^-3 +not determined\n", out)
    assert re.search(r"gain.scale +1 +not determined\n", out)
    assert re.search(r"density \* gain.scale +1.38e26 +\S+ +\S+ to \S+ +holds the truth", out)
    assert "cannot separate `density` and `gain.scale`" in out
    files = {"gain.csv", "fit.toml", "fit.json", "residuals.csv", "data.png", "profiles.png", "starts.png"}
    assert {file.name for file in folder.iterdir()} == files
    assert all((folder / name).read_bytes()[:4] == PNG for name in files if name.endswith(".png"))


def test_solve_prints_the_steady_state_and_writes_a_map(capsys, tmp_path):
    out = run(capsys, "solve", "nd-yag", "--set", "signal.intensity=1 kW/cm^2", *SMALL, "-o", "here")
    state = jr.steady_state(ND, {"signal.intensity": 1e7})
    population = re.search(r"4F3/2 +(\S+) +(\S+ µs)", out)
    assert population is not None
    assert float(population[1]) == pytest.approx(float(state["4F3/2"]), rel=1e-5)
    gain = re.search(r"gain +(\S+) m\^-1", out)
    assert gain is not None
    assert float(gain[1]) == pytest.approx(float(jr.Gain("laser")(state)), rel=1e-5)
    assert (tmp_path / "here" / "gain-map.png").read_bytes()[:4] == PNG
    assert {"gain", "inversion", "population_4F3_2"} <= set(xr.open_zarr("here/gain.zarr").data_vars)
    for name in ("transient", "decay"):
        assert (tmp_path / "here" / f"{name}.png").read_bytes()[:4] == PNG
        assert re.search(rf"here/{name}.png +\w+", out)
    row = re.search(r"4F3/2 +(\S+) µs +(\S+) µs +(\S+) µs +laser", out)
    assert row is not None
    tau = 1e6 * float(jr.Lifetime("4F3/2")(state))
    assert [float(number) for number in row.groups()] == pytest.approx([tau] * 3, rel=1e-4)
    reached = re.search(r"From `4I9/2` the steady state is reached, to 0.1 %, after (\S+) ms", out)
    assert reached is not None
    assert 5 < 1e3 * float(reached[1]) / time_constant(1e7) < 9  # ln 1000 of them


def time_constant(intensity: float) -> float:
    """Of 4F3/2 under a signal [µs]: the pump fills it as fast as it empties the ground state."""
    theta = ND.parameters()
    sigma, photon = 2.8e-23, h * theta["laser.frequency"]
    return 1e6 / (1 / 229.991e-6 + 100 + sigma * intensity / photon)


def test_solve_a_file_without_a_beam_over_its_pump(capsys, tmp_path):
    (tmp_path / "mine.toml").write_text(MINE + PUMPED)
    out = run(capsys, "solve", "mine.toml", "--over", "lamp.rate=1:1e6:4")
    assert "Transparency of `line/a` at lamp.rate = 2000 s^-1" in out  # n_2 = 2 n_1 where the pump is 2 A
    assert (tmp_path / "jaxrate-out" / "curves.png").read_bytes()[:4] == PNG
    ds = xr.open_zarr("jaxrate-out/gain.zarr")
    np.testing.assert_allclose(ds["lamp.rate"], [1, 100, 1e4, 1e6])
    np.testing.assert_allclose(ds.population_2, ds["lamp.rate"] / (ds["lamp.rate"] + 1000), rtol=1e-12)


def test_solve_a_model_with_nothing_to_sweep(capsys, tmp_path):
    (tmp_path / "mine.toml").write_text(MINE)
    out = run(capsys, "solve", "mine.toml")
    assert "steady state" in out
    assert "Sweep" not in out
    assert "No transient: from `1` on nothing changes." in out
    assert "No decay of fluorescence: in the steady state no line emits light." in out
    assert not (tmp_path / "jaxrate-out").exists()


def test_names_with_a_slash_reach_the_store(capsys, tmp_path):
    """zarr takes "/" in a name for a folder and would lose the axis without a word."""
    (tmp_path / "mine.toml").write_text(MINE + PUMPED)
    run(capsys, "solve", "mine.toml", "--over", "line/a.B=1e14:1e16:3")
    ds = xr.open_zarr("jaxrate-out/gain.zarr")
    np.testing.assert_allclose(ds["line_a.B"], [1e14, 1e15, 1e16])
    assert ds["line_a.B"].attrs["long_name"] == "line/a.B"


@pytest.mark.long
def test_two_lines_and_a_beam_that_pumps(capsys, tmp_path):
    """Without a `Pump` the first beam pumps the second's line; both gains are drawn."""
    three = (
        MINE.replace('name = "2"', 'name = "3"\nenergy = "9500 cm^-1"\n[[levels]]\nname = "2"')
        + """
[[processes]]
kind = "Radiative"
label = "absorbed light"
reaction = "3 -> 1"
A = "10 s^-1"
lineshape = {kind = "Lorentzian", fwhm = "1 GHz"}
[[processes]]
kind = "Decay"
label = "relax"
reaction = "3 -> 2"
rate = "1e6 s^-1"
[[processes]]
kind = "Beam"
label = "light"
drives = "absorbed light"
intensity = "1 W/cm^2"
"""
    )
    (tmp_path / "mine.toml").write_text(three)
    out = run(capsys, "solve", "mine.toml", "--over", "light.intensity=1:1e6:4")
    assert "Transparency of `line/a` at light.intensity = " in out
    assert "`absorbed light` " not in out
    assert {"gain_line_a", "gain_absorbed light"} <= set(xr.open_zarr("jaxrate-out/gain.zarr").data_vars)
    out = run(capsys, "solve", "mine.toml", "--over", "light.intensity=1:1e6:4", "--over", "density=1e25:1e26:3")
    assert "jaxrate-out/gain-line_a-map.png" in out
    assert "jaxrate-out/gain-absorbed-light-map.png" in out
    cube = ("light.intensity=1:2:2", "density=1e25:1e26:2", "relax.rate=1e6:1e7:2")
    assert "No picture" in run(capsys, "solve", "mine.toml", *(word for axis in cube for word in ("--over", axis)))


def test_the_transient_starts_from_the_least_energy_or_from_the_first_level():
    na = jr.media("na-d2")
    assert ground(na) == {"unpolarised": "unpolarised:3S1/2", "polarised": "polarised:F=2 m=2"}
    reverse = ND.replace(levels=ND.levels[::-1])
    assert ground(reverse) == {None: "4I9/2"}
    unknown = ND.replace(
        levels=[jr.Level("a"), jr.Level("b")], processes=[jr.Decay("d", "b -> a", rate=1.0)], expected=()
    )
    assert ground(unknown) == {None: "a"}


def test_fluorescence_that_is_fed_outlives_its_level(capsys, tmp_path):
    """Its level hands its atoms to a store and gets them back; what pumps it follows from another number.

    The store holds 99 atoms for each in the level, so the light lasts 100 times 1/A; the level alone, a millionth of
    that. Without energies the first level is the ground state.
    """
    text = MINE.replace('energy = "0 cm^-1"\n', "").replace(
        'energy = "9400 cm^-1"\ng = 2', '[[levels]]\nname = "store"'
    )
    text = text.replace('A = "1000 s^-1"', 'A = "1000 s^-1"\nwavelength = "1 um"')
    text += PUMPED.replace('"100 s^-1"', '{ expr = "2 * temperature" }')
    for label, reaction, rate in (("up", "2 -> store", 9.9e6), ("down", "store -> 2", 1e5)):
        text += f'[[processes]]\nkind = "Decay"\nlabel = "{label}"\nreaction = "{reaction}"\nrate = {rate}\n'
    (tmp_path / "mine.toml").write_text(text)
    out = run(capsys, "solve", "mine.toml", "--over", "temperature=300:400:2")
    assert re.search(r"2 +100 ms +100.01 ms +101 ns +line/a", out)
    assert "From `1` the steady state is reached" in out
    assert "the first one stated counts as the ground state" in out
    assert {"transient.png", "decay.png"} <= {file.name for file in (tmp_path / "jaxrate-out").iterdir()}


def test_light_does_not_reach_the_atoms_of_another_species():
    """Nothing is said of a line whose gain the pump cannot change."""
    na = jr.media("na-d2")
    assert not _reaches(na, "light.intensity", na.radiative("cycling"))
    assert _reaches(na, "light.intensity", na.radiative("D2"))
    assert _reaches(ND, "pump.rate", ND.radiative("laser"))
    assert is_pumped(ND, "laser", "pump.rate", {})
    assert not is_pumped(ND, "laser", "relax.rate", {"pump.rate": 0.0})


def test_default_axes_leave_out_what_was_set():
    assert list(default_axes(ND, Readings(ND, {}), {})) == ["pump.rate", "signal.intensity"]
    axes = default_axes(ND, Readings(ND, {}), {"pump.rate": 1.0})
    assert list(axes) == ["signal.intensity"]
    assert (axes["signal.intensity"].min(), axes["signal.intensity"].size) == (pytest.approx(1e3), 1000)


def test_a_published_figure_that_is_missed_is_called_so():
    wrong = jr.Expected("lifetime", "4F3/2", "200 us", 0.05, "nobody")
    threshold = jr.Expected("threshold", "pump", "10 s^-1", 0.05, "nobody")
    text = expected_table(Readings(ND.replace(expected=(wrong, threshold)), {}))
    assert re.search(r"lifetime of 4F3/2 +229.99\d µs +200 µs +\+15.00 % +NOT ok \(within 5 %\)", text)
    assert re.search(r"threshold of pump +not computed +10 s\^-1", text)


def test_show_prints_the_model_and_draws_its_levels(capsys, tmp_path):
    out = run(capsys, "show", "nd-yag", "-o", "here")
    assert str(ND) in out
    assert re.search(r"Saturation intensity.*\n +laser +2.9\d+e7 W m\^-2", out)
    assert (tmp_path / "here" / "levels.png").read_bytes()[:4] == PNG


def test_show_a_model_that_cannot_be_solved(capsys, tmp_path):
    beam = '[[processes]]\nkind = "Beam"\nlabel = "b"\ndrives = "line/a"\nintensity = "1 W/m^2"\n'
    (tmp_path / "mine.toml").write_text(MINE.replace("Lorentzian", "Gaussian") + beam)
    assert "not computed: `line/a` is inhomogeneous" in run(capsys, "show", "mine.toml")
    assert main(["solve", "mine.toml"]) == 2
    assert "`b` burns a hole" in capsys.readouterr().err


@pytest.mark.long
def test_solve_a_laser(capsys, tmp_path):
    """Its own figures beside the expected ones, and pictures of its power curve and its turn-on."""
    out = run(capsys, "solve", "nd-yag-laser", "-o", "here")
    threshold = jr.threshold(jr.media("nd-yag-laser"), "pump.rate")
    printed = re.search(r"threshold of pump.rate +(\S+) s\^-1", out)
    assert printed is not None
    assert float(printed[1]) == pytest.approx(threshold, rel=1e-5)
    for line in (
        r"resonator +6.5\d+e\+12 photons",
        r"output power +52.\d+ W",
        r"slope efficiency +0.517\d+ of absorbed power",
    ):
        assert re.search(line, out)
    for figure in ("threshold of pump", "slope efficiency of pump", "relaxation frequency of resonator"):
        assert re.search(rf"{figure} .* [+-]\d\.\d\d %  +ok ", out)
    assert {file.name for file in (tmp_path / "here").iterdir()} == {"power-curve.png", "turn-on.png"}
    assert all(file.read_bytes()[:4] == PNG for file in (tmp_path / "here").iterdir())


def test_what_pumps_a_laser():
    """What is expected of it, the rate of its pump, or what that rate follows from."""
    pumps = {"nd-yag-laser": "pump.rate", "diode-laser": "current", "hydrogen-maser-oscillator": "flux"}
    for name, pump in pumps.items():
        assert pump_parameter(jr.media(name)) == pump
    assert pump_parameter(jr.media("diode-laser").replace(expected=())) == "current"
    assert pump_parameter(jr.media("hydrogen-maser-oscillator").replace(expected=())) is None
    assert pump_parameter(jr.media("er-fibre")) == "pump.intensity"


def test_media_lists_what_ships_on_one_line_each(capsys):
    lines = run(capsys, "media").splitlines()
    assert len(lines) == len(jr.list_media())
    assert re.search(r"nd-yag +Nd:YAG.*4 levels; laser 1064.15 nm", lines[jr.list_media().index("nd-yag")])


def test_the_command_line_turns_on_float64(capsys, tmp_path):
    (tmp_path / "mine.toml").write_text(MINE)
    jax.config.update("jax_enable_x64", False)
    run(capsys, "solve", "mine.toml")
    assert jax.config.values["jax_enable_x64"]


def test_values_are_read_with_units_or_in_si():
    assert read_value("1 kW/cm^2", "signal.intensity", ND) == 1e7
    assert read_value("250", "pump.rate", ND) == 250
    assert read_value("1064.15 nm", "signal.frequency", ND) == pytest.approx(c / 1064.15e-9)
    axes = read_over(["pump.rate=0:1 ms^-1:3:lin", "signal.intensity = 1 W/cm^2 : 100 W/cm^2 : 3"], ND)
    np.testing.assert_allclose(axes["pump.rate"], [0, 500, 1000])
    np.testing.assert_allclose(axes["signal.intensity"], [1e4, 1e5, 1e6])


REFUSED = [
    (["solv", "nd-yag"], ["`solv` is not a command", "did you mean `solve`"]),
    (["my-laser.toml"], ["`jaxrate solve my-laser.toml`"]),
    (["solve"], ["MODEL", "jaxrate solve --help"]),
    (["solve", "nd-yga"], ["There is no file `nd-yga`; did you mean `nd-yag`?", "Media that ship"]),
    (["show", "my-lasr.toml"], ["no file `my-lasr.toml`; did you mean `my-laser.toml`?", "`nd-yag`"]),
    (["show", "nowhere/x.toml"], ["There is no file `nowhere/x.toml`", "`nd-yag`"]),
    (["show", "."], ["is a directory"]),
    (["show", "broken.toml"], ["broken.toml", "line 1: name = "]),
    (["show", "binary.toml"], ["binary.toml", "utf-8"]),
    (["solve", "nd-yag", "--over", "pump.rat=1:2:3"], ["`pump.rat`", "did you mean `pump.rate`"]),
    (["solve", "nd-yag", "--over", "pump.rate=1:2"], ["START:STOP:NUM", "'1:2'"]),
    (["solve", "nd-yag", "--over", "pump.rate"], ["NAME=START:STOP:NUM[:lin]"]),
    (["solve", "nd-yag", "--over", "pump.rate=0:1:3"], ["0:1:3:lin"]),
    (["solve", "nd-yag", "--over", "pump.rate=1:2:many"], ["whole number from 2 on", "'many'"]),
    (["solve", "nd-yag", "--set", "pump.rate=3 W"], ["`pump.rate`", "a rate", "'3 W'"]),
    (["solve", "nd-yag", "--set", "pump.rate"], ["NAME=VALUE"]),
    (["--over", "pump.rat=1:2:3"], ["did you mean `pump.rate`"]),
    (["--over", "density=1e25:1e26:3"], ["`pump.rate` and `signal.intensity`", "solve nd-yag --over density="]),
    (["solve", "nd-yag", "--what"], ["unrecognized arguments: --what"]),
    (["show", "nd-yag", "-o", "my-laser.toml"], ["my-laser.toml: File exists"]),
]


@pytest.mark.parametrize(("argv", "words"), REFUSED, ids=[" ".join(argv) for argv, _ in REFUSED])
def test_errors_of_the_user_are_one_clear_message(argv, words, capsys, tmp_path):
    (tmp_path / "my-laser.toml").write_text(MINE)
    (tmp_path / "broken.toml").write_text("name = \n")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    assert main(argv) == 2
    err = capsys.readouterr().err
    assert err.startswith("jaxrate: error: ")
    assert "Traceback" not in err
    assert all(word in err for word in words)


def test_a_bug_is_not_blamed_on_the_user(monkeypatch):
    monkeypatch.setattr("jaxrate.cli.media.list_media", lambda: math.sqrt(-1))
    with pytest.raises(ValueError, match="math domain error"):
        main(["media"])


def test_interrupted_quietly(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxrate.cli.media.run", interrupted)
    assert main(["media"]) == 130
    assert capsys.readouterr() == ("", "")


def test_the_program_leaves_at_once_when_interrupted():
    code = """
import os, signal, sys, time
import jaxrate.cli.media
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell starts in the background
jaxrate.cli.media.run = lambda _: (os.kill(os.getpid(), signal.SIGINT), time.sleep(60))
sys.argv = ["jaxrate", "media"]
jaxrate.cli.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"")


def test_a_reader_that_has_gone_is_no_error():
    code = "import sys, time; from jaxrate.cli import main; sys.stdin.read(); sys.exit(main(['media']))"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe) as process:
        for stream in (process.stdout, process.stdin):
            assert stream is not None
            stream.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_help_names_every_command(capsys):
    out = run(capsys, "--help")
    assert all(word in out for word in ("demo", "solve", "fit", "show", "media", "--over", "examples:"))
    assert "START:STOP:NUM" in run(capsys, "solve", "--help")
    assert run(capsys, "--version") == f"jaxrate {jr.__version__}\n"
