"""Names people type: the nearest known one, the sentence that proposes it, and how a wrong value is quoted."""

import difflib
from collections.abc import Collection


def nearest(name: object, known: Collection[str]) -> str | None:
    """The known name most like this one, whatever its case; None where none is like it."""
    folded = {k.casefold(): k for k in known}
    found = difflib.get_close_matches(str(name).casefold(), folded, n=1, cutoff=0.5)
    return folded[found[0]] if found else None


def unknown(kind: str, name: object, known: Collection[str], where: str = "") -> str:
    """The message for a misspelt name: what it is, the nearest known name, and all of them if they are few."""
    near = nearest(name, known)
    hint = f"; did you mean `{near}`?" if near else "."
    listed = f" Known: {', '.join(f'`{k}`' for k in known)}." if 0 < len(known) <= 24 else ""
    return f"`{name}` is not a {kind}{f' of {where}' if where else ''}{hint}{listed}"


def shown(value: object) -> str:
    """A value as a message quotes it: on one line, and not for pages."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer of more digits than Python prints
        return "a very long number"
    return text if len(text) <= 80 else f"{text[:77]}..."
