"""Classification metrics against hand-computed numbers and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from selfcell.keys import generator
from selfcell.metrics import classify

TRUE = np.array([0, 0, 0, 0, 1, 1, 2, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 0, 3, 1])


def table(true: np.ndarray = TRUE, predicted: np.ndarray = PREDICTED, k: int = 4) -> np.ndarray:
    return classify.confusion(true, predicted, k)


def test_confusion_by_hand() -> None:
    expected = [[3, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0]]
    assert table().tolist() == expected


def test_scores_by_hand() -> None:
    types = classify.per_type(table())
    assert types.precision_K.tolist() == [3 / 4, 1 / 3, 0, 0]
    assert types.recall_K.tolist() == [3 / 4, 1 / 2, 0, 0]
    assert types.f1_K == pytest.approx([0.75, 0.4, 0, 0])
    assert types.support_K.tolist() == [4, 2, 2, 0]
    assert classify.macro_f1(table()) == pytest.approx((0.75 + 0.4 + 0) / 3)
    assert classify.macro_f1_union(table()) == pytest.approx((0.75 + 0.4 + 0 + 0) / 4)
    assert classify.micro_f1(table()) == pytest.approx(4 / 8)
    assert classify.balanced_accuracy(table()) == pytest.approx((0.75 + 0.5 + 0) / 3)


def test_none_is_never_right_and_charges_no_class() -> None:
    predicted = np.where(PREDICTED == 3, classify.NONE, PREDICTED)
    types = classify.per_type(table(predicted=predicted))
    assert types.predicted_K.tolist() == [4, 3, 0, 0]
    assert classify.micro_f1(table(predicted=predicted)) == pytest.approx(4 / 8)
    assert classify.macro_f1(table(predicted=predicted)) == pytest.approx(1.15 / 3)
    assert classify.macro_f1_union(table(predicted=predicted)) == pytest.approx(1.15 / 4)


@pytest.mark.parametrize("case", range(5))
def test_agreement_with_scikit_learn(case: int) -> None:
    rng = generator("classify", case)
    true, predicted = rng.integers(0, 6, 200), rng.integers(0, 8, 200)
    ours = classify.overall(true, predicted, 8)
    present = np.unique(true)
    f1 = reference.f1_score(true, predicted, labels=present, average="macro", zero_division=0)
    assert ours["macro_f1"] == pytest.approx(f1)
    union = reference.f1_score(true, predicted, average="macro", zero_division=0)
    assert ours["macro_f1_union"] == pytest.approx(union)
    assert ours["micro_f1"] == pytest.approx(reference.accuracy_score(true, predicted))
    recall = reference.recall_score(true, predicted, labels=present, average="macro")
    assert ours["balanced_accuracy"] == pytest.approx(recall)
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        true, predicted, labels=np.arange(8), zero_division=0
    )
    types = classify.per_type(table(true, predicted, 8))
    assert np.allclose([types.precision_K, types.recall_K, types.f1_K], [precision, recall, f1])
    assert types.support_K.tolist() == support.tolist()


def test_ece_by_hand() -> None:
    # Bins of width .2: {.55, .6} -> accuracy 1/2, confidence .575; {.9, .8 (closed above: bin 4)}.
    proba = np.array([[0.55, 0.45], [0.6, 0.4], [0.9, 0.1], [0.2, 0.8]])
    true = np.array([0, 1, 0, 0])
    gaps = abs((1 - 0.55) + (0 - 0.6)) + abs(1 - 0.9) + abs(0 - 0.8)
    assert classify.ece(true, proba, bins=5) == pytest.approx(gaps / 4)


def test_ece_of_certain_predictions() -> None:
    proba = np.eye(3)[[0, 1, 2, 0]]
    assert classify.ece(np.array([0, 1, 2, 0]), proba) == 0.0
    assert classify.ece(np.array([1, 2, 0, 1]), proba) == 1.0


def test_overall_reports_ece_only_with_probabilities() -> None:
    assert "ece" not in classify.overall(TRUE, PREDICTED, 4)
    assert "ece" in classify.overall(TRUE, PREDICTED, 4, np.full((8, 4), 0.25))


@pytest.mark.parametrize(
    ("true", "predicted"),
    [([0, 1], [0]), ([], []), ([0, 4], [0, 0]), ([-1, 0], [0, 0]), ([0, 0], [0, -2])],
)
def test_wrong_codes_are_refused(true: list[int], predicted: list[int]) -> None:
    with pytest.raises(ValueError, match="codes"):
        classify.confusion(np.array(true, dtype=int), np.array(predicted, dtype=int), 4)


@pytest.mark.parametrize("row", [[0.5, 0.6], [np.nan, 1.0], [1.5, -0.5]])
def test_wrong_probabilities_are_refused(row: list[float]) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        classify.ece(np.array([0]), np.array([row]))
