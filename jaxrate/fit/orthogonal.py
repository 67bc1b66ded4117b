"""Triangular factors of many small matrices at once: arrays (column, row, lane)."""

import jax.numpy as jnp
from jax import Array

DEPENDENT = 1e-13
"""Share of a column's length, outside the columns before it, below which it depends on them to rounding."""


def triangular(columns: Array, right: Array) -> tuple[Array, Array]:
    r"""Triangular form of least squares: $\min \|J s + r\|$ as $\min \|R s + c\|$ with $J = QR$, $c = Q^T r$.

    Modified Gram-Schmidt with the right-hand side as one more column, which is as stable as Householder's reflections
    and never forms $J^T J$, whose condition is that of $J$ squared.

    Args:
        columns: J, shape (column, row, lane).
        right: r, shape (row, lane).

    Returns:
        R, shape (row, column, lane), upper triangular, and c, shape (row, lane). A column that depends on those
        before it has a zero on the diagonal and a zero in c.

    Source:
        Björck, *Solving linear least squares problems by Gram-Schmidt orthogonalization* (1967), section 5.
    """
    num = columns.shape[0]
    rest = jnp.concatenate([columns, right[None]])
    rows: list[Array] = []
    for k in range(num):
        products = jnp.sum(rest[0] * rest, axis=1)
        square, before = products[0], sum(row[k] * row[k] for row in rows)
        independent = square > DEPENDENT**2 * (before + square)
        square = jnp.where(independent, square, 1.0)
        row = jnp.where(independent, products / jnp.sqrt(square), 0.0)
        rows.append(jnp.concatenate([jnp.zeros((k, *square.shape)), row]))
        rest = rest[1:] - rest[0] * jnp.where(independent, products[1:] / square, 0.0)[:, None]
    factor = jnp.stack(rows)
    return factor[:, :num], factor[:, num]


def joined(R: Array, c: Array, columns: Array, right: Array) -> tuple[Array, Array]:
    """Factor and right-hand side of rows that are known by theirs, and of more rows."""
    return triangular(jnp.concatenate([jnp.swapaxes(R, 0, 1), columns], axis=1), jnp.concatenate([c, right]))


def substituted(R: Array, c: Array) -> Array:
    """Solution s of R s = c, shape (column, lane); 0 in a column that has no diagonal."""
    num = R.shape[0]
    found: list[Array] = []
    for k in reversed(range(num)):
        pivot = R[k, k]
        has = pivot != 0
        part = jnp.where(has, c[k] / jnp.where(has, pivot, 1.0), 0.0)
        c = c - R[:, k] * part
        found.insert(0, part)
    return jnp.stack(found)
