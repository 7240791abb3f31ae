"""A slowly moving copy of a network.

Source: Grill et al. 2020 (BYOL), eq. 1: target <- decay * target + (1 - decay) * online.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def frozen_copy(online: Module) -> Module:
    """A copy that gets no gradient; its weights are part of the owner's state."""
    return deepcopy(online).requires_grad_(False)


@torch.no_grad()
def move(target: nn.Module, online: nn.Module, decay: float) -> None:
    """Move the target's weights towards the online network's; `decay` in [0, 1].

    Raises ValueError outside that range.
    """
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"decay {decay} is outside [0, 1]")
    torch._foreach_lerp_(list(target.parameters()), list(online.parameters()), 1.0 - decay)
