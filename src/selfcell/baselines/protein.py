"""Rivals of protein prediction: ridge and nearest neighbours on principal components of the pool's
RNA and on a random encoder, and the mean of the training cells, which alone gives high flattened
correlations. All of them run wherever the task does, and so do its controls: the truth, the truth
permuted among the test cells of each batch, and both readouts of noise.

Shape suffixes: P pool cells, N test cells, Q proteins.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from selfcell.baselines import pca
from selfcell.baselines.base import NONE, OWN_POOL
from selfcell.baselines.permuted import within_batches
from selfcell.baselines.random_embedding import noise
from selfcell.specs import ProteinSpec
from selfcell.tasks.model import embed, new_encoder
from selfcell.tasks.protein import Data, Rows


def rivals(spec: ProteinSpec, data: Data, run_hash: str) -> Iterator[Rows]:
    """Rows of every rival on one protein target."""
    keys = {"study": spec.study, "protocol": spec.protocol, "run_hash": run_hash}
    keys |= {"mode": "baseline"}
    fixed = {"corpus": NONE, "init": "none", "seed": 0}
    mean = Rows({**keys, **fixed, "method": "protein_mean"}, data)
    for regime, draw, rows in data.draws():
        mean_Q = data.y_PQ[rows].mean(0)
        mean.add(np.tile(mean_Q, (len(data.y_NQ), 1)), regime, draw, "none", len(rows))
    yield mean
    perfect = Rows({**keys, **fixed, "method": "perfect"}, data)
    permuted = Rows({**keys, **fixed, "method": "permuted"}, data)
    for regime, draw, _rows in data.draws():
        perfect.add(data.y_NQ, regime, draw, "none", 0)
        order_N = within_batches(data.in_batch_N, data.split["target"], regime, draw)
        permuted.add(data.y_NQ[order_N], regime, draw, "none", 0)
    yield from (perfect, permuted)
    pool_PG, test_NG = (sparse.csr_matrix(x.numpy()) for x in (data.x_PG, data.x_NG))
    axes = pca.fit(pool_PG, spec.network.hidden[-1])
    components = Rows({**keys, **fixed, "method": "pca", "corpus": OWN_POOL}, data)
    components.code(axes.embed(pool_PG), axes.embed(test_NG))
    yield components
    cells = len(data.y_PQ), len(data.y_NQ)
    for seed in spec.seeds:
        arm = {"method": "random_embedding", "corpus": NONE, "init": "random", "seed": seed}
        blind = Rows({**keys, **arm}, data)
        blind.code(*noise(data.split["target"], seed, spec.network.hidden[-1], cells))
        yield blind
        net = new_encoder(pool_PG.shape[1], spec.network, seed).eval()
        arm = {"method": "random_encoder", "corpus": NONE, "init": "random", "seed": seed}
        random = Rows({**keys, **arm}, data)
        random.code(embed(net, data.x_PG).numpy(), embed(net, data.x_NG).numpy())
        yield random
