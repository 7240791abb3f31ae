"""From embeddings to rows of the score table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from selfcell.errors import DataError
from selfcell.stats import table
from selfcell.stats.predictions import PREDICTIONS
from selfcell.tasks.results import write_run
from selfcell.tasks.score import Truth, embedding_status, evaluate_frozen
from tests.tasks.blobs import CLASSES, SIZES, cells, split

KEYS = {
    "study": "made", "protocol": "intended", "corpus": "some", "target": "blobs",
    "split": "0123456789ab", "method": "random_mask", "init": "pretrained", "seed": 1,
    "mode": "frozen", "run_hash": "abc",
}  # fmt: skip
READOUTS = ["probe", "prototype", "knn1", "knn5"]


@pytest.fixture(scope="module")
def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    truth = Truth.of(split())
    pool, test = cells(key="pool")[0], cells(key="test")[0]
    return evaluate_frozen(pool, test, truth, READOUTS, KEYS)


def test_rows_pass_the_table_contract(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table.validate(frames[0])
    PREDICTIONS.check(frames[1])


def test_every_regime_draw_and_readout_has_its_rows(
    frames: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    scores, predictions = frames
    runs = {
        (r, d, name)
        for r in ("3", "10", "all")
        for d in (0, 1)
        for name in [*READOUTS, "knn5_drop"]
    }
    runs -= {("3", d, name) for d in (0, 1) for name in ("knn5", "knn5_drop")}
    found = set(zip(predictions.regime, predictions.draw, predictions.readout, strict=True))
    assert found == runs
    types = scores[scores.level == "type"]
    assert len(types) == len(runs) * len(CLASSES)
    assert set(types.metric) == {"f1"}
    assert types.groupby("label").n_test.first().to_dict() == dict(zip(CLASSES, SIZES, strict=True))
    overall = scores[scores.level == "overall"]
    assert set(overall[overall.readout == "probe"].metric) == {
        "macro_f1", "macro_f1_union", "micro_f1", "balanced_accuracy", "ece",
    }  # fmt: skip
    assert not (overall[overall.readout != "probe"].metric == "ece").any()
    assert (overall.higher_is_better == (overall.metric != "ece")).all()


def test_sizes_are_counted(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    overall = frames[0][frames[0].level == "overall"]
    # Of the rare type 4 of 5 cells are labelled at most, of 12 delta cells 10.
    expected = {"3": 12, "10": 10 + 10 + 10 + 4, "all": 32 + 20 + 10 + 4}
    assert overall.groupby("regime").n_labels.first().to_dict() == expected
    assert (overall.n_train == overall.n_labels).all()
    assert (overall.n_test == sum(SIZES)).all()


def test_scores_follow_from_predictions(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    scores, predictions = frames
    true_N = cells(key="test")[1]
    run = predictions.iloc[0]
    same = scores[(scores.regime == run.regime) & (scores.readout == run.readout)]
    value = same[(same.draw == run.draw) & (same.metric == "micro_f1")].value.item()
    assert value == pytest.approx((np.array(run.predicted) == true_N).mean())


def test_same_rows_twice(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    truth = Truth.of(split())
    pool, test = cells(key="pool")[0], cells(key="test")[0]
    again = evaluate_frozen(pool, test, truth, READOUTS, KEYS)
    pd.testing.assert_frame_equal(frames[0], again[0])


@pytest.mark.parametrize(("value", "status"), [(np.nan, "diverged"), (np.inf, "diverged")])
def test_unusable_embeddings_are_results(value: float, status: str) -> None:
    pool, test = cells(key="pool")[0], cells(key="test")[0]
    test[3, 2] = value
    scores, predictions = evaluate_frozen(pool, test, Truth.of(split()), ["probe"], KEYS)
    table.validate(scores)
    assert set(scores.status) == {status}
    assert scores.value.isna().all()
    assert len(predictions) == 0
    assert list(predictions.columns) == PREDICTIONS.names


def test_a_collapsed_embedding_is_a_result() -> None:
    pool, test = np.ones((sum(SIZES), 8)), np.ones((sum(SIZES), 8))
    scores, _ = evaluate_frozen(pool, test, Truth.of(split()), ["knn1"], KEYS)
    table.validate(scores)
    assert set(scores.status) == {"collapsed"}
    assert embedding_status(pool, test + 1e-9) == "collapsed"
    assert embedding_status(*(cells(key=key)[0] for key in ("pool", "test"))) == "ok"


def test_a_model_that_did_not_learn_keeps_its_values() -> None:
    pool, test = cells(key="pool")[0], cells(key="test")[0]
    truth = Truth.of(split())
    scores, _ = evaluate_frozen(pool, test, truth, ["knn1"], KEYS, status="not_learned")
    table.validate(scores)
    assert set(scores.status) == {"not_learned"}
    assert scores.value.notna().all()


def test_a_type_without_labels_in_a_draw_scores_0() -> None:
    made = split(draws=1, regimes=("3",))
    made["draws"]["3"][0] = [
        place for place in made["draws"]["3"][0] if made["pool_labels"][place] != "rare"
    ]
    pool, test = cells(key="pool")[0], cells(key="test")[0]
    scores, _ = evaluate_frozen(pool, test, Truth.of(made), READOUTS, KEYS)
    assert (scores[scores.label == "rare"].value == 0).all()
    table.validate(scores)


def test_bad_splits_are_refused() -> None:
    foreign, empty, outside = split(), split(), split()
    foreign["test_labels"][0] = "gamma"
    empty["draws"]["3"][0] = []
    outside["draws"]["3"][0] = [sum(SIZES)]
    for made, match in ((foreign, "gamma"), (empty, "empty"), (outside, "outside")):
        with pytest.raises(DataError, match=match):
            Truth.of(made)


def test_wrong_rows_and_names_are_refused() -> None:
    pool, test = cells(key="pool")[0], cells(key="test")[0]
    truth = Truth.of(split())
    with pytest.raises(DataError, match="81 pool"):
        evaluate_frozen(pool[1:], test, truth, ["probe"], KEYS)
    with pytest.raises(DataError, match="unknown readout"):
        evaluate_frozen(pool, test, truth, ["prob"], KEYS)


@pytest.mark.parametrize("status", ["diverged", "collapsed"])
def test_a_run_in_which_nothing_was_predicted_is_written(status: str, tmp_path: Path) -> None:
    z = np.zeros((len(Truth.of(split()).pool_P), 2))
    test = np.zeros((len(Truth.of(split()).test_N), 2))
    frames = evaluate_frozen(z, test, Truth.of(split()), ["probe"], KEYS, status)
    write_run(tmp_path / "run", [frames], {"rule": "frozen"})
    scores = table.read(tmp_path / "run" / "scores.parquet")
    assert set(scores.status) <= {"diverged", "collapsed"} and scores.value.isna().all()
    assert len(PREDICTIONS.read(tmp_path / "run" / "predictions.parquet")) == 0
