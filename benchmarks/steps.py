"""STEPS: what a step of the stiff engine costs, by the number of populations, and how many operations it is.

The engine itself is timed, on one block of lanes as it solves them, which is the work of one core. Steps that are
rejected count as steps, in time and in operations.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import lasers, operations
from benchmarks.ensembles import in_precision, is_remote
from benchmarks.measure import Case, Reading, read
from benchmarks.stiff import ROUNDS
from jaxrate.network.compile import compile_network
from jaxrate.network.network import Network
from jaxrate.solve import stiff
from jaxrate.solve.lanes import WIDE
from jaxrate.solve.motion import Motion
from jaxrate.solve.rosenbrock import START, Integrator, Lane, Tolerance

RTOL, MAX_STEPS = 1e-6, 100_000


def name_of(num_populations: int) -> str:
    """Name of a line of the table."""
    return f"{num_populations} populations"


def steps(lanes: int) -> list[Case]:
    """The turn-on of lasers with 3, 5, 8 and 12 populations."""
    return [_case(num, lanes) for num in lasers.SIZES]


def _case(num_populations: int, lanes: int) -> Case:
    def call() -> Reading:
        reading = read(run)
        _, status, taken = map(np.asarray, reading.output)
        if np.any(status):
            raise RuntimeError(f"{np.count_nonzero(status)} of {lanes} lanes have no path")
        facts = {
            "step_seconds": reading.seconds / int(np.sum(taken)),
            "mean_steps": float(np.mean(taken)),
            "slowest_ratio": float(np.max(taken) / np.mean(taken)),
        }
        return replace(reading, facts=facts)

    run = program(num_populations, lanes)
    known: dict[str, Any] = {"detail": "one block", "rounds": ROUNDS}
    known["about"] = lambda: step_operations(num_populations, lanes)
    return Case("STEPS", name_of(num_populations), "float64", lanes, in_precision("float64", call), **known)


def program(num_populations: int, lanes: int) -> Callable[[], Any]:
    """A call of the engine, to populations (population, time, lane), status (lane,) and steps (lane,)."""
    network, theta = compile_network(lasers.ladder(num_populations)), parameters(num_populations, lanes)
    path = jax.jit(_path_of(network, lanes), compiler_options=None if is_remote() else WIDE)
    return lambda: path(jnp.asarray(network.base), theta)


def parameters(num_populations: int, lanes: int) -> dict[str, np.ndarray]:
    r"""Those of random lasers that the ladder has.

    One that ends in its own ground level has to be pumped half empty before there is gain: $2r + 1/\tau$ is as far
    above its threshold as r is above that of four levels.
    """
    drawn = lasers.draw(lanes)
    if num_populations == 3:
        r = lasers.rates_of(drawn)
        drawn["pump.rate"] = 2 * drawn["pump.rate"] + r["A"] + r["quench"]
    known = compile_network(lasers.ladder(num_populations)).order
    return {name: values for name, values in drawn.items() if name in known}


def _path_of(network: Network, lanes: int) -> Callable[..., Any]:
    def path(base: jax.Array, theta: dict[str, jax.Array]) -> Any:
        return _integrator(network, base).path(_inputs(network, base, theta, lanes), jnp.ones(lanes, bool))

    return path


def _integrator(network: Network, base: jax.Array) -> Integrator:
    tolerance = Tolerance(RTOL, stiff.smallest(network), max_steps=MAX_STEPS)
    times, never = jnp.append(jnp.asarray(lasers.TIMES), jnp.inf), jnp.array([jnp.inf])
    return Integrator(Motion(network), tolerance, base, times, never)


def _inputs(network: Network, base: jax.Array, theta: dict[str, Any], lanes: int) -> dict[str, jax.Array]:
    motion = Motion(network)
    start = jnp.zeros((motion.size, lanes)).at[0].set(1.0)
    return {**motion.inputs(network.parameters(base, theta), theta, lanes), START: start}


def step_operations(num_populations: int, lanes: int) -> dict[str, float]:
    """Operations of a step of one lane: its Jacobian, factors, stages and error, not what it puts out."""
    network, theta = compile_network(lasers.ladder(num_populations)), parameters(num_populations, lanes)
    with jax.enable_x64(True):
        base = jnp.asarray(network.base)
        inputs = _inputs(network, base, {name: jnp.asarray(values) for name, values in theta.items()}, lanes)

        def step(inputs: dict[str, jax.Array], lane: Lane) -> Any:
            how = _integrator(network, base)
            return how.step(how.moving(inputs), lane)

        return operations.per_lane(operations.counted(step, inputs, _integrator(network, base).begin(inputs)), lanes)
