"""Factors of a small sparse matrix lane by lane, as straight-line code without its zeros."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxrate.solve.linalg import Pair, elimination_order


@dataclass(frozen=True)
class SparseLU:
    r"""How matrices of one pattern are factored, $PAP^T = LU$, and equations with them solved.

    There is no pivoting: meant for $1/h\gamma - J$ of rate equations with a step h that is short where populations
    grow, whose pivots do not vanish. Whoever factors another matrix looks at the pivots.

    Args:
        pattern: (row, column) of the entries that may differ from zero; the diagonal is added.
        size: Rows of the matrix.
        last: Rows to eliminate last, in this order.
    """

    pattern: frozenset[Pair]
    size: int
    last: tuple[int, ...] = ()

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Rows in the order of their elimination, so that few entries are created (Markowitz)."""
        first = [i for i in range(self.size) if i not in self.last]
        local = {i: place for place, i in enumerate(first)}
        pairs = [(local[i], local[j]) for i, j in self.pattern if i in local and j in local and i != j]
        return (*(first[place] for place in elimination_order(pairs, len(first))), *self.last)

    @cached_property
    def entries(self) -> tuple[Pair, ...]:
        """(row, column) of the rows that `factor` returns."""
        place = {i: position for position, i in enumerate(self.order)}
        filled = set(self.pattern) | {(i, i) for i in range(self.size)}
        for k in self.order:
            below = [i for i, j in filled if j == k and place[i] > place[k]]
            right = [j for i, j in filled if i == k and place[j] > place[k]]
            filled |= {(i, j) for i in below for j in right}
        return tuple(sorted(filled))

    def factor(self, matrix: Mapping[Pair, Any]) -> dict[Pair, Any]:
        """L below the diagonal (its own is 1), U above, and 1/U on it, each (lane,)."""
        M, left = dict(matrix), list(self.order)
        for k in self.order:
            left.remove(k)
            M[k, k] = 1.0 / M[k, k]
            right = [j for j in left if (k, j) in M]
            for i in (i for i in left if (i, k) in M):
                M[i, k] = M[i, k] * M[k, k]
                for j in right:
                    taken = M[i, k] * M[k, j]
                    M[i, j] = M[i, j] - taken if (i, j) in M else -taken
        return M

    def stacked(self, factors: Mapping[Pair, Any]) -> Array:
        """Factors as one array (entry, lane)."""
        return jnp.stack(jnp.broadcast_arrays(*self.rows(factors)))

    def rows(self, factors: Mapping[Pair, Any]) -> list[Any]:
        """Factors in the order of `entries`."""
        return [factors[entry] for entry in self.entries]

    def solve(self, factors: Array, b: Sequence[Any]) -> list[Any]:
        """x of $Ax = b$, each (lane,), from the factors stacked."""
        return self.backward(factors, self.forward(factors, b))

    def forward(self, factors: Array, b: Sequence[Any]) -> list[Any]:
        """y of $Ly = b$."""
        F, x, done = self._at(factors), list(b), []
        for i in self.order:
            for j in done:
                if (i, j) in F:
                    x[i] = x[i] - F[i, j] * x[j]
            done.append(i)
        return x

    def backward(self, factors: Array, y: Sequence[Any] | Array) -> list[Any]:
        """x of $Ux = y$."""
        F, x, done = self._at(factors), list(y), []
        for i in reversed(self.order):
            for j in (j for j in self.order if j in done and (i, j) in F):
                x[i] = x[i] - F[i, j] * x[j]
            x[i] = x[i] * F[i, i]
            done.append(i)
        return x

    def _at(self, factors: Array) -> dict[Pair, Array]:
        return {entry: factors[row] for row, entry in enumerate(self.entries)}
