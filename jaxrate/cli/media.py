"""`jaxrate media`: what ships."""

import argparse

from jaxrate.cli.readings import lines, table
from jaxrate.constants import c
from jaxrate.model.files import list_media, media


def run(arguments: argparse.Namespace) -> int:
    """List the media, one on each line."""
    print(table([_row(name) for name in list_media()]))
    return 0


def _row(name: str) -> tuple[str, str, str]:
    model = media(name)
    found = ", ".join(f"{line.label} {c / model.line_frequency(line) * 1e9:.6g} nm" for line in lines(model))
    return name, model.name, f"{len(model.levels)} levels; {found or 'no lines'}"
