"""The most frequent label of the draw, for every cell."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from selfcell.baselines.base import NONE, BaselineInputs, Direct, Prediction


def arms(inputs: BaselineInputs) -> Iterator[Direct]:
    """One arm. In draws with equally many labels of each type, the first type in the list."""
    truth = inputs.truth

    def predict(_regime: str, _draw: int, cells: np.ndarray) -> Prediction:
        code = int(np.bincount(truth.pool_P[cells], minlength=len(truth.classes)).argmax())
        return np.full(len(truth.test_N), code), None, len(cells)

    yield Direct("majority", NONE, "none", 0, predict)
