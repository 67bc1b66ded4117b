"""Light along a medium as a file states it, `[amplifier]`: read and written exactly."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from jaxrate.model.channels import ASE, Channels, Group
from jaxrate.model.expected import Expected
from jaxrate.model.fibre import Fibre
from jaxrate.model.files import AMPLIFIER, model_file
from jaxrate.model.tables import (
    ModelFileError,
    build,
    check_keys,
    each_of,
    of_kind,
    plain,
    quantity,
    read_toml,
    stated,
    table_at,
)
from jaxrate.names import nearest, shown, unknown
from jaxrate.propagate.amplifier import Amplifier

GROUPS: dict[str, type] = {"Channels": Channels, "ASE": ASE}
KEYS = tuple(field.name for field in fields(Amplifier))
EXAMPLE = """\
[amplifier]
length = "8 m"
area = "8 um^2"
[[amplifier.channels]]
kind = "Channels"
label = "signal"
wavelength = "1550 nm"
power = "10 uW"
"""


def load_amplifier(target: str | Path) -> Amplifier:
    """Read the amplifier that a model file states beside its medium.

    `jr.amplify(jr.media("edfa"), jr.load_amplifier("edfa"))` solves what ships.

    Args:
        target: A model file with a table `[amplifier]`, or the name of a medium that ships.

    Returns:
        The solver, for `jr.amplify` or an `Experiment`.

    Raises:
        FileNotFoundError: there is no such file or medium (the nearest is named).
        ModelFileError: no `[amplifier]`, an unknown key (the nearest is named), a wrong type or unit, or anything that
            the statement itself refuses.
    """
    return _of_file(model_file(target), read_amplifier)


def amplifier_figures(target: str | Path) -> tuple[Expected, ...]:
    """Published figures that the amplifier of a model file must reproduce, its tables `[[amplifier.expected]]`."""
    return _of_file(model_file(target), read_figures)


def states_amplifier(target: str | Path) -> bool:
    """Whether a model file, or a medium that ships, has an amplifier.

    Raises:
        FileNotFoundError: there is no such file or medium.
        ModelFileError: it is no TOML.
    """
    return AMPLIFIER in _table_of(model_file(target))


def _table_of(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path.read_bytes().decode("utf-8-sig"))
    except ValueError as error:
        raise ModelFileError(f"{path}: {error}") from error


def _of_file(path: Path, read: Callable[[Any], Any]) -> Any:
    table = _table_of(path)
    if AMPLIFIER not in table:
        raise ModelFileError(f"{path} {_lacking(table)}")
    try:
        return read(table[AMPLIFIER])
    except ValueError as error:
        raise ModelFileError(f"{path}: {error}") from error


def _lacking(table: Mapping[str, Any]) -> str:
    """What to write where there is no amplifier, or the key that was meant."""
    near = nearest(AMPLIFIER, [key for key in table if isinstance(table[key], dict)])
    if near:
        return f"has no [{AMPLIFIER}]; is it meant by [{near}]?"
    return f"has no [{AMPLIFIER}]. Light along a medium is stated like this:\n\n{EXAMPLE}"


def read_amplifier(given: Any, where: str = f"[{AMPLIFIER}]") -> Amplifier:
    """The amplifier that a table states.

    Args:
        given: Arguments of `jr.Amplifier` by name; `channels` are tables with a `kind`, "Channels" or "ASE", and
            `waveguide` is a table of those of `jr.Fibre`.
        where: The table's place, for messages.

    Raises:
        ModelFileError: as `load_amplifier`.
    """
    table = table_at(given, where)
    check_keys((*KEYS, "expected"), table, where)
    values = {key: _READ.get(key, quantity)(value, f"{where}, {key}") for key, value in table.items() if key in KEYS}
    values["channels"] = tuple(each_of(table, "channels", _group, f"{AMPLIFIER}."))
    return build(Amplifier, values, where)


def read_figures(given: Any, where: str = f"[{AMPLIFIER}]") -> tuple[Expected, ...]:
    """The published figures of such a table.

    Raises:
        ModelFileError: a figure that is not one of an amplifier, or of no group of its channels (the nearest is named).
    """
    kinds = {group.label: group.kind for group in read_amplifier(given, where).channels}
    found = tuple(each_of(table_at(given, where), "expected", Expected, f"{AMPLIFIER}."))
    for figure in found:
        _check_figure(figure, kinds, f"[[{AMPLIFIER}.expected]]")
    return found


def _check_figure(figure: Expected, kinds: Mapping[str, str], where: str) -> None:
    if figure.kind not in GROUPS:
        raise ModelFileError(f"{where}: `{figure.title}` is a figure of the medium: state it as [[expected]].")
    known = [label for label, kind in kinds.items() if kind == figure.kind]
    if figure.of not in known:
        raise ModelFileError(f"{where}: `{figure.title}`: {unknown(f'group of {figure.kind}', figure.of, known)}")


def amplifier_table(amplifier: Amplifier) -> dict[str, Any]:
    """The table that `read_amplifier` reads as an equal amplifier: text, numbers, lists and tables.

    Raises:
        ValueError: a value is a Python function, which no file can hold (it is named).
    """
    groups = [{"kind": group.kind, **stated(group, group.label)} for group in amplifier.channels]
    values = {f.name: getattr(amplifier, f.name) for f in fields(amplifier)}
    rest = {name: value for name, value in values.items() if name not in ("channels", "waveguide")}
    guide = {} if amplifier.waveguide is None else {"waveguide": stated(amplifier.waveguide, "waveguide")}
    return {**_differing(amplifier, rest), **guide, "channels": groups}


def _differing(amplifier: Amplifier, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that differ from what an amplifier has by itself."""
    own = {f.name: f.default for f in fields(amplifier)}
    return {name: plain(value, name) for name, value in values.items() if value != own[name]}


def _group(table: dict, where: str) -> Group:
    return of_kind(
        GROUPS, table, where, "channels", dict.fromkeys(("power", "wavelength", "frequency", "band"), _several)
    )


def _several(value: Any, where: str) -> Any:
    """One quantity, or a list of them."""
    return tuple(quantity(each, where) for each in value) if isinstance(value, list) else quantity(value, where)


def _waveguide(value: Any, where: str) -> Fibre:
    example = '{core_radius = "1.2 um", numerical_aperture = 0.23}'
    if not isinstance(value, dict):
        raise ModelFileError(f"{where} must be a table such as {example}, but {shown(value)} was given.")
    return build(Fibre, {key: quantity(each, f"{where}, {key}") for key, each in value.items()}, where)


_READ = {"reflections": _several, "waveguide": _waveguide, "channels": lambda value, where: value}
"""How the values of an amplifier are read that are not plain numbers or text."""
