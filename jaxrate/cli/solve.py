"""`jaxrate solve`: the steady state of a model at its own parameters, the way there and from there, and a sweep."""

import argparse
import textwrap
from collections.abc import Mapping
from math import ceil, floor, isfinite, log10
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from jaxrate.amplifier_file import states_amplifier
from jaxrate.cli import amplifiers, results
from jaxrate.cli.arguments import read_over, read_set
from jaxrate.cli.decay import decay
from jaxrate.cli.demo import describe_transparency
from jaxrate.cli.lasers import curves as power_curves
from jaxrate.cli.lasers import laser_tables
from jaxrate.cli.lasers import pictures as laser_pictures
from jaxrate.cli.programs import set_up_jax
from jaxrate.cli.readings import Readings, cavities, expected_table, line_tables, lines, state_table, words
from jaxrate.cli.transient import transient
from jaxrate.cli.transparency import is_pumped
from jaxrate.experiment import Experiment
from jaxrate.experiment_file import find_model
from jaxrate.model.fields import Beam, driven_lines
from jaxrate.model.model import Model
from jaxrate.model.processes import Pump, Radiative
from jaxrate.observe import Gain, Inversion, Observable, Population
from jaxrate.observe.laser import OutputPower
from jaxrate.plot import curves
from jaxrate.plot import map as draw_map
from jaxrate.solve.status import Status
from jaxrate.solve.steady import Steady

POINTS = 1000
"""Values along an axis that nobody asked for."""
WIDTH = 110
"""Of printed sentences."""
SAME = 1e-9
"""Relative difference over a whole sweep that is none."""
BELOW, ABOVE = 4, 2
"""Decades on both sides of the value that such an axis is laid around."""


def run(arguments: argparse.Namespace) -> int:
    """Print the steady state, sweep, and write what came out."""
    set_up_jax()
    model = find_model(arguments.target)
    if states_amplifier(arguments.target):
        return amplifiers.run(arguments, model)
    fixed, over = read_set(arguments.set, model), read_over(arguments.over, model)
    readings = Readings(model, fixed)
    if cavities(model):
        files = _laser(model, readings, fixed, arguments.output)
    else:
        _print_state(model, readings, fixed)
        files = transient(model, fixed, arguments.output) | decay(model, readings, fixed, arguments.output)
    axes = over or ({} if cavities(model) else default_axes(model, readings, fixed))
    if axes:
        arguments.output.mkdir(parents=True, exist_ok=True)
        files |= _sweep(model, readings, {**fixed, **axes}, arguments.output)
    if files:
        results.announce(files)
    return 0


def _laser(model: Model, readings: Readings, fixed: dict[str, float], directory: Path) -> dict[Path, str]:
    """A laser or a maser: its own figures and pictures; a sweep is for whoever asks for one."""
    found = power_curves(model, readings, fixed)
    _print_state(model, readings, fixed)
    return laser_pictures(model, readings, fixed, found, directory)


def _print_state(model: Model, readings: Readings, fixed: Mapping[str, float]) -> None:
    print(f"{model.name or 'Model'}: steady state{' with ' + ', '.join(fixed) + ' as given' if fixed else ''}\n")
    if readings.status != Status.OK:
        print(f"  No result: {readings.status}.\n")
    print(state_table(readings))
    if cavities(model):
        print(f"\n{laser_tables(readings, fixed)}")
    if lines(model):
        print(f"\n{line_tables(readings)}")
    for (of, why), quantities in _refused(readings).items():
        text = f"{' and '.join(quantities)} of {of} {'is' if len(quantities) == 1 else 'are'} not computed: {why}"
        print(f"\n{textwrap.fill(text, WIDTH, initial_indent='  ', subsequent_indent='    ')}")
    if model.expected:
        print(f"\nComputed from the model, beside what was published:\n{expected_table(readings)}")
    if not cavities(model):  # of a laser the threshold is asked for
        _print_transparency(model, readings, dict(fixed))


def _refused(readings: Readings) -> dict[tuple[str, str], list[str]]:
    """Quantities that cannot be read, by what they are of and why."""
    found: dict[tuple[str, str], list[str]] = {}
    for (quantity, of), why in readings.refused.items():
        found.setdefault((of, why), []).append(quantity.replace("_", " "))
    return found


def _print_transparency(model: Model, readings: Readings, fixed: dict[str, float]) -> None:
    pumps = [name for name in results.pump_and_signal(model) if not _drives_all(model, name)]
    if not pumps or pumps[0] in fixed:
        return
    pump, gains = pumps[0], [line for line in lines(model) if ("gain", line.label) in readings.values]
    found = [line.label for line in gains if _reaches(model, pump, line) and not _drives(model, pump, line.label)]
    found = [line for line in found if is_pumped(model, line, pump, fixed)]
    if found:
        print("\n" + "\n".join(describe_transparency(model, line, pump, fixed) for line in found))


def _reaches(model: Model, parameter: str, line: Radiative) -> bool:
    """Whether what a parameter drives are atoms of the line's species."""
    process = model.process(parameter.rpartition(".")[0])
    moved = [model.radiative(label) for label in driven_lines(process)] or [process]
    return model.ends(line)[0].species in {model.ends(p)[0].species for p in moved}


def _drives(model: Model, parameter: str, line: str) -> bool:
    """Whether a parameter is the intensity of light on a line."""
    beams = [p for p in model.processes if isinstance(p, Beam) and f"{p.label}.intensity" == parameter]
    return any(line in driven_lines(beam) for beam in beams)


def _drives_all(model: Model, parameter: str) -> bool:
    return all(_drives(model, parameter, line.label) for line in lines(model))


def default_axes(model: Model, readings: Readings, fixed: Mapping[str, float]) -> dict[str, np.ndarray]:
    """The first pump and the first beam of a model, decades around their stated value or saturation."""
    names = [name for name in results.pump_and_signal(model) if name not in fixed]
    return {name: _around(_middle(model, readings, name)) for name in names}


def _middle(model: Model, readings: Readings, name: str) -> float:
    process = model.process(name.rpartition(".")[0])
    if isinstance(process, Pump):
        return model.parameters()[name] or 100.0
    saturation = [readings.values.get(("saturation_intensity", line), float("nan")) for line in driven_lines(process)]
    return next((s for s in saturation if isfinite(s) and s > 0), 1e6)


def _around(value: float) -> np.ndarray:
    """Six decades around a value, from one power of ten to another."""
    return np.geomspace(10.0 ** (floor(log10(value)) - BELOW), 10.0 ** (ceil(log10(value)) + ABOVE), POINTS)


def _sweep(model: Model, readings: Readings, over: dict, directory: Path) -> dict[Path, str]:
    observables = _observables(model, readings)
    varied = {name: values for name, values in over.items() if np.ndim(values)}
    count = np.prod([len(values) for values in varied.values()])
    print(f"\nSweep over {' and '.join(varied)}: {count:,} ensembles; {results.machine()}.")
    ds, seconds = results.timed(Experiment(model, Steady(), observables), over)
    print(f"{results.speed(ds, seconds)}, compilation included")
    files = _pictures(ds, len(varied), directory)
    numbers = directory / "gain.zarr"
    results.save_dataset(ds, numbers)
    return {**files, numbers: f'the numbers: xarray.open_zarr("{numbers}")'}


def _observables(model: Model, readings: Readings) -> dict[str, Observable]:
    """What is kept of every ensemble, by names that zarr can hold."""
    own = model.level_names
    kept = [key for key in readings.values if key[0] in MAKE and (key[0] != "population" or key[1] in own)]
    found = {_name(q, of): (q, of) for q, of in kept}
    single = {q for q in MAKE if sum(kind == q for kind, _ in found.values()) == 1 and q != "population"}
    return {q if q in single else name: MAKE[q](of) for name, (q, of) in found.items()}


MAKE = {"output_power": OutputPower, "gain": Gain, "inversion": Inversion, "population": Population}


def _name(quantity: str, of: str) -> str:
    return f"{quantity}_{of}".replace("/", "_")


def _pictures(ds: xr.Dataset, num_axes: int, directory: Path) -> dict[Path, str]:
    """A map of each gain over two axes, curves over one; more axes are for whoever opens the numbers."""
    groups = [[str(n) for n in ds.data_vars if str(n).startswith(q)] for q in MAKE]
    shown = [names for names in groups if names]
    if num_axes == 1:
        path = directory / "curves.png"
        results.save_figure(_panels(ds, shown), path)
        drawn = [words(q) for q, names in zip(MAKE, groups, strict=True) if names]
        return {path: f"{', '.join(drawn)} over {ds[shown[0][0]].dims[0]}"}
    if num_axes == 2:
        return _maps(ds, shown[0], directory)
    print("No picture: that needs one axis or two.")
    return {}


def _panels(ds: xr.Dataset, groups: list[list[str]]) -> Figure:
    figure = Figure(figsize=(6.0, 2.8 * len(groups)), dpi=150, layout="constrained")
    for i, names in enumerate(groups):
        curves(ds, names if len(names) > 1 else names[0], ax=figure.add_subplot(len(groups), 1, i + 1))
    return figure


def _maps(ds: xr.Dataset, names: list[str], directory: Path) -> dict[Path, str]:
    files = {}
    for name in (n for n in names if _varies(ds[n])):
        stem = name.replace("_", "-", 1) if len(names) > 1 else name
        path = directory / f"{'-'.join(stem.split())}-map.png"
        results.save_figure(draw_map(ds, name), path)
        files[path] = f"map of the {ds[name].attrs['long_name']}"
    return files


def _varies(values: xr.DataArray) -> bool:
    """Whether a quantity depends on what is swept: one of atoms that the swept light does not touch needs no map."""
    return float(values.max() - values.min()) > SAME * float(np.abs(values).max())
