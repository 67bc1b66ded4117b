"""Numbers as a report prints them: as many digits as their errors carry, one power of ten or prefix for all of them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from jaxrate.unit_text import pretty

DIGITS = 2
"""Digits of the smallest error; the value ends where it does."""
MOST_DIGITS = 14
"""Digits of a value, however small its error."""
WITHOUT_ERROR = 6
"""Digits of a value of which no error is known."""


@dataclass(frozen=True)
class Rounding:
    """How a value and its errors are printed.

    Args:
        last: Power of ten of the last digit.
        power: Power of ten that is taken out of the numbers.
        suffix: Where it is written, "e20" after each number; empty where the unit's prefix says it.
        unit: Unit with that prefix; empty for a pure number.
    """

    last: int
    power: int
    suffix: str
    unit: str

    def text(self, x: float) -> str:
        """A number, without its unit."""
        if not math.isfinite(x):
            return str(x)
        rounded = Decimal(repr(_rounded(x, self.last) + 0.0))  # no -0
        return f"{rounded.scaleb(-self.power):.{max(self.power - self.last, 0)}f}{self.suffix}"

    def plain(self, x: float) -> str:
        """A number in the same unit, to six digits of its own."""
        return pretty(x if self.suffix else x / 10.0**self.power, "1")


def _rounded(x: float, last: int) -> float:
    """A number to a power of ten; itself where that is above the largest number there is."""
    try:
        return round(x, -last)
    except OverflowError:
        return x


def rounding(value: float, errors: Iterable[float], unit: str) -> Rounding:
    """How to print a value, to two digits of the smallest of its errors.

    Args:
        value: The value [SI].
        errors: Distances to the ends of its interval [SI]; infinite ones and those of rounding do not count.
        unit: SI unit; "1" or empty for a pure number.
    """
    sizes = [abs(e) for e in errors if math.isfinite(e) and abs(e) > abs(value) * 10.0**-MOST_DIGITS]
    last = _power(float(f"{min(sizes):.{DIGITS - 1}e}")) - DIGITS + 1 if sizes else _power(value) - WITHOUT_ERROR + 1
    last = max(last, _power(value) - MOST_DIGITS + 1) if value else last
    seen = _rounded(value, last)
    return _written(_power(seen) if seen else last + DIGITS - 1, last, unit or "1")


def _written(first: int, last: int, unit: str) -> Rounding:
    """Prefix, power of ten or neither, for a number whose first digit has that power of ten."""
    third = first // 3 * 3
    one, _, prefixed = pretty(10.0**third, unit).partition(" ")
    if one == "1":
        return Rounding(last, third, "", prefixed)
    power, suffix = (0, "") if -3 <= first < 5 else (first, f"e{first}")
    return Rounding(last, power, suffix, "" if unit == "1" else unit)


def _power(x: float) -> int:
    """Power of ten of the first digit."""
    return int(f"{x:.15e}".split("e")[1]) if x and math.isfinite(x) else 0
