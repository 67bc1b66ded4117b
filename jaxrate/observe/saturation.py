"""What light does to a line: the intensity that saturates it."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp

from jaxrate.constants import h
from jaxrate.model.channels import Path
from jaxrate.network.coefficients import Parameters, product
from jaxrate.network.line import Line
from jaxrate.network.network import Network, Reaction
from jaxrate.observe.dark import dark_network
from jaxrate.observe.light import AtFrequency
from jaxrate.solve.solution import Solution
from jaxrate.solve.steady import Steady


@dataclass(frozen=True)
class SaturationIntensity(AtFrequency):
    r"""Intensity [W m^-2] that halves the small-signal inversion of a line, whatever feeds and empties its levels.

    It is that of the medium: whatever light its cavities hold is left out, as are beams on the line.
    One beam on one line changes the rates of a linear network by one term, so its inversion is exactly
    $\Delta n = \Delta n_0/(1 + I/I_{sat})$ with $I_{sat} = h\nu/[\sigma_e T]$. Inversion means what light of this
    frequency sees, $n_u - \frac{\sigma_a}{\sigma_e} n_l$, and $T$ is how much of it a flow of one atom a second from
    the upper to the lower level takes away, all other processes running: $(1+g_u/g_l)\tau$ of a closed two-level
    atom, $\tau_2 + \frac{g_u}{g_l}\tau_1(1-\tau_2/\tau_{21})$ of a four-level one.

    Args:
        label: Label of the `Radiative`; of beams that drive it the intensity is taken as zero.
        frequency: As for `Gain`.

    Raises:
        ValueError: the line is inhomogeneous and its classes do not mix, so that each saturates by itself; or rates
            of the medium depend on populations, so that no one intensity halves the inversion.
    """

    unit = "W m^-2"

    @property
    def long_name(self) -> str:
        return f"saturation intensity of {self.label}"

    def check(self, network: Network) -> None:
        super().check(network)
        if any(isinstance(p, Path) for p in network.model.processes):
            raise ValueError(
                f"The saturation intensity of `{self.label}` is read off a steady state, jr.steady_state(model), not "
                "off an amplifier, whose own light saturates the line already."
            )
        Steady().check(network)
        if network.line(self.label).holes:
            raise ValueError(
                f"`{self.label}` is inhomogeneous: light saturates its classes one by one, so the line has no one "
                "saturation intensity. State mixing='fast' on it if its classes mix faster than that."
            )
        if nonlinear := dark_network(network).nonlinear:
            raise ValueError(
                f"`{self.label}` has no one saturation intensity: {', '.join(f'`{name}`' for name in nonlinear)} "
                "makes the rates of the medium depend on populations, so its inversion is not halved by one. Read "
                "jr.Gain at some intensities of a Beam."
            )

    def of(self, solution: Solution) -> Any:
        emission, absorption = self.cross_sections(solution)
        upper, lower = recovery_times(solution, self.line(solution))
        return h * self.light(solution)[0] / (emission * upper - absorption * lower)


def recovery_times(solution: Solution, line: Line) -> tuple[Any, Any]:
    """What a flow from the upper to the lower level takes away from the population of either [s].

    A small rate at which every level is moved to level i shifts the populations by the response to a source at i less
    that to the populations themselves. The difference of two such responses is that to a flow from one to the other.
    """
    lanes = solution.populations.shape[-1]
    probed, names = _with_probes(solution.network, line)
    dark, zero, one = _without_light(solution, line), jnp.zeros(lanes), jnp.ones(lanes)

    def populations(to_upper: Any, to_lower: Any) -> tuple[Any, Any]:
        values = {**dark, names[0]: to_upper, names[1]: to_lower}
        assert isinstance(solution.parameters, Parameters)
        n, _ = Steady().solve(probed, solution.parameters.exchange(values), lanes)
        return n[line.upper], n[line.lower]

    return jax.jvp(populations, (zero, zero), (one, -one))[1]


@lru_cache(maxsize=256)
def _with_probes(network: Network, line: Line) -> tuple[Network, tuple[str, str]]:
    """The dark network with two rates more: from every level of the line's species to its upper, and its lower one."""
    network = dark_network(network)
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


def _without_light(solution: Solution, line: Line) -> dict[str, Any]:
    """No beam on the line, and no photon in any cavity."""
    beams = {r.field for r in solution.network.reactions if r.process == line.label and r.field}
    names = [f"{beam}.intensity" for beam in beams if f"{beam}.intensity" in solution.network.order]
    names += [p.name for p in solution.network.populations if p.is_photons]
    return {name: jnp.zeros(solution.populations.shape[-1]) for name in names}
