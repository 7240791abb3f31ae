"""Correlations and squared error of proteins: by hand, and against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from selfcell.errors import DataError
from selfcell.keys import generator
from selfcell.metrics.protein import PRIMARY, correlation, values

N, Q = 60, 5


def made(key: object = 0) -> tuple[np.ndarray, np.ndarray]:
    """Proteins of different means, and a prediction of some quality; with ties."""
    rng = generator("proteins", key)
    truth_NQ = np.round(rng.normal(np.arange(Q) * 2.0, 1.0, (N, Q)), 1)
    return truth_NQ, np.round(0.6 * truth_NQ + rng.normal(0, 0.8, (N, Q)), 1)


def reference(truth_NQ: np.ndarray, predicted_NQ: np.ndarray) -> dict[str, float]:
    """Column by column and row by row, in float64."""
    found = aggregated(truth_NQ, predicted_NQ)
    r_N = [stats.pearsonr(truth_NQ[n], predicted_NQ[n])[0] for n in range(N)]
    hard = [n for n in range(N) if r_N[n] < 0.9]
    for name, value in aggregated(truth_NQ[hard], predicted_NQ[hard]).items():
        if "protein" not in name:
            found[f"{name}_difficult"] = value
    return found


def aggregated(truth_NQ: np.ndarray, predicted_NQ: np.ndarray) -> dict[str, float]:
    found = {"mse": float(np.mean((truth_NQ - predicted_NQ) ** 2))}
    for name, r in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
        proteins = [r(truth_NQ[:, q], predicted_NQ[:, q])[0] for q in range(Q)]
        cells = [r(a_Q, b_Q)[0] for a_Q, b_Q in zip(truth_NQ, predicted_NQ, strict=True)]
        found[f"{name}_protein"] = float(np.mean(proteins))
        found[f"{name}_protein_median"] = float(np.median(proteins))
        found[f"{name}_cell"] = float(np.mean(cells))
        found[f"{name}_flat"] = float(r(truth_NQ.ravel(), predicted_NQ.ravel())[0])
    return found


def test_every_metric_against_the_reference() -> None:
    truth_NQ, predicted_NQ = made()
    assert values(truth_NQ, predicted_NQ) == pytest.approx(reference(truth_NQ, predicted_NQ))
    assert PRIMARY in reference(truth_NQ, predicted_NQ)
    assert len(reference(truth_NQ, predicted_NQ)) == 14


def test_difficult_cells_by_hand() -> None:
    """Four proteins; the first cell in order, the second in reverse, at errors of 1 and of 3."""
    truth_NQ = np.array([[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]])
    predicted_NQ = np.array([[2.0, 3.0, 4.0, 5.0], [1.0, 2.0, 3.0, 4.0]])
    found = values(truth_NQ, predicted_NQ)
    assert found["pearson_cell"] == pytest.approx(0.0)
    assert found["pearson_cell_difficult"] == found["spearman_flat_difficult"] == pytest.approx(-1)
    assert found["mse"] == pytest.approx((1 + 5) / 2)
    assert found["mse_difficult"] == pytest.approx((9 + 1 + 1 + 9) / 4)
    assert not [name for name in values(truth_NQ, truth_NQ) if "difficult" in name]


def test_by_hand() -> None:
    """Two proteins, three cells: one predicted in order, one in reverse."""
    truth_NQ = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 5.0]])
    predicted_NQ = np.stack([2 * truth_NQ[:, 0] + 1, -truth_NQ[:, 1]], 1)
    found = values(truth_NQ, predicted_NQ)
    assert correlation(truth_NQ, predicted_NQ) == pytest.approx([1.0, -1.0])
    assert found["pearson_protein"] == pytest.approx(0.0)
    assert found["spearman_protein_median"] == pytest.approx(0.0)
    # errors: (1, 2, 3) and (0, 2, 10)
    assert found["mse"] == pytest.approx((1 + 4 + 9 + 0 + 4 + 100) / 6)


def test_a_constant_says_nothing_of_cells_and_much_when_flattened() -> None:
    truth_NQ, _ = made()
    mean_NQ = np.tile(truth_NQ.mean(0).astype(np.float32), (N, 1))
    found = values(truth_NQ, mean_NQ)
    assert found["pearson_protein"] == 0.0
    assert found["spearman_protein"] == 0.0
    assert found["pearson_flat"] > 0.9
    assert found["pearson_cell"] > 0.9


def test_scale_and_shift_change_no_correlation() -> None:
    truth_NQ, predicted_NQ = made()
    one, other = (values(truth_NQ, x) for x in (predicted_NQ, 1e6 + 3.0 * predicted_NQ))
    for name in one:
        if not name.startswith("mse"):
            assert one[name] == pytest.approx(other[name], abs=1e-6)


def test_shapes_and_values_that_are_not_finite_are_refused() -> None:
    truth_NQ, predicted_NQ = made()
    with pytest.raises(DataError, match="predictions of shape"):
        values(truth_NQ, predicted_NQ[:-1])
    with pytest.raises(DataError, match="finite"):
        values(truth_NQ, np.full_like(truth_NQ, np.nan))
