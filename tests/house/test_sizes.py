"""Code is read in one sitting: bounds on files and functions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.tree import REPO, tracked

BOUNDS = {
    "src": 300,
    "workflow/scripts": 60,
    "workflow/rules": 200,
    "tests": 300,
    "benchmarks": 300,
}
SOURCES = [path for path in tracked("*.py", "*.smk") if path.suffix in (".py", ".smk")]
FUNCTION_LINES = 60


def bound(path: Path) -> int | None:
    """Most lines the file may have, None where no bound is stated."""
    return next((n for folder, n in BOUNDS.items() if path.is_relative_to(folder)), None)


def long_functions(source: str) -> list[str]:
    """Functions of a file over the bound, with their lengths."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in found}
    return [f"{name}: {n} lines" for name, n in lengths.items() if n > FUNCTION_LINES]


def test_there_are_sources() -> None:
    assert {path.parts[0] for path in SOURCES} >= {"src", "workflow", "tests"}


@pytest.mark.parametrize("path", [path for path in SOURCES if bound(path)], ids=str)
def test_file_is_short(path: Path) -> None:
    lines = len((REPO / path).read_text(encoding="utf-8").splitlines())
    assert lines <= (bound(path) or 0), f"{path} has {lines} lines: split it by meaning"


@pytest.mark.parametrize("path", [path for path in SOURCES if path.suffix == ".py"], ids=str)
def test_functions_are_short(path: Path) -> None:
    found = long_functions((REPO / path).read_text(encoding="utf-8"))
    assert found == []


def test_snakefile_is_short() -> None:
    assert len((REPO / "Snakefile").read_text(encoding="utf-8").splitlines()) <= 60


def test_median_function_is_far_below_the_bound() -> None:
    lengths = sorted(
        (node.end_lineno or 0) - node.lineno + 1
        for path in tracked("src/*.py")
        for node in ast.walk(ast.parse((REPO / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    )
    assert lengths[len(lengths) // 2] <= 20


def test_a_long_function_is_found() -> None:
    body = "    x = 1\n" * FUNCTION_LINES
    assert long_functions(f"def f():\n{body}") == [f"f: {FUNCTION_LINES + 1} lines"]
    assert not long_functions(f"def f():\n{body[:-10]}")
