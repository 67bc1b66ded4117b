"""Observables: what is read off a solution. Each is a pure function of it, computed inside the blocks that solve.

A `Solution` from `jr.steady_state` has its batch axes where a block has its lane axis, so the same observable is
called on either.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxrate.constants import h
from jaxrate.network.coefficients import Parameters, product
from jaxrate.network.line import Line, cross_sections, spontaneous
from jaxrate.network.network import Network, Reaction
from jaxrate.solve.batch import read_batch
from jaxrate.solve.lanes import run
from jaxrate.solve.solution import Solution
from jaxrate.solve.status import Status
from jaxrate.solve.steady import Steady


class Observable:
    """Something read off a solution: call it on one, or name it in an `Experiment`.

    Attributes:
        unit: SI unit of its values.
        axis: Name of its leading axis, with its coordinate in SI units; None for one number a lane.
    """

    unit: ClassVar[str] = "1"

    @property
    def axis(self) -> tuple[str, np.ndarray, str] | None:
        """(name, values, unit) of the leading axis of its values; None where a lane has one number."""
        return None

    @property
    def long_name(self) -> str:
        """What it is, for labels."""
        raise NotImplementedError

    def check(self, network: Network) -> None:
        """Refuse a model it cannot be read off, before anything is solved."""
        raise NotImplementedError

    def of(self, solution: Solution) -> Any:
        """Its value in a block of lanes, shape (lane,) or (axis, lane)."""
        raise NotImplementedError

    def __call__(self, solution: Solution) -> Any:
        """Its value of every ensemble, shape (*batch) or (axis, *batch); NaN where the status is not 0."""
        if isinstance(solution.parameters, Parameters):
            return self.of(solution)
        self.check(solution.network)
        return _read(self, solution)


@dataclass(frozen=True)
class _Reading:
    """Kernel that reads an observable off populations that are solved already."""

    network: Network
    observable: Observable

    @property
    def lane_bytes(self) -> int:
        return 64 * (self.network.num_levels + len(self.network.names))

    @property
    def has_short_way(self) -> bool:
        return False

    def __call__(self, base: Any, block: dict[str, Any], lanes: int, short: bool) -> dict[str, Any]:
        populations, status = block.pop("populations"), block.pop("status")
        solved = status == Status.OK
        varied = {name: jnp.where(solved, x, base[self.network.order[name]]) for name, x in block.items()}
        solution = Solution(populations, status, self.network.parameters(base, varied), self.network)
        value = self.observable.of(solution)
        return {"value": jnp.where(solved, jnp.broadcast_to(value, (*value.shape[:-1], lanes)), jnp.nan)}


def _read(observable: Observable, solution: Solution) -> Any:
    network = solution.network
    values = {n: v for n, v in solution.parameters.items() if np.ndim(v) or v is not network.model.parameters()[n]}
    batch = read_batch({**values, "populations": solution.populations, "status": solution.status}, {"populations": 1})
    return run(_Reading(network, observable), network.base, batch)["value"]


@dataclass(frozen=True)
class Population(Observable):
    """Population of a level, a fraction of its species' density.

    Args:
        level: Name of the level.
    """

    level: str

    @property
    def long_name(self) -> str:
        return f"population of {self.level}"

    def check(self, network: Network) -> None:
        network.model.index(self.level, "Population")

    def of(self, solution: Solution) -> Any:
        return solution[self.level]


@dataclass(frozen=True)
class _OfLine(Observable):
    label: str

    def line(self, solution: Solution) -> Line:
        """The line it belongs to."""
        return solution.network.line(self.label)

    def check(self, network: Network) -> None:
        network.line(self.label)


@dataclass(frozen=True)
class Inversion(_OfLine):
    r"""Inversion of a line, $n_u - \frac{g_u}{g_l} n_l$, a fraction of its species' density.

    Args:
        label: Label of the `Radiative`.
    """

    @property
    def long_name(self) -> str:
        return f"inversion of {self.label}"

    def of(self, solution: Solution) -> Any:
        line = self.line(solution)
        return solution.populations[line.upper] - line.weight * solution.populations[line.lower]


@dataclass(frozen=True)
class _AtFrequency(_OfLine):
    """Something of a line at one frequency or at many."""

    frequency: Any = None

    def __post_init__(self) -> None:
        if self.frequency is not None:
            given = np.asarray(self.frequency, dtype=np.float64)
            if given.ndim > 1 or not np.all(given > 0):
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


def _probe(network: Network, label: str) -> str | None:
    """The beam at whose frequency a line is read, if one drives it."""
    beams = [r.field for r in network.reactions if r.process == label and f"{r.field}.intensity" in network.order]
    beams = list(dict.fromkeys(beams))
    if len(beams) > 1:
        raise ValueError(f"`{label}` is driven by {', '.join(f'`{b}`' for b in beams)}: say at which `frequency` [Hz].")
    return beams[0] if beams else None


@dataclass(frozen=True)
class Gain(_AtFrequency):
    r"""Gain coefficient $\gamma(\nu) = N(\sigma_e n_u - \sigma_a n_l)$ [m^-1]; positive where it amplifies.

    Args:
        label: Label of the `Radiative`.
        frequency: Of the light [Hz], a number or a list (a leading axis `frequency`); by default that of the beam
            that drives the line, or line centre without one. A list is read as a weak probe sees it.
    """

    unit = "m^-1"

    @property
    def long_name(self) -> str:
        return f"gain of {self.label}"

    def check(self, network: Network) -> None:
        super().check(network)
        _need_density(network, self.label, "gain")

    def of(self, solution: Solution) -> Any:
        line, (emission, absorption) = self.line(solution), self.cross_sections(solution)
        populations = solution.populations
        net = emission * populations[line.upper] - absorption * populations[line.lower]
        return solution.parameters[line.density] * net


def _need_density(network: Network, label: str, what: str) -> None:
    line = network.line(label)
    if line.density not in network.order and line.density not in dict(network.derived):
        raise ValueError(f"The {what} of `{label}` needs the model's `density`: state density='1e26 m^-3'.")


@dataclass(frozen=True)
class CrossSection(_AtFrequency):
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


@dataclass(frozen=True)
class SaturationIntensity(_AtFrequency):
    r"""Intensity [W m^-2] that halves the small-signal inversion of a line, whatever feeds and empties its levels.

    One beam on one line changes the rates of a linear network by one term, so its inversion is exactly
    $\Delta n = \Delta n_0/(1 + I/I_{sat})$ with $I_{sat} = h\nu/[\sigma_e T]$, and $T$ the inversion that a flow of one
    atom a second from the upper to the lower level takes away, all other processes running. $T$ is $(1+g_u/g_l)\tau$
    of a closed two-level atom, $\tau_2 + \frac{g_u}{g_l}\tau_1(1-\tau_2/\tau_{21})$ of a four-level one.

    Args:
        label: Label of the `Radiative`; of beams that drive it the intensity is taken as zero.
        frequency: As for `Gain`.
    """

    unit = "W m^-2"

    @property
    def long_name(self) -> str:
        return f"saturation intensity of {self.label}"

    def check(self, network: Network) -> None:
        super().check(network)
        Steady().check(network)

    def of(self, solution: Solution) -> Any:
        emission, _ = self.cross_sections(solution)
        return h * self.light(solution)[0] / (emission * recovery_time(solution, self.line(solution)))


def recovery_time(solution: Solution, line: Line) -> Any:
    """T [s] of `SaturationIntensity`: what a flow from the upper to the lower level takes away from the inversion.

    A small rate at which every level is moved to level i shifts the populations by the response to a source at i less
    that to the populations themselves. The difference of two such responses is that to a flow from one to the other.
    """
    lanes = solution.populations.shape[-1]
    probed, names = _with_probes(solution.network, line)
    dark, zero, one = _without_beams(solution, line), jnp.zeros(lanes), jnp.ones(lanes)

    def inversion(to_upper: Any, to_lower: Any) -> Any:
        values = {**dark, names[0]: to_upper, names[1]: to_lower}
        assert isinstance(solution.parameters, Parameters)
        n, _ = Steady().solve(probed, solution.parameters.exchange(values), lanes)
        return n[line.upper] - line.weight * n[line.lower]

    return jax.jvp(inversion, (zero, zero), (one, -one))[1]


@lru_cache(maxsize=256)
def _with_probes(network: Network, line: Line) -> tuple[Network, tuple[str, str]]:
    """The network with two rates more: from every level of the line's species to its upper, and to its lower level."""
    names = f"{line.label}.to upper", f"{line.label}.to lower"
    species = network.populations[line.upper].species
    levels = [i for i, p in enumerate(network.populations) if p.species == species]
    probes = [
        Reaction(name, "probe", "", (level,), (end,), product, (name,))
        for name, end in zip(names, (line.upper, line.lower), strict=True)
        for level in levels
        if level != end
    ]
    return replace(network, reactions=(*network.reactions, *probes)), names


def _without_beams(solution: Solution, line: Line) -> dict[str, Any]:
    beams = {r.field for r in solution.network.reactions if r.process == line.label and r.field}
    names = [f"{beam}.intensity" for beam in beams if f"{beam}.intensity" in solution.network.order]
    return {name: jnp.zeros(solution.populations.shape[-1]) for name in names}


def _unforced(network: Network) -> list[int]:
    """Reactions that go on without pump and light."""
    return [i for i, r in enumerate(network.reactions) if r.moves_one and not r.field and r.role != "pump"]


def _leaving(solution: Solution, level: int) -> Any:
    """Total rate at which a level empties by itself [s^-1]."""
    network = solution.network
    total = jnp.zeros(solution.populations.shape[-1])
    for r in _unforced(network):
        reaction = network.reactions[r]
        if reaction.reactants == (level,):
            values = tuple(solution.parameters[name] for name in reaction.names)
            total = total + reaction.law(reaction.form, reaction.constants, values)
    return total


@dataclass(frozen=True)
class Lifetime(Observable):
    r"""Lifetime [s] of a level: $1/\sum R$ over everything that empties it without pump or light.

    Args:
        level: Name of the level.
    """

    level: str
    unit = "s"

    @property
    def long_name(self) -> str:
        return f"lifetime of {self.level}"

    def check(self, network: Network) -> None:
        network.model.index(self.level, "Lifetime")

    def of(self, solution: Solution) -> Any:
        return 1.0 / _leaving(solution, solution.model.index(self.level))


def _spontaneous(solution: Solution, line: Line) -> Any:
    return spontaneous(line.form, line.constants, tuple(solution.parameters[name] for name in line.emission_names))


@dataclass(frozen=True)
class BranchingRatio(_OfLine):
    r"""Share of its upper level's decay that a line takes: $A\,\tau$.

    Args:
        label: Label of the `Radiative`.
    """

    @property
    def long_name(self) -> str:
        return f"branching ratio of {self.label}"

    def of(self, solution: Solution) -> Any:
        line = self.line(solution)
        return _spontaneous(solution, line) / _leaving(solution, line.upper)


@dataclass(frozen=True)
class Fluorescence(_OfLine):
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
        _need_density(network, self.label, "fluorescence")

    def of(self, solution: Solution) -> Any:
        line = self.line(solution)
        rate = _spontaneous(solution, line) * solution.populations[line.upper]
        return h * solution.parameters[f"{line.label}.frequency"] * solution.parameters[line.density] * rate


@dataclass(frozen=True)
class NetPower(_OfLine):
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
        _need_density(network, self.label, "power")
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
class ThermalEmission(_OfLine):
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


def describe(name: str, observable: Any) -> tuple[str, str]:
    """(long name, unit) of an observable; of any other function its name and nothing."""
    if isinstance(observable, Observable):
        return observable.long_name, observable.unit
    return name, ""
