"""Power that a line emits and exchanges with light."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from jaxrate.constants import h
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

    Args:
        label: Label of the `Radiative`.
        field: Label of the `Beam` or `Blackbody`; by default all that drive the line.
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
        network, line = solution.network, self.line(solution)
        power = jnp.zeros(solution.populations.shape[-1])
        for reaction in _driving(network, self.label, self.field):
            values = tuple(solution.parameters[name] for name in reaction.names)
            flow = reaction.law(reaction.form, reaction.constants, values) * solution.populations[reaction.reactants[0]]
            power = (
                power + (1 if reaction.role == "stimulated emission" else -1) * self._photon(solution, reaction) * flow
            )
        return solution.parameters[line.density] * power

    def _photon(self, solution: Solution, reaction: Reaction) -> Any:
        beam = f"{reaction.field}.frequency"
        return h * solution.parameters[beam if beam in solution.network.order else f"{self.label}.frequency"]


def _driving(network: Network, label: str, field: str | None) -> list[Reaction]:
    return [r for r in network.reactions if r.process == label and r.field and field in (None, r.field)]


@dataclass(frozen=True)
class ThermalEmission(OfLine):
    r"""Net power per volume radiated into blackbody radiation, $h\nu N(A n_u + W_{21}n_u - W_{12}n_l)$ [W m^-3].

    It is zero in equilibrium with the radiation, and negative where the medium is heated by it.

    Args:
        label: Label of the `Radiative`.
        field: Label of the `Blackbody`; by default all that drive the line.
    """

    field: str | None = None
    unit = "W m^-3"

    @property
    def long_name(self) -> str:
        return f"thermal emission of {self.label}"

    def check(self, network: Network) -> None:
        NetPower(self.label, self.field).check(network)

    def of(self, solution: Solution) -> Any:
        return Fluorescence(self.label).of(solution) + NetPower(self.label, self.field).of(solution)
