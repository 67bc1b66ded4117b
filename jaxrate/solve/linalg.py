r"""Stationary populations of a linear chain of levels by Grassmann-Taksar-Heyman elimination."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

Pair = tuple[int, int]
"""(to, from) of a transition."""

UNROLLED = 6
"""Up to this many levels the elimination is straight-line code without a zero in it; above, an array a level."""

ROOT = -1


def stationary(
    rates: Sequence[Any] | Array, pairs: Sequence[Pair], num_levels: int, lanes: int, tame: bool = False
) -> tuple[Array, Array]:
    r"""Stationary populations and the number of recurrent classes, lane by lane.

    $0 = \sum_j K_{ij}\,p_j,\quad K_{jj} = -\sum_{i\ne j} K_{ij},\quad \sum_i p_i = 1$

    Levels are eliminated one after another: $K_{ij} \leftarrow K_{ij} + K_{ik}K_{kj}/s_k$ with
    $s_k = \sum_i K_{ik}$ over the levels that are left. Nothing is ever subtracted, so every population is right
    to machine precision relative to itself however stiff the rates, and differentiating the elimination gives
    every logarithmic derivative to machine precision too (solving with the factors instead loses as many digits
    as two weakly linked clusters of levels are apart).

    A level that nothing leaves when its turn comes ($s_k = 0$) holds all the population of its recurrent class.
    It is merged into one more level, `ROOT`, that is eliminated last: so an absorbing level is solved exactly, and
    the derivative by a rate that is zero is right. Two such levels are two recurrent classes: the steady state is
    not unique.

    Args:
        rates: Rate of each transition [s^-1], non-negative, shape (lane,) or ().
        pairs: (to, from) of each; several may be the same.
        num_levels: Number of levels.
        lanes: Number of lanes.
        tame: Promise that every level reaches every other and no product of rates overflows, for straight-line code
            without case distinctions.

    Returns:
        Populations, shape (level, lane), and the number of recurrent classes, shape (lane,). The populations mean
        something only where that number is one.

    Source:
        W. K. Grassmann, M. I. Taksar, D. P. Heyman, Oper. Res. 33, 1107 (1985); entrywise accuracy:
        C. A. O'Cinneide, Numer. Math. 65, 109 (1993). The root is ours; checked by tests/test_linalg.py.
    """
    if num_levels <= UNROLLED:
        populations, classes = _sparse(rates, pairs, num_levels, tame)
    else:
        populations, classes = _dense(rates, pairs, num_levels, lanes)
    populations = populations.reshape(num_levels, -1)  # (level,) where no rate varies
    return jnp.broadcast_to(populations.reshape(num_levels, -1), (num_levels, lanes)), jnp.broadcast_to(classes, lanes)


def _sparse(rates: Sequence[Any] | Array, pairs: Sequence[Pair], num_levels: int, tame: bool) -> tuple[Array, Array]:
    """One array (lane,) a transition."""
    K: dict[Pair, Any] = {}
    if isinstance(rates, Array):
        cells = sorted(set(pairs))
        rates, pairs = summed(rates, [cells.index(pair) for pair in pairs], len(cells)), cells
    for r, pair in enumerate(pairs):
        _add(K, pair, rates[r])
    order = elimination_order(list(K), num_levels)
    rest = [[*order[position + 1 :], *(() if tame else (ROOT,))] for position in range(num_levels)]
    return _substitute([_eliminate(K, k, left, tame) for k, left in zip(order, rest, strict=True)], order)


def elimination_order(pairs: Sequence[Pair], num_levels: int) -> list[int]:
    """Levels in an order that creates few new transitions (Markowitz: fewest ways in times ways out first)."""
    edges, left, order = set(pairs), set(range(num_levels)), []
    while left:
        ways = {k: (sum(i == k for i, _ in edges), sum(j == k for _, j in edges)) for k in left}
        k = min(left, key=lambda k: (ways[k][0] * ways[k][1], k))
        created = {(i, j) for i, a in edges if a == k for b, j in edges if b == k if i != j}
        edges = {e for e in edges | created if k not in e}
        left.remove(k)
        order.append(k)
    return order


def is_strongly_connected(pairs: Sequence[Pair], num_levels: int) -> bool:
    """Whether every level reaches every other if no rate is zero."""
    return all(_reached(edges) == num_levels for edges in (pairs, [(j, i) for i, j in pairs]))


def _reached(edges: Sequence[Pair]) -> int:
    seen, found = {0}, {0}
    while found:
        found = {i for i, j in edges if j in found} - seen
        seen |= found
    return len(seen)


def _eliminate(K: dict[Pair, Any], k: int, rest: list[int], tame: bool) -> tuple:
    """Replace every path through level k by a direct transition; (is it a root, 1/s_k, ways into it)."""
    out = {i: K[i, k] for i in rest if (i, k) in K}
    into = {j: K[k, j] for j in rest if (k, j) in K}
    root, inverse, share = _shares(out, tame)
    for j, rate in into.items():
        for i, part in share.items():
            if i != j:
                _add(K, (i, j), part * rate)
    for i, rate in out.items():
        if i != ROOT and not tame:
            _add(K, (i, ROOT), root * rate)
    return root, inverse, into


def _shares(out: dict[int, Any], tame: bool) -> tuple[Any, Any, dict[int, Any]]:
    """Where a level's population goes when it is eliminated; all of it to the root where it cannot leave."""
    if not out:
        return True, 0.0, {} if tame else {ROOT: 1.0}
    s = _total(out.values())
    if tame:
        return (
            False,
            1.0 / s,
            {i: rate * (1.0 / s) for i, rate in out.items()} if len(out) > 1 else dict.fromkeys(out, 1.0),
        )
    root = s == 0
    inverse = jnp.where(root, 0.0, 1.0 / jnp.where(root, 1.0, s))
    share = {i: rate * inverse for i, rate in out.items()}
    return root, inverse, share | {ROOT: share.get(ROOT, 0.0) + root}


def _add(K: dict[Pair, Any], pair: Pair, rate: Any) -> None:
    K[pair] = K[pair] + rate if pair in K else rate


def _total(values: Any) -> Any:
    first, *rest = values
    for value in rest:
        first = first + value
    return first


def _substitute(eliminated: list[tuple], order: list[int]) -> tuple[Array, Array]:
    """Populations from the last level back to the first, relative to the root's, then normalised."""
    x: dict[int, Any] = {ROOT: 1.0}
    for k, (root, inverse, into) in zip(reversed(order), reversed(eliminated), strict=True):
        flow = _total([rate * x[j] for j, rate in into.items()]) * inverse if into else 0.0
        x[k] = 1.0 if root is True else flow if root is False else jnp.where(root, 1.0, flow)
        if not isinstance(root, bool):
            x = {level: v * _shrink(flow) for level, v in x.items()}
    scale = 1.0 / _total([x[k] for k in sorted(order)])
    classes = _total([jnp.asarray(root, jnp.int32) for root, _, _ in eliminated])
    return jnp.stack(jnp.broadcast_arrays(*(x[k] * scale for k in sorted(order)))), classes


def _shrink(x: Any) -> Array:
    """What keeps populations relative to the root's in range where the root holds next to nothing: a power of two."""
    return lax.stop_gradient(jnp.where(x > 2.0**400, 2.0**-400, 1.0))


def _dense(rates: Sequence[Any] | Array, pairs: Sequence[Pair], num_levels: int, lanes: int) -> tuple[Array, Array]:
    """One array operation a level, on shrinking matrices (to, from, lane); the root is level 0 here.

    The barriers keep one level's arithmetic out of the next one's fusion, where it would be computed again.
    """
    K = _matrix(rates, pairs, num_levels, lanes)
    eliminated = []
    for k in range(num_levels, 0, -1):
        out, into = K[:k, k], K[k, :k]
        s = jnp.sum(out, axis=0)
        root = s == 0
        inverse = jnp.where(root, 0.0, 1.0 / jnp.where(root, 1.0, s))
        share = (out * inverse).at[0].add(root)
        K = (K[:k, :k] + share[:, None] * into[None]).at[:, 0].add(root * out)
        K, inverse, into = lax.optimization_barrier((K, inverse, into))
        eliminated.append((root, inverse, into))
    return _substitute_dense(eliminated, lanes)


def _matrix(rates: Sequence[Any] | Array, pairs: Sequence[Pair], num_levels: int, lanes: int) -> Array:
    """Rates as a matrix (to, from, lane) with the root in front."""
    rows, size = rates if isinstance(rates, Array) else _rows(rates, lanes), num_levels + 1
    return summed(rows, [(i + 1) * size + j + 1 for i, j in pairs], size * size).reshape(size, size, lanes)


def summed(rows: Array, cells: Sequence[int], num_cells: int) -> Array:
    """Sum of the rows of each cell, shape (cell, lane): gathered, so a program does not grow with their number."""
    members: list[list[int]] = [[] for _ in range(num_cells)]
    for row, cell in enumerate(cells):
        members[cell].append(row)
    layers = np.full((max(map(len, members), default=1) or 1, num_cells), len(cells))
    for cell, its in enumerate(members):
        layers[: len(its), cell] = its
    padded = jnp.concatenate([rows, jnp.zeros_like(rows[:1], shape=(1, *rows.shape[1:]))])
    return padded[layers[0]] if len(layers) == 1 else jnp.sum(padded[layers], axis=0)


def _rows(rates: Sequence[Any], lanes: int) -> Array:
    return jnp.stack([jnp.broadcast_to(rate, (lanes,)) for rate in rates])


def _substitute_dense(eliminated: list[tuple], lanes: int) -> tuple[Array, Array]:
    x = jnp.ones((1, lanes))
    for root, inverse, into in reversed(eliminated):
        flow = jnp.sum(into * x, axis=0) * inverse
        x = jnp.concatenate([x, jnp.where(root, 1.0, flow)[None]])
        x = lax.optimization_barrier(x * _shrink(flow))
    classes = _total([root.astype(jnp.int32) for root, _, _ in eliminated])
    return x[1:] / jnp.sum(x[1:], axis=0), classes
