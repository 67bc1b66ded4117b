"""Work units: a sweep cut into parts that are computed, stored and, after a failure, computed again one by one."""

import math
from dataclasses import dataclass

UNIT_LANES = 2**22
"""Ensembles in a unit at most: a tenth of a second or so of the cheapest job."""
UNIT_BYTES = 2**24
"""Stored bytes in a unit at most: files of this size are written fastest, and little is lost with one."""
UNIT_WORK = 2**32
"""Bytes that all lanes of a unit work in at most, block after block: seconds of a job with large lanes."""


@dataclass(frozen=True)
class Units:
    """The lanes of a sweep, cut along one dimension; the lanes of a unit follow each other.

    Args:
        shape: Of the sweep, in the order of its lanes.
        axis: Dimension that is cut: a unit has one index along those before it, and all along those after it.
        size: Indices along that dimension in a unit; the last has what is left.
        block: Lanes whose sums are taken together, counted from the first lane of the sweep.
    """

    shape: tuple[int, ...]
    axis: int
    size: int
    block: int

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of units along each dimension up to the one that is cut."""
        return (*self.shape[: self.axis], -(-self.shape[self.axis] // self.size)) if self.shape else ()

    def __len__(self) -> int:
        return math.prod(self.grid)

    @property
    def chunk(self) -> tuple[int, ...]:
        """Shape of a unit that is not the last."""
        after = self.shape[self.axis + 1 :]
        return (*(1,) * self.axis, self.size, *after) if self.shape else ()

    def slab(self, k: int) -> tuple[slice, ...]:
        """The part of the sweep that unit k is, along each dimension."""
        starts = [i * step for i, step in zip(_unravel(k, self.grid), self.chunk, strict=False)]
        starts += [0] * (len(self.shape) - len(starts))
        ends = [min(a + n, m) for a, n, m in zip(starts, self.chunk, self.shape, strict=True)]
        return tuple(slice(a, b) for a, b in zip(starts, ends, strict=True))

    def lanes(self, k: int) -> tuple[int, int]:
        """First lane of unit k in the order of the sweep, and how many it has."""
        slab = self.slab(k)
        low = 0
        for part, length in zip(slab, self.shape, strict=True):
            low = low * length + part.start
        return low, math.prod(part.stop - part.start for part in slab)


def _unravel(k: int, shape: tuple[int, ...]) -> list[int]:
    places: list[int] = []
    for length in reversed(shape):
        k, place = divmod(k, length)
        places.append(place)
    return places[::-1]


def divide(shape: tuple[int, ...], lanes: int, block: int) -> Units:
    """Units of at most so many lanes, as equal as they can be."""
    if not shape:
        return Units((), 0, 1, block)
    axis = next(a for a in range(len(shape)) if math.prod(shape[a + 1 :]) <= lanes)
    most = max(1, lanes // math.prod(shape[axis + 1 :]))
    number = -(-shape[axis] // most)
    return Units(shape, axis, -(-shape[axis] // number), block)


def lanes_of_unit(stored_bytes: int, lane_bytes: int) -> int:
    """Lanes of a unit, from the bytes that each stores and works in."""
    stored = UNIT_BYTES // stored_bytes if stored_bytes else UNIT_LANES
    return max(1, min(UNIT_LANES, stored, UNIT_WORK // lane_bytes))
