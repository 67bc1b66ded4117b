"""An experiment as a file states it: model, observables and path in time, read and written exactly."""

import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from jaxrate import observe
from jaxrate.amplifier_file import amplifier_table, load_amplifier, read_amplifier
from jaxrate.experiment import Experiment
from jaxrate.model.files import AMPLIFIER, from_toml, list_media, load_model, media, model_file, to_toml
from jaxrate.model.model import Model
from jaxrate.names import shown, unknown
from jaxrate.network.network import Network
from jaxrate.observe import Observable
from jaxrate.propagate.amplifier import Amplifier
from jaxrate.solve.drive import Drive, Segments
from jaxrate.solve.drive_table import FORMS, drive_table, is_driven, is_value, read_driven
from jaxrate.solve.pulse import Pulse
from jaxrate.solve.steady import Steady
from jaxrate.solve.transient import Evolve
from jaxrate.units import to_frequency, to_si

SOLVERS = ("evolve", "steady", AMPLIFIER)
"""Keys that say how an experiment is solved; at most one of them is stated."""
EXPERIMENT_KEYS = ("observables", *SOLVERS)
TOLERANCES = ("rtol", "atol", "max_steps")
EVOLVE_KEYS = ("start", "drive", *TOLERANCES, "classes")
STEADY_KEYS = ("start", "classes")
RANGE_KEYS = ("start", "stop", "num", "spacing")

_OBSERVABLES = (
    *(observe.AbsorbedPump, observe.BranchingRatio, observe.CrossSection, observe.DecayTime, observe.Fluorescence),
    *(observe.Gain, observe.GainOverLoss, observe.Inversion, observe.Lifetime, observe.NetPower, observe.OutputPower),
    *(observe.Population, observe.DisturbanceGrowth, observe.RelaxationDamping, observe.RelaxationOscillation),
    *(observe.SaturationIntensity, observe.ThermalEmission),
    *(observe.ASESpectrum, observe.ChannelGain, observe.ChannelPower, observe.NoiseFigure, observe.PowerConversion),
)
OBSERVABLES: dict[str, type[Observable]] = {cls.__name__: cls for cls in _OBSERVABLES}

Stated = tuple[type[Observable], dict[str, Any]]
"""Class of an observable, and its arguments by name."""


class StatementError(ValueError):
    """What a file states and cannot be read, or what a file cannot state: says where, and what to write instead."""


def find_model(target: str) -> Model:
    """A model file, or a medium that ships with jaxrate.

    Raises:
        FileNotFoundError: neither (the nearest is named, and the media are listed).
        ValueError: a directory, or a file that is no model.
    """
    return load_model(model_file(target))


def read_model(given: Any, folder: Path) -> Model:
    """A model in the file itself, in one beside it, or a medium that ships.

    Args:
        given: A medium's name, the path of a model file, or the table that such a file holds.
        folder: Where the file is that states it.

    Raises:
        OSError: the model file cannot be read.
        ValueError: it is none of the three, or no model.
    """
    if isinstance(given, dict):
        return from_toml(tomli_w.dumps(given))
    if not isinstance(given, str):
        raise StatementError(f"`model` must be a medium's name or a model file, but {shown(given)} was given.")
    ships = given in list_media() and not (folder / given).exists()
    return media(given) if ships else find_model(str(folder / given))


def model_table(model: Model) -> dict[str, Any]:
    """The table that `read_model` reads as an equal model.

    Raises:
        ValueError: a rate is a Python function, which no file can hold (it is named).
    """
    return tomllib.loads(to_toml(model))


def read_experiment(given: Any, model: Model, where: str = "[experiment]", folder: Path = Path()) -> Experiment:
    """The experiment that a table states by itself, without a table of measured numbers.

    Args:
        given: `observables`, and `evolve` with `times` where it is a path in time, or `steady` with a `start` or
            with `classes`, or an `amplifier`.
        model: The medium.
        where: The table's place, for messages.
        folder: Where the file is that states it: a model file that it names is there.

    Raises:
        StatementError: an unknown key or observable (the nearest is named), a wrong type or unit, or what the
            model refuses.
    """
    given = as_table(given, where)
    check_keys(EXPERIMENT_KEYS, given, where)
    observables = read_observables(given.get("observables", {}), where)
    steady, amplifier = read_steady(given, where), read_light(given, where, folder)
    evolve = read_evolve(given["evolve"], f"{where} `evolve`", timed=True) if "evolve" in given else None
    try:
        solver = amplifier or (Steady(**steady) if evolve is None else Evolve(**evolve))
        return Experiment(model, solver, {name: cls(**arguments) for name, (cls, arguments) in observables.items()})
    except ValueError as error:
        raise StatementError(f"{where}: {error}") from error


def read_light(given: Mapping[str, Any], where: str, folder: Path) -> Amplifier | None:
    """The amplifier of an experiment, as a table or by the name of the medium or file that states it; None without.

    Raises:
        OSError: the model file cannot be read.
        ValueError: it is neither, or no amplifier.
    """
    _check_one_solver(given, where)
    if AMPLIFIER not in given:
        return None
    stated = given[AMPLIFIER]
    if not isinstance(stated, str):
        return read_amplifier(as_table(stated, f"{where} `{AMPLIFIER}`"), f"{where} `{AMPLIFIER}`")
    ships = stated in list_media() and not (folder / stated).exists()
    return load_amplifier(stated if ships else folder / stated)


def _check_one_solver(given: Mapping[str, Any], where: str) -> None:
    if len(stated := [key for key in SOLVERS if key in given]) > 1:
        raise StatementError(f"{where}: state `{'` or `'.join(stated)}`, not both.")


def experiment_table(experiment: Experiment) -> dict[str, Any]:
    """The table that `read_experiment` reads as an equal experiment: text, SI numbers, lists and tables.

    Raises:
        StatementError: an observable or a solver that is not jaxrate's own, or a start that no file can hold.
    """
    observables = {name: _observable_table(name, o) for name, o in experiment.observables.items()}
    solver = experiment.solver
    if type(solver) is Steady:
        start = {} if solver.start is None else {"start": _start_table(solver.start)}
        steady = start | _classes_table(solver)
        return {"observables": observables, **({"steady": steady} if steady else {})}
    if type(solver) is Evolve:
        return {"observables": observables, "evolve": _evolve_table(solver, experiment.network)}
    if type(solver) is Amplifier:
        return {"observables": observables, AMPLIFIER: amplifier_table(solver)}
    own = "jr.Steady(), jr.Evolve(times) or jr.Amplifier(length, channels)"
    raise StatementError(f"The solver is a `{type(solver).__name__}`, which a file cannot hold: use {own}.")


def read_observables(given: Any, where: str, later: str | None = None) -> dict[str, Stated]:
    """Observables by name, from tables such as { Gain = "laser" }: class, then its arguments.

    Args:
        given: The table of them.
        where: The place of the table around it, for messages.
        later: Text that stands for frequencies which somebody else supplies; it is kept as it is.

    Raises:
        StatementError: an unknown observable or argument (the nearest is named), a wrong type, or none at all.
    """
    observables = as_table(given, f"{where} observables")
    if not observables:
        raise StatementError(
            f'{where} must have observables, for example observables = {{ gain = {{ Gain = "laser" }} }}.'
        )
    return {name: _observable(o, f"{where} `{name}`", later) for name, o in observables.items()}


def _observable(given: Any, where: str, later: str | None) -> Stated:
    """Its class, and its arguments by name: the class is a key too, and its value the first argument."""
    given = as_table(given, f'{where}, for example {{ Gain = "laser" }},')
    kind = next((key for key in given if key in OBSERVABLES), next(iter(given), ""))
    if kind not in OBSERVABLES:
        raise StatementError(f"{where}: {unknown('kind of observable', kind, OBSERVABLES)}")
    first, others = _arguments(OBSERVABLES[kind])
    rest = {key: value for key, value in given.items() if key != kind}
    check_keys(others, rest, f"{where} ({kind})")
    if first is None and given[kind] is not True:
        raise StatementError(f"{where}: write {{ {kind} = true }}, but {kind} = {shown(given[kind])} was given.")
    for key, value in (given if first else rest).items():
        _check_argument(key, value, where)
    named = {first: given[kind]} if first else {}
    return OBSERVABLES[kind], named | {k: _frequencies(v, later) if k == "frequency" else v for k, v in rest.items()}


def _check_argument(key: str, value: Any, where: str) -> None:
    """Names are text, an energy may be a number; what else is a number is checked where it is read."""
    if key == "energy" and (isinstance(value, bool) or not isinstance(value, str | int | float)):
        raise StatementError(f"{where}: `energy` must be an energy such as '1.5 eV', but {shown(value)} was given.")
    if key not in ("frequency", "energy", "direction") and not isinstance(value, str):
        raise StatementError(f"{where}: `{key}` must be a name, but {shown(value)} was given.")


def _arguments(cls: type[Observable]) -> tuple[str | None, list[str]]:
    """The argument that stands behind the class, None where there is none, and the others."""
    names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
    return next(iter(names), None), names[1:]


def _frequencies(given: Any, later: str | None) -> Any:
    """Frequencies [Hz], or that they come later."""
    if later is not None and given == later:
        return given
    each = [to_frequency(value, "frequency") for value in (given if isinstance(given, list) else [given])]
    return each if isinstance(given, list) else each[0]


def _observable_table(name: str, observable: Any) -> dict[str, Any]:
    kind = type(observable).__name__
    if type(observable) is not OBSERVABLES.get(kind):
        what = f"a `{kind}` of your own" if isinstance(observable, Observable) else "a Python function"
        own = ", ".join(f"`{known}`" for known in OBSERVABLES)
        raise StatementError(f"`{name}` is {what}, which a file cannot hold: use observables of jaxrate ({own}).")
    first, others = _arguments(type(observable))
    rest = {key: getattr(observable, key) for key in others}
    stated = {key: list(x) if isinstance(x, tuple) else x for key, x in rest.items() if x is not None}
    return {kind: getattr(observable, first) if first else True, **stated}


def read_evolve(given: Any, where: str, *, timed: bool) -> dict[str, Any]:
    """Arguments of `jr.Evolve`.

    Args:
        given: `start`, `drive` and tolerances, and `times` if they are stated here: a list, or { start, stop, num,
            spacing }.
        where: The place of the table, for messages.
        timed: Whether the times are stated here.

    Raises:
        StatementError: an unknown key (the nearest is named), a wrong type or unit, or no times where they must be.
    """
    given = as_table(given, f'{where}, for example {{ start = {{ "4F3/2" = 1.0 }} }},')
    check_keys(("times", *EVOLVE_KEYS) if timed else EVOLVE_KEYS, given, where)
    found: dict[str, Any] = {"times": _times(given.get("times"), where)} if timed else {}
    if "start" in given:
        found["start"] = _start(given["start"], where)
    if "drive" in given:
        drives = dotted(as_table(given["drive"], f"{where} `drive`"), is_value)
        found["drive"] = {name: _driven(name, stated, where) for name, stated in drives.items()}
    if "atol" in given:
        as_table(given["atol"], f"{where} `atol`")
    return found | {key: given[key] for key in (*TOLERANCES, "classes") if key in given}


def read_steady(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Arguments of `jr.Steady`, by name."""
    if "steady" not in given:
        return {}
    _check_one_solver(given, where)
    place = f"{where} `steady`"
    stated = as_table(given["steady"], f'{place}, for example {{ start = "cold" }},')
    check_keys(STEADY_KEYS, stated, place)
    start = {"start": _start(stated["start"], place, ("cold", "hot"))} if "start" in stated else {}
    return start | {key: stated[key] for key in ("classes",) if key in stated}


def read_steady_start(given: Mapping[str, Any], where: str) -> Any:
    """Where the search of a steady state starts; None where it is not stated.

    Raises:
        StatementError: other arguments of `jr.Steady` are stated, which whoever asks for the start alone would lose.
    """
    stated = read_steady(given, where)
    check_keys(("start",), stated, f"{where} `steady`")
    return stated.get("start")


def _times(given: Any, where: str) -> Any:
    if isinstance(given, list):
        return given
    if not isinstance(given, dict):
        forms = '[0, "1 us", 1e-3], or a table such as { start = 0, stop = "1 ms", num = 101 }'
        raise StatementError(f"{where} must have `times`, such as {forms}{but_given(given)}.")
    check_keys(RANGE_KEYS, given, f"{where} `times`")
    return read_range(given, lambda time: _time(time, where), f"{where} `times`", "lin")


def _time(given: Any, where: str) -> float:
    try:
        return to_si(None if isinstance(given, list) else given, "s", "times")
    except ValueError as error:
        raise StatementError(f"{where}: {error}") from error


def but_given(given: Any) -> str:
    """The end of a message: what was given, where anything was."""
    return "" if given is None else f", but {shown(given)} was given"


def read_range(given: Mapping[str, Any], read: Callable[[Any], float], where: str, spacing: str) -> np.ndarray:
    """Values from `start` to `stop`, `num` of them.

    Args:
        given: With the keys `RANGE_KEYS`.
        read: Reads an end in SI units.
        where: The place of the table, for messages.
        spacing: "lin" or "log", where the table does not say.

    Raises:
        StatementError: an end is missing or infinite, too few values, or a logarithmic range that reaches zero.
    """
    for key in RANGE_KEYS[:3]:
        if key not in given:
            raise StatementError(f"{where} must have `{key}`, for example {{ start = 1, stop = 1e4, num = 100 }}.")
    start, stop = read(given["start"]), read(given["stop"])
    num, spacing = given["num"], given.get("spacing", spacing)
    if type(num) is not int or num < 2:
        raise StatementError(f"{where}: `num` must be a whole number from 2 on, but {shown(num)} was given.")
    if spacing not in ("lin", "log"):
        raise StatementError(f'{where}: `spacing` must be "lin" or "log", but {shown(spacing)} was given.')
    if not (isfinite(start) and isfinite(stop)):
        raise StatementError(f"{where}: `start` and `stop` must be finite, but {start:g} and {stop:g} were given.")
    if spacing == "log" and min(start, stop) <= 0:
        raise StatementError(f'{where}: a logarithmic range must be positive; for this one write spacing = "lin".')
    return np.linspace(start, stop, num) if spacing == "lin" else np.geomspace(start, stop, num)


def _start(given: Any, where: str, named: tuple[str, ...] = ("ground",)) -> Any:
    numbers = isinstance(given, dict) and all(type(x) in (int, float) for x in given.values())
    if given not in named and not numbers:
        forms = ", ".join(f'"{name}"' for name in named)
        form = f'start must be {forms} or fractions of levels such as {{ "4F3/2" = 1.0 }}'
        raise StatementError(f"{where}: {form}, but {shown(given)} was given.")
    return given


def _driven(name: str, given: Any, where: str) -> Segments | Pulse:
    if not is_driven(given):
        raise StatementError(f"{where}: the drive of `{name}` must be {FORMS}, but {shown(given)} was given.")
    try:
        return read_driven(given)
    except ValueError as error:
        raise StatementError(f"{where}, drive of `{name}`: {error}") from error


def _evolve_table(solver: Evolve, network: Network) -> dict[str, Any]:
    assert isinstance(solver.drive, tuple)
    drive = {"drive": _drive_table(solver.drive, network)} if solver.drive else {}
    stated = {key: getattr(solver, key) for key in TOLERANCES if getattr(solver, key) != getattr(Evolve, key)}
    if "atol" in stated:
        stated["atol"] = dict(stated["atol"])
    times, classes = np.asarray(solver.times).tolist(), _classes_table(solver)
    return {"times": times, "start": _start_table(solver.start), **drive, **stated, **classes}


def _classes_table(solver: Steady | Evolve) -> dict[str, Any]:
    return {} if solver.classes is None else {"classes": int(solver.classes)}


def _start_table(start: Any) -> Any:
    if isinstance(start, str):
        return start
    if isinstance(start, Mapping) and not any(map(np.ndim, start.values())):
        return {name: float(x) for name, x in start.items()}
    what = "has an array" if isinstance(start, Mapping) else f"is a {type(start).__name__}"
    raise StatementError(
        f"`start` {what}, which a file cannot hold: write 'ground', or fractions of levels such as {{'4F3/2': 1.0}}, "
        "from which all ensembles start."
    )


def _drive_table(drive: Drive, network: Network) -> dict[str, Any]:
    try:
        return drive_table(drive, network)
    except ValueError as error:
        raise StatementError(str(error)) from error


def check_keys(known: Collection[str], given: Mapping[str, Any], where: str) -> None:
    """Refuse a key that is not known."""
    for key in given:
        if key not in known:
            raise StatementError(unknown("key", key, known, where))


def as_table(value: Any, where: str) -> dict[str, Any]:
    """Refuse what is no table."""
    if not isinstance(value, dict):
        raise StatementError(f"{where} must be a table, but {shown(value)} was given.")
    return value


def _is_expr(_: str, value: dict[str, Any]) -> bool:
    return set(value) == {"expr"}


def dotted(
    table: dict[str, Any], is_value: Callable[[str, dict[str, Any]], bool] = _is_expr, before: str = ""
) -> dict[str, Any]:
    """Values by dotted name: TOML reads `laser.B = 1` as a table `laser`.

    Args:
        table: Values, and tables of them.
        is_value: Whether a table of that dotted name is a value itself.
        before: What comes before the names.

    Raises:
        StatementError: a name that is there twice, once in quotes and once without.
    """
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{before}{key}"
        nested = isinstance(value, dict) and not is_value(name, value)
        new = dotted(value, is_value, f"{name}.") if nested else {name: value}
        if twice := found.keys() & new.keys():
            raise StatementError(f"`{min(twice)}` is there twice, in quotes and without: state it once.")
        found |= new
    return found
