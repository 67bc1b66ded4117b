"""Ctrl-C: most commands leave at once; one that has something to save is told first."""

import contextlib
import os
import signal
import sys
import threading
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


SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)]
"""Ctrl-C, what a batch system ends a job with, and what it can be told to send before."""


@contextlib.contextmanager
def told(stop: threading.Event, code: int) -> Iterator[None]:
    """Within, the first signal sets `stop`; another one leaves at once, with an exit code of its own."""

    def handle(number: int, _: object) -> None:
        if stop.is_set():
            os._exit(code)
        stop.set()
        name = signal.Signals(number).name
        with contextlib.suppress(Exception):
            print(f"\njaxrate: {name}: stops after the units that are begun (again: at once).", file=sys.stderr)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
