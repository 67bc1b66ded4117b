"""What a search without squares minimises: chi-squared of any likelihood, its gradient and its normal equations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxrate.fit.factor import factor
from jaxrate.fit.levenberg import Moment
from jaxrate.fit.likelihood import Likelihood, gaussian
from jaxrate.fit.problem import WEIGHT, Layout, linear

FORWARD = 30
"""Parameters up to which gradients are taken by forward mode: beyond, one pass backwards is cheaper."""

Pieces = dict[str, Array]
"""Data piece by piece: arrays (piece, ...)."""


class Slope(NamedTuple):
    """Fits at given parameters.

    Attributes:
        u: Parameters, shape (parameter, lane).
        gradient: Half the gradient of chi-squared, shape (parameter, lane).
        square: Chi-squared, shape (lane,); infinite where there is no prediction.
    """

    u: Array
    gradient: Array
    square: Array


class _Group(NamedTuple):
    """Data of one source, or the priors."""

    predict: Callable[[Array, Any], Array]
    likelihood: Likelihood
    pieces: Pieces

    def terms(self, prediction: Array, piece: Pieces) -> tuple[Array, Array, Array]:
        """Chi-squared (lane,), slope and curvature (row, lane) of a piece; 0 where there is no datum."""
        likelihood, times = self.likelihood, piece["times"]
        data = (prediction, piece["value"], piece["root"])
        found = (likelihood.contribution(*data), likelihood.slope(*data), likelihood.curvature(*data))
        square, slope, curvature = (jnp.where(times > 0, times * x, 0.0) for x in found)
        return jnp.sum(square, axis=0), slope, curvature


@dataclass(frozen=True, eq=False)
class Objective:
    """Chi-squared of every fit of a block.

    Args:
        layout: The fit.
        likelihood: Of the data; priors are normal.
        base: Numbers of the fit.
        block: What differs from fit to fit. `WEIGHT` squared tells how often a datum counts.
    """

    layout: Layout
    likelihood: Likelihood
    base: Array
    block: Mapping[str, Array]

    @cached_property
    def groups(self) -> list[_Group]:
        """Data and priors."""
        return self._groups(self.layout)

    @cached_property
    def scale(self) -> tuple[Array, Array]:
        """Number of data, and length of the data in standard deviations, which rounding is measured by, (lane,)."""
        number, square = jnp.zeros(()), jnp.zeros(())
        for _, likelihood, pieces in self.groups:
            value, root, times = (pieces[name] for name in ("value", "root", "times"))
            number = number + jnp.sum(times > 0, axis=(0, 1))
            square = square + jnp.sum(times * value**2 * likelihood.curvature(value, value, root), axis=(0, 1))
        return number, jnp.sqrt(square)

    def value(self, u: Array) -> Array:
        """Chi-squared alone, shape (lane,)."""
        return _summed(self.groups, _valued, u, None)[0]

    def slope(self, u: Array) -> Slope:
        """Chi-squared and its gradient."""
        if u.shape[0] <= FORWARD:
            square, gradient = _summed(self.groups, _pushed, u, jnp.zeros_like(u))
        else:
            square, gradient = _summed(self._groups(self.layout.by("reverse")), _pulled, u, jnp.zeros_like(u))
        good = jnp.isfinite(square) & jnp.all(jnp.isfinite(gradient), axis=0)
        return Slope(u, jnp.where(good, gradient, 0.0), jnp.where(good, square, jnp.inf))

    def moment(self, u: Array) -> Moment:
        """Least squares that have the same gradient, and the curvature of the likelihood."""
        num, lanes = u.shape
        square, (R, c) = _summed(self.groups, _factored, u, (jnp.zeros((num, num, lanes)), jnp.zeros((num, lanes))))
        good = jnp.isfinite(square) & jnp.all(jnp.isfinite(R), axis=(0, 1)) & jnp.all(jnp.isfinite(c), axis=0)
        return Moment(u, jnp.where(good, R, 0.0), jnp.where(good, c, 0.0), jnp.where(good, square, jnp.inf))

    def _groups(self, layout: Layout) -> list[_Group]:
        plain = {name: x for name, x in self.block.items() if name != WEIGHT}
        functions, pieces = layout.residuals(self.base, self.block)
        _, stated = layout.residuals(self.base, plain)
        data = [_data(*its, self.likelihood) for its in zip(functions, pieces, stated, strict=True)]
        return [*data, *([_priors(layout, self.base)] if layout.free.priors else [])]


def _data(residuals: Callable, pieces: Pieces, stated: Pieces, likelihood: Likelihood) -> _Group:
    """Data of a part, with residuals that become predictions where values are 0 and weights 1."""

    def predict(u: Array, piece: Pieces) -> Array:
        return residuals(u, {**piece, "y": jnp.zeros(()), "weight": piece["present"]})

    def rows(x: Array) -> Array:
        return x.reshape(x.shape[0], x.shape[1] * x.shape[2], -1)

    there = stated["weight"] > 0
    times = jnp.where(there, (pieces["weight"] / jnp.where(there, stated["weight"], 1.0)) ** 2, 0.0)
    of_data = {"value": rows(pieces["y"]), "root": rows(stated["weight"]), "times": rows(times)}
    of_states = {name: pieces[name] for name in ("conditions", "places")}
    return _Group(predict, likelihood, {**of_states, "present": there.astype(times.dtype), **of_data})


def _priors(layout: Layout, base: Array) -> _Group:
    own, _ = layout.split(base)
    one = jnp.ones((1, len(layout.free.priors), 1))
    pieces = {"value": jnp.zeros_like(one), "root": one, "times": one}
    return _Group(lambda u, piece: layout.free.prior_residuals(own, u), gaussian, pieces)


def _summed(groups: list[_Group], add: Callable, u: Array, start: Any) -> tuple[Array, Any]:
    """Chi-squared, and what else is added up over all pieces of all groups."""
    found = (jnp.zeros(u.shape[1]), start)
    for group in groups:

        def one(carry: Any, piece: Pieces, group: _Group = group) -> tuple[Any, None]:
            square, more = add(group, u, piece, carry[1])
            return (carry[0] + square, more), None

        if group.pieces["value"].shape[0] == 1:
            found, _ = one(found, {name: x[0] for name, x in group.pieces.items()})
        else:
            found, _ = lax.scan(one, found, group.pieces)
    return found


def _valued(group: _Group, u: Array, piece: Pieces, nothing: None) -> tuple[Array, None]:
    return group.terms(group.predict(u, piece), piece)[0], nothing


def _pushed(group: _Group, u: Array, piece: Pieces, gradient: Array) -> tuple[Array, Array]:
    prediction, slopes = linear(lambda u: group.predict(u, piece), u)
    square, slope, _ = group.terms(prediction, piece)
    return square, gradient + jnp.sum(slopes * slope, axis=1)


def _pulled(group: _Group, u: Array, piece: Pieces, gradient: Array) -> tuple[Array, Array]:
    prediction, pull = jax.vjp(lambda u: group.predict(u, piece), u)
    square, slope, _ = group.terms(prediction, piece)
    return square, gradient + pull(slope)[0]


def _factored(group: _Group, u: Array, piece: Pieces, found: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
    prediction, slopes = linear(lambda u: group.predict(u, piece), u)
    square, slope, curvature = group.terms(prediction, piece)
    root = jnp.sqrt(curvature)
    residual = slope / jnp.where(root > 0, root, 1.0)
    R, c = found
    columns = jnp.concatenate([jnp.swapaxes(R, 0, 1), slopes * root], axis=1)
    return square, factor(columns, jnp.concatenate([c, residual]))
