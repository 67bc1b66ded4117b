"""From the statement to the network: everything is a reaction."""

from collections.abc import Callable, Iterator
from functools import lru_cache, singledispatch
from typing import Any

from jaxrate.model.channels import ASE, Channels, Path, absorbed, emitted
from jaxrate.model.exchange import Exchange
from jaxrate.model.fibre import Fibre
from jaxrate.model.fields import Beam, Blackbody, Cavity, driven_lines, is_saturating
from jaxrate.model.gain import StimulatedGain
from jaxrate.model.model import Model
from jaxrate.model.processes import Collision, Decay, EnergyTransfer, Process, Pump, Radiative, sides
from jaxrate.model.strength import spectra
from jaxrate.network import coefficients as law
from jaxrate.network.line import Line
from jaxrate.network.network import Network, Population, Reaction


@lru_cache(maxsize=256)
def compile_network(model: Model) -> Network:
    """Lower a model to reactions. Light on a line adds stimulated emission and absorption; a cavity adds photons."""
    reservoirs = [Population(r.name, None, "") for r in model.reservoirs]
    cavities = [p for p in model.processes if isinstance(p, Cavity)]
    photons = [Population(p.label, None, f"{p.label}.mode_volume") for p in cavities]
    parameters = [p for p in model.parameter_list if not callable(p.value)]
    return Network(
        populations=tuple([*_levels(model), *reservoirs, *photons]),
        reactions=tuple(r for process in model.processes for r in _lower(process, model)),
        lines=tuple(line_of(p, model) for p in model.processes if isinstance(p, Radiative)),
        names=tuple(p.name for p in parameters),
        domains=tuple(p.domain for p in parameters),
        derived=tuple(model.derived().items()),
        energies=tuple(level.joules for level in model.levels),
        num_levels=len(model.levels),
        model=model,
    )


def refuse_holes(network: Network) -> None:
    """Refuse narrow light on an inhomogeneous line: solving it as a whole would be wrong."""
    for field in network.model.processes:
        for label in driven_lines(field):
            if is_saturating(field, network.model.radiative(label)):
                raise ValueError(
                    f"`{label}` is inhomogeneous: `{field.label}` burns a hole in it instead of saturating it as a "
                    f"whole. State {_by_class(field, network.line(label))}mixing='fast' on the line if its classes "
                    "mix faster than light saturates them, or give it a homogeneous lineshape."
                )


def _by_class(field: Process, line: Line) -> str:
    """What solves a hole: classes, of which a laser has none, and an atom a width of its own."""
    if isinstance(field, Cavity):
        return ""
    width = "" if line.shape.startswith("voigt") else "its homogeneous width too, by jr.Voigt, and "
    return f"{width}classes=200 in the solver, "


def _levels(model: Model) -> Iterator[Population]:
    for level in model.levels:
        yield Population(level.full_name, model.species.index(level.species), _density(model, level.species))


def _density(model: Model, species: str | None) -> str:
    return f"density.{species}" if isinstance(model.density, tuple) else "density"


def line_of(line: Radiative, model: Model) -> Line:
    """The fixed part of a radiative line."""
    upper, lower = model.ends(line)
    shape = "spectrum" if line.measured else line.lineshape.shape if line.lineshape else "none"
    holes = line.lineshape is not None and not line.lineshape.homogeneous and line.mixing != "fast"
    return Line(
        label=line.label,
        upper=model.index(upper.full_name),
        lower=model.index(lower.full_name),
        weight=upper.g / lower.g,
        n=float(line.n),
        shape=shape,
        spectra=spectra(line, model) if line.measured else None,
        density=_density(model, upper.species),
        holes=holes,
    )


def _indices(process: Process, model: Model) -> tuple[tuple[int, ...], tuple[int, ...]]:
    left, right = sides(process.label, process.reaction)  # type: ignore[attr-defined]
    return tuple(map(model.position, left)), tuple(map(model.position, right))


@singledispatch
def _lower(process: Process, model: Model) -> Iterator[Reaction]:
    raise TypeError(f"`{process.label}` ({process.kind}) has no reactions.")


@_lower.register(Decay)
@_lower.register(Pump)
def _(process: Decay | Pump, model: Model) -> Iterator[Reaction]:
    role = "pump" if isinstance(process, Pump) else "decay"
    yield Reaction(process.label, role, "", *_indices(process, model), law.product, (f"{process.label}.rate",))


@_lower.register
def _(process: Collision, model: Model) -> Iterator[Reaction]:
    left, right = _indices(process, model)
    upper, lower = model.ends(process)
    names = tuple(p.name for p in process.parameters(model))
    manifolds = (upper.sublevels, lower.sublevels) if upper.stark or lower.stark else None
    constants = (upper.g / lower.g, model.gap(process))
    yield Reaction(process.label, "collision", "", left, right, law.product, names)
    yield Reaction(
        process.label, "collision", "", right, left, law.reverse, (*names, "temperature"), constants, manifolds
    )


@_lower.register
def _(process: EnergyTransfer, model: Model) -> Iterator[Reaction]:
    names = (f"{process.label}.coefficient",)
    yield Reaction(process.label, "energy transfer", "", *_indices(process, model), law.product, names)


@_lower.register
def _(process: Radiative, model: Model) -> Iterator[Reaction]:
    line, factor = line_of(process, model), f"{process.label}.spontaneous_factor"
    cavities = [p for p in model.processes if isinstance(p, Cavity) and line.label in driven_lines(p)]
    rate, names = law.spontaneous_emission, line.emission_names
    if cavities:
        modes = (name for cavity in cavities for name in _mode(cavity, line.label))
        rate, names = law.emission_elsewhere, (*line.names, factor, *modes)
    ends = (line.upper,), (line.lower,)
    yield Reaction(line.label, "spontaneous emission", "", *ends, rate, names, line.constants, line.form)


@_lower.register
def _(process: Beam, model: Model) -> Iterator[Reaction]:
    names = tuple(f"{process.label}.{name}" for name in ("intensity", "frequency", "fwhm"))
    yield from _driven(process, model, names, law.stimulated, law.absorbed)


@_lower.register
def _(process: Blackbody, model: Model) -> Iterator[Reaction]:
    names = tuple(f"{process.label}.{name}" for name in ("temperature", "dilution"))
    yield from _driven(process, model, names, law.thermally_stimulated, law.thermally_absorbed)


def _driven(
    field: Process, model: Model, names: tuple[str, ...], emission: Callable, absorption: Callable
) -> Iterator[Reaction]:
    for label in driven_lines(field):
        line = line_of(model.radiative(label), model)
        up, low = (line.upper,), (line.lower,)
        rest: Any = ((*line.names, *names), line.constants, line.form)
        yield Reaction(label, "stimulated emission", field.label, up, low, emission, *rest)
        yield Reaction(label, "absorption", field.label, low, up, absorption, *rest)


@_lower.register(Channels)
@_lower.register(ASE)
@_lower.register(Fibre)
def _(process: Process, model: Model) -> Iterator[Reaction]:
    """What runs along the path acts through its sums: see `Path`."""
    return iter(())


@_lower.register
def _(process: Path, model: Model) -> Iterator[Reaction]:
    """Every line is driven by all light together; whoever solves along z knows its rates there."""
    for label in process.drives:
        line = line_of(model.radiative(label), model)
        up, low = (line.upper,), (line.lower,)
        yield Reaction(label, "stimulated emission", process.label, up, low, law.product, (emitted(label),))
        yield Reaction(label, "absorption", process.label, low, up, law.product, (absorbed(label),))


@_lower.register
def _(process: Exchange, model: Model) -> Iterator[Reaction]:
    shares = {model.index(level): name for level, name in process.shares.items()}
    species = model.levels[min(shares)].species
    levels = [i for i, level in enumerate(model.levels) if level.species == species]
    for level in levels:
        for end, share in shares.items():
            names = (f"{process.label}.rate", share, *shares.values())
            if level != end:
                yield Reaction(process.label, "exchange", "", (level,), (end,), law.exchange, names)


@_lower.register
def _(process: StimulatedGain, model: Model) -> Iterator[Reaction]:
    """`carriers + photon -> 2 photon`, at a rate that is proportional to the photons only."""
    label, cavity = process.label, process.cavity(model)
    (paid,), _ = _indices(process, model)
    photon, left = model.position(cavity), tuple(map(model.position, process.without_photon(model)))
    names, constants = (f"{label}.gain", f"{cavity}.overlap"), (float(process.n_g),)
    yield Reaction(
        process=label,
        role="stimulated emission",
        field=cavity,
        reactants=(photon,),
        products=(photon, photon, *left),
        law=law.stated_gain,
        names=names,
        constants=constants,
        consumed=(paid,),
        signed=True,
    )


@_lower.register
def _(process: Cavity, model: Model) -> Iterator[Reaction]:
    photon = model.position(process.label)
    for label in driven_lines(process):
        yield from _coupled(process, line_of(model.radiative(label), model), photon)
    own = {n: f"{process.label}.{n}" for n in ("photon_lifetime", "mode_volume", "num_modes", "temperature")}
    names = (*own.values(), process.frequency_name())
    yield Reaction(process.label, "loss", "", (photon,), (), law.photon_loss, (own["photon_lifetime"],))
    yield Reaction(process.label, "wall photons", "", (), (photon,), law.wall_photons, names)


def _coupled(cavity: Cavity, line: Line, photon: int) -> Iterator[Reaction]:
    """`u + photon -> l + 2 photon`, its reverse, and the spontaneous `u -> l + photon` of the "+1"."""
    up, low, rest = line.upper, line.lower, (line.constants, line.form)
    mode = _mode(cavity, line.label)
    names, named = (*line.names, *mode[:2]), (line.label, "stimulated emission", cavity.label)
    yield Reaction(*named, (up, photon), (low, photon, photon), law.mode_emission, names, *rest)
    yield Reaction(line.label, "absorption", cavity.label, (low, photon), (up,), law.mode_absorption, names, *rest)
    names = (*line.names, *mode)
    yield Reaction(
        line.label, "emission into the mode", cavity.label, (up,), (low, photon), law.mode_spontaneous, names, *rest
    )


def _mode(cavity: Cavity, line: str) -> tuple[str, ...]:
    """What a mode is to a line: the frequency of its light, overlap, volume and number of modes."""
    own = (f"{cavity.label}.{name}" for name in ("overlap", "mode_volume", "num_modes"))
    return (cavity.frequency_name(line), *own)
