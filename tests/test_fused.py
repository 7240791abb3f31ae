"""What a GPU runs compiled gives what a processor runs as it is written."""

import pytest
import torch

from selfcell import fused, rng
from selfcell.losses import output_mse
from selfcell.methods import masked
from selfcell.rng import Noise
from selfcell.views import noise


@pytest.fixture
def everything_compiled(monkeypatch):
    """Compile for the processor what would be compiled for a GPU alone."""
    for module, names in (
        (rng, ("_bits", "_uniform", "_spread")),
        (masked, ("show",)),
        (noise, ("_added",)),
        (output_mse, ("compared",)),
    ):
        for name in names:
            function = getattr(module, name).__wrapped__
            monkeypatch.setattr(module, name, fused.compiled(function))


def numbers(cells, step):
    """Each function's result on some cells."""
    known = Noise(3, step, torch.arange(cells, dtype=torch.int64) * (2**40 + 12_345))
    x_BG = known.uniform(70, "x") * 9
    layer = torch.nn.Linear(5, 70)
    with torch.no_grad():
        layer.weight.copy_(known.uniform(5, "w")[:1].expand(70, 5))
        layer.bias.copy_(known.uniform(70, "b")[0])
    mask_BG = known.bernoulli(0.5, 70, "mask")
    h_BD = known.uniform(5, "h").requires_grad_()
    loss = output_mse.output_mse(h_BD, layer, x_BG, mask_BG, mask_BG.sum(), last="softplus")
    loss.backward()
    yield from (known.bits(70, "bits"), known.bernoulli(0.75, 70, "q"), mask_BG, x_BG)
    yield masked.seen(x_BG, mask_BG)
    yield noise.negative_binomial_noise(x_BG, known, 0.3)
    yield from (loss.detach(), h_BD.grad, layer.weight.grad, layer.bias.grad)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
def test_compiled_and_plain_agree(everything_compiled, monkeypatch):
    shapes = ((9, 0), (13, 1), (40, 2**20 + 7))
    got = [list(numbers(*shape)) for shape in shapes]
    monkeypatch.undo()
    for shape, made in zip(shapes, got, strict=True):
        for one, other in zip(made, numbers(*shape), strict=True):
            assert one.dtype == other.dtype
            if one.is_floating_point():
                assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)
            else:
                assert torch.equal(one, other)


def test_the_processor_compiles_nothing(monkeypatch):
    monkeypatch.setattr(fused, "compiled", lambda function: pytest.fail("compiled"))
    assert Noise(0, 0, torch.arange(4)).uniform(8, "x").shape == (4, 8)
