r"""Erbium-doped fibre and the light through it, as jaxrate and its peers are told of it.

40 signals on a grid of 100 GHz and a pump at 980 nm run forward, amplified spontaneous emission both ways in 100 bins.
Spectra are sums of bells, about those of erbium in silica; between the points of their tables they are linear in
frequency. Two levels, of which

$n_2 = \frac{\sum_k \alpha_k P_k/h\nu_k}{\zeta + \sum_k(\alpha_k + g^*_k)P_k/h\nu_k}$,
$\pm\frac{dP_k}{dz} = [(\alpha_k + g^*_k)n_2 - \alpha_k - l_k]P_k + 2h\nu_k\Delta\nu\,g^*_k n_2$
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

import jaxrate as jr
from jaxrate.constants import c, h

LENGTH, SATURATION_PARAMETER, LIFETIME = 8.0, 3.5e15, 10e-3  # m, m^-1 s^-1, s
WDM = 192.1e12 + 1e11 * np.arange(40)  # Hz; 1560.6 to 1529.6 nm
PUMP = c / 980e-9  # Hz
BAND, BINS = (c / 1570e-9, c / 1520e-9), 100  # Hz
LOSS = 3e-3 * np.log(10) / 10
"""Background loss where there is one, 3 dB/km [m^-1]."""
DECIBEL = np.log(10) / 10  # m^-1, of 1 dB/m
SEED = 20240603

RANGES = {"pump.power": (0.03, 0.3), "length": (6.0, 10.0), "density": (0.8e25, 1.25e25)}  # W, m, m^-3
"""Drawn log-uniform; 8 m and 1e25 m^-3 are in the middle."""
SIGNALS, EACH = (1e-7, 1e-4), (0.5, 2.0)
"""Power of the signals of an amplifier [W], and of each of them over that. Gains of the strongest pass 40 dB."""

_NM = np.linspace(1500.0, 1600.0, 201)
_PUMP_NM, _PUMP_ALPHA = (970.0, 980.0, 990.0), (3.0, 4.272, 2.5)  # dB/m


def _bell(centre: float, width: float, peak: float) -> np.ndarray:
    return peak * np.exp(-(((_NM - centre) / width) ** 2))


ALPHA = _bell(1531.0, 8.0, 3.0) + _bell(1528.0, 28.0, 3.2)  # dB/m
GAIN = _bell(1532.0, 8.0, 3.2) + _bell(1543.0, 28.0, 3.2)  # dB/m


@cache
def fibre() -> tuple[jr.Model, float]:
    """The fibre as a user states it, and the area of its doped region [m^2]."""
    pump = [f"{nm!r} nm" for nm in _PUMP_NM], [f"{alpha!r} dB/m" for alpha in _PUMP_ALPHA]
    band = ([f"{float(x)!r} {unit}" for x in values] for values, unit in ((_NM, "nm"), (ALPHA, "dB/m"), (GAIN, "dB/m")))
    return jr.giles(*band, pump=pump, saturation_parameter=SATURATION_PARAMETER, lifetime=LIFETIME)


@cache
def amplifier(*, noise: bool = True, loss: float = 0.0, rtol: float = 1e-8) -> jr.Amplifier:
    """8 m of it with its pump and signals, with or without spontaneous emission."""
    ase = (jr.ASE("ase", band=[f"{nu!r} Hz" for nu in BAND], bins=BINS, loss=loss),) if noise else ()
    pump = jr.Channels("pump", frequency=PUMP, power=0.1, loss=loss)
    wdm = jr.Channels("wdm", frequency=WDM.tolist(), power=1e-5, loss=loss)
    return jr.Amplifier(LENGTH, (pump, wdm, *ase), area=fibre()[1], rtol=rtol)


def draw(lanes: int) -> dict[str, np.ndarray]:
    """Parameters of random amplifiers, shape (lane,), the signals (channel, lane); of more the first are the same."""
    shares = np.random.default_rng(SEED).uniform(size=(lanes, len(RANGES) + 1 + WDM.size)).T
    drawn = {name: low * (high / low) ** u for (name, (low, high)), u in zip(RANGES.items(), shares, strict=False)}
    level, each = shares[len(RANGES)], shares[len(RANGES) + 1 :]
    powers = SIGNALS[0] * (SIGNALS[1] / SIGNALS[0]) ** level * EACH[0] * (EACH[1] / EACH[0]) ** each
    return {**drawn, "wdm.power": powers}


def lane_of(theta: Mapping[str, np.ndarray], lane: int) -> dict[str, Any]:
    """One amplifier: numbers, the signals (channel,)."""
    return {name: values[..., lane] for name, values in theta.items()}


@dataclass(frozen=True)
class Amplifier:
    """One amplifier as its peers are told it. Channels are the pump, the signals, noise forward, noise backward.

    Args:
        theta: Its parameters, as `lane_of` has them.
        noise: Whether there is spontaneous emission.
        loss: Background loss of all channels [m^-1].
    """

    theta: Mapping[str, Any]
    noise: bool = True
    loss: float = 0.0

    @cached_property
    def frequency(self) -> np.ndarray:
        """Of each channel [Hz], shape (channel,)."""
        bins = BAND[0] + (np.arange(BINS) + 0.5) * (BAND[1] - BAND[0]) / BINS
        return np.concatenate([[PUMP], WDM, *([bins, bins] if self.noise else [])])

    @cached_property
    def num_launched(self) -> int:
        """Channels into which light is launched; they come first."""
        return 1 + WDM.size

    @cached_property
    def way(self) -> np.ndarray:
        """+1 of channels that run towards z = L, -1 of the others, shape (channel,)."""
        return np.where(np.arange(self.frequency.size) < self.num_launched + BINS, 1.0, -1.0)

    @cached_property
    def launched(self) -> np.ndarray:
        """Power that enters [W], shape (channel,)."""
        powers = np.concatenate([[self.theta["pump.power"]], self.theta["wdm.power"]])
        return np.concatenate([powers, np.zeros(self.frequency.size - powers.size)])

    @cached_property
    def alpha(self) -> np.ndarray:
        """Absorption with nothing excited [m^-1], shape (channel,)."""
        return self._seen(_PUMP_ALPHA, ALPHA)

    @cached_property
    def gain(self) -> np.ndarray:
        """g*, gain with everything excited [m^-1], shape (channel,)."""
        return self._seen(np.zeros(3), GAIN)

    def _seen(self, pump: Any, band: np.ndarray) -> np.ndarray:
        """Of both tables, linear in frequency between their points."""
        low, high = c / (1e-9 * _NM[::-1]), c / (1e-9 * np.array(_PUMP_NM[::-1]))
        values = np.interp(self.frequency, [*low, *high], [*band[::-1], *pump[::-1]])
        return DECIBEL * values * self.theta["density"] / 1e25

    @cached_property
    def zeta(self) -> float:
        """Ions per length and lifetime [m^-1 s^-1]."""
        return SATURATION_PARAMETER * float(self.theta["density"]) / 1e25

    @cached_property
    def spontaneous(self) -> np.ndarray:
        """Power per length that all ions excited give to a channel [W/m], shape (channel,)."""
        width = np.where(np.arange(self.frequency.size) < self.num_launched, 0.0, (BAND[1] - BAND[0]) / BINS)
        return 2 * h * self.frequency * width * self.gain

    def excited(self, powers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Excited fraction under powers (channel, place), shape (place,); and zeta, made larger by the light."""
        flux = powers / (h * self.frequency[:, None])
        held = self.zeta + (self.alpha + self.gain) @ flux
        return self.alpha @ flux / held, held

    def slope(self, powers: np.ndarray) -> np.ndarray:
        """dP/dz [W/m] at powers (channel, place)."""
        n, _ = self.excited(powers)
        return self.way[:, None] * (self._growth(n) * powers + self.spontaneous[:, None] * n)

    def _growth(self, n: np.ndarray) -> np.ndarray:
        return np.outer(self.alpha + self.gain, n) - (self.alpha + self.loss)[:, None]

    def jacobian(self, powers: np.ndarray) -> np.ndarray:
        """Of the slope by the powers [m^-1], shape (channel, channel, place)."""
        n, held = self.excited(powers)
        both = self.alpha + self.gain
        by_power = (self.alpha[:, None] - np.outer(both, n)) / (h * self.frequency[:, None] * held)
        found = (both[:, None] * powers + self.spontaneous[:, None])[:, None] * by_power
        each = np.arange(len(both))
        found[each, each] += self._growth(n)
        return self.way[:, None, None] * found
