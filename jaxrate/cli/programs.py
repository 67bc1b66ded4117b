"""JAX as a program of its own sets it: double precision, and compiled programs kept for the next run."""

import os
import sys
import time
import warnings
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import jax

LIMIT = 2**30
"""Bytes of compiled programs that are kept."""
DAY = 86400.0
"""Seconds between two looks at what is kept."""
ZLIB = b"\x78"
"""How programs begin, where JAX packs them by zlib, which is everywhere without the package `zstandard`."""
WHERE = "JAX_COMPILATION_CACHE_DIR"
SHORTEST = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
"""JAX's own variables, which other processes, such as the workers of a sweep, inherit."""


class NotPrivate(Exception):
    """A folder that others could put programs into."""


def set_up_jax() -> None:
    """Double precision throughout; programs are kept unless JAX is told where, or not to."""
    _set("jax_enable_x64", True)
    if not jax.config.values["jax_enable_compilation_cache"]:
        return
    if WHERE not in os.environ and not jax.config.values["jax_compilation_cache_dir"]:
        keep_programs()


def keep_programs() -> None:
    """Keep what is compiled in a private folder; without one, compile as if nothing had been said.

    JAX's key of a program has the version of XLA and the instructions of the processor, so that machines of different
    kinds may share a home.
    """
    try:
        folder = private_folder()
        tidy(folder)
    except NotPrivate as error:
        print(f"jaxrate: compiled programs are not kept: {error}", file=sys.stderr)
        return
    except (OSError, RuntimeError):  # a home that cannot be written, or none at all
        return
    # What cannot be read or written is compiled again, which is no news.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache", UserWarning)
    os.environ[WHERE] = str(folder)
    os.environ.setdefault(SHORTEST, "0")  # reading is quicker than the shortest compilation
    _set("jax_compilation_cache_dir", str(folder))
    _set("jax_persistent_cache_min_compile_time_secs", float(os.environ[SHORTEST]))


def _set(name: str, value: object) -> None:
    jax.config.update(name, value)  # noqa: TID251 - a program of its own may set what a library must not


def cache_home() -> Path:
    """Where programs of this user keep what they can do without."""
    stated = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(stated):
        return Path(stated)
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def private_folder() -> Path:
    """The folder of compiled programs, made if need be. They are run, so nobody else may write into it.

    Raises:
        NotPrivate: it, or the folder that it is in, is somebody else's or open to others.
        OSError: it cannot be made, or not be written into.
        RuntimeError: the user has no home.
    """
    folder = cache_home() / "jaxrate" / "compiled"
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    for path in (folder.parent, folder):
        path.mkdir(mode=0o700, exist_ok=True)
        _check(path)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"`{folder}` cannot be written.")
    return folder


def _check(path: Path) -> None:
    found = path.stat()
    elsewhere = f"set {WHERE} to a folder of your own"
    if found.st_uid != os.getuid():
        raise NotPrivate(f"`{path}` belongs to another user; {elsewhere}.")
    if found.st_mode & 0o022:
        raise NotPrivate(f"`{path}` can be written by others; write `chmod go-w '{path}'`, or {elsewhere}.")


def tidy(folder: Path, limit: int = LIMIT) -> None:
    """Once a day remove pieces of programs, and beyond a size those that were not used for longest.

    JAX writes a program in its place: killed meanwhile, or on a full disk, it leaves a piece, which no later run can
    read or replaces. Other processes may read, write and tidy at the same time: what one of them loses it compiles.

    Args:
        folder: Where programs are kept.
        limit: Bytes that they may take.
    """
    marker = folder / "tidied"
    last = marker.stat().st_mtime if marker.exists() else 0.0
    if time.time() - last < DAY:
        return
    marker.touch()
    files = []
    for path, found in _files(folder):
        if found.st_mtime >= last and _is_piece(path):
            path.unlink(missing_ok=True)
        else:
            files.append((max(found.st_atime, found.st_mtime), found.st_size, path))
    size = sum(each[1] for each in files)
    for _, freed, path in sorted(files):
        if size <= limit:
            return
        path.unlink(missing_ok=True)
        size -= freed


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Programs, and what XLA keeps beside them."""
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                yield path, path.stat()


def _is_piece(path: Path) -> bool:
    """Whether a program lacks its end."""
    try:
        packed = path.read_bytes()
    except FileNotFoundError:
        return False
    if not path.name.endswith("-cache") or packed[:1] not in (b"", ZLIB):
        return False
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(packed)
    except zlib.error:
        return True
    return not unpacking.eof
