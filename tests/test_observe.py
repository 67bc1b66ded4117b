"""Observables: sign, unit and value of each, against the rates they are made of, and what each refuses."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import c, h, k
from jaxrate.observe import describe
from jaxrate.physics import einstein, lineshape, thermal
from tests.media import four_level
from tests.tolerance import close, same

SIGMA, N = 2.8e-23, 1.38e26
NU = c / 1064.15e-9
BATCH = {"pump.rate": np.array([0.0, 50.0, 1e5]), "signal.intensity": np.array([[1e3], [1e8]])}

OBSERVABLES = {
    "n2": jr.Population("2"),
    "inversion": jr.Inversion("laser"),
    "gain": jr.Gain("laser"),
    "spectrum": jr.Gain("laser", frequency=np.linspace(NU - 2e11, NU + 2e11, 5)),
    "one": jr.Gain("laser", frequency=NU + 60e9),
    "sigma": jr.CrossSection("laser"),
    "isat": jr.SaturationIntensity("laser"),
    "tau": jr.Lifetime("2"),
    "ratio": jr.BranchingRatio("laser"),
    "light": jr.Fluorescence("laser"),
    "power": jr.NetPower("laser"),
}
STATE = jr.steady_state(four_level(), BATCH)
READ = jr.Experiment(four_level(), jr.Steady(), OBSERVABLES)(BATCH)
A = einstein.A_from_B(four_level().parameters()["laser.B"], NU, n=1.82)


@pytest.mark.parametrize("name", OBSERVABLES)
def test_reading_a_solution_is_reading_an_experiment(name: str):
    close(OBSERVABLES[name](STATE), READ[name], 1e-12)
    state = jr.steady_state(four_level(), {n: jnp.asarray(x, jnp.float32) for n, x in BATCH.items()})
    found = OBSERVABLES[name](state)
    assert found.shape == READ[name].shape
    scale = np.max(np.abs(READ[name]))
    close(found / scale, READ[name] / scale, {"float32": 2e-5}, {"float32": 2e-6})


def test_populations_by_name_or_as_a_whole():
    same(STATE["2"], STATE.populations[2])
    same(READ["n2"], STATE["2"])
    with pytest.raises(ValueError, match="did you mean"):
        STATE["22"]


def test_gain_is_density_times_cross_sections_times_populations():
    """Positive where it amplifies: at the strong pump. g_u/g_l = 1/3 weighs the lower level."""
    net = N * SIGMA * (STATE["2"] - STATE["1"] / 3)
    close(READ["gain"], net, 1e-9)
    close(READ["inversion"], STATE["2"] - STATE["1"] / 3, 1e-12)
    close(READ["sigma"], np.full((2, 3), SIGMA), 1e-9)
    assert np.all(READ["gain"][:, 2] > 0)
    assert np.all(READ["gain"][:, 0] == 0)


def test_an_inverted_order_of_levels_absorbs():
    """Population in the lower level alone: the gain is -N sigma_a, sigma_a = (g_u/g_l) sigma_e."""
    levels = [jr.Level("u", energy="1 eV", g=6), jr.Level("l", energy="0 eV", g=2)]
    line = jr.Radiative("line", "u -> l", A="1 s^-1", lineshape=jr.Lorentzian(fwhm="1 GHz"))
    state = jr.steady_state(jr.Model(levels, [line], density="1e20 m^-3"))
    close(jr.Gain("line")(state), -1e20 * 3 * jr.CrossSection("line")(state), 1e-13)
    close(jr.Inversion("line")(state), -3.0)


def test_a_spectrum_has_its_axis_in_front():
    gain = OBSERVABLES["spectrum"]
    assert READ["spectrum"].shape == (5, 2, 3)
    name, values, unit = gain.axis
    assert (name, unit) == ("frequency", "Hz")
    shape = lineshape.lorentzian(values - NU, 120e9) / lineshape.lorentzian(0.0, 120e9) * values / NU
    close(READ["spectrum"], shape[:, None, None] * READ["gain"], 1e-9)
    close(READ["one"], READ["gain"] / 2 * (NU + 60e9) / NU, 1e-9)


def test_gain_is_read_at_the_frequency_of_the_beam():
    theta = {"signal.frequency": np.array([NU - 60e9, NU, NU + 60e9]), "pump.rate": 100.0}
    state = jr.steady_state(four_level(), theta)
    shape = theta["signal.frequency"] / NU * np.array([0.5, 1.0, 0.5])
    close(jr.CrossSection("laser")(state), SIGMA * shape, 1e-9)
    close(jr.Gain("laser")(state), N * SIGMA * shape * jr.Inversion("laser")(state), 1e-9)
    close(jr.Gain("laser", frequency=NU)(state), N * SIGMA * jr.Inversion("laser")(state), 1e-9)


def test_light_of_some_width_sees_a_wider_line():
    """Two Lorentzians convolved: their widths add, the peak falls as the sum."""
    state = jr.steady_state(four_level(), {"signal.fwhm": np.array([0.0, 120e9, 360e9])})
    close(jr.CrossSection("laser")(state), SIGMA / np.array([1, 2, 4]), 1e-9)


def test_several_beams_need_a_frequency():
    model = four_level().with_process(jr.Beam("probe", drives="laser", intensity=0.0))
    with pytest.raises(ValueError, match=r"`signal`, `probe`.*frequency"):
        jr.Experiment(model, jr.Steady(), {"gain": jr.Gain("laser")})
    state = jr.steady_state(model, BATCH)
    close(jr.Gain("laser", frequency=NU)(state), READ["gain"], 1e-11)
    isat = jr.SaturationIntensity("laser", frequency=NU)(state)
    close(isat, READ["isat"], 1e-11)


def random_network(seed: int) -> jr.Model:
    """Levels and rates at random, all one way or another connected, with one driven line among them."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    levels = [jr.Level(str(i), energy=f"{i + 1} eV", g=int(rng.integers(1, 9))) for i in range(n)]
    ring = [(i, (i + 1) % n) for i in range(n)] + [tuple(rng.choice(n, 2, replace=False)) for _ in range(n)]
    moves = [jr.Decay(f"d{i}", f"{a} -> {b}", rate=10.0 ** rng.uniform(-2, 6)) for i, (a, b) in enumerate(ring)]
    low, up = sorted(int(i) for i in rng.choice(n, 2, replace=False))
    line = jr.Radiative("line", f"{up} -> {low}", A="1e3 s^-1", lineshape=jr.Lorentzian(fwhm="1 GHz"), n=1.5)
    beam = jr.Beam("beam", drives="line", intensity=1.0, frequency=f"{(up - low) * 241.79893 + 1e-4} THz")
    return jr.Model(levels, [*moves, line, beam], density="1e24 m^-3")


@pytest.mark.parametrize("seed", range(4))
def test_the_saturation_intensity_halves_the_inversion(seed: int):
    """Exactly, for whatever feeds and empties the levels; s times it divides by 1 + s, in emission or absorption."""
    model, s = random_network(seed), np.array([0.0, 1e-3, 1.0, 50.0])
    bench = jr.Experiment(
        model, jr.Steady(), {"inversion": jr.Inversion("line"), "isat": jr.SaturationIntensity("line")}
    )
    isat = bench({"beam.intensity": np.array([0.0, 1e10])})["isat"]
    close(isat[1], isat[0], 1e-12)  # whatever the beam, it is that of the dark medium
    found = bench({"beam.intensity": s * isat[0]})
    close(found["inversion"], found["inversion"][0] / (1 + s), 1e-11)
    assert isat[0] > 0


def test_lifetime_and_branching_count_what_goes_on_without_light():
    tau = 1 / (A + 2900.0)
    close(READ["tau"], np.full((2, 3), tau), 1e-12)
    close(READ["ratio"], np.full((2, 3), A * tau), 1e-12)
    close(jr.Lifetime("1")(STATE), np.full((2, 3), 1 / 3e7))
    assert np.all(np.isinf(jr.Lifetime("0")(STATE)))


def test_branching_ratios_of_a_level_sum_to_one():
    levels = [jr.Level(str(i), energy=f"{i} eV", g=2 * i + 1) for i in range(4)]
    lines = [jr.Radiative(f"r{i}", f"3 -> {i}", A=10.0**i) for i in range(3)]
    rest = [jr.Decay(f"d{i}", f"{i} -> {i - 1}", rate=1.0) for i in (1, 2)]
    state = jr.steady_state(jr.Model(levels, [*lines, *rest]))
    close(sum(jr.BranchingRatio(f"r{i}")(state) for i in range(3)), 1.0)
    close(jr.BranchingRatio("r1")(state), 10 / 111)


def test_fluorescence_is_power_of_spontaneous_photons():
    close(READ["light"], h * NU * A * N * STATE["2"], 1e-11)


def test_the_power_given_to_a_beam_is_its_gain_times_its_intensity():
    close(READ["power"], READ["gain"] * BATCH["signal.intensity"], 1e-9)


def test_energy_that_goes_in_comes_out():
    """Optically pumped, nothing but light moves population: what the pump loses, fluorescence and signal carry off."""
    levels = [jr.Level(str(i), energy=f"{e} eV", g=g) for i, (e, g) in enumerate([(0, 2), (1.0, 4), (1.7, 6)])]
    shape = jr.Lorentzian(fwhm="10 GHz")
    lines = [
        jr.Radiative(f"{u}{low}", f"{u} -> {low}", A=1e5 * (u + low), lineshape=shape)
        for u, low in [(1, 0), (2, 0), (2, 1)]
    ]
    fields = [
        jr.Beam("pump", drives="20", intensity=1e6),
        jr.Beam("signal", drives="10", intensity=1e5),
        jr.Blackbody("walls", drives=("10", "21"), temperature="2000 K"),
    ]
    model = jr.Model(levels, [*lines, *fields], density="1e22 m^-3")
    read = {
        "pumped": jr.NetPower("20", field="pump"),
        "signal": jr.NetPower("10", field="signal"),
        "thermal": jr.ThermalEmission("10", field="walls"),
        "infrared": jr.ThermalEmission("21"),
        "blue": jr.Fluorescence("20"),
        "all": jr.NetPower("10"),
        "walls": jr.NetPower("10", field="walls"),
    }
    found = jr.Experiment(model, jr.Steady(), read)({"pump.intensity": np.array([1e4, 1e7, 1e9])})
    out = found["signal"] + found["thermal"] + found["infrared"] + found["blue"]
    assert np.all(found["pumped"] < 0)
    close(out, -found["pumped"], 1e-10)
    close(found["all"], found["signal"] + found["walls"], 1e-12)


def test_thermal_emission_is_zero_in_equilibrium():
    """Against its parts: a medium at the temperature of the walls neither heats nor cools; a hotter one radiates."""
    levels = [jr.Level("l", energy="0 cm^-1", g=3), jr.Level("u", energy="900 cm^-1", g=7)]
    line = jr.Radiative("line", "u -> l", A="50 s^-1")
    field = jr.Blackbody("walls", drives="line", temperature="400 K")
    bath = jr.Collision("bath", "u -> l", rate="1e3 s^-1")
    model = jr.Model(levels, [line, field, bath], density="1e22 m^-3", temperature="400 K")
    read = {"net": jr.ThermalEmission("line"), "out": jr.Fluorescence("line")}
    found = jr.Experiment(model, jr.Steady(), read)({"temperature": np.array([400.0, 500.0, 300.0])})
    close(found["net"][0] / found["out"][0], 0.0, 0.0, 1e-12)
    assert found["net"][1] > 0 > found["net"][2]


MEASURED = {"er-fibre": "signal band", "yb-fibre": "signal band", "yb-yag": "laser", "ti-sapphire": "laser"}


@pytest.mark.parametrize("medium", MEASURED)
def test_the_saturation_intensity_halves_the_gain_of_a_measured_spectrum(medium: str):
    """There sigma_a/sigma_e differs with the frequency, and from g_u/g_l."""
    model, line = jr.media(medium), MEASURED[medium]
    isat = float(jr.SaturationIntensity(line)(jr.steady_state(model)))
    gain = jr.Gain(line)(jr.steady_state(model, {"signal.intensity": np.array([0.0, 1.0, 9.0]) * isat}))
    close(gain, gain[0] / np.array([1, 2, 10]), 1e-11)


def test_an_inhomogeneous_line_has_no_one_saturation_intensity():
    with pytest.raises(ValueError, match=r"inhomogeneous.*mixing='fast'"):
        jr.SaturationIntensity("red")(jr.steady_state(jr.media("he-ne")))


MISSING = [jr.Gain("line"), jr.Fluorescence("line"), jr.NetPower("line"), jr.ThermalEmission("line")]


@pytest.mark.parametrize("observable", MISSING, ids=lambda o: type(o).__name__)
def test_a_missing_density_is_named(observable: Any):
    levels = [jr.Level("l", energy="0 eV"), jr.Level("u", energy="1 eV")]
    line = jr.Radiative("line", "u -> l", A="1 s^-1", lineshape=jr.Lorentzian(fwhm="1 GHz"))
    model = jr.Model(levels, [line, jr.Beam("beam", drives="line", intensity=1.0)])
    with pytest.raises(ValueError, match="`line` needs the model's `density`"):
        jr.Experiment(model, jr.Steady(), {"it": observable})
    with pytest.raises(ValueError, match="`line` needs the model's `density`"):
        observable(jr.steady_state(model))
    assert jr.SaturationIntensity("line")(jr.steady_state(model)) > 0


@pytest.mark.parametrize(
    ("observable", "message"),
    [
        (jr.Gain("lasr"), "did you mean `laser`"),
        (jr.Population("33"), "`33` is not a level"),
        (jr.Lifetime("2F"), "`2F` is not a level"),
        (jr.NetPower("laser", field="sgnal"), "`sgnal`"),
        (jr.Gain("pump"), "`pump` is not a Radiative"),
        (42, "must be a function"),
    ],
    ids=str,
)
def test_a_misspelt_observable_is_refused_before_anything_is_solved(observable: Any, message: str):
    with pytest.raises(ValueError, match=message):
        jr.Experiment(four_level(), jr.Steady(), {"it": observable})


@pytest.mark.parametrize("frequency", [0.0, -1.0, [1e14, np.nan], [[1e14]], np.inf])
def test_a_frequency_that_is_none_is_refused(frequency: Any):
    with pytest.raises(ValueError, match="frequency"):
        jr.Gain("laser", frequency=frequency)


def inhomogeneous(mixing: Any = None, shape: Any = None) -> jr.Model:
    levels = [jr.Level("l", energy="0 eV", g=2), jr.Level("u", energy="1 eV", g=2)]
    line = jr.Radiative("line", "u -> l", A="1e3 s^-1", lineshape=shape or jr.Gaussian(fwhm="5 GHz"), mixing=mixing)
    return jr.Model(levels, [line, jr.Beam("beam", drives="line", intensity="1e3 W/m^2")], density="1e20 m^-3")


@pytest.mark.parametrize(
    "shape",
    [jr.Gaussian(fwhm="5 GHz"), jr.Voigt(fwhm_lorentzian="1 GHz", fwhm_gaussian="5 GHz")],
    ids=["gauss", "voigt"],
)
def test_a_hole_is_not_solved_as_if_it_were_none(shape: Any):
    with pytest.raises(ValueError, match=r"`line` is inhomogeneous.*mixing='fast'"):
        jr.steady_state(inhomogeneous(shape=shape))
    with pytest.raises(ValueError, match=r"`beam` burns a hole"):
        jr.Experiment(inhomogeneous(shape=shape), jr.Steady(), {"u": jr.Population("u")})
    assert jr.steady_state(inhomogeneous("fast", shape)).status == jr.Status.OK


def test_fast_mixing_saturates_as_a_whole():
    """W = sigma I / h nu with the peak of the Gaussian."""
    state = jr.steady_state(inhomogeneous("fast"))
    nu = state.parameters["line.frequency"]
    sigma = einstein.cross_section_emission(state.parameters["line.B"], nu, lineshape.peak_gaussian(5e9))
    close(jr.CrossSection("line")(state), sigma, 1e-12)
    W = sigma * 1e3 / (h * nu)
    close(state["u"], W / (1e3 + 2 * W), 1e-11)


def measured(which: str) -> jr.Model:
    """A band around 1000 nm, between two manifolds."""
    nm = np.linspace(960, 1040, 17)
    table = 1e-20 * np.exp(-(((nm - 1000) / 20) ** 2))
    spectra = {
        name: jr.Spectrum(tuple(nm), tuple(table * scale), ("nm", "cm^2"))
        for name, scale in (("emission", 1.0), ("absorption", 0.4))
    }
    given: dict[str, Any] = spectra if which == "both" else {which: spectra[which]}
    levels = [
        jr.Level("l", energy="0 cm^-1", g=8, stark=("0 cm^-1", "300 cm^-1")),
        jr.Level("u", energy="10000 cm^-1", g=6, stark=("0 cm^-1", "200 cm^-1", "500 cm^-1")),
    ]
    processes = [
        jr.Radiative("band", "u -> l", n=1.5, **given),
        jr.Beam("beam", drives="band", intensity="1e7 W/m^2", wavelength="1005 nm"),
        jr.Blackbody("walls", drives="band", temperature="5000 K", dilution=1e-3),
    ]
    return jr.Model(levels, processes, density="1e26 m^-3", temperature="300 K")


@pytest.mark.parametrize("which", ["emission", "absorption", "both"])
def test_measured_spectra_under_a_beam_and_thermal_light(which: str):
    """Rates by their definition: sigma I / h nu, and the integral of sigma over thermal photons."""
    model = measured(which)
    band, theta = model.radiative("band"), model.parameters()
    E0, T = 10000 * 100 * h * c, 300.0
    Z = [
        sum(g * np.exp(-100 * h * c * e / (k * T)) for e in offsets)
        for g, offsets in ((4, (0, 300)), (2, (0, 200, 500)))
    ]

    def tie(nu: Any) -> Any:
        return Z[0] / Z[1] * np.exp((E0 - h * nu) / (k * T))

    def cross_section(nu: Any, name: str) -> Any:
        stated = {"emission": band.emission, "absorption": band.absorption}
        table, other = stated[name], stated["absorption" if name == "emission" else "emission"]
        if table is not None:
            return np.interp(nu, *table.si.arrays)
        assert other is not None
        return np.interp(nu, *other.si.arrays) * (tie(nu) if name == "emission" else 1 / tie(nu))

    nu = c / 1005e-9
    given = band.emission or band.absorption
    assert given is not None
    points = given.si.arrays[0]
    x, w = np.polynomial.legendre.leggauss(40)
    nodes = (points[1:, None] + points[:-1, None]) / 2 + (points[1:, None] - points[:-1, None]) / 2 * x
    weights = (points[1:, None] - points[:-1, None]) / 2 * w
    photons = 1e-3 * 8 * np.pi * 1.5**2 * nodes**2 / c**2 * thermal.planck_occupation(nodes, 5000.0) * weights
    rates = {}
    for name in ("emission", "absorption"):
        sigma = cross_section(nodes, name)
        rates[name] = cross_section(nu, name) * 1e7 / (h * nu) + np.sum(sigma * photons)
    spontaneous = np.sum(cross_section(nodes, "emission") * 8 * np.pi * 1.5**2 * nodes**2 / c**2 * weights)
    state = jr.steady_state(model)
    up, down = rates["absorption"], rates["emission"] + spontaneous
    close(state["u"], up / (up + down), 1e-9)
    sigma = [cross_section(nu, name) for name in ("emission", "absorption")]
    close(jr.Gain("band")(state), 1e26 * (sigma[0] * state["u"] - sigma[1] * state["l"]), 1e-9)
    close(jr.CrossSection("band")(state), sigma[0], 1e-9)
    doubled = jr.steady_state(model, {"band.B": 2 * theta["band.B"]})
    close(jr.CrossSection("band")(doubled), 2 * sigma[0], 1e-9)


def test_any_pure_function_is_an_observable():
    bench = jr.Experiment(four_level(), jr.Steady(), {"ratio": lambda state: state["2"] / state["1"]})
    lit = {"pump.rate": np.array([1.0, 1e5])}
    state = jr.steady_state(four_level(), lit)
    close(bench(lit)["ratio"], state["2"] / state["1"], 1e-13)
    assert describe("ratio", bench.observables["ratio"]) == ("ratio", "")


@pytest.mark.parametrize("name", OBSERVABLES)
def test_every_observable_has_a_name_and_a_unit(name: str):
    long_name, unit = describe(name, OBSERVABLES[name])
    assert ("laser" in long_name) or ("2" in long_name)
    assert unit in {"1", "m^-1", "m^2", "W m^-2", "s", "W m^-3"}


def test_a_bad_lane_reads_nan():
    state = jr.steady_state(four_level(), {"pump.rate": np.array([1.0, -1.0, 3.0])})
    for name, observable in OBSERVABLES.items():
        assert np.array_equal(
            np.isnan(observable(state))[..., :], np.broadcast_to([False, True, False], observable(state).shape)
        ), name


def fed(feed: float = 0.0) -> jr.Model:
    """A level that emits, and a store that empties into it."""
    levels = [jr.Level(name, energy=f"{i} eV") for i, name in enumerate(["ground", "upper", "store"])]
    line = jr.Radiative("line", "upper -> ground", A="1e4 s^-1")
    rest = [jr.Decay("quench", "upper -> ground", rate=1e4), jr.Decay("feed", "store -> upper", rate=feed)]
    return jr.Model(levels, [line, *rest])


TAU = 1 / 2e4
QUENCH = np.array([1e4, 9e4, np.nan])


def test_the_decay_time_of_one_lifetime_is_that_lifetime_at_any_spacing():
    for times in (np.linspace(0, 40, 7), np.linspace(3, 44, 7), np.append(0, np.geomspace(0.001, 40, 6))):
        path = jr.evolve(fed(), {"quench.rate": QUENCH}, times * TAU, start={"upper": 1.0})
        close(jr.DecayTime("line")(path), 1 / (1e4 + QUENCH), 1e-12)


def test_the_slope_of_a_decay_time_is_that_of_the_lifetime():
    """d tau/dk = -tau^2."""
    solver = jr.Evolve(np.linspace(0, 40 * TAU, 7), start={"upper": 1.0})
    bench = jr.Experiment(fed(), solver, {"tau": jr.DecayTime("line")})
    found, slopes = bench.value_and_grad({"quench.rate": QUENCH}, wrt=["quench.rate"])
    close(found["tau"], 1 / (1e4 + QUENCH), 1e-12)
    close(slopes["tau"]["quench.rate"], -1 / (1e4 + QUENCH) ** 2, 1e-9)


def test_a_decay_time_counts_what_feeds_the_level():
    """From the store photons come after both lifetimes, TAU and 5 TAU; without any, never.

    Within 10 lifetimes of the level alone they come T/(e^10 - 1) too early.
    """
    start = {
        "upper": np.array([0.0, 0.5, 0.0]),
        "store": np.array([1.0, 0.5, 0.0]),
        "ground": np.array([0.0, 0.0, 1.0]),
    }
    path = jr.evolve(fed(1 / (5 * TAU)), {}, np.linspace(0, 200 * TAU, 20001), start=start)
    close(jr.DecayTime("line")(path), np.array([6, 3.5, np.nan]) * TAU, 1e-5)
    short = jr.evolve(fed(), {}, np.linspace(0, 10 * TAU, 7), start={"upper": 1.0})
    close(jr.DecayTime("line")(short), TAU - 10 * TAU / np.expm1(10), 1e-12)


def test_a_decay_time_follows_a_drive():
    """Quenched at first, then left alone; read off a path as in an experiment."""
    drive = {"quench.rate": jr.Segments([(0, TAU, 9e4), (TAU, np.inf, 0.0)])}
    times, A = np.linspace(0, 100 * TAU, 101), {"line.spontaneous_factor": np.array([1.0, 2.0])}
    found = jr.Experiment(fed(), jr.Evolve(times, {"upper": 1.0}, drive), {"tau": jr.DecayTime("line")})(A)["tau"]
    close(jr.DecayTime("line")(jr.evolve(fed(), A, times, start={"upper": 1.0}, drive=drive)), found, 1e-12)
    fast, slow = 9e4 + 1e4 * A["line.spontaneous_factor"], 1e4 * A["line.spontaneous_factor"]
    left = np.exp(-fast * TAU)
    light = (1 - left) / fast + left / slow
    close(found, ((1 - left * (1 + fast * TAU)) / fast**2 + left * (TAU / slow + 1 / slow**2)) / light, 1e-12)


def test_a_steady_state_has_no_decay_time():
    with pytest.raises(ValueError, match="off a path in time"):
        jr.DecayTime("laser")(STATE)
    with pytest.raises(ValueError, match="did you mean `laser`"):
        jr.Experiment(four_level(), jr.Evolve([0.0, 1.0]), {"it": jr.DecayTime("lazer")})
    assert describe("it", jr.DecayTime("laser")) == ("decay time of laser", "s")
