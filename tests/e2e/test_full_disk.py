"""A disk that takes no more: what is said, what is left, and what to type."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

import pytest

from tests.e2e.project import Project

pytestmark = pytest.mark.slow

CELLS = "results/smoke/data/baron/cells.h5ad"
LIMIT = 1_500_000  # bytes of a file; less than the cells take, more than any log


def test_it_is_said_and_nothing_half_written_is_taken_for_a_result(
    smoke: Project, tmp_path: Path
) -> None:
    project = Project(tmp_path / "project")
    shutil.copytree(smoke.root, project.root)
    wanted = (project.root / CELLS).read_bytes()
    assert len(wanted) > LIMIT
    (project.root / CELLS).unlink()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    try:
        said = project.run("--", CELLS, fails=True).stdout
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "error: File too large: while writing; remedy: raise the limit on file sizes" in said
    left = [path.name for path in (project.root / CELLS).parent.iterdir()]
    assert "cells.h5ad" not in left and not any(name.startswith(".") for name in left)
    project.run("--", CELLS)
    assert (project.root / CELLS).read_bytes() == wanted
