"""Rivals and bounds of gene-expression reconstruction; all of them run where the task does.

`gene_mean` explains nothing; `copy_input` gives the encoded half back; `pca` is fitted on the
encoded halves of the target's pool, `random_encoder` on nothing. `ceiling` is no predictor but the
most that one can explain in expectation: what the halves have in common. `permuted` predicts the
held-out half of another cell of the batch, `random_embedding` is the ridge readout of noise.

Shape suffixes: N cells, G genes, D dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from selfcell.baselines import pca
from selfcell.baselines.base import NONE, OWN_POOL
from selfcell.baselines.permuted import within_batches
from selfcell.baselines.random_embedding import noise
from selfcell.baselines.random_encoder import embed
from selfcell.data.store import Store
from selfcell.metrics.reconstruct import Sums, shared
from selfcell.specs import BaselineSpec
from selfcell.tasks.model import new_encoder
from selfcell.tasks.reconstruct import Molecules, Rows


def rivals(
    spec: BaselineSpec, store: Store, split: Mapping[str, Any], run_hash: str
) -> Iterator[Rows]:
    """Rows of every rival on one target. Needs `spec.reconstruction`."""
    assert spec.reconstruction is not None
    keys = {"study": spec.study, "protocol": spec.protocol, "run_hash": run_hash}
    for draw in range(spec.reconstruction.draws):
        data = Molecules.read(store, split, spec.reconstruction, draw)
        for method, readout, sums, n_train in _fixed(data):
            yield _rows(keys, data, method, NONE, readout, sums, n_train)
        yield from _pca(keys, data, spec.network.hidden[-1])
        for seed in spec.seeds:
            net = new_encoder(len(data.gene_ids), spec.network, seed).eval()
            codes = embed(net, data.pool.seen_NG), embed(net, data.test.seen_NG)
            ridge = data.ridge(*codes), data.n_pool
            own = keys | {"init": "random", "seed": seed}
            yield _rows(own, data, "random_encoder", NONE, "ridge", *ridge)
            cells = data.n_pool, data.n_test
            blind = data.ridge(*noise(data.keys["target"], seed, spec.network.hidden[-1], cells))
            yield _rows(own, data, "random_embedding", NONE, "ridge", blind, data.n_pool)


def _rows(
    keys: Mapping[str, Any],
    data: Molecules,
    method: str,
    corpus: str,
    readout: str,
    sums: Sums,
    n_train: int,
) -> Rows:
    arm = {"method": method, "corpus": corpus, "mode": "baseline"}
    rows = Rows({"init": "none", "seed": 0, **keys, **arm})
    rows.add(data, readout, sums, n_train)
    return rows


def _fixed(data: Molecules) -> Iterator[tuple[str, str, Sums, int]]:
    """Method, readout, sums and cells learned from, of what needs no code."""
    mean_S, seen_NG = data.mean_G[data.scored_G], data.test.seen_NG

    def half(rows: slice) -> np.ndarray:
        return np.asarray(seen_NG[rows].toarray()[:, data.scored_G])

    copied, opposite = data.sums(half), data.sums(lambda rows: -half(rows))
    constant = data.sums(lambda rows: np.broadcast_to(mean_S, half(rows).shape))
    yield "gene_mean", "none", constant, data.n_pool
    yield "copy_input", "none", copied, 0
    yield "ceiling", "none", shared(copied, opposite), 0
    truth_NG = data.test.hidden_NG[within_batches(data.batch_N, data.keys["target"], data.draw)]
    other = data.sums(lambda rows: truth_NG[rows].toarray()[:, data.scored_G])
    yield "permuted", "none", other, 0


def _pca(keys: Mapping[str, Any], data: Molecules, width: int) -> Iterator[Rows]:
    axes = pca.fit(data.pool.seen_NG, width)
    pool_PD, test_ND = axes.embed(data.pool.seen_NG), axes.embed(data.test.seen_NG)
    back_DS, mean_S = axes.axes_GD[data.scored_G].T, axes.mean_G[data.scored_G]
    turned = data.sums(lambda rows: test_ND[rows] @ back_DS + mean_S)
    for readout, sums in (("decoder", turned), ("ridge", data.ridge(pool_PD, test_ND))):
        yield _rows(keys, data, "pca", OWN_POOL, readout, sums, data.n_pool)
