"""What is measured in a process of its own: `python -m benchmarks.fresh NAME LANES` prints one line of JSON.

A first call is only first once, and the peak memory of a job is that of its process.
"""

import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

CALLS = 5
"""Timed calls of a sweep whose ensembles are kept."""
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


def stored(lanes: int, on_disk: bool) -> dict[str, Any]:
    """A map of the gain in float32, every ensemble kept: in memory, or in a store. The best of some calls."""
    import jaxrate as jr
    from benchmarks import media

    bench = jr.Experiment(media.four_level(), jr.Steady(), {"gain": jr.Gain("laser")})
    axes = media.map_axes(lanes)

    def call(folder: str) -> tuple[float, float, Any]:
        start, busy = time.perf_counter(), time.process_time()
        store = f"{folder}/out" if on_disk else None
        found = jr.sweep(bench, axes, precision="float32", progress=False, store=store)
        return time.perf_counter() - start, time.process_time() - busy, found

    times = []
    for _ in range(CALLS + 1):  # the first compiles
        with tempfile.TemporaryDirectory() as folder:
            seconds, busy, found = call(folder)
            times.append((seconds, busy / seconds))
            corner = [float(found.gain[0, 0]), float(found.gain[-1, -1])]
    best = min(times[1:])
    return {"seconds": best[0], "busy": best[1], "peak_bytes": peak_bytes(), "output": corner}


def billion(lanes: int) -> dict[str, Any]:
    """Mean and maximum of the gain over three axes, by way of a store; estimated beforehand."""
    import jaxrate as jr
    from benchmarks import media
    from jaxrate.sweep.estimate import estimate
    from jaxrate.sweep.job import read_job

    bench = jr.Experiment(media.four_level(), jr.Steady(), {"gain": jr.Gain("laser")})
    axes = media.volume_axes(lanes)
    with tempfile.TemporaryDirectory() as folder:
        expected = estimate(read_job(bench, axes, reduce=["mean", "max"]), Path(folder))
        start, busy = time.perf_counter(), time.process_time()
        found = jr.sweep(bench, axes, reduce=["mean", "max"], store=f"{folder}/out", progress=False)
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
        output = [float(found["gain_mean"]), float(found["gain_max"])]
    return {
        "seconds": seconds,
        "busy": busy / seconds,
        "peak_bytes": peak_bytes(),
        "estimate_ratio": expected.seconds / seconds,
        "output": output,
    }


def same(job: str, dtype: str, lanes: int) -> dict[str, Any]:
    """A job of the suite as it stands, judged and timed here."""
    from benchmarks import jobs, measure

    case = next(c for c in jobs.JOBS[job](lanes) if (c.name, c.dtype) == ("jaxrate", dtype))
    first, judge = measure.read(case.call), case.error
    assert judge is not None
    error = judge(first.output)
    first = replace(first, output=None)  # its memory is free for the next call
    best = measure.best(case.call)
    return {"seconds": best.seconds, "busy": best.busy, "compile_seconds": first.compile_seconds, "output": error}


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
    each = {
        "reduced": lambda: reduced(lanes),
        "memory": lambda: stored(lanes, on_disk=False),
        "store": lambda: stored(lanes, on_disk=True),
        "billion": lambda: billion(lanes),
    }
    if " " in name:
        job, dtype = name.split()
        each[name] = lambda: same(job, dtype, lanes)
    print(json.dumps(each.get(name, lambda: first_call(name, lanes))()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
