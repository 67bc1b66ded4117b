"""Gain that is stated instead of computed from a line: of a semiconductor, or of any population by an expression."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxrate.model.fields import Cavity
from jaxrate.model.processes import Process, check_index
from jaxrate.model.quantities import Parameter, Quantity, parameter

if TYPE_CHECKING:
    from jaxrate.model.model import Model


@dataclass(frozen=True)
class StimulatedGain(Process):
    r"""Stimulated emission into a cavity by a gain that is stated, usually as an expression of populations.

    $\dot\phi = \eta\,\frac{c}{n_g}\,g\,\phi$ with $\eta$ and $\phi$ of the cavity; each photon costs one particle on
    the left of the reaction, $\dot N = -\eta\,\frac{c}{n_g}\,g\,\phi/V$. Where g is negative light is absorbed, and the
    reaction runs backwards.

    Args:
        label: Its name; the parameter is `label.gain`.
        reaction: "carriers -> cavity": what each photon costs, and the label of the `Cavity` that it goes to. Levels
            may pay, too: "upper -> lower + cavity".
        gain: g, the gain of the material per length [m^-1], of either sign:
            `jr.expr("a*(carriers - N_tr)/(1 + eps*cavity)")`.
        n_g: Group index of the mode.
        source: Where the numbers come from.

    Raises:
        ValueError: the reaction is none of this kind, the gain or the index cannot be read.

    Source:
        L. A. Coldren, S. W. Corzine, Diode Lasers and Photonic Integrated Circuits (1995), equations 2.13 to 2.16, for
        photons counted by number.
    """

    reaction: str
    gain: Quantity
    n_g: float = 1.0
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        left, right = self.sides
        if len(left) != 1 or not right:
            raise ValueError(
                f"`{self.label}`: a StimulatedGain must read 'carriers -> cavity' or 'upper -> lower + cavity', but "
                f"{self.reaction!r} was given."
            )
        check_index(self.label, "group index `n_g`", self.n_g)
        self.parameters(None)

    def without_photon(self, model: "Model") -> tuple[str, ...]:
        """What its reaction leads to beside the photon, by the names stated."""
        return tuple(name for name in self.sides[1] if name != self.cavity(model))

    def cavity(self, model: "Model") -> str:
        """Label of the cavity that it leads to."""
        (found,) = (p.label for p in model.processes if isinstance(p, Cavity) and p.label in self.sides[1])
        return found

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.gain` [m^-1]."""
        return [parameter(f"{self.label}.gain", self.gain, "m^-1", "finite", self.source)]
