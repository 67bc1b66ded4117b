"""Drives: parameters that change in time, piece by piece, as pulses, or as any function of time."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from math import inf
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrate.arrays import namespace
from jaxrate.expr import Expr
from jaxrate.model.quantities import Parameter, Quantity, parameter
from jaxrate.names import shown
from jaxrate.network.network import Network
from jaxrate.solve.pulse import Pulse, Square, Table, Train, knots
from jaxrate.solve.repeats import FEW
from jaxrate.solve.segments import Segments
from jaxrate.solve.stages import check_end
from jaxrate.units import to_si

Function = Callable[[Any], Any]
"""Value of a parameter [SI] at a time [s], written with jax.numpy; its `edges`, if any, are where it is not smooth."""

Driven = Segments | Pulse | Function

Drive = tuple[tuple[str, Driven], ...]
"""Driven parameters by name."""


def read_drive(drive: Mapping[str, Driven] | None) -> Drive:
    """Check what kind of thing a drive is.

    Raises:
        ValueError: it is not a dictionary of segments, pulses and functions.
    """
    if drive is not None and not isinstance(drive, Mapping):
        raise ValueError(f"`drive` must be {{'pump.rate': jr.Segments([...])}}, but {shown(drive)} was given.")
    for name, driven in (drive or {}).items():
        _check_kind(name, driven)
    return tuple((drive or {}).items())


def _check_kind(name: str, driven: Any) -> None:
    if isinstance(driven, Expr):
        raise ValueError(
            f"The drive of `{name}` does not change in time; where a constant is meant, write "
            f"jr.Segments([(0, np.inf, jr.expr('{driven.text}'))])."
        )
    if isinstance(driven, type) or not (isinstance(driven, Segments | Pulse) or callable(driven)):
        raise ValueError(
            f"The drive of `{name}` must be jr.Segments([...]), a pulse such as jr.pulse.Gaussian(...), or a function "
            f"of time, but {shown(driven)} was given."
        )
    if type(driven).__hash__ is None:
        raise ValueError(f"The drive of `{name}` must be hashable, as a function or a frozen dataclass is.")
    _stated_edges(name, driven)


def is_piecewise(drive: Drive) -> bool:
    """Whether every driven parameter is constant from edge to edge, and a train has few enough of them."""
    return all(_is_stepped(driven) for _, driven in drive)


def _is_stepped(driven: Driven) -> bool:
    if isinstance(driven, Train):
        return isinstance(driven.pulse, Square) and 2 * driven.count <= FEW
    return isinstance(driven, Segments | Square)


def edges(drive: Drive) -> list[float]:
    """Times at which any driven parameter may change [s], 0 first, the end last; (0, inf) where nothing is driven."""
    return [0.0, *_inner(drive, inf).tolist(), _end(drive)]


def marks(drive: Drive, last: float) -> np.ndarray:
    """Times that a solver must not step over: where a drive is not smooth, or hardly seen from afar.

    Args:
        drive: What is driven.
        last: Last time of the output [s].

    Returns:
        Times between 0 and `last`, without both, increasing [s], shape (mark,).

    Raises:
        ValueError: segments that end before the last time, or a train of more than ten million copies up to it.
    """
    check_end(_end(drive), last)
    return _inner(drive, last)


ROUNDING = 8
"""Times that so few spacings of floating point are between are meant to be one."""


def _inner(drive: Drive, last: float) -> np.ndarray:
    found = np.sort(np.concatenate([np.zeros(0), *(_knots(name, driven, last) for name, driven in drive)]))
    found = found[found > 0]
    return _distinct(found[last - found > ROUNDING * np.spacing(found)])


def _knots(name: str, driven: Driven, last: float) -> np.ndarray:
    if isinstance(driven, Segments):
        return np.array(driven.edges[:-1])
    return knots(driven, last) if isinstance(driven, Pulse) else _stated_edges(name, driven)


def _stated_edges(name: str, driven: Any) -> np.ndarray:
    """Edges that a function states [s]; none of anything else."""
    stated = None if isinstance(driven, Segments | Pulse) else getattr(driven, "edges", None)
    if stated is None:
        return np.zeros(0)
    return np.atleast_1d(to_si(list(stated) if isinstance(stated, tuple) else stated, "s", f"edges of {name}"))


def _distinct(times: np.ndarray) -> np.ndarray:
    """Increasing times, one of each that differ by rounding only: the last, at which all have changed."""
    return times[np.append(np.diff(times) > ROUNDING * np.spacing(times[:-1]), True)[: times.size]]


def _end(drive: Drive) -> float:
    return min((driven.edges[-1] for _, driven in drive if isinstance(driven, Segments)), default=inf)


def check_drive(drive: Drive, network: Network) -> None:
    """Refuse a drive that the model cannot follow: unknown parameters, wrong units, values out of range."""
    network.check_names([name for name, _ in drive])
    for name, driven in drive:
        if isinstance(driven, Segments):
            in_si(name, driven, network)
        elif isinstance(driven, Pulse):
            _check_reach(_stated(name, network), in_si(name, driven, network))
        else:
            _check_function(name, driven)


def _check_reach(stated: Parameter, pulse: Any) -> None:
    """Refuse a pulse that leaves the values which are legal, as far as it is numbers."""
    single = pulse.pulse if isinstance(pulse, Train) else pulse
    heights = np.array(single.values if isinstance(single, Table) else (0.0, 1.0), np.float64)
    if not isinstance(pulse.peak, Expr) and not isinstance(pulse.base, Expr):
        reached = _pulsed(pulse, np.array([heights.min(), heights.max()]), {})
        for value in reached.tolist():
            parameter(stated.name, value, stated.unit, stated.domain)


def _check_function(name: str, function: Function) -> None:
    try:
        with jax.enable_x64(True):
            found = jax.eval_shape(function, jax.ShapeDtypeStruct((), np.float64))
    except Exception as error:
        why = (str(error).splitlines() or [""])[0]
        raise ValueError(
            f"The drive of `{name}` must be a function of one number, the time in s, written with jax.numpy "
            f"(jnp.where instead of `if`), but called with a time it raised {type(error).__name__}: {why}"
        ) from error
    if getattr(found, "shape", None) != () or found.dtype.kind not in "iuf":
        raise ValueError(f"The drive of `{name}` must return one real number, but it returns {shown(found)}.")


def check_varied(drive: Drive, network: Network, given: Collection[str]) -> None:
    """Refuse to vary a driven parameter whose value no drive uses."""
    used = {name for _, driven in drive for value in _values(driven) if isinstance(value, Expr) for name in value.names}
    for name in given:
        if name in dict(drive) and name not in used:
            raise ValueError(
                f"`{name}` is driven in time, so its value in the batch would not be used; where it is meant, write "
                f"jr.expr('{name}') in a segment, or as the peak of a pulse."
            )


def _values(driven: Driven) -> Iterator[Any]:
    """What is stated of a driven parameter itself, not of times."""
    if isinstance(driven, Segments):
        yield from (value for _, _, value in driven.parts)
    elif isinstance(driven, Pulse):
        yield from (driven.peak, driven.base)


def in_si(name: str, driven: Any, network: Network) -> Any:
    """Segments or a pulse with values in SI units and checked expressions; a function as it is.

    Raises:
        ValueError: a wrong unit, an unknown parameter in an expression, a segment out of range.
    """
    if isinstance(driven, Segments):
        return Segments([(start, end, settled(name, value, network)) for start, end, value in driven.parts])
    if isinstance(driven, Train):
        return replace(driven, pulse=in_si(name, driven.pulse, network))
    if not isinstance(driven, Pulse):
        return driven
    unit = _stated(name, network).unit
    if isinstance(driven, Table):
        values = to_si(list(driven.values), unit if driven.peak is None else "1", f"table of {name}")
        driven = replace(driven, values=values)
    peak = None if driven.peak is None else _height(f"peak of {name}", driven.peak, unit, network)
    return replace(driven, peak=peak, base=_height(f"base of {name}", driven.base, unit, network))


def _height(what: str, value: Any, unit: str, network: Network) -> float | Expr:
    """A number in SI units, or a checked expression."""
    if isinstance(value, Expr):
        value.check([p.name for p in network.model.parameter_list], what)
        return value
    return float(to_si(value, unit, what))


def settled(name: str, value: Quantity, network: Network) -> float | Expr:
    """Value of a segment in SI units, or a checked expression."""
    stated = _stated(name, network)
    if isinstance(value, Expr):
        return _height(f"segment of {name}", value, stated.unit, network)
    return parameter(name, value, stated.unit, stated.domain).value  # type: ignore[return-value]


def _stated(name: str, network: Network) -> Parameter:
    return next(p for p in network.model.parameter_list if p.name == name)


def driven(drive: Drive, network: Network, parameters: Mapping[str, Any], time: float) -> dict[str, Any]:
    """Values of the driven parameters from a time to the next of `edges`, where they are constant in between.

    Args:
        drive: What is driven; `is_piecewise`.
        network: The network.
        parameters: Values of all, which expressions are evaluated with.
        time: One of `edges`, or any other [s].
    """
    assert is_piecewise(drive)
    return {name: _constant(name, changing, network, parameters, time) for name, changing in drive}


def _constant(name: str, driven: Driven, network: Network, parameters: Mapping[str, Any], time: float) -> Any:
    if isinstance(driven, Segments):
        return _evaluated(settled(name, driven.at(time), network), parameters)
    pulse = in_si(name, driven, network)
    return _pulsed(pulse, pulse.shape(np.float64(time)), parameters)


def driven_at(drive: Drive, network: Network, parameters: Mapping[str, Any], t: Any) -> dict[str, Any]:
    """Values of the driven parameters, at a time for each lane, differentiable by times and parameters.

    Args:
        drive: What is driven.
        network: The network.
        parameters: Values of all, which expressions are evaluated with, shape (lane,) or of a shape that broadcasts.
        t: Times [s], float64, shape (lane,) or any; for a NumPy array the values are computed with NumPy. At an edge
            the value is that after it. In a JAX program an edge of a `Train` may be off by its rounding, so a time
            that must be on one side of it must be 4 spacings of its floating point or more away.

    Returns:
        Values by name [SI], of the shape of `t` and the parameters together.
    """
    return {name: _changing(in_si(name, driven, network), parameters, t) for name, driven in drive}


def _changing(driven: Any, parameters: Mapping[str, Any], t: Any) -> Any:
    if isinstance(driven, Segments):
        return driven.values(t, parameters)
    if isinstance(driven, Pulse):
        return _pulsed(driven, driven.shape(t), parameters)
    return _called(driven, t)


def _pulsed(pulse: Any, shape: Any, parameters: Mapping[str, Any]) -> Any:
    peak = 1.0 if pulse.peak is None else _evaluated(pulse.peak, parameters)
    return _evaluated(pulse.base, parameters) + peak * shape


def _evaluated(value: float | Expr, parameters: Mapping[str, Any]) -> Any:
    return value(parameters) if isinstance(value, Expr) else value


def _called(function: Function, t: Any) -> Any:
    """A function of one time, called with many."""
    if namespace(t) is np:
        with jax.enable_x64(True):
            return np.asarray(_called(function, jnp.asarray(t, np.float64)))
    return jax.vmap(lambda time: jnp.asarray(function(time), t.dtype))(t.ravel()).reshape(t.shape)
