"""The moving average moves by the stated share, and only towards the online network."""

import pytest
import torch
from torch import nn

from selfcell.nets.ema import frozen_copy, move


def test_move_is_a_convex_combination() -> None:
    online = nn.Linear(3, 2)
    target = frozen_copy(online)
    before = [p.clone() for p in target.parameters()]
    with torch.no_grad():
        for p in online.parameters():
            p.add_(1.0)
    move(target, online, 0.9)
    for p, start in zip(target.parameters(), before, strict=True):
        torch.testing.assert_close(p, start + 0.1)
        assert not p.requires_grad


def test_extremes() -> None:
    online = nn.Linear(3, 2)
    target = frozen_copy(online)
    with torch.no_grad():
        online.weight.add_(1.0)
    move(target, online, 1.0)
    assert not torch.equal(target.weight, online.weight)
    move(target, online, 0.0)
    torch.testing.assert_close(target.weight, online.weight)


def test_decay_out_of_range() -> None:
    with pytest.raises(ValueError, match="outside"):
        move(nn.Linear(1, 1), nn.Linear(1, 1), 1.5)
