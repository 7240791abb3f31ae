"""What masked autoencoders may see, what they are asked for, and what their loss is."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from selfcell.errors import ConfigError
from selfcell.methods import parameters
from selfcell.methods.base import Context
from selfcell.methods.gp_to_tf import LEAST_FACTORS
from selfcell.methods.masked import Masked
from tests.methods.factory import batch, context, make, train, with_factors
from tests.reference import losses as reference

HIDING = ("random_mask", "gene_programme", "gene_programme_permuted", "random_mask_matched")
MASKED = (*HIDING, "gp_to_gp", "gp_to_tf")
EVERY = pytest.mark.parametrize("name", MASKED)
EVERYTHING = (batch(context(), range(256)).x_BG > 0).any(0).float()


def masked(name: str, **values: object) -> Masked:
    """A masked method on the synthetic corpus."""
    method = make(name, **values)
    assert isinstance(method, Masked)
    return method


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
    method = make("gp_to_gp", context(programmes={"A": genes[:25], "B": genes[25:]}))
    assert isinstance(method, Masked)
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


def genes_of(method_names: dict[str, list[str]], symbols: list[str]) -> list[set[int]]:
    """Columns of each gene set."""
    return [{symbols.index(g) for g in genes} for genes in method_names.values()]


def test_gp_to_gp_touches_no_gene_outside_one_programme() -> None:
    known, cells = context(), batch(context())
    visible, target = masked("gp_to_gp").draw(cells)
    assert torch.equal(visible, target)
    measured = set(np.flatnonzero(known.measured_G).tolist())
    sets = [
        {known.symbols.index(g) for g in genes} & measured for genes in known.programmes.values()
    ]
    for row in target:
        assert set(row.nonzero()[:, 0].tolist()) in sets
    assert len({tuple(row.tolist()) for row in target}) > 10


def test_gp_to_gp_has_no_gradient_outside_the_programme() -> None:
    method, cells = masked("gp_to_gp"), batch(context(), range(1))
    _, target = method.draw(cells)
    method.loss(cells)[0].backward()
    inputs, outputs = method.encoder.layers[0].weight.grad, method.decoder.layers[-1].weight.grad
    assert inputs[:, ~target[0]].abs().sum() == 0
    assert outputs[~target[0]].abs().sum() == 0
    assert outputs[target[0]].abs().sum() > 0


@pytest.mark.parametrize("name", ["gp_to_gp", "gp_to_tf"])
def test_not_isolated_is_a_plain_autoencoder(name: str) -> None:
    method = masked(name, isolate=False)
    visible, target = method.draw(batch(context()))
    assert torch.equal(visible, method.measured_G.expand_as(visible))
    assert torch.equal(visible, target)


def test_gp_to_tf_sees_targets_and_is_asked_for_factors() -> None:
    known = with_factors(context())
    method = make("gp_to_tf", known, factors=8)
    assert isinstance(method, Masked)
    visible, target = method.draw(batch(known))
    columns = {known.symbols.index(name.split("_")[0]) for name in known.programmes}
    assert (target.sum(1) == 8).all()
    for seen, asked in zip(visible, target, strict=True):
        asked_set = set(asked.nonzero()[:, 0].tolist())
        assert asked_set <= columns
        factors = [known.symbols[c] for c in asked_set]
        genes = {g for f in factors for g in known.programmes[f"{f}_TARGET_GENES"]}
        expected = {known.symbols.index(g) for g in genes} - asked_set
        expected &= set(np.flatnonzero(known.measured_G).tolist())
        assert set(seen.nonzero()[:, 0].tolist()) == expected
    assert not (visible & target).any()


def test_gp_to_tf_needs_enough_factors() -> None:
    known = with_factors(context())
    few = dict(list(known.programmes.items())[:5])
    known = dataclasses.replace(known, programmes=few)
    with pytest.raises(ConfigError, match="5 factors have their gene and targets"):
        make("gp_to_tf", known)
    with pytest.raises(ConfigError, match="5 factors have their gene and targets"):
        make("gp_to_tf", known, factors=8)


def test_gp_to_tf_refuses_too_few_factors_a_cell() -> None:
    """With the range and the reason, where the configuration is read."""
    with pytest.raises(ConfigError) as caught:
        parameters("gp_to_tf", {"factors": LEAST_FACTORS - 1}, "methods.gp_to_tf")
    said = str(caught.value)
    assert "methods.gp_to_tf.factors: 7; needed: a value in [8, 1000]" in said
    assert "fewer than 8 do not train" in said
    assert parameters("gp_to_tf", {"factors": LEAST_FACTORS}, "here").factors == 8


def test_gp_to_tf_draws_all_factors_where_there_are_fewer_than_asked_for() -> None:
    _, target = masked("gp_to_tf", factors=1000).draw(batch(context()))
    assert (target.sum(1) == 10).all()


def test_gene_programme_of_expressed_genes() -> None:
    method, cells = masked("gene_programme", of="expressed", share=0.3), batch(context())
    _, target = method.draw(cells)
    expressed = cells.x_BG > 0
    share = (target & expressed).sum(1) / expressed.sum(1)
    assert (share >= 0.3).all()
    assert share.mean() < 0.45


def test_gene_programme_of_programmes_per_batch() -> None:
    method = masked("gene_programme", of="programmes", share=0.25, per_batch=True)
    _, target = method.draw(batch(context()))
    assert (target == target[:1]).all()
    held = [g for genes in context().programmes.values() for g in genes if g]
    assert len(held) == 200
    assert 45 <= int(target[0].sum()) <= 50  # 5 of 20 programmes of 10, less the unmeasured


@pytest.mark.parametrize("of", ["measured", "expressed", "programmes"])
def test_gene_programme_per_batch_is_one_mask_of_the_share(of: str) -> None:
    method, cells = masked("gene_programme", of=of, share=0.3, per_batch=True), batch(context())
    visible, target = method.draw(cells)
    assert (target == target[:1]).all() and torch.equal(visible, ~target)
    later = method.draw(batch(context(), step=1))[1]
    assert not torch.equal(later[0], target[0])
    if of != "programmes":
        base = (cells.x_BG > 0).any(0) if of == "expressed" else method.measured_G
        share = float((target[0] & base).sum() / base.sum())
        assert 0.3 <= share < 0.3 + 10 / int(base.sum())  # a programme holds ten genes


def test_gene_programme_out_of_reach() -> None:
    few = {"ONE": context().symbols[:20]}
    with pytest.raises(ConfigError, match="the programmes hold 18 of 198 measured genes"):
        make("gene_programme", context(programmes=few))


def test_permutations_keep_degrees_and_differ() -> None:
    plain = masked("gene_programme").programmes.word_PW
    first, again, other = (
        masked("gene_programme_permuted", permutation=p).programmes for p in (0, 0, 1)
    )
    assert torch.equal(first.word_PW, again.word_PW)
    assert not torch.equal(first.word_PW, other.word_PW)
    assert not torch.equal(first.word_PW, plain)
    assert torch.equal(first.all_W, masked("gene_programme").programmes.all_W)


@pytest.mark.parametrize("per_batch", [False, True])
@pytest.mark.parametrize("of", ["measured", "expressed", "programmes"])
def test_matched_rates_are_those_of_programme_masks(of: str, per_batch: bool) -> None:
    known = context()
    counts = np.zeros(200)
    overlapping = {  # genes in one to four programmes
        f"P{p}": [known.symbols[g] for g in range(200) if (g * (p + 3)) % 23 < 3 + g // 50]
        for p in range(12)
    }
    known = context(programmes=overlapping)
    method = make("gene_programme", known, of=of, share=0.3, per_batch=per_batch)
    twin = make("random_mask_matched", known, of=of, share=0.3, per_batch=per_batch)
    assert isinstance(method, Masked)
    assert isinstance(twin, Masked)
    steps, cells = 16, batch(known, range(512))
    if per_batch:  # all that a step of 256 cells expresses, in one cell
        steps, cells = 2000, dataclasses.replace(batch(known, range(1)), x_BG=EVERYTHING[None])
    for step in range(steps):
        cells = dataclasses.replace(cells, noise=dataclasses.replace(cells.noise, step=step))
        counts += method.draw(cells)[1].float().mean(0).numpy() / steps
    rate = twin.rate_G.numpy()
    assert rate.std() > 0.1
    # Where a cell's own genes count, the simulated ones express independently.
    tolerance = 0.12 if (of, per_batch) == ("expressed", False) else 0.05
    assert np.abs(rate - counts).max() < tolerance
    assert abs(rate.mean() - counts.mean()) < 0.02


def with_thin_sets(name: str) -> tuple[Context, list[int], list[int]]:
    """A corpus with three more sets, of genes that no other holds, and the columns of the two
    that the coverage rule's defaults drop (four measured genes; five of fifty-one), then of the
    one that they keep (five of fifty)."""
    known = context()
    free = [[known.symbols.index(gene) for gene in own] for own in known.programmes.values()][-3:]
    known = dataclasses.replace(known, programmes=dict(list(known.programmes.items())[:-3]))
    if name == "gp_to_tf":
        known = with_factors(known)
    symbols, sets, columns = list(known.symbols), dict(known.programmes), []
    sizes = (("TP53", 4, 0), ("E2F1", 5, 46), ("ETS1", 5, 45))
    for (factor, found, unknown), own in zip(sizes, free, strict=True):
        genes = [symbols[column] for column in own[:found]]
        sets[f"{factor}_TARGET_GENES"] = [*genes, *(f"X{i}" for i in range(unknown))]
        columns.append(own[:found])
        if name == "gp_to_tf":
            symbols[own[-1]] = factor
            columns[-1].append(own[-1])
    known = dataclasses.replace(known, symbols=symbols, programmes=sets)
    return known, columns[0] + columns[1], columns[2]


@pytest.mark.parametrize("name", [name for name in MASKED if name != "random_mask"])
def test_sets_that_are_not_covered_are_in_no_mask(name: str) -> None:
    known, dropped, kept = with_thin_sets(name)
    method = make(name, known)
    assert isinstance(method, Masked)
    drawn = [method.draw(batch(known, range(256), step)) for step in range(2)]
    sides = [target for _, target in drawn]
    if name not in HIDING:  # what they show is of the programmes, too
        sides += [visible for visible, _ in drawn]
    seen_G = torch.cat(sides).any(0)
    assert not seen_G[dropped].any()
    assert seen_G[kept].any()
    assert not method.decoded()[dropped].any()


@EVERY
def test_a_decoder_says_which_genes_it_learns(name: str) -> None:
    """The genes that are in the loss of some step, and no others."""
    method = masked(name)
    seen_G = torch.stack([method.draw(batch(context(), step=step))[1].any(0) for step in range(60)])
    assert torch.equal(method.decoded(), seen_G.any(0))
