"""Chebyshev nodes along an amplifier, and the matrices that interpolate and integrate what is known there."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

GAUSS = 4
"""Points between two neighbouring places, where the spontaneous light is summed up."""


@dataclass(frozen=True)
class Grid:
    r"""Nodes $z_j$ of a profile and places $t_i$ where the light is wanted, as fractions of the length.

    Between two places $\int s\,e^{-G}\,dz$ is summed over points $z_m$ of a Gauss rule, with s and G from the nodes:
    both are smooth, whereas their exponential may run over hundreds of decades.

    Args:
        nodes: Where the profile is known, shape (node,): Chebyshev points with both ends.
        places: Where light is computed, ascending from 0 to 1, shape (place,).
        interpolate: From nodes to places, shape (place, node).
        integral: $\int_0^{t_i} l_j\,dz$, shape (place, node).
        fine: From nodes to the points between, shape (point, node).
        fine_integral: $\int_0^{z_m} l_j\,dz$, shape (point, node).
        points: Where they lie, shape (point,).
        weight: Of the points, shape (point,).
        before: Whether a point comes before a place, shape (place, point).
    """

    nodes: np.ndarray
    places: np.ndarray
    interpolate: np.ndarray
    integral: np.ndarray
    fine: np.ndarray
    fine_integral: np.ndarray
    points: np.ndarray
    weight: np.ndarray
    before: np.ndarray


@lru_cache(maxsize=64)
def grid(num: int, places: tuple[float, ...] = ()) -> Grid:
    """Matrices of `num` nodes; light is wanted at the nodes and at further `places`."""
    nodes = (1 - np.cos(np.pi * np.arange(num) / (num - 1))) / 2
    nodes = np.where(np.arange(num) < num / 2, nodes, 1 - nodes[::-1])
    targets = _merged(nodes, places)
    points, weight = _between(targets)
    before = np.repeat(np.arange(len(targets) - 1), GAUSS) < np.arange(len(targets))[:, None]
    return Grid(
        nodes,
        targets,
        interpolation(num, targets),
        _integration(num, targets),
        interpolation(num, points),
        _integration(num, points),
        points,
        weight,
        before,
    )


def _merged(nodes: np.ndarray, places: tuple[float, ...]) -> np.ndarray:
    """Nodes and places, ascending; a place that is a node but for rounding is the node."""
    apart = [place for place in places if np.min(np.abs(nodes - place)) > 1e-12]
    return np.sort(np.concatenate([nodes, apart]))


def interpolation(num: int, places: np.ndarray) -> np.ndarray:
    """Matrix from values at `num` nodes to those of their polynomial at `places`, shape (place, node)."""
    return _chebyshev(num, 2 * np.asarray(places) - 1) @ _coefficients(num)


def _chebyshev(num: int, x: np.ndarray) -> np.ndarray:
    """$T_k(x)$, shape (place, num)."""
    return np.cos(np.arccos(np.clip(x, -1, 1))[:, None] * np.arange(num))


def _coefficients(num: int) -> np.ndarray:
    r"""Matrix from values at the nodes to coefficients of $T_k$: a cosine transform, its ends counted half."""
    k = np.arange(num)
    ends = np.where((k == 0) | (k == num - 1), 0.5, 1.0)
    cosines = np.cos(np.pi * np.outer(k, (num - 1 - k)) / (num - 1))
    return 2 / (num - 1) * ends[:, None] * cosines * ends


def _integration(num: int, places: np.ndarray) -> np.ndarray:
    r"""$\int_0^{t_i} l_j\,dz$, from $\int T_k\,dx = T_{k+1}/2(k+1) - T_{k-1}/2(k-1)$."""
    x = 2 * np.asarray(places) - 1
    t, low = _chebyshev(num + 1, x), _chebyshev(num + 1, np.array([-1.0]))
    k = np.arange(2, num)
    rest = t[:, 3:] / (2 * (k + 1)) - t[:, 1:-2] / (2 * (k - 1))
    rest_low = low[:, 3:] / (2 * (k + 1)) - low[:, 1:-2] / (2 * (k - 1))
    integral = np.concatenate([x[:, None] + 1, (x[:, None] ** 2 - 1) / 2, rest - rest_low], axis=1)
    integral[x == -1] = 0
    return integral @ _coefficients(num) / 2


def _between(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights of a Gauss rule in each interval."""
    x, w = np.polynomial.legendre.leggauss(GAUSS)
    width = np.diff(places)[:, None]
    return (places[:-1, None] + width * (x + 1) / 2).ravel(), (width * w / 2).ravel()
