"""`jaxrate solve`, `sweep` and `fit` of amplifiers as they are typed: what they say, draw and refuse."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import jaxrate as jr
from jaxrate.amplifier_file import load_amplifier, states_amplifier
from jaxrate.cli import main
from jaxrate.cli.amplifiers import solved
from tests.tolerance import close

PNG = b"\x89PNG"
MINE = """
name = "mine"
density = "1e25 m^-3"
temperature = "300 K"
[[levels]]
name = "low"
energy = "0 cm^-1"
g = 16
[[levels]]
name = "high"
energy = "6535 cm^-1"
g = 14
[[processes]]
kind = "Radiative"
label = "er"
reaction = "high -> low"
A = "100 s^-1"
n = 1.45
[processes.absorption]
at = [1460, 1480, 1500, 1530, 1550, 1580]
cross_section = [0.1, 0.25, 0.3, 0.5, 0.3, 0.05]
units = ["nm", "pm^2"]
[processes.emission]
at = [1460, 1480, 1500, 1530, 1550, 1580]
cross_section = [0.02, 0.08, 0.2, 0.5, 0.4, 0.15]
units = ["nm", "pm^2"]
[amplifier]
length = "8 m"
area = "3.5 um^2"
[[amplifier.channels]]
kind = "Channels"
label = "pump"
wavelength = "1480 nm"
power = "60 mW"
[[amplifier.channels]]
kind = "Channels"
label = "signal"
wavelength = "1550 nm"
power = "1 uW"
[[amplifier.channels]]
kind = "Channels"
label = "wdm"
wavelength = ["1540 nm", "1560 nm"]
power = "0.1 uW"
"""
FIT = """
model = "mine.toml"
free = ["length"]
num_starts = 2
intervals = "wald"
[experiment]
amplifier = "mine.toml"
observables = { gain = { ChannelGain = "signal" } }
[start]
length = "6 m"
"""
SWEEP = """
model = "mine.toml"
[experiment]
amplifier = "mine.toml"
observables = { gain = { ChannelGain = "signal" }, left = { ChannelPower = "pump" } }
[over]
"pump.power" = { start = "10 mW", stop = "100 mW", num = 3 }
"wdm.power" = { start = "0.1 uW", stop = "1 mW", num = 2 }
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a model of two levels and light along it, to work in."""
    (tmp_path / "mine.toml").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mine(theta: dict[str, Any]) -> Any:
    """The gain of its signal."""
    bench = jr.Experiment(jr.load_model("mine.toml"), load_amplifier("mine.toml"), {"gain": jr.ChannelGain("signal")})
    return bench(theta)["gain"]


def test_an_amplifier_of_ones_own(here: Path, capsys: Any):
    """It prints what jr.amplify finds, and sweeps over the power of a list by its own name."""
    over = ["--over", "pump.power=10 mW:100 mW:4", "--over", "wdm.power=-40 dBm:0 dBm:3"]
    assert main(["solve", "mine.toml", "--set", "length=7 m", *over, "-o", "out"]) == 0
    out = capsys.readouterr().out
    assert "mine: light along 7 m with length as given" in out
    assert re.search(r"method +closed form", out)
    gain = re.search(r"signal +1550 nm +forward +1 µW +\S+ \S+ +(\S+) dB", out)
    assert gain is not None
    assert float(gain[1]) == pytest.approx(10 * np.log10(mine({"length": 7.0})), abs=1e-3)
    assert re.search(r"wdm\[1\] +1560 nm", out)
    assert re.search(r"pump left over +\S+ mW +\S+ %", out)
    for name in ("powers", "gain-wdm", "gain-over-pump-power", "spectra-wdm-over-pump-power", "gain-signal-map"):
        assert (here / "out" / f"{name}.png").read_bytes()[:4] == PNG
    ds = xr.open_zarr("out/amplifier.zarr")
    theta = {"pump.power": ds["pump.power"].values[:, None], "wdm.power": np.stack([ds["wdm.power"].values] * 2)}
    close(ds.gain_signal.values, mine({**theta, "length": 7.0}), rtol=1e-12)


def test_what_is_launched_with_no_power_has_no_gain(here: Path, capsys: Any):
    """Nor has a lane without a result anything: it says why, and writes nothing."""
    assert main(["solve", "mine.toml", "--set", "signal.power=0"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"signal +1550 nm +forward +0 W +0 W *\n", out)
    assert re.search(r"wdm\[0\] +1540 nm .* dB", out)
    assert main(["solve", "mine.toml", "--set", "pump.power=0", "-o", "dark"]) == 0
    assert re.search(r"pump left over +0 W *\n", capsys.readouterr().out)
    assert not list((here / "dark").glob("*over*"))
    assert main(["solve", "mine.toml", "--set", "density=-1", "-o", "none"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"status +no result: a parameter is NaN, infinite or outside its range", out)
    assert not (here / "none").exists()


def test_a_sweep_and_a_fit_of_an_amplifier_from_files(here: Path, capsys: Any):
    """The length that the gains were computed with comes back."""
    (here / "sweep.toml").write_text(SWEEP)
    assert main(["sweep", "sweep.toml", "-o", "store", "--set", "over.length=7"]) == 0
    ds = jr.open("store").load()
    assert ds.gain.dims == ("pump.power", "wdm.power")
    theta = {"pump.power": ds["pump.power"].values[:, None], "wdm.power": np.stack([ds["wdm.power"].values] * 2)}
    close(ds.gain.values, mine({**theta, "length": 7.0}), rtol=1e-12)
    pumps = np.array([20, 40, 60, 90])
    gains = 10 * np.log10(mine({"pump.power": pumps * 1e-3, "length": 7.0}))
    rows = [f"{p},{g:.9f},0.01" for p, g in zip(pumps, gains, strict=True)]
    (here / "gain.csv").write_text("\n".join(["pump.power [mW],gain [dB],gain.sigma [dB]", *rows, ""]))
    (here / "fit.toml").write_text(FIT)
    assert main(["fit", "fit.toml", "--data", "gain.csv", "-o", "fitted"]) == 0
    close(jr.FitResult.load("fitted")["length"].value, 7.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["--set", "pump.power=60 nm"], ("pump.power", "60 nm", "100 mW")),
        (["--set", "pmp.power=1"], ("pmp.power", "did you mean `pump.power`")),
        (["--set", "wmd.power=1"], ("wmd.power", "did you mean `wdm.power`")),
        (["--set", "lenght=1"], ("lenght", "did you mean `length`")),
        (["--over", "pump.power=1:2"], ("--over pump.power", "START:STOP:NUM")),
    ],
)
def test_what_is_typed_wrong_is_refused(here: Path, capsys: Any, typed: list[str], words: tuple[str, ...]):
    assert main(["solve", "mine.toml", *typed]) == 2
    said = capsys.readouterr().err
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ('"1550 nm"', '"1650 nm"'),
            ("`signal`", "1650 nm", "outside the emission spectrum of `er`", "1460 to 1580 nm"),
        ),
        (('"1550 nm"', '"1550 nm"\ndrives = "eer"'), ("`eer`", "did you mean `er`")),
        (('label = "wdm"', 'label = "signal"'), ("2 processes are named `signal`",)),
        (('"1 uW"', '"-1 uW"'), ("signal.power", "zero or positive")),
        (('length = "8 m"', 'length = "0 m"'), ("length", "positive", "0 m")),
    ],
)
def test_what_is_stated_wrong_is_refused(here: Path, capsys: Any, change: tuple[str, str], words: tuple[str, ...]):
    (here / "mine.toml").write_text(MINE.replace(*change))
    assert main(["solve", "mine.toml"]) == 2
    said = capsys.readouterr().err
    assert [word for word in words if word not in said] == []


def shipped() -> list[Any]:
    """What ships; noise of both ends takes half a minute to compile, each."""
    names = [name for name in jr.list_media() if states_amplifier(name)]
    return [pytest.param(name, marks=pytest.mark.long) for name in names]


@pytest.mark.parametrize("name", shipped())
def test_an_amplifier_that_ships(tmp_path: Path, capsys: Any, name: str):
    """It is what was published, and its pictures are drawn."""
    assert main(["solve", name, "-o", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert re.search(r"status +found", out)
    assert "of output powers, at most 1e-08 of each" in out
    assert "NOT ok" not in out
    assert len(re.findall(r" ok \(within", out)) >= 4
    pictures = list((tmp_path / "out").iterdir())
    assert len(pictures) >= 4
    assert all(file.read_bytes()[:4] == PNG for file in pictures)


@pytest.mark.long
def test_an_edfa_is_quiet_and_gives_back_what_it_takes():
    """Behind the stated ensemble come those of other pump powers: all gain more, and none beats 3 dB by its noise."""
    whole, against = solved(jr.media("edfa"), load_amplifier("edfa"), {})
    assert against == "pump.power"
    assert np.all(whole.status == 0)
    noise, gain = (np.asarray(read("wdm")(whole)) for read in (jr.NoiseFigure, jr.ChannelGain))
    assert np.all(np.diff(gain[:, 1:], axis=1) > 0)
    great = gain > 100
    assert np.all((10 * np.log10(noise))[great] > 3.0)
    out = sum(
        np.asarray(jr.ChannelPower(g, direction=d)(whole)).sum(0) for g, d in (("wdm", 1), ("ase", 1), ("ase", -1))
    )
    assert np.all(out < whole.parameters["pump.power"] * 976 / 1532)
