r"""Measured spectra of several pieces in one table, without values between them.

A table is linear between its points. Between two pieces it must be no line but nothing: each piece ends in a wall, a
fall to zero within a millionth of its wavelength, and what lies between two walls is a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from jaxrate.arrays import Real
from jaxrate.constants import c
from jaxrate.physics.spectrum import Spectrum

WALL = 1e-6
"""Width of a wall, relative to the wavelength: a thousandth of a nanometre in the near infrared."""
MARGIN = 1e-9
"""By how much a piece is longer than stated, relative to the wavelength: its end is met whatever the rounding."""

ROUNDING = 1e-12
"""Relative difference between a frequency and the same written as a wavelength in another unit, at most."""


def joined(pieces: Sequence[tuple[ArrayLike, ...]]) -> tuple[np.ndarray, ...]:
    """One table of several pieces, with walls between them.

    Args:
        pieces: Of each its wavelengths [m], increasing or decreasing, shape (point,), and its columns, each of the same
            shape. A piece of one point is flat within a millionth of its wavelength.

    Returns:
        Wavelengths [m], strictly increasing, and the columns, zero in the gaps.

    Raises:
        ValueError: pieces overlap (their ranges are named).
    """
    parts = sorted((_piece(columns) for columns in pieces), key=lambda part: part[0, 0])
    rows = [parts[0]]
    for below, above in pairwise(parts):
        if not below[0, -1] * (1 + 10 * WALL) < above[0, 0] * (1 - 10 * WALL):
            both = " and ".join(f"{1e9 * part[0, 0]:.7g} to {1e9 * part[0, -1]:.7g} nm" for part in (below, above))
            raise ValueError(f"Pieces of a spectrum must not overlap or touch, but {both} do: merge them into one.")
        feet = np.zeros((len(below), 2))
        feet[0] = below[0, -1] * (1 + WALL), above[0, 0] * (1 - WALL)
        rows += [feet, above]
    return tuple(np.concatenate(rows, axis=1))


def _piece(columns: tuple[ArrayLike, ...]) -> np.ndarray:
    """A piece by increasing wavelength, with its margins."""
    part = np.array([np.atleast_1d(np.asarray(column, dtype=float)) for column in columns])
    if part.shape[1] == 1:
        part = np.repeat(part, 2, axis=1)
        part[0] *= 1 - WALL, 1 + WALL
    part = np.pad(part[:, np.argsort(part[0])], ((0, 0), (1, 1)), mode="edge")
    part[0, [0, -1]] *= 1 - MARGIN, 1 + MARGIN
    return part


def ranges(spectrum: Spectrum) -> list[tuple[float, float]]:
    """Where a table holds values: the lowest and highest frequency [Hz] of each piece, by increasing frequency."""
    nu, sigma = spectrum.arrays
    step, empty = np.diff(nu) / nu[1:], (sigma[1:] == 0) & (sigma[:-1] == 0)
    wall = (step > WALL / 2) & (step < 2 * WALL)
    gap = [i for i in range(1, len(step) - 1) if empty[i] and wall[i - 1] and wall[i + 1] and step[i] > 10 * WALL]
    starts, ends = [0, *(i + 2 for i in gap)], [*(i - 1 for i in gap), len(nu) - 1]
    return [(float(nu[a]), float(nu[b])) for a, b in zip(starts, ends, strict=True)]


def measured(spectrum: Spectrum, frequency: Real) -> np.ndarray:
    """Whether a table holds a value at frequencies [Hz]: not beyond its ends but for rounding, and in no gap."""
    nu = np.asarray(frequency, dtype=float)
    near = [(nu >= low * (1 - ROUNDING)) & (nu <= high * (1 + ROUNDING)) for low, high in ranges(spectrum)]
    return np.any(near, axis=0)


def within(spectrum: Spectrum, frequency: Real) -> np.ndarray:
    """Frequencies that are `measured`, those beyond an end by rounding put there, where the table is not yet zero."""
    return np.clip(np.asarray(frequency, dtype=float), spectrum.frequency[0], spectrum.frequency[-1])


def told(spectrum: Spectrum) -> str:
    """The ranges of a table as messages name them: "940 to 1010 nm and 1465 to 1570 nm"."""
    return " and ".join(f"{c / high * 1e9:.7g} to {c / low * 1e9:.7g} nm" for low, high in reversed(ranges(spectrum)))
