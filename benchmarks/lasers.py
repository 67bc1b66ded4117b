r"""Lasers: their turn-on through relaxation oscillations (N1); what powers.py and steps.py know of them.

One medium, drawn by what a user varies. It is pumped 0 -> 3, relaxes 3 -> 2, lases 2 -> 1, empties 1 -> 0, and is
quenched 2 -> 0. With K = c sigma / (n V), everything per atom, and photons counted in units of 1e8:

$\dot\phi = KVN[n_2(\phi+1) - n_1\phi] - \phi/\tau_c$

Every laser is 1.2 to 5 times above its threshold, the fastest relaxation 1e5 times the slowest, and its light starts
from spontaneous photons, 1e-8 of those that it ends with.
"""

from collections.abc import Callable, Mapping
from functools import cache
from math import pi
from typing import Any

import numpy as np

import jaxrate as jr
from benchmarks.ensembles import in_precision
from benchmarks.measure import Case
from benchmarks.stiff import ROUNDS, Problem, judge, told
from jaxrate.constants import c, h

FREQUENCY = 2.817e14  # Hz
FWHM = 1.2e11  # Hz
INDEX = 1.82
DENSITY = 2e22  # m^-3
MODE_VOLUME = 1e-10  # m^3
PHOTONS = 1e8
"""Unit in which the peers count photons, about what a laser ends with."""
SEED = 20240601

ABOVE = (1.2, 5.0)
"""Pump rate over that of threshold."""
RANGES = {
    "relax.rate": (1e8, 5e8),  # s^-1
    "empty.rate": (3e7, 3e8),  # s^-1
    "quench.rate": (2e3, 5e3),  # s^-1
    "cross-section": (2e-23, 4e-23),  # m^2
    "cavity.photon_lifetime": (1e-7, 4e-7),  # s
}
"""Drawn log-uniform. The pump rate follows from how far above threshold a laser is."""
VARIED = ("pump.rate", "relax.rate", "laser.B", "quench.rate", "empty.rate", "cavity.photon_lifetime")
RATES = ("pump", "relax", "A", "quench", "empty", "stimulated", "growth", "loss")
"""What the rate equations take, all in s^-1: stimulated is K times `PHOTONS`, growth KVN, loss 1/tau_c."""

TIMES = np.concatenate([np.geomspace(1e-6, 8e-5, 8), np.geomspace(1e-4, 4e-3, 42)])  # s
SCALE = (1.0, 1e-6, 1e-2, 1e-7, 1e-10)
"""Absolute tolerances over the relative one: what each level holds, and a hundredth of a photon, the first seed."""
START = (1.0, 0.0, 0.0, 0.0, 0.0)
SIZES = (3, 5, 8, 12)
"""Populations of the lasers whose steps are timed."""
RTOL, PEERS_RTOL = 3e-9, 1e-6
"""Of jaxrate: such that N1 comes to 1e-7 of the reference, and what the peers are given."""
AT_PEERS = f"jaxrate, rtol {PEERS_RTOL:.0e}".replace("e-0", "e-")
"""Name of a line of the table."""


def draw(lanes: int) -> dict[str, np.ndarray]:
    """Parameters of random lasers, the six of `VARIED` in SI, each of shape (lane,); of more the first are the same."""
    shares = np.random.default_rng(SEED).uniform(size=(lanes, 1 + len(RANGES))).T
    drawn = {name: low * (high / low) ** u for (name, (low, high)), u in zip(RANGES.items(), shares[1:], strict=True)}
    above = ABOVE[0] + (ABOVE[1] - ABOVE[0]) * shares[0]
    theta = drawn | {"laser.B": c * drawn.pop("cross-section") / (INDEX * h * FREQUENCY) * pi * FWHM / 2}
    theta = {name: theta.get(name, np.zeros(lanes)) for name in VARIED}
    return theta | {"pump.rate": above * threshold(theta)}


def rates_of(theta: Mapping[str, Any]) -> dict[str, Any]:
    """What the rate equations take, from what a user states; what is not given is that of `laser`."""
    coupling = cross_section(theta) * c / INDEX
    return {
        "pump": theta["pump.rate"],
        "relax": theta["relax.rate"],
        "A": jr.einstein.A_from_B(theta["laser.B"], FREQUENCY, n=INDEX),
        "quench": theta["quench.rate"],
        "empty": theta["empty.rate"],
        "stimulated": coupling / theta.get("cavity.mode_volume", MODE_VOLUME) * PHOTONS,
        "growth": coupling * theta.get("density", DENSITY),
        "loss": 1 / theta["cavity.photon_lifetime"],
    }


def cross_section(theta: Mapping[str, Any]) -> Any:
    """At line centre [m^2], from B."""
    return INDEX * h * FREQUENCY / c * theta["laser.B"] * 2 / (pi * theta.get("laser.fwhm", FWHM))


def threshold(theta: Mapping[str, Any]) -> Any:
    """Pump rate [s^-1] at which gain without light equals the loss of the cavity."""
    r = rates_of(theta)
    lifetime = 1 / (r["A"] + r["quench"])
    inversion = r["loss"] / r["growth"]
    inverted, held = 1 - r["A"] / r["empty"], 1 + r["A"] / r["empty"] + 1 / (r["relax"] * lifetime)
    return inversion / lifetime / (inverted - inversion * held)


def slope(y: Any, p: Any) -> tuple:
    """Rate equations of four levels (fractions) and of photons over `PHOTONS`; p as `RATES`."""
    pumped, relaxed = p[0] * y[0], p[1] * y[3]
    light = p[5] * y[4] * (y[2] - y[1])
    return (
        p[4] * y[1] + p[3] * y[2] - pumped,
        p[2] * y[2] + light - p[4] * y[1],
        relaxed - (p[2] + p[3]) * y[2] - light,
        pumped - relaxed,
        p[6] * (y[2] * (y[4] + 1e-8) - y[1] * y[4]) - p[7] * y[4],
    )


def rates(lanes: int) -> np.ndarray:
    """Of random lasers, shape (lane, rate)."""
    found = rates_of(draw(lanes))
    return np.stack([found[name] for name in RATES], axis=-1)


TURN_ON = Problem("N1", slope, rates, START, SCALE, TIMES, (0.0, 0.0, 0.0, 0.0, 1e-4))
"""Photons are judged relatively while they are few: they have to grow out of the right seed at the right time."""


@cache
def laser() -> jr.Model:
    """The laser as a user states it; its own numbers are those of the first one drawn."""
    theta = {name: float(values[0]) for name, values in draw(1).items()}
    return jr.Model(
        levels=[jr.Level(name) for name in "0123"],
        processes=[
            jr.Pump("pump", "0 -> 3", rate=theta["pump.rate"]),
            jr.Decay("relax", "3 -> 2", rate=theta["relax.rate"]),
            jr.Decay("quench", "2 -> 0", rate=theta["quench.rate"]),
            jr.Decay("empty", "1 -> 0", rate=theta["empty.rate"]),
            *_lasing("2 -> 1", theta),
        ],
        density=DENSITY,
    )


def _lasing(reaction: str, theta: Mapping[str, float]) -> list[Any]:
    """The laser line and its cavity."""
    B, lifetime = theta["laser.B"], theta["cavity.photon_lifetime"]
    return [
        jr.Radiative("laser", reaction, B=B, frequency=FREQUENCY, lineshape=jr.Lorentzian(FWHM), n=INDEX),
        jr.Cavity("cavity", couples="laser", photon_lifetime=lifetime, mode_volume=MODE_VOLUME),
    ]


def steady(theta: Mapping[str, Any]) -> np.ndarray:
    r"""Populations of the steady laser in closed form, photons last in natural numbers, shape (5, *batch).

    The levels follow linearly from the light $W = K\phi$, $n_2 = (e+W)/D(W)$ with $D = D_0 + D_1 W$ and e the rate at
    which level 1 empties. What is left is a quadratic for the photons, whose positive root is the laser:
    $\frac{D_1K}{\tau_c}\phi^2 + [\frac{D_0}{\tau_c} - F(e-A) - FK]\phi - Fe = 0$, $F = KVN$.
    """
    r = rates_of(theta)
    empty, loss, growth, K = r["empty"], r["loss"], r["growth"], r["stimulated"] / PHOTONS
    waiting, decay, inverting = 1 / r["pump"] + 1 / r["relax"], r["A"] + r["quench"], empty - r["A"]
    D0 = empty + r["A"] + waiting * decay * empty
    D1 = 2 + waiting * (decay + inverting)
    photons = _positive_root(D1 * K * loss, D0 * loss - growth * (inverting + K), -growth * empty)
    W = K * photons
    flow = decay * (empty + W) + W * inverting
    n = np.stack([flow / r["pump"], r["A"] + W, empty + W, flow / r["relax"]]) / (D0 + D1 * W)
    return np.concatenate([n, photons[None]])


def _positive_root(a: Any, b: Any, c: Any) -> Any:
    """Of a x^2 + b x + c with a > 0 > c, without cancellation."""
    s = np.sqrt(b**2 - 4 * a * c)
    return np.where(np.real(b) < 0, (s - b) / (2 * a), -2 * c / (b + s))


def output_power(theta: Mapping[str, Any]) -> np.ndarray:
    """Power that leaves the cavity [W], in closed form."""
    coupled = theta.get("cavity.output_coupling", 1.0)
    return h * FREQUENCY * coupled * steady(theta)[-1] / theta["cavity.photon_lifetime"]


def energy_balance(theta: Mapping[str, Any], populations: Any) -> Any:
    """What is pumped less what leaves, as photons of the cavity and by every other way from level 2, over the pumped.

    Args:
        theta: Parameters, shape (*batch).
        populations: Of the four levels, and the number of photons, shape (5, *batch).
    """
    r, n = rates_of(theta), populations
    pumped = r["pump"] * n[0]
    elsewhere = (r["A"] + r["quench"] - r["stimulated"] / PHOTONS) * n[2]
    return 1 - (elsewhere + n[4] * r["loss"] / (DENSITY * MODE_VOLUME)) / pumped


def turn_on(lanes: int) -> list[Case]:
    """N1: all populations of every laser at 50 times, from all in level 0 and no light."""
    runs = {name: told(TURN_ON, turn_on_run(lanes, rtol)) for name, rtol in (("jaxrate", RTOL), (AT_PEERS, PEERS_RTOL))}
    return [
        Case("N1", name, "float64", lanes, in_precision("float64", run), judge(TURN_ON), rounds=ROUNDS)
        for name, run in runs.items()
    ]


def turn_on_run(lanes: int, rtol: float = RTOL) -> Callable[[], np.ndarray]:
    """A call of jaxrate, to populations as `TURN_ON` counts them, shape (population, time, lane)."""
    model, theta = laser(), draw(lanes)

    def call() -> np.ndarray:
        path = jr.evolve(model, theta, TIMES, start={"0": 1.0}, rtol=rtol)
        return np.stack([*(np.asarray(path[name]) for name in "0123"), np.asarray(path["cavity"]) / PHOTONS])

    return call


def ladder(num_populations: int) -> jr.Model:
    """A laser with so many populations, photons included: pumped to the top of a ladder that it relaxes down."""
    theta = {name: float(values[0]) for name, values in draw(1).items()}
    top = num_populations - 2
    upper = min(2, top)
    rungs = range(top, upper, -1)
    relaxing = [jr.Decay(f"relax {k}", f"{k} -> {k - 1}", rate=theta["relax.rate"] * 1.3 ** (k - 3)) for k in rungs]
    emptying = [jr.Decay("empty", "1 -> 0", rate=theta["empty.rate"])] * (upper - 1)
    return jr.Model(
        levels=[jr.Level(str(k)) for k in range(top + 1)],
        processes=[
            jr.Pump("pump", f"0 -> {top}", rate=theta["pump.rate"]),
            jr.Decay("quench", f"{upper} -> 0", rate=theta["quench.rate"]),
            *relaxing,
            *emptying,
            *_lasing(f"{upper} -> {upper - 1}", theta),
        ],
        density=DENSITY,
    )
