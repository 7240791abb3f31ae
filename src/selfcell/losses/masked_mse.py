"""Mean squared error over masked entries.

Shape suffixes: B cells, G genes.
"""

from __future__ import annotations

from torch import Tensor


def masked_mse(y_BG: Tensor, x_BG: Tensor, mask_BG: Tensor, count: Tensor | None = None) -> Tensor:
    """Scalar sum of (y - x)^2 over the entries where `mask_BG` is True, over their number.

    Source: Richter et al. 2024, masked autoencoder, MSE loss.
    Differs from the paper: the mean runs over masked entries, where the released code divides
    by all entries, which makes the loss's scale depend on the masking rate.

    Args:
        y_BG: prediction, any float type. x_BG: target, log1p expression. mask_BG: bool.
        count: the number to divide by, if not that of this batch's masked entries (all entries:
            the released code; the mean over processes: a distributed run). At least 1 is used.
    """
    error_BG = (y_BG.to(x_BG.dtype) - x_BG) * mask_BG
    number = mask_BG.count_nonzero() if count is None else count
    return error_BG.square().sum() / number.clamp_min(1).to(x_BG.dtype)
