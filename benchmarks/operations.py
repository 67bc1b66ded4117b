"""How many arithmetic operations a program does: counted in what JAX traces of it, one for each number that comes out.

What XLA makes of them is not asked: it merges a multiplication with an addition, and leaves out what is not used.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, DropVar, Jaxpr, Literal, jaxpr_as_fun

import jaxrate as jr
from benchmarks import media
from jaxrate.solve.lanes import Way, block_size

Count = Counter[tuple[str, str]]
"""Operations by kind and precision: ("adds", "float64")."""

KINDS = {
    "adds": ("add", "sub", "neg", "add_any"),
    "multiplies": ("mul", "square"),
    "divides": ("div", "rem"),
    "transcendentals": (
        *("exp", "exp2", "expm1", "log", "log1p", "pow", "sqrt", "rsqrt", "cbrt"),
        *("sin", "cos", "tan", "tanh", "logistic", "erf", "erfc"),
    ),
    "choices": (
        *("max", "min", "abs", "sign", "floor", "ceil", "round", "clamp", "select_n", "is_finite"),
        *("eq", "ne", "lt", "le", "gt", "ge"),
    ),
}
"""Primitives of one operation for each element; a choice is a comparison, or takes one of several numbers."""
REDUCTIONS = {
    "adds": ("reduce_sum", "cumsum", "scatter-add"),
    "multiplies": ("reduce_prod", "cumprod"),
    "choices": ("reduce_max", "reduce_min", "argmax", "argmin", "cummax", "cummin"),
}
"""Those of one for each element that goes in."""
BLOCK = 4096
"""Ensembles that are drawn for a block; it takes as many of them as it has lanes."""
_KIND = {name: kind for kind, names in KINDS.items() for name in names}
_REDUCTION = {name: kind for kind, names in REDUCTIONS.items() for name in names}


def of_ensemble(bench: jr.Experiment, batch: Mapping[str, Any], dtype: str) -> dict[str, float]:
    """Operations of an ensemble, as facts: of one block of ensembles, as it is given to a core.

    Args:
        bench: What is run.
        batch: Its ensembles, each of shape (lane,); the first of them make the block.
        dtype: Precision of the results.
    """
    kernel, given = bench.program, bench.batch(batch)
    lanes = min(block_size(kernel), given.size)
    block = {name: np.asarray(values[:lanes], np.float64) for name, values in batch.items()}
    way = Way(lanes, np.dtype(dtype), kernel.has_short_way(bench.base, given))
    with jax.enable_x64(True):
        found = counted(lambda base, block: kernel(base, block, way), jnp.asarray(bench.base), block)
    return per_lane(found, lanes)


def about(bench: jr.Experiment, numbers: int, dtype: str) -> Callable[[], dict[str, float]]:
    """Operations of an ensemble of J1's kind, and the bytes of so many numbers that go in and come out."""

    def facts() -> dict[str, float]:
        own = of_ensemble(bench, media.draw_parameters(BLOCK), dtype)
        return own | {"moved_bytes": float(numbers * np.dtype(dtype).itemsize)}

    return facts


def about_gain() -> dict[str, float]:
    """Operations of a gain and of adding it to a mean and a maximum; nothing of it goes through the memory."""
    bench = jr.Experiment(media.four_level(), jr.Steady(), {"gain": jr.Gain("laser")})
    varied = {name: media.draw_parameters(BLOCK)[name] for name in ("pump.rate", "signal.intensity")}
    own = of_ensemble(bench, varied, "float64")
    return own | {"operations": own["operations"] + 2, "moved_bytes": 0.0}


def per_lane(found: Count, lanes: int) -> dict[str, float]:
    """Operations of one lane: all of them, those in float32 among them, and those that cost more than others."""
    slow = {kind: sum(n for (k, _), n in found.items() if k == kind) for kind in ("divides", "transcendentals")}
    single = sum(n for (_, dtype), n in found.items() if dtype == "float32")
    total = {"operations": found.total(), "operations_float32": single, **slow}
    return {name: number / lanes for name, number in total.items()}


def counted(function: Callable[..., Any], *args: Any) -> Count:
    """Operations of a function on these arrays. What lies around a loop whose turns nobody knows is run to see them."""
    closed = jax.make_jaxpr(function)(*args)
    if not _is_open_within(closed):
        return counted_in(closed.jaxpr)
    found: Count = Counter()
    _run(closed, jax.tree.leaves(args), found)
    return found


def _run(closed: ClosedJaxpr, args: Sequence[Any], found: Count) -> list[Any]:
    """Results of a program; its operations are added to `found`."""
    jaxpr = closed.jaxpr
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*closed.consts, *args], strict=True))
    for is_open, eqns in groupby(jaxpr.eqns, _is_open):
        for part in ([eqn] for eqn in eqns) if is_open else [list(eqns)]:
            known |= _called(part[0], known, found) if is_open else _straight(jaxpr, part, known, found)
    return [_read(atom, known) for atom in jaxpr.outvars]


def _read(atom: Any, known: Mapping[Any, Any]) -> Any:
    return atom.val if isinstance(atom, Literal) else known[atom]


def _straight(jaxpr: Jaxpr, eqns: list[Any], known: Mapping[Any, Any], found: Count) -> dict[Any, Any]:
    """Values of equations in which nothing is to be seen by running them; they are run as one program."""
    own = [var for eqn in eqns for var in eqn.outvars if not isinstance(var, DropVar)]
    used = {var: None for eqn in eqns for var in eqn.invars if not isinstance(var, Literal) and var in known}
    part = jaxpr.replace(constvars=[], invars=list(used), outvars=own, eqns=eqns)
    found.update(counted_in(part))
    return dict(zip(own, jax.jit(jaxpr_as_fun(ClosedJaxpr(part, ())))(*map(known.__getitem__, used)), strict=True))


def _called(eqn: Any, known: Mapping[Any, Any], found: Count) -> dict[Any, Any]:
    """Values of a loop without a known number of turns, or of a call of something that has one."""
    values, name = [_read(atom, known) for atom in eqn.invars], eqn.primitive.name
    if name == "while":
        results = _turned(eqn.params, values, found)
    elif name == "cond":
        results = _run(eqn.params["branches"][int(values[0])], values[1:], found)
    else:
        (inner,) = _inner(eqn)
        if name == "scan":
            raise ValueError("A loop without a known number of turns inside of one with such a number is not counted.")
        results = _run(inner, values, found)
    return dict(zip(eqn.outvars, results, strict=True))


def _turned(params: Mapping[str, Any], values: list[Any], found: Count) -> list[Any]:
    """A loop, turn by turn."""
    first, second = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
    of_condition, of_body, state = values[:first], values[first:second], values[second:]
    goes_on, body = params["cond_jaxpr"], params["body_jaxpr"]
    turned = partial(_run, body) if _is_open_within(body) else _counting(body)
    asked = _counting(goes_on)
    while asked([*of_condition, *state], found)[0]:
        state = turned([*of_body, *state], found)
    return state


def _counting(closed: ClosedJaxpr) -> Callable[[list[Any], Count], list[Any]]:
    """A program that is compiled and counted once."""
    run, each = jax.jit(jaxpr_as_fun(closed)), counted_in(closed.jaxpr)

    def once(args: list[Any], found: Count) -> list[Any]:
        found.update(each)
        return run(*args)

    return once


def counted_in(jaxpr: Jaxpr) -> Count:
    """Operations of a program without running it.

    Raises:
        ValueError: it has a loop whose number of turns is not known.
    """
    found: Count = Counter()
    for eqn in jaxpr.eqns:
        found.update(_of(eqn))
    return found


def _of(eqn: Any) -> Count:
    """Of one equation, of all turns of a loop, of the longest of its branches."""
    name, inner = eqn.primitive.name, _inner(eqn)
    if name == "while":
        raise ValueError("The operations of a loop without a known number of turns can be counted at the top only.")
    if inner:
        longest = max((counted_in(closed.jaxpr) for closed in inner), key=lambda count: count.total())
        turns = eqn.params.get("length", 1) if name == "scan" else 1
        return Counter({key: turns * number for key, number in longest.items()})
    return Counter({(kind, dtype): n for kind, dtype, n in _elementary(eqn) if dtype in ("float64", "float32") and n})


def _elementary(eqn: Any) -> list[tuple[str, str, int]]:
    """(kind, precision, number) of what one primitive does."""
    name, result = eqn.primitive.name, eqn.outvars[0].aval
    operand = eqn.invars[-1 if name in ("select_n", "scatter-add") else 0].aval if eqn.invars else result
    dtype, size = str(getattr(operand, "dtype", "")), prod(getattr(result, "shape", ()))
    if name == "dot_general":
        (contracted, _), _ = eqn.params["dimension_numbers"]
        terms = size * prod(operand.shape[axis] for axis in contracted)
        return [("adds", dtype, terms), ("multiplies", dtype, terms)]
    if name == "integer_pow":
        power = abs(eqn.params["y"])
        products = power.bit_length() + power.bit_count() - 2
        return [("multiplies", dtype, size * products), ("divides", dtype, size * (eqn.params["y"] < 0))]
    if name in _REDUCTION:
        return [(_REDUCTION[name], dtype, prod(operand.shape))]
    return [(_KIND[name], dtype, size)] if name in _KIND else []


def _inner(eqn: Any) -> list[ClosedJaxpr]:
    """Programs that an equation calls."""
    values = [x for value in eqn.params.values() for x in (value if isinstance(value, tuple | list) else (value,))]
    programs = [x for x in values if isinstance(x, ClosedJaxpr | Jaxpr)]
    return [x if isinstance(x, ClosedJaxpr) else ClosedJaxpr(x, ()) for x in programs]


def _is_open(eqn: Any) -> bool:
    """Whether it is a loop whose number of turns is not known, or calls one."""
    return eqn.primitive.name == "while" or any(map(_is_open_within, _inner(eqn)))


def _is_open_within(closed: ClosedJaxpr) -> bool:
    return any(map(_is_open, closed.jaxpr.eqns))
