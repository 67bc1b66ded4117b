"""The level diagram of a model: levels by energy, processes as arrows between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isnan

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

from jaxrate.constants import c, h
from jaxrate.model.derived import known_values, spontaneous
from jaxrate.model.fields import driven_lines
from jaxrate.model.levels import Level
from jaxrate.model.model import Model
from jaxrate.model.processes import Collision, Decay, EnergyTransfer, Process, Pump, Radiative
from jaxrate.plot.axes import axes, labelled, number, typeset
from jaxrate.unit_text import light

FONT = 8.0
"""Size of the labels [points]."""
HEIGHT = 4.8
"""Height of a new figure [inches]."""
CLOSEST = 0.02
"""Levels nearer to each other than this share of the whole span cannot be told apart: then nothing is to scale."""
GAP = 0.10
"""Space around a label [inches]."""

STYLES = {
    Pump: ("pump", "tab:blue", "-", "-|>"),
    Radiative: ("radiative", "tab:red", "-", "-|>"),
    Decay: ("decay", "0.35", (0, (4, 2)), "-|>"),
    Collision: ("collisions", "tab:green", "-", "<|-|>"),
    EnergyTransfer: ("energy transfer", "tab:purple", (0, (1.5, 1.5)), "-|>"),
}
"""Of each kind of process: its name in the legend, colour, line style and arrow."""


@dataclass(frozen=True)
class _Arrow:
    """One arrow of a process, in a slot of its own: x in inches from the left end of its column."""

    kind: type[Process]
    start: int
    end: int
    text: str
    x: float = 0.0

    @property
    def width(self) -> float:
        return _width(self.text) + 2 * GAP

    @property
    def height(self) -> float:
        """Of its label [points]."""
        return (self.text.count("\n") + 1) * FONT * 1.25


@dataclass(frozen=True)
class _Column:
    """The levels and arrows of one species, x in inches from the left end of the diagram."""

    title: str
    levels: tuple[int, ...]
    arrows: tuple[_Arrow, ...]
    names: tuple[str, ...]
    left: float = 0.0

    @property
    def right(self) -> float:
        return self.left + max(sum(a.width for a in self.arrows), 1.0)

    @property
    def end(self) -> float:
        return self.right + 2 * GAP + max(_width(n) for n in self.names)


def level_diagram(model: Model, *, to_scale: bool | None = None, ax: Axes | None = None) -> Axes:
    """Level diagram: a bar for each level, an arrow for each process, species side by side.

    Arrows carry the label of their process, the wavelength and A of a line, the rate of others at the model's own
    parameters, and the fields that drive them. Sublevels of a manifold are thin bars.

    Args:
        model: The medium.
        to_scale: Whether heights are energies; by default where every level states one and none would coincide.
            Otherwise levels are spaced evenly, by energy as far as it is stated, and their names tell it.
        ax: Where to draw; by default a new figure, as wide as the labels need.

    Returns:
        The Axes.

    Raises:
        ValueError: `to_scale` is asked for, but a level states no energy.
    """
    heights, scaled = _heights(model, to_scale)
    columns = _columns(model, scaled)
    ax = axes(ax, (columns[-1].end + 1.2, HEIGHT))
    span = max(heights) - min(heights) or 1.0
    ax.set_ylim(min(heights) - 0.06 * span, max(heights) + 0.06 * span)
    ax.set_xlim(-GAP, columns[-1].end + GAP)
    for column in columns:
        _draw_column(ax, model, column, heights, scaled)
    _frame(ax, model, columns, scaled)
    return ax


def _heights(model: Model, to_scale: bool | None) -> tuple[list[float], bool]:
    """Height of each level: its energy in cm^-1, or its rank."""
    energies = [None if level.joules is None else level.joules / (h * c * 100) for level in model.levels]
    stated = [e for e in energies if e is not None]
    complete = len(stated) == len(energies)
    if to_scale and not complete:
        missing = ", ".join(f"`{lv.full_name}`" for lv in model.levels if lv.joules is None)
        raise ValueError(f"A diagram to scale needs the energy of every level, but {missing} has none.")
    if complete and (to_scale or (to_scale is None and _distinct(model, stated))):
        return stated, True
    return _ranks(model, energies), False


def _distinct(model: Model, energies: list[float]) -> bool:
    span = max(energies) - min(energies)
    for species in model.species:
        own = sorted(e for e, level in zip(energies, model.levels, strict=True) if level.species == species)
        if any(b - a < CLOSEST * span for a, b in pairwise(own)):
            return False
    return span > 0


def _ranks(model: Model, energies: Sequence[float | None]) -> list[float]:
    """Place of each level in its own species, by energy where all of them state one, else as listed."""
    ranks = [0.0] * len(energies)
    for species in model.species:
        own = [i for i, level in enumerate(model.levels) if level.species == species]
        if all(energies[i] is not None for i in own):
            own.sort(key=lambda i: energies[i] or 0.0)
        for rank, i in enumerate(own):
            ranks[i] = float(rank)
    return ranks


def _columns(model: Model, scaled: bool) -> list[_Column]:
    arrows = _arrows(model)
    columns: list[_Column] = []
    for species in model.species:
        levels = tuple(i for i, level in enumerate(model.levels) if level.species == species)
        own = _slots([a for a in arrows if a.start in levels])
        names = tuple(_level_text(model.levels[i], scaled) for i in levels)
        left = columns[-1].end + 5 * GAP if columns else 0.0
        columns.append(_Column(species or "", levels, own, names, left))
    return columns


def _slots(arrows: list[_Arrow]) -> tuple[_Arrow, ...]:
    placed, x = [], 0.0
    for a in arrows:
        placed.append(_Arrow(a.kind, a.start, a.end, a.text, x + GAP))
        x += a.width
    return tuple(placed)


def _arrows(model: Model) -> list[_Arrow]:
    values, found = known_values(model), []
    for process in model.processes:
        if type(process) in STYLES:
            starts, ends = ([i for i in map(model.position, side) if i < len(model.levels)] for side in process.sides)
            text = _arrow_text(model, process, values)
            found += [_Arrow(type(process), *pair, text) for pair in zip(starts, ends, strict=True)]
    return found


def _arrow_text(model: Model, process: Process, values: dict[str, float]) -> str:
    lines = [typeset(process.label)]
    if isinstance(process, Radiative):
        A, frequency = spontaneous(process, model, values), values.get(f"{process.label}.frequency")
        lines.append(light(frequency) if frequency else "by a function")
        lines += [] if isnan(A) else [f"$A$ = {number(A, 's^-1')}"]
    else:
        own = process.parameters(model)
        lines += [number(values[p.name], p.unit) if p.name in values else "by a function" for p in own]
    fields = [f.label for f in model.processes if process.label in driven_lines(f)]
    return "\n".join([*lines, *(f"driven by {typeset(field)}" for field in fields)])


def _level_text(level: Level, scaled: bool) -> str:
    """Name of a level, with its energy where no axis shows it."""
    name = typeset(level.name)
    if scaled or level.joules is None:
        return name
    return f"{name}  {number(level.joules / (h * c * 100), 'cm^-1')}"


def _width(text: str) -> float:
    """Width of the longest line of a text in the size of labels [inches]."""
    return max(TextPath((0, 0), line, size=FONT).get_extents().width for line in text.split("\n")) / 72


def _draw_column(ax: Axes, model: Model, column: _Column, heights: list[float], scaled: bool) -> None:
    _draw_levels(ax, model, column, heights, scaled)
    bars = sorted(heights[i] for i in column.levels)
    for arrow in column.arrows:
        _draw_arrow(ax, arrow, column.left + arrow.x, heights, bars)
    if column.title:
        middle = (column.left + column.right) / 2
        ax.text(middle, 1.01, typeset(column.title), transform=ax.get_xaxis_transform(), ha="center", fontweight="bold")


def _draw_levels(ax: Axes, model: Model, column: _Column, heights: list[float], scaled: bool) -> None:
    at = [heights[i] for i in column.levels]
    spread = _spread(at, 1.35 * FONT * _per_point(ax))
    for i, name, y, shown in zip(column.levels, column.names, at, spread, strict=True):
        ax.plot(
            [column.left, column.right], [y, y], color="black", linewidth=2, solid_capstyle="butt", gid=f"level {i}"
        )
        for offset, _ in model.levels[i].sublevels[1:] if scaled else ():
            height = y + offset / (h * c * 100)
            ax.plot([column.left, column.right], [height, height], color="0.6", linewidth=0.5, zorder=1)
        ax.plot([column.right, column.right + GAP], [y, shown], color="0.6", linewidth=0.6)
        ax.text(column.right + 1.3 * GAP, shown, name, fontsize=FONT + 1, va="center", gid="level name")


def _draw_arrow(ax: Axes, arrow: _Arrow, x: float, heights: list[float], bars: list[float]) -> None:
    _, colour, style, head = STYLES[arrow.kind]
    y, end = heights[arrow.start], heights[arrow.end]
    look = {"arrowstyle": f"{head},head_width=0.22,head_length=0.45", "linestyle": style, "color": colour}
    ax.annotate("", (x, end), (x, y), arrowprops={**look, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0})
    if arrow.kind is not Collision:
        ax.plot([x], [y], marker="o", markersize=3.5, color=colour)
    ax.text(
        x + 0.5 * GAP,
        _label_height(arrow, sorted((y, end)), bars, _per_point(ax)),
        arrow.text,
        color=colour,
        fontsize=FONT,
        va="center",
        linespacing=1.2,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85},
        gid="arrow label",
    )


def _label_height(arrow: _Arrow, ends: list[float], bars: list[float], per_point: float) -> float:
    """Middle of an arrow's label: between two bars, as near to the middle of the arrow as there is room."""
    middle, half = sum(ends) / 2, (0.5 * arrow.height + 3) * per_point
    rooms = [(low + half, high - half) for low, high in pairwise(bars) if high - low >= 2 * half]
    places = [min(max(middle, low), high) for low, high in rooms]
    return min(places, key=lambda y: abs(y - middle), default=middle)


def _per_point(ax: Axes) -> float:
    """Height of a point in the units of the y axis."""
    low, high = ax.get_ylim()
    return (high - low) / (ax.get_window_extent().height * 72 / ax.figure.get_dpi())


def _spread(wanted: Sequence[float], distance: float) -> list[float]:
    """Places at least a distance apart, each as near to the wanted one as the others allow."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    groups: list[list[float]] = []  # sum of the wanted places less their offsets in the group, number of members
    for i in order:
        groups.append([wanted[i], 1])
        while len(groups) > 1 and _first(groups[-2], distance) + groups[-2][1] * distance > _first(
            groups[-1], distance
        ):
            total, count = groups.pop()
            groups[-1] = [groups[-1][0] + total, groups[-1][1] + count]
    placed = [_first(g, distance) + k * distance for g in groups for k in range(int(g[1]))]
    return [placed[order.index(i)] for i in range(len(wanted))]


def _first(group: Sequence[float], distance: float) -> float:
    """Place of the lowest member of a group that stands as close as it may around the mean of its wanted places."""
    total, count = group
    return total / count - (count - 1) * distance / 2


def _frame(ax: Axes, model: Model, columns: list[_Column], scaled: bool) -> None:
    ax.set_ylabel(labelled("energy", "cm^-1") if scaled else "energy (not to scale)")
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    ax.set_xticks([])
    if not scaled:
        ax.set_yticks([])
    present = {a.kind for column in columns for a in column.arrows}
    keys = [
        Line2D([], [], color=colour, linestyle=style, linewidth=1.4, label=name)
        for kind, (name, colour, style, _) in STYLES.items()
        if kind in present
    ]
    if keys:
        ax.legend(handles=keys, loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=len(keys), frameon=False)
    if model.name:
        ax.set_title(typeset(model.name), pad=18 if any(column.title for column in columns) else 6)
