"""The demonstration's fit: simulated gains of a medium, and what they tell of the parameters that are known here."""

import textwrap
import time
from math import prod
from pathlib import Path

import numpy as np

from jaxrate.cli import results
from jaxrate.cli.fit import fitted, save
from jaxrate.cli.fit_file import read_fit
from jaxrate.cli.readings import table
from jaxrate.experiment import Experiment
from jaxrate.fit.result import FitResult
from jaxrate.model.model import Model
from jaxrate.observe import Gain
from jaxrate.solve.steady import Steady
from jaxrate.unit_text import pretty

WIDTH = 110
"""Of printed sentences."""
NOISE = 0.02
"""Of a gain, relative."""
POINTS = 30
RATES = np.geomspace(3.0, 3000.0, POINTS)
"""Pump rates [s^-1] of the gains without a signal."""
RATE, INTENSITIES = 300.0, np.geomspace(1e5, 3e8, POINTS)
"""Pump rate [s^-1] and signal intensities [W m^-2] of the gains that saturate."""
NUISANCE = "gain.scale"
STATEMENT = """\
model = "{medium}"
free = ["{line}.B", "density", "{nuisance}"]
num_starts = 64

[experiment]
observables = {{ gain = {{ Gain = "{line}" }} }}
data = "gain.csv"

[start]
"{line}.B" = "1e16 m^3 J^-1 s^-2"
density = "1e26 m^-3"
"""


def demonstrate(medium: str, model: Model, line: str, seed: int, directory: Path) -> dict[Path, str]:
    """Simulate, fit, and print what was found beside the truth; what was written."""
    directory.mkdir(parents=True, exist_ok=True)
    _simulate(model, line, seed, directory / "gain.csv")
    statement = directory / "fit.toml"
    statement.write_text(STATEMENT.format(medium=medium, line=line, nuisance=NUISANCE))
    _introduce(line, seed)
    file = read_fit(statement)
    start = time.perf_counter()
    found = fitted(file, file.tables([]), seed=seed)
    print(_compared(found, model.parameters() | {NUISANCE: 1.0}))
    print(f"  {_verdict(found)}")
    print(f"  {found.starts.num} starts and the profiles in {time.perf_counter() - start:.1f} s, compilation included.")
    return {statement: f"the fit as a file: jaxrate fit {statement} -o out"} | save(found, directory)


def _simulate(model: Model, line: str, seed: int, path: Path) -> None:
    """Write gains with noise, as if they were measured."""
    pump, signal = results.pump_and_signal(model)
    rates = np.concatenate([RATES, np.full(POINTS, RATE)])
    intensities = np.concatenate([np.zeros(POINTS), INTENSITIES])
    true = Experiment(model, Steady(), {"gain": Gain(line)})({pump: rates, signal: intensities})["gain"]
    noise = NOISE * np.abs(true)
    gains = true + noise * np.random.default_rng(seed).standard_normal(true.size)
    header = f"{pump} [s^-1],{signal} [W m^-2],gain [m^-1],gain.sigma [m^-1],dataset"
    names = ["small signal"] * POINTS + ["saturation"] * POINTS
    numbers = zip(rates, intensities, gains, noise, strict=True)
    rows = (",".join([*(f"{x:.6g}" for x in row), name]) for row, name in zip(numbers, names, strict=True))
    path.write_text("\n".join([header, *rows, ""]))


def _introduce(line: str, seed: int) -> None:
    text = (
        f"A fit: {2 * POINTS} gains of `{line}` are simulated with {100 * NOISE:g} % noise (seed {seed}), half of them "
        "without a signal at many pump rates, half at one pump rate under more and more signal. B, the density and the "
        f"calibration of the instrument (`{NUISANCE}`) then count as unknown:"
    )
    print(f"\n{textwrap.fill(text, WIDTH)}")


def _compared(found: FitResult, truth: dict[str, float]) -> str:
    """Truth, estimate and interval of every parameter and of every product that alone is determined."""
    rows = [("", "truth", "estimate", f"{100 * found.level:g} % interval", "")]
    for e in found.estimates:
        numbers = (e.value, e.lower, e.upper) if e.is_determined else ()
        rows.append((e.name, *_cells(truth[e.name], numbers, e.unit)))
    alone = {e.name for e in found.estimates}
    for c in (c for c in found.combinations if c.name not in alone):
        value = prod(truth.get(name, float("nan")) for name in c.name.split(" * "))
        rows.append((c.name, *_cells(value, (c.value, c.lower, c.upper), "")))
    return table(rows)


def _cells(truth: float, numbers: tuple[float, ...], unit: str) -> tuple[str, str, str, str]:
    if not numbers:
        return _short(truth, unit), "not determined", "", ""
    value, low, high = numbers
    inside = "holds the truth" if low <= truth <= high else "misses the truth"
    return _short(truth, unit), _short(value), f"{_short(low)} to {_short(high)}", inside


def _short(value: float, unit: str = "1") -> str:
    return pretty(float(f"{value:.4g}"), unit or "1")


def _verdict(found: FitResult) -> str:
    a = found.adequacy
    fits = f"chi2/dof = {a.chi2:.3g}/{a.dof}, p = {a.p_value:.2g}"
    lost = [f"`{e.name}`" for e in found.estimates if not e.is_determined]
    if not lost:
        return f"{fits}."
    return f"{fits}. These data cannot separate {' and '.join(lost)}: only their product is determined."
