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
        rng = generator("permuted", inputs.keys["target"], regime, draw)
        predicted_N = true_N.copy()
        for batch in np.unique(inputs.batch_N):
            cells = np.flatnonzero(inputs.batch_N == batch)
            predicted_N[cells] = true_N[rng.permutation(cells)]
        return predicted_N, None, 0

    yield Direct("permuted", NONE, "none", 0, predict)
