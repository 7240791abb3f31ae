"""Regression of one unit vector onto another: the loss of BYOL and SimSiam.

Shape suffixes: B cells, D dimensions.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def cosine_distance(p_BD: Tensor, z_BD: Tensor) -> Tensor:
    """Scalar mean over cells of |p/|p| - z/|z||^2 = 2 - 2 cos(p, z), in [0, 4].

    Source: Grill et al. 2020 (BYOL), eq. 2. SimSiam (Chen & He 2021, eq. 1) minimises -cos,
    which has the same minimum and half the gradient.
    Differs from the paper: nothing. Which side carries gradient is the method's affair.
    """
    return 2.0 - 2.0 * (F.normalize(p_BD, dim=-1) * F.normalize(z_BD, dim=-1)).sum(-1).mean()
