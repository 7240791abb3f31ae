"""A skip is a message on a machine that lacks something, and a failure where nothing may lack."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.tree import REPO

CASES = """
import pytest

@pytest.mark.browser
def test_browser():
    pass

@pytest.mark.slurm
def test_slurm():
    pass

def test_skips():
    pytest.skip("no device here")

@pytest.mark.xfail(strict=True)
def test_known_failure():
    assert False

def test_passes():
    pass
"""


def outcome(folder: Path, strict: str, programmes: str = "") -> str:
    """Output of pytest on CASES, with only the named programmes on the PATH."""
    (folder / "tests").mkdir()
    for name in ("conftest.py", "tree.py"):
        shutil.copy(REPO / "tests" / name, folder / "tests")
    shutil.copy(REPO / "pyproject.toml", folder)
    (folder / "tests" / "test_cases.py").write_text(CASES)
    (folder / "tests" / "test_module.py").write_text(
        "import pytest\npytest.importorskip('nosuch')\n"
    )
    (folder / "bin").mkdir()
    for name in programmes.split():
        (folder / "bin" / name).write_text("#!/bin/sh\n")
        (folder / "bin" / name).chmod(0o755)
    environment = {**os.environ, "SELFCELL_STRICT": strict, "PATH": str(folder / "bin")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += ["--continue-on-collection-errors"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout


def test_a_skip_says_what_to_install(tmp_path: Path) -> None:
    out = outcome(tmp_path, strict="0")
    assert "chromium, chromedriver not found: install Debian packages chromium" in out
    assert "1 passed, 4 skipped, 1 xfailed" in out.splitlines()[-1]


def test_what_is_there_is_not_skipped(tmp_path: Path) -> None:
    out = outcome(tmp_path, strict="0", programmes="chromium chromedriver slurmctld slurmd munged")
    assert "3 passed, 2 skipped, 1 xfailed" in out.splitlines()[-1]


def test_strict_turns_each_skip_into_a_failure(tmp_path: Path) -> None:
    out = outcome(tmp_path, strict="1")
    for reason in ("chromium, chromedriver not found", "slurmctld", "no device here", "nosuch"):
        assert reason in out
    assert "1 failed, 1 passed, 1 xfailed, 3 errors" in out.splitlines()[-1]
    assert out.count("a skip fails under SELFCELL_STRICT=1") >= 4
