r"""A ruby laser: three levels of which two hold the atoms, pumped out of the ground level; exact at any pump.

Lossy, it is transparent at $W\tau = g$ as without its cavity. With $x = K\phi$, $A$ all of the decay and
$D = W + A + (1+g)x$: $n_2 = (W + gx)/D$, $n_2 - gn_1 = (W - gA)/D$, and the photons are the positive root of
$\frac{(1+g)K}{\tau_c}\phi^2 + \left[\frac{W+A}{\tau_c} - PK(W - gA + gK)\right]\phi - PKW = 0$.
"""

from typing import Any

import numpy as np

import jaxrate as jr
from jaxrate.constants import c
from tests.systems.laser import by_complex_steps, positive_root
from tests.systems.system import Slopes, System, Theta, Values

SIGMA, NU, INDEX, TAU = 2.5e-24, 4.318e14, 1.763, 3e-3
G = 0.5
DENSITY, VOLUME = 1.6e25, 1e-9
K = c * SIGMA / (INDEX * VOLUME)
VARIED = ("pump.rate", "cavity.photon_lifetime")


def model() -> jr.Model:
    line = jr.Radiative(
        "R1",
        "2 -> 1",
        cross_section=SIGMA,
        frequency=NU,
        lineshape=jr.Lorentzian(fwhm="330 GHz"),
        spontaneous_factor=0.0,
        n=INDEX,
    )
    processes = [
        line,
        jr.Decay("decay", "2 -> 1", rate=1 / TAU),
        jr.Pump("pump", "1 -> 2", rate="100 s^-1"),
        jr.Cavity("cavity", couples="R1", photon_lifetime="10 ns", mode_volume=VOLUME),
    ]
    return jr.Model([jr.Level("1", g=4), jr.Level("2", g=2)], processes, density=DENSITY)


def solved(pump: Any, lifetime: Any) -> Values:
    """Photons and inversion; what is emitted into the mode comes on top of the decay."""
    A, P = 1 / TAU + K, DENSITY * VOLUME
    photons = positive_root(
        (1 + G) * K / lifetime, (pump + A) / lifetime - P * K * (pump - G * A + G * K), P * K * pump
    )
    return {"photons": photons, "inversion": (pump - G * A) / (pump + A + (1 + G) * K * photons)}


def exact(theta: Theta) -> tuple[Values, Slopes]:
    return by_complex_steps(solved, VARIED, theta)


SYSTEMS = [
    System(
        "ruby laser",
        model(),
        {
            "pump.rate": np.array([0.1, 0.5, 0.6, 1.0, 2.0, 100.0]) / TAU,
            "cavity.photon_lifetime": np.array([1e-8, 1e-12, 1e-9, 1e-8, 3e-9, 1e-8]),
        },
        {"photons": jr.Population("cavity"), "inversion": jr.Inversion("R1")},
        exact,
    )
]
