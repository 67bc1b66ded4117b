"""From the strength a line is stated with to Einstein's B21 and the tie factors."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from jaxrate.model.processes import Radiative
from jaxrate.model.quantities import Parameter, parameter
from jaxrate.physics import einstein, spectrum, thermal
from jaxrate.units import to_si

if TYPE_CHECKING:
    from jaxrate.model.model import Model

UNIT_B = "m^3 J^-1 s^-2"
UNITS = {
    "A": "s^-1",
    "lifetime": "s",
    "cross_section": "m^2",
    "oscillator_strength": "1",
    "line_strength": {"E1": "C^2 m^2", "M1": "J^2 T^-2"},
    "dipole": {"E1": "C m", "M1": "J T^-1"},
}


def radiative_parameters(line: Radiative, model: "Model") -> list[Parameter]:
    """`label.B`, `label.frequency`, the lineshape's own, `label.absorption_factor`, `label.spontaneous_factor`."""
    frequency = model.line_frequency(line)
    shape = line.lineshape.parameters(line.label, frequency, line.source) if line.lineshape else []
    own = [parameter(f"{line.label}.frequency", frequency, "Hz", "positive", line.source), *shape]
    return [_strength(line, model, own), *own, *_ties(line, model)]


def _strength(line: Radiative, model: "Model", own: list[Parameter]) -> Parameter:
    name = f"{line.label}.B"
    if line.B is not None:
        return parameter(name, line.B, UNIT_B, source=line.source)
    if line.measured:
        return parameter(name, spectra(line, model).B, UNIT_B, source=line.source)
    return parameter(name, _einstein_B(line, model, own), UNIT_B, source=line.source)


def _einstein_B(line: Radiative, model: "Model", own: list[Parameter]) -> float:
    (kind,) = line.strengths
    unit = UNITS[kind]
    value = to_si(getattr(line, kind), unit if isinstance(unit, str) else unit[line.multipole], f"{line.label}.{kind}")
    if value < 0 or (value == 0 and kind == "lifetime"):
        raise ValueError(f"`{line.label}.{kind}` must be positive, but {getattr(line, kind)!r} was given.")
    frequency = model.line_frequency(line)
    if kind == "cross_section":
        return float(einstein.B_from_cross_section(value, frequency, _peak(line, model, own), line.n))
    return float(einstein.B_from_A(_einstein_A(kind, value, line, model), frequency, n=line.n))


def _einstein_A(kind: str, value: float, line: Radiative, model: "Model") -> float:
    frequency, (upper, lower) = model.line_frequency(line), model.ends(line)
    match kind:
        case "A":
            return value
        case "lifetime":
            return 1.0 / value
        case "oscillator_strength":
            return einstein.A_from_f(value, frequency, lower.g, upper.g)
        case "line_strength":
            return einstein.A_from_line_strength(value, frequency, upper.g, line.multipole)
    return einstein.A_from_dipole(value, frequency, line.multipole)


def _peak(line: Radiative, model: "Model", own: list[Parameter]) -> float:
    assert line.lineshape is not None
    values = {p.name: p.value for p in own}
    if line.lineshape.shape.endswith("doppler"):
        values["temperature"] = model.temperature_kelvin(f"the Doppler width of `{line.label}`")
    if any(callable(value) for value in values.values()):
        raise ValueError(f"`{line.label}`: with a width given by an expression state `B`, not `cross_section`.")
    return line.lineshape.peak({k: float(v) for k, v in values.items()}, line.label)  # type: ignore[arg-type]


def _ties(line: Radiative, model: "Model") -> list[Parameter]:
    absorption, spontaneous = line.absorption_factor, line.spontaneous_factor
    if line.measured:
        measured = spectra(line, model)
        absorption = measured.absorption_factor if absorption == 1.0 else absorption
        spontaneous = _stated_A(line, measured.A) if line.A is not None else spontaneous
    return [
        parameter(f"{line.label}.absorption_factor", absorption, "1", source=line.source),
        parameter(f"{line.label}.spontaneous_factor", spontaneous, "1", source=line.source),
    ]


def _stated_A(line: Radiative, from_spectrum: float) -> float:
    assert line.A is not None
    return to_si(line.A, "s^-1", f"{line.label}.A") / from_spectrum


@dataclass(frozen=True)
class Spectra:
    """Measured spectra of a line, completed by McCumber's relation at the model's temperature.

    Attributes:
        emission, absorption: The tables stated; None where only the other was.
        B, A: Einstein coefficients of the emission, stated or implied by the absorption.
        absorption_factor: Measured over McCumber's absorption (1 where it is implied).
        energy, lower, upper: Energy between the lowest sublevels [J], and the sublevels (energy, degeneracy) of
            both manifolds: what McCumber's relation needs at another temperature.
    """

    emission: spectrum.Spectrum | None
    absorption: spectrum.Spectrum | None
    B: float
    A: float
    absorption_factor: float
    energy: float
    lower: tuple[tuple[float, float], ...]
    upper: tuple[tuple[float, float], ...]


@lru_cache(maxsize=256)
def spectra(line: Radiative, model: "Model") -> Spectra:
    """The measured spectra of a line, completed."""
    upper, lower = model.ends(line)
    energy, temperature = model.gap(line), model.temperature_kelvin(f"McCumber's relation for `{line.label}`")
    balance = epsilon(energy, lower.sublevels, upper.sublevels, temperature), temperature
    emission, absorption = line.emission and line.emission.si, line.absorption and line.absorption.si
    emitted = emission or spectrum.mccumber_emission(absorption, *balance)
    factor = 1.0
    if emission and absorption:
        implied = spectrum.mccumber_absorption(emission, *balance)
        factor = spectrum.einstein_B(absorption, 1.0) / spectrum.einstein_B(implied, 1.0)
    coefficients = spectrum.einstein_B(emitted, line.n), spectrum.einstein_A(emitted, line.n)
    return Spectra(emission, absorption, *coefficients, factor, energy, lower.sublevels, upper.sublevels)


def epsilon(energy: float, lower: tuple, upper: tuple, temperature: float) -> float:
    r"""McCumber's $\epsilon$ [J] for manifolds whose lowest sublevels lie `energy` [J] apart."""
    return thermal.mccumber_epsilon(
        [e for e, _ in lower],
        [g for _, g in lower],
        [energy + e for e, _ in upper],
        [g for _, g in upper],
        temperature,
    )
