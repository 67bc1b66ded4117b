"""A measured erbium-doped fibre amplifier: what its own constants predict, and what a fit can and cannot find in it.

    python docs/erbium_amplifier.py FOLDER [--plots DIRECTORY]

FOLDER holds the measurement of J. Krause Perin et al., *J. Lightwave Technol.* 37, 2076 (2019), as tables:

- `edfa_gain_ase_raw.csv`, 720 rows: nominal input [dBm], pump [mW], wavelength [nm], input [dBm], gain [dB], ASE [dBm];
- `fibre_123-6239-201.2_signal_coeff.csv` and `..._pump_coeff.csv`: wavelength_nm, alpha_dB_per_m, gstar_dB_per_m;
- `fibre_metadata.json`: of that fibre `saturation_factor_per_s_m` and `lifetime_s`, and of `measurement` the
  `authors_model_constants` with `excess_loss_dB_per_m` by input level, {"-13dBm": 0.28, ...}.

40 channels ran together at 3 input levels and 6 pump powers: 18 states.
"""

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxrate as jr

FIBRE = "123-6239-201.2"
DECIBEL = np.log(10) / 10
"""One dB as a natural logarithm."""
LENGTH = 8.0
"""Stated by the authors [m]."""
LONG_WAVES = 1540.0
"""Wavelength [nm] above which length and inversions are fitted."""


@dataclass(frozen=True)
class Corrections:
    """What the authors add to what their instruments showed, in dB, and the loss that they give the fibre.

    Args:
        splices: Of the input: two splices and a coupler, 0.05 + 0.15 + 0.25.
        unexplained: Of the input: two constants without a word, 2.5 + 0.25.
        pump: Of the pump power.
        gain: Of the gain.
        excess_loss: Whether channels and pump lose 0.28 to 0.35 dB/m, the more the lower the input.
    """

    splices: float = -0.45
    unexplained: float = 2.75
    pump: float = -0.15
    gain: float = 0.35
    excess_loss: bool = True


ALL = Corrections()
WITHOUT = {
    "without the splices at the input": replace(ALL, splices=0.0),
    "without the unexplained constants": replace(ALL, unexplained=0.0),
    "without that of the pump": replace(ALL, pump=0.0),
    "without that of the gain": replace(ALL, gain=0.0),
    "without the excess loss": replace(ALL, excess_loss=False),
    "without any": Corrections(0.0, 0.0, 0.0, 0.0, False),
}


@dataclass(frozen=True)
class Measurement:
    """What the files hold; arrays over channels have wavelengths ascending.

    Args:
        folder: Where they are.
        wavelength: [nm], shape (channel,). The analyser read it up to 0.017 nm differently at the three input levels:
            this is the mean.
        level: Nominal input of a channel [dBm], shape (state,).
        pump: Power [mW], shape (state,).
        power: Input [dBm], shape (channel, state).
        gain: [dB], shape (channel, state).
        loss: The authors' excess loss [dB/m], shape (state,).
        fibre: Their constants of the fibre.
    """

    folder: Path
    wavelength: np.ndarray
    level: np.ndarray
    pump: np.ndarray
    power: np.ndarray
    gain: np.ndarray
    loss: np.ndarray
    fibre: dict[str, Any]

    @property
    def states(self) -> list[str]:
        """A name of each."""
        return [f"{level:.0f} dBm, {pump:.1f} mW" for level, pump in zip(self.level, self.pump, strict=True)]

    def coefficients(self, band: str) -> Path:
        """Giles coefficients in the band of the "signal" or of the "pump"."""
        return self.folder / f"fibre_{FIBRE}_{band}_coeff.csv"


def read(folder: Path) -> Measurement:
    """The measurement in a folder."""
    rows = np.loadtxt(folder / "edfa_gain_ase_raw.csv", delimiter=",", skiprows=1)
    about = json.loads((folder / "fibre_metadata.json").read_text(encoding="utf-8"))
    rows = rows[np.lexsort((rows[:, 2], -rows[:, 1], -rows[:, 0]))].reshape(18, 40, -1)
    level, pump, wavelength, power, gain, _ = np.moveaxis(rows, 2, 0)
    lost = about["measurement"]["authors_model_constants"]["excess_loss_dB_per_m"]
    loss = np.array([lost[f"{x:.0f}dBm"] for x in level[:, 0]])
    return Measurement(
        folder, wavelength.mean(axis=0), level[:, 0], pump[:, 0], power.T, gain.T, loss, about[FIBRE]
    )  # fmt: skip


def experiment(measured: Measurement) -> jr.Experiment:
    """The amplifier by the constants of its maker; `absorption`, `emission` and `saturation` are what a fit scales."""
    model, area = jr.giles(
        measured.coefficients("signal"),
        pump=measured.coefficients("pump"),
        saturation_parameter=measured.fibre["saturation_factor_per_s_m"],
        lifetime=measured.fibre["lifetime_s"],
    )
    model = model.replace(parameters=dict.fromkeys(("absorption", "emission", "saturation"), 1.0))
    wdm = jr.Channels("wdm", wavelength=[f"{x} nm" for x in measured.wavelength], power="-16 dBm")
    pump = jr.Channels("pump", wavelength="980 nm", power="50 mW")
    amplifier = jr.Amplifier(f"{LENGTH} m", channels=[wdm, pump], area=area)
    return jr.Experiment(model, amplifier, {"gain": jr.ChannelGain("wdm")})


def ties(bench: jr.Experiment, pump: str = "absorption") -> dict[str, Any]:
    """What the scales act on: an overlap is a factor of alpha and g*, the absorption factor one of alpha alone.

    Args:
        bench: The amplifier.
        pump: Factor of the absorption at the pump: that at the signals, or "1".
    """
    values = bench.parameters()
    return {
        "wdm.overlap": jr.expr("emission"),
        "pump.overlap": jr.expr(f"{pump} * emission / absorption"),
        "line.absorption_factor": jr.expr(f"{values['line.absorption_factor']!r} * absorption / emission"),
        "area": jr.expr(f"{values['area']!r} * saturation"),
    }


def table(measured: Measurement, corrections: Corrections = ALL) -> dict[str, Any]:
    """The measurement as a table of a fit: a row each gain, neighbours in wavelength one after the other."""
    channels = len(measured.wavelength)
    per_state = {
        "state": np.array(measured.states),
        "pump.power [mW]": measured.pump * 10 ** (corrections.pump / 10),
    }
    if corrections.excess_loss:
        per_state |= {"wdm.loss [dB/m]": measured.loss, "pump.loss [dB/m]": measured.loss}
    return {
        "wdm.wavelength [nm]": np.tile(measured.wavelength, len(measured.pump)),
        "wdm.power [dBm]": (measured.power + corrections.splices + corrections.unexplained).T.ravel(),
        "gain [dB]": (measured.gain + corrections.gain).T.ravel(),
        **{name: np.repeat(x, channels) for name, x in per_state.items()},
    }


def computed(bench: jr.Experiment, measured: Measurement, corrections: Corrections = ALL) -> np.ndarray:
    """Gains of every channel in every state [dB], nothing fitted, shape (channel, state)."""
    loss = DECIBEL * measured.loss * corrections.excess_loss
    ran = {
        "wdm.power": 1e-3 * 10 ** ((measured.power + corrections.splices + corrections.unexplained) / 10),
        "pump.power": 1e-3 * measured.pump * 10 ** (corrections.pump / 10),
    }
    return 10 * np.log10(bench({**ran, "wdm.loss": loss, "pump.loss": loss})["gain"])


def residuals(bench: jr.Experiment, measured: Measurement, corrections: Corrections = ALL) -> np.ndarray:
    """Measured less computed gains [dB], shape (channel, state)."""
    return measured.gain + corrections.gain - computed(bench, measured, corrections)


def rms(values: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(values**2)))


def inverted(theta: dict[str, Any]) -> dict[str, Any]:
    """Gain of a fibre whose mean inversion is known: whatever ran in it before has no say."""
    per_length = theta["inversion"] * (theta["alpha"] + theta["g"]) - theta["alpha"]
    return {"gain": jnp.exp(theta["length"] * per_length)}


def length_fits(measured: Measurement) -> list[jr.FitResult]:
    """Length and inversion of every state from its channels above 1540 nm."""
    wavelength, alpha, g = np.loadtxt(measured.coefficients("signal"), delimiter=",", skiprows=1, unpack=True)
    own = measured.wavelength > LONG_WAVES
    at = measured.wavelength[own]
    known = {"alpha [dB/m]": np.interp(at, wavelength, alpha), "g [dB/m]": np.interp(at, wavelength, g)}
    states = [{**known, "gain [dB]": gain[own] + ALL.gain} for gain in measured.gain.T]
    start, bounds = {"inversion": 0.7, "length": LENGTH}, {"inversion": (0.0, 1.0), "length": (1.0, 30.0)}
    return [jr.fit(inverted, x, ["length", "inversion"], start=start, bounds=bounds, num_starts=8) for x in states]


SCALES = ["absorption", "emission", "saturation", "wdm.loss.scale"]


def scale_fit(measured: Measurement, free: list[str] = SCALES, pump: str = "1") -> jr.FitResult:
    """All 720 gains with factors of the fibre's coefficients free.

    Args:
        measured: The measurement.
        free: What is free.
        pump: As of `ties`; by default the pump's absorption, which its maker measured, is believed.
    """
    bench = experiment(measured)
    tie = {**ties(bench, pump), "pump.loss.scale": jr.expr("wdm.loss.scale")}
    bounds = {name: (0.1, 10.0) for name in SCALES}
    return jr.fit(bench, table(measured), free, tie=tie, bounds=bounds, num_starts=16, intervals="wald")


def thinned(measured: Measurement, every: int = 4) -> Measurement:
    """A smaller design: some of the channels, in which all power runs."""
    power = measured.power[::every] + 10 * np.log10(every)
    return replace(measured, wavelength=measured.wavelength[::every], power=power, gain=measured.gain[::every])


def coverage(design: Measurement, replicas: int) -> Any:
    """How often intervals hold the truth on a design, with 0.1 dB of noise; without excess loss, for a closed form."""
    bench = experiment(design)
    rows = {**table(design, replace(ALL, excess_loss=False)), "gain.sigma [dB]": 0.1}
    truth = dict.fromkeys(("absorption", "emission", "saturation", "wdm.power.scale"), 1.0)
    return jr.coverage(bench, rows, truth, n=replicas, methods=("profile",), tie=ties(bench))


COLOURS = [f"C{i}" for i in range(6)]


def draw_gains(measured: Measurement, gain: np.ndarray) -> Figure:
    """Measured (points) and computed (lines) gain of every state over the wavelength, and what is left."""
    figure = Figure(figsize=(12, 6.4), dpi=110, layout="constrained")
    levels = sorted(set(measured.level.tolist()))
    rows = figure.subplots(2, len(levels), sharex=True, sharey="row", height_ratios=[3, 2])
    for upper, lower, level in zip(*rows, levels, strict=True):
        states = np.flatnonzero(measured.level == level)
        for state, colour in zip(states, COLOURS, strict=True):
            _draw_state(upper, lower, measured, gain, int(state), colour)
        left = (measured.gain + ALL.gain - gain)[:, states]
        upper.set_title(f"{level:.0f} dBm a channel", fontsize="medium")
        lower.set_title(f"rms {rms(left):.2f} dB", fontsize="medium")
        lower.axhline(0.0, color="0.6", linewidth=0.8)
        lower.set_xlabel("wavelength [nm]")
    rows[0, 0].set_ylabel("gain [dB]")
    rows[1, 0].set_ylabel("measured - computed [dB]")
    rows[0, 0].legend(title="pump; points measured, lines computed", fontsize="small", ncols=3, title_fontsize="small")
    return figure


def _draw_state(upper: Axes, lower: Axes, measured: Measurement, gain: np.ndarray, state: int, colour: str) -> None:
    own = measured.gain[:, state] + ALL.gain
    label = f"{measured.pump[state]:.1f} mW"
    upper.plot(measured.wavelength, own, ".", color=colour, markersize=4)
    upper.plot(measured.wavelength, gain[:, state], "-", color=colour, linewidth=1, label=label)
    lower.plot(measured.wavelength, own - gain[:, state], ".-", color=colour, markersize=4, linewidth=0.6)


def draw_lengths(measured: Measurement, fits: list[jr.FitResult], mean: jr.Pooled) -> Figure:
    """Length found in each state, with its interval, and their mean."""
    figure = Figure(figsize=(8, 4.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    found = [fit["length"] for fit in fits]
    value = np.array([e.value for e in found])
    ends = np.abs(np.array([[e.lower for e in found], [e.upper for e in found]]) - value)
    axes.axhspan(mean.lower, mean.upper, color="C0", alpha=0.25, label="mean, 95 %")
    axes.axhline(LENGTH, color="0.3", linestyle="--", linewidth=1, label="stated")
    axes.errorbar(np.arange(len(value)), value, ends, fmt="o", color="C0", markersize=4, label="each state, 95 %")
    axes.set_xticks(np.arange(len(value)), measured.states, rotation=60, ha="right", fontsize="small")
    axes.set_ylabel("length [m]")
    axes.legend(fontsize="small", loc="lower center", ncols=3)
    return figure


def _section(title: str) -> None:
    print(f"\n{title}\n{'-' * len(title)}")


def main() -> None:
    """Print all parts, and draw them."""
    parser = argparse.ArgumentParser(description="A measured erbium amplifier, computed and fitted.")
    parser.add_argument("folder", type=Path, help="folder of the measurement")
    parser.add_argument("--plots", type=Path, metavar="DIRECTORY", help="where to save the pictures")
    asked = parser.parse_args()
    measured = read(asked.folder)
    bench = experiment(measured)

    _section("Computed from the authors' constants, nothing fitted: rms of 720 gains")
    print(f"{rms(residuals(bench, measured)):6.2f} dB  with all corrections")
    for name, corrections in WITHOUT.items():
        print(f"{rms(residuals(bench, measured, corrections)):6.2f} dB  {name}")

    _section(f"Length and inversion of each state, channels above {LONG_WAVES:.0f} nm")
    fits = length_fits(measured)
    for name, fit in zip(measured.states, fits, strict=True):
        length, inversion, noise = fit["length"], fit["inversion"].value, fit.adequacy.scale / DECIBEL
        ends = f"({length.lower:.2f} to {length.upper:.2f})"
        print(
            f"{name:18}  {length.value:.2f} m {ends}  inversion {inversion:.3f}  scatter {noise:.2f} dB  {fit.status}"
        )
    mean = jr.pooled(fits, "length")
    print(mean)

    _section("Factors of absorption, emission, saturation and loss free")
    print(scale_fit(measured).report())

    _section("The length free as well, and the pump's absorption with that of the signals")
    print(scale_fit(measured, [*SCALES, "length"], "absorption").report())

    _section("Of 95 % intervals, the share that holds the truth: 2,000 replicas of a quarter of the channels")
    found = coverage(thinned(measured), 2000)
    for name in found.parameter.values:
        own = found.sel(interval="profile", parameter=name)
        share, low, high = (100 * float(own[x]) for x in ("coverage", "lower", "upper"))
        print(f"{name:16} {share:.1f} %  (99 % band {low:.1f} to {high:.1f} %)")

    if asked.plots is not None:
        asked.plots.mkdir(parents=True, exist_ok=True)
        draw_gains(measured, computed(bench, measured)).savefig(asked.plots / "erbium-gains.png")
        draw_lengths(measured, fits, mean).savefig(asked.plots / "erbium-lengths.png")


if __name__ == "__main__":
    main()
