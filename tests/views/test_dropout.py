"""Input dropout hides its share and changes nothing else."""

import torch

from selfcell.rng import Noise
from selfcell.views.dropout import input_dropout


def test_share_and_values() -> None:
    x = torch.ones(1000, 100)
    view = input_dropout(x, Noise(0, 0, torch.arange(1000)), 0.3)
    assert set(view.unique().tolist()) == {0.0, 1.0}
    assert abs((view == 0).float().mean().item() - 0.3) < 4 * (0.21 / 1e5) ** 0.5
