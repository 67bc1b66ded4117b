"""Light along a medium in files: read and written exactly, refused with what to write, swept by the name of a list."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tomli_w

import jaxrate as jr
from jaxrate.amplifier_file import amplifier_figures, amplifier_table, load_amplifier, read_amplifier, states_amplifier
from jaxrate.experiment_file import experiment_table, read_experiment
from jaxrate.model.files import MEDIA, from_toml
from jaxrate.sweep.job import read_job
from jaxrate.sweep.statement import read_statement, to_statement
from tests.refusal import refused
from tests.systems.erbium import AREA, PUMP, SIGNAL, amplifier, erbium
from tests.tolerance import close, same

SHIPPED = [name for name in jr.list_media() if states_amplifier(name)]
WDM = jr.Channels("wdm", wavelength=["1540 nm", "1550 nm"], power=["1 uW", 2e-6], source="test")
ALONG = {"gain": jr.ChannelGain("wdm"), "pump": jr.ChannelPower("pump")}

WRITTEN = """
density = "1e25 m^-3"
[[levels]]
name = "l"
energy = "0 cm^-1"
[[levels]]
name = "u"
energy = "6500 cm^-1"
[[processes]]
kind = "Radiative"
label = "line"
reaction = "u -> l"
A = "100 s^-1"
lineshape = {kind = "Lorentzian", fwhm = "1 THz"}
[amplifier]
length = "8 m"
reflections = [0, "4 %"]
rtol = 1e-6
[amplifier.waveguide]
core_radius = "1.5 um"
numerical_aperture = 0.22
[[amplifier.channels]]
kind = "Channels"
label = "signal"
wavelength = ["1538 nm", "1539 nm"]
power = "-20 dBm"
direction = -1
[[amplifier.channels]]
kind = "ASE"
label = "ase"
band = ["1530 nm", "1545 nm"]
bins = 5
loss = {expr = "2 * signal.loss"}
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A file with a medium and an amplifier."""
    path = tmp_path / "mine.toml"
    path.write_text(WRITTEN)
    return path


def test_four_amplifiers_ship():
    assert SHIPPED == ["ammonia-maser-amplifier", "edfa", "superluminescent-er", "yb-fibre-amplifier"]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_amplifier_that_ships_fits_its_medium_and_is_kept(name):
    """Also as JSON, which stores of sweeps are; every group says where its numbers come from."""
    found = load_amplifier(name)
    found.stated(jr.media(name))
    assert read_amplifier(json.loads(json.dumps(amplifier_table(found), allow_nan=False))) == found
    assert read_amplifier(tomllib.loads(tomli_w.dumps(amplifier_table(found)))) == found
    assert all(group.source for group in found.channels)
    assert amplifier_figures(name)


def test_a_file_says_what_python_says(written):
    assert load_amplifier(written) == jr.Amplifier(
        "8 m",
        (
            jr.Channels("signal", wavelength=["1538 nm", "1539 nm"], power="-20 dBm", direction=-1),
            jr.ASE("ase", band=("1530 nm", "1545 nm"), bins=5, loss=jr.expr("2 * signal.loss")),
        ),
        waveguide=jr.Fibre(core_radius="1.5 um", numerical_aperture=0.22),
        reflections=(0, "4 %"),
        rtol=1e-6,
    )


def test_the_medium_is_read_without_the_light(written):
    """It is the model that other solvers take, and what is saved is the model alone."""
    model = jr.load_model(written)
    assert [p.label for p in model.processes] == ["line"]
    model.save(written)
    assert jr.load_model(written) == model
    assert not states_amplifier(written)
    refused(lambda: load_amplifier(written), "has no [amplifier]", "[[amplifier.channels]]", 'label = "signal"')


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("[amplifier]", "[amplifer]"), ("amplifer", "did you mean `amplifier`")),
        (("rtol =", "rtoll ="), ("rtoll", "did you mean `rtol`")),
        (("core_radius", "core_radus"), ("waveguide", "core_radus", "did you mean `core_radius`")),
        (('kind = "ASE"', 'kind = "ASEE"'), ("[[amplifier.channels]] number 2, `ase`", "did you mean `ASE`")),
        (("bins", "bin"), ("number 2, `ase` (ASE)", "`bin`", "did you mean `bins`")),
        (('"-20 dBm"', '"-20 dB"'), ("signal.power", "-20 dB", "100 mW")),
        (('["1538 nm", "1539 nm"]', '"1538 s"'), ("signal.wavelength", "1538 s")),
        (("[amplifier.waveguide]", "[amplifier.fibre]"), ("`fibre` is not a key",)),
        (('length = "8 m"', ""), ("[amplifier]", "`length` must be given")),
    ],
)
def test_what_cannot_be_meant_is_refused(written, change, words):
    """A misspelt table is refused by whoever reads the medium, what is inside by whoever reads the light."""
    written.write_text(WRITTEN.replace(*change))
    refused(lambda: (jr.load_model(written), load_amplifier(written)), "mine.toml", *words)


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        ('quantity = "lifetime"\nof = "u"\nvalue = "1 ms"', ("figure of the medium", "[[expected]]")),
        ('quantity = "gain"\nof = "sigal"\nvalue = "20 dB"', ("sigal", "did you mean `signal`")),
        ('quantity = "gain"\nof = "ase"\nvalue = "20 dB"', ("`ase` is not a group of Channels",)),
    ],
)
def test_a_figure_that_is_none_of_the_amplifier_is_refused(written, figure, words):
    written.write_text(f'{WRITTEN}\n[[amplifier.expected]]\n{figure}\ntolerance = 0.1\nsource = "test"\n')
    refused(lambda: amplifier_figures(written), *words)
    medium = WRITTEN[: WRITTEN.index("[amplifier]")]
    own = '\n[[expected]]\nquantity = "gain"\nof = "line"\nvalue = "20 dB"\ntolerance = 0.1\nsource = "test"\n'
    refused(lambda: from_toml(medium + own), "gain of line", "[[amplifier.expected]]")


def test_no_such_file_or_medium():
    with pytest.raises(FileNotFoundError, match="did you mean `edfa`"):
        load_amplifier("efda")
    refused(lambda: load_amplifier(MEDIA), "is a directory")


def bench() -> jr.Experiment:
    """Two levels, light of one direction: solved in closed form."""
    return jr.Experiment(erbium(), amplifier(PUMP, WDM), ALONG)


def test_an_experiment_with_an_amplifier_is_kept():
    table = json.loads(json.dumps(experiment_table(bench()), allow_nan=False))
    found = read_experiment(table, erbium())
    assert found.solver == bench().solver
    assert found.observables == bench().observables


def test_an_experiment_may_name_what_ships():
    given = {"amplifier": "edfa", "observables": {"gain": {"ChannelGain": "wdm"}, "noise": {"NoiseFigure": "wdm"}}}
    assert read_experiment(given, jr.media("edfa")).solver == load_amplifier("edfa")
    refused(lambda: read_experiment({**given, "steady": {}}, jr.media("edfa")), "`steady` or `amplifier`, not both")
    wrong = {"amplifier": "edfa", "observables": {"gain": {"ChannelGain": "wmd"}}}
    refused(lambda: read_experiment(wrong, jr.media("edfa")), "[experiment]", "wmd", "did you mean `wdm`")


def test_an_observable_keeps_its_direction():
    ase = jr.ASE("ase", band=("1540 nm", "1560 nm"), bins=2)
    read = {"back": jr.ASESpectrum("ase", -1), "along": jr.ChannelPower("ase", "along", 1)}
    given = jr.Experiment(erbium(), amplifier(PUMP, SIGNAL, ase), read)
    assert read_experiment(experiment_table(given), erbium()).observables == read


def test_a_sweep_over_the_powers_of_a_list_sets_them_all():
    """`wdm.power` is one axis; its channels have the same power, as where they are given one by one."""
    power, pump = np.array([1e-6, 1e-4]), np.array([0.02, 0.06, 0.1])
    job = read_job(bench(), {"pump.power": pump, "wdm.power": power})
    again = read_statement(to_statement(job))
    assert to_statement(again) == to_statement(job)
    found = jr.sweep(bench(), {"pump.power": pump, "wdm.power": power}, progress=False)
    assert found.gain.dims == ("wdm.wavelength", "pump.power", "wdm.power")
    assert found["wdm.power"].attrs["units"] == "W"
    theta = {"pump.power": pump[:, None], "wdm.power[0]": power, "wdm.power[1]": power}
    same(found.gain.values, bench()(theta)["gain"])


def test_a_list_is_swept_once():
    refused(lambda: read_job(bench(), {"wdm.power": [1e-6], "wdm.power[1]": [1e-6, 1e-5]}), "`wdm.power[1]`", "one of")
    refused(lambda: read_job(bench(), {"wmd.power": [1e-6]}), "wmd.power", "did you mean `wdm.power")
    given = {"model": "edfa", "experiment": {"amplifier": "edfa", "observables": {"gain": {"ChannelGain": "wdm"}}}}
    found = read_statement({**given, "over": {"wdm.power": ["-30 dBm", "-10 dBm"], "pump.power": "50 mW"}})
    close(found.grid.axes["wdm.power"].values, [1e-6, 1e-4])
    assert len(found.grid.arrays({"wdm.power": slice(0, 2)})) == 9
    refused(lambda: read_statement({**given, "over": {"wdm.power": ["1 s"]}}), "wdm.power", "1 s", "100 mW")


def test_the_area_of_a_beam_is_kept():
    assert read_amplifier(amplifier_table(amplifier())).area == AREA
