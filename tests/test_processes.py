"""Processes and light: what each states, and what it refuses where it is stated."""

import contextlib
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

import jaxrate as jr
from jaxrate.constants import c
from jaxrate.model.fields import driven_lines, is_saturating
from jaxrate.model.processes import Process, sides
from tests.refusal import refused
from tests.tolerance import close

LEVELS = [jr.Level("a", energy=0.0, g=2), jr.Level("b", energy="1 eV", g=4)]
LINE = jr.Radiative("line", "b -> a", A="5 s^-1", wavelength="1 um", lineshape=jr.Lorentzian(fwhm="0.1 nm"))
SPECTRUM = jr.Spectrum([1.0, 2.0], [1.0, 2.0], ("THz", "cm^2"))


def values(*processes: Process, **stated: Any) -> dict[str, float]:
    return jr.Model(LEVELS, processes, **stated).parameters()


def radiative(**stated: Any) -> jr.Radiative:
    return jr.Radiative("line", "b -> a", **stated)


JUNK: list[Any] = [None, True, 5, -1, 0, 1e400, float("nan"), 1j, "x", "", "5 m", b"x", [], [1], {}, {"a": 1}, (1, "a")]
JUNK += [
    object(),
    float,
    len,
    np.array([1.0, 2.0]),
    np.array("x"),
    np.float32(2),
    jr.expr("q"),
    LINE,
    SPECTRUM,
    range(3),
]

GOOD: dict[type, dict[str, Any]] = {
    jr.Level: {"name": "c", "energy": 1e-19, "g": 2, "species": None, "stark": (), "source": ""},
    jr.Decay: {"label": "x", "reaction": "b -> a", "rate": 1, "source": ""},
    jr.Collision: {"label": "x", "reaction": "b -> a", "coefficient": 1, "partner_density": 1},
    jr.EnergyTransfer: {"label": "x", "reaction": "a + a -> a + b", "coefficient": 1},
    jr.Radiative: {f.name: f.default for f in fields(jr.Radiative)} | {"label": "x", "reaction": "b -> a", "A": 1.0},
    jr.Beam: {f.name: f.default for f in fields(jr.Beam)} | {"label": "x", "drives": "line", "intensity": 1},
    jr.Blackbody: {"label": "x", "drives": "line", "temperature": 300, "dilution": 1},
    jr.Cavity: {f.name: f.default for f in fields(jr.Cavity)}
    | {"label": "x", "couples": "line", "photon_lifetime": 1e-8, "mode_volume": 1e-9},
    jr.Exchange: {"label": "x", "rate": 1, "into": {"a": 1}, "source": ""},
    jr.StimulatedGain: {"label": "x", "reaction": "b -> a + m", "gain": 1, "n_g": 3, "source": ""},
    jr.Spectrum: {"at": [1, 2], "cross_section": [1, 2], "units": ("THz", "m^2"), "source": ""},
    jr.Lorentzian: {"fwhm": 1e9},
    jr.Doppler: {"mass": 1e-26},
    jr.Voigt: {"fwhm_lorentzian": 1e9, "fwhm_gaussian": 1e9, "mass": None},
    jr.Expected: {"quantity": "A", "of": "line", "value": 5, "tolerance": 0.1, "source": "x"},
    jr.Model: {"levels": LEVELS, "processes": [LINE], "density": 1e20, "temperature": 300}
    | {"parameters": {"q": 1}, "name": "", "source": "", "expected": ()},
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, given in GOOD.items() for name in given])
def test_whatever_is_given_a_refusal_is_a_value_error(kind: Any, name: str):
    """Nothing fails in the depths with another error; what is accepted can be hashed, and printed by its model."""
    for junk in JUNK:
        with contextlib.suppress(ValueError):
            stated = kind(**(GOOD[kind] | {name: junk}))
            assert isinstance(hash(stated), int)
            if isinstance(stated, Process):
                stated = jr.Model(LEVELS, [LINE, stated], density=1, temperature=300, parameters={"q": 1})
            if isinstance(stated, jr.Level):
                stated = jr.Model([stated])
            assert str(stated)


def test_term_symbols_stay_whole():
    assert sides("x", "4F3/2 + 2P*->1 -> 4I9/2+ + b-c") == (("4F3/2", "2P*->1"), ("4I9/2+", "b-c"))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda: jr.Decay("", "b -> a", 1), ["label of a Decay", "''"]),
        (lambda: jr.Decay(None, "b -> a", 1), ["label of a Decay", "None"]),  # type: ignore[arg-type]
        (lambda: jr.Decay("a`b", "b -> a", 1), ["label of a Decay", "backquotes", "a`b"]),
        (lambda: jr.Decay("x\ny", "b -> a", 1), ["label of a Decay", "one line"]),
        (lambda: jr.Decay("x", "b->a", 1), ["`x`", "'upper -> lower'", "spaces", "'b->a'"]),
        (lambda: jr.Decay("x", 5, 1), ["`x`", "'upper -> lower'", "5"]),  # type: ignore[arg-type]
        (lambda: jr.Decay("x", " -> ", 1), ["`x`", "' -> '"]),
        (lambda: jr.Decay("x", "b -> a -> c", 1), ["`x`", "'b -> a -> c'"]),
        (lambda: jr.Decay("x", "b + b -> a", 1), ["`x`", "one population", "EnergyTransfer"]),
        (lambda: jr.Decay("x", "b -> b", 1), ["`x`", "to itself"]),
        (lambda: jr.Decay("x", "b -> a", -1), ["`x.rate`", "zero or positive", "-1"]),
        (lambda: jr.Decay("x", "b -> a", "-3 us^-1"), ["`x.rate`", "zero or positive", "'-3 us^-1'"]),
        (lambda: jr.Decay("x", "b -> a", "5 ms"), ["`x.rate`", "a rate", "'100 s^-1'", "'5 ms'"]),
        (lambda: jr.Decay("x", "b -> a", "5"), ["`x.rate`", "unit", "'5'"]),
        (lambda: jr.Decay("x", "b -> a", "5 Hz"), ["`x.rate`", "'5 Hz'", "s^-1"]),
        (lambda: jr.Decay("x", "b -> a", None), ["`x.rate`", "a rate", "None"]),  # type: ignore[arg-type]
        (lambda: jr.Decay("x", "b -> a", True), ["`x.rate`", "True"]),
        (lambda: jr.Decay("x", "b -> a", float("inf")), ["`x.rate`", "finite", "inf"]),
        (lambda: jr.Decay("x", "b -> a", float), ["`x.rate`", "class 'float'"]),
        (lambda: jr.Decay("x", "b -> a", [1, 2]), ["`x.rate`", "one value", "[1, 2]", "jr.steady_state"]),  # type: ignore[arg-type]
        (lambda: jr.Decay("x", "b -> a", 1, source=5), ["`x.source`", "text", "5"]),  # type: ignore[arg-type]
        (lambda: jr.Collision("x", "b -> a"), ["`x`", "`rate`", "`coefficient` and `partner_density`"]),
        (lambda: jr.Collision("x", "b -> a", rate=1, coefficient=1), ["`x`", "either `rate`"]),
        (lambda: jr.Collision("x", "b -> a", coefficient=1), ["`x`", "both `coefficient` and `partner_density`"]),
        (lambda: jr.Collision("x", "b -> a", coefficient=1, partner_density=-1), ["`x.partner_density`", "-1"]),
        (lambda: jr.EnergyTransfer("x", "a -> b", 1), ["`x`", "'a + b -> c + d'", "'a -> b'"]),
        (lambda: jr.EnergyTransfer("x", "a + b -> b + a", 1), ["`x`", "changes nothing"]),
        (lambda: jr.EnergyTransfer("x", "a + a -> a + b", "1 s^-1"), ["`x.coefficient`", "cm^3/s", "'1 s^-1'"]),
        (lambda: jr.Decay("x", "b -> a", rate=lambda theta: 1.0), ["`x.rate`", "rule(theta, populations)", "jr.expr"]),
        (lambda: jr.EnergyTransfer("x", "c + c + c -> ", "1 cm^3/s"), ["`x.coefficient`", "'1 cm^3/s'"]),
    ],
)
def test_a_process_is_refused(state: Callable[[], Any], words: list[str]):
    refused(state, *words)


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({}, ["exactly one strength", "`B`, `A`, `lifetime`", "none was given"]),
        ({"A": 1, "B": 2}, ["exactly one strength", "`B` and `A` were given"]),
        ({"A": 1, "emission": SPECTRUM, "lineshape": jr.Lorentzian(1e9)}, ["measured spectrum", "`lineshape`"]),
        ({"B": 1, "emission": SPECTRUM}, ["measured spectrum", "only `A`", "`B` was given too"]),
        ({"cross_section": "1 cm^2"}, ["cross-section needs a lineshape", "jr.Lorentzian(fwhm="]),
        ({"A": "5 m"}, ["`line.A`", "a rate", "'5 m'"]),
        ({"A": -5}, ["`line.A`", "zero or positive", "-5"]),
        ({"lifetime": 0}, ["`line.lifetime`", "positive", "0"]),
        ({"lifetime": "5 s^-1"}, ["`line.lifetime`", "a time", "'5 s^-1'"]),
        ({"B": "5 m^3"}, ["`line.B`", "Einstein B", "'5 m^3'"]),
        ({"oscillator_strength": "5 m"}, ["`line.oscillator_strength`", "'5 m'"]),
        ({"line_strength": "1 mu_B^2"}, ["`line.line_strength`", "electric line strength"]),
        ({"dipole": "1 ea0", "multipole": "M1"}, ["`line.dipole`", "magnetic dipole moment"]),
        ({"A": jr.expr("2 * x")}, ["`line`", "`A` must be a number", "may state `B`"]),
        ({"A": 1, "wavelength": 1e-6, "frequency": 1e14}, ["`line`", "`wavelength` or `frequency`, not both"]),
        ({"A": 1, "wavelength": "0 nm"}, ["`line.wavelength`", "positive", "'0 nm'"]),
        ({"A": 1, "wavelength": "1064 THz"}, ["`line.wavelength`", "a length", "'1064 THz'"]),
        ({"A": 1, "frequency": "1 kg"}, ["`line.frequency`", "a frequency", "'1 kg'"]),
        ({"A": 1, "n": -1.5}, ["`line`", "refractive index `n`", "-1.5"]),
        ({"A": 1, "n": "1.5"}, ["`line`", "refractive index `n`", "'1.5'"]),
        ({"A": 1, "multipole": "E2"}, ["`line`", "'E1' or 'M1'", "'E2'"]),
        ({"A": 1, "mixing": "slow"}, ["`line`", "`mixing`", "'fast'", "'slow'"]),
        ({"A": 1, "lineshape": jr.Lorentzian}, ["`line`", "`lineshape`", "jr.Voigt", "class"]),
        ({"A": 1, "lineshape": "Lorentzian"}, ["`line`", "`lineshape`", "'Lorentzian'"]),
        ({"emission": [[1, 2], [3, 4]]}, ["emission", "[[1, 2], [3, 4]]"]),
        ({"emission": 5}, ["`line`", "`emission`", "jr.Spectrum", "5"]),
        ({"A": 1, "absorption_factor": -1}, ["`line.absorption_factor`", "-1"]),
        ({"A": 1, "spontaneous_factor": "1 m"}, ["`line.spontaneous_factor`", "'1 m'"]),
        ({"emission": SPECTRUM, "A": 1, "spontaneous_factor": 2}, ["`A` beside a spectrum", "state one"]),
        ({"emission": SPECTRUM, "absorption": SPECTRUM, "absorption_factor": 2}, ["two spectra", "state one"]),
    ],
)
def test_a_line_is_refused(stated: dict[str, Any], words: list[str]):
    refused(lambda: radiative(**stated), "line", *words)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda: jr.Beam("s", drives=5, intensity=1), ["`s`", "`drives`", "one line or several", "5"]),  # type: ignore[arg-type]
        (lambda: jr.Beam("s", drives=[], intensity=1), ["`s`", "`drives`", "[]"]),
        (lambda: jr.Beam("s", drives=["x", 5], intensity=1), ["`s`", "`drives`", "5"]),  # type: ignore[list-item]
        (lambda: jr.Beam("s", drives=["x", "x"], intensity=1), ["`s`", "twice"]),
        (lambda: jr.Beam("s", "x", intensity=-1), ["`s.intensity`", "zero or positive", "-1"]),
        (lambda: jr.Beam("s", "x", intensity="5 W"), ["`s.intensity`", "kW/cm^2", "'5 W'"]),
        (lambda: jr.Beam("s", "x", intensity="5 kW/cm"), ["`s.intensity`", "'5 kW/cm'"]),
        (lambda: jr.Beam("s", "x", 1, frequency=1e14, wavelength=1e-6), ["`s`", "not both"]),
        (lambda: jr.Beam("s", "x", 1, frequency=-1e14), ["`s.frequency`", "positive"]),
        (lambda: jr.Beam("s", "x", 1, wavelength="1 eV"), ["`s.wavelength`", "a length", "'1 eV'"]),
        (lambda: jr.Beam("s", "x", 1, fwhm="-1 GHz"), ["`s.fwhm`", "zero or positive", "'-1 GHz'"]),
        (lambda: jr.Beam("s", "x", 1, fwhm="1 m^2"), ["`s.fwhm`", "linewidth", "'1 m^2'"]),
        (lambda: jr.Blackbody("s", "x", temperature=-1), ["`s.temperature`", "-1"]),
        (lambda: jr.Blackbody("s", "x", temperature="5 s"), ["`s.temperature`", "a temperature", "'5 s'"]),
        (lambda: jr.Blackbody("s", "x", 300, dilution="1 m"), ["`s.dilution`", "'1 m'"]),
        (lambda: jr.Cavity("s", "x", photon_lifetime=0, mode_volume=1), ["`s.photon_lifetime`", "positive", "0"]),
        (lambda: jr.Cavity("s", "x", photon_lifetime=1, mode_volume="1 cm"), ["`s.mode_volume`", "a volume"]),
        (lambda: jr.Cavity("s", 5, 1, 1), ["`s`", "`couples`", "5"]),  # type: ignore[arg-type]
    ],
)
def test_light_is_refused(state: Callable[[], Any], words: list[str]):
    refused(state, *words)


def test_light_with_a_width_on_a_measured_spectrum_is_refused():
    line = radiative(emission=SPECTRUM)
    refused(
        lambda: values(line, jr.Beam("s", "line", 1, fwhm="1 GHz"), temperature=300), "`s`", "`line`", "monochromatic"
    )


def test_names_and_units_of_every_process():
    stated = values(
        LINE,
        jr.Collision("hit", "b -> a", coefficient="1e-10 cm^3/s", partner_density="1 cm^-3"),
        jr.Collision("phonons", "b -> a", rate="2 ms^-1"),
        jr.EnergyTransfer("pair", "b + b -> a + b", coefficient="1e-16 cm^3/s"),
        jr.Blackbody("room", drives=["line"], temperature="300 K", dilution=0.5),
        jr.Beam("s", drives="line", intensity="1 kW/cm^2", wavelength="1001 nm", fwhm="0.2 nm"),
        jr.Cavity("box", "line", photon_lifetime="10 ns", mode_volume="1 mm^3", overlap=0.5, temperature=4),
        density=1e20,
        temperature="20 degC",
    )
    expected = {
        "density": 1e20,
        "temperature": 293.15,
        "line.B": stated["line.B"],
        "line.frequency": c / 1e-6,
        "line.fwhm": 0.1e-9 * c / 1e-12,
        "line.absorption_factor": 1.0,
        "line.spontaneous_factor": 1.0,
        "hit.coefficient": 1e-16,
        "hit.partner_density": 1e6,
        "phonons.rate": 2e3,
        "pair.coefficient": 1e-22,
        "room.temperature": 300.0,
        "room.dilution": 0.5,
        "s.intensity": 1e7,
        "s.frequency": c / 1001e-9,
        "s.fwhm": 0.2e-9 * c / 1001e-9**2,
        "box.photon_lifetime": 1e-8,
        "box.mode_volume": 1e-9,
        "box.overlap": 0.5,
        "box.num_modes": 1.0,
        "box.temperature": 4.0,
        "box.output_coupling": 1.0,
    }
    assert list(stated) == list(expected)
    close(list(stated.values()), list(expected.values()))


def test_every_lineshape_has_its_parameters():
    shapes = {
        jr.Gaussian("2 GHz"): {"fwhm"},
        jr.Doppler("20 amu"): {"mass"},
        jr.Voigt(1e9, fwhm_gaussian=2e9): {"fwhm_lorentzian", "fwhm_gaussian"},
        jr.Voigt(1e9, mass="20 amu"): {"fwhm_lorentzian", "mass"},
    }
    common = {"B", "frequency", "absorption_factor", "spontaneous_factor"}
    for shape, own in shapes.items():
        names = values(radiative(A=1, lineshape=shape), temperature=300).keys() - {"temperature"}
        assert names == {f"line.{name}" for name in own | common}


def test_a_beam_goes_to_line_centre_unless_told():
    assert values(LINE, jr.Beam("s", "line", 0))["s.frequency"] == c / 1e-6
    assert values(LINE, jr.Beam("s", "line", 0, frequency="1 eV"))["s.frequency"] == pytest.approx(2.417989e14)


def test_rates_may_be_rules():
    rule = jr.expr("temperature * 1e3")
    model = jr.Model(
        LEVELS,
        [
            jr.Radiative("line", "b -> a", B=rule, lineshape=jr.Lorentzian(fwhm=rule)),
            jr.Decay("x", "b -> a", rate=np.mean),
            jr.Beam("s", "line", intensity=rule, frequency=rule, fwhm=rule),
        ],
        temperature=300,
    )
    assert set(model.derived()) == {"line.B", "line.fwhm", "x.rate", "s.intensity", "s.frequency", "s.fwhm"}
    refused(lambda: values(radiative(cross_section=1, lineshape=jr.Lorentzian(rule)), temperature=1), "state `B`")


def test_an_inhomogeneous_line_is_refused_by_the_solver_alone():
    """The statement is legal: a solver with classes may take it."""
    gaussian = radiative(A=1, lineshape=jr.Gaussian("1 GHz"))
    beam = jr.Beam("s", "line", 1.0)
    model = jr.Model(LEVELS, [gaussian, beam])
    assert is_saturating(beam, gaussian)
    assert not is_saturating(beam, radiative(A=1, lineshape=jr.Gaussian("1 GHz"), mixing="fast"))
    assert not is_saturating(beam, LINE)
    assert not is_saturating(jr.Blackbody("s", "line", 300), gaussian)
    refused(lambda: jr.steady_state(model), "`line`", "inhomogeneous", "`s`", "mixing='fast'")


def test_one_field_may_drive_several_lines():
    assert driven_lines(jr.Beam("s", ["x", "y"], 1)) == ("x", "y")
    assert driven_lines(jr.Cavity("s", "x", 1, 1)) == ("x",)
    assert driven_lines(LINE) == ()
