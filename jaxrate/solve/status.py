"""What became of a lane. Failure is data: a code, NaN in its results, and neighbours that notice nothing."""

from enum import IntEnum


class Status(IntEnum):
    """Code of a lane; `str(Status(code))` is its message."""

    def __new__(cls, code: int, message: str) -> "Status":
        member = int.__new__(cls, code)
        member._value_ = code
        member.__doc__ = message
        return member

    OK = 0, "solved"
    BAD_INPUT = (
        1,
        "a parameter is NaN, infinite or outside its range (a rate, intensity or density below zero), or the start is",
    )
    NOT_UNIQUE = 2, "the steady state is not unique: the rates that are not zero leave levels that never communicate"
    OUT_OF_RANGE = 3, "the populations span more than float64 can hold, or rate x time is above 1e18"

    TOO_MANY_STEPS = 4, "the path needs more steps than `max_steps` allows"
    NOT_FOUND = 5, "no steady state was found: the populations grow without bound, or the search did not settle"
    BISTABLE = (
        6,
        "two steady states are stable, one reached from dark and one from bright: choose by jr.Steady(start='cold') "
        "or jr.Steady(start='hot')",
    )

    NOT_CONVERGED = (
        7,
        "light along the amplifier was not found to the tolerance asked for: its search did not settle, or the profile "
        "is too steep for the finest grid",
    )
    LASES = 8, "it would lase between its reflections: the gain of a round trip is above its loss"
    UNRESOLVED = (
        9,
        "the classes of an inhomogeneous line are wider apart than the holes that light burns: raise `classes`",
    )

    @property
    def message(self) -> str:
        """What it means."""
        return self.__doc__ or ""

    def __str__(self) -> str:
        return self.message
