"""Input dropout: the view that hides entries.

Shape suffixes: B cells, G genes.
"""

from __future__ import annotations

from torch import Tensor

from selfcell.nets.types import as_number
from selfcell.rng import Noise


def input_dropout(x_BG: Tensor, noise: Noise, rate: float, stream: str = "input") -> Tensor:
    """(B, G) x with each entry set to 0 with probability `rate` in [0, 1].

    Source: Richter et al. 2024, contrastive augmentation.
    Differs from the paper: kept entries are not multiplied by 1 / (1 - rate); a cell that was
    sequenced less deeply shows fewer genes, not larger ones.
    """
    return x_BG * as_number(noise.bernoulli(1.0 - rate, x_BG.shape[1], stream), x_BG.dtype)
