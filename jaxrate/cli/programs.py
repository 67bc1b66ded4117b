"""JAX as a program of its own sets it: double precision, and compiled programs kept for the next run."""

import hashlib
import os
import platform
from contextlib import suppress
from pathlib import Path

import jax

SHORTEST = 0.2
"""Seconds of compilation from which on a program is kept."""


def set_up_jax() -> None:
    """Double precision throughout; programs are kept unless JAX is told where, or not to."""
    _set("jax_enable_x64", True)
    if "JAX_COMPILATION_CACHE_DIR" in os.environ or jax.config.values.get("jax_compilation_cache_dir"):
        return
    with suppress(OSError):
        folder = private_folder(_cache() / "jaxrate" / f"programs-{_machine()}")
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)  # for workers that this process starts
        _set("jax_compilation_cache_dir", str(folder))
        _set("jax_persistent_cache_min_compile_time_secs", SHORTEST)


def _set(name: str, value: object) -> None:
    jax.config.update(name, value)  # noqa: TID251 - a program of its own may set what a library must not


def private_folder(path: Path) -> Path:
    """A folder that nobody else can write programs into.

    Raises:
        PermissionError: it is somebody else's, or open to others.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionError(f"`{path}` can be written by others.")
    return path


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _machine() -> str:
    """Stands for the instructions of this processor: programs for another one would end on an unknown instruction."""
    flags = ""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(f"{platform.machine()} {flags}".encode()).hexdigest()[:12]
