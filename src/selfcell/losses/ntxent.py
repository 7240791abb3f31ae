"""SimCLR's normalised temperature-scaled cross-entropy.

Shape suffixes: B cells of this process, N rows (both views) of all processes, D dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from selfcell.nets.across import first_row, gather_across, processes


def ntxent(a_BD: Tensor, b_BD: Tensor, temperature: float = 0.5) -> Tensor:
    """Scalar mean over both views of -log softmax of the positive pair's cosine / temperature.

    For row i with partner j: -log(exp(s_ij / t) / sum_{k != i} exp(s_ik / t)); the sum runs over
    both views of all cells of all processes.

    Source: Chen et al. 2020 (SimCLR), eq. 1.
    Differs from the paper: nothing.
    """
    a_BD, b_BD = F.normalize(a_BD, dim=-1), F.normalize(b_BD, dim=-1)
    rows, start = a_BD.shape[0], first_row(a_BD.shape[0])
    cells = rows * processes()
    all_ND = torch.cat([gather_across(a_BD), gather_across(b_BD)])
    logit_BN = torch.cat([a_BD, b_BD]) @ all_ND.T / temperature
    own_B = start + torch.arange(rows, device=a_BD.device)
    self_B = torch.cat([own_B, own_B + cells])
    partner_B = torch.cat([own_B + cells, own_B])
    logit_BN = logit_BN.scatter(1, self_B[:, None], -torch.inf)
    return F.cross_entropy(logit_BN, partner_B)
