"""The report says first whether to believe the numbers, and no number where there is none; a saved fit comes back."""

import json
import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxrate.fit.result import Adequacy, Derived, Estimate, FitResult, Minimum, Profile, Starts
from jaxrate.fit.rounding import rounding
from jaxrate.fit.sources import read_table
from tests.fit_results import INF, degenerate, estimate, good, inadequate, open_ended, saturation
from tests.refusal import refused
from tests.tolerance import same


def line(fit: FitResult, begin: str) -> str:
    """The first line of a report that begins so, blanks collapsed."""
    lines = [" ".join(text.split()) for text in fit.report().splitlines()]
    return next((text for text in lines if text.startswith(begin)), "")


def test_status_remarks_and_adequacy_come_before_any_parameter():
    text = inadequate().report()
    assert text.startswith("Fit of 3 parameters to 36 data: inadequate_model\n")
    places = [text.index(words) for words in ("the model misses a trend", "goodness", "lag-1", "laser.B")]
    assert places == sorted(places)


def test_a_good_fit_is_tested_by_chi_squared():
    assert line(good(), "chi2/dof") == "chi2/dof = 91.2/93 = 0.981, p = 0.53"
    assert line(good(), "lag-1") == "lag-1 correlation of the residuals: 0.04 (a size above 0.30 counts)"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"p_value": 3.2e-12}, "p = 3.2e-12"),
        ({"p_value": 0.0}, "p < 1e-99"),
        ({"p_value": math.nan}, "p is not known"),
        ({"dof": 0, "chi2": 0.0}, "no degree of freedom is left"),
        ({"lag1": math.nan}, "not defined"),
        ({"is_noise_stated": False}, "no sigma was stated; the noise was estimated as 0.0"),
    ],
)
def test_what_cannot_be_tested_is_said(changes: dict[str, Any], words: str):
    assert words in good(adequacy=replace(good().adequacy, **changes)).report()


def test_estimated_noise_is_told_in_the_unit_of_the_data():
    assert line(inadequate(), "goodness").endswith("the noise was estimated as 0.0213 m^-1 (gain)")


def test_a_parameter_has_value_ends_percent_and_start_in_the_digits_of_its_error():
    assert line(good(), "Parameters") == "Parameters (profile intervals, 95 %)"
    assert line(good(), "laser.B") == "laser.B 1.234e20 +0.062e20 -0.049e20 m^3 J^-1 s^-2 (2.3 %) (start 1e20)"
    assert line(good(), "decay.lifetime") == "decay.lifetime 230.1 +4.2 -4.1 µs (0.91 %) (start 100)"
    assert line(good(), "A21") == "A21 of laser 4350 +160 -150 s^-1"


def test_columns_stand_below_each_other():
    rows = [text for text in good().report().splitlines() if "(start" in text]
    assert len({text.index("+") for text in rows}) == len({text.index("(start") for text in rows}) == 1


@pytest.mark.parametrize(
    ("value", "errors", "unit", "text"),
    [
        (1.2345e20, (0.0412e20, 0.0333e20), "1", "1.234e20"),
        (0.99996, (0.012,), "1", "1.000"),
        (9.9996e19, (1.2e18,), "m^-3", "1.000e20 m^-3"),
        (12345.0, (120.0,), "m^-1", "12340 m^-1"),
        (2.3014e-4, (1e-6,), "s", "230.1 µs"),
        (281.7e12, (2e9,), "Hz", "281.7000 THz"),
        (0.0, (0.021,), "1", "0.000"),
        (-1e-5, (0.5,), "1", "0.00"),
        (1.5, (0.0, INF), "1", "1.50000"),
        (1.0, (1e-30,), "1", "1.00000"),
        (2.0, (3e5,), "1", "0.0e5"),
        (5e-324, (5e-324,), "1", "5.0e-324"),
        (1.7976931348623157e308, (1.7e307,), "1", "1.80e308"),
        (math.nan, (1.0,), "1", "nan"),
    ],
)
def test_a_value_ends_where_two_digits_of_its_error_do(value: float, errors: tuple, unit: str, text: str):
    r = rounding(value, errors, unit)
    assert f"{r.text(value)} {r.unit}".rstrip() == text


def test_what_is_not_determined_has_no_number_but_its_product_has():
    fit = degenerate()
    assert line(fit, "density") == "density not determined by these data (start 1e26 m^-3)"
    assert line(fit, "A21") == "A21 of laser not determined by these data"
    assert line(fit, "only") == "only laser.B * density * length is determined: 6.17e44 (6.00e44 to 6.40e44)"
    assert "only gain.scale" not in fit.report()


def test_ends_that_the_data_do_not_make_are_named():
    fit = open_ended()
    assert "no upper end -0.049e20" in line(fit, "laser.B")
    assert line(fit, "density").endswith("(start 1e26), lower end limited by laser.B")
    assert "lower end not found" in line(fit, "decay.lifetime")


@pytest.mark.parametrize("bound", [2.343e-4, "234.3 us"])
def test_a_parameter_at_its_bound_is_named(bound: Any):
    fit = replace(open_ended(), settings={"bounds": {"decay.lifetime": [None, bound]}})
    assert "at its upper bound 234.3 µs, upper end limited by its bound" in line(fit, "decay.lifetime")
    assert "bound" not in line(fit, "laser.B")


def test_a_parameter_of_each_data_set_has_the_bound_of_all():
    fit = good(estimates=(estimate("scale[a]", 2.0, unit="1"),), settings={"bounds": {"scale": [0.5, 2.0]}})
    fit = replace(fit, covariance=np.eye(1), starts=Starts(1, 0, 0, (1.0,), (Minimum(1.0, 1, (2.0,)),)))
    assert "at its upper bound 2" in line(fit, "scale[a]")


def test_only_the_strongest_correlations_are_listed():
    assert line(good(), "laser.B density") == "laser.B density -0.9700"
    names = [f"p{i}" for i in range(6)]
    matrix = np.full((6, 6), 0.95) + 0.05 * np.eye(6)
    starts = Starts(1, 0, 0, (1.0,), (Minimum(1.0, 1, (1.0,) * 6),))
    fit = good(estimates=tuple(estimate(n, 1.0, unit="1") for n in names), covariance=matrix, starts=starts)
    assert line(fit, "and 5 more")
    assert "Correlations" not in degenerate().report()


def test_the_starts_tell_of_other_minima_and_failures():
    assert line(good(), "243") == "243 of 256 starts reached the best minimum; 3 had no finite prediction; 2 others:"
    assert "laser.B = 1.234e19 m^3 J^-1 s^-2" in line(good(), "chi2 812 at")
    assert line(good(), "chi2 812 at").endswith("(8 starts)")
    assert line(inadequate(), "2 of 5").endswith("2 had no finite prediction; 1 had not converged")
    assert "not looked for" in line(degenerate(), "the only start")


def test_the_last_lines_tell_what_made_it_and_what_B_means():
    *_, data, versions, conventions = good().report().splitlines()
    assert data == "data gain.csv (sha256 0f9b6c1de30f); model 5d41402abc4b; seed 7"
    assert versions.startswith("jaxrate 0.1.0, jax 0.10.0, cpu")
    assert conventions == "B per spectral energy density and hertz; widths are FWHM; SI"
    assert good(provenance={}).report().endswith(conventions)


def test_printing_a_result_prints_its_report_and_its_repr_is_one_line():
    assert str(good()) == good().report()
    assert repr(good()).startswith("<FitResult: ok, 96 data, laser.B=1.2345e+20")
    assert "\n" not in repr(good())


def test_values_and_correlations_go_by_the_order_of_the_parameters():
    assert good().values == {"laser.B": 1.2345e20, "density": 1.38e26, "decay.lifetime": 2.3014e-4}
    np.testing.assert_allclose(good().correlation[0], [1, -0.97, 0.2], rtol=1e-14)
    found = degenerate().correlation
    assert np.isnan(found[:3]).all()
    assert found[3, 3] == 1


def test_an_unknown_parameter_gives_the_nearest():
    assert good()["density"].value == 1.38e26
    refused(lambda: good()["lazer.B"], "`lazer.B` is not a free parameter", "did you mean `laser.B`")


def assert_same(a: FitResult, b: FitResult) -> None:
    """Every field is the same to the last bit, but for what only a running fit has."""
    for f in fields(FitResult):
        if f.name not in ("covariance", "table", "_problem"):
            assert repr(getattr(a, f.name)) == repr(getattr(b, f.name)), f.name
    same(a.covariance, b.covariance)
    assert list(a.table) == list(b.table)
    for name, column in a.table.items():
        if column.dtype.kind in "UO":
            assert column.tolist() == b.table[name].tolist()
        else:
            same(column, b.table[name], name)


@pytest.mark.parametrize("make", [good, degenerate, inadequate, open_ended])
def test_a_saved_fit_comes_back_exactly(make: Any, tmp_path: Path):
    make().save(tmp_path / "new" / "out")
    found = FitResult.load(tmp_path / "new" / "out")
    assert_same(found, make())
    assert found.report() == make().report()
    assert sorted(p.name for p in (tmp_path / "new" / "out").iterdir()) == ["fit.json", "residuals.csv"]


def test_saved_json_is_strict_and_tells_its_version(tmp_path: Path):
    degenerate().save(tmp_path)
    whole = json.loads((tmp_path / "fit.json").read_text(), parse_constant=pytest.fail)
    assert (whole["format"], whole["version"]) == ("jaxrate-fit", 1)
    assert whole["estimates"][0]["upper"] == "inf"


def test_saved_residuals_are_a_table_that_can_be_fitted_again(tmp_path: Path):
    good().save(tmp_path)
    table = read_table(tmp_path / "residuals.csv")
    is_gain = table.labels["dataset"] == "saturation"
    same(table["gain"][is_gain], saturation("saturation")["value"])
    assert np.isnan(table["gain"][~is_gain]).all()
    assert table.column("gain.sigma").title == "gain.sigma [m^-1]"
    same(table["residual"], good().table["residual"])


def test_what_json_cannot_hold_is_saved_as_text(tmp_path: Path):
    stated = {"start": {"a": np.float64(2.0)}, "grid": np.array([1.0, INF]), "tie": pytest, "level": (0.5, None, True)}
    good(settings=stated).save(tmp_path)
    found = FitResult.load(tmp_path).settings
    expected = {"start": {"a": 2.0}, "grid": [1.0, INF], "tie": str(pytest), "level": [0.5, None, True]}
    assert found == expected


def changed(path: Path, **changes: Any) -> None:
    whole = json.loads(path.read_text())
    path.write_text(json.dumps({**whole, **changes}))


DAMAGES = [
    (lambda p: p.write_bytes(p.read_bytes()[:500]), ["fit.json", "cut off"]),
    (lambda p: p.write_bytes(b"\xff\xfe\x00"), ["fit.json", "no whole JSON"]),
    (lambda p: p.write_text("[1, 2]"), ["not a fit saved by jaxrate"]),
    (lambda p: p.write_text('{"format": "other"}'), ["not a fit saved by jaxrate", "jaxrate-fit"]),
    (lambda p: changed(p, version=2), ["version 2", "newer jaxrate"]),
    (lambda p: changed(p, version="1"), ["`version` must be a whole number", "'1'"]),
    (lambda p: changed(p, status="fine"), ["`status` must be one of 'ok'", "'fine'"]),
    (lambda p: changed(p, level="high"), ["`level` must be a number", "'high'"]),
    (lambda p: changed(p, remarks="none"), ["`remarks` must be of type list"]),
    (lambda p: changed(p, estimates=[{"name": "a"}]), ["`estimates[0].unit` is missing"]),
    (lambda p: changed(p, adequacy=3), ["`adequacy` must be an object"]),
    (lambda p: changed(p, covariance=[[1.0], [1.0, 2.0]]), ["`covariance` must be a square matrix"]),
    (lambda p: changed(p, table={}), ["`table.columns` is missing"]),
    (lambda p: p.with_name("residuals.csv").write_text("a\n"), ["residuals.csv", "cut off or changed"]),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGES)
def test_a_damaged_foreign_or_newer_file_is_refused(damage: Any, words: list[str], tmp_path: Path):
    good().save(tmp_path)
    damage(tmp_path / "fit.json")
    refused(lambda: FitResult.load(tmp_path), *words)


@pytest.mark.parametrize("name", ["fit.json", "residuals.csv"])
def test_a_missing_file_is_named(name: str, tmp_path: Path):
    good().save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name}: give the directory"):
        FitResult.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="give the directory"):
        FitResult.load(tmp_path / "fit.json")


def test_a_fit_that_cannot_be_saved_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    good().save(tmp_path)

    def full(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        inadequate().save(tmp_path)
    assert_same(FitResult.load(tmp_path), good())
    assert len(list(tmp_path.iterdir())) == 2


numbers = st.floats()
finite = st.floats(allow_nan=True, allow_infinity=False)
names = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=12).filter(
    lambda text: text not in ("inf", "-inf", "nan")
)
plain = st.recursive(st.none() | st.booleans() | st.integers() | numbers | names, lambda x: st.lists(x, max_size=3))


@st.composite
def results(draw: st.DrawFn) -> FitResult:
    """Results of any numbers and names."""
    p = draw(st.integers(1, 3))
    rows = draw(st.integers(1, 5))
    column = st.lists(finite, min_size=rows, max_size=rows).map(np.array)
    texts = st.lists(names, min_size=rows, max_size=rows).map(np.array)
    number_names = ("value", "sigma", "fit", "fit_lower", "fit_upper", "residual", "pump.rate")
    measured = st.lists(st.sampled_from(["gain", "light, side", "#3"]), min_size=rows, max_size=rows)
    table = {
        "dataset": draw(texts),
        "line": np.arange(rows),
        "observable": np.array(draw(measured)),
        **{name: draw(column) for name in number_names},
    }
    derived = st.lists(st.builds(Derived, names, names, numbers, numbers, numbers), max_size=2).map(tuple)
    floats = st.lists(numbers, max_size=4).map(tuple)
    minimum = st.builds(Minimum, numbers, st.integers(), st.lists(numbers, min_size=p, max_size=p).map(tuple))
    one = st.builds(Estimate, names, names, *[numbers] * 5, names, names, st.booleans(), st.booleans())
    return FitResult(
        status=draw(st.sampled_from(["ok", "not_converged"])),
        remarks=draw(st.lists(names, max_size=2).map(tuple)),
        estimates=tuple(draw(one) for _ in range(p)),
        derived=draw(derived),
        combinations=draw(derived),
        covariance=np.array(draw(st.lists(numbers, min_size=p * p, max_size=p * p))).reshape(p, p),
        adequacy=draw(st.builds(Adequacy, st.integers(), st.integers(), *[numbers] * 5, st.booleans())),
        starts=draw(st.builds(Starts, *[st.integers()] * 3, floats, st.lists(minimum, max_size=2).map(tuple))),
        profiles=draw(st.lists(st.builds(Profile, names, floats, floats, numbers), max_size=2).map(tuple)),
        table=table,
        units=draw(st.sampled_from([{}, {"gain": "dB", "pump.rate": "s^-1"}])),
        method="profile",
        level=draw(numbers),
        settings=draw(st.dictionaries(names, plain, max_size=3)),
        provenance=draw(st.dictionaries(names, plain, max_size=3)),
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(results())
def test_any_result_comes_back_exactly(tmp_path: Path, fit: FitResult):
    fit.save(tmp_path)
    assert_same(FitResult.load(tmp_path), fit)


@settings(deadline=None, max_examples=30)
@given(results())
def test_any_result_can_be_reported(fit: FitResult):
    assert fit.report().startswith("Fit of ")
