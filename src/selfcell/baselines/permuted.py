"""The truth, permuted among the test cells of each batch: what knowing the mixture is worth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from selfcell.baselines.base import NONE, BaselineInputs, Direct, Prediction
from selfcell.keys import generator


def arms(inputs: BaselineInputs) -> Iterator[Direct]:
    """One arm, a new permutation at each draw. Every metric above it owes it to the cells."""
    true_N = inputs.truth.test_N

    def predict(regime: str, draw: int, _cells: np.ndarray) -> Prediction:
        order_N = within_batches(inputs.batch_N, inputs.keys["target"], regime, draw)
        return true_N[order_N], None, 0

    yield Direct("permuted", NONE, "none", 0, predict)


def within_batches(batch_N: np.ndarray, target: str, *key: object) -> np.ndarray:
    """(N,) positions: each cell's is that of a cell of its own batch, each of them once."""
    rng = generator("permuted", target, *key)
    order_N = np.arange(len(batch_N))
    for batch in np.unique(batch_N):
        cells = np.flatnonzero(batch_N == batch)
        order_N[cells] = rng.permutation(cells)
    return order_N
