r"""An upper level that is pumped, decays, and is quenched in pairs; exact at any time.

$\dot n = W(1-n) - n/\tau - CN n^2 = a - bn - cn^2$; with $r = \sqrt{b^2+4ac}$ and the roots
$n_\pm = (\pm r - b)/2c$ of the right-hand side, $\frac{n-n_+}{n-n_-} = \frac{n_0-n_+}{n_0-n_-}e^{-rt}$. Without a pump
$N = N_0e^{-t/\tau}/[1 + N_0C\tau(1-e^{-t/\tau})]$.
"""

from typing import Any

import numpy as np

import jaxrate as jr
from tests.systems.laser import by_complex_steps
from tests.systems.system import Slopes, System, Theta, Values

DENSITY, TAU, PAIRS = 1e26, 1e-3, 2e-22
TIMES = np.array([0.0, 1e-6, 1e-5, 1e-4, 1e-3, 5e-3])
VARIED = ("pump.rate", "decay.rate", "pairs.coefficient")


def model(**stated: Any) -> jr.Model:
    """One quantum is lost where two excited particles meet: u + u -> u + g."""
    processes = [
        jr.Pump("pump", "g -> u", rate=0.0),
        jr.Decay("decay", "u -> g", rate=1 / TAU),
        jr.EnergyTransfer("pairs", "u + u -> u + g", coefficient=PAIRS),
    ]
    levels = [jr.Level("g", energy="0 eV"), jr.Level("u", energy="1 eV")]
    return jr.Model(levels, processes, density=DENSITY, **stated)


def solved(start: Any, t: Any, pump: Any, decay: Any, pairs: Any) -> Any:
    """The upper level at a time, from a start."""
    b, c = pump + decay, pairs * DENSITY
    r = np.sqrt(b * b + 4 * pump * c)
    left = np.exp(-r * t)
    gone = -np.expm1(-r * t) / r
    kept = start * (left + gone * 2 * pump * c / (r + b))
    return (kept + gone * pump) / (1 + gone * (c * start - 2 * pump * c / (r + b)))


def settled(pump: Any, decay: Any, pairs: Any) -> Any:
    """The steady state."""
    b = pump + decay
    return 2 * pump / (b + np.sqrt(b * b + 4 * pump * pairs * DENSITY))


def path(pump: Any, decay: Any, pairs: Any) -> Values:
    return {"u": solved(1.0, TIMES[:, None], pump, decay, pairs)}


def exact_path(theta: Theta) -> tuple[Values, Slopes]:
    return by_complex_steps(path, VARIED, theta)


def exact(theta: Theta) -> tuple[Values, Slopes]:
    return by_complex_steps(lambda *lane: {"u": settled(*lane)}, VARIED, theta)


THETA = {
    "pump.rate": np.array([1e-3, 1.0, 1e3, 1e6, 10.0]),
    "decay.rate": np.array([1e3, 1e3, 1e3, 1e3, 1.0]),
    "pairs.coefficient": PAIRS * np.array([1.0, 1.0, 1.0, 1.0, 100.0]),
}
READ = {"u": jr.Population("u")}

SYSTEMS = [
    System("quench, steady", model(), THETA, READ, exact),
    System("quench", model(), THETA, READ, exact_path, jr.Evolve(TIMES, start={"u": 1.0}, rtol=1e-11)),
]
