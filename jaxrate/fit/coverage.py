"""`jr.coverage`: whether error bars are true, by fitting what was simulated from a known truth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

from jaxrate.fit.identify import scaled_svd
from jaxrate.fit.likelihood import gaussian
from jaxrate.fit.prepare import prepared
from jaxrate.fit.readings import Noise
from jaxrate.fit.stated import Wishes
from jaxrate.fit.task import Task
from jaxrate.names import unknown

METHODS = ("profile", "wald", "wald_natural", "wald_z")
"""Profile of the likelihood; by the curvature in the coordinates (logarithms of what is positive); by it symmetric in
natural values; and that with the normal's quantile even where the noise was estimated."""
BAND = 0.99
"""Level of the Clopper-Pearson band of a coverage."""


def coverage(
    experiment: Any,
    design: Any,
    truth: Mapping[str, Any],
    n: int = 10_000,
    methods: Sequence[str] = ("profile", "wald"),
    *,
    seed: int = 0,
    level: float = 0.95,
    estimate_noise: bool = False,
    **options: Any,
) -> xr.Dataset:
    """How often intervals hold the truth: `n` measurements are simulated, each is fitted and its intervals are judged.

    Each replica is fitted from the truth, so a wrong minimum far away is not met. A profile holds the truth where the
    best fit with the parameter held there is good enough, which one fit decides: no end has to be found.

    Args:
        experiment: As for `jr.fit`.
        design: As the data of `jr.fit`: conditions, and the standard deviations of what is measured. Its measured
            values do not matter, but what is NaN is not measured.
        truth: Values of the free parameters, SI or text with units.
        n: Number of replicas.
        methods: "profile", "wald" (in the logarithm of what is positive), "wald_natural" (symmetric in natural
            values), "wald_z" (with the normal's quantile whatever is known of the noise).
        seed: Of the noise.
        level: Of the intervals.
        estimate_noise: Whether the fits are not told the standard deviations, but estimate their scale.
        options: Further arguments of `jr.fit`: bounds, fixed, tie, prior, per, resolution, jitter.

    Returns:
        By interval and parameter: `coverage` with its 99 % Clopper-Pearson band `lower` and `upper`, `below` and
        `above`, the shares of intervals that lie wholly below or above the truth; by parameter `bias`, the mean error
        of the estimate over its spread, with `error`, its standard error; and `failed`, replicas without a fit.

    Raises:
        ValueError: as `jr.fit`; an unknown method.

    Examples:
        >>> table = {"pump.rate": np.geomspace(1, 1e4, 12), "gain": 0.0, "gain.sigma": 0.5}
        >>> found = jr.coverage(bench, table, {"laser.B": 4.6e15}, n=200)
        >>> bool(found.coverage.sel(interval="profile", parameter="laser.B") > 0.9)
        True
    """
    for method in methods:
        if method not in METHODS:
            raise ValueError(unknown("method", method, METHODS, "jr.coverage"))
    task = _task(experiment, design, truth, options)
    u = task.start
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((task.value.size, n))
    y = task.slopes(u)[0][:, None] + task.sigma[:, None] * noise
    found = task.fits(u[:, None], y=y)
    good = found["status"] == 0
    judge = _Judge(task, u, y[:, good], {k: x[..., good] for k, x in found.items()}, level, estimate_noise)
    sides = {method: judge.sides(method) for method in methods}
    return _dataset(task, sides, judge, n, seed, level)


def _task(experiment: Any, design: Any, truth: Mapping[str, Any], options: dict[str, Any]) -> Task:
    noise = Noise(options.pop("resolution", {}), options.pop("jitter", {}))
    try:
        wishes = Wishes(list(truth), dict(truth), **options)
    except TypeError:
        known = ("bounds", "fixed", "tie", "prior", "per", "resolution", "jitter")
        raise ValueError(
            unknown("argument", next(n for n in options if n not in known), known, "jr.coverage")
        ) from None
    task = prepared(experiment, design, wishes, noise, gaussian).task
    if not task.is_noise_stated:
        columns = ", ".join(f"`{name}.sigma`" for m in task.data for name in m.names)
        raise ValueError(f"A simulation needs the noise: give the design {columns}.")
    return task


class _Judge:
    """Judges the intervals of all replicas.

    Args:
        task: The fit.
        truth: Coordinates that the replicas were drawn from, shape (coordinate,).
        y: Data of every replica, shape (datum, replica).
        found: What was fitted to each.
        level: Of the intervals.
        estimate_noise: Whether the scale of the noise is estimated.
    """

    def __init__(
        self,
        task: Task,
        truth: np.ndarray,
        y: np.ndarray,
        found: dict[str, np.ndarray],
        level: float,
        estimate_noise: bool,
    ) -> None:
        self.task, self.truth, self.y, self.u, self.square = task, truth, y, found["u"], found["square"]
        dof = task.value.size + len(task.layout.free.priors) - task.num
        self.scale = np.sqrt(self.square / dof) if estimate_noise else np.ones_like(self.square)
        upper = (1 + level) / 2
        self.normal = float(stats.norm.ppf(upper))
        self.quantile = float(stats.t.ppf(upper, dof)) if estimate_noise else self.normal
        self.deviations = self.scale * np.stack([_deviations(R) for R in np.moveaxis(found["R"], -1, 0)], axis=-1)
        self.natural = np.array([c.logarithmic for c in task.stated.coordinates])[:, None]

    @property
    def misses(self) -> np.ndarray:
        """Error of every estimate, in the coordinates, shape (coordinate, replica)."""
        return self.u - self.truth[:, None]

    def sides(self, method: str) -> np.ndarray:
        """0 where an interval holds the truth, -1 where it lies below and 1 where it lies above it."""
        if method == "profile":
            beyond = self._rises() > (self.quantile * self.scale) ** 2
        elif method == "wald":
            beyond = np.abs(self.misses) > self.quantile * self.deviations
        else:
            quantile = self.normal if method == "wald_z" else self.quantile
            beyond = np.abs(self._natural_misses()) > quantile * self.deviations
        return np.where(beyond, np.sign(self.misses), 0.0)

    def _natural_misses(self) -> np.ndarray:
        """Error of every estimate over the estimate, of what is fitted as logarithm."""
        return np.where(self.natural, -np.expm1(-self.misses), self.misses)

    def _rises(self) -> np.ndarray:
        """Rise of the sum of squares where a coordinate is held at the truth, shape (coordinate, replica)."""
        rows = []
        for i in range(self.task.num):
            held = np.zeros((self.task.num, 1))
            held[i] = 1.0
            begin = np.repeat(self.truth[:, None], self.u.shape[1], axis=1)
            found = self.task.fits(begin, y=self.y, held=np.broadcast_to(held, begin.shape))
            rows.append(np.where(found["status"] == 0, found["square"], np.inf) - self.square)
        return np.stack(rows)


def _deviations(R: np.ndarray) -> np.ndarray:
    return np.linalg.norm(scaled_svd(R).factor, axis=1)


def _dataset(task: Task, sides: Mapping[str, np.ndarray], judge: _Judge, n: int, seed: int, level: float) -> xr.Dataset:
    names, fitted = list(task.layout.free.names), judge.u.shape[1]
    both = ("interval", "parameter")
    every = np.stack(list(sides.values()))
    hits = np.count_nonzero(every == 0, axis=-1)
    low, high = _clopper_pearson(hits, fitted)
    spread = np.std(judge.misses, axis=1)
    data: dict[str, Any] = {
        "coverage": (both, hits / fitted),
        "lower": (both, low),
        "upper": (both, high),
        "below": (both, np.mean(every < 0, axis=-1)),
        "above": (both, np.mean(every > 0, axis=-1)),
        "bias": (("parameter",), np.mean(judge.misses, axis=1) / spread),
        "error": (("parameter",), np.full(task.num, fitted**-0.5)),
        "failed": ((), n - fitted),
    }
    return xr.Dataset(
        data, {"interval": list(sides), "parameter": names}, {"replicas": n, "seed": seed, "level": level}
    )


def _clopper_pearson(hits: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Exact band of a share.

    Source:
        Clopper and Pearson, *The use of confidence or fiducial limits illustrated in the case of the binomial* (1934).
    """
    tail = (1 - BAND) / 2
    low = np.where(hits > 0, stats.beta.ppf(tail, hits, n - hits + 1), 0.0)
    high = np.where(hits < n, stats.beta.isf(tail, hits + 1, n - hits), 1.0)
    return low, high
