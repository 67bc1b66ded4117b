"""The stiff integrator: its coefficients, its right-hand side, its steps, and what it promises of a path."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import combinations_with_replacement
from math import factorial, prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import jaxrate as jr
from jaxrate.network.compile import compile_network
from jaxrate.network.dynamics import rate_of_change
from jaxrate.solve import rodas
from jaxrate.solve.motion import Motion
from jaxrate.solve.sparse_lu import SparseLU
from tests.media import ring
from tests.systems import laser, quench
from tests.test_cavity import diode
from tests.test_conservation import random_model, two_species
from tests.test_reservoirs import sensitised
from tests.tolerance import close, same

Tree = tuple[Any, ...]
"""A rooted tree: what hangs on its root, each a tree."""

GAMMA = np.linalg.inv(np.eye(rodas.STAGES) / rodas.GAMMA - rodas.C)
ALPHA = rodas.A @ GAMMA
BETA = ALPHA + GAMMA
"""The coefficients as textbooks have them, from those of the form without products with the Jacobian."""


@cache
def trees(order: int) -> tuple[Tree, ...]:
    """All rooted trees of that many nodes."""
    return tuple(tuple(found) for found in _forests(order - 1, order - 1))


def _forests(nodes: int, largest: int) -> Iterator[list[Tree]]:
    if nodes == 0:
        yield []
    for size in range(min(nodes, largest), 0, -1):
        for count in range(nodes // size, 0, -1):
            for same_size in combinations_with_replacement(trees(size), count):
                for rest in _forests(nodes - size * count, size - 1):
                    yield [*same_size, *rest]


def num_nodes(tree: Tree) -> int:
    return 1 + sum(map(num_nodes, tree))


def density(tree: Tree) -> int:
    """Denominator of a tree's condition."""
    return num_nodes(tree) * prod(map(density, tree))


def weight(tree: Tree) -> np.ndarray:
    """What a tree contributes to each stage: beta along a node without a fork, alpha at a fork."""
    if not tree:
        return np.ones(rodas.STAGES)
    return np.prod([(BETA if len(tree) == 1 else ALPHA) @ weight(branch) for branch in tree], axis=0)


def missed(weights: np.ndarray, order: int, share: float = 1.0) -> float:
    """Largest residual of the order conditions up to an order, at a share of the step."""
    every = [tree for n in range(1, order + 1) for tree in trees(n)]
    found = [weights @ GAMMA @ weight(tree) - share ** num_nodes(tree) / density(tree) for tree in every]
    return float(np.max(np.abs(found)))


def test_the_trees_are_all_there():
    assert [len(trees(n)) for n in range(1, 7)] == [1, 1, 2, 4, 9, 20]
    assert [density(tree) for tree in trees(4)].count(factorial(4)) == 1


def test_order_conditions():
    """Order 5 of the step, 4 of the embedded method, 4 of the dense output, and not more: the error is one."""
    embedded = rodas.B * (np.arange(rodas.STAGES) < 7)
    assert missed(rodas.B, 5) < 1e-13
    assert missed(embedded, 4) < 1e-13
    assert missed(embedded, 5) > 1e-6
    assert missed(rodas.B, 6) > 1e-6
    for share in (0.1, 0.5, 0.9):
        assert missed(np.array(rodas.weights_at(share)), 4, share) < 1e-13
    same(np.array(rodas.weights_at(1.0)), rodas.B)
    same(np.array(rodas.weights_at(0.0)), np.zeros(rodas.STAGES))


def test_times_of_the_stages_are_the_sums_of_the_coefficients():
    """So that an equation which depends on time is solved like one where time is a further population."""
    close(rodas.NODES, ALPHA.sum(axis=1), 1e-13, 1e-14)
    close(rodas.SLOPES, GAMMA.sum(axis=1), 1e-13, 1e-14 * np.abs(GAMMA).sum(axis=1))  # sums that cancel


def test_a_stiff_decay_is_damped():
    r"""$R(z) = 1 + z b(1 - z\beta)^{-1}1$: at most 1 where a population decays or oscillates, 0 at infinity."""
    b, one = rodas.B @ GAMMA, np.ones(rodas.STAGES)
    close(BETA[-1], b, 1e-12, 1e-13)
    close(1 - b @ np.linalg.solve(BETA, one), 0.0, atol=1e-12)
    for z in (1j * np.geomspace(1e-3, 1e8, 200)).tolist() + (-np.geomspace(1e-3, 1e8, 50)).tolist():
        assert abs(1 + z * b @ np.linalg.solve(np.eye(rodas.STAGES) - z * BETA, one)) <= 1 + 1e-10


def step(f: Callable, J: Callable, drift: Callable, t: float, y: float, h: float) -> tuple[float, float, list[float]]:
    """One step of a scalar equation as the formula says: its end, its error, its stages."""
    k: list[float] = []
    for i in range(rodas.STAGES):
        inner = y + sum(rodas.A[i, j] * k[j] for j in range(i))
        past = sum(rodas.C[i, j] * k[j] for j in range(i)) / h
        right = f(t + rodas.NODES[i] * h, inner) + past + h * rodas.SLOPES[i] * drift(t, y)
        k.append(right / (1 / (h * rodas.GAMMA) - J(t, y)))
    return y + float(rodas.B @ k), k[-1], k


def test_convergence_on_an_equation_that_knows_the_time():
    r"""$\dot y = -5t^4y^2$, $y = 1/(1+t^5)$: halved steps, errors over 32 (steps), 16 (dense output)."""
    equation = (lambda t, y: -5 * t**4 * y * y, lambda t, y: -10 * t**4 * y, lambda t, y: -20 * t**3 * y * y)
    ends, inside = [], []
    for num in (20, 40):
        t, y, h, worst = 0.0, 1.0, 1.5 / num, 0.0
        for _ in range(num):
            after, _, k = step(*equation, t, y, h)
            middle = y + float(np.array(rodas.weights_at(0.4)) @ k)
            worst = max(worst, abs(middle - 1 / (1 + (t + 0.4 * h) ** 5)))
            t, y = t + h, after
        ends.append(abs(y - 1 / (1 + t**5)))
        inside.append(worst)
    assert ends[0] / ends[1] > 25
    assert inside[0] / inside[1] > 12


@pytest.mark.parametrize("size", [2, 5, 9])
def test_sparse_factors_solve(size: int):
    """Random patterns, diagonally dominant by columns as 1/h - J is: against NumPy, with rows eliminated last too."""
    rng = np.random.default_rng(size)
    holes = rng.random((size, size)) < 0.6
    matrix = -(10.0 ** rng.uniform(-6, 6, (7, size, size))) * ~holes * (1 - np.eye(size))
    matrix += np.eye(size) * (1e-3 - matrix.sum(axis=1))[:, None, :]
    b = rng.uniform(-1, 1, (7, size))
    pattern = frozenset((int(i), int(j)) for i, j in zip(*np.nonzero(matrix.any(axis=0)), strict=True))
    exact = np.linalg.solve(matrix, b[..., None])[..., 0]
    for last in ((), (0, size - 1)):
        lu = SparseLU(pattern, size, last)
        with jax.enable_x64(True):
            factors = lu.stacked(lu.factor({(i, j): jnp.asarray(matrix[:, i, j]) for i, j in pattern}))
            found = np.stack(lu.solve(factors, list(jnp.asarray(b.T))), axis=-1)
        residual = np.einsum("lij,lj->li", matrix, found) - b
        scale = np.einsum("lij,lj->li", np.abs(matrix), np.abs(exact))
        close(residual / scale, 0.0, atol=1e-13)
    assert lu.order[-2:] == (0, size - 1)


def decaying_by_crowd() -> jr.Model:
    """Rates that follow populations, of levels beside a reservoir, one of them through a parameter."""
    levels = [jr.Level("l"), jr.Level("u"), jr.Level("v")]
    processes = [
        jr.Decay("d", "u -> l", rate=jr.expr("crowd * (1 + u)")),
        jr.Decay("e", "v -> u", rate=jr.expr("1 + sqrt(1 + 1e-20 * pool)")),
        jr.Pump("p", "l -> v", rate=3.0),
        jr.Pump("fill", " -> pool", rate="1e20 m^-3 s^-1"),
        jr.EnergyTransfer("drain", "pool + v -> l", coefficient="1e-20 m^3/s"),
        jr.EnergyTransfer("pair", "v + v -> u + l", coefficient="1e-20 m^3/s"),
    ]
    return jr.Model(
        levels, processes, reservoirs=[jr.Reservoir("pool")], density=1e20, parameters={"crowd": jr.expr("2 + u*v")}
    )


NETWORKS: dict[str, Callable[[], jr.Model]] = {
    "two species and a cavity": two_species,
    "random": lambda: random_model(np.random.default_rng(5)),
    "reservoirs": sensitised,
    "diode": diode,
    "rates that follow populations": decaying_by_crowd,
    "laser": laser.model,
}


@pytest.mark.parametrize("model", NETWORKS.values(), ids=NETWORKS)
def test_the_right_hand_side_is_that_of_the_network(model: Callable[[], jr.Model]):
    """In straight-line code: rates of change, and their Jacobian against automatic differentiation.

    In the second lane there is none of any species.
    """
    network, lanes = compile_network(model()), 3
    dense = {n: x for n, x in zip(network.names, network.base, strict=True) if n.split(".")[0] == "density"}
    varied = {name: np.array([1.0, 0.0, 0.5]) * x for name, x in dense.items()}
    rng = np.random.default_rng(1)
    scale = [[1e9] if p.is_photons else [1.0] if p.species is not None else [1e22] for p in network.populations]
    n = rng.uniform(0.01, 1, (len(scale), lanes)) * np.array(scale)
    motion = Motion(network)

    @jax.jit
    def both(base: jax.Array, n: jax.Array, varied: dict[str, jax.Array]) -> tuple:
        parameters, t = network.parameters(base, varied), jnp.zeros(lanes)
        moving = motion.at(base, motion.inputs(parameters, varied, lanes))
        units = jnp.eye(len(n))[:, :, None] * jnp.ones((1, 1, lanes))
        columns = jax.vmap(lambda unit: jax.jvp(partial(rate_of_change, network, parameters), (n,), (unit,))[1])(units)
        jacobian = [(pair, jnp.broadcast_to(x, lanes)) for pair, x in moving.jacobian(t, n).items()]
        pairs.extend(pair for pair, _ in jacobian)
        return moving.rate_of_change(t, n), rate_of_change(network, parameters, n), [x for _, x in jacobian], columns

    pairs: list[tuple[int, int]] = []
    with jax.enable_x64(True):
        f, wanted, values, columns = map(np.asarray, both(network.base, n, varied))
    columns = np.moveaxis(columns, 0, 1)
    size = np.max(np.abs(wanted), axis=0) + np.abs(wanted)
    close(f / size, wanted / size, 1e-12, 1e-12)
    found = np.zeros_like(columns)
    found[tuple(np.transpose(pairs))] = values
    assert set(pairs) <= motion.pattern
    close(found, columns, 1e-12, 1e-12 * np.max(np.abs(columns), axis=(0, 1)))


# Paths.

TIMES = np.array([0.0, 3e-6, 1e-5, 3e-5, 1e-4, 2e-4, 5e-4, 1e-3])
MAX_STEPS = 4000


def turned_on(theta: Any, times: np.ndarray = TIMES, **options: Any) -> jr.Solution:
    """Lasers that start from the dark."""
    return jr.evolve(laser.model(), theta, times, **{"max_steps": MAX_STEPS, **options})


def lasers(lanes: int, seed: int) -> dict[str, np.ndarray]:
    """From far below threshold to above it: few steps and many, mixed."""
    rng = np.random.default_rng(seed)
    lifetime = 10.0 ** rng.uniform(-7.5, -6.5, lanes)
    pump = 10.0 ** rng.uniform(-1, 0.2, lanes) * laser.threshold(lifetime, laser.B)
    return {"pump.rate": pump, "cavity.photon_lifetime": lifetime, "laser.B": laser.B * rng.uniform(0.9, 1.1, lanes)}


def photons_by_dop853(pump: float, lifetime: float, B: float) -> np.ndarray:
    """Photons at `TIMES` by an explicit method of order 8, whose steps are short for the sake of stability."""
    A, K = laser.coefficients(B)

    def f(t: float, y: np.ndarray) -> list[float]:
        n1, n2, photons = y
        light = K * photons * (n2 - laser.G * n1)
        up = pump * (1 - n1 - n2)
        return [
            A * n2 + light - laser.EMPTY * n1,
            up - (A + laser.QUENCH) * n2 - light,
            laser.DENSITY * laser.VOLUME * (light + K * n2) - photons / lifetime,
        ]

    path = solve_ivp(
        f, (0, TIMES[-1]), [0.0, 0.0, 0.0], "DOP853", TIMES, rtol=1e-12, atol=[1e-16, 1e-16, 1e-9], first_step=1e-9
    )
    return path.y[2]


def test_photons_grow_from_the_seed():
    """Every laser's, from a thousandth of a photon on, relatively; through delay, spikes and relaxation."""
    pump = laser.threshold(1e-7, laser.B) * np.array([0.5, 1.6, 20.0])
    theta = {"pump.rate": pump, "cavity.photon_lifetime": np.full(3, 1e-7), "laser.B": np.full(3, laser.B)}
    path = turned_on(theta)
    exact = np.stack([photons_by_dop853(*lane) for lane in zip(*theta.values(), strict=True)], axis=1)
    assert not np.any(path.status)
    close(path["cavity"][1:], exact[1:], 2e-6)
    assert np.max(exact) > 1e6 > 1 > exact[1, 0]
    same(path.populations[:, 0], np.array([[1.0], [0.0], [0.0], [0.0]]) * np.ones(3))
    close(path.populations[:3].sum(axis=0), np.ones((len(TIMES), 3)), 1e-13)
    assert "Rodas5P" in path.method


def test_a_lane_does_not_know_its_neighbours():
    """300 lanes, more than there are places: in another order, a few alone, and beside lanes that fail, the same bits.

    One has a parameter that is NaN, one is negative, one relaxes so slowly that it needs more steps than allowed.
    """
    theta = lasers(300, 2)
    path = turned_on(theta)
    assert not np.any(path.status)
    order = np.random.default_rng(3).permutation(300)
    same(turned_on({name: x[order] for name, x in theta.items()}).populations, path.populations[..., order])
    for some in ([7], [299, 3, 150]):
        same(turned_on({name: x[some] for name, x in theta.items()}).populations, path.populations[..., some])
    broken = {name: x.copy() for name, x in theta.items()}
    broken["pump.rate"][[5, 140]] = np.nan, -1.0
    broken["laser.B"][200] *= 10
    broken["cavity.photon_lifetime"][200], broken["pump.rate"][200] = 1e-8, 5 * laser.threshold(1e-8, 10 * laser.B)
    found = turned_on(broken)
    bad = [5, 140, 200]
    assert found.status[bad].tolist() == [jr.Status.BAD_INPUT, jr.Status.BAD_INPUT, jr.Status.TOO_MANY_STEPS]
    assert np.all(np.isnan(found.populations[..., bad]))
    same(np.delete(found.populations, bad, axis=-1), np.delete(path.populations, bad, axis=-1))


def constant(t: Any) -> Any:
    return 0.5


def test_a_linear_network_is_as_its_exact_solution():
    """Stepped because a function of time says one of its rates; atoms kept to rounding, however stiff and long.

    Errors are shares of all that was excited, here a quarter: a level that holds far less is not resolved.
    """
    rng = np.random.default_rng(4)
    theta = {name: 10.0 ** rng.uniform(-5, 9, 200) for name in ring().parameters() if name != "ab.rate"}
    times = np.array([0.0, 1e-4, 1e-2, 1.0, 1e3])
    start = {"a": 0.25, "b": 0.75}
    stepped = jr.evolve(ring(), theta, times, start=start, drive={"ab.rate": constant})
    exact = jr.evolve(ring(), theta | {"ab.rate": 0.5}, times, start=start)
    assert (stepped.method[:7], exact.method) == ("Rodas5P", "exact propagator")
    assert not np.any(stepped.status)
    close(stepped.populations, exact.populations, 0.0, 1e-7)
    close(stepped.populations.sum(axis=0), np.ones((5, 200)), 1e-14)


PULSE = jr.pulse.Gaussian(jr.expr("swing"), "20 us", "4 us", base=jr.expr("sqrt(level)"))
SWUNG: dict[str, Any] = {"parameters": {"swing": 0.0, "level": 0.0}}


def test_a_pulse_is_followed():
    """A Gaussian pump, against SciPy with steps that see it; a pump below zero, or none at all, is that lane's fault.

    Lane 1 has a pump that turns negative in the middle of the path, lane 2 one that is NaN from the start.
    """
    times, pumped = np.array([0.0, 1e-5, 1.7e-5, 2e-5, 2.4e-5, 4e-5, 1e-4]), quench.model(**SWUNG)
    theta = {"swing": np.array([4e4, -2e4, 1e4, 1e3]), "level": np.array([1e6, 1e6, -1.0, 0.0])}
    path = jr.evolve(pumped, theta, times, start={"g": 1.0}, drive={"pump.rate": PULSE})
    assert path.status.tolist() == [0, jr.Status.BAD_INPUT, jr.Status.BAD_INPUT, 0]
    assert np.all(np.isnan(path.populations[..., 1:3]))
    for lane in (0, 3):
        peak, base = theta["swing"][lane], np.sqrt(theta["level"][lane])

        def f(t: float, n: np.ndarray, peak: float = peak, base: float = base) -> np.ndarray:
            pump = base + peak * 2.0 ** (-4 * ((t - 2e-5) / 4e-6) ** 2)
            return pump * (1 - n) - n / quench.TAU - quench.PAIRS * quench.DENSITY * n * n

        exact = solve_ivp(f, (0, 1e-4), [0.0], "DOP853", times, rtol=1e-12, atol=1e-16, max_step=2e-7)
        close(path["u"][:, lane], exact.y[0], 1e-7, 1e-14)
    close(path.parameters["pump.rate"][3, [0, 3]], [1e3 + 4e4, 1e3], 1e-12)


def test_a_short_pulse_is_not_stepped_over():
    """1 ns inside 1 ms, and output at time 0, at its edges and between them."""
    begin, end = 3.337e-4, 3.337e-4 + 1e-9
    square = jr.pulse.Square(1e8, begin, end)
    times = np.array([0.0, 1e-4, begin, begin + 0.5e-9, end, 4e-4, 1e-3])
    path = jr.evolve(quench.model(), None, times, start={"g": 1.0}, drive={"pump.rate": square})
    inside = quench.solved(0.0, np.array([0.5e-9, 1e-9]), 1e8, 1 / quench.TAU, quench.PAIRS)
    after = quench.solved(inside[1], times[5:] - end, 0.0, 1 / quench.TAU, quench.PAIRS)
    close(path["u"], np.concatenate([np.zeros(3), inside, after]), 1e-7)
