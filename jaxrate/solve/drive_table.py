"""Drives as a file states them: lists of segments and tables of pulses, read and written exactly."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from math import inf, isinf
from typing import Any

from jaxrate.expr import Expr
from jaxrate.names import unknown
from jaxrate.network.network import Network
from jaxrate.solve.drive import Drive, Segments, in_si
from jaxrate.solve.pulse import Exponential, Gaussian, Pulse, Sech2, Square, Table, Train

PULSES: dict[str, type[Pulse]] = {cls.__name__: cls for cls in (Exponential, Gaussian, Sech2, Square, Table, Train)}

FORMS = (
    'a list such as [[0, "1 ms", "100 s^-1"], ["1 ms", inf, 0]], or a pulse such as { kind = "Gaussian", '
    'peak = "100 s^-1", centre = "1 ms", fwhm = "10 us" }'
)


def is_value(_: str, table: Mapping[str, Any]) -> bool:
    """Whether a table is a pulse or an expression, and not one of names that begin alike."""
    return isinstance(table.get("kind"), str) or set(table) == {"expr"}


def is_driven(given: Any) -> bool:
    """Whether it has the form of segments or of a pulse."""
    return (isinstance(given, dict) and "kind" in given) or (
        isinstance(given, list) and all(isinstance(part, list) for part in given)
    )


def read_driven(given: Any) -> Segments | Pulse:
    """What drives one parameter: a list of segments, or a table of a pulse.

    An expression is a table { expr = "..." }, and a time without end may be "inf".

    Args:
        given: As `drive_table` writes it, or as a person does, with units; `is_driven`.

    Raises:
        ValueError: an unknown kind or key (the nearest is named), or what the drive itself refuses.
    """
    return _pulse(given) if isinstance(given, dict) else Segments([tuple(_entry(x) for x in part) for part in given])


def _pulse(given: dict[str, Any]) -> Pulse:
    kind, stated = given["kind"], {key: _entry(value) for key, value in given.items() if key != "kind"}
    if kind not in PULSES:
        raise ValueError(unknown("kind of pulse", kind, PULSES))
    known = [field.name for field in fields(PULSES[kind])]
    for key in stated:
        if key not in known:
            raise ValueError(unknown("key", key, known, kind))
    required = [field.name for field in fields(PULSES[kind]) if field.default is MISSING]
    if missing := ", ".join(f"`{key}`" for key in required if key not in stated):
        raise ValueError(f"A {kind} must have {missing}.")
    return PULSES[kind](**stated)


def _entry(given: Any) -> Any:
    if isinstance(given, dict) and set(given) == {"expr"}:
        return Expr(given["expr"])
    if isinstance(given, dict) and "kind" in given:
        return _pulse(given)
    return inf if given == "inf" else given


def drive_table(drive: Drive, network: Network) -> dict[str, Any]:
    """The tables that `read_driven` reads as an equal drive, in SI units; an endless time is "inf", as JSON needs it.

    Raises:
        ValueError: a Python function, which no file can hold (it is named).
    """
    return {name: _driven_table(name, driven, network) for name, driven in drive}


def _driven_table(name: str, driven: Any, network: Network) -> Any:
    if not isinstance(driven, Segments | Pulse):
        raise ValueError(
            f"The drive of `{name}` is a Python function, which a file cannot hold: state it with jr.Segments or a "
            "pulse, for example jr.pulse.Table(times, values)."
        )
    found = in_si(name, driven, network)
    return _plain(found.parts) if isinstance(found, Segments) else _plain(found)


def _plain(value: Any) -> Any:
    if isinstance(value, Expr):
        return {"expr": value.text}
    if isinstance(value, Pulse):
        stated = {field.name: getattr(value, field.name) for field in fields(value)}
        return {"kind": type(value).__name__} | {key: _plain(x) for key, x in stated.items() if x is not None}
    if isinstance(value, tuple):
        return [_plain(x) for x in value]
    return "inf" if isinstance(value, float) and isinf(value) else value
