"""What one part of a statement can say wrong about another; each part checks itself."""

from collections import Counter
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from jaxrate.expr import Expr
from jaxrate.model.exchange import Exchange
from jaxrate.model.expected import Expected
from jaxrate.model.fields import Beam, Cavity, driven_lines
from jaxrate.model.gain import StimulatedGain
from jaxrate.model.levels import Level, Reservoir
from jaxrate.model.processes import Collision, EnergyTransfer, Process, Radiative
from jaxrate.model.quantities import check_name, check_text, follows_populations, is_rule
from jaxrate.names import shown, unknown

if TYPE_CHECKING:
    from jaxrate.model.model import Model


def check_model(model: "Model") -> None:
    """Refuse a model whose parts do not fit together.

    Raises:
        ValueError: what does not fit, named, with what to write instead.
    """
    _check_kinds(model)
    _check_unique("level", (level.full_name for level in model.levels))
    _check_own_names(model)
    _check_unique("process", (p.label for p in model.processes))
    _check_density(model)
    for process in model.processes:
        _check_reaction(model, process)
        _check_light(model, process)
        _check_gain(model, process)
        _check_exchange(model, process)
        _check_needs(model, process)
    _check_unique("parameter", (p.name for p in model.parameter_list))
    _check_population_names(model)
    _check_expressions(model)
    _check_scales(model)
    for expected in model.expected:
        _check_expected(model, expected)


def _check_kinds(model: "Model") -> None:
    for name in ("name", "source"):
        check_text(name, getattr(model, name))
    for name, _ in model.parameters_:
        check_name("The name of a parameter", name)
    if not model.levels and not model.reservoirs:
        raise ValueError("A model must have levels or reservoirs, but none was given.")
    stated = {
        "levels": (Level, "jr.Level"),
        "processes": (Process, "process such as jr.Decay"),
        "expected": (Expected, "jr.Expected"),
        "reservoirs": (Reservoir, "jr.Reservoir"),
    }
    for field, (kind, wanted) in stated.items():
        for thing in getattr(model, field):
            if not isinstance(thing, kind):
                raise ValueError(f"Each of a model's `{field}` must be a {wanted}, but {shown(thing)} was given.")


def _check_unique(what: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            plural = {"process": "processes"}.get(what, f"{what}s")
            raise ValueError(f"{count} {plural} are named `{name}`; each must have a name of its own.")


def _check_own_names(model: "Model") -> None:
    """Each population has a name of its own."""
    levels = {name for level in model.levels for name in (level.name, level.full_name)}
    for reservoir in model.reservoirs:
        if reservoir.name in levels:
            raise ValueError(f"A reservoir and a level are both named `{reservoir.name}`; each must have its own name.")
    _check_unique("reservoir", (reservoir.name for reservoir in model.reservoirs))
    for what, names in (("level", levels), ("reservoir", {reservoir.name for reservoir in model.reservoirs})):
        for cavity in model.processes:
            if isinstance(cavity, Cavity) and cavity.label in names:
                raise ValueError(
                    f"A cavity and a {what} are both named `{cavity.label}`; the cavity has a population, too."
                )


def _check_density(model: "Model") -> None:
    named = [s for s in model.species if s is not None]
    example = "density={" + ", ".join(f"'{s}': '1e26 m^-3'" for s in named) + "}"
    if not isinstance(model.density, tuple):
        if len(model.species) > 1 and model.density is not None:
            raise ValueError(f"A model with several species must have one density for each: {example}.")
        return
    if None in model.species:
        bare = ", ".join(f"`{level.name}`" for level in model.levels if level.species is None)
        raise ValueError(f"With a density for each species every level must state its `species`, but {bare} does not.")
    for given, _ in model.density:
        if given not in named:
            raise ValueError(f"`density`: {unknown('species', given, named)}")
    if missing := [f"`{s}`" for s in named if s not in dict(model.density)]:
        raise ValueError(f"`density` must be given for every species, as {example}; {', '.join(missing)} is missing.")


def _check_reaction(model: "Model", process: Process) -> None:
    _check_atoms(model, process)
    if isinstance(process, Radiative | Collision):
        upper, lower = model.ends(process)
        if upper.joules is not None and lower.joules is not None and upper.joules < lower.joules:
            raise ValueError(
                f"`{process.label}` must lead down in energy, but '{upper.name} -> {lower.name}' leads up: "
                f"write '{lower.name} -> {upper.name}'."
            )


def _check_atoms(model: "Model", process: Process) -> None:
    """No reaction makes or loses an atom, or turns one into another; reservoirs and photons count no atoms."""
    positions = [[model.position(name, process.label) for name in side] for side in process.sides]
    left, right = ([model.levels[i] for i in side if i < len(model.levels)] for side in positions)
    sides = " -> ".join(" + ".join(side) for side in process.sides).strip()
    if len(left) != len(right):
        raise ValueError(
            f"`{process.label}` must have as many levels on the left as on the right, but '{sides}' makes or loses "
            "an atom; only a `Reservoir` may come from nowhere or go there."
        )
    if Counter(level.species for level in left) != Counter(level.species for level in right):
        sides = " -> ".join(" + ".join(level.full_name for level in side) for side in (left, right))
        raise ValueError(f"`{process.label}` must not turn one species into another, but {sides} does.")


def _check_light(model: "Model", process: Process) -> None:
    for line in (model.radiative(label, process.label) for label in driven_lines(process)):
        if isinstance(process, Beam | Cavity) and line.lineshape is None and not line.measured:
            raise ValueError(
                f"`{process.label}` acts on `{line.label}`, which has no lineshape: "
                f"state one there, for example lineshape=jr.Lorentzian(fwhm='120 GHz')."
            )
        if isinstance(process, Beam) and line.measured and (is_rule(process.fwhm) or process.fwhm != 0):
            raise ValueError(
                f"`{process.label}`: light with a width on a measured spectrum (`{line.label}`) must be stated as "
                "several monochromatic beams."
            )


def _check_gain(model: "Model", process: Process) -> None:
    """Gain leads to one cavity, and every cavity has some gain."""
    cavities = [p.label for p in model.processes if isinstance(p, Cavity)]
    if isinstance(process, StimulatedGain):
        (left,), right = process.sides
        if left in cavities or sum(name in cavities for name in right) != 1:
            known = f" The cavities are {', '.join(f'`{label}`' for label in cavities)}." if cavities else ""
            raise ValueError(
                f"`{process.label}` must lead to one cavity, as 'carriers -> cavity' does, where "
                f"jr.Cavity('cavity', ...) is among the processes, but {process.reaction!r} was given.{known}"
            )
    if isinstance(process, Cavity) and not process.couples:
        _check_fed(model, process)


def _check_fed(model: "Model", cavity: Cavity) -> None:
    """A cavity that couples to no line."""
    label = cavity.label
    if not any(label in process.sides[1] for process in model.processes):
        raise ValueError(
            f"Nothing feeds the cavity `{label}`: state couples='the label of a Radiative', or a "
            f"jr.StimulatedGain('gain', 'carriers -> {label}', gain=...)."
        )
    if cavity.frequency is None and cavity.wavelength is None:
        raise ValueError(f"`{label}` couples to no line: state its `wavelength` or `frequency`, for example '1550 nm'.")


def _check_exchange(model: "Model", process: Process) -> None:
    """What enters is of one species, each level once."""
    if not isinstance(process, Exchange):
        return
    levels = [model.levels[model.index(name, process.label)] for name in process.shares]
    _check_unique(f"share of `{process.label}.into`", (level.full_name for level in levels))
    if len({level.species for level in levels}) > 1:
        listed = ", ".join(f"`{level.full_name}`" for level in levels)
        raise ValueError(f"`{process.label}`: {listed} are of several species; state one Exchange for each.")


def _check_needs(model: "Model", process: Process) -> None:
    """Refuse a process without the number of the model that it is computed from."""
    counts_atoms = isinstance(process, EnergyTransfer | Cavity | StimulatedGain) and model.levels
    if counts_atoms and model.density is None:
        raise ValueError(f"`{process.label}` needs the model's `density`, for example density='1e26 m^-3'.")
    if isinstance(process, Collision):
        model.gap(process)
        model.need_temperature(f"the detailed balance of `{process.label}`")
    if isinstance(process, Radiative):
        model.line_frequency(process)
        if process.lineshape is not None and process.lineshape.thermal:
            model.need_temperature(f"the Doppler width of `{process.label}`")


def _check_population_names(model: "Model") -> None:
    parameters = {p.name for p in model.parameter_list}
    for name in model.population_names:
        if name in parameters:
            raise ValueError(
                f"A population and a parameter are both named `{name}`, so that an expression could mean either; give "
                "one of them another name."
            )


def _check_scales(model: "Model") -> None:
    """What turns populations into densities must not follow them: then no reaction would conserve anything."""
    rules = model.derived()
    volumes = [f"{p.label}.mode_volume" for p in model.processes if isinstance(p, Cavity)]
    for name in ("density", *(f"density.{species}" for species in model.species), *volumes):
        if follows_populations(name, rules, model.population_names):
            raise ValueError(
                f"`{name}` must not depend on populations, as they are counted by it: state a number, or an expression "
                "of parameters."
            )


def _check_expressions(model: "Model") -> None:
    known = [*(p.name for p in model.parameter_list), *model.population_names]
    needs: dict[str, tuple[str, ...]] = {}
    for name, given in model.derived().items():
        if isinstance(given, Expr):
            given.check(known, name)
            needs[name] = given.names
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = " -> ".join(f"`{name}`" for name in reversed(error.args[1]))
        raise ValueError(f"An expression must not need itself, but these go round: {circle}.") from None


def _check_expected(model: "Model", expected: Expected) -> None:
    match expected.kind:
        case "level":
            model.index(expected.of, expected.title)
        case "Radiative":
            model.radiative(expected.of, expected.title)
        case "Cavity":
            _check_label([p.label for p in model.processes if isinstance(p, Cavity)], "Cavity", expected)
        case "Channels" | "ASE":
            raise ValueError(f"`{expected.title}` is a figure of an amplifier: state it as [[amplifier.expected]].")
        case _:
            known = [*(p.label for p in model.processes), *(p.name for p in model.parameter_list)]
            _check_label(known, "process or parameter", expected)


def _check_label(known: list[str], what: str, expected: Expected) -> None:
    if expected.of not in known:
        raise ValueError(f"`{expected.title}`: " + unknown(what, expected.of, known))
