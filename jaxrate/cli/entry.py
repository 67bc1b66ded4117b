"""The entry point: which command, with which options, and what becomes of an error."""

import argparse
import contextlib
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from jaxrate.names import unknown

COMMANDS = {
    "demo": "the demonstration: a million ensembles of Nd:YAG, beside published values (without a command too)",
    "solve": "steady state, transient and fluorescence decay of a model, and a sweep over its pump and signal",
    "show": "a model in words, and its level diagram",
    "media": "the media that ship with jaxrate",
}
EXAMPLES = """\
examples:
  jaxrate                                    the demonstration
  jaxrate show nd-yag                        what a medium is made of
  jaxrate solve my-laser.toml                a medium of your own
  jaxrate solve nd-yag --over pump.rate=1:1e4:200 --set 'signal.intensity=1 kW/cm^2' -o out
"""
INTERRUPTED, BROKEN_PIPE = 130, 141
"""Exit codes as a shell gives them to a program that SIGINT or SIGPIPE ended."""


class UsageError(ValueError):
    """A command line that cannot be meant."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are reported as every other."""

    def error(self, message: str) -> NoReturn:
        """Refuse a command line."""
        raise UsageError(f"{message} (see `{self.prog} --help`)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: What was typed after `jaxrate`; by default that of this process.

    Returns:
        Exit code: 0, 2 for an error of the user's, 130 after Ctrl-C, 141 where nobody reads the output any more.

    Raises:
        ValueError: a bug; its traceback is what a report needs.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    if argv is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _quit)
    try:
        code = _run(given)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _silence(sys.stdout)
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ValueError, OSError, MemoryError) as error:
        if not _is_users(error):
            raise
        sys.stdout.flush()
        print(f"jaxrate: error: {_message(error)}", file=sys.stderr)
        return 2


def _run(given: list[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks "µ" shows "?"
    try:
        arguments = parser().parse_args(_with_command(given))
    except SystemExit as done:  # --help, --version
        return int(done.code or 0)
    return importlib.import_module(f"jaxrate.cli.{arguments.command}").run(arguments)


def _with_command(given: list[str]) -> list[str]:
    """Without a command the demonstration is meant."""
    first = given[0] if given else "-o"
    if first in ("-h", "--help", "--version") or first in COMMANDS:
        return given
    if first.startswith("-"):
        return ["demo", *given] if given else ["demo"]
    if Path(first).is_file():
        raise UsageError(f"`{first}` is a file, not a command; did you mean `jaxrate solve {first}`?")
    raise UsageError(unknown("command", first, COMMANDS))


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    top = Parser(
        prog="jaxrate",
        description="Rate equations of lasers, masers and amplifiers: state a gain medium once, solve a million of it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"jaxrate {_version()}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    each = {
        name: commands.add_parser(name, help=text, description=_sentence(text), allow_abbrev=False)
        for name, text in COMMANDS.items()
    }
    for name in ("solve", "show"):
        each[name].add_argument("target", metavar="MODEL", help="a model file (TOML), or a medium that ships")
    _add_over(each["demo"])
    _add_over(each["solve"])
    each["solve"].add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter, with a unit or in SI; repeat it for several",
    )
    for name in ("demo", "solve", "show"):
        each[name].add_argument(
            "-o", "--output", type=Path, default=Path("jaxrate-out"), metavar="DIR", help="where to write (jaxrate-out)"
        )
    return top


def _add_over(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--over",
        action="append",
        default=[],
        metavar="NAME=START:STOP:NUM[:lin]",
        help="an axis of the sweep, spaced logarithmically or linearly; repeat it for several axes",
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _version() -> str:
    return importlib.import_module("jaxrate").__version__


def _is_users(error: Exception) -> bool:
    """Whether an error is about what was typed or stored, not a bug: jaxrate itself refused, or the system did."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    raised_by = trace.tb_frame.f_globals.get("__name__", "") if trace else ""
    return isinstance(error, OSError) or raised_by.partition(".")[0] == "jaxrate"


def _message(error: Exception) -> str:
    """What went wrong, without what only a programmer reads."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _quit(*_: object) -> NoReturn:
    """Leave at once: JAX, interrupted while it compiles, crashes when Python takes it down."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    os._exit(INTERRUPTED)


def _silence(stream: object) -> None:
    """Keep Python from writing what is left, and failing again, when it ends."""
    if isinstance(stream, io.TextIOWrapper):  # not where a test captures it
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
