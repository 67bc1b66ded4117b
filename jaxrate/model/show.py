"""A model in words: its levels, processes and parameters, and what follows from them without solving anything."""

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from jaxrate.constants import c, h, k
from jaxrate.expr import Expr
from jaxrate.model.derived import known_values, peak_cross_section, rates, spontaneous, total_rate
from jaxrate.model.exchange import Exchange
from jaxrate.model.fields import driven_lines
from jaxrate.model.gain import StimulatedGain
from jaxrate.model.processes import Collision, Decay, EnergyTransfer, Process, Pump, Radiative
from jaxrate.model.quantities import Parameter, is_rule
from jaxrate.model.strength import UNIT_B
from jaxrate.physics import einstein
from jaxrate.unit_text import light, pretty

if TYPE_CHECKING:
    from jaxrate.model.model import Model

WIDTH = 100
_MANY_KT = 10.0
"""From a gap of this many kT on, the thermal flow upward that a one-way process leaves out is negligible."""


def show(model: "Model") -> str:
    """A model as text of at most 100 columns.

    Levels, processes, every parameter with its source, Einstein coefficients and cross-sections of each line, the
    lifetime of each level, and remarks on whatever does not obey detailed balance.

    Args:
        model: The statement. What follows from a Python function of the populations is left out.

    Returns:
        The text, without a line break at its end.
    """
    values, sources = known_values(model), _Sources()
    sections = [
        _title(model, sources),
        [
            "Levels",
            *_table(("name", "energy", "as stated", "g", "lifetime", "source"), _levels(model, values, sources)),
        ],
        ["Reservoirs", *_table(("name", "unit", "source"), _reservoirs(model, sources))],
        ["Processes", *_table(("label", "kind", "reaction", "rates"), _processes(model, values))],
        ["Parameters", *_table(("name", "value", "SI unit", "source"), _parameters(model, values, sources))],
        *(
            [f"Line {line.label}: {line.reaction}", *_table((), _line(line, model, values, sources))]
            for line in _lines(model)
        ),
        ["Expected", *_table(("quantity", "published", "within", "source"), _expected(model, sources))],
        ["Remarks", *_wrapped((f"- {remark}" for remark in _remarks(model, values)), "  ", "    ")],
        ["Sources", *_wrapped(sources.listed(), "  ", "      ")],
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if len(lines) > 1 or lines[0] not in _OPTIONAL)


_OPTIONAL = ("Levels", "Reservoirs", "Processes", "Parameters", "Expected", "Remarks", "Sources")


class _Sources:
    """The sources met so far; each is printed once, at the end, and quoted by its number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, source: str) -> str:
        """[1], or nothing where no source is stated."""
        return f"[{self.numbers.setdefault(source, len(self.numbers) + 1)}]" if source else ""

    def listed(self) -> Iterator[str]:
        """Each with its number."""
        return (f"[{number}] {source}" for source, number in self.numbers.items())


def _title(model: "Model", sources: _Sources) -> list[str]:
    numbers = {"levels": len(model.levels), "reservoirs": len(model.reservoirs), "processes": len(model.processes)}
    counts = ", ".join(f"{number} {what}" for what, number in numbers.items() if number or what == "processes")
    name = f"{model.name or 'Model'} {sources.number(model.source)}".strip()
    return [*textwrap.wrap(f"{name}: {counts}", WIDTH, subsequent_indent="  ")]


def _levels(model: "Model", values: dict[str, float], sources: _Sources) -> Iterator[Sequence[str]]:
    for level in model.levels:
        energy = "" if level.joules is None else f"{level.joules / (100 * h * c):.8g} cm^-1"
        stated = "" if level.energy is None else str(level.energy)
        stated += f" and {len(level.stark)} sublevels" if level.stark else ""
        rate = total_rate(model, level.full_name, values)
        lifetime = _value(1 / rate, "s") if rate else "stable"
        yield level.full_name, energy, stated, f"{level.g:g}", lifetime, sources.number(level.source)


def _reservoirs(model: "Model", sources: _Sources) -> Iterator[Sequence[str]]:
    for reservoir in model.reservoirs:
        yield reservoir.name, reservoir.unit, sources.number(reservoir.source)


def _processes(model: "Model", values: dict[str, float]) -> Iterator[Sequence[str]]:
    for process in model.processes:
        yield process.label, process.kind, _reaction(process, model), _rates(process, model, values)


def _reaction(process: Process, model: "Model") -> str:
    """In the field's notation: what reacts, both ways where both are meant."""
    left, right = (" + ".join(side) for side in process.sides)
    match process:
        case Collision():
            return f"{left} <-> {right}"
        case Radiative():
            return f"{left} -> {right} + photon"
        case Decay() | Pump() | EnergyTransfer():
            return f"{left} -> {right}".strip()
        case Exchange():
            return f"any level -> {', '.join(process.shares)}"
        case StimulatedGain():
            return f"{left} + photon <-> {' + '.join([*process.without_photon(model), '2 photon'])}"
    lines = [model.radiative(label).sides for label in driven_lines(process)]
    return ", ".join(f"{up} + photon <-> {low} + 2 photon" for (up,), (low,) in lines)


def _rates(process: Process, model: "Model", values: dict[str, float]) -> str:
    if isinstance(process, EnergyTransfer | Exchange | StimulatedGain):
        own = process.parameters(model)[0]
        return _value(values.get(own.name), own.unit)
    if not isinstance(process, Decay | Pump | Radiative | Collision):
        return f"on {', '.join(driven_lines(process))}" if driven_lines(process) else ""
    unit = process.parameters(model)[0].unit if isinstance(process, Pump) else "s^-1"
    forth, back = (_value(rate, unit) for rate in rates(process, model, values))
    if isinstance(process, Collision):
        return f"{forth} down, {back} up" if forth else ""
    return f"A = {forth}" if forth and isinstance(process, Radiative) else forth


def _value(value: float | None, unit: str) -> str:
    return "" if value is None or math.isnan(value) else pretty(value, unit)


def _parameters(model: "Model", values: dict[str, float], sources: _Sources) -> Iterator[Sequence[str]]:
    for parameter in model.parameter_list:
        unit = "" if parameter.unit == "1" else parameter.unit
        yield parameter.name, _shown(parameter, values), unit, sources.number(parameter.source)


def _shown(parameter: Parameter, values: dict[str, float]) -> str:
    number = _value(values.get(parameter.name), parameter.unit or "1")
    if isinstance(parameter.value, Expr):
        return f"{number} = {parameter.value.text}".strip()
    if is_rule(parameter.value):
        return f"Python function {getattr(parameter.value, '__name__', '')}".strip()
    return number


def _lines(model: "Model") -> list[Radiative]:
    return [p for p in model.processes if isinstance(p, Radiative)]


def _line(line: Radiative, model: "Model", values: dict[str, float], sources: _Sources) -> Iterator[Sequence[str]]:
    """What follows for a line; quantities that are not known are left out."""
    A, (upper, lower) = spontaneous(line, model, values), model.ends(line)
    B, frequency = (values.get(f"{line.label}.{name}", math.nan) for name in ("B", "frequency"))
    sigma, rate = peak_cross_section(line, model, values), total_rate(model, upper.full_name, values)
    saturation = h * frequency * rate / sigma if rate and sigma else math.nan
    for name, spectrum in (("emission", line.emission), ("absorption", line.absorption)):
        if spectrum is not None:
            yield f"measured {name}", f"{spectrum} {sources.number(spectrum.source)}"
    yield "wavelength (vacuum)", light(frequency, digits=8)
    rows = [
        ("A (in the medium)", A, "s^-1"),
        ("radiative lifetime 1/A", 1 / A if A else math.nan, "s"),
        ("B21 per spectral energy density and hertz", B, UNIT_B),
        ("oscillator strength f12", einstein.f_from_A(A, frequency, lower.g, upper.g), "1"),
        ("peak cross-section of emission", sigma, "m^2"),
        ("h nu / (cross-section x lifetime)", saturation, "W m^-2"),
    ]
    yield from ((name, _value(float(value), unit)) for name, value, unit in rows if not math.isnan(value))


def _expected(model: "Model", sources: _Sources) -> Iterator[Sequence[str]]:
    for expected in model.expected:
        yield expected.title, str(expected.value), f"{expected.tolerance:.3g}", sources.number(expected.source)


def _remarks(model: "Model", values: dict[str, float]) -> Iterator[str]:
    for line in _lines(model):
        yield from _ties(line, values)
        yield from _distance(line, model, values)
    for process in model.processes:
        if isinstance(process, Decay | Pump):
            yield from _one_way(process, model, values)


def _ties(line: Radiative, values: dict[str, float]) -> Iterator[str]:
    meaning = {
        "absorption_factor": "its absorption is not what detailed balance makes of its emission",
        "spontaneous_factor": "its A is not the one that its B implies",
    }
    for name, broken in meaning.items():
        factor = values.get(f"{line.label}.{name}", math.nan)
        if not abs(factor - 1) < 1e-9:
            given = "not known beforehand" if math.isnan(factor) else f"{factor:.6g}, not 1"
            yield f"`{line.label}.{name}` is {given}: {broken}, so no temperature is an equilibrium."


def _distance(line: Radiative, model: "Model", values: dict[str, float]) -> Iterator[str]:
    """Levels that lie elsewhere than the line says; manifolds emit at many distances."""
    upper, lower = model.ends(line)
    photon = h * values.get(f"{line.label}.frequency", math.nan)
    if upper.joules is None or lower.joules is None or upper.stark or lower.stark or line.measured:
        return
    gap = upper.joules - lower.joules
    if abs(photon - gap) > 0.02 * photon:
        apart, own = (f"{energy / (100 * h * c):.6g} cm^-1" for energy in (gap, photon))
        yield f"`{line.label}` emits at {own}, but its levels are {apart} apart."


def _one_way(process: Decay | Pump, model: "Model", values: dict[str, float]) -> Iterator[str]:
    if not model.joins_levels(process):
        return
    left, right = model.ends(process)
    if left.joules is None or right.joules is None or values.get(f"{process.label}.rate") == 0:
        return
    temperature = values.get("temperature", 300.0)
    at = f"{temperature:g} K" if "temperature" in values else "300 K (no `temperature` is stated)"
    ratio = abs(left.joules - right.joules) / (k * temperature)
    if ratio < _MANY_KT:
        yield (
            f"`{process.label}` leads one way across a gap of {ratio:.2g} kT at {at}, so it does not obey detailed "
            "balance; state a Collision if it is thermal."
        )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows in aligned columns, empty columns left out; the widest column gives way where a line is too long."""
    body = [tuple(row) for row in rows]
    full = [i for i in range(len(header) or 2) if any(row[i] for row in body)]
    cells = [[row[i] for i in full] for row in ([header] if header and body else []) + body]
    widths = [max(len(row[i]) for row in cells) for i in range(len(full))]
    while sum(widths) + 2 * len(widths) > WIDTH:
        widths[widths.index(max(widths))] -= 1
    return ["  " + "  ".join(_fitted(cell, w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in cells]


def _fitted(cell: str, width: int) -> str:
    return cell.ljust(width) if len(cell) <= width else f"{cell[: width - 3]}..."


def _wrapped(texts: Iterable[str], first: str, rest: str) -> list[str]:
    return [line for text in texts for line in textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=rest)]
