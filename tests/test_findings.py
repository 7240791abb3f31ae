"""The ledger as Markdown."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from selfcell import findings
from selfcell.claims import load
from selfcell.stats.contrasts import CONTRASTS
from selfcell.stats.pretrain import VERDICTS
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


# What "In short" says of the default study: words of the page, table, row, and its verdict there.
SAID = [
    (
        "probe is below the best PCA probe for every",
        "contrasts", {"name": "MAE probe - best PCA probe"}, "worse",
    ),
    (
        "undecided against the same network from scratch on another",
        "contrasts", {"target": "pbmc3k", "name": "MAE fine-tuned - scratch"}, "undecided",
    ),
    (
        "makes no difference on a target's own pool (Baron)",
        "contrasts", {"target": "baron", "name": "MAE fine-tuned - scratch"}, "equivalent",
    ),
    (
        "is worse\n  under a shift of condition",
        "contrasts", {"target": "kang_stim", "name": "MAE fine-tuned - scratch"}, "worse",
    ),
    (
        "worse than masking their degree-preserving permutations on every",
        "contrasts", {"name": "programmes - permuted programmes"}, "worse",
    ),
    (
        "predicts those of 200 cells a little better than",
        "task_contrasts",
        {"target": "cite_200", "name": "best pre-trained - best simple baseline"}, "better",
    ),
    (
        "read out by ridge, it is not told from PCA",
        "task_contrasts", {"target": "cite_200", "name": "MAE ridge - pca ridge"}, "undecided",
    ),
    (
        "integrates PBMC3k with Kang better than\n  from scratch",
        "task_contrasts", {"target": "pbmc_studies", "name": "MAE fine-tuned - scratch"}, "better",
    ),
    (
        "not told from Harmony there",
        "task_contrasts", {"target": "pbmc_studies", "name": "MAE - harmony"}, "undecided",
    ),
    (
        "is worse than Harmony on Baron's donors",
        "task_contrasts", {"target": "baron_donors", "name": "MAE - harmony"}, "worse",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("words", "table", "where", "verdict"), SAID)
def test_what_is_said_in_short_stands_in_the_tables(
    words: str, table: str, where: dict[str, str], verdict: str
) -> None:
    page = (REPO / "docs" / "findings.md").read_text(encoding="utf-8")
    assert words in page.partition("## The paper's claims")[0]
    rows = CONTRASTS.read(REPO / f"results/released/default/{table}.parquet")
    rows = rows[rows.role != "control corpus"]
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert set(rows.verdict) == {verdict}, rows[["target", "corpus", "name", "verdict"]]


def test_the_answers_are_as_said() -> None:
    verdicts = VERDICTS.read(REPO / "results/released/default/verdicts.parquet")
    assert set(verdicts.answer) == {"no"}
