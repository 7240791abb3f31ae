"""A made-up target whose classes differ in a few genes, as inputs of the baselines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

from selfcell.baselines import pca
from selfcell.baselines.base import BaselineInputs, Supervision
from selfcell.data.cells import MemoryCells, cell_keys
from selfcell.keys import generator
from selfcell.specs import Network, Training
from selfcell.tasks.score import Truth
from tests.tasks.blobs import SIZES, split

GENES = 40
KEYS = {
    "study": "made", "protocol": "intended", "target": "blobs", "split": "0123456789ab",
    "run_hash": "abc",
}  # fmt: skip


def expression(key: object, gap: float = 1.0) -> sparse.csr_matrix:
    """log1p counts: each class expresses six genes more than the others do."""
    rng = generator("expression", key)
    code_N = np.repeat(np.arange(len(SIZES)), SIZES)
    rate_KG = np.full((len(SIZES), GENES), 0.5)
    for code in range(len(SIZES)):
        rate_KG[code, 6 * code : 6 * code + 6] += gap
    return sparse.csr_matrix(np.log1p(rng.poisson(rate_KG[code_N])).astype(np.float32))


def supervision(gap: float = 1.0, **changes: Any) -> Supervision:
    """Labelled cells of a corpus whose classes are the target's under other names."""
    counts = expression("corpus", gap)
    counts.data = np.expm1(counts.data)
    n = counts.shape[0]
    cells = MemoryCells(counts, np.full(n, 10_000), cell_keys(f"c{i}" for i in range(n)))
    label_N = np.array([f"type {code}" for code in np.repeat(np.arange(len(SIZES)), SIZES)])
    fields: dict[str, Any] = {
        "cells": cells,
        "rows": np.arange(n),
        "label_N": label_N,
        "network": Network(hidden=[16, 8], dropout=0.0),
        "training": Training(steps=60, batch=32, lr=0.01, precision="float32"),
    }
    return Supervision(**{**fields, **changes})


def inputs(gap: float = 1.0, **changes: Any) -> BaselineInputs:
    """Inputs with one corpus, two seeds and an eight-wide code."""
    made = split()
    own_G = np.arange(GENES) < 30
    fields: dict[str, Any] = {
        "keys": KEYS,
        "truth": Truth.of(made),
        "pool_PG": expression("pool", gap),
        "test_NG": expression("test", gap),
        "corpora": {"some": expression("corpus", gap)},
        "gene_ids": [f"G{place}" for place in range(GENES)],
        "own_G": own_G,
        "batch_N": np.array(made["test_donors"]),
        "hidden": [16, 8],
        "activation": "selu",
        "seeds": [0, 1],
        "supervision": {"some": supervision(gap)},
    }
    return BaselineInputs(**{**fields, **changes})


def seen_by(monkeypatch: pytest.MonkeyPatch, place: Any, name: str) -> list[sparse.csr_matrix]:
    """The cells that a function of a module is given from now on: what it is fitted on."""
    seen: list[sparse.csr_matrix] = []
    plain = getattr(place, name)

    def spy(x_NG: sparse.csr_matrix, *rest: Any) -> Any:
        seen.append(x_NG.copy())
        return plain(x_NG, *rest)

    monkeypatch.setattr(place, name, spy)
    return seen


def fits(monkeypatch: pytest.MonkeyPatch) -> list[sparse.csr_matrix]:
    """The cells that principal components are fitted on from now on."""
    return seen_by(monkeypatch, pca, "fit")


def equal(a: sparse.csr_matrix, b: sparse.csr_matrix) -> bool:
    """Whether two matrices hold the same cells in the same order."""
    return a.shape == b.shape and (a != b).nnz == 0
