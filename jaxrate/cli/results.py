"""Running a sweep and keeping it: progress and timing on the screen, numbers and pictures in a directory."""

import sys
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxrate.experiment import Experiment
from jaxrate.model.fields import Beam
from jaxrate.model.model import Model
from jaxrate.model.processes import Pump
from jaxrate.solve.lanes import num_cores
from jaxrate.sweep.run import sweep


def machine() -> str:
    """What computes."""
    device = jax.devices()[0]
    where = f"{num_cores()} cores" if device.platform == "cpu" else device.device_kind
    return f"float64, {device.platform}, {where}"


def timed(bench: Experiment, over: Mapping[str, Any], *, progress: bool = True) -> tuple[xr.Dataset, float]:
    """A sweep, with a progress bar on a terminal, and how many seconds it took."""
    sys.stdout.flush()
    start = time.perf_counter()
    ds = sweep(bench, over, progress=progress and sys.stderr.isatty())
    return ds, time.perf_counter() - start


def speed(ds: xr.Dataset, seconds: float) -> str:
    """Seconds, and ensembles a second."""
    return f"{seconds:.2f} s, {ds.status.size / seconds:.3g} ensembles a second"


def pump_and_signal(model: Model) -> list[str]:
    """Parameters that a model is swept over: the rate of its first pump, the intensity of its first beam.

    Without a `Pump` the first beam pumps, and the second is the signal.
    """
    pumps = [f"{p.label}.rate" for p in model.processes if isinstance(p, Pump)][:1]
    beams = [f"{p.label}.intensity" for p in model.processes if isinstance(p, Beam)]
    known = model.parameters()
    return [name for name in [*pumps, *beams] if name in known][:2]


def save_dataset(ds: xr.Dataset, path: Path) -> None:
    """Write a dataset as zarr, over what was there; "/" in a name would be a folder and is written "_"."""
    clean = {n: str(n).replace("/", "_") for n in {*ds.variables, *ds.dims} if "/" in str(n)}
    with warnings.catch_warnings():
        # zarr warns of consolidated metadata, which every reader of zarr 3 that matters here understands.
        warnings.filterwarnings("ignore", "Consolidated metadata", UserWarning)
        ds.rename(clean).to_zarr(path, mode="w")


def save_figure(drawn: Figure | Axes, path: Path) -> None:
    """Write a figure, or the one that Axes belong to, as PNG; its directory is made."""
    figure = drawn if isinstance(drawn, Figure) else drawn.get_figure(root=True)
    assert figure is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=200)


def announce(files: Mapping[Path, str]) -> None:
    """Say what was written where."""
    width = max(len(str(path)) for path in files)
    print("\nWrote")
    for path, what in files.items():
        print(f"  {path!s:<{width}}  {what}")
