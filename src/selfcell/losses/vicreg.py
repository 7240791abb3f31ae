"""VICReg: variance, invariance, covariance.

Shape suffixes: B cells of this process, D, E dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from selfcell.nets.across import processes, sum_across


def vicreg(
    a_BD: Tensor,
    b_BD: Tensor,
    invariance: float,
    variance: float,
    covariance: float,
) -> Tensor:
    """Scalar invariance * s + variance * (v(a) + v(b)) + covariance * (c(a) + c(b)).

    s is the mean squared difference of the views, v the mean over dimensions of
    max(0, 1 - sqrt(var + 1e-4)), c the sum of squared off-diagonal covariances / D; variance and
    covariance with 1/(N-1) over the cells of all processes.

    Source: Bardes et al. 2022 (VICReg), eq. 1-6.
    Differs from the paper: s is divided by D, as in its code; in eq. 5 it sums over the
    dimensions, so that `invariance` here is D times the equation's. v is as in the paper, without
    the factor 1/2 of its code.
    """
    spread_a, overlap_a = _moments(a_BD)
    spread_b, overlap_b = _moments(b_BD)
    return (
        invariance * F.mse_loss(a_BD, b_BD)
        + variance * (spread_a + spread_b)
        + covariance * (overlap_a + overlap_b)
    )


def _moments(z_BD: Tensor) -> tuple[Tensor, Tensor]:
    cells = z_BD.shape[0] * processes()
    centred_BD = z_BD - sum_across(z_BD.sum(0)) / cells
    covariance_DE = sum_across(centred_BD.T @ centred_BD) / (cells - 1)
    variance_D = torch.diagonal(covariance_DE)
    hinge = F.relu(1.0 - torch.sqrt(variance_D + 1e-4)).mean()
    overlap = (covariance_DE.square().sum() - variance_D.square().sum()) / z_BD.shape[1]
    return hinge, overlap
