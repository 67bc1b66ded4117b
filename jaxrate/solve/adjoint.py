"""Products, sums and squarings of propagators, with their reverse mode written by hand.

JAX's own transposes are right, but XLA makes of them loops that are ten times slower than those forward. What is here
can be differentiated in reverse only, and once; everything else goes by the plain functions of `propagator`.

Shapes are (to, from, lane).
"""

from functools import partial
from math import factorial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax


def product(A: Array, B: Array) -> Array:
    """Matrix product lane by lane; B may have any number of columns.

    The form that XLA turns into one loop over the lanes; einsum or a batched matmul are several times slower.
    """
    if A.shape[1] > UNROLLED:
        return _large(A, B, 1, 0)
    return _sum([A[:, k][:, None] * B[k][None] for k in range(A.shape[1])])


UNROLLED = 28
"""Up to this many levels a product of matrices is one expression; above, XLA's own product, lane after lane."""


def _large(A: Array, B: Array, of_A: int, of_B: int) -> Array:
    """Product summed over an axis of each."""
    found = lax.dot_general(A, B, (((of_A,), (of_B,)), ((2,), (2,))), precision=lax.Precision.HIGHEST)
    return jnp.moveaxis(found, 0, -1)


def _sum(terms: list[Array]) -> Array:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


@jax.custom_vjp
def product_back(A: Array, B: Array) -> Array:
    """`product`, for reverse mode."""
    return product(A, B)


def _by_transpose(C: Array, B: Array) -> Array:
    """C B^T."""
    if B.shape[1] > UNROLLED:
        return _large(C, B, 1, 1)
    return _sum([C[:, j][:, None] * B[:, j][None] for j in range(B.shape[1])])


def _of_transpose(A: Array, C: Array) -> Array:
    """A^T C."""
    if A.shape[0] > UNROLLED:
        return _large(A, C, 0, 0)
    return _sum([A[i][:, None] * C[i][None] for i in range(A.shape[0])])


product_back.defvjp(
    lambda A, B: (product(A, B), (A, B)), lambda kept, C: (_by_transpose(C, kept[1]), _of_transpose(kept[0], C))
)


def normal(X: Array) -> Array:
    """Columns divided by their sums."""
    return X / jnp.sum(X, axis=0)


def taylor(M: Array, order: int) -> Array:
    r"""$\sum_{k \le K} M^k/k!$, K odd, by Horner's rule in $M^2$: half as many products as in M."""
    square = product(M, M)
    return lax.fori_loop(0, order // 2, lambda k, X: _taylor_step(M, square, X, k, order), _pair(M, order // 2, order))


def _taylor_step(M: Array, square: Array, X: Array, k: Any, order: int) -> Array:
    return _pair(M, order // 2 - 1 - k, order) + product(square, X)


def _pair(M: Array, half: Any, order: int) -> Array:
    r"""$1/(2j)! + M/(2j + 1)!$."""
    even, odd = _factors(M.dtype, half, order)
    return even * jnp.eye(M.shape[0], dtype=M.dtype)[:, :, None] + odd * M


def _factors(dtype: Any, half: Any, order: int) -> tuple[Array, Array]:
    table = np.array([[1 / factorial(2 * j), 1 / factorial(2 * j + 1)] for j in range(order // 2 + 1)])
    even, odd = jnp.asarray(table, dtype)[half]
    return even, odd


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def taylor_back(M: Array, order: int) -> Array:
    """`taylor`, for reverse mode."""
    return taylor(M, order)


def _taylor_kept(M: Array, order: int) -> tuple[Array, tuple[Array, Array, Array]]:
    square = product(M, M)

    def step(X: Array, k: Array) -> tuple[Array, Array]:
        return _taylor_step(M, square, X, k, order), X

    found, kept = lax.scan(step, _pair(M, order // 2, order), jnp.arange(order // 2))
    return found, (M, square, kept)


def _taylor_pulled(order: int, known: tuple[Array, Array, Array], C: Array) -> tuple[Array]:
    M, square, kept = known

    def step(state: tuple[Array, Array, Array], at: tuple[Array, Array]) -> tuple[tuple[Array, Array, Array], None]:
        (C, of_M, of_square), (X, k) = state, at
        X, odd = _in_memory(X, k), _factors(C.dtype, order // 2 - 1 - k, order)[1]
        return (_of_transpose(square, C), of_M + odd * C, of_square + _by_transpose(C, X)), None

    zero = jnp.zeros_like(M)
    (C, of_M, of_square), _ = lax.scan(step, (C, zero, zero), (kept, jnp.arange(order // 2)), reverse=True)
    odd = _factors(C.dtype, order // 2, order)[1]
    return (of_M + odd * C + _by_transpose(of_square, M) + _of_transpose(M, of_square),)


taylor_back.defvjp(_taylor_kept, _taylor_pulled)


def doubled(X: Array, times: Array) -> Array:
    """A propagator squared so many times, shape (lane,), columns brought back to the sum 1 each time."""
    return lax.fori_loop(0, jnp.max(times), partial(doubled_once, times=times), X)


def doubled_once(k: Array, X: Array, times: Array) -> Array:
    """Turn k of `doubled`: squared in the lanes that are to be squared more than k times."""
    return jnp.where(k < times, normal(product(X, X)), X)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def doubled_back(X: Array, times: Array, limit: int) -> Array:
    """`doubled`, for reverse mode; no lane more often than the limit."""
    return doubled(X, times)


def _doubled_kept(X: Array, times: Array, limit: int) -> tuple[Array, tuple[Array, Array, Array]]:
    def step(k: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        X, kept = state
        return doubled_once(k, X, times), lax.dynamic_update_index_in_dim(kept, X, k, 0)

    X, kept = lax.fori_loop(0, jnp.max(times), step, (X, lax.empty((limit, *X.shape), X.dtype)))
    return X, (X, kept, times)


def _doubled_pulled(limit: int, known: tuple[Array, Array, Array], C: Array) -> tuple[Array, Any]:
    """The same constant may be taken off a column of the cotangent anywhere: columns of propagators sum to 1.

    Taken so that nothing is left of it along the propagator itself, the cotangent does not grow with the time.
    """
    X, kept, times = known
    last = jnp.max(times)

    def step(k: Array, C: Array) -> Array:
        X = _in_memory(lax.dynamic_index_in_dim(kept, last - 1 - k, 0, keepdims=False), k)
        before = _by_transpose(C, X) + _of_transpose(X, C)
        return jnp.where(last - 1 - k < times, before - jnp.sum(before * X, axis=0), C)

    C = lax.fori_loop(0, last, step, C - jnp.sum(C * X, axis=0))
    return C, np.zeros(times.shape, jax.dtypes.float0)


doubled_back.defvjp(_doubled_kept, _doubled_pulled)


def stepped(X: Array, n: Array, num: int) -> Array:
    """Populations after each of `num` steps by one propagator, shape (step, level, lane)."""

    def step(n: Array, _: None) -> tuple[Array, Array]:
        after = product(X, n[:, None])[:, 0]
        return after, after

    return lax.scan(step, n, None, length=num)[1]


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def stepped_back(X: Array, n: Array, num: int) -> Array:
    """`stepped`, for reverse mode."""
    return stepped(X, n, num)


def _stepped_kept(X: Array, n: Array, num: int) -> tuple[Array, tuple[Array, Array, Array]]:
    path = stepped(X, n, num)
    return path, (X, n, path)


def _stepped_pulled(num: int, known: tuple[Array, Array, Array], C: Array) -> tuple[Array, Array]:
    X, n, path = known
    started = jnp.concatenate([n[None], path[:-1]])

    def step(k: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        of_n, of_X = state
        before, own = (lax.dynamic_index_in_dim(a, num - 1 - k, 0, keepdims=False) for a in (started, C))
        of_n = own + _of_transpose(X, of_n[:, None])[:, 0]
        return of_n, of_X + of_n[:, None] * before[None]

    of_n, of_X = lax.fori_loop(0, num, step, (jnp.zeros_like(n), jnp.zeros_like(X)))
    return of_X, _of_transpose(X, of_n[:, None])[:, 0]


stepped_back.defvjp(_stepped_kept, _stepped_pulled)


def _in_memory(X: Array, k: Array) -> Array:
    """The same array, as one that XLA cannot make part of a larger expression and compute again and again.

    Its branches cannot be told apart beforehand; `lax.optimization_barrier` is gone before the CPU compiler fuses.
    """
    return lax.cond(k >= 0, lambda X: X, jnp.zeros_like, X)
