"""Programme masks, their permuted and their matched twins, and which gene sets count."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from selfcell.errors import ConfigError
from selfcell.methods.base import Context
from tests.methods.factory import HIDING, MASKED, batch, context, make, masked, with_factors

EVERYTHING = (batch(context(), range(256)).x_BG > 0).any(0).float()


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
    method = masked("gene_programme", known, of=of, share=0.3, per_batch=per_batch)
    twin = masked("random_mask_matched", known, of=of, share=0.3, per_batch=per_batch)
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
    method = masked(name, known)
    drawn = [method.draw(batch(known, range(256), step)) for step in range(2)]
    sides = [target for _, target in drawn]
    if name not in HIDING:  # what they show is of the programmes, too
        sides += [visible for visible, _ in drawn]
    seen_G = torch.cat(sides).any(0)
    assert not seen_G[dropped].any()
    assert seen_G[kept].any()
    assert not method.decoded()[dropped].any()
