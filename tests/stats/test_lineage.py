"""Lineage scores of a made-up study, from its predictions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from selfcell.errors import ConfigError, DataError
from selfcell.metrics.ontology import read
from selfcell.stats import lineage, table
from selfcell.stats.predictions import Truth
from tests.metrics.factory import write_json
from tests.stats.score_factory import study

# Types of the made-up target as terms of the toy ontology; the last has none.
IDS = {"CD4 T": "T:a", "CD14 Mono": "T:b", "B": "T:c", "CD8 T": "T:d", "NK": "T:e"}


@pytest.fixture(scope="module")
def made() -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Truth]]:
    whole = study(targets=("pbmc3k",), pretexts=("random_mask",), seeds=2, draws=2)
    return whole.scores, whole.predictions, dict(whole.truths)


def placed(truths: dict[str, Truth], folder: Path) -> dict[str, lineage.Lineage]:
    ontology = read(write_json(folder / "toy.json"))
    return lineage.place(truths, {"pbmc3k": "own"}, {"own": IDS}, ontology)


def test_every_run_gets_four_rows_and_keeps_its_own(
    made: tuple[pd.DataFrame, pd.DataFrame, dict[str, Truth]], tmp_path: Path
) -> None:
    scores, predictions, truths = made
    more = lineage.rows(scores, predictions, truths, placed(truths, tmp_path))
    runs = scores[(scores.level == "overall") & (scores.metric == "macro_f1")]
    assert len(more) == 4 * len(runs)
    table.validate(pd.concat([scores, more], ignore_index=True))
    assert set(more.metric) == set(lineage.METRICS)
    # A descendant is forgiven, so micro-F1 can only rise.
    keys = [*lineage.RUN]
    plain = runs.set_index(keys).value
    kind = more[more.metric == "lineage_micro_f1"].set_index(keys).value
    micro = scores[(scores.level == "overall") & (scores.metric == "micro_f1")]
    if len(micro):
        assert (kind >= micro.set_index(keys).value.reindex(kind.index) - 1e-12).all()
    assert set(plain.index) == set(kind.index)


def test_a_run_by_hand(
    made: tuple[pd.DataFrame, pd.DataFrame, dict[str, Truth]], tmp_path: Path
) -> None:
    scores, predictions, truths = made
    one = scores[(scores.level == "overall") & (scores.metric == "macro_f1")].head(1)
    guess = predictions.merge(one[list(lineage.RUN)])
    truth = truths["pbmc3k"]
    child, parent = truth.classes.index("CD14 Mono"), truth.classes.index("CD4 T")
    assert placed(truths, tmp_path)["pbmc3k"].within_KK[parent, child]
    codes = np.where(truth.code_N == parent, child, truth.code_N).astype(np.int16)
    guess = guess.assign(predicted=[codes])
    found = lineage.rows(one, guess, truths, placed(truths, tmp_path)).set_index("metric").value
    assert found["lineage_macro_f1"] == 1.0  # every error is a descendant of the truth
    assert found["lin_micro"] < 1.0  # and the symmetric score says that it is one


def test_a_run_without_predictions(
    made: tuple[pd.DataFrame, pd.DataFrame, dict[str, Truth]], tmp_path: Path
) -> None:
    scores, predictions, truths = made
    one = scores[(scores.level == "overall") & (scores.metric == "macro_f1")].head(1)
    with pytest.raises(DataError, match="no predictions"):
        lineage.rows(one, predictions.head(0), truths, placed(truths, tmp_path))
    gone = one.assign(status="diverged", value=np.nan)
    empty = lineage.rows(gone, predictions.head(0), truths, placed(truths, tmp_path))
    assert empty.value.isna().all() and len(empty) == 4


def test_an_unmapped_target_has_no_rows_and_all_is_reported(
    made: tuple[pd.DataFrame, pd.DataFrame, dict[str, Truth]], tmp_path: Path
) -> None:
    scores, predictions, truths = made
    ontology = read(write_json(tmp_path / "toy.json"))
    none = lineage.place(truths, {"pbmc3k": "other"}, {"own": IDS}, ontology)
    assert lineage.rows(scores, predictions, truths, none).empty
    said = lineage.report(placed(truths, tmp_path))["pbmc3k"]
    assert said["terms"]["CD4 T"] == "T:a"
    assert said["unmapped"] == ["FCGR3A Mono", "DC"]
    assert json.dumps(said)


@pytest.mark.parametrize("text", ["[1]", '{"kang": "CL:1"}', "{"])
def test_a_wrong_label_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="data set -> label -> ontology id"):
        lineage.read_labels(path)
    with pytest.raises(ConfigError, match="No such file"):
        lineage.read_labels(tmp_path / "absent.json")
