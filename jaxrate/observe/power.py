"""Power that a line emits and exchanges with light."""

from dataclasses import dataclass, replace
from typing import Any, cast

from jaxrate.constants import h
from jaxrate.model.channels import Path
from jaxrate.model.fields import Blackbody, Cavity
from jaxrate.model.model import Model
from jaxrate.network.coefficients import Parameters
from jaxrate.network.dynamics import event_rates
from jaxrate.network.network import Network, Reaction
from jaxrate.observe.light import need_density
from jaxrate.observe.population import OfLine, spontaneous_rate
from jaxrate.solve.solution import Solution


@dataclass(frozen=True)
class Fluorescence(OfLine):
    r"""Power emitted spontaneously on a line per volume, $h\nu A N n_u$ [W m^-3].

    Args:
        label: Label of the `Radiative`.
    """

    unit = "W m^-3"

    @property
    def long_name(self) -> str:
        return f"fluorescence of {self.label}"

    def check(self, network: Network) -> None:
        super().check(network)
        need_density(network, self.label, "fluorescence")

    def of(self, solution: Solution) -> Any:
        line = self.line(solution)
        rate = spontaneous_rate(solution, line) * solution.populations[line.upper]
        return h * solution.parameters[f"{line.label}.frequency"] * solution.parameters[line.density] * rate


@dataclass(frozen=True)
class NetPower(OfLine):
    r"""Power per volume that a line gives to a field, $h\nu N(W_{21}n_u - W_{12}n_l)$ [W m^-3]; negative: it absorbs.

    To a cavity it gives $h\nu\,[K N_u(\phi + M) - K\frac{g_u}{g_l}N_l\phi]$, spontaneous light into its M modes
    included: in a steady state, of all its lines, what leaves the cavity over the mode volume.

    Args:
        label: Label of the `Radiative`.
        field: Label of the `Beam`, `Blackbody` or `Cavity`; by default all that drive the line.
    """

    field: str | None = None
    unit = "W m^-3"

    @property
    def long_name(self) -> str:
        return f"net power of {self.label} to {self.field or 'its fields'}"

    def check(self, network: Network) -> None:
        super().check(network)
        need_density(network, self.label, "power")
        if not _driving(network, self.label, self.field):
            raise ValueError(f"No field{f' `{self.field}`' if self.field else ''} drives `{self.label}`.")

    def of(self, solution: Solution) -> Any:
        driving = _driving(solution.network, self.label, self.field)
        alone = replace(solution.network, reactions=tuple(driving))
        events = event_rates(alone, cast(Parameters, solution.parameters), solution.populations)
        given = [-1.0 if reaction.role == "absorption" else 1.0 for reaction in driving]
        photons = [h * solution.parameters[_light(solution.model, self.label, r.field)] for r in driving]
        return sum(sign * photon * rate for sign, photon, rate in zip(given, photons, events, strict=True))


def _driving(network: Network, label: str, field: str | None) -> list[Reaction]:
    along = [p.label for p in network.model.processes if isinstance(p, Path)]  # whose rates only its solver knows
    known = [r for r in network.reactions if r.process == label and r.field and r.field not in along]
    return [r for r in known if field in (None, r.field)]


def _light(model: Model, label: str, field: str) -> str:
    """Parameter that is the frequency of a field on a line: its own, or that of the line."""
    process = next(p for p in model.processes if p.label == field)
    if isinstance(process, Cavity):
        return process.frequency_name(label)
    return f"{label if isinstance(process, Blackbody) else field}.frequency"


@dataclass(frozen=True)
class ThermalEmission(OfLine):
    r"""Net power per volume radiated into blackbody radiation, $h\nu N(A n_u + W_{21}n_u - W_{12}n_l)$ [W m^-3].

    It is zero in equilibrium with the radiation, and negative where the medium is heated by it.

    Args:
        label: Label of the `Radiative`.
        field: Label of the `Blackbody`; by default all that drive the line.

    Raises:
        ValueError: no `Blackbody` drives the line, or not the one that is named.
    """

    field: str | None = None
    unit = "W m^-3"

    @property
    def long_name(self) -> str:
        return f"thermal emission of {self.label}"

    def check(self, network: Network) -> None:
        Fluorescence(self.label).check(network)
        if not self._walls(network):
            named = f" `{self.field}`" if self.field else ""
            raise ValueError(f"No Blackbody{named} drives `{self.label}`: of other light, read jr.NetPower.")

    def of(self, solution: Solution) -> Any:
        walls = self._walls(solution.network)
        return Fluorescence(self.label).of(solution) + sum(NetPower(self.label, w).of(solution) for w in walls)

    def _walls(self, network: Network) -> list[str]:
        """Labels of the thermal fields meant."""
        thermal = {p.label for p in network.model.processes if isinstance(p, Blackbody)}
        return sorted(thermal & {r.field for r in _driving(network, self.label, self.field)})
