"""The code of the pages and of the docstrings runs and prints what they show; the reference has every public name.

Commands of a shell are code too.
"""

import contextlib
import doctest
import importlib
import inspect
import io
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest
from matplotlib import pyplot

import jaxrate as jr
from docs.page_code import blocks, pictures, run
from tests.console import with_commands

DOCS = Path(__file__).parent.parent / "docs"
PACKAGE = Path(jr.__file__).parent
PAGES = sorted((DOCS / "pages").rglob("*.md"))


def name(page: Path) -> str:
    return page.relative_to(DOCS / "pages").as_posix()


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def samplers(text: str) -> list[str]:
    """Packages that a page shows and that jaxrate does not need."""
    return [package for package in ["numpyro"] if re.search(rf"^import {package}$", text, re.MULTILINE)]


LONG = {"amplifiers.md", "concentrations.md", "differentiate.md", "evolve.md", "fit.md", "lasers.md", "mccumber.md"}
LONG |= {"nuts.md", "separate.md", "solve.md", "sweep.md"}
"""Pages whose fits, samplers and compiled programs take half a minute or more."""


def shown(page: Path) -> Any:
    return pytest.param(page, id=name(page), marks=[pytest.mark.long] if page.name in LONG else [])


@pytest.mark.parametrize("page", [shown(page) for page in PAGES if blocks(text(page))])
def test_every_block_prints_what_is_shown_and_every_picture_is_drawn(page: Path, tmp_path: Path) -> None:
    for package in samplers(text(page)):
        pytest.importorskip(package, reason=f"{package}, which this page shows, is not installed")
    before = jax.config.values["jax_enable_x64"]
    try:
        for block, printed in run(with_commands(text(page)), name(page), tmp_path):
            assert printed == block.shown, block.code
    finally:
        jax.config.update("jax_enable_x64", before)  # which commands set
    assert [picture for picture in pictures(text(page)) if not (tmp_path / picture).exists()] == []


@pytest.mark.parametrize("folder", ["guide", "examples"])
def test_every_page_that_teaches_has_code(folder: str) -> None:
    pages = [page for page in PAGES if page.parent.name == folder]
    assert pages
    assert [name(page) for page in pages if not blocks(text(page))] == []


def test_the_site_leads_to_every_page_and_to_no_other() -> None:
    nav = (DOCS / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"[\w/-]+\.md$", nav, re.MULTILINE)) == sorted(name(page) for page in PAGES)


def entries() -> list[str]:
    """What the reference shows, by full names."""
    return [entry for page in PAGES for entry in re.findall(r"^::: ([\w.]+)$", text(page), re.MULTILINE)]


def test_the_reference_has_every_public_name_once() -> None:
    public = re.findall(r"^from [\w.]+ import \w+ as (\w+)$", inspect.getsource(jr), re.MULTILINE)
    shown = [entry.rpartition(".")[2] for entry in entries()]
    assert len(public) > 40
    assert {wanted: shown.count(wanted) for wanted in public if shown.count(wanted) != 1} == {}


def test_no_entry_is_taken_for_a_module_of_its_name() -> None:
    """`jaxrate.sweep` is a function to Python, but a folder to what renders the reference: its entry says more."""
    modules = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])}
    short = {entry.rpartition(".")[2] for entry in entries() if entry.count(".") == 1}
    assert [entry for entry in short & modules if not isinstance(getattr(jr, entry, None), ModuleType | None)] == []


def examples() -> Iterator[doctest.DocTest]:
    """Examples in docstrings."""
    for module in pkgutil.walk_packages([str(PACKAGE)], "jaxrate."):
        for found in doctest.DocTestFinder().find(importlib.import_module(module.name)):
            if found.examples:
                yield found


@pytest.mark.long
def test_every_example_of_a_docstring_runs() -> None:
    nd = jr.media("nd-yag")
    bench = jr.Experiment(nd, jr.Steady(), {"gain": jr.Gain("laser")})
    for example in examples():
        names = {**example.globs, "np": np, "jr": jr, "nd": nd, "bench": bench}
        for line in example.examples:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(line.source, example.name, "single"), names)
            assert line.want in ("", printed.getvalue()), example.name
    pyplot.close("all")
