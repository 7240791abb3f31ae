"""From tables to contrasts: pairing, failures, picking, verdicts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import score_factory as factory

from selfcell.errors import ConfigError, DataError
from selfcell.stats.arms import Arm, Bench, build, mean_of, one
from selfcell.stats.contrasts import CONTRASTS, Spec, contrast_table
from selfcell.stats.crossed import Estimate, Part, crossed
from selfcell.stats.paired import complete, estimate, pair, pick
from selfcell.stats.pretrain import VERDICTS, answer, verdict_table
from selfcell.stats.table import overall

FAST = Spec(resamples=60)
PRETEXTS = (
    "random_mask",
    "gene_programme",
    "gene_programme_permuted_1",
    "gene_programme_permuted_2",
    "random_mask_matched",
)
MAE = Arm("random_mask", "kang_ctrl", "frozen", "probe", "pretrained")
MATCHED = ("random_mask_matched", "kang_ctrl", "frozen", "probe", "pretrained")
TUNED = Arm("random_mask", "kang_ctrl", "fine-tuned", "head", "pretrained")
SCRATCH = Arm("scratch", "none", "fine-tuned", "head", "random")
PCA = Arm("pca", "kang_ctrl", "baseline", "probe", "none")
POOL = Arm("pca", "own_pool", "baseline", "probe", "none")


@pytest.fixture(scope="module")
def made() -> factory.Made:
    return factory.study(pretexts=PRETEXTS, draws=4, scale=0.15)


def bench(made: factory.Made, scores: pd.DataFrame | None = None) -> Bench:
    rows = overall(made.scores if scores is None else scores, "macro_f1")
    return build(rows, made.predictions, made.truths["pbmc3k"], 60, 0)


def cell(scores: pd.DataFrame, arm: Arm, regime: str, seed: int, draw: int) -> float:
    rows = scores[
        (scores.method == arm.method) & (scores.corpus == arm.corpus) & (scores["mode"] == arm.mode)
        & (scores.readout == arm.readout) & (scores.regime == regime) & (scores.seed == seed)
        & (scores.draw == draw) & (scores.level == "overall")
    ]  # fmt: skip
    return float(rows.value.item())


def test_a_seedless_arm_stands_for_every_seed(made: factory.Made) -> None:
    paired = pair(bench(made), one(MAE), one(PCA))
    assert paired is not None and paired.regimes == ("3", "10", "30")
    expected = [
        [
            np.mean(
                [
                    cell(made.scores, MAE, r, seed, draw) - cell(made.scores, PCA, r, 0, draw)
                    for r in ("3", "10", "30")
                ]
            )
            for draw in range(4)
        ]
        for seed in range(3)
    ]
    np.testing.assert_allclose(paired.difference_SD, expected)


def test_one_draw_stands_for_all_at_the_full_pool(made: factory.Made) -> None:
    paired = pair(bench(made), one(TUNED), one(SCRATCH))
    assert paired is not None
    assert (paired.regimes, paired.single) == (("10", "all"), ("all",))
    assert paired.difference_SD.shape == (3, 3)
    few = cell(made.scores, TUNED, "10", 1, 2) - cell(made.scores, SCRATCH, "10", 1, 2)
    full = cell(made.scores, TUNED, "all", 1, 0) - cell(made.scores, SCRATCH, "all", 1, 0)
    assert paired.difference_SD[1, 2] == pytest.approx((few + full) / 2)


def test_weights_reproduce_the_difference_and_its_resamples(made: factory.Made) -> None:
    own = bench(made)
    sides = [(one(MAE), one(PCA)), (one(TUNED), one(SCRATCH))]
    for a, b in [*sides, (one(MAE), mean_of("m", [PCA, POOL]))]:
        paired = pair(own, a, b)
        assert paired is not None
        total = sum(weight * own.value[run] for run, weight in paired.weight.items())
        assert total == pytest.approx(paired.difference_SD.mean())
        assert sum(paired.weight.values()) == pytest.approx(0, abs=1e-12)
        result = estimate(own, paired)
        cells = result.parts[-1]
        resampled = sum(w * own.resampled(run) for run, w in paired.weight.items())
        assert cells.name == "cells" and cells.variance == pytest.approx(np.var(resampled, ddof=1))
        assert result.variance == pytest.approx(
            crossed(paired.difference_SD).variance + cells.variance
        )


def test_an_arm_against_itself_is_nothing(made: factory.Made) -> None:
    own = bench(made)
    paired = pair(own, one(MAE), one(MAE))
    assert paired is not None
    result = estimate(own, paired)
    assert result.mean == 0 and result.variance == pytest.approx(0)


def test_failed_runs_are_left_out_and_counted(made: factory.Made) -> None:
    scores = made.scores.copy()
    bad = (scores.method == "random_mask") & (scores["mode"] == "frozen") & (scores.seed == 1)
    bad &= scores.corpus == "kang_ctrl"
    scores.loc[bad & (scores.regime == "3"), ["status", "value"]] = ["diverged", np.nan]
    scores.loc[bad & (scores.regime == "10"), "status"] = "not_learned"
    frame = contrast_table(scores, made.predictions, made.truths, FAST)
    row = frame[(frame.name == "MAE probe - best PCA probe")].iloc[0]
    assert (row.n_seeds, row.n_draws, row.n_failed) == (2, 4, 8)
    assert "left out: 4 diverged, 4 not_learned" in row.note
    everything = scores.copy()
    every = (everything.method == "random_mask") & (everything["mode"] == "frozen")
    everything.loc[every, "status"] = "not_learned"
    frame = contrast_table(everything, made.predictions, made.truths, FAST)
    row = frame[(frame.name == "MAE probe - best PCA probe") & (frame.family == "primary")].iloc[0]
    assert row.verdict == "not run" and np.isnan(row.difference) and row.n_failed == 36


def test_complete_drops_the_worst_line() -> None:
    value = np.ones((3, 4))
    value[1, :3] = np.nan
    assert complete(value) == ([0, 2], [0, 1, 2, 3])
    value = np.ones((3, 10))
    value[:, 4] = np.nan
    assert complete(value) == ([0, 1, 2], [0, 1, 2, 3, 5, 6, 7, 8, 9])
    assert complete(np.full((2, 2), np.nan)) == ([], [])


def test_picking_looks_at_the_other_draws_only(made: factory.Made) -> None:
    scores = made.scores.copy()
    for arm, parity in ((PCA, 0), (POOL, 1)):
        rows = (scores.method == "pca") & (scores.corpus == arm.corpus)
        rows &= (scores.readout == "probe") & (scores.draw % 2 == parity)
        scores.loc[rows & (scores.level == "overall"), "value"] = 0.99
    own = bench(made)
    for row in overall(scores, "macro_f1").itertuples():
        arm = Arm(row.method, row.corpus, row.mode, row.readout, row.init)
        own.value[(arm, row.regime, row.seed, row.draw)] = row.value
    side = pick(own, "best", [PCA, POOL], ["3", "10"])
    # PCA is best at even draws, so it is taken at odd ones: the pick never sees its own draws.
    assert (side.even, side.odd) == ((POOL,), (PCA,))


def test_table_of_a_study(made: factory.Made, tmp_path: Path) -> None:
    frame = contrast_table(made.scores, made.predictions, made.truths, FAST)
    CONTRASTS.write(frame, tmp_path / "c.parquet")
    primary = frame[frame.family == "primary"]
    assert set(primary.name) == {
        "MAE fine-tuned - scratch",
        "MAE probe - best PCA probe",
        "programmes - permuted programmes",
    }
    assert (primary.corpus == "kang_ctrl").all()
    assert (primary.p_adjusted >= primary.p).all()
    assert primary.var_controls.notna().sum() == 1
    secondary = frame[(frame.family == "secondary") & (frame.corpus == "kang_ctrl")]
    matched = secondary[secondary.name == "programmes - matched random mask"]
    assert matched.arm_a.tolist() == ["gene_programme/kang_ctrl/frozen/probe"]
    assert matched.arm_b.tolist() == ["random_mask_matched/kang_ctrl/frozen/probe"]
    own = {"a": Arm("gene_programme", *MATCHED[1:]), "b": Arm(*MATCHED)}
    means = {side: [cell(made.scores, arm, regime, seed, draw) for regime in ("3", "10", "30")
                    for seed in range(3) for draw in range(4)]
             for side, arm in own.items()}  # fmt: skip
    assert matched.difference.item() == pytest.approx(np.mean(means["a"]) - np.mean(means["b"]))
    order = secondary.p.rank(method="first")  # Benjamini-Hochberg over the whole family
    adjusted = [(secondary.p * len(secondary) / order)[order >= k].min() for k in order]
    np.testing.assert_allclose(secondary.p_adjusted, np.minimum(adjusted, 1.0))
    assert frame.note.str.contains("conditional on one donor").all()
    assert frame[frame.name == "MAE fine-tuned - scratch at all"].n_draws.item() == 1
    again = contrast_table(made.scores, made.predictions, made.truths, FAST)
    pd.testing.assert_frame_equal(frame, again)


def test_tables_of_different_studies_are_refused(made: factory.Made) -> None:
    shuffled = made.predictions.copy()
    shuffled["predicted"] = shuffled.predicted.map(lambda codes: codes[::-1])
    with pytest.raises(DataError, match="its predictions give"):
        contrast_table(made.scores, shuffled, made.truths, FAST)
    with pytest.raises(DataError, match="no predictions"):
        contrast_table(made.scores, made.predictions.iloc[1:], made.truths, FAST)
    with pytest.raises(DataError, match="no split"):
        contrast_table(made.scores, made.predictions, {}, FAST)


def test_unknown_settings_are_refused() -> None:
    assert Spec.parse({"control_corpora": ["a"], "margin": 0.03}).control_corpora == ("a",)
    with pytest.raises(ConfigError, match="margins"):
        Spec.parse({"margins": 0.1})


def test_should_i_pretrain(made: factory.Made, tmp_path: Path) -> None:
    tables = made.scores, made.predictions, made.costs
    frame = verdict_table(*tables, made.shared, made.truths, FAST)
    VERDICTS.write(frame, tmp_path / "v.parquet")
    assert list(frame.scope) == ["frozen", "all arms"]
    assert list(frame.regimes) == ["3,10,30", "10"]
    assert frame.cpu_s.notna().all()
    assert not frame.best_pretrained.str.contains("permuted").any()
    for row in frame.itertuples():
        expected = "yes" if row.low > 0.02 else "no" if row.high90 < 0.02 else "undecided"
        assert row.answer == expected
    expected = made.shared.set_index(["target", "corpus"]).shared_variance["pbmc3k", "kang_ctrl"]
    assert list(frame.shared_variance) == [expected, expected]
    with pytest.raises(DataError, match="no shared variance of target 'pbmc3k'"):
        verdict_table(*tables, made.shared.iloc[:0], made.truths, FAST)
    ready = replace(FAST, ready=("kang_ctrl",))
    given = verdict_table(*tables, made.shared.iloc[:0], made.truths, ready)
    VERDICTS.write(given, tmp_path / "v.parquet")
    assert given.shared_variance.isna().all() and given.note.str.contains("is not known").all()
    assert list(given.difference) == list(frame.difference)


@pytest.mark.parametrize(
    ("mean", "se", "expected"),
    [
        (0.05, 0.01, "yes"),
        (0.05, 0.02, "undecided"),  # better than nothing, but perhaps by less than the margin
        (0.0, 0.005, "no"),  # equivalent
        (-0.1, 0.02, "no"),  # worse
        (0.0, 0.03, "undecided"),
    ],
)
def test_the_answer(mean: float, se: float, expected: str) -> None:
    result = Estimate(mean, (Part("runs", se**2, 30.0),), 3, 10)
    assert answer(result, 0.02) == expected
