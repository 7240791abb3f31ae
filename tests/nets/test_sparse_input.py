"""A first layer without its zeros is the dense one."""

from __future__ import annotations

import pytest
import torch

from selfcell.nets import sparse_input
from selfcell.nets.mlp import MLP
from selfcell.nets.sparse_input import few_values, first_layer
from selfcell.rng import Noise

CELLS, GENES, WIDTH = 64, 500, 16


def cells(share: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    rng = torch.Generator().manual_seed(3)
    filled_BI = torch.rand(CELLS, GENES, generator=rng) < share
    x_BI = torch.rand(CELLS, GENES, generator=rng) * filled_BI
    x_BI[5] = 0.0  # a cell of which nothing is seen
    return x_BI.to(dtype)


def gradients(layer, x_BI, function) -> list[torch.Tensor]:
    layer.zero_grad()
    out_BO = function(layer, x_BI)
    (out_BO * torch.linspace(-1, 2, out_BO.numel()).view_as(out_BO)).sum().backward()
    return [out_BO.detach(), layer.weight.grad.clone(), layer.bias.grad.clone()]


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="torch is built without MKL")
@pytest.mark.parametrize("share", [0.0, 0.002, 0.04])
def test_output_and_gradients_are_those_of_the_dense_layer(share: float) -> None:
    layer = torch.nn.Linear(GENES, WIDTH)
    x_BI = cells(share)
    assert few_values(x_BI)
    exact = gradients(layer.double(), x_BI.double(), lambda one, x: one(x))
    ours = gradients(layer.float(), x_BI, first_layer)
    again = gradients(layer, x_BI, first_layer)
    for mine, same, theirs in zip(ours, again, exact, strict=True):
        torch.testing.assert_close(mine.double(), theirs, rtol=1e-5, atol=1e-5)
        assert torch.equal(mine, same)


@pytest.mark.parametrize(
    "x_BI",
    [cells(0.3), cells(0.01, torch.float64), cells(0.01, torch.bfloat16)],
    ids=["full", "float64", "bfloat16"],
)
def test_others_are_multiplied_densely(x_BI: torch.Tensor) -> None:
    assert not few_values(x_BI)


def test_autocast_is_multiplied_densely() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert not few_values(cells(0.01))


def test_network_reads_its_input_so_in_training_alone(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(sparse_input, "few_values", lambda x_BI: asked.append(1) or False)
    network = MLP([GENES, WIDTH, 8], torch.Generator().manual_seed(0), dropout=0.1)
    network(cells(0.01))
    assert not asked
    network(cells(0.01), Noise(0, 0, torch.arange(CELLS)))
    assert asked == [1]
