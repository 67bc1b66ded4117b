r"""Whether the rate equations may stand for the optical Bloch equations: `bloch_check`.

Light drives the coherence of a line, and the coherence moves its populations. With $\gamma$ the decay rate of the
coherence, $\delta = 2\pi(\nu-\nu_0)$, $\Omega$ the Rabi frequency and $\Gamma$ the rate at which the levels empty,

$\dot u = \delta v - \gamma u,\quad \dot v = -\delta u - \gamma v + \Omega w,\quad
\dot w = -\Omega v - \Gamma(w - w_0).$

The rate equations take the coherence for the one that belongs to the populations of the same moment. That is exact in
every steady state; while populations change at the rate R, the coherence lags behind by $1/\gamma$.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import pi
from typing import Any

import numpy as np

from jaxrate.arrays import check_broadcast
from jaxrate.constants import c, h
from jaxrate.model.fields import Beam, Cavity, driven_lines
from jaxrate.model.model import Model
from jaxrate.names import shown, unknown
from jaxrate.network.coefficients import Parameters
from jaxrate.network.compile import compile_network
from jaxrate.network.line import Line
from jaxrate.network.network import Network, Reaction
from jaxrate.observe.bloch_report import BlochCheck, DrivenLine
from jaxrate.solve.batch import read_batch
from jaxrate.solve.solution import Solution
from jaxrate.solve.steady import steady_state
from jaxrate.units import to_si, to_width

HOMOGENEOUS = {"lorentzian": "fwhm", "voigt": "fwhm_lorentzian", "voigt-doppler": "fwhm_lorentzian"}
"""Which parameter of a shape is the homogeneous width; of the other shapes none is."""


def bloch_check(
    model: Model,
    theta: Mapping[str, Any] | None = None,
    *,
    timescale: Any = None,
    homogeneous: Mapping[str, Any] | None = None,
    state: Solution | None = None,
) -> BlochCheck:
    r"""Whether the rate-equation limit holds, for every line that a `Beam` or a `Cavity` drives.

    $\epsilon = \left(1 + \frac{\delta^2}{\gamma^2+\delta^2}\right)\frac{\Gamma + 2W}{\gamma},\quad
    2W = \frac{\Omega^2\gamma}{\gamma^2+\delta^2}$

    is how far the populations of the rate equations are from those of the optical Bloch equations at most, after light
    is switched, as a share of what it changes; on resonance $\Omega^2/\gamma^2 + \Gamma/\gamma$. It is the leading
    order: exact where it is small, and above 1 no more than "as large as the change". With a `timescale` T it is
    $(1-e^{-\gamma T})/\gamma T$ instead, of what changes in T. A cavity adds $1/2\gamma\tau_c$.

    The Rabi frequency is that of the rates themselves, $\Omega^2 = 2(W_{12}+W_{21})/g(\nu)$, so that of two states if
    the degeneracies are equal: $W = \frac{\Omega^2\gamma/2}{\gamma^2+\delta^2}$. The bandwidth of the light counts
    as loss of coherence, which is exact if its phase diffuses.

    Args:
        model: The medium and its light.
        theta: Parameter values in SI units by name; arrays broadcast and their common shape is the batch.
        timescale: Time [s] after which, or over which, populations are looked at: pulse length, resolution of a
            detector; "10 ns", or an array of seconds. Without it everything after a sudden switch counts.
        homogeneous: Homogeneous FWHM of lines whose lineshape states none (Gaussian, Doppler, a measured spectrum), by
            label: {"laser": "1 GHz"}. Without it the width is that of the lifetimes, the least there can be.
        state: A solution with the same parameters, of which photon numbers are read, and populations where a rate
            depends on them; by default the steady state. Not needed where the network is linear.

    Returns:
        Rates, ratios and the verdict for each pair of light and line, as `BlochCheck`; print it for a report. NaN, and
        the verdict "bad input", where a parameter is illegal.

    Raises:
        ValueError: nothing drives a line, an unknown name, a width or a time that is none, a state of another model.

    Source:
        L. Allen, J. H. Eberly, *Optical Resonance and Two-Level Atoms* (1975); of light whose phase diffuses G. S.
        Agarwal, Phys. Rev. Lett. 37, 1383 (1976) (page not checked). Checked by tests/systems/bloch.py.

    Examples:
        >>> print(jr.bloch_check(nd, {"signal.intensity": 1e7}).verdict)
        holds
    """
    network, given = compile_network(model), theta or {}
    network.check_names(given)
    pairs = [(f, network.line(label)) for f in _coherent(model) for label in driven_lines(f)]
    if not pairs:
        raise ValueError("No `Beam` and no `Cavity` drives a line of this model, so there is no coherence to check.")
    time, batch = _timescale(timescale), read_batch(given)
    values = {name: np.asarray(array, np.float64) for name, array in batch.arrays.items()}
    if state is None and network.nonlinear:
        state = steady_state(model, values)
    populations = None if state is None else _populations(network, state)
    shape = _shape(batch.shape, time, populations)
    parameters, legal = _legal(network, values)
    if populations is not None:
        parameters = parameters.exchange(network.named_populations(populations))
    medium = _Medium(network, parameters, legal, populations, shape)
    widths = _widths(network, homogeneous or {}, [line for _, line in pairs])
    found = [_check(medium, field, line, widths, time) for field, line in pairs]
    together = (_with_others(medium, i, found, [line for _, line in pairs]) for i in range(len(pairs)))
    return BlochCheck(tuple(together), model.name)


def _coherent(model: Model) -> list[Beam | Cavity]:
    """Light that may drive a coherence; thermal radiation has lost its own within 1e-13 s at room temperature."""
    return [p for p in model.processes if isinstance(p, Beam | Cavity)]


@dataclass(frozen=True)
class _Medium:
    """What is known of every ensemble.

    Args:
        network: The model as reactions.
        parameters: Their values, illegal ones replaced.
        legal: Which lanes have only legal ones.
        populations: (population, *batch) where rates depend on them.
        shape: Of the batch.
    """

    network: Network
    parameters: Parameters
    legal: Any
    populations: Any
    shape: tuple[int, ...]

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def coefficient(self, reaction: Reaction) -> Any:
        return reaction.law(reaction.form, reaction.constants, tuple(self[name] for name in reaction.names))

    def density(self, i: int) -> Any:
        """Of a population, per volume [m^-3]; of levels without a stated density their fraction."""
        population = self.network.populations[i]
        if population.is_photons:
            return self.populations[i] / self[population.scale]
        return self.populations[i] * self.parameters.get(population.scale, 1.0)

    def rate(self, reaction: Reaction, level: int) -> Any:
        """Rate at which a reaction takes an atom out of a level [s^-1]; 0 if it does not."""
        lost = reaction.reactants.count(level) - reaction.products.count(level)
        if lost <= 0:
            return 0.0
        others = list(reaction.reactants)
        others.remove(level)
        rate = lost * self.coefficient(reaction)
        for i in others:
            rate = rate * self.density(i)
        return rate

    def full(self, x: Any) -> Any:
        """An array of the batch, NaN in bad lanes; a number where there is no batch."""
        return np.where(self.legal, np.broadcast_to(x, self.shape), np.nan)[()]


def _check(medium: _Medium, field: Beam | Cavity, line: Line, widths: Mapping[str, float], time: Any) -> DrivenLine:
    """The rates of one pair of light and line."""
    is_cavity, ends = isinstance(field, Cavity), (line.upper, line.lower)
    energy, bandwidth, detuning, photon_rate = (_photons if is_cavity else _beam)(medium, field.label, line)
    least = sum(_emptying(medium, level) for level in ends) / 2
    width = _width(medium, line, widths)
    absorbing = 1.0 + line.weight * medium[f"{line.label}.absorption_factor"]
    rates = {
        "coherence_rate": least if width is None else pi * width,
        "light_rate": pi * bandwidth,
        "rabi_frequency": np.sqrt(2.0 * absorbing * medium[f"{line.label}.B"] * energy),
        "detuning": detuning if line.shape == "lorentzian" else 0.0,  # else there are atoms in resonance
        "population_rate": sum(_leaving(medium, level, line.label, field.label) for level in ends),
        "upper_rate": _leaving(medium, line.upper, line.label, field.label),
        "photon_rate": photon_rate,
        "lifetime_rate": least,
    }
    return DrivenLine(
        field=field.label,
        line=line.label,
        timescale=time,
        stated=width is not None,
        **{name: medium.full(rate) for name, rate in rates.items()},
    )


def _beam(medium: _Medium, beam: str, line: Line) -> tuple[Any, Any, Any, Any]:
    r"""$W_{21}/(B\,g) = nI/c$ [J m^-3], bandwidth and detuning [Hz]; its light does not follow the medium."""
    detuning = medium[f"{beam}.frequency"] - medium[f"{line.label}.frequency"]
    return line.n * medium[f"{beam}.intensity"] / c, medium[f"{beam}.fwhm"], detuning, 0.0


def _photons(medium: _Medium, cavity: str, line: Line) -> tuple[Any, Any, Any, Any]:
    r"""$W_{21}/(B\,g) = \eta\,h\nu\,\phi/V$ [J m^-3], detuning [Hz], and half the rate at which photons leave."""
    network = medium.network
    photons = next(i for i, p in enumerate(network.populations) if p.is_photons and p.name == cavity)
    process, centre = network.model.process(cavity), medium[f"{line.label}.frequency"]
    assert isinstance(process, Cavity)
    frequency = medium[process.frequency_name(line.label)]
    energy = medium[f"{cavity}.overlap"] * h * frequency * medium.density(photons)
    return energy, 0.0, frequency - centre, 0.5 / medium[f"{cavity}.photon_lifetime"]


def _leaving(medium: _Medium, level: int, line: str, field: str) -> Any:
    """Everything that empties a level [s^-1] but this light on this line: that is what it is compared with."""
    own = [r for r in medium.network.reactions if (r.process, r.field) != (line, field) and level in r.reactants]
    return sum((medium.rate(r, level) for r in own), 0.0)


def _emptying(medium: _Medium, level: int) -> Any:
    """What empties a level without pump and light [s^-1], so that no line of it is narrower."""
    own = [r for r in medium.network.reactions if r.reactants == (level,) and not r.field and r.role != "pump"]
    return sum((medium.rate(r, level) for r in own), 0.0)


def _width(medium: _Medium, line: Line, widths: Mapping[str, float]) -> Any:
    """Homogeneous FWHM [Hz]; None where nothing says it."""
    if line.shape in HOMOGENEOUS:
        return medium[f"{line.label}.{HOMOGENEOUS[line.shape]}"]
    return widths.get(line.label)


def _with_others(medium: _Medium, i: int, found: list[DrivenLine], lines: list[Line]) -> DrivenLine:
    r"""Pair i with what other light does to its coherence: that between the outer levels is in no rate equation.

    Two lines that share a level drive it as much as $\frac{\Omega_a\Omega_b}{\gamma_a|\gamma_{ab} + i\delta_{ab}|}$,
    with the detuning of both together and the least rate of losing it that the lifetimes of the outer levels allow.
    """
    mixing, shared = found[i].mixing, []
    for other, line in zip(found, lines, strict=True):
        if other is not found[i] and {line.upper, line.lower} & {lines[i].upper, lines[i].lower}:
            mixing = np.maximum(mixing, _two_photon(medium, (found[i], other), (lines[i], line)))
            shared.append(f"`{other.field}` on `{other.line}`")
    return replace(found[i], mixing=mixing, shared=tuple(shared))


def _two_photon(medium: _Medium, pair: tuple[DrivenLine, DrivenLine], lines: tuple[Line, Line]) -> Any:
    (a, b), (p, q) = pair, lines
    outer = {p.upper, p.lower} ^ {q.upper, q.lower} or {p.upper, p.lower}
    is_ladder = p.upper == q.lower or p.lower == q.upper
    apart = 2 * pi * (a.detuning + b.detuning if is_ladder else a.detuning - b.detuning)
    lost = np.hypot(sum(_emptying(medium, level) for level in outer) / 2, apart)
    drive = a.rabi_frequency * b.rabi_frequency / a.gamma
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(drive == 0, 0.0, drive / lost)


def _legal(network: Network, values: Mapping[str, np.ndarray]) -> tuple[Parameters, Any]:
    """Parameters with illegal values replaced by the model's own, and where there was none."""
    legal: Any = np.asarray(True)
    for name, x in values.items():
        lowest = {"positive": x > 0, "nonnegative": x >= 0, "finite": x > -np.inf}[network.domain[name]]
        legal = legal & lowest & (x < np.inf)
    base = {name: network.base[network.order[name]] for name in values}
    guarded = {name: np.where(legal, x, base[name]) for name, x in values.items()}
    return network.parameters(network.base, guarded), legal


def _populations(network: Network, state: Solution) -> np.ndarray:
    if not isinstance(state, Solution):
        raise ValueError(
            f"`state` must be a solution such as jr.steady_state(model, theta), but {shown(state)} is none."
        )
    if [p.name for p in state.network.populations] != [p.name for p in network.populations]:
        raise ValueError("`state` is a solution of another model: solve this one, jr.steady_state(model, theta).")
    return np.asarray(state.populations, np.float64)


def _shape(batch: tuple[int, ...], time: Any, populations: Any) -> tuple[int, ...]:
    shapes = {"theta": batch, "timescale": np.shape(time), "state": np.shape(populations)[1:]}
    check_broadcast(**{name: np.broadcast_to(0.0, shape) for name, shape in shapes.items()})
    return np.broadcast_shapes(*shapes.values())


def _timescale(given: Any) -> Any:
    """Seconds; from a number, text with a unit or an array of them."""
    if given is None:
        return None
    time = np.asarray(to_si(given, "s", "timescale"), np.float64)
    if not np.all(time > 0):
        raise ValueError(f"`timescale` must be a time above zero such as '10 ns', but {shown(given)} was given.")
    return time[()]


def _widths(network: Network, given: Mapping[str, Any], lines: list[Line]) -> dict[str, float]:
    """Homogeneous widths [Hz] by line, of lines that have none of their own."""
    widths, driven = {}, {line.label: line for line in lines}
    for label, width in given.items():
        if label not in driven:
            raise ValueError(unknown("line driven by a beam or a cavity", label, list(driven)))
        if driven[label].shape in HOMOGENEOUS:
            name = f"{label}.{HOMOGENEOUS[driven[label].shape]}"
            raise ValueError(f"The homogeneous width of `{label}` is stated by its lineshape: vary `{name}` instead.")
        centre = network.model.line_frequency(network.model.radiative(label))
        widths[label] = float(to_width(width, f"homogeneous.{label}", centre))
        if not widths[label] > 0:
            raise ValueError(f"`homogeneous.{label}` must be a FWHM above zero such as '1 GHz', not {shown(width)}.")
    return widths
