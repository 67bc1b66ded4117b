r"""A closed two-level atom in a beam: $n_2 = \frac{gx}{1+(1+g)x}$, $x = W_{21}/A$, $g = g_2/g_1$; it never inverts.

$x = \frac{\sigma I}{h\nu A} = \frac{\lambda^2}{8\pi n^2}\,g(\nu)\,\frac{I}{h\nu}$ depends on no strength: A and B are
tied, so that the slope by B of the populations is zero.
"""

from math import pi

import numpy as np

import jaxrate as jr
from jaxrate.constants import c, h
from tests.systems.system import Slopes, System, Theta, Values

NU, N, INDEX = 4e14, 1e20, 1.3


def _model(g1: int, g2: int) -> jr.Model:
    levels = [jr.Level("1", g=g1), jr.Level("2", g=g2)]
    line = jr.Radiative("line", "2 -> 1", A="1e6 s^-1", frequency=NU, lineshape=jr.Lorentzian(fwhm="1 GHz"), n=INDEX)
    return jr.Model(levels, [line, jr.Beam("beam", drives="line", intensity="1 W/m^2")], density=N)


def closed(g1: int, g2: int) -> System:
    """Populations, gain and saturation intensity at line centre over twelve decades of intensity."""
    g, model = g2 / g1, _model(g1, g2)

    def exact(theta: Theta) -> tuple[Values, Slopes]:
        intensity, fwhm = (np.asarray(theta[name], float) for name in ("beam.intensity", "line.fwhm"))
        cross_section = (c / NU / INDEX) ** 2 / (8 * pi) * 1e6 * 2 / (pi * fwhm)
        isat = h * NU * 1e6 / ((1 + g) * cross_section)
        s = intensity / isat
        upper, gain = g / (1 + g) * s / (1 + s), -N * cross_section * g / (1 + s)
        du = g / (1 + g) / (1 + s) ** 2
        zero = np.zeros_like(s)
        slopes = {
            "2": {"beam.intensity": du / isat, "line.fwhm": -du * s / fwhm, "line.B": zero},
            "gain": {"beam.intensity": -gain / (1 + s) / isat, "line.fwhm": -gain / fwhm / (1 + s), "line.B": gain / B},
            "isat": {"beam.intensity": zero, "line.fwhm": isat / fwhm, "line.B": zero},
        }
        return {"2": upper, "gain": gain, "isat": isat}, slopes

    B = model.parameters()["line.B"]
    theta = {"beam.intensity": np.geomspace(1e-3, 1e9, 9), "line.fwhm": np.geomspace(1e8, 1e10, 9)}
    observables = {"2": jr.Population("2"), "gain": jr.Gain("line"), "isat": jr.SaturationIntensity("line")}
    return System(f"closed two-level {g1}:{g2}", model, theta, observables, exact)


SYSTEMS = [closed(2, 5)]
