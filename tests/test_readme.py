"""The README's code runs and prints what the README shows."""

import contextlib
import io
import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def blocks(text: str) -> list[tuple[str, str]]:
    """(code, what it prints) of every Python block; the output is the text block that follows it."""
    found = re.findall(r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?", text, re.DOTALL)
    return [(code, output) for code, output in found]


def test_every_block_prints_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code, shown in blocks(README.read_text(encoding="utf-8")):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "README.md", "exec"), names)
        assert printed.getvalue() == shown, code


def test_the_readme_has_code_and_both_commands() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(blocks(text)) >= 6
    assert "scripts/run" in text
    assert "scripts/test" in text


def test_every_file_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []
