"""Barlow Twins: the cross-correlation of two views is the identity.

Shape suffixes: B cells of this process, D, E dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from selfcell.nets.across import processes, sum_across
from selfcell.nets.heads import standardise


def barlow_twins(a_BD: Tensor, b_BD: Tensor, weight: float = 0.0051) -> Tensor:
    """Scalar sum_i (1 - C_ii)^2 + weight * sum_{i != j} C_ij^2, C the cross-correlation.

    C is taken over the cells of all processes. Each dimension is standardised (variance with
    1/N, plus 1e-5), so the loss does not change when a view is scaled and shifted by dimension.

    Source: Zbontar et al. 2021 (Barlow Twins), eq. 1-2, lambda = 0.0051.
    Differs from the paper: nothing.
    """
    cells = a_BD.shape[0] * processes()
    product_DE = standardise(a_BD).T @ standardise(b_BD)
    correlation_DE = sum_across(product_DE) / cells
    diagonal_D = torch.diagonal(correlation_DE)
    on = (1.0 - diagonal_D).square().sum()
    off = correlation_DE.square().sum() - diagonal_D.square().sum()
    return on + weight * off
