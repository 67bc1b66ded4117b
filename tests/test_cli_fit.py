"""`jaxrate fit` as a user meets it: a fit file and tables go in; a report, numbers and pictures come out."""

import json
import math
import re
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import jaxrate as jr
from jaxrate.cli import main
from jaxrate.cli.fit import save
from jaxrate.cli.fit_file import read_fit
from jaxrate.constants import c
from jaxrate.fit import journal
from tests.fit_results import good
from tests.tolerance import close, same

ND = jr.media("nd-yag")
TRUTH = ND.parameters()
PNG = b"\x89PNG"
FIT = """
model = "nd-yag"
free = ["laser.B", "density"]
num_starts = 8

[experiment]
observables = { gain = { Gain = "laser" } }

[start]
laser.B = "1e16 m^3 J^-1 s^-2"
density = "1e26 m^-3"
"""
TWO = """
model = "nd-yag"
free = ["laser.B", "density", "other lines.rate", "light.scale"]
num_starts = 4
intervals = "wald"

[experiment.gains]
observables = { gain = { Gain = "laser" } }
data = "gain.csv"

[experiment.decay]
observables = { light = { Fluorescence = "laser" } }
evolve = { start = { "4F3/2" = 1.0 } }

[start]
"light.scale" = SCALE
"other lines.rate" = "2500 s^-1"
"""


@cache
def simulated() -> str:
    """Twelve gains with 1 % noise, half of them over pump rate and half over a signal that saturates."""
    rates = np.concatenate([np.geomspace(10, 1000, 6), np.full(6, 300.0)])
    signals = np.concatenate([np.zeros(6), np.geomspace(1e6, 1e8, 6)])
    true = jr.Experiment(ND, jr.Steady(), {"gain": jr.Gain("laser")})(
        {"pump.rate": rates, "signal.intensity": signals}
    )["gain"]
    gains = true * (1 + 0.01 * np.random.default_rng(3).standard_normal(12))
    head = "pump.rate [s^-1],signal.intensity [W m^-2],gain [m^-1],gain.sigma [m^-1]"
    numbers = np.stack([rates, signals, gains, 0.01 * true], axis=1)
    return "\n".join([head, *(",".join(f"{x:.6g}" for x in row) for row in numbers), ""])


@cache
def decaying() -> tuple[str, float]:
    """Light that decays, in units of its first value, and that value [W m^-3]."""
    times = np.linspace(0, 1e-3, 9)
    bench = jr.Experiment(ND, jr.Evolve(times, start={"4F3/2": 1.0}), {"light": jr.Fluorescence("laser")})
    light = bench({"pump.rate": 0.0})["light"]
    shown = light / light[0] + 0.003 * np.random.default_rng(4).standard_normal(9)
    rows = [f"{1e6 * t:.6g},{x:.6g},0.003,0" for t, x in zip(times, shown, strict=True)]
    return "\n".join(["time [us],light [W m^-3],light.sigma [W m^-3],pump.rate [s^-1]", *rows, ""]), float(light[0])


@pytest.fixture(autouse=True)
def _own_place(tmp_path, monkeypatch):
    """A directory of its own with a fit and its table."""
    monkeypatch.chdir(tmp_path)
    Path("fit.toml").write_text(FIT)
    Path("gain.csv").write_text(simulated())


def run(*argv: str) -> None:
    assert main(["fit", "fit.toml", "--data", "gain.csv", *argv]) == 0


def stored(directory: str) -> dict:
    """`fit.json`, without when it was made and in which state of the repository."""
    found = json.loads(Path(directory, "fit.json").read_text())
    found["provenance"] = {name: x for name, x in found["provenance"].items() if name in ("data", "seed")}
    return found


def stated(text: str = FIT, **tables: str):
    """What a fit file reads as."""
    extra = "".join(f"\n[{name}]\n{lines}\n" for name, lines in tables.items())
    Path("fit.toml").write_text(text + extra)
    return read_fit(Path("fit.toml"))


def test_a_fit_from_a_file_to_its_pictures(capsys):
    """The report is that of `jr.fit` with the same words; what was simulated is found; everything is in the folder."""
    run("-o", "here", "--seed", "5")
    printed = capsys.readouterr()
    assert printed.err == ""
    found = jr.FitResult.load("here")
    assert found.report() in printed.out
    bench = jr.Experiment(ND, jr.Steady(), {"gain": jr.Gain("laser")})
    start = {"laser.B": 1e16, "density": 1e26}
    direct = jr.fit(bench, "gain.csv", ["laser.B", "density"], start=start, num_starts=8, seed=5)
    assert found.values == direct.values
    assert found.provenance["seed"] == 5
    assert found.status == "ok"
    for e in found.estimates:
        assert abs(math.log(e.value / TRUTH[e.name])) < 4 * e.error / e.value
    pictures = {"data.png", "profiles.png", "starts.png"}
    files = {file.name for file in Path("here").iterdir()}
    assert files >= {"fit.json", "residuals.csv", *pictures}
    assert files <= {"fit.json", "residuals.csv", "correlation.png", *pictures}
    assert all(Path("here", name).read_bytes()[:4] == PNG for name in pictures)
    assert all(f"here/{name}" in printed.out for name in files)
    close(jr.read_table("here/residuals.csv")["gain"], jr.read_table("gain.csv")["gain"], rtol=1e-12)


@pytest.mark.long
def test_two_experiments_share_their_parameters(capsys):
    """The decay tells the lifetime, without which gain and saturation tell neither B nor the density."""
    table, first = decaying()
    Path("decay.csv").write_text(table)
    Path("fit.toml").write_text(TWO.replace("SCALE", f"{1 / first:.3e}"))
    assert main(["fit", "fit.toml", "--data", "decay=decay.csv", "-o", "out"]) == 0
    assert "Wrote" in capsys.readouterr().out
    found = jr.FitResult.load("out")
    assert set(found.table["dataset"]) == {"gains", "decay"}
    for name in ("laser.B", "density", "other lines.rate"):
        assert found[name].is_determined
        assert abs(math.log(found[name].value / TRUTH[name])) < 4 * found[name].error / found[name].value


def test_a_spectrum_is_read_at_the_frequencies_of_its_table():
    file = stated(FIT.replace('"laser" }', '"laser", frequency = "table" }'))
    Path("spectrum.csv").write_text("wavelength [nm],gain [m^-1]\n1064,80\n1065,70\n1064,81\n,\n")
    bench = file.setups["data"].experiment(file.model, jr.read_table("spectrum.csv"))
    ((axis, values, unit),) = bench.axes("gain")
    assert (axis, unit) == ("frequency", "Hz")
    close(values, c / np.array([1065e-9, 1064e-9]), rtol=1e-15)
    file = stated(FIT.replace('"laser" }', '"laser", frequency = ["1064 nm", 2.8e14] }'))
    ((_, values, _),) = file.setups["data"].experiment(ND, jr.read_table("gain.csv")).axes("gain")
    close(values, [c / 1064e-9, 2.8e14], rtol=1e-15)


def test_a_decay_is_followed_at_the_times_of_its_table():
    drive = 'drive = { pump.rate = [[0, "1 ms", { expr = "2 * pump.rate" }], ["1 ms", inf, 0]] }'
    file = stated(FIT.replace("[start]", f'evolve = {{ start = "ground", {drive} }}\n[start]'))
    Path("decay.csv").write_text("time [us],gain [m^-1]\n0,1\n20,3\n10,2\n20,3.1\n")
    bench = file.setups["data"].experiment(file.model, jr.read_table("decay.csv"))
    assert isinstance(bench.solver, jr.Evolve)
    same(bench.solver.times, np.array([0.0, 1e-5, 2e-5]))
    parts = [(0, "1 ms", jr.expr("2 * pump.rate")), ("1 ms", np.inf, 0)]
    wanted = jr.Evolve(bench.solver.times, start="ground", drive={"pump.rate": jr.Segments(parts)})
    assert bench.solver.drive == wanted.drive


def test_a_fit_file_says_all_that_jr_fit_takes():
    file = stated(
        'level = 0.68\nloss = "student_t"\nintervals = "wald"\nseed = 3\n' + FIT,
        bounds='laser.B = ["1e15 m^3 J^-1 s^-2", inf]\n"gain.offset" = [-inf, 1]',
        fixed="temperature = 310",
        prior='density = ["1.4e26 m^-3", "0.1e26 m^-3"]',
        tie='"other lines.rate" = "1920 * laser.B / 4.7e15"\n"to ground.rate" = { expr = "2 * pump.rate" }',
        per='"gain.scale" = "dataset"',
        resolution='gain = "0.1 m^-1"',
        jitter="gain = 0.2",
    )
    assert file.free == ["laser.B", "density"]
    assert file.options == {
        "start": {"laser.B": "1e16 m^3 J^-1 s^-2", "density": "1e26 m^-3"},
        "bounds": {"laser.B": ("1e15 m^3 J^-1 s^-2", None), "gain.offset": (None, 1)},
        "fixed": {"temperature": 310},
        "prior": {"density": ("1.4e26 m^-3", "0.1e26 m^-3")},
        "tie": {
            "other lines.rate": jr.expr("1920 * laser.B / 4.7e15"),
            "to ground.rate": jr.expr("2 * pump.rate"),
        },
        "per": {"gain.scale": "dataset"},
        "resolution": {"gain": "0.1 m^-1"},
        "jitter": {"gain": 0.2},
        **{"loss": "student_t", "intervals": "wald", "level": 0.68, "num_starts": 8, "seed": 3},
    }


def test_the_model_is_a_medium_a_file_beside_the_fit_or_in_it(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    hotter = ND.replace(temperature="400 K")
    hotter.save(folder / "hotter.toml")
    (folder / "fit.toml").write_text(FIT.replace("nd-yag", "hotter.toml"))
    assert read_fit(folder / "fit.toml").model == hotter
    two = jr.media("two-level")
    two.save(folder / "two.toml")
    inline = re.sub(r"(?m)^(\[+)", r"\1model.", (folder / "two.toml").read_text())
    assert stated(FIT.replace('model = "nd-yag"\n', ""), model=inline).model == two


REFUSED = [
    ('"laser.B", "density"', '"laser.b", "density"', ["`laser.b` is not a parameter", "did you mean `laser.B`"]),
    ('Gain = "laser"', 'Gain = "lasr"', ["fit.toml: [experiment]", "`lasr`", "did you mean `laser`"]),
    ('Gain = "laser"', 'Gian = "laser"', ["`gain`", "`Gian`", "did you mean `Gain`"]),
    ('Gain = "laser"', 'Population = "4F3/3"', ["`4F3/3`", "did you mean `4F3/2`"]),
    ('Gain = "laser"', 'Gain = "laser", frequenzy = 1', ["`frequenzy`", "did you mean `frequency`"]),
    ('Gain = "laser"', 'Gain = "laser", frequency = "3 kg"', ["`frequency` must be", "'3 kg'"]),
    ('Gain = "laser"', 'Gain = "laser", frequency = "table"', ["`frequency` is not a column of gain.csv"]),
    ('Gain = "laser"', "Gain = 3", ["`Gain` must be a name", "3 was given"]),
    ('{ Gain = "laser" }', '"laser"', ["must be a table", "'laser' was given"]),
    ("num_starts", "num_start", ["`num_start` is not a key of a fit file; did you mean `num_starts`"]),
    ("observables", "observabels", ["`observabels`", "[experiment]", "did you mean `observables`"]),
    ('observables = { gain = { Gain = "laser" } }', "", ["[experiment] must have observables"]),
    ("[start]", "[strat]", ["`strat`", "did you mean `start`"]),
    ('model = "nd-yag"', "", ["`model` must be given"]),
    ("nd-yag", "nd-yga", ["There is no file `nd-yga`; did you mean `nd-yag`"]),
    ('"nd-yag"', '{ name = "x" }', ["A model must have levels"]),
    ('"nd-yag"', "3", ["`model` must be"]),
    ('"nd-yag"', "nd-yag", ["fit.toml: Invalid value (at line 2"]),
    ('["laser.B", "density"]', '"laser.B"', ["`free` must be a list"]),
    ("num_starts = 8", 'num_starts = "8"', ["`num_starts` must be a whole number"]),
    ("num_starts = 8", "num_starts = 0", ["`num_starts` must be", "1", "0 was given"]),
    ("num_starts = 8", 'level = "high"', ["`level` must be a number"]),
    ("num_starts = 8", "level = 95", ["`level` must be a number between 0 and 1", "95"]),
    ("num_starts = 8", "seed = -1", ["`seed` must be a whole number from 0 on"]),
    ("num_starts = 8", 'intervals = "prof"', ["`prof`", "did you mean `profile`"]),
    ("num_starts = 8", 'loss = "gausian"', ["`gausian`", "did you mean `gaussian`"]),
    ('"1e26 m^-3"', '"1e26 kg"', ["`density`", "a number density", "'1e26 kg'"]),
    ('"1e26 m^-3"', "[1e26]", ["[start] `density` must be a number in SI units"]),
    ("[start]", "evolve = 3\n[start]", ["`evolve`", "must be a table"]),
    ("[start]", 'evolve = { strat = "ground" }\n[start]', ["`strat`", "did you mean `start`"]),
    ("[start]", 'evolve = { start = "grund" }\n[start]', ['start must be "ground"', "'grund'"]),
    ("[start]", "evolve = { drive = { pump.rate = 3 } }\n[start]", ["drive of `pump.rate` must be a list"]),
    ("[start]", "evolve = {}\n[start]", ["`time` is not a column of gain.csv"]),
    ("[start]", "data = 3\n[start]", ["`data` must be the path"]),
    ("[start]", "[bounds]\ndensity = 3\n[start]", ["[bounds] `density` must be [lower, upper], -inf or inf"]),
    ("[start]", "[bounds]\ndensity = [2e26, inf]\n[start]", ["start of `density`", "bounds, 2e+26 to inf"]),
    ("[start]", '[prior]\ndensity = ["1e26 m^-3", "1 K"]\n[start]', ["`density`", "'1 K'"]),
    ("[start]", "[per]\ndensity = 3\n[start]", ["[per] `density` must be text"]),
    ("[start]", '[tie]\n"to ground.rate" = "import os"\n[start]', ["[tie] `to ground.rate`", "cannot be read"]),
    ("[start]", '[tie]\n"to ground.rate" = "lasr.B"\n[start]', ["`lasr.B`", "did you mean `laser.B`"]),
    ("[start]", "[fixed]\npump.rat = 3\n[start]", ["`pump.rat`", "did you mean `pump.rate`"]),
]


def refused(capsys: pytest.CaptureFixture[str], words: list[str], *argv: str) -> None:
    """A command that is the user's error: one message with these words, and nothing is left behind."""
    assert main(["fit", "fit.toml", "-o", "out", *argv]) == 2
    err = capsys.readouterr().err
    assert err.startswith("jaxrate: error: ")
    missing = [word for word in words if word not in err]
    assert not missing, f"{missing} not in: {err}"
    assert not Path("out").exists() or not list(Path("out").iterdir())


@pytest.mark.parametrize(("old", "new", "words"), REFUSED, ids=[new or f"no {old}" for old, new, _ in REFUSED])
def test_a_slip_in_a_fit_file_is_one_clear_message(old, new, words, capsys):
    assert old in FIT
    Path("fit.toml").write_text(FIT.replace(old, new, 1))
    refused(capsys, words, "--data", "gain.csv")


TABLES = {
    "wrong unit": (("gain [m^-1]", "gain [K]"), ["gain.csv: `gain [K]`", "'4 dB/m'"]),
    "no unit": (("gain [m^-1]", "gain"), ["`gain`", "write `gain [m^-1]`"]),
    "unknown unit": (("gain [m^-1]", "gain [parsnips]"), ["line 1", "parsnips"]),
    "unknown column": (("pump.rate", "pump.rat"), ["`pump.rat`", "did you mean `pump.rate`"]),
    "no sigma": (("0.0880398", "0"), ["`gain.sigma` is not positive in line 2"]),
}


@pytest.mark.parametrize(("change", "words"), TABLES.values(), ids=TABLES)
def test_a_slip_in_a_table_is_one_clear_message(change, words, capsys):
    assert change[0] in simulated()
    Path("gain.csv").write_text(simulated().replace(*change))
    refused(capsys, words, "--data", "gain.csv")


def test_a_table_that_is_too_short_or_cut_off_is_refused(capsys):
    rows = simulated().splitlines()
    for text, words in (
        ("\n".join(rows[:2]) + "\n", ["1 dat", "2 free parameters"]),
        (rows[0], ["no rows"]),
        ("", ["is empty"]),
        (simulated()[:-20], ["line 13", "cut off"]),
    ):
        Path("gain.csv").write_text(text)
        refused(capsys, words, "--data", "gain.csv")


def test_every_experiment_needs_one_table(capsys):
    refused(capsys, ["no table for the experiment", "--data FILE"])
    refused(capsys, ["nowhere.csv: No such file"], "--data", "nowhere.csv")
    refused(capsys, ["`a`; each has one"], "--data", "a", "--data", "b")
    refused(capsys, ["--seed", "a whole number from 0 on"], "--seed", "-1")
    Path("fit.toml").write_text(TWO.replace("SCALE", "1"))
    refused(capsys, ["no table for the experiment `decay`", "--data decay=FILE"])
    refused(capsys, ["NAME=FILE", "`gains`, `decay`"], "--data", "gain.csv")
    refused(capsys, ["`deacy`", "did you mean `decay`"], "--data", "deacy=gain.csv")


INTERRUPTED = """
import signal, sys, time
from jaxrate.cli import main
from jaxrate.fit import journal
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell starts in the background
done, run_fits = [], journal.run_fits
def slow(*given):
    if done:
        time.sleep(600)
    done.append(run_fits(*given))
    return done[-1]
journal.run_fits, journal.PAUSE = slow, 0.0
main()
"""


@pytest.mark.long
def test_an_interrupted_fit_is_resumed_to_the_identical_answer(capsys, monkeypatch):
    """What was done before Ctrl-C is not done again."""
    words = ["fit", "fit.toml", "--data", "gain.csv", "-o", "out"]
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, *words], stderr=subprocess.PIPE, text=True)
    checkpoint, patience = Path("out/checkpoint.npz"), time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < patience:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "the same command with --resume goes on from there" in err
    assert {file.name for file in Path("out").iterdir()} == {"checkpoint.npz"}

    assert main(words) == 2
    assert "go on with --resume, or remove it" in capsys.readouterr().err
    counted, run_fits = [], journal.run_fits
    monkeypatch.setattr(journal, "run_fits", lambda *given: counted.append(1) or run_fits(*given))
    run("-o", "out", "--resume")
    resumed = len(counted)
    assert capsys.readouterr().err == ""
    assert not checkpoint.exists()

    counted.clear()
    run("-o", "whole", "--resume")
    assert "no `whole/checkpoint.npz` to resume from: the fit begins anew" in capsys.readouterr().err
    assert resumed == len(counted) - 1
    assert stored("out") == stored("whole")
    assert Path("out/residuals.csv").read_bytes() == Path("whole/residuals.csv").read_bytes()


def test_a_checkpoint_that_is_damaged_or_of_another_fit_is_refused_and_kept(capsys):
    path = Path("out/checkpoint.npz")
    path.parent.mkdir()
    with path.open("wb") as file:
        np.savez(file, fingerprint=np.array("of another"), x=np.arange(1000.0))
    other = path.read_bytes()
    with path.open("wb") as file:
        np.save(file, np.arange(3))
    array = path.read_bytes()
    for content, words in ((other, "of another fit"), (other[:-100], "damaged"), (b"", "damaged"), (array, "damaged")):
        path.write_bytes(content)
        assert main(["fit", "fit.toml", "--data", "gain.csv", "-o", "out", "--resume"]) == 2
        err = capsys.readouterr().err
        assert words in err
        assert "emove it to begin anew" in err
        assert path.read_bytes() == content


def test_an_interruption_before_the_first_fit_says_that_nothing_is_kept(capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxrate.cli.fit.fit", interrupted)
    assert main(["fit", "fit.toml", "--data", "gain.csv"]) == 130
    assert "interrupted before anything was fitted" in capsys.readouterr().err


def test_pictures_of_an_earlier_fit_are_removed():
    folder = Path("out")
    folder.mkdir()
    for name in ("profiles.png", "mine.png"):
        (folder / name).write_bytes(PNG)
    files = save(good(profiles=()), folder)
    assert not (folder / "profiles.png").exists()
    assert (folder / "mine.png").exists()
    assert all(path.exists() for path in files)


def test_the_help_shows_a_fit_file_that_can_be_read(capsys):
    assert main(["fit", "--help"]) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("--data", "--resume", "--seed"))
    lines = [line.removeprefix("  ") for line in out.partition("fit.toml:\n")[2].partition("\n\n")[0].splitlines()]
    assert stated("\n".join(lines)).free == ["laser.B", "density"]
