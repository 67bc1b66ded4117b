"""`jaxrate` without a command: a million ensembles of Nd:YAG, beside published values, and a fit of its B."""

import argparse
from math import isfinite
from pathlib import Path

import numpy as np
import xarray as xr

from jaxrate.cli import results
from jaxrate.cli.arguments import read_over
from jaxrate.cli.demo_fit import demonstrate
from jaxrate.cli.programs import set_up_jax
from jaxrate.cli.readings import Readings, expected_table, line_table, lines
from jaxrate.cli.transparency import transparency
from jaxrate.experiment import Experiment
from jaxrate.model.files import media
from jaxrate.model.model import Model
from jaxrate.observe import Gain
from jaxrate.plot import map as draw_map
from jaxrate.solve.steady import Steady
from jaxrate.unit_text import pretty

MEDIUM = "nd-yag"
RANGES = (np.geomspace(1e-2, 1e4, 1000), np.geomspace(1e3, 1e9, 1000))
"""Pump rates [s^-1] around the turn from absorption to gain, signal intensities [W m^-2] around saturation."""


def run(arguments: argparse.Namespace) -> int:
    """The demonstration."""
    set_up_jax()
    model = media(MEDIUM)
    line = lines(model)[0].label
    axes = _axes(model, read_over(arguments.over, model))
    arguments.output.mkdir(parents=True, exist_ok=True)
    _introduce(model, line, axes)
    ds = _solve(Experiment(model, Steady(), {"gain": Gain(line)}), axes)
    _report(model, line, next(iter(axes)))
    fit = demonstrate(MEDIUM, model, line, arguments.seed, arguments.output / "fit")
    results.announce(_written(ds, arguments.output) | fit)
    return 0


def _axes(model: Model, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    own = dict(zip(results.pump_and_signal(model), RANGES, strict=True))
    for name in given:
        if name not in own:
            raise ValueError(
                f"The demonstration is over {' and '.join(f'`{n}`' for n in own)}; for `{name}` run "
                f"`jaxrate solve {MEDIUM} --over {name}=...`."
            )
    return own | given


def _introduce(model: Model, line: str, axes: dict[str, np.ndarray]) -> None:
    units = {p.name: p.unit for p in model.parameter_list}
    size = " x ".join(f"{len(values)}" for values in axes.values())
    print(f"{model.name}: the gain of `{line}` in the steady state of {len(model.levels)} levels, for every pair of")
    for name, x in axes.items():
        print(f"  {name:<18} {len(x)} values from {pretty(x[0], units[name])} to {pretty(x[-1], units[name])}")
    print(
        f"{size} = {np.prod([len(x) for x in axes.values()]):,} ensembles, each solved exactly; {results.machine()}.\n"
    )


def _solve(bench: Experiment, over: dict) -> xr.Dataset:
    ds, seconds = results.timed(bench, over)
    print(f"first run   {results.speed(ds, seconds)} (compiles the program)")
    ds, seconds = results.timed(bench, over, progress=False)
    print(f"second run  {results.speed(ds, seconds)}\n")
    return ds


def _report(model: Model, line: str, pump: str) -> None:
    readings = Readings(model, {})
    print(describe_transparency(model, line, pump, {}))
    print("\nComputed from the model, beside what was published:")
    print(expected_table(readings))
    print(f"  Sources: `jaxrate show {MEDIUM}`.")
    print("\nAt the stated parameters:")
    print(line_table(readings, model.radiative(line)))


def describe_transparency(model: Model, line: str, pump: str, fixed: dict[str, float]) -> str:
    """Where the medium turns from absorbing to amplifying, in words."""
    root = transparency(model, line, pump, fixed)
    if root == 0:
        return f"Without a signal `{line}` amplifies however small {pump} is: it has no transparency."
    if not isfinite(root):
        return f"Without a signal `{line}` does not turn from absorbing to amplifying over {pump}."
    unit = {p.name: p.unit for p in model.parameter_list}[pump]
    return f"Transparency of `{line}` at {pump} = {pretty(root, unit)}: it absorbs below and amplifies above."


def _written(ds: xr.Dataset, directory: Path) -> dict[Path, str]:
    """Write the map and the numbers; what was written."""
    picture, numbers = directory / "gain-map.png", directory / "gain.zarr"
    results.save_figure(draw_map(ds, "gain"), picture)
    results.save_dataset(ds, numbers)
    return {picture: "the gain map", numbers: f'the numbers: xarray.open_zarr("{numbers}")'}
