"""Contrasts of the other tasks: which arms meet, and that annotation is left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import score_factory as factory

from selfcell.keys import generator
from selfcell.stats import contrasts, table, tasks
from selfcell.stats.table import COLUMNS

SPEC = contrasts.Spec(control_corpora=("shuffled",))
DRAWS, SEEDS = 4, 3


def rows(
    method: str, corpus: str, readout: str, value: float, task: str = "reconstruction", **more: Any
) -> list[dict[str, Any]]:
    """Runs of an arm around a value, the noise of a draw shared by all arms."""
    init = more.pop("init", "pretrained")
    mode = more.pop("mode", "frozen" if init == "pretrained" else "baseline")
    seeds = SEEDS if init != "none" else 1
    return [
        {
            "study": "s", "protocol": "intended", "task": task, "corpus": corpus, "target": "t",
            "split": "x", "method": method, "init": init, "regime": "none", "seed": seed,
            "draw": draw, "readout": readout, "mode": mode, "level": "overall", "label": "",
            "metric": tasks.PRIMARY[task], "higher_is_better": True, "status": "ok",
            "n_labels": 0, "n_train": 10, "n_test": 20, "run_hash": "h",
            "value": value + 0.1 * generator("shared", draw).normal()
            + 0.001 * generator("own", method, corpus, readout, seed, draw).normal(),
            **more,
        }
        for seed in range(seeds)
        for draw in range(DRAWS)
    ]  # fmt: skip


def frame(*parts: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame([row for part in parts for row in part])[COLUMNS]


def study(task: str = "reconstruction") -> pd.DataFrame:
    return frame(
        rows("random_mask", "blood", "ridge", 0.50, task),
        rows("gene_programme_permuted_0", "blood", "ridge", 0.70, task),
        rows("simclr", "blood", "ridge", 0.30, task),
        rows("random_mask", "shuffled", "ridge", 0.20, task),
        rows("random_mask", "blood", "head", 0.60, task, mode="fine-tuned"),
        rows("scratch", "none", "head", 0.55, task, init="random", mode="fine-tuned"),
        rows("pca", "own_pool", "ridge", 0.45, task, init="none"),
        rows("random_encoder", "none", "ridge", 0.40, task, init="random"),
        rows("ceiling", "none", "none", 0.75, task, init="none"),
    )


@pytest.mark.parametrize("task", tasks.PRIMARY)
def test_the_best_arms_meet_and_fine_tuned_meets_scratch(task: str) -> None:
    scores = study(task)
    table.validate(scores)
    found = tasks.task_table(scores, SPEC)
    contrasts.CONTRASTS.check(found)
    assert set(found.metric) == {tasks.PRIMARY[task]}
    blood = found[found.corpus == "blood"].set_index("name")
    best = blood.loc["best pre-trained - best simple baseline"]
    assert best.difference == pytest.approx(0.05, abs=0.003)
    assert best.verdict == "better"
    assert "random_mask/blood/frozen/ridge" in best.note  # no bound and no permuted control
    assert "conditional on these test cells" in best.note
    assert blood.loc["MAE fine-tuned - scratch"].difference == pytest.approx(0.05, abs=0.003)
    assert blood.loc["MAE ridge - random_encoder ridge"].difference == pytest.approx(0.1, abs=0.003)
    assert set(blood.family[["MAE ridge - pca ridge", "MAE fine-tuned - scratch"]]) == {
        "primary",
        "secondary",
    }
    assert (found.margin == tasks.MARGINS[task]).all()


def test_integration_has_seeds_alone_and_picks_no_arm() -> None:
    scores = study("integrate")
    scores = scores[scores.draw == 0].assign(readout="none")
    found = tasks.task_table(scores, SPEC)
    blood = found[found.corpus == "blood"].set_index("name")
    assert set(blood.index) == {"MAE fine-tuned - scratch", "MAE - pca", "MAE - random_encoder"}
    assert (blood.n_seeds == SEEDS).all() and (blood.n_draws == 1).all()
    assert (blood.low < blood.difference).all() and (blood.difference < blood.high).all()
    single = tasks.task_table(scores[scores.seed == 0], SPEC)
    assert single.low.isna().all() and set(single.verdict) == {"undecided"}


def test_controls_and_an_arm_that_is_told_the_genes_are_no_rivals() -> None:
    told = [
        rows(name, "none", "none", 0.99, "unseen", init="none")
        for name in ("perfect", "permuted", "majority", "logreg_shared")
    ]
    found = tasks.task_table(pd.concat([study("unseen"), frame(*told)], ignore_index=True), SPEC)
    assert not found.arm_b.str.contains("perfect|permuted|majority|logreg_shared").any()
    best = found[found.name == "best pre-trained - best simple baseline"].iloc[0]
    assert best.difference == pytest.approx(0.05, abs=0.003)


def test_a_control_corpus_has_no_primary_contrast() -> None:
    found = tasks.task_table(study(), SPEC)
    assert set(found.family[found.corpus == "shuffled"]) == {"secondary"}


def test_a_run_that_did_not_learn_is_left_out_and_counted() -> None:
    scores = study()
    simclr = scores.method == "random_mask"
    scores.loc[simclr & (scores.seed == 1) & (scores.corpus == "blood"), "status"] = "not_learned"
    found = tasks.task_table(scores, SPEC).set_index(["corpus", "name"])
    row = found.loc[("blood", "MAE ridge - pca ridge")]
    assert row.n_seeds == SEEDS - 1
    assert row.n_failed == DRAWS


def test_no_task_gives_an_empty_table_and_annotation_is_left_alone() -> None:
    made = factory.study(pretexts=("random_mask",), seeds=2, draws=2, scale=0.1)
    assert tasks.task_table(made.scores, SPEC).empty
    both = pd.concat([made.scores, study()], ignore_index=True)
    spec = contrasts.Spec(resamples=20)
    with_them, without = (
        contrasts.contrast_table(scores, made.predictions, made.truths, spec)
        for scores in (both, made.scores)
    )
    pd.testing.assert_frame_equal(with_them, without)
    assert not np.isin("t", with_them.target)
