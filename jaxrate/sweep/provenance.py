"""Provenance of a result: what computed it, from what, where and when."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxrate.model.files import to_toml
from jaxrate.model.model import Model
from jaxrate.solve.lanes import num_cores

PACKAGE = Path(__file__).resolve().parents[1]


def provenance(model: Model) -> dict[str, Any]:
    """Versions, code, model and machine, as text and numbers that any file format can hold."""
    return {**versions(), **_stated(model)}


def versions() -> dict[str, Any]:
    """Versions, code and machine."""
    device = jax.devices()[0]
    return {
        "jaxrate_version": getattr(sys.modules[PACKAGE.name], "__version__", "unknown"),
        **git_state(PACKAGE),
        "jax_version": jax.__version__,
        "numpy_version": np.__version__,
        "python_version": platform.python_version(),
        "device": f"{device.platform}: {device.device_kind}",
        "host": platform.node(),
        "cores": num_cores(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _stated(model: Model) -> dict[str, Any]:
    name = {"model": model.name} if model.name else {}
    try:
        return {**name, "model_fingerprint": model.fingerprint, "model_toml": to_toml(model)}
    except ValueError:  # a rate is a Python function, which no file can hold
        return name


@cache
def git_state(package: Path) -> dict[str, Any]:
    """Commit of the code, and whether the code differs from it; nothing where git does not track the package."""
    try:
        _git(package, "ls-files", "--error-unmatch", "__init__.py")  # else the checkout around it is somebody else's
        commit = _git(package, "rev-parse", "HEAD")
        return {"git_commit": commit, "git_dirty": int(bool(_git(package, "status", "--porcelain", "--", ".")))}
    except (OSError, subprocess.SubprocessError):
        return {}


def _git(directory: Path, *arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}  # set inside hooks
    command = ["git", "--no-optional-locks", *arguments]
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()
