"""Files and directories that are there whole or not at all: written under another name, and then renamed."""

import os
import platform
import re
import shutil
import time
from pathlib import Path

PATIENCE = 3600.0
"""Seconds after which what another machine was writing is taken for left behind."""
_NAME = re.compile(r"~(?P<host>[^~]*)~(?P<pid>\d+)~\w+\.partial$")


def beside(path: Path) -> Path:
    """A name for what is to become `path`, that no other program chooses and that says whose it is."""
    return path.with_name(f"{path.name}~{platform.node()}~{os.getpid()}~{os.urandom(4).hex()}.partial")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees half of it, also after the power failed."""
    partial = beside(path)
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def sweep_up(folder: Path) -> None:
    """Remove what programs that were killed had been writing."""
    for parent, folders, files in os.walk(folder):
        names = [name for name in (*folders, *files) if name.endswith(".partial")]
        folders[:] = [name for name in folders if name not in names]
        for path in (Path(parent, name) for name in names):
            if not _is_left(path):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _is_left(path: Path) -> bool:
    named = _NAME.search(path.name)
    if named is None:
        return True
    if named["host"] == platform.node():
        return not _is_alive(int(named["pid"]))
    try:
        return time.time() - path.stat().st_mtime > PATIENCE
    except FileNotFoundError:
        return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is somebody else's
    return True
