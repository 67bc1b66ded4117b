"""Exact populations of the four-level medium, and of larger ones, in time, to 50 digits, and their derivatives.

A time that a computer holds is a whole number of halves of halves of a second. So the propagator over the smallest
such part, which a few terms of its series give, need only be squared again and again: the binary digits of a time say
which of the squares lead there. Squares of probabilities are sums of positive terms, and each costs a binary digit.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import mpmath
from mpmath import mp, mpf

from benchmarks.media import Large
from benchmarks.reference import (
    DIGITS,
    GUARD,
    Transition,
    exactly,
    four_level_rates,
    four_level_transitions,
    large_transitions,
)

TERMS = 40
SHORT = 2**-20
"""Largest rate times the time that so many terms cover: 2**-800 and less is left out."""

Path = list[list[Any]]
"""Populations by time, then by level."""
Matrix = list[list[Any]]
Given = Mapping[str, Any]


@cache
def _path(transitions: tuple[Transition, ...], times: tuple[float, ...], digits: int) -> Path:
    """Populations from all in level 0, in so many digits."""
    with mp.workdps(digits):
        levels = 1 + max(max(i, j) for i, j, _ in transitions)
        unit = max(time.as_integer_ratio()[1] for time in times)
        while levels * max(rate for _, _, rate in transitions) > SHORT * unit:
            unit *= 2
        counts = [int(mpf(time) * unit) for time in times]
        powers = [_short(transitions, levels, unit)]
        n, done, found = [mpf(level == 0) for level in range(levels)], 0, []
        for count in counts:
            n, done = _passed(powers, n, count - done), count
            found.append(n)
        return found


def _short(transitions: Sequence[Transition], levels: int, unit: int) -> Matrix:
    """Propagator over 1/unit of a second."""
    K = [[mpf(0)] * levels for _ in range(levels)]
    for source, to, rate in transitions:
        K[to][source] += mpf(rate) / unit
        K[source][source] -= mpf(rate) / unit
    total = term = [[mpf(i == j) for j in range(levels)] for i in range(levels)]
    for k in range(1, TERMS + 1):
        term = [[x / k for x in row] for row in _product(term, K)]
        total = [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(total, term, strict=True)]
    return total


def _passed(powers: list[Matrix], n: list[Any], count: int) -> list[Any]:
    """Populations after so many units; squares that are missing are added to `powers`."""
    for digit in range(count.bit_length()):
        if digit == len(powers):
            powers.append(_product(powers[-1], powers[-1]))
        if count >> digit & 1:
            n = [mpmath.fdot(row, n) for row in powers[digit]]
    return n


def _product(A: Matrix, B: Matrix) -> Matrix:
    columns = list(zip(*B, strict=True))
    return [[mpmath.fdot(row, column) for column in columns] for row in A]


@exactly
def of_rates(rates: Given, times: Sequence[float]) -> Path:
    """Populations from the six rates."""
    return _of(rates, times)


@exactly
def of_parameters(theta: Given, times: Sequence[float]) -> Path:
    """Populations from the parameters that a user states."""
    return _of(four_level_rates(theta), times)


@exactly
def of_large(medium: Large, pump: float, times: Sequence[float]) -> Path:
    """Populations of a large medium."""
    return _of_transitions(large_transitions(medium, pump), times)


def _of(rates: Given, times: Sequence[float]) -> Path:
    return _of_transitions(four_level_transitions(rates), times)


def _of_transitions(listed: Sequence[Transition], times: Sequence[float]) -> Path:
    transitions = tuple((i, j, mpf(rate)) for i, j, rate in listed)
    return _path(transitions, tuple(float(time) for time in times), mp.dps)


def slopes(theta: Given, name: str, times: Sequence[float]) -> Path:
    """Derivatives of the populations by a parameter: difference quotients in twice as many digits."""
    with mp.workdps(2 * (DIGITS + GUARD)):
        step = mpf(theta[name]) / mpf(10) ** DIGITS
        ends = [_of(four_level_rates({**theta, name: mpf(theta[name]) + side * step}), times) for side in (1, -1)]
        return [[(a - b) / (2 * step) for a, b in zip(*n, strict=True)] for n in zip(*ends, strict=True)]


@exactly
def inversion(path: Path) -> list[mpf]:
    """n2 - n1 at every time, or its derivative."""
    return [n[2] - n[1] for n in path]


@exactly
def stored(path: Path, times: Sequence[float]) -> mpf:
    """Trapezoidal integral of n2 over the times [s], or its derivative."""
    t, n = [mpf(float(time)) for time in times], [n[2] for n in path]
    return mp.fsum((t[k] - t[k - 1]) * (n[k] + n[k - 1]) for k in range(1, len(t))) / 2


@exactly
def error_of_curve(found: Sequence[float], exact: Sequence[mpf]) -> float:
    """Largest error over the largest value of the curve; NaN where a number is not finite."""
    errors = [float(abs(mpf(float(x)) - e)) for x, e in zip(found, exact, strict=True)]
    return float("nan") if any(e != e for e in errors) else max(errors) / float(max(abs(e) for e in exact))
