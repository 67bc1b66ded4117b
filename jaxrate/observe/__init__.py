"""Observables: what is read off a solution. Each is a pure function of it, computed inside the blocks that solve.

A `Solution` from `jr.steady_state` has its batch axes where a block has its lane axis, so the same observable is
called on either.
"""

from jaxrate.observe.channels import ASESpectrum as ASESpectrum
from jaxrate.observe.channels import ChannelGain as ChannelGain
from jaxrate.observe.channels import ChannelPower as ChannelPower
from jaxrate.observe.channels import NoiseFigure as NoiseFigure
from jaxrate.observe.channels import PowerConversion as PowerConversion
from jaxrate.observe.decay import DecayTime as DecayTime
from jaxrate.observe.laser import AbsorbedPump as AbsorbedPump
from jaxrate.observe.laser import GainOverLoss as GainOverLoss
from jaxrate.observe.laser import OutputPower as OutputPower
from jaxrate.observe.light import CrossSection as CrossSection
from jaxrate.observe.light import Gain as Gain
from jaxrate.observe.observable import Observable as Observable
from jaxrate.observe.observable import describe as describe
from jaxrate.observe.population import BranchingRatio as BranchingRatio
from jaxrate.observe.population import Inversion as Inversion
from jaxrate.observe.population import Lifetime as Lifetime
from jaxrate.observe.population import Population as Population
from jaxrate.observe.power import Fluorescence as Fluorescence
from jaxrate.observe.power import NetPower as NetPower
from jaxrate.observe.power import ThermalEmission as ThermalEmission
from jaxrate.observe.relaxation import DisturbanceGrowth as DisturbanceGrowth
from jaxrate.observe.relaxation import RelaxationDamping as RelaxationDamping
from jaxrate.observe.relaxation import RelaxationOscillation as RelaxationOscillation
from jaxrate.observe.saturation import SaturationIntensity as SaturationIntensity
