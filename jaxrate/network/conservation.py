"""Exact conservation laws: integer combinations of populations that no reaction changes."""

from fractions import Fraction
from math import gcd, lcm

import numpy as np


def conservation_laws(stoichiometry: np.ndarray) -> np.ndarray:
    r"""All integer $c$ with $c^T \nu = 0$: $\sum_i c_i s_i n_i$ is then constant.

    Args:
        stoichiometry: nu, particles gained in an event, shape (population, reaction), integers.

    Returns:
        A basis in lowest terms, shape (law, population); rational arithmetic, so exact.
    """
    rows = [[Fraction(int(v)) for v in row] for row in np.asarray(stoichiometry).T]
    size = np.asarray(stoichiometry).shape[0]
    pivots = _reduce(rows, size)
    free = [j for j in range(size) if j not in pivots]
    return np.array([_law(rows, pivots, j, size) for j in free], dtype=np.int64).reshape(len(free), size)


def _reduce(rows: list[list[Fraction]], size: int) -> dict[int, int]:
    """Reduced row-echelon form in place; {pivot column: row}. The last column that can is taken first."""
    pivots: dict[int, int] = {}
    for column in reversed(range(size)):
        row = next((r for r in range(len(pivots), len(rows)) if rows[r][column]), None)
        if row is None:
            continue
        top = len(pivots)
        rows[top], rows[row] = rows[row], rows[top]
        rows[top] = [v / rows[top][column] for v in rows[top]]
        for r in range(len(rows)):
            if r != top and rows[r][column]:
                factor = rows[r][column]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[top], strict=True)]
        pivots[column] = top
    return pivots


def _law(rows: list[list[Fraction]], pivots: dict[int, int], free: int, size: int) -> list[int]:
    law = [Fraction(0)] * size
    law[free] = Fraction(1)
    for column, row in pivots.items():
        law[column] = -rows[row][free]
    scale = lcm(*(v.denominator for v in law))
    whole = [int(v * scale) for v in law]
    return [v // gcd(*whole) for v in whole]
