"""Sweeps in stores that several tests share, and programs that are killed while they run one."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import jaxrate as jr
from tests.tolerance import same

MODEL = jr.Model(
    levels=[jr.Level("ground", g=2), jr.Level("upper", g=4)],
    processes=[
        jr.Pump("pump", "ground -> upper", rate="100 s^-1"),
        jr.Decay("decay", "upper -> ground", rate="2900 s^-1"),
    ],
    density="1e26 m^-3",
    name="two levels",
)
BENCH = jr.Experiment(MODEL, jr.Steady(), {"upper": jr.Population("upper")})
OVER = {"pump.rate": np.geomspace(1.0, 1e5, 40), "decay.rate": np.geomspace(1e2, 1e4, 25)}
UNIT = 50
"""Ensembles in a unit: 20 units."""

SWEEP = """
model = "{model}"
{more}
[experiment.observables]
upper = {{ Population = "upper" }}
[over]
"pump.rate" = {{ start = "1 s^-1", stop = "1e5 s^-1", num = {rows} }}
"decay.rate" = {{ start = "100 s^-1", stop = "1e4 s^-1", num = 25 }}
"""


def sweep_file(folder: Path, rows: int = 40, more: str = "") -> Path:
    """`OVER` as a sweep file, with its model beside it."""
    MODEL.save(folder / "model.toml")
    path = folder / "sweep.toml"
    path.write_text(SWEEP.format(model="model.toml", rows=rows, more=more))
    return path


@cache
def undisturbed() -> xr.Dataset:
    """What the sweep is in memory."""
    return jr.sweep(BENCH, OVER)


def equal(found: xr.Dataset, wanted: xr.Dataset) -> None:
    """Every variable and coordinate, to the bit."""
    assert set(found.variables) == set(wanted.variables)
    for name in wanted.variables:
        same(found[name], wanted[name], str(name))


def shell(folder: Path, *arguments: str, trouble: str = "") -> subprocess.Popen[str]:
    """Start `jaxrate ARGUMENTS`; `trouble` is "ACT POINT UNIT", see `main` below."""
    environment = {**os.environ, "TROUBLE": trouble}
    command = [sys.executable, "-m", "tests.stores", *arguments]
    root = Path(__file__).parents[1]
    environment["PYTHONPATH"] = str(root)
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, and what was printed."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


ACTS: dict[str, Callable[[], Any]] = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "term": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "usr1": lambda: os.kill(os.getpid(), signal.SIGUSR1),
    "int": lambda: os.kill(os.getpid(), signal.SIGINT),
}


def main() -> None:
    """`jaxrate`, but at one point of one unit something happens to this process."""
    from jaxrate.cli import main as jaxrate
    from jaxrate.sweep import chunks, engine, ledger
    from jaxrate.sweep.store import Store

    act, point, unit = [*os.environ["TROUBLE"].split(), "", "", "0"][:3]
    now = threading.local()
    happened: list[bool] = []

    def at(name: str, k: int) -> None:
        if name == point and k == int(unit) and not happened:
            happened.append(True)
            for each in act.split("+"):
                ACTS[each]()

    def compute(*arguments: Any, kept: Any = engine.compute) -> Any:
        if happened or act == "slow":
            time.sleep(0.2 if happened else 0.05)  # time for a signal to arrive, or for somebody to send one
        at("begin", arguments[2])
        found = kept(*arguments)
        at("computed", arguments[2])
        return found

    def commit(self: Store, k: int, found: Any, seconds: float, kept: Any = Store.commit) -> bool:
        now.unit = k
        return kept(self, k, found, seconds)

    def write_all(file: Any, data: Any, kept: Any = chunks._write_all) -> None:
        kept(file, data[: len(data) // 2])
        at("written", now.unit)
        kept(file, data[len(data) // 2 :])

    def write_entry(self: Any, entry: Any, kept: Any = ledger.Ledger.write) -> None:
        at("arrays", entry.unit)
        kept(self, entry)
        at("committed", entry.unit)

    def finish(self: Store, kept: Any = Store.finish) -> None:
        at("finish", 0)
        kept(self)

    def replace(self: Path, target: Any, kept: Any = Path.replace) -> Any:
        if Path(target).name == "plan.json" or Path(target).suffix == ".json":
            at("entry", int(Path(target).stem) if Path(target).stem.isdecimal() else -1)
        return kept(self, target)

    engine.compute, chunks._write_all, Path.replace = compute, write_all, replace
    Store.commit, Store.finish, ledger.Ledger.write = commit, finish, write_entry
    sys.exit(jaxrate())


if __name__ == "__main__":
    main()
