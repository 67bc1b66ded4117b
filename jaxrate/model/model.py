"""The statement of a medium: levels, processes and the numbers of both."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from jaxrate.constants import h
from jaxrate.model.consistency import check_model
from jaxrate.model.expected import Expected as Expected
from jaxrate.model.fields import Cavity
from jaxrate.model.levels import Level, Reservoir
from jaxrate.model.processes import Process, Radiative, sides
from jaxrate.model.quantities import Parameter, Quantity, is_rule, light_frequency, parameter, plain, several
from jaxrate.names import shown, unknown
from jaxrate.units import read_any, to_si

Named = tuple[tuple[str, Quantity], ...]


@dataclass(frozen=True, init=False)
class Model:
    """A gain medium, stated once. Models of the same statement are equal, and of equal hash.

    Args:
        levels: The levels. Their order is the order of populations in every result. None where the model is made of
            reservoirs and cavities.
        processes: `Radiative`, `Decay`, `Pump`, `Collision`, `EnergyTransfer`, `Exchange`, `Beam`, `Blackbody`,
            `Cavity`, `StimulatedGain`.
        density: Density of the atoms [m^-3], or one for each species: {"Yb": "1e26 m^-3", "Er": "1e25 m^-3"}.
        temperature: Of the medium [K]: collisions, Doppler widths, McCumber's relation.
        parameters: Further named numbers, for expressions: {"wall.rate": "0.9 s^-1"}. Their unit is kept; they
            are used in SI. An expression may also name populations: levels by their full name (a fraction of their
            species), reservoirs (a density in m^-3) and cavities (a number of photons). One that is named as a physical
            constant is, such as e or k, is written in backquotes there.
        name, source: For people.
        expected: Published figures that the model must reproduce.
        reservoirs: Populations without a level, `jr.Reservoir("carriers", unit="m^-3")`; they come after the levels.

    Raises:
        ValueError: whatever cannot be meant, with what to write instead.
    """

    levels: tuple[Level, ...]
    processes: tuple[Process, ...]
    density: Quantity | Named | None
    temperature: Quantity | None
    parameters_: Named
    name: str
    source: str
    expected: tuple[Expected, ...]
    reservoirs: tuple[Reservoir, ...]

    def __init__(
        self,
        levels: Iterable[Level],
        processes: Iterable[Process] = (),
        density: Quantity | Mapping[str, Quantity] | None = None,
        temperature: Quantity | None = None,
        parameters: Mapping[str, Quantity] | None = None,
        name: str = "",
        source: str = "",
        expected: Iterable[Expected] = (),
        reservoirs: Iterable[Reservoir] = (),
    ) -> None:
        given = {
            "levels": _list("levels", levels),
            "processes": _list("processes", processes),
            "temperature": plain("temperature", temperature),
            "parameters_": _named("parameters", {} if parameters is None else parameters),
            "name": name,
            "source": source,
            "expected": _list("expected", expected),
            "reservoirs": _list("reservoirs", reservoirs),
        }
        for key, value in given.items():
            object.__setattr__(self, key, value)
        object.__setattr__(self, "density", _density(density, self.levels))
        check_model(self)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, field.name) for field in fields(self)))

    def __getstate__(self) -> dict[str, Any]:
        # What is cached stays behind: the hash of a text is another one in every process.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def species(self) -> tuple[str | None, ...]:
        """The species, in the order their levels are stated; (None,) where none is named."""
        return tuple(dict.fromkeys(level.species for level in self.levels))

    @cached_property
    def level_names(self) -> tuple[str, ...]:
        """Full names of the levels, in the order stated."""
        return tuple(level.full_name for level in self.levels)

    @cached_property
    def population_names(self) -> tuple[str, ...]:
        """Names of all populations: full names of the levels, then reservoirs, then cavities, whose photons count."""
        cavities = (p.label for p in self.processes if isinstance(p, Cavity))
        return (*self.level_names, *(reservoir.name for reservoir in self.reservoirs), *cavities)

    def index(self, name: str, where: str = "") -> int:
        """Position of a level by its full name, or by its name alone while that is unique."""
        found = [i for i, full in enumerate(self.level_names) if full == name]
        found = found or [i for i, level in enumerate(self.levels) if level.name == name]
        if len(found) > 1:
            choices = " or ".join(f"`{self.level_names[i]}`" for i in found)
            raise ValueError(f"{_owner(where)}`{name}` is a level of several species; write {choices}.")
        if not found:
            raise ValueError(_owner(where) + unknown("level", name, self.level_names))
        return found[0]

    def position(self, name: str, where: str = "") -> int:
        """Position of a population: all levels, then the reservoirs, then the photons of the cavities."""
        others = self.population_names[len(self.levels) :]
        if name in others:
            return len(self.levels) + others.index(name)
        if not others or name in self.level_names or any(name == level.name for level in self.levels):
            return self.index(name, where)
        raise ValueError(_owner(where) + unknown("level, reservoir or cavity", name, self.population_names))

    def process(self, label: str, where: str = "") -> Process:
        """The process of that label."""
        return _labelled(self.processes, label, "process", where)

    def radiative(self, label: str, where: str = "") -> Radiative:
        """The radiative line of that label."""
        return _labelled([p for p in self.processes if isinstance(p, Radiative)], label, "Radiative", where)

    def ends(self, process: Process) -> tuple[Level, Level]:
        """The two levels of a process "a -> b"."""
        (left,), (right,) = sides(process.label, getattr(process, "reaction", None))
        return self.levels[self.index(left, process.label)], self.levels[self.index(right, process.label)]

    def joins_levels(self, process: Process) -> bool:
        """Whether it leads from one level to another: not light, not a transfer, and no reservoir takes part."""
        left, right = process.sides
        return len(left) == len(right) == 1 and max(map(self.position, left + right)) < len(self.levels)

    def line_frequency(self, line: Radiative) -> float:
        """Frequency of line centre [Hz]: stated, else the peak of a measured spectrum, else from the energies."""
        stated = light_frequency(line.label, line.frequency, line.wavelength)
        measured = line.emission or line.absorption
        if stated is not None:
            return stated
        return self._energy_frequency(line) if measured is None else measured.si.peak_frequency

    def _energy_frequency(self, line: Radiative) -> float:
        upper, lower = self.ends(line)
        if upper.joules is None or lower.joules is None or upper.joules == lower.joules:
            raise ValueError(f"`{line.label}`: state `wavelength` or `frequency`, or different energies of its levels.")
        return (upper.joules - lower.joules) / h

    def gap(self, process: Process) -> float:
        """Energy between the lowest sublevels of its two levels [J]; that of line centre if not stated."""
        upper, lower = self.ends(process)
        if upper.joules is not None and lower.joules is not None:
            return upper.joules - lower.joules
        if isinstance(process, Radiative):
            return h * self.line_frequency(process)
        without = " and ".join(f"`{level.name}`" for level in (upper, lower) if level.joules is None)
        raise ValueError(f"`{process.label}` obeys detailed balance: state the `energy` of {without}.")

    def need_temperature(self, why: str) -> None:
        """Refuse a model without a temperature, saying what needs it."""
        if self.temperature is None:
            raise ValueError(f"State the model's `temperature`, for example '300 K': {why} needs it.")

    def temperature_kelvin(self, why: str) -> float:
        """The stated temperature [K], or an error that says what needs it as a number."""
        self.need_temperature(why)
        if is_rule(self.temperature):
            raise ValueError(f"The model's `temperature` must be a number, for example '300 K': {why} needs it.")
        return float(to_si(self.temperature, "K", "temperature"))

    @cached_property
    def parameter_list(self) -> tuple[Parameter, ...]:
        """Every parameter with unit, domain and source, in the order stated."""
        own = [*_model_parameters(self), *(_user_parameter(*named, self.source) for named in self.parameters_)]
        return tuple([*own, *(p for process in self.processes for p in process.parameters(self))])

    def parameters(self) -> dict[str, float]:
        """The named parameters in SI units, as floats: axes of a sweep, free names of a fit, keys of a gradient.

        Numbers given by an expression or a function are not in it: they follow from the others.
        """
        return {p.name: p.value for p in self.parameter_list if isinstance(p.value, float)}

    def derived(self) -> dict[str, Any]:
        """Parameters given by an expression or a Python function of the others."""
        return {p.name: p.value for p in self.parameter_list if is_rule(p.value)}

    def replace(self, **changes: Any) -> "Model":
        """The same model with some arguments of its statement changed."""
        given = self.__getstate__()
        given["parameters"] = dict(given.pop("parameters_"))
        if isinstance(self.density, tuple):
            given["density"] = dict(self.density)
        return Model(**(given | changes))

    def with_process(self, process: Process) -> "Model":
        """The same model with one more process, or with that of the same label exchanged."""
        by_label = {p.label: p for p in self.processes} | {process.label: process}
        return self.replace(processes=by_label.values())

    def save(self, path: str | Path) -> None:
        """Write it as TOML; `jr.load_model` reads back an equal model.

        Raises:
            ValueError: a rate is a Python function, which no file can hold (it is named).
        """
        from jaxrate.model.files import to_toml

        Path(path).write_text(to_toml(self), encoding="utf-8", newline="\n")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the statement, the same in every process; equal models have equal ones.

        Raises:
            ValueError: a rate is a Python function, of which there is no such thing (it is named).
        """
        from jaxrate.model.files import as_table

        return hashlib.sha256(json.dumps(_floats(as_table(self))).encode()).hexdigest()

    def __str__(self) -> str:
        from jaxrate.model.show import show

        return show(self)


def _owner(where: str) -> str:
    return f"`{where}`: " if where else ""


def _labelled(processes: Any, label: str, kind: str, where: str) -> Any:
    for process in processes:
        if process.label == label:
            return process
    raise ValueError(_owner(where) + unknown(kind, label, [p.label for p in processes]))


def _list(name: str, given: Any) -> tuple:
    found = several(given)
    if found is None:
        raise ValueError(f"`{name}` must be a list, but {shown(given)} was given.")
    return found


def _named(name: str, given: Any) -> Named:
    if not isinstance(given, Mapping):
        raise ValueError(f"`{name}` must be a dictionary of values by name, but {shown(given)} was given.")
    return tuple((key, plain(f"{name}.{key}", value)) for key, value in given.items())


def _density(given: Any, levels: Iterable[Any]) -> Any:
    """A density as stated; of several species in the order of their levels."""
    if not isinstance(given, Mapping):
        return plain("density", given)
    order = [getattr(level, "species", None) for level in levels]
    return tuple(sorted(_named("density", given), key=lambda s: order.index(s[0]) if s[0] in order else len(order)))


def _model_parameters(model: Model) -> list[Parameter]:
    given, source = model.density, model.source
    densities = [(f"density.{s}", v) for s, v in given] if isinstance(given, tuple) else [("density", given)]
    found = [parameter(name, value, "m^-3", source=source) for name, value in densities if value is not None]
    if model.temperature is None:
        return found
    return [*found, parameter("temperature", model.temperature, "K", "positive", source)]


def _user_parameter(name: str, given: Quantity, source: str) -> Parameter:
    if is_rule(given):
        return parameter(name, given, "", "finite", source)
    value, unit = read_any(given, name)
    return parameter(name, given, unit, "finite", source, si=float(value))


def _floats(table: Any) -> Any:
    """A table with every number as a float, so that 4 and 4.0 are written alike."""
    if isinstance(table, dict):
        return {key: _floats(value) for key, value in table.items()}
    if isinstance(table, list):
        return [_floats(value) for value in table]
    return float(table) if isinstance(table, int) else table
