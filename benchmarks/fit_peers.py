r"""What else can fit many replicas of one measurement: saturable absorption, 60 points, 4 parameters.

$\alpha(I) = \alpha_0 (1 + I/I_s)^{-m} + \alpha_n$

with $m = 1$ of a homogeneous line and $1/2$ of an inhomogeneous one, above an absorption $\alpha_n$ that does not
saturate. With the sign of $\alpha$ and $\alpha_0$ turned it is the gain of an amplifier with loss.

Every peer is told this closed form, not a medium, and fits it in what suits it: MINPACK scales natural values itself,
optimistix is quicker in their logarithms. Tolerances are such that each comes as near to the minimum as it can. A
program that accepts a step only where the sum of squares falls ends up to 5e-7 standard errors from it, for there the
sum no longer changes in float64; the noise is 1 % of each value, so that this is less than 1e-8 of every parameter.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import least_squares

PARAMETERS = ("absorption", "saturation", "exponent", "unsaturable")
"""alpha0 [m^-1], Is [W m^-2], m and alpha_n [m^-1], in the order of every array of parameters."""

TRUTH = np.array([2.0, 1e7, 1.0, 0.06])
START = np.array([1.2, 4e6, 0.7, 0.03])
NUM_POINTS = 60
LOWEST, DECADES = 10**-1.5, 4
"""Intensities over Is: enough below 1 to fix alpha0, enough above to tell the exponent from what does not saturate."""
NOISE = 0.01
"""Standard deviation over the value."""

TOLERANCE = 1e-8
"""Of a step of optimistix, over the parameters."""
SLOPE = 1e-9
"""Of MINPACK: cosine of the angle between residuals and a column of the Jacobian."""
LEAST = 1.01 * float(np.finfo(float).eps)
"""No tolerance may be smaller; those that ask how much the sum of squares still falls would end a fit too early."""
MAX_STEPS = 256

Estimates = np.ndarray
Peer = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], Estimates]
"""From `x`, `y`, `sigma` and `start` of a design to estimates in natural values, shape (replica, parameter)."""


class Design(NamedTuple):
    """Replicas of one measurement.

    Attributes:
        x: Intensities [W m^-2], shape (point,).
        y: Absorption with noise [m^-1], shape (replica, point).
        sigma: Standard deviations of that noise [m^-1], shape (point,).
        truth: Parameters that they were drawn from, shape (parameter,).
        start: Where every fit begins, shape (parameter,).
    """

    x: np.ndarray
    y: np.ndarray
    sigma: np.ndarray
    truth: np.ndarray
    start: np.ndarray


def design(num_replicas: int, seed: int) -> Design:
    """Absorption at the same intensities with Gaussian noise; estimates scatter by 0.3, 1.6, 0.6 and 0.6 %."""
    x = TRUTH[1] * np.geomspace(LOWEST, LOWEST * 10**DECADES, NUM_POINTS)
    exact = absorption(x, *TRUTH)
    noise = np.random.default_rng(seed).standard_normal((num_replicas, NUM_POINTS))
    return Design(x, exact * (1 + NOISE * noise), NOISE * exact, TRUTH, START)


def absorption(x: Any, alpha0: Any, Is: Any, m: Any, alpha_n: Any) -> Any:
    """The law [m^-1], of NumPy and of JAX arrays."""
    return alpha0 * (1 + x / Is) ** -m + alpha_n


def slopes(x: np.ndarray, alpha0: float, Is: float, m: float, alpha_n: float) -> np.ndarray:
    """Its derivatives by the four parameters, shape (point, parameter)."""
    ratio = x / Is
    shape = (1 + ratio) ** -m
    by_Is = alpha0 * m * shape * ratio / (1 + ratio) / Is
    return np.stack([shape, by_Is, -alpha0 * shape * np.log1p(ratio), np.ones_like(x)], axis=-1)


def lmfit_loop(
    x: np.ndarray, y: np.ndarray, sigma: np.ndarray, start: np.ndarray, *, exact: bool = True, slope: float = SLOPE
) -> Estimates:
    """`lmfit.minimize` one replica after the other.

    Args:
        x, y, sigma, start: As of `Peer`.
        exact: With the exact Jacobian and converged as far as `slope`; False leaves all to its defaults, among them
            finite differences, with which no tolerance brings all replicas to 1e-8 of the minimum.
        slope: Of MINPACK, see `SLOPE`.

    Raises:
        RuntimeError: a fit did not converge.
    """
    lmfit = import_module("lmfit")
    parameters = lmfit.create_params(**dict(zip(PARAMETERS, start.tolist(), strict=True)))

    def residual(parameters: Any, y: np.ndarray) -> np.ndarray:
        return (absorption(x, *parameters.valuesdict().values()) - y) / sigma

    def jacobian(parameters: Any, y: np.ndarray) -> np.ndarray:
        return slopes(x, *parameters.valuesdict().values()) / sigma[:, None]

    options = {"Dfun": jacobian, "ftol": LEAST, "xtol": LEAST, "gtol": slope} if exact else {}

    def one(y: np.ndarray) -> list[float]:
        found = lmfit.minimize(residual, parameters, args=(y,), **options)
        if not found.success:
            raise RuntimeError(found.message)
        return list(found.params.valuesdict().values())

    return np.array([one(replica) for replica in y])


def scipy_loop(
    x: np.ndarray, y: np.ndarray, sigma: np.ndarray, start: np.ndarray, *, slope: float = SLOPE
) -> Estimates:
    """`scipy.optimize.least_squares` one replica after the other, by MINPACK with the exact Jacobian.

    Args:
        x, y, sigma, start: As of `Peer`.
        slope: Of MINPACK, see `SLOPE`.

    Raises:
        RuntimeError: a fit did not converge.
    """
    options: dict[str, Any] = {
        "jac": lambda theta: slopes(x, *theta) / sigma[:, None],
        "method": "lm",
        "x_scale": "jac",
        "ftol": LEAST,
        "xtol": LEAST,
        "gtol": slope,
    }

    def one(y: np.ndarray) -> np.ndarray:
        found = least_squares(lambda theta: (absorption(x, *theta) - y) / sigma, start, **options)
        if not found.success:
            raise RuntimeError(found.message)
        return found.x

    return np.stack([one(replica) for replica in y])


def optimistix_vmap(
    x: np.ndarray,
    y: np.ndarray,
    sigma: np.ndarray,
    start: np.ndarray,
    *,
    tolerance: float = TOLERANCE,
    batch: int | None = None,
) -> Estimates:
    """`optimistix.LevenbergMarquardt` under vmap and jit, in logarithms and in float64.

    Args:
        x, y, sigma, start: As of `Peer`.
        tolerance: rtol and atol.
        batch: Replicas at a time, each until its last one has converged; None takes all of them at once.

    Raises:
        RuntimeError: some fits did not converge.
    """
    fit = program(tolerance)
    with jax.enable_x64(True):
        fixed = [jnp.asarray(value, jnp.float64) for value in (x, sigma, np.log(start))]
        size = batch or len(y)
        parts = [fit(jnp.asarray(y[i : i + size], jnp.float64), *fixed) for i in range(0, len(y), size)]
        found, converged = (
            np.concatenate([np.asarray(part) for part in column]) for column in zip(*parts, strict=True)
        )
    if not np.all(converged):
        raise RuntimeError(f"{np.sum(~converged)} of {len(y)} fits did not converge within {MAX_STEPS} steps")
    return np.exp(found)


@cache
def program(tolerance: float) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """Logarithms of estimates (replica, parameter) and what converged, from y, x, sigma and start."""
    optimistix = import_module("optimistix")
    solver = optimistix.LevenbergMarquardt(rtol=tolerance, atol=tolerance)

    def one(y: jax.Array, x: jax.Array, sigma: jax.Array, start: jax.Array) -> tuple[jax.Array, jax.Array]:
        def residual(u: jax.Array, args: None) -> jax.Array:
            return (absorption(x, *jnp.exp(u)) - y) / sigma

        found = optimistix.least_squares(residual, solver, start, max_steps=MAX_STEPS, throw=False)
        return found.value, found.result == optimistix.RESULTS.successful

    return jax.jit(jax.vmap(one, in_axes=(0, None, None, None)))
