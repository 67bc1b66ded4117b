"""`jaxrate status`: how far a sweep on disk is."""

import argparse

from jaxrate.cli.sweep import LEFT_OUT, STOPPED
from jaxrate.sweep.inspection import status


def run(arguments: argparse.Namespace) -> int:
    """Say how far a sweep is; with --check the exit code says it too."""
    found = status(arguments.target)
    print(found)
    if not arguments.check or found.complete:
        return 0
    return LEFT_OUT if found.done + len(found.quarantined) == found.units else STOPPED
