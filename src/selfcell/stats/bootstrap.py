"""Macro-F1 of many runs on many resamples of the test cells, by counting instead of looping.

Shape suffixes: R runs, N test cells, B resamples, C classes.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

DONORS_NEEDED = 6
RUNS_AT_ONCE = 64


def resample(donors_N: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """(N, n) float32 resampling weights: how often each test cell is drawn.

    From `DONORS_NEEDED` known donors up, whole donors are drawn with replacement, so that the
    spread covers new donors; below, single cells are, and what follows is conditional on the
    donors at hand.
    """
    n_cells = len(donors_N)
    names, donor_N = np.unique(donors_N.astype(str), return_inverse=True)
    if len(set(names) - {"", "unknown"}) == len(names) >= DONORS_NEEDED:
        count_BK = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n)
        return np.ascontiguousarray(count_BK[:, donor_N].T, dtype=np.float32)
    weight_BN = rng.multinomial(n_cells, np.full(n_cells, 1 / n_cells), size=n)
    return np.ascontiguousarray(weight_BN.T, dtype=np.float32)


def macro_f1(
    predicted_RN: np.ndarray, true_N: np.ndarray, n_classes: int, weight_NB: np.ndarray
) -> np.ndarray:
    """(R, B) macro-F1 of R runs under B sets of cell weights, in [0, 1].

    The mean runs over classes that have weight in the resample; a class that is never predicted
    scores 0. With weights of one this is scikit-learn's `f1_score(average="macro")` over the
    true labels. Raises ValueError for a code outside [0, n_classes).

    Source: unweighted mean of per-class F1 (Opitz & Burst 2019, "averaged F1"). Differs: nothing.
    """
    if predicted_RN.min() < 0 or predicted_RN.max() >= n_classes:
        raise ValueError(f"class codes must lie in [0, {n_classes})")
    true_CB = _counts(true_N[None, :], np.ones_like(true_N, bool)[None, :], n_classes, weight_NB)[0]
    present_CB = true_CB > 0
    blocks = []
    for start in range(0, len(predicted_RN), RUNS_AT_ONCE):
        block_RN = predicted_RN[start : start + RUNS_AT_ONCE]
        everywhere_RN = np.ones(block_RN.shape, bool)
        claimed_RCB = _counts(block_RN, everywhere_RN, n_classes, weight_NB)
        hit_RCB = _counts(block_RN, block_RN == true_N, n_classes, weight_NB)
        f1_RCB = 2 * hit_RCB / np.maximum(claimed_RCB + true_CB, 1)
        blocks.append((f1_RCB * present_CB).sum(1) / present_CB.sum(0))
    return np.concatenate(blocks).astype(np.float64)


def _counts(
    code_RN: np.ndarray, keep_RN: np.ndarray, n_classes: int, weight_NB: np.ndarray
) -> np.ndarray:
    """(R, C, B) sum of the weights of the kept cells of each code: one sparse product."""
    run_K, cell_K = np.nonzero(keep_RN)
    row_K = run_K * n_classes + code_RN[run_K, cell_K]
    shape = (len(code_RN) * n_classes, weight_NB.shape[0])
    ones_K = np.ones(len(row_K), dtype=np.float32)
    indicator = sparse.csr_matrix((ones_K, (row_K, cell_K)), shape=shape)
    return (indicator @ weight_NB).reshape(len(code_RN), n_classes, -1)
