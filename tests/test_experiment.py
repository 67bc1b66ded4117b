"""Experiments: values and derivatives of each lane, by what varies and by what does not."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrate as jr
from tests.media import four_level
from tests.tolerance import close, same

FREQUENCIES = 2.8172e14 + np.array([-1e11, 0.0, 7e10])
BENCH = jr.Experiment(
    four_level(),
    jr.Steady(),
    {
        "gain": jr.Gain("laser"),
        "spectrum": jr.Gain("laser", frequency=FREQUENCIES),
        "isat": jr.SaturationIntensity("laser"),
        "light": jr.Fluorescence("laser"),
    },
)
BATCH = {"pump.rate": np.array([3.0, 1e3, 1e6])[:, None], "signal.intensity": np.array([1e5, 1e8]), "laser.fwhm": 1e11}
WRT = [
    "pump.rate",
    "signal.intensity",
    "laser.B",
    "laser.frequency",
    "laser.fwhm",
    "signal.frequency",
    "density",
    "quench.rate",
    "empty.rate",
    "laser.absorption_factor",
    "laser.spontaneous_factor",
]
VALUES, SLOPES = BENCH.value_and_grad(BATCH, wrt=WRT)


def test_values_come_with_gradients():
    plain = BENCH(BATCH)
    for name in BENCH.observables:
        close(VALUES[name], plain[name], 1e-12, what=name)
        assert set(SLOPES[name]) == set(WRT)
        assert all(slope.shape == VALUES[name].shape for slope in SLOPES[name].values())
    assert VALUES["spectrum"].shape == (3, 3, 2)


@pytest.mark.parametrize("name", WRT)
def test_gradients_are_finite_differences(name: str):
    """Central, of fourth order, for names that vary (`pump.rate`) and names that do not (`laser.B`)."""
    value = np.asarray(BATCH.get(name, four_level().parameters()[name]))
    step = 1e-3 * value if "frequency" not in name else 3e8 * np.ones_like(value)

    def shifted(by: float) -> dict[str, Any]:
        return BENCH({**BATCH, name: value + by * step})

    around = {by: shifted(by) for by in (-2.0, -1.0, 1.0, 2.0)}
    for observable in BENCH.observables:
        f = {by: found[observable] for by, found in around.items()}
        wanted = (8 * (f[1.0] - f[-1.0]) - (f[2.0] - f[-2.0])) / 12
        scale = np.abs(VALUES[observable]) * np.max(np.abs(step / value))
        close(SLOPES[observable][name] * step / scale, wanted / scale, 1e-6, 1e-8, what=f"{observable} by {name}")


def test_gradients_in_closed_form():
    """Everything that is proportional to a parameter, and a two-level balance p = a/(a + b)."""
    close(SLOPES["gain"]["density"] * four_level().parameters()["density"], VALUES["gain"], 1e-12)
    close(SLOPES["light"]["density"] * four_level().parameters()["density"], VALUES["light"], 1e-12)
    same(SLOPES["isat"]["density"], np.zeros((3, 2)))
    model = jr.Model(
        [jr.Level("l"), jr.Level("u")], [jr.Pump("a", "l -> u", rate=2.0), jr.Decay("b", "u -> l", rate=1.0)]
    )
    a, b = np.array([0.0, 1e-9, 1.0, 1e12]), np.array([3.0, 1e4, 0.0, 1.0])
    values, slopes = jr.Experiment(model, jr.Steady(), {"u": jr.Population("u")}).value_and_grad(
        {"a.rate": a, "b.rate": b}, wrt=["a.rate", "b.rate"]
    )
    close(values["u"], a / (a + b))
    close(slopes["u"]["a.rate"], b / (a + b) ** 2)
    close(slopes["u"]["b.rate"], -a / (a + b) ** 2)


def test_one_name_or_many_observables_or_one():
    """One pass a parameter or one a result: the same slopes."""
    one = jr.Experiment(four_level(), jr.Steady(), {"gain": jr.Gain("laser")})
    reverse = one.jacobian(BATCH, wrt=WRT)["gain"]
    for name in WRT:
        scale = np.max(np.abs(SLOPES["gain"][name]))
        close(reverse[name] / scale, SLOPES["gain"][name] / scale, 1e-10, 1e-13, what=name)
    alone = BENCH.jacobian(BATCH, wrt="laser.B")
    close(alone["gain"]["laser.B"], reverse["laser.B"], 1e-11)


def test_both_doors_and_precisions_give_the_same_slopes():
    names, one = ["pump.rate", "laser.B"], jr.Experiment(four_level(), jr.Steady(), {"gain": jr.Gain("laser")})
    wanted = {n: SLOPES["gain"][n] for n in names}
    for dtype in (jnp.float64, jnp.float32):
        with jax.enable_x64(dtype == jnp.float64):
            batch = {n: jnp.asarray(x, dtype) for n, x in BATCH.items()}
            outside = one.jacobian(batch, names)["gain"]
            inside = jax.jit(lambda b: one.jacobian(b, names)["gain"])(batch)
            for name in names:
                assert outside[name].dtype == inside[name].dtype == dtype
                for found in (outside, inside):
                    scaled = np.asarray(found[name], np.float64) / wanted[name]
                    close(scaled.astype(dtype), np.ones((3, 2)), {"float64": 1e-10, "float32": 1e-4})
    narrow = one.jacobian(BATCH, names, precision="float32")["gain"]["pump.rate"]
    assert isinstance(narrow, np.ndarray)
    assert narrow.dtype == np.float32


def test_a_bad_lane_has_no_value_and_no_slope():
    batch = {"pump.rate": np.array([3.0, np.nan, 1e3, -1.0]), "laser.fwhm": 1e11, "signal.intensity": 1e5}
    values, slopes = BENCH.value_and_grad(batch, wrt=["pump.rate", "laser.B"])
    bad = np.array([False, True, False, True])
    for name in BENCH.observables:
        assert np.array_equal(np.isnan(values[name]).reshape(-1, 4).any(0), bad)
        for slope in slopes[name].values():
            assert np.array_equal(np.isnan(slope).reshape(-1, 4).any(0), bad)
    same(BENCH.status(batch), np.where(bad, jr.Status.BAD_INPUT, jr.Status.OK).astype(np.int8))
    good = {n: np.asarray(x)[[0, 2]] if np.ndim(x) else x for n, x in batch.items()}
    alone = BENCH.value_and_grad(good, wrt=["pump.rate", "laser.B"])
    for name in BENCH.observables:
        same(values[name][..., ~bad], alone[0][name])
        for parameter, slope in slopes[name].items():
            same(slope[..., ~bad], alone[1][name][parameter])


def test_the_gradient_of_an_experiment_composes():
    """A fit's loss: grad of a sum of squares through the experiment is the chain rule on its Jacobian."""
    with jax.enable_x64(True):
        pump = jnp.asarray(np.geomspace(1.0, 1e4, 7))
        data = jnp.linspace(0.0, 100.0, 7)

        def loss(B: Any) -> Any:
            return jnp.sum((BENCH({"pump.rate": pump, "laser.B": B})["gain"] - data) ** 2)

        B = jnp.asarray(four_level().parameters()["laser.B"])
        values, slopes = BENCH.value_and_grad({"pump.rate": pump, "laser.B": B}, wrt="laser.B")
        close(jax.jit(jax.grad(loss))(B), jnp.sum(2 * (values["gain"] - data) * slopes["gain"]["laser.B"]), 1e-11)


def test_shapes_of_observables():
    assert BENCH.shapes(BATCH) == {"gain": (), "spectrum": (3,), "isat": (), "light": ()}


def test_parameters_are_those_of_the_model():
    assert BENCH.parameters() == four_level().parameters()


@pytest.mark.parametrize("wrt", [(), []])
def test_derivatives_by_nothing_are_refused(wrt: Any):
    with pytest.raises(ValueError, match="wrt"):
        BENCH.value_and_grad(BATCH, wrt=wrt)


@pytest.mark.parametrize("name", ["status", "laser.B"])
def test_a_name_that_is_taken_is_refused(name: str):
    with pytest.raises(ValueError, match="that is taken"):
        jr.Experiment(four_level(), jr.Steady(), {name: jr.Gain("laser")})
