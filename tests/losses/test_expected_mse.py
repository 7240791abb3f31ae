"""The expectation over masks of zeros: the same from every entry's own weight."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn

from selfcell.losses.expected_mse import expected_mse
from selfcell.losses.masked_mse import masked_mse
from selfcell.rng import torch_generator

CELLS, HIDDEN, GENES, RATE = 6, 5, 70, 0.3


def example(dtype: torch.dtype) -> tuple[Tensor, nn.Linear, Tensor, Tensor, Tensor]:
    """Hidden units, a layer, a target that is mostly 0, a mask, and the measured genes."""
    rng = torch_generator("expected mse")
    h_BD = torch.randn(CELLS, HIDDEN, generator=rng, dtype=dtype)
    layer = nn.Linear(HIDDEN, GENES, dtype=dtype)
    for p in layer.parameters():
        p.data.normal_(generator=rng)
    measured_G = torch.arange(GENES) % 7 != 0
    x_BG = torch.rand(CELLS, GENES, generator=rng, dtype=dtype)
    x_BG *= (torch.rand(CELLS, GENES, generator=rng) < 0.2) & measured_G
    mask_BG = (torch.rand(CELLS, GENES, generator=rng) < RATE) & measured_G
    return h_BD.requires_grad_(), layer, x_BG, mask_BG, measured_G


def gradients(loss: Tensor, h_BD: Tensor, layer: nn.Linear) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, [h_BD, layer.weight, layer.bias])


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)], ids=["64", "32"]
)
def test_loss_and_gradients_are_those_of_weighted_entries(
    dtype: torch.dtype, tolerance: float
) -> None:
    h_BD, layer, x_BG, mask_BG, measured_G = example(dtype)
    number = torch.tensor(17.0)
    weight_BG = torch.where(x_BG == 0, RATE * measured_G.to(dtype), mask_BG.to(dtype))
    truth = (weight_BG * (layer(h_BD) - x_BG).square()).sum() / number
    found = expected_mse(h_BD, layer, x_BG, mask_BG, measured_G, RATE, number)
    torch.testing.assert_close(found, truth, rtol=tolerance, atol=tolerance)
    for one, two in zip(
        gradients(3.0 * found, h_BD, layer), gradients(3.0 * truth, h_BD, layer), strict=True
    ):
        assert float((one - two).norm() / two.norm()) < tolerance


def test_it_is_the_mean_over_every_mask_of_the_zeros() -> None:
    h_BD, layer, x_BG, mask_BG, measured_G = example(torch.float64)
    h_BD, x_BG, mask_BG = h_BD[2:3], x_BG[2:3, :12], mask_BG[2:3, :12]
    measured_G = measured_G[:12]
    small = nn.Linear(HIDDEN, 12, dtype=torch.float64)
    small.load_state_dict({name: p[:12] for name, p in layer.state_dict().items()})
    number = torch.tensor(4.0)
    free = ((x_BG[0] == 0) & measured_G).nonzero()[:, 0]
    assert 4 <= len(free) <= 11
    mean = torch.zeros((), dtype=torch.float64)
    for hidden in itertools.product([False, True], repeat=len(free)):
        mask_BG[0, free] = torch.tensor(hidden)
        chance = RATE ** sum(hidden) * (1 - RATE) ** (len(free) - sum(hidden))
        mean += chance * masked_mse(small(h_BD), x_BG, mask_BG, number)
    found = expected_mse(h_BD, small, x_BG, mask_BG, measured_G, RATE, number)
    torch.testing.assert_close(found, mean)


def test_autocast_does_not_reach_it() -> None:
    h_BD, layer, *rest = example(torch.float32)
    number = torch.tensor(17.0)
    plain = expected_mse(h_BD, layer, *rest, RATE, number)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(expected_mse(h_BD, layer, *rest, RATE, number), plain)
