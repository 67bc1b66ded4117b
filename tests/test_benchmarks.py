"""The benchmark suite runs and judges rightly. No test here asks how long anything takes."""

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

from benchmarks import jobs, media, peers, reference, report
from benchmarks import measure as measuring
from benchmarks.__main__ import HERE, main, read_arguments
from benchmarks.ensembles import at, sample
from benchmarks.floor import FLOOR, floor
from benchmarks.measure import Case, Reading, covered, measure
from benchmarks.sizes import LANES

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.long
LANES_HERE = 1500
JOBS_HERE = "J1,J4,SWEEP,REDUCE,STORE,BILLION,FIRST"  # those in time: test_benchmark_transients.py
COMPILES_C = platform.system() == "Linux" and platform.machine() == "x86_64" and shutil.which("cc") is not None

FLOOR_C = """
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void steady(long B, const REAL *p, REAL *o) {
  for (long b = 0; b < B; b++) {
    REAL wp = p[b], a32 = p[B + b], a21 = p[2 * B + b], a10 = p[3 * B + b], ws = p[4 * B + b], a20 = p[5 * B + b];
    REAL s = a21 + ws + a20, x1 = (a21 + ws) * wp / s / (a10 + a20 * ws / s), x2 = (wp + x1 * ws) / s, x3 = wp / a32;
    REAL t = 1 / (1 + x1 + x2 + x3);
    o[b] = t; o[B + b] = x1 * t; o[2 * B + b] = x2 * t; o[3 * B + b] = x3 * t; o[4 * B + b] = (x2 - x1) * t;
  }
}
static void transient(long B, const REAL *p, REAL *o, REAL dt, int order) {
  for (long b = 0; b < B; b++) {
    double wp = p[b], a32 = p[B + b], a21 = p[2 * B + b], a10 = p[3 * B + b], ws = p[4 * B + b], a20 = p[5 * B + b];
    double Y[4][4], n[4] = {order > 0}, h = ldexp(dt, -40);
    double X[4][4] = {{0, a10 * h, a20 * h, 0}, {0, 0, (a21 + ws) * h, 0}, {0, ws * h, 0, a32 * h}, {wp * h, 0, 0, 0}};
    for (int turn = 0; turn <= 40; turn++) {
      for (int j = 0; j < 4; j++) { X[j][j] = 0; X[j][j] = 1 - X[0][j] - X[1][j] - X[2][j] - X[3][j]; }
      for (int i = 0; i < 4; i++) for (int j = 0; j < 4; j++) for (int k = Y[i][j] = 0; k < 4; k++)
        Y[i][j] += X[i][k] * X[k][j];
      if (turn < 40) memcpy(X, Y, sizeof X);
    }
    for (int t = 0; t < 100; t++) {
      double m[4] = {0};
      for (int i = 0; i < 4; i++) for (int k = 0; k < 4; k++) m[i] += X[i][k] * n[k];
      memcpy(n, m, sizeof n);
      o[t * B + b] = n[2] - n[1];
    }
  }
}
int main(int argc, char **argv) {
  printf("J1 64-bit 2.50 ns/ensemble\\nJ2 64-bit 500.0 ns/ensemble\\n");
  return steady == 0 || transient == 0;
}
"""
"""A slow program with the interface of the real one. In time it begins with one term and doubles it 40 times."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JSON of a run over very few ensembles."""
    folder = tmp_path_factory.mktemp("run")
    source, kept = folder / "floor.c", folder / "results.json"
    source.write_text(FLOOR_C)
    options = ["--jobs", JOBS_HERE, "--lanes", str(LANES_HERE), "--rounds", "1", "--json", str(kept)]
    assert main([*options, *(["--floor", str(source)] if COMPILES_C else [])]) == 0
    return kept


@pytest.fixture(scope="module")
def run(kept: Path) -> dict[str, Any]:
    return json.loads(kept.read_text())


def entry(job: str, name: str = "jaxrate", **changed: Any) -> dict[str, Any]:
    """An entry as the JSON has it."""
    seconds = changed.get("seconds", [1.0, 2.0, 3.0])
    lanes = changed.get("lanes", LANES[job])
    kept = {
        "job": job,
        "name": name,
        "dtype": "float64",
        "device": "cpu",
        "cores": 2,
        "cores_busy": 1.5,
        "lanes": lanes,
    }
    per = {"median": 1.0, "min": 0.5, "max": 2.0}
    found = {"seconds": seconds, "ns_per_ensemble": per, "compile_seconds": 1.0, "error": 2.5e-16, "facts": {}}
    return {**kept, **found, "failed": None, **changed}


def test_every_job_and_peer_has_entries_without_failure(run: dict[str, Any]):
    names = {(e["job"], e["name"]) for e in run["entries"]}
    solvers = {("J1", name) for name in ("jaxrate", peers.VMAP, peers.VMAP_GIVEN, peers.NUMPY, peers.LOOP)}
    written = {("J1", FLOOR)} if COMPILES_C else set()
    entries = {entry for figure in report.FIGURES for entry in (figure.of, figure.over) if entry}
    read = {entry for entry in entries if entry[0] in JOBS_HERE.split(",")} - {("J1", FLOOR)}
    assert solvers | written | read == names
    assert not [e["failed"] for e in run["entries"] if e["failed"]]


def test_entries_tell_what_was_measured(run: dict[str, Any]):
    for e in run["entries"]:
        assert len(e["seconds"]) == 1
        assert min(e["seconds"]) > 0
        assert e["ns_per_ensemble"]["min"] <= e["ns_per_ensemble"]["median"] <= e["ns_per_ensemble"]["max"]
        assert 0.9 * LANES_HERE < e["lanes"] <= LANES_HERE
        assert e["device"]
        assert e["cores"] > 0
        assert e["compile_seconds"] is None or e["compile_seconds"] >= 0


def test_answers_are_right(run: dict[str, Any]):
    """jaxrate to rounding; a derivative that nearly vanishes keeps fewer digits of its own."""
    for e in run["entries"]:
        bound = 1e-9 if e["name"] == "value and gradient" else 1e-13
        assert e["error"] < (bound if e["dtype"] == "float64" else 5e-6), (e["job"], e["name"], e["dtype"])


def test_facts_are_kept(run: dict[str, Any]):
    facts = {(e["job"], e["name"]): e["facts"] for e in run["entries"]}
    assert 0 < facts["REDUCE", "mean and maximum"]["before_bytes"] <= facts["REDUCE", "mean and maximum"]["peak_bytes"]
    assert facts["FIRST", "4 levels"]["import_seconds"] > 0
    assert run["machine"]["cores"] > 0
    assert {"python", "jax", "numpy", "scipy"} <= run["versions"].keys()
    assert run["source"]["version"]


def test_write_makes_the_page_from_the_json(kept: Path, run: dict[str, Any]):
    assert main(["--write", "--json", str(kept)]) == 0
    page = kept.with_name("RESULTS.md").read_text()
    assert page == report.markdown(run)
    assert all(e["name"] in page and e["dtype"] in page for e in run["entries"])


def test_the_page_in_the_repository_is_what_its_json_gives():
    source, page = HERE / "results.json", HERE / "RESULTS.md"
    if not source.exists():
        pytest.skip("no results are kept in benchmarks/")
    assert page.read_text() == report.markdown(json.loads(source.read_text()))


def test_import_sets_no_flag_of_jax():
    code = """
import jax
before = dict(jax.config.values)
import benchmarks.__main__, benchmarks.fresh, benchmarks.jobs, benchmarks.peers, benchmarks.ode, benchmarks.report
assert dict(jax.config.values) == before
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_unknown_job_is_refused_with_those_there_are():
    with pytest.raises(SystemExit, match=f"{', '.join(LANES)}, but J9 was given"):
        main(["--jobs", "J1,J9", "--lanes", "10"])


def test_every_job_is_run_unless_some_are_named():
    assert read_arguments([]).jobs == list(LANES)
    assert set(jobs.JOBS) == set(LANES)


def test_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch):
    """JAX itself would fall back to the CPU, and the table would be of that."""
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setattr("benchmarks.measure.device", lambda: "cpu")
    with pytest.raises(SystemExit, match="--device gpu was asked for"):
        main(["--device", "gpu", "--jobs", "SWEEP", "--lanes", "10"])


def test_write_without_a_json_says_what_is_missing(tmp_path: Path):
    with pytest.raises(SystemExit, match="no such file"):
        main(["--write", "--json", str(tmp_path / "none.json")])


@pytest.mark.parametrize("source", [None, Path("nowhere.c")])
def test_without_its_source_the_floor_is_left_out_and_says_so(source: Path | None):
    told: list[str] = []
    with floor(source, {"J1": 10, "J2": 10}, told.append) as cases:
        assert cases == []
    assert "--floor" in told[0] or "nowhere.c" in told[0]


# The media and the reference


def test_ensembles_have_the_rates_of_the_c_program():
    """What is drawn as rates and stated as B and intensity comes back as these rates."""
    rates, theta = media.draw_rates(200), media.draw_parameters(200)
    for name, low in media.RATES.items():
        assert np.all((rates[name] >= low) & (rates[name] <= 100 * low))
    for lane in range(0, 200, 20):
        found = reference.four_level_rates(at(theta, lane))
        assert all(abs(float(found[name]) / rates[name][lane] - 1) < 1e-13 for name in media.RATES)


def test_the_large_medium_is_as_large_as_it_says():
    model = media.large_model()
    assert (len(model.levels), len(model.processes)) == (40, 160)


def test_reference_balances_every_level():
    rates = at(media.draw_rates(1), 0)
    with mp.workdps(reference.DIGITS):
        n = reference.of_rates(rates)
        flows = [(source, to, mpf(rate) * n[source]) for source, to, rate in reference.four_level_transitions(rates)]
        for level in range(4):
            into = mp.fsum(flow for _, to, flow in flows if to == level)
            out = mp.fsum(flow for source, _, flow in flows if source == level)
            assert abs(into / out - 1) < mpf(10) ** (3 - reference.DIGITS)
        assert abs(mp.fsum(n[:4]) - 1) < mpf(10) ** (3 - reference.DIGITS)


def test_reference_slopes_obey_the_scaling_of_time():
    """With all rates twice as fast the steady state is the same, and B carries the driven rate with it."""
    theta = at(media.draw_parameters(1), 0)
    with mp.workdps(reference.DIGITS):
        terms = [mpf(theta[n]) * s for n, s in zip(media.VARIED, reference.slopes(theta), strict=True)]
        assert media.VARIED[-1] == "signal.intensity"
        assert abs(mp.fsum(terms[:-1])) < mpf(10) ** (5 - reference.DIGITS) * max(abs(t) for t in terms)


def test_mean_of_a_grid_follows_from_fewer_points():
    theta = {name: media.four_level().parameters()[name] for name in media.VARIED}
    axes = media.quadrature_axes(24 * 24)
    first, second = axes
    lanes = [(a, b) for a in axes[first] for b in axes[second]]
    with mp.workdps(reference.DIGITS):
        mean = mp.fsum(reference.gain({**theta, first: a, second: b}) for a, b in lanes) / len(lanes)
        assert abs(mean / reference.grid_mean(theta, {first: 18, second: 18}) - 1) < 1e-15


def test_error_is_the_largest_and_nan_is_never_hidden():
    exact = [mpf(1), mpf(2), mpf(4)]
    assert reference.relative_error([1.0, 2.5, 4.0], exact) == pytest.approx(0.25)
    assert np.isnan(reference.relative_error([1.0, float("nan"), 5.0], exact))


def test_sample_reaches_from_the_first_lane_to_the_last():
    assert sample(1).tolist() == [0]
    assert sample(10**8)[[0, -1]].tolist() == [0, 10**8 - 1]


# Measuring


def test_cases_take_turns():
    calls: list[str] = []
    cases = [Case("J1", name, "float64", 1, lambda name=name: calls.append(name)) for name in "abc"]
    measure(cases, 2)
    turn = "".join(9 * name for name in "abc")  # quick ones are called nine times in their turn
    assert "".join(calls) == "abc" + turn + turn


def test_a_case_that_takes_longer_than_its_turn_is_called_once_in_it(monkeypatch: pytest.MonkeyPatch):
    calls: list[str] = []
    monkeypatch.setattr(measuring, "read", lambda call: Reading(2.0, call(), busy=1.0))
    measure([Case("J1", name, "float64", 1, lambda name=name: calls.append(name)) for name in "ab"], 2)
    assert "".join(calls) == "ababab"


def test_a_case_that_fails_is_a_line_and_stops_nobody():
    def fail() -> None:
        raise MemoryError("no room\nat all")

    entries = measure([Case("J1", "bad", "float64", 1, fail), Case("J1", "good", "float64", 1, lambda: 0)], 2)
    assert entries[0]["failed"] == "MemoryError: no room"
    assert entries[0]["seconds"] == []
    assert entries[1]["failed"] is None
    assert "failed: MemoryError: no room" in report.text(run_of(entries))


def test_a_reading_of_its_own_is_taken_as_it_is():
    case = Case("FIRST", "x", "float64", 4, lambda: Reading(2.0, [1.0], 0.5, facts={"size": 3.0}), in_process=False)
    (found,) = measure([case], 3)
    assert found["seconds"] == [2.0, 2.0, 2.0]
    assert found["compile_seconds"] == 0.5
    assert found["facts"] == {"size": 3.0}
    assert found["ns_per_ensemble"]["median"] == 0.5e9


def test_time_covered_by_intervals_counts_none_twice():
    assert covered([]) == 0
    assert covered([(0, 4), (1, 2), (3, 5), (7, 8)]) == 6


# The report


def run_of(entries: list[dict]) -> dict[str, Any]:
    machine = {"cpu": "c", "cores": 2, "memory_GB": 8, "device": "cpu", "load_at_start": 0.1, "system": "Linux"}
    source = {"version": "0", "git": None, "changed": False}
    return {
        "date": "d",
        "machine": machine,
        "source": source,
        "versions": {},
        "rounds": 3,
        "sample": 64,
        "entries": entries,
    }


def test_ratio_is_taken_round_by_round():
    """A disturbance that slows both by ten leaves the ratio alone."""
    fast, slow = entry("J1", seconds=[1.0, 10.0, 1.1]), entry("J1", peers.VMAP, seconds=[30.0, 300.0, 33.0])
    rows = {row[0]: row for row in report.figure_rows(run_of([fast, slow]))}
    assert rows[f"{peers.VMAP} over J1"][2:] == ["30 x", "at least 20 x", "yes"]


@pytest.mark.parametrize(
    ("changed", "verdict"), [({}, "NO"), ({"lanes": 10}, ""), ({"device": "gpu: x"}, ""), ({"seconds": [0.4]}, "yes")]
)
def test_bounds_are_judged_at_full_size_on_a_cpu(changed: dict[str, Any], verdict: str):
    (row,) = report.figure_rows(run_of([entry("SWEEP", "gain stored", **changed)]))
    assert row[3:] == ["at most 500 ms", verdict]


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.234e-9, "1.23 ns"), (9.996e-7, "1 µs"), (0.5, "500 ms"), (30, "30 s"), (1e4, "10000 s")]
)
def test_times_are_written_in_the_unit_that_suits(seconds: float, text: str):
    assert report.time_text(seconds) == text


def test_tables_are_complete():
    run = run_of([entry("J1"), entry("J1", dtype="float32"), entry("J1", "other | way")])
    lines = report.text(run).splitlines()
    assert [line.split()[:3] for line in lines if line.startswith("J1  ")][1][1] == "other"  # precisions side by side
    assert "other \\| way" in report.markdown(run)
