"""Widths and centres of sampled spectra, against closed forms."""

import numpy as np
import pytest

from jaxrate.physics import bandwidth
from tests.tolerance import close, same

AT = np.linspace(1500.0, 1600.0, 2001)


def test_width_of_a_gaussian_and_of_a_lorentzian():
    """Linear between samples, so that the error goes as the square of their distance."""
    close(bandwidth.width(AT, np.exp(-4 * np.log(2) * ((AT - 1542) / 7) ** 2)), 7.0, rtol=1e-4)
    close(bandwidth.width(AT, 1 / (1 + ((AT - 1542) / 3.5) ** 2)), 7.0, rtol=1e-4)


def test_a_triangle_is_exact_and_an_order_is_no_matter():
    at, values = np.array([0.0, 2.0, 3.0, 7.0]), np.array([0.0, 4.0, 2.0, 0.0])
    assert bandwidth.width(at, values) == 2.0
    assert bandwidth.width(at[::-1], values[::-1]) == 2.0


def test_only_the_crossings_next_to_the_peak_count():
    at, values = np.arange(7.0), np.array([0.0, 0.9, 0.0, 0.0, 1.0, 0.0, 0.0])
    assert bandwidth.width(at, values) == 1.0


@pytest.mark.parametrize("values", [[3.0, 2.0, 0.0], [0.0, 2.0, 3.0], [0.0, np.nan, 0.0]])
def test_what_is_cut_off_or_unknown_has_no_width(values):
    same(bandwidth.width(np.arange(3.0), np.array(values)), np.nan)


def test_the_centre_is_that_of_gravity():
    close(bandwidth.mean(AT, np.exp(-(((AT - 1542) / 7) ** 2))), 1542.0, rtol=1e-9)
    assert bandwidth.mean(np.array([1.0, 4.0]), np.array([2.0, 1.0])) == 2.0
