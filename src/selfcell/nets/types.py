"""Which number format a product of matrices is computed in."""

from __future__ import annotations

import torch
from torch import Tensor


def computing_dtype(x: Tensor) -> torch.dtype:
    """The format that autocast, where it is on, computes a linear layer of `x` in."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def as_number(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A bool tensor as 0 and 1. Torch converts bytes eight times faster than it does bools."""
    return mask.view(torch.uint8).to(dtype)
