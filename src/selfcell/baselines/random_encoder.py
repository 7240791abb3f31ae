"""The study's encoder with its initial weights: what the architecture gives without training.

Shape suffixes: N cells, G genes, D dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy import sparse

from selfcell.baselines.base import NONE, BaselineInputs, Embedded
from selfcell.methods.base import Context
from selfcell.nets.mlp import MLP

CHUNK = 2048


def encoder(inputs: BaselineInputs, seed: int) -> MLP:
    """The encoder that pre-training with this seed starts from."""
    genes = len(inputs.gene_ids)
    context = Context(
        gene_ids=inputs.gene_ids,
        symbols=inputs.gene_ids,
        measured_G=np.ones(genes, dtype=bool),
        mean_G=np.zeros(genes, dtype=np.float32),
        detection_G=np.ones(genes, dtype=np.float32),
        programmes={},
        hidden=inputs.hidden,
        activation=inputs.activation,
        dropout=0.0,
        seed=seed,
    )
    return context.encoder()


@torch.no_grad()
def embed(net: MLP, x_NG: sparse.csr_matrix) -> np.ndarray:
    """(N, D) float32 codes of log1p expression, computed in chunks of cells."""
    codes = [
        net(torch.from_numpy(x_NG[start : start + CHUNK].toarray())).numpy()
        for start in range(0, x_NG.shape[0], CHUNK)
    ]
    return np.concatenate(codes)


def arms(inputs: BaselineInputs) -> Iterator[Embedded]:
    """One arm per seed."""
    for seed in inputs.seeds:
        net = encoder(inputs, seed)
        pool_PD, test_ND = embed(net, inputs.pool_PG), embed(net, inputs.test_NG)
        yield Embedded("random_encoder", NONE, "random", seed, pool_PD, test_ND)
