"""Light of both directions by `scipy.integrate.solve_bvp`, as one would state it who knows how.

Powers are in microwatts: in watts its tolerance, relative to 1 + |dP/dz|, would hide the noise. It is given the
Jacobians in closed form, and starts from a transported guess: pump and signals by themselves from end to end, then the
noise of both directions through the populations that they leave.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.integrate import solve_bvp, solve_ivp

from benchmarks import erbium
from benchmarks.erbium import Amplifier
from benchmarks.measure import Case, Reading

Told = Callable[[Callable[[], np.ndarray]], Callable[[], Reading]]

MICROWATT = 1e-6
NODES = 25
"""Of the first mesh; it is refined where that is needed."""
MAX_NODES = 2000
COARSE, FINE = 1e-3, 1e-6
"""Tolerances: for an error of about 1e-4, and of 1e-8."""
LANES = {COARSE: 4, FINE: 1}
"""Amplifiers that are solved: the time of one does not depend on their number."""


def bvp_at(tolerance: float) -> str:
    """Name of a line of the table."""
    return f"scipy.integrate.solve_bvp in a loop, tol {tolerance:.0e}".replace("e-0", "e-")


def solvers(lanes: int, told: Told, judge: Callable[[np.ndarray], float]) -> list[Case]:
    """At two tolerances.

    Args:
        lanes: Amplifiers; only the first few are solved.
        told: Makes of a call one that also says how good its noise is.
        judge: Of output powers, shape (channel, lane).
    """
    known: dict[str, Any] = {"detail": "one core", "on_host": True, "in_process": False, "rounds": 1, "may_fail": True}

    def case(tolerance: float) -> Case:
        few = min(lanes, LANES[tolerance])
        return Case("A1", bvp_at(tolerance), "float64", few, told(partial(loop, few, tolerance)), judge, **known)

    return [case(tolerance) for tolerance in LANES]


def loop(lanes: int, tolerance: float) -> np.ndarray:
    """Output powers of the first amplifiers [W], shape (channel, lane)."""
    theta = erbium.draw(lanes)
    return np.stack([outputs(Amplifier(erbium.lane_of(theta, i)), tolerance) for i in range(lanes)], axis=-1)


def outputs(amplifier: Amplifier, tolerance: float) -> np.ndarray:
    """Power of each channel where it leaves [W], shape (channel,).

    Raises:
        RuntimeError: no solution was found.
    """
    length, forward = float(amplifier.theta["length"]), amplifier.way > 0

    def slope(z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return length / MICROWATT * amplifier.slope(MICROWATT * y)

    def jacobian(z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return length * amplifier.jacobian(MICROWATT * y)

    def ends(start: np.ndarray, end: np.ndarray) -> np.ndarray:
        return np.where(forward, start, end) - amplifier.launched / MICROWATT

    by_ends = np.diag(forward.astype(float)), np.diag((~forward).astype(float))
    z, guess = transported(amplifier, NODES)
    found = solve_bvp(
        slope,
        ends,
        z,
        guess / MICROWATT,
        fun_jac=jacobian,
        bc_jac=lambda a, b: by_ends,
        tol=tolerance,
        max_nodes=MAX_NODES,
    )
    if not found.success:
        raise RuntimeError(found.message)
    return MICROWATT * np.where(forward, found.y[:, -1], found.y[:, 0])


def transported(amplifier: Amplifier, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions as fractions of the length, and powers there [W], shape (channel, place)."""
    z = np.linspace(0, 1, nodes)
    silent = Amplifier(amplifier.theta, noise=False, loss=amplifier.loss)
    signals = marched(silent, 1e-6, z)
    n, _ = silent.excited(signals)
    through = partial(_noise, amplifier, float(amplifier.theta["length"]) / (nodes - 1))
    first, last = silent.num_launched, silent.num_launched + erbium.BINS
    ahead, back = through(n)[first:last], through(n[::-1])[first:last, ::-1]
    return z, np.concatenate([signals, ahead, back])


def marched(amplifier: Amplifier, rtol: float, places: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """Powers at places [W], shape (channel, place), all of them known at z = 0: by `scipy.integrate.solve_ivp`."""
    length = float(amplifier.theta["length"])
    found = solve_ivp(
        lambda z, y: length * amplifier.slope(y[:, None])[:, 0],
        (0.0, 1.0),
        amplifier.launched if start is None else start,
        "DOP853",
        places,
        rtol=rtol,
        atol=0.0 if np.all(amplifier.launched > 0) else rtol * 1e-12,
    )
    return found.y


def _noise(amplifier: Amplifier, step: float, n: np.ndarray) -> np.ndarray:
    """Noise through a given profile, from one place to the next as if that were uniform, shape (channel, place)."""
    powers = np.zeros((amplifier.frequency.size, n.size))
    both, lost = amplifier.alpha + amplifier.gain, amplifier.alpha + amplifier.loss
    for i, middle in enumerate((n[1:] + n[:-1]) / 2):
        growth = both * middle - lost
        added = amplifier.spontaneous * middle * step * np.expm1(growth * step) / (growth * step)
        powers[:, i + 1] = powers[:, i] * np.exp(growth * step) + added
    return powers
