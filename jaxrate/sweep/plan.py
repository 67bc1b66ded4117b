"""`plan.json`: what a store is the store of. It is written once, and a store with another plan is another store's."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from jaxrate.names import shown
from jaxrate.sweep.job import Job
from jaxrate.sweep.partial import beside, write_whole
from jaxrate.sweep.provenance import versions
from jaxrate.sweep.statement import fingerprint, to_statement

FORMAT = 1
"""Version of the layout."""
PLAN = "plan.json"
BRIEF = 6
"""Values that a message lists one by one."""


class StoreError(ValueError):
    """A directory that is not the store it should be."""


class OtherPlan(StoreError):
    """A store that belongs to another sweep."""


class Incomplete(StoreError):
    """A store some of whose units are not done."""


def plan_of(job: Job, unit_size: int | None) -> dict[str, Any]:
    """The plan of a job.

    Raises:
        ValueError: the sweep cannot be stated in a file.
    """
    units = job.units(unit_size)
    plan = {
        "format": FORMAT,
        "units": {"axis": units.axis, "size": units.size, "block": units.block},
        "statement": to_statement(job),
    }
    return {"fingerprint": _print(plan), "made": versions(), **plan}


def _print(plan: Mapping[str, Any]) -> str:
    """SHA-256 of all that a number, or the place where it is stored, depends on."""
    return fingerprint({"units": plan["units"], "statement": fingerprint(plan["statement"])})


def settle(path: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Write the plan of a store unless it has one; the one that it has.

    Raises:
        OtherPlan: that is of another sweep.
        StoreError: the directory holds something else.
        OSError: it cannot be written.
    """
    is_taken = _is_taken(path)  # looked at first: somebody may be making the very same store
    if not (path / PLAN).exists():
        if is_taken:
            raise StoreError(f"`{path}` is there and is not the store of a sweep: choose a directory of its own.")
        path.mkdir(parents=True, exist_ok=True)
        _write(path / PLAN, json.dumps(plan, indent=1).encode())
    found = read_plan(path)
    here, there = plan["statement"], found["statement"]
    if here != there and fingerprint(here) != fingerprint(there):
        raise OtherPlan(
            f"`{path}` is the store of another sweep: {_differences(there, here)}. "
            "Choose another directory, or remove this one."
        )
    return found


def _is_taken(path: Path) -> bool:
    """Whether there is anything but a plan that is being written."""
    if path.is_dir():
        return any(not inside.name.startswith(PLAN) for inside in path.iterdir())
    return path.exists() and not path.is_dir()


def _write(path: Path, data: bytes) -> None:
    """Write a plan unless there is one: of two programs that begin together, one decides."""
    mine = beside(path)
    write_whole(mine, data)
    try:
        os.link(mine, path)
    except FileExistsError:
        pass
    except OSError:  # a disk without hard links
        with suppress(FileExistsError), path.open("xb") as file:
            file.write(data)
    mine.unlink(missing_ok=True)


def read_plan(path: Path) -> dict[str, Any]:
    """The plan of a store.

    Raises:
        StoreError: there is none, or one that cannot be read.
    """
    try:
        plan = json.loads((path / PLAN).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        if not path.exists():
            raise StoreError(f"There is no directory `{path}`.") from None
        raise StoreError(f"`{path}` is not the store of a sweep: it has no {PLAN}.") from None
    except ValueError as error:
        raise StoreError(f"`{path / PLAN}` is damaged ({error}).") from None
    if not isinstance(plan, dict) or plan.get("format") != FORMAT:
        raise StoreError(f"`{path}` was written by another version of jaxrate, whose stores this one cannot read.")
    if _print(plan) != plan["fingerprint"]:
        raise StoreError(f"`{path / PLAN}` was changed: its fingerprint is not that of what it states.")
    return plan


def _differences(stored: Any, wanted: Any, where: str = "") -> str:
    """In which parts two statements differ."""
    if not (isinstance(stored, Mapping) and isinstance(wanted, Mapping)):
        return f"`{where}` is {_brief(stored)} there and {_brief(wanted)} here"
    keys = [key for key in {**stored, **wanted} if stored.get(key) != wanted.get(key)]
    parts = [(f"{where}.{key}".lstrip("."), stored.get(key), wanted.get(key)) for key in keys]
    return (
        "; ".join(_differences(there, here, name) for name, there, here in parts) or "its parameters have another order"
    )


def _brief(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, list) and len(value) > BRIEF:
        return f"{len(value)} values from {value[0]!r} to {value[-1]!r}"
    return shown(value)
