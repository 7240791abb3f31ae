"""Negative log-likelihood of raw counts under a negative binomial, over masked entries.

Shape suffixes: B cells, G genes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def masked_nb(
    mean_BG: Tensor,
    dispersion_G: Tensor,
    count_BG: Tensor,
    mask_BG: Tensor,
    number: Tensor | None = None,
) -> Tensor:
    """Scalar mean over masked entries of -log NB(k; mean mu, dispersion theta), in nats.

    -log P = log G(theta) + log G(k+1) - log G(k+theta)
             + (theta+k) log(theta+mu) - theta log(theta) - k log(mu).
    The variance is mu + mu^2 / theta. The log-gamma terms vanish at k = 0 and are computed for
    the other entries alone, which in single-cell counts is a tenth of them.

    Source: Lopez et al. 2018 (scVI), Methods, negative binomial in mean and inverse dispersion.
    Differs from the paper: averaged over masked entries.

    Args:
        mean_BG: > 0, in counts. dispersion_G: theta > 0. count_BG: raw counts, >= 0.
        mask_BG: bool, entries in the loss.
        number: what to divide by instead of the number of masked entries.
    """
    shift_BG = torch.log(dispersion_G + mean_BG)
    nll_BG = dispersion_G * (shift_BG - torch.log(dispersion_G))
    total = (nll_BG * mask_BG).sum()
    row_N, gene_N = torch.nonzero(mask_BG & (count_BG > 0), as_tuple=True)
    count_N, theta_N = count_BG[row_N, gene_N], dispersion_G[gene_N]
    rate_N = shift_BG[row_N, gene_N] - torch.log(mean_BG[row_N, gene_N])
    gamma_N = torch.lgamma(theta_N) + torch.lgamma(count_N + 1) - torch.lgamma(count_N + theta_N)
    total = total + (gamma_N + count_N * rate_N).sum()
    divisor = mask_BG.count_nonzero() if number is None else number
    return total / divisor.clamp_min(1).to(mean_BG.dtype)


def nb_deviance(mean_BG: Tensor, dispersion_G: Tensor, count_BG: Tensor, mask_BG: Tensor) -> Tensor:
    """Scalar deviance summed over masked entries: 2 (log P(k; mean k) - log P(k; mean mu)).

    Source: McCullagh & Nelder 1989, section 11.2 (negative binomial deviance).
    Differs from the paper: nothing. 0 for a perfect mean; arguments as in `masked_nb`.
    """
    ratio_BG = torch.log(dispersion_G + count_BG) - torch.log(dispersion_G + mean_BG)
    fit_BG = torch.where(count_BG > 0, count_BG * torch.log(count_BG / mean_BG), 0.0)
    deviance_BG = 2.0 * (fit_BG - (count_BG + dispersion_G) * ratio_BG)
    return (deviance_BG * mask_BG).sum()
