"""Compiled programs are kept for other workers and for the next run; long tests run where they are asked for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaxrate" / "tests"
"""Most of the time of a first run is compilation; later ones take half as long."""


def pytest_configure() -> None:
    """Set JAX's own compile cache, unless it is set."""
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")


@pytest.fixture(autouse=True)
def precision_of_the_process() -> Iterator[None]:
    """The command line turns float64 on for its process, which the next test shares."""
    import jax  # which reads the variables above once

    before = jax.config.values["jax_enable_x64"]
    yield
    jax.config.update("jax_enable_x64", before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the tests marked as long, unless JAXRATE_LONG is set."""
    if not os.environ.get("JAXRATE_LONG"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="takes minutes: set JAXRATE_LONG=1 to run it"))
