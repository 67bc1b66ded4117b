"""Products and steps of propagators, and their reverse mode by hand against JAX's own."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrate.solve import adjoint
from tests.tolerance import close

LANES = 3


def random(*shape: int) -> jax.Array:
    """Numbers between 0 and 1, shape (*shape, lane)."""
    return jnp.asarray(np.random.default_rng(sum(shape)).uniform(size=(*shape, LANES)))


@pytest.mark.parametrize("n", [2, adjoint.UNROLLED + 2])
def test_products_of_small_and_large_matrices(n: int):
    """One expression, or XLA's own product: both are that of each lane, and so are their transposes."""
    with jax.enable_x64(True):
        for columns in (1, n):
            A, B, C = random(n, n), random(n, columns), random(n, columns)
            close(np.asarray(adjoint.product(A, B)), np.einsum("ikl,kjl->ijl", A, B), 1e-14)
            same_pulled(adjoint.product_back, adjoint.product, (A, B), C)


@pytest.mark.parametrize("num", [1, 4])
def test_steps_pull_back_as_jax_does(num: int):
    with jax.enable_x64(True):
        X, n, C = random(3, 3), random(3), random(num, 3)
        same_pulled(lambda X, n: adjoint.stepped_back(X, n, num), lambda X, n: adjoint.stepped(X, n, num), (X, n), C)


def same_pulled(by_hand: Callable, plain: Callable, inputs: tuple[jax.Array, ...], C: jax.Array) -> None:
    """Values, and cotangents of the inputs."""
    (found, pull), (wanted, pull_plain) = jax.vjp(by_hand, *inputs), jax.vjp(plain, *inputs)
    close(np.asarray(found), np.asarray(wanted), 1e-14)
    for own, its in zip(pull(C), pull_plain(C), strict=True):
        close(np.asarray(own), np.asarray(its), 1e-13)
