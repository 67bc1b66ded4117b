"""What the solvers of light along z see of one amplifier: arrays, and one function that knows the processes."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import jax
import numpy as np
from jax import Array

Local = Callable[[Array], tuple[Array, Array]]
"""Steady populations (level, node) of the rates (drive, node) [s^-1] at each place, and which were found (node,)."""


@dataclass(frozen=True)
class Medium:
    r"""One amplifier: channels of light and the medium they share.

    $dP_k/dz = \pm[(\mathrm{gain}_k \cdot n - \mathrm{loss}_k) P_k + \mathrm{noise}_k \cdot n]$, and the drives of the
    processes are $r_q = \sum_k \mathrm{drive}_{qk} P_k$.

    Args:
        local: Populations of the drives, differentiable. It may close over arrays of this amplifier.
        gain: Gain of a channel per population [m^-1], shape (channel, level).
        noise: Spontaneous power into a channel per length and population [W/m], shape (channel, level).
        loss: Background loss [m^-1], shape (channel,).
        drive: Rate of a drive per power [s^-1 W^-1], shape (drive, channel).
        launched: Power from outside where the channel enters [W], shape (channel,): at z = 0, or at the far end.
        length: Length [m], shape ().
        reflection: Power reflectivities at z = 0 and at the far end, shape (2,).
        forward: Which channels run towards greater z, shape (channel,).
        partner: Channel of the same frequency that runs the other way, shape (channel,); -1 where there is none.
        reduced: `(unknown, expand, offset)`: the levels whose populations are the unknowns x, and how those that light
            sees follow from them, $n = \mathrm{expand}\,x + \mathrm{offset}$, shapes (level, unknown) and (level,).
    """

    local: Local
    gain: Array
    noise: Array
    loss: Array
    drive: Array
    launched: Array
    length: Array
    reflection: Array
    forward: np.ndarray
    partner: np.ndarray
    reduced: tuple[tuple[int, ...], np.ndarray, np.ndarray]


FIXED = ("local", "forward", "partner", "reduced")

jax.tree_util.register_dataclass(
    Medium,
    data_fields=[f.name for f in fields(Medium) if f.name not in FIXED],
    meta_fields=list(FIXED),
)
