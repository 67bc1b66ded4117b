"""The text of a quantity: the grammar of "2.8e-19 cm^2", "100 s-1" and "W/(m^2 Hz)", and numbers and units printed.

A decimal number, then units with integer powers. What the units mean is for `jaxrate.units` to say. This is a smaller
language than pint's, so text from a file can neither compute nor mean two things.
"""

import functools
import math
import re
from collections.abc import Iterator
from decimal import Decimal

from jaxrate.constants import c

Factors = tuple[tuple[str, int], ...]
"""Units as they were written, each with its power: (("W", 1), ("cm", -2))."""


class UnitError(ValueError):
    """A stated quantity that cannot be read: names the parameter, what was given, what was expected."""


_SUPERSCRIPTS = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
_SPELLINGS = str.maketrans({"−": "-", "·": "*", "⋅": "*", "×": "*", "μ": "µ", "\N{ANGSTROM SIGN}": "Å"})
_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
# A unit and its power: m^2, m^(-2), m2 or m-2. Digits after an underscore, and a zero, belong to the name: a_0, ea0.
_TERM = re.compile(
    r"\s*(?:(?P<close>\))|(?P<operator>[*/]?)\s*(?:(?P<open>\()|(?P<name>%|°?[^\W\d_]+(?:_\w+)*0?)"
    r"(?:\s*\^\s*(?:\((?P<inner>[+-]?[0-9]{1,2})\)|(?P<caret>[+-]?[0-9]{1,2}))|(?P<plain>-?[1-9][0-9]?))?))"
)
_GRAMMAR = "units are written like 'W/cm^2', 'm^3 J^-1 s^-2' or 'W/(m^2 Hz)'"
_NO_PARTNER = f"an operator or parenthesis has no partner; {_GRAMMAR}"


def parse_quantity(text: str) -> tuple[Decimal, Factors]:
    """Number and units of "2.8e-19 cm^2".

    Raises:
        UnitError: it is not a number and units; says why, the caller says of what.
    """
    start = _NUMBER.match(text.translate(_SPELLINGS))
    if start is None:
        raise UnitError("it must begin with a finite decimal number")
    unit = text[start.end() :]
    if unit.strip() == "1":
        raise UnitError("there is a space within the number")
    return Decimal(start[1]), parse_unit(unit)


@functools.lru_cache(maxsize=1024)
def parse_unit(text: str) -> Factors:
    """Units and powers of "W/cm^2", "m^3 J^-1 s^-2", "W/(m^2 Hz)", "s-1", "m2", "1/s", "%"; none for "1" and "".

    Raises:
        UnitError: it is not a product of units; says why, the caller says of what.
    """
    text = re.sub(r"[⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda power: "^" + power[0].translate(_SUPERSCRIPTS), text)
    text = re.sub(r"\bper\b", "/", text.translate(_SPELLINGS).replace("**", "^")).strip()
    text = re.sub(r"^1\s*(/|$)", r"\1", text)
    if len(text) > 200:
        raise UnitError("the unit is too long")
    return _product(_terms(text), nested=False)


def _terms(text: str) -> Iterator[re.Match[str]]:
    """Each unit or opening parenthesis with the operator before it, and each closing parenthesis."""
    position = 0
    while position < len(text):
        term = _TERM.match(text, position)
        if term is None:
            raise UnitError(f"`{text[position:].strip()}` cannot be read; {_GRAMMAR}")
        yield term
        position = term.end()


def _product(terms: Iterator[re.Match[str]], nested: bool) -> Factors:
    """Factors up to the end, or to the parenthesis that closes a nested product."""
    factors: Factors = ()
    divided = False
    for term in terms:
        if term["close"] and nested and factors:
            return factors
        if term["close"] or (not factors and term["operator"] and (nested or term["operator"] == "*")):
            raise UnitError(_NO_PARTNER)
        if divided and term["operator"] != "/":
            raise UnitError("what follows 'a/b' may be above or below the line; write 'a/(b c)' or negative powers")
        divided = term["operator"] == "/"
        part = _product(terms, nested=True) if term["open"] else ((term["name"], _power(term)),)
        factors += tuple((name, -power if divided else power) for name, power in part)
    if nested:
        raise UnitError(_NO_PARTNER)
    return factors


def _power(term: re.Match[str]) -> int:
    return int(term["inner"] or term["caret"] or term["plain"] or 1)


_PREFIXES = {-5: "f", -4: "p", -3: "n", -2: "µ", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T", 5: "P"}
_HIGHEST_PREFIX = {"Hz": 5, "W": 5, "m": 1, "s": 0}


def pretty(value: float, unit: str) -> str:
    """An SI number for people, to six digits: "281.718 THz", "2.8e-23 m^2", "1.82"; `to_si` reads it back."""
    if value != 0 and math.isfinite(value) and unit in _HIGHEST_PREFIX:
        digits, exponent = f"{value:.5e}".split("e")
        third = int(exponent) // 3
        if third in _PREFIXES and third <= _HIGHEST_PREFIX[unit]:
            return f"{float(digits) * 10.0 ** (int(exponent) - 3 * third):.6g} {_PREFIXES[third]}{unit}"
    number = f"{value:.6g}".replace("e+", "e").replace("e0", "e").replace("e-0", "e-")
    return number if unit == "1" else f"{number} {unit}"


def light(frequency: float, digits: int = 6) -> str:
    """Vacuum wavelength of optical light, frequency of microwaves [Hz], as people say it."""
    wavelength = c / frequency
    if wavelength < 3e-6:
        return f"{wavelength * 1e9:.{digits}g} nm"
    return pretty(wavelength, "m") if wavelength < 3e-4 else pretty(frequency, "Hz")


def latex(unit: str) -> str:
    r"""Label of a unit for matplotlib: "m^3 J^-1" gives `$\mathrm{m^{3}\,J^{-1}}$`; empty for "1"."""
    escaped = [(re.sub(r"_(\w+)", r"_{\1}", name).replace("%", r"\%"), power) for name, power in parse_unit(unit)]
    product = r"\,".join(name if power == 1 else f"{name}^{{{power}}}" for name, power in escaped)
    return rf"$\mathrm{{{product}}}$" if product else ""
