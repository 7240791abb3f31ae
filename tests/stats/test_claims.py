"""The ledger: effects, verdicts and reasons, from tables that exist."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from selfcell.claims import Claim, load
from selfcell.errors import DataError
from selfcell.figures import read_table
from selfcell.stats import equivalence, published, table
from selfcell.stats.claims import CLAIMS, UNTESTABLE, Ours, judged, ledger, said
from selfcell.stats.crossed import Estimate, Part
from selfcell.stats.paired import by_seed_and_draw
from tests.tree import REPO

RELEASED = REPO / "results" / "released" / "default"
LIST = load(REPO / "resources" / "claims.yaml")


@cache
def ours() -> Ours:
    scores = table.read(RELEASED / "scores.parquet")
    return Ours(
        pd.read_parquet(RELEASED / "contrasts.parquet"),
        scores[scores.metric == "macro_f1"].reset_index(drop=True),
        read_table(RELEASED / "figures" / "per_type.csv"),
    )


def made(own: Ours, claims: list[Claim] = LIST) -> pd.DataFrame:
    return ledger(claims, own, "default", REPO / published.FOLDER).set_index("claim", drop=False)


@cache
def default() -> pd.DataFrame:
    return made(ours())


def test_it_keeps_its_contract_on_the_released_study(tmp_path: Path) -> None:
    CLAIMS.write(default(), tmp_path / "a.parquet")
    back = CLAIMS.read(tmp_path / "a.parquet")
    assert back.claim.tolist() == [claim.id for claim in LIST]
    pd.testing.assert_frame_equal(
        back, default().reset_index(drop=True), check_dtype=False, check_names=False
    )
    with pytest.raises(DataError, match="claims row 0, column verdict: 'better'"):
        CLAIMS.write(default().assign(verdict="better"), tmp_path / "b.parquet")


def test_a_row_is_the_studys_own_contrast() -> None:
    row = default().loc["pbmc_gain"]
    own = ours().contrasts
    own = own[(own.target == "pbmc3k") & (own.corpus == "kang_ctrl")]
    (same,) = own[own.name == "MAE fine-tuned - scratch"].itertuples()
    assert (row.ours, row.ours_low, row.ours_high) == (same.difference, same.low, same.high)
    assert (row.n_seeds, row.n_draws, row.n_failed) == (3, 3, 0)
    assert row.verdict == said("up", same.verdict)


def test_a_reversed_contrast_changes_its_sign_and_ends() -> None:
    row = default().loc["masked_over_byol"]
    own = ours().contrasts
    (other,) = own[(own.target == "pbmc3k") & (own.name == "byol probe - MAE probe")].itertuples()
    assert (row.ours, row.ours_low, row.ours_high) == (
        -other.difference,
        -other.high,
        -other.low,
    )
    assert row.analogue == "MAE probe - byol probe"


def test_a_reversed_verdict_is_turned_too() -> None:
    worse = ours().contrasts.copy()
    worse.loc[worse.name == "byol probe - MAE probe", "verdict"] = "worse"
    row = made(Ours(worse, ours().scores, ours().types)).loc["masked_over_byol"]
    assert row.verdict == "agrees"


@pytest.mark.parametrize(
    ("direction", "word", "verdict"),
    [
        ("up", "better", "agrees"),
        ("up", "worse", "disagrees"),
        ("up", "equivalent", "equivalent"),
        ("up", "undecided", "undecided"),
        ("none", "better", "disagrees"),
        ("none", "worse", "disagrees"),
        ("none", "equivalent", "agrees"),
        ("none", "undecided", "undecided"),
        ("up", "not run", UNTESTABLE),
        ("none", "not run", UNTESTABLE),
    ],
)
def test_the_rule_of_the_verdicts(direction: str, word: str, verdict: str) -> None:
    assert said(direction, word) == verdict
    assert word in equivalence.VERDICTS


def test_margins_are_the_claims_own() -> None:
    small = Estimate(0.006, (Part("runs", 0.001**2, 8.0),), 5, 5)
    by_id = {claim.id: claim for claim in LIST}
    assert judged(by_id["pbmc_gain"], small) == "equivalent"
    assert judged(by_id["reconstruction_hlca"], small) == "agrees"
    assert judged(by_id["rare_types_pbmc"], Estimate(0.006, (Part("a", 1.0, 8.0),), 1, 5)) == (
        "undecided"
    )


def test_what_was_not_run_is_not_testable_and_says_why() -> None:
    nothing = Ours(ours().contrasts.iloc[:0], ours().scores, ours().types.iloc[:0])
    frame = made(nothing)
    assert (frame.verdict == UNTESTABLE).all() and (frame.note != "").all()
    assert frame.ours.isna().all()
    note = frame.loc["pbmc_gain"].note
    assert note == "this study did not run MAE fine-tuned - scratch on pbmc3k from kang_ctrl"
    assert default().loc["masked_over_byol_tuned"].note.startswith("this study did not run byol")
    assert default().loc["integration_gain"].note == "this study has no task integrate"
    assert frame.loc["rare_types_pbmc"].note.startswith("0 cell types of pbmc3k")
    # the published side does not depend on the study
    assert frame.again_verdict.tolist() == default().again_verdict.tolist()


def test_the_second_contrast_stands_in_for_the_first() -> None:
    blood = ours().contrasts.copy()
    own = (blood.target == "kang_stim") & (blood.corpus == "kang_ctrl")
    blood.loc[own, ["target", "corpus"]] = ["kang_a_to_b", "kang_a"]
    row = made(Ours(blood, ours().scores, ours().types)).loc["unseen_data_gain"]
    assert (row.target, row.corpus) == ("kang_a_to_b", "kang_a")


def test_runs_that_all_failed_are_not_testable() -> None:
    failed = ours().contrasts.copy()
    own = failed.name == "MAE fine-tuned - scratch"
    failed.loc[own, ["difference", "low", "high"]] = np.nan
    failed.loc[own, ["verdict", "n_failed", "note"]] = ["not run", 12, "no pair of runs is ok"]
    row = made(Ours(failed, ours().scores, ours().types)).loc["pbmc_gain"]
    assert (row.verdict, row.n_failed, row.note) == (UNTESTABLE, 12, "no pair of runs is ok")


def byol_tuned() -> pd.DataFrame:
    """Scores with a fine-tuned BYOL: the masked autoencoder's, .1 lower."""
    scores = ours().scores
    tuned = (scores.method == "random_mask") & (scores["mode"] == "fine-tuned")
    more = scores[tuned].assign(method="byol", run_hash="b")
    more = more.assign(value=more.value - 0.1)
    return pd.concat([scores, more], ignore_index=True)


def test_a_claim_by_scores_is_paired_and_counts_what_failed() -> None:
    scores = byol_tuned()
    row = made(Ours(ours().contrasts, scores, ours().types)).loc["masked_over_byol_tuned"]
    assert row.ours == pytest.approx(0.1) and row.verdict == "agrees"
    assert row.ours_low == pytest.approx(row.ours_high)
    assert (row.n_seeds, row.n_draws, row.n_failed) == (3, 3, 0)
    bad = (scores.method == "byol") & (scores.run_hash == "b") & (scores.seed == 2)
    scores.loc[bad, "status"] = "not_learned"
    row = made(Ours(ours().contrasts, scores, ours().types)).loc["masked_over_byol_tuned"]
    assert (row.n_seeds, row.n_draws, row.n_failed) == (2, 3, 4)
    scores.loc[scores.run_hash == "b", "status"] = "not_learned"
    row = made(Ours(ours().contrasts, scores, ours().types)).loc["masked_over_byol_tuned"]
    assert (row.verdict, row.note) == (UNTESTABLE, "no pair of runs is ok")


def test_an_arm_without_seeds_meets_every_seed() -> None:
    scores = byol_tuned()
    scores = scores[(scores.run_hash != "b") | (scores.seed == 0)]
    row = made(Ours(ours().contrasts, scores, ours().types)).loc["masked_over_byol_tuned"]
    assert row.n_seeds == 3


def test_a_selector_of_two_arms_is_refused() -> None:
    scores = byol_tuned()
    again = scores[scores.run_hash == "b"].assign(split="other")
    both = Ours(ours().contrasts, pd.concat([scores, again]), ours().types)
    with pytest.raises(DataError, match="scores.b fits several rows of one run"):
        made(both)


@pytest.mark.parametrize(
    ("target", "note"),
    [
        ("cite_1k", "no target cite_200; there are cite_1k"),
        ("cite_200", "no metric pearson_flat; there are mse"),
    ],
)
def test_a_task_with_other_targets_or_metrics_names_them(target: str, note: str) -> None:
    scores = ours().scores.head(3).assign(task="protein", target=target, metric="mse")
    both = Ours(ours().contrasts, pd.concat([ours().scores, scores]), ours().types)
    assert made(both).loc["protein_gain"].note == f"task protein of this study has {note}"


def test_the_first_target_that_a_study_has_is_the_analogue() -> None:
    scores = byol_tuned()
    own = (scores.target == "pbmc3k") & (scores.corpus.isin(["kang_ctrl", "none"]))
    tuned = scores[own & scores.method.isin(["random_mask", "scratch"]) & (scores.run_hash != "b")]
    tuned = tuned[tuned["mode"] == "fine-tuned"]
    tuned = tuned.assign(task="protein", metric="pearson_flat", target="pbmc10k_protein")
    row = made(Ours(ours().contrasts, pd.concat([scores, tuned]), ours().types)).loc["protein_gain"]
    assert row.target == "pbmc10k_protein" and row.differs.startswith("one experiment")
    assert row.n_seeds == 3 and math.isfinite(row.ours)


def test_regimes_weigh_the_same_and_one_draw_stands_for_all() -> None:
    rows = [("10", s, d, s + 10.0 * d) for s in range(2) for d in range(3)]
    rows += [("all", s, 0, 100.0 * s) for s in range(2)]
    frame = pd.DataFrame(rows, columns=["regime", "seed", "draw", "difference"])
    expected = [[(s + 10 * d + 100 * s) / 2 for d in range(3)] for s in range(2)]
    np.testing.assert_allclose(by_seed_and_draw(frame), expected)
    frame.loc[0, "difference"] = math.nan
    assert by_seed_and_draw(frame).shape == (2, 2)
    assert by_seed_and_draw(frame.assign(difference=math.nan)).size == 0


def test_a_correlation_keeps_its_scale() -> None:
    row = default().loc["rare_types_pbmc"]
    assert -1 <= row.ours_low < row.ours < row.ours_high <= 1
    assert row.again == pytest.approx(0.118, abs=5e-4) and row.again_verdict == "undecided"
