"""Random masks: rates within binomial error, unmeasured genes never hidden."""

import pytest
import torch

from selfcell.masks.random import random_mask, rated_mask
from selfcell.rng import Noise

NOISE = Noise(3, 0, torch.arange(2000))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_share_is_the_rate_within_binomial_error(rate: float) -> None:
    measured = torch.arange(200) >= 20
    mask = random_mask(NOISE, measured, rate)
    entries = 2000 * 180
    error = (rate * (1 - rate) / entries) ** 0.5
    assert abs(mask[:, measured].float().mean().item() - rate) < 4 * error
    assert not mask[:, ~measured].any()


def test_entries_are_independent() -> None:
    mask = random_mask(NOISE, torch.ones(200, dtype=torch.bool), 0.5).float()
    correlation = torch.corrcoef(mask.T) - torch.eye(200)
    assert correlation.abs().max() < 6 / 2000**0.5


def test_rate_of_each_gene() -> None:
    rate = torch.linspace(0, 1, 50)
    share = rated_mask(NOISE, rate).float().mean(0)
    error = (rate * (1 - rate) / 2000).sqrt()
    assert ((share - rate).abs() <= 4.5 * error).all()
    assert share[0] == 0
    assert share[-1] == 1
