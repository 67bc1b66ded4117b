"""Ensembles watched until their first pulse is over."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jax import Array
from jax import numpy as jnp

from jaxrate.constants import h
from jaxrate.experiment import Experiment
from jaxrate.laser.measures import FEWEST, Pulse, Trace, first_pulse
from jaxrate.laser.moments import MOMENTS, close_up, closer_look, first_look, joined, leaps, merged
from jaxrate.model.model import Model
from jaxrate.network.compile import compile_network
from jaxrate.network.dynamics import rate_of_change
from jaxrate.network.network import Network
from jaxrate.observe.laser import cavity_of, growth, lane_parameters, photons_of
from jaxrate.observe.observable import Observable
from jaxrate.solve.batch import read_batch
from jaxrate.solve.drive import Driven, marks, read_drive
from jaxrate.solve.lanes import run
from jaxrate.solve.solution import Solution
from jaxrate.solve.status import Status
from jaxrate.solve.transient import Evolve
from jaxrate.unit_text import pretty

TOGETHER = 2.0
"""Factor between the growth rates of ensembles that share their output times."""
FOLDS, LIFETIMES = 150.0, 40.0
"""How long a cavity is watched after it is opened: times in which the first photons grow e-fold, and lifetimes."""
LONGER, ATTEMPTS = 4.0, 4
"""Where the pulse is not over yet it is watched longer by a factor, so many times."""
LOOKS = 12
"""How often a window is looked at closer: each time its steepest parts are seen some hundred times as close."""


@dataclass(frozen=True)
class LaserPulse:
    """Measures of a pulse, each of shape (*batch); NaN where there was none, or its ensemble has no result.

    Attributes:
        energy: Of the useful output [J], from the last minimum before the pulse, or where it is below 1e-7 of its peak,
            to the first after it.
        peak_power: [W].
        peak_photons: Photons in the cavity at the peak.
        fwhm: Full width at half maximum [s].
        build_up: Time from the beginning, when the cavity is opened, to the peak [s].
        extraction: Share of the gain before the pulse that is gone after it, $1 - g_f/g_i$: of a four-level laser that
            of the stored energy.
        status: Code of each ensemble; `jr.Status(code)` is its message.
    """

    energy: Any
    peak_power: Any
    peak_photons: Any
    fwhm: Any
    build_up: Any
    extraction: Any
    status: Any

    def __str__(self) -> str:
        units = {"energy": "J", "peak_power": "W", "fwhm": "s", "build_up": "s"}
        lines = []
        for name in (field.name for field in fields(self) if field.name != "status"):
            values = np.ravel(getattr(self, name))
            values = values[np.isfinite(values)]
            ends = dict.fromkeys(pretty(float(f"{x:.4g}"), units.get(name, "1")) for x in _ends(values))
            lines.append(f"  {name.replace('_', ' '):<13}{' to '.join(ends) or 'none'}")
        return "\n".join([f"Laser pulse, batch {np.shape(self.status)}", *lines])


def _ends(values: np.ndarray) -> tuple[float, ...]:
    return (values.min(), values.max()) if values.size else ()


@dataclass(frozen=True)
class _Tracing:
    """Photons, their slope, gain, and watts of a photon, at one moment: shape (4, lane)."""

    cavity: str
    pointwise: bool = True

    def __call__(self, solution: Solution) -> Array:
        network, theta, n = solution.network, lane_parameters(solution), solution.populations
        place, cavity = photons_of(network, self.cavity), cavity_of(network.model, self.cavity, "A pulse")
        loss = 1.0 / solution.parameters[f"{self.cavity}.photon_lifetime"]
        slope = rate_of_change(network, theta, n)[place]
        gain = growth(network, theta, n, self.cavity) + loss
        watts = h * theta[cavity.frequency_name()] * theta[f"{self.cavity}.output_coupling"] * loss
        return jnp.stack(jnp.broadcast_arrays(n[place], slope, gain, watts))


@dataclass(frozen=True)
class _Opening(Observable):
    """Growth rate of the photons of a cavity [s^-1], and their lifetime [s], shape (2, lane)."""

    cavity: str

    def check(self, network: Network) -> None:
        """Its cavity is known."""

    def of(self, solution: Solution) -> Any:
        rate = growth(solution.network, lane_parameters(solution), solution.populations, self.cavity)
        return jnp.stack(jnp.broadcast_arrays(rate, solution.parameters[f"{self.cavity}.photon_lifetime"]))


class Lanes:
    """Ensembles whose first pulses are looked for, in groups that share their output times.

    Args:
        model: The medium.
        cavity: Label of its cavity.
        given: Parameters that are given.
        start: Populations to start from, shape (population, *batch).
        status: Of that start, shape (*batch); None where it is right for all.
        rtol: Relative error of a step.
        drive: What changes in time.
    """

    def __init__(
        self,
        model: Model,
        cavity: str,
        given: Mapping[str, Any],
        start: Any,
        status: Any,
        rtol: float,
        drive: Mapping[str, Driven] | None = None,
    ) -> None:
        self.model, self.cavity, self.rtol, self.drive = model, cavity, rtol, drive
        start = np.asarray(start, np.float64)
        self.shape = np.broadcast_shapes(read_batch(given).shape, start.shape[1:])
        self.given = {name: self._flat(x) for name, x in given.items()}
        self.start = np.stack([self._flat(row) for row in start])
        self.status = self._flat(0 if status is None else status).astype(np.int8)
        self.found: list[Pulse | None] = [None] * self.status.size

    def _flat(self, x: Any) -> np.ndarray:
        return np.broadcast_to(np.asarray(x, np.float64), self.shape).reshape(-1)

    def opened(self) -> LaserPulse:
        """Pulses that grow from the start by themselves."""
        rates, lifetimes = self._growth()
        left = np.flatnonzero((self.status == Status.OK) & (rates > 0))
        spans = np.where(rates > 0, FOLDS / np.where(rates > 0, rates, 1.0), 0.0) + LIFETIMES * lifetimes
        for _ in range(ATTEMPTS):
            for group in _groups(left, rates):
                growing = FOLDS / rates[group].max()
                times = np.linspace(0.0, spans[group].max(), MOMENTS // 2)
                dense = np.linspace(0.0, growing, MOMENTS - MOMENTS // 2 + 2)[1:-1]
                self._measure(group, merged(times, dense))
            left = np.array([i for i in left if not _is_over(self.found[i])], int)
            spans *= LONGER
        for i, pulse in enumerate(self.found):
            if pulse is not None and pulse.points < FEWEST:
                self._measure(np.array([i]), close_up(pulse, 0.0, np.inf))
        return self._measures(0.0)

    def between(self, first: float, last: float) -> LaserPulse:
        """Pulses in a window of time."""
        times = first_look(first, last, marks(read_drive(self.drive), last))
        for i, trace in self._traces(np.arange(self.status.size), times).items():
            self.found[i] = self._located(i, trace, first, last)
        return self._measures(first)

    def _located(self, i: int, trace: Trace, first: float, last: float) -> Pulse | None:
        """The first pulse of an ensemble, looked at closer until nothing before its end goes unseen."""
        alone = np.array([i])
        for turn in range(LOOKS):
            pulse = first_pulse(trace)
            times = closer_look(trace, leaps(trace), last if pulse is None else pulse.ends)
            if times is None:
                return pulse if turn == 0 or pulse is None else self._seen(alone, pulse, close_up(pulse, first, last))
            more = self._traces(alone, times)
            if i not in more:
                return None
            trace = joined(trace, more[i])
        self.status[i] = Status.TOO_MANY_STEPS
        return None

    def _seen(self, alone: np.ndarray, pulse: Pulse, times: np.ndarray) -> Pulse:
        """A pulse measured once more, off moments of one solution."""
        for trace in self._traces(alone, times).values():
            pulse = first_pulse(trace) or pulse
        return pulse

    def _growth(self) -> tuple[np.ndarray, np.ndarray]:
        """Growth rate of the photons at the start, and their lifetime [s]."""
        parameters = {**self.model.parameters(), **self.given}
        network = compile_network(self.model)
        rate, lifetime = _Opening(self.cavity)(Solution(self.start, self.status, parameters, network))
        return np.asarray(rate), np.asarray(lifetime)

    def _measure(self, group: np.ndarray, times: np.ndarray) -> None:
        """Measure the first pulses of a group of ensembles."""
        for i, trace in self._traces(group, times).items():
            self.found[i] = first_pulse(trace)

    def _traces(self, group: np.ndarray, times: np.ndarray) -> dict[int, Trace]:
        """Solve a group of ensembles: the traces of those that have one."""
        names = compile_network(self.model).population_names
        alone = len(group) == 1
        start = {name: n[group[0]] if alone else n[group] for name, n in zip(names, self.start, strict=True)}
        solver = Evolve(times, start, self.drive, self.rtol)
        bench = Experiment(self.model, solver, {"trace": _Tracing(self.cavity)})
        theta = {name: x[group] for name, x in self.given.items()}
        found = run(bench.program, bench.base, bench.batch(theta))
        self.status[group] = found["status"]
        traces = found["trace"].reshape(4, times.size, -1)
        solved = [(lane, i) for lane, i in enumerate(group.tolist()) if self.status[i] == Status.OK]
        return {i: Trace(times, *traces[..., lane]) for lane, i in solved}

    def _measures(self, origin: float) -> LaserPulse:
        def of(name: str, shift: float = 0.0) -> Any:
            values = [np.nan if pulse is None else getattr(pulse, name) - shift for pulse in self.found]
            return np.where(self.status == Status.OK, values, np.nan).reshape(self.shape)[()]

        return LaserPulse(
            energy=of("energy"),
            peak_power=of("peak_power"),
            peak_photons=of("peak_photons"),
            fwhm=of("fwhm"),
            build_up=of("peak_time", origin),
            extraction=of("extraction"),
            status=self.status.reshape(self.shape)[()],
        )


def _is_over(pulse: Pulse | None) -> bool:
    return pulse is not None and pulse.is_over


def _groups(lanes: np.ndarray, rates: np.ndarray) -> list[np.ndarray]:
    """Ensembles in groups whose growth rates differ by a factor of two at most."""
    groups: list[list[int]] = []
    for i in sorted(lanes.tolist(), key=lambda i: -rates[i]):
        if groups and rates[groups[-1][0]] <= TOGETHER * rates[i]:
            groups[-1].append(i)
        else:
            groups.append([i])
    return [np.array(group) for group in groups]
