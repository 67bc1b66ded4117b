"""How long light lasts, read off a path in time."""

from dataclasses import dataclass
from typing import Any

from jaxrate.arrays import namespace
from jaxrate.observe.population import OfLine, spontaneous_rate
from jaxrate.solve.solution import Solution

FAINT = 1e-200
"""Share of the brightest moment below which light counts as none, so that no logarithm of it is taken."""

TERMS = 18
"""Of a power series for exponents below 1, to the last bit."""


@dataclass(frozen=True)
class DecayTime(OfLine):
    r"""Decay time of a line's fluorescence [s]: when its photons come on average, $\int t F\,dt / \int F\,dt$.

    A function of a whole path, from `jr.evolve` or under `jr.Evolve`; $t$ counts from the first time of the path, and
    the scale of the light does not matter. Where one lifetime rules it is that lifetime, from whichever moment on; of
    a sum $\sum_i a_i e^{-t/\tau_i}$ it is the intensity-weighted mean $\sum_i a_i\tau_i^2 / \sum_i a_i\tau_i$; of light
    that rises first it includes the rise. Unlike `Lifetime`, which counts what empties one level, it includes
    everything that feeds the level again.

    Between two times the light is taken to be exponential, so a few times suffice. What comes after the last one is
    left out, as in a measurement over that window: of one lifetime, 10 of them leave out 5e-4 and 20 of them 4e-8.

    Args:
        label: Label of the `Radiative`.

    Returns:
        Seconds, shape (*batch). NaN where the line emits nothing.

    Raises:
        ValueError: on a steady state, which has no times.
    """

    unit = "s"
    pointwise = False

    @property
    def long_name(self) -> str:
        return f"decay time of {self.label}"

    def of(self, solution: Solution) -> Any:
        if solution.times is None:
            raise ValueError(
                f"The decay time of `{self.label}` is read off a path in time, not off a steady state: use jr.evolve, "
                "or jr.Evolve in an Experiment."
            )
        line = self.line(solution)
        return mean_time(solution.times, spontaneous_rate(solution, line) * solution.populations[line.upper])


def mean_time(times: Any, light: Any) -> Any:
    r"""Mean time of emission after the first time, $\int t F\,dt / \int F\,dt$.

    Args:
        times: Increasing [s], shape (time,).
        light: Not negative, in any unit, shape (time, lane).

    Returns:
        Seconds, shape (lane,); NaN without light.
    """
    times = (times - times[0])[:, None]
    early, length = times[:-1], times[1:] - times[:-1]
    amount, moment = _between(light / namespace(light).max(light, axis=0))
    return (length * (early * amount + length * moment)).sum(axis=0) / (length * amount).sum(axis=0)


def _between(light: Any) -> tuple[Any, Any]:
    r"""$\int_0^1 F\,ds$ and $\int_0^1 s F\,ds$ between neighbouring times, of $F = a e^{-xs}$ that leads from a to b.

    Where an end is dark there is no such exponential, but a straight line.
    """
    xp, a, b = namespace(light), light[:-1], light[1:]
    lit = (a > FAINT) & (b > FAINT)
    x = xp.log(xp.where(lit, a, 1.0) / xp.where(lit, b, 1.0))
    steep = abs(x) > 1
    divisor, near = xp.where(steep, x, 1.0), xp.where(steep, 0.0, x)
    amount = xp.where(steep, (a - b) / divisor, a * _series(near, 1))
    moment = xp.where(steep, (amount - b) / divisor, a * _series(near, 2))
    return xp.where(lit, amount, (a + b) / 2), xp.where(lit, moment, (a + 2 * b) / 6)


def _series(x: Any, first: int) -> Any:
    r"""$\int_0^1 s^m e^{-xs}\,ds = \sum_k \frac{(-x)^k}{k!\,(k+m+1)}$, with m + 1 = `first`."""
    total = 0.0 * x
    for k in reversed(range(TERMS)):
        total = 1.0 / (k + first) - x / (k + 1) * total
    return total
