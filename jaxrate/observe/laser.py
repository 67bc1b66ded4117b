"""Light that leaves a cavity, and the power that its pump gives to the medium."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import jax.numpy as jnp

from jaxrate.constants import h
from jaxrate.model.fields import Beam, Cavity, driven_lines
from jaxrate.model.model import Model
from jaxrate.model.processes import Process, Pump
from jaxrate.names import unknown
from jaxrate.network.coefficients import Parameters
from jaxrate.network.dynamics import event_rates
from jaxrate.network.mass_action import MassAction
from jaxrate.network.network import Network
from jaxrate.observe.observable import Observable
from jaxrate.observe.power import NetPower
from jaxrate.physics.thermal import planck_occupation
from jaxrate.solve.solution import Solution
from jaxrate.units import to_energy


def cavities(model: Model) -> list[Cavity]:
    """Every cavity of a model."""
    return [p for p in model.processes if isinstance(p, Cavity)]


def cavity_of(model: Model, label: str | None, what: str) -> Cavity:
    """The cavity of that label, or the only one of the model.

    Raises:
        ValueError: there is none of that label, or none is named where there is not exactly one.
    """
    labels = [p.label for p in cavities(model)]
    if label is None and len(labels) != 1:
        found = f"has the cavities {', '.join(f'`{name}`' for name in labels)}" if labels else "has no `Cavity`"
        raise ValueError(f"{what} must be of one cavity, but the model {found}: name one, cavity='...'.")
    wanted = labels[0] if label is None else label
    for process in cavities(model):
        if process.label == wanted:
            return process
    raise ValueError(f"{what}: {unknown('Cavity', wanted, labels, 'this model')}")


def photons_of(network: Network, label: str) -> int:
    """Position of the photons of a cavity among the populations."""
    return next(i for i, p in enumerate(network.populations) if p.is_photons and p.name == label)


def wall_photons(parameters: Mapping[str, Any], cavity: Cavity) -> Any:
    r"""$M\,\bar n(\nu, T)$: photons that thermal walls keep in the modes of a cavity without a medium."""
    occupation = planck_occupation(parameters[cavity.frequency_name()], parameters[f"{cavity.label}.temperature"])
    return parameters[f"{cavity.label}.num_modes"] * occupation


@dataclass(frozen=True)
class OutputPower(Observable):
    r"""Useful power of a laser or a maser, $h\nu\,T\,(\phi - \phi_w)/\tau_c$ [W].

    T is the `output_coupling`, the share of the lost photons that leave as output, and $\phi_w$ the thermal photons of
    the walls, which come in at the same rate as they leave: negative where the medium cools the mode.

    Args:
        cavity: Label of the `Cavity`.
    """

    cavity: str
    unit = "W"

    @property
    def long_name(self) -> str:
        return f"output power of {self.cavity}"

    def check(self, network: Network) -> None:
        cavity_of(network.model, self.cavity, "OutputPower")

    def of(self, solution: Solution) -> Any:
        cavity, theta = cavity_of(solution.model, self.cavity, "OutputPower"), solution.parameters
        photons = solution.populations[photons_of(solution.network, self.cavity)] - wall_photons(theta, cavity)
        leaving = theta[f"{self.cavity}.output_coupling"] / theta[f"{self.cavity}.photon_lifetime"]
        return h * theta[cavity.frequency_name()] * leaving * photons


def lane_parameters(solution: Solution) -> Parameters:
    """The parameters of a block of lanes: what an observable is given inside a program."""
    return cast(Parameters, solution.parameters)


def growth(network: Network, parameters: Parameters, n: Any, cavity: str) -> Any:
    """Events that each photon of a cavity takes part in [s^-1], counted by what they add to it: gain less loss.

    Populations n are of shape (population, lane); coefficients that depend on them are those of this moment.
    """
    place = photons_of(network, cavity)
    taking = MassAction(network, tuple(i for i, r in enumerate(network.reactions) if place in r.reactants))
    K = taking.coefficients(parameters.exchange(network.named_populations(n)), n.shape[1])
    return taking.jacobian(K, list(n))[place, place]


@dataclass(frozen=True)
class GainOverLoss(Observable):
    r"""Photons that a photon gains over those it loses, $G\tau_c$: just below 1 in a steady laser, 1 at threshold.

    It is the inversion over that at threshold, where the gain is proportional to it.

    Args:
        cavity: Label of the `Cavity`.
    """

    cavity: str

    @property
    def long_name(self) -> str:
        return f"gain over loss of {self.cavity}"

    def check(self, network: Network) -> None:
        cavity_of(network.model, self.cavity, "GainOverLoss")

    def of(self, solution: Solution) -> Any:
        rate = growth(solution.network, lane_parameters(solution), solution.populations, self.cavity)
        return 1.0 + rate * solution.parameters[f"{self.cavity}.photon_lifetime"]


@dataclass(frozen=True)
class AbsorbedPump(Observable):
    r"""Power that a pump gives to the medium in the mode of a cavity, $\Delta E\,R\,V$ [W].

    R are its events per volume and V the mode volume, over which the densities of the medium are counted: there are
    N V atoms in the mode. The `overlap` does not enter, since V is the part of the mode that the medium fills.

    Args:
        pump: Label of the `Pump`, or of a `Beam`, whose power is what its lines take from it.
        energy: $\Delta E$ of an event of a `Pump`: "12370 cm^-1", "1.6 eV", "808 nm", or in J; by default the
            difference of its levels' energies.
        cavity: Label of the `Cavity`; by default the only one.
    """

    pump: str
    energy: str | float | None = None
    cavity: str | None = None
    unit = "W"

    def __post_init__(self) -> None:
        if self.energy is not None:
            object.__setattr__(self, "energy", float(to_energy(self.energy, f"energy of {self.pump}")))

    @property
    def long_name(self) -> str:
        return f"absorbed power of {self.pump}"

    def check(self, network: Network) -> None:
        cavity_of(network.model, self.cavity, "AbsorbedPump")
        process = pump_of(network.model, self.pump)
        if isinstance(process, Beam):
            for line in driven_lines(process):
                NetPower(line, self.pump).check(network)
        elif self.energy is None:
            _gap(network.model, process)

    def of(self, solution: Solution) -> Any:
        network, process = solution.network, pump_of(solution.model, self.pump)
        volume = solution.parameters[f"{cavity_of(solution.model, self.cavity, 'AbsorbedPump').label}.mode_volume"]
        if isinstance(process, Beam):
            return -volume * sum(NetPower(line, self.pump).of(solution) for line in driven_lines(process))
        events = event_rates(network, lane_parameters(solution), solution.populations)
        (row,) = (i for i, r in enumerate(network.reactions) if r.process == self.pump)
        energy = _gap(solution.model, process) if self.energy is None else self.energy
        return jnp.asarray(energy) * events[row] * volume


def pump_of(model: Model, label: str) -> Process:
    """The pump of that label: a `Pump`, or a `Beam`."""
    pumps = {p.label: p for p in model.processes if isinstance(p, Pump | Beam)}
    if label not in pumps:
        raise ValueError(unknown("Pump or Beam", label, list(pumps), "this model"))
    return pumps[label]


def _gap(model: Model, pump: Process) -> float:
    """Energy that an event of a pump takes up [J]."""
    if model.joins_levels(pump):
        lower, upper = model.ends(pump)
        if lower.joules is not None and upper.joules is not None:
            return upper.joules - lower.joules
    raise ValueError(
        f"`{pump.label}`: state the `energy` of the levels that it joins, or that of an event, "
        f"AbsorbedPump('{pump.label}', energy='1.5 eV')."
    )
