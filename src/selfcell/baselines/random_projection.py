"""A linear random projection of expression to the width of the code.

Shape suffixes: G genes, D dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from selfcell.baselines.base import NONE, BaselineInputs, Embedded
from selfcell.keys import generator


def axes(genes: int, width: int, seed: int) -> np.ndarray:
    """(G, D) float32 normal entries of variance 1/D, so that distances keep their size.

    Source: Dasgupta & Gupta 2003, theorem 2.1. Differs from the paper: nothing.
    """
    draw_GD = generator("random projection", seed).standard_normal((genes, width))
    return np.asarray(draw_GD / np.sqrt(width), dtype=np.float32)


def arms(inputs: BaselineInputs) -> Iterator[Embedded]:
    """One arm per seed."""
    for seed in inputs.seeds:
        axes_GD = axes(len(inputs.gene_ids), inputs.width, seed)
        pool_PD = np.asarray(inputs.pool_PG @ axes_GD)
        test_ND = np.asarray(inputs.test_NG @ axes_GD)
        yield Embedded("random_projection", NONE, "random", seed, pool_PD, test_ND)
