r"""A four-level medium with a finite ground level and a lower level that takes time to empty; exact.

With $k_{21}$ all that decays from 2 to 1, $1/\tau_2 = k_{21} + k_{20}$, $1/\tau_1 = k_{10}$ and
$D = 1 + W_p(1/k_{32} + \tau_2 + k_{21}\tau_1\tau_2)$: $\Delta n = W_p\tau_2(1 - gk_{21}\tau_1)/D$. The inversion that a
flow from 2 to 1 takes away is $T = g\tau_1 - (1 - gk_{21}\tau_1)\,\tau_2(W_p\,\delta_0 - 1)$ with
$\delta_0 = (\tau_2 + k_{21}\tau_1\tau_2 - \tau_1)/D$: without a pump
$\tau_2 + g\tau_1(1 - \tau_2 k_{21})$, PHYSICS' form.
"""

import numpy as np

import jaxrate as jr
from jaxrate.constants import c, h
from tests.systems.system import Slopes, System, Theta, Values

SIGMA, WAVELENGTH, G, DENSITY = 2.8e-23, 1064.15e-9, 4 / 12, 1.38e26
RELAX, BETWEEN, DOWN = 1e9, 1274.0, 2900.0


def _model() -> jr.Model:
    line = jr.Radiative(
        "laser",
        "2 -> 1",
        cross_section=SIGMA,
        wavelength=WAVELENGTH,
        lineshape=jr.Lorentzian(fwhm="120 GHz"),
        spontaneous_factor=0.0,
        n=1.82,
    )
    processes = [
        jr.Pump("pump", "0 -> 3", rate="100 s^-1"),
        jr.Decay("relax", "3 -> 2", rate=RELAX),
        line,
        jr.Decay("between", "2 -> 1", rate=BETWEEN),
        jr.Decay("down", "2 -> 0", rate=DOWN),
        jr.Decay("empty", "1 -> 0", rate="3e7 s^-1"),
    ]
    levels = [jr.Level(str(i), g=g) for i, g in enumerate((10, 12, 4, 6))]
    return jr.Model(levels, processes, density=DENSITY)


def exact(theta: Theta) -> tuple[Values, Slopes]:
    pump, empty = (np.asarray(theta[name], float) for name in ("pump.rate", "empty.rate"))
    tau2, tau1 = 1 / (BETWEEN + DOWN), 1 / empty
    held, drain = 1 / RELAX + tau2 + BETWEEN * tau1 * tau2, 1 - G * BETWEEN * tau1
    D = 1 + pump * held
    inversion = pump * tau2 * drain / D
    dD, ddrain = pump * BETWEEN * tau2, -G * BETWEEN  # by tau1
    by_tau1 = pump * tau2 * (ddrain / D - drain * dD / D**2)
    delta = (tau2 + BETWEEN * tau1 * tau2 - tau1) / D
    T = G * tau1 - drain * tau2 * (pump * delta - 1)
    isat = h * c / WAVELENGTH / (SIGMA * T)
    delta_tau1 = (BETWEEN * tau2 - 1 - delta * dD) / D
    T_tau1 = G - ddrain * tau2 * (pump * delta - 1) - drain * tau2 * pump * delta_tau1
    T_pump = -drain * tau2 * delta / D  # d(pump delta)/d pump = delta / D
    slopes = {
        "inversion": {"pump.rate": tau2 * drain / D**2, "empty.rate": -by_tau1 * tau1**2},
        "isat": {"pump.rate": -isat / T * T_pump, "empty.rate": isat / T * T_tau1 * tau1**2},
    }
    slopes["gain"] = {name: DENSITY * SIGMA * slope for name, slope in slopes["inversion"].items()}
    return {"inversion": inversion, "gain": DENSITY * SIGMA * inversion, "isat": isat}, slopes


SYSTEMS = [
    System(
        "four-level",
        _model(),
        {"pump.rate": np.array([0.0, 1.0, 1e3, 1e6, 1e4]), "empty.rate": np.array([3e7, 3e7, 1e5, 3e3, 100.0])},
        {"inversion": jr.Inversion("laser"), "gain": jr.Gain("laser"), "isat": jr.SaturationIntensity("laser")},
        exact,
    )
]
