"""Noise instead of an embedding: the floor of every readout.

Shape suffixes: P pool cells, N test cells, D dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from selfcell.baselines.base import NONE, BaselineInputs, Embedded
from selfcell.keys import generator


def arms(inputs: BaselineInputs) -> Iterator[Embedded]:
    """Standard normal codes that know nothing of the cell, one arm per seed."""
    for seed in inputs.seeds:
        rng = generator("random embedding", inputs.keys["target"], seed)
        pool_PD, test_ND = (
            rng.standard_normal((cells, inputs.width), dtype=np.float32)
            for cells in (len(inputs.truth.pool_P), len(inputs.truth.test_N))
        )
        yield Embedded("random_embedding", NONE, "random", seed, pool_PD, test_ND)
