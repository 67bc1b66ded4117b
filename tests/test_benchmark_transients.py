"""The benchmarks in time run, judge rightly and leave out what is not installed. Nothing here is timed."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

from benchmarks import diagram, exact_paths, exponentials, media, notes, ode, reference, report, transients
from benchmarks.__main__ import main
from benchmarks.ensembles import at
from benchmarks.floor import FLOOR
from benchmarks.jobs import ALONE
from benchmarks.measure import Case, measure
from tests.test_benchmarks import COMPILES_C, FLOOR_C, entry, run_of

pytestmark = pytest.mark.long
LANES_HERE = 32
HAS_DIFFRAX = find_spec("diffrax") is not None
BOUNDS = {
    "jaxrate": 1e-13,
    ALONE: 1e-13,
    "value": 1e-13,
    "value and gradient": 1e-12,
    FLOOR: 1e-5,
    exponentials.VMAP_EXPM: 1e-6,
    exponentials.LOOP_EXPM: 1e-6,
    ode.lsoda_at(ode.RTOL): 1e-4,
    ode.diffrax_at(ode.RTOL): 1e-3,
}
"""Largest error of each program; that of jaxrate is rounding."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JSON of a run over very few ensembles, in float64, with one solver and one tolerance."""
    folder = tmp_path_factory.mktemp("run")
    source, kept = folder / "floor.c", folder / "results.json"
    source.write_text(FLOOR_C)
    options = ["--jobs", "J2,J2G,J3", "--lanes", str(LANES_HERE), "--rounds", "1", "--json", str(kept)]
    with pytest.MonkeyPatch.context() as patch:
        for module in ("transients", "exponentials", "ode", "floor", "jobs"):
            patch.setattr(f"benchmarks.{module}.DTYPES", ("float64",))
        patch.setattr(transients, "JUDGED", 2)
        patch.setattr(transients, "JUDGED_SLOPES", 1)
        patch.setattr(ode, "SOLVERS", ("Kvaerno5",))
        patch.setattr(ode, "TOLERANCES", (ode.RTOL,))
        assert main([*options, *(["--floor", str(source)] if COMPILES_C else [])]) == 0
    return kept


@pytest.fixture(scope="module")
def run(kept: Path) -> dict[str, Any]:
    return json.loads(kept.read_text())


def test_every_job_and_peer_has_entries_without_failure(run: dict[str, Any]):
    expected = {(job, name) for job in ("J2", "J3") for name in BOUNDS if name not in (FLOOR, ALONE, "value")}
    expected |= {("J2", ALONE), ("J2G", "value"), ("J2G", "value and gradient")} | (
        {("J2", FLOOR)} if COMPILES_C else set()
    )
    missing = set() if HAS_DIFFRAX else {(job, ode.diffrax_at(ode.RTOL)) for job in ("J2", "J3")}
    assert {(e["job"], e["name"]) for e in run["entries"]} == expected - missing
    assert not [e["failed"] for e in run["entries"] if e["failed"]]


def test_answers_are_right(run: dict[str, Any]):
    for e in run["entries"]:
        assert e["error"] < BOUNDS[e["name"]], (e["job"], e["name"], e["dtype"])


@pytest.mark.skipif(not HAS_DIFFRAX, reason="diffrax is not installed")
def test_the_way_that_was_chosen_is_told(run: dict[str, Any]):
    details = {e["detail"] for e in run["entries"] if e["name"] == ode.diffrax_at(ode.RTOL)}
    assert details == {f"Kvaerno5, {LANES_HERE} at a time"}
    assert f"{ode.diffrax_at(ode.RTOL)}, Kvaerno5, {LANES_HERE} at a time" in report.text(run)


def test_every_figure_in_time_is_read_from_an_entry_there_is(run: dict[str, Any]):
    names = {(e["job"], e["name"]) for e in run["entries"]}
    figures = [figure for figure in report.FIGURES if figure.of[0] in notes.IN_TIME]
    wanted = {key for figure in figures for key in (figure.of, figure.over) if key}
    assert wanted - names <= {("J2", FLOOR)} | {(job, ode.diffrax_at(ode.RTOL)) for job in ("J2", "J3")}


def test_write_draws_work_against_precision_beside_the_page(kept: Path):
    assert main(["--write", "--json", str(kept)]) == 0
    page = kept.with_name("RESULTS.md").read_text()
    assert diagram.FILE in page
    assert all(note in page for note in notes.NOTES_IN_TIME)
    assert kept.with_name(diagram.FILE).read_bytes().startswith(b"\x89PNG")


def test_a_run_without_curves_has_no_diagram():
    page = report.markdown(run_of([entry("J1")]))
    assert diagram.FILE not in page
    assert not any(note in page for note in notes.NOTES_IN_TIME)


def test_without_diffrax_its_cases_are_left_out_and_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    told: list[str] = []
    monkeypatch.setattr(ode, "find_spec", lambda name: None)
    names = [case.name for case in ode.solvers("J2", 4, told.append)]
    assert names == [ode.lsoda_at(rtol) for rtol in ode.TOLERANCES]
    assert "jaxrate[bench]" in told[0]


def test_a_solver_that_fails_is_tried_once_and_another_is_taken():
    tried: list[ode.Way] = []

    def runs(way: ode.Way) -> Any:
        def call() -> None:
            tried.append(way)
            if way.solver == "a":
                raise RuntimeError("3 of 4 ensembles did not end")

        return call

    ways = [ode.Way(solver, batch) for solver in "ab" for batch in (4, 2)]
    assert ode.quickest(ways, runs) in ways[2:]
    assert [way for way in tried if way.solver == "a"] == ways[:1]
    assert ode.quickest(ways[:2], runs) == ways[0]


def test_a_library_may_fail_without_failing_the_run(monkeypatch: pytest.MonkeyPatch):
    def fail() -> None:
        raise RuntimeError("no")

    for may_fail, code in ((True, 0), (False, 1)):
        entries = measure([Case("J2", "x", "float32", 1, fail, may_fail=may_fail)], 1)
        monkeypatch.setattr("benchmarks.__main__.run", lambda asked, entries=entries: run_of(entries))
        assert main([]) == code


def test_fewer_ensembles_of_a_slower_program_do_not_keep_a_figure_from_being_judged():
    slow = entry("J2", ode.diffrax_at(ode.RTOL), lanes=1024, seconds=[6.0, 6.0, 6.0], error=1e-6)
    rows = {row[0]: row for row in report.figure_rows(run_of([entry("J2"), slow]))}
    ratio, errors = (row for what, row in rows.items() if "diffrax" in what)
    assert ratio[4] == "yes"
    assert errors[2:] == ["2.5e-10 x", "at most 1 x", "yes"]


# The exact paths


def test_exact_paths_settle_where_the_exact_steady_state_is():
    rates = at(media.draw_rates(1), 0)
    with mp.workdps(reference.DIGITS):
        (n,) = exact_paths.of_rates(rates, [1e4])
        assert max(abs(a / b - 1) for a, b in zip(n, reference.of_rates(rates), strict=False)) < mpf(10) ** -45


def test_exact_paths_are_those_of_a_product_of_matrix_exponentials():
    """Of an independent one, at times that are no whole number of any step."""
    theta, times = at(media.draw_parameters(3), 2), [1e-9, 3e-7, 0.1 / 3, 0.1]
    with mp.workdps(200):
        rates = reference.four_level_rates(theta)
        K = mp.zeros(4, 4)
        for source, to, rate in reference.four_level_transitions(rates):
            K[to, source] += rate
            K[source, source] -= rate
        for time, n in zip(times, exact_paths.of_parameters(theta, times), strict=True):
            exact = mp.expm(K * mpf(time), method="taylor")[:, 0]
            assert max(abs(n[i] / exact[i] - 1) for i in range(4)) < mpf(10) ** -45


def test_exact_slopes_conserve_population_and_scale_with_time():
    r"""With all rates twice as fast a path is passed in half the time: $\sum_k k\,\partial n/\partial k = t\,Kn$."""
    theta, time = at(media.draw_parameters(1), 0), 2.0**-12
    with mp.workdps(reference.DIGITS):
        scaled = [name for name in media.VARIED if name != "signal.intensity"]  # B carries the driven rate with it
        slopes = {name: exact_paths.slopes(theta, name, [time])[0] for name in scaled}
        assert all(abs(mp.fsum(slope)) < mpf(10) ** -40 * max(map(abs, slope)) for slope in slopes.values())
        (n,) = exact_paths.of_parameters(theta, [time])
        moved = [mpf(0)] * 4
        for source, to, rate in reference.four_level_transitions(reference.four_level_rates(theta)):
            moved[to] += time * rate * n[source]
            moved[source] -= time * rate * n[source]
        found = [mp.fsum(mpf(theta[name]) * slopes[name][i] for name in scaled) for i in range(4)]
        assert max(abs(a - b) for a, b in zip(found, moved, strict=True)) < mpf(10) ** -40 * max(map(abs, moved))


def test_error_of_a_curve_is_over_its_largest_value_and_nan_is_never_hidden():
    exact = [mpf(0), mpf(-4), mpf(1)]
    assert exact_paths.error_of_curve([1.0, -4.0, 1.0], exact) == pytest.approx(0.25)
    assert np.isnan(exact_paths.error_of_curve([0.0, float("nan"), 9.0], exact))
