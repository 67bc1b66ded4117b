"""The pump at which a medium turns from absorbing to amplifying."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.optimize import brentq

from jaxrate.experiment import Experiment
from jaxrate.model.fields import Beam, driven_lines
from jaxrate.model.model import Model
from jaxrate.observe import Gain
from jaxrate.solve.steady import Steady

DECADES = np.linspace(-15.0, 15.0, 121)
"""Where a change of sign is looked for, in log10 of the SI value: it brackets the root that is then solved for."""

ROUNDING = 1e-9
"""Relative difference of gains that count as equal."""


def transparency(model: Model, line: str, pump: str, fixed: Mapping[str, float] | None = None) -> float:
    """Value of a pump parameter at which the small-signal gain of a line is zero, in SI units.

    Args:
        model: The medium.
        line: Label of the `Radiative`; beams that drive it are switched off.
        pump: Parameter that pumps it: `pump.rate`.
        fixed: Other parameters that differ from the model's.

    Returns:
        The smallest such value, to 12 digits; 0 if the medium amplifies however weakly it is pumped, inf if it absorbs
        however strongly, NaN if it does neither.
    """
    gain = _gain(model, line, pump, fixed or {})
    signs = np.sign(gain(DECADES))
    turns = np.flatnonzero((signs[:-1] < 0) & (signs[1:] > 0))
    if not turns.size:
        return _limit(signs[np.isfinite(signs)])
    low, high = DECADES[turns[0] : turns[0] + 2]
    root: Any = brentq(lambda x: float(gain(x)), low, high, xtol=1e-13)
    return float(10.0**root)


def is_pumped(model: Model, line: str, pump: str, fixed: Mapping[str, float]) -> bool:
    """Whether the small-signal gain of a line depends on a pump parameter at all; see `transparency`."""
    values = _gain(model, line, pump, fixed)(DECADES)
    values = values[np.isfinite(values)]
    return bool(values.size) and float(np.ptp(values)) > ROUNDING * float(np.abs(values).max())


Gains = Callable[[Any], np.ndarray]
"""Small-signal gain by log10 of a pump parameter."""


def _gain(model: Model, line: str, pump: str, fixed: Mapping[str, float]) -> Gains:
    bench = Experiment(model, Steady(), {"gain": Gain(line)})
    dark = {f"{b.label}.intensity": 0.0 for b in model.processes if isinstance(b, Beam) and line in driven_lines(b)}
    return lambda log_pump: bench({**fixed, **dark, pump: 10.0**log_pump})["gain"]


def _limit(signs: np.ndarray) -> float:
    if not signs.size or np.any(signs == 0) or np.any(signs != signs[0]):
        return np.nan
    return 0.0 if signs[0] > 0 else np.inf
