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
    for name in ("blood", "default", "other"):
        shutil.copytree(whole, tmp_path / "results/released" / name)
    (tmp_path / "results/released/other/claims.parquet").unlink()
    for text in findings.parts(tmp_path).values():
        assert re.findall(r"\*\*Study `(\w+)`", text) == ["default", "blood"]


# What "In short" says of a study: words of the page, table, row, and its verdict there.
DEFAULT = [
    (
        "probe is below the best PCA probe for every",
        "contrasts", {"name": "MAE probe - best PCA probe"}, "worse",
    ),
    (
        "better than the same network from scratch on another",
        "contrasts", {"target": "pbmc3k", "name": "MAE fine-tuned - scratch"}, "better",
    ),
    (
        "makes no difference on a target's own pool (Baron)",
        "contrasts", {"target": "baron", "name": "MAE fine-tuned - scratch"}, "equivalent",
    ),
    (
        "is\n  undecided under a shift of condition",
        "contrasts", {"target": "kang_stim", "name": "MAE fine-tuned - scratch"}, "undecided",
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
PROBE, TUNED = "MAE probe - best PCA probe", "MAE fine-tuned - scratch"
BEST, REAL = "best pre-trained - best simple baseline", "programmes - permuted programmes"
BLOOD = [
    *(
        ("stays below the best PCA probe on PBMC3k from Kang's cells", "contrasts", where, "worse")
        for where in (
            {"target": "pbmc3k", "corpus": "kang_ctrl", "name": PROBE},
            {"target": "pbmc3k", "corpus": "kang_all", "name": PROBE},
            {"target": "kang_a_to_b", "name": PROBE}, {"target": "kang_b_to_a", "name": PROBE},
            {"target": "baron", "name": PROBE},
        )
    ),
    (
        "(undecided there)",
        "contrasts", {"target": "pbmc3k", "corpus": "blood", "name": PROBE}, "undecided",
    ),
    ("of bone marrow it is undecided", "contrasts", {"target": "bmmc", "name": PROBE}, "undecided"),
    (
        "is undecided against scratch on PBMC3k and for one half",
        "contrasts", {"target": "pbmc3k", "name": TUNED}, "undecided",
    ),
    (
        "one half of Kang's donors",
        "contrasts", {"target": "kang_a_to_b", "name": TUNED}, "undecided",
    ),
    ("worse for the other half", "contrasts", {"target": "kang_b_to_a", "name": TUNED}, "worse"),
    (
        "makes no difference on Baron's own pool",
        "contrasts", {"target": "baron", "name": TUNED}, "equivalent",
    ),
    (
        "worse than their permutations on PBMC3k",
        "contrasts", {"target": "pbmc3k", "name": REAL}, "worse",
    ),
    ("on bone marrow and on the", "contrasts", {"target": "bmmc", "name": REAL}, "undecided"),
    ("pancreas that is\n  undecided", "contrasts", {"target": "baron", "name": REAL}, "undecided"),
    *(
        (
            "are equivalent on both data sets",
            "task_contrasts", {"target": target, "name": f"{name} fine-tuned - scratch"},
            "equivalent",
        )
        for target in ("pbmc10k_protein", "bmmc_protein")
        for name in ("MAE", "byol", "gene_programme")
    ),
    *(
        (
            words,
            "task_contrasts", {"target": target, "corpus": corpus, "name": BEST}, verdict,
        )
        for target in ("pbmc10k_protein", "bmmc_protein")
        for words, corpus, verdict in (
            ("does (from Kang control)", "kang_ctrl", "equivalent"),
            ("or worse (from", "kang_all", "worse"),
        )
    ),
    (
        "integrates Kang's donors",
        "task_contrasts", {"target": "kang_by_donor", "name": TUNED}, "better",
    ),
    (
        "better than from scratch",
        "task_contrasts", {"target": "pbmc_studies", "name": TUNED}, "better",
    ),
    (
        "Baron's donors are undecided",
        "task_contrasts", {"target": "baron_donors", "name": TUNED}, "undecided",
    ),
    (
        "with Kang as well as Harmony",
        "task_contrasts",
        {"target": "pbmc_studies", "corpus": "kang_ctrl", "name": "MAE - harmony"}, "equivalent",
    ),
    (
        "other two sets worse",
        "task_contrasts",
        {"target": "kang_by_donor", "corpus": "kang_ctrl", "name": "MAE - harmony"}, "worse",
    ),
    (
        "other two sets worse",
        "task_contrasts", {"target": "baron_donors", "name": "MAE - harmony"}, "worse",
    ),
    *(
        (
            "explains as much as the best simple way on PBMC3k and Kang",
            "task_contrasts", {"target": target, "name": BEST}, "equivalent",
        )
        for target in ("pbmc3k", "kang_a_to_b", "kang_b_to_a")
    ),
    ("less on the pancreas", "task_contrasts", {"target": "baron", "name": BEST}, "worse"),
    ("stay undecided", "task_contrasts", {"target": "kang_to_pbmc3k", "name": BEST}, "undecided"),
]  # fmt: skip
SAID = [("default", *row) for row in DEFAULT] + [("blood", *row) for row in BLOOD]


@pytest.mark.parametrize(("study", "words", "table", "where", "verdict"), SAID)
def test_what_is_said_in_short_stands_in_the_tables(
    study: str, words: str, table: str, where: dict[str, str], verdict: str
) -> None:
    page = (REPO / "docs" / "findings.md").read_text(encoding="utf-8")
    said = page.partition("## The paper's claims")[0].partition("(study `blood`)")
    assert words in said[2 * (study == "blood")]
    rows = CONTRASTS.read(REPO / f"results/released/{study}/{table}.parquet")
    rows = rows[~rows.role.isin(["control corpus", "part of a corpus"])]
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert set(rows.verdict) == {verdict}, rows[["target", "corpus", "name", "verdict"]]


@pytest.mark.parametrize(("study", "but"), [("default", set()), ("blood", {"bmmc"})])
def test_the_answers_are_as_said(study: str, but: set[str]) -> None:
    verdicts = VERDICTS.read(REPO / f"results/released/{study}/verdicts.parquet")
    assert set(verdicts.target[verdicts.answer != "no"]) == but
    assert set(verdicts.answer) <= {"no", "undecided"}
