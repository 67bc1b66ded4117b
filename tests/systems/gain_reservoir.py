r"""A medium as a reservoir of gain: $\tau\dot q = g_0L - q - \frac{P}{P_{sat}}(e^q - 1)$, $G = e^q$.

Its steady state is the saturated homogeneous amplifier, $\ln(G_0/G) = (G-1)s$, so
$G = \mathcal W(sG_0e^s)/s$ with Lambert's function; a pulse that is short against tau leaves
$e^{-q} = 1 - (1 - 1/G_0)e^{-F}$, which is Frantz and Nodvik's.
"""

from typing import Any

import numpy as np
from scipy.special import lambertw

import jaxrate as jr
from tests.systems.system import Slopes, System, Theta, Values

TAU = 1e-3


def model(**parameters: float) -> jr.Model:
    """Named as in the equation; s is the power over that of saturation; further parameters are for drives."""
    processes = [
        jr.Pump("pump", " -> q", rate=jr.expr("g0L / tau")),
        jr.Decay("decay", "q -> ", rate=jr.expr("1 / tau")),
        jr.Decay("light", "q -> ", rate=jr.expr("s * expm1(q) / (q * tau)")),
    ]
    return jr.Model(
        [], processes, reservoirs=[jr.Reservoir("q")], parameters={"g0L": 1.0, "s": 0.1, "tau": TAU, **parameters}
    )


def gain(solution: jr.Solution) -> Any:
    """Logarithm of the gain."""
    return solution["q"]


def exact(theta: Theta) -> tuple[Values, Slopes]:
    g0L, s = (np.asarray(theta[name], float) for name in ("g0L", "s"))
    G = np.real(lambertw(s * np.exp(g0L + s))) / s
    return {"q": np.log(G)}, {"q": {"g0L": 1 / (1 + s * G), "s": -(G - 1) / (1 + s * G)}}


def after_pulse(G0: Any, fluence: Any) -> Any:
    """q after a pulse of a fluence in units of that of saturation."""
    return -np.log1p(-(1 - 1 / G0) * np.exp(-fluence))


SYSTEMS = [
    System(
        "gain reservoir",
        model(),
        {"g0L": np.log([1000.0, 1000.0, 3.0, 1.5]), "s": np.array([1e-3, 0.1, 1.0, 30.0])},
        {"q": gain},
        exact,
        jr.Steady(start={"q": 1.0}),
    )
]
