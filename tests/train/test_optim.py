"""LARS against its equations, with the state that makes it LARS."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from selfcell.errors import ConfigError
from selfcell.keys import generator
from selfcell.methods.base import Batch, Descent
from selfcell.rng import torch_generator
from selfcell.train.checkpoint import Progress, StateFile
from selfcell.train.loop import Plan, fit
from selfcell.train.optim import BIAS_RATE, LARS, clip, optimiser
from tests.methods.factory import batch, context, make


def reference(
    w: np.ndarray,
    gradients: list[np.ndarray],
    adapt: bool,
    lr: float,
    warm_up: int,
    momentum: float = 0.9,
) -> np.ndarray:
    """LARS in float64: trust .001, decay .01 on weights alone."""
    velocity = np.zeros_like(w)
    for step, g in enumerate(gradients, start=1):
        if adapt:
            g = g + 0.01 * w
            g = g * 0.001 * np.linalg.norm(w) / np.linalg.norm(g)
        velocity = momentum * velocity + g
        w = w - min(1.0, step / warm_up) * lr * (1.0 if adapt else BIAS_RATE) * velocity
    return w


def linear() -> nn.Linear:
    """A layer with weights of its own."""
    layer = nn.Linear(4, 3).double()
    with torch.no_grad():
        for p in layer.parameters():
            p.normal_(generator=torch_generator("test optim"))
    return layer


def run(layer: nn.Linear, lars: LARS, gradients: list[list[np.ndarray]]) -> None:
    """Steps with given gradients."""
    for step in gradients:
        for p, g in zip(layer.parameters(), step, strict=True):
            p.grad = torch.tensor(g)
        lars.step()


RNG = generator("test optim")
GRADIENTS = [[RNG.normal(size=(3, 4)), RNG.normal(size=3)] for _ in range(7)]


def test_lars_equals_the_reference() -> None:
    layer = linear()
    start = [p.detach().numpy().copy() for p in layer.parameters()]
    run(layer, LARS(layer.parameters(), 0.2, 0.01, warm_up=4), GRADIENTS)
    for index, (p, w) in enumerate(zip(layer.parameters(), start, strict=True)):
        theirs = reference(w, [step[index] for step in GRADIENTS], index == 0, 0.2, 4)
        np.testing.assert_allclose(p.detach().numpy(), theirs, rtol=1e-10)


def test_lars_has_state_that_matters() -> None:
    """Made anew at each step, as the released code does, it ends elsewhere."""
    kept, reset = linear(), linear()
    run(kept, LARS(kept.parameters(), 0.2, warm_up=1), GRADIENTS)
    for step in GRADIENTS:
        run(reset, LARS(reset.parameters(), 0.2, warm_up=1), [step])
    assert not torch.allclose(kept.weight, reset.weight)
    without = linear()
    run(without, LARS(without.parameters(), 0.2, momentum=0.0, warm_up=1), GRADIENTS)
    torch.testing.assert_close(reset.weight, without.weight)


def test_lars_resumes_to_the_same_bits(tmp_path: Path) -> None:
    whole, first, second = linear(), linear(), linear()
    run(whole, LARS(whole.parameters(), 0.2, warm_up=5), GRADIENTS)
    lars = LARS(first.parameters(), 0.2, warm_up=5)
    run(first, lars, GRADIENTS[:3])
    state = StateFile(tmp_path / "state", "key")
    state.save(Progress(3), first, lars)
    lars = LARS(second.parameters(), 0.2, warm_up=5)
    assert state.load(second, lars) == Progress(3)
    run(second, lars, GRADIENTS[3:])
    assert torch.equal(whole.weight, second.weight)
    assert torch.equal(whole.bias, second.bias)


def test_lars_leaves_a_zero_weight_without_adaption() -> None:
    layer = linear()
    nn.init.zeros_(layer.weight)
    run(layer, LARS(layer.parameters(), 0.2, 0.0, warm_up=1), GRADIENTS[:1])
    np.testing.assert_allclose(layer.weight.detach().numpy(), -0.2 * GRADIENTS[0][0])


def test_optimiser_of_the_study_and_of_the_method() -> None:
    method = linear()
    method.requires_grad_(True)
    method.bias.requires_grad_(False)
    plain = optimiser(method, 0.003, 0.02)
    assert isinstance(plain, torch.optim.AdamW)
    assert len(plain.param_groups[0]["params"]) == 1
    assert (plain.defaults["lr"], plain.defaults["weight_decay"]) == (0.003, 0.02)
    method.descent = Descent("lars", 0.2, 1e-6, 0.5)
    own = optimiser(method, 0.003, 0.02)
    assert isinstance(own, LARS)
    assert (own.param_groups[0]["lr"], own.param_groups[0]["momentum"]) == (0.2, 0.5)
    method.descent = Descent("sgd", 0.2, 0.0)
    with pytest.raises(ConfigError, match="one of adamw, lars"):
        optimiser(method, 0.003, 0.02)


@pytest.mark.parametrize("most", [0.5, 50.0])
def test_clipping_is_to_the_norm_of_all_gradients_together(most: float) -> None:
    layer = linear()
    layer.weight.grad = torch.full_like(layer.weight, 3.0)
    layer.bias.grad = torch.full_like(layer.bias, -4.0)
    norm = (12 * 3.0**2 + 3 * 4.0**2) ** 0.5
    assert clip(layer, most) == pytest.approx(norm)
    expected = min(1.0, most / norm)
    assert layer.weight.grad[0, 0].item() == pytest.approx(3.0 * expected, rel=1e-5)
    assert layer.bias.grad[0].item() == pytest.approx(-4.0 * expected, rel=1e-5)


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_velocity_is_carried_through_the_loop(momentum: float) -> None:
    """Weights of Barlow Twins after some steps are those of the reference, from the gradients that
    the loop came by: made anew at each step, LARS would have ended where momentum 0 does."""
    method = make("barlow_twins", weight_decay=0.01, lars_momentum=momentum)
    weight = method.encoder.layers[-1].weight
    start, gradients = weight.detach().double().numpy().copy(), []
    descent = optimiser(method, 0.0, 0.0)
    descent.register_step_pre_hook(lambda *_: gradients.append(weight.grad.double().numpy().copy()))

    class Cells:
        def batch(self, step: int) -> Batch:
            return batch(context(), range(12), step=step)

    fit(method, Cells(), descent, Plan(4))
    group = descent.param_groups[0]
    expected = reference(start, gradients, True, group["lr"], group["warm_up"], momentum)
    assert len(gradients) == 4
    moved = np.abs(expected - start).max()
    np.testing.assert_allclose(weight.detach().numpy(), expected, atol=1e-3 * moved)
