"""What is measured in a process of its own: `python -m benchmarks.fresh NAME LANES` prints one line of JSON.

A first call is only first once, and the peak memory of a job is that of its process.
"""

import json
import sys
import time
from typing import Any

SAMPLE = 8
"""Ensembles of a first call that come back to be judged."""


def first_call(medium: str, lanes: int) -> dict[str, Any]:
    """Import, then state a medium and solve it for the first time."""
    start = time.perf_counter()
    import jaxrate as jr

    imported = time.perf_counter()
    from benchmarks import measure, media

    model, batch = _first_job(medium, lanes, media)
    with measure.compile_clock() as compiling:
        stated = time.perf_counter()
        found = jr.Experiment(model, jr.Steady(), {"populations": _populations})(batch)["populations"]
        solved = time.perf_counter()
    return {
        "import_seconds": imported - start,
        "seconds": solved - stated,
        "compile_seconds": measure.covered(compiling),
        "peak_bytes": peak_bytes(),
        "output": found[:, :SAMPLE].tolist(),
    }


def _first_job(medium: str, lanes: int, media: Any) -> tuple[Any, dict[str, Any]]:
    batch = media.draw_parameters(lanes)
    if medium == "four":
        return media.four_level(), batch
    return media.large_model(), {"pump.rate": batch["pump.rate"]}


def _populations(state: Any) -> Any:
    return state.populations


def reduced(lanes: int) -> dict[str, Any]:
    """A sweep that stores no ensemble: mean and maximum of the gain over two axes."""
    import jaxrate as jr
    from benchmarks import measure, media

    bench = jr.Experiment(media.four_level(), jr.Steady(), {"gain": jr.Gain("laser")})
    axes, before = media.quadrature_axes(lanes), peak_bytes()
    with measure.compile_clock() as compiling:
        start, start_busy = time.perf_counter(), time.process_time()
        found = jr.sweep(bench, axes, reduce=["mean", "max"], progress=False)
        seconds, busy = time.perf_counter() - start, time.process_time() - start_busy
    compiled = measure.covered(compiling)
    return {
        "seconds": seconds - compiled,
        "compile_seconds": compiled,
        "busy": busy / seconds,
        "peak_bytes": peak_bytes(),
        "before_bytes": before,
        "output": [float(found["gain_mean"]), float(found["gain_max"])],
    }


def peak_bytes() -> int:
    """Most memory this process had resident. Not `ru_maxrss` where there is better: that starts from the parent's."""
    try:
        with open("/proc/self/status", encoding="utf-8") as lines:
            return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except OSError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(name: str, lanes: int) -> None:
    """Print what was measured."""
    print(json.dumps(reduced(lanes) if name == "reduced" else first_call(name, lanes)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
