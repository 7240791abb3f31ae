"""docs/deviations.md holds every difference, and the effects that the score tables give."""

from __future__ import annotations

import pandas as pd
import pytest

from selfcell import deviations, readme
from selfcell.config import load_config
from selfcell.methods.published import DEVIATIONS, RE_SCORED
from selfcell.stats import table
from tests.tree import REPO

SCORES = "scores.parquet"
PAGE = (REPO / "docs" / "deviations.md").read_text(encoding="utf-8")
RUN = {"level": "overall", "metric": "macro_f1", "target": "t", "corpus": "c", "status": "ok"}


def scores(value: float, slope: float = 0.0, **columns: object) -> pd.DataFrame:
    """Scores of an arm over two regimes, two seeds and three draws; seed 1 is `slope` higher."""
    return pd.DataFrame(
        [
            {**RUN, "mode": "frozen", "readout": "probe", **columns, "regime": regime,
             "seed": seed, "draw": draw, "value": value + seed * slope + 0.01 * draw}
            for regime in ("3", "all") for seed in (0, 1) for draw in (0, 1, 2)
        ]
    )  # fmt: skip


def test_the_page_is_what_its_command_writes() -> None:
    assert readme.fill(PAGE, deviations.parts(REPO)) == PAGE, "make readme"


def test_every_behaviour_is_listed_with_its_setting() -> None:
    text = deviations.behaviours()
    for name in [entry.name for entry in DEVIATIONS] + list(RE_SCORED):
        assert f"| `{name}` |" in text
    assert "`per_batch: true`, on top of `mild_views`" in text
    assert "`isolate: false`" in text and "`network.activation: relu`" in text


def test_effect_is_the_paired_mean() -> None:
    base = scores(0.6, method="byol")
    shown, runs = deviations.effect(scores(0.5, method="x"), base)
    assert shown == "−0.100 [−0.100, −0.100]"  # draws cancel, nothing else varies
    assert runs == "2 ok"
    shown, _ = deviations.effect(scores(0.5, slope=0.1, method="x"), base)
    assert shown.startswith("−0.050 [−")


def test_a_run_that_did_not_learn_keeps_its_score_and_is_named() -> None:
    flat = scores(0.2, method="x")
    flat.loc[flat.seed == 1, "status"] = "not_learned"
    shown, runs = deviations.effect(flat, scores(0.6, method="y"))
    assert shown.startswith("−0.400")
    assert runs == "1 ok, 1 not learned"
    flat.loc[flat.seed == 1, ["status", "value"]] = ["diverged", float("nan")]
    shown, runs = deviations.effect(flat, scores(0.6, method="y"))
    assert shown.startswith("−0.400")
    assert runs == "1 ok, 1 diverged"
    flat["value"] = float("nan")
    assert deviations.effect(flat, scores(0.6, method="y"))[0] == "–"


def test_training_pairs_each_difference_with_its_own_method() -> None:
    frame = pd.concat(
        [
            scores(0.6, method="byol"),
            scores(0.4, method="byol-hook"),
            scores(0.5, method="byol-mild_views"),
            scores(0.55, method="byol-mild_views-batch_views"),
            scores(0.9, method="byol-without-hook"),
            scores(0.7, method="random_mask", mode="fine-tuned", readout="head"),
            scores(0.65, method="random_mask-relu", mode="fine-tuned", readout="head"),
            scores(0.1, method="random_mask", readout="prototype"),
        ]
    )
    rows = {row[0] + " " + row[1]: row[3] for row in deviations.training(frame)}
    assert rows == {
        "`hook` byol, frozen": "−0.200 [−0.200, −0.200]",
        "`mild_views` byol, frozen": "−0.100 [−0.100, −0.100]",
        "`batch_views` byol, frozen, against `mild_views`": "+0.050 [+0.050, +0.050]",
        "without `hook` byol, frozen": "+0.300 [+0.300, +0.300]",
        "`relu` random_mask, fine-tuned": "−0.050 [−0.050, −0.050]",
    }


@pytest.mark.parametrize("name", RE_SCORED)
def test_re_scores_compare_the_same_networks(name: str) -> None:
    frozen, tuned = {"method": "random_mask"}, {"method": "random_mask", "mode": "fine-tuned"}
    decoder = {**frozen, "readout": "decoder"}
    pool = {"mode": "baseline", "corpus": "own_pool"}
    frame = pd.concat(
        [
            scores(0.6, **frozen, readout="knn5"), scores(0.5, **frozen, readout="knn5_drop"),
            scores(0.8, **frozen), scores(0.7, **frozen, metric="macro_f1_union"),
            scores(0.9, **tuned, readout="head"), scores(0.8, **tuned, readout="knn5_drop"),
            scores(0.4, **decoder, metric="ev_weighted"),
            scores(0.3, **decoder, metric="ev_weighted_batches"),
            scores(0.2, **decoder, metric="ev_uniform"),
            scores(0.1, **decoder, metric="ev_uniform_batches"),
            scores(0.3, **pool, method="pca"), scores(0.2, **pool, method="pca_refitted"),
            scores(0.1, **frozen, corpus="c_shuffled"),
        ],
        ignore_index=True,
    )  # fmt: skip
    found = {row[0]: row[3] for row in deviations.re_scores(frame)}
    assert set(found) == {f"`{name}`" for name in RE_SCORED}
    assert found[f"`{name}`"] == "−0.100 [−0.100, −0.100]"


def test_every_difference_is_measured_for_every_method_it_concerns() -> None:
    """In the released study: a row of the page's table, with an effect, for each."""
    folder = REPO / "results" / "released" / deviations.TRAINING
    rows = {tuple(row[:2]): row[3] for row in deviations.training(table.read(folder / SCORES))}
    config = load_config(folder / "config.yaml")
    tuned = config.fine_tuning.methods
    for entry in DEVIATIONS:
        frozen = bool(entry.params) or "activation" in entry.network
        for task in entry.methods:
            assert task in {method.name for method in config.methods}
            modes = ["frozen"] * frozen + ["fine-tuned"] * (bool(entry.network) and task in tuned)
            assert modes or not frozen
            for mode in modes:
                against = f", against `{entry.on}`" if entry.on else ""
                effect = rows[f"`{entry.name}`", f"{task}, {mode}{against}"]
                assert effect != "–", (entry.name, task, mode)
