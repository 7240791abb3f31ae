"""Data flows one way, and a job loads only what it needs."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.tree import REPO, tracked

CORE = ("train", "masks", "views", "losses", "methods", "nets", "rng")
CORE_LIBRARIES = {"torch", "numpy", "selfcell"}
MODULES = tracked("src/*.py")
# Weights are written with safetensors, and progress shown with tqdm: both small, both everywhere.
ALSO = {
    "src/selfcell/train/checkpoint.py": {"safetensors"},
    "src/selfcell/train/loop.py": {"tqdm"},
}


def imported(source: str) -> set[str]:
    """Top-level names of everything a file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "." * node.level)
    return {name.split(".")[0] for name in names}


def foreign(path: Path) -> set[str]:
    """Third-party packages that a file imports."""
    return imported((REPO / path).read_text(encoding="utf-8")) - sys.stdlib_module_names


def core_modules() -> list[Path]:
    """Files of the packages that run where only torch and numpy are."""
    folder = Path("src/selfcell")
    return [path for path in MODULES if path.relative_to(folder).parts[0].split(".")[0] in CORE]


def test_the_core_is_found() -> None:
    found = {path.relative_to("src/selfcell").parts[0].split(".")[0] for path in core_modules()}
    assert found == set(CORE)


@pytest.mark.parametrize("path", core_modules(), ids=str)
def test_core_imports_torch_and_numpy_alone(path: Path) -> None:
    assert foreign(path) <= CORE_LIBRARIES | ALSO.get(str(path), set())


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_package_knows_nothing_of_the_workflow(path: Path) -> None:
    assert "snakemake" not in foreign(path)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_heavy_libraries_are_imported_where_used(path: Path) -> None:
    tree = ast.parse((REPO / path).read_text(encoding="utf-8"))
    top = ast.unparse(ast.Module([n for n in tree.body if not isinstance(n, ast.FunctionDef)], []))
    heavy = {"scanpy", "umap", "seaborn", "statsmodels"}
    if not path.is_relative_to("src/selfcell/figures"):
        assert not imported(top) & heavy, "import it in the function that uses it: seconds a job"


def test_imports_are_found_in_functions() -> None:
    source = "import a.b\ndef f():\n    from c.d import e\n"
    assert imported(source) == {"a", "c"}
