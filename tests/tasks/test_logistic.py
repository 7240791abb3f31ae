"""The ridge-logistic solver against scikit-learn's, and its invariances."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from selfcell.errors import DataError
from selfcell.keys import generator
from selfcell.tasks import logistic
from tests.tasks.blobs import cells


def scaled(x_ND: np.ndarray) -> np.ndarray:
    """Centred, mean squared norm 1, float64."""
    x_ND = x_ND.astype(np.float64) - x_ND.mean(0)
    return x_ND / np.sqrt((x_ND**2).sum(1).mean())


def reference(x_ND: np.ndarray, y_N: np.ndarray, c: float) -> LogisticRegression:
    model = LogisticRegression(C=c, class_weight="balanced", tol=1e-8, max_iter=10_000)
    return model.fit(x_ND, y_N)


@pytest.mark.parametrize("c", logistic.GRID)
def test_agreement_with_scikit_learn(c: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "TIGHT", 1e-5)
    x_ND, y_N = cells(gap=0.7)
    x_ND = scaled(x_ND)
    ours, theirs = logistic.fit(x_ND, y_N, 4, c), reference(x_ND, y_N, c)
    assert ours.proba(x_ND) == pytest.approx(theirs.predict_proba(x_ND), abs=1e-4)


@pytest.mark.parametrize("c", [1.0, 100.0])
def test_the_usual_tolerance_is_close_enough(c: float) -> None:
    x_ND, y_N = cells(gap=0.7)
    x_ND = scaled(x_ND)
    gap_NK = logistic.fit(x_ND, y_N, 4, c).proba(x_ND) - reference(x_ND, y_N, c).predict_proba(x_ND)
    assert np.abs(gap_NK).mean() < 0.02


def test_more_features_than_cells_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "TIGHT", 1e-5)
    x_ND, y_N = cells((6, 5, 4), dims=60, gap=0.3)
    x_ND = scaled(x_ND)
    other_ND = generator("others").standard_normal((20, 60)) * 0.1
    ours, theirs = logistic.fit(x_ND, y_N, 3, 10.0), reference(x_ND, y_N, 10.0)
    assert ours.proba(other_ND) == pytest.approx(theirs.predict_proba(other_ND), abs=1e-3)


def test_wide_features_take_the_path_without_rotation(monkeypatch: pytest.MonkeyPatch) -> None:
    x_ND, y_N = cells(gap=0.7)
    monkeypatch.setattr(logistic, "TIGHT", 1e-5)
    rotated = logistic.fit(x_ND, y_N, 4, 10.0).proba(x_ND)
    monkeypatch.setattr(logistic, "ROTATE", 1)
    assert logistic.fit(x_ND, y_N, 4, 10.0).proba(x_ND) == pytest.approx(rotated, abs=1e-3)


def test_gradient_by_finite_differences() -> None:
    x_ND, y_N = cells((5, 4, 3), dims=3, gap=0.5)
    problem = logistic.Problem.of(x_ND.astype(np.float64), y_N, 3)
    theta = generator("theta").standard_normal((4, 3))
    grad = problem.objective(3.0, theta)[1]
    for place in np.ndindex(*theta.shape):
        step = np.zeros_like(theta)
        step[place] = 1e-5
        high, low = (problem.objective(3.0, theta + sign * step)[0] for sign in (1, -1))
        assert grad[place] == pytest.approx((high - low) / 2e-5, rel=1e-5, abs=1e-7)


def test_rotation_shift_and_scale_change_nothing() -> None:
    x_ND, y_N = cells(gap=0.7)
    basis = np.linalg.qr(generator("basis").standard_normal((8, 8)))[0]
    moved_ND = 40.0 * x_ND.astype(np.float64) @ basis + 3.0
    ours = logistic.fit(x_ND.astype(np.float64), y_N, 4)
    other = logistic.fit(moved_ND, y_N, 4)
    assert ours.c == other.c
    assert ours.proba(x_ND) == pytest.approx(other.proba(moved_ND), abs=0.02)


def test_a_class_without_cells_is_never_predicted() -> None:
    x_ND, y_N = cells((10, 10))
    proba_NK = logistic.fit(x_ND, y_N * 2, 4).proba(x_ND)
    assert (proba_NK[:, [1, 3]] == 0).all()
    assert proba_NK.sum(1) == pytest.approx(np.ones(20))


def test_one_class_and_one_cell() -> None:
    x_ND, _ = cells((10,))
    assert (logistic.fit(x_ND, np.full(10, 2), 4).proba(x_ND)[:, 2] == 1).all()
    assert (logistic.fit(x_ND[:1], np.array([3]), 4).proba(x_ND)[:, 3] == 1).all()


def test_constant_features_give_equal_odds() -> None:
    model = logistic.fit(np.ones((6, 4)), np.array([0, 0, 0, 0, 1, 1]), 2)
    assert model.proba(np.ones((1, 4)))[0] == pytest.approx([0.5, 0.5], abs=0.01)


def test_penalty_is_fixed_with_few_labels_and_chosen_with_more() -> None:
    few_ND, few_N = cells((9, 9, 9))
    assert logistic.choose(scaled(few_ND), few_N) == logistic.FIXED
    easy_ND, easy_N = cells((30, 30, 30), gap=6.0)
    noise_ND = generator("noise").standard_normal((90, 8))
    assert logistic.choose(scaled(noise_ND), easy_N) == logistic.GRID[0]
    assert logistic.choose(scaled(easy_ND), easy_N) > logistic.FIXED


def test_penalty_is_chosen_with_a_class_of_one_cell() -> None:
    x_ND, y_N = cells((30, 30, 1))
    fold_N = logistic._folds(y_N)
    assert fold_N[-1] == -1, "always in training"
    for code in (0, 1):
        assert np.bincount(fold_N[y_N == code]).tolist() == [10, 10, 10]
    assert logistic.choose(scaled(x_ND), y_N) in logistic.GRID


def test_same_input_same_bits() -> None:
    x_ND, y_N = cells()
    ours, again = logistic.fit(x_ND, y_N, 4), logistic.fit(x_ND.copy(), y_N.copy(), 4)
    assert np.array_equal(ours.weight_DK, again.weight_DK)


def test_no_label_and_nan_are_refused() -> None:
    with pytest.raises(DataError, match="no labelled cell"):
        logistic.fit(np.empty((0, 3)), np.empty(0, int), 2)
    with pytest.raises(DataError, match="NaN"):
        logistic.fit(np.array([[1.0], [np.nan]]), np.array([0, 1]), 2)
