"""Checked expressions: what they compute, in which array library, and that only arithmetic gets through."""

import copy
import dataclasses
import math
import pickle
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxrate import constants
from jaxrate.expr import CONSTANTS, FUNCTIONS, Expr, ExprError, expr

PACKAGE = Path(__file__).resolve().parents[1] / "jaxrate"

MULTIPHONON = "W0 * (1 + 1/expm1(h*nu_ph/(k*temperature)))**4"
THETA = {"W0": 1e3, "nu_ph": 1e13, "temperature": 300.0}


def multiphonon(W0: float, nu_ph: float, temperature: float) -> float:
    return W0 * (1 + 1 / math.expm1(constants.h * nu_ph / (constants.k * temperature))) ** 4


def multiphonon_slope(W0: float, nu_ph: float, temperature: float) -> float:
    """Derivative with respect to temperature, by hand: d/dx (1 + 1/expm1(x)) = -exp(x)/expm1(x)**2."""
    x = constants.h * nu_ph / (constants.k * temperature)
    return W0 * 4 * (1 + 1 / math.expm1(x)) ** 3 * math.exp(x) / math.expm1(x) ** 2 * x / temperature


def refusal(text: str) -> str:
    with pytest.raises(ExprError) as caught:
        expr(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2*3", 7.0),
        ("2**3**2", 512.0),
        ("-2**2", -4.0),
        ("(-2)**3", -8.0),
        ("2**-1", 0.5),
        ("+a - -b", 5.0),
        ("  a\n  / b ", 2 / 3),
        ("a / b / 2", 1 / 3),
        ("a / (b / 2)", 4 / 3),
        ("a - (b - 1)", 0.0),
        ("a**b", 8.0),
        ("(-a)**3", -8.0),
        ("a**0.5 - sqrt(a)", 0.0),
        ("a / (4*b)", 1 / 6),
        ("5 / (4*b*a)", 5 / 24),
        ("a / (b*4*a)", 1 / 12),
        ("minimum(a, b) + 10*maximum(a, b)", 32.0),
        ("abs(a - b)", 1.0),
        ("exp(log(a)) + expm1(log1p(b))", 5.0),
        ("sin(pi/6) + cos(0) + 4*arctan(1)/pi", 2.5),
        ("cosh(a)**2 - sinh(a)**2 + tanh(0)", 1.0),
        ("1_000 + 1e3 + 0x10", 2016.0),
    ],
)
def test_arithmetic(text, value):
    assert expr(text)({"a": 2.0, "b": 3.0, "unused": np.nan}) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants(name):
    assert expr(name)({}) == (math.pi if name == "pi" else getattr(constants, name))
    assert expr(name).names == ()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_those_of_the_array_library(name):
    text = f"{name}({', '.join(['x', 'y'][: FUNCTIONS[name]])})"
    x, y = np.linspace(0.1, 2, 5), np.linspace(2, 0.1, 5)
    expected = getattr(np, name)(*[x, y][: FUNCTIONS[name]])
    np.testing.assert_array_equal(expr(text)({"x": x, "y": y}), expected)
    np.testing.assert_allclose(expr(text)({"x": jnp.asarray(x), "y": jnp.asarray(y)}), expected, rtol=1e-6)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_as_python_reads_it(number):
    assert expr(repr(number))({}) == number


# Text and value of the same random expression; positive terms only, so that no cancellation magnifies rounding.
TERMS = st.recursive(
    st.one_of(
        st.floats(0.1, 10).map(lambda x: (repr(x), x)),
        st.sampled_from([("a", 2.0), ("b.rate", 3.0), ("`c d`", 0.7), ("pi", math.pi)]),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+*/"), inner).map(
            lambda t: (
                f"({t[0][0]} {t[1]} {t[2][0]})",
                {"+": t[0][1] + t[2][1], "*": t[0][1] * t[2][1], "/": t[0][1] / t[2][1]}[t[1]],
            )
        ),
        inner.map(lambda t: (f"sqrt({t[0]})", math.sqrt(t[1]))),
        inner.map(lambda t: (f"log1p({t[0]})", math.log1p(t[1]))),
        inner.map(lambda t: (f"tanh({t[0]})**2", math.tanh(t[1]) ** 2)),
    ),
    max_leaves=12,
)


@given(TERMS)
def test_random_expressions_equal_python(term):
    text, value = term
    assert expr(text)({"a": 2.0, "b.rate": 3.0, "c d": 0.7}) == pytest.approx(value, rel=1e-12)


# Names.


def test_names_in_the_order_of_the_text():
    assert expr(MULTIPHONON).names == ("W0", "nu_ph", "temperature")
    assert expr("b.rate + a + b.rate*density.Yb").names == ("b.rate", "a", "density.Yb")
    assert expr("2 * `other lines.rate` + `to ground`.rate").names == ("other lines.rate", "to ground.rate")


def test_backquotes_make_a_parameter_of_a_constant_or_function():
    text = expr("`h` * h + `exp` + e.rate + `4F3/2 -> 4I11/2`")
    assert text.names == ("h", "exp", "e.rate", "4F3/2 -> 4I11/2")
    theta = {"h": 2.0, "exp": 1.0, "e.rate": 0.5, "4F3/2 -> 4I11/2": 0.25}
    assert text(theta) == 2 * constants.h + 1.75


def test_an_unknown_name_is_shown_with_the_nearest():
    stated = expr("  2 * `wall rate` * temperature")
    stated.check({"wall rate", "temperature"}, "pump.rate")
    with pytest.raises(ExprError) as caught:
        stated.check(["wall.rate", "temperature"], "pump.rate")
    message, line, caret = str(caught.value).split("\n")
    assert message.startswith("In the expression of `pump.rate`: `wall rate` is not a parameter")
    assert "did you mean `wall.rate`?" in message
    assert line[caret.index("^") :].startswith("`wall rate`")


def test_a_missing_value_is_named():
    with pytest.raises(ExprError, match="`nu_ph` is not a parameter"):
        expr(MULTIPHONON)({"W0": 1.0, "temperature": 300.0})


# One expression for numbers, NumPy and JAX.


def test_the_example_of_the_design():
    stated = expr(MULTIPHONON)
    assert stated(THETA) == pytest.approx(multiphonon(**THETA), rel=1e-14)
    temperatures = np.array([[100.0], [300.0]])
    values = stated({**THETA, "temperature": temperatures, "W0": np.array([1.0, 2.0, 3.0])})
    assert isinstance(values, np.ndarray)
    assert values.shape == (2, 3)
    assert values[1, 2] == pytest.approx(multiphonon(3.0, 1e13, 300.0), rel=1e-14)


@pytest.mark.parametrize(("x64", "rtol"), [(True, 1e-13), (False, 2e-5)])
def test_jax_value_and_gradient(x64, rtol):
    """In float32 too, where (k*T)**2, which the derivative of a quotient by k*T holds, is zero."""
    stated = expr(MULTIPHONON)

    def at(temperature):
        return stated({**THETA, "temperature": temperature})

    with jax.enable_x64(x64):
        value, slope = jax.jit(jax.value_and_grad(at))(300.0)
        many = jax.vmap(at)(jnp.array([100.0, 300.0]))
        assert many.dtype == (jnp.float64 if x64 else jnp.float32)
    assert value == pytest.approx(multiphonon(**THETA), rel=rtol)
    assert slope == pytest.approx(multiphonon_slope(**THETA), rel=rtol)
    assert many[1] == pytest.approx(float(value), rel=rtol)


def test_photon_flux_in_float32():
    """I/(h*nu) is 5e27 and its derivatives are finite, though 1/h times I is not."""
    flux = expr("I / (h*nu)")
    value, slopes = jax.value_and_grad(flux)({"I": jnp.float32(1e9), "nu": jnp.float32(3e14)})
    assert value == pytest.approx(1e9 / (constants.h * 3e14), rel=1e-6)
    assert slopes["I"] == pytest.approx(1 / (constants.h * 3e14), rel=1e-6)
    assert slopes["nu"] == pytest.approx(-1e9 / (constants.h * 3e14**2), rel=1e-6)


def test_python_numbers_do_not_widen_jax_arrays():
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        value = expr("2*a + b**2 + minimum(a, b) + h*pi")({"a": jnp.float32(1.5), "b": 3, "unused": np.float64(1)})
        assert value.dtype == jnp.float32
        assert value == pytest.approx(13.5)


@pytest.mark.parametrize("array", [np.array, jnp.array])
def test_integers_become_floating_point(array):
    np.testing.assert_allclose(expr("x**-2")({"x": array([1, 2])}), [1.0, 0.25])
    np.testing.assert_allclose(expr("x**y")({"x": array([10]), "y": array([30])}), [1e30], rtol=1e-5)
    assert math.isinf(expr("x**x")({"x": 10**6}))


@pytest.mark.parametrize("array", [float, np.array, jnp.array])
@pytest.mark.parametrize(
    ("text", "value"),
    [("a/b", math.inf), ("b/b", math.nan), ("log(-a)", math.nan), ("(-a)**0.5", math.nan), ("exp(a*1e9)", math.inf)],
)
def test_a_bad_lane_is_data(array, text, value):
    """No exception and no warning (the suite turns those into errors)."""
    np.testing.assert_equal(np.asarray(expr(text)({"a": array(1.0), "b": array(0.0)})), value)


def test_jax_is_not_imported():
    code = """
import sys, types
package = sys.modules["jaxrate"] = types.ModuleType("jaxrate")
package.__path__ = [sys.argv[1]]
import numpy
from jaxrate.expr import expr
assert (expr("exp(-a)")({"a": numpy.zeros(2)}) == 1).all()
assert "jax" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(PACKAGE)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# A value of its own.


def test_equal_by_text_and_immutable():
    one, same, other = expr("2*a"), Expr("2*a"), expr("a*2")
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert {one: 1}[same] == 1
    assert repr(one) == "Expr(text='2*a')"
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.text = "3*a"  # type: ignore[misc]


def test_copies_and_pickles():
    stated = expr(MULTIPHONON)
    for copied in (pickle.loads(pickle.dumps(stated)), copy.deepcopy(stated), dataclasses.replace(stated)):
        assert copied == stated
        assert copied(THETA) == stated(THETA)


# Refusals: the text, a caret below the place, and what is allowed.


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("1 + exmp1(x)", "exmp1", "did you mean `expm1`?"),
        ("2*__import__(x)", "__import__", "is not a function"),
        ("__import__('os')", "'os'", "is not allowed"),
        ("1 + x.__class__()", "x.__class__", "is not a function"),
        ("exp.__call__(x)", "exp.__call__", "is not a function"),
        ("`exp`(x)", "`exp`", "a parameter cannot be called"),
        ("exp(x)(y)", "exp(x)(y)", "only a name can be called"),
        ("(x + 1).real", "x + 1", "only a name"),
        ("2 * exp", "exp", "is a function"),
        ("exp(x, y)", "exp", "takes 1 value"),
        ("1 + minimum(x)", "minimum", "takes 2 values"),
        ("exp()", "exp", "takes 1 value"),
        ("exp(*x)", "*x", "is not allowed"),
        ("exp(**x)", "exp", "takes 1 value"),
        ("exp(x=1)", "=", "is not allowed"),
        ("lambda x: x", ":", "is not allowed"),
        ("(x := 3)", ":=", "is not allowed"),
        ("a < b", "<", "is not allowed"),
        ("a == b", "==", "is not allowed"),
        ("a in b", "a", "is not allowed"),
        ("not a", "not", "is not allowed"),
        ("a and b", "a", "is not allowed"),
        ("a if b else c", "a", "is not allowed"),
        ("x[0]", "[", "is not allowed"),
        ("2 * (a, b)", "(a, b)", "is not allowed"),
        ("1 + 'x'", "'x'", "is not allowed"),
        ("exp(x for x in y)", "(x for", "is not allowed"),
        ("1 + (yield)", "yield", "is not allowed"),
        ("1 + await x", "await", "is not allowed"),
        ("1 + 2j", "2j", "is not allowed"),
        ("1 + True", "True", "is not allowed"),
        ("1 + None", "None", "is not allowed"),
        ("1 + ...", "...", "is not allowed"),
        ("a // b", "//", "is not allowed"),
        ("a % b", "%", "is not allowed"),
        ("a ^ 2", "^", "a power is written **"),
        ("a @ b", "@", "is not allowed"),
        ("a # b", "#", "is not allowed"),
        ("a; b", ";", "is not allowed"),
        ("2 * µ", "µ", "is not allowed"),
        ("2 x", "x", "cannot be read"),
        ("1)+(2", ")", "cannot be read"),
        ("a * (b", "(b", "cannot be read"),
        ("pump.980", ".980", "cannot be read"),
        ("2 * `a", "`a", "must end with a backquote"),
        ("2 * ``", "``", "must not be empty"),
        ("a.`b c`", "`b c`", "whole name"),
        ("a`b`", "`b`", "whole name"),
        ("1 + 1/0", "1/0", "not a finite number"),
        ("1 + (-8)**0.5", "(-8)", "not a finite number"),
        ("1 + log(0)", "log(0)", "not a finite number"),
        ("a + 1e999", "1e999", "not a finite number"),
        ("a + 9**9**9**9", "9**9**9", "not a finite number"),
        ("a + " + "9" * 400, "9" * 400, "not a finite number"),
    ],
)
def test_what_is_not_arithmetic_is_refused_where_it_stands(text, place, what):
    message, line, caret, allowed = refusal(text).split("\n")
    assert what in message
    column = caret.index("^") - 4
    assert text[column:].lstrip("(").startswith(place[:60].lstrip("("))
    assert line.strip() in text
    assert allowed.startswith("Allowed are numbers")


@pytest.mark.parametrize("text", ["", "  \n ", "1 +", "exp("])
def test_what_ends_too_early_is_refused(text):
    assert "cannot be read" in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "-" * 3000 + "1",
        "(" * 1900 + "1" + ")" * 1900,
        "exp(" * 150 + "a" + ")" * 150,
        "+".join(["a"] * 1900),
        "a" + "**a" * 1300,
        "f" + "(a)" * 1300,
        "a" * 10_000,
        "9**" * 1300 + "9",
    ],
    ids=lambda text: text[:8],
)
def test_neither_depth_nor_size_gets_through(text):
    refusal(text)


def test_a_long_place_is_shown_in_part():
    message = refusal("+".join(["a"] * 500) + "+#")
    assert all(len(line) < 300 for line in message.split("\n")[:3])
    line, caret = message.split("\n")[1:3]
    assert line[caret.index("^")] == "#"


@pytest.mark.parametrize("given_text", [None, 3, b"a", ["a"]])
def test_only_text_is_an_expression(given_text):
    with pytest.raises(ExprError, match="must be text"):
        expr(given_text)


PIECES = st.lists(
    st.sampled_from([*"ahek123.,()+-*/` _", "**", "exp", "minimum(", "pi", "1e9", "if", "else", "in", "not", " or "])
).map("".join)


@given(st.one_of(st.text(), PIECES))
def test_any_text_is_an_expression_or_refused(text):
    """No other exception; and what is an expression has a value for every value of its parameters."""
    try:
        stated = expr(text)
    except ExprError:
        return
    for value in (0.0, 1.0, -2.5):
        assert isinstance(stated(dict.fromkeys(stated.names, value)), float)
    stated.check(stated.names, "x")
