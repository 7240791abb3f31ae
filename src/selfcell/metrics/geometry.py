"""Shape of an embedding: is it spread out, or has it collapsed?

Shape suffixes: B cells, D dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def effective_rank(z_BD: Tensor) -> float:
    """Effective number of dimensions that a centred embedding uses, in [1, D].

    Source: Roy & Vetterli 2007, "The effective rank", eq. 2-4 (exponential of the entropy of
    the singular values normalised to sum 1). Differs from the paper: the embedding is centred.
    An embedding without any spread has rank 1.
    """
    singular_D = torch.linalg.svdvals((z_BD - z_BD.mean(0)).double())
    total = singular_D.sum()
    if total <= 0:
        return 1.0
    share_D = singular_D / total
    share_D = share_D[share_D > 0]
    return float(torch.exp(-(share_D * share_D.log()).sum()))


def spread(z_BD: Tensor) -> float:
    """Mean over dimensions of the standard deviation over cells (ddof 1), >= 0; 0: collapsed.

    Source: Chen & He 2021 (SimSiam), section 4.1, "std". Differs from the paper: codes are taken
    as they are, not as unit vectors, so that the scale shows too.
    """
    return float(z_BD.double().std(0).mean())


def alignment(a_BD: Tensor, b_BD: Tensor) -> float:
    """Mean squared distance of the unit vectors of positive pairs, in [0, 4]; lower is closer.

    Source: Wang & Isola 2020, "Alignment and uniformity", eq. for L_align with alpha = 2.
    Differs from the paper: nothing.
    """
    a_BD, b_BD = (F.normalize(z.double(), dim=1) for z in (a_BD, b_BD))
    return float((a_BD - b_BD).square().sum(1).mean())


def uniformity(z_BD: Tensor) -> float:
    """Log of the mean of exp(-2 |u - v|^2) over pairs of unit vectors; <= 0, lower is wider.

    Source: Wang & Isola 2020, eq. for L_uniform with t = 2.
    Differs from the paper: nothing. At least two cells are needed.
    """
    distance_N = torch.pdist(F.normalize(z_BD.double(), dim=1))
    return float(torch.exp(-2.0 * distance_N.square()).mean().log())


def retrieval(a_BD: Tensor, b_BD: Tensor) -> float:
    """Share of cells whose second view has the largest cosine to their first, over chance 1/B.

    In [0, B]. Codes are centred per view first, so that a shared offset does not count. A tie
    counts as a miss: collapsed codes retrieve nothing.

    Source: van den Oord et al. 2018, section 2.3 (the positive found among N samples), as a share.
    Differs from the paper: cosine in place of a learned score.
    """
    a_BD, b_BD = (F.normalize((z - z.mean(0)).double(), dim=1) for z in (a_BD, b_BD))
    cosine_BB = a_BD @ b_BD.T
    own_B = torch.diagonal(cosine_BB)
    self_BB = torch.eye(len(a_BD), dtype=torch.bool, device=a_BD.device)
    others_BB = cosine_BB.masked_fill(self_BB, -torch.inf)
    return float((own_B > others_BB.amax(1)).double().mean() * len(a_BD))
