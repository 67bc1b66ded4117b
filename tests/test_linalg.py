"""Elimination: populations and derivatives to rounding however stiff, absorbing levels anywhere, classes counted."""

from collections.abc import Callable
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrate.solve.linalg import UNROLLED, stationary
from tests.networks import (
    KINDS,
    Pair,
    dense_pairs,
    embedded,
    exact_log_derivatives,
    exact_populations,
    num_closed_classes,
    pairs_of,
    rates_of,
)
from tests.tolerance import DERIVATIVE, ROUNDING, close, same

TINY = 1e-280
"""Promised to be right in float64 are the populations above it."""


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def solve(rates: Any, pairs: list[Pair], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Populations (level, lane) and number of classes (lane,) from rates (transition, lane)."""
    p, classes = jax.jit(lambda k: stationary(k, pairs, n, k.shape[1]))(jnp.asarray(rates))
    return np.asarray(p), np.asarray(classes)


def forward(pairs: list[Pair], n: int) -> Callable:
    """Populations, classes and d ln p_i / d ln k_r, one pass a transition, shape (level, transition, lane)."""

    def populations(k: jax.Array) -> tuple[jax.Array, jax.Array]:
        return stationary(k, pairs, n, k.shape[1])

    @jax.jit
    def solved(k: jax.Array) -> tuple:
        def push(e: jax.Array) -> tuple:
            return jax.jvp(populations, (k,), (e[:, None] * k,), has_aux=True)

        p, slopes, classes = jax.lax.map(push, jnp.eye(len(k)))
        return p[0], classes[0], jnp.moveaxis(slopes, 0, 1) / p[0][:, None]

    return lambda rates: tuple(map(np.asarray, solved(jnp.asarray(rates))))


def reverse(pairs: list[Pair], n: int) -> Callable:
    """The same, one pass a level."""

    @jax.jit
    def solved(k: jax.Array) -> tuple:
        p, pull, classes = jax.vjp(lambda x: stationary(x, pairs, n, x.shape[1]), k, has_aux=True)
        return p, classes, jax.vmap(lambda e: pull(e[:, None] / p)[0] * k)(jnp.eye(n))

    return lambda rates: tuple(map(np.asarray, solved(jnp.asarray(rates))))


def check(solved: tuple, rates: np.ndarray, pairs: list[Pair], n: int) -> None:
    """Populations relative to themselves; slopes as promised, and to themselves where they are not tiny."""
    p, classes, slopes = solved
    same(classes, np.ones_like(classes))
    for lane, k in enumerate(rates.T):
        what = f"{n} levels, lane {lane}"
        exact = np.array([float(x) for x in exact_populations(pairs, k, n)])
        above = (exact > TINY) | (exact == 0)
        close(p[above, lane], exact[above], ROUNDING, what=f"populations of {what}")
        wanted = exact_log_derivatives(pairs, k, n)
        held = ~np.isnan(wanted)
        close(slopes[..., lane][held], wanted[held], 0.0, DERIVATIVE, what=f"derivatives of {what}")
        large = held & (np.abs(np.nan_to_num(wanted)) > 1e-3)
        close(slopes[..., lane][large], wanted[large], DERIVATIVE, what=f"derivatives of {what}")


@pytest.mark.parametrize("n", [2, 3, 5, 8, pytest.param(40, marks=pytest.mark.long)])
def test_populations_and_log_derivatives_are_right_to_rounding(n: int):
    """Every kind of network, as one lane each of the program that has all transitions."""
    pairs = dense_pairs(n)
    rates = embedded(n, 4 if n < 20 else 1, np.random.default_rng(n))
    check(forward(pairs, n)(rates), rates, pairs, n)


@pytest.mark.parametrize("n", [4, 8])
def test_log_derivatives_in_reverse_mode_are_right_to_rounding(n: int):
    """Where every level holds something: the logarithm of an empty one has no cotangent."""
    pairs, rng = dense_pairs(n), np.random.default_rng(100 + n)
    rates = np.array([rates_of(pairs, n, rng, zeros=0.0) for _ in range(4)]).T
    check(reverse(pairs, n)(rates), rates, pairs, n)


@pytest.mark.parametrize(("kind", "n"), [*((kind, 6) for kind in KINDS[1:]), ("tree", 12)])
def test_sparse_networks_are_right_to_rounding(kind: str, n: int):
    """Programs that know which transitions there are eliminate in an order of their own.

    They treat lanes without a zero otherwise, so such lanes come alone and mixed with others.
    """
    rng = np.random.default_rng([n, KINDS.index(kind)])
    pairs = pairs_of(kind, n, rng)
    solved = forward(pairs, n)
    for zeros in ((0.0, 0.2, 0.0, 0.2), (0.0,) * 4):
        rates = np.array([rates_of(pairs, n, rng, z) for z in zeros]).T
        check(solved(rates), rates, pairs, n)


@pytest.mark.parametrize(("n", "decades"), [(4, 120), (24, 15)])
def test_a_chain_that_falls_further_than_floats_reach(n: int, decades: int):
    """Populations from 1 down to 1e-345: those that float64 holds are right, whichever end is level 0."""
    pairs = [p for i in range(n - 1) for p in ((i + 1, i), (i, i + 1))]
    steps = [10.0 ** (-decades // 2), 10.0 ** (decades - decades // 2)]
    rates = np.array([np.tile(steps, n - 1), np.tile(steps[::-1], n - 1)]).T
    p, classes = solve(rates, pairs, n)
    same(classes, np.ones_like(classes))
    for lane in range(2):
        exact = np.array([float(x) for x in exact_populations(pairs, rates[:, lane], n)])
        close(p[exact > TINY, lane], exact[exact > TINY], ROUNDING)


def all_patterns(n: int) -> np.ndarray:
    """Every way in which transitions are there or not, shape (transition, pattern)."""
    return np.array(list(product((0.0, 1.0), repeat=n * (n - 1)))).T


@pytest.mark.parametrize("n", [2, 3, 4])
def test_recurrent_classes_are_counted_for_every_zero_pattern(n: int):
    pairs, rates = dense_pairs(n), all_patterns(n)
    counts = [num_closed_classes([p for p, k in zip(pairs, lane, strict=True) if k], n) for lane in rates.T]
    p, classes = solve(rates * np.random.default_rng(n).uniform(1e-3, 1e3, rates.shape), pairs, n)
    same(classes, np.array(counts, classes.dtype))
    unique = np.array(counts) == 1
    assert np.all(p[:, unique] >= 0)
    close(p[:, unique].sum(0), 1.0)


def test_recurrent_classes_are_counted_among_many_levels():
    """The patterns of four levels, spread over the indices of a larger network whose other levels feed them."""
    n, small = UNROLLED + 4, dense_pairs(4)
    rng = np.random.default_rng(0)
    core = rng.permutation(n)[:4]
    fed = [(int(rng.choice(core)), j) for j in range(n) if j not in core]
    pairs = [(int(core[i]), int(core[j])) for i, j in small] + fed
    inner = all_patterns(4)
    rates = np.concatenate([inner, np.ones((len(fed), inner.shape[1]))])
    counts = [num_closed_classes([p for p, k in zip(small, lane, strict=True) if k], 4) for lane in inner.T]
    _, classes = solve(rates, pairs, n)
    same(classes, np.array(counts, classes.dtype))


@pytest.mark.parametrize("n", [2, 4, 6, 9])
def test_an_absorbing_level_anywhere_holds_everything(n: int):
    """Also where its index is one that elimination would divide by zero at."""
    pairs, rng = dense_pairs(n), np.random.default_rng(n)
    rates = np.array([[0.0 if j == dark else 10.0 ** rng.uniform(-5, 10) for dark in range(n)] for _, j in pairs])
    p, classes = solve(rates, pairs, n)
    same(p, np.eye(n))
    same(classes, np.ones_like(classes))


@pytest.mark.parametrize("n", [4, pytest.param(7, marks=pytest.mark.long)])
def test_the_derivative_by_a_rate_that_is_zero(n: int):
    r"""A level `dark` that a leak k leads out of to `exit`: at k = 0, $\partial p_i/\partial k = \tau_i$.

    $\tau_i$ is the time that who leaves spends in level i before it is back: $\tau = (-K_{open})^{-1} e_{exit}$.
    """
    pairs, full = dense_pairs(n), np.random.default_rng(n).uniform(0.5, 2.0, n * (n - 1))
    rates = np.array([[0.0 if j == dark else k for dark in range(n)] for (_, j), k in zip(pairs, full, strict=True)])
    leaks = [pairs.index(((dark + 1) % n, dark)) for dark in range(n)]  # one lane for each dark level
    wanted = np.array([times_spent(pairs, rates[:, dark], n, dark, (dark + 1) % n) for dark in range(n)]).T

    def populations(k: jax.Array) -> jax.Array:
        return stationary(k, pairs, n, n)[0]

    tangent = jnp.zeros(rates.shape).at[jnp.array(leaks), jnp.arange(n)].set(1.0)
    slope = jax.jit(lambda k: jax.jvp(populations, (k,), (tangent,))[1])(jnp.asarray(rates))
    close(slope, wanted, 1e-12)

    def pull(k: jax.Array) -> jax.Array:
        back = jax.vjp(populations, k)[1]
        return jax.vmap(lambda e: back(jnp.broadcast_to(e[:, None], (n, n)))[0])(jnp.eye(n))

    gradients = np.asarray(jax.jit(pull)(jnp.asarray(rates)))
    close(gradients[:, leaks, range(n)], wanted, 1e-12)


def times_spent(pairs: list[Pair], rates: np.ndarray, n: int, dark: int, start: int) -> np.ndarray:
    """Time in each level on the way from `start` to the absorbing level `dark`, whose own entry is minus their sum."""
    K = np.zeros((n, n))
    for (i, j), k in zip(pairs, rates, strict=True):
        K[i, j] += k
        K[j, j] -= k
    others = [i for i in range(n) if i != dark]
    time = np.zeros(n)
    time[others] = np.linalg.solve(-K[np.ix_(others, others)], np.eye(n)[others, start])
    time[dark] = -time.sum()
    return time


@pytest.mark.parametrize("n", [5, 7])
def test_order_of_the_levels_changes_nothing(n: int):
    rng = np.random.default_rng(n)
    pairs, rates = dense_pairs(n), embedded(n, 2, rng)
    p, _ = solve(rates, pairs, n)
    to = rng.permutation(n)
    q, _ = solve(rates, [(int(to[i]), int(to[j])) for i, j in pairs], n)
    close(q[to], p, 2e-13)


@pytest.mark.parametrize("n", [4, 7])
def test_unit_of_time_changes_nothing(n: int):
    """Rates in years or in femtoseconds: a power of two scales every step exactly."""
    pairs, rates = dense_pairs(n), embedded(n, 2, np.random.default_rng(n))
    p, _ = solve(np.concatenate([rates, rates * 2.0**-60, rates * 2.0**60], axis=1), pairs, n)
    before, years, femtoseconds = np.split(p, 3, axis=1)
    same(years, before)
    same(femtoseconds, before)


@pytest.mark.parametrize("n", [4, 7])
def test_transitions_of_one_pair_add(n: int):
    pairs, rates = dense_pairs(n), embedded(n, 1, np.random.default_rng(n))
    doubled = np.concatenate([rates / 2, rates / 2])
    close(solve(doubled, [*pairs, *pairs], n)[0], solve(rates, pairs, n)[0], 2e-13)


def test_one_level_is_full():
    p, classes = solve(np.zeros((0, 3)), [], 1)
    same(p, np.ones((1, 3)))
    assert np.all(classes == 1)
