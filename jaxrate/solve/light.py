"""Light along an amplifier: what its channels are, and their powers."""

from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import jax
import numpy as np

from jaxrate.model.channels import ASE, Channels, Group, Path
from jaxrate.model.model import Model
from jaxrate.names import unknown


@dataclass(frozen=True)
class Ray:
    """One channel in one direction.

    Args:
        group: Label of its `Channels` or `ASE`.
        frequency: Of its light [Hz].
        forward: Whether it runs from z = 0 towards z = L.
        power: Parameter that is its launched power; "" where nothing is launched.
        modes: Modes that carry noise; 0 of a signal.
        width: Of its bin [Hz]; 0 of a signal.
        place: Position in its group.
    """

    group: str
    frequency: float
    forward: bool
    power: str
    modes: int
    width: float
    place: int


@dataclass(frozen=True)
class Rays:
    """Every channel of an amplifier in the directions it runs in.

    Args:
        each: The channels, group by group.
        reflected: Whether the ends reflect.
    """

    each: tuple[Ray, ...]
    reflected: bool = False

    @cached_property
    def frequencies(self) -> np.ndarray:
        """Of each [Hz], shape (channel,)."""
        return np.array([ray.frequency for ray in self.each])

    @cached_property
    def forward(self) -> np.ndarray:
        """Which run from z = 0 towards z = L, shape (channel,)."""
        return np.array([ray.forward for ray in self.each])

    @cached_property
    def partner(self) -> np.ndarray:
        """The channel that its light is reflected into, shape (channel,); -1 where there is none."""
        at = {(ray.group, ray.place, ray.forward): i for i, ray in enumerate(self.each) if self.reflected}
        return np.array([at.get((ray.group, ray.place, not ray.forward), -1) for ray in self.each])

    @property
    def has_noise(self) -> bool:
        """Whether spontaneous emission is followed."""
        return any(ray.modes for ray in self.each)

    def of(self, group: str, forward: bool | None = None) -> np.ndarray:
        """Positions of the channels of a group, by default in the direction it was launched in.

        Raises:
            ValueError: an unknown group (the nearest is proposed).
        """
        if group not in self.groups:
            raise ValueError(unknown("group of channels", group, list(self.groups), "this amplifier"))
        members = [i for i, ray in enumerate(self.each) if ray.group == group]
        wanted = self.each[members[0]].forward if forward is None else forward
        return np.array([i for i in members if self.each[i].forward == wanted], int)

    @property
    def groups(self) -> tuple[str, ...]:
        """Labels of the groups."""
        return tuple(dict.fromkeys(ray.group for ray in self.each))


@lru_cache(maxsize=256)
def rays_of(model: Model) -> Rays:
    """Every channel that runs along an amplifier, as its statement has it; none where there is no amplifier."""
    groups = [p for p in model.processes if isinstance(p, Channels | ASE)]
    reflected = any(_reflects(p) for p in model.processes if isinstance(p, Path))
    return Rays(tuple([ray for group in groups for ray in _rays(group, reflected)]), reflected)


def _reflects(path: Path) -> bool:
    return any(p.value != 0.0 for p in path.parameters(None) if p.name.endswith(".reflection"))


def _rays(group: Group, reflected: bool) -> list[Ray]:
    if isinstance(group, ASE):
        places = list(enumerate(group.frequencies))
        ways = (True, False)
        return [Ray(group.label, nu, way, "", group.modes, group.bin_width, i) for way in ways for i, nu in places]
    forward = group.direction > 0
    named = list(zip(group.frequencies, group.power_names, strict=True))
    found = [Ray(group.label, nu, forward, name, 0, 0.0, i) for i, (nu, name) in enumerate(named)]
    back = [Ray(group.label, nu, not forward, "", 0, 0.0, i) for i, (nu, _) in enumerate(named)]
    return [*found, *back] if reflected else found


@partial(jax.tree_util.register_dataclass, data_fields=["powers"], meta_fields=["positions", "rays"])
@dataclass(frozen=True)
class Light:
    """Powers along an amplifier.

    Attributes:
        powers: Inside, of each channel [W], shape (channel, position, *batch); NaN where the status is not 0.
        positions: Fractions of the length, from 0 to 1, shape (position,).
        rays: What the channels are.
    """

    powers: Any
    positions: tuple[float, ...]
    rays: Rays

    def leaving(self, channels: np.ndarray) -> Any:
        """Powers at the end where channels leave, inside [W], shape (channel, *batch)."""
        return self.powers[channels, np.where(self.rays.forward[channels], len(self.positions) - 1, 0)]
