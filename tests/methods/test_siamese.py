"""What joint-embedding methods share, and what is each one's own."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable

import numpy as np
import pytest
import torch

from selfcell.data.synth import synthesise
from selfcell.methods import METHODS
from selfcell.methods.byol import BYOL
from selfcell.methods.siamese import GATE, Siamese, trunk
from selfcell.metrics.geometry import alignment, uniformity
from selfcell.train.optim import LARS, optimiser
from selfcell.views.augment import both
from selfcell.views.augment import second as other
from selfcell.views.dropout import input_dropout
from selfcell.views.noise import gaussian_noise, negative_binomial_noise
from tests.methods.factory import batch, context, make, train
from tests.reference import losses as reference

JOINT = ("byol", "simsiam", "barlow_twins", "simclr", "vicreg")
EVERY = pytest.mark.parametrize("name", JOINT)


def siamese(name: str, **values: object) -> Siamese:
    """A joint-embedding method on the synthetic corpus."""
    method = make(name, **values)
    assert isinstance(method, Siamese)
    return method


@pytest.mark.parametrize("name", ["barlow_twins", "simclr", "vicreg"])
def test_loss_is_the_reference_of_the_projections(name: str) -> None:
    method, cells = siamese(name), batch(context(), range(12))
    z = method.projector(method.codes(cells)).detach().double().numpy()
    expected = {
        "barlow_twins": lambda: reference.barlow_twins(z[0], z[1], 0.0051),
        "simclr": lambda: reference.ntxent(z[0], z[1], method.temperature),
        "vicreg": lambda: reference.vicreg(z[0], z[1], (25.0 / z.shape[2], 25.0, 1.0)),
    }[name]()
    assert method.loss(cells)[0].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_simclr_divides_by_the_temperature_that_is_asked_for(temperature: float) -> None:
    method, cells = siamese("simclr", temperature=temperature), batch(context(), range(12))
    z = method.projector(method.codes(cells)).detach().double().numpy()
    expected = reference.ntxent(z[0], z[1], temperature)
    assert method.loss(cells)[0].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["byol", "simsiam"])
def test_gradient_is_that_of_the_reference_with_the_targets_held(name: str) -> None:
    """In float64, through predictor, projector and encoder, by the last weights of each's first
    unit; the targets what they are before any weight moves, so that nothing flows through them."""
    method, cells = siamese(name).double(), batch(context(), range(12))
    cells = dataclasses.replace(cells, x_BG=cells.x_BG.double())
    x, noise = method.views(cells), both(cells.noise)

    def outputs() -> tuple[np.ndarray, np.ndarray]:
        """Predictions and targets of both views."""
        with torch.no_grad():
            z = method.projector(method.encoder(x, noise).unflatten(0, (2, -1)))
            p, target = method.predictor(z), z
            if isinstance(method, BYOL):
                target = method.target_encoder(x, noise).unflatten(0, (2, -1))
                target = method.target_projector(target)
            return p.numpy(), target.numpy()

    with torch.no_grad():  # apart from the target, which started as a copy
        for parameter in method.projector.parameters():
            parameter.mul_(1.1)
    held = outputs()[1]
    method.loss(cells)[0].backward()
    half = 1.0 if name == "byol" else 0.25
    for net in (method.encoder, method.projector, method.predictor):
        weight = net.layers[-1].weight
        start = weight[0].detach().clone()

        def loss(value: np.ndarray, weight: torch.Tensor = weight) -> float:
            with torch.no_grad():
                weight[0] = torch.as_tensor(value)
            p, _ = outputs()
            return half * (reference.cosine(p[0], held[1]) + reference.cosine(p[1], held[0]))

        slope = reference.gradient(loss, start.numpy())
        with torch.no_grad():
            weight[0] = start
        np.testing.assert_allclose(weight.grad[0].numpy(), slope, rtol=1e-4, atol=1e-7)
        assert np.abs(slope).max() > 1e-4


@pytest.mark.parametrize(
    ("name", "projector", "predictor"),
    [
        ("byol", [64, 4096, 256], [256, 4096, 256]),
        ("simsiam", [64, 1024, 1024, 256], [256, 1024, 256]),  # 4,096: four times the cost
        ("barlow_twins", [64, 256, 256, 512, 512], None),
        ("simclr", [64, 512, 128], None),
        ("vicreg", [64, 512, 512, 512], None),
    ],
)
def test_default_widths(name: str, projector: list[int], predictor: list[int] | None) -> None:
    """Those of the study, but where a docstring says so."""
    known = context(hidden=(512, 512, 256, 256, 64))
    module = importlib.import_module(METHODS[name])
    method = module.build(module.Params(), known)
    for head, sizes in (
        (method.projector, projector),
        (getattr(method, "predictor", None), predictor),
    ):
        if sizes is not None:
            assert [head.layers[0].in_features, *(e.out_features for e in head.layers)] == sizes


def test_simsiam_loss_is_the_papers_plus_one_and_stops_the_gradient() -> None:
    method, cells = siamese("simsiam"), batch(context(), range(12))
    z = method.projector(method.codes(cells))
    p = method.predictor(z).detach().double().numpy()
    t = z.detach().double().numpy()
    expected = (reference.cosine(p[0], t[1]) + reference.cosine(p[1], t[0])) / 4
    loss = method.loss(cells)[0]
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    loss.backward()
    stopped = method.projector.layers[-1].weight.grad.clone()
    method.zero_grad()
    z = method.projector(method.codes(cells))
    p_VBD, t_VBD = method.predictor(z), z  # the same without the stop
    cosine = torch.nn.functional.cosine_similarity
    free = 1 - (cosine(p_VBD[0], t_VBD[1]).mean() + cosine(p_VBD[1], t_VBD[0]).mean()) / 2
    assert free.item() == pytest.approx(loss.item(), rel=1e-5)
    free.backward()
    assert not torch.allclose(stopped, method.projector.layers[-1].weight.grad, rtol=1e-3)


@EVERY
def test_gate_tells_a_trained_encoder_from_an_untrained_one(name: str) -> None:
    """Cells that differ one by one, not by type alone."""
    cells = synthesise(512, identity=30, nuisance=50, seed=1)
    known = context(cells, hidden=(128, 32))
    descent = {"optimiser": "adamw", "lr": 3e-3}  # LARS is too slow for so short a run
    method = make(name, known, p=1.0, input_dropout=0.5, **descent)
    watched = batch(known, range(256), cells=cells)
    before = method.eval().health(watched)
    health = train(method.train(), known, 100, cells=cells).health(watched)
    assert before.kind == "retrieval"
    assert before.threshold == 10.0
    assert before.status == "not_learned"
    assert health.status == "ok"


@pytest.mark.parametrize(("cells", "threshold"), [(256, 10.0), (20, 10.0), (12, 6.0)])
def test_gate_can_be_passed_by_few_cells(cells: int, threshold: float) -> None:
    health = siamese("simclr").health(batch(context(), range(cells)))
    assert health.threshold == threshold
    assert dataclasses.replace(health, value=float(cells), effective_rank=6.0).status == "ok"


@EVERY
def test_collapse_is_seen(name: str) -> None:
    method = siamese(name)
    with torch.no_grad():
        for p in method.encoder.layers[-1].parameters():
            p.zero_()
    health = method.health(batch(context()))
    assert health.value == 0.0
    assert health.status == "collapsed"


@EVERY
@pytest.mark.parametrize(
    ("strength", "augmentation"),
    [
        ({"nb": 0.4}, negative_binomial_noise),
        ({"gaussian": 0.4}, gaussian_noise),
        ({"input_dropout": 0.4}, input_dropout),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_augmentation_reaches_the_views(
    name: str, strength: dict[str, float], augmentation: Callable[..., torch.Tensor]
) -> None:
    cells = batch(context())
    none = {"p": 1.0, "nb": 0.0, "gaussian": 0.0, "input_dropout": 0.0}
    method = siamese(name, **{**none, **strength})
    x_NG = torch.cat([cells.x_BG, cells.x_BG])
    expected = augmentation(x_NG, both(cells.noise), 0.4) * method.measured_G
    assert torch.equal(method.views(cells), expected)
    assert not torch.equal(expected, x_NG)
    assert torch.equal(siamese(name, **none).views(cells), x_NG)


@EVERY
def test_alignment_is_of_two_views_and_uniformity_of_the_cells(name: str) -> None:
    method, cells = siamese(name).eval(), batch(context())
    first, second = (
        GATE(cells.x_BG, noise, method.measured_G) for noise in (cells.noise, other(cells.noise))
    )
    health = method.health(cells)
    expected = alignment(method.embed(first), method.embed(second))
    assert health.alignment == pytest.approx(expected, rel=1e-4)
    assert expected > 0.01
    assert health.uniformity == pytest.approx(uniformity(method.embed(cells.x_BG)), rel=1e-4)


@EVERY
def test_two_views_differ_and_second_can_be_clean(name: str) -> None:
    cells = batch(context())
    first, second = siamese(name, p=1.0).views(cells).chunk(2)
    assert (first != second).any(1).all()
    clean = siamese(name, p=1.0, clean_second=True).views(cells).chunk(2)
    assert torch.equal(clean[0], first)
    assert torch.equal(clean[1], cells.x_BG)


def test_encoder_dropout_differs_between_the_views_of_a_cell() -> None:
    method = siamese("simclr", p=0.0, encoder_dropout=0.5)
    first, second = method.codes(batch(context()))
    assert not torch.equal(first, second)
    plain = siamese("simclr", p=0.0)
    first, second = plain.codes(batch(context()))
    assert torch.equal(first, second)


def test_trunk_shares_the_weights() -> None:
    encoder = make("byol").encoder
    short = trunk(encoder, -2)
    assert len(short.layers) == len(encoder.layers) - 1
    assert short.layers[0].weight is encoder.layers[0].weight
    x = batch(context()).x_BG
    hidden = torch.nn.functional.selu(encoder.layers[0](x))
    torch.testing.assert_close(short(x), hidden)
    assert trunk(encoder, -1) is encoder


@EVERY
def test_the_optimiser_is_a_parameter(name: str) -> None:
    for wanted, kind in (("lars", LARS), ("adamw", torch.optim.AdamW)):
        made = optimiser(make(name, optimiser=wanted, lr=0.02, weight_decay=0.03), 1e-3, 0.01)
        assert isinstance(made, kind)
        assert made.param_groups[0]["lr"] == 0.02
        assert max(group["weight_decay"] for group in made.param_groups) == 0.03


def test_barlow_twins_trains_by_lars() -> None:
    assert isinstance(optimiser(make("barlow_twins"), 1e-3, 0.01), LARS)
    reset = optimiser(make("barlow_twins", lars_momentum=0.0), 1e-3, 0.01)
    assert reset.param_groups[0]["momentum"] == 0.0


@EVERY
def test_gate_is_the_same_whatever_the_views_of_training(name: str) -> None:
    cells = batch(context())
    mild, strong = siamese(name, p=0.0), siamese(name, p=1.0, nb=5.0, input_dropout=0.9)
    assert mild.health(cells) == strong.health(cells)
    assert mild.health(cells).value < len(cells.x_BG)


def test_views_leave_the_batch_alone() -> None:
    cells = batch(context())
    before = dataclasses.replace(cells, x_BG=cells.x_BG.clone())
    siamese("byol").loss(cells)
    assert torch.equal(cells.x_BG, before.x_BG)
