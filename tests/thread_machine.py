"""Runs the code of a thread in NumPy, for a few lanes at once: what a device would do, without one."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrate.solve.threads.code import Assign, Buffer, Declare, If, Index, Let, Load, Loop, Store, Variable
from jaxrate.solve.threads.operations import computed
from jaxrate.solve.threads.translate import Thread, translated
from tests.tolerance import close


class Machine:
    """Lanes that go through the same code, each with numbers of its own; a branch is taken by some of them."""

    def __init__(self, thread: Thread, base: np.ndarray, block: Mapping[str, np.ndarray]) -> None:
        self.lanes = next(iter(block.values())).shape[-1]
        self.numbers: dict[Variable, np.ndarray] = {}
        self.memory: dict[str, np.ndarray] = {}
        arrays = [np.repeat(base[:, None], self.lanes, 1), *(block[name] for name in sorted(block))]
        for buffer, array in zip(thread.inputs, arrays, strict=True):
            self.memory[buffer.name] = np.reshape(array, (-1, self.lanes))
        for buffer in thread.buffers:
            empty = unwritten(int(np.prod(buffer.shape)), buffer.dtype)
            values = empty if buffer.values is None else buffer.values
            self.memory[buffer.name] = np.repeat(values.reshape(-1, 1), self.lanes, 1)
        for buffer in thread.outputs.values():
            empty = unwritten(int(np.prod(buffer.shape)) * self.lanes, buffer.dtype)
            self.memory[buffer.name] = empty.reshape(-1, self.lanes)

    def run(self, statements: list[Any], active: np.ndarray) -> None:
        for statement in statements:
            self.step(statement, active)

    def step(self, statement: Any, active: np.ndarray) -> None:
        match statement:
            case Let(variable, operation, atoms):
                found = computed(operation, variable.dtype, *map(self.value, atoms))
                self.numbers[variable] = np.broadcast_to(found, (self.lanes,))
            case Load(variable, buffer, index):
                place = self.place(buffer, index, active)
                self.numbers[variable] = self.memory[buffer.name][place, np.arange(self.lanes)]
            case Store(buffer, index, value):
                where = np.flatnonzero(active)
                self.memory[buffer.name][self.place(buffer, index, active)[where], where] = self.value(value)[where]
            case Declare(variable, value):
                self.numbers[variable] = unwritten(self.lanes, variable.dtype) if value is None else self.value(value)
            case Assign(variable, value):
                self.numbers[variable] = np.where(active, self.value(value), self.numbers[variable])
            case If(condition, then, otherwise):
                here = self.value(condition)
                for some, part in ((active & here, then), (active & ~here, otherwise)):
                    if some.any():
                        self.run(part, some)
            case Loop(head, condition, body):
                while True:
                    self.run(head, active)
                    active = active & self.value(condition)
                    if not active.any():
                        return
                    self.run(body, active)

    def value(self, atom: Any) -> np.ndarray:
        return self.numbers[atom] if isinstance(atom, Variable) else np.broadcast_to(atom, (self.lanes,))

    def place(self, buffer: Buffer, index: Index, active: np.ndarray) -> np.ndarray:
        """Row of the memory in each lane, 0 in lanes that are not here."""
        pairs = zip(index, buffer.strides, strict=True)
        terms = [np.int64(stride) * (self.value(i) if isinstance(i, Variable) else i) for i, stride in pairs]
        found = np.where(active, buffer.offset + sum(terms), 0)
        assert np.all((found >= 0) & (found < len(self.memory[buffer.name]))), f"outside of {buffer}: {found}"
        return found


def unwritten(size: int, dtype: np.dtype) -> np.ndarray:
    """What nobody may read before something is written."""
    return np.full(size, np.nan if dtype.kind == "f" else 77, dtype)


def executed(thread: Thread, base: np.ndarray, block: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Results by name, shapes (*core, lane), of lanes given as (*core, lane)."""
    machine = Machine(thread, base, block)
    with np.errstate(all="ignore"):
        machine.run(thread.statements, np.ones(machine.lanes, bool))
    return {name: machine.memory[b.name].reshape(*b.shape, machine.lanes) for name, b in thread.outputs.items()}


# Functions as threads, against JAX.

LANES = 5


def drawn(*core: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.2, 3.0, (*core, LANES))


def thread_of(function: Callable[..., Any], base: np.ndarray, **block: np.ndarray) -> Thread:
    """The code of a function of shared values and a block of one lane."""
    own = {name: jax.ShapeDtypeStruct((*a.shape[:-1], 1), a.dtype) for name, a in block.items()}
    with jax.enable_x64(True):
        return translated(lambda base, block: {"found": function(base, **block)}, jax.typeof(base), own)


def agree(function: Callable[..., Any], base: np.ndarray, rtol: float = 1e-14, **block: np.ndarray) -> Thread:
    """The same numbers as JAX, lane after lane; both round, each in its order."""
    thread = thread_of(function, base, **block)
    found = executed(thread, base, block)["found"]
    with jax.enable_x64(True):
        lanes = [{name: a[..., [i]] for name, a in block.items()} for i in range(LANES)]
        solved = jax.jit(function)
        wanted = np.concatenate([np.asarray(solved(jnp.asarray(base), **lane)) for lane in lanes], axis=-1)
    assert found.dtype == wanted.dtype
    close(found, wanted, rtol)
    return thread
