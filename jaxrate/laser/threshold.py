"""Threshold: where the gain of the dark medium equals the loss of the cavity."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxrate.laser.root import first_zero
from jaxrate.model.model import Model
from jaxrate.names import shown
from jaxrate.network.compile import compile_network
from jaxrate.network.network import Network
from jaxrate.observe.dark import SmallSignal, dark_network
from jaxrate.observe.laser import cavity_of
from jaxrate.solve.batch import read_batch
from jaxrate.solve.lanes import run
from jaxrate.solve.program import Program, batch_of
from jaxrate.solve.steady import Steady
from jaxrate.units import to_si

DECADES, PER_DECADE = 12, 4
"""How far from the model's own value a threshold is looked for, each way, and at how many points of a decade."""


def threshold(
    model: Model,
    parameter: str,
    theta: Mapping[str, Any] | None = None,
    *,
    cavity: str | None = None,
    between: tuple[Any, Any] | None = None,
) -> Any:
    r"""Value of a parameter at which a laser or a maser begins to oscillate, its gain being the loss of its cavity.

    The levels are those of the dark steady state, without a photon in any cavity; in it a photon multiplies by
    $\dot\phi/\phi = K\,(N_u - \frac{g_u}{g_l}N_l)\,V + \eta\frac{c}{n_g}g - 1/\tau_c$, which is zero at threshold.
    Spontaneous emission rounds the kink of a real power curve; this is where the kink would be.

    Args:
        model: The medium and its cavity.
        parameter: Any parameter: "pump.rate", "density", "cavity.photon_lifetime", "cavity.mirror_2".
        theta: Values of other parameters in SI units; arrays broadcast and their common shape is the batch.
        cavity: Label of the `Cavity`; by default the only one.
        between: (low, high) to look between, in SI units or with a unit; by default 12 decades to each side of the
            model's own value.

    Returns:
        The lowest value at which gain and loss cross [SI], exact to rounding, shape (*batch); NaN where there is none,
        or no dark steady state. Whether the laser runs above it or below it, the parameter decides: it runs at pump
        rates above, and at losses below.

    Raises:
        ValueError: an unknown name, no cavity or several, `between` that is no interval, or none where the model's own
            value is zero.

    Examples:
        >>> nd = jr.media("nd-yag")
        >>> laser = nd.with_process(
        ...     jr.Cavity("cavity", couples="laser", photon_lifetime="10 ns", mode_volume="10 mm^3")
        ... )
        >>> at_threshold = jr.threshold(laser, "pump.rate")
    """
    network, given = compile_network(model), dict(theta or {})
    network.check_names([parameter])
    label = cavity_of(model, cavity, "A threshold").label
    if parameter in given:
        raise ValueError(f"`{parameter}` is what is looked for: leave it out of `theta`, or state it as `between`.")
    program = Program(dark_network(network), Steady(), (("gain", SmallSignal(network, label)),))
    shape = read_batch(given).shape

    def excess(values: np.ndarray) -> np.ndarray:
        batch = batch_of(program.network, program.solver, {**given, parameter: np.array(values)})
        return np.asarray(run(program, network.base, batch)["gain"], np.float64)

    found = first_zero(excess, _points(network, parameter, between), shape)
    return found[()]


def _points(network: Network, parameter: str, between: Any) -> np.ndarray:
    """Values to look between, increasing."""
    if between is None:
        own = network.base[network.order[parameter]]
        if not own > 0:
            raise ValueError(
                f"Where to look for the threshold of `{parameter}` must be said, between=(low, high), as the model's "
                f"own value is {own:g}."
            )
        return own * np.geomspace(10.0**-DECADES, 10.0**DECADES, 2 * DECADES * PER_DECADE + 1)
    low, high = _interval(network, parameter, between)
    if low > 0:
        number = int(np.ceil(np.log10(high / low) * PER_DECADE)) + 16
        return np.geomspace(low, high, number)
    return np.linspace(low, high, 2 * DECADES * PER_DECADE + 1)


def _interval(network: Network, parameter: str, between: Any) -> tuple[float, float]:
    unit = next(p.unit for p in network.model.parameter_list if p.name == parameter)
    try:
        low, high = (float(to_si(end, unit, f"between of {parameter}")) for end in between)
    except TypeError:
        low = high = np.nan
    if not -np.inf < low < high < np.inf:
        raise ValueError(f"`between` must be (low, high) with low < high, but {shown(between)} was given.")
    return low, high
