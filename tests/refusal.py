"""How tests hold a refusal: it is a ValueError, and its message has the words that help."""

from collections.abc import Callable
from typing import Any

import pytest


def refused(state: Callable[[], Any], *words: str) -> None:
    """Assert that a statement is refused with a message that contains each of the words."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words below are narrower than a pattern
        state()
    message = str(caught.value)
    missing = [word for word in words if word not in message]
    assert not missing, f"{missing} not in: {message}"
