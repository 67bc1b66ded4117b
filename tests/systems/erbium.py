"""Erbium-like fibre: two manifolds with smooth spectra, and light through it."""

from functools import cache
from typing import Any

import numpy as np

import jaxrate as jr

DENSITY, LIFETIME = 1e25, 10e-3  # m^-3, s
AREA = 3.5e-12  # m^2

_NM = np.linspace(1450.0, 1650.0, 401)


def _bell(centre: float, width: float, peak: float) -> np.ndarray:
    return peak * np.exp(-(((_NM - centre) / width) ** 2))


@cache
def erbium() -> jr.Model:
    """Two manifolds with smooth spectra, about those of erbium in silica."""
    absorption = _bell(1531.0, 12.0, 4.0e-25) + _bell(1500.0, 35.0, 2.5e-25)
    emission = _bell(1533.0, 12.0, 4.5e-25) + _bell(1555.0, 30.0, 2.5e-25)
    table = {"emission": emission, "absorption": absorption}
    spectra = {name: jr.Spectrum(_NM.tolist(), sigma.tolist(), ("nm", "m^2")) for name, sigma in table.items()}
    return jr.Model(
        levels=[jr.Level("lower", energy="0 cm^-1", g=16), jr.Level("upper", energy="6535 cm^-1", g=14)],
        processes=[
            jr.Radiative(
                "er",
                "upper -> lower",
                A=1 / LIFETIME,
                n=1.45,
                emission=spectra["emission"],
                absorption=spectra["absorption"],
            )
        ],
        density=DENSITY,
        temperature=300.0,
    )


PUMP = jr.Channels("pump", wavelength="1480 nm", power="60 mW")
SIGNAL = jr.Channels("signal", wavelength="1550 nm", power="1 uW")


def amplifier(*channels: Any, **options: Any) -> jr.Amplifier:
    """A pump at 1480 nm and a signal, or other channels, through 8 m of it."""
    stated: dict[str, Any] = {"area": AREA} | options
    return jr.Amplifier("8 m", channels or (PUMP, SIGNAL), **stated)
