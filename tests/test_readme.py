"""The README's code runs and prints what the README shows."""

import re
from pathlib import Path

from docs.page_code import blocks, run

README = Path(__file__).parent.parent / "README.md"


def test_every_block_prints_what_is_shown(tmp_path: Path) -> None:
    for block, printed in run(README.read_text(encoding="utf-8"), "README.md", tmp_path):
        assert printed == block.shown, block.code


def test_the_readme_has_code_and_both_commands() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(blocks(text)) >= 6
    assert "scripts/run" in text
    assert "scripts/test" in text


def test_every_file_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []
