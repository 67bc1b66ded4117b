"""Lasers and masers: what `jaxrate solve` says and draws of a model with a cavity."""

from collections.abc import Mapping
from math import isfinite
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from jaxrate.cli import results, timing
from jaxrate.cli.readings import Readings, cavities, table, words
from jaxrate.cli.transient import ground
from jaxrate.experiment import Experiment
from jaxrate.expr import Expr
from jaxrate.laser import power_curve
from jaxrate.model.fields import Beam, Cavity, driven_lines
from jaxrate.model.model import Model
from jaxrate.model.processes import Pump
from jaxrate.observe.laser import OutputPower
from jaxrate.plot import power_curve as draw_power_curve
from jaxrate.plot import turn_on as draw_turn_on
from jaxrate.solve.solution import Solution
from jaxrate.solve.status import Status
from jaxrate.solve.steady import Steady
from jaxrate.solve.transient import evolve
from jaxrate.unit_text import pretty

POINTS = 201
"""Of a power curve."""
BEYOND = 1.5
"""How far a power curve goes, times the stated pump or twice the threshold."""
MOMENTS = 2001
"""Of a turn-on: spikes and ringing need more than populations that relax."""
BEFORE = 201
"""Of these before the first light."""
SETTLED = 0.02
"""What the photons may still miss their steady number by when the picture ends."""
RINGS = 20
"""Periods of the relaxation oscillation that a picture shows at most."""


def pump_parameter(model: Model) -> str | None:
    """What pumps a laser: the parameter whose threshold is expected, else the rate of the first `Pump` that is stated.

    Where that rate is an expression, the first of the user's own parameters in it; without a `Pump` the intensity of
    the first beam that is on no line of a cavity. None where nothing of this kind is stated.
    """
    known = model.parameters()
    for candidate in (*_expected(model), *_pumps(model), *_beams(model)):
        if candidate in known:
            return candidate
    return None


def strength(model: Model, of: str) -> str:
    """The parameter that a process is varied by, or the parameter of that name."""
    names = [p.name for p in model.parameter_list]
    return next((name for name in (of, f"{of}.rate", f"{of}.intensity") if name in names), of)


def _expected(model: Model) -> list[str]:
    return [strength(model, e.of) for e in model.expected if e.quantity == "threshold"]


def _pumps(model: Model) -> list[str]:
    rules, own, found = model.derived(), [name for name, _ in model.parameters_], []
    for pump in (p for p in model.processes if isinstance(p, Pump)):
        rule = rules.get(f"{pump.label}.rate")
        found += [name for name in rule.names if name in own] if isinstance(rule, Expr) else [f"{pump.label}.rate"]
    return found


def _beams(model: Model) -> list[str]:
    lasing = {line for cavity in cavities(model) for line in cavity.couples}
    beams = [p for p in model.processes if isinstance(p, Beam) and not lasing & {*driven_lines(p)}]
    return [f"{beam.label}.intensity" for beam in beams]


def curves(model: Model, readings: Readings, fixed: Mapping[str, float]) -> dict[str, xr.Dataset]:
    """Power curve of each cavity over what pumps it; its threshold and slope become readings."""
    pump, found = pump_parameter(model), {}
    for cavity in cavities(model) if pump is not None else ():
        assert pump is not None
        others = {name: value for name, value in fixed.items() if name != pump}
        own = fixed.get(pump, model.parameters()[pump])
        curve = power_curve(model, pump, _values(own), others, cavity=cavity.label)
        found[cavity.label] = curve
        _add(readings, pump, curve, {**others, pump: own})
    return found


def _values(own: float) -> np.ndarray:
    """Evenly from far below to above the stated value, which is one of them."""
    step = BEYOND / (POINTS - 1)
    return (own or 1.0) * np.union1d(step * np.arange(1, POINTS), 1.0)


def _add(readings: Readings, pump: str, curve: xr.Dataset, at: Mapping[str, float]) -> None:
    """Threshold and slope, by the process that the pump parameter belongs to, or by the parameter itself."""
    unit, cavity, own = str(curve[pump].attrs["units"]), str(curve.attrs["cavity"]), at[pump] or 1.0
    of = _owner(readings.model, pump)
    readings.add("threshold", of, float(curve.threshold), unit)
    if "slope_efficiency" in curve:
        readings.add("slope_efficiency", of, float(curve.slope_efficiency.sel({pump: own}, method="nearest")), "1")
        return
    bench = Experiment(readings.model, Steady("hot"), {"output": OutputPower(cavity)})
    slope = bench.jacobian({**at, pump: own}, wrt=[pump])["output"][pump]
    readings.add("slope_efficiency", of, float(slope), f"W/{unit}" if unit.isalpha() else f"W/({unit})")


def _owner(model: Model, parameter: str) -> str:
    """The process that a parameter belongs to; of the user's own parameters the parameter."""
    label = parameter.rpartition(".")[0]
    return label if label in [process.label for process in model.processes] else parameter


def laser_tables(readings: Readings, fixed: Mapping[str, float]) -> str:
    """What laser people ask for, of every cavity at the stated pump."""
    pump = pump_parameter(readings.model)
    return "\n\n".join(_laser_table(readings, cavity, pump, fixed) for cavity in cavities(readings.model))


def _laser_table(readings: Readings, cavity: Cavity, pump: str | None, fixed: Mapping[str, float]) -> str:
    rows = [] if pump is None else _of_pump(readings, pump, fixed)
    names = ("photon_lifetime", "output_power", "relaxation_frequency", "relaxation_damping")
    rows += [(words(name), text) for name in names if (text := readings.text(name, cavity.label))]
    if not isfinite(readings.values.get(("relaxation_frequency", cavity.label), float("nan"))):
        rows.append((words("relaxation_frequency"), "none: the photons settle without ringing"))
    return f"  Cavity {cavity.label}\n{table([(f'  {name}', text) for name, text in rows])}"


def _of_pump(readings: Readings, pump: str, fixed: Mapping[str, float]) -> list[tuple[str, str]]:
    model, of = readings.model, _owner(readings.model, pump)
    unit, own = readings.units["threshold", of], fixed.get(pump, model.parameters()[pump])
    threshold = readings.values["threshold", of]
    times = f", {own / threshold:.4g} times threshold" if isfinite(threshold) and threshold > 0 else ""
    per = "of absorbed power" if readings.units["slope_efficiency", of] == "1" else ""
    rows = [(pump, f"{pretty(own, unit)}{times}"), (f"threshold of {pump}", readings.text("threshold", of) or "none")]
    slope = readings.text("slope_efficiency", of)
    return [*rows, *([("slope efficiency", f"{slope} {per}".strip())] if slope else [])]


def pictures(
    model: Model, readings: Readings, fixed: Mapping[str, float], found: Mapping[str, xr.Dataset], directory: Path
) -> dict[Path, str]:
    """Power curves and the turn-on, as PNG."""
    files = {}
    for label, curve in found.items():
        path = directory / f"power-curve{_suffix(label, found)}.png"
        results.save_figure(draw_power_curve(curve), path)
        files[path] = f"output power of {label} over {curve.output_power.dims[0]}"
    return files | _turn_on(model, readings, fixed, directory)


def _suffix(label: str, found: Mapping[str, xr.Dataset]) -> str:
    return f"-{'-'.join(label.replace('/', '_').split())}" if len(found) > 1 else ""


def _turn_on(model: Model, readings: Readings, fixed: Mapping[str, float], directory: Path) -> dict[Path, str]:
    """From the ground state and the dark, when the pump is switched on."""
    if readings.status != Status.OK:
        return _no_picture(readings.status.message)
    start, rate = ground_and_dark(model), float(timing.losses(model, fixed).max())
    long = timing.ladder(model, fixed, start, rate, MOMENTS)
    if long.status != Status.OK:
        return _no_picture(Status(int(long.status)).message)
    labels = [cavity.label for cavity in cavities(model)]
    ends = [_ends(readings, label, long) for label in labels]
    first, last = min(on for on, _ in ends), max(end for _, end in ends)
    if not last:
        return _no_picture("nothing changes from the ground state on")
    path = evolve(model, fixed, _moments(first, last), start=start)
    figure = Figure(figsize=(6.4, 3.2 * len(labels)), dpi=150, layout="constrained")
    for i, label in enumerate(labels):
        draw_turn_on(path, label, ax=figure.add_subplot(len(labels), 1, i + 1))
    file = directory / "turn-on.png"
    results.save_figure(figure, file)
    return {file: "photons and populations after the pump is switched on"}


def ground_and_dark(model: Model) -> dict[str, float]:
    """All atoms in the level of least energy of their species, or in the first; nothing else."""
    return dict.fromkeys(ground(model).values(), 1.0)


def _moments(first: float, last: float) -> np.ndarray:
    """Few times until shortly before the first light, many from there on."""
    early = 0.85 * min(first, last)  # the first spike may fall between two times of the ladder, the second be found
    if not early:
        return np.linspace(0.0, last, MOMENTS)
    return np.concatenate([np.linspace(0.0, early, BEFORE)[:-1], np.linspace(early, last, MOMENTS - BEFORE + 1)])


def _ends(readings: Readings, label: str, long: Solution) -> tuple[float, float]:
    """When photons begin to multiply, and when they have settled or have rung often enough."""
    place = readings.model.position(label)
    settled = float(timing.settling(long, SETTLED)[place])
    bright = np.asarray(long.populations[place])
    # Between spikes a laser is dark, yet never as dark as before: half way in decades tells the two apart.
    begin, on = (float(long.times[np.argmax(bright > x)]) for x in (np.sqrt(bright[-1]), bright[-1] / 2))
    frequency = readings.values.get(("relaxation_frequency", label), float("nan"))
    return begin, min(settled, on + RINGS / frequency) if isfinite(frequency) and frequency > 0 else settled


def _no_picture(why: str) -> dict[Path, str]:
    print(f"\nNo turn-on: {why}.")
    return {}
