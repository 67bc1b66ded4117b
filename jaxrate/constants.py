"""CODATA constants in SI units, as plain floats; the edition is that of the installed SciPy."""

from typing import Final

from scipy import constants as _codata

h: Final[float] = _codata.h  # Planck constant [J s]
hbar: Final[float] = _codata.hbar  # h / 2 pi [J s]
c: Final[float] = _codata.c  # speed of light in vacuum [m s^-1]
k: Final[float] = _codata.k  # Boltzmann constant [J K^-1]
e: Final[float] = _codata.e  # elementary charge [C]; also one electronvolt in joules
epsilon_0: Final[float] = _codata.epsilon_0  # vacuum electric permittivity [F m^-1]
mu_0: Final[float] = _codata.mu_0  # vacuum magnetic permeability [N A^-2]
N_A: Final[float] = _codata.N_A  # Avogadro constant [mol^-1]
amu: Final[float] = _codata.atomic_mass  # atomic mass constant, 1/12 of the mass of carbon-12 [kg]
m_e: Final[float] = _codata.m_e  # electron mass [kg]
m_p: Final[float] = _codata.m_p  # proton mass [kg]
a_0: Final[float] = _codata.physical_constants["Bohr radius"][0]  # Bohr radius [m]
mu_B: Final[float] = _codata.physical_constants["Bohr magneton"][0]  # Bohr magneton [J T^-1]
mu_N: Final[float] = _codata.physical_constants["nuclear magneton"][0]  # nuclear magneton [J T^-1]
# CODATA lists the electron's g factor as negative; the formulas of this package want its magnitude.
g_e: Final[float] = -_codata.physical_constants["electron g factor"][0]  # magnitude of the electron's g factor [1]
g_p: Final[float] = _codata.physical_constants["proton g factor"][0]  # proton g factor [1]
