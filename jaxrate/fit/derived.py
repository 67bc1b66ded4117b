"""What follows from fitted parameters: A21, cross-section and lifetime, with their errors."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrate.experiment import Experiment
from jaxrate.fit.free import DATASET
from jaxrate.fit.result import Derived
from jaxrate.fit.task import Task
from jaxrate.fit.uncertainty import Solution
from jaxrate.model.processes import Radiative
from jaxrate.network.line import cross_sections, spontaneous
from jaxrate.observe import Lifetime
from jaxrate.observe.population import spontaneous_rate
from jaxrate.solve.solution import Solution as Populations

Reading = tuple[str, str, Callable[[Populations], Any]]
"""Name, unit, and how it is read off parameters."""


def derived(fit: Solution, experiments: Sequence[Experiment], level: float) -> tuple[Derived, ...]:
    """What follows from the parameters, each once; what does not depend on a free one is left out.

    What depends on a parameter that every data set has for itself is told for each of them.
    """
    groups = dict(fit.task.layout.free.groups)
    shared = {where[0] for where in groups.values() if len(where) == 1}
    datasets = list(dict.fromkeys(str(d) for m in fit.task.data for d in m.dataset))
    found: dict[str, Derived] = {}
    for experiment in experiments:
        for name, unit, read in _readings(experiment, groups):
            for k, dataset in enumerate(datasets):
                value, slope = _differentiated(fit, experiment, read, k)
                own = [i for i in np.flatnonzero(slope).tolist() if i not in shared]
                title = f"{name} [{dataset}]" if own else name
                if slope.any() and np.isfinite(value) and title not in found:
                    found[title] = Derived(title, unit, *_interval(fit, value, slope, level))
                if not own:
                    break
    return tuple(found.values())


def _readings(experiment: Experiment, free: Collection[str]) -> list[Reading]:
    lines = [p for p in experiment.model.processes if isinstance(p, Radiative)]
    network = experiment.network
    found: list[Reading] = []
    for process in lines:
        line = network.line(process.label)
        found.append((f"A21 of {process.label}", "s^-1", lambda s, line=line: spontaneous_rate(s, line)))
        if line.shape == "spectrum" and f"{process.label}.spontaneous_factor" in free:
            found.append((f"radiative lifetime by the spectrum of {process.label}", "s", _by_spectrum(line)))
        if line.shape not in ("none", "spectrum"):
            found.append((f"peak emission cross-section of {process.label}", "m^2", _peak(line)))
    uppers = dict.fromkeys(network.line(p.label).upper for p in lines)
    for level in (experiment.model.level_names[i] for i in uppers):
        found.append((f"lifetime of {level}", "s", Lifetime(level).of))
    return found


def _peak(line: Any) -> Callable[[Populations], Any]:
    def read(solution: Populations) -> Any:
        values = tuple(solution.parameters[name] for name in line.names)
        return cross_sections(line.form, line.constants, values, solution.parameters[f"{line.label}.frequency"])[0]

    return read


def _by_spectrum(line: Any) -> Callable[[Populations], Any]:
    """Füchtbauer and Ladenburg's lifetime: 1/A21 at a spontaneous factor of 1."""
    factor = f"{line.label}.spontaneous_factor"

    def read(solution: Populations) -> Any:
        values = tuple(1.0 if name == factor else solution.parameters[name] for name in line.emission_names)
        return 1.0 / spontaneous(line.form, line.constants, values)

    return read


def _differentiated(
    fit: Solution, experiment: Experiment, read: Callable[[Populations], Any], dataset: int
) -> tuple[float, np.ndarray]:
    """Logarithm of a reading of a data set, and its derivatives by the coordinates."""

    def logarithm(u: Any) -> Any:
        return jnp.log(jnp.reshape(read(_populations(fit, experiment, u, dataset)), ()))

    with jax.enable_x64(True):
        value, slope = jax.jit(jax.value_and_grad(logarithm))(jnp.asarray(fit.u))
        return float(value), np.asarray(slope)


def _interval(fit: Solution, centre: float, slope: np.ndarray, level: float) -> tuple[float, float, float]:
    r"""Value and interval by $\sigma^2 = g^T C g$ of its logarithm."""
    half = fit.quantile(level) * np.sqrt(fit.variance(slope))
    with np.errstate(over="ignore"):
        value, low, high = np.exp([centre, centre - half, centre + half]).tolist()
    return value, low, high


def _populations(fit: Solution, experiment: Experiment, u: Any, dataset: int) -> Populations:
    """A solution whose populations nothing reads."""
    network, task = experiment.network, fit.task
    theta: Mapping[str, Any] = task.layout.free.values(jnp.asarray(task.base), u[:, None], _first_state(task, dataset))
    varied = {name: jnp.reshape(x, (1,)) for name, x in theta.items() if name in network.order}
    base = jnp.asarray(network.base)
    for name, value in task.stated.fixed.items():
        base = base.at[network.order[name]].set(value) if name in network.order else base
    return Populations(
        jnp.zeros((network.num_levels, 1)), jnp.zeros(1, jnp.int8), network.parameters(base, varied), network
    )


def _first_state(task: Task, dataset: int) -> dict[str, Any]:
    """Conditions of the first state, for ties that read them."""
    data = task.data[0]
    return {name: jnp.asarray(x[:1]) for name, x in data.conditions.items()} | {DATASET: jnp.full(1, float(dataset))}
