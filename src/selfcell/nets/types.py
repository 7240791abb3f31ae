"""Which number format a product of matrices is computed in."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 2**20
"""Entries of a block that fits a processor's cache."""


def computing_dtype(x: Tensor) -> torch.dtype:
    """The format that autocast, where it is on, computes a linear layer of `x` in."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def at_once(x: Tensor) -> int:
    """Rows of a (B, G) array that are worked on together: on a processor some MB, which stay in
    its cache; elsewhere all of them, since every launch costs."""
    return max(1, BLOCK // x.shape[1]) if x.device.type == "cpu" else max(1, len(x))


def as_number(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A bool tensor as 0 and 1. Torch converts bytes eight times faster than it does bools."""
    return mask.view(torch.uint8).to(dtype)
