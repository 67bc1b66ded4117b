"""What leaves an amplifier: power, gain, noise figure and spectra of its channels."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from jaxrate.arrays import namespace
from jaxrate.constants import c, h
from jaxrate.model.channels import ASE
from jaxrate.names import shown, unknown
from jaxrate.network.coefficients import Parameters
from jaxrate.network.network import Network
from jaxrate.observe.observable import Observable
from jaxrate.solve.light import Rays, rays_of
from jaxrate.solve.solution import Solution


@dataclass(frozen=True)
class OfChannels(Observable):
    """Something of a group of channels; read off the whole amplifier.

    Args:
        label: Label of the `Channels` or `ASE`.
    """

    label: str
    pointwise = False
    ends_suffice = True
    """Whether nothing between the ends of the amplifier is read."""

    def check(self, network: Network) -> None:
        _channels(network, self.label)

    def axis_in(self, network: Network) -> tuple[str, np.ndarray, str] | None:
        """Vacuum wavelengths of the channels; None for a group of one channel."""
        nu = self._frequencies(network)
        return (f"{self.label}.wavelength", c / nu, "m") if self._is_list(network) else None

    def _frequencies(self, network: Network) -> np.ndarray:
        rays = _channels(network, self.label)
        return rays.frequencies[rays.of(self.label)]

    def _is_list(self, network: Network) -> bool:
        """Whether it has an axis of channels."""
        process = network.model.process(self.label)
        return isinstance(process, ASE) or process.is_list  # type: ignore[attr-defined]

    def __call__(self, solution: Solution) -> Any:
        """Its value of every ensemble, shape (*batch) or (channel, *batch); NaN where the status is not 0."""
        if isinstance(solution.parameters, Parameters):
            return self.of(solution)
        network = solution.network
        self.check(network)
        known = {name: x for name, x in solution.parameters.items() if name in network.order}
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.of(replace(solution, parameters=network.parameters(network.base, known)))

    def _shaped(self, values: Any, network: Network) -> Any:
        return values if self._is_list(network) else values[0]


def _channels(network: Network, label: str) -> Rays:
    """The channels of an amplifier, which has that group."""
    rays = rays_of(network.model)
    if not rays.each:
        raise ValueError(
            f"`{label}` runs along an amplifier: solve the model with jr.Amplifier(length, channels=[...])."
        )
    rays.of(label)
    return rays


def _leaving(solution: Solution, channels: np.ndarray) -> Any:
    """Power that leaves through the end [W], shape (channel, *batch)."""
    rays, parameters = solution.light.rays, solution.parameters
    powers = solution.light.leaving(channels)
    xp = namespace(powers)
    ends = [parameters["output.reflection" if rays.forward[i] else "input.reflection"] for i in channels]
    return xp.stack([(1.0 - end) * power for end, power in zip(ends, powers, strict=True)])


def _launched(solution: Solution, channels: np.ndarray) -> Any:
    """Power that is launched [W], shape (channel, *batch)."""
    powers = solution.light.leaving(channels)
    xp, each = namespace(powers), solution.light.rays.each
    return xp.stack([xp.broadcast_to(solution.parameters[each[i].power], powers.shape[1:]) for i in channels])


@dataclass(frozen=True)
class ChannelPower(OfChannels):
    """Power of each channel of a group [W]: that leaves it, or inside along the amplifier.

    Args:
        label: Label of the `Channels` or `ASE`.
        at: "output": what leaves at the end; "along": inside, at every position (an axis `position` behind the
            channels).
        direction: Of ASE, and of what reflections send back: +1 or -1; by default the direction it was launched in,
            for ASE +1.

    Raises:
        ValueError: an unknown group (the nearest is proposed), or one that does not run in that direction.
    """

    at: Literal["output", "along"] = "output"
    direction: int | None = None
    unit = "W"

    def __post_init__(self) -> None:
        if self.at not in ("output", "along"):
            raise ValueError(f"`at` must be 'output' or 'along', but {shown(self.at)} was given.")
        _check_direction(self.direction)

    @property
    def ends_suffice(self) -> bool:
        """Whether nothing between the ends of the amplifier is read."""
        return self.at == "output"

    @property
    def along(self) -> bool:
        """Whether it has a value at every position."""
        return self.at == "along"

    @property
    def long_name(self) -> str:
        back = " backward" if self.direction == -1 else ""
        return f"{'power' if self.along else 'output power'} of {self.label}{back}"

    def check(self, network: Network) -> None:
        if not self._of(_channels(network, self.label)).size:
            raise ValueError(f"`{self.label}` has no channel of direction {self.direction:+d} in this amplifier.")

    def _of(self, rays: Rays) -> np.ndarray:
        return rays.of(self.label, None if self.direction is None else self.direction > 0)

    def of(self, solution: Solution) -> Any:
        channels = self._of(solution.light.rays)
        powers = solution.light.powers[channels] if self.along else _leaving(solution, channels)
        return self._shaped(powers, solution.network)


def _check_direction(direction: int | None) -> None:
    if direction not in (None, 1, -1):
        raise ValueError(f"`direction` must be +1 or -1, but {shown(direction)} was given.")


@dataclass(frozen=True)
class ChannelGain(OfChannels):
    """Power that leaves over power that is launched, of each channel of a group; a ratio, 100 is 20 dB.

    NaN of a channel that is launched with no power at all: a femtowatt has the small-signal gain.

    Args:
        label: Label of the `Channels`.
    """

    unit = "1"

    @property
    def long_name(self) -> str:
        return f"gain of {self.label}"

    def check(self, network: Network) -> None:
        _signals(network, self.label, "gain")

    def of(self, solution: Solution) -> Any:
        channels = solution.light.rays.of(self.label)
        return self._shaped(_leaving(solution, channels) / _launched(solution, channels), solution.network)


def _signals(network: Network, label: str, what: str) -> Rays:
    rays = _channels(network, label)
    if any(rays.each[i].modes for i in rays.of(label)):
        signals = list(dict.fromkeys(ray.group for ray in rays.each if not ray.modes))
        raise ValueError(
            f"The {what} of `{label}` has no meaning: nothing is launched. " + unknown("signal", label, signals)
        )
    return rays


@dataclass(frozen=True)
class PowerConversion(OfChannels):
    """Power that a group gains over the power of a pump that is launched, $(P_{out} - P_{in})/P_{pump}$.

    Args:
        label: Label of the `Channels` that are amplified; all together.
        pump: Label of the `Channels` that pump.
    """

    pump: str = "pump"
    unit = "1"

    @property
    def long_name(self) -> str:
        return f"conversion of {self.pump} to {self.label}"

    def axis_in(self, network: Network) -> None:
        """One number."""
        return

    def check(self, network: Network) -> None:
        for label in (self.label, self.pump):
            _signals(network, label, "power conversion")

    def of(self, solution: Solution) -> Any:
        rays = solution.light.rays
        signal, pump = rays.of(self.label), rays.of(self.pump)
        gained = (_leaving(solution, signal) - _launched(solution, signal)).sum(0)
        return gained / _launched(solution, pump).sum(0)


@dataclass(frozen=True)
class ASESpectrum(OfChannels):
    """Power of amplified spontaneous emission that leaves, per width in frequency [W/Hz], all its modes together.

    Args:
        label: Label of the `ASE`.
        direction: +1: what leaves at z = L; -1: at z = 0.
    """

    direction: int = 1
    unit = "W/Hz"

    def __post_init__(self) -> None:
        _check_direction(self.direction)

    @property
    def long_name(self) -> str:
        return f"{'forward' if self.direction > 0 else 'backward'} spectrum of {self.label}"

    def check(self, network: Network) -> None:
        rays = _channels(network, self.label)
        if not all(rays.each[i].modes for i in rays.of(self.label)):
            noises = list(dict.fromkeys(ray.group for ray in rays.each if ray.modes))
            raise ValueError(unknown("ASE", self.label, noises, "this amplifier"))

    def of(self, solution: Solution) -> Any:
        rays = solution.light.rays
        channels = rays.of(self.label, self.direction > 0)
        return _leaving(solution, channels) / rays.each[channels[0]].width


@dataclass(frozen=True)
class NoiseFigure(OfChannels):
    r"""Noise figure of each channel of a group, a ratio: $F = \frac{S}{h\nu G} + \frac1G$.

    S is the spectrum of the amplified spontaneous emission that leaves beside the signal, counted for both
    polarisations, and between its bins exponential in frequency, as gain is; the signal itself brings shot noise.

    Args:
        label: Label of the `Channels`.
        ase: Label of the `ASE`; by default the one whose band holds the channels.

    Raises:
        ValueError: no ASE holds the channels.

    Source:
        E. Desurvire, *Erbium-Doped Fiber Amplifiers* (Wiley, 1994), chapter 2 (not checked).
    """

    ase: str | None = None
    unit = "1"

    @property
    def long_name(self) -> str:
        return f"noise figure of {self.label}"

    def check(self, network: Network) -> None:
        _signals(network, self.label, "noise figure")
        self._noise(network)

    def _noise(self, network: Network) -> ASE:
        """The noise beside the channels."""
        nu = self._frequencies(network)
        named = [p for p in network.model.processes if isinstance(p, ASE) and self.ase in (None, p.label)]
        found = [p for p in named if p.edges[0] <= nu.min() and nu.max() <= p.edges[1]]
        if len(found) != 1:
            raise ValueError(
                f"The noise figure of `{self.label}` needs one ASE whose band holds its channels, "
                f"{c / nu.max() * 1e9:.6g} to {c / nu.min() * 1e9:.6g} nm: jr.ASE('ase', band=('1520 nm', '1570 nm'))."
            )
        return found[0]

    def of(self, solution: Solution) -> Any:
        rays, network, ase = solution.light.rays, solution.network, self._noise(solution.network)
        channels, bins = rays.of(self.label), np.array(ase.frequencies)
        noise = _leaving(solution, rays.of(ase.label, bool(rays.forward[channels[0]]))) * (
            2 / ase.modes / ase.bin_width
        )
        nu = rays.frequencies[channels]
        below = np.clip(np.searchsorted(bins, nu) - 1, 0, max(len(bins) - 2, 0))
        above = np.minimum(below + 1, len(bins) - 1)
        share = np.clip((nu - bins[below]) / ase.bin_width, 0.0, 1.0).reshape(-1, *[1] * (noise.ndim - 1))
        beside = noise[below] ** (1 - share) * noise[above] ** share
        gain = _leaving(solution, channels) / _launched(solution, channels)
        return self._shaped(beside / (h * nu.reshape(share.shape) * gain) + 1.0 / gain, network)
