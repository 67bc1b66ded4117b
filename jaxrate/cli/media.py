"""`jaxrate media`: what ships."""

import argparse

from jaxrate.cli.readings import lines, table
from jaxrate.model.files import list_media, media
from jaxrate.model.model import Model
from jaxrate.unit_text import light


def run(arguments: argparse.Namespace) -> int:
    """List the media, one on each line."""
    print(table([_row(name) for name in list_media()]))
    return 0


def _row(name: str) -> tuple[str, str, str]:
    model = media(name)
    found = ", ".join(f"{line.label} {light(model.line_frequency(line))}" for line in lines(model)[:3])
    more = f" and {len(lines(model)) - 3} more" if len(lines(model)) > 3 else ""
    return name, model.name, f"{_size(model)}; {found or 'no lines'}{more}"


def _size(model: Model) -> str:
    """What has populations: levels, or reservoirs where there are none."""
    return f"{len(model.levels)} levels" if model.levels else ", ".join(r.name for r in model.reservoirs)
