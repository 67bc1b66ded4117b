"""Programs compiled once are kept for the other workers, for processes that tests start and for the next run."""

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Set JAX's own compile cache, unless it is set: most of the time of a run is compilation."""
    if config.cache is not None:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(config.cache.mkdir("jax")))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
