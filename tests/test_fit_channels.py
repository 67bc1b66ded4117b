"""Tables of amplifiers: rows of one state are channels that run together, each with its own power."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import c
from jaxrate.fit.likelihood import gaussian
from jaxrate.fit.measured import Measured
from jaxrate.fit.prepare import Prepared, prepared
from jaxrate.fit.readings import Noise
from jaxrate.fit.stated import Wishes
from tests.refusal import refused
from tests.tolerance import close, same

NANOMETRES = [1560.0, 1530.0, 1545.0]
POWERS = {"a": [10e-6, 20e-6, 40e-6], "b": [1e-3, 2e-3, 4e-3]}
"""Launched [W] in two states, in the order of the channels."""
PUMP = {"a": 20e-3, "b": 40e-3}


@cache
def bench() -> jr.Experiment:
    """A two-level amplifier without loss: three channels and a pump."""
    model, area = jr.giles(
        ["1530 nm", "1560 nm"],
        ["6 dB/m", "3 dB/m"],
        ["5 dB/m", "4 dB/m"],
        pump=(["970 nm", "990 nm"], ["4 dB/m", "4 dB/m"]),
        saturation_parameter="3.5e15 m^-1 s^-1",
        lifetime="10 ms",
    )
    wdm = jr.Channels("wdm", wavelength=[f"{x} nm" for x in NANOMETRES], power="-10 dBm")
    pump = jr.Channels("pump", wavelength="980 nm", power="30 mW")
    observables = {"gain": jr.ChannelGain("wdm"), "conversion": jr.PowerConversion("wdm")}
    return jr.Experiment(model, jr.Amplifier("8 m", area=area, channels=[wdm, pump]), observables)


@cache
def gains() -> np.ndarray:
    """Exact gains, shape (channel, state)."""
    powers = np.array([POWERS["a"], POWERS["b"]]).T
    return bench()({"wdm.power": powers, "pump.power": np.array([PUMP["a"], PUMP["b"]])})["gain"]


def table() -> dict[str, Any]:
    """The same as a table whose rows are in no order."""
    rows = [("a", 1), ("b", 0), ("a", 2), ("b", 2), ("b", 1), ("a", 0)]
    return {
        "state": np.array([s for s, _ in rows]),
        "wdm.wavelength [nm]": np.array([NANOMETRES[k] for _, k in rows]),
        "wdm.power [dBm]": np.array([10 * np.log10(1e3 * POWERS[s][k]) for s, k in rows]),
        "pump.power [mW]": np.array([1e3 * PUMP[s] for s, _ in rows]),
        "gain [dB]": np.array([10 * np.log10(gains()[k, "ab".index(s)]) for s, k in rows]),
        "gain.sigma [dB]": 0.1,
    }


def ready(data: dict[str, Any], **wishes: Any) -> Prepared:
    return prepared(bench(), data, Wishes(["area"], **wishes), Noise({}, {}), gaussian)


def measured(data: dict[str, Any]) -> Measured:
    return ready(data).task.data[0]


def launched(data: dict[str, Any]) -> np.ndarray:
    """Powers of the channels in both states [W]."""
    found = measured(data).conditions
    return np.array([found[f"wdm.power[{k}]"] for k in range(3)])


def changed(row: int, column: str, value: Any) -> dict[str, Any]:
    data = table()
    data[column] = data[column].copy()
    data[column][row] = value
    return data


def without(row: int) -> dict[str, Any]:
    return {name: np.delete(x, row) if np.ndim(x) else x for name, x in table().items()}


def test_each_channel_of_a_state_has_the_power_of_its_row() -> None:
    close(launched(table()), np.array([POWERS["a"], POWERS["b"]]).T, rtol=1e-14)
    same(measured(table()).conditions["pump.power"], np.array([PUMP["a"], PUMP["b"]]))


def test_channels_are_told_apart_by_frequency_as_well() -> None:
    data = table()
    data["wdm.frequency [THz]"] = c / data.pop("wdm.wavelength [nm]") * 1e-3
    close(launched(data), launched(table()))
    same(measured(data).place, measured(table()).place)


def test_rows_are_compared_with_their_own_channel() -> None:
    """At the truth no datum differs from its prediction."""
    task = ready(table()).task
    close(task.slopes(task.start)[0], task.value, rtol=1e-8, atol=1e-8)


def test_a_channel_whose_gain_was_not_measured_saturates_the_others_all_the_same() -> None:
    found = measured(changed(2, "gain [dB]", np.nan))
    assert found.value.size == 5
    same(found.conditions["wdm.power[2]"], measured(table()).conditions["wdm.power[2]"])


@pytest.mark.parametrize("data", [lambda: without(0), lambda: changed(0, "wdm.power [dBm]", np.nan)])
def test_a_channel_without_a_power_is_refused_by_its_wavelength(data: Any) -> None:
    refused(lambda: measured(data()), "`wdm.power` of the channel at 1530 nm is missing", "line", "leave a gain")


def test_two_powers_of_one_channel_are_refused() -> None:
    data = {**table(), "pump.power [mW]": 30.0}
    del data["state"]
    refused(lambda: measured(data), "another `wdm.power`", "`state`")


def test_light_that_is_no_channel_is_refused() -> None:
    refused(lambda: measured(changed(3, "wdm.wavelength [nm]", 1550.0)), "`wdm.wavelength` is none of the channels")


def test_one_power_for_all_needs_no_wavelengths() -> None:
    data = {
        "pump.power [mW]": [20.0, 40.0],
        "wdm.power [dBm]": [-10.0, 0.0],
        "conversion": 0.1,
        "conversion.sigma": 0.1,
    }
    close(launched(data), np.array([[1e-4, 1e-3]] * 3))


def test_a_power_of_all_channels_can_be_fixed() -> None:
    data = table()
    del data["wdm.power [dBm]"]
    fixed = ready(data, fixed={"wdm.power": "-3 dBm"}).task.stated.fixed
    close([fixed[f"wdm.power[{k}]"] for k in range(3)], 1e-3 * 10**-0.3)


def test_a_list_of_channels_has_no_other_names() -> None:
    refused(lambda: measured({**table(), "wdm.powr [mW]": 1.0}), "`wdm.powr`", "`wdm.power`")
    refused(lambda: ready(table(), start={"wdm.power.scal": 1.0}), "`wdm.power.scale`")


def test_a_power_meter_that_shows_too_little_is_found(tmp_path: Path) -> None:
    """All channels have one factor; the gain, which saturates, knows it, and the saturation parameter."""
    data = {**table(), "wdm.power [dBm]": table()["wdm.power [dBm]"] - 2.0}
    fit = jr.fit(bench(), data, ["wdm.power.scale", "area"], start={"area": 5e-12}, num_starts=4, intervals="wald")
    assert fit.status in ("ok", "inadequate_model"), fit.report()
    close(fit["wdm.power.scale"].value, 10**0.2, rtol=1e-5)
    close(fit["area"].value, bench().parameters()["area"], rtol=1e-5)
    assert fit.provenance["model_fingerprint"] == bench().network.model.fingerprint != bench().model.fingerprint
    _check_residuals(fit, data, tmp_path)


def _check_residuals(fit: jr.FitResult, data: dict[str, Any], folder: Path) -> None:
    """The residuals are a table of the same form, also on disk: each datum with its state, channel and power."""
    assert "wdm.power[0]" not in fit.table
    fit.save(folder)
    read = jr.read_table(folder / "residuals.csv")
    close(read["wdm.power"], 1e-3 * 10 ** (data["wdm.power [dBm]"] / 10), rtol=1e-12)
    close(read["wdm.wavelength"], 1e-9 * data["wdm.wavelength [nm]"], rtol=1e-12)
    assert read["state"].tolist() == data["state"].tolist()
    upper = fit.plot()["data"].axes[0]
    legend = upper.get_legend()
    assert legend is not None
    assert legend.get_title().get_text() == "state"
    assert len(upper.get_lines()) >= 2
