"""The solver of light along a medium: what an amplifier adds to a model, and how it is solved."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxrate.model.channels import ASE, Channels, Group, Path, settled
from jaxrate.model.fibre import Fibre
from jaxrate.model.fields import Cavity, driven_lines, is_saturating
from jaxrate.model.model import Model
from jaxrate.model.quantities import Quantity, plain, several
from jaxrate.names import shown
from jaxrate.network.coefficients import Parameters
from jaxrate.network.compile import compile_network
from jaxrate.network.network import Network
from jaxrate.propagate import closed, directed, inhomogeneous, mutual
from jaxrate.propagate.coupling import Guided
from jaxrate.solve.batch import Batch
from jaxrate.solve.block import Block, is_pointwise
from jaxrate.solve.classes import are_needed, check_holes, check_number
from jaxrate.solve.lanes import FEWEST_LANES, run
from jaxrate.solve.light import Light
from jaxrate.solve.program import Program, batch_of, populations
from jaxrate.solve.rates import checked_rates
from jaxrate.solve.solution import Solution
from jaxrate.solve.status import Status


@dataclass(frozen=True)
class Amplifier:
    r"""Solver of light along a medium: pumps, signals and amplified spontaneous emission, from z = 0 to z = L.

    $\pm\frac{dP_k}{dz} = (g_k - \alpha_k)P_k + m\,h\nu_k\,\Delta\nu\,\Gamma_k\sum_l (N\sigma_e n_u)_l$ with the
    populations of the model's own network, steady at every z under $W_l = \sum_k\Gamma_k\sigma_{kl}P_k/(h\nu_k A)$.

    Args:
        length: From end to end: "8 m". Parameter `length`.
        channels: `jr.Channels` (signals and pumps) and `jr.ASE`, each with a label of its own.
        area: Cross-section of the doped core, or of the beam in a bulk medium: "20 um^2". Parameter `area`.
        waveguide: Instead of an area a `jr.Fibre`, from which area and overlaps follow.
        reflections: Power reflectivities of the ends, at z = 0 and z = L. Parameters `input.reflection`,
            `output.reflection`.
        rtol: Relative error of output powers; the grid is refined until it holds.
        points: Positions of the results, evenly from end to end.
        classes: Number of classes of an inhomogeneous line, such as 200: each saturates by itself, so that light burns
            holes; as for `jr.Steady`. For light of one direction, without ASE.

    First derivatives are exact; derivatives of derivatives are not right.

    Raises:
        ValueError: no channels, neither or both of `area` and `waveguide`, a tolerance or a number of points that
            cannot be meant; when it meets a model, a channel on an unknown line or outside of a measured spectrum.
    """

    length: Quantity
    channels: Sequence[Group]
    area: Quantity | None = None
    waveguide: Fibre | None = None
    reflections: Sequence[Quantity] = (0.0, 0.0)
    rtol: float = 1e-8
    points: int = 51
    classes: int | None = None

    def __post_init__(self) -> None:
        for name in ("length", "area"):
            object.__setattr__(self, name, plain(name, getattr(self, name)))
        for name in ("channels", "reflections"):
            given = getattr(self, name)
            found = several(given)
            object.__setattr__(self, name, (given,) if found is None else found)
        object.__setattr__(self, "reflections", tuple(plain("reflections", end) for end in self.reflections))
        object.__setattr__(self, "points", plain("points", self.points))
        _check(self)

    @property
    def positions(self) -> np.ndarray:
        """Fractions of the length of the results, shape (position,)."""
        even = np.arange(self.points) / (self.points - 1)
        return np.where(even > 0.5, 1.0 - even[::-1], even)  # seen from either end they are the same

    @property
    def axis(self) -> tuple[str, Any, str]:
        """Every observable of one place has an axis of positions, as fractions of the length."""
        return "position", self.positions, "1"

    def stated(self, model: Model) -> Model:
        """The model with the light along it: its channels, waveguide, length, area and reflections."""
        return _stated(self, model)

    def check(self, network: Network) -> None:
        """Refuse what it cannot solve."""
        check_holes(network, self.classes)
        if are_needed(network, self.classes) and not directed.holds(Guided(network)):
            raise ValueError(
                "`classes` are solved for light of one direction, without ASE and reflections: leave those out, or "
                "state mixing='fast' on the line if its classes mix faster than light saturates them."
            )
        _refuse_other_light(network, self.classes)

    def check_names(self, network: Network, given: Collection[str]) -> None:
        """Refuse unknown names; a reflection can vary where one is stated."""
        network.check_names(given)
        for name in ("input.reflection", "output.reflection"):
            if name in given and not Guided(network).rays.reflected:
                raise ValueError(
                    f"`{name}` can vary where one is stated: jr.Amplifier(..., reflections=(0.001, 0.001))."
                )

    def base(self, network: Network) -> Any:
        """Values of the parameters."""
        return network.base

    def begin(self, network: Network) -> Any:
        """There is nothing to start from."""
        return None

    def lane_bytes(self, network: Network) -> int:
        """Memory of one lane."""
        rays, levels = len(Guided(network).rays.each), len(network.populations)
        return 8 * (rays * (self.points + levels + 8) + levels * self.points) * (self.classes or 1)

    def fewest_lanes(self, network: Network) -> int:
        """Lanes in a block at least."""
        return FEWEST_LANES

    def blocks_per_call(self, network: Network) -> int | None:
        """A block is long work by itself."""
        return 1

    def has_legal_rates(self, network: Network, parameters: Parameters) -> Array:
        """Which lanes have rates that are numbers in the dark."""
        guided = Guided(network)
        legal = checked_rates(network, guided.with_rates(parameters, jnp.zeros((2 * len(guided.lines), 1))))[1]
        return legal & (parameters["input.reflection"] <= 1) & (parameters["output.reflection"] <= 1)

    def has_short_way(self, network: Network, base: np.ndarray, batch: Batch) -> bool:
        """There is one way only."""
        return False

    def short_results(self, block: Block) -> tuple[dict[str, Array], Array]:
        """A shorter way that is right for no lane."""
        return self.results(block)[0], jnp.asarray(False)

    def way(self, network: Network) -> Literal["classes", "closed", "directed", "mutual"]:
        """Class by class, closed form, direct integration of light of one direction, or Newton's method."""
        guided = Guided(network)
        if are_needed(network, self.classes):
            return "classes"
        if closed.holds(guided):
            return "closed"
        return "directed" if directed.holds(guided) else "mutual"

    def method(self, network: Network, given: Collection[str] = ()) -> str:
        """How the network is solved, where those parameters are given."""
        lossy = any(f"{label}.loss" in given for label in Guided(network).rays.groups)
        way = self.way(network)
        return {
            "classes": f"direct integration of {self.classes} classes, rtol {self.rtol:g}",
            "closed": "closed form of Saleh et al.",
            "directed": f"direct integration, rtol {self.rtol:g}",
            "mutual": f"Newton's method on the population profile, rtol {self.rtol:g}",
        }["directed" if way == "closed" and lossy else way]

    def results(self, block: Block) -> tuple[dict[str, Array], Array]:
        """Observables by name, those of one place with the axis of positions behind their own; and status (lane,)."""
        guided = Guided(block.network)
        classes = partial(inhomogeneous.solve, num=self.classes or 0)
        ways = {"classes": classes, "closed": closed.solve, "directed": directed.solve, "mutual": mutual.solve}
        solve = ways[self.way(block.network)]
        ends = all(getattr(function, "ends_suffice", False) for _, function in block.observables)
        positions = self.positions[[0, -1]] if ends else self.positions
        _check_precision(block)
        powers, n, status = solve(guided, block, positions, self.rtol)
        finite = jnp.all(jnp.isfinite(powers), axis=(0, 1))
        status = jnp.where((status == Status.OK) & ~finite, jnp.int8(Status.OUT_OF_RANGE), status)
        light = Light(powers, tuple(positions.tolist()), guided.rays)
        return _read(block, Solution(n, status, block.parameters, block.network, light=light)), status


def _check_precision(block: Block) -> None:
    """Refuse single precision inside of a user's transformation: JAX would come back to float64 loops in float32."""
    if block.way.mode == "any" and block.way.dtype != np.float64:
        raise ValueError(
            "Inside of jax.jit, jax.grad or jax.vmap an amplifier is solved in double precision only: write "
            "`with jax.enable_x64(True):` around it, and give it float64 arrays."
        )


def _read(block: Block, along: Solution) -> dict[str, Array]:
    places = tuple((name, function) for name, function in block.observables if is_pointwise(function))
    others = tuple((name, function) for name, function in block.observables if not is_pointwise(function))

    def at(n: Array) -> dict[str, Array]:
        return block.read(Solution(n, along.status, block.parameters, block.network), places)

    found = jax.vmap(at, in_axes=1, out_axes=-2)(along.populations) if places else {}
    return found | block.read(along, others)


def _check(amplifier: Amplifier) -> None:
    for group in amplifier.channels:
        if not isinstance(group, Channels | ASE):
            raise ValueError(f"Each of `channels` must be a jr.Channels or jr.ASE, but {shown(group)} was given.")
    if not any(isinstance(group, Channels | ASE) for group in amplifier.channels):
        raise ValueError(
            "An Amplifier must have `channels`: jr.Channels('signal', wavelength='1550 nm', power='1 mW')."
        )
    if (amplifier.area is None) == (amplifier.waveguide is None):
        raise ValueError("State either area='20 um^2' or waveguide=jr.Fibre(core_radius='2 um', ...) of an Amplifier.")
    if not isinstance(amplifier.waveguide, Fibre | None):
        raise ValueError(f"`waveguide` must be a jr.Fibre, but {shown(amplifier.waveguide)} was given.")
    if len(amplifier.reflections) != 2:
        raise ValueError("`reflections` must be those of both ends, such as (0, 0.04).")
    check_number(amplifier.classes)
    rtol, points = amplifier.rtol, amplifier.points
    if isinstance(rtol, bool) or not isinstance(rtol, int | float) or not 1e-12 <= rtol < 1:
        raise ValueError(f"`rtol` must be a number from 1e-12 to 1, but {shown(rtol)} was given.")
    if isinstance(points, bool) or not isinstance(points, int) or points < 2:
        raise ValueError(f"`points` must be a whole number of at least 2, but {shown(points)} was given.")


@lru_cache(maxsize=256)
def _stated(amplifier: Amplifier, model: Model) -> Model:
    groups = [settled(_guided(group, amplifier), model) for group in amplifier.channels]
    drives = tuple(dict.fromkeys(line for group in groups for line in driven_lines(group)))
    guide, (first, second) = amplifier.waveguide, amplifier.reflections
    area = amplifier.area if guide is None else guide.area
    assert area is not None
    path = Path("light", amplifier.length, area, (first, second), drives)
    _refuse_fields(model)
    whole = model.replace(processes=[*model.processes, *([guide] if guide else []), *groups, path])
    if whole.density is None:
        raise ValueError("An Amplifier needs the model's `density`, for example density='1e25 m^-3'.")
    return whole


def _guided(group: Group, amplifier: Amplifier) -> Group:
    """A group with an overlap of 1 where neither it nor a waveguide says more."""
    return group if amplifier.waveguide or group.overlap is not None else replace(group, overlap=1.0)


def _refuse_other_light(network: Network, classes: int | None) -> None:
    """Refuse a beam that burns a hole too: the classes are placed for the channels."""
    own = [p for p in network.model.processes if not isinstance(p, Channels | ASE | Path)]
    for process in own:
        for label in driven_lines(process):
            if classes is not None and is_saturating(process, network.model.radiative(label)):
                raise ValueError(
                    f"`{process.label}` burns a hole in `{label}` beside the channels, which is not solved: state it "
                    "as a jr.Channels, or mixing='fast' on the line."
                )


def _refuse_fields(model: Model) -> None:
    for process in model.processes:
        if isinstance(process, Cavity):
            raise ValueError(
                f"`{process.label}`: a Cavity inside of an Amplifier is not solved; leave one of them out."
            )


def amplify(
    model: Model,
    amplifier: Amplifier,
    theta: Mapping[str, Any] | None = None,
    *,
    precision: Literal["float64", "float32"] | None = None,
) -> Solution:
    """Powers and populations along an amplifier, of every ensemble of a batch.

    Args:
        model: The medium.
        amplifier: The light along it.
        theta: Parameter values in SI units by name, of the model and of the amplifier: {"pump.power": array}; arrays
            broadcast by NumPy's rules and their common shape is the batch. A list of channels takes an array whose
            first axis is the channel, or one number for all.
        precision: Of the results for NumPy arrays, float64 by default; JAX arrays decide themselves.

    Returns:
        A `Solution` with populations of shape (population, position, *batch) and `light`; NaN where its status is not
        0.

    Raises:
        ValueError: as of `jr.Amplifier`; an unknown name (the nearest is proposed), shapes that do not broadcast.
    """
    network, given = compile_network(amplifier.stated(model)), theta or {}
    amplifier.check(network)
    read = (("populations", populations), ("powers", _powers))
    found = run(
        Program(network, amplifier, read), amplifier.base(network), batch_of(network, amplifier, given, precision)
    )
    light = Light(found["powers"], tuple(amplifier.positions.tolist()), Guided(network).rays)
    parameters = {**network.model.parameters(), **network.spread(given)}
    method = amplifier.method(network, given)
    return Solution(found["populations"], found["status"], parameters, network, method=method, light=light)


def _powers(solution: Solution) -> Array:
    """All powers along it."""
    return solution.light.powers
