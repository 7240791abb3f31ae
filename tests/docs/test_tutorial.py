"""The tutorial, run as it stands, block by block, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import anndata
import pytest

from tests.tree import REPO

BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGE = (REPO / "docs/tutorial.md").read_text(encoding="utf-8")


def test_the_page_shows_each_step() -> None:
    code = "\n".join(block for _, block in BLOCK.findall(PAGE))
    for word in ("example", "doctor", "pretrain", "card", "embed", "annotate"):
        assert f"selfcell {word} " in code


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    command = commands / "selfcell"  # of this environment, whether it is on the PATH or not
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m selfcell "$@"\n')
    command.chmod(0o755)
    folder = tmp_path / "empty"
    folder.mkdir()
    environment = {**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
    said = ""
    for language, code in BLOCK.findall(PAGE):
        words = ["bash", "-euo", "pipefail"] if language == "bash" else [sys.executable, "-"]
        done = subprocess.run(
            words,
            input=code,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
        said += done.stdout
    assert "selfcell_label" in anndata.read_h5ad(folder / "named.h5ad").obs
    assert "X_selfcell" in anndata.read_h5ad(folder / "embedded.h5ad").obsm
    accuracy, macro = (
        float(found) for found in re.findall(r"(?:accuracy|macro-F1) ([01]\.\d+)", said)
    )
    assert accuracy > 0.85 and 0.4 < macro < accuracy, "as the page says"
    assert "counts_kept" in said
