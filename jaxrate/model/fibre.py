"""The fibre that guides the light of an amplifier."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jaxrate.expr import Expr
from jaxrate.model.processes import Process
from jaxrate.model.quantities import Parameter, Quantity, parameter
from jaxrate.names import shown
from jaxrate.physics import fibre

if TYPE_CHECKING:
    from jaxrate.model.model import Model

LARGEST = 0.01
"""Lengths across a fibre [m] above which a number without a unit must have been meant in another one."""


@dataclass(frozen=True)
class Fibre(Process):
    r"""A fibre, evenly doped up to a radius, that guides every channel in its lowest mode.

    The share $\Gamma = 1 - e^{-2b^2/w^2}$ of a channel runs inside the doped radius b: with `numerical_aperture` w
    follows from the core and the wavelength (`jaxrate.physics.fibre.confined_radius`), with `mode_field_diameter` it is
    half of that, the same for every wavelength.

    Args:
        label: Its name; parameters `label.core_radius`, `label.numerical_aperture` or `label.mode_field_diameter`,
            `label.doped_radius`.
        core_radius: a [m]: "1.19 um".
        numerical_aperture: NA of the core, a number: 0.23.
        mode_field_diameter: MFD [m], diameter at which the intensity has fallen to 1/e^2: "5.8 um".
        doped_radius: b [m]; the core radius where none is stated.
        source: Where the numbers come from.

    Raises:
        ValueError: not exactly one of `numerical_aperture` and `mode_field_diameter`, no core radius, or a number that
            cannot be that of a fibre.
    """

    label: str = "fibre"
    core_radius: Quantity | None = None
    numerical_aperture: Quantity | None = None
    mode_field_diameter: Quantity | None = None
    doped_radius: Quantity | None = None
    source: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.core_radius is None:
            raise ValueError(
                f"`{self.label}`: a Fibre must state its `core_radius`, for example core_radius='1.19 um'."
            )
        if (self.numerical_aperture is None) == (self.mode_field_diameter is None):
            given = "neither" if self.numerical_aperture is None else "both"
            raise ValueError(
                f"`{self.label}`: a Fibre must have either numerical_aperture=0.23 or mode_field_diameter='5.8 um', "
                f"but {given} was given."
            )
        for stated in self.parameters(None):
            self._check(stated)

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.core_radius` [m], `.numerical_aperture` or `.mode_field_diameter` [m], `.doped_radius` [m]."""
        label, source = self.label, self.source
        doped = Expr(f"`{label}.core_radius`") if self.doped_radius is None else self.doped_radius
        if self.numerical_aperture is not None:
            guide = parameter(f"{label}.numerical_aperture", self.numerical_aperture, "1", "positive", source)
        else:
            guide = parameter(f"{label}.mode_field_diameter", self.mode_field_diameter, "m", "positive", source)
        return [
            parameter(f"{label}.core_radius", self.core_radius, "m", "positive", source),
            guide,
            parameter(f"{label}.doped_radius", doped, "m", "positive", source),
        ]

    def overlap(self, parameters: Mapping[str, Any], frequency: Any) -> Any:
        """Share of the light that runs inside the doped radius.

        Args:
            parameters: SI values by name, `label.doped_radius` among them, each of shape (*batch).
            frequency: Of the light [Hz], broadcastable to them.

        Returns:
            Overlap, 0 to 1; of NumPy arrays in NumPy, of JAX arrays in JAX.
        """
        core, doped = (parameters[f"{self.label}.{name}"] for name in ("core_radius", "doped_radius"))
        if self.numerical_aperture is None:
            everywhere = 1.0 + 0.0 * frequency  # so that the shape is that of the other case
            return everywhere * fibre.overlap_from_diameter(doped, parameters[f"{self.label}.mode_field_diameter"])
        return fibre.overlap_step_index(doped, core, parameters[f"{self.label}.numerical_aperture"], frequency)

    @property
    def area(self) -> Expr:
        r"""Area of the doped region [m^2], of its parameters: $\pi b^2$."""
        return Expr(f"pi * `{self.label}.doped_radius`**2")

    def values(self) -> dict[str, float]:
        """Its parameters in SI units as they are stated, expressions of one another worked out."""
        found = {p.name: p.value for p in self.parameters(None)}
        numbers: dict[str, Any] = {name: value for name, value in found.items() if isinstance(value, float)}
        return numbers | {name: float(rule(numbers)) for name, rule in found.items() if isinstance(rule, Expr)}

    def _check(self, stated: Parameter) -> None:
        if not isinstance(stated.value, float):
            return
        if stated.unit == "m" and stated.value > LARGEST:
            raise ValueError(
                f"`{stated.name}` must be at most 1 cm, but {stated.value:g} m was given: write its unit, "
                f"'{stated.value:g} um' for example."
            )
        if stated.unit == "1" and stated.value >= 2:
            raise ValueError(
                f"`{stated.name}` must be below 2, the square root of n_core^2 - n_clad^2, but "
                f"{shown(self.numerical_aperture)} was given."
            )
