"""What `bloch_check` finds: rates, their ratios, the verdict, and the report that people read."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from jaxrate.names import unknown

EXACT, ROUGH = 0.01, 0.1
"""Deviations up to which the limit "holds", and up to which it "holds to 10 %"."""

VERDICTS = ("holds", "holds to 10 %", "steady state only", "width needed", "fails", "bad input")
"""From the best to the worst."""


@dataclass(frozen=True)
class DrivenLine:
    r"""How fast things are on one line in the light of one beam or cavity. Numbers have the shape of the batch.

    Attributes:
        field, line: Labels of the light and of the line.
        coherence_rate: At which the atoms lose coherence, $\pi$ times the homogeneous FWHM [s^-1].
        light_rate: At which the light does, $\pi$ times its FWHM [s^-1].
        rabi_frequency: Omega [rad/s].
        detuning: Of the light from a homogeneous line [Hz]; 0 for an inhomogeneous one.
        population_rate: Sum of the rates at which both levels empty without this light [s^-1].
        upper_rate: That of the upper level alone [s^-1].
        photon_rate: $1/2\tau_c$ of a cavity [s^-1]; 0 for a beam.
        lifetime_rate: Least rate of losing coherence that the lifetimes of the levels allow [s^-1].
        timescale: Time over which populations are looked at [s], or None.
        stated: Whether the homogeneous width is stated; otherwise it is that of the lifetimes.
        mixing: How strongly this and other coherent light drive a coherence between two more levels together.
        shared: Other coherent light on the line or on one of its levels.
    """

    field: str
    line: str
    coherence_rate: Any
    light_rate: Any
    rabi_frequency: Any
    detuning: Any
    population_rate: Any
    upper_rate: Any
    photon_rate: Any
    lifetime_rate: Any
    timescale: Any
    stated: bool
    mixing: Any = 0.0
    shared: tuple[str, ...] = ()

    @property
    def gamma(self) -> Any:
        """Rate at which the coherence of atoms and light is lost [s^-1]."""
        return self.coherence_rate + self.light_rate

    @property
    def field_ratio(self) -> Any:
        """Omega / gamma."""
        return self.rabi_frequency / self.gamma

    @property
    def population_ratio(self) -> Any:
        """Rate at which the levels empty, over gamma."""
        return self.population_rate / self.gamma

    @property
    def cavity_ratio(self) -> Any:
        r"""$1/2\gamma\tau_c$, above 1 in a "bad cavity"; 0 for a beam."""
        return self.photon_rate / self.gamma

    @property
    def time_ratio(self) -> Any:
        r"""$1/\gamma T$ of the time scale; 0 without one."""
        return 0.0 * self.gamma if self.timescale is None else 1.0 / (self.gamma * self.timescale)

    @property
    def driven_rate(self) -> Any:
        r"""$W_{12} + W_{21} = \frac{\Omega^2\gamma}{\gamma^2 + \delta^2}$ [s^-1] of atoms in resonance, or of all."""
        return self.rabi_frequency * self.field_ratio * self._near

    @property
    def _near(self) -> Any:
        return 1.0 / (1.0 + (2 * np.pi * self.detuning / self.gamma) ** 2)

    @property
    def deviation(self) -> Any:
        """How far populations are from those of the Bloch equations, a share of what changes; see `bloch_check`."""
        if self.timescale is None:
            lag = (self.population_rate + self.driven_rate) / self.gamma
        else:
            lag = -np.expm1(-self.gamma * self.timescale) * self.time_ratio
        return (2.0 - self._near) * lag + self.cavity_ratio

    @property
    def is_too_narrow(self) -> Any:
        """Whether the stated width is below that of the lifetimes, by more than rounding."""
        return self.coherence_rate < 0.99 * self.lifetime_rate

    @property
    def is_mixed(self) -> Any:
        """Whether light on a neighbouring line, or more light on this one, changes the coherence by more than 10 %."""
        return self.mixing > ROUGH

    @property
    def is_pulled(self) -> Any:
        r"""Whether the line pulls the light of a detuned cavity so far that the cross-section changes by over 10 %.

        Light is $\delta/(1+\sigma)$ from the line, $\sigma = 1/2\gamma\tau_c$, where the rate equations have $\delta$.
        """
        return (1.0 - self._near) * (1.0 - (1.0 + self.cavity_ratio) ** -2) > ROUGH

    @property
    def is_unstable(self) -> Any:
        r"""Whether a bad cavity is above its second threshold, where the steady state pulses by itself.

        $\sigma > b + 1,\quad r > \frac{\sigma(\sigma + b + 3)}{\sigma - b - 1}$ with $\sigma = 1/2\gamma\tau_c$,
        $b = \Gamma_u/\gamma$, and $r = 1 + \Omega^2/\gamma\Gamma_u$ times above threshold. H. Haken, Phys. Lett. A 53,
        77 (1975) (page not checked; the tests compare with the eigenvalues).
        """
        sigma, b = self.cavity_ratio, self.upper_rate / self.gamma
        bad = sigma > b + 1
        second = sigma * (sigma + b + 3) / np.where(bad, sigma - b - 1, 1.0)
        return bad & (b + self.field_ratio**2 > second * b)

    @cached_property
    def verdict(self) -> Any:
        """One of `VERDICTS` for every ensemble.

        "holds": populations in time are right to 1 %; "holds to 10 %"; "steady state only": steady states are exact and
        what is slower than 1/gamma is right, transients are not; "width needed": the same by the width of the
        lifetimes, but a homogeneous width is not stated; "fails": steady states are not right either.
        """
        return _named(self._rank)

    @property
    def _rank(self) -> Any:
        deviation = self.deviation
        rank = (deviation > EXACT).astype(int) + (deviation > ROUGH)
        if not self.stated:
            return np.where(np.isnan(deviation), 5, np.where(rank == 2, 3, rank))
        wrong = (rank == 2) & self.is_mixed | self.is_too_narrow | self.is_unstable | self.is_pulled
        rank = np.where(wrong, 4, rank)
        return np.where(np.isnan(deviation), 5, rank)

    def __str__(self) -> str:
        return "\n    ".join(
            [f"`{self.field}` on `{self.line}`: {_counted(self.verdict)}", *self._numbers(), *self._advice()]
        )

    def _numbers(self) -> list[str]:
        width = "" if self.stated else ", of the lifetimes: no homogeneous width is stated"
        rows = [
            f"gamma  {_span(self.gamma)} s^-1, coherence is lost (FWHM {_span(self.gamma / np.pi)} Hz{width})",
            f"Omega  {_span(self.rabi_frequency)} rad/s, Rabi frequency; Omega/gamma = {_span(self.field_ratio)}",
            f"Gamma  {_span(self.population_rate)} s^-1, levels empty; Gamma/gamma = {_span(self.population_ratio)}",
        ]
        if np.any(self.light_rate > 0):
            rows.append(f"light  {_span(self.light_rate / np.pi)} Hz of the width are the light's own")
        if np.any(self.photon_rate > 0):
            rows.append(f"cavity {_span(self.photon_rate)} s^-1, half its loss; over gamma {_span(self.cavity_ratio)}")
        if self.timescale is not None:
            rows.append(f"time   {_span(self.timescale)} s; 1/(gamma T) = {_span(self.time_ratio)}")
        share = "of the change after a switch" if self.timescale is None else "of the change over that time"
        return [*rows, f"Populations in time deviate by about {_span(self.deviation)} {share}."]

    def _advice(self) -> list[str]:
        ranks, bad_cavity = self._rank, np.any(self.cavity_ratio > EXACT)
        if not self.stated and np.any(ranks == 3):
            return [f"Give homogeneous={{'{self.line}': '1 GHz'}}, its homogeneous FWHM: it can only be larger."]
        found = []
        if np.any(ranks == 2):
            found.append("Steady states are exact for whatever width.")
        if np.any(ranks == 2) and not bad_cavity:
            slow = 1 / EXACT / np.nanmin(self.gamma)
            found.append(f"Populations read {slow:.3g} s (100/gamma) after a switch, or later, are right to 1 %.")
        if np.any(ranks == 2) and bad_cavity:
            found.append("The coherence does not follow the light of the cavity at once: that grows more slowly.")
        if np.any(self.is_too_narrow):
            least = np.nanmax(self.lifetime_rate) / np.pi
            found.append(f"The line is narrower than its lifetimes allow: state a FWHM of at least {least:.4g} Hz.")
        if np.any(self.is_unstable):
            found.append("The cavity is above its second threshold: its steady state is not stable (Lorenz-Haken).")
        if np.any(self.is_pulled):
            found.append("The line pulls the cavity's light towards it: state the frequency at which it oscillates.")
        if np.any((ranks == 4) & self.is_mixed):
            found.append(f"Coherences with {', '.join(self.shared)} matter, as in Raman transitions, EIT and beats.")
        return found


@dataclass(frozen=True)
class BlochCheck:
    """Verdicts of `bloch_check`; print it for a report.

    Attributes:
        lines: One `DrivenLine` for each pair of light and line.
        name: Of the model.
    """

    lines: tuple[DrivenLine, ...]
    name: str = ""

    @property
    def verdict(self) -> Any:
        """The worst of all lines, for every ensemble."""
        ranks = np.stack(np.broadcast_arrays(*(line._rank for line in self.lines)))
        return _named(np.max(ranks, axis=0))

    @property
    def deviation(self) -> Any:
        """The largest of all lines, for every ensemble."""
        return np.max(np.stack(np.broadcast_arrays(*(line.deviation for line in self.lines))), axis=0)[()]

    def __getitem__(self, line: str) -> DrivenLine:
        """The pair of this line; where several drive it, `check.lines` has them all."""
        found = [pair for pair in self.lines if line == pair.line]
        if len(found) == 1:
            return found[0]
        if found:
            fields = ", ".join(f"`{pair.field}`" for pair in found)
            raise ValueError(f"`{line}` is driven by {fields}: choose one of `check.lines`.")
        raise ValueError(unknown("line driven by a beam or a cavity", line, [pair.line for pair in self.lines]))

    def __str__(self) -> str:
        of = f" of {self.name}" if self.name else ""
        return "\n  ".join([f"Rate-equation limit{of}", *map(str, self.lines)])


def _named(rank: Any) -> Any:
    """Verdicts by rank: a word, or an array of words."""
    found = np.array(VERDICTS)[rank]
    return found if np.ndim(found) else str(found)


def _span(values: Any) -> str:
    """A number, or the least and the largest of a batch."""
    finite = np.asarray(values)[np.isfinite(values)]
    if not finite.size:
        return "nan"
    low, high = f"{np.min(finite):.3g}", f"{np.max(finite):.3g}"
    return low if low == high else f"{low} to {high}"


def _counted(verdicts: Any) -> str:
    """The verdict, or how many ensembles have which."""
    if np.ndim(verdicts) == 0:
        return str(verdicts)
    counts = {v: int(np.sum(verdicts == v)) for v in VERDICTS}
    return ", ".join(f"{count} x {v}" for v, count in counts.items() if count)
