"""Negative log-likelihood of raw counts under a negative binomial, over masked entries.

Shape suffixes: B cells, G genes.
"""

from __future__ import annotations

import torch
from torch import Tensor

LEAST_MEAN = 1e-6
LOG_RATE = (-15.0, 12.0)
"""Bounds of a negative-binomial decoder's output, the log of a mean count per 10,000."""
LOG_DISPERSION = (-10.0, 10.0)
TERMS = 24  # counts whose probabilities are summed up one by one


def in_counts(y_BG: Tensor, total_B: Tensor, log_dispersion_G: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (B, G), in counts, and dispersion (G,) of the negative binomial.

    The decoder gives the log of the expression per 10,000 counts, which spans five orders of
    magnitude; the cell's own total turns it into counts.
    """
    factor_B1 = total_B[:, None] / 1e4
    mean_BG = (y_BG.float().clamp(*LOG_RATE).exp() * factor_B1).clamp_min(LEAST_MEAN)
    return mean_BG, log_dispersion_G.clamp(*LOG_DISPERSION).exp()


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


def expected_log1p(mean_BG: Tensor, dispersion_G: Tensor, scale_B1: Tensor) -> Tensor:
    """(B, G) mean of log1p(s k) where k is NB(mean mu, dispersion theta) and s a cell's scale.

    Counts below `TERMS` are summed up one by one. Those above enter as one, at the geometric mean
    of the log-normal that has their mean and variance: off by less than .01 where mu is at most
    30, and by less than .05 at 100 (theta from .1 on).

    Args:
        mean_BG: > 0, in counts. dispersion_G: theta > 0. scale_B1: > 0.
    """
    share_BG = mean_BG / (mean_BG + dispersion_G)
    p_BG = torch.exp(dispersion_G * torch.log1p(-share_BG))  # of no molecule
    # What counts above k have of the probability, of the mean and of the second moment.
    left_BG, first_BG = 1.0 - p_BG, mean_BG.clone()
    second_BG = mean_BG + mean_BG.square() * (1.0 + 1.0 / dispersion_G)
    found_BG = torch.zeros_like(mean_BG)
    for k in range(1, TERMS):
        p_BG *= share_BG * ((k - 1 + dispersion_G) / k)
        found_BG += p_BG * torch.log1p(k * scale_B1)
        left_BG -= p_BG
        first_BG -= k * p_BG
        second_BG -= k * k * p_BG
    left_BG = left_BG.clamp_min(1e-9)
    above_BG = (first_BG / left_BG).clamp_min(TERMS)
    ratio_BG = (second_BG / left_BG / above_BG.square()).clamp_min(1.0)
    return found_BG + left_BG * torch.log1p(scale_B1 * above_BG / ratio_BG.sqrt())
