"""What is typed on the command line: a model, axes of a sweep, values of parameters."""

from collections.abc import Sequence

import numpy as np

from jaxrate.model.model import Model
from jaxrate.model.quantities import units_by_name
from jaxrate.names import unknown
from jaxrate.units import to_frequency, to_si


def read_set(given: Sequence[str], model: Model) -> dict[str, float]:
    """Values of parameters in SI units, from NAME=VALUE.

    Raises:
        ValueError: an unknown parameter (the nearest is proposed), or a value that cannot be read.
    """
    pairs = (_named(text, "--set", "NAME=VALUE", "pump.rate=100") for text in given)
    return {name: read_value(value, name, model) for name, value in pairs}


def read_over(given: Sequence[str], model: Model) -> dict[str, np.ndarray]:
    """Values along each axis of a sweep in SI units, from NAME=START:STOP:NUM[:lin].

    Raises:
        ValueError: an unknown parameter, ends that cannot be read, or a logarithmic axis that reaches zero.
    """
    pairs = [_named(text, "--over", "NAME=START:STOP:NUM[:lin]", "pump.rate=1:1e4:100") for text in given]
    return {name: _axis(name, text, model) for name, text in pairs}


def _named(text: str, option: str, form: str, example: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (sign and name.strip() and value.strip()):
        raise ValueError(f"`{option}` must read {form}, for example {option} {example}, but {text!r} was given.")
    return name.strip(), value.strip()


def _axis(name: str, text: str, model: Model) -> np.ndarray:
    parts = [part.strip() for part in text.split(":")]
    if len(parts) not in (3, 4) or parts[3:] not in ([], ["lin"], ["log"]):
        raise ValueError(f"`--over {name}` must read START:STOP:NUM or START:STOP:NUM:lin, but {text!r} was given.")
    start, stop = (read_value(part, name, model) for part in parts[:2])
    count, linear = _count(name, parts[2]), parts[3:] == ["lin"]
    if not linear and not (start > 0 and stop > 0):
        raise ValueError(f"`--over {name}`: a logarithmic axis must be positive; for {text!r} write {text}:lin.")
    return np.linspace(start, stop, count) if linear else np.geomspace(start, stop, count)


def _count(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 2:
        raise ValueError(
            f"`--over {name}`: the number of values must be a whole number from 2 on, but {text!r} was given."
        )
    return int(text)


def read_value(text: str, name: str, model: Model) -> float:
    """One value of a parameter: a bare number is SI, and a frequency of light may be a wavelength."""
    units = units_by_name(model.parameter_list)
    if name not in units:
        raise ValueError(unknown("parameter", name, units, "this model"))
    if name in model.derived():
        raise ValueError(f"`{name}` is given by an expression; set the parameters it is made of.")
    try:
        value: str | float = float(text)
    except ValueError:
        value = text
    if units[name] == "Hz" and name.endswith(".frequency"):
        return float(to_frequency(value, name))
    return float(to_si(value, units[name], name))
