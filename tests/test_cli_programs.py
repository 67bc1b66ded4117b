"""The command line keeps compiled programs: for the next run, in a folder that nobody else can write into."""

import os
import subprocess
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxrate as jr
from jaxrate.cli import programs
from jaxrate.cli.programs import DAY, set_up_jax, tidy

STATED = "jax_compilation_cache_dir"
SWEEP = """
model = "two-level"
ensembles = 1000
reduce = ["mean", "max"]
experiment.observables = {upper = {Population = "2p"}, gain = {Gain = "Lyman alpha"}}
over = {"light.intensity" = {start = 1e3, stop = 1e6, num = 3}}
random = {density = {uniform = [1e13, 1e14]}}
"""
RUN = f"""
import sys
import jax
from jaxrate.cli import main
assert jax.config.{STATED} is None, "set by the import"
sys.exit(main())
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user without programs yet; JAX is as it was afterwards."""
    for name in (programs.WHERE, programs.SHORTEST):
        monkeypatch.setenv(name, "")  # so that it is set back, whoever sets it
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    names = [STATED, "jax_persistent_cache_min_compile_time_secs", "jax_enable_compilation_cache"]
    before = {name: jax.config.values[name] for name in names}
    jax.config.update(STATED, None)
    with warnings.catch_warnings():
        yield tmp_path
    for name, value in before.items():
        jax.config.update(name, value)


def kept() -> str | None:
    """Where JAX is told to keep programs."""
    return jax.config.values[STATED]


def sweep(directory: Path, environment: dict[str, str], out: str) -> dict[str, np.ndarray]:
    """What a sweep in a process of its own finds."""
    command = [sys.executable, "-c", RUN, "sweep", "sweep.toml", "-o", out]
    subprocess.run(command, cwd=directory, env=environment, check=True, capture_output=True)
    return {str(name): array.values for name, array in jr.open(directory / out).data_vars.items()}


@pytest.mark.long
def test_a_second_run_finds_every_program_and_gives_the_same_bits(tmp_path: Path):
    (tmp_path / "sweep.toml").write_text(SWEEP, encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if k not in (programs.WHERE, programs.SHORTEST)}
    environment["XDG_CACHE_HOME"] = str(tmp_path)
    first = sweep(tmp_path, environment, "first")
    folder = tmp_path / "jaxrate" / "compiled"
    names = {path.name for path in folder.iterdir()}
    assert sum(name.endswith("-cache") for name in names) >= 1
    assert folder.stat().st_mode & 0o777 == 0o700
    second = sweep(tmp_path, environment, "second")
    assert {path.name for path in folder.iterdir()} == names
    assert {name: values.tobytes() for name, values in second.items()} == {n: v.tobytes() for n, v in first.items()}


def test_other_processes_inherit_where_programs_are(home: Path):
    set_up_jax()
    assert kept() == os.environ[programs.WHERE] == str(home / "jaxrate" / "compiled")
    assert float(os.environ[programs.SHORTEST]) == jax.config.values["jax_persistent_cache_min_compile_time_secs"] == 0


@pytest.mark.parametrize("folder", ["jaxrate", "jaxrate/compiled"])
def test_a_folder_that_others_can_write_into_is_not_used(folder: str, home: Path, capsys: pytest.CaptureFixture[str]):
    (home / "jaxrate" / "compiled").mkdir(parents=True)
    (home / folder).chmod(0o775)
    set_up_jax()
    assert kept() is None
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"chmod go-w '{home / folder}'" in said
    assert programs.WHERE in said
    (home / folder).chmod(0o755)
    set_up_jax()
    assert kept() == str(home / "jaxrate" / "compiled")


def test_a_folder_of_somebody_else_is_not_used(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    other = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: other)
    set_up_jax()
    assert kept() is None
    assert "belongs to another user" in capsys.readouterr().err


def _a_file_in_the_way(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "jaxrate").write_text("")


def _read_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)


def _no_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", refuse)


@pytest.mark.parametrize("spoil", [_a_file_in_the_way, _read_only, _no_home])
def test_without_a_folder_nothing_is_said(
    spoil: Callable[[Path, pytest.MonkeyPatch], None],
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    spoil(home, monkeypatch)
    set_up_jax()
    assert kept() is None
    assert programs.WHERE not in os.environ
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("stated", ["/elsewhere", ""])
def test_the_users_own_folder_comes_first(stated: str, home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(programs.WHERE, stated)
    set_up_jax()
    assert (kept(), os.environ[programs.WHERE], list(home.iterdir())) == (None, stated, [])


def test_no_programs_are_kept_where_jax_is_told_so(home: Path):
    jax.config.update("jax_enable_compilation_cache", False)
    set_up_jax()
    assert (kept(), list(home.iterdir())) == (None, [])


def test_folders_of_the_user(home: Path, monkeypatch: pytest.MonkeyPatch):
    """A relative path in the variable counts for nothing, as its specification says."""
    monkeypatch.setattr(Path, "home", lambda: Path("/me"))
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setattr(sys, "platform", "linux")
    assert programs.cache_home() == Path("/me/.cache")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert programs.cache_home() == Path("/me/Library/Caches")


def written(path: Path, content: bytes, days: float) -> Path:
    """A file, last used some days ago."""
    path.write_bytes(content)
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def test_once_a_day_pieces_go_and_what_was_used_longest_ago(tmp_path: Path):
    whole = zlib.compress(bytes(1000)) + bytes(1000)
    old, older = (written(tmp_path / f"{days}-cache", whole, days) for days in (3, 4))
    tidy(tmp_path, limit=len(whole))
    assert (old.exists(), older.exists()) == (True, False)
    pieces = [written(tmp_path / f"{size}-cache", whole[:size], 0) for size in (0, 1, 10)]
    tidy(tmp_path, limit=0)
    assert all(path.exists() for path in (old, *pieces))
    written(tmp_path / "tidied", b"", 2)
    tidy(tmp_path)
    assert old.exists()
    assert not any(path.exists() for path in pieces)
