"""A sweep as text: what a file states is what Python states, and what a store keeps of a job reads as the same job."""

import json
import math
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxrate as jr
from jaxrate.constants import c
from jaxrate.experiment_file import OBSERVABLES as KNOWN
from jaxrate.experiment_file import experiment_table, model_table, read_experiment, read_model
from jaxrate.sweep.draws import lognormal, normal, uniform
from jaxrate.sweep.job import Job, read_job
from jaxrate.sweep.statement import EXAMPLE, apply_set, fingerprint, read_statement, to_statement
from tests.media import four_level
from tests.refusal import refused
from tests.systems.erbium import erbium
from tests.tolerance import same

ND = jr.media("nd-yag")
BENCH = jr.Experiment(ND, jr.Steady(), {"gain": jr.Gain("laser"), "upper": jr.Population("4F3/2")})
SWEEP = """
model = "nd-yag"

[experiment]
observables = { gain = { Gain = "laser" } }

[over]
"pump.rate" = { start = "1 s^-1", stop = "1e4 s^-1", num = 5 }
"""
DRIVE = {
    "pump.rate": jr.Segments([(0, "1 ms", "100 s^-1"), ("1 ms", 2e-3, jr.expr("2 * pump.rate")), (2e-3, np.inf, 0)])
}
PATH = jr.Evolve([0.0, "1 us", 1e-3], start={"4F3/2": np.float64(0.25), "4I9/2": 0.75}, drive=DRIVE)


def stated(text: str = SWEEP, folder: Path = Path()) -> Job:
    """What a sweep file states."""
    return read_statement(tomllib.loads(text), folder)


def read_again(job: Job) -> list[Job]:
    """The job after it was written and read as a dict, as JSON and as TOML."""
    written = to_statement(job)
    through_json = json.loads(json.dumps(written, allow_nan=False))
    return [read_statement(w) for w in (written, through_json, tomllib.loads(tomli_w.dumps(written)))]


def assert_equal(found: Job, wanted: Job) -> None:
    """Axes bit for bit and in order; everything else equal, as it is kept in SI units."""
    assert list(found.grid.sizes.items()) == list(wanted.grid.sizes.items())
    assert list(found.grid.axes) == list(wanted.grid.axes)
    for name, axis in wanted.grid.axes.items():
        assert found.grid.axes[name].dim == axis.dim
        same(found.grid.axes[name].values, axis.values)
        same(np.signbit(found.grid.axes[name].values), np.signbit(axis.values))
    same(np.array(list(found.grid.fixed.values())), np.array([wanted.grid.fixed[n] for n in found.grid.fixed]))
    assert found.grid.fixed.keys() == wanted.grid.fixed.keys()
    assert found.grid.sampling == wanted.grid.sampling
    assert found.experiment.model == wanted.experiment.model
    assert found.experiment.observables == wanted.experiment.observables
    assert experiment_table(found.experiment) == experiment_table(wanted.experiment)
    assert (found.reduce, found.along, found.precision) == (wanted.reduce, wanted.along, wanted.precision)


def assert_exact(job: Job) -> None:
    for found in read_again(job):
        assert_equal(found, job)
        assert fingerprint(to_statement(found)) == fingerprint(to_statement(job))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(width=64), min_size=2, max_size=8),
    st.floats(allow_nan=False) | st.integers(-(10**18), 10**18),
    st.sampled_from(["pump.rate", "run"]),
)
def test_every_number_is_kept(values: list[float], fixed: float, dim: str):
    values = [math.copysign(x, 1.0) if math.isnan(x) else x for x in values]  # one NaN is like any other
    over = {"signal.intensity": [0.0, 1.0], "pump.rate": (dim, values), "temperature": fixed}
    if dim == "run":
        over["density"] = (dim, values[::-1])
    assert_exact(read_job(BENCH, over))


@given(st.integers(0, 2**64 - 1), st.integers(1, 2**40), st.sampled_from(["random", "sobol"]))
@settings(max_examples=20, deadline=None)
def test_a_sampling_is_kept(seed: int, ensembles: int, sampler: str):
    random = [
        normal("laser.B", "4.6e15 m^3 J^-1 s^-2", 2e14),
        uniform("laser.frequency", "1065 nm", "1064 nm"),
        lognormal("density", 1.4e26, 1.1),
    ]
    job = read_job(
        BENCH, {"pump.rate": [1.0, 2.0]}, random=random, ensembles=ensembles, seed=seed, sampler=sampler, reduce="mean"
    )
    assert_exact(job)


def test_a_path_in_time_with_all_that_belongs_to_it_is_kept():
    bench = jr.Experiment(
        ND, PATH, {"spectrum": jr.Gain("laser", frequency=[2.8e14, 2.9e14]), "n": jr.Inversion("laser")}
    )
    over = {"pump.rate": ("run", [1.0, 2.0]), "density": ("run", [1e26, 2e26]), "signal.intensity": [0, 1e7]}
    reduce = ["mean", "argmax", jr.Histogram([-np.inf, 0, 1.5, np.inf], of="n")]
    job = read_job(bench, over, reduce=reduce, along=["run"], precision="float32")
    assert_exact(job)
    for found in read_again(job):
        assert isinstance(found.experiment.solver, jr.Evolve)
        same(found.experiment.solver.times, PATH.times)
        same(found.experiment.base, bench.base)
        parts = [(0.0, 1e-3, 100.0), (1e-3, 2e-3, jr.expr("2 * pump.rate")), (2e-3, np.inf, 0.0)]
        assert found.experiment.solver.drive == (("pump.rate", jr.Segments(parts)),)


WARM = jr.Model(
    levels=[jr.Level("l"), jr.Level("u")],
    processes=[
        jr.Radiative("line", "u -> l", A=1e3, wavelength="1 um"),
        jr.Blackbody("room", drives="line", temperature=300),
    ],
    density=1e26,
)
LASER = ND.with_process(jr.Cavity("cavity", couples="laser", photon_lifetime="10 ns", mode_volume="10 mm^3"))
AMPLIFIER = jr.Amplifier(
    "1 m",
    (
        jr.Channels("pump", wavelength="1480 nm", power="1 mW"),
        jr.Channels("wdm", wavelength=["1540 nm", "1550 nm"], power="1 uW"),
        jr.ASE("ase", band=("1530 nm", "1560 nm"), bins=3),
    ),
    area="10 um^2",
)
OBSERVABLES: dict[str, tuple[jr.Model, Any]] = {
    "ASESpectrum": (erbium(), jr.ASESpectrum("ase", -1)),
    "AbsorbedPump": (LASER, jr.AbsorbedPump("pump", energy="1.5 eV", cavity="cavity")),
    "BranchingRatio": (ND, jr.BranchingRatio("laser")),
    "ChannelGain": (erbium(), jr.ChannelGain("wdm")),
    "ChannelPower": (erbium(), jr.ChannelPower("ase", "along", -1)),
    "CrossSection": (ND, jr.CrossSection("laser", 2.8e14)),
    "DecayTime": (ND, jr.DecayTime("laser")),
    "DisturbanceGrowth": (LASER, jr.DisturbanceGrowth()),
    "Fluorescence": (ND, jr.Fluorescence("laser")),
    "Gain": (ND, jr.Gain("laser", (2.8e14, 2.81e14))),
    "GainOverLoss": (LASER, jr.GainOverLoss("cavity")),
    "Inversion": (ND, jr.Inversion("laser")),
    "Lifetime": (ND, jr.Lifetime("4F3/2")),
    "NetPower": (ND, jr.NetPower("laser", "signal")),
    "NoiseFigure": (erbium(), jr.NoiseFigure("wdm", "ase")),
    "OutputPower": (LASER, jr.OutputPower("cavity")),
    "Population": (ND, jr.Population("4F3/2")),
    "PowerConversion": (erbium(), jr.PowerConversion("wdm", "pump")),
    "RelaxationDamping": (LASER, jr.RelaxationDamping("cavity")),
    "RelaxationOscillation": (LASER, jr.RelaxationOscillation("cavity")),
    "SaturationIntensity": (ND, jr.SaturationIntensity("laser", 2.8e14)),
    "ThermalEmission": (WARM, jr.ThermalEmission("line", "room")),
}


def test_every_observable_there_is_is_kept():
    assert OBSERVABLES.keys() == KNOWN.keys()
    for model, observable in OBSERVABLES.values():
        solver = AMPLIFIER if model is erbium() else jr.Steady() if observable.pointwise else jr.Evolve([0.0, 1.0])
        table = json.loads(json.dumps(experiment_table(jr.Experiment(model, solver, {"x": observable}))))
        assert read_experiment(table, model).observables == {"x": observable}


def test_every_argument_there_is_is_kept():
    for _, observable in OBSERVABLES.values():
        assert not [f.name for f in fields(observable) if getattr(observable, f.name) is None]


@pytest.mark.parametrize("start", [None, "cold", "hot", {"4I9/2": 0.75, "4F3/2": np.float64(0.25), "cavity": 1e9}])
def test_where_the_search_of_a_steady_state_starts_is_kept(start):
    job = read_job(jr.Experiment(LASER, jr.Steady(start), {"out": jr.OutputPower("cavity")}), {"pump.rate": [1.0, 2.0]})
    assert_exact(job)
    for found in read_again(job):
        assert isinstance(found.experiment.solver, jr.Steady)
        assert found.experiment.solver == jr.Steady(start)
        assert found.experiment.solver.start == start


def test_the_tolerances_of_a_path_are_kept():
    solver = jr.Evolve([0.0, 1e-3], rtol=1e-6, atol={"cavity": 1e-3, "4F3/2": 1e-12}, max_steps=500)
    job = read_job(jr.Experiment(LASER, solver, {"out": jr.OutputPower("cavity")}), {"pump.rate": [1.0, 2.0]})
    assert_exact(job)
    for found in read_again(job):
        assert found.experiment.solver == solver


@pytest.mark.parametrize("name", jr.list_media())
def test_every_medium_is_kept_inside_the_statement(name):
    table = model_table(jr.media(name))
    assert read_model(json.loads(json.dumps(table, allow_nan=False)), Path()) == jr.media(name)


def test_a_file_says_what_python_says():
    text = """
model = "nd-yag"
reduce = ["mean", { Histogram = [0, 1.5, inf], of = "gain" }]
along = "run"
precision = "float32"
ensembles = 1000
seed = 7
sampler = "sobol"

[experiment]
observables = { gain = { Gain = "laser", frequency = ["1064 nm", 2.8e14] }, n = { Inversion = "laser" } }
evolve.times = { start = 0, stop = "1 ms", num = 11 }
evolve.start = { "4F3/2" = 1 }
evolve.drive = { pump.rate = [[0, inf, "3 s^-1"]] }

[over]
signal.intensity = ["1 kW/cm^2", 1e8]
"laser.frequency" = { start = "1065 nm", stop = "1063 nm", num = 3, spacing = "lin" }
"density" = "1e26 m^-3"
"other lines.rate" = { along = "run", values = [1, "2 s^-1"] }
temperature = { along = "run", start = "290 K", stop = 310, num = 2 }

[random]
laser.B = { normal = ["4.6e15 m^3 J^-1 s^-2", "2e14 m^3 J^-1 s^-2"] }
"empty.rate" = { lognormal = ["3e7 s^-1", 1.1] }
"""
    bench = jr.Experiment(
        ND,
        jr.Evolve(
            np.linspace(0, 1e-3, 11), start={"4F3/2": 1.0}, drive={"pump.rate": jr.Segments([(0, np.inf, "3 s^-1")])}
        ),
        {"gain": jr.Gain("laser", frequency=[c / 1064e-9, 2.8e14]), "n": jr.Inversion("laser")},
    )
    over = {
        "signal.intensity": [1e7, 1e8],
        "laser.frequency": np.linspace(c / 1065e-9, c / 1063e-9, 3),
        "density": 1e26,
        "other lines.rate": ("run", [1.0, 2.0]),
        "temperature": ("run", np.geomspace(290, 310, 2)),
    }
    random = [normal("laser.B", 4.6e15, 2e14), lognormal("empty.rate", 3e7, 1.1)]
    options: dict[str, Any] = {"ensembles": 1000, "seed": 7, "sampler": "sobol", "precision": "float32"}
    reduce = ["mean", jr.Histogram([0, 1.5, np.inf], of="gain")]
    assert_equal(stated(text), read_job(bench, over, random=random, reduce=reduce, along="run", **options))


READS = """
[observables]
out = { OutputPower = "cavity" }
pumped = { AbsorbedPump = "pump", energy = "12370 cm^-1" }
growth = { DisturbanceGrowth = true }
"""
FULL = {"4I9/2": 1, "cavity": 1e9}
LASER_SOLVERS: list[tuple[str, Any]] = [
    ("", jr.Steady()),
    ("steady = {}", jr.Steady()),
    ("steady = { start = 'hot' }", jr.Steady("hot")),
    ("steady.start = { '4I9/2' = 1, cavity = 1e9 }", jr.Steady(FULL)),
    ("evolve = { times = [0, '1 ms'], start = { '4I9/2' = 1, cavity = 1e9 } }", jr.Evolve([0.0, 1e-3], start=FULL)),
    (
        "evolve = { times = [0, '1 ms'], rtol = 1e-6, atol = { cavity = 1e-3 }, max_steps = 500 }",
        jr.Evolve([0.0, 1e-3], rtol=1e-6, atol={"cavity": 1e-3}, max_steps=500),
    ),
]


@pytest.mark.parametrize(("text", "solver"), LASER_SOLVERS, ids=[text for text, _ in LASER_SOLVERS])
def test_a_file_says_what_python_says_of_a_laser(text, solver):
    found = read_experiment(tomllib.loads(text + READS), LASER)
    assert isinstance(found.solver, jr.Steady | jr.Evolve)
    assert found.solver == solver
    assert found.solver.start == solver.start
    pumped = jr.AbsorbedPump("pump", energy="12370 cm^-1")
    assert found.observables == {"out": jr.OutputPower("cavity"), "pumped": pumped, "growth": jr.DisturbanceGrowth()}


def test_the_defaults_are_those_of_python_and_axes_are_logarithmic():
    assert_equal(stated(), read_job(jr.Experiment(ND, jr.Steady(), {"gain": jr.Gain("laser")}), OVER))
    unquoted = SWEEP.replace('"pump.rate"', "pump.rate")
    assert_equal(stated(unquoted), stated())
    assert stated(SWEEP.partition("[over]")[0]).grid.sizes == {}
    logarithmic = SWEEP.replace(
        "[over]", 'evolve = { times = { start = "1 us", stop = 1e-3, num = 4, spacing = "log" } }\n[over]'
    )
    solver = stated(logarithmic).experiment.solver
    assert isinstance(solver, jr.Evolve)
    same(solver.times, np.geomspace(1e-6, 1e-3, 4))


OVER = {"pump.rate": np.geomspace(1, 1e4, 5)}


def test_the_model_is_a_medium_a_file_beside_the_sweep_or_in_it(tmp_path):
    hotter = ND.replace(temperature="400 K")
    hotter.save(tmp_path / "hotter.toml")
    assert stated(SWEEP.replace("nd-yag", "hotter.toml"), tmp_path).experiment.model == hotter
    inside = {**tomllib.loads(SWEEP), "model": model_table(four_level())}
    assert read_statement(inside).experiment.model == four_level()


def test_the_help_shows_a_sweep_file_that_can_be_read():
    lines = EXAMPLE.partition("sweep.toml:\n")[2].partition("\n\n")[0].splitlines()
    job = stated("\n".join(line.removeprefix("  ") for line in lines))
    assert job.grid.sizes == {"pump.rate": 100, "ensemble": 10000}
    assert job.reduce == ("mean", "std", "max")


RANGE = '{ start = "1 s^-1", stop = "1e4 s^-1", num = 5 }'
GAIN = 'observables = { gain = { Gain = "laser" } }'
REFUSED = [
    ('model = "nd-yag"', "", ["`model` must be given", "--help"]),
    ('model = "nd-yag"', 'modl = "nd-yag"', ["`modl` is not a key of a sweep file", "did you mean `model`"]),
    ('"nd-yag"', '"nd-yga"', ["did you mean `nd-yag`"]),
    ('"nd-yag"', "3", ["`model` must be a medium's name"]),
    ('"nd-yag"', '{ name = "x" }', ["A model must have levels"]),
    (GAIN, "", ["[experiment] must have observables"]),
    (GAIN, f"{GAIN}\ndata = 'gain.csv'", ["`data` is not a key of [experiment]"]),
    ("[experiment]", "experiment = 3\n[other]", ["`other`"]),
    (GAIN, "observables = 3", ["[experiment] observables must be a table"]),
    ('Gain = "laser"', 'Gian = "laser"', ["[experiment] `gain`", "did you mean `Gain`"]),
    ('Gain = "laser"', 'Gain = "lasr"', ["[experiment]", "did you mean `laser`"]),
    ('Gain = "laser"', 'Gain = "laser", frequency = "table"', ["`frequency` must be a frequency", "'table'"]),
    (GAIN, f"{GAIN}\nevolve = 3", ["[experiment] `evolve`", "must be a table"]),
    (GAIN, f"{GAIN}\nevolve = {{}}", ["[experiment] `evolve` must have `times`"]),
    (GAIN, f"{GAIN}\nevolve = {{ time = [0] }}", ["`time` is not a key of", "did you mean `times`"]),
    (GAIN, f"{GAIN}\nevolve = {{ times = 3 }}", ["must have `times`", "but 3 was given"]),
    (GAIN, f"{GAIN}\nevolve = {{ times = [1, 0] }}", ["[experiment]", "`times` must increase"]),
    (GAIN, f"{GAIN}\nevolve = {{ times = [0, '1 K'] }}", ["[experiment]", "`times`", "'1 K'"]),
    (GAIN, f"{GAIN}\nevolve.times = {{ start = 0, stop = 1 }}", ["`times` must have `num`"]),
    (GAIN, f"{GAIN}\nevolve.times = {{ start = [0], stop = 1, num = 3 }}", ["`evolve`", "`times` must be a time"]),
    (GAIN, f"{GAIN}\nevolve = {{ times = [0], start = 'grund' }}", ['start must be "ground"', "'grund'"]),
    (GAIN, f"{GAIN}\nevolve = {{ times = [0], drive = {{ pump.rate = 3 }} }}", ["drive of `pump.rate` must be a list"]),
    (
        GAIN,
        f"{GAIN}\nevolve = {{ times = [0], drive = {{ pump.rate = [[1, 2, 3]] }} }}",
        ["[experiment] `evolve`, drive of `pump.rate`", "must start at 0 s"],
    ),
    (GAIN, f"{GAIN}\nevolve = {{ times = [0], rtl = 1e-6 }}", ["[experiment] `evolve`", "did you mean `rtol`"]),
    (GAIN, f"{GAIN}\nevolve = {{ times = [0], rtol = 0 }}", ["[experiment]", "`rtol` must be a positive number"]),
    (GAIN, f"{GAIN}\nevolve = {{ times = [0], atol = 1e-6 }}", ["`atol` must be a table", "1e-06"]),
    (GAIN, f"{GAIN}\nevolve = {{ times = [0], atol = {{ '4F3/3' = 1e-6 }} }}", ["`atol`", "did you mean `4F3/2`"]),
    (GAIN, f"{GAIN}\nevolve = {{ times = [0], max_steps = 1.5 }}", ["`max_steps` must be a whole number", "1.5"]),
    (GAIN, f"{GAIN}\nsteady = 3", ["[experiment] `steady`", "must be a table", "but 3 was given"]),
    (GAIN, f"{GAIN}\nsteady = {{ strt = 'hot' }}", ["[experiment] `steady`", "did you mean `start`"]),
    (GAIN, f"{GAIN}\nsteady = {{ start = 'warm' }}", ["[experiment] `steady`", '"cold", "hot"', "'warm'"]),
    (GAIN, f"{GAIN}\nsteady = {{ start = 'ground' }}", ["[experiment] `steady`", '"cold", "hot"', "'ground'"]),
    (GAIN, f"{GAIN}\nsteady = {{}}\nevolve = {{ times = [0] }}", ["[experiment]", "`evolve` or `steady`, not both"]),
    ('Gain = "laser"', "DisturbanceGrowth = 'laser'", ["write { DisturbanceGrowth = true }", "'laser'"]),
    ('Gain = "laser"', "AbsorbedPump = 'pump', energy = [1, 2]", ["`energy` must be an energy", "[1, 2]"]),
    ("[over]", "over = 3\n[random]", ["`over`"]),
    ('"pump.rate"', '"pump.rat"', ["[over]", "`pump.rat`", "did you mean `pump.rate`"]),
    ('"pump.rate"', "pump.rat", ["[over]", "`pump.rat`", "did you mean `pump.rate`"]),
    ('"pump.rate"', "pump.rate = 3\n'pump.rate'", ["`pump.rate` is there twice"]),
    (RANGE, '"3 K"', ["[over]", "`pump.rate` must be a rate", "'3 K'"]),
    (RANGE, "true", ["[over]", "`pump.rate` must be a rate", "True"]),
    (RANGE, '["3 s^-1", "much"]', ["[over]", "`pump.rate` must be a rate", "'much'"]),
    (RANGE, "[[1, 2]]", ["[over]", "`pump.rate` must be one value here"]),
    (RANGE, "[]", ["`pump.rate`", "at least one value"]),
    (RANGE, "2020-01-01", ["[over]", "`pump.rate` must be a rate"]),
    ("num = 5", "nun = 5", ["`nun` is not a key of [over] `pump.rate`", "did you mean `num`"]),
    ("num = 5", "num = 1", ["[over] `pump.rate`: `num` must be a whole number from 2 on, but 1 was given"]),
    ("num = 5", "num = 5.0", ["`num` must be a whole number", "5.0"]),
    (", num = 5", "", ["[over] `pump.rate` must have `num`"]),
    ("num = 5", 'num = 5, spacing = "cubic"', ["`spacing` must be", "'cubic'"]),
    ("num = 5", "num = 5, values = [1]", ["list of `values`, or `start`"]),
    ("num = 5", "num = 5, along = 3", ["`along` must be the name of a dimension"]),
    ("1e4 s^-1", "1e4 K", ["[over]", "`pump.rate` must be a rate", "'1e4 K'"]),
    ('"1e4 s^-1"', "inf", ["`start` and `stop` must be finite"]),
    ('"1 s^-1"', "0", ["a logarithmic range must be positive", 'spacing = "lin"']),
    ("[over]", "[random]\n'laser.b' = { normal = [1, 2] }\n[over]", ["[random]", "did you mean `laser.B`"]),
    ("[over]", "[random]\nlaser.B = { norml = [1, 2] }\n[over]", ["`norml`", "did you mean `normal`"]),
    ("[over]", "[random]\nlaser.B = 3\n[over]", ["[random] `laser.B`", "must be a table"]),
    ("[over]", "[random]\nlaser.B = { normal = [1] }\n[over]", ["[random] `laser.B` must be drawn from one of"]),
    ("[over]", "[random]\nlaser.B = { normal = [1, -1] }\n[over]", ["[random] `laser.B`", "must be positive"]),
    ("[over]", "[random]\nlaser.B = { normal = [1, [2]] }\n[over]", ["[random] `laser.B`", "[2]"]),
    ("[over]", "[random]\nlaser.B = { uniform = [1, 2] }\n[over]", ["`ensembles` must"]),
    ("model", "random.'pump.rate' = { uniform = [1, 2] }\nensembles = 3\nmodel", ["`pump.rate`", "`over` too"]),
    ("model", "ensembles = 10\nmodel", ["`ensembles` is for parameters drawn at random"]),
    ("model", 'reduce = "men"\nmodel', ["`men`", "did you mean `mean`"]),
    ("model", "reduce = 3\nmodel", ["`reduce` must be names", "but 3 was given"]),
    ("model", "reduce = [[1]]\nmodel", ["`reduce` must be names", "[1]"]),
    ("model", "reduce = { Histogramm = [1, 2] }\nmodel", ["`Histogramm`", "did you mean `Histogram`"]),
    ("model", "reduce = { Histogram = [1, 'x'] }\nmodel", ["`reduce` must be names"]),
    ("model", "reduce = { Histogram = [2, 1] }\nmodel", ["`reduce`, Histogram", "rising"]),
    ("model", "reduce = { Histogram = [1, 2], of = 'gian' }\nmodel", ["did you mean `gain`"]),
    ("model", "reduce = 'mean'\nalong = 3\nmodel", ["`along` must be dimensions"]),
    ("model", "reduce = 'mean'\nalong = 'pump'\nmodel", ["did you mean `pump.rate`"]),
    ("model", "along = 'pump.rate'\nmodel", ["give `reduce` too"]),
    ("model", "precision = 3\nmodel", ["`precision` must be"]),
]


@pytest.mark.parametrize(("old", "new", "words"), REFUSED, ids=[new or f"no {old}" for old, new, _ in REFUSED])
def test_a_slip_in_a_sweep_file_is_one_clear_message(old, new, words):
    assert old in SWEEP
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        stated(SWEEP.replace(old, new, 1))
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, f"{missing} not in: {caught.value}"


class Mine(jr.Gain):
    """An observable of the user's."""


class Slow(jr.Steady):
    """A solver of the user's."""


def unwritten(solver: Any = None, **observables: Any) -> None:
    to_statement(read_job(jr.Experiment(ND, solver or jr.Steady(), observables or {"n": jr.Inversion("laser")}), {}))


def test_what_no_file_can_hold_is_named():
    refused(lambda: unwritten(my_gain=lambda state: state["4F3/2"]), "`my_gain` is a Python function", "`Gain`")
    refused(lambda: unwritten(my_gain=Mine("laser")), "`my_gain` is a `Mine` of your own", "`Gain`")
    refused(lambda: unwritten(Slow()), "The solver is a `Slow`", "jr.Steady()")
    array = {"4F3/2": np.array([0.5, 1.0]), "4I9/2": np.array([0.5, 0.0])}
    refused(lambda: unwritten(jr.Evolve([0.0], start=array)), "`start` has an array", "fractions of levels")
    before = jr.Solution(np.eye(5)[0], np.int8(0), {}, BENCH.network)
    refused(lambda: unwritten(jr.Evolve([0.0], start=before)), "`start` is a Solution", "fractions of levels")
    model = jr.Model(
        levels=[jr.Level("a"), jr.Level("b")],
        processes=[jr.Decay("down", "b -> a", rate=lambda theta, n: 1.0), jr.Decay("up", "a -> b", rate=1.0)],
    )
    refused(lambda: model_table(model), "`down.rate` is a Python function")


FILE = tomllib.loads(SWEEP)
SET = [
    ("ensembles=1000", ("ensembles",), 1000),
    ("model=er-fibre", ("model",), "er-fibre"),
    ('model="er-fibre"', ("model",), "er-fibre"),
    ("precision=float32", ("precision",), "float32"),
    ("reduce=['mean', 'max']", ("reduce",), ["mean", "max"]),
    ("over.pump.rate=[1, 2.5]", ("over", "pump.rate"), [1, 2.5]),
    ("over.pump.rate={start=1,stop=10,num=5}", ("over", "pump.rate"), {"start": 1, "stop": 10, "num": 5}),
    ('over."pump.rate"=5', ("over", "pump.rate"), 5),
    ("over.pump.rate.num=7", ("over", "pump.rate", "num"), 7),
    ("over.pump.rate.stop=1e3 s^-1", ("over", "pump.rate", "stop"), "1e3 s^-1"),
    ("over.other lines.rate=3 s^-1", ("over", "other lines.rate"), "3 s^-1"),
    ("over.density=.5", ("over", "density"), 0.5),
    ("random.laser.B={ normal = [1, 2] }", ("random", "laser.B"), {"normal": [1, 2]}),
    ("experiment.evolve.times=[0, 1]", ("experiment", "evolve", "times"), [0, 1]),
    ("experiment.observables.gain.Gain=pump line", ("experiment", "observables", "gain", "Gain"), "pump line"),
    ("model=x\ny = 3", ("model",), "x\ny = 3"),
    ("precision=3\ny = 3", ("precision",), "3\ny = 3"),
]


@pytest.mark.parametrize(("assignment", "path", "value"), SET, ids=[a for a, _, _ in SET])
def test_set_changes_one_value_and_nothing_else(assignment, path, value):
    before, found = json.dumps(FILE), apply_set(FILE, [assignment])
    assert json.dumps(FILE) == before
    wanted: Any = json.loads(before)
    place = wanted
    for key in path[:-1]:
        place = place.setdefault(key, {})
    place[path[-1]] = value
    assert found == wanted
    assert type(found[path[0]]) is type(wanted[path[0]])


def test_what_is_set_is_read_and_keeps_its_place():
    both = SWEEP.replace('"pump.rate" =', "signal.intensity = [1, 2]\npump.rate =") + "density = [1e26, 2e26]"
    given = apply_set(tomllib.loads(both), ["over.pump.rate.num=7", "over.signal.intensity=1 kW/cm^2"])
    grid = read_statement(apply_set(given, ["over.signal.intensity=[1, 2, 3]"])).grid
    assert list(grid.sizes.items()) == [("signal.intensity", 3), ("pump.rate", 7), ("density", 2)]
    assert read_statement(given).grid.fixed == {"signal.intensity": 1e7}


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("ensembles", ["--set", "NAME=VALUE", "'ensembles'"]),
        ("=3", ["NAME=VALUE"]),
        ("seed= ", ["NAME=VALUE"]),
        ("ensmbles=3", ["`ensmbles` is not a key of a sweep file", "did you mean `ensembles`"]),
        ("pump.rate=3", ["`pump` is not a key of a sweep file"]),
        ("model.density=1e26", ["`model` is 'nd-yag'", "`density`", "over.NAME=VALUE"]),
        ("over.pump.rate={start = 1 s^-1, stop = 3, num = 5}", ["--set", "cannot be read", "needs quotes"]),
    ],
)
def test_a_slip_in_set_is_one_clear_message(assignment, words):
    refused(lambda: apply_set(FILE, [assignment]), *words)


def test_a_fingerprint_is_of_values_and_of_nothing_else():
    written = to_statement(read_job(BENCH, {"pump.rate": [1.0, 5.0], "density": [0.0, 1.5], "temperature": 300.0}))
    print_ = fingerprint(written)
    assert len(print_) == 64
    whole = json.loads(json.dumps(written).replace("5.0]", "5]").replace("300.0", "300"))
    assert whole == written
    assert fingerprint(whole) == print_
    assert fingerprint(dict(reversed(written.items()))) == print_
    over = written["over"]
    for changed, equal in (
        ({**over, "density": [-0.0, 1.5]}, True),
        ({"temperature": 300.0, **over}, True),
        ({**over, "density": [5e-324, 1.5]}, False),
        ({**over, "density": [0.0, np.nextafter(1.5, 2)]}, False),
        ({"density": over["density"], **over}, False),
        ({**over, "temperature": 301.0}, False),
    ):
        assert (fingerprint({**written, "over": changed}) == print_) is equal, changed


def test_seeds_that_no_float_tells_apart_have_fingerprints_of_their_own():
    prints = {fingerprint({"seed": seed}) for seed in (2**53, 2**53 + 1, 2**64 - 1, 2**64 - 2, 10**400)}
    assert len(prints) == 5
    assert fingerprint({"x": 10**22}) == fingerprint({"x": 1e22})
