"""Light of one direction: the integrated powers are those of the closed form, and their derivatives as well."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrate.propagate.dop853 import DENSE, ERRORS, SLOPES, TIMES
from jaxrate.propagate.march import march
from jaxrate.propagate.two_level import outputs
from tests.tolerance import close, same
from tests.two_level_light import ABSORPTION, EMISSION, LENGTH, QUANTA, ZETA, arrays, local

POSITIONS = np.linspace(0, 1, 11)
KINDS = np.array([0, 1])
OWN = arrays(KINDS, np.zeros(2), np.zeros(2, bool))


@pytest.fixture(autouse=True)
def precise():
    with jax.enable_x64(True):
        yield


def launched(num: int) -> np.ndarray:
    """Pumps and signals from far below to far above saturation; the first is that of PHYSICS section 2."""
    rng = np.random.default_rng(1)
    return np.concatenate([[[0.1], [1e-5]], 10.0 ** rng.uniform([[-4], [-9]], [[0], [0]], (2, num - 1))], axis=1)


@jax.jit
def closed(powers, length):
    shapes = ABSORPTION[:, None], EMISSION[:, None], jnp.full(1, ZETA)
    flux, excited = outputs(powers / QUANTA[:, None], *shapes, length)
    return flux * QUANTA[:, None], excited


@jax.jit
def marched(powers, length):
    gain, loss, drive = (jnp.asarray(OWN[name])[..., None] for name in ("gain", "loss", "drive"))
    return march(gain, loss, drive, powers, length, local(), 1e-8, POSITIONS)


def test_the_closed_form_gives_the_published_number():
    powers, _ = closed(launched(1), jnp.full(1, LENGTH))
    close(10 * np.log10(powers[1, 0] / 1e-5), 34.723546, 1e-8)
    close(powers[0, 0], 47.93948e-3, 1e-7)


def test_the_closed_form_balances_photons():
    """What ions take up they give off: S - Q = zeta L u, however weak or strong the light."""
    powers = launched(64)
    left, excited = closed(powers, jnp.full(64, LENGTH))
    taken = np.sum((powers - left) / QUANTA[:, None], axis=0)
    close(taken, ZETA * LENGTH * excited, 1e-13, 1e-14 * np.sum(powers / QUANTA[:, None], axis=0))


def test_integration_equals_the_closed_form():
    powers = launched(64)
    along, n, found = marched(powers, jnp.full(64, LENGTH))
    assert np.all(found)
    left, _ = closed(powers, jnp.full(64, LENGTH))
    close(along[:, -1], left, 1e-8)
    close(along[:, 0], powers, 1e-15)
    close(jnp.sum(n, axis=0), 1.0, 1e-14)


def test_every_position_is_the_end_of_a_shorter_amplifier():
    powers = launched(64)
    along, _, _ = marched(powers, jnp.full(64, LENGTH))
    for i in (1, 5, 8):
        close(along[:, i], closed(powers, jnp.full(64, LENGTH * POSITIONS[i]))[0], 1e-8)


def test_neighbours_change_nothing():
    powers = launched(64)
    alone = np.tile(powers[:, 3:4], (1, 64))
    same(marched(powers, jnp.full(64, LENGTH))[0][..., 3], marched(alone, jnp.full(64, LENGTH))[0][..., 7])


def test_derivatives_equal_those_of_the_closed_form():
    powers, length = jnp.asarray(launched(64)), jnp.full(64, LENGTH)

    def total(way, powers, length):
        return jnp.sum(jnp.log(way(powers, length)))

    found = jax.jit(jax.grad(lambda p, x: total(lambda *a: marched(*a)[0][:, -1], p, x), (0, 1)))(powers, length)
    exact = jax.jit(jax.grad(lambda p, x: total(lambda *a: closed(*a)[0], p, x), (0, 1)))(powers, length)
    close(found[0] * powers, exact[0] * powers, 1e-7, 1e-8)
    close(found[1], exact[1], 1e-7, 1e-8)
    step = 1e-4
    both = [jnp.log(closed(powers, length + d)[0]).sum(0) for d in (step, -step)]
    close(exact[1], (both[0] - both[1]) / (2 * step), 1e-7, 1e-8)


def test_a_lane_without_populations_is_not_found_and_harms_no_other():
    powers = launched(64)
    powers[0, 5] = np.nan
    along, _, found = marched(powers, jnp.full(64, LENGTH))
    assert not found[5]
    assert np.sum(found) == 63
    same(along[..., 3], marched(launched(64), jnp.full(64, LENGTH))[0][..., 3])


def test_the_method_is_of_order_eight():
    """Quadrature conditions of its weights, and those of the estimates, whose orders are 5 and 3."""
    for k in range(8):
        close(SLOPES[12] @ TIMES**k, 1 / (k + 1), 1e-13)
        close(SLOPES[12] @ SLOPES @ TIMES**k if k < 7 else 0.0, 1 / ((k + 1) * (k + 2)) if k < 7 else 0.0, 1e-13)
    for weights, order in zip(ERRORS, (5, 3), strict=True):
        close([weights @ TIMES**k for k in range(order)], 0.0, 1e-13, 1e-13)
    close(DENSE.sum(1), 0.0, 0.0, 1e-12)
