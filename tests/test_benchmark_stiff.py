"""The stiff jobs run, and their report holds them to what it promises. Nothing here is timed."""

import json
from typing import Any

import numpy as np
import pytest

from benchmarks import jobs, kinetics, lasers, notes, powers, report, steps, stiff, stiff_peers
from benchmarks.__main__ import main, peers_of
from benchmarks.figures import FIGURES, Figure
from tests.test_benchmarks import entry, run_of
from tests.tolerance import close

pytestmark = pytest.mark.long
STIFF = ("N1", *kinetics.PROBLEMS, "N3", "POWER", "STEPS")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON of a run over very few ensembles."""
    kept = tmp_path_factory.mktemp("run") / "results.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lasers, "SIZES", (3,))
        assert (
            main(["--jobs", "N3,POWER,STEPS", "--lanes", "4", "--rounds", "1", "--no-peers", "--json", str(kept)]) == 0
        )
    return json.loads(kept.read_text())


def test_powers_and_their_ten_derivatives_are_those_of_the_closed_form(run: dict[str, Any]) -> None:
    found = {(e["job"], e["name"]): e for e in run["entries"]}
    assert found["N3", "jaxrate"]["facts"]["balance_error"] < 1e-12
    assert found["N3", "jaxrate"]["error"] < 1e-10
    assert found["POWER", "value"]["error"] < 1e-12
    assert found["POWER", "value and gradient"]["error"] < 1e-9


def test_steps_are_counted(run: dict[str, Any]) -> None:
    (found,) = (e for e in run["entries"] if e["job"] == "STEPS")
    facts = found["facts"]
    assert facts["mean_steps"] > 50
    assert 1 <= facts["slowest_ratio"] <= 4
    close(facts["step_seconds"] * facts["mean_steps"] * found["lanes"], found["seconds"][0], rtol=1e-9)


def test_every_figure_is_of_cases_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """What numbalsoda and diffrax are called does not depend on whether they are installed."""
    monkeypatch.setattr(stiff_peers, "is_installed", lambda *_: True)
    monkeypatch.setattr(stiff_peers, "find_spec", lambda _: True)
    for run in ("numbalsoda_run", "diffrax_run"):
        monkeypatch.setattr(stiff_peers, run, lambda *_: None)
    monkeypatch.setattr(stiff_peers, "quickest", lambda ways, _: ways[0])
    cases = [c for job in STIFF for c in (*jobs.JOBS[job](4), *peers_of(job, 4, lambda _: None))]
    known = {(case.job, case.name) for case in cases}
    assert len(known) == len(cases)
    entries = {e for figure in FIGURES for e in (figure.of, figure.over) if e}
    assert {e for e in entries if e[0] in STIFF} == known


def test_derivatives_of_the_closed_form_are_its_differences() -> None:
    theta = lasers.laser().parameters()
    exact = powers.exact_slopes({})
    for name in powers.WRT:
        up, down = (float(lasers.output_power(theta | {name: theta[name] * (1 + x)})) for x in (1e-4, -1e-4))
        close(exact[name], (up - down) / (2e-4 * theta[name]), rtol=1e-5, what=name)


def test_three_populations_lase() -> None:
    """Their ground level is where the line ends: gain needs more than half of it in the upper level."""
    theta = lasers.draw(64) | steps.parameters(3, 64)
    r = lasers.rates_of(theta)
    gain = 2 * r["pump"] / (r["pump"] + r["A"] + r["quench"]) - 1
    assert np.all(gain > r["loss"] / r["growth"])


def test_wrong_lanes_are_told_of_those_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = kinetics.ROBERTSONS
    exact = np.ones((3, 2, stiff.JUDGED))
    found = np.ones((3, 2, 5))
    found[0, 1, 3] = 1.02
    monkeypatch.setattr(stiff, "reference", lambda *_: exact)
    assert stiff.told(problem, lambda: found)().facts == {"wrong_lanes": 1, "judged_lanes": 5}


def test_core_time_counts_the_cores_that_were_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program on one core is not blamed for leaving the other idle."""
    ours = entry("N1", seconds=[1.0], lanes=8, cores_busy=2.0)
    loop = entry("N1", "loop", seconds=[6.0], lanes=4, cores_busy=1.0)
    figures = [Figure(fact, ("N1", "loop"), ("N1", "jaxrate"), fact) for fact in ("seconds", "core_seconds")]
    monkeypatch.setattr(report, "FIGURES", figures)
    assert [row[2] for row in report.figure_rows(run_of([ours, loop]))] == ["12 x", "6 x"]


def test_a_ratio_is_of_the_rounds_that_both_were_timed_in() -> None:
    ours = entry("N1", seconds=[1.0, 2.0, 9.0], facts={"wrong_lanes": 0})
    peer = entry("N1", "diffrax, rtol 1e-6", seconds=[100.0, 200.0])
    (row,) = (r for r in report.figure_rows(run_of([ours, peer])) if r[0] == "diffrax, rtol 1e-6 over N1")
    assert row[2:] == ["100 x", "at least 80 x", "yes"]


def test_the_page_says_how_lasers_were_compared(run: dict[str, Any]) -> None:
    assert all(note in report.markdown(run) for note in notes.NOTES_OF_LASERS)
    assert not any(note in report.markdown(run_of([entry("J1")])) for note in notes.NOTES_OF_LASERS)
