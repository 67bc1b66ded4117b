"""FIT: many replicas of one measurement, each fitted by itself; by jaxrate, and by what else can."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxrate as jr
from benchmarks import fit_peers, media
from benchmarks.ensembles import largest, sample
from benchmarks.fit_peers import PARAMETERS, Design
from benchmarks.measure import Case
from jaxrate.fit.likelihood import gaussian
from jaxrate.fit.prepare import prepared
from jaxrate.fit.readings import Noise
from jaxrate.fit.stated import Wishes
from jaxrate.fit.task import Task

LMFIT, SCIPY = "loop of lmfit, exact Jacobian", "loop of scipy least_squares, exact Jacobian"
LMFIT_AS_IT_IS = "loop of lmfit, as it is"
MEDIUM = "jaxrate, of a medium"
LOOPED = 500
"""Replicas that the loops fit: the time of one does not depend on their number."""
POLISH = 4
"""Steps of Gauss and Newton in long double that end on the minimum to all digits of a double."""


def optimistix_at(tolerance: float) -> str:
    """Name of a case."""
    return f"vmap of optimistix, tolerance {tolerance:.0e}".replace("e-0", "e-")


TOLERANCES = (1e-4, 1e-8)


def law(theta: dict[str, Any]) -> dict[str, Any]:
    """The closed form that the peers are told too, for `jr.fit`."""
    ratio = jnp.log1p(theta["x"] / theta["saturation"])
    return {"y": theta["absorption"] * jnp.exp(-theta["exponent"] * ratio) + theta["unsaturable"]}


def fits(lanes: int) -> list[Case]:
    """FIT: replicas of saturable absorption at 60 intensities, 4 parameters."""
    design = fit_peers.design(lanes, seed=2)
    start: dict[str, float] = dict(zip(PARAMETERS, design.start.tolist(), strict=True))
    wishes = Wishes(PARAMETERS, start, dict.fromkeys(PARAMETERS, (0, None)))
    table = {"x": design.x, "y": design.y[0], "y.sigma": design.sigma}
    task = prepared(law, table, wishes, Noise({}, {}), gaussian).task
    call = partial(_fitted, task, np.ascontiguousarray(design.y.T))
    return [Case("FIT", "jaxrate", "float64", lanes, call, judge(design)), of_medium(lanes)]


def _fitted(task: Task, y: np.ndarray) -> np.ndarray:
    """Estimates of all replicas, shape (replica, parameter)."""
    found = task.fits(task.start[:, None], y=y)
    if np.any(found["status"]):
        raise RuntimeError(f"{np.count_nonzero(found['status'])} fits did not converge")
    return np.array(task.layout.free.natural(found["u"])).T


def of_medium(lanes: int) -> Case:
    """As many fits of a four-level medium's saturated gain, every prediction solved: B, density, a rate and loss."""
    bench = jr.Experiment(media.four_level(), jr.Steady(), {"gain": jr.Gain("laser")})
    intensity, pump = np.geomspace(1e5, 1e9, 20), np.repeat([10.0, 300.0, 10_000.0], 20)
    design = {"signal.intensity": np.tile(intensity, 3), "pump.rate": pump}
    gain = np.asarray(bench(design)["gain"])
    names = ("laser.B", "density", "quench.rate", "gain.offset")
    table = {**design, "gain": gain, "gain.sigma": 0.01 * gain}
    task = prepared(bench, table, Wishes(names), Noise({}, {}), gaussian).task
    noise = np.random.default_rng(2).standard_normal((lanes, gain.size))
    y = np.ascontiguousarray((gain * (1 + 0.01 * noise)).T)

    def error(found: np.ndarray) -> float:
        again = task.fits(task.start[:, None] + 0.1, y=y[:, sample(lanes)])
        elsewhere = np.array(task.layout.free.natural(again["u"])).T
        return largest(np.abs(elsewhere / found[sample(lanes)] - 1)[:, :3].ravel())  # the offset is near 0

    return Case(
        "FIT", MEDIUM, "float64", lanes, partial(_fitted, task, y), error, detail="judged by fits from elsewhere"
    )


def peers(lanes: int, report: Callable[[str], None]) -> list[Case]:
    """What else fits the closed form."""
    return list(_peers(lanes, report))


def _peers(lanes: int, report: Callable[[str], None]) -> Iterator[Case]:
    few = min(lanes, LOOPED)
    if find_spec("lmfit") is None or find_spec("optimistix") is None:
        report("lmfit and optimistix are left out of FIT: install them with `pip install jaxrate[bench]`")
    else:
        yield _case(LMFIT, fit_peers.lmfit_loop, few)
        yield _case(LMFIT_AS_IT_IS, partial(fit_peers.lmfit_loop, exact=False), few)
        for tolerance in TOLERANCES:
            fit = partial(fit_peers.optimistix_vmap, tolerance=tolerance)
            yield _case(optimistix_at(tolerance), fit, lanes, on_host=False)
    yield _case(SCIPY, fit_peers.scipy_loop, few)


def _case(name: str, fit: fit_peers.Peer, lanes: int, on_host: bool = True) -> Case:
    design = fit_peers.design(lanes, seed=2)
    call = partial(fit, design.x, design.y, design.sigma, design.start)
    return Case("FIT", name, "float64", lanes, call, judge(design), on_host=on_host)


def judge(design: Design) -> Callable[[np.ndarray], float]:
    """Largest relative deviation of estimates from the minimum, on a sample of replicas."""
    lanes = sample(len(design.y))
    exact = np.stack([minimum(design, design.y[i]) for i in lanes])
    return lambda found: float(np.max(np.abs(found[lanes] / exact - 1)))


def minimum(design: Design, y: np.ndarray) -> np.ndarray:
    """Where chi-squared is least, in long double, from where SciPy ended."""
    theta = fit_peers.scipy_loop(design.x, y[None], design.sigma, design.start)[0].astype(np.longdouble)
    for _ in range(POLISH):
        weight = 1 / design.sigma.astype(np.longdouble)
        slopes = fit_peers.slopes(design.x.astype(np.longdouble), *theta) * weight[:, None] * theta
        residual = (fit_peers.absorption(design.x, *theta) - y) * weight
        step = _solved(slopes.T @ slopes, slopes.T @ residual)
        theta = theta * np.exp(-step)
    return theta.astype(np.float64)


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Gauss's elimination in long double, which LAPACK has not; the matrix is positive definite."""
    rows = np.column_stack([matrix, right])
    for k in range(len(rows)):
        rows[k] /= rows[k, k]
        for i in range(len(rows)):
            if i != k:
                rows[i] -= rows[i, k] * rows[k]
    return rows[:, -1]
