"""What laser people ask for in one call: threshold, slope, power curve, pulses, small-signal modulation."""

from jaxrate.laser.curve import power_curve as power_curve
from jaxrate.laser.curve import slope_efficiency as slope_efficiency
from jaxrate.laser.modulation import modulation_response as modulation_response
from jaxrate.laser.pulses import gain_switch as gain_switch
from jaxrate.laser.pulses import q_switch as q_switch
from jaxrate.laser.threshold import threshold as threshold
