"""Atoms that come and go: a flow through the volume that a model describes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jaxrate.model.processes import Process
from jaxrate.model.quantities import Parameter, Quantity, is_rule, parameter, plain, several
from jaxrate.names import shown

if TYPE_CHECKING:
    from jaxrate.model.model import Model


@dataclass(frozen=True)
class Exchange(Process):
    r"""Inflow and outflow that split: every level is left at one rate, and as many atoms enter in stated shares.

    $\dot n_i = R\,(f_i - n_i)$ with $\sum_i f_i = 1$: atoms that flow through the bulb of a maser, dye that flows
    through a jet, atoms that cross a beam. It lowers to reactions a -> b of rate $R f_b$, so it conserves its species.

    Args:
        label: Its name; parameters `label.rate` and a share `label.into.LEVEL` for each level of `into`.
        rate: R [s^-1], the inverse of the mean stay.
        into: Shares of the levels that atoms enter in, {"up": 0.9, "down": 0.1}; others are left only. All are levels
            of one species. Where shares vary from lane to lane, they are divided by their sum.
        source: Where the numbers come from.

    Raises:
        ValueError: no level is named, a share is negative, stated shares do not sum to 1.
    """

    rate: Quantity
    into: Mapping[str, Quantity]
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "into", _pairs(self.label, self.into))
        _, *shares = self.parameters(None)
        if not any(is_rule(share.value) for share in shares):
            _check_sum(self.label, [float(share.value) for share in shares])  # type: ignore[arg-type]

    @property
    def shares(self) -> dict[str, str]:
        """The parameter of each level that atoms enter in, by the level's name as stated."""
        return {level: f"{self.label}.into.{level}" for level, _ in self.into}

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.rate` [s^-1], and `label.into.LEVEL` of each level that atoms enter in."""
        rate = parameter(f"{self.label}.rate", self.rate, "s^-1", source=self.source)
        given = zip(self.shares.values(), self.into, strict=True)
        return [rate, *(parameter(name, share, "1", source=self.source) for name, (_, share) in given)]


def _pairs(label: str, given: Any) -> tuple[tuple[str, Quantity], ...]:
    """Shares by level as pairs, which can be hashed."""
    pairs = tuple(given.items()) if isinstance(given, Mapping) else several(given)
    if not pairs or not all(isinstance(p, tuple) and len(p) == 2 and isinstance(p[0], str) for p in pairs):
        raise ValueError(
            f"`{label}`: `into` must be the share of each level that atoms enter in, such as {{'ground': 1}}, but "
            f"{shown(given)} was given."
        )
    return tuple((level, plain(f"{label}.into.{level}", share)) for level, share in pairs)


def _check_sum(label: str, shares: list[float]) -> None:
    if not abs(sum(shares) - 1) < 1e-9:
        raise ValueError(f"`{label}`: the shares of `into` must sum to 1, but {shares} sum to {sum(shares):.9g}.")
