"""What becomes of a pulse in a medium, and of the medium."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jaxrate.arrays import namespace
from jaxrate.network.network import Network
from jaxrate.solve.solution import Solution
from jaxrate.solve.status import Status
from jaxrate.unit_text import pretty

CORES = {
    **dict.fromkeys(("entered", "left", "emitted", "lost", "stored", "peak_intensities", "peak_times", "fwhms"), 1),
    **dict.fromkeys(("intensities", "populations", "before", "light", "net_cross_section"), 2),
}
"""Axes of each result in front of those of the batch."""


@dataclass(frozen=True)
class AmplifiedPulse:
    """A pulse after every pass, and the medium it leaves; NaN where the status of an ensemble is not 0.

    Attributes:
        entered: Fluence that enters each pass [J m^-2], shape (pass, *batch).
        left: Fluence that leaves it [J m^-2], likewise.
        emitted: Net stimulated emission in it, below zero in an absorber [J m^-2], likewise.
        lost: What the background loss took [J m^-2], likewise.
        stored: Photons that the atoms in the upper level could have emitted before it, as energy [J m^-2], likewise.
        peak_intensities: [W m^-2], of the pulse that enters and of that after each pass, shape (pass + 1, *batch).
        peak_times: When they have their peak [s], on the clock of the shape, likewise.
        fwhms: Full widths at half maximum [s], from the first time at half the peak to the last, likewise.
        times: Of the shapes [s], shape (time,).
        intensities: Of the pulse that enters and of that after each pass [W m^-2], shape (pass + 1, time, *batch).
        positions: Fractions of the length, shape (position,).
        populations: Left behind by the last pass, shape (population, position, *batch).
        before: Populations when the first pulse came, likewise.
        light: Intensity along the medium in the last pass [W m^-2], where it was asked for, shape
            (position, time, *batch), else None.
        net_cross_section: sigma_e n_u - sigma_a n_l along the medium in the last pass [m^2], likewise.
        status: Code of each ensemble; `jr.Status(code)` is its message.
        parameters: Of the model, those that were given among them.
        network: The medium.
        line: Label of the line.
        frequency: Of the light [Hz].
        length: Of the medium [m].
        area: Of the beam [m^2], where it was stated.
    """

    entered: Any
    left: Any
    emitted: Any
    lost: Any
    stored: Any
    peak_intensities: Any
    peak_times: Any
    fwhms: Any
    times: np.ndarray
    intensities: Any
    positions: np.ndarray
    populations: Any
    before: Any
    light: Any
    net_cross_section: Any
    status: Any
    parameters: Mapping[str, Any]
    network: Network
    line: str
    frequency: Any
    length: Any
    area: Any = None

    def __getitem__(self, index: Any) -> "AmplifiedPulse":
        """One ensemble of a batch, or some of them: `pulse[3]`, `pulse[0, :5]`."""
        shape, where = np.shape(self.status), index if isinstance(index, tuple) else (index,)

        def some(x: Any) -> Any:
            return x if x is None or np.ndim(x) == 0 else namespace(x).broadcast_to(x, shape)[where]

        changes: dict[str, Any] = {
            name: some(getattr(self, name)) for name in ("status", "length", "area", "frequency")
        }
        for name, axes in CORES.items():
            x = getattr(self, name)
            changes[name] = None if x is None else x[(*(slice(None),) * axes, *where)]
        parameters = {name: some(x) for name, x in self.parameters.items()}
        return replace(self, **changes, parameters=parameters)

    @property
    def input_fluence(self) -> Any:
        """Of the pulse before its first pass [J m^-2], shape (*batch)."""
        return self.entered[0]

    @property
    def output_fluence(self) -> Any:
        """Of the pulse after its last pass [J m^-2], shape (*batch)."""
        return self.left[-1]

    @property
    def gain(self) -> Any:
        """Output over input, in energy, shape (*batch)."""
        return self.left[-1] / self.entered[0]

    @property
    def output_energy(self) -> Any:
        """Energy after its last pass [J], shape (*batch); needs `area`."""
        return self.left[-1] * self._area("output energy")

    @property
    def peak_intensity(self) -> Any:
        """After its last pass [W m^-2], shape (*batch)."""
        return self.peak_intensities[-1]

    @property
    def peak_power(self) -> Any:
        """After its last pass [W], shape (*batch); needs `area`."""
        return self.peak_intensities[-1] * self._area("peak power")

    @property
    def fwhm(self) -> Any:
        """After its last pass [s], shape (*batch)."""
        return self.fwhms[-1]

    @property
    def extraction(self) -> Any:
        """Emitted in all passes over what the upper level could have emitted at first, shape (*batch); else NaN.

        A lower level that does not empty keeps it below 1/(1 + g_u/g_l) of a single pass.
        """
        xp, stored = namespace(self.stored), self.stored[0]
        return self.emitted.sum(0) / xp.where(stored > 0, stored, xp.nan)

    @property
    def budget(self) -> Any:
        """Photons that are not accounted for, over those that entered: 0 but for errors; shape (pass, *batch)."""
        return (self.left - self.entered - self.emitted + self.lost) / self.entered

    @property
    def residual(self) -> Solution:
        """The medium after the last pass, for observables: `jr.Gain("laser")(pulse.residual)` is (position, *batch)."""
        return self._solution(self.populations)

    @property
    def initial(self) -> Solution:
        """The medium when the first pulse came, in the same form."""
        return self._solution(self.before)

    def _solution(self, populations: Any) -> Solution:
        xp = namespace(self.status)
        status = xp.broadcast_to(self.status, populations.shape[1:])
        return Solution(populations, status, self.parameters, self.network)

    def _area(self, what: str) -> Any:
        if self.area is None:
            raise ValueError(f"The {what} needs the area of the beam: state area='1 mm^2'.")
        return self.area

    def __str__(self) -> str:
        passes = len(self.left)
        head = f"Pulse after {passes} {'pass' if passes == 1 else 'passes'}, batch {np.shape(self.status)}"
        rows: list[tuple[str, Any, str]] = [
            ("input fluence", self.input_fluence, "J/m^2"),
            ("output fluence", self.output_fluence, "J/m^2"),
            ("gain", self.gain, "1"),
            ("peak intensity", self.peak_intensity, "W/m^2"),
            ("width", self.fwhm, "s"),
            ("extraction", self.extraction, "1"),
            ("photon budget", self.budget, "1"),
        ]
        if self.area is not None:
            rows[2:2] = [("output energy", self.output_energy, "J"), ("peak power", self.peak_power, "W")]
        codes, counts = np.unique(np.asarray(self.status), return_counts=True)
        words = [f"  {count} x {Status(int(code)).message}" for code, count in zip(codes, counts, strict=True)]
        return "\n".join([head, *(f"  {name:<15}{_range(values, unit)}" for name, values, unit in rows), *words])


def _range(values: Any, unit: str) -> str:
    found = np.ravel(np.asarray(values, np.float64))
    found = found[np.isfinite(found)]
    ends = (found.min(), found.max()) if found.size else ()
    return " to ".join(dict.fromkeys(pretty(float(f"{x:.4g}"), unit) for x in ends)) or "none"
