"""Scores of predicted classes, from integer codes.

Codes are positions in a class list of K classes. A predicted code of -1 means "none of them": it
is never right, and no class is charged with it. True codes are always in [0, K).

Shape suffixes: N test cells, K classes, B bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NONE = -1
BINS = 15


@dataclass(frozen=True)
class PerType:
    """Scores of each class; all arrays have one entry per class, in the order of the class list.

    Attributes:
        precision_K, recall_K, f1_K: float64 in [0, 1]; 0 where the denominator is 0.
        support_K: int64 true cells of the class.
        predicted_K: int64 cells predicted as the class.
    """

    precision_K: np.ndarray
    recall_K: np.ndarray
    f1_K: np.ndarray
    support_K: np.ndarray
    predicted_K: np.ndarray


def confusion(true_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> np.ndarray:
    """(K, K+1) int64 counts: rows true classes, columns predicted ones, the last one "none".

    Source: the contingency table. Differs from the paper: nothing.

    Raises:
        ValueError: arrays of different lengths, no cell, or a code outside its range.
    """
    true_N, predicted_N = np.asarray(true_N), np.asarray(predicted_N)
    if true_N.shape != predicted_N.shape or true_N.ndim != 1 or true_N.size == 0:
        shapes = f"{true_N.shape} true and {predicted_N.shape} predicted codes"
        raise ValueError(f"{shapes}: two vectors of one length, not empty, are needed")
    for name, code_N, low in (("true", true_N, 0), ("predicted", predicted_N, NONE)):
        if code_N.min() < low or code_N.max() >= classes:
            raise ValueError(
                f"{name} codes span [{code_N.min()}, {code_N.max()}], outside [{low}, {classes})"
            )
    column_N = np.where(predicted_N == NONE, classes, predicted_N).astype(np.int64)
    flat = true_N.astype(np.int64) * (classes + 1) + column_N
    counts = np.bincount(flat, minlength=classes * (classes + 1))
    return counts.reshape(classes, classes + 1)


def per_type(table_KK1: np.ndarray) -> PerType:
    """Precision, recall and F1 of each class from a `confusion` table.

    Source: F1 = 2 TP / (2 TP + FP + FN) (van Rijsbergen 1979). Differs from the paper: nothing.
    """
    support_K, predicted_K = table_KK1.sum(1), table_KK1[:, :-1].sum(0)
    hits_K = np.diagonal(table_KK1[:, :-1]).astype(np.float64)
    return PerType(
        hits_K / np.maximum(predicted_K, 1),
        hits_K / np.maximum(support_K, 1),
        2.0 * hits_K / np.maximum(support_K + predicted_K, 1),
        support_K,
        predicted_K,
    )


def macro_f1(table_KK1: np.ndarray) -> float:
    """Mean F1 over the classes that have a true cell, in [0, 1].

    Source: mean of per-class F1 (Opitz & Burst 2019, eq. 3, "averaged F1").
    Differs from the paper: the mean runs over true labels only; `macro_f1_union` is the paper's.
    """
    types = per_type(table_KK1)
    return float(types.f1_K[types.support_K > 0].mean())


def macro_f1_union(table_KK1: np.ndarray) -> float:
    """Mean F1 over the classes that have a true or a predicted cell, in [0, 1].

    A prediction outside the class list ("none") is one more class with F1 0, as a label that
    never is true would be.

    Source: Richter et al. 2024, macro-F1 (scikit-learn's default label set).
    Differs from the paper: nothing.
    """
    types = per_type(table_KK1)
    present = types.f1_K[(types.support_K > 0) | (types.predicted_K > 0)]
    return float(present.sum() / (len(present) + (table_KK1[:, -1].sum() > 0)))


def micro_f1(table_KK1: np.ndarray) -> float:
    """F1 of pooled counts; with one label a cell it equals accuracy. In [0, 1].

    Source: Richter et al. 2024, micro-F1. Differs from the paper: nothing.
    """
    return float(np.trace(table_KK1[:, :-1]) / table_KK1.sum())


def balanced_accuracy(table_KK1: np.ndarray) -> float:
    """Mean recall over the classes that have a true cell, in [0, 1].

    Source: Brodersen et al. 2010, eq. 4, without adjustment for chance. Differs from the paper:
    nothing.
    """
    types = per_type(table_KK1)
    return float(types.recall_K[types.support_K > 0].mean())


def ece(true_N: np.ndarray, proba_NK: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: mean gap between confidence and accuracy, in [0, 1].

    Confidence is the largest class probability; bins have equal width on (0, 1], open below and
    closed above; each bin counts by its cells.

    Source: Guo et al. 2017, eq. 3 (15 bins). Differs from the paper: nothing.

    Raises:
        ValueError: probabilities that are not finite, outside [0, 1] or do not sum to 1.
    """
    proba_NK = np.asarray(proba_NK, dtype=np.float64)
    sums_fit = np.isfinite(proba_NK).all() and np.allclose(proba_NK.sum(1), 1.0, atol=1e-4)
    if not sums_fit or proba_NK.min() < -1e-6:
        raise ValueError("probabilities must be finite, in [0, 1], and sum to 1 in each row")
    confidence_N = np.clip(proba_NK.max(1), 0.0, 1.0)
    right_N = proba_NK.argmax(1) == np.asarray(true_N)
    bin_N = np.clip(np.ceil(confidence_N * bins).astype(np.int64) - 1, 0, bins - 1)
    gap_B = np.bincount(bin_N, weights=right_N - confidence_N, minlength=bins)
    return float(np.abs(gap_B).sum() / len(confidence_N))


def overall(
    true_N: np.ndarray, predicted_N: np.ndarray, classes: int, proba_NK: np.ndarray | None = None
) -> dict[str, float]:
    """Every overall metric by name; `ece` only where probabilities are given.

    Source: that of each, above.
    """
    table_KK1 = confusion(true_N, predicted_N, classes)
    values = {name: metric(table_KK1) for name, metric in OVERALL.items()}
    if proba_NK is not None:
        values["ece"] = ece(true_N, proba_NK)
    return values


OVERALL = {
    "macro_f1": macro_f1,
    "macro_f1_union": macro_f1_union,
    "micro_f1": micro_f1,
    "balanced_accuracy": balanced_accuracy,
}
LOWER_IS_BETTER = frozenset({"ece"})
