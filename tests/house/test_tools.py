"""Linter, formatters and type checker find nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.tree import REPO

CHECKS = {
    "ruff": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "snakefmt": ["snakefmt", "--check", "Snakefile", "workflow"],
    "mypy": ["mypy"],
    "snakemake --lint": ["snakemake", "--lint"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_finds_nothing(name: str) -> None:
    command = [sys.executable, "-m", *CHECKS[name]]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
