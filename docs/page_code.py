"""The Python code on the pages: found, run as a reader would type it, and its pictures handed to the site.

MkDocs loads this file as a hook; the tests import it to hold the pages to what their code prints.
"""

import contextlib
import io
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple


class Block(NamedTuple):
    """A block of Python, and what the page says that it prints: the text block right behind it."""

    code: str
    shown: str


def blocks(text: str) -> list[Block]:
    """Every block of Python on a page, in order."""
    return [Block(*found) for found in re.findall(r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?", text, re.DOTALL)]


def files(text: str) -> dict[str, str]:
    """Files that a page shows in full, by name: blocks with a title."""
    return dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', text, re.DOTALL))


def pictures(text: str) -> list[str]:
    """Pictures on a page, by the name its code gives them."""
    return re.findall(r"!\[[^]]*\]\(([^):]+\.png)\)", text)


def run(text: str, name: str, directory: Path) -> Iterator[tuple[Block, str]]:
    """Run a page in a directory, its blocks in one namespace.

    Args:
        text: The page.
        name: What errors call it.
        directory: Where its code runs; the files it shows are put there first.

    Yields:
        Each block with what it printed.
    """
    for file, content in files(text).items():
        (directory / file).write_text(content, encoding="utf-8")
    names: dict[str, Any] = {}
    with contextlib.chdir(directory):
        for block in blocks(text):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(block.code, name, "exec"), names)
            yield block, printed.getvalue()


def on_files(files: Any, *, config: Any) -> Any:
    """Hook of MkDocs: draw the pictures of every page."""
    from mkdocs.structure.files import File

    for page in files.documentation_pages():
        for picture, content in _drawn(page.content_string, page.src_uri).items():
            uri = posixpath.join(posixpath.dirname(page.src_uri), picture)
            files.append(File.generated(config, uri, content=content))
    return files


def _drawn(text: str, name: str) -> dict[str, bytes]:
    wanted = pictures(text)
    if not wanted:
        return {}
    with TemporaryDirectory() as directory:
        for _ in run(text, name, Path(directory)):
            pass
        return {picture: Path(directory, picture).read_bytes() for picture in wanted}
