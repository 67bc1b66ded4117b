"""What is read off a model at one set of parameters, and how it is printed."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, isnan, log10

from jaxrate.constants import c
from jaxrate.experiment import Experiment
from jaxrate.model.derived import fwhm, known_values, spontaneous
from jaxrate.model.expected import Expected
from jaxrate.model.fields import Cavity
from jaxrate.model.model import Model
from jaxrate.model.processes import Radiative
from jaxrate.network.compile import compile_network
from jaxrate.observe import (
    BranchingRatio,
    CrossSection,
    Gain,
    Inversion,
    Lifetime,
    Observable,
    Population,
    SaturationIntensity,
)
from jaxrate.observe.dark import dark_network
from jaxrate.observe.laser import OutputPower
from jaxrate.observe.relaxation import RelaxationDamping, RelaxationOscillation
from jaxrate.solve.lanes import run
from jaxrate.solve.status import Status
from jaxrate.solve.steady import Steady
from jaxrate.unit_text import pretty

OF_LINES = {
    "gain": Gain,
    "inversion": Inversion,
    "cross_section": CrossSection,
    "saturation_intensity": SaturationIntensity,
    "branching_ratio": BranchingRatio,
}
OF_LEVELS = {"population": Population, "lifetime": Lifetime}
OF_CAVITIES = {
    "output_power": OutputPower,
    "relaxation_frequency": RelaxationOscillation,
    "relaxation_damping": RelaxationDamping,
}
UNITS = {"wavelength": "m", "fwhm": "Hz", "A": "s^-1", "B": "m^3 J^-1 s^-2"}
"""Numbers of a line that need no solution."""
LEVELS = ("gain", "noise_figure")
"""Expected ratios that are printed in dB."""
FEW = 2
"""Up to so many lines are printed one after the other."""


def lines(model: Model) -> list[Radiative]:
    """The radiative lines of a model."""
    return [p for p in model.processes if isinstance(p, Radiative)]


def cavities(model: Model) -> list[Cavity]:
    """The cavities of a model."""
    return [p for p in model.processes if isinstance(p, Cavity)]


class Readings:
    """Every observable of a model at one set of parameters.

    Args:
        model: The medium.
        fixed: Parameters in SI units that differ from the model's.

    Attributes:
        values: By (quantity, line or level), in SI units.
        units: Likewise.
        refused: Why a quantity of a line cannot be read.
        status: What became of the solution.

    Raises:
        ValueError: the model has no steady state that can be solved.
    """

    def __init__(self, model: Model, fixed: Mapping[str, float]) -> None:
        self.model, self.refused = model, {}
        observables = {key: o for key, o in _wanted(model).items() if self._is_readable(key, o)}
        bench = Experiment(model, Steady(), {" of ".join(key): o for key, o in observables.items()})
        found = run(bench.program, bench.base, bench.batch(fixed))
        self.values = {key: float(found[" of ".join(key)]) for key in observables}
        self.units = {key: o.unit for key, o in observables.items()}
        self.status = Status(int(found["status"]))
        known = known_values(model, fixed) | dict(fixed)
        for line in lines(model):
            self._add_constants(line, known)
        for cavity in cavities(model):
            name = f"{cavity.label}.photon_lifetime"
            self.add("photon_lifetime", cavity.label, known.get(name, float("nan")), "s")

    def add(self, quantity: str, of: str, value: float, unit: str) -> None:
        """One more quantity, in SI units."""
        self.values[quantity, of], self.units[quantity, of] = value, unit

    def _is_readable(self, key: tuple[str, str], observable: Observable) -> bool:
        if isinstance(observable, SaturationIntensity) and dark_network(compile_network(self.model)).nonlinear:
            return False  # no one intensity halves an inversion that depends on pairs of particles
        try:
            observable.check(Experiment(self.model, Steady(), {}).network)
        except ValueError as why:
            self.refused[key] = str(why)
        return key not in self.refused

    def _add_constants(self, line: Radiative, known: dict[str, float]) -> None:
        nan = float("nan")
        found = {
            "wavelength": c / known.get(f"{line.label}.frequency", nan),
            "fwhm": fwhm(line, self.model, known),
            "A": spontaneous(line, self.model, known),
            "B": known.get(f"{line.label}.B", nan),
        }
        self.values |= {(name, line.label): value for name, value in found.items()}
        self.units |= {(name, line.label): unit for name, unit in UNITS.items()}

    def text(self, quantity: str, of: str) -> str:
        """A value with its unit."""
        value = self.values.get((quantity, of), float("nan"))
        return pretty(value, self.units[quantity, of]) if isfinite(value) else ""


def _wanted(model: Model) -> dict[tuple[str, str], Observable]:
    wanted: dict[tuple[str, str], Observable] = {
        ("population", name): Population(name) for name in model.population_names
    }
    for names, makes in (
        (model.level_names, OF_LEVELS),
        ([line.label for line in lines(model)], OF_LINES),
        ([cavity.label for cavity in cavities(model)], OF_CAVITIES),
    ):
        wanted |= {(quantity, name): make(name) for name in names for quantity, make in makes.items()}
    return wanted


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows in aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def level_table(readings: Readings) -> str:
    """Population and lifetime of every level."""
    rows = [("level", "population", "lifetime")]
    for level in readings.model.level_names:
        stable = readings.values["lifetime", level] == float("inf")
        lifetime = "stable" if stable else readings.text("lifetime", level)
        rows.append((level, readings.text("population", level), lifetime))
    return table(rows)


def state_table(readings: Readings) -> str:
    """Populations: of levels with their lifetimes, of reservoirs per volume, of cavities as photons."""
    model = readings.model
    found = [level_table(readings)] if model.levels else []
    units = {r.name: "m^-3" for r in model.reservoirs} | {cavity.label: "photons" for cavity in cavities(model)}
    rows = [(name, _counted(readings.values["population", name], unit)) for name, unit in units.items()]
    return "\n".join([*found, *([table(rows)] if rows else [])])


def _counted(value: float, unit: str) -> str:
    return f"{value:.6g} {unit}" if isfinite(value) else ""


def line_tables(readings: Readings) -> str:
    """Everything that is known of every line: one after the other while they are few, else side by side."""
    found = lines(readings.model)
    if len(found) <= FEW:
        return "\n\n".join(line_table(readings, line) for line in found)
    wide = [("line", "transition", *map(words, UNITS))] + [
        (line.label, line.reaction, *(_text(readings, q, line.label) for q in UNITS)) for line in found
    ]
    of_state = [("line", *map(words, OF_LINES))] + [
        (line.label, *(_text(readings, q, line.label) for q in OF_LINES)) for line in found
    ]
    return f"{table(wide)}\n\n{table(of_state)}"


def line_table(readings: Readings, line: Radiative) -> str:
    """Everything that is known of a line."""
    rows = [(words(q), text) for q in (*UNITS, *OF_LINES) if (text := _text(readings, q, line.label))]
    return "\n".join([f"  Line {line.label}: {line.reaction}", textwrap.indent(table(rows), "  ")])


def _text(readings: Readings, quantity: str, line: str) -> str:
    """A value with its unit; nothing where it cannot be read."""
    return readings.text(quantity, line) if (quantity, line) in readings.values else ""


def words(quantity: str) -> str:
    """A quantity as it is called."""
    own = {"ase_conversion": "conversion to noise", "ase_fwhm": "width (FWHM)"}
    own |= {"fwhm": "width (FWHM)", "A": "A (in the medium)", "B": "B21 per spectral energy density"}
    return own.get(quantity, quantity.replace("_", " "))


def expected_table(readings: Readings, others: Sequence[Expected] = ()) -> str:
    """Published figures beside what the model makes of them; `others` are not the model's own."""
    rows = [("", "computed", "published", "deviation", "")]
    rows += [tuple(_compared(readings, e)) for e in (*readings.model.expected, *others)]
    return table(rows)


def _compared(readings: Readings, expected: Expected) -> Iterator[str]:
    key = expected.quantity, _of(readings.model, expected)
    yield f"{words(expected.quantity)} of {expected.of}"
    value, unit = readings.values.get(key, float("nan")), readings.units.get(key, expected.unit)
    yield "not computed" if isnan(value) else _printed(expected.quantity, value, unit)
    yield _printed(expected.quantity, expected.si, unit)
    if isnan(value):
        yield from ("", "")
        return
    deviation = value / expected.si - 1
    yield f"{100 * deviation:+.2f} %"
    yield f"{'ok' if abs(deviation) <= expected.tolerance else 'NOT ok'} (within {100 * expected.tolerance:.3g} %)"


def _printed(quantity: str, value: float, unit: str) -> str:
    return f"{decibel(value):.4g} dB" if quantity in LEVELS else pretty(value, unit)


def decibel(ratio: float) -> float:
    """A power ratio in dB; NaN where it is not positive."""
    return 10 * log10(ratio) if ratio > 0 else float("nan")


def _of(model: Model, expected: Expected) -> str:
    """The full name of what a figure belongs to."""
    return model.levels[model.index(expected.of)].full_name if expected.kind == "level" else expected.of
