"""Runs the code of a thread in NumPy, for a few lanes at once: what a device would do, without one."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxrate.solve.threads.code import Assign, Buffer, Declare, If, Index, Let, Load, Loop, Store, Variable
from jaxrate.solve.threads.operations import computed
from jaxrate.solve.threads.translate import Thread


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
            values = np.zeros(buffer.shape, buffer.dtype) if buffer.values is None else buffer.values
            self.memory[buffer.name] = np.repeat(values.reshape(-1, 1), self.lanes, 1)
        for buffer in thread.outputs.values():
            self.memory[buffer.name] = np.full((max(1, int(np.prod(buffer.shape))), self.lanes), 77, buffer.dtype)

    def run(self, statements: list[Any], active: np.ndarray) -> None:
        for statement in statements:
            self.step(statement, active)

    def step(self, statement: Any, active: np.ndarray) -> None:
        match statement:
            case Let(variable, operation, atoms):
                found = computed(operation, variable.dtype, *map(self.value, atoms))
                self.numbers[variable] = np.broadcast_to(found, (self.lanes,))
            case Load(variable, buffer, index):
                memory = self.memory[buffer.name]
                place = np.clip(self.place(buffer, index), 0, len(memory) - 1)  # of lanes that are not here
                self.numbers[variable] = memory[place, np.arange(self.lanes)]
            case Store(buffer, index, value):
                where = np.flatnonzero(active)
                self.memory[buffer.name][self.place(buffer, index)[where], where] = self.value(value)[where]
            case Declare(variable, value):
                self.numbers[variable] = np.zeros(self.lanes, variable.dtype) if value is None else self.value(value)
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

    def place(self, buffer: Buffer, index: Index) -> np.ndarray:
        pairs = zip(index, buffer.strides, strict=True)
        terms = [np.int64(stride) * (self.value(i) if isinstance(i, Variable) else i) for i, stride in pairs]
        return np.broadcast_to(buffer.offset + sum(terms), (self.lanes,))


def executed(thread: Thread, base: np.ndarray, block: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Results by name, shapes (*core, lane), of lanes given as (*core, lane)."""
    machine = Machine(thread, base, block)
    with np.errstate(all="ignore"):
        machine.run(thread.statements, np.ones(machine.lanes, bool))
    return {name: machine.memory[b.name].reshape(*b.shape, machine.lanes) for name, b in thread.outputs.items()}


Solve = Callable[..., Mapping[str, Any]]
