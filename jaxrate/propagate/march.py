r"""Light of one direction and no noise: an initial-value problem, of all lanes of a block at once.

All channels follow from the integrals of the populations, $P_k(z) = P_k(0)\,e^{\mathrm{gain}_k\cdot N(z) -
\mathrm{loss}_k z}$ with $N_l = \int_0^z n_l\,dz'$, so that these are integrated, $dN/dz = n$, and the exponentials are
exact. Every lane has steps of its own.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxrate.propagate.dop853 import DENSE, ERRORS, SLOPES, STAGES, TIMES
from jaxrate.propagate.medium import Local

MAX_STEPS = 400
"""Steps of a lane, refused ones included."""

SHARE = 0.1
"""Of the tolerance, that one step may miss."""

FIRST = 0.3
"""First step, as a share of the length over which the strongest channel changes by one neper."""


class _Arrays(NamedTuple):
    """What the light runs through, the lanes last or an axis of length 1, and what `local` closes over."""

    gain: Array
    loss: Array
    drive: Array
    launched: Array
    length: Array
    closed_over: list[Array]


class _State(NamedTuple):
    """Of each lane: fraction of the length, integrals there, next step, results, edges of the steps, found so far."""

    count: Array
    at: Array
    N: Array
    step: Array
    results: Array
    edges: Array
    taken: Array
    sound: Array


def march(
    gain: Array,
    loss: Array,
    drive: Array,
    launched: Array,
    length: Array,
    local: Local,
    rtol: float,
    positions: np.ndarray,
) -> tuple[Array, Array, Array]:
    """Powers and populations along z, differentiable by every array in both modes.

    Args:
        gain: Gain per population [m^-1], shape (channel, level, lane or 1).
        loss: Background loss [m^-1], shape (channel, lane or 1).
        drive: Rate of a drive per power [s^-1 W^-1], shape (drive, channel, lane or 1).
        launched: Power at z = 0 [W], shape (channel, lane).
        length: Length [m], shape (lane,).
        local: Populations (level, lane), and which were found (lane,), of the rates (drive, lane) [s^-1].
        rtol: Relative error of the powers.
        positions: Where the results are wanted, as fractions of the length, ascending.

    Returns:
        Powers [W], shape (channel, position, lane); populations (level, position, lane); found, shape (lane,).
    """
    at = tuple(float(z) for z in positions)
    rates = jnp.zeros((drive.shape[0], launched.shape[1]), launched.dtype)
    converted, closed_over = jax.closure_convert(local, rates)
    arrays = _Arrays(gain, loss, drive, launched, jnp.broadcast_to(length, launched.shape[1:]), closed_over)
    N, found = _integrals(converted, rtol, at)(arrays)
    powers = _powers(arrays, N, jnp.asarray(at)[:, None])
    n, sound = jax.vmap(local, 1, (1, 0))(jnp.stack([jnp.sum(row[:, None] * powers, axis=0) for row in drive]))
    return powers, n, found & jnp.all(sound, axis=0)


def _powers(arrays: _Arrays, N: Array, at: Array) -> Array:
    """Powers from the integrals (level, [position,] lane) at fractions of the length, shape (channel, *that)."""
    between = (slice(None),) + (None,) * (N.ndim - 2)
    exponent = sum(arrays.gain[:, i][between] * N[i] for i in range(N.shape[0]))
    return arrays.launched[between] * jnp.exp(exponent - arrays.loss[between] * (arrays.length * at))


def _integrals(local: Callable, rtol: float, at: tuple[float, ...]) -> Callable[[_Arrays], tuple[Array, Array]]:
    """Integrals of the populations at all positions (level, position, lane), and where they were found (lane,).

    Their derivatives are those of the steps as they were taken.
    """

    @jax.custom_jvp
    def integrals(arrays: _Arrays) -> tuple[Array, Array]:
        end = _walked(local, rtol, at, arrays, recorded=False)
        return end.results, _arrived(end)

    def pushed(primals: tuple[_Arrays], tangents: tuple[_Arrays]) -> tuple:
        end = _walked(local, rtol, at, lax.stop_gradient(primals[0]), recorded=True)
        edges = lax.stop_gradient(end.edges)
        N, slope = jax.jvp(lambda arrays: _replayed(local, at, arrays, edges), primals, tangents)
        found = _arrived(end)
        return (N, found), (slope, np.zeros(found.shape, jax.dtypes.float0))

    integrals.defjvp(pushed)
    return integrals


def _arrived(end: _State) -> Array:
    return end.sound & (end.at >= 1)


def _walked(local: Callable, rtol: float, at: tuple[float, ...], arrays: _Arrays, recorded: bool) -> _State:
    """All lanes from end to end; a lane that has arrived, or found no populations, stays as it is."""
    start = _start(local, at, arrays, recorded)

    def going(state: _State) -> Array:
        return (state.count < MAX_STEPS) & jnp.any(state.sound & (state.at < 1))

    def turn(state: _State) -> _State:
        return _turn(local, rtol, at, arrays, state, recorded)

    return lax.while_loop(going, turn, start)


def _start(local: Callable, at: tuple[float, ...], arrays: _Arrays, recorded: bool) -> _State:
    lanes, dtype = arrays.launched.shape[1], arrays.launched.dtype
    zero = jnp.zeros(lanes, dtype)
    levels = arrays.gain.shape[1]
    steepest = jnp.max(jnp.abs(arrays.gain), axis=(0, 1)) + jnp.max(jnp.abs(arrays.loss), axis=0)
    step = jnp.minimum(FIRST / jnp.maximum(steepest * arrays.length, FIRST), 1.0)
    results = jnp.zeros((levels, len(at), lanes), dtype)
    edges = jnp.ones((MAX_STEPS + 1 if recorded else 1, lanes), dtype).at[0].set(0.0)
    return _State(
        jnp.int32(0),
        zero,
        jnp.zeros((levels, lanes), dtype),
        jnp.broadcast_to(step, (lanes,)),
        results,
        edges,
        jnp.zeros(lanes, jnp.int32),
        jnp.ones(lanes, bool),
    )


def _turn(
    local: Callable, rtol: float, at: tuple[float, ...], arrays: _Arrays, state: _State, recorded: bool
) -> _State:
    """One step of every lane that is on its way, taken where its error is small enough."""
    end = jnp.minimum(state.at + state.step, 1.0)
    end = jnp.where(end > 1 - 1e-12, 1.0, end)
    width = end - state.at
    stages, sound = _stages(local, arrays, state.N, state.at, width)
    new = state.N + _weighted(SLOPES[12], stages)
    missed = _missed(arrays, stages) / (SHARE * rtol)
    going = state.sound & (state.at < 1)
    whole = sound & jnp.isfinite(missed)
    taken = going & whole & (missed <= 1)
    factor = jnp.where(whole, jnp.clip(0.8 * jnp.maximum(missed, 1e-30) ** -0.125, 0.2, 3.0), 0.2)
    results = _dense(at, state.results, state.N, new, stages, state.at, end, taken)
    count = state.taken + taken
    edges = state.edges
    if recorded:
        row = jnp.arange(edges.shape[0], dtype=jnp.int32)[:, None] == count
        edges = jnp.where(row & taken, end, edges)
    return _State(
        state.count + 1,
        jnp.where(taken, end, state.at),
        jnp.where(taken, new, state.N),
        jnp.where(going, width * factor, state.step),
        results,
        edges,
        count,
        state.sound & (whole | ~going | (width > 1e-10)),
    )


def _stages(local: Callable, arrays: _Arrays, N: Array, at: Array, width: Array) -> tuple[Array, Array]:
    """Populations at all stages times the step [m], shape (stage, level, lane), and where all were found."""
    distance = width * arrays.length

    def stage(i: Array, so_far: tuple[Array, Array]) -> tuple[Array, Array]:
        stages, sound = so_far
        here = N + _weighted(jnp.asarray(SLOPES, N.dtype)[i], stages)
        powers = _powers(arrays, here, at + width * jnp.asarray(TIMES, N.dtype)[i])
        rates = jnp.stack([jnp.sum(row * powers, axis=0) for row in arrays.drive])
        n, found = local(rates, *arrays.closed_over)
        return stages.at[i].set(n[: N.shape[0]] * distance), sound & found

    begin = jnp.zeros((STAGES, *N.shape), N.dtype), jnp.ones(N.shape[1:], bool)
    return lax.fori_loop(0, STAGES, stage, begin)


def _weighted(weights: np.ndarray | Array, stages: Array) -> Array:
    return jnp.sum(jnp.asarray(weights, stages.dtype)[:, None, None] * stages, axis=0)


def _missed(arrays: _Arrays, stages: Array) -> Array:
    """Error of a step in the logarithm of the worst channel, (lane,): of order 5, made smaller by that of order 3."""
    fifth, third = (
        jnp.max(jnp.abs(sum(arrays.gain[:, i] * error[i] for i in range(error.shape[0]))), axis=0)
        for error in (_weighted(weights, stages) for weights in ERRORS)
    )
    size = jnp.sqrt(fifth**2 + 0.01 * third**2)
    return jnp.where(size > 0, fifth**2 / jnp.where(size > 0, size, 1.0), 0.0)


def _dense(
    at: tuple[float, ...], results: Array, old: Array, new: Array, stages: Array, begin: Array, end: Array, taken: Array
) -> Array:
    """Results with the positions inside of a step filled in."""
    change, first, last = new - old, stages[0], stages[12]
    terms = [change, first - change, 2 * change - (last + first), *(_weighted(w, stages) for w in DENSE)]
    place = jnp.asarray(at, old.dtype)[:, None]
    width = jnp.where(end > begin, end - begin, 1.0)
    share = (place - begin) / width
    value = jnp.zeros_like(results)
    for i, term in enumerate(reversed(terms)):
        value = (value + term[:, None]) * (share if i % 2 == 0 else 1 - share)
    inside = taken & (place > begin) & (place <= end)
    return jnp.where(inside, old[:, None] + value, results)


def _replayed(local: Callable, at: tuple[float, ...], arrays: _Arrays, edges: Array) -> Array:
    """The same results by the same steps, in a form that can be differentiated backwards."""

    @jax.checkpoint
    def stepped(N: Array, results: Array, begin: Array, end: Array) -> tuple[Array, Array]:
        stages, _ = _stages(local, arrays, N, begin, end - begin)
        new = N + _weighted(SLOPES[12], stages)
        return new, _dense(at, results, N, new, stages, begin, end, end > begin)

    def step(state: tuple[Array, Array], edge: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        return lax.cond(jnp.any(edge[1] > edge[0]), stepped, lambda N, results, *_: (N, results), *state, *edge), None

    lanes, dtype = arrays.launched.shape[1], arrays.launched.dtype
    levels = arrays.gain.shape[1]
    begin = jnp.zeros((levels, lanes), dtype), jnp.zeros((levels, len(at), lanes), dtype)
    return lax.scan(step, begin, (edges[:-1], edges[1:]))[0][1]
