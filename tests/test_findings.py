"""The ledger as Markdown."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from selfcell import findings
from selfcell.claims import load
from tests.released import finished
from tests.tree import REPO


def test_one_row_a_claim_with_every_effect(tmp_path: Path) -> None:
    _, _, results = finished(tmp_path)
    text = findings.claims(results)
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    listed = load(REPO / "resources" / "claims.yaml")
    assert len(lines) == 2 + len(listed)
    (pbmc,) = [line for line in lines if "SARS-CoV-2" in line and "annotation" in line]
    cells = [cell.strip() for cell in pbmc.strip("|").split("|")]
    assert cells[2:4] == ["+0.0453 (n = 5, 4)", "+0.0433 [+0.0329, +0.0536]"]
    assert cells[4].startswith("PBMC3k: ") and cells[5].endswith("(agrees)")
    (same,) = [line for line in lines if "corpus itself" in line]
    assert "−0.0051 [−0.0081, −0.0021]" in same
    assert all(not_ascii not in text for not_ascii in (" -0.", "[-0.", "nan"))
    assert "(2 collapsed)" in text and "−4.2e6" in text


def test_without_a_ledger_it_says_so(tmp_path: Path) -> None:
    assert findings.parts(tmp_path) == {"claims": findings.NONE, "scores": findings.NONE}


def test_every_released_study_with_a_ledger_is_named(tmp_path: Path) -> None:
    whole = REPO / "results/released/default"
    for name in ("blood", "default", "deviations"):
        shutil.copytree(whole, tmp_path / "results/released" / name)
    (tmp_path / "results/released/deviations/claims.parquet").unlink()
    for text in findings.parts(tmp_path).values():
        assert re.findall(r"\*\*Study `(\w+)`", text) == ["default", "blood"]
