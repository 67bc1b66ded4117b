"""`jaxrate verify`: whether a sweep on disk is what was written."""

import argparse

from jaxrate.cli.sweep import STOPPED
from jaxrate.sweep.completion import FRAME
from jaxrate.sweep.inspection import status, verify

LISTED = 20
"""Units that are listed one by one."""


def run(arguments: argparse.Namespace) -> int:
    """Read every number that was stored and compare it with its checksum."""
    faults = verify(arguments.target)
    if not faults:
        found = status(arguments.target)
        units = f"all {found.units:,} units are" if found.units > 1 else "its unit is"
        print(f"{arguments.target}: {units} as written.")
        return 0
    for k in list(faults)[:LISTED]:
        print(f"{f'unit {k}' if k != FRAME else 'results'}: {faults[k]}")
    if len(faults) > LISTED:
        print(f"... and {len(faults) - LISTED:,} more")
    print(f"To mend {'it' if len(faults) == 1 else 'them'}: jaxrate sweep --resume {arguments.target}")
    return STOPPED
