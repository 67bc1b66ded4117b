"""Quantities as people write them ("2.8e-19 cm^2", "100 s-1", "3 dBm") read into SI numbers.

The one place that uses pint: it knows the units, in a registry of our own. How they may be written is decided in
`jaxrate.unit_text`, and where which of them may be given, here.
"""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal, localcontext
from typing import Any, TypeVar

import numpy as np

from jaxrate.constants import c, h, k
from jaxrate.names import shown, unknown
from jaxrate.unit_text import Factors, UnitError, parse_quantity, parse_unit

T = TypeVar("T")
Routes = Mapping[str, Callable[[float], float]]
"""How each quantity that may be stated, in its SI unit, gives the one that is wanted."""

KINDS: Mapping[str, tuple[str, str]] = {
    "1": ("a number without a unit", "1.82"),
    "s^-1": ("a rate", "100 s^-1"),
    "Hz": ("a frequency", "281.7 THz"),
    "s": ("a time", "230 us"),
    "m": ("a length", "1064.15 nm"),
    "m^-1": ("an inverse length", "4 dB/m"),
    "m^2": ("an area", "2.8e-19 cm^2"),
    "m^3": ("a volume", "1 mm^3"),
    "m^2 Hz": ("an integrated cross-section", "2.65e-6 m^2 Hz"),
    "m^-3": ("a number density", "1.38e26 m^-3"),
    "kg": ("a mass", "20 amu"),
    "K": ("a temperature", "300 K"),
    "J": ("an energy", "1.165 eV"),
    "W": ("a power", "100 mW"),
    "W m^-2": ("an intensity", "1 kW/cm^2"),
    "m^3 s^-1": ("a rate coefficient", "1e-10 cm^3/s"),
    "m^3 J^-1 s^-2": ("an Einstein B per spectral energy density and hertz", "4.7e15 m^3 J^-1 s^-2"),
    "C m": ("an electric dipole moment", "3.5 ea0"),
    "C^2 m^2": ("an electric line strength", "12 e^2 a_0^2"),
    "J T^-1": ("a magnetic dipole moment", "1 mu_B"),
    "J^2 T^-2": ("a magnetic line strength", "1 mu_B^2"),
}
"""What a quantity in each expected unit is called, and an example that can be copied."""


def to_si(value: object, unit: str, name: str) -> Any:
    """SI value of a stated quantity.

    A quantity in Hz may be given in rad/s and is then divided by 2 pi, and likewise for every power of Hz in `unit`;
    nowhere else may angles come or go. A rate may not be given in Hz or rad/s, which leaves a factor 2 pi open.
    "3 dB" is a power ratio, "3 dBm" a power, and "3 dB/m" the coefficient of an exponential, ln(10)/10 * 3 m^-1.

    Args:
        value: Text with a unit, a bare number or array (already SI), or a list of these.
        unit: Expected SI unit, such as "m^3 J^-1 s^-2"; "1" for a number without a unit.
        name: The parameter, for the message.

    Returns:
        A float; for an array or a list a new float64 array of its shape.

    Raises:
        UnitError: wrong dimension, unknown or missing unit, or not a finite real number.
    """
    noun, example = KINDS.get(unit, (f"a quantity in {unit}", f"1 {unit}"))
    return _Stated(value, name, f"{noun} such as '{example}'", {unit: float}, decibels=True).si()


def to_frequency(value: object, name: str) -> Any:
    """Frequency of light [Hz], from a frequency, rad/s, vacuum wavelength, wavenumber or photon energy.

    Args:
        value: "281.7 THz", "1064.15 nm", "9397 cm^-1", "1.165 eV", or a bare number or array in Hz.
        name: The parameter, for the message.

    Returns:
        A float; for an array or a list a new float64 array of its shape.

    Raises:
        UnitError: as `to_si`; a wavelength that is not positive.
    """
    expected = "a frequency such as '281.7 THz', '1064.15 nm' (vacuum), '9397 cm^-1' or '1.165 eV'"
    return _Stated(value, name, expected, _PHOTON).si()


def to_energy(value: object, name: str) -> Any:
    """Energy [J], also from a photon's wavenumber, frequency or vacuum wavelength, or from a temperature (k T).

    Args:
        value: "11507 cm^-1", "1.43 eV", "344 THz", "870 nm", "300 K", or a bare number or array in J.
        name: The parameter, for the message.

    Returns:
        A float; for an array or a list a new float64 array of its shape.

    Raises:
        UnitError: as `to_si`; a wavelength that is not positive.
    """
    expected = "an energy such as '11507 cm^-1', '1.43 eV', '344 THz', '870 nm' or '300 K'"
    return _Stated(value, name, expected, _ENERGY).si()


def to_width(value: object, name: str, frequency: float) -> Any:
    r"""Linewidth (FWHM) [Hz], from a frequency, rad/s, wavenumber, photon energy, or a width in vacuum wavelength.

    A width in wavelength is converted at the centre, to first order: $\Delta\nu = \frac{\nu^2}{c}\,\Delta\lambda$. The
    relative error is of order $(\Delta\lambda/\lambda)^2$.

    Args:
        value: "120 GHz", "4 cm^-1", "0.45 nm", or a bare number or array in Hz.
        name: The parameter, for the message.
        frequency: Line centre [Hz]; used for a width in wavelength only.

    Returns:
        A float; for an array or a list a new float64 array of its shape.

    Raises:
        UnitError: as `to_si`; a width in s^-1, which may mean Hz or rad/s.
    """
    expected = "a linewidth (FWHM) such as '120 GHz', '4 cm^-1' or '0.45 nm'"
    routes = {**_PHOTON, "m": lambda wavelength: frequency**2 / c * wavelength}
    return _Stated(value, name, expected, routes, refuse_per_second=True).si()


def read_any(value: object, name: str) -> tuple[float, str]:
    """SI value and SI unit of a quantity of any kind: "0.9 s^-1" is (0.9, "s^-1"), "10 THz" is (1e13, "Hz").

    A frequency in rad/s comes back in Hz, divided by 2 pi.

    Args:
        value: Text with or without a unit, or a bare number.
        name: The parameter, for the message.

    Returns:
        The value, and its unit: one of `KINDS` or a product of base units.

    Raises:
        UnitError: an unknown unit, or not a finite real number.
    """
    stated = _Stated(value, name, "a number, or text with a unit such as '0.9 s^-1'", {})
    unit = stated.checked(lambda: _si_unit(parse_quantity(value)[1])) if isinstance(value, str) else "1"
    return to_si(value, unit, name), unit


def _frequency_of_wavelength(wavelength: float) -> float:
    if wavelength <= 0:
        raise UnitError("a wavelength must be positive")
    return c / wavelength


_PHOTON: Routes = {
    "Hz": float,
    "m": _frequency_of_wavelength,
    "m^-1": lambda wavenumber: c * wavenumber,
    "J": lambda energy: energy / h,
}
"""Frequency of a photon, from each quantity that states one in SI units."""

_ENERGY: Routes = {
    "J": float,
    "Hz": lambda frequency: h * frequency,
    "m": lambda wavelength: h * _frequency_of_wavelength(wavelength),
    "m^-1": lambda wavenumber: h * c * wavenumber,
    "K": lambda temperature: k * temperature,
}


@dataclass(frozen=True)
class _Stated:
    """A quantity as it was given, what it is for, and which quantities may state it."""

    value: Any
    name: str
    expected: str
    routes: Routes
    decibels: bool = False  # dB and dBm are read
    refuse_per_second: bool = False  # s^-1 is not read as Hz

    def si(self) -> Any:
        """Its SI value; of an array or a list element by element."""
        if isinstance(self.value, list | tuple):
            return np.array([replace(self, value=v)._number() for v in self.value], dtype=np.float64)
        # Plain arrays only: a subclass or a foreign quantity may carry a unit or a mask, which would be lost silently.
        return self._array() if type(self.value) in (np.ndarray, np.memmap) else self._number()

    def refused(self, why: str = "") -> UnitError:
        message = f"`{self.name}` must be {self.expected}, but {shown(self.value)} was given{why and f': {why}'}"
        return UnitError(message if message.endswith((".", "?")) else f"{message}.")

    def _array(self) -> np.ndarray:
        if self.value.dtype.kind not in "iuf":
            raise self.refused(f"an array of {self.value.dtype} does not hold real numbers")
        if not np.isfinite(self.value).all():
            raise self.refused("every element must be finite")
        return np.array(self.value, dtype=np.float64)

    def checked(self, read: Callable[[], T]) -> T:
        """What `read` returns, its errors told as those of this quantity."""
        try:
            with localcontext(Context(prec=28)):  # whatever the caller has set
                return read()
        except UnitError as why:
            raise self.refused(str(why)) from None
        except ArithmeticError:
            raise self.refused("its value must be finite") from None

    def _number(self) -> float:
        text = isinstance(self.value, str)
        number = self.checked(lambda: self._convert(*parse_quantity(self.value)) if text else _bare(self.value))
        if not math.isfinite(number):
            raise self.refused("its value must be finite")
        return number

    def _convert(self, number: Decimal, factors: Factors) -> float:
        if not factors and "1" not in self.routes:
            raise UnitError("it has no unit; write one, or a bare number (no text) for SI")
        for unit, convert in self.routes.items():
            if self.refuse_per_second and unit == "Hz" and _is_per_second(factors):
                raise UnitError("s^-1 may mean Hz or rad/s here; write which")
            linear = _without_decibels(number, factors, unit) if self.decibels else (number, factors)
            si = _in_unit(*linear, unit)
            if si is not None:
                return convert(si)
        raise UnitError


def _bare(value: Any) -> float:
    if isinstance(value, bool | np.bool_ | np.complexfloating) or not isinstance(value, int | float | np.number):
        raise UnitError("write a number in SI units, or text with a unit")
    return float(value)


def _in_unit(number: Decimal, factors: Factors, unit: str) -> float | None:
    """`number` in the SI unit `unit`; None where the dimension is another one."""
    (given, angle), (expected, expected_angle) = _dimension(factors), _dimension(parse_unit(unit))
    if given != expected:
        return None
    angle -= expected_angle
    if unit == "s^-1" and (angle or _has_hertz(factors)):
        raise UnitError("a rate in Hz or rad/s leaves a factor of 2 pi open; write s^-1")
    if angle not in (0, dict(parse_unit(unit)).get("Hz", 0)):
        raise UnitError("it has another power of rad (or sr)")
    return _pint_convert(number, factors, unit) / (2 * math.pi) ** angle


def _without_decibels(number: Decimal, factors: Factors, unit: str) -> tuple[Decimal, Factors]:
    """Linear value of a ratio in dB, a power in dBm or dBW, or a gain or loss in dB per length; else as it was."""
    if unit == "m^-1" and ("dB", 1) in factors:
        return number * Decimal(math.log(10) / 10), tuple(factor for factor in factors if factor != ("dB", 1))
    linear = _LEVELS.get(unit, {}).get(factors)
    return (number, factors) if linear is None else (Decimal(10 ** (float(number) / 10)), linear)


_LEVELS: Mapping[str, Mapping[Factors, Factors]] = {
    "1": {(("dB", 1),): ()},
    "W": {(("dBm", 1),): (("mW", 1),), (("dBW", 1),): (("W", 1),)},
}
"""What 0 dB stands for, in each unit that a level may be given for."""


@functools.cache
def _registry() -> Any:
    """Our registry, built when the first text is read: importing pint and filling a registry takes half a second.

    It counts in decimals, so that "230 us" is the same float as 230e-6.
    """
    import pint

    numbers: Any = Decimal  # pint's annotation says float, its documentation Decimal and Fraction too
    registry = pint.UnitRegistry(non_int_type=numbers)
    registry.define("ea0 = elementary_charge * bohr")
    return registry


def _canonical(name: str) -> str:
    """pint's full name of a unit: "kilohertz" for "kHz"."""
    if not _registry().parse_unit_name(name):
        raise UnitError(_unknown_unit(name))
    try:
        canonical = _registry().get_name(name)
    except TypeError:  # of which pint's own errors are kinds
        raise UnitError(f"`{name}`: a logarithmic unit or a temperature scale takes no prefix") from None
    if canonical == "pi":
        raise UnitError("pi is a number; write a frequency in Hz (cycles) or in rad/s")
    return canonical


@functools.lru_cache(maxsize=1024)
def _pint_unit(factors: Factors) -> Any:
    registry = _registry()
    return math.prod((registry.Unit(_canonical(name)) ** power for name, power in factors), start=registry.Unit(""))


@functools.lru_cache(maxsize=1024)
def _dimension(factors: Factors) -> tuple[Mapping[str, float], float]:
    """Powers of the base units, and that of the radian, which pint takes for a pure number. Counts are such."""
    _, root = _registry().get_root_units(_pint_unit(factors))
    powers = {name: power for name, power in _registry().Quantity(1, root).unit_items() if name != "count"}
    return powers, float(powers.pop("radian", 0))


def _has_hertz(factors: Factors) -> bool:
    return any(_canonical(name).endswith("hertz") for name, _ in factors)


def _is_per_second(factors: Factors) -> bool:
    return _dimension(factors) == ({"second": -1}, 0) and not _has_hertz(factors)


def _si_unit(factors: Factors) -> str:
    """The unit to keep a quantity in: that of `KINDS` with its dimension, else a product of base units."""
    powers, angle = _dimension(factors)
    cyclic = angle == 1 or _has_hertz(factors)
    for unit in KINDS:
        if _dimension(parse_unit(unit))[0] == powers and ("Hz" in unit) == cyclic and (cyclic or angle == 0):
            return unit
    symbols = {_registry().get_symbol(name): int(power) for name, power in {**powers, "radian": angle}.items()}
    symbols = {"kg" if symbol == "g" else symbol: power for symbol, power in symbols.items() if power}
    return " ".join(symbol if power == 1 else f"{symbol}^{power}" for symbol, power in symbols.items())


def _pint_convert(number: Decimal, factors: Factors, unit: str) -> float:
    try:
        return float(_registry().convert(number, _pint_unit(factors), _pint_unit(parse_unit(unit))))
    except TypeError:
        raise UnitError("a logarithmic unit, or a temperature scale in a product, cannot be converted") from None


def _unknown_unit(name: str) -> str:
    """The message for an unknown unit, with the nearest one; a unit in the wrong case comes before any other."""
    same = [f"`{unit}`" for unit in _unit_names() if unit.lower() == name.lower()]
    if same:
        return f"`{name}` is not a unit; did you mean {' or '.join(same)}?"
    return unknown("unit", name, _unit_names())


@functools.cache
def _unit_names() -> tuple[str, ...]:
    """Names to propose: the usual symbols with prefixes, and what pint writes out in full."""
    symbols = ("m", "g", "s", "A", "K", "J", "W", "Hz", "eV", "V", "T", "C", "rad")
    prefixed = [prefix + symbol for symbol in symbols for prefix in ("", *"fpnuµmckMGT")]
    return (*prefixed, "kg", "amu", "ea0", "a_0", "mu_B", *(name for name in _registry() if len(name) > 2))
