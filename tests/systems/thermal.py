r"""Equilibrium with blackbody radiation: Boltzmann's populations, whatever the scheme of the levels.

$p_i = g_i e^{-E_i/kT}/Z$, $\partial p_i/\partial T = p_i\,(E_i - \langle E\rangle)/kT^2$
"""

import numpy as np

import jaxrate as jr
from jaxrate.constants import k
from tests.systems.system import Slopes, System, Theta, Values


def _model(seed: int, n: int) -> jr.Model:
    """A random tree of lines, so that none is redundant, and a few more."""
    rng = np.random.default_rng(seed)
    energies = [0.0, *np.sort(rng.uniform(100, 3000, n - 1))]
    levels = [jr.Level(f"{i}", energy=f"{e} cm^-1", g=int(rng.integers(1, 12))) for i, e in enumerate(energies)]
    pairs = {(j, int(rng.integers(j))) for j in range(1, n)} | {(n - 1, 0), (n - 1, 1)}
    lines = [jr.Radiative(f"{j}-{i}", f"{j} -> {i}", A=10.0 ** rng.uniform(-3, 8)) for j, i in sorted(pairs)]
    field = jr.Blackbody("walls", drives=[line.label for line in lines], temperature="300 K")
    return jr.Model(levels[::-1], [*lines, field])


def scheme(seed: int, n: int) -> System:
    """A random scheme of n levels in a cavity whose walls are at some temperature."""
    model = _model(seed, n)
    energies = np.array([level.joules for level in model.levels], float)
    weights = np.array([level.g for level in model.levels], float)

    def exact(theta: Theta) -> tuple[Values, Slopes]:
        T = np.asarray(theta["walls.temperature"], float)
        terms = weights[:, None] * np.exp(-energies[:, None] / (k * T))
        p = terms / terms.sum(0)
        slope = p * (energies[:, None] - energies @ p) / (k * T**2)
        names = [level.name for level in model.levels]
        return dict(zip(names, p, strict=True)), {name: {"walls.temperature": slope[i]} for i, name in enumerate(names)}

    observables = {level.name: jr.Population(level.name) for level in model.levels}
    return System(f"thermal {n}", model, {"walls.temperature": np.array([90.0, 300.0, 2000.0])}, observables, exact)


SYSTEMS = [scheme(1, 4)]
