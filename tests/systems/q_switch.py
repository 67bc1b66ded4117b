r"""A Q-switched pulse by Wagner and Lengyel, and the laser it comes from: an inversion and its photons, nothing else.

$\dot N = P - \frac{N}{\tau} - kN\frac{\phi}{V}$, $\dot\phi = kN\phi - \frac{\phi}{\tau_c}$. Of a pulse, $P = 0$ and
$\tau = \infty$, the share x of the inversion that is left obeys $1 - x = -\ln(x)/r$, and at any time
$\phi/n_t = r - n/n_t - \ln(r n_t/n)$ with $n_t$ of threshold, so that the peak is $r - 1 - \ln r$. Pumped steadily it
rings with $\gamma = r/2\tau$ and $\omega^2 = (r-1)/\tau\tau_c - \gamma^2$.

Source:
    W. G. Wagner, B. A. Lengyel, J. Appl. Phys. 34, 2040 (1963); A. E. Siegman, *Lasers* (1986), chapters 25 and 26.
"""

from typing import Any

import numpy as np
from scipy.special import lambertw

import jaxrate as jr
from tests.systems.system import Slopes, System, Theta, Values

K, VOLUME = 1e-14, 1e-9
LIFETIME, TAU = 10e-9, 230e-6
ATOMS = 1 / (K * LIFETIME)
"""Inversion of threshold [m^-3]: 1e13 atoms in the mode."""
CLOSED, OPENED = 2e-9, 1e-8
"""Lifetime of the photons before the switch opens, and when it does [s]."""


def model(**stated: Any) -> jr.Model:
    processes = [
        jr.Pump("pump", " -> N", rate=0.0),
        jr.Decay("decay", "N -> ", rate=0.0),
        jr.EnergyTransfer("emission", "N + cavity -> cavity + cavity", coefficient=K),
        jr.Cavity("cavity", photon_lifetime=LIFETIME, mode_volume=VOLUME, wavelength="1064 nm"),
    ]
    reservoirs = [jr.Reservoir("N")]
    return jr.Model([], processes, reservoirs=reservoirs, parameters={"open": LIFETIME}, **stated)


def evolve(times: Any, above: Any) -> jr.Evolve:
    """An inversion `above` that of threshold, and one photon; the switch opens after 10 ns."""
    switch = jr.Segments([(0, OPENED, CLOSED), (OPENED, np.inf, jr.expr("open"))])
    start = {"N": above * ATOMS, "cavity": 1.0}
    return jr.Evolve(times, start=start, drive={"cavity.photon_lifetime": switch}, rtol=1e-10)


def left(solution: jr.Solution) -> Any:
    """Share of the inversion that a pulse leaves."""
    return solution["N"] / (2 * ATOMS)


def extraction(r: Any) -> Any:
    """1 - x."""
    return 1 + np.real(lambertw(-r * np.exp(-r))) / r


def exact(theta: Theta) -> tuple[Values, Slopes]:
    """x = exp(-r(1 - x)), with r = 2 at the stated lifetime of the photons."""
    lifetime = np.asarray(theta["open"], float)
    r = 2 * lifetime / LIFETIME
    x = 1 - extraction(r)
    slope = -(1 - x) * x / (1 - r * x) * 2 / LIFETIME
    return {"left": x[None]}, {"left": {"open": slope[None]}}


SYSTEMS = [
    System(
        "Q-switch",
        model(),
        {"open": LIFETIME * np.array([0.75, 1.0, 1.5, 2.5])},
        {"left": left},
        exact,
        evolve(np.array([4e-6]), 2.0),
    )
]
