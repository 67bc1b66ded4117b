"""Model files: TOML with the names and the strings that people type. The round trip is exact."""

from pathlib import Path
from typing import Any

import tomli_w

from jaxrate.model import fields as light
from jaxrate.model import lineshapes, processes
from jaxrate.model.exchange import Exchange
from jaxrate.model.expected import Expected
from jaxrate.model.gain import StimulatedGain
from jaxrate.model.levels import Level, Reservoir
from jaxrate.model.model import Model
from jaxrate.model.tables import (
    ModelFileError,
    build,
    by_name,
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

_PROCESSES = (
    *(processes.Radiative, processes.Decay, processes.Pump, processes.Collision, processes.EnergyTransfer),
    *(Exchange, light.Beam, light.Blackbody, light.Cavity, StimulatedGain),
)
PROCESSES = {cls.__name__: cls for cls in _PROCESSES}
LINESHAPES = {
    cls.__name__: cls for cls in (lineshapes.Lorentzian, lineshapes.Gaussian, lineshapes.Doppler, lineshapes.Voigt)
}
AMPLIFIER = "amplifier"
"""Table of a model file that states the light along the medium; it is none of the model's."""
MODEL_KEYS = (
    *("name", "source", "density", "temperature", "parameters", "levels", "reservoirs", "processes", "expected"),
    AMPLIFIER,
)
MEDIA = Path(__file__).parent.parent / "media"


def load_model(path: str | Path) -> Model:
    """Read a model from a TOML file.

    Args:
        path: The file, written by hand or by `Model.save`.

    Returns:
        The model; equal to the one that was saved.

    Raises:
        FileNotFoundError: there is no such file.
        ModelFileError: bad syntax (the line is shown), an unknown key (the nearest is named), a wrong type, or
            anything that the statement itself refuses.
    """
    try:
        return from_toml(Path(path).read_bytes().decode("utf-8-sig"))
    except ValueError as error:
        raise ModelFileError(f"{path}: {error}") from error


def media(name: str) -> Model:
    """A medium that ships with jaxrate, by name; `jr.list_media()` lists them.

    Raises:
        ValueError: there is none of that name (the nearest is named).
    """
    if name not in list_media():
        raise ValueError(unknown("medium that ships with jaxrate", name, list_media()))
    return load_model(MEDIA / f"{name}.toml")


def list_media() -> list[str]:
    """Names of the media that ship with jaxrate."""
    return sorted(path.stem for path in MEDIA.glob("*.toml"))


def model_file(target: str | Path) -> Path:
    """The file that is meant: a path, or that of a medium that ships.

    Raises:
        FileNotFoundError: neither (the nearest is named, and the media are listed).
        ModelFileError: a directory.
    """
    path = Path(target)
    if path.is_dir():
        raise ModelFileError(f"`{target}` is a directory; name a model file in it.")
    if not path.exists() and str(target) in list_media():
        return MEDIA / f"{target}.toml"
    if not path.exists():
        raise FileNotFoundError(_missing(path))
    return path


def _missing(path: Path) -> str:
    around = path.parent.glob("*.toml") if path.parent.is_dir() else []
    found = nearest(str(path), [*list_media(), *map(str, around)])
    hint = f"; did you mean `{found}`?" if found else "."
    return f"There is no file `{path}`{hint} Media that ship with jaxrate: {', '.join(f'`{m}`' for m in list_media())}."


def from_toml(text: str) -> Model:
    """Read a model from TOML text.

    Raises:
        ModelFileError: as `load_model`.
    """
    return _model(read_toml(text))


def _model(table: dict) -> Model:
    check_keys(MODEL_KEYS, table, "a model")
    if not table.get("levels") and not table.get("reservoirs"):
        raise ModelFileError("A model must have levels: [[levels]] tables with `name`, `energy` and `g`.")
    given: dict[str, Any] = {key: table[key] for key in ("name", "source") if key in table}
    given |= {key: quantity(table[key], key) for key in ("density", "temperature") if key in table}
    if isinstance(given.get("density"), dict):
        given["density"] = {species: quantity(v, f"density.{species}") for species, v in given["density"].items()}
    return Model(
        levels=each_of(table, "levels", Level),
        processes=each_of(table, "processes", _process),
        expected=each_of(table, "expected", Expected),
        reservoirs=each_of(table, "reservoirs", Reservoir),
        parameters=_dotted(table_at(table.get("parameters", {}), "parameters")),
        **given,
    )


def _process(table: dict, where: str) -> processes.Process:
    return of_kind(PROCESSES, table, where, "process", _FIELDS)


def _lineshape(value: Any, where: str) -> lineshapes.Lineshape:
    example = '{kind = "Lorentzian", fwhm = "120 GHz"}'
    if not isinstance(value, dict):
        raise ModelFileError(f"{where} must be a table such as {example}, but {shown(value)} was given.")
    return of_kind(LINESHAPES, value, where, "lineshape", {})


def _spectrum(value: Any, where: str) -> lineshapes.Spectrum:
    return build(lineshapes.Spectrum, table_at(value, where), where)


def _mirrors(value: Any, where: str) -> Any:
    return tuple(quantity(mirror, where) for mirror in value) if isinstance(value, list) else value


def _shares(value: Any, where: str) -> dict[str, Any]:
    return {level: quantity(share, f"{where}.{level}") for level, share in table_at(value, where).items()}


_FIELDS = {
    "lineshape": _lineshape,
    "emission": _spectrum,
    "absorption": _spectrum,
    "mirrors": _mirrors,
    "into": _shares,
}
"""How the values of a process are read that are not plain numbers or text."""


def _dotted(table: dict, before: str = "") -> dict[str, Any]:
    """Parameters by their dotted name: TOML reads `wall.rate = 1` as a table `wall`."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        nested = isinstance(value, dict) and set(value) != {"expr"}
        found |= _dotted(value, f"{before}{key}.") if nested else {before + key: quantity(value, before + key)}
    return found


def to_toml(model: Model) -> str:
    """A model as TOML text.

    Raises:
        ValueError: a rate is a Python function, which no file can hold (it is named).
    """
    return tomli_w.dumps(as_table(model))


def as_table(model: Model) -> dict[str, Any]:
    """A model as the table that its file holds: text, numbers, lists and tables.

    Raises:
        ValueError: as `to_toml`.
    """
    density, parameters = model.density, dict(model.parameters_)
    table = {
        "name": model.name,
        "source": model.source,
        "density": by_name(dict(density), "density.") if isinstance(density, tuple) else plain(density, "density"),
        "temperature": plain(model.temperature, "temperature"),
        "parameters": by_name(parameters, ""),
        "levels": [stated(level, level.name) for level in model.levels],
        "reservoirs": [stated(reservoir, reservoir.name) for reservoir in model.reservoirs],
        "processes": [{"kind": p.kind, **stated(p, p.label)} for p in model.processes],
        "expected": [stated(e, e.title) for e in model.expected],
    }
    return {key: value for key, value in table.items() if value not in (None, "", {}, [])}
