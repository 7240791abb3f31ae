"""Numbers of the figures of annotation, computed a second time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import score_factory as factory

from selfcell import figures
from selfcell.figures import label_efficiency, style
from selfcell.stats.by_type import TUNED, changes
from selfcell.stats.table import overall
from tests.figures.made import SPEC, made_study


@pytest.fixture(scope="module")
def small() -> factory.Made:
    return made_study(("pbmc3k",), ("random_mask", "byol"))


def test_label_efficiency_numbers(small: factory.Made) -> None:
    frame = label_efficiency.summary(overall(small.scores, "macro_f1"), {})
    row = frame[(frame.method == "byol") & (frame.regime == "10")].iloc[0]
    s = small.scores
    own = s[
        (s.method == "byol") & (s.regime == "10") & (s.readout == "probe") & (s.level == "overall")
    ]
    assert row["mean"] == pytest.approx(own.value.mean())
    assert (row.n_seeds, row.n_draws, row.n_failed) == (2, 2, 0)
    assert row.low < row["mean"] < row.high
    assert set(frame.corpus) == {"kang_ctrl"}  # the shuffled corpus shares the panel
    assert "kang_ctrl_shuffled" in set(frame.arm_corpus)


def test_failed_runs_leave_the_mean_and_are_counted(small: factory.Made) -> None:
    scores = overall(small.scores, "macro_f1").copy()
    bad = (scores.method == "byol") & (scores.seed == 1)
    scores.loc[bad, "status"] = "not_learned"
    frame = label_efficiency.summary(scores, {})
    row = frame[(frame.method == "byol") & (frame.regime == "10")].iloc[0]
    assert (row.n_seeds, row.n_failed) == (1, 2)
    scores.loc[scores.method == "byol", "status"] = "not_learned"
    frame = label_efficiency.summary(scores, {})
    row = frame[(frame.method == "byol") & (frame.regime == "10")].iloc[0]
    assert np.isnan(row["mean"]) and row.n_failed == 4
    label_efficiency.draw(frame)


@pytest.mark.parametrize("init", ["pretrained", "every"])
def test_runs_that_all_failed_are_a_result(small: factory.Made, init: str, tmp_path: Path) -> None:
    scores = small.scores.copy()
    failed = (scores.init == init) | (init == "every")
    scores.loc[failed, "status"] = "not_learned"
    assert label_efficiency.summary(overall(scores, "macro_f1"), {}).n_failed.sum() > 0
    assert changes(scores, small.truths, SPEC).empty
    for name, frame in (
        ("label_efficiency", label_efficiency.summary(overall(scores, "macro_f1"), {})),
        ("per_type", changes(scores, small.truths, SPEC)),
    ):
        figures.write_table(frame, tmp_path / "a.csv")
        figure = figures.drawn(figures.module(name), figures.read_table(tmp_path / "a.csv"))
        style.save(figure, tmp_path / "a.pdf", tmp_path / "a.png")


def test_per_type_numbers(small: factory.Made) -> None:
    frame = changes(small.scores, small.truths, SPEC)
    s = small.scores[(small.scores.label == "NK") & (small.scores.seed == 1)]
    a = s[(s.method == "random_mask") & (s["mode"] == "fine-tuned")]
    b = s[s.method == "scratch"]
    row = frame[(frame.label == "NK") & (frame.comparison == TUNED)].iloc[0]
    assert row.regimes == "10,all" and row.n_draws == 3
    one_seed = []
    for side in (a, b):
        few = side[side.regime == "10"].sort_values("draw").value.to_numpy()
        one_seed.append((few + side[side.regime == "all"].value.item()) / 2)
    other = small.scores[(small.scores.label == "NK") & (small.scores.seed == 0)]
    zero = []
    for method in ("random_mask", "scratch"):
        side = other[(other.method == method) & (other["mode"] == "fine-tuned")]
        few = side[side.regime == "10"].sort_values("draw").value.to_numpy()
        zero.append((few + side[side.regime == "all"].value.item()) / 2)
    expected = np.mean([one_seed[0] - one_seed[1], zero[0] - zero[1]])
    assert row.difference == pytest.approx(expected)
    truth = small.truths["pbmc3k"]
    assert row.n_pool == truth.pool[truth.classes.index("NK")]
