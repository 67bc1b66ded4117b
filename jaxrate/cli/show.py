"""`jaxrate show`: a model in words, and its level diagram."""

import argparse

from jaxrate.cli import results
from jaxrate.cli.programs import set_up_jax
from jaxrate.cli.readings import Readings, lines, table
from jaxrate.experiment_file import find_model
from jaxrate.model.model import Model
from jaxrate.model.show import show
from jaxrate.network.compile import compile_network
from jaxrate.plot import level_diagram


def run(arguments: argparse.Namespace) -> int:
    """Print a model and draw its levels."""
    set_up_jax()
    model = find_model(arguments.target)
    print(show(model))
    _print_saturation(model)
    if not model.levels:
        return 0
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "levels.png"
    results.save_figure(level_diagram(model), path)
    results.announce({path: "the level diagram"})
    return 0


def _print_saturation(model: Model) -> None:
    """Saturation intensities need a solution, which not every model that can be shown has; a laser has none."""
    if compile_network(model).nonlinear:
        return
    try:
        readings = Readings(model, {})
    except ValueError as why:
        print(f"\nSaturation intensities are not computed: {why}")
        return
    found = [(line.label, readings.text("saturation_intensity", line.label)) for line in lines(model)]
    if rows := [row for row in found if row[1]]:
        print(f"\nSaturation intensity (at the stated parameters)\n{table(rows)}")
