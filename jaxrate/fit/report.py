"""The text of a fit's report: first whether to believe it, then the numbers, then what they came from."""

import math
import textwrap
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxrate.fit.rounding import Rounding, rounding
from jaxrate.unit_text import pretty
from jaxrate.units import to_frequency, to_si

if TYPE_CHECKING:
    from jaxrate.fit.result import Derived, Estimate, FitResult, Minimum

WIDTH = 110
CORRELATED = 0.9
"""Correlations of larger size are listed."""
MOST_CORRELATIONS = 10
MOST_MINIMA = 5
HASH = 12
"""Digits shown of a hash."""
AT_BOUND = 1e-9
"""Relative distance from a bound at which a parameter counts as there."""
UNDETERMINED = "not determined by these data"
CONVENTIONS = "B per spectral energy density and hertz; widths are FWHM; SI"


def report(fit: "FitResult") -> str:
    """What a fit found, for people.

    Status, remarks and adequacy come before any number; then parameters with the ends of their intervals, what follows
    from them, the products that alone are determined, strong correlations, where the starts led, and provenance.
    """
    sections = (_status, _parameters, _products, _derived, _correlations, _starts, _closing)
    return "\n\n".join("\n".join(lines) for section in sections if (lines := section(fit)))


def _status(fit: "FitResult") -> list[str]:
    of = f"{_count(len(fit.estimates), 'parameter')} to {_count(fit.adequacy.points, 'datum', 'data')}"
    return [f"Fit of {of}: {fit.status}", *_wrapped(fit.remarks, "  - "), *_wrapped([_goodness(fit)]), _neighbours(fit)]


def _goodness(fit: "FitResult") -> str:
    a = fit.adequacy
    if not a.is_noise_stated:
        return f"goodness of fit cannot be tested: no sigma was stated; the noise was estimated as {_noise(fit)}"
    if a.dof < 1:
        return f"goodness of fit cannot be tested: no degree of freedom is left; chi2 = {a.chi2:.4g}"
    return f"chi2/dof = {a.chi2:.4g}/{a.dof} = {a.chi2 / a.dof:.3g}, {_probability(a.p_value)}"


def _probability(p: float) -> str:
    if math.isnan(p):
        return "p is not known for this loss"
    return f"p = {_short(p)}" if p >= 1e-99 else "p < 1e-99"


def _noise(fit: "FitResult") -> str:
    """Standard deviation of the data, of each observable."""
    measured = np.asarray(fit.table["observable"])
    return ", ".join(_spread(fit, str(name), measured == name) for name in dict.fromkeys(measured.tolist()))


def _spread(fit: "FitResult", observable: str, rows: np.ndarray) -> str:
    sigma = np.asarray(fit.table["sigma"])[rows]
    low, high = (pretty(float(f"{s:.3g}"), fit.units.get(observable) or "1") for s in (sigma.min(), sigma.max()))
    return f"{low} ({observable})" if low == high else f"{low} to {high} ({observable})"


def _neighbours(fit: "FitResult") -> str:
    a = fit.adequacy
    if math.isnan(a.lag1):
        return "  lag-1 correlation of the residuals: not defined"
    return f"  lag-1 correlation of the residuals: {a.lag1:.2f} (a size above {a.lag1_limit:.2f} counts)"


def _parameters(fit: "FitResult") -> list[str]:
    rows = _aligned([_estimate(e, fit.settings.get("bounds") or {}) for e in fit.estimates])
    method = "Wald" if fit.method == "wald" else fit.method
    return [f"Parameters ({method} intervals, {100 * fit.level:g} %)", *rows]


def _estimate(e: "Estimate", bounds: Mapping[str, Any]) -> list[str]:
    """Cells of a parameter's line."""
    at_bound = _at_bound(e, bounds)
    if not e.is_determined:
        return [e.name, _noted(f"{_one_sided(e)} (start {pretty(e.start, e.unit or '1')})", *at_bound)]
    ends = _ends(e)
    r = rounding(e.value, [end for end in ends if end and abs(end) > AT_BOUND * abs(e.value)] or [e.error], e.unit)
    numbers = [r.text(e.value), _end(r, "+", ends[1], e.upper_label), _end(r, "-", ends[0], e.lower_label), r.unit]
    start = f"(start {r.plain(e.start)})"
    return [e.name, *numbers, _percent(e), _noted(start, *at_bound, *_limits(e))]


def _one_sided(e: "Estimate") -> str:
    """What the data tell of a parameter that they do not determine."""
    limits = [("above", e.lower)] if e.lower_label == "data" else []
    limits += [("below", e.upper)] if e.upper_label == "data" else []
    return " and ".join(f"{side} {pretty(x, e.unit or '1')}" for side, x in limits) or UNDETERMINED


def _noted(*notes: str) -> str:
    return ", ".join(notes)


def _ends(e: "Estimate") -> tuple[float | None, float | None]:
    """Distances to the ends of the interval, None where it has none."""
    lower = e.value - e.lower if _is_end(e.lower_label) else math.inf
    upper = e.upper - e.value if _is_end(e.upper_label) else math.inf
    return (lower if math.isfinite(lower) else None, upper if math.isfinite(upper) else None)


def _is_end(label: str) -> bool:
    return label not in ("unbounded", "not found")


def _end(r: Rounding, sign: str, distance: float | None, label: str) -> str:
    if distance is not None:
        return f"{sign}{r.text(abs(distance))}"
    side = "upper" if sign == "+" else "lower"
    return f"{side} end not found" if label == "not found" else f"no {side} end"


def _percent(e: "Estimate") -> str:
    """Standard error relative to the value."""
    part = 100 * e.error / abs(e.value) if e.value else math.inf
    return f"({_short(part)} %)" if math.isfinite(part) else ""


def _limits(e: "Estimate") -> list[str]:
    """What ends the interval where the data do not."""
    sides = {"lower": e.lower_label, "upper": e.upper_label}
    return [f"{side} end {_limit(label, e.name)}" for side, label in sides.items() if label.startswith("limited")]


def _limit(label: str, name: str) -> str:
    return "limited by its bound" if label == f"limited by {name}" else label


def _at_bound(e: "Estimate", bounds: Mapping[str, Any]) -> list[str]:
    """Which bound a parameter has reached; one that each data set has for itself has the bounds of all of them."""
    stated = bounds.get(e.name) or bounds.get(e.name.partition("[")[0]) or ()
    known = [(side, _bound(b, e)) for side, b in zip(("lower", "upper"), stated, strict=False)]
    reached = [(side, b) for side, b in known if math.isclose(e.value, b, rel_tol=AT_BOUND)]
    return [f"at its {side} bound {pretty(b, e.unit or '1')}" for side, b in reached]


def _bound(stated: Any, e: "Estimate") -> float:
    """A bound in SI units, NaN where there is none."""
    if not isinstance(stated, str):
        return math.nan if stated is None else float(stated)
    with suppress(ValueError):  # a width in wavelength, which needs its line: what is told here is not worth that
        return float(to_frequency(stated, e.name) if e.unit == "Hz" else to_si(stated, e.unit or "1", e.name))
    return math.nan


def _derived(fit: "FitResult") -> list[str]:
    rows = _aligned([_follows(d) for d in fit.derived])
    return [f"Derived ({100 * fit.level:g} %)", *rows] if rows else []


def _follows(d: "Derived") -> list[str]:
    """Cells of the line of something derived."""
    if not all(map(math.isfinite, (d.value, d.lower, d.upper))):
        return [d.name, UNDETERMINED]
    below, above = d.value - d.lower, d.upper - d.value
    r = rounding(d.value, [below, above], d.unit)
    return [d.name, r.text(d.value), _end(r, "+", above, ""), _end(r, "-", below, ""), r.unit]


def _products(fit: "FitResult") -> list[str]:
    """What is determined of parameters that are not determined alone."""
    alone = {e.name for e in fit.estimates}
    return [_product(c) for c in fit.combinations if c.name not in alone]


def _product(c: "Derived") -> str:
    r = rounding(c.value, [c.upper - c.value, c.value - c.lower], c.unit)
    return f"only {c.name} is determined: {r.text(c.value)} ({r.text(c.lower)} to {r.text(c.upper)}) {r.unit}".rstrip()


def _correlations(fit: "FitResult") -> list[str]:
    """The strongest correlations."""
    first, second = np.triu_indices(len(fit.estimates), 1)
    found = np.nan_to_num(fit.correlation[first, second])
    order = [i for i in np.argsort(-np.abs(found), kind="stable") if abs(found[i]) > CORRELATED]
    names = [e.name for e in fit.estimates]
    rows = [[names[first[i]], names[second[i]], f"{found[i]:+.4f}"] for i in order[:MOST_CORRELATIONS]]
    return (
        [f"Correlations above {CORRELATED:g}", *_aligned(rows), *_more(len(order), MOST_CORRELATIONS)] if rows else []
    )


def _more(number: int, shown: int) -> list[str]:
    return [f"  and {number - shown} more"] if number > shown else []


def _starts(fit: "FitResult") -> list[str]:
    s = fit.starts
    if s.num == 1 and s.minima:
        return ["the only start reached a minimum; other minima were not looked for"]
    others = s.minima[1:]
    lost = [
        f"{_count(len(others), 'other')}:" if others else "",
        f"{s.failed} had no finite prediction" if s.failed else "",
        f"{s.not_converged} had not converged" if s.not_converged else "",
    ]
    best = f"{s.minima[0].starts if s.minima else 0} of {_count(s.num, 'start')} reached the best minimum"
    line = "; ".join([best, *(text for text in lost[1:] + lost[:1] if text)])
    return [line, *(_minimum(fit, m) for m in others[:MOST_MINIMA]), *_more(len(others), MOST_MINIMA)]


def _minimum(fit: "FitResult", m: "Minimum") -> str:
    at = ", ".join(f"{e.name} = {_rough(x, e.unit)}" for e, x in zip(fit.estimates, m.values, strict=True))
    text = f"chi2 {m.chi2:.5g} at {at} ({_count(m.starts, 'start')})"
    return "\n".join(_wrapped([text]))


def _rough(x: float, unit: str) -> str:
    return pretty(float(f"{x:.4g}"), unit or "1")


def _closing(fit: "FitResult") -> list[str]:
    p = fit.provenance
    hashes = p.get("data") or {}
    data = [f"{source} (sha256 {str(sha)[:HASH]})" for source, sha in hashes.items()]
    model = [f"model {p['model_fingerprint'][:HASH]}"] if "model_fingerprint" in p else []
    seed = [f"seed {p['seed']}"] if "seed" in p else []
    versions = [f"{name.removesuffix('_version')} {p[name]}" for name in p if name.endswith("_version")]
    machine = [str(p[name]).removeprefix("cpu: ") for name in ("device", "precision", "created") if p.get(name)]
    lines = ["; ".join([*(["data " + ", ".join(data)] if data else []), *model, *seed]), ", ".join(versions + machine)]
    return [*_wrapped([line for line in lines if line], ""), CONVENTIONS]


def _wrapped(sentences: Iterable[str], bullet: str = "  ") -> list[str]:
    """Sentences on lines that are not too long, one below the other."""
    hang = " " * max(len(bullet), 2)
    options: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
    cut = (textwrap.wrap(s, WIDTH, initial_indent=bullet, subsequent_indent=hang, **options) for s in sentences)
    return [line for lines in cut for line in lines]


def _aligned(rows: list[list[str]]) -> list[str]:
    """Rows of cells as lines; rows of two cells, a name and a sentence, widen no column but the first."""
    full = [row for row in rows if len(row) > 2]
    columns = max(map(len, full), default=0)
    widths = [max(len(row[i]) for row in full) for i in range(columns)] or [0]
    widths[0] = max((len(row[0]) for row in rows), default=0)
    return [
        "  " + "  ".join(cell.ljust(w) for cell, w in zip(row, _fitting(row, widths), strict=True)).rstrip()
        for row in rows
    ]


def _fitting(row: list[str], widths: list[int]) -> list[int]:
    return widths if len(row) > 2 else [widths[0], 0]


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def _short(x: float) -> str:
    """Two digits, without an exponent where there need be none."""
    return f"{x:.0f}" if 100 <= abs(x) < 1e5 else f"{x:.2g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
