"""Noise added to log-expression.

Shape suffixes: B cells, G genes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from selfcell.fused import fused
from selfcell.rng import Noise

SCALE = 1e4


def negative_binomial_noise(
    x_BG: Tensor, noise: Noise, intensity: float, stream: str = "nb", total: int = 10
) -> Tensor:
    """(B, G) x + intensity * log1p(counts scaled to 10,000 a cell), counts of pure noise.

    Each entry's count is negative binomial with `total` successes and a probability of its own,
    uniform on (0, 1). Never negative, since x >= 0.

    Source: Richter et al. 2024, contrastive augmentation (released code).
    Differs from the paper: one draw of the closed-form mixture in place of two samplers. The
    scaling runs over the genes given, so a smaller vocabulary gets more noise a gene.

    Args:
        x_BG: log1p expression, >= 0. intensity: >= 0.
    """
    count_BG = noise.negative_binomial_mixture(x_BG.shape[1], stream, total)
    return _added(count_BG, x_BG, intensity)


@fused
def _added(count_BG: Tensor, x_BG: Tensor, intensity: float) -> Tensor:
    """x + intensity * log1p(counts scaled to 10,000 a cell); overwrites the counts."""
    count_BG *= SCALE / count_BG.sum(1, keepdim=True).clamp_min(1.0)
    return torch.add(x_BG, count_BG.log1p_(), alpha=intensity)


def gaussian_noise(x_BG: Tensor, noise: Noise, sigma: float, stream: str = "gaussian") -> Tensor:
    """(B, G) max(0, x + sigma * N(0, 1)), an independent draw per entry.

    Source: Richter et al. 2024, preprint's contrastive augmentation (sigma 0.001 or 0.01).
    Differs from the paper: clamped at 0 as log-expression is.
    """
    return torch.add(x_BG, noise.normal(x_BG.shape[1], stream), alpha=sigma).clamp_min_(0.0)
