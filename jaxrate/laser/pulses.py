"""Giant pulses: of a cavity that is opened, and of a gain that is switched on."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxrate.laser.watch import Lanes, LaserPulse
from jaxrate.model.model import Model
from jaxrate.names import shown
from jaxrate.network.compile import compile_network
from jaxrate.observe.laser import cavity_of
from jaxrate.solve.drive import Driven
from jaxrate.solve.start import Start, read_start
from jaxrate.solve.steady import steady_state
from jaxrate.solve.transient import evolve
from jaxrate.units import to_si


def q_switch(
    model: Model,
    theta: Mapping[str, Any] | None = None,
    *,
    closed: Mapping[str, Any] | None = None,
    hold: str | float = np.inf,
    start: Start = "ground",
    cavity: str | None = None,
    rtol: float = 1e-8,
) -> LaserPulse:
    """The giant pulse of a cavity that is opened at once, after the medium was pumped with it closed.

    Args:
        model: The medium and its cavity, open.
        theta: Parameter values in SI units; arrays broadcast and their common shape is the batch.
        closed: Parameters that are others while the cavity is closed: {"cavity.photon_lifetime": "10 ps"}, of a cavity
            that is stated by mirrors {"cavity.loss": 0.99}.
        hold: How long it is closed [s]; `numpy.inf`, until nothing changes any more. 0 where `start` is the state in
            which the cavity is opened.
        start: Where the pumping starts; see `jr.Evolve`.
        cavity: Label of the `Cavity`; by default the only one.
        rtol: Relative error of a step.

    Returns:
        A `LaserPulse`. `build_up` counts from the opening. NaN where the opened cavity is below threshold.

    Raises:
        ValueError: an unknown parameter, nothing that is closed, a time that is none.

    Source:
        W. G. Wagner, B. A. Lengyel, J. Appl. Phys. 34, 2040 (1963), of the ideal case; checked by tests/test_laser.py.
    """
    label, given = cavity_of(model, cavity, "A Q-switch").label, dict(theta or {})
    n, status = _held(model, given, closed, hold, start)
    return Lanes(model, label, given, n, status, rtol).opened()


def _held(model: Model, given: Mapping[str, Any], closed: Any, hold: Any, start: Start) -> tuple[Any, Any]:
    """Populations in which the cavity is opened, (population, *batch), and their status (*batch); None of no batch."""
    seconds = np.inf if isinstance(hold, float) and hold == np.inf else float(to_si(hold, "s", "hold"))
    if not seconds >= 0:
        raise ValueError(f"`hold` must be a time, 0 s or more, but {shown(hold)} was given.")
    if seconds == 0:
        return read_start(start, compile_network(model)), None
    if not closed:
        raise ValueError("State what is other while the cavity is closed, closed={'cavity.photon_lifetime': '10 ps'}.")
    theta = {**given, **_closed(model, closed)}
    if seconds == np.inf:
        state = steady_state(model, theta, start="cold" if isinstance(start, str) else start)
        return state.populations, state.status
    path = evolve(model, theta, [seconds], start=start)
    return path.populations[:, 0], path.status


def _closed(model: Model, closed: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of the closed cavity in SI units."""
    compile_network(model).check_names(closed)
    units = {p.name: p.unit for p in model.parameter_list}
    return {name: to_si(value, units[name], name) for name, value in closed.items()}


def gain_switch(
    model: Model,
    theta: Mapping[str, Any] | None = None,
    *,
    drive: Mapping[str, Driven],
    window: tuple[str | float, str | float],
    start: Start = "ground",
    cavity: str | None = None,
    rtol: float = 1e-8,
) -> LaserPulse:
    """The first pulse of a laser whose gain is switched on by a drive.

    Args:
        model: The medium and its cavity.
        theta: Parameter values in SI units; arrays broadcast and their common shape is the batch.
        drive: {"pump.rate": jr.pulse.Gaussian(...)}; see `jr.Evolve`.
        window: (first, last) time [s] between which the pulse is looked for.
        start: Where it starts: "ground", or the steady state of the bias, `jr.steady_state(model, theta)`.
        cavity: Label of the `Cavity`; by default the only one.
        rtol: Relative error of a step.

    Returns:
        A `LaserPulse`. `build_up` counts from the first time of the window. NaN where no pulse has its peak in it; with
        the status `TOO_MANY_STEPS` also where a pulse is too short to be found in so long a window.

    Raises:
        ValueError: an unknown parameter, a window that is none.
    """
    label, given = cavity_of(model, cavity, "Gain switching").label, dict(theta or {})
    first, last = _window(window)
    n = np.asarray(read_start(start, compile_network(model)), np.float64)
    lanes = Lanes(model, label, given, n, None, rtol, drive)
    return lanes.between(first, last)


def _window(given: Any) -> tuple[float, float]:
    try:
        first, last = (float(to_si(t, "s", "window")) for t in given)
    except TypeError:
        first = last = np.nan
    if not 0 <= first < last < np.inf:
        raise ValueError(f"`window` must be (first, last) in s, first < last, but {shown(given)} was given.")
    return first, last
