"""The layout holds: imports point down, the statement needs no jax, `import jaxrate` leaves the process as it was."""

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "jaxrate"

LEVELS = {
    "constants": 0,
    "units": 0,
    "unit_text": 0,
    "text_table": 0,
    "names": 0,
    "expr": 0,
    "arrays": 0,
    "physics": 1,
    "model": 2,
    "network": 3,
    "solve": 4,
    "propagate": 5,
    "observe": 6,
    "amplifier_file": 6,
    "experiment": 7,
    "experiment_file": 8,
    "laser": 8,
    "sweep": 9,
    "plot": 9,
    "fit": 10,
    "cli": 11,
    "__init__": 12,
}
"""A file imports only from lower levels; the files of one package, and those of level 0, may import each other."""

STATEMENT = {"model"} | {name for name, level in LEVELS.items() if level == 0}
"""A model is built, checked and printed without jax."""

VAGUE = {"util", "utils", "helper", "helpers", "common", "base", "misc"}
JAX = {"jax", "jaxlib", "optax"}

FILES = sorted(PACKAGE.rglob("*.py"))


class Import(NamedTuple):
    """One imported name in full, and when it is imported: with the module, in a call, or by the type checker only."""

    name: str
    line: int
    when: str


class Imports(ast.NodeVisitor):
    """Collects the imports of a file, relative ones resolved against `package`."""

    def __init__(self, package: list[str]) -> None:
        self.package = package
        self.when = "module"
        self.found: list[Import] = []

    def visit_Import(self, node: ast.Import) -> None:
        self.found += [Import(alias.name, node.lineno, self.when) for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        above = self.package[: len(self.package) - node.level + 1] if node.level else []
        source = ".".join([*above, *([node.module] if node.module else [])])
        self.found += [Import(f"{source}.{alias.name}", node.lineno, self.when) for alias in node.names]

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        self.inside(node, "call")

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef

    def visit_If(self, node: ast.If) -> None:
        typing_only = ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        self.inside(node, "typing" if typing_only else self.when)

    def inside(self, node: ast.AST, when: str) -> None:
        before, self.when = self.when, when
        self.generic_visit(node)
        self.when = before


def module(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def place(name: str) -> str:
    """Entry of `LEVELS` that a module, or a name imported from it, belongs to; public names belong to `__init__`."""
    first = [*name.split("."), "__init__"][1]
    return first if first in LEVELS else "__init__"


def imports(file: Path) -> list[Import]:
    package = list(file.relative_to(ROOT).parent.parts)
    collector = Imports(package)
    collector.visit(ast.parse(file.read_text(encoding="utf-8")))
    return collector.found


MODULES = {module(file): file for file in FILES}


def inner(file: Path) -> list[Import]:
    """Imports from the package itself."""
    return [found for found in imports(file) if found.name.split(".")[0] == PACKAGE.name]


def defining(name: str) -> str:
    """Module that an imported name comes from: `jaxrate.units` for `jaxrate.units.to_si`."""
    return max((m for m in MODULES if f"{name}.".startswith(f"{m}.")), key=len, default=PACKAGE.name)


def points_down(source: str, target: str) -> bool:
    source, target = place(source), place(target)
    side_by_side = source == target or LEVELS[source] == LEVELS[target] == 0
    return side_by_side or LEVELS[target] < LEVELS[source]


def relative(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


each_file = pytest.mark.parametrize("file", FILES, ids=relative)


@each_file
def test_every_file_has_a_level(file: Path):
    first = file.relative_to(PACKAGE).with_suffix("").parts[0]
    assert first in LEVELS, f"{relative(file)} has no place in LEVELS: which level does it belong to?"


@each_file
def test_imports_point_down(file: Path):
    upward = [f"line {found.line}: {found.name}" for found in inner(file) if not points_down(module(file), found.name)]
    assert not upward, f"{relative(file)} (level {LEVELS[place(module(file))]}) imports from its own level or above"


def test_no_import_cycle():
    needs = {name: {defining(i.name) for i in inner(file) if i.when == "module"} for name, file in MODULES.items()}
    graph = {name: targets - {name} for name, targets in needs.items()}
    graphlib.TopologicalSorter(graph).prepare()


@each_file
def test_the_statement_imports_no_jax(file: Path):
    where = place(module(file))
    found = [i for i in imports(file) if i.name.split(".")[0] in JAX and (where == "model" or i.when == "module")]
    assert where not in STATEMENT or not found


def run_python(code: str, *args: str) -> None:
    done = subprocess.run([sys.executable, "-c", code, *args], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_statement_loads_without_jax():
    """Nor does what it imports in turn need jax; an empty `jaxrate` stands in for the public names, which do."""
    code = """
import importlib, sys, types
package = sys.modules["jaxrate"] = types.ModuleType("jaxrate")
package.__path__ = [sys.argv[1]]
for name in sys.argv[2:]:
    importlib.import_module(name)
loaded = {"jax", "jaxlib"} & sys.modules.keys()
assert not loaded, loaded
"""
    names = [name for name in MODULES if place(name) in STATEMENT]
    assert names
    run_python(code, str(PACKAGE), *names)


def test_import_changes_no_setting():
    code = """
import os
import jax, pint
flags, environment = dict(jax.config.values), dict(os.environ)
registry = pint.application_registry.get()
kind = type(registry)  # pint's registry changes its class when somebody first uses it
import jaxrate
changed = {name: value for name, value in jax.config.values.items() if flags.get(name) != value}
assert not changed, changed
assert dict(os.environ) == environment
assert pint.application_registry.get() is registry and type(registry) is kind
"""
    run_python(code)


def test_public_names_are_listed_and_nothing_else():
    """`from ... import X as X` for every name; besides that a docstring and `__version__`."""
    docstring, *body = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8")).body
    assert isinstance(docstring, ast.Expr)
    assert isinstance(docstring.value, ast.Constant)
    for statement in body:
        if isinstance(statement, ast.ImportFrom):
            assert all(alias.asname == alias.name for alias in statement.names), ast.unparse(statement)
        else:
            assert ast.unparse(statement).startswith("__version__ = "), f"line {statement.lineno}"


@each_file
def test_names_say_what_is_inside(file: Path):
    parts = {part.strip("_") for part in file.relative_to(ROOT).with_suffix("").parts}
    assert not parts & VAGUE


@each_file
def test_only_the_command_line_prints(file: Path):
    if place(module(file)) == "cli":
        return
    calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    printing = [node.lineno for node in calls if isinstance(node.func, ast.Name) and node.func.id == "print"]
    assert not printing, f"print() on lines {printing}"


def texts() -> Iterator[Path]:
    """Every source, script and document of the repository."""
    kinds = {".py", ".toml", ".md", ".cff", ".yaml", ".sh", ""}
    inside = [f for name in ("jaxrate", "tests", "benchmarks", "scripts", ".ci") for f in (ROOT / name).rglob("*")]
    yield from (f for f in [*ROOT.iterdir(), *inside] if f.is_file() and f.suffix in kinds)


def test_no_path_of_one_machine():
    absolute = re.compile(r"(?<![\w.~}])/(?:home|root|Users|work|tmp|opt|mnt|var)/\w|\b[A-Z]:\\\\?\w")
    found = [
        f"{relative(file)}: {match[0]}" for file in texts() for match in absolute.finditer(file.read_text("utf-8"))
    ]
    assert not found
