"""`jaxrate fit`: free parameters from measured tables, as a fit file states them."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxrate.cli import interrupts, results
from jaxrate.cli.fit_file import FitFile, read_fit
from jaxrate.cli.programs import set_up_jax
from jaxrate.fit import storage
from jaxrate.fit.result import FitResult
from jaxrate.fit.run import fit
from jaxrate.fit.sources import read_table

CHECKPOINT = "checkpoint.npz"
PICTURES = {
    "data": "the data with the fit, and what is left over",
    "profiles": "the likelihood around each parameter",
    "correlation": "how the parameters depend on each other",
    "starts": "where the starts led",
}


def run(arguments: argparse.Namespace) -> int:
    """Fit, print the report, and write what came out."""
    set_up_jax()
    file = read_fit(arguments.target)
    tables = file.tables(arguments.data)
    seed = {} if arguments.seed is None else {"seed": arguments.seed}
    found = fitted(file, tables, _checkpoint(arguments.output, arguments.resume), **seed)
    print(found.report())
    results.announce(save(found, arguments.output))
    return 0


def _checkpoint(directory: Path, resume: bool) -> Path:
    """Where the fit is kept while it runs.

    Raises:
        ValueError: there is one of a fit that was interrupted, which nobody said to resume.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / CHECKPOINT
    if path.exists() and not resume:
        raise ValueError(f"`{path}` is of a fit that was interrupted: go on with --resume, or remove it to begin anew.")
    if resume and not path.exists():
        print(f"There is no `{path}` to resume from: the fit begins anew.", file=sys.stderr)
    return path


def fitted(file: FitFile, tables: Mapping[str, Path], checkpoint: Path | None = None, **options: Any) -> FitResult:
    """The fit that a file states; when it is interrupted it says how to go on.

    Args:
        file: The fit file.
        tables: Table of each experiment.
        checkpoint: Where to keep finished fits.
        options: Of `jr.fit`; they go before those of the file.

    Raises:
        ValueError: as `jr.fit`.
    """
    data = {name: read_table(path) for name, path in tables.items()}
    experiments = {name: file.setups[name].experiment(file.model, table) for name, table in data.items()}
    try:
        with interrupts.raised():
            return fit(experiments, data, file.free, checkpoint=checkpoint, **{**file.options, **options})
    except KeyboardInterrupt:
        _say_how_to_go_on(checkpoint)
        raise


def _say_how_to_go_on(checkpoint: Path | None) -> None:
    if checkpoint is None or not checkpoint.exists():
        print("\njaxrate: interrupted before anything was fitted.", file=sys.stderr)
        return
    text = f"interrupted; what was done is in `{checkpoint}`: the same command with --resume goes on from there."
    print(f"\njaxrate: {text}", file=sys.stderr)


def save(found: FitResult, directory: Path) -> dict[Path, str]:
    """Write a fit and its pictures; what files there are now. Pictures of a fit that was there before are removed."""
    found.save(directory)
    drawn = found.plot(directory)
    for name in PICTURES.keys() - drawn.keys():
        (directory / f"{name}.png").unlink(missing_ok=True)
    numbers = {storage.FIT: f'the fit: jr.FitResult.load("{directory}")', storage.RESIDUALS: "data, fit and residuals"}
    pictures = {f"{name}.png": PICTURES.get(name, name) for name in drawn}
    return {directory / name: what for name, what in (numbers | pictures).items()}
