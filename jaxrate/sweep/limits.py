"""Limits of workers as they are typed: how many, and for how long."""

import math
import re


def read_time(text: str) -> float:
    """Seconds of a time limit as SLURM writes it: minutes, M:S, H:M:S, D-H, D-H:M, D-H:M:S, or UNLIMITED.

    Raises:
        ValueError: it is none.
    """
    if text.lower() in ("unlimited", "infinite"):
        return math.inf
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if found is None:
        raise ValueError(f"A time limit is written as 2:00:00 or 1-12:00:00, but {text!r} was given.")
    days, *parts = (None if x is None else int(x) for x in found.groups())
    given = [x for x in parts if x is not None]
    if days is None and len(given) < 3:
        given = [0, *given]  # minutes, or minutes and seconds
    hours, minutes, seconds = (*given, 0, 0)[:3]
    limit = (((days or 0) * 24 + hours) * 60 + minutes) * 60.0 + seconds
    return limit or math.inf


def lifetime(time: str | None) -> list[str]:
    """Options by which a worker ends a little before its job must, and not all of them at once."""
    limit = read_time(time) if time else math.inf
    if limit == math.inf:
        return []
    stagger = min(60.0, 0.05 * limit)
    lifetime = max(0.5 * limit, limit - 120.0 - stagger)
    return ["--lifetime", f"{lifetime:.0f}s", "--lifetime-stagger", f"{stagger:.0f}s"]


def read_workers(text: str) -> tuple[int, int]:
    """Least and largest number of workers from "4:64", or from "8" for both.

    Raises:
        ValueError: it is neither.
    """
    found = re.fullmatch(r"(\d+)(?::(\d+))?", text)
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 0 <= low <= high or high == 0:
        raise ValueError(f"The number of workers is given as 4:64, at least and at most, or as 8, but not as {text!r}.")
    return low, high
