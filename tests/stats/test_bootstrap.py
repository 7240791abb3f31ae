"""Macro-F1 by counting equals scikit-learn's, on the data and on each resample."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from selfcell.stats.bootstrap import macro_f1, resample


def codes(n_runs: int = 70, n_cells: int = 90, n_classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    true = rng.integers(0, n_classes, n_cells).astype(np.int16)
    wrong = rng.integers(0, n_classes, (n_runs, n_cells)).astype(np.int16)
    return np.where(rng.uniform(size=wrong.shape) < 0.7, true, wrong).astype(np.int16), true


def test_equals_scikit_learn() -> None:
    predicted, true = codes()
    predicted[3] = 0  # classes never predicted
    ours = macro_f1(predicted, true, 5, np.ones((len(true), 1), np.float32))[:, 0]
    theirs = [f1_score(true, row, average="macro", zero_division=0) for row in predicted]
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_each_resample_equals_scikit_learn() -> None:
    predicted, true = codes(n_runs=3, n_cells=30, n_classes=4)
    weight = resample(np.full(30, "a", object), 20, np.random.default_rng(0))
    ours = macro_f1(predicted, true, 4, weight)
    for run, row in enumerate(predicted):
        for b in range(20):
            cells = np.repeat(np.arange(30), weight[:, b].astype(int))
            present = np.unique(true[cells])
            theirs = f1_score(
                true[cells], row[cells], average="macro", labels=present, zero_division=0
            )
            assert ours[run, b] == pytest.approx(theirs, abs=1e-6)


def test_codes_outside_the_classes_are_refused() -> None:
    predicted, true = codes()
    with pytest.raises(ValueError, match="class codes"):
        macro_f1(predicted, true, 4, np.ones((len(true), 1), np.float32))


def test_donors_are_drawn_whole_from_six_up() -> None:
    rng = np.random.default_rng(0)
    six = np.repeat([f"d{i}" for i in range(6)], 4).astype(object)
    weight = resample(six, 50, rng)
    by_donor = weight.reshape(6, 4, 50)
    assert (by_donor == by_donor[:, :1]).all()
    assert (weight.sum(0) == 24).all()
    five = np.repeat([f"d{i}" for i in range(5)], 4).astype(object)
    by_donor = resample(five, 50, rng).reshape(5, 4, 50)
    assert not (by_donor == by_donor[:, :1]).all()
    six[0] = "unknown"
    by_donor = resample(six, 50, rng).reshape(6, 4, 50)
    assert not (by_donor == by_donor[:, :1]).all()


def test_spread_of_an_accuracy_like_score() -> None:
    # Two balanced classes, 80 % right: macro-F1 ~ accuracy, whose sd is sqrt(pq/n).
    rng = np.random.default_rng(1)
    true = np.tile([0, 1], 500).astype(np.int16)
    predicted = np.where(rng.uniform(size=1000) < 0.8, true, 1 - true).astype(np.int16)
    weight = resample(np.full(1000, "", object), 2000, rng)
    spread = macro_f1(predicted[None], true, 2, weight).std(ddof=1)
    assert spread == pytest.approx(np.sqrt(0.8 * 0.2 / 1000), rel=0.08)


def test_a_type_absent_from_a_resample_does_not_count() -> None:
    true = np.array([0, 0, 1, 1, 2], np.int16)
    predicted = np.array([[0, 1, 1, 1, 2], [2, 2, 1, 0, 2]], np.int16)
    weight = np.array([[1, 1, 1, 1, 0]], np.float32).T  # type 2 is not drawn
    ours = macro_f1(predicted, true, 3, weight)[:, 0]
    np.testing.assert_allclose(ours, [(2 / 3 + 4 / 5) / 2, (0 + 2 / 3) / 2], atol=1e-6)
