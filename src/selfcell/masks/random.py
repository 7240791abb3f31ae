"""Random masks: each entry on its own.

Shape suffixes: B cells, G genes.
"""

from __future__ import annotations

from torch import Tensor

from selfcell.rng import Noise


def random_mask(noise: Noise, measured_G: Tensor, rate: float, stream: str = "mask") -> Tensor:
    """(B, G) bool, True where an entry is hidden: independent Bernoulli(rate) per entry.

    Source: Richter et al. 2024, "random mask".
    Differs from the paper: genes that the corpus did not measure are never masked.

    Args:
        measured_G: bool, genes that may be masked.
        rate: probability of masking an entry, in [0, 1].
    """
    return noise.bernoulli(rate, measured_G.shape[0], stream) & measured_G


def rated_mask(noise: Noise, rate_G: Tensor, stream: str = "mask") -> Tensor:
    """(B, G) bool: independent Bernoulli with a rate of its own for each gene.

    Source: none; the control for programme masks, which hide some genes more often than others.
    Differs from the paper: nothing to differ from.

    Args:
        rate_G: float32 in [0, 1] (to 2**-23), 0 for genes that may not be masked.
    """
    return noise.uniform(rate_G.shape[0], stream) < rate_G
