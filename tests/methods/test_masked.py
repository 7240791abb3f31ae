"""What masked autoencoders may see, what they are asked for, and what their loss is."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from selfcell.errors import ConfigError
from selfcell.methods.params import read, schema_of
from tests.methods.factory import HIDING, MASKED, batch, context, make, masked, train
from tests.reference import losses as reference

EVERY = pytest.mark.parametrize("name", MASKED)


@EVERY
@pytest.mark.parametrize("rescale", [False, True])
def test_no_hidden_value_leaks_into_the_input(name: str, rescale: bool) -> None:
    """Whatever the hidden entries hold, the encoder gives the same code."""
    method, plain = masked(name, rescale=rescale), batch(context())
    visible, _ = method.draw(plain)
    other = torch.where(visible, plain.x_BG, plain.x_BG + 3.0)
    codes = []
    for x in (plain.x_BG, other):
        method.reconstruct(dataclasses.replace(plain, x_BG=x), visible, train=True)
        codes.append(method.reconstruct(dataclasses.replace(plain, x_BG=x), visible, train=True))
    assert torch.equal(codes[0], codes[1])
    seen = torch.where(visible, plain.x_BG + 3.0, plain.x_BG)
    changed = method.reconstruct(dataclasses.replace(plain, x_BG=seen), visible, train=True)
    assert not torch.equal(codes[0], changed)


@pytest.mark.parametrize("name", HIDING)
def test_loss_asks_for_what_is_hidden_and_nothing_else(name: str) -> None:
    method = masked(name)
    visible, target = method.draw(batch(context()))
    assert torch.equal(visible, ~target)
    assert target.any(1).all()


@EVERY
def test_unmeasured_genes_are_never_asked_for(name: str) -> None:
    _, target = masked(name).draw(batch(context(), range(512)))
    assert not target[:, [3, 17]].any()
    assert target.any(0).sum() >= 9


@pytest.mark.parametrize("average", ["masked", "all"])
def test_the_expected_loss_weighs_zeros_by_their_chance_of_being_masked(average: str) -> None:
    method = masked("random_mask", loss="expected_mse", rate=0.3, average=average)
    cells = batch(context())
    visible, hidden = method.draw(cells)
    x, measured = cells.x_BG, method.measured_G
    weight = torch.where((x == 0) & measured, 0.3, hidden.float())
    number = x.numel() if average == "all" else 0.3 * len(x) * int(measured.sum())
    error = method.reconstruct(cells, visible, train=True) - x
    loss, _ = method.loss(cells)
    torch.testing.assert_close(loss, (weight * error.square()).sum() / number)
    assert method.health(cells).kind == "skill"


@pytest.mark.parametrize("bad", [{"output": "softplus"}, {"rescale": True}])
def test_the_expected_loss_refuses_what_it_does_not_hold_for(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="output linear and rescale false"):
        read(schema_of("selfcell.methods.random_mask"), {"loss": "expected_mse", **bad}, "params")


@pytest.mark.parametrize("rate", [0.15, 0.5])
def test_random_masks_hide_their_rate_entry_by_entry(rate: float) -> None:
    """Within binomial error over all entries, over each cell and each gene, and between steps."""
    method = masked("random_mask", rate=rate)
    first, later = (method.draw(batch(context(), range(512), step))[1] for step in (0, 1))
    mask = first[:, method.measured_G].float()
    variance = rate * (1 - rate)
    assert abs(mask.mean().item() - rate) < 4 * (variance / mask.numel()) ** 0.5
    for axis in (0, 1):
        share, entries = mask.mean(axis), mask.shape[axis]
        spread = ((share - rate).square().mean() * entries / variance).item()
        assert spread == pytest.approx(1.0, abs=5 * (2 / len(share)) ** 0.5)  # chi-squared
    both = (mask * later[:, method.measured_G]).mean().item()
    assert abs(both - rate**2) < 4 * (rate**2 * (1 - rate**2) / mask.numel()) ** 0.5


@EVERY
@pytest.mark.parametrize("average", ["masked", "all"])
def test_mse_equals_the_reference(name: str, average: str) -> None:
    method, cells = masked(name, average=average), batch(context(), range(8))
    visible, target = method.draw(cells)
    y = method.reconstruct(cells, visible, train=True).detach().double().numpy()
    expected = reference.masked_mse(y, cells.x_BG.double().numpy(), target.numpy())
    if average == "all":
        expected *= float(target.float().mean())
    assert method.loss(cells)[0].item() == pytest.approx(expected, rel=1e-5)


@EVERY
def test_nb_equals_the_reference(name: str) -> None:
    method, cells = masked(name, loss="nb"), batch(context(), range(8))
    visible, target = method.draw(cells)
    assert method.log_dispersion_G is not None
    with torch.no_grad():
        method.log_dispersion_G.copy_(torch.linspace(-1, 1, len(method.log_dispersion_G)))
        y = method.reconstruct(cells, visible, train=True).double()
    mean = (y.exp() * cells.total_B[:, None] / 1e4).clamp_min(1e-6).numpy()
    dispersion = method.log_dispersion_G.detach().double().exp().numpy()
    counts = cells.count_BG.double().numpy()
    expected = reference.negative_binomial(mean, dispersion, counts, target.numpy())
    loss = method.loss(cells)[0]
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    loss.backward()
    assert method.log_dispersion_G.grad is not None
    assert method.log_dispersion_G.grad[target.any(0)].abs().min() > 0


@pytest.mark.parametrize(("output", "low", "high"), [("sigmoid", 0, 1), ("softplus", 0, 1e9)])
def test_outputs(output: str, low: float, high: float) -> None:
    method, cells = masked("random_mask", output=output), batch(context())
    y = method.reconstruct(cells, method.draw(cells)[0], train=True)
    assert low < y.min().item() <= y.max().item() < high


def test_rescale_divides_by_the_visible_share() -> None:
    """The first layer's input, seen through an encoder of one linear unit of weight 1."""
    method, cells = masked("random_mask", rescale=True, rate=0.3), batch(context())
    visible, _ = method.draw(cells)
    seen: list[torch.Tensor] = []
    hook = method.encoder.layers[0].register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    method.reconstruct(cells, visible, train=True)
    hook.remove()
    measured = method.measured_G
    share = (visible & measured).sum(1, keepdim=True) / measured.sum()
    torch.testing.assert_close(seen[0], cells.x_BG * visible / share)
    assert share.mean().item() == pytest.approx(0.7, abs=0.02)


@pytest.mark.parametrize("values", [{}, {"loss": "nb"}], ids=["mse", "nb"])
def test_training_passes_the_gate_and_the_gate_is_the_skill(values: dict[str, object]) -> None:
    known = context()
    method = make("random_mask", known, **values)
    before = method.eval().health(batch(known, range(256)))
    health = train(method.train(), known, 80).health(batch(known, range(256)))
    assert before.status != "ok"
    assert health.status == "ok"
    assert health.value > before.value
    assert health.difficulty == pytest.approx(1.0, abs=0.1)


@EVERY
def test_the_gate_is_a_skill_of_five_hundredths(name: str) -> None:
    health = masked(name).health(batch(context()))
    fine = dataclasses.replace(health, effective_rank=2.0, spread=1.0)
    assert dataclasses.replace(fine, value=0.049).status == "not_learned"
    assert dataclasses.replace(fine, value=0.051).status == "ok"


def test_difficulty_is_the_null_error_of_the_entries_asked_for_over_that_of_all() -> None:
    """Programmes of the most variable genes are harder than chance."""
    known = context()
    hardest = batch(known, range(512)).x_BG.var(0).argsort(descending=True)[:50]
    genes = [known.symbols[g] for g in hardest.tolist()]
    method = masked("gp_to_gp", context(programmes={"A": genes[:25], "B": genes[25:]}))
    cells = batch(known)
    null = (cells.x_BG - method.mean_G).square()
    asked = method.draw(cells)[1]
    expected = (null[asked].mean() / null[:, method.measured_G].mean()).item()
    difficulty = method.health(cells).difficulty
    assert difficulty == pytest.approx(expected, rel=1e-4)
    assert expected > 1.2


def test_skill_of_the_gene_means_is_zero() -> None:
    known = context()
    method = masked("random_mask")
    cells = batch(known, range(256))
    with torch.no_grad():
        for layer in method.decoder.layers:
            layer.weight.zero_()
        method.decoder.layers[-1].bias.copy_(method.mean_G)
    assert method.health(cells).value == pytest.approx(0.0, abs=1e-6)
    assert method.health(cells).status == "not_learned"


def test_health_of_collapsed_codes() -> None:
    method = masked("random_mask")
    with torch.no_grad():
        for p in method.encoder.layers[-1].parameters():
            p.zero_()
    assert method.health(batch(context())).status == "collapsed"


@EVERY
def test_a_decoder_says_which_genes_it_learns(name: str) -> None:
    """The genes that are in the loss of some step, and no others."""
    method = masked(name)
    seen_G = torch.stack([method.draw(batch(context(), step=step))[1].any(0) for step in range(60)])
    assert torch.equal(method.decoded(), seen_G.any(0))
