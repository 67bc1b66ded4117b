"""Which lines of a network burn holes, and the network of one of their classes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from jaxrate.model.fields import is_saturating
from jaxrate.network.line import Line
from jaxrate.network.network import Network, Reaction

SHAPES = {"voigt": "voigt class", "voigt-doppler": "voigt-doppler class"}
"""Shape of the line of one class, by that of the line of all."""


def burnt_lines(network: Network) -> tuple[str, ...]:
    """Labels of the inhomogeneous lines that narrow light drives."""
    fields = network.model.processes
    lines = [network.model.radiative(line.label) for line in network.lines]
    return tuple(line.label for line in lines if any(is_saturating(field, line) for field in fields))


def class_lines(network: Network, burnt: Collection[str]) -> tuple[Line, ...]:
    """Lines that differ from class to class: those burnt, and every Doppler line of the species of a burnt one.

    Sites are of one line: those of any other are independent of them, so that it is the same in every class.
    """
    moving = {
        _species(network, line) for line in network.lines if line.label in burnt and line.shape == "voigt-doppler"
    }
    beside = [line for line in network.lines if line.shape == "voigt-doppler" and line.holes]
    labels = {*burnt, *(line.label for line in beside if _species(network, line) in moving)}
    return tuple(line for line in network.lines if line.label in labels)


def check_classes(network: Network, burnt: Collection[str]) -> None:
    """Refuse what classes cannot be solved for.

    Args:
        network: The network.
        burnt: Labels of the inhomogeneous lines that narrow light drives.

    Raises:
        ValueError: a burnt line without a homogeneous width; two burnt lines of one species with sites; a process
            that couples the classes, such as a cavity or energy transfer.
    """
    lines = [network.line(label) for label in burnt]
    for line in lines:
        if line.shape not in SHAPES:
            raise ValueError(_without_width(line))
    _check_sites(network, lines)
    coupling = [*network.nonlinear, *(p.name for p in network.populations if p.species is None)]
    if burnt and coupling:
        raise ValueError(
            f"`{coupling[0]}` couples the classes of `{lines[0].label}` to each other, but each is solved by itself, "
            "in light that is given. Leave it out, or state mixing='fast' on the line if its classes mix faster than "
            "light saturates them."
        )


def _without_width(line: Line) -> str:
    voigt = "mass='20 amu'" if line.shape == "doppler" else "fwhm_gaussian='5 GHz'"
    return (
        f"`{line.label}` has no homogeneous width, so that its classes would be infinitely narrow: state "
        f"lineshape=jr.Voigt(fwhm_lorentzian='10 MHz', {voigt}), with the width of one atom as `fwhm_lorentzian`."
    )


def _check_sites(network: Network, lines: Sequence[Line]) -> None:
    for line in lines:
        others = [x for x in lines if x is not line and _species(network, x) == _species(network, line)]
        if others and line.shape == "voigt":
            raise ValueError(
                f"Light burns holes in `{line.label}` and in `{others[0].label}`, and which sites of the one are which "
                "of the other is not known: state mixing='fast' on one of them, or both as Doppler lines, "
                "jr.Voigt(fwhm_lorentzian=..., mass=...), whose classes have one velocity."
            )


def _species(network: Network, line: Line) -> int | None:
    return network.populations[line.upper].species


def class_network(network: Network, burnt: Collection[str]) -> Network:
    """The network of one class: the same, with lines whose centre is shifted by `label.class shift` [Hz]."""
    shaped = {line.label: replace(line, shape=SHAPES[line.shape]) for line in class_lines(network, burnt)}
    lines = tuple(shaped.get(line.label, line) for line in network.lines)
    reactions = tuple(_of_class(r, network, shaped) for r in network.reactions)
    return replace(network, lines=lines, reactions=reactions)


def _of_class(reaction: Reaction, network: Network, shaped: Mapping[str, Line]) -> Reaction:
    """The same reaction in one class; what does not depend on the lineshape stays as it is."""
    if reaction.process not in shaped:
        return reaction
    line, own = network.line(reaction.process), shaped[reaction.process]
    if reaction.form != line.form or reaction.names[: len(line.names)] != line.names:
        return reaction
    return replace(reaction, names=(*own.names, *reaction.names[len(line.names) :]), form=own.form)


def is_class(line: Line) -> bool:
    """Whether it is the line of one class."""
    return line.shape in SHAPES.values()


def shift_name(line: Line) -> str:
    """Name of what the line of one class is shifted by; no parameter's name has a blank."""
    return f"{line.label}.class shift"
