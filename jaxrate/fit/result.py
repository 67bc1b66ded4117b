"""What a fit found: values with intervals, what the data determine, and whether the model describes them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from jaxrate.fit import storage
from jaxrate.fit.density import logdensity
from jaxrate.fit.report import report
from jaxrate.names import unknown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FitStatus = Literal["ok", "inadequate_model", "not_identifiable", "multiple_minima", "not_converged"]


@dataclass(frozen=True)
class Estimate:
    """One free parameter.

    Attributes:
        name: "laser.B", or "light.scale[a]" of one that data set "a" has for itself.
        unit: SI unit.
        value: Best value [SI].
        start: Where the fit began [SI].
        error: Standard error [SI]; of a parameter fitted as its logarithm, value times that of the logarithm. Infinite
            where the data do not determine the parameter alone.
        lower, upper: Ends of the interval [SI]; 0 (or -inf) and inf where it has none.
        lower_label, upper_label: What ends it: "data", "unbounded", "limited by NAME" or "not found".
        logarithmic: Whether it was fitted as its logarithm.
        is_determined: Whether the data determine it alone.
    """

    name: str
    unit: str
    value: float
    start: float
    error: float
    lower: float
    upper: float
    lower_label: str
    upper_label: str
    logarithmic: bool
    is_determined: bool


@dataclass(frozen=True)
class Derived:
    """Something that follows from the parameters: A21 of a line, its cross-section, a lifetime, a determined product.

    Attributes:
        name: "A21 of laser", or the product, "laser.B * density".
        unit: SI unit; empty where it has none that is worth a name.
        value: Its value [SI].
        lower, upper: Ends of its interval [SI], from the covariance of the logarithms.
    """

    name: str
    unit: str
    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Adequacy:
    """Whether the model describes the data.

    Attributes:
        points: Number of data.
        dof: Degrees of freedom: data and priors less determined parameters.
        chi2: Sum of squares of residuals over their standard deviations; of another loss, its minimum.
        p_value: Probability of a larger one if the model is right; NaN where the noise was not stated.
        lag1: Correlation of neighbouring residuals, in the order of the table.
        lag1_limit: What its size must exceed to count.
        scale: Factor on the stated standard deviations that was estimated from the residuals; 1 where they were stated.
        is_noise_stated: Whether standard deviations were stated.
    """

    points: int
    dof: int
    chi2: float
    p_value: float
    lag1: float
    lag1_limit: float
    scale: float
    is_noise_stated: bool


@dataclass(frozen=True)
class Minimum:
    """A minimum that starts led to.

    Attributes:
        chi2: There.
        starts: How many led to it.
        values: Parameters [SI], in the order of the estimates.
    """

    chi2: float
    starts: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Starts:
    """Where the starts led.

    Attributes:
        num: Number of starts.
        failed: Starts without a finite prediction.
        not_converged: Starts that had not ended.
        chi2: Where each ended, sorted, inf for those that failed.
        minima: Distinct minima, best first.
    """

    num: int
    failed: int
    not_converged: int
    chi2: tuple[float, ...]
    minima: tuple[Minimum, ...]


@dataclass(frozen=True)
class Profile:
    """Profile of one parameter: the best fit of all others at each of its values.

    Attributes:
        name: The parameter.
        values: Its values [SI], increasing.
        chi2: Rise of the minimum above the best, in units of the (estimated) variance.
        threshold: Rise at the ends of the interval.
    """

    name: str
    values: tuple[float, ...]
    chi2: tuple[float, ...]
    threshold: float


@dataclass(frozen=True, eq=False, repr=False)
class FitResult:
    """Result of `jr.fit`.

    Attributes:
        status: "ok", or the first of "not_converged", "not_identifiable", "inadequate_model", "multiple_minima" that
            applies; `remarks` tells all that do.
        remarks: What a reader must know before any number, in sentences; then what was noticed in the data.
        estimates: The free parameters.
        derived: What follows from them.
        combinations: What the data determine: parameters alone, or products.
        covariance: Of the coordinates (logarithms where `logarithmic`), shape (parameter, parameter); inf and NaN where
            not determined.
        adequacy: Whether the model describes the data.
        starts: Where the starts led.
        profiles: Of each parameter, where intervals are profiles.
        table: One row per datum, by column: "dataset", "line", "observable", "value", "sigma" (stated or estimated),
            "fit", "fit_lower", "fit_upper", "residual" (in standard deviations), and the conditions, in SI units.
            "value" to "fit_upper" are in the unit of the row's observable. NaN where there is none.
        units: Unit of each condition and of each observable; of data that were compared as logarithms "dB" or "dBm";
            empty or None where it is not known.
        method: Of the intervals: "profile", "wald", "bootstrap" or "sandwich".
        level: Of the intervals.
        settings: What was asked for: free, fixed, "bounds" ({name: [lower, upper]}, as stated), priors,
            ties, loss, optimiser; numbers, text, lists and dictionaries.
        provenance: "data" ({source: SHA-256}), "model_fingerprint", "seed", "jaxrate_version" and others, "device",
            "precision", "created".
    """

    status: FitStatus
    remarks: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    derived: tuple[Derived, ...]
    combinations: tuple[Derived, ...]
    covariance: np.ndarray
    adequacy: Adequacy
    starts: Starts
    profiles: tuple[Profile, ...]
    table: Mapping[str, np.ndarray]
    units: Mapping[str, str]
    method: str
    level: float
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]
    _problem: Any = field(default=None, repr=False, compare=False)

    def __getitem__(self, name: str) -> Estimate:
        """The estimate of a parameter by name.

        Raises:
            ValueError: it was not free (the nearest one that was is proposed).
        """
        found = {e.name: e for e in self.estimates}
        if name not in found:
            raise ValueError(unknown("free parameter", name, list(found), "this fit"))
        return found[name]

    def __str__(self) -> str:
        return self.report()

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value:.6g}" for name, value in self.values.items())
        return f"<FitResult: {self.status}, {self.adequacy.points} data, {values}>"

    @property
    def values(self) -> dict[str, float]:
        """Best values [SI] by name."""
        return {e.name: e.value for e in self.estimates}

    @property
    def correlation(self) -> np.ndarray:
        """Correlations of the coordinates, shape (parameter, parameter); NaN where one is not determined."""
        with np.errstate(all="ignore"):
            deviations = np.sqrt(np.diag(self.covariance))
            found = self.covariance / deviations[:, None] / deviations
        return np.where(np.eye(len(found), dtype=bool) & ~np.isnan(found), 1.0, np.clip(found, -1.0, 1.0))

    def logdensity(self, theta: Mapping[str, Any]) -> Any:
        r"""Logarithm of likelihood times priors at any parameters, for samplers: $-\chi^2/2$, up to a constant.

        A function for JAX: it may be compiled, differentiated and vectorised. Flat in the parameters as they are given:
        whoever samples logarithms adds their Jacobian.

        Args:
            theta: Values of all free parameters [SI], numbers or tracers, shape ().

        Returns:
            Shape (); -inf outside the bounds and where there is no prediction.

        Raises:
            ValueError: a name that is not free, or a value that is missing; a fit that was loaded from a file.
        """
        if self._problem is None:
            raise ValueError("A fit from a file has no data: run jr.fit once more, then take its density.")
        return logdensity(self._problem.task, theta, self._problem.scale)

    def report(self) -> str:
        """What was found, for people: status and adequacy before any number."""
        return report(self)

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write `fit.json` and `residuals.csv` into a directory, which is made; each is whole or as it was before.

        `FitResult.load` reads them back exactly, and `jr.read_table` reads the residuals.

        Raises:
            OSError: it cannot be written.
        """
        storage.save(self, directory)

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> Self:
        """A fit that was saved. It reports and plots as before; data and model themselves are not in it.

        Raises:
            FileNotFoundError: there is no fit in the directory.
            ValueError: a file is cut off, was changed, is of something else or of a newer version.
        """
        return cls(**storage.load(directory, cls))

    def plot(self, directory: str | os.PathLike[str] | None = None) -> dict[str, "Figure"]:
        """The pictures of a fit, as far as they apply: "data", "profiles", "correlation" and "starts".

        Args:
            directory: Where to save them as PNG; it is made.

        Returns:
            matplotlib's figures by name.
        """
        from jaxrate.plot.fits import fit_figures  # matplotlib takes a while to load

        figures = fit_figures(self)
        if directory is not None:
            Path(directory).mkdir(parents=True, exist_ok=True)
            for name, figure in figures.items():
                figure.savefig(Path(directory) / f"{name}.png", dpi=200)
        return figures
