"""From the strength a line is stated with to Einstein's B21 and the tie factors."""

from dataclasses import dataclass
from functools import lru_cache
from math import pi
from typing import TYPE_CHECKING

from jaxrate.constants import c, h
from jaxrate.model.quantities import Parameter, is_rule, parameter
from jaxrate.names import shown
from jaxrate.physics import einstein, spectrum, thermal
from jaxrate.units import to_si

if TYPE_CHECKING:
    from jaxrate.model.model import Model
    from jaxrate.model.processes import Radiative

UNIT_B = "m^3 J^-1 s^-2"
UNITS = {
    "B": UNIT_B,
    "A": "s^-1",
    "lifetime": "s",
    "cross_section": "m^2",
    "oscillator_strength": "1",
    "line_strength": "C^2 m^2",
    "dipole": "C m",
}
UNITS_M1 = {**UNITS, "line_strength": "J^2 T^-2", "dipole": "J T^-1"}
STRENGTHS = tuple(UNITS)


def check_strength(line: "Radiative") -> None:
    """Refuse a line without a strength, with several, or with one that cannot be read."""
    if line.measured:
        _check_beside_spectrum(line)
    elif len(line.strengths) != 1:
        listed = ", ".join(f"`{s}`" for s in (*STRENGTHS, "emission", "absorption"))
        given = f"{_listed(line.strengths)} were given" if line.strengths else "none was given"
        raise ValueError(f"`{line.label}`: a Radiative must have exactly one strength of {listed}, but {given}.")
    elif line.cross_section is not None and line.lineshape is None:
        raise ValueError(
            f"`{line.label}`: a peak cross-section needs a lineshape to become B, "
            "for example lineshape=jr.Lorentzian(fwhm='120 GHz')."
        )
    for kind in line.strengths:
        _stated(line, kind)
    for name in ("absorption_factor", "spontaneous_factor"):
        parameter(f"{line.label}.{name}", getattr(line, name), "1")


def _check_beside_spectrum(line: "Radiative") -> None:
    beside = [s for s in line.strengths if s != "A"] + ["lineshape"] * (line.lineshape is not None)
    if beside:
        raise ValueError(
            f"`{line.label}`: a measured spectrum is the strength and the lineshape; only `A` may stand beside "
            f"it (it sets the spontaneous factor), but {_listed(beside)} was given too."
        )
    if line.A is not None and line.spontaneous_factor != 1:
        raise ValueError(f"`{line.label}`: `A` beside a spectrum sets `spontaneous_factor`; state one of them.")
    if line.emission is not None and line.absorption is not None and line.absorption_factor != 1:
        raise ValueError(f"`{line.label}`: two spectra set `absorption_factor`; state one of them and the factor.")


def _listed(names: "list[str] | tuple[str, ...]") -> str:
    return " and ".join(f"`{name}`" for name in names)


def _stated(line: "Radiative", kind: str) -> Parameter:
    """A stated strength in SI units. Only B is a parameter, so only B may follow from other numbers."""
    given = getattr(line, kind)
    if kind != "B" and is_rule(given):
        raise ValueError(
            f"`{line.label}`: `{kind}` must be a number; an expression or a function may state `B`, "
            f"but {shown(given)} was given."
        )
    unit = (UNITS_M1 if line.multipole == "M1" else UNITS)[kind]
    return parameter(f"{line.label}.{kind}", given, unit, "positive" if kind == "lifetime" else "nonnegative")


def radiative_parameters(line: "Radiative", model: "Model") -> list[Parameter]:
    """`label.B`, `label.frequency`, the lineshape's own, `label.absorption_factor`, `label.spontaneous_factor`."""
    frequency = model.line_frequency(line)
    shape = line.lineshape.parameters(line.label, frequency, line.source) if line.lineshape else []
    own = [parameter(f"{line.label}.frequency", frequency, "Hz", "positive", line.source), *shape]
    B = line.B if line.B is not None else _einstein_B(line, model, own)
    return [parameter(f"{line.label}.B", B, UNIT_B, source=line.source), *own, *_ties(line, model)]


def _einstein_B(line: "Radiative", model: "Model", own: list[Parameter]) -> float:
    if line.measured:
        return spectra(line, model).B
    (kind,) = line.strengths
    value, frequency = float(_stated(line, kind).value), model.line_frequency(line)  # type: ignore[arg-type]
    if kind == "cross_section":
        return float(einstein.B_from_cross_section(value, frequency, _peak(line, model, own), line.n))
    return float(einstein.B_from_A(_einstein_A(kind, value, line, model), frequency, n=line.n))


def _einstein_A(kind: str, value: float, line: "Radiative", model: "Model") -> float:
    frequency, (upper, lower) = model.line_frequency(line), model.ends(line)
    match kind:
        case "lifetime":
            return 1.0 / value
        case "oscillator_strength":
            return float(einstein.A_from_f(value, frequency, lower.g, upper.g))
        case "line_strength":
            return float(einstein.A_from_line_strength(value, frequency, upper.g, line.multipole))
        case "dipole":
            return float(einstein.A_from_dipole(value, frequency, line.multipole))
    return value


def _peak(line: "Radiative", model: "Model", own: list[Parameter]) -> float:
    assert line.lineshape is not None
    if any(is_rule(p.value) for p in own):
        raise ValueError(f"`{line.label}`: with a width given by an expression state `B`, not `cross_section`.")
    values = {p.name: float(p.value) for p in own}  # type: ignore[arg-type]
    if line.lineshape.thermal:
        values["temperature"] = model.temperature_kelvin(f"the Doppler width of `{line.label}`")
    return line.lineshape.peak(values, line.label)


def _ties(line: "Radiative", model: "Model") -> list[Parameter]:
    absorption, spontaneous = line.absorption_factor, line.spontaneous_factor
    if line.emission is not None and line.absorption is not None:
        absorption = spectra(line, model).absorption_factor
    if line.measured and line.A is not None:
        spontaneous = to_si(line.A, "s^-1", f"{line.label}.A") / spectra(line, model).A
    return [
        parameter(f"{line.label}.absorption_factor", absorption, "1", source=line.source),
        parameter(f"{line.label}.spontaneous_factor", spontaneous, "1", source=line.source),
    ]


@dataclass(frozen=True)
class Spectra:
    """Measured spectra of a line, completed by McCumber's relation at the model's temperature.

    Attributes:
        emission, absorption: The tables stated; None where only the other was.
        B, A: Einstein coefficients of the emission, stated or implied by the absorption.
        absorption_factor: Measured over McCumber's absorption (1 where it is implied).
        energy, lower, upper: Energy between the lowest sublevels [J], and the sublevels (energy, degeneracy) of
            both manifolds: what McCumber's relation needs at another temperature.
        peak: Largest cross-section of emission [m^2].
    """

    emission: spectrum.Spectrum | None
    absorption: spectrum.Spectrum | None
    B: float
    A: float
    absorption_factor: float
    energy: float
    lower: tuple[tuple[float, float], ...]
    upper: tuple[tuple[float, float], ...]
    peak: float


@lru_cache(maxsize=256)
def spectra(line: "Radiative", model: "Model") -> Spectra:
    """The measured spectra of a line, completed."""
    upper, lower = model.ends(line)
    energy, temperature = model.gap(line), model.temperature_kelvin(f"McCumber's relation for `{line.label}`")
    balance = epsilon(energy, lower.sublevels, upper.sublevels, temperature), temperature
    return Spectra(
        None if line.emission is None else line.emission.si,
        None if line.absorption is None else line.absorption.si,
        *_emission_coefficients(line, balance),
        _absorption_factor(line, balance),
        energy,
        lower.sublevels,
        upper.sublevels,
        _emission_peak(line, balance),
    )


def _emission_coefficients(line: "Radiative", balance: tuple[float, float]) -> tuple[float, float]:
    """B21 and A21 of the emission, stated or implied by the absorption node by node."""
    if line.emission is not None:
        return float(spectrum.einstein_B(line.emission.si, line.n)), float(
            spectrum.einstein_A(line.emission.si, line.n)
        )
    assert line.absorption is not None
    nodes, weights = spectrum.quadrature(line.absorption.si)
    emitted = weights * thermal.mccumber_ratio(nodes, *balance)
    B = c / (h * line.n) * (emitted / nodes).sum()
    return float(B), float(8 * pi * line.n**2 / c**2 * (emitted * nodes**2).sum())


def _emission_peak(line: "Radiative", balance: tuple[float, float]) -> float:
    if line.emission is not None:
        return max(line.emission.si.cross_section)
    assert line.absorption is not None
    return max(spectrum.mccumber_emission(line.absorption.si, *balance).cross_section)


def _absorption_factor(line: "Radiative", balance: tuple[float, float]) -> float:
    """Integrated measured absorption over that which McCumber's relation implies; 1 where one is implied."""
    if line.emission is None or line.absorption is None:
        return 1.0
    implied = spectrum.mccumber_absorption(line.emission.si, *balance)
    return float(spectrum.einstein_B(line.absorption.si) / spectrum.einstein_B(implied))


def epsilon(energy: float, lower: tuple, upper: tuple, temperature: float) -> float:
    r"""McCumber's $\epsilon$ [J] for manifolds whose lowest sublevels lie `energy` [J] apart."""
    (below, g_lower), (above, g_upper) = zip(*lower, strict=True), zip(*upper, strict=True)
    shifted = [energy + e for e in above]
    return float(thermal.mccumber_epsilon(below, g_lower, shifted, g_upper, temperature))
