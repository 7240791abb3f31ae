"""What must hold for every pretext task there is."""

from __future__ import annotations

import dataclasses
import importlib
import math

import pytest
import torch

from selfcell.methods import METHODS, parameters
from selfcell.methods.base import Health
from selfcell.methods.masked import Masked
from tests.methods.factory import batch, context, make

EVERY = pytest.mark.parametrize("name", METHODS)


@EVERY
def test_every_encoder_layer_learns(name: str) -> None:
    method = make(name)
    loss, _ = method.loss(batch(context()))
    loss.backward()
    for layer in method.encoder.layers:
        assert layer.weight.grad is not None, "the layer takes no part in the loss"
        assert layer.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["byol", "simsiam"])
def test_released_hook_starves_the_last_layer(name: str) -> None:
    method = make(name, hook_layer=-2)
    method.loss(batch(context()))[0].backward()
    assert method.encoder.layers[-1].weight.grad is None
    assert method.encoder.layers[-2].weight.grad.abs().sum() > 0


@EVERY
def test_embedding_of_a_cell_depends_on_that_cell_alone(name: str) -> None:
    method = make(name).eval()
    x_BG = batch(context()).x_BG
    whole = method.embed(x_BG)
    torch.testing.assert_close(method.embed(x_BG[5:7]), whole[5:7], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(method.embed(x_BG.flip(0)).flip(0), whole, rtol=1e-5, atol=1e-6)


@EVERY
def test_arms_of_one_seed_start_alike(name: str) -> None:
    first = make("random_mask").encoder.state_dict()
    for key, value in make(name).encoder.state_dict().items():
        assert torch.equal(value, first[key])


@EVERY
def test_unmeasured_genes_never_matter(name: str) -> None:
    """What a gene that was not measured would have held changes no loss and gets no gradient."""
    known = context(unmeasured=(3, 17, 40))
    method = make(name, known)
    plain = batch(known)
    x_BG = plain.x_BG.clone().requires_grad_()
    loss, _ = method.loss(dataclasses.replace(plain, x_BG=x_BG))
    loss.backward()
    assert x_BG.grad is not None
    assert method.encoder.layers[0].weight.grad[:, [3, 17, 40]].abs().sum() == 0
    decoder = getattr(method, "decoder", None)
    if decoder is not None:
        assert decoder.layers[-1].weight.grad[[3, 17, 40]].abs().sum() == 0


@EVERY
def test_same_step_same_loss_and_other_step_other_loss(name: str) -> None:
    known = context(dropout=0.1)
    method = make(name, known)
    losses = [method.loss(batch(known, step=step))[0].item() for step in (0, 0, 1)]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


@EVERY
def test_health_is_finite_and_says_no_to_an_untrained_masked_method(name: str) -> None:
    method = make(name).eval()
    health = method.health(batch(context()))
    assert health.kind == ("skill" if hasattr(method, "decoder") else "retrieval")
    assert 1.0 <= health.effective_rank <= 16.0
    assert health.spread > 0
    if isinstance(method, Masked):
        assert health.difficulty is not None
        assert health.status != "ok"
    if health.kind == "retrieval":
        assert health.alignment is not None
        assert health.uniformity is not None


def test_joint_embedding_needs_an_effective_rank_above_five() -> None:
    passed = Health("retrieval", 50.0, 10.0, 5.1, 1.0)
    assert passed.status == "ok"
    assert dataclasses.replace(passed, effective_rank=5.0).status == "not_learned"
    assert dataclasses.replace(passed, kind="skill", effective_rank=5.0).status == "ok"
    assert dataclasses.replace(passed, value=10.0).status == "not_learned"


def test_what_is_no_number_has_not_learned() -> None:
    passed = Health("skill", 0.5, 0.05, 9.0, 1.0)
    assert dataclasses.replace(passed, value=math.nan).status == "not_learned"
    assert dataclasses.replace(passed, spread=math.nan).status == "collapsed"
    assert dataclasses.replace(passed, effective_rank=math.nan).status == "collapsed"


def test_networks_start_from_their_seed() -> None:
    first, again, other = (context(seed=seed).encoder().state_dict() for seed in (0, 0, 1))
    weights = [name for name, value in first.items() if value.ndim == 2]
    assert weights
    for name in weights:
        assert torch.equal(first[name], again[name])
        assert not torch.equal(first[name], other[name])


@EVERY
def test_parameters_are_read_without_torch_and_are_the_same(name: str) -> None:
    read = parameters(name, {}, "here")
    assert vars(read) == vars(importlib.import_module(METHODS[name]).Params())


@EVERY
def test_bfloat16_gives_nearly_the_same_loss(name: str) -> None:
    known = context()
    method = make(name, known)
    plain = method.loss(batch(known))[0].item()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = method.loss(batch(known))[0]
    assert rounded.dtype == torch.float32
    assert rounded.item() == pytest.approx(plain, rel=0.05)
