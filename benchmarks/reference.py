"""The exact answers, to 50 digits, from the statement alone: no line of it goes through jaxrate.

Every number that a lane was given is taken as it is, binary digits and all, so that what is left is the error of the
solution and not that of its input.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

import mpmath
import numpy as np
from mpmath import mp, mpf

from benchmarks.media import DECADES, DENSITY, FREQUENCY, FWHM, INDEX, VARIED, Large, Step

DIGITS = 50
GUARD = 30  # digits that the elimination may lose; it pivots, and subtracts

Transition = tuple[int, int, Any]
"""From level, to level, rate [s^-1]."""


def _constants() -> tuple[mpf, mpf, mpf]:
    """h [J s], c [m s^-1] and k [J K^-1], exact by the definition of the SI."""
    return mpf("6.62607015e-34"), mpf(299792458), mpf("1.380649e-23")


def _peak() -> mpf:
    """Lorentzian at line centre [s]."""
    return mpf(2) / (mp.pi * mpf(FWHM))


def four_level_rates(theta: Mapping[str, Any]) -> dict[str, mpf]:
    r"""The six rates of the four-level medium.

    $A_{21} = 8\pi h\nu^3 n^3 B / c^3$ and $W = \sigma I/h\nu$ with $\sigma = \frac{n h \nu}{c} B\,g(0)$.
    """
    h, c, _ = _constants()
    given = {name: mpf(value) for name, value in theta.items()}
    wavenumber = mpf(INDEX) * mpf(FREQUENCY) / c
    spontaneous = 8 * mp.pi * h * wavenumber**3 * given.pop("laser.B")
    W = cross_section(spontaneous) * given.pop("signal.intensity") / (h * mpf(FREQUENCY))
    return {**given, "spontaneous": spontaneous, "stimulated": W}


def cross_section(A: Any, frequency: float = FREQUENCY, n: float = INDEX) -> mpf:
    r"""$\sigma = \frac{\lambda^2 A}{8\pi n^2}\,g(0)$ [m^2]."""
    return (_constants()[1] / (mpf(n) * mpf(frequency))) ** 2 * A / (8 * mp.pi) * _peak()


def four_level_transitions(rates: Mapping[str, Any]) -> list[Transition]:
    """The four-level medium; levels of equal degeneracy."""
    return [
        (0, 3, rates["pump.rate"]),
        (3, 2, rates["relax.rate"]),
        (2, 1, rates["spontaneous"]),
        (2, 1, rates["stimulated"]),
        (1, 2, rates["stimulated"]),
        (2, 0, rates["quench.rate"]),
        (1, 0, rates["empty.rate"]),
    ]


def large_transitions(medium: Large, pump: Any) -> list[Transition]:
    r"""The large medium: $R_{lu} = R_{ul}\frac{g_u}{g_l}e^{-h\Delta\nu/kT}$ in collisions, the beam on one line."""
    h, _, k = _constants()
    nu, g = [mpf(x) for x in medium.energies], medium.degeneracies
    line = medium.lines[medium.driven]
    centre = nu[line.upper] - nu[line.lower]
    W = cross_section(mpf(line.rate), float(centre), 1.0) * mpf(medium.intensity) / (h * centre)

    def up(s: Step) -> Any:
        boltzmann = mp.exp(-h * (nu[s.upper] - nu[s.lower]) / (k * mpf(medium.temperature)))
        return mpf(s.rate) * g[s.upper] / g[s.lower] * boltzmann

    return [
        (0, len(nu) - 1, mpf(pump)),
        (line.upper, line.lower, W),
        (line.lower, line.upper, W * g[line.upper] / g[line.lower]),
        *((s.upper, s.lower, mpf(s.rate)) for s in (*medium.lines, *medium.collisions, *medium.decays)),
        *((s.lower, s.upper, up(s)) for s in medium.collisions),
    ]


def populations(num_levels: int, transitions: Iterable[Transition]) -> list[mpf]:
    """Steady state: the balance of every level but the last, whose row is the norm."""
    K = mpmath.zeros(num_levels, num_levels)
    for source, to, rate in transitions:
        K[to, source] += mpf(rate)
        K[source, source] -= mpf(rate)
    K[num_levels - 1, :] = mpmath.ones(1, num_levels)
    right = mpmath.zeros(num_levels, 1)
    right[num_levels - 1] = 1
    return list(mpmath.lu_solve(K, right))


def four_level(rates: Mapping[str, Any]) -> list[mpf]:
    """Populations of the four-level medium, and its inversion n2 - n1 after them."""
    n = populations(4, four_level_transitions(rates))
    return [*n, n[2] - n[1]]


def exactly(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function in so many digits that 50 are left."""

    @wraps(function)
    def precise(*args: Any, **kwargs: Any) -> Any:
        with mp.workdps(DIGITS + GUARD):
            return function(*args, **kwargs)

    return precise


@exactly
def of_rates(rates: Mapping[str, float]) -> list[mpf]:
    """Populations and inversion of the four-level medium from its rates."""
    return four_level(rates)


@exactly
def of_parameters(theta: Mapping[str, Any]) -> list[mpf]:
    """Populations and inversion of the four-level medium from the parameters that a user states."""
    return four_level(four_level_rates(theta))


@exactly
def of_large(medium: Large, pump: float) -> list[mpf]:
    """Populations of the large medium."""
    return populations(len(medium.energies), large_transitions(medium, pump))


@exactly
def gain(theta: Mapping[str, Any]) -> mpf:
    r"""$\gamma = N\sigma(n_2 - n_1)$ of the four-level medium [m^-1]."""
    rates = four_level_rates(theta)
    return mpf(DENSITY) * cross_section(rates["spontaneous"]) * four_level(rates)[-1]


@exactly
def slopes(theta: Mapping[str, float]) -> list[mpf]:
    """Derivatives of the inversion of the four-level medium by its parameters, in the order of `VARIED`.

    Difference quotients, with as many more digits as their steps cost.
    """

    def slope(name: str) -> mpf:
        return mpmath.diff(
            lambda value: four_level(four_level_rates({**theta, name: value}))[-1], mpf(theta[name]), relative=True
        )

    return [slope(name) for name in VARIED]


@exactly
def grid_mean(theta: Mapping[str, float], num_points: Mapping[str, int]) -> mpf:
    """Mean gain over `quadrature_axes` with so many points, from at most 40 along each: see there."""

    def nodes(name: str) -> list[mpf]:
        num, low = min(num_points[name], 40), mpf(theta[name]) / 10
        return [low * mpf(10) ** (DECADES * (1 - mp.cospi((k + mpf(0.5)) / num)) / 2) for k in range(num)]

    first, second = num_points
    values = [gain({**theta, first: a, second: b}) for a in nodes(first) for b in nodes(second)]
    return mp.fsum(values) / len(values)


@exactly
def relative_error(found: Iterable[float], exact: Iterable[mpf]) -> float:
    """Largest relative error; NaN where a number is not finite."""
    errors = [abs(mpf(float(x)) - e) / abs(e) for x, e in zip(found, exact, strict=True)]
    return float(np.max([float(e) for e in errors]))
