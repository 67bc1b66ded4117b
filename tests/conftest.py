"""Programs compiled once are kept for the other workers, for processes that tests start and for the next run."""

import os
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaxrate" / "tests"
"""Most of the time of a first run is compilation; later ones take half as long."""


def pytest_configure() -> None:
    """Set JAX's own compile cache, unless it is set."""
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
