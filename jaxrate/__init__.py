"""jaxrate: the rate-equation engine for light and matter."""

from jaxrate.experiment import Experiment as Experiment
from jaxrate.expr import expr as expr
from jaxrate.model.fields import Beam as Beam
from jaxrate.model.fields import Blackbody as Blackbody
from jaxrate.model.fields import Cavity as Cavity
from jaxrate.model.files import list_media as list_media
from jaxrate.model.files import load_model as load_model
from jaxrate.model.files import media as media
from jaxrate.model.levels import Level as Level
from jaxrate.model.levels import Reservoir as Reservoir
from jaxrate.model.lineshapes import Doppler as Doppler
from jaxrate.model.lineshapes import Gaussian as Gaussian
from jaxrate.model.lineshapes import Lorentzian as Lorentzian
from jaxrate.model.lineshapes import Spectrum as Spectrum
from jaxrate.model.lineshapes import Voigt as Voigt
from jaxrate.model.model import Expected as Expected
from jaxrate.model.model import Model as Model
from jaxrate.model.processes import Collision as Collision
from jaxrate.model.processes import Decay as Decay
from jaxrate.model.processes import EnergyTransfer as EnergyTransfer
from jaxrate.model.processes import Pump as Pump
from jaxrate.model.processes import Radiative as Radiative
from jaxrate.observe import BranchingRatio as BranchingRatio
from jaxrate.observe import CrossSection as CrossSection
from jaxrate.observe import Fluorescence as Fluorescence
from jaxrate.observe import Gain as Gain
from jaxrate.observe import Inversion as Inversion
from jaxrate.observe import Lifetime as Lifetime
from jaxrate.observe import NetPower as NetPower
from jaxrate.observe import Observable as Observable
from jaxrate.observe import Population as Population
from jaxrate.observe import SaturationIntensity as SaturationIntensity
from jaxrate.observe import ThermalEmission as ThermalEmission
from jaxrate.physics import einstein as einstein
from jaxrate.physics import lineshape as lineshape
from jaxrate.physics import saturation as saturation
from jaxrate.physics import spectrum as spectrum
from jaxrate.physics import thermal as thermal
from jaxrate.solve.solution import Solution as Solution
from jaxrate.solve.status import Status as Status
from jaxrate.solve.steady import Steady as Steady
from jaxrate.solve.steady import steady_state as steady_state
from jaxrate.sweep.reduce import Histogram as Histogram
from jaxrate.sweep.run import sweep as sweep

__version__ = "0.1.0"
