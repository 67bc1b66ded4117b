"""Steady states of lasers: the branch that nature takes, exact balances, and a status where there is none."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import root_scalar

import jaxrate as jr
from jaxrate.constants import c, h, k
from tests.systems import laser, ruby
from tests.test_rosenbrock import lasers, turned_on
from tests.tolerance import close, same


def steady(theta: Any, **options: Any) -> jr.Solution:
    return jr.steady_state(laser.model(), theta, **options)


def at(above: Any, lifetime: float = 1e-7) -> dict[str, Any]:
    """Lasers of one cavity, by their pump over that of threshold."""
    pump = np.asarray(above) * laser.threshold(lifetime, laser.B)
    return {"pump.rate": pump, "cavity.photon_lifetime": np.full(pump.shape, lifetime), "laser.B": laser.B}


def photons_per_atom(state: jr.Solution) -> Any:
    """What each photon and each empty mode are given by the medium [s^-1]."""
    return laser.coefficients(laser.B)[1] * laser.DENSITY * laser.VOLUME * state["2"]


def test_below_threshold_nothing_lases():
    r"""A few photons of spontaneous emission, amplified: $KPn_2\tau_c/(1 - \Delta/\Delta_{th})$."""
    state = steady(at([1e-6, 1e-3, 0.1, 0.5, 0.9]))
    gain = photons_per_atom(state) / state["2"] * jr.Inversion("laser")(state)
    close(state["cavity"], photons_per_atom(state) / (1e7 - gain), 1e-9)
    assert np.all(state["cavity"] < 20)
    assert not np.any(state.status)


def test_above_threshold_the_inversion_is_clamped():
    """At n / (c sigma tau_c), whatever the pump, less the share of the photons that come by themselves."""
    state = steady(at([1.5, 3.0, 30.0, 300.0]))
    needed = laser.INDEX / (c * laser.SIGMA * 1e-7) / laser.DENSITY
    close(jr.Inversion("laser")(state), needed * np.ones(4), 1e-7)
    close(jr.Inversion("laser")(state), needed - state["2"] / state["cavity"], 1e-12)
    assert np.all(np.diff(state["cavity"]) > 1e6)


def test_every_photon_is_accounted_for():
    """What is pumped is emitted, quenched, or leaves through the mirrors: to 1e-10, in every lane."""
    theta = lasers(300, 5) | {"pump.rate": np.geomspace(1, 1e7, 300)}
    state = steady(theta)
    A, K = laser.coefficients(theta["laser.B"])
    atoms = laser.DENSITY * laser.VOLUME
    pumped = atoms * theta["pump.rate"] * state["0"]
    lost = atoms * (A - K + laser.QUENCH) * state["2"]
    output = state["cavity"] / theta["cavity.photon_lifetime"]
    assert not np.any(state.status)
    close((lost + output) / pumped, np.ones(300), 1e-10)
    close(state.populations[:3].sum(axis=0), np.ones(300), 4e-16)
    lasing = output > 0.5 * pumped
    assert np.sum(lasing) > 50
    close(output[lasing], (pumped - lost)[lasing], 1e-10)


def test_a_long_path_ends_in_the_steady_state():
    times = np.array([0.0, 1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 5e-3])
    theta = at([0.5, 20.0, 60.0])
    path = turned_on(theta, times)
    close(path.populations[:, -1], steady(theta).populations, 1e-7)


def test_a_lane_does_not_know_its_neighbours():
    """In another order, alone, and beside a lane whose pump is NaN: the same bits."""
    theta = lasers(300, 6)
    state = steady(theta)
    order = np.random.default_rng(7).permutation(300)
    same(steady({name: x[order] for name, x in theta.items()}).populations, state.populations[:, order])
    same(steady({name: x[[250]] for name, x in theta.items()}).populations, state.populations[:, [250]])
    theta["pump.rate"][3] = np.nan
    found = steady(theta)
    assert (found.status[3], np.count_nonzero(found.status)) == (jr.Status.BAD_INPUT, 1)
    same(np.delete(found.populations, 3, axis=1), np.delete(state.populations, 3, axis=1))


def test_results_in_float32():
    """Solved in float64 whatever the precision of the results: a threshold has no digits to give away."""
    theta = at([0.999, 1.001, 3.0])
    single = steady(theta, precision="float32")
    assert single.populations.dtype == np.float32
    close(single.populations, steady(theta).populations, 2e-7)


def test_ruby_in_a_cavity_that_loses_more_than_it_gains():
    """Transparent where the pump is as fast as the decay, times g; the cavity changes nothing."""
    pump = np.array([0.25, 0.5, 1.0]) / ruby.TAU
    state = jr.steady_state(ruby.model(), {"pump.rate": pump, "cavity.photon_lifetime": np.full(3, 1e-13)})
    close(jr.Inversion("R1")(state), (pump * ruby.TAU - 0.5) / (pump * ruby.TAU + 1), 1e-9, 1e-9)


# A saturable absorber in the cavity of the laser.

ABSORBER = {"density": 3e17, "sigma": 2e-19, "rate": 1e5}


def with_absorber() -> jr.Model:
    shape: dict[str, Any] = {"frequency": laser.NU, "lineshape": jr.Lorentzian(fwhm=laser.FWHM), "n": laser.INDEX}
    levels = [jr.Level(str(i), energy=e, g=g, species="L") for i, e, g in ((0, 0, 10), (1, "2111 cm^-1", 12))]
    levels += [jr.Level("2", energy="11507 cm^-1", g=4, species="L")]
    levels += [jr.Level("a", energy=0, species="Q"), jr.Level("b", energy=h * laser.NU, species="Q")]
    processes = [
        jr.Pump("pump", "L:0 -> L:2", rate=1e3),
        jr.Radiative("laser", "L:2 -> L:1", cross_section=laser.SIGMA, **shape),
        jr.Decay("quench", "L:2 -> L:0", rate=laser.QUENCH),
        jr.Decay("empty", "L:1 -> L:0", rate=laser.EMPTY),
        jr.Radiative("absorber", "Q:b -> Q:a", cross_section=ABSORBER["sigma"], spontaneous_factor=0.0, **shape),
        jr.Decay("relax", "Q:b -> Q:a", rate=ABSORBER["rate"]),
        jr.Cavity("cavity", couples=("laser", "absorber"), photon_lifetime="100 ns", mode_volume=laser.VOLUME),
    ]
    return jr.Model(levels, processes, density={"L": laser.DENSITY, "Q": ABSORBER["density"]})


def photon_balance(photons: float, pump: float) -> float:
    """Photons gained [1/s], all else in balance with them."""
    A, K = laser.coefficients(laser.B)
    Ka, x = c * ABSORBER["sigma"] / (laser.INDEX * laser.VOLUME), K * photons
    D = (pump + laser.QUENCH) * (laser.EMPTY + laser.G * x) + (pump + laser.EMPTY) * (A + x)
    n2, n1 = pump * (laser.EMPTY + laser.G * x) / D, pump * (A + x) / D
    b = Ka * photons / (ABSORBER["rate"] + Ka * (1 + 2 * photons))
    gained = K * laser.DENSITY * laser.VOLUME * (n2 * (photons + 1) - laser.G * n1 * photons)
    absorbed = Ka * ABSORBER["density"] * laser.VOLUME * ((1 - b) * photons - b * (photons + 1))
    return gained - absorbed - photons / 1e-7


def all_states(pump: float) -> list[float]:
    """Photons of every steady state, the darkest first, by a search over thirteen decades."""
    grid = np.geomspace(1e-6, 1e13, 2000)
    values = np.array([photon_balance(x, pump) for x in grid])
    places = np.flatnonzero(values[:-1] * values[1:] < 0)
    return [root_scalar(photon_balance, (pump,), bracket=(grid[i], grid[i + 1])).root for i in places]


def test_a_laser_with_a_saturable_absorber_is_bistable():
    """Dark until the unsaturated absorber is overcome, bright on the way back; both where a search finds three."""
    pump = np.linspace(0.8, 3.0, 23) * laser.threshold(1e-7, laser.B)
    states = [all_states(p) for p in pump]
    cold, hot, both = (
        jr.steady_state(with_absorber(), {"pump.rate": pump}, start=start) for start in ("cold", "hot", None)
    )
    several = np.array([len(found) for found in states]) == 3
    assert 3 < np.sum(several) < 18
    close(cold["cavity"], [found[0] for found in states], 1e-8)
    close(hot["cavity"], [found[-1] for found in states], 1e-8)
    assert not np.any(cold.status)
    assert not np.any(hot.status)
    same(both.status == jr.Status.BISTABLE, several)
    assert np.all(np.isnan(both["cavity"][several]))
    close(both["cavity"][~several], cold["cavity"][~several], 1e-9)


def test_of_two_modes_the_better_one_lases():
    """And holds the other below its threshold, at what is spontaneously emitted and amplified there."""
    first = laser.model()
    second = jr.Cavity("worse", couples="laser", photon_lifetime="80 ns", mode_volume=laser.VOLUME)
    state = jr.steady_state(first.with_process(second), {"pump.rate": np.array([1.5, 3.0, 30.0]) * 1e3})
    gain = 1e7 - photons_per_atom(state) / state["cavity"]
    close(state["worse"], photons_per_atom(state) / (1 / 80e-9 - gain), 1e-9)
    assert np.all(state["cavity"] > 1e5 * state["worse"])
    assert not np.any(state.status)


def breeding() -> jr.Model:
    """Photons that a level multiplies without being used up, in a cavity with warm walls."""
    levels = [jr.Level("a"), jr.Level("b")]
    processes = [
        jr.Decay("d", "a -> b", rate=1.0),
        jr.Decay("e", "b -> a", rate=3.0),
        jr.EnergyTransfer("breed", "a + mode -> a + mode + mode", coefficient=1e-10),
        jr.Cavity("mode", photon_lifetime="1 us", mode_volume="1 mm^3", frequency="1 GHz", temperature="300 K"),
    ]
    return jr.Model(levels, processes, density="1e16 m^-3")


def test_what_grows_without_bound_has_no_steady_state():
    """Each photon has 0.75 descendants in its lifetime, or more than one."""
    share = np.array([0.1, 0.99, 1.01, 10.0])
    state = jr.steady_state(breeding(), {"breed.coefficient": share * 1e6 / 0.75e16})
    assert state.status.tolist() == [0, 0, jr.Status.NOT_FOUND, jr.Status.NOT_FOUND]
    wall = 1 / np.expm1(h * 1e9 / (k * 300))
    close(state["mode"][:2], wall / (1 - share[:2]), 1e-10)
    assert np.all(np.isnan(state.populations[:, 2:]))


def test_a_laser_inside_jit_and_vmap():
    """One laser a lane of vmap, its slope by reverse mode, as all together."""
    theta = at(np.array([0.5, 2.0]))

    def photons(pump: Any) -> Any:
        return jr.steady_state(laser.model(), {"pump.rate": pump})["cavity"]

    values, slopes = laser.by_complex_steps(laser.solved, laser.CAVITY, theta)
    with jax.enable_x64(True):
        found = jax.jit(jax.vmap(jax.value_and_grad(photons)))(jnp.asarray(theta["pump.rate"]))
    close(found[0], values["photons"], 1e-10)
    close(found[1], slopes["photons"]["pump.rate"], 1e-9)


def test_a_level_that_nothing_empties_takes_all():
    """As by elimination of a linear network, though Newton's method has no answer there."""
    transfer = jr.EnergyTransfer("pairs", "u + u -> t + g", coefficient="1e-23 m^3/s")
    processes = [jr.Pump("up", "g -> u", 10.0), jr.Decay("down", "u -> g", 100.0), jr.Decay("out", "t -> g", 50.0)]
    model = jr.Model([jr.Level(name) for name in "gut"], [*processes, transfer], density="1e26 m^-3")
    state = jr.steady_state(model, {"out.rate": np.array([0.0, 50.0])})
    assert not np.any(state.status)
    close(state.populations[:, 0], [0.0, 0.0, 1.0], 0.0, 1e-12)


def test_equal_modes_share_the_light_and_are_one_state():
    twin = jr.Cavity("twin", couples="laser", photon_lifetime="100 ns", mode_volume=laser.VOLUME)
    state = jr.steady_state(laser.model().with_process(twin), {"pump.rate": np.array([2e3, 2e4])})
    assert not np.any(state.status)
    close(state["cavity"], state["twin"], 1e-3)


def test_a_rate_that_populations_make_negative_is_bad_input():
    fill = [jr.Pump("a", " -> N", 1e12), jr.Pump("b", " -> N", rate=jr.expr("1e10 - q*N")), jr.Decay("d", "N -> ", 1.0)]
    model = jr.Model([], fill, reservoirs=[jr.Reservoir("N")], parameters={"q": 1e3})
    same(jr.steady_state(model, {"q": np.array([1e3, 1e-3])}).status, np.array([1, 0], np.int8))
