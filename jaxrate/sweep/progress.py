"""A progress bar that many threads may advance."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Advance = Callable[[int], None]


@contextmanager
def bar(total: int | None, wanted: bool | None, unit: str = " ensembles") -> Iterator[Advance]:
    """A progress bar that counts; by default on a terminal, once a second has passed.

    Args:
        total: What it counts to; None where nobody knows.
        wanted: Whether to show it; None for the default.
        unit: What it counts.
    """
    shown = sys.stderr is not None and sys.stderr.isatty() if wanted is None else wanted  # pythonw has no stderr
    lock = threading.Lock()
    with tqdm(
        total=total, unit=unit, unit_scale=True, disable=not shown, delay=0 if wanted else 1, dynamic_ncols=True
    ) as shown_bar:

        def advance(count: int) -> None:
            with lock:
                shown_bar.update(count)

        yield advance
