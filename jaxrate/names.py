"""Names people type: the nearest known one, and the sentence that proposes it."""

import difflib
from collections.abc import Collection


def unknown(kind: str, name: object, known: Collection[str], where: str = "") -> str:
    """The message for a misspelt name: what it is, the nearest known name, and all of them if they are few."""
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    hint = f"; did you mean `{near[0]}`?" if near else "."
    listed = f" Known: {', '.join(f'`{k}`' for k in known)}." if 0 < len(known) <= 24 else ""
    return f"`{name}` is not a {kind}{f' of {where}' if where else ''}{hint}{listed}"
