r"""Pulses through a saturable medium: in retarded time $\partial I/\partial z = (\gamma - \alpha) I$.

With $\gamma = N(\sigma_e n_u - \sigma_a n_l)$. At every moment the light in the medium is known from the populations
alone; these follow the network of the model, with the rates $\sigma I/h\nu$ of the line, whatever else goes on in it.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from jaxrate.model.model import Model
from jaxrate.network.compile import compile_network
from jaxrate.propagate.pulse_batch import FINER, POSITIONS, PulseBatch
from jaxrate.propagate.pulse_kernel import PulseKernel
from jaxrate.propagate.pulse_reading import (
    check_medium,
    check_passes,
    evaluated,
    light_of,
    line_label,
    read_own,
    read_profile,
    read_times,
    read_tolerance,
    si,
    whole_number,
)
from jaxrate.propagate.pulse_result import AmplifiedPulse
from jaxrate.propagate.pulse_shape import Envelope, read_shape
from jaxrate.solve.start import Start

Direction = Literal["alternate", "same"]


def amplify_pulse(
    model: Model,
    theta: Mapping[str, Any] | None = None,
    *,
    length: Any,
    shape: Any,
    fluence: Any = None,
    energy: Any = None,
    area: Any = None,
    line: str | None = None,
    wavelength: str | float | None = None,
    start: Start | AmplifiedPulse = "ground",
    loss: Any = 0.0,
    passes: int = 1,
    between: Any = 0.0,
    transmission: Any = 1.0,
    direction: Direction = "alternate",
    times: Any = None,
    along: bool = False,
    points: int | None = None,
    rtol: float = 1e-9,
    max_steps: int = 2000,
) -> AmplifiedPulse:
    r"""A pulse that runs through a medium, once or several times.

    $\partial I/\partial z = [N(\sigma_e n_u - \sigma_a n_l) - \alpha]\,I$, and the populations follow the model with
    $W = \sigma I/h\nu$ on the line: any levels, and whatever pumps, empties or couples them while the pulse is there.
    Its own spontaneous emission does not join it.

    Args:
        model: The medium; beams that it states shine on all of it all the time.
        theta: Parameter values in SI units. Arrays broadcast, with those of `fluence`, `energy`, `area`, `length`,
            `loss`, `between` and `transmission`, and their common shape is the batch.
        length: Of the medium [m].
        shape: How the intensity follows time: one of `jr.pulse`, whose height is of no account, or (times,
            intensities) with straight lines in between.
        fluence: Of the pulse that enters [J m^-2]; or its
        energy: [J], spread evenly over
        area: of the beam [m^2]. Beside a fluence it makes energies and powers of fluences and intensities.
        line: Label of the `Radiative`; by default the only one.
        wavelength: Of the light (vacuum); by default that of the beam that drives the line, or line centre.
        start: The medium before the first pulse: "ground", {"level": fraction}, a `Solution` (that of an amplifier has
            a profile), or what another pulse left behind.
        loss: Background loss, not saturable [m^-1]: "0.1 dB/m".
        passes: How often the pulse runs through; each meets what those before it left.
        between: Time from the end of one pass to the beginning of the next, in which the medium relaxes by itself [s].
        transmission: Share of the light that leaves a pass which enters the next.
        direction: "alternate", it comes back the other way each time, or "same".
        times: At which shapes are given [s], on the clock of `shape`; by default 257 over the whole pulse.
        along: Whether light and gain along the medium are kept at these times.
        points: Nodes along the medium; by default as many as it takes, up to 192 (48 inside jit, grad or vmap). Where
            they are too few the status is `NOT_CONVERGED`.
        rtol: Relative error of the fluence that leaves.
        max_steps: In time, of each pass; after that the status is `TOO_MANY_STEPS`.

    Returns:
        An `AmplifiedPulse`.

    Raises:
        ValueError: an unknown parameter or line, a length, fluence or time that is none, a wavelength outside a
            measured spectrum, a cavity in the model, an inhomogeneous line.

    Source:
        L. M. Frantz, J. S. Nodvik, J. Appl. Phys. 34, 2346 (1963), of its limit without relaxation; checked by
        tests/test_amplify_pulse.py.

    Examples:
        >>> pump = jr.steady_state(nd, {"pump.rate": 300.0})
        >>> out = jr.amplify_pulse(nd, length="5 cm", fluence="0.1 J/cm^2", start=pump,
        ...                        shape=jr.pulse.Gaussian(1, centre=0, fwhm="10 ns"))
        >>> out.gain, out.fwhm
    """
    network, theta = compile_network(model), dict(theta or {})
    envelope = read_shape(shape)
    own = read_own(fluence, energy, area, length, loss, between, transmission)
    label = line_label(model, line)
    frequency = light_of(model, label, wavelength)
    check_medium(network, label, theta, frequency)
    check_passes(network, passes, between, direction)
    asked = read_times(times, envelope)
    since = tuple((asked - envelope.window[0]).tolist())
    kernel = PulseKernel(
        network=network,
        label=label,
        frequency=frequency,
        envelope=envelope,
        passes=passes,
        alternate=direction == "alternate",
        points=FINER[0] if points is None else whole_number("points", points, 4),
        times=since,
        along=bool(along),
        rtol=read_tolerance(rtol),
        max_steps=whole_number("max_steps", max_steps, 10),
    )
    found = PulseBatch(kernel, {**theta, **own}, *read_profile(start, network)).found(fixed=points is not None)
    parameters = {**model.parameters(), **theta}
    medium = {
        "parameters": parameters,
        "network": network,
        "line": label,
        "frequency": evaluated(parameters, network, frequency),
        "length": own[" length"],
        "area": None if area is None else si(area, "m^2", "area"),
    }
    return _result(found, asked, envelope, medium)


def _result(
    found: Mapping[str, Any], times: np.ndarray, envelope: Envelope, medium: Mapping[str, Any]
) -> AmplifiedPulse:
    sums, measures, (light, net) = found["sums"], found["measures"], found["maps"]
    return AmplifiedPulse(
        entered=sums[:, 0],
        left=sums[:, 1],
        emitted=sums[:, 2],
        lost=sums[:, 3],
        stored=sums[:, 4],
        peak_intensities=measures[:, 0],
        peak_times=measures[:, 1] + envelope.window[0],
        fwhms=measures[:, 2],
        times=times,
        intensities=found["shapes"],
        positions=POSITIONS,
        populations=found["populations"],
        before=found["before"],
        light=light if light.size else None,
        net_cross_section=net if net.size else None,
        status=found["status"],
        **medium,
    )
