"""Channels that ran together: rows of one state, each with the power of its own channel."""

import numpy as np

from jaxrate.fit.places import coordinate, nearest
from jaxrate.fit.readings import refuse
from jaxrate.fit.subject import ChannelList, Subject
from jaxrate.fit.table import Table


def stands_for_all(subject: Subject, table: Table) -> dict[str, np.ndarray]:
    """Columns such as `wdm.power` beside none that tells channels apart: each row is that of all of them.

    Returns:
        By parameter (`wdm.power[0]` ...), shape (row,).
    """
    wanted = [its for its in subject.lists if its.parameter in table.columns and _at(table, its) is None]
    values = {its.parameter: table.si(its.parameter, its.unit) for its in wanted}
    return {member: values[its.parameter] for its in wanted for member in its.members}


def of_channels(subject: Subject, table: Table, state: np.ndarray, states: np.ndarray) -> dict[str, np.ndarray]:
    """Conditions of each channel of a group, from the rows of its state.

    Args:
        subject: What is fitted.
        table: The numbers.
        state: Which state each row belongs to, shape (row,); -1 where to none.
        states: A row of each state.

    Returns:
        By parameter (`wdm.power[0]` ...), shape (state,).

    Raises:
        ValueError: light that is none of the group's, a channel of a state without a value, or with two.
    """
    found: dict[str, np.ndarray] = {}
    for its in subject.lists:
        at = _at(table, its) if its.parameter in table.columns else None
        if at is not None:
            found |= dict(zip(its.members, _spread(its, table, at, state, states), strict=True))
    return found


def _at(table: Table, its: ChannelList) -> np.ndarray | None:
    return coordinate(table, its.axis, "m")


def _spread(its: ChannelList, table: Table, at: np.ndarray, state: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Values, shape (channel, state)."""
    rows = np.flatnonzero((state >= 0) & ~np.isnan(at))
    channel, is_one = nearest(its.at, at[rows])
    refuse(
        table,
        rows[~is_one],
        f"`{its.axis}` is none of the channels of the experiment",
        f"state them all: wavelength=np.unique(table['{its.axis}'])",
    )
    given = table.si(its.parameter, its.unit)[rows]
    channel, own, rows, given = (x[~np.isnan(given)] for x in (channel, state[rows], rows, given))
    found = np.full((len(its.members), len(states)), np.nan)
    found[channel, own] = given
    refuse(
        table,
        rows[given != found[channel, own]],
        f"a channel has another `{its.parameter}` than in a later line of the same state",
        "rows that were present together need the same text in a column `state`",
    )
    _refuse_missing(its, table, found, states)
    return found


def _refuse_missing(its: ChannelList, table: Table, found: np.ndarray, states: np.ndarray) -> None:
    """Refuse states in which the power of a channel is not known, for it saturates the others."""
    lost = np.isnan(found).any(axis=0)
    if lost.any():
        which = np.isnan(found[:, np.argmax(lost)])
        more = f" and {which.sum() - 1} more" if which.sum() > 1 else ""
        missing = f"`{its.parameter}` of the channel at {its.at[np.argmax(which)] * 1e9:.7g} nm{more} is missing"
        refuse(
            table,
            states[lost],
            f"{missing} in the state that begins",
            "every channel needs a row: leave a gain that was not measured empty, and write 0 mW where nothing ran",
        )
