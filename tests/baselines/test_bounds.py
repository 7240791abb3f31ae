"""Controls bound the arms of the released studies.

Not every metric has both bounds. Integration's `perfect` knows types and no batches, so it bounds
biology and the total, not the parts that ask how batches mix: where batches differ in their types
it is not the best there. Below, an arm may fall under a blind control where the metric rewards
guessing the frequent type (micro-F1 of three labels) or mixing everything (the total).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from selfcell.release import released
from selfcell.stats import table
from tests.tree import REPO

BLIND = ("majority", "permuted", "random_embedding", "batch_only", "gene_mean", "protein_mean")
BLUNT = ("copy_input",)  # says what it was given: a control of its own
BOUNDED = [
    ("annotate", "macro_f1", "perfect", True),
    ("annotate", "micro_f1", "perfect", False),
    ("annotate", "balanced_accuracy", "perfect", True),
    ("integrate", "bio", "perfect", True),
    ("integrate", "total", "perfect", False),
    ("unseen", "macro_f1", "perfect", True),
    ("reconstruction", "ev_weighted", "ceiling", True),
    ("protein", "pearson_protein", "perfect", True),
]


@pytest.mark.parametrize("study", released(REPO / "results/released"), ids=lambda path: path.name)
@pytest.mark.parametrize(("task", "metric", "above", "below"), BOUNDED)
def test_every_arm_lies_between_its_controls(
    study: Path, task: str, metric: str, above: str, below: bool
) -> None:
    rows = table.read(study / "scores.parquet")
    rows = rows[(rows.task == task) & (rows.metric == metric) & (rows.level == "overall")]
    rows = rows[(rows.status == "ok") & (rows.protocol == "intended")]
    if rows.empty:
        assert study.name != "default"
        return
    # a decoder of other tissue may be worse than a mean; its own readout is not
    rows = rows[~rows.method.isin(BLUNT) & (rows.readout != "decoder")]
    arms = ["target", "regime", "corpus", "method", "mode", "readout"]
    mean = rows.groupby(arms, as_index=False).value.mean()
    for target, own in mean.groupby("target"):
        blind = own.method.isin(BLIND)
        arm = own[~blind & (own.method != above)]
        if above and (own.method == above).any():
            assert arm.value.max() <= own.value[own.method == above].min(), target
        if below and blind.any():
            assert arm.value.min() > own.value[blind].max(), target


def test_the_default_study_has_every_control() -> None:
    rows = table.read(REPO / "results/released/default/scores.parquet")
    there = set(zip(rows.task, rows.method, strict=True))
    for task, _, above, _ in BOUNDED:
        assert not above or (task, above) in there
        assert any((task, name) in there for name in BLIND), task


def test_an_arm_below_its_bound_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    (study,) = [path for path in released(REPO / "results/released") if path.name == "default"]
    scores = table.read(study / "scores.parquet")
    arm = (scores.method == "pca") & (scores.task == "annotate") & (scores.metric == "macro_f1")
    worse: pd.DataFrame = scores.assign(value=scores.value.mask(arm, 0.0))
    monkeypatch.setattr(table, "read", lambda _: worse)
    with pytest.raises(AssertionError):
        test_every_arm_lies_between_its_controls(study, "annotate", "macro_f1", "perfect", True)
