"""Ctrl-C: most commands leave at once; one that has something to save is told first."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

INTERRUPTED = 130
"""Exit code as a shell gives it to a program that SIGINT ended."""


def leave(*_: object) -> NoReturn:
    """Leave at once: JAX, interrupted while it compiles, crashes when Python takes it down."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(INTERRUPTED)


def leave_at_once() -> None:
    """Let Ctrl-C end the program, unless whoever started it has other plans."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Within, the first Ctrl-C is a KeyboardInterrupt; another one leaves at once."""
    if signal.getsignal(signal.SIGINT) is not leave:  # no program of its own: Python raises it, or nobody does
        yield
        return
    signal.signal(signal.SIGINT, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, leave)


def _raise(*_: object) -> NoReturn:
    signal.signal(signal.SIGINT, leave)
    raise KeyboardInterrupt
