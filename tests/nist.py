"""NIST's reference problems of non-linear least squares: their files, and the models that these files print.

A model is a pure function of named arrays, as `jr.fit` takes it: from parameters "b1", "b2", ... and the condition "x",
all of shapes that broadcast, to {"y": array}. Formulas stand here as they are printed.

Source:
    NIST/ITL Statistical Reference Datasets, *Nonlinear Regression*. Certified values have 11 digits.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from tests.measured_data import data

DIGITS = 11
"""Digits of a certified value; no more can be counted."""

STATED = ("Number of Observations", "Residual Sum of Squares", "Residual Standard Deviation")

Theta = Mapping[str, Any]
Model = Callable[[Theta], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Problem:
    """One data set with its certified answer.

    Attributes:
        name: "Misra1a".
        model: Predicts `y` from {"b1": ..., "x": ...}.
        x: Predictor, shape (point,).
        y: Response, shape (point,).
        starts: Two starting points, the far one first, shape (2, parameter).
        certified: Parameters at the minimum, shape (parameter,).
        deviations: Their standard deviations, shape (parameter,).
        rss: Residual sum of squares at the minimum.
        dof: Degrees of freedom: points less parameters.
    """

    name: str
    model: Model
    x: np.ndarray
    y: np.ndarray
    starts: np.ndarray
    certified: np.ndarray
    deviations: np.ndarray
    rss: float
    dof: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """Their names, in the order of the arrays: "b1", "b2", ..."""
        return tuple(f"b{i + 1}" for i in range(len(self.certified)))


def problems() -> list[Problem]:
    """All of them, in the order of `MODELS`; the test is skipped where their files are absent."""
    return [problem(name) for name in MODELS]


def problem(name: str) -> Problem:
    """One of them; the test is skipped where its file is absent.

    Raises:
        ValueError: its file does not hold what it says it holds.
    """
    text = data(f"nist-strd/{name}.dat").read_text(encoding="ascii")
    table, rows = _parameters(text), _rows(text)
    points, rss, sd = (_stated(what, text) for what in STATED)
    dof = len(rows) - len(table)  # as printed it is wrong in Rat43: 9 with 15 points and 4 parameters
    if len(rows) != points or not np.isclose(rss, dof * sd**2, rtol=1e-9):
        raise ValueError(f"{name}.dat states {points:g} points, but it has {len(rows)} and {len(table)} parameters")
    y, x = rows.T
    return Problem(name, MODELS[name], x, y, table[:, :2].T, table[:, 2], table[:, 3], rss, dof)


def digits(found: Any, certified: Any) -> float:
    r"""Correct digits of the worst parameter.

    $\min_i -\log_{10} |b_i / b_i^\text{certified} - 1|$

    Args:
        found: Estimates, shape (parameter,).
        certified: Their certified values, none of them zero, shape (parameter,).

    Returns:
        At most `DIGITS`, which is all that is certified; NaN where an estimate is NaN.
    """
    found, certified = np.asarray(found, np.float64), np.asarray(certified, np.float64)
    with np.errstate(divide="ignore"):
        right = -np.log10(np.abs(found - certified) / np.abs(certified))
    return float(np.minimum(np.min(right), DIGITS))


def _parameters(text: str) -> np.ndarray:
    """Columns start 1, start 2, certified value, standard deviation; one row a parameter."""
    rows = re.findall(r"^\s*b\d+\s*=\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*$", text, re.MULTILINE)
    return np.array([[_number(field) for field in row] for row in rows])


def _rows(text: str) -> np.ndarray:
    """Columns y and x: all that follows the last line that begins with "Data:"."""
    rows = re.split(r"^Data:.*$", text, flags=re.MULTILINE)[-1].split("\n")
    return np.array([[_number(field) for field in row.split()] for row in rows if row.strip()])


def _stated(what: str, text: str) -> float:
    """The number behind a label and a colon."""
    return _number(re.findall(rf"^{what}:\s*(\S+)", text, re.MULTILINE)[0])


def _number(text: str) -> float:
    """A number as Fortran writes it, "1.5D-03" too."""
    return float(re.sub("[Dd]", "E", text))


def _given(theta: Theta, num: int) -> tuple[Any, ...]:
    """x, b1, b2, ... up to the last."""
    return theta["x"], *(theta[f"b{i + 1}"] for i in range(num))


def bennett5(theta: Theta) -> dict[str, Any]:
    """Superconductivity: magnetism against log time."""
    x, b1, b2, b3 = _given(theta, 3)
    return {"y": b1 * jnp.power(b2 + x, -1 / b3)}


def chwirut(theta: Theta) -> dict[str, Any]:
    """Ultrasonic response against the distance of metal."""
    x, b1, b2, b3 = _given(theta, 3)
    return {"y": jnp.exp(-b1 * x) / (b2 + b3 * x)}


def danwood(theta: Theta) -> dict[str, Any]:
    """Radiated energy of a carbon filament lamp against its temperature."""
    x, b1, b2 = _given(theta, 2)
    return {"y": b1 * jnp.power(x, b2)}


def eckerle4(theta: Theta) -> dict[str, Any]:
    """Transmittance of a circular interference filter against wavelength."""
    x, b1, b2, b3 = _given(theta, 3)
    return {"y": b1 / b2 * jnp.exp(-0.5 * ((x - b3) / b2) ** 2)}


def enso(theta: Theta) -> dict[str, Any]:
    """Air pressure difference between Easter Island and Darwin against the month."""
    x, b1, b2, b3, b4, b5, b6, b7, b8, b9 = _given(theta, 9)
    year, second, third = (2 * np.pi * x / period for period in (12, b4, b7))
    annual = b2 * jnp.cos(year) + b3 * jnp.sin(year)
    return {"y": b1 + annual + b5 * jnp.cos(second) + b6 * jnp.sin(second) + b8 * jnp.cos(third) + b9 * jnp.sin(third)}


def gauss(theta: Theta) -> dict[str, Any]:
    """Two Gaussians on a decaying exponential, generated."""
    x, b1, b2, b3, b4, b5, b6, b7, b8 = _given(theta, 8)
    peaks = b3 * jnp.exp(-((x - b4) ** 2) / b5**2) + b6 * jnp.exp(-((x - b7) ** 2) / b8**2)
    return {"y": b1 * jnp.exp(-b2 * x) + peaks}


def hahn1(theta: Theta) -> dict[str, Any]:
    """Thermal expansion of copper against temperature."""
    x, b1, b2, b3, b4, b5, b6, b7 = _given(theta, 7)
    return {"y": (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)}


def lanczos(theta: Theta) -> dict[str, Any]:
    """Three exponentials, generated."""
    x, b1, b2, b3, b4, b5, b6 = _given(theta, 6)
    return {"y": b1 * jnp.exp(-b2 * x) + b3 * jnp.exp(-b4 * x) + b5 * jnp.exp(-b6 * x)}


def mgh10(theta: Theta) -> dict[str, Any]:
    """Resistance of a thermistor against temperature."""
    x, b1, b2, b3 = _given(theta, 3)
    return {"y": b1 * jnp.exp(b2 / (x + b3))}


def mgh17(theta: Theta) -> dict[str, Any]:
    """Two exponentials on a constant."""
    x, b1, b2, b3, b4, b5 = _given(theta, 5)
    return {"y": b1 + b2 * jnp.exp(-x * b4) + b3 * jnp.exp(-x * b5)}


def misra1a(theta: Theta) -> dict[str, Any]:
    """Monomolecular adsorption: volume against pressure; biochemical oxygen demand against days."""
    x, b1, b2 = _given(theta, 2)
    return {"y": b1 * (1 - jnp.exp(-b2 * x))}


def misra1b(theta: Theta) -> dict[str, Any]:
    """Monomolecular adsorption, another law."""
    x, b1, b2 = _given(theta, 2)
    return {"y": b1 * (1 - (1 + b2 * x / 2) ** -2)}


def misra1c(theta: Theta) -> dict[str, Any]:
    """Monomolecular adsorption, a third law."""
    x, b1, b2 = _given(theta, 2)
    return {"y": b1 * (1 - (1 + 2 * b2 * x) ** -0.5)}


def misra1d(theta: Theta) -> dict[str, Any]:
    """Monomolecular adsorption, a fourth law."""
    x, b1, b2 = _given(theta, 2)
    return {"y": b1 * b2 * x / (1 + b2 * x)}


def rat42(theta: Theta) -> dict[str, Any]:
    """Growth of pasture against time: a logistic curve."""
    x, b1, b2, b3 = _given(theta, 3)
    return {"y": b1 / (1 + jnp.exp(b2 - b3 * x))}


def rat43(theta: Theta) -> dict[str, Any]:
    """Weight of onions against time: Richards' curve."""
    x, b1, b2, b3, b4 = _given(theta, 4)
    return {"y": b1 / jnp.power(1 + jnp.exp(b2 - b3 * x), 1 / b4)}


MODELS: dict[str, Model] = {
    "Misra1a": misra1a,
    "Misra1b": misra1b,
    "Chwirut1": chwirut,
    "Chwirut2": chwirut,
    "DanWood": danwood,
    "Gauss1": gauss,
    "Gauss2": gauss,
    "Lanczos3": lanczos,
    "Misra1c": misra1c,
    "Misra1d": misra1d,
    "Hahn1": hahn1,
    "MGH17": mgh17,
    "Lanczos2": lanczos,
    "ENSO": enso,
    "MGH10": mgh10,
    "BoxBOD": misra1a,
    "Rat42": rat42,
    "Rat43": rat43,
    "Eckerle4": eckerle4,
    "Bennett5": bennett5,
}
"""In NIST's order: lower, average and higher level of difficulty."""
