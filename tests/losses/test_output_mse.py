"""The output layer and its error in one: the loss and gradients of the two apart."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from selfcell.losses import output_mse as module
from selfcell.losses.masked_mse import masked_mse
from selfcell.losses.output_mse import output_mse
from selfcell.nets.mlp import ACTIVATIONS
from selfcell.rng import torch_generator

CELLS, HIDDEN, GENES = 6, 5, 700


def example(dtype: torch.dtype = torch.float64) -> tuple[Tensor, nn.Linear, Tensor, Tensor]:
    """Hidden units, a layer, a target and a mask over three blocks of genes."""
    rng = torch_generator("output mse")
    h_BD = torch.randn(CELLS, HIDDEN, generator=rng, dtype=dtype)
    layer = nn.Linear(HIDDEN, GENES, dtype=dtype)
    for p in layer.parameters():
        p.data.normal_(generator=rng)
    x_BG = torch.rand(CELLS, GENES, generator=rng, dtype=dtype)
    return h_BD.requires_grad_(), layer, x_BG, torch.rand(CELLS, GENES, generator=rng) < 0.5


def gradients(loss: Tensor, h_BD: Tensor, layer: nn.Linear) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, [h_BD, layer.weight, layer.bias])


@pytest.mark.parametrize("picked", [False, True])
@pytest.mark.parametrize("last", [None, "sigmoid", "softplus", "relu"])
def test_loss_and_gradients_are_those_of_layer_and_error(
    last: str | None, picked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module.ENTRIES, "cpu", 1)
    h_BD, layer, x_BG, mask_BG = example()
    gene_C = None
    if picked:
        mask_BG[:, ::3] = False
        gene_C = mask_BG.any(0).nonzero()[:, 0]
    y_BG = layer(h_BD) if last is None else ACTIVATIONS[last](layer(h_BD))
    number = mask_BG.count_nonzero()
    apart = masked_mse(y_BG, x_BG, mask_BG)
    together = output_mse(h_BD, layer, x_BG, mask_BG, number, last=last, gene_C=gene_C)
    torch.testing.assert_close(together, apart)
    for one, two in zip(
        gradients(3.0 * together, h_BD, layer), gradients(3.0 * apart, h_BD, layer), strict=True
    ):
        torch.testing.assert_close(one, two)


def test_bfloat16_is_as_close_as_the_two_apart() -> None:
    """Under autocast: both against the gradients in float64."""
    exact = example()
    number = exact[3].count_nonzero()
    truth = gradients(output_mse(*exact, number), exact[0], exact[1])
    h_BD, layer, x_BG, _ = example(torch.float32)
    layer.load_state_dict({k: v.float() for k, v in exact[1].state_dict().items()})
    h_BD.data, x_BG = exact[0].data.float(), exact[2].float()
    with torch.autocast("cpu", torch.bfloat16):
        apart = masked_mse(layer(h_BD), x_BG, exact[3])
        together = output_mse(h_BD, layer, x_BG, exact[3], number)
    assert together.dtype == torch.float32
    for right, one, two in zip(
        truth, gradients(together, h_BD, layer), gradients(apart, h_BD, layer), strict=True
    ):
        assert (one - right).norm() < 1.2 * (two - right).norm() + 1e-3 * right.norm()
        assert (one - right).norm() < 0.02 * right.norm()


def test_nothing_masked_is_zero() -> None:
    h_BD, layer, x_BG, mask_BG = example()
    loss = output_mse(h_BD, layer, x_BG, mask_BG & False, torch.zeros(()))
    assert loss.item() == 0.0
    assert all(not grad.any() for grad in gradients(loss, h_BD, layer))
