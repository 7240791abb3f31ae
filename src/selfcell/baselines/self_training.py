"""Self-training: the probe labels the pool cells that it is sure of and learns again.

What a user with many unlabelled cells and no pre-training would try first.

Shape suffixes: P pool cells, N test cells, D dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from selfcell.baselines import pca
from selfcell.baselines.base import OWN_POOL, BaselineInputs, Direct, Prediction
from selfcell.tasks.readouts import Probe

SURE = 0.9
"""Least probability of a pseudo-label."""
ROUNDS = 3


def arms(inputs: BaselineInputs) -> Iterator[Direct]:
    """One arm, on principal components of the target's own pool.

    In each round every pool cell without a label gets the predicted one if its probability
    exceeds `SURE`, anew; true labels are never changed.

    Source: Yarowsky 1995; Lee 2013 (pseudo-labels). Differs from the paper: a ridge-logistic
    probe on PCA instead of a network, a fixed number of rounds.
    """
    axes = pca.fit(inputs.pool_PG, inputs.width)
    pool_PD, test_ND = axes.embed(inputs.pool_PG), axes.embed(inputs.test_NG)
    classes = len(inputs.truth.classes)

    def predict(_regime: str, _draw: int, cells: np.ndarray) -> Prediction:
        label_P = np.full(len(pool_PD), -1)
        label_P[cells] = inputs.truth.pool_P[cells]
        unlabelled = np.flatnonzero(label_P < 0)
        probe = Probe()
        probe.fit(pool_PD[cells], label_P[cells], classes)
        for _ in range(ROUNDS if len(unlabelled) else 0):
            code, proba = probe.predict(pool_PD[unlabelled])
            assert proba is not None
            label_P[unlabelled] = np.where(proba.max(1) > SURE, code, -1)
            known = np.flatnonzero(label_P >= 0)
            probe.fit(pool_PD[known], label_P[known], classes)
        return *probe.predict(test_ND), int((label_P >= 0).sum())

    yield Direct("self_training", OWN_POOL, "none", 0, predict)
