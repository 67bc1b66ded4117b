r"""A two-level atom in coherent light by the optical Bloch equations, for any dephasing and detuning.

$\dot u = \delta v - \gamma u,\quad \dot v = -\delta u - \gamma v + \Omega w,\quad \dot w = -\Omega v - A(w+1)$ with
$\Omega^2 = \frac{2\mu^2 I}{3\epsilon_0 c\hbar^2}$ (averaged over directions). Their steady state is that of the rate
equations with a Lorentzian of FWHM $\gamma/\pi$.

Source:
    L. Allen, J. H. Eberly, *Optical Resonance and Two-Level Atoms* (1975).
"""

from math import pi

import numpy as np
from scipy.linalg import expm

import jaxrate as jr
from jaxrate.constants import c, epsilon_0, h, hbar
from tests.systems.system import Slopes, System, Theta, Values

MU, NU = 3e-29, 4e14
A = 16 * pi**3 * NU**3 * MU**2 / (3 * epsilon_0 * h * c**3)


def _model() -> jr.Model:
    line = jr.Radiative("line", "2 -> 1", dipole=f"{MU} C m", frequency=NU, lineshape=jr.Lorentzian(fwhm="1 GHz"))
    return jr.Model([jr.Level("1"), jr.Level("2")], [line, jr.Beam("beam", drives="line", intensity=1.0)])


def exact(theta: Theta) -> tuple[Values, Slopes]:
    """Linear solves of the three equations; the slopes by the implicit function theorem, lane by lane."""
    names = ("beam.intensity", "line.fwhm", "beam.frequency")
    lanes = zip(*(np.atleast_1d(np.asarray(theta[name], float)) for name in names), strict=True)
    found = np.array([_lane(*lane) for lane in lanes])
    return {"2": found[:, 0]}, {"2": {name: found[:, i + 1] for i, name in enumerate(names)}}


def rabi_frequency(intensity: float) -> float:
    """Omega [rad/s]."""
    return float(np.sqrt(2 * MU**2 * intensity / (3 * epsilon_0 * c * hbar**2)))


def _matrix(intensity: float, fwhm: float, frequency: float) -> np.ndarray:
    gamma, delta, rabi = pi * fwhm, 2 * pi * (frequency - NU), rabi_frequency(intensity)
    return np.array([[-gamma, delta, 0.0], [-delta, -gamma, rabi], [0.0, -rabi, -A]])


def path(intensity: float, fwhm: float, frequency: float, times: np.ndarray) -> np.ndarray:
    """Population of the upper level at times [s] after the light is switched on, by matrix exponentials.

    A fourth entry of the state, always 1, holds what drives the decay to the lower level.
    """
    M = np.zeros((4, 4))
    M[:3, :3], M[2, 3] = _matrix(intensity, fwhm, frequency), -A
    ground = np.array([0.0, 0.0, -1.0, 1.0])
    return np.array([(1 + (expm(M * t) @ ground)[2]) / 2 for t in times])


def _lane(intensity: float, fwhm: float, frequency: float) -> list[float]:
    rabi, M = rabi_frequency(intensity), _matrix(intensity, fwhm, frequency)
    state = np.linalg.solve(M, [0.0, 0.0, A])
    turns = [
        np.array([[0, 0, 0], [0, 0, 1], [0, -1, 0]]) * rabi / (2 * intensity),
        np.diag([-pi, -pi, 0.0]),
        np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 0]]) * 2 * pi,
    ]
    slopes = [-np.linalg.solve(M, turn @ state)[2] / 2 for turn in turns]
    return [(1 + state[2]) / 2, *slopes]


SYSTEMS = [
    System(
        "Bloch",
        _model(),
        {
            "beam.intensity": np.array([10.0, 1e3, 1e5, 1e7]),
            "line.fwhm": A / (2 * pi) * np.array([1.0, 2.0, 10.0, 100.0]),  # from no dephasing on
            "beam.frequency": NU + np.array([0.0, 6e7, -3e8, 1e9]),
        },
        {"2": jr.Population("2")},
        exact,
    )
]
