"""Grids of the population profile: how their error falls, and what the solver says that it is (GRIDS).

The medium of one amplifier goes straight to the solver of profiles, on a grid that is asked for. Errors are those of
powers that leave, the largest of all channels and amplifiers, against a much finer grid.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any

import jax
import numpy as np

import jaxrate as jr
from benchmarks import erbium
from benchmarks.ensembles import in_precision
from benchmarks.measure import Case, Reading, read
from jaxrate.network.network import Network
from jaxrate.propagate import mutual, nodes, profile
from jaxrate.propagate.coupling import Guided
from jaxrate.propagate.medium import Medium
from jaxrate.propagate.newton import newton

GRIDS = (7, 13, 19, 25, 37, 49)
"""Nodes; the solver's own are 13, 25, 49 and, if need be, more."""
FINE = 481
"""Nodes of the reference: twenty times as fine as 25, which are enough for 1e-8; the solver takes 49 to be sure."""
TOLERANCES = (1e-4, 1e-6, 1e-8, 1e-10)
JUDGED = 16
"""Amplifiers of A1 that are compared with the reference: the first, which are the same however many there are."""
KNOWN: dict[str, Any] = {"rounds": 1, "in_process": False}
ROUNDING = 1e-13
"""What errors and estimates below it count as."""
NEWTON = 1e12
"""Pseudo-time of a start that is nearly the solution."""


@cache
def network() -> Network:
    """The fibre with light of both directions, as reactions."""
    return jr.Experiment(erbium.fibre()[0], erbium.amplifier(), {}).network


def medium(base: Any, own: Mapping[str, Any]) -> Medium:
    """One amplifier as the solver of profiles sees it; its parameters have shape (1,)."""
    guided = Guided(network())
    parameters = network().parameters(base, own)
    here = jax.tree.map(lambda x: x[..., 0], guided.coupling(parameters, 1))
    seen = {i for line in guided.lines for i in (line.upper, line.lower)}
    return Medium(
        local=mutual.local(guided, parameters),
        gain=here.gain,
        noise=here.noise,
        loss=here.loss,
        drive=here.drive,
        launched=here.launched,
        length=here.length,
        reflection=here.reflection,
        forward=guided.rays.forward,
        partner=guided.rays.partner,
        reduced=mutual.reduced(network(), seen),
    )


@cache
def on_grid(num: int) -> Callable[..., Any]:
    """Program: profile on so many nodes, powers that leave (channel,) and whether it converged."""

    def solved(base: Any, own: dict[str, Any], start: Any, time: Any) -> Any:
        found = newton(medium(base, own), nodes.grid(num), start, time)
        return found.x, found.left, found.converged

    return jax.jit(solved)


@cache
def to_tolerance() -> Callable[..., profile.Profile]:
    """Program: the solver as a user meets it, to a tolerance."""

    def solved(base: Any, own: dict[str, Any], rtol: Any) -> profile.Profile:
        return profile.solve(medium(base, own), rtol, np.array([0.0, 1.0]))

    return jax.jit(solved)


def own_of(lane: int) -> dict[str, Any]:
    """Parameters of one amplifier, each of shape (1,)."""
    theta = erbium.lane_of(erbium.draw(lane + 1), lane)
    return {name: np.reshape(value, 1) for name, value in network().spread(theta).items()}


def solved_on(num: int, lane: int) -> tuple[np.ndarray, np.ndarray]:
    """Profile (unknown, node) and powers that leave (channel,) on one grid.

    Raises:
        RuntimeError: Newton's method ended elsewhere.
    """
    start, time = np.zeros((1, num)), 1.0
    if num > GRIDS[-1]:
        start, time = profile_on(GRIDS[-1], lane)[0] @ nodes.interpolation(GRIDS[-1], nodes.grid(num).nodes).T, NEWTON
    with jax.enable_x64(True):
        x, left, converged = on_grid(num)(network().base, own_of(lane), start, np.array(time))
    if not converged:
        raise RuntimeError(f"amplifier {lane} has no solution on {num} nodes")
    return np.asarray(x), np.asarray(left)


profile_on = cache(solved_on)


def leaving(lanes: int, num: int) -> np.ndarray:
    """Powers that leave the first amplifiers, on one grid, shape (channel, lane)."""
    return np.stack([profile_on(num, lane)[1] for lane in range(lanes)], axis=-1)


def relative_errors(found: np.ndarray) -> np.ndarray:
    """Of powers (channel, lane) that leave the first amplifiers, against the reference."""
    return np.abs(found / leaving(found.shape[-1], FINE) - 1)


def largest_errors(found: np.ndarray) -> np.ndarray:
    """Of each amplifier, shape (lane,)."""
    return np.max(relative_errors(found), axis=0)


def grids(lanes: int) -> list[Case]:
    """GRIDS: the error on each grid, and what the solver estimates at each tolerance."""
    fixed = [_case(on_nodes(num), lanes, partial(_on_one, lanes, i)) for i, num in enumerate(GRIDS)]
    return fixed + [_case(to_rtol(rtol), lanes, partial(_to_one, lanes, rtol)) for rtol in TOLERANCES]


def on_nodes(num: int) -> str:
    """Name of a line of the table."""
    return f"{num} nodes"


def to_rtol(rtol: float) -> str:
    """Name of a line of the table."""
    return f"rtol {rtol:.0e}".replace("e-0", "e-")


def _case(name: str, lanes: int, call: Callable[[], Any]) -> Case:
    return Case("GRIDS", name, "float64", lanes, in_precision("float64", call), lambda error: error, **KNOWN)


def _on_one(lanes: int, rung: int) -> Reading:
    """Error, and between the grid before and this one the power of the node distance that it falls with."""
    errors = [largest_errors(leaving(lanes, num)).max() for num in GRIDS[max(0, rung - 1) : rung + 1]]
    reading = read(lambda: [solved_on(GRIDS[rung], lane) for lane in range(lanes)])
    reading = replace(reading, output=float(errors[-1]))
    if rung == 0:
        return reading
    steps = (GRIDS[rung] - 1) / (GRIDS[rung - 1] - 1)
    first, second = np.maximum(errors, ROUNDING)
    return replace(reading, facts={"order_ratio": float(np.log(first / second) / np.log(steps))})


def _to_one(lanes: int, rtol: float) -> Reading:
    """Error to a tolerance, what the solver says it is, and the least of any amplifier's ratio of both."""
    reading = read(lambda: [to_tolerance()(network().base, own_of(lane), rtol) for lane in range(lanes)])
    found = reading.output
    said = np.array([float(p.error) for p in found])
    errors = largest_errors(np.stack([np.asarray(p.leaving) for p in found], axis=-1))
    facts = {
        "estimate_error": float(np.max(said)),
        "honesty_ratio": float(np.min(np.maximum(said, ROUNDING) / np.maximum(errors, ROUNDING))),
        "mean_nodes": float(np.mean([int(p.nodes) for p in found])),
    }
    return replace(reading, output=float(np.max(errors)), facts=facts)
