"""Logistic regression on the log-expression of the target's own best genes.

Shape suffixes: N test cells, G genes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from selfcell.baselines.base import NONE, BaselineInputs, Direct, Prediction
from selfcell.tasks import logistic


def arms(inputs: BaselineInputs) -> Iterator[Direct]:
    """One arm: the probe's classifier, penalty chosen alike, on expression instead of a code.

    Exact: with fewer cells than genes the cells are rotated to as many dimensions as there are
    cells, which a ridge penalty does not notice; with more, all genes are used.

    Source: `selfcell.tasks.logistic.fit`. Differs from the paper: the study had no such baseline.
    """
    pool_PG, test_NG = inputs.own(inputs.pool_PG), inputs.own(inputs.test_NG)

    def predict(_regime: str, _draw: int, cells: np.ndarray) -> Prediction:
        labels = inputs.truth.pool_P[cells]
        model = logistic.fit(pool_PG[cells].toarray(), labels, len(inputs.truth.classes))
        proba = model.proba(test_NG)
        return proba.argmax(1), proba, len(cells)

    yield Direct("logreg", NONE, "none", 0, predict)
