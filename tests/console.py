"""Commands of a shell that a page shows with their output, as Python that a test of the page runs."""

import contextlib
import io
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from jaxrate.cli import main
from jaxrate.sweep.engine import Done, Watch

VARYING = [
    (r"\b[\d.]+(e[-+]\d+)? s\b", "... s"),
    (r"\([\d,]+ ensembles tried\)", "(... tried)"),
    (r"\b[\d,]+ of 50 (done|units)", r"... of 50 \1"),
    (r"of which [\d,]+ solved", "of which ... solved"),
]
"""What of the output of commands differs from run to run: times, and how far a sweep was when it was interrupted."""
DELIVERY = 10.0
"""Seconds that a signal may take."""


def with_commands(page: str) -> str:
    """A page with its commands, the blocks called `console`, as Python that runs them, and what they print."""
    return re.sub(r"```console\n(.*?)```", lambda found: _as_python(found[1]), page, flags=re.DOTALL)


def _as_python(session: str) -> str:
    typed = re.findall(r"^\$ (.*)$", session, re.MULTILINE)
    printed = lasting(re.sub(r"^\$ .*\n", "", session, flags=re.MULTILINE))
    calls = "".join(f"shell({command!r}, interrupted={'^C' in printed})\n" for command in typed)
    return f"```python\nfrom tests.console import shell\n{calls}```\n\n```text\n{printed}```"


def lasting(printed: str) -> str:
    """Output of a command without what differs from run to run."""
    for pattern, instead in VARYING:
        printed = re.sub(pattern, instead, printed)
    return printed


class Shell:
    """Runs commands and prints their output: `jaxrate` in this process, others in bash."""

    code = 0

    def __call__(self, command: str, *, interrupted: bool = False) -> None:
        """Run a command; interrupted, Ctrl-C is typed when the first unit of its sweep is done."""
        if command.startswith("jaxrate "):
            words, _, file = command.partition(" > ")
            printed = lasting(self._jaxrate(shlex.split(words)[1:], interrupted))
            print(printed, end="") if not file else Path(file).write_text(printed, encoding="utf-8")
        else:
            found = subprocess.run(["bash", "-c", f"(exit {self.code}); {command}"], capture_output=True, text=True)
            print(found.stdout + found.stderr, end="")

    def _jaxrate(self, argv: list[str], interrupted: bool) -> str:
        printed = io.StringIO()
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(printed))
            stack.enter_context(contextlib.redirect_stderr(printed))
            if interrupted:
                stack.enter_context(mock.patch.object(Watch, "done", _interrupting(Watch.done)))
            self.code = main(argv)
        return printed.getvalue()


shell = Shell()


def _interrupting(count: Callable[[Watch, Done], None]) -> Callable[[Watch, Done], None]:
    """What counts units, and sends what Ctrl-C sends after the first."""
    first = threading.Lock()

    def done(watch: Watch, done: Done) -> None:
        count(watch, done)
        if first.acquire(blocking=False):
            print("^C", end="", file=sys.stderr)  # as a terminal shows it
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            watch.stop.wait(DELIVERY)

    return done
