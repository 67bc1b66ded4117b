"""The statement of a medium: levels, processes and the numbers of both."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jaxrate.constants import h
from jaxrate.expr import Expr
from jaxrate.model.fields import Beam, driven_lines
from jaxrate.model.levels import Level
from jaxrate.model.processes import Collision, Process, Radiative, sides
from jaxrate.model.quantities import Parameter, Quantity, parameter
from jaxrate.names import unknown
from jaxrate.units import read_any, to_frequency, to_si


@dataclass(frozen=True)
class Expected:
    """A published figure that a medium must reproduce.

    Args:
        quantity: "cross_section", "lifetime", "saturation_intensity", "threshold" ...
        of: The process or level it belongs to.
        value: Published value with its unit.
        tolerance: Relative tolerance that the source supports.
        source: Where it was published.
    """

    quantity: str
    of: str
    value: str | float
    tolerance: float
    source: str


@dataclass(frozen=True, init=False)
class Model:
    """A gain medium, stated once.

    Args:
        levels: The levels. Their order is the order of populations in every result.
        processes: `Radiative`, `Decay`, `Pump`, `Collision`, `EnergyTransfer`, `Beam`, `Blackbody`, `Cavity`.
        density: Density of the atoms [m^-3], or one for each species: {"Yb": "1e26 m^-3", "Er": "1e25 m^-3"}.
        temperature: Of the medium [K]: collisions, Doppler widths, McCumber's relation.
        parameters: Further named numbers, for expressions: {"wall.rate": "0.9 s^-1"}. Their unit is kept; they
            are used in SI.
        name, source: For people.
        expected: Published figures that the model must reproduce.

    Raises:
        ValueError: whatever cannot be meant, with what to write instead.
    """

    levels: tuple[Level, ...]
    processes: tuple[Process, ...] = ()
    density: Any = None
    temperature: Quantity | None = None
    parameters_: Any = ()
    name: str = ""
    source: str = ""
    expected: tuple[Expected, ...] = ()

    def __init__(
        self,
        levels: Any,
        processes: Any = (),
        density: Any = None,
        temperature: Quantity | None = None,
        parameters: Mapping[str, Quantity] | None = None,
        name: str = "",
        source: str = "",
        expected: Any = (),
    ) -> None:
        given = {
            "levels": tuple(levels),
            "processes": tuple(processes),
            "density": tuple(density.items()) if isinstance(density, Mapping) else density,
            "temperature": temperature,
            "parameters_": tuple((parameters or {}).items()),
            "name": name,
            "source": source,
            "expected": tuple(expected),
        }
        for key, value in given.items():
            object.__setattr__(self, key, value)
        _check(self)

    @cached_property
    def species(self) -> tuple[str | None, ...]:
        """The species, in the order their levels are stated; (None,) where none is named."""
        return tuple(dict.fromkeys(level.species for level in self.levels))

    @cached_property
    def level_names(self) -> tuple[str, ...]:
        """Full names of the levels, in the order stated."""
        return tuple(level.full_name for level in self.levels)

    def index(self, name: str, where: str = "") -> int:
        """Position of a level by its full name, or by its name alone while that is unique."""
        full = [i for i, level in enumerate(self.levels) if level.full_name == name]
        found = full or [i for i, level in enumerate(self.levels) if level.name == name]
        owner = f"`{where}`: " if where else ""
        if len(found) > 1:
            choices = " or ".join(f"`{self.levels[i].full_name}`" for i in found)
            raise ValueError(f"{owner}`{name}` is a level of several species; write {choices}.")
        if not found:
            raise ValueError(owner + unknown("level", name, self.level_names))
        return found[0]

    def process(self, label: str) -> Process:
        """The process of that label."""
        for process in self.processes:
            if process.label == label:
                return process
        raise ValueError(unknown("process", label, [p.label for p in self.processes]))

    def radiative(self, label: str, where: str = "") -> Radiative:
        """The radiative line of that label."""
        lines = [p for p in self.processes if isinstance(p, Radiative)]
        for line in lines:
            if line.label == label:
                return line
        raise ValueError((f"`{where}`: " if where else "") + unknown("Radiative", label, [p.label for p in lines]))

    def ends(self, process: Process) -> tuple[Level, Level]:
        """The two levels of a process "a -> b"."""
        (left,), (right,) = sides(process.label, getattr(process, "reaction", None))
        return self.levels[self.index(left, process.label)], self.levels[self.index(right, process.label)]

    def line_frequency(self, line: Radiative) -> float:
        """Frequency of line centre [Hz]: stated, else the peak of a measured spectrum, else from the energies."""
        if line.frequency is not None:
            return to_frequency(line.frequency, f"{line.label}.frequency")
        if line.wavelength is not None:
            given = line.wavelength if isinstance(line.wavelength, str) else f"{line.wavelength!r} m"
            return to_frequency(given, f"{line.label}.wavelength")
        measured = line.emission or line.absorption
        if measured is not None:
            return max(zip(measured.si.cross_section, measured.si.frequency, strict=True))[1]
        return self._energy_frequency(line)

    def _energy_frequency(self, line: Radiative) -> float:
        upper, lower = self.ends(line)
        if upper.joules is None or lower.joules is None:
            raise ValueError(f"`{line.label}`: state `wavelength` or `frequency`, or the energies of its levels.")
        if upper.joules <= lower.joules:
            raise ValueError(f"`{line.label}`: {line.reaction!r} does not lead down in energy.")
        return (upper.joules - lower.joules) / h

    def gap(self, process: Process) -> float:
        """Energy between the lowest sublevels of its two levels [J]; that of line centre if not stated."""
        upper, lower = self.ends(process)
        if upper.joules is not None and lower.joules is not None:
            return upper.joules - lower.joules
        if isinstance(process, Radiative):
            return h * self.line_frequency(process)
        raise ValueError(f"`{process.label}` obeys detailed balance: state the energies of its two levels.")

    def temperature_kelvin(self, why: str) -> float:
        """The stated temperature [K], or an error that says what needs it."""
        if self.temperature is None or callable(self.temperature):
            raise ValueError(f"State the model's `temperature` (a number, such as '300 K'): {why} needs it.")
        return to_si(self.temperature, "K", "temperature")

    @cached_property
    def parameter_list(self) -> tuple[Parameter, ...]:
        """Every parameter with unit, domain and source, in the order stated."""
        own = [*_densities(self), *_temperature(self), *_user_parameters(self)]
        return tuple([*own, *(p for process in self.processes for p in process.parameters(self))])  # type: ignore[attr-defined]

    def parameters(self) -> dict[str, float]:
        """The named parameters in SI units, as floats: axes of a sweep, free names of a fit, keys of a gradient.

        Numbers given by an expression or a function are not in it: they follow from the others.
        """
        return {p.name: p.value for p in self.parameter_list if not callable(p.value)}

    def derived(self) -> dict[str, Any]:
        """Parameters given by an expression or a Python function of the others."""
        return {p.name: p.value for p in self.parameter_list if callable(p.value)}

    def replace(self, **changes: Any) -> "Model":
        """The same model with some fields of its statement changed."""
        if "parameters" in changes:
            changes["parameters_"] = changes.pop("parameters")
        fields = {f: getattr(self, f) for f in self.__dataclass_fields__} | changes
        fields["parameters"] = dict(fields.pop("parameters_"))
        density = fields["density"]
        fields["density"] = dict(density) if isinstance(density, tuple) else density
        return Model(**fields)

    def with_process(self, process: Process) -> "Model":
        """The same model with one more process, or one of the same label exchanged."""
        others = [p for p in self.processes if p.label != process.label]
        return self.replace(processes=(*others, process))

    def save(self, path: str | Path) -> None:
        """Write it as TOML; `jr.load_model` reads back an equal model."""
        from jaxrate.model.files import to_toml

        Path(path).write_text(to_toml(self), encoding="utf-8")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the statement."""
        return hashlib.sha256(repr(self).encode()).hexdigest()

    def __str__(self) -> str:
        from jaxrate.model.show import show

        return show(self)


def _densities(model: Model) -> list[Parameter]:
    if model.density is None:
        return []
    if isinstance(model.density, tuple):
        return [parameter(f"density.{s}", value, "m^-3", source=model.source) for s, value in model.density]
    return [parameter("density", model.density, "m^-3", source=model.source)]


def _temperature(model: Model) -> list[Parameter]:
    given = model.temperature
    return [] if given is None else [parameter("temperature", given, "K", "positive", model.source)]


def _user_parameters(model: Model) -> list[Parameter]:
    read = [(name, given, *read_any(given, name)) for name, given in model.parameters_ if not callable(given)]
    numbers = [parameter(name, given, unit, "finite", model.source, si=value) for name, given, value, unit in read]
    return numbers + [
        parameter(n, given, "", "finite", model.source) for n, given in model.parameters_ if callable(given)
    ]


def _check(model: Model) -> None:
    """Everything that one part of a statement can say wrong about another."""
    _check_kinds(model)
    _check_unique([level.full_name for level in model.levels], "level")
    _check_unique([p.label for p in model.processes], "process")
    _check_density(model)
    _check_processes(model)
    _check_unique([p.name for p in model.parameter_list], "parameter")
    _check_expressions(model)


def _check_kinds(model: Model) -> None:
    if not model.levels:
        raise ValueError("A model must have levels, but none was given.")
    for thing, kind in [*((lv, Level) for lv in model.levels), *((p, Process) for p in model.processes)]:
        if not isinstance(thing, kind):
            raise ValueError(
                f"A model's {kind.__name__.lower()} must be a jr.{kind.__name__}, but {thing!r} was given."
            )


def _check_unique(names: list[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"Two {'processes' if what == 'process' else what + 's'} are named `{name}`.")


def _check_density(model: Model) -> None:
    named = [s for s in model.species if s is not None]
    if isinstance(model.density, tuple):
        for given, _ in model.density:
            if given not in named:
                raise ValueError("density: " + unknown("species", given, named))
        missing = [s for s in named if s not in dict(model.density)]
        if missing or None in model.species:
            raise ValueError(
                f"`density` must be given for every species; it is missing for {missing or 'levels without one'}."
            )
    elif len(model.species) > 1 and model.density is not None:
        example = ", ".join(f"{s!r}: '1e26 m^-3'" for s in named)
        raise ValueError(f"A model with several species needs one density for each: density={{{example}}}.")


def _check_processes(model: Model) -> None:
    for process in model.processes:
        if hasattr(process, "reaction"):
            for name in (n for side in sides(process.label, process.reaction) for n in side):
                model.index(name, process.label)
            _check_species(model, process)
        for line in driven_lines(process):
            _check_driven(model, process, model.radiative(line, process.label))


def _check_species(model: Model, process: Process) -> None:
    left, right = sides(process.label, process.reaction)  # type: ignore[attr-defined]
    species = [sorted(str(model.levels[model.index(n)].species) for n in side) for side in (left, right)]
    if species[0] != species[1]:
        raise ValueError(f"`{process.label}` turns one species into another: {species[0]} -> {species[1]}.")
    if isinstance(process, Radiative):
        model.line_frequency(process)
    if isinstance(process, Collision):
        model.temperature_kelvin(f"the collisions `{process.label}`") if not callable(model.temperature) else None
        if model.gap(process) < 0:
            raise ValueError(f"`{process.label}`: {process.reaction!r} does not lead down in energy.")


def _check_driven(model: Model, field: Process, line: Radiative) -> None:
    if isinstance(field, Beam) and line.lineshape is None and not line.measured:
        raise ValueError(
            f"`{field.label}` drives `{line.label}`, which has no lineshape: "
            f"state one, for example lineshape=jr.Lorentzian(fwhm='120 GHz')."
        )
    if isinstance(field, Beam) and line.measured and not callable(field.fwhm) and field.fwhm != 0:
        raise ValueError(
            f"`{field.label}`: light with a width on a measured spectrum (`{line.label}`) must be stated as several "
            "monochromatic beams."
        )


def _check_expressions(model: Model) -> None:
    known = [p.name for p in model.parameter_list]
    for name, given in model.derived().items():
        if isinstance(given, Expr):
            given.check([k for k in known if k != name], name)
    _order(model.derived())


def _order(derived: Mapping[str, Any]) -> list[str]:
    """Derived parameters in an order in which each follows those it needs."""
    done: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ValueError(f"The expressions {' -> '.join((*path, name))} need each other.")
        if name in derived and name not in done:
            for needed in getattr(derived[name], "names", ()):
                visit(needed, (*path, name))
            done.append(name)

    for name in derived:
        visit(name, ())
    return done
