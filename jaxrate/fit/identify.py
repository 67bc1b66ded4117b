"""What the data determine: the singular values of the log-Jacobian, and the products of powers that span its rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import lcm

import numpy as np

NEGLIGIBLE = 1e-11
"""Singular value of the column-scaled Jacobian that counts as zero, relative to the largest.

Exact derivatives of models that are solved to 1e-13 leave 1e-16 to 1e-12 where parameters are degenerate. Fits that
are determined stay far above: the worst of 20 NIST problems, Bennett5, is at 2e-5, and 1e-9 is still full rank. The
bound does not grow with the data: a relative error e of columns of unit norm moves singular values by sqrt(p) e.
"""

UNSEEN = 1e-13
"""Norm of the column of a logarithmic parameter that counts as zero, relative to the largest of their norms.

This is what rounding leaves of a dependence that cancels. Columns of other parameters have units, so that no two of
them compare: only an exact zero counts there.
"""

RATIONAL = 1e-6
LARGEST_DENOMINATOR = 12
"""An exponent within `RATIONAL` of a fraction with such a denominator is that fraction."""

FAINT = 1e-3
"""Share of the largest exponent of a product below which a member is not printed: it changes the product by nothing."""

Exponent = int | Fraction | float
Named = list[tuple[str, bool]]  # each parameter, and whether its coordinate is its logarithm


@dataclass(frozen=True, eq=False)
class ScaledSVD:
    r"""Singular value decomposition of a Jacobian whose columns were scaled to unit norm: $J = U s V^T D$.

    The row space is scaled with the columns: a direction $g$ lies in that of $J$ where $D^{-1} g$ is in the span of V.

    Args:
        scale: D, norms of the columns, shape (p,); the smallest of the others for a column of zeros.
        values: s, falling, shape (p,).
        V: Right singular vectors of the values that are not negligible, shape (p, rank).
    """

    scale: np.ndarray
    values: np.ndarray
    V: np.ndarray

    @property
    def rank(self) -> int:
        """Number of directions that the data determine."""
        return self.V.shape[1]

    @property
    def tolerance(self) -> float:
        """Sine of the angle by which what is negligible can tilt the row space; where that is large, 1e-6."""
        if self.rank == 0:
            return RATIONAL
        return min(RATIONAL, NEGLIGIBLE * float(self.values[0] / self.values[self.rank - 1]))

    @property
    def factor(self) -> np.ndarray:
        """F, shape (p, rank): F F^T is the covariance, of directions in the row space only."""
        return self.V / self.values[: self.rank] / self.scale[:, None]

    def spans(self, directions: np.ndarray) -> np.ndarray:
        """Whether directions lie in the row space, so that the data determine them: (..., p) to (...)."""
        scaled = directions / self.scale
        outside = scaled - (scaled @ self.V) @ self.V.T
        return np.linalg.norm(outside, axis=-1) <= self.tolerance * np.linalg.norm(scaled, axis=-1)

    def variance(self, directions: np.ndarray) -> np.ndarray:
        """Variance of g . u for directions g (..., p), shape (...); infinite outside the row space."""
        found = np.sum(((directions / self.scale) @ self.V / self.values[: self.rank]) ** 2, axis=-1)
        return np.where(self.spans(directions), found, np.inf)


def scaled_svd(J: np.ndarray) -> ScaledSVD:
    r"""Singular value decomposition of J with its columns scaled to unit norm.

    Never of $J^T J$, which squares the condition and halves the digits of every standard error.

    Args:
        J: Weighted Jacobian, or its triangular factor, shape (m, p).
    """
    norms = column_norms(J)
    seen = norms > 0
    scale = np.where(seen, norms, np.min(norms, where=seen, initial=np.inf)) if np.any(seen) else np.ones(len(norms))
    _, s, Vt = np.linalg.svd(J / scale, full_matrices=False)
    rank = int(np.sum(s > NEGLIGIBLE * np.max(s, initial=0.0)))
    return ScaledSVD(scale, np.pad(s, (0, len(norms) - len(s))), Vt[:rank].T)


def column_norms(J: np.ndarray) -> np.ndarray:
    """Norms of the columns, without overflow: shape (m, p) to (p,)."""
    largest = np.max(np.abs(J), axis=0, initial=0.0)
    return largest * np.linalg.norm(J / np.where(largest > 0, largest, 1.0), axis=0)


@dataclass(frozen=True)
class Combination:
    r"""One thing that the data determine: a parameter, a product of powers, or a sum where a member is no logarithm.

    $\prod_i \theta_i^{k_i}$, with the logarithm $k \cdot u$, prints as `laser.B^2 / density`. Where a member is
    fitted as it is, not as its logarithm, no power of it is meant; the sum $k \cdot u$ itself is printed then:
    `slope + 2 offset`, `ln(laser.B) - 0.5 offset`.

    Args:
        powers: Name and exponent (in a sum: coefficient) of each member, in the order the parameters were stated;
            the first is positive. Whole numbers, else fractions, else (not exact) real numbers.
        direction: The exponents of all parameters, shape (p,): the logarithm of the product is direction . u.
        logarithmic: Whether each member is fitted as its logarithm.
        exact: The exponents are ratios of small whole numbers, as where the model knows only the product. Otherwise
            they are true where they were computed, and vary from place to place: it prints `(locally)`.
    """

    powers: tuple[tuple[str, Exponent], ...]
    direction: np.ndarray = field(repr=False, compare=False)
    logarithmic: tuple[bool, ...] = field(repr=False)
    exact: bool = True

    def __str__(self) -> str:
        alone = len(self._shown) == 1
        text = self._shown[0][0] if alone else self._product() if all(self.logarithmic) else self._sum()
        return text if self.exact else f"{text} (locally)"

    @property
    def _shown(self) -> list[tuple[str, Exponent]]:
        """Members of a product whose exponents are not too small to be seen."""
        if not all(self.logarithmic):
            return list(self.powers)
        least = FAINT * max(abs(k) for _, k in self.powers)
        return [(name, k) for name, k in self.powers if abs(k) >= least]

    def _product(self) -> str:
        above, below = ([_power(name, abs(k)) for name, k in self._shown if (k > 0) is up] for up in (True, False))
        under = " * ".join(below)
        return " * ".join(above) + (f" / ({under})" if len(below) > 1 else f" / {under}" if below else "")

    def _sum(self) -> str:
        shown = [f"ln({name})" if log else name for (name, _), log in zip(self.powers, self.logarithmic, strict=True)]
        terms = [_term(text, k) for text, (_, k) in zip(shown, self.powers, strict=True)]
        return " ".join(terms).removeprefix("+ ")


def _number(k: Exponent) -> str:
    return f"{k:.3g}" if isinstance(k, float) else str(k)


def _power(name: str, k: Exponent) -> str:
    text = _number(k)
    return name if text == "1" else f"{name}^({text})" if "/" in text else f"{name}^{text}"


def _term(name: str, k: Exponent) -> str:
    text = _number(abs(k))
    return f"{'-' if k < 0 else '+'} {name if text == '1' else f'{text} {name}'}"


@dataclass(frozen=True, eq=False)
class Identified:
    """What the data determine of the parameters, and how well.

    Args:
        names: Names of the parameters, in the order stated.
        svd: Decomposition of the Jacobian with scaled columns.
        combinations: What is determined, one a rank: echelon form of the row space. Which products stand for a row
            space, and the members of `held`, follow the order of the names; the space itself does not.
        determined: Whether each parameter is determined by itself, shape (p,).
        held: Indices of parameters, one for each direction that nothing determines. Held at any value they leave all
            others determined and the predictions as they are.
        untouched: Names of parameters that no datum depends on; they are in `held` too.
    """

    names: tuple[str, ...]
    svd: ScaledSVD
    combinations: tuple[Combination, ...]
    determined: np.ndarray
    held: tuple[int, ...]
    untouched: tuple[str, ...]

    @property
    def is_full_rank(self) -> bool:
        """Whether every parameter is determined by itself."""
        return not self.held

    @property
    def singular_values(self) -> np.ndarray:
        """Singular values of the Jacobian with columns of unit norm, falling, shape (p,)."""
        return self.svd.values

    @property
    def condition(self) -> float:
        """Ratio of the largest to the smallest singular value; infinite where something is not determined."""
        if not self.is_full_rank:
            return np.inf
        return float(self.singular_values[0] / self.singular_values[-1]) if self.names else 1.0

    @cached_property
    def covariance(self) -> np.ndarray:
        """Covariance of u, shape (p, p), for residuals of unit variance.

        The variance of a parameter that is not determined is infinite and its covariances are NaN: no number has a
        meaning there, since the parameter can go anywhere along with others. All else is finite.
        """
        found = self.svd.factor @ self.svd.factor.T
        lost = ~self.determined
        found[lost[:, None] | lost] = np.nan
        found[lost, lost] = np.inf
        return found

    def variance(self, direction: np.ndarray) -> float:
        """Variance of direction . u, shape (p,), for unit residuals; infinite where the data do not determine it."""
        return float(self.svd.variance(np.asarray(direction, np.float64)))


def identify(R: np.ndarray, names: Sequence[str], logarithmic: Sequence[bool]) -> Identified:
    r"""What the data determine, from the Jacobian of the residuals by the internal coordinates u.

    A product $\prod_i \theta_i^{k_i}$ is determined where $k$ lies in the row space of $\partial r/\partial\ln\theta$;
    where a model knows two parameters as their product only, that space has vectors of whole numbers.

    Args:
        R: Jacobian of the weighted residuals, or its triangular factor, shape (m, p).
        names: Names of the p parameters.
        logarithmic: Whether the coordinate of each is its logarithm.

    Raises:
        ValueError: the shapes do not match, or a derivative is not finite (the parameters are named).
    """
    R, names, logs = np.asarray(R, np.float64), tuple(names), np.asarray(logarithmic, bool)
    _check(R, names, logs)
    norms = column_norms(R)
    norms[logs & (norms <= UNSEEN * np.max(norms, where=logs, initial=0.0))] = 0.0
    svd = scaled_svd(np.where(norms > 0, R, 0.0))
    determined = svd.spans(np.eye(len(names)))
    pivots = _pivots(svd)
    return Identified(
        names=names,
        svd=svd,
        combinations=_combinations(svd, pivots, determined, list(zip(names, logs.tolist(), strict=True))),
        determined=determined,
        held=tuple(j for j in range(len(names)) if j not in pivots),
        untouched=tuple(name for name, is_seen in zip(names, norms > 0, strict=True) if not is_seen),
    )


def _check(R: np.ndarray, names: tuple[str, ...], logs: np.ndarray) -> None:
    if R.ndim != 2 or logs.shape != (len(names),) or R.shape[1] != len(names):
        raise ValueError(
            f"`R` must have a column for each of {len(names)} names and {logs.size} flags, but its shape is {R.shape}."
        )
    if bad := [f"`{name}`" for name, column in zip(names, R.T, strict=True) if not np.all(np.isfinite(column))]:
        raise ValueError(f"Derivatives of the residuals must be finite, but are not by {', '.join(bad)}.")


def _pivots(svd: ScaledSVD) -> list[int]:
    """Pivot columns of the row space: those that the ones before do not span, in the order stated.

    Exactly `rank` are found: were there fewer, what is left of orthonormal columns would all be below the tolerance.
    """
    left, found = svd.V.copy(), []
    for j in range(len(left)):
        size = np.linalg.norm(left[j])
        if size > svd.tolerance and len(found) < svd.rank:
            found.append(j)
            q = left[j] / size
            left -= np.outer(left @ q, q)
    return found


def _combinations(svd: ScaledSVD, pivots: list[int], determined: np.ndarray, named: Named) -> tuple[Combination, ...]:
    """Reduced row-echelon form: scaled columns first, where it is well conditioned; scaling back leaves it one."""
    rows = np.linalg.solve(svd.V[pivots].T, svd.V.T)
    found = []
    for j, row in zip(pivots, rows, strict=True):
        members = np.arange(len(row)) == j if determined[j] else _members(svd, j, row)
        found.append(_combination(svd, j, np.where(members, row * svd.scale / svd.scale[j], 0.0), named))
    return tuple(found)


def _members(svd: ScaledSVD, pivot: int, row: np.ndarray) -> np.ndarray:
    """Which entries of a row are more than rounding; at a tenth of what `spans` allows, the row space keeps the row."""
    least = 0.1 * svd.tolerance / np.sqrt(len(row)) * np.linalg.norm(row)
    return (np.abs(row) > least) & (np.arange(len(row)) >= pivot)


def _combination(svd: ScaledSVD, pivot: int, exponents: np.ndarray, named: Named) -> Combination:
    """Exponents, 1 at the pivot, as fractions where that is what they are, and still in the row space."""
    rational = _rational(exponents)
    direction = np.array(rational, np.float64)
    same = np.allclose(direction / direction[pivot], exponents, RATIONAL, RATIONAL)
    exact = same and bool(svd.spans(direction))
    chosen = rational if exact else exponents.tolist()
    members = [i for i, k in enumerate(chosen) if k]
    return Combination(
        powers=tuple((named[i][0], chosen[i]) for i in members),
        direction=direction if exact else exponents,
        logarithmic=tuple(named[i][1] for i in members),
        exact=exact,
    )


def _rational(exponents: np.ndarray) -> list[Exponent]:
    """The nearest fractions with small denominators, multiplied to whole numbers where those are small as well."""
    near = [Fraction(k).limit_denominator(LARGEST_DENOMINATOR) for k in exponents.tolist()]
    scale = lcm(*(q.denominator for q in near))
    whole = scale if max(abs(q) * scale for q in near) <= LARGEST_DENOMINATOR else 1
    return [int(q * whole) if (q * whole).denominator == 1 else q for q in near]
