"""Light that runs along a medium: groups of channels, and amplified spontaneous emission."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from jaxrate.constants import c
from jaxrate.model.processes import Process, Radiative, labels
from jaxrate.model.quantities import Parameter, Quantity, light_frequency, parameter, plain, several
from jaxrate.names import shown
from jaxrate.physics import gaps, spectrum
from jaxrate.units import to_frequency

if TYPE_CHECKING:
    from jaxrate.model.model import Model


@dataclass(frozen=True)
class Channels(Process):
    r"""Signals or pumps that run along an amplifier.

    $\pm\frac{dP_k}{dz} = [\Gamma_k\sum_l N_l(\sigma_e n_u - \sigma_a n_l)_l - \alpha_k]\,P_k$

    Args:
        label: Name of the group; parameters `label.power` [W], `label.overlap`, `label.loss` [m^-1]. A group of a list
            has one power for each of its channels, `label.power[0]`, `label.power[1]` ...
        power: Launched at the end where they enter: "100 mW", "-13 dBm"; one for all, or one for each channel.
        wavelength, frequency: Of the light (vacuum), one or a list.
        direction: +1: from z = 0 towards z = L; -1: from z = L towards z = 0.
        drives: Label of the `Radiative` they drive, or several; by default the one line there is, or the one whose
            measured spectrum they lie in.
        overlap: Share of their power that runs in the doped area, Gamma; by default that of the waveguide, or 1.
        loss: Background loss per length, "3 dB/km".
        source: Where the numbers come from.

    Raises:
        ValueError: neither or both of `wavelength` and `frequency`, a negative power, as many powers as channels are
            not given, a direction that is neither +1 nor -1.
    """

    power: Quantity | Sequence[Quantity]
    wavelength: Any = None
    frequency: Any = None
    direction: int = 1
    drives: str | Sequence[str] | None = None
    overlap: Quantity | None = None
    loss: Quantity = 0.0
    source: str = ""
    lists: ClassVar[tuple[str, ...]] = ("power", "wavelength", "frequency", "drives")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("power", "wavelength", "frequency"):
            object.__setattr__(self, name, _each(f"{self.label}.{name}", getattr(self, name)))
        _settle_drives(self)
        _check_channels(self)
        self.parameters(None)

    @property
    def frequencies(self) -> tuple[float, ...]:
        """Of each channel [Hz]."""
        given = self.frequency if self.wavelength is None else self.wavelength
        each = given if isinstance(given, tuple) else (given,)
        return tuple(self._read_frequency(x) for x in each)

    def _read_frequency(self, given: Any) -> float:
        pair = (given, None) if self.wavelength is None else (None, given)
        found = light_frequency(self.label, *pair)
        assert found is not None
        return found

    @property
    def is_list(self) -> bool:
        """Whether it was stated as a list of channels."""
        return isinstance(self.frequency if self.wavelength is None else self.wavelength, tuple)

    @property
    def power_names(self) -> tuple[str, ...]:
        """The parameter that is the power of each channel."""
        name = f"{self.label}.power"
        return tuple(f"{name}[{i}]" for i in range(len(self.frequencies))) if self.is_list else (name,)

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.power` [W] of each channel, `label.loss` [m^-1], and `label.overlap` where it is stated."""
        each = self.power if isinstance(self.power, tuple) else (self.power,) * len(self.power_names)
        powers = [parameter(n, x, "W", source=self.source) for n, x in zip(self.power_names, each, strict=True)]
        return [*powers, *_guiding(self)]


@dataclass(frozen=True)
class ASE(Process):
    r"""Amplified spontaneous emission: noise of both directions in bins of frequency.

    $\pm\frac{dP_k}{dz} = [g_k - \alpha_k]\,P_k + m\,h\nu_k\,\Delta\nu\,\Gamma_k\sum_l (N\sigma_e n_u)_l$

    Args:
        label: Its name; parameters `label.overlap`, `label.loss` [m^-1].
        band: Its two ends, ("1520 nm", "1570 nm") or as frequencies.
        bins: Number of bins, of equal width in frequency; each is a channel in both directions.
        drives: As for `Channels`.
        overlap, loss: As for `Channels`.
        modes: m, polarisations (and transverse modes) that carry the noise.
        source: Where the numbers come from.

    Raises:
        ValueError: a band without width, no bins.
    """

    band: Sequence[Quantity]
    bins: int = 100
    drives: str | Sequence[str] | None = None
    overlap: Quantity | None = None
    loss: Quantity = 0.0
    modes: int = 2
    source: str = ""
    lists: ClassVar[tuple[str, ...]] = ("band", "drives")

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "band", several(self.band) or self.band)
        _settle_drives(self)
        _check_ase(self)
        self.parameters(None)

    @property
    def edges(self) -> tuple[float, float]:
        """Ends of the band [Hz], the lower one first."""
        low, high = sorted(float(to_frequency(end, f"{self.label}.band")) for end in self.band)
        return low, high

    @property
    def bin_width(self) -> float:
        """Width of a bin [Hz]."""
        low, high = self.edges
        return (high - low) / self.bins

    @property
    def frequencies(self) -> tuple[float, ...]:
        """Centre of each bin [Hz]."""
        return tuple(self.edges[0] + (i + 0.5) * self.bin_width for i in range(self.bins))

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`label.loss` [m^-1], and `label.overlap` where it is stated."""
        return _guiding(self)


Group = Channels | ASE


def _guiding(group: Group) -> list[Parameter]:
    found = [parameter(f"{group.label}.loss", group.loss, "m^-1", source=group.source)]
    if group.overlap is None:
        return found
    overlap = parameter(f"{group.label}.overlap", group.overlap, "1", source=group.source)
    if isinstance(overlap.value, float) and overlap.value > 1:
        raise ValueError(f"`{overlap.name}` must be at most 1 (100 %), but {shown(group.overlap)} was given.")
    return [*found, overlap]


FAR = 0.05
"""Relative distance from a line at which light is not taken to drive it, unless it says so."""


def _each(name: str, given: Any) -> Any:
    """One value, or several as a tuple."""
    values = several(given)
    return plain(name, given) if values is None else tuple(plain(name, value) for value in values)


def _settle_drives(group: Group) -> None:
    if group.drives is not None:
        object.__setattr__(group, "drives", labels(group.label, group.drives, "drives"))


def _check_channels(group: Channels) -> None:
    label = group.label
    if (group.wavelength is None) == (group.frequency is None):
        raise ValueError(f"`{label}`: state either wavelength='1550 nm' (or a list of them) or frequency='193.4 THz'.")
    if group.direction not in (1, -1):
        raise ValueError(f"`{label}`: `direction` must be +1 or -1, but {shown(group.direction)} was given.")
    if not group.frequencies:
        raise ValueError(f"`{label}` must have at least one channel, but an empty list was given.")
    powers = len(group.power) if isinstance(group.power, tuple) else None
    if powers is not None and powers != len(group.frequencies):
        raise ValueError(f"`{label}` has {len(group.frequencies)} channels, but {powers} powers were given.")


def _check_ase(group: ASE) -> None:
    label = group.label
    if not isinstance(group.band, tuple) or len(group.band) != 2:
        raise ValueError(
            f"`{label}`: `band` must be its two ends, ('1520 nm', '1570 nm'), but {shown(group.band)} was given."
        )
    low, high = group.edges
    if not 0 < low < high:
        raise ValueError(f"`{label}`: the ends of `band` must differ, but {shown(group.band)} was given.")
    for name in ("bins", "modes"):
        given = getattr(group, name)
        if isinstance(given, bool) or not isinstance(given, int) or given < 1:
            raise ValueError(f"`{label}`: `{name}` must be a whole number of at least 1, but {shown(given)} was given.")


@dataclass(frozen=True)
class Path(Process):
    """The way of the light through the medium: what all channels share.

    Args:
        label: Its name; parameters `length` [m], `area` [m^2], `input.reflection`, `output.reflection`.
        length: From end to end.
        area: Doped cross-section of a guide, or that of the beam; an expression of the guide's parameters.
        reflections: Power reflectivities at z = 0 and z = L.
        drives: Lines that any channel drives.
    """

    length: Quantity
    area: Quantity
    reflections: tuple[Quantity, Quantity]
    drives: tuple[str, ...]
    lists: ClassVar[tuple[str, ...]] = ("reflections", "drives")

    def parameters(self, model: "Model | None") -> list[Parameter]:
        """`length`, `area`, `input.reflection`, `output.reflection`."""
        first, second = self.reflections
        found = [
            parameter("length", self.length, "m", "positive"),
            parameter("area", self.area, "m^2", "positive"),
            parameter("input.reflection", first, "1"),
            parameter("output.reflection", second, "1"),
        ]
        for p in found[2:]:
            if isinstance(p.value, float) and p.value > 1:
                raise ValueError(f"`{p.name}` must be at most 1 (100 %), but {p.value:g} was given.")
        return found


def emitted(line: str) -> str:
    """Name of the rate at which light along the path stimulates emission on a line, for the reactions."""
    return f" emission of {line}"


def absorbed(line: str) -> str:
    """Name of the rate at which light along the path is absorbed on a line."""
    return f" absorption of {line}"


def settled(group: Group, model: "Model") -> Group:
    """A group that names its lines, all of which know its light.

    Raises:
        ValueError: an unknown line, a line without a cross-section, light outside its measured spectrum (the range is
            named), or no telling which line is meant.
    """
    lines = group.drives if group.drives is not None else _own_lines(group, model)
    for label in lines:
        _check_light(group, model.radiative(label, group.label))
    return replace(group, drives=lines)


def _own_lines(group: Group, model: "Model") -> tuple[str, ...]:
    """The line meant where none is named."""
    lines = [p for p in model.processes if isinstance(p, Radiative) and (p.measured or p.lineshape is not None)]
    if not lines:
        raise ValueError(
            f"`{group.label}` needs a `Radiative` with a cross-section: state `emission`, `absorption` or `lineshape`."
        )
    if len(lines) == 1:
        _check_near(group, lines[0], model)
        return (lines[0].label,)
    fitting = [line.label for line in lines if line.measured and not _outside(group, line)]
    if len(fitting) != 1:
        known = ", ".join(f"`{line.label}`" for line in lines)
        raise ValueError(f"`{group.label}`: say which line it drives: drives='...', one or several of {known}.")
    return tuple(fitting)


def _check_near(group: Group, line: Radiative, model: "Model") -> None:
    """Refuse light that nobody would take for that of the line; a measured spectrum says itself what it holds."""
    centre = model.line_frequency(line)
    for nu in group.frequencies:
        if not line.measured and not abs(nu / centre - 1) < FAR:
            raise ValueError(
                f"`{group.label}`: {c / nu * 1e9:.6g} nm is far from `{line.label}` at {c / centre * 1e9:.6g} nm, the "
                f"only line with a cross-section: state drives={line.label!r} if this is meant, or the line that it "
                "does drive."
            )


def _check_light(group: Group, line: Radiative) -> None:
    if not line.measured:
        if line.lineshape is None:
            raise ValueError(
                f"`{group.label}` acts on `{line.label}`, which has no lineshape: "
                "state one there, for example lineshape=jr.Lorentzian(fwhm='120 GHz')."
            )
        return
    for kind, table, nu in _outside(group, line):
        raise ValueError(
            f"`{group.label}`: {c / nu * 1e9:.6g} nm is outside the {kind} spectrum of `{line.label}`, which is stated "
            f"for {gaps.told(table)}; nothing is extrapolated."
        )


def _outside(group: Group, line: Radiative) -> list[tuple[str, spectrum.Spectrum, float]]:
    """(kind, spectrum, a frequency of the group that it does not hold)."""
    tables = {"emission": line.emission, "absorption": line.absorption}
    nu = np.array(group.frequencies)
    stated = [(kind, table.si, nu[~gaps.measured(table.si, nu)]) for kind, table in tables.items() if table is not None]
    return [(kind, table, float(beyond[0])) for kind, table, beyond in stated if beyond.size]
