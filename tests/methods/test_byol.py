"""BYOL's own: its loss both ways, its widths, and the target that follows the online network."""

from __future__ import annotations

import pytest
import torch

from selfcell.methods.byol import BYOL
from selfcell.views.augment import both
from tests.methods.factory import batch, context, make, train
from tests.reference import losses as reference


def byol(**values: object) -> BYOL:
    """BYOL on the synthetic corpus."""
    method = make("byol", **values)
    assert isinstance(method, BYOL)
    return method


def test_byol_loss_is_the_reference_both_ways() -> None:
    method, cells = byol(), batch(context(), range(12))
    with torch.no_grad():  # move the target away from the online network
        for p in method.target_projector.parameters():
            p.mul_(1.5).add_(0.01)
        x, noise = method.views(cells), both(cells.noise)
        z = method.encoder(x, noise).unflatten(0, (2, -1))
        p = method.predictor(method.projector(z)).double().numpy()
        t = method.target_projector(method.target_encoder(x, noise).unflatten(0, (2, -1)))
    expected = reference.cosine(p[0], t[1].double().numpy())
    expected += reference.cosine(p[1], t[0].double().numpy())
    assert method.loss(cells)[0].item() == pytest.approx(expected, rel=1e-5)


def test_byols_widths_are_parameters() -> None:
    def shapes(head: torch.nn.Module) -> list[tuple[int, int]]:
        return [(layer.in_features, layer.out_features) for layer in head.layers]

    method = byol(hidden=48, size=20)
    assert shapes(method.projector) == shapes(method.target_projector) == [(16, 48), (48, 20)]
    assert shapes(method.predictor) == [(20, 48), (48, 20)]
    assert shapes(byol(hook_layer=-2).projector)[0] == (32, 64)
    loss, _ = method.loss(batch(context(), range(12)))
    loss.backward()
    assert all(layer.weight.grad.abs().sum() > 0 for layer in method.predictor.layers)


def test_byols_target_moves_towards_the_online_network() -> None:
    method = byol(momentum=0.9)
    start = method.target_encoder.layers[-1].weight.clone()
    projector = method.target_projector.layers[0].weight.clone()
    train(method, context(), 3)
    moved = method.target_encoder.layers[-1].weight
    online = method.encoder.layers[-1].weight
    assert not torch.equal(moved, start)
    assert (moved - online).norm() < (start - online).norm()
    assert all(not p.requires_grad for p in method.target_encoder.parameters())
    assert not torch.equal(method.target_projector.layers[0].weight, projector)


def test_byols_target_after_one_step_is_the_papers_equation_one() -> None:
    """Every weight: m * target + (1 - m) * online, the online network after its own step."""
    method = byol(momentum=0.9)
    pairs = (
        (method.target_encoder, method.encoder),
        (method.target_projector, method.projector),
    )
    start = [[p.clone() for p in target.parameters()] for target, _ in pairs]
    train(method, context(), 1)
    for before, (target, online) in zip(start, pairs, strict=True):
        for old, new, own in zip(before, target.parameters(), online.parameters(), strict=True):
            torch.testing.assert_close(new, 0.9 * old + 0.1 * own, rtol=1e-6, atol=1e-7)
            assert not torch.equal(new, old)
    assert byol().momentum == 0.99


def test_byols_frozen_target_stays() -> None:
    method = byol(moves=False)
    start = method.target_encoder.layers[-1].weight.clone()
    train(method, context(), 3)
    assert torch.equal(method.target_encoder.layers[-1].weight, start)


def test_byols_target_is_part_of_its_state() -> None:
    method, other = byol(), byol()
    train(method, context(), 2)
    other.load_state_dict(method.state_dict())
    assert torch.equal(
        other.target_encoder.layers[0].weight, method.target_encoder.layers[0].weight
    )
    assert torch.equal(
        other.target_projector.layers[0].weight, method.target_projector.layers[0].weight
    )
