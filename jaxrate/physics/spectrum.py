"""Measured cross-section spectra: what follows from a table, and the relations that make one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import pi
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jaxrate.arrays import Real, namespace
from jaxrate.constants import c, h
from jaxrate.physics.thermal import mccumber_ratio, planck_occupation


@dataclass(frozen=True, repr=False)
class Spectrum:
    """Cross-section of one kind, emission or absorption, linear in frequency between its points and zero outside.

    Args:
        frequency: Frequencies [Hz], positive and strictly increasing, at least two.
        cross_section: Cross-section at each [m^2], not negative, not all zero.

    Raises:
        ValueError: lengths differ, frequencies do not increase, or a value is not finite or negative; the point is
            named. Nothing is clipped here: noise below zero is for those who measured it to judge.
    """

    frequency: tuple[float, ...]
    cross_section: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("frequency", "cross_section"):
            object.__setattr__(self, name, tuple(np.asarray(getattr(self, name), dtype=float).ravel().tolist()))
        _check(*self.arrays)

    @classmethod
    def from_wavelength(cls, wavelength: ArrayLike, cross_section: ArrayLike) -> Spectrum:
        """Spectrum from vacuum wavelengths [m], strictly increasing or decreasing, and cross-sections [m^2]."""
        metres, sigma = np.asarray(wavelength, dtype=float), np.asarray(cross_section, dtype=float)
        if np.any(~(metres > 0)):
            raise ValueError(f"A spectrum must have positive wavelengths, but {np.min(metres):g} m was given.")
        order = slice(None, None, -1 if metres.size > 1 and metres[0] < metres[-1] else 1)
        return cls(tuple(c / metres[order]), tuple(sigma[order]))

    @cached_property
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Frequencies [Hz] and cross-sections [m^2] as float64 arrays, shape (point,)."""
        columns = np.array(self.frequency), np.array(self.cross_section)
        for column in columns:
            column.setflags(write=False)
        return columns

    @property
    def peak_frequency(self) -> float:
        """Frequency of the largest cross-section [Hz]."""
        return self.frequency[int(np.argmax(self.cross_section))]

    def value(self, frequency: Real) -> Real:
        """Cross-section [m^2] at frequencies [Hz] of any shape; 0 outside the table."""
        xp = namespace(frequency)
        at = 1.0 * xp.asarray(frequency)
        nu, sigma = (xp.asarray(column, dtype=at.dtype) for column in self.arrays)
        return xp.interp(at, nu, sigma, left=0.0, right=0.0)

    def __repr__(self) -> str:
        longest, shortest = c / self.frequency[0] * 1e9, c / self.frequency[-1] * 1e9
        points = f"{len(self.frequency)} points, {shortest:.6g} to {longest:.6g} nm"
        return f"Spectrum({points}, peak {max(self.cross_section):.4g} m^2 at {c / self.peak_frequency * 1e9:.6g} nm)"


def _check(nu: np.ndarray, sigma: np.ndarray) -> None:
    if nu.shape != sigma.shape or nu.size < 2:
        raise ValueError(
            "A spectrum must have at least two points and one cross-section for each frequency, "
            f"but {nu.size} frequencies and {sigma.size} cross-sections were given."
        )
    _refuse(~np.isfinite(nu) | ~(nu > 0), nu, nu, "positive, finite frequencies", "leave such points out")
    _refuse(np.diff(nu, prepend=0) <= 0, nu, nu, "strictly increasing frequencies", "sort the points and merge repeats")
    _refuse(~np.isfinite(sigma), nu, sigma, "finite cross-sections", "leave out points without a value")
    _refuse(sigma < 0, nu, sigma, "cross-sections that are not negative", "clip or smooth noise yourself")
    if not sigma.any():
        raise ValueError("A spectrum must have a cross-section above zero somewhere, but all are zero.")


def _refuse(bad: np.ndarray, nu: np.ndarray, values: np.ndarray, wanted: str, remedy: str) -> None:
    if bad.any():
        at = int(np.argmax(bad))
        place = "" if values is nu else f" at {nu[at]:.6g} Hz ({c / nu[at] * 1e9:.6g} nm)"
        more = f" and {bad.sum() - 1} more" if bad.sum() > 1 else ""
        raise ValueError(
            f"A spectrum must have {wanted}, but {values[at]:.6g}{place} was given (point {at}{more}): {remedy}."
        )


def quadrature(spectrum: Spectrum, order: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    r"""Nodes and weights of $\int\sigma f\,d\nu = \sum_q w_q f(\nu_q)$, exact for f of degree `2 * order - 2`.

    Without an order there are 16 nodes on every segment, on tables of more than 500 points 4.
    """
    order = order or (4 if len(spectrum.frequency) > 500 else 16)
    (nu, sigma), (t, weight) = spectrum.arrays, np.polynomial.legendre.leggauss(order)
    t, step = (t + 1) / 2, np.diff(nu)[:, None]
    nodes = nu[:-1, None] + step * t
    values = sigma[:-1, None] * (1 - t) + sigma[1:, None] * t
    return nodes.ravel(), (values * step * weight / 2).ravel()


def einstein_B(spectrum: Spectrum, n: Real = 1.0) -> Real:
    r"""Einstein B of a measured spectrum: $B = \frac{c}{n}\int\frac{\sigma}{h\nu}\,d\nu$, exact for the table.

    Args:
        spectrum: Emission spectrum for B21, absorption spectrum for B12.
        n: Refractive index; where the group index differs, the group index.

    Returns:
        B per spectral energy density and hertz [m^3 J^-1 s^-2], shape of `n`.
    """
    nu, sigma = spectrum.arrays
    q = (nu[1:] - nu[:-1]) / (nu[1:] + nu[:-1])
    mean, half = (sigma[1:] + sigma[:-1]) / 2, (sigma[1:] - sigma[:-1]) / 2
    # Per segment int sigma/nu dnu = 2 mean atanh q + 2 half (1 - atanh(q)/q); small q take the bracket's series.
    small = np.minimum(q, 0.05) ** 2
    series = -small * (1 / 3 + small * (1 / 5 + small * (1 / 7 + small * (1 / 9 + small * (1 / 11 + small / 13)))))
    bracket = np.where(q < 0.05, series, 1 - np.arctanh(q) / q)
    return float(2 * (mean * np.arctanh(q) + half * bracket).sum()) * (c / h) / n


def einstein_A(spectrum: Spectrum, n: Real = 1.0) -> Real:
    r"""Einstein A of a measured spectrum: $A = \frac{8\pi n^2}{c^2}\int\nu^2\sigma_e\,d\nu$, exact for the table.

    Args:
        spectrum: Emission spectrum.
        n: Refractive index.

    Returns:
        A in the medium [s^-1], shape of `n`.

    Source:
        D. E. McCumber, *Phys. Rev.* 136, A954 (1964).
    """
    nodes, weights = quadrature(spectrum, 2)
    return float(weights @ (nodes / c) ** 2) * 8 * pi * n**2


def radiative_lifetime(spectrum: Spectrum, n: Real = 1.0, branching: Real = 1.0) -> Real:
    r"""Radiative lifetime by Füchtbauer and Ladenburg.

    $\frac{\zeta}{\tau_{rad}} = 8\pi n^2c\int\sigma_e\lambda^{-4}\,d\lambda$

    Args:
        spectrum: Emission spectrum of the transition.
        n: Refractive index.
        branching: Share of the upper level's emission that goes into this spectrum, $\zeta$.

    Returns:
        Lifetime [s].
    """
    return branching / einstein_A(spectrum, n)


def mean_frequency(spectrum: Spectrum) -> float:
    r"""Mean frequency of spontaneous photons [Hz]: $\int\nu^3\sigma_e\,d\nu \,/ \int\nu^2\sigma_e\,d\nu$."""
    nodes, weights = quadrature(spectrum, 3)
    emitted = weights * (nodes / c) ** 2
    return float(emitted @ nodes / emitted.sum())


def fuchtbauer_ladenburg(
    wavelength: Real, intensity_per_wavelength: Real, tau_rad: Real, n: Real = 1.0, branching: Real = 1.0
) -> Real:
    r"""Emission cross-section from a fluorescence spectrum and the radiative lifetime.

    $\sigma_e(\lambda) = \frac{\zeta\,\lambda^5 I(\lambda)}{8\pi n^2 c\,\tau_{rad}\int\lambda I\,d\lambda}$

    The integral is that of the `Spectrum` the result makes, so that `radiative_lifetime` gives `tau_rad` back.

    Args:
        wavelength: Vacuum wavelengths [m], strictly monotonic, shape (point,).
        intensity_per_wavelength: Power per wavelength, corrected for the detector, in any unit, shape (point,).
        tau_rad: Radiative lifetime of the upper level [s].
        n: Refractive index.
        branching: Share of the upper level's emission that goes into this spectrum, $\zeta$.

    Returns:
        Emission cross-section [m^2] at `wavelength`, shape (point,).

    Source:
        B. F. Aull, H. P. Jenssen, *IEEE J. Quantum Electron.* 18, 925 (1982).
    """
    xp = namespace(wavelength, intensity_per_wavelength, tau_rad, n, branching)
    metres = xp.asarray(wavelength)
    micrometres, wavenumber = metres * 1e6, 1 / metres
    shape = micrometres**5 * xp.asarray(intensity_per_wavelength)
    a, b, step = wavenumber[:-1], wavenumber[1:], xp.abs(wavenumber[1:] - wavenumber[:-1])
    # int sigma k^2 dk for sigma linear in the wavenumber k = nu/c, which is int lambda I dlambda
    by_segment = shape[:-1] * (3 * a * a + 2 * a * b + b * b) + shape[1:] * (a * a + 2 * a * b + 3 * b * b)
    return branching / (8 * pi * c * n**2 * tau_rad) * shape / (step * by_segment / 12).sum()


def mccumber_emission(absorption: Spectrum, epsilon: float, temperature: float) -> Spectrum:
    r"""Emission spectrum from absorption between the same manifolds: $\sigma_e = \sigma_a\,e^{(\epsilon-h\nu)/kT}$.

    Args:
        absorption: Absorption spectrum at `temperature`.
        epsilon: McCumber's free energy [J], see `jaxrate.physics.thermal.mccumber_epsilon`.
        temperature: Temperature of the medium [K].

    Returns:
        Emission spectrum on the same frequencies. Far on the red side it magnifies whatever noise the absorption has.

    Source:
        D. E. McCumber, *Phys. Rev.* 136, A954 (1964).
    """
    nu, sigma = absorption.arrays
    return Spectrum(absorption.frequency, tuple(sigma * mccumber_ratio(nu, epsilon, temperature)))


def mccumber_absorption(emission: Spectrum, epsilon: float, temperature: float) -> Spectrum:
    r"""Absorption from an emission spectrum, $\sigma_a = \sigma_e\,e^{(h\nu-\epsilon)/kT}$; see `mccumber_emission`."""
    nu, sigma = emission.arrays
    return Spectrum(emission.frequency, tuple(sigma / mccumber_ratio(nu, epsilon, temperature)))


def thermal_rate(spectrum: Spectrum, temperature: Real, n: Real = 1.0, *, order: int | None = None) -> Real:
    r"""Rate per atom that thermal light drives: upward through an absorption, downward through an emission spectrum.

    $W = \int\sigma(\nu)\,\frac{8\pi n^2\nu^2}{c^2}\,\bar n(\nu, T)\,d\nu$

    Args:
        spectrum: Absorption or emission spectrum.
        temperature: Temperature of the light [K], shape (*batch).
        n: Refractive index, shape (*batch) or one number.
        order: Gauss-Legendre nodes on every segment: 4 give 1e-12 up to segments of 0.4 kT/h, 16 up to 20 kT/h. Without
            it 16, on tables of more than 500 points 4.

    Returns:
        Rate [s^-1], shape (*batch); 0 at zero temperature.
    """
    xp = namespace(temperature, n)
    T = 1.0 * xp.asarray(temperature)
    nodes, weights = quadrature(spectrum, order)
    photons: Any = planck_occupation(xp.asarray(nodes, dtype=T.dtype), T[..., None])
    modes = xp.asarray(8 * pi * weights * (nodes / c) ** 2, dtype=T.dtype)
    return photons @ modes * n**2
