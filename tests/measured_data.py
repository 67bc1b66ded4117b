"""Where the measured data lie that the tests read: they are not part of the project."""

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


def data(path: str) -> Path:
    """A file of measured data, `gain/rb-saturation-and-dye/SatIntensity.csv` for example.

    It is looked for in the folder that `JAXRATE_DATA` names, else in `shared/data` beside the repository; the test is
    skipped where it is absent.
    """
    folder = Path(os.environ.get("JAXRATE_DATA") or BESIDE)
    if not (folder / path).is_file():
        pytest.skip(f"no measured data: {path} is neither in $JAXRATE_DATA nor in shared/data beside the repository")
    return folder / path
