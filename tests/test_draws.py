"""Random ensembles: right distributions, members that depend on seed, name and index only, and nothing misread."""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array
from scipy import stats
from scipy.stats import qmc

import jaxrate as jr
from jaxrate.solve.batch import Batch, read_batch
from jaxrate.solve.lanes import UNDECIDED, Kernel, Way, run, stream
from jaxrate.solve.status import Status
from jaxrate.sweep.draws import (
    INDEX,
    MOST_ENSEMBLES,
    Draw,
    Drawn,
    Sampling,
    drawn,
    lognormal,
    normal,
    uniform,
)
from jaxrate.sweep.quantiles import quantile
from jaxrate.sweep.random_bits import random_bits, random_shift
from jaxrate.sweep.sobol import BITS, MOST_DIMENSIONS, directions, sobol
from tests.media import three_level
from tests.tolerance import close, same

ND = three_level()
BENCH = jr.Experiment(
    ND,
    jr.Steady(),
    {
        "gain": jr.Gain("laser"),
        "light": lambda state: state.parameters["signal.intensity"] + jnp.zeros_like(state["4F3/2"]),
        "pump": lambda state: state.parameters["pump.rate"] + jnp.zeros_like(state["4F3/2"]),
    },
)
LAWS: dict[str, tuple[Draw, Any]] = {
    "pump.rate": (normal("pump.rate", 100.0, 20.0), stats.norm(100, 20)),
    "temperature": (uniform("temperature", 290.0, 310.0), stats.uniform(290, 20)),
    "signal.intensity": (lognormal("signal.intensity", 1e7, 1.5), stats.lognorm(math.log(1.5), scale=1e7)),
}
THREE = tuple(draw for draw, _ in LAWS.values())
RANDOM = Sampling(THREE, MOST_ENSEMBLES, seed=7)
SOBOL = Sampling(THREE, 2**20, seed=7, sampler="sobol")
LIGHT = Sampling(THREE[::2], MOST_ENSEMBLES, seed=7)
"""What enters the experiment: there the temperature changes nothing, so it stays out."""

both = pytest.mark.parametrize("sampling", [RANDOM, SOBOL], ids=["random", "sobol"])


@pytest.fixture(scope="module")
def members() -> dict[str, np.ndarray]:
    return drawn(RANDOM, np.arange(10**5))


# Distributions.


@both
@pytest.mark.parametrize("name", LAWS)
def test_values_follow_their_distribution(sampling: Sampling, name: str):
    x, law = drawn(sampling, np.arange(10**5))[name], LAWS[name][1]
    assert stats.kstest(x, law.cdf).pvalue > 0.01
    assert abs(x.mean() - law.mean()) < 3 * law.std() / math.sqrt(x.size)
    assert x.std() == pytest.approx(law.std(), rel=0.01)


def test_parameters_are_independent(members: dict[str, np.ndarray]):
    ranks = np.corrcoef([stats.rankdata(x) for x in members.values()])
    neighbours = [np.corrcoef(x[1:], x[:-1])[0, 1] for x in members.values()]
    assert np.abs(ranks - np.eye(3)).max() < 0.012
    assert np.abs(neighbours).max() < 0.012


def bits(*values: int) -> Array:
    return jnp.asarray(np.array(values, np.uint64))


def test_tails_are_exact_and_alike_on_both_sides():
    """The rarest member is 8.3 standard deviations out, not at infinity, and has its mirror image."""
    low = [0, 1, 5, 2**20, 2**40, 2**52 - 1]
    with jax.enable_x64(True):
        below = np.asarray(quantile("normal", 0.0, 1.0, bits(*low)))
        above = np.asarray(quantile("normal", 0.0, 1.0, bits(*(2**BITS - 1 - k for k in low))))
        ends = np.asarray(quantile("uniform", 0.3, 0.9, bits(0, 2**BITS - 1)))
        spread = np.asarray(quantile("lognormal", 5.0, 2.0, bits(*low)))
    close(below, stats.norm.ppf([(k + 0.5) / 2**BITS for k in low]), 1e-13, 1e-30)
    same(above, -below)
    close(spread, 5 * 2**below)
    assert ends[0] >= 0.3
    assert ends[1] == 0.9, "0.3 + (0.9 - 0.3) is above 0.9"


# Members.


@both
def test_a_member_does_not_depend_on_the_others_of_its_batch(sampling: Sampling):
    whole = drawn(sampling, np.arange(150_000))
    for index in (np.arange(1000, 2000), np.arange(2000)[::-1], np.arange(149_999, 150_000), np.array(77)):
        part = drawn(sampling, index)
        for name in sampling.names:
            same(part[name], whole[name][index], name)


def test_members_are_distinct_beyond_32_bits():
    j = np.arange(4096)
    index = np.concatenate([j + offset for offset in (0, 2**31, 2**32, 2**33, 2**52, 2**53 - 4096)])
    for name, x in drawn(RANDOM, index).items():
        assert np.unique(x).size == index.size, name


def test_seeds_and_names_draw_independently(members: dict[str, np.ndarray]):
    seeds = (7, 8, 7 + 2**32, 2**64 - 1)
    x = [drawn(Sampling((uniform(name, 0, 1),), 10**5, seed), np.arange(10**5))[name] for name in "a" for seed in seeds]
    x.append(drawn(Sampling((uniform("b", 0, 1),), 10**5, 7), np.arange(10**5))["b"])
    assert np.abs(np.corrcoef(x) - np.eye(len(x))).max() < 0.015
    shifts = {random_shift(seed, name) for seed in seeds for name in "ab"}
    assert len(shifts) == 8


def test_another_parameter_changes_no_member(members: dict[str, np.ndarray]):
    more = Sampling((uniform("density", 1e26, 2e26), *THREE[::-1]), 2**20, seed=7)
    found = drawn(more, np.arange(5000))
    for name, x in members.items():
        same(found[name], x[:5000], name)


def test_order_of_sobol_parameters_is_that_of_the_dimensions():
    fewer = Sampling(THREE[:2], 2**20, seed=7, sampler="sobol")
    wanted = drawn(SOBOL, np.arange(5000))
    for name, x in drawn(fewer, np.arange(5000)).items():
        same(x, wanted[name])


def rotated(x: int, by: int) -> int:
    return (x << by | x >> (32 - by)) & 0xFFFFFFFF


def threefry(key: tuple[int, int], count: tuple[int, int]) -> tuple[int, int]:
    """Threefry-2x32 with 20 rounds, as Salmon et al. write it."""
    keys = (*key, key[0] ^ key[1] ^ 0x1BD11BDA)
    x, y = ((c + k) & 0xFFFFFFFF for c, k in zip(count, key, strict=True))
    for i in range(20):
        x = (x + y) & 0xFFFFFFFF
        y = rotated(y, (13, 15, 26, 6, 17, 29, 16, 24)[i % 8]) ^ x
        if i % 4 == 3:
            s = i // 4 + 1
            x, y = (x + keys[s % 3]) & 0xFFFFFFFF, (y + keys[(s + 1) % 3] + s) & 0xFFFFFFFF
    return x, y


def test_bits_are_those_of_threefry_for_all_time():
    """A sweep that is taken up again, by whatever version, has the members that it began with."""
    assert threefry((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3)) == (0xC4923A9C, 0x483DF7A0), "Random123's own"
    seed, name, index = 2**64 - 2, "laser.B", [0, 1, 2**32 - 1, 2**32, 2**33 + 5, 2**53 - 1]
    digest = hashlib.sha256(seed.to_bytes(8, "big") + name.encode()).digest()
    key = int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:8], "big")
    with jax.enable_x64(True):
        found = np.asarray(random_bits(seed, name, bits(*index)))
    wanted = [threefry(key, (j >> 32, j & 0xFFFFFFFF)) for j in index]
    same(found, np.array([high << 32 | low for high, low in wanted], np.uint64))
    assert random_shift(seed, name) == int.from_bytes(digest[8:16], "big")


# Sobol points.


def test_points_are_those_of_scipy():
    oracle, far = qmc.Sobol(MOST_DIMENSIONS, scramble=False, bits=30), 2**20
    wanted = np.concatenate([oracle.random(4096), oracle.fast_forward(far - 64 - 4096).random(128)])
    with jax.enable_x64(True):
        index = bits(*range(4096), *range(far - 64, far + 64))
        found = np.stack([np.asarray(sobol(index, d, 22)) for d in range(MOST_DIMENSIONS)], axis=1)
    same(found / 2.0**BITS, wanted)


def test_every_direction_number_has_its_lowest_bit_in_its_place():
    """Then any 2^m points in a row have every m first bits once, in each dimension."""
    for dimension in range(MOST_DIMENSIONS):
        lowest = [(v & -v).bit_length() for v in directions(dimension)]
        assert lowest == list(range(BITS, 0, -1))
        assert max(directions(dimension)) < 2**BITS


def test_members_are_sobol_points_shifted():
    sampling = Sampling((uniform("a", 0, 1), uniform("b", 0, 1)), 4096, seed=11, sampler="sobol")
    points = (qmc.Sobol(2, scramble=False, bits=30).random(4096) * 2.0**BITS).astype(np.uint64)
    for d, (name, x) in enumerate(drawn(sampling, np.arange(4096)).items()):
        shifted = points[:, d] ^ np.uint64(random_shift(11, name) >> (64 - BITS))
        same(x, (shifted + 0.5) / 2.0**BITS)


def test_sobol_averages_are_better():
    draws = tuple(uniform(name, 0, 1) for name in "abcd")

    def error(sampler: str) -> float:
        x = drawn(Sampling(draws, 4096, seed=3, sampler=sampler), np.arange(4096))
        return abs(float(np.mean(np.exp(sum(x.values())))) / (math.e - 1) ** 4 - 1)

    assert 0 < error("sobol") < 0.03 * error("random")


# Kernels.


@dataclass(frozen=True)
class Careful:
    """A kernel without its short way."""

    program: Kernel

    @property
    def lane_bytes(self) -> int:
        return self.program.lane_bytes

    def has_short_way(self, base: np.ndarray, batch: Batch) -> bool:
        return False

    def __call__(self, base: Array, block: dict[str, Array], way: Way) -> dict[str, Array]:
        return self.program(base, block, way)


def outcome(sampling: Sampling, kernel: Kernel, index: np.ndarray, **theta: Any) -> dict[str, Any]:
    return run(Drawn(kernel, sampling), BENCH.base, read_batch({**theta, INDEX: index}))


@pytest.mark.parametrize("sampling", [LIGHT, Sampling(LIGHT.draws, 2**20, 7, "sobol")], ids=["random", "sobol"])
def test_a_drawn_parameter_is_one_given_by_hand(sampling: Sampling):
    """Over a swept one: the members are the same at each of its values."""
    density, index = np.array([[1e26], [2e26]]), np.arange(10_000, 10_500)
    found = outcome(sampling, BENCH.program, index, density=density)
    values = drawn(sampling, index)
    wanted = BENCH({**values, "density": density})
    assert found["status"].shape == (2, 500)
    assert not found["status"].any()
    close(found["gain"], wanted["gain"])
    for row in range(2):
        same(found["pump"][row], values["pump.rate"])
        same(found["light"][row], values["signal.intensity"])


def test_both_ways_draw_the_same_bits():
    index = np.arange(3000)
    batch = read_batch({INDEX: index})
    assert Drawn(BENCH.program, LIGHT).has_short_way(BENCH.base, batch)
    short, careful = (outcome(LIGHT, k, index) for k in (BENCH.program, Careful(BENCH.program)))
    for name in ("pump", "light"):
        same(short[name], careful[name], name)
    close(short["gain"], careful["gain"])


def test_a_beam_of_random_intensity_is_not_off():
    """The beam of the model is; with it drawn there is straight-line code for a batch, even of one member."""
    fixed = Sampling(THREE[:1], 10, seed=7)
    for index in (np.arange(5), np.array(3), np.array([[3]])):
        batch = read_batch({INDEX: index, "density": np.full((4, 1), 1e26)})
        assert Drawn(BENCH.program, LIGHT).has_short_way(BENCH.base, batch)
        assert not Drawn(BENCH.program, fixed).has_short_way(BENCH.base, batch)
    one = outcome(LIGHT, BENCH.program, np.array(3))
    close(one["gain"], outcome(LIGHT, BENCH.program, np.arange(5))["gain"][3])


def test_members_out_of_range_say_so_and_leave_the_others_alone():
    wide = Sampling((normal("pump.rate", 10.0, 20.0),), 1000, seed=1)
    x = drawn(wide, np.arange(1000))["pump.rate"]
    found = outcome(wide, BENCH.program, np.arange(1000))
    same(found["status"], np.where(x < 0, Status.BAD_INPUT, Status.OK).astype(np.int8))
    same(np.isnan(found["gain"]), x < 0)
    assert UNDECIDED not in found["status"]
    close(found["gain"][x >= 0], BENCH({"pump.rate": x[x >= 0]})["gain"])


def test_single_precision_is_of_the_results_only():
    """An index above 2^24 is no float32."""
    index = 2**40 + np.arange(300)
    batch = read_batch({INDEX: index}, precision="float32")
    found: dict[str, np.ndarray] = {}
    stream(Drawn(BENCH.program, LIGHT), BENCH.base, batch, lambda low, high, part: found.update(pump=part["pump"] + 0))
    same(found["pump"], drawn(LIGHT, index)["pump.rate"].astype(np.float32))
