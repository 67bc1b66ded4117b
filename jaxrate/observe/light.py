"""What a line does to light: cross-sections and gain."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxrate.network.classes import probe_sections
from jaxrate.network.holes import is_class
from jaxrate.network.line import Line, cross_sections
from jaxrate.network.network import Network
from jaxrate.observe.population import OfLine
from jaxrate.solve.solution import Solution


@dataclass(frozen=True)
class AtFrequency(OfLine):
    """Something of a line at one frequency or at many."""

    frequency: Any = None

    def __post_init__(self) -> None:
        if self.frequency is not None:
            given = np.asarray(self.frequency, dtype=np.float64)
            if given.ndim > 1 or not np.all((given > 0) & (given < np.inf)):
                raise ValueError("`frequency` must be a positive number or a list of them in Hz.")
            object.__setattr__(self, "frequency", float(given) if given.ndim == 0 else tuple(given.tolist()))

    @property
    def axis(self) -> tuple[str, np.ndarray, str] | None:
        return ("frequency", np.array(self.frequency), "Hz") if isinstance(self.frequency, tuple) else None

    def check(self, network: Network) -> None:
        line = network.line(self.label)
        if line.shape == "none":
            raise ValueError(f"`{self.label}` has no lineshape, so no cross-section: state `lineshape` on it.")
        if self.frequency is None:
            _probe(network, self.label)

    def light(self, solution: Solution) -> tuple[Any, Any]:
        """Frequency and width of the light [Hz]: as asked for, else that of the beam, else line centre."""
        if self.frequency is not None:
            return jnp.asarray(self.frequency)[..., None] if self.axis else self.frequency, 0.0
        beam = _probe(solution.network, self.label)
        if beam is None:
            return solution.parameters[f"{self.label}.frequency"], 0.0
        return solution.parameters[f"{beam}.frequency"], solution.parameters[f"{beam}.fwhm"]

    def cross_sections(self, solution: Solution) -> tuple[Any, Any]:
        """sigma_e and sigma_a [m^2] at the frequency of the light."""
        line, (frequency, fwhm) = self.line(solution), self.light(solution)
        values = tuple(solution.parameters[name] for name in line.names)
        return cross_sections(line.form, line.constants, values, frequency, fwhm)

    def of_classes(self, solution: Solution) -> Any:
        line = self.line(solution)
        if not is_class(line):
            _refuse_still(solution, line)
            return self.of(solution)
        return self.of_sections(solution, self.class_sections(solution))

    def class_sections(self, solution: Solution) -> tuple[Any, Any]:
        """sigma_e and sigma_a [m^2] of every class, (class, ..., lane), as weak light of its frequency sees them."""
        nodes, (frequency, fwhm) = solution.classes.nodes, self.light(solution)
        return probe_sections(self.line(solution), solution.parameters, nodes, frequency, fwhm)

    def of_sections(self, solution: Solution, sections: tuple[Any, Any]) -> Any:
        """Its value in a block of lanes from the cross-sections of every class."""
        raise NotImplementedError


def _over_classes(share: Any, section: Any) -> Any:
    """Sum over classes of (class, lane) with (class, ..., lane)."""
    return jnp.sum(share.reshape(share.shape[0], *(1,) * (section.ndim - 2), -1) * section, axis=0)


def _refuse_still(solution: Solution, line: Line) -> None:
    """Refuse a Doppler line without a homogeneous width where its atoms have classes of velocity."""
    species = solution.network.populations
    moving = [x for x in solution.network.lines if x.shape == "voigt-doppler class"]
    shared = any(species[x.upper].species == species[line.upper].species for x in moving)
    if line.shape == "doppler" and line.holes and shared:
        raise ValueError(
            f"`{line.label}` has no homogeneous width, so that it would show holes infinitely sharp: state "
            "lineshape=jr.Voigt(fwhm_lorentzian='10 MHz', mass=...), with the width of one atom as `fwhm_lorentzian`."
        )


def _probe(network: Network, label: str) -> str | None:
    """The beam at whose frequency a line is read, if one drives it."""
    beams = [r.field for r in network.reactions if r.process == label and f"{r.field}.intensity" in network.order]
    beams = list(dict.fromkeys(beams))
    if len(beams) > 1:
        raise ValueError(f"`{label}` is driven by {', '.join(f'`{b}`' for b in beams)}: say at which `frequency` [Hz].")
    return beams[0] if beams else None


@dataclass(frozen=True)
class Gain(AtFrequency):
    r"""Gain coefficient $\gamma(\nu) = N(\sigma_e n_u - \sigma_a n_l)$ [m^-1]; positive where it amplifies.

    Args:
        label: Label of the `Radiative`.
        frequency: Of the light [Hz], a number or a list (a leading axis `frequency`); by default that of the beam
            that drives the line, or line centre without one. A list is read as a weak probe sees it: with `classes`
            in the solver the holes of light that runs the same way.
    """

    unit = "m^-1"

    @property
    def long_name(self) -> str:
        return f"gain of {self.label}"

    def check(self, network: Network) -> None:
        super().check(network)
        need_density(network, self.label, "gain")

    def of(self, solution: Solution) -> Any:
        line, (emission, absorption) = self.line(solution), self.cross_sections(solution)
        populations = solution.populations
        net = emission * populations[line.upper] - absorption * populations[line.lower]
        return solution.parameters[line.density] * net

    def of_sections(self, solution: Solution, sections: tuple[Any, Any]) -> Any:
        line, weight, n = self.line(solution), solution.classes.nodes.weight, solution.classes.populations
        upper, lower = (
            _over_classes(weight * n[i], x) for i, x in zip((line.upper, line.lower), sections, strict=True)
        )
        return solution.parameters[line.density] * (upper - lower)


def need_density(network: Network, label: str, what: str) -> None:
    """Refuse a model without a density for something that is per volume."""
    line = network.line(label)
    if line.density not in network.order and line.density not in dict(network.derived):
        raise ValueError(f"The {what} of `{label}` needs the model's `density`: state density='1e26 m^-3'.")


@dataclass(frozen=True)
class CrossSection(AtFrequency):
    r"""Stimulated-emission cross-section $\sigma_e(\nu)$ [m^2].

    Args:
        label: Label of the `Radiative`.
        frequency: As for `Gain`.
    """

    unit = "m^2"

    @property
    def long_name(self) -> str:
        return f"emission cross-section of {self.label}"

    def of(self, solution: Solution) -> Any:
        return self.cross_sections(solution)[0]

    def of_sections(self, solution: Solution, sections: tuple[Any, Any]) -> Any:
        return _over_classes(solution.classes.nodes.weight, sections[0])
