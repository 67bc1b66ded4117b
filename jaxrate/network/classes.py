r"""Classes of an inhomogeneous line: atoms of one velocity, or of one kind of site, which saturate together.

Where the line of a class lies is normally distributed, $u = \delta/\sigma$ with $\sigma$ of the line's Gaussian, and
what its light does to a class is rational in u: it has poles at the light's frequency, beside the real axis by the
homogeneous half width $\gamma$ and more. The integral over u is therefore a sum at evenly spaced values of

$t(u) = \frac u2 + \sum_k \operatorname{arsinh}\frac{u - u_k}{a_k},\quad a_k = \sqrt2\,\gamma_k/\sigma$

which crowd at the frequency $u_k$ of each light. There the integrand is analytic in $|\mathrm{Im}\,t| < \pi/4$, so the
error falls as $e^{-\pi^2/2h}$ with the step h, however narrow the line: with $\sigma/\gamma = 10^3$ and light of one
frequency, 100 classes give the saturated gain to 1e-6 and 200 to 1e-11. Light of K frequencies that are far from each
other needs K times as many.

Source:
    L. N. Trefethen, J. A. C. Weideman, SIAM Review 56, 385 (2014), of the error and of what a pole adds to the sum
    (pages not checked); checked by tests/test_classes.py against the Voigt profile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import log, pi, sqrt
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxrate.network.line import Line, Real, of_profile
from jaxrate.physics import lineshape

SPAN = 7.0
"""Standard deviations that classes cover to either side: 3e-12 of the atoms lie outside."""

EVEN = 0.5
"""How densely classes lie far from all light, beside the single light: the Gaussian itself must be resolved too."""

OFFSET = 0.25
"""Of the first class, in steps: classes that lie symmetrically about a hole would hide errors of odd order."""

HALVINGS, CORRECTIONS = 42, 3
"""Of the interval in which a class is searched, and steps of Newton's method after them."""

NEAR = 6.0
"""Steps from the real axis beyond which a pole adds less than rounding to a sum."""


class Light(NamedTuple):
    """Narrow light on a line, which may burn a hole.

    Args:
        line: The line, of all classes or of one.
        frequency: Of the light [Hz], shape (), (lane,) or (light, lane).
        fwhm: Its own width [Hz].
        direction: +1, or -1 if it runs against light of +1: it then meets atoms of the opposite velocity.
    """

    line: Line
    frequency: Real
    fwhm: Real = 0.0
    direction: Real = 1


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["position", "weight", "missed", "first", "step", "centres", "scales"],
    meta_fields=[],
)
@dataclass(frozen=True)
class Nodes:
    """Where the classes of each lane lie. Constants to derivatives, as the sum is right wherever they lie.

    Attributes:
        position: Shift over the standard deviation of a line, u, increasing, shape (class, lane).
        weight: Share of the atoms, sums to 1, shape (class, lane).
        missed: Share of the atoms that the sum missed before that, of either sign, shape (lane,).
        first, step: t of the first class, and from class to class, shape (lane,).
        centres, scales: $u_k$ and $a_k$ of the map, shape (light, lane).
    """

    position: Array
    weight: Array
    missed: Array
    first: Array
    step: Array
    centres: Array
    scales: Array

    @property
    def num(self) -> int:
        """Number of classes."""
        return self.position.shape[0]


def deviation(line: Line, parameters: Mapping[str, Any]) -> Real:
    """Standard deviation of the centres of a Voigt line's classes [Hz], shape (lane,)."""
    own = f"{line.label}."
    if line.shape.startswith("voigt-doppler"):
        fwhm = lineshape.doppler_fwhm(
            parameters[f"{own}frequency"], parameters["temperature"], parameters[f"{own}mass"]
        )
    else:
        fwhm = parameters[f"{own}fwhm_gaussian"]
    return fwhm / sqrt(8 * log(2))


def shifts(line: Line, parameters: Mapping[str, Any], nodes: Nodes) -> Array:
    """Centre of a line in each class, less its centre on average [Hz], shape (class, lane).

    Classes of velocity are the same for every Doppler line: the shift of each is proportional to its own width.
    """
    return nodes.position * deviation(line, parameters)


def place(lights: Sequence[Light], parameters: Mapping[str, Any], num: int) -> Nodes:
    """Classes for lines that some narrow light drives.

    Args:
        lights: All of it; none is legal.
        parameters: Values in a block of lanes.
        num: Number of classes.
    """
    centres, scales = _holes(lights, parameters)
    low, high = (
        _stretched(jnp.full_like(centres[:1], -SPAN), centres, scales),
        _stretched(jnp.full_like(centres[:1], SPAN), centres, scales),
    )
    step = (high - low) / num
    u = _inverse(low + (jnp.arange(num)[:, None] + OFFSET) * step, centres, scales)
    weight = jnp.exp(-(u**2) / 2) / sqrt(2 * pi) * step / _slope(u, centres, scales)
    total = jnp.sum(weight, axis=0)
    return Nodes(u, weight / total, 1 - total, low[0], step[0], centres, scales)


def _holes(lights: Sequence[Light], parameters: Mapping[str, Any]) -> tuple[Array, Array]:
    """u_k and a_k of every light, shape (light, lane); a wide one at the middle where there is none.

    Light far outside burns no hole that matters: it counts as light at twice the span.
    """
    found = [_hole(light, parameters) for light in lights] or [(jnp.zeros((1, 1)), jnp.full((1, 1), 2 * SPAN))]
    lanes = max(x.shape[-1] for pair in found for x in pair)
    centres, scales = (
        jnp.concatenate([jnp.broadcast_to(pair[i], (pair[i].shape[0], lanes)) for pair in found]) for i in (0, 1)
    )
    return lax.stop_gradient(jnp.clip(centres, -2 * SPAN, 2 * SPAN)), lax.stop_gradient(scales)


def _hole(light: Light, parameters: Mapping[str, Any]) -> tuple[Array, Array]:
    centre, half_width = _seen(light, parameters)
    centre, scale = jnp.broadcast_arrays(jnp.atleast_2d(centre), jnp.atleast_2d(sqrt(2) * half_width))
    return centre, scale


def _seen(light: Light, parameters: Mapping[str, Any]) -> tuple[Real, Real]:
    """Class that light is resonant with, and homogeneous half width, both in standard deviations."""
    line, sigma = light.line, deviation(light.line, parameters)
    width = parameters[f"{line.label}.fwhm_lorentzian"] + light.fwhm
    detuning = light.frequency - parameters[f"{line.label}.frequency"]
    return _sign(line, light.direction) * detuning / sigma, width / 2 / sigma


def _sign(line: Line, direction: Real) -> Real:
    """Sites shift a line for light of either direction alike, a velocity does not."""
    return direction if line.shape.startswith("voigt-doppler") else 1


def _stretched(u: Array, centres: Array, scales: Array) -> Array:
    """t(u), shape of u: (class, lane)."""
    return EVEN * u + jnp.sum(jnp.arcsinh((u[:, None] - centres) / scales), axis=1)


def _slope(u: Array, centres: Array, scales: Array) -> Array:
    """dt/du."""
    return EVEN + jnp.sum(1 / jnp.sqrt(scales**2 + (u[:, None] - centres) ** 2), axis=1)


def _inverse(t: Array, centres: Array, scales: Array) -> Array:
    """u(t), shape of t: (class, lane), by halving an interval, then by Newton's method."""

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        below = _stretched(middle, centres, scales) < t
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    low, high = lax.fori_loop(0, HALVINGS, halve, (jnp.full_like(t, -SPAN), jnp.full_like(t, SPAN)))

    def correct(_: Any, u: Array) -> Array:
        better = u - (_stretched(u, centres, scales) - t) / _slope(u, centres, scales)
        return jnp.clip(better, low, high)

    return lax.fori_loop(0, CORRECTIONS, correct, (low + high) / 2)


def cross_sections(
    line: Line, parameters: Mapping[str, Any], nodes: Nodes, frequency: Real, fwhm: Real = 0.0, direction: Real = 1
) -> tuple[Array, Array]:
    r"""Cross-sections of one line in every class: what drives the atoms of the class.

    Args:
        line: The line.
        parameters: Values in a block of lanes.
        nodes: The classes.
        frequency: Of the light [Hz], shape () or (lane,), or (channel, lane) or (channel, 1).
        fwhm: Its width [Hz].
        direction: As for `Light`, shape of `frequency`.

    Returns:
        sigma_e and sigma_a [m^2], shape (class, lane) or (class, channel, lane). With the weights w and populations n
        of the classes, gain is $N\sum_c w_c(\sigma_{e,c}n_{u,c} - \sigma_{a,c}n_{l,c})$: right for light that the
        classes were placed for; of other light see `probe_sections`.
    """
    return _sections(line, parameters, frequency, _own(line, parameters, nodes, frequency, fwhm, direction))


def probe_sections(
    line: Line, parameters: Mapping[str, Any], nodes: Nodes, frequency: Real, fwhm: Real = 0.0, direction: Real = 1
) -> tuple[Array, Array]:
    r"""Cross-sections for the gain of weak light of any frequency, also between two classes; as `cross_sections`.

    Weak light has a pole $t_p$ at its own frequency, which the classes do not crowd at. What the sum over classes
    misses by it is known, and the populations at the pole follow from those of the classes by interpolation with
    $\mathrm{sinc}$; together, with $q = (t_p - t_0)/h$, the profile of class c is less by

    $\frac{1}{h}\,\mathrm{Re}\,\frac{i\,t'(u_p)\,(-1)^c e^{i\pi q}}{\pi(q - c)}$
    """
    own = _own(line, parameters, nodes, frequency, fwhm, direction)
    beyond = _beyond(Light(line, frequency, fwhm, direction), parameters, nodes)
    return _sections(line, parameters, frequency, own - beyond / deviation(line, parameters))


def _sections(line: Line, parameters: Mapping[str, Any], frequency: Real, profile: Real) -> tuple[Any, Any]:
    strength = parameters[f"{line.label}.B"], parameters[f"{line.label}.absorption_factor"]
    return of_profile(line.constants, strength, frequency, profile)


def _own(line: Line, parameters: Mapping[str, Any], nodes: Nodes, frequency: Real, fwhm: Real, direction: Real) -> Real:
    """Lorentzian of every class [Hz^-1], shape (class, ..., lane)."""
    detuning = frequency - jnp.asarray(parameters[f"{line.label}.frequency"])
    shift = _by_class(shifts(line, parameters, nodes), detuning)
    width = parameters[f"{line.label}.fwhm_lorentzian"] + fwhm
    return lineshape.lorentzian(detuning - _sign(line, direction) * shift, width)


def _by_class(x: Array, other: Real) -> Array:
    """(class, lane) with an axis between them for each that the other has before its lanes."""
    return x.reshape(x.shape[0], *(1,) * max(jnp.ndim(other) - 1, 0), x.shape[1])


def _beyond(light: Light, parameters: Mapping[str, Any], nodes: Nodes) -> Array:
    """What the profile of every class is less by, in u, shape (class, ..., lane)."""
    centre, half_width = jnp.broadcast_arrays(*(jnp.atleast_1d(x) for x in _seen(light, parameters)))
    centres, scales = (jnp.expand_dims(x, range(1, centre.ndim)) for x in (nodes.centres, nodes.scales))
    z = (centre + 1j * half_width - centres) / scales
    regular = jnp.min(jnp.abs(1 + z**2), axis=0) > 0.05  # else so far from the axis that it adds nothing
    z = jnp.where(regular, z, 1.0)
    t = EVEN * (centre + 1j * half_width) + jnp.sum(jnp.arcsinh(z), axis=0)
    q = (t - nodes.first) / nodes.step - OFFSET
    wanted = regular & (jnp.imag(q) < NEAR)
    q = jnp.where(wanted, q, 1j)
    slope = EVEN + jnp.sum(1 / (scales * jnp.sqrt(1 + z**2)), axis=0)
    c = jnp.arange(nodes.num).reshape(-1, *(1,) * q.ndim)
    kernel = 1j * slope * jnp.exp(1j * pi * q) / (pi * nodes.step) * (1 - 2 * (c % 2)) / (q - c)
    return jnp.where(wanted, jnp.real(kernel), 0.0)
