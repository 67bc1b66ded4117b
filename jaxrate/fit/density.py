"""The density of the parameters by the data, for samplers: differentiable by whatever JAX transforms."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.fit.objective import Objective
from jaxrate.fit.task import Task
from jaxrate.names import unknown


def logdensity(task: Task, theta: Mapping[str, Any], scale: float) -> Array:
    r"""Logarithm of likelihood times priors, up to a constant: $-\chi^2/2$.

    Args:
        task: The fit.
        theta: Values of the free parameters [SI], shape ().
        scale: Standard deviation of the noise over that stated.

    Returns:
        Shape (), of the precision of `theta`; -inf outside the bounds and where there is no prediction.

    Raises:
        ValueError: a name that is not free (the nearest is proposed), or a free one without a value.
    """
    names = task.layout.free.names
    for name in theta:
        if name not in names:
            raise ValueError(unknown("free parameter", name, names, "this fit"))
    missing = [name for name in names if name not in theta]
    if missing:
        raise ValueError(f"The density needs a value of {', '.join(f'`{n}`' for n in missing)}.")
    values = jnp.stack([jnp.asarray(theta[name]) for name in names])
    with jax.enable_x64(True):
        found = _density(task, values.astype(jnp.float64), scale)
        return found.astype(jnp.result_type(values.dtype, jnp.float32))


def _density(task: Task, values: Array, scale: float) -> Array:
    logs = np.array(task.layout.free.logarithmic)
    legal = jnp.all(jnp.where(logs, values > 0, True))
    u = jnp.where(logs, jnp.log(jnp.where(legal, values, 1.0)), values)
    lower, upper = task.bounds
    legal = legal & jnp.all((u >= lower) & (u <= upper))
    chi2 = Objective(task.layout.by("any"), task.loss, jnp.asarray(task.base), {}).value(u[:, None])[0]
    return jnp.where(legal & jnp.isfinite(chi2), -0.5 * chi2 / scale**2, -jnp.inf)
