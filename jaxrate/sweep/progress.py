"""A progress bar that many threads may advance."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Advance = Callable[[int], None]


@contextmanager
def bar(total: int | None, wanted: bool | None, unit: str = " ensembles", initial: int = 0) -> Iterator[Advance]:
    """A progress bar that counts; by default on a terminal, once a second has passed.

    Args:
        total: What it counts to; None where nobody knows.
        wanted: Whether to show it; None for the default.
        unit: What it counts.
        initial: What was there before.
    """
    shown = sys.stderr is not None and sys.stderr.isatty() if wanted is None else wanted  # pythonw has no stderr
    lock = threading.Lock()
    with tqdm(
        total=total,
        initial=initial,
        unit=unit,
        unit_scale=True,
        disable=not shown,
        delay=0 if wanted else 1,
        dynamic_ncols=True,
    ) as shown_bar:

        def advance(count: int) -> None:
            with lock:
                shown_bar.update(count)

        yield advance


INTERVAL = 60.0
"""Seconds between two lines of progress where there is no terminal."""


@contextmanager
def lines(total: int, wanted: bool | None = None, unit: str = " ensembles", initial: int = 0) -> Iterator[Advance]:
    """Progress as a line a minute, for files and logs; arguments as for `bar`."""
    lock, start, count, last = threading.Lock(), time.monotonic(), initial, time.monotonic()

    def advance(more: int) -> None:
        nonlocal count, last
        with lock:
            count += more
            if (now := time.monotonic()) >= last + INTERVAL:
                last = now
                text = tqdm.format_meter(
                    count, total, now - start, ncols=100, unit=unit, unit_scale=True, initial=initial
                )
                sys.stderr.write(f"{text}\n")
                sys.stderr.flush()

    yield advance
