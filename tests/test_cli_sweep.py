"""`jaxrate sweep`, `status` and `verify` as they are typed: what they say, write and refuse, and their exit codes."""

import builtins
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jaxrate as jr
from jaxrate.cli import main
from jaxrate.cli.sweep import pictures, read
from jaxrate.sweep.estimate import estimate
from jaxrate.sweep.progress import INTERVAL, lines
from tests.stores import BENCH, OVER, equal, sweep_file, undisturbed

PNG = b"\x89PNG"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a sweep file, to work in."""
    sweep_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_sweep_from_its_file_to_its_results(here: Path, capsys: Any):
    assert main(["sweep", "sweep.toml", "-o", "out", "--unit-size", "300"]) == 0
    said = capsys.readouterr().out
    assert "1,000 ensembles in 4 units" in said
    assert 'jr.open("out")' in said
    assert (here / "out" / "plots" / "upper.png").read_bytes()[:4] == PNG
    equal(jr.open("out").load(), undisturbed())
    assert main(["status", "out", "--check"]) == 0
    assert "4 of 4 done" in capsys.readouterr().out
    assert main(["verify", "out"]) == 0
    assert main(["sweep", "out/config.toml", "-o", "again"]) == 0
    equal(jr.open("again").load(), undisturbed())


def test_status_and_verify_say_what_is_missing(here: Path, capsys: Any):
    main(["sweep", "sweep.toml", "-o", "out", "--unit-size", "300"])
    (here / "out" / "ledger" / "000001.json").unlink()
    next((here / "out" / "results.zarr" / "upper" / "c" / "2").rglob("0")).write_bytes(b"")
    capsys.readouterr()
    assert main(["status", "out"]) == 0
    assert "3 of 4 done" in capsys.readouterr().out
    assert main(["status", "out", "--check"]) == 75
    assert main(["verify", "out"]) == 75
    said = capsys.readouterr().out
    assert "unit 1: the ledger has no entry" in said
    assert "unit 2: `upper` is not what was written" in said


def test_an_estimate_says_size_and_time_and_leaves_nothing(here: Path, capsys: Any):
    before = sorted(here.rglob("*"))
    assert main(["sweep", "sweep.toml", "-o", "out", "--dry-run", "--unit-size", "300"]) == 0
    said = capsys.readouterr().out
    assert sorted(here.rglob("*")) == before
    for words in ("1,000, 9 bytes each", "4 of up to 250 ensembles", "files", "s on this machine"):
        assert words in said
    found = estimate(read(Path("sweep.toml"), []), here, 300)
    assert found.total_bytes == 9000
    assert found.seconds > 0
    assert found.tried <= found.ensembles


def test_an_estimate_for_the_store_of_another_sweep_says_so(here: Path, capsys: Any):
    main(["sweep", "sweep.toml", "-o", "out"])
    assert main(["sweep", "sweep.toml", "-o", "out", "--dry-run", "--set", "precision=float32"]) == 3


def test_random_ensembles_and_reductions_are_stated_in_the_file(here: Path):
    more = """
ensembles = 500
seed = 3
reduce = ["mean", { Histogram = [0.0, 0.01, 0.02, 0.5], of = "upper" }]
along = "ensemble"
random = { density = { normal = ["1e26 m^-3", "1e24 m^-3"] }, "decay.rate" = { uniform = ["1e3 s^-1", "3e3 s^-1"] } }
"""
    text = sweep_file(here, more=more).read_text()
    Path("sweep.toml").write_text("\n".join(line for line in text.splitlines() if not line.startswith('"decay.rate"')))
    assert main(["sweep", "sweep.toml", "-o", "out"]) == 0
    draws = [jr.normal("density", 1e26, 1e24), jr.uniform("decay.rate", 1e3, 3e3)]
    bins = jr.Histogram([0.0, 0.01, 0.02, 0.5], of="upper")
    wanted = jr.sweep(
        BENCH,
        {"pump.rate": OVER["pump.rate"]},
        random=draws,
        ensembles=500,
        seed=3,
        reduce=["mean", bins],
        along="ensemble",
    )
    equal(jr.open("out").load(), wanted)
    assert (here / "out" / "plots" / "upper_mean.png").exists()


def test_one_axis_is_a_curve_and_draws_are_a_histogram(tmp_path: Path):
    ds = jr.sweep(BENCH, random=jr.uniform("pump.rate", 1, 100), ensembles=200)
    assert set(pictures(ds, tmp_path)) == {tmp_path / "upper.png"}
    assert pictures(jr.sweep(BENCH, {"pump.rate": [3.0]}), tmp_path) == {}


def test_progress_is_a_line_a_minute_where_there_is_no_terminal(capsys: Any, monkeypatch: Any):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    with lines(1000) as advance:
        for _ in range(10):
            clock[0] += INTERVAL / 4
            advance(50)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "200/1.00k" in said[0].replace(" ", "")


# What is refused: an exit code, a message that helps, and nothing written.


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("over.pump.rat = [1]", ["`pump.rat`", "`pump.rate`"]),
        (
            'over.pump.rate = {along="run", values=[1,2]}|over.decay.rate = {along="run", values=[1,2,3]}',
            ["2 and 3", "run"],
        ),
        ("over.pump.rate = []", ["pump.rate", "at least one"]),
        ('over.pump.rate = ["1 m"]', ["pump.rate", "1 m"]),
        ("ovr = 1", ["`ovr`", "`over`"]),
        ("experiment.observables.upper = {Population='uper'}", ["uper", "upper"]),
        ("ensembles = 5|random.pump.rate={uniform=[1,2]}", ["pump.rate", "over"]),
        ("ensembles = 0|over={}|random.pump.rate={uniform=[1,2]}", ["ensembles", "0"]),
        ("precision = float16", ["precision", "float16"]),
        ("model = nd-yga", ["nd-yga", "nd-yag"]),
    ],
)
def test_bad_files_are_refused(here: Path, capsys: Any, change: str, words: list[str]):
    sets = [text for each in change.split("|") for text in ("--set", each.replace(" = ", "=", 1))]
    assert main(["sweep", "sweep.toml", "-o", "out", *sets]) == 2
    said = capsys.readouterr().err
    assert not [word for word in words if word not in said], said
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sweep"], ["-o DIR", "--resume DIR"]),
        (["sweep", "sweep.toml"], ["-o DIR"]),
        (["sweep", "nowhere.toml", "-o", "out"], ["nowhere.toml"]),
        (["sweep", "--resume", "nowhere"], ["no directory `nowhere`"]),
        (["sweep", "sweep.toml", "--resume", "out"], ["leave out FILE"]),
        (["sweep", "--resume", "out", "--dry-run"], ["leave out --dry-run"]),
        (["sweep", "--resume", "."], ["not the store of a sweep", "plan.json"]),
        (["sweep", "sweep.toml", "-o", "."], ["not the store of a sweep", "directory of its own"]),
        (["sweep", "sweep.toml", "-o", "sweep.toml"], ["not the store of a sweep"]),
        (["sweep", "sweep.toml", "-o", "out", "--engine", "slrm"], ["`slrm`", "`slurm`"]),
        (["sweep", "sweep.toml", "-o", "out", "--engine", "slurm-alloc"], ["srun"]),
        (["sweep", "sweep.toml", "-o", "out", "--workers", "4"], ["--engine slurm"]),
        (["sweep", "sweep.toml", "-o", "out", "--unit-size", "0"], ["whole number", "'0'"]),
        (["status", "."], ["not the store of a sweep"]),
        (["verify", "nowhere"], ["no directory `nowhere`"]),
    ],
)
def test_bad_commands_are_refused(here: Path, capsys: Any, arguments: list[str], words: list[str]):
    before = sorted(here.rglob("*"))
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert not [word for word in words if word not in said], said
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize("engine", ["dask:tcp://127.0.0.1:9", "slurm"])
def test_an_engine_that_is_not_installed_is_refused(here: Path, capsys: Any, monkeypatch: Any, engine: str):
    kept = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] in ("distributed", "dask", "dask_jobqueue"):
            raise ImportError(f"No module named '{name}'")
        return kept(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert main(["sweep", "sweep.toml", "-o", "out", "--engine", engine]) == 2
    assert "jaxrate[cluster]" in capsys.readouterr().err
    assert not (here / "out").exists()


def test_a_path_that_cannot_be_written_is_refused(here: Path, capsys: Any):
    disk = here / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("A read-only disk can be mounted only by root, and not in every container.")
    try:
        assert main(["sweep", "sweep.toml", "-o", "disk/out"]) == 2
        assert "Read-only file system" in capsys.readouterr().err
        assert main(["sweep", "sweep.toml", "-o", "disk/out", "--dry-run"]) == 2
        assert "disk: Read-only file system" in capsys.readouterr().err
    finally:
        subprocess.run(["umount", disk], check=True)


def test_units_of_a_store_stay_as_they_are(here: Path, capsys: Any):
    assert main(["sweep", "sweep.toml", "-o", "out", "--unit-size", "300"]) == 0
    assert main(["sweep", "sweep.toml", "-o", "out", "--unit-size", "300"]) == 0
    assert main(["sweep", "sweep.toml", "-o", "out", "--unit-size", "500"]) == 2
    assert "units of 250 ensembles" in capsys.readouterr().err


def test_what_no_file_can_hold_is_refused_by_name(tmp_path: Path):
    bench = jr.Experiment(BENCH.model, jr.Steady(), {"mine": lambda solution: solution["upper"]})
    with pytest.raises(ValueError, match="`mine` is a Python function"):
        jr.sweep(bench, {"pump.rate": [1.0]}, store=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [{"engine": "slurm"}, {"unit_size": 10}])
def test_options_of_stores_need_a_store(options: dict[str, Any]):
    with pytest.raises(ValueError, match=r"give `store` too"):
        jr.sweep(BENCH, {"pump.rate": np.ones(3)}, **options)


def test_a_changed_plan_is_refused(here: Path, capsys: Any):
    main(["sweep", "sweep.toml", "-o", "out"])
    plan = here / "out" / "plan.json"
    plan.write_text(plan.read_text().replace("100.0", "101.0", 1))
    assert main(["sweep", "--resume", "out"]) == 2
    assert "was changed" in capsys.readouterr().err
    plan.write_text("{")
    assert main(["status", "out"]) == 2
    assert "is damaged" in capsys.readouterr().err
