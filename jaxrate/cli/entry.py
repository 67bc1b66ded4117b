"""The entry point: which command, with which options, and what becomes of an error."""

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from jaxrate.cli.fit_file import EXAMPLE
from jaxrate.cli.interrupts import INTERRUPTED, leave, leave_at_once
from jaxrate.names import unknown
from jaxrate.sweep.statement import EXAMPLE as SWEEP_EXAMPLE

COMMANDS = {
    "demo": "the demonstration: a million ensembles of Nd:YAG, and a fit of its B (without a command too)",
    "solve": "steady state, transient and fluorescence decay of a model, or what a laser or an amplifier does; a sweep",
    "fit": "free parameters of a model from measured tables, with intervals, as a fit file states them",
    "sweep": "a sweep that a file states, kept on disk unit by unit: killed, it goes on where it was",
    "status": "how far a sweep on disk is",
    "verify": "whether the numbers of a sweep on disk are those that were written",
    "slurm": "a batch script that runs a sweep on the workers of SLURM",
    "show": "a model in words, and its level diagram",
    "media": "the media that ship with jaxrate",
}
EXAMPLES = """\
examples:
  jaxrate                                    the demonstration
  jaxrate show nd-yag                        what a medium is made of
  jaxrate solve nd-yag-laser                 threshold, power, relaxation oscillation, turn-on
  jaxrate solve edfa                         gain, noise figure and powers of an amplifier
  jaxrate solve my-laser.toml                a medium of your own
  jaxrate solve nd-yag --over pump.rate=1:1e4:200 --set 'signal.intensity=1 kW/cm^2' -o out
  jaxrate fit fit.toml --data gain.csv       what is free, and how it was measured: `jaxrate fit --help`
  jaxrate sweep sweep.toml -o out            a billion ensembles: `jaxrate sweep --help`

environment:
  JAX_COMPILATION_CACHE_DIR=DIR              where compiled programs are kept for the next run, instead of
                                             ~/.cache/jaxrate/compiled (macOS: ~/Library/Caches/jaxrate/compiled)
  JAX_ENABLE_COMPILATION_CACHE=false         they are not kept
"""
BROKEN_PIPE = 141
"""Exit code as a shell gives it to a program that SIGPIPE ended."""


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
        Exit code: 0, 2 for an error of the user's, 130 after Ctrl-C, 141 where nobody reads the output any more; of a
        sweep 3 for a store of another one, 4 where units were left out, 75 where it was stopped and can go on.

    Raises:
        ValueError: a bug; its traceback is what a report needs.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        leave_at_once()
    try:
        code = _run(given)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _silence(sys.stdout)
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED if argv is not None else leave()
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
    _add_fit(each["fit"])
    _add_sweep(each["sweep"])
    _add_workers(each["sweep"])
    for name in ("status", "verify"):
        each[name].add_argument("target", metavar="DIR", type=Path, help="the store of a sweep")
    each["status"].add_argument("--check", action="store_true", help="exit code 0 only if it is complete")
    _add_slurm(each["slurm"])
    _add_workers(each["slurm"])
    each["demo"].add_argument("--seed", type=_seed, default=1, help="of the noise that is fitted (1)")
    for name in ("demo", "solve", "fit", "show"):
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


def _add_fit(command: argparse.ArgumentParser) -> None:
    command.epilog, command.formatter_class = EXAMPLE, argparse.RawDescriptionHelpFormatter
    command.add_argument("target", metavar="FIT", type=Path, help="a fit file (TOML)")
    command.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="a table of measured numbers (CSV); with several experiments repeat it, NAME=FILE of each",
    )
    command.add_argument("--resume", action="store_true", help="go on with a fit that was interrupted, in the same DIR")
    command.add_argument("--seed", type=_seed, help="of the starts and of a bootstrap, instead of that of the fit file")


def _add_sweep(command: argparse.ArgumentParser) -> None:
    command.epilog, command.formatter_class = SWEEP_EXAMPLE, argparse.RawDescriptionHelpFormatter
    command.add_argument("target", metavar="FILE", type=Path, nargs="?", help="a sweep file (TOML)")
    command.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="the store: a new directory, or one to go on in"
    )
    command.add_argument(
        "--resume", type=Path, metavar="DIR", help="go on with a sweep, from what its store says alone"
    )
    command.add_argument(
        "--dry-run", action="store_true", help="say what it would cost: ensembles, units, GB, files, time"
    )
    _add_changes(command)
    command.add_argument(
        "--engine",
        default="local",
        metavar="ENGINE",
        help="local (all cores or accelerators of this machine), dask:ADDRESS, slurm, or slurm-alloc",
    )


def _add_changes(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a value of the file, set anew; repeatable"
    )
    command.add_argument("--unit-size", type=_count, metavar="N", help="ensembles in a unit (about 16 MB of results)")


def _add_slurm(command: argparse.ArgumentParser) -> None:
    command.add_argument("target", metavar="FILE", type=Path, help="a sweep file (TOML)")
    command.add_argument("-o", "--output", type=Path, metavar="DIR", required=True, help="the store")
    _add_changes(command)
    command.add_argument(
        "--engine", default="slurm", metavar="ENGINE", help="slurm (workers are jobs), or slurm-alloc (one allocation)"
    )
    command.add_argument("--driver-time", metavar="TIME", help="time limit of the job that hands out the units")


def _add_workers(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("workers of SLURM")
    group.add_argument("--workers", metavar="MIN:MAX", help="how many, such as 4:64, or 8")
    group.add_argument("--cpus-per-task", type=_count, metavar="N", help="cores of each")
    group.add_argument("--mem", metavar="SIZE", help="memory of each, such as 16G")
    group.add_argument("--gres", metavar="NAME:N", help="accelerators of each, such as gpu:1")
    group.add_argument("--time", metavar="TIME", help="time limit of each, such as 2:00:00")
    group.add_argument("--partition", metavar="NAME", help="where they run")
    group.add_argument("--account", metavar="NAME", help="who pays")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 on is meant, but {text!r} was given")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a seed is a whole number from 0 on, but {text!r} was given")
    return int(text)


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


def _silence(stream: object) -> None:
    """Keep Python from writing what is left, and failing again, when it ends."""
    if isinstance(stream, io.TextIOWrapper):  # not where a test captures it
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
