"""Exact systems of PHYSICS section 2, their states, observables and slopes, through every door."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import c, h, k
from jaxrate.physics import einstein
from tests.systems import (
    bloch,
    four_level,
    gain_reservoir,
    laser,
    q_switch,
    quench,
    ruby,
    thermal,
    three_level,
    two_level,
)
from tests.systems.system import System
from tests.tolerance import close

SYSTEMS = [system for module in (thermal, two_level, three_level, four_level, bloch) for system in module.SYSTEMS]
NONLINEAR = [system for module in (laser, ruby, quench, gain_reservoir, q_switch) for system in module.SYSTEMS]
VALUES = {"float64": 1e-9, "float32": 2e-5}
"""What is stated with a cross-section or a wavelength has been through a few more roundings than populations have."""

each_system = pytest.mark.parametrize("system", SYSTEMS, ids=str)


def bench(system: System) -> jr.Experiment:
    return jr.Experiment(system.model, system.solver, system.observables)


def given(system: System, dtype: Any) -> dict[str, np.ndarray]:
    """The batch as its precision holds it."""
    return {name: np.asarray(x, dtype).astype(np.float64) for name, x in system.theta.items()}


def check(system: System, theta: Any, values: Any, slopes: Any, names: Any = None) -> None:
    """Relative to the largest lane, where a lane is the difference of two (at transparency)."""
    exact, steep = system.exact(theta)
    for o in system.observables:
        scale = np.max(np.abs(exact[o]))
        value = np.asarray(values[o])
        close((value / scale).astype(value.dtype), exact[o] / scale, VALUES, VALUES, what=o)
        for name in names or steep[o]:
            slope, wanted = np.asarray(slopes[o][name]), steep[o][name]
            scale = np.max(np.abs(wanted)) or np.max(np.abs(exact[o])) / system.model.parameters()[name]
            close((slope / scale).astype(slope.dtype), wanted / scale, VALUES, VALUES, what=f"{o} by {name}")


@each_system
@pytest.mark.parametrize("dtype", ["numpy", "float64", "float32"])
def test_through_the_dispatcher(system: System, dtype: str):
    """NumPy arrays, and JAX arrays of either precision."""
    _, slopes = system.exact(system.theta)
    names = list(next(iter(slopes.values())))
    if dtype == "numpy":
        check(system, system.theta, *bench(system).value_and_grad(system.theta, wrt=names))
        return
    theta = given(system, dtype)
    with jax.enable_x64(dtype == "float64"):
        found = bench(system).value_and_grad({n: jnp.asarray(x, dtype) for n, x in theta.items()}, wrt=names)
    assert all(isinstance(x, jax.Array) and x.dtype == dtype for x in found[0].values())
    check(system, theta, *found)


@pytest.mark.parametrize(
    "system", [pytest.param(s, marks=[pytest.mark.long] if str(s) == "Q-switch" else []) for s in NONLINEAR], ids=str
)
def test_nonlinear_systems(system: System):
    """Steady states that are searched for, and paths in steps: values, and derivatives of every lane."""
    test_through_the_dispatcher(system, "numpy")


@pytest.mark.parametrize(
    ("system", "dtype"),
    [
        *((system, "float64") for system in SYSTEMS),
        (thermal.SYSTEMS[0], "float32"),
        (four_level.SYSTEMS[0], "float32"),
        (laser.SYSTEMS[0], "float64"),
    ],
    ids=str,
)
def test_inside_jit_and_grad(system: System, dtype: str):
    """The lanes of the first observable summed: its gradient is its slopes."""
    experiment, first = bench(system), next(iter(system.observables))
    theta = given(system, dtype)

    def total(theta: dict[str, jax.Array]) -> tuple[jax.Array, dict[str, jax.Array]]:
        values = experiment(theta)
        return jnp.sum(values[first]), values

    with jax.enable_x64(dtype == "float64"):
        slopes, values = jax.jit(jax.grad(total, has_aux=True))({n: jnp.asarray(x, dtype) for n, x in theta.items()})
    one = replace(system, observables={first: system.observables[first]})
    check(one, theta, values, {first: slopes}, list(theta))


@pytest.mark.long
def test_many_levels_in_thermal_light():
    """A larger scheme is solved by another elimination: populations, and their slopes by temperature."""
    system = thermal.scheme(2, 8)
    check(system, system.theta, *bench(system).value_and_grad(system.theta, wrt="walls.temperature"))


def test_inside_vmap():
    """Each lane a scalar that is differentiated by itself."""
    system = two_level.SYSTEMS[0]
    experiment = bench(system)
    with jax.enable_x64(True):
        theta = {n: jnp.asarray(x) for n, x in system.theta.items()}
        values, slopes = jax.jit(jax.vmap(lambda lane: (experiment(lane), jax.jacrev(experiment)(lane))))(theta)
    check(system, system.theta, values, slopes, list(theta))


def test_numbers_of_the_thermal_system():
    """h nu = 2.5 kT and g2/g1 = 3: n2/n1 = 0.246255."""
    T = 300.0
    levels = [jr.Level("1", energy=0.0, g=1), jr.Level("2", energy=2.5 * k * T, g=3)]
    line = jr.Radiative("line", "2 -> 1", A="1 s^-1")
    model = jr.Model(levels, [line, jr.Blackbody("walls", drives="line", temperature=T)])
    state = jr.steady_state(model)
    close(state["2"] / state["1"], 0.246255, 1e-6)
    close(einstein.A_over_B(c / 1064e-9), 1.382519e-14, 1e-6)


def test_numbers_of_the_closed_two_level_system():
    """n2 = I/(1 + 2I) with I = 1 where B rho = A; half of it is the limit, and it never inverts."""
    system = two_level.closed(1, 1)
    parameters = system.model.parameters()
    rho = einstein.A_over_B(two_level.NU, n=two_level.INDEX)  # B rho = A
    peak = 2 / (np.pi * parameters["line.fwhm"])
    unit = rho * c / two_level.INDEX / peak  # of a monochromatic beam with the same rate
    s = np.array([0.0, 1e-3, 1.0, 2.0, 1e9])
    state = jr.steady_state(system.model, {"beam.intensity": s * unit})
    close(state["2"], s / (1 + 2 * s), 1e-10)
    bright = jr.steady_state(system.model, {"beam.intensity": np.geomspace(1, 1e30, 50)})
    assert np.max(jr.Inversion("line")(bright)) <= np.finfo(float).eps


def test_numbers_of_the_three_level_system():
    """W tau = 0.5, 1, 2: inversion -1/3, 0, 1/3."""
    system = three_level.ruby(1, 1)
    found = jr.Inversion("R1")(
        jr.steady_state(system.model, {"pump.rate": np.array([0.5, 1.0, 2.0]) / three_level.TAU})
    )
    close(found, [-1 / 3, 0.0, 1 / 3], 1e-12, 1e-15)


def test_numbers_of_the_four_level_system():
    """sigma = 2.8e-23 m^2, tau = 230 us at 1064.15 nm and a lower level that is always empty: 2.89860e7 W/m^2."""
    theta = {"pump.rate": 0.0, "empty.rate": 1e25, "between.rate": 0.0, "down.rate": 1 / 230e-6}
    isat = jr.SaturationIntensity("laser")(jr.steady_state(four_level.SYSTEMS[0].model, theta))
    close(isat, 2.89860e7, 1e-5)


def test_saturation_follows_from_the_closed_forms_of_physics():
    """The pumped four-level medium with a fast lower level: 1/tau -> 1/tau + W_p."""
    pump = np.array([0.0, 1e2, 1e4])
    theta = {"pump.rate": pump, "empty.rate": 1e25, "relax.rate": 1e25}
    isat = jr.SaturationIntensity("laser")(jr.steady_state(four_level.SYSTEMS[0].model, theta))
    tau = jr.saturation.pumped_lifetime(1 / (four_level.BETWEEN + four_level.DOWN), pump)
    close(isat, h * c / four_level.WAVELENGTH / (four_level.SIGMA * tau), 1e-9)


def test_numbers_of_the_gain_reservoir():
    """G0 = 1000: s = 1e-3 -> 567.505, 0.1 -> 34.6303; by Frantz and Nodvik G0 = 3, F = 1 -> 1.8172397."""
    system = gain_reservoir.SYSTEMS[0]
    close(np.exp(bench(system)(system.theta)["q"])[:2], [567.505, 34.6303], 1e-6)
    close(1 + np.log(3) - gain_reservoir.after_pulse(3.0, 1.0), 1.8172397, 1e-7)
