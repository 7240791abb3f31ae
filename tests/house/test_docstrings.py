"""Everything public says what it is; losses, masks, methods and metrics say where from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tree import REPO, tracked

MODULES = tracked("src/*.py", "workflow/scripts/*.py")
SOURCED = ("losses", "masks", "methods")
# What several methods or masks are made of, tables, and readers of gene sets: out of no paper.
SHARED = {
    "base.py",
    "params.py",
    "masked.py",
    "siamese.py",
    "published.py",
    "gmt.py",
    "tf_names.py",
}
KINDS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, Documented]]:
    """Public functions, classes and methods, with dotted names; not those inside functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, KINDS) and not node.name.startswith("_"):
            yield f"{inside}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{node.name}.")


def undocumented(source: str) -> list[str]:
    """Public names of a file without a docstring, the module itself as `module`."""
    tree = ast.parse(source)
    names = [] if ast.get_docstring(tree) or not tree.body else ["module"]
    return names + [name for name, node in public(tree) if not ast.get_docstring(node)]


def test_there_are_modules() -> None:
    assert len(MODULES) > 20


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_public_names_are_documented(path: Path) -> None:
    names = undocumented((REPO / path).read_text(encoding="utf-8"))
    if path.is_relative_to("workflow"):
        names = [name for name in names if name != "main"]  # the module says what it does
    assert names == []


def sourced() -> list[Path]:
    """Modules that implement something out of a paper."""
    folders = [f"src/selfcell/{name}/*.py" for name in SOURCED]
    return [path for path in tracked(*folders) if path.name not in SHARED | {"__init__.py"}]


@pytest.mark.parametrize("path", sourced(), ids=str)
def test_module_names_its_source(path: Path) -> None:
    text = (REPO / path).read_text(encoding="utf-8")
    missing = [words for words in ("Source:", "Differs from the paper:") if words not in text]
    assert missing == [], "say which paper and equation, and how it differs, or `nothing`"


def unsourced(source: str) -> list[str]:
    """Public functions and methods of a file that compute and do not say where from: those
    annotated to return numbers."""
    return [
        name
        for name, node in public(ast.parse(source))
        if not isinstance(node, ast.ClassDef)
        and node.returns is not None
        and ast.unparse(node.returns) in ("float", "np.ndarray", "dict[str, float]")
        and not any(ast.unparse(mark).endswith("property") for mark in node.decorator_list)
        and "Source:" not in (ast.get_docstring(node) or "")
    ]


@pytest.mark.parametrize("path", tracked("src/selfcell/metrics/*.py"), ids=str)
def test_every_metric_names_its_source(path: Path) -> None:
    assert unsourced((REPO / path).read_text(encoding="utf-8")) == []


def test_metrics_without_a_source_are_found() -> None:
    source = "def a(x) -> float:\n    'A.'\ndef b(x) -> str: ...\n"
    source += "def c(x) -> np.ndarray:\n    'Source: here.'\n"
    assert unsourced(source) == ["a"]


def test_missing_docstrings_are_found() -> None:
    methods = "    def b(self): ...\n    def _c(self): ...\n"
    source = f'"""M."""\nclass A:\n    """A."""\n{methods}def d(): ...\n'
    assert undocumented(source) == ["A.b", "d"]
    assert undocumented("x = 1\n") == ["module"]
    assert undocumented("") == []
