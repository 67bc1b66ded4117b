"""The network: what a statement becomes, its size, detailed balance, and what it refuses by name."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import c, h, k
from jaxrate.network.compile import compile_network
from jaxrate.network.dynamics import rate_of_change
from jaxrate.solve.lanes import Way
from jaxrate.solve.program import Program
from tests.media import four_level
from tests.networks import dense_pairs, model_of
from tests.tolerance import close, same

CM = 100 * h * c
"""One reciprocal centimetre in joules."""


def test_stoichiometry_is_the_reactions():
    network = compile_network(four_level())
    nu = network.stoichiometry
    assert nu.dtype == np.int64
    rows = {(r.process, r.role): nu[:, i].tolist() for i, r in enumerate(network.reactions)}
    assert rows["pump", "pump"] == [-1, 0, 0, 1]
    assert rows["laser", "spontaneous emission"] == [0, 1, -1, 0]
    assert rows["laser", "stimulated emission"] == [0, 1, -1, 0]
    assert rows["laser", "absorption"] == [0, -1, 1, 0]
    assert np.all(nu.sum(0) == 0)
    same(network.conserved, np.ones((1, 4), np.int64))


def size_of(jaxpr: Any) -> int:
    """Number of equations of a program, loops and conditions included."""
    total = 0
    for equation in jaxpr.eqns:
        total += 1
        for inner in jax.tree.leaves(equation.params, is_leaf=lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr")):
            if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                total += size_of(getattr(inner, "jaxpr", inner))
    return total


def program_size(model: jr.Model, varied: tuple[str, ...]) -> int:
    solver, network = jr.Steady(), compile_network(model)
    program = Program(network, solver, (("populations", lambda state: state.populations),))
    with jax.enable_x64(True):
        block, way = {name: jnp.ones(4) for name in varied}, Way(4, np.dtype("float64"))
        return size_of(jax.make_jaxpr(lambda base, block: program(base, block, way))(network.base, block).jaxpr)


@pytest.mark.parametrize("n", [4, 9])
def test_the_program_does_not_grow_with_the_number_of_processes(n: int):
    """40 and 160 decays among the same levels: as many instructions, whether they share pairs of levels or not."""
    chosen = [dense_pairs(n)[i % (n * (n - 1))] for i in np.random.default_rng(0).permutation(160)]
    few, many, on_one = (model_of(pairs, n) for pairs in (chosen[:40] * 2, chosen, chosen[:40] * 20))
    sizes = [program_size(model, ("k0.rate", "k7.rate")) for model in (few, many, on_one)]
    assert sizes[0] == sizes[1] == sizes[2]


def lines(count: int) -> jr.Model:
    levels = [jr.Level(f"{i}", energy=f"{1000 * i**1.1} cm^-1", g=2 * i + 1) for i in range(9)]
    pairs = [(j, i) for j in range(9) for i in range(j)][:count]
    made = [jr.Radiative(f"r{j}{i}", f"{j} -> {i}", A=1.0 + i, lineshape=jr.Lorentzian(fwhm=1e9)) for j, i in pairs]
    field = jr.Blackbody("walls", drives=[line.label for line in made], temperature="300 K")
    return jr.Model(levels, [*made, field], temperature="300 K")


def test_the_program_does_not_grow_with_the_number_of_lines():
    sizes = [program_size(lines(count), ("walls.temperature", "r10.B")) for count in (18, 36)]
    assert sizes[0] == sizes[1]


def level_scheme(seed: int) -> jr.Model:
    """A random ladder: lines, collisions and a thermal field at the one temperature, in every combination."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 8))
    energies = np.sort(rng.uniform(0, 4000, n))
    levels = [jr.Level(f"{i}", energy=f"{e} cm^-1", g=int(rng.integers(1, 12))) for i, e in enumerate(energies)]
    processes: list[Any] = []
    for j in range(1, n):
        i = int(rng.integers(j))
        if rng.random() < 0.5:
            processes.append(jr.Collision(f"c{j}", f"{j} -> {i}", rate=10.0 ** rng.uniform(-3, 9)))
        else:
            processes.append(jr.Radiative(f"r{j}", f"{j} -> {i}", A=10.0 ** rng.uniform(-3, 9), n=1.7))
    extra = jr.Collision("extra", f"{n - 1} -> 0", coefficient="1e-15 m^3/s", partner_density="1e20 m^-3")
    driven = [p.label for p in processes if isinstance(p, jr.Radiative)]
    field = [jr.Blackbody("walls", drives=driven, temperature="300 K")] if driven else []
    return jr.Model(levels, [*processes, extra, *field], temperature="300 K")


@pytest.mark.parametrize("seed", range(4))
def test_everything_at_one_temperature_is_boltzmann(seed: int):
    """Whatever the scheme, rates over 12 decades, from 100 K to 3000 K; a dilution below 1 breaks it."""
    model, T = level_scheme(seed), np.array([100.0, 300.0, 3000.0])
    driven = "walls.temperature" in model.parameters()
    theta = {"temperature": T} | ({"walls.temperature": T} if driven else {})
    energies = np.array([level.joules for level in model.levels], float)[:, None]
    weights = np.array([[level.g] for level in model.levels]) * np.exp(-(energies - energies[0]) / (k * T))
    close(jr.steady_state(model, theta).populations, weights / weights.sum(0), 1e-12)


def manifolds(temperature: Any = "300 K") -> jr.Model:
    lower = jr.Level("lower", energy="0 cm^-1", g=8, stark=("0 cm^-1", "200 cm^-1", "500 cm^-1", "600 cm^-1"))
    upper = jr.Level("upper", energy="1000 cm^-1", g=6, stark=("0 cm^-1", "150 cm^-1", "400 cm^-1"))
    return jr.Model([lower, upper], [jr.Collision("c", "upper -> lower", rate="1e6 s^-1")], temperature=temperature)


def test_manifolds_obey_the_ratio_of_their_partition_functions():
    """n_u/n_l = Z_u/Z_l exp(-E/kT), E between the lowest sublevels; at any temperature of a lane."""
    T = np.array([77.0, 300.0, 1500.0])
    Z = [2 * np.exp(-np.array([e]).T * CM / (k * T)).sum(0) for e in ([0, 200, 500, 600], [0, 150, 400])]
    state = jr.steady_state(manifolds(), {"temperature": T})
    close(state["upper"] / state["lower"], Z[1] / Z[0] * np.exp(-1000 * CM / (k * T)), 1e-12)


def test_a_cavity_in_thermal_equilibrium_stays_there():
    """The "+1": medium at T and walls at T leave num_modes * nbar photons alone, by two separate balances."""
    T, modes = 350.0, 7.0
    levels = [jr.Level("l", energy="0 cm^-1", g=3), jr.Level("u", energy="80 cm^-1", g=5)]
    line = jr.Radiative("line", "u -> l", A="1e-3 s^-1", lineshape=jr.Lorentzian(fwhm="1 MHz"), n=1.5)
    cavity = jr.Cavity(
        "mode",
        couples="line",
        photon_lifetime="1e-3 s",
        mode_volume="1e-6 m^3",
        num_modes=modes,
        overlap=0.3,
        temperature=f"{T} K",
    )
    network = compile_network(jr.Model(levels, [line, cavity], density="1e20 m^-3"))
    ratio = 5 / 3 * np.exp(-80 * CM / (k * T))
    photons = modes / np.expm1(80 * CM / (k * T))
    with jax.enable_x64(True):
        parameters = network.parameters(jnp.asarray(network.base), {})
        n = jnp.array([[1 / (1 + ratio)], [ratio / (1 + ratio)], [photons]])
        change = np.asarray(rate_of_change(network, parameters, n))[2, 0]
        dark = np.asarray(rate_of_change(network, parameters, n.at[2].set(0.0)))[2, 0]
        hot = np.asarray(rate_of_change(network, parameters, n.at[2].set(2 * photons)))[2, 0]
    close(change / dark, 0.0, 0.0, 1e-12)
    assert dark > 0 > hot


def test_the_share_of_a_mode_is_part_of_A():
    """Emission into a counted mode is not counted again: the total spontaneous rate stays A."""
    levels = [jr.Level("l", energy="0 cm^-1"), jr.Level("u", energy="1 cm^-1")]
    line = jr.Radiative("line", "u -> l", A="1e-6 s^-1", lineshape=jr.Lorentzian(fwhm="1 kHz"))
    cavity = jr.Cavity("mode", couples="line", photon_lifetime="1 s", mode_volume="1 m^3")
    network = compile_network(jr.Model(levels, [line, cavity], density="1e15 m^-3"))
    with jax.enable_x64(True):
        parameters = network.parameters(jnp.asarray(network.base), {})
        change = np.asarray(rate_of_change(network, parameters, jnp.array([[0.0], [1.0], [0.0]])))[:, 0]
    close(change[1], -1e-6, 1e-12)
    assert change[2] > 0


def test_rates_may_be_expressions():
    """Multiphonon decay by W0 (1 + nbar)^4, its derivative by temperature, and parameters of the user's own."""
    rate = jr.expr("W0 * (1 + 1/expm1(h*nu_ph/(k*temperature)))**4")
    model = jr.Model(
        [jr.Level("a"), jr.Level("b")],
        [jr.Decay("down", "b -> a", rate=rate), jr.Pump("up", "a -> b", rate="10 s^-1")],
        temperature="300 K",
        parameters={"W0": "100 s^-1", "nu_ph": "15 THz"},
    )
    T = np.array([50.0, 300.0, 900.0])
    down = 100.0 * (1 + 1 / np.expm1(h * 15e12 / (k * T))) ** 4
    close(jr.steady_state(model, {"temperature": T})["b"], 10 / (10 + down), 1e-13)
    bench = jr.Experiment(model, jr.Steady(), {"b": jr.Population("b")})
    slope = bench.jacobian({"temperature": T}, wrt=["W0", "temperature"])["b"]
    close(slope["W0"], -10 * down / 100 / (10 + down) ** 2, 1e-12)
    x = h * 15e12 / (k * T)
    close(slope["temperature"], -10 / (10 + down) ** 2 * down * 4 * x / T / np.expm1(x), 1e-11)
    with pytest.raises(ValueError, match=r"down\.rate.*expression"):
        jr.steady_state(model, {"down.rate": 1.0})


def test_a_python_function_makes_a_network_nonlinear():
    """A rate that may depend on populations is called with them."""
    levels = [jr.Level("a"), jr.Level("b")]
    crowded = jr.Decay("odd one", "b -> a", rate=lambda theta, populations: 4.0 * populations["b"])
    model = jr.Model(levels, [crowded, jr.Pump("up", "a -> b", rate=1.0)])
    assert compile_network(model).nonlinear == ("odd one",)
    close(jr.steady_state(model)["b"], (17**0.5 - 1) / 8, 1e-14)


@pytest.mark.parametrize(
    ("given", "nearest"), [("pump.rat", "pump.rate"), ("lasr.B", "laser.B"), ("densty", "density")]
)
def test_an_unknown_parameter_proposes_the_nearest(given: str, nearest: str):
    bench = jr.Experiment(four_level(), jr.Steady(), {"2": jr.Population("2")})
    for call in (
        lambda: jr.steady_state(four_level(), {given: 1.0}),
        lambda: bench({given: 1.0}),
        lambda: bench.status({given: 1.0}),
        lambda: bench.jacobian({}, wrt=[given]),
    ):
        with pytest.raises(ValueError, match=f"`{given}`.*did you mean `{nearest}`"):
            call()


@pytest.mark.parametrize("array", [np.ones, jnp.ones])
def test_shapes_that_do_not_broadcast_are_both_named(array: Any):
    theta = {"pump.rate": array((3, 2)), "density": 1.0, "signal.intensity": array(4)}
    with pytest.raises(ValueError, match=r"`pump\.rate` and `signal\.intensity`.*\(3, 2\) and \(4,\)"):
        jr.steady_state(four_level(), theta)


@pytest.mark.parametrize("given", ["100 s^-1", "100", [[1.0], [1.0, 2.0]], {"a": 1}, None, 1j])
def test_a_value_that_is_no_number_is_named(given: Any):
    with pytest.raises(ValueError, match=r"`pump\.rate`"):
        jr.steady_state(four_level(), {"pump.rate": given})


@pytest.mark.parametrize("dtype", [np.int64, np.float32, bool])
def test_numbers_of_any_type_are_taken(dtype: Any):
    given = np.array([1, 0, 1]).astype(dtype)
    same(
        jr.steady_state(four_level(), {"pump.rate": given}).populations,
        jr.steady_state(four_level(), {"pump.rate": given.astype(float)}).populations,
    )
