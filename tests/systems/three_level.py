r"""A three-level medium as ruby, pumped out of its ground level: transparent at $W_p\tau = g$.

$\frac{\Delta N}{N} = \frac{W_p\tau-g}{1+W_p\tau}$, $I_{sat} = \frac{h\nu(1+W_p\tau)}{(\sigma_a+\sigma_e)\tau}$.
The pump band empties at once: the pump leads to the upper level.
"""

import numpy as np

import jaxrate as jr
from jaxrate.constants import c, h
from tests.systems.system import Slopes, System, Theta, Values

SIGMA, WAVELENGTH, TAU = 2.5e-24, 694.3e-9, 3e-3


def _model(g1: int, g2: int) -> jr.Model:
    line = jr.Radiative(
        "R1",
        "2 -> 1",
        cross_section=SIGMA,
        wavelength=WAVELENGTH,
        lineshape=jr.Lorentzian(fwhm="330 GHz"),
        spontaneous_factor=0.0,
        n=1.763,
    )
    processes = [line, jr.Decay("decay", "2 -> 1", rate=1 / TAU), jr.Pump("pump", "1 -> 2", rate="100 s^-1")]
    return jr.Model([jr.Level("1", g=g1), jr.Level("2", g=g2)], processes, density="1.6e25 m^-3")


def ruby(g1: int, g2: int) -> System:
    """Inversion and saturation intensity from no pump to far above transparency."""
    g = g2 / g1

    def exact(theta: Theta) -> tuple[Values, Slopes]:
        pump, decay = (np.asarray(theta[name], float) for name in ("pump.rate", "decay.rate"))
        total = pump + decay
        isat = h * c / WAVELENGTH * total / ((1 + g) * SIGMA)
        values = {"inversion": (pump - g * decay) / total, "isat": isat}
        slopes = {
            "inversion": {
                "pump.rate": (1 + g) * decay / total**2,
                "decay.rate": -(1 + g) * pump / total**2,
            },
            "isat": {"pump.rate": isat / total, "decay.rate": isat / total},
        }
        return values, slopes

    theta = {"pump.rate": np.array([0.0, 0.5, 1.0, 2.0, 1e4]) / TAU, "decay.rate": np.full(5, 1 / TAU)}
    observables = {"inversion": jr.Inversion("R1"), "isat": jr.SaturationIntensity("R1")}
    return System(f"three-level {g1}:{g2}", _model(g1, g2), theta, observables, exact)


SYSTEMS = [ruby(4, 2)]
