"""Seeded random networks of levels, and their steady state and its derivatives to 60 digits."""

from collections.abc import Sequence
from typing import Any

import mpmath
import numpy as np

import jaxrate as jr

Pair = tuple[int, int]
"""(to, from) of a transition."""

KINDS = ("dense", "chain", "tree", "two-cluster")
DIGITS = 60


def pairs_of(kind: str, n: int, rng: np.random.Generator) -> list[Pair]:
    """Transitions of a network of `n` levels, both ways along each link, with the levels shuffled."""
    names = rng.permutation(n)
    links = [(int(names[i]), int(names[j])) for i, j in _links(kind, n, rng)]
    return sorted({pair for i, j in links for pair in ((i, j), (j, i))})


def _links(kind: str, n: int, rng: np.random.Generator) -> list[Pair]:
    if kind == "dense":
        return [(i, j) for i in range(n) for j in range(i)]
    if kind == "chain":
        return [(i, i - 1) for i in range(1, n)]
    if kind == "tree":
        return [(i, int(rng.integers(i))) for i in range(1, n)]
    half = n // 2
    inside = [(i, j) for i in range(n) for j in range(i) if (i < half) == (j < half)]
    return [*inside, (half, half - 1)]


def rates_of(pairs: Sequence[Pair], n: int, rng: np.random.Generator, zeros: float = 0.2) -> np.ndarray:
    """Rates log-uniform over 15 decades, some exactly zero, such that one steady state remains; shape (transition,)."""
    while True:
        rates = 10.0 ** rng.uniform(-5, 10, len(pairs))
        rates = np.where(rng.random(len(pairs)) < zeros, 0.0, rates)
        if num_closed_classes([p for p, k in zip(pairs, rates, strict=True) if k], n) == 1:
            return rates


def dense_pairs(n: int) -> list[Pair]:
    """Every transition between `n` levels: any network is this one with some rates zero."""
    return [(i, j) for i in range(n) for j in range(n) if i != j]


def embedded(n: int, lanes_per_kind: int, rng: np.random.Generator) -> np.ndarray:
    """Rates of all transitions of `dense_pairs(n)` in networks of every kind, shape (transition, lane)."""
    place = {pair: r for r, pair in enumerate(dense_pairs(n))}
    found = []
    for kind in KINDS:
        for lane in range(lanes_per_kind):
            pairs = pairs_of(kind, n, rng)
            rates = np.zeros(len(place))
            rates[[place[p] for p in pairs]] = rates_of(pairs, n, rng, zeros=(lane % 2) * min(0.3, 2 / n))
            found.append(rates)
    return np.array(found).T


def model_of(pairs: Sequence[Pair], n: int, **options: Any) -> jr.Model:
    """The network as a model: levels L0, L1 ... and a `Decay` for each transition, with the parameters k0.rate ..."""
    levels = [jr.Level(f"L{i}") for i in range(n)]
    decays = [jr.Decay(f"k{r}", f"L{j} -> L{i}", rate=1.0) for r, (i, j) in enumerate(pairs)]
    return jr.Model(levels, decays, **options)


def theta_of(rates: Any) -> dict[str, Any]:
    """Rates (transition, *batch) as parameters of `model_of`."""
    return {f"k{r}.rate": rate for r, rate in enumerate(rates)}


def closed_classes(pairs: Sequence[Pair], n: int) -> list[frozenset[int]]:
    """Sets of levels that reach each other and nothing else, from the powers of the reachability relation."""
    reach = np.eye(n, dtype=bool)
    for i, j in pairs:
        reach[i, j] = True
    for k in range(n):
        reach |= reach[:, k][:, None] & reach[k, :][None]
    mutual = reach & reach.T
    classes = {frozenset(np.flatnonzero(mutual[:, j]).tolist()) for j in range(n)}
    return [members for members in classes if all(set(np.flatnonzero(reach[:, j])) <= members for j in members)]


def num_closed_classes(pairs: Sequence[Pair], n: int) -> int:
    """How many steady states there are to mix: one for each closed class."""
    return len(closed_classes(pairs, n))


def exact_populations(pairs: Sequence[Pair], rates: Any, n: int, digits: int = DIGITS) -> list[Any]:
    """Steady populations by elimination in `digits` digits: on the recurrent class, where it never divides by zero."""
    alive = [(p, k) for p, k in zip(pairs, rates, strict=True) if k > 0]
    (recurrent,) = closed_classes([p for p, _ in alive], n)
    levels = sorted(recurrent)
    at = {level: i for i, level in enumerate(levels)}
    with mpmath.workdps(digits):
        K = [[mpmath.mpf(0)] * len(levels) for _ in levels]
        for (i, j), k in alive:
            if j in recurrent:
                K[at[i]][at[j]] += mpmath.mpf(float(k))
        p = [mpmath.mpf(0)] * n
        for level, x in zip(levels, _gth(K), strict=True):
            p[level] = x
        return p


def _gth(K: list[list[Any]]) -> list[Any]:
    sums: list[Any] = [mpmath.mpf(0)] * len(K)
    for k in range(len(K) - 1, 0, -1):
        sums[k] = mpmath.fsum(K[i][k] for i in range(k))
        share = [K[i][k] / sums[k] for i in range(k)]
        for j in range(k):
            if K[k][j]:
                for i in range(k):
                    K[i][j] += share[i] * K[k][j]
    x = [mpmath.mpf(1)]
    for k in range(1, len(K)):
        x.append(mpmath.fsum(K[k][j] * x[j] for j in range(k)) / sums[k])
    total = mpmath.fsum(x)
    return [v / total for v in x]


def exact_log_derivatives(pairs: Sequence[Pair], rates: Any, n: int, digits: int = 500) -> np.ndarray:
    r"""$\partial\ln p_i/\partial\ln k_r$, shape (level, transition); NaN for a level that holds nothing.

    From the inverse M of the rate matrix with one row replaced by the norm, $\partial p = -M\,(\partial K)\,p$. The
    differences in it cancel, so it is computed with as many digits as 40 levels and 15 decades can cost.
    """
    with mpmath.workdps(digits):
        p = exact_populations(pairs, rates, n, digits)
        M = _inverse(_normed_generator(pairs, rates, n))
        for row in M:
            row[-1] = mpmath.mpf(0)
        found = np.full((n, len(pairs)), np.nan)
        for r, ((to, source), k) in enumerate(zip(pairs, rates, strict=True)):
            flow = mpmath.mpf(float(k)) * p[source]
            for i in range(n):
                if p[i]:
                    found[i, r] = float(-(M[i][to] - M[i][source]) * flow / p[i])
        return found


def _normed_generator(pairs: Sequence[Pair], rates: Any, n: int) -> list[list[Any]]:
    A = [[mpmath.mpf(0)] * n for _ in range(n)]
    for (i, j), k in zip(pairs, rates, strict=True):
        A[i][j] += mpmath.mpf(float(k))
        A[j][j] -= mpmath.mpf(float(k))
    A[-1] = [mpmath.mpf(1)] * n
    return A


def _inverse(A: list[list[Any]]) -> list[list[Any]]:
    """Gauss-Jordan with the largest pivot."""
    n = len(A)
    rows = [[*row, *(mpmath.mpf(int(i == j)) for j in range(n))] for i, row in enumerate(A)]
    for k in range(n):
        pivot = max(range(k, n), key=lambda r: abs(rows[r][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        top = rows[k][k]
        rows[k] = [v / top if v else v for v in rows[k]]
        for r in range(n):
            factor = rows[r][k]
            if r != k and factor:
                rows[r] = [a - factor * b if b else a for a, b in zip(rows[r], rows[k], strict=True)]
    return [row[n:] for row in rows]


def exact_path(pairs: Sequence[Pair], rates: Any, n: int, decades: Sequence[int], digits: int = 80) -> np.ndarray:
    """Populations that start in level 0, at the times 10**decade [s], shape (level, time).

    Rates must be at most 1 s^-1. The exponential over the first time is a sum of terms that are not negative, a
    power of ten leads from decade to decade, and so no digit is ever cancelled: with each decade one is lost.
    """
    with mpmath.workdps(digits):
        shift = mpmath.fsum(mpmath.mpf(float(k)) for k in rates) + 1
        B = [[shift if i == j else mpmath.mpf(0) for j in range(n)] for i in range(n)]
        for (i, j), k in zip(pairs, rates, strict=True):
            B[i][j] += mpmath.mpf(float(k))
            B[j][j] -= mpmath.mpf(float(k))
        time = mpmath.mpf(10) ** decades[0]
        P = _exponential([[b * time for b in row] for row in B], shift * time)
        found = {decades[0]: [float(row[0]) for row in P]}
        for decade in range(decades[0] + 1, decades[-1] + 1):
            P = _tenth_power(P)
            found[decade] = [float(row[0]) for row in P]
        return np.array([found[decade] for decade in decades]).T


def _exponential(B: list[list[Any]], shift: Any) -> list[list[Any]]:
    """exp(B - shift), whatever the size of B: over a share of it, then squared."""
    halvings = max(0, int(mpmath.ceil(mpmath.log(shift, 2))) + 1)
    B = [[b / 2**halvings for b in row] for row in B]
    n = len(B)
    total = term = [[mpmath.mpf(int(i == j)) for j in range(n)] for i in range(n)]
    for k in range(1, n + 50):
        term = [[x / k for x in row] for row in _multiplied(term, B)]
        total = [[a + b for a, b in zip(*both, strict=True)] for both in zip(total, term, strict=True)]
    scale = mpmath.exp(-shift / 2**halvings)
    P = [[scale * x for x in row] for row in total]
    for _ in range(halvings):
        P = _multiplied(P, P)
    return P


def _tenth_power(P: list[list[Any]]) -> list[list[Any]]:
    square = _multiplied(P, P)
    fourth = _multiplied(square, square)
    return _multiplied(_multiplied(fourth, fourth), square)


def _multiplied(A: list[list[Any]], B: list[list[Any]]) -> list[list[Any]]:
    columns = list(zip(*B, strict=True))
    return [[mpmath.fdot(row, column) for column in columns] for row in A]
