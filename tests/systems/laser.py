r"""A laser of three levels, pumped past its lower level, its spontaneous seed included; exact at any pump.

With K of one photon, $P = NV$, $g = g_2/g_1$ and $n_2 - gn_1 = W(k_e - gA)/D$, $D = D_0 + D_1K\phi$, the balance of the
photons is a quadratic equation with one positive root:

$\frac{D_1K}{\tau_c}\phi^2 + \left[\frac{D_0}{\tau_c} - PKW(k_e - gA + gK)\right]\phi - PKWk_e = 0$ with
$D_0 = (W+k_q)k_e + (W+k_e)A$, $D_1 = (W+k_q)g + W + k_e$.
"""

from collections.abc import Callable
from math import pi
from typing import Any

import numpy as np

import jaxrate as jr
from jaxrate.constants import h
from tests.systems.system import Slopes, System, Theta, Values

NU, FWHM, INDEX, G = 2.817e14, 1.2e11, 1.82, 4 / 12
DENSITY, VOLUME = 1e22, 1e-10
QUENCH, EMPTY = 2900.0, 3e7
SIGMA = 2.8e-23
CAVITY = ("pump.rate", "cavity.photon_lifetime", "laser.B")


def model(**cavity: Any) -> jr.Model:
    """Levels 0, 1, 2 and a cavity of 1e12 atoms, with a photon lifetime of 10 ns."""
    line = jr.Radiative(
        "laser",
        "2 -> 1",
        cross_section=SIGMA,
        frequency=NU,
        lineshape=jr.Lorentzian(fwhm=FWHM),
        n=INDEX,
    )
    stated = {"couples": "laser", "photon_lifetime": "100 ns", "mode_volume": VOLUME, **cavity}
    processes = [
        jr.Pump("pump", "0 -> 2", rate="2e4 s^-1"),
        line,
        jr.Decay("quench", "2 -> 0", rate=QUENCH),
        jr.Decay("empty", "1 -> 0", rate=EMPTY),
        jr.Cavity("cavity", **stated),
    ]
    energies = ("0 cm^-1", "2111 cm^-1", "11507 cm^-1")
    levels = [jr.Level(str(i), energy=e, g=g) for i, (e, g) in enumerate(zip(energies, (10, 12, 4), strict=True))]
    return jr.Model(levels, processes, density=DENSITY)


def coefficients(B: Any) -> tuple[Any, Any]:
    """A and K of a photon [s^-1], from B."""
    peak = 2 / (pi * FWHM)
    return jr.einstein.A_from_B(B, NU, n=INDEX), h * NU * B * peak / VOLUME


def threshold(lifetime: Any, B: Any) -> Any:
    """Pump rate [s^-1] at which the gain without light equals the loss, spontaneous emission into the mode apart."""
    A, K = coefficients(B)
    needed = 1 / (K * DENSITY * VOLUME * lifetime)
    return needed * EMPTY * (QUENCH + A) / (EMPTY - G * A - needed * (EMPTY + A))


def solved(pump: Any, lifetime: Any, B: Any) -> Values:
    """Photons and inversion."""
    A, K = coefficients(B)
    D0, D1 = (pump + QUENCH) * EMPTY + (pump + EMPTY) * A, (pump + QUENCH) * G + pump + EMPTY
    fed = DENSITY * VOLUME * K * pump
    a, b, c = D1 * K / lifetime, D0 / lifetime - fed * (EMPTY - G * A + G * K), fed * EMPTY
    photons = positive_root(a, b, c)
    return {"photons": photons, "inversion": pump * (EMPTY - G * A) / (D0 + D1 * K * photons)}


def positive_root(a: Any, b: Any, c: Any) -> Any:
    """Of a x^2 + b x - c, where nothing is cancelled."""
    root = np.sqrt(b * b + 4 * a * c)
    lasing = np.real(b) < 0
    return np.where(lasing, (root - b) / (2 * a), 2 * c / (root + np.where(lasing, 0, b)))


def by_complex_steps(values: Callable[..., Values], names: tuple[str, ...], theta: Theta) -> tuple[Values, Slopes]:
    """Values and slopes of a closed form, without a difference: the imaginary part of a step of 1e-30."""
    given = [np.asarray(theta[name], float) for name in names]
    found = values(*given)
    slopes: Slopes = {o: {} for o in found}
    for i, name in enumerate(names):
        moved = values(*(x + 1e-30j * x if i == j else x for j, x in enumerate(given)))
        for o in found:
            slopes[o][name] = np.imag(moved[o]) / (1e-30 * given[i])
    return found, slopes


def exact(theta: Theta) -> tuple[Values, Slopes]:
    return by_complex_steps(solved, CAVITY, theta)


B = model().parameters()["laser.B"]
ABOVE = np.array([0.1, 0.5, 0.9, 0.99, 1.01, 1.1, 2.0, 20.0])
"""Pump over that of threshold."""
LIFETIME = np.geomspace(3e-8, 3e-7, len(ABOVE))

SYSTEMS = [
    System(
        "laser",
        model(),
        {
            "pump.rate": ABOVE * threshold(LIFETIME, B),
            "cavity.photon_lifetime": LIFETIME,
            "laser.B": np.full(len(ABOVE), B),
        },
        {"photons": jr.Population("cavity"), "inversion": jr.Inversion("laser")},
        exact,
    )
]
