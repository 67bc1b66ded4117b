"""Pictures of a run, each in a file beside its JSON."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import curves, diagram

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Picture:
    """A picture of a run.

    Attributes:
        name: Of its file.
        heading, caption: On the page.
        has_curves: Whether a run has anything to draw.
        draw: Writes the file.
    """

    name: str
    heading: str
    caption: str
    has_curves: Callable[[Run], bool]
    draw: Callable[[Run, Path], None]

    def file(self, suffix: str) -> str:
        """Its name, with the suffix of the run."""
        return f"{Path(self.name).stem}{suffix}.png"


PICTURES = (
    Picture(
        diagram.FILE,
        "Work against precision",
        "Time per ensemble against error, of all programs",
        diagram.has_curves,
        diagram.draw,
    ),
    Picture(
        curves.SIZES_FILE,
        "Number of ensembles",
        "Time per ensemble against the number of ensembles: steady states (J1) and transients (J2) of four levels",
        curves.has_sizes,
        curves.draw_sizes,
    ),
    Picture(
        curves.LEVELS_FILE,
        "Number of levels",
        "Time per ensemble against the number of levels in float64: steady states left, transients right",
        curves.has_levels,
        curves.draw_levels,
    ),
)
