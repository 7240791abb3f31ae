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
    cells = len(inputs.truth.pool_P), len(inputs.truth.test_N)
    for seed in inputs.seeds:
        codes = noise(inputs.keys["target"], seed, inputs.width, cells)
        yield Embedded("random_embedding", NONE, "random", seed, *codes)


def noise(
    target: str, seed: int, width: int, cells: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Codes (P, D) and (N, D), float32 standard normal, of a target's pool and test cells."""
    rng = generator("random embedding", target, seed)
    pool_PD, test_ND = (rng.standard_normal((n, width), dtype=np.float32) for n in cells)
    return pool_PD, test_ND
