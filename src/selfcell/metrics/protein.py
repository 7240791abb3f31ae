"""How well proteins are predicted: correlations and squared error in the paper's aggregations.

Shape suffixes: N cells, Q proteins.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from selfcell.errors import DataError

PRIMARY = "pearson_protein"
LOWER_IS_BETTER = frozenset({"mse", "mse_difficult"})
DIFFICULT = 0.9
"""Pearson correlation of a cell's proteins with their prediction, below which it is difficult."""


def correlation(a_NQ: np.ndarray, b_NQ: np.ndarray) -> np.ndarray:
    """(Q,) Pearson correlation of each column, in [-1, 1].

    Source: Pearson's product-moment coefficient. Differs from it: 0 where either side is
    constant, since a constant prediction says nothing of who has more.
    """
    a_NQ, b_NQ = np.asarray(a_NQ, np.float64), np.asarray(b_NQ, np.float64)
    centred = a_NQ - a_NQ.mean(0), b_NQ - b_NQ.mean(0)
    spread_Q = [np.square(x).sum(0) for x in centred]
    # Rounding leaves a constant column a spread of about 1e-32 of its square.
    whole_Q = [np.square(x).sum(0) for x in (a_NQ, b_NQ)]
    flat_Q = (spread_Q[0] <= 1e-20 * whole_Q[0]) | (spread_Q[1] <= 1e-20 * whole_Q[1])
    size_Q = np.where(flat_Q, 1.0, np.sqrt(spread_Q[0] * spread_Q[1]))
    return np.where(flat_Q, 0.0, (centred[0] * centred[1]).sum(0) / size_Q)


def values(truth_NQ: np.ndarray, predicted_NQ: np.ndarray) -> dict[str, float]:
    """Overall metrics: Pearson and Spearman (`_flat`: all entries at once; `_protein`: mean over
    proteins of the correlation over cells, the primary one, and its median; `_cell`: mean over
    cells of the correlation over proteins), and the mean squared error.

    `_cell_difficult`, `_flat_difficult` and `mse_difficult` are of the cells whose own Pearson
    correlation over proteins is below .9, and absent where there are none. Every arm chooses these
    cells by its own failures, so that arms differ in cells too: no comparison rests on them.

    Flattened and per cell, the proteins' different means alone give a high correlation.

    Source: Richter et al. 2024, cross-modality prediction.

    Raises DataError on other shapes or values that are not finite.
    """
    if truth_NQ.shape != predicted_NQ.shape or not np.isfinite(predicted_NQ).all():
        raise DataError(f"predictions of shape {predicted_NQ.shape}", f"{truth_NQ.shape}, finite")
    found = _aggregated(truth_NQ, predicted_NQ)
    hard_N = correlation(truth_NQ.T, predicted_NQ.T) < DIFFICULT
    if hard_N.any():
        hard = _aggregated(truth_NQ[hard_N], predicted_NQ[hard_N])
        parts = ("pearson_cell", "pearson_flat", "spearman_cell", "spearman_flat", "mse")
        found |= {f"{name}_difficult": hard[name] for name in parts}
    return found


def _aggregated(truth_NQ: np.ndarray, predicted_NQ: np.ndarray) -> dict[str, float]:
    """Both correlations by protein, by cell and flattened, and the squared error."""
    found: dict[str, float] = {}
    for name, rank in (("pearson", False), ("spearman", True)):
        for part, pair in (
            ("protein", (truth_NQ, predicted_NQ)),
            ("cell", (truth_NQ.T, predicted_NQ.T)),
            ("flat", (truth_NQ.reshape(-1, 1), predicted_NQ.reshape(-1, 1))),
        ):
            a, b = (rankdata(x, axis=0) if rank else x for x in pair)
            each = correlation(a, b)
            found[f"{name}_{part}"] = float(each.mean())
            if part == "protein":
                found[f"{name}_protein_median"] = float(np.median(each))
    found["mse"] = float(np.square(np.float64(truth_NQ) - predicted_NQ).mean())
    return found
