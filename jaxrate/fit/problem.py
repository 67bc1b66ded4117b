"""What a fit compares: predictions of experiments, or of functions, with measured numbers, for many fits at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxrate.fit.free import Free
from jaxrate.fit.levenberg import Moment, levenberg
from jaxrate.fit.orthogonal import joined, triangular
from jaxrate.fit.subject import Solved, Source
from jaxrate.solve.batch import Batch, read_batch
from jaxrate.solve.lanes import Kernel, Way, run

CHUNK_BYTES = 2**22
"""Memory of the Jacobian of a block of fits: longer tables are taken piece by piece."""
FEWEST = 64
"""Fits in a block."""

U, Y, WEIGHT, HELD, TURNS = " u", " y", " weight", " held", " turns"
"""What may differ from fit to fit: parameters, data, weights of the data, which parameters keep their value, and how
often it may be evaluated."""


@dataclass(frozen=True)
class Part:
    """Static layout of the data of one source.

    Args:
        source: What predicts them.
        conditions: Names of the parameters that differ from state to state.
        levels: Observables whose data are compared as logarithms.
        num_base: Values that the source is based on.
        states: Number of states, a multiple of `chunk`.
        width: Data of a state at most.
        chunk: States that are predicted at once.
        regular: That the data of every state are all predictions of a state, in their order.
    """

    source: Source
    conditions: tuple[str, ...]
    levels: tuple[str, ...]
    num_base: int
    states: int
    width: int
    chunk: int
    regular: bool

    @property
    def size(self) -> int:
        """Places for data."""
        return self.states * self.width

    @property
    def length(self) -> int:
        """Numbers in `base`."""
        return self.num_base + len(self.conditions) * self.states + 3 * self.size

    def split(self, numbers: Any) -> tuple[Any, Any, Any, Any, Any]:
        """Base, conditions (name, state), and places, values and weights of the data (width, state)."""
        sizes = [self.num_base, len(self.conditions) * self.states, self.size, self.size, self.size]
        ends = np.cumsum(sizes)
        base, conditions, places, y, weight = (numbers[end - size : end] for size, end in zip(sizes, ends, strict=True))
        table = (self.width, self.states)
        return base, conditions.reshape(-1, self.states), places.reshape(table), y.reshape(table), weight.reshape(table)

    def joined(self, base: Any, conditions: Any, places: Any, y: Any, weight: Any) -> np.ndarray:
        """The numbers that `split` takes apart."""
        parts = (base, conditions, places, y, weight)
        return np.concatenate([np.asarray(part, np.float64).reshape(-1) for part in parts])

    def predictions(self, base: Array, theta: Mapping[str, Array], conditions: Array, places: Array) -> Array:
        """What the data of some states should be, shape (width, state, lane)."""
        lanes, states = next(iter(theta.values())).shape[-1], conditions.shape[1]
        rows = dict(zip(self.conditions, conditions[..., None], strict=True))
        values = _calibrated({**rows, **theta}, rows)
        found = self.source.predict(base, values, (states, lanes))
        measured = [self._measured(name, found[name], values) for name in self.source.names]
        every = jnp.concatenate(measured)
        return every if self.regular else jnp.take_along_axis(every, places.astype(jnp.int32)[..., None], axis=0)

    def _measured(self, name: str, value: Array, values: Mapping[str, Array]) -> Array:
        """A prediction as the instrument shows it."""
        value = value * values.get(f"{name}.scale", 1.0) + values.get(f"{name}.offset", 0.0)
        return jnp.log(value) if name in self.levels else value


def _calibrated(values: dict[str, Array], conditions: Mapping[str, Array]) -> dict[str, Array]:
    """Conditions as they were, not as the instrument showed them."""
    scaled = dict(values)
    for name in conditions:
        for scale in _scales(name):
            scaled[name] = scaled[name] * values.get(scale, 1.0)
    return scaled


def _scales(name: str) -> tuple[str, ...]:
    """What corrects a condition: a factor of its own, and of one channel also that of all of its group."""
    group, bracket, _ = name.partition("[")
    return (f"{name}.scale", f"{group}.scale") if bracket else (f"{name}.scale",)


@dataclass(frozen=True)
class Layout:
    """Everything about a fit but its numbers: equal layouts share compiled programs.

    Args:
        free: The free parameters.
        parts: The data, source by source.
    """

    free: Free
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Places for data, of all parts."""
        return sum(part.size for part in self.parts)

    @property
    def lane_bytes(self) -> int:
        """Memory of one fit."""
        rows = max(part.chunk * part.width for part in self.parts)
        solved = max(part.chunk * part.source.lane_bytes for part in self.parts)
        return max(8 * (self.free.num + 2) * (rows + 3 * self.free.num), solved)

    def split(self, base: Any) -> tuple[Any, list[Any]]:
        """Numbers of the parameters, and of each part."""
        ends = np.cumsum([self.free.length, *(part.length for part in self.parts)])
        own, *parts = (base[low:high] for low, high in zip((0, *ends[:-1]), ends, strict=True))
        return own, parts

    def by(self, mode: Literal["forward", "reverse", "any"]) -> "Layout":
        """The same fit, for other ways to differentiate; see `Way`."""

        def changed(source: Source) -> Source:
            return replace(source, mode=mode) if isinstance(source, Solved) else source

        return replace(self, parts=tuple(replace(part, source=changed(part.source)) for part in self.parts))

    def residuals(self, base: Array, block: Mapping[str, Array]) -> tuple[list[Callable], list[Any]]:
        """Residuals piece by piece: functions of (u, piece), and the pieces, stacked along their first axis."""
        own, numbers = self.split(base)
        functions, pieces, first = [], [], 0
        for part, its in zip(self.parts, numbers, strict=True):
            functions.append(_comparison(self.free, own, part, its[: part.num_base]))
            pieces.append(
                _pieces(part, its, {n: block[n][first : first + part.size] for n in (Y, WEIGHT) if n in block})
            )
            first += part.size
        return functions, pieces


def _comparison(free: Free, own: Array, part: Part, base: Array) -> Callable[[Array, Any], Array]:
    """Residuals of some states of a part, by parameters; 0 where there is no datum."""

    def residuals(u: Array, piece: dict[str, Array]) -> Array:
        found = _predicted(free, own, part, base, u, piece["conditions"], piece["places"])
        weight = piece["weight"]
        return jnp.where(weight > 0, (found - piece["y"]) * weight, 0.0).reshape(-1, u.shape[-1])

    return residuals


def _predicted(free: Free, own: Array, part: Part, base: Array, u: Array, conditions: Array, places: Array) -> Array:
    """Predictions of some states of a part, by coordinates, shape (width, state, lane)."""
    theta = free.values(own, u, dict(zip(part.conditions, conditions, strict=True)))
    return part.predictions(base, theta, conditions, places)


def _pieces(part: Part, numbers: Array, own: Mapping[str, Array]) -> dict[str, Array]:
    """Data of a part as pieces along a first axis; those that a lane has of its own have a lane axis."""
    _, conditions, places, y, weight = part.split(numbers)
    table = (part.width, part.states)
    y = own[Y].reshape(*table, -1) if Y in own else y[..., None]
    weight = weight[..., None] * own[WEIGHT].reshape(*table, -1) if WEIGHT in own else weight[..., None]
    whole = {"conditions": conditions, "places": places, "y": y, "weight": weight}
    return {name: _cut(x, part.states // part.chunk) for name, x in whole.items()}


def _cut(x: Array, pieces: int) -> Array:
    """(row, state, ...) as (piece, row, state of it, ...)."""
    return jnp.moveaxis(x.reshape(x.shape[0], pieces, -1, *x.shape[2:]), 1, 0)


def moment(layout: Layout, base: Array, block: Mapping[str, Array], u: Array) -> Moment:
    """Triangular factor of the Jacobian, right-hand side and sum of squares of every fit of a block."""
    own, _ = layout.split(base)
    found = _with_rows(None, *linear(lambda u: layout.free.prior_residuals(own, u), u)) if layout.free.priors else None
    for residuals, pieces in zip(*layout.residuals(base, block), strict=True):

        def one(carry: Any, piece: Any, residuals: Callable = residuals) -> tuple[Any, None]:
            return _with_rows(carry, *linear(lambda u: residuals(u, piece), u)), None

        found, _ = one(found, {name: x[0] for name, x in pieces.items()})
        if pieces["y"].shape[0] > 1:
            found, _ = lax.scan(one, found, {name: x[1:] for name, x in pieces.items()})
    assert found is not None
    R, c, square = found
    good = jnp.isfinite(square) & jnp.all(jnp.isfinite(R), axis=(0, 1))
    return Moment(u, jnp.where(good, R, 0.0), jnp.where(good, c, 0.0), jnp.where(good, square, jnp.inf))


def linear(function: Callable[[Array], Array], u: Array) -> tuple[Array, Array]:
    """Values (row, lane) of a function of u (coordinate, lane), and derivatives by it (coordinate, row, lane)."""
    num, lanes = u.shape
    units = jnp.broadcast_to(jnp.eye(num)[:, :, None], (num, num, lanes))
    return jax.vmap(lambda unit: jax.jvp(function, (u,), (unit,)), out_axes=(None, 0))(units)


def _with_rows(found: tuple[Array, Array, Array] | None, residuals: Array, slopes: Array) -> tuple[Array, Array, Array]:
    square = jnp.sum(residuals * residuals, axis=0)
    if found is None:
        return (*triangular(slopes, residuals), square)
    R, c, before = found
    return (*joined(R, c, slopes, residuals), before + square)


@dataclass(frozen=True)
class OfFits:
    """What every kernel over fits is: one whose blocks are long, with one way to work.

    Args:
        layout: The fit.
    """

    layout: Layout
    blocks_per_call = 1

    @property
    def lane_bytes(self) -> int:
        """Memory of one fit."""
        return self.layout.lane_bytes

    def has_short_way(self, base: np.ndarray, batch: Batch) -> bool:
        """There is one way only."""
        return False


@dataclass(frozen=True)
class LeastSquares(OfFits):
    """Kernel: a fit by Levenberg-Marquardt from a start.

    Args:
        layout: The fit.
    """

    def __call__(self, base: Array, block: dict[str, Array], way: Way) -> dict[str, Array]:
        layout = self.layout
        lower, upper = layout.free.bounds(layout.split(base)[0])
        end, converged, turns = levenberg(
            lambda u: moment(layout, base, block, u),
            block[U],
            lower[:, None],
            upper[:, None],
            block[HELD] > 0,
            _length(layout.residuals(base, block)[1], way.lanes),
            block[TURNS][0],
        )
        status = jnp.where(converged, 0, 1).astype(jnp.int8)
        return {"u": end.u, "square": end.square, "R": end.R, "turns": turns, "status": status}


def _length(parts: list[dict[str, Array]], lanes: int) -> Array:
    """Length of the weighted data of every lane."""
    squares = [jnp.sum((pieces["y"] * pieces["weight"]) ** 2, axis=(0, 1, 2)) for pieces in parts]
    return jnp.sqrt(jnp.broadcast_to(sum(squares), (lanes,)))


def run_fits(kernel: Kernel, base: np.ndarray, u: np.ndarray, own: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Run a kernel over fits, shapes (..., fit)."""
    arrays = {U: u, **own}
    return run(kernel, base, read_batch(arrays, {name: 1 for name in arrays}))


def predictions(layout: Layout, base: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What every place for a datum should show at some coordinates, shape (place,), and its derivatives by them.

    Returns:
        Predictions, shape (place,), and derivatives, shape (coordinate, place).
    """
    with jax.enable_x64(True):
        found, slopes = _predictions(layout)(jnp.asarray(base), jnp.asarray(u))
        return np.asarray(found), np.asarray(slopes)


@lru_cache(maxsize=64)
def _predictions(layout: Layout) -> Callable[[Array, Array], tuple[Array, Array]]:
    def every(base: Array, u: Array) -> Array:
        own, numbers = layout.split(base)
        parts = zip(layout.parts, numbers, strict=True)
        return jnp.concatenate([_places(layout.free, own, part, its, u) for part, its in parts])

    def both(base: Array, u: Array) -> tuple[Array, Array]:
        found, slopes = linear(lambda u: every(base, u), u[:, None])
        return found[:, 0], slopes[..., 0]

    return jax.jit(both)


def _places(free: Free, own: Array, part: Part, numbers: Array, u: Array) -> Array:
    """Predictions of a part in the order of its places, shape (place, lane)."""
    base, conditions, places, _, _ = part.split(numbers)
    pieces = part.states // part.chunk
    found = lax.map(
        lambda piece: _predicted(free, own, part, base, u, *piece), (_cut(conditions, pieces), _cut(places, pieces))
    )
    return jnp.moveaxis(found, 0, 1).reshape(part.size, -1)
