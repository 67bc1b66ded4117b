"""Conservation: integer laws from the stoichiometry, kept to rounding by every network, photons included."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrate as jr
from jaxrate.network.compile import compile_network
from jaxrate.network.conservation import conservation_laws
from jaxrate.network.dynamics import event_rates, rate_of_change
from jaxrate.network.network import Network
from tests.tolerance import close, same

LANES = 5


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def two_species() -> jr.Model:
    """Yb and Er with unequal densities, energy transfer within and between them, light, collisions and a cavity."""
    levels = [
        jr.Level("0", energy="0 cm^-1", g=8, species="Yb"),
        jr.Level("0", energy="0 cm^-1", g=16, species="Er"),
        jr.Level("1", energy="10250 cm^-1", g=6, species="Yb"),
        jr.Level("1", energy="6500 cm^-1", g=14, species="Er"),
        jr.Level("2", energy="10200 cm^-1", g=12, species="Er"),
    ]
    line: Any = {"lineshape": jr.Lorentzian(fwhm="1 THz"), "A": "100 s^-1"}
    processes = [
        jr.Radiative("yb", "Yb:1 -> Yb:0", **line),
        jr.Radiative("er", "Er:1 -> Er:0", **line),
        jr.Beam("pump", drives="yb", intensity="1e8 W/m^2"),
        jr.Blackbody("walls", drives=("er", "yb"), temperature="900 K"),
        jr.Collision("fast", "Er:2 -> Er:1", rate="1e5 s^-1"),
        jr.EnergyTransfer("transfer", "Yb:1 + Er:0 -> Yb:0 + Er:2", coefficient="2e-22 m^3/s"),
        jr.EnergyTransfer("upconversion", "Er:1 + Er:1 -> Er:0 + Er:2", coefficient="1e-23 m^3/s"),
        jr.Cavity("mode", couples="er", photon_lifetime="1e6 s", mode_volume="1e-9 m^3", temperature="300 K"),
        jr.Decay("loss", "Er:2 -> Er:0", rate="10 s^-1"),
    ]
    return jr.Model(levels, processes, density={"Yb": "3e26 m^-3", "Er": "1e25 m^-3"}, temperature="300 K")


def random_model(rng: np.random.Generator) -> jr.Model:
    """Levels of two species, random one-way rates within each, random energy transfers within and between them."""
    names = {s: [f"{s}:{i}" for i in range(int(rng.integers(2, 5)))] for s in ("A", "B")}
    levels = [jr.Level(name.split(":")[1], species=s) for s in names for name in names[s]]

    def pick(species: str) -> str:
        return str(rng.choice(names[species]))

    moves = [rng.choice(names[s], 2, replace=False) for s in rng.choice(["A", "B"], 6)]
    decays = [jr.Decay(f"d{i}", f"{a} -> {b}", rate=10.0 ** rng.uniform(-3, 9)) for i, (a, b) in enumerate(moves)]
    reactions = []
    while len(reactions) < 6:
        a, b = (str(s) for s in rng.choice(["A", "B"], 2))
        before, after = [pick(a), pick(b)], [pick(a), pick(b)]
        if sorted(before) != sorted(after):
            reactions.append(" -> ".join(" + ".join(side) for side in (before, after)))
    coefficients = 10.0 ** rng.uniform(-28, -18, 6)
    transfers = [
        jr.EnergyTransfer(f"t{i}", reaction, coefficient=k)
        for i, (reaction, k) in enumerate(zip(reactions, coefficients, strict=True))
    ]
    densities = {s: 10.0 ** rng.uniform(20, 27) for s in names}
    return jr.Model(levels, [*decays, *transfers], density=densities)


def state(network: Network, rng: np.random.Generator) -> tuple[Any, jax.Array]:
    """Parameters, and random populations (population, lane)."""
    scales = np.array([[1e12] if p.is_photons else [1.0] for p in network.populations])
    n = jnp.asarray(rng.uniform(0, 1, (len(network.populations), LANES)) * scales)
    return network.parameters(jnp.asarray(network.base), {}), n


def scales(network: Network, parameters: Any) -> np.ndarray:
    """s_i: density of the species of each population, 1/V for photons; shape (population, 1)."""
    values = [float(parameters[p.scale]) for p in network.populations]
    found = [1 / v if p.is_photons else v for p, v in zip(network.populations, values, strict=True)]
    return np.array(found)[:, None]


def check_conserved(network: Network, parameters: Any, n: jax.Array) -> None:
    s, nu = scales(network, parameters), network.stoichiometry
    flow = np.asarray(s * rate_of_change(network, parameters, n))
    turnover = np.abs(nu) @ np.asarray(event_rates(network, parameters, n))
    assert network.conserved.dtype == np.int64
    for law in network.conserved:
        assert not np.any(law @ nu)
        size = np.abs(law) @ turnover
        close((law @ flow) / np.where(size > 0, size, 1.0), np.zeros(LANES), 0.0, 1e-14)


@pytest.mark.parametrize("seed", range(6))
def test_random_networks_conserve_each_species(seed: int):
    rng = np.random.default_rng(seed)
    network = compile_network(random_model(rng))
    check_conserved(network, *state(network, rng))
    for species in (0, 1):
        indicator = np.array([p.species == species for p in network.populations], int)
        assert np.linalg.matrix_rank(np.vstack([network.conserved, indicator])) == len(network.conserved)


def test_two_species_with_light_and_a_cavity():
    """Atoms of each species are conserved, however unequal their densities; photons come and go through the walls."""
    network = compile_network(two_species())
    rng = np.random.default_rng(0)
    check_conserved(network, *state(network, rng))
    same(np.sort(network.conserved, axis=0), np.sort(np.array([[1, 0, 1, 0, 0, 0], [0, 1, 0, 1, 1, 0]]), axis=0))
    assert network.stoichiometry.dtype == np.int64
    assert np.max(np.abs(network.stoichiometry)) == 2
    assert {"transfer", "upconversion", "mode"} <= set(network.nonlinear)
    assert not {"loss", "fast", "pump", "walls"} & set(network.nonlinear)


def test_a_closed_cavity_conserves_photons_and_excitations():
    """Without walls and other light, `u -> l + photon`: N_u V + phi is a law, with N = s n of unequal scales."""
    levels = [jr.Level("l", energy="0 cm^-1", g=3), jr.Level("u", energy="1 cm^-1", g=5)]
    line = jr.Radiative("line", "u -> l", A="1e-6 s^-1", lineshape=jr.Lorentzian(fwhm="1 kHz"))
    cavity = jr.Cavity("mode", couples="line", photon_lifetime="1 s", mode_volume="1e-3 m^3")
    network = compile_network(jr.Model(levels, [line, cavity], density="1e15 m^-3"))
    inside = [
        i
        for i, r in enumerate(network.reactions)
        if r.field == "mode" or (r.process == "mode" and r.role not in ("loss", "wall photons"))
    ]
    laws = conservation_laws(network.stoichiometry[:, inside])
    rank = np.linalg.matrix_rank
    assert len(laws) == 2
    assert rank(np.vstack([laws, [0, 1, 1]])) == rank(np.vstack([laws, [1, 1, 0]])) == 2
    parameters, n = state(network, np.random.default_rng(2))
    change = np.asarray(rate_of_change(network, parameters, n)) * scales(network, parameters)
    others = [i for i in range(len(network.reactions)) if i not in inside]
    rest = network.stoichiometry[:, others] @ np.asarray(event_rates(network, parameters, n))[others]
    own = change - rest
    close((own[1] + own[2]) / np.abs(own[2]), np.zeros(LANES), 0.0, 1e-11)


def test_rates_of_change_are_stoichiometry_times_events():
    """dn_i/dt = nu_i R / s_i, for every reaction there is."""
    for model in (two_species(), random_model(np.random.default_rng(9))):
        network = compile_network(model)
        parameters, n = state(network, np.random.default_rng(1))
        s, events = scales(network, parameters), np.asarray(event_rates(network, parameters, n))
        size = np.abs(network.stoichiometry) @ events / s
        found = np.asarray(rate_of_change(network, parameters, n))
        close((found - network.stoichiometry @ events / s) / np.where(size > 0, size, 1.0), 0.0, 0.0, 1e-14)


def test_events_are_counted_not_particles():
    """`a + a -> b + c` removes two a in each event: dn_a/dt = -2 k N n_a^2."""
    levels = [jr.Level(name) for name in "abc"]
    model = jr.Model(levels, [jr.EnergyTransfer("x", "a + a -> b + c", coefficient="1e-22 m^3/s")], density=1e24)
    network = compile_network(model)
    n = jnp.array([[0.5], [0.3], [0.2]])
    change = rate_of_change(network, network.parameters(jnp.asarray(network.base), {}), n)
    close(change[:, 0], np.array([-2, 1, 1]) * 1e-22 * 1e24 * 0.25)


@pytest.mark.parametrize("empty", ["A", "B"])
def test_a_density_of_zero_is_legal(empty: str):
    """Two species: dn_a/dt = -k N_b n_a n_b has no N_a to divide by. What is left is finite, and its slope too."""
    levels = [jr.Level(i, species=s) for s in "AB" for i in "01"]
    transfer = jr.EnergyTransfer("x", "A:1 + B:0 -> A:0 + B:1", coefficient="1e-20 m^3/s")
    decay = jr.Decay("d", "B:1 -> B:0", rate="5 s^-1")
    density = {"A": 2e20, "B": 3e21} | {empty: 0.0}
    network = compile_network(jr.Model(levels, [transfer, decay], density=density))
    parameters = network.parameters(jnp.asarray(network.base), {})
    n = jnp.array([0.4, 0.6, 0.7, 0.3])[:, None]
    found = rate_of_change(network, parameters, n)[:, 0]
    rate = 1e-20 * 0.6 * 0.7
    by_a, by_b = rate * density["B"], rate * density["A"]
    close(found, [by_a, -by_a, 1.5 - by_b, by_b - 1.5], 1e-13)
    slopes = jax.jacfwd(lambda base: rate_of_change(network, network.parameters(base, {}), n))(
        jnp.asarray(network.base)
    )
    assert np.all(np.isfinite(slopes))


def test_laws_are_in_lowest_terms_and_complete():
    """Random integer stoichiometries: the rank theorem, and every law a whole number without a common divisor."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        nu = rng.integers(-2, 3, (int(rng.integers(2, 7)), int(rng.integers(1, 5))))
        laws = conservation_laws(nu)
        assert laws.shape == (len(nu) - np.linalg.matrix_rank(nu), len(nu))
        assert not np.any(laws @ nu)
        assert all(np.gcd.reduce(law) == 1 for law in laws)
