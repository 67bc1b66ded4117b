"""What a pulse and its medium are stated as: read, checked, and refused with what to write instead."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from jaxrate.constants import c
from jaxrate.expr import Expr
from jaxrate.model.fields import Beam, Cavity, driven_lines
from jaxrate.model.model import Model
from jaxrate.model.processes import Radiative
from jaxrate.model.quantities import light_frequency
from jaxrate.names import shown
from jaxrate.network.compile import refuse_holes
from jaxrate.network.line import Line
from jaxrate.network.network import Network
from jaxrate.propagate.pulse_kernel import OWN
from jaxrate.propagate.pulse_result import AmplifiedPulse
from jaxrate.propagate.pulse_shape import Envelope
from jaxrate.solve.rates import is_linear
from jaxrate.solve.solution import Solution
from jaxrate.solve.start import Start, read_start
from jaxrate.units import to_si

SHOWN = 257
"""Moments of a shape, where none are asked for."""


def si(value: Any, unit: str, name: str) -> Any:
    """A number or an array in SI units; JAX arrays as they are."""
    return value if isinstance(value, jax.Array) else to_si(value, unit, name)


def read_own(
    fluence: Any, energy: Any, area: Any, length: Any, loss: Any, between: Any, transmission: Any
) -> dict[str, Any]:
    """What the pulse adds to the parameters; a number that is none is an error, an array's element a status."""
    if (fluence is None) == (energy is None) or (energy is not None and area is None):
        raise ValueError("State `fluence`, such as '0.1 J/cm^2', or `energy` and `area`: energy='1 mJ', area='1 mm^2'.")
    if fluence is None:
        fluence = si(energy, "J", "energy") / si(area, "m^2", "area")
    stated = {
        " fluence": si(fluence, "J m^-2", "fluence"),
        " length": si(length, "m", "length"),
        " loss": si(loss, "m^-1", "loss"),
        " between": si(between, "s", "between"),
        " transmission": si(transmission, "1", "transmission"),
    }
    for name, value in stated.items():
        _check_sign(name, value)
    return stated


def _check_sign(name: str, value: Any) -> None:
    if isinstance(value, jax.Array) or np.ndim(value):
        return
    wanted = {"positive": "positive", "nonnegative": "zero or positive", "share": "from 0 to 1"}[OWN[name]]
    least = value > 0 if OWN[name] == "positive" else value >= 0
    if not least or not np.isfinite(value) or (OWN[name] == "share" and value > 1):
        raise ValueError(f"`{name.strip()}` must be {wanted}, but {shown(value)} was given.")


def line_label(model: Model, line: str | None) -> str:
    """Label of the line."""
    known = [p.label for p in model.processes if isinstance(p, Radiative)]
    if line is None and len(known) != 1:
        raise ValueError(f"State on which `line` the pulse acts: the model has {', '.join(known) or 'none'}.")
    return model.radiative(known[0] if line is None else line, "line").label


def light_of(model: Model, label: str, wavelength: Any) -> float | str:
    """Frequency of the light [Hz], or the parameter that is."""
    stated = light_frequency("pulse", None, wavelength)
    if stated is not None:
        return stated
    beams = [p.label for p in model.processes if isinstance(p, Beam) and label in driven_lines(p)]
    if len(beams) > 1:
        raise ValueError(f"`{label}` is driven by {', '.join(f'`{b}`' for b in beams)}: state `wavelength`.")
    return f"{beams[0] if beams else label}.frequency"


def check_medium(network: Network, label: str, theta: Mapping[str, Any], frequency: float | str) -> None:
    """Refuse a medium that a pulse cannot run through."""
    network.check_names(theta)
    refuse_holes(network)
    line = network.line(label)
    if any(isinstance(p, Cavity) for p in network.model.processes):
        raise ValueError("A pulse runs through a medium without a `Cavity`: leave it out of the model.")
    if line.shape == "none":
        raise ValueError(f"`{label}` has no lineshape, so no cross-section: state `lineshape` on it.")
    if line.holes:
        raise ValueError(
            f"`{label}` is inhomogeneous: a pulse burns a hole in it instead of saturating it as a whole. State "
            "mixing='fast' on the line if its classes mix within the pulse, or give it a homogeneous lineshape."
        )
    if line.density not in network.order and line.density not in dict(network.derived):
        raise ValueError(f"The gain of `{label}` needs the model's `density`: state density='1e26 m^-3'.")
    _check_table(line, {**network.model.parameters(), **theta}, frequency)


def _check_table(line: Line, parameters: Mapping[str, Any], frequency: float | str) -> None:
    """Refuse light that no measured spectrum says anything about."""
    at = parameters.get(frequency) if isinstance(frequency, str) else frequency
    if line.spectra is None or at is None or isinstance(at, Tracer):
        return
    for kind, table in (("emission", line.spectra.emission), ("absorption", line.spectra.absorption)):
        if table is None:
            continue
        low, high = table.frequency[0], table.frequency[-1]
        if np.any((np.asarray(at) < low * (1 - 1e-9)) | (np.asarray(at) > high * (1 + 1e-9))):
            raise ValueError(
                f"The {kind} spectrum of `{line.label}` reaches from {_nm(high)} to {_nm(low)}, but the pulse has "
                f"{_nm(float(np.ravel(at)[0]))}."
            )


def _nm(frequency: float) -> str:
    return f"{1e9 * c / frequency:.6g} nm"


def check_passes(network: Network, passes: Any, between: Any, direction: Any) -> None:
    """Refuse a number of passes that is none, and a time between them in which the medium does not relax linearly."""
    whole_number("passes", passes, 1)
    if direction not in ("alternate", "same"):
        raise ValueError(f"`direction` must be 'alternate' or 'same', but {shown(direction)} was given.")
    waits = not isinstance(between, int | float) or between != 0
    if passes > 1 and waits and not is_linear(network):
        raise ValueError(
            f"`between` needs a medium that relaxes linearly, but {', '.join(network.nonlinear) or 'a reservoir'} does "
            "not: solve pass by pass, start=jr.evolve(...) of what the last one left, or state between=0."
        )


def whole_number(name: str, given: Any, least: int) -> int:
    """A whole number, checked."""
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < least:
        raise ValueError(f"`{name}` must be a whole number from {least} on, but {shown(given)} was given.")
    return int(given)


def read_tolerance(rtol: Any) -> float:
    """A relative error, checked."""
    if isinstance(rtol, bool) or not isinstance(rtol, int | float) or not 1e-13 <= rtol < 1:
        raise ValueError(f"`rtol` must be a number from 1e-13 to 1, such as 1e-9, but {shown(rtol)} was given.")
    return float(rtol)


def read_times(times: Any, envelope: Envelope) -> np.ndarray:
    """Times at which shapes are given, on the clock of the shape."""
    begins, ends = envelope.window
    if times is None:
        return np.linspace(begins, ends, SHOWN)
    asked = np.atleast_1d(to_si(times, "s", "times"))
    if np.any(np.diff(asked) <= 0) or asked[0] < begins or asked[-1] > ends:
        raise ValueError(
            f"`times` must increase and lie within the pulse, from {begins:g} s to {ends:g} s, but {shown(times)} was "
            "given."
        )
    return asked


def read_profile(start: Start | AmplifiedPulse, network: Network) -> tuple[np.ndarray | None, Any]:
    """Populations to start from (population, position, *batch), and their positions; None where all are the same."""
    if isinstance(start, AmplifiedPulse):
        if start.network.population_names != network.population_names:
            raise ValueError("`start` is a pulse through a medium of other levels.")
        return start.positions, start.populations
    n = read_start(start, network)
    light = getattr(start, "light", None) if isinstance(start, Solution) else None
    return (None, n[:, None]) if light is None else (np.asarray(light.positions), n)


def evaluated(parameters: Mapping[str, Any], network: Network, frequency: float | str) -> Any:
    """Frequency of the light [Hz]."""
    if not isinstance(frequency, str) or frequency in parameters:
        return parameters[frequency] if isinstance(frequency, str) else frequency
    rule = dict(network.derived)[frequency]
    return rule(parameters) if isinstance(rule, Expr) else rule(parameters, {})
