"""How unlikely a measured number is by a prediction: what each datum adds to the chi-squared of a fit.

Every likelihood gives twice its negative logarithm, up to a constant that makes a perfect prediction add nothing, and
the two derivatives that a search goes by. Nothing here is differentiated by JAX, but all of it can be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.names import shown, unknown


class Likelihood(Protocol):
    """What a fit maximises. Equal likelihoods share compiled programs. Arguments broadcast, `root` is 1 / sigma."""

    def contribution(self, prediction: Array, value: Array, root: Array) -> Array:
        """Addition to chi-squared: 0 where the prediction is perfect, infinite or NaN where it is impossible."""
        ...

    def slope(self, prediction: Array, value: Array, root: Array) -> Array:
        """Half the derivative of the contribution by the prediction."""
        ...

    def curvature(self, prediction: Array, value: Array, root: Array) -> Array:
        """What stands for half the second derivative in the normal equations: positive wherever there is a value."""
        ...

    def check(self, values: np.ndarray, name: str) -> None:
        """Refuse data that it is not for."""
        ...


class Loss(Protocol):
    """A likelihood of the residual z = (prediction - value) / sigma alone."""

    def rho(self, z: Array) -> Array:
        """Contribution of a residual to chi-squared."""
        ...

    def weight(self, z: Array) -> Array:
        r"""Weight of a residual in least squares that are weighted anew at every step, $\rho'(z) / 2z$."""
        ...


@dataclass(frozen=True)
class Gaussian:
    r"""Normal errors: $\rho(z) = z^2$, weight 1."""

    def rho(self, z: Array) -> Array:
        return z * z

    def weight(self, z: Array) -> Array:
        return jnp.ones_like(z)


@dataclass(frozen=True)
class StudentT:
    r"""Errors with heavy tails, Student's t of scale sigma.

    $\rho(z) = (\nu + 1) \ln(1 + z^2 / \nu)$, weight $(\nu + 1) / (\nu + z^2)$: an outlier of z standard errors pulls
    like one of $(\nu + 1) / z$.

    Args:
        nu: Degrees of freedom, above 0: 1 is Cauchy's distribution, infinity the normal one.

    Source:
        Lange, Little and Taylor, *Robust statistical modeling using the t distribution* (1989), sections 2 and 3, who
        fix nu = 4 where the data are too few to estimate it.
    """

    nu: float = 4.0

    def __post_init__(self) -> None:
        if not 0 < self.nu < np.inf:
            raise ValueError(
                f"`nu` must be a finite number above 0, the degrees of freedom, but {shown(self.nu)} was given."
            )

    def rho(self, z: Array) -> Array:
        return (self.nu + 1) * jnp.log1p(z * z / self.nu)

    def weight(self, z: Array) -> Array:
        return (self.nu + 1) / (self.nu + z * z)


@dataclass(frozen=True)
class SoftL1:
    r"""Squares near zero, absolute values far off: $\rho(z) = 2 (\sqrt{1 + z^2} - 1)$, weight $1 / \sqrt{1 + z^2}$.

    No probability in the strict sense: an outlier of any size pulls like one of one standard error.

    Source:
        Charbonnier et al., *Deterministic edge-preserving regularization in computed imaging* (1997), table I.
    """

    def rho(self, z: Array) -> Array:
        return 2 * z * z / (1 + jnp.sqrt(1 + z * z))  # the difference above, without its rounding

    def weight(self, z: Array) -> Array:
        return 1 / jnp.sqrt(1 + z * z)


@dataclass(frozen=True)
class OfResiduals:
    """The likelihood that a loss of the residual makes.

    Args:
        loss: Gaussian, StudentT or SoftL1.
    """

    loss: Loss

    def contribution(self, prediction: Array, value: Array, root: Array) -> Array:
        return self.loss.rho((prediction - value) * root)

    def slope(self, prediction: Array, value: Array, root: Array) -> Array:
        z = (prediction - value) * root
        return self.loss.weight(z) * z * root

    def curvature(self, prediction: Array, value: Array, root: Array) -> Array:
        return self.loss.weight((prediction - value) * root) * root**2

    def check(self, values: np.ndarray, name: str) -> None:
        """Any number will do."""


@dataclass(frozen=True)
class Poisson:
    r"""Counts k of expectation $\mu$: the deviance $2 (\mu - k + k \ln(k / \mu))$, without any sigma.

    Curvature: the expected one, $1 / \mu$. Its sum over many counts is distributed as chi-squared where they are large.

    Source:
        Baker and Cousins, *Clarification of the use of chi-square and likelihood functions in fits to histograms*
        (1984), equation 6.
    """

    def contribution(self, prediction: Array, value: Array, root: Array) -> Array:
        counted, possible = value > 0, prediction > 0
        k, mu = jnp.where(counted, value, 1.0), jnp.where(possible, prediction, 1.0)
        excess = (mu - k) / k
        near = jnp.abs(excess) < 0.5
        log = jnp.where(near, jnp.log1p(jnp.where(near, excess, 0.0)), jnp.log(mu) - jnp.log(k))
        found = 2 * jnp.where(counted, k * (excess - log), mu)
        found = jnp.where(possible, found, jnp.where((prediction == 0) & ~counted, 0.0, jnp.inf))
        return jnp.where(jnp.isnan(prediction), jnp.nan, found)

    def slope(self, prediction: Array, value: Array, root: Array) -> Array:
        return jnp.where(value > 0, 1 - value / jnp.where(prediction > 0, prediction, 1.0), 1.0)

    def curvature(self, prediction: Array, value: Array, root: Array) -> Array:
        return 1 / jnp.where(prediction > 0, prediction, 1.0)

    def check(self, values: np.ndarray, name: str) -> None:
        """Refuse what is no count.

        Raises:
            ValueError: a negative number, or one that is not whole.
        """
        wrong = (values < 0) | (np.round(values) != values) & ~np.isnan(values)
        if wrong.any():
            raise ValueError(
                f"`{name}`: {values[wrong].flat[0]:g} is not a count: the loss 'poisson' needs whole numbers from 0 "
                f"[1]; give the counts themselves, not rates, or write loss='gaussian' with `{name}.sigma`."
            )


gaussian, student_t, soft_l1 = OfResiduals(Gaussian()), OfResiduals(StudentT()), OfResiduals(SoftL1())
poisson = Poisson()
LIKELIHOODS: Mapping[str, Likelihood] = MappingProxyType(
    {"gaussian": gaussian, "student_t": student_t, "soft_l1": soft_l1, "poisson": poisson}
)
"""Those that have a name."""


def likelihood_of(loss: Any) -> Likelihood:
    """The likelihood that a user means.

    Args:
        loss: A name, such as "student_t", or a likelihood or loss such as `StudentT(nu=3)`.

    Raises:
        ValueError: an unknown name (the nearest is proposed), or something else.
    """
    if isinstance(loss, str):
        if loss not in LIKELIHOODS:
            raise ValueError(unknown("loss", loss, LIKELIHOODS))
        return LIKELIHOODS[loss]
    if isinstance(loss, Gaussian | StudentT | SoftL1):
        return OfResiduals(loss)
    if isinstance(loss, OfResiduals | Poisson):
        return loss
    known = ", ".join(f"'{name}'" for name in LIKELIHOODS)
    raise ValueError(f"`loss` must be one of {known}, or for example StudentT(nu=3), but {shown(loss)} was given.")


def efficiency(
    likelihood: Likelihood, prediction: np.ndarray, value: np.ndarray, root: np.ndarray
) -> tuple[np.ndarray, float]:
    r"""How well data determine predictions: the weight of each in the covariance, and the scale of that covariance.

    For a loss of the residual the covariance of its estimates is $(J^T J)^{-1}\,\overline{\psi^2}/\overline{\psi'}^2$
    with $\psi = \rho'/2$, whatever the noise is: $J$ in standard deviations is weighted by $\overline{\psi'}$, and the
    scale is $\sqrt{\overline{\psi^2}/\overline{\psi'}}$. Of stated normal errors both are 1.

    Returns:
        Weights, shape (datum,), and the scale.

    Source:
        Huber, *Robust Statistics* (1981), equation 7.6.
    """
    if likelihood == poisson:
        return np.asarray(likelihood.curvature(jnp.asarray(prediction), jnp.asarray(value), jnp.asarray(root))), 1.0
    if likelihood == gaussian:
        return root**2, 1.0
    with jax.enable_x64(True):
        arrays = [jnp.asarray(x) for x in (prediction, value, root)]
        pull, bend = jax.jvp(lambda p: likelihood.slope(p, *arrays[1:]), arrays[:1], [jnp.ones_like(arrays[0])])
    psi, slope = np.asarray(pull) / root, float(np.mean(np.asarray(bend) / root**2))
    return slope * root**2, max(1.0, float(np.sqrt(np.mean(psi**2) / slope)))
