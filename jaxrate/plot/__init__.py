"""Plots: each is drawn into the Axes it is given, or into a new Figure, and returns the Axes.

Those of a fit that have several panels, `fit_data` and `fit_profiles`, return a new Figure.

Nothing here touches pyplot or matplotlib's settings. Keep a plot with `ax.figure.savefig("map.png")`.
"""

from jaxrate.plot.amplifier_curves import gain_curve as gain_curve
from jaxrate.plot.amplifier_curves import noise_curve as noise_curve
from jaxrate.plot.amplifier_curves import spectra_over as spectra_over
from jaxrate.plot.amplifiers import ase_spectrum as ase_spectrum
from jaxrate.plot.amplifiers import channel_gain as channel_gain
from jaxrate.plot.amplifiers import powers_along as powers_along
from jaxrate.plot.diagram import level_diagram as level_diagram
from jaxrate.plot.distribution import histogram as histogram
from jaxrate.plot.fits import fit_correlation as fit_correlation
from jaxrate.plot.fits import fit_profiles as fit_profiles
from jaxrate.plot.fits import fit_starts as fit_starts
from jaxrate.plot.fitted import fit_data as fit_data
from jaxrate.plot.lasers import modulation_response as modulation_response
from jaxrate.plot.lasers import power_curve as power_curve
from jaxrate.plot.lasers import turn_on as turn_on
from jaxrate.plot.pulses_along import amplified_pulse as amplified_pulse
from jaxrate.plot.pulses_along import residual_gain as residual_gain
from jaxrate.plot.spectra import cross_sections as cross_sections
from jaxrate.plot.spectra import spectrum as spectrum
from jaxrate.plot.sweeps import curves as curves
from jaxrate.plot.sweeps import map as map
from jaxrate.plot.transients import decay as decay
from jaxrate.plot.transients import populations as populations
