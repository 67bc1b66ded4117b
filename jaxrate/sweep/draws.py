"""Parameters drawn at random: distributions, the sampling of an ensemble, and the kernels that draw its members."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.experiment import Experiment
from jaxrate.names import shown, unknown
from jaxrate.solve.batch import Batch, read_batch
from jaxrate.solve.lanes import Kernel, Way, run
from jaxrate.solve.status import Status
from jaxrate.sweep.quantiles import quantile
from jaxrate.sweep.random_bits import random_bits, random_shift
from jaxrate.sweep.sobol import BITS, MOST_DIMENSIONS, sobol
from jaxrate.unit_text import parse_quantity
from jaxrate.units import to_frequency, to_si

INDEX = "ensemble"
"""Name under which a block has the indices of its members."""

KINDS = {"normal": ("mean", "sd"), "uniform": ("low", "high"), "lognormal": ("median", "factor")}
"""Distributions, and what each is given by."""

SAMPLERS = ("random", "sobol")
"""How members are spread: each by itself, or evenly over all parameters together."""

MOST_ENSEMBLES = 2**BITS
"""Indices up to here are exact in float64, in which blocks hold them."""


@dataclass(frozen=True)
class Draw:
    """How one parameter is drawn; made by `normal`, `uniform` and `lognormal`.

    Args:
        name: The parameter.
        kind: One of `KINDS`.
        args: What the distribution is given by: numbers in SI units, or text with a unit until the model is known.

    Raises:
        ValueError: an unknown distribution (the nearest is proposed), or numbers that are none.
    """

    name: str
    kind: str
    args: tuple[float | str, float | str]

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ValueError(
                f"`name` must be that of a parameter, such as 'laser.B', but {shown(self.name)} was given."
            )
        if self.kind not in KINDS:
            raise ValueError(unknown("distribution", self.kind, KINDS))
        first, second = (math.nan if isinstance(x, str) else x for x in self.args)  # no comparison with NaN holds
        complaint = _complaint(self.kind, first, second)
        if complaint:
            raise ValueError(f"`{self.name}`: {complaint}.")

    @property
    def stated(self) -> dict[str, float | str]:
        """What the distribution is given by, by name."""
        return dict(zip(KINDS[self.kind], self.args, strict=True))


def _complaint(kind: str, first: float, second: float) -> str:
    if kind == "normal" and second <= 0:
        return f"the standard deviation `sd` must be positive, but {shown(second)} was given"
    if kind == "uniform" and first >= second:
        return f"`low` must be below `high`, but {shown(first)} and {shown(second)} were given"
    if kind == "lognormal" and first <= 0:
        return f"the `median` must be positive, but {shown(first)} was given"
    if kind == "lognormal" and second <= 1:
        return f"the `factor` must be above 1 (1.1 is a spread of about 10 %), but {shown(second)} was given"
    return ""


def normal(name: str, mean: float | str, sd: float | str) -> Draw:
    r"""A parameter that is normally distributed: $p(x) \propto \exp(-(x - \mu)^2 / 2 \sigma^2)$.

    Nothing is cut off: where a rate, an intensity or a density comes out negative, the status of that member says so.

    Args:
        name: The parameter.
        mean: Its mean, a number in SI units or text with a unit; a frequency of light may be a wavelength.
        sd: Its standard deviation, likewise; of a temperature a difference in K, of a frequency one in Hz.

    Raises:
        ValueError: a standard deviation that is not positive, or what is no number.

    Examples:
        >>> jr.normal("laser.B", "4.6e15 m^3 J^-1 s^-2", "2e14 m^3 J^-1 s^-2")
    """
    return _draw(name, "normal", mean, sd)


def uniform(name: str, low: float | str, high: float | str) -> Draw:
    """A parameter that is anything between two bounds with equal probability.

    Args:
        name: The parameter.
        low: Lower bound, a number in SI units or text with a unit; a frequency of light may be a wavelength.
        high: Upper bound, likewise.

    Raises:
        ValueError: bounds in the wrong order, or what is no number.

    Examples:
        >>> jr.uniform("temperature", "290 K", "310 K")
    """
    return _draw(name, "uniform", low, high)


def lognormal(name: str, median: float | str, factor: float | str) -> Draw:
    r"""A positive parameter whose logarithm is normal: $\ln x$ about $\ln m$ with the standard deviation $\ln f$.

    68 % of the members are between $m / f$ and $m f$.

    Args:
        name: The parameter.
        median: Its median m, a number in SI units or text with a unit; a frequency of light may be a wavelength.
        factor: The geometric standard deviation f, a number above 1.

    Raises:
        ValueError: a median that is not positive, a factor that is not above 1, or what is no number.

    Examples:
        >>> jr.lognormal("density", "1.4e26 m^-3", 1.1)
    """
    return _draw(name, "lognormal", median, factor)


def _draw(name: str, kind: str, first: Any, second: Any) -> Draw:
    args = [_argument(name, what, given) for what, given in zip(KINDS[kind], (first, second), strict=True)]
    return Draw(name, kind, (args[0], args[1]))


def _argument(name: str, what: str, given: Any) -> float | str:
    if isinstance(given, str):
        return given
    number = isinstance(given, int | float | np.integer | np.floating) and not isinstance(given, bool)
    if not number or not abs(given) <= sys.float_info.max:
        raise ValueError(
            f"`{name}`: `{what}` must be a finite number in SI units, or text with a unit such as '100 s^-1', "
            f"but {shown(given)} was given."
        )
    return float(given)


@dataclass(frozen=True)
class Sampling:
    """Members of an ensemble: each value is a function of the seed, the parameter's name and the member's index.

    The random sampler takes random bits of these three, so a value does not depend on what else is drawn. The Sobol
    sampler takes the coordinate of the Sobol point of that index, one dimension a parameter in the order given, shifted
    digitally by bits made of seed and name: its averages are unbiased over seeds, and for smooth results their error
    falls nearly as 1/n; best with n a power of 2.

    Args:
        draws: Distributions, in SI units.
        ensembles: Number of members.
        seed: From 0 to 2^64 - 1.
        sampler: One of `SAMPLERS`.

    Source:
        P. L'Ecuyer, C. Lemieux, *Recent advances in randomized quasi-Monte Carlo methods* (2002).
    """

    draws: tuple[Draw, ...]
    ensembles: int
    seed: int = 0
    sampler: str = "random"

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters that are drawn."""
        return tuple(draw.name for draw in self.draws)

    def values(self, index: Array) -> dict[str, Array]:
        """Values of some members; a pure function for a program under `jax.enable_x64(True)`.

        Args:
            index: Which members, whole numbers in float64, shape (lane,).

        Returns:
            By parameter, in SI units, float64, shape (lane,).
        """
        j = index.astype(jnp.int64).astype(jnp.uint64)
        return {draw.name: self._value(k, draw, j) for k, draw in enumerate(self.draws)}

    def _value(self, k: int, draw: Draw, j: Array) -> Array:
        first, second = (float(x) for x in draw.args)
        return quantile(draw.kind, first, second, self._bits(k, j))

    def _bits(self, k: int, j: Array) -> Array:
        """`BITS` bits for the parameter k of each member."""
        name, surplus = self.draws[k].name, 64 - BITS
        if self.sampler == "random":
            return random_bits(self.seed, name, j) >> surplus
        return sobol(j, k, (self.ensembles - 1).bit_length()) ^ jnp.uint64(random_shift(self.seed, name) >> surplus)


# What a person asked for, checked.


def read_sampling(
    random: Sequence[Draw] | Draw | None,
    ensembles: int | None,
    seed: int | None,
    sampler: str | None,
    experiment: Experiment,
) -> Sampling | None:
    """Check which parameters of an experiment are drawn at random, and how.

    Args:
        random: Draws, one a parameter; None or empty where nothing is random.
        ensembles: Number of members.
        seed: From 0 to 2^64 - 1; 0 by default.
        sampler: "random" (default) or "sobol".
        experiment: Whose parameters.

    Returns:
        The sampling in SI units, or None where nothing is random.

    Raises:
        ValueError: an unknown parameter or sampler (the nearest is proposed), one drawn twice or given by an
            expression, a wrong unit, a distribution that is none, a number of members or a seed that is none, or
            anything but `random` where nothing is random.
    """
    draws = _listed(random)
    if not draws:
        return _nothing(ensembles=ensembles, seed=seed, sampler=sampler)
    _check_parameters([draw.name for draw in draws], experiment)
    units = {p.name: p.unit for p in experiment.parameter_list}
    if sampler is not None and sampler not in SAMPLERS:
        raise ValueError(f"`sampler`: {unknown('sampler', sampler, SAMPLERS)}")
    if sampler == "sobol" and len(draws) > MOST_DIMENSIONS:
        raise ValueError(
            f"sampler='sobol' takes up to {MOST_DIMENSIONS} random parameters, but {len(draws)} were given: "
            "write sampler='random'."
        )
    read = tuple(_in_si(draw, units[draw.name]) for draw in draws)
    return Sampling(read, _members(ensembles), _seed(seed), sampler or "random")


def _listed(random: Any) -> list[Draw]:
    draws = [random] if isinstance(random, Draw) else random
    if draws is None:
        return []
    wrong = [d for d in draws if not isinstance(d, Draw)] if isinstance(draws, Sequence) else [draws]
    if isinstance(draws, str) or wrong:
        raise ValueError(
            "`random` must be a list of draws such as jr.normal('pump.rate', '100 s^-1', '5 s^-1'), "
            f"but {shown(draws if isinstance(draws, str) else wrong[0])} was given."
        )
    return list(draws)


def _nothing(**given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"`{name}` is for parameters drawn at random, so give `random` too, "
                "for example random=[jr.normal('pump.rate', '100 s^-1', '5 s^-1')]."
            )


def _check_parameters(names: Sequence[str], experiment: Experiment) -> None:
    experiment.solver.check_names(experiment.network, names)
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"`{name}` must be drawn once, but `random` has it {names.count(name)} times.")
    if INDEX in experiment.network.order:
        raise ValueError(f"A model with a parameter `{INDEX}` cannot have random ones: that is what members are named.")


def _in_si(draw: Draw, unit: str) -> Draw:
    first, second = (_number(draw.name, what, given, unit) for what, given in draw.stated.items())
    return replace(draw, args=(first, second))


def _number(name: str, what: str, given: float | str, unit: str) -> float:
    label = f"{what} of {name}"
    if what == "factor":
        return float(to_si(given, "1", label))
    if what != "sd" and unit == "Hz" and name.endswith(".frequency"):
        return float(to_frequency(given, label))
    value = float(to_si(given, unit, label))
    if what == "sd" and isinstance(given, str) and not _counts_from_zero(given, unit):
        raise ValueError(
            f"`{label}` must be a difference in {unit}, but {shown(given)} was given: 0 of it is not zero."
        )
    return value


def _counts_from_zero(given: str, unit: str) -> bool:
    """Whether no amount of the unit of a text is nothing: of degC and dBm it is something."""
    nothing = " ".join(("0", *(f"{symbol}^{power}" for symbol, power in parse_quantity(given)[1])))
    return to_si(nothing, unit, given) == 0


def _members(ensembles: Any) -> int:
    if ensembles is None:
        raise ValueError("`ensembles` must say how many members to draw, for example ensembles=10**6.")
    return _whole("ensembles", ensembles, 1, MOST_ENSEMBLES, "a number of members from 1 to 2^53 such as 10**6")


def _seed(seed: Any) -> int:
    return _whole("seed", 0 if seed is None else seed, 0, 2**64 - 1, "a whole number from 0 to 2^64 - 1")


def _whole(name: str, given: Any, low: int, high: int, what: str) -> int:
    whole = isinstance(given, int | np.integer) and not isinstance(given, bool)
    if not whole or not low <= int(given) <= high:
        raise ValueError(f"`{name}` must be {what}, but {shown(given)} was given.")
    return int(given)


# Kernels.


@dataclass(frozen=True)
class Drawn:
    """Kernel that draws the random parameters of each lane, whose index is in the block, and runs another one.

    Args:
        program: The other kernel.
        sampling: What is drawn.
    """

    program: Kernel
    sampling: Sampling

    @property
    def lane_bytes(self) -> int:
        """Memory of one lane."""
        return self.program.lane_bytes + 16 * len(self.sampling.draws)

    def has_short_way(self, base: np.ndarray, batch: Batch) -> bool:
        """Whether the other kernel has it, for a batch along which the drawn parameters vary, be it one lane."""
        column = np.zeros((2, *(1,) * len(batch.shape)))
        given = {name: a for name, a in batch.arrays.items() if name != INDEX}
        varied = {draw.name: column + np.reshape(draw.args, column.shape) for draw in self.sampling.draws}
        return self.program.has_short_way(base, replace(batch, arrays=given | varied, shape=(2, *batch.shape)))

    def __call__(self, base: Array, block: dict[str, Array], way: Way) -> dict[str, Array]:
        """Results of the other kernel with the values drawn."""
        given = {name: a for name, a in block.items() if name != INDEX}
        return self.program(base, given | self.sampling.values(block[INDEX]), way)


@dataclass(frozen=True)
class Values:
    """Kernel whose results are the values drawn.

    Args:
        sampling: What is drawn.
    """

    sampling: Sampling

    @property
    def lane_bytes(self) -> int:
        """Memory of one lane."""
        return 64 * len(self.sampling.draws)

    def has_short_way(self, base: np.ndarray, batch: Batch) -> bool:
        """There is one way only."""
        return False

    def __call__(self, base: Array, block: dict[str, Array], way: Way) -> dict[str, Array]:
        """Values by parameter, and `status`, which is OK."""
        return {**self.sampling.values(block[INDEX]), "status": jnp.full(way.lanes, Status.OK, jnp.int8)}


def drawn(sampling: Sampling, index: np.ndarray) -> dict[str, np.ndarray]:
    """Values of some members.

    Args:
        sampling: What is drawn.
        index: Which members, whole numbers, any shape.

    Returns:
        By parameter, in SI units, float64, shape of `index`.

    Raises:
        ValueError: an index that is not that of a member.
    """
    j = np.asarray(index)
    if j.size and not (j.min() >= 0 and j.max() < sampling.ensembles):
        raise ValueError(f"`index` must be from 0 to {sampling.ensembles - 1}, but {shown(index)} was given.")
    found = run(Values(sampling), np.zeros(0), read_batch({INDEX: j}))
    return {name: found[name] for name in sampling.names}
