"""The tutorial, run as it stands, block by block, in an empty folder."""

from __future__ import annotations

import re
from pathlib import Path

import anndata
import pytest

from tests.e2e.installed import Installed
from tests.tree import REPO

BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```(.+)$", re.MULTILINE)
PAGE = (REPO / "docs/tutorial.md").read_text(encoding="utf-8")


def test_the_page_shows_each_step() -> None:
    code = "\n".join(block for _, block in BLOCK.findall(PAGE))
    for word in ("example", "doctor", "pretrain", "card", "embed", "annotate", "compare"):
        assert f"selfcell {word} " in code
    assert set(FENCE.findall(PAGE)) == {"bash", "python"}, "what else is shown is not run"


@pytest.mark.slow
def test_the_tutorial_runs_from_the_wheel(installed: Installed, tmp_path: Path) -> None:
    said = ""
    for language, code in BLOCK.findall(PAGE):
        words = ["bash", "-euo", "pipefail"] if language == "bash" else ["python", "-"]
        said += installed.run(tmp_path, *words, stdin=code).stdout
    assert "selfcell_label" in anndata.read_h5ad(tmp_path / "named.h5ad").obs
    assert "X_selfcell" in anndata.read_h5ad(tmp_path / "embedded.h5ad").obsm
    accuracy, macro = (
        float(found) for found in re.findall(r"(?:accuracy|macro-F1) ([01]\.\d+)", said)
    )
    assert accuracy > 0.85 and 0.4 < macro < accuracy, "as the page says"
    assert "counts_kept" in said and "not run: " in said
