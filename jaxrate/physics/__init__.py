"""Physics as pure formulas on arrays.

NumPy in gives NumPy out and imports no jax; JAX in gives JAX out, differentiable.
"""

from jaxrate.physics import einstein as einstein
from jaxrate.physics import lineshape as lineshape
from jaxrate.physics import saturation as saturation
from jaxrate.physics import spectrum as spectrum
from jaxrate.physics import thermal as thermal
