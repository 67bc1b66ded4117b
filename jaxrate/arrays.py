"""One formula for NumPy and JAX: the array library of the arguments, their range and their shapes.

The statement computes with NumPy and never imports jax; the lanes trace the same formulas with JAX. A formula that
needs more than arithmetic asks `namespace` for its functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import jax

Real: TypeAlias = "float | np.floating[Any] | np.ndarray | jax.Array"
"""A real number or an array of them; NumPy in gives NumPy out, JAX in gives JAX out."""


def namespace(*xs: object) -> Any:
    """Array library of the arguments: `jax.numpy` if any of them is a JAX array or tracer, else `numpy`.

    jax is never imported here: an array that belongs to it has imported it already.

    Args:
        xs: Numbers and arrays of any kind.

    Returns:
        The module `jax.numpy` or `numpy`.
    """
    for x in xs:
        owner = getattr(x, "__array_namespace__", None)
        if owner is not None and (found := owner()).__name__ == "jax.numpy":
            return found
    return np


def fence(x: Real) -> Real:
    """The same number, which XLA must compute before what follows: no regrouping that leaves float32's range.

    XLA turns `(nu / c) ** 3` with a traced scalar into `nu**3 * (1 / c**3)`, which overflows float32 at optical
    frequencies. NumPy does as it is told, and in float64 nothing overflows: both return `x` itself.

    Args:
        x: Intermediate result, any shape.

    Returns:
        `x`, differentiable.
    """
    if namespace(x) is np or x.dtype.itemsize > 4:  # type: ignore[union-attr]
        return x
    import jax

    return jax.lax.optimization_barrier(x)


def check_broadcast(**arrays: object) -> None:
    """Refuse arrays whose shapes do not broadcast, by name.

    Args:
        arrays: Numbers and arrays under the names of the arguments they were given as.

    Raises:
        ValueError: two shapes do not broadcast; both are named.
    """
    shapes = {name: np.shape(x) for name, x in arrays.items()}  # type: ignore[arg-type]
    seen: list[tuple[str, tuple[int, ...]]] = []
    for name, shape in shapes.items():
        for other, before in seen:
            try:
                np.broadcast_shapes(before, shape)
            except ValueError:
                raise ValueError(
                    f"`{other}` and `{name}` must have shapes that broadcast, but {before} and {shape} were given."
                ) from None
        seen.append((name, shape))
