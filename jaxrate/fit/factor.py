"""Triangular factors of few parameters, by straight-line code, and of many, by loops that compile in no time."""

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxrate.fit.orthogonal import DEPENDENT, substituted, triangular

FEW = 16
"""Parameters up to which code is straight."""


def factor(columns: Array, right: Array) -> tuple[Array, Array]:
    """R and c of least squares, see `jaxrate.fit.orthogonal.triangular`.

    Args:
        columns: Jacobian, shape (column, row, lane).
        right: Residuals, shape (row, lane).
    """
    num, _, lanes = columns.shape
    if num <= FEW:
        return triangular(columns, right)
    index = jnp.arange(num + 1)[:, None]

    def one(k: Array, found: tuple[Array, Array]) -> tuple[Array, Array]:
        rest, rows = found
        products = jnp.where(index >= k, jnp.sum(rest[k] * rest, axis=1), 0.0)
        square, before = products[k], jnp.sum(rows[:, k] ** 2, axis=0)
        independent = square > DEPENDENT**2 * (before + square)
        root = jnp.sqrt(jnp.where(independent, square, 1.0))
        row = jnp.where(independent, products / root, 0.0)
        share = jnp.where(index > k, row / root, 0.0)
        return rest - rest[k] * share[:, None], rows.at[k].set(row)

    start = (jnp.concatenate([columns, right[None]]), jnp.zeros((num, num + 1, lanes)))
    _, rows = lax.fori_loop(0, num, one, start)
    return rows[:, :num], rows[:, num]


def inverse(R: Array) -> Array:
    """Inverse of triangular factors, shape (column, row, lane) for (row, column, lane); 0 for one without diagonal."""
    num = R.shape[0]
    units = jnp.broadcast_to(jnp.eye(num)[:, :, None], R.shape)
    if num <= FEW:
        return jax.vmap(lambda unit: substituted(R, unit), out_axes=1)(units)

    def one(i: Array, found: tuple[Array, Array]) -> tuple[Array, Array]:
        rest, rows = found
        k = num - 1 - i
        has = R[k, k] != 0
        row = jnp.where(has, rest[k] / jnp.where(has, R[k, k], 1.0), 0.0)
        return rest - R[:, k][:, None] * row, rows.at[k].set(row)

    return lax.fori_loop(0, num, one, (units, jnp.zeros_like(R)))[1]
