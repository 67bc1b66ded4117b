"""`jaxrate solve` of a model with an `[amplifier]`: gain, noise and conversion, powers along z, spectra, a sweep."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from jaxrate.amplifier_file import amplifier_figures, load_amplifier
from jaxrate.cli import results
from jaxrate.cli.amplifier_tables import (
    FIGURES,
    channel_table,
    conversion_table,
    end_table,
    groups,
    noise_table,
    signals,
)
from jaxrate.cli.arguments import read_over, read_set
from jaxrate.cli.readings import Readings, expected_table
from jaxrate.experiment import Experiment
from jaxrate.model.channels import ASE
from jaxrate.model.derived import known_values
from jaxrate.model.model import Model
from jaxrate.network.compile import compile_network
from jaxrate.observe import ASESpectrum, ChannelGain, ChannelPower, Observable
from jaxrate.plot import ase_spectrum, channel_gain, gain_curve, noise_curve, powers_along, spectra_over
from jaxrate.plot import curves as draw_curves
from jaxrate.plot import map as draw_map
from jaxrate.propagate.amplifier import Amplifier, amplify
from jaxrate.solve.solution import Solution
from jaxrate.solve.status import Status
from jaxrate.unit_text import pretty

OF_PUMP = np.linspace(0.05, 1.5, 30)
"""Pump powers of the curves, times the stated one."""
OF_SIGNAL = np.geomspace(1e-2, 1e6, 33)
"""Signal powers of the curves of an amplifier without a pump, times the stated one."""


def run(arguments: argparse.Namespace, model: Model) -> int:
    """Print what an amplifier does, draw it, and sweep where axes are given."""
    amplifier = load_amplifier(arguments.target)
    stated = amplifier.stated(model)
    fixed, over = read_set(arguments.set, stated), read_over(arguments.over, stated)
    with np.errstate(divide="ignore", invalid="ignore"):  # what is launched with no power has no gain
        files = _told(arguments, model, amplifier, fixed)
        if over:
            files |= _sweep(model, amplifier, {**fixed, **over}, over, arguments.output)
    if files:
        results.announce(files)
    return 0


def _told(
    arguments: argparse.Namespace, model: Model, amplifier: Amplifier, fixed: Mapping[str, float]
) -> dict[Path, str]:
    """What is printed, and what is drawn where there is a result."""
    whole, against = solved(model, amplifier, fixed)
    solution = _member(whole, 0)
    _print(arguments.target, model, amplifier, solution, fixed)
    if solution.status != Status.OK:
        return {}
    return _pictures(solution, _member(whole, slice(1, None)), against, arguments.output)


def solved(model: Model, amplifier: Amplifier, fixed: Mapping[str, float]) -> tuple[Solution, str | None]:
    """The amplifier as it is stated and, behind it, at other powers of a pump or of the first signal: one program."""
    network = compile_network(amplifier.stated(model))
    amplifier.check(network)
    given = network.spread(fixed)
    amplifier.check_names(network, given)
    plain, against = {**network.model.parameters(), **given}, _varied(amplifier)
    names = [] if against is None else [n for n in network.spread({against: 0.0}) if plain.get(n, 0.0) > 0]
    factors = np.concatenate([[1.0], OF_PUMP if against and "pump" in against.lower() else OF_SIGNAL])
    alone = next(iter(plain))  # without a power to vary the batch has one member
    varied = {name: plain[name] * factors for name in names} or {alone: np.full(1, plain[alone])}
    return amplify(model, amplifier, {**given, **varied}), against if names else None


def _varied(amplifier: Amplifier) -> str | None:
    """The power that curves are drawn over: that of the first pump, else of the first channels."""
    labels = [group.label for group in amplifier.channels if not isinstance(group, ASE)]
    named = [label for label in labels if "pump" in label.lower()]
    return next((f"{label}.power" for label in (*named, *labels)), None)


def _member(batch: Solution, k: Any) -> Solution:
    """One or several ensembles of a batch of one axis."""
    size = len(batch.status)
    parameters = {n: v[k] if np.shape(v) == (size,) else v for n, v in batch.parameters.items()}
    light = replace(batch.light, powers=batch.light.powers[..., k])
    found = {"populations": batch.populations[..., k], "status": batch.status[k]}
    return replace(batch, parameters=parameters, light=light, **found)


def _print(target: str, model: Model, amplifier: Amplifier, solution: Solution, fixed: Mapping[str, float]) -> None:
    given = {name: value for name, value in solution.parameters.items() if np.ndim(value) == 0}
    length = known_values(solution.model, given)["length"]
    as_given = f" with {', '.join(fixed)} as given" if fixed else ""
    print(f"{model.name or 'Model'}: light along {pretty(length, 'm')}{as_given}\n")
    status = Status(int(solution.status))
    print(f"  method  {solution.method}")
    print(f"  status  {'found' if status == Status.OK else f'no result: {status.message}'}")
    print(f"  error   {_error(amplifier, solution)}\n")
    if status != Status.OK:
        return
    print(channel_table(solution))
    for text in (noise_table(solution) if groups(solution, ASE) else "", conversion_table(solution)):
        print(f"\n{text}" if text else "", end="\n" if text else "")
    print(f"\n{end_table(solution, length)}")
    _print_expected(target, model, solution, fixed)


def _error(amplifier: Amplifier, solution: Solution) -> str:
    closed = solution.method.startswith("closed")
    return "rounding alone" if closed else f"of output powers, at most {amplifier.rtol:g} of each (rtol)"


def _print_expected(target: str, model: Model, solution: Solution, fixed: Mapping[str, float]) -> None:
    """Published figures of the medium, and of the amplifier as it is stated."""
    figures = amplifier_figures(target)
    if not figures and not model.expected:
        return
    own = model.parameters()
    readings = Readings(model, {name: value for name, value in fixed.items() if name in own})
    for figure in figures:
        readings.add(figure.quantity, figure.of, FIGURES[figure.quantity](solution, figure.of), figure.unit)
    print(f"\nComputed from the model, beside what was published:\n{expected_table(readings, figures)}")


def _pictures(solution: Solution, batch: Solution, against: str | None, directory: Path) -> dict[Path, str]:
    """Powers along z, gain over wavelength, spectra of noise, and curves over the pump, as PNG."""
    drawn = {"powers": (powers_along(solution), "powers along the amplifier")}
    for label in _lists(solution):
        drawn[_file("gain", label)] = (channel_gain(solution, label), f"gain of {label}, channel by channel")
    for label in groups(solution, ASE):
        drawn[_file("spectrum", label)] = (ase_spectrum(solution, label), f"spectra of {label} that leave both ends")
    files = _saved(drawn, directory)
    return files if against is None else files | _curves(solution, batch, against, directory)


def _lists(solution: Solution) -> list[str]:
    rays = solution.light.rays
    return [label for label in signals(solution) if len(rays.of(label)) > 1]


def _file(what: str, label: str) -> str:
    return f"{what}-{'-'.join(label.replace('/', '_').split())}"


def _curves(solution: Solution, batch: Solution, against: str, directory: Path) -> dict[Path, str]:
    """Over the power that was varied: gain; where there is no signal noise; and how spectra change."""
    drawn, over = {}, against.replace(".", "-")
    if signals(solution):
        drawn[f"gain-over-{over}"] = (gain_curve(batch, against), f"gain over {against}")
    noises = groups(solution, ASE)
    for label in noises:
        drawn[f"{label}-over-{over}"] = (
            noise_curve(batch, label, against),
            f"power and width of {label} over {against}",
        )
    for label in _lists(solution) or noises:
        drawn[f"{_file('spectra', label)}-over-{over}"] = (
            spectra_over(batch, label, against),
            f"how the spectrum of {label} changes with {against}",
        )
    return _saved(drawn, directory)


def _saved(drawn: Mapping[str, tuple[Any, str]], directory: Path) -> dict[Path, str]:
    files = {}
    for name, (ax, what) in drawn.items():
        results.save_figure(ax, directory / f"{name}.png")
        files[directory / f"{name}.png"] = what
    return files


def _sweep(model: Model, amplifier: Amplifier, given: dict, over: Mapping, directory: Path) -> dict[Path, str]:
    """Gain and output of every channel, and the spectra of noise, over the axes that were asked for."""
    experiment = Experiment(model, amplifier, _observables(amplifier))
    count = int(np.prod([len(values) for values in over.values()]))
    print(f"\nSweep over {' and '.join(over)}: {count:,} amplifiers; {results.machine()}.")
    ds, seconds = results.timed(experiment, given)
    print(f"{results.speed(ds, seconds)}, compilation included")
    _say_failures(ds)
    files = _pictures_over(ds, list(over), directory)
    numbers = directory / "amplifier.zarr"
    results.save_dataset(ds, numbers)
    return {**files, numbers: f'the numbers: xarray.open_zarr("{numbers}")'}


def _observables(amplifier: Amplifier) -> dict[str, Observable]:
    """What is kept of every amplifier, by names that zarr can hold."""
    found: dict[str, Observable] = {}
    for group in amplifier.channels:
        name = group.label.replace("/", "_")
        if isinstance(group, ASE):
            found |= {
                f"spectrum_{name}_{'forward' if w > 0 else 'backward'}": ASESpectrum(group.label, w) for w in (1, -1)
            }
        else:
            found |= {f"gain_{name}": ChannelGain(group.label), f"output_power_{name}": ChannelPower(group.label)}
    return found


def _say_failures(ds: xr.Dataset) -> None:
    for code, count in zip(*np.unique(ds.status, return_counts=True), strict=True):
        if code:
            print(f"  {count} without a result: {Status(int(code)).message}")


def _pictures_over(ds: xr.Dataset, axes: list[str], directory: Path) -> dict[Path, str]:
    """Gains over one axis or two; of a list of channels that in the middle."""
    gains = [str(name) for name in ds.data_vars if str(name).startswith("gain_") and "pump" not in str(name).lower()]
    if len(axes) > 2 or not gains:
        print("No picture: that needs one axis or two, and a signal.")
        return {}
    middle = {name: _of_middle(ds[name], axes) for name in gains}
    if len(axes) == 2:
        return _saved(
            {f"{n.replace('_', '-')}-map": (draw_map(a), f"map of {a.name}") for n, a in middle.items()}, directory
        )
    figure = Figure(figsize=(6.0, 2.8 * len(gains)), dpi=150, layout="constrained")
    for i, array in enumerate(middle.values()):
        draw_curves(array, ax=figure.add_subplot(len(gains), 1, i + 1))
    return _saved({"curves": (figure, f"gain over {axes[0]}")}, directory)


def _of_middle(array: xr.DataArray, axes: list[str]) -> xr.DataArray:
    beside = [dim for dim in array.dims if dim not in axes]
    return array.isel({dim: array.sizes[dim] // 2 for dim in beside}, drop=True)
